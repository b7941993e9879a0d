/* An ordered map from byte keys to byte values: a log-structured merge tree in one file.
 *
 * The other engine behind kv.h, which is where the promises about threads, visibility, ownership
 * and errors are told; functions here do what those of the same name there say. In short: one
 * writer; snapshots, and cursors over them, on any thread beside it, without locks; durable is what
 * a checkpoint has written. How it works is told in lsm.c, why it is so in
 * docs/decisions/0016-a-merge-tree-in-one-file.md.
 *
 * The tree follows O'Neil et al., "The Log-Structured Merge-Tree", 1996, with the levels of
 * LevelDB (Ghemawat and Dean, 2011), sized from the deepest one up. */
#ifndef LSM_LSM_H
#define LSM_LSM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"

#define LSM_KEY_SIZE_MAX      1024u
#define LSM_VALUE_SIZE_MAX    (1u << 30)
#define LSM_APP_META_SIZE_MAX 512u
#define LSM_SOURCES_MAX       28u

struct lsm;            /* an open store */
struct lsm_view;       /* one immutable published state */
struct lsm_checkpoint; /* a checkpoint under way */
struct lsm_load;       /* a bulk load under way */

/* As kv_options, all of them given. */
struct lsm_options {
    uint32_t page_size; /* unit of space, and about the size of a block */
    uint64_t map_size_max;
    uint64_t growth_bytes;
    uint64_t run_bytes; /* about the size of a sorted run below level 0 */
    uint32_t views_max;
    bool read_only;
};

/* Whether the file at `path` is a store of this engine. ERR_NOT_FOUND: there is none. */
status_t lsm_recognise(struct env *env, const char *path, bool *is_lsm, struct error *error);
status_t lsm_open(struct env *env, const char *path, const struct lsm_options *options,
                  struct lsm **out, struct error *error);
void lsm_close(struct lsm *lsm);
status_t lsm_rename(struct lsm *lsm, const char *path, struct error *error);
struct slice lsm_meta(const struct lsm *lsm);

/* ---- the writer ----------------------------------------------------------------------------- */

status_t lsm_put(struct lsm *lsm, struct slice key, struct slice value, struct error *error);
status_t lsm_delete(struct lsm *lsm, struct slice key, bool *found, struct error *error);
status_t lsm_delete_range(struct lsm *lsm, struct slice low, struct slice high, uint64_t limit,
                          uint64_t *removed, struct error *error);
status_t lsm_get_latest(struct lsm *lsm, struct slice key, struct slice *value,
                        struct error *error);
status_t lsm_publish(struct lsm *lsm, struct error *error);
status_t lsm_reserve(struct lsm *lsm, uint64_t bytes, struct error *error);

status_t lsm_load_begin(struct lsm *lsm, struct lsm_load **out, struct error *error);
status_t lsm_load_put(struct lsm_load *load, struct slice key, struct slice value,
                      struct error *error);
status_t lsm_load_end(struct lsm_load *load, struct error *error);
void lsm_load_abort(struct lsm_load *load);

/* Also does a bounded piece of the merging that is due. */
status_t lsm_compact(struct lsm *lsm, uint64_t keep_bytes, uint32_t limit, uint64_t *given,
                     struct error *error);

/* ---- views: the snapshots of kv (any thread) ------------------------------------------------- */

/* `place` is below views_max and no view that is open now was opened with it: who numbers the
 * snapshots is the caller. Cannot fail. */
struct lsm_view *lsm_view_open(struct lsm *lsm, uint32_t place);
void lsm_view_close(struct lsm_view *view);
status_t lsm_get(struct lsm_view *view, struct slice key, struct slice *value, struct error *error);

/* ---- cursors -------------------------------------------------------------------------------- */

/* A place in one memtable, one run of level 0, or one deeper level. */
struct lsm_source {
    const void *at; /* node or block; null: at its end */
    const struct lsm__memtable *memtable;
    const struct lsm__run *const *runs; /* when memtable is null */
    uint32_t run_count;
    uint32_t run;
    uint32_t block;
    uint32_t index;
};

