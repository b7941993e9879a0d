/* Inside kv: the stored structures and what its files share. The file format is told at the top of
 * kv_page.c (tree pages), kv_meta.c (meta pages) and kv_alloc.c (free list). */
#ifndef KV_KV_INT_H
#define KV_KV_INT_H

#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "kv/kv.h"

#define KV_FORMAT_VERSION 2u
#define KV_META_PAGES     2u
#define KV_PAGE_SIZE_MIN  4096u
#define KV_PAGE_SIZE_MAX  32768u
#define KV_META_NONE      UINT32_MAX

/* ---- stored structures ---------------------------------------------------------------------- */

enum kv__page_type {
    KV_PAGE_BRANCH = 1,
    KV_PAGE_LEAF = 2,
    KV_PAGE_OVERFLOW = 3,
    KV_PAGE_FREELIST = 4,
};

/* Levels of pages that are not nodes of the tree, so that one comparison of the level tells a page
 * of the wrong kind. */
#define KV_LEVEL_OVERFLOW 0xFFu
#define KV_LEVEL_FREELIST 0xFEu
#define KV_LEVEL_ANY      0x100u /* asked for, never stored: any level of a tree */

struct kv__page {
    uint32_t crc;
    uint32_t id;
    uint64_t birth;
    uint8_t type;
    uint8_t level;
    uint16_t count;
    uint16_t heap_low;
    uint16_t garbage;
    uint32_t extra;
    uint16_t prefix;
    uint16_t ascending;
};

struct kv__slot {
    uint32_t head;
    uint16_t offset;
    uint16_t key_size;
};

struct kv__run {
    uint32_t page;
    uint32_t count;
};

struct kv__meta {
    uint8_t magic[8];
    uint32_t byte_order;
    uint32_t version;
    uint32_t page_size;
    uint32_t crc;
    uint64_t checkpoint;
    uint64_t epoch;
    uint64_t entries;
    uint32_t root;
    uint32_t pages;
    uint32_t freelist;
    uint32_t freelist_pages;
    uint32_t free_pages;
    uint32_t app_meta_size;
    uint8_t app_meta[KV_APP_META_SIZE_MAX];
};

_Static_assert(sizeof(struct kv__page) == 32, "page header is 32 bytes on disk");
_Static_assert(offsetof(struct kv__page, birth) == 8, "page header layout");
_Static_assert(offsetof(struct kv__page, type) == 16, "page header layout");
_Static_assert(offsetof(struct kv__page, heap_low) == 20, "page header layout");
_Static_assert(offsetof(struct kv__page, extra) == 24, "page header layout");
_Static_assert(offsetof(struct kv__page, ascending) == 30, "page header layout");
_Static_assert(sizeof(struct kv__slot) == 8, "slot is 8 bytes on disk");
_Static_assert(sizeof(struct kv__run) == 8, "run is 8 bytes on disk");
_Static_assert(offsetof(struct kv__meta, crc) == 20, "meta layout");
_Static_assert(offsetof(struct kv__meta, checkpoint) == 24, "meta layout");
_Static_assert(offsetof(struct kv__meta, root) == 48, "meta layout");
_Static_assert(offsetof(struct kv__meta, app_meta) == 72, "meta layout");
_Static_assert(sizeof(struct kv__meta) == 584, "meta is 584 bytes on disk");
_Static_assert(sizeof(struct kv__meta) <= KV_PAGE_SIZE_MIN, "meta fits into its page");

/* ---- state ---------------------------------------------------------------------------------- */

/* Pages given up in epoch `freed`, that a snapshot or a checkpoint may still reach: those of
 * epochs in [birth, freed). */
struct kv__dropped {
    uint64_t birth;
    uint64_t freed;
    uint32_t page;
    uint32_t count;
};

struct kv__dropped_list {
    struct kv__dropped *items;
    uint32_t count;
    uint32_t capacity;
};

struct kv__run_list {
    struct kv__run *items;
    uint32_t count;
    uint32_t capacity;
};

struct kv__page_list {
    uint32_t *items;
    uint32_t count;
    uint32_t capacity;
};

