/* Faults: one after another, at random times, of random kinds. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "sim.h"

static bool runs(struct sim *sim, uint32_t node)
{
    return cluster_replica(sim->cluster, node) != NULL;
}

static enum env_sim_survival survival_any(struct sim *sim)
{
    uint64_t lot = prng_below(&sim->prng, 6);
    return lot < 2   ? ENV_SIM_SURVIVE_NOTHING
           : lot < 5 ? ENV_SIM_SURVIVE_RANDOM
                     : ENV_SIM_SURVIVE_ALL;
}

static void node_start(struct sim *sim, uint32_t node)
{
    struct error error;
    struct env_sim *machine = cluster_machine(sim->cluster, node);
    env_sim_fail_none(machine);
    env_sim_set_capacity(machine, 0);
    sim->injected[node] = false;
    if (!sim->ending && prng_chance(&sim->prng, 1, 8)) {
        /* A failure while it recovers: it may refuse to start, then the power goes once more. */
        enum env_sim_call call = (enum env_sim_call)prng_below(&sim->prng, ENV_SIM_CALL_COUNT);
        env_sim_fail_after(machine, call, prng_below(&sim->prng, 20));
        status_t status = cluster_start(sim->cluster, node, &error);
        env_sim_fail_none(machine);
        if (status == OK)
            return;
        env_sim_set_survival(machine, survival_any(sim));
        env_sim_crash(machine);
    }
    if (cluster_start(sim->cluster, node, &error) != OK)
        sim_fail(sim, "node %u does not start: %s", node + 1, error.message);
}

static void partition(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    uint64_t sides = prng_next(prng);
    bool one_way = prng_chance(prng, 1, 3);
    cluster_trace(sim->cluster, "cut %s sides=%02x", one_way ? "one way" : "both ways",
                  (unsigned)(sides & ((1u << sim->nodes) - 1)));
    for (uint32_t from = 0; from < sim->nodes; from++)
        for (uint32_t to = 0; to < sim->nodes; to++)
            if ((sides >> from & 1) != (sides >> to & 1) && (!one_way || (sides >> from & 1)))
                cluster_cut(sim->cluster, from, to, true);
}

static void leader_cut(struct sim *sim)
{
    int leader = cluster_leader(sim->cluster);
    if (leader < 0)
        return;
    uint64_t lot = prng_below(&sim->prng, 3); /* in, out, both */
    cluster_trace(sim->cluster, "cut leader %d %s", leader + 1,
                  lot == 0   ? "in"
                  : lot == 1 ? "out"
                             : "in and out");
    for (uint32_t other = 0; other < sim->nodes; other++) {
        if (other == (uint32_t)leader)
            continue;
        if (lot != 1)
            cluster_cut(sim->cluster, other, (uint32_t)leader, true);
        if (lot != 0)
            cluster_cut(sim->cluster, (uint32_t)leader, other, true);
    }
}

static void clock_move(struct sim *sim, uint32_t node)
{
    bool far = prng_chance(&sim->prng, 1, 8);
    uint64_t span = far ? 1500000000 : 2000000;
    int64_t skew = (int64_t)prng_below(&sim->prng, 2 * span) - (int64_t)span;
    cluster_trace(sim->cluster, "clock %u %" PRId64, node + 1, skew);
    cluster_set_skew_us(sim->cluster, node, skew);
    sim->clocks_jumped = sim->clocks_jumped || far;
}

static void disk_trouble(struct sim *sim, uint32_t node)
{
    struct env_sim *machine = cluster_machine(sim->cluster, node);
    static const enum env_sim_call calls[] = {ENV_SIM_WRITE, ENV_SIM_SYNC, ENV_SIM_PREALLOCATE};
    uint64_t lot = prng_below(&sim->prng, 5);
    if (lot < 3) {
        cluster_trace(sim->cluster, "disk %u fails, call %u", node + 1, (unsigned)calls[lot]);
        env_sim_fail_after(machine, calls[lot], prng_below(&sim->prng, 10));
        sim->injected[node] = true;
    } else if (lot == 3) {
        cluster_trace(sim->cluster, "disk %u is full", node + 1);
        env_sim_set_capacity(machine, env_sim_disk_used(machine) + prng_below(&sim->prng, 200000));
    } else {
        cluster_trace(sim->cluster, "disk %u has room", node + 1);
        env_sim_set_capacity(machine, 0);
    }
}

