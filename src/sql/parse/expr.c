/* Expressions, by precedence climbing (Pratt, "Top Down Operator Precedence", 1973).
 *
 * parse__expr_at(least) reads an operand and then, as long as the next operator binds at least as
 * tightly as `least`, takes it with what stands to its right. Levels as in PostgreSQL's manual,
 * table 4.2, from loose to tight:
 *     OR | AND | NOT | IS | < > = <= >= <> | LIKE IN BETWEEN | other | + - | * / % | ^ | AT TIME
 *     ZONE | COLLATE | sign | ::
 * Comparisons and LIKE, BETWEEN do not associate: "a < b < c" is an error. */
#include "base/check.h"
#include "parse_int.h"

struct ast_expr *parse__expr_new(struct parse *parse, enum ast_expr_kind kind, uint32_t position)
{
    struct ast_expr *expr = arena_zalloc(parse->arena, sizeof *expr);
    expr->kind = kind;
    expr->position = position;
    expr->height = 1;
    return expr;
}

struct ast_expr *parse__expr_finish(struct parse *parse, struct ast_expr *expr, uint32_t highest)
{
    expr->height = highest + 1;
    return parse__check_height(parse, expr->height) ? expr : NULL;
}

bool parse__expr_append(struct parse *parse, struct expr_list *list, struct ast_expr *item)
{
    if (!item)
        return false;
    list->items = arena_grow(parse->arena, list->items, &list->capacity, list->count + 1,
                             sizeof(struct ast_expr *));
    list->items[list->count++] = item;
    if (item->height > list->highest)
        list->highest = item->height;
    return true;
}

bool parse__expr_list(struct parse *parse, struct expr_list *list)
{
    do {
        if (!parse__expr_append(parse, list, parse__expr(parse)))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}

static uint32_t higher(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* ---- what stands in front -------------------------------------------------------------------- */

/* A sign in front of a number belongs to it: -9223372036854775808 has no positive counterpart. */
static bool fold_sign(const struct parse *parse, struct ast_expr *operand,
                      const struct token *number)
{
    if (operand->kind != AST_LITERAL || operand->position != number->position)
        return false;
    struct value *value = &operand->as.literal;
    struct slice text = slice_make(parse->text.data + number->start, number->end - number->start);
    if (number->kind == TOKEN_INTEGER)
        value->as.integer = -value->as.integer;
    else if (slice_equal(text, slice_from_string("9223372036854775808")))
        *value = value_integer(INT64_MIN);
    else if (value->type == SQL_NUMERIC)
        value->as.numeric = numeric_negate(value->as.numeric);
    else if (value->type == SQL_DOUBLE)
        value->as.real = -value->as.real;
    else
        return false;
    return true;
}

static struct ast_expr *parse_unary(struct parse *parse, enum ast_operator op,
                                    enum precedence operand_at)
{
    uint32_t position = parse->token.position;
    parse__advance(parse);
    struct token number = parse->token;
    struct ast_expr *operand = parse__expr_at(parse, operand_at);
    if (!operand)
        return NULL;
    if (op == AST_OP_NEGATE && fold_sign(parse, operand, &number)) {
        operand->position = position;
        return operand;
    }
    struct ast_expr *expr = parse__expr_new(parse, AST_UNARY, position);
    expr->as.binary.operator= op;
    expr->as.binary.left = operand;
    return parse__expr_finish(parse, expr, operand->height);
}

static struct ast_expr *parse_scalar(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_SCALAR, parse->token.position);
    expr->as.select = parse__select(parse);
    if (!expr->as.select)
        return NULL;
    return parse__expr_finish(parse, expr, expr->as.select->height);
}

/* (first, b, ...): the current token is the first comma. */
static struct ast_expr *parse_row(struct parse *parse, struct ast_expr *first)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_ROW, first->position);
    struct expr_list list = {0};
    parse__expr_append(parse, &list, first);
    if (!parse__expect(parse, TOKEN_COMMA) || !parse__expr_list(parse, &list) ||
        !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    expr->as.list.items = list.items;
    expr->as.list.count = list.count;
    return parse__expr_finish(parse, expr, list.highest);
}

