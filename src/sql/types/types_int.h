/* Inside sql/types. */
#ifndef SQL_TYPES_TYPES_INT_H
#define SQL_TYPES_TYPES_INT_H

#include "sql/types/types.h"

enum {
    VALUE__DOUBLE_TEXT_MAX = 40, /* bytes with the NUL: sign, 17 digits, point, exponent, zeros */
    VALUE__INTEGER_TEXT_MAX = 24,
};

/* Text of a number as clients see it, with a NUL; returns its length. */
size_t value__double_text(double real, char out[VALUE__DOUBLE_TEXT_MAX]);
size_t value__integer_text(int64_t integer, char out[VALUE__INTEGER_TEXT_MAX]);

#endif
