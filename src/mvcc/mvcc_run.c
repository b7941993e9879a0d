/* Scans many entries at a time: whole runs of a page's entries, where only the store has keys and
 * the walk ascends. Seen in order, an entry is the one of its key that counts when it is not newer
 * than the view and no entry of the key before it was: so it is enough to know the last key that
 * was decided.
 *
 * Look-ups are many short walks of one scan: placed anew it finds nothing ahead, and stays between
 * runs (in_run) where entries are given out in part. A walk looks at few entries first and at more
 * each time, since one that looks up a key has few. */

#include <string.h>

#include "base/check.h"
#include "mvcc/mvcc.h"
#include "mvcc/mvcc_int.h"

enum { RUN_ENTRIES = 128, RUN_FIRST = 8, RUN_GROWTH = 4 };

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
    struct slice decided; /* key of the last entry that counted; empty: none yet */
    struct slice high;    /* empty: all of the run is below the end */
    bool stopped;         /* at an entry for the slow way, which is damaged */
    bool ended;           /* at an entry beyond the end of the walk */
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
        if (key.size <= MVCC_VERSION_SIZE || in[i].value.size == 0 || *flag > MVCC_FLAG_TOMBSTONE) {
            run->stopped = true;
            break;
        }
        key.size -= MVCC_VERSION_SIZE;
        if (run->high.size && slice_compare(key, run->high) >= 0) {
            run->ended = true;
            break;
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

/* As run_take; run->high is what the walk's end has behind `shared`. */
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
        if (run->high.size && slice_compare(rest, run->high) >= 0) {
            run->ended = true;
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

/* Is `last`, what an entry's key has behind `shared`, beyond the end of the walk? If so, *rest gets
 * what the end has behind `shared`, empty when all keys that begin so are beyond it. */
static bool is_beyond(const struct mvcc_scan *scan, struct slice shared, struct slice last,
                      struct slice *rest)
{
    struct slice high = scan->high;
    *rest = slice_make(NULL, 0);
    if (high.size == 0)
        return false;
    size_t common = shared.size < high.size ? shared.size : high.size;
    int order = memcmp(shared.data, high.data, common);
    if (order != 0 || common == high.size)
        return order >= 0;
    *rest = slice_make(high.data + common, high.size - common);
    return slice_compare(last, *rest) >= 0;
}

/* Takes the next run by its parts; *taken false: it has to be taken with its keys. */
static status_t parts_run(struct mvcc_scan *scan, struct run *run, uint32_t wanted,
                          struct kv_entry *entries, uint32_t max, uint32_t *count, bool *taken,
                          struct arena *keys, struct error *error)
{
    struct kv_entry in[RUN_ENTRIES];
    struct slice shared;
    uint32_t found = kv_cursor_run_parts(&scan->cursor, in, wanted, &shared, keys);
    *taken = found > 0;
    if (!*taken)
        return OK;
    if (!is_beyond(scan, shared, in[found - 1].key, &run->high)) {
        run->high = slice_make(NULL, 0);
    } else if (run->high.size == 0) {
        run->ended = true;
        return OK;
    }
    uint32_t passed = parts_take(scan, run, in, found, shared, entries, max, count, keys);
    return kv_cursor_pass(&scan->cursor, passed, error);
}

static status_t keys_run(struct mvcc_scan *scan, struct run *run, uint32_t wanted,
                         struct kv_entry *entries, uint32_t max, uint32_t *count, bool *taken,
                         struct arena *keys, struct error *error)
{
    struct kv_entry in[RUN_ENTRIES];
    uint32_t found = kv_cursor_run(&scan->cursor, in, wanted, keys);
    *taken = found > 0;
    if (!*taken)
        return OK;
    struct slice last = in[found - 1].key;
    bool beyond = scan->high.size && slice_compare(last, scan->high) >= 0;
    run->high = beyond ? scan->high : slice_make(NULL, 0);
    uint32_t passed = run_take(scan, run, in, found, entries, max, count);
    return kv_cursor_pass(&scan->cursor, passed, error);
}

/* The walk pauses between runs, behind the key decided last. */
static void run_pause(struct mvcc_scan *scan, struct slice decided)
{
    ASSERT(decided.size <= MVCC_KEY_MAX && scan->turn < 2);
    if (decided.size)
        memcpy(scan->keys[scan->turn], decided.data, decided.size);
    scan->stored_key = slice_make(scan->keys[scan->turn], decided.size);
    scan->stored_ready = false;
    scan->in_run = true;
}

status_t mvcc__run_leave(struct mvcc_scan *scan, struct error *error)
{
    ASSERT(scan->in_run && !scan->reverse);
    scan->in_run = false;
    status_t status =
        scan->stored_key.size ? mvcc__skip_rest(&scan->cursor, scan->stored_key, error) : OK;
    return status == OK ? mvcc__stored_advance(scan, error) : status;
}

status_t mvcc__run_many(struct mvcc_scan *scan, struct kv_entry *entries, uint32_t max,
                        uint32_t *count, struct arena *keys, struct error *error)
{
    struct kv_cursor *cursor = &scan->cursor;
    ASSERT((scan->stored_ready || scan->in_run) && !scan->own && !scan->reverse);
    bool begins = scan->in_run && scan->stored_key.size == 0;
    struct run run = {.decided = arena_copy(keys, scan->stored_key)};
    if (scan->stored_ready) {
        entries[*count].key = run.decided;
        entries[(*count)++].value = scan->stored_value;
    }
    bool taken = true;
    uint32_t size = begins ? RUN_FIRST : RUN_ENTRIES;
    while (taken && !run.stopped && !run.ended && *count < max && kv_cursor_valid(cursor)) {
        uint32_t wanted = size < max - *count ? size : max - *count;
        status_t status = (scan->is_keyless ? parts_run : keys_run)(
            scan, &run, wanted, entries, max, count, &taken, keys, error);
        if (status != OK)
            return status;
        size = size < RUN_ENTRIES / RUN_GROWTH ? size * RUN_GROWTH : RUN_ENTRIES;
    }
    if (scan->is_keyless && *count > 0)
        entries[*count - 1].key = run.decided;
    run_pause(scan, run.decided);
    if (run.ended || !kv_cursor_valid(cursor))
        scan->in_run = false; /* nothing more */
    else if (run.stopped || !taken)
        return mvcc__run_leave(scan, error);
    return OK;
}

/* ---- look-ups ----------------------------------------------------------------------------------
 */

void mvcc_scan_init(struct mvcc_scan *scan, const struct mvcc_view *view)
{
    /* One by one: the places for keys need no zeros. */
    scan->view = view;
    scan->low = scan->high = slice_make(NULL, 0);
    scan->reverse = false;
    scan->is_keyless = false;
    scan->own = NULL;
    scan->stored_ready = false;
    scan->in_run = false;
    scan->turn = 0;
    kv_cursor_init(&scan->cursor, view->snapshot);
}

status_t mvcc_scan_move(struct mvcc_scan *scan, struct slice low, struct slice high,
                        struct error *error)
{
    ASSERT(scan->view && !scan->reverse);
    scan->low = low;
    scan->high = high;
    scan->stored_ready = false;
    scan->in_run = false;
    if (low.size > MVCC_KEY_MAX || high.size > MVCC_KEY_MAX)
        return error_set(error, ERR_TOO_LONG, "scan bound is too long");
    mvcc__own_begin(scan);
    status_t status = kv_cursor_seek_near(&scan->cursor, mvcc__first_stored(low), error);
    if (status == OK)
        run_pause(scan, slice_make(NULL, 0));
    return status == OK && scan->own ? mvcc__run_leave(scan, error) : status;
}

status_t mvcc_scan_get(struct mvcc_scan *scan, struct slice key, struct slice *value, bool *own,
                       struct error *error)
{
    ASSERT(scan->view && !scan->reverse);
    scan->stored_ready = false;
    scan->in_run = false;
    scan->own = NULL;
    status_t status;
    if (mvcc__own_get(scan->view, key, value, own, &status))
        return status;
    if (key.size == 0 || key.size > MVCC_KEY_MAX)
        return ERR_NOT_FOUND;
    struct mvcc_stored_key wanted;
    mvcc__stored_key(&wanted, key, scan->view->version);
    status = kv_cursor_seek_near(&scan->cursor, slice_make(wanted.bytes, wanted.size), error);
    return status == OK ? mvcc__cursor_get(&scan->cursor, key, value, error) : status;
}
