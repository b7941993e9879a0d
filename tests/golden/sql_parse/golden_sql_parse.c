/* Runs one script of tests/golden/sql_parse. Commands:
 *   parse   each statement of the input as ast_print shows it, up to the first error. What is
 *           printed must parse again and print alike.
 *   expr    the input is one expression. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "golden.h"
#include "sql/parse/parse.h"

static void print_error(const struct error *error, struct buffer *out)
{
    buffer_printf(out, "error %s", error->sqlstate);
    if (error->position)
        buffer_printf(out, " at %u", error->position);
    buffer_printf(out, ": %s\n", error->message);
    if (error->detail[0])
        buffer_printf(out, "detail: %s\n", error->detail);
    if (error->hint[0])
        buffer_printf(out, "hint: %s\n", error->hint);
}

/* Parses `text` again and prints it: must give `text`. */
static void check_round_trip(struct slice text, struct buffer *out)
{
    struct arena arena = {0};
    struct parser parser;
    struct ast_statement *statement = NULL;
    struct error error = {0};
    struct buffer again = {0};
    status_t status = parse_begin(&parser, text, 0, &error);
    if (!status)
        status = parse_next(&parser, &arena, &statement, &error);
    if (status || !statement) {
        buffer_append_string(out, "DOES NOT READ BACK: ");
        print_error(&error, out);
    } else {
        ast_print(statement, &again);
        if (!slice_equal(buffer_slice(&again), text)) {
            buffer_append_string(out, "READS BACK AS: ");
            buffer_append_slice(out, buffer_slice(&again));
            buffer_append_string(out, "\n");
        }
    }
    buffer_free(&again);
    arena_free(&arena);
}

static void run_parse(struct slice text, struct buffer *out)
{
    struct arena arena = {0};
    struct parser parser;
    struct error error = {0};
    status_t status = parse_begin(&parser, text, 0, &error);
    while (!status) {
        struct ast_statement *statement;
        status = parse_next(&parser, &arena, &statement, &error);
        if (status || !statement)
            break;
        struct buffer printed = {0};
        ast_print(statement, &printed);
        buffer_append_slice(out, buffer_slice(&printed));
        buffer_append_string(out, "\n");
        check_round_trip(buffer_slice(&printed), out);
        buffer_free(&printed);
    }
    if (status)
        print_error(&error, out);
    arena_free(&arena);
}

/* Each line is one expression. */
static void run_expressions(const char *text, struct buffer *out)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        struct arena arena = {0};
        struct ast_expr *expr;
        struct error error = {0};
        if (parse_expression(slice_make(text, size), &arena, &expr, &error)) {
            print_error(&error, out);
        } else {
            struct buffer printed = {0};
            ast_print_expr(expr, &printed);
            buffer_append_slice(out, buffer_slice(&printed));
            buffer_append_string(out, "\n");
            struct buffer again = {0};
            buffer_append_string(&again, "SELECT ");
            buffer_append_slice(&again, buffer_slice(&printed));
            check_round_trip(buffer_slice(&again), out);
            buffer_free(&again);
            buffer_free(&printed);
        }
        arena_free(&arena);
        text += size;
        text += *text == '\n';
    }
}

static void run(void *context, const struct golden_case *c, struct buffer *out)
{
    MAYBE(context != NULL);
    if (strcmp(c->command, "parse") == 0)
        run_parse(slice_from_string(c->input), out);
    else if (strcmp(c->command, "expr") == 0)
        run_expressions(c->input, out);
    else
        buffer_printf(out, "unknown command %s\n", c->command);
}

int main(int count, char **arguments)
{
    const char *root = getenv("TOYDB_SOURCE_ROOT");
    char path[1024];
    if (count != 2 || !root) {
        fprintf(stderr, "usage: TOYDB_SOURCE_ROOT=... golden_sql_parse SCRIPT\n");
        return 64;
    }
    snprintf(path, sizeof path, "%s/tests/golden/sql_parse/%s.golden", root, arguments[1]);
    return golden_run(path, run, NULL) == 0 ? 0 : 1;
}
