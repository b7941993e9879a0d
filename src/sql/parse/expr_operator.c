/* Operators that are other words for something else: |/ and @ for functions, ~~ for LIKE; and
 * COLLATE, which changes nothing, there being one collation. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static struct slice token_text(const struct parse *parse)
{
    const struct token *token = &parse->token;
    return slice_make(parse->text.data + token->start, token->end - token->start);
}

static bool is_operator(const struct parse *parse, const char *text)
{
    return slice_equal(token_text(parse), slice_from_string(text));
}

/* An operator of PostgreSQL's lexical form that is none of ours. */
static struct ast_expr *refuse(struct parse *parse)
{
    struct slice text = token_text(parse);
    if (text.data[0] == '`' || is_operator(parse, "==") || is_operator(parse, "&&")) {
        parse__syntax_error(parse);
        if (text.data[0] == '`')
            parse__hint(parse, "Names are quoted with double quotes.");
        return NULL;
    }
    parse__fail(parse, "42883", parse->token.position, "operator does not exist: %.*s",
                (int)(text.size > 16 ? 16 : text.size), (const char *)text.data);
    return NULL;
}

static struct ast_expr *call(struct parse *parse, const char *name, uint32_t position,
                             const struct expr_list *arguments)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_CALL, position);
    expr->as.call.name = name;
    expr->as.call.arguments = arguments->items;
    expr->as.call.count = arguments->count;
    return parse__expr_finish(parse, expr, arguments->highest);
}

/* |/ x and ||/ x are of doubles, whatever x is. */
static struct ast_expr *as_double(struct parse *parse, struct ast_expr *operand)
{
    if (!operand)
        return NULL;
    struct ast_expr *expr = parse__expr_new(parse, AST_CAST, operand->position);
    expr->as.cast.operand = operand;
    expr->as.cast.type = (struct type_spec){.kind = SQL_DOUBLE};
    expr->as.cast.type_position = operand->position;
    return parse__expr_finish(parse, expr, operand->height);
}

struct ast_expr *parse__prefix_operator(struct parse *parse)
{
    static const struct {
        const char *text;
        const char *function;
    } table[] = {{"|/", "sqrt"}, {"||/", "cbrt"}, {"@", "abs"}};
    struct expr_list list = {0};
    uint32_t position = parse->token.position;
    ASSERT(parse__is(parse, TOKEN_OPERATOR));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!is_operator(parse, table[i].text))
            continue;
        parse__advance(parse);
        struct ast_expr *operand = parse__expr_at(parse, PRECEDENCE_OTHER + 1);
        bool root = table[i].text[0] == '|';
        if (!parse__expr_append(parse, &list, root ? as_double(parse, operand) : operand))
            return NULL;
        return call(parse, table[i].function, position, &list);
    }
    if (token_text(parse).data[0] == '`')
        return refuse(parse);
    parse__syntax_error(parse);
    return NULL;
}

struct ast_expr *parse__infix_operator(struct parse *parse, struct ast_expr *left)
{
    static const struct {
        const char *text;
        bool ignore_case;
        bool negated;
    } likes[] = {
        {"~~", false, false}, {"~~*", true, false}, {"!~~", false, true}, {"!~~*", true, true}};
    uint32_t position = parse->token.position;
    ASSERT(parse__is(parse, TOKEN_OPERATOR) && left);
    if (is_operator(parse, "^@")) {
        struct expr_list list = {0};
        parse__advance(parse);
        parse__expr_append(parse, &list, left);
        if (!parse__expr_append(parse, &list, parse__expr_at(parse, PRECEDENCE_OTHER + 1)))
            return NULL;
        return call(parse, "starts_with", position, &list);
    }
    for (size_t i = 0; i < sizeof likes / sizeof *likes; i++) {
        if (!is_operator(parse, likes[i].text))
            continue;
        struct ast_expr *expr = parse__expr_new(parse, AST_LIKE, position);
        expr->as.like.operand = left;
        expr->as.like.ignore_case = likes[i].ignore_case;
        expr->as.like.negated = likes[i].negated;
        parse__advance(parse);
        expr->as.like.pattern = parse__expr_at(parse, PRECEDENCE_OTHER + 1);
        if (!expr->as.like.pattern)
            return NULL;
        uint32_t right = expr->as.like.pattern->height;
        return parse__expr_finish(parse, expr, left->height > right ? left->height : right);
    }
    return refuse(parse);
}

bool parse__collate(struct parse *parse)
{
    static const char *const names[] = {"C", "POSIX", "default", "ucs_basic"};
    struct ast_name name;
    ASSERT(parse__is_keyword(parse, KEYWORD_COLLATE));
    parse__advance(parse);
    if (!parse__label(parse, &name))
        return false;
    if (strcmp(name.text, "pg_catalog") == 0 && parse__accept(parse, TOKEN_DOT) &&
        !parse__label(parse, &name))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name.text, names[i]) == 0)
            return true;
    parse__fail(parse, "42704", name.position, "collation \"%s\" does not exist", name.text);
    if (strcmp(name.text, "nocase") == 0)
        parse__hint(parse, "Compare lower(...) of both sides, or use ILIKE.");
    else
        parse__hint(parse, "Text is ordered by its bytes; \"C\" is the one collation.");
    return false;
}
