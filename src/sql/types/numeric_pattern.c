/* to_char and to_number of numbers: PostgreSQL's template patterns.
 *
 *     9   a digit, blank where the number has none     0   a digit, 0 where the number has none
 *     . D the point                                    , G between groups of digits
 *     S   sign, next to the number                     MI  minus or blank, where it stands
 *     SG  sign, where it stands                        PL  plus or blank
 *     PR  <12> for -12                                 TH  1st, 2nd
 *     RN  Roman                                        L   the currency's sign, which is a blank
 *     FM  before them: no blanks, no zeros at the end  "..." as it is
 *
 * Without any of the signs there is a column for a minus, which stands before the first digit. A
 * number that has more digits than the pattern is shown as #. */
#include "sql/types/types.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

enum element {
    ELEMENT_LITERAL,
    ELEMENT_NINE,
    ELEMENT_ZERO,
    ELEMENT_POINT,
    ELEMENT_GROUP,
    ELEMENT_SIGN,
    ELEMENT_MINUS,
    ELEMENT_PLUS,
    ELEMENT_SIGN_HERE,
    ELEMENT_ANGLES,
    ELEMENT_ORDINAL,
    ELEMENT_ROMAN,
    ELEMENT_CURRENCY,
    ELEMENT_FILL,
    ELEMENT_REFUSED,
};

struct reader {
    struct slice rest;
    bool quoted;
    uint8_t literal; /* of the element read last */
    bool lower;      /* so is its spelling */
};

static bool next_element(struct reader *reader, enum element *element)
{
    static const struct {
        const char *text;
        enum element element;
    } table[] = {
        {"9", ELEMENT_NINE},       {"0", ELEMENT_ZERO},       {".", ELEMENT_POINT},
        {"D", ELEMENT_POINT},      {",", ELEMENT_GROUP},      {"G", ELEMENT_GROUP},
        {"FM", ELEMENT_FILL},      {"SG", ELEMENT_SIGN_HERE}, {"S", ELEMENT_SIGN},
        {"MI", ELEMENT_MINUS},     {"PL", ELEMENT_PLUS},      {"PR", ELEMENT_ANGLES},
        {"TH", ELEMENT_ORDINAL},   {"RN", ELEMENT_ROMAN},     {"L", ELEMENT_CURRENCY},
        {"EEEE", ELEMENT_REFUSED}, {"V", ELEMENT_REFUSED},
    };
    struct slice *rest = &reader->rest;
    while (rest->size > 0 && rest->data[0] == '"') {
        reader->quoted = !reader->quoted;
        *rest = slice_make(rest->data + 1, rest->size - 1);
    }
    if (rest->size == 0)
        return false;
    *element = ELEMENT_LITERAL;
    reader->literal = rest->data[0];
    size_t size = 1;
    for (size_t i = 0; i < sizeof table / sizeof *table && !reader->quoted; i++) {
        size_t length = strlen(table[i].text);
        if (rest->size >= length &&
            strncasecmp((const char *)rest->data, table[i].text, length) == 0) {
            *element = table[i].element;
            reader->lower = islower(rest->data[0]) != 0;
            size = length;
            break;
        }
    }
    *rest = slice_make(rest->data + size, rest->size - size);
    return true;
}

/* What the whole pattern says. */
struct pattern {
    uint32_t before, behind; /* digits, about the point */
    uint32_t first_zero;     /* places before the point from which zeros are shown */
    uint32_t last_zero;      /* places behind it to which they are */
    bool fill;               /* FM */
    bool sign_told;          /* by S, MI, SG, PL or PR */
    bool sign_first;         /* an S before the digits */
    bool angles;
    bool roman;
};

