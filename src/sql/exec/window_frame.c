/* Frames of window functions: which rows of its partition a row's function looks at.
 *
 * Rows with equal keys are peers, and stand together. From row to row neither end of a frame moves
 * back, nor does what EXCLUDE takes out of it: so all are found by moving places forward, and none
 * is remembered: a GROUPS frame that ends with the third group ahead has a place of its own that
 * goes ahead by groups. RANGE with an offset compares keys with the row's own moved
 * by the offset; a key moved out of its type's range is before or behind all others. */
#include <math.h>

#include "sql/exec/window_int.h"

/* ---- keys moved by an offset ------------------------------------------------------------------
 */

struct moved {
    struct value value;
    int beyond; /* -1, 1: before or behind every key */
};

static void timestamp_move(const struct exec *exec, enum sql_type type, struct interval by,
                           int sign, struct moved *out)
{
    struct error ignored;
    int64_t us = out->value.as.integer;
    if (us == DATETIME_INFINITY || us == DATETIME_MINUS_INFINITY)
        return;
    if ((sign < 0 && interval_negate(by, &by, &ignored) != OK) ||
        exec__timestamp_add(exec, type, us, by, &out->value.as.integer, &ignored) != OK)
        out->beyond = sign;
}

/* A key as what it is compared as: a date as a timestamp, a real as a double. */
static struct value comparable(struct value key)
{
    struct error ignored;
    if (key.type == SQL_REAL)
        return value_double(key.as.real);
    if (key.type != SQL_DATE)
        return key;
    struct value out = {.type = SQL_TIMESTAMP};
    if (timestamp_from_date(key.as.integer, &out.as.integer, &ignored) != OK)
        out.as.integer = key.as.integer < 0 ? DATETIME_MINUS_INFINITY : DATETIME_INFINITY;
    return out;
}

static bool integer_move(int64_t *base, int64_t by, int sign)
{
    return sign > 0 ? !__builtin_add_overflow(*base, by, base)
                    : !__builtin_sub_overflow(*base, by, base);
}

/* base + sign * by. */
static struct moved key_move(const struct exec *exec, const struct value *base,
                             const struct value *by, int sign)
{
    struct moved out = {.value = comparable(*base)};
    struct value *value = &out.value;
    struct interval interval;
    struct error ignored;
    bool fits = true;
    switch (base->type) {
    case SQL_DATE:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        timestamp_move(exec, value->type, by->as.interval, sign, &out);
        return out;
    case SQL_TIME: /* past midnight is behind, not the next morning */
        fits = integer_move(&value->as.integer, by->as.interval.us, sign);
        break;
    case SQL_INTERVAL:
        interval = by->as.interval;
        fits = (sign > 0 || interval_negate(interval, &interval, &ignored) == OK) &&
               interval_add(value->as.interval, interval, &value->as.interval, &ignored) == OK;
        break;
    case SQL_NUMERIC:
        fits = sign > 0 ? numeric_add(base->as.numeric, by->as.numeric, &value->as.numeric)
                        : numeric_subtract(base->as.numeric, by->as.numeric, &value->as.numeric);
        break;
    case SQL_REAL:
    case SQL_DOUBLE:
        value->as.real += sign * by->as.real;
        break;
    default:
        ASSERT(base->type == SQL_INTEGER);
        fits = integer_move(&value->as.integer, by->as.integer, sign);
        break;
    }
    out.beyond = fits ? 0 : sign;
    return out;
}

/* ---- groups of peers ---------------------------------------------------------------------------
 */

static bool peers_equal(const struct window *window, const struct row_cursor *a, uint64_t a_row,
                        const struct row_cursor *b, uint64_t b_row)
{
    uint32_t a_place = exec__row_cursor_place(a, a_row);
    uint32_t b_place = exec__row_cursor_place(b, b_row);
    for (uint32_t c = window->key_first; c < window->key_first + window->key_count; c++) {
        if (!exec__entries_equal(exec__row_cursor_vector(a, c), a_place,
                                 exec__row_cursor_vector(b, c), b_place))
            return false;
    }
    return true;
}

