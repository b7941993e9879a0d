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
        cmocka_unit_test(test_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
