/* Inside lsm: the stored structures and what its files share. The file format is told at the top of
 * lsm_meta.c (meta pages and manifest), lsm_block.c (blocks) and lsm_build.c (runs). */
#ifndef LSM_LSM_INT_H
#define LSM_LSM_INT_H

#include <stdatomic.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/prng.h"
#include "lsm/lsm.h"

#define LSM_FORMAT_VERSION 2u
#define LSM_META_PAGES     2u
#define LSM_PAGE_SIZE_MIN  4096u
#define LSM_PAGE_SIZE_MAX  32768u
#define LSM_LEVELS         7u /* 0: runs that overlap; 1 to 6: each one sorted sequence of runs */
#define LSM_BOTTOM         (LSM_LEVELS - 1u)
#define LSM_LEVEL_FACTOR   10u
#define LSM_LEVEL0_MAX     16u /* runs of level 0 */
#define LSM_TABLES         256u /* of a memtable: each grows by itself, so that no put pays for all */
#define LSM_MEMTABLES_MAX  3u   /* the writer's, one being spilled, one being checkpointed */
#define LSM_FILTER_LINE    64u

_Static_assert(LSM_MEMTABLES_MAX + LSM_LEVEL0_MAX + LSM_LEVELS - 1 <= LSM_SOURCES_MAX,
               "a cursor has a place for every source");

/* ---- stored structures ---------------------------------------------------------------------- */

struct lsm__meta {
    uint8_t magic[8];
    uint32_t byte_order;
    uint32_t version;
    uint32_t page_size;
    uint32_t crc;
    uint64_t checkpoint;
    uint64_t entries;
    uint64_t next_run;
    uint32_t pages;
    uint32_t manifest_page; /* 0: no runs */
    uint32_t manifest_size; /* bytes */
    uint32_t manifest_crc;
    uint32_t runs;
    uint32_t app_meta_size;
    uint8_t app_meta[LSM_APP_META_SIZE_MAX];
};

/* Of a run, in the manifest; its first and its last key follow. Offsets are from the run's start.
 */
struct lsm__record {
    uint64_t number;
    uint64_t entries; /* tombstones among them */
    uint64_t tombstones;
    uint64_t payload; /* keys in full, values and slots */
    uint64_t index_at;
    uint64_t filter_at;
    uint32_t page;
    uint32_t pages;
    uint32_t blocks;
    uint32_t filter_lines;
    uint32_t filter_crc;
    uint32_t level;
    uint16_t first_size;
    uint16_t last_size;
    uint32_t key_size_max;
};

struct lsm__block {
    uint32_t crc;
    uint32_t size;
    uint32_t count;
    uint16_t prefix;
    uint16_t flags;
};

#define LSM_BLOCK_TOMBSTONES 1u /* there are some */

struct lsm__slot {
    uint32_t head;
    uint32_t offset;
    uint16_t key_size; /* without the prefix */
    uint16_t tombstone;
};

_Static_assert(sizeof(struct lsm__meta) == 584, "meta is 584 bytes on disk");
_Static_assert(offsetof(struct lsm__meta, crc) == 20, "meta layout");
_Static_assert(offsetof(struct lsm__meta, pages) == 48, "meta layout");
_Static_assert(offsetof(struct lsm__meta, app_meta) == 72, "meta layout");
_Static_assert(sizeof(struct lsm__meta) <= LSM_PAGE_SIZE_MIN, "meta fits into its page");
_Static_assert(sizeof(struct lsm__record) == 80, "record is 80 bytes on disk");
_Static_assert(sizeof(struct lsm__block) == 16, "block header is 16 bytes on disk");
_Static_assert(sizeof(struct lsm__slot) == 12, "slot is 12 bytes on disk");

/* ---- memtables ------------------------------------------------------------------------------ */

/* One version of one key. */
struct lsm__node {
    const uint8_t *value;
    uint64_t sequence;
    uint32_t value_size;
    uint32_t room; /* for the value */
    uint16_t key_size;
    uint8_t height;
    bool tombstone;
    const uint8_t *key;
    struct lsm__node *_Atomic next[]; /* height of them; the key's bytes lie behind */
};

#define LSM_HEIGHT_MAX 12u

/* The newest version of each key, by hash: open addressing, never full, nothing is taken out. */
struct lsm__table {
    struct lsm__table *before; /* the smaller one whose place it took; readers may be in it */
    uint32_t mask;
    uint32_t keys;
    struct {
        _Atomic(struct lsm__node *) node; /* null: free */
        uint64_t hash;                    /* written before the node */
    } slots[];
};