void exec__window_edge_begin(struct window *window, struct window_edge *edge)
{
    edge->group = 0;
    edge->row = window->first;
}

/* From a group's first row to the next one's. */
static status_t edge_step(struct window *window, struct window_edge *edge, struct error *error)
{
    uint64_t first = edge->row;
    ASSERT(first >= window->first && first < window->end);
    edge->group++;
    if (window->key_count == 0) {
        edge->row = window->end;
        return OK;
    }
    status_t status = exec__row_cursor_seek(&edge->peer, first, error);
    for (edge->row++; status == OK && edge->row < window->end; edge->row++) {
        status = exec__pace(&window->pace, WINDOW_ROW_STEPS, error);
        if (status == OK)
            status = exec__row_cursor_seek(&edge->ahead, edge->row, error);
        if (status == OK && !peers_equal(window, &edge->peer, first, &edge->ahead, edge->row))
            break;
    }
    return status;
}

status_t exec__window_edge_move(struct window *window, struct window_edge *edge, uint64_t group,
                                struct error *error)
{
    status_t status = OK;
    while (edge->group < group && edge->row < window->end && status == OK)
        status = edge_step(window, edge, error);
    return status;
}

/* ---- offsets -----------------------------------------------------------------------------------
 */

/* Or has no place to end at: an infinite key moved by an infinite offset. Of a time of day only
 * the time of an interval counts (`key` is what RANGE moves). */
static bool is_negative(const struct value *offset, enum sql_type key)
{
    switch (offset->type) {
    case SQL_DOUBLE:
        return offset->as.real < 0 || !isfinite(offset->as.real);
    case SQL_NUMERIC:
        return numeric_compare(offset->as.numeric, numeric_from_integer(0)) < 0;
    case SQL_INTERVAL:
        return key == SQL_TIME ? offset->as.interval.us < 0
                               : interval_compare(offset->as.interval, (struct interval){0}) < 0;
    default:
        ASSERT(offset->type == SQL_INTEGER);
        return offset->as.integer < 0;
    }
}

/* `key` is SQL_UNKNOWN where it is not RANGE. */
static status_t offset_value(struct exec *exec, const struct expr *expr, const char *which,
                             enum sql_type key, struct value *out, struct error *error)
{
    if (!expr)
        return OK;
    status_t status = exec__expr_value(exec, expr, out, error);
    if (status != OK)
        return status;
    if (out->null)
        return error_sql(error, "22004", expr->position, "frame %s offset must not be null", which);
    bool negative = is_negative(out, key);
    if (negative && key != SQL_UNKNOWN)
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
        enum sql_type key = frame->mode == FRAME_RANGE && window->key_count > 0
                                ? window->op.plan->as.window.keys[0].expr->type
                                : SQL_UNKNOWN;
        status_t status = offset_value(window->op.exec, frame->start_offset, "starting", key,
                                       &function->offsets[0], error);
        if (status == OK)
            status = offset_value(window->op.exec, frame->end_offset, "ending", key,
                                  &function->offsets[1], error);
        if (status != OK)
            return status;
    }
    window->offsets_known = true;
    return OK;
}

/* ---- ends ---------------------------------------------------------------------------------------
 */

/* The end of a frame that is looked for. */
struct frame_end {
    enum frame_place place;
    const struct value *offset;
    bool past; /* the first row behind the frame, not its first row */
    struct window_edge *edge;
};

/* The first row from `from` on that is not before (`past`: that is behind) the current key moved by
 * the offset. Rows with NULL have only each other. */
