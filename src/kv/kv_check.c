/* Proof that the whole file is as it should be.
 *
 * The trees of the writer's root and of the durable checkpoint are walked to the last page,
 * trusting nothing: numbers, types and levels, checksums of what is durable, layout, keys in order
 * and between the separators above, heads and prefixes, no child younger than its parent, values.
 * Then every page of the file must have exactly one owner (the invariant of kv_alloc.c), and
 * nothing that the durable checkpoint reaches may be free. */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "kv/kv_int.h"

#define PROBLEMS_MAX 1000u /* reported; after that only counted */

enum owner {
    OWNER_NONE,
    OWNER_META,
    OWNER_TREE,
    OWNER_FREE,
    OWNER_PENDING,
    OWNER_FREELIST,
    OWNER_LOAD
};

static const char *const owner_names[] = {"nobody",  "meta page",        "tree",     "free list",
                                          "pending", "stored free list", "bulk load"};

struct check {
    struct kv *kv;
    kv_check_fn *report;
    void *context;
    struct error *error;
    uint64_t problems;
    uint32_t pages;
    uint8_t *owner;   /* a byte a page */
    uint64_t entries; /* met in it */
};

/* Keys of a page must be >= low and < high; data NULL: no bound. */
struct bounds {
    struct slice low;
    struct slice high;
};

static void problem(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void problem(struct check *check, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (check->problems++ == 0)
        (void)error_set(check->error, ERR_CORRUPT, "\"%s\": %s", check->kv->path, text);
    if (check->report != NULL && check->problems <= PROBLEMS_MAX)
        check->report(check->context, text);
}

static bool own(struct check *check, uint32_t page, uint32_t count, enum owner owner)
{
    if (page >= check->pages || count > check->pages - page) {
        problem(check, "page %u: out of the file", page);
        return false;
    }
    for (uint32_t i = page; i < page + count; i++) {
        if (check->owner[i] != OWNER_NONE) {
            problem(check, "page %u: belongs to %s and to %s", i, owner_names[check->owner[i]],
                    owner_names[owner]);
            return false;
        }
        check->owner[i] = (uint8_t)owner;
    }
    return true;
}

/* Number, type, level, birth, layout and, when it is durable, checksum. */
static bool check_page(struct check *check, uint32_t id, uint32_t level, uint64_t birth_max)
{
    struct kv *kv = check->kv;
    const struct kv__page *page = kv__page_at(kv, id);
    const char *flaw = kv__page_flaw(kv, id, page);
    if (flaw != NULL) {
        problem(check, "page %u: %s", id, flaw);
        return false;
    }
    if (page->birth > birth_max) {
        problem(check, "page %u: younger than what points to it", id);
        return false;
    }
    if (level == KV_LEVEL_ANY ? page->level >= KV_DEPTH_MAX : page->level != level) {
        problem(check, "page %u: not of the level it is used on", id);
        return false;
    }
    if (page->birth <= kv->durable.epoch && page->crc != kv__page_crc(kv, page)) {
        problem(check, "page %u: wrong checksum", id);
        return false;
    }
    return true;
}

static void check_keys(struct check *check, const struct kv__page *page, struct bounds bounds)
{
    uint32_t first = kv__page_first_key(page);
    uint8_t bytes[2][KV_KEY_SIZE_MAX];
    struct slice before = bounds.low;
    for (uint32_t i = first; i < page->count; i++) {
        struct slice key = kv__page_key(page, i, bytes[i & 1]);
        /* The first key may equal the separator below which it hangs; others are greater. */
        int order = before.data == NULL ? 1 : slice_compare(key, before);
        if (order < 0 || (order == 0 && i != first))
            problem(check, "page %u: key %u is out of order", page->id, i);
        if (bounds.high.data != NULL && slice_compare(key, bounds.high) >= 0)
            problem(check, "page %u: key %u is beyond its separator", page->id, i);
        uint8_t head[4] = {0};
        size_t left = key.size - page->prefix;
        memcpy(head, key.data + page->prefix, left < 4 ? left : 4);
        if (get_u32_be(head) != kv__page_slots(page)[i].head)
            problem(check, "page %u: key %u has a wrong head", page->id, i);
        before = key;
    }
}

static void check_values(struct check *check, const struct kv__page *page)
{
    for (uint32_t i = 0; i < page->count; i++) {
        struct kv__value value = kv__page_value(page, i);
        if (value.overflow == 0)
            continue;
        uint32_t count = kv__overflow_pages(check->kv, value.size);
        if (own(check, value.overflow, count, OWNER_TREE) &&
            check_page(check, value.overflow, KV_LEVEL_OVERFLOW, page->birth) &&
            kv__page_at(check->kv, value.overflow)->extra != value.size)
            problem(check, "page %u: value size differs from its leaf's", value.overflow);
    }
    check->entries += page->count;
}

/* A node and all below. The depth of the recursion is bounded by the level, which falls. */
static void check_node(struct check *check, uint32_t id, uint32_t level, uint64_t birth_max,
                       struct bounds bounds)
{
    if (!own(check, id, 1, OWNER_TREE) || !check_page(check, id, level, birth_max))
        return;
    const struct kv__page *page = kv__page_at(check->kv, id);
    check_keys(check, page, bounds);
    if (page->level == 0) {
        check_values(check, page);
        return;
    }
    uint8_t bytes[2][KV_KEY_SIZE_MAX];
    for (uint32_t i = 0; i < page->count; i++) {
        struct bounds below = bounds;
        if (i > 0)
            below.low = kv__page_key(page, i, bytes[0]);
        if (i + 1u < page->count)
            below.high = kv__page_key(page, i + 1, bytes[1]);
        check_node(check, kv__page_child(page, i), page->level - 1u, page->birth, below);
    }
}

static void check_tree(struct check *check, const char *name, uint32_t root, uint64_t epoch,
                       uint64_t entries)
{
    check->entries = 0;
    if (root != 0)
        check_node(check, root, KV_LEVEL_ANY, epoch, (struct bounds){0});
    if (check->problems == 0 && check->entries != entries)
        problem(check, "%s tree has %llu entries, not %llu", name,
                (unsigned long long)check->entries, (unsigned long long)entries);
}

static void own_list(struct check *check, const struct kv__dropped_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        (void)own(check, list->items[i].page, list->items[i].count, OWNER_PENDING);
}

static void own_freelist(struct check *check, const struct kv__page_list *list, bool durable)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (own(check, list->items[i], 1, OWNER_FREELIST) && durable)
            (void)check_page(check, list->items[i], KV_LEVEL_FREELIST, check->kv->durable.epoch);
}

