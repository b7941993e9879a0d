/* Casts to dates, times, timestamps and intervals. There is no clock here: 'now' and 'today' are
 * refused, and time without a zone is UTC. */
#include "base/check.h"
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

static status_t from_text(struct slice text, enum sql_type type, struct value *out,
                          struct error *error)
{
    static const struct clock clock = {.is_known = false};
    *out = (struct value){.type = type};
    switch (type) {
    case SQL_DATE:
        return date_parse(text, &clock, &out->as.integer, error);
    case SQL_TIME:
        return time_parse(text, &clock, &out->as.integer, error);
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
        return timestamp_parse(text, type == SQL_TIMESTAMPTZ, &clock, &out->as.integer, error);
    case SQL_INTERVAL:
        return interval_parse(text, UNIT_SECOND, &out->as.interval, error);
    default:
        UNREACHABLE();
    }
}

static status_t between(const struct value *value, enum sql_type type, struct value *out,
                        struct error *error)
{
    ASSERT(value__datetime_can_cast(value->type, type));
    *out = (struct value){.type = type};
    if (type == SQL_INTERVAL) {
        out->as.interval = (struct interval){.us = value->as.integer};
        return OK;
    }
    if (value->type == SQL_INTERVAL) {
        out->as.integer = time_add(0, (struct interval){.us = value->as.interval.us});
        return OK;
    }
    if (value->type == SQL_DATE)
        return timestamp_from_date(value->as.integer, &out->as.integer, error);
    if (type == SQL_DATE)
        out->as.integer = timestamp_to_date(value->as.integer);
    else if (type == SQL_TIME)
        return timestamp_to_time(value->as.integer, &out->as.integer, error);
    else
        out->as.integer = value->as.integer;
    return OK;
}

status_t value__datetime_cast(const struct value *value, enum sql_type type, uint32_t position,
                              struct value *out, struct error *error)
{
    ASSERT(!value->null && type >= SQL_DATE && type <= SQL_INTERVAL);
    status_t status = value->type == SQL_TEXT ? from_text(value->as.text, type, out, error)
                                              : between(value, type, out, error);
    if (status != OK && error && error->position == 0)
        error->position = position;
    return status;
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

void value__datetime_round(struct value *value, uint32_t digits)
{
    ASSERT(digits <= 6);
    if (value->type == SQL_INTERVAL)
        value->as.interval.us = round_us(value->as.interval.us, digits);
    else if (value->as.integer != DATETIME_INFINITY && value->as.integer != DATETIME_MINUS_INFINITY)
        value->as.integer = round_us(value->as.integer, digits);
}

size_t value__datetime_text(const struct value *value, char out[DATETIME_TEXT_MAX])
{
    switch (value->type) {
    case SQL_DATE:
        return date_format(value->as.integer, out);
    case SQL_TIME:
        return time_format(value->as.integer, out);
    case SQL_TIMESTAMP:
        return timestamp_format(value->as.integer, out);
    case SQL_TIMESTAMPTZ:
        return timestamptz_format(value->as.integer, 0, out);
    case SQL_INTERVAL:
        return interval_format(value->as.interval, out);
    default:
        UNREACHABLE();
    }
}
