/* Applying committed entries to the tree.
 *
 * Each entry is applied whole or, when the disk is full, again from its start once there is room:
 * writing a version twice is writing it once. After a burst the tree is published once; only then
 * does this node's applied index move, so a snapshot and the version it is read at always agree.
 *
 * A node that keeps no history replaces what an effect overwrites (mvcc_replace_begin). Then a tree
 * with half an effect in it must not be published, which a burst that ends at a full disk would
 * do: so what came before is published first, but for small effects, for which room is made sure
 * of. */

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/msgpack.h"
#include "replica/replica_int.h"

enum {
    /* Every so many effects some old outcomes are looked at. */
    EXPIRE_EVERY = 256,
    EXPIRE_LIMIT = 512,
    /* An effect up to that is small. The outcome and the watermark are put besides. */
    SMALL_WRITES = 16,
    SMALL_BYTES = 900, /* less than a value that needs pages of its own */
    SMALL_PUTS = SMALL_WRITES + 2,
};

struct slice replica__system_key(const char *name, uint8_t bytes[REPLICA_SYSTEM_KEY_MAX])
{
    size_t size = strlen(name);
    ASSERT(size < REPLICA_SYSTEM_KEY_MAX);
    bytes[0] = REPLICA_SYSTEM_PREFIX;
    memcpy(bytes + 1, name, size);
    return slice_make(bytes, size + 1);
}

/* The record of what was removed last: [entry index, start, end, newest version ever removed]. */
struct expired {
    uint64_t index;
    struct buffer start, end;
    uint64_t newest;
};

static void expired_free(struct expired *expired)
{
    buffer_free(&expired->start);
    buffer_free(&expired->end);
}

/* All empty when there is no record yet. */
static status_t expired_load(struct replica *r, struct expired *out, struct error *error)
{
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct slice stored;
    *out = (struct expired){0};
    status_t status = kv_get_latest(r->kv, replica__system_key("expire", key), &stored, error);
    if (status != OK)
        return status == ERR_NOT_FOUND ? OK : status;
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, stored);
    bool shape = msgpack_get_array(&reader) == 4;
    out->index = msgpack_get_uint(&reader);
    buffer_append_slice(&out->start, msgpack_get_bin(&reader));
    buffer_append_slice(&out->end, msgpack_get_bin(&reader));
    out->newest = msgpack_get_uint(&reader);
    if (!shape || !msgpack_done(&reader))
        return error_set(error, ERR_CORRUPT, "record of expired outcomes is malformed");
    return OK;
}

static status_t expired_store(struct replica *r, const struct expired *expired, struct error *error)
{
    uint8_t key[REPLICA_SYSTEM_KEY_MAX];
    struct buffer record = {0};
    msgpack_put_array(&record, 4);
    msgpack_put_uint(&record, expired->index);
    msgpack_put_bin(&record, buffer_slice(&expired->start));
    msgpack_put_bin(&record, buffer_slice(&expired->end));
    msgpack_put_uint(&record, expired->newest);
    status_t status =
        kv_put(r->kv, replica__system_key("expire", key), buffer_slice(&record), error);
    buffer_free(&record);
    return status;
}

status_t replica__forgotten_load(struct replica *r, struct error *error)
{
    struct expired expired;
    status_t status = expired_load(r, &expired, error);
    if (status == OK)
        r->forgotten_version = expired.newest;
    expired_free(&expired);
    return status;
}

/* The piece behind the last one. */
static status_t expired_advance(struct replica *r, struct expired *expired, uint64_t index,
                                uint64_t below, struct error *error)
{
    struct buffer done = expired->start;
    uint64_t newest;
    expired->start = expired->end;
    expired->end = done;
    expired->index = index;
    status_t status = txn_outcomes_piece(r->kv, below, buffer_slice(&expired->start), EXPIRE_LIMIT,
                                         &expired->end, &newest, error);
    if (status == OK && newest > expired->newest)
        expired->newest = newest;
    return status == OK ? expired_store(r, expired, error) : status;
}

/* Which outcomes go depends on the log alone: the same on every node. The record is written before
 * the removal, so an entry applied a second time removes the same piece. */
static status_t outcomes_expire(struct replica *r, uint64_t index, uint64_t version,
                                struct error *error)
{
    if (index % EXPIRE_EVERY != 0 || version < REPLICA_OUTCOME_KEEP_US)
        return OK;
    uint64_t below = version - REPLICA_OUTCOME_KEEP_US;
    struct expired expired;
    status_t status = expired_load(r, &expired, error);
    if (status == OK && expired.index != index)
        status = expired_advance(r, &expired, index, below, error);
    if (status == OK)
        status = txn_outcomes_expire(r->kv, below, buffer_slice(&expired.start),
                                     buffer_slice(&expired.end), error);
    if (status == OK)
        r->forgotten_version = expired.newest;
    expired_free(&expired);
    return status;
}

/* Makes what was applied visible and tells raft. */
static void applied_publish(struct replica *r)
{
    struct error error;
    r->apply_unpublished = false;
    replica__collect_applied(r);
    if (r->failed)
        return;
    if (kv_publish(r->kv, &error) != OK) {
        replica__fail(r, &error);
        return;
    }
    if (r->version_last < r->applied_version)
        r->version_last = r->applied_version;
    raft_applied(r->raft, r->applied_index);
}

