/* Aggregates over frames.
 *
 * From row to row neither end of a frame moves back (window_frame.c), so an aggregate over it is a
 * queue: rows come in at the end and leave at the start. It is kept as two stacks, the way a queue
 * is made of two (Tangwongsan, Hirzel, Schneider, "In-Order Sliding-Window Aggregation in
 * Worst-Case Constant Time", 2017, section 2): `tail` has all rows from `middle` on, and the front
 * of row i has rows i to middle. The result is the two merged. When the start reaches the middle
 * the rows there are are turned over into fronts, the last one first.
 *
 * Fronts are made of so many rows at a time (`front_rows`), counted from the middle. Of the others
 * only the state of all rows behind is kept, as a mark in a row store, and when the start comes to
 * them their fronts are made again from their mark. So each row is taken in at most three times,
 * whatever the frame, no aggregate needs to be undone, and memory does not grow with the frame.
 * What cannot be merged (string_agg) is begun anew when its frame's start moves. A frame with
 * EXCLUDE is two such queues, before and behind what is taken out. */
#include "sql/exec/window_int.h"

#include <string.h>

#include "base/mem.h"
#include "sql/exec/spill_int.h"

static const enum sql_type mark_types[] = {SQL_BYTEA};

/* Of what the operator may hold. */
enum { MARKS_SHARE = 8, FRONTS_SHARE = 32, FRONTS_MIN = 64, FRONTS_MAX = 4096 };

/* ---- states -----------------------------------------------------------------------------------
 */

static status_t take_row(struct window *window, struct window_call *call, struct row_cursor *cursor,
                         uint64_t row, struct aggregate_state *state, struct arena *texts,
                         struct error *error)
{
    const struct aggregate *aggregate = &call->plan->aggregate;
    status_t status = exec__pace(&window->pace, WINDOW_ROW_STEPS, error);
    if (status == OK)
        status = exec__row_cursor_seek(cursor, row, error);
    if (status != OK)
        return status;
    uint32_t place = exec__row_cursor_place(cursor, row);
    struct aggregate_intake intake = {.rows = &place, .count = 1};
    if (call->filter != WINDOW_NOTHING) {
        const struct vector *passes = exec__row_cursor_vector(cursor, call->filter);
        if (vector_is_null(passes, place) || !passes->as.booleans[place])
            return OK;
    }
    if (aggregate->argument) {
        intake.values = exec__row_cursor_vector(cursor, call->argument_first);
        if (vector_is_null(intake.values, place))
            return OK;
    }
    if (call->separator != WINDOW_NOTHING)
        intake.separators = exec__row_cursor_vector(cursor, call->separator);
    return exec__states_take(aggregate, state, &intake, texts, error);
}

/* ---- fronts -----------------------------------------------------------------------------------
 */

static status_t mark_put(const struct window_call *call, struct sliding *sliding,
                         const struct aggregate_state *state, struct error *error)
{
    struct vector vector;
    struct arena arena = {0};
    const struct vector *column = &vector;
    struct slice beside = exec__state_beside(&call->plan->aggregate, state);
    vector_init(&vector, &arena, SQL_BYTEA, 1);
    uint8_t *bytes = arena_alloc(&arena, sizeof *state + beside.size);
    memcpy(bytes, state, sizeof *state);
    if (beside.size > 0)
        memcpy(bytes + sizeof *state, beside.data, beside.size);
    vector.as.texts[0] = slice_make(bytes, sizeof *state + beside.size);
    status_t status = exec__row_store_append(&sliding->marks, &column, NULL, 1, error);
    arena_free(&arena);
    return status;
}

/* What it holds is among what the fronts hold. */
static status_t mark_get(const struct window_call *call, struct sliding *sliding, uint64_t number,
                         struct aggregate_state *state, struct error *error)
{
    status_t status = exec__row_cursor_seek(&sliding->mark, number, error);
    if (status != OK)
        return status;
    struct slice bytes = exec__row_cursor_value(&sliding->mark, 0, number).as.text;
    ASSERT(bytes.size >= sizeof *state);
    memcpy(state, bytes.data, sizeof *state);
    exec__state_restore(&call->plan->aggregate, state,
                        slice_make(bytes.data + sizeof *state, bytes.size - sizeof *state),
                        &sliding->front_texts);
    return OK;
}

