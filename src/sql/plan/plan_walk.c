/* The expressions of a plan's nodes, for who wants to see them all. */
#include "base/mem.h"
#include "sql/plan/plan_int.h"

static void visit(const struct expr *expr, struct subplans *out)
{
    if (!expr)
        return;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        visit(expr->arguments[i], out);
    if (expr->kind != EXPR_SUBQUERY)
        return;
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i] == expr->subplan)
            return;
    }
    out->items = vec_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    out->items[out->count++] = expr->subplan;
}

static void visit_all(struct expr *const *exprs, uint32_t count, struct subplans *out)
{
    for (uint32_t i = 0; i < count; i++)
        visit(exprs[i], out);
}

static void visit_scan(const struct plan *plan, struct subplans *out)
{
    for (uint32_t i = 0; i < plan->as.scan.range_count; i++) {
        const struct key_range *range = &plan->as.scan.ranges[i];
        visit_all(range->equal, range->equal_count, out);
        visit(range->lower, out);
        visit(range->upper, out);
    }
}

static void visit_aggregate(const struct plan *plan, struct subplans *out)
{
    visit_all(plan->as.aggregate.groups, plan->as.aggregate.group_count, out);
    for (uint32_t a = 0; a < plan->as.aggregate.aggregate_count; a++) {
        struct expr **place;
        struct aggregate *aggregate = &plan->as.aggregate.aggregates[a];
        for (uint32_t i = 0; (place = plan__aggregate_expr(aggregate, i)) != NULL; i++)
            visit(*place, out);
    }
}

static void visit_window(const struct plan *plan, struct subplans *out)
{
    visit_all(plan->as.window.partitions, plan->as.window.partition_count, out);
    for (uint32_t i = 0; i < plan->as.window.key_count; i++)
        visit(plan->as.window.keys[i].expr, out);
    for (uint32_t f = 0; f < plan->as.window.function_count; f++) {
        struct window_function *function = &plan->as.window.functions[f];
        struct expr **place;
        visit_all(function->arguments, function->argument_count, out);
        for (uint32_t i = 0; (place = plan__aggregate_expr(&function->aggregate, i)) != NULL; i++)
            visit(*place, out);
        visit(function->frame.start_offset, out);
        visit(function->frame.end_offset, out);
    }
}

static void visit_sort(const struct plan *plan, struct subplans *out)
{
    for (uint32_t i = 0; i < plan->as.sort.key_count; i++)
        visit(plan->as.sort.keys[i].expr, out);
    visit(plan->as.sort.limit, out);
    visit(plan->as.sort.offset, out);
}

void plan__find_subplans(const struct plan *plan, struct subplans *out)
{
    ASSERT(plan && out);
    switch (plan->kind) {
    case PLAN_VALUES:
        visit_all(plan->as.values.rows, plan->as.values.row_count * plan->column_count, out);
        return;
    case PLAN_SCAN:
        visit_scan(plan, out);
        return;
    case PLAN_FILTER:
        visit(plan->as.filter.predicate, out);
        return;
    case PLAN_PROJECT:
        visit_all(plan->as.project.exprs, plan->column_count, out);
        return;
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP_JOIN:
    case PLAN_LOOKUP_JOIN:
    case PLAN_MERGE_JOIN:
        visit_all(plan->as.join.left_keys, plan->as.join.key_count, out);
        visit_all(plan->as.join.right_keys, plan->as.join.key_count, out);
        visit(plan->as.join.condition, out);
        return;
    case PLAN_LATERAL_JOIN:
        visit_all(plan->as.lateral.values, plan->as.lateral.cell_count, out);
        visit(plan->as.lateral.condition, out);
        return;
    case PLAN_SERIES:
        visit_all(plan->as.series.bounds, 3, out);
        return;
    case PLAN_AGGREGATE:
        visit_aggregate(plan, out);
        return;
    case PLAN_WINDOW:
        visit_window(plan, out);
        return;
    case PLAN_SORT:
    case PLAN_TOP_N:
        visit_sort(plan, out);
        return;
    case PLAN_LIMIT:
        for (uint32_t i = 0; i < plan->as.limit.key_count; i++)
            visit(plan->as.limit.keys[i].expr, out);
        visit(plan->as.limit.limit, out);
        visit(plan->as.limit.offset, out);
        return;
    case PLAN_INSERT:
        if (plan->as.modify.conflict_values)
            visit_all(plan->as.modify.conflict_values, plan->as.modify.assigned_count, out);
        visit(plan->as.modify.conflict_where, out);
        return;
    case PLAN_COPY:
    case PLAN_DISTINCT:
        visit_all(plan->as.distinct.keys, plan->as.distinct.key_count, out);
        return;
    case PLAN_APPEND:
    case PLAN_RECURSIVE:
    case PLAN_WORKING:
    case PLAN_COMMON:
    case PLAN_INTERSECT:
    case PLAN_EXCEPT:
    case PLAN_UPDATE:
    case PLAN_DELETE:
    case PLAN_KEY_FILTER:
    case PLAN_GATHER:
        return;
    }
    UNREACHABLE();
}
