/* Many rows at once: the inner loop of every scan.
 *
 * Rows are decoded a strip at a time, and a strip column by column: one loop over its rows steps
 * over what is not wanted, the next one reads a column of one type, and each row's place is kept in
 * between. Where a value begins is known only when those before it in its row were looked at; but
 * the rows know nothing of each other, so a processor works on several of them at a time, and no
 * loop has to tell types apart. A strip is short, for its rows to stay in the nearest cache.
 *
 * What is plain is read without a branch that goes by the data: integers of any width by one load
 * of eight bytes, where the row has as many left, shifted as a table says. All else (NULL, the end
 * of a row, types that are seldom read, and what is corrupt) is left to row.c.
 *
 * A strip with a row that lacks a wanted column, because it was written before the column was
 * added, is decoded row by row. */
#include <string.h>

#include "base/check.h"
#include "sql/types/row_int.h"

enum { STRIP = 128, FEW = 4 };

struct strip {
    const struct row_shape *shape;
    struct row__reader readers[STRIP];
    uint32_t rows[STRIP]; /* of the targets */
    uint32_t count;
};

/* ---- one step over all rows --------------------------------------------------------------------
 */

/* Texts up to 255 bytes and exact decimals have their size in one byte behind the token. */
static inline size_t size_told_behind(const struct row__reader *reader)
{
    size_t head = 0;
    if (*reader->at == TOKEN_STR8 || *reader->at == TOKEN_BIN8)
        head = 2;
    else if (*reader->at == TOKEN_EXT8)
        head = 3;
    return head > 0 && row__left(reader) >= 2 ? head + reader->at[1] : 0;
}

static bool strip_skip(struct strip *strip, uint32_t values)
{
    for (uint32_t i = 0; i < strip->count; i++) {
        struct row__reader reader = strip->readers[i];
        for (uint32_t v = 0; v < values; v++) {
            size_t left = row__left(&reader);
            if (left == 0)
                return false;
            size_t size = row__sizes[*reader.at];
            if (size == 0)
                size = size_told_behind(&reader);
            if (size == 0) {
                if (!row__value_skip(&reader))
                    return false;
            } else if (size > left) {
                return false;
            } else {
                reader.at += size;
            }
        }
        strip->readers[i].at = reader.at;
    }
    return true;
}

/* How an integer's token is to be read: the eight bytes from `from` on are its own, first of all,
 * and `shift` takes away those that are not; `mask` the copies of the first bit of what is not
 * signed. */
struct integer_form {
    uint64_t mask;
    uint8_t from;
    uint8_t shift;
    uint8_t size; /* with the token; 0: no integer */
};

#define SIGNED(width)                                                                              \
    {                                                                                              \
        UINT64_MAX, 1, 64 - 8 * (width), 1 + (width)                                               \
    }
#define UNSIGNED(width)                                                                            \
    {                                                                                              \
        UINT64_MAX >> (64 - 8 * (width)), 1, 64 - 8 * (width), 1 + (width)                         \
    }
static const struct integer_form integer_forms[256] = {
    [0x00 ... 0x7f] = {UINT64_MAX, 0, 56, 1},
    [0xe0 ... 0xff] = {UINT64_MAX, 0, 56, 1},
    [TOKEN_UINT8] = UNSIGNED(1),
    [TOKEN_UINT8 + 1] = UNSIGNED(2),
    [TOKEN_UINT8 + 2] = UNSIGNED(4),
    [TOKEN_UINT64] = UNSIGNED(8),
    [TOKEN_INT8] = SIGNED(1),
    [TOKEN_INT8 + 1] = SIGNED(2),
    [TOKEN_INT8 + 2] = SIGNED(4),
    [TOKEN_INT64] = SIGNED(8),
};

static inline uint64_t eight_bytes(const uint8_t *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return __builtin_bswap64(bytes);
}

