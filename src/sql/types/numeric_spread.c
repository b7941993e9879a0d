/* Exact variances of decimals.
 *
 * Kept are the number of values, their sum and the sum of their squares, as whole numbers of
 * 1 / 10^scale and 1 / 10^(2 scale), scale being the greatest of the values. A value has less than
 * 10^72 of these (36 digits, 36 places), which is 240 bits: with 2^64 values the sum has less than
 * 304 bits and a sign, the sum of squares less than 543 bits.
 *
 *     variance = (n * squares - sum^2) / (n * (n - 1)), or / (n * n) for the whole population
 *
 * The quotient has as many digits behind the point as PostgreSQL gives it (select_div_scale of its
 * numeric.c): 16 significant ones, counted in groups of four, and no fewer than the squares have.
 * The deviation is the root of that quotient, with as many. What has more than 36 digits then loses
 * those at its end. */
#include "sql/types/types.h"

#include <string.h>

#include "base/check.h"

typedef unsigned __int128 u128;

enum {
    WORDS = 16, /* of 64 bits: n * squares has 608, and up to 36 more digits, twice for a root */
    SUM_WORDS = NUMERIC_SPREAD_SUM_WORDS,
    SQUARE_WORDS = NUMERIC_SPREAD_SQUARE_WORDS,
};

/* A whole number not below 0, low words first. */
struct wide {
    uint64_t words[WORDS];
};

static bool wide_is_zero(const struct wide *wide)
{
    for (uint32_t i = 0; i < WORDS; i++)
        if (wide->words[i])
            return false;
    return true;
}

