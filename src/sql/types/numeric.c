/* Exact decimals: a coefficient of up to 36 decimal digits and how many of them are behind the
 * point.
 *
 * A coefficient has at most 120 bits, so that two of them can be added, and one be multiplied by
 * ten or by twenty, in 128 bits: what long-hand division and roots do digit by digit. Products of
 * ordinary numbers fit into 128 bits as well; those that do not are computed in 256 bits, and lose
 * digits behind the point until they have 36.
 *
 * Rounding is half away from zero: the first digit dropped decides, whatever is behind it. That is
 * why digits may be dropped in several steps as long as only the last step rounds. */
#include "sql/types/types.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

typedef unsigned __int128 u128;

static const uint64_t powers[20] = {
    UINT64_C(1),
    UINT64_C(10),
    UINT64_C(100),
    UINT64_C(1000),
    UINT64_C(10000),
    UINT64_C(100000),
    UINT64_C(1000000),
    UINT64_C(10000000),
    UINT64_C(100000000),
    UINT64_C(1000000000),
    UINT64_C(10000000000),
    UINT64_C(100000000000),
    UINT64_C(1000000000000),
    UINT64_C(10000000000000),
    UINT64_C(100000000000000),
    UINT64_C(1000000000000000),
    UINT64_C(10000000000000000),
    UINT64_C(100000000000000000),
    UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000),
};

enum { POWER_MAX = 38 };

u128 numeric_power_of_ten(uint32_t exponent)
{
    ASSERT(exponent <= POWER_MAX);
    return exponent < 20 ? powers[exponent] : (u128)powers[19] * powers[exponent - 19];
}

/* Above every coefficient: 10^36. */
#define LIMIT ((u128)UINT64_C(1000000000000000000) * UINT64_C(1000000000000000000))

static inline u128 magnitude(__int128 number)
{
    return number < 0 ? 0 - (u128)number : (u128)number;
}

static inline __int128 with_sign(u128 number, bool negative)
{
    return negative ? -(__int128)number : (__int128)number;
}

/* Decimal digits of a number; of 0 none. */
static uint32_t digit_count(u128 number)
{
    uint32_t count = number < powers[18] ? 0 : 18;
    while (count <= POWER_MAX && number >= numeric_power_of_ten(count))
        count++;
    return count;
}

/* number / 10^exponent, rounded half away from zero. */
static u128 drop_digits(u128 number, uint32_t exponent)
{
    if (exponent == 0)
        return number;
    if (exponent > POWER_MAX)
        return 0; /* at most 39 digits: no more than 0.17 */
    u128 power = numeric_power_of_ten(exponent);
    return number / power + (number % power >= power / 2);
}

bool numeric_fit(__int128 coefficient, uint32_t scale, struct numeric *out)
{
    u128 number = magnitude(coefficient);
    if (number < LIMIT && scale <= NUMERIC_SCALE_MAX) {
        *out = numeric_make(coefficient, scale);
        return true;
    }
    uint32_t digits = digit_count(number);
    uint32_t drop = scale > NUMERIC_SCALE_MAX ? scale - NUMERIC_SCALE_MAX : 0;
    if (digits > NUMERIC_DIGITS_MAX + drop)
        drop = digits - NUMERIC_DIGITS_MAX;
    /* Once more when rounding up made one digit more of it. */
    for (u128 kept;; drop++) {
        if (drop > scale)
            return false;
        kept = drop_digits(number, drop);
        if (kept < LIMIT) {
            *out = numeric_make(with_sign(kept, coefficient < 0), scale - drop);
            return true;
        }
    }
}

struct numeric numeric_from_integer(int64_t integer)
{
    return numeric_make(integer, 0);
}

/* ---- text and doubles -------------------------------------------------------------------------
 */

struct digits {
    u128 number;
    int64_t scale; /* below 0: zeros to be appended */
    size_t count;  /* of digits read */
};

/* The first 37 significant digits count; the others are dropped, which the rounding to 36 does not
 * notice. */
static void take_digits(struct slice text, size_t *at, bool behind_point, struct digits *digits)
{
    for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++) {
        bool kept = digits->number < LIMIT;
        if (kept)
            digits->number = digits->number * 10 + (uint8_t)(text.data[*at] - (uint8_t)'0');
        if (kept == behind_point)
            digits->scale += behind_point ? 1 : -1;
        digits->count++;
    }
}

