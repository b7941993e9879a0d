/* About how many entries lie between two keys, without counting them.
 *
 * Both keys' ways down the tree are known after one descent each. Where they part, the children
 * strictly between them are in the range, and below that those to the right of the low way and to
 * the left of the high one. How much is in them is asked of a few: a way down through each tells
 * how many children and entries the pages on it have, and the others are taken for the mean of
 * these. The two ways themselves tell little of what lies between: their pages may be those of
 * another table, with larger or smaller rows. Two keys in one leaf are counted exactly.
 *
 * A log-structured store has no such ways: up to COUNTED entries are counted there, and more are
 * taken for MANY. */
#include "kv/kv_int.h"

#include "base/check.h"

enum { COUNTED = 500, MANY = 10 * COUNTED };
enum { LOOKS_BETWEEN = 6, LOOKS_BESIDE = 2 }; /* at the children between the ways, and at others */

struct way {
    struct {
        const struct kv__page *page;
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
        way->level[way->depth].page = page;
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

/* Entries of the subtree under a page, were all of it as on the way down at this share of it. */
static status_t entries_under(struct kv *kv, const struct kv__page *page, double share,
                              double *entries, struct error *error)
{
    status_t status = OK;
    *entries = page->count;
    while (page->level > 0 && status == OK) {
        double place = share * page->count;
        uint32_t index = place < page->count ? (uint32_t)place : page->count - 1u;
        share = place - index < 1 ? place - index : 0.999999;
        status = kv__page_get(kv, kv__page_child(page, index), page->level - 1u, &page, error);
        if (status == OK)
            *entries *= page->count;
    }
    return status;
}

/* Of the children [from, to) of a page, after so many looks, added to *entries. */
static status_t add_children(struct kv *kv, const struct kv__page *page, uint32_t from, uint32_t to,
                             uint32_t looks, double *entries, struct error *error)
{
    double sum = 0;
    if (from >= to)
        return OK;
    if (looks > to - from)
        looks = to - from;
    for (uint32_t i = 0; i < looks; i++) {
        /* Each in the middle of its part, and not always in the middle of what is under it. */
        uint32_t index = from + (uint32_t)((2 * (uint64_t)i + 1) * (to - from) / (2 * looks));
        const struct kv__page *child;
        double some;
        status_t status =
            kv__page_get(kv, kv__page_child(page, index), page->level - 1u, &child, error);
        if (status == OK)
            status = entries_under(kv, child, (i + 0.5) / looks, &some, error);
        if (status != OK)
            return status;
        sum += some;
    }
    *entries += sum / looks * (to - from);
    return OK;
}

/* What lies beside a way below where it parted from the other, on the side of that. */
static status_t add_beside(struct kv *kv, const struct way *way, uint32_t parted, bool is_low,
                           double *entries, struct error *error)
{
    for (uint32_t i = parted + 1; i < way->depth; i++) {
        uint32_t index = way->level[i].index, count = way->level[i].count;
        if (i + 1 == way->depth) {
            *entries += is_low ? count - index : index;
            return OK;
        }
        status_t status = add_children(kv, way->level[i].page, is_low ? index + 1 : 0,
                                       is_low ? count : index, LOOKS_BESIDE, entries, error);
        if (status != OK)
            return status;
    }
    return OK;
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
    struct kv *kv = snapshot->kv;
    status = add_children(kv, a.level[part].page, a.level[part].index + 1, b.level[part].index,
                          LOOKS_BETWEEN, entries, error);
    if (status == OK)
        status = add_beside(kv, &a, part, true, entries, error);
    if (status == OK)
        status = add_beside(kv, &b, part, false, entries, error);
    return status;
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
