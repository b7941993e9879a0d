/* Subqueries that are conditions become joins.
 *
 *     WHERE EXISTS (SELECT ... FROM b WHERE b.x = a.x)        a SEMI JOIN b ON b.x = a.x
 *     WHERE NOT EXISTS (...)                                  a ANTI JOIN b ON ...
 *     WHERE a.x IN (SELECT b.x FROM b WHERE ...)              a SEMI JOIN b ON a.x = b.x AND ...
 * The relations and slots of the subquery's block are taken over into the block around, and what
 * stood in its cells stands in its conditions again. That needs a plain block: no groups, no LIMIT,
 * and names of the block around in its WHERE only. NOT IN stays: with NULLs it is no join.
 *
 * An IN over a column that an index begins with may also be answered the other way round, from the
 * values to the rows that have them: such a one becomes an ordinary join with the different values,
 * whose order is chosen by cost.
 *
 * Queries that give one aggregate for each row around: plan_decorrelate.c. What remains is run as a
 * subquery. */
#include <string.h>

#include "sql/plan/plan_int.h"

/* ---- what can be taken over -------------------------------------------------------------------
 */

static bool any_outer(struct expr *const *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (plan__has_outer(items[i]))
            return true;
    }
    return false;
}

static bool from_has_outer(const struct query *query, const struct from_node *node)
{
    if (node->leaf) {
        const struct relation *relation = &query->relations[node->relation];
        /* What several places may read has none; and is not to be gone through for each of them. */
        return relation->derived && !relation->common &&
               plan__query_has_outer(relation->derived, false);
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (from_has_outer(query, node->inputs[i]))
            return true;
    }
    return any_outer(node->on.items, node->on.count);
}

static bool window_has_outer(struct window *window)
{
    struct expr **place;
    for (uint32_t i = 0; (place = plan__window_expr(window, i)) != NULL; i++) {
        if (*place && plan__has_outer(*place))
            return true;
    }
    return false;
}

bool plan__query_has_outer(const struct query *query, bool but_where)
{
    for (int i = 0; i < 2 && query->set; i++) {
        if (plan__query_has_outer(query->inputs[i], false))
            return true;
    }
    for (uint32_t a = 0; a < query->aggregate_count; a++) {
        struct expr **place;
        for (uint32_t i = 0; (place = plan__aggregate_expr(&query->aggregates[a], i)) != NULL;
             i++) {
            if (*place && plan__has_outer(*place))
                return true;
        }
    }
    for (uint32_t w = 0; w < query->window_count; w++) {
        if (window_has_outer(&query->windows[w]))
            return true;
    }
    if (query->row_window && (window_has_outer(query->row_window) ||
                              any_outer(query->row_where.items, query->row_where.count)))
        return true;
    for (uint32_t i = 0; i < query->order_count; i++) {
        if (plan__has_outer(query->orders[i].expr))
            return true;
    }
    return any_outer(query->outputs.items, query->outputs.count) ||
           any_outer(query->groups.items, query->groups.count) ||
           any_outer(query->having.items, query->having.count) ||
           any_outer(query->distinct_on.items, query->distinct_on.count) ||
           any_outer(query->series.items, query->series.count) ||
           any_outer(query->rows, query->row_count * query->outputs.count) ||
           (query->limit && plan__has_outer(query->limit)) ||
           (query->offset && plan__has_outer(query->offset)) ||
           (!but_where && any_outer(query->where.items, query->where.count)) ||
           (query->from && from_has_outer(query, query->from));
}

static bool any_volatile(const struct exprs *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i]->is_volatile)
            return true;
    }
    return false;
}

static bool is_plain(const struct query *query)
{
    return query->from && !query->set && !query->is_values && !query->aggregated &&
           query->window_count == 0 && !query->row_window && query->distinct_on.count == 0 &&
           !plan__has_lateral(query) && !query->limit && !query->offset &&
           !any_volatile(&query->where) && !any_volatile(&query->outputs);
}

/* ---- taking over ------------------------------------------------------------------------------
 */

