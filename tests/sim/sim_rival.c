/* Two leaders that change the members, one after the other, each without the other's knowing.
 *
 * Changes of one member at a time are safe because any majority of the members before and any of
 * those after have a node in common. Two changes that begin at the same members need not: from
 * {1,2,3,4}, {1,2,3} and {1,2,4} have majorities {1,3} and {2,4}. Ongaro's announcement of 2015
 * ("bug in single-server membership changes", raft-dev) tells how a leader's change that nobody
 * heard of lives on beside its successor's, unless that one first commits an entry of its own term.
 *
 * Faults by lot come across this once in thousands of runs, so some runs are led there:
 *
 *     REST   a leader of four voters is asked to remove one
 *     ASKED  as soon as that is in its log, the leader is cut off
 *     ALONE  as soon as another one leads, a third node is cut off from that one and joined to the
 *            first leader, and the second is asked to remove one of these two
 *     SIDES  for some seconds */
#include <inttypes.h>

#include "base/check.h"
#include "replica/replica_int.h"
#include "sim.h"

enum { VOTERS = 4, SECOND_US = 1000000 };

void sim_rival_start(struct sim *sim, bool enabled)
{
    sim->rival = (struct sim_rival){.enabled = enabled};
}

static void phase_begin(struct sim *sim, enum sim_rival_phase phase, uint64_t us)
{
    sim->rival.phase = phase;
    sim->rival.until_us = cluster_now_us(sim->cluster) + us;
}

/* A voter by lot that is none of `others` (bits); -1: there is none. */
static int voter_by_lot(struct sim *sim, uint32_t others)
{
    uint32_t first = (uint32_t)prng_below(&sim->prng, sim->nodes);
    for (uint32_t i = 0; i < sim->nodes; i++) {
        uint32_t node = (first + i) % sim->nodes;
        if (!(others >> node & 1) && sim_is_voter(sim, node))
            return (int)node;
    }
    return -1;
}

static bool four_vote_and_run(const struct sim *sim)
{
    uint32_t voters = 0;
    for (uint32_t node = 0; node < sim->nodes; node++) {
        if (!sim_is_voter(sim, node))
            continue;
        voters++;
        if (!cluster_replica(sim->cluster, node) || cluster_node_failed(sim->cluster, node))
            return false;
    }
    return voters == VOTERS && sim->members.count == VOTERS;
}

/* What is cut between two groups: `a` and `b` (-1: nobody) on one side. */
static void sides_cut(struct sim *sim, int a, int b)
{
    for (int from = 0; from < (int)sim->nodes; from++)
        for (int to = 0; to < (int)sim->nodes; to++)
            if (from != to)
                cluster_cut(sim->cluster, (uint32_t)from, (uint32_t)to,
                            (from == a || from == b) != (to == a || to == b));
}

static void rest(struct sim *sim, uint32_t leader, const struct replica *replica)
{
    if (!replica__members_settled(replica) || !four_vote_and_run(sim))
        return;
    int removed = voter_by_lot(sim, 1u << leader);
    if (removed < 0 || !sim_keeper_remove(sim, leader, (uint32_t)removed))
        return;
    sim->rival.first = leader;
    sim->rival.removed = (uint32_t)removed;
    cluster_heal(sim->cluster);
    phase_begin(sim, SIM_RIVAL_ASKED, SECOND_US);
}

static void asked(struct sim *sim, uint32_t leader, const struct replica *replica)
{
    const struct sim_rival *rival = &sim->rival;
    if (leader != rival->first || replica__members_settled(replica) ||
        replica__member_find(&replica->members, rival->removed + 1))
        return;
    cluster_note(sim->cluster, "rivals: leader %u that removes %u is cut off", leader + 1,
                 rival->removed + 1);
    sides_cut(sim, (int)leader, -1);
    phase_begin(sim, SIM_RIVAL_ALONE, 3 * SECOND_US);
}

static void alone(struct sim *sim, uint32_t leader)
{
    const struct sim_rival *rival = &sim->rival;
    if (leader == rival->first)
        return;
    int third = voter_by_lot(sim, 1u << rival->first | 1u << leader | 1u << rival->removed);
    if (third < 0)
        return;
    uint32_t goes = prng_chance(&sim->prng, 1, 2) ? (uint32_t)third : rival->first;
    cluster_note(sim->cluster, "rivals: %u leads; %u and %d are cut off", leader + 1,
                 rival->first + 1, third + 1);
    sides_cut(sim, (int)rival->first, third);
    (void)sim_keeper_remove(sim, leader, goes);
    phase_begin(sim, SIM_RIVAL_SIDES, 3 * SECOND_US);
}

void sim_rival_stepped(struct sim *sim, uint32_t node)
{
    struct sim_rival *rival = &sim->rival;
    const struct replica *replica = cluster_replica(sim->cluster, node);
    if (!rival->enabled || sim->ending || !replica)
        return;
    ASSERT(rival->phase <= SIM_RIVAL_SIDES);
    if (rival->phase != SIM_RIVAL_REST && cluster_now_us(sim->cluster) >= rival->until_us) {
        cluster_heal(sim->cluster);
        phase_begin(sim, SIM_RIVAL_REST, 0);
    }
    if (replica->role != RAFT_LEADER || (int)node != cluster_leader(sim->cluster))
        return;
    if (rival->phase == SIM_RIVAL_REST)
        rest(sim, node, replica);
    else if (rival->phase == SIM_RIVAL_ASKED)
        asked(sim, node, replica);
    else if (rival->phase == SIM_RIVAL_ALONE)
        alone(sim, node);
}
