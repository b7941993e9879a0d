/* CHAR(n), which PostgreSQL calls bpchar.
 *
 * Values are stored, compared and computed with as texts without blanks at their end, which makes
 * equal what the type holds to be equal. Only in the rows a statement gives a client they are
 * filled up with blanks, and where a function looks at those: what is known of an expression's
 * length, a column's or a cast's, goes with it (expr.cast_limit) through derived tables, groups,
 * min and max up to there.
 *
 * Where CHARs of several lengths meet, or a CHAR and a literal, in CASE, COALESCE, VALUES or a
 * UNION, the result is a CHAR without a length. Its values have their blanks, each as many as it
 * came with, and lose them where they are compared or become texts. As in PostgreSQL it is the
 * first operand with a type that says whether a CHAR or a text comes of the two. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

uint32_t plan__text_length(const struct expr *expr)
{
    ASSERT(expr->type < SQL_TYPE_COUNT);
    return expr->type == SQL_TEXT ? expr->cast_limit : 0;
}

uint32_t plan__declared_length(const struct expr *expr)
{
    bool kept = expr->kind == EXPR_COLUMN || (expr->kind == EXPR_CAST && !expr->is_implicit);
    ASSERT(expr->type < SQL_TYPE_COUNT);
    return kept || expr->type == SQL_TEXT ? expr->cast_limit : 0;
}

static bool is_char(const struct expr *expr)
{
    return (plan__text_length(expr) & TYPE_LENGTH_CHAR) != 0;
}

static bool is_varchar(const struct expr *expr)
{
    return plan__text_length(expr) > 0 && !is_char(expr);
}

/* n of a CHAR(n), 0: it has no length. */
static uint32_t characters_of(const struct expr *expr)
{
    return plan__text_length(expr) & ~TYPE_LENGTH_CHAR;
}

static bool is_literal(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && expr->type == SQL_UNKNOWN && !expr->constant.null;
}

/* A copy: the expression may stand in two places. */
static struct expr *with_length(struct planner *planner, const struct expr *expr, uint32_t length)
{
    struct expr *copy = arena_alloc(planner->arena, sizeof *copy);
    ASSERT(expr->type == SQL_TEXT);
    ASSERT(expr->kind != EXPR_CAST || length == 0 || length == TYPE_LENGTH_VARCHAR);
    *copy = *expr;
    copy->cast_limit = length;
    return copy;
}

struct expr *plan__text_declared(struct planner *planner, struct expr *expr, uint32_t length)
{
    ASSERT(length == 0 || length == TYPE_LENGTH_VARCHAR);
    return plan__text_length(expr) == length ? expr : with_length(planner, expr, length);
}

static struct expr *trimmed(struct planner *planner, struct expr *expr)
{
    if (is_literal(expr) || (expr->kind == EXPR_CONSTANT && !expr->constant.null)) {
        struct slice text = expr->constant.as.text;
        while (text.size > 0 && text.data[text.size - 1] == ' ')
            text.size--;
        struct expr *literal = plan__constant(planner, value_text(text), expr->position);
        literal->type = expr->type;
        return literal;
    }
    struct expr *trimmed = plan__call1(planner, CALL_RTRIM, SQL_TEXT, expr->position, expr);
    trimmed->name = "rtrim";
    return trimmed;
}

void plan__char_to_text(struct planner *planner, struct expr **expr)
{
    if (!is_char(*expr))
        return;
    bool bounded = characters_of(*expr) > 0;
    *expr = with_length(planner, *expr, 0);
    if (!bounded)
        *expr = trimmed(planner, *expr);
}

static struct expr *padded(struct planner *planner, struct expr *text, uint32_t characters)
{
    struct expr *length = plan__constant(planner, value_integer(characters), 0);
    struct expr *padded = plan__call2(planner, CALL_RPAD, SQL_TEXT, text->position, text, length);
    padded->name = "rpad";
    return padded;
}

void plan__char_to_shown(struct planner *planner, struct expr **expr)
{
    if (!is_char(*expr))
        return;
    uint32_t characters = characters_of(*expr);
    *expr = with_length(planner, *expr, 0);
    if (characters > 0 && !planner->options->sqlite)
        *expr = padded(planner, *expr, characters);
}

void plan__char_to_key(struct planner *planner, struct expr **expr)
{
    if (plan__text_length(*expr) != TYPE_LENGTH_CHAR)
        return;
    plan__char_to_text(planner, expr);
    (*expr)->cast_limit = TYPE_LENGTH_CHAR;
}

void plan__char_keys(struct planner *planner, struct query *query)
{
    for (uint32_t i = 0; i < query->groups.count; i++)
        plan__char_to_key(planner, &query->groups.items[i]);
    for (uint32_t i = 0; query->distinct && i < query->outputs.count; i++)
        plan__char_to_key(planner, &query->outputs.items[i]);
}

/* A CHAR beside a text is a text; beside a literal, a parameter or a VARCHAR it makes that a CHAR,
 * whose blanks mean nothing either. */