struct lsm__memtable {
    uint32_t references; /* by states */
    uint32_t key_size_max;
    uint64_t payload; /* of the newest versions: keys, values and slots, at most */
    uint64_t nodes;
    _Atomic(struct lsm__table *) tables[LSM_TABLES]; /* by the hash's upper bits; null: empty */
    struct arena arena;
    struct prng prng;
    struct lsm__node *head;
    struct lsm__node *trace[LSM_HEIGHT_MAX]; /* the last node before the place looked for last */
};

/* ---- runs ----------------------------------------------------------------------------------- */

struct lsm__run {
    struct lsm__record record;
    struct slice first;
    struct slice last;
    const uint8_t *base;        /* where it is mapped */
    uint32_t references;        /* by run sets, and by whoever builds one */
    bool busy;                  /* is being merged */
    bool trusted;               /* written since the store was opened */
    _Atomic bool sound;         /* index and filter have been looked at */
    _Atomic uint64_t *verified; /* a bit for each block; null: trusted */
};

/* An immutable set of them. Level 0: the newest first. Others: by key. */
struct lsm__runs {
    uint32_t references;
    uint32_t count[LSM_LEVELS];
    struct lsm__run **level[LSM_LEVELS];
};

/* ---- the state that snapshots see ------------------------------------------------------------ */

struct lsm__state {
    struct lsm__memtable *memtables[LSM_MEMTABLES_MAX]; /* the newest first */
    uint32_t memtable_count;
    struct lsm__runs *runs;
    uint64_t retired;        /* version at which another took its place */
    struct lsm__state *next; /* retired later */
};

struct lsm_view {
    _Atomic uint64_t pin; /* 0: closed; LSM_PIN_OPENING; else the version it shows */
    struct lsm *lsm;
    const struct lsm__state *state;
    uint64_t sequence;
    uint8_t unused[32]; /* to a cache line, so that readers do not disturb each other */
};

_Static_assert(sizeof(struct lsm_view) == 64, "a view fills a cache line");

#define LSM_PIN_OPENING UINT64_MAX

/* ---- work ----------------------------------------------------------------------------------- */

struct lsm__extent {
    uint32_t page;
    uint32_t pages; /* 0: none */
};

struct lsm__builder;

/* Merging of sources into runs of one level. */
struct lsm__merge {
    struct lsm *lsm;
    uint32_t level; /* of the output */
    bool drop;      /* tombstones: nothing below can have their keys */
    bool started;
    bool done;
    uint64_t number;           /* of the next output, of level 0 the only one */
    struct lsm__extent extent; /* where it goes */
    struct lsm__runs *base;    /* keeps the inputs */
    struct lsm__run **inputs;  /* by level, each in its order there */
    uint32_t input_count;
    uint32_t input_capacity;
    struct lsm__memtable *memtable; /* an input, or null */
    uint64_t sequence;              /* newest to be taken from it */
    struct lsm_cursor cursor;
    struct lsm__builder *builder;
    struct lsm__run **outputs;
    uint32_t output_count;
    uint32_t output_capacity;
};

struct lsm_checkpoint {
    struct lsm *lsm;
    struct lsm__meta meta;
    struct lsm__merge *spill; /* that was under way, or null */
    struct lsm__merge *flush; /* null: nothing was changed */
    struct lsm__runs *runs;   /* of the state it froze */
    struct lsm__extent manifest;
    status_t result;
};

struct lsm {
    struct env *env;
    struct env_file *file;
    struct env_map *map;
    uint8_t *base;
    char *path;
    struct lsm_options options;
    uint32_t page_size;
    uint32_t pages; /* in the file and mapped */

    /* The writer's. */
    struct lsm__state *state;
    uint64_t sequence; /* of changes not published yet: published + 1 */
    uint64_t changes;
    uint64_t entries;
    uint64_t published_entries;
    struct lsm__node **fresh; /* changed since the last publish, all in the newest memtable */
    uint32_t fresh_count;
    uint32_t fresh_capacity;
    struct lsm__extent reserve; /* where the newest memtable will be written */

    /* What snapshots take. shown[v & 1] is written before version becomes v. */
    _Atomic uint64_t version;
    struct {
        _Atomic(struct lsm__state *) state;
        _Atomic uint64_t sequence;
    } shown[2];
    struct lsm_view *views;
    _Atomic uint32_t views_used;
    struct lsm__state *retired; /* oldest first */
    struct lsm__state *retired_last;

