/* More text functions: parts, translations, quoting, format. What they share with those of
 * eval_text.c is how text is counted and kept. */
#include "sql/exec/exec_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static struct slice text_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_text(eval->arguments[argument], row);
}

static bool null_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_null(eval->arguments[argument], row);
}

static int64_t integer_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_integer(eval->arguments[argument], row);
}

/* A buffer's bytes become the result. 54000 when they are too many. */
static status_t give(struct eval *eval, uint32_t row, struct buffer *text, struct error *error)
{
    struct slice kept = {0};
    bool fits = text->size <= EXEC_TEXT_SIZE_MAX;
    if (fits)
        kept = arena_copy(eval->scratch, buffer_slice(text));
    buffer_free(text);
    if (!fits)
        return error_sql(error, "54000", eval->expr->position, "requested length too large");
    eval->out.as.texts[row] = kept;
    return OK;
}

static size_t char_size(struct slice text)
{
    size_t size = utf8_decode(text, NULL);
    return size > 0 ? size : 1;
}

static struct slice skip(struct slice text, size_t size)
{
    return slice_make(text.data + size, text.size - size);
}

/* ---- parts -------------------------------------------------------------------------------------
 */

/* Fields between separators, which do not overlap: the n-th, from the end when n is negative. */
static status_t split_part(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_at(eval, 0, row);
    struct slice separator = text_at(eval, 1, row);
    int64_t wanted = integer_at(eval, 2, row);
    if (wanted == 0)
        return error_sql(error, "22023", eval->expr->position, "field position must not be zero");
    int64_t fields = 1;
    const uint8_t *hit;
    struct slice rest = text;
    while (wanted < 0 && separator.size > 0 && rest.size > 0 &&
           (hit = memmem(rest.data, rest.size, separator.data, separator.size)) != NULL) {
        rest = skip(rest, (size_t)(hit - rest.data) + separator.size);
        fields++;
    }
    int64_t field = wanted > 0 ? wanted : wanted < -fields ? 0 : fields + wanted + 1;
    rest = text;
    for (int64_t i = 1; field > 0; i++) {
        hit = separator.size > 0 && rest.size > 0
                  ? memmem(rest.data, rest.size, separator.data, separator.size)
                  : NULL;
        size_t size = hit ? (size_t)(hit - rest.data) : rest.size;
        if (i == field) {
            eval->out.as.texts[row] = slice_make(rest.data, size);
            return OK;
        }
        if (!hit)
            break;
        rest = skip(rest, size + separator.size);
    }
    eval->out.as.texts[row] = (struct slice){0};
    return OK;
}

static status_t strpos(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice text = text_at(eval, 0, row);
    struct slice needle = text_at(eval, 1, row);
    const uint8_t *hit = text.data;
    if (needle.size > 0)
        hit = text.size ? memmem(text.data, text.size, needle.data, needle.size) : NULL;
    size_t before = hit ? utf8_length(slice_make(text.data, (size_t)(hit - text.data))) : 0;
    eval->out.as.integers[row] = hit || needle.size == 0 ? (int64_t)before + 1 : 0;
    return OK;
}

/* overlay(text, with, from [, for]): `for` characters, by default as many as `with` has, make
 * room. */
static status_t overlay(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_at(eval, 0, row);
    struct slice with = text_at(eval, 1, row);
    int64_t from = integer_at(eval, 2, row);
    int64_t count =
        eval->argument_count > 3 ? integer_at(eval, 3, row) : (int64_t)utf8_length(with);
    struct buffer out = {0};
    int64_t end;
    if (from < 1)
        return error_sql(error, "22011", eval->expr->position,
                         "negative substring length not allowed");
    if (__builtin_add_overflow(from, count, &end))
        end = INT64_MAX;
    struct slice rest = text;
    for (int64_t i = 1; i < from && rest.size > 0; i++)
        rest = skip(rest, char_size(rest));
    buffer_append_slice(&out, slice_make(text.data, text.size - rest.size));
    buffer_append_slice(&out, with);
    rest = text;
    for (int64_t i = 1; i < end && rest.size > 0; i++)
        rest = skip(rest, char_size(rest));
    buffer_append_slice(&out, rest);
    return give(eval, row, &out, error);
}

/* ---- characters --------------------------------------------------------------------------------
 */

/* The character of `to` at the place where `from` has this one; an empty slice drops it. False:
 * `from` has it not. */
static bool translated(struct slice from, struct slice to, struct slice character,
                       struct slice *out)
{
    while (from.size > 0) {
        size_t size = char_size(from);
        size_t to_size = to.size > 0 ? char_size(to) : 0;
        if (slice_equal(slice_make(from.data, size), character)) {
            *out = slice_make(to.data, to_size);
            return true;
        }
        from = skip(from, size);
        to = skip(to, to_size);
    }
    return false;
}

