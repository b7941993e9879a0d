/* Results on their way to the screen or into a file: one header, rows as they come, a foot.
 *
 * A table needs its widths before its first line, so a chunk of rows is held back, printed, and its
 * widths kept for the next chunk, which may widen but not narrow them. The other formats print each
 * row at once. So a result of any size takes bounded memory. */
#ifndef BIN_OUTPUT_INT_H
#define BIN_OUTPUT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "toydb/toydb.h"

enum bin__format {
    BIN__FORMAT_TABLE,
    BIN__FORMAT_CSV,  /* RFC 4180; NULL is nothing, an empty text is "" */
    BIN__FORMAT_TSV,  /* as PostgreSQL's COPY: NULL is \N, tabs and line breaks are escaped */
    BIN__FORMAT_JSON, /* an array of objects */
    BIN__FORMAT_LINE, /* name = value, an empty line between rows */
};
/* -1: none of these. */
int bin__format_parse(const char *name);
const char *bin__format_name(enum bin__format format);

enum bin__expanded { BIN__EXPANDED_OFF, BIN__EXPANDED_ON, BIN__EXPANDED_AUTO };

/* False: nothing more can be written. */
typedef bool bin__write_fn(void *context, const void *data, size_t size);

struct bin__cell {
    struct slice text; /* fit to be shown */
    size_t width;      /* of its widest line */
    bool null;
    bool lines; /* has more than one */
};

struct bin__output {
    /* The owner's, set between results. */
    enum bin__format format;
    enum bin__expanded expanded; /* of tables; AUTO: of those wider than the screen, but plans */
    bool pretty;                 /* for a person at a terminal: Unicode lines, colours if: */
    bool colour;
    uint32_t screen_width; /* 0: unknown */
    bin__write_fn *write;
    void *context;

    /* Of the result at hand. */
    bool failed; /* a write was; sticks */
    struct buffer buffer;
    struct arena header_arena;
    uint32_t column_count;
    struct bin__cell *names;
    bool *right; /* column is of numbers */
    size_t *widths;
    struct arena rows_arena;
    struct bin__cell *cells; /* of the rows held back */
    uint32_t cell_count;
    uint32_t cell_capacity;
    size_t cell_bytes;
    uint64_t row_count;
    uint64_t rows_printed;
    bool header_printed;
    bool is_expanded;
};

void bin__output_init(struct bin__output *output, bin__write_fn *write, void *context);
void bin__output_free(struct bin__output *output);
/* Column names are copied. */
void bin__output_begin(struct bin__output *output, const struct toydb_column *columns,
                       uint32_t count);
void bin__output_row(struct bin__output *output, const struct toydb_value *values);
/* With the foot "(3 rows)" after a table, behind it `note` (NULL: none), dimmed, and an empty line.
 */
void bin__output_end(struct bin__output *output, const char *note);
/* The result broke off: prints what is held back, and no foot. */
void bin__output_break(struct bin__output *output);
/* A line of its own, whatever the format. */
void bin__output_line(struct bin__output *output, const char *text, const char *note);
/* A text as it is, and a line break. */
void bin__output_raw(struct bin__output *output, const struct toydb_value *value);
/* Hands everything to `write`. False when that has failed at any time. */
bool bin__output_flush(struct bin__output *output);

/* ---- inside: output_table.c, output_text.c -------------------------------------------------- */

void bin__table_row(struct bin__output *output, const struct toydb_value *values);
void bin__table_chunk(struct bin__output *output);
void bin__csv_begin(struct bin__output *output);
void bin__csv_row(struct bin__output *output, const struct toydb_value *values);
void bin__tsv_begin(struct bin__output *output);
void bin__tsv_row(struct bin__output *output, const struct toydb_value *values);
void bin__json_row(struct bin__output *output, const struct toydb_value *values);
void bin__json_end(struct bin__output *output);
void bin__line_row(struct bin__output *output, const struct toydb_value *values);
/* A JSON string with its quotes. */
void bin__json_string(struct buffer *out, struct slice text);

#endif
