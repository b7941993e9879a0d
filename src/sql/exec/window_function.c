/* Window functions within one partition.
 *
 * Rows with equal keys are peers; `groups` has where each group of peers begins.
 *
 * From row to row neither end of a frame moves back, so a frame is found by moving two places
 * forward, and an aggregate over it is a queue: rows come in at the end and leave at the start. It
 * is kept as two stacks, the way a queue is made of two (Tangwongsan, Hirzel, Schneider, "In-Order
 * Sliding-Window Aggregation in Worst-Case Constant Time", 2017, section 2): `tail` has all rows
 * from `middle` on; fronts[i] has rows i to middle. The result is the two merged. When the start
 * reaches the middle the rows there are are turned over into fronts. So each row is taken in at
 * most twice, whatever the frame, and no aggregate needs to be undone. What cannot be merged
 * (string_agg) is begun anew when its frame's start moves. */
#include "sql/exec/exec_int.h"

#include <math.h>

#include "base/mem.h"

enum { ROW_STEPS = 64 };

/* A partition being worked on, and where the function's frame is. */
struct partition {
    struct window *window;
    const struct window_call *function;
    uint32_t index; /* of the function */
    uint32_t first;
    uint32_t end;
    uint32_t row;
    uint32_t group; /* of the row */
    uint32_t frame_start;
    uint32_t frame_end;
    uint32_t valued_first; /* rows whose key is not NULL, for RANGE with an offset */
    uint32_t valued_end;
};

/* What the window itself holds, beside the collection. */
status_t exec__window_charge(struct window *window, struct error *error)
{
    size_t size = window->results_arena.used + window->texts.used +
                  (size_t)window->start_capacity * sizeof *window->starts +
                  (size_t)window->group_capacity * sizeof *window->groups +
                  (size_t)window->front_capacity * sizeof *window->fronts;
    struct exec *exec = window->op.exec;
    size_t before = window->charged;
    window->charged = size;
    if (size >= before)
        return exec__memory_charge(exec, size - before, error);
    exec__memory_release(exec, before - size);
    return OK;
}

static struct value cell(const struct window *window, uint32_t column, uint32_t row)
{
    return exec__collection_value(&window->rows, column, row);
}

static void put(struct partition *at, const struct value *value)
{
    struct batch *chunk = at->window->results[at->row / BATCH_ROWS_MAX];
    struct vector *vector = &chunk->columns[at->index];
    if (value->null)
        vector_set_null(vector, at->row % BATCH_ROWS_MAX);
    else
        vector_set(vector, at->row % BATCH_ROWS_MAX, value);
}

/* ---- groups of peers ----------------------------------------------------------------------------
 */

static bool rows_equal(const struct window *window, uint32_t first_column, uint32_t count,
                       uint32_t a, uint32_t b)
{
    for (uint32_t c = first_column; c < first_column + count; c++) {
        if (!exec__entries_equal(exec__collection_vector(&window->rows, c, a), a % BATCH_ROWS_MAX,
                                 exec__collection_vector(&window->rows, c, b), b % BATCH_ROWS_MAX))
            return false;
    }
    return true;
}

static status_t groups_find(struct window *window, uint32_t first, uint32_t end,
                            struct error *error)
{
    struct pace pace = {.exec = window->op.exec};
    window->group_count = 0;
    for (uint32_t row = first; row < end; row++) {
        status_t status = exec__pace(&pace, ROW_STEPS, error);
        if (status != OK)
            return status;
        if (row > first && rows_equal(window, window->key_first, window->key_count, row - 1, row))
            continue;
        window->groups = vec_grow(window->groups, &window->group_capacity, window->group_count + 2,
                                  sizeof *window->groups);
        window->groups[window->group_count++] = row;
    }
    window->groups[window->group_count] = end;
    return exec__window_charge(window, error);
}

/* ---- frames -------------------------------------------------------------------------------------
 */

