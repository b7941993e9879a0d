/* A hash table from tuples to dense numbers (slots.c), the tuples in a collection. Serves GROUP BY,
 * DISTINCT and DISTINCT aggregates. */
#include "sql/exec/exec_int.h"

void exec__key_table_init(struct key_table *table, struct exec *exec, const enum sql_type *types,
                          const bool *stable, uint32_t column_count)
{
    *table = (struct key_table){0};
    exec__collection_init(&table->keys, exec, types, stable, column_count);
}

void exec__key_table_free(struct key_table *table)
{
    if (!table->keys.exec)
        return; /* never begun */
    exec__slots_free(&table->slots, table->keys.exec);
    exec__collection_free(&table->keys);
}

static bool tuple_equal(const struct key_table *table, uint32_t number,
                        const struct vector *const *keys, uint32_t row)
{
    for (uint32_t k = 0; k < table->keys.column_count; k++) {
        const struct vector *own = exec__collection_vector(&table->keys, k, number);
        if (!exec__entries_equal(own, number % BATCH_ROWS_MAX, keys[k], row))
            return false;
    }
    return true;
}

/* The tuple's number, or EXEC_NO_ROW and the slot where it belongs. */
static uint32_t find(const struct key_table *table, uint64_t hash, const struct vector *const *keys,
                     uint32_t row, uint32_t *slot)
{
    const struct slots *slots = &table->slots;
    uint32_t number;
    for (*slot = exec__slots_first(slots, hash);
         (number = exec__slots_find(slots, hash, slot)) != EXEC_NO_ROW;
         *slot = exec__slots_behind(slots, *slot)) {
        if (tuple_equal(table, number, keys, row))
            break;
    }
    return number;
}

void exec__key_table_find(const struct key_table *table, const struct vector *const *keys,
                          const uint32_t *rows, uint32_t count, uint32_t *numbers)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    ASSERT(count <= BATCH_ROWS_MAX);
    exec__hash_rows(keys, table->keys.column_count, rows, count, hashes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot;
        numbers[i] = table->slots.count > 0
                         ? find(table, hashes[i], keys, rows ? rows[i] : i, &slot)
                         : EXEC_NO_ROW;
    }
}

status_t exec__key_table_put(struct key_table *table, const struct vector *const *keys,
                             const uint32_t *rows, uint32_t count, uint32_t *numbers, bool *is_new,
                             struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    ASSERT(count <= BATCH_ROWS_MAX);
    exec__hash_rows(keys, table->keys.column_count, rows, count, hashes);
    /* Most batches bring few new tuples: room is made for a few at a time. */
    enum { STEP = 64 };
    uint32_t room = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (room == 0) {
            room = STEP < count - i ? STEP : count - i;
            status_t status = exec__slots_reserve(&table->slots, table->keys.exec,
                                                  table->keys.row_count, room, error);
            if (status != OK)
                return status;
        }
        uint32_t row = rows ? rows[i] : i;
        uint32_t slot;
        numbers[i] = find(table, hashes[i], keys, row, &slot);
        if (is_new)
            is_new[i] = numbers[i] == EXEC_NO_ROW;
        if (numbers[i] != EXEC_NO_ROW)
            continue;
        numbers[i] = table->keys.row_count;
        status_t status = exec__collection_append(&table->keys, keys, &row, 1, error);
        if (status != OK)
            return status;
        exec__slots_put(&table->slots, slot, numbers[i], hashes[i]);
        room--;
    }
    return OK;
}