struct expr *plan__taken_over(const struct unnesting *unnesting, struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN) {
        ASSERT(expr->index < unnesting->slot_count && unnesting->columns[expr->index]);
        return unnesting->columns[expr->index];
    }
    if (expr->kind == EXPR_OUTER) {
        for (uint32_t i = 0; i < unnesting->subplan->cell_count; i++) {
            if (unnesting->subplan->cells[i] == expr->index)
                return unnesting->values[i];
        }
        UNREACHABLE();
    }
    if (expr->argument_count == 0)
        return expr;
    struct expr *copy = arena_alloc(unnesting->planner->arena, sizeof *copy);
    *copy = *expr;
    copy->arguments =
        arena_alloc(unnesting->planner->arena, expr->argument_count * sizeof(struct expr *));
    for (uint32_t i = 0; i < expr->argument_count; i++)
        copy->arguments[i] = plan__taken_over(unnesting, expr->arguments[i]);
    return copy;
}

static void take_over_list(const struct unnesting *unnesting, const struct exprs *from,
                           struct exprs *to)
{
    for (uint32_t i = 0; i < from->count; i++)
        plan__append(unnesting->planner, to, plan__taken_over(unnesting, from->items[i]));
}

static void take_over_from(const struct unnesting *unnesting, struct from_node *node)
{
    struct exprs on = node->on;
    node->relations <<= unnesting->relation_first;
    if (node->leaf) {
        node->relation += unnesting->relation_first;
        return;
    }
    node->on = (struct exprs){0};
    take_over_list(unnesting, &on, &node->on);
    for (uint32_t i = 0; i < node->input_count; i++)
        take_over_from(unnesting, node->inputs[i]);
}

/* Slots and relations behind those of the block around. */
static void take_over_slots(struct unnesting *unnesting, const struct query *inner)
{
    struct planner *planner = unnesting->planner;
    struct query *query = unnesting->query;
    uint32_t slot_first = query->slot_count;
    unnesting->slot_count = inner->slot_count;
    unnesting->relation_first = query->relation_count;
    unnesting->columns =
        arena_alloc(planner->arena, (inner->slot_count + 1) * sizeof(struct expr *));
    uint32_t capacity = query->relation_count;
    query->relations =
        arena_grow(planner->arena, query->relations, &capacity,
                   query->relation_count + inner->relation_count, sizeof *query->relations);
    for (uint32_t i = 0; i < inner->relation_count; i++) {
        struct relation relation = inner->relations[i];
        relation.slot_first += slot_first;
        query->relations[query->relation_count++] = relation;
    }
    for (uint32_t i = 0; i < inner->slot_count; i++) {
        struct slot slot = inner->slots[i];
        if (slot.relation != NOWHERE)
            slot.relation += unnesting->relation_first;
        slot.display = NULL;
        plan__add_slot(planner, query, slot);
    }
    for (uint32_t i = 0; i < inner->slot_count; i++)
        unnesting->columns[i] = plan__column(planner, query, slot_first + i, 0);
}

/* ---- where the join goes ----------------------------------------------------------------------
 */

/* The lowest place below `place` that has all these relations and where a row that is dropped is
 * dropped from the result. */
static struct from_node **find_place(struct from_node **place, uint64_t relations)
{
    for (;;) {
        struct from_node *node = *place;
        struct from_node **lower = NULL;
        bool descends = !node->leaf && (node->kind == JOIN_INNER || node->kind == JOIN_LEFT ||
                                        node->kind == JOIN_SEMI || node->kind == JOIN_ANTI);
        bool any = node->kind == JOIN_INNER && !node->lateral;
        uint32_t inputs = !descends ? 0 : any ? node->input_count : 1;
        for (uint32_t i = 0; i < inputs && !lower; i++) {
            if ((relations & ~node->inputs[i]->relations) == 0)
                lower = &node->inputs[i];
        }
        if (!lower)
            return place;
        place = lower;
    }
}

/* Everything above a place has the relations that have come to it. */
static uint64_t note_relations(struct from_node *node)
{
    if (node->leaf)
        return node->relations;
    node->relations = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        node->relations |= note_relations(node->inputs[i]);
    return node->relations;
}

static void put_join(struct planner *planner, struct query *query, enum join_kind kind,
                     struct from_node *right, const struct exprs *on)
{
    uint64_t relations = 0;
    for (uint32_t i = 0; i < on->count; i++)
        relations |= plan__relations(query, on->items[i]);
    relations &= ~right->relations;
    struct from_node **place = find_place(&query->from, relations);
    struct from_node *join = arena_zalloc(planner->arena, sizeof *join);
    join->kind = kind;
    join->inputs = arena_alloc(planner->arena, 2 * sizeof(struct from_node *));
    join->inputs[0] = *place;
    join->inputs[1] = right;
    join->input_count = 2;
    join->on = *on;
    *place = join;
    note_relations(query->from);
}

