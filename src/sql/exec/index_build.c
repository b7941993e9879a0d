/* Filling a new index from its table's rows; giving a table another primary key. */
#include "base/mem.h"
#include "sql/exec/modify_int.h"

enum { BUILD_BATCH = 256, FILL_BYTES_MAX = 1 << 20 };

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
    size_t written; /* bytes */
    size_t written_max;
    uint32_t rows_left;     /* that this transaction may take */
    struct buffer position; /* the last row's key */
    bool done;
};

static status_t entry_put(struct build *build, bool checked, struct error *error)
{
    struct store_txn *txn = build->context->txn;
    bool found = false;
    struct slice there = {0};
    status_t status =
        checked ? store_get(txn, buffer_slice(&build->key), &found, &there, error) : OK;
    /* The row's own, put by a change since the index is known. */
    if (status != OK || (found && slice_equal(there, buffer_slice(&build->value))))
        return status;
    build->written += build->key.size + build->value.size;
    if (!found)
        return store_put(txn, buffer_slice(&build->key), buffer_slice(&build->value), error);
    struct buffer text = {0};
    exec__format_key(build->table, build->index->columns, index_key_count(build->index), build->row,
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

static status_t check_cancelled(const struct build *build, struct error *error)
{
    const atomic_bool *cancel = build->context->cancel;
    if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
        return error_set(error, ERR_CANCELED, "canceling statement due to user request");
    return OK;
}

static status_t rows_write(struct build *build, struct store_cursor *cursor, struct error *error)
{
    exec__rows_init(&build->rows, build->table, BUILD_BATCH, &build->arena);
    struct store_entry entries[BUILD_BATCH];
    while (build->rows_left > 0 && build->written < build->written_max) {
        uint32_t count;
        uint32_t max = build->rows_left < BUILD_BATCH ? build->rows_left : BUILD_BATCH;
        status_t status = check_cancelled(build, error);
        if (status != OK)
            return status;
        status = store_scan_next(cursor, entries, max, &count, error);
        build->done = status == OK && count == 0;
        if (status != OK || count == 0)
            return status;
        buffer_reset(&build->position);
        buffer_append_slice(&build->position, entries[count - 1].key);
        build->rows_left -= count;
        status = batch_write(build, entries, count, error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* All rows behind build->position, or from the first on. */
static status_t rows_index(struct build *build, struct error *error)
{
    const struct exec_context *context = build->context;
    const struct table *table = build->table;
    struct buffer low = {0}, high = {0};
    ASSERT(build->index->id != 0);
    bool any_above;
    index_key_prefix(table, &table->indexes[0], &low);
    struct slice position = buffer_slice(&build->position);
    /* A table that was truncated has other keys: then it is begun again. */
    if (position.size > low.size &&
        slice_equal(slice_make(position.data, low.size), buffer_slice(&low))) {
        /* No key begins with another: behind it is what does not begin with it. */
        buffer_reset(&low);
        buffer_append_slice(&low, position);
        any_above = key_prefix_end(&low);
        ASSERT(any_above);
    }
    index_key_prefix(table, &table->indexes[0], &high);
    any_above = key_prefix_end(&high);
    ASSERT(any_above);
    /* The entries written are outside the range scanned. */
    struct store_cursor *cursor = NULL;
    struct exec exec = {0}; /* never opened: what predicates are asked with */
    exec__init(&exec, context);
    status_t status = exec__rules_open(&exec, table, NULL, &build->rules, error);
    if (status == OK)
        status = store_scan_open(context->txn, buffer_slice(&low), buffer_slice(&high), false,
                                 &cursor, error);
    if (status == OK)
        status = rows_write(build, cursor, error);
    store_scan_close(cursor);
    exec__rules_close(build->rules);
    arena_free(&build->arena);
    buffer_free(&build->key);
    buffer_free(&build->value);
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

status_t exec_build_index(const struct exec_context *context, const struct table *table,
                          const struct index *index, struct error *error)
{
    struct build build = {.context = context,
                          .table = table,
                          .index = index,
                          .rows_left = UINT32_MAX,
                          .written_max = SIZE_MAX};
    status_t status = rows_index(&build, error);
    ASSERT(status != OK || build.done);
    buffer_free(&build.position);
    return status;
}

status_t exec_fill_index(const struct exec_context *context, const struct table *table,
                         const struct index *index, uint32_t rows_max, struct buffer *position,
                         bool *done, struct error *error)
{
    ASSERT(index->building && rows_max > 0 && position && done);
    struct build build = {.context = context,
                          .table = table,
                          .index = index,
                          .rows_left = rows_max,
                          .written_max = FILL_BYTES_MAX,
                          .position = *position};
    status_t status = rows_index(&build, error);
    *position = build.position;
    *done = build.done;
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
        status = check_cancelled(build, error);
    }
    store_scan_close(cursor);
    for (uint32_t i = 0; i < *count && status == OK; i++) {
        status = i % BUILD_BATCH == 0 ? check_cancelled(build, error) : OK;
        if (status == OK)
            status = store_remove(txn, (*rows)[i].key, error);
    }
    buffer_free(&low);
    buffer_free(&high);
    return status;
}

/* A row that gets the row id `id` is written anew, with it. */
static void row_number(struct build *build, struct value *stored, uint32_t id)
{
    const struct table *table = build->table;
    build->row[table->column_count - 1] = value_integer(id);
    for (uint32_t i = 0; i < table->ordinal_next; i++)
        stored[i] = value_null(SQL_UNKNOWN);
    for (uint32_t i = 0; i < table->column_count; i++)
        stored[table->columns[i].ordinal] = build->row[i];
    row_encode(&build->value, stored, table->ordinal_next);
}

static status_t rows_rekey(struct build *build, const struct store_entry *rows, uint32_t count,
                           struct error *error)
{
    const struct table *table = build->table;
    bool hidden = table_has_row_id(table);
    struct value *stored =
        hidden ? arena_alloc(&build->arena, table->ordinal_next * sizeof *stored) : NULL;
    exec__rows_init(&build->rows, table, 1, &build->arena);
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        batch_reset(build->rows.batch);
        if (exec__rows_decode(&build->rows, rows[i].value, 0) != OK)
            return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is corrupt", table->name);
        build->row = exec__rows_get(&build->rows, 0);
        buffer_reset(&build->key);
        buffer_reset(&build->value);
        if (hidden)
            row_number(build, stored, i + 1);
        else
            buffer_append_slice(&build->value, rows[i].value);
        if (build->value.failed || build->value.size > STORE_VALUE_MAX)
            return error_set(error, ERR_TOO_LONG, "row is too long for table \"%s\"", table->name);
        status = index_row_key(build->table, build->row, &build->key, error);
        if (status == OK)
            status = entry_put(build, true, error);
        if (status == OK && i % BUILD_BATCH == 0)
            status = check_cancelled(build, error);
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
