/* SELECT and VALUES bound: which clause sees which names, in PostgreSQL's order.
 *
 * WHERE and JOIN see the columns of FROM. GROUP BY sees them too, then the names and positions of
 * the select list; ORDER BY the other way round. Aggregates may stand in the select list, HAVING
 * and ORDER BY. */
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"
#include "sql/plan/plan_char_int.h"

void plan__add_output(struct planner *planner, struct query *query, struct expr *expr,
                      const char *name)
{
    ASSERT(expr && name);
    plan__append(planner, &query->outputs, expr);
    query->output_names = arena_grow(planner->arena, query->output_names, &query->name_capacity,
                                     query->outputs.count, sizeof *query->output_names);
    query->output_names[query->outputs.count - 1] = name;
}

static const char *cast_name(struct type_spec spec)
{
    switch (spec.kind) {
    case SQL_BOOLEAN:
        return "bool";
    case SQL_INTEGER:
        return spec.length_max == 16 ? "int2" : spec.length_max == 32 ? "int4" : "int8";
    case SQL_DOUBLE:
        return "float8";
    case SQL_REAL:
        return "float4";
    case SQL_TIME:
        return "time";
    case SQL_TIMESTAMP:
        return "timestamp";
    case SQL_TIMESTAMPTZ:
        return "timestamptz";
    case SQL_NUMERIC:
    case SQL_BYTEA:
    case SQL_DATE:
    case SQL_INTERVAL:
    case SQL_UUID:
        return type_name(spec.kind);
    default:
        return !spec.length_max                     ? "text"
               : spec.length_max & TYPE_LENGTH_CHAR ? "bpchar"
                                                    : "varchar";
    }
}

/* As PostgreSQL's FigureColname. `strength` is 0 for no name, 1 for one that a cast or CASE around
 * it may give, 2 for a proper one. */
static const char *figure_name(const struct ast_expr *ast, int *strength)
{
    *strength = 2;
    switch (ast->kind) {
    case AST_COLUMN:
        return ast->as.column.name.text;
    case AST_CALL:
        return strcmp(ast->as.call.name, "trim") == 0 ? "btrim" : ast->as.call.name;
    case AST_CAST: {
        const char *name = figure_name(ast->as.cast.operand, strength);
        if (*strength == 2)
            return name;
        *strength = 1;
        return cast_name(ast->as.cast.type);
    }
    case AST_CASE: {
        const char *name = NULL;
        *strength = 0;
        if (ast->as.match.otherwise)
            name = figure_name(ast->as.match.otherwise, strength);
        if (*strength == 2)
            return name;
        *strength = 1;
        return "case";
    }
    case AST_EXISTS:
        return "exists";
    case AST_SCALAR: {
        const struct ast_select *select = ast->as.select;
        while (select->set)
            select = select->left;
        if (select->row_count > 0)
            return "column1";
        if (select->target_count == 0 || !select->targets[0].expr)
            break;
        const struct ast_name *alias = &select->targets[0].alias;
        return alias->text ? alias->text : figure_name(select->targets[0].expr, strength);
    }
    default:
        break;
    }
    *strength = 0;
    return "?column?";
}

/* ---- the select list --------------------------------------------------------------------------
 */

status_t plan__bind_targets(struct scope *scope, const struct ast_target *targets, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_target *target = &targets[i];
        status_t status;
        if (!target->expr) {
            if ((status = plan__expand_star(scope, target)))
                return status;
            continue;
        }
        struct expr *expr;
        if ((status = plan__bind_expr(scope, target->expr, &expr)))
            return status;
        int strength;
        const char *name =
            target->alias.text ? target->alias.text : figure_name(target->expr, &strength);
        plan__add_output(scope->planner, scope->query, expr, name);
    }
    return OK;
}

static status_t settle_outputs(struct planner *planner, struct query *query)
{
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        status_t status = plan__settle(planner, &query->outputs.items[i]);
        if (status)
            return status;
    }
    return OK;
}

/* ---- ORDER BY ---------------------------------------------------------------------------------
 */

/* Finds the output a position or a plain name stands for; NOWHERE when it is an expression. */
static status_t order_output(struct scope *scope, const struct ast_expr *ast, uint32_t *out)
{
    const struct query *query = scope->query;
    struct error *error = scope->planner->error;
    *out = NOWHERE;
    if (ast->kind == AST_LITERAL) {
        if (ast->as.literal.null || ast->as.literal.type != SQL_INTEGER)
            return error_sql(error, "42601", ast->position, "non-integer constant in %s",
                             scope->clause);
        int64_t place = ast->as.literal.as.integer;
        if (place < 1 || place > query->outputs.count)
            return error_sql(error, "42P10", ast->position,
                             "%s position %lld is not in select list", scope->clause,
                             (long long)place);
        *out = (uint32_t)place - 1;
        return OK;
    }
    if (ast->kind != AST_COLUMN || ast->as.column.table.text)
        return OK;
    for (uint32_t i = 0; i < query->outputs.count; i++) {
        if (strcmp(query->output_names[i], ast->as.column.name.text) != 0)
            continue;
        if (*out == NOWHERE)
            *out = i;
        else if (!plan__equal(query->outputs.items[*out], query->outputs.items[i]))
            return error_sql(error, "42702", ast->position, "%s \"%s\" is ambiguous", scope->clause,
                             ast->as.column.name.text);
    }
    return OK;
}

