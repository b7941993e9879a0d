/* LATERAL, and functions in FROM.
 *
 * A derived table that may name what stands to its left is bound like a subquery of an expression:
 * what it takes from there become cells, constants for one run. One that takes nothing is a derived
 * table like any other. One that does makes its join a lateral one: the right side is run anew for
 * each left row. Such a join is a wall to the ordering of joins; conditions on one side sink into
 * that side.
 *
 * A function is a derived table of one column: generate_series has an operator of its own, any
 * other one row with its value. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"

bool plan__has_lateral(const struct query *query)
{
    for (uint32_t i = 0; i < query->relation_count; i++) {
        if (query->relations[i].lateral)
            return true;
    }
    return false;
}

/* ---- functions ---------------------------------------------------------------------------------
 */

static void add_column(struct planner *planner, struct query *query, const char *name,
                       enum sql_type type)
{
    struct slot slot = {.name = name, .type = type, .relation = NOWHERE};
    uint32_t at = plan__add_slot(planner, query, slot);
    plan__add_output(planner, query, plan__column(planner, query, at, 0), name);
}

static status_t bind_series(struct scope *scope, const struct ast_expr *call, const char *name,
                            struct query *query)
{
    struct planner *planner = scope->planner;
    uint32_t count = call->as.call.count;
    if (count < 2 || count > 3)
        return error_sql(planner->error, "42883", call->position,
                         "function generate_series with %u argument%s does not exist", count,
                         count == 1 ? "" : "s");
    struct expr *bounds[3];
    for (uint32_t i = 0; i < count; i++) {
        status_t status = plan__bind_expr(scope, call->as.call.arguments[i], &bounds[i]);
        if (status)
            return status;
    }
    enum sql_type type = plan__series_type(bounds[0], bounds[1]);
    if (type == SQL_INTEGER && count == 3 && bounds[2]->type == SQL_NUMERIC)
        type = SQL_NUMERIC;
    bool of_numbers = type == SQL_INTEGER || type == SQL_NUMERIC;
    for (uint32_t i = 0; i < count; i++) {
        enum sql_type wanted = i < 2 || of_numbers ? type : SQL_INTERVAL;
        if (!plan__can_coerce(bounds[i]->type, wanted) || (count == 2 && !of_numbers))
            return error_sql(planner->error, "42883", call->position,
                             "function generate_series of %s does not exist",
                             type_name(bounds[i]->type));
        status_t status = plan__coerce(planner, &bounds[i], wanted);
        if (status)
            return status;
        plan__append(planner, &query->series, bounds[i]);
    }
    if (count == 2) {
        struct value one =
            type == SQL_NUMERIC ? value_numeric(numeric_from_integer(1)) : value_integer(1);
        plan__append(planner, &query->series, plan__constant(planner, one, call->position));
    }
    add_column(planner, query, name, type);
    return OK;
}

/* One row with the function's value. */
static status_t bind_value(struct scope *scope, const struct ast_expr *call, const char *name,
                           struct query *query)
{
    struct planner *planner = scope->planner;
    query->is_values = true;
    query->row_count = 1;
    query->rows = arena_alloc(planner->arena, sizeof *query->rows);
    status_t status = plan__bind_expr(scope, call, &query->rows[0]);
    if (!status)
        status = plan__settle(planner, &query->rows[0]);
    if (!status)
        add_column(planner, query, name, query->rows[0]->type);
    return status;
}

static status_t bind_function(struct planner *planner, const struct ast_from *ast,
                              struct query **out)
{
    const char *name = ast->alias.text ? ast->alias.text : ast->call->as.call.name;
    struct query *query = arena_zalloc(planner->arena, sizeof *query);
    struct scope scope = {.planner = planner, .query = query, .clause = "functions in FROM"};
    bool series = strcmp(ast->call->as.call.name, "generate_series") == 0;
    *out = query;
    return series ? bind_series(&scope, ast->call, name, query)
                  : bind_value(&scope, ast->call, name, query);
}

/* ---- binding -----------------------------------------------------------------------------------
 */

static status_t bind_item(struct planner *planner, const struct ast_from *ast, struct query **out)
{
    if (ast->kind == AST_FROM_FUNCTION)
        return bind_function(planner, ast, out);
    return plan__bind_select(planner, ast->select, out);
}

status_t plan__bind_lateral(struct planner *planner, struct query *query,
                            const struct ast_from *ast, struct relation *relation)
{
    struct subquery *lateral = arena_zalloc(planner->arena, sizeof *lateral);
    struct scope scope = {.planner = planner,
                          .query = query,
                          .from = planner->to_left,
                          .clause = "FROM",
                          .subquery = lateral,
                          .outer = planner->outer};
    bool alone = !planner->to_left; /* then it is like any other */
    planner->to_left = NULL;
    planner->outer = alone ? planner->outer : &scope;
    status_t status = bind_item(planner, ast, &lateral->query);
    planner->outer = scope.outer;
    if (status)
        return status;
    relation->derived = lateral->query;
    relation->column_count = lateral->query->outputs.count;
    relation->lateral = lateral->subplan.cell_count > 0 ? lateral : NULL;
    return OK;
}

/* ---- in the select list ------------------------------------------------------------------------
 */

static status_t no_series_here(struct scope *scope, uint32_t position, const char *where)
{
    status_t status = error_sql(scope->planner->error, "0A000", position,
                                "set-returning functions are not supported in %s", where);
    error_hint(scope->planner->error,
               "Write it in FROM: ... FROM generate_series(1, 10) AS g (n).");
    return status;
}

