/* Scans: a merge of two ordered walks.
 *
 * The stored walk finds, for each user key in order, the newest version at or below the view's. A
 * key's versions lie together, newest first:
 *
 *     key | ~9   key | ~5   key | ~2   next key | ...
 *
 * Ascending, the first of them with version <= the view's is the one; what is left of the key is
 * skipped. Descending, the walk comes from the oldest side, so the one is the last of them that is
 * still <= the view's.  A few steps of the cursor are cheaper than a seek; after SKIP_STEPS of them
 * the key is long and a seek jumps over the rest.
 *
 * A stored key is valid only while the cursor stays, and the walk is one key ahead of what was
 * given out: keys are copied into the scan, to one of two places in turn.
 *
 * The overlay's walk gives the transaction's own writes; where both have a key, its own wins. */

#include <string.h>

#include "base/check.h"
#include "mvcc/mvcc.h"
#include "mvcc/mvcc_int.h"

enum { SKIP_STEPS = 8 };

static bool cursor_holds(struct kv_cursor *cursor, struct slice key)
{
    if (!kv_cursor_valid(cursor))
        return false;
    struct slice stored = kv_cursor_key(cursor);
    return stored.size == key.size + MVCC_VERSION_SIZE && slice_has_prefix(stored, key);
}

/* Moves an ascending cursor from some version of `key` to its first with version <= `version`,
 * or behind the key. */
