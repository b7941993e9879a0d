/* INSERT, UPDATE and DELETE: what is written, as rows for the executor to check and put. */
#include <string.h>

#include "sql/plan/plan_char_int.h"

static status_t no_such_column(struct planner *planner, const struct table *table,
                               const struct ast_name *name)
{
    status_t status =
        error_sql(planner->error, "42703", name->position,
                  "column \"%s\" of relation \"%s\" does not exist", name->text, table->name);
    const char *near = table_nearest_column(table, name->text);
    if (near)
        error_hint(planner->error, "Perhaps you meant the column \"%s\".", near);
    return status;
}

status_t plan__default(struct planner *planner, const struct column *column, struct expr **out)
{
    if (column->hidden) {
        *out = plan__call(planner, CALL_ROW_ID, SQL_INTEGER, 0, NULL, 0);
        (*out)->name = "row_id";
        return OK;
    }
    if (!column->default_sql) {
        *out = plan__constant(planner, value_null(column->type.kind), 0);
        return OK;
    }
    struct ast_expr *ast;
    struct slice text = slice_from_string(column->default_sql);
    status_t status = parse_expression(text, planner->arena, &ast, planner->error);
    if (!status)
        status = plan_default_expression(ast, column->name, column->type, planner->arena, out,
                                         planner->error);
    if (!status)
        plan__note_nextvals(planner, *out, true);
    /* A position inside the DEFAULT says nothing about this statement's text. */
    if (status && planner->error)
        planner->error->position = 0;
    return status;
}

status_t plan__find_column(struct planner *planner, const struct table *table,
                           const struct ast_name *name, uint32_t *place)
{
    int32_t found = table_column(table, name->text);
    if (found < 0)
        return no_such_column(planner, table, name);
    *place = (uint32_t)found;
    return OK;
}

static status_t modify(struct planner *planner, enum plan_kind kind, const struct table *table,
                       struct plan *input, struct plan **out)
{
    struct plan *plan = plan__operator(planner, kind, 0, input, NULL);
    plan->as.modify.table = table;
    plan->rows_estimate = input->rows_estimate;
    *out = plan;
    return plan_rules(table, planner->arena, &plan->as.modify.rules, planner->error);
}

/* ---- INSERT -----------------------------------------------------------------------------------
 */

/* Where the values go. */
struct target {
    enum ast_overriding overriding;
    struct planner *planner;
    const struct table *table;
    uint32_t *columns; /* place in the table of each value */
    uint32_t count;
    struct expr **defaults; /* a column of the table each, as far as made */
};

static status_t read_columns(struct target *target, const struct ast_insert *ast)
{
    struct planner *planner = target->planner;
    const struct table *table = target->table;
    uint32_t all = table_visible_count(table);
    target->defaults = arena_zalloc(planner->arena, (all + 1) * sizeof(struct expr *));
    target->columns = arena_alloc(planner->arena, (all + 1) * sizeof *target->columns);
    target->count = all;
    for (uint32_t i = 0; i < all; i++)
        target->columns[i] = i;
    if (!ast->columns)
        return OK;
    bool *seen = arena_zalloc(planner->arena, (all + 1) * sizeof *seen);
    for (uint32_t i = 0; i < ast->column_count; i++) {
        int32_t place = table_column(table, ast->columns[i].text);
        if (place < 0)
            return no_such_column(planner, table, &ast->columns[i]);
        if (seen[place])
            return error_sql(planner->error, "42701", ast->columns[i].position,
                             "column \"%s\" specified more than once", ast->columns[i].text);
        seen[place] = true;
        target->columns[i] = (uint32_t)place;
    }
    target->count = ast->column_count;
    return OK;
}

static status_t check_count(const struct target *target, const struct ast_insert *ast,
                            uint32_t values, uint32_t position)
{
    struct error *error = target->planner->error;
    if (values > target->count)
        return error_sql(error, "42601", position,
                         "INSERT has more expressions than target columns");
    if (ast->columns && values < target->count)
        return error_sql(error, "42601", ast->columns[values].position,
                         "INSERT has more target columns than expressions");
    return OK;
}

