/* Rows that would be grouped in vain: a hash join has read its right side before it asks for the
 * first left row, and where left rows without a partner are dropped, the keys it has found are a
 * condition on the left input. Below a grouping it saves the most:
 *
 *     Hash Join: l_partkey = ps_partkey            Hash Join: l_partkey = ps_partkey
 *     ├─ Aggregate: sum(...) by l_partkey          ├─ Aggregate: sum(...) by l_partkey
 *     │  └─ Scan: lineitem                         │  └─ Key Filter: l_partkey among ps_partkey
 *     └─ ... partsupp                              │     └─ Scan: lineitem
 *                                                  └─ ... partsupp
 *
 * A subquery that was decorrelated aggregates all groups, however few the rows around ask for: this
 * is how it learns which (the "magic sets" of Bancilhon et al., 1986, without a second run of what
 * gives them).
 *
 * The keys must be columns all the way down, and of a grouping group keys: then a group is kept or
 * dropped as a whole. The filter comes as low as its columns, but above conditions on a table that
 * leave fewer rows than it does. Nothing that is volatile is asked of fewer rows. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

/* Fewer rows than these are grouped faster than a plan is thought about. */
static const double ROWS_MIN = 1000;
/* Keys of the right side for a left row at the most: more would let most rows pass. */
static const double KEYS_MAX = 0.5;

/* The way down from a join. */
struct descent {
    struct plan **place; /* where the filter would stand */
    struct expr **keys;  /* the left keys as columns of *place */
    uint32_t count;
    double share; /* of the rows that will pass */
    bool grouped; /* it went below a grouping */
};

static bool any_volatile(struct expr *const *exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->is_volatile)
            return true;
    }
    return false;
}

/* Each key, a column of a node's output, is one of `exprs` of its input. */
static bool keys_become(struct descent *descent, struct expr **exprs, uint32_t count)
{
    for (uint32_t k = 0; k < descent->count; k++) {
        uint32_t column = descent->keys[k]->index;
        if (column >= count || exprs[column]->kind != EXPR_COLUMN)
            return false;
    }
    for (uint32_t k = 0; k < descent->count; k++)
        descent->keys[k] = exprs[descent->keys[k]->index];
    return true;
}

static bool through_aggregate(struct descent *descent, const struct plan *plan)
{
    for (uint32_t a = 0; a < plan->as.aggregate.aggregate_count; a++) {
        const struct aggregate *aggregate = &plan->as.aggregate.aggregates[a];
        if ((aggregate->argument && aggregate->argument->is_volatile) ||
            (aggregate->filter && aggregate->filter->is_volatile))
            return false;
    }
    return !any_volatile(plan->as.aggregate.groups, plan->as.aggregate.group_count) &&
           keys_become(descent, plan->as.aggregate.groups, plan->as.aggregate.group_count);
}

/* The first row of each of the values that are distinct: those are kept or dropped together. */
static bool through_distinct(const struct descent *descent, const struct plan *plan)
{
    if (plan->as.distinct.key_count == 0)
        return true;
    for (uint32_t k = 0; k < descent->count; k++) {
        bool is_key = false;
        for (uint32_t i = 0; i < plan->as.distinct.key_count; i++) {
            const struct expr *key = plan->as.distinct.keys[i];
            is_key |= key->kind == EXPR_COLUMN && key->index == descent->keys[k]->index;
        }
        if (!is_key)
            return false;
    }
    return true;
}

/* Are all keys columns of the left input? It may lose rows that nobody wants. */
static bool through_join(const struct descent *descent, const struct plan *plan)
{
    if (plan->as.join.kind == JOIN_FULL || plan->as.join.kind == JOIN_RIGHT ||
        (plan->as.join.condition && plan->as.join.condition->is_volatile))
        return false;
    for (uint32_t k = 0; k < descent->count; k++) {
        if (descent->keys[k]->index >= plan->left->column_count)
            return false;
    }
    return true;
}

/* One step down; false: here it ends. */
static bool descend(struct descent *descent)
{
    struct plan *plan = *descent->place;
    bool through = false;
    switch (plan->kind) {
    case PLAN_FILTER:
        through = !plan->as.filter.predicate->is_volatile &&
                  (plan->left->kind != PLAN_SCAN ||
                   plan->rows_estimate > descent->share * plan->left->rows_estimate);
        break;
    case PLAN_PROJECT:
        through = !any_volatile(plan->as.project.exprs, plan->column_count) &&
                  keys_become(descent, plan->as.project.exprs, plan->column_count);
        break;
    case PLAN_AGGREGATE:
        through = through_aggregate(descent, plan);
        descent->grouped |= through;
        break;
    case PLAN_DISTINCT:
        through = through_distinct(descent, plan);
        descent->grouped |= through;
        break;
    case PLAN_SORT:
        through = true;
        break;
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP_JOIN:
    case PLAN_LOOKUP_JOIN:
    case PLAN_MERGE_JOIN:
        through = through_join(descent, plan);
        break;
    default:
        break;
    }
    if (through)
        descent->place = &plan->left;
    return through;
}

static void put_filter(struct planner *planner, const struct plan *join,
                       const struct descent *descent)
{
    struct plan *below = *descent->place;
    struct plan *plan = plan__operator(planner, PLAN_KEY_FILTER, below->column_count, below, NULL);
    plan->types = below->types;
    plan->names = below->names;
    plan->rows_estimate = below->rows_estimate * descent->share;
    plan->as.key_filter.join = join;
    plan->as.key_filter.keys = descent->keys;
    plan->as.key_filter.key_count = join->as.join.key_count;
    *descent->place = plan;
}

static void filter_left(struct planner *planner, struct plan *join)
{
    bool drops = join->as.join.kind == JOIN_INNER || join->as.join.kind == JOIN_SEMI;
    uint32_t count = join->as.join.key_count;
    double share = fmax(join->right->rows_estimate, 1) / fmax(join->left->rows_estimate, 1);
    if (!drops || count == 0 || share > KEYS_MAX)
        return;
    struct descent descent = {.place = &join->left, .count = count, .share = share};
    descent.keys = arena_alloc(planner->arena, count * sizeof(struct expr *));
    memcpy(descent.keys, join->as.join.left_keys, count * sizeof(struct expr *));
    for (uint32_t k = 0; k < count; k++) {
        if (descent.keys[k]->kind != EXPR_COLUMN)
            return;
    }
    while (descend(&descent))
        continue;
    if (descent.grouped && (*descent.place)->rows_estimate >= ROWS_MIN)
        put_filter(planner, join, &descent);
}

/* `commons`: which queries of WITH were gone through. */
static void filter_below(struct planner *planner, struct plan *plan, bool *commons)
{
    if (!plan)
        return;
    if (plan->kind == PLAN_HASH_JOIN)
        filter_left(planner, plan);
    if (plan->kind == PLAN_COMMON && !commons[plan->as.with.number]) {
        commons[plan->as.with.number] = true;
        filter_below(planner, plan->as.with.plan, commons);
    }
    filter_below(planner, plan->left, commons);
    filter_below(planner, plan->right, commons);
}

void plan__filter_keys(struct planner *planner, const struct planned *planned)
{
    if (planner->options->no_key_filter)
        return;
    bool *commons = arena_zalloc(planner->arena, planned->common_count + 1);
    filter_below(planner, planned->root, commons);
    for (uint32_t i = 0; i < planned->subplan_count; i++)
        filter_below(planner, planned->subplans[i]->plan, commons);
}
