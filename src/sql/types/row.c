/* Rows, one at a time; many at once: row_many.c. MessagePack is read here directly for the few
 * tokens row_encode writes, and what is not wanted is stepped over by its length alone.
 *
 * Every read is bounded: the invariant is at <= end, and each step compares what it needs with
 * end - at before it looks. */
#include <string.h>

#include "base/check.h"
#include "base/msgpack.h"
#include "sql/types/row_int.h"

/* Types of extensions. */
enum { EXT_NUMERIC = 1, EXT_INTERVAL = 2, EXT_UUID = 3 };

/* A float, for a real is nothing but that. */
static void put_real(struct buffer *row, double real)
{
    float narrow = (float)real;
    uint32_t bits;
    uint8_t token[5] = {TOKEN_FLOAT};
    memcpy(&bits, &narrow, sizeof bits);
    put_u32_be(token + 1, bits);
    buffer_append(row, token, sizeof token);
}

static void put_numeric(struct buffer *row, struct numeric numeric)
{
    enum { HEAD = 4 };
    uint8_t bytes[HEAD + sizeof(__int128)] = {TOKEN_EXT8, 0, EXT_NUMERIC,
                                              (uint8_t)numeric_scale(numeric)};
    __int128 coefficient = numeric_coefficient(numeric);
    size_t size = 1;
    while (size < sizeof coefficient && coefficient >> (8 * size - 1) != (coefficient < 0 ? -1 : 0))
        size++;
    for (size_t i = 0; i < size; i++)
        bytes[HEAD + i] = (uint8_t)(coefficient >> (8 * (size - 1 - i)));
    bytes[1] = (uint8_t)(1 + size);
    buffer_append(row, bytes, HEAD + size);
}

static void put_interval(struct buffer *row, struct interval interval)
{
    uint8_t bytes[18] = {TOKEN_FIXEXT16, EXT_INTERVAL};
    put_u32_be(bytes + 2, (uint32_t)interval.months);
    put_u32_be(bytes + 6, (uint32_t)interval.days);
    put_u64_be(bytes + 10, (uint64_t)interval.us);
    buffer_append(row, bytes, sizeof bytes);
}

static void put_uuid(struct buffer *row, struct uuid uuid)
{
    uint8_t head[2] = {TOKEN_FIXEXT16, EXT_UUID};
    buffer_append(row, head, sizeof head);
    buffer_append(row, uuid.bytes, sizeof uuid);
}

static void put_value(struct buffer *row, const struct value *value)
{
    switch (value->type) {
    case SQL_BOOLEAN:
        msgpack_put_bool(row, value->as.boolean);
        return;
    case SQL_DOUBLE:
        msgpack_put_double(row, value->as.real);
        return;
    case SQL_REAL:
        put_real(row, value->as.real);
        return;
    case SQL_TEXT:
        msgpack_put_str(row, value->as.text);
        return;
    case SQL_BYTEA:
        msgpack_put_bin(row, value->as.text);
        return;
    case SQL_NUMERIC:
        put_numeric(row, value->as.numeric);
        return;
    case SQL_INTERVAL:
        put_interval(row, value->as.interval);
        return;
    case SQL_UUID:
        put_uuid(row, value->as.uuid);
        return;
    default:
        ASSERT(type_storage(value->type) == SQL_INTEGER);
        msgpack_put_int(row, value->as.integer);
        return;
    }
}

void row_encode(struct buffer *row, const struct value *values, uint32_t count)
{
    ASSERT(row && (values || count == 0));
    msgpack_put_array(row, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &values[i];
        ASSERT(value->null || value->type != SQL_UNKNOWN);
        if (value->null)
            msgpack_put_nil(row);
        else
            put_value(row, value);
    }
}

/* A big-endian number of 1, 2, 4 or 8 bytes, whose presence the caller has checked. */
static inline uint64_t number_get(const uint8_t *at, size_t width)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 1:
        return at[0];
    case 2:
        memcpy(&two, at, sizeof two);
        return __builtin_bswap16(two);
    case 4:
        memcpy(&four, at, sizeof four);
        return __builtin_bswap32(four);
    default:
        memcpy(&eight, at, sizeof eight);
        return __builtin_bswap64(eight);
    }
}

