/* The proleptic Gregorian calendar.
 *
 * Days are counted in years that begin on the first of March, so that the leap day is the last of
 * its year and the months before it have lengths that repeat: 31 30 31 30 31, twice, then 31 and
 * what is left. The first day of month m (March: 0) is day (153 m + 2) / 5 of such a year. 400
 * years have 146097 days, 100 of them 36524 (the last century one more), 4 have 1461. */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "sql/types/datetime_int.h"

enum {
    DAYS_400_YEARS = 146097,
    DAYS_100_YEARS = 36524,
    DAYS_4_YEARS = 1461,
    DAYS_YEAR = 365,
    DAYS_BEFORE_EPOCH = 719468, /* from 0000-03-01 to 1970-01-01 */
};

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int32_t month_length(int32_t year, int32_t month)
{
    ASSERT(month >= 1 && month <= 12);
    if (month == 2)
        return is_leap(year) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

int64_t date_from_civil(struct civil_date civil)
{
    ASSERT(civil.month >= 1 && civil.month <= 12);
    ASSERT(civil.day >= 1 && civil.day <= 31);
    int64_t year = (int64_t)civil.year - (civil.month <= 2);
    int64_t month = civil.month <= 2 ? civil.month + 9 : civil.month - 3;
    int64_t cycle = datetime__floor_divide(year, 400);
    int64_t in_cycle = year - cycle * 400;
    int64_t leaps = in_cycle / 4 - in_cycle / 100;
    int64_t yearday = (153 * month + 2) / 5 + civil.day - 1;
    return cycle * DAYS_400_YEARS + in_cycle * DAYS_YEAR + leaps + yearday - DAYS_BEFORE_EPOCH;
}

struct civil_date date_to_civil(int64_t days)
{
    ASSERT(days >= DATE_MIN && days <= DATE_MAX);
    int64_t since = days + DAYS_BEFORE_EPOCH;
    int64_t cycle = datetime__floor_divide(since, DAYS_400_YEARS);
    int64_t rest = since - cycle * DAYS_400_YEARS;
    /* The last day of a cycle, and of four years, would begin a fifth part: it belongs to the
     * fourth. */
    int64_t century = rest / DAYS_100_YEARS < 3 ? rest / DAYS_100_YEARS : 3;
    rest -= century * DAYS_100_YEARS;
    int64_t four = rest / DAYS_4_YEARS;
    rest -= four * DAYS_4_YEARS;
    int64_t one = rest / DAYS_YEAR < 3 ? rest / DAYS_YEAR : 3;
    rest -= one * DAYS_YEAR;
    int64_t year = cycle * 400 + century * 100 + four * 4 + one;
    int64_t month = (5 * rest + 2) / 153;
    int64_t day = rest - (153 * month + 2) / 5 + 1;
    return (struct civil_date){
        .year = (int32_t)(month >= 10 ? year + 1 : year),
        .month = (int32_t)(month >= 10 ? month - 9 : month + 3),
        .day = (int32_t)day,
    };
}

bool datetime__civil_exists(int64_t year, int64_t month, int64_t day)
{
    if (year < -4713 || year > 5874897 || month < 1 || month > 12 || day < 1)
        return false;
    if (day > month_length((int32_t)year, (int32_t)month))
        return false;
    struct civil_date civil = {(int32_t)year, (int32_t)month, (int32_t)day};
    return date_from_civil(civil) >= DATE_MIN;
}

struct civil_time datetime__broken_down(int64_t us)
{
    ASSERT(datetime__timestamp_fits(us));
    int64_t days = datetime__floor_divide(us, DAY_US);
    int64_t rest = us - days * DAY_US;
    return (struct civil_time){
        .date = date_to_civil(days),
        .hour = (int32_t)(rest / HOUR_US),
        .minute = (int32_t)(rest / MINUTE_US % 60),
        .second = (int32_t)(rest / SECOND_US % 60),
        .us = (int32_t)(rest % SECOND_US),
    };
}

int32_t datetime__weekday(int64_t days)
{
    /* 1970-01-01 was a Thursday. */
    return (int32_t)datetime__floor_modulo(days + 4, 7);
}

int32_t datetime__yearday(struct civil_date civil)
{
    struct civil_date first = {civil.year, 1, 1};
    return (int32_t)(date_from_civil(civil) - date_from_civil(first) + 1);
}

int64_t datetime__iso_week_start(int64_t year, int64_t week)
{
    ASSERT(year >= -4800 && year <= 6000000);
    /* The fourth of January is always in the first week. */
    struct civil_date fourth = {(int32_t)year, 1, 4};
    int64_t days = date_from_civil(fourth);
    int64_t monday = days - datetime__floor_modulo(days + 3, 7);
    return monday + (week - 1) * 7;
}

void datetime__iso_week(int64_t days, int32_t *year, int32_t *week)
{
    ASSERT(year && week);
    int32_t candidate = date_to_civil(days).year + 1;
    while (datetime__iso_week_start(candidate, 1) > days)
        candidate--;
    *year = candidate;
    *week = (int32_t)((days - datetime__iso_week_start(candidate, 1)) / 7 + 1);
}

status_t datetime__timestamp_error(struct error *error)
{
    return error_sql(error, "22008", 0, "timestamp out of range");
}

status_t datetime__date_error(struct error *error)
{
    return error_sql(error, "22008", 0, "date out of range");
}

status_t datetime__interval_error(struct error *error)
{
    return error_sql(error, "22008", 0, "interval out of range");
}

/* ---- names ------------------------------------------------------------------------------------
 */

static const char *const months[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December",
};
static const char *const weekdays[] = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};

bool datetime__word_is(struct slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

/* At least three letters of the name, or all of it. */
static bool shortens(struct slice text, const char *name)
{
    return (text.size == 3 || text.size == strlen(name)) &&
           strncasecmp((const char *)text.data, name, text.size) == 0;
}

int32_t datetime__month_by_name(struct slice text)
{
    for (int32_t i = 0; i < 12; i++)
        if (shortens(text, months[i]))
            return i + 1;
    return datetime__word_is(text, "sept") ? 9 : 0;
}

int32_t datetime__weekday_by_name(struct slice text)
{
    for (int32_t i = 0; i < 7; i++)
        if (shortens(text, weekdays[i]))
            return i;
    static const struct {
        const char *name;
        int32_t weekday;
    } others[] = {{"tues", 2}, {"weds", 3}, {"thur", 4}, {"thurs", 4}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (datetime__word_is(text, others[i].name))
            return others[i].weekday;
    return -1;
}

const char *datetime__month_name(int32_t month)
{
    ASSERT(month >= 1 && month <= 12);
    return months[month - 1];
}

const char *datetime__weekday_name(int32_t weekday)
{
    ASSERT(weekday >= 0 && weekday <= 6);
    return weekdays[weekday];
}
