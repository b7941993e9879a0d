/* LIMIT and ORDER BY moved to where the rows come from, so that fewer of them are carried upwards.
 *
 *   a derived table, or a view, that is all of FROM: it is given both
 *   UNION ALL: of each side no more than the first LIMIT + OFFSET rows in the order can be wanted;
 *       which of them are is decided above
 *   LEFT JOIN: each row of the left side comes out at least once, so the first rows in an order of
 *       the left side's columns come of as many first rows of it; they are sorted before the join,
 *       which keeps their order
 *
 * Only a limit that is known now is moved: what a parameter says may be anything. */
#include <stdint.h>

#include "sql/plan/plan_int.h"

static bool known_count(const struct expr *expr, int64_t *count)
{
    *count = 0;
    if (!expr)
        return true;
    if (!plan__is_constant(expr) || expr->constant.null || expr->constant.as.integer < 0)
        return false;
    *count = expr->constant.as.integer;
    return true;
}

bool plan__known_limit(const struct planner *planner, const struct query *query, int64_t *rows)
{
    int64_t limit, offset;
    if (planner->options->no_limit_pushdown || !query->limit || query->with_ties ||
        !known_count(query->limit, &limit) || !known_count(query->offset, &offset) ||
        limit > INT32_MAX || offset > INT32_MAX)
        return false;
    *rows = limit + offset;
    return true;
}

/* Whether another ORDER BY and a LIMIT change nothing but which of its rows come. */
static bool may_be_limited(const struct query *query)
{
    if (query->limit || query->offset || query->is_values || query->recursion ||
        query->series.count > 0 || query->distinct_on.count > 0)
        return false;
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        if (query->outputs.items[i]->is_volatile)
            return false;
    }
    return true;
}

/* All keys are columns [first, first + count): their places among them. */
static bool key_places(const struct query *query, uint32_t first, uint32_t count, uint32_t *places)
{
    for (uint32_t i = 0; i < query->order_count; i++) {
        const struct expr *key = query->orders[i].expr;
        if (key->kind != EXPR_COLUMN || key->index < first || key->index - first >= count)
            return false;
        places[i] = key->index - first;
    }
    return true;
}

/* Without keys its own order stays, if it has one. */
static void limit_query(struct planner *planner, struct query *query, const struct sort_key *keys,
                        const uint32_t *places, uint32_t key_count, int64_t rows)
{
    query->limit = plan__constant(planner, value_integer(rows), 0);
    if (key_count == 0)
        return;
    query->orders = arena_alloc(planner->arena, key_count * sizeof *query->orders);
    query->order_outputs = arena_alloc(planner->arena, key_count * sizeof *query->order_outputs);
    query->order_count = key_count;
    for (uint32_t i = 0; i < key_count; i++) {
        query->orders[i] = keys[i];
        query->orders[i].expr = query->outputs.items[places[i]];
        query->order_outputs[i] = places[i];
    }
}

/* The derived table that is all of FROM, and whose rows come out as they are; or NULL. */
static const struct relation *whole_relation(const struct query *query)
{
    if (!query->from || !query->from->leaf || query->from->filters.count > 0 ||
        query->where.count > 0 || query->aggregated || query->having.count > 0 ||
        query->window_count > 0 || query->distinct || query->distinct_on.count > 0)
        return NULL;
    const struct relation *relation = &query->relations[query->from->relation];
    bool own = relation->derived && !relation->laid_out && !relation->lateral;
    return own && !plan__is_common(relation) ? relation : NULL;
}

void plan__push_limit(struct planner *planner, struct query *query)
{
    int64_t rows;
    if (!plan__known_limit(planner, query, &rows))
        return;
    uint32_t *places = arena_alloc(planner->arena, (query->order_count + 1) * sizeof *places);
    bool is_union = query->set == AST_SET_UNION && query->set_all && !query->recursion;
    for (int i = 0; i < 2 && is_union; i++) {
        struct query *input = query->inputs[i];
        if (may_be_limited(input) && key_places(query, 0, query->outputs.count, places))
            limit_query(planner, input, query->orders, places, query->order_count, rows);
    }
    const struct relation *relation = whole_relation(query);
    if (!relation || !may_be_limited(relation->derived) ||
        !key_places(query, relation->slot_first, relation->column_count, places))
        return;
    limit_query(planner, relation->derived, query->orders, places, query->order_count, rows);
    query->order_count = 0; /* they come in that order */
    if (!query->offset)
        query->limit = NULL;
}

void plan__limit_left(struct planner *planner, struct query *query, const struct wish *wish,
                      uint64_t left_relations, struct stage *left)
{
    if (wish->exact_limit == 0 || wish->key_count == 0 || left->ordered ||
        planner->options->no_top_n)
        return;
    for (uint32_t i = 0; i < wish->key_count; i++) {
        uint64_t relations = plan__relations(query, wish->keys[i].expr);
        if (wish->keys[i].expr->is_volatile || (relations & ~left_relations) != 0)
            return;
    }
    uint32_t *positions = plan__positions(planner, query, left, NULL);
    struct sort_key *keys = arena_alloc(planner->arena, wish->key_count * sizeof *keys);
    for (uint32_t i = 0; i < wish->key_count; i++) {
        keys[i] = wish->keys[i];
        keys[i].expr = plan__resolve(planner, keys[i].expr, positions);
    }
    left->cost += plan__sort_cost(left->rows, wish->limit);
    if ((double)wish->exact_limit < left->rows)
        left->rows = (double)wish->exact_limit;
    plan__put_over(planner, PLAN_TOP_N, left);
    left->plan->as.sort.keys = keys;
    left->plan->as.sort.key_count = wish->key_count;
    left->plan->as.sort.limit = plan__constant(planner, value_integer(wish->exact_limit), 0);
    left->ordered = true;
    left->order_count = 0;
}
