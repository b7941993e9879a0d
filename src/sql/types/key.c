/* Memcomparable keys; the layout is in types.h.
 *
 * Why no encoding is a prefix of another: after the first byte, booleans and numbers have a fixed
 * length, and in a text every 00 is followed by ff except the last, which is followed by 01; so the
 * pair 00 01 occurs once, at the end. Why texts sort: where one ends, the other goes on with a
 * byte above 00, or with 00 ff against 00 01. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "sql/types/types_int.h"

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

static void append_interval(struct buffer *key, struct interval interval)
{
    __int128 length = value__interval_length(interval);
    append_u64(key, (uint64_t)(length >> 64) ^ sign_bit);
    append_u64(key, (uint64_t)length);
}

static void append_payload(struct buffer *key, const struct value *value)
{
    switch (type_storage(value->type)) {
    case SQL_BOOLEAN:
        buffer_append_byte(key, value->as.boolean);
        return;
    case SQL_INTEGER:
        append_u64(key, (uint64_t)value->as.integer ^ sign_bit);
        return;
    case SQL_DOUBLE:
        append_u64(key, double_to_ordered(value->as.real));
        return;
    case SQL_TEXT:
        append_text(key, value->as.text);
        return;
    case SQL_NUMERIC:
        value__numeric_key(key, value->as.numeric);
        return;
    case SQL_INTERVAL:
        append_interval(key, value->as.interval);
        return;
    case SQL_UUID:
        buffer_append(key, value->as.uuid.bytes, sizeof(struct uuid));
        return;
    default:
        UNREACHABLE();
    }
}

void key_append_value(struct buffer *key, const struct value *value, bool descending)
{
    ASSERT(key && value);
    size_t start = key->size;
    buffer_append_byte(key, value->null ? KEY_NULL : KEY_VALUE);
    if (!value->null) {
        ASSERT(value->type != SQL_UNKNOWN && value->type < SQL_TYPE_COUNT);
        append_payload(key, value);
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

static status_t take_numeric(struct slice *key, uint8_t flip, struct value *value)
{
    size_t size;
    struct numeric numeric;
    if (!value__numeric_key_size(*key, flip, &size) ||
        !value__numeric_key_take(slice_make(key->data, size), flip, &numeric))
        return ERR_CORRUPT;
    *key = slice_make(key->data + size, key->size - size);
    *value = value_numeric(numeric);
    return OK;
}

/* An interval of that length; false when it is longer than any. */
static bool interval_of_length(__int128 length, struct interval *out)
{
    const int64_t day_us = INT64_C(86400000000);
    const int64_t month_us = 30 * day_us;
    __int128 months = length / month_us;
    if (months > INT32_MAX)
        months = INT32_MAX;
    if (months < INT32_MIN)
        months = INT32_MIN;
    length -= months * month_us;
    __int128 days = length / day_us;
    if (days > INT32_MAX)
        days = INT32_MAX;
    if (days < INT32_MIN)
        days = INT32_MIN;
    length -= days * day_us;
    *out =
        (struct interval){.months = (int32_t)months, .days = (int32_t)days, .us = (int64_t)length};
    return length >= INT64_MIN && length <= INT64_MAX;
}

static status_t take_interval(struct slice *key, uint8_t flip, struct value *value)
{
    if (key->size < 16)
        return ERR_CORRUPT;
    uint64_t inverted = flip ? UINT64_MAX : 0;
    uint64_t high = get_u64_be(key->data) ^ inverted ^ sign_bit;
    uint64_t low = get_u64_be(key->data + 8) ^ inverted;
    struct interval interval;
    if (!interval_of_length((__int128)((unsigned __int128)high << 64 | low), &interval))
        return ERR_CORRUPT;
    *key = slice_make(key->data + 16, key->size - 16);
    *value = value_interval(interval);
    return OK;
}

static status_t take_uuid(struct slice *key, uint8_t flip, struct value *value)
{
    struct uuid uuid;
    if (key->size < sizeof uuid)
        return ERR_CORRUPT;
    for (size_t i = 0; i < sizeof uuid; i++)
        uuid.bytes[i] = key->data[i] ^ flip;
    *key = slice_make(key->data + sizeof uuid, key->size - sizeof uuid);
    *value = value_uuid(uuid);
    return OK;
}

static status_t take_number(struct slice *key, enum sql_type type, uint8_t flip,
                            struct value *value)
{
    if (key->size < 8)
        return ERR_CORRUPT;
    uint64_t ordered = get_u64_be(key->data) ^ (flip ? UINT64_MAX : 0);
    bool is_datetime = type >= SQL_DATE && type <= SQL_TIMESTAMPTZ;
    if (is_datetime && !value__datetime_fits(type, (int64_t)(ordered ^ sign_bit)))
        return ERR_CORRUPT;
    *key = slice_make(key->data + 8, key->size - 8);
    *value = type_storage(type) == SQL_INTEGER ? value_integer((int64_t)(ordered ^ sign_bit))
                                               : value_double(double_from_ordered(ordered));
    return OK;
}

static status_t take_payload(struct slice *key, enum sql_type type, uint8_t flip,
                             struct arena *arena, struct value *value)
{
    switch (type_storage(type)) {
    case SQL_BOOLEAN:
        return take_boolean(key, flip, value);
    case SQL_TEXT:
        return take_text(key, flip, arena, value);
    case SQL_NUMERIC:
        return take_numeric(key, flip, value);
    case SQL_INTERVAL:
        return take_interval(key, flip, value);
    case SQL_UUID:
        return take_uuid(key, flip, value);
    default:
        return take_number(key, type, flip, value);
    }
}

/* Bytes of a value that always takes as many. */
static size_t fixed_size(enum sql_type type)
{
    switch (type_storage(type)) {
    case SQL_BOOLEAN:
        return 1;
    case SQL_INTERVAL:
    case SQL_UUID:
        return 16;
    default:
        return 8;
    }
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
    else
        status = take_payload(&rest, type, flip, arena, value);
    if (status == OK) {
        value->type = type;
        *key = rest;
    }
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
    size_t size = fixed_size(type);
    if ((key->data[0] ^ flip) == KEY_NULL) {
        size = 0;
    } else if ((key->data[0] ^ flip) != KEY_VALUE) {
        return ERR_CORRUPT;
    } else if (type_storage(type) == SQL_TEXT) {
        size_t unescaped;
        if (!text_measure(rest, flip, &size, &unescaped))
            return ERR_CORRUPT;
    } else if (type == SQL_NUMERIC) {
        if (!value__numeric_key_size(rest, flip, &size))
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
