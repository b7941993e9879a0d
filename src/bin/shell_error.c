/* How errors look:
 *
 *     ERROR:  column "nme" does not exist (SQLSTATE 42703)
 *     LINE 1: SELECT nme FROM t
 *                    ^
 *     HINT:  Did you mean "name"?
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "bin/shell_int.h"
#include "bin/text_int.h"

/* Of a longer line, what is around the caret. */
enum { LINE_WIDTH_MAX = 100, LEFT_WIDTH_MAX = 70 };

/* Byte offset of a 1-based character; the end when there are fewer. */
static size_t character_offset(struct slice text, uint32_t position)
{
    size_t at = 0;
    for (uint32_t i = 1; i < position && at < text.size; i++) {
        size_t size = utf8_decode(slice_make(text.data + at, text.size - at), NULL);
        at += size ? size : 1;
    }
    return at;
}

static struct slice line_around(struct slice text, size_t offset, uint32_t *number)
{
    size_t start = 0;
    *number = 0;
    for (size_t i = 0; i < offset; i++)
        if (text.data[i] == '\n') {
            start = i + 1;
            ++*number;
        }
    size_t end = start;
    while (end < text.size && text.data[end] != '\n' && text.data[end] != '\r')
        end++;
    return slice_make(text.data + start, end - start);
}

/* The last `width` columns of shown text. */
static struct slice text_tail(struct slice text, size_t width)
{
    size_t total = bin__text_width(text);
    if (total <= width)
        return text;
    struct slice cut = bin__text_fit(text, total - width);
    return slice_make(text.data + cut.size, text.size - cut.size);
}

static void append_line(struct buffer *out, struct slice line, size_t caret, uint32_t number,
                        const char *bold, const char *plain, bool with_caret)
{
    ASSERT(caret <= line.size);
    struct buffer left = {0}, right = {0};
    bin__text_show(&left, slice_make(line.data, caret), true);
    bin__text_show(&right, slice_make(line.data + caret, line.size - caret), true);
    struct slice before = text_tail(buffer_slice(&left), LEFT_WIDTH_MAX);
    const char *before_cut = before.size < left.size ? "..." : "";
    size_t used = bin__text_width(before);
    struct slice after = bin__text_fit(buffer_slice(&right), LINE_WIDTH_MAX - used);
    const char *after_cut = after.size < right.size ? "..." : "";
    char label[32];
    int indent = snprintf(label, sizeof label, "LINE %u: ", number);
    buffer_printf(out, "%s%s", label, before_cut);
    buffer_append_slice(out, before);
    buffer_append_slice(out, after);
    buffer_printf(out, "%s\n", after_cut);
    if (with_caret)
        buffer_printf(out, "%*s%s^%s\n", indent + (int)strlen(before_cut) + (int)used, "", bold,
                      plain);
    buffer_free(&left);
    buffer_free(&right);
}

static void append_part(struct buffer *out, const char *label, const char *text)
{
    if (!*text)
        return;
    buffer_printf(out, "%s:  ", label);
    bin__text_show(out, slice_from_string(text), true);
    buffer_append_byte(out, '\n');
}

void bin__error_format(struct buffer *out, const struct toydb_error *error, struct slice sql,
                       const char *source, uint32_t line, bool colour)
{
    const char *bold = colour ? "\033[1;31m" : "";
    const char *dim = colour ? "\033[2m" : "";
    const char *plain = colour ? "\033[0m" : "";
    size_t offset = character_offset(sql, error->position);
    uint32_t below;
    struct slice text = line_around(sql, offset, &below);
    uint32_t number = (line ? line : 1) + below;
    if (source)
        buffer_printf(out, "%s:%u: ", source, number);
    buffer_printf(out, "%sERROR:%s  ", bold, plain);
    bin__text_show(out, slice_from_string(error->message), true);
    buffer_printf(out, " %s(SQLSTATE %s)%s\n", dim, error->sqlstate, plain);
    if (error->position || line)
        append_line(out, text, (size_t)(sql.data + offset - text.data), number, bold, plain,
                    error->position != 0);
    append_part(out, "DETAIL", error->detail);
    append_part(out, "HINT", error->hint);
}

int bin__shell_complain(struct bin__shell *shell, const char *format, ...)
{
    const char *bold = shell->colour_errors ? "\033[1;31m" : "";
    const char *plain = shell->colour_errors ? "\033[0m" : "";
    bin__output_flush(&shell->output);
    bin__pager_end(&shell->pager);
    if (shell->source)
        fprintf(stderr, "%s: ", shell->source);
    fprintf(stderr, "%sERROR:%s  ", bold, plain);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return BIN__EXIT_FAILED;
}
