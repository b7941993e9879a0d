/* SELECT and VALUES, and ORDER BY, LIMIT and OFFSET behind them. */
#include "base/check.h"
#include "parse_int.h"

bool parse__select_starts(const struct token *token)
{
    return token->kind == TOKEN_WORD &&
           (token->keyword == KEYWORD_SELECT || token->keyword == KEYWORD_VALUES ||
            token->keyword == KEYWORD_WITH);
}

static void note_height(struct ast_select *select, uint32_t height)
{
    if (height + 1 > select->height)
        select->height = height + 1;
}

/* An expression directly below the select; NULL after an error. */
static struct ast_expr *parse_part(struct parse *parse, struct ast_select *select)
{
    struct ast_expr *expr = parse__expr(parse);
    if (expr)
        note_height(select, expr->height);
    return expr;
}

/* ---- the select list ------------------------------------------------------------------------- */

/* t.* : a name, a dot and a star. Only two tokens are looked at, so a column t.a that was read as
 * far as its dot goes on from here. */
static bool parse_target(struct parse *parse, struct ast_select *select, struct ast_target *target)
{
    target->position = parse->token.position;
    if (parse__accept(parse, TOKEN_STAR))
        return true;
    if (parse__token_is_name(&parse->token) && parse__peek(parse)->kind == TOKEN_DOT) {
        struct parse saved = *parse;
        parse__name(parse, &target->table);
        parse__advance(parse);
        if (parse__accept(parse, TOKEN_STAR))
            return true;
        /* Not a star: read it again as an expression. */
        if (parse->failed)
            return false;
        *parse = saved;
        target->table = (struct ast_name){0};
    }
    target->expr = parse_part(parse, select);
    if (!target->expr)
        return false;
    if (parse__accept_keyword(parse, KEYWORD_AS))
        return parse__label(parse, &target->alias);
    if (parse__token_is_bare_label(&parse->token))
        return parse__label(parse, &target->alias);
    return true;
}

static bool select_list_ends(const struct parse *parse)
{
    return parse__is(parse, TOKEN_END) || parse__is(parse, TOKEN_SEMICOLON) ||
           parse__is(parse, TOKEN_RIGHT_PAREN) || parse__is_keyword(parse, KEYWORD_FROM) ||
           parse__is_keyword(parse, KEYWORD_WHERE);
}