/* e [+-] digits at the end of a number. */
static bool take_exponent(struct slice text, size_t *at, int64_t *exponent)
{
    enum { ENOUGH = 100000 }; /* beyond it every number but 0 is too long, or 0 */
    *exponent = 0;
    if (*at == text.size || (text.data[*at] | 0x20) != 'e')
        return true;
    (*at)++;
    bool negative = *at < text.size && text.data[*at] == '-';
    if (*at < text.size && (negative || text.data[*at] == '+'))
        (*at)++;
    size_t start = *at;
    for (; *at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++)
        if (*exponent < ENOUGH)
            *exponent = *exponent * 10 + (text.data[*at] - '0');
    if (negative)
        *exponent = -*exponent;
    return *at > start;
}

status_t numeric_parse(struct slice text, struct numeric *out)
{
    ASSERT(out);
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t at = negative || (text.size > 0 && text.data[0] == '+') ? 1 : 0;
    struct digits digits = {0};
    take_digits(text, &at, false, &digits);
    if (at < text.size && text.data[at] == '.') {
        at++;
        take_digits(text, &at, true, &digits);
    }
    int64_t exponent;
    if (digits.count == 0 || !take_exponent(text, &at, &exponent) || at != text.size)
        return ERR_SQL;
    int64_t scale = digits.scale - exponent;
    u128 number = digits.number;
    if (number == 0 && scale < 0)
        scale = 0;
    if (scale < 0) {
        if (scale < -NUMERIC_DIGITS_MAX ||
            digit_count(number) + (uint32_t)-scale > NUMERIC_DIGITS_MAX)
            return ERR_TOO_LONG;
        number *= numeric_power_of_ten((uint32_t)-scale);
        scale = 0;
    }
    enum { SCALE_BEYOND = 100 }; /* all digits are dropped */
    if (scale > SCALE_BEYOND)
        scale = SCALE_BEYOND;
    return numeric_fit(with_sign(number, negative), (uint32_t)scale, out) ? OK : ERR_TOO_LONG;
}

size_t numeric_format(struct numeric numeric, char out[NUMERIC_TEXT_MAX])
{
    char reversed[NUMERIC_TEXT_MAX];
    __int128 coefficient = numeric_coefficient(numeric);
    uint32_t scale = numeric_scale(numeric);
    u128 number = magnitude(coefficient);
    size_t size = 0;
    uint32_t digits = 0;
    do {
        if (scale > 0 && digits == scale)
            reversed[size++] = '.';
        uint64_t digit;
        if (number <= UINT64_MAX) {
            digit = (uint64_t)number % 10;
            number = (uint64_t)number / 10;
        } else {
            digit = (uint64_t)(number % 10);
            number /= 10;
        }
        reversed[size++] = (char)('0' + digit);
        digits++;
    } while (number > 0 || digits <= scale);
    if (coefficient < 0)
        reversed[size++] = '-';
    ASSERT(size < NUMERIC_TEXT_MAX);
    for (size_t i = 0; i < size; i++)
        out[i] = reversed[size - 1 - i];
    out[size] = '\0';
    return size;
}

bool numeric_from_double(double real, bool is_real, struct numeric *out)
{
    char text[32];
    if (!isfinite(real))
        return false;
    int size = snprintf(text, sizeof text, "%.*g", is_real ? 6 : 15, real);
    ASSERT(size > 0 && size < (int)sizeof text);
    return numeric_parse(slice_make(text, (size_t)size), out) == OK;
}

double numeric_to_double(struct numeric numeric)
{
    enum { EXACT_SCALE_MAX = 22 }; /* 10^22 is the last power of ten that is a double */
    static const double tens[EXACT_SCALE_MAX + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    };
    __int128 coefficient = numeric_coefficient(numeric);
    uint32_t scale = numeric_scale(numeric);
    /* Both are doubles, and the quotient of two doubles is rounded once. */
    if (magnitude(coefficient) <= (u128)1 << 53 && scale <= EXACT_SCALE_MAX)
        return (double)coefficient / tens[scale];
    char text[NUMERIC_TEXT_MAX];
    numeric_format(numeric, text);
    return strtod(text, NULL);
}

bool numeric_to_integer(struct numeric numeric, int64_t *out)
{
    __int128 coefficient = numeric_coefficient(numeric);
    __int128 whole =
        with_sign(drop_digits(magnitude(coefficient), numeric_scale(numeric)), coefficient < 0);
    *out = (int64_t)whole;
    return whole >= INT64_MIN && whole <= INT64_MAX;
}

/* ---- order --------------------------------------------------------------------------------------
 */

