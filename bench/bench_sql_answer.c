/* Answers kept and compared. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_sql_side.h"

void answer_reset(struct answer *answer)
{
    arena_reset(&answer->arena);
    answer->cells = NULL;
    answer->cell_count = answer->cell_capacity = answer->columns = 0;
    answer->rows = 0;
}

void answer_free(struct answer *answer)
{
    arena_free(&answer->arena);
    *answer = (struct answer){0};
}

/* Booleans are integers there; what has no counterpart is compared as text. */
static struct value plain(struct answer *answer, const struct value *cell)
{
    if (cell->null)
        return value_null(SQL_TEXT);
    if (cell->type == SQL_BOOLEAN)
        return value_integer(cell->as.boolean);
    if (cell->type == SQL_INTEGER || cell->type == SQL_DOUBLE)
        return *cell;
    if (cell->type == SQL_TEXT)
        return value_text(arena_copy(&answer->arena, cell->as.text));
    struct buffer text = {0};
    value_format(cell, &text);
    struct value made = value_text(arena_copy(&answer->arena, buffer_slice(&text)));
    buffer_free(&text);
    return made;
}

void answer_add(struct answer *answer, const struct value *cell)
{
    if (answer->cell_count >= ANSWER_CELLS_MAX)
        return;
    answer->cells = arena_grow(&answer->arena, answer->cells, &answer->cell_capacity,
                               answer->cell_count + 1, sizeof *answer->cells);
    answer->cells[answer->cell_count] = plain(answer, cell);
    answer->cell_count++;
}

/* A number that came as text (an exact one of ours) is a number. */
static bool as_number(const struct value *cell, double *out)
{
    if (cell->type == SQL_INTEGER)
        *out = (double)cell->as.integer;
    else if (cell->type == SQL_DOUBLE)
        *out = cell->as.real;
    else if (cell->type == SQL_TEXT && cell->as.text.size > 0 && cell->as.text.size < 64) {
        char text[64];
        char *end;
        memcpy(text, cell->as.text.data, cell->as.text.size);
        text[cell->as.text.size] = 0;
        *out = strtod(text, &end);
        return *end == 0;
    } else
        return false;
    return true;
}

static int cell_compare(const struct value *a, const struct value *b)
{
    double x, y;
    if (a->null || b->null)
        return (int)a->null - (int)b->null;
    bool numbers = as_number(a, &x) && as_number(b, &y);
    if (numbers)
        return fabs(x - y) <= 1e-9 * fmax(1, fmax(fabs(x), fabs(y))) ? 0 : x < y ? -1 : 1;
    if (a->type != SQL_TEXT || b->type != SQL_TEXT)
        return (int)a->type - (int)b->type;
    return slice_compare(a->as.text, b->as.text);
}

static uint32_t sort_columns;

static int row_compare(const void *a, const void *b)
{
    for (uint32_t c = 0; c < sort_columns; c++) {
        int order = cell_compare((const struct value *)a + c, (const struct value *)b + c);
        if (order)
            return order;
    }
    return 0;
}

static void sort_rows(struct answer *answer)
{
    sort_columns = answer->columns;
    if (answer->columns && answer->cell_count)
        qsort(answer->cells, answer->cell_count / answer->columns,
              answer->columns * sizeof *answer->cells, row_compare);
}

static void shown(const struct value *cell, char *out, size_t size)
{
    struct buffer text = {0};
    value_format(cell, &text);
    (void)snprintf(out, size, "%.*s", (int)text.size, (const char *)text.data);
    buffer_free(&text);
}

const char *answer_difference(struct answer *a, struct answer *b, bool ordered)
{
    static char text[256];
    if (a->rows != b->rows || a->columns != b->columns) {
        (void)snprintf(text, sizeof text, "%llu rows of %u columns, SQLite has %llu of %u",
                       (unsigned long long)a->rows, a->columns, (unsigned long long)b->rows,
                       b->columns);
        return text;
    }
    if (!ordered) {
        if (a->cell_count == ANSWER_CELLS_MAX)
            return NULL;
        sort_rows(a);
        sort_rows(b);
    }
    for (uint32_t i = 0; i < a->cell_count; i++) {
        if (cell_compare(&a->cells[i], &b->cells[i]) == 0)
            continue;
        char x[80], y[80];
        shown(&a->cells[i], x, sizeof x);
        shown(&b->cells[i], y, sizeof y);
        (void)snprintf(text, sizeof text, "row %u, column %u: %s, SQLite has %s",
                       i / a->columns + 1, i % a->columns + 1, x, y);
        return text;
    }
    return NULL;
}
