/* Fields of dates, times and intervals: to take one out, and to cut at one. */
#include <stddef.h>

#include "base/check.h"
#include "sql/types/datetime_int.h"

struct spelling {
    const char *name;
    enum datetime_unit unit;
};

static const struct spelling spellings[] = {
    {"microsecond", UNIT_MICROSECOND},
    {"microseconds", UNIT_MICROSECOND},
    {"us", UNIT_MICROSECOND},
    {"usec", UNIT_MICROSECOND},
    {"usecs", UNIT_MICROSECOND},
    {"millisecond", UNIT_MILLISECOND},
    {"milliseconds", UNIT_MILLISECOND},
    {"ms", UNIT_MILLISECOND},
    {"msec", UNIT_MILLISECOND},
    {"msecs", UNIT_MILLISECOND},
    {"second", UNIT_SECOND},
    {"seconds", UNIT_SECOND},
    {"s", UNIT_SECOND},
    {"sec", UNIT_SECOND},
    {"secs", UNIT_SECOND},
    {"minute", UNIT_MINUTE},
    {"minutes", UNIT_MINUTE},
    {"min", UNIT_MINUTE},
    {"mins", UNIT_MINUTE},
    {"hour", UNIT_HOUR},
    {"hours", UNIT_HOUR},
    {"h", UNIT_HOUR},
    {"hr", UNIT_HOUR},
    {"hrs", UNIT_HOUR},
    {"day", UNIT_DAY},
    {"days", UNIT_DAY},
    {"d", UNIT_DAY},
    {"week", UNIT_WEEK},
    {"weeks", UNIT_WEEK},
    {"w", UNIT_WEEK},
    {"month", UNIT_MONTH},
    {"months", UNIT_MONTH},
    {"mon", UNIT_MONTH},
    {"mons", UNIT_MONTH},
    {"quarter", UNIT_QUARTER},
    {"year", UNIT_YEAR},
    {"years", UNIT_YEAR},
    {"y", UNIT_YEAR},
    {"yr", UNIT_YEAR},
    {"yrs", UNIT_YEAR},
    {"decade", UNIT_DECADE},
    {"decades", UNIT_DECADE},
    {"dec", UNIT_DECADE},
    {"decs", UNIT_DECADE},
    {"century", UNIT_CENTURY},
    {"centuries", UNIT_CENTURY},
    {"c", UNIT_CENTURY},
    {"cent", UNIT_CENTURY},
    {"millennium", UNIT_MILLENNIUM},
    {"millennia", UNIT_MILLENNIUM},
    {"mil", UNIT_MILLENNIUM},
    {"mils", UNIT_MILLENNIUM},
    {"dow", UNIT_DOW},
    {"isodow", UNIT_ISODOW},
    {"doy", UNIT_DOY},
    {"isoyear", UNIT_ISOYEAR},
    {"epoch", UNIT_EPOCH},
    {"julian", UNIT_JULIAN},
    {"timezone", UNIT_TIMEZONE},
    {"timezone_hour", UNIT_TIMEZONE_HOUR},
    {"timezone_h", UNIT_TIMEZONE_HOUR},
    {"timezone_minute", UNIT_TIMEZONE_MINUTE},
    {"timezone_m", UNIT_TIMEZONE_MINUTE},
};

bool datetime_unit_parse(struct slice text, enum datetime_unit *unit)
{
    ASSERT(unit);
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        if (datetime__word_is(text, spellings[i].name)) {
            *unit = spellings[i].unit;
            return true;
        }
    }
    return false;
}

const char *datetime_unit_name(enum datetime_unit unit)
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (spellings[i].unit == unit)
            return spellings[i].name;
    UNREACHABLE();
}

static status_t unit_error(enum datetime_unit unit, const char *type, struct error *error)
{
    return error_sql(error, "0A000", 0, "unit \"%s\" not supported for type %s",
                     datetime_unit_name(unit), type);
}