int numeric_compare(struct numeric a, struct numeric b)
{
    __int128 x = numeric_coefficient(a);
    __int128 y = numeric_coefficient(b);
    uint32_t x_scale = numeric_scale(a);
    uint32_t y_scale = numeric_scale(b);
    if (x_scale == y_scale)
        return (x > y) - (x < y);
    if ((x < 0) != (y < 0) || x == 0 || y == 0)
        return (x > y) - (x < y);
    /* The one with fewer digits behind the point gets as many; if that does not fit, it is the
     * longer one, and so the one farther from zero. */
    bool x_grows = x_scale < y_scale;
    bool negative = x < 0;
    __int128 *grows = x_grows ? &x : &y;
    uint32_t by = x_grows ? y_scale - x_scale : x_scale - y_scale;
    if (__builtin_mul_overflow(*grows, (__int128)numeric_power_of_ten(by), grows))
        return negative != x_grows ? 1 : -1;
    return (x > y) - (x < y);
}

struct numeric numeric_trim(struct numeric numeric)
{
    __int128 coefficient = numeric_coefficient(numeric);
    uint32_t scale = numeric_scale(numeric);
    if (coefficient == 0)
        return numeric_make(0, 0);
    while (scale > 0 && coefficient != (int64_t)coefficient && coefficient % 10 == 0) {
        coefficient /= 10;
        scale--;
    }
    if (coefficient != (int64_t)coefficient)
        return numeric_make(coefficient, scale);
    int64_t small = (int64_t)coefficient;
    while (scale > 0 && small % 10 == 0) {
        small /= 10;
        scale--;
    }
    return numeric_make(small, scale);
}

/* ---- arithmetic ---------------------------------------------------------------------------------
 */

/* a + b where aligning the two needs more than 128 bits: what has the more digits behind the point
 * is rounded to where the other one has room. */
static bool add_far(__int128 coarse, uint32_t coarse_scale, __int128 fine, uint32_t fine_scale,
                    struct numeric *out)
{
    uint32_t digits = digit_count(magnitude(coarse));
    uint32_t room = NUMERIC_DIGITS_MAX > digits ? NUMERIC_DIGITS_MAX - digits : 0;
    uint32_t scale = coarse_scale + room;
    ASSERT(scale < fine_scale);
    coarse *= (__int128)numeric_power_of_ten(room);
    fine = with_sign(drop_digits(magnitude(fine), fine_scale - scale), fine < 0);
    return numeric_fit(coarse + fine, scale, out);
}

bool numeric_add(struct numeric a, struct numeric b, struct numeric *out)
{
    __int128 x = numeric_coefficient(a);
    __int128 y = numeric_coefficient(b);
    uint32_t x_scale = numeric_scale(a);
    uint32_t y_scale = numeric_scale(b);
    if (x_scale > y_scale) {
        __int128 swap = x;
        uint32_t swap_scale = x_scale;
        x = y;
        x_scale = y_scale;
        y = swap;
        y_scale = swap_scale;
    }
    __int128 wide = x;
    if (x_scale != y_scale &&
        (__builtin_mul_overflow(x, (__int128)numeric_power_of_ten(y_scale - x_scale), &wide) ||
         magnitude(wide) >= LIMIT * 10))
        return add_far(x, x_scale, y, y_scale, out);
    return numeric_fit(wide + y, y_scale, out);
}

struct numeric numeric_negate(struct numeric numeric)
{
    return numeric_make(-numeric_coefficient(numeric), numeric_scale(numeric));
}

bool numeric_subtract(struct numeric a, struct numeric b, struct numeric *out)
{
    return numeric_add(a, numeric_negate(b), out);
}

/* *number / 10; returns the remainder. Four 64-bit limbs, the lowest first. */
static uint32_t limbs_drop_digit(uint64_t limbs[4])
{
    uint64_t rest = 0;
    for (int i = 3; i >= 0; i--) {
        u128 part = (u128)rest << 64 | limbs[i];
        limbs[i] = (uint64_t)(part / 10);
        rest = (uint64_t)(part % 10);
    }
    return (uint32_t)rest;
}

