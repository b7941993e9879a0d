/* Snapshots, the receiver's side (replica_snapshot_send.c tells the story).
 *
 *     IDLE --offer--> FETCHING --last chunk--> READY --raft at rest--> SWAPPING --> IDLE
 *                        |                       |                         |
 *                        +--gone, disk full------+--not needed             +--failed: the node
 *                        v                       v                            stops
 *                     CLEARING (removes what was received) --> IDLE
 *
 * What is received goes into a tree of its own, data.toydb.incoming, by bulk load; while one chunk
 * is put into it the next one is on its way. After the last chunk it gets a checkpoint whose meta
 * says where it stands and that it was received. All this does not touch the tree in use, which
 * goes on serving reads.
 *
 * THE SWAP changes three things that must agree: the tree, raft, and the log.
 *
 *   1. raft is let come to rest: nothing is with the log, all handed out is applied, no checkpoint
 *      runs. It then is asked whether the snapshot is of use at all: entries may have come from a
 *      new leader meanwhile, and must not be dropped when they were acknowledged.
 *   2. Until step 4 raft gets no input: no tick, no message. (Lost heartbeats, as far as the others
 *      can tell.) The incoming file is renamed to data.toydb and the directory synced, on the
 *      background thread.
 *   3. The new tree is the one in use. Open transactions keep reading the old one, which is closed
 *      after the last of them (replica__retire).
 *   4. raft_restore, wal_reset. The log's next write holds the reset and whatever raft has to say
 *      next, so the leader hears of the new place only when it is durable.
 *
 * A crash before the rename is durable leaves the old tree and the old log, and a file that is
 * removed at open. One after it leaves the new tree with the old log: replica__log_reconcile. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/msgpack.h"
#include "replica/replica_snapshot_int.h"

enum {
    RETRY_US = 10 * 1000000, /* after a full disk or the like */
    /* How long raft may take to come to rest by itself; then it gets no more messages. */
    REST_US = 1000000,
    REST_US_MAX = 30 * 1000000,
    PATH_MAX_BYTES = 1024,
    /* So much is synced at a time. One sync of all of it at the end would hold up the log's. */
    SYNC_BYTES = 8 << 20,
};

static void incoming_path(const struct replica *r, const char *suffix, char path[PATH_MAX_BYTES])
{
    snprintf(path, PATH_MAX_BYTES, "%s/data.toydb%s", r->dir, suffix);
}

/* OK when it is not there. */
static status_t incoming_remove(struct env *env, const char *path, struct error *error)
{
    status_t status = env_file_remove(env, path, error);
    return status == ERR_NOT_FOUND ? OK : status;
}

status_t replica__receiver_clean(struct replica *r, struct error *error)
{
    static const char *const suffixes[] = {".incoming", ".incoming.new"};
    status_t status = OK;
    for (size_t i = 0; status == OK && i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[PATH_MAX_BYTES];
        incoming_path(r, suffixes[i], path);
        status = incoming_remove(r->env, path, error);
    }
    return status;
}

void replica__receiver_create(struct replica *r)
{
    r->receiver = mem_zalloc(1, sizeof *r->receiver);
    buffer_init(&r->receiver->chunk, REPLICA_REQUEST_SIZE_MAX);
}

void replica__receiver_destroy(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    if (!receiver)
        return;
    ASSERT(!receiver->working);
    kv_load_abort(receiver->load);
    kv_close(receiver->kv);
    buffer_free(&receiver->chunk);
    mem_free(receiver);
    r->receiver = NULL;
}

bool replica__receiver_holds(const struct replica *r)
{
    return r->receiver->state == REPLICA__SWAPPING;
}

bool replica__receiver_wants_rest(const struct replica *r)
{
    return r->receiver->state == REPLICA__READY;
}