/* ---- cutting --------------------------------------------------------------------------------- */

/* The first year of the decade, century or millennium; these last two begin with year 1. */
static int64_t year_cut(int64_t year, enum datetime_unit unit)
{
    switch (unit) {
    case UNIT_DECADE:
        return datetime__floor_divide(year, 10) * 10;
    case UNIT_CENTURY:
        return datetime__floor_divide(year - 1, 100) * 100 + 1;
    case UNIT_MILLENNIUM:
        return datetime__floor_divide(year - 1, 1000) * 1000 + 1;
    default:
        return year;
    }
}

/* The length of what has one; 0: it has none. */
static int64_t unit_us(enum datetime_unit unit)
{
    switch (unit) {
    case UNIT_MICROSECOND:
        return 1;
    case UNIT_MILLISECOND:
        return SECOND_US / 1000;
    case UNIT_SECOND:
        return SECOND_US;
    case UNIT_MINUTE:
        return MINUTE_US;
    case UNIT_HOUR:
        return HOUR_US;
    case UNIT_DAY:
        return DAY_US;
    default:
        return 0;
    }
}

status_t timestamp_trunc(enum datetime_unit unit, int64_t us, int64_t *out, struct error *error)
{
    ASSERT(out);
    if (unit > UNIT_MILLENNIUM)
        return unit_error(unit, "timestamp", error);
    *out = us;
    if (datetime__is_infinite(us))
        return OK;
    int64_t length = unit_us(unit);
    if (length) {
        *out = us - datetime__floor_modulo(us, length);
        return OK;
    }
    int64_t days = datetime__floor_divide(us, DAY_US);
    if (unit == UNIT_WEEK) {
        days -= datetime__floor_modulo(days + 3, 7);
    } else {
        struct civil_date civil = date_to_civil(days);
        if (unit == UNIT_QUARTER)
            civil.month = (civil.month - 1) / 3 * 3 + 1;
        else if (unit != UNIT_MONTH)
            civil.month = 1;
        civil.year = (int32_t)year_cut(civil.year, unit);
        civil.day = 1;
        days = date_from_civil(civil);
    }
    if (!datetime__timestamp_fits((__int128)days * DAY_US))
        return datetime__timestamp_error(error);
    *out = days * DAY_US;
    return OK;
}

status_t interval_trunc(enum datetime_unit unit, struct interval interval, struct interval *out,
                        struct error *error)
{
    ASSERT(out);
    if (unit > UNIT_MILLENNIUM)
        return unit_error(unit, "interval", error);
    if (unit == UNIT_WEEK) {
        status_t status = unit_error(unit, "interval", error);
        error_detail(error, "Months usually have fractional weeks.");
        return status;
    }
    *out = (struct interval){.months = interval.months};
    static const int32_t month_counts[] = {
        [UNIT_MONTH] = 1,    [UNIT_QUARTER] = 3,    [UNIT_YEAR] = 12,
        [UNIT_DECADE] = 120, [UNIT_CENTURY] = 1200, [UNIT_MILLENNIUM] = 12000,
    };
    if (unit >= UNIT_MONTH) {
        out->months -= interval.months % month_counts[unit];
        return OK;
    }
    out->days = interval.days;
    if (unit != UNIT_DAY)
        out->us = interval.us - interval.us % unit_us(unit);
    return OK;
}

status_t timestamp_bin(struct interval stride, int64_t us, int64_t origin, int64_t *out,
                       struct error *error)
{
    ASSERT(out);
    if (datetime__is_infinite(us)) {
        *out = us;
        return OK;
    }
    if (datetime__is_infinite(origin))
        return error_sql(error, "22008", 0, "origin out of range");
    if (stride.months)
        return error_sql(error, "0A000", 0,
                         "timestamps cannot be binned into intervals containing months or years");
    __int128 length = (__int128)stride.days * DAY_US + stride.us;
    if (length <= 0)
        return error_sql(error, "22008", 0, "stride must be greater than zero");
    __int128 since = (__int128)us - origin;
    __int128 rest = since % length;
    if (rest < 0)
        rest += length;
    if (!datetime__timestamp_fits(us - rest))
        return datetime__timestamp_error(error);
    *out = (int64_t)(us - rest);
    return OK;
}