static status_t range_place(struct window *window, const struct frame_end *end, uint64_t from,
                            uint64_t *out, struct error *error)
{
    const struct sort_key *key = &window->op.plan->as.window.keys[0];
    struct value base = exec__row_cursor_value(&window->here, window->key_first, window->row);
    *out = end->past ? window->group_end : window->group_start;
    if (base.null)
        return OK;
    bool down = (end->place == FRAME_PRECEDING) != key->descending;
    struct moved moved = key_move(window->op.exec, &base, end->offset, down ? -1 : 1);
    uint64_t row = from > window->valued_first ? from : window->valued_first;
    for (; row < window->end; row++) {
        status_t status = exec__pace(&window->pace, WINDOW_ROW_STEPS, error);
        if (status == OK)
            status = exec__row_cursor_seek(&end->edge->ahead, row, error);
        if (status != OK)
            return status;
        struct value value = exec__row_cursor_value(&end->edge->ahead, window->key_first, row);
        if (value.null)
            break; /* these stand behind */
        value = comparable(value);
        int order = moved.beyond ? -moved.beyond : value_compare(&value, &moved.value);
        order = key->descending ? -order : order;
        if (end->past ? order > 0 : order >= 0)
            break;
    }
    *out = row;
    return OK;
}

/* So many rows or groups from the current one; beyond either end of the partition it ends there. */
static status_t counted_place(struct window *window, const struct frame_end *end, bool rows,
                              uint64_t *out, struct error *error)
{
    uint64_t now = rows ? window->row - window->first : window->group;
    uint64_t by = (uint64_t)end->offset->as.integer;
    uint64_t count = window->end - window->first; /* groups are no more than rows */
    uint64_t to = 0;
    if (end->place == FRAME_FOLLOWING)
        to = now + (by < count ? by : count) + end->past;
    else if (by <= now + end->past)
        to = now + end->past - by;
    if (rows) {
        *out = window->first + (to < count ? to : count);
        return OK;
    }
    status_t status = exec__window_edge_move(window, end->edge, to, error);
    *out = end->edge->row;
    return status;
}

static status_t frame_place(struct window *window, enum frame_mode mode,
                            const struct frame_end *end, uint64_t from, uint64_t *out,
                            struct error *error)
{
    switch (end->place) {
    case FRAME_FIRST:
        *out = window->first;
        return OK;
    case FRAME_LAST:
        *out = window->end;
        return OK;
    case FRAME_CURRENT:
        *out = end->past ? window->group_end : window->group_start;
        if (mode == FRAME_ROWS)
            *out = window->row + end->past;
        return OK;
    default:
        if (mode == FRAME_RANGE)
            return range_place(window, end, from, out, error);
        return counted_place(window, end, mode == FRAME_ROWS, out, error);
    }
}

static uint64_t within_frame(const struct window_call *call, uint64_t row)
{
    return row < call->frame_start ? call->frame_start
           : row > call->frame_end ? call->frame_end
                                   : row;
}

static void gap_move(const struct window *window, struct window_call *call)
{
    enum frame_exclude exclude = call->plan->frame.exclude;
    uint64_t from = call->frame_end, to = call->frame_end;
    if (exclude == EXCLUDE_CURRENT) {
        from = window->row;
        to = window->row + 1;
    } else if (exclude != EXCLUDE_NOTHING) {
        from = window->group_start;
        to = window->group_end;
    }
    call->gap_start = within_frame(call, from);
    call->gap_end = within_frame(call, to);
    call->has_row = exclude == EXCLUDE_TIES && window->row >= call->frame_start &&
                    window->row < call->frame_end;
}

status_t exec__window_frame_move(struct window *window, struct window_call *call,
                                 struct error *error)
{
    const struct window_frame *frame = &call->plan->frame;
    struct frame_end first = {frame->start, &call->offsets[0], false, &call->edges[0]};
    struct frame_end last = {frame->end, &call->offsets[1], true, &call->edges[1]};
    uint64_t start, end;
    status_t status = frame_place(window, frame->mode, &first, call->frame_start, &start, error);
    if (status == OK)
        status = frame_place(window, frame->mode, &last, call->frame_end, &end, error);
    if (status != OK)
        return status;
    ASSERT(start >= call->frame_start && start <= window->end && end <= window->end);
    call->frame_start = start;
    call->frame_end = end > start ? end : start; /* it may end before it begins */
    gap_move(window, call);
    return OK;
}

void exec__window_frame_begin(struct window *window, struct window_call *call)
{
    call->frame_start = call->frame_end = window->first;
    call->gap_start = call->gap_end = window->first;
    for (int i = 0; i < 2; i++)
        exec__window_edge_begin(window, &call->edges[i]);
}
