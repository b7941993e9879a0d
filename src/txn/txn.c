#include "txn/txn.h"

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

void txn_free(struct txn *txn)
{
    mem_free(txn->ranges);
    mvcc_near_destroy(txn->near);
    arena_free(&txn->range_bytes);
    mvcc_overlay_free(&txn->overlay);
    kv_snapshot_close(txn->snapshot);
    *txn = (struct txn){0};
}

/* Of the keys of its size the next one? Keys are prefix-free: there is none between them. */
static bool is_next(struct slice before, struct slice key)
{
    size_t at = key.size - 1;
    if (before.size != key.size)
        return false;
    while (at > 0 && before.data[at] == 0xff && key.data[at] == 0)
        at--;
    return key.data[at] == before.data[at] + 1 && memcmp(before.data, key.data, at) == 0;
}

/* A range whose high end is the key right behind another, so that it may be moved on. */
static bool ends_behind_key(const struct txn_range *range, struct slice key)
{
    return range->high.size == key.size + 1 && range->high.data[key.size] == 0;
}

/* Makes a range read lately longer by `key`, which is the next after its last: rows that are read
 * or written one behind the other are noted in one range. Beside them a row's unique indexes are
 * read, hence some ranges back. */
static bool range_extend(struct txn *txn, struct slice key)
{
    enum { LATELY = 3 };
    for (uint32_t i = txn->range_count; i > 0 && txn->range_count - i < LATELY; i--) {
        struct txn_range *range = &txn->ranges[i - 1];
        if (range->point) {
            if (!is_next(range->low, key))
                continue;
            range->high = txn__key_behind(&txn->range_bytes, key);
            range->point = false;
            return true;
        }
        if (!ends_behind_key(range, key) || !is_next(slice_make(range->high.data, key.size), key))
            continue;
        memcpy((uint8_t *)(uintptr_t)range->high.data, key.data, key.size);
        return true;
    }
    return false;
}

/* For one range more. What was put into range_bytes for it before is gone afterwards. */
static void range_make_room(struct txn *txn)
{
    if (txn->range_count == TXN_RANGES_MAX)
        txn__ranges_merge(txn);
    ASSERT(txn->range_count < TXN_RANGES_MAX);
}

/* The bounds are copied into range_bytes. */
static void range_note(struct txn *txn, struct slice low, struct slice high, bool point)
{
    range_make_room(txn);
    txn->ranges =
        vec_grow(txn->ranges, &txn->range_capacity, txn->range_count + 1, sizeof *txn->ranges);
    txn->ranges[txn->range_count++] =
        (struct txn_range){.low = arena_copy(&txn->range_bytes, low),
                           .high = arena_copy(&txn->range_bytes, high),
                           .point = point};
}

/* A key was asked for, with this outcome. */
static void key_note(struct txn *txn, struct slice key, status_t status)
{
    /* No key of such a size is ever written: there is nothing to conflict with. */
    bool possible = key.size > 0 && key.size <= MVCC_KEY_MAX;
    if (possible && !txn->read_only && (status == OK || status == ERR_NOT_FOUND) &&
        !range_extend(txn, key))
        range_note(txn, key, (struct slice){0}, true);
}

