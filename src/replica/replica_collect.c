/* Old versions are collected on each node for itself, whenever it likes: what reads see is not
 * touched by it, so replicas need not agree on when.
 *
 * Every transaction reads the newest version of a kv snapshot of its own, which keeps its pages
 * whatever goes on in the tree; so no transaction holds the collection up and none is hurt by it.
 * Versions that were overwritten less than `history_us` ago (in versions, which are microseconds)
 * are kept for reads in the past.
 *
 *     what writes replace ---note--> collector --a bounded number--> out of the tree
 *     walks of the whole tree --^                 at a time
 *
 * A node that keeps no history replaces what is overwritten as it applies (replica_apply.c), if its
 * engine can; then what is left to collect is little: what was there before, and what a write did
 * not find on its page.
 *
 * Collection goes with applying: each burst of entries takes out about twice as much as it has
 * brought, so garbage cannot pile up; and with the tick, for what is left. A walk over the tree
 * looks for garbage the collector was never told of: at the start, in a tree that came as a
 * snapshot, and when the collector had no room. It is background work, a piece a tick. */
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "replica/replica_int.h"

enum {
    PIECE_KEYS = 2000,      /* looked at by one piece of a walk */
    WAITING_MAX = 20000,    /* a walk waits while more are to be collected */
    PUMP_LIMIT = 64,        /* removed with a burst, and twice what it wrote */
    TICK_LIMIT = 1024,      /* removed with a tick */
    TICK_LIMIT_SCARCE = 64, /* the same while the disk is full */
    REMOVED_BYTES = 64,     /* what a removal counts for the next checkpoint */
};

struct replica__collect {
    struct mvcc_collector *collector;
    struct kv *kv;      /* the tree it knows of */
    uint64_t noted;     /* by the collector, until the last collection */
    uint64_t removed;   /* versions since the last checkpoint began */
    bool walking;       /* a walk is not at its end */
    bool piece_due;     /* a tick has passed since the last piece */
    struct buffer next; /* where the walk goes on; empty: at the start */
};

void replica__collect_create(struct replica *r)
{
    r->collect = mem_zalloc(1, sizeof *r->collect);
    r->collect->collector = mvcc_collector_create(0);
    buffer_init(&r->collect->next, 0);
}

void replica__collect_destroy(struct replica *r)
{
    if (!r->collect)
        return;
    mvcc_collector_destroy(r->collect->collector);
    buffer_free(&r->collect->next);
    mem_free(r->collect);
}

struct mvcc_collector *replica__collector(struct replica *r)
{
    return r->collect->collector;
}

uint64_t replica__collect_removed(const struct replica *r)
{
    return r->collect->removed;
}

void replica__collect_checkpointed(struct replica *r)
{
    r->collect->removed = 0;
}

/* ---- taking out ------------------------------------------------------------------------------ */

static uint64_t watermark(const struct replica *r)
{
    uint64_t history = r->config.history_us;
    return r->applied_version > history ? r->applied_version - history : 0;
}

/* Takes out at most about `limit` versions; the tree must hold whole entries only. Not published.
 */
static void collect(struct replica *r, uint32_t limit)
{
    struct error error;
    uint32_t removed;
    ASSERT(!r->apply_blocked);
    status_t status =
        mvcc_collect(r->collect->collector, r->kv, watermark(r), limit, &removed, &error);
    r->collect->removed += removed;
    r->applied_bytes += (uint64_t)removed * REMOVED_BYTES;
    r->collect->noted = mvcc_collector_noted(r->collect->collector);
    /* A removal takes pages before it gives some back: when there are none, it is for later. */
    if (status != OK && status != ERR_DISK_FULL)
        replica__fail(r, &error);
}

void replica__collect_applied(struct replica *r)
{
    uint64_t noted = mvcc_collector_noted(r->collect->collector) - r->collect->noted;
    uint64_t limit = PUMP_LIMIT + 2 * noted;
    if (!r->apply_blocked && !r->reserve_scarce)
        collect(r, limit < TICK_LIMIT ? (uint32_t)limit : TICK_LIMIT);
}

void replica__collect_tick(struct replica *r)
{
    struct error error;
    r->collect->piece_due = true;
    if (r->failed || r->apply_blocked)
        return;
    uint64_t before = r->collect->removed;
    collect(r, r->reserve_scarce ? TICK_LIMIT_SCARCE : TICK_LIMIT);
    if (!r->failed && r->collect->removed != before && kv_publish(r->kv, &error) != OK)
        replica__fail(r, &error);
}

/* ---- looking for it -------------------------------------------------------------------------- */

struct walk_work {
    struct replica_work work;
    struct kv_snapshot *snapshot;
    uint64_t watermark;
    struct buffer start, next;
    struct buffer found; /* keys, each behind two bytes of its size */
    status_t status;
    struct error error;
};

static void walk_found(void *context, struct slice key)
{
    struct walk_work *walk = context;
    uint8_t size[2];
    ASSERT(key.size <= MVCC_KEY_MAX);
    put_u16_le(size, (uint16_t)key.size);
    buffer_append(&walk->found, size, sizeof size);
    buffer_append_slice(&walk->found, key);
}

static void walk_run(struct replica_work *work)
{
    struct walk_work *walk = (struct walk_work *)work;
    walk->status = mvcc_garbage_find(walk->snapshot, buffer_slice(&walk->start), walk->watermark,
                                     PIECE_KEYS, walk_found, walk, &walk->next, &walk->error);
}

static void walk_free(struct walk_work *walk)
{
    kv_snapshot_close(walk->snapshot);
    buffer_free(&walk->start);
    buffer_free(&walk->next);
    buffer_free(&walk->found);
    mem_free(walk);
}

static void walk_done(struct replica *r, struct replica_work *work)
{
    struct walk_work *walk = (struct walk_work *)work;
    struct replica__collect *c = r->collect;
    struct slice found = buffer_slice(&walk->found);
    while (found.size > 0) {
        size_t size = get_u16_le(found.data);
        mvcc_collector_note(c->collector, slice_make(found.data + 2, size), 0);
        found = slice_make(found.data + 2 + size, found.size - 2 - size);
    }
    if (walk->status != OK) /* what reads the damaged page says so too; the rest stays usable */
        log_error("replica", "looking for old versions: %s", walk->error.message);
    c->walking = walk->status == OK && walk->next.size > 0;
    buffer_reset(&c->next);
    buffer_append_slice(&c->next, buffer_slice(&walk->next));
    walk_free(walk);
}

struct replica_work *replica__collect_take(struct replica *r)
{
    struct replica__collect *c = r->collect;
    if (!c->piece_due)
        return NULL;
    if (c->kv != r->kv || (!c->walking && mvcc_collector_lost(c->collector))) {
        c->kv = r->kv;
        c->walking = true;
        buffer_reset(&c->next);
    }
    struct kv_snapshot *snapshot;
    if (!c->walking || mvcc_collector_waiting(c->collector) > WAITING_MAX ||
        kv_snapshot_open(r->kv, &snapshot, NULL) != OK)
        return NULL;
    c->piece_due = false;
    struct walk_work *walk = mem_zalloc(1, sizeof *walk);
    walk->work = (struct replica_work){.run = walk_run, .done = walk_done};
    walk->snapshot = snapshot;
    walk->watermark = watermark(r);
    buffer_init(&walk->start, 0);
    buffer_init(&walk->next, 0);
    buffer_init(&walk->found, 0);
    buffer_append_slice(&walk->start, buffer_slice(&c->next));
    return &walk->work;
}