    /* Pages: one bit each. See lsm_space.c. */
    uint64_t *free_bits;
    uint64_t *hole_bits; /* of the free ones, perhaps without blocks on the disk */
    uint32_t bit_words;
    uint32_t free_count;
    uint32_t hole_count;
    uint32_t free_hint; /* no free page in words below */
    uint32_t compact_at;
    uint32_t pending_pages; /* of runs that are not in the newest state any more */

    /* Merging, by the writer in pieces. */
    struct lsm__merge *merge; /* of runs */
    struct lsm__merge *spill; /* of a memtable */
    uint64_t debt;            /* bytes written that merging has to be done for */
    uint64_t next_run;
    uint32_t level_cursor_size[LSM_LEVELS]; /* where the next merge of a level begins */
    uint8_t level_cursor[LSM_LEVELS][LSM_KEY_SIZE_MAX];
    bool merge_blocked; /* it met a full disk; until space was freed */

    /* Checkpoints. */
    struct lsm__meta durable;
    struct lsm__runs *durable_runs;
    struct lsm__extent durable_manifest;
    struct lsm_checkpoint *running;
    struct lsm_load *loading;
    uint32_t meta_pages_bad;

    _Atomic bool failing;
    _Atomic uint32_t failed;
    char failed_text[200];
};

/* ---- lsm.c ---------------------------------------------------------------------------------- */

status_t lsm__writable(struct lsm *lsm, struct error *error);
/* Makes the store failed (the first call wins); returns `status`. Any thread. */
status_t lsm__fail(struct lsm *lsm, status_t status, const char *text);
/* Damage at a place in the file. */
status_t lsm__corrupt(const struct lsm *lsm, const uint8_t *at, const char *what,
                      struct error *error);

/* ---- lsm_space.c ---------------------------------------------------------------------------- */

/* A run of pages, contiguous. The file grows where needed. */
status_t lsm__space_get(struct lsm *lsm, uint64_t bytes, struct lsm__extent *out,
                        struct error *error);
/* Makes an extent longer, perhaps at another place: what is in it is lost. An error leaves it. */
status_t lsm__space_extend(struct lsm *lsm, struct lsm__extent *extent, uint64_t bytes,
                           struct error *error);
void lsm__space_free(struct lsm *lsm, struct lsm__extent extent);
/* Gives back what lies behind the first `pages`. */
void lsm__space_trim(struct lsm *lsm, struct lsm__extent *extent, uint32_t pages);
/* At open: all pages are free holes; then those in use are taken. False: they are in use. */
void lsm__space_init(struct lsm *lsm, uint32_t pages);
bool lsm__space_take(struct lsm *lsm, struct lsm__extent extent);
bool lsm__space_is_free(const struct lsm *lsm, uint32_t page);

static inline uint32_t lsm__pages_of(const struct lsm *lsm, uint64_t bytes)
{
    return (uint32_t)((bytes + lsm->page_size - 1) / lsm->page_size);
}

/* ---- lsm_meta.c ----------------------------------------------------------------------------- */

status_t lsm__meta_create(struct env *env, const char *path, uint32_t page_size,
                          uint64_t file_bytes, struct error *error);
/* The newest meta page into lsm->durable. */
status_t lsm__meta_read(struct lsm *lsm, uint64_t file_size, struct error *error);
/* The runs it names, into a new set with one reference; their pages are taken. */
status_t lsm__meta_load(struct lsm *lsm, struct lsm__runs **out, struct error *error);
/* Makes what was read durable once more: its sync may have failed. */
status_t lsm__meta_settle(struct lsm *lsm, struct error *error);
void lsm__meta_seal(struct lsm__meta *meta);
status_t lsm__meta_store(struct lsm *lsm, const struct lsm__meta *meta, struct error *error);
/* Bytes that the manifest of these runs takes; and with some more runs, at most. */
uint64_t lsm__manifest_size(const struct lsm__runs *runs, uint32_t more);
/* Appends a run to a manifest. */
void lsm__manifest_add(struct buffer *out, const struct lsm__run *run);

/* ---- lsm_memtable.c ------------------------------------------------------------------------- */

struct lsm__memtable *lsm__memtable_create(void);
void lsm__memtable_destroy(struct lsm__memtable *memtable);
/* The newest version of the key, or null. The writer's. */
struct lsm__node *lsm__memtable_find_latest(struct lsm__memtable *memtable, struct slice key);
/* Adds a version; `older` is the newest so far, or null. A null value is a tombstone. */
struct lsm__node *lsm__memtable_add(struct lsm__memtable *memtable, const struct lsm__node *older,
                                    struct slice key, const struct slice *value, uint64_t sequence);