status_t plan__bind_series_target(struct scope *scope, const struct ast_expr *call,
                                  struct expr **out)
{
    struct planner *planner = scope->planner;
    struct query *query = scope->query;
    if (!query || strcmp(scope->clause, "SELECT") != 0)
        return no_series_here(scope, call->position, scope->clause);
    if (scope->in_aggregate || scope->in_window)
        return no_series_here(scope, call->position, "aggregates and window functions");
    if (scope->choice)
        return no_series_here(scope, call->position, scope->choice);
    if (query->series_target)
        return no_series_here(scope, call->position, "a select list that has one already");
    query->series_target = call;
    struct ast_from *item = arena_zalloc(planner->arena, sizeof *item);
    item->kind = AST_FROM_FUNCTION;
    item->position = call->position;
    item->alias.text = "select list"; /* which nobody else calls a table */
    item->columns = arena_zalloc(planner->arena, sizeof *item->columns);
    item->columns[0].text = call->as.call.name;
    item->column_count = 1;
    item->call = (struct ast_expr *)(uintptr_t)call;
    struct from_node *left = query->from;
    struct from_node *right;
    planner->to_left = left;
    status_t status = plan__bind_from(planner, query, item, &right);
    planner->to_left = NULL;
    if (status)
        return status;
    const struct relation *relation = &query->relations[right->relation];
    *out = plan__column(planner, query, relation->slot_first, call->position);
    query->from = right;
    if (!left)
        return OK;
    struct from_node *join = arena_zalloc(planner->arena, sizeof *join);
    join->kind = JOIN_INNER;
    join->inputs = arena_zalloc(planner->arena, 2 * sizeof(struct from_node *));
    join->inputs[0] = left;
    join->inputs[1] = right;
    join->input_count = 2;
    join->lateral = relation->lateral != NULL;
    join->relations = left->relations | right->relations;
    query->from = join;
    return OK;
}

status_t plan__check_series_target(struct planner *planner, const struct query *query)
{
    struct scope scope = {.planner = planner};
    if (query->series_target && (query->aggregated || query->window_count > 0))
        return no_series_here(&scope, query->series_target->position,
                              query->aggregated ? "a select list with aggregates"
                                                : "a select list with window functions");
    return OK;
}

/* ---- laying out --------------------------------------------------------------------------------
 */

static const double COST_RUN = 10; /* to run the right side once more */

status_t plan__choose_lateral(struct planner *planner, struct query *query, struct from_node *node,
                              const struct wish *wish, struct stage *out)
{
    static const struct wish none;
    const struct subquery *lateral = query->relations[node->inputs[1]->relation].lateral;
    struct stage left;
    struct stage right;
    ASSERT(lateral && node->input_count == 2);
    status_t status = plan__choose_from(planner, query, node->inputs[0], wish, &left);
    if (!status)
        status = plan__choose_from(planner, query, node->inputs[1], &none, &right);
    if (status)
        return status;
    uint32_t left_count = left.plan->column_count;
    uint32_t count = left_count + right.plan->column_count;
    *out = (struct stage){.ordered = left.ordered};
    out->plan = plan__operator(planner, PLAN_LATERAL_JOIN, count, left.plan, right.plan);
    out->slots = arena_alloc(planner->arena, (count + 1) * sizeof *out->slots);
    memcpy(out->slots, left.slots, left_count * sizeof *out->slots);
    memcpy(out->slots + left_count, right.slots, right.plan->column_count * sizeof *out->slots);
    uint32_t *from_left = plan__positions(planner, query, &left, NULL);
    uint32_t cells = lateral->subplan.cell_count;
    struct expr **values = arena_alloc(planner->arena, cells * sizeof *values);
    for (uint32_t i = 0; i < cells; i++)
        values[i] = plan__resolve(planner, lateral->values[i], from_left);
    out->plan->as.lateral.kind = node->kind;
    out->plan->as.lateral.values = values;
    out->plan->as.lateral.cells = lateral->cells;
    out->plan->as.lateral.cell_count = cells;
    if (node->on.count > 0) {
        struct expr *on = plan__and(planner, node->on.items, node->on.count);
        out->plan->as.lateral.condition =
            plan__resolve(planner, on, plan__positions(planner, query, &left, &right));
    }
    out->rows = left.rows * fmax(right.rows, 1);
    out->cost = left.cost + left.rows * (right.cost + COST_RUN);
    plan__describe(planner, query, out);
    plan__add_filter(planner, query, out, &node->filters);
    return OK;
}

void plan__choose_series(struct planner *planner, struct query *query, struct stage *out)
{
    struct expr **bounds = query->series.items;
    ASSERT(query->series.count == 3);
    bool known = true;
    for (int i = 0; i < 3; i++)
        known = known && plan__is_constant(bounds[i]) && !bounds[i]->constant.null;
    *out = (struct stage){.rows = 1000};
    bool integers = bounds[2]->constant.type == SQL_INTEGER;
    if (known && integers && bounds[2]->constant.as.integer != 0)
        out->rows = fmax(0, floor(((double)bounds[1]->constant.as.integer -
                                   (double)bounds[0]->constant.as.integer) /
                                  (double)bounds[2]->constant.as.integer) +
                                1);
    out->cost = out->rows;
    out->is_short = known && out->rows <= 1000;
    out->plan = plan__operator(planner, PLAN_SERIES, 1, NULL, NULL);
    for (int i = 0; i < 3; i++)
        out->plan->as.series.bounds[i] = bounds[i];
    out->slots = arena_zalloc(planner->arena, sizeof *out->slots);
    plan__describe(planner, query, out);
}
