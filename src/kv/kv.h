/* An ordered map from byte keys to byte values in one file, by one of two engines: a copy-on-write
 * B+-tree on the mapped file, or a log-structured merge tree (room lsm). What is promised here is
 * promised by both; where only one of them can keep to it, that is said.
 *
 * Threads. One thread at a time is the *writer*: functions that take a `struct kv` are its alone,
 * except kv_snapshot_open. A snapshot, and every cursor over it, may be opened, read and
 * closed on any thread while the writer goes on; one cursor serves one thread at a time. Reading
 * takes no lock and allocates nothing.
 *
 * Visibility. A change is seen at once by the writer's own view (kv_get_latest,
 * kv_cursor_init_latest), by snapshots opened after the next kv_publish, and by a process that
 * opens the file after a crash once a checkpoint begun after that publish has ended. There is no
 * log here: what was not checkpointed is gone after a crash, and the caller replays it.
 *
 * Errors. `error` may be NULL everywhere; when given it names the file and, for damage, the page.
 *   ERR_CORRUPT    a page fails its checksum or contradicts itself; no data of it was returned.
 *   ERR_DISK_FULL  no room to grow: the operation did not happen, the tree is as before.
 *   ERR_IO         as ERR_DISK_FULL while growing; out of a checkpoint it is final (below).
 *   ERR_INVALID    an empty key, or a change to a store opened read-only.
 *   ERR_TOO_LONG   key over KV_KEY_SIZE_MAX, value over KV_VALUE_SIZE_MAX, file over map_size_max.
 * After a failed checkpoint write, or damage met in the middle of a change, the store is *failed*:
 * every later change, publish and checkpoint returns the first error; snapshots stay readable. */
#ifndef KV_KV_H
#define KV_KV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "lsm/lsm.h"

#define KV_KEY_SIZE_MAX      1024u
#define KV_VALUE_SIZE_MAX    (1u << 30)
#define KV_APP_META_SIZE_MAX 512u
#define KV_DEPTH_MAX         24

struct kv;            /* an open store */
struct kv_snapshot;   /* one immutable published state */
struct kv_checkpoint; /* a checkpoint under way */
struct kv_load;       /* a bulk load under way */

/* Which of the two a file is of is decided when it is made. */
enum kv_engine {
    KV_ENGINE_ANY, /* of a new store: KV_ENGINE_BTREE */
    KV_ENGINE_BTREE,
    KV_ENGINE_LSM,
};
/* "btree", "lsm". */
const char *kv_engine_name(enum kv_engine engine);
/* KV_ENGINE_ANY when there is none of that name. */
enum kv_engine kv_engine_from_name(const char *name);

/* Zero means the default given here. */
struct kv_options {
    enum kv_engine engine;  /* an existing file must be of it, unless it is ANY */
    uint32_t page_size;     /* 4096; a power of two up to 32768; an existing file keeps its own */
    uint64_t map_size_max;  /* address space reserved, and so the largest file: 256 GiB */
    uint64_t growth_bytes;  /* least growth of the file: 1 MiB (more as the file gets larger) */
    uint32_t snapshots_max; /* open at one time: 4096 */
    uint64_t run_bytes;     /* lsm: about the size of a sorted run: 16 MiB */
    bool read_only;         /* never writes; the file must exist; locks it all the same */
};

/* Opens the store at `path`, creating it when missing, at its newest durable checkpoint. `options`
 * may be NULL. `env` must outlive it. ERR_LOCKED: another process, or another kv_open of this one,
 * has it. ERR_FORMAT: of another format version or byte order, or of the other engine. ERR_CORRUPT:
 * no valid meta page. */
status_t kv_open(struct env *env, const char *path, const struct kv_options *options,
                 struct kv **out, struct error *error);
/* NULL is allowed. All snapshots must be closed, no checkpoint and no load under way (asserted).
 * What was not checkpointed is dropped. */
void kv_close(struct kv *kv);
/* Moves the store's file to another name in the same directory, durably; what has that name is
 * replaced at once and in whole. The store stays open and everything goes on as before. Writer's
 * thread, no snapshot open on another. ERR_IO: nobody knows under which name the file is. */
status_t kv_rename(struct kv *kv, const char *path, struct error *error);
/* The app_meta of the checkpoint the store was opened at, or of the last one that ended since;
 * empty for a new store. Valid until the next kv_checkpoint_end. */
