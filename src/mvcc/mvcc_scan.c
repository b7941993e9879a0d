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
static status_t skip_rest(struct kv_cursor *cursor, struct slice key, struct error *error)
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
            status = skip_rest(cursor, key, error);
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

static status_t stored_advance(struct mvcc_scan *scan, struct error *error)
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

static status_t stored_begin(struct mvcc_scan *scan, struct error *error)
{
    kv_cursor_init(&scan->cursor, scan->view->snapshot);
    static const uint8_t first = MVCC_KEY_FIRST_MIN;
    bool below_users = scan->low.size == 0 || scan->low.data[0] < first;
    struct slice low = below_users ? slice_make(&first, 1) : scan->low;
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
    return status == OK ? stored_advance(scan, error) : status;
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
    scan->own = NULL;
    scan->turn = 0;
    if (low.size > MVCC_KEY_MAX || high.size > MVCC_KEY_MAX)
        return error_set(error, ERR_TOO_LONG, "scan bound is too long");
    if (view->overlay && view->overlay->writes.count) {
        const struct ordered *writes = &view->overlay->writes;
        scan->own = reverse ? ordered_before(writes, high) : ordered_seek(writes, low);
        if (scan->own && !own_in_range(scan, scan->own))
            scan->own = NULL;
    }
    return stored_begin(scan, error);
}

status_t mvcc_scan_next(struct mvcc_scan *scan, struct slice *key, struct slice *value,
                        struct error *error)
{
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
            return stored_advance(scan, error);
        }
        bool tombstone = scan->own->tag == MVCC_TOMBSTONE;
        *key = scan->own->key;
        *value = scan->own->value;
        if (order == 0) {
            status_t status = stored_advance(scan, error);
            if (status != OK)
                return status;
        }
        own_advance(scan);
        if (!tombstone)
            return OK;
    }
}

/* ---- many at a time ----------------------------------------------------------------------------
 *
 * Whole runs of a page's entries, where only the store has keys and the walk ascends. Seen in
 * order, an entry is the one of its key that counts when it is not newer than the view and no entry
 * of the key before it was: so it is enough to know the last key that was decided. */

enum { RUN_ENTRIES = 128 };

static inline bool same_key(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    /* Neighbours differ in their last bytes if at all. */
    if (a.size >= 8 && memcmp(a.data + a.size - 8, b.data + b.size - 8, 8) != 0)
        return false;
    return memcmp(a.data, b.data, a.size) == 0;
}

struct run {
    struct slice decided; /* key of the last entry that counted */
    struct slice high;    /* empty: all of the run is below the end */
    bool stopped;         /* at an entry for the slow way: beyond the end, or damaged */
};

/* Passes over entries of a run until there are `max`; returns how many it has passed over. */
static uint32_t run_take(const struct mvcc_scan *scan, struct run *run, const struct kv_entry *in,
                         uint32_t in_count, struct kv_entry *out, uint32_t max, uint32_t *count)
{
    uint64_t newest = scan->view->version;
    uint32_t i = 0;
    for (; i < in_count && *count < max; i++) {
        struct slice key = in[i].key;
        const uint8_t *flag = in[i].value.data;
        run->stopped =
            key.size <= MVCC_VERSION_SIZE || in[i].value.size == 0 || *flag > MVCC_FLAG_TOMBSTONE;
        key.size -= MVCC_VERSION_SIZE;
        if (run->stopped || (run->high.size && slice_compare(key, run->high) >= 0)) {
            run->stopped = true;
            return i;
        }
        if (~get_u64_be(key.data + key.size) > newest || same_key(key, run->decided))
            continue;
        run->decided = key;
        if (*flag == MVCC_FLAG_TOMBSTONE)
            continue;
        struct kv_entry *entry = &out[(*count)++];
        entry->key.data = key.data;
        entry->key.size = key.size;
        entry->value.data = flag + 1;
        entry->value.size = in[i].value.size - 1;
    }
    return i;
}

/* ---- and without keys --------------------------------------------------------------------------
 *
 * As above, but keys stay where they are: what all keys of a page begin with needs not be looked
 * at, and the key decided last is put together once a run. */

/* Do two keys of a run have the same user key? Both end with a version. */
static inline bool same_rest(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    /* Neighbours differ in their last bytes if at all. */
    for (size_t i = a.size - MVCC_VERSION_SIZE; i > 0; i--) {
        if (a.data[i - 1] != b.data[i - 1])
            return false;
    }
    return true;
}

static bool is_key(struct slice key, struct slice shared, struct slice rest)
{
    return key.size == shared.size + rest.size - MVCC_VERSION_SIZE && key.size >= shared.size &&
           memcmp(key.data, shared.data, shared.size) == 0 &&
           memcmp(key.data + shared.size, rest.data, key.size - shared.size) == 0;
}