/* The rows of a UNION and the like have no columns but the ones that come out. */
static status_t no_expression(struct planner *planner, const struct ast_expr *ast)
{
    if (ast->kind == AST_COLUMN)
        return error_sql(planner->error, "42703", ast->position, "column \"%s\" does not exist",
                         ast->as.column.name.text);
    error_sql(planner->error, "0A000", ast->position,
              "invalid UNION/INTERSECT/EXCEPT ORDER BY clause");
    error_detail(planner->error,
                 "Only result column names can be used, not expressions or functions.");
    error_hint(planner->error, "Add the expression/function to every SELECT, or move the UNION "
                               "into a FROM clause.");
    return ERR_SQL;
}

static status_t bind_order(struct scope *scope, const struct ast_order *ast, struct sort_key *key,
                           uint32_t *output)
{
    struct query *query = scope->query;
    key->descending = ast->descending;
    key->nulls_first = plan__nulls_first(scope->planner, ast);
    status_t status = order_output(scope, ast->expr, output);
    if (status)
        return status;
    if (*output != NOWHERE) {
        key->expr = query->outputs.items[*output];
        return OK;
    }
    if (query->set)
        return no_expression(scope->planner, ast->expr);
    if ((status = plan__bind_expr(scope, ast->expr, &key->expr)) ||
        (status = plan__settle(scope->planner, &key->expr)))
        return status;
    for (uint32_t i = 0; i < query->outputs.count && *output == NOWHERE; i++) {
        if (plan__equal(query->outputs.items[i], key->expr))
            *output = i;
    }
    if (query->distinct && *output == NOWHERE)
        return error_sql(scope->planner->error, "42P10", ast->expr->position,
                         "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    return OK;
}

static status_t bind_orders(struct scope *scope, const struct ast_select *ast)
{
    struct query *query = scope->query;
    struct arena *arena = scope->planner->arena;
    if (ast->order_count == 0)
        return OK;
    query->orders = arena_zalloc(arena, ast->order_count * sizeof *query->orders);
    query->order_outputs = arena_alloc(arena, ast->order_count * sizeof *query->order_outputs);
    query->order_count = ast->order_count;
    for (uint32_t i = 0; i < ast->order_count; i++) {
        status_t status =
            bind_order(scope, &ast->orders[i], &query->orders[i], &query->order_outputs[i]);
        if (status)
            return status;
    }
    return OK;
}

/* DISTINCT ON sees the names and positions that ORDER BY sees. Where both are there, ORDER BY must
 * begin with these expressions: it says which row of each is the first. */
static status_t bind_distinct_on(struct scope *scope, const struct ast_select *ast)
{
    struct query *query = scope->query;
    for (uint32_t i = 0; i < ast->distinct_on_count; i++) {
        const struct ast_expr *on = ast->distinct_on[i];
        struct expr *expr;
        uint32_t output;
        status_t status = order_output(scope, on, &output);
        if (!status && output != NOWHERE)
            expr = query->outputs.items[output];
        else if (!status)
            status = plan__bind_expr(scope, on, &expr);
        if (!status)
            status = plan__settle(scope->planner, &expr);
        if (status)
            return status;
        plan__append(scope->planner, &query->distinct_on, expr);
    }
    for (uint32_t i = 0; i < query->order_count && i < query->distinct_on.count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < query->distinct_on.count; k++)
            found |= plan__equal(query->orders[i].expr, query->distinct_on.items[k]);
        if (!found)
            return error_sql(scope->planner->error, "42P10", ast->orders[i].expr->position,
                             "SELECT DISTINCT ON expressions must match initial ORDER BY "
                             "expressions");
    }
    return OK;
}

/* A constant key orders nothing. Done when all expressions have their final form. */
static void finish_orders(struct query *query)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < query->order_count; i++) {
        if (query->order_outputs[i] != NOWHERE)
            query->orders[i].expr = query->outputs.items[query->order_outputs[i]];
        if (plan__is_constant(query->orders[i].expr))
            continue;
        query->orders[kept] = query->orders[i];
        query->order_outputs[kept++] = query->order_outputs[i];
    }
    query->order_count = kept;
}

/* ---- LIMIT ------------------------------------------------------------------------------------
 */

