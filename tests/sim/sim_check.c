/* Checks of the nodes, from outside: after each step what Raft promises (sim_raft.c), at the end
 * that all hold the same contents: of versions what the model says, but for old ones, which a node
 * may have collected below its watermark and nowhere else; of all else the same, byte for byte. */
#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "mvcc/mvcc_int.h"
#include "replica/replica_int.h"
#include "sim.h"

static bool disk_failed(struct sim *sim, uint32_t node)
{
    if (!cluster_node_failed(sim->cluster, node))
        return false;
    status_t status = cluster_failure(sim->cluster, node)->status;
    return status == ERR_IO || status == ERR_CORRUPT || status == ERR_DISK_FULL;
}

void sim_check_node(struct sim *sim, uint32_t node)
{
    struct replica *replica = cluster_replica(sim->cluster, node);
    /* One that has stopped itself may have learned something before, if its disk can tell. */
    if (!replica || disk_failed(sim, node))
        return;
    if (replica->messages_refused && sim->flips == 0 && !sim_keeper_enabled(sim))
        sim_fail(sim, "node %u refused a message of another", node + 1);
    sim_raft_check(sim, node);
}

/* ---- at the end ----------------------------------------------------------------------------- */

struct contents {
    uint64_t hash;
    uint64_t versions;
};

/* False: the node cannot say, because a bit of its disk was flipped. */
static bool contents_read(struct sim *sim, uint32_t node, struct contents *out)
{
    struct kv_cursor cursor;
    struct error error;
    struct kv *kv = replica_kv(cluster_replica(sim->cluster, node));
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_first(&cursor, &error);
    uint64_t hash = 0xcbf29ce484222325u;
    *out = (struct contents){0};
    while (status == OK && kv_cursor_valid(&cursor)) {
        struct slice key = kv_cursor_key(&cursor);
        struct slice value;
        status = kv_cursor_value(&cursor, &value, &error);
        if (status != OK)
            break;
        bool version = key.data[0] >= MVCC_KEY_FIRST_MIN;
        out->versions += version;
        if (version || key.data[0] == MVCC_WATERMARK_PREFIX) {
            status = kv_cursor_next(&cursor, &error);
            continue;
        }
        for (size_t i = 0; i < key.size; i++)
            hash = (hash ^ key.data[i]) * 0x100000001b3u;
        hash = (hash ^ value.size) * 0x100000001b3u;
        for (size_t i = 0; i < value.size; i++)
            hash = (hash ^ value.data[i]) * 0x100000001b3u;
        status = kv_cursor_next(&cursor, &error);
    }
    out->hash = hash;
    bool readable = status == OK; /* then all of it must be right, whatever else is damaged */
    if (readable)
        status = kv_check(kv, NULL, NULL, &error);
    if (status != OK && !sim_disk_met_damage(sim, node, &error))
        sim_fail(sim, "tree of node %u: %s", node + 1, error.message);
    return readable;
}

static uint64_t watermark_of(struct sim *sim, struct kv *kv)
{
    struct kv_snapshot *snapshot;
    struct error error;
    uint64_t watermark = 0;
    status_t status = kv_snapshot_open(kv, &snapshot, &error);
    ASSERT(status == OK);
    if (mvcc_watermark(snapshot, &watermark, &error) != OK)
        sim_fail(sim, "%s", error.message);
    kv_snapshot_close(snapshot);
    return watermark;
}

/* Must a read at the watermark or above see this version of the key? */
static bool needed(const struct sim_key *key, uint32_t version, uint64_t watermark)
{
    if (key->versions[version].version > watermark)
        return true;
    bool newest = version + 1 == key->count || key->versions[version + 1].version > watermark;
    return newest && !key->versions[version].tombstone;
}

/* Whether the version is there; when it is, it must be right. */
static bool version_check(struct sim *sim, uint32_t node, const struct sim_key *key,
                          const struct sim_version *version)
{
    struct mvcc_stored_key stored;
    struct slice raw, value;
    bool tombstone;
    struct error error;
    struct kv *kv = replica_kv(cluster_replica(sim->cluster, node));
    mvcc__stored_key(&stored, buffer_slice(&key->key), version->version);
    status_t status = kv_get_latest(kv, slice_make(stored.bytes, stored.size), &raw, &error);
    if (status == ERR_NOT_FOUND)
        return false;
    if (status != OK || mvcc__unwrap(raw, &tombstone, &value, &error) != OK ||
        tombstone != version->tombstone || !slice_equal(value, buffer_slice(&version->value)))
        sim_fail(sim, "node %u has %.*s at version %" PRIu64 " wrong", node + 1, (int)key->key.size,
                 (const char *)key->key.data, version->version);
    return true;
}

/* Each version of the model is in the tree, but for what may be collected; and no other. */
static void model_check(struct sim *sim, uint32_t node, uint64_t versions)
{
    struct kv *kv = replica_kv(cluster_replica(sim->cluster, node));
    uint64_t watermark = watermark_of(sim, kv), there = 0;
    for (uint32_t k = 0; k < sim->model.key_count; k++) {
        const struct sim_key *key = &sim->model.keys[k];
        for (uint32_t v = 0; v < key->count; v++) {
            bool present = version_check(sim, node, key, &key->versions[v]);
            there += present;
            if (!present && needed(key, v, watermark))
                sim_fail(sim, "node %u has not %.*s at version %" PRIu64, node + 1,
                         (int)key->key.size, (const char *)key->key.data, key->versions[v].version);
        }
    }
    if (versions != there)
        sim_fail(sim, "node %u holds %" PRIu64 " versions of keys, of the log's %" PRIu64, node + 1,
                 versions, there);
    sim->collected += sim->model.versions - there;
}

void sim_check_end(struct sim *sim)
{
    struct contents first, contents;
    bool any = false;
    for (uint32_t i = 0; i < sim->nodes && !sim->problem[0]; i++) {
        struct replica *replica = cluster_replica(sim->cluster, i);
        if (!replica || !sim_is_member(sim, i))
            continue;
        if (replica->applied_index != sim_raft_committed(sim))
            sim_fail(sim, "node %u stays at index %" PRIu64 " of %" PRIu64, i + 1,
                     replica->applied_index, sim_raft_committed(sim));
        if (!contents_read(sim, i, &contents))
            continue;
        if (!any)
            first = contents;
        if (contents.hash != first.hash)
            sim_fail(sim, "node %u holds other things than the nodes before it", i + 1);
        any = true;
        cluster_trace(sim->cluster, "contents of %u: %016" PRIx64, i + 1, contents.hash);
        model_check(sim, i, contents.versions);
    }
}

void sim_nodes_describe(struct sim *sim, struct buffer *out)
{
    for (uint32_t i = 0; i < sim->nodes; i++) {
        struct replica_status status;
        if (!sim_is_member(sim, i))
            continue;
        if (!cluster_replica(sim->cluster, i)) {
            buffer_printf(out, " node %u is down;", i + 1);
            continue;
        }
        replica_status(cluster_replica(sim->cluster, i), &status);
        buffer_printf(out, " node %u applied %" PRIu64 " of %" PRIu64 ";", i + 1,
                      status.applied_index, status.last_index);
    }
}
