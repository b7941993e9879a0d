/* COPY: rows read from lines, and lines made of rows.
 *
 * CSV is RFC 4180's: fields between delimiters, quoted where they hold one, a quote or a line
 * break; an unquoted field that is the text for NULL is NULL. In the other format a backslash
 * stands before what would mean something (PostgreSQL's manual, COPY, "Text Format"). A line of
 * "\." ends the data in both. */
#include <string.h>

#include "base/utf8.h"
#include "sql/exec/exec_int.h"

/* ---- reading ----------------------------------------------------------------------------------
 */

struct copy {
    struct operator op;
    const struct copy_format *format;
    struct slice left; /* of the data */
    uint32_t line;     /* of the record at hand, from 1 */
    uint32_t line_next;
    bool begun;
    bool ended;
    struct buffer field;  /* unescaped */
    struct arena scratch; /* texts of the batch */
    struct batch *batch;
};

/* Says where, behind whatever says what. */
static status_t fail(const struct copy *copy, uint32_t column, status_t status, struct error *error)
{
    const struct plan *plan = copy->op.plan;
    if (column < plan->column_count)
        error_detail(error, "COPY %s, line %u, column \"%s\".", plan->as.copy.table, copy->line,
                     plan->names[column]);
    else
        error_detail(error, "COPY %s, line %u.", plan->as.copy.table, copy->line);
    return status;
}

static status_t fail_data(const struct copy *copy, uint32_t column, struct error *error,
                          const char *message)
{
    return fail(copy, column, error_sql(error, "22P04", 0, "%s", message), error);
}

static status_t missing_data(const struct copy *copy, uint32_t column, struct error *error)
{
    ASSERT(column < copy->op.plan->column_count);
    error_sql(error, "22P04", 0, "missing data for column \"%s\"", copy->op.plan->names[column]);
    return fail(copy, column, ERR_SQL, error);
}

static void step(struct copy *copy, size_t size)
{
    ASSERT(size <= copy->left.size);
    copy->left = slice_make(copy->left.data + size, copy->left.size - size);
}

/* Takes a line break off the front; true also at the end of the data. */
static bool take_line_end(struct copy *copy)
{
    struct slice left = copy->left;
    if (left.size == 0)
        return true;
    size_t size = left.data[0] == '\n'                                            ? 1
                  : left.size > 1 && left.data[0] == '\r' && left.data[1] == '\n' ? 2
                                                                                  : 0;
    step(copy, size);
    copy->line_next += size > 0;
    return size > 0;
}

static bool field_ends(const struct copy *copy)
{
    struct slice left = copy->left;
    return left.size == 0 || left.data[0] == copy->format->delimiter || left.data[0] == '\n' ||
           (left.size > 1 && left.data[0] == '\r' && left.data[1] == '\n');
}

/* Within quotes, behind the first one, to behind the last one. */
static status_t take_quoted(struct copy *copy, uint32_t column, struct error *error)
{
    const struct copy_format *format = copy->format;
    while (copy->left.size > 0) {
        uint8_t byte = copy->left.data[0];
        uint8_t next = copy->left.size > 1 ? copy->left.data[1] : 0;
        bool escaped = byte == format->escape && copy->left.size > 1 &&
                       (next == format->quote || next == format->escape);
        step(copy, escaped ? 2 : 1);
        if (byte == format->quote && !escaped)
            return OK;
        copy->line_next += !escaped && byte == '\n';
        buffer_append_byte(&copy->field, escaped ? next : byte);
    }
    return fail_data(copy, column, error, "unterminated CSV quoted field");
}

static status_t take_csv(struct copy *copy, uint32_t column, bool *null, struct error *error)
{
    bool quoted = false;
    while (!field_ends(copy)) {
        uint8_t byte = copy->left.data[0];
        step(copy, 1);
        if (byte != copy->format->quote) {
            buffer_append_byte(&copy->field, byte);
            continue;
        }
        quoted = true;
        status_t status = take_quoted(copy, column, error);
        if (status != OK)
            return status;
    }
    *null = !quoted && slice_equal(buffer_slice(&copy->field), copy->format->null);
    return OK;
}

