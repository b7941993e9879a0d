/* The contract's common part: sizes are checked here once for every implementation. */
#include "sql/store/store.h"

#include "base/check.h"

static status_t key_check(struct slice key, struct error *error)
{
    ASSERT(key.size > 0);
    if (key.size <= STORE_KEY_MAX)
        return OK;
    return error_set(error, ERR_TOO_LONG, "key of %zu bytes exceeds the maximum of %d", key.size,
                     STORE_KEY_MAX);
}

status_t store_get(struct store_txn *txn, struct slice key, bool *found, struct slice *value,
                   struct error *error)
{
    ASSERT(txn && txn->ops && found && value);
    *found = false;
    status_t status = key_check(key, error);
    return status == OK ? txn->ops->get(txn, key, found, value, error) : status;
}

status_t store_scan_open(struct store_txn *txn, struct slice low, struct slice high, bool reverse,
                         struct store_cursor **cursor, struct error *error)
{
    ASSERT(txn && txn->ops && cursor);
    *cursor = NULL;
    status_t status = txn->ops->scan_open(txn, low, high, reverse, cursor, error);
    if (status == OK)
        ASSERT(*cursor && (*cursor)->ops == txn->ops);
    return status;
}

status_t store_scan_next(struct store_cursor *cursor, struct store_entry *entries, uint32_t max,
                         uint32_t *count, struct error *error)
{
    ASSERT(cursor && entries && max > 0 && count);
    *count = 0;
    status_t status = cursor->ops->scan_next(cursor, entries, max, count, error);
    ASSERT(*count <= max);
    return status;
}

void store_scan_keyless(struct store_cursor *cursor)
{
    ASSERT(cursor);
    if (cursor->ops->scan_keyless)
        cursor->ops->scan_keyless(cursor);
}

status_t store_scan_count(struct store_cursor *cursor, uint64_t *count, struct error *error)
{
    enum { ENTRIES = 128 };
    ASSERT(cursor && count);
    *count = 0;
    if (cursor->ops->scan_count)
        return cursor->ops->scan_count(cursor, count, error);
    struct store_entry entries[ENTRIES];
    uint32_t some;
    status_t status = store_scan_next(cursor, entries, ENTRIES, &some, error);
    *count = some;
    return status;
}

void store_scan_close(struct store_cursor *cursor)
{
    if (cursor)
        cursor->ops->scan_close(cursor);
}

void store_look_begin(struct store_look *look, struct store_txn *txn, bool keyless)
{
    ASSERT(txn && txn->ops);
    *look = (struct store_look){.txn = txn, .keyless = keyless};
}

/* The cursor of a store that has one for look-ups. */
static void look_cursor(struct store_look *look)
{
    if (look->cursor)
        return;
    look->txn->ops->look_open(look->txn, &look->cursor);
    ASSERT(look->cursor && look->cursor->ops == look->txn->ops);
    if (look->keyless)
        store_scan_keyless(look->cursor);
}

status_t store_look_range(struct store_look *look, struct slice low, struct slice high,
                          struct error *error)
{
    ASSERT(look->txn && low.size > 0);
    if (look->txn->ops->look_open) {
        look_cursor(look);
        return look->txn->ops->look_range(look->cursor, low, high, error);
    }
    store_scan_close(look->cursor);
    look->cursor = NULL;
    status_t status = store_scan_open(look->txn, low, high, false, &look->cursor, error);
    if (status == OK && look->keyless)
        store_scan_keyless(look->cursor);
    return status;
}

status_t store_look_get(struct store_look *look, struct slice key, bool *found, struct slice *value,
                        struct error *error)
{
    ASSERT(look->txn && found && value);
    if (!look->txn->ops->look_open)
        return store_get(look->txn, key, found, value, error);
    *found = false;
    status_t status = key_check(key, error);
    if (status != OK)
        return status;
    look_cursor(look);
    return look->txn->ops->look_get(look->cursor, key, found, value, error);
}

void store_look_end(struct store_look *look)
{
    store_scan_close(look->cursor);
    *look = (struct store_look){0};
}

status_t store_put(struct store_txn *txn, struct slice key, struct slice value, struct error *error)
{
    ASSERT(txn && txn->ops);
    status_t status = key_check(key, error);
    if (status == OK && value.size > STORE_VALUE_MAX)
        status = error_set(error, ERR_TOO_LONG, "row of %zu bytes exceeds the maximum of %d",
                           value.size, STORE_VALUE_MAX);
    return status == OK ? txn->ops->put(txn, key, value, error) : status;
}

status_t store_remove(struct store_txn *txn, struct slice key, struct error *error)
{
    ASSERT(txn && txn->ops);
    status_t status = key_check(key, error);
    return status == OK ? txn->ops->remove(txn, key, error) : status;
}

status_t store_estimate(struct store_txn *txn, struct slice low, struct slice high, double *entries,
                        struct error *error)
{
    ASSERT(txn && txn->ops && entries);
    *entries = 0;
    return txn->ops->estimate ? txn->ops->estimate(txn, low, high, entries, error) : OK;
}

status_t store_sample(struct store_txn *txn, struct slice low, struct slice high, double share,
                      struct store_entry *entries, uint32_t max, uint32_t *count,
                      struct error *error)
{
    ASSERT(txn && txn->ops && entries && max > 0 && count);
    ASSERT(share >= 0 && share < 1);
    *count = 0;
    if (!txn->ops->sample)
        return OK;
    status_t status = txn->ops->sample(txn, low, high, share, entries, max, count, error);
    ASSERT(*count <= max);
    return status;
}

bool store_has_parts(const struct store_txn *txn)
{
    return txn->ops->part_open != NULL;
}

status_t store_share_key(struct store_txn *txn, struct slice low, struct slice high, double share,
                         struct buffer *key, struct error *error)
{
    ASSERT(store_has_parts(txn) && key);
    ASSERT(share >= 0 && share < 1);
    return txn->ops->share_key(txn, low, high, share, key, error);
}

void store_note_range(struct store_txn *txn, struct slice low, struct slice high)
{
    ASSERT(store_has_parts(txn));
    txn->ops->note_range(txn, low, high);
}

status_t store_part_open(struct store_txn *txn, struct slice low, struct slice high,
                         struct store_cursor **cursor, struct error *error)
{
    ASSERT(store_has_parts(txn) && cursor);
    *cursor = NULL;
    return txn->ops->part_open(txn, low, high, cursor, error);
}
