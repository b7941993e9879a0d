/* A scalar subquery that aggregates the very rows the block around joins becomes a window over
 * them: what it would read is there already (Zuzarte et al., "WinMagic: Subquery Elimination Using
 * Window Aggregation", 2003).
 *
 *     FROM part, stock, supplier WHERE p = s_p AND s_s = s AND part.size = 3 AND supplier.ok
 *         AND price = (SELECT min(price) FROM stock, supplier WHERE s_p = p AND s_s = s AND ok)
 *     min(price) OVER (PARTITION BY part.p) of the rows of FROM part, stock, supplier WHERE ...,
 *         and then price = min
 *
 * The block around joins the subquery's tables and others. Each condition of the subquery, with its
 * tables taken for those of the block, must be a condition of the block, too; and what the block
 * asks besides may be of the other tables alone, as must be what the subquery asks of the row
 * around. Then one row of the others meets in the join just the rows that the subquery reads for
 * it, and the others' unique keys tell their rows apart.
 *
 * A row of no partners does not come out of the join, so what an aggregate makes of nothing is not
 * asked for. Sums and averages of floating-point numbers depend on the order of their rows, and
 * stay. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

/* In rows passed on, see plan_decorrelate.c: to begin a run of a subquery; a row put into a group.
 */
static const double COST_RUN = 15;
static const double COST_GROUP = 2;

struct sharing {
    struct planner *planner;
    struct query *query;
    struct query *inner;
    struct exprs around; /* conditions of the block around, but for the one that asks */
    bool *met;           /* the subquery has it, too */
    uint64_t shared;     /* relations of the block around that stand for the subquery's */
    struct unnesting unnesting;
};

/* ---- the shape it must have -------------------------------------------------------------------
 */

/* Conditions of inner joins of tables; false: there is something else. */
static bool collect(struct planner *planner, const struct query *query,
                    const struct from_node *node, struct exprs *out)
{
    if (node->lateral || node->filters.count > 0 || node->joined_on.count > 0)
        return false;
    if (node->leaf)
        return query->relations[node->relation].table != NULL;
    if (node->kind != JOIN_INNER && node->kind != JOIN_CROSS)
        return false;
    for (uint32_t i = 0; i < node->on.count; i++)
        plan__append(planner, out, node->on.items[i]);
    for (uint32_t i = 0; i < node->input_count; i++) {
        if (!collect(planner, query, node->inputs[i], out))
            return false;
    }
    return true;
}

static bool is_exact(const struct aggregate *aggregate)
{
    if (aggregate->distinct || aggregate->order_count > 0 || aggregate->separator)
        return false;
    switch (aggregate->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
        return true;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return type_storage(aggregate->argument->type) != SQL_DOUBLE &&
               type_storage(aggregate->type) != SQL_DOUBLE;
    default:
        return false;
    }
}

static bool is_plain_aggregate(const struct query *inner)
{
    bool plain = inner->from && inner->aggregated && inner->groups.count == 0 &&
                 inner->having.count == 0 && inner->window_count == 0 && !inner->row_window &&
                 !inner->distinct && inner->distinct_on.count == 0 && !inner->limit &&
                 !inner->offset && inner->outputs.count == 1 &&
                 !inner->outputs.items[0]->is_volatile;
    for (uint32_t a = 0; a < inner->aggregate_count && plain; a++)
        plain = is_exact(&inner->aggregates[a]);
    return plain && inner->aggregate_count > 0 && !plan__query_has_outer(inner, true);
}

static bool mentions(const struct expr *expr, const struct subplan *subplan)
{
    if (expr->kind == EXPR_SUBQUERY && expr->subplan == subplan)
        return true;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (mentions(expr->arguments[i], subplan))
            return true;
    }
    return false;
}

static const struct expr *find_subquery(const struct expr *expr)
{
    if (expr->kind == EXPR_SUBQUERY) {
        const struct subquery *subquery = (const struct subquery *)expr->subplan;
        bool wanted = subquery->subplan.kind == SUBPLAN_SCALAR && subquery->query &&
                      !subquery->replaced && subquery->subplan.cell_count > 0;
        return wanted && is_plain_aggregate(subquery->query) ? expr : NULL;
    }
    const struct expr *found = NULL;
    for (uint32_t i = 0; i < expr->argument_count && !found; i++)
        found = find_subquery(expr->arguments[i]);
    return found;
}

/* ---- are they the same? -----------------------------------------------------------------------
 */

/* The one relation of the block around that is this table; NOWHERE: none, or several. */
static uint32_t find_table(const struct query *query, const struct table *table)
{
    uint32_t found = NOWHERE;
    for (uint32_t r = 0; r < query->relation_count; r++) {
        if (query->relations[r].table != table)
            continue;
        if (found != NOWHERE)
            return NOWHERE;
        found = r;
    }
    return found;
}

