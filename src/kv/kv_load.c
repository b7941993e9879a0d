/* Bulk load: a tree built from the leaves up.
 *
 * One page is open on each level, the last of its level. An entry goes to the end of the open leaf;
 * when it has no room, the leaf is closed, the entry begins the next one, and the separator of the
 * two goes to the end of the open page above, where the same may happen. So every page is written
 * once, is full when it is closed, and pages lie in the file about in the order of their keys.
 *
 *        level 1      [ ... . . ]          open
 *                     /    |    \
 *        level 0   [full][full][ .. ]      the last one open
 *
 * A closed page gets its checksum at once: nothing changes it before it is published, since it
 * becomes visible only as a whole, by a publish at the end. Until then all pages of the load are
 * born in the epoch that is being built and nothing points to them, so that a checkpoint taken
 * meanwhile lists them as free, and giving up means giving back all that was born. */
#include "base/mem.h"
#include "kv/kv_int.h"

struct kv_load {
    struct kv *kv;
    struct lsm_load *lsm; /* of a store of that engine, and nothing below */
    uint64_t entries;
    uint32_t depth;              /* levels that have a page */
    uint32_t open[KV_DEPTH_MAX]; /* the last page of each level */
    uint32_t last_size;          /* of the last key; 0: none was put */
    uint8_t last[KV_KEY_SIZE_MAX];
};

static struct kv__page *open_page(const struct kv_load *load, uint32_t level)
{
    ASSERT(level < load->depth);
    return kv__page_at(load->kv, load->open[level]);
}

/* A load of the other engine. */
static status_t begin_other(struct kv *kv, struct kv_load **out, struct error *error)
{
    struct kv_load *load = mem_zalloc(1, sizeof *load);
    load->kv = kv;
    status_t status = lsm_load_begin(kv->lsm, &load->lsm, error);
    if (status == OK)
        *out = load;
    else
        mem_free(load);
    return status;
}

status_t kv_load_begin(struct kv *kv, struct kv_load **out, struct error *error)
{
    if (kv__is_lsm(kv))
        return begin_other(kv, out, error);
    ASSERT(kv->loading == NULL);
    status_t status = kv__writable(kv, error);
    if (status == OK && kv->root != 0)
        return error_set(error, ERR_INVALID, "\"%s\" is not empty", kv->path);
    if (status == OK)
        status = kv_publish(kv, error);
    if (status != OK)
        return status;
    ASSERT(kv->born.count == 0 && kv->now.count == 0 && kv->entries == 0);
    struct kv_load *load = mem_zalloc(1, sizeof *load);
    load->kv = kv;
    kv->loading = load;
    *out = load;
    return OK;
}

/* A level above the highest, with one page that leads to the first page of that. */
static void add_level(struct kv_load *load)
{
    uint8_t head[4];
    uint32_t level = load->depth;
    ASSERT(level > 0 && level < KV_DEPTH_MAX);
    struct kv__entry first = kv__entry_branch(head, slice_make(NULL, 0), load->open[level - 1]);
    load->open[level] = kv__alloc_page(load->kv);
    kv__page_append(kv__page_begin(load->kv, load->open[level], level), &first);
    load->depth++;
}

/* Nothing changes it any more. */
static void close_page(struct kv_load *load, uint32_t level)
{
    kv__page_clear(open_page(load, level));
    kv__alloc_finish(load->kv, load->open[level]);
}

/* An entry that leads to a page, as it goes up. */
struct up {
    struct kv__entry entry;
    uint8_t head[4];
    uint8_t key[KV_KEY_SIZE_MAX];
};

/* Begins the next page of a level with the entry, which the page before has no room for. */
static void next_page(struct kv_load *load, uint32_t level, const struct kv__entry *entry,
                      struct up *up)
{
    uint8_t bytes[2][KV_KEY_SIZE_MAX];
    struct kv *kv = load->kv;
    const struct kv__page *before = open_page(load, level);
    struct slice key = kv__entry_key(entry, bytes[0]);
    if (level == 0)
        key = kv__tree_separator(kv__page_key(before, before->count - 1u, bytes[1]), key);
    memcpy(up->key, key.data, key.size);
    close_page(load, level);
    load->open[level] = kv__alloc_page(kv);
    struct kv__page *page = kv__page_begin(kv, load->open[level], level);
    struct kv__entry first = *entry;
    if (level != 0) /* its key moves up */
        first.shared = first.rest = slice_make(NULL, 0);
    bool inserted = level == 0 ? kv__page_insert(kv, page, 0, &first) : true;
    if (level != 0)
        kv__page_append(page, &first);
    ASSERT(inserted);
    up->entry = kv__entry_branch(up->head, slice_make(up->key, key.size), load->open[level]);
}

