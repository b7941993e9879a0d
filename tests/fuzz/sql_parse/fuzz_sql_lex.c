/* Any bytes as tokens: they lie one behind the other inside the text, their positions count
 * characters, an error has its code and place, and a token by itself is the same token. */
#include "fuzz_sql_lex.h"

#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "sql/parse/parse_int.h"

static void check_alone(const struct token *token, struct slice text)
{
    struct arena arena = {0};
    struct parse parse;
    struct error error = {0};
    parse__start(&parse, text, 0, 1, &arena, &error);
    const struct token *again = &parse.token;
    ASSERT(again->kind == token->kind && again->keyword == token->keyword);
    ASSERT(again->start == 0 && again->end == text.size && again->position == 1);
    ASSERT(again->integer == token->integer);
    if (token->name)
        ASSERT(strcmp(token->name, again->name) == 0);
    if (token->kind == TOKEN_STRING)
        ASSERT(slice_equal(token->string, again->string));
    arena_free(&arena);
}

static void check_tokens(struct slice text)
{
    struct arena arena = {0};
    struct parse parse;
    struct error error = {0};
    size_t end = 0;
    uint32_t position = 0;
    parse__start(&parse, text, 0, 1, &arena, &error);
    struct token token = parse.token;
    while (token.kind != TOKEN_END && token.kind != TOKEN_ERROR) {
        ASSERT(token.start >= end && token.end > token.start && token.end <= text.size);
        ASSERT(token.position > position && token.position <= token.start + 1);
        end = token.end;
        position = token.position;
        check_alone(&token, slice_make(text.data + token.start, token.end - token.start));
        parse__lex(&parse, &token);
    }
    if (token.kind == TOKEN_ERROR) {
        ASSERT(error.status == ERR_SQL && strlen(error.sqlstate) == 5 && error.message[0]);
        ASSERT(error.position > 0 && error.position <= text.size + 1);
        ASSERT(utf8_valid(slice_from_string(error.message)));
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parser parser;
    struct error error = {0};
    struct slice text = slice_make(data, size);
    if (parse_begin(&parser, text, 0, &error) == OK)
        check_tokens(text);
    return 0;
}