/* Each table of the subquery becomes one of the block around. */
static bool tables_match(struct sharing *sharing)
{
    struct query *inner = sharing->inner, *query = sharing->query;
    struct expr **columns =
        arena_zalloc(sharing->planner->arena, (inner->slot_count + 1) * sizeof *columns);
    for (uint32_t r = 0; r < inner->relation_count; r++) {
        const struct relation *from = &inner->relations[r];
        uint32_t to = from->table ? find_table(query, from->table) : NOWHERE;
        if (to == NOWHERE || sharing->shared >> to & 1)
            return false;
        sharing->shared |= (uint64_t)1 << to;
        uint32_t first = query->relations[to].slot_first;
        for (uint32_t i = 0; i < from->column_count; i++) {
            ASSERT(query->slots[first + i].place == inner->slots[from->slot_first + i].place);
            columns[from->slot_first + i] = plan__column(sharing->planner, query, first + i, 0);
        }
    }
    sharing->unnesting.columns = columns;
    sharing->unnesting.slot_count = inner->slot_count;
    return true;
}

static bool same_condition(const struct expr *a, const struct expr *b)
{
    if (plan__equal(a, b))
        return true;
    return a->kind == EXPR_CALL && a->call == CALL_EQ && b->kind == EXPR_CALL &&
           b->call == CALL_EQ && plan__equal(a->arguments[0], b->arguments[1]) &&
           plan__equal(a->arguments[1], b->arguments[0]);
}

/* What the subquery asks of the row around must be of the other tables: a column of a shared one is
 * of that row alone, and would become a column of each row of the partition. */
static bool values_are_of_others(const struct sharing *sharing)
{
    const struct unnesting *unnesting = &sharing->unnesting;
    ASSERT(unnesting->subplan->cell_count > 0);
    for (uint32_t i = 0; i < unnesting->subplan->cell_count; i++) {
        if (plan__relations(sharing->query, unnesting->values[i]) & sharing->shared)
            return false;
    }
    return true;
}

/* A condition of the subquery is one of the block around. */
static bool condition_matches(struct sharing *sharing, struct expr *condition)
{
    bool found = false;
    if (condition->is_volatile || plan__has_subquery(condition))
        return false;
    const struct expr *outside = plan__taken_over(&sharing->unnesting, condition);
    for (uint32_t i = 0; i < sharing->around.count; i++) {
        bool same = same_condition(outside, sharing->around.items[i]);
        sharing->met[i] |= same;
        found |= same;
    }
    return found;
}

static bool conditions_match(struct sharing *sharing)
{
    struct exprs inside = {0};
    struct query *inner = sharing->inner;
    if (!collect(sharing->planner, inner, inner->from, &inside))
        return false;
    for (uint32_t i = 0; i < inner->where.count; i++)
        plan__append(sharing->planner, &inside, inner->where.items[i]);
    sharing->met = arena_zalloc(sharing->planner->arena, sharing->around.count + 1);
    for (uint32_t i = 0; i < inside.count; i++) {
        if (!condition_matches(sharing, inside.items[i]))
            return false;
    }
    for (uint32_t i = 0; i < sharing->around.count; i++) {
        const struct expr *condition = sharing->around.items[i];
        if (condition->is_volatile ||
            (!sharing->met[i] && (plan__relations(sharing->query, condition) & sharing->shared)))
            return false;
    }
    return true;
}

/* ---- the window -------------------------------------------------------------------------------
 */

/* The unique keys of the tables that the subquery does not read; false: there are none. */
static bool partitions_make(struct sharing *sharing, struct exprs *partitions)
{
    struct query *query = sharing->query;
    for (uint32_t r = 0; r < query->relation_count; r++) {
        const struct relation *relation = &query->relations[r];
        if (sharing->shared >> r & 1)
            continue;
        ASSERT(relation->table && relation->table->index_count > 0);
        const struct index *primary = &relation->table->indexes[0];
        for (uint32_t k = 0; k < primary->column_count; k++) {
            uint32_t slot = relation->slot_first;
            while (slot < query->slot_count && query->slots[slot].relation == r &&
                   query->slots[slot].place != primary->columns[k])
                slot++;
            if (slot == query->slot_count || query->slots[slot].relation != r)
                return false;
            plan__append(sharing->planner, partitions,
                         plan__column(sharing->planner, query, slot, 0));
        }
    }
    return partitions->count > 0;
}

