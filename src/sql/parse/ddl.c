/* CREATE and DROP of tables and indexes. The body of CREATE TABLE is in ddl_table.c. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

bool parse__if_exists(struct parse *parse, bool negated, bool *out)
{
    if (!parse__is_keyword(parse, KEYWORD_IF))
        return true;
    /* A table may be called "if". */
    if (!parse__peek_keyword(parse, negated ? KEYWORD_NOT : KEYWORD_EXISTS))
        return !parse->failed;
    parse__advance(parse);
    if (negated)
        parse__advance(parse);
    *out = true;
    return parse__expect_keyword(parse, KEYWORD_EXISTS);
}

/* What stands by itself: anything else is between parentheses. */
static bool is_call(const struct ast_expr *expr)
{
    return expr->kind == AST_CALL || expr->kind == AST_CAST || expr->kind == AST_CASE;
}

/* "a", "f(a)" or "(a + b)". */
static bool parse_index_key(struct parse *parse, struct ast_index_key *key)
{
    const struct token *token = &parse->token;
    bool enclosed = parse__is(parse, TOKEN_LEFT_PAREN);
    *key = (struct ast_index_key){.position = token->position};
    bool is_called = parse__peek(parse)->kind == TOKEN_LEFT_PAREN &&
                     (token->keyword || parse__token_is_function(token));
    if (!enclosed && !is_called)
        return parse__name(parse, &key->name);
    if (enclosed)
        parse__advance(parse);
    key->expr = parse__expr(parse);
    if (!key->expr)
        return false;
    if (enclosed) {
        if (key->expr->kind == AST_COLUMN && !key->expr->as.column.table.text)
            key->name = key->expr->as.column.name;
        return parse__expect(parse, TOKEN_RIGHT_PAREN);
    }
    if (is_call(key->expr))
        return true;
    return parse__fail(parse, "42601", key->position,
                       "an expression of an index must be a call, or between parentheses");
}

/* The same with [ASC | DESC] [NULLS ...], as an index has it. */
static bool parse_ordered_key(struct parse *parse, struct ast_index_key *key)
{
    if (!parse_index_key(parse, key))
        return false;
    if (parse__is_keyword(parse, KEYWORD_COLLATE) && !parse__collate(parse))
        return false;
    key->descending = parse__accept_keyword(parse, KEYWORD_DESC);
    if (!key->descending)
        parse__accept_keyword(parse, KEYWORD_ASC);
    if (!parse__is_keyword(parse, KEYWORD_NULLS))
        return true;
    /* The order of an index is that of ORDER BY: NULLS LAST ascending, NULLS FIRST descending. */
    bool first = parse__peek_keyword(parse, KEYWORD_FIRST);
    if (first != key->descending)
        return parse__unsupported(parse, "another order of NULLs in an index is");
    parse__advance(parse);
    return parse__expect_keyword(parse, first ? KEYWORD_FIRST : KEYWORD_LAST);
}

