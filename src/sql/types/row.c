/* Rows. This is the inner loop of every scan, so MessagePack is read here directly for the few
 * tokens row_encode writes, and what is not wanted is stepped over by its length alone.
 *
 * Every read is bounded: the invariant is at <= end, and each step compares what it needs with
 * end - at before it looks. */
#include <string.h>

#include "base/check.h"
#include "base/msgpack.h"
#include "sql/types/types.h"

enum {
    TOKEN_NIL = 0xc0,
    TOKEN_FALSE = 0xc2,
    TOKEN_TRUE = 0xc3,
    TOKEN_DOUBLE = 0xcb,
    TOKEN_UINT8 = 0xcc,
    TOKEN_UINT64 = 0xcf,
    TOKEN_INT8 = 0xd0,
    TOKEN_INT64 = 0xd3,
    TOKEN_STR8 = 0xd9,
    TOKEN_STR32 = 0xdb,
    TOKEN_ARRAY16 = 0xdc,
    TOKEN_ARRAY32 = 0xdd,
};

void row_encode(struct buffer *row, const struct value *values, uint32_t count)
{
    ASSERT(row && (values || count == 0));
    msgpack_put_array(row, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &values[i];
        ASSERT(value->null || value->type != SQL_UNKNOWN);
        if (value->null)
            msgpack_put_nil(row);
        else if (value->type == SQL_BOOLEAN)
            msgpack_put_bool(row, value->as.boolean);
        else if (value->type == SQL_INTEGER)
            msgpack_put_int(row, value->as.integer);
        else if (value->type == SQL_DOUBLE)
            msgpack_put_double(row, value->as.real);
        else
            msgpack_put_str(row, value->as.text);
    }
}

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
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

static inline bool array_take(struct reader *reader, uint32_t *count)
{
    if (left(reader) < 1)
        return false;
    uint8_t token = *reader->at++;
    if ((token & 0xf0) == 0x90) {
        *count = token & 0x0f;
        return true;
    }
    if (token != TOKEN_ARRAY16 && token != TOKEN_ARRAY32)
        return false;
    size_t width = token == TOKEN_ARRAY16 ? 2 : 4;
    if (left(reader) < width)
        return false;
    *count = (uint32_t)number_get(reader->at, width);
    reader->at += width;
    return true;
}

/* Behind the token; sets the text. */
static inline bool text_take(struct reader *reader, uint8_t token, struct slice *text)
{
    size_t size = token & 0x1f;
    if ((token & 0xe0) != 0xa0) {
        if (token < TOKEN_STR8 || token > TOKEN_STR32)
            return false;
        size_t width = (size_t)1 << (token - TOKEN_STR8);
        if (left(reader) < width)
            return false;
        size = (size_t)number_get(reader->at, width);
        reader->at += width;
    }
    if (left(reader) < size)
        return false;
    *text = slice_make(reader->at, size);
    reader->at += size;
    return true;
}

static inline bool integer_take(struct reader *reader, uint8_t token, int64_t *integer)
{
    if (token <= 0x7f || token >= 0xe0) {
        *integer = (int8_t)token;
        return true;
    }
    if (token < TOKEN_UINT8 || token > TOKEN_INT64)
        return false;
    size_t width = (size_t)1 << (token & 3);
    if (left(reader) < width)
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

static inline bool double_take(struct reader *reader, uint8_t token, double *real)
{
    if (token != TOKEN_DOUBLE || left(reader) < 8)
        return false;
    uint64_t bits = number_get(reader->at, 8);
    memcpy(real, &bits, sizeof bits);
    reader->at += 8;
    return true;
}

/* Bytes behind a token; VARIES: see text_take, which also refuses what is none of ours. */
#define VARIES 0xff
static const uint8_t size_behind[256] =
    {
        [0x80 ... 0xbf] = VARIES, [0xc1] = VARIES,      [0xc4 ... 0xca] = VARIES,
        [TOKEN_DOUBLE] = 8,       [TOKEN_UINT8] = 1,    [TOKEN_UINT8 + 1] = 2,
        [TOKEN_UINT8 + 2] = 4,    [TOKEN_UINT64] = 8,   [TOKEN_INT8] = 1,
        [TOKEN_INT8 + 1] = 2,     [TOKEN_INT8 + 2] = 4, [TOKEN_INT64] = 8,
        [0xd4 ... 0xdf] = VARIES,
};

/* Steps over one value of any kind row_encode writes. */
static inline bool value_skip(struct reader *reader)
{
    if (left(reader) < 1)
        return false;
    uint8_t token = *reader->at++;
    size_t size = size_behind[token];
    if (size == VARIES) {
        struct slice text;
        return text_take(reader, token, &text);
    }
    if (left(reader) < size)
        return false;
    reader->at += size;
    return true;
}

/* The next value into row `row` of `target`. */
static inline bool value_take(struct reader *reader, enum sql_type type, struct vector *target,
                              uint32_t row)
{
    if (left(reader) < 1)
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
    case SQL_UNKNOWN:
    case SQL_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

static inline status_t row_take(struct slice row, const struct row_shape *shape,
                                struct vector **targets, uint32_t at)
{
    if (row.size == 0)
        return ERR_CORRUPT;
    struct reader reader = {.at = row.data, .end = row.data + row.size};
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

status_t row_decode(struct slice row, const struct row_shape *shape, struct vector **targets,
                    uint32_t at)
{
    ASSERT(shape && targets);
    return row_take(row, shape, targets, at);
}

status_t row_decode_many(const struct slice *rows, size_t stride, uint32_t count,
                         const struct row_shape *shape, struct vector **targets, uint32_t at)
{
    ASSERT(shape && targets);
    const uint8_t *next = (const uint8_t *)rows;
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++, next += stride)
        status = row_take(*(const struct slice *)(const void *)next, shape, targets, at + i);
    return status;
}
