/* to_timestamp and to_date: text read by a template pattern.
 *
 * A number takes as many digits as its name says when another number stands right behind it, and
 * otherwise as many as there are. Blanks in the text are passed over before a field; a separator
 * in the pattern stands for any run of separators and blanks, any other literal for one character.
 * What the pattern does not name is the first of its kind, and the year 1 BC. */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "sql/types/datetime_pattern_int.h"

enum { FIELD_MAX = PATTERN_OFFSET + 1, DIGITS_MAX = 9 };

struct reading {
    struct slice text; /* what is left */
    struct slice whole;
    bool has[FIELD_MAX];
    int64_t field[FIELD_MAX];
    int64_t fraction_us;
    bool is_pm;
    bool is_bc;
    int32_t zone_sign;
    int32_t zone_s; /* of OF */
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_separator(uint8_t c)
{
    return !is_digit(c) && !is_letter(c) && c < 0x80;
}

static uint8_t peek(const struct reading *r)
{
    return r->text.size ? r->text.data[0] : '\0';
}

static void drop(struct reading *r, size_t size)
{
    ASSERT(size <= r->text.size);
    r->text.data += size;
    r->text.size -= size;
}

static void skip_blanks(struct reading *r)
{
    while (r->text.size && (peek(r) == ' ' || (peek(r) >= '\t' && peek(r) <= '\r')))
        drop(r, 1);
}

static int shown_size(struct slice text)
{
    return text.size > 200 ? 200 : (int)text.size;
}

static status_t value_error(const struct reading *r, const char *what, struct error *error)
{
    return error_sql(error, "22007", 0, "invalid value \"%.*s\" for %s", shown_size(r->text),
                     (const char *)r->text.data, what);
}

static status_t range_error(const struct reading *r, struct error *error)
{
    return error_sql(error, "22008", 0, "date/time field value out of range: \"%.*s\"",
                     shown_size(r->whole), (const char *)r->whole.data);
}

/* At most `most` digits, with a sign where a year may have one. */
static status_t read_number(struct reading *r, size_t most, bool may_sign, int64_t *number,
                            size_t *digits, struct error *error)
{
    bool is_negative = may_sign && peek(r) == '-';
    size_t at = is_negative || (may_sign && peek(r) == '+') ? 1 : 0;
    size_t start = at;
    int64_t value = 0;
    for (; at < r->text.size && at - start < most && is_digit(r->text.data[at]); at++)
        value = value * 10 + (r->text.data[at] - '0');
    if (at == start) {
        status_t status = value_error(r, "a number", error);
        error_detail(error, "Value must be an integer.");
        return status;
    }
    drop(r, at);
    *number = is_negative ? -value : value;
    *digits = at - start;
    return OK;
}

/* ---- fields ---------------------------------------------------------------------------------- */

static status_t set(struct reading *r, enum pattern_key key, int64_t value, struct error *error)
{
    if (r->has[key] && r->field[key] != value) {
        status_t status =
            error_sql(error, "22007", 0, "conflicting values for one field of \"%.*s\"",
                      shown_size(r->whole), (const char *)r->whole.data);
        error_detail(error, "This value contradicts a previous setting for the same field type.");
        return status;
    }
    r->has[key] = true;
    r->field[key] = value;
    return OK;
}

/* A year of less than four digits is the one nearest to 2020 that ends with them. */
static int64_t near_2020(int64_t year, size_t digits)
{
    if (digits >= 4 || year < 0)
        return year;
    if (digits <= 2)
        return year + (year < 70 ? 2000 : 1900);
    return year + (year < 520 ? 2000 : 1000);
}

/* The first name the text begins with (of three letters, or all of it); drops it. 0 based, -1. */
static int take_name(struct reading *r, const char *(*name)(int32_t), int first, int count,
                     bool is_short)
{
    for (int i = first; i < first + count; i++) {
        size_t size = is_short ? 3 : strlen(name(i));
        if (r->text.size >= size && strncasecmp((const char *)r->text.data, name(i), size) == 0) {
            drop(r, size);
            return i;
        }
    }
    return -1;
}

/* The longest Roman numeral, since I begins II. */
static int take_roman(struct reading *r)
{
    int best = -1;
    size_t best_size = 0;
    for (int i = 1; i <= MONTHS_A_YEAR; i++) {
        size_t size = strlen(pattern__roman(i));
        if (size > best_size && r->text.size >= size &&
            strncasecmp((const char *)r->text.data, pattern__roman(i), size) == 0) {
            best = i;
            best_size = size;
        }
    }
    drop(r, best_size);
    return best;
}

/* AM, P.M., BC, A.D.: two letters, with or without points. */
static bool take_pair(struct reading *r, char first, char *which)
{
    bool dotted = r->text.size >= 4 && r->text.data[1] == '.' && r->text.data[3] == '.';
    size_t second = dotted ? 2 : 1;
    if (r->text.size <= second)
        return false;
    char a = (char)(r->text.data[0] | 0x20);
    char b = (char)(r->text.data[second] | 0x20);
    if (b != first)
        return false;
    *which = a;
    drop(r, dotted ? 4 : 2);
    return true;
}

static status_t read_name(struct reading *r, const struct pattern_item *item, struct error *error)
{
    int found;
    char which = '\0';
    switch (item->key) {
    case PATTERN_MONTH_NAME:
    case PATTERN_MONTH_SHORT:
        found = take_name(r, datetime__month_name, 1, 12, item->key == PATTERN_MONTH_SHORT);
        return found < 0 ? value_error(r, "a month's name", error)
                         : set(r, PATTERN_MONTH, found, error);
    case PATTERN_MONTH_ROMAN:
        found = take_roman(r);
        return found < 0 ? value_error(r, "a month in Roman numerals", error)
                         : set(r, PATTERN_MONTH, found, error);
    case PATTERN_DAY_NAME:
    case PATTERN_DAY_SHORT:
        found = take_name(r, datetime__weekday_name, 0, 7, item->key == PATTERN_DAY_SHORT);
        return found < 0 ? value_error(r, "a weekday's name", error) : OK;
    case PATTERN_MERIDIAN:
    case PATTERN_MERIDIAN_DOTTED:
        if (!take_pair(r, 'm', &which) || (which != 'a' && which != 'p'))
            return value_error(r, "AM or PM", error);
        r->is_pm = which == 'p';
        return set(r, PATTERN_MERIDIAN, r->is_pm, error);
    default:
        if (r->text.size >= 2 && (r->text.data[0] | 0x20) == 'b') {
            if (!take_pair(r, 'c', &which))
                return value_error(r, "BC or AD", error);
        } else if (!take_pair(r, 'd', &which) || which != 'a') {
            return value_error(r, "BC or AD", error);
        }
        r->is_bc = which == 'b';
        return OK;
    }
}

/* TZH, TZM, OF, TZ. */
static status_t read_zone(struct reading *r, const struct pattern_item *item, struct error *error)
{
    if (item->key == PATTERN_ZONE || item->key == PATTERN_OFFSET) {
        size_t size = 0;
        while (size < r->text.size && r->text.data[size] != ' ')
            size++;
        status_t status = zone_parse(slice_make(r->text.data, size), &r->zone_s, error);
        if (status)
            return status;
        drop(r, size);
        return set(r, PATTERN_OFFSET, r->zone_s, error);
    }
    int64_t number = 0;
    size_t digits = 0;
    if (item->key == PATTERN_ZONE_HOUR)
        r->zone_sign = peek(r) == '-' ? -1 : 1;
    status_t status = read_number(r, 2, item->key == PATTERN_ZONE_HOUR, &number, &digits, error);
    if (status)
        return status;
    return set(r, item->key, number < 0 ? -number : number, error);
}

static status_t read_fraction(struct reading *r, const struct pattern_item *item, size_t most,
                              struct error *error)
{
    int64_t number = 0;
    size_t digits = 0;
    status_t status = read_number(r, most < 6 ? most : 6, false, &number, &digits, error);
    if (status)
        return status;
    for (; digits < 6; digits++)
        number *= 10;
    MAYBE(item->digits == 6);
    r->fraction_us = number;
    /* Digits behind the sixth are cut off. */
    while (most >= DIGITS_MAX && is_digit(peek(r)))
        drop(r, 1);
    return OK;
}

static status_t read_field(struct reading *r, const struct pattern_item *item, bool number_follows,
                           struct error *error)
{
    skip_blanks(r);
    if (item->key >= PATTERN_ZONE)
        return read_zone(r, item, error);
    if (item->digits == 0)
        return read_name(r, item, error);
    size_t most = number_follows && !item->fill ? item->digits : DIGITS_MAX;
    if (item->key == PATTERN_FRACTION)
        return read_fraction(r, item, most, error);
    int64_t number = 0;
    size_t digits = 0;
    enum pattern_key key = item->key;
    bool is_year = key == PATTERN_YEAR || key == PATTERN_YEAR_COMMA || key == PATTERN_ISO_YEAR;
    status_t status = read_number(r, most, is_year, &number, &digits, error);
    if (status == OK && key == PATTERN_YEAR_COMMA && peek(r) == ',') {
        int64_t rest = 0;
        drop(r, 1);
        status = read_number(r, 3, false, &rest, &digits, error);
        number = status == OK && number < 1000000 ? number * 1000 + rest : number;
    }
    if (status)
        return status;
    if (is_year && item->digits < 4)
        number = near_2020(number, digits);
    if (key == PATTERN_YEAR_COMMA)
        key = PATTERN_YEAR;
    if (item->ordinal && r->text.size >= 2)
        drop(r, 2);
    return set(r, key, number, error);
}

static void read_literal(struct reading *r, const struct pattern_item *item)
{
    if (!item->quoted && is_separator(item->literal)) {
        /* A sign may belong to the year or the zone behind it: a separator takes it only where the
         * pattern has one, which is here. */
        while (r->text.size && is_separator(peek(r))) {
            bool is_sign = peek(r) == '-' || peek(r) == '+';
            drop(r, 1);
            if (is_sign || item->literal == ' ')
                break;
        }
        skip_blanks(r);
        return;
    }
    if (r->text.size)
        drop(r, 1);
}

static status_t read_all(struct reading *r, struct slice pattern, struct error *error)
{
    struct pattern_item item;
    bool in_quotes = false;
    while (pattern__next(&pattern, &in_quotes, &item)) {
        if (item.key == PATTERN_LITERAL) {
            read_literal(r, &item);
            continue;
        }
        struct slice rest = pattern;
        bool rest_quotes = in_quotes;
        struct pattern_item next;
        bool number_follows = pattern__next(&rest, &rest_quotes, &next) && next.digits > 0;
        status_t status = read_field(r, &item, number_follows, error);
        if (status)
            return status;
    }
    return OK;
}

/* ---- what they come to ----------------------------------------------------------------------- */

static int64_t field_or(const struct reading *r, enum pattern_key key, int64_t otherwise)
{
    return r->has[key] ? r->field[key] : otherwise;
}

static bool within(const struct reading *r, enum pattern_key key, int64_t low, int64_t high)
{
    return !r->has[key] || (r->field[key] >= low && r->field[key] <= high);
}

static bool time_us(const struct reading *r, int64_t *us)
{
    bool half_day = r->has[PATTERN_HOUR12];
    if (!within(r, PATTERN_HOUR12, 1, 12) || !within(r, PATTERN_HOUR24, 0, 23) ||
        !within(r, PATTERN_MINUTE, 0, 59) || !within(r, PATTERN_SECOND, 0, 59) ||
        !within(r, PATTERN_SECONDS_OF_DAY, 0, 86399))
        return false;
    int64_t hour = field_or(r, PATTERN_HOUR24, 0);
    if (half_day && r->has[PATTERN_MERIDIAN])
        hour = r->field[PATTERN_HOUR12] % 12 + (r->is_pm ? 12 : 0);
    else if (half_day)
        hour = r->field[PATTERN_HOUR12] % 12;
    *us = hour * HOUR_US + field_or(r, PATTERN_MINUTE, 0) * MINUTE_US +
          field_or(r, PATTERN_SECOND, 0) * SECOND_US + r->fraction_us;
    if (r->has[PATTERN_SECONDS_OF_DAY])
        *us = r->field[PATTERN_SECONDS_OF_DAY] * SECOND_US + r->fraction_us;
    return true;
}

static int64_t year_of(const struct reading *r)
{
    int64_t year = field_or(r, PATTERN_YEAR, 0);
    if (!r->has[PATTERN_YEAR] && r->has[PATTERN_CENTURY])
        year = (r->field[PATTERN_CENTURY] - 1) * 100 + 1;
    if (r->is_bc)
        return 1 - (year < 0 ? -year : year);
    return year < 0 ? year + 1 : year;
}

static bool date_days(const struct reading *r, int64_t *days)
{
    if (r->has[PATTERN_JULIAN]) {
        *days = r->field[PATTERN_JULIAN] - JULIAN_EPOCH;
        return true;
    }
    if (r->has[PATTERN_ISO_YEAR] || r->has[PATTERN_ISO_WEEK]) {
        int64_t year = field_or(r, PATTERN_ISO_YEAR, 0);
        int64_t week = field_or(r, PATTERN_ISO_WEEK, 1);
        int64_t day = field_or(r, PATTERN_ISO_DAY_OF_WEEK, 1);
        if (year < -4713 || year > 5874897 || week < 1 || week > 53 || day < 1 || day > 7)
            return false;
        int64_t yearday = field_or(r, PATTERN_ISO_DAY_OF_YEAR, (week - 1) * 7 + day);
        *days = datetime__iso_week_start(year, 1) + yearday - 1;
        return yearday >= 1 && yearday <= 371;
    }
    int64_t year = year_of(r);
    if (!r->has[PATTERN_MONTH] && (r->has[PATTERN_DAY_OF_YEAR] || r->has[PATTERN_WEEK])) {
        int64_t yearday = (field_or(r, PATTERN_WEEK, 1) - 1) * 7 + 1;
        yearday = field_or(r, PATTERN_DAY_OF_YEAR, yearday);
        if (yearday < 1 || yearday > 366 || !datetime__civil_exists(year, 1, 1))
            return false;
        struct civil_date first = {(int32_t)year, 1, 1};
        *days = date_from_civil(first) + yearday - 1;
        return *days <= DATE_MAX && date_to_civil(*days).year == year;
    }
    int64_t month = field_or(r, PATTERN_MONTH, 1);
    int64_t day = field_or(r, PATTERN_DAY, (field_or(r, PATTERN_WEEK_OF_MONTH, 1) - 1) * 7 + 1);
    if (!datetime__civil_exists(year, month, day))
        return false;
    *days = date_from_civil((struct civil_date){(int32_t)year, (int32_t)month, (int32_t)day});
    return true;
}

static bool zone_of(const struct reading *r, int32_t *zone_s, bool *zoned)
{
    *zoned = r->has[PATTERN_OFFSET] || r->has[PATTERN_ZONE_HOUR] || r->has[PATTERN_ZONE_MINUTE];
    *zone_s = r->zone_s;
    if (r->has[PATTERN_OFFSET])
        return true;
    if (!within(r, PATTERN_ZONE_HOUR, 0, 15) || !within(r, PATTERN_ZONE_MINUTE, 0, 59))
        return false;
    int64_t seconds =
        field_or(r, PATTERN_ZONE_HOUR, 0) * 3600 + field_or(r, PATTERN_ZONE_MINUTE, 0) * 60;
    *zone_s = (int32_t)(r->zone_sign < 0 ? -seconds : seconds);
    return true;
}

status_t timestamp_from_char(struct slice text, struct slice pattern, int64_t *us, bool *zoned,
                             struct error *error)
{
    struct reading r = {.text = text, .whole = text};
    ASSERT(us && zoned);
    status_t status = read_all(&r, pattern, error);
    if (status)
        return status;
    int64_t time;
    int64_t days;
    int32_t zone_s;
    if (!time_us(&r, &time) || !date_days(&r, &days) || !zone_of(&r, &zone_s, zoned))
        return range_error(&r, error);
    __int128 sum = (__int128)days * DAY_US + time - zone_s * SECOND_US;
    if (!datetime__timestamp_fits(sum))
        return datetime__timestamp_error(error);
    *us = (int64_t)sum;
    return OK;
}
