/* Reading dates, times and timestamps.
 *
 * The text is taken apart from left to right into what its shape gives away:
 *
 *     2024-02-29  2/29/2024  29-Feb-2024  20240229  2024.060     a date in one piece
 *     Feb  29  2024                                              one in several, in any order
 *     12:34:56.789  12:34  T123456                               a time
 *     AM  PM  AD  BC  Z  UTC  GMT  +05:30  -8                    what qualifies them
 *     epoch  infinity  -infinity  now  today  tomorrow  yesterday  allballs
 *
 * and put together at the end. Names of weekdays are read and ignored. Where the order of the
 * numbers does not show by itself it is month, day, year; a year of two digits is one of 1970 to
 * 2069. Anything else is not a date: there is no guessing. */
#include <string.h>

#include "base/check.h"
#include "sql/types/datetime_read_int.h"

enum { PARTS_MAX = 3, DIGITS_MAX = 9 };

/* ---- characters ------------------------------------------------------------------------------ */

static uint8_t peek(const struct datetime_reading *r, size_t ahead)
{
    return r->at + ahead < r->text.size ? r->text.data[r->at + ahead] : '\0';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool fail(struct datetime_reading *r, enum datetime_fault fault)
{
    if (r->fault == FAULT_NONE)
        r->fault = fault;
    return false;
}

/* A run of digits; false: none, or too many for any field. */
static bool digits(struct datetime_reading *r, struct datetime_part *part)
{
    *part = (struct datetime_part){0};
    while (is_digit(peek(r, 0))) {
        if (part->digits++ == DIGITS_MAX)
            return fail(r, FAULT_FIELD);
        part->number = part->number * 10 + (r->text.data[r->at++] - '0');
    }
    return part->digits > 0 || fail(r, FAULT_SYNTAX);
}

static struct slice letters(struct datetime_reading *r)
{
    size_t start = r->at;
    while (is_letter(peek(r, 0)))
        r->at++;
    return slice_make(r->text.data + start, r->at - start);
}

/* ---- dates ----------------------------------------------------------------------------------- */

static int64_t full_year(struct datetime_part year)
{
    if (year.digits > 2)
        return year.number;
    return year.number < 70 ? year.number + 2000 : year.number + 1900;
}

static bool set_date(struct datetime_reading *r, struct datetime_part year, int64_t month,
                     int64_t day)
{
    if (r->has_date)
        return fail(r, FAULT_SYNTAX);
    r->has_date = true;
    r->year = full_year(year);
    r->year_added = r->year - year.number;
    r->month = month;
    r->day = day;
    return true;
}

/* Another part behind a separator: digits, or a month's name. */
static bool date_part(struct datetime_reading *r, struct datetime_part *part)
{
    if (is_digit(peek(r, 0)))
        return digits(r, part);
    int32_t month = datetime__month_by_name(letters(r));
    *part = (struct datetime_part){.number = month};
    return month != 0 || fail(r, FAULT_SYNTAX);
}

/* 2024.060, 2024-060: the day counted in the year. */
static bool year_and_day(struct datetime_reading *r, struct datetime_part year,
                         struct datetime_part day)
{
    if (year.digits < 3 || day.digits != 3)
        return fail(r, FAULT_SYNTAX);
    if (day.number < 1 || day.number > 366)
        return fail(r, FAULT_FIELD);
    int64_t month = 1;
    while (day.number > month_length((int32_t)year.number, (int32_t)month)) {
        day.number -= month_length((int32_t)year.number, (int32_t)month);
        if (++month > MONTHS_A_YEAR)
            return fail(r, FAULT_FIELD);
    }
    return set_date(r, year, month, day.number);
}

/* A date in one piece, its first part already read; at its first separator. */
static bool read_date(struct datetime_reading *r, struct datetime_part first)
{
    struct datetime_part parts[PARTS_MAX] = {first};
    uint8_t separator = peek(r, 0);
    ASSERT(separator == '-' || separator == '/' || separator == '.');
    uint32_t count = 1;
    while (count < PARTS_MAX && peek(r, 0) == separator) {
        r->at++;
        if (!date_part(r, &parts[count++]))
            return false;
    }
    if (count == 2 && separator != '/' && parts[1].digits > 0)
        return year_and_day(r, parts[0], parts[1]);
    if (count < PARTS_MAX)
        return fail(r, FAULT_SYNTAX);
    int names = (parts[0].digits == 0) + (parts[1].digits == 0) + (parts[2].digits == 0);
    if (names > 1 || parts[2].digits == 0)
        return fail(r, FAULT_SYNTAX);
    r->year_first = parts[0].digits >= 3;
    if (r->year_first)
        return set_date(r, parts[0], parts[1].number, parts[2].number);
    if (parts[1].digits == 0)
        return set_date(r, parts[2], parts[1].number, parts[0].number);
    if (parts[0].digits && parts[0].number > MONTHS_A_YEAR && parts[1].number <= MONTHS_A_YEAR)
        return fail(r, FAULT_ORDER);
    return set_date(r, parts[2], parts[0].number, parts[1].number);
}

/* 20240229 or 240229. */
static bool read_date_digits(struct datetime_reading *r, struct datetime_part part)
{
    struct datetime_part year = {.number = part.number / 10000, .digits = part.digits - 4};
    return set_date(r, year, part.number / 100 % 100, part.number % 100);
}

/* J2451187. */
static bool read_julian(struct datetime_reading *r)
{
    struct datetime_part part;
    if (!digits(r, &part))
        return false;
    if (part.number > DATE_MAX + JULIAN_EPOCH)
        return fail(r, FAULT_FIELD);
    struct civil_date civil = date_to_civil(part.number - JULIAN_EPOCH);
    struct datetime_part year = {.number = civil.year, .digits = 4};
    return set_date(r, year, civil.month, civil.day);
}

/* ---- times ----------------------------------------------------------------------------------- */

/* Digits of a fraction of a second, rounded to microseconds: half to even. */
static int64_t fraction_us(struct datetime_reading *r)
{
    int64_t us = 0;
    uint32_t count = 0;
    int seventh = 0;
    bool more = false; /* something behind the seventh digit */
    for (; is_digit(peek(r, 0)); count++) {
        int digit = r->text.data[r->at++] - '0';
        if (count < 6)
            us = us * 10 + digit;
        else if (count == 6)
            seventh = digit;
        else
            more = more || digit > 0;
    }
    for (; count < 6; count++)
        us *= 10;
    bool up = seventh > 5 || (seventh == 5 && (more || us % 2 == 1));
    return us + up;
}

static bool set_time(struct datetime_reading *r, int64_t hour, int64_t minute, int64_t second,
                     int64_t us)
{
    if (r->has_time)
        return fail(r, FAULT_SYNTAX);
    /* The sixtieth second, of a leap second or rounded up to, is the next minute's first. */
    if (minute > 59 || second > 60 || (second == 60 && us > 0))
        return fail(r, FAULT_FIELD);
    r->has_time = true;
    r->time_follows = false;
    r->hour = hour;
    r->rest_us = minute * MINUTE_US + second * SECOND_US + us;
    return true;
}

/* Behind the hour, at the colon. */
static bool read_time(struct datetime_reading *r, struct datetime_part hour)
{
    struct datetime_part minute;
    struct datetime_part second = {0};
    int64_t us = 0;
    ASSERT(peek(r, 0) == ':');
    r->at++;
    if (!digits(r, &minute))
        return false;
    if (peek(r, 0) == ':') {
        r->at++;
        if (!digits(r, &second))
            return false;
        if (peek(r, 0) == '.') {
            r->at++;
            us = fraction_us(r);
        }
    }
    return set_time(r, hour.number, minute.number, second.number, us);
}

/* T12, T1234, T123456.789. */
static bool read_time_digits(struct datetime_reading *r, struct datetime_part part)
{
    if (part.digits == 2)
        return set_time(r, part.number, 0, 0, 0);
    if (part.digits == 4)
        return set_time(r, part.number / 100, part.number % 100, 0, 0);
    if (part.digits != 6)
        return fail(r, FAULT_SYNTAX);
    int64_t us = 0;
    if (peek(r, 0) == '.') {
        r->at++;
        us = fraction_us(r);
    }
    return set_time(r, part.number / 10000, part.number / 100 % 100, part.number % 100, us);
}

/* +5, +05, +0530, +05:30, +05:30:15; at the sign. */
static bool read_offset(struct datetime_reading *r)
{
    bool is_west = peek(r, 0) == '-';
    int64_t fields[3] = {0};
    struct datetime_part part;
    r->at++;
    if (!digits(r, &part))
        return false;
    if (part.digits <= 2) {
        fields[0] = part.number;
        for (int i = 1; i < 3 && peek(r, 0) == ':'; i++) {
            r->at++;
            if (!digits(r, &part))
                return false;
            fields[i] = part.number;
        }
    } else if (part.digits <= 4) {
        fields[0] = part.number / 100;
        fields[1] = part.number % 100;
    } else {
        fields[0] = part.number / 10000;
        fields[1] = part.number / 100 % 100;
        fields[2] = part.number % 100;
    }
    if (r->has_zone && r->zone_s != 0)
        return fail(r, FAULT_SYNTAX);
    if (fields[0] > 15 || fields[1] > 59 || fields[2] > 59)
        return fail(r, FAULT_ZONE);
    int32_t seconds = (int32_t)(fields[0] * 3600 + fields[1] * 60 + fields[2]);
    r->has_zone = true;
    r->zone_s = is_west ? -seconds : seconds;
    return true;
}

/* ---- words ----------------------------------------------------------------------------------- */

static enum datetime_special special_by_name(struct slice word)
{
    static const struct {
        const char *name;
        enum datetime_special special;
    } words[] = {
        {"epoch", SPECIAL_EPOCH},         {"infinity", SPECIAL_INFINITY},
        {"inf", SPECIAL_INFINITY},        {"now", SPECIAL_NOW},
        {"today", SPECIAL_TODAY},         {"tomorrow", SPECIAL_TOMORROW},
        {"yesterday", SPECIAL_YESTERDAY},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (datetime__word_is(word, words[i].name))
            return words[i].special;
    return SPECIAL_NONE;
}

static bool set_special(struct datetime_reading *r, enum datetime_special special)
{
    if (r->special)
        return fail(r, FAULT_SYNTAX);
    r->special = special;
    return true;
}

static bool is_zone_abbreviation(struct slice word)
{
    static const char *const names[] = {
        "est",  "edt",  "cst",  "cdt",  "mst",  "mdt",  "pst", "pdt",  "akst",
        "akdt", "hst",  "cet",  "cest", "met",  "mest", "eet", "eest", "wet",
        "west", "bst",  "ist",  "msk",  "msd",  "jst",  "kst", "hkt",  "sgt",
        "aest", "aedt", "acst", "acdt", "nzst", "nzdt", "brt", "art",  "sast",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (datetime__word_is(word, names[i]))
            return true;
    return false;
}

static bool is_utc(struct slice word)
{
    static const char *const names[] = {"z", "utc", "gmt", "zulu", "ut", "uct"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (datetime__word_is(word, names[i]))
            return true;
    return false;
}

static bool set_era(struct datetime_reading *r, bool is_bc)
{
    if (r->has_era)
        return fail(r, FAULT_SYNTAX);
    r->has_era = true;
    r->is_bc = is_bc;
    return true;
}

static bool set_zone(struct datetime_reading *r)
{
    if (r->has_zone)
        return fail(r, FAULT_SYNTAX);
    r->has_zone = true;
    return true;
}

static bool set_meridian(struct datetime_reading *r, char meridian)
{
    if (r->meridian)
        return fail(r, FAULT_SYNTAX);
    r->meridian = meridian;
    return true;
}

static bool read_month_name(struct datetime_reading *r, int32_t month)
{
    uint8_t next = peek(r, 0);
    if ((next == '-' || next == '/' || next == '.') && is_digit(peek(r, 1)))
        return read_date(r, (struct datetime_part){.number = month});
    if (r->month_named || r->has_date)
        return fail(r, FAULT_SYNTAX);
    r->month_named = month;
    return true;
}

static bool read_word(struct datetime_reading *r)
{
    struct slice word = letters(r);
    uint8_t next = peek(r, 0);
    if (datetime__word_is(word, "j") && is_digit(next))
        return read_julian(r);
    if (datetime__word_is(word, "t") && is_digit(next)) {
        r->time_follows = true;
        return true;
    }
    if (next == '/' || next == '_') /* Europe/Berlin */
        return fail(r, FAULT_ZONE_NAME);
    enum datetime_special special = special_by_name(word);
    if (special)
        return set_special(r, special);
    if (datetime__word_is(word, "bc") || datetime__word_is(word, "ad"))
        return set_era(r, datetime__word_is(word, "bc"));
    if (datetime__word_is(word, "am") || datetime__word_is(word, "pm"))
        return set_meridian(r, datetime__word_is(word, "am") ? 'a' : 'p');
    if (datetime__word_is(word, "allballs"))
        return set_time(r, 0, 0, 0, 0);
    if (is_utc(word))
        return set_zone(r);
    if (is_zone_abbreviation(word))
        return fail(r, FAULT_ZONE_NAME);
    int32_t month = datetime__month_by_name(word);
    if (month)
        return read_month_name(r, month);
    return datetime__weekday_by_name(word) >= 0 || fail(r, FAULT_SYNTAX);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool read_number(struct datetime_reading *r)
{
    struct datetime_part part;
    if (!digits(r, &part))
        return false;
    uint8_t next = peek(r, 0);
    bool more = is_digit(peek(r, 1)) || is_letter(peek(r, 1));
    if (next == ':')
        return read_time(r, part);
    if (r->time_follows)
        return read_time_digits(r, part);
    if (!r->has_date && (next == '-' || next == '/' || next == '.') && more)
        return read_date(r, part);
    if (r->time_wanted && !r->has_time && (part.digits == 4 || part.digits == 6))
        return read_time_digits(r, part);
    if (!r->has_date && (part.digits == 8 || (part.digits == 6 && !r->month_named)))
        return read_date_digits(r, part);
    if (r->has_date && !r->has_time && part.digits == 6)
        return read_time_digits(r, part);
    if (r->has_date || r->part_count == 2)
        return fail(r, FAULT_SYNTAX);
    r->parts[r->part_count++] = part;
    return true;
}

static bool read_piece(struct datetime_reading *r)
{
    uint8_t c = peek(r, 0);
    if (is_blank(c) || c == ',') {
        r->at++;
        return true;
    }
    if (is_digit(c))
        return read_number(r);
    if (is_letter(c))
        return read_word(r);
    if (c != '+' && c != '-')
        return fail(r, FAULT_SYNTAX);
    if (is_digit(peek(r, 1)))
        return (r->has_time || r->has_date || fail(r, FAULT_SYNTAX)) && read_offset(r);
    r->at++;
    struct slice word = letters(r);
    if (special_by_name(word) != SPECIAL_INFINITY)
        return fail(r, FAULT_SYNTAX);
    return set_special(r, c == '-' ? SPECIAL_MINUS_INFINITY : SPECIAL_INFINITY);
}

/* The pieces around a month's name: the longer number is the year, otherwise the second is. */
static bool gather_date(struct datetime_reading *r)
{
    if (!r->month_named)
        return r->part_count == 0 || fail(r, FAULT_SYNTAX);
    if (r->part_count != 2)
        return fail(r, FAULT_SYNTAX);
    bool year_first = r->parts[0].digits > 2;
    return set_date(r, r->parts[year_first ? 0 : 1], r->month_named,
                    r->parts[year_first ? 1 : 0].number);
}

/* The clock's twelve hours; and no more than a day of them. */
static bool settle_time(struct datetime_reading *r)
{
    if (r->meridian) {
        if (!r->has_time)
            return fail(r, FAULT_SYNTAX);
        if (r->hour < 1 || r->hour > 12)
            return fail(r, FAULT_FIELD);
        r->hour = r->hour % 12 + (r->meridian == 'p' ? 12 : 0);
    }
    if (r->hour > 24 || r->hour * HOUR_US + r->rest_us > DAY_US)
        return fail(r, FAULT_FIELD);
    return true;
}

static bool settle_date(struct datetime_reading *r)
{
    if (!r->has_date)
        return !r->has_era || fail(r, FAULT_SYNTAX);
    if (r->is_bc)
        r->year = 1 - (r->year - r->year_added);
    else if (r->year == 0)
        return fail(r, FAULT_FIELD);
    if (r->is_bc && r->year > 0)
        return fail(r, FAULT_FIELD);
    if (r->month < 1 || r->month > MONTHS_A_YEAR)
        return fail(r, r->year_first ? FAULT_FIELD : FAULT_ORDER);
    if (r->day < 1 || r->day > 31)
        return fail(r, FAULT_FIELD);
    /* Years out of range are told from days that do not exist by the caller. */
    int32_t like = (int32_t)(datetime__floor_modulo(r->year, 400) + 2000);
    if (r->day > month_length(like, (int32_t)r->month))
        return fail(r, FAULT_FIELD);
    return true;
}

bool datetime__read(struct datetime_reading *r)
{
    while (r->at < r->text.size)
        if (!read_piece(r))
            return false;
    if (r->time_follows || !gather_date(r) || !settle_time(r) || !settle_date(r))
        return fail(r, FAULT_SYNTAX);
    bool alone = !r->has_date && !r->has_time && !r->has_zone;
    if (r->special && !alone) {
        /* A day by name may have a time. */
        bool is_day = r->special >= SPECIAL_TODAY;
        if (!is_day || r->has_date)
            return fail(r, FAULT_SYNTAX);
    }
    return r->special || !alone || fail(r, FAULT_SYNTAX);
}

bool datetime__read_zone(struct datetime_reading *r)
{
    while (is_blank(peek(r, 0)))
        r->at++;
    bool good;
    if (peek(r, 0) == '+' || peek(r, 0) == '-')
        good = read_offset(r);
    else
        good = is_utc(letters(r)) || fail(r, FAULT_ZONE_NAME);
    while (good && is_blank(peek(r, 0)))
        r->at++;
    return good && r->at == r->text.size;
}
