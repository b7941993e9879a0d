/* Function calls, aggregate modifiers, and the standard's forms that read like sentences:
 * SUBSTRING(x FROM a FOR b), POSITION(a IN b), TRIM(LEADING c FROM x), CURRENT_USER. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static struct ast_expr *finish_call(struct parse *parse, struct ast_expr *call, const char *name,
                                    const struct expr_list *arguments)
{
    call->as.call.name = name;
    parse->sets_sequence |= strcmp(name, "setval") == 0;
    call->as.call.arguments = arguments->items;
    call->as.call.count = arguments->count;
    return parse__expr_finish(parse, call, arguments->highest);
}

static struct ast_expr *make_call(struct parse *parse, const char *name, uint32_t position,
                                  const struct expr_list *arguments)
{
    return finish_call(parse, parse__expr_new(parse, AST_CALL, position), name, arguments);
}

/* FILTER (WHERE condition). */
static struct ast_expr *parse_filter(struct parse *parse, struct ast_expr *call)
{
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN) || !parse__expect_keyword(parse, KEYWORD_WHERE))
        return NULL;
    call->as.call.filter = parse__expr(parse);
    if (!call->as.call.filter || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    uint32_t below = call->height - 1;
    uint32_t filter = call->as.call.filter->height;
    return parse__expr_finish(parse, call, filter > below ? filter : below);
}

/* WITHIN GROUP (ORDER BY ...), at WITHIN. */
static struct ast_expr *parse_within(struct parse *parse, struct ast_expr *call)
{
    uint32_t highest = call->height - 1;
    uint32_t position = parse->token.position;
    parse__advance(parse);
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return NULL;
    bool twice = call->as.call.order_count > 0 || call->as.call.distinct || call->as.call.star;
    if (twice) {
        parse__fail(parse, "42601", position, "cannot use %s with WITHIN GROUP",
                    call->as.call.distinct ? "DISTINCT"
                    : call->as.call.star   ? "*"
                                           : "multiple ORDER BY clauses");
        return NULL;
    }
    call->as.call.within_group = true;
    if (!parse__is_keyword(parse, KEYWORD_ORDER)) {
        parse__syntax_error(parse);
        return NULL;
    }
    if (!parse__orders(parse, &call->as.call.orders, &call->as.call.order_count, &highest) ||
        !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return parse__expr_finish(parse, call, highest);
}

static bool within_follows(struct parse *parse)
{
    return parse__is_word(parse, "within") && parse__peek_keyword(parse, KEYWORD_GROUP);
}

/* OVERLAY(x PLACING y FROM n [FOR m]), behind the x. */
static bool parse_placing(struct parse *parse, struct expr_list *list)
{
    parse__advance(parse);
    if (!parse__expr_append(parse, list, parse__expr(parse)) ||
        !parse__expect_keyword(parse, KEYWORD_FROM) ||
        !parse__expr_append(parse, list, parse__expr(parse)))
        return false;
    return !parse__accept_keyword(parse, KEYWORD_FOR) ||
           parse__expr_append(parse, list, parse__expr(parse));
}

/* What stands between the parentheses of an ordinary call, into `call`. */
static bool parse_arguments(struct parse *parse, struct ast_expr *call, struct expr_list *list)
{
    if (parse__is(parse, TOKEN_STAR)) {
        call->as.call.star = true;
        parse__advance(parse);
        return true;
    }
    if (parse__is(parse, TOKEN_RIGHT_PAREN))
        return true;
    call->as.call.distinct = parse__accept_keyword(parse, KEYWORD_DISTINCT);
    if (!call->as.call.distinct)
        parse__accept_keyword(parse, KEYWORD_ALL);
    if (parse__is_keyword(parse, KEYWORD_VARIADIC))
        return parse__unsupported(parse, "VARIADIC is");
    if (!parse__expr_list(parse, list))
        return false;
    if (list->count == 1 && parse__is_keyword(parse, KEYWORD_PLACING))
        return parse_placing(parse, list);
    return parse__orders(parse, &call->as.call.orders, &call->as.call.order_count, &list->highest);
}

/* The current token is the name, a parenthesis follows. */
struct ast_expr *parse__call(struct parse *parse)
{
    struct token name = parse->token;
    struct expr_list list = {0};
    struct ast_expr *call = parse__expr_new(parse, AST_CALL, name.position);
    ASSERT(name.name);
    parse__advance(parse);
    parse__advance(parse);
    bool named = strcmp(name.name, "make_interval") == 0 && parse__named_arguments_follow(parse);
    bool good =
        named ? parse__interval_arguments(parse, &list) : parse_arguments(parse, call, &list);
    if (!good || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    call = finish_call(parse, call, name.name, &list);
    if (!call)
        return NULL;
    if (within_follows(parse))
        call = parse_within(parse, call);
    if (call && parse__is_keyword(parse, KEYWORD_FILTER) &&
        parse__peek(parse)->kind == TOKEN_LEFT_PAREN)
        call = parse_filter(parse, call);
    if (call && parse__is_keyword(parse, KEYWORD_OVER))
        return parse__over(parse, call);
    return call;
}

static struct ast_expr *integer_one(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_LITERAL, parse->token.position);
    expr->as.literal = value_integer(1);
    return expr;
}

/* SUBSTRING(x FROM a FOR b), (x FOR b), (x, a, b). */
static bool parse_substring(struct parse *parse, struct expr_list *list)
{
    if (!parse__expr_append(parse, list, parse__expr(parse)))
        return false;
    if (parse__is_keyword(parse, KEYWORD_FROM) || parse__is_keyword(parse, KEYWORD_FOR)) {
        bool from = parse__accept_keyword(parse, KEYWORD_FROM);
        if (!parse__expr_append(parse, list, from ? parse__expr(parse) : integer_one(parse)))
            return false;
        if (parse__accept_keyword(parse, KEYWORD_FOR))
            return parse__expr_append(parse, list, parse__expr(parse));
        return true;
    }
    return !parse__accept(parse, TOKEN_COMMA) || parse__expr_list(parse, list);
}

/* POSITION(needle IN haystack). */
static bool parse_position(struct parse *parse, struct expr_list *list)
{
    return parse__expr_append(parse, list, parse__expr_at(parse, PRECEDENCE_LIKE + 1)) &&
           parse__expect_keyword(parse, KEYWORD_IN) &&
           parse__expr_append(parse, list, parse__expr_at(parse, PRECEDENCE_LIKE + 1));
}

/* TRIM([BOTH | LEADING | TRAILING] [characters] FROM x), TRIM(x, characters). */
static bool parse_trim(struct parse *parse, struct expr_list *list, const char **name)
{
    *name = "trim";
    if (parse__accept_keyword(parse, KEYWORD_LEADING))
        *name = "ltrim";
    else if (parse__accept_keyword(parse, KEYWORD_TRAILING))
        *name = "rtrim";
    else
        parse__accept_keyword(parse, KEYWORD_BOTH);
    struct ast_expr *characters = NULL;
    if (!parse__is_keyword(parse, KEYWORD_FROM)) {
        characters = parse__expr(parse);
        if (!characters)
            return false;
    }
    if (!parse__accept_keyword(parse, KEYWORD_FROM)) {
        parse__expr_append(parse, list, characters);
        return !parse__accept(parse, TOKEN_COMMA) || parse__expr_list(parse, list);
    }
    if (!parse__expr_list(parse, list))
        return false;
    return !characters || parse__expr_append(parse, list, characters);
}

/* Words that are calls without parentheses. */
static struct ast_expr *parse_bare_call(struct parse *parse, const char *name)
{
    struct expr_list none = {0};
    uint32_t position = parse->token.position;
    parse__advance(parse);
    return make_call(parse, name, position, &none);
}

/* The current token is one of the words with a syntax of its own, a parenthesis follows. */
static struct ast_expr *parse_special(struct parse *parse)
{
    struct token word = parse->token;
    struct expr_list list = {0};
    const char *name = word.name;
    bool good;
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return NULL;
    switch (word.keyword) {
    case KEYWORD_SUBSTRING:
        good = parse_substring(parse, &list);
        break;
    case KEYWORD_POSITION:
        good = parse_position(parse, &list);
        break;
    case KEYWORD_EXTRACT:
        good = parse__extract(parse, &list);
        break;
    case KEYWORD_TRIM:
        good = parse_trim(parse, &list, &name);
        break;
    default:
        good = parse__expr_list(parse, &list);
        break;
    }
    if (!good || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return make_call(parse, name, word.position, &list);
}

/* ROW(a, b). */
static struct ast_expr *parse_row(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_ROW, parse->token.position);
    struct expr_list list = {0};
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN) || !parse__expr_list(parse, &list) ||
        !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    expr->as.list.items = list.items;
    expr->as.list.count = list.count;
    return parse__expr_finish(parse, expr, list.highest);
}

