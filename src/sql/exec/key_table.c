/* A hash table from tuples to dense numbers: open addressing over 32-bit slots, the tuples in a
 * collection, their hashes beside. Serves GROUP BY, DISTINCT and DISTINCT aggregates. */
#include "base/mem.h"
#include "sql/exec/exec_int.h"

#include <string.h>

enum { SLOTS_FIRST = 16 };

void exec__key_table_init(struct key_table *table, struct exec *exec, const enum sql_type *types,
                          const bool *stable, uint32_t column_count)
{
    *table = (struct key_table){0};
    exec__collection_init(&table->keys, exec, types, stable, column_count);
}

void exec__key_table_free(struct key_table *table)
{
    if (table->keys.exec)
        exec__memory_release(table->keys.exec, table->charged);
    exec__collection_free(&table->keys);
    mem_free(table->hashes);
    mem_free(table->slots);
    table->hashes = NULL;
    table->slots = NULL;
    table->slot_count = table->hash_capacity = 0;
    table->charged = 0;
}

static void slot_put(struct key_table *table, uint32_t number)
{
    uint32_t mask = table->slot_count - 1;
    uint32_t slot = (uint32_t)table->hashes[number] & mask;
    while (table->slots[slot])
        slot = (slot + 1) & mask;
    table->slots[slot] = number + 1;
}

/* Room for `more` tuples at a fill of at most one half. */
static status_t reserve(struct key_table *table, uint32_t more, struct error *error)
{
    uint32_t count = table->keys.row_count;
    table->hashes =
        vec_grow(table->hashes, &table->hash_capacity, count + more, sizeof *table->hashes);
    if (table->slot_count / 2 < count + more) {
        uint32_t slots = table->slot_count ? table->slot_count : SLOTS_FIRST;
        while (slots / 2 < count + more)
            slots *= 2;
        mem_free(table->slots);
        table->slots = mem_zalloc(slots, sizeof *table->slots);
        table->slot_count = slots;
        for (uint32_t i = 0; i < count; i++)
            slot_put(table, i);
    }
    size_t size =
        table->hash_capacity * sizeof *table->hashes + table->slot_count * sizeof *table->slots;
    size_t grown = size - table->charged;
    table->charged = size;
    return exec__memory_charge(table->keys.exec, grown, error);
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
    uint32_t mask = table->slot_count - 1;
    for (*slot = (uint32_t)hash & mask; table->slots[*slot]; *slot = (*slot + 1) & mask) {
        uint32_t number = table->slots[*slot] - 1;
        if (table->hashes[number] == hash && tuple_equal(table, number, keys, row))
            return number;
    }
    return EXEC_NO_ROW;
}

void exec__key_table_find(const struct key_table *table, const struct vector *const *keys,
                          const uint32_t *rows, uint32_t count, uint32_t *numbers)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    ASSERT(count <= BATCH_ROWS_MAX);
    exec__hash_rows(keys, table->keys.column_count, rows, count, hashes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot;
        numbers[i] = table->slot_count > 0 ? find(table, hashes[i], keys, rows ? rows[i] : i, &slot)
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
            status_t status = reserve(table, room, error);
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
        table->hashes[numbers[i]] = hashes[i];
        table->slots[slot] = numbers[i] + 1;
        room--;
    }
    return OK;
}
