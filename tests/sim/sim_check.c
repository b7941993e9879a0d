/* Checks of the nodes, from outside, after each of their steps.
 *
 *   Election safety     at most one leader a term (Raft, Figure 3)
 *   State machine       entries applied at one index are the same everywhere, for ever: not even
 *   safety              after a crash of all may another one be there
 *   Nothing goes back   term; applied index within one life
 *   The same contents   at the end, byte for byte, and what the model says */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "mvcc/mvcc_int.h"
#include "replica/replica_int.h"
#include "sim.h"

struct sim_checker {
    /* leader of each term seen, by term */
    uint32_t *leaders;
    uint32_t leader_capacity, leader_count;
    /* hash of the entry applied at each index; index 1 is at 0 */
    uint64_t *entries;
    uint32_t entry_capacity, entry_count;
    struct {
        uint64_t checked, term;
    } nodes[CLUSTER_NODES_MAX];
};

void sim_checker_start(struct sim *sim)
{
    sim->checker = mem_zalloc(1, sizeof *sim->checker);
}

void sim_checker_free(struct sim *sim)
{
    mem_free(sim->checker->leaders);
    mem_free(sim->checker->entries);
    mem_free(sim->checker);
}

static void leader_check(struct sim *sim, const struct replica_status *status)
{
    struct sim_checker *checker = sim->checker;
    if (status->role != RAFT_LEADER)
        return;
    while (checker->leader_count <= status->term) {
        checker->leaders = vec_grow(checker->leaders, &checker->leader_capacity,
                                    checker->leader_count + 1, sizeof *checker->leaders);
        checker->leaders[checker->leader_count++] = 0;
    }
    uint32_t *leader = &checker->leaders[status->term];
    if (*leader != 0 && *leader != status->id)
        sim_fail(sim, "nodes %u and %" PRIu64 " both lead term %" PRIu64, *leader, status->id,
                 status->term);
    *leader = (uint32_t)status->id;
}

static uint64_t entry_hash(const struct raft_entry *entry)
{
    uint64_t hash = 0xcbf29ce484222325u ^ entry->term ^ (uint64_t)entry->type << 56;
    for (size_t i = 0; i < entry->data.size; i++)
        hash = (hash ^ entry->data.data[i]) * 0x100000001b3u;
    return hash;
}

static void entry_check(struct sim *sim, uint32_t node, const struct raft_entry *entry)
{
    struct sim_checker *checker = sim->checker;
    uint64_t hash = entry_hash(entry);
    if (entry->index <= checker->entry_count) {
        if (checker->entries[entry->index - 1] != hash)
            sim_fail(sim, "node %u applied another entry %" PRIu64 " (term %" PRIu64 ")", node + 1,
                     entry->index, entry->term);
        return;
    }
    ASSERT(entry->index == checker->entry_count + 1);
    checker->entries = vec_grow(checker->entries, &checker->entry_capacity,
                                checker->entry_count + 1, sizeof *checker->entries);
    checker->entries[checker->entry_count++] = hash;
    sim_entry(sim, entry->index, entry->data);
}

/* Reads what was newly applied from the node's log: there it must be, durable. */
static void applied_check(struct sim *sim, uint32_t node, struct replica *replica, uint64_t applied)
{
    struct arena arena = {0};
    uint64_t *checked = &sim->checker->nodes[node].checked;
    while (*checked < applied && !sim->problem[0]) {
        struct raft_entry *entries;
        uint32_t count;
        struct error error;
        if (wal_durable_index(replica->wal) < applied) {
            sim_fail(sim, "node %u applied %" PRIu64 ", its log is durable to %" PRIu64, node + 1,
                     applied, wal_durable_index(replica->wal));
            break;
        }
        status_t status = wal_read(replica->wal, *checked + 1, applied + 1, 1 << 20, &arena,
                                   &entries, &count, &error);
        if (status != OK) {
            sim_fail(sim, "log of node %u: %s", node + 1, error.message);
            break;
        }
        for (uint32_t i = 0; i < count; i++)
            entry_check(sim, node, &entries[i]);
        *checked += count;
        arena_reset(&arena);
    }
    arena_free(&arena);
}

void sim_check_down(struct sim *sim, uint32_t node)
{
    /* A term adopted but never promised may be forgotten; the log is read again as a whole. */
    sim->checker->nodes[node].checked = 0;
    sim->checker->nodes[node].term = 0;
}

