/* Multi-version keys over kv: every write of a key is a version of its own, and a reader sees the
 * newest version at or below the one it reads at.
 *
 * Stored key: the user key, then 8 bytes: the version, inverted, big-endian. The newest version of
 * a key therefore comes first, and a read at a version is one seek. This needs user keys to be
 * prefix-free (none is a prefix of another), which SQL's are. User keys begin with a byte of at
 * least MVCC_KEY_FIRST_MIN; smaller ones are left to other users of the same kv.
 * Stored value: one byte (0 a value, 1 a tombstone), then the value.
 *
 * A transaction reads a `struct mvcc_view` merged with its own writes, a `struct mvcc_overlay`.
 * Versions that no read at or above the watermark can see are collected; reads below it are an
 * error. */
#ifndef MVCC_MVCC_H
#define MVCC_MVCC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/ordered.h"
#include "base/problem.h"
#include "base/status.h"
#include "kv/kv.h"

enum {
    MVCC_KEY_MAX = 1000, /* bytes of a user key */
    MVCC_KEY_FIRST_MIN = 0x10,
    /* One key under this byte is mvcc's own: the watermark. It may differ between trees that are
     * otherwise equal, as collected versions do. */
    MVCC_WATERMARK_PREFIX = 0x03,
};

struct mvcc_collector; /* which keys may have garbage; the writer's */

/* ---- writing (the kv's writer thread) -------------------------------------------------------- */

/* Writes `key` at `version`: a value, or a tombstone when `value` is NULL. Writing the same version
 * again replaces it, so applying twice is applying once. *garbage (may be NULL): some day something
 * is to be collected for it, a version it replaces or the tombstone itself; false only when there
 * is none. ERR_TOO_LONG, ERR_INVALID (key), and what kv_put returns. */
status_t mvcc_write(struct kv *kv, struct slice key, uint64_t version, const struct slice *value,
                    bool *garbage, struct error *error);

/* Many writes at one version, in place of what their keys had before. For an owner who keeps no
 * older versions: from the next publish on no read below `version` will be asked for (it is the
 * watermark then, see below), and the tree is not published before all of them were made, again
 * from the first one if that ended with an error. Keys that still have something to collect are
 * told to the collector (NULL: nobody). Only in a kv that can do so (kv_replaces). */
struct mvcc_replace {
    struct kv *kv;
    uint64_t version;
    struct mvcc_collector *collector;
    struct kv_change *changes; /* in `bytes`, as their keys and values */
    uint32_t count, capacity;
    struct arena bytes;
};
/* version: above all that were written, and so above the watermark. expected: how many writes will
 * come, or 1 at least. */
void mvcc_replace_begin(struct mvcc_replace *r, struct kv *kv, uint64_t version, uint32_t expected,
                        struct mvcc_collector *collector);
/* As mvcc_write; made at once or later. In the order of their keys they are made fastest. */
status_t mvcc_replace_add(struct mvcc_replace *r, struct slice key, const struct slice *value,
                          struct error *error);
/* Makes what is left and notes the watermark. */
status_t mvcc_replace_end(struct mvcc_replace *r, struct error *error);
/* At the end, and after an error. */
void mvcc_replace_free(struct mvcc_replace *r);

/* ---- a transaction's own writes ---------------------------------------------------------------
 */

/* In key order; a tombstone is a node whose tag is MVCC_TOMBSTONE. Replaced values stay allocated
 * until the overlay is freed, so that slices handed out stay valid. */
struct mvcc_overlay {
    struct ordered writes;
    struct arena arena; /* theirs: an overlay does not move in memory */
    uint64_t bytes_max; /* of keys and values; more: ERR_TOO_LONG */
    uint64_t bytes;     /* with what was replaced */
};

enum { MVCC_TOMBSTONE = 1 };

void mvcc_overlay_init(struct mvcc_overlay *overlay, uint64_t bytes_max);
void mvcc_overlay_free(struct mvcc_overlay *overlay);
/* `value` NULL deletes. */
status_t mvcc_overlay_write(struct mvcc_overlay *overlay, struct slice key,
                            const struct slice *value);

/* ---- reading (any thread) ---------------------------------------------------------------------
 */

struct mvcc_view {
    struct kv_snapshot *snapshot;
    uint64_t version;
    const struct mvcc_overlay *overlay; /* or NULL */
};

