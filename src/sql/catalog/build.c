/* Indexes that are being built, and what dropped ones have left behind.
 *
 * An index that is being built is in the schema: every change to its table keeps its entries, but
 * no query reads it. A row of the system table index_builds tells who builds it, how far that has
 * come and when it was last at it; it changes without the schema changing.
 *
 * Keys that no schema leads to any more, of a table or an index, are garbage: too many to be
 * removed by the transaction that dropped it. A row of the system table garbage names them until
 * the last one is gone. Ids are never used again, so nobody meets them meanwhile. */
#include "base/check.h"
#include "sql/catalog/catalog_int.h"

/* Keys removed by one transaction: some milliseconds of work, and a commit of some hundred KiB. */
enum { REMOVED_AT_ONCE = 4000 };

/* ---- builds -----------------------------------------------------------------------------------
 */

status_t catalog_build_get(struct store_txn *txn, uint32_t table_id, uint16_t index_id, bool *found,
                           struct index_build *out, struct error *error)
{
    struct value key[] = {value_integer(table_id), value_integer(index_id)};
    struct value row[SYSTEM_COLUMNS_MAX];
    ASSERT(txn && found && out);
    status_t status = catalog__row_get(txn, SYSTEM_INDEX_BUILDS, key, found, row, error);
    if (status != OK || !*found)
        return status;
    if (row[2].null || row[3].null || row[4].null || row[4].as.integer < 0)
        return error_set(error, ERR_CORRUPT, "catalog has a malformed row of its index builds");
    *out = (struct index_build){.owner = row[2].as.integer,
                                .position = row[3].as.text,
                                .touched_us = (uint64_t)row[4].as.integer};
    return OK;
}

status_t catalog_build_put(struct store_txn *txn, uint32_t table_id, uint16_t index_id,
                           const struct index_build *build, struct error *error)
{
    ASSERT(txn && build && build->touched_us <= INT64_MAX);
    struct value values[] = {
        value_integer(table_id),
        value_integer(index_id),
        value_integer(build->owner),
        value_bytea(build->position),
        value_integer((int64_t)build->touched_us),
    };
    return catalog__row_put(txn, SYSTEM_INDEX_BUILDS, values, error);
}

status_t catalog_finish_index(struct store_txn *txn, const struct table *table,
                              const struct index *index, struct error *error)
{
    ASSERT(index->building && table_index_by_id(table, index->id) == index);
    struct value key[] = {value_integer(table->id), value_integer(index->id)};
    struct index after = *index;
    after.building = false;
    status_t status = catalog__index_write(txn, table, &after, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_INDEX_BUILDS, key, 2, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* ---- garbage ----------------------------------------------------------------------------------
 */

/* All keys of a table lie under its first five bytes, those of an index under two more. */
static void garbage_prefix(uint32_t table_id, uint32_t index_id, struct buffer *prefix)
{
    ASSERT(table_id >= TABLE_ID_USER_MIN && index_id <= GARBAGE_ALL_INDEXES);
    bool all = index_id == GARBAGE_ALL_INDEXES;
    catalog__key_prefix(prefix, table_id, all ? 0 : index_id);
    if (all)
        prefix->size -= 2;
}

status_t catalog__data_remove(struct store_txn *txn, uint32_t table_id, uint32_t index_id,
                              bool *left, struct error *error)
{
    struct buffer prefix = {0}, last = {0};
    garbage_prefix(table_id, index_id, &prefix);
    status_t status = catalog__keys_remove(txn, buffer_slice(&prefix), buffer_slice(&prefix),
                                           REMOVED_AT_ONCE, &last, left, error);
    buffer_free(&prefix);
    buffer_free(&last);
    if (status != OK || !*left)
        return status;
    struct value row[] = {value_integer(table_id), value_integer(index_id)};
    return catalog__row_put(txn, SYSTEM_GARBAGE, row, error);
}

bool catalog_is_garbage(const struct catalog *catalog, struct slice key)
{
    struct buffer prefix = {0};
    bool found = false;
    ASSERT(catalog);
    for (uint32_t i = 0; i < catalog->garbage_count && !found; i++) {
        buffer_reset(&prefix);
        garbage_prefix(catalog->garbage[i].table_id, catalog->garbage[i].index_id, &prefix);
        found = key.size >= prefix.size &&
                slice_equal(slice_make(key.data, prefix.size), buffer_slice(&prefix));
    }
    buffer_free(&prefix);
    return found;
}

status_t catalog_garbage_remove(struct store_txn *txn, const struct garbage *garbage,
                                struct buffer *position, bool *more, struct error *error)
{
    struct value key[] = {value_integer(garbage->table_id), value_integer(garbage->index_id)};
    struct value row[SYSTEM_COLUMNS_MAX];
    struct buffer prefix = {0};
    bool found = false;
    *more = false;
    status_t status = catalog__row_get(txn, SYSTEM_GARBAGE, key, &found, row, error);
    if (status != OK || !found)
        return status;
    garbage_prefix(garbage->table_id, garbage->index_id, &prefix);
    if (position->size == 0)
        buffer_append_slice(position, buffer_slice(&prefix));
    struct slice from = buffer_slice(position);
    struct buffer last = {0};
    status =
        catalog__keys_remove(txn, buffer_slice(&prefix), from, REMOVED_AT_ONCE, &last, more, error);
    if (status == OK && *more) {
        buffer_reset(position);
        buffer_append_slice(position, buffer_slice(&last));
    } else if (status == OK) {
        status = catalog__rows_remove(txn, SYSTEM_GARBAGE, key, 2, error);
    }
    buffer_free(&last);
    buffer_free(&prefix);
    return status;
}