struct kv_snapshot {
    _Atomic uint64_t pin; /* 0: closed; KV_PIN_OPENING; else the epoch it shows */
    struct kv *kv;
    uint32_t root;
    _Atomic uint32_t next_free; /* index + 1 of the next closed slot */
    struct lsm_view *view;      /* of a store of that engine, where pin is 1 */
    uint8_t unused[32];         /* to a cache line, so that readers do not disturb each other */
};

_Static_assert(sizeof(struct kv_snapshot) == 64, "a snapshot slot fills a cache line");

#define KV_PIN_OPENING UINT64_MAX

struct kv_checkpoint {
    struct kv *kv;
    struct lsm_checkpoint *lsm; /* of a store of that engine, and nothing below */
    struct kv__meta meta;
    struct kv__page_list write;    /* first pages of what needs a checksum */
    struct kv__page_list freelist; /* pages of the free list it writes */
    uint64_t sync_bytes;
    bool sync_file; /* the file has grown since the checkpoint before */
    status_t result;
};

/* One noted node; see kv_node.c. */
struct kv__noted {
    _Atomic uint64_t sequence; /* odd while it is written */
    _Atomic uint64_t page;
    _Atomic uint64_t birth;
    _Atomic uint64_t words[2];
};

#define KV_NOTES       16384u
#define KV_NOTE_PLACES 4u /* of them may have the note of one page */

struct kv {
    struct lsm
        *lsm; /* not null: the store is of that engine, and nothing below is used but slots */
    struct env *env;
    struct env_file *file;
    struct env_map *map;
    uint8_t *base;
    char *path;
    uint32_t page_size;
    bool read_only;
    uint64_t map_size_max;
    uint64_t growth_bytes;
    _Atomic uint32_t pages; /* in the file and mapped */

    /* The writer's tree: the state of `epoch`, which is published + 1. */
    uint32_t root;
    uint64_t entries;
    uint64_t epoch;
    uint64_t changes;
    uint64_t published_entries;
    /* The path of the last change, if no page was split, merged or filled by it: the next one is
       often near. It holds while `changes` is finger_changes. See kv_tree.c. */
    uint64_t finger_changes;
    uint32_t finger_depth;
    struct {
        uint32_t id;
        uint32_t index;
    } finger[KV_DEPTH_MAX];
    uint8_t *scratch; /* three pages: for building a node anew, and for copies of two */

    /* What snapshots take. published_root[e & 1] is written before published becomes e. */
    _Atomic uint64_t published;
    _Atomic uint32_t published_root[2];

    /* Reader slots; see kv_snapshot.c. */
    struct kv_snapshot *slots;
    uint32_t slots_max;
    _Atomic uint32_t slots_used;
    _Atomic uint64_t slots_free;

    struct kv__noted *notes; /* KV_NOTES, by page number; NULL in the other engine */

    /* Checksum verification at first touch of the pages that were in the file at open. */
    _Atomic uint64_t *verified;
    uint32_t verified_pages;
    uint64_t verified_epoch; /* no such page may be born later */

    /* Pages: one bit each. See kv_alloc.c. */
    uint64_t *free_bits;
    uint64_t *hole_bits;  /* free, but perhaps without blocks on the disk; not in free_bits */
    uint64_t *dirty_bits; /* first pages of what was written since the last checkpoint began */
    uint32_t bit_words;
    uint32_t free_count;
    uint32_t hole_count;
    uint32_t hole_hint;     /* no hole in words below */
    uint32_t compact_at;    /* page up to which kv_compact has still to look */
    uint32_t before_pages;  /* in the checkpoint before the durable one: its meta page */
    bool move_done;         /* since a checkpoint ended a round of moving found nothing */
    bool move_any;          /* this round has moved something */
    uint32_t move_key_size; /* where the round goes on */
    uint8_t move_key[KV_KEY_SIZE_MAX];
    uint32_t free_hint;            /* no free page in words below */
    uint32_t touched;              /* pages behind have never been written since the file grew */
    struct kv__run_list born;      /* allocated in this epoch, some perhaps given back */
    struct kv__dropped_list now;   /* dropped in this epoch */
    struct kv__dropped_list young; /* dropped earlier, unknown to any checkpoint */
    struct kv__dropped_list old;   /* dropped earlier, in the durable or the running checkpoint */
    uint32_t pending_pages;
    uint32_t reclaim_at; /* length of young at which looking again pays */
    bool grown;          /* since the last checkpoint began */