static status_t default_of(struct target *target, uint32_t place, struct expr **out)
{
    if (!target->defaults[place]) {
        status_t status = plan__default(target->planner, &target->table->columns[place],
                                        &target->defaults[place]);
        if (status)
            return status;
    }
    *out = target->defaults[place];
    return OK;
}

/* What GENERATED ALWAYS says to a value that is given. */
static status_t identity_refuse(struct planner *planner, const struct column *column,
                                const char *format)
{
    error_sql(planner->error, "428C9", 0, format, column->name);
    error_detail(planner->error, "Column \"%s\" is an identity column defined as GENERATED ALWAYS.",
                 column->name);
    return ERR_SQL;
}

/* Whether what is given for a column does not count. */
static bool is_overridden(const struct target *target, uint32_t place)
{
    return target->overriding == AST_OVERRIDING_USER &&
           target->table->columns[place].identity != IDENTITY_NONE;
}

static status_t identity_check(const struct target *target, uint32_t place)
{
    const struct column *column = &target->table->columns[place];
    struct planner *planner = target->planner;
    if (column->identity != IDENTITY_ALWAYS || target->overriding != AST_OVERRIDING_NONE)
        return OK;
    identity_refuse(planner, column, "cannot insert a non-DEFAULT value into column \"%s\"");
    error_hint(planner->error, "Use OVERRIDING SYSTEM VALUE to override.");
    return ERR_SQL;
}

static status_t insert_cell(struct target *target, const struct ast_expr *ast, uint32_t place,
                            struct expr **out)
{
    struct planner *planner = target->planner;
    if (ast->kind == AST_DEFAULT || is_overridden(target, place))
        return default_of(target, place, out);
    status_t checked = identity_check(target, place);
    if (checked)
        return checked;
    struct scope scope = {.planner = planner, .clause = "VALUES"};
    status_t status = plan__bind_expr(&scope, ast, out);
    if (!status)
        status = plan__assign(planner, out, &target->table->columns[place]);
    if (status)
        return status;
    *out = plan__simplify(planner, *out);
    return OK;
}

/* One row: the values given, defaults for the others. `values` may be NULL: DEFAULT VALUES. */
static status_t insert_row(struct target *target, struct ast_expr **values, uint32_t count,
                           struct expr **row)
{
    memset(row, 0, target->table->column_count * sizeof(struct expr *));
    status_t status;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = target->columns[i];
        if ((status = insert_cell(target, values[i], place, &row[place])))
            return status;
    }
    for (uint32_t i = 0; i < target->table->column_count; i++) {
        if (!row[i] && (status = default_of(target, i, &row[i])))
            return status;
    }
    return OK;
}

static void describe_as_table(struct planner *planner, const struct table *table, struct plan *plan)
{
    ASSERT(plan->column_count == table->column_count);
    plan->types = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *plan->types);
    plan->names = arena_alloc(planner->arena, (table->column_count + 1) * sizeof *plan->names);
    for (uint32_t i = 0; i < table->column_count; i++) {
        plan->types[i] = table->columns[i].type.kind;
        plan->names[i] = table->columns[i].name;
    }
}

static status_t insert_values(struct target *target, const struct ast_insert *ast,
                              struct plan **out)
{
    struct planner *planner = target->planner;
    const struct ast_select *source = ast->source;
    uint32_t rows = source ? source->row_count : 1;
    uint32_t given = source ? source->column_count : 0;
    uint32_t columns = target->table->column_count;
    status_t status;
    if (source) {
        uint32_t at = given > target->count ? source->rows[target->count]->position : 0;
        if ((status = check_count(target, ast, given, at)))
            return status;
    }
    struct plan *values = plan__operator(planner, PLAN_VALUES, columns, NULL, NULL);
    values->as.values.rows =
        arena_alloc(planner->arena, ((size_t)rows * columns + 1) * sizeof(struct expr *));
    values->as.values.row_count = rows;
    values->rows_estimate = rows;
    for (uint32_t i = 0; i < rows; i++) {
        struct ast_expr **cells = source ? source->rows + (size_t)i * given : NULL;
        if ((status =
                 insert_row(target, cells, given, values->as.values.rows + (size_t)i * columns)))
            return status;
    }
    describe_as_table(planner, target->table, values);
    *out = values;
    return OK;
}

