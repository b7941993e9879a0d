/* What a transaction has read, kept in a bounded number of ranges.
 *
 * When there are too many, neighbours become one range that covers the gap between them, too. That
 * can only report conflicts that are none, never miss one; but a gap that holds keys which others
 * write makes it do so again and again. So the narrowest gaps are closed first: those whose two
 * ends share the most bytes at their beginning. A key begins with its table and index, so rows read
 * one by one grow together long before a range reaches over the end of their table. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "txn/txn.h"
#include "txn/txn_int.h"

enum {
    KEPT = TXN_RANGES_MAX / 2,
    SHARED_MAX = 64, /* bytes; ends that share more are as near as any */
};

static int range_order(const void *a, const void *b)
{
    const struct txn_range *x = a;
    const struct txn_range *y = b;
    return slice_compare(x->low, y->low);
}

struct slice txn__key_behind(struct arena *arena, struct slice key)
{
    uint8_t *bytes = arena_alloc(arena, key.size + 1);
    if (key.size)
        memcpy(bytes, key.data, key.size);
    bytes[key.size] = 0;
    return slice_make(bytes, key.size + 1);
}

static struct slice range_end(struct arena *arena, const struct txn_range *range)
{
    return range->point ? txn__key_behind(arena, range->low) : range->high;
}

/* Does `next`, which does not begin before `range`, begin in it or right behind it? */
static bool touches(const struct txn_range *range, const struct txn_range *next)
{
    if (range->point)
        return slice_equal(range->low, next->low);
    return range->high.size == 0 || slice_compare(next->low, range->high) <= 0;
}

/* `range` covers `next`, too, and all between. */
static void join(struct arena *arena, struct txn_range *range, const struct txn_range *next)
{
    if (range->point && next->point && slice_equal(range->low, next->low))
        return;
    struct slice end = range_end(arena, range);
    struct slice other = range_end(arena, next);
    bool further = end.size > 0 && (other.size == 0 || slice_compare(other, end) > 0);
    range->high = further ? other : end;
    range->point = false;
}

/* How many bytes the ends of the gap between two ranges begin with alike. */
static uint32_t gap_shared(const struct txn_range *range, const struct txn_range *next)
{
    struct slice end = range->point ? range->low : range->high;
    uint32_t shared = 0;
    while (shared < SHARED_MAX && shared < end.size && shared < next->low.size &&
           end.data[shared] == next->low.data[shared])
        shared++;
    return shared;
}

/* Closes `count` of the gaps between `ranges`, the narrowest; returns how many ranges are left. */
static uint32_t gaps_close(struct arena *arena, struct txn_range *ranges, uint32_t range_count,
                           uint32_t count)
{
    uint32_t gaps[SHARED_MAX + 1] = {0};
    for (uint32_t i = 1; i < range_count; i++)
        gaps[gap_shared(&ranges[i - 1], &ranges[i])]++;
    uint32_t least = SHARED_MAX; /* all that share more are closed, and `count` of these */
    while (gaps[least] < count) {
        ASSERT(least > 0);
        count -= gaps[least--];
    }
    uint32_t kept = 0;
    struct txn_range before = ranges[0];
    for (uint32_t i = 1; i < range_count; i++) {
        uint32_t shared = gap_shared(&before, &ranges[i]);
        bool close = shared > least || (shared == least && count > 0);
        count -= close && shared == least;
        before = ranges[i];
        if (close)
            join(arena, &ranges[kept], &ranges[i]);
        else
            ranges[++kept] = ranges[i];
    }
    return kept + 1;
}

void txn__ranges_merge(struct txn *txn)
{
    struct arena merged = {0}, ends = {0};
    struct txn_range *ranges = txn->ranges;
    ASSERT(txn->range_count > KEPT);
    qsort(ranges, txn->range_count, sizeof *ranges, range_order);
    uint32_t count = 0;
    for (uint32_t i = 1; i < txn->range_count; i++) {
        if (touches(&ranges[count], &ranges[i]))
            join(&ends, &ranges[count], &ranges[i]);
        else
            ranges[++count] = ranges[i];
    }
    count++;
    if (count > KEPT)
        count = gaps_close(&ends, ranges, count, count - KEPT);
    for (uint32_t i = 0; i < count; i++) {
        ranges[i].low = arena_copy(&merged, ranges[i].low);
        ranges[i].high = arena_copy(&merged, ranges[i].high);
    }
    arena_free(&ends);
    arena_free(&txn->range_bytes);
    txn->range_bytes = merged;
    txn->range_count = count;
    ASSERT(count > 0 && count <= KEPT);
}
