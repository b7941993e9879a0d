/* One query block laid out: FROM, then filter, aggregation, HAVING, sort and limit, and the select
 * list last, so that it is computed only for rows that are kept. DISTINCT, and an ORDER BY over a
 * volatile output, need the select list first. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static const double SHORT_ROWS = 100;
static const double LIMIT_GUESS = 100; /* when it is a parameter */

struct plan *plan__operator(struct planner *planner, enum plan_kind kind, uint32_t column_count,
                            struct plan *left, struct plan *right)
{
    struct plan *plan = arena_zalloc(planner->arena, sizeof *plan);
    plan->kind = kind;
    plan->column_count = column_count;
    plan->left = left;
    plan->right = right;
    return plan;
}

void plan__describe(struct planner *planner, const struct query *query, struct stage *stage)
{
    struct plan *plan = stage->plan;
    size_t count = plan->column_count + 1;
    plan->types = arena_alloc(planner->arena, count * sizeof *plan->types);
    plan->names = arena_alloc(planner->arena, count * sizeof *plan->names);
    plan->rows_estimate = stage->rows;
    for (uint32_t i = 0; i < plan->column_count; i++) {
        ASSERT(stage->slots[i] < query->slot_count);
        plan->types[i] = query->slots[stage->slots[i]].type;
        plan->names[i] = query->slots[stage->slots[i]].name;
    }
}

uint32_t *plan__positions(struct planner *planner, const struct query *query,
                          const struct stage *left, const struct stage *right)
{
    uint32_t *positions = arena_alloc(planner->arena, (query->slot_count + 1) * sizeof *positions);
    memset(positions, 0xff, query->slot_count * sizeof *positions);
    _Static_assert(NOWHERE == UINT32_MAX, "all bits set");
    uint32_t at = 0;
    for (uint32_t i = 0; i < left->plan->column_count; i++)
        positions[left->slots[i]] = at++;
    for (uint32_t i = 0; right && i < right->plan->column_count; i++)
        positions[right->slots[i]] = at++;
    return positions;
}

/* An operator that passes its input's columns on. */
void plan__put_over(struct planner *planner, enum plan_kind kind, struct stage *stage)
{
    struct plan *below = stage->plan;
    stage->plan = plan__operator(planner, kind, below->column_count, below, NULL);
    stage->plan->types = below->types;
    stage->plan->names = below->names;
    stage->plan->rows_estimate = stage->rows;
}

void plan__rely_on_order(struct plan *plan)
{
    for (; plan; plan = plan->left) {
        switch (plan->kind) {
        case PLAN_HASH_JOIN:
        case PLAN_NESTED_LOOP_JOIN:
            plan->as.join.keeps_order = true;
            break;
        case PLAN_FILTER:
        case PLAN_PROJECT:
        case PLAN_LIMIT:
        case PLAN_WINDOW:
        case PLAN_LOOKUP_JOIN:
        case PLAN_MERGE_JOIN:
        case PLAN_LATERAL_JOIN:
            break;
        default: /* has an order of its own, or none */
            return;
        }
    }
}

/* Nothing passes: what is below need not run. */
static void make_empty(struct planner *planner, struct stage *stage)
{
    struct plan *below = stage->plan;
    stage->plan = plan__operator(planner, PLAN_VALUES, below->column_count, NULL, NULL);
    stage->plan->types = below->types;
    stage->plan->names = below->names;
    stage->rows = 0;
    stage->cost = 0;
    stage->is_short = true;
}

void plan__add_filter(struct planner *planner, struct query *query, struct stage *stage,
                      const struct exprs *conditions)
{
    if (conditions->count == 0)
        return;
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (plan__is_false_or_null(conditions->items[i])) {
            make_empty(planner, stage);
            return;
        }
    }
    struct expr *predicate = plan__predicate(planner, conditions);
    predicate = plan__resolve(planner, predicate, plan__positions(planner, query, stage, NULL));
    stage->rows *= plan__selectivity_all(planner, query, conditions);
    stage->rows = fmax(stage->rows, 1);
    plan__put_over(planner, PLAN_FILTER, stage);
    stage->plan->as.filter.predicate = predicate;
}

