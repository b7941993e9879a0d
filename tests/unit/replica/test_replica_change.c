/* A membership that changes all the time, at random, while nodes crash, links fail and messages are
 * lost. In the end, with all faults over: one membership on all its members, with the uids of their
 * directories; who has stopped is not in it; and all hold the same data. Arguments: a seed, which
 * is then run with its trace; or a first and a last one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin_client.h"
#include "base/log.h"

enum { NODES = 7, FOUNDERS = 3, ROUNDS = 60, SEEDS = 12 };

struct change {
    struct cluster *cluster;
    struct prng *prng;
    bool fresh[NODES]; /* its directory never belonged to a member that was removed */
    uint32_t puts;
};

static bool is_up(struct change *c, uint32_t node)
{
    return cluster_replica(c->cluster, node) && !cluster_node_failed(c->cluster, node);
}

/* One that is up; there always is one. */
static uint32_t up_draw(struct change *c)
{
    for (;;) {
        uint32_t node = (uint32_t)prng_below(c->prng, NODES);
        if (is_up(c, node))
            return node;
    }
}

/* As the most recent leader, or else any node, sees it. */
static struct replica_members members_now(struct change *c)
{
    int leader = cluster_leader(c->cluster);
    bool leads = leader >= 0 && is_up(c, (uint32_t)leader);
    return members_of(c->cluster, leads ? (uint32_t)leader : up_draw(c));
}

static bool majority_stays(struct change *c, uint32_t without)
{
    struct replica_members members = members_now(c);
    uint32_t voters = 0, up = 0;
    for (uint32_t i = 0; i < members.count; i++) {
        uint32_t node = (uint32_t)members.items[i].id - 1;
        voters += members.items[i].voter;
        up += members.items[i].voter && node != without && is_up(c, node);
    }
    return up > voters / 2;
}

static status_t ask(struct change *c, enum replica_admin_type type, struct replica_member member,
                    struct replica_admin *answer)
{
    struct admin admin;
    uint32_t node = up_draw(c);
    admin_start(&admin, c->cluster, node, type, member,
                prng_between(c->prng, SECOND_US / 10, 5 * SECOND_US));
    while (!admin.done && is_up(c, node))
        cluster_step(c->cluster);
    if (!admin.done) {
        replica_admin_cancel(cluster_replica(c->cluster, node), &admin.request);
        return ERR_SHUTDOWN;
    }
    *answer = admin.request;
    return admin.status;
}

/* A node that is down and no member comes, with an empty directory if its own was removed. */
static void node_add(struct change *c, uint32_t node)
{
    if (cluster_replica(c->cluster, node) && cluster_node_failed(c->cluster, node)) {
        cluster_crash(c->cluster, node, ENV_SIM_SURVIVE_ALL);
        c->fresh[node] = false;
    }
    if (cluster_replica(c->cluster, node))
        return;
    if (!c->fresh[node])
        cluster_wipe(c->cluster, node);
    c->fresh[node] = true;
    struct replica_member member = {
        .id = node + 1, .uid = node_uid(c->cluster, node), .voter = prng_chance(c->prng, 2, 3)};
    snprintf(member.address, sizeof member.address, "node%u:%u", node + 1, c->puts);
    struct replica_admin answer;
    status_t status = ask(c, REPLICA_ADMIN_ADD, member, &answer);
    if (status == OK) {
        cluster_set_join(c->cluster, node, &answer);
        assert_ok(cluster_start(c->cluster, node, &test_error));
    } else if (status == ERR_EXISTS) {
        /* The directory before it is still a member: that one was wiped too early. */
        (void)ask(c, REPLICA_ADMIN_REMOVE, (struct replica_member){.id = node + 1}, &answer);
    } else if (status == ERR_INVALID) {
        c->fresh[node] = false;
    }
}

static void put(struct change *c)
{
    char key[16], origin[16];
    snprintf(key, sizeof key, "key%02u", c->puts % 50);
    snprintf(origin, sizeof origin, "o%u", c->puts++);
    uint32_t node = up_draw(c);
    struct client client = client_on(c->cluster, node, origin);
    status_t status =
        replica_txn_begin(cluster_replica(c->cluster, node), &client.txn, false, &test_error);
    assert_ok(status);
    client_write(&client, key, origin);
    client_request(&client, "");
    client_commit_start(&client, node, 2 * SECOND_US);
    while (!client.done && is_up(c, node))
        cluster_step(c->cluster);
    if (!client.done)
        replica_commit_abandon(cluster_replica(c->cluster, node), &client.commit);
    buffer_free(&client.commit.request);
}

static void crash_or_start(struct change *c, uint32_t node)
{
    if (is_up(c, node) && majority_stays(c, node)) {
        cluster_crash(c->cluster, node,
                      prng_chance(c->prng, 1, 2) ? ENV_SIM_SURVIVE_NOTHING : ENV_SIM_SURVIVE_ALL);
        return;
    }
    struct replica_members members = members_now(c);
    if (!cluster_replica(c->cluster, node) && replica__member_find(&members, node + 1)) {
        status_t status = cluster_start(c->cluster, node, &test_error);
        c->fresh[node] = c->fresh[node] && status == OK;
    }
}