static void window_make(struct sharing *sharing, const struct exprs *partitions)
{
    struct planner *planner = sharing->planner;
    struct query *query = sharing->query, *inner = sharing->inner;
    struct window *window = arena_zalloc(planner->arena, sizeof *window);
    uint32_t count = inner->aggregate_count;
    window->partitions = *partitions;
    window->functions = arena_zalloc(planner->arena, count * sizeof *window->functions);
    window->slots = arena_alloc(planner->arena, count * sizeof *window->slots);
    window->function_count = window->function_capacity = window->slot_capacity = count;
    for (uint32_t a = 0; a < count; a++) {
        struct window_function *function = &window->functions[a];
        const char *name = plan__aggregate_name(inner->aggregates[a].kind);
        *function = (struct window_function){
            .kind = WINDOW_AGGREGATE,
            .name = name,
            .aggregate = inner->aggregates[a],
            .type = inner->aggregates[a].type,
            .frame = {.mode = FRAME_RANGE, .start = FRAME_FIRST, .end = FRAME_LAST}};
        struct expr **place;
        for (uint32_t i = 0; (place = plan__aggregate_expr(&function->aggregate, i)) != NULL; i++)
            *place = *place ? plan__taken_over(&sharing->unnesting, *place) : NULL;
        const struct slot *inside = &inner->slots[inner->aggregate_slots[a]];
        struct slot slot = {
            .name = name, .type = inside->type, .length = inside->length, .relation = NOWHERE};
        window->slots[a] = plan__add_slot(planner, query, slot);
        sharing->unnesting.columns[inner->aggregate_slots[a]] =
            plan__column(planner, query, window->slots[a], 0);
    }
    query->row_window = window;
}

static struct expr *with_value(struct planner *planner, struct expr *expr,
                               const struct subplan *subplan, struct expr *value)
{
    if (expr->kind == EXPR_SUBQUERY && expr->subplan == subplan)
        return value;
    if (expr->argument_count == 0)
        return expr;
    struct expr *copy = arena_alloc(planner->arena, sizeof *copy);
    *copy = *expr;
    copy->arguments = arena_alloc(planner->arena, expr->argument_count * sizeof(struct expr *));
    for (uint32_t i = 0; i < expr->argument_count; i++)
        copy->arguments[i] = with_value(planner, expr->arguments[i], subplan, value);
    return copy;
}

/* Less than to run it for each row, and than to make all groups at once? */
static bool is_worth_it(struct sharing *sharing, double rows)
{
    struct planner *planner = sharing->planner;
    double window = plan__sort_cost(rows, 0) + rows;
    double groups = plan__rows_read(planner, sharing->inner) +
                    COST_GROUP * plan__block_rows(planner, sharing->inner);
    return window <= fmin(rows * COST_RUN, groups);
}

/* Is the subquery asked for by this condition alone? */
static bool is_alone(const struct query *query, uint32_t place, const struct subplan *subplan)
{
    for (uint32_t i = 0; i < query->where.count; i++) {
        if (i != place && mentions(query->where.items[i], subplan))
            return false;
    }
    for (uint32_t i = 0; i < query->groups.count; i++) {
        if (mentions(query->groups.items[i], subplan))
            return false;
    }
    return true;
}

static bool share(struct planner *planner, struct query *query, uint32_t place, double rows)
{
    struct expr *condition = query->where.items[place];
    const struct expr *expr = condition->is_volatile ? NULL : find_subquery(condition);
    if (!expr || !is_alone(query, place, expr->subplan))
        return false;
    struct subquery *subquery = (struct subquery *)expr->subplan;
    struct sharing sharing = {.planner = planner, .query = query, .inner = subquery->query};
    sharing.unnesting = (struct unnesting){.planner = planner,
                                           .query = query,
                                           .subplan = &subquery->subplan,
                                           .values = expr->arguments};
    struct exprs partitions = {0};
    if (!collect(planner, query, query->from, &sharing.around))
        return false;
    for (uint32_t i = 0; i < query->where.count; i++) {
        if (i != place)
            plan__append(planner, &sharing.around, query->where.items[i]);
    }
    if (!tables_match(&sharing) || !values_are_of_others(&sharing) || !conditions_match(&sharing) ||
        !partitions_make(&sharing, &partitions) || !is_worth_it(&sharing, rows))
        return false;
    window_make(&sharing, &partitions);
    struct expr *value = plan__taken_over(&sharing.unnesting, sharing.inner->outputs.items[0]);
    plan__append(planner, &query->row_where,
                 with_value(planner, condition, &subquery->subplan, value));
    subquery->query = NULL;
    return true;
}

void plan__share_rows(struct planner *planner, struct query *query)
{
    ASSERT(query->from && !query->row_window);
    if (planner->options->no_same_rows || planner->subquery_count == 0)
        return;
    double rows = plan__block_rows(planner, query);
    for (uint32_t i = 0; i < query->where.count; i++) {
        if (!share(planner, query, i, rows))
            continue;
        query->where.count--;
        memmove(&query->where.items[i], &query->where.items[i + 1],
                (query->where.count - i) * sizeof(struct expr *));
        return; /* once: a second one would be over other rows */
    }
}