static status_t pattern_read(struct slice text, struct pattern *out, struct error *error)
{
    struct reader reader = {.rest = text};
    enum element element;
    bool point = false;
    *out = (struct pattern){.first_zero = UINT32_MAX};
    while (next_element(&reader, &element)) {
        bool digit = element == ELEMENT_NINE || element == ELEMENT_ZERO;
        if (element == ELEMENT_REFUSED)
            return error_sql(error, "0A000", 0,
                             "\"V\" and \"EEEE\" in a pattern are not supported");
        if (element == ELEMENT_POINT && point)
            return error_sql(error, "42601", 0, "multiple decimal points");
        point |= element == ELEMENT_POINT;
        if (digit && !point) {
            if (element == ELEMENT_ZERO && out->first_zero == UINT32_MAX)
                out->first_zero = out->before;
            out->before++;
        } else if (digit) {
            out->behind++;
            if (element == ELEMENT_ZERO)
                out->last_zero = out->behind;
        }
        if (element == ELEMENT_SIGN && out->before + out->behind == 0)
            out->sign_first = true;
        out->fill |= element == ELEMENT_FILL;
        out->angles |= element == ELEMENT_ANGLES;
        out->roman |= element == ELEMENT_ROMAN;
        out->sign_told |= (element >= ELEMENT_SIGN && element <= ELEMENT_ANGLES);
    }
    return OK;
}

/* ---- to_char ----------------------------------------------------------------------------------
 */

struct writer {
    const struct pattern *pattern;
    struct buffer *out;
    const char *digits; /* of the number, before the point and behind it, without it */
    uint32_t missing;   /* places before the first digit */
    uint32_t shown_behind;
    uint32_t place; /* of the pattern's digits */
    bool negative;
    bool begun;    /* a digit or the sign before it has been put */
    bool too_long; /* for the pattern */
};

/* The sign that stands before the first digit, once. */
static void begin_number(struct writer *writer)
{
    const struct pattern *pattern = writer->pattern;
    if (writer->begun)
        return;
    writer->begun = true;
    if (pattern->angles)
        buffer_append_string(writer->out, writer->negative ? "<" : pattern->fill ? "" : " ");
    else if (pattern->sign_first)
        buffer_append_string(writer->out, writer->negative ? "-" : "+");
    else if (!pattern->sign_told)
        buffer_append_string(writer->out, writer->negative ? "-" : pattern->fill ? "" : " ");
}

static void write_digit(struct writer *writer)
{
    const struct pattern *pattern = writer->pattern;
    uint32_t place = writer->place++;
    if (place >= pattern->before) {
        uint32_t behind = place - pattern->before;
        begin_number(writer);
        if (writer->too_long)
            buffer_append_byte(writer->out, '#');
        else if (behind < writer->shown_behind)
            buffer_append_byte(writer->out, (uint8_t)writer->digits[place - writer->missing]);
        return;
    }
    bool zero = place >= pattern->first_zero;
    if (writer->too_long || zero || place >= writer->missing)
        begin_number(writer);
    if (writer->too_long)
        buffer_append_byte(writer->out, '#');
    else if (place >= writer->missing)
        buffer_append_byte(writer->out, (uint8_t)writer->digits[place - writer->missing]);
    else if (zero)
        buffer_append_byte(writer->out, '0');
    else if (!pattern->fill)
        buffer_append_byte(writer->out, ' ');
}

static const char *ordinal(const char *digits, uint32_t count, bool negative)
{
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    if (negative || count == 0)
        return "";
    char last = digits[count - 1];
    bool teen = count > 1 && digits[count - 2] == '1';
    return !teen && last >= '1' && last <= '3' ? endings[last - '0'] : endings[0];
}

