/* Queries inside expressions: (SELECT ...), EXISTS, IN, ANY, ALL.
 *
 * The block of a subquery is bound like any other, with the scope around it in planner->outer. A
 * name that its own FROM does not have is looked for there, and further out. What is found becomes
 * a cell: the column stands among the arguments of the EXPR_SUBQUERY, which is an expression of the
 * block around like any other (it is moved, grouped, counted as used, ...), and inside stands
 * EXPR_OUTER, a constant for one run of the subquery. A name from two blocks further out is passed
 * on by the block between: a cell whose value is a cell. */
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"
#include "sql/plan/plan_char_int.h"

/* Bound once though GROUP BY 1 names it a second time, or it is written twice. */
struct bound_subquery {
    const struct ast_expr *ast;
    const char *group_text; /* of one in GROUP BY: how it is written */
    struct expr *expr;
    struct bound_subquery *next;
};

/* ---- cells ------------------------------------------------------------------------------------
 */

/* The cell that holds `value` for the subquery being bound in the scope. */
static uint32_t cell_of(struct planner *planner, struct subquery *subquery, struct expr *value)
{
    struct subplan *subplan = &subquery->subplan;
    for (uint32_t i = 0; i < subplan->cell_count; i++) {
        if (plan__equal(subquery->values[i], value))
            return subquery->cells[i];
    }
    uint32_t need = subplan->cell_count + 1;
    subquery->cells = arena_grow(planner->arena, subquery->cells, &subquery->cell_capacity, need,
                                 sizeof *subquery->cells);
    subquery->values = arena_grow(planner->arena, subquery->values, &subquery->value_capacity, need,
                                  sizeof(struct expr *));
    subquery->cells[need - 1] = planner->cell_count++;
    subquery->values[need - 1] = value;
    subplan->cells = subquery->cells;
    subplan->cell_count = need;
    return subquery->cells[need - 1];
}

status_t plan__bind_outer(struct scope *scope, const struct ast_expr *ast, bool *found,
                          struct expr **out)
{
    struct planner *planner = scope->planner;
    struct scope *outer = planner->outer;
    *found = false;
    if (!outer || scope->local)
        return OK;
    ASSERT(outer->subquery);
    /* As it was when the scope around was the innermost. */
    planner->outer = outer->outer;
    struct expr *value;
    status_t status = plan__bind_column(outer, ast, &value);
    planner->outer = outer;
    /* No such column and no such table: the message is that of the innermost block. */
    const char *state = status && planner->error ? planner->error->sqlstate : "42703";
    *found = !status || (strcmp(state, "42703") != 0 && strcmp(state, "42P01") != 0);
    if (status)
        return status;
    uint32_t cell = cell_of(planner, outer->subquery, value);
    *out = plan__node(planner, EXPR_OUTER, value->type, ast->position);
    (*out)->index = cell;
    (*out)->cast_limit = plan__text_length(value);
    (*out)->name = value->name ? value->name : ast->as.column.name.text;
    return OK;
}

/* ---- aggregates of a block further out ---------------------------------------------------------
 */

struct columns_search {
    struct scope *scope;
    uint32_t count;
    bool local; /* the block itself has one of them */
};

static void search_column(void *context, struct ast_expr *column)
{
    struct columns_search *search = context;
    struct planner *planner = search->scope->planner;
    struct scope alone = *search->scope;
    struct error *kept = planner->error;
    struct error ignored = {0};
    struct expr *expr;
    alone.local = true;
    planner->error = &ignored;
    status_t status = plan__bind_column(&alone, column, &expr);
    planner->error = kept;
    /* Ambiguous here is known here. */
    search->local |= !status || strcmp(ignored.sqlstate, "42702") == 0;
    search->count++;
}

/* Whether it has columns, none of which are the block's. */
static bool is_of_outer(struct scope *scope, const struct ast_expr *ast)
{
    struct columns_search search = {.scope = scope};
    ast_each_column((struct ast_expr *)ast, search_column, &search);
    if (ast->as.call.filter)
        ast_each_column(ast->as.call.filter, search_column, &search);
    for (uint32_t i = 0; i < ast->as.call.order_count; i++)
        ast_each_column(ast->as.call.orders[i].expr, search_column, &search);
    return search.count > 0 && !search.local;
}

status_t plan__bind_outer_aggregate(struct scope *scope, const struct ast_expr *ast,
                                    enum aggregate_kind kind, bool *found, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct scope *outer = planner->outer;
    *found = outer && !scope->local && outer->subquery && is_of_outer(scope, ast);
    if (!*found)
        return OK;
    planner->outer = outer->outer;
    struct expr *value;
    status_t status = plan__bind_aggregate(outer, ast, kind, &value);
    planner->outer = outer;
    if (status)
        return status;
    uint32_t cell = cell_of(planner, outer->subquery, value);
    *out = plan__node(planner, EXPR_OUTER, value->type, ast->position);
    (*out)->index = cell;
    (*out)->cast_limit = plan__text_length(value);
    (*out)->name = value->name ? value->name : ast->as.call.name;
    return OK;
}