/* ---- taking out ------------------------------------------------------------------------------ */

static struct datetime_field field(int64_t number, uint8_t scale)
{
    return (struct datetime_field){.number = number, .scale = scale};
}

/* Seconds and what is smaller: the same for all of them. */
static bool time_field(enum datetime_unit unit, int64_t us, struct datetime_field *out)
{
    switch (unit) {
    case UNIT_MICROSECOND:
        *out = field(us % MINUTE_US, 0);
        return true;
    case UNIT_MILLISECOND:
        *out = field(us % MINUTE_US, 3);
        return true;
    case UNIT_SECOND:
        *out = field(us % MINUTE_US, 6);
        return true;
    case UNIT_MINUTE:
        *out = field(us / MINUTE_US % 60, 0);
        return true;
    case UNIT_HOUR:
        *out = field(us / HOUR_US, 0);
        return true;
    default:
        return false;
    }
}

/* Decades are counted from year 0, centuries and millennia from year 1; before that all of them
 * backwards, without a zeroth. */
static int64_t year_count(int64_t year, enum datetime_unit unit)
{
    switch (unit) {
    case UNIT_DECADE:
        return datetime__floor_divide(year, 10);
    case UNIT_CENTURY:
        return year > 0 ? (year + 99) / 100 : -((99 - (year - 1)) / 100);
    case UNIT_MILLENNIUM:
        return year > 0 ? (year + 999) / 1000 : -((999 - (year - 1)) / 1000);
    default:
        return year > 0 ? year : year - 1;
    }
}

static int64_t iso_year_or_week(int64_t days, enum datetime_unit unit)
{
    int32_t year;
    int32_t week;
    datetime__iso_week(days, &year, &week);
    if (unit == UNIT_WEEK)
        return week;
    return year > 0 ? year : year - 1;
}

static bool date_field(enum datetime_unit unit, int64_t days, struct datetime_field *out)
{
    struct civil_date civil = date_to_civil(days);
    switch (unit) {
    case UNIT_DAY:
        *out = field(civil.day, 0);
        return true;
    case UNIT_MONTH:
        *out = field(civil.month, 0);
        return true;
    case UNIT_QUARTER:
        *out = field((civil.month - 1) / 3 + 1, 0);
        return true;
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
        *out = field(year_count(civil.year, unit), 0);
        return true;
    case UNIT_WEEK:
    case UNIT_ISOYEAR:
        *out = field(iso_year_or_week(days, unit), 0);
        return true;
    case UNIT_DOW:
        *out = field(datetime__weekday(days), 0);
        return true;
    case UNIT_ISODOW:
        *out = field((datetime__weekday(days) + 6) % 7 + 1, 0);
        return true;
    case UNIT_DOY:
        *out = field(datetime__yearday(civil), 0);
        return true;
    default:
        return false;
    }
}

static bool zone_field(enum datetime_unit unit, int32_t zone_s, struct datetime_field *out)
{
    switch (unit) {
    case UNIT_TIMEZONE:
        *out = field(zone_s, 0);
        return true;
    case UNIT_TIMEZONE_HOUR:
        *out = field(zone_s / 3600, 0);
        return true;
    case UNIT_TIMEZONE_MINUTE:
        *out = field(zone_s / 60 % 60, 0);
        return true;
    default:
        return false;
    }
}

/* Fields that grow with time are infinite for an infinity, those that come again have no value. */
static struct datetime_field infinite_field(enum datetime_unit unit, bool is_negative)
{
    switch (unit) {
    case UNIT_YEAR:
    case UNIT_DECADE:
    case UNIT_CENTURY:
    case UNIT_MILLENNIUM:
    case UNIT_ISOYEAR:
    case UNIT_EPOCH:
    case UNIT_JULIAN:
        return (struct datetime_field){.number = is_negative ? -1 : 1, .is_infinite = true};
    default:
        return (struct datetime_field){.is_null = true};
    }
}

