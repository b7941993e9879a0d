/* Conditions moved to where they drop rows earliest.
 *
 * 1. Outer joins that are none. A condition above a join that cannot be true when a side is all
 *    NULL drops the rows that were only filled up: LEFT becomes INNER, FULL becomes LEFT or RIGHT.
 *    RIGHT is turned into LEFT with its sides exchanged.
 * 2. A nest of inner joins is one set of inputs and one pool of conditions; in the pool equalities
 *    are closed: a = b AND b = 5 gives a = 5, and then a = b says nothing more.
 * 3. Each condition sinks into the one input that has all its columns. Through an outer join only
 *    these may pass: a condition above, into the side that is kept whole; a condition of ON, into
 *    the side that is filled up. A constant for a left column that ON equates with a right one
 *    holds for the right one too.
 * 4. Through a derived table without LIMIT, with its outputs put in the place of their names;
 *    above an aggregation, conditions on groups go below it.
 * Volatile conditions stay where they were written. */
#include "sql/plan/plan_int.h"

/* ---- 1: outer joins ---------------------------------------------------------------------------
 */

/* Relations whose being all NULL makes the expression NULL. */
static uint64_t nulled_by(const struct query *query, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN)
        return plan__relations(query, expr);
    if (expr->kind == EXPR_IN)
        return nulled_by(query, expr->arguments[0]);
    uint64_t set = 0;
    for (uint32_t i = 0; expr_is_strict(expr) && i < expr->argument_count; i++)
        set |= nulled_by(query, expr->arguments[i]);
    return set;
}

/* Relations whose being all NULL keeps the condition from being true. */
static uint64_t rejects(const struct query *query, const struct expr *expr)
{
    if (expr->kind == EXPR_AND || expr->kind == EXPR_OR) {
        uint64_t set = rejects(query, expr->arguments[0]);
        for (uint32_t i = 1; i < expr->argument_count; i++) {
            uint64_t next = rejects(query, expr->arguments[i]);
            set = expr->kind == EXPR_AND ? set | next : set & next;
        }
        return set;
    }
    if (expr->kind == EXPR_CALL && (expr->call == CALL_IS_NOT_NULL || expr->call == CALL_IS_FALSE))
        return nulled_by(query, expr->arguments[0]);
    if (expr->kind == EXPR_CALL && expr->call == CALL_IS_TRUE)
        return rejects(query, expr->arguments[0]);
    return nulled_by(query, expr);
}

static uint64_t rejects_all(const struct query *query, const struct exprs *conditions)
{
    uint64_t set = 0;
    for (uint32_t i = 0; i < conditions->count; i++)
        set |= rejects(query, conditions->items[i]);
    return set;
}

static void exchange_inputs(struct from_node *node)
{
    ASSERT(node->input_count == 2);
    struct from_node *left = node->inputs[0];
    node->inputs[0] = node->inputs[1];
    node->inputs[1] = left;
}

/* `needed`: relations that some condition above keeps from being all NULL. */
static void reduce(struct query *query, struct from_node *node, uint64_t needed)
{
    if (node->leaf)
        return;
    bool left_needed = node->inputs[0]->relations & needed;
    bool right_needed = node->inputs[1]->relations & needed;
    if (node->kind == JOIN_FULL && left_needed)
        node->kind = right_needed ? JOIN_INNER : JOIN_LEFT;
    else if (node->kind == JOIN_FULL && right_needed)
        node->kind = JOIN_RIGHT;
    else if ((node->kind == JOIN_LEFT && right_needed) || (node->kind == JOIN_RIGHT && left_needed))
        node->kind = JOIN_INNER;
    if (node->kind == JOIN_RIGHT) {
        exchange_inputs(node);
        node->kind = JOIN_LEFT;
    }
    uint64_t by_on = rejects_all(query, &node->on);
    if (node->kind == JOIN_SEMI || node->kind == JOIN_ANTI) {
        reduce(query, node->inputs[0], node->kind == JOIN_SEMI ? needed | by_on : needed);
        reduce(query, node->inputs[1], by_on);
        return;
    }
    uint64_t left = node->kind == JOIN_INNER ? needed | by_on : needed;
    uint64_t right = node->kind == JOIN_INNER ? needed | by_on : by_on;
    reduce(query, node->inputs[0], node->kind == JOIN_FULL ? 0 : left);
    reduce(query, node->inputs[1], node->kind == JOIN_FULL ? 0 : right);
}

/* ---- 2: inner joins as a set ------------------------------------------------------------------
 */

/* SEMI and ANTI joins of the set's rows become inputs of it: where they are joined is a question of
 * cost. Their ON is what is left of it when both sides have been given theirs. */
