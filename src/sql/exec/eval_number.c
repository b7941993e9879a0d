/* Functions of exact numbers, hyperbolic and degree functions of doubles, numbers as text by
 * patterns, and counts of NULLs. */
#include "sql/exec/exec_int.h"

#include <math.h>

static struct numeric numeric_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_numeric(eval->arguments[argument], row);
}

static status_t overflow(const struct eval *eval, struct error *error)
{
    return error_sql(error, "22003", eval->expr->position, "value overflows numeric format");
}

static status_t give(struct eval *eval, uint32_t row, bool fits, struct numeric value,
                     struct error *error)
{
    if (!fits)
        return overflow(eval, error);
    eval->out.as.numerics[row] = value;
    return OK;
}

/* ---- exact numbers -----------------------------------------------------------------------------
 */

static status_t check_logarithm(const struct eval *eval, struct numeric x, struct error *error)
{
    __int128 coefficient = numeric_coefficient(x);
    if (coefficient > 0)
        return OK;
    return error_sql(error, "2201E", eval->expr->position, "cannot take logarithm of %s",
                     coefficient == 0 ? "zero" : "a negative number");
}

static status_t logarithm(struct eval *eval, uint32_t row, struct error *error)
{
    enum expr_call call = eval->expr->call;
    struct numeric base = numeric_from_integer(10);
    struct numeric x = numeric_at(eval, eval->argument_count - 1, row);
    struct numeric result = {0};
    if (call == CALL_LOG)
        base = numeric_at(eval, 0, row);
    status_t status = check_logarithm(eval, base, error);
    if (status == OK)
        status = check_logarithm(eval, x, error);
    if (status != OK)
        return status;
    if (call != CALL_LN && numeric_compare(base, numeric_from_integer(1)) == 0)
        return error_sql(error, "22012", eval->expr->position, "division by zero");
    bool fits = call == CALL_LN ? numeric_ln(x, &result) : numeric_log(base, x, &result);
    return give(eval, row, fits, result, error);
}

static status_t exponential(struct eval *eval, uint32_t row, struct error *error)
{
    struct numeric result = {0};
    bool fits = numeric_exp(numeric_at(eval, 0, row), &result);
    return give(eval, row, fits, result, error);
}

static status_t power(struct eval *eval, uint32_t row, struct error *error)
{
    struct numeric result = {0};
    switch (numeric_power(numeric_at(eval, 0, row), numeric_at(eval, 1, row), &result)) {
    case NUMERIC_POWER_OK:
        eval->out.as.numerics[row] = result;
        return OK;
    case NUMERIC_POWER_OF_ZERO:
        return error_sql(error, "2201F", eval->expr->position,
                         "zero raised to a negative power is undefined");
    case NUMERIC_POWER_COMPLEX:
        return error_sql(error, "2201F", eval->expr->position,
                         "a negative number raised to a non-integer power yields a complex result");
    case NUMERIC_POWER_OVERFLOW:
        break;
    }
    return overflow(eval, error);
}

/* The quotient towards zero. */
static status_t quotient(struct eval *eval, uint32_t row, struct error *error)
{
    struct numeric a = numeric_at(eval, 0, row);
    struct numeric b = numeric_at(eval, 1, row);
    struct numeric rest;
    struct numeric result = {0};
    if (numeric_coefficient(b) == 0)
        return error_sql(error, "22012", eval->expr->position, "division by zero");
    bool fits = numeric_modulo(a, b, &rest) && numeric_subtract(a, rest, &a) &&
                numeric_divide(a, b, &result) &&
                numeric_round(result, 0, NUMERIC_HALF_AWAY, &result);
    return give(eval, row, fits, result, error);
}

