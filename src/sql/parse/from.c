/* FROM: tables, derived tables and joins. A chain of joins leans to the left. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

bool parse__table_alias(struct parse *parse, struct ast_name *alias)
{
    *alias = (struct ast_name){0};
    if (parse__accept_keyword(parse, KEYWORD_AS))
        return parse__name(parse, alias);
    if (parse__token_is_name(&parse->token))
        return parse__name(parse, alias);
    return !parse->failed;
}

static struct ast_from *from_new(struct parse *parse, enum ast_from_kind kind)
{
    struct ast_from *from = arena_zalloc(parse->arena, sizeof *from);
    from->kind = kind;
    from->position = parse->token.position;
    return from;
}

/* [AS] alias [(a, b, ...)]. */
static bool parse_alias(struct parse *parse, struct ast_from *from)
{
    if (!parse__table_alias(parse, &from->alias))
        return false;
    if (!from->alias.text || !parse__is(parse, TOKEN_LEFT_PAREN))
        return true;
    return parse__name_list(parse, &from->columns, &from->column_count);
}

static struct ast_from *parse_table(struct parse *parse)
{
    struct ast_from *from = from_new(parse, AST_FROM_TABLE);
    if (parse__is_keyword(parse, KEYWORD_ONLY))
        parse__advance(parse);
    if (!parse__name(parse, &from->name))
        return NULL;
    if (parse__accept(parse, TOKEN_DOT)) {
        from->schema = from->name;
        if (strcmp(from->schema.text, "public") == 0)
            from->schema.text = NULL;
        if (!parse__label(parse, &from->name))
            return NULL;
    }
    if (parse__is(parse, TOKEN_LEFT_PAREN)) {
        parse__unsupported(parse, "a function in FROM is");
        return NULL;
    }
    return parse_alias(parse, from) ? from : NULL;
}

static struct ast_from *parse_joins(struct parse *parse);

/* A join that has a name hides the names in it, as (SELECT * FROM join) does. */
static struct ast_from *as_query(struct parse *parse, struct ast_from *join)
{
    struct ast_from *from = from_new(parse, AST_FROM_SELECT);
    struct ast_select *select = arena_zalloc(parse->arena, sizeof *select);
    select->targets = arena_zalloc(parse->arena, sizeof *select->targets);
    select->targets[0].position = select->position = from->position = join->position;
    select->target_count = 1;
    select->from = join;
    select->height = 2;
    from->select = select;
    return from;
}

/* (SELECT ...) or joins in parentheses; the current token is the parenthesis. */
static struct ast_from *parse_parenthesis(struct parse *parse)
{
    if (parse__select_starts(parse__peek(parse))) {
        struct ast_from *from = from_new(parse, AST_FROM_SELECT);
        parse__advance(parse);
        from->select = parse__select(parse);
        if (!from->select || !parse__expect(parse, TOKEN_RIGHT_PAREN))
            return NULL;
        return parse_alias(parse, from) ? from : NULL;
    }
    parse__advance(parse);
    struct ast_from *from = parse_joins(parse);
    if (from && from->kind == AST_FROM_SELECT && !from->alias.text && parse__set_follows(parse)) {
        from->select = parse__select_rest(parse, from->select, true);
        if (!from->select)
            return NULL;
    }
    if (!from || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    if (from->kind == AST_FROM_SELECT && !from->alias.text)
        return parse_alias(parse, from) ? from : NULL;
    bool named = parse__is_keyword(parse, KEYWORD_AS) || parse__token_is_name(&parse->token);
    if (named && from->kind == AST_FROM_JOIN)
        from = as_query(parse, from);
    else if (named)
        parse__syntax_error(parse);
    return named && !parse_alias(parse, from) ? NULL : from;
}

static bool function_follows(struct parse *parse)
{
    return parse__token_is_function(&parse->token) && parse__peek(parse)->kind == TOKEN_LEFT_PAREN;
}

/* name(arguments) [alias]. */
static struct ast_from *parse_function(struct parse *parse)
{
    struct ast_from *from = from_new(parse, AST_FROM_FUNCTION);
    from->call = parse__call(parse);
    if (!from->call)
        return NULL;
    if (parse__is_keyword(parse, KEYWORD_WITH)) {
        parse__unsupported(parse, "WITH ORDINALITY is");
        return NULL;
    }
    return parse_alias(parse, from) ? from : NULL;
}

/* Behind LATERAL: a function, or a query in parentheses, which may begin with one of its own. */
static struct ast_from *parse_lateral(struct parse *parse)
{
    struct ast_from *from = NULL;
    if (function_follows(parse))
        from = parse_function(parse);
    else if (parse__is(parse, TOKEN_LEFT_PAREN))
        from = parse_parenthesis(parse);
    else
        parse__syntax_error(parse);
    if (from && from->kind != AST_FROM_FUNCTION && from->kind != AST_FROM_SELECT) {
        parse__syntax_error(parse);
        return NULL;
    }
    if (from)
        from->lateral = true;
    return from;
}

static struct ast_from *parse_item(struct parse *parse)
{
    if (parse__accept_keyword(parse, KEYWORD_LATERAL))
        return parse_lateral(parse);
    if (function_follows(parse))
        return parse_function(parse);
    return parse__is(parse, TOKEN_LEFT_PAREN) ? parse_parenthesis(parse) : parse_table(parse);
}

/* The words in front of JOIN, and JOIN; false when they are not there. */
static bool parse_join_words(struct parse *parse, struct ast_from *join)
{
    static const struct {
        enum keyword keyword;
        enum ast_join_kind kind;
    } words[] = {
        {KEYWORD_CROSS, AST_JOIN_CROSS}, {KEYWORD_INNER, AST_JOIN_INNER},
        {KEYWORD_LEFT, AST_JOIN_LEFT},   {KEYWORD_RIGHT, AST_JOIN_RIGHT},
        {KEYWORD_FULL, AST_JOIN_FULL},
    };
    join->natural = parse__accept_keyword(parse, KEYWORD_NATURAL);
    join->join = AST_JOIN_INNER;
    bool found = join->natural;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (join->natural && words[i].kind == AST_JOIN_CROSS)
            continue;
        if (!parse__accept_keyword(parse, words[i].keyword))
            continue;
        found = true;
        join->join = words[i].kind;
        if (join->join == AST_JOIN_LEFT || join->join == AST_JOIN_RIGHT ||
            join->join == AST_JOIN_FULL)
            parse__accept_keyword(parse, KEYWORD_OUTER);
        break;
    }
    if (found)
        return parse__expect_keyword(parse, KEYWORD_JOIN);
    return parse__accept_keyword(parse, KEYWORD_JOIN);
}