static inline bool array_take(struct row__reader *reader, uint32_t *count)
{
    if (row__left(reader) < 1)
        return false;
    uint8_t token = *reader->at++;
    if ((token & 0xf0) == 0x90) {
        *count = token & 0x0f;
        return true;
    }
    if (token != TOKEN_ARRAY16 && token != TOKEN_ARRAY32)
        return false;
    size_t width = token == TOKEN_ARRAY16 ? 2 : 4;
    if (row__left(reader) < width)
        return false;
    *count = (uint32_t)number_get(reader->at, width);
    reader->at += width;
    return true;
}

/* Behind the token; sets the text. */
static inline bool text_take(struct row__reader *reader, uint8_t token, struct slice *text)
{
    size_t size = token & 0x1f;
    if ((token & 0xe0) != 0xa0) {
        if (token < TOKEN_STR8 || token > TOKEN_STR32)
            return false;
        size_t width = (size_t)1 << (token - TOKEN_STR8);
        if (row__left(reader) < width)
            return false;
        size = (size_t)number_get(reader->at, width);
        reader->at += width;
    }
    if (row__left(reader) < size)
        return false;
    *text = slice_make(reader->at, size);
    reader->at += size;
    return true;
}

static inline bool integer_take(struct row__reader *reader, uint8_t token, int64_t *integer)
{
    if (token <= 0x7f || token >= 0xe0) {
        *integer = (int8_t)token;
        return true;
    }
    if (token < TOKEN_UINT8 || token > TOKEN_INT64)
        return false;
    size_t width = (size_t)1 << (token & 3);
    if (row__left(reader) < width)
        return false;
    uint64_t number = number_get(reader->at, width);
    reader->at += width;
    if (token <= TOKEN_UINT64) {
        *integer = (int64_t)number;
        return number <= INT64_MAX;
    }
    /* Sign extension from `width` bytes. */
    unsigned shift = (unsigned)(64 - 8 * width);
    *integer = (int64_t)(number << shift) >> shift;
    return true;
}
_Static_assert((TOKEN_UINT8 & 3) == 0 && (TOKEN_INT8 & 3) == 0, "width is 1 << (token & 3)");

static inline bool double_take(struct row__reader *reader, uint8_t token, double *real)
{
    if (token != TOKEN_DOUBLE || row__left(reader) < 8)
        return false;
    uint64_t bits = number_get(reader->at, 8);
    memcpy(real, &bits, sizeof bits);
    reader->at += 8;
    return true;
}

static inline bool real_take(struct row__reader *reader, uint8_t token, double *real)
{
    if (token != TOKEN_FLOAT || row__left(reader) < 4)
        return false;
    uint32_t bits = (uint32_t)number_get(reader->at, 4);
    float narrow;
    memcpy(&narrow, &bits, sizeof narrow);
    *real = (double)narrow;
    reader->at += 4;
    return true;
}

static inline bool bytes_take(struct row__reader *reader, uint8_t token, struct slice *bytes)
{
    if (token < TOKEN_BIN8 || token > TOKEN_BIN32)
        return false;
    size_t width = (size_t)1 << (token - TOKEN_BIN8);
    if (row__left(reader) < width)
        return false;
    size_t size = (size_t)number_get(reader->at, width);
    reader->at += width;
    if (row__left(reader) < size)
        return false;
    *bytes = slice_make(reader->at, size);
    reader->at += size;
    return true;
}

/* Behind the token: size, type, scale, coefficient. */
static inline bool numeric_take(struct row__reader *reader, uint8_t token, struct numeric *numeric)
{
    if (token != TOKEN_EXT8 || row__left(reader) < 4)
        return false;
    size_t size = reader->at[0];
    uint32_t scale = reader->at[2];
    if (reader->at[1] != EXT_NUMERIC || size < 2 || size > 1 + sizeof(__int128) ||
        row__left(reader) < 2 + size || scale > NUMERIC_SCALE_MAX)
        return false;
    const uint8_t *at = reader->at + 3;
    size--;
    __int128 coefficient = (int8_t)at[0];
    for (size_t i = 1; i < size; i++)
        coefficient = (__int128)((unsigned __int128)coefficient << 8 | at[i]);
    reader->at = at + size;
    if (coefficient == (int64_t)coefficient) {
        *numeric = numeric_make(coefficient, scale);
        return true;
    }
    __int128 limit = (__int128)numeric_power_of_ten(NUMERIC_DIGITS_MAX);
    if (coefficient >= limit || coefficient <= -limit)
        return false;
    *numeric = numeric_make(coefficient, scale);
    return true;
}

