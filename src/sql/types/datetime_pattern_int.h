/* Inside sql/types: template patterns taken apart, for to_char and its inverse. */
#ifndef SQL_TYPES_DATETIME_PATTERN_INT_H
#define SQL_TYPES_DATETIME_PATTERN_INT_H

#include "sql/types/datetime_int.h"

enum pattern_key {
    PATTERN_LITERAL, /* one character, as it is */
    PATTERN_HOUR12,
    PATTERN_HOUR24,
    PATTERN_MINUTE,
    PATTERN_SECOND,
    PATTERN_FRACTION, /* `digits` of the fraction of a second */
    PATTERN_SECONDS_OF_DAY,
    PATTERN_MERIDIAN,        /* AM */
    PATTERN_MERIDIAN_DOTTED, /* A.M. */
    PATTERN_YEAR,            /* the last `digits` of it */
    PATTERN_YEAR_COMMA,      /* 2,024 */
    PATTERN_ISO_YEAR,
    PATTERN_ERA,
    PATTERN_ERA_DOTTED,
    PATTERN_MONTH_NAME,
    PATTERN_MONTH_SHORT,
    PATTERN_MONTH,
    PATTERN_MONTH_ROMAN,
    PATTERN_DAY_NAME,
    PATTERN_DAY_SHORT,
    PATTERN_DAY_OF_YEAR,
    PATTERN_ISO_DAY_OF_YEAR,
    PATTERN_DAY,
    PATTERN_DAY_OF_WEEK,
    PATTERN_ISO_DAY_OF_WEEK,
    PATTERN_WEEK_OF_MONTH,
    PATTERN_WEEK,
    PATTERN_ISO_WEEK,
    PATTERN_CENTURY,
    PATTERN_JULIAN,
    PATTERN_QUARTER,
    PATTERN_ZONE,
    PATTERN_ZONE_HOUR,
    PATTERN_ZONE_MINUTE,
    PATTERN_OFFSET,
};

enum pattern_style { STYLE_UPPER, STYLE_CAPITAL, STYLE_LOWER };

struct pattern_item {
    enum pattern_key key;
    uint8_t digits; /* of a number: its width; 0: not a number */
    enum pattern_style style;
    bool fill;       /* FM: neither blanks nor zeros before */
    uint8_t ordinal; /* 'T' TH, 't' th, 0 neither */
    uint8_t literal;
    bool quoted; /* a literal between double quotes */
};

/* Takes the next item off the front of the pattern; false at its end. */
bool pattern__next(struct slice *pattern, bool *in_quotes, struct pattern_item *item);
/* "I" to "XII". */
const char *pattern__roman(int32_t month);

#endif
