/* CAST and assignment.
 *
 * Reading text is as strict as PostgreSQL's input functions: blanks around the value are dropped,
 * anything else that does not belong is 22P02, and a well-formed number that does not fit 22003. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "sql/types/types_int.h"

enum { NUMBER_TEXT_SHORT = 128 };

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct slice trim(struct slice text)
{
    while (text.size && is_blank(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* For a %.*s: what goes into a message is cut there anyway. */
static int shown_size(struct slice text)
{
    return text.size > 1000 ? 1000 : (int)text.size;
}

static status_t syntax_error(struct slice text, enum sql_type type, uint32_t position,
                             struct error *error)
{
    return error_sql(error, "22P02", position, "invalid input syntax for type %s: \"%.*s\"",
                     type_name(type), shown_size(text), (const char *)text.data);
}

static status_t range_error(enum sql_type type, uint32_t position, struct error *error)
{
    return error_sql(error, "22003", position, "%s out of range", type_name(type));
}

static status_t text_to_integer(struct slice text, uint32_t position, struct value *out,
                                struct error *error)
{
    struct slice number = trim(text);
    bool negative = number.size && number.data[0] == '-';
    size_t i = negative || (number.size && number.data[0] == '+') ? 1 : 0;
    if (i == number.size)
        return syntax_error(text, SQL_INTEGER, position, error);
    /* Counted downwards, because the negative range is the longer one. */
    int64_t total = 0;
    bool overflow = false;
    for (; i < number.size; i++) {
        if (!is_digit(number.data[i]))
            return syntax_error(text, SQL_INTEGER, position, error);
        overflow |= __builtin_mul_overflow(total, (int64_t)10, &total);
        overflow |= __builtin_sub_overflow(total, (int64_t)(number.data[i] - '0'), &total);
    }
    if (!negative)
        overflow |= __builtin_sub_overflow((int64_t)0, total, &total);
    if (overflow)
        return error_sql(error, "22003", position, "value \"%.*s\" is out of range for type %s",
                         shown_size(text), (const char *)text.data, type_name(SQL_INTEGER));
    *out = value_integer(total);
    return OK;
}

static bool text_is(struct slice text, const char *word)
{
    return text.size == strlen(word) && strncasecmp((const char *)text.data, word, text.size) == 0;
}

static bool special_double(struct slice text, double *out)
{
    bool is_signed = text.size && (text.data[0] == '-' || text.data[0] == '+');
    struct slice word = is_signed ? slice_make(text.data + 1, text.size - 1) : text;
    if (text_is(word, "infinity") || text_is(word, "inf"))
        *out = is_signed && text.data[0] == '-' ? (double)-INFINITY : (double)INFINITY;
    else if (text_is(text, "nan"))
        *out = (double)NAN;
    else
        return false;
    return true;
}

