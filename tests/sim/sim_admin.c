/* The cluster's keeper, its operator: adds nodes, promotes and removes them, hands leadership over,
 * asks for consistency checks, one request after the other, while faults come down.
 *
 * A machine has one id for ever; what changes is the directory on it. One whose node was removed is
 * wiped before it is added again, and so comes back as another node under the same id.
 *
 * Who is a member is read from the committed entries, as everything else the checkers know. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/msgpack.h"
#include "replica/replica.h"
#include "sim.h"

enum { ASKS_MAX = 2000 };

struct sim_keeper {
    struct sim *sim;
    bool enabled, timer, waits;
    bool busy;                          /* a request has no answer yet: it is asked again */
    bool finishes;                      /* the last request of a run is out: a check */
    bool maybe_gone[CLUSTER_NODES_MAX]; /* its removal was given up, and may still come */
    uint32_t node;                      /* asked */
    bool chosen;                        /* `node` is to be asked next, no other */
    uint32_t asks;
    uint64_t pace_us; /* longest time between two requests */
    struct replica_admin admin;
};

static void keeper_timer(void *context);

static void keeper_later(struct sim_keeper *keeper, uint64_t us)
{
    if (keeper->timer)
        return;
    keeper->timer = true;
    cluster_after(keeper->sim->cluster, us, keeper_timer, keeper);
}

/* ---- who is who ----------------------------------------------------------------------------- */

bool sim_is_member(const struct sim *sim, uint32_t node)
{
    for (uint32_t i = 0; i < sim->members.count; i++)
        if (sim->members.items[i].id == node + 1)
            return true;
    return false;
}

bool sim_lost_its_id(const struct sim *sim, uint32_t node)
{
    const struct replica *replica = cluster_replica(sim->cluster, node);
    ASSERT(replica);
    for (uint32_t i = 0; i < sim->members.count; i++) {
        const struct raft_member *member = &sim->members.items[i];
        if (member->id != node + 1)
            continue;
        /* [uid, promote, address] (docs/formats.md) */
        struct msgpack_reader context;
        msgpack_reader_init(&context, slice_make(member->context, member->context_size));
        uint64_t uid = msgpack_get_array(&context) == 3 ? msgpack_get_uint(&context) : 0;
        return uid != 0 && uid != replica_uid(replica);
    }
    return false;
}

bool sim_is_voter(const struct sim *sim, uint32_t node)
{
    for (uint32_t i = 0; i < sim->members.count; i++)
        if (sim->members.items[i].id == node + 1)
            return sim->members.items[i].voter;
    return false;
}

bool sim_within_budget(const struct sim *sim, int damaged, int removed)
{
    uint32_t voters = 0, bad = 0;
    for (uint32_t i = 0; i < sim->nodes; i++) {
        if ((int)i == removed)
            continue;
        voters += sim_is_voter(sim, i) && !sim->keeper->maybe_gone[i];
        bad += sim_is_member(sim, i) && ((int)i == damaged || sim->damage[i] != SIM_WHOLE);
    }
    return bad * 2 < voters && !(damaged >= 0 && sim->keeper->busy);
}

static bool is_up(const struct sim *sim, uint32_t node)
{
    return cluster_replica(sim->cluster, node) && !cluster_node_failed(sim->cluster, node);
}

/* ---- asking --------------------------------------------------------------------------------- */

static const char *const type_names[] = {"?",        "add",   "remove", "promote",
                                         "transfer", "check", "list"};

static void on_answer(struct replica_admin *admin, status_t status);

static void keeper_ask(struct sim_keeper *keeper)
{
    struct sim *sim = keeper->sim;
    uint32_t first = keeper->chosen ? keeper->node : (uint32_t)prng_below(&sim->prng, sim->nodes);
    struct replica *replica = NULL;
    keeper->chosen = false;
    for (uint32_t i = 0; i < sim->nodes && !replica; i++) {
        keeper->node = (first + i) % sim->nodes;
        if (is_up(sim, keeper->node) && sim_is_member(sim, keeper->node))
            replica = cluster_replica(sim->cluster, keeper->node);
    }
    if (!replica) {
        keeper_later(keeper, 50000);
        return;
    }
    struct env *env = env_sim_env(cluster_machine(sim->cluster, keeper->node));
    uint64_t patience_us = prng_between(&sim->prng, 200000, 5000000);
    keeper->asks++;
    keeper->waits = true;
    keeper->admin.done = on_answer;
    keeper->admin.context = keeper;
    keeper->admin.deadline_us = env_monotonic_us(env) + patience_us;
    cluster_note(sim->cluster, "operator asks %u: %s %" PRIu64, keeper->node + 1,
                 type_names[keeper->admin.type], keeper->admin.member.id);
    replica_admin_begin(replica, &keeper->admin);
    cluster_wake(sim->cluster, keeper->node);
}