    /* Checkpoints. */
    struct kv__meta durable;
    _Atomic uint64_t durable_epoch; /* of it, for other threads */
    struct kv__page_list freelist;  /* pages of the durable free list */
    struct kv_checkpoint *running;
    struct kv_load *loading;
    uint64_t frozen_epoch; /* of the running checkpoint, else of the durable one */
    uint32_t meta_pages_bad;

    /* The first final failure; text is complete once `failed` is set. */
    _Atomic bool failing;
    _Atomic uint32_t failed;
    char failed_text[200];
};

/* ---- kv.c ----------------------------------------------------------------------------------- */

/* OK while the store takes changes. */
status_t kv__writable(struct kv *kv, struct error *error);
/* Makes the store failed (the first call wins); returns `status`. Any thread. */
status_t kv__fail(struct kv *kv, status_t status, const char *text);

/* ---- kv_lsm.c ------------------------------------------------------------------------------- */

/* Is the branch to the other engine taken? It is foreseen for the tree. */
static inline bool kv__is_lsm(const struct kv *kv)
{
    return __builtin_expect(kv->lsm != NULL, 0);
}

/* Opens the file with the other engine when it is of that, or to be made of it; else leaves kv->lsm
 * null. ERR_FORMAT: it is not of the engine asked for. */
status_t kv__lsm_open(struct kv *kv, const struct kv_options *options, struct error *error);
status_t kv__lsm_rename(struct kv *kv, const char *path, struct error *error);
void kv__lsm_stats(struct kv *kv, struct kv_stats *stats);
status_t kv__lsm_put(struct kv *kv, struct slice key, struct slice value, struct error *error);
status_t kv__lsm_delete(struct kv *kv, struct slice key, bool *found, struct error *error);
status_t kv__lsm_checkpoint_begin(struct kv *kv, struct slice app_meta, struct kv_checkpoint **out,
                                  struct error *error);
status_t kv__lsm_checkpoint_end(struct kv *kv, struct kv_checkpoint *checkpoint,
                                struct error *error);
status_t kv__lsm_scrub_step(struct kv *kv, struct kv_scrub *scrub, uint32_t pages,
                            struct error *error);
void kv__lsm_cursor_init(struct kv_cursor *cursor, struct kv *kv);
/* Takes over where the cursor of the other engine is now. */
status_t kv__lsm_placed(struct kv_cursor *cursor, status_t status);
uint32_t kv__lsm_cursor_run(const struct kv_cursor *cursor, struct kv_entry *entries, uint32_t max,
                            struct arena *keys);

/* ---- kv_page.c ------------------------------------------------------------------------------ */

static inline struct kv__page *kv__page_at(const struct kv *kv, uint32_t id)
{
    return (struct kv__page *)(void *)(kv->base + (uint64_t)id * kv->page_size);
}

/* Bytes that a prefix takes before the slots. */
static inline uint32_t kv__prefix_room(uint32_t prefix)
{
    return (prefix + 7u) & ~7u;
}

static inline struct kv__slot *kv__page_slots(const struct kv__page *page)
{
    return (struct kv__slot *)((uintptr_t)(page + 1) + kv__prefix_room(page->prefix));
}

/* Is it known to be sound: verified before, or born since the store was opened? */
static inline bool kv__page_is_verified(const struct kv *kv, uint32_t id)
{
    return id >= kv->verified_pages ||
           (atomic_load_explicit(&kv->verified[id / 64], memory_order_relaxed) >> (id % 64) & 1);
}

void kv__page_set_verified(struct kv *kv, uint32_t id);
status_t kv__page_corrupt(const struct kv *kv, uint32_t id, const char *what, struct error *error);
/* The slow path of kv__page_get: bounds, then checksum and layout at the first touch. */
status_t kv__page_verify(struct kv *kv, uint32_t id, uint32_t level, struct error *error);
/* Null when the page's layout is sound, else what is wrong. Does not look at the checksum. */
const char *kv__page_flaw(const struct kv *kv, uint32_t id, const struct kv__page *page);
uint32_t kv__page_crc(const struct kv *kv, const struct kv__page *page);

