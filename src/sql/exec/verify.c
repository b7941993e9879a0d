/* Proof of what is stored for SQL.
 *
 * The key space is walked from one end to the other, in one pass over the tables by their keys:
 *
 *     nothing | system tables | nothing | rows of a table | its indexes | nothing | next table ...
 *
 * System tables are what the catalogue is loaded from, which checks them. Rows are decoded with all
 * their columns, must have the key that their values make, and are looked up in each index
 * (verify_index.c) and in the parents of their foreign keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/exec/verify_int.h"

/* Ids of tables: those below USER_MIN are the catalogue's. And the first byte a key may have: what
 * is below is no store's. */
enum { SYSTEM_MIN = 0, USER_MIN = 100, KEY_FIRST_MIN = 0x10 };

const char *verify__text(struct verify *verify, const struct index *index, const struct value *row)
{
    ASSERT(index->column_count > 0);
    buffer_reset(&verify->scratch);
    exec__format_key(verify->table, index->columns, index_key_count(index), row, &verify->scratch);
    return (const char *)verify->scratch.data;
}

status_t verify__scan(struct verify *verify, struct slice low, struct slice high,
                      verify__entries_fn *each, void *context, struct error *error)
{
    ASSERT(each);
    struct store_entry entries[VERIFY_BATCH];
    struct store_cursor *cursor = NULL;
    uint32_t count = 0;
    status_t status = store_scan_open(verify->exec.context.txn, low, high, false, &cursor, error);
    do {
        if (status == OK)
            status = store_scan_next(cursor, entries, VERIFY_BATCH, &count, error);
        if (status == OK && count > 0)
            status = each(verify, context, entries, count, error);
    } while (status == OK && count > 0);
    store_scan_close(cursor);
    return status;
}

/* [low, high) of an index's keys. */
static void index_range(const struct table *table, const struct index *index, struct buffer *low,
                        struct buffer *high)
{
    index_key_prefix(table, index, low);
    index_key_prefix(table, index, high);
    bool any_above = key_prefix_end(high);
    ASSERT(any_above);
}

status_t verify__index_scan(struct verify *verify, const struct index *index,
                            verify__entries_fn *each, void *context, struct error *error)
{
    struct buffer low = {0}, high = {0};
    index_range(verify->table, index, &low, &high);
    status_t status =
        verify__scan(verify, buffer_slice(&low), buffer_slice(&high), each, context, error);
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

/* Damage met on the way ends a walk, not the proof. */
static status_t judge(struct verify *verify, status_t status, const char *what, const char *name,
                      const struct error *error)
{
    if (status != ERR_CORRUPT)
        return status;
    char where[2 * CATALOG_NAME_MAX + 64];
    (void)snprintf(where, sizeof where, "%s \"%s\": could not be read to its end: ", what, name);
    problem_add_error(verify->problems, where, error);
    return OK;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static status_t row_references(struct verify *verify, const struct value *row, struct error *error)
{
    const struct table *table = verify->table;
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        struct error missing;
        status_t status = exec__check_parent(&verify->exec, &table->foreign_keys[i], table, row,
                                             &verify->key, &missing);
        verify->out->references++;
        if (status == ERR_SQL) {
            problem_add(verify->problems,
                        "table \"%s\": row %s has no parent by foreign key \"%s\": %s", table->name,
                        verify__text(verify, &table->indexes[0], row), table->foreign_keys[i].name,
                        missing.detail);
        } else if (status != OK) {
            if (error)
                *error = missing;
            return status;
        }
    }
    return OK;
}

static status_t row_verify(struct verify *verify, const struct store_entry *entry, uint32_t at,
                           bool *suspect, struct error *error)
{
    const struct table *table = verify->table;
    char bytes[BYTES_TEXT_SIZE];
    verify->row_count++;
    verify->out->rows++;
    if (exec__rows_decode(&verify->rows, entry->value, at) != OK) {
        problem_add(verify->problems, "table \"%s\": row at key %s is malformed", table->name,
                    bytes_print(entry->key, bytes));
        *suspect = true;
        return OK;
    }
    struct value *row = exec__rows_get(&verify->rows, at);
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!row[i].null || !table->columns[i].not_null)
            continue;
        problem_add(verify->problems, "table \"%s\": row at key %s has no value of \"%s\"",
                    table->name, bytes_print(entry->key, bytes), table->columns[i].name);
        *suspect = true;
        return OK;
    }
    buffer_reset(&verify->key);
    status_t status = index_row_key(table, row, &verify->key, error);
    if (status == OK && !slice_equal(buffer_slice(&verify->key), entry->key)) {
        problem_add(verify->problems, "table \"%s\": row %s has another row's key, %s", table->name,
                    verify__text(verify, &table->indexes[0], row), bytes_print(entry->key, bytes));
        *suspect = true;
        return OK;
    }
    if (status == OK)
        status = verify__row_entries(verify, row, suspect, error);
    return status == OK ? row_references(verify, row, error) : status;
}

