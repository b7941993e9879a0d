/* Window functions: the value of each at one row. */
#include "sql/exec/window_int.h"

/* ---- ranks --------------------------------------------------------------------------------------
 */

static double ratio(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static struct value rank_value(const struct window *window, const struct window_call *call)
{
    uint64_t count = window->end - window->first;
    uint64_t before = window->group_start - window->first;
    switch (call->plan->kind) {
    case WINDOW_ROW_NUMBER:
        return value_integer((int64_t)(window->row - window->first + 1));
    case WINDOW_RANK:
        return value_integer((int64_t)before + 1);
    case WINDOW_DENSE_RANK:
        return value_integer((int64_t)window->group + 1);
    case WINDOW_PERCENT_RANK:
        return value_double(ratio(before, count - 1));
    default:
        ASSERT(call->plan->kind == WINDOW_CUME_DIST);
        return value_double(ratio(window->group_end - window->first, count));
    }
}

/* The first count % buckets of them have one row more. */
static status_t ntile_value(struct window *window, struct window_call *call, struct value *out,
                            struct error *error)
{
    /* As in PostgreSQL: the first row's argument counts. */
    status_t status = exec__row_cursor_seek(&call->other, window->first, error);
    if (status != OK)
        return status;
    struct value buckets =
        exec__row_cursor_value(&call->other, call->argument_first, window->first);
    *out = value_null(SQL_INTEGER);
    if (buckets.null)
        return OK;
    if (buckets.as.integer <= 0)
        return error_sql(error, "22014", call->plan->arguments[0]->position,
                         "argument of ntile must be greater than zero");
    int64_t count = (int64_t)(window->end - window->first);
    int64_t small = count / buckets.as.integer;
    int64_t larger = count % buckets.as.integer; /* so many buckets have small + 1 rows */
    int64_t row = (int64_t)(window->row - window->first);
    int64_t in_larger = larger * (small + 1);
    *out = value_integer(row < in_larger ? row / (small + 1) + 1
                                         : larger + (row - in_larger) / small + 1);
    return OK;
}

/* ---- values of other rows -----------------------------------------------------------------------
 */

/* A column at a row; text of a row in the file is kept. */
static status_t other_value(struct window *window, struct window_call *call, uint32_t column,
                            uint64_t row, struct value *out, struct error *error)
{
    status_t status = exec__row_cursor_seek(&call->other, row, error);
    if (status != OK)
        return status;
    *out = exec__row_cursor_value(&call->other, column, row);
    if (!out->null && type_is_slice(out->type) && exec__row_store_filed(&window->rows))
        out->as.text = arena_copy(&window->results_texts, out->as.text);
    return OK;
}

static status_t lag_value(struct window *window, struct window_call *call, struct value *out,
                          struct error *error)
{
    const struct window_function *plan = call->plan;
    uint32_t first = call->argument_first;
    int64_t offset = 1;
    *out = value_null(plan->type);
    if (plan->argument_count > 1) {
        struct value given = exec__row_cursor_value(&window->here, first + 1, window->row);
        if (given.null)
            return OK;
        offset = given.as.integer;
    }
    int64_t count = (int64_t)(window->end - window->first);
    bool beyond = offset > count || offset < -count;
    int64_t to = (int64_t)(window->row - window->first) + (beyond                     ? 0
                                                           : plan->kind == WINDOW_LAG ? -offset
                                                                                      : offset);
    if (!beyond && to >= 0 && to < count)
        return other_value(window, call, first, window->first + (uint64_t)to, out, error);
    if (plan->argument_count > 2)
        *out = exec__row_cursor_value(&window->here, first + 2, window->row);
    return OK;
}

static status_t frame_value(struct window *window, struct window_call *call, struct value *out,
                            struct error *error)
{
    const struct window_function *plan = call->plan;
    uint32_t first = call->argument_first;
    uint64_t before = call->gap_start - call->frame_start;
    uint64_t size = before + call->has_row + (call->frame_end - call->gap_end);
    uint64_t nth = plan->kind == WINDOW_LAST_VALUE ? size : 1;
    *out = value_null(plan->type);
    if (plan->kind == WINDOW_NTH_VALUE) {
        struct value given = exec__row_cursor_value(&window->here, first + 1, window->row);
        if (given.null)
            return OK;
        if (given.as.integer <= 0)
            return error_sql(error, "22016", plan->arguments[1]->position,
                             "argument of nth_value must be greater than zero");
        nth = (uint64_t)given.as.integer;
    }
    if (size == 0 || nth > size)
        return OK;
    uint64_t place = nth - 1;
    uint64_t row = call->frame_start + place;
    if (place >= before)
        row = call->has_row && place == before ? window->row
                                               : call->gap_end + (place - before - call->has_row);
    return other_value(window, call, first, row, out, error);
}

/* ---- a call -------------------------------------------------------------------------------------
 */

status_t exec__window_call_value(struct window *window, struct window_call *call, struct value *out,
                                 struct error *error)
{
    status_t status;
    switch (call->plan->kind) {
    case WINDOW_AGGREGATE:
        status = exec__window_frame_move(window, call, error);
        return status == OK ? exec__window_aggregate_value(window, call, out, error) : status;
    case WINDOW_FIRST_VALUE:
    case WINDOW_LAST_VALUE:
    case WINDOW_NTH_VALUE:
        status = exec__window_frame_move(window, call, error);
        return status == OK ? frame_value(window, call, out, error) : status;
    case WINDOW_NTILE:
        return ntile_value(window, call, out, error);
    case WINDOW_LAG:
    case WINDOW_LEAD:
        return lag_value(window, call, out, error);
    default:
        *out = rank_value(window, call);
        return OK;
    }
}

void exec__window_call_open(struct window *window, struct window_call *call)
{
    exec__row_cursor_init(&call->other, &window->rows);
    for (int i = 0; i < 2; i++) {
        exec__row_cursor_init(&call->edges[i].peer, &window->rows);
        exec__row_cursor_init(&call->edges[i].ahead, &window->rows);
    }
    exec__window_aggregate_open(window, call);
}

void exec__window_call_close(struct window_call *call)
{
    exec__row_cursor_free(&call->other);
    for (int i = 0; i < 2; i++) {
        exec__row_cursor_free(&call->edges[i].peer);
        exec__row_cursor_free(&call->edges[i].ahead);
    }
    exec__window_aggregate_close(call);
}

void exec__window_call_reset(struct window_call *call)
{
    exec__row_cursor_reset(&call->other);
    for (int i = 0; i < 2; i++) {
        exec__row_cursor_reset(&call->edges[i].peer);
        exec__row_cursor_reset(&call->edges[i].ahead);
        exec__row_cursor_reset(&call->slidings[i].in);
        exec__row_cursor_reset(&call->slidings[i].turned);
    }
}

void exec__window_call_begin(struct window *window, struct window_call *call)
{
    exec__window_frame_begin(window, call);
    if (call->plan->kind == WINDOW_AGGREGATE)
        exec__window_aggregate_begin(window, call);
}
