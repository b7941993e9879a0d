/* Dates, times and intervals: the calendar day by day, what is read and how it is shown, and the
 * arithmetic between them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sql/types/types.h"

#define SECOND_US INT64_C(1000000)
#define HOUR_US   (3600 * SECOND_US)
#define DAY_US    (24 * HOUR_US)

/* 2024-02-29 13:14:15.678901 UTC, in a zone five hours and a half east of it. */
static const struct clock clock_there = {
    .now_us = INT64_C(1709212455678901), .zone_s = 19800, .is_known = true};
static const struct clock clock_utc = {.is_known = false};

static struct slice s(const char *text)
{
    return slice_from_string(text);
}

/* ---- reading and showing, as text to text -----------------------------------------------------
 */

enum what { A_DATE, A_TIME, A_TIMESTAMP, A_TIMESTAMPTZ, AN_INTERVAL };

/* The text as it is shown once read, or the SQLSTATE. */
static const char *through(enum what what, const char *text, const struct clock *clock)
{
    static char shown[DATETIME_TEXT_MAX];
    struct error error = {0};
    int64_t number = 0;
    struct interval interval = {0};
    status_t status = OK;
    size_t size = 0;
    switch (what) {
    case A_DATE:
        status = date_parse(s(text), clock, &number, &error);
        size = status ? 0 : date_format(number, shown);
        break;
    case A_TIME:
        status = time_parse(s(text), clock, &number, &error);
        size = status ? 0 : time_format(number, shown);
        break;
    case A_TIMESTAMP:
        status = timestamp_parse(s(text), false, clock, &number, &error);
        size = status ? 0 : timestamp_format(number, shown);
        break;
    case A_TIMESTAMPTZ:
        status = timestamp_parse(s(text), true, clock, &number, &error);
        size = status ? 0 : timestamptz_format(number, clock->zone_s, shown);
        break;
    case AN_INTERVAL:
        status = interval_parse(s(text), UNIT_SECOND, &interval, &error);
        size = status ? 0 : interval_format(interval, shown);
        break;
    }
    if (status) {
        assert_true(strstr(error.message, text) || *text == '\0' || strlen(text) > 100);
        snprintf(shown, sizeof shown, "%s", error.sqlstate);
        return shown;
    }
    assert_int_equal(size, strlen(shown));
    return shown;
}

struct pair {
    const char *text;
    const char *shown;
};

static void check_pairs(enum what what, const struct pair *pairs, size_t count,
                        const struct clock *clock)
{
    for (size_t i = 0; i < count; i++) {
        const char *shown = through(what, pairs[i].text, clock);
        if (strcmp(shown, pairs[i].shown) != 0)
            fail_msg("\"%s\": %s, and not %s", pairs[i].text, shown, pairs[i].shown);
    }
}

#define CHECK_PAIRS(what, pairs, clock)                                                            \
    check_pairs(what, pairs, sizeof(pairs) / sizeof(pairs)[0], clock)

static void test_dates_are_read_and_shown(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"2024-02-29", "2024-02-29"},
        {" 2024-2-9 ", "2024-02-09"},
        {"2024/02/29", "2024-02-29"},
        {"2024.02.29", "2024-02-29"},
        {"20240229", "2024-02-29"},
        {"240229", "2024-02-29"},
        {"2024.060", "2024-02-29"},
        {"2/29/2024", "2024-02-29"},
        {"2-29-2024", "2024-02-29"},
        {"1/8/99", "1999-01-08"},
        {"1/8/69", "2069-01-08"},
        {"1/8/70", "1970-01-08"},
        {"29-Feb-2024", "2024-02-29"},
        {"2024-Feb-29", "2024-02-29"},
        {"Feb-29-2024", "2024-02-29"},
        {"February 29, 2024", "2024-02-29"},
        {"29 feb 2024", "2024-02-29"},
        {"2024 FEB 29", "2024-02-29"},
        {"Thu 29 Feb 2024", "2024-02-29"},
        {"8 Sept 99", "1999-09-08"},
        {"J2451187", "1999-01-08"},
        {"0001-01-01", "0001-01-01"},
        {"0044-03-15 BC", "0044-03-15 BC"},
        {"0001-12-31 BC", "0001-12-31 BC"},
        {"4714-11-24 BC", "4714-11-24 BC"},
        {"2024-02-29 AD", "2024-02-29"},
        {"10000-01-01", "10000-01-01"},
        {"5874897-12-31", "5874897-12-31"},
        {"2024-02-29 23:59:59", "2024-02-29"},
        {"2024-02-29T23:59:59Z", "2024-02-29"},
        {"epoch", "1970-01-01"},
        {"infinity", "infinity"},
        {"-Infinity", "-infinity"},
        {"today", "2024-02-29"},
        {"now", "2024-02-29"},
        {"Tomorrow", "2024-03-01"},
        {"yesterday", "2024-02-28"},
        {"2024-02-30", "22008"},
        {"2023-02-29", "22008"},
        {"1900-02-29", "22008"},
        {"2024-13-01", "22008"},
        {"2024-00-01", "22008"},
        {"2024-01-00", "22008"},
        {"2024-01-32", "22008"},
        {"13/1/2024", "22008"},
        {"0000-01-01", "22008"},
        {"5874898-01-01", "22008"},
        {"4714-11-23 BC", "22008"},
        {"999999999-01-01", "22008"},
        {"99999999999-01-01", "22008"},
        {"2024-02-29 24:00:01", "22008"},
        {"garbage", "22007"},
        {"", "22007"},
        {"2024", "22007"},
        {"2024-02", "22007"},
        {"2024-02-29-01-", "22007"},
        {"2024-02-29x", "22007"},
        {"2024-02-29 2024-02-29", "22007"},
        {"12:00", "22007"},
        {"Feb 29", "22007"},
        {"Feb Mar 29 2024", "22007"},
        {"2024-Feb-Mar", "22007"},
        {"2024-02-29 BC AD", "22007"},
        {"infinity today", "22007"},
        {"now 2024-01-01", "22007"},
        {"+", "22007"},
        {"2024-02-29T", "22007"},
        {"2024-02-29 12:00 Europe/Berlin", "22023"},
        {"2024-02-29 12:00 EST", "22023"},
    };
    CHECK_PAIRS(A_DATE, pairs, &clock_there);
    assert_string_equal(through(A_DATE, "today", &clock_utc), "22007");
}