static void all_crash(struct sim *sim)
{
    for (uint32_t node = 0; node < sim->nodes; node++) {
        if (!runs(sim, node))
            continue;
        cluster_crash(sim->cluster, node, survival_any(sim));
    }
}

static bool quorum_lost(struct sim *sim)
{
    uint32_t running = 0;
    for (uint32_t node = 0; node < sim->nodes; node++)
        running += runs(sim, node);
    return running <= sim->nodes / 2;
}

/* Often so many nodes are down that the others cannot go on, but not for long. */
static void fault_any(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    uint32_t node = (uint32_t)prng_below(prng, sim->nodes);
    int leader = cluster_leader(sim->cluster);
    uint64_t lot = prng_below(prng, 100);
    if (prng_chance(prng, 1, 5)) {
        cluster_trace(sim->cluster, "heal");
        cluster_heal(sim->cluster);
    }
    if (lot < 22 || (quorum_lost(sim) && prng_chance(prng, 2, 3))) {
        for (uint32_t i = 0; i < sim->nodes; i++)
            if (!runs(sim, i) && prng_chance(prng, 2, 3))
                node_start(sim, i);
    } else if (lot < 38 && runs(sim, node)) {
        cluster_crash(sim->cluster, node, survival_any(sim));
    } else if (lot < 48 && leader >= 0) {
        cluster_crash(sim->cluster, (uint32_t)leader, survival_any(sim));
    } else if (lot < 52 && runs(sim, node) && !cluster_node_failed(sim->cluster, node)) {
        cluster_stop(sim->cluster, node);
    } else if (lot < 54) {
        all_crash(sim);
    } else if (lot < 64) {
        partition(sim);
    } else if (lot < 72) {
        leader_cut(sim);
    } else if (lot < 86) {
        cluster_trace(sim->cluster, "heal");
        cluster_heal(sim->cluster);
    } else if (lot < 90) {
        clock_move(sim, node);
    } else if (runs(sim, node)) {
        disk_trouble(sim, node);
    }
}

static void fault_timer(void *context)
{
    struct sim *sim = context;
    if (sim->ending)
        return;
    /* A node that stopped itself must have had a reason. */
    for (uint32_t node = 0; node < sim->nodes; node++) {
        if (!cluster_node_failed(sim->cluster, node))
            continue;
        if (!sim->injected[node])
            sim_fail(sim, "node %u stopped without a fault of its disk", node + 1);
        cluster_crash(sim->cluster, node, survival_any(sim));
    }
    sim->faults++;
    fault_any(sim);
    bool calm = prng_chance(&sim->prng, 1, 10);
    cluster_after(sim->cluster, prng_between(&sim->prng, 10000, calm ? 4000000 : sim->fault_gap_us),
                  fault_timer, sim);
}

void sim_faults_start(struct sim *sim)
{
    cluster_after(sim->cluster, prng_between(&sim->prng, 10000, 1000000), fault_timer, sim);
}

void sim_faults_end(struct sim *sim)
{
    cluster_trace(sim->cluster, "faults end");
    sim->ending = true;
    cluster_calm(sim->cluster);
    for (uint32_t node = 0; node < sim->nodes; node++) {
        if (cluster_node_failed(sim->cluster, node)) {
            if (!sim->injected[node])
                sim_fail(sim, "node %u stopped without a fault of its disk", node + 1);
            cluster_crash(sim->cluster, node, survival_any(sim));
        }
        struct env_sim *machine = cluster_machine(sim->cluster, node);
        env_sim_fail_none(machine);
        env_sim_set_capacity(machine, 0);
        if (!runs(sim, node))
            node_start(sim, node);
    }
}