static size_t digits_skip(struct slice text, size_t *at)
{
    size_t start = *at;
    while (*at < text.size && is_digit(text.data[*at]))
        (*at)++;
    return *at - start;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point. strtod alone
 * would take more than that (hexadecimal), and stop quietly where it ends. */
static bool is_decimal(struct slice text)
{
    size_t at = text.size && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    size_t digits = digits_skip(text, &at);
    if (at < text.size && text.data[at] == '.') {
        at++;
        digits += digits_skip(text, &at);
    }
    if (digits == 0)
        return false;
    if (at < text.size && (text.data[at] | 0x20) == 'e') {
        at++;
        if (at < text.size && (text.data[at] == '-' || text.data[at] == '+'))
            at++;
        if (digits_skip(text, &at) == 0)
            return false;
    }
    return at == text.size;
}

static status_t text_to_double(struct slice text, uint32_t position, struct value *out,
                               struct error *error)
{
    struct slice number = trim(text);
    double real;
    if (special_double(number, &real)) {
        *out = value_double(real);
        return OK;
    }
    if (!is_decimal(number))
        return syntax_error(text, SQL_DOUBLE, position, error);
    char small[NUMBER_TEXT_SHORT];
    char *copy = number.size < sizeof small ? small : mem_alloc(number.size + 1);
    memcpy(copy, number.data, number.size);
    copy[number.size] = '\0';
    errno = 0;
    real = strtod(copy, NULL);
    /* A subnormal also sets ERANGE, but it is a value. */
    bool out_of_range = errno == ERANGE && (real == 0 || isinf(real));
    if (copy != small)
        mem_free(copy);
    if (out_of_range)
        return error_sql(error, "22003", position, "\"%.*s\" is out of range for type %s",
                         shown_size(number), (const char *)number.data, type_name(SQL_DOUBLE));
    *out = value_double(real);
    return OK;
}

/* True when `text` is the beginning of `word`, at least `least` characters of it. */
static bool abbreviates(struct slice text, const char *word, size_t least)
{
    return text.size >= least && text.size <= strlen(word) &&
           strncasecmp((const char *)text.data, word, text.size) == 0;
}

static status_t text_to_boolean(struct slice text, uint32_t position, struct value *out,
                                struct error *error)
{
    struct slice word = trim(text);
    if (abbreviates(word, "true", 1) || abbreviates(word, "yes", 1) || text_is(word, "on") ||
        text_is(word, "1"))
        *out = value_boolean(true);
    else if (abbreviates(word, "false", 1) || abbreviates(word, "no", 1) ||
             abbreviates(word, "off", 2) || text_is(word, "0"))
        *out = value_boolean(false);
    else
        return syntax_error(text, SQL_BOOLEAN, position, error);
    return OK;
}

static status_t double_to_integer(double real, uint32_t position, struct value *out,
                                  struct error *error)
{
    double rounded = rint(real); /* to even: the default rounding mode is never changed */
    if (isnan(rounded) || rounded < -0x1p63 || rounded >= 0x1p63)
        return range_error(SQL_INTEGER, position, error);
    *out = value_integer((int64_t)rounded);
    return OK;
}

static struct value to_text(const struct value *value, struct arena *arena)
{
    ASSERT(arena && !value->null);
    char text[VALUE__DOUBLE_TEXT_MAX];
    if (value->type == SQL_BOOLEAN)
        return value_text(slice_from_string(value->as.boolean ? "true" : "false"));
    size_t size = value->type == SQL_INTEGER ? value__integer_text(value->as.integer, text)
                                             : value__double_text(value->as.real, text);
    return value_text(arena_copy(arena, slice_make(text, size)));
}

bool type_can_cast(enum sql_type from, enum sql_type to)
{
    ASSERT(from < SQL_TYPE_COUNT && to < SQL_TYPE_COUNT);
    if (to == SQL_UNKNOWN)
        return from == SQL_UNKNOWN;
    return !(from == SQL_BOOLEAN && to == SQL_DOUBLE) && !(from == SQL_DOUBLE && to == SQL_BOOLEAN);
}

status_t value_cast(const struct value *value, enum sql_type type, struct arena *arena,
                    uint32_t position, struct value *out, struct error *error)
{
    ASSERT(value && out);
    ASSERT(value->null || value->type != SQL_UNKNOWN);
    if (!type_can_cast(value->type, type))
        return error_sql(error, "42846", position, "cannot cast type %s to %s",
                         type_name(value->type), type_name(type));
    if (value->null) {
        *out = value_null(type);
        return OK;
    }
    if (value->type == type) {
        *out = *value;
        return OK;
    }
    switch (type) {
    case SQL_TEXT:
        *out = to_text(value, arena);
        return OK;
    case SQL_BOOLEAN:
        if (value->type == SQL_TEXT)
            return text_to_boolean(value->as.text, position, out, error);
        *out = value_boolean(value->as.integer != 0);
        return OK;
    case SQL_INTEGER:
        if (value->type == SQL_TEXT)
            return text_to_integer(value->as.text, position, out, error);
        if (value->type == SQL_DOUBLE)
            return double_to_integer(value->as.real, position, out, error);
        *out = value_integer(value->as.boolean);
        return OK;
    case SQL_DOUBLE:
        if (value->type == SQL_TEXT)
            return text_to_double(value->as.text, position, out, error);
        *out = value_double((double)value->as.integer);
        return OK;
    case SQL_UNKNOWN:
    case SQL_TYPE_COUNT:
        break;
    }
    UNREACHABLE();
}

/* As the standard has it: blanks over the limit are cut off quietly, anything else is an error. */
static status_t text_fit(struct value *value, struct type_spec spec, struct error *error)
{
    ASSERT(spec.length_max);
    struct slice text = value->as.text;
    if (text.size <= spec.length_max || utf8_length(text) <= spec.length_max)
        return OK;
    size_t keep = 0;
    for (uint32_t i = 0; i < spec.length_max; i++) {
        size_t size = utf8_decode(slice_make(text.data + keep, text.size - keep), NULL);
        ASSERT(size);
        keep += size;
    }
    for (size_t i = keep; i < text.size; i++) {
        if (text.data[i] == ' ')
            continue;
        char name[64];
        type_spec_name(spec, name, sizeof name);
        return error_sql(error, "22001", 0, "value too long for type %s", name);
    }
    value->as.text.size = keep;
    return OK;
}

static status_t integer_fit(const struct value *value, struct type_spec spec, struct error *error)
{
    ASSERT(spec.length_max == 16 || spec.length_max == 32);
    int64_t limit = (int64_t)1 << (spec.length_max - 1);
    if (value->as.integer >= -limit && value->as.integer < limit)
        return OK;
    char name[64];
    type_spec_name(spec, name, sizeof name);
    return error_sql(error, "22003", 0, "%s out of range", name);
}

status_t value_assign(const struct value *value, struct type_spec spec, const char *column,
                      struct arena *arena, struct value *out, struct error *error)
{
    ASSERT(column);
    ASSERT(spec.kind != SQL_UNKNOWN);
    status_t status = value_cast(value, spec.kind, arena, 0, out, error);
    if (status == OK && !out->null && spec.length_max && spec.kind == SQL_TEXT)
        status = text_fit(out, spec, error);
    if (status == OK && !out->null && spec.length_max && spec.kind == SQL_INTEGER)
        status = integer_fit(out, spec, error);
    if (status != OK)
        error_detail(error, "The value is for column \"%s\".", column);
    return status;
}