/* Everything but the tree; then nothing may be left without an owner. */
static void check_owners(struct check *check)
{
    struct kv *kv = check->kv;
    uint32_t free_pages = 0;
    (void)own(check, 0, KV_META_PAGES, OWNER_META);
    for (uint32_t page = 0; page < check->pages; page++) {
        if (!kv__alloc_is_free(kv, page))
            continue;
        free_pages++;
        (void)own(check, page, 1, OWNER_FREE);
    }
    own_list(check, &kv->now);
    own_list(check, &kv->young);
    own_list(check, &kv->old);
    if (kv->loading != NULL) /* which gives nothing back before its end */
        for (uint32_t i = 0; i < kv->born.count; i++)
            (void)own(check, kv->born.items[i].page, kv->born.items[i].count, OWNER_LOAD);
    own_freelist(check, &kv->freelist, true);
    if (kv->running != NULL)
        own_freelist(check, &kv->running->freelist, false);
    if (free_pages != kv->free_count + kv->hole_count)
        problem(check, "%u pages are free, not %u", free_pages, kv->free_count + kv->hole_count);
    for (uint32_t page = 0; page < check->pages; page++)
        if (check->owner[page] == OWNER_NONE)
            problem(check, "page %u: belongs to nobody", page);
}

static void check_durable(struct check *check)
{
    struct kv *kv = check->kv;
    memset(check->owner, OWNER_NONE, check->pages);
    check_tree(check, "durable", kv->durable.root, kv->durable.epoch, kv->durable.entries);
    for (uint32_t page = 0; page < check->pages; page++)
        if (check->owner[page] == OWNER_TREE && kv__alloc_is_free(kv, page))
            problem(check, "page %u: free, but the durable checkpoint reaches it", page);
}

status_t kv_check(struct kv *kv, kv_check_fn *report, void *context, struct error *error)
{
    if (kv__is_lsm(kv))
        return lsm_check(kv->lsm, report, context, error);
    struct check check = {.kv = kv,
                          .report = report,
                          .context = context,
                          .error = error,
                          .pages = atomic_load(&kv->pages)};
    check.owner = mem_zalloc(check.pages, 1);
    check_tree(&check, "latest", kv->root, kv->epoch, kv->entries);
    /* Where the tree is damaged, pages below are out of sight, not lost. */
    if (check.problems == 0)
        check_owners(&check);
    if (kv->durable.root != kv->root)
        check_durable(&check);
    mem_free(check.owner);
    return check.problems == 0 ? OK : ERR_CORRUPT;
}
