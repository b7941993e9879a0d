/* Inside sql/types: what the files about dates and times share. */
#ifndef SQL_TYPES_DATETIME_INT_H
#define SQL_TYPES_DATETIME_INT_H

#include "sql/types/types.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)

enum {
    MONTHS_A_YEAR = 12,
    DAYS_A_MONTH = 30, /* where an interval must have one length */
    ZONE_S_MAX = 15 * 3600 + 59 * 60 + 59,
    JULIAN_EPOCH = 2440588, /* Julian day number of 1970-01-01 */
};

#define DATE_MIN      (-(int64_t)JULIAN_EPOCH)      /* 4714-11-24 BC, Julian day 0 */
#define DATE_MAX      INT64_C(2145042905)           /* 5874897-12-31 */
#define TIMESTAMP_MIN (DATE_MIN * DAY_US)           /* inclusive */
#define TIMESTAMP_END (INT64_C(106751982) * DAY_US) /* 294247-01-01, exclusive */

/* An infinity: neither has a field or a place in arithmetic. */
static inline bool datetime__is_infinite(int64_t number)
{
    return number == DATETIME_INFINITY || number == DATETIME_MINUS_INFINITY;
}
static inline bool datetime__timestamp_fits(__int128 us)
{
    return us >= TIMESTAMP_MIN && us < TIMESTAMP_END;
}
/* 22008. */
status_t datetime__timestamp_error(struct error *error);
status_t datetime__date_error(struct error *error);
status_t datetime__interval_error(struct error *error);

/* Rounded down, where C rounds towards zero. */
static inline int64_t datetime__floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a % b < 0) != (b < 0));
}
static inline int64_t datetime__floor_modulo(int64_t a, int64_t b)
{
    return a - datetime__floor_divide(a, b) * b;
}

/* Broken down, in years that may lie far out. */
struct civil_time {
    struct civil_date date;
    int32_t hour;
    int32_t minute;
    int32_t second;
    int32_t us;
};
/* Of a finite timestamp. */
struct civil_time datetime__broken_down(int64_t us);
/* 22008 when there is no such day, or it is out of range. */
bool datetime__civil_exists(int64_t year, int64_t month, int64_t day);
/* Day of the week, 0 Sunday to 6 Saturday; of the year, from 1. */
int32_t datetime__weekday(int64_t days);
int32_t datetime__yearday(struct civil_date civil);
/* The week that has the year's first Thursday is its first; weeks begin on Monday. */
void datetime__iso_week(int64_t days, int32_t *year, int32_t *week);
/* Monday of that week. */
int64_t datetime__iso_week_start(int64_t year, int64_t week);

/* Case is ignored; the words are in small letters. */
bool datetime__word_is(struct slice text, const char *word);
/* 1 to 12, from at least the first three letters; 0: none. */
int32_t datetime__month_by_name(struct slice text);
/* 0 to 6; -1: none. */
int32_t datetime__weekday_by_name(struct slice text);
/* January is 1. Sunday is 0. */
const char *datetime__month_name(int32_t month);
const char *datetime__weekday_name(int32_t weekday);

#endif
