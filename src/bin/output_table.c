/* Aligned tables:
 *
 *      id | name  | balance            -[ RECORD 1 ]-----
 *     ----+-------+---------           id      | 1
 *       1 | Alice |   12.50            name    | Alice
 *       2 | Bob   |    NULL            balance | 12.50
 *     (2 rows)                         (1 row)
 *
 * For a person the lines are drawn in Unicode. A value of several lines takes several, each but
 * the last marked with a + behind it, as psql does. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/output_int.h"
#include "bin/text_int.h"

enum { CHUNK_ROWS = 1000, CHUNK_BYTES = 4 << 20 };

struct style {
    const char *bar, *dash, *cross;
    const char *bold, *dim, *plain;
};

static const struct style *style_of(const struct bin__output *output)
{
    static const struct style ascii = {"|", "-", "+", "", "", ""};
    static const struct style lines = {"│", "─", "┼", "", "", ""};
    static const struct style colours = {"│", "─", "┼", "\033[1m", "\033[2m", "\033[0m"};
    return !output->pretty ? &ascii : output->colour ? &colours : &lines;
}

static void repeat(struct buffer *out, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_string(out, text);
}

static void pad(struct buffer *out, size_t count)
{
    if (buffer_reserve(out, count) != OK)
        return; /* it sticks, and is seen when the buffer is flushed */
    memset(out->data + out->size, ' ', count);
    out->size += count;
}

static struct slice line_of(struct slice text, uint32_t number, bool *more)
{
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.size;
    for (;; number--) {
        const uint8_t *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        *more = stop != NULL;
        if (number == 0 || !stop)
            return number ? slice_make(end, 0) : slice_make(at, (size_t)((stop ? stop : end) - at));
        at = stop + 1;
    }
}

/* ---- holding rows back ---------------------------------------------------------------------- */

static void cell_measure(struct bin__cell *cell)
{
    bool more = true;
    cell->lines = cell->text.size && memchr(cell->text.data, '\n', cell->text.size);
    for (uint32_t i = 0; more; i++) {
        size_t width = bin__text_width(line_of(cell->text, i, &more));
        cell->width = width > cell->width ? width : cell->width;
    }
}

static void cell_fill(struct bin__output *output, const struct toydb_value *value,
                      struct buffer *scratch, struct bin__cell *cell)
{
    *cell = (struct bin__cell){.null = value->type == TOYDB_NULL};
    if (cell->null) {
        cell->text = slice_from_string("NULL");
        cell->width = 4;
        return;
    }
    buffer_reset(scratch);
    if (value->type == TOYDB_TEXT)
        bin__text_show(scratch, slice_make(value->text.data, value->text.size), true);
    else
        bin__value_text(scratch, value);
    cell->text = arena_copy(&output->rows_arena, buffer_slice(scratch));
    cell_measure(cell);
}

void bin__table_row(struct bin__output *output, const struct toydb_value *values)
{
    uint32_t count = output->column_count;
    output->cells = vec_grow(output->cells, &output->cell_capacity, output->cell_count + count,
                             sizeof *output->cells);
    struct buffer scratch = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct bin__cell *cell = &output->cells[output->cell_count++];
        cell_fill(output, &values[i], &scratch, cell);
        output->cell_bytes += cell->text.size;
        if (cell->width > output->widths[i])
            output->widths[i] = cell->width;
    }
    buffer_free(&scratch);
    if (output->row_count - output->rows_printed + 1 >= CHUNK_ROWS ||
        output->cell_bytes >= CHUNK_BYTES) {
        output->row_count++;
        bin__table_chunk(output);
        output->row_count--;
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

static void print_cell(struct bin__output *output, struct slice text, uint32_t column, bool right,
                       char mark)
{
    struct buffer *out = &output->buffer;
    size_t width = bin__text_width(text);
    ASSERT(width <= output->widths[column]);
    size_t blanks = output->widths[column] - width;
    bool last = column + 1 == output->column_count;
    if (last && text.size == 0 && mark == ' ')
        return; /* no blanks at the end of a line */
    pad(out, 1 + (right ? blanks : 0));
    buffer_append_slice(out, text);
    if (mark == ' ' && last)
        return;
    pad(out, right ? 0 : blanks);
    buffer_append_byte(out, (uint8_t)mark);
}

static void print_header(struct bin__output *output)
{
    const struct style *style = style_of(output);
    struct buffer *out = &output->buffer;
    for (uint32_t i = 0; i < output->column_count; i++) {
        if (i)
            buffer_printf(out, "%s%s%s", style->dim, style->bar, style->plain);
        buffer_append_string(out, style->bold);
        print_cell(output, output->names[i].text, i, output->right[i], ' ');
        buffer_append_string(out, style->plain);
    }
    buffer_printf(out, "\n%s", style->dim);
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_append_string(out, i ? style->cross : "");
        repeat(out, style->dash, output->widths[i] + 2);
    }
    buffer_printf(out, "%s\n", style->plain);
    output->header_printed = true;
}