/* A node of the tree of the given level (or KV_LEVEL_ANY), sound. */
static inline status_t kv__page_get(struct kv *kv, uint32_t id, uint32_t level,
                                    const struct kv__page **out, struct error *error)
{
    if (__builtin_expect(id < KV_META_PAGES ||
                             id >= atomic_load_explicit(&kv->pages, memory_order_relaxed) ||
                             !kv__page_is_verified(kv, id) || kv__page_at(kv, id)->level != level,
                         0)) {
        status_t status = kv__page_verify(kv, id, level, error);
        if (status != OK)
            return status;
    }
    *out = kv__page_at(kv, id);
    return OK;
}

/* An entry of a node in parts, wherever they lie: its key is `shared` and then `rest`. */
struct kv__entry {
    struct slice head; /* what its cell begins with, up to the key */
    struct slice shared;
    struct slice rest;
    struct slice value; /* of a leaf entry, unless in an overflow run */
};

#define KV_ENTRY_HEAD_MAX 10u

static inline uint32_t kv__entry_key_size(const struct kv__entry *entry)
{
    return (uint32_t)(entry->shared.size + entry->rest.size);
}

/* The whole key: in place, or put together in `bytes`, which has KV_KEY_SIZE_MAX. */
struct slice kv__entry_key(const struct kv__entry *entry, uint8_t *bytes);
/* How many bytes two keys begin with alike. */
uint32_t kv__entry_common(const struct kv__entry *a, const struct kv__entry *b);
/* A branch's; the child is put into `head`, which has 4 bytes. */
struct kv__entry kv__entry_branch(uint8_t *head, struct slice key, uint32_t child);
/* A leaf's; `head` has KV_ENTRY_HEAD_MAX bytes, `overflow` is the run that holds the value, or 0.
 */
struct kv__entry kv__entry_leaf(uint8_t *head, struct slice key, struct slice value,
                                uint32_t overflow);

/* Starts an empty node in a page that belongs to this epoch. */
struct kv__page *kv__page_init(struct kv *kv, uint32_t id, uint32_t level);
/* The same, where what the page held before stays behind the header until kv__page_clear writes
 * zeros to all that is not used; for pages that are filled at once. */
struct kv__page *kv__page_begin(struct kv *kv, uint32_t id, uint32_t level);
void kv__page_clear(struct kv__page *page);
/* The first four bytes of a key behind the page's prefix, as a number that orders like them. */
static inline uint32_t kv__rest_head(struct slice rest)
{
    if (rest.size >= 4)
        return get_u32_be(rest.data);
    uint32_t head = 0;
    for (uint32_t i = 0; i < rest.size; i++)
        head |= (uint32_t)rest.data[i] << (24 - 8 * i);
    return head;
}
/* Where the key begins in a cell of such a page. */
static inline uint32_t kv__cell_key_at(uint32_t level, const uint8_t *cell)
{
    return level != 0 ? 4 : (cell[1] & 0x80) != 0 ? 10 : 2;
}

/* Index of the first entry that has a key: entry 0 of a branch has none. */
static inline uint32_t kv__page_first_key(const struct kv__page *page)
{
    return page->level != 0 ? 1 : 0;
}

/* Entry `index`, in place. */
struct kv__entry kv__page_entry(const struct kv__page *page, uint32_t index);
/* Its key; see kv__entry_key. */
struct slice kv__page_key(const struct kv__page *page, uint32_t index, uint8_t *bytes);
/* The same, in `bytes` wherever it was. */
struct slice kv__page_key_copy(const struct kv__page *page, uint32_t index, uint8_t *bytes);
/* Bytes of its cell. */
uint32_t kv__page_cell_size(const struct kv__page *page, uint32_t index);
uint32_t kv__page_child(const struct kv__page *page, uint32_t index);
void kv__page_set_child(struct kv__page *page, uint32_t index, uint32_t child);