/* The number behind a backslash: \101 or \x41. */
static uint8_t take_number(struct copy *copy, bool hexadecimal)
{
    unsigned value = 0;
    for (int digits = 0; digits < (hexadecimal ? 2 : 3) && copy->left.size > 0; digits++) {
        uint8_t byte = copy->left.data[0];
        unsigned digit = byte >= '0' && byte <= '9'   ? (unsigned)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (unsigned)(byte - 'a') + 10
                         : byte >= 'A' && byte <= 'F' ? (unsigned)(byte - 'A') + 10
                                                      : 16;
        if (digit >= (hexadecimal ? 16U : 8U))
            break;
        value = value * (hexadecimal ? 16 : 8) + digit;
        step(copy, 1);
    }
    return (uint8_t)value;
}

static uint8_t take_escaped(struct copy *copy)
{
    static const char letters[] = "bfnrtv";
    static const char meanings[] = "\b\f\n\r\t\v";
    uint8_t byte = copy->left.data[0];
    if (byte >= '0' && byte <= '7')
        return take_number(copy, false);
    step(copy, 1);
    if (byte == 'x')
        return take_number(copy, true);
    const char *letter = byte ? strchr(letters, byte) : NULL;
    copy->line_next += byte == '\n';
    return letter ? (uint8_t)meanings[letter - letters] : byte;
}

static status_t take_text(struct copy *copy, bool *null)
{
    struct slice raw = copy->left;
    while (!field_ends(copy)) {
        uint8_t byte = copy->left.data[0];
        step(copy, 1);
        bool escapes = byte == '\\' && copy->left.size > 0;
        buffer_append_byte(&copy->field, escapes ? take_escaped(copy) : byte);
    }
    raw.size -= copy->left.size;
    *null = slice_equal(raw, copy->format->null);
    return OK;
}

static status_t put_field(struct copy *copy, uint32_t row, uint32_t column, bool null,
                          struct error *error)
{
    const struct plan *plan = copy->op.plan;
    struct slice text = buffer_slice(&copy->field);
    struct value value = value_null(plan->types[column]);
    if (copy->field.failed)
        return fail(copy, column, error_set(error, ERR_NOMEM, "a field is too long"), error);
    if (!null && (!utf8_valid(text) || memchr(text.data, 0, text.size)))
        return fail(copy, column,
                    error_sql(error, "22021", 0, "invalid byte sequence for encoding \"UTF8\""),
                    error);
    if (!null) {
        struct value given = value_text(arena_copy(&copy->scratch, text));
        status_t status = value_assign(&given, plan->as.copy.specs[column], plan->names[column],
                                       &copy->scratch, &value, error);
        if (status != OK)
            return fail(copy, column, status, error);
    }
    vector_set(&copy->batch->columns[column], row, &value);
    return OK;
}

/* One record into a row. With `skip` it is only read over. */
static status_t take_record(struct copy *copy, uint32_t row, bool skip, struct error *error)
{
    uint32_t columns = copy->op.plan->column_count;
    copy->line = copy->line_next;
    for (uint32_t column = 0;; column++) {
        bool null;
        buffer_reset(&copy->field);
        status_t status =
            copy->format->csv ? take_csv(copy, column, &null, error) : take_text(copy, &null);
        if (status == OK && !skip && column >= columns)
            return fail_data(copy, columns, error, "extra data after last expected column");
        if (status == OK && !skip)
            status = put_field(copy, row, column, null, error);
        if (status != OK)
            return status;
        bool delimited = copy->left.size > 0 && copy->left.data[0] == copy->format->delimiter;
        if (delimited) {
            step(copy, 1);
            continue;
        }
        if (!skip && column + 1 < columns)
            return missing_data(copy, column + 1, error);
        return OK;
    }
}

/* No further record? */
static bool at_end(struct copy *copy)
{
    static const char mark[] = "\\.";
    struct slice left = copy->left;
    if (!copy->ended && left.size >= 2 && memcmp(left.data, mark, 2) == 0 &&
        (left.size == 2 || left.data[2] == '\n' || left.data[2] == '\r'))
        copy->ended = true;
    copy->ended |= left.size == 0;
    return copy->ended;
}

static status_t next_record(struct copy *copy, uint32_t row, bool skip, struct error *error)
{
    status_t status = take_record(copy, row, skip, error);
    if (status == OK && !take_line_end(copy))
        return fail_data(copy, UINT32_MAX, error, "a line does not end where its last field does");
    return status;
}

static status_t begin(struct copy *copy, struct error *error)
{
    const struct value *data = &copy->op.exec->context.parameters[0];
    ASSERT(copy->op.exec->context.parameter_count == 1);
    copy->begun = true;
    copy->line_next = 1;
    if (!data->null)
        copy->left = data->as.text;
    if (!copy->format->header || at_end(copy))
        return OK;
    return next_record(copy, 0, true, error);
}

