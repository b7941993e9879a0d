/* Snapshots: how a node that lacks entries which no log has any more gets the state instead. This
 * file is the leader's side; replica_snapshot_receive.c is the other's.
 *
 * Raft names the node. The leader opens a snapshot of its tree, which is O(1) and leaves it free to
 * go on, and offers it; the other one fetches it piece by piece, each time saying behind which key
 * it wants to go on. So all that the transfer knows is with the receiver: a lost message or
 * connection costs one piece sent again, and the leader need not remember where it was.
 *
 *     leader                                     receiver
 *     OFFER  id, index, term, bytes        -->
 *                                          <--   FETCH  id, number, behind which key, bytes wanted
 *     CHUNK  id, number, pairs, last?      -->   into a new tree (the next FETCH goes out
 * meanwhile)
 *                                         ...
 *     CHUNK  last                          -->   checkpoint, takes the old one's place
 *                                          <--   raft: "I have all up to `index`"
 *
 * The offer is repeated every second in which nothing was fetched: it begins the transfer, makes a
 * receiver that was restarted begin again, and one whose message was lost ask again. A receiver
 * that needs no snapshot (any more) says so instead. The leader ends it when raft says that the
 * node needs none, when it leads no more, or when nothing has come for a minute; then raft asks
 * anew if need be.
 *
 *     waiting --reachable--> offered --FETCH--> asked --work, rate--> offered
 *        ^                      |  |
 *        |   silent for 60 s    |  +-- raft: has it; leadership lost --> gone
 *        +----------------------+
 *
 * What may slow down others is limited: pieces are read on the background thread, and sent no
 * faster than snapshot_bytes_per_second, all receivers together. While the snapshot is open, pages
 * of the tree that it reaches cannot be used again, so the leader's file may grow. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/msgpack.h"
#include "replica/replica_snapshot_int.h"

enum {
    OFFER_US = 1000000,
    SILENT_US = 60 * 1000000,
    CHUNK_BYTES_MIN = 1024,
    CHUNKS_PER_SECOND = 16, /* at the least: a low rate is not kept by rare large pieces */
    /* Unused allowance is kept for so long: a burst of that many microseconds' worth. */
    BURST_US = 100000,
};

/* A snapshot on its way to one node. */
struct send {
    uint64_t peer;
    uint64_t id;
    uint64_t led_term;            /* of the leadership it belongs to */
    struct kv_snapshot *snapshot; /* NULL: waiting */
    uint64_t index, term, version;
    uint64_t bytes; /* about */
    uint64_t began_us, offered_us, heard_us;
    uint64_t sent_bytes, sent_chunks;
    /* what it asked for */
    bool asked;
    uint64_t number;
    uint32_t wanted;
    uint32_t after_size;
    uint8_t after[KV_KEY_SIZE_MAX];
    bool working; /* a piece is being read: `over` waits for it */
    bool over;
};

struct replica__sends {
    struct send *items[REPLICA_MEMBERS_MAX];
    uint32_t count;
    uint32_t turn;     /* the one looked at first for work */
    int64_t allowance; /* bytes that may be sent now; less than 0: too many were */
    uint64_t allowance_us;
};

void replica__sends_create(struct replica *r)
{
    r->sends = mem_zalloc(1, sizeof *r->sends);
    r->sends->allowance_us = env_monotonic_us(r->env);
}

static void send_free(struct send *send)
{
    ASSERT(!send->working);
    kv_snapshot_close(send->snapshot);
    mem_free(send);
}

void replica__sends_destroy(struct replica *r)
{
    if (!r->sends)
        return;
    for (uint32_t i = 0; i < r->sends->count; i++)
        send_free(r->sends->items[i]);
    mem_free(r->sends);
    r->sends = NULL;
}

static struct send *send_find(const struct replica *r, uint64_t peer)
{
    for (uint32_t i = 0; i < r->sends->count; i++)
        if (r->sends->items[i]->peer == peer)
            return r->sends->items[i];
    return NULL;
}

/* Forgets it; its snapshot stays while a piece is being read. */
static void send_end(struct replica *r, struct send *send)
{
    struct replica__sends *sends = r->sends;
    uint32_t at = 0;
    while (at < sends->count && sends->items[at] != send)
        at++;
    ASSERT(at < sends->count);
    sends->items[at] = sends->items[--sends->count];
    send->over = true;
    if (!send->working)
        send_free(send);
}

/* ---- beginning ---------------------------------------------------------------------------------
 */

void replica__snapshot_needed(struct replica *r, uint64_t peer)
{
    struct send *old = send_find(r, peer);
    if (old)
        send_end(r, old);
    ASSERT(r->sends->count < REPLICA_MEMBERS_MAX);
    struct send *send = mem_zalloc(1, sizeof *send);
    send->peer = peer;
    send->led_term = r->term;
    r->sends->items[r->sends->count++] = send;
}