/* a - b where both are of the key's type; exact for integers. */
static int compare_moved(const struct value *key, const struct value *base, const struct value *by,
                         int sign)
{
    if (key->type == SQL_INTEGER) {
        __int128 moved = (__int128)base->as.integer + sign * (__int128)by->as.integer;
        return (key->as.integer > moved) - (key->as.integer < moved);
    }
    struct value moved = value_double(base->as.real + sign * by->as.real);
    return value_compare(key, &moved);
}

/* The first row from `place` on that is not before (`past`: that is behind) the current key moved
 * by the offset. Rows with NULL have only each other. */
static uint32_t range_place(const struct partition *at, enum frame_place place, uint32_t from,
                            const struct value *offset, bool past)
{
    const struct window *window = at->window;
    const struct sort_key *key = &window->op.plan->as.window.keys[0];
    struct value base = cell(window, window->key_first, at->row);
    if (base.null)
        return window->groups[past ? at->group + 1 : at->group];
    bool down = (place == FRAME_PRECEDING) != key->descending;
    uint32_t row = from > at->valued_first ? from : at->valued_first;
    for (; row < at->valued_end; row++) {
        struct value value = cell(window, window->key_first, row);
        int order = compare_moved(&value, &base, offset, down ? -1 : 1);
        order = key->descending ? -order : order;
        if (past ? order > 0 : order >= 0)
            break;
    }
    return row;
}

/* The first row of the frame, or, with `past`, the first behind it. */
static uint32_t frame_place(const struct partition *at, enum frame_place place, uint32_t from,
                            const struct value *offset, bool past)
{
    const struct window *window = at->window;
    enum frame_mode mode = at->function->plan->frame.mode;
    if (place == FRAME_FIRST)
        return at->first;
    if (place == FRAME_LAST)
        return at->end;
    if (place != FRAME_CURRENT && mode == FRAME_RANGE)
        return range_place(at, place, from, offset, past);
    bool rows = mode == FRAME_ROWS;
    int64_t now = rows ? at->row - at->first : at->group;
    int64_t count = rows ? at->end - at->first : window->group_count;
    int64_t move = place == FRAME_CURRENT ? 0 : offset->as.integer;
    move = move > count ? count : move; /* beyond either end is all the same */
    int64_t to = (place == FRAME_PRECEDING ? now - move : now + move) + (past ? 1 : 0);
    to = to < 0 ? 0 : to > count ? count : to;
    return rows ? at->first + (uint32_t)to : window->groups[to];
}

static void frame_move(struct partition *at)
{
    const struct window_frame *frame = &at->function->plan->frame;
    const struct value *offsets = at->function->offsets;
    uint32_t start = frame_place(at, frame->start, at->frame_start, &offsets[0], false);
    uint32_t end = frame_place(at, frame->end, at->frame_end, &offsets[1], true);
    ASSERT(start >= at->frame_start);
    at->frame_start = start;
    at->frame_end = end > start ? end : start; /* it may end before it begins */
}

/* Goes to the next row of the partition, its group with it. */
static void row_advance(struct partition *at)
{
    at->row++;
    if (at->row == at->window->groups[at->group + 1] && at->row < at->end)
        at->group++;
}

static status_t offset_value(struct exec *exec, const struct expr *expr, const char *which,
                             bool is_range, struct value *out, struct error *error)
{
    if (!expr)
        return OK;
    status_t status = exec__expr_value(exec, expr, out, error);
    if (status != OK)
        return status;
    if (out->null)
        return error_sql(error, "22004", expr->position, "frame %s offset must not be null", which);
    bool negative =
        out->type == SQL_DOUBLE ? out->as.real < 0 || isnan(out->as.real) : out->as.integer < 0;
    if (negative && is_range)
        return error_sql(error, "22013", expr->position,
                         "invalid preceding or following size in window function");
    if (negative)
        return error_sql(error, "22013", expr->position, "frame %s offset must not be negative",
                         which);
    return OK;
}