/* A view at `version`, which may be older than the snapshot's newest. ERR_TOO_OLD: below the
 * watermark. (A view at the newest version of its snapshot needs no such care.) */
status_t mvcc_view_open(struct mvcc_view *view, struct kv_snapshot *snapshot, uint64_t version,
                        const struct mvcc_overlay *overlay, struct error *error);

/* ERR_NOT_FOUND (error untouched) when there is no such key at the view's version. *own (may be
 * NULL) tells that the answer came from the overlay. The value lives as long as the snapshot and
 * the overlay. */
status_t mvcc_get(const struct mvcc_view *view, struct slice key, struct slice *value, bool *own,
                  struct error *error);

/* Gets that come one after the other, quick for keys near the one before. The view stays where it
 * is and keeps its snapshot and its version; its overlay may change. One thread's. */
struct mvcc_near;
struct mvcc_near *mvcc_near_create(const struct mvcc_view *view);
/* NULL is allowed. */
void mvcc_near_destroy(struct mvcc_near *near);
/* As mvcc_get. */
status_t mvcc_near_get(struct mvcc_near *near, struct slice key, struct slice *value, bool *own,
                       struct error *error);

/* A walk over the keys of [low, high), ascending or descending; an empty `high` is no bound. The
 * bounds are not copied, and must not be longer forms of a key that may be stored (prefix-freeness
 * again). The overlay may get more writes while the walk goes on, but none in its range. */
struct mvcc_scan {
    const struct mvcc_view *view;
    struct slice low, high;
    bool reverse;
    struct kv_cursor cursor;
    bool stored_ready; /* the next stored key, found but not yet given out */
    struct slice stored_key, stored_value;
    bool in_run;              /* none was looked for; stored_key was decided last, or is empty */
    bool is_keyless;          /* see mvcc_scan_next_many */
    struct ordered_node *own; /* the overlay's next */
    /* The stored key given out last and the next one take turns in these. */
    uint8_t turn;
    uint8_t keys[2][MVCC_KEY_MAX];
};

status_t mvcc_scan_begin(struct mvcc_scan *scan, const struct mvcc_view *view, struct slice low,
                         struct slice high, bool reverse, struct error *error);
/* ERR_NOT_FOUND (error untouched) at the end. The key lies in the scan and is valid until the next
 * call (which must not find the scan moved in memory); the value lives as long as the snapshot and
 * the overlay. */
status_t mvcc_scan_next(struct mvcc_scan *scan, struct slice *key, struct slice *value,
                        struct error *error);

/* The next keys, up to `max`, with their values. *count < max only at the end, where error is
 * untouched. After an error *count of them are good. Keys live in `keys`. With scan->is_keyless,
 * which may be set behind mvcc_scan_begin, only the last key is given, or one between it and the
 * next; the others may be anything. */
status_t mvcc_scan_next_many(struct mvcc_scan *scan, struct kv_entry *entries, uint32_t max,
                             uint32_t *count, struct arena *keys, struct error *error);

/* Look-ups: one scan for many short ranges and single keys, one after the other. Each is found from
 * where the one before was, so that those that ascend cost least. */

/* A scan of no range yet, ascending; see mvcc_scan_begin. */
void mvcc_scan_init(struct mvcc_scan *scan, const struct mvcc_view *view);
/* To another range, of a scan that ascends; as mvcc_scan_begin, except that is_keyless stays. */
status_t mvcc_scan_move(struct mvcc_scan *scan, struct slice low, struct slice high,
                        struct error *error);
/* As mvcc_get; the scan has no range then. */
status_t mvcc_scan_get(struct mvcc_scan *scan, struct slice key, struct slice *value, bool *own,
                       struct error *error);

/* Counts the keys of [low, high) without giving them out. What is found out about whole subtrees is
 * noted in the kv, so that later counts look at what has changed since and at the ways to the
 * bounds. Memory: this struct. */
struct mvcc_count {
    const struct mvcc_view *view;
    struct slice low, high; /* not copied */
    uint64_t keys;          /* counted so far */
    bool at_end;
    bool resume_whole;     /* a node begins there, and nothing of it was looked at */
    uint32_t steps;        /* how many pages this call may still look at */
    uint64_t newest;       /* version met since it was last set to zero */
    uint32_t decided_size; /* the user key counted or left out last; 0: none yet */
    uint32_t resume_size;  /* the stored key to go on from; 0: from `low` */
    uint8_t decided[KV_KEY_SIZE_MAX];
    uint8_t resume[KV_KEY_SIZE_MAX];
};
/* False: not here. The overlay has writes in the range, or the store is of another engine: use a
 * scan. */