bool replica__receiver_silences(const struct replica *r)
{
    const struct replica__receiver *receiver = r->receiver;
    return receiver->state == REPLICA__SWAPPING ||
           (receiver->state == REPLICA__READY && !r->checkpoint_out &&
            env_monotonic_us(r->env) - receiver->ready_us >= REST_US);
}

/* ---- talking to the sender ---------------------------------------------------------------------
 */

static void fetch_send(struct replica *r, uint64_t to, uint64_t id, uint64_t bytes, status_t status)
{
    const struct replica__receiver *receiver = r->receiver;
    struct replica_message message = {.type = REPLICA_SNAPSHOT_FETCH,
                                      .to = to,
                                      .id = id,
                                      .index = bytes,
                                      .version = receiver->number,
                                      .status = status};
    if (bytes > 0)
        message.body = slice_make(receiver->last_key, receiver->last_key_size);
    replica__send(r, &message);
}

/* The next one; or the last one again, when its answer seems lost. */
static void fetch(struct replica *r, bool again)
{
    struct replica__receiver *receiver = r->receiver;
    ASSERT(receiver->state == REPLICA__FETCHING && receiver->chunk.size == 0);
    receiver->number += !again;
    receiver->awaits = true;
    fetch_send(r, receiver->from, receiver->id, REPLICA_CHUNK_BYTES, OK);
}

static void clear(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    ASSERT(receiver->state == REPLICA__FETCHING || receiver->state == REPLICA__READY);
    receiver->state = REPLICA__CLEARING;
    receiver->awaits = false;
    buffer_reset(&receiver->chunk);
}

/* False: not now. */
static bool room_enough(struct replica *r, uint64_t bytes)
{
    uint64_t available;
    struct error error;
    if (env_disk_free(r->env, r->dir, &available, &error) != OK ||
        available >= bytes + r->config.disk_reserve_bytes)
        return true; /* it may turn out otherwise */
    log_warn("replica",
             "a snapshot of %" PRIu64 " KiB does not fit on the disk, which has %" PRIu64
             " KiB left",
             bytes >> 10, available >> 10);
    return false;
}

static void receive_begin(struct replica *r, const struct replica_message *message,
                          const struct replica__meta *meta, uint64_t bytes)
{
    struct replica__receiver *receiver = r->receiver;
    uint64_t now_us = env_monotonic_us(r->env);
    ASSERT(receiver->state == REPLICA__IDLE && !receiver->kv && !receiver->working);
    if (now_us < receiver->retry_us)
        return;
    if (!room_enough(r, bytes)) {
        receiver->retry_us = now_us + RETRY_US;
        return;
    }
    log_info("replica",
             "fetches a snapshot at %" PRIu64 " from node %" PRIu64 ", about %" PRIu64 " KiB",
             meta->index, message->from, bytes >> 10);
    receiver->state = REPLICA__FETCHING;
    receiver->from = message->from;
    receiver->id = message->id;
    receiver->meta = *meta;
    receiver->bytes = receiver->chunks = receiver->synced = 0;
    receiver->began_us = now_us;
    receiver->last_key_size = 0;
    receiver->chunk_last = false;
    fetch(r, false);
}

void replica__snapshot_offer(struct replica *r, const struct replica_message *message)
{
    struct replica__receiver *receiver = r->receiver;
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, message->body);
    bool shape = msgpack_get_array(&reader) == 2;
    struct replica__meta meta = {.index = message->index,
                                 .version = message->version,
                                 .term = msgpack_get_uint(&reader),
                                 .received = true};
    uint64_t bytes = msgpack_get_uint(&reader);
    if (!shape || !msgpack_done(&reader) || meta.index == 0 || meta.index > RAFT_INDEX_MAX ||
        meta.term == 0 || meta.term > RAFT_INDEX_MAX) {
        r->messages_refused++;
        return;
    }
    if (message->from != r->leader)
        return; /* of a leader that is none any more, or not heard of yet: it will say so again */
    bool same = receiver->id == message->id && receiver->from == message->from;
    if (receiver->state == REPLICA__FETCHING && same && receiver->awaits)
        fetch(r, true);
    else if (receiver->state == REPLICA__FETCHING && !same)
        clear(r); /* its sender has it no more; the next offer is taken */
    else if (receiver->state != REPLICA__IDLE)
        fetch_send(r, message->from, message->id, 0, OK);
    else if (raft_restore_check(r->raft, meta.index, meta.term) != OK)
        fetch_send(r, message->from, message->id, 0, ERR_EXISTS);
    else
        receive_begin(r, message, &meta, bytes);
}

