/* Template patterns, and to_char.
 *
 * A pattern is read from left to right; at each place the longest name in the table counts, in any
 * case, and what is no name stands for itself, as does everything between double quotes. FM before
 * a name takes its padding away, TH behind a number adds st, nd, rd or th. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "sql/types/datetime_pattern_int.h"

struct pattern_name {
    const char *name;
    enum pattern_key key;
    uint8_t digits;
};

/* A name stands before those it begins with. */
static const struct pattern_name names[] = {
    {"A.M.", PATTERN_MERIDIAN_DOTTED, 0},
    {"A.D.", PATTERN_ERA_DOTTED, 0},
    {"AD", PATTERN_ERA, 0},
    {"AM", PATTERN_MERIDIAN, 0},
    {"B.C.", PATTERN_ERA_DOTTED, 0},
    {"BC", PATTERN_ERA, 0},
    {"CC", PATTERN_CENTURY, 2},
    {"DAY", PATTERN_DAY_NAME, 0},
    {"DDD", PATTERN_DAY_OF_YEAR, 3},
    {"DD", PATTERN_DAY, 2},
    {"DY", PATTERN_DAY_SHORT, 0},
    {"D", PATTERN_DAY_OF_WEEK, 1},
    {"FF1", PATTERN_FRACTION, 1},
    {"FF2", PATTERN_FRACTION, 2},
    {"FF3", PATTERN_FRACTION, 3},
    {"FF4", PATTERN_FRACTION, 4},
    {"FF5", PATTERN_FRACTION, 5},
    {"FF6", PATTERN_FRACTION, 6},
    {"HH24", PATTERN_HOUR24, 2},
    {"HH12", PATTERN_HOUR12, 2},
    {"HH", PATTERN_HOUR12, 2},
    {"IDDD", PATTERN_ISO_DAY_OF_YEAR, 3},
    {"ID", PATTERN_ISO_DAY_OF_WEEK, 1},
    {"IW", PATTERN_ISO_WEEK, 2},
    {"IYYY", PATTERN_ISO_YEAR, 4},
    {"IYY", PATTERN_ISO_YEAR, 3},
    {"IY", PATTERN_ISO_YEAR, 2},
    {"I", PATTERN_ISO_YEAR, 1},
    {"J", PATTERN_JULIAN, 7},
    {"MI", PATTERN_MINUTE, 2},
    {"MM", PATTERN_MONTH, 2},
    {"MONTH", PATTERN_MONTH_NAME, 0},
    {"MON", PATTERN_MONTH_SHORT, 0},
    {"MS", PATTERN_FRACTION, 3},
    {"OF", PATTERN_OFFSET, 0},
    {"P.M.", PATTERN_MERIDIAN_DOTTED, 0},
    {"PM", PATTERN_MERIDIAN, 0},
    {"Q", PATTERN_QUARTER, 1},
    {"RM", PATTERN_MONTH_ROMAN, 0},
    {"SSSSS", PATTERN_SECONDS_OF_DAY, 5},
    {"SSSS", PATTERN_SECONDS_OF_DAY, 5},
    {"SS", PATTERN_SECOND, 2},
    {"TZH", PATTERN_ZONE_HOUR, 0},
    {"TZM", PATTERN_ZONE_MINUTE, 0},
    {"TZ", PATTERN_ZONE, 0},
    {"US", PATTERN_FRACTION, 6},
    {"WW", PATTERN_WEEK, 2},
    {"W", PATTERN_WEEK_OF_MONTH, 1},
    {"Y,YYY", PATTERN_YEAR_COMMA, 4},
    {"YYYY", PATTERN_YEAR, 4},
    {"YYY", PATTERN_YEAR, 3},
    {"YY", PATTERN_YEAR, 2},
    {"Y", PATTERN_YEAR, 1},
};

static bool starts(struct slice text, const char *name)
{
    size_t size = strlen(name);
    return text.size >= size && strncasecmp((const char *)text.data, name, size) == 0;
}

static void drop(struct slice *text, size_t size)
{
    ASSERT(size <= text->size);
    text->data += size;
    text->size -= size;
}

static bool literal(struct slice *pattern, bool quoted, struct pattern_item *item)
{
    item->key = PATTERN_LITERAL;
    item->literal = pattern->data[0];
    item->quoted = quoted;
    drop(pattern, 1);
    return true;
}

static const struct pattern_name *name_at(struct slice pattern)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (starts(pattern, names[i].name))
            return &names[i];
    return NULL;
}

static enum pattern_style style_of(struct slice pattern)
{
    if (islower(pattern.data[0]))
        return STYLE_LOWER;
    return pattern.size > 1 && islower(pattern.data[1]) ? STYLE_CAPITAL : STYLE_UPPER;
}