/* The current token is a parenthesis: a subquery, or an expression. */
static struct ast_expr *parse_parenthesis(struct parse *parse)
{
    if (parse__select_starts(parse__peek(parse))) {
        parse__advance(parse);
        struct ast_expr *scalar = parse_scalar(parse);
        return scalar && parse__expect(parse, TOKEN_RIGHT_PAREN) ? scalar : NULL;
    }
    parse__advance(parse);
    struct ast_expr *expr = parse__expr(parse);
    if (!expr)
        return NULL;
    if (expr->kind == AST_SCALAR &&
        (parse__set_follows(parse) || parse__is_keyword(parse, KEYWORD_ORDER) ||
         parse__is_keyword(parse, KEYWORD_LIMIT))) {
        /* ((SELECT ...) UNION ...): what was read is the first of the queries. */
        expr->as.select = parse__select_rest(parse, expr->as.select, true);
        if (!expr->as.select)
            return NULL;
        expr = parse__expr_finish(parse, expr, expr->as.select->height);
        return expr && parse__expect(parse, TOKEN_RIGHT_PAREN) ? expr : NULL;
    }
    if (parse__is(parse, TOKEN_COMMA))
        expr = parse_row(parse, expr);
    else if (!parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    bool is_row = expr && expr->kind == AST_ROW;
    return is_row && parse__is_keyword(parse, KEYWORD_OVERLAPS) ? parse__overlaps(parse, expr)
                                                                : expr;
}

static struct ast_expr *parse_operand(struct parse *parse)
{
    switch (parse->token.kind) {
    case TOKEN_OPERATOR:
        return parse__prefix_operator(parse);
    case TOKEN_MINUS:
        return parse_unary(parse, AST_OP_NEGATE, PRECEDENCE_UNARY);
    case TOKEN_PLUS:
        return parse_unary(parse, AST_OP_PLUS, PRECEDENCE_UNARY);
    case TOKEN_TILDE:
        return parse_unary(parse, AST_OP_BIT_NOT, PRECEDENCE_OTHER + 1);
    case TOKEN_LEFT_PAREN:
        return parse_parenthesis(parse);
    default:
        if (parse__is_keyword(parse, KEYWORD_NOT))
            return parse_unary(parse, AST_OP_NOT, PRECEDENCE_NOT);
        return parse__primary(parse);
    }
}

/* ---- what follows an operand ----------------------------------------------------------------- */

struct infix {
    enum precedence precedence;
    enum ast_operator operator;
};

static struct infix infix_of_symbol(enum token_kind kind)
{
    static const struct infix table[TOKEN_OPERATOR + 1] = {
        [TOKEN_CAST] = {PRECEDENCE_CAST, AST_OP_COUNT},
        [TOKEN_EQ] = {PRECEDENCE_COMPARE, AST_OP_EQ},
        [TOKEN_NE] = {PRECEDENCE_COMPARE, AST_OP_NE},
        [TOKEN_LT] = {PRECEDENCE_COMPARE, AST_OP_LT},
        [TOKEN_LE] = {PRECEDENCE_COMPARE, AST_OP_LE},
        [TOKEN_GT] = {PRECEDENCE_COMPARE, AST_OP_GT},
        [TOKEN_GE] = {PRECEDENCE_COMPARE, AST_OP_GE},
        [TOKEN_PLUS] = {PRECEDENCE_ADD, AST_OP_ADD},
        [TOKEN_MINUS] = {PRECEDENCE_ADD, AST_OP_SUBTRACT},
        [TOKEN_STAR] = {PRECEDENCE_MULTIPLY, AST_OP_MULTIPLY},
        [TOKEN_SLASH] = {PRECEDENCE_MULTIPLY, AST_OP_DIVIDE},
        [TOKEN_PERCENT] = {PRECEDENCE_MULTIPLY, AST_OP_MODULO},
        [TOKEN_CARET] = {PRECEDENCE_POWER, AST_OP_POWER},
        [TOKEN_CONCAT] = {PRECEDENCE_OTHER, AST_OP_CONCAT},
        [TOKEN_AMPERSAND] = {PRECEDENCE_OTHER, AST_OP_BIT_AND},
        [TOKEN_PIPE] = {PRECEDENCE_OTHER, AST_OP_BIT_OR},
        [TOKEN_HASH] = {PRECEDENCE_OTHER, AST_OP_BIT_XOR},
        [TOKEN_SHIFT_LEFT] = {PRECEDENCE_OTHER, AST_OP_SHIFT_LEFT},
        [TOKEN_SHIFT_RIGHT] = {PRECEDENCE_OTHER, AST_OP_SHIFT_RIGHT},
        [TOKEN_TILDE] = {PRECEDENCE_OTHER, AST_OP_MATCH},
        [TOKEN_IMATCH] = {PRECEDENCE_OTHER, AST_OP_IMATCH},
        [TOKEN_NOT_MATCH] = {PRECEDENCE_OTHER, AST_OP_NOT_MATCH},
        [TOKEN_NOT_IMATCH] = {PRECEDENCE_OTHER, AST_OP_NOT_IMATCH},
    };
    return table[kind];
}

static enum precedence infix_of_keyword(struct parse *parse, enum keyword keyword)
{
    switch (keyword) {
    case KEYWORD_AT:
        return parse__at_time_zone_follows(parse) ? PRECEDENCE_AT : PRECEDENCE_NONE;
    case KEYWORD_COLLATE:
        return PRECEDENCE_COLLATE;
    case KEYWORD_OR:
        return PRECEDENCE_OR;
    case KEYWORD_AND:
        return PRECEDENCE_AND;
    case KEYWORD_IS:
    case KEYWORD_ISNULL:
    case KEYWORD_NOTNULL:
        return PRECEDENCE_IS;
    case KEYWORD_IN:
    case KEYWORD_LIKE:
    case KEYWORD_ILIKE:
    case KEYWORD_BETWEEN:
    case KEYWORD_SIMILAR:
        return PRECEDENCE_LIKE;
    case KEYWORD_NOT: {
        const struct token *next = parse__peek(parse);
        bool follows = next->kind == TOKEN_WORD &&
                       (next->keyword == KEYWORD_IN || next->keyword == KEYWORD_LIKE ||
                        next->keyword == KEYWORD_ILIKE || next->keyword == KEYWORD_BETWEEN ||
                        next->keyword == KEYWORD_SIMILAR);
        return follows ? PRECEDENCE_LIKE : PRECEDENCE_NONE;
    }
    default:
        return PRECEDENCE_NONE;
    }
}

/* a AND b AND c is one node of three. */
static struct ast_expr *parse_chain(struct parse *parse, struct ast_expr *left,
                                    enum ast_expr_kind kind)
{
    enum keyword keyword = kind == AST_AND ? KEYWORD_AND : KEYWORD_OR;
    enum precedence precedence = kind == AST_AND ? PRECEDENCE_AND : PRECEDENCE_OR;
    struct ast_expr *expr = parse__expr_new(parse, kind, parse->token.position);
    struct expr_list list = {0};
    parse__expr_append(parse, &list, left);
    while (parse__accept_keyword(parse, keyword))
        if (!parse__expr_append(parse, &list, parse__expr_at(parse, precedence + 1)))
            return NULL;
    expr->as.list.items = list.items;
    expr->as.list.count = list.count;
    return parse__expr_finish(parse, expr, list.highest);
}

static struct ast_expr *make_binary(struct parse *parse, enum ast_operator op, uint32_t position,
                                    struct ast_expr *left, struct ast_expr *right)
{
    if (!left || !right)
        return NULL;
    struct ast_expr *expr = parse__expr_new(parse, AST_BINARY, position);
    expr->as.binary.operator= op;
    expr->as.binary.left = left;
    expr->as.binary.right = right;
    return parse__expr_finish(parse, expr, higher(left->height, right->height));
}

static struct ast_expr *parse_is_test(struct parse *parse, struct ast_expr *left, uint32_t position,
                                      enum ast_is test, bool negated)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_IS, position);
    expr->as.is.operand = left;
    expr->as.is.test = test;
    expr->as.is.negated = negated;
    parse__advance(parse);
    return parse__expr_finish(parse, expr, left->height);
}