/* ---- subqueries -------------------------------------------------------------------------------
 */

static status_t bind_block(struct scope *scope, const struct ast_select *ast,
                           struct subquery *subquery)
{
    struct planner *planner = scope->planner;
    if (!planner->catalog)
        return error_sql(planner->error, "0A000", ast->position, "cannot use subquery in %s",
                         scope->clause);
    struct subquery *before = scope->subquery;
    scope->subquery = subquery;
    scope->outer = planner->outer;
    planner->outer = scope;
    status_t status = plan__bind_select(planner, ast, &subquery->query);
    planner->outer = scope->outer;
    scope->subquery = before;
    return status;
}

static void keep(struct planner *planner, struct subquery *subquery)
{
    planner->subqueries =
        arena_grow(planner->arena, planner->subqueries, &planner->subquery_capacity,
                   planner->subquery_count + 1, sizeof(struct subquery *));
    subquery->subplan.number = planner->subquery_count;
    planner->subqueries[planner->subquery_count++] = subquery;
}

static struct expr *subquery_expr(struct planner *planner, struct subquery *subquery,
                                  enum sql_type type, uint32_t position, struct expr *operand)
{
    struct expr *expr = plan__node(planner, EXPR_SUBQUERY, type, position);
    uint32_t count = 0;
    subquery->subplan.position = position;
    expr->subplan = &subquery->subplan;
    expr->arguments =
        arena_alloc(planner->arena, (subquery->subplan.cell_count + 1) * sizeof(struct expr *));
    if (operand)
        expr->arguments[count++] = operand;
    subquery->subplan.operand_count = count;
    for (uint32_t i = 0; i < subquery->subplan.cell_count; i++)
        expr->arguments[count++] = subquery->values[i];
    expr->argument_count = count;
    for (uint32_t i = 0; i < count; i++)
        expr->is_volatile |= expr->arguments[i]->is_volatile;
    return expr;
}

static status_t require_one_column(struct planner *planner, const struct ast_expr *ast,
                                   const struct query *query)
{
    if (query->outputs.count == 1)
        return OK;
    if (ast->kind == AST_SCALAR)
        return error_sql(planner->error, "42601", ast->position,
                         "subquery must return only one column");
    return error_sql(planner->error, "42601", ast->position, "subquery has too %s columns",
                     query->outputs.count > 1 ? "many" : "few");
}

/* The comparison of the operand with the values, as an operator of the two would be typed. */
static status_t type_comparison(struct planner *planner, enum expr_call call,
                                const struct ast_expr *ast, struct query *query,
                                struct expr **operand)
{
    status_t status = plan__char_compared_column(planner, operand, &query->outputs.items[0]);
    if (status)
        return status;
    struct expr *value = plan__node(planner, EXPR_OUTER, query->outputs.items[0]->type,
                                    ast->position); /* stands for any value of the subquery */
    struct expr *typed;
    if ((*operand)->type == SQL_UNKNOWN && value->type == SQL_UNKNOWN)
        value->type = SQL_TEXT;
    else if (value->type == SQL_UNKNOWN)
        value->type = (*operand)->type;
    status = plan__type_operator(planner, call, plan__operator_text(call), *operand, value,
                                 ast->position, &typed);
    if (status)
        return status;
    ASSERT(typed->argument_count == 2);
    *operand = typed->arguments[0];
    return plan__coerce_output(planner, query, 0, (*operand)->type);
}

static status_t bind_in(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct subquery *subquery = arena_zalloc(planner->arena, sizeof *subquery);
    struct expr *operand;
    bool quantified = ast->kind == AST_QUANTIFIED;
    const struct ast_select *select = quantified ? ast->as.quantified.select : ast->as.in.select;
    enum expr_call call = quantified ? plan__comparison_call(ast->as.quantified.operator) : CALL_EQ;
    bool all = quantified && ast->as.quantified.all;
    status_t status = plan__bind_expr(
        scope, quantified ? ast->as.quantified.operand : ast->as.in.operand, &operand);
    planner->keep_unknown = true;
    if (!status)
        status = bind_block(scope, select, subquery);
    if (!status)
        status = require_one_column(planner, ast, subquery->query);
    if (!status)
        status = type_comparison(planner, call, ast, subquery->query, &operand);
    if (status)
        return status;
    keep(planner, subquery);
    /* = ANY is IN, <> ALL is NOT IN. */
    bool negated = quantified ? all && call == CALL_NE : ast->as.in.negated;
    bool is_in = !quantified || negated || (!all && call == CALL_EQ);
    subquery->subplan.kind = is_in ? SUBPLAN_IN : all ? SUBPLAN_ALL : SUBPLAN_ANY;
    subquery->subplan.comparison = is_in ? CALL_EQ : call;
    *out = subquery_expr(planner, subquery, SQL_BOOLEAN, ast->position, operand);
    if (negated)
        *out = plan__call1(planner, CALL_NOT, SQL_BOOLEAN, ast->position, *out);
    return OK;
}

