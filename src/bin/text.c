#include "bin/text_int.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/check.h"
#include "base/utf8.h"

/* ---- width ---------------------------------------------------------------------------------- */

void bin__text_init(void)
{
    const char *set = setlocale(LC_CTYPE, "");
    if (!set || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        set = setlocale(LC_CTYPE, "C.UTF-8");
    MAYBE(set != NULL); /* without one, characters beyond ASCII count one column each */
}

/* Most text is of these, and takes the short way. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f;
}

/* Size and width of the character at the start of text that is not empty. */
static size_t character(struct slice text, size_t *width)
{
    uint32_t codepoint;
    ASSERT(text.size > 0);
    if (is_plain(text.data[0])) {
        *width = 1;
        return 1;
    }
    size_t size = utf8_decode(text, &codepoint);
    int columns = size ? wcwidth((wchar_t)codepoint) : 1;
    *width = columns < 0 ? 1 : (size_t)columns;
    return size ? size : 1;
}

size_t bin__text_width(struct slice text)
{
    size_t total = 0;
    size_t width;
    for (size_t at = 0; at < text.size; total += width)
        at += character(slice_make(text.data + at, text.size - at), &width);
    return total;
}

struct slice bin__text_fit(struct slice text, size_t width)
{
    size_t at = 0;
    while (at < text.size) {
        size_t columns;
        size_t size = character(slice_make(text.data + at, text.size - at), &columns);
        if (columns > width)
            break;
        width -= columns;
        at += size;
    }
    return slice_make(text.data, at);
}

/* ---- showing -------------------------------------------------------------------------------- */

static void show_control(struct buffer *out, uint32_t codepoint)
{
    static const char letters[] = "abtnvfr"; /* 7 to 13 */
    if (codepoint >= 7 && codepoint <= 13)
        buffer_printf(out, "\\%c", letters[codepoint - 7]);
    else
        buffer_printf(out, codepoint > 0xff ? "\\u%04" PRIx32 : "\\x%02" PRIx32, codepoint);
}

/* C0 and C1 controls, and the marks that turn the direction of writing for all that follows. */
static bool is_control(uint32_t codepoint)
{
    return codepoint < 0x20 || (codepoint >= 0x7f && codepoint < 0xa0) ||
           (codepoint >= 0x202a && codepoint <= 0x202e) ||
           (codepoint >= 0x2066 && codepoint <= 0x2069);
}

void bin__text_show(struct buffer *out, struct slice text, bool keep_lines)
{
    enum { TAB_WIDTH = 4 };
    for (size_t at = 0; at < text.size;) {
        const uint8_t *from = text.data + at;
        uint32_t codepoint;
        size_t plain = 0;
        while (plain < text.size - at && is_plain(from[plain]))
            plain++;
        if (plain) {
            buffer_append(out, from, plain);
            at += plain;
            continue;
        }
        size_t size = utf8_decode(slice_make(from, text.size - at), &codepoint);
        if (size == 0)
            buffer_printf(out, "\\x%02x", *from);
        else if (keep_lines && codepoint == '\n')
            buffer_append_byte(out, '\n');
        else if (keep_lines && codepoint == '\t')
            buffer_printf(out, "%*s", TAB_WIDTH, "");
        else if (is_control(codepoint))
            show_control(out, codepoint);
        else
            buffer_append(out, from, size);
        at += size ? size : 1;
    }
}

/* ---- values --------------------------------------------------------------------------------- */

size_t bin__double_text(double real, char out[BIN__DOUBLE_TEXT_MAX])
{
    enum { DIGITS_SAFE = 15, DIGITS_MAX = 17, PLAIN_MIN = -4, PLAIN_END = 15 };
    if (isnan(real) || isinf(real))
        return (size_t)snprintf(out, BIN__DOUBLE_TEXT_MAX, "%s",
                                isnan(real) ? "NaN"
                                : real < 0  ? "-Infinity"
                                            : "Infinity");
    char text[BIN__DOUBLE_TEXT_MAX];
    int digits = isnormal(real) ? DIGITS_SAFE : 1;
    for (;; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, real);
        if (digits == DIGITS_MAX || strtod(text, NULL) == real)
            break;
    }
    char *exponent_at = strchr(text, 'e');
    ASSERT(exponent_at);
    int exponent = (int)strtol(exponent_at + 1, NULL, 10);
    char *end = exponent_at;
    if (digits > 1) {
        while (end[-1] == '0')
            end--;
        end -= end[-1] == '.';
    }
    if (exponent < PLAIN_MIN || exponent >= PLAIN_END)
        return (size_t)snprintf(out, BIN__DOUBLE_TEXT_MAX, "%.*se%c%02d", (int)(end - text), text,
                                exponent < 0 ? '-' : '+', abs(exponent));
    int significant =
        (int)(end - text) - (*text == '-') - (memchr(text, '.', (size_t)(end - text)) != NULL);
    int decimals = significant - 1 - exponent;
    return (size_t)snprintf(out, BIN__DOUBLE_TEXT_MAX, "%.*f", decimals > 0 ? decimals : 0, real);
}

void bin__value_text(struct buffer *out, const struct toydb_value *value)
{
    char text[BIN__DOUBLE_TEXT_MAX];
    switch (value->type) {
    case TOYDB_NULL:
        UNREACHABLE();
    case TOYDB_BOOLEAN:
        buffer_append_string(out, value->boolean ? "true" : "false");
        break;
    case TOYDB_INTEGER:
        buffer_printf(out, "%" PRId64, value->integer);
        break;
    case TOYDB_DOUBLE:
        buffer_append(out, text, bin__double_text(value->real, text));
        break;
    case TOYDB_TEXT:
        buffer_append(out, value->text.data, value->text.size);
        break;
    case TOYDB_BYTES:
        buffer_append_string(out, "\\x");
        for (size_t i = 0; i < value->text.size; i++)
            buffer_printf(out, "%02x", (uint8_t)value->text.data[i]);
        break;
    }
}

/* ---- figures for people --------------------------------------------------------------------- */

void bin__count_text(struct buffer *out, uint64_t count)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, count);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0)
            buffer_append_byte(out, ',');
        buffer_append_byte(out, (uint8_t)digits[i]);
    }
}

void bin__duration_text(uint64_t us, char *out, size_t size)
{
    double ms = (double)us / 1000;
    if (us < 1000)
        snprintf(out, size, "%" PRIu64 " us", us);
    else if (us < 1000000)
        snprintf(out, size, "%.*f ms", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
    else if (us < 60000000)
        snprintf(out, size, "%.*f s", us < 10000000 ? 2 : 1, ms / 1000);
    else if (us < 3600000000)
        snprintf(out, size, "%" PRIu64 " min %" PRIu64 " s", us / 60000000, us / 1000000 % 60);
    else if (us < 86400000000)
        snprintf(out, size, "%" PRIu64 " h %" PRIu64 " min", us / 3600000000, us / 60000000 % 60);
    else
        snprintf(out, size, "%" PRIu64 " d %" PRIu64 " h", us / 86400000000, us / 3600000000 % 24);
}

void bin__bytes_text(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(out, size, "%.*f %s", unit && value < 100 ? 1 : 0, value, units[unit]);
}