void replica__snapshot_chunk(struct replica *r, const struct replica_message *message)
{
    struct replica__receiver *receiver = r->receiver;
    if (receiver->state != REPLICA__FETCHING || message->from != receiver->from ||
        message->id != receiver->id || message->version != receiver->number || !receiver->awaits)
        return; /* late, or twice */
    if (message->status != OK) {
        log_info("replica", "the snapshot from node %" PRIu64 " is gone", message->from);
        clear(r);
        return;
    }
    struct replica__chunk_place place = {.id = receiver->id, .number = receiver->number};
    struct slice last_key = slice_make(receiver->last_key, receiver->last_key_size);
    if (!replica__chunk_check(message->body, place, last_key, &receiver->chunk_last, &last_key) ||
        buffer_append_slice(&receiver->chunk, message->body) != OK) {
        /* With the next offer it is fetched again. */
        log_warn("replica", "a damaged piece of a snapshot came from node %" PRIu64, message->from);
        r->messages_refused++;
        buffer_reset(&receiver->chunk);
        return;
    }
    if (last_key.data != receiver->last_key && last_key.size) {
        memcpy(receiver->last_key, last_key.data, last_key.size);
        receiver->last_key_size = (uint32_t)last_key.size;
    }
    receiver->awaits = false;
    receiver->bytes += message->body.size;
    receiver->chunks++;
    r->snapshot_bytes_received += message->body.size;
}

/* ---- work: putting chunks into the tree --------------------------------------------------------
 */

struct load_work {
    struct replica_work work;
    struct env *env;
    char path[PATH_MAX_BYTES];
    struct kv_options options;
    struct replica__meta meta;
    struct buffer chunk;
    bool last;
    bool sync;
    struct kv *kv;
    struct kv_load *load;
    status_t status;
    struct error error;
};

static status_t load_begin(struct load_work *work)
{
    status_t status = incoming_remove(work->env, work->path, &work->error);
    if (status == OK)
        status = kv_open(work->env, work->path, &work->options, &work->kv, &work->error);
    return status == OK ? kv_load_begin(work->kv, &work->load, &work->error) : status;
}

static status_t load_end(struct load_work *work)
{
    struct buffer meta;
    buffer_init(&meta, KV_APP_META_SIZE_MAX);
    status_t status = kv_load_end(work->load, &work->error);
    work->load = NULL;
    if (status == OK) {
        status = replica__meta_encode(&work->meta, &meta);
        ASSERT(status == OK);
        status = kv_checkpoint(work->kv, buffer_slice(&meta), &work->error);
    }
    buffer_free(&meta);
    return status;
}

static void load_run(struct replica_work *base)
{
    struct load_work *work = (struct load_work *)base;
    struct replica__chunk_cursor cursor;
    struct slice key, value;
    work->status = work->kv ? OK : load_begin(work);
    replica__chunk_walk(buffer_slice(&work->chunk), &cursor);
    while (work->status == OK && replica__chunk_next(&cursor, &key, &value))
        work->status = kv_load_put(work->load, key, value, &work->error);
    if (work->status == OK && work->last)
        work->status = load_end(work);
    else if (work->status == OK && work->sync) /* of an empty tree, but it syncs all pages */
        work->status = kv_checkpoint(work->kv, (struct slice){0}, &work->error);
}