static void test_times_are_read_and_shown(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"04:05:06.789", "04:05:06.789"},
        {"04:05:06", "04:05:06"},
        {"4:5", "04:05:00"},
        {"040506", "04:05:06"},
        {"0405", "04:05:00"},
        {"04:05 AM", "04:05:00"},
        {"04:05 pm", "16:05:00"},
        {"12:00 AM", "00:00:00"},
        {"12:00 PM", "12:00:00"},
        {"23:59:60", "24:00:00"},
        {"24:00:00", "24:00:00"},
        {"00:00:00.0000005", "00:00:00"},
        {"00:00:00.0000015", "00:00:00.000002"},
        {"00:00:00.00000050001", "00:00:00.000001"},
        {"23:59:59.9999999", "24:00:00"},
        {"04:05:06+02", "04:05:06"},
        {"04:05:06 UTC", "04:05:06"},
        {"2024-02-29 04:05:06", "04:05:06"},
        {"now", "18:44:15.678901"},
        {"allballs", "00:00:00"},
        {"24:00:01", "22008"},
        {"25:00", "22008"},
        {"00:60", "22008"},
        {"00:00:61", "22008"},
        {"13:00 PM", "22008"},
        {"00:00 AM", "22008"},
        {"04:05:06+16", "22009"},
        {"04:05:", "22007"},
        {"04:", "22007"},
        {"PM", "22007"},
        {"infinity", "22007"},
        {"garbage", "22007"},
        {"2024-02-29", "22007"},
    };
    CHECK_PAIRS(A_TIME, pairs, &clock_there);
}

static void test_timestamps_are_read_and_shown(void **state)
{
    (void)state;
    static const struct pair plain[] = {
        {"2024-02-29 13:14:15.6789", "2024-02-29 13:14:15.6789"},
        {"2024-02-29T13:14:15", "2024-02-29 13:14:15"},
        {"20240229T131415.5", "2024-02-29 13:14:15.5"},
        {"2024-02-29", "2024-02-29 00:00:00"},
        {"2024-02-29 24:00", "2024-03-01 00:00:00"},
        {"2024-02-29 23:59:59.9999996", "2024-03-01 00:00:00"},
        {"2024-02-29 13:14:15+02", "2024-02-29 13:14:15"},
        {"Thu Feb 29 13:14:15 2024", "2024-02-29 13:14:15"},
        {"2024-02-29 1:14 PM", "2024-02-29 13:14:00"},
        {"0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"},
        {"294246-12-31 23:59:59.999999", "294246-12-31 23:59:59.999999"},
        {"4714-11-24 00:00:00 BC", "4714-11-24 00:00:00 BC"},
        {"now", "2024-02-29 18:44:15.678901"},
        {"today", "2024-02-29 00:00:00"},
        {"tomorrow 12:30", "2024-03-01 12:30:00"},
        {"epoch", "1970-01-01 00:00:00"},
        {"infinity", "infinity"},
        {"294247-01-01 00:00:00", "22008"},
        {"294246-12-31 24:00:00", "22008"},
        {"13:14:15", "22007"},
        {"2024-02-29 13:14:15 bogus", "22007"},
    };
    CHECK_PAIRS(A_TIMESTAMP, plain, &clock_there);
    static const struct pair zoned[] = {
        {"2024-02-29 13:14:15", "2024-02-29 13:14:15+05:30"},
        {"2024-02-29 13:14:15Z", "2024-02-29 18:44:15+05:30"},
        {"2024-02-29T13:14:15+00", "2024-02-29 18:44:15+05:30"},
        {"2024-02-29 13:14:15 UTC", "2024-02-29 18:44:15+05:30"},
        {"2024-02-29 13:14:15-08:00", "2024-03-01 02:44:15+05:30"},
        {"2024-02-29 13:14:15-0800", "2024-03-01 02:44:15+05:30"},
        {"2024-02-29 13:14:15+05:30:15", "2024-02-29 13:14:00+05:30"},
        {"epoch", "1970-01-01 05:30:00+05:30"},
        {"now", "2024-02-29 18:44:15.678901+05:30"},
        {"today", "2024-02-29 00:00:00+05:30"},
        {"-infinity", "-infinity"},
        {"4714-11-24 00:00:00+00 BC", "4714-11-24 05:30:00+05:30 BC"},
        {"4714-11-24 00:00:00+01 BC", "22008"},
        {"2024-02-29 13:14:15 America/New_York", "22023"},
        {"2024-02-29 13:14:15+17", "22009"},
        {"2024-02-29 13:14:15+01 +02", "22007"},
    };
    CHECK_PAIRS(A_TIMESTAMPTZ, zoned, &clock_there);
}