/* What the SELECT gives, as columns of its plan, cast and put in their places. */
static status_t select_exprs(struct target *target, const struct plan *below, struct expr **exprs)
{
    struct planner *planner = target->planner;
    const struct table *table = target->table;
    status_t status;
    memset(exprs, 0, table->column_count * sizeof(struct expr *));
    for (uint32_t i = 0; i < below->column_count; i++) {
        uint32_t place = target->columns[i];
        if (is_overridden(target, place))
            continue;
        if ((status = identity_check(target, place)))
            return status;
        exprs[place] = plan__node(planner, EXPR_COLUMN, below->types[i], 0);
        exprs[place]->index = i;
        exprs[place]->name = below->names[i];
        if ((status = plan__assign(planner, &exprs[place], &table->columns[place])))
            return status;
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!exprs[i] && (status = default_of(target, i, &exprs[i])))
            return status;
    }
    return OK;
}

static bool passes_on(const struct plan *below, struct expr **exprs, uint32_t count)
{
    if (below->column_count != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->kind != EXPR_COLUMN || exprs[i]->index != i)
            return false;
    }
    return true;
}

static status_t project_onto_table(struct target *target, struct plan *below, struct plan **out)
{
    struct planner *planner = target->planner;
    uint32_t count = target->table->column_count;
    struct expr **exprs = arena_alloc(planner->arena, (count + 1) * sizeof *exprs);
    status_t status = select_exprs(target, below, exprs);
    if (status)
        return status;
    *out = below;
    if (passes_on(below, exprs, count))
        return OK;
    struct plan *input = below;
    if (below->kind == PLAN_PROJECT) { /* two select lists become one */
        for (uint32_t i = 0; i < count; i++)
            exprs[i] = plan__substitute(planner, exprs[i], 0, below->as.project.exprs,
                                        below->column_count);
        input = below->left;
    }
    for (uint32_t i = 0; i < count; i++)
        exprs[i] = plan__simplify(planner, exprs[i]);
    *out = plan__operator(planner, PLAN_PROJECT, count, input, NULL);
    (*out)->as.project.exprs = exprs;
    (*out)->rows_estimate = below->rows_estimate;
    describe_as_table(planner, target->table, *out);
    return OK;
}

static status_t insert_select(struct target *target, const struct ast_insert *ast,
                              struct plan **out)
{
    struct planner *planner = target->planner;
    struct query *query;
    planner->keep_unknown = true;
    status_t status = plan__bind_select(planner, ast->source, &query);
    if (!status)
        status = check_count(target, ast, query->outputs.count, ast->source->position);
    for (uint32_t i = 0; !status && i < query->outputs.count; i++) {
        struct expr **output = &query->outputs.items[i];
        plan__char_to_text(planner, output);
        if ((*output)->type == SQL_UNKNOWN)
            status = plan__assign(planner, output, &target->table->columns[target->columns[i]]);
    }
    if (status)
        return status;
    struct stage stage;
    if ((status = plan__finish_query(planner, query, &stage)))
        return status;
    return project_onto_table(target, stage.plan, out);
}

status_t plan__insert(struct planner *planner, const struct ast_insert *ast, struct planned *out)
{
    struct target target = {.planner = planner, .overriding = ast->overriding};
    status_t status = plan__find_table(planner, &ast->table, &target.table);
    if (!status)
        status = read_columns(&target, ast);
    if (status)
        return status;
    const struct ast_select *source = ast->source;
    bool plain = !source || (source->row_count > 0 && source->with_count == 0 &&
                             source->order_count == 0 && !source->limit && !source->offset);
    struct plan *input;
    status = plain ? insert_values(&target, ast, &input) : insert_select(&target, ast, &input);
    if (status)
        return status;
    if ((status = modify(planner, PLAN_INSERT, target.table, input, &out->root)))
        return status;
    out->writes = true;
    out->is_short = plain && input->as.values.row_count <= 1000;
    if ((status = plan__conflict(planner, ast, target.table, out->root)))
        return status;
    return plan__returning_table(planner, target.table, ast->alias.text, ast->returning,
                                 ast->returning_count, out);
}

