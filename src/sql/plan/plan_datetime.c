/* Dates and times: their operators and functions, and literals that mean something else each day.
 *
 * An operator is found as PostgreSQL finds it: a literal without a type is first taken for what
 * stands on the other side, and then for the only thing that could stand there. What can be written
 * in two orders (1 + date, 2 * interval) is planned in one, with the date or interval first. */
#include <string.h>

#include "sql/plan/plan_int.h"

#define B     SQL_BOOLEAN
#define I     SQL_INTEGER
#define D     SQL_DOUBLE
#define T     SQL_TEXT
#define N     SQL_NUMERIC
#define DATE  SQL_DATE
#define TIME  SQL_TIME
#define STAMP SQL_TIMESTAMP
#define ZONED SQL_TIMESTAMPTZ
#define SPAN  SQL_INTERVAL

/* Of two that fit alike the first counts: a date becomes a timestamp with time zone where it has to
 * become one of both, as in PostgreSQL. */
static const struct function functions[] = {
    {"age", CALL_AGE, SPAN, 1, 2, {ZONED, ZONED}},
    {"age", CALL_AGE, SPAN, 1, 2, {STAMP, STAMP}},
    {"clock_timestamp", CALL_CLOCK_TIMESTAMP, ZONED, 0, 0, {0}},
    {"current_date", CALL_NOW, DATE, 0, 0, {0}},
    {"current_time", CALL_NOW, TIME, 0, 0, {0}},
    {"current_timestamp", CALL_NOW, ZONED, 0, 0, {0}},
    {"date_add", CALL_ADD, ZONED, 2, 2, {ZONED, SPAN}},
    {"date_subtract", CALL_SUBTRACT, ZONED, 2, 2, {ZONED, SPAN}},
    {"date_bin", CALL_DATE_BIN, ZONED, 3, 3, {SPAN, ZONED, ZONED}},
    {"date_bin", CALL_DATE_BIN, STAMP, 3, 3, {SPAN, STAMP, STAMP}},
    {"date_part", CALL_DATE_PART, D, 2, 2, {T, ZONED}},
    {"date_part", CALL_DATE_PART, D, 2, 2, {T, STAMP}},
    {"date_part", CALL_DATE_PART, D, 2, 2, {T, DATE}},
    {"date_part", CALL_DATE_PART, D, 2, 2, {T, TIME}},
    {"date_part", CALL_DATE_PART, D, 2, 2, {T, SPAN}},
    {"date_trunc", CALL_DATE_TRUNC, ZONED, 2, 2, {T, ZONED}},
    {"date_trunc", CALL_DATE_TRUNC, STAMP, 2, 2, {T, STAMP}},
    {"date_trunc", CALL_DATE_TRUNC, SPAN, 2, 2, {T, SPAN}},
    {"extract", CALL_EXTRACT, N, 2, 2, {T, ZONED}},
    {"extract", CALL_EXTRACT, N, 2, 2, {T, STAMP}},
    {"extract", CALL_EXTRACT, N, 2, 2, {T, DATE}},
    {"extract", CALL_EXTRACT, N, 2, 2, {T, TIME}},
    {"extract", CALL_EXTRACT, N, 2, 2, {T, SPAN}},
    {"isfinite", CALL_ISFINITE, B, 1, 1, {ZONED}},
    {"isfinite", CALL_ISFINITE, B, 1, 1, {STAMP}},
    {"isfinite", CALL_ISFINITE, B, 1, 1, {DATE}},
    {"isfinite", CALL_ISFINITE, B, 1, 1, {SPAN}},
    {"justify_days", CALL_JUSTIFY_DAYS, SPAN, 1, 1, {SPAN}},
    {"justify_hours", CALL_JUSTIFY_HOURS, SPAN, 1, 1, {SPAN}},
    {"justify_interval", CALL_JUSTIFY_INTERVAL, SPAN, 1, 1, {SPAN}},
    {"localtime", CALL_NOW, TIME, 0, 0, {0}},
    {"localtimestamp", CALL_NOW, STAMP, 0, 0, {0}},
    {"make_date", CALL_MAKE_DATE, DATE, 3, 3, {I, I, I}},
    {"make_interval", CALL_MAKE_INTERVAL, SPAN, 0, 7, {I, I, I, I, I, I, D}},
    {"make_time", CALL_MAKE_TIME, TIME, 3, 3, {I, I, D}},
    {"make_timestamp", CALL_MAKE_TIMESTAMP, STAMP, 6, 6, {I, I, I, I, I, D}},
    {"make_timestamptz", CALL_MAKE_TIMESTAMP, ZONED, 6, 7, {I, I, I, I, I, D, T}},
    {"now", CALL_NOW, ZONED, 0, 0, {0}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {ZONED, ZONED, ZONED, ZONED}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {STAMP, STAMP, STAMP, STAMP}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {ZONED, SPAN, ZONED, SPAN}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {ZONED, SPAN, ZONED, ZONED}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {ZONED, ZONED, ZONED, SPAN}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {STAMP, SPAN, STAMP, SPAN}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {STAMP, SPAN, STAMP, STAMP}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {STAMP, STAMP, STAMP, SPAN}},
    {"overlaps", CALL_OVERLAPS, B, 4, 4, {TIME, TIME, TIME, TIME}},
    {"statement_timestamp", CALL_STATEMENT_TIMESTAMP, ZONED, 0, 0, {0}},
    {"timezone", CALL_TIMEZONE, STAMP, 2, 2, {T, ZONED}},
    {"timezone", CALL_TIMEZONE, ZONED, 2, 2, {T, STAMP}},
    {"timezone", CALL_TIMEZONE, STAMP, 2, 2, {SPAN, ZONED}},
    {"timezone", CALL_TIMEZONE, ZONED, 2, 2, {SPAN, STAMP}},
    {"to_char", CALL_TO_CHAR, T, 2, 2, {ZONED, T}},
    {"to_char", CALL_TO_CHAR, T, 2, 2, {STAMP, T}},
    {"to_char", CALL_TO_CHAR, T, 2, 2, {SPAN, T}},
    {"to_date", CALL_TO_DATE, DATE, 2, 2, {T, T}},
    {"to_timestamp", CALL_TO_TIMESTAMP, ZONED, 1, 1, {D}},
    {"to_timestamp", CALL_TO_TIMESTAMP, ZONED, 2, 2, {T, T}},
    {"transaction_timestamp", CALL_NOW, ZONED, 0, 0, {0}},
};