static status_t skip_newer(struct kv_cursor *cursor, struct slice key, uint64_t version,
                           struct error *error)
{
    for (int step = 0; cursor_holds(cursor, key); step++) {
        struct slice stored = kv_cursor_key(cursor);
        if (~get_u64_be(stored.data + key.size) <= version)
            return OK;
        if (step == SKIP_STEPS) {
            struct mvcc_stored_key wanted;
            mvcc__stored_key(&wanted, key, version);
            return kv_cursor_seek(cursor, slice_make(wanted.bytes, wanted.size), error);
        }
        status_t status = kv_cursor_next(cursor, error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* Moves an ascending cursor behind all versions of `key`. */
status_t mvcc__skip_rest(struct kv_cursor *cursor, struct slice key, struct error *error)
{
    for (int step = 0; cursor_holds(cursor, key); step++) {
        status_t status;
        if (step == SKIP_STEPS) {
            struct mvcc_stored_key oldest;
            mvcc__stored_key(&oldest, key, 0);
            status = kv_cursor_seek(cursor, slice_make(oldest.bytes, oldest.size), error);
            step = 0;
            if (status != OK)
                return status;
            if (!cursor_holds(cursor, key))
                return OK;
        }
        status = kv_cursor_next(cursor, error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* The user key and version the cursor stands at; the key is copied. */
static status_t candidate_take(struct mvcc_scan *scan, struct slice *key, uint64_t *version,
                               struct error *error)
{
    status_t status = mvcc__split(kv_cursor_key(&scan->cursor), key, version, error);
    if (status != OK)
        return status;
    if (key->size > MVCC_KEY_MAX)
        return error_set(error, ERR_CORRUPT, "stored key of %zu bytes", key->size);
    ASSERT(scan->turn < 2);
    memcpy(scan->keys[scan->turn], key->data, key->size);
    key->data = scan->keys[scan->turn];
    return OK;
}

/* Finds the next live stored key of an ascending scan; the cursor stands at its candidates. */
static status_t stored_ascend(struct mvcc_scan *scan, struct error *error)
{
    struct kv_cursor *cursor = &scan->cursor;
    while (kv_cursor_valid(cursor)) {
        struct slice key;
        uint64_t version;
        status_t status = candidate_take(scan, &key, &version, error);
        if (status != OK)
            return status;
        if (scan->high.size && slice_compare(key, scan->high) >= 0)
            return OK;
        if (version > scan->view->version)
            status = skip_newer(cursor, key, scan->view->version, error);
        bool tombstone = true;
        struct slice raw;
        if (status == OK && cursor_holds(cursor, key)) {
            status = kv_cursor_value(cursor, &raw, error);
            if (status == OK)
                status = mvcc__unwrap(raw, &tombstone, &scan->stored_value, error);
            if (status == OK)
                status = kv_cursor_next(cursor, error);
        }
        if (status == OK)
            status = mvcc__skip_rest(cursor, key, error);
        if (status != OK)
            return status;
        if (!tombstone) {
            scan->stored_key = key;
            scan->stored_ready = true;
            return OK;
        }
    }
    return OK;
}

/* The cursor stands at the oldest version of some key; leaves it before that key's versions. */
static status_t stored_descend_key(struct mvcc_scan *scan, struct slice key, bool *live,
                                   struct error *error)
{
    struct kv_cursor *cursor = &scan->cursor;
    *live = false;
    for (int step = 0; cursor_holds(cursor, key); step++) {
        struct slice stored = kv_cursor_key(cursor);
        if (~get_u64_be(stored.data + key.size) > scan->view->version) {
            /* The rest is newer still: jump before the key. */
            struct mvcc_stored_key newest;
            mvcc__stored_key(&newest, key, UINT64_MAX);
            status_t status =
                kv_cursor_seek_reverse(cursor, slice_make(newest.bytes, newest.size), error);
            if (status == OK && cursor_holds(cursor, key))
                status = kv_cursor_prev(cursor, error);
            return status;
        }
        struct slice raw;
        bool tombstone = true;
        status_t status = kv_cursor_value(cursor, &raw, error);
        if (status == OK)
            status = mvcc__unwrap(raw, &tombstone, &scan->stored_value, error);
        if (status == OK)
            status = kv_cursor_prev(cursor, error);
        if (status != OK)
            return status;
        *live = !tombstone;
        if (step == SKIP_STEPS && cursor_holds(cursor, key)) {
            struct mvcc_stored_key wanted;
            mvcc__stored_key(&wanted, key, scan->view->version);
            status = kv_cursor_seek(cursor, slice_make(wanted.bytes, wanted.size), error);
            if (status != OK)
                return status;
            ASSERT(cursor_holds(cursor, key));
        }
    }
    return OK;
}

static status_t stored_descend(struct mvcc_scan *scan, struct error *error)
{
    while (kv_cursor_valid(&scan->cursor)) {
        /* Below the smallest user key begin the keys of others, which need not have a version. */
        if (kv_cursor_key(&scan->cursor).data[0] < MVCC_KEY_FIRST_MIN)
            return OK;
        struct slice key;
        uint64_t version;
        status_t status = candidate_take(scan, &key, &version, error);
        if (status != OK)
            return status;
        if (slice_compare(key, scan->low) < 0)
            return OK;
        bool live;
        status = stored_descend_key(scan, key, &live, error);
        if (status != OK)
            return status;
        if (live) {
            scan->stored_key = key;
            scan->stored_ready = true;
            return OK;
        }
    }
    return OK;
}

status_t mvcc__stored_advance(struct mvcc_scan *scan, struct error *error)
{
    scan->stored_ready = false;
    scan->turn ^= 1; /* the other one holds what was given out */
    return scan->reverse ? stored_descend(scan, error) : stored_ascend(scan, error);
}

static bool own_in_range(const struct mvcc_scan *scan, const struct ordered_node *node)
{
    if (scan->reverse)
        return slice_compare(node->key, scan->low) >= 0;
    return scan->high.size == 0 || slice_compare(node->key, scan->high) < 0;
}

static void own_advance(struct mvcc_scan *scan)
{
    ASSERT(scan->own);
    scan->own = scan->reverse ? scan->own->previous : ordered_next(scan->own);
    if (scan->own && !own_in_range(scan, scan->own))
        scan->own = NULL;
}

struct slice mvcc__first_stored(struct slice low)
{
    static const uint8_t first = MVCC_KEY_FIRST_MIN;
    return low.size == 0 || low.data[0] < first ? slice_make(&first, 1) : low;
}

void mvcc__own_begin(struct mvcc_scan *scan)
{
    const struct mvcc_overlay *overlay = scan->view->overlay;
    scan->own = NULL;
    if (!overlay || overlay->writes.count == 0)
        return;
    scan->own = scan->reverse ? ordered_before(&overlay->writes, scan->high)
                              : ordered_seek(&overlay->writes, scan->low);
    if (scan->own && !own_in_range(scan, scan->own))
        scan->own = NULL;
}

static status_t stored_begin(struct mvcc_scan *scan, struct error *error)
{
    kv_cursor_init(&scan->cursor, scan->view->snapshot);
    struct slice low = mvcc__first_stored(scan->low);
    status_t status;
    if (!scan->reverse) {
        status = kv_cursor_seek(&scan->cursor, low, error);
    } else if (scan->high.size == 0) {
        status = kv_cursor_last(&scan->cursor, error);
    } else {
        /* No stored key equals a bare bound: stored keys are longer by their version. A key with
         * the bound itself as user key sorts behind it and is left out, as it should be. */
        status = kv_cursor_seek_reverse(&scan->cursor, scan->high, error);
    }
    return status == OK ? mvcc__stored_advance(scan, error) : status;
}

status_t mvcc_scan_begin(struct mvcc_scan *scan, const struct mvcc_view *view, struct slice low,
                         struct slice high, bool reverse, struct error *error)
{
    /* One by one: the places for keys need no zeros. */
    scan->view = view;
    scan->low = low;
    scan->high = high;
    scan->reverse = reverse;
    scan->is_keyless = false;
    scan->in_run = false;
    scan->turn = 0;
    if (low.size > MVCC_KEY_MAX || high.size > MVCC_KEY_MAX)
        return error_set(error, ERR_TOO_LONG, "scan bound is too long");
    mvcc__own_begin(scan);
    return stored_begin(scan, error);
}

status_t mvcc_scan_next(struct mvcc_scan *scan, struct slice *key, struct slice *value,
                        struct error *error)
{
    status_t left = scan->in_run ? mvcc__run_leave(scan, error) : OK;
    if (left != OK)
        return left;
    for (;;) {
        if (!scan->own && !scan->stored_ready)
            return ERR_NOT_FOUND;
        int order = !scan->own ? 1 : !scan->stored_ready ? -1 : 0;
        if (order == 0) {
            order = slice_compare(scan->own->key, scan->stored_key);
            if (scan->reverse)
                order = -order;
        }
        /* order < 0: the own write comes first; 0: it hides the stored one. */
        if (order > 0) {
            *key = scan->stored_key;
            *value = scan->stored_value;
            return mvcc__stored_advance(scan, error);
        }
        bool tombstone = scan->own->tag == MVCC_TOMBSTONE;
        *key = scan->own->key;
        *value = scan->own->value;
        if (order == 0) {
            status_t status = mvcc__stored_advance(scan, error);
            if (status != OK)
                return status;
        }
        own_advance(scan);
        if (!tombstone)
            return OK;
    }
}

/* ---- many at a time ----------------------------------------------------------------------------
 */

status_t mvcc_scan_next_many(struct mvcc_scan *scan, struct kv_entry *entries, uint32_t max,
                             uint32_t *count, struct arena *keys, struct error *error)
{
    ASSERT(entries && max > 0);
    *count = 0;
    while (*count < max) {
        bool plain = (scan->stored_ready || scan->in_run) && !scan->own && !scan->reverse;
        status_t status;
        if (plain) {
            status = mvcc__run_many(scan, entries, max, count, keys, error);
        } else {
            struct kv_entry *entry = &entries[*count];
            status = mvcc_scan_next(scan, &entry->key, &entry->value, error);
            if (status == ERR_NOT_FOUND)
                return OK;
            if (status == OK) {
                entry->key = arena_copy(keys, entry->key);
                ++*count;
            }
        }
        if (status != OK)
            return status;
    }
    return OK;
}

/* ---- a glance ----------------------------------------------------------------------------------
 */

status_t mvcc_estimate(const struct mvcc_view *view, struct slice low, struct slice high,
                       double *keys, struct error *error)
{
    return kv_estimate(view->snapshot, low, high, keys, error);
}

status_t mvcc_share_key(const struct mvcc_view *view, struct slice low, struct slice high,
                        double share, struct buffer *key, struct error *error)
{
    struct kv_cursor cursor;
    struct slice at;
    uint64_t version;
    status_t status = kv_cursor_seek_share(&cursor, view->snapshot, low, high, share, error);
    if (status != OK || !kv_cursor_valid(&cursor))
        return status;
    struct slice stored = kv_cursor_key(&cursor);
    if (slice_compare(stored, low) <= 0 || (high.size != 0 && slice_compare(stored, high) >= 0))
        return OK;
    status = mvcc__split(stored, &at, &version, error);
    if (status == OK)
        buffer_append_slice(key, at);
    return status;
}

status_t mvcc_sample(const struct mvcc_view *view, struct slice low, struct slice high,
                     double share, struct kv_entry *entries, uint32_t max, uint32_t *count,
                     struct arena *keys, struct error *error)
{
    struct kv_cursor cursor;
    struct slice from = low, at;
    uint64_t version;
    *count = 0;
    status_t status = kv_cursor_seek_share(&cursor, view->snapshot, low, high, share, error);
    if (status == OK && kv_cursor_valid(&cursor)) {
        at = kv_cursor_key(&cursor);
        if (slice_compare(at, low) > 0 && (high.size == 0 || slice_compare(at, high) < 0))
            status = mvcc__split(at, &from, &version, error);
    }
    struct mvcc_scan scan;
    if (status == OK)
        status = mvcc_scan_begin(&scan, view, from, high, false, error);
    return status == OK ? mvcc_scan_next_many(&scan, entries, max, count, keys, error) : status;
}