/* ---- what is used -----------------------------------------------------------------------------
 */

static void mark_list(struct query *query, const struct exprs *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        plan__mark_used(query, list->items[i]);
}

/* Conditions on a table itself are left out: the scan sees to them. */
static void mark_from(struct query *query, const struct from_node *node)
{
    mark_list(query, &node->joined_on);
    if (node->leaf) {
        struct subquery *lateral = query->relations[node->relation].lateral;
        for (uint32_t i = 0; lateral && i < lateral->subplan.cell_count; i++)
            plan__mark_used(query, lateral->values[i]);
        return;
    }
    mark_list(query, &node->on);
    mark_list(query, &node->filters);
    for (uint32_t i = 0; i < node->input_count; i++)
        mark_from(query, node->inputs[i]);
}

static void mark_window(struct query *query, struct window *window)
{
    struct expr **place;
    for (uint32_t i = 0; (place = plan__window_expr(window, i)) != NULL; i++) {
        if (*place)
            plan__mark_used(query, *place);
    }
}

static void mark_query(struct query *query)
{
    mark_list(query, &query->outputs);
    mark_list(query, &query->where);
    mark_list(query, &query->groups);
    mark_list(query, &query->having);
    mark_list(query, &query->distinct_on);
    for (uint32_t i = 0; i < query->order_count; i++)
        plan__mark_used(query, query->orders[i].expr);
    for (uint32_t a = 0; a < query->aggregate_count; a++) {
        struct expr **place;
        for (uint32_t i = 0; (place = plan__aggregate_expr(&query->aggregates[a], i)) != NULL;
             i++) {
            if (*place)
                plan__mark_used(query, *place);
        }
    }
    for (uint32_t w = 0; w < query->window_count; w++)
        mark_window(query, &query->windows[w]);
    if (query->row_window)
        mark_window(query, query->row_window);
    mark_list(query, &query->row_where);
    if (query->from)
        mark_from(query, query->from);
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static double limit_guess(const struct expr *expr)
{
    if (!expr)
        return 0;
    if (!plan__is_constant(expr))
        return LIMIT_GUESS;
    return expr->constant.null ? 0 : fmax(0, (double)expr->constant.as.integer);
}

/* Rows wanted from below, 0: all. */
static double wanted_rows(const struct query *query)
{
    double limit = limit_guess(query->limit);
    return query->limit ? fmax(1, limit) + limit_guess(query->offset) : 0;
}

static void drop_null_limit(struct expr **expr)
{
    if (*expr && plan__is_constant(*expr) && (*expr)->constant.null)
        *expr = NULL;
}

/* ---- pieces -----------------------------------------------------------------------------------
 */

static status_t choose_base(struct planner *planner, struct query *query, struct stage *out)
{
    if (query->from) {
        struct wish wish = {0};
        if (query->row_window) {
            plan__row_window_wish(planner, query, &wish);
        } else if (query->window_count > 0 && !query->aggregated) {
            plan__window_wish(planner, query, &wish);
        } else if (!query->aggregated && !query->distinct) {
            wish.keys = query->orders;
            wish.key_count = query->order_count;
            wish.limit = query->distinct_on.count > 0 ? 0 : wanted_rows(query);
            if (wish.limit > 0 && query->where.count == 0)
                (void)plan__known_limit(planner, query, &wish.exact_limit);
        }
        return plan__choose_from(planner, query, query->from, &wish, out);
    }
    if (query->set)
        return plan__choose_set(planner, query, out);
    if (query->series.count > 0) {
        plan__choose_series(planner, query, out);
        return OK;
    }
    if (query->recursion) {
        plan__choose_working(planner, query, out);
        return OK;
    }
    uint32_t columns = query->is_values ? query->outputs.count : 0;
    *out = (struct stage){.is_short = query->row_count <= 1000};
    out->plan = plan__operator(planner, PLAN_VALUES, columns, NULL, NULL);
    out->plan->as.values.rows = query->rows;
    out->plan->as.values.row_count = query->is_values ? query->row_count : 1;
    out->rows = out->plan->as.values.row_count;
    out->slots = arena_alloc(planner->arena, (columns + 1) * sizeof *out->slots);
    for (uint32_t i = 0; i < columns; i++)
        out->slots[i] = i;
    plan__describe(planner, query, out);
    return OK;
}

void plan__resolve_aggregate(struct planner *planner, struct aggregate *aggregate,
                             const uint32_t *positions)
{
    struct expr **place;
    struct sort_key *orders =
        arena_alloc(planner->arena, (aggregate->order_count + 1) * sizeof *orders);
    for (uint32_t i = 0; i < aggregate->order_count; i++)
        orders[i] = aggregate->orders[i];
    aggregate->orders = orders;
    for (uint32_t i = 0; (place = plan__aggregate_expr(aggregate, i)) != NULL; i++)
        *place = *place ? plan__resolve(planner, *place, positions) : NULL;
}

void plan__add_aggregates(struct planner *planner, struct query *query, uint32_t first,
                          uint32_t count, struct stage *stage)
{
    uint32_t groups = query->groups.count;
    uint32_t columns = groups + count;
    uint32_t *positions = plan__positions(planner, query, stage, NULL);
    ASSERT(first + count <= query->aggregate_count);
    /* Copies: the query's own stay over slots. */
    struct expr **exprs = arena_alloc(planner->arena, (groups + 1) * sizeof *exprs);
    struct aggregate *aggregates = arena_alloc(planner->arena, (count + 1) * sizeof *aggregates);
    stage->plan = plan__operator(planner, PLAN_AGGREGATE, columns, stage->plan, NULL);
    stage->plan->as.aggregate.groups = exprs;
    stage->plan->as.aggregate.group_count = groups;
    stage->plan->as.aggregate.aggregates = aggregates;
    stage->plan->as.aggregate.aggregate_count = count;
    stage->slots = arena_alloc(planner->arena, (columns + 1) * sizeof *stage->slots);
    for (uint32_t i = 0; i < groups; i++) {
        exprs[i] = plan__resolve(planner, query->groups.items[i], positions);
        stage->slots[i] = query->group_slots[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        aggregates[i] = query->aggregates[first + i];
        plan__resolve_aggregate(planner, &aggregates[i], positions);
        stage->slots[groups + i] = query->aggregate_slots[first + i];
    }
    if (!planner->options->no_grouped &&
        plan__comes_grouped(planner, stage->plan->left, exprs, groups)) {
        stage->plan->as.aggregate.grouped = true;
        plan__rely_on_order(stage->plan->left);
    }
    stage->cost += stage->rows;
    stage->rows = groups == 0 ? 1 : plan__group_rows(planner, query, &query->groups, stage->rows);
    stage->ordered = query->order_count == 0;
    stage->order_count = 0;
    plan__describe(planner, query, stage);
}

/* A select list that is the input's columns as they stand needs no operator. */
static bool is_identity(const struct stage *stage, struct expr **exprs, uint32_t count)
{
    if (stage->plan->column_count != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->kind != EXPR_COLUMN || exprs[i]->index != stage->slots[i])
            return false;
    }
    return true;
}

static bool is_one_empty_row(const struct plan *plan)
{
    return plan->kind == PLAN_VALUES && plan->column_count == 0 && plan->as.values.row_count == 1;
}

/* The select list over a stage: each output gets a new slot, the first of which is returned. */
static uint32_t add_project(struct planner *planner, struct query *query, struct stage *stage,
                            struct expr **exprs, const char **names, uint32_t count)
{
    struct plan *below = stage->plan;
    if (!is_identity(stage, exprs, count)) {
        uint32_t *positions = plan__positions(planner, query, stage, NULL);
        struct expr **resolved = arena_alloc(planner->arena, (count + 1) * sizeof *resolved);
        for (uint32_t i = 0; i < count; i++)
            resolved[i] = plan__resolve(planner, exprs[i], positions);
        if (is_one_empty_row(below)) {
            below->column_count = count;
            below->as.values.rows = resolved;
        } else {
            stage->plan = plan__operator(planner, PLAN_PROJECT, count, below, NULL);
            stage->plan->as.project.exprs = resolved;
        }
    }
    uint32_t first = query->slot_count;
    stage->slots = arena_alloc(planner->arena, (count + 1) * sizeof *stage->slots);
    for (uint32_t i = 0; i < count; i++) {
        struct slot slot = {.name = names ? names[i] : "", .type = exprs[i]->type};
        slot.relation = NOWHERE;
        slot.display = exprs[i]->kind == EXPR_COLUMN ? exprs[i]->name : slot.name;
        stage->slots[i] = plan__add_slot(planner, query, slot);
    }
    plan__describe(planner, query, stage);
    return first;
}

/* The first row of each, as they come. */
static void add_distinct_on(struct planner *planner, struct query *query, struct stage *stage)
{
    uint32_t *positions = plan__positions(planner, query, stage, NULL);
    uint32_t count = query->distinct_on.count;
    struct expr **keys = arena_alloc(planner->arena, count * sizeof *keys);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = plan__resolve(planner, query->distinct_on.items[i], positions);
    stage->rows = fmax(1, stage->rows / 10);
    plan__put_over(planner, PLAN_DISTINCT, stage);
    stage->plan->as.distinct.keys = keys;
    stage->plan->as.distinct.key_count = count;
    stage->plan->as.distinct.ordered = query->order_count >= count;
}

static struct sort_key *resolved_keys(struct planner *planner, struct query *query,
                                      const struct stage *stage, const struct sort_key *orders)
{
    uint32_t *positions = plan__positions(planner, query, stage, NULL);
    struct sort_key *keys = arena_alloc(planner->arena, (query->order_count + 1) * sizeof *keys);
    for (uint32_t i = 0; i < query->order_count; i++) {
        keys[i] = orders[i];
        keys[i].expr = plan__resolve(planner, orders[i].expr, positions);
    }
    return keys;
}

/* Sort and limit, in one operator where both are there. */
static void add_sort_and_limit(struct planner *planner, struct query *query, struct stage *stage,
                               struct sort_key *orders)
{
    bool sorts = query->order_count > 0 && !stage->ordered;
    double wanted = wanted_rows(query);
    bool with_ties = query->limit && query->with_ties;
    bool top_n = sorts && query->limit && query->distinct_on.count == 0 && !with_ties &&
                 !planner->options->no_top_n;
    struct sort_key *keys =
        sorts || with_ties ? resolved_keys(planner, query, stage, orders) : NULL;
    if (sorts) {
        stage->cost += plan__sort_cost(stage->rows, wanted);
        plan__put_over(planner, top_n ? PLAN_TOP_N : PLAN_SORT, stage);
        stage->plan->as.sort.keys = keys;
        stage->plan->as.sort.key_count = query->order_count;
        if (top_n) {
            stage->plan->as.sort.limit = query->limit;
            stage->plan->as.sort.offset = query->offset;
        }
    } else if (query->order_count > 0) {
        plan__rely_on_order(stage->plan);
    }
    if (query->distinct_on.count > 0)
        add_distinct_on(planner, query, stage);
    if ((query->limit || query->offset) && !top_n) {
        /* The first rows of a table are few rows, too. */
        bool few = stage->plan->kind == PLAN_SCAN && query->limit &&
                   plan__is_constant(query->limit) &&
                   (!query->offset || plan__is_constant(query->offset)) && wanted <= SHORT_ROWS;
        stage->is_short |= few && !with_ties;
        plan__put_over(planner, PLAN_LIMIT, stage);
        stage->plan->as.limit.limit = query->limit;
        stage->plan->as.limit.offset = query->offset;
        stage->plan->as.limit.with_ties = with_ties;
        stage->plan->as.limit.keys = keys;
        stage->plan->as.limit.key_count = with_ties ? query->order_count : 0;
    }
    if (wanted > 0)
        stage->rows = fmin(stage->rows, fmax(1, limit_guess(query->limit)));
    stage->plan->rows_estimate = stage->rows;
}

/* ---- the select list first --------------------------------------------------------------------
 */

static bool orders_by_volatile(const struct query *query)
{
    for (uint32_t i = 0; i < query->order_count; i++) {
        if (query->orders[i].expr->is_volatile)
            return true;
    }
    return false;
}

/* Of so many rows, those that DISTINCT leaves. */
static double distinct_rows(struct planner *planner, const struct query *query, double rows)
{
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        if (!plan__column_statistics(planner, query, query->outputs.items[i]))
            return fmax(1, rows / 2);
    }
    return plan__group_rows(planner, query, &query->outputs, rows);
}