const struct function *plan__datetime_functions(uint32_t *count)
{
    *count = sizeof functions / sizeof *functions;
    return functions;
}

/* ---- operators ------------------------------------------------------------------------------- */

struct operator_row {
    enum expr_call call;
    enum sql_type left;
    enum sql_type right;
    enum sql_type result;
};

static const struct operator_row operators[] = {
    {CALL_ADD, DATE, I, DATE},           {CALL_ADD, DATE, TIME, STAMP},
    {CALL_ADD, TIME, SPAN, TIME},        {CALL_ADD, STAMP, SPAN, STAMP},
    {CALL_ADD, ZONED, SPAN, ZONED},      {CALL_ADD, SPAN, SPAN, SPAN},
    {CALL_SUBTRACT, DATE, I, DATE},      {CALL_SUBTRACT, DATE, DATE, I},
    {CALL_SUBTRACT, TIME, SPAN, TIME},   {CALL_SUBTRACT, TIME, TIME, SPAN},
    {CALL_SUBTRACT, STAMP, SPAN, STAMP}, {CALL_SUBTRACT, STAMP, STAMP, SPAN},
    {CALL_SUBTRACT, ZONED, SPAN, ZONED}, {CALL_SUBTRACT, ZONED, ZONED, SPAN},
    {CALL_SUBTRACT, SPAN, SPAN, SPAN},   {CALL_MULTIPLY, SPAN, D, SPAN},
    {CALL_DIVIDE, SPAN, D, SPAN},
};

#undef B
#undef I
#undef D
#undef T
#undef N
#undef DATE
#undef TIME
#undef STAMP
#undef ZONED
#undef SPAN

static bool is_datetime(enum sql_type type)
{
    return type >= SQL_DATE && type <= SQL_INTERVAL;
}

/* How well two operands fit, -1: not at all. An unknown one fits best where the other's type is
 * asked for. */
static int fit(const struct operator_row *row, enum sql_type left, enum sql_type right)
{
    /* Not an interval for a time: there are operators for each. */
    bool as_other = (left == SQL_TIME && row->left == SQL_INTERVAL) ||
                    (right == SQL_TIME && row->right == SQL_INTERVAL);
    if (as_other || !plan__can_coerce(left, row->left) || !plan__can_coerce(right, row->right))
        return -1;
    int score = 2 * (left == row->left) + 2 * (right == row->right);
    bool alike = row->left == row->right;
    return score + (alike && (left == SQL_UNKNOWN || right == SQL_UNKNOWN));
}

/* NULL: none. *ambiguous: a literal could be several things. */
static const struct operator_row *find(enum expr_call call, enum sql_type left, enum sql_type right,
                                       bool *ambiguous)
{
    const struct operator_row *best = NULL;
    int best_score = -1;
    *ambiguous = false;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (operators[i].call != call)
            continue;
        int score = fit(&operators[i], left, right);
        bool tie = score >= 0 && score == best_score;
        if (score > best_score) {
            best = &operators[i];
            best_score = score;
            *ambiguous = false;
        } else if (tie && (left == SQL_UNKNOWN || right == SQL_UNKNOWN)) {
            *ambiguous = true;
        }
    }
    return best;
}

static status_t is_ambiguous(struct planner *planner, const char *text, enum sql_type left,
                             enum sql_type right, uint32_t position)
{
    status_t status =
        error_sql(planner->error, "42725", position, "operator is not unique: %s %s %s",
                  type_name(left), text, type_name(right));
    error_hint(planner->error, "Say what the literal is, as in INTERVAL '1 day'.");
    return status;
}