static status_t bind_count(struct planner *planner, const struct ast_expr *ast, const char *clause,
                           struct expr **out)
{
    if (!ast)
        return OK;
    struct scope scope = {.planner = planner, .clause = clause};
    status_t status = plan__bind_expr(&scope, ast, out);
    /* A name is known or not: it cannot be meant. */
    if (status && ast->kind == AST_COLUMN && planner->error &&
        strcmp(planner->error->sqlstate, "42703") == 0)
        return error_sql(planner->error, "42P10", ast->position,
                         "argument of %s must not contain variables", clause);
    bool number = !status && type_is_number((*out)->type) && (*out)->type != SQL_INTEGER;
    if (number && !planner->options->sqlite)
        return plan__type_cast(planner, *out, (struct type_spec){.kind = SQL_INTEGER},
                               ast->position, out);
    return status ? status : plan__require(planner, out, SQL_INTEGER, clause);
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

static status_t bind_values(struct planner *planner, const struct ast_select *ast,
                            struct query *query)
{
    struct scope scope = {.planner = planner, .clause = "VALUES"};
    uint32_t columns = ast->column_count;
    uint32_t cells = ast->row_count * columns;
    query->is_values = true;
    query->row_count = ast->row_count;
    query->rows = arena_alloc(planner->arena, cells * sizeof *query->rows);
    status_t status;
    for (uint32_t i = 0; i < cells; i++) {
        if ((status = plan__bind_expr(&scope, ast->rows[i], &query->rows[i])))
            return status;
    }
    for (uint32_t i = 0; i < columns; i++) {
        struct slot slot = {.relation = NOWHERE, .place = i};
        if ((status = plan__unify(planner, "VALUES", query->rows + i, ast->row_count, columns, NULL,
                                  &slot.type, &slot.length)))
            return status;
        slot.name = arena_printf(planner->arena, "column%u", i + 1);
        uint32_t at = plan__add_slot(planner, query, slot);
        plan__add_output(planner, query, plan__column(planner, query, at, 0), slot.name);
    }
    return OK;
}

static status_t bind_clauses(struct planner *planner, const struct ast_select *ast,
                             struct query *query, bool keep_unknown)
{
    struct scope scope = {.planner = planner, .query = query};
    status_t status;
    if (ast->from && (status = plan__bind_from(planner, query, ast->from, &query->from)))
        return status;
    scope.from = query->from;
    scope.clause = "WHERE";
    if (ast->where && (status = plan__bind_condition(&scope, ast->where, &query->where)))
        return status;
    scope.clause = "GROUP BY";
    if ((status = plan__bind_groups(&scope, ast)))
        return status;
    scope.aggregates = true;
    query->ast = ast;
    scope.clause = "WINDOW";
    if ((status = plan__check_windows(&scope, ast)))
        return status;
    scope.windows = true;
    scope.clause = "SELECT";
    if ((status = plan__bind_targets(&scope, ast->targets, ast->target_count)))
        return status;
    if ((!keep_unknown || ast->distinct || ast->distinct_on || ast->order_count > 0) &&
        (status = settle_outputs(planner, query)))
        return status;
    scope.windows = false;
    scope.clause = "HAVING";
    query->aggregated |= ast->having != NULL;
    if (ast->having && (status = plan__bind_condition(&scope, ast->having, &query->having)))
        return status;
    scope.windows = true;
    scope.clause = "ORDER BY";
    if ((status = bind_orders(&scope, ast)))
        return status;
    scope.clause = "DISTINCT ON";
    if ((status = bind_distinct_on(&scope, ast)))
        return status;
    status = plan__check_series_target(planner, query);
    if (!status)
        status = plan__check_grouping(planner, query);
    if (!status)
        plan__char_keys(planner, query);
    return status;
}

status_t plan__bind_select(struct planner *planner, const struct ast_select *ast,
                           struct query **out)
{
    struct query *query = arena_zalloc(planner->arena, sizeof *query);
    bool keep_unknown = planner->keep_unknown;
    planner->keep_unknown = false; /* for the outermost block only */
    query->distinct = ast->distinct;
    if (planner->depth >= QUERY_DEPTH_MAX)
        return error_sql(planner->error, "54001", ast->position,
                         "queries are nested more than %d deep", QUERY_DEPTH_MAX);
    if (++planner->blocks > QUERY_BLOCKS_MAX)
        return error_sql(planner->error, "54001", ast->position,
                         "statement has more than %d queries, those of its views included",
                         QUERY_BLOCKS_MAX);
    status_t status = plan__poll(planner);
    if (status)
        return status;
    struct with *withs = planner->withs;
    planner->depth++;
    plan__push_withs(planner, ast);
    if (ast->row_count > 0 || ast->set) {
        struct scope scope = {
            .planner = planner, .query = query, .clause = "ORDER BY", .local = true};
        status = ast->set ? plan__bind_set(planner, ast, query) : bind_values(planner, ast, query);
        if (!status)
            status = bind_orders(&scope, ast);
    } else {
        status = bind_clauses(planner, ast, query, keep_unknown);
    }
    if (!status)
        status = bind_count(planner, ast->limit, "LIMIT", &query->limit);
    if (!status)
        status = bind_count(planner, ast->offset, "OFFSET", &query->offset);
    query->with_ties = ast->with_ties;
    planner->withs = withs;
    planner->depth--;
    if (status)
        return status;
    finish_orders(query);
    *out = query;
    return OK;
}
