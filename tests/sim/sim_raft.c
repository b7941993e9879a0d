/* Raft's promises, held against what the nodes' logs and messages show, after each step.
 *
 *     Election Safety       at most one leader can be elected in a given term
 *     Log Matching          if two logs contain an entry with the same index and term, then the
 *                           logs are identical in all entries up through the given index
 *     Leader Completeness   if a log entry is committed in a given term, then that entry will be
 *                           present in the logs of the leaders for all higher-numbered terms
 *     State Machine Safety  if a server has applied a log entry at a given index to its state
 *                           machine, no other server will ever apply a different log entry for the
 *                           same index
 *                                                     (Raft, Figure 3; the words are the paper's)
 *     One vote a term       a node votes for one candidate a term, whatever became of it meanwhile
 *     Durable promises      who accepts entries has them on disk
 *     Nothing goes back     term, commit and applied index within one life
 *
 * An entry's chain is a hash of it and of all entries before it: two logs are identical up to an
 * index when their chains there are equal. So one number for each (index, term) ever seen in any
 * log is enough for Log Matching, and one for each committed index for the other two.
 *
 * State Machine Safety is checked for what is committed, which is more than what is applied, and
 * over restarts of any number of nodes: after a crash of all no other entry may be there. */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/map.h"
#include "base/mem.h"
#include "raft/raft_int.h"
#include "replica/replica_int.h"
#include "sim.h"

enum { READ_BYTES = 1 << 20 };

struct committed {
    uint64_t term;
    uint64_t chain;
    uint64_t known_term; /* of the node that was the first to know */
};

/* What one log had at an index. */
struct variant {
    uint64_t term, chain;
};
struct variants {
    struct variant *items;
    uint32_t count, capacity;
};

struct node_seen {
    uint64_t checked; /* committed entries compared in this life */
    uint64_t term, commit, applied;
    uint64_t last_index, last_term;
    enum raft_role role;
};

struct sim_raft {
    uint64_t *leaders; /* of each term */
    uint32_t leader_count, leader_capacity;
    struct map votes;            /* term, voter -> the candidate */
    struct committed *committed; /* index 1 is at 0 */
    uint32_t committed_count, committed_capacity;
    struct variants *logs; /* index 1 is at 0 */
    uint32_t log_count, log_capacity;
    struct node_seen nodes[CLUSTER_NODES_MAX];
};

void sim_raft_start(struct sim *sim)
{
    sim->raft = mem_zalloc(1, sizeof *sim->raft);
}

void sim_raft_free(struct sim *sim)
{
    struct sim_raft *seen = sim->raft;
    for (uint32_t i = 0; i < seen->log_count; i++)
        mem_free(seen->logs[i].items);
    mem_free(seen->leaders);
    mem_free(seen->committed);
    mem_free(seen->logs);
    map_free(&seen->votes);
    mem_free(seen);
}

uint64_t sim_raft_committed(const struct sim *sim)
{
    return sim->raft->committed_count;
}

void sim_raft_down(struct sim *sim, uint32_t node)
{
    /* A term adopted but never promised may be forgotten; the log is read again as a whole. */
    sim->raft->nodes[node] = (struct node_seen){0};
}

/* ---- votes and promises --------------------------------------------------------------------- */

/* A voter is a directory: another one under the same id has promised nothing. */
static void vote_check(struct sim *sim, uint64_t term, uint64_t uid, uint64_t voter,
                       uint64_t candidate)
{
    uint8_t key[24];
    put_u64_le(key, term);
    put_u64_le(key + 8, voter);
    put_u64_le(key + 16, uid);
    struct slice name = slice_make(key, sizeof key);
    void *given = (void *)(uintptr_t)candidate;
    void *before = map_get(&sim->raft->votes, name);
    if (!before)
        (void)map_put(&sim->raft->votes, name, given);
    else if (before != given)
        sim_fail(sim,
                 "one vote a term: node %" PRIu64 " voted for %" PRIu64 " and %" PRIu64
                 " in term %" PRIu64,
                 voter, (uint64_t)(uintptr_t)before, candidate, term);
}

static void promise_check(struct sim *sim, uint32_t node, const struct raft_message *m)
{
    struct replica *replica = cluster_replica(sim->cluster, node);
    struct raft_status status;
    raft_status(replica->raft, &status);
    /* Below the first index a snapshot holds it; of an earlier term it binds nobody any more. */
    if (m->term != status.term || m->log_index < wal_first_index(replica->wal))
        return;
    if (m->log_index > wal_durable_index(replica->wal))
        sim_fail(sim,
                 "durable promises: node %" PRIu64 " accepts entries to %" PRIu64
                 ", its log is durable to %" PRIu64,
                 m->from, m->log_index, wal_durable_index(replica->wal));
}

