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

enum { SCIENTIFIC_MAX = 40 }; /* bytes of d.ddde-XXX with its NUL */

/* Takes the text of printf's %e apart. */
static void decimal_parse(const char *text, struct decimal *out)
{
    int n = 0;
    const char *at = text;
    for (; *at != 'e'; at++) {
        ASSERT(*at == '.' || (*at >= '0' && *at <= '9'));
        if (*at != '.')
            out->digits[n++] = *at;
        ASSERT(n <= DIGITS_MAX);
    }
    while (n > 1 && out->digits[n - 1] == '0')
        n--;
    out->digits[n] = '\0';
    out->count = n;
    out->exponent = (int)strtol(at + 1, NULL, 10);
}

/* Adds one to the last digit of d.ddde-XXX; false when that would carry. */
static bool last_digit_step(char *text)
{
    char *last = strchr(text, 'e') - 1;
    if (*last < '0' || *last >= '9')
        return false;
    (*last)++;
    return true;
}

/* real > 0 and finite. */
static void decimal_shortest(double real, struct decimal *out)
{
    ASSERT(real > 0 && !isinf(real));
    char text[SCIENTIFIC_MAX];
    int exponent;
    bool is_power_of_two = frexp(real, &exponent) == 0.5;
    for (int count = isnormal(real) ? DIGITS_SAFE : 1; count <= DIGITS_MAX; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, real);
        if (count == DIGITS_MAX || strtod(text, NULL) == real)
            break;
        if (is_power_of_two && last_digit_step(text) && strtod(text, NULL) == real)
            break;
    }
    decimal_parse(text, out);
}

/* Returns the length written; `out` has room for VALUE__DOUBLE_TEXT_MAX. */
static size_t decimal_layout(const struct decimal *d, int plain_end, char *out)
{
    char *at = out;
    if (d->exponent < PLAIN_EXPONENT_MIN || d->exponent >= plain_end) {
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
    size_t size = (size_t)(at - out) + decimal_layout(&decimal, PLAIN_EXPONENT_END, at);
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

/* The shortest decimal that reads back as the same float: nine digits always do. */
size_t value__real_text(double real, char out[VALUE__DOUBLE_TEXT_MAX])
{
    enum { FLOAT_DIGITS_MAX = 9, FLOAT_PLAIN_END = 6 };
    double magnitude = fabs(real);
    if (!isfinite(real) || real == 0)
        return value__double_text(real, out);
    char text[SCIENTIFIC_MAX];
    for (int count = 1; count <= FLOAT_DIGITS_MAX; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, magnitude);
        if (strtof(text, NULL) == (float)magnitude)
            break;
    }
    struct decimal decimal;
    decimal_parse(text, &decimal);
    char *at = out;
    if (signbit(real))
        *at++ = '-';
    size_t size = (size_t)(at - out) + decimal_layout(&decimal, FLOAT_PLAIN_END, at);
    ASSERT(size < VALUE__DOUBLE_TEXT_MAX);
    out[size] = '\0';
    return size;
}

void value_format(const struct value *value, struct buffer *out)
{
    value_format_at(value, 0, out);
}

void value_format_at(const struct value *value, int32_t zone_s, struct buffer *out)
{
    ASSERT(value && out);
    if (value->null)
        return;
    char text[VALUE__TEXT_MAX];
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
    case SQL_REAL:
        buffer_append(out, text, value__real_text(value->as.real, text));
        return;
    case SQL_NUMERIC:
        buffer_append(out, text, numeric_format(value->as.numeric, text));
        return;
    case SQL_BYTEA:
        buffer_append_string(out, "\\x");
        bytes_to_hex(value->as.text, out);
        return;
    case SQL_UUID:
        uuid_format(value->as.uuid, out);
        return;
    case SQL_DATE:
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
    case SQL_INTERVAL:
        buffer_append(out, text, value__datetime_text(value, zone_s, text));
        return;
    default:
        UNREACHABLE();
    }
}