static status_t translate(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_at(eval, 0, row);
    struct buffer out = {0};
    struct pace pace = {.exec = eval->exec};
    status_t status = OK;
    while (text.size > 0 && status == OK) {
        struct slice character = slice_make(text.data, char_size(text));
        text = skip(text, character.size);
        translated(text_at(eval, 1, row), text_at(eval, 2, row), character, &character);
        buffer_append_slice(&out, character);
        status = exec__pace(&pace, 8 * text_at(eval, 1, row).size, error);
    }
    if (status != OK) {
        buffer_free(&out);
        return status;
    }
    return give(eval, row, &out, error);
}

/* The first letter of each word upper, the others lower; words are of letters and digits. */
static status_t initcap(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice text = text_at(eval, 0, row);
    struct buffer out = {0};
    struct pace pace = {.exec = eval->exec};
    bool inside = false;
    status_t status = OK;
    while (text.size > 0 && status == OK) {
        uint32_t c = 0;
        size_t size = char_size(text);
        uint8_t bytes[4];
        utf8_decode(text, &c);
        bool letter =
            c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        c = inside ? exec__char_lower(c) : exec__char_upper(c);
        buffer_append_slice(&out, slice_make(bytes, utf8_encode(c, bytes)));
        inside = letter;
        text = skip(text, size);
        status = exec__pace(&pace, 16, error);
    }
    if (status != OK) {
        buffer_free(&out);
        return status;
    }
    return give(eval, row, &out, error);
}

static status_t to_hex(struct eval *eval, uint32_t row, struct error *error)
{
    struct buffer out = {0};
    buffer_printf(&out, "%" PRIx64, (uint64_t)integer_at(eval, 0, row));
    return give(eval, row, &out, error);
}

/* ---- quoting -----------------------------------------------------------------------------------
 */

static void append_quoted(struct buffer *out, struct slice text, char quote)
{
    buffer_append_byte(out, (uint8_t)quote);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == (uint8_t)quote)
            buffer_append_byte(out, (uint8_t)quote);
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, (uint8_t)quote);
}

/* With a backslash inside it is written E'...', as PostgreSQL does. */
static void append_literal(struct buffer *out, struct slice text)
{
    struct buffer doubled = {0};
    if (text.size == 0 || !memchr(text.data, '\\', text.size)) {
        append_quoted(out, text, '\'');
        return;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\\')
            buffer_append_byte(&doubled, '\\');
        buffer_append_byte(&doubled, text.data[i]);
    }
    buffer_append_string(out, "E");
    append_quoted(out, buffer_slice(&doubled), '\'');
    buffer_free(&doubled);
}

/* Quotes where the bare word would not be read as this name. */
static void append_identifier(struct eval *eval, struct buffer *out, struct slice text)
{
    bool has_nul = text.size == 0;
    if (has_nul)
        buffer_append_string(out, "\"\"");
    else
        ast_print_name(arena_strndup(eval->scratch, (const char *)text.data, text.size), out);
}

static status_t quote(struct eval *eval, uint32_t row, struct error *error)
{
    struct buffer out = {0};
    if (null_at(eval, 0, row)) /* quote_nullable alone comes here with one */
        buffer_append_string(&out, "NULL");
    else if (eval->expr->call == CALL_QUOTE_IDENT)
        append_identifier(eval, &out, text_at(eval, 0, row));
    else
        append_literal(&out, text_at(eval, 0, row));
    return give(eval, row, &out, error);
}

/* ---- made of many ------------------------------------------------------------------------------
 */

/* concat_ws(separator, ...): what is not NULL, with the separator between. */
static status_t concat_ws(struct eval *eval, uint32_t row, struct error *error)
{
    struct buffer out = {0};
    bool first = true;
    if (null_at(eval, 0, row)) {
        vector_set_null(&eval->out, row);
        return OK;
    }
    for (uint32_t i = 1; i < eval->argument_count; i++) {
        if (null_at(eval, i, row))
            continue;
        if (!first)
            buffer_append_slice(&out, text_at(eval, 0, row));
        buffer_append_slice(&out, text_at(eval, i, row));
        first = false;
    }
    return give(eval, row, &out, error);
}

/* One specifier behind its %: [n$] [-] [width] type. */
struct specifier {
    uint32_t argument; /* 0: the next */
    bool left;
    uint32_t width;
    char type;
};

static uint32_t read_number(struct slice *format)
{
    uint32_t number = 0;
    while (format->size > 0 && format->data[0] >= '0' && format->data[0] <= '9') {
        number = number < 1000000 ? number * 10 + (format->data[0] - '0') : number;
        *format = skip(*format, 1);
    }
    return number;
}