void sim_raft_sent(struct sim *sim, uint32_t node, const struct replica_message *message)
{
    const struct raft_message *m = message->raft;
    if (m->type == RAFT_VOTE)
        vote_check(sim, m->term, message->uid, m->from, m->from);
    else if (m->type == RAFT_VOTE_RESPONSE && !m->reject)
        vote_check(sim, m->term, message->uid, m->from, m->to);
    else if (m->type == RAFT_APPEND_RESPONSE && !m->reject)
        promise_check(sim, node, m);
}

/* ---- leaders -------------------------------------------------------------------------------- */

static void leader_check(struct sim *sim, const struct raft_status *status)
{
    struct sim_raft *seen = sim->raft;
    while (seen->leader_count <= status->term) {
        seen->leaders = vec_grow(seen->leaders, &seen->leader_capacity, seen->leader_count + 1,
                                 sizeof *seen->leaders);
        seen->leaders[seen->leader_count++] = 0;
    }
    uint64_t *leader = &seen->leaders[status->term];
    if (*leader != 0 && *leader != status->id)
        sim_fail(sim, "election safety: nodes %" PRIu64 " and %" PRIu64 " both lead term %" PRIu64,
                 *leader, status->id, status->term);
    if (*leader == 0)
        cluster_note(sim->cluster, "leader %" PRIu64 " of term %" PRIu64, status->id, status->term);
    *leader = status->id;
}

/* ---- logs ----------------------------------------------------------------------------------- */

static uint64_t chain_next(uint64_t chain, const struct raft_entry *entry)
{
    /* FNV-1a (Fowler, Noll, Vo), eight bytes at a time where there are as many. */
    uint64_t hash = (chain ^ entry->term ^ (uint64_t)entry->type << 56) * 0x100000001b3u;
    size_t at = 0;
    for (; at + 8 <= entry->data.size; at += 8) {
        hash = (hash ^ get_u64_le(entry->data.data + at)) * 0x100000001b3u;
        hash ^= hash >> 29;
    }
    for (; at < entry->data.size; at++)
        hash = (hash ^ entry->data.data[at]) * 0x100000001b3u;
    return hash ^ entry->data.size;
}

static void matching_check(struct sim *sim, uint32_t node, const struct raft_entry *entry,
                           uint64_t chain)
{
    struct sim_raft *seen = sim->raft;
    while (seen->log_count < entry->index) {
        seen->logs =
            vec_grow(seen->logs, &seen->log_capacity, seen->log_count + 1, sizeof *seen->logs);
        seen->logs[seen->log_count++] = (struct variants){0};
    }
    struct variants *at = &seen->logs[entry->index - 1];
    for (uint32_t i = 0; i < at->count; i++) {
        if (at->items[i].term != entry->term)
            continue;
        if (at->items[i].chain != chain)
            sim_fail(sim,
                     "log matching: node %u has another log up to entry %" PRIu64
                     " of term %" PRIu64,
                     node + 1, entry->index, entry->term);
        return;
    }
    at->items = vec_grow(at->items, &at->capacity, at->count + 1, sizeof *at->items);
    at->items[at->count++] = (struct variant){.term = entry->term, .chain = chain};
}

static void committed_check(struct sim *sim, uint32_t node, const struct raft_status *status,
                            const struct raft_entry *entry, uint64_t chain)
{
    struct sim_raft *seen = sim->raft;
    if (entry->index <= seen->committed_count) {
        const struct committed *known = &seen->committed[entry->index - 1];
        if (known->chain != chain)
            sim_fail(sim,
                     "state machine safety: node %u commits entry %" PRIu64 " of term %" PRIu64
                     ", one of term %" PRIu64 " was committed there",
                     node + 1, entry->index, entry->term, known->term);
        return;
    }
    ASSERT(entry->index == seen->committed_count + 1);
    seen->committed = vec_grow(seen->committed, &seen->committed_capacity,
                               seen->committed_count + 1, sizeof *seen->committed);
    seen->committed[seen->committed_count++] =
        (struct committed){.term = entry->term, .chain = chain, .known_term = status->term};
    sim_entry(sim, entry);
}

/* A leader holds what was committed in terms before its own. Who was the first to know that an
 * entry is committed knew it in that term or a later one, so this may miss an entry, never accuse
 * one. */
static void complete_check(struct sim *sim, uint32_t node, const struct raft_status *status,
                           const struct raft_entry *entry, uint64_t chain)
{
    const struct sim_raft *seen = sim->raft;
    if (entry->index > seen->committed_count)
        return;
    const struct committed *known = &seen->committed[entry->index - 1];
    if (known->known_term < status->term && known->chain != chain)
        sim_fail(sim,
                 "leader completeness: node %u leads term %" PRIu64 " without entry %" PRIu64
                 " of term %" PRIu64 ", which was committed in term %" PRIu64,
                 node + 1, status->term, entry->index, known->term, known->known_term);
}