static bool parse_join_condition(struct parse *parse, struct ast_from *join)
{
    if (join->join == AST_JOIN_CROSS || join->natural)
        return true;
    if (parse__accept_keyword(parse, KEYWORD_USING))
        return parse__name_list(parse, &join->using, &join->using_count);
    if (!parse__expect_keyword(parse, KEYWORD_ON))
        return false;
    join->on = parse__expr(parse);
    return join->on != NULL;
}

/* The right side of a join: a further join may come before this one's condition, as in
 * "a JOIN b JOIN c ON ... ON ...", which then belongs to the right. */
static struct ast_from *parse_right(struct parse *parse, const struct ast_from *join)
{
    struct ast_from *right = NULL;
    if (!parse__enter(parse)) {
        parse__leave(parse);
        return NULL;
    }
    right = parse_item(parse);
    bool conditioned = join->join != AST_JOIN_CROSS && !join->natural;
    while (right && conditioned && !parse__is_keyword(parse, KEYWORD_ON) &&
           !parse__is_keyword(parse, KEYWORD_USING)) {
        struct ast_from *inner = from_new(parse, AST_FROM_JOIN);
        if (!parse_join_words(parse, inner))
            break;
        inner->left = right;
        inner->right = parse_right(parse, inner);
        right = inner->right && parse_join_condition(parse, inner) ? inner : NULL;
    }
    parse__leave(parse);
    return right;
}

/* table [JOIN table ON ...]... */
static struct ast_from *parse_joins(struct parse *parse)
{
    struct ast_from *left = NULL;
    uint32_t count = 0;
    if (!parse__enter(parse)) {
        parse__leave(parse);
        return NULL;
    }
    left = parse_item(parse);
    while (left) {
        struct ast_from *join = from_new(parse, AST_FROM_JOIN);
        if (!parse_join_words(parse, join))
            break;
        join->left = left;
        join->right = parse_right(parse, join);
        bool good =
            join->right && parse_join_condition(parse, join) && parse__check_height(parse, ++count);
        left = good ? join : NULL;
    }
    parse__leave(parse);
    return parse->failed ? NULL : left;
}

struct ast_from *parse__from(struct parse *parse)
{
    struct ast_from *left = parse_joins(parse);
    uint32_t count = 0;
    while (left && parse__is(parse, TOKEN_COMMA)) {
        struct ast_from *join = from_new(parse, AST_FROM_JOIN);
        parse__advance(parse);
        join->join = AST_JOIN_CROSS;
        join->left = left;
        join->right = parse_joins(parse);
        left = join->right && parse__check_height(parse, ++count) ? join : NULL;
    }
    return left;
}