static status_t factorial(struct eval *eval, uint32_t row, struct error *error)
{
    int64_t n = exec__eval_integer(eval->arguments[0], row);
    struct numeric result = numeric_from_integer(1);
    if (n < 0)
        return error_sql(error, "22003", eval->expr->position,
                         "factorial of a negative number is undefined");
    bool fits = n <= NUMERIC_DIGITS_MAX;
    for (int64_t i = 2; i <= n && fits; i++)
        fits = numeric_multiply(result, numeric_from_integer(i), &result);
    return give(eval, row, fits, result, error);
}

/* gcd and lcm by Euclid; of numbers with a fraction they are multiples of its last digit. */
static status_t divisor(struct eval *eval, uint32_t row, struct error *error)
{
    struct numeric a = numeric_at(eval, 0, row);
    struct numeric b = numeric_at(eval, 1, row);
    a = numeric_coefficient(a) < 0 ? numeric_negate(a) : a;
    b = numeric_coefficient(b) < 0 ? numeric_negate(b) : b;
    struct numeric x = a;
    struct numeric y = b;
    bool fits = true;
    while (fits && numeric_coefficient(y) != 0) {
        struct numeric rest;
        fits = numeric_modulo(x, y, &rest);
        x = y;
        y = rest;
    }
    if (fits && eval->expr->call == CALL_LCM && numeric_coefficient(x) != 0) {
        int64_t scale = numeric_scale(x);
        fits = numeric_divide(a, x, &x) && numeric_round(x, 0, NUMERIC_HALF_AWAY, &x) &&
               numeric_multiply(x, b, &x) && numeric_round(x, scale, NUMERIC_HALF_AWAY, &x);
    }
    return give(eval, row, fits, x, error);
}

static status_t scale(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct numeric value = numeric_at(eval, 0, row);
    struct numeric trimmed = numeric_trim(value);
    if (eval->expr->call == CALL_TRIM_SCALE)
        eval->out.as.numerics[row] = trimmed;
    else
        eval->out.as.integers[row] =
            numeric_scale(eval->expr->call == CALL_SCALE ? value : trimmed);
    return OK;
}

/* As of doubles, with the exact quotient. */
static status_t bucket(struct eval *eval, uint32_t row, struct error *error)
{
    uint32_t position = eval->expr->position;
    struct numeric x = numeric_at(eval, 0, row);
    struct numeric low = numeric_at(eval, 1, row);
    struct numeric high = numeric_at(eval, 2, row);
    int64_t count = exec__eval_integer(eval->arguments[3], row);
    int64_t *out = &eval->out.as.integers[row];
    int order = numeric_compare(low, high);
    if (count <= 0)
        return error_sql(error, "2201G", position, "count must be greater than zero");
    if (order == 0)
        return error_sql(error, "2201G", position, "lower bound cannot equal upper bound");
    if (count == INT64_MAX)
        return error_sql(error, "22003", position, "bigint out of range");
    int to_low = numeric_compare(x, low) * -order; /* below 0: outside at that end */
    int to_high = numeric_compare(x, high) * -order;
    *out = to_low < 0 ? 0 : count + 1;
    if (to_low < 0 || to_high >= 0)
        return OK;
    struct numeric part;
    struct numeric width;
    bool fits = numeric_subtract(x, low, &part) && numeric_subtract(high, low, &width) &&
                numeric_multiply(part, numeric_from_integer(count), &part) &&
                numeric_divide(part, width, &part) &&
                numeric_round(part, 0, NUMERIC_TOWARDS_ZERO, &part) &&
                numeric_to_integer(part, out);
    if (!fits)
        return overflow(eval, error);
    *out = *out < count ? *out + 1 : count;
    return OK;
}

/* ---- doubles -----------------------------------------------------------------------------------
 */

#define RADIANS_PER_DEGREE 0.017453292519943295769236907684886

/* Of 0 to 90 degrees, exact at the ends and where the result is a half. */
static double sine_of_degrees(double x)
{
    if (x <= 30)
        return sin(x * RADIANS_PER_DEGREE) / sin(30 * RADIANS_PER_DEGREE) / 2;
    double rest = 90 - x;
    return 1 - (1 - cos(rest * RADIANS_PER_DEGREE)) / (1 - cos(60 * RADIANS_PER_DEGREE)) / 2;
}