status_t txn_get(struct txn *txn, struct slice key, struct slice *value, struct error *error)
{
    bool own;
    if (!txn->near && txn->has_got && !txn->read_only)
        txn->near = mvcc_near_create(&txn->view);
    txn->has_got = true;
    status_t status = txn->near ? mvcc_near_get(txn->near, key, value, &own, error)
                                : mvcc_get(&txn->view, key, value, &own, error);
    if (!own)
        key_note(txn, key, status);
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

static status_t bounds_copy(struct txn_scan *scan, struct slice low, struct slice high,
                            struct error *error)
{
    buffer_reset(&scan->bounds);
    buffer_append_slice(&scan->bounds, low);
    buffer_append_slice(&scan->bounds, high);
    if (scan->bounds.failed)
        return error_set(error, ERR_TOO_LONG, "scan bound is too long");
    scan->low = slice_make(scan->bounds.data, low.size);
    scan->high = high.size ? slice_make(scan->bounds.data + low.size, high.size) : high;
    return OK;
}

/* One by one: `scan->scan` is large, and begins itself. */
static void scan_init(struct txn *txn, struct txn_scan *scan, bool reverse)
{
    scan->txn = txn;
    scan->low = scan->high = scan->last = slice_make(NULL, 0);
    scan->bounds = (struct buffer){0};
    scan->reverse = reverse;
    scan->at_end = false;
    scan->is_part = false;
    scan->count = NULL;
}

status_t txn_scan_open(struct txn *txn, struct txn_scan *scan, struct slice low, struct slice high,
                       bool reverse, struct error *error)
{
    scan_init(txn, scan, reverse);
    status_t status = bounds_copy(scan, low, high, error);
    if (status == OK)
        status = mvcc_scan_begin(&scan->scan, &txn->view, scan->low, scan->high, reverse, error);
    if (status != OK) {
        buffer_free(&scan->bounds);
        scan->txn = NULL;
    }
    return status;
}

void txn_look_open(struct txn *txn, struct txn_scan *scan)
{
    scan_init(txn, scan, false);
    mvcc_scan_init(&scan->scan, &txn->view);
}

void txn_note_range(struct txn *txn, struct slice low, struct slice high)
{
    if (!txn->read_only)
        range_note(txn, low, high, false);
}

status_t txn_scan_open_part(struct txn *txn, struct txn_scan *scan, struct slice low,
                            struct slice high, struct error *error)
{
    status_t status = txn_scan_open(txn, scan, low, high, false, error);
    scan->is_part = true;
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

/* A part as the scan gives it out. */
static status_t count_entries(struct txn_scan *scan, uint64_t *count, struct error *error)
{
    enum { ENTRIES = 256, ROUNDS = 16 };
    struct kv_entry entries[ENTRIES];
    struct arena keys = {0};
    status_t status = OK;
    uint32_t some = ENTRIES;
    for (uint32_t i = 0; i < ROUNDS && status == OK && some == ENTRIES; i++) {
        arena_reset(&keys);
        status = mvcc_scan_next_many(&scan->scan, entries, ENTRIES, &some, &keys, error);
        *count += some;
    }
    arena_free(&keys);
    return status;
}

status_t txn_scan_count(struct txn_scan *scan, uint64_t *count, struct error *error)
{
    ASSERT(scan->txn && !scan->reverse && !scan->last.data);
    *count = 0;
    if (!scan->at_end) {
        scan->at_end = true; /* all of the range is taken as read */
        struct mvcc_count *counting = mem_alloc(sizeof *counting);
        if (mvcc_count_begin(counting, &scan->txn->view, scan->low, scan->high))
            scan->count = counting;
        else
            mem_free(counting);
    }
    if (!scan->count)
        return count_entries(scan, count, error);
    uint64_t before = scan->count->keys;
    status_t status = OK;
    while (status == OK && scan->count->keys == before && !scan->count->at_end)
        status = mvcc_count_step(scan->count, error);
    *count = scan->count->keys - before;
    return status;
}

/* Of the range that is being read. */
static void read_note(struct txn_scan *scan)
{
    struct txn *txn = scan->txn;
    struct slice low = scan->low;
    struct slice high = scan->high;
    bool nothing = !scan->at_end && !scan->last.data;
    if (nothing || scan->is_part || txn->read_only)
        return;
    range_make_room(txn);
    if (!scan->at_end) {
        /* [low, last] or [last, high): what lies beyond was not looked at. */
        if (scan->reverse)
            low = scan->last;
        else
            high = txn__key_behind(&txn->range_bytes, scan->last);
    }
    range_note(txn, low, high, false);
}

/* Ends the range of a look-up before. */
static void look_leave(struct txn_scan *scan)
{
    ASSERT(scan->txn && !scan->reverse && !scan->is_part);
    read_note(scan);
    scan->last = slice_make(NULL, 0);
    scan->at_end = false;
}

status_t txn_look_range(struct txn_scan *scan, struct slice low, struct slice high,
                        struct error *error)
{
    look_leave(scan);
    status_t status = bounds_copy(scan, low, high, error);
    return status == OK ? mvcc_scan_move(&scan->scan, scan->low, scan->high, error) : status;
}

status_t txn_look_get(struct txn_scan *scan, struct slice key, struct slice *value,
                      struct error *error)
{
    bool own;
    look_leave(scan);
    status_t status = mvcc_scan_get(&scan->scan, key, value, &own, error);
    if (!own)
        key_note(scan->txn, key, status);
    return status;
}

void txn_scan_close(struct txn_scan *scan)
{
    if (!scan->txn)
        return;
    read_note(scan);
    mem_free(scan->count);
    scan->count = NULL;
    buffer_free(&scan->bounds);
    scan->txn = NULL;
}
