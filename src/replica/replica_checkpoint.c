/* Checkpoints of the tree, and what they let the log forget.
 *
 * Tree and log meet at the checkpoint's applied index. Its meta (kv app_meta) is MessagePack,
 * [2, applied index, applied version, term of that entry, received]; of older versions
 * [1, applied index, applied version].
 *
 * INVARIANT. The durable log holds the entry a durable checkpoint stands at, or begins right behind
 * it. Two rules keep it: no checkpoint begins above what the log has made durable (a leader's
 * entries are committed, and applied, by the others' disks at times before its own), and the log
 * drops nothing above the durable checkpoint.
 *
 * A tree that came as a snapshot breaks it for a moment: it takes its place by a rename, and the
 * log follows with its next write. `received` in the meta tells so. At open, such a tree wins, for
 * all in it is committed: when the log does not hold the tree's last entry, then everything in the
 * log is below it or was in conflict with it, so the log starts anew behind it. Without `received`
 * a log that does not reach the tree was lost, and with it votes and promises: the node must not
 * start. Nor with an empty log, for there is one before a snapshot is taken over.
 *
 * HOW MUCH LOG IS KEPT. A member behind the log's beginning needs a snapshot, which costs more than
 * its missing entries; so some log is kept for those that come back: log_keep_bytes always, and up
 * to log_keep_max_bytes while the leader knows a member that still needs it and was heard of in the
 * last ten minutes. Dropping is by whole files; the log counts in bytes on disk. */

#include <inttypes.h>

#include "base/check.h"
#include "base/log.h"
#include "base/msgpack.h"
#include "replica/replica_int.h"

enum { META_FORMAT = 2, META_FORMAT_OLD = 1 };

static const uint64_t HEARD_LATELY_US = 600 * (uint64_t)1000000;

/* ---- the meta ---------------------------------------------------------------------------------
 */

status_t replica__meta_encode(const struct replica__meta *meta, struct buffer *out)
{
    msgpack_put_array(out, 5);
    msgpack_put_uint(out, META_FORMAT);
    msgpack_put_uint(out, meta->index);
    msgpack_put_uint(out, meta->version);
    msgpack_put_uint(out, meta->term);
    msgpack_put_bool(out, meta->received);
    return out->failed ? ERR_TOO_LONG : OK;
}

static bool meta_decode(struct slice bytes, struct replica__meta *out)
{
    struct msgpack_reader reader;
    struct msgpack_value received;
    msgpack_reader_init(&reader, bytes);
    uint32_t count = msgpack_get_array(&reader);
    uint64_t format = msgpack_get_uint(&reader);
    *out = (struct replica__meta){0};
    out->index = msgpack_get_uint(&reader);
    out->version = msgpack_get_uint(&reader);
    if (format == META_FORMAT_OLD)
        return count == 3 && msgpack_done(&reader);
    out->term = msgpack_get_uint(&reader);
    bool valid = msgpack_next(&reader, &received) && received.type == MSGPACK_BOOL;
    out->received = valid && received.as.boolean;
    return valid && format == META_FORMAT && count == 5 && msgpack_done(&reader);
}

status_t replica__meta_load(struct replica *r, struct error *error)
{
    struct slice bytes = kv_meta(r->kv);
    struct replica__meta meta = {0};
    if (bytes.size && !meta_decode(bytes, &meta))
        return error_set(error, ERR_CORRUPT, "%s: checkpoint meta is malformed", r->dir);
    r->applied_index = meta.index;
    r->applied_version = meta.version;
    r->applied_term = meta.term;
    r->received = meta.received;
    status_t status = replica__forgotten_load(r, error);
    if (status == OK)
        status = replica__cluster_load(r, error);
    return status == OK ? replica__members_load(r, error) : status;
}

/* ---- tree and log at open ----------------------------------------------------------------------
 */

status_t replica__log_lost(struct replica *r, struct error *error)
{
    error_set(error, ERR_CORRUPT, "log in \"%s\" does not reach the checkpoint", r->wal_dir);
    error_detail(error, "The tree holds entries up to %" PRIu64 ", the log up to %" PRIu64 ".",
                 r->applied_index, wal_last_index(r->wal));
    error_hint(error, "The node's log was lost or truncated: put its files back. Do not start the "
                      "node with an empty directory: it would forget what it has promised.");
    return ERR_CORRUPT;
}

status_t replica__log_reconcile(struct replica *r, struct error *error)
{
    uint64_t term = 0;
    status_t status = wal_term(r->wal, r->applied_index, &term);
    if (status == OK && r->applied_term == 0)
        r->applied_term = term; /* an empty tree, or one of an older version */
    bool reaches = status == OK && term == r->applied_term;
    /* Raft comes to rest before the swap, so a term is on disk: without one the log is new. */
    bool may_be_behind = r->received && wal_hard_state(r->wal).term > 0;
    if (!reaches && !may_be_behind)
        return replica__log_lost(r, error);
    r->received = false; /* from here on, or from when the log is mended, on the disk */
    if (reaches)
        return OK;
    log_info("replica", "log begins anew behind the snapshot at %" PRIu64, r->applied_index);
    status = wal_reset(r->wal, r->applied_index, r->applied_term);
    return status == OK ? wal_flush(r->wal, error)
                        : error_set(error, status, "could not reset the log");
}

/* ---- the log behind the checkpoint -------------------------------------------------------------
 */

