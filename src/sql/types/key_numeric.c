/* Numerics as keys: equal values have one encoding, and memcmp orders them.
 *
 * A number other than 0 is written as 0.d1d2d3... x 10^exponent with d1 not 0, so that of two
 * positive ones that with the greater exponent is the greater, and with equal exponents the digits
 * decide as text would.
 *
 *   0          80
 *   positive   c0 + exponent, then for each two digits 1 + their value, then 00
 *   negative   40 - exponent, then for each two digits fe - their value, then ff
 *
 * The exponent is within -35..36 and so the three kinds do not meet. Zeros at the end are not
 * written, but one when the number of digits is odd. The end is below every pair of digits (above
 * those of a negative number), so 12 comes before 1234, and no encoding is a prefix of another. */
#include "base/check.h"
#include "sql/types/types_int.h"

typedef unsigned __int128 u128;

enum {
    ZERO = 0x80,
    POSITIVE = 0xc0,
    NEGATIVE = 0x40,
    EXPONENT_MIN = 1 - NUMERIC_SCALE_MAX,
    EXPONENT_MAX = NUMERIC_DIGITS_MAX,
    PAIRS_MAX = NUMERIC_DIGITS_MAX / 2,
};

void value__numeric_key(struct buffer *key, struct numeric numeric)
{
    struct numeric trimmed = numeric_trim(numeric);
    __int128 coefficient = numeric_coefficient(trimmed);
    if (coefficient == 0) {
        buffer_append_byte(key, ZERO);
        return;
    }
    bool negative = coefficient < 0;
    char text[NUMERIC_TEXT_MAX];
    size_t size = numeric_format(numeric_make(negative ? -coefficient : coefficient, 0), text);
    while (text[size - 1] == '0') /* of a whole number */
        text[--size] = '\0';
    ASSERT(size > 0 && size <= NUMERIC_DIGITS_MAX);
    size_t whole = numeric_format(numeric_make(negative ? -coefficient : coefficient, 0),
                                  (char[NUMERIC_TEXT_MAX]){0});
    int exponent = (int)whole - (int)numeric_scale(trimmed);
    ASSERT(exponent >= EXPONENT_MIN && exponent <= EXPONENT_MAX);
    buffer_append_byte(key, (uint8_t)(negative ? NEGATIVE - exponent : POSITIVE + exponent));
    uint8_t flip = negative ? 0xff : 0;
    for (size_t i = 0; i < size; i += 2) {
        int pair = 10 * (text[i] - '0') + (i + 1 < size ? text[i + 1] - '0' : 0);
        buffer_append_byte(key, (uint8_t)(1 + pair) ^ flip);
    }
    buffer_append_byte(key, flip);
}

bool value__numeric_key_size(struct slice key, uint8_t flip, size_t *size)
{
    if (key.size == 0)
        return false;
    uint8_t first = key.data[0] ^ flip;
    uint8_t end = (first < ZERO ? 0xff : 0) ^ flip;
    size_t at = 1;
    if (first != ZERO) {
        while (at < key.size && at <= PAIRS_MAX && key.data[at] != end)
            at++;
        if (at == key.size || key.data[at++] != end)
            return false;
    }
    *size = at;
    return true;
}

/* The pairs behind the first byte; 0 when they are not as they are written. */
static u128 pairs_take(struct slice pairs, uint8_t flip)
{
    u128 number = 0;
    for (size_t i = 0; i < pairs.size; i++) {
        unsigned pair = (unsigned)(pairs.data[i] ^ flip) - 1;
        bool valid = pair < 100 && (i > 0 || pair >= 10) && (i + 1 < pairs.size || pair > 0);
        if (!valid)
            return 0;
        number = number * 100 + pair;
    }
    return number;
}

bool value__numeric_key_take(struct slice key, uint8_t flip, struct numeric *out)
{
    ASSERT(key.size > 0);
    int first = key.data[0] ^ flip;
    if (first == ZERO) {
        *out = numeric_make(0, 0);
        return true;
    }
    bool negative = first < ZERO;
    int exponent = negative ? NEGATIVE - first : first - POSITIVE;
    if (exponent < EXPONENT_MIN || exponent > EXPONENT_MAX || key.size < 3)
        return false;
    struct slice pairs = slice_make(key.data + 1, key.size - 2);
    u128 number = pairs_take(pairs, negative ? flip ^ 0xff : flip);
    int scale = 2 * (int)pairs.size - exponent;
    if (number == 0)
        return false;
    for (; scale > 0 && number % 10 == 0; scale--)
        number /= 10;
    if (scale > NUMERIC_SCALE_MAX)
        return false;
    if (scale < 0)
        number *= numeric_power_of_ten((uint32_t)-scale);
    *out = numeric_make(negative ? -(__int128)number : (__int128)number,
                        scale > 0 ? (uint32_t)scale : 0);
    return true;
}