status_t exec__window_offsets(struct window *window, struct error *error)
{
    for (uint32_t f = 0; f < window->function_count && !window->offsets_known; f++) {
        struct window_call *function = &window->functions[f];
        const struct window_frame *frame = &function->plan->frame;
        bool range = frame->mode == FRAME_RANGE;
        status_t status = offset_value(window->op.exec, frame->start_offset, "starting", range,
                                       &function->offsets[0], error);
        if (status == OK)
            status = offset_value(window->op.exec, frame->end_offset, "ending", range,
                                  &function->offsets[1], error);
        if (status != OK)
            return status;
    }
    window->offsets_known = true;
    return OK;
}

/* ---- aggregates ---------------------------------------------------------------------------------
 */

struct sliding {
    struct aggregate_state tail;
    uint32_t start; /* rows that are in */
    uint32_t middle;
    uint32_t end;
};

static status_t take_row(struct partition *at, struct aggregate_state *state, uint32_t row,
                         struct error *error)
{
    struct window *window = at->window;
    const struct window_call *function = at->function;
    const struct aggregate *aggregate = &function->plan->aggregate;
    uint32_t place = row % BATCH_ROWS_MAX;
    struct aggregate_intake intake = {.rows = &place, .count = 1};
    if (function->filter != WINDOW_NOTHING) {
        struct value passes = cell(window, function->filter, row);
        if (passes.null || !passes.as.boolean)
            return OK;
    }
    if (aggregate->argument) {
        intake.values = exec__collection_vector(&window->rows, function->argument_first, row);
        if (vector_is_null(intake.values, place))
            return OK;
    }
    if (function->separator != WINDOW_NOTHING)
        intake.separators = exec__collection_vector(&window->rows, function->separator, row);
    return exec__states_take(aggregate, state, &intake, &window->texts, error);
}

/* All rows that are in move to the front stack. */
static status_t turn_over(struct partition *at, struct sliding *sliding, struct error *error)
{
    struct window *window = at->window;
    const struct aggregate *aggregate = &at->function->plan->aggregate;
    uint32_t count = sliding->end - sliding->start;
    window->fronts =
        vec_grow(window->fronts, &window->front_capacity, count + 1, sizeof *window->fronts);
    status_t status = exec__window_charge(window, error);
    struct aggregate_state next = {0};
    for (uint32_t i = count; i-- > 0 && status == OK;) {
        struct aggregate_state state = {0};
        status = take_row(at, &state, sliding->start + i, error);
        if (status == OK)
            status = exec__state_merge(aggregate, &state, &next, &window->texts, error);
        window->fronts[i] = next = state;
        if (i % BATCH_ROWS_MAX == 0 && status == OK)
            status = exec__cancel_check(window->op.exec, error);
    }
    sliding->middle = sliding->end;
    sliding->tail = (struct aggregate_state){0};
    return status;
}

/* Fronts are numbered from where the last turn-over began. */
static status_t slide(struct partition *at, struct sliding *sliding, uint32_t *front_base,
                      struct error *error)
{
    const struct aggregate *aggregate = &at->function->plan->aggregate;
    status_t status = OK;
    bool anew = at->frame_start >= sliding->end ||
                (at->frame_start != sliding->start && !exec__state_can_merge(aggregate));
    if (anew) { /* nothing of it stays */
        arena_reset(&at->window->texts);
        *sliding = (struct sliding){
            .start = at->frame_start, .middle = at->frame_start, .end = at->frame_start};
    } else if (at->frame_start != sliding->start) {
        sliding->start = at->frame_start;
        if (sliding->start >= sliding->middle) {
            *front_base = sliding->start;
            status = turn_over(at, sliding, error);
        }
    }
    for (; sliding->end < at->frame_end && status == OK; sliding->end++) {
        status = take_row(at, &sliding->tail, sliding->end, error);
        if (sliding->end % BATCH_ROWS_MAX == 0 && status == OK)
            status = exec__cancel_check(at->window->op.exec, error);
    }
    return status;
}

