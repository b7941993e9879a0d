/* What a table asks of its rows: the texts the catalog keeps, bound to the table's columns. */
#include "sql/plan/plan_path_int.h"

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
    uint32_t count = planner->nextval_count;
    planner->nextvals = arena_grow(planner->arena, planner->nextvals, &planner->nextval_capacity,
                                   count + 1, sizeof *planner->nextvals);
    struct plan_nextval *nextval = &planner->nextvals[planner->nextval_count++];
    *nextval = (struct plan_nextval){.each_row = each_row};
    if (!plan__is_constant(name) || name->constant.null)
        return;
    struct slice text = name->constant.as.text;
    nextval->name = arena_strndup(planner->arena, (const char *)text.data, text.size);
}

void plan__nextvals_are_late(struct planner *planner, uint32_t from)
{
    ASSERT(from <= planner->nextval_count);
    for (uint32_t i = from; i < planner->nextval_count; i++)
        planner->nextvals[i].late = true;
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

/* The expression that is table->columns[column_count + i]. */
static status_t computed_bind(const struct table *table, uint32_t i, struct arena *arena,
                              struct expr **out, struct error *error)
{
    ASSERT(i < table->computed_count);
    const struct column *column = &table->columns[table->column_count + i];
    return text_bind(column->name, table, "index expression", column->type.kind, arena, out, error);
}

status_t plan_rules(const struct table *table, struct arena *arena, const struct plan_rules **out,
                    struct error *error)
{
    static const struct plan_rules none;
    ASSERT(table && arena && out);
    *out = &none;
    bool partial = false;
    for (uint32_t i = 0; i < table->index_count; i++)
        partial |= table->indexes[i].predicate != NULL;
    if (table->check_count == 0 && !partial && table->computed_count == 0)
        return OK;
    struct plan_rules *rules = arena_zalloc(arena, sizeof *rules);
    status_t status = OK;
    rules->checks = arena_alloc(arena, (table->check_count + 1) * sizeof *rules->checks);
    for (uint32_t i = 0; i < table->check_count && !status; i++) {
        struct plan_check *check = &rules->checks[rules->check_count++];
        check->name = table->checks[i].name;
        status = text_bind(table->checks[i].sql, table, "CHECK", SQL_BOOLEAN, arena, &check->expr,
                           error);
    }
    if (partial)
        rules->predicates = arena_zalloc(arena, table->index_count * sizeof(struct expr *));
    for (uint32_t i = 0; i < table->index_count && !status; i++) {
        if (table->indexes[i].predicate)
            status = text_bind(table->indexes[i].predicate, table, "index predicate", SQL_BOOLEAN,
                               arena, &rules->predicates[i], error);
    }
    rules->computed = arena_alloc(arena, (table->computed_count + 1) * sizeof(struct expr *));
    for (uint32_t i = 0; i < table->computed_count && !status; i++)
        status = computed_bind(table, i, arena, &rules->computed[i], error);
    if (status)
        return status;
    *out = rules;
    return OK;
}

/* An expression over the table's places as one over the query's slots. */
static struct expr *as_accessed(const struct access *access, struct expr *expr)
{
    struct planner *planner = access->planner;
    uint32_t count = access->table->column_count;
    struct expr **columns = arena_alloc(planner->arena, count * sizeof *columns);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = plan__column(planner, access->query, access->relation->slot_first + i, 0);
    return plan__substitute(planner, expr, 0, columns, count);
}

void plan__read_computed(struct access *access)
{
    struct planner *planner = access->planner;
    const struct table *table = access->table;
    if (table->computed_count == 0)
        return;
    access->computed = arena_zalloc(planner->arena, table->computed_count * sizeof(struct expr *));
    for (uint32_t i = 0; i < table->computed_count; i++) {
        struct expr *expr;
        /* One that cannot be read is of no use. */
        if (computed_bind(table, i, planner->arena, &expr, NULL) == OK)
            access->computed[i] = plan__simplify(planner, as_accessed(access, expr));
    }
}

bool plan__computed_find(struct planner *planner, const struct table *table,
                         const struct expr *expr, uint32_t *place)
{
    for (uint32_t i = 0; i < table->computed_count; i++) {
        struct expr *computed;
        if (computed_bind(table, i, planner->arena, &computed, NULL) != OK ||
            !plan__equal(expr, computed))
            continue;
        *place = table->column_count + i;
        return true;
    }
    return false;
}

bool plan__predicate_among(struct planner *planner, const struct table *table,
                           const struct index *index, const struct exprs *conditions)
{
    struct expr *predicate;
    struct exprs parts = {0};
    ASSERT(index->predicate);
    if (text_bind(index->predicate, table, "index predicate", SQL_BOOLEAN, planner->arena,
                  &predicate, NULL))
        return false;
    plan__append(planner, &parts, predicate);
    plan__simplify_conjuncts(planner, &parts);
    for (uint32_t i = 0; i < parts.count; i++) {
        bool met = false;
        for (uint32_t k = 0; k < conditions->count && !met; k++)
            met = plan__equal(parts.items[i], conditions->items[k]);
        if (!met)
            return false;
    }
    return true;
}

bool plan__predicate_implied(const struct access *access, const struct index *index,
                             struct exprs *said)
{
    struct planner *planner = access->planner;
    const struct table *table = access->table;
    struct expr *predicate;
    struct exprs parts = {0};
    if (!index->predicate)
        return true;
    if (text_bind(index->predicate, table, "index predicate", SQL_BOOLEAN, planner->arena,
                  &predicate, NULL))
        return false; /* it cannot be read: then it is of no use */
    predicate = as_accessed(access, predicate);
    plan__append(planner, &parts, predicate);
    plan__simplify_conjuncts(planner, &parts);
    for (uint32_t i = 0; i < parts.count; i++) {
        bool met = false;
        for (uint32_t k = 0; k < access->conditions->count && !met; k++)
            met = plan__equal(parts.items[i], access->conditions->items[k]);
        if (!met)
            return false;
        if (said)
            plan__append(planner, said, parts.items[i]);
    }
    return true;
}
