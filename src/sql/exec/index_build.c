/* Filling a new index from its table's rows; giving a table another primary key. */
#include "base/mem.h"
#include "sql/exec/modify_int.h"

enum { BUILD_BATCH = 256 };

struct build {
    const struct exec_context *context;
    const struct table *table;
    const struct index *index;
    struct arena arena;
    struct table_rows rows;
    struct value *row; /* of them, the one at hand */
    struct row_rules *rules;
    struct buffer key;
    struct buffer value;
};

static status_t entry_put(struct build *build, bool checked, struct error *error)
{
    struct store_txn *txn = build->context->txn;
    bool found = false;
    struct slice ignored;
    status_t status =
        checked ? store_get(txn, buffer_slice(&build->key), &found, &ignored, error) : OK;
    if (status != OK)
        return status;
    if (!found)
        return store_put(txn, buffer_slice(&build->key), buffer_slice(&build->value), error);
    struct buffer text = {0};
    exec__format_key(build->table, build->index->columns, build->index->column_count, build->row,
                     &text);
    error_sql(error, "23505", 0, "could not create unique index \"%s\"", build->index->name);
    error_detail(error, "Key %s is duplicated.", (const char *)text.data);
    buffer_free(&text);
    return ERR_SQL;
}

static status_t entry_write(struct build *build, uint32_t at, struct error *error)
{
    build->row = exec__rows_get(&build->rows, at);
    buffer_reset(&build->key);
    buffer_reset(&build->value);
    bool checked, covers;
    uint32_t place = (uint32_t)(build->index - build->table->indexes);
    status_t status = exec__rules_covers(build->rules, place, build->row, &covers, error);
    if (status != OK || !covers)
        return status;
    status = index_entry(build->table, build->index, build->row, &build->key, &build->value,
                         &checked, error);
    return status == OK ? entry_put(build, checked, error) : status;
}

static status_t batch_write(struct build *build, const struct store_entry *entries, uint32_t count,
                            struct error *error)
{
    batch_reset(build->rows.batch);
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        if (exec__rows_decode(&build->rows, entries[i].value, i) != OK)
            return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is corrupt",
                             build->table->name);
        status = entry_write(build, i, error);
    }
    return status;
}

static status_t rows_write(struct build *build, struct store_cursor *cursor, struct error *error)
{
    exec__rows_init(&build->rows, build->table, BUILD_BATCH, &build->arena);
    struct store_entry entries[BUILD_BATCH];
    for (;;) {
        const atomic_bool *cancel = build->context->cancel;
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
            return error_set(error, ERR_CANCELED, "canceling statement due to user request");
        uint32_t count;
        status_t status = store_scan_next(cursor, entries, BUILD_BATCH, &count, error);
        if (status != OK || count == 0)
            return status;
        status = batch_write(build, entries, count, error);
        if (status != OK)
            return status;
    }
}

status_t exec_build_index(const struct exec_context *context, const struct table *table,
                          const struct index *index, struct error *error)
{
    ASSERT(index->id != 0);
    struct build build = {.context = context, .table = table, .index = index};
    struct buffer low = {0}, high = {0};
    index_key_prefix(table, &table->indexes[0], &low);
    index_key_prefix(table, &table->indexes[0], &high);
    bool any_above = key_prefix_end(&high);
    ASSERT(any_above);
    /* The entries written are outside the range scanned. */
    struct store_cursor *cursor = NULL;
    struct exec exec = {0}; /* never opened: what predicates are asked with */
    exec__init(&exec, context);
    status_t status = exec__rules_open(&exec, table, NULL, &build.rules, error);
    if (status == OK)
        status = store_scan_open(context->txn, buffer_slice(&low), buffer_slice(&high), false,
                                 &cursor, error);
    if (status == OK)
        status = rows_write(&build, cursor, error);
    store_scan_close(cursor);
    exec__rules_close(build.rules);
    arena_free(&build.arena);
    buffer_free(&build.key);
    buffer_free(&build.value);
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

/* ---- another primary key ------------------------------------------------------------------------
 */

/* Takes all rows out; their values stay readable until the transaction ends. */
static status_t rows_take(struct build *build, struct store_entry **rows, uint32_t *count,
                          struct error *error)
{
    struct store_txn *txn = build->context->txn;
    struct buffer low = {0}, high = {0};
    struct store_cursor *cursor = NULL;
    uint32_t capacity = 0, got = 0;
    index_key_prefix(build->table, build->index, &low);
    index_key_prefix(build->table, build->index, &high);
    bool any_above = key_prefix_end(&high);
    ASSERT(any_above && build->index->id == 0);
    status_t status =
        store_scan_open(txn, buffer_slice(&low), buffer_slice(&high), false, &cursor, error);
    while (status == OK) {
        *rows = vec_grow(*rows, &capacity, *count + BUILD_BATCH, sizeof **rows);
        status = store_scan_next(cursor, *rows + *count, BUILD_BATCH, &got, error);
        if (status != OK || got == 0)
            break;
        for (uint32_t i = *count; i < *count + got; i++) /* a key is the cursor's */
            (*rows)[i].key = arena_copy(&build->arena, (*rows)[i].key);
        *count += got;
    }
    store_scan_close(cursor);
    for (uint32_t i = 0; i < *count && status == OK; i++)
        status = store_remove(txn, (*rows)[i].key, error);
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

static status_t rows_rekey(struct build *build, const struct store_entry *rows, uint32_t count,
                           struct error *error)
{
    exec__rows_init(&build->rows, build->table, 1, &build->arena);
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        batch_reset(build->rows.batch);
        if (exec__rows_decode(&build->rows, rows[i].value, 0) != OK)
            return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is corrupt",
                             build->table->name);
        build->row = exec__rows_get(&build->rows, 0);
        buffer_reset(&build->key);
        buffer_reset(&build->value);
        buffer_append_slice(&build->value, rows[i].value);
        status = index_row_key(build->table, build->row, &build->key, error);
        if (status == OK)
            status = entry_put(build, true, error);
    }
    return status;
}

status_t exec_rekey(const struct exec_context *context, const struct table *table,
                    struct error *error)
{
    ASSERT(context && table && table->index_count > 0);
    struct build build = {.context = context, .table = table, .index = &table->indexes[0]};
    struct store_entry *rows = NULL;
    uint32_t count = 0;
    status_t status = rows_take(&build, &rows, &count, error);
    if (status == OK)
        status = rows_rekey(&build, rows, count, error);
    mem_free(rows);
    arena_free(&build.arena);
    buffer_free(&build.key);
    buffer_free(&build.value);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++) {
        status = catalog_clear_index(context->txn, table, &table->indexes[i], error);
        if (status == OK)
            status = exec_build_index(context, table, &table->indexes[i], error);
    }
    return status;
}