struct slice kv_meta(const struct kv *kv);

/* ---- the writer ----------------------------------------------------------------------------- */

/* Inserts or replaces. Key and value are copied; they must not point into this store's pages
 * unless those belong to an open snapshot. */
status_t kv_put(struct kv *kv, struct slice key, struct slice value, struct error *error);
/* The same. *followed false: right behind the entry there is none whose key begins with the first
 * `shared` bytes of this key. True: there is one, or may be; the merge tree does not look. */
status_t kv_put_look(struct kv *kv, struct slice key, struct slice value, size_t shared,
                     bool *followed, struct error *error);
/* *found (may be NULL) tells whether there was something to remove; OK either way. */
status_t kv_delete(struct kv *kv, struct slice key, bool *found, struct error *error);
/* Removes keys from [low, high) (an empty `high` is no bound), from the lowest on: all, or at least
 * `limit` of them, which is exceeded by less than a page's. *removed tells how many; fewer than
 * `limit`: none is left. On an error some of them may have gone, as *removed tells. */
status_t kv_delete_range(struct kv *kv, struct slice low, struct slice high, uint64_t limit,
                         uint64_t *removed, struct error *error);
/* One of many changes. An *older form* of the entry is the first one at or behind `key`, if it is
 * as long and begins with the same `shared` bytes. */
struct kv_change {
    struct slice key;
    struct slice value;
    uint32_t shared;
    bool remove;   /* take the older form out, unless `followed`: then as without */
    bool followed; /* out: behind it is another entry that begins with those bytes, or may be. The
                      older form itself may be: one that another page begins with is left there */
};
/* Puts entries in place of their older forms, or takes these out. Keys ascend, and no two of them
 * begin with the same `shared` bytes (their own). *done tells how many changes were made; after an
 * error the next one may have been made in part: then both forms are there. Not in a store of the
 * merge tree, which would have to look for what it replaces (kv_replaces). */
status_t kv_replace(struct kv *kv, struct kv_change *changes, uint32_t count, uint32_t *done,
                    struct error *error);
bool kv_replaces(const struct kv *kv);
/* The writer's own view. ERR_NOT_FOUND leaves `error` alone. *value is valid until the next
 * change. */
status_t kv_get_latest(struct kv *kv, struct slice key, struct slice *value, struct error *error);
/* Makes all changes since the last publish visible to snapshots opened from now on, at once. */
status_t kv_publish(struct kv *kv, struct error *error);

/* Grows the file until at least `bytes` of free pages are in it, so that changes of about that size
 * go on working on a disk that fills up meanwhile. Cheap when there are enough. ERR_DISK_FULL and
 * the like: the file is as it was, or grown by a part. */
status_t kv_reserve(struct kv *kv, uint64_t bytes, struct error *error);
/* The same, for that many changes: puts, removals, replacements of entries without long values,
 * whatever is copied, split and merged for them. They do not fail for want of room then. Only in
 * the tree (kv_replaces). */
status_t kv_reserve_changes(struct kv *kv, uint32_t count, struct error *error);

/* ---- bulk load (the writer) -------------------------------------------------------------------
 */

/* Fills an empty store with sorted input, at about the speed of the disk: pages are written once,
 * full, and in the order of the keys. From begin to end (or abort) no other change and no publish
 * is allowed (asserted); nothing of the load is seen by anybody until it has ended.
 * begin: ERR_INVALID when the store is not empty. Publishes what was changed before. */
status_t kv_load_begin(struct kv *kv, struct kv_load **out, struct error *error);
/* ERR_INVALID when the key is not greater than the one before. After any error the load is as it
 * was before the call and can go on. */
status_t kv_load_put(struct kv_load *load, struct slice key, struct slice value,
                     struct error *error);
/* Makes what was loaded the writer's view and publishes it; not durable before a checkpoint. Frees
 * `load` in any case; on an error the store is empty as before. */
status_t kv_load_end(struct kv_load *load, struct error *error);
/* Gives the pages back and frees `load`; the store is empty as before. NULL is allowed. */
void kv_load_abort(struct kv_load *load);