static status_t copy_next(struct operator* op, struct batch **out, struct error *error)
{
    struct copy *copy = (struct copy *)op;
    status_t status = copy->begun ? OK : begin(copy, error);
    uint32_t rows = 0;
    if (status != OK || at_end(copy))
        return status;
    exec__batch_prepare(op->exec, &copy->batch, op->plan->types, op->plan->column_count,
                        op->exec->batch_rows);
    arena_reset(&copy->scratch);
    while (rows < op->exec->batch_rows && !at_end(copy)) {
        status = next_record(copy, rows, false, error);
        if (status != OK)
            return status;
        rows++;
    }
    copy->batch->row_count = copy->batch->selected = rows;
    *out = copy->batch;
    return OK;
}

static void copy_close(struct operator* op)
{
    struct copy *copy = (struct copy *)op;
    buffer_free(&copy->field);
    arena_free(&copy->scratch);
}

static const struct operator_ops copy_ops = {copy_next, copy_close};

status_t exec__copy_open(struct exec *exec, const struct plan *plan, struct operator** out,
                         struct error *error)
{
    (void)error;
    struct copy *copy = exec__operator_create(exec, plan, &copy_ops, sizeof *copy);
    copy->format = plan->as.copy.format;
    buffer_init(&copy->field, EXEC_TEXT_SIZE_MAX);
    *out = &copy->op;
    return OK;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_csv(const struct copy_format *format, struct slice text, struct buffer *line)
{
    bool quoted = slice_equal(text, format->null) || slice_equal(text, slice_from_string("\\."));
    for (size_t i = 0; i < text.size && !quoted; i++)
        quoted = text.data[i] == format->delimiter || text.data[i] == format->quote ||
                 text.data[i] == '\n' || text.data[i] == '\r';
    if (!quoted) {
        buffer_append_slice(line, text);
        return;
    }
    buffer_append_byte(line, format->quote);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == format->quote || text.data[i] == format->escape)
            buffer_append_byte(line, format->escape);
        buffer_append_byte(line, text.data[i]);
    }
    buffer_append_byte(line, format->quote);
}

static void put_text(const struct copy_format *format, struct slice text, struct buffer *line)
{
    static const char bytes[] = "\b\f\n\r\t\v\\";
    static const char letters[] = "bfnrtv\\";
    for (size_t i = 0; i < text.size; i++) {
        const char *special = strchr(bytes, text.data[i]);
        if (special && *special)
            buffer_printf(line, "\\%c", letters[special - bytes]);
        else if (text.data[i] == format->delimiter)
            buffer_printf(line, "\\%c", format->delimiter);
        else
            buffer_append_byte(line, text.data[i]);
    }
}

static void line_of(struct eval *eval, uint32_t row, struct buffer *line, struct buffer *field)
{
    const struct copy_format *format = eval->expr->copy;
    buffer_reset(line);
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        const struct eval *argument = eval->arguments[i];
        struct value value = vector_get(argument->result, exec__eval_row(argument, row));
        if (i > 0)
            buffer_append_byte(line, format->delimiter);
        if (value.null) {
            buffer_append_slice(line, format->null);
            continue;
        }
        buffer_reset(field);
        value_format(&value, field);
        if (format->csv)
            put_csv(format, buffer_slice(field), line);
        else
            put_text(format, buffer_slice(field), line);
    }
}

static status_t line_run(struct eval *eval, const struct batch *in, struct error *error)
{
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        status_t status = exec__eval_run(eval->arguments[i], in, error);
        if (status != OK)
            return status;
    }
    exec__eval_prepare(eval, in->row_count);
    struct buffer line, field;
    buffer_init(&line, EXEC_TEXT_SIZE_MAX);
    buffer_init(&field, EXEC_TEXT_SIZE_MAX);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        line_of(eval, row, &line, &field);
        eval->out.as.texts[row] = arena_copy(eval->scratch, buffer_slice(&line));
        if (line.failed || field.failed)
            break;
    }
    bool failed = line.failed || field.failed;
    buffer_free(&line);
    buffer_free(&field);
    return failed ? error_set(error, ERR_NOMEM, "out of memory: a line is too long") : OK;
}

eval_fn *exec__copy_kernel(const struct expr *expr)
{
    return expr->call == CALL_COPY_LINE ? line_run : NULL;
}
