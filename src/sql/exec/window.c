/* Window functions over rows that come sorted by their partitions, then their keys.
 *
 * Whole partitions are collected until there is a batch of rows, then every function is computed
 * for all of them, a partition at a time, and the rows go out as they lie in the collection with
 * the results beside them. Within a partition rows with equal keys are peers; `groups` has where
 * each group of peers begins.
 *
 * From row to row neither end of a frame moves back, so a frame is found by moving two places
 * forward, and an aggregate over it is a queue: rows come in at the end and leave at the start. It
 * is kept as two stacks, the way a queue is made of two (Tangwongsan, Hirzel, Schneider, "In-Order
 * Sliding-Window Aggregation in Worst-Case Constant Time", 2017, section 2): `tail` has all rows
 * from `middle` on; fronts[i] has rows i to middle. The result is the two merged. When the start
 * reaches the middle the rows there are are turned over into fronts. So each row is taken in at
 * most twice, whatever the frame, and no aggregate needs to be undone. What cannot be merged
 * (string_agg) is begun anew when its frame's start moves. */
#include "base/mem.h"
#include "sql/exec/exec_int.h"

#include <math.h>
#include <string.h>

/* One function's part of the work. */
struct function {
    const struct window_function *plan;
    uint32_t argument_first; /* its arguments' columns of the collection */
    uint32_t separator;      /* columns, of an aggregate; NOTHING: it has none */
    uint32_t filter;
    struct value offsets[2]; /* of the frame's start and end */
};
enum { NOTHING = UINT32_MAX };

struct window {
    struct operator op;
    struct collection rows; /* input columns, partitions, keys, then arguments of all functions */
    uint32_t input_columns;
    uint32_t partition_first;
    uint32_t partition_count;
    uint32_t key_first;
    uint32_t key_count;
    struct eval **extra;
    uint32_t extra_count;
    const struct vector **columns;
    struct arena scratch;
    struct function *functions;
    uint32_t function_count;
    bool offsets_known;
    bool input_done;
    struct batch *in; /* what is left of the input batch, from in_at on */
    uint32_t in_at;
    uint32_t *taken;
    uint32_t *starts; /* of the partitions in the collection */
    uint32_t start_count;
    uint32_t start_capacity;
    uint32_t *groups; /* of one partition: first row of each group of peers, then its end */
    uint32_t group_count;
    uint32_t group_capacity;
    struct arena results_arena;
    struct batch **results; /* by chunk of the collection */
    struct aggregate_state *fronts;
    uint32_t front_capacity;
    struct arena texts; /* of states */
    size_t charged;
    uint32_t chunk; /* next to give out */
    uint32_t chunk_row;
    uint32_t *selection;
    struct batch out;
};

