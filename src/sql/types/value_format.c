/* Values as a client sees them.
 *
 * A double is printed with the fewest significant digits that read back as the same double, in
 * PostgreSQL's layout: plain when the decimal exponent is in [-4, 15), otherwise d.ddde+XX with at
 * least two digits of exponent.
 *
 * Finding the digits: a normal double keeps any 15 digits it was read from, so if 15 or fewer
 * are enough, rounding to 15 and dropping the zeros at the end gives them. 17 are always enough.
 * Two cases are special. A subnormal has fewer bits, so all counts from 1 are tried. And below a
 * power of two doubles lie twice as dense as above it, so the nearest 16-digit number may lie
 * below and read back as the neighbour while the next one up reads back right. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sql/types/types_int.h"

enum {
    DIGITS_SAFE = 15,
    DIGITS_MAX = 17,
    PLAIN_EXPONENT_MIN = -4,
    PLAIN_EXPONENT_END = 15,
};

/* d.ddd x 10^exponent, without zeros at the end. */
struct decimal {
    char digits[DIGITS_MAX + 1];
    int count;
    int exponent;
};

static double decimal_read(const struct decimal *decimal)
{
    char text[40];
    snprintf(text, sizeof text, "%c.%se%d", decimal->digits[0], decimal->digits + 1,
             decimal->exponent);
    return strtod(text, NULL);
}

/* real > 0, rounded to `count` digits. */
static void decimal_round(double real, int count, struct decimal *out)
{
    ASSERT(real > 0 && count >= 1 && count <= DIGITS_MAX);
    char text[40];
    snprintf(text, sizeof text, "%.*e", count - 1, real);
    const char *e = strchr(text, 'e');
    ASSERT(e);
    int n = 0;
    for (const char *at = text; at < e; at++)
        if (*at != '.')
            out->digits[n++] = *at;
    ASSERT(n == count);
    while (n > 1 && out->digits[n - 1] == '0')
        n--;
    out->digits[n] = '\0';
    out->count = n;
    out->exponent = (int)strtol(e + 1, NULL, 10);
}

/* Adds one to the last digit; false when that would carry. */
static bool decimal_step(struct decimal *decimal)
{
    char *last = &decimal->digits[decimal->count - 1];
    if (*last == '9')
        return false;
    (*last)++;
    return true;
}

static void decimal_shortest(double real, struct decimal *out)
{
    ASSERT(real > 0 && !isinf(real));
    for (int count = isnormal(real) ? DIGITS_SAFE : 1; count < DIGITS_MAX; count++) {
        decimal_round(real, count, out);
        if (decimal_read(out) == real)
            return;
        if (out->count == count && decimal_step(out) && decimal_read(out) == real)
            return;
    }
    decimal_round(real, DIGITS_MAX, out);
}

/* Returns the length written; `out` has room for VALUE__DOUBLE_TEXT_MAX. */
static size_t decimal_layout(const struct decimal *d, char *out)
{
    char *at = out;
    if (d->exponent < PLAIN_EXPONENT_MIN || d->exponent >= PLAIN_EXPONENT_END) {
        *at++ = d->digits[0];
        if (d->count > 1)
            *at++ = '.';
        memcpy(at, d->digits + 1, (size_t)d->count - 1);
        at += d->count - 1;
        int size = snprintf(at, 8, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
        return (size_t)(at - out) + (size_t)size;
    }
    int whole = d->exponent + 1; /* digits before the point; none or less: zeros behind it */
    if (whole <= 0)
        *at++ = '0';
    for (int i = 0; i < whole; i++)
        *at++ = i < d->count ? d->digits[i] : '0';
    if (d->count > whole)
        *at++ = '.';
    for (int i = whole; i < 0; i++)
        *at++ = '0';
    for (int i = whole > 0 ? whole : 0; i < d->count; i++)
        *at++ = d->digits[i];
    return (size_t)(at - out);
}

size_t value__double_text(double real, char out[VALUE__DOUBLE_TEXT_MAX])
{
    ASSERT(out);
    const char *special = isnan(real)   ? "NaN"
                          : isinf(real) ? (real < 0 ? "-Infinity" : "Infinity")
                                        : NULL;
    if (special) {
        size_t size = strlen(special);
        memcpy(out, special, size + 1);
        return size;
    }
    char *at = out;
    if (signbit(real))
        *at++ = '-';
    double magnitude = fabs(real);
    if (magnitude < 1e15 && magnitude == (double)(int64_t)magnitude)
        return (size_t)(at - out) + (size_t)snprintf(at, 24, "%" PRId64, (int64_t)magnitude);
    struct decimal decimal;
    decimal_shortest(magnitude, &decimal);
    size_t size = (size_t)(at - out) + decimal_layout(&decimal, at);
    ASSERT(size < VALUE__DOUBLE_TEXT_MAX);
    out[size] = '\0';
    return size;
}

size_t value__integer_text(int64_t integer, char out[VALUE__INTEGER_TEXT_MAX])
{
    char reversed[VALUE__INTEGER_TEXT_MAX];
    uint64_t magnitude = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude);
    if (integer < 0)
        reversed[count++] = '-';
    ASSERT(count < VALUE__INTEGER_TEXT_MAX);
    for (size_t i = 0; i < count; i++)
        out[i] = reversed[count - 1 - i];
    out[count] = '\0';
    return count;
}

void value_format(const struct value *value, struct buffer *out)
{
    ASSERT(value && out);
    if (value->null)
        return;
    char text[VALUE__DOUBLE_TEXT_MAX];
    switch (value->type) {
    case SQL_BOOLEAN:
        buffer_append_byte(out, value->as.boolean ? 't' : 'f');
        return;
    case SQL_INTEGER:
        buffer_append(out, text, value__integer_text(value->as.integer, text));
        return;
    case SQL_DOUBLE:
        buffer_append(out, text, value__double_text(value->as.real, text));
        return;
    case SQL_TEXT:
        buffer_append_slice(out, value->as.text);
        return;
    case SQL_UNKNOWN:
    case SQL_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}
