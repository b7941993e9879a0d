#include "bin/output_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/text_int.h"

enum { FLUSH_BYTES = 64 << 10 };

static const char *const format_names[] = {"table", "csv", "tsv", "json", "line"};

int bin__format_parse(const char *name)
{
    for (int i = 0; i < (int)(sizeof format_names / sizeof *format_names); i++)
        if (strcmp(name, format_names[i]) == 0)
            return i;
    return -1;
}

const char *bin__format_name(enum bin__format format)
{
    return format_names[format];
}

void bin__output_init(struct bin__output *output, bin__write_fn *write, void *context)
{
    *output = (struct bin__output){.write = write, .context = context};
}

void bin__output_free(struct bin__output *output)
{
    buffer_free(&output->buffer);
    arena_free(&output->header_arena);
    arena_free(&output->rows_arena);
    mem_free(output->cells);
    output->cells = NULL;
}

bool bin__output_flush(struct bin__output *output)
{
    ASSERT(!output->buffer.failed);
    if (output->buffer.size && !output->failed)
        output->failed = !output->write(output->context, output->buffer.data, output->buffer.size);
    buffer_reset(&output->buffer);
    return !output->failed;
}

/* A value may be as large as a message, a row has many: so hand on what there is before it. */
static void flush_when_large(struct bin__output *output)
{
    if (output->buffer.size >= FLUSH_BYTES)
        bin__output_flush(output);
}

/* Numerics travel as text. */
static bool is_number(const struct toydb_column *column)
{
    return column->type == TOYDB_INTEGER || column->type == TOYDB_DOUBLE ||
           (column->type_name && strcmp(column->type_name, "numeric") == 0);
}

void bin__output_begin(struct bin__output *output, const struct toydb_column *columns,
                       uint32_t count)
{
    struct arena *arena = &output->header_arena;
    arena_reset(arena);
    output->column_count = count;
    output->names = arena_zalloc(arena, count * sizeof *output->names);
    output->right = arena_zalloc(arena, count * sizeof *output->right);
    output->widths = arena_zalloc(arena, count * sizeof *output->widths);
    for (uint32_t i = 0; i < count; i++) {
        struct slice name = slice_from_string(columns[i].name);
        struct buffer shown = {0};
        if (output->format == BIN__FORMAT_TABLE || output->format == BIN__FORMAT_LINE) {
            bin__text_show(&shown, name, false);
            name = buffer_slice(&shown);
        }
        name = arena_copy(arena, name);
        buffer_free(&shown);
        output->names[i] = (struct bin__cell){.text = name, .width = bin__text_width(name)};
        output->right[i] = is_number(&columns[i]);
        output->widths[i] = output->names[i].width;
    }
    output->row_count = 0;
    output->rows_printed = 0;
    output->header_printed = false;
    output->is_expanded = false;
    ASSERT(output->cell_count == 0);
    if (output->format == BIN__FORMAT_CSV)
        bin__csv_begin(output);
    else if (output->format == BIN__FORMAT_TSV)
        bin__tsv_begin(output);
}

void bin__output_row(struct bin__output *output, const struct toydb_value *values)
{
    switch (output->format) {
    case BIN__FORMAT_TABLE:
        bin__table_row(output, values);
        break;
    case BIN__FORMAT_CSV:
        bin__csv_row(output, values);
        break;
    case BIN__FORMAT_TSV:
        bin__tsv_row(output, values);
        break;
    case BIN__FORMAT_JSON:
        bin__json_row(output, values);
        break;
    case BIN__FORMAT_LINE:
        bin__line_row(output, values);
        break;
    }
    output->row_count++;
    flush_when_large(output);
}

void bin__output_end(struct bin__output *output, const char *note)
{
    if (output->format == BIN__FORMAT_TABLE) {
        bin__table_chunk(output);
        char foot[64];
        snprintf(foot, sizeof foot, "(%" PRIu64 " row%s)", output->row_count,
                 output->row_count == 1 ? "" : "s");
        bin__output_line(output, foot, note);
        buffer_append_byte(&output->buffer, '\n');
    } else if (output->format == BIN__FORMAT_JSON) {
        bin__json_end(output);
    }
    flush_when_large(output);
}

void bin__output_break(struct bin__output *output)
{
    if (output->format == BIN__FORMAT_TABLE && output->row_count)
        bin__table_chunk(output);
    else if (output->format == BIN__FORMAT_JSON)
        bin__json_end(output);
    bin__output_flush(output);
}

void bin__output_raw(struct bin__output *output, const struct toydb_value *value)
{
    if (value->type == TOYDB_TEXT)
        buffer_append(&output->buffer, value->text.data, value->text.size);
    buffer_append_byte(&output->buffer, '\n');
    flush_when_large(output);
}

void bin__output_line(struct bin__output *output, const char *text, const char *note)
{
    buffer_append_string(&output->buffer, text);
    if (note && output->colour)
        buffer_printf(&output->buffer, "  \033[2m%s\033[0m", note);
    else if (note)
        buffer_printf(&output->buffer, "  %s", note);
    buffer_append_byte(&output->buffer, '\n');
}
