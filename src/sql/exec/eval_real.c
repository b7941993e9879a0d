/* More functions of numbers: of doubles with one or two arguments, of whole numbers, and
 * width_bucket. */
#include "sql/exec/exec_int.h"

#include <math.h>

static double real_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_double(eval->arguments[argument], row);
}

static int64_t integer_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_integer(eval->arguments[argument], row);
}

static status_t out_of_range(const struct eval *eval, struct error *error)
{
    return error_sql(error, "22003", eval->expr->position, "input is out of range");
}

static status_t overflow(const struct eval *eval, struct error *error)
{
    return error_sql(error, "22003", eval->expr->position, "value out of range: overflow");
}

/* ---- doubles -----------------------------------------------------------------------------------
 */

/* log(base, x). */
static status_t logarithm(const struct eval *eval, double base, double x, double *out,
                          struct error *error)
{
    uint32_t position = eval->expr->position;
    if (base == 0 || x == 0)
        return error_sql(error, "2201E", position, "cannot take logarithm of zero");
    if (base < 0 || x < 0)
        return error_sql(error, "2201E", position, "cannot take logarithm of a negative number");
    if (base == 1)
        return error_sql(error, "22012", position, "division by zero");
    *out = log(x) / log(base);
    return OK;
}

static double cotangent(double x)
{
    return 1 / tan(x);
}

/* The library's may be off by the last bit: of the cube of a whole number that number is meant. */
static double cube_root(double x)
{
    double root = cbrt(x);
    double whole = rint(root);
    return whole * whole * whole == x ? whole : root;
}

static status_t real_row(struct eval *eval, uint32_t row, struct error *error)
{
    static const double radians_of_degree = 0.0174532925199432957692;
    double *out = &eval->out.as.reals[row];
    double x = real_at(eval, 0, row);
    bool bounded = eval->expr->call == CALL_ASIN || eval->expr->call == CALL_ACOS;
    if (bounded && (x < -1 || x > 1))
        return out_of_range(eval, error);
    switch (eval->expr->call) {
    case CALL_ASIN:
        *out = asin(x);
        return OK;
    case CALL_ACOS:
        *out = acos(x);
        return OK;
    case CALL_ATAN2:
        *out = atan2(x, real_at(eval, 1, row));
        return OK;
    case CALL_COT:
        if (isinf(x))
            return out_of_range(eval, error);
        *out = cotangent(x);
        return OK;
    case CALL_SINH: /* too large ones are infinite, as in PostgreSQL */
        *out = sinh(x);
        return OK;
    case CALL_COSH:
        *out = cosh(x);
        return OK;
    case CALL_TANH:
        *out = tanh(x);
        return OK;
    case CALL_DEGREES:
        *out = x / radians_of_degree;
        break;
    case CALL_RADIANS:
        *out = x * radians_of_degree;
        return OK;
    case CALL_CBRT:
        *out = cube_root(x);
        return OK;
    default:
        ASSERT(eval->expr->call == CALL_LOG);
        return logarithm(eval, x, real_at(eval, 1, row), out, error);
    }
    return isinf(*out) && !isinf(x) ? overflow(eval, error) : OK;
}

/* ---- whole numbers -----------------------------------------------------------------------------
 */

/* Of the magnitudes: that of the least integer has no sign. */
static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

static status_t divisor_row(struct eval *eval, uint32_t row, struct error *error)
{
    uint64_t a = magnitude(integer_at(eval, 0, row));
    uint64_t b = magnitude(integer_at(eval, 1, row));
    uint64_t result = common_divisor(a, b);
    bool fits = true;
    if (eval->expr->call == CALL_LCM)
        fits =
            a == 0 || b == 0 ? (result = 0, true) : !__builtin_mul_overflow(a / result, b, &result);
    if (!fits || result > INT64_MAX)
        return error_sql(error, "22003", eval->expr->position, "bigint out of range");
    eval->out.as.integers[row] = (int64_t)result;
    return OK;
}

/* The bucket of `count` equal ones between low and high, 0 below and count + 1 above; turned round
 * when low is above high. */
static status_t bucket_row(struct eval *eval, uint32_t row, struct error *error)
{
    uint32_t position = eval->expr->position;
    double x = real_at(eval, 0, row);
    double low = real_at(eval, 1, row);
    double high = real_at(eval, 2, row);
    int64_t count = integer_at(eval, 3, row);
    int64_t *out = &eval->out.as.integers[row];
    if (count <= 0)
        return error_sql(error, "2201G", position, "count must be greater than zero");
    if (isnan(x) || isnan(low) || isnan(high))
        return error_sql(error, "2201G", position,
                         "operand, lower bound, and upper bound cannot be NaN");
    if (isinf(low) || isinf(high))
        return error_sql(error, "2201G", position, "lower and upper bounds must be finite");
    if (low == high)
        return error_sql(error, "2201G", position, "lower bound cannot equal upper bound");
    if (count == INT64_MAX)
        return error_sql(error, "22003", position, "bigint out of range");
    bool down = low > high;
    bool below = down ? x > low : x < low;
    bool above = down ? x <= high : x >= high;
    *out = below ? 0 : count + 1;
    if (below || above)
        return OK;
    double part = (x / 2 - low / 2) / (high / 2 - low / 2); /* halves do not overflow */
    int64_t bucket = (int64_t)(part * (double)count);
    *out = bucket < count ? bucket + 1 : count;
    return OK;
}

/* ---- */

typedef status_t number_fn(struct eval *eval, uint32_t row, struct error *error);

static number_fn *row_function(enum expr_call call)
{
    switch (call) {
    case CALL_ASIN:
    case CALL_ACOS:
    case CALL_ATAN2:
    case CALL_COT:
    case CALL_SINH:
    case CALL_COSH:
    case CALL_TANH:
    case CALL_DEGREES:
    case CALL_RADIANS:
    case CALL_CBRT:
    case CALL_LOG:
        return real_row;
    case CALL_GCD:
    case CALL_LCM:
        return divisor_row;
    case CALL_WIDTH_BUCKET:
        return bucket_row;
    default:
        return NULL;
    }
}

static status_t number_run(struct eval *eval, const struct batch *in, struct error *error)
{
    number_fn *function = row_function(eval->expr->call);
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    for (uint32_t i = 0; i < in->selected && status == OK && !all_null; i++) {
        uint32_t row = batch_row(in, i);
        if (!vector_is_null(&eval->out, row))
            status = function(eval, row, error);
    }
    return status;
}

eval_fn *exec__real_kernel(const struct expr *expr)
{
    return row_function(expr->call) ? number_run : NULL;
}
