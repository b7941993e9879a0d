/* Distinct rows: open addressing over row numbers, the hashes beside, the rows in a row store.
 *
 * Of the hashes the lower half is kept. A row whose hash is not there is new without a look at any
 * row. One whose hash is there is compared with the row that has it, which may be read from the
 * file: so its blocks are small. */
#include "sql/exec/row_store_int.h"

#include <string.h>

#include "base/mem.h"

enum { SLOTS_FIRST = 16, BLOCK_SIZE = 4096 };

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
    exec__memory_release(set->rows.exec, set->charged);
    mem_free(set->hashes);
    mem_free(set->slots);
    set->hashes = NULL;
    set->slots = NULL;
    set->hash_capacity = set->slot_count = 0;
    set->charged = 0;
}

/* Room for one row more, at a fill of at most one half. */
static status_t reserve(struct row_set *set, struct error *error)
{
    uint64_t count = set->rows.row_count;
    if (count >= EXEC_NO_ROW / 2)
        return error_set(error, ERR_NOMEM, "out of memory: too many rows to hold");
    if (count < set->hash_capacity && count < set->slot_count / 2)
        return OK;
    set->hashes =
        vec_grow(set->hashes, &set->hash_capacity, (uint32_t)count + 1, sizeof *set->hashes);
    if (count >= set->slot_count / 2) {
        mem_free(set->slots);
        set->slot_count = set->slot_count ? 2 * set->slot_count : SLOTS_FIRST;
        set->slots = mem_zalloc(set->slot_count, sizeof *set->slots);
        uint32_t mask = set->slot_count - 1;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t slot = set->hashes[i] & mask;
            while (set->slots[slot])
                slot = (slot + 1) & mask;
            set->slots[slot] = i + 1;
        }
    }
    size_t size = set->hash_capacity * sizeof *set->hashes + set->slot_count * sizeof *set->slots;
    size_t grown = size - set->charged;
    set->charged = size;
    return exec__memory_charge(set->rows.exec, grown, error);
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
    uint32_t mask = set->slot_count - 1;
    status_t status = OK;
    ASSERT(set->slot_count > 0);
    *found = false;
    for (*slot = (uint32_t)hash & mask; set->slots[*slot]; *slot = (*slot + 1) & mask) {
        uint32_t number = set->slots[*slot] - 1;
        if (set->hashes[number] == (uint32_t)hash)
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
    status_t status = reserve(set, error);
    if (status == OK)
        status = find(set, columns, row, hash, &slot, &found, error);
    *is_new = status == OK && !found;
    if (!*is_new)
        return status;
    set->hashes[set->rows.row_count] = (uint32_t)hash;
    set->slots[slot] = (uint32_t)set->rows.row_count + 1;
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
        if (set->slot_count > 0)
            status = find(set, columns, rows ? rows[i] : i, hashes[i], &slot, &found[i], error);
    }
    return status;
}