struct ast_expr *parse__call_keyword(struct parse *parse)
{
    switch (parse->token.keyword) {
    case KEYWORD_COALESCE:
    case KEYWORD_NULLIF:
    case KEYWORD_GREATEST:
    case KEYWORD_LEAST:
    case KEYWORD_SUBSTRING:
    case KEYWORD_POSITION:
    case KEYWORD_TRIM:
    case KEYWORD_EXTRACT:
        return parse_special(parse);
    case KEYWORD_CURRENT_USER:
    case KEYWORD_SESSION_USER:
    case KEYWORD_USER:
    case KEYWORD_CURRENT_ROLE:
        return parse_bare_call(parse, "current_user");
    case KEYWORD_CURRENT_SCHEMA:
        return parse_bare_call(parse, "current_schema");
    case KEYWORD_CURRENT_CATALOG:
        return parse_bare_call(parse, "current_database");
    case KEYWORD_ROW:
        return parse_row(parse);
    case KEYWORD_CURRENT_DATE:
        return parse__current(parse, SQL_DATE);
    case KEYWORD_CURRENT_TIME:
    case KEYWORD_LOCALTIME:
        return parse__current(parse, SQL_TIME);
    case KEYWORD_CURRENT_TIMESTAMP:
        return parse__current(parse, SQL_TIMESTAMPTZ);
    case KEYWORD_LOCALTIMESTAMP:
        return parse__current(parse, SQL_TIMESTAMP);
    default:
        parse__syntax_error(parse);
        return NULL;
    }
}
