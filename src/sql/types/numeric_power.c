/* Logarithms, exponentials and powers of numerics.
 *
 * They are computed in pairs of long doubles, `high` being the sum rounded and `low` what that left
 * away: 128 bits or more, some 38 digits, against the 36 that a numeric has (T. J. Dekker, "A
 * Floating-Point Technique for Extending the Available Precision", 1971). The last of 36 digits may
 * be off by a few; results have as many digits behind the point as in PostgreSQL, which are 16
 * significant ones at least, and those hold.
 *
 * e^x is 2^k e^r with |r| at most ln(2) / 2; r / 512 goes into the series, the result is squared
 * nine times. ln x is the machine's logarithm and one step of Halley's iteration, which triples the
 * number of digits that are right. */
#include "sql/types/types.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

_Static_assert(LDBL_MANT_DIG >= 64, "two long doubles hold the digits of a numeric");

enum { SIGNIFICANT_MIN = 16, EXPONENT_MAX = 3000 };

struct pair {
    long double high;
    long double low;
};

/* ln 2, by its bits: 64 and 64 more. */
static const struct pair ln_2 = {0xb.17217f7d1cf79abp-4L, 0xc.9e3b39803f2f6afp-68L};

static struct pair sum_exact(long double a, long double b)
{
    long double sum = a + b;
    long double b_part = sum - a;
    return (struct pair){sum, (a - (sum - b_part)) + (b - b_part)};
}

static struct pair normal(long double high, long double low)
{
    long double sum = high + low;
    return (struct pair){sum, low - (sum - high)};
}

static struct pair add(struct pair a, struct pair b)
{
    struct pair high = sum_exact(a.high, b.high);
    struct pair low = sum_exact(a.low, b.low);
    struct pair first = normal(high.high, high.low + low.high);
    return normal(first.high, first.low + low.low);
}

static struct pair negative(struct pair a)
{
    return (struct pair){-a.high, -a.low};
}

static struct pair multiply(struct pair a, struct pair b)
{
    long double product = a.high * b.high;
    long double rest = fmal(a.high, b.high, -product);
    return normal(product, rest + (a.high * b.low + a.low * b.high));
}

static struct pair divide(struct pair a, struct pair b)
{
    struct pair quotient = {a.high / b.high, 0};
    for (int i = 0; i < 2; i++) {
        struct pair rest = add(a, negative(multiply(quotient, b)));
        quotient = add(quotient, (struct pair){rest.high / b.high, 0});
    }
    return quotient;
}

/* Exact in the first 64 bits and in the next: a coefficient has at most 120. */
static struct pair from_numeric(struct numeric numeric)
{
    __int128 coefficient = numeric_coefficient(numeric);
    bool below = coefficient < 0;
    unsigned __int128 number =
        below ? -(unsigned __int128)coefficient : (unsigned __int128)coefficient;
    struct pair value =
        sum_exact((long double)(uint64_t)(number >> 64) * 0x1p64L, (long double)(uint64_t)number);
    value = below ? negative(value) : value;
    uint32_t scale = numeric_scale(numeric);
    for (uint32_t step = scale; step > 0;) {
        uint32_t part = step < 18 ? step : 18;
        value = divide(value, (struct pair){(long double)numeric_power_of_ten(part), 0});
        step -= part;
    }
    return value;
}

/* With `scale` digits behind the point, or as many of them as there is room for. */
static bool to_numeric(struct pair value, int32_t scale, struct numeric *out)
{
    bool below = value.high < 0;
    value = below ? negative(value) : value;
    if (!(value.high < 1e36L))
        return false;
    int32_t whole = value.high < 1 ? 0 : (int32_t)floorl(log10l(value.high)) + 1;
    scale = scale < 0 ? 0 : scale;
    if (scale > NUMERIC_DIGITS_MAX - whole)
        scale = NUMERIC_DIGITS_MAX - whole > 0 ? NUMERIC_DIGITS_MAX - whole : 0;
    for (int32_t step = scale; step > 0;) {
        uint32_t part = step < 18 ? (uint32_t)step : 18;
        value = multiply(value, (struct pair){(long double)numeric_power_of_ten(part), 0});
        step -= (int32_t)part;
    }
    value = add(value, (struct pair){0.5L, 0});
    long double upper = floorl(value.high * 0x1p-64L);
    struct pair rest = add(value, (struct pair){-upper * 0x1p64L, 0});
    __int128 number = (__int128)((unsigned __int128)(uint64_t)upper << 64);
    long double whole_high = floorl(rest.high);
    long double low = rest.high - whole_high + rest.low;
    number += (__int128)whole_high + (__int128)floorl(low);
    return numeric_fit(below ? -number : number, (uint32_t)scale, out);
}

static struct pair exponential(struct pair x)
{
    enum { HALVINGS = 9, TERMS = 16 };
    long double k = rintl(x.high / ln_2.high);
    struct pair rest = add(x, negative(multiply((struct pair){k, 0}, ln_2)));
    struct pair small = {ldexpl(rest.high, -HALVINGS), ldexpl(rest.low, -HALVINGS)};
    /* e^small - 1, which keeps the digits that adding 1 would push out. */
    struct pair term = small;
    struct pair sum = small;
    for (int i = 2; i <= TERMS; i++) {
        term = divide(multiply(term, small), (struct pair){i, 0});
        sum = add(sum, term);
    }
    for (int i = 0; i < HALVINGS; i++) /* (1 + s)^2 - 1 */
        sum = add(add(sum, sum), multiply(sum, sum));
    sum = add(sum, (struct pair){1, 0});
    return (struct pair){ldexpl(sum.high, (int)k), ldexpl(sum.low, (int)k)};
}