bool pattern__next(struct slice *pattern, bool *in_quotes, struct pattern_item *item)
{
    bool translated = false; /* TM, which takes the blanks behind a name away, too */
    *item = (struct pattern_item){0};
    while (pattern->size && pattern->data[0] == '"') {
        *in_quotes = !*in_quotes;
        drop(pattern, 1);
    }
    if (pattern->size == 0)
        return false;
    if (pattern->data[0] == '\\' && pattern->size > 1) {
        drop(pattern, 1);
        return literal(pattern, true, item);
    }
    if (*in_quotes)
        return literal(pattern, true, item);
    while (starts(*pattern, "FM") || starts(*pattern, "FX") ||
           (starts(*pattern, "TM") && name_at(slice_make(pattern->data + 2, pattern->size - 2)))) {
        item->fill = item->fill || starts(*pattern, "FM");
        translated = translated || starts(*pattern, "TM");
        drop(pattern, 2);
        if (pattern->size == 0)
            return false;
    }
    const struct pattern_name *name = name_at(*pattern);
    if (!name)
        return literal(pattern, false, item);
    item->key = name->key;
    item->digits = name->digits;
    item->fill = item->fill || (translated && item->digits == 0);
    item->style = style_of(*pattern);
    drop(pattern, strlen(name->name));
    if (item->digits && starts(*pattern, "TH")) {
        item->ordinal = pattern->data[0];
        drop(pattern, 2);
    }
    return true;
}

const char *pattern__roman(int32_t month)
{
    static const char *const roman[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                        "VII", "VIII", "IX",  "X",  "XI", "XII"};
    ASSERT(month >= 1 && month <= 12);
    return roman[month - 1];
}

/* ---- to_char --------------------------------------------------------------------------------- */

/* What the fields are taken from. An interval has no date but its parts. */
struct source {
    struct civil_time time;
    int64_t days; /* of a timestamp */
    int64_t hours;
    const int32_t *zone_s; /* NULL: no zone */
    bool is_interval;
};

static void put_ordinal(struct buffer *out, int64_t number, uint8_t ordinal)
{
    if (!ordinal)
        return;
    int64_t last = number % 100;
    const char *upper = "TH";
    if (last < 11 || last > 13)
        upper = last % 10 == 1 ? "ST" : last % 10 == 2 ? "ND" : last % 10 == 3 ? "RD" : "TH";
    for (; *upper; upper++)
        buffer_append_byte(out, (uint8_t)(ordinal == 'T' ? *upper : tolower(*upper)));
}

static void put_number(struct buffer *out, const struct pattern_item *item, int64_t number)
{
    int64_t magnitude = number < 0 ? -number : number;
    if (number < 0)
        buffer_append_byte(out, '-');
    buffer_printf(out, "%0*" PRId64, item->fill ? 1 : item->digits, magnitude);
    put_ordinal(out, magnitude, item->ordinal);
}

/* A name, padded to the longest of its kind. */
static void put_name(struct buffer *out, const struct pattern_item *item, const char *name,
                     size_t size, size_t width)
{
    for (size_t i = 0; i < size; i++) {
        int c = name[i];
        if (item->style == STYLE_UPPER)
            c = toupper(c);
        else if (item->style == STYLE_LOWER)
            c = tolower(c);
        buffer_append_byte(out, (uint8_t)c);
    }
    for (size_t i = size; i < width && !item->fill; i++)
        buffer_append_byte(out, ' ');
}

static void put_word(struct buffer *out, const struct pattern_item *item, const char *word)
{
    struct pattern_item plain = *item;
    if (plain.style == STYLE_CAPITAL)
        plain.style = STYLE_UPPER;
    put_name(out, &plain, word, strlen(word), 0);
}

/* Years as people count them; the last digits of it. */
static void put_year(struct buffer *out, const struct pattern_item *item, int64_t year,
                     bool is_interval)
{
    static const int64_t powers[] = {1, 10, 100, 1000, INT64_MAX};
    int64_t shown = year > 0 || is_interval ? year : 1 - year;
    put_number(out, item, shown % powers[item->digits]);
}

static void put_fraction(struct buffer *out, const struct pattern_item *item, int64_t us)
{
    for (int i = item->digits; i < 6; i++)
        us /= 10;
    int64_t magnitude = us < 0 ? -us : us;
    buffer_printf(out, "%0*" PRId64, item->digits, magnitude);
    put_ordinal(out, magnitude, item->ordinal);
}

