/* CHAR(n).
 *
 * Values are stored, compared and computed with as texts without blanks at their end, which makes
 * equal what the type holds to be equal. Only in the rows a statement gives a client they are
 * filled up with blanks: what is known of an expression's length, a column's or a cast's, goes with
 * it (expr.cast_limit) through derived tables, groups, min and max up to there. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

uint32_t plan__char_length(const struct expr *expr)
{
    bool has_length = expr->type == SQL_TEXT && expr->kind != EXPR_CAST;
    return has_length && (expr->cast_limit & TYPE_LENGTH_CHAR) ? expr->cast_limit : 0;
}

static void trim_literal(struct planner *planner, struct expr **literal)
{
    struct slice text = (*literal)->constant.as.text;
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    if (text.size < (*literal)->constant.as.text.size)
        *literal = plan__constant(planner, value_text(text), (*literal)->position);
}

static bool is_literal(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && expr->type == SQL_UNKNOWN && !expr->constant.null;
}

void plan__char_literals(struct planner *planner, struct expr **left, struct expr **right)
{
    if (plan__char_length(*left) && is_literal(*right))
        trim_literal(planner, right);
    if (plan__char_length(*right) && is_literal(*left))
        trim_literal(planner, left);
}

uint32_t *plan__char_outputs(struct planner *planner, const struct query *query)
{
    uint32_t *lengths = NULL;
    if (planner->options->sqlite || planner->options->no_padding)
        return NULL;
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        uint32_t length = plan__char_length(query->outputs.items[i]);
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
        int64_t characters = lengths[i] & ~TYPE_LENGTH_CHAR;
        struct expr *length = plan__constant(planner, value_integer(characters), 0);
        struct expr *padded = plan__call2(planner, CALL_RPAD, SQL_TEXT, 0, column, length);
        padded->name = "rpad";
        plan->as.project.exprs[i] = padded;
    }
    return plan;
}
