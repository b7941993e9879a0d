/* PREPARE, EXECUTE and DEALLOCATE. */
#include "base/check.h"
#include "parse_int.h"

static bool parse_types(struct parse *parse, struct ast_prepared *prepared)
{
    uint32_t capacity = 0;
    if (!parse__accept(parse, TOKEN_LEFT_PAREN))
        return true;
    do {
        uint32_t position;
        prepared->types = arena_grow(parse->arena, prepared->types, &capacity, prepared->count + 1,
                                     sizeof *prepared->types);
        if (!parse__type(parse, &prepared->types[prepared->count++], &position))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

static bool parse_prepare(struct parse *parse, struct ast_prepared *prepared)
{
    struct ast_statement *inner = arena_zalloc(parse->arena, sizeof *inner);
    if (!parse__name(parse, &prepared->name) || !parse_types(parse, prepared) ||
        !parse__expect_keyword(parse, KEYWORD_AS))
        return false;
    size_t start = parse->token.start;
    bool fits =
        parse__is_keyword(parse, KEYWORD_INSERT) || parse__is_keyword(parse, KEYWORD_REPLACE) ||
        parse__is_keyword(parse, KEYWORD_UPDATE) || parse__is_keyword(parse, KEYWORD_DELETE) ||
        parse__is(parse, TOKEN_LEFT_PAREN) || parse__select_starts(&parse->token);
    if (!fits)
        return parse__syntax_error(parse);
    inner->position = parse->token.position;
    if (!parse__statement(parse, inner))
        return false;
    inner->text = slice_make(parse->text.data + start, parse->previous_end - start);
    inner->parameter_count = parse->parameter_count;
    parse->parameter_count = 0; /* they are the inner statement's */
    parse->sets_sequence = false;
    prepared->statement = inner;
    return true;
}

static bool parse_execute(struct parse *parse, struct ast_prepared *prepared)
{
    struct expr_list list = {0};
    if (!parse__name(parse, &prepared->name))
        return false;
    if (!parse__accept(parse, TOKEN_LEFT_PAREN))
        return true;
    if (!parse__expr_list(parse, &list) || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return false;
    prepared->arguments = list.items;
    prepared->count = list.count;
    return true;
}

bool parse__prepared(struct parse *parse, struct ast_statement *statement)
{
    struct ast_prepared *prepared = arena_zalloc(parse->arena, sizeof *prepared);
    statement->as.prepared = prepared;
    enum keyword keyword = parse->token.keyword;
    parse__advance(parse);
    if (keyword == KEYWORD_PREPARE) {
        statement->kind = AST_PREPARE;
        return parse_prepare(parse, prepared);
    }
    if (keyword == KEYWORD_EXECUTE) {
        statement->kind = AST_EXECUTE;
        return parse_execute(parse, prepared);
    }
    ASSERT(keyword == KEYWORD_DEALLOCATE);
    statement->kind = AST_DEALLOCATE;
    parse__accept_keyword(parse, KEYWORD_PREPARE);
    return parse__accept_keyword(parse, KEYWORD_ALL) || parse__name(parse, &prepared->name);
}

static void print_items(const struct ast_prepared *prepared, struct buffer *out)
{
    for (uint32_t i = 0; i < prepared->count; i++) {
        buffer_append_string(out, i ? ", " : " (");
        if (prepared->types) {
            char name[64];
            type_spec_name(prepared->types[i], name, sizeof name);
            buffer_append_string(out, name);
        } else {
            ast_print_expr(prepared->arguments[i], out);
        }
    }
    buffer_append_string(out, prepared->count ? ")" : "");
}

void parse__print_prepared(const struct ast_statement *statement, struct buffer *out)
{
    const struct ast_prepared *prepared = statement->as.prepared;
    buffer_append_string(out, statement->kind == AST_PREPARE   ? "PREPARE "
                              : statement->kind == AST_EXECUTE ? "EXECUTE "
                                                               : "DEALLOCATE ");
    if (!prepared->name.text) {
        buffer_append_string(out, "ALL");
        return;
    }
    ast_print_name(prepared->name.text, out);
    print_items(prepared, out);
    if (statement->kind == AST_PREPARE) {
        buffer_append_string(out, " AS ");
        ast_print(prepared->statement, out);
    }
}