static void test_intervals_are_read_and_shown(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"1 year 2 mons 3 days 04:05:06.7", "1 year 2 mons 3 days 04:05:06.7"},
        {"1 year 2 months 3 days 4 hours 5 minutes 6.7 seconds", "1 year 2 mons 3 days 04:05:06.7"},
        {"P1Y2M3DT4H5M6.7S", "1 year 2 mons 3 days 04:05:06.7"},
        {"P0001-02-03T04:05:06.7", "1 year 2 mons 3 days 04:05:06.7"},
        {"P1W", "7 days"},
        {"PT36H", "36:00:00"},
        {"PT-6H3M", "-05:57:00"},
        {"P-1Y-2M3DT-4H-5M-6S", "-1 years -2 mons +3 days -04:05:06"},
        {"P0.5Y", "6 mons"},
        {"1-2", "1 year 2 mons"},
        {"-1-2", "-1 years -2 mons"},
        {"1-2 3 4:05:06", "1 year 2 mons 3 days 04:05:06"},
        {"3 4:05", "3 days 04:05:00"},
        {"-1 day 2:03", "-1 days +02:03:00"},
        {"1 day -2:03", "1 day -02:03:00"},
        {"-00:05", "-00:05:00"},
        {"@ 1 minute ago", "-00:01:00"},
        {"1 year 2 days ago", "-1 years -2 days"},
        {"1 day", "1 day"},
        {"1day12h", "1 day 12:00:00"},
        {"2 weeks", "14 days"},
        {"1.5 weeks", "10 days 12:00:00"},
        {"1.5 years", "1 year 6 mons"},
        {"1.5 months", "1 mon 15 days"},
        {"1.25 months", "1 mon 7 days 12:00:00"},
        {"1.5 days", "1 day 12:00:00"},
        {"-1.5 days", "-1 days -12:00:00"},
        {"0.1 hours", "00:06:00"},
        {"1 decade", "10 years"},
        {"2 centuries", "200 years"},
        {"1 millennium", "1000 years"},
        {"10 ms", "00:00:00.01"},
        {"15 us", "00:00:00.000015"},
        {"90 minutes", "01:30:00"},
        {"100000 hours", "100000:00:00"},
        {"61", "00:01:01"},
        {"1.5", "00:00:01.5"},
        {"12:30.5", "00:12:30.5"},
        {"0", "00:00:00"},
        {"1 mon -1 day", "1 mon -1 days"},
        {"2562047788:00:54.775807", "2562047788:00:54.775807"},
        {"-2562047788:00:54.775808", "-2562047788:00:54.775808"},
        {"2147483647 days", "2147483647 days"},
        {"-2147483648 months", "-178956970 years -8 mons"},
        {"2147483648 days", "22015"},
        {"2147483648 months", "22015"},
        {"200000000 years", "22015"},
        {"2562047788:00:54.775808", "22015"},
        {"99999999999999999999 us", "22015"},
        {"1-12", "22015"},
        {"1:60", "22015"},
        {"garbage", "22007"},
        {"", "22007"},
        {"1 fortnight", "22007"},
        {"ago", "22007"},
        {"1 day ago 2 hours", "22007"},
        {"P", "22007"},
        {"PT", "22007"},
        {"P1", "22007"},
        {"P1YT", "22007"},
        {"P1H", "22007"},
        {"1:2:3:4", "22007"},
        {"1:", "22007"},
        {"1..2 days", "22007"},
        {"-", "22007"},
        {"1 doy", "22007"},
        {"infinity", "22007"},
    };
    CHECK_PAIRS(AN_INTERVAL, pairs, &clock_there);
}

/* ---- the calendar -----------------------------------------------------------------------------
 */

static bool leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Counted up day by day, from 1600-01-01 (a Saturday) through 400 years and more. */
static void test_every_day_of_400_years(void **state)
{
    (void)state;
    static const int32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil_date civil = {1600, 1, 1};
    int64_t days = date_from_civil(civil);
    int64_t first = days;
    int32_t weekday = 6;
    int32_t yearday = 1;
    while (civil.year < 2010) {
        struct civil_date back = date_to_civil(days);
        assert_int_equal(back.year, civil.year);
        assert_int_equal(back.month, civil.month);
        assert_int_equal(back.day, civil.day);
        assert_int_equal(date_from_civil(civil), days);
        char text[DATETIME_TEXT_MAX];
        char want[DATETIME_TEXT_MAX];
        snprintf(want, sizeof want, "%04d-%02d-%02d", civil.year, civil.month, civil.day);
        date_format(days, text);
        assert_string_equal(text, want);
        int64_t read;
        assert_int_equal(date_parse(s(text), &clock_utc, &read, NULL), OK);
        assert_int_equal(read, days);
        struct datetime_field dow;
        struct datetime_field doy;
        assert_int_equal(timestamp_extract(DATETIME_DATE, UNIT_DOW, days * DAY_US, 0, &dow, NULL),
                         OK);
        assert_int_equal(timestamp_extract(DATETIME_DATE, UNIT_DOY, days * DAY_US, 0, &doy, NULL),
                         OK);
        assert_int_equal(dow.number, weekday);
        assert_int_equal(doy.number, yearday);
        int32_t length = lengths[civil.month - 1] + (civil.month == 2 && leap(civil.year));
        assert_int_equal(month_length(civil.year, civil.month), length);
        weekday = (weekday + 1) % 7;
        days++;
        yearday++;
        if (++civil.day > length) {
            civil.day = 1;
            if (++civil.month > 12) {
                civil.month = 1;
                civil.year++;
                yearday = 1;
            }
        }
        if (civil.year == 2000 && civil.month == 1 && civil.day == 1)
            assert_int_equal(days - first, 146097);
    }
    assert_int_equal(date_from_civil((struct civil_date){1970, 1, 1}), 0);
}

static void test_days_far_out_go_there_and_back(void **state)
{
    (void)state;
    for (int64_t days = -2440588; days <= 2145042905; days += 9973) {
        struct civil_date civil = date_to_civil(days);
        assert_int_equal(date_from_civil(civil), days);
        char text[DATETIME_TEXT_MAX];
        date_format(days, text);
        int64_t read = 0;
        assert_int_equal(date_parse(s(text), &clock_utc, &read, NULL), OK);
        assert_int_equal(read, days);
    }
}

