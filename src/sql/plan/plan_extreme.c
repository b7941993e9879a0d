/* min(k) and max(k) of a table, read from the ends of an index.
 *
 * Each of them is a scan by an index in whose order k comes, which ends with the first row, and an
 * aggregate of that one row: so what is computed of no rows needs no rule of its own. The other
 * conditions of the table are kept; an equality on the columns in front of k in the index makes it
 * the end of a part of it. Several are rows of one, put side by side. */
#include "sql/plan/plan_int.h"

/* The column whose extreme it is, which an index may be in the order of; NULL: no column. */
static struct expr *extreme_of(const struct query *query, const struct aggregate *aggregate)
{
    struct expr *argument = aggregate->argument;
    bool is_extreme = aggregate->kind == AGGREGATE_MIN || aggregate->kind == AGGREGATE_MAX;
    if (!is_extreme || aggregate->filter || argument->kind != EXPR_COLUMN ||
        query->slots[argument->index].relation != query->from->relation)
        return NULL;
    return argument;
}

static bool has_shape(const struct planner *planner, const struct query *query)
{
    if (planner->options->no_extremes || planner->options->no_index || !query->aggregated ||
        query->groups.count > 0 || query->aggregate_count == 0 || !query->from ||
        !query->from->leaf || query->where.count > 0 ||
        !query->relations[query->from->relation].table)
        return false;
    for (uint32_t i = 0; i < query->aggregate_count; i++) {
        if (!extreme_of(query, &query->aggregates[i]))
            return false;
    }
    return true;
}

/* The first row in the order of the column that has a value in it. */
static bool choose_end(struct planner *planner, struct query *query,
                       const struct aggregate *aggregate, struct stage *out)
{
    struct expr *column = extreme_of(query, aggregate);
    bool is_max = aggregate->kind == AGGREGATE_MAX;
    struct sort_key key = {.expr = column, .descending = is_max, .nulls_first = is_max};
    struct wish wish = {.keys = &key, .key_count = 1, .limit = 1};
    struct exprs conditions = {0};
    for (uint32_t i = 0; i < query->from->filters.count; i++)
        plan__append(planner, &conditions, query->from->filters.items[i]);
    /* From its high end an index begins with the NULLs. */
    if (is_max && !query->slots[column->index].not_null)
        plan__append(planner, &conditions,
                     plan__call1(planner, CALL_IS_NOT_NULL, SQL_BOOLEAN, 0, column));
    plan__choose_scan(planner, query, query->from->relation, &conditions, &wish, out);
    if (!out->ordered)
        return false;
    out->rows = 1;
    out->is_short |= out->plan->kind == PLAN_SCAN;
    plan__put_over(planner, PLAN_LIMIT, out);
    out->plan->as.limit.limit = plan__constant(planner, value_integer(1), 0);
    return true;
}

static void put_beside(struct planner *planner, struct query *query, const struct stage *left,
                       const struct stage *right, struct stage *out)
{
    struct join join = {.planner = planner,
                        .query = query,
                        .kind = JOIN_INNER,
                        .left = *left,
                        .right = *right,
                        .rows = 1};
    *out = (struct stage){.rows = 1, .cost = left->cost + right->cost};
    plan__lay_out_join(&join, PLAN_NESTED_LOOP_JOIN, out);
}

bool plan__choose_extremes(struct planner *planner, struct query *query, struct stage *out)
{
    ASSERT(query && out);
    if (!has_shape(planner, query))
        return false;
    struct stage whole = {0};
    for (uint32_t i = 0; i < query->aggregate_count; i++) {
        struct stage end;
        if (!choose_end(planner, query, &query->aggregates[i], &end))
            return false;
        plan__add_aggregates(planner, query, i, 1, &end);
        if (i == 0)
            whole = end;
        else
            put_beside(planner, query, &whole, &end, &whole);
    }
    whole.ordered = query->order_count == 0;
    *out = whole;
    return true;
}