void replica__heard(struct replica *r, uint64_t id)
{
    struct replica__heard *place = &r->heard[0];
    for (uint32_t i = 0; i < REPLICA_MEMBERS_MAX; i++) {
        if (r->heard[i].id == id) {
            place = &r->heard[i];
            break;
        }
        if (r->heard[i].us < place->us)
            place = &r->heard[i]; /* the one silent for longest makes room */
    }
    *place = (struct replica__heard){.id = id, .us = env_monotonic_us(r->env)};
}

static bool heard_lately(const struct replica *r, uint64_t id, uint64_t now_us)
{
    uint64_t heard_us = r->led_us; /* before that, it spoke to another leader */
    for (uint32_t i = 0; i < REPLICA_MEMBERS_MAX; i++)
        if (r->heard[i].id == id && r->heard[i].us > heard_us)
            heard_us = r->heard[i].us;
    return now_us - heard_us < HEARD_LATELY_US;
}

/* The first entry that some member needs, as far as this node knows. */
static uint64_t needed_index(const struct replica *r)
{
    uint64_t needed = r->checkpoint_index + 1;
    if (r->role != RAFT_LEADER)
        return needed;
    struct raft_status status;
    raft_status(r->raft, &status);
    uint64_t now_us = env_monotonic_us(r->env);
    for (uint32_t i = 0; i < status.peer_count; i++) {
        const struct raft_peer_status *peer = &status.peers[i];
        uint64_t next = replica__sends_needs(r, peer->id);
        if (next == 0)
            next = peer->match + 1;
        if (next < needed && heard_lately(r, peer->id, now_us))
            needed = next;
    }
    return needed;
}

static void log_compact(struct replica *r)
{
    uint64_t keep = wal_index_within(r->wal, r->config.log_keep_bytes);
    uint64_t keep_most = wal_index_within(r->wal, r->config.log_keep_max_bytes);
    uint64_t needed = needed_index(r);
    ASSERT(keep_most <= keep);
    if (needed < keep)
        keep = needed > keep_most ? needed : keep_most;
    if (keep > r->checkpoint_index + 1)
        keep = r->checkpoint_index + 1;
    if (keep <= wal_first_index(r->wal))
        return;
    ASSERT(keep - 1 <= wal_durable_index(r->wal));
    log_debug("replica", "log now begins at %" PRIu64, keep);
    status_t status = wal_compact(r->wal, keep - 1);
    if (status == OK)
        r->staged = true;
    else
        replica__fail_status(r, status, "could not drop old log entries");
}

/* ---- checkpoints -------------------------------------------------------------------------------
 */

bool replica__checkpoint_due(const struct replica *r)
{
    bool changed = r->applied_index != r->checkpoint_index || replica__collect_removed(r) > 0;
    if (r->failed || r->checkpoint_out || !changed || replica__receiver_wants_rest(r) ||
        replica__receiver_holds(r))
        return false;
    return r->applied_bytes >= r->config.checkpoint_bytes ||
           env_monotonic_us(r->env) - r->checkpoint_time_us >= r->config.checkpoint_us;
}

static status_t meta_now(const struct replica *r, struct buffer *out)
{
    struct replica__meta meta = {.index = r->applied_index,
                                 .version = r->applied_version,
                                 .term = r->applied_term,
                                 .received = r->received};
    buffer_init(out, KV_APP_META_SIZE_MAX);
    return replica__meta_encode(&meta, out);
}

/* Entries may be applied before they are durable here. Raft knows; the wal may still hold others in
 * their places, which raft has replaced but not handed over yet. */
uint64_t replica__durable_index(const struct replica *r)
{
    struct raft_status status;
    raft_status(r->raft, &status);
    return status.persisted;
}

struct kv_checkpoint *replica_checkpoint_take(struct replica *r)
{
    if (!replica__checkpoint_due(r) || r->applied_index > replica__durable_index(r))
        return NULL;
    /* A part of an entry may be in the tree while the disk is full: freeze whole entries only. */
    if (r->apply_blocked)
        return NULL;
    struct buffer meta;
    struct error error;
    status_t status = meta_now(r, &meta);
    if (status == OK)
        status = kv_checkpoint_begin(r->kv, buffer_slice(&meta), &r->checkpoint_out, &error);
    buffer_free(&meta);
    r->checkpoint_time_us = env_monotonic_us(r->env);
    if (status == OK) {
        r->checkpoint_out_index = r->applied_index;
        r->applied_bytes = 0;
        replica__collect_checkpointed(r);
        return r->checkpoint_out;
    }
    if (status == ERR_DISK_FULL)
        log_warn("replica", "checkpoint waits for disk space: %s", error.message);
    else
        replica__fail(r, &error);
    return NULL;
}

void replica_checkpoint_done(struct replica *r, struct kv_checkpoint *checkpoint)
{
    ASSERT(checkpoint == r->checkpoint_out);
    struct error error;
    r->checkpoint_out = NULL;
    if (kv_checkpoint_end(r->kv, checkpoint, &error) != OK) {
        replica__fail(r, &error);
        return;
    }
    r->checkpoint_index = r->checkpoint_out_index;
    replica__care_checkpointed(r);
    if (!r->failed)
        log_compact(r);
}

/* It makes the next start quick; the log has everything anyway. */
void replica__checkpoint_last(struct replica *r)
{
    if (r->failed || r->applied_index == r->checkpoint_index ||
        r->applied_index > replica__durable_index(r))
        return;
    struct buffer meta;
    struct error error;
    status_t status = meta_now(r, &meta);
    if (status == OK)
        status = kv_checkpoint(r->kv, buffer_slice(&meta), &error);
    if (status != OK)
        log_warn("replica", "last checkpoint failed: %s", status_text(status));
    buffer_free(&meta);
}