static double sine_degrees(double x)
{
    x = fmod(x, 360);
    double sign = signbit(x) ? -1 : 1;
    x = fabs(x);
    if (x > 180) {
        x = 360 - x;
        sign = -sign;
    }
    return sign * sine_of_degrees(x > 90 ? 180 - x : x);
}

static double cosine_degrees(double x)
{
    x = fabs(fmod(x, 360));
    x = x > 180 ? 360 - x : x;
    return x > 90 ? -sine_of_degrees(x - 90) : sine_of_degrees(90 - x);
}

/* Arcs in degrees: in proportion to one that is known, so that this and its like come out whole. */
static double arcsine_degrees(double x)
{
    double size = fabs(x);
    double arc = size <= 0.5 ? asin(size) / asin(0.5) * 30 : 90 - acos(size) / acos(0.5) * 60;
    return copysign(arc, x);
}

static double arccosine_degrees(double x)
{
    return x > 0.5 ? acos(x) / acos(0.5) * 60 : 90 - arcsine_degrees(x);
}

static double of_arctangent(double radians)
{
    return radians / atan(1) * 45;
}

static double real_apply(enum expr_call call, double x, double y)
{
    switch (call) {
    case CALL_ASINH:
        return asinh(x);
    case CALL_ACOSH:
        return acosh(x);
    case CALL_ATANH:
        return atanh(x);
    case CALL_SIND:
        return sine_degrees(x);
    case CALL_COSD:
        return cosine_degrees(x);
    case CALL_TAND:
        return sine_degrees(x) / cosine_degrees(x);
    case CALL_COTD:
        return cosine_degrees(x) / sine_degrees(x);
    case CALL_ASIND:
        return arcsine_degrees(x);
    case CALL_ACOSD:
        return arccosine_degrees(x);
    case CALL_ATAND:
        return of_arctangent(atan(x));
    case CALL_ATAN2D:
        return of_arctangent(atan2(x, y));
    case CALL_ERF:
        return erf(x);
    default:
        ASSERT(call == CALL_ERFC);
        return erfc(x);
    }
}

/* Where the function is. */
static bool in_domain(enum expr_call call, double x)
{
    switch (call) {
    case CALL_ACOSH:
        return !(x < 1);
    case CALL_ATANH:
    case CALL_ASIND:
    case CALL_ACOSD:
        return !(x < -1 || x > 1);
    case CALL_SIND:
    case CALL_COSD:
    case CALL_TAND:
    case CALL_COTD:
        return !isinf(x);
    default:
        return true;
    }
}

static status_t real(struct eval *eval, uint32_t row, struct error *error)
{
    double x = exec__eval_double(eval->arguments[0], row);
    double y = eval->argument_count > 1 ? exec__eval_double(eval->arguments[1], row) : 0;
    if (!in_domain(eval->expr->call, x))
        return error_sql(error, "22003", eval->expr->position, "input is out of range");
    eval->out.as.reals[row] = real_apply(eval->expr->call, x, y) + 0.0; /* no -0 */
    return OK;
}

/* random(low, high): every whole number between them alike. */
static status_t random_between(struct eval *eval, uint32_t row, struct error *error)
{
    int64_t low = exec__eval_integer(eval->arguments[0], row);
    int64_t high = exec__eval_integer(eval->arguments[1], row);
    if (low > high)
        return error_sql(error, "22023", eval->expr->position,
                         "lower bound must be less than or equal to upper bound");
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t number = exec__random(eval->exec);
    if (span < UINT64_MAX) /* the upper part of a product, which favours no number noticeably */
        number = (uint64_t)((unsigned __int128)number * (span + 1) >> 64);
    eval->out.as.integers[row] = (int64_t)((uint64_t)low + number);
    return OK;
}

