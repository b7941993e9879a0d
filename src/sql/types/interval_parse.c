/* Reading intervals: three notations.
 *
 *     1 year 2 mons -3 days 04:05:06.7 ago      numbers with units; a time may stand by itself
 *     1-2 3 4:05:06                             years-months, days, time (the SQL standard's)
 *     P1Y2M3W4DT5H6M7.8S, P0001-02-03T04:05:06  ISO 8601
 *
 * Fractions are carried down: of a year into months, of a month (30 days) into days, of a day into
 * time. They are kept exactly, as so many parts of FRACTION. */
#include <string.h>

#include "base/check.h"
#include "sql/types/datetime_int.h"

enum { FRACTION_DIGITS = 12, WHOLE_DIGITS_MAX = 18 };

#define FRACTION INT64_C(1000000000000)

struct reading {
    struct slice text;
    size_t at;
    __int128 months;
    __int128 days;
    __int128 us;
    bool overflow;
    bool any;
    bool has_time;
    bool is_ago;
    uint32_t seen;           /* units that were counted, as bits: each may be once */
    enum datetime_unit unit; /* of a number without one */
};

/* whole + fraction / FRACTION; both have the sign. */
struct number {
    int64_t whole;
    int64_t fraction;
    bool is_negative;
};

static uint8_t peek(const struct reading *r)
{
    return r->at < r->text.size ? r->text.data[r->at] : '\0';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_blanks(struct reading *r)
{
    while (peek(r) == ' ' || (peek(r) >= '\t' && peek(r) <= '\r'))
        r->at++;
}

static int64_t signed_by(bool is_negative, int64_t magnitude)
{
    return is_negative ? -magnitude : magnitude;
}

/* The digits behind a point. */
static int64_t read_fraction(struct reading *r)
{
    int64_t fraction = 0;
    int digits = 0;
    for (; is_digit(peek(r)); r->at++) {
        if (digits == FRACTION_DIGITS)
            continue;
        fraction = fraction * 10 + (peek(r) - '0');
        digits++;
    }
    for (; digits < FRACTION_DIGITS; digits++)
        fraction *= 10;
    return fraction;
}

/* [+-] digits [. digits]. */
static bool read_number(struct reading *r, struct number *number)
{
    *number = (struct number){0};
    if (peek(r) == '-' || peek(r) == '+')
        number->is_negative = r->text.data[r->at++] == '-';
    size_t start = r->at;
    int64_t whole = 0;
    for (; is_digit(peek(r)); r->at++) {
        if (r->at - start >= WHOLE_DIGITS_MAX)
            r->overflow = true;
        else
            whole = whole * 10 + (peek(r) - '0');
    }
    size_t digits = r->at - start;
    int64_t fraction = 0;
    if (peek(r) == '.' && r->at + 1 < r->text.size && is_digit(r->text.data[r->at + 1])) {
        r->at++;
        digits++;
        fraction = read_fraction(r);
    }
    number->whole = signed_by(number->is_negative, whole);
    number->fraction = signed_by(number->is_negative, fraction);
    return digits > 0;
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* a / b to the nearest, halves away from zero. */
static __int128 divide_rounded(__int128 a, __int128 b)
{
    __int128 half = a < 0 ? -(b / 2) : b / 2;
    return (a + half) / b;
}

static void add_us(struct reading *r, struct number number, int64_t unit_us)
{
    r->us += (__int128)number.whole * unit_us +
             divide_rounded((__int128)number.fraction * unit_us, FRACTION);
}

static void add_days(struct reading *r, struct number number, int64_t unit_days)
{
    __int128 parts = (__int128)number.fraction * unit_days;
    r->days += (__int128)number.whole * unit_days + parts / FRACTION;
    r->us += divide_rounded(parts % FRACTION * DAY_US, FRACTION);
}

static void add_months(struct reading *r, struct number number, int64_t unit_months)
{
    r->months += (__int128)number.whole * unit_months;
    if (unit_months > 1) {
        r->months += divide_rounded((__int128)number.fraction * unit_months, FRACTION);
        return;
    }
    struct number days = {0};
    __int128 parts = (__int128)number.fraction * DAYS_A_MONTH;
    days.whole = (int64_t)(parts / FRACTION);
    days.fraction = (int64_t)(parts % FRACTION);
    add_days(r, days, 1);
}

static bool add(struct reading *r, struct number number, enum datetime_unit unit)
{
    r->any = true;
    switch (unit) {
    case UNIT_MICROSECOND:
        add_us(r, number, 1);
        return true;
    case UNIT_MILLISECOND:
        add_us(r, number, SECOND_US / 1000);
        return true;
    case UNIT_SECOND:
        add_us(r, number, SECOND_US);
        return true;
    case UNIT_MINUTE:
        add_us(r, number, MINUTE_US);
        return true;
    case UNIT_HOUR:
        add_us(r, number, HOUR_US);
        return true;
    case UNIT_DAY:
        add_days(r, number, 1);
        return true;
    case UNIT_WEEK:
        add_days(r, number, 7);
        return true;
    case UNIT_MONTH:
        add_months(r, number, 1);
        return true;
    case UNIT_YEAR:
        add_months(r, number, MONTHS_A_YEAR);
        return true;
    case UNIT_DECADE:
        add_months(r, number, 10 * MONTHS_A_YEAR);
        return true;
    case UNIT_CENTURY:
        add_months(r, number, 100 * MONTHS_A_YEAR);
        return true;
    case UNIT_MILLENNIUM:
        add_months(r, number, 1000 * MONTHS_A_YEAR);
        return true;
    default:
        return false;
    }
}

/* ---- units and times ------------------------------------------------------------------------- */

/* Behind the hours, at the colon: H:M[:S[.f]], or M:S[.f] where minutes are counted. */
static bool read_time(struct reading *r, struct number first)
{
    struct number second;
    struct number third = {0};
    ASSERT(peek(r) == ':');
    if (first.fraction || r->has_time)
        return false;
    r->has_time = true;
    r->at++;
    if (!is_digit(peek(r)) || !read_number(r, &second))
        return false;
    bool has_third = peek(r) == ':';
    if (has_third) {
        r->at++;
        if (!is_digit(peek(r)) || !read_number(r, &third) || second.fraction)
            return false;
    }
    bool is_minutes = !has_third && (second.fraction || r->unit == UNIT_MINUTE);
    int64_t minute = is_minutes ? first.whole : second.whole;
    struct number seconds = is_minutes ? second : third;
    if ((!is_minutes && minute > 59) || seconds.whole > 60)
        r->overflow = true;
    if (first.is_negative) {
        seconds.whole = -seconds.whole;
        seconds.fraction = -seconds.fraction;
        minute = is_minutes ? minute : -minute;
    }
    add_us(r, seconds, SECOND_US);
    r->us += (__int128)minute * MINUTE_US;
    if (!is_minutes)
        r->us += (__int128)first.whole * HOUR_US;
    r->any = true;
    return true;
}

/* years-months: behind the years, at the sign. */
static bool read_months(struct reading *r, struct number years)
{
    r->at++;
    struct number months;
    if (years.fraction || !read_number(r, &months) || months.fraction || peek(r) == '-')
        return false;
    if (months.whole >= MONTHS_A_YEAR)
        r->overflow = true;
    if (years.is_negative)
        months.whole = -months.whole;
    return add(r, years, UNIT_YEAR) && add(r, months, UNIT_MONTH);
}

static struct slice letters(struct reading *r)
{
    size_t start = r->at;
    while (is_letter(peek(r)))
        r->at++;
    return slice_make(r->text.data + start, r->at - start);
}

/* Behind a number without a unit: days when a time comes, or the hours that are counted; otherwise
 * whatever is counted. */
static enum datetime_unit unit_missing(const struct reading *r)
{
    size_t at = r->at;
    while (at < r->text.size &&
           (is_digit(r->text.data[at]) || r->text.data[at] == '-' || r->text.data[at] == '+'))
        at++;
    if (at == r->at)
        return r->unit;
    bool time_follows = at < r->text.size && r->text.data[at] == ':';
    bool hours_follow = at == r->text.size && r->unit == UNIT_HOUR;
    return time_follows || hours_follow ? UNIT_DAY : r->unit;
}

static bool read_piece(struct reading *r)
{
    if (is_letter(peek(r))) {
        bool is_ago = datetime__word_is(letters(r), "ago");
        skip_blanks(r);
        r->is_ago = true;
        return is_ago && r->any && r->at == r->text.size;
    }
    struct number number;
    if (!read_number(r, &number))
        return false;
    if (peek(r) == ':')
        return read_time(r, number);
    if (peek(r) == '-' && r->at + 1 < r->text.size && is_digit(r->text.data[r->at + 1]))
        return read_months(r, number);
    skip_blanks(r);
    enum datetime_unit unit = unit_missing(r);
    if (is_letter(peek(r))) {
        struct slice word = letters(r);
        if (datetime__word_is(word, "ago")) {
            r->at -= word.size;
        } else if (datetime__word_is(word, "m")) {
            unit = UNIT_MINUTE;
        } else if (!datetime_unit_parse(word, &unit)) {
            return false;
        }
    }
    uint32_t bit = UINT32_C(1) << unit;
    if (r->seen & bit)
        return false;
    r->seen |= bit;
    return add(r, number, unit);
}

static bool read_pieces(struct reading *r)
{
    skip_blanks(r);
    if (peek(r) == '@')
        r->at++;
    skip_blanks(r);
    while (r->at < r->text.size) {
        if (!read_piece(r))
            return false;
        skip_blanks(r);
    }
    return r->any;
}

/* ---- ISO 8601 -------------------------------------------------------------------------------- */

static bool iso_unit(uint8_t letter, bool in_time, enum datetime_unit *unit)
{
    static const struct {
        char letter;
        bool in_time;
        enum datetime_unit unit;
    } units[] = {
        {'Y', false, UNIT_YEAR},  {'M', false, UNIT_MONTH}, {'W', false, UNIT_WEEK},
        {'D', false, UNIT_DAY},   {'H', true, UNIT_HOUR},   {'M', true, UNIT_MINUTE},
        {'S', true, UNIT_SECOND},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].letter == letter && units[i].in_time == in_time) {
            *unit = units[i].unit;
            return true;
        }
    }
    return false;
}