static void collect_inputs(struct planner *planner, struct from_node *node, struct from_node *set,
                           struct exprs *pool)
{
    bool partial = !node->leaf && (node->kind == JOIN_SEMI || node->kind == JOIN_ANTI);
    bool inner = !node->leaf && node->kind == JOIN_INNER && !node->lateral;
    if (!inner && !partial) {
        ASSERT(set->input_count < RELATIONS_MAX);
        set->inputs[set->input_count++] = node;
        return;
    }
    for (uint32_t i = 0; i < node->on.count && inner; i++)
        plan__append(planner, pool, node->on.items[i]);
    for (uint32_t i = 0; i < node->input_count && inner; i++)
        collect_inputs(planner, node->inputs[i], set, pool);
    if (!partial)
        return;
    struct from_node *right = node->inputs[1];
    collect_inputs(planner, node->inputs[0], set, pool);
    ASSERT(set->input_count < RELATIONS_MAX);
    set->inputs[set->input_count++] = right;
    right->joined_as = node->kind;
    right->joined_on = node->on;
}

static void flatten(struct planner *planner, struct from_node *node)
{
    ASSERT(node->kind == JOIN_INNER || node->kind == JOIN_SEMI || node->kind == JOIN_ANTI);
    struct from_node whole = *node;
    struct exprs pool = {0};
    node->kind = JOIN_INNER;
    node->inputs = arena_alloc(planner->arena, RELATIONS_MAX * sizeof(struct from_node *));
    node->input_count = 0;
    collect_inputs(planner, &whole, node, &pool);
    node->on = pool;
}

/* ---- equalities -------------------------------------------------------------------------------
 */

enum { CLOSING_ROUNDS_MAX = 64 };

/* column = constant or parameter: the value and the column's slot, or NULL. */
static struct expr *fixed_value(const struct expr *condition, uint32_t *slot)
{
    if (condition->kind != EXPR_CALL || condition->call != CALL_EQ ||
        condition->arguments[0]->kind != EXPR_COLUMN || !plan__is_fixed(condition->arguments[1]))
        return NULL;
    *slot = condition->arguments[0]->index;
    return condition->arguments[1];
}

static bool equates_columns(const struct expr *condition)
{
    return condition->kind == EXPR_CALL && condition->call == CALL_EQ &&
           condition->arguments[0]->kind == EXPR_COLUMN &&
           condition->arguments[1]->kind == EXPR_COLUMN;
}

static bool any_equates_columns(const struct exprs *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (equates_columns(list->items[i]))
            return true;
    }
    return false;
}

/* For each slot its value in the list, the first one, or NULL. */
static struct expr **fixed_values(struct planner *planner, const struct query *query,
                                  const struct exprs *list)
{
    struct expr **values =
        arena_zalloc(planner->arena, (query->slot_count + 1) * sizeof(struct expr *));
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t slot;
        struct expr *value = fixed_value(list->items[i], &slot);
        if (value && !values[slot])
            values[slot] = value;
    }
    return values;
}

/* to = (the value of from), when `known` has one and `out`, whose values `own` are, none for `to`.
 */
static bool infer(struct planner *planner, struct expr *const *known, struct expr *from,
                  struct expr *to, struct exprs *out, struct expr **own)
{
    struct expr *value = known[from->index];
    if (!value || value->type != to->type || own[to->index])
        return false;
    own[to->index] = value;
    plan__append(planner, out, plan__call2(planner, CALL_EQ, SQL_BOOLEAN, to->position, to, value));
    return true;
}

/* a = b AND b = 5 gives a = 5, until nothing is added: a chain that is written backwards takes a
 * round for each of its links. */
static void close_equalities(struct planner *planner, struct exprs *pool, struct expr **values)
{
    bool added = true;
    for (uint32_t round = 0; added && round < CLOSING_ROUNDS_MAX; round++) {
        added = false;
        for (uint32_t i = 0; i < pool->count; i++) {
            struct expr *condition = pool->items[i];
            if (!equates_columns(condition))
                continue;
            struct expr *a = condition->arguments[0];
            struct expr *b = condition->arguments[1];
            added |= infer(planner, values, a, b, pool, values) ||
                     infer(planner, values, b, a, pool, values);
        }
    }
}