static void load_done(struct replica *r, struct replica_work *base)
{
    struct load_work *work = (struct load_work *)base;
    struct replica__receiver *receiver = r->receiver;
    receiver->working = false;
    receiver->kv = work->kv;
    receiver->load = work->load;
    if (work->status != OK && receiver->state == REPLICA__FETCHING && !r->failed) {
        log_warn("replica", "a snapshot could not be received: %s", work->error.message);
        receiver->retry_us = env_monotonic_us(r->env) + RETRY_US;
        clear(r);
    } else if (work->last && receiver->state == REPLICA__FETCHING) {
        receiver->state = REPLICA__READY;
        receiver->ready_us = env_monotonic_us(r->env);
    }
    buffer_free(&work->chunk);
    mem_free(work);
}

/* The new tree is of the old one's engine. */
static enum kv_engine engine_of(struct kv *kv)
{
    struct kv_stats stats;
    kv_stats(kv, &stats);
    return stats.engine;
}

static struct replica_work *load_take(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    struct load_work *work = mem_zalloc(1, sizeof *work);
    work->work = (struct replica_work){.run = load_run, .done = load_done};
    work->env = r->env;
    incoming_path(r, ".incoming", work->path);
    work->options = r->config.kv;
    work->options.engine = engine_of(r->kv);
    work->meta = receiver->meta;
    work->chunk = receiver->chunk;
    work->last = receiver->chunk_last;
    work->sync = receiver->bytes - receiver->synced >= SYNC_BYTES;
    if (work->sync)
        receiver->synced = receiver->bytes;
    work->kv = receiver->kv;
    work->load = receiver->load;
    buffer_init(&receiver->chunk, REPLICA_REQUEST_SIZE_MAX);
    receiver->kv = NULL;
    receiver->load = NULL;
    receiver->working = true;
    if (!work->last)
        fetch(r, false);
    return &work->work;
}

/* ---- work: giving up ---------------------------------------------------------------------------
 */

struct clear_work {
    struct replica_work work;
    struct env *env;
    char path[PATH_MAX_BYTES];
    struct kv *kv;
    struct kv_load *load;
};

static void clear_run(struct replica_work *base)
{
    struct clear_work *work = (struct clear_work *)base;
    struct error error;
    kv_load_abort(work->load);
    kv_close(work->kv);
    if (incoming_remove(work->env, work->path, &error) != OK)
        log_warn("replica", "%s", error.message); /* the next snapshot or start will do it */
}

static void clear_done(struct replica *r, struct replica_work *base)
{
    ASSERT(r->receiver->state == REPLICA__CLEARING);
    r->receiver->working = false;
    r->receiver->state = REPLICA__IDLE;
    mem_free(base);
}

static struct replica_work *clear_take(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    struct clear_work *work = mem_zalloc(1, sizeof *work);
    work->work = (struct replica_work){.run = clear_run, .done = clear_done};
    work->env = r->env;
    incoming_path(r, ".incoming", work->path);
    work->kv = receiver->kv;
    work->load = receiver->load;
    receiver->kv = NULL;
    receiver->load = NULL;
    receiver->working = true;
    return &work->work;
}

/* ---- work: the swap ----------------------------------------------------------------------------
 */

struct swap_work {
    struct replica_work work;
    char path[PATH_MAX_BYTES];
    struct kv *kv;
    status_t status;
    struct error error;
};

static void swap_run(struct replica_work *base)
{
    struct swap_work *work = (struct swap_work *)base;
    work->status = kv_rename(work->kv, work->path, &work->error);
}

