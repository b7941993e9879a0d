/* Variances, standard deviations, covariances and regressions.
 *
 * Of doubles are kept the number, the sum and the sum of squared differences from the mean, by the
 * method of Youngs and Cramer ("Some results relevant to choice of sum and sum-of-product
 * algorithms", 1971), as PostgreSQL does: no cancellation of large squares, and the same digits.
 * Two states are merged by the formula of Chan, Golub and LeVeque (1979). Of integers and numerics
 * the sums are exact (numeric_spread.c). */
#include "sql/exec/exec_int.h"

#include <math.h>

/* Of pairs (y, x): sums, and sums of products of the differences from the means. */
struct aggregate_pairs {
    double sum_x;
    double sum_y;
    double squares_x;
    double squares_y;
    double products;
};

static status_t overflow(struct error *error)
{
    return error_sql(error, "22003", 0, "value out of range: overflow");
}

/* ---- variances --------------------------------------------------------------------------------
 */

static status_t take_double(struct aggregate_state *state, double value, struct error *error)
{
    double before = state->as.spread.sum;
    double n = (double)++state->count;
    state->as.spread.sum += value;
    if (n <= 1) {
        state->as.spread.squares = isfinite(value) ? 0 : NAN;
        return OK;
    }
    double off = value * n - state->as.spread.sum;
    state->as.spread.squares += off * off / (n * (n - 1));
    if (isinf(state->as.spread.sum) || isinf(state->as.spread.squares)) {
        if (!isinf(before) && !isinf(value))
            return overflow(error);
        state->as.spread.squares = NAN;
    }
    return OK;
}

static void take_exact(struct aggregate_state *state, __int128 coefficient, uint32_t scale,
                       struct arena *texts)
{
    if (state->count++ == 0 && !state->as.exact)
        state->as.exact = arena_zalloc(texts, sizeof *state->as.exact);
    numeric_spread_add(state->as.exact, coefficient, scale);
}

status_t exec__spread_take(struct aggregate_state *states, const struct aggregate_intake *intake,
                           struct arena *texts, struct error *error)
{
    const struct vector *values = intake->values;
    status_t status = OK;
    for (uint32_t i = 0; i < intake->count && status == OK; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        if (values->type == SQL_NUMERIC)
            take_exact(state, numeric_coefficient(values->as.numerics[row]),
                       numeric_scale(values->as.numerics[row]), texts);
        else if (values->type == SQL_INTEGER)
            take_exact(state, values->as.integers[row], 0, texts);
        else
            status = take_double(state, values->as.reals[row], error);
    }
    return status;
}

status_t exec__spread_merge(enum sql_type type, struct aggregate_state *into,
                            const struct aggregate_state *from, struct error *error)
{
    ASSERT(into->count > 0 && from->count > 0);
    if (type != SQL_DOUBLE) {
        numeric_spread_merge(into->as.exact, from->as.exact);
        return OK;
    }
    double n = (double)into->count;
    double more = (double)from->count;
    double off = into->as.spread.sum / n - from->as.spread.sum / more;
    bool infinite = isinf(into->as.spread.squares) || isinf(from->as.spread.squares);
    into->as.spread.sum += from->as.spread.sum;
    into->as.spread.squares += from->as.spread.squares + n * more * off * off / (n + more);
    return isinf(into->as.spread.squares) && !infinite ? overflow(error) : OK;
}

status_t exec__spread_result(const struct aggregate *aggregate, const struct aggregate_state *state,
                             struct value *out, struct error *error)
{
    enum aggregate_kind kind = aggregate->kind;
    bool sample = kind == AGGREGATE_VAR_SAMP || kind == AGGREGATE_STDDEV_SAMP;
    bool root = kind == AGGREGATE_STDDEV_SAMP || kind == AGGREGATE_STDDEV_POP;
    uint64_t degrees = sample ? state->count - 1 : state->count;
    *out = value_null(aggregate->type);
    if (degrees == 0)
        return OK;
    if (aggregate->type == SQL_NUMERIC) {
        struct numeric result;
        if (!numeric_spread_variance(state->as.exact, sample, root, &result))
            return error_sql(error, "22003", 0, "value overflows numeric format");
        *out = value_numeric(result);
        return OK;
    }
    double result = state->as.spread.squares / (double)degrees;
    *out = value_double(root ? sqrt(result) : result);
    return OK;
}

/* ---- pairs ------------------------------------------------------------------------------------
 */

static status_t take_pair(struct aggregate_state *state, double y, double x, struct arena *texts,
                          struct error *error)
{
    if (!state->as.pairs)
        state->as.pairs = arena_zalloc(texts, sizeof *state->as.pairs);
    struct aggregate_pairs *pairs = state->as.pairs;
    double n = (double)++state->count;
    double before_x = pairs->sum_x;
    double before_y = pairs->sum_y;
    pairs->sum_x += x;
    pairs->sum_y += y;
    if (n <= 1) {
        if (!isfinite(x))
            pairs->squares_x = pairs->products = NAN;
        if (!isfinite(y))
            pairs->squares_y = pairs->products = NAN;
        return OK;
    }
    double off_x = x * n - pairs->sum_x;
    double off_y = y * n - pairs->sum_y;
    double share = 1 / (n * (n - 1));
    pairs->squares_x += off_x * off_x * share;
    pairs->squares_y += off_y * off_y * share;
    pairs->products += off_x * off_y * share;
    bool x_is_new = !isinf(before_x) && !isinf(x);
    bool y_is_new = !isinf(before_y) && !isinf(y);
    bool over_x = isinf(pairs->sum_x) || isinf(pairs->squares_x);
    bool over_y = isinf(pairs->sum_y) || isinf(pairs->squares_y);
    if ((over_x && x_is_new) || (over_y && y_is_new) ||
        (isinf(pairs->products) && x_is_new && y_is_new))
        return overflow(error);
    if (isinf(pairs->squares_x))
        pairs->squares_x = NAN;
    if (isinf(pairs->squares_y))
        pairs->squares_y = NAN;
    if (isinf(pairs->products))
        pairs->products = NAN;
    return OK;
}

