/* SQL's idea of a store (sql/store) bound to the replica's transactions (txn). */

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "server/session_int.h"

struct bound_cursor {
    struct store_cursor cursor;
    struct txn_scan scan;
    struct arena keys; /* of the entries handed out last */
};

static const struct store_ops bound_ops;

static struct bound_txn *bound_of(struct store_txn *store)
{
    return (struct bound_txn *)store;
}

static status_t bound_get(struct store_txn *store, struct slice key, bool *found,
                          struct slice *value, struct error *error)
{
    status_t status = txn_get(&bound_of(store)->txn, key, value, error);
    *found = status == OK;
    return status == ERR_NOT_FOUND ? OK : status;
}

static status_t bound_scan_open(struct store_txn *store, struct slice low, struct slice high,
                                bool reverse, struct store_cursor **out, struct error *error)
{
    struct bound_cursor *bound = mem_alloc(sizeof *bound);
    bound->cursor.ops = &bound_ops;
    arena_init(&bound->keys);
    status_t status = txn_scan_open(&bound_of(store)->txn, &bound->scan, low, high, reverse, error);
    if (status == OK)
        *out = &bound->cursor;
    else
        mem_free(bound);
    return status;
}

static status_t bound_part_open(struct store_txn *store, struct slice low, struct slice high,
                                struct store_cursor **out, struct error *error)
{
    struct bound_cursor *bound = mem_alloc(sizeof *bound);
    bound->cursor.ops = &bound_ops;
    arena_init(&bound->keys);
    status_t status = txn_scan_open_part(&bound_of(store)->txn, &bound->scan, low, high, error);
    if (status == OK)
        *out = &bound->cursor;
    else
        mem_free(bound);
    return status;
}

static status_t bound_scan_next(struct store_cursor *cursor, struct store_entry *entries,
                                uint32_t max, uint32_t *count, struct error *error)
{
    struct bound_cursor *bound = (struct bound_cursor *)cursor;
    if (bound->scan.at_end)
        return OK;
    arena_reset(&bound->keys);
    return txn_scan_next_many(&bound->scan, (struct kv_entry *)entries, max, count, &bound->keys,
                              error);
}
/* One layout under two names: neither room knows the other. */
_Static_assert(sizeof(struct store_entry) == sizeof(struct kv_entry), "entries are alike");
_Static_assert(offsetof(struct store_entry, value) == offsetof(struct kv_entry, value),
               "entries are alike");

static void bound_scan_keyless(struct store_cursor *cursor)
{
    ((struct bound_cursor *)cursor)->scan.scan.is_keyless = true;
}

static status_t bound_scan_count(struct store_cursor *cursor, uint64_t *count, struct error *error)
{
    return txn_scan_count(&((struct bound_cursor *)cursor)->scan, count, error);
}

static void bound_scan_close(struct store_cursor *cursor)
{
    struct bound_cursor *bound = (struct bound_cursor *)cursor;
    txn_scan_close(&bound->scan);
    arena_free(&bound->keys);
    mem_free(bound);
}

static void bound_look_open(struct store_txn *store, struct store_cursor **out)
{
    struct bound_cursor *bound = mem_alloc(sizeof *bound);
    bound->cursor.ops = &bound_ops;
    arena_init(&bound->keys);
    txn_look_open(&bound_of(store)->txn, &bound->scan);
    *out = &bound->cursor;
}

static status_t bound_look_range(struct store_cursor *cursor, struct slice low, struct slice high,
                                 struct error *error)
{
    return txn_look_range(&((struct bound_cursor *)cursor)->scan, low, high, error);
}

static status_t bound_look_get(struct store_cursor *cursor, struct slice key, bool *found,
                               struct slice *value, struct error *error)
{
    status_t status = txn_look_get(&((struct bound_cursor *)cursor)->scan, key, value, error);
    *found = status == OK;
    return status == ERR_NOT_FOUND ? OK : status;
}

static status_t bound_write(struct store_txn *store, struct slice key, const struct slice *value,
                            struct error *error)
{
    struct txn *txn = &bound_of(store)->txn;
    if (txn->read_only)
        return error_sql(error, "25006", 0, "cannot write in a read-only transaction");
    status_t status = txn_write(txn, key, value);
    if (status == ERR_TOO_LONG) { /* the store has checked the key's own size */
        error_sql(error, "53200", 0, "transaction writes more than %d MB",
                  TXN_WRITES_BYTES_MAX >> 20);
        error_hint(error, "Split it into smaller transactions.");
        return ERR_SQL;
    }
    return status == OK ? OK
                        : error_set(error, status, "key of %zu bytes cannot be stored", key.size);
}

static status_t bound_put(struct store_txn *store, struct slice key, struct slice value,
                          struct error *error)
{
    return bound_write(store, key, &value, error);
}

static status_t bound_remove(struct store_txn *store, struct slice key, struct error *error)
{
    return bound_write(store, key, NULL, error);
}

/* A glance is no read: nothing in an answer depends on it, so it is not noted. */
static status_t bound_estimate(struct store_txn *store, struct slice low, struct slice high,
                               double *entries, struct error *error)
{
    return mvcc_estimate(&bound_of(store)->txn.view, low, high, entries, error);
}

static status_t bound_sample(struct store_txn *store, struct slice low, struct slice high,
                             double share, struct store_entry *entries, uint32_t max,
                             uint32_t *count, struct error *error)
{
    struct arena keys = {0};
    status_t status = mvcc_sample(&bound_of(store)->txn.view, low, high, share,
                                  (struct kv_entry *)entries, max, count, &keys, error);
    for (uint32_t i = 0; i < *count; i++)
        entries[i].key = slice_make(NULL, 0);
    arena_free(&keys);
    return status;
}

static status_t bound_share_key(struct store_txn *store, struct slice low, struct slice high,
                                double share, struct buffer *key, struct error *error)
{
    return mvcc_share_key(&bound_of(store)->txn.view, low, high, share, key, error);
}

static void bound_note_range(struct store_txn *store, struct slice low, struct slice high)
{
    txn_note_range(&bound_of(store)->txn, low, high);
}

static const struct store_ops bound_ops = {
    .share_key = bound_share_key,
    .note_range = bound_note_range,
    .part_open = bound_part_open,
    .get = bound_get,
    .scan_open = bound_scan_open,
    .scan_next = bound_scan_next,
    .scan_keyless = bound_scan_keyless,
    .scan_count = bound_scan_count,
    .scan_close = bound_scan_close,
    .look_open = bound_look_open,
    .look_range = bound_look_range,
    .look_get = bound_look_get,
    .put = bound_put,
    .remove = bound_remove,
    .estimate = bound_estimate,
    .sample = bound_sample,
};

void bound_txn_init(struct bound_txn *bound)
{
    bound->store.ops = &bound_ops;
}
