/* Whole rows of a table, decoded some at a time: for what looks at all columns of all rows. */
#include "sql/exec/exec_int.h"

void exec__rows_init(struct table_rows *rows, const struct table *table, uint32_t capacity,
                     struct arena *arena)
{
    ASSERT(table && capacity > 0);
    uint32_t count = table->column_count;
    uint32_t *order;
    enum sql_type *types = arena_alloc(arena, count * sizeof *types);
    for (uint32_t i = 0; i < count; i++)
        types[i] = table->columns[i].type.kind;
    *rows = (struct table_rows){.table = table};
    exec__row_shape(table, NULL, count, arena, &rows->shape, &order);
    rows->batch = batch_create(arena, types, count, capacity);
    rows->row = arena_zalloc(arena, (count + table->computed_count) * sizeof *rows->row);
    rows->targets = arena_alloc(arena, count * sizeof *rows->targets);
    for (uint32_t i = 0; i < count; i++)
        rows->targets[i] = &rows->batch->columns[order[i]];
}

status_t exec__rows_decode(struct table_rows *rows, struct slice stored, uint32_t at)
{
    ASSERT(rows->batch);
    return row_decode(stored, &rows->shape, rows->targets, at);
}

struct value *exec__rows_get(struct table_rows *rows, uint32_t at)
{
    ASSERT(rows->row);
    for (uint32_t i = 0; i < rows->table->column_count; i++)
        rows->row[i] = vector_get(&rows->batch->columns[i], at);
    return rows->row;
}
