/* Casts to dates, times, timestamps and intervals. What 'now' is, and in which zone a time without
 * one is meant, the clock says. */
#include "base/check.h"
#include "sql/types/datetime_int.h"
#include "sql/types/types_int.h"

bool value__datetime_can_cast(enum sql_type from, enum sql_type to)
{
    switch (from) {
    case SQL_DATE:
        return to == SQL_TIMESTAMP || to == SQL_TIMESTAMPTZ;
    case SQL_TIME:
        return to == SQL_INTERVAL;
    case SQL_INTERVAL:
        return to == SQL_TIME;
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return to >= SQL_DATE && to <= SQL_TIMESTAMPTZ;
    default:
        return false;
    }
}

static status_t from_text(struct slice text, enum sql_type type, const struct clock *clock,
                          struct value *out, struct error *error)
{
    *out = (struct value){.type = type};
    switch (type) {
    case SQL_DATE:
        return date_parse(text, clock, &out->as.integer, error);
    case SQL_TIME:
        return time_parse(text, clock, &out->as.integer, error);
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return timestamp_parse(text, type == SQL_TIMESTAMPTZ, clock, &out->as.integer, error);
    case SQL_INTERVAL:
        return interval_parse(text, UNIT_SECOND, &out->as.interval, error);
    default:
        UNREACHABLE();
    }
}

/* Between local time, which a date or timestamp without time zone tells, and the instant. */
static status_t shift(const struct clock *clock, int64_t us, bool to_local, int64_t *out,
                      struct error *error)
{
    if (clock->was_asked)
        *clock->was_asked = true;
    return timestamp_shift(us, to_local ? clock->zone_s : -clock->zone_s, out, error);
}

/* Among dates, times and timestamps. */
static status_t between(const struct value *value, enum sql_type type, const struct clock *clock,
                        struct value *out, struct error *error)
{
    int64_t us = value->as.integer; /* local time, but for a timestamp with time zone to come */
    status_t status = OK;
    if (value->type == SQL_DATE)
        status = timestamp_from_date(us, &us, error);
    else if (value->type == SQL_TIMESTAMPTZ)
        status = shift(clock, us, true, &us, error);
    if (status)
        return status;
    *out = value_datetime(type, us);
    if (type == SQL_DATE)
        out->as.integer = timestamp_to_date(us);
    else if (type == SQL_TIME)
        return timestamp_to_time(us, &out->as.integer, error);
    else if (type == SQL_TIMESTAMPTZ)
        return shift(clock, us, false, &out->as.integer, error);
    return OK;
}

status_t value__datetime_cast(const struct value *value, enum sql_type type,
                              const struct clock *clock, uint32_t position, struct value *out,
                              struct error *error)
{
    ASSERT(!value->null && type >= SQL_DATE && type <= SQL_INTERVAL);
    ASSERT(value->type == SQL_TEXT || value__datetime_can_cast(value->type, type));
    status_t status = OK;
    if (value->type == SQL_TEXT)
        status = from_text(value->as.text, type, clock, out, error);
    else if (type == SQL_INTERVAL)
        *out = value_interval((struct interval){.us = value->as.integer});
    else if (value->type == SQL_INTERVAL)
        *out = value_datetime(type, time_add(0, (struct interval){.us = value->as.interval.us}));
    else
        status = between(value, type, clock, out, error);
    if (status != OK && error && error->position == 0)
        error->position = position;
    return status;
}

bool value__datetime_fits(enum sql_type type, int64_t number)
{
    ASSERT(type >= SQL_DATE && type <= SQL_TIMESTAMPTZ);
    if (type == SQL_TIME)
        return number >= 0 && number <= DAY_US;
    if (datetime__is_infinite(number))
        return true;
    return type == SQL_DATE ? number >= DATE_MIN && number <= DATE_MAX
                            : datetime__timestamp_fits(number);
}

/* Half a unit away from zero, as PostgreSQL has it. */
static int64_t round_us(int64_t us, uint32_t digits)
{
    static const int64_t units[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int64_t unit = units[digits];
    int64_t rest = us % unit;
    int64_t whole = us - rest;
    if (rest >= unit - rest && rest > 0 && whole <= INT64_MAX - unit)
        return whole + unit;
    if (-rest >= unit + rest && rest < 0 && whole >= INT64_MIN + unit)
        return whole - unit;
    return whole;
}

status_t value__datetime_round(struct value *value, uint32_t digits, struct error *error)
{
    ASSERT(digits <= 6);
    if (value->type == SQL_INTERVAL) {
        value->as.interval.us = round_us(value->as.interval.us, digits);
        return OK;
    }
    if (datetime__is_infinite(value->as.integer))
        return OK;
    int64_t rounded = round_us(value->as.integer, digits);
    if (value->type != SQL_TIME && !datetime__timestamp_fits(rounded))
        return datetime__timestamp_error(error);
    value->as.integer = rounded;
    return OK;
}

size_t value__datetime_text(const struct value *value, int32_t zone_s, char out[DATETIME_TEXT_MAX])
{
    switch (value->type) {
    case SQL_DATE:
        return date_format(value->as.integer, out);
    case SQL_TIME:
        return time_format(value->as.integer, out);
    case SQL_TIMESTAMP:
        return timestamp_format(value->as.integer, out);
    case SQL_TIMESTAMPTZ:
        return timestamptz_format(value->as.integer, zone_s, out);
    case SQL_INTERVAL:
        return interval_format(value->as.interval, out);
    default:
        UNREACHABLE();
    }
}