static status_t rows_verify(struct verify *verify, void *context, const struct store_entry *entries,
                            uint32_t count, struct error *error)
{
    status_t status = OK;
    batch_reset(verify->rows.batch);
    for (uint32_t i = 0; i < count && status == OK; i++)
        status = row_verify(verify, &entries[i], i, context, error);
    return status;
}

static status_t table_verify(struct verify *verify, const struct table *table, struct error *error)
{
    struct arena arena = {0};
    bool suspect = false;
    verify->table = table;
    verify->row_count = 0;
    verify->out->tables++;
    exec__rows_init(&verify->rows, table, VERIFY_BATCH, &arena);
    memset(verify->covered, 0, sizeof verify->covered);
    status_t status = exec__rules_open(&verify->exec, table, NULL, &verify->rules, error);
    if (status == OK)
        status = judge(verify,
                       verify__index_scan(verify, &table->indexes[0], rows_verify, &suspect, error),
                       "table", table->name, error);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++)
        status = judge(verify, verify__index(verify, &table->indexes[i], suspect, error), "index",
                       table->indexes[i].name, error);
    exec__rules_close(verify->rules);
    verify->rules = NULL;
    arena_free(&arena);
    return status;
}

/* ---- between them -----------------------------------------------------------------------------
 */

static status_t strays_tell(struct verify *verify, void *context, const struct store_entry *entries,
                            uint32_t count, struct error *error)
{
    MAYBE(context && error);
    char bytes[BYTES_TEXT_SIZE];
    for (uint32_t i = 0; i < count; i++) {
        if (catalog_is_garbage(verify->exec.context.catalog, entries[i].key))
            continue;
        problem_add(verify->problems, "key %s: belongs to no table",
                    bytes_print(entries[i].key, bytes));
    }
    return OK;
}

/* From *at up to the index's keys nothing may be; *at moves behind them. */
static status_t gap_verify(struct verify *verify, struct buffer *at, const struct table *table,
                           const struct index *index, struct error *error)
{
    struct buffer low = {0}, high = {0};
    index_range(table, index, &low, &high);
    status_t status =
        verify__scan(verify, buffer_slice(at), buffer_slice(&low), strays_tell, NULL, error);
    buffer_free(&low);
    buffer_free(at);
    *at = high;
    return judge(verify, status, "table", table->name, error);
}

static int by_storage(const void *a, const void *b)
{
    uint32_t left = table_storage(*(const struct table *const *)a);
    uint32_t right = table_storage(*(const struct table *const *)b);
    return (left > right) - (left < right);
}

static status_t strays_verify(struct verify *verify, struct buffer *at, struct error *error)
{
    const struct catalog *catalog = verify->exec.context.catalog;
    size_t size = catalog->table_count * sizeof(struct table *);
    struct table **tables = arena_alloc(verify->exec.arena, size);
    if (size > 0)
        memcpy(tables, catalog->tables, size);
    qsort(tables, catalog->table_count, sizeof(struct table *), by_storage);
    static const struct index primary;
    struct table system = {.id = SYSTEM_MIN, .name = "system tables"};
    status_t status = gap_verify(verify, at, &system, &primary, error);
    system.id = USER_MIN;
    buffer_reset(at);
    index_key_prefix(&system, &primary, at);
    for (uint32_t i = 0; i < catalog->table_count && status == OK; i++) {
        const struct table *table = tables[i];
        for (uint32_t k = 0; k < table->index_count && status == OK; k++)
            status = gap_verify(verify, at, table, &table->indexes[k], error);
    }
    if (status == OK)
        status = judge(
            verify,
            verify__scan(verify, buffer_slice(at), (struct slice){0}, strays_tell, NULL, error),
            "end of", "the tables", error);
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static status_t tables_verify(struct verify *verify, struct error *error)
{
    const struct catalog *catalog = verify->exec.context.catalog;
    struct buffer at = {0};
    buffer_append_byte(&at, KEY_FIRST_MIN);
    status_t status = strays_verify(verify, &at, error);
    for (uint32_t i = 0; i < catalog->table_count && status == OK; i++)
        status = table_verify(verify, catalog->tables_by_id[i], error);
    buffer_free(&at);
    buffer_free(&verify->key);
    buffer_free(&verify->value);
    buffer_free(&verify->scratch);
    return status;
}

status_t exec_verify(const struct exec_context *context, struct problems *problems,
                     struct exec_verified *out, struct error *error)
{
    ASSERT(context->txn && problems && out);
    struct verify verify = {.problems = problems, .out = out};
    struct exec_context with_catalog = *context;
    struct catalog *catalog = NULL;
    *out = (struct exec_verified){0};
    status_t status = catalog_load(context->txn, &catalog, error);
    if (status == ERR_CORRUPT) {
        problem_add_error(problems, "schema: ", error);
        return OK;
    }
    if (status != OK)
        return status;
    with_catalog.catalog = catalog;
    exec__init(&verify.exec, &with_catalog);
    status = tables_verify(&verify, error);
    catalog_release(catalog);
    return status;
}
