/* What a text that was read comes to, as a date, a time or a timestamp; and what was wrong with one
 * that was not. */
#include "base/check.h"
#include "sql/types/datetime_read_int.h"

static int shown_size(struct slice text)
{
    return text.size > 200 ? 200 : (int)text.size;
}

static status_t fault_error(const struct datetime_reading *r, const char *type, struct error *error)
{
    int size = shown_size(r->text);
    const char *text = (const char *)r->text.data;
    status_t status;
    switch (r->fault) {
    case FAULT_FIELD:
    case FAULT_ORDER:
        status = error_sql(error, "22008", 0, "date/time field value out of range: \"%.*s\"", size,
                           text);
        if (r->fault == FAULT_ORDER)
            error_hint(error, "Where the year does not come first the order is month, day, year; "
                              "YYYY-MM-DD is always understood.");
        return status;
    case FAULT_ZONE:
        return error_sql(error, "22009", 0, "time zone displacement out of range: \"%.*s\"", size,
                         text);
    case FAULT_ZONE_NAME:
        status =
            error_sql(error, "22023", 0, "time zone of \"%.*s\" is not recognized", size, text);
        error_hint(error, "Time zones are UTC or an offset from it, such as +05:30; named zones "
                          "are not known.");
        return status;
    case FAULT_SYNTAX:
    case FAULT_NONE:
        break;
    }
    return error_sql(error, "22007", 0, "invalid input syntax for type %s: \"%.*s\"", type, size,
                     text);
}

static status_t read_text(struct datetime_reading *r, struct slice text, const char *type,
                          bool time_wanted, struct error *error)
{
    *r = (struct datetime_reading){.text = text, .time_wanted = time_wanted};
    if (datetime__read(r))
        return OK;
    ASSERT(r->fault != FAULT_NONE);
    return fault_error(r, type, error);
}

static status_t syntax_error(struct datetime_reading *r, const char *type, struct error *error)
{
    r->fault = FAULT_SYNTAX;
    return fault_error(r, type, error);
}

static status_t range_error(const struct datetime_reading *r, const char *type, struct error *error)
{
    return error_sql(error, "22008", 0, "%s out of range: \"%.*s\"", type, shown_size(r->text),
                     (const char *)r->text.data);
}

/* Local time now. */
static status_t ask_clock(const struct datetime_reading *r, const struct clock *clock,
                          int64_t *local_us, struct error *error)
{
    if (clock->was_asked)
        *clock->was_asked = true;
    if (!clock->is_known)
        return error_sql(error, "22007", 0, "\"%.*s\" has no meaning here", shown_size(r->text),
                         (const char *)r->text.data);
    return timestamp_shift(clock->now_us, clock->zone_s, local_us, error);
}

/* The day named by a special word, in local time. */
static status_t special_day(const struct datetime_reading *r, const struct clock *clock,
                            int64_t *days, struct error *error)
{
    if (r->special == SPECIAL_EPOCH) {
        *days = 0;
        return OK;
    }
    int64_t local_us;
    status_t status = ask_clock(r, clock, &local_us, error);
    if (status)
        return status;
    *days = datetime__floor_divide(local_us, DAY_US);
    if (r->special == SPECIAL_TOMORROW)
        *days += 1;
    if (r->special == SPECIAL_YESTERDAY)
        *days -= 1;
    return OK;
}

static bool is_infinity(const struct datetime_reading *r, int64_t *number)
{
    *number = r->special == SPECIAL_INFINITY ? DATETIME_INFINITY : DATETIME_MINUS_INFINITY;
    return r->special == SPECIAL_INFINITY || r->special == SPECIAL_MINUS_INFINITY;
}

static status_t day_of(struct datetime_reading *r, const char *type, const struct clock *clock,
                       int64_t *days, struct error *error)
{
    if (r->special)
        return special_day(r, clock, days, error);
    if (!r->has_date)
        return syntax_error(r, type, error);
    if (!datetime__civil_exists(r->year, r->month, r->day))
        return range_error(r, type, error);
    struct civil_date civil = {(int32_t)r->year, (int32_t)r->month, (int32_t)r->day};
    *days = date_from_civil(civil);
    return OK;
}

status_t date_parse(struct slice text, const struct clock *clock, int64_t *days,
                    struct error *error)
{
    struct datetime_reading r;
    ASSERT(clock && days);
    status_t status = read_text(&r, text, "date", false, error);
    if (status || is_infinity(&r, days))
        return status;
    return day_of(&r, "date", clock, days, error);
}

status_t time_parse(struct slice text, const struct clock *clock, int64_t *us, struct error *error)
{
    struct datetime_reading r;
    ASSERT(clock && us);
    status_t status = read_text(&r, text, "time", true, error);
    if (status)
        return status;
    if (r.special == SPECIAL_NOW) {
        int64_t local_us;
        status = ask_clock(&r, clock, &local_us, error);
        *us = status ? 0 : datetime__floor_modulo(local_us, DAY_US);
        return status;
    }
    if (!r.has_time)
        return syntax_error(&r, "time", error);
    *us = r.hour * HOUR_US + r.rest_us;
    return OK;
}

status_t timestamp_parse(struct slice text, bool with_zone, const struct clock *clock, int64_t *us,
                         struct error *error)
{
    struct datetime_reading r;
    ASSERT(clock && us);
    const char *type = with_zone ? "timestamp with time zone" : "timestamp";
    status_t status = read_text(&r, text, type, false, error);
    if (status || is_infinity(&r, us))
        return status;
    if (r.special == SPECIAL_NOW) {
        status = ask_clock(&r, clock, us, error);
        if (status == OK && with_zone)
            *us = clock->now_us;
        return status;
    }
    int64_t days = 0;
    status = day_of(&r, type, clock, &days, error);
    if (status)
        return status;
    __int128 total = (__int128)days * DAY_US + r.hour * HOUR_US + r.rest_us;
    if (with_zone && r.special != SPECIAL_EPOCH) {
        if (!r.has_zone && clock->was_asked)
            *clock->was_asked = true;
        total -= (r.has_zone ? r.zone_s : clock->zone_s) * SECOND_US;
    }
    if (!datetime__timestamp_fits(total))
        return range_error(&r, "timestamp", error);
    *us = (int64_t)total;
    return OK;
}

status_t zone_parse(struct slice text, int32_t *zone_s, struct error *error)
{
    struct datetime_reading r = {.text = text};
    ASSERT(zone_s);
    if (datetime__read_zone(&r)) {
        *zone_s = r.zone_s;
        return OK;
    }
    if (r.fault == FAULT_ZONE)
        return fault_error(&r, "time zone", error);
    status_t status = error_sql(error, "22023", 0, "time zone \"%.*s\" not recognized",
                                shown_size(text), (const char *)text.data);
    error_hint(error, "Time zones are UTC or an offset from it, east of it positive, such as "
                      "+05:30; named zones are not known.");
    return status;
}