/* 16 bytes of an extension. */
static inline bool extension_take(struct row__reader *reader, uint8_t token, uint8_t type,
                                  const uint8_t **bytes)
{
    if (token != TOKEN_FIXEXT16 || row__left(reader) < 17 || reader->at[0] != type)
        return false;
    *bytes = reader->at + 1;
    reader->at += 17;
    return true;
}

static inline bool interval_take(struct row__reader *reader, uint8_t token,
                                 struct interval *interval)
{
    const uint8_t *bytes;
    if (!extension_take(reader, token, EXT_INTERVAL, &bytes))
        return false;
    *interval = (struct interval){.months = (int32_t)get_u32_be(bytes),
                                  .days = (int32_t)get_u32_be(bytes + 4),
                                  .us = (int64_t)get_u64_be(bytes + 8)};
    return true;
}

static inline bool uuid_take(struct row__reader *reader, uint8_t token, struct uuid *uuid)
{
    const uint8_t *bytes;
    if (!extension_take(reader, token, EXT_UUID, &bytes))
        return false;
    memcpy(uuid->bytes, bytes, sizeof uuid->bytes);
    return true;
}

/* Short texts have their size in the token. */
#define TEXT_OF(size)  [0xa0 + (size)] = 1 + (size)
#define TEXTS_OF(size) TEXT_OF(size), TEXT_OF(size + 1), TEXT_OF(size + 2), TEXT_OF(size + 3)

/* Of each token that tells it all: bytes of the value, with the token. 0: it is told behind it, or
 * it is none of ours. */
const uint8_t row__sizes[256] = {
    [0x00 ... 0x7f] = 1,   TEXTS_OF(0),        TEXTS_OF(4),           TEXTS_OF(8),
    TEXTS_OF(12),          TEXTS_OF(16),       TEXTS_OF(20),          TEXTS_OF(24),
    TEXTS_OF(28),          [TOKEN_NIL] = 1,    [TOKEN_FALSE] = 1,     [TOKEN_TRUE] = 1,
    [TOKEN_FLOAT] = 5,     [TOKEN_DOUBLE] = 9, [TOKEN_UINT8] = 2,     [TOKEN_UINT8 + 1] = 3,
    [TOKEN_UINT8 + 2] = 5, [TOKEN_UINT64] = 9, [TOKEN_INT8] = 2,      [TOKEN_INT8 + 1] = 3,
    [TOKEN_INT8 + 2] = 5,  [TOKEN_INT64] = 9,  [TOKEN_FIXEXT16] = 18, [0xe0 ... 0xff] = 1,
};

/* Steps over one value whose size is not told by its token. */
static bool other_skip(struct row__reader *reader, uint8_t token)
{
    struct slice bytes;
    if (token >= TOKEN_STR8 && token <= TOKEN_STR32)
        return text_take(reader, token, &bytes);
    if (token != TOKEN_EXT8 || row__left(reader) < 1)
        return bytes_take(reader, token, &bytes);
    size_t size = (size_t)reader->at[0] + 2;
    if (row__left(reader) < size)
        return false;
    reader->at += size;
    return true;
}

/* Steps over one value of any kind row_encode writes. */
static inline bool value_skip(struct row__reader *reader)
{
    if (row__left(reader) < 1)
        return false;
    size_t size = row__sizes[*reader->at];
    if (size == 0)
        return other_skip(reader, *reader->at++);
    if (row__left(reader) < size)
        return false;
    reader->at += size;
    return true;
}

