/* Window functions within one partition.
 *
 * Rows with equal keys are peers; `groups` has where each group of peers begins.
 *
 * From row to row neither end of a frame moves back (window_frame.c), so an aggregate over it is a
 * queue: rows come in at the end and leave at the start. It
 * is kept as two stacks, the way a queue is made of two (Tangwongsan, Hirzel, Schneider, "In-Order
 * Sliding-Window Aggregation in Worst-Case Constant Time", 2017, section 2): `tail` has all rows
 * from `middle` on; fronts[i] has rows i to middle. The result is the two merged. When the start
 * reaches the middle the rows there are are turned over into fronts. So each row is taken in at
 * most twice, whatever the frame, and no aggregate needs to be undone. What cannot be merged
 * (string_agg) is begun anew when its frame's start moves. A frame with EXCLUDE is two such queues,
 * before and behind what is taken out. */
#include "sql/exec/window_int.h"

#include <math.h>

#include "base/mem.h"

enum { ROW_STEPS = 64 };

/* What the window itself holds, beside the collection. */
status_t exec__window_charge(struct window *window, struct error *error)
{
    size_t size = window->results_arena.used + window->texts.used +
                  (size_t)window->start_capacity * sizeof *window->starts +
                  (size_t)window->group_capacity * sizeof *window->groups;
    for (int i = 0; i < 2; i++)
        size += window->slidings[i].texts.used +
                window->slidings[i].front_capacity * sizeof *window->slidings[i].fronts;
    struct exec *exec = window->op.exec;
    size_t before = window->charged;
    window->charged = size;
    if (size >= before)
        return exec__memory_charge(exec, size - before, error);
    exec__memory_release(exec, before - size);
    return OK;
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

/* ---- rows and offsets --------------------------------------------------------------------------
 */

/* Goes to the next row of the partition, its group with it. */
static void row_advance(struct partition *at)
{
    at->row++;
    if (at->row == at->window->groups[at->group + 1] && at->row < at->end)
        at->group++;
}

/* Or has no place to end at: an infinite key moved by an infinite offset. */
static bool is_negative(const struct value *offset)
{
    switch (offset->type) {
    case SQL_DOUBLE:
        return offset->as.real < 0 || !isfinite(offset->as.real);
    case SQL_NUMERIC:
        return numeric_compare(offset->as.numeric, numeric_from_integer(0)) < 0;
    case SQL_INTERVAL:
        return interval_compare(offset->as.interval, (struct interval){0}) < 0;
    default:
        ASSERT(offset->type == SQL_INTEGER);
        return offset->as.integer < 0;
    }
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
    bool negative = is_negative(out);
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

static status_t take_row(struct partition *at, struct aggregate_state *state, uint32_t row,
                         struct arena *texts, struct error *error)
{
    struct window *window = at->window;
    const struct window_call *function = at->function;
    const struct aggregate *aggregate = &function->plan->aggregate;
    uint32_t place = row % BATCH_ROWS_MAX;
    struct aggregate_intake intake = {.rows = &place, .count = 1};
    if (function->filter != WINDOW_NOTHING) {
        struct value passes = exec__window_cell(window, function->filter, row);
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
    return exec__states_take(aggregate, state, &intake, texts, error);
}

/* All rows that are in move to the front stack. */
static status_t turn_over(struct partition *at, struct sliding *sliding, struct error *error)
{
    struct window *window = at->window;
    const struct aggregate *aggregate = &at->function->plan->aggregate;
    uint32_t count = sliding->end - sliding->start;
    sliding->fronts =
        vec_grow(sliding->fronts, &sliding->front_capacity, count + 1, sizeof *sliding->fronts);
    status_t status = exec__window_charge(window, error);
    struct aggregate_state next = {0};
    for (uint32_t i = count; i-- > 0 && status == OK;) {
        struct aggregate_state state = {0};
        status = take_row(at, &state, sliding->start + i, &sliding->texts, error);
        if (status == OK)
            status = exec__state_merge(aggregate, &state, &next, &sliding->texts, error);
        sliding->fronts[i] = next = state;
        if (i % BATCH_ROWS_MAX == 0 && status == OK)
            status = exec__cancel_check(window->op.exec, error);
    }
    sliding->middle = sliding->end;
    sliding->tail = (struct aggregate_state){0};
    return status;
}

static void sliding_empty(struct sliding *sliding, uint32_t row)
{
    arena_reset(&sliding->texts);
    sliding->tail = (struct aggregate_state){0};
    sliding->start = sliding->middle = sliding->end = row;
}

/* The rows from `start` to `end` are in. */
static status_t slide(struct partition *at, struct sliding *sliding, uint32_t start, uint32_t end,
                      struct error *error)
{
    const struct aggregate *aggregate = &at->function->plan->aggregate;
    status_t status = OK;
    ASSERT(start <= end && start >= sliding->start);
    if (start >= sliding->end || (start != sliding->start && !exec__state_can_merge(aggregate))) {
        sliding_empty(sliding, start); /* nothing of it stays */
    } else if (start != sliding->start) {
        sliding->start = start;
        if (sliding->start >= sliding->middle) {
            sliding->front_base = sliding->start;
            status = turn_over(at, sliding, error);
        }
    }
    for (; sliding->end < end && status == OK; sliding->end++) {
        status = take_row(at, &sliding->tail, sliding->end, &sliding->texts, error);
        if (sliding->end % BATCH_ROWS_MAX == 0 && status == OK)
            status = exec__cancel_check(at->window->op.exec, error);
    }
    return status;
}

static status_t slid_state(struct partition *at, struct sliding *sliding,
                           struct aggregate_state *out, struct error *error)
{
    *out = sliding->tail;
    if (sliding->start >= sliding->middle)
        return OK;
    *out = sliding->fronts[sliding->start - sliding->front_base];
    out->capacity = 0; /* its text stays with it: a merge that changes it makes another */
    return exec__state_merge(&at->function->plan->aggregate, out, &sliding->tail, &sliding->texts,
                             error);
}

/* What cannot be merged, of a frame that rows are taken out of: all of it, in order. */
static status_t whole_state(struct partition *at, struct aggregate_state *out, struct error *error)
{
    struct arena *texts = &at->window->texts;
    struct pace pace = {.exec = at->window->op.exec};
    status_t status = OK;
    *out = (struct aggregate_state){0};
    for (uint32_t row = at->frame_start; row < at->frame_end && status == OK; row++) {
        bool taken_out = row >= at->gap_start && row < at->gap_end;
        if (taken_out && !(row == at->row && at->has_row))
            continue;
        status = take_row(at, out, row, texts, error);
        if (status == OK)
            status = exec__pace(&pace, ROW_STEPS, error);
    }
    return status;
}

/* The frame's rows but those taken out. */
static status_t parted_state(struct partition *at, struct aggregate_state *out, struct error *error)
{
    const struct aggregate *aggregate = &at->function->plan->aggregate;
    struct window *window = at->window;
    struct aggregate_state behind;
    arena_reset(&window->texts);
    if (!exec__state_can_merge(aggregate))
        return whole_state(at, out, error);
    status_t status = slide(at, &window->slidings[0], at->frame_start, at->gap_start, error);
    if (status == OK)
        status = slide(at, &window->slidings[1], at->gap_end, at->frame_end, error);
    if (status == OK)
        status = slid_state(at, &window->slidings[0], out, error);
    if (status == OK)
        status = slid_state(at, &window->slidings[1], &behind, error);
    out->capacity = 0;
    if (status == OK && at->has_row)
        status = take_row(at, out, at->row, &window->texts, error);
    return status == OK ? exec__state_merge(aggregate, out, &behind, &window->texts, error)
                        : status;
}

static status_t frame_result(struct partition *at, struct value *out, struct error *error)
{
    const struct window_function *plan = at->function->plan;
    struct window *window = at->window;
    struct aggregate_state state;
    status_t status = OK;
    if (plan->frame.exclude != EXCLUDE_NOTHING) {
        status = parted_state(at, &state, error);
    } else {
        status = slide(at, &window->slidings[0], at->frame_start, at->frame_end, error);
        if (status == OK)
            status = slid_state(at, &window->slidings[0], &state, error);
    }
    if (status == OK)
        status = exec__state_result(&plan->aggregate, &state, out, error);
    if (status == OK && !out->null && type_is_slice(out->type))
        out->as.text = arena_copy(&window->results_arena, out->as.text);
    return status;
}

static status_t run_aggregate(struct partition *at, struct error *error)
{
    struct window *window = at->window;
    bool parted = at->function->plan->frame.exclude != EXCLUDE_NOTHING;
    uint32_t last_start = WINDOW_NOTHING;
    uint32_t last_end = 0;
    struct value value = value_null(at->function->plan->type);
    struct pace pace = {.exec = window->op.exec};
    sliding_empty(&window->slidings[0], at->first);
    sliding_empty(&window->slidings[1], at->first);
    for (; at->row < at->end; row_advance(at)) {
        status_t status = exec__pace(&pace, ROW_STEPS, error);
        exec__window_frame_move(at);
        bool moved = at->frame_start != last_start || at->frame_end != last_end;
        if (status == OK && (moved || parted)) {
            status = frame_result(at, &value, error);
            if (status == OK && at->row % 64 == 0)
                status = exec__window_charge(window, error);
            last_start = at->frame_start;
            last_end = at->frame_end;
        }
        if (status != OK)
            return status;
        put(at, &value);
    }
    for (int i = 0; i < 2; i++)
        arena_reset(&window->slidings[i].texts);
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
    struct value buckets = exec__window_cell(at->window, at->function->argument_first, at->first);
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
        struct value given = exec__window_cell(window, first + 1, at->row);
        if (given.null)
            return value_null(plan->type);
        offset = given.as.integer;
    }
    int64_t count = at->end - at->first;
    bool beyond = offset > count || offset < -count;
    int64_t to = (int64_t)at->row + (beyond ? 0 : plan->kind == WINDOW_LAG ? -offset : offset);
    if (!beyond && to >= at->first && to < at->end)
        return exec__window_cell(window, first, (uint32_t)to);
    return plan->argument_count > 2 ? exec__window_cell(window, first + 2, at->row)
                                    : value_null(plan->type);
}

static status_t frame_value(const struct partition *at, struct value *out, struct error *error)
{
    const struct window_function *plan = at->function->plan;
    uint32_t first = at->function->argument_first;
    uint32_t before = at->gap_start - at->frame_start;
    uint32_t size = before + at->has_row + (at->frame_end - at->gap_end);
    uint64_t nth = plan->kind == WINDOW_LAST_VALUE ? size : 1;
    *out = value_null(plan->type);
    if (plan->kind == WINDOW_NTH_VALUE) {
        struct value given = exec__window_cell(at->window, first + 1, at->row);
        if (given.null)
            return OK;
        if (given.as.integer <= 0)
            return error_sql(error, "22016", plan->arguments[1]->position,
                             "argument of nth_value must be greater than zero");
        nth = (uint64_t)given.as.integer;
    }
    if (size == 0 || nth > size)
        return OK;
    uint32_t place = (uint32_t)nth - 1;
    uint32_t row = at->frame_start + place;
    if (place >= before)
        row =
            at->has_row && place == before ? at->row : at->gap_end + (place - before - at->has_row);
    *out = exec__window_cell(at->window, first, row);
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
            exec__window_frame_move(at);
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
                               .row = first};
        exec__window_frame_begin(&at);
        status = window->functions[f].plan->kind == WINDOW_AGGREGATE ? run_aggregate(&at, error)
                                                                     : run_plain(&at, error);
    }
    return status;
}