/* Changes a version that nobody but the writer can see. */
void lsm__memtable_replace(struct lsm__memtable *memtable, struct lsm__node *node,
                           const struct slice *value);
/* Any thread from here on. The version of the first key >= `key` (or the last <= it) that
 * `sequence` sees, or null. A null key: from the first (last) on. */
const struct lsm__node *lsm__memtable_seek(const struct lsm__memtable *memtable,
                                           const struct slice *key, uint64_t sequence);
const struct lsm__node *lsm__memtable_seek_reverse(const struct lsm__memtable *memtable,
                                                   const struct slice *key, uint64_t sequence);
/* Exactly this key. */
const struct lsm__node *lsm__memtable_get(const struct lsm__memtable *memtable, struct slice key,
                                          uint64_t sequence);
/* The next (previous) key's version. */
const struct lsm__node *lsm__memtable_next(const struct lsm__node *node, uint64_t sequence);
const struct lsm__node *lsm__memtable_prev(const struct lsm__memtable *memtable,
                                           const struct lsm__node *node, uint64_t sequence);
/* Bytes that a run of its entries, and of `more` payload besides, can take at most. */
uint64_t lsm__memtable_bound(const struct lsm *lsm, const struct lsm__memtable *memtable,
                             uint64_t more);

static inline struct slice lsm__node_key(const struct lsm__node *node)
{
    return slice_make(node->key, node->key_size);
}

static inline struct slice lsm__node_value(const struct lsm__node *node)
{
    return slice_make(node->value, node->value_size);
}

/* ---- lsm_block.c ---------------------------------------------------------------------------- */

static inline const struct lsm__slot *lsm__block_slots(const struct lsm__block *block)
{
    return (const struct lsm__slot *)(const void *)(block + 1);
}

static inline struct slice lsm__block_prefix(const struct lsm__block *block)
{
    const uint8_t *at = (const uint8_t *)(lsm__block_slots(block) + block->count);
    return slice_make(at, block->prefix);
}

/* What of the key lies behind the prefix. */
static inline struct slice lsm__block_suffix(const struct lsm__block *block, uint32_t index)
{
    const struct lsm__slot *slot = &lsm__block_slots(block)[index];
    return slice_make((const uint8_t *)block + slot->offset, slot->key_size);
}

static inline struct slice lsm__block_value(const struct lsm__block *block, uint32_t index)
{
    const struct lsm__slot *slot = &lsm__block_slots(block)[index];
    uint32_t end = index + 1 < block->count ? slot[1].offset : block->size;
    uint32_t at = slot->offset + slot->key_size;
    return slice_make((const uint8_t *)block + at, end - at);
}

/* First index whose key is >= `key`; *exact when equal. */
uint32_t lsm__block_search(const struct lsm__block *block, struct slice key, bool *exact);
/* Null when the layout of a block in `room` bytes is sound, else what is wrong. */
const char *lsm__block_flaw(const struct lsm__block *block, uint64_t room);
/* `run` is the number of the run it is in. */
uint32_t lsm__block_crc(const struct lsm__block *block, uint64_t run);

/* A key in two pieces. */
struct lsm__key {
    struct slice prefix;
    struct slice suffix;
};
int lsm__key_compare(struct lsm__key a, struct lsm__key b);
static inline struct lsm__key lsm__key_of(struct slice key)
{
    return (struct lsm__key){.suffix = key};
}
static inline struct lsm__key lsm__block_key(const struct lsm__block *block, uint32_t index)
{
    return (struct lsm__key){lsm__block_prefix(block), lsm__block_suffix(block, index)};
}

/* A block being filled. */
struct lsm__filling {
    struct lsm__slot *slots; /* offsets are into `heap` until the end */
    uint32_t count;
    uint32_t capacity;
    uint32_t tombstones;
    struct buffer heap; /* whole keys and values */
};
void lsm__filling_init(struct lsm__filling *filling);
void lsm__filling_free(struct lsm__filling *filling);
void lsm__filling_add(struct lsm__filling *filling, struct slice key, struct slice value,
                      bool tombstone);
/* Size of the block it makes, at most. */
uint64_t lsm__filling_size(const struct lsm__filling *filling);
struct slice lsm__filling_key(const struct lsm__filling *filling, uint32_t index);
/* Writes the block, of the run of that number, behind `out` and begins anew. Returns its size;
 * `out` grows by a multiple of 8. */