/* The next value into row `row` of `target`. */
static inline bool value_take(struct row__reader *reader, enum sql_type type, struct vector *target,
                              uint32_t row)
{
    if (row__left(reader) < 1)
        return false;
    uint8_t token = *reader->at++;
    if (token == TOKEN_NIL) {
        vector_set_null(target, row);
        return true;
    }
    if (target->has_nulls)
        target->nulls[row / 64] &= ~((uint64_t)1 << (row % 64));
    switch (type) {
    case SQL_BOOLEAN:
        target->as.booleans[row] = token == TOKEN_TRUE;
        return token == TOKEN_TRUE || token == TOKEN_FALSE;
    case SQL_INTEGER:
        return integer_take(reader, token, &target->as.integers[row]);
    case SQL_DOUBLE:
        return double_take(reader, token, &target->as.reals[row]);
    case SQL_TEXT:
        return text_take(reader, token, &target->as.texts[row]);
    case SQL_REAL:
        return real_take(reader, token, &target->as.reals[row]);
    case SQL_NUMERIC:
        return numeric_take(reader, token, &target->as.numerics[row]);
    case SQL_BYTEA:
        return bytes_take(reader, token, &target->as.texts[row]);
    case SQL_DATE:
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return integer_take(reader, token, &target->as.integers[row]) &&
               value__datetime_fits(type, target->as.integers[row]);
    case SQL_INTERVAL:
        return interval_take(reader, token, &target->as.intervals[row]);
    case SQL_UUID:
        return uuid_take(reader, token, &target->as.uuids[row]);
    case SQL_UNKNOWN:
    case SQL_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

bool row__array_take(struct row__reader *reader, uint32_t *count)
{
    return array_take(reader, count);
}

bool row__value_skip(struct row__reader *reader)
{
    return value_skip(reader);
}

bool row__value_take(struct row__reader *reader, enum sql_type type, struct vector *target,
                     uint32_t row)
{
    return value_take(reader, type, target, row);
}

status_t row_decode(struct slice row, const struct row_shape *shape, struct vector **targets,
                    uint32_t at)
{
    ASSERT(shape && targets);
    if (row.size == 0)
        return ERR_CORRUPT;
    struct row__reader reader = {.at = row.data, .end = row.data + row.size};
    uint32_t count;
    if (!array_take(&reader, &count))
        return ERR_CORRUPT;
    uint32_t ordinal = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        struct vector *target = targets[i];
        ASSERT(at < target->capacity && target->type == shape->types[i]);
        ASSERT(shape->ordinals[i] >= ordinal); /* ascending */
        if (shape->ordinals[i] >= count) {
            vector_set(target, at, &shape->missing[i]);
            continue;
        }
        for (; ordinal < shape->ordinals[i]; ordinal++)
            if (!value_skip(&reader))
                return ERR_CORRUPT;
        if (!value_take(&reader, shape->types[i], target, at))
            return ERR_CORRUPT;
        ordinal++;
    }
    return OK;
}

/* A value is written as the vector of one row that it is. */
static inline bool one_take(struct row__reader *reader, enum sql_type type, struct value *out)
{
    struct vector view = {.type = type, .capacity = 1, .as.data = &out->as};
    *out = (struct value){.type = type};
    if (row__left(reader) > 0 && reader->at[0] == TOKEN_NIL) {
        reader->at++;
        *out = value_null(type);
        return true;
    }
    return value_take(reader, type, &view, 0);
}

status_t row_decode_values(struct slice row, const struct row_shape *shape, const uint32_t *places,
                           struct value *out)
{
    ASSERT(shape && places && out);
    struct row__reader reader = {.at = row.data, .end = row.data + row.size};
    uint32_t count, ordinal = 0;
    if (!array_take(&reader, &count))
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < shape->count; i++) {
        struct value *value = &out[places[i]];
        if (shape->ordinals[i] >= count) {
            *value = shape->missing[i];
            continue;
        }
        for (; ordinal < shape->ordinals[i]; ordinal++)
            if (!value_skip(&reader))
                return ERR_CORRUPT;
        if (!one_take(&reader, shape->types[i], value))
            return ERR_CORRUPT;
        ordinal++;
    }
    return OK;
}