/* The product in 256 bits, then digits dropped until it fits. */
static bool multiply_long(u128 a, u128 b, uint32_t scale, bool negative, struct numeric *out)
{
    u128 low = (u128)(uint64_t)a * (uint64_t)b;
    u128 cross_a = (u128)(uint64_t)(a >> 64) * (uint64_t)b;
    u128 cross_b = (u128)(uint64_t)a * (uint64_t)(b >> 64);
    u128 high = (u128)(uint64_t)(a >> 64) * (uint64_t)(b >> 64);
    u128 middle = (low >> 64) + (uint64_t)cross_a + (uint64_t)cross_b;
    high += (cross_a >> 64) + (cross_b >> 64) + (middle >> 64);
    uint64_t limbs[4] = {(uint64_t)low, (uint64_t)middle, (uint64_t)high, (uint64_t)(high >> 64)};
    uint32_t dropped = 0;
    u128 number = (u128)limbs[1] << 64 | limbs[0];
    while (limbs[3] || limbs[2] || number >= LIMIT || scale > NUMERIC_SCALE_MAX) {
        if (scale == 0)
            return false;
        dropped = limbs_drop_digit(limbs);
        scale--;
        number = (u128)limbs[1] << 64 | limbs[0];
    }
    return numeric_fit(with_sign(number + (dropped >= 5), negative), scale, out);
}

bool numeric_multiply(struct numeric a, struct numeric b, struct numeric *out)
{
    __int128 x = numeric_coefficient(a);
    __int128 y = numeric_coefficient(b);
    uint32_t scale = numeric_scale(a) + numeric_scale(b);
    __int128 product;
    if (!__builtin_mul_overflow(x, y, &product))
        return numeric_fit(product, scale, out);
    return multiply_long(magnitude(x), magnitude(y), scale, (x < 0) != (y < 0), out);
}

static int32_t floor_quarter(int32_t number)
{
    return number >= 0 ? number / 4 : -((3 - number) / 4);
}

/* The first digit of a number in base 10000, and its weight there. */
static int32_t first_digit(u128 number, uint32_t scale, int32_t *weight)
{
    *weight = 0;
    if (number == 0)
        return 0;
    int32_t digits = (int32_t)digit_count(number);
    int32_t exponent = digits - 1 - (int32_t)scale;
    *weight = floor_quarter(exponent);
    int32_t leading = exponent - 4 * *weight + 1;
    if (digits >= leading)
        return (int32_t)(number / numeric_power_of_ten((uint32_t)(digits - leading)));
    return (int32_t)(number * numeric_power_of_ten((uint32_t)(leading - digits)));
}

/* How many digits a quotient has behind the point. PostgreSQL counts in base 10000, and so must we
 * to give what it gives (numeric.c, select_div_scale). */
static uint32_t quotient_scale(u128 a, uint32_t a_scale, u128 b, uint32_t b_scale)
{
    enum { SIGNIFICANT_MIN = 16 };
    int32_t a_weight;
    int32_t b_weight;
    int32_t a_first = first_digit(a, a_scale, &a_weight);
    int32_t b_first = first_digit(b, b_scale, &b_weight);
    int32_t weight = a_weight - b_weight - (a_first <= b_first);
    int32_t scale = SIGNIFICANT_MIN - weight * 4;
    if (scale < (int32_t)a_scale)
        scale = (int32_t)a_scale;
    if (scale < (int32_t)b_scale)
        scale = (int32_t)b_scale;
    return scale < NUMERIC_SCALE_MAX ? (uint32_t)scale : NUMERIC_SCALE_MAX;
}

bool numeric_divide(struct numeric a, struct numeric b, struct numeric *out)
{
    __int128 x = numeric_coefficient(a);
    __int128 y = numeric_coefficient(b);
    ASSERT(y != 0);
    bool negative = (x < 0) != (y < 0);
    u128 number = magnitude(x);
    u128 by = magnitude(y);
    uint32_t scale = quotient_scale(number, numeric_scale(a), by, numeric_scale(b));
    ASSERT(scale >= numeric_scale(a));
    uint32_t steps = scale - numeric_scale(a) + numeric_scale(b); /* digits to bring down */
    uint32_t room = NUMERIC_DIGITS_MAX - digit_count(number);
    uint32_t at_once = steps < room ? steps : room;
    number *= numeric_power_of_ten(at_once);
    steps -= at_once;
    u128 quotient = number / by;
    u128 rest = number % by;
    /* As at school; `rest` is below 10^36 and so has room for one more digit. */
    for (; steps > 0 && quotient < LIMIT / 10; steps--) {
        rest *= 10;
        quotient = quotient * 10 + rest / by;
        rest %= by;
    }
    if (steps > scale)
        return false;
    quotient += rest >= by - rest;
    return numeric_fit(with_sign(quotient, negative), scale - steps, out);
}