static void put_time(struct buffer *out, const struct pattern_item *item,
                     const struct source *source)
{
    const struct civil_time *time = &source->time;
    int64_t hour12 = source->hours % 12 == 0 ? 12 : source->hours % 12;
    bool is_pm = source->hours % 24 >= 12;
    switch (item->key) {
    case PATTERN_HOUR12:
        put_number(out, item, hour12);
        return;
    case PATTERN_HOUR24:
        put_number(out, item, source->hours);
        return;
    case PATTERN_MINUTE:
        put_number(out, item, time->minute);
        return;
    case PATTERN_SECOND:
        put_number(out, item, time->second);
        return;
    case PATTERN_FRACTION:
        put_fraction(out, item, time->us);
        return;
    case PATTERN_SECONDS_OF_DAY:
        /* Never padded. */
        buffer_printf(out, "%" PRId64, source->hours * 3600 + time->minute * 60 + time->second);
        return;
    case PATTERN_MERIDIAN:
        put_word(out, item, is_pm ? "PM" : "AM");
        return;
    default:
        put_word(out, item, is_pm ? "P.M." : "A.M.");
        return;
    }
}

static void put_zone(struct buffer *out, const struct pattern_item *item,
                     const struct source *source)
{
    if (!source->zone_s)
        return;
    int32_t zone_s = *source->zone_s;
    int32_t seconds = zone_s < 0 ? -zone_s : zone_s;
    char sign = zone_s < 0 ? '-' : '+';
    if (item->key == PATTERN_ZONE_MINUTE) {
        buffer_printf(out, "%02d", seconds / 60 % 60);
    } else if (item->key == PATTERN_ZONE_HOUR) {
        buffer_printf(out, "%c%02d", sign, seconds / 3600);
    } else if (item->key == PATTERN_ZONE && zone_s == 0) {
        put_word(out, item, "UTC");
    } else {
        buffer_printf(out, "%c%02d", sign, seconds / 3600);
        if (seconds % 3600)
            buffer_printf(out, ":%02d", seconds / 60 % 60);
    }
}

static int64_t century_of(int64_t year)
{
    return year > 0 ? (year + 99) / 100 : -((100 - year) / 100);
}

static void put_week(struct buffer *out, const struct pattern_item *item,
                     const struct source *source)
{
    int32_t year;
    int32_t week;
    datetime__iso_week(source->days, &year, &week);
    int32_t weekday = datetime__weekday(source->days);
    switch (item->key) {
    case PATTERN_ISO_YEAR:
        put_year(out, item, year, false);
        return;
    case PATTERN_ISO_WEEK:
        put_number(out, item, week);
        return;
    case PATTERN_ISO_DAY_OF_YEAR:
        put_number(out, item, source->days - datetime__iso_week_start(year, 1) + 1);
        return;
    case PATTERN_ISO_DAY_OF_WEEK:
        put_number(out, item, (weekday + 6) % 7 + 1);
        return;
    case PATTERN_DAY_OF_WEEK:
        put_number(out, item, weekday + 1);
        return;
    case PATTERN_WEEK_OF_MONTH:
        put_number(out, item, (source->time.date.day - 1) / 7 + 1);
        return;
    default:
        put_number(out, item, (datetime__yearday(source->time.date) - 1) / 7 + 1);
        return;
    }
}

static void put_date_name(struct buffer *out, const struct pattern_item *item,
                          const struct source *source)
{
    enum { NAME_WIDTH = 9, ROMAN_WIDTH = 4 };
    const struct civil_date *date = &source->time.date;
    const char *month = datetime__month_name(date->month);
    const char *weekday = datetime__weekday_name(datetime__weekday(source->days));
    const char *roman = pattern__roman(date->month);
    switch (item->key) {
    case PATTERN_MONTH_NAME:
        put_name(out, item, month, strlen(month), NAME_WIDTH);
        return;
    case PATTERN_MONTH_SHORT:
        put_name(out, item, month, 3, 0);
        return;
    case PATTERN_DAY_NAME:
        put_name(out, item, weekday, strlen(weekday), NAME_WIDTH);
        return;
    case PATTERN_DAY_SHORT:
        put_name(out, item, weekday, 3, 0);
        return;
    case PATTERN_MONTH_ROMAN: {
        struct pattern_item plain = *item;
        plain.style = item->style == STYLE_LOWER ? STYLE_LOWER : STYLE_UPPER;
        put_name(out, &plain, roman, strlen(roman), ROMAN_WIDTH);
        return;
    }
    case PATTERN_ERA:
        put_word(out, item, date->year > 0 ? "AD" : "BC");
        return;
    default:
        put_word(out, item, date->year > 0 ? "A.D." : "B.C.");
        return;
    }
}

