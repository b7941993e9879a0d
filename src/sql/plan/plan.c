/* The way through the planner: bind, rewrite, choose. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

/* What the columns of the block were declared as. A CHAR without a length is none of a table's. */
static uint32_t *declared_of(struct planner *planner, const struct query *query)
{
    uint32_t count = query->outputs.count;
    uint32_t *declared = arena_alloc(planner->arena, (count + 1) * sizeof *declared);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = plan__declared_length(query->outputs.items[i]);
        declared[i] = length == TYPE_LENGTH_CHAR ? 0 : length;
    }
    return declared;
}

static status_t plan_select(struct planner *planner, const struct ast_select *ast,
                            struct planned *out)
{
    struct query *query;
    struct stage stage;
    status_t status = plan__bind_select(planner, ast, &query);
    if (status)
        return status;
    const uint32_t *lengths = plan__char_outputs(planner, query);
    if (planner->options->declared)
        out->declared = declared_of(planner, query);
    if ((status = plan__finish_query(planner, query, &stage)))
        return status;
    ASSERT(!out->declared || stage.plan->column_count <= query->outputs.count);
    out->root = plan__char_padded(planner, lengths, stage.plan);
    out->returns_rows = true;
    out->is_short = stage.is_short;
    return OK;
}

const struct copy_format *plan__copy_format(struct planner *planner,
                                            const struct copy_format *format)
{
    struct copy_format *copy = arena_alloc(planner->arena, sizeof *copy);
    *copy = *format;
    copy->null = arena_copy(planner->arena, format->null);
    return copy;
}

/* A plan of one text a row in place of the one given: the lines of COPY ... TO. */
static struct plan *copy_lines(struct planner *planner, const struct copy_format *format,
                               struct plan *below)
{
    struct expr *line = plan__node(planner, EXPR_CALL, SQL_TEXT, 0);
    line->call = CALL_COPY_LINE;
    line->name = "copy";
    line->copy = format;
    line->argument_count = below->column_count;
    line->arguments =
        arena_alloc(planner->arena, (below->column_count + 1) * sizeof(struct expr *));
    for (uint32_t i = 0; i < below->column_count; i++) {
        line->arguments[i] = plan__node(planner, EXPR_COLUMN, below->types[i], 0);
        line->arguments[i]->index = i;
        line->arguments[i]->name = below->names[i];
    }
    struct plan *plan = plan__operator(planner, PLAN_PROJECT, 1, below, NULL);
    plan->types = arena_alloc(planner->arena, sizeof *plan->types);
    plan->types[0] = SQL_TEXT;
    plan->names = arena_alloc(planner->arena, sizeof *plan->names);
    plan->names[0] = "copy";
    plan->as.project.exprs = arena_alloc(planner->arena, sizeof(struct expr *));
    plan->as.project.exprs[0] = line;
    plan->rows_estimate = below->rows_estimate;
    return plan;
}

/* One row: the names. */
static struct plan *copy_header(struct planner *planner, const struct plan *below)
{
    uint32_t count = below->column_count;
    struct plan *plan = plan__operator(planner, PLAN_VALUES, count, NULL, NULL);
    plan->types = arena_alloc(planner->arena, (count + 1) * sizeof *plan->types);
    plan->names = below->names;
    plan->as.values.rows = arena_alloc(planner->arena, (count + 1) * sizeof(struct expr *));
    plan->as.values.row_count = 1;
    for (uint32_t i = 0; i < count; i++) {
        plan->types[i] = SQL_TEXT;
        plan->as.values.rows[i] =
            plan__constant(planner, value_text(slice_from_string(below->names[i])), 0);
    }
    plan->rows_estimate = 1;
    return plan;
}

static status_t plan_copy(struct planner *planner, const struct ast_copy *ast, struct planned *out)
{
    if (ast->from)
        return plan__copy_from(planner, ast, out);
    status_t status = plan_select(planner, ast->select, out);
    if (status)
        return status;
    struct plan *rows = out->root;
    const struct copy_format *format = plan__copy_format(planner, &ast->format);
    out->root = copy_lines(planner, format, rows);
    if (ast->format.header) {
        struct plan *header = copy_lines(planner, format, copy_header(planner, rows));
        struct plan *both = plan__operator(planner, PLAN_APPEND, 1, header, out->root);
        both->types = header->types;
        both->names = header->names;
        both->rows_estimate = rows->rows_estimate + 1;
        out->root = both;
    }
    return OK;
}

static status_t plan_by_kind(struct planner *planner, const struct ast_statement *statement,
                             struct planned *out)
{
    if (statement->with)
        plan__push_withs(planner, statement->with);
    switch (statement->kind) {
    case AST_SELECT:
        return plan_select(planner, statement->as.select, out);
    case AST_INSERT:
        return plan__insert(planner, statement->as.insert, out);
    case AST_UPDATE:
        return plan__update(planner, statement->as.update, out);
    case AST_DELETE:
        return plan__delete(planner, statement->as.delete, out);
    case AST_COPY:
        return plan_copy(planner, statement->as.copy, out);
    case AST_EXPLAIN:
        return plan_by_kind(planner, statement->as.explain->statement, out);
    default:
        return error_sql(planner->error, "0A000", statement->position, "statement has no plan");
    }
}