/* In a leaf cell's size: the value is in a run of its own. */
#define KV_CELL_LONG 0x8000u

/* What a leaf cell says about its value. */
struct kv__value {
    struct slice inline_bytes; /* when overflow is 0 */
    uint32_t overflow;         /* first page of the run, or 0 */
    uint32_t size;             /* of the value */
};
static inline struct kv__value kv__page_value(const struct kv__page *page, uint32_t index)
{
    const struct kv__slot *slot = &kv__page_slots(page)[index];
    const uint8_t *cell = (const uint8_t *)page + slot->offset;
    ASSERT(page->level == 0 && index < page->count);
    uint32_t size = get_u16_le(cell);
    if (__builtin_expect((size & KV_CELL_LONG) != 0, 0))
        return (struct kv__value){.overflow = get_u32_le(cell + 2), .size = get_u32_le(cell + 6)};
    return (struct kv__value){.inline_bytes = slice_make(cell + 2 + slot->key_size, size),
                              .size = size};
}

/* First index in [first, count) whose key is >= `key`; *exact when equal. */
uint32_t kv__page_search(const struct kv__page *page, uint32_t first, struct slice key,
                         bool *exact);
/* Index of the child of a branch under which `key` belongs. */
uint32_t kv__page_search_child(const struct kv__page *page, struct slice key);
/* Bytes taken by entries, their slots and their prefix; and what a page can hold of those. */
uint32_t kv__page_used(const struct kv *kv, const struct kv__page *page);
uint32_t kv__page_capacity(const struct kv *kv);
/* Puts an entry, which lies outside the page, before entry `index`. False, and nothing done, when
 * there is no room. */
bool kv__page_insert(struct kv *kv, struct kv__page *page, uint32_t index,
                     const struct kv__entry *entry);
void kv__page_remove(struct kv__page *page, uint32_t index);
/* Some bytes of the key of entry `index` were written over: the slot follows. */
void kv__page_renew_head(struct kv__page *page, uint32_t index);
/* Building a node anew: in an empty page, say which bytes its keys share, then append in order
 * (there must be room). */
void kv__page_start(struct kv__page *page, const struct kv__entry *like, uint32_t prefix);
void kv__page_append(struct kv__page *page, const struct kv__entry *entry);

/* ---- kv_entries.c --------------------------------------------------------------------------- */

/* Entries on their way into one page or two: those of a page with one more among them, or those of
 * two neighbours. The pages are copies. */
struct kv__entries {
    const struct kv__page *left;
    const struct kv__page *right;  /* or NULL */
    struct kv__entry leading;      /* of branches: what led to `right`; its first entry's key */
    const struct kv__entry *added; /* or NULL */
    uint32_t index;                /* of it */
    uint32_t count;                /* of all */
};

struct kv__entry kv__entries_at(const struct kv__entries *entries, uint32_t i);
/* Bytes that a page of entries [from, to) uses. In a branch the first of them loses its key. */
uint32_t kv__entries_size(const struct kv__entries *entries, uint32_t from, uint32_t to);
/* How many go to the left page of two, so that the larger of them is as small as possible. */
uint32_t kv__entries_cut(const struct kv *kv, const struct kv__entries *entries);
/* The shortest key that tells the pages apart, in `bytes`, which has KV_KEY_SIZE_MAX. */
struct slice kv__entries_separator(const struct kv__entries *entries, uint32_t cut, uint8_t *bytes);
/* Fills an empty page with entries [from, to), which must fit. */
void kv__entries_build(const struct kv__entries *entries, uint32_t from, uint32_t to,
                       struct kv__page *page);

/* ---- kv_tree.c ------------------------------------------------------------------------------ */

/* The way from the root to a leaf. */
struct kv__path {
    uint32_t depth;
    struct {
        struct kv__page *page;
        uint32_t id;
        uint32_t index; /* of the child, or of the entry in the leaf */
    } at[KV_DEPTH_MAX];
};

/* An overflow run that a change will give up. */
struct kv__long_value {
    uint32_t page; /* 0: none */
    uint32_t count;
    uint64_t birth;
};