/* The current token is IS, ISNULL or NOTNULL. */
static struct ast_expr *parse_is(struct parse *parse, struct ast_expr *left)
{
    uint32_t position = parse->token.position;
    if (parse__is_keyword(parse, KEYWORD_ISNULL) || parse__is_keyword(parse, KEYWORD_NOTNULL))
        return parse_is_test(parse, left, position, AST_IS_NULL,
                             parse__is_keyword(parse, KEYWORD_NOTNULL));
    parse__advance(parse);
    bool negated = parse__accept_keyword(parse, KEYWORD_NOT);
    if (parse__is_keyword(parse, KEYWORD_NULL))
        return parse_is_test(parse, left, position, AST_IS_NULL, negated);
    if (parse__is_keyword(parse, KEYWORD_TRUE))
        return parse_is_test(parse, left, position, AST_IS_TRUE, negated);
    if (parse__is_keyword(parse, KEYWORD_FALSE))
        return parse_is_test(parse, left, position, AST_IS_FALSE, negated);
    if (parse__is_keyword(parse, KEYWORD_UNKNOWN))
        return parse_is_test(parse, left, position, AST_IS_UNKNOWN, negated);
    if (!parse__expect_keyword(parse, KEYWORD_DISTINCT) ||
        !parse__expect_keyword(parse, KEYWORD_FROM))
        return NULL;
    struct ast_expr *right = parse__expr_at(parse, PRECEDENCE_IS + 1);
    return make_binary(parse, negated ? AST_OP_IS_NOT_DISTINCT : AST_OP_IS_DISTINCT, position, left,
                       right);
}