/* Every block is laid out by itself: what it takes from the one around are constants to it. */
static status_t plan_subqueries(struct planner *planner, struct planned *out)
{
    out->subplans =
        arena_alloc(planner->arena, (planner->subquery_count + 1) * sizeof(struct subplan *));
    out->cell_count = planner->cell_count;
    /* The last ones first: they have those before inside them, and may make them joins. */
    for (uint32_t i = planner->subquery_count; i-- > 0;) {
        struct subquery *subquery = planner->subqueries[i];
        struct stage stage;
        if (!subquery->query)
            continue; /* it has become a part of another block */
        status_t status = plan__finish_query(planner, subquery->query, &stage);
        if (status)
            return status;
        subquery->subplan.plan = stage.plan;
        out->is_short &= stage.is_short;
    }
    out->working_count = planner->working_count;
    out->common_count = planner->common_count;
    for (uint32_t i = 0; i < planner->subquery_count; i++) {
        struct subplan *subplan = &planner->subqueries[i]->subplan;
        if (!subplan->plan)
            continue;
        subplan->number = out->subplan_count;
        out->subplans[out->subplan_count++] = subplan;
    }
    return OK;
}

static const struct plan_options no_options;

enum { POLL_STEPS = 64 }; /* between two questions, some microseconds each */

status_t plan__poll(struct planner *planner)
{
    const struct plan_options *options = planner->options;
    size_t used = planner->arena->used - planner->used_first;
    if (planner->stopped != OK || ++planner->steps % POLL_STEPS != 0)
        return planner->stopped;
    if (options->memory_max > 0 && used > options->memory_max)
        planner->stopped =
            error_set(planner->error, ERR_NOMEM, "statement needs too much memory to plan");
    else if (options->poll)
        planner->stopped = options->poll(options->poll_context, planner->error);
    return planner->stopped;
}

status_t plan_statement(const struct ast_statement *statement, const struct catalog *catalog,
                        const struct plan_options *options, struct arena *arena,
                        struct planned *out, struct error *error)
{
    ASSERT(statement && catalog && arena && out);
    struct planner planner = {.catalog = catalog,
                              .options = options ? options : &no_options,
                              .arena = arena,
                              .used_first = arena->used,
                              .error = error};
    uint32_t given = planner.options->parameter_count;
    uint32_t count = statement->parameter_count > given ? statement->parameter_count : given;
    planner.parameter_count = count;
    planner.parameter_types = arena_zalloc(arena, (count + 1) * sizeof *planner.parameter_types);
    _Static_assert(SQL_UNKNOWN == 0, "zeroed types are unknown");
    if (given > 0)
        memcpy(planner.parameter_types, planner.options->parameter_types,
               given * sizeof *planner.parameter_types);
    *out = (struct planned){.parameter_types = planner.parameter_types, .parameter_count = count};
    status_t status = plan_by_kind(&planner, statement, out);
    if (!status)
        status = plan_subqueries(&planner, out);
    if (!status)
        status = planner.stopped; /* which something may have had no status to return for */
    if (status)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        if (out->parameter_types[i] == SQL_UNKNOWN)
            out->parameter_types[i] = SQL_TEXT;
    }
    plan__filter_keys(&planner, out);
    out->is_momentary = planner.is_momentary;
    out->nextvals = planner.nextvals;
    out->nextval_count = planner.nextval_count;
    out->uses = planner.uses;
    out->use_count = planner.use_count;
    ASSERT(out->root);
    return OK;
}

static void find_column(void *context, struct ast_expr *column)
{
    const struct ast_expr **first = context;
    *first = *first ? *first : column;
}

status_t plan_default_expression(const struct ast_expr *ast, const char *name,
                                 struct type_spec type, struct arena *arena, struct expr **out,
                                 struct error *error)
{
    ASSERT(ast && arena && name && type.kind != SQL_UNKNOWN);
    struct planner planner = {.options = &no_options, .arena = arena, .error = error};
    struct scope scope = {.planner = &planner, .clause = "DEFAULT"};
    struct ast_expr *named = NULL;
    ast_each_column((struct ast_expr *)ast, find_column, &named);
    if (named) {
        error_sql(error, "0A000", named->position,
                  "cannot use column reference in DEFAULT expression");
        if (named->as.column.name.quoted && error)
            error_hint(error,
                       "Between double quotes stands a name; text stands between single ones.");
        return ERR_SQL;
    }
    status_t status = plan__bind_expr(&scope, ast, out);
    if (status)
        return status;
    struct column column = {.name = name, .type = type};
    enum sql_type given = (*out)->type;
    if ((status = plan__assign(&planner, out, &column))) {
        bool mismatch = error && strcmp(error->sqlstate, "42804") == 0;
        char declared[64];
        type_spec_name(type, declared, sizeof declared);
        if (error)
            error->detail[0] = '\0'; /* there is no value yet */
        if (!mismatch)
            return status;
        error_sql(error, "42804", ast->position,
                  "column \"%s\" is of type %s but default expression is of type %s", name,
                  declared, type_name(given));
        error_hint(error, "You will need to rewrite or cast the expression.");
        return status;
    }
    *out = plan__simplify(&planner, *out);
    return OK;
}

status_t plan_argument(const struct ast_expr *ast, struct arena *arena, struct expr **out,
                       struct error *error)
{
    ASSERT(ast && arena && out);
    struct planner planner = {.options = &no_options, .arena = arena, .error = error};
    struct scope scope = {.planner = &planner, .clause = "EXECUTE parameters"};
    status_t status = plan__bind_expr(&scope, ast, out);
    if (!status)
        status = plan__settle(&planner, out);
    if (!status)
        *out = plan__simplify(&planner, *out);
    return status;
}