static void key_join(struct slice *key, struct slice shared, struct slice rest, struct arena *keys)
{
    size_t size = rest.size - MVCC_VERSION_SIZE;
    uint8_t *bytes = arena_alloc(keys, shared.size + size + 1);
    memcpy(bytes, shared.data, shared.size);
    memcpy(bytes + shared.size, rest.data, size);
    *key = slice_make(bytes, shared.size + size);
}

/* As run_take; no entry is beyond the end of the walk. */
static uint32_t parts_take(const struct mvcc_scan *scan, struct run *run, const struct kv_entry *in,
                           uint32_t in_count, struct slice shared, struct kv_entry *out,
                           uint32_t max, uint32_t *count, struct arena *keys)
{
    uint64_t newest = scan->view->version;
    struct slice decided = {0}; /* the rest of its key, when it is of this run */
    uint32_t i = 0;
    for (; i < in_count && *count < max; i++) {
        struct slice rest = in[i].key;
        const uint8_t *flag = in[i].value.data;
        if (rest.size < MVCC_VERSION_SIZE || shared.size + rest.size <= MVCC_VERSION_SIZE ||
            in[i].value.size == 0 || *flag > MVCC_FLAG_TOMBSTONE) {
            run->stopped = true;
            break;
        }
        if (~get_u64_be(rest.data + rest.size - MVCC_VERSION_SIZE) > newest)
            continue;
        if (decided.data ? same_rest(rest, decided) : is_key(run->decided, shared, rest))
            continue;
        decided = rest;
        if (*flag == MVCC_FLAG_TOMBSTONE)
            continue;
        struct kv_entry *entry = &out[(*count)++];
        entry->value.data = flag + 1;
        entry->value.size = in[i].value.size - 1;
    }
    if (decided.data)
        key_join(&run->decided, shared, decided, keys);
    return i;
}

/* Is the last of a run beyond the end of the walk? */
static bool is_beyond(const struct mvcc_scan *scan, struct slice shared, struct slice rest)
{
    struct slice high = scan->high;
    if (high.size == 0)
        return false;
    size_t common = shared.size < high.size ? shared.size : high.size;
    int order = memcmp(shared.data, high.data, common);
    if (order != 0 || common == high.size)
        return order >= 0;
    high.data += common;
    high.size -= common;
    return slice_compare(rest, high) >= 0;
}

/* Takes the next run by its parts; *taken false: it has to be taken with its keys. */
static status_t parts_run(struct mvcc_scan *scan, struct run *run, struct kv_entry *entries,
                          uint32_t max, uint32_t *count, bool *taken, struct arena *keys,
                          struct error *error)
{
    struct kv_entry in[RUN_ENTRIES];
    struct slice shared;
    uint32_t found = kv_cursor_run_parts(&scan->cursor, in, RUN_ENTRIES, &shared, keys);
    *taken = found > 0 && !is_beyond(scan, shared, in[found - 1].key);
    if (!*taken)
        return OK;
    uint32_t passed = parts_take(scan, run, in, found, shared, entries, max, count, keys);
    return kv_cursor_pass(&scan->cursor, passed, error);
}

static status_t stored_many(struct mvcc_scan *scan, struct kv_entry *entries, uint32_t max,
                            uint32_t *count, struct arena *keys, struct error *error)
{
    struct kv_cursor *cursor = &scan->cursor;
    struct run run = {.decided = arena_copy(keys, scan->stored_key)};
    struct kv_entry in[RUN_ENTRIES];
    ASSERT(scan->stored_ready && !scan->own && !scan->reverse);
    entries[*count].key = run.decided;
    entries[(*count)++].value = scan->stored_value;
    while (!run.stopped && *count < max && kv_cursor_valid(cursor)) {
        bool taken = false;
        if (scan->is_keyless) {
            status_t status = parts_run(scan, &run, entries, max, count, &taken, keys, error);
            if (status != OK)
                return status;
        }
        if (taken)
            continue;
        uint32_t found = kv_cursor_run(cursor, in, RUN_ENTRIES, keys);
        if (found == 0)
            break;
        struct slice last = in[found - 1].key;
        bool beyond = scan->high.size && slice_compare(last, scan->high) >= 0;
        run.high = beyond ? scan->high : slice_make(NULL, 0);
        uint32_t passed = run_take(scan, &run, in, found, entries, max, count);
        status_t status = kv_cursor_pass(cursor, passed, error);
        if (status != OK)
            return status;
    }
    if (scan->is_keyless)
        entries[*count - 1].key = run.decided;
    status_t status = skip_rest(cursor, run.decided, error);
    return status == OK ? stored_advance(scan, error) : status;
}

status_t mvcc_scan_next_many(struct mvcc_scan *scan, struct kv_entry *entries, uint32_t max,
                             uint32_t *count, struct arena *keys, struct error *error)
{
    ASSERT(entries && max > 0);
    *count = 0;
    while (*count < max) {
        bool plain = scan->stored_ready && !scan->own && !scan->reverse;
        status_t status;
        if (plain) {
            status = stored_many(scan, entries, max, count, keys, error);
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