/* The directory of a node to be added; false when there is none now. */
static bool directory_make(struct sim *sim, uint32_t node, struct replica_member *member)
{
    if (cluster_replica(sim->cluster, node))
        return false;
    struct replica_identity identity;
    struct error error;
    cluster_wipe(sim->cluster, node);
    struct env *env = env_sim_env(cluster_machine(sim->cluster, node));
    status_t status = replica_identity(env, cluster_node_dir, node + 1, &identity, &error);
    if (status != OK) {
        sim_fail(sim, "directory of node %u: %s", node + 1, error.message);
        return false;
    }
    sim->spare[node] = true; /* until the answer says what it joins */
    sim->damage[node] = SIM_WHOLE;
    sim->injected[node] = false;
    member->uid = identity.uid;
    return true;
}

/* ---- what to ask for ------------------------------------------------------------------------ */

static bool add_choose(struct sim *sim, struct replica_admin *admin, uint32_t node)
{
    if (sim_is_member(sim, node) || !directory_make(sim, node, &admin->member))
        return false;
    admin->type = REPLICA_ADMIN_ADD;
    admin->member.promote = prng_chance(&sim->prng, 2, 3);
    snprintf(admin->member.address, sizeof admin->member.address, "node-%u:9601", node + 1);
    return true;
}

static bool remove_choose(struct sim *sim, struct replica_admin *admin, uint32_t node)
{
    int leader = cluster_leader(sim->cluster);
    if (leader >= 0 && prng_chance(&sim->prng, 1, 4))
        node = (uint32_t)leader;
    for (uint32_t i = 0; i < sim->nodes; i++) /* rather one that is broken for good */
        if (sim_is_member(sim, i) && sim->damage[i] == SIM_LOST && prng_chance(&sim->prng, 2, 3))
            node = i;
    if (!sim_is_member(sim, node) || !sim_within_budget(sim, -1, (int)node))
        return false;
    admin->type = REPLICA_ADMIN_REMOVE;
    admin->member.id = node + 1;
    return true;
}