/* Gives space back to the file system, down to about `keep_bytes` of free pages, in steps bounded
 * by `limit`. A file much longer than what is in it is shortened: each step moves some pages (64
 * for each of `limit`) to its front, and what is free at its end, in both of the last two
 * checkpoints too, is cut off; so it takes two checkpoints more. Otherwise blocks of free pages are
 * given back, at most `limit` pieces (of up to 16 MiB) a call: the file keeps its length but takes
 * less of the disk (du, not ls), and what was given back is asked for again when it is needed.
 * Counts as a change, to be published. *given: bytes given back or moved; 0 when there is nothing
 * more to do before the next checkpoint has ended. ERR_UNSUPPORTED: the file system cannot. */
status_t kv_compact(struct kv *kv, uint64_t keep_bytes, uint32_t limit, uint64_t *given,
                    struct error *error);

/* ---- snapshots (any thread) ----------------------------------------------------------------- */

/* The newest published state. O(1), lock-free. Close it on any thread. ERR_BUSY: snapshots_max are
 * open. A snapshot kept open keeps the pages it reaches from being reused, so the file may grow. */
status_t kv_snapshot_open(struct kv *kv, struct kv_snapshot **out, struct error *error);
/* NULL is allowed. */
void kv_snapshot_close(struct kv_snapshot *snapshot);
/* ERR_NOT_FOUND leaves `error` alone. *value points into the store and is valid until the snapshot
 * is closed, however long the value is. */
status_t kv_get(struct kv_snapshot *snapshot, struct slice key, struct slice *value,
                struct error *error);

/* ---- cursors -------------------------------------------------------------------------------- */

/* On the caller's stack, nothing to release. The fields are the room's own. Not to be copied. */
struct kv_cursor {
    struct kv *kv;
    uint64_t changes; /* of the writer's view: the change count it was placed at */
    uint32_t root;
    bool latest;
    bool valid;
    uint8_t depth; /* levels in use; level[depth - 1] is the leaf */
    struct {
        const uint8_t *page;
        uint32_t index;
        uint32_t count;
    } level[KV_DEPTH_MAX];
    const uint8_t *key_page; /* the leaf whose keys' common beginning `key` begins with, or NULL */
    uint8_t key[KV_KEY_SIZE_MAX + 16]; /* where kv_cursor_key puts a key together */
    struct lsm_cursor lsm; /* of a store of that engine; only `kv`, `valid` and `key` besides */
};

/* With the address sanitizer each move writes over the key handed out before, so that nobody gets
 * away with using it. */
#if defined(__SANITIZE_ADDRESS__)
#define KV_CURSOR_SCRIBBLES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KV_CURSOR_SCRIBBLES 1
#endif
#endif
#ifndef KV_CURSOR_SCRIBBLES
#define KV_CURSOR_SCRIBBLES 0
#endif

void kv_cursor_init(struct kv_cursor *cursor, struct kv_snapshot *snapshot);
/* Over the writer's own view, on the writer's thread. After any change the cursor, and slices
 * taken from it, must not be used (asserted) until it is placed again by seek, first or last. */
void kv_cursor_init_latest(struct kv_cursor *cursor, struct kv *kv);
/* These place the cursor; OK with kv_cursor_valid false when there is no such entry. An error
 * leaves it invalid. seek: the first key >= `key`. seek_reverse: the last key <= `key`. */
status_t kv_cursor_seek(struct kv_cursor *cursor, struct slice key, struct error *error);
status_t kv_cursor_seek_reverse(struct kv_cursor *cursor, struct slice key, struct error *error);
/* As kv_cursor_seek, from where the cursor is, or was when it became invalid: quick for a key on
 * the same page or on one near it. A cursor that was never placed is placed from the root. */
status_t kv_cursor_seek_near(struct kv_cursor *cursor, struct slice key, struct error *error);
status_t kv_cursor_first(struct kv_cursor *cursor, struct error *error);
status_t kv_cursor_last(struct kv_cursor *cursor, struct error *error);
/* kv_cursor_next where it is more than a step within a page. */
status_t kv_cursor_next_any(struct kv_cursor *cursor, struct error *error);
/* Only while valid. Amortised O(1). Going over an end makes the cursor invalid. */
static inline status_t kv_cursor_next(struct kv_cursor *cursor, struct error *error)
{
    if (!KV_CURSOR_SCRIBBLES && cursor->valid && !cursor->latest &&
        cursor->level[cursor->depth - 1].index + 1 < cursor->level[cursor->depth - 1].count) {
        cursor->level[cursor->depth - 1].index++;
        return OK;
    }
    return kv_cursor_next_any(cursor, error);
}
status_t kv_cursor_prev(struct kv_cursor *cursor, struct error *error);
static inline bool kv_cursor_valid(const struct kv_cursor *cursor)
{
    return cursor->valid;
}
/* Only while valid. The key lies in the cursor: valid until the cursor is moved or placed anew (or
 * is gone), and in the writer's view until the next change. */