/* Is there room for a small effect, whatever pages are copied, split and merged for it? */
static bool small_fits(struct replica *r, const struct txn_effect *effect)
{
    struct txn_write_cursor cursor;
    txn_writes_begin(effect->writes, &cursor);
    return cursor.left <= SMALL_WRITES && effect->writes.size <= SMALL_BYTES &&
           kv_reserve_changes(r->kv, SMALL_PUTS, NULL) == OK;
}

static status_t effect_put(struct replica *r, const struct txn_effect *effect, bool *fresh,
                           struct error *error)
{
    bool replace = r->config.history_us == 0 && kv_replaces(r->kv);
    if (replace && r->apply_unpublished && !small_fits(r, effect))
        applied_publish(r);
    if (r->failed)
        return error_set(error, ERR_SHUTDOWN, "%s", r->failure.message);
    status_t status = txn_effect_apply(r->kv, effect, replace, replica__collector(r), fresh, error);
    ASSERT(status != ERR_DISK_FULL || !replace || !r->apply_unpublished);
    return status;
}

/* An effect or a refusal. Versions ascend in log order: a leader gives them out only once it has
 * applied all that came before its term. */
static status_t apply_effect(struct replica *r, const struct raft_entry *entry, struct slice body,
                             uint64_t *version, struct error *error)
{
    struct txn_effect effect;
    if (txn_effect_decode(body, &effect) != OK || effect.version <= r->applied_version)
        return error_set(error, ERR_CORRUPT, "log entry %llu is not a valid effect",
                         (unsigned long long)entry->index);
    bool fresh;
    status_t status = outcomes_expire(r, entry->index, effect.version, error);
    if (status == OK && entry->data.data[0] == REPLICA_ENTRY_REFUSAL)
        status = txn_refusal_apply(r->kv, &effect, &fresh, error);
    else if (status == OK)
        status = effect_put(r, &effect, &fresh, error);
    if (status != OK)
        return status;
    *version = effect.version;
    r->applied_version = effect.version;
    if (fresh)
        txn_certifier_note(r->certifier, effect.writes, effect.version);
    return OK;
}

static status_t apply_entry(struct replica *r, const struct raft_entry *entry, uint64_t *version,
                            struct error *error)
{
    if (entry->type == RAFT_ENTRY_MEMBERS)
        return replica__members_apply(r, entry, error);
    if (entry->type != RAFT_ENTRY_COMMAND)
        return OK;
    struct slice body =
        slice_make(entry->data.data + 1, entry->data.size ? entry->data.size - 1 : 0);
    switch (entry->data.size ? entry->data.data[0] : 0) {
    case REPLICA_ENTRY_EFFECT:
    case REPLICA_ENTRY_REFUSAL:
        return apply_effect(r, entry, body, version, error);
    case REPLICA_ENTRY_CLUSTER:
    case REPLICA_ENTRY_RECOVER:
        return replica__cluster_apply(r, body, entry->data.data[0] == REPLICA_ENTRY_RECOVER, error);
    case REPLICA_ENTRY_CHECK:
        r->check_index = entry->index;
        return OK;
    default:
        return error_set(error, ERR_CORRUPT, "log entry %llu is of no known kind",
                         (unsigned long long)entry->index);
    }
}

static void apply_blocked(struct replica *r, const struct error *error)
{
    if (!r->apply_blocked)
        log_error("replica", "applying waits for disk space: %s", error->message);
    r->apply_blocked = true;
}

void replica__apply(struct replica *r)
{
    r->apply_retry = false;
    /* A checkpoint must not be ahead of the log: one that is due waits for it here. */
    uint64_t committed_us = r->proposals.count ? env_monotonic_us(r->env) : 0;
    uint64_t limit = replica__checkpoint_due(r) ? replica__durable_index(r) : UINT64_MAX;
    while (r->committed.count && !r->failed) {
        struct replica__committed *burst = replica__ring_at(&r->committed, 0);
        if (burst->at == burst->count) {
            replica__ring_pop(&r->committed);
            continue;
        }
        const struct raft_entry *entry = &burst->entries[burst->at];
        ASSERT(entry->index == r->applied_index + 1);
        if (entry->index > limit)
            break;
        struct error error;
        uint64_t version = 0;
        status_t status = apply_entry(r, entry, &version, &error);
        if (status == ERR_DISK_FULL) {
            apply_blocked(r, &error);
            break;
        }
        if (status != OK) {
            replica__fail(r, &error);
            return;
        }
        r->apply_blocked = false;
        burst->at++;
        r->applied_index = entry->index;
        r->applied_term = entry->term;
        r->applied_bytes += entry->data.size;
        if (entry->term == r->term && r->role == RAFT_LEADER)
            r->own_term_applied = entry->term;
        r->apply_unpublished = true;
        replica__proposal_applied(r, entry->index, version, committed_us);
        if (r->check_index == r->applied_index && !r->failed) {
            applied_publish(r);
            if (!r->failed)
                replica__check_begin(r, r->applied_index);
        }
    }
    if (r->apply_unpublished && !r->failed)
        applied_publish(r);
}