static status_t slid_result(struct partition *at, const struct sliding *sliding,
                            uint32_t front_base, struct value *out, struct error *error)
{
    const struct aggregate *aggregate = &at->function->plan->aggregate;
    struct window *window = at->window;
    struct aggregate_state both = {0};
    status_t status = OK;
    if (sliding->start < sliding->middle) {
        both = window->fronts[sliding->start - front_base];
        both.capacity = 0; /* its text stays with it: a merge that changes it makes another */
        status = exec__state_merge(aggregate, &both, &sliding->tail, &window->texts, error);
    } else {
        both = sliding->tail;
    }
    if (status == OK)
        status = exec__state_result(aggregate, &both, out, error);
    if (status == OK && !out->null && type_is_slice(out->type))
        out->as.text = arena_copy(&window->results_arena, out->as.text);
    return status;
}

static status_t run_aggregate(struct partition *at, struct error *error)
{
    struct window *window = at->window;
    struct sliding sliding = {.start = at->first, .middle = at->first, .end = at->first};
    uint32_t front_base = at->first;
    uint32_t last_start = WINDOW_NOTHING;
    uint32_t last_end = 0;
    struct value value = value_null(at->function->plan->type);
    struct pace pace = {.exec = window->op.exec};
    for (; at->row < at->end; row_advance(at)) {
        status_t paced = exec__pace(&pace, ROW_STEPS, error);
        if (paced != OK)
            return paced;
        frame_move(at);
        if (at->frame_start != last_start || at->frame_end != last_end) {
            status_t status = slide(at, &sliding, &front_base, error);
            if (status == OK)
                status = slid_result(at, &sliding, front_base, &value, error);
            if (status == OK && at->row % 64 == 0)
                status = exec__window_charge(window, error);
            if (status != OK)
                return status;
            last_start = at->frame_start;
            last_end = at->frame_end;
        }
        put(at, &value);
    }
    arena_reset(&window->texts);
    return exec__cancel_check(window->op.exec, error);
}

/* ---- ranks --------------------------------------------------------------------------------------
 */

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static struct value rank_value(const struct partition *at)
{
    const uint32_t *groups = at->window->groups;
    uint32_t count = at->end - at->first;
    uint32_t before = groups[at->group] - at->first;
    switch (at->function->plan->kind) {
    case WINDOW_ROW_NUMBER:
        return value_integer(at->row - at->first + 1);
    case WINDOW_RANK:
        return value_integer(before + 1);
    case WINDOW_DENSE_RANK:
        return value_integer(at->group + 1);
    case WINDOW_PERCENT_RANK:
        return value_double(ratio(before, count - 1));
    default:
        ASSERT(at->function->plan->kind == WINDOW_CUME_DIST);
        return value_double(ratio(groups[at->group + 1] - at->first, count));
    }
}

/* The first count % buckets of them have one row more. */
static status_t ntile_value(const struct partition *at, struct value *out, struct error *error)
{
    /* As in PostgreSQL: the first row's argument counts. */
    struct value buckets = cell(at->window, at->function->argument_first, at->first);
    *out = value_null(SQL_INTEGER);
    if (buckets.null)
        return OK;
    if (buckets.as.integer <= 0)
        return error_sql(error, "22014", at->function->plan->arguments[0]->position,
                         "argument of ntile must be greater than zero");
    int64_t count = at->end - at->first;
    int64_t small = count / buckets.as.integer;
    int64_t larger = count % buckets.as.integer; /* so many buckets have small + 1 rows */
    int64_t row = at->row - at->first;
    int64_t in_larger = larger * (small + 1);
    *out = value_integer(row < in_larger ? row / (small + 1) + 1
                                         : larger + (row - in_larger) / small + 1);
    return OK;
}

