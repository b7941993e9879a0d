/* Faults: one after another, at random times, of random kinds.
 *
 * Each run has a taste of its own: it leaves out some kinds and likes others more (Groce et al.,
 * "Swarm Testing", 2012: runs that each lack something reach states that no run with everything
 * does). */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "sim.h"

static bool runs(struct sim *sim, uint32_t node)
{
    return cluster_replica(sim->cluster, node) != NULL;
}

static bool runs_well(struct sim *sim, uint32_t node)
{
    return runs(sim, node) && !cluster_node_failed(sim->cluster, node);
}

static enum env_sim_survival survival_any(struct sim *sim)
{
    uint64_t lot = prng_below(&sim->prng, 6);
    return lot < 2   ? ENV_SIM_SURVIVE_NOTHING
           : lot < 5 ? ENV_SIM_SURVIVE_RANDOM
                     : ENV_SIM_SURVIVE_ALL;
}

/* ---- starting ------------------------------------------------------------------------------- */

/* A failure while it recovers: it may refuse to start, then the power goes once more. */
static bool start_with_failure(struct sim *sim, uint32_t node, struct error *error)
{
    struct env_sim *machine = cluster_machine(sim->cluster, node);
    enum env_sim_call call = (enum env_sim_call)prng_below(&sim->prng, ENV_SIM_CALL_COUNT);
    env_sim_fail_after(machine, call, prng_below(&sim->prng, 20));
    status_t status = cluster_start(sim->cluster, node, error);
    env_sim_fail_none(machine);
    if (status == OK)
        return true;
    env_sim_set_survival(machine, survival_any(sim));
    env_sim_crash(machine);
    return false;
}

/* The node says that it cannot go on. True when it may. */
static bool stays_away(struct sim *sim, uint32_t node, const struct error *error)
{
    if (sim_disk_met_damage(sim, node, error))
        return true;
    if (sim_is_member(sim, node)) {
        if (!sim_lost_its_id(sim, node))
            return false;
        cluster_note(sim->cluster, "node %u was replaced: %s", node + 1, error->message);
        sim->damage[node] = SIM_LOST;
        return true;
    }
    cluster_note(sim->cluster, "node %u was removed: %s", node + 1, error->message);
    sim->spare[node] = true;
    return true;
}

static void node_start(struct sim *sim, uint32_t node)
{
    struct error error;
    struct env_sim *machine = cluster_machine(sim->cluster, node);
    if (sim->damage[node] == SIM_LOST || sim->spare[node])
        return;
    env_sim_fail_none(machine);
    env_sim_set_capacity(machine, 0);
    sim->injected[node] = false;
    if (!sim->ending && prng_chance(&sim->prng, 1, 8) && start_with_failure(sim, node, &error))
        return;
    if (cluster_start(sim->cluster, node, &error) != OK && !stays_away(sim, node, &error))
        sim_fail(sim, "node %u does not start: %s", node + 1, error.message);
}

static void nodes_start(struct sim *sim, uint32_t unused)
{
    (void)unused;
    for (uint32_t i = 0; i < sim->nodes; i++)
        if (!runs(sim, i) && prng_chance(&sim->prng, 2, 3))
            node_start(sim, i);
}

/* ---- the kinds ------------------------------------------------------------------------------ */

static void crash(struct sim *sim, uint32_t node)
{
    if (runs(sim, node))
        cluster_crash(sim->cluster, node, survival_any(sim));
}

static void leader_crash(struct sim *sim, uint32_t unused)
{
    (void)unused;
    int leader = cluster_leader(sim->cluster);
    if (leader >= 0)
        crash(sim, (uint32_t)leader);
}

static void all_crash(struct sim *sim, uint32_t unused)
{
    (void)unused;
    for (uint32_t node = 0; node < sim->nodes; node++)
        crash(sim, node);
}

static void stop(struct sim *sim, uint32_t node)
{
    if (runs_well(sim, node))
        cluster_stop(sim->cluster, node);
}

/* Down and up again, as an upgrade does it. */
static void restart(struct sim *sim, uint32_t node)
{
    if (!runs_well(sim, node))
        return;
    cluster_stop(sim->cluster, node);
    node_start(sim, node);
}

static void pause(struct sim *sim, uint32_t node)
{
    int leader = cluster_leader(sim->cluster);
    if (leader >= 0 && prng_chance(&sim->prng, 1, 3))
        node = (uint32_t)leader;
    if (runs_well(sim, node))
        cluster_pause(sim->cluster, node, prng_between(&sim->prng, 50000, 3000000));
}

static void partition(struct sim *sim, uint32_t unused)
{
    (void)unused;
    sim_network_partition(sim);
}

static void mend(struct sim *sim, uint32_t unused)
{
    (void)unused;
    sim_network_mend(sim);
}

static void heal(struct sim *sim, uint32_t unused)
{
    (void)unused;
    cluster_note(sim->cluster, "heal");
    cluster_heal(sim->cluster);
}

