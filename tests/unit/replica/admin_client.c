#include "admin_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void admin_done(struct replica_admin *request, status_t status)
{
    struct admin *admin = request->context;
    admin->done = true;
    admin->status = status;
}

void admin_start(struct admin *admin, struct cluster *cluster, uint32_t node,
                 enum replica_admin_type type, struct replica_member member, uint64_t us)
{
    *admin = (struct admin){.cluster = cluster};
    admin->request = (struct replica_admin){
        .done = admin_done,
        .context = admin,
        .deadline_us = env_monotonic_us(env_sim_env(cluster_machine(cluster, node))) + us,
        .type = type,
        .member = member};
    replica_admin_begin(cluster_replica(cluster, node), &admin->request);
    cluster_wake(cluster, node);
}

static bool is_done(void *context)
{
    return ((struct admin *)context)->done;
}

status_t admin_wait(struct admin *admin)
{
    assert_true(cluster_run_until(admin->cluster, 2 * (uint64_t)PATIENCE_US, is_done, admin));
    return admin->status;
}

status_t admin_ask(struct cluster *cluster, uint32_t node, enum replica_admin_type type,
                   struct replica_member member, struct replica_admin *answer)
{
    struct admin admin;
    admin_start(&admin, cluster, node, type, member, PATIENCE_US);
    status_t status = admin_wait(&admin);
    test_error = admin.request.error;
    if (answer)
        *answer = admin.request;
    return status;
}

uint64_t node_uid(struct cluster *cluster, uint32_t node)
{
    struct replica_identity identity;
    assert_ok(replica_identity(env_sim_env(cluster_machine(cluster, node)), cluster_node_dir,
                               node + 1, &identity, &test_error));
    return identity.uid;
}

void node_join(struct cluster *cluster, uint32_t node, uint32_t at, bool voter)
{
    struct replica_member member = {.id = node + 1, .uid = node_uid(cluster, node), .voter = voter};
    snprintf(member.address, sizeof member.address, "node%u:1", node + 1);
    struct replica_admin answer;
    assert_ok(admin_ask(cluster, at, REPLICA_ADMIN_ADD, member, &answer));
    cluster_set_join(cluster, node, &answer);
    assert_ok(cluster_start(cluster, node, &test_error));
}

struct replica_members members_of(struct cluster *cluster, uint32_t node)
{
    struct replica_members members;
    replica_members(cluster_replica(cluster, node), &members);
    return members;
}

struct awaited {
    struct cluster *cluster;
    uint32_t node, at;
};

static bool is_voter(void *context)
{
    struct awaited *awaited = context;
    struct replica_members members = members_of(awaited->cluster, awaited->at);
    const struct replica_member *member = replica__member_find(&members, awaited->node + 1);
    return member && member->voter;
}

void voter_wait(struct cluster *cluster, uint32_t node, uint32_t at)
{
    struct awaited awaited = {.cluster = cluster, .node = node, .at = at};
    assert_true(cluster_run_until(cluster, PATIENCE_US, is_voter, &awaited));
}

static bool has_failed(void *context)
{
    struct awaited *awaited = context;
    return cluster_node_failed(awaited->cluster, awaited->node);
}

void failure_wait(struct cluster *cluster, uint32_t node, const char *message)
{
    struct awaited awaited = {.cluster = cluster, .node = node};
    assert_true(cluster_run_until(cluster, PATIENCE_US, has_failed, &awaited));
    const char *said = cluster_failure(cluster, node)->message;
    if (strncmp(said, message, strlen(message)) != 0)
        fail_msg("node %u says: %s", node + 1, said);
}
