#include "base/msgpack.h"

#include <string.h>

#include "base/check.h"

/* Token bytes, from the specification:
 *
 *   00-7f positive fixint    80-8f fixmap      90-9f fixarray    a0-bf fixstr
 *   c0 nil   c2 false   c3 true   c4 c5 c6 bin 8, 16, 32   c7 c8 c9 ext   ca float32   cb float64
 *   cc cd ce cf uint 8, 16, 32, 64     d0 d1 d2 d3 int 8, 16, 32, 64     d4-d8 fixext
 *   d9 da db str 8, 16, 32   dc dd array 16, 32   de df map   e0-ff negative fixint
 *
 * Numbers are big-endian. The writer always takes the shortest form. */

/* A token byte and `width` (0, 1, 2, 4, 8) bytes of number behind it. */
static void token_put(struct buffer *out, uint8_t token, uint64_t number, size_t width)
{
    if (buffer_reserve(out, 1 + width) != OK)
        return;
    uint8_t *at = out->data + out->size;
    at[0] = token;
    for (size_t i = 0; i < width; i++)
        at[1 + i] = (uint8_t)(number >> (8 * (width - 1 - i)));
    out->size += 1 + width;
}

void msgpack_put_nil(struct buffer *out)
{
    token_put(out, 0xc0, 0, 0);
}

void msgpack_put_bool(struct buffer *out, bool value)
{
    token_put(out, value ? 0xc3 : 0xc2, 0, 0);
}

