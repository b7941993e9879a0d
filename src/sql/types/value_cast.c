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

int value__shown_size(struct slice text)
{
    enum { SHOWN_MAX = 1000 };
    return text.size > SHOWN_MAX ? SHOWN_MAX : (int)text.size;
}

status_t value__syntax_error(struct slice text, enum sql_type type, uint32_t position,
                             struct error *error)
{
    return error_sql(error, "22P02", position, "invalid input syntax for type %s: \"%.*s\"",
                     type_name(type), value__shown_size(text), (const char *)text.data);
}

status_t value__range_error(enum sql_type type, uint32_t position, struct error *error)
{
    return error_sql(error, "22003", position, "%s out of range", type_name(type));
}

static status_t text_range_error(struct slice text, enum sql_type type, uint32_t position,
                                 struct error *error)
{
    return error_sql(error, "22003", position, "value \"%.*s\" is out of range for type %s",
                     value__shown_size(text), (const char *)text.data, type_name(type));
}

static status_t text_to_integer(struct slice text, uint32_t position, struct value *out,
                                struct error *error)
{
    struct slice number = trim(text);
    bool negative = number.size && number.data[0] == '-';
    size_t i = negative || (number.size && number.data[0] == '+') ? 1 : 0;
    if (i == number.size)
        return value__syntax_error(text, SQL_INTEGER, position, error);
    /* Counted downwards, because the negative range is the longer one. */
    int64_t total = 0;
    bool overflow = false;
    for (; i < number.size; i++) {
        if (!is_digit(number.data[i]))
            return value__syntax_error(text, SQL_INTEGER, position, error);
        overflow |= __builtin_mul_overflow(total, (int64_t)10, &total);
        overflow |= __builtin_sub_overflow(total, (int64_t)(number.data[i] - '0'), &total);
    }
    if (!negative)
        overflow |= __builtin_sub_overflow((int64_t)0, total, &total);
    if (overflow)
        return text_range_error(text, SQL_INTEGER, position, error);
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

/* SQL_DOUBLE or SQL_REAL. */
static status_t text_to_double(struct slice text, enum sql_type type, uint32_t position,
                               struct value *out, struct error *error)
{
    struct slice number = trim(text);
    double real;
    if (special_double(number, &real)) {
        *out = type == SQL_REAL ? value_real(real) : value_double(real);
        return OK;
    }
    if (!is_decimal(number))
        return value__syntax_error(text, type, position, error);
    char small[NUMBER_TEXT_SHORT];
    char *copy = number.size < sizeof small ? small : mem_alloc(number.size + 1);
    memcpy(copy, number.data, number.size);
    copy[number.size] = '\0';
    errno = 0;
    real = type == SQL_REAL ? (double)strtof(copy, NULL) : strtod(copy, NULL);
    /* A subnormal also sets ERANGE, but it is a value. */
    bool out_of_range = errno == ERANGE && (real == 0 || isinf(real));
    if (copy != small)
        mem_free(copy);
    if (out_of_range)
        return error_sql(error, "22003", position, "\"%.*s\" is out of range for type %s",
                         value__shown_size(number), (const char *)number.data, type_name(type));
    *out = type == SQL_REAL ? value_real(real) : value_double(real);
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
        return value__syntax_error(text, SQL_BOOLEAN, position, error);
    return OK;
}

static status_t text_to_numeric(struct slice text, uint32_t position, struct value *out,
                                struct error *error)
{
    struct numeric numeric;
    status_t status = numeric_parse(trim(text), &numeric);
    if (status == ERR_TOO_LONG)
        return text_range_error(text, SQL_NUMERIC, position, error);
    if (status != OK)
        return value__syntax_error(text, SQL_NUMERIC, position, error);
    *out = value_numeric(numeric);
    return OK;
}

static status_t text_to_uuid(struct slice text, uint32_t position, struct value *out,
                             struct error *error)
{
    struct uuid uuid;
    if (!uuid_parse(text, &uuid))
        return value__syntax_error(text, SQL_UUID, position, error);
    *out = value_uuid(uuid);
    return OK;
}

static struct value to_text(const struct value *value, const struct clock *clock,
                            struct arena *arena)
{
    ASSERT(arena && !value->null);
    if (value->type == SQL_TIMESTAMPTZ && clock->was_asked)
        *clock->was_asked = true;
    if (value->type == SQL_BOOLEAN)
        return value_text(slice_from_string(value->as.boolean ? "true" : "false"));
    struct buffer text = {0};
    value_format_at(value, clock->zone_s, &text);
    struct slice copy = arena_copy(arena, buffer_slice(&text));
    buffer_free(&text);
    return value_text(copy);
}

static status_t from_text(struct slice text, enum sql_type type, struct arena *arena,
                          uint32_t position, struct value *out, struct error *error)
{
    switch (type) {
    case SQL_BOOLEAN:
        return text_to_boolean(text, position, out, error);
    case SQL_INTEGER:
        return text_to_integer(text, position, out, error);
    case SQL_DOUBLE:
    case SQL_REAL:
        return text_to_double(text, type, position, out, error);
    case SQL_NUMERIC:
        return text_to_numeric(text, position, out, error);
    case SQL_BYTEA:
        return value__text_to_bytea(text, arena, position, out, error);
    case SQL_UUID:
        return text_to_uuid(text, position, out, error);
    default:
        UNREACHABLE();
    }
}

bool type_can_cast(enum sql_type from, enum sql_type to)
{
    ASSERT(from < SQL_TYPE_COUNT && to < SQL_TYPE_COUNT);
    if (from == to || from == SQL_UNKNOWN)
        return true;
    if (to == SQL_UNKNOWN)
        return false;
    if (from == SQL_TEXT || to == SQL_TEXT)
        return true;
    if (from == SQL_BOOLEAN || to == SQL_BOOLEAN)
        return from == SQL_INTEGER || to == SQL_INTEGER;
    return (type_is_number(from) && type_is_number(to)) || value__datetime_can_cast(from, to);
}

status_t value_cast(const struct value *value, enum sql_type type, struct arena *arena,
                    uint32_t position, struct value *out, struct error *error)
{
    static const struct clock nowhere = {.is_known = false};
    return value_cast_at(value, type, &nowhere, arena, position, out, error);
}

status_t value_cast_at(const struct value *value, enum sql_type type, const struct clock *clock,
                       struct arena *arena, uint32_t position, struct value *out,
                       struct error *error)
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
    if (type == SQL_TEXT) {
        *out = to_text(value, clock, arena);
        return OK;
    }
    if (type >= SQL_DATE && type <= SQL_INTERVAL)
        return value__datetime_cast(value, type, clock, position, out, error);
    if (value->type == SQL_TEXT)
        return from_text(value->as.text, type, arena, position, out, error);
    if (type == SQL_BOOLEAN) {
        *out = value_boolean(value->as.integer != 0);
        return OK;
    }
    if (value->type == SQL_BOOLEAN) {
        *out = value_integer(value->as.boolean);
        return OK;
    }
    return value__number_cast(value, type, position, out, error);
}

