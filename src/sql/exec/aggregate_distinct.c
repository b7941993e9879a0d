/* DISTINCT within an aggregate: of each group the values, or pairs of them, not seen before.
 *
 * When the table of what has been seen takes more memory than it may, nothing more is put into it:
 * values that are in it are dropped as before, the others are put aside with their groups, shared
 * out by their hashes (spill_split.c), and looked at part by part when the input is at its end. */
#include "sql/exec/spill_int.h"

void exec__distinct_values_init(struct distinct_values *distinct, struct exec *exec,
                                const struct aggregate *aggregate)
{
    const struct expr *second = aggregate->separator;
    ASSERT(aggregate->distinct && aggregate->argument);
    *distinct = (struct distinct_values){.exec = exec, .column_count = second ? 3 : 2};
    distinct->types = arena_alloc(exec->arena, 3 * sizeof *distinct->types);
    distinct->types[0] = SQL_INTEGER;
    distinct->types[1] = aggregate->argument->type;
    distinct->types[2] = second ? second->type : SQL_UNKNOWN;
    distinct->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
    distinct->numbers = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    exec__key_table_init(&distinct->seen, exec, distinct->types, NULL, distinct->column_count);
}

void exec__distinct_values_free(struct distinct_values *distinct)
{
    if (!distinct->exec)
        return; /* never begun */
    exec__key_table_free(&distinct->seen);
    exec__split_reader_free(&distinct->reader);
    exec__split_free(&distinct->splits);
    distinct->full = distinct->in_part = false;
}

size_t exec__distinct_values_memory(const struct distinct_values *distinct)
{
    return exec__key_table_memory(&distinct->seen);
}

static status_t unknown_put_aside(struct distinct_values *distinct,
                                  const struct vector *const *columns, uint32_t *rows,
                                  uint32_t count, struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    status_t status = OK;
    exec__key_table_find(&distinct->seen, columns, rows, count, distinct->numbers);
    exec__hash_rows(columns, distinct->column_count, rows, count, hashes);
    for (uint32_t i = 0; i < count && status == OK; i++) {
        if (distinct->numbers[i] == EXEC_NO_ROW)
            status = exec__split_put(distinct->exec, distinct->splits, 0, distinct->types,
                                     distinct->column_count, columns, rows[i], hashes[i], error);
    }
    return status;
}

status_t exec__distinct_values_take(struct distinct_values *distinct,
                                    const struct vector *const *columns, uint32_t *rows,
                                    uint32_t *count, struct error *error)
{
    uint32_t given = *count;
    ASSERT(given <= BATCH_ROWS_MAX);
    *count = 0;
    if (distinct->full)
        return unknown_put_aside(distinct, columns, rows, given, error);
    status_t status = exec__key_table_put(&distinct->seen, columns, rows, given, distinct->numbers,
                                          distinct->is_new, error);
    for (uint32_t i = 0; i < given && status == OK; i++) {
        if (distinct->is_new[i])
            rows[(*count)++] = rows[i];
    }
    distinct->full = status == OK && exec__split_when_full(&distinct->splits, distinct->exec,
                                                           exec__distinct_values_memory(distinct));
    return status;
}

status_t exec__distinct_values_next(struct distinct_values *distinct, struct batch **batch,
                                    uint32_t *rows, uint32_t *count, struct error *error)
{
    *batch = NULL;
    for (;;) {
        status_t status = OK;
        if (distinct->in_part)
            status = exec__split_read(&distinct->reader, distinct->exec, batch, error);
        if (status != OK)
            return status;
        if (*batch) {
            const struct vector *columns[3];
            for (uint32_t c = 0; c < distinct->column_count; c++)
                columns[c] = &(*batch)->columns[c];
            *count = (*batch)->row_count;
            for (uint32_t i = 0; i < *count; i++)
                rows[i] = i;
            return exec__distinct_values_take(distinct, columns, rows, count, error);
        }
        if (distinct->full)
            status = exec__split_end(distinct->splits, 0, error);
        exec__split_reader_free(&distinct->reader);
        distinct->in_part = status == OK && exec__split_next(&distinct->splits, 1);
        if (!distinct->in_part)
            return status;
        exec__key_table_free(&distinct->seen);
        distinct->full = false;
        exec__split_reader_init(&distinct->reader, distinct->splits, 0);
    }
}
