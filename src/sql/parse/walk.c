/* The columns, or the calls, of an expression that stands by itself: of a CHECK, an index, a
 * DEFAULT; and whether a text has a name at all. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

struct walk {
    enum ast_expr_kind wanted;
    ast_column_fn *visit;
    void *context;
};

static void walk_expr(const struct walk *walk, struct ast_expr *expr);

static void walk_list(const struct walk *walk, struct ast_expr **items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        walk_expr(walk, items[i]);
}

static void walk_three(const struct walk *walk, struct ast_expr *a, struct ast_expr *b,
                       struct ast_expr *c)
{
    struct ast_expr *all[] = {a, b, c};
    walk_list(walk, all, 3);
}

static void walk_case(const struct walk *walk, struct ast_expr *expr)
{
    walk_expr(walk, expr->as.match.operand);
    for (uint32_t i = 0; i < expr->as.match.count; i++) {
        walk_expr(walk, expr->as.match.whens[i].condition);
        walk_expr(walk, expr->as.match.whens[i].result);
    }
    walk_expr(walk, expr->as.match.otherwise);
}

static void walk_expr(const struct walk *walk, struct ast_expr *expr)
{
    if (!expr)
        return;
    if (expr->kind == walk->wanted)
        walk->visit(walk->context, expr);
    switch (expr->kind) {
    case AST_UNARY:
    case AST_BINARY:
        walk_three(walk, expr->as.binary.left, expr->as.binary.right, NULL);
        return;
    case AST_AND:
    case AST_OR:
    case AST_ROW:
        walk_list(walk, expr->as.list.items, expr->as.list.count);
        return;
    case AST_IS:
        walk_expr(walk, expr->as.is.operand);
        return;
    case AST_LIKE:
        walk_three(walk, expr->as.like.operand, expr->as.like.pattern, expr->as.like.escape);
        return;
    case AST_BETWEEN:
        walk_three(walk, expr->as.between.operand, expr->as.between.low, expr->as.between.high);
        return;
    case AST_IN_LIST:
        walk_expr(walk, expr->as.in.operand);
        walk_list(walk, expr->as.in.items, expr->as.in.count);
        return;
    case AST_CASE:
        walk_case(walk, expr);
        return;
    case AST_CAST:
        walk_expr(walk, expr->as.cast.operand);
        return;
    case AST_CALL:
        walk_list(walk, expr->as.call.arguments, expr->as.call.count);
        return;
    default:
        return;
    }
}

void ast_each_column(struct ast_expr *expr, ast_column_fn *visit, void *context)
{
    ASSERT(expr && visit);
    struct walk walk = {AST_COLUMN, visit, context};
    walk_expr(&walk, expr);
}

void ast_each_call(struct ast_expr *expr, ast_column_fn *visit, void *context)
{
    ASSERT(expr && visit);
    struct walk walk = {AST_CALL, visit, context};
    walk_expr(&walk, expr);
}

/* A star between parentheses counts, one in front of an operand multiplies; one in front of
 * anything else stands for columns. */
static bool star_is_columns(enum token_kind before, const struct token *behind)
{
    if (before == TOKEN_LEFT_PAREN)
        return false;
    return behind->kind == TOKEN_END || behind->kind == TOKEN_COMMA ||
           behind->kind == TOKEN_RIGHT_PAREN || behind->kind == TOKEN_SEMICOLON ||
           (behind->kind == TOKEN_WORD && behind->keyword != KEYWORD_NONE);
}

bool parse_names(struct slice text, const char *name, bool *star)
{
    struct arena arena = {0};
    struct error error;
    struct parse parse;
    enum token_kind before = TOKEN_END;
    bool found = false;
    ASSERT(name && star);
    *star = false;
    parse__start(&parse, text, 0, 1, &arena, &error);
    while (!parse.failed && !parse__is(&parse, TOKEN_END)) {
        const struct token *token = &parse.token;
        bool is_name = token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED;
        found |= is_name && strcmp(token->name, name) == 0;
        *star |= parse__is_keyword(&parse, KEYWORD_NATURAL) ||
                 (token->kind == TOKEN_STAR && star_is_columns(before, parse__peek(&parse)));
        before = token->kind;
        parse__advance(&parse);
    }
    arena_free(&arena);
    return found || parse.failed;
}