static bool strip_integers(struct strip *strip, enum sql_type type, struct vector *target)
{
    int64_t *out = target->as.integers;
    for (uint32_t i = 0; i < strip->count; i++) {
        struct row__reader *reader = &strip->readers[i];
        const uint8_t *at = reader->at;
        if (row__left(reader) < 9) {
            if (!row__value_take(reader, type, target, strip->rows[i]))
                return false;
            continue;
        }
        const struct integer_form *form = &integer_forms[*at];
        uint64_t bytes = eight_bytes(at + form->from);
        uint64_t number = (uint64_t)((int64_t)bytes >> form->shift) & form->mask;
        bool too_large = *at == TOKEN_UINT64 && number > INT64_MAX;
        if (form->size == 0 || too_large) {
            if (!row__value_take(reader, type, target, strip->rows[i]))
                return false;
            continue;
        }
        out[strip->rows[i]] = (int64_t)number;
        reader->at = at + form->size;
    }
    return true;
}

/* Some hundred years and a day are checked here, all else where it is known. */
static bool strip_datetimes(struct strip *strip, enum sql_type type, struct vector *target)
{
    const int64_t day_us = INT64_C(86400000000), days = 200000;
    int64_t high = type == SQL_DATE ? days : type == SQL_TIME ? day_us : days * day_us;
    int64_t low = type == SQL_TIME ? 0 : -high;
    if (!strip_integers(strip, SQL_INTEGER, target))
        return false;
    for (uint32_t i = 0; i < strip->count; i++) {
        int64_t number = target->as.integers[strip->rows[i]];
        if ((number < low || number > high) && !value__datetime_fits(type, number))
            return false;
    }
    return true;
}

static bool strip_doubles(struct strip *strip, struct vector *target)
{
    for (uint32_t i = 0; i < strip->count; i++) {
        struct row__reader *reader = &strip->readers[i];
        if (row__left(reader) >= 9 && *reader->at == TOKEN_DOUBLE) {
            uint64_t bytes = eight_bytes(reader->at + 1);
            memcpy(&target->as.reals[strip->rows[i]], &bytes, sizeof bytes);
            reader->at += 9;
        } else if (!row__value_take(reader, SQL_DOUBLE, target, strip->rows[i])) {
            return false;
        }
    }
    return true;
}

static bool strip_texts(struct strip *strip, struct vector *target)
{
    for (uint32_t i = 0; i < strip->count; i++) {
        struct row__reader *reader = &strip->readers[i];
        size_t left = row__left(reader), head = 0, size = 0;
        if (left >= 2 && *reader->at == TOKEN_STR8) {
            head = 2;
            size = reader->at[1];
        } else if (left >= 1 && (*reader->at & 0xe0) == 0xa0) {
            head = 1;
            size = *reader->at & 0x1f;
        }
        if (head > 0 && size <= left - head) {
            target->as.texts[strip->rows[i]] = slice_make(reader->at + head, size);
            reader->at += head + size;
        } else if (!row__value_take(reader, SQL_TEXT, target, strip->rows[i])) {
            return false;
        }
    }
    return true;
}

static bool strip_others(struct strip *strip, enum sql_type type, struct vector *target)
{
    for (uint32_t i = 0; i < strip->count; i++) {
        if (!row__value_take(&strip->readers[i], type, target, strip->rows[i]))
            return false;
    }
    return true;
}

static bool strip_take(struct strip *strip, enum sql_type type, struct vector *target)
{
    for (uint32_t i = 0; target->has_nulls && i < strip->count; i++) {
        uint32_t row = strip->rows[i];
        target->nulls[row / 64] &= ~((uint64_t)1 << (row % 64));
    }
    switch (type) {
    case SQL_INTEGER:
        return strip_integers(strip, type, target);
    case SQL_DATE:
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return strip_datetimes(strip, type, target);
    case SQL_DOUBLE:
        return strip_doubles(strip, target);
    case SQL_TEXT:
        return strip_texts(strip, target);
    default:
        return strip_others(strip, type, target);
    }
}

