/* Arithmetic kernels on integers and doubles, and bit operations.
 *
 * Overflow is looked for in the loop (one flag for all rows) and told apart from a harmless one
 * under a NULL only when it happened. Doubles follow PostgreSQL: a result that is infinite though
 * no operand was, or zero though it should not be, is an error. */
#include <math.h>

#include "sql/exec/exec_int.h"

#define INLINE static inline __attribute__((always_inline))

INLINE bool integer_overflows(enum expr_call call, int64_t a, int64_t b, int64_t *out)
{
    switch (call) {
    case CALL_ADD:
        return __builtin_add_overflow(a, b, out);
    case CALL_SUBTRACT:
        return __builtin_sub_overflow(a, b, out);
    default:
        return __builtin_mul_overflow(a, b, out);
    }
}

INLINE bool integer_loop(enum expr_call call, const struct eval *left, const struct eval *right,
                         const struct batch *in, int64_t *out)
{
    const int64_t *a = left->result->as.integers;
    const int64_t *b = right->result->as.integers;
    bool overflow = false;
    if (in->selection || left->constant) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = batch_row(in, i);
            overflow |= integer_overflows(call, a[exec__eval_row(left, row)],
                                          b[exec__eval_row(right, row)], &out[row]);
        }
    } else if (right->constant) {
        int64_t constant = b[0];
        for (uint32_t row = 0; row < in->row_count; row++)
            overflow |= integer_overflows(call, a[row], constant, &out[row]);
    } else {
        for (uint32_t row = 0; row < in->row_count; row++)
            overflow |= integer_overflows(call, a[row], b[row], &out[row]);
    }
    return overflow;
}

static status_t overflow_error(const struct eval *eval, struct error *error)
{
    return error_sql(error, "22003", eval->expr->position, "bigint out of range");
}

static status_t zero_error(const struct eval *eval, struct error *error)
{
    return error_sql(error, "22012", eval->expr->position, "division by zero");
}

static status_t integer_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    const struct eval *a = eval->arguments[0];
    const struct eval *b = eval->arguments[1];
    enum expr_call call = eval->expr->call;
    int64_t *out = eval->out.as.integers;
    bool overflow;
    if (call == CALL_ADD)
        overflow = integer_loop(CALL_ADD, a, b, in, out);
    else if (call == CALL_SUBTRACT)
        overflow = integer_loop(CALL_SUBTRACT, a, b, in, out);
    else
        overflow = integer_loop(CALL_MULTIPLY, a, b, in, out);
    if (!overflow)
        return OK;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (!vector_is_null(&eval->out, row) &&
            integer_overflows(call, exec__eval_integer(a, row), exec__eval_integer(b, row),
                              &out[row]))
            return overflow_error(eval, error);
    }
    return OK;
}

static status_t integer_divide_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    bool modulo = eval->expr->call == CALL_MODULO;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        int64_t a = exec__eval_integer(eval->arguments[0], row);
        int64_t b = exec__eval_integer(eval->arguments[1], row);
        if (b == 0)
            return zero_error(eval, error);
        /* The one quotient that does not fit; its remainder is 0. */
        if (b == -1 && a == INT64_MIN && !modulo)
            return overflow_error(eval, error);
        if (modulo)
            eval->out.as.integers[row] = b == -1 ? 0 : a % b;
        else
            eval->out.as.integers[row] = a / b;
    }
    return OK;
}

static status_t power(const struct eval *eval, double a, double b, double *out, struct error *error)
{
    uint32_t position = eval->expr->position;
    if (a == 0 && b < 0)
        return error_sql(error, "2201F", position, "zero raised to a negative power is undefined");
    if (a < 0 && isfinite(b) && floor(b) != b)
        return error_sql(error, "2201F", position,
                         "a negative number raised to a non-integer power yields a complex result");
    *out = pow(a, b);
    return OK;
}