bool mvcc_count_begin(struct mvcc_count *count, const struct mvcc_view *view, struct slice low,
                      struct slice high);
/* Goes on by some thousand pages; at_end tells whether it was the last step. */
status_t mvcc_count_step(struct mvcc_count *count, struct error *error);

/* About how many versions of keys the store has in [low, high): an estimate of the keys. */
status_t mvcc_estimate(const struct mvcc_view *view, struct slice low, struct slice high,
                       double *keys, struct error *error);
/* Appends a key that lies at about that share (0 <= share < 1) of those of [low, high); nothing
 * when none is known. */
status_t mvcc_share_key(const struct mvcc_view *view, struct slice low, struct slice high,
                        double share, struct buffer *key, struct error *error);
/* Up to `max` neighbouring keys of [low, high), some way into it: behind that share (0 <= share <
 * 1) of them. Keys live in `keys`. */
status_t mvcc_sample(const struct mvcc_view *view, struct slice low, struct slice high,
                     double share, struct kv_entry *entries, uint32_t max, uint32_t *count,
                     struct arena *keys, struct error *error);

/* ---- garbage collection ------------------------------------------------------------------------
 *
 * The owner of the tree says up to which watermark, when, and how much at a time. Replicas may do
 * so at different times: what a read at the watermark or above sees is the same in all of them. A
 * transaction that reads the newest version of its kv snapshot is never in the way: any watermark
 * not above the newest version written as a whole is allowed. */

/* bytes_max: of memory; 0: 32 MiB. Begins as one that has lost notes. */
struct mvcc_collector *mvcc_collector_create(uint64_t bytes_max);
/* NULL is allowed. */
void mvcc_collector_destroy(struct mvcc_collector *collector);
/* `key` was written at `version` in place of another or as a tombstone (mvcc_write says so), or
 * (version 0) was found to have garbage. */
void mvcc_collector_note(struct mvcc_collector *collector, struct slice key, uint64_t version);
/* Have notes been lost since this was asked last? Then mvcc_garbage_find must go through a tree
 * that has those writes, and its finds be noted. */
bool mvcc_collector_lost(struct mvcc_collector *collector);
/* How often it was told of something. */
uint64_t mvcc_collector_noted(const struct mvcc_collector *collector);
/* How many keys wait to be looked at. */
uint32_t mvcc_collector_waiting(const struct mvcc_collector *collector);
/* Writer's thread. Removes versions that no read at or above `watermark` can see, looking at and
 * removing at most about `limit`; *removed of them went. Notes the watermark in the tree when it is
 * higher than before. An error (as of kv_delete) leaves the tree with some of them gone, which is
 * as good; after ERR_DISK_FULL it may be called again. */
status_t mvcc_collect(struct mvcc_collector *collector, struct kv *kv, uint64_t watermark,
                      uint32_t limit, uint32_t *removed, struct error *error);

/* `key` is valid during the call. */
typedef void mvcc_garbage_fn(void *context, struct slice key);
/* Any thread. Calls `found` for each key with something to collect at `watermark` among the next
 * `limit` keys from `start` on (empty: from the first). *next gets where to go on, empty at the
 * end.
 */
status_t mvcc_garbage_find(struct kv_snapshot *snapshot, struct slice start, uint64_t watermark,
                           uint32_t limit, mvcc_garbage_fn *found, void *context,
                           struct buffer *next, struct error *error);
/* The watermark of the tree, 0 when nothing was ever collected in it. */
status_t mvcc_watermark(struct kv_snapshot *snapshot, uint64_t *version, struct error *error);

/* ---- proof -------------------------------------------------------------------------------------
 */

struct mvcc_checked {
    uint64_t keys, versions;
    uint64_t watermark;
};
/* Any thread. Walks all versions, none of which may be above `newest`, and adds to `problems` what
 * is wrong with one. An error (as of kv_cursor_next): the walk ended there. */
status_t mvcc_check(struct kv_snapshot *snapshot, uint64_t newest, struct problems *problems,
                    struct mvcc_checked *out, struct error *error);

#endif
