/* Columns of values. */
#include <string.h>

#include "base/check.h"
#include "sql/types/types.h"

static size_t item_size(enum sql_type type)
{
    switch (type_storage(type)) {
    case SQL_BOOLEAN:
        return sizeof(bool);
    case SQL_INTEGER:
        return sizeof(int64_t);
    case SQL_DOUBLE:
        return sizeof(double);
    case SQL_TEXT:
        return sizeof(struct slice);
    case SQL_NUMERIC:
        return sizeof(struct numeric);
    case SQL_INTERVAL:
        return sizeof(struct interval);
    case SQL_UUID:
        return sizeof(struct uuid);
    case SQL_UNKNOWN:
        return 0;
    default:
        UNREACHABLE();
    }
}

static size_t nulls_size(uint32_t capacity)
{
    return (capacity + 63) / 64 * sizeof(uint64_t);
}

void vector_init(struct vector *vector, struct arena *arena, enum sql_type type, uint32_t capacity)
{
    ASSERT(vector && arena);
    ASSERT(capacity >= 1 && capacity <= BATCH_ROWS_MAX);
    *vector = (struct vector){.type = type, .capacity = capacity};
    vector->nulls = arena_zalloc(arena, nulls_size(capacity));
    if (type != SQL_UNKNOWN)
        vector->as.data = arena_alloc(arena, capacity * item_size(type));
}

struct batch *batch_create(struct arena *arena, const enum sql_type *types, uint32_t column_count,
                           uint32_t capacity)
{
    ASSERT(arena && (types || column_count == 0));
    struct batch *batch = arena_zalloc(arena, sizeof *batch);
    batch->column_count = column_count;
    batch->columns = arena_alloc(arena, column_count * sizeof *batch->columns);
    for (uint32_t i = 0; i < column_count; i++)
        vector_init(&batch->columns[i], arena, types[i], capacity);
    return batch;
}

void batch_reset(struct batch *batch)
{
    ASSERT(batch);
    batch->row_count = 0;
    batch->selection = NULL;
    batch->selected = 0;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        struct vector *vector = &batch->columns[i];
        if (vector->has_nulls)
            memset(vector->nulls, 0, nulls_size(vector->capacity));
        vector->has_nulls = false;
    }
}

void vector_set_null(struct vector *vector, uint32_t row)
{
    ASSERT(row < vector->capacity);
    vector->has_nulls = true;
    vector->nulls[row / 64] |= (uint64_t)1 << (row % 64);
    /* A kernel may compute on what lies under a NULL, so it must be a harmless value. */
    if (vector->type != SQL_UNKNOWN)
        memset((uint8_t *)vector->as.data + row * item_size(vector->type), 0,
               item_size(vector->type));
}

struct value vector_get(const struct vector *vector, uint32_t row)
{
    ASSERT(row < vector->capacity);
    if (vector_is_null(vector, row))
        return value_null(vector->type);
    struct value value = {.type = vector->type};
    switch (type_storage(vector->type)) {
    case SQL_BOOLEAN:
        value.as.boolean = vector->as.booleans[row];
        return value;
    case SQL_INTEGER:
        value.as.integer = vector->as.integers[row];
        return value;
    case SQL_DOUBLE:
        value.as.real = vector->as.reals[row];
        return value;
    case SQL_TEXT:
        value.as.text = vector->as.texts[row];
        return value;
    case SQL_NUMERIC:
        value.as.numeric = vector->as.numerics[row];
        return value;
    case SQL_INTERVAL:
        value.as.interval = vector->as.intervals[row];
        return value;
    case SQL_UUID:
        value.as.uuid = vector->as.uuids[row];
        return value;
    default:
        UNREACHABLE();
    }
}

void vector_set(struct vector *vector, uint32_t row, const struct value *value)
{
    ASSERT(row < vector->capacity);
    if (value->null) {
        vector_set_null(vector, row);
        return;
    }
    ASSERT(value->type == vector->type);
    if (vector->has_nulls)
        vector->nulls[row / 64] &= ~((uint64_t)1 << (row % 64));
    switch (type_storage(vector->type)) {
    case SQL_BOOLEAN:
        vector->as.booleans[row] = value->as.boolean;
        return;
    case SQL_INTEGER:
        vector->as.integers[row] = value->as.integer;
        return;
    case SQL_DOUBLE:
        vector->as.reals[row] = value->as.real;
        return;
    case SQL_TEXT:
        vector->as.texts[row] = value->as.text;
        return;
    case SQL_NUMERIC:
        vector->as.numerics[row] = value->as.numeric;
        return;
    case SQL_INTERVAL:
        vector->as.intervals[row] = value->as.interval;
        return;
    case SQL_UUID:
        vector->as.uuids[row] = value->as.uuid;
        return;
    default:
        UNREACHABLE();
    }
}