status_t plan__copy_from(struct planner *planner, const struct ast_copy *ast, struct planned *out)
{
    struct target target = {.planner = planner};
    const struct ast_insert insert = {
        .table = ast->table, .columns = ast->columns, .column_count = ast->column_count};
    status_t status = plan__find_table(planner, &ast->table, &target.table);
    if (!status)
        status = read_columns(&target, &insert);
    if (status)
        return status;
    struct plan *source = plan__operator(planner, PLAN_COPY, target.count, NULL, NULL);
    struct type_spec *specs = arena_alloc(planner->arena, (target.count + 1) * sizeof *specs);
    source->types = arena_alloc(planner->arena, (target.count + 1) * sizeof *source->types);
    source->names = arena_alloc(planner->arena, (target.count + 1) * sizeof *source->names);
    for (uint32_t i = 0; i < target.count; i++) {
        const struct column *column = &target.table->columns[target.columns[i]];
        specs[i] = column->type;
        source->types[i] = column->type.kind;
        source->names[i] = column->name;
    }
    source->as.copy.format = plan__copy_format(planner, &ast->format);
    source->as.copy.specs = specs;
    source->as.copy.table = target.table->name;
    source->rows_estimate = 1000;
    struct plan *input;
    if ((status = project_onto_table(&target, source, &input)))
        return status;
    out->writes = true;
    out->parameter_types[0] = SQL_TEXT;
    return modify(planner, PLAN_INSERT, target.table, input, &out->root);
}

/* ---- UPDATE, DELETE ---------------------------------------------------------------------------
 */

/* FROM of UPDATE, USING of DELETE: joined to the table without a condition of its own. */
static status_t join_others(struct planner *planner, struct query *query,
                            const struct ast_from *others)
{
    struct from_node *join = arena_zalloc(planner->arena, sizeof *join);
    join->kind = JOIN_INNER;
    join->inputs = arena_zalloc(planner->arena, 2 * sizeof(struct from_node *));
    join->input_count = 2;
    join->inputs[0] = query->from;
    status_t status = plan__bind_from(planner, query, others, &join->inputs[1]);
    if (status)
        return status;
    join->relations = join->inputs[0]->relations | join->inputs[1]->relations;
    query->from = join;
    return OK;
}

/* A block over the table, and what it is joined with, that gives all the table's columns. */
static status_t open_block(struct planner *planner, const struct table *table, const char *alias,
                           const struct ast_from *others, const struct ast_expr *where,
                           struct scope *scope)
{
    struct query *query = arena_zalloc(planner->arena, sizeof *query);
    status_t status = plan__bind_table(planner, query, table, alias, &query->from);
    if (!status && others)
        status = join_others(planner, query, others);
    if (status)
        return status;
    *scope =
        (struct scope){.planner = planner, .query = query, .from = query->from, .clause = "WHERE"};
    for (uint32_t i = 0; i < table->column_count; i++)
        plan__add_output(planner, query, plan__column(planner, query, i, 0),
                         table->columns[i].name);
    return where ? plan__bind_condition(scope, where, &query->where) : OK;
}

static status_t close_block(struct planner *planner, struct query *query, enum plan_kind kind,
                            const struct table *table, struct planned *out)
{
    struct stage stage;
    status_t status = plan__finish_query(planner, query, &stage);
    if (status)
        return status;
    if ((status = modify(planner, kind, table, stage.plan, &out->root)))
        return status;
    out->writes = true;
    /* Looking for children may mean to scan their table. */
    out->is_short = stage.is_short && table->referenced_by_count == 0;
    return OK;
}

status_t plan__bind_assigned(struct scope *scope, const struct ast_assignment *ast,
                             const struct column *column, struct expr **out)
{
    ASSERT(ast->value && ast->group_place <= ast->group_count);
    status_t status;
    if (ast->group_count > 0)
        status =
            plan__bind_subquery_column(scope, ast->value, ast->group_place, ast->group_count,
                                       "number of columns does not match number of values", out);
    else if (ast->value->kind == AST_DEFAULT)
        status = plan__default(scope->planner, column, out);
    else
        status = plan__bind_expr(scope, ast->value, out);
    return status ? status : plan__assign(scope->planner, out, column);
}

