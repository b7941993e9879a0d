/* Arithmetic between dates, times and intervals, their fields, and template patterns. */
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

static const struct clock clock_utc = {.is_known = false};

static struct slice s(const char *text)
{
    return slice_from_string(text);
}

struct pair {
    const char *text;
    const char *shown;
};

static int64_t random_us(struct prng *prng)
{
    int64_t days = (int64_t)prng_below(prng, 109192570) - 2440588;
    return days * DAY_US + (int64_t)prng_below(prng, (uint64_t)DAY_US);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_months_end_where_the_shorter_month_does),
        cmocka_unit_test(test_what_is_out_of_range_is_an_error),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_interval_arithmetic),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_to_char),
        cmocka_unit_test(test_from_char),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