/* On the caller's stack, nothing to release. The fields are the room's own. */
struct lsm_cursor {
    struct lsm *lsm;
    const struct lsm__state *state;
    uint64_t sequence; /* newest that it sees */
    uint64_t changes;
    bool latest;
    bool valid;
    bool forward;    /* the sources stand at or behind the current key, not before it */
    bool tombstones; /* it stops at those too */
    uint8_t count;
    uint8_t current; /* source */
    uint8_t bound;   /* source with the next key after the current one's; count: none */
    uint32_t free;   /* entries of the current block below this need no comparison */
    struct lsm_source sources[LSM_SOURCES_MAX];
};

void lsm_cursor_init(struct lsm_cursor *cursor, struct lsm_view *view);
void lsm_cursor_init_latest(struct lsm_cursor *cursor, struct lsm *lsm);
status_t lsm_cursor_seek(struct lsm_cursor *cursor, struct slice key, struct error *error);
status_t lsm_cursor_seek_reverse(struct lsm_cursor *cursor, struct slice key, struct error *error);
status_t lsm_cursor_first(struct lsm_cursor *cursor, struct error *error);
status_t lsm_cursor_last(struct lsm_cursor *cursor, struct error *error);
status_t lsm_cursor_next(struct lsm_cursor *cursor, struct error *error);
status_t lsm_cursor_prev(struct lsm_cursor *cursor, struct error *error);
/* Entries that can be had at once, from the current one on, at most `max`; they lie in one block.
 * Not over the writer's view. The cursor stays. */
uint32_t lsm_cursor_run(const struct lsm_cursor *cursor, uint32_t max);
struct slice lsm_cursor_key_of(const struct lsm_cursor *cursor, uint32_t index, uint8_t *room);
struct slice lsm_cursor_value_of(const struct lsm_cursor *cursor, uint32_t index);
/* On by as many entries as a run had, or fewer. */
status_t lsm_cursor_pass(struct lsm_cursor *cursor, uint32_t count, struct error *error);
/* The key, in place or put together in `room`, which has LSM_KEY_SIZE_MAX bytes. */
struct slice lsm_cursor_key(const struct lsm_cursor *cursor, uint8_t *room);
struct slice lsm_cursor_value(const struct lsm_cursor *cursor);

/* ---- checkpoints ---------------------------------------------------------------------------- */

status_t lsm_checkpoint_begin(struct lsm *lsm, struct slice app_meta, struct lsm_checkpoint **out,
                              struct error *error);
status_t lsm_checkpoint_write(struct lsm_checkpoint *checkpoint, struct error *error);
status_t lsm_checkpoint_end(struct lsm *lsm, struct lsm_checkpoint *checkpoint,
                            struct error *error);

/* ---- scrubbing and inspection ---------------------------------------------------------------- */

/* As kv_scrub; the next step goes on from this block of this run. */
struct lsm_scrub {
    uint64_t pages;
    uint64_t damaged;
    uint64_t rounds;
    uint64_t run;
    uint32_t block;
};
/* Any thread; the view keeps what it reads. */
status_t lsm_scrub_step(struct lsm_view *view, struct lsm_scrub *scrub, uint32_t pages,
                        struct error *error);

/* As kv_stats. */
struct lsm_stats {
    uint64_t entries;
    uint64_t checkpoint;
    uint32_t page_size;
    uint32_t pages;
    uint32_t pages_free;
    uint32_t pages_hole;
    uint32_t pages_pending;
    uint32_t depth;
    uint32_t meta_pages_bad;
};
void lsm_stats(const struct lsm *lsm, struct lsm_stats *stats);

typedef void lsm_check_fn(void *context, const char *problem);
status_t lsm_check(struct lsm *lsm, lsm_check_fn *report, void *context, struct error *error);

#endif