/* All but digits. */
static void write_element(struct writer *writer, enum element element, const struct reader *reader)
{
    struct buffer *out = writer->out;
    bool fill = writer->pattern->fill;
    const char *blank = fill ? "" : " ";
    uint32_t whole = writer->pattern->before - writer->missing;
    switch (element) {
    case ELEMENT_POINT:
        begin_number(writer);
        buffer_append_byte(out, '.');
        break;
    case ELEMENT_GROUP:
        buffer_append_string(out, writer->begun ? "," : blank);
        break;
    case ELEMENT_SIGN:
        if (!writer->pattern->sign_first)
            buffer_append_byte(out, writer->negative ? '-' : '+');
        break;
    case ELEMENT_SIGN_HERE:
        buffer_append_byte(out, writer->negative ? '-' : '+');
        break;
    case ELEMENT_MINUS:
        buffer_append_string(out, writer->negative ? "-" : blank);
        break;
    case ELEMENT_PLUS:
        buffer_append_string(out, !writer->negative ? "+" : blank);
        break;
    case ELEMENT_ANGLES:
        buffer_append_string(out, writer->negative ? ">" : blank);
        break;
    case ELEMENT_CURRENCY:
        buffer_append_byte(out, ' ');
        break;
    case ELEMENT_ORDINAL:
        for (const char *c = ordinal(writer->digits, whole, writer->negative); *c; c++)
            buffer_append_byte(out, (uint8_t)(reader->lower ? *c : *c - 'a' + 'A'));
        break;
    case ELEMENT_LITERAL:
        buffer_append_byte(out, reader->literal);
        break;
    default:
        break;
    }
}

/* "CDLXXXV"; # for what the Romans had no letters for. */
static void write_roman(struct numeric number, bool fill, struct buffer *out)
{
    static const struct {
        int64_t value;
        const char *text;
    } table[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"},
                 {90, "XC"},  {50, "L"},   {40, "XL"}, {10, "X"},   {9, "IX"},
                 {5, "V"},    {4, "IV"},   {1, "I"}};
    enum { WIDTH = 15 };
    char text[WIDTH + 1] = "";
    size_t size = 0;
    int64_t value;
    bool fits = numeric_to_integer(number, &value) && value >= 1 && value <= 3999;
    for (size_t i = 0; fits && i < sizeof table / sizeof *table; i++) {
        for (; value >= table[i].value; value -= table[i].value) {
            size_t length = strlen(table[i].text);
            ASSERT(size + length <= WIDTH);
            memcpy(text + size, table[i].text, length);
            size += length;
        }
    }
    if (!fits) {
        memset(text, '#', WIDTH);
        size = WIDTH;
    }
    for (size_t i = size; i < WIDTH && !fill; i++)
        buffer_append_byte(out, ' ');
    buffer_append(out, text, size);
}

/* The digits shown behind the point: with FM no zeros at the end, but as far as a 0 stands. */
static uint32_t shown_behind(const struct pattern *pattern, const char *digits, uint32_t whole)
{
    uint32_t count = pattern->behind;
    while (pattern->fill && count > pattern->last_zero && digits[whole + count - 1] == '0')
        count--;
    return count;
}

status_t numeric_to_char(struct numeric number, struct slice text, struct buffer *out,
                         struct error *error)
{
    struct pattern pattern;
    char shown[NUMERIC_TEXT_MAX];
    char digits[NUMERIC_TEXT_MAX * 2] = "";
    status_t status = pattern_read(text, &pattern, error);
    if (status)
        return status;
    if (pattern.roman) {
        write_roman(number, pattern.fill, out);
        return OK;
    }
    struct numeric rounded;
    uint32_t behind = pattern.behind < NUMERIC_SCALE_MAX ? pattern.behind : NUMERIC_SCALE_MAX;
    struct writer writer = {.pattern = &pattern, .out = out, .digits = digits};
    writer.too_long = !numeric_round(number, behind, NUMERIC_HALF_AWAY, &rounded);
    if (writer.too_long)
        rounded = number;
    writer.negative = numeric_coefficient(rounded) < 0;
    numeric_format(writer.negative ? numeric_negate(rounded) : rounded, shown);
    uint32_t whole = (uint32_t)strcspn(shown, ".");
    size_t used = 0;
    /* 0 before the point is no digit where digits behind it are shown. */
    if (whole == 1 && shown[0] == '0' && (pattern.behind > 0 || pattern.before == 0))
        whole = 0;
    memcpy(digits, shown + (whole == 0), whole);
    used = whole;
    const char *fraction = strchr(shown, '.');
    for (const char *c = fraction ? fraction + 1 : ""; *c; c++)
        digits[used++] = *c;
    while (used < whole + pattern.behind && used < sizeof digits - 1)
        digits[used++] = '0';
    writer.too_long |= whole > pattern.before || whole + pattern.behind > used;
    writer.missing = writer.too_long ? 0 : pattern.before - whole;
    writer.shown_behind = writer.too_long ? 0 : shown_behind(&pattern, digits, whole);
    struct reader reader = {.rest = text};
    enum element element;
    while (next_element(&reader, &element)) {
        if (element == ELEMENT_NINE || element == ELEMENT_ZERO)
            write_digit(&writer);
        else
            write_element(&writer, element, &reader);
    }
    return OK;
}