static bool request_choose(struct sim_keeper *keeper)
{
    struct sim *sim = keeper->sim;
    struct replica_admin *admin = &keeper->admin;
    uint32_t node = (uint32_t)prng_below(&sim->prng, sim->nodes);
    *admin = (struct replica_admin){.member.id = node + 1};
    switch (prng_below(&sim->prng, 8)) {
    case 0:
    case 1:
    case 2:
        return add_choose(sim, admin, node);
    case 3:
    case 4:
        return remove_choose(sim, admin, node);
    case 5:
        admin->type = REPLICA_ADMIN_PROMOTE;
        return sim_is_member(sim, node) && sim->damage[node] == SIM_WHOLE;
    case 6:
        admin->type = REPLICA_ADMIN_TRANSFER;
        if (prng_chance(&sim->prng, 1, 2))
            admin->member.id = 0;
        return admin->member.id == 0 || sim_is_voter(sim, node);
    default:
        admin->type = REPLICA_ADMIN_CHECK;
        admin->member.id = 0;
        return true;
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

static void joined(struct sim_keeper *keeper)
{
    struct sim *sim = keeper->sim;
    uint32_t node = (uint32_t)keeper->admin.member.id - 1;
    ASSERT(!cluster_replica(sim->cluster, node));
    struct error error;
    cluster_set_join(sim->cluster, node, &keeper->admin);
    sim->spare[node] = false;
    keeper->maybe_gone[node] = false;
    sim->changes++;
    if (cluster_start(sim->cluster, node, &error) != OK)
        sim_fail(sim, "node %u that joins does not start: %s", node + 1, error.message);
}

/* True when all that are up have answered. One that got a snapshot from behind the check has
 * nothing to answer. */
static bool check_look(struct sim_keeper *keeper)
{
    struct sim *sim = keeper->sim;
    const struct replica_check *check = &keeper->admin.check;
    bool all = true;
    for (uint32_t i = 0; i < check->count; i++) {
        const struct replica_check_node *node = &check->nodes[i];
        if (node->differs && sim->damage[node->id - 1] == SIM_WHOLE)
            sim_fail(sim, "the check at %" PRIu64 " says that node %" PRIu64 " differs",
                     check->index, node->id);
        all = all && (node->answered || !is_up(sim, (uint32_t)node->id - 1));
    }
    sim->checks++;
    return all;
}

/* It may still come to be. */
static void give_up(struct sim_keeper *keeper)
{
    cluster_note(keeper->sim->cluster, "operator gives up");
    if (keeper->admin.type == REPLICA_ADMIN_REMOVE)
        keeper->maybe_gone[keeper->admin.member.id - 1] = true;
    keeper->busy = false;
}

static bool is_final(const struct sim_keeper *keeper, status_t status)
{
    if (keeper->finishes)
        return status == OK;
    switch (status) {
    case OK:
    case ERR_INVALID:
    case ERR_EXISTS:
    case ERR_NOT_FOUND:
        return true;
    default:
        /* What need not be done can be left undone. */
        return keeper->admin.type >= REPLICA_ADMIN_PROMOTE;
    }
}

static void on_answer(struct replica_admin *admin, status_t status)
{
    struct sim_keeper *keeper = admin->context;
    struct sim *sim = keeper->sim;
    keeper->waits = false;
    cluster_note(sim->cluster, "operator told: %s %" PRIu64 ": %s%s%s", type_names[admin->type],
                 admin->member.id, status_name(status), status == OK ? "" : ": ",
                 status == OK ? "" : admin->error.message);
    bool checked = status != OK || admin->type != REPLICA_ADMIN_CHECK || check_look(keeper);
    bool again = !is_final(keeper, status) || (keeper->finishes && !checked);
    bool given_up = again && !sim->ending && prng_chance(&sim->prng, 1, 3);
    if (given_up) {
        give_up(keeper);
    } else if (again && keeper->asks < ASKS_MAX) {
        keeper_later(keeper, prng_between(&sim->prng, 1000, 100000));
        return;
    }
    if (again && !given_up)
        sim_fail(sim, "the operator's request is never done: %s", admin->error.message);
    if (status == OK && admin->type == REPLICA_ADMIN_ADD)
        joined(keeper);
    sim->changes += status == OK && admin->type != REPLICA_ADMIN_CHECK;
    keeper->busy = false;
    keeper_later(keeper, prng_between(&sim->prng, 1000, given_up ? 50000 : keeper->pace_us));
}

/* ---- life ----------------------------------------------------------------------------------- */

static void keeper_timer(void *context)
{
    struct sim_keeper *keeper = context;
    keeper->timer = false;
    if (keeper->waits)
        return;
    if (!keeper->busy) {
        if (keeper->sim->ending)
            return;
        if (!request_choose(keeper)) {
            keeper_later(keeper, 20000);
            return;
        }
        keeper->busy = true;
        keeper->asks = 0;
    }
    keeper_ask(keeper);
}

bool sim_keeper_remove(struct sim *sim, uint32_t at, uint32_t node)
{
    struct sim_keeper *keeper = sim->keeper;
    ASSERT(keeper->enabled && !sim->ending);
    if (!sim_is_member(sim, node) || !sim_within_budget(sim, -1, (int)node))
        return false;
    if (keeper->waits)
        replica_admin_cancel(cluster_replica(sim->cluster, keeper->node), &keeper->admin);
    keeper->waits = false;
    if (keeper->busy)
        give_up(keeper);
    keeper->admin =
        (struct replica_admin){.type = REPLICA_ADMIN_REMOVE, .member.id = (uint64_t)node + 1};
    keeper->busy = keeper->chosen = true;
    keeper->asks = 0;
    keeper->node = at;
    cluster_after(sim->cluster, 0, keeper_timer, keeper);
    return true;
}

void sim_keeper_down(struct sim *sim, uint32_t node)
{
    struct sim_keeper *keeper = sim->keeper;
    if (!keeper->waits || keeper->node != node)
        return;
    replica_admin_cancel(cluster_replica(sim->cluster, node), &keeper->admin);
    keeper->waits = false;
    keeper_later(keeper, prng_between(&sim->prng, 1000, 100000));
}

void sim_keeper_start(struct sim *sim, bool enabled)
{
    sim->keeper = mem_zalloc(1, sizeof *sim->keeper);
    sim->keeper->sim = sim;
    sim->keeper->enabled = enabled;
    static const uint64_t paces_us[] = {50000, 300000, 2000000};
    sim->keeper->pace_us = paces_us[prng_below(&sim->prng, 3)];
    if (enabled)
        keeper_later(sim->keeper, prng_between(&sim->prng, 100000, 3000000));
}

void sim_keeper_free(struct sim *sim)
{
    mem_free(sim->keeper);
}

bool sim_keeper_enabled(const struct sim *sim)
{
    return sim->keeper->enabled;
}

bool sim_keeper_idle(const struct sim *sim)
{
    return !sim->keeper->busy;
}

void sim_keeper_finish(struct sim *sim)
{
    struct sim_keeper *keeper = sim->keeper;
    ASSERT(!keeper->busy && sim->ending);
    if (!keeper->enabled)
        return;
    keeper->admin = (struct replica_admin){.type = REPLICA_ADMIN_CHECK};
    keeper->finishes = keeper->busy = true;
    keeper->asks = 0;
    keeper_ask(keeper);
}