/* -MM-DD behind the years. */
static bool iso_date(struct reading *r, struct number years)
{
    struct number month;
    struct number day = {0};
    r->at++;
    if (!read_number(r, &month))
        return false;
    if (peek(r) == '-') {
        r->at++;
        if (!read_number(r, &day))
            return false;
    }
    return add(r, years, UNIT_YEAR) && add(r, month, UNIT_MONTH) && add(r, day, UNIT_DAY);
}

/* Behind the P. */
static bool read_iso(struct reading *r)
{
    bool in_time = false;
    while (r->at < r->text.size) {
        if (peek(r) == 'T' && !in_time) {
            in_time = true;
            r->at++;
            if (r->at == r->text.size)
                return false;
            continue;
        }
        struct number number;
        enum datetime_unit unit;
        if (!read_number(r, &number))
            return false;
        if (in_time && peek(r) == ':') {
            if (!read_time(r, number))
                return false;
        } else if (!in_time && peek(r) == '-') {
            if (!iso_date(r, number))
                return false;
        } else if (!iso_unit(peek(r), in_time, &unit)) {
            return false;
        } else {
            r->at++;
            add(r, number, unit);
        }
    }
    return r->any;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int shown_size(struct slice text)
{
    return text.size > 200 ? 200 : (int)text.size;
}

status_t interval_parse(struct slice text, enum datetime_unit unit, struct interval *out,
                        struct error *error)
{
    struct reading r = {.text = text, .unit = unit};
    ASSERT(out && unit < UNIT_COUNT);
    skip_blanks(&r);
    while (r.text.size > r.at && r.text.data[r.text.size - 1] == ' ')
        r.text.size--;
    bool good;
    if (peek(&r) == 'P') {
        r.at++;
        good = read_iso(&r);
    } else {
        good = read_pieces(&r);
    }
    if (!good)
        return error_sql(error, "22007", 0, "invalid input syntax for type interval: \"%.*s\"",
                         shown_size(text), (const char *)text.data);
    if (r.is_ago) {
        r.months = -r.months;
        r.days = -r.days;
        r.us = -r.us;
    }
    r.overflow |= r.months > INT32_MAX || r.months < INT32_MIN || r.days > INT32_MAX ||
                  r.days < INT32_MIN || r.us > INT64_MAX || r.us < INT64_MIN;
    if (r.overflow)
        return error_sql(error, "22015", 0, "interval field value out of range: \"%.*s\"",
                         shown_size(text), (const char *)text.data);
    *out = (struct interval){(int32_t)r.months, (int32_t)r.days, (int64_t)r.us};
    return OK;
}

struct interval interval_cut(struct interval interval, enum datetime_unit last)
{
    struct interval cut = interval;
    switch (last) {
    case UNIT_YEAR:
        cut = (struct interval){.months = interval.months / MONTHS_A_YEAR * MONTHS_A_YEAR};
        break;
    case UNIT_MONTH:
        cut = (struct interval){.months = interval.months};
        break;
    case UNIT_DAY:
        cut.us = 0;
        break;
    case UNIT_HOUR:
        cut.us = interval.us / HOUR_US * HOUR_US;
        break;
    case UNIT_MINUTE:
        cut.us = interval.us / MINUTE_US * MINUTE_US;
        break;
    default:
        break;
    }
    return cut;
}