/* Makes the fronts from row `first` to `end`, where a mark is unless it is the middle. */
static status_t fronts_make(struct window *window, struct window_call *call,
                            struct sliding *sliding, uint64_t first, uint64_t end,
                            struct error *error)
{
    const struct aggregate *aggregate = &call->plan->aggregate;
    struct aggregate_state next = {0};
    status_t status = OK;
    ASSERT(first < end && end - first <= sliding->front_rows && end <= sliding->middle);
    arena_reset(&sliding->front_texts);
    if (end < sliding->middle)
        status = mark_get(call, sliding, (sliding->middle - end) / sliding->front_rows - 1, &next,
                          error);
    sliding->fronts = vec_grow(sliding->fronts, &sliding->front_capacity, (uint32_t)(end - first),
                               sizeof *sliding->fronts);
    for (uint64_t row = end; row-- > first && status == OK;) {
        struct aggregate_state state = {0};
        status =
            take_row(window, call, &sliding->turned, row, &state, &sliding->front_texts, error);
        if (status == OK)
            status = exec__state_merge(aggregate, &state, &next, &sliding->front_texts, error);
        sliding->fronts[row - first] = next = state;
    }
    sliding->front_first = first;
    sliding->front_end = end;
    return status;
}

/* All rows that are in move to the fronts; those of the first of them are made at the end. */
static status_t turn_over(struct window *window, struct window_call *call, struct sliding *sliding,
                          struct error *error)
{
    status_t status = OK;
    ASSERT(sliding->start < sliding->end);
    exec__row_cursor_reset(&sliding->mark);
    exec__row_store_clear(&sliding->marks);
    sliding->middle = sliding->end;
    arena_reset(&sliding->tail_texts);
    sliding->tail = (struct aggregate_state){0};
    for (uint64_t end = sliding->middle;; end -= sliding->front_rows) {
        bool last = end - sliding->start <= sliding->front_rows;
        uint64_t first = last ? sliding->start : end - sliding->front_rows;
        status = fronts_make(window, call, sliding, first, end, error);
        if (status != OK || last)
            return status;
        status = mark_put(call, sliding, &sliding->fronts[0], error);
        if (status != OK)
            return status;
    }
}

/* ---- sliding ----------------------------------------------------------------------------------
 */

static void sliding_empty(struct sliding *sliding, uint64_t row)
{
    arena_reset(&sliding->tail_texts);
    sliding->tail = (struct aggregate_state){0};
    sliding->start = sliding->middle = sliding->end = row;
    sliding->front_first = sliding->front_end = row;
}

/* The rows from `start` to `end` are in. */
static status_t slide(struct window *window, struct window_call *call, struct sliding *sliding,
                      uint64_t start, uint64_t end, struct error *error)
{
    status_t status = OK;
    ASSERT(start <= end && start >= sliding->start);
    bool moved = start != sliding->start;
    if (start >= sliding->end || (moved && !exec__state_can_merge(&call->plan->aggregate))) {
        sliding_empty(sliding, start); /* nothing of it stays */
    } else if (moved) {
        sliding->start = start;
        if (start >= sliding->middle) {
            status = turn_over(window, call, sliding, error);
        } else if (start >= sliding->front_end) {
            uint64_t behind =
                (sliding->middle - start - 1) / sliding->front_rows * sliding->front_rows;
            status = fronts_make(window, call, sliding, start, sliding->middle - behind, error);
        }
    }
    for (; sliding->end < end && status == OK; sliding->end++)
        status = take_row(window, call, &sliding->in, sliding->end, &sliding->tail,
                          &sliding->tail_texts, error);
    return status;
}

/* Of all rows that are in. It is not to be changed unless it is a copy, which holds nothing that is
 * the sliding's. */
static status_t slid_state(struct window_call *call, const struct sliding *sliding, bool copy,
                           struct aggregate_state *out, struct error *error)
{
    const struct aggregate *aggregate = &call->plan->aggregate;
    status_t status = OK;
    *out = sliding->tail;
    if (sliding->start >= sliding->middle && !copy)
        return OK;
    *out = (struct aggregate_state){0};
    if (sliding->start < sliding->middle) {
        ASSERT(sliding->start >= sliding->front_first && sliding->start < sliding->front_end);
        const struct aggregate_state *front =
            &sliding->fronts[sliding->start - sliding->front_first];
        status = exec__state_merge(aggregate, out, front, &call->texts, error);
    }
    return status == OK ? exec__state_merge(aggregate, out, &sliding->tail, &call->texts, error)
                        : status;
}

/* ---- frames -----------------------------------------------------------------------------------
 */

