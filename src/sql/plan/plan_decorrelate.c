/* A scalar subquery that aggregates what belongs to the row around it, in WHERE or in the select
 * list, becomes a join with the aggregates of all groups at once (Kim, "On Optimizing an SQL-like
 * Nested Query", 1982; that no rows count as 0 rows: Ganski and Wong, 1987).
 *
 *     a.x > (SELECT 0.5 * sum(b.y) FROM b WHERE b.k = a.k AND b.z < 9)
 *     a LEFT JOIN (SELECT sum(y) AS s, k FROM b WHERE z < 9 GROUP BY k) AS g ON g.k = a.k
 *         WHERE a.x > 0.5 * g.s
 *
 * A row without a group finds NULLs, which is what most aggregates make of nothing; counts are put
 * into coalesce(..., 0). What is made of the aggregates is computed outside, so that no division
 * is done for a group that nobody asks for. Where the condition cannot be true of NULLs, pushdown
 * makes the join an inner one.
 *
 * It is no gain where few rows ask and an index answers: then the aggregates of all groups cost
 * more than those of the few. The rows that will ask are estimated from the block as it was
 * written, without its subqueries. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static const double COST_RUN = 15;  /* to begin a run of a subquery and to look its rows up */
static const double COST_FETCH = 3; /* a row through an index */
/* The same as a clock has them, where statistics say how many rows there are (see plan_path.c). */
static const double COST_RUN_MEASURED = 100;
static const double COST_FETCH_MEASURED = 20;
static const double COST_GROUP = 2; /* a row put into its group */

/* ---- is it worth it? --------------------------------------------------------------------------
 */

/* column = value of the row around, and an index begins with the column: the rows one run finds
 * by it. Otherwise all. */
static double rows_found(struct planner *planner, const struct query *inner,
                         const struct expr *condition, const struct expr *key)
{
    if (key->kind != EXPR_COLUMN || inner->slots[key->index].relation == NOWHERE)
        return INFINITY;
    const struct slot *slot = &inner->slots[key->index];
    const struct table *table = inner->relations[slot->relation].table;
    for (uint32_t i = 0; table && i < table->index_count; i++) {
        if (table->indexes[i].columns[0] == slot->place)
            return plan__table_rows(planner, table) * plan__selectivity(planner, inner, condition);
    }
    return INFINITY;
}

/* ---- the shape it must have -------------------------------------------------------------------
 */

/* inner = outer: the sides, neither of which has something of the other. */
static bool is_correlation(const struct expr *condition, struct expr **key, struct expr **value)
{
    if (condition->kind != EXPR_CALL || condition->call != CALL_EQ || condition->is_volatile)
        return false;
    bool turned = plan__has_outer(condition->arguments[0]);
    *key = condition->arguments[turned ? 1 : 0];
    *value = condition->arguments[turned ? 0 : 1];
    return plan__has_columns(*key) && !plan__has_outer(*key) && plan__has_outer(*value) &&
           !plan__has_columns(*value) && !plan__has_subquery(*value);
}

static bool any_volatile(const struct exprs *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i]->is_volatile)
            return true;
    }
    return false;
}

static bool gives_one_row(const struct query *inner)
{
    bool limited =
        inner->limit && (!plan__is_constant(inner->limit) || inner->limit->constant.null ||
                         inner->limit->constant.as.integer < 1);
    return inner->from && inner->aggregated && inner->groups.count == 0 &&
           inner->having.count == 0 && inner->window_count == 0 && !inner->row_window &&
           !inner->distinct && inner->distinct_on.count == 0 && !inner->offset && !limited;
}

/* Splits WHERE into equalities with the row around and the rest. */
static bool split_where(struct planner *planner, const struct query *inner, struct exprs *keys,
                        struct exprs *values, struct exprs *rest, double *found)
{
    *found = INFINITY;
    for (uint32_t i = 0; i < inner->where.count; i++) {
        struct expr *condition = inner->where.items[i];
        struct expr *key, *value;
        if (is_correlation(condition, &key, &value)) {
            plan__append(planner, keys, key);
            plan__append(planner, values, value);
            *found = fmin(*found, rows_found(planner, inner, condition, key));
        } else if (plan__has_outer(condition)) {
            return false;
        } else {
            plan__append(planner, rest, condition);
        }
    }
    return keys->count > 0;
}