static status_t negate(struct planner *planner, struct expr *operand, uint32_t position,
                       bool *known, struct expr **out)
{
    *known = operand->type == SQL_INTERVAL || operand->type == SQL_TIME;
    if (*known && operand->type == SQL_TIME)
        operand = plan__cast_implicit(planner, operand, SQL_INTERVAL);
    if (*known)
        *out = plan__call1(planner, CALL_NEGATE, SQL_INTERVAL, position, operand);
    return OK;
}

/* Also with the operands in the other order, where that does not matter. */
static const struct operator_row *find_either(enum expr_call call, struct expr **left,
                                              struct expr **right, bool *ambiguous)
{
    const struct operator_row *row = find(call, (*left)->type, (*right)->type, ambiguous);
    if (row || (call != CALL_ADD && call != CALL_MULTIPLY))
        return row;
    row = find(call, (*right)->type, (*left)->type, ambiguous);
    if (row) {
        struct expr *swapped = *left;
        *left = *right;
        *right = swapped;
    }
    return row;
}

status_t plan__datetime_operator(struct planner *planner, enum expr_call call, const char *text,
                                 struct expr *left, struct expr *right, uint32_t position,
                                 bool *known, struct expr **out)
{
    *known = false;
    if (!is_datetime(left->type) && !(right && is_datetime(right->type)))
        return OK;
    if (!right)
        return call == CALL_NEGATE ? negate(planner, left, position, known, out) : OK;
    bool ambiguous;
    enum sql_type types[2] = {left->type, right->type};
    const struct operator_row *row = find_either(call, &left, &right, &ambiguous);
    if (!row && (types[0] == SQL_TIME || types[1] == SQL_TIME)) {
        /* A time of day is an interval where that helps. */
        if (types[0] == SQL_TIME)
            left = plan__cast_implicit(planner, left, SQL_INTERVAL);
        if (types[1] == SQL_TIME)
            right = plan__cast_implicit(planner, right, SQL_INTERVAL);
        row = find_either(call, &left, &right, &ambiguous);
    }
    if (!row)
        return OK;
    *known = true;
    if (ambiguous)
        return is_ambiguous(planner, text, types[0], types[1], position);
    status_t status = plan__coerce(planner, &left, row->left);
    if (status == OK)
        status = plan__coerce(planner, &right, row->right);
    if (status == OK)
        *out = plan__call2(planner, call, row->result, position, left, right);
    return status;
}

enum sql_type plan__series_type(const struct expr *start, const struct expr *stop)
{
    enum sql_type a = start->type;
    enum sql_type b = stop->type;
    bool is_series = (a >= SQL_DATE && a <= SQL_TIMESTAMPTZ && a != SQL_TIME) ||
                     (b >= SQL_DATE && b <= SQL_TIMESTAMPTZ && b != SQL_TIME);
    if (!is_series)
        return a == SQL_NUMERIC || b == SQL_NUMERIC ? SQL_NUMERIC : SQL_INTEGER;
    bool is_zoned = a == SQL_TIMESTAMPTZ || b == SQL_TIMESTAMPTZ;
    return !is_zoned && (a == SQL_TIMESTAMP || b == SQL_TIMESTAMP) ? SQL_TIMESTAMP
                                                                   : SQL_TIMESTAMPTZ;
}

/* ---- literals -------------------------------------------------------------------------------- */

status_t plan__literal(struct planner *planner, const struct expr *literal, enum sql_type type,
                       struct expr **out)
{
    bool asked = false;
    struct error error = {0};
    struct value value;
    const struct clock clock = {.was_asked = &asked};
    const struct value *text = &literal->constant;
    ASSERT(!text->null && text->type == SQL_TEXT);
    status_t status =
        value_cast_at(text, type, &clock, planner->arena, literal->position, &value, &error);
    if (asked) {
        /* 'today', or 10:00 where the session is: plans are for every day and session. */
        struct expr *constant = plan__constant(planner, *text, literal->position);
        *out = plan__cast_implicit(planner, constant, type);
        return OK;
    }
    if (status) {
        *planner->error = error;
        return status;
    }
    *out = plan__constant(planner, value, literal->position);
    return OK;
}

status_t plan__trunc_in_zone(struct planner *planner, struct expr **arguments, uint32_t position,
                             struct expr **out)
{
    struct expr **pairs = arena_alloc(planner->arena, 6 * sizeof *pairs);
    struct expr **given = pairs;
    struct expr **cut = pairs + 2;
    struct expr **back = pairs + 4;
    given[0] = back[0] = arguments[2];
    given[1] = arguments[1];
    cut[0] = arguments[0];
    status_t status = plan__coerce(planner, &given[1], SQL_TIMESTAMPTZ);
    if (!status)
        status = plan__type_function(planner, "timezone", given, 2, position, out);
    if (status)
        return status;
    cut[1] = *out;
    if ((status = plan__type_function(planner, "date_trunc", cut, 2, position, &back[1])))
        return status;
    return plan__type_function(planner, "timezone", back, 2, position, out);
}