/* ---- the ways ---------------------------------------------------------------------------------
 */

static struct expr *equality(struct planner *planner, struct expr *a, struct expr *b)
{
    return plan__call2(planner, CALL_EQ, SQL_BOOLEAN, a->position, a, b);
}

/* SEMI or ANTI JOIN with what the subquery is made of. */
static bool try_semi(struct planner *planner, struct query *query, struct subquery *subquery,
                     const struct expr *expr, enum join_kind kind)
{
    struct query *inner = subquery->query;
    if (!is_plain(inner) || plan__query_has_outer(inner, true) ||
        query->relation_count + inner->relation_count > RELATIONS_MAX)
        return false;
    /* EXISTS without a name of the block around is one question for all rows. */
    bool is_in = subquery->subplan.kind == SUBPLAN_IN;
    if (!is_in && subquery->subplan.cell_count == 0)
        return false;
    struct unnesting unnesting = {.planner = planner,
                                  .query = query,
                                  .subplan = &subquery->subplan,
                                  .values = expr->arguments + subquery->subplan.operand_count};
    struct exprs on = {0};
    take_over_slots(&unnesting, inner);
    take_over_from(&unnesting, inner->from);
    take_over_list(&unnesting, &inner->where, &on);
    if (is_in)
        plan__append(planner, &on,
                     equality(planner, expr->arguments[0],
                              plan__taken_over(&unnesting, inner->outputs.items[0])));
    put_join(planner, query, kind, inner->from, &on);
    subquery->query = NULL;
    return true;
}

/* Whether an index of its table begins with the column. */
static bool is_indexed(const struct query *query, const struct expr *expr)
{
    if (expr->kind != EXPR_COLUMN || query->slots[expr->index].relation == NOWHERE)
        return false;
    const struct slot *slot = &query->slots[expr->index];
    const struct table *table = query->relations[slot->relation].table;
    for (uint32_t i = 0; table && i < table->index_count; i++) {
        if (!table->indexes[i].building && table->indexes[i].columns[0] == slot->place)
            return true;
    }
    return false;
}

/* An ordinary join with the different values of an IN. */
static bool try_values(struct planner *planner, struct query *query, struct subquery *subquery,
                       const struct expr *expr)
{
    struct query *inner = subquery->query;
    if (subquery->subplan.cell_count > 0 || inner->limit || inner->offset ||
        inner->distinct_on.count > 0 || !is_indexed(query, expr->arguments[0]) ||
        query->relation_count == RELATIONS_MAX)
        return false;
    inner->order_count = 0;
    inner->distinct = true;
    struct from_node *leaf;
    plan__add_derived(planner, query, inner, &leaf);
    const struct relation *relation = &query->relations[leaf->relation];
    struct exprs on = {0};
    plan__append(planner, &on,
                 equality(planner, expr->arguments[0],
                          plan__column(planner, query, relation->slot_first, 0)));
    put_join(planner, query, JOIN_INNER, leaf, &on);
    subquery->query = NULL;
    return true;
}

static bool try_condition(struct planner *planner, struct query *query,
                          const struct expr *condition)
{
    bool negated = condition->kind == EXPR_CALL && condition->call == CALL_NOT;
    const struct expr *expr = negated ? condition->arguments[0] : condition;
    if (expr->kind != EXPR_SUBQUERY || expr->is_volatile)
        return false;
    struct subquery *subquery = (struct subquery *)expr->subplan;
    enum subplan_kind kind = subquery->subplan.kind;
    if (!subquery->query || (kind != SUBPLAN_EXISTS && kind != SUBPLAN_IN) ||
        (negated && kind == SUBPLAN_IN))
        return false;
    plan__unnest(planner, subquery->query);
    if (kind == SUBPLAN_IN && try_values(planner, query, subquery, expr))
        return true;
    return try_semi(planner, query, subquery, expr, negated ? JOIN_ANTI : JOIN_SEMI);
}

void plan__unnest(struct planner *planner, struct query *query)
{
    ASSERT(query);
    if (!query->from || planner->options->no_unnest)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < query->where.count; i++) {
        struct expr *condition = query->where.items[i];
        if (!try_condition(planner, query, condition))
            query->where.items[kept++] = condition;
    }
    query->where.count = kept;
    plan__share_rows(planner, query);
    plan__decorrelate(planner, query);
}
