/* EXPLAIN and ANALYZE. */
#include <strings.h>

#include "sql/parse/parse_int.h"

static bool accept_analyze(struct parse *parse)
{
    return parse__accept_keyword(parse, KEYWORD_ANALYZE) ||
           parse__accept_keyword(parse, KEYWORD_ANALYSE);
}

/* One of a list; a switch may be followed by on or off. */
static bool parse_option(struct parse *parse, struct ast_explain *explain)
{
    static const char *const names[] = {"analyze", "analyse", "why", "verbose"};
    bool ignored;
    bool *const switches[] = {&explain->analyze, &explain->analyze, &explain->why, &ignored};
    size_t i = 0;
    while (i < 4 && (parse->token.kind != TOKEN_WORD || strcasecmp(parse->token.name, names[i])))
        i++;
    if (i == 4)
        return parse__unsupported(parse, "this option of EXPLAIN is");
    parse__advance(parse);
    *switches[i] = true;
    if (parse->token.kind == TOKEN_WORD) {
        bool off = strcasecmp(parse->token.name, "off") == 0 ||
                   strcasecmp(parse->token.name, "false") == 0;
        bool on =
            strcasecmp(parse->token.name, "on") == 0 || strcasecmp(parse->token.name, "true") == 0;
        if (!on && !off)
            return parse__syntax_error(parse);
        *switches[i] = on;
        parse__advance(parse);
    }
    return !parse->failed;
}

static bool parse_options(struct parse *parse, struct ast_explain *explain)
{
    parse__advance(parse);
    do {
        if (!parse_option(parse, explain))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

bool parse__explain(struct parse *parse, struct ast_statement *statement)
{
    struct ast_explain *explain = arena_zalloc(parse->arena, sizeof *explain);
    statement->kind = AST_EXPLAIN;
    statement->as.explain = explain;
    parse__advance(parse);
    const struct token *next = parse__peek(parse);
    if (parse__is(parse, TOKEN_LEFT_PAREN) && next->kind == TOKEN_WORD &&
        !parse__select_starts(next)) {
        if (!parse_options(parse, explain))
            return false;
    } else {
        explain->analyze = accept_analyze(parse);
        parse__accept_keyword(parse, KEYWORD_VERBOSE);
    }
    struct ast_statement *inner = arena_zalloc(parse->arena, sizeof *inner);
    size_t start = parse->token.start;
    inner->position = parse->token.position;
    explain->statement = inner;
    bool explained =
        parse__is_keyword(parse, KEYWORD_INSERT) || parse__is_keyword(parse, KEYWORD_REPLACE) ||
        parse__is_keyword(parse, KEYWORD_UPDATE) || parse__is_keyword(parse, KEYWORD_DELETE) ||
        parse__is(parse, TOKEN_LEFT_PAREN) || parse__select_starts(&parse->token);
    if (!explained)
        return parse__syntax_error(parse);
    if (!parse__statement(parse, inner))
        return false;
    inner->text = slice_make(parse->text.data + start, parse->previous_end - start);
    inner->parameter_count = parse->parameter_count;
    return true;
}

bool parse__analyze(struct parse *parse, struct ast_statement *statement)
{
    struct ast_analyze *analyze = arena_zalloc(parse->arena, sizeof *analyze);
    statement->kind = AST_ANALYZE;
    statement->as.analyze = analyze;
    parse__advance(parse);
    parse__accept_keyword(parse, KEYWORD_VERBOSE);
    if (parse__is(parse, TOKEN_END) || parse__is(parse, TOKEN_SEMICOLON))
        return !parse->failed;
    return parse__name(parse, &analyze->table);
}