static status_t send_open(struct replica *r, struct send *send, uint64_t now_us)
{
    struct error error;
    struct kv_stats stats;
    status_t status = kv_snapshot_open(r->kv, &send->snapshot, &error);
    if (status != OK) {
        log_warn("replica", "no snapshot for node %" PRIu64 ": %s", send->peer, error.message);
        return status;
    }
    kv_stats(r->kv, &stats);
    env_random_bytes(r->env, &send->id, sizeof send->id);
    send->index = r->applied_index;
    send->term = r->applied_term;
    send->version = r->applied_version;
    send->bytes =
        (uint64_t)(stats.pages - stats.pages_free - stats.pages_pending) * stats.page_size;
    send->began_us = send->heard_us = now_us;
    log_info("replica", "node %" PRIu64 " gets a snapshot at %" PRIu64 ", about %" PRIu64 " KiB",
             send->peer, send->index, send->bytes >> 10);
    return OK;
}

static void send_offer(struct replica *r, struct send *send, uint64_t now_us)
{
    struct buffer body = {0};
    msgpack_put_array(&body, 2);
    msgpack_put_uint(&body, send->term);
    msgpack_put_uint(&body, send->bytes);
    struct replica_message message = {.type = REPLICA_SNAPSHOT_OFFER,
                                      .to = send->peer,
                                      .id = send->id,
                                      .index = send->index,
                                      .version = send->version,
                                      .body = buffer_slice(&body)};
    send->offered_us = now_us;
    replica__send(r, &message);
    buffer_free(&body);
}

/* ---- time --------------------------------------------------------------------------------------
 */

/* What raft knows of the node. */
static bool still_needed(const struct raft_status *status, uint64_t peer)
{
    for (uint32_t i = 0; i < status->peer_count; i++)
        if (status->peers[i].id == peer)
            return status->peers[i].state == RAFT_PROGRESS_SNAPSHOT;
    return false;
}

/* False: it is over. */
static bool send_tick(struct replica *r, struct send *send, const struct raft_status *status,
                      uint64_t now_us)
{
    if (status->role != RAFT_LEADER || status->term != send->led_term ||
        !still_needed(status, send->peer)) {
        if (send->sent_chunks)
            log_info("replica",
                     "snapshot for node %" PRIu64 " ends: %" PRIu64 " KiB in %" PRIu64 " ms",
                     send->peer, send->sent_bytes >> 10, (now_us - send->began_us) / 1000);
        return false;
    }
    if (!send->snapshot) {
        /* Not before its place in the cluster is a part of the state: it learns of it there. */
        if (!r->host.reachable(r->host.context, send->peer) || r->applied_term == 0 ||
            !replica__member_find(&r->members_applied, send->peer))
            return true;
        if (send_open(r, send, now_us) != OK)
            return true;
    }
    if (send->asked || send->working)
        return true;
    if (now_us - send->heard_us >= SILENT_US) {
        log_warn("replica", "node %" PRIu64 " fetches no snapshot", send->peer);
        raft_snapshot_failed(r->raft, send->peer);
        return false;
    }
    uint64_t last_us = send->offered_us > send->heard_us ? send->offered_us : send->heard_us;
    if (send->offered_us == 0 || now_us - last_us >= OFFER_US)
        send_offer(r, send, now_us);
    return true;
}

void replica__sends_tick(struct replica *r)
{
    if (r->sends->count == 0)
        return;
    struct raft_status status;
    raft_status(r->raft, &status);
    uint64_t now_us = env_monotonic_us(r->env);
    for (uint32_t i = r->sends->count; i-- > 0;)
        if (!send_tick(r, r->sends->items[i], &status, now_us))
            send_end(r, r->sends->items[i]);
}

uint64_t replica__sends_needs(const struct replica *r, uint64_t peer)
{
    const struct send *send = send_find(r, peer);
    return send && send->snapshot ? send->index + 1 : 0;
}

/* ---- pieces ------------------------------------------------------------------------------------
 */

/* Whatever a receiver asks for. */
static uint32_t chunk_bytes(const struct replica *r, uint64_t wanted)
{
    uint64_t most = r->config.snapshot_bytes_per_second / CHUNKS_PER_SECOND;
    if (most < CHUNK_BYTES_MIN)
        most = CHUNK_BYTES_MIN;
    if (most > REPLICA_CHUNK_BYTES)
        most = REPLICA_CHUNK_BYTES;
    return (uint32_t)(wanted < most ? wanted : most);
}

void replica__snapshot_fetch(struct replica *r, const struct replica_message *message)
{
    struct send *send = send_find(r, message->from);
    if (!send || !send->snapshot || send->id != message->id) {
        struct replica_message none = {.type = REPLICA_SNAPSHOT_CHUNK,
                                       .to = message->from,
                                       .id = message->id,
                                       .version = message->version,
                                       .status = ERR_NOT_FOUND};
        replica__send(r, &none);
        return;
    }
    if (message->body.size > KV_KEY_SIZE_MAX) {
        r->messages_refused++;
        return;
    }
    send->heard_us = env_monotonic_us(r->env);
    if (message->status != OK) {
        log_info("replica", "node %" PRIu64 " needs no snapshot: %s", send->peer,
                 status_text(message->status));
        raft_snapshot_failed(r->raft, send->peer);
        send_end(r, send);
        return;
    }
    if (message->index == 0)
        return; /* only says that it is still at it */
    send->asked = true;
    send->number = message->version;
    send->wanted = chunk_bytes(r, message->index);
    send->after_size = (uint32_t)message->body.size;
    if (message->body.size)
        memcpy(send->after, message->body.data, message->body.size);
}