/* Drops a = b where both are fixed to the same value: it is true then. */
static void drop_implied(struct expr *const *a_values, struct expr *const *b_values,
                         struct exprs *conditions)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *condition = conditions->items[i];
        bool implied = false;
        for (uint32_t turn = 0; turn < 2 && equates_columns(condition); turn++) {
            uint32_t a = condition->arguments[turn]->index;
            uint32_t b = condition->arguments[1 - turn]->index;
            const struct expr *a_value = a_values[a];
            const struct expr *b_value = b_values[b];
            implied |= a_value && b_value && plan__equal(a_value, b_value);
        }
        if (!implied)
            conditions->items[kept++] = condition;
    }
    conditions->count = kept;
}

enum { COLUMN_EQUALITIES_MAX = 32 }; /* with more of them none is added */

static bool equates(const struct exprs *list, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct expr *condition = list->items[i];
        if (!equates_columns(condition))
            continue;
        uint32_t left = condition->arguments[0]->index, right = condition->arguments[1]->index;
        if ((left == a && right == b) || (left == b && right == a))
            return true;
    }
    return false;
}

/* a = b AND b = c gives a = c, so that each two of them can be joined first. False when there are
 * too many, and not all that follows is there. */
static bool close_columns(struct planner *planner, struct exprs *pool)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < pool->count; i++)
        found += equates_columns(pool->items[i]);
    if (found > COLUMN_EQUALITIES_MAX)
        return false;
    for (uint32_t i = 0; i < pool->count; i++) {
        for (uint32_t k = 0; k < i && equates_columns(pool->items[i]); k++) {
            if (!equates_columns(pool->items[k]))
                continue;
            for (int turn = 0; turn < 4; turn++) {
                struct expr *a = pool->items[i]->arguments[turn & 1];
                struct expr *b = pool->items[k]->arguments[turn >> 1];
                const struct expr *shared = pool->items[i]->arguments[!(turn & 1)];
                if (shared->index != pool->items[k]->arguments[!(turn >> 1)]->index ||
                    a->index == b->index || a->type != b->type || equates(pool, a->index, b->index))
                    continue;
                plan__append(planner, pool,
                             plan__call2(planner, CALL_EQ, SQL_BOOLEAN, a->position, a, b));
                if (++found > COLUMN_EQUALITIES_MAX)
                    return false;
            }
        }
    }
    return true;
}

/* ---- 3: sinking -------------------------------------------------------------------------------
 */

static void sink(struct planner *planner, struct query *query, struct from_node *node,
                 struct exprs *conditions);

static bool is_within(uint64_t set, uint64_t whole)
{
    return set != 0 && (set & ~whole) == 0;
}

/* The parts of a SEMI or ANTI join's ON that are on one side alone sink; what is only on the left
 * must hold of a row that SEMI lets through. */
static void sink_joined_on(struct planner *planner, struct query *query, struct from_node *right,
                           struct exprs *pool, struct exprs *inside)
{
    struct exprs on = right->joined_on;
    right->joined_on = (struct exprs){0};
    for (uint32_t i = 0; i < on.count; i++) {
        struct expr *condition = on.items[i];
        uint64_t set = plan__relations(query, condition);
        bool left = right->joined_as == JOIN_SEMI && set != 0 && !(set & right->relations);
        plan__append(planner,
                     left                               ? pool
                     : is_within(set, right->relations) ? inside
                                                        : &right->joined_on,
                     condition);
    }
}

static void sink_inner(struct planner *planner, struct query *query, struct from_node *node,
                       const struct exprs *conditions)
{
    flatten(planner, node);
    struct exprs pool = node->on;
    struct exprs *parts = arena_zalloc(planner->arena, node->input_count * sizeof *parts);
    for (uint32_t i = 0; i < conditions->count; i++)
        plan__append(planner, &pool, conditions->items[i]);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i]->joined_as != JOIN_INNER)
            sink_joined_on(planner, query, node->inputs[i], &pool, &parts[i]);
    }
    node->closed = !planner->options->no_fold;
    if (node->closed && any_equates_columns(&pool)) {
        struct expr **values = fixed_values(planner, query, &pool);
        close_equalities(planner, &pool, values);
        drop_implied(values, values, &pool);
        node->closed = close_columns(planner, &pool);
    }
    node->on = (struct exprs){0};
    for (uint32_t i = 0; i < pool.count; i++) {
        struct expr *condition = pool.items[i];
        uint64_t set = plan__relations(query, condition);
        uint32_t to = 0;
        while (to < node->input_count && !is_within(set, node->inputs[to]->relations))
            to++;
        bool sinks = to < node->input_count && !condition->is_volatile;
        plan__append(planner,
                     sinks      ? &parts[to]
                     : set == 0 ? &node->filters
                                : &node->on,
                     condition);
    }
    for (uint32_t i = 0; i < node->input_count; i++)
        sink(planner, query, node->inputs[i], &parts[i]);
}