static status_t bind_assignment(struct scope *scope, const struct table *table,
                                const struct ast_assignment *ast, uint32_t *place)
{
    struct planner *planner = scope->planner;
    struct expr *value;
    status_t status = plan__find_column(planner, table, &ast->column, place);
    if (status)
        return status;
    const struct column *column = &table->columns[*place];
    if (column->identity == IDENTITY_ALWAYS && ast->value->kind != AST_DEFAULT)
        return identity_refuse(planner, column, "column \"%s\" can only be updated to DEFAULT");
    status = plan__bind_assigned(scope, ast, column, &value);
    if (status)
        return status;
    plan__add_output(planner, scope->query, value, column->name);
    return OK;
}

/* Does RETURNING name what FROM or USING joins with? SQLite's does not. */
static bool sees_others(const struct planner *planner, const struct ast_from *others)
{
    return others && !planner->options->sqlite;
}

/* An UPDATE or DELETE whose block has been bound. */
struct change {
    enum plan_kind kind;
    const char *alias;
    const struct ast_from *others; /* of FROM or USING, or NULL */
    uint32_t *assigned;
    uint32_t assigned_count;
    const struct ast_target *returning;
    uint32_t returning_count;
};

static status_t plan_change(struct planner *planner, const struct change *change,
                            const struct table *table, struct query *block, struct planned *out)
{
    struct query *list = NULL;
    bool joined = sees_others(planner, change->others);
    status_t status = OK;
    if (joined) /* what it names is to come out of the block */
        status = plan__returning_joined(planner, block, table, change->returning,
                                        change->returning_count, &list);
    if (!status)
        status = close_block(planner, block, change->kind, table, out);
    if (status)
        return status;
    out->root->as.modify.assigned = change->assigned;
    out->root->as.modify.assigned_count = change->assigned_count;
    out->root->as.modify.may_repeat = change->others != NULL;
    plan__one_row(planner, out->root);
    return joined ? plan__returning(planner, list, out)
                  : plan__returning_table(planner, table, change->alias, change->returning,
                                          change->returning_count, out);
}

/* Whether a later assignment is to the same column. */
static bool comes_again(const struct ast_update *ast, uint32_t i)
{
    for (uint32_t j = i + 1; j < ast->assignment_count; j++) {
        if (strcmp(ast->assignments[i].column.text, ast->assignments[j].column.text) == 0)
            return true;
    }
    return false;
}

status_t plan__update(struct planner *planner, const struct ast_update *ast, struct planned *out)
{
    const struct table *table;
    struct scope scope;
    status_t status = plan__find_table(planner, &ast->table, &table);
    if (!status)
        status = open_block(planner, table, ast->alias.text, ast->from, ast->where, &scope);
    if (status)
        return status;
    scope.clause = "UPDATE";
    uint32_t *assigned =
        arena_alloc(planner->arena, (ast->assignment_count + 1) * sizeof *assigned);
    uint32_t assigned_count = 0;
    for (uint32_t i = 0; i < ast->assignment_count; i++) {
        const struct ast_assignment *assignment = &ast->assignments[i];
        if (planner->options->sqlite && comes_again(ast, i))
            continue;
        uint32_t *place = &assigned[assigned_count++];
        if ((status = bind_assignment(&scope, table, assignment, place)))
            return status;
        for (uint32_t j = 0; j + 1 < assigned_count; j++) {
            if (assigned[j] == *place)
                return error_sql(planner->error, "42601", assignment->column.position,
                                 "multiple assignments to same column \"%s\"",
                                 assignment->column.text);
        }
    }
    const struct change change = {.kind = PLAN_UPDATE,
                                  .alias = ast->alias.text,
                                  .others = ast->from,
                                  .assigned = assigned,
                                  .assigned_count = assigned_count,
                                  .returning = ast->returning,
                                  .returning_count = ast->returning_count};
    return plan_change(planner, &change, table, scope.query, out);
}

status_t plan__delete(struct planner *planner, const struct ast_delete *ast, struct planned *out)
{
    const struct table *table;
    struct scope scope;
    status_t status = plan__find_table(planner, &ast->table, &table);
    if (!status)
        status = open_block(planner, table, ast->alias.text, ast->from, ast->where, &scope);
    if (status)
        return status;
    const struct change change = {.kind = PLAN_DELETE,
                                  .alias = ast->alias.text,
                                  .others = ast->from,
                                  .returning = ast->returning,
                                  .returning_count = ast->returning_count};
    return plan_change(planner, &change, table, scope.query, out);
}