static struct ast_expr *parse_like(struct parse *parse, struct ast_expr *left, uint32_t position,
                                   bool negated)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_LIKE, position);
    expr->as.like.operand = left;
    expr->as.like.negated = negated;
    expr->as.like.ignore_case = parse__is_keyword(parse, KEYWORD_ILIKE);
    expr->as.like.similar = parse__is_keyword(parse, KEYWORD_SIMILAR);
    parse__advance(parse);
    if (expr->as.like.similar && !parse__expect_keyword(parse, KEYWORD_TO))
        return NULL;
    expr->as.like.pattern = parse__expr_at(parse, PRECEDENCE_LIKE + 1);
    if (!expr->as.like.pattern)
        return NULL;
    uint32_t highest = higher(left->height, expr->as.like.pattern->height);
    if (parse__accept_keyword(parse, KEYWORD_ESCAPE)) {
        expr->as.like.escape = parse__expr_at(parse, PRECEDENCE_LIKE + 1);
        if (!expr->as.like.escape)
            return NULL;
        highest = higher(highest, expr->as.like.escape->height);
    }
    return parse__expr_finish(parse, expr, highest);
}

static struct ast_expr *parse_between(struct parse *parse, struct ast_expr *left, uint32_t position,
                                      bool negated)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_BETWEEN, position);
    parse__advance(parse);
    expr->as.between.operand = left;
    expr->as.between.negated = negated;
    expr->as.between.symmetric = parse__accept_keyword(parse, KEYWORD_SYMMETRIC);
    if (!expr->as.between.symmetric)
        parse__accept_keyword(parse, KEYWORD_ASYMMETRIC);
    expr->as.between.low = parse__expr_at(parse, PRECEDENCE_LIKE + 1);
    if (!expr->as.between.low || !parse__expect_keyword(parse, KEYWORD_AND))
        return NULL;
    expr->as.between.high = parse__expr_at(parse, PRECEDENCE_LIKE + 1);
    if (!expr->as.between.high)
        return NULL;
    uint32_t highest = higher(expr->as.between.low->height, expr->as.between.high->height);
    return parse__expr_finish(parse, expr, higher(highest, left->height));
}

static struct ast_expr *parse_in(struct parse *parse, struct ast_expr *left, uint32_t position,
                                 bool negated)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_IN_LIST, position);
    uint32_t highest = left->height;
    parse__advance(parse);
    expr->as.in.operand = left;
    expr->as.in.negated = negated;
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return NULL;
    if (parse__select_starts(&parse->token)) {
        expr->kind = AST_IN_SELECT;
        expr->as.in.select = parse__select(parse);
        if (!expr->as.in.select)
            return NULL;
        highest = higher(highest, expr->as.in.select->height);
    } else if (!parse__is(parse, TOKEN_RIGHT_PAREN)) {
        /* Of none: PostgreSQL refuses it, SQLite and programs that write lists do not. */
        struct expr_list list = {0};
        if (!parse__expr_list(parse, &list))
            return NULL;
        expr->as.in.items = list.items;
        expr->as.in.count = list.count;
        highest = higher(highest, list.highest);
        /* ((SELECT ...)) is the same as (SELECT ...), and may be the first of several queries. */
        if (list.count == 1 && list.items[0]->kind == AST_SCALAR) {
            struct ast_select *select = list.items[0]->as.select;
            if (parse__set_follows(parse))
                select = parse__select_rest(parse, select, true);
            if (!select)
                return NULL;
            expr->kind = AST_IN_SELECT;
            expr->as.in.select = select;
            highest = higher(highest, select->height);
        }
    }
    if (!parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return parse__expr_finish(parse, expr, highest);
}

/* The current token is [NOT] LIKE, ILIKE, BETWEEN, IN, SIMILAR. */
static struct ast_expr *parse_like_level(struct parse *parse, struct ast_expr *left)
{
    uint32_t position = parse->token.position;
    bool negated = parse__accept_keyword(parse, KEYWORD_NOT);
    if (parse__is_keyword(parse, KEYWORD_BETWEEN))
        return parse_between(parse, left, position, negated);
    if (parse__is_keyword(parse, KEYWORD_IN))
        return parse_in(parse, left, position, negated);
    return parse_like(parse, left, position, negated);
}

