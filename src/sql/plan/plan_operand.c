/* Operands that SQL names once and that are looked at several times: CASE x WHEN ..., x BETWEEN
 * ..., rows compared with rows.
 *
 * These become expressions of simpler ones, with x in several places. That is as good as x itself
 * and lets ranges of keys be found, but for a volatile x, which would be another one in each place.
 * It is put aside: EXPR_BIND computes it, and EXPR_OPERAND stands where it is looked at. Both are
 * volatile, so nothing is folded or moved out of there. */
#include "sql/plan/plan_int.h"

status_t plan__operand(struct planner *planner, struct exprs *operands, struct expr **expr,
                       uint32_t places, uint32_t position)
{
    struct expr *value = *expr;
    if (places < 2 || !value->is_volatile)
        return plan__repeat(planner, value, places, position);
    ASSERT(value->kind != EXPR_OPERAND);
    struct expr *bind = plan__node(planner, EXPR_BIND, value->type, value->position);
    struct expr *operand = plan__node(planner, EXPR_OPERAND, value->type, value->position);
    bind->index = operand->index = planner->operands++;
    bind->arguments = arena_alloc(planner->arena, 2 * sizeof(struct expr *));
    bind->arguments[0] = value;
    bind->is_volatile = operand->is_volatile = true;
    plan__append(planner, operands, bind);
    *expr = operand;
    return OK;
}

struct expr *plan__bind_operands(struct planner *planner, const struct exprs *operands,
                                 struct expr *body)
{
    ASSERT(planner && body);
    for (uint32_t i = operands->count; i-- > 0;) {
        struct expr *bind = operands->items[i];
        ASSERT(bind->kind == EXPR_BIND && bind->argument_count == 0);
        bind->arguments[1] = body;
        bind->argument_count = 2;
        bind->type = body->type;
        body = bind;
    }
    return body;
}