void sim_check_node(struct sim *sim, uint32_t node)
{
    struct replica *replica = cluster_replica(sim->cluster, node);
    if (!replica || cluster_node_failed(sim->cluster, node))
        return;
    struct replica_status status;
    replica_status(replica, &status);
    struct sim_checker *checker = sim->checker;
    if (status.raft.term < checker->nodes[node].term)
        sim_fail(sim, "node %u went back from term %" PRIu64 " to %" PRIu64, node + 1,
                 checker->nodes[node].term, status.raft.term);
    checker->nodes[node].term = status.raft.term;
    if (status.applied_index < checker->nodes[node].checked)
        sim_fail(sim, "node %u went back to applied index %" PRIu64, node + 1,
                 status.applied_index);
    if (status.messages_refused)
        sim_fail(sim, "node %u refused a message of another", node + 1);
    leader_check(sim, &status);
    if (status.applied_index > checker->nodes[node].checked)
        applied_check(sim, node, replica, status.applied_index);
}

/* ---- at the end ----------------------------------------------------------------------------- */

static uint64_t contents_hash(struct sim *sim, uint32_t node, uint64_t *versions)
{
    struct kv_cursor cursor;
    struct error error;
    struct kv *kv = replica_kv(cluster_replica(sim->cluster, node));
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_first(&cursor, &error);
    uint64_t hash = 0xcbf29ce484222325u;
    *versions = 0;
    while (status == OK && kv_cursor_valid(&cursor)) {
        struct slice key = kv_cursor_key(&cursor);
        struct slice value;
        status = kv_cursor_value(&cursor, &value, &error);
        if (status != OK)
            break;
        *versions += key.data[0] >= MVCC_KEY_FIRST_MIN;
        for (size_t i = 0; i < key.size; i++)
            hash = (hash ^ key.data[i]) * 0x100000001b3u;
        hash = (hash ^ value.size) * 0x100000001b3u;
        for (size_t i = 0; i < value.size; i++)
            hash = (hash ^ value.data[i]) * 0x100000001b3u;
        status = kv_cursor_next(&cursor, &error);
    }
    if (status != OK || kv_check(kv, NULL, NULL, &error) != OK)
        sim_fail(sim, "tree of node %u: %s", node + 1, error.message);
    return hash;
}

/* Each version of the model is in the tree. With as many in both, they are the same. */
static void model_check(struct sim *sim, uint32_t node, uint64_t versions)
{
    struct kv *kv = replica_kv(cluster_replica(sim->cluster, node));
    if (versions != sim->model.versions)
        sim_fail(sim, "node %u holds %" PRIu64 " versions of keys, the log %" PRIu64, node + 1,
                 versions, sim->model.versions);
    for (uint32_t k = 0; k < sim->model.key_count; k++) {
        const struct sim_key *key = &sim->model.keys[k];
        for (uint32_t v = 0; v < key->count; v++) {
            struct mvcc_stored_key stored;
            struct slice raw, value;
            bool tombstone;
            struct error error;
            mvcc__stored_key(&stored, buffer_slice(&key->key), key->versions[v].version);
            if (kv_get_latest(kv, slice_make(stored.bytes, stored.size), &raw, &error) != OK ||
                mvcc__unwrap(raw, &tombstone, &value, &error) != OK ||
                tombstone != key->versions[v].tombstone ||
                !slice_equal(value, buffer_slice(&key->versions[v].value)))
                sim_fail(sim, "node %u has %.*s at version %" PRIu64 " wrong", node + 1,
                         (int)key->key.size, (const char *)key->key.data, key->versions[v].version);
        }
    }
}

void sim_check_end(struct sim *sim)
{
    uint64_t first = 0, versions;
    for (uint32_t i = 0; i < sim->nodes && !sim->problem[0]; i++) {
        struct replica_status status;
        replica_status(cluster_replica(sim->cluster, i), &status);
        if (status.applied_index != sim->checker->entry_count)
            sim_fail(sim, "node %u stays at index %" PRIu64 " of %u", i + 1, status.applied_index,
                     sim->checker->entry_count);
        uint64_t hash = contents_hash(sim, i, &versions);
        if (i == 0)
            first = hash;
        if (hash != first)
            sim_fail(sim, "nodes 1 and %u hold different things", i + 1);
        model_check(sim, i, versions);
    }
}