/* A partition being worked on, and where the function's frame is. */
struct partition {
    struct window *window;
    const struct function *function;
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
static status_t charge(struct window *window, struct error *error)
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
    window->group_count = 0;
    for (uint32_t row = first; row < end; row++) {
        if (row > first && rows_equal(window, window->key_first, window->key_count, row - 1, row))
            continue;
        window->groups = vec_grow(window->groups, &window->group_capacity, window->group_count + 2,
                                  sizeof *window->groups);
        window->groups[window->group_count++] = row;
    }
    window->groups[window->group_count] = end;
    return charge(window, error);
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

static status_t offsets_find(struct window *window, struct error *error)
{
    for (uint32_t f = 0; f < window->function_count && !window->offsets_known; f++) {
        struct function *function = &window->functions[f];
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
    const struct function *function = at->function;
    const struct aggregate *aggregate = &function->plan->aggregate;
    uint32_t place = row % BATCH_ROWS_MAX;
    struct aggregate_intake intake = {.rows = &place, .count = 1};
    if (function->filter != NOTHING) {
        struct value passes = cell(window, function->filter, row);
        if (passes.null || !passes.as.boolean)
            return OK;
    }
    if (aggregate->argument) {
        intake.values = exec__collection_vector(&window->rows, function->argument_first, row);
        if (vector_is_null(intake.values, place))
            return OK;
    }
    if (function->separator != NOTHING)
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
    status_t status = charge(window, error);
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
    uint32_t last_start = NOTHING;
    uint32_t last_end = 0;
    struct value value = value_null(at->function->plan->type);
    for (; at->row < at->end; row_advance(at)) {
        frame_move(at);
        if (at->frame_start != last_start || at->frame_end != last_end) {
            status_t status = slide(at, &sliding, &front_base, error);
            if (status == OK)
                status = slid_result(at, &sliding, front_base, &value, error);
            if (status == OK && at->row % 64 == 0)
                status = charge(window, error);
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

static status_t partition_run(struct window *window, uint32_t first, uint32_t end,
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

/* Computes all partitions that are collected. */
static status_t rows_run(struct window *window, struct error *error)
{
    const struct plan *plan = window->op.plan;
    uint32_t chunks = window->rows.chunk_count;
    const enum sql_type *types = plan->types + window->input_columns;
    status_t status = offsets_find(window, error);
    arena_reset(&window->results_arena);
    window->results = arena_alloc(&window->results_arena, chunks * sizeof(struct batch *));
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t rows = window->rows.chunks[i]->row_count;
        window->results[i] =
            batch_create(&window->results_arena, types, window->function_count, rows);
    }
    for (uint32_t p = 0; p < window->start_count && status == OK; p++) {
        bool last = p + 1 == window->start_count;
        status = partition_run(window, window->starts[p],
                               last ? window->rows.row_count : window->starts[p + 1], error);
    }
    window->chunk = window->chunk_row = 0;
    return status == OK ? charge(window, error) : status;
}

/* ---- collecting ---------------------------------------------------------------------------------
 */

static status_t batch_take(struct window *window, struct error *error)
{
    status_t status = exec__operator_next(window->op.left, &window->in, error);
    window->in_at = 0;
    if (status != OK || !window->in) {
        window->input_done = status == OK;
        return status;
    }
    arena_reset(&window->scratch);
    for (uint32_t c = 0; c < window->input_columns; c++)
        window->columns[c] = &window->in->columns[c];
    for (uint32_t i = 0; i < window->extra_count && status == OK; i++)
        status = exec__eval_column(window->extra[i], window->in,
                                   &window->columns[window->input_columns + i], error);
    return status;
}

/* Is a row of the input batch of another partition than the one before it, which is the last one
 * collected (NOTHING), or another row of the batch? */
static bool begins_partition(const struct window *window, uint32_t before, uint32_t row)
{
    for (uint32_t i = 0; i < window->partition_count; i++) {
        uint32_t column = window->partition_first + i;
        const struct vector *vector = window->columns[column];
        const struct vector *other = vector;
        uint32_t other_row = before;
        if (before == NOTHING) {
            uint32_t last = window->rows.row_count - 1;
            other = exec__collection_vector(&window->rows, column, last);
            other_row = last % BATCH_ROWS_MAX;
        }
        if (!exec__entries_equal(other, other_row, vector, row))
            return true;
    }
    return false;
}

/* Takes rows of the input batch; *full: enough partitions are whole. */
static status_t rows_take(struct window *window, bool *full, struct error *error)
{
    uint32_t count = 0;
    uint32_t before = NOTHING;
    while (window->in_at < window->in->selected && !*full) {
        uint32_t row = batch_row(window->in, window->in_at);
        bool none = window->rows.row_count + count == 0;
        if (none || begins_partition(window, before, row)) {
            *full = window->rows.row_count + count >= BATCH_ROWS_MAX;
            if (*full)
                break;
            window->starts = vec_grow(window->starts, &window->start_capacity,
                                      window->start_count + 1, sizeof *window->starts);
            window->starts[window->start_count++] = window->rows.row_count + count;
        }
        window->taken[count++] = row;
        before = row;
        window->in_at++;
    }
    return exec__collection_append(&window->rows, window->columns, window->taken, count, error);
}

/* The next partitions; no rows at the end. */
static status_t partitions_take(struct window *window, struct error *error)
{
    bool full = false;
    exec__collection_free(&window->rows);
    window->start_count = 0;
    while (!full && !window->input_done) {
        status_t status = OK;
        if (!window->in || window->in_at == window->in->selected)
            status = batch_take(window, error);
        else
            status = rows_take(window, &full, error);
        if (status != OK)
            return status;
    }
    return window->rows.row_count > 0 ? rows_run(window, error) : OK;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

static status_t window_next(struct operator* op, struct batch **out, struct error *error)
{
    struct window *window = (struct window *)op;
    if (window->chunk == window->rows.chunk_count) {
        status_t status = partitions_take(window, error);
        if (status != OK || window->rows.row_count == 0)
            return status;
    }
    const struct batch *rows = window->rows.chunks[window->chunk];
    const struct batch *results = window->results[window->chunk];
    for (uint32_t c = 0; c < window->input_columns; c++)
        window->out.columns[c] = rows->columns[c];
    for (uint32_t f = 0; f < window->function_count; f++)
        window->out.columns[window->input_columns + f] = results->columns[f];
    uint32_t count = rows->row_count - window->chunk_row;
    count = count < op->exec->batch_rows ? count : op->exec->batch_rows;
    for (uint32_t i = 0; i < count; i++)
        window->selection[i] = window->chunk_row + i;
    window->out.row_count = rows->row_count;
    window->out.selection = window->selection;
    window->out.selected = count;
    window->chunk_row += count;
    if (window->chunk_row == rows->row_count) {
        window->chunk++;
        window->chunk_row = 0;
    }
    *out = &window->out;
    return OK;
}

static void window_close(struct operator* op)
{
    struct window *window = (struct window *)op;
    exec__collection_free(&window->rows);
    exec__memory_release(op->exec, window->charged);
    window->charged = 0;
    arena_free(&window->scratch);
    arena_free(&window->results_arena);
    arena_free(&window->texts);
    mem_free(window->starts);
    mem_free(window->groups);
    mem_free(window->fronts);
    window->starts = window->groups = NULL;
    window->fronts = NULL;
}

static const struct operator_ops window_ops = {window_next, window_close};

/* The expressions evaluated for each row, and where each function finds its own. */
static uint32_t extra_exprs(struct window *window, struct expr **exprs)
{
    const struct plan *plan = window->op.plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->as.window.partition_count; i++)
        exprs[count++] = plan->as.window.partitions[i];
    for (uint32_t i = 0; i < plan->as.window.key_count; i++)
        exprs[count++] = plan->as.window.keys[i].expr;
    for (uint32_t f = 0; f < window->function_count; f++) {
        struct function *function = &window->functions[f];
        const struct aggregate *aggregate = &function->plan->aggregate;
        function->argument_first = window->input_columns + count;
        function->separator = function->filter = NOTHING;
        for (uint32_t i = 0; i < function->plan->argument_count; i++)
            exprs[count++] = function->plan->arguments[i];
        if (aggregate->argument)
            exprs[count++] = aggregate->argument;
        if (aggregate->separator) {
            function->separator = window->input_columns + count;
            exprs[count++] = aggregate->separator;
        }
        if (aggregate->filter) {
            function->filter = window->input_columns + count;
            exprs[count++] = aggregate->filter;
        }
    }
    return count;
}

status_t exec__window_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    struct window *window = exec__operator_create(exec, plan, &window_ops, sizeof *window);
    *out = &window->op;
    window->function_count = plan->as.window.function_count;
    window->input_columns = plan->left->column_count;
    window->partition_count = plan->as.window.partition_count;
    window->partition_first = window->input_columns;
    window->key_first = window->partition_first + window->partition_count;
    window->key_count = plan->as.window.key_count;
    window->functions =
        arena_zalloc(exec->arena, window->function_count * sizeof *window->functions);
    for (uint32_t f = 0; f < window->function_count; f++)
        window->functions[f].plan = &plan->as.window.functions[f];
    uint32_t most = window->partition_count + window->key_count + 3 * window->function_count;
    struct expr **exprs = arena_alloc(exec->arena, (most + 1) * sizeof(struct expr *));
    window->extra_count = extra_exprs(window, exprs);
    ASSERT(window->extra_count <= most);
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(exec, plan->left, exprs, window->extra_count, &types, &stable);
    uint32_t columns = window->input_columns + window->extra_count;
    exec__collection_init(&window->rows, exec, types, stable, columns);
    window->columns = arena_alloc(exec->arena, (columns + 1) * sizeof *window->columns);
    window->taken = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    window->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    window->out.column_count = plan->column_count;
    window->out.columns = arena_zalloc(exec->arena, plan->column_count * sizeof(struct vector));
    status_t status = exec__eval_compile_all(exec, exprs, window->extra_count, &window->scratch,
                                             &window->extra, error);
    return status == OK ? exec__operator_open(exec, plan->left, &window->op.left, error) : status;
}
