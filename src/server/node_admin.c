/* What a node asks of its cluster for itself: to be known at its address, and, when it stops, that
 * another one leads. */

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "server/node_int.h"

enum {
    ANNOUNCE_TIMEOUT_US = 5000000,
    ANNOUNCE_RETRY_US = 2000000,
    HAND_OVER_US = 3000000, /* several elections */
};

const struct replica_member *node_member(const struct replica_members *members, uint64_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].id == id)
            return &members->items[i];
    return NULL;
}

/* ---- the address --------------------------------------------------------------------------------
 */

static void on_announced(struct replica_admin *admin, status_t status)
{
    struct node *node = admin->context;
    ASSERT(node->announcing);
    node->announcing = false;
    node->announce_us = env_monotonic_us(node->env) + ANNOUNCE_RETRY_US;
    if (status == OK)
        log_info("server", "the cluster knows this node at %s now", node->config.advertise);
    else if (status == ERR_INVALID || status == ERR_EXISTS)
        log_warn("server", "address %s is refused: %s", node->config.advertise,
                 admin->error.message);
}

/* The others reach this node where the membership says; when that is not where it is, it is
 * changed. */
static void announce_tick(struct node *node, uint64_t now_us)
{
    if (node->announcing || !*node->config.advertise || now_us < node->announce_us)
        return;
    node->announce_us = now_us + ANNOUNCE_RETRY_US;
    struct replica_members members;
    replica_members(node->replica, &members);
    const struct replica_member *own = node_member(&members, node->config.id);
    if (!own || strcmp(own->address, node->config.advertise) == 0)
        return;
    node->announcing = true;
    node->announce = (struct replica_admin){.done = on_announced,
                                            .context = node,
                                            .deadline_us = now_us + ANNOUNCE_TIMEOUT_US,
                                            .type = REPLICA_ADMIN_ADD,
                                            .member = *own};
    node->announce.member.uid = replica_uid(node->replica);
    memcpy(node->announce.member.address, node->config.advertise, sizeof node->config.advertise);
    replica_admin_begin(node->replica, &node->announce);
}

void node_admin_tick(struct node *node, uint64_t now_us)
{
    if (!node->stopping)
        announce_tick(node, now_us);
}

/* ---- leadership ---------------------------------------------------------------------------------
 */

static void on_handed_over(struct replica_admin *admin, status_t status)
{
    struct node *node = admin->context;
    ASSERT(node->handing_over);
    node->handing_over = false;
    if (status != OK)
        log_info("server", "leadership could not be handed over: %s", admin->error.message);
    node_wake(node);
}

void node_hand_over(struct node *node)
{
    struct replica_status status;
    struct replica_members members;
    replica_status(node->replica, &status);
    replica_members(node->replica, &members);
    if (node->failed || node->handing_over || status.role != RAFT_LEADER || members.count < 2)
        return;
    log_info("server", "handing leadership over");
    node->handing_over = true;
    node->handover =
        (struct replica_admin){.done = on_handed_over,
                               .context = node,
                               .deadline_us = env_monotonic_us(node->env) + HAND_OVER_US,
                               .type = REPLICA_ADMIN_TRANSFER};
    replica_admin_begin(node->replica, &node->handover);
}

bool node_hand_over_hopeless(const struct node *node)
{
    struct replica_members members;
    uint32_t voters = 0, reachable = 0;
    replica_members(node->replica, &members);
    for (uint32_t i = 0; i < members.count; i++) {
        const struct replica_member *member = &members.items[i];
        voters += member->voter;
        reachable +=
            member->voter && (member->id == node->config.id || peer_connected(node, member->id));
    }
    return reachable <= voters / 2;
}

void node_hand_over_cancel(struct node *node)
{
    if (!node->handing_over)
        return;
    replica_admin_cancel(node->replica, &node->handover);
    node->handing_over = false;
}
