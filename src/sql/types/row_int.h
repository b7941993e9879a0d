/* Inside sql/types: what reading one row (row.c) and many at once (row_many.c) share. */
#ifndef SQL_TYPES_ROW_INT_H
#define SQL_TYPES_ROW_INT_H

#include "sql/types/types_int.h"

enum {
    TOKEN_NIL = 0xc0,
    TOKEN_FALSE = 0xc2,
    TOKEN_TRUE = 0xc3,
    TOKEN_BIN8 = 0xc4,
    TOKEN_BIN32 = 0xc6,
    TOKEN_EXT8 = 0xc7,
    TOKEN_FLOAT = 0xca,
    TOKEN_DOUBLE = 0xcb,
    TOKEN_UINT8 = 0xcc,
    TOKEN_UINT64 = 0xcf,
    TOKEN_INT8 = 0xd0,
    TOKEN_INT64 = 0xd3,
    TOKEN_FIXEXT16 = 0xd8,
    TOKEN_STR8 = 0xd9,
    TOKEN_STR32 = 0xdb,
    TOKEN_ARRAY16 = 0xdc,
    TOKEN_ARRAY32 = 0xdd,
};

/* What is left of a row. Every read is bounded: the invariant is at <= end, and each step compares
 * what it needs with end - at before it looks. A false answer means that the row is corrupt. */
struct row__reader {
    const uint8_t *at;
    const uint8_t *end;
};

static inline size_t row__left(const struct row__reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

extern const uint8_t row__sizes[256];

/* The head of a row: how many values it has. */
bool row__array_take(struct row__reader *reader, uint32_t *count);
/* Steps over one value of any kind row_encode writes. */
bool row__value_skip(struct row__reader *reader);
/* The next value into row `row` of `target`. */
bool row__value_take(struct row__reader *reader, enum sql_type type, struct vector *target,
                     uint32_t row);

#endif
