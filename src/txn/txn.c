#include "txn/txn.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "txn/txn_int.h"

void txn_init(struct txn *txn, struct kv_snapshot *snapshot, uint64_t version, bool read_only)
{
    ASSERT(snapshot);
    *txn = (struct txn){.snapshot = snapshot, .read_only = read_only};
    mvcc_overlay_init(&txn->overlay, TXN_WRITES_BYTES_MAX);
    txn->view =
        (struct mvcc_view){.snapshot = snapshot, .version = version, .overlay = &txn->overlay};
}

static struct slice bytes_copy(struct slice bytes)
{
    if (bytes.size == 0)
        return (struct slice){0};
    uint8_t *copy = mem_alloc(bytes.size);
    memcpy(copy, bytes.data, bytes.size);
    return slice_make(copy, bytes.size);
}

static void bytes_free(struct slice bytes)
{
    mem_free((void *)(uintptr_t)bytes.data);
}

void txn_free(struct txn *txn)
{
    for (uint32_t i = 0; i < txn->range_count; i++) {
        bytes_free(txn->ranges[i].low);
        bytes_free(txn->ranges[i].high);
    }
    mem_free(txn->ranges);
    mvcc_overlay_free(&txn->overlay);
    kv_snapshot_close(txn->snapshot);
    *txn = (struct txn){0};
}

static int range_order(const void *a, const void *b)
{
    const struct txn_range *x = a;
    const struct txn_range *y = b;
    return slice_compare(x->low, y->low);
}

/* Turns [k] into [k, k 00) so that it may be merged with its neighbour. */
static void range_widen(struct txn_range *range)
{
    if (!range->point)
        return;
    uint8_t *high = mem_zalloc(range->low.size + 1, 1);
    memcpy(high, range->low.data, range->low.size);
    range->high = slice_make(high, range->low.size + 1);
    range->point = false;
}

/* Halves the number of ranges: sorted neighbours become one that covers both and the gap between.
 * That can only report conflicts that are none, never miss one. */
static void ranges_merge(struct txn *txn)
{
    qsort(txn->ranges, txn->range_count, sizeof *txn->ranges, range_order);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < txn->range_count; i += 2) {
        struct txn_range first = txn->ranges[i];
        if (i + 1 < txn->range_count) {
            struct txn_range second = txn->ranges[i + 1];
            range_widen(&first);
            range_widen(&second);
            bool unbounded = first.high.size == 0 || second.high.size == 0;
            bool second_wider = !unbounded && slice_compare(second.high, first.high) > 0;
            bytes_free(second.low);
            bytes_free(second_wider ? first.high : second.high);
            if (second_wider)
                first.high = second.high;
            if (unbounded) {
                bytes_free(second_wider ? (struct slice){0} : first.high);
                first.high = (struct slice){0};
            }
        }
        txn->ranges[kept++] = first;
    }
    txn->range_count = kept;
}

/* Takes low and high over. */
static void range_note(struct txn *txn, struct slice low, struct slice high, bool point)
{
    if (txn->range_count == TXN_RANGES_MAX)
        ranges_merge(txn);
    ASSERT(txn->range_count < TXN_RANGES_MAX);
    txn->ranges =
        vec_grow(txn->ranges, &txn->range_capacity, txn->range_count + 1, sizeof *txn->ranges);
    txn->ranges[txn->range_count++] = (struct txn_range){.low = low, .high = high, .point = point};
}

status_t txn_get(struct txn *txn, struct slice key, struct slice *value, struct error *error)
{
    bool own;
    status_t status = mvcc_get(&txn->view, key, value, &own, error);
    /* No key of such a size is ever written: there is nothing to conflict with. */
    bool possible = key.size > 0 && key.size <= MVCC_KEY_MAX;
    if (possible && !own && !txn->read_only && (status == OK || status == ERR_NOT_FOUND))
        range_note(txn, bytes_copy(key), (struct slice){0}, true);
    return status;
}

status_t txn_write(struct txn *txn, struct slice key, const struct slice *value)
{
    ASSERT(!txn->read_only);
    return mvcc_overlay_write(&txn->overlay, key, value);
}

bool txn_has_writes(const struct txn *txn)
{
    return txn->overlay.writes.count > 0;
}

status_t txn_scan_open(struct txn *txn, struct txn_scan *scan, struct slice low, struct slice high,
                       bool reverse, struct error *error)
{
    /* One by one: `scan->scan` is large, and begins itself. */
    scan->txn = txn;
    scan->low = bytes_copy(low);
    scan->high = bytes_copy(high);
    scan->last = slice_make(NULL, 0);
    scan->reverse = reverse;
    scan->at_end = false;
    status_t status =
        mvcc_scan_begin(&scan->scan, &txn->view, scan->low, scan->high, reverse, error);
    if (status != OK) {
        bytes_free(scan->low);
        bytes_free(scan->high);
        scan->txn = NULL;
    }
    return status;
}

status_t txn_scan_next(struct txn_scan *scan, struct slice *key, struct slice *value,
                       struct error *error)
{
    status_t status = mvcc_scan_next(&scan->scan, key, value, error);
    if (status == OK)
        scan->last = *key;
    else
        scan->at_end = true; /* after an error take the whole range as read */
    return status;
}

status_t txn_scan_next_many(struct txn_scan *scan, struct kv_entry *entries, uint32_t max,
                            uint32_t *count, struct arena *keys, struct error *error)
{
    status_t status = mvcc_scan_next_many(&scan->scan, entries, max, count, keys, error);
    if (*count > 0)
        scan->last = entries[*count - 1].key;
    if (status != OK || *count < max)
        scan->at_end = true; /* after an error take the whole range as read */
    return status;
}

void txn_scan_close(struct txn_scan *scan)
{
    if (!scan->txn)
        return;
    struct slice low = scan->low;
    struct slice high = scan->high;
    bool nothing = !scan->at_end && !scan->last.data;
    if (!scan->at_end && scan->last.data) {
        /* [low, last] or [last, high): what lies beyond was not looked at. */
        if (scan->reverse) {
            bytes_free(low);
            low = bytes_copy(scan->last);
        } else {
            bytes_free(high);
            uint8_t *end = mem_zalloc(scan->last.size + 1, 1);
            memcpy(end, scan->last.data, scan->last.size);
            high = slice_make(end, scan->last.size + 1);
        }
    }
    if (nothing || scan->txn->read_only) {
        bytes_free(low);
        bytes_free(high);
    } else {
        range_note(scan->txn, low, high, false);
    }
    scan->txn = NULL;
}