/* ISO weeks by their definition: a week belongs to the year its Thursday lies in. */
static void test_iso_weeks(void **state)
{
    (void)state;
    for (int64_t days = date_from_civil((struct civil_date){1990, 1, 1});
         days < date_from_civil((struct civil_date){2030, 1, 1}); days++) {
        int64_t monday = days - ((days + 3) % 7 + 7) % 7;
        struct civil_date thursday = date_to_civil(monday + 3);
        int64_t first = date_from_civil((struct civil_date){thursday.year, 1, 1});
        int64_t us = days * DAY_US;
        struct datetime_field week;
        struct datetime_field year;
        timestamp_extract(DATETIME_TIMESTAMP, UNIT_WEEK, us, 0, &week, NULL);
        timestamp_extract(DATETIME_TIMESTAMP, UNIT_ISOYEAR, us, 0, &year, NULL);
        assert_int_equal(week.number, (monday + 3 - first) / 7 + 1);
        assert_int_equal(year.number, thursday.year);
        int64_t cut;
        assert_int_equal(timestamp_trunc(UNIT_WEEK, us + 5 * HOUR_US, &cut, NULL), OK);
        assert_int_equal(cut, monday * DAY_US);
    }
}

static int64_t random_us(struct prng *prng)
{
    int64_t days = (int64_t)prng_below(prng, 109192570) - 2440588;
    return days * DAY_US + (int64_t)prng_below(prng, (uint64_t)DAY_US);
}

static struct interval random_interval(struct prng *prng)
{
    return (struct interval){
        .months = (int32_t)prng_below(prng, 4000) - 2000,
        .days = (int32_t)prng_below(prng, 4000) - 2000,
        .us = (int64_t)prng_below(prng, 1000000000000) - 500000000000,
    };
}

static void test_random_values_read_back(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 20240229);
    char text[DATETIME_TEXT_MAX];
    for (int i = 0; i < 200000; i++) {
        int64_t us = random_us(&prng);
        int64_t read = 0;
        timestamp_format(us, text);
        assert_int_equal(timestamp_parse(s(text), false, &clock_utc, &read, NULL), OK);
        assert_int_equal(read, us);
        int32_t zone_s = (int32_t)prng_below(&prng, 100000) - 50000;
        if (us > INT64_C(-210866803200000000) + DAY_US) {
            timestamptz_format(us, zone_s, text);
            assert_int_equal(timestamp_parse(s(text), true, &clock_there, &read, NULL), OK);
            assert_int_equal(read, us);
        }
        struct interval interval = random_interval(&prng);
        struct interval back;
        interval_format(interval, text);
        assert_int_equal(interval_parse(s(text), UNIT_SECOND, &back, NULL), OK);
        assert_int_equal(back.months, interval.months);
        assert_int_equal(back.days, interval.days);
        assert_int_equal(back.us, interval.us);
    }
}

/* Whatever it is given, it answers. */
static void test_random_text_is_read_or_refused(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "1",   "12", "2024", "20240229", "-",         "-",        ":",     ":",
        ".",   "/",  " ",    "T",        "P",         "Y",        "M",     "D",
        "Feb", "BC", "+",    "Z",        "J",         "AM",       "day",   "years",
        "ago", "@",  "now",  "infinity", "999999999", "\xc3\xa4", "epoch", "99999999999999999999",
        "mon",
    };
    struct prng prng;
    prng_seed(&prng, 7);
    for (int i = 0; i < 300000; i++) {
        char text[256];
        size_t size = 0;
        uint64_t count = prng_below(&prng, 9);
        for (uint64_t j = 0; j < count; j++) {
            const char *piece = pieces[prng_below(&prng, sizeof pieces / sizeof *pieces)];
            size += (size_t)snprintf(text + size, sizeof text - size, "%s", piece);
        }
        text[size] = '\0';
        int64_t number;
        struct interval interval;
        char shown[DATETIME_TEXT_MAX];
        if (date_parse(s(text), &clock_there, &number, NULL) == OK)
            date_format(number, shown);
        if (time_parse(s(text), &clock_there, &number, NULL) == OK)
            time_format(number, shown);
        if (timestamp_parse(s(text), true, &clock_there, &number, NULL) == OK)
            timestamptz_format(number, 19800, shown);
        if (interval_parse(s(text), UNIT_DAY, &interval, NULL) == OK)
            interval_format(interval, shown);
    }
}

/* ---- arithmetic -------------------------------------------------------------------------------
 */

static int64_t at(const char *text)
{
    int64_t us = 0;
    assert_int_equal(timestamp_parse(s(text), false, &clock_utc, &us, NULL), OK);
    return us;
}

static struct interval span(const char *text)
{
    struct interval interval = {0};
    assert_int_equal(interval_parse(s(text), UNIT_SECOND, &interval, NULL), OK);
    return interval;
}

static const char *shown_timestamp(int64_t us)
{
    static char text[DATETIME_TEXT_MAX];
    timestamp_format(us, text);
    return text;
}

static const char *shown_interval(struct interval interval)
{
    static char text[DATETIME_TEXT_MAX];
    interval_format(interval, text);
    return text;
}

static void test_months_end_where_the_shorter_month_does(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *interval;
        const char *to;
    } cases[] = {
        {"2024-01-31 12:00", "1 month", "2024-02-29 12:00:00"},
        {"2023-01-31", "1 month", "2023-02-28 00:00:00"},
        {"2024-03-31", "-1 month", "2024-02-29 00:00:00"},
        {"2024-02-29", "1 year", "2025-02-28 00:00:00"},
        {"2024-02-29", "4 years", "2028-02-29 00:00:00"},
        {"2024-02-29", "-1 year", "2023-02-28 00:00:00"},
        {"2024-12-31", "2 months", "2025-02-28 00:00:00"},
        {"2024-01-31", "1 month 1 day", "2024-03-01 00:00:00"},
        {"2024-01-01", "-1 month", "2023-12-01 00:00:00"},
        {"2024-01-01", "-1 us", "2023-12-31 23:59:59.999999"},
        {"0001-01-01", "-1 day", "0001-12-31 00:00:00 BC"},
        {"0001-02-28 BC", "1 year", "0001-02-28 00:00:00"},
        {"infinity", "-1 year", "infinity"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t sum = 0;
        assert_int_equal(timestamp_add(at(cases[i].from), span(cases[i].interval), &sum, NULL), OK);
        assert_string_equal(shown_timestamp(sum), cases[i].to);
    }
    /* Each month's last day plus one month is the next month's last day or its 30th or so. */
    for (int32_t year = 1896; year < 2110; year++) {
        for (int32_t month = 1; month <= 12; month++) {
            struct civil_date last = {year, month, month_length(year, month)};
            int64_t sum = 0;
            timestamp_add(date_from_civil(last) * DAY_US, (struct interval){.months = 1}, &sum,
                          NULL);
            struct civil_date next = date_to_civil(timestamp_to_date(sum));
            assert_int_equal(next.month, month % 12 + 1);
            int32_t length = month_length(next.year, next.month);
            assert_int_equal(next.day, last.day < length ? last.day : length);
        }
    }
}