static status_t bind_anew(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    if (ast->kind == AST_IN_SELECT || ast->kind == AST_QUANTIFIED)
        return bind_in(scope, ast, out);
    ASSERT(ast->kind == AST_SCALAR || ast->kind == AST_EXISTS);
    struct subquery *subquery = arena_zalloc(planner->arena, sizeof *subquery);
    bool exists = ast->kind == AST_EXISTS;
    subquery->subplan.kind = exists ? SUBPLAN_EXISTS : SUBPLAN_SCALAR;
    planner->keep_unknown = false;
    status_t status = bind_block(scope, ast->as.select, subquery);
    if (!status && !exists)
        status = require_one_column(planner, ast, subquery->query);
    if (status)
        return status;
    if (!exists && planner->options->sqlite && !subquery->query->limit)
        subquery->query->limit = plan__constant(planner, value_integer(1), ast->position);
    keep(planner, subquery);
    enum sql_type type = exists ? SQL_BOOLEAN : subquery->query->outputs.items[0]->type;
    *out = subquery_expr(planner, subquery, type, ast->position, NULL);
    if (!exists)
        (*out)->cast_limit = plan__text_length(subquery->query->outputs.items[0]);
    return OK;
}

/* As it is written. */
static const char *text_of(struct planner *planner, const struct ast_expr *ast)
{
    struct buffer text = {0};
    ast_print_expr(ast, &text);
    return arena_keep_text(planner->arena, &text);
}

/* The one that this is again: named by GROUP BY 1, or grouped by and written alike. */
static const struct bound_subquery *bound_before(struct scope *scope, const struct ast_expr *ast)
{
    const char *text = NULL;
    const struct bound_subquery *bound = scope->query ? scope->query->bound_subqueries : NULL;
    for (; bound; bound = bound->next) {
        if (bound->ast == ast)
            return bound;
        if (!bound->group_text)
            continue;
        text = text ? text : text_of(scope->planner, ast);
        if (strcmp(text, bound->group_text) == 0)
            return bound;
    }
    return NULL;
}

static void remember(struct scope *scope, const struct ast_expr *ast, struct expr *expr)
{
    struct query *query = scope->query;
    ASSERT(expr && expr->kind != EXPR_COLUMN);
    if (!query)
        return;
    struct bound_subquery *bound = arena_zalloc(scope->planner->arena, sizeof *bound);
    *bound = (struct bound_subquery){.ast = ast, .expr = expr, .next = query->bound_subqueries};
    if (strcmp(scope->clause, "GROUP BY") == 0)
        bound->group_text = text_of(scope->planner, ast);
    query->bound_subqueries = bound;
}

/* All columns of the query, of which this is the first. */
static status_t bind_row(struct scope *scope, const struct ast_expr *ast, uint32_t count,
                         const char *mismatch, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct subquery *subquery = arena_zalloc(planner->arena, sizeof *subquery);
    subquery->subplan.kind = SUBPLAN_SCALAR;
    planner->keep_unknown = false;
    status_t status = bind_block(scope, ast->as.select, subquery);
    if (status)
        return status;
    uint32_t given = subquery->query->outputs.count;
    if (given != count && mismatch)
        return error_sql(planner->error, "42601", ast->position, "%s", mismatch);
    if (given != count)
        return error_sql(planner->error, "42601", ast->position, "subquery has too %s columns",
                         given > count ? "many" : "few");
    keep(planner, subquery);
    *out = subquery_expr(planner, subquery, subquery->query->outputs.items[0]->type, ast->position,
                         NULL);
    return OK;
}

status_t plan__bind_subquery_column(struct scope *scope, const struct ast_expr *ast,
                                    uint32_t column, uint32_t count, const char *mismatch,
                                    struct expr **out)
{
    ASSERT(ast->kind == AST_SCALAR && column < count);
    const struct bound_subquery *before = bound_before(scope, ast);
    struct expr *first = NULL;
    if (before) {
        first = before->expr;
    } else {
        status_t status = bind_row(scope, ast, count, mismatch, &first);
        if (status)
            return status;
        remember(scope, ast, first);
    }
    const struct subquery *subquery = (const struct subquery *)first->subplan;
    ASSERT(first->kind == EXPR_SUBQUERY && subquery->query->outputs.count == count);
    const struct expr *output = subquery->query->outputs.items[column];
    *out = arena_alloc(scope->planner->arena, sizeof **out);
    **out = *first;
    (*out)->index = column;
    (*out)->type = output->type;
    (*out)->cast_limit = plan__text_length(output);
    return OK;
}

status_t plan__bind_subquery(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    const struct bound_subquery *before = bound_before(scope, ast);
    if (before) {
        *out = before->expr;
        return OK;
    }
    status_t status = bind_anew(scope, ast, out);
    if (!status)
        remember(scope, ast, *out);
    return status;
}