/* Down to where `key` is or belongs, in the writer's tree; depth 0 when that is empty. */
status_t kv__tree_descend(struct kv *kv, struct slice key, struct kv__path *path, bool *exact,
                          struct error *error);
/* The overflow run of the entry at the end of the path, read while the change can still fail. */
status_t kv__tree_long_value(struct kv *kv, const struct kv__path *path, struct kv__long_value *out,
                             struct error *error);
/* Makes every page of the path one of this epoch; they are reserved. */
void kv__tree_copy_path(struct kv *kv, struct kv__path *path);
/* A change has ended, and the path is as kv__tree_descend would give it. */
void kv__tree_keep(struct kv *kv, const struct kv__path *path);
/* The path to a key, as kv__tree_descend gives it, when the leaf of the last change is its end. */
bool kv__tree_reach(struct kv *kv, struct slice key, struct kv__path *path, bool *exact);
/* Of kv_delete.c: has the page so little that it is merged? */
bool kv__tree_is_underfull(const struct kv *kv, const struct kv__page *page);
/* Merges the leaf that has this key, or fills it from a neighbour, when it is underfull. (A key
 * that is gone was removed by kv_delete, which has done so.) */
status_t kv__tree_fill_leaf(struct kv *kv, struct slice key, struct error *error);
/* Takes the leaf at the end of the path out of the tree (kv_delete.c): it is not copied, only what
 * is above. */
status_t kv__tree_drop_leaf(struct kv *kv, struct kv__path *path, struct error *error);
/* OK when an entry of this key and value may be stored. */
status_t kv__tree_entry_check(const struct kv *kv, struct slice key, struct slice value,
                              struct error *error);
/* Copies the key that begins what lies behind the leaf of the path; false when nothing does. */
bool kv__tree_key_behind(const struct kv__path *path, uint8_t *bytes, struct slice *key);
/* The shortest key > `left` and <= `right`: a prefix of `right`. */
struct slice kv__tree_separator(struct slice left, struct slice right);

/* ---- kv_overflow.c -------------------------------------------------------------------------- */

/* Must a value of this size live outside the leaf? */
bool kv__overflow_needed(const struct kv *kv, size_t key_size, size_t value_size);
uint32_t kv__overflow_pages(const struct kv *kv, uint32_t value_size);
void kv__overflow_write(struct kv *kv, uint32_t page, struct slice value);
/* The run's head, sound, and of a value of `size` bytes. */
status_t kv__overflow_get(struct kv *kv, uint32_t page, uint32_t size, const struct kv__page **out,
                          struct error *error);
status_t kv__overflow_value(struct kv *kv, const struct kv__value *value, struct slice *out,
                            struct error *error);

/* ---- kv_space.c ----------------------------------------------------------------------------- */

#define KV_BITS 64u

static inline bool kv__bit_get(const uint64_t *bits, uint32_t page)
{
    return (bits[page / KV_BITS] >> (page % KV_BITS) & 1) != 0;
}

static inline void kv__bit_set(uint64_t *bits, uint32_t page)
{
    bits[page / KV_BITS] |= 1ull << (page % KV_BITS);
}

static inline void kv__bit_clear(uint64_t *bits, uint32_t page)
{
    bits[page / KV_BITS] &= ~(1ull << (page % KV_BITS));
}

/* Makes at least `more` pages free that are not now: holes first, then new ones at the end of the
 * file. An error leaves all as it was, or with some more pages free. */
status_t kv__space_get(struct kv *kv, uint32_t more, struct error *error);
/* As that, until there are `count` free pages in a row, and tells the first of them. */
status_t kv__space_get_run(struct kv *kv, uint32_t count, uint32_t *page, struct error *error);
/* As kv__space_get, but for `count` pages before `target` that are free or become it; *room: are
 * there so many? */
status_t kv__space_get_below(struct kv *kv, uint32_t count, uint32_t target, bool *room,
                             struct error *error);
/* Are there `count` free pages in a row before `target`? kv__space_get_run takes the same. */
bool kv__space_has_run_below(const struct kv *kv, uint32_t count, uint32_t target);
/* At open, when it is known which pages are free. */
status_t kv__space_open(struct kv *kv, struct error *error);
/* Pages that are free, but may have no blocks; false when one of them is free already. */
bool kv__space_add_holes(struct kv *kv, uint32_t page, uint32_t count);