static void test_what_is_out_of_range_is_an_error(void **state)
{
    (void)state;
    struct error error = {0};
    int64_t out;
    struct interval interval;
    struct interval most = {INT32_MAX, INT32_MAX, INT64_MAX};
    struct interval least = {INT32_MIN, INT32_MIN, INT64_MIN};
    assert_int_equal(timestamp_add(0, most, &out, &error), ERR_SQL);
    assert_string_equal(error.sqlstate, "22008");
    assert_int_equal(timestamp_add(0, least, &out, &error), ERR_SQL);
    assert_int_equal(timestamp_add(at("294246-12-31"), span("1 day"), &out, &error), ERR_SQL);
    assert_int_equal(timestamp_add(at("4714-11-24 BC"), span("-1 us"), &out, &error), ERR_SQL);
    assert_int_equal(date_add(2145042905, 1, &out, &error), ERR_SQL);
    assert_int_equal(date_add(0, INT64_MAX, &out, &error), ERR_SQL);
    assert_int_equal(date_add(-2440588, INT64_MIN, &out, &error), ERR_SQL);
    assert_int_equal(date_difference(DATETIME_INFINITY, 0, &out, &error), ERR_SQL);
    assert_int_equal(timestamp_from_date(2145042905, &out, &error), ERR_SQL);
    assert_int_equal(interval_negate(least, &interval, &error), ERR_SQL);
    assert_int_equal(interval_add(most, most, &interval, &error), ERR_SQL);
    assert_int_equal(interval_multiply(most, 2, &interval, &error), ERR_SQL);
    assert_int_equal(interval_multiply(span("1 day"), 1e300, &interval, &error), ERR_SQL);
    assert_int_equal(interval_divide(span("1 day"), 0, &interval, &error), ERR_SQL);
    assert_string_equal(error.sqlstate, "22012");
    assert_int_equal(timestamp_difference(DATETIME_INFINITY, 0, &interval, &error), ERR_SQL);
    assert_int_equal(timestamp_age(0, DATETIME_MINUS_INFINITY, &interval, &error), ERR_SQL);
    assert_int_equal(interval_justify(most, true, true, &interval, &error), ERR_SQL);
    assert_int_equal(timestamp_to_time(DATETIME_INFINITY, &out, &error), ERR_SQL);
    assert_int_equal(timestamp_from_epoch(1e20, &out, &error), ERR_SQL);
    assert_int_equal(date_make(2023, 2, 29, &out, &error), ERR_SQL);
    assert_int_equal(date_make(0, 1, 1, &out, &error), ERR_SQL);
    assert_int_equal(date_make(INT64_MIN, 1, 1, &out, &error), ERR_SQL);
    assert_int_equal(time_make(24, 0, 0.1, &out, &error), ERR_SQL);
    const int64_t huge[6] = {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    assert_int_equal(interval_make(huge, 1e300, &interval, &error), ERR_SQL);
    assert_int_equal(interval_make(huge, 0, &interval, &error), ERR_SQL);
}

static void test_differences(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 3);
    for (int i = 0; i < 100000; i++) {
        int64_t a = random_us(&prng);
        int64_t b = random_us(&prng);
        struct interval difference;
        int64_t sum = 0;
        assert_int_equal(timestamp_difference(a, b, &difference, NULL), OK);
        assert_int_equal(timestamp_add(b, difference, &sum, NULL), OK);
        assert_int_equal(sum, a);
        /* An age added to the earlier one gives the later one, or near it at the end of months. */
        struct interval age;
        assert_int_equal(timestamp_age(a, b, &age, NULL), OK);
        struct interval negative;
        assert_int_equal(timestamp_age(b, a, &negative, NULL), OK);
        assert_int_equal(age.months, -negative.months);
        assert_int_equal(age.days, -negative.days);
        assert_int_equal(age.us, -negative.us);
        assert_true(age.days > -31 && age.days < 31);
        assert_true(age.us > -DAY_US && age.us < DAY_US);
    }
    static const struct {
        const char *a;
        const char *b;
        const char *age;
    } ages[] = {
        {"2001-04-10", "1957-06-13", "43 years 9 mons 27 days"},
        {"2024-03-31", "2024-02-29", "1 mon 2 days"},
        {"2024-03-01", "2024-01-31", "1 mon 1 day"},
        {"2024-01-01", "2024-01-01 00:00:01", "-00:00:01"},
        {"2024-02-29 12:00", "2023-02-28 13:00", "1 year 23:00:00"},
    };
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        struct interval age;
        assert_int_equal(timestamp_age(at(ages[i].a), at(ages[i].b), &age, NULL), OK);
        assert_string_equal(shown_interval(age), ages[i].age);
    }
}

static const char *product(const char *interval, double factor)
{
    struct interval out = {0};
    assert_int_equal(interval_multiply(span(interval), factor, &out, NULL), OK);
    return shown_interval(out);
}

