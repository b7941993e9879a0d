/* What a table asks of its rows: the texts the catalog keeps, bound to the table's columns. */
#include "sql/plan/plan_int.h"

static const struct plan_options no_options;

status_t plan_row_expression(const struct ast_expr *ast, const struct table *table,
                             const char *what, enum sql_type type, struct arena *arena,
                             struct expr **out, struct error *error)
{
    ASSERT(ast && table && arena && out);
    struct planner planner = {.options = &no_options, .arena = arena, .error = error};
    struct query *query = arena_zalloc(arena, sizeof *query);
    status_t status = plan__bind_table(&planner, query, table, NULL, &query->from);
    if (status)
        return status;
    struct scope scope = {
        .planner = &planner, .query = query, .from = query->from, .clause = what, .local = true};
    if ((status = plan__bind_expr(&scope, ast, out)))
        return status;
    status = type == SQL_UNKNOWN ? plan__settle(&planner, out)
                                 : plan__require(&planner, out, type, what);
    if (status)
        return status;
    *out = plan__simplify(&planner, *out); /* its slots are the places in the rows */
    return OK;
}

void plan__note_nextvals(struct planner *planner, const struct expr *expr, bool each_row)
{
    for (uint32_t i = 0; i < expr->argument_count; i++)
        plan__note_nextvals(planner, expr->arguments[i], each_row);
    if (expr->kind != EXPR_CALL || expr->call != CALL_NEXTVAL)
        return;
    const struct expr *name = expr->arguments[0];
    if (!plan__is_constant(name) || name->constant.null)
        return;
    uint32_t count = planner->nextval_count;
    planner->nextvals = arena_grow(planner->arena, planner->nextvals, &planner->nextval_capacity,
                                   count + 1, sizeof *planner->nextvals);
    struct slice text = name->constant.as.text;
    planner->nextvals[planner->nextval_count++] = (struct plan_nextval){
        .name = arena_strndup(planner->arena, (const char *)text.data, text.size),
        .each_row = each_row};
}

/* The same of a text that was bound before: an error in it is nothing the statement's text has a
 * place for. */
static status_t text_bind(const char *sql, const struct table *table, const char *what,
                          enum sql_type type, struct arena *arena, struct expr **out,
                          struct error *error)
{
    struct ast_expr *ast;
    status_t status = parse_expression(slice_from_string(sql), arena, &ast, error);
    if (!status)
        status = plan_row_expression(ast, table, what, type, arena, out, error);
    if (status && error)
        error->position = 0;
    return status;
}

status_t plan_default(const struct column *column, struct arena *arena, struct expr **out,
                      struct error *error)
{
    ASSERT(column && !column->hidden);
    struct planner planner = {.options = &no_options, .arena = arena, .error = error};
    return plan__default(&planner, column, out);
}

status_t plan_rules(const struct table *table, struct arena *arena, const struct plan_rules **out,
                    struct error *error)
{
    static const struct plan_rules none;
    ASSERT(table && arena && out);
    *out = &none;
    if (table->check_count == 0)
        return OK;
    struct plan_rules *rules = arena_zalloc(arena, sizeof *rules);
    rules->checks = arena_alloc(arena, table->check_count * sizeof *rules->checks);
    for (uint32_t i = 0; i < table->check_count; i++) {
        struct plan_check *check = &rules->checks[rules->check_count++];
        check->name = table->checks[i].name;
        status_t status = text_bind(table->checks[i].sql, table, "CHECK", SQL_BOOLEAN, arena,
                                    &check->expr, error);
        if (status)
            return status;
    }
    *out = rules;
    return OK;
}
