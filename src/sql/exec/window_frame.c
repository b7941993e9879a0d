/* Frames of window functions: which rows of its partition a row's function looks at.
 *
 * From row to row neither end of a frame moves back, nor does what EXCLUDE takes out of it: so both
 * are found by moving places forward. RANGE with an offset compares keys with the row's own moved
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
        fits = !__builtin_add_overflow(value->as.integer, sign * by->as.interval.us,
                                       &value->as.integer);
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
        fits = sign > 0
                   ? !__builtin_add_overflow(base->as.integer, by->as.integer, &value->as.integer)
                   : !__builtin_sub_overflow(base->as.integer, by->as.integer, &value->as.integer);
        break;
    }
    out.beyond = fits ? 0 : sign;
    return out;
}

/* ---- ends ---------------------------------------------------------------------------------------
 */

/* The first row from `place` on that is not before (`past`: that is behind) the current key moved
 * by the offset. Rows with NULL have only each other. */
static uint32_t range_place(const struct partition *at, enum frame_place place, uint32_t from,
                            const struct value *offset, bool past)
{
    const struct window *window = at->window;
    const struct sort_key *key = &window->op.plan->as.window.keys[0];
    struct value base = exec__window_cell(window, window->key_first, at->row);
    if (base.null)
        return window->groups[past ? at->group + 1 : at->group];
    bool down = (place == FRAME_PRECEDING) != key->descending;
    struct moved moved = key_move(window->op.exec, &base, offset, down ? -1 : 1);
    uint32_t row = from > at->valued_first ? from : at->valued_first;
    for (; row < at->valued_end; row++) {
        struct value value = comparable(exec__window_cell(window, window->key_first, row));
        int order = moved.beyond ? -moved.beyond : value_compare(&value, &moved.value);
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

static uint32_t within_frame(const struct partition *at, uint32_t row)
{
    return row < at->frame_start ? at->frame_start : row > at->frame_end ? at->frame_end : row;
}

static void gap_move(struct partition *at, enum frame_exclude exclude)
{
    const uint32_t *groups = at->window->groups;
    uint32_t from = at->frame_end, to = at->frame_end;
    if (exclude == EXCLUDE_CURRENT) {
        from = at->row;
        to = at->row + 1;
    } else if (exclude != EXCLUDE_NOTHING) {
        from = groups[at->group];
        to = groups[at->group + 1];
    }
    at->gap_start = within_frame(at, from);
    at->gap_end = within_frame(at, to);
    at->has_row = exclude == EXCLUDE_TIES && at->row >= at->frame_start && at->row < at->frame_end;
}

void exec__window_frame_move(struct partition *at)
{
    const struct window_frame *frame = &at->function->plan->frame;
    const struct value *offsets = at->function->offsets;
    uint32_t start = frame_place(at, frame->start, at->frame_start, &offsets[0], false);
    uint32_t end = frame_place(at, frame->end, at->frame_end, &offsets[1], true);
    ASSERT(start >= at->frame_start);
    at->frame_start = start;
    at->frame_end = end > start ? end : start; /* it may end before it begins */
    gap_move(at, frame->exclude);
}

/* Rows without a key stand together at one end. */
void exec__window_frame_begin(struct partition *at)
{
    const struct window *window = at->window;
    at->frame_start = at->frame_end = at->gap_start = at->gap_end = at->first;
    at->valued_first = at->first;
    at->valued_end = at->end;
    if (window->key_count == 0)
        return;
    uint32_t last = window->groups[window->group_count - 1];
    if (exec__window_cell(window, window->key_first, at->first).null)
        at->valued_first = window->groups[1];
    else if (exec__window_cell(window, window->key_first, last).null)
        at->valued_end = last;
}