/* Steps 3 and 4. */
static status_t swap(struct replica *r, struct kv *kv, struct error *error)
{
    struct kv *old = r->kv;
    r->kv = kv;
    replica__retire(r, old);
    status_t status = replica__meta_load(r, error);
    if (status != OK)
        return status;
    ASSERT(r->applied_index == r->receiver->meta.index && r->received);
    r->version_last = r->applied_version;
    r->checkpoint_index = r->applied_index;
    r->checkpoint_time_us = env_monotonic_us(r->env);
    r->applied_bytes = 0;
    txn_certifier_start(r->certifier, r->applied_version);
    struct raft_members members;
    replica__members_to_raft(&r->members_applied, &members);
    status = raft_restore(r->raft, r->applied_index, r->applied_term, &members);
    if (status == OK)
        status = wal_reset(r->wal, r->applied_index, r->applied_term);
    if (status != OK)
        return error_set(error, status, "a snapshot cannot be taken over: %s", status_text(status));
    r->staged = true;
    r->reset_batch = r->batch_next;
    return OK;
}

static void swap_done(struct replica *r, struct replica_work *base)
{
    struct swap_work *work = (struct swap_work *)base;
    struct replica__receiver *receiver = r->receiver;
    ASSERT(receiver->state == REPLICA__SWAPPING);
    receiver->working = false;
    receiver->state = REPLICA__IDLE;
    if (r->failed) {
        kv_close(work->kv);
    } else if (work->status != OK) {
        kv_close(work->kv); /* which tree has the name, the next start will see */
        replica__fail(r, &work->error);
    } else if (swap(r, work->kv, &work->error) != OK) {
        replica__fail(r, &work->error);
    } else {
        log_info("replica",
                 "goes on from the snapshot at %" PRIu64 ": %" PRIu64 " KiB in %" PRIu64 " ms",
                 r->applied_index, receiver->bytes >> 10,
                 (env_monotonic_us(r->env) - receiver->began_us) / 1000);
    }
    mem_free(work);
}

static struct replica_work *swap_take(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    struct swap_work *work = mem_zalloc(1, sizeof *work);
    work->work = (struct replica_work){.run = swap_run, .done = swap_done};
    incoming_path(r, "", work->path);
    work->kv = receiver->kv;
    receiver->kv = NULL;
    receiver->working = true;
    return &work->work;
}

struct replica_work *replica__receiver_work(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    if (receiver->working)
        return NULL;
    if (receiver->state == REPLICA__FETCHING && receiver->chunk.size > 0)
        return load_take(r);
    if (receiver->state == REPLICA__CLEARING)
        return clear_take(r);
    return receiver->state == REPLICA__SWAPPING ? swap_take(r) : NULL;
}

/* ---- step 1 ------------------------------------------------------------------------------------
 */

/* Nothing that was handed out before is on its way. */
static bool at_rest(struct replica *r)
{
    return raft_idle(r->raft) && !r->checkpoint_out && !r->batch_out && !r->staged &&
           r->bundles.count == 0 && !raft_has_ready(r->raft);
}

void replica__receiver_pump(struct replica *r)
{
    struct replica__receiver *receiver = r->receiver;
    if (receiver->state != REPLICA__READY || r->failed)
        return;
    status_t status = raft_restore_check(r->raft, receiver->meta.index, receiver->meta.term);
    if (status != OK) {
        log_info("replica", "the snapshot at %" PRIu64 " is not needed: %s", receiver->meta.index,
                 status_text(status));
        fetch_send(r, receiver->from, receiver->id, 0, ERR_EXISTS);
        clear(r);
        return;
    }
    if (!at_rest(r)) {
        /* A full disk may keep entries from being applied, and what was received fill it. */
        if ((r->apply_blocked || r->batch_blocked) &&
            env_monotonic_us(r->env) - receiver->ready_us >= REST_US_MAX) {
            log_warn("replica", "the snapshot at %" PRIu64 " is given up: no room to take it over",
                     receiver->meta.index);
            receiver->retry_us = env_monotonic_us(r->env) + RETRY_US;
            clear(r);
        }
        return;
    }
    receiver->state = REPLICA__SWAPPING;
}
