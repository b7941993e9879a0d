/* Inside sql/types. */
#ifndef SQL_TYPES_TYPES_INT_H
#define SQL_TYPES_TYPES_INT_H

#include "sql/types/types.h"

enum {
    VALUE__DOUBLE_TEXT_MAX = 40, /* bytes with the NUL: sign, 17 digits, point, exponent, zeros */
    VALUE__INTEGER_TEXT_MAX = 24,
    VALUE__TEXT_MAX = DATETIME_TEXT_MAX, /* of any value but text and bytes */
};

/* Text of a number as clients see it, with a NUL; returns its length. */
size_t value__double_text(double real, char out[VALUE__DOUBLE_TEXT_MAX]);
size_t value__real_text(double real, char out[VALUE__DOUBLE_TEXT_MAX]);
size_t value__integer_text(int64_t integer, char out[VALUE__INTEGER_TEXT_MAX]);

/* What intervals are compared by: microseconds, a month having 30 days. */
__int128 value__interval_length(struct interval interval);

/* Keys of numerics (key_numeric.c). `flip` is ff in a descending key. */
void value__numeric_key(struct buffer *key, struct numeric numeric);
/* How many bytes at the front of `key` are one; false: it does not end. */
bool value__numeric_key_size(struct slice key, uint8_t flip, size_t *size);
/* The number written in exactly these bytes; false: none is. */
bool value__numeric_key_take(struct slice key, uint8_t flip, struct numeric *out);

status_t value__text_to_bytea(struct slice text, struct arena *arena, uint32_t position,
                              struct value *out, struct error *error);
/* For a %.*s: what goes into a message is cut there anyway. */
int value__shown_size(struct slice text);
status_t value__syntax_error(struct slice text, enum sql_type type, uint32_t position,
                             struct error *error);
status_t value__range_error(enum sql_type type, uint32_t position, struct error *error);
/* Is there such a date, time or timestamp? */
bool value__datetime_fits(enum sql_type type, int64_t number);
/* Among dates, times and intervals, and from text to them. */
bool value__datetime_can_cast(enum sql_type from, enum sql_type to);
status_t value__datetime_cast(const struct value *value, enum sql_type type,
                              const struct clock *clock, uint32_t position, struct value *out,
                              struct error *error);
/* To that many digits of the second. */
status_t value__datetime_round(struct value *value, uint32_t digits, struct error *error);
size_t value__datetime_text(const struct value *value, int32_t zone_s, char out[DATETIME_TEXT_MAX]);
/* Casts between numbers of two types. */
status_t value__number_cast(const struct value *value, enum sql_type type, uint32_t position,
                            struct value *out, struct error *error);

#endif