void plan__char_compared(struct planner *planner, struct expr **left, struct expr **right)
{
    bool chars[2] = {is_char(*left), is_char(*right)};
    struct expr **sides[2] = {left, right};
    if (!chars[0] && !chars[1])
        return;
    for (int i = 0; i < 2; i++) {
        struct expr *side = *sides[i];
        bool parameter = side->kind == EXPR_PARAMETER && side->type == SQL_UNKNOWN;
        if (parameter && plan__coerce(planner, sides[i], SQL_TEXT) != OK)
            continue;
        if (chars[i])
            plan__char_to_text(planner, sides[i]);
        else if (is_literal(side) || parameter || is_varchar(side))
            *sides[i] = trimmed(planner, *sides[i]);
    }
}

/* A constant in a list is of the operand's type even if it has one of its own. */
void plan__char_listed(struct planner *planner, struct expr *operand, struct expr **item)
{
    bool text = (*item)->kind == EXPR_CONSTANT && (*item)->type == SQL_TEXT;
    if (text && !(*item)->constant.null && is_char(operand))
        *item = trimmed(planner, *item);
    else
        plan__char_compared(planner, &operand, item);
}

/* A literal that a query gives is a text when it comes out. */
status_t plan__char_compared_column(struct planner *planner, struct expr **operand,
                                    struct expr **column)
{
    status_t status = is_char(*operand) ? plan__settle(planner, column) : OK;
    if (!status)
        plan__char_compared(planner, operand, column);
    return status;
}

uint32_t plan__char_compared_length(const struct expr *left, const struct expr *right)
{
    bool is_text = right->type == SQL_TEXT && plan__text_length(right) == 0;
    return is_text && is_char(left) ? 0 : plan__text_length(left);
}

/* ---- several to be of one type ----------------------------------------------------------------
 */

static bool is_null(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && expr->constant.null;
}

uint32_t plan__char_unify(struct planner *planner, struct expr **items, uint32_t count,
                          uint32_t stride, const struct expr *first)
{
    const struct expr *decides = first && first->type == SQL_TEXT && !is_null(first) ? first : NULL;
    for (uint32_t i = 0; i < count * stride && !decides; i += stride)
        decides = items[i]->type == SQL_TEXT && !is_null(items[i]) ? items[i] : NULL;
    uint32_t length = decides ? plan__text_length(decides) : 0;
    bool alike = true;
    for (uint32_t i = 0; i < count * stride; i += stride)
        alike &= is_null(items[i]) || plan__text_length(items[i]) == length;
    if (alike)
        return length;
    for (uint32_t i = 0; i < count * stride; i += stride) {
        if (length & TYPE_LENGTH_CHAR)
            plan__char_to_shown(planner, &items[i]);
        else
            plan__char_to_text(planner, &items[i]);
    }
    return length & TYPE_LENGTH_CHAR ? TYPE_LENGTH_CHAR : length ? TYPE_LENGTH_VARCHAR : 0;
}

uint32_t plan__char_unify_two(struct planner *planner, struct expr **left, struct expr **right,
                              bool keys)
{
    struct expr *sides[2] = {*left, *right};
    uint32_t a = characters_of(*left);
    uint32_t b = characters_of(*right);
    if (keys && is_char(*left) && is_char(*right) && a > 0 && b > 0)
        return (a > b ? a : b) | TYPE_LENGTH_CHAR; /* neither has blanks */
    uint32_t length = plan__char_unify(planner, sides, 2, 1, *left);
    for (int i = 0; keys && length == TYPE_LENGTH_CHAR && i < 2; i++)
        sides[i] = trimmed(planner, sides[i]);
    *left = sides[0];
    *right = sides[1];
    return length;
}

/* ---- what a client gets -----------------------------------------------------------------------
 */

uint32_t *plan__char_outputs(struct planner *planner, const struct query *query)
{
    uint32_t *lengths = NULL;
    if (planner->options->sqlite || planner->options->declared)
        return NULL;
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        const struct expr *output = query->outputs.items[i];
        uint32_t length = is_char(output) ? characters_of(output) : 0;
        if (length && !lengths)
            lengths = arena_zalloc(planner->arena, query->outputs.count * sizeof *lengths);
        if (length)
            lengths[i] = length;
    }
    return lengths;
}

struct plan *plan__char_padded(struct planner *planner, const uint32_t *lengths, struct plan *below)
{
    if (!lengths)
        return below;
    uint32_t count = below->column_count;
    struct plan *plan = plan__operator(planner, PLAN_PROJECT, count, below, NULL);
    plan->types = below->types;
    plan->names = below->names;
    plan->rows_estimate = below->rows_estimate;
    plan->as.project.exprs = arena_alloc(planner->arena, count * sizeof(struct expr *));
    for (uint32_t i = 0; i < count; i++) {
        struct expr *column = plan__node(planner, EXPR_COLUMN, below->types[i], 0);
        column->index = i;
        column->name = below->names[i];
        plan->as.project.exprs[i] = column;
        if (lengths[i] == 0)
            continue;
        plan->as.project.exprs[i] = padded(planner, column, lengths[i]);
    }
    return plan;
}