/* As the standard has it: blanks over the limit are cut off quietly, anything else is an error. Of
 * a CHAR(n) all blanks at the end are cut off. */
static status_t text_fit(struct value *value, struct type_spec spec, uint32_t position,
                         struct error *error)
{
    uint32_t length_max = spec.length_max & ~TYPE_LENGTH_CHAR;
    ASSERT(length_max);
    struct slice text = value->as.text;
    while (spec.length_max & TYPE_LENGTH_CHAR && text.size && text.data[text.size - 1] == ' ')
        text.size--;
    value->as.text = text;
    if (text.size <= length_max || utf8_length(text) <= length_max)
        return OK;
    size_t keep = 0;
    for (uint32_t i = 0; i < length_max; i++) {
        size_t size = utf8_decode(slice_make(text.data + keep, text.size - keep), NULL);
        ASSERT(size);
        keep += size;
    }
    for (size_t i = keep; i < text.size; i++) {
        if (text.data[i] == ' ')
            continue;
        char name[64];
        type_spec_name(spec, name, sizeof name);
        return error_sql(error, "22001", position, "value too long for type %s", name);
    }
    value->as.text.size = keep;
    return OK;
}

static status_t integer_fit(const struct value *value, struct type_spec spec, uint32_t position,
                            struct error *error)
{
    ASSERT(spec.length_max == 16 || spec.length_max == 32);
    int64_t limit = (int64_t)1 << (spec.length_max - 1);
    if (value->as.integer >= -limit && value->as.integer < limit)
        return OK;
    char name[64];
    type_spec_name(spec, name, sizeof name);
    return error_sql(error, "22003", position, "%s out of range", name);
}

static status_t numeric_fit_digits(struct value *value, struct type_spec spec, uint32_t position,
                                   struct error *error)
{
    uint32_t precision = spec.length_max >> 8;
    uint32_t scale = spec.length_max & 0xff;
    ASSERT(precision >= 1 && precision <= NUMERIC_DIGITS_MAX && scale <= precision);
    struct numeric rounded;
    bool fits = numeric_round(value->as.numeric, scale, NUMERIC_HALF_AWAY, &rounded) &&
                numeric_scale(rounded) == scale;
    __int128 limit = (__int128)numeric_power_of_ten(precision);
    fits = fits && numeric_coefficient(rounded) < limit && numeric_coefficient(rounded) > -limit;
    if (fits) {
        value->as.numeric = rounded;
        return OK;
    }
    error_sql(error, "22003", position, "numeric field overflow");
    error_detail(error,
                 "A field with precision %u, scale %u must round to an absolute value less than "
                 "10^%u.",
                 precision, scale, precision - scale);
    return ERR_SQL;
}

status_t value_fit(struct value *value, struct type_spec spec, uint32_t position,
                   struct error *error)
{
    status_t status;
    ASSERT(value->null || value->type == spec.kind);
    if (value->null || !type_spec_limits(spec))
        return OK;
    switch (spec.kind) {
    case SQL_TEXT:
        return text_fit(value, spec, position, error);
    case SQL_INTEGER:
        return integer_fit(value, spec, position, error);
    case SQL_NUMERIC:
        return numeric_fit_digits(value, spec, position, error);
    default:
        ASSERT(spec.kind >= SQL_TIME && spec.kind <= SQL_INTERVAL);
        status = value__datetime_round(value, spec.length_max - 1, error);
        if (status != OK && error)
            error->position = position;
        return status;
    }
}

status_t value_assign(const struct value *value, struct type_spec spec, const char *column,
                      struct arena *arena, struct value *out, struct error *error)
{
    ASSERT(column);
    ASSERT(spec.kind != SQL_UNKNOWN);
    status_t status = value_cast(value, spec.kind, arena, 0, out, error);
    if (status == OK)
        status = value_fit(out, spec, 0, error);
    if (status != OK && error && error->detail[0]) {
        char limits[sizeof error->detail];
        memcpy(limits, error->detail, sizeof limits);
        error_detail(error, "%s The value is for column \"%s\".", limits, column);
    } else if (status != OK) {
        error_detail(error, "The value is for column \"%s\".", column);
    }
    return status;
}