bool numeric_modulo(struct numeric a, struct numeric b, struct numeric *out)
{
    __int128 x = numeric_coefficient(a);
    u128 number = magnitude(x);
    u128 by = magnitude(numeric_coefficient(b));
    uint32_t a_scale = numeric_scale(a);
    uint32_t b_scale = numeric_scale(b);
    ASSERT(by != 0);
    for (; a_scale < b_scale; a_scale++)
        number = number % by * 10;
    /* A divisor that outgrows the number leaves it as it is. */
    for (; b_scale < a_scale && by <= number; b_scale++)
        by *= 10;
    if (b_scale == a_scale)
        number %= by;
    return numeric_fit(with_sign(number, x < 0), a_scale, out);
}

/* number / 10^drop, rounded. */
static u128 round_digits(u128 number, bool negative, uint32_t drop, enum numeric_rounding rounding)
{
    if (rounding == NUMERIC_HALF_AWAY)
        return drop_digits(number, drop);
    u128 power = drop <= POWER_MAX ? numeric_power_of_ten(drop) : 0;
    u128 kept = power ? number / power : 0;
    bool exact = power ? number % power == 0 : number == 0;
    bool away = (rounding == NUMERIC_DOWN && negative) || (rounding == NUMERIC_UP && !negative);
    return kept + (away && !exact);
}

bool numeric_round(struct numeric numeric, int64_t digits, enum numeric_rounding rounding,
                   struct numeric *out)
{
    __int128 coefficient = numeric_coefficient(numeric);
    uint32_t scale = numeric_scale(numeric);
    u128 number = magnitude(coefficient);
    if (digits >= scale) {
        uint32_t wanted = digits < NUMERIC_SCALE_MAX ? (uint32_t)digits : NUMERIC_SCALE_MAX;
        for (; scale < wanted && number < LIMIT / 10; scale++)
            number *= 10;
        *out = numeric_make(with_sign(number, coefficient < 0), scale);
        return true;
    }
    uint32_t before = digits >= 0 ? 0 : digits < -POWER_MAX ? POWER_MAX : (uint32_t)-digits;
    uint32_t behind = digits >= 0 ? (uint32_t)digits : 0;
    number = round_digits(number, coefficient < 0, scale - behind + before, rounding);
    if (number >= LIMIT / numeric_power_of_ten(before < 36 ? before : 36) && number > 0)
        return false;
    if (number > 0)
        number *= numeric_power_of_ten(before);
    return numeric_fit(with_sign(number, coefficient < 0), behind, out);
}

/* The root, digit by digit: with the digits found so far as `root` and what is left of the number
 * as `rest`, the next digit is the greatest d with (20 root + d) d <= 100 rest + the next two
 * digits. */
bool numeric_sqrt(struct numeric numeric, struct numeric *out)
{
    enum { SIGNIFICANT_MIN = 16 };
    u128 number = magnitude(numeric_coefficient(numeric));
    ASSERT(numeric_coefficient(numeric) >= 0);
    uint32_t own_scale = numeric_scale(numeric);
    int32_t weight;
    first_digit(number, own_scale, &weight);
    int32_t wanted = SIGNIFICANT_MIN - ((weight + 1) * 2 - 1);
    if (wanted < (int32_t)own_scale)
        wanted = (int32_t)own_scale;
    uint32_t scale = wanted < NUMERIC_SCALE_MAX ? (uint32_t)wanted : NUMERIC_SCALE_MAX;
    /* Pairs are counted from the point. */
    if (own_scale % 2 == 1) {
        number *= 10;
        own_scale++;
    }
    uint32_t pairs = (digit_count(number) + 1) / 2;
    uint32_t more = 2 * scale > own_scale ? scale - own_scale / 2 : 0;
    u128 root = 0;
    u128 rest = 0;
    uint32_t done_scale = own_scale / 2;
    for (uint32_t i = 0; i < pairs + more && root < LIMIT / 10; i++) {
        uint32_t pair = 0;
        if (i < pairs)
            pair = (uint32_t)(number / numeric_power_of_ten(2 * (pairs - 1 - i)) % 100);
        else
            done_scale++;
        rest = rest * 100 + pair;
        uint32_t digit = 0;
        while (digit < 9 && (20 * root + digit + 1) * (digit + 1) <= rest)
            digit++;
        rest -= (20 * root + digit) * digit;
        root = root * 10 + digit;
    }
    root += rest > root; /* above (root + 1/2)^2 */
    return numeric_fit((__int128)root, done_scale, out);
}