struct slice kv_cursor_key(struct kv_cursor *cursor);
/* The value lies in the store: valid until the snapshot is closed (writer's view: until the next
 * change), also after the cursor has moved on. Reads the pages of a long value at their first
 * touch, so it can meet damage. */
status_t kv_cursor_value(const struct kv_cursor *cursor, struct slice *value, struct error *error);

/* About how many entries are in [low, high) (an empty high: no end), by two ways down the tree. */
status_t kv_estimate(struct kv_snapshot *snapshot, struct slice low, struct slice high,
                     double *entries, struct error *error);
/* Places a cursor behind about that share (0 <= share < 1) of the entries of [low, high), or, where
 * shares are told too coarsely, near it. */
status_t kv_cursor_seek_share(struct kv_cursor *cursor, struct kv_snapshot *snapshot,
                              struct slice low, struct slice high, double share,
                              struct error *error);

struct kv_entry {
    struct slice key;
    struct slice value;
};
/* Only while valid, and not over the writer's view. Up to `max` entries of the cursor's page, from
 * its own on, as key and value give them, but with the keys in `keys`; an entry with a long value
 * ends them, and is not among them. At least one unless that is the first. The cursor stays. */
uint32_t kv_cursor_run(const struct kv_cursor *cursor, struct kv_entry *entries, uint32_t max,
                       struct arena *keys);
/* The same, where no key is put together: of each only what lies behind *shared, which all of them
 * begin with, in place. In a store of the other engine `shared` is empty, and keys are in `keys`.
 */
uint32_t kv_cursor_run_parts(const struct kv_cursor *cursor, struct kv_entry *entries, uint32_t max,
                             struct slice *shared, struct arena *keys);
/* On by as many entries as a run had, or fewer. */
status_t kv_cursor_pass(struct kv_cursor *cursor, uint32_t count, struct error *error);

/* ---- the tree's nodes (any thread) ------------------------------------------------------------
 *
 * For what can be summed up over all entries of a subtree. A node of a snapshot never changes, so
 * what was found out about it can be noted down and found again by those who read a snapshot that
 * has the same node; a change makes new nodes from the leaf up to the root. */

/* Good while the snapshot is open. */
struct kv_node {
    struct kv *kv;
    const void *page;
    uint32_t level; /* 0: a leaf */
    uint32_t count; /* of its entries or children */
};

/* *found: has it one? Not when it is empty, or of the other engine (kv_snapshot_has_nodes). */
status_t kv_node_root(struct kv_snapshot *snapshot, struct kv_node *out, bool *found,
                      struct error *error);
bool kv_snapshot_has_nodes(const struct kv_snapshot *snapshot);
/* Of a branch; children are in the order of their keys. */
status_t kv_node_child(const struct kv_node *node, uint32_t index, struct kv_node *out,
                       struct error *error);
/* Of a branch the child under which `key` belongs; of a leaf the first entry >= `key`, or count. */
uint32_t kv_node_search(const struct kv_node *node, struct slice key);
/* Of a leaf: the key of an entry, in `bytes` (KV_KEY_SIZE_MAX of them) or in place. */
struct slice kv_node_key(const struct kv_node *node, uint32_t index, uint8_t *bytes);
/* As kv_cursor_value. */
status_t kv_node_value(const struct kv_node *node, uint32_t index, struct slice *value,
                       struct error *error);
/* Of a leaf, as cheap as can be: how many bytes all its keys begin with alike, what the key of an
 * entry has behind them, and its value; value.data is NULL where only kv_node_value can tell. */
struct kv_node_entry {
    struct slice rest;
    struct slice value;
};
uint32_t kv_node_shared(const struct kv_node *node);
void kv_node_entries(const struct kv_node *node, uint32_t from, uint32_t count,
                     struct kv_node_entry *entries);