/* ---- to_number --------------------------------------------------------------------------------
 */

struct number_text {
    struct slice rest;
    char digits[NUMERIC_TEXT_MAX];
    size_t size;
    bool negative;
    bool point;
};

static uint8_t peek(const struct number_text *text)
{
    return text->rest.size > 0 ? text->rest.data[0] : 0;
}

static void drop(struct number_text *text)
{
    text->rest = slice_make(text->rest.data + 1, text->rest.size - 1);
}

static void take_sign(struct number_text *text)
{
    while (peek(text) == ' ')
        drop(text);
    uint8_t c = peek(text);
    if (c == '-' || c == '+' || c == '<' || c == '>') {
        text->negative |= c == '-' || c == '<';
        drop(text);
    }
}

static bool take(struct number_text *text, enum element element, uint8_t literal)
{
    switch (element) {
    case ELEMENT_NINE:
    case ELEMENT_ZERO:
        if (text->size == 0)
            take_sign(text);
        if (isdigit(peek(text))) {
            if (text->size + 2 >= sizeof text->digits)
                return false;
            text->digits[text->size++] = (char)peek(text);
            drop(text);
        }
        return true;
    case ELEMENT_POINT:
        if (text->size == 0)
            take_sign(text);
        if (peek(text) == '.' && !text->point) {
            text->point = true;
            text->digits[text->size++] = '.';
            drop(text);
        }
        return true;
    case ELEMENT_SIGN:
    case ELEMENT_SIGN_HERE:
    case ELEMENT_MINUS:
    case ELEMENT_PLUS:
    case ELEMENT_ANGLES:
        take_sign(text);
        return true;
    case ELEMENT_GROUP:
        if (peek(text) == ',')
            drop(text);
        return true;
    default: /* one character for one, if it is no digit */
        if (text->rest.size > 0 && !isdigit(peek(text)) &&
            (element != ELEMENT_LITERAL || peek(text) == literal || peek(text) == ' '))
            drop(text);
        return true;
    }
}

status_t numeric_from_char(struct slice text, struct slice pattern, struct numeric *out,
                           struct error *error)
{
    struct pattern checked;
    struct number_text number = {.rest = text};
    struct reader reader = {.rest = pattern};
    enum element element;
    status_t status = pattern_read(pattern, &checked, error);
    if (status)
        return status;
    bool fits = true;
    while (fits && number.rest.size > 0 && next_element(&reader, &element))
        fits = element == ELEMENT_FILL || take(&number, element, reader.literal);
    if (fits && number.size > 0 &&
        numeric_parse(slice_make(number.digits, number.size), out) == OK) {
        if (number.negative)
            *out = numeric_negate(*out);
        return OK;
    }
    return error_sql(error, "22P02", 0, "invalid input syntax for type numeric: \"%.*s\"",
                     (int)(text.size < 40 ? text.size : 40), (const char *)text.data);
}
