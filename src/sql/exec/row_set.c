/* Distinct rows: found by their hashes (slots.c), the rows in a row store.
 *
 * A row whose hash is not there is new without a look at any row. One whose hash is there is
 * compared with the row that has it, which may be read from the file: so its blocks are small. */
#include "sql/exec/row_store_int.h"

enum { BLOCK_SIZE = 4096 };

void exec__row_set_init(struct row_set *set, struct exec *exec, const enum sql_type *types,
                        uint32_t column_count, size_t memory)
{
    *set = (struct row_set){0};
    exec__row_store_init(&set->rows, exec, types, NULL, column_count, memory);
    set->rows.block_size_max = BLOCK_SIZE;
    exec__row_cursor_init(&set->cursor, &set->rows);
}

void exec__row_set_free(struct row_set *set)
{
    if (!set->rows.exec)
        return; /* never begun */
    exec__row_cursor_free(&set->cursor);
    exec__row_store_clear(&set->rows);
    exec__slots_free(&set->slots, set->rows.exec);
}

/* Is row `number` the same as a row of the columns? */
static status_t row_equals(struct row_set *set, uint32_t number,
                           const struct vector *const *columns, uint32_t row, bool *equal,
                           struct error *error)
{
    status_t status = exec__row_cursor_seek(&set->cursor, number, error);
    if (status != OK)
        return status;
    uint32_t place = exec__row_cursor_place(&set->cursor, number);
    *equal = true;
    for (uint32_t c = 0; c < set->rows.head.column_count && *equal; c++)
        *equal =
            exec__entries_equal(exec__row_cursor_vector(&set->cursor, c), place, columns[c], row);
    return OK;
}

/* Is the row there? If not, *slot is where it belongs. */
static status_t find(struct row_set *set, const struct vector *const *columns, uint32_t row,
                     uint64_t hash, uint32_t *slot, bool *found, struct error *error)
{
    const struct slots *slots = &set->slots;
    uint32_t number;
    status_t status = OK;
    ASSERT(slots->count > 0);
    *found = false;
    for (*slot = exec__slots_first(slots, hash);
         (number = exec__slots_find(slots, hash, slot)) != EXEC_NO_ROW;
         *slot = exec__slots_behind(slots, *slot)) {
        status = row_equals(set, number, columns, row, found, error);
        if (status != OK || *found)
            break;
    }
    return status;
}

static status_t row_put(struct row_set *set, const struct vector *const *columns, uint32_t row,
                        uint64_t hash, bool *is_new, struct error *error)
{
    uint32_t slot;
    bool found = false;
    status_t status =
        exec__slots_reserve(&set->slots, set->rows.exec, set->rows.row_count, 1, error);
    if (status == OK)
        status = find(set, columns, row, hash, &slot, &found, error);
    *is_new = status == OK && !found;
    if (!*is_new)
        return status;
    exec__slots_put(&set->slots, slot, (uint32_t)set->rows.row_count, hash);
    return exec__row_store_append(&set->rows, columns, &row, 1, error);
}

status_t exec__row_set_put(struct row_set *set, const struct batch *batch, bool *is_new,
                           struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    uint32_t count = batch->column_count;
    ASSERT(batch->selected <= BATCH_ROWS_MAX && count == set->rows.head.column_count);
    const struct vector **columns = set->rows.sources;
    for (uint32_t c = 0; c < count; c++)
        columns[c] = &batch->columns[c];
    exec__hash_rows(columns, count, batch->selection, batch->selected, hashes);
    status_t status = OK;
    for (uint32_t i = 0; i < batch->selected && status == OK; i++)
        status = row_put(set, columns, batch_row(batch, i), hashes[i], &is_new[i], error);
    return status;
}

status_t exec__row_set_find(struct row_set *set, const struct vector *const *columns,
                            const uint32_t *rows, uint32_t count, bool *found, struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    status_t status = OK;
    ASSERT(count <= BATCH_ROWS_MAX);
    exec__hash_rows(columns, set->rows.head.column_count, rows, count, hashes);
    for (uint32_t i = 0; i < count && status == OK; i++) {
        uint32_t slot;
        found[i] = false;
        if (set->slots.count > 0)
            status = find(set, columns, rows ? rows[i] : i, hashes[i], &slot, &found[i], error);
    }
    return status;
}
