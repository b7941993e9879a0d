/* Dates, times and intervals as text, in PostgreSQL's ISO style. */
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "sql/types/datetime_int.h"

/* A writer into DATETIME_TEXT_MAX bytes: nothing here is ever longer. */
struct writer {
    char *out;
    size_t size;
};

static void put(struct writer *w, const char *text)
{
    for (; *text; text++)
        w->out[w->size++] = *text;
    ASSERT(w->size < DATETIME_TEXT_MAX);
    w->out[w->size] = '\0';
}

/* At least `width` digits. */
static void put_number(struct writer *w, int64_t number, int width)
{
    char text[24];
    ASSERT(number >= 0 && width < 20);
    snprintf(text, sizeof text, "%0*" PRId64, width, number);
    put(w, text);
}

static size_t put_infinity(int64_t number, char *out)
{
    struct writer w = {.out = out};
    put(&w, number == DATETIME_INFINITY ? "infinity" : "-infinity");
    return w.size;
}

static void put_date(struct writer *w, struct civil_date civil)
{
    put_number(w, civil.year > 0 ? civil.year : 1 - (int64_t)civil.year, 4);
    put(w, "-");
    put_number(w, civil.month, 2);
    put(w, "-");
    put_number(w, civil.day, 2);
}

/* .5, without zeros at the end; nothing for none. */
static void put_fraction(struct writer *w, int64_t us)
{
    if (us == 0)
        return;
    put(w, ".");
    put_number(w, us, 6);
    while (w->out[w->size - 1] == '0')
        w->out[--w->size] = '\0';
}

/* HH:MM:SS.f; hours as many as there are. */
static void put_time(struct writer *w, int64_t us)
{
    put_number(w, us / HOUR_US, 2);
    put(w, ":");
    put_number(w, us / MINUTE_US % 60, 2);
    put(w, ":");
    put_number(w, us / SECOND_US % 60, 2);
    put_fraction(w, us % SECOND_US);
}

static void put_zone(struct writer *w, int32_t zone_s)
{
    int32_t seconds = zone_s < 0 ? -zone_s : zone_s;
    put(w, zone_s < 0 ? "-" : "+");
    put_number(w, seconds / 3600, 2);
    if (seconds % 3600) {
        put(w, ":");
        put_number(w, seconds / 60 % 60, 2);
    }
    if (seconds % 60) {
        put(w, ":");
        put_number(w, seconds % 60, 2);
    }
}

size_t date_format(int64_t days, char out[DATETIME_TEXT_MAX])
{
    if (datetime__is_infinite(days))
        return put_infinity(days, out);
    struct writer w = {.out = out};
    struct civil_date civil = date_to_civil(days);
    put_date(&w, civil);
    if (civil.year <= 0)
        put(&w, " BC");
    return w.size;
}

size_t time_format(int64_t us, char out[DATETIME_TEXT_MAX])
{
    struct writer w = {.out = out};
    ASSERT(us >= 0 && us <= DAY_US);
    put_time(&w, us);
    return w.size;
}

static size_t format_local(int64_t us, const int32_t *zone_s, char *out)
{
    struct writer w = {.out = out};
    int64_t days = datetime__floor_divide(us, DAY_US);
    struct civil_date civil = date_to_civil(days);
    put_date(&w, civil);
    put(&w, " ");
    put_time(&w, datetime__floor_modulo(us, DAY_US));
    if (zone_s)
        put_zone(&w, *zone_s);
    if (civil.year <= 0)
        put(&w, " BC");
    return w.size;
}

size_t timestamp_format(int64_t us, char out[DATETIME_TEXT_MAX])
{
    if (datetime__is_infinite(us))
        return put_infinity(us, out);
    return format_local(us, NULL, out);
}

size_t timestamptz_format(int64_t us, int32_t zone_s, char out[DATETIME_TEXT_MAX])
{
    ASSERT(zone_s >= -ZONE_S_MAX && zone_s <= ZONE_S_MAX);
    if (datetime__is_infinite(us))
        return put_infinity(us, out);
    int64_t local;
    if (timestamp_shift(us, zone_s, &local, NULL) != OK) {
        /* The first or the last day of all, seen from the other side of it. */
        local = us;
        zone_s = 0;
    }
    return format_local(local, &zone_s, out);
}

size_t zone_format(int32_t zone_s, char out[DATETIME_TEXT_MAX])
{
    struct writer w = {.out = out};
    if (zone_s == 0)
        put(&w, "UTC");
    else
        put_zone(&w, zone_s);
    if (zone_s && zone_s % 3600 == 0)
        put(&w, ":00");
    return w.size;
}

/* "3 days", with what separates it from what stands before. Behind a negative field a positive
 * one has its sign shown. */
static void put_unit(struct writer *w, int64_t number, const char *unit, bool *was_negative)
{
    char text[48];
    if (number == 0)
        return;
    snprintf(text, sizeof text, "%s%s%" PRId64 " %s%s", w->size ? " " : "",
             *was_negative && number > 0 ? "+" : "", number, unit, number == 1 ? "" : "s");
    put(w, text);
    *was_negative = number < 0;
}

size_t interval_format(struct interval interval, char out[DATETIME_TEXT_MAX])
{
    struct writer w = {.out = out};
    bool was_negative = false;
    put_unit(&w, interval.months / MONTHS_A_YEAR, "year", &was_negative);
    put_unit(&w, interval.months % MONTHS_A_YEAR, "mon", &was_negative);
    put_unit(&w, interval.days, "day", &was_negative);
    if (interval.us == 0 && w.size)
        return w.size;
    if (w.size)
        put(&w, " ");
    if (interval.us < 0)
        put(&w, "-");
    else if (was_negative)
        put(&w, "+");
    uint64_t magnitude = interval.us < 0 ? 0 - (uint64_t)interval.us : (uint64_t)interval.us;
    put_number(&w, (int64_t)(magnitude / HOUR_US), 2);
    put(&w, ":");
    put_number(&w, (int64_t)(magnitude / MINUTE_US % 60), 2);
    put(&w, ":");
    put_number(&w, (int64_t)(magnitude / SECOND_US % 60), 2);
    put_fraction(&w, (int64_t)(magnitude % SECOND_US));
    return w.size;
}