/* ---- values of other rows -----------------------------------------------------------------------
 */

static struct value lag_value(const struct partition *at)
{
    const struct window_function *plan = at->function->plan;
    const struct window *window = at->window;
    uint32_t first = at->function->argument_first;
    int64_t offset = 1;
    if (plan->argument_count > 1) {
        struct value given = cell(window, first + 1, at->row);
        if (given.null)
            return value_null(plan->type);
        offset = given.as.integer;
    }
    int64_t count = at->end - at->first;
    bool beyond = offset > count || offset < -count;
    int64_t to = (int64_t)at->row + (beyond ? 0 : plan->kind == WINDOW_LAG ? -offset : offset);
    if (!beyond && to >= at->first && to < at->end)
        return cell(window, first, (uint32_t)to);
    return plan->argument_count > 2 ? cell(window, first + 2, at->row) : value_null(plan->type);
}

static status_t frame_value(const struct partition *at, struct value *out, struct error *error)
{
    const struct window_function *plan = at->function->plan;
    uint32_t first = at->function->argument_first;
    uint32_t size = at->frame_end - at->frame_start;
    uint64_t nth = plan->kind == WINDOW_LAST_VALUE ? size : 1;
    *out = value_null(plan->type);
    if (plan->kind == WINDOW_NTH_VALUE) {
        struct value given = cell(at->window, first + 1, at->row);
        if (given.null)
            return OK;
        if (given.as.integer <= 0)
            return error_sql(error, "22016", plan->arguments[1]->position,
                             "argument of nth_value must be greater than zero");
        nth = (uint64_t)given.as.integer;
    }
    if (size > 0 && nth <= size)
        *out = cell(at->window, first, at->frame_start + (uint32_t)nth - 1);
    return OK;
}

static status_t run_plain(struct partition *at, struct error *error)
{
    for (; at->row < at->end; row_advance(at)) {
        struct value value;
        status_t status = OK;
        switch (at->function->plan->kind) {
        case WINDOW_NTILE:
            status = ntile_value(at, &value, error);
            break;
        case WINDOW_LAG:
        case WINDOW_LEAD:
            value = lag_value(at);
            break;
        case WINDOW_FIRST_VALUE:
        case WINDOW_LAST_VALUE:
        case WINDOW_NTH_VALUE:
            frame_move(at);
            status = frame_value(at, &value, error);
            break;
        default:
            value = rank_value(at);
            break;
        }
        if (status == OK && at->row % BATCH_ROWS_MAX == 0)
            status = exec__cancel_check(at->window->op.exec, error);
        if (status != OK)
            return status;
        put(at, &value);
    }
    return OK;
}

/* ---- partitions ---------------------------------------------------------------------------------
 */

/* Rows without a key stand together at one end. */
static void valued_find(struct partition *at)
{
    const struct window *window = at->window;
    at->valued_first = at->first;
    at->valued_end = at->end;
    if (window->key_count == 0)
        return;
    uint32_t last = window->groups[window->group_count - 1];
    if (cell(window, window->key_first, at->first).null)
        at->valued_first = window->groups[1];
    else if (cell(window, window->key_first, last).null)
        at->valued_end = last;
}

status_t exec__window_partition(struct window *window, uint32_t first, uint32_t end,
                                struct error *error)
{
    ASSERT(first < end);
    status_t status = groups_find(window, first, end, error);
    for (uint32_t f = 0; f < window->function_count && status == OK; f++) {
        struct partition at = {.window = window,
                               .function = &window->functions[f],
                               .index = f,
                               .first = first,
                               .end = end,
                               .row = first,
                               .frame_start = first,
                               .frame_end = first};
        valued_find(&at);
        status = window->functions[f].plan->kind == WINDOW_AGGREGATE ? run_aggregate(&at, error)
                                                                     : run_plain(&at, error);
    }
    return status;
}
