/* Tables that nobody made: information_schema and toydb_internal.
 *
 * Each is a query over VALUES, written when a statement that names it is planned and bound in the
 * place of its name, as a view is. So their rows are of one moment, they can be joined, filtered
 * and sorted as any others, and nothing below the planner knows of them. A plan with such rows in
 * it serves one statement (planned.is_momentary). */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "sql_int.h"

/* ---- rows -------------------------------------------------------------------------------------
 */

enum { ROW_COLUMNS_MAX = 32 };

/* The text grows as the rows come:
 *     SELECT CAST(NULL AS text) AS "name", ... WHERE false UNION ALL VALUES ('x', ...), (...) */
struct sql_rows {
    struct buffer *sql;
    enum sql_type types[ROW_COLUMNS_MAX];
    uint32_t columns;
    uint32_t rows;
    uint32_t values; /* of the row begun */
};

void sql_rows_column(struct sql_rows *rows, const char *name, enum sql_type type)
{
    ASSERT(rows->rows == 0 && rows->columns < ROW_COLUMNS_MAX);
    buffer_printf(rows->sql, "%s CAST(NULL AS %s) AS ", rows->columns ? "," : "SELECT",
                  type_name(type));
    ast_print_name(name, rows->sql);
    rows->types[rows->columns++] = type;
}

void sql_rows_begin(struct sql_rows *rows)
{
    ASSERT(rows->columns > 0 && (rows->rows == 0 || rows->values == rows->columns));
    buffer_append_string(rows->sql, rows->rows ? "), (" : " WHERE false UNION ALL VALUES (");
    rows->rows++;
    rows->values = 0;
}

static void value_begin(struct sql_rows *rows)
{
    ASSERT(rows->rows > 0 && rows->values < rows->columns);
    buffer_append_string(rows->sql, rows->values++ ? ", " : "");
}

void sql_rows_text(struct sql_rows *rows, const char *text)
{
    value_begin(rows);
    if (!text) { /* with its type, for a column of nothing but NULLs would be taken for text */
        buffer_printf(rows->sql, "CAST(NULL AS %s)", type_name(rows->types[rows->values - 1]));
        return;
    }
    struct slice rest = slice_from_string(text);
    buffer_append_string(rows->sql, "'");
    while (rest.size > 0) {
        size_t size = utf8_decode(rest, NULL);
        if (size == 0)
            buffer_append_string(rows->sql, "?");
        else
            buffer_append(rows->sql, rest.data, size);
        if (size > 0 && rest.data[0] == '\'')
            buffer_append_string(rows->sql, "'");
        rest = slice_make(rest.data + (size ? size : 1), rest.size - (size ? size : 1));
    }
    buffer_append_string(rows->sql, "'");
}

void sql_rows_integer(struct sql_rows *rows, int64_t integer)
{
    value_begin(rows);
    if (integer == INT64_MIN) /* which no literal is */
        buffer_append_string(rows->sql, "(-9223372036854775807 - 1)");
    else
        buffer_printf(rows->sql, "%" PRId64, integer);
}

void sql_rows_boolean(struct sql_rows *rows, bool boolean)
{
    value_begin(rows);
    buffer_append_string(rows->sql, boolean ? "true" : "false");
}

static void rows_end(struct sql_rows *rows)
{
    ASSERT(rows->columns > 0 && (rows->rows == 0 || rows->values == rows->columns));
    buffer_append_string(rows->sql, rows->rows ? ")" : " WHERE false");
}

/* ---- toydb_internal ---------------------------------------------------------------------------
 */

/* "text, integer [, text]". */
static void print_arguments(const struct plan_function *function, struct buffer *out)
{
    if (!function->arguments) {
        buffer_append_string(out, "any");
        return;
    }
    for (uint32_t i = 0; i < function->arguments_max; i++) {
        bool optional = i >= function->arguments_min;
        buffer_printf(out, "%s%s%s%s", optional && i ? " " : "", optional ? "[" : "", i ? ", " : "",
                      type_name(function->arguments[i]));
    }
    for (uint32_t i = function->arguments_min; i < function->arguments_max; i++)
        buffer_append_string(out, "]");
}

static void functions(struct sql_rows *rows)
{
    struct plan_function function;
    sql_rows_column(rows, "name", SQL_TEXT);
    sql_rows_column(rows, "kind", SQL_TEXT);
    sql_rows_column(rows, "arguments", SQL_TEXT);
    sql_rows_column(rows, "result", SQL_TEXT);
    for (uint32_t i = 0; plan_function_at(i, &function); i++) {
        struct buffer arguments = {0};
        print_arguments(&function, &arguments);
        buffer_append_byte(&arguments, 0);
        sql_rows_begin(rows);
        sql_rows_text(rows, function.name);
        sql_rows_text(rows, function.kind);
        sql_rows_text(rows, (const char *)arguments.data);
        sql_rows_text(rows, function.result == SQL_UNKNOWN ? "any" : type_name(function.result));
        buffer_free(&arguments);
    }
}

static bool fill_internal(struct sql_session *session, const char *table, struct sql_rows *rows,
                          status_t *status)
{
    static const struct {
        const char *name;
        void (*fill)(const struct catalog *catalog, struct sql_rows *rows);
    } of_schema[] = {
        {"comments", sql__comment_rows},
        {"indexes", sql__index_rows},
        {"constraints", sql__constraint_rows},
        {"sequences", sql__sequence_rows},
    };
    if (strcmp(table, "settings") == 0) {
        sql__settings_rows(session->settings, rows);
        return true;
    }
    if (strcmp(table, "statements") == 0) {
        sql__cache_rows(session->engine, rows);
        return true;
    }
    for (size_t i = 0; i < sizeof of_schema / sizeof *of_schema; i++) {
        if (strcmp(table, of_schema[i].name) == 0) {
            of_schema[i].fill(session->catalog, rows);
            return true;
        }
    }
    if (strcmp(table, "functions") == 0) {
        functions(rows);
        return true;
    }
    if (strcmp(table, "table_sizes") == 0) {
        *status = sql__size_rows(session, rows);
        return true;
    }
    const struct sql_engine *engine = session->engine;
    if (engine->internal && sql__planning_needs_driver(session)) {
        *status = error_set(&session->error, ERR_BUSY, "rows of \"%s\" are made elsewhere", table);
        return true;
    }
    return engine->internal && engine->internal(engine->internal_context, table, rows);
}

static status_t internal(void *context, const char *schema, const char *table, struct buffer *sql,
                         struct error *error)
{
    struct sql_session *session = context;
    struct sql_rows rows = {.sql = sql};
    status_t status = OK;
    bool found;
    ASSERT(error == &session->error);
    if (strcmp(schema, "information_schema") == 0)
        found = sql__information_schema(session, table, &rows, &status);
    else if (strcmp(schema, "toydb_internal") == 0)
        found = fill_internal(session, table, &rows, &status);
    else
        return ERR_UNSUPPORTED;
    if (!found)
        return ERR_NOT_FOUND;
    if (status)
        return status;
    rows_end(&rows);
    return OK;
}

void sql__internal_options(struct sql_session *session, struct plan_options *options)
{
    options->internal = internal;
    options->internal_context = session;
}