/* ---- the join ---------------------------------------------------------------------------------
 */

/* The block grouped by the keys: it produces the aggregates, then the keys. */
static void group_by(struct planner *planner, struct query *inner, const struct exprs *keys)
{
    inner->outputs = (struct exprs){0};
    inner->output_names = NULL;
    inner->name_capacity = 0;
    inner->order_count = 0;
    inner->limit = NULL;
    inner->groups = (struct exprs){0};
    inner->group_slots = arena_alloc(planner->arena, keys->count * sizeof *inner->group_slots);
    inner->group_slot_capacity = keys->count;
    for (uint32_t i = 0; i < inner->aggregate_count; i++)
        plan__add_output(planner, inner, plan__column(planner, inner, inner->aggregate_slots[i], 0),
                         plan__aggregate_name(inner->aggregates[i].kind));
    for (uint32_t i = 0; i < keys->count; i++) {
        struct expr *key = keys->items[i];
        const char *name = key->kind == EXPR_COLUMN ? inner->slots[key->index].name : "key";
        struct slot slot = {.name = name, .type = key->type, .relation = NOWHERE};
        slot.display = key->kind == EXPR_COLUMN ? key->name : NULL;
        inner->group_slots[i] = plan__add_slot(planner, inner, slot);
        plan__append(planner, &inner->groups, key);
        plan__add_output(planner, inner, plan__column(planner, inner, inner->group_slots[i], 0),
                         name);
    }
}

/* An aggregate as the block around sees it: of no rows a count is 0. */
static struct expr *aggregate_outside(struct planner *planner, const struct aggregate *aggregate,
                                      struct expr *column)
{
    bool counts = aggregate->kind == AGGREGATE_COUNT || aggregate->kind == AGGREGATE_COUNT_ROWS ||
                  aggregate->kind == AGGREGATE_REGR_COUNT;
    if (!counts)
        return column;
    struct expr *zero = plan__constant(planner, value_integer(0), 0);
    struct expr *call =
        plan__call2(planner, CALL_COALESCE, column->type, column->position, column, zero);
    call->name = "coalesce";
    return call;
}

static struct expr *joined(struct planner *planner, struct query *query, struct subquery *subquery,
                           const struct expr *expr, const struct exprs *keys,
                           const struct exprs *values)
{
    struct query *inner = subquery->query;
    struct expr *output = inner->outputs.items[0];
    struct unnesting unnesting = {.planner = planner,
                                  .query = query,
                                  .subplan = &subquery->subplan,
                                  .values = expr->arguments + subquery->subplan.operand_count,
                                  .slot_count = inner->slot_count};
    unnesting.columns =
        arena_zalloc(planner->arena, (inner->slot_count + 1) * sizeof(struct expr *));
    group_by(planner, inner, keys);
    struct from_node *leaf;
    plan__add_derived(planner, query, inner, &leaf);
    uint32_t slot = query->relations[leaf->relation].slot_first;
    for (uint32_t i = 0; i < inner->aggregate_count; i++)
        unnesting.columns[inner->aggregate_slots[i]] = aggregate_outside(
            planner, &inner->aggregates[i], plan__column(planner, query, slot + i, 0));
    struct from_node *join = arena_zalloc(planner->arena, sizeof *join);
    join->kind = JOIN_LEFT;
    join->inputs = arena_alloc(planner->arena, 2 * sizeof(struct from_node *));
    join->inputs[0] = query->from;
    join->inputs[1] = leaf;
    join->input_count = 2;
    join->relations = query->from->relations | leaf->relations;
    for (uint32_t i = 0; i < keys->count; i++) {
        struct expr *key = plan__column(planner, query, slot + inner->aggregate_count + i, 0);
        struct expr *value = plan__taken_over(&unnesting, values->items[i]);
        plan__append(planner, &join->on,
                     plan__call2(planner, CALL_EQ, SQL_BOOLEAN, value->position, value, key));
    }
    query->from = join;
    return plan__taken_over(&unnesting, output);
}