static void put_date(struct buffer *out, const struct pattern_item *item,
                     const struct source *source)
{
    const struct civil_date *date = &source->time.date;
    switch (item->key) {
    case PATTERN_YEAR:
        put_year(out, item, date->year, source->is_interval);
        return;
    case PATTERN_YEAR_COMMA: {
        int64_t year = date->year > 0 || source->is_interval ? date->year : 1 - date->year;
        buffer_printf(out, "%" PRId64 ",%03" PRId64, year / 1000, year % 1000);
        return;
    }
    case PATTERN_MONTH:
        put_number(out, item, date->month);
        return;
    case PATTERN_DAY:
        put_number(out, item, date->day);
        return;
    case PATTERN_DAY_OF_YEAR:
        put_number(out, item, source->is_interval ? date->day : datetime__yearday(*date));
        return;
    case PATTERN_CENTURY:
        put_number(out, item, century_of(date->year));
        return;
    case PATTERN_JULIAN:
        buffer_printf(out, "%" PRId64, source->days + JULIAN_EPOCH);
        return;
    default:
        put_number(out, item, (date->month - 1) / 3 + 1);
        return;
    }
}

static bool is_time(enum pattern_key key)
{
    return key >= PATTERN_HOUR12 && key <= PATTERN_MERIDIAN_DOTTED;
}

static bool is_name(enum pattern_key key)
{
    return key == PATTERN_ERA || key == PATTERN_ERA_DOTTED || key == PATTERN_MONTH_NAME ||
           key == PATTERN_MONTH_SHORT || key == PATTERN_MONTH_ROMAN || key == PATTERN_DAY_NAME ||
           key == PATTERN_DAY_SHORT;
}

static bool is_week(enum pattern_key key)
{
    return key == PATTERN_ISO_YEAR || key == PATTERN_ISO_WEEK || key == PATTERN_ISO_DAY_OF_YEAR ||
           key == PATTERN_ISO_DAY_OF_WEEK || key == PATTERN_DAY_OF_WEEK ||
           key == PATTERN_WEEK_OF_MONTH || key == PATTERN_WEEK;
}

/* An interval is not a day: it has no name and no week. */
static bool has_no_place(const struct source *source, enum pattern_key key)
{
    return source->is_interval &&
           (is_name(key) || is_week(key) || key == PATTERN_JULIAN || key >= PATTERN_ZONE);
}

static status_t format(const struct source *source, struct slice pattern, struct buffer *out,
                       struct error *error)
{
    struct pattern_item item;
    bool in_quotes = false;
    while (pattern__next(&pattern, &in_quotes, &item)) {
        if (item.key == PATTERN_LITERAL) {
            buffer_append_byte(out, item.literal);
            continue;
        }
        if (has_no_place(source, item.key)) {
            status_t status =
                error_sql(error, "22007", 0, "invalid format specification for an interval value");
            error_hint(error, "Intervals are not tied to specific calendar dates.");
            return status;
        }
        if (is_time(item.key))
            put_time(out, &item, source);
        else if (item.key >= PATTERN_ZONE)
            put_zone(out, &item, source);
        else if (is_name(item.key))
            put_date_name(out, &item, source);
        else if (is_week(item.key))
            put_week(out, &item, source);
        else
            put_date(out, &item, source);
    }
    return out->failed ? error_set(error, ERR_TOO_LONG, "text is too long") : OK;
}

status_t timestamp_to_char(int64_t us, const int32_t *zone_s, struct slice pattern,
                           struct buffer *out, struct error *error)
{
    ASSERT(out);
    if (datetime__is_infinite(us)) {
        char text[DATETIME_TEXT_MAX];
        buffer_append(out, text, timestamp_format(us, text));
        return OK;
    }
    struct source source = {
        .time = datetime__broken_down(us),
        .days = datetime__floor_divide(us, DAY_US),
        .zone_s = zone_s,
    };
    source.hours = source.time.hour;
    return format(&source, pattern, out, error);
}

status_t interval_to_char(struct interval interval, struct slice pattern, struct buffer *out,
                          struct error *error)
{
    ASSERT(out);
    struct source source = {
        .time.date = {interval.months / MONTHS_A_YEAR, interval.months % MONTHS_A_YEAR,
                      interval.days},
        .hours = interval.us / HOUR_US,
        .time.minute = (int32_t)(interval.us / MINUTE_US % 60),
        .time.second = (int32_t)(interval.us / SECOND_US % 60),
        .time.us = (int32_t)(interval.us % SECOND_US),
        .is_interval = true,
    };
    return format(&source, pattern, out, error);
}