static void test_interval_arithmetic(void **state)
{
    (void)state;
    assert_string_equal(product("1 day", 1.5), "1 day 12:00:00");
    assert_string_equal(product("1 month", 0.5), "15 days");
    assert_string_equal(product("1 year 2 mons 3 days 04:05:06", 2),
                        "2 years 4 mons 6 days 08:10:12");
    assert_string_equal(product("1 month", 0.1), "3 days");
    assert_string_equal(product("1 hour", -0.5), "-00:30:00");
    struct interval out;
    assert_int_equal(interval_divide(span("1 hour"), 1.5, &out, NULL), OK);
    assert_string_equal(shown_interval(out), "00:40:00");
    assert_int_equal(interval_compare(span("1 month"), span("30 days")), 0);
    assert_int_equal(interval_compare(span("24 hours"), span("1 day")), 0);
    assert_true(interval_compare(span("1 month"), span("29 days 23:59:59")) > 0);
    assert_true(interval_compare(span("-1 us"), span("0")) < 0);
    static const struct {
        const char *from;
        bool hours;
        bool days;
        const char *to;
    } cases[] = {
        {"36 hours", true, false, "1 day 12:00:00"},
        {"35 days", false, true, "1 mon 5 days"},
        {"1 mon -1 hour", true, true, "29 days 23:00:00"},
        {"29 days 25 hours", true, true, "1 mon 01:00:00"},
        {"-1 day 1 hour", true, false, "-23:00:00"},
        {"1 mon -1 day", false, true, "29 days"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            interval_justify(span(cases[i].from), cases[i].hours, cases[i].days, &out, NULL), OK);
        assert_string_equal(shown_interval(out), cases[i].to);
    }
    assert_int_equal(time_add(23 * HOUR_US, span("2 hours")), HOUR_US);
    assert_int_equal(time_add(HOUR_US, span("-2 hours")), 23 * HOUR_US);
    assert_int_equal(time_add(HOUR_US, span("5 days 1 hour")), 2 * HOUR_US);
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static void test_truncation(void **state)
{
    (void)state;
    static const struct {
        enum datetime_unit unit;
        const char *to;
    } cases[] = {
        {UNIT_MICROSECOND, "2024-05-16 13:14:15.678901"},
        {UNIT_MILLISECOND, "2024-05-16 13:14:15.678"},
        {UNIT_SECOND, "2024-05-16 13:14:15"},
        {UNIT_MINUTE, "2024-05-16 13:14:00"},
        {UNIT_HOUR, "2024-05-16 13:00:00"},
        {UNIT_DAY, "2024-05-16 00:00:00"},
        {UNIT_WEEK, "2024-05-13 00:00:00"},
        {UNIT_MONTH, "2024-05-01 00:00:00"},
        {UNIT_QUARTER, "2024-04-01 00:00:00"},
        {UNIT_YEAR, "2024-01-01 00:00:00"},
        {UNIT_DECADE, "2020-01-01 00:00:00"},
        {UNIT_CENTURY, "2001-01-01 00:00:00"},
        {UNIT_MILLENNIUM, "2001-01-01 00:00:00"},
    };
    int64_t out = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            timestamp_trunc(cases[i].unit, at("2024-05-16 13:14:15.678901"), &out, NULL), OK);
        assert_string_equal(shown_timestamp(out), cases[i].to);
    }
    assert_int_equal(timestamp_trunc(UNIT_CENTURY, at("0044-03-15 BC"), &out, NULL), OK);
    assert_string_equal(shown_timestamp(out), "0100-01-01 00:00:00 BC");
    assert_int_equal(timestamp_trunc(UNIT_DOW, 0, &out, NULL), ERR_SQL);
    struct interval cut;
    assert_int_equal(interval_trunc(UNIT_HOUR, span("3 days 02:47:33"), &cut, NULL), OK);
    assert_string_equal(shown_interval(cut), "3 days 02:00:00");
    assert_int_equal(interval_trunc(UNIT_WEEK, span("3 days"), &cut, NULL), ERR_SQL);
    /* What is cut lies in the unit that begins there: cutting twice changes nothing. */
    struct prng prng;
    prng_seed(&prng, 11);
    for (int i = 0; i < 50000; i++) {
        int64_t us = random_us(&prng);
        enum datetime_unit unit = (enum datetime_unit)prng_below(&prng, UNIT_MILLENNIUM + 1);
        int64_t again = 0;
        if (timestamp_trunc(unit, us, &out, NULL) != OK)
            continue;
        assert_true(out <= us);
        assert_int_equal(timestamp_trunc(unit, out, &again, NULL), OK);
        assert_int_equal(out, again);
    }
}

static void test_bins(void **state)
{
    (void)state;
    int64_t out = 0;
    assert_int_equal(
        timestamp_bin(span("15 minutes"), at("2020-02-11 15:44:17"), at("2001-01-01"), &out, NULL),
        OK);
    assert_string_equal(shown_timestamp(out), "2020-02-11 15:30:00");
    assert_int_equal(timestamp_bin(span("15 minutes"), at("2020-02-11 15:44:17"),
                                   at("2021-01-01 00:02:30"), &out, NULL),
                     OK);
    assert_string_equal(shown_timestamp(out), "2020-02-11 15:32:30");
    assert_int_equal(timestamp_bin(span("1 month"), 0, 0, &out, NULL), ERR_SQL);
    assert_int_equal(timestamp_bin(span("0"), 0, 0, &out, NULL), ERR_SQL);
}

static const char *taken(enum datetime_kind kind, enum datetime_unit unit, const char *text)
{
    static char shown[64];
    struct datetime_field field;
    struct error error = {0};
    int32_t zone_s = kind == DATETIME_TIMESTAMPTZ ? 19800 : 0;
    if (timestamp_extract(kind, unit, at(text), zone_s, &field, &error))
        return "error";
    if (field.is_null)
        return "null";
    snprintf(shown, sizeof shown, "%lld/%d%s", (long long)field.number, field.scale,
             field.is_infinite ? "inf" : "");
    return shown;
}