uint32_t lsm__filling_finish(struct lsm__filling *filling, uint64_t run, struct buffer *out);

/* ---- lsm_build.c ---------------------------------------------------------------------------- */

/* Builds a run in `extent`, which it fills at most; the extent stays the caller's. */
struct lsm__builder *lsm__builder_create(struct lsm *lsm, struct lsm__extent extent,
                                         uint64_t number, uint32_t level);
void lsm__builder_destroy(struct lsm__builder *builder);
/* Whether one more such entry fits into the extent, whatever comes. */
bool lsm__builder_fits(const struct lsm__builder *builder, size_t key_size, size_t value_size);
/* Bytes that a run can take at most. */
uint64_t lsm__builder_bound(const struct lsm *lsm, uint64_t payload, uint64_t entries,
                            uint32_t key_size_max);
/* Room that a run of this one entry needs. */
uint64_t lsm__builder_least(const struct lsm *lsm, size_t key_size, size_t value_size);
/* An error leaves all as it was: of writing, or ERR_CORRUPT, when keys do not ascend. */
status_t lsm__builder_add(struct lsm__builder *builder, struct slice key, struct slice value,
                          bool tombstone, struct error *error);
struct slice lsm__builder_last_key(const struct lsm__builder *builder);
/* Writes what is left. The run has one reference and counts pages really used. An error leaves it
 * to be tried again. */
status_t lsm__builder_finish(struct lsm__builder *builder, struct lsm__run **out,
                             struct error *error);

uint64_t lsm__filter_hash(struct slice key);
bool lsm__filter_has(const uint8_t *filter, uint32_t lines, uint64_t hash);
uint32_t lsm__filter_lines(uint64_t entries);

/* ---- lsm_run.c ------------------------------------------------------------------------------ */

struct lsm__run *lsm__run_create(struct lsm *lsm, const struct lsm__record *record,
                                 struct slice first, struct slice last, bool trusted);
/* Drops a reference; with the last one its pages are free. */
void lsm__run_release(struct lsm *lsm, struct lsm__run *run);
static inline const struct lsm__block *lsm__run_index(const struct lsm__run *run)
{
    return (const struct lsm__block *)(const void *)(run->base + run->record.index_at);
}
/* Looks at the index and the filter; at the first touch unless `again`. */
status_t lsm__run_open(struct lsm *lsm, struct lsm__run *run, bool again, struct error *error);
/* A block, sound; looked at again when asked to. */
status_t lsm__run_block(struct lsm *lsm, const struct lsm__run *run, uint32_t number, bool again,
                        const struct lsm__block **out, struct error *error);
/* ERR_NOT_FOUND; or the value or that it is a tombstone. */
status_t lsm__run_get(struct lsm *lsm, const struct lsm__run *run, struct slice key, uint64_t hash,
                      bool filtered, struct slice *value, bool *tombstone, struct error *error);
/* First run of a sorted sequence whose last key is >= `key`; `count` when there is none. */
uint32_t lsm__run_search(const struct lsm__run *const *runs, uint32_t count, struct slice key);
bool lsm__run_overlaps(const struct lsm__run *run, struct slice first, struct slice last);

/* ---- lsm_state.c ---------------------------------------------------------------------------- */

struct lsm__runs *lsm__runs_create(void); /* one reference */
void lsm__runs_release(struct lsm *lsm, struct lsm__runs *runs);
/* Takes a reference of its own to the run. */
void lsm__runs_append(struct lsm__runs *runs, uint32_t level, struct lsm__run *run);
/* A set with the `gone` taken out and the `come` put in; level 0: in front. */
struct lsm__runs *lsm__runs_change(const struct lsm__runs *runs, struct lsm__run *const *gone,
                                   uint32_t gone_count, struct lsm__run *const *come,
                                   uint32_t come_count);
uint64_t lsm__runs_bytes(const struct lsm *lsm, const struct lsm__runs *runs, uint32_t level);
/* Makes a state of these the writer's and the newest snapshots'; the runs are handed over. What is
 * not published stays so. */
void lsm__state_install(struct lsm *lsm, struct lsm__memtable *const *memtables, uint32_t count,
                        struct lsm__runs *runs);