/* Sorts what the select list gave; keys that are no output are carried along and dropped again. */
static void project_first(struct planner *planner, struct query *query, struct stage *stage)
{
    uint32_t visible = query->outputs.count;
    struct exprs all = {0};
    for (uint32_t i = 0; i < visible; i++)
        plan__append(planner, &all, query->outputs.items[i]);
    struct sort_key *orders =
        arena_alloc(planner->arena, (query->order_count + 1) * sizeof *orders);
    uint32_t *outputs = arena_alloc(planner->arena, (query->order_count + 1) * sizeof *outputs);
    for (uint32_t i = 0; i < query->order_count; i++) {
        outputs[i] = query->order_outputs[i];
        if (outputs[i] != NOWHERE)
            continue;
        outputs[i] = all.count;
        plan__append(planner, &all, query->orders[i].expr);
    }
    ASSERT(!query->distinct || all.count == visible);
    const char **names = arena_alloc(planner->arena, (all.count + 1) * sizeof *names);
    for (uint32_t i = 0; i < all.count; i++)
        names[i] = i < visible ? query->output_names[i] : "sort key";
    uint32_t first = add_project(planner, query, stage, all.items, names, all.count);
    if (query->distinct) {
        stage->rows = distinct_rows(planner, query, stage->rows);
        plan__put_over(planner, PLAN_DISTINCT, stage);
    }
    for (uint32_t i = 0; i < query->order_count; i++) {
        orders[i] = query->orders[i];
        orders[i].expr = plan__column(planner, query, first + outputs[i], 0);
    }
    stage->ordered = query->order_count == 0;
    add_sort_and_limit(planner, query, stage, orders);
    if (all.count > visible) {
        for (uint32_t i = 0; i < visible; i++)
            all.items[i] = plan__column(planner, query, first + i, 0);
        add_project(planner, query, stage, all.items, query->output_names, visible);
    }
}