static void short_leader_check(struct sim *sim, uint32_t node, const struct raft_status *status)
{
    const struct sim_raft *seen = sim->raft;
    for (uint64_t index = status->last_index + 1; index <= seen->committed_count; index++)
        if (seen->committed[index - 1].known_term < status->term) {
            sim_fail(sim,
                     "leader completeness: node %u leads term %" PRIu64 " with a log up to %" PRIu64
                     ", entry %" PRIu64 " was committed in term %" PRIu64,
                     node + 1, status->term, status->last_index, index,
                     seen->committed[index - 1].known_term);
            return;
        }
}

/* Where the walk begins: behind what was compared in this life, or at the log's start, which must
 * be where the committed entries agree. */
static bool walk_start(struct sim *sim, uint32_t node, const struct raft_log *log, uint64_t *index,
                       uint64_t *chain)
{
    const struct sim_raft *seen = sim->raft;
    uint64_t first = log->storage.first_index(log->storage.context);
    uint64_t before = seen->nodes[node].checked;
    if (before + 1 < first) {
        sim->snapshots += before != 0;
        before = first - 1;
        uint64_t term;
        if (before > seen->committed_count) {
            sim_fail(sim, "log of node %u begins at %" PRIu64 ", %u entries were committed",
                     node + 1, first, seen->committed_count);
            return false;
        }
        if (raft__log_term(log, before, &term) == OK && term != seen->committed[before - 1].term)
            sim_fail(sim,
                     "state machine safety: node %u begins behind entry %" PRIu64
                     " of term %" PRIu64 ", one of term %" PRIu64 " was committed there",
                     node + 1, before, term, seen->committed[before - 1].term);
    }
    *index = before + 1;
    *chain = before ? seen->committed[before - 1].chain : 0;
    return true;
}

/* Compares what is new in the node's log: all behind the committed entries it had before. */
static void log_walk(struct sim *sim, uint32_t node, const struct raft_log *log,
                     const struct raft_status *status)
{
    uint64_t index, chain;
    struct arena arena = {0};
    if (!walk_start(sim, node, log, &index, &chain))
        return;
    while (index <= status->last_index && !sim->problem[0]) {
        const struct raft_entry *entries;
        uint32_t count;
        status_t got = raft__log_slice(log, index, status->last_index + 1, READ_BYTES, &arena,
                                       &entries, &count);
        if (got != OK) {
            sim_fail(sim, "log of node %u cannot be read at %" PRIu64 ": %s", node + 1, index,
                     status_name(got));
            break;
        }
        for (uint32_t i = 0; i < count; i++) {
            chain = chain_next(chain, &entries[i]);
            matching_check(sim, node, &entries[i], chain);
            if (entries[i].index <= status->commit)
                committed_check(sim, node, status, &entries[i], chain);
            if (status->role == RAFT_LEADER)
                complete_check(sim, node, status, &entries[i], chain);
        }
        index += count;
        arena_reset(&arena);
    }
    arena_free(&arena);
    if (sim->raft->nodes[node].checked < status->commit)
        sim->raft->nodes[node].checked = status->commit;
    if (status->role == RAFT_LEADER)
        short_leader_check(sim, node, status);
}

static void back_check(struct sim *sim, uint32_t node, const char *what, uint64_t before,
                       uint64_t now)
{
    if (now < before)
        sim_fail(sim, "nothing goes back: node %u, %s from %" PRIu64 " to %" PRIu64, node + 1, what,
                 before, now);
}

void sim_raft_check(struct sim *sim, uint32_t node)
{
    struct replica *replica = cluster_replica(sim->cluster, node);
    struct node_seen *seen = &sim->raft->nodes[node];
    struct raft_status now;
    raft_status(replica->raft, &now);
    back_check(sim, node, "term", seen->term, now.term);
    back_check(sim, node, "commit index", seen->commit, now.commit);
    back_check(sim, node, "applied index", seen->applied, replica->applied_index);
    if (replica->applied_index > now.commit)
        sim_fail(sim, "node %u has applied %" PRIu64 " of %" PRIu64 " committed entries", node + 1,
                 replica->applied_index, now.commit);
    if (now.role == RAFT_LEADER)
        leader_check(sim, &now);
    bool news = now.term != seen->term || now.commit != seen->commit || now.role != seen->role ||
                now.last_index != seen->last_index || now.last_term != seen->last_term;
    seen->term = now.term;
    seen->commit = now.commit;
    seen->applied = replica->applied_index;
    seen->last_index = now.last_index;
    seen->last_term = now.last_term;
    seen->role = now.role;
    if (news)
        log_walk(sim, node, &replica->raft->log, &now);
}