/* Are there statistics of all tables that it reads? */
static bool is_measured(struct planner *planner, const struct query *query)
{
    for (uint32_t i = 0; i < query->relation_count; i++) {
        const struct table *table = query->relations[i].table;
        if (!table || !plan__has_statistics(planner, table))
            return false;
    }
    return true;
}

/* What stands in a scalar subquery's place, or NULL: it stays. */
static struct expr *replacement(struct planner *planner, struct query *query,
                                const struct expr *expr, double rows)
{
    struct subquery *subquery = (struct subquery *)expr->subplan;
    struct query *inner = subquery->query;
    struct exprs keys = {0}, values = {0}, rest = {0};
    double found;
    if (subquery->replaced)
        return subquery->replaced;
    if (subquery->subplan.kind != SUBPLAN_SCALAR || !inner || inner->outputs.count > 1 ||
        expr->is_volatile || query->relation_count == RELATIONS_MAX || !gives_one_row(inner) ||
        plan__has_lateral(inner) || any_volatile(&inner->where) || any_volatile(&inner->outputs) ||
        plan__query_has_outer(inner, true) ||
        !split_where(planner, inner, &keys, &values, &rest, &found))
        return NULL;
    double read = plan__rows_read(planner, inner);
    double all = plan__block_rows(planner, &(struct query){.slots = inner->slots,
                                                           .slot_count = inner->slot_count,
                                                           .relations = inner->relations,
                                                           .relation_count = inner->relation_count,
                                                           .from = inner->from,
                                                           .where = rest});
    bool measured = is_measured(planner, inner);
    double fetch = measured ? COST_FETCH_MEASURED : COST_FETCH;
    double run = (measured ? COST_RUN_MEASURED : COST_RUN) + fmin(read, found * (1 + fetch));
    if (rows * run <= read + all * COST_GROUP)
        return NULL;
    inner->where = rest;
    subquery->replaced = joined(planner, query, subquery, expr, &keys, &values);
    subquery->query = NULL;
    return subquery->replaced;
}

/* The expression with all subqueries replaced that can be; itself when there is none. */
static struct expr *replaced(struct planner *planner, struct query *query, struct expr *expr,
                             double rows)
{
    if (expr->kind == EXPR_SUBQUERY) {
        struct expr *instead = replacement(planner, query, expr, rows);
        return instead ? instead : expr;
    }
    struct expr *copy = expr;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        struct expr *argument = replaced(planner, query, expr->arguments[i], rows);
        if (argument == expr->arguments[i])
            continue;
        if (copy == expr) {
            copy = arena_alloc(planner->arena, sizeof *copy);
            *copy = *expr;
            copy->arguments =
                arena_alloc(planner->arena, expr->argument_count * sizeof(struct expr *));
            memcpy(copy->arguments, expr->arguments, expr->argument_count * sizeof(struct expr *));
        }
        copy->arguments[i] = argument;
    }
    return copy;
}

void plan__decorrelate(struct planner *planner, struct query *query)
{
    ASSERT(query->from);
    if (planner->options->no_decorrelate || planner->subquery_count == 0)
        return;
    double rows = plan__block_rows(planner, query);
    for (uint32_t i = 0; i < query->where.count; i++)
        query->where.items[i] = replaced(planner, query, query->where.items[i], rows);
    /* Behind groups and windows the columns of a join are not in sight. */
    if (query->aggregated || query->window_count > 0 || query->distinct_on.count > 0)
        return;
    for (uint32_t i = 0; i < query->outputs.count; i++)
        query->outputs.items[i] = replaced(planner, query, query->outputs.items[i], rows);
    for (uint32_t i = 0; i < query->order_count; i++)
        query->orders[i].expr = replaced(planner, query, query->orders[i].expr, rows);
}