/* ---- text --------------------------------------------------------------------------------------
 */

static status_t to_char(struct eval *eval, uint32_t row, struct error *error)
{
    struct buffer out = {0};
    struct numeric number;
    struct slice pattern = exec__eval_text(eval->arguments[1], row);
    bool exact = eval->arguments[0]->result->type == SQL_NUMERIC;
    if (exact)
        number = numeric_at(eval, 0, row);
    else if (!numeric_from_double(exec__eval_double(eval->arguments[0], row), false, &number))
        return overflow(eval, error);
    status_t status = numeric_to_char(number, pattern, &out, error);
    if (status == OK)
        eval->out.as.texts[row] = arena_copy(eval->scratch, buffer_slice(&out));
    else if (error)
        error->position = eval->expr->position;
    buffer_free(&out);
    return status;
}

static status_t to_number(struct eval *eval, uint32_t row, struct error *error)
{
    status_t status = numeric_from_char(exec__eval_text(eval->arguments[0], row),
                                        exec__eval_text(eval->arguments[1], row),
                                        &eval->out.as.numerics[row], error);
    if (status != OK && error)
        error->position = eval->expr->position;
    return status;
}

/* ---- */

static eval_row_fn *numeric_function(enum expr_call call)
{
    switch (call) {
    case CALL_LN:
    case CALL_LOG10:
    case CALL_LOG:
        return logarithm;
    case CALL_EXP:
        return exponential;
    case CALL_POWER:
        return power;
    case CALL_GCD:
    case CALL_LCM:
        return divisor;
    case CALL_WIDTH_BUCKET:
        return bucket;
    case CALL_DIV:
        return quotient;
    case CALL_SCALE:
    case CALL_MIN_SCALE:
    case CALL_TRIM_SCALE:
        return scale;
    default:
        return NULL;
    }
}

static eval_row_fn *row_function(const struct expr *expr)
{
    enum sql_type first = expr->argument_count > 0 ? expr->arguments[0]->type : SQL_UNKNOWN;
    bool of_datetime = first >= SQL_DATE && first <= SQL_INTERVAL;
    if (first == SQL_NUMERIC && numeric_function(expr->call))
        return numeric_function(expr->call);
    switch (expr->call) {
    case CALL_FACTORIAL:
        return factorial;
    case CALL_ASINH:
    case CALL_ACOSH:
    case CALL_ATANH:
    case CALL_SIND:
    case CALL_COSD:
    case CALL_TAND:
    case CALL_COTD:
    case CALL_ASIND:
    case CALL_ACOSD:
    case CALL_ATAND:
    case CALL_ATAN2D:
    case CALL_ERF:
    case CALL_ERFC:
        return real;
    case CALL_RANDOM:
        return expr->argument_count == 2 ? random_between : NULL;
    case CALL_TO_CHAR:
        return of_datetime ? NULL : to_char;
    case CALL_TO_NUMBER:
        return to_number;
    default:
        return NULL;
    }
}

static status_t number_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    return status != OK || all_null ? status
                                    : exec__eval_rows(eval, in, row_function(eval->expr), error);
}

/* num_nulls and num_nonnulls. */
static status_t count_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool wanted = eval->expr->call == CALL_NUM_NULLS;
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        status_t status = exec__eval_run(eval->arguments[i], in, error);
        if (status != OK)
            return status;
    }
    exec__eval_prepare(eval, in->row_count);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        int64_t count = 0;
        for (uint32_t j = 0; j < eval->argument_count; j++)
            count += exec__eval_null(eval->arguments[j], row) == wanted;
        eval->out.as.integers[row] = count;
    }
    return OK;
}

eval_fn *exec__number_kernel(const struct expr *expr)
{
    if (expr->call == CALL_NUM_NULLS || expr->call == CALL_NUM_NONNULLS)
        return count_run;
    return row_function(expr) ? number_run : NULL;
}