status_t exec__pairs_take(struct aggregate_state *states, const struct aggregate_intake *intake,
                          struct arena *texts, struct error *error)
{
    ASSERT(intake->separators && intake->separators->type == SQL_DOUBLE);
    status_t status = OK;
    for (uint32_t i = 0; i < intake->count && status == OK; i++) {
        uint32_t row = intake->rows[i];
        if (!vector_is_null(intake->separators, row))
            status = take_pair(exec__state_of(states, intake, row), intake->values->as.reals[row],
                               intake->separators->as.reals[row], texts, error);
    }
    return status;
}

status_t exec__pairs_merge(struct aggregate_state *into, const struct aggregate_state *from,
                           struct error *error)
{
    ASSERT(into->count > 0 && from->count > 0);
    struct aggregate_pairs *mine = into->as.pairs;
    const struct aggregate_pairs *theirs = from->as.pairs;
    double n = (double)into->count;
    double more = (double)from->count;
    double off_x = mine->sum_x / n - theirs->sum_x / more;
    double off_y = mine->sum_y / n - theirs->sum_y / more;
    double share = n * more / (n + more);
    bool infinite =
        isinf(mine->sum_x) || isinf(theirs->sum_x) || isinf(mine->sum_y) || isinf(theirs->sum_y);
    mine->sum_x += theirs->sum_x;
    mine->sum_y += theirs->sum_y;
    mine->squares_x += theirs->squares_x + share * off_x * off_x;
    mine->squares_y += theirs->squares_y + share * off_y * off_y;
    mine->products += theirs->products + share * off_x * off_y;
    bool over = isinf(mine->squares_x) || isinf(mine->squares_y) || isinf(mine->products);
    return over && !infinite ? overflow(error) : OK;
}

/* NAN stands for NULL when *known is false. */
static double pairs_figure(enum aggregate_kind kind, const struct aggregate_pairs *pairs, double n,
                           bool *known)
{
    bool x_varies = pairs->squares_x != 0;
    bool y_varies = pairs->squares_y != 0;
    switch (kind) {
    case AGGREGATE_REGR_SXX:
        return pairs->squares_x;
    case AGGREGATE_REGR_SYY:
        return pairs->squares_y;
    case AGGREGATE_REGR_SXY:
        return pairs->products;
    case AGGREGATE_REGR_AVGX:
        return pairs->sum_x / n;
    case AGGREGATE_REGR_AVGY:
        return pairs->sum_y / n;
    case AGGREGATE_COVAR_POP:
        return pairs->products / n;
    case AGGREGATE_COVAR_SAMP:
        *known = n > 1;
        return pairs->products / (n - 1);
    case AGGREGATE_CORR:
        *known = x_varies && y_varies;
        return pairs->products / sqrt(pairs->squares_x * pairs->squares_y);
    case AGGREGATE_REGR_R2:
        *known = x_varies;
        return y_varies
                   ? (pairs->products * pairs->products) / (pairs->squares_x * pairs->squares_y)
                   : 1;
    case AGGREGATE_REGR_SLOPE:
        *known = x_varies;
        return pairs->products / pairs->squares_x;
    default:
        ASSERT(kind == AGGREGATE_REGR_INTERCEPT);
        *known = x_varies;
        return (pairs->sum_y - pairs->sum_x * pairs->products / pairs->squares_x) / n;
    }
}

void exec__pairs_result(const struct aggregate *aggregate, const struct aggregate_state *state,
                        struct value *out)
{
    *out = value_null(aggregate->type);
    if (aggregate->kind == AGGREGATE_REGR_COUNT) {
        *out = value_integer((int64_t)state->count);
        return;
    }
    if (state->count == 0)
        return;
    bool known = true;
    double figure = pairs_figure(aggregate->kind, state->as.pairs, (double)state->count, &known);
    if (known)
        *out = value_double(figure);
}

void exec__spread_copy(const struct aggregate *aggregate, struct aggregate_state *into,
                       const struct aggregate_state *from, struct arena *texts)
{
    ASSERT(from->count > 0);
    if (aggregate_is_of_pairs(aggregate->kind)) {
        into->as.pairs = arena_alloc(texts, sizeof *into->as.pairs);
        *into->as.pairs = *from->as.pairs;
    } else if (aggregate->type == SQL_NUMERIC) {
        into->as.exact = arena_alloc(texts, sizeof *into->as.exact);
        *into->as.exact = *from->as.exact;
    }
}

struct slice exec__spread_beside(const struct aggregate *aggregate,
                                 const struct aggregate_state *state)
{
    ASSERT(state->count > 0);
    if (aggregate_is_of_pairs(aggregate->kind))
        return slice_make(state->as.pairs, sizeof *state->as.pairs);
    if (aggregate->type == SQL_NUMERIC)
        return slice_make(state->as.exact, sizeof *state->as.exact);
    return (struct slice){0};
}