/* Puts the entry to the end of the leaves; its pages are reserved. */
static void append(struct kv_load *load, const struct kv__entry *entry)
{
    struct up up[2];
    for (uint32_t level = 0;; level++) {
        struct kv__page *page = open_page(load, level);
        if (kv__page_insert(load->kv, page, page->count, entry))
            return;
        if (level + 1 == load->depth)
            add_level(load);
        next_page(load, level, entry, &up[level & 1]);
        entry = &up[level & 1].entry;
    }
}

static status_t check_order(const struct kv_load *load, struct slice key, struct error *error)
{
    if (slice_compare(key, slice_make(load->last, load->last_size)) > 0)
        return OK;
    return error_set(error, ERR_INVALID, "keys loaded into \"%s\" are not in ascending order",
                     load->kv->path);
}

status_t kv_load_put(struct kv_load *load, struct slice key, struct slice value,
                     struct error *error)
{
    if (kv__is_lsm(load->kv)) {
        status_t checked = kv__tree_entry_check(load->kv, key, value, error);
        return checked == OK ? lsm_load_put(load->lsm, key, value, error) : checked;
    }
    struct kv *kv = load->kv;
    uint32_t run = 0, overflow = 0;
    ASSERT(kv->loading == load && kv->root == 0);
    status_t status = kv__writable(kv, error);
    if (status == OK)
        status = kv__tree_entry_check(kv, key, value, error);
    if (status == OK)
        status = check_order(load, key, error);
    if (status != OK)
        return status;
    if (kv__overflow_needed(kv, key.size, value.size))
        run = kv__overflow_pages(kv, (uint32_t)value.size);
    /* A page on each level, and one for a new level. */
    status = kv__alloc_reserve(kv, load->depth + 1, run, &overflow, error);
    if (status != OK)
        return status;
    if (run != 0) {
        kv__overflow_write(kv, overflow, value);
        kv__alloc_finish(kv, overflow);
    }
    if (load->depth == 0) {
        load->open[0] = kv__alloc_page(kv);
        (void)kv__page_begin(kv, load->open[0], 0);
        load->depth = 1;
    }
    uint8_t head[KV_ENTRY_HEAD_MAX];
    struct kv__entry entry = kv__entry_leaf(head, key, value, overflow);
    append(load, &entry);
    memcpy(load->last, key.data, key.size);
    load->last_size = (uint32_t)key.size;
    load->entries++;
    return OK;
}

static void release(struct kv_load *load)
{
    load->kv->loading = NULL;
    mem_free(load);
}

status_t kv_load_end(struct kv_load *load, struct error *error)
{
    if (kv__is_lsm(load->kv)) {
        status_t ended = lsm_load_end(load->lsm, error);
        mem_free(load);
        return ended;
    }
    struct kv *kv = load->kv;
    ASSERT(kv->loading == load && kv->root == 0);
    status_t status = kv__writable(kv, error);
    if (status != OK) {
        kv_load_abort(load);
        return status;
    }
    for (uint32_t level = 0; level < load->depth; level++)
        close_page(load, level);
    if (load->depth > 0) {
        kv->root = load->open[load->depth - 1];
        kv->entries = load->entries;
    }
    kv->changes++;
    release(load);
    return kv_publish(kv, error);
}

void kv_load_abort(struct kv_load *load)
{
    if (load == NULL)
        return;
    if (kv__is_lsm(load->kv)) {
        lsm_load_abort(load->lsm);
        mem_free(load);
        return;
    }
    ASSERT(load->kv->loading == load);
    kv__alloc_undo(load->kv);
    release(load);
}