static void test_fields(void **state)
{
    (void)state;
    const char *when = "2001-02-16 20:38:40.125";
    static const struct {
        enum datetime_unit unit;
        const char *value;
    } cases[] = {
        {UNIT_MICROSECOND, "40125000/0"},
        {UNIT_MILLISECOND, "40125000/3"},
        {UNIT_SECOND, "40125000/6"},
        {UNIT_MINUTE, "38/0"},
        {UNIT_HOUR, "20/0"},
        {UNIT_DAY, "16/0"},
        {UNIT_WEEK, "7/0"},
        {UNIT_MONTH, "2/0"},
        {UNIT_QUARTER, "1/0"},
        {UNIT_YEAR, "2001/0"},
        {UNIT_DECADE, "200/0"},
        {UNIT_CENTURY, "21/0"},
        {UNIT_MILLENNIUM, "3/0"},
        {UNIT_DOW, "5/0"},
        {UNIT_ISODOW, "5/0"},
        {UNIT_DOY, "47/0"},
        {UNIT_ISOYEAR, "2001/0"},
        {UNIT_EPOCH, "982355920125000/6"},
        {UNIT_TIMEZONE, "error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(taken(DATETIME_TIMESTAMP, cases[i].unit, when), cases[i].value);
    assert_string_equal(taken(DATETIME_TIMESTAMPTZ, UNIT_TIMEZONE, when), "19800/0");
    assert_string_equal(taken(DATETIME_TIMESTAMPTZ, UNIT_TIMEZONE_HOUR, when), "5/0");
    assert_string_equal(taken(DATETIME_TIMESTAMPTZ, UNIT_TIMEZONE_MINUTE, when), "30/0");
    assert_string_equal(taken(DATETIME_TIMESTAMPTZ, UNIT_EPOCH, when), "982336120125000/6");
    assert_string_equal(taken(DATETIME_DATE, UNIT_HOUR, when), "error");
    assert_string_equal(taken(DATETIME_DATE, UNIT_EPOCH, "2001-02-16"), "982281600/0");
    assert_string_equal(taken(DATETIME_DATE, UNIT_JULIAN, "1999-01-08"), "2451187/0");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_YEAR, "0044-03-15 BC"), "-44/0");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_CENTURY, "0044-03-15 BC"), "-1/0");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_CENTURY, "2000-12-31"), "20/0");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_CENTURY, "2001-01-01"), "21/0");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_YEAR, "infinity"), "1/0inf");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_HOUR, "infinity"), "null");
    assert_string_equal(taken(DATETIME_TIMESTAMP, UNIT_EPOCH, "-infinity"), "-1/0inf");
    struct datetime_field field;
    assert_int_equal(interval_extract(UNIT_EPOCH, span("1 year 1 mon 1 day 1 hour"), &field, NULL),
                     OK);
    assert_int_equal(field.number, INT64_C(34239600) * SECOND_US);
    assert_int_equal(interval_extract(UNIT_HOUR, span("36:20"), &field, NULL), OK);
    assert_int_equal(field.number, 36);
    assert_int_equal(interval_extract(UNIT_DOW, span("1 day"), &field, NULL), ERR_SQL);
}

/* ---- patterns ---------------------------------------------------------------------------------
 */

static const char *to_char(const char *text, const char *pattern)
{
    static char shown[256];
    struct buffer out = {0};
    const int32_t zone_s = 19800;
    assert_int_equal(timestamp_to_char(at(text), &zone_s, s(pattern), &out, NULL), OK);
    snprintf(shown, sizeof shown, "%.*s", (int)out.size, (const char *)out.data);
    buffer_free(&out);
    return shown;
}