static const char *const kind_names[] = {
    [DATETIME_DATE] = "date",
    [DATETIME_TIME] = "time without time zone",
    [DATETIME_TIMESTAMP] = "timestamp without time zone",
    [DATETIME_TIMESTAMPTZ] = "timestamp with time zone",
};

/* The Julian date in millionths: the day's number, and of the day what is over. */
static int64_t julian(int64_t days, int64_t time_us)
{
    return (days + JULIAN_EPOCH) * 1000000 + time_us / (DAY_US / 1000000);
}

status_t timestamp_extract(enum datetime_kind kind, enum datetime_unit unit, int64_t us,
                           int32_t zone_s, struct datetime_field *out, struct error *error)
{
    ASSERT(out && unit < UNIT_COUNT);
    bool has_date = kind != DATETIME_TIME;
    bool has_time = kind != DATETIME_DATE;
    bool has_zone = kind == DATETIME_TIMESTAMPTZ;
    bool infinite = has_date && datetime__is_infinite(us);
    /* Whether there is such a field is asked of a day that has them all. */
    int64_t asked = infinite ? 0 : us;
    int64_t days = datetime__floor_divide(asked, DAY_US);
    int64_t time_us = has_date ? datetime__floor_modulo(asked, DAY_US) : asked;
    bool known = true;
    if (unit == UNIT_EPOCH)
        *out = has_time ? field(asked - (has_zone ? zone_s : 0) * SECOND_US, 6)
                        : field(days * 86400, 0);
    else if (unit == UNIT_JULIAN && has_date)
        *out = has_time ? field(julian(days, time_us), 6) : field(days + JULIAN_EPOCH, 0);
    else
        known = (has_time && time_field(unit, time_us, out)) ||
                (has_date && date_field(unit, days, out)) ||
                (has_zone && zone_field(unit, zone_s, out));
    if (!known)
        return unit_error(unit, kind_names[kind], error);
    if (infinite)
        *out = infinite_field(unit, us == DATETIME_MINUS_INFINITY);
    return OK;
}

status_t interval_extract(enum datetime_unit unit, struct interval interval,
                          struct datetime_field *out, struct error *error)
{
    ASSERT(out && unit < UNIT_COUNT);
    int64_t years = interval.months / MONTHS_A_YEAR;
    int64_t months = interval.months % MONTHS_A_YEAR;
    if (time_field(unit, interval.us, out))
        return OK;
    switch (unit) {
    case UNIT_DAY:
        *out = field(interval.days, 0);
        return OK;
    case UNIT_WEEK:
        *out = field(interval.days / 7, 0);
        return OK;
    case UNIT_MONTH:
        *out = field(months, 0);
        return OK;
    case UNIT_QUARTER:
        *out = field(months / 3 + 1, 0);
        return OK;
    case UNIT_YEAR:
        *out = field(years, 0);
        return OK;
    case UNIT_DECADE:
        *out = field(years / 10, 0);
        return OK;
    case UNIT_CENTURY:
        *out = field(years / 100, 0);
        return OK;
    case UNIT_MILLENNIUM:
        *out = field(years / 1000, 0);
        return OK;
    case UNIT_EPOCH: {
        enum { SECONDS_A_YEAR = 31557600 }; /* of 365.25 days */
        __int128 us = (__int128)years * SECONDS_A_YEAR * SECOND_US;
        us += ((__int128)months * DAYS_A_MONTH + interval.days) * DAY_US + interval.us;
        if (us > INT64_MAX || us < INT64_MIN)
            return datetime__interval_error(error);
        *out = field((int64_t)us, 6);
        return OK;
    }
    default:
        return unit_error(unit, "interval", error);
    }
}