status_t plan__choose_query(struct planner *planner, struct query *query, struct stage *out)
{
    ASSERT(query && out);
    drop_null_limit(&query->limit);
    drop_null_limit(&query->offset);
    plan__push_limit(planner, query);
    mark_query(query);
    if (!plan__choose_extremes(planner, query, out)) {
        status_t status = choose_base(planner, query, out);
        if (status)
            return status;
        plan__add_filter(planner, query, out, &query->where);
        if (query->row_window)
            plan__add_row_window(planner, query, out);
        if (query->aggregated)
            plan__add_aggregates(planner, query, 0, query->aggregate_count, out);
    }
    plan__add_filter(planner, query, out, &query->having);
    if (query->window_count > 0) {
        out->ordered &= !query->aggregated && query->from;
        plan__add_windows(planner, query, out);
    }
    if (query->distinct || (orders_by_volatile(query) && query->distinct_on.count == 0)) {
        project_first(planner, query, out);
    } else {
        add_sort_and_limit(planner, query, out, query->orders);
        add_project(planner, query, out, query->outputs.items, query->output_names,
                    query->outputs.count);
    }
    /* The operator may be shared with nobody: it bears the names of the outputs. */
    out->plan->names = query->output_names;
    return OK;
}

status_t plan__finish_query(struct planner *planner, struct query *query, struct stage *out)
{
    plan__rewrite_query(planner, query);
    plan__push_down(planner, query);
    return plan__choose_query(planner, query, out);
}
