/* Mathematical functions on doubles, random(), and row ids. */
#include <math.h>
#include <string.h>

#include "sql/exec/exec_int.h"

/* Rounds half to even like rint, at a decimal place. */
static double at_digits(double value, int64_t digits, bool truncate)
{
    if (!isfinite(value))
        return value;
    if (digits > 308) /* beyond every double's last digit */
        return value;
    if (digits < -308)
        return 0;
    double scale = pow(10, fabs((double)digits));
    double scaled = digits >= 0 ? value * scale : value / scale;
    if (!isfinite(scaled))
        return value;
    scaled = truncate ? trunc(scaled) : rint(scaled);
    return digits >= 0 ? scaled / scale : scaled * scale;
}

static double sign(double value)
{
    return (value > 0) - (value < 0); /* of NaN 0, as in PostgreSQL */
}

static status_t logarithm(const struct eval *eval, double value, double *out, struct error *error)
{
    if (value == 0)
        return error_sql(error, "2201E", eval->expr->position, "cannot take logarithm of zero");
    if (value < 0)
        return error_sql(error, "2201E", eval->expr->position,
                         "cannot take logarithm of a negative number");
    *out = eval->expr->call == CALL_LN ? log(value) : log10(value);
    return OK;
}

static status_t exponential(const struct eval *eval, double value, double *out, struct error *error)
{
    *out = exp(value);
    if (isinf(*out) && !isinf(value))
        return error_sql(error, "22003", eval->expr->position, "value out of range: overflow");
    if (*out == 0 && !isinf(value))
        return error_sql(error, "22003", eval->expr->position, "value out of range: underflow");
    return OK;
}

static status_t trigonometric(const struct eval *eval, double value, double *out,
                              struct error *error)
{
    if (isinf(value))
        return error_sql(error, "22003", eval->expr->position, "input is out of range");
    switch (eval->expr->call) {
    case CALL_SIN:
        *out = sin(value);
        return OK;
    case CALL_COS:
        *out = cos(value);
        return OK;
    default:
        *out = tan(value);
        return OK;
    }
}

static status_t apply(const struct eval *eval, double value, int64_t digits, double *out,
                      struct error *error)
{
    switch (eval->expr->call) {
    case CALL_SIGN:
        *out = sign(value);
        return OK;
    case CALL_ROUND:
        *out = at_digits(value, digits, false);
        return OK;
    case CALL_TRUNC:
        *out = at_digits(value, digits, true);
        return OK;
    case CALL_CEIL:
        *out = ceil(value);
        return OK;
    case CALL_FLOOR:
        *out = floor(value);
        return OK;
    case CALL_SQRT:
        if (value < 0)
            return error_sql(error, "2201F", eval->expr->position,
                             "cannot take square root of a negative number");
        *out = sqrt(value);
        return OK;
    case CALL_EXP:
        return exponential(eval, value, out, error);
    case CALL_LN:
    case CALL_LOG10:
        return logarithm(eval, value, out, error);
    case CALL_ATAN:
        *out = atan(value);
        return OK;
    default:
        return trigonometric(eval, value, out, error);
    }
}

static status_t math_run(struct eval *eval, const struct batch *in, struct error *error)
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
        status = apply(eval, exec__eval_double(eval->arguments[0], row), digits,
                       &eval->out.as.reals[row], error);
    }
    return status;
}

static status_t pi_run(struct eval *eval, const struct batch *in, struct error *error)
{
    (void)error;
    exec__eval_prepare(eval, in->row_count);
    for (uint32_t i = 0; i < in->selected; i++)
        eval->out.as.reals[batch_row(in, i)] = M_PI;
    return OK;
}

uint64_t exec__random(struct exec *exec)
{
    exec = exec->top;
    if (exec->context.random && exec->context.random->seeded)
        return prng_next(&exec->context.random->prng);
    if (!exec->prng_seeded) {
        uint64_t seed;
        env_random_bytes(exec->context.env, &seed, sizeof seed);
        prng_seed(&exec->prng, seed);
        exec->prng_seeded = true;
    }
    return prng_next(&exec->prng);
}

static status_t random_run(struct eval *eval, const struct batch *in, struct error *error)
{
    (void)error;
    exec__eval_prepare(eval, in->row_count);
    for (uint32_t i = 0; i < in->selected; i++)
        eval->out.as.reals[batch_row(in, i)] =
            (double)(exec__random(eval->exec) >> 11) * 0x1p-53; /* in [0, 1) */
    return OK;
}

/* What random() gives in this session from now on follows from the number. */
static status_t setseed_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    for (uint32_t i = 0; i < in->selected && status == OK && !all_null; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row))
            continue;
        double number = exec__eval_double(eval->arguments[0], row);
        struct exec_random *random = eval->exec->top->context.random;
        uint64_t seed;
        if (!(number >= -1 && number <= 1))
            return error_sql(error, "22023", eval->expr->position,
                             "setseed parameter %g is out of allowed range [-1,1]", number);
        if (!random)
            return error_sql(error, "0A000", eval->expr->position, "there is no session here");
        memcpy(&seed, &number, sizeof seed);
        prng_seed(&random->prng, seed);
        random->seeded = true;
        eval->out.as.texts[row] = slice_from_string("");
    }
    return status;
}

/* Row ids of one statement are consecutive, from its time in microseconds (of this era: 51 bits)
 * and 12 random bits. So rows lie about in the order they came, and statements of several nodes
 * hardly ever meet; an INSERT that does find its id taken takes another (modify.c). */
static status_t row_id_run(struct eval *eval, const struct batch *in, struct error *error)
{
    enum { RANDOM_BITS = 12 };
    const uint64_t era_us = UINT64_C(1577836800000000); /* 2020-01-01 */
    (void)error;
    struct exec *exec = eval->exec;
    if (exec->row_id_next == 0) {
        uint64_t time = env_wall_us(exec->context.env) - era_us;
        uint64_t id = time << RANDOM_BITS | exec__random(exec) >> (64 - RANDOM_BITS);
        exec->row_id_next = (int64_t)(id & INT64_MAX);
    }
    exec__eval_prepare(eval, in->row_count);
    for (uint32_t i = 0; i < in->selected; i++) {
        eval->out.as.integers[batch_row(in, i)] = exec->row_id_next;
        exec->row_id_next = exec->row_id_next == INT64_MAX ? 1 : exec->row_id_next + 1;
    }
    return OK;
}

eval_fn *exec__math_kernel(const struct expr *expr)
{
    switch (expr->call) {
    case CALL_SIGN:
    case CALL_ROUND:
    case CALL_TRUNC:
    case CALL_CEIL:
    case CALL_FLOOR:
    case CALL_SQRT:
    case CALL_EXP:
    case CALL_LN:
    case CALL_LOG10:
    case CALL_SIN:
    case CALL_COS:
    case CALL_TAN:
    case CALL_ATAN:
        return math_run;
    case CALL_PI:
        return pi_run;
    case CALL_RANDOM:
        return random_run;
    case CALL_SETSEED:
        return setseed_run;
    case CALL_ROW_ID:
        return row_id_run;
    default:
        return NULL;
    }
}