static void words_multiply(uint64_t *words, uint32_t count, uint64_t by)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < count; i++) {
        u128 product = (u128)words[i] * by + carry;
        words[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
}

static void words_add(uint64_t *words, uint32_t count, const uint64_t *more, uint32_t more_count)
{
    uint64_t carry = 0;
    for (uint32_t i = 0; i < count && (i < more_count || carry); i++) {
        u128 sum = (u128)words[i] + (i < more_count ? more[i] : 0) + carry;
        words[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
}

/* a -= b, which is not greater. */
static void wide_subtract(struct wide *a, const struct wide *b)
{
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        u128 difference = (u128)a->words[i] - b->words[i] - borrow;
        a->words[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    ASSERT(borrow == 0);
}

static int wide_compare(const struct wide *a, const struct wide *b)
{
    for (uint32_t i = WORDS; i-- > 0;)
        if (a->words[i] != b->words[i])
            return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* The remainder comes back. */
static uint64_t wide_divide(struct wide *wide, uint64_t by)
{
    uint64_t rest = 0;
    ASSERT(by > 0);
    for (uint32_t i = WORDS; i-- > 0;) {
        if (!rest && !wide->words[i])
            continue;
        u128 part = (u128)rest << 64 | wide->words[i];
        wide->words[i] = (uint64_t)(part / by);
        rest = (uint64_t)(part % by);
    }
    return rest;
}

static void wide_halve(struct wide *wide)
{
    for (uint32_t i = 0; i < WORDS; i++)
        wide->words[i] = wide->words[i] >> 1 | (i + 1 < WORDS ? wide->words[i + 1] << 63 : 0);
}

/* a * b; both have few enough words. */
static struct wide words_product(const uint64_t *a, uint32_t a_count, const uint64_t *b,
                                 uint32_t b_count)
{
    struct wide product = {{0}};
    ASSERT(a_count + b_count <= WORDS);
    for (uint32_t i = 0; i < a_count; i++) {
        uint64_t carry = 0;
        for (uint32_t j = 0; j < b_count; j++) {
            u128 sum = (u128)a[i] * b[j] + product.words[i + j] + carry;
            product.words[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        product.words[i + b_count] = carry;
    }
    return product;
}

static uint64_t small_power(uint32_t exponent)
{
    ASSERT(exponent <= 19);
    return (uint64_t)numeric_power_of_ten(exponent);
}

/* times 10^exponent */
static void words_shift(uint64_t *words, uint32_t count, uint32_t exponent)
{
    for (; exponent > 19; exponent -= 19)
        words_multiply(words, count, small_power(19));
    words_multiply(words, count, small_power(exponent));
}

static void wide_unshift(struct wide *wide, uint32_t exponent)
{
    for (; exponent > 19; exponent -= 19)
        wide_divide(wide, small_power(19));
    wide_divide(wide, small_power(exponent));
}

/* ---- taking values in -------------------------------------------------------------------------
 */

static void spread_rescale(struct numeric_spread *spread, uint32_t scale)
{
    uint32_t by = scale - spread->scale;
    ASSERT(scale >= spread->scale && scale <= NUMERIC_SCALE_MAX);
    words_shift(spread->sum, SUM_WORDS, by); /* two's complement, like the others */
    words_shift(spread->squares, SQUARE_WORDS, 2 * by);
    spread->scale = scale;
}

static void words_negate(uint64_t *words, uint32_t count)
{
    const uint64_t one = 1;
    for (uint32_t i = 0; i < count; i++)
        words[i] = ~words[i];
    words_add(words, count, &one, 1);
}

void numeric_spread_add(struct numeric_spread *spread, __int128 coefficient, uint32_t scale)
{
    u128 number = coefficient < 0 ? 0 - (u128)coefficient : (u128)coefficient;
    uint64_t value[SUM_WORDS] = {(uint64_t)number, (uint64_t)(number >> 64)};
    uint32_t used = value[1] ? 2 : 1;
    if (scale > spread->scale)
        spread_rescale(spread, scale);
    if (scale < spread->scale) {
        words_shift(value, SUM_WORDS, spread->scale - scale);
        used = 4;
        ASSERT(value[4] == 0);
    }
    struct wide square = words_product(value, used, value, used);
    words_add(spread->squares, SQUARE_WORDS, square.words, 2 * used);
    if (coefficient < 0)
        words_negate(value, SUM_WORDS);
    words_add(spread->sum, SUM_WORDS, value, SUM_WORDS);
    spread->count++;
}

void numeric_spread_merge(struct numeric_spread *into, const struct numeric_spread *from)
{
    struct numeric_spread other = *from;
    if (other.scale > into->scale)
        spread_rescale(into, other.scale);
    else
        spread_rescale(&other, into->scale);
    words_add(into->sum, SUM_WORDS, other.sum, SUM_WORDS);
    words_add(into->squares, SQUARE_WORDS, other.squares, SQUARE_WORDS);
    into->count += other.count;
}

/* ---- results ----------------------------------------------------------------------------------
 */

/* Decimal digits, and the first up to four of them as PostgreSQL groups the digits of a number:
 * *weight is the place of that group before the point. */
static uint32_t first_group(struct wide number, uint32_t scale, int32_t *weight, uint32_t *digits)
{
    uint64_t parts[WORDS + 1]; /* of 19 digits */
    uint32_t count = 0;
    while (!wide_is_zero(&number))
        parts[count++] = wide_divide(&number, small_power(19));
    ASSERT(count > 0);
    uint32_t top = 1;
    while (top < 19 && parts[count - 1] >= small_power(top))
        top++;
    *digits = (count - 1) * 19 + top;
    int32_t exponent = (int32_t)*digits - 1 - (int32_t)scale;
    *weight = exponent >= 0 ? exponent / 4 : -((3 - exponent) / 4);
    uint32_t wanted = (uint32_t)(exponent - *weight * 4 + 1);
    uint64_t first = parts[count - 1];
    if (top >= wanted)
        return (uint32_t)(first / small_power(top - wanted));
    uint64_t next = count > 1 ? parts[count - 2] : 0;
    return (uint32_t)(first * small_power(wanted - top) + next / small_power(19 - wanted + top));
}

/* Digits behind the point of a quotient. */
static uint32_t quotient_scale(const struct wide *number, uint32_t scale, const struct wide *by)
{
    enum { SIGNIFICANT = 16 };
    int32_t weight, by_weight;
    uint32_t digits;
    uint32_t first = first_group(*number, scale, &weight, &digits);
    uint32_t by_first = first_group(*by, 0, &by_weight, &digits);
    int32_t quotient = weight - by_weight - (first <= by_first);
    int32_t behind = SIGNIFICANT - quotient * 4;
    return behind > (int32_t)scale ? (uint32_t)behind : scale;
}

/* number / (10^scale * a * b), to `behind` digits, rounded: (2 number + divisor) / (2 divisor). */
static struct wide quotient(struct wide number, uint32_t scale, uint64_t a, uint64_t b,
                            uint32_t behind)
{
    uint32_t shift = behind < scale ? scale - behind : 0; /* of the divisor */
    struct wide divisor = {{a}};
    if (behind > scale)
        words_shift(number.words, WORDS, behind - scale);
    words_multiply(divisor.words, WORDS, b);
    words_shift(divisor.words, WORDS, shift);
    words_multiply(number.words, WORDS, 2);
    words_add(number.words, WORDS, divisor.words, WORDS);
    wide_halve(&number);
    wide_divide(&number, a);
    wide_divide(&number, b);
    wide_unshift(&number, shift);
    return number;
}

static uint32_t wide_bits(const struct wide *wide)
{
    for (uint32_t i = WORDS; i-- > 0;)
        if (wide->words[i])
            return i * 64 + 64 - (uint32_t)__builtin_clzll(wide->words[i]);
    return 0;
}

/* Rounded: the root r of n is at least r + 1/2 when n - r^2 > r. Bit by bit, as by hand. */
static struct wide wide_root(struct wide number)
{
    struct wide root = {{0}};
    for (uint32_t bit = (wide_bits(&number) + 1) / 2; bit-- > 0;) {
        /* (root + 2^bit)^2 = root^2 + 2^bit * (2 root + 2^bit); root^2 is taken off already, and
         * `root` holds 2^(bit + 1) * root. */
        struct wide step = root;
        step.words[2 * bit / 64] |= UINT64_C(1) << 2 * bit % 64;
        bool fits = wide_compare(&number, &step) >= 0;
        if (fits)
            wide_subtract(&number, &step);
        wide_halve(&root);
        if (fits)
            root.words[2 * bit / 64] |= UINT64_C(1) << 2 * bit % 64;
    }
    const uint64_t one = 1;
    if (wide_compare(&number, &root) > 0)
        words_add(root.words, WORDS, &one, 1);
    return root;
}

static uint32_t digit_count(const struct wide *number)
{
    int32_t weight;
    uint32_t digits = 0;
    if (!wide_is_zero(number))
        first_group(*number, 0, &weight, &digits);
    return digits;
}

/* `behind` digits, or as many as there is room for. */
static bool spread_result(const struct wide *number, uint32_t scale, uint64_t a, uint64_t b,
                          uint32_t behind, bool root, struct numeric *out)
{
    for (;;) {
        struct wide result = quotient(*number, scale, a, b, behind);
        if (root) {
            words_shift(result.words, WORDS, behind);
            result = wide_root(result);
        }
        uint32_t digits = digit_count(&result);
        if (digits <= NUMERIC_DIGITS_MAX && behind <= NUMERIC_SCALE_MAX) {
            *out = numeric_make((__int128)((u128)result.words[1] << 64 | result.words[0]), behind);
            return true;
        }
        uint32_t too_many = digits > NUMERIC_DIGITS_MAX ? digits - NUMERIC_DIGITS_MAX : 0;
        if (behind > NUMERIC_SCALE_MAX && behind - NUMERIC_SCALE_MAX > too_many)
            too_many = behind - NUMERIC_SCALE_MAX;
        if (too_many > behind)
            return false;
        behind -= too_many;
    }
}

bool numeric_spread_variance(const struct numeric_spread *spread, bool sample, bool root,
                             struct numeric *out)
{
    uint64_t n = spread->count;
    ASSERT(n > (sample ? 1 : 0));
    uint64_t sum[SUM_WORDS];
    memcpy(sum, spread->sum, sizeof sum);
    if (sum[SUM_WORDS - 1] >> 63)
        words_negate(sum, SUM_WORDS);
    struct wide number = words_product(spread->squares, SQUARE_WORDS, &n, 1);
    struct wide squared = words_product(sum, SUM_WORDS, sum, SUM_WORDS);
    ASSERT(wide_compare(&number, &squared) >= 0);
    wide_subtract(&number, &squared);
    *out = numeric_make(0, 0);
    if (wide_is_zero(&number))
        return true;
    uint64_t others = sample ? n - 1 : n;
    struct wide divisor = {{n}};
    words_multiply(divisor.words, WORDS, others);
    uint32_t behind = quotient_scale(&number, 2 * spread->scale, &divisor);
    /* More would not fit into what comes out, and a root has half as many before the point. */
    if (behind > NUMERIC_SCALE_MAX)
        behind = NUMERIC_SCALE_MAX;
    return spread_result(&number, 2 * spread->scale, n, others, behind, root, out);
}
