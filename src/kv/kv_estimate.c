/* About how many entries lie between two keys, without counting them.
 *
 * Both keys' ways down the tree are known after one descent each. Where they part, the children
 * strictly between them are counted as full as those on the two ways, and what is to the right of
 * the low way and to the left of the high way below that counts by its share: each child of a page
 * is taken for as large as its siblings. Two keys in one leaf are counted exactly.
 *
 * A log-structured store has no such ways: up to COUNTED entries are counted there, and more are
 * taken for MANY. */
#include "kv/kv_int.h"

#include "base/check.h"

enum { COUNTED = 500, MANY = 10 * COUNTED };

struct way {
    struct {
        uint32_t index;
        uint32_t count;
    } level[KV_DEPTH_MAX];
    uint32_t depth;
};

/* An empty `key` with `to_end` goes behind the last entry. */
static status_t way_find(struct kv_snapshot *snapshot, struct slice key, bool to_end,
                         struct way *way, struct error *error)
{
    struct kv *kv = snapshot->kv;
    const struct kv__page *page;
    way->depth = 0;
    status_t status = kv__page_get(kv, snapshot->root, KV_LEVEL_ANY, &page, error);
    while (status == OK) {
        bool exact;
        ASSERT(way->depth < KV_DEPTH_MAX);
        bool leaf = page->level == 0;
        uint32_t index = to_end ? (leaf ? page->count : page->count - 1u)
                         : leaf ? kv__page_search(page, 0, key, &exact)
                                : kv__page_search_child(page, key);
        way->level[way->depth].index = index;
        way->level[way->depth++].count = page->count;
        if (leaf)
            return OK;
        status = kv__page_get(kv, kv__page_child(page, index), page->level - 1u, &page, error);
    }
    return status;
}

/* The share of the subtree at `level` of the way that lies before it. */
static double share_before(const struct way *way, uint32_t level)
{
    double share = 0;
    for (uint32_t i = way->depth; i-- > level;)
        share = (way->level[i].index + (i + 1 < way->depth ? share : 0)) /
                (way->level[i].count ? way->level[i].count : 1);
    return share;
}

/* Entries of a subtree at `level`, were all of it as it is on the way. */
static double entries_below(const struct way *way, uint32_t level)
{
    double entries = 1;
    for (uint32_t i = level; i < way->depth; i++)
        entries *= way->level[i].count;
    return entries;
}

static status_t count_some(struct kv_snapshot *snapshot, struct slice low, struct slice high,
                           double *entries, struct error *error)
{
    struct kv_cursor cursor;
    kv_cursor_init(&cursor, snapshot);
    status_t status = kv_cursor_seek(&cursor, low, error);
    for (uint32_t i = 0; status == OK && kv_cursor_valid(&cursor); i++) {
        if (high.size && slice_compare(kv_cursor_key(&cursor), high) >= 0)
            break;
        if (i == COUNTED) {
            *entries = MANY;
            break;
        }
        *entries = i + 1;
        status = kv_cursor_next(&cursor, error);
    }
    return status;
}

status_t kv_estimate(struct kv_snapshot *snapshot, struct slice low, struct slice high,
                     double *entries, struct error *error)
{
    struct way a, b;
    *entries = 0;
    if (kv__is_lsm(snapshot->kv))
        return count_some(snapshot, low, high, entries, error);
    if (snapshot->root == 0)
        return OK;
    status_t status = way_find(snapshot, low, false, &a, error);
    if (status == OK)
        status = way_find(snapshot, high, high.size == 0, &b, error);
    if (status != OK)
        return status;
    ASSERT(a.depth == b.depth);
    uint32_t part = 0;
    while (part + 1 < a.depth && a.level[part].index == b.level[part].index)
        part++;
    double between = (double)b.level[part].index - a.level[part].index;
    if (part + 1 == a.depth) {
        *entries = between > 0 ? between : 0;
        return OK;
    }
    if (between < 0)
        return OK; /* high is below low */
    double child = (entries_below(&a, part + 1) + entries_below(&b, part + 1)) / 2;
    *entries = child * (between - 1) +
               entries_below(&a, part + 1) * (1 - share_before(&a, part + 1)) +
               entries_below(&b, part + 1) * share_before(&b, part + 1);
    return OK;
}

status_t kv_cursor_seek_share(struct kv_cursor *cursor, struct kv_snapshot *snapshot,
                              struct slice low, struct slice high, double share,
                              struct error *error)
{
    struct way a, b;
    const struct kv__page *page;
    ASSERT(share >= 0 && share < 1);
    kv_cursor_init(cursor, snapshot);
    if (kv__is_lsm(snapshot->kv))
        return kv_cursor_seek(cursor, low, error);
    if (snapshot->root == 0)
        return OK;
    status_t status = way_find(snapshot, low, false, &a, error);
    if (status == OK)
        status = way_find(snapshot, high, high.size == 0, &b, error);
    if (status == OK)
        status = kv__page_get(snapshot->kv, snapshot->root, KV_LEVEL_ANY, &page, error);
    if (status != OK)
        return status;
    double first = share_before(&a, 0), last = share_before(&b, 0);
    double at = first + (last > first ? share * (last - first) : 0);
    /* The entry there tells the key to seek for. */
    uint8_t bytes[KV_KEY_SIZE_MAX];
    for (;;) {
        double place = at * page->count;
        uint32_t index = place < page->count ? (uint32_t)place : page->count - 1u;
        if (page->level == 0)
            return kv_cursor_seek(cursor, kv__page_key(page, index, bytes), error);
        at = place - index;
        if (at >= 1)
            at = 0.999999;
        status =
            kv__page_get(snapshot->kv, kv__page_child(page, index), page->level - 1u, &page, error);
        if (status != OK)
            return status;
    }
}