/* What cannot be merged, of a frame that rows are taken out of: all of it, in order. */
static status_t whole_state(struct window *window, struct window_call *call,
                            struct aggregate_state *out, struct error *error)
{
    status_t status = OK;
    *out = (struct aggregate_state){0};
    for (uint64_t row = call->frame_start; row < call->frame_end && status == OK; row++) {
        bool taken_out = row >= call->gap_start && row < call->gap_end;
        if (taken_out && !(row == window->row && call->has_row))
            continue;
        status = take_row(window, call, &call->other, row, out, &call->texts, error);
    }
    return status;
}

/* The frame's rows but those taken out. */
static status_t parted_state(struct window *window, struct window_call *call,
                             struct aggregate_state *out, struct error *error)
{
    const struct aggregate *aggregate = &call->plan->aggregate;
    struct sliding *slidings = call->slidings;
    struct aggregate_state behind;
    if (!exec__state_can_merge(aggregate))
        return whole_state(window, call, out, error);
    status_t status = slide(window, call, &slidings[0], call->frame_start, call->gap_start, error);
    if (status == OK)
        status = slide(window, call, &slidings[1], call->gap_end, call->frame_end, error);
    if (status == OK)
        status = slid_state(call, &slidings[0], true, out, error);
    if (status == OK)
        status = slid_state(call, &slidings[1], false, &behind, error);
    if (status == OK && call->has_row)
        status = take_row(window, call, &call->other, window->row, out, &call->texts, error);
    return status == OK ? exec__state_merge(aggregate, out, &behind, &call->texts, error) : status;
}

status_t exec__window_aggregate_value(struct window *window, struct window_call *call,
                                      struct value *out, struct error *error)
{
    bool parted = call->plan->frame.exclude != EXCLUDE_NOTHING;
    bool same = call->has_value && !parted && call->value_start == call->frame_start &&
                call->value_end == call->frame_end;
    struct aggregate_state state;
    status_t status = OK;
    if (same) {
        *out = call->value;
        return OK;
    }
    arena_reset(&call->texts);
    if (parted)
        status = parted_state(window, call, &state, error);
    else
        status = slide(window, call, &call->slidings[0], call->frame_start, call->frame_end, error);
    if (status == OK && !parted)
        status = slid_state(call, &call->slidings[0], false, &state, error);
    if (status == OK)
        status = exec__state_result(&call->plan->aggregate, &state, out, error);
    if (status != OK)
        return status;
    if (!out->null && type_is_slice(out->type))
        out->as.text = arena_copy(&window->results_texts, out->as.text);
    call->value = *out;
    call->value_start = call->frame_start;
    call->value_end = call->frame_end;
    call->has_value = true;
    return OK;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

void exec__window_aggregate_open(struct window *window, struct window_call *call)
{
    struct exec *exec = window->op.exec;
    size_t rows = exec__work_memory(exec) / FRONTS_SHARE / sizeof(struct aggregate_state);
    if (type_is_slice(call->plan->type))
        rows = FRONTS_MIN; /* each may be long */
    for (int i = 0; i < 2; i++) {
        struct sliding *sliding = &call->slidings[i];
        sliding->front_rows = rows < FRONTS_MIN   ? FRONTS_MIN
                              : rows > FRONTS_MAX ? FRONTS_MAX
                                                  : (uint32_t)rows;
        exec__row_store_init(&sliding->marks, exec, mark_types, NULL, 1,
                             exec__work_memory(exec) / MARKS_SHARE);
        exec__row_cursor_init(&sliding->mark, &sliding->marks);
        exec__row_cursor_init(&sliding->in, &window->rows);
        exec__row_cursor_init(&sliding->turned, &window->rows);
    }
}

void exec__window_aggregate_begin(struct window *window, struct window_call *call)
{
    for (int i = 0; i < 2; i++)
        sliding_empty(&call->slidings[i], window->first);
    call->has_value = false;
}

size_t exec__window_aggregate_memory(const struct window_call *call)
{
    size_t size = call->texts.used;
    for (int i = 0; i < 2; i++) {
        const struct sliding *sliding = &call->slidings[i];
        size += sliding->tail_texts.used + sliding->front_texts.used +
                sliding->front_capacity * sizeof *sliding->fronts;
    }
    return size;
}

void exec__window_aggregate_close(struct window_call *call)
{
    for (int i = 0; i < 2; i++) {
        struct sliding *sliding = &call->slidings[i];
        exec__row_cursor_free(&sliding->mark);
        exec__row_cursor_free(&sliding->in);
        exec__row_cursor_free(&sliding->turned);
        exec__row_store_clear(&sliding->marks);
        arena_free(&sliding->tail_texts);
        arena_free(&sliding->front_texts);
        mem_free(sliding->fronts);
        sliding->fronts = NULL;
        sliding->front_capacity = 0;
    }
    arena_free(&call->texts);
}
