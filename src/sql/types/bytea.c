/* Bytes as text: \x and hexadecimal digits, or PostgreSQL's older form, in which a backslash is
 * written twice and any byte may be a backslash and three octal digits. */
#include "base/check.h"
#include "sql/types/types_int.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

enum bytes_fault bytes_from_hex(struct slice text, struct arena *arena, struct slice *out,
                                uint8_t *culprit)
{
    ASSERT(out && culprit);
    uint8_t *bytes = arena_alloc(arena, text.size / 2 + 1);
    size_t size = 0;
    bool half = false;
    for (size_t i = 0; i < text.size; i++) {
        if (is_blank(text.data[i]) && !half)
            continue;
        int digit = hex_digit(text.data[i]);
        *culprit = text.data[i];
        if (digit < 0)
            return BYTES_DIGIT;
        bytes[size] = (uint8_t)(half ? bytes[size] | digit : digit << 4);
        size += half;
        half = !half;
    }
    *out = slice_make(bytes, size);
    return half ? BYTES_ODD : BYTES_OK;
}

static bool octal_at(struct slice text, size_t at, uint8_t *byte)
{
    if (text.size - at < 4)
        return false;
    const uint8_t *digits = text.data + at + 1;
    if (digits[0] < '0' || digits[0] > '3' || digits[1] < '0' || digits[1] > '7' ||
        digits[2] < '0' || digits[2] > '7')
        return false;
    *byte = (uint8_t)((digits[0] - '0') << 6 | (digits[1] - '0') << 3 | (digits[2] - '0'));
    return true;
}

bool bytes_from_escaped(struct slice text, struct arena *arena, struct slice *out)
{
    ASSERT(out);
    uint8_t *bytes = arena_alloc(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size;) {
        if (text.data[i] != '\\') {
            bytes[size++] = text.data[i++];
        } else if (i + 1 < text.size && text.data[i + 1] == '\\') {
            bytes[size++] = '\\';
            i += 2;
        } else if (octal_at(text, i, &bytes[size])) {
            size++;
            i += 4;
        } else {
            return false;
        }
    }
    *out = slice_make(bytes, size);
    return true;
}

void bytes_to_hex(struct slice bytes, struct buffer *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        char pair[2] = {digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]};
        buffer_append(out, pair, sizeof pair);
    }
}

void bytes_to_escaped(struct slice bytes, struct buffer *out)
{
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (byte == '\\')
            buffer_append_string(out, "\\\\");
        else if (byte == 0 || byte > 0x7e)
            buffer_printf(out, "\\%03o", byte);
        else
            buffer_append_byte(out, byte);
    }
}

status_t value__text_to_bytea(struct slice text, struct arena *arena, uint32_t position,
                              struct value *out, struct error *error)
{
    struct slice bytes;
    uint8_t culprit = 0;
    if (text.size < 2 || text.data[0] != '\\' || text.data[1] != 'x') {
        if (!bytes_from_escaped(text, arena, &bytes))
            return value__syntax_error(text, SQL_BYTEA, position, error);
        *out = value_bytea(bytes);
        return OK;
    }
    text = slice_make(text.data + 2, text.size - 2);
    switch (bytes_from_hex(text, arena, &bytes, &culprit)) {
    case BYTES_DIGIT:
        return error_sql(error, "22023", position, "invalid hexadecimal digit: \"%c\"",
                         culprit >= ' ' && culprit < 0x7f ? culprit : '?');
    case BYTES_ODD:
        return error_sql(error, "22023", position,
                         "invalid hexadecimal data: odd number of digits");
    case BYTES_OK:
        break;
    }
    *out = value_bytea(bytes);
    return OK;
}