static void clock_move(struct sim *sim, uint32_t node)
{
    bool far = prng_chance(&sim->prng, 1, 8);
    uint64_t span = far ? 1500000000 : 2000000;
    int64_t skew = (int64_t)prng_below(&sim->prng, 2 * span) - (int64_t)span;
    cluster_note(sim->cluster, "clock %u %" PRId64, node + 1, skew);
    cluster_set_skew_us(sim->cluster, node, skew);
    sim->clocks_jumped = sim->clocks_jumped || far;
}

static void disk_trouble(struct sim *sim, uint32_t node)
{
    if (runs(sim, node))
        sim_disk_trouble(sim, node);
}

/* On a node that is down, or goes down for it. */
static void flip(struct sim *sim, uint32_t node)
{
    if (sim->flips >= sim->nodes)
        return;
    crash(sim, node);
    sim_disk_flip(sim, node);
}

static const struct fault {
    const char *name;
    void (*strike)(struct sim *sim, uint32_t node);
    uint32_t weight;
    bool always; /* no run goes without it */
} faults[] = {
    {"start", nodes_start, 22, true},
    {"heal", heal, 14, true},
    {"crash", crash, 16, false},
    {"leader crash", leader_crash, 10, false},
    {"all crash", all_crash, 2, false},
    {"stop", stop, 4, false},
    {"restart", restart, 4, false},
    {"pause", pause, 8, false},
    {"partition", partition, 18, false},
    {"mend", mend, 6, false},
    {"clock", clock_move, 4, false},
    {"disk", disk_trouble, 10, false},
    {"slow disk", sim_disk_slow, 6, false},
    {"flip", flip, 2, false},
};

enum { FAULTS = sizeof faults / sizeof faults[0] };
_Static_assert(sizeof faults / sizeof faults[0] <= (size_t)SIM_FAULTS_MAX, "each has a weight");

/* ---- when ----------------------------------------------------------------------------------- */

static bool quorum_lost(struct sim *sim)
{
    uint32_t running = 0, voters = 0;
    for (uint32_t node = 0; node < sim->nodes; node++) {
        voters += sim_is_voter(sim, node);
        running += sim_is_voter(sim, node) && runs(sim, node);
    }
    return running <= voters / 2;
}

/* Often so many nodes are down that the others cannot go on, but not for long. */
static void fault_any(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    uint32_t node = (uint32_t)prng_below(prng, sim->nodes);
    if (prng_chance(prng, 1, 5))
        heal(sim, 0);
    if (quorum_lost(sim) && prng_chance(prng, 2, 3)) {
        nodes_start(sim, 0);
        return;
    }
    uint32_t sum = 0, i = 0;
    for (uint32_t f = 0; f < FAULTS; f++)
        sum += sim->fault_weights[f];
    for (uint64_t lot = prng_below(prng, sum); lot >= sim->fault_weights[i]; i++)
        lot -= sim->fault_weights[i];
    ASSERT(i < FAULTS);
    faults[i].strike(sim, node);
}

void sim_faults_tend(struct sim *sim)
{
    for (uint32_t node = 0; node < sim->nodes; node++) {
        if (!runs(sim, node))
            continue;
        if (cluster_node_failed(sim->cluster, node)) {
            const struct error *error = cluster_failure(sim->cluster, node);
            /* A node that stopped itself must have had a reason. */
            if (!stays_away(sim, node, error) && !sim->injected[node])
                sim_fail(sim, "node %u stopped without a fault of its disk: %s", node + 1,
                         error->message);
        }
        if (cluster_node_failed(sim->cluster, node) || sim->damage[node] == SIM_LOST)
            cluster_crash(sim->cluster, node, survival_any(sim));
    }
}

static void fault_timer(void *context)
{
    struct sim *sim = context;
    if (sim->ending)
        return;
    sim->faults++;
    fault_any(sim);
    bool calm = prng_chance(&sim->prng, 1, 10);
    cluster_after(sim->cluster, prng_between(&sim->prng, 10000, calm ? 4000000 : sim->fault_gap_us),
                  fault_timer, sim);
}

void sim_faults_start(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    struct buffer likes = {0};
    for (uint32_t f = 0; f < FAULTS; f++) {
        uint64_t lot = prng_below(prng, 4);
        uint32_t times = lot == 0 && !faults[f].always ? 0 : lot == 3 ? 4 : 1;
        sim->fault_weights[f] = times * faults[f].weight;
        if (times != 1)
            buffer_printf(&likes, " %s*%u", faults[f].name, times);
    }
    buffer_append_byte(&likes, '\0');
    cluster_note(sim->cluster, "faults:%s", (const char *)likes.data);
    buffer_free(&likes);
    cluster_after(sim->cluster, prng_between(prng, 10000, 1000000), fault_timer, sim);
}

void sim_faults_end(struct sim *sim)
{
    cluster_note(sim->cluster, "faults end");
    sim->ending = true;
    cluster_calm(sim->cluster);
    sim_faults_tend(sim);
    for (uint32_t node = 0; node < sim->nodes; node++) {
        struct env_sim *machine = cluster_machine(sim->cluster, node);
        env_sim_fail_none(machine);
        env_sim_set_capacity(machine, 0);
        if (!runs(sim, node))
            node_start(sim, node);
    }
}