/* What is noted is the note taker's; there is one kind of them. It must follow from the entries
 * below the node alone. Notes are kept in a place of fixed size and may get lost at any time. */
struct kv_note {
    uint64_t words[2];
};
bool kv_node_note(const struct kv_node *node, struct kv_note *note);
void kv_node_set_note(const struct kv_node *node, const struct kv_note *note);

/* ---- checkpoints ---------------------------------------------------------------------------- */

/* Three steps, so that the syncs run beside the writer. One at a time.
 * begin (writer): freezes the last *published* state and notes `app_meta` (e.g. the log index
 * applied in it; at most KV_APP_META_SIZE_MAX, ERR_TOO_LONG). An error leaves all as it was. */
status_t kv_checkpoint_begin(struct kv *kv, struct slice app_meta, struct kv_checkpoint **out,
                             struct error *error);
/* write (any thread, once): checksums and syncs the frozen pages, then writes and syncs a meta
 * page. OK: it is durable. Otherwise the store is failed. */
status_t kv_checkpoint_write(struct kv_checkpoint *checkpoint, struct error *error);
/* end (writer): frees `checkpoint` in any case; when it was written, pages that only the checkpoint
 * before it could reach become reusable. Returns what write returned. */
status_t kv_checkpoint_end(struct kv *kv, struct kv_checkpoint *checkpoint, struct error *error);
/* The three steps in a row, on the writer's thread. */
status_t kv_checkpoint(struct kv *kv, struct slice app_meta, struct error *error);

/* ---- scrubbing (any thread) ------------------------------------------------------------------ */

/* Where a walk over all pages stands. The caller's; zeros begin it. */
struct kv_scrub {
    uint64_t pages;    /* looked at so far */
    uint64_t damaged;  /* of them */
    uint64_t rounds;   /* whole walks done */
    uint32_t key_size; /* the next step goes on from this key */
    uint8_t key[KV_KEY_SIZE_MAX];
};
/* Reads about the next `pages` pages of the newest published tree anew and proves checksum and
 * layout; ends early when the round ends. ERR_CORRUPT: the step met damage (`error` names the first
 * page) and ended; the next one goes on behind it. ERR_BUSY: as kv_snapshot_open. */
status_t kv_scrub_step(struct kv *kv, struct kv_scrub *scrub, uint32_t pages, struct error *error);

/* ---- inspection (writer's thread) ------------------------------------------------------------ */

struct kv_stats {
    enum kv_engine engine;
    uint64_t entries; /* in the writer's view */
    uint64_t file_bytes;
    uint64_t checkpoint; /* number of the last durable one */
    uint32_t page_size;
    uint32_t pages;         /* in the file, with the two meta pages */
    uint32_t pages_free;    /* reusable now */
    uint32_t pages_hole;    /* of them, without blocks on the disk, or not known to have any */
    uint32_t pages_pending; /* given up, but a snapshot or a checkpoint may reach them */
    uint32_t snapshots_open;
    uint32_t depth; /* levels in use; 0: empty */
    uint32_t
        meta_pages_bad; /* met at open: 1 after a cut in the middle of a checkpoint, or damage */
};
void kv_stats(struct kv *kv, struct kv_stats *stats);

/* Called for each thing found wrong, with one line of text. */
typedef void kv_check_fn(void *context, const char *problem);
/* Walks the whole file and proves: keys in order and within their separators, levels and counts
 * right, checksums of all durable pages, and every page exactly one of: reachable from the latest
 * root (once), free, or waiting to be freed; no page the durable checkpoint reaches is free.
 * ERR_CORRUPT when anything was reported; `error` tells the first. `report` may be NULL. */
status_t kv_check(struct kv *kv, kv_check_fn *report, void *context, struct error *error);
/* Appends what there is to say about one page of the file at `path`, some lines of text: kind,
 * whether it is good, who uses it, what is in it. Any thread; opens and locks nothing, so it may be
 * of a store in use. *good: its checksum and layout are, or it is free. ERR_NOT_FOUND: no such
 * file, or page; ERR_CORRUPT, ERR_FORMAT: the meta pages tell nothing. */
status_t kv_page_print(struct env *env, const char *path, uint32_t page, bool *good,
                       struct buffer *out, struct error *error);

#endif
