/* Projection pruning of derived tables and views: an output that nothing above looks at is not
 * computed, and so the tables inside need not give what it is made of. Its place stays, as a NULL:
 * columns are known by their places. Aggregates that then nobody asks for go altogether. (Tables
 * give the columns that are used to begin with; see plan__is_needed.) */
#include "sql/plan/plan_int.h"

static bool any_mentions(struct expr *const *items, uint32_t count, uint32_t slot)
{
    for (uint32_t i = 0; i < count; i++) {
        if (plan__mentions(items[i], slot))
            return true;
    }
    return false;
}

/* Does anything behind the grouping look at an aggregate? */
static bool is_asked_for(const struct query *query, uint32_t slot)
{
    for (uint32_t i = 0; i < query->order_count; i++) {
        if (plan__mentions(query->orders[i].expr, slot))
            return true;
    }
    return any_mentions(query->outputs.items, query->outputs.count, slot) ||
           any_mentions(query->having.items, query->having.count, slot) ||
           any_mentions(query->distinct_on.items, query->distinct_on.count, slot);
}

static void prune_aggregates(struct query *query)
{
    uint32_t kept = 0;
    if (query->window_count > 0) /* they look at aggregates, too */
        return;
    for (uint32_t i = 0; i < query->aggregate_count; i++) {
        if (!is_asked_for(query, query->aggregate_slots[i]))
            continue;
        query->aggregates[kept] = query->aggregates[i];
        query->aggregate_slots[kept++] = query->aggregate_slots[i];
    }
    query->aggregate_count = kept;
}

static bool is_sorted_by(const struct query *query, uint32_t output)
{
    for (uint32_t i = 0; i < query->order_count; i++) {
        if (query->order_outputs[i] == output)
            return true;
    }
    return false;
}

/* `used` by place. */
static void prune(struct planner *planner, struct query *query, const bool *used)
{
    bool all = query->set == AST_SET_UNION && query->set_all && !query->recursion;
    if (all && query->order_count == 0) {
        prune(planner, query->inputs[0], used);
        prune(planner, query->inputs[1], used);
    }
    if (query->set || query->is_values || query->recursion || query->series.count > 0 ||
        query->distinct)
        return;
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        struct expr *output = query->outputs.items[i];
        if (used[i] || output->is_volatile || plan__is_constant(output) ||
            plan__has_subquery(output) || is_sorted_by(query, i))
            continue;
        query->outputs.items[i] =
            plan__constant(planner, value_null(output->type), output->position);
    }
    if (query->groups.count > 0)
        prune_aggregates(query);
}

void plan__prune(struct planner *planner, const struct query *query, const struct from_node *leaf)
{
    const struct relation *relation = &query->relations[leaf->relation];
    ASSERT(relation->derived && relation->derived->outputs.count == relation->column_count);
    if (planner->options->no_prune)
        return;
    bool *used = arena_alloc(planner->arena, (relation->column_count + 1) * sizeof *used);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        uint32_t slot = relation->slot_first + i;
        used[i] =
            query->slots[slot].used || any_mentions(leaf->filters.items, leaf->filters.count, slot);
    }
    prune(planner, relation->derived, used);
}