void msgpack_put_uint(struct buffer *out, uint64_t value)
{
    if (value <= 0x7f)
        token_put(out, (uint8_t)value, 0, 0);
    else if (value <= UINT8_MAX)
        token_put(out, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        token_put(out, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        token_put(out, 0xce, value, 4);
    else
        token_put(out, 0xcf, value, 8);
}

void msgpack_put_int(struct buffer *out, int64_t value)
{
    if (value >= 0)
        msgpack_put_uint(out, (uint64_t)value);
    else if (value >= -32)
        token_put(out, (uint8_t)value, 0, 0);
    else if (value >= INT8_MIN)
        token_put(out, 0xd0, (uint64_t)value, 1);
    else if (value >= INT16_MIN)
        token_put(out, 0xd1, (uint64_t)value, 2);
    else if (value >= INT32_MIN)
        token_put(out, 0xd2, (uint64_t)value, 4);
    else
        token_put(out, 0xd3, (uint64_t)value, 8);
}

void msgpack_put_double(struct buffer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    token_put(out, 0xcb, bits, 8);
}

/* A length over UINT32_MAX cannot be stated in the format. */
static bool length_fits(struct buffer *out, size_t size)
{
    if (size > UINT32_MAX)
        out->failed = true;
    return size <= UINT32_MAX;
}

void msgpack_put_str(struct buffer *out, struct slice text)
{
    if (!length_fits(out, text.size))
        return;
    if (text.size < 32)
        token_put(out, (uint8_t)(0xa0 | text.size), 0, 0);
    else if (text.size <= UINT8_MAX)
        token_put(out, 0xd9, text.size, 1);
    else if (text.size <= UINT16_MAX)
        token_put(out, 0xda, text.size, 2);
    else
        token_put(out, 0xdb, text.size, 4);
    buffer_append_slice(out, text);
}

void msgpack_put_bin(struct buffer *out, struct slice bytes)
{
    if (!length_fits(out, bytes.size))
        return;
    if (bytes.size <= UINT8_MAX) {
        if (buffer_reserve(out, 2 + bytes.size) != OK)
            return;
        out->data[out->size] = MSGPACK_BIN8;
        out->data[out->size + 1] = (uint8_t)bytes.size;
        if (bytes.size)
            memcpy(out->data + out->size + 2, bytes.data, bytes.size);
        out->size += 2 + bytes.size;
        return;
    }
    if (bytes.size <= UINT16_MAX)
        token_put(out, 0xc5, bytes.size, 2);
    else
        token_put(out, 0xc6, bytes.size, 4);
    buffer_append_slice(out, bytes);
}

size_t msgpack_bin_begin(struct buffer *out)
{
    token_put(out, 0xc6, 0, 4);
    return out->size;
}

void msgpack_bin_end(struct buffer *out, size_t begin)
{
    if (out->failed || !length_fits(out, out->size - begin))
        return;
    ASSERT(begin >= 5 && out->data[begin - 5] == 0xc6);
    put_u32_be(out->data + begin - 4, (uint32_t)(out->size - begin));
}

void msgpack_put_array(struct buffer *out, uint32_t count)
{
    if (count < 16)
        token_put(out, (uint8_t)(0x90 | count), 0, 0);
    else if (count <= UINT16_MAX)
        token_put(out, 0xdc, count, 2);
    else
        token_put(out, 0xdd, count, 4);
}

void msgpack_reader_init(struct msgpack_reader *reader, struct slice input)
{
    static const uint8_t nothing[1];
    const uint8_t *at = input.data ? input.data : nothing;
    *reader = (struct msgpack_reader){.at = at, .end = at + input.size};
}

static bool reader_fail(struct msgpack_reader *reader, struct msgpack_value *value)
{
    reader->failed = true;
    value->type = MSGPACK_END;
    return false;
}

/* A big-endian number of `width` bytes; false when they are not there. */
static bool number_take(struct msgpack_reader *reader, size_t width, uint64_t *number)
{
    if ((size_t)(reader->end - reader->at) < width)
        return false;
    *number = 0;
    for (size_t i = 0; i < width; i++)
        *number = *number << 8 | reader->at[i];
    reader->at += width;
    return true;
}

static bool bytes_take(struct msgpack_reader *reader, enum msgpack_type type, uint64_t size,
                       struct msgpack_value *value)
{
    if (size > (size_t)(reader->end - reader->at))
        return reader_fail(reader, value);
    value->type = type;
    value->as.bytes = slice_make(reader->at, (size_t)size);
    reader->at += size;
    return true;
}

static bool array_take(struct msgpack_reader *reader, uint64_t count, struct msgpack_value *value)
{
    /* Each element takes at least a byte: refuse counts that cannot be true. */
    if (count > (size_t)(reader->end - reader->at))
        return reader_fail(reader, value);
    value->type = MSGPACK_ARRAY;
    value->as.count = (uint32_t)count;
    return true;
}

static bool uint_set(struct msgpack_value *value, uint64_t number)
{
    value->type = MSGPACK_UINT;
    value->as.uint = number;
    return true;
}

static bool int_set(struct msgpack_value *value, int64_t number)
{
    if (number >= 0)
        return uint_set(value, (uint64_t)number);
    value->type = MSGPACK_INT;
    value->as.sint = number;
    return true;
}

static bool real_set(struct msgpack_value *value, double number)
{
    value->type = MSGPACK_DOUBLE;
    value->as.real = number;
    return true;
}

static double real_from_bits32(uint64_t number)
{
    uint32_t bits = (uint32_t)number;
    float narrow;
    memcpy(&narrow, &bits, sizeof narrow);
    return (double)narrow;
}

static double real_from_bits64(uint64_t bits)
{
    double wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

/* Tokens c0 to df. */
static bool token_take(struct msgpack_reader *reader, uint8_t token, struct msgpack_value *value)
{
    /* Bytes of number behind tokens c0 to df; 9 marks what is not supported here. */
    static const uint8_t widths[32] = {0, 9, 0, 0, 1, 2, 4, 9, 9, 9, 4, 8, 1, 2, 4, 8,
                                       1, 2, 4, 8, 9, 9, 9, 9, 9, 1, 2, 4, 2, 4, 9, 9};
    ASSERT(token >= 0xc0 && token <= 0xdf);
    size_t width = widths[token - 0xc0];
    uint64_t n = 0;
    if (width == 9 || !number_take(reader, width, &n))
        return reader_fail(reader, value);
    switch (token) {
    case 0xc0:
        value->type = MSGPACK_NIL;
        return true;
    case 0xc2:
    case 0xc3:
        value->type = MSGPACK_BOOL;
        value->as.boolean = token == 0xc3;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return bytes_take(reader, MSGPACK_BIN, n, value);
    case 0xca:
        return real_set(value, real_from_bits32(n));
    case 0xcb:
        return real_set(value, real_from_bits64(n));
    case 0xd0:
        return int_set(value, (int8_t)n);
    case 0xd1:
        return int_set(value, (int16_t)n);
    case 0xd2:
        return int_set(value, (int32_t)n);
    case 0xd3:
        return int_set(value, (int64_t)n);
    case 0xd9:
    case 0xda:
    case 0xdb:
        return bytes_take(reader, MSGPACK_STR, n, value);
    case 0xdc:
    case 0xdd:
        return array_take(reader, n, value);
    default: /* cc to cf */
        return uint_set(value, n);
    }
}

bool msgpack_next(struct msgpack_reader *reader, struct msgpack_value *value)
{
    if (reader->failed || reader->at == reader->end) {
        value->type = MSGPACK_END;
        return false;
    }
    uint8_t token = *reader->at++;
    if (token <= 0x7f)
        return uint_set(value, token);
    if (token >= 0xe0)
        return int_set(value, (int8_t)token);
    if (token >= 0xc0)
        return token_take(reader, token, value);
    if (token >= 0xa0)
        return bytes_take(reader, MSGPACK_STR, token & 0x1f, value);
    if (token >= 0x90)
        return array_take(reader, token & 0x0f, value);
    return reader_fail(reader, value); /* fixmap */
}

bool msgpack_done(const struct msgpack_reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}

static bool expect(struct msgpack_reader *reader, enum msgpack_type type,
                   struct msgpack_value *value)
{
    if (msgpack_next(reader, value) && value->type == type)
        return true;
    reader->failed = true;
    return false;
}

uint64_t msgpack_get_uint(struct msgpack_reader *reader)
{
    struct msgpack_value value;
    return expect(reader, MSGPACK_UINT, &value) ? value.as.uint : 0;
}

int64_t msgpack_get_int(struct msgpack_reader *reader)
{
    struct msgpack_value value;
    if (msgpack_next(reader, &value)) {
        if (value.type == MSGPACK_INT)
            return value.as.sint;
        if (value.type == MSGPACK_UINT && value.as.uint <= INT64_MAX)
            return (int64_t)value.as.uint;
    }
    reader->failed = true;
    return 0;
}

struct slice msgpack_get_bin(struct msgpack_reader *reader)
{
    struct msgpack_value value;
    return expect(reader, MSGPACK_BIN, &value) ? value.as.bytes : (struct slice){0};
}

struct slice msgpack_get_str(struct msgpack_reader *reader)
{
    struct msgpack_value value;
    return expect(reader, MSGPACK_STR, &value) ? value.as.bytes : (struct slice){0};
}

uint32_t msgpack_get_array(struct msgpack_reader *reader)
{
    struct msgpack_value value;
    return expect(reader, MSGPACK_ARRAY, &value) ? value.as.count : 0;
}
