/* Arithmetic and functions on numerics.
 *
 * Sums, differences and products are computed here for the common case, which is two numbers of one
 * scale or of 64 bits each; what does not fit goes to the general functions. Rows with a NULL are
 * left alone, because what lies under it need not be a numeric. */
#include "sql/exec/exec_int.h"

#define INLINE static inline __attribute__((always_inline))

static status_t overflow_error(const struct eval *eval, struct error *error)
{
    return error_sql(error, "22003", eval->expr->position, "value overflows numeric format");
}

INLINE bool fits(__int128 coefficient)
{
    const __int128 limit =
        (__int128)INT64_C(1000000000000000000) * INT64_C(1000000000000000000); /* 10^36 */
    return coefficient < limit && coefficient > -limit;
}

/* A number of 64 bits with the scale of another one of which it has less. */
INLINE bool align(__int128 *number, uint32_t by)
{
    static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    if (*number != (int64_t)*number || by >= sizeof powers / sizeof *powers)
        return false;
    *number = (__int128)(int64_t)*number * powers[by];
    return true;
}

INLINE bool sum_of(enum expr_call call, struct numeric a, struct numeric b, struct numeric *out)
{
    __int128 x = numeric_coefficient(a);
    __int128 y = numeric_coefficient(b);
    uint32_t x_scale = numeric_scale(a);
    uint32_t y_scale = numeric_scale(b);
    bool aligned = x_scale == y_scale || (x_scale < y_scale ? align(&x, y_scale - x_scale)
                                                            : align(&y, x_scale - y_scale));
    __int128 sum = call == CALL_ADD ? x + y : x - y;
    if (aligned && fits(sum)) {
        *out = numeric_make(sum, x_scale > y_scale ? x_scale : y_scale);
        return true;
    }
    return call == CALL_ADD ? numeric_add(a, b, out) : numeric_subtract(a, b, out);
}

INLINE bool product_of(struct numeric a, struct numeric b, struct numeric *out)
{
    __int128 x = numeric_coefficient(a);
    __int128 y = numeric_coefficient(b);
    uint32_t scale = numeric_scale(a) + numeric_scale(b);
    if (x == (int64_t)x && y == (int64_t)y && scale <= NUMERIC_SCALE_MAX) {
        __int128 product = (__int128)(int64_t)x * (int64_t)y;
        if (fits(product)) {
            *out = numeric_make(product, scale);
            return true;
        }
    }
    return numeric_multiply(a, b, out);
}

INLINE bool apply(enum expr_call call, struct numeric a, struct numeric b, struct numeric *out)
{
    switch (call) {
    case CALL_ADD:
    case CALL_SUBTRACT:
        return sum_of(call, a, b, out);
    case CALL_MULTIPLY:
        return product_of(a, b, out);
    case CALL_DIVIDE:
        return numeric_divide(a, b, out);
    default:
        return numeric_modulo(a, b, out);
    }
}

INLINE status_t binary_loop(enum expr_call call, struct eval *eval, const struct batch *in,
                            struct error *error)
{
    const struct eval *left = eval->arguments[0];
    const struct eval *right = eval->arguments[1];
    bool divides = call == CALL_DIVIDE || call == CALL_MODULO;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        struct numeric b = exec__eval_numeric(right, row);
        if (divides && numeric_coefficient(b) == 0)
            return error_sql(error, "22012", eval->expr->position, "division by zero");
        if (!apply(call, exec__eval_numeric(left, row), b, &eval->out.as.numerics[row]))
            return overflow_error(eval, error);
    }
    return OK;
}

static status_t binary_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    switch (eval->expr->call) {
    case CALL_ADD:
        return binary_loop(CALL_ADD, eval, in, error);
    case CALL_SUBTRACT:
        return binary_loop(CALL_SUBTRACT, eval, in, error);
    case CALL_MULTIPLY:
        return binary_loop(CALL_MULTIPLY, eval, in, error);
    case CALL_DIVIDE:
        return binary_loop(CALL_DIVIDE, eval, in, error);
    default:
        return binary_loop(CALL_MODULO, eval, in, error);
    }
}

static status_t square_root(const struct eval *eval, struct numeric value, struct numeric *out,
                            struct error *error)
{
    if (numeric_coefficient(value) < 0)
        return error_sql(error, "2201F", eval->expr->position,
                         "cannot take square root of a negative number");
    return numeric_sqrt(value, out) ? OK : overflow_error(eval, error);
}

static status_t function(const struct eval *eval, struct numeric value, int64_t digits,
                         struct numeric *out, struct error *error)
{
    __int128 coefficient = numeric_coefficient(value);
    bool done = true;
    *out = value;
    switch (eval->expr->call) {
    case CALL_ABS:
        if (coefficient < 0)
            *out = numeric_negate(value);
        break;
    case CALL_NEGATE:
        *out = numeric_negate(value);
        break;
    case CALL_SIGN:
        *out = numeric_make((coefficient > 0) - (coefficient < 0), 0);
        break;
    case CALL_ROUND:
        done = numeric_round(value, digits, NUMERIC_HALF_AWAY, out);
        break;
    case CALL_TRUNC:
        done = numeric_round(value, digits, NUMERIC_TOWARDS_ZERO, out);
        break;
    case CALL_CEIL:
        done = numeric_round(value, 0, NUMERIC_UP, out);
        break;
    case CALL_FLOOR:
        done = numeric_round(value, 0, NUMERIC_DOWN, out);
        break;
    default:
        return square_root(eval, value, out, error);
    }
    return done ? OK : overflow_error(eval, error);
}

static status_t function_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        int64_t digits = eval->argument_count > 1 ? exec__eval_integer(eval->arguments[1], row) : 0;
        status = function(eval, exec__eval_numeric(eval->arguments[0], row), digits,
                          &eval->out.as.numerics[row], error);
    }
    return status;
}

eval_fn *exec__numeric_kernel(const struct expr *expr)
{
    if (expr->type != SQL_NUMERIC || expr->argument_count == 0 ||
        expr->arguments[0]->type != SQL_NUMERIC)
        return NULL;
    switch (expr->call) {
    case CALL_ADD:
    case CALL_SUBTRACT:
    case CALL_MULTIPLY:
    case CALL_DIVIDE:
    case CALL_MODULO:
        return binary_run;
    case CALL_ABS:
    case CALL_NEGATE:
    case CALL_SIGN:
    case CALL_ROUND:
    case CALL_TRUNC:
    case CALL_CEIL:
    case CALL_FLOOR:
    case CALL_SQRT:
        return function_run;
    default:
        return NULL;
    }
}
