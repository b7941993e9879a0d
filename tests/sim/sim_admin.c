/* The operator: adds nodes, promotes and removes them, hands leadership over, asks for consistency
 * checks, one request after the other, while faults come down.
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
#include "replica/replica.h"
#include "sim.h"

enum { ASKS_MAX = 2000 };

struct sim_operator {
    struct sim *sim;
    bool enabled, timer, waits;
    bool busy;     /* a request has no answer yet: it is asked again */
    bool finishes; /* the last request of a run is out: a check */
    uint32_t node; /* asked */
    uint32_t asks;
    struct replica_admin admin;
};

static void operator_timer(void *context);

static void operator_later(struct sim_operator *operator, uint64_t us)
{
    if (operator->timer)
        return;
    operator->timer = true;
    cluster_after(operator->sim->cluster, us, operator_timer, operator);
}

/* ---- who is who ----------------------------------------------------------------------------- */

bool sim_is_member(const struct sim *sim, uint32_t node)
{
    for (uint32_t i = 0; i < sim->members.count; i++)
        if (sim->members.items[i].id == node + 1)
            return true;
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
        voters += sim_is_voter(sim, i);
        bad += sim_is_member(sim, i) && ((int)i == damaged || sim->damage[i] != SIM_WHOLE);
    }
    return bad * 2 < voters && !(damaged >= 0 && sim->operator->busy);
}

static bool is_up(const struct sim *sim, uint32_t node)
{
    return cluster_replica(sim->cluster, node) && !cluster_node_failed(sim->cluster, node);
}

/* ---- asking --------------------------------------------------------------------------------- */

static const char *const type_names[] = {"?",        "add",   "remove", "promote",
                                         "transfer", "check", "list"};

static void on_answer(struct replica_admin *admin, status_t status);

static void operator_ask(struct sim_operator *operator)
{
    struct sim *sim = operator->sim;
    uint32_t first = (uint32_t)prng_below(&sim->prng, sim->nodes);
    struct replica *replica = NULL;
    for (uint32_t i = 0; i < sim->nodes && !replica; i++) {
        operator->node =(first + i) % sim->nodes;
        if (is_up(sim, operator->node) && sim_is_member(sim, operator->node))
            replica = cluster_replica(sim->cluster, operator->node);
    }
    if (!replica) {
        operator_later(operator, 50000);
        return;
    }
    struct env *env = env_sim_env(cluster_machine(sim->cluster, operator->node));
    uint64_t patience_us = prng_between(&sim->prng, 200000, 5000000);
    operator->asks++;
    operator->waits = true;
    operator->admin.done = on_answer;
    operator->admin.context = operator;
    operator->admin.deadline_us = env_monotonic_us(env) + patience_us;
    cluster_note(sim->cluster, "operator asks %u: %s %" PRIu64, operator->node + 1,
                 type_names[operator->admin.type], operator->admin.member.id);
    replica_admin_begin(replica, &operator->admin);
    cluster_wake(sim->cluster, operator->node);
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

static bool request_choose(struct sim_operator *operator)
{
    struct sim *sim = operator->sim;
    struct replica_admin *admin = &operator->admin;
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

static void joined(struct sim_operator *operator)
{
    struct sim *sim = operator->sim;
    uint32_t node = (uint32_t) operator->admin.member.id - 1;
    ASSERT(!cluster_replica(sim->cluster, node));
    struct error error;
    cluster_set_join(sim->cluster, node, &operator->admin);
    sim->spare[node] = false;
    sim->changes++;
    if (cluster_start(sim->cluster, node, &error) != OK)
        sim_fail(sim, "node %u that joins does not start: %s", node + 1, error.message);
}

static void check_look(struct sim_operator *operator)
{
    struct sim *sim = operator->sim;
    const struct replica_check *check = &operator->admin.check;
    for (uint32_t i = 0; i < check->count; i++) {
        const struct replica_check_node *node = &check->nodes[i];
        if (node->differs && sim->damage[node->id - 1] == SIM_WHOLE)
            sim_fail(sim, "the check at %" PRIu64 " says that node %" PRIu64 " differs",
                     check->index, node->id);
        if (!node->answered && operator->finishes && is_up(sim, (uint32_t)node->id - 1))
            sim_fail(sim, "node %" PRIu64 " does not answer the check at %" PRIu64, node->id,
                     check->index);
    }
    sim->checks++;
}

static bool is_final(const struct sim_operator *operator, status_t status)
{
    if (operator->finishes)
        return status == OK;
    switch (status) {
    case OK:
    case ERR_INVALID:
    case ERR_EXISTS:
    case ERR_NOT_FOUND:
        return true;
    default:
        /* What need not be done can be left undone. */
        return operator->admin.type >= REPLICA_ADMIN_PROMOTE;
    }
}

static void on_answer(struct replica_admin *admin, status_t status)
{
    struct sim_operator *operator= admin->context;
    struct sim *sim = operator->sim;
    operator->waits = false;
    cluster_note(sim->cluster, "operator told: %s %" PRIu64 ": %s%s%s", type_names[admin->type],
                 admin->member.id, status_name(status), status == OK ? "" : ": ",
                 status == OK ? "" : admin->error.message);
    if (!is_final(operator, status) && operator->asks<ASKS_MAX) {
        operator_later(operator, prng_between(&sim->prng, 1000, 100000));
        return;
    }
    if (!is_final(operator, status))
        sim_fail(sim, "the operator's request is never done: %s", admin->error.message);
    if (status == OK && admin->type == REPLICA_ADMIN_ADD)
        joined(operator);
    if (status == OK && admin->type == REPLICA_ADMIN_CHECK)
        check_look(operator);
    sim->changes += status == OK && admin->type != REPLICA_ADMIN_CHECK;
    operator->busy = false;
    operator_later(operator, prng_between(&sim->prng, 10000, 2000000));
}

/* ---- life ----------------------------------------------------------------------------------- */

static void operator_timer(void *context)
{
    struct sim_operator *operator= context;
    operator->timer = false;
    if (operator->waits)
        return;
    if (!operator->busy) {
        if (operator->sim->ending)
            return;
        if (!request_choose(operator)) {
            operator_later(operator, 20000);
            return;
        }
        operator->busy = true;
        operator->asks = 0;
    }
    operator_ask(operator);
}

void sim_operator_down(struct sim *sim, uint32_t node)
{
    struct sim_operator *operator= sim->operator;
    if (!operator->waits || operator->node != node)
        return;
    replica_admin_cancel(cluster_replica(sim->cluster, node), &operator->admin);
    operator->waits = false;
    operator_later(operator, prng_between(&sim->prng, 1000, 100000));
}

void sim_operator_start(struct sim *sim, bool enabled)
{
    sim->operator= mem_zalloc(1, sizeof *sim->operator);
    sim->operator->sim = sim;
    sim->operator->enabled = enabled;
    if (enabled)
        operator_later(sim->operator, prng_between(&sim->prng, 100000, 3000000));
}

void sim_operator_free(struct sim *sim)
{
    mem_free(sim->operator);
}

bool sim_operator_enabled(const struct sim *sim)
{
    return sim->operator->enabled;
}

bool sim_operator_idle(const struct sim *sim)
{
    return !sim->operator->busy;
}

void sim_operator_finish(struct sim *sim)
{
    struct sim_operator *operator= sim->operator;
    ASSERT(!operator->busy && sim->ending);
    if (!operator->enabled)
        return;
    operator->admin =(struct replica_admin){.type = REPLICA_ADMIN_CHECK};
    operator->finishes = operator->busy = true;
    operator->asks = 0;
    operator_ask(operator);
}
