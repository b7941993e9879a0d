/* The parser's hands: looking at tokens, taking them, failing; and the way in. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "parse_int.h"

/* ---- tokens ---------------------------------------------------------------------------------- */

void parse__advance(struct parse *parse)
{
    parse->previous_kind = parse->token.kind;
    parse->previous_end = parse->token.end;
    if (parse->has_ahead) {
        parse->token = parse->ahead;
        parse->has_ahead = false;
    } else {
        parse__lex(parse, &parse->token);
    }
    if (parse->token.kind == TOKEN_PARAMETER && parse->token.integer > parse->parameter_count)
        parse->parameter_count = (uint32_t)parse->token.integer;
}

const struct token *parse__peek(struct parse *parse)
{
    if (!parse->has_ahead) {
        parse__lex(parse, &parse->ahead);
        parse->has_ahead = true;
    }
    return &parse->ahead;
}

bool parse__is(const struct parse *parse, enum token_kind kind)
{
    return parse->token.kind == kind;
}

static bool token_is_keyword(const struct token *token, enum keyword keyword)
{
    return token->kind == TOKEN_WORD && token->keyword == keyword;
}

bool parse__is_word(const struct parse *parse, const char *word)
{
    return parse->token.kind == TOKEN_WORD && parse->token.keyword == KEYWORD_NONE &&
           strcmp(parse->token.name, word) == 0;
}

bool parse__accept_word(struct parse *parse, const char *word)
{
    if (!parse__is_word(parse, word))
        return false;
    parse__advance(parse);
    return true;
}

bool parse__expect_word(struct parse *parse, const char *word)
{
    return parse__accept_word(parse, word) || parse__syntax_error(parse);
}

bool parse__is_keyword(const struct parse *parse, enum keyword keyword)
{
    return token_is_keyword(&parse->token, keyword);
}

bool parse__peek_keyword(struct parse *parse, enum keyword keyword)
{
    return token_is_keyword(parse__peek(parse), keyword);
}

bool parse__accept(struct parse *parse, enum token_kind kind)
{
    if (parse->token.kind != kind)
        return false;
    parse__advance(parse);
    return true;
}

bool parse__accept_keyword(struct parse *parse, enum keyword keyword)
{
    if (!parse__is_keyword(parse, keyword))
        return false;
    parse__advance(parse);
    return true;
}

bool parse__expect(struct parse *parse, enum token_kind kind)
{
    return parse__accept(parse, kind) || parse__syntax_error(parse);
}

bool parse__expect_keyword(struct parse *parse, enum keyword keyword)
{
    return parse__accept_keyword(parse, keyword) || parse__syntax_error(parse);
}

/* ---- errors ---------------------------------------------------------------------------------- */

bool parse__fail(struct parse *parse, const char *sqlstate, uint32_t position, const char *format,
                 ...)
{
    if (!parse->failed) {
        char message[sizeof parse->error->message];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        error_sql(parse->error, sqlstate, position, "%s", message);
        parse->failed = true;
    }
    parse->token.kind = TOKEN_ERROR;
    parse->has_ahead = false;
    return false;
}

void parse__hint(struct parse *parse, const char *hint)
{
    ASSERT(parse->failed);
    if (!parse->error->hint[0])
        error_hint(parse->error, "%s", hint);
}

bool parse__unsupported(struct parse *parse, const char *what)
{
    return parse__fail(parse, "0A000", parse->token.position, "%s not supported", what);
}

bool parse__syntax_error(struct parse *parse)
{
    struct token token = parse->token;
    enum token_kind previous = parse->previous_kind;
    if (parse->failed)
        return false;
    if (token.kind == TOKEN_END)
        parse__fail(parse, "42601", token.position, "syntax error at end of input");
    else
        parse__lex_error(parse, &parse->token, token.end, "42601", "syntax error");
    parse__suggest(parse, &token, previous);
    return false;
}

/* ---- depth ----------------------------------------------------------------------------------- */

bool parse__check_height(struct parse *parse, uint32_t height)
{
    uint32_t reached = parse->depth + height;
    if (reached > parse->deepest)
        parse->deepest = reached;
    if (reached <= PARSE_DEPTH_MAX)
        return true;
    parse__fail(parse, "54001", parse->token.position, "statement is too complex");
    if (!parse->error->detail[0])
        error_detail(parse->error, "It is nested more than %d levels deep.", PARSE_DEPTH_MAX);
    return false;
}

bool parse__enter(struct parse *parse)
{
    parse->depth++;
    return parse__check_height(parse, 0);
}

void parse__leave(struct parse *parse)
{
    ASSERT(parse->depth > 0);
    parse->depth--;
}

/* ---- names ----------------------------------------------------------------------------------- */

bool parse__token_is_name(const struct token *token)
{
    if (token->kind != TOKEN_WORD)
        return token->kind == TOKEN_QUOTED;
    enum keyword_class class = parse__keyword_class(token->keyword);
    return class == CLASS_UNRESERVED || class == CLASS_COLUMN;
}

bool parse__token_is_function(const struct token *token)
{
    if (token->kind != TOKEN_WORD)
        return token->kind == TOKEN_QUOTED;
    enum keyword_class class = parse__keyword_class(token->keyword);
    return class == CLASS_UNRESERVED || class == CLASS_FUNCTION;
}

bool parse__token_is_bare_label(const struct token *token)
{
    if (token->kind != TOKEN_WORD)
        return token->kind == TOKEN_QUOTED;
    return parse__keyword_is_label(token->keyword);
}

static bool take_name(struct parse *parse, struct ast_name *out)
{
    ASSERT(parse->token.name);
    *out = (struct ast_name){.text = parse->token.name,
                             .position = parse->token.position,
                             .quoted = parse->token.kind == TOKEN_QUOTED};
    parse__advance(parse);
    return true;
}