static void change_one(struct change *c)
{
    uint32_t node = (uint32_t)prng_below(c->prng, NODES);
    struct replica_member member = {.id = node + 1};
    struct replica_members members = members_now(c);
    struct replica_admin answer;
    switch (prng_below(c->prng, 8)) {
    case 0:
    case 1:
        if (!replica__member_find(&members, node + 1) || cluster_node_failed(c->cluster, node))
            node_add(c, node);
        break;
    case 2:
        if (members.count > 3 && majority_stays(c, node))
            (void)ask(c, REPLICA_ADMIN_REMOVE, member, &answer);
        break;
    case 3:
        (void)ask(c, prng_chance(c->prng, 1, 2) ? REPLICA_ADMIN_TRANSFER : REPLICA_ADMIN_PROMOTE,
                  member, &answer);
        break;
    case 4:
        crash_or_start(c, node);
        break;
    case 5:
        cluster_cut(c->cluster, node, (uint32_t)prng_below(c->prng, NODES), true);
        break;
    case 6:
        cluster_heal(c->cluster);
        break;
    default:
        break;
    }
    put(c);
    cluster_run_us(c->cluster, prng_below(c->prng, SECOND_US / 2));
}

/* ---- the end ----------------------------------------------------------------------------------
 */

/* All of the leader's members are up, agree, and have caught up; nobody else is. */
static bool is_settled(void *context)
{
    struct change *c = context;
    int leader = cluster_leader(c->cluster);
    if (leader < 0 || !is_up(c, (uint32_t)leader))
        return false;
    struct replica_status lead = cluster_status(c->cluster, (uint32_t)leader);
    struct replica_members members = members_of(c->cluster, (uint32_t)leader);
    for (uint32_t node = 0; node < NODES; node++) {
        const struct replica_member *member = replica__member_find(&members, node + 1);
        if (!member) {
            if (is_up(c, node))
                return false;
            continue;
        }
        if (!is_up(c, node) || member->promote ||
            member->uid != replica_uid(cluster_replica(c->cluster, node)) ||
            members_of(c->cluster, node).index != members.index ||
            cluster_status(c->cluster, node).applied_index != lead.applied_index)
            return false;
    }
    return lead.applied_index == lead.last_index;
}

static void all_start(struct change *c)
{
    struct replica_members members = members_now(c);
    for (uint32_t i = 0; i < members.count; i++) {
        uint32_t node = (uint32_t)members.items[i].id - 1;
        if (!cluster_replica(c->cluster, node))
            (void)cluster_start(c->cluster, node, &test_error);
    }
}

/* A member whose directory was wiped, or that never started, cannot come: it is taken out. */
static void dead_remove(struct change *c)
{
    struct replica_members members = members_now(c);
    for (uint32_t i = 0; i < members.count; i++) {
        uint32_t node = (uint32_t)members.items[i].id - 1;
        struct replica_admin answer;
        if (!is_up(c, node))
            (void)ask(c, REPLICA_ADMIN_REMOVE, members.items[i], &answer);
    }
}

static void run(uint64_t seed, bool trace)
{
    struct cluster_config config = cluster_plain(NODES);
    config.seed = seed;
    config.founders = FOUNDERS;
    config.late_permille = config.drop_permille = config.duplicate_permille = 10;
    config.late_us = SECOND_US / 2;
    config.check_us = 5 * SECOND_US;
    config.work_us_min = 100;
    config.work_us_max = 3000;
    config.checkpoint_us = 2 * SECOND_US;
    config.log_keep_bytes = seed % 2 ? 4096 : 0;
    config.log_keep_max_bytes = seed % 2 ? 8192 : 0;
    config.segment_size = 16384;
    struct cluster *cluster = cluster_create(&config);
    struct change c = {.cluster = cluster, .prng = cluster_prng(cluster)};
    memset(c.fresh, true, sizeof c.fresh);
    cluster_trace_print(cluster, trace);
    cluster_leader_wait(cluster);
    for (int i = 0; i < ROUNDS; i++)
        change_one(&c);
    cluster_calm(cluster);
    bool settled = false;
    for (int i = 0; i < 10 && !settled; i++) {
        all_start(&c);
        settled = cluster_run_until(cluster, 10 * (uint64_t)SECOND_US, is_settled, &c);
        if (!settled)
            dead_remove(&c);
    }
    if (!settled)
        fail_msg("seed %llu does not settle", (unsigned long long)seed);
    struct replica_admin answer;
    assert_ok(
        admin_ask(cluster, up_draw(&c), REPLICA_ADMIN_CHECK, (struct replica_member){0}, &answer));
    assert_true(answer.check.majority);
    for (uint32_t i = 0; i < answer.check.count; i++)
        if (answer.check.nodes[i].differs || !answer.check.nodes[i].answered)
            fail_msg("seed %llu: node %u %s", (unsigned long long)seed,
                     (unsigned)answer.check.nodes[i].id,
                     answer.check.nodes[i].differs ? "differs" : "has not answered");
    for (uint32_t node = 0; node < NODES; node++)
        if (cluster_node_failed(cluster, node) &&
            !strstr(cluster_failure(cluster, node)->message, "is not a member"))
            fail_msg("seed %llu: node %u: %s", (unsigned long long)seed, node + 1,
                     cluster_failure(cluster, node)->message);
    cluster_destroy(cluster);
}

static uint64_t seed_first = 1, seed_last = SEEDS;

static void test_changes(void **state)
{
    (void)state;
    for (uint64_t seed = seed_first; seed <= seed_last; seed++)
        run(seed, seed_first == seed_last);
}

int main(int argc, char **argv)
{
    log_configure(LOG_OFF, NULL, NULL);
    if (argc > 1)
        seed_first = seed_last = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed_last = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes)};
    return cmocka_run_group_tests_name("replica_change", tests, NULL, NULL);
}