/* One line of a row; true when there are more. */
static bool print_row_line(struct bin__output *output, const struct bin__cell *row, uint32_t number)
{
    const struct style *style = style_of(output);
    struct buffer *out = &output->buffer;
    bool any = false;
    char bar[32];
    snprintf(bar, sizeof bar, "%s%s%s", style->dim, style->bar, style->plain);
    for (uint32_t i = 0; i < output->column_count; i++) {
        bool more;
        struct slice text = line_of(row[i].text, number, &more);
        any = any || more;
        buffer_append_string(out, i ? bar : "");
        bool dim = row[i].null && number == 0;
        buffer_append_string(out, dim ? style->dim : "");
        print_cell(output, text, i, output->right[i], more ? '+' : ' ');
        buffer_append_string(out, dim ? style->plain : "");
    }
    buffer_append_byte(out, '\n');
    return any;
}

/* ---- expanded ------------------------------------------------------------------------------- */

static void print_record(struct bin__output *output, const struct bin__cell *row)
{
    const struct style *style = style_of(output);
    struct buffer *out = &output->buffer;
    size_t name_width = 0, value_width = 0;
    for (uint32_t i = 0; i < output->column_count; i++) {
        size_t name = output->names[i].width;
        name_width = name > name_width ? name : name_width;
        value_width = output->widths[i] > value_width ? output->widths[i] : value_width;
    }
    char title[48];
    int title_size = snprintf(title, sizeof title, "[ RECORD %llu ]",
                              (unsigned long long)output->rows_printed + 1);
    buffer_printf(out, "%s%s%s", style->dim, style->dash, title);
    size_t limit = output->screen_width ? output->screen_width : 80;
    size_t width = name_width + 3 + value_width;
    width = width > limit ? limit : width;
    for (size_t at = 1 + (size_t)title_size; at < width; at++)
        buffer_append_string(out, at == name_width + 1 ? style->cross : style->dash);
    buffer_printf(out, "%s\n", style->plain);
    for (uint32_t i = 0; i < output->column_count; i++) {
        bool more = true;
        for (uint32_t line = 0; more; line++) {
            struct slice text = line_of(row[i].text, line, &more);
            struct slice name = line ? slice_make(NULL, 0) : output->names[i].text;
            size_t blanks = name_width - (line ? 0 : output->names[i].width);
            buffer_append_string(out, style->bold);
            buffer_append_slice(out, name);
            buffer_printf(out, "%s%*s %s%s%s%s", style->plain, (int)blanks, "", style->dim,
                          style->bar, style->plain, text.size || more ? " " : "");
            buffer_append_string(out, row[i].null ? style->dim : "");
            buffer_append_slice(out, text);
            buffer_append_string(out, row[i].null ? style->plain : "");
            buffer_append_string(out, "\n");
        }
    }
}

/* ---- chunks --------------------------------------------------------------------------------- */

/* A record of each line would tear the tree apart; in lines that are too long it is still one. */
static bool is_plan(const struct bin__output *output)
{
    return output->column_count == 1 &&
           slice_equal(output->names[0].text, slice_from_string("QUERY PLAN"));
}

static bool too_wide(const struct bin__output *output)
{
    size_t width = 0;
    for (uint32_t i = 0; i < output->column_count; i++)
        width += output->widths[i] + 3;
    return output->screen_width && width > (size_t)output->screen_width + 2;
}

void bin__table_chunk(struct bin__output *output)
{
    if (!output->header_printed && output->row_count)
        output->is_expanded =
            output->expanded == BIN__EXPANDED_ON ||
            (output->expanded == BIN__EXPANDED_AUTO && too_wide(output) && !is_plan(output));
    if (!output->header_printed && !output->is_expanded)
        print_header(output);
    output->header_printed = true;
    for (uint32_t at = 0; output->rows_printed < output->row_count; at += output->column_count) {
        ASSERT(at + output->column_count <= output->cell_count);
        const struct bin__cell *row = output->cells + at;
        bool more = !output->is_expanded;
        if (output->is_expanded)
            print_record(output, row);
        for (uint32_t line = 0; more; line++)
            more = print_row_line(output, row, line);
        output->rows_printed++;
        if (output->buffer.size >= CHUNK_BYTES)
            bin__output_flush(output);
    }
    output->cell_count = 0;
    output->cell_bytes = 0;
    arena_reset(&output->rows_arena);
}