static bool read_specifier(struct slice *format, struct specifier *out)
{
    *out = (struct specifier){0};
    struct slice before = *format;
    uint32_t number = read_number(format);
    if (number > 0 && format->size > 0 && format->data[0] == '$') {
        out->argument = number;
        *format = skip(*format, 1);
    } else {
        *format = before;
    }
    if (format->size > 0 && format->data[0] == '-') {
        out->left = true;
        *format = skip(*format, 1);
    }
    out->width = read_number(format);
    if (format->size == 0)
        return false;
    out->type = (char)format->data[0];
    *format = skip(*format, 1);
    return true;
}

static void append_spaces(struct buffer *out, size_t have, uint32_t width)
{
    for (; have < width; have++)
        buffer_append_byte(out, ' ');
}

static status_t append_specified(struct eval *eval, uint32_t row, const struct specifier *specifier,
                                 uint32_t argument, struct buffer *out, struct error *error)
{
    uint32_t position = eval->expr->position;
    if (argument >= eval->argument_count)
        return error_sql(error, "22023", position, "too few arguments for format()");
    bool null = null_at(eval, argument, row);
    struct slice text = null ? (struct slice){0} : text_at(eval, argument, row);
    struct buffer piece = {0};
    if (specifier->type == 's') {
        buffer_append_slice(&piece, text);
    } else if (specifier->type == 'L') {
        if (null)
            buffer_append_string(&piece, "NULL");
        else
            append_literal(&piece, text);
    } else if (specifier->type != 'I') {
        return error_sql(error, "22023", position, "unrecognized format() type specifier \"%c\"",
                         specifier->type);
    } else if (null) {
        return error_sql(error, "22004", position,
                         "null values cannot be formatted as an SQL identifier");
    } else {
        append_identifier(eval, &piece, text);
    }
    size_t length = utf8_length(buffer_slice(&piece));
    if (!specifier->left)
        append_spaces(out, length, specifier->width);
    buffer_append_slice(out, buffer_slice(&piece));
    if (specifier->left)
        append_spaces(out, length, specifier->width);
    buffer_free(&piece);
    return OK;
}

static status_t format_text(struct eval *eval, uint32_t row, struct error *error)
{
    struct buffer out = {0};
    uint32_t next = 1;
    status_t status = OK;
    if (null_at(eval, 0, row)) {
        vector_set_null(&eval->out, row);
        return OK;
    }
    struct slice format = text_at(eval, 0, row);
    while (format.size > 0 && status == OK) {
        uint8_t byte = format.data[0];
        struct specifier specifier;
        format = skip(format, 1);
        if (byte != '%') {
            buffer_append_byte(&out, byte);
        } else if (format.size > 0 && format.data[0] == '%') {
            buffer_append_byte(&out, '%');
            format = skip(format, 1);
        } else if (!read_specifier(&format, &specifier)) {
            status = error_sql(error, "22023", eval->expr->position,
                               "unterminated format() type specifier");
        } else {
            uint32_t argument = specifier.argument ? specifier.argument : next;
            next = argument + 1;
            status = append_specified(eval, row, &specifier, argument, &out, error);
        }
        if (status == OK && out.size > EXEC_TEXT_SIZE_MAX)
            break;
    }
    if (status == OK)
        return give(eval, row, &out, error);
    buffer_free(&out);
    return status;
}

/* ---- */

static eval_row_fn *row_function(enum expr_call call)
{
    switch (call) {
    case CALL_SPLIT_PART:
        return split_part;
    case CALL_STRPOS:
        return strpos;
    case CALL_OVERLAY:
        return overlay;
    case CALL_TRANSLATE:
        return translate;
    case CALL_INITCAP:
        return initcap;
    case CALL_TO_HEX:
        return to_hex;
    case CALL_QUOTE_IDENT:
    case CALL_QUOTE_LITERAL:
    case CALL_QUOTE_NULLABLE:
        return quote;
    case CALL_CONCAT_WS:
        return concat_ws;
    case CALL_FORMAT:
        return format_text;
    default:
        return NULL;
    }
}

static status_t string_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null = false;
    status_t status = OK;
    if (expr_is_strict(eval->expr)) {
        status = exec__eval_strict(eval, in, &all_null, error);
    } else {
        for (uint32_t i = 0; i < eval->argument_count && status == OK; i++)
            status = exec__eval_run(eval->arguments[i], in, error);
        if (status == OK)
            exec__eval_prepare(eval, in->row_count);
    }
    return status != OK || all_null
               ? status
               : exec__eval_rows(eval, in, row_function(eval->expr->call), error);
}

eval_fn *exec__string_kernel(const struct expr *expr)
{
    return row_function(expr->call) ? string_run : NULL;
}