/* ---- kv_alloc.c ----------------------------------------------------------------------------- */

/* Makes sure `singles` pages can be taken with kv__alloc_page, and takes a run of `run` contiguous
 * pages (0: none) into *run_page. Grows the file when it must; an error leaves all as it was. */
status_t kv__alloc_reserve(struct kv *kv, uint32_t singles, uint32_t run, uint32_t *run_page,
                           struct error *error);
/* A page of this epoch, reserved before. */
uint32_t kv__alloc_page(struct kv *kv);
/* Stores the checksum of a page (or run) of this epoch, which is not changed any more: the next
 * checkpoint need not look at it. */
void kv__alloc_finish(struct kv *kv, uint32_t page);
/* Gives back all pages born in this epoch. */
void kv__alloc_undo(struct kv *kv);
/* Gives up pages of the tree: reusable at once when born in this epoch. */
void kv__alloc_drop(struct kv *kv, uint32_t page, uint32_t count, uint64_t birth);
/* The epoch `freed` has been published: sort what was dropped in it. */
void kv__alloc_publish(struct kv *kv, uint64_t freed);
/* Frees all that no snapshot and no checkpoint reaches. */
void kv__alloc_reclaim(struct kv *kv);
/* Puts pages into the free set; false when one of them is there already. */
bool kv__alloc_free(struct kv *kv, uint32_t page, uint32_t count);
/* With or without blocks. */
bool kv__alloc_is_free(const struct kv *kv, uint32_t page);
/* As kv__alloc_free; a page given back twice can only come from a damaged file, and then nothing
 * about its tree can be trusted any more. */
void kv__alloc_free_or_fail(struct kv *kv, uint32_t page, uint32_t count);
/* Room in the bitmaps for `pages`; new ones are not free. */
void kv__alloc_resize(struct kv *kv, uint32_t pages);
/* Reads the free list of the durable checkpoint at open. */
status_t kv__alloc_load(struct kv *kv, struct error *error);
/* For a checkpoint of the published state: takes pages for the free list and fills them, lists the
 * pages to be checksummed. An error leaves all as it was. */
status_t kv__alloc_freeze(struct kv *kv, struct kv_checkpoint *checkpoint, struct error *error);
void kv__alloc_destroy(struct kv *kv);

/* ---- kv_move.c ------------------------------------------------------------------------------ */

/* Goes on moving pages of the tree from behind `target` to before it, about `limit` of them;
 * *moved: of this step. At the end of a round sets move_done when there was nothing to move. */
status_t kv__move_step(struct kv *kv, uint32_t target, uint32_t limit, uint32_t *moved,
                       struct error *error);

/* ---- kv_snapshot.c -------------------------------------------------------------------------- */

/* The epochs pinned by open snapshots, sorted, into a new array (mem_free) of *count. False when
 * a snapshot is just being opened: then nothing is known, try later. */
bool kv__snapshot_pins(struct kv *kv, uint64_t **pins, uint32_t *count);
uint32_t kv__snapshot_count(struct kv *kv);

/* ---- kv_meta.c ------------------------------------------------------------------------------ */

void kv__meta_seal(struct kv__meta *meta);
/* Finds the newest valid meta page of the mapped file. */
status_t kv__meta_read(struct kv *kv, uint64_t file_size, struct error *error);
/* Makes durable what was read. A program that died in the middle of a checkpoint may have left a
 * meta page that only the system remembers; pages that this one does without are written again, and
 * the disk must not be left with the meta page before. */
status_t kv__meta_settle(struct kv *kv, uint64_t file_size, struct error *error);
/* Stores it into its page (number modulo 2) of the map; not synced. */
void kv__meta_store(struct kv *kv, const struct kv__meta *meta);
/* Creates a new empty store under a temporary name, synced, and renames it to `path`. */
status_t kv__meta_create(struct env *env, const char *path, uint32_t page_size, uint64_t file_bytes,
                         struct error *error);

#endif