/* What is known of a left column holds of the right one that ON equates with it; and then ON says
 * nothing more. */
static void infer_right(struct planner *planner, struct query *query, uint64_t left_relations,
                        struct exprs *to_left, struct exprs *to_right, struct exprs *on)
{
    struct expr **left = fixed_values(planner, query, to_left);
    struct expr **right = fixed_values(planner, query, to_right);
    for (uint32_t i = 0; i < on->count; i++) {
        if (!equates_columns(on->items[i]))
            continue;
        struct expr *a = on->items[i]->arguments[0];
        struct expr *b = on->items[i]->arguments[1];
        bool a_left = is_within(plan__relations(query, a), left_relations);
        bool b_left = is_within(plan__relations(query, b), left_relations);
        if (a_left != b_left)
            infer(planner, left, a_left ? a : b, a_left ? b : a, to_right, right);
    }
    drop_implied(left, right, on);
}

static void sink_left(struct planner *planner, struct query *query, struct from_node *node,
                      const struct exprs *conditions)
{
    struct from_node *left = node->inputs[0];
    struct from_node *right = node->inputs[1];
    struct exprs to_left = {0};
    struct exprs to_right = {0};
    struct exprs on = {0};
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *condition = conditions->items[i];
        bool sinks = is_within(plan__relations(query, condition), left->relations) &&
                     !condition->is_volatile;
        plan__append(planner, sinks ? &to_left : &node->filters, condition);
    }
    for (uint32_t i = 0; i < node->on.count; i++) {
        struct expr *condition = node->on.items[i];
        bool sinks = is_within(plan__relations(query, condition), right->relations) &&
                     !condition->is_volatile;
        plan__append(planner, sinks ? &to_right : &on, condition);
    }
    if (!planner->options->no_fold && any_equates_columns(&on))
        infer_right(planner, query, left->relations, &to_left, &to_right, &on);
    node->on = on;
    sink(planner, query, left, &to_left);
    sink(planner, query, right, &to_right);
}

/* A condition on either side alone may sink into it, but the right one of an outer join only from
 * its own ON. What is left of an inner join's ON is applied above it. */
static void sink_lateral(struct planner *planner, struct query *query, struct from_node *node,
                         const struct exprs *conditions)
{
    bool inner = node->kind == JOIN_INNER;
    struct exprs all = *conditions;
    struct exprs parts[2] = {{0}, {0}};
    struct exprs on = {0};
    node->filters = (struct exprs){0};
    all.capacity = all.count; /* the list itself is not to be written to */
    for (uint32_t i = 0; i < node->on.count; i++) {
        struct expr *condition = node->on.items[i];
        bool right = is_within(plan__relations(query, condition), node->inputs[1]->relations) &&
                     !condition->is_volatile;
        plan__append(planner, inner ? &all : right ? &parts[1] : &on, condition);
    }
    for (uint32_t i = 0; i < all.count; i++) {
        struct expr *condition = all.items[i];
        uint64_t set = plan__relations(query, condition);
        bool left = is_within(set, node->inputs[0]->relations);
        bool right = inner && is_within(set, node->inputs[1]->relations);
        bool sinks = (left || right) && !condition->is_volatile;
        plan__append(planner, !sinks ? &node->filters : left ? &parts[0] : &parts[1], condition);
    }
    node->on = on;
    sink(planner, query, node->inputs[0], &parts[0]);
    sink(planner, query, node->inputs[1], &parts[1]);
}

/* ---- 4: derived tables and groups --------------------------------------------------------------
 */

static bool has_volatile_output(const struct query *query)
{
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        if (query->outputs.items[i]->is_volatile)
            return true;
    }
    return false;
}

/* Whether conditions on a block's columns may be conditions inside it. */
static bool is_open(const struct query *query)
{
    bool open = !query->limit && !query->offset && !query->is_values && !query->recursion &&
                query->series.count == 0 && !has_volatile_output(query);
    for (int i = 0; i < 2 && query->set && open; i++)
        open = is_open(query->inputs[i]);
    return open;
}

/* The condition, over slots of the block around, as one inside the block. */
static void sink_into(struct planner *planner, struct query *query, struct expr *condition,
                      uint32_t slot_first)
{
    struct expr *inside = plan__substitute(planner, condition, slot_first, query->outputs.items,
                                           query->outputs.count);
    if (!query->set) {
        plan__append(planner, query->aggregated ? &query->having : &query->where, inside);
        return;
    }
    /* The columns of a set operation are slots of its own, from 0 on. */
    for (int i = 0; i < 2; i++)
        sink_into(planner, query->inputs[i], inside, 0);
}

