/* Rows held by the session: the answers to SHOW and EXPLAIN, and what RETURNING gives, which may go
 * out only when the commit is known. */
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

void sql__result_column(struct sql_session *session, const char *name, enum sql_type type)
{
    struct result *result = &session->result;
    ASSERT(result->row_count == 0);
    result->present = true;
    result->columns = arena_grow(&session->run_arena, result->columns, &result->column_capacity,
                                 result->column_count + 1, sizeof *result->columns);
    result->columns[result->column_count++] = (struct sql_column){
        .name = arena_strndup(&session->run_arena, name, strlen(name)), .type = type};
}

struct value *sql__result_row(struct sql_session *session)
{
    struct result *result = &session->result;
    uint32_t used = result->row_count * result->column_count;
    ASSERT(result->column_count > 0);
    result->values = arena_grow(&session->run_arena, result->values, &result->capacity,
                                used + result->column_count, sizeof *result->values);
    result->row_count++;
    for (uint32_t i = 0; i < result->column_count; i++)
        result->values[used + i] = value_null(result->columns[i].type);
    return &result->values[used];
}

struct value sql__result_text(struct sql_session *session, const char *text)
{
    return value_text(arena_copy(&session->run_arena, slice_from_string(text)));
}

struct batch *sql__result_next(struct sql_session *session)
{
    struct result *result = &session->result;
    uint32_t count = result->row_count - result->next;
    if (count == 0)
        return NULL;
    enum sql_type *types = arena_alloc(&session->run_arena, result->column_count * sizeof *types);
    if (count > BATCH_ROWS_MAX)
        count = BATCH_ROWS_MAX;
    for (uint32_t i = 0; i < result->column_count; i++)
        types[i] = result->columns[i].type;
    struct batch *batch = batch_create(&session->run_arena, types, result->column_count, count);
    for (uint32_t row = 0; row < count; row++)
        for (uint32_t column = 0; column < result->column_count; column++)
            vector_set(&batch->columns[column], row,
                       &result->values[(result->next + row) * result->column_count + column]);
    batch->row_count = count;
    batch->selected = count;
    result->next += count;
    return batch;
}
