/* Any bytes as SQL text. Whatever they are: no crash, errors have a message and a position inside
 * the text, and what parses prints as text that parses to a tree printing alike. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "fuzz_sql_parse.h"
#include "sql/parse/parse.h"

static void check_round_trip(const struct ast_statement *statement)
{
    struct arena arena = {0};
    struct buffer first = {0};
    struct buffer second = {0};
    struct parser parser;
    struct ast_statement *again = NULL;
    struct error error = {0};
    ast_print(statement, &first);
    status_t status = parse_begin(&parser, buffer_slice(&first), 8 << 20, &error);
    ASSERT(status == OK);
    status = parse_next(&parser, &arena, &again, &error);
    /* Parentheses around each operator may take it over the limit of depth. */
    if (status && strcmp(error.sqlstate, "54001") == 0)
        goto done;
    ASSERT(status == OK && again);
    ast_print(again, &second);
    ASSERT(slice_equal(buffer_slice(&first), buffer_slice(&second)));
done:
    buffer_free(&first);
    buffer_free(&second);
    arena_free(&arena);
}

static void check_error(const struct error *error, struct slice text)
{
    ASSERT(error->status == ERR_SQL && strlen(error->sqlstate) == 5 && error->message[0]);
    ASSERT(error->position <= text.size + 1);
    ASSERT(utf8_valid(slice_from_string(error->message)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct parser parser;
    struct error error = {0};
    status_t status = parse_begin(&parser, text, 0, &error);
    struct arena arena = {0};
    struct ast_statement *statement = NULL;
    while (!status) {
        status = parse_next(&parser, &arena, &statement, &error);
        if (status || !statement)
            break;
        ASSERT(statement->text.data >= data && statement->text.size <= size);
        check_round_trip(statement);
        arena_reset(&arena);
    }
    if (status)
        check_error(&error, text);
    arena_free(&arena);
    return 0;
}