/* Shows the writer's state and a sequence to views opened from now on. */
void lsm__state_show(struct lsm *lsm, uint64_t sequence);
/* Frees states that no view can reach any more. */
void lsm__state_reclaim(struct lsm *lsm);
void lsm__state_destroy(struct lsm *lsm);
/* The whole read path. */
status_t lsm__state_get(struct lsm *lsm, const struct lsm__state *state, uint64_t sequence,
                        struct slice key, struct slice *value, struct error *error);

/* ---- lsm_source.c --------------------------------------------------------------------------- */

static inline bool lsm__source_valid(const struct lsm_source *source)
{
    return source->at != NULL;
}

static inline const struct lsm__block *lsm__source_block(const struct lsm_source *source)
{
    return source->at;
}

static inline struct lsm__key lsm__source_key(const struct lsm_source *source)
{
    if (source->memtable != NULL)
        return lsm__key_of(lsm__node_key(source->at));
    return lsm__block_key(source->at, source->index);
}

bool lsm__source_tombstone(const struct lsm_source *source);
struct slice lsm__source_value(const struct lsm_source *source);
/* Null key: the very first (last). */
status_t lsm__source_seek(struct lsm *lsm, struct lsm_source *source, const struct slice *key,
                          uint64_t sequence, struct error *error);
status_t lsm__source_seek_reverse(struct lsm *lsm, struct lsm_source *source,
                                  const struct slice *key, uint64_t sequence, struct error *error);
status_t lsm__source_next(struct lsm *lsm, struct lsm_source *source, uint64_t sequence,
                          struct error *error);
status_t lsm__source_prev(struct lsm *lsm, struct lsm_source *source, uint64_t sequence,
                          struct error *error);

/* ---- lsm_cursor.c --------------------------------------------------------------------------- */

void lsm__cursor_init_state(struct lsm_cursor *cursor, struct lsm *lsm,
                            const struct lsm__state *state, uint64_t sequence);
/* Over the inputs of a merge. */
void lsm__cursor_init_merge(struct lsm_cursor *cursor, const struct lsm__merge *merge);

/* ---- lsm_merge.c ---------------------------------------------------------------------------- */

/* Of inputs in the newest state. */
struct lsm__merge *lsm__merge_create(struct lsm *lsm, uint32_t level);
/* Level by level, in the order of each; those of level 0 from the newest on. */
void lsm__merge_add(struct lsm__merge *merge, struct lsm__run *run);
/* Goes on for about `bytes` of input; sets done. The writer's; of level 0, which has its extent
 * beforehand, any thread's. */
status_t lsm__merge_step(struct lsm__merge *merge, uint64_t bytes, struct error *error);
/* Frees it; what it has built is given up unless it was installed. The writer's. NULL is allowed.
 */
void lsm__merge_destroy(struct lsm__merge *merge);
/* Its outputs take the place of its inputs in the newest state, unless a load has emptied that. */
void lsm__merge_install(struct lsm__merge *merge);
/* A merge that writes the memtable as of `sequence`, and young small runs with it, as one run of
 * level 0. `extent` is for the memtable alone and handed over, but on an error. `alone`: no runs.
 * ERR_DISK_FULL: level 0 is full, and the disk too. */
status_t lsm__flush_create(struct lsm *lsm, struct lsm__memtable *memtable, uint64_t sequence,
                           struct lsm__extent extent, bool alone, struct lsm__merge **out,
                           struct error *error);

/* ---- lsm_compact.c -------------------------------------------------------------------------- */

/* Puts an empty memtable before the writer's. What is not published moves there; `reserve` is for
 * it. */
void lsm__memtable_freeze(struct lsm *lsm, struct lsm__extent reserve);
/* Begins to write the newest memtable out when it has become large. When that cannot be, it goes on
 * growing, until a change or a checkpoint tells why. */
void lsm__spill(struct lsm *lsm);
/* Does merging for `bytes` that were written; 0: a piece of it anyway. Only damage met by it is an
 * error. */
status_t lsm__pay(struct lsm *lsm, uint64_t bytes, struct error *error);
/* Gives up the merges under way. */
void lsm__merges_abort(struct lsm *lsm);

/* ---- lsm_load.c ----------------------------------------------------------------------------- */

/* What it has built, and where it builds. */
struct lsm__runs *lsm__load_runs(const struct lsm_load *load, struct lsm__extent *extent);

/* ---- lsm_write.c ---------------------------------------------------------------------------- */

/* What the newest memtable must have reserved to take `bytes` more. */
status_t lsm__reserve_for(struct lsm *lsm, uint64_t bytes, struct error *error);

#endif