static struct pair logarithm(struct pair x)
{
    struct pair guess = {logl(x.high), 0};
    struct pair power = exponential(guess);
    struct pair step = divide(add(x, negative(power)), add(x, power));
    return add(guess, add(step, step));
}

/* About the place of the first digit of a logarithm: 0 for 1 to 9, -1 for 0.1 to 0.9. Near 1 that
 * of the difference from 1. As PostgreSQL guesses it, for it is seen in the digits of results. */
static int32_t logarithm_weight(struct numeric numeric, struct pair logarithm)
{
    long double size = fabsl(logarithm.high);
    struct pair x = from_numeric(numeric);
    __int128 one = 1;
    int32_t weight = -1 - (int32_t)numeric_scale(numeric);
    if (size == 0 || x.high < 0.9L || x.high > 1.1L)
        return size == 0 ? 0 : (int32_t)log10l(size);
    for (uint32_t i = 0; i < numeric_scale(numeric); i++)
        one *= 10;
    __int128 difference = numeric_coefficient(numeric) - one;
    for (; difference != 0; difference /= 10)
        weight++;
    return weight;
}

static int32_t at_least(int32_t a, uint32_t b)
{
    return a > (int32_t)b ? a : (int32_t)b;
}

bool numeric_ln(struct numeric numeric, struct numeric *out)
{
    ASSERT(numeric_coefficient(numeric) > 0);
    struct pair result = logarithm(from_numeric(numeric));
    int32_t scale =
        at_least(SIGNIFICANT_MIN - logarithm_weight(numeric, result), numeric_scale(numeric));
    return to_numeric(result, scale, out);
}

bool numeric_log(struct numeric base, struct numeric numeric, struct numeric *out)
{
    ASSERT(numeric_coefficient(base) > 0 && numeric_coefficient(numeric) > 0);
    struct pair of_base = logarithm(from_numeric(base));
    struct pair of_number = logarithm(from_numeric(numeric));
    ASSERT(of_base.high != 0);
    int32_t weight = logarithm_weight(numeric, of_number) - logarithm_weight(base, of_base);
    int32_t scale = at_least(SIGNIFICANT_MIN - weight, numeric_scale(numeric));
    scale = at_least(scale, numeric_scale(base));
    return to_numeric(divide(of_number, of_base), scale, out);
}

bool numeric_exp(struct numeric numeric, struct numeric *out)
{
    struct pair x = from_numeric(numeric);
    if (fabsl(x.high) > EXPONENT_MAX) {
        *out = numeric_make(0, NUMERIC_SCALE_MAX);
        return x.high < 0;
    }
    int32_t weight = (int32_t)(x.high * 0.434294481903252L);
    int32_t scale = at_least(SIGNIFICANT_MIN - weight, numeric_scale(numeric));
    return to_numeric(exponential(x), scale, out);
}

/* x^n, exact as long as it fits into a pair. */
static struct pair power_whole(struct pair x, uint64_t n)
{
    struct pair result = {1, 0};
    for (; n > 0; n >>= 1) {
        if (n & 1)
            result = multiply(result, x);
        x = multiply(x, x);
    }
    return result;
}

enum numeric_power numeric_power(struct numeric base, struct numeric exponent, struct numeric *out)
{
    __int128 b = numeric_coefficient(base);
    struct numeric trimmed = numeric_trim(exponent);
    bool whole = numeric_scale(trimmed) == 0;
    __int128 n = numeric_coefficient(trimmed);
    int32_t scale = at_least((int32_t)numeric_scale(base), numeric_scale(exponent));
    if (b == 0 && n < 0)
        return NUMERIC_POWER_OF_ZERO;
    if (b < 0 && !whole)
        return NUMERIC_POWER_COMPLEX;
    scale = at_least(scale, SIGNIFICANT_MIN);
    if (b == 0 || n == 0) {
        *out = numeric_make(0, (uint32_t)scale);
        bool fits = n != 0 || to_numeric((struct pair){1, 0}, scale, out);
        return fits ? NUMERIC_POWER_OK : NUMERIC_POWER_OVERFLOW;
    }
    struct pair x = from_numeric(base);
    struct pair y = from_numeric(exponent);
    struct pair product = multiply(y, logarithm(b < 0 ? negative(x) : x));
    if (fabsl(product.high) > EXPONENT_MAX) {
        *out = numeric_make(0, NUMERIC_SCALE_MAX);
        return product.high < 0 ? NUMERIC_POWER_OK : NUMERIC_POWER_OVERFLOW;
    }
    scale = SIGNIFICANT_MIN - (int32_t)(product.high * 0.434294481903252L);
    scale = at_least(at_least(scale, numeric_scale(base)), numeric_scale(exponent));
    /* PostgreSQL counts digits behind the point, not significant ones, where it multiplies. */
    if (whole && n >= INT32_MIN && n <= INT32_MAX)
        scale = at_least(SIGNIFICANT_MIN, numeric_scale(base));
    struct pair result;
    const int32_t whole_max = 1 << 16;
    if (whole && n >= -whole_max && n <= whole_max) {
        result = power_whole(x, (uint64_t)(n < 0 ? -n : n));
        result = n < 0 ? divide((struct pair){1, 0}, result) : result;
    } else {
        result = exponential(product);
        result = b < 0 && n % 2 != 0 ? negative(result) : result;
    }
    return to_numeric(result, scale, out) ? NUMERIC_POWER_OK : NUMERIC_POWER_OVERFLOW;
}