/* ---- strips ------------------------------------------------------------------------------------
 */

/* Reads the heads of the rows; *whole: each has all columns that are wanted. */
static bool strip_begin(struct strip *strip, bool *whole)
{
    const struct row_shape *shape = strip->shape;
    uint32_t last = shape->ordinals[shape->count - 1];
    *whole = true;
    for (uint32_t i = 0; i < strip->count; i++) {
        uint32_t count;
        if (!row__array_take(&strip->readers[i], &count))
            return false;
        *whole &= count > last;
    }
    return true;
}

static bool strip_columns(struct strip *strip, struct vector **targets)
{
    const struct row_shape *shape = strip->shape;
    uint32_t ordinal = 0;
    for (uint32_t c = 0; c < shape->count; c++) {
        ASSERT(targets[c]->type == shape->types[c] && shape->ordinals[c] >= ordinal);
        uint32_t unwanted = shape->ordinals[c] - ordinal;
        if ((unwanted > 0 && !strip_skip(strip, unwanted)) ||
            !strip_take(strip, shape->types[c], targets[c]))
            return false;
        ordinal = shape->ordinals[c] + 1;
    }
    return true;
}

struct source {
    const uint8_t *rows;
    size_t stride;
    const uint32_t *which; /* NULL: all, in their order, the first one into row `at` */
    uint32_t at;
};

static inline uint32_t source_place(const struct source *source, uint32_t i)
{
    return source->which ? source->which[i] : i;
}

static inline struct slice source_row(const struct source *source, uint32_t i)
{
    struct slice row;
    memcpy(&row, source->rows + source_place(source, i) * source->stride, sizeof row);
    return row;
}

static status_t some_decode(const struct source *source, uint32_t from, uint32_t count,
                            const struct row_shape *shape, struct vector **targets)
{
    status_t status = OK;
    for (uint32_t i = from; i < from + count && status == OK; i++)
        status =
            row_decode(source_row(source, i), shape, targets, source->at + source_place(source, i));
    return status;
}

static status_t strips_decode(const struct source *source, uint32_t count,
                              const struct row_shape *shape, struct vector **targets)
{
    struct strip strip = {.shape = shape};
    status_t status = OK;
    if (shape->count == 0 || count < FEW)
        return some_decode(source, 0, count, shape, targets);
    for (uint32_t c = 0; c < shape->count; c++)
        ASSERT(source->at + source_place(source, count - 1) < targets[c]->capacity);
    for (uint32_t from = 0; from < count && status == OK; from += strip.count) {
        strip.count = count - from < STRIP ? count - from : STRIP;
        for (uint32_t i = 0; i < strip.count; i++) {
            struct slice row = source_row(source, from + i);
            strip.readers[i] = (struct row__reader){.at = row.data, .end = row.data + row.size};
            strip.rows[i] = source->at + source_place(source, from + i);
        }
        bool whole;
        if (!strip_begin(&strip, &whole))
            status = ERR_CORRUPT;
        else if (!whole)
            status = some_decode(source, from, strip.count, shape, targets);
        else
            status = strip_columns(&strip, targets) ? OK : ERR_CORRUPT;
    }
    return status;
}

status_t row_decode_many(const struct slice *rows, size_t stride, uint32_t count,
                         const struct row_shape *shape, struct vector **targets, uint32_t at)
{
    ASSERT(shape && targets);
    struct source source = {.rows = (const uint8_t *)rows, .stride = stride, .at = at};
    return strips_decode(&source, count, shape, targets);
}

status_t row_decode_some(const struct slice *rows, size_t stride, const uint32_t *which,
                         uint32_t count, const struct row_shape *shape, struct vector **targets)
{
    ASSERT(shape && targets && which);
    struct source source = {.rows = (const uint8_t *)rows, .stride = stride, .which = which};
    return strips_decode(&source, count, shape, targets);
}