bool parse__name(struct parse *parse, struct ast_name *out)
{
    struct token token = parse->token;
    if (parse__token_is_name(&token))
        return take_name(parse, out);
    parse__syntax_error(parse);
    if (token.kind == TOKEN_WORD && !parse->error->hint[0])
        error_hint(parse->error, "\"%s\" is a reserved word; in double quotes it can be a name.",
                   token.name);
    return false;
}

bool parse__label(struct parse *parse, struct ast_name *out)
{
    if (!parse__is(parse, TOKEN_WORD) && !parse__is(parse, TOKEN_QUOTED))
        return parse__syntax_error(parse);
    return take_name(parse, out);
}

bool parse__table_name(struct parse *parse, struct ast_name *out)
{
    if (!parse__name(parse, out))
        return false;
    if (!parse__accept(parse, TOKEN_DOT))
        return true;
    if (strcmp(out->text, "public") != 0) {
        parse__fail(parse, "3F000", out->position, "schema \"%s\" does not exist", out->text);
        parse__hint(parse, "All tables are in the schema \"public\".");
        return false;
    }
    return parse__label(parse, out);
}

bool parse__name_list(struct parse *parse, struct ast_name **names, uint32_t *count)
{
    struct ast_name *list = NULL;
    uint32_t capacity = 0;
    *count = 0;
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return false;
    do {
        list = arena_grow(parse->arena, list, &capacity, *count + 1, sizeof *list);
        if (!parse__name(parse, &list[*count]))
            return false;
        ++*count;
    } while (parse__accept(parse, TOKEN_COMMA));
    *names = list;
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

/* ---- the way in ------------------------------------------------------------------------------ */

void parse__start(struct parse *parse, struct slice text, size_t offset, uint32_t position,
                  struct arena *arena, struct error *error)
{
    *parse = (struct parse){.text = text,
                            .arena = arena,
                            .error = error,
                            .offset = offset,
                            .position = position,
                            .previous_end = offset};
    ASSERT(error && arena && offset <= text.size);
    parse__advance(parse);
    parse->previous_kind = TOKEN_SEMICOLON;
    parse->previous_end = offset;
}

static status_t check_text(struct slice text, size_t text_max, struct error *error)
{
    if (text.size > text_max) {
        error_sql(error, "54000", 0, "statement is too long");
        error_detail(error, "It has %zu bytes; the limit is %zu.", text.size, text_max);
        return ERR_SQL;
    }
    size_t valid = utf8_valid_until(text);
    const uint8_t *nul = text.size ? memchr(text.data, 0, valid) : NULL;
    if (nul)
        valid = (size_t)(nul - text.data);
    if (valid == text.size)
        return OK;
    size_t before = utf8_length(slice_make(text.data, valid));
    return error_sql(error, "22021", (uint32_t)before + 1,
                     "invalid byte sequence for encoding \"UTF8\": 0x%02x", text.data[valid]);
}

status_t parse_begin(struct parser *parser, struct slice text, size_t text_max, struct error *error)
{
    *parser = (struct parser){.text = text, .position = 1};
    status_t status = check_text(text, text_max ? text_max : PARSE_TEXT_MAX, error);
    if (status)
        parser->offset = text.size;
    return status;
}

status_t parse_next(struct parser *parser, struct arena *arena, struct ast_statement **statement,
                    struct error *error)
{
    struct parse parse;
    struct error unwanted;
    *statement = NULL;
    ASSERT(parser->offset <= parser->text.size && parser->position > 0);
    parse__start(&parse, parser->text, parser->offset, parser->position, arena,
                 error ? error : &unwanted);
    while (parse__accept(&parse, TOKEN_SEMICOLON))
        continue;
    size_t start = parse.token.start;
    struct ast_statement *made = NULL;
    if (!parse__is(&parse, TOKEN_END) && !parse.failed) {
        made = arena_zalloc(arena, sizeof *made);
        made->position = parse.token.position;
        if (parse__statement(&parse, made) && !parse__is(&parse, TOKEN_END) &&
            !parse__is(&parse, TOKEN_SEMICOLON))
            parse__syntax_error(&parse);
    }
    parser->offset = parser->text.size;
    if (parse.failed)
        return ERR_SQL;
    if (made) {
        made->text = slice_make(parser->text.data + start, parse.previous_end - start);
        made->parameter_count = parse.parameter_count;
        made->sets_sequence = parse.sets_sequence;
    }
    /* The token behind the semicolon belongs to the next statement, as do its errors. */
    ASSERT(!parse.has_ahead && parse.depth == 0);
    parser->offset = parse.token.end;
    parser->position = parse.position;
    *statement = made;
    return OK;
}

bool parse__only_blank(const struct parser *parser)
{
    struct parse parse;
    struct error error;
    struct arena arena = {0};
    parse__start(&parse, parser->text, parser->offset, parser->position, &arena, &error);
    while (parse__accept(&parse, TOKEN_SEMICOLON))
        continue;
    bool at_end = parse__is(&parse, TOKEN_END) && !parse.failed;
    arena_free(&arena);
    return at_end;
}

status_t parse_expression(struct slice text, struct arena *arena, struct ast_expr **out,
                          struct error *error)
{
    struct parse parse;
    struct error unwanted;
    *out = NULL;
    status_t status = check_text(text, PARSE_TEXT_MAX, error);
    if (status)
        return status;
    parse__start(&parse, text, 0, 1, arena, error ? error : &unwanted);
    struct ast_expr *expr = parse__expr(&parse);
    if (expr && !parse__is(&parse, TOKEN_END))
        parse__syntax_error(&parse);
    if (parse.failed)
        return ERR_SQL;
    ASSERT(expr);
    *out = expr;
    return OK;
}