static status_t double_apply(const struct eval *eval, double a, double b, double *out,
                             struct error *error)
{
    double result = 0;
    bool may_vanish = false; /* a zero result with these operands is an underflow */
    switch (eval->expr->call) {
    case CALL_ADD:
        result = a + b;
        break;
    case CALL_SUBTRACT:
        result = a - b;
        break;
    case CALL_MULTIPLY:
        result = a * b;
        may_vanish = a != 0 && b != 0;
        break;
    case CALL_DIVIDE:
    case CALL_MODULO:
        if (b == 0 && !isnan(a))
            return zero_error(eval, error);
        if (eval->expr->call == CALL_MODULO) {
            result = fmod(a, b);
        } else {
            result = a / b;
            may_vanish = a != 0 && !isinf(b);
        }
        break;
    default: {
        status_t status = power(eval, a, b, &result, error);
        if (status != OK)
            return status;
        may_vanish = a != 0 && isfinite(a) && isfinite(b);
    }
    }
    if (eval->expr->type == SQL_REAL)
        result =
            (double)(float)result; /* as if computed so: a double has more than twice the bits */
    if (isinf(result) && !isinf(a) && !isinf(b))
        return error_sql(error, "22003", eval->expr->position, "value out of range: overflow");
    if (may_vanish && result == 0)
        return error_sql(error, "22003", eval->expr->position, "value out of range: underflow");
    *out = result;
    return OK;
}

static status_t double_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        uint32_t row = batch_row(in, i);
        if (!vector_is_null(&eval->out, row))
            status = double_apply(eval, exec__eval_double(eval->arguments[0], row),
                                  exec__eval_double(eval->arguments[1], row),
                                  &eval->out.as.reals[row], error);
    }
    return status;
}

/* -x and abs(x). */
static status_t sign_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    bool absolute = eval->expr->call == CALL_ABS;
    const struct eval *argument = eval->arguments[0];
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        if (type_storage(eval->out.type) == SQL_DOUBLE) {
            double value = exec__eval_double(argument, row);
            eval->out.as.reals[row] = absolute ? fabs(value) : -value;
            continue;
        }
        int64_t value = exec__eval_integer(argument, row);
        if (value == INT64_MIN)
            return overflow_error(eval, error);
        eval->out.as.integers[row] = absolute && value >= 0 ? value : -value;
    }
    return OK;
}

static int64_t bits_apply(enum expr_call call, int64_t a, int64_t b)
{
    switch (call) {
    case CALL_BIT_AND:
        return a & b;
    case CALL_BIT_OR:
        return a | b;
    case CALL_BIT_XOR:
        return a ^ b;
    case CALL_SHIFT_LEFT:
        return (int64_t)((uint64_t)a << (b & 63));
    case CALL_SHIFT_RIGHT:
        return a >> (b & 63);
    default:
        return ~a;
    }
}

static status_t bits_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    const struct eval *a = eval->arguments[0];
    const struct eval *b = eval->arguments[eval->argument_count - 1];
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        eval->out.as.integers[row] =
            bits_apply(eval->expr->call, exec__eval_integer(a, row), exec__eval_integer(b, row));
    }
    return OK;
}

eval_fn *exec__arithmetic_kernel(const struct expr *expr)
{
    bool is_integer = expr->argument_count > 0 && expr->arguments[0]->type == SQL_INTEGER;
    switch (expr->call) {
    case CALL_ADD:
    case CALL_SUBTRACT:
    case CALL_MULTIPLY:
        return is_integer ? integer_run : double_run;
    case CALL_DIVIDE:
    case CALL_MODULO:
        return is_integer ? integer_divide_run : double_run;
    case CALL_POWER:
        return double_run;
    case CALL_NEGATE:
    case CALL_ABS:
        return sign_run;
    case CALL_BIT_AND:
    case CALL_BIT_OR:
    case CALL_BIT_XOR:
    case CALL_BIT_NOT:
    case CALL_SHIFT_LEFT:
    case CALL_SHIFT_RIGHT:
        return bits_run;
    default:
        return NULL;
    }
}