/* Whether a condition may be one inside the block: windows must lose no rows of a partition. */
static bool may_enter(struct planner *planner, const struct query *query, struct expr *condition,
                      uint32_t slot_first)
{
    struct expr *inside = plan__substitute(planner, condition, slot_first, query->outputs.items,
                                           query->outputs.count);
    bool may = plan__window_lets_pass(query, inside);
    for (int i = 0; i < 2 && query->set && may; i++)
        may = may_enter(planner, query->inputs[i], inside, 0);
    return may;
}

static void sink_leaf(struct planner *planner, struct query *query, struct from_node *leaf,
                      const struct exprs *conditions)
{
    const struct relation *relation = &query->relations[leaf->relation];
    struct query *derived = plan__is_common(relation) ? NULL : relation->derived;
    bool open = derived && is_open(derived);
    for (uint32_t i = 0; i < conditions->count; i++) {
        struct expr *condition = conditions->items[i];
        if (!open || condition->is_volatile || plan__relations(query, condition) == 0 ||
            !may_enter(planner, derived, condition, relation->slot_first)) {
            plan__append(planner, &leaf->filters, condition);
            continue;
        }
        sink_into(planner, derived, condition, relation->slot_first);
    }
    if (derived)
        plan__push_down(planner, derived);
}

/* Whether a condition above the aggregation is on groups alone. */
static bool is_on_groups(const struct query *query, const struct expr *expr)
{
    if (expr->kind == EXPR_COLUMN) {
        for (uint32_t i = 0; i < query->groups.count; i++) {
            if (query->group_slots[i] == expr->index)
                return true;
        }
        return false;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!is_on_groups(query, expr->arguments[i]))
            return false;
    }
    return true;
}

static struct expr *groups_inlined(struct planner *planner, const struct query *query,
                                   struct expr *expr)
{
    for (uint32_t i = 0; i < query->groups.count; i++)
        expr = plan__substitute(planner, expr, query->group_slots[i], &query->groups.items[i], 1);
    return expr;
}

static void push_having(struct planner *planner, struct query *query)
{
    struct exprs kept = {0};
    for (uint32_t i = 0; i < query->having.count; i++) {
        struct expr *condition = query->having.items[i];
        bool below = query->groups.count > 0 && !condition->is_volatile &&
                     plan__has_columns(condition) && is_on_groups(query, condition);
        struct expr *inside = below ? groups_inlined(planner, query, condition) : NULL;
        below = below && (!query->row_window || plan__window_lets_pass(query, inside));
        plan__append(planner, below ? &query->where : &kept, below ? inside : condition);
    }
    query->having = kept;
}

static void sink(struct planner *planner, struct query *query, struct from_node *node,
                 struct exprs *conditions)
{
    if (node->leaf) {
        sink_leaf(planner, query, node, conditions);
    } else if (node->lateral) {
        sink_lateral(planner, query, node, conditions);
    } else if (node->kind == JOIN_LEFT) {
        sink_left(planner, query, node, conditions);
    } else if (node->kind != JOIN_FULL) {
        sink_inner(planner, query, node, conditions);
    } else {
        ASSERT(node->kind == JOIN_FULL);
        struct exprs none = {0};
        node->filters = *conditions;
        sink(planner, query, node->inputs[0], &none);
        sink(planner, query, node->inputs[1], &none);
    }
}

/* Without pushdown: shapes as the choice expects them, every condition where it was written. */
static void leave_in_place(struct planner *planner, struct query *query, struct from_node *node)
{
    if (node->leaf) {
        const struct relation *relation = &query->relations[node->relation];
        if (relation->derived && !plan__is_common(relation))
            plan__push_down(planner, relation->derived);
        return;
    }
    if (node->kind == JOIN_RIGHT) {
        exchange_inputs(node);
        node->kind = JOIN_LEFT;
    }
    for (uint32_t i = 0; i < node->input_count; i++)
        leave_in_place(planner, query, node->inputs[i]);
}

void plan__push_down(struct planner *planner, struct query *query)
{
    if (planner->options->no_pushdown) {
        for (int i = 0; i < 2 && query->set; i++)
            plan__push_down(planner, query->inputs[i]);
        if (query->from)
            leave_in_place(planner, query, query->from);
        return;
    }
    for (int i = 0; i < 2 && query->set; i++)
        plan__push_down(planner, query->inputs[i]);
    push_having(planner, query);
    if (!query->from)
        return;
    reduce(query, query->from, rejects_all(query, &query->where));
    struct exprs conditions = query->where;
    query->where = (struct exprs){0};
    sink(planner, query, query->from, &conditions);
}