bool parse__index_keys(struct parse *parse, bool ordered, struct ast_index_key **keys,
                       uint32_t *count)
{
    uint32_t capacity = 0;
    uint32_t parameters = parse->parameter_count;
    *keys = NULL;
    *count = 0;
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return false;
    do {
        *keys = arena_grow(parse->arena, *keys, &capacity, *count + 1, sizeof **keys);
        struct ast_index_key *key = &(*keys)[*count];
        if (!(ordered ? parse_ordered_key(parse, key) : parse_index_key(parse, key)))
            return false;
        if (parse->parameter_count > parameters)
            return parse__fail(parse, "42P02", key->position, "an index cannot have parameters");
        ++*count;
    } while (parse__accept(parse, TOKEN_COMMA));
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

/* USING btree: the only kind there is. */
static bool parse_index_method(struct parse *parse)
{
    struct ast_name method;
    if (!parse__accept_keyword(parse, KEYWORD_USING))
        return true;
    if (!parse__name(parse, &method))
        return false;
    if (strcmp(method.text, "btree") == 0)
        return true;
    return parse__fail(parse, "0A000", method.position, "index method \"%s\" is not supported",
                       method.text);
}

bool parse__include(struct parse *parse, struct ast_name **names, uint32_t *count)
{
    *names = NULL;
    *count = 0;
    if (!parse__is_word(parse, "include"))
        return !parse->failed;
    parse__advance(parse);
    if (!parse__is(parse, TOKEN_LEFT_PAREN))
        return parse__syntax_error(parse);
    return parse__name_list(parse, names, count);
}

/* [INCLUDE (a, b, ...)]: columns that are only stored. */
static bool parse_include(struct parse *parse, struct ast_create_index *create)
{
    struct ast_name *names;
    uint32_t count;
    if (!parse__include(parse, &names, &count))
        return false;
    uint32_t all = create->key_count + count;
    struct ast_index_key *keys = arena_zalloc(parse->arena, all * sizeof *keys);
    memcpy(keys, create->keys, create->key_count * sizeof *keys);
    for (uint32_t i = 0; i < count; i++)
        keys[create->key_count + i] =
            (struct ast_index_key){.name = names[i], .position = names[i].position};
    create->keys = keys;
    create->key_count = all;
    create->included_count = count;
    return true;
}

/* [WHERE condition]. */
static bool parse_index_where(struct parse *parse, struct ast_create_index *create)
{
    if (!parse__accept_keyword(parse, KEYWORD_WHERE))
        return !parse->failed;
    uint32_t position = parse->token.position;
    size_t start = parse->token.start;
    create->where = parse__expr(parse);
    if (!create->where)
        return false;
    create->where_sql = arena_strndup(parse->arena, (const char *)parse->text.data + start,
                                      parse->previous_end - start);
    if (parse->parameter_count > 0)
        return parse__fail(parse, "42P02", position, "an index cannot have parameters");
    return true;
}

/* The current token is INDEX. */
static bool parse_create_index(struct parse *parse, struct ast_statement *statement, bool unique)
{
    struct ast_create_index *create = arena_zalloc(parse->arena, sizeof *create);
    statement->kind = AST_CREATE_INDEX;
    statement->as.create_index = create;
    create->unique = unique;
    if (!parse__expect_keyword(parse, KEYWORD_INDEX))
        return false;
    parse__accept_word(parse, "concurrently"); /* it always is */
    if (!parse__if_exists(parse, true, &create->if_not_exists))
        return false;
    if (!parse__is_keyword(parse, KEYWORD_ON) && !parse__name(parse, &create->index))
        return false;
    if (!parse__expect_keyword(parse, KEYWORD_ON))
        return false;
    parse__accept_keyword(parse, KEYWORD_ONLY);
    if (!parse__table_name(parse, &create->table) || !parse_index_method(parse) ||
        !parse__index_keys(parse, true, &create->keys, &create->key_count))
        return false;
    return parse_include(parse, create) && parse_index_where(parse, create);
}

/* [OR REPLACE] VIEW name [(a, b, ...)] AS query, behind CREATE. */
static bool parse_create_view(struct parse *parse, struct ast_statement *statement, bool or_replace)
{
    struct ast_create_view *create = arena_zalloc(parse->arena, sizeof *create);
    statement->kind = AST_CREATE_VIEW;
    statement->as.create_view = create;
    create->or_replace = or_replace;
    if (!parse__expect_keyword(parse, KEYWORD_VIEW) ||
        !parse__if_exists(parse, true, &create->if_not_exists) ||
        !parse__table_name(parse, &create->view))
        return false;
    if (parse__is(parse, TOKEN_LEFT_PAREN) &&
        !parse__name_list(parse, &create->columns, &create->column_count))
        return false;
    if (!parse__expect_keyword(parse, KEYWORD_AS))
        return false;
    size_t start = parse->token.start;
    create->select = parse__select(parse);
    if (!create->select)
        return false;
    create->sql = slice_make(parse->text.data + start, parse->previous_end - start);
    if (parse->parameter_count > 0)
        return parse__fail(parse, "42P02", create->view.position, "a view cannot have parameters");
    return true;
}

/* REINDEX [INDEX | TABLE] name. */
bool parse__reindex(struct parse *parse, struct ast_statement *statement)
{
    struct ast_reindex *reindex = arena_zalloc(parse->arena, sizeof *reindex);
    statement->kind = AST_REINDEX;
    statement->as.reindex = reindex;
    parse__advance(parse);
    reindex->is_index = parse__accept_keyword(parse, KEYWORD_INDEX);
    reindex->is_table = !reindex->is_index && parse__accept_keyword(parse, KEYWORD_TABLE);
    return parse__table_name(parse, &reindex->name);
}

bool parse__create(struct parse *parse, struct ast_statement *statement)
{
    parse__advance(parse);
    if (parse__is_keyword(parse, KEYWORD_TABLE)) {
        statement->kind = AST_CREATE_TABLE;
        statement->as.create_table = parse__create_table(parse);
        return statement->as.create_table != NULL;
    }
    if (parse__is_keyword(parse, KEYWORD_INDEX))
        return parse_create_index(parse, statement, false);
    if (parse__accept_keyword(parse, KEYWORD_UNIQUE))
        return parse_create_index(parse, statement, true);
    if (parse__is_keyword(parse, KEYWORD_VIEW))
        return parse_create_view(parse, statement, false);
    if (parse__accept_keyword(parse, KEYWORD_OR)) {
        if (!parse__expect_keyword(parse, KEYWORD_REPLACE))
            return false;
        if (!parse__is_keyword(parse, KEYWORD_VIEW))
            return parse__unsupported(parse, "CREATE OR REPLACE of anything but a view is");
        return parse_create_view(parse, statement, true);
    }
    if (parse__is_word(parse, "sequence"))
        return parse__create_sequence(parse, statement);
    return !parse__refuse_object(parse, "CREATE") && parse__syntax_error(parse);
}

bool parse__drop_behavior(struct parse *parse, bool *cascade)
{
    *cascade = parse__accept_keyword(parse, KEYWORD_CASCADE);
    if (!*cascade)
        parse__accept_keyword(parse, KEYWORD_RESTRICT);
    return !parse->failed;
}

bool parse__drop(struct parse *parse, struct ast_statement *statement)
{
    struct ast_drop *drop = arena_zalloc(parse->arena, sizeof *drop);
    uint32_t capacity = 0;
    statement->as.drop = drop;
    parse__advance(parse);
    statement->kind = parse__is_keyword(parse, KEYWORD_INDEX)  ? AST_DROP_INDEX
                      : parse__is_keyword(parse, KEYWORD_VIEW) ? AST_DROP_VIEW
                      : parse__is_word(parse, "sequence")      ? AST_DROP_SEQUENCE
                                                               : AST_DROP_TABLE;
    if (statement->kind == AST_DROP_TABLE && parse__refuse_object(parse, "DROP"))
        return false;
    if (statement->kind != AST_DROP_TABLE)
        parse__advance(parse);
    else if (!parse__expect_keyword(parse, KEYWORD_TABLE))
        return false;
    if (statement->kind == AST_DROP_INDEX)
        parse__accept_word(parse, "concurrently");
    if (!parse__if_exists(parse, false, &drop->if_exists))
        return false;
    do {
        drop->names =
            arena_grow(parse->arena, drop->names, &capacity, drop->count + 1, sizeof *drop->names);
        if (!parse__table_name(parse, &drop->names[drop->count]))
            return false;
        drop->count++;
    } while (parse__accept(parse, TOKEN_COMMA));
    return parse__drop_behavior(parse, &drop->cascade);
}
