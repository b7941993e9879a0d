/* toydb_internal.table_sizes: how many entries tables and indexes have, and about how many bytes.
 *
 * Nothing counts them. The store says about how many keys there are; how large one is comes from
 * the first of them and from values halfway. So a small table's size is right, a large one's a
 * guess. */
#include "base/check.h"
#include "sql_int.h"

enum { LOOKED_AT = 64, VERSION_SIZE = 8 /* which the store puts behind each key */ };

struct size {
    double entries;
    double bytes;
};

/* The first entries: all of it, or how large one is. */
static status_t look(struct store_txn *txn, struct slice low, struct slice high, uint32_t *count,
                     double *key_bytes, double *value_bytes, struct error *error)
{
    struct store_entry entries[LOOKED_AT];
    struct store_cursor *cursor = NULL;
    status_t status = store_scan_open(txn, low, high, false, &cursor, error);
    *count = 0;
    *key_bytes = *value_bytes = 0;
    if (status == OK)
        status = store_scan_next(cursor, entries, LOOKED_AT, count, error);
    for (uint32_t i = 0; status == OK && i < *count; i++) {
        *key_bytes += (double)(entries[i].key.size + VERSION_SIZE);
        *value_bytes += (double)entries[i].value.size;
    }
    store_scan_close(cursor);
    return status;
}

/* The values halfway are more like the others than the first. */
static status_t look_halfway(struct store_txn *txn, struct slice low, struct slice high,
                             double *value_bytes, struct error *error)
{
    struct store_entry entries[LOOKED_AT];
    uint32_t count = 0;
    status_t status = store_sample(txn, low, high, 0.5, entries, LOOKED_AT, &count, error);
    if (status != OK || count == 0)
        return status;
    *value_bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        *value_bytes += (double)entries[i].value.size / count;
    return OK;
}

static status_t size_of(struct store_txn *txn, struct slice low, struct slice high,
                        struct size *size, struct error *error)
{
    uint32_t count;
    double key_bytes, value_bytes;
    *size = (struct size){0};
    status_t status = look(txn, low, high, &count, &key_bytes, &value_bytes, error);
    if (status != OK || count < LOOKED_AT) {
        *size = (struct size){.entries = count, .bytes = key_bytes + value_bytes};
        return status;
    }
    value_bytes /= count;
    status = store_estimate(txn, low, high, &size->entries, error);
    if (status == OK)
        status = look_halfway(txn, low, high, &value_bytes, error);
    if (size->entries < count)
        size->entries = count;
    size->bytes = size->entries * (key_bytes / count + value_bytes);
    return status;
}

static status_t index_row(struct sql_session *session, const struct table *table,
                          const struct index *index, struct sql_rows *rows)
{
    struct buffer low = {0}, high = {0};
    struct size size;
    index_key_prefix(table, index, &low);
    index_key_prefix(table, index, &high);
    bool any_above = key_prefix_end(&high);
    ASSERT(any_above);
    status_t status =
        size_of(session->txn, buffer_slice(&low), buffer_slice(&high), &size, &session->error);
    buffer_free(&low);
    buffer_free(&high);
    if (status)
        return status;
    sql_rows_begin(rows);
    sql_rows_text(rows, table->name);
    sql_rows_text(rows, index->id == 0 ? NULL : index->name);
    sql_rows_integer(rows, (int64_t)size.entries);
    sql_rows_integer(rows, (int64_t)size.bytes);
    return OK;
}

status_t sql__size_rows(struct sql_session *session, struct sql_rows *rows)
{
    const struct catalog *catalog = session->catalog;
    status_t status = OK;
    ASSERT(session->txn && catalog);
    sql_rows_column(rows, "table_name", SQL_TEXT);
    sql_rows_column(rows, "index_name", SQL_TEXT);
    sql_rows_column(rows, "entries", SQL_INTEGER);
    sql_rows_column(rows, "bytes", SQL_INTEGER);
    for (uint32_t t = 0; t < catalog->table_count && !status; t++) {
        const struct table *table = catalog->tables[t];
        for (uint32_t i = 0; i < table->index_count && !status; i++)
            status = index_row(session, table, &table->indexes[i], rows);
    }
    return status;
}