static void test_to_char(void **state)
{
    (void)state;
    const char *when = "2024-05-06 07:08:09.012345";
    static const struct pair cases[] = {
        {"YYYY-MM-DD HH24:MI:SS", "2024-05-06 07:08:09"},
        {"YYYY-MM-DD\"T\"HH24:MI:SS.US", "2024-05-06T07:08:09.012345"},
        {"HH12:MI:SS AM", "07:08:09 AM"},
        {"hh:mi a.m.", "07:08 a.m."},
        {"MS US FF1 FF2 FF6", "012 012345 0 01 012345"},
        {"Day, Month DD", "Monday   , May       06"},
        {"FMDay, FMMonth FMDD", "Monday, May 6"},
        {"DAY Dy dy", "MONDAY    Mon mon"},
        {"MON Mon mon RM rm", "MAY May may V    v   "},
        {"FMDDth FMDDTH", "6th 6TH"},
        {"DDD D ID W WW IW", "127 2 1 1 19 19"},
        {"IYYY IDDD", "2024 127"},
        {"Y,YYY YYY YY Y", "2,024 024 24 4"},
        {"CC Q J", "21 2 2460437"},
        {"AD bc B.C.", "AD ad A.D."},
        {"SSSS", "25689"},
        {"TZ TZH TZM OF", "+05:30 +05 30 +05:30"},
        {"\"YYYY\" \\YYYYY", "YYYY Y2024"}, /* a backslash takes one letter */
        {"x", "x"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(to_char(when, cases[i].text), cases[i].shown);
    }
    assert_string_equal(to_char("2024-05-06 00:30", "HH12 PM"), "12 AM");
    assert_string_equal(to_char("2024-05-06 12:30", "HH12 PM"), "12 PM");
    assert_string_equal(to_char("2024-05-01", "DDth"), "01st");
    assert_string_equal(to_char("2024-05-12", "DDth"), "12th");
    assert_string_equal(to_char("2024-05-22", "DDth"), "22nd");
    struct buffer out = {0};
    assert_int_equal(interval_to_char(span("1 year 2 mons 3 days 45:06:07"),
                                      s("YYYY MM DD HH24:MI:SS"), &out, NULL),
                     OK);
    assert_int_equal(out.size, strlen("0001 02 03 45:06:07"));
    assert_memory_equal(out.data, "0001 02 03 45:06:07", out.size);
    assert_int_equal(interval_to_char(span("1 day"), s("Day"), &out, NULL), ERR_SQL);
    buffer_free(&out);
}

static void test_from_char(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *pattern;
        const char *value; /* or SQLSTATE */
    } cases[] = {
        {"2024-05-06 07:08:09", "YYYY-MM-DD HH24:MI:SS", "2024-05-06 07:08:09"},
        {"05 Dec 2000", "DD Mon YYYY", "2000-12-05 00:00:00"},
        {"5 December 2000", "DD Month YYYY", "2000-12-05 00:00:00"},
        {"20240506070809", "YYYYMMDDHH24MISS", "2024-05-06 07:08:09"},
        {"6.5.24", "DD.MM.YY", "2024-05-06 00:00:00"},
        {"07:08 PM 2024", "HH12:MI AM YYYY", "2024-01-01 19:08:00"},
        {"2024 060", "YYYY DDD", "2024-02-29 00:00:00"},
        {"2024-10-4", "IYYY-IW-ID", "2024-03-07 00:00:00"},
        {"12:00:00.125", "HH24:MI:SS.MS", "0001-01-01 12:00:00.125 BC"},
        {"2024-05-06 12:00 +05:30", "YYYY-MM-DD HH24:MI TZH:TZM", "2024-05-06 06:30:00"},
        {"2024-05-06 12:00 -08", "YYYY-MM-DD HH24:MI OF", "2024-05-06 20:00:00"},
        {"Monday, 6 May 2024", "Day, DD Month YYYY", "2024-05-06 00:00:00"},
        {"15 VIII 2024", "DD RM YYYY", "2024-08-15 00:00:00"},
        {"2451187", "J", "1999-01-08 00:00:00"},
        {"44 03 15 BC", "YYYY MM DD BC", "0044-03-15 00:00:00 BC"},
        {"1st", "DDth", "0001-01-01 00:00:00 BC"},
        {"2024-13-01", "YYYY-MM-DD", "22008"},
        {"2024-02-30", "YYYY-MM-DD", "22008"},
        {"5874897 366", "YYYY DDD", "22008"},
        {"abc", "YYYY", "22007"},
        {"2024 Foo", "YYYY Mon", "22007"},
        {"2024 2025", "YYYY YYYY", "22007"},
        {"25:00", "HH24:MI", "22008"},
        {"13:00", "HH12:MI", "22008"},
        {"999999999", "J", "22008"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        int64_t us;
        bool zoned;
        status_t status =
            timestamp_from_char(s(cases[i].text), s(cases[i].pattern), &us, &zoned, &error);
        assert_string_equal(status ? error.sqlstate : shown_timestamp(us), cases[i].value);
    }
    /* Any text by any pattern is read or refused. */
    static const char *const pieces[] = {
        "YYYY", "MM", "DD", "HH24", "-",     " ", "Mon",      "J",  "DDD", "IYYY", "IW", "TZH",
        "OF",   "W",  "CC", "AM",   "Y,YYY", "1", "99999999", "\"", "US",  "SSSS", "BC"};
    struct prng prng;
    prng_seed(&prng, 13);
    for (int i = 0; i < 200000; i++) {
        char text[160] = "";
        char pattern[160] = "";
        for (uint64_t j = prng_below(&prng, 7); j > 0; j--) {
            size_t at_pattern = strlen(pattern);
            size_t at_text = strlen(text);
            snprintf(pattern + at_pattern, sizeof pattern - at_pattern, "%s",
                     pieces[prng_below(&prng, sizeof pieces / sizeof *pieces)]);
            if (prng_chance(&prng, 1, 4))
                snprintf(text + at_text, sizeof text - at_text, "%s",
                         pieces[prng_below(&prng, sizeof pieces / sizeof *pieces)]);
            else
                snprintf(
                    text + at_text, sizeof text - at_text, "%llu ",
                    (unsigned long long)prng_below(&prng, UINT64_C(1) << prng_below(&prng, 36)));
        }
        int64_t us;
        bool zoned;
        if (timestamp_from_char(s(text), s(pattern), &us, &zoned, NULL) == OK)
            shown_timestamp(us);
    }
}

static void test_zones(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"UTC", "UTC"},     {"z", "UTC"},        {"+00:00", "UTC"}, {"+05:30", "+05:30"},
        {"-8", "-08:00"},   {"-0330", "-03:30"}, {"+16", "22009"},  {"Europe/Berlin", "22023"},
        {"EST", "22023"},   {"", "22023"},       {"+", "22023"},    {"UTC+3", "22023"},
        {" +1 ", "+01:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t zone_s = 0;
        struct error error = {0};
        char shown[DATETIME_TEXT_MAX];
        if (zone_parse(s(cases[i].text), &zone_s, &error) == OK)
            zone_format(zone_s, shown);
        else
            snprintf(shown, sizeof shown, "%s", error.sqlstate);
        assert_string_equal(shown, cases[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_read_and_shown),
        cmocka_unit_test(test_times_are_read_and_shown),
        cmocka_unit_test(test_timestamps_are_read_and_shown),
        cmocka_unit_test(test_intervals_are_read_and_shown),
        cmocka_unit_test(test_every_day_of_400_years),
        cmocka_unit_test(test_days_far_out_go_there_and_back),
        cmocka_unit_test(test_iso_weeks),
        cmocka_unit_test(test_random_values_read_back),
        cmocka_unit_test(test_random_text_is_read_or_refused),
        cmocka_unit_test(test_months_end_where_the_shorter_month_does),
        cmocka_unit_test(test_what_is_out_of_range_is_an_error),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_interval_arithmetic),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_to_char),
        cmocka_unit_test(test_from_char),
        cmocka_unit_test(test_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
