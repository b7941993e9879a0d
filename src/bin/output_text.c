/* The formats that print each row at once: csv, tsv, json, line. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "bin/output_int.h"
#include "bin/text_int.h"

/* ---- csv ------------------------------------------------------------------------------------ */

/* RFC 4180: "Fields containing line breaks (CRLF), double quotes, and commas should be enclosed in
 * double-quotes [...] a double-quote appearing inside a field must be escaped by preceding it with
 * another double quote." */
static void csv_field(struct buffer *out, struct slice text)
{
    bool quote = text.size == 0;
    for (size_t i = 0; i < text.size && !quote; i++)
        quote = memchr(",\"\r\n", text.data[i], 4) != NULL;
    if (!quote) {
        buffer_append_slice(out, text);
        return;
    }
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            buffer_append_byte(out, '"');
        buffer_append_byte(out, text.data[i]);
    }
    buffer_append_byte(out, '"');
}

void bin__csv_begin(struct bin__output *output)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_append_string(&output->buffer, i ? "," : "");
        csv_field(&output->buffer, output->names[i].text);
    }
    buffer_append_byte(&output->buffer, '\n');
}

void bin__csv_row(struct bin__output *output, const struct toydb_value *values)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_append_string(&output->buffer, i ? "," : "");
        if (values[i].type == TOYDB_NULL)
            continue;
        buffer_reset(&text);
        bin__value_text(&text, &values[i]);
        csv_field(&output->buffer, buffer_slice(&text));
    }
    buffer_append_byte(&output->buffer, '\n');
    buffer_free(&text);
}

/* ---- tsv ------------------------------------------------------------------------------------ */

static void tsv_field(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        const char *escape = c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\\\";
        if (c == '\t' || c == '\n' || c == '\r' || c == '\\')
            buffer_append_string(out, escape);
        else
            buffer_append_byte(out, c);
    }
}

void bin__tsv_begin(struct bin__output *output)
{
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_append_string(&output->buffer, i ? "\t" : "");
        tsv_field(&output->buffer, output->names[i].text);
    }
    buffer_append_byte(&output->buffer, '\n');
}

void bin__tsv_row(struct bin__output *output, const struct toydb_value *values)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_append_string(&output->buffer, i ? "\t" : "");
        if (values[i].type == TOYDB_NULL) {
            buffer_append_string(&output->buffer, "\\N");
            continue;
        }
        buffer_reset(&text);
        bin__value_text(&text, &values[i]);
        tsv_field(&output->buffer, buffer_slice(&text));
    }
    buffer_append_byte(&output->buffer, '\n');
    buffer_free(&text);
}

/* ---- json ----------------------------------------------------------------------------------- */

void bin__json_string(struct buffer *out, struct slice text)
{
    static const char escaped[] = "\b\t\n\f\r\"\\";
    static const char letters[] = "btnfr\"\\";
    buffer_append_byte(out, '"');
    for (size_t at = 0; at < text.size;) {
        uint8_t c = text.data[at];
        size_t size = utf8_decode(slice_make(text.data + at, text.size - at), NULL);
        const char *escape = c ? strchr(escaped, c) : NULL;
        if (size == 0)
            buffer_append_string(out, "\xef\xbf\xbd"); /* the replacement character */
        else if (escape)
            buffer_printf(out, "\\%c", letters[escape - escaped]);
        else if (c < 0x20)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_append(out, text.data + at, size);
        at += size ? size : 1;
    }
    buffer_append_byte(out, '"');
}

/* A numeric is a number, and has the digits of its text: JSON does not limit them. */
static void json_value(struct buffer *out, const struct toydb_value *value, bool is_number)
{
    bool finite = value->type != TOYDB_DOUBLE || isfinite(value->real);
    if (value->type == TOYDB_NULL) {
        buffer_append_string(out, "null");
    } else if (value->type == TOYDB_TEXT && !is_number) {
        bin__json_string(out, slice_make(value->text.data, value->text.size));
    } else if (value->type == TOYDB_BYTES || !finite) {
        struct buffer text = {0};
        bin__value_text(&text, value);
        bin__json_string(out, buffer_slice(&text));
        buffer_free(&text);
    } else {
        bin__value_text(out, value);
    }
}

void bin__json_row(struct bin__output *output, const struct toydb_value *values)
{
    struct buffer *out = &output->buffer;
    buffer_append_string(out, output->row_count ? ",\n {" : "[{");
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_append_string(out, i ? ", " : "");
        bin__json_string(out, output->names[i].text);
        buffer_append_string(out, ": ");
        json_value(out, &values[i], output->right[i]);
    }
    buffer_append_byte(out, '}');
}

void bin__json_end(struct bin__output *output)
{
    buffer_append_string(&output->buffer, output->row_count ? "]\n" : "[]\n");
}

/* ---- line ----------------------------------------------------------------------------------- */

void bin__line_row(struct bin__output *output, const struct toydb_value *values)
{
    struct buffer *out = &output->buffer;
    struct buffer text = {0};
    size_t width = 0;
    for (uint32_t i = 0; i < output->column_count; i++)
        width = output->widths[i] > width ? output->widths[i] : width;
    buffer_append_string(out, output->row_count ? "\n" : "");
    for (uint32_t i = 0; i < output->column_count; i++) {
        buffer_printf(out, "%*s", (int)(width - output->widths[i]), "");
        buffer_append_slice(out, output->names[i].text);
        buffer_append_string(out, " = ");
        buffer_reset(&text);
        if (values[i].type == TOYDB_NULL)
            buffer_append_string(&text, "NULL");
        else
            bin__value_text(&text, &values[i]);
        bin__text_show(out, buffer_slice(&text), false);
        buffer_append_byte(out, '\n');
    }
    buffer_free(&text);
}