static struct ast_expr *parse_cast_operator(struct parse *parse, struct ast_expr *left)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_CAST, parse->token.position);
    parse__advance(parse);
    expr->as.cast.operand = left;
    if (!parse__type(parse, &expr->as.cast.type, &expr->as.cast.type_position))
        return NULL;
    return parse__expr_finish(parse, expr, left->height);
}

/* ANY, SOME or ALL and a subquery behind a comparison. */
static struct ast_expr *parse_quantified(struct parse *parse, struct ast_expr *left,
                                         struct infix infix, uint32_t position)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_QUANTIFIED, position);
    expr->as.quantified.operand = left;
    expr->as.quantified.operator= infix.operator;
    expr->as.quantified.all = parse__is_keyword(parse, KEYWORD_ALL);
    if (infix.precedence != PRECEDENCE_COMPARE) {
        parse__unsupported(parse, "ANY, SOME or ALL behind an operator that is no comparison is");
        return NULL;
    }
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return NULL;
    if (!parse__select_starts(&parse->token) && !parse__is(parse, TOKEN_LEFT_PAREN)) {
        parse__unsupported(parse, "ANY, SOME or ALL of an array is");
        parse__hint(parse, "A list is written IN (a, b) or NOT IN (a, b), a query = ANY (SELECT "
                           "...).");
        return NULL;
    }
    expr->as.quantified.select = parse__select(parse);
    if (!expr->as.quantified.select || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return parse__expr_finish(parse, expr,
                              higher(left->height, expr->as.quantified.select->height));
}

static struct ast_expr *parse_symbol(struct parse *parse, struct ast_expr *left, struct infix infix)
{
    uint32_t position = parse->token.position;
    if (infix.precedence == PRECEDENCE_CAST)
        return parse_cast_operator(parse, left);
    parse__advance(parse);
    if (parse__is_keyword(parse, KEYWORD_ANY) || parse__is_keyword(parse, KEYWORD_SOME) ||
        parse__is_keyword(parse, KEYWORD_ALL))
        return parse_quantified(parse, left, infix, position);
    struct ast_expr *right = parse__expr_at(parse, infix.precedence + 1);
    return make_binary(parse, infix.operator, position, left, right);
}

static struct ast_expr *parse_keyword_infix(struct parse *parse, struct ast_expr *left,
                                            enum precedence precedence)
{
    switch (precedence) {
    case PRECEDENCE_OR:
        return parse_chain(parse, left, AST_OR);
    case PRECEDENCE_AND:
        return parse_chain(parse, left, AST_AND);
    case PRECEDENCE_IS:
        return parse_is(parse, left);
    case PRECEDENCE_AT:
        return parse__at_time_zone(parse, left);
    case PRECEDENCE_COLLATE:
        return parse__collate(parse) ? left : NULL;
    default:
        ASSERT(precedence == PRECEDENCE_LIKE);
        return parse_like_level(parse, left);
    }
}

/* The operators behind `left` that bind at least as tightly as `least`. */
static struct ast_expr *parse_operators(struct parse *parse, struct ast_expr *left,
                                        enum precedence least)
{
    enum precedence last = PRECEDENCE_NONE;
    while (left) {
        bool word = parse__is(parse, TOKEN_WORD);
        if (parse__is(parse, TOKEN_OPERATOR)) {
            if (PRECEDENCE_OTHER < least)
                return left;
            left = parse__infix_operator(parse, left);
            last = PRECEDENCE_OTHER;
            continue;
        }
        struct infix infix = word ? (struct infix){0} : infix_of_symbol(parse->token.kind);
        if (word)
            infix.precedence = infix_of_keyword(parse, parse->token.keyword);
        if (infix.precedence == PRECEDENCE_NONE || infix.precedence < least)
            return left;
        if (infix.precedence == last && (last == PRECEDENCE_COMPARE || last == PRECEDENCE_LIKE)) {
            parse__syntax_error(parse);
            return NULL;
        }
        left = word ? parse_keyword_infix(parse, left, infix.precedence)
                    : parse_symbol(parse, left, infix);
        last = infix.precedence;
    }
    return NULL;
}

struct ast_expr *parse__expr_at(struct parse *parse, enum precedence least)
{
    struct ast_expr *expr = NULL;
    if (parse__enter(parse))
        expr = parse_operators(parse, parse_operand(parse), least);
    parse__leave(parse);
    return expr;
}

struct ast_expr *parse__expr(struct parse *parse)
{
    return parse__expr_at(parse, PRECEDENCE_OR);
}
