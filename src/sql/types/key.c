/* Memcomparable keys; the layout is in types.h.
 *
 * Why no encoding is a prefix of another: after the first byte, booleans and numbers have a fixed
 * length, and in a text every 00 is followed by ff except the last, which is followed by 01; so the
 * pair 00 01 occurs once, at the end. Why texts sort: where one ends, the other goes on with a
 * byte above 00, or with 00 ff against 00 01. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "sql/types/types.h"

enum {
    KEY_VALUE = 0x01,
    KEY_NULL = 0x02,
    TEXT_ESCAPED = 0xff, /* behind 00: a 00 of the text */
    TEXT_END = 0x01,     /* behind 00: the end */
};

static const uint64_t sign_bit = (uint64_t)1 << 63;

static uint64_t double_to_ordered(double real)
{
    if (isnan(real))
        real = (double)NAN; /* one NaN, positive: above infinity */
    if (real == 0)
        real = 0; /* -0 equals 0 */
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits & sign_bit ? ~bits : bits ^ sign_bit;
}

static double double_from_ordered(uint64_t ordered)
{
    uint64_t bits = ordered & sign_bit ? ordered ^ sign_bit : ~ordered;
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

static void append_u64(struct buffer *key, uint64_t number)
{
    uint8_t bytes[8];
    put_u64_be(bytes, number);
    buffer_append(key, bytes, sizeof bytes);
}

static void append_text(struct buffer *key, struct slice text)
{
    static const uint8_t escaped[2] = {0, TEXT_ESCAPED};
    static const uint8_t end[2] = {0, TEXT_END};
    const uint8_t *at = text.data;
    size_t left = text.size;
    while (left) {
        const uint8_t *zero = memchr(at, 0, left);
        size_t run = zero ? (size_t)(zero - at) : left;
        buffer_append(key, at, run);
        if (!zero)
            break;
        buffer_append(key, escaped, sizeof escaped);
        at += run + 1;
        left -= run + 1;
    }
    buffer_append(key, end, sizeof end);
}

void key_append_value(struct buffer *key, const struct value *value, bool descending)
{
    ASSERT(key && value);
    size_t start = key->size;
    buffer_append_byte(key, value->null ? KEY_NULL : KEY_VALUE);
    if (!value->null) {
        ASSERT(value->type != SQL_UNKNOWN && value->type < SQL_TYPE_COUNT);
        if (value->type == SQL_BOOLEAN)
            buffer_append_byte(key, value->as.boolean);
        else if (value->type == SQL_INTEGER)
            append_u64(key, (uint64_t)value->as.integer ^ sign_bit);
        else if (value->type == SQL_DOUBLE)
            append_u64(key, double_to_ordered(value->as.real));
        else
            append_text(key, value->as.text);
    }
    if (descending)
        for (size_t i = start; i < key->size; i++)
            key->data[i] = (uint8_t)~key->data[i];
}

/* Measures the text at the front of `key`: *encoded with its end mark, *size without escapes.
 * False when it does not end. `flip` is ff in a descending key. */
static bool text_measure(struct slice key, uint8_t flip, size_t *encoded, size_t *size)
{
    size_t at = 0;
    size_t escapes = 0;
    for (;;) {
        const uint8_t *zero = at < key.size ? memchr(key.data + at, flip, key.size - at) : NULL;
        if (!zero)
            return false;
        at = (size_t)(zero - key.data) + 1;
        if (at == key.size)
            return false;
        uint8_t mark = key.data[at++] ^ flip;
        if (mark == TEXT_END)
            break;
        if (mark != TEXT_ESCAPED)
            return false;
        escapes++;
    }
    *encoded = at;
    *size = at - 2 - escapes;
    return true;
}

static status_t take_text(struct slice *key, uint8_t flip, struct arena *arena, struct value *value)
{
    size_t encoded;
    size_t size;
    if (!text_measure(*key, flip, &encoded, &size))
        return ERR_CORRUPT;
    struct slice text = slice_make(key->data, size);
    if (flip || size != encoded - 2) {
        uint8_t *copy = arena_alloc(arena, size);
        for (size_t from = 0, to = 0; to < size; from++, to++) {
            copy[to] = key->data[from] ^ flip;
            if (copy[to] == 0)
                from++; /* over the ff */
        }
        text.data = copy;
    }
    *key = slice_make(key->data + encoded, key->size - encoded);
    *value = value_text(text);
    return OK;
}

static status_t take_boolean(struct slice *key, uint8_t flip, struct value *value)
{
    uint8_t byte = key->size ? key->data[0] ^ flip : 0xff;
    if (byte > 1)
        return ERR_CORRUPT;
    *key = slice_make(key->data + 1, key->size - 1);
    *value = value_boolean(byte);
    return OK;
}

static status_t take_number(struct slice *key, enum sql_type type, uint8_t flip,
                            struct value *value)
{
    if (key->size < 8)
        return ERR_CORRUPT;
    uint64_t ordered = get_u64_be(key->data) ^ (flip ? UINT64_MAX : 0);
    *key = slice_make(key->data + 8, key->size - 8);
    *value = type == SQL_INTEGER ? value_integer((int64_t)(ordered ^ sign_bit))
                                 : value_double(double_from_ordered(ordered));
    return OK;
}

status_t key_take_value(struct slice *key, enum sql_type type, bool descending, struct arena *arena,
                        struct value *value)
{
    ASSERT(key && value);
    ASSERT(type != SQL_UNKNOWN && type < SQL_TYPE_COUNT);
    uint8_t flip = descending ? 0xff : 0;
    uint8_t first = key->size ? key->data[0] ^ flip : 0;
    if (first != KEY_VALUE && first != KEY_NULL)
        return ERR_CORRUPT;
    struct slice rest = slice_make(key->data + 1, key->size - 1);
    status_t status = OK;
    if (first == KEY_NULL)
        *value = value_null(type);
    else if (type == SQL_BOOLEAN)
        status = take_boolean(&rest, flip, value);
    else if (type == SQL_TEXT)
        status = take_text(&rest, flip, arena, value);
    else
        status = take_number(&rest, type, flip, value);
    if (status == OK)
        *key = rest;
    return status;
}

status_t key_skip_value(struct slice *key, enum sql_type type, bool descending)
{
    ASSERT(key);
    ASSERT(type != SQL_UNKNOWN && type < SQL_TYPE_COUNT);
    uint8_t flip = descending ? 0xff : 0;
    if (key->size == 0)
        return ERR_CORRUPT;
    struct slice rest = slice_make(key->data + 1, key->size - 1);
    size_t size = type == SQL_BOOLEAN ? 1 : 8;
    if ((key->data[0] ^ flip) == KEY_NULL) {
        size = 0;
    } else if ((key->data[0] ^ flip) != KEY_VALUE) {
        return ERR_CORRUPT;
    } else if (type == SQL_TEXT) {
        size_t unescaped;
        if (!text_measure(rest, flip, &size, &unescaped))
            return ERR_CORRUPT;
    } else if (rest.size < size) {
        return ERR_CORRUPT;
    }
    *key = slice_make(rest.data + size, rest.size - size);
    return OK;
}

bool key_prefix_end(struct buffer *key)
{
    ASSERT(key);
    size_t size = key->size;
    while (size && key->data[size - 1] == 0xff)
        size--;
    if (size == 0)
        return false;
    key->data[size - 1]++;
    key->size = size;
    return true;
}