static bool parse_targets(struct parse *parse, struct ast_select *select)
{
    uint32_t capacity = 0;
    if (select_list_ends(parse))
        return !select->distinct || parse__syntax_error(parse);
    do {
        select->targets = arena_grow(parse->arena, select->targets, &capacity,
                                     select->target_count + 1, sizeof *select->targets);
        struct ast_target *target = &select->targets[select->target_count++];
        *target = (struct ast_target){0};
        if (!parse_target(parse, select, target))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}

/* RETURNING takes a select list. */
bool parse__returning(struct parse *parse, struct ast_target **targets, uint32_t *count)
{
    if (!parse__accept_keyword(parse, KEYWORD_RETURNING))
        return !parse->failed;
    struct ast_select select = {.distinct = true}; /* so that the list must not be empty */
    if (!parse_targets(parse, &select))
        return false;
    *targets = select.targets;
    *count = select.target_count;
    return parse__check_height(parse, select.height);
}

/* ---- ORDER BY, LIMIT, OFFSET ----------------------------------------------------------------- */

static bool parse_order(struct parse *parse, struct ast_order *order)
{
    order->expr = parse__expr(parse);
    if (!order->expr)
        return false;
    order->descending = parse__accept_keyword(parse, KEYWORD_DESC);
    if (!order->descending)
        parse__accept_keyword(parse, KEYWORD_ASC);
    order->nulls_first = order->descending;
    order->nulls_named = parse__accept_keyword(parse, KEYWORD_NULLS);
    if (!order->nulls_named)
        return true;
    order->nulls_first = parse__accept_keyword(parse, KEYWORD_FIRST);
    return order->nulls_first || parse__expect_keyword(parse, KEYWORD_LAST);
}

bool parse__orders(struct parse *parse, struct ast_order **orders, uint32_t *count,
                   uint32_t *highest)
{
    uint32_t capacity = 0;
    if (!parse__accept_keyword(parse, KEYWORD_ORDER))
        return !parse->failed;
    if (!parse__expect_keyword(parse, KEYWORD_BY))
        return false;
    do {
        *orders = arena_grow(parse->arena, *orders, &capacity, *count + 1, sizeof **orders);
        struct ast_order *order = &(*orders)[(*count)++];
        *order = (struct ast_order){0};
        if (!parse_order(parse, order))
            return false;
        if (order->expr->height > *highest)
            *highest = order->expr->height;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}

static bool accept_rows(struct parse *parse)
{
    return parse__accept_keyword(parse, KEYWORD_ROW) || parse__accept_keyword(parse, KEYWORD_ROWS);
}

/* FETCH { FIRST | NEXT } [count] { ROW | ROWS } { ONLY | WITH TIES }, behind the word FETCH. */
static bool parse_fetch(struct parse *parse, struct ast_select *select)
{
    if (!parse__accept_keyword(parse, KEYWORD_FIRST) && !parse__expect_keyword(parse, KEYWORD_NEXT))
        return false;
    if (parse__is_keyword(parse, KEYWORD_ROW) || parse__is_keyword(parse, KEYWORD_ROWS)) {
        select->limit = parse__expr_new(parse, AST_LITERAL, parse->token.position);
        select->limit->as.literal = value_integer(1);
    } else {
        /* "c_expr": without an operator, or ROW would be taken for one. */
        select->limit = parse__expr_at(parse, PRECEDENCE_UNARY);
        if (!select->limit)
            return false;
        note_height(select, select->limit->height);
    }
    if (!accept_rows(parse))
        return parse__syntax_error(parse);
    if (!parse__is_keyword(parse, KEYWORD_WITH))
        return parse__expect_keyword(parse, KEYWORD_ONLY);
    if (select->order_count == 0)
        return parse__fail(parse, "42601", parse->token.position,
                           "WITH TIES cannot be specified without ORDER BY clause");
    parse__advance(parse);
    select->with_ties = true;
    return parse__expect_word(parse, "ties");
}

static bool parse_limit(struct parse *parse, struct ast_select *select)
{
    if (parse__accept_keyword(parse, KEYWORD_ALL))
        return true;
    select->limit = parse_part(parse, select);
    if (!select->limit)
        return false;
    if (parse__is(parse, TOKEN_COMMA)) {
        parse__fail(parse, "42601", parse->token.position, "LIMIT #,# syntax is not supported");
        parse__hint(parse, "Use separate LIMIT and OFFSET clauses.");
        return false;
    }
    return true;
}

static bool parse_offset(struct parse *parse, struct ast_select *select)
{
    select->offset = parse_part(parse, select);
    if (!select->offset)
        return false;
    accept_rows(parse);
    return true;
}

static bool parse_locking(struct parse *parse)
{
    parse__unsupported(parse, "row locking with FOR is");
    parse__hint(parse, "It is not needed: transactions are serializable, a conflict is found at "
                       "COMMIT.");
    return false;
}

bool parse__select_tail(struct parse *parse, struct ast_select *select)
{
    bool limited = false;
    bool moved = false;
    uint32_t highest = 0;
    if (!parse__orders(parse, &select->orders, &select->order_count, &highest))
        return false;
    note_height(select, highest);
    for (;;) {
        bool fetch = parse__is_keyword(parse, KEYWORD_FETCH);
        if (!limited && (fetch || parse__is_keyword(parse, KEYWORD_LIMIT))) {
            limited = true;
            parse__advance(parse);
            if (!(fetch ? parse_fetch(parse, select) : parse_limit(parse, select)))
                return false;
        } else if (!moved && parse__accept_keyword(parse, KEYWORD_OFFSET)) {
            moved = true;
            if (!parse_offset(parse, select))
                return false;
        } else {
            break;
        }
    }
    if (parse__is_keyword(parse, KEYWORD_FOR))
        return parse_locking(parse);
    return !parse->failed;
}

/* ---- the body -------------------------------------------------------------------------------- */

static bool parse_grouping(struct parse *parse, struct ast_select *select)
{
    if (parse__accept_keyword(parse, KEYWORD_GROUP)) {
        struct expr_list list = {0};
        if (!parse__expect_keyword(parse, KEYWORD_BY) || !parse__expr_list(parse, &list))
            return false;
        select->groups = list.items;
        select->group_count = list.count;
        note_height(select, list.highest);
    }
    if (parse__accept_keyword(parse, KEYWORD_HAVING)) {
        select->having = parse_part(parse, select);
        if (!select->having)
            return false;
    }
    uint32_t highest = 0;
    if (!parse__windows(parse, &select->windows, &select->window_count, &highest))
        return false;
    note_height(select, highest);
    return !parse->failed;
}

/* The height of a tree of FROM items. */
static uint32_t from_height(const struct ast_from *from)
{
    uint32_t height = 0;
    uint32_t level = 1;
    for (; from; from = from->kind == AST_FROM_JOIN ? from->left : NULL, level++) {
        uint32_t here = from->kind == AST_FROM_JOIN ? from_height(from->right) : 0;
        if (from->kind == AST_FROM_SELECT)
            here = from->select->height;
        if (from->kind == AST_FROM_FUNCTION)
            here = from->call->height;
        if (from->on && from->on->height > here)
            here = from->on->height;
        if (level + here > height)
            height = level + here;
    }
    return height;
}

static bool parse_select_body(struct parse *parse, struct ast_select *select)
{
    parse__advance(parse);
    bool distinct = parse__accept_keyword(parse, KEYWORD_DISTINCT);
    if (distinct && parse__accept_keyword(parse, KEYWORD_ON)) {
        struct expr_list list = {0};
        if (!parse__expect(parse, TOKEN_LEFT_PAREN) || !parse__expr_list(parse, &list) ||
            !parse__expect(parse, TOKEN_RIGHT_PAREN))
            return false;
        select->distinct_on = list.items;
        select->distinct_on_count = list.count;
        note_height(select, list.highest);
    }
    select->distinct = distinct && !select->distinct_on;
    if (!distinct)
        parse__accept_keyword(parse, KEYWORD_ALL);
    if (!parse_targets(parse, select))
        return false;
    if (parse__is_keyword(parse, KEYWORD_INTO)) {
        parse__unsupported(parse, "SELECT INTO is");
        parse__hint(parse, "Use INSERT INTO ... SELECT.");
        return false;
    }
    if (parse__accept_keyword(parse, KEYWORD_FROM)) {
        select->from = parse__from(parse);
        if (!select->from)
            return false;
        note_height(select, from_height(select->from));
    }
    if (parse__accept_keyword(parse, KEYWORD_WHERE)) {
        select->where = parse_part(parse, select);
        if (!select->where)
            return false;
    }
    return parse_grouping(parse, select);
}

/* ---- VALUES ---------------------------------------------------------------------------------- */

static struct ast_expr *parse_values_item(struct parse *parse, bool defaults)
{
    if (defaults && parse__is_keyword(parse, KEYWORD_DEFAULT)) {
        struct ast_expr *expr = parse__expr_new(parse, AST_DEFAULT, parse->token.position);
        parse__advance(parse);
        return expr;
    }
    return parse__expr(parse);
}

/* One "(a, b, ...)", appended to the list. */
static bool parse_values_row(struct parse *parse, struct ast_select *select, struct expr_list *list,
                             bool defaults)
{
    uint32_t position = parse->token.position;
    uint32_t before = list->count;
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return false;
    do {
        if (!parse__expr_append(parse, list, parse_values_item(parse, defaults)))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    if (!parse__expect(parse, TOKEN_RIGHT_PAREN))
        return false;
    uint32_t count = list->count - before;
    if (select->row_count && count != select->column_count)
        return parse__fail(parse, "42601", position, "VALUES lists must all be the same length");
    select->column_count = count;
    select->row_count++;
    return true;
}

static struct ast_select *parse_values_rows(struct parse *parse, bool defaults)
{
    struct ast_select *select = arena_zalloc(parse->arena, sizeof *select);
    struct expr_list list = {0};
    select->position = parse->token.position;
    if (!parse__expect_keyword(parse, KEYWORD_VALUES))
        return NULL;
    do {
        if (!parse_values_row(parse, select, &list, defaults))
            return NULL;
    } while (parse__accept(parse, TOKEN_COMMA));
    select->rows = list.items;
    note_height(select, list.highest);
    ASSERT(list.count == select->row_count * select->column_count);
    return select;
}

struct ast_select *parse__values(struct parse *parse, bool defaults)
{
    struct ast_select *select = parse_values_rows(parse, defaults);
    return select ? parse__select_rest(parse, select, false) : NULL;
}

struct ast_select *parse__select_plain(struct parse *parse)
{
    if (parse__is_keyword(parse, KEYWORD_VALUES))
        return parse_values_rows(parse, false);
    if (!parse__is_keyword(parse, KEYWORD_SELECT)) {
        parse__syntax_error(parse);
        return NULL;
    }
    struct ast_select *select = arena_zalloc(parse->arena, sizeof *select);
    select->position = parse->token.position;
    select->height = 1;
    return parse_select_body(parse, select) ? select : NULL;
}