struct send_work {
    struct replica_work work;
    struct send *send;
    struct kv_snapshot *snapshot; /* the send's, which lives until the work is done */
    struct replica__chunk_place place;
    uint32_t wanted;
    uint32_t after_size;
    uint8_t after[KV_KEY_SIZE_MAX];
    struct buffer chunk;
    status_t status;
    struct error error;
};

/* Puts the cursor on the first pair that was not sent. */
static status_t cursor_place(struct kv_cursor *cursor, struct slice after, struct error *error)
{
    if (after.size == 0)
        return kv_cursor_first(cursor, error);
    status_t status = kv_cursor_seek(cursor, after, error);
    if (status == OK && kv_cursor_valid(cursor) && slice_equal(kv_cursor_key(cursor), after))
        status = kv_cursor_next(cursor, error);
    return status;
}

static void send_run(struct replica_work *base)
{
    struct send_work *work = (struct send_work *)base;
    struct kv_cursor cursor;
    uint64_t bytes = 0;
    kv_cursor_init(&cursor, work->snapshot);
    replica__chunk_begin(&work->chunk);
    work->status = cursor_place(&cursor, slice_make(work->after, work->after_size), &work->error);
    while (work->status == OK && kv_cursor_valid(&cursor)) {
        struct slice value, key = kv_cursor_key(&cursor);
        work->status = kv_cursor_value(&cursor, &value, &work->error);
        /* A large value has a chunk to itself when others came before it. */
        if (work->status != OK || (bytes > 0 && bytes + key.size + value.size > work->wanted))
            break;
        replica__chunk_put(&work->chunk, key, value);
        bytes += key.size + value.size;
        work->status = kv_cursor_next(&cursor, &work->error);
    }
    if (work->status == OK)
        work->status = replica__chunk_end(&work->chunk, work->place, !kv_cursor_valid(&cursor));
    if (work->status == ERR_TOO_LONG)
        error_set(&work->error, ERR_TOO_LONG, "a value is too large for a snapshot");
}

static void send_done(struct replica *r, struct replica_work *base)
{
    struct send_work *work = (struct send_work *)base;
    struct send *send = work->send;
    send->working = false;
    if (work->status != OK && !r->failed)
        replica__fail(r, &work->error); /* the tree cannot be read: nothing here can be trusted */
    if (!send->over && !r->failed) {
        struct replica_message message = {.type = REPLICA_SNAPSHOT_CHUNK,
                                          .to = send->peer,
                                          .id = work->place.id,
                                          .version = work->place.number,
                                          .body = buffer_slice(&work->chunk)};
        replica__send(r, &message);
        send->heard_us = env_monotonic_us(r->env);
        send->sent_bytes += work->chunk.size;
        send->sent_chunks++;
        r->snapshot_bytes_sent += work->chunk.size;
        r->sends->allowance -= (int64_t)work->chunk.size;
    }
    if (send->over)
        send_free(send);
    buffer_free(&work->chunk);
    mem_free(work);
}

/* The allowance grows with time; a debt is paid off first. */
static bool allowed(struct replica *r)
{
    struct replica__sends *sends = r->sends;
    uint64_t now_us = env_monotonic_us(r->env);
    uint64_t passed_us = now_us - sends->allowance_us;
    uint64_t rate = r->config.snapshot_bytes_per_second;
    int64_t most = (int64_t)(rate / (1000000 / BURST_US)) + 1;
    if (passed_us > SILENT_US)
        passed_us = SILENT_US;
    uint64_t grown = rate / 1000000 * passed_us + rate % 1000000 * passed_us / 1000000;
    if (grown > 0) {
        sends->allowance += (int64_t)grown;
        sends->allowance_us = now_us;
    }
    if (sends->allowance > most)
        sends->allowance = most;
    return sends->allowance > 0;
}

struct replica_work *replica__sends_work(struct replica *r)
{
    struct replica__sends *sends = r->sends;
    struct send *send = NULL;
    for (uint32_t i = 0; i < sends->count && !send; i++) {
        struct send *next = sends->items[(sends->turn + i) % sends->count];
        if (next->asked && !next->working)
            send = next;
    }
    if (!send || !allowed(r))
        return NULL;
    sends->turn++;
    struct send_work *work = mem_zalloc(1, sizeof *work);
    work->work = (struct replica_work){.run = send_run, .done = send_done};
    work->send = send;
    work->snapshot = send->snapshot;
    work->place = (struct replica__chunk_place){.id = send->id, .number = send->number};
    work->wanted = send->wanted;
    work->after_size = send->after_size;
    memcpy(work->after, send->after, send->after_size);
    /* The largest pair that a transaction can write fits with room to spare. */
    buffer_init(&work->chunk, REPLICA_REQUEST_SIZE_MAX);
    send->asked = false;
    send->working = true;
    return &work->work;
}
