/* What is made of a query: CREATE VIEW, CREATE TABLE ... AS. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

static status_t plan(struct sql_session *session, const struct ast_statement *statement,
                     bool declared, struct planned *planned)
{
    struct plan_options options = {.sqlite = sql__settings_sqlite(session->settings),
                                   .declared = declared};
    sql__internal_options(session, &options);
    sql__planning_begin(session, &options);
    status_t status = plan_statement(statement, session->catalog, &options, &session->run_arena,
                                     planned, &session->error);
    return sql__planning_end(session, status);
}

static status_t plan_query(struct sql_session *session, struct ast_select *select,
                           struct planned *planned)
{
    const struct ast_statement statement = {.kind = AST_SELECT, .as.select = select};
    return plan(session, &statement, true, planned);
}

/* The names of the query's columns, those given first. */
static status_t name_columns(struct sql_session *session, const struct plan *plan,
                             const struct ast_name *names, uint32_t count, const char *what,
                             const char ***out)
{
    if (count > plan->column_count)
        return error_sql(&session->error, "42601", names[plan->column_count].position,
                         "%s specifies more column names than columns", what);
    const char **all =
        arena_alloc(&session->run_arena, (plan->column_count + 1) * sizeof(const char *));
    for (uint32_t i = 0; i < plan->column_count; i++)
        all[i] = i < count ? names[i].text : plan->names[i];
    *out = all;
    return OK;
}

/* ---- views ----------------------------------------------------------------------------------- */

/* What the view was made of must not come to be made of the view. */
static status_t check_recursion(struct sql_session *session, const struct planned *planned,
                                const struct view *replaced)
{
    for (uint32_t i = 0; replaced && i < planned->use_count; i++) {
        if (planned->uses[i].relation_id == replaced->id)
            return error_sql(&session->error, "42P17",
                             session->statement->as.create_view->view.position,
                             "infinite recursion detected in view \"%s\"", replaced->name);
    }
    return OK;
}

/* Views made of the old one rely on its types. */
static status_t check_types(struct sql_session *session, const struct plan *plan,
                            const struct view *replaced)
{
    struct parser parser;
    struct ast_statement *statement;
    struct planned old;
    status_t status = parse_begin(&parser, slice_from_string(replaced->sql), 0, &session->error);
    if (!status)
        status = parse_next(&parser, &session->run_arena, &statement, &session->error);
    if (!status)
        status = plan_query(session, statement->as.select, &old);
    if (status)
        return status;
    for (uint32_t i = 0; i < replaced->column_count && i < plan->column_count; i++) {
        if (old.root->types[i] != plan->types[i])
            return error_sql(
                &session->error, "42P16", session->statement->as.create_view->view.position,
                "cannot change data type of view column \"%s\" from %s to %s", replaced->columns[i],
                type_name(old.root->types[i]), type_name(plan->types[i]));
    }
    return OK;
}

/* What the query itself names. */
static const struct view_use *direct_uses(struct sql_session *session,
                                          const struct planned *planned, uint32_t *count)
{
    struct view_use *uses =
        arena_alloc(&session->run_arena, (planned->use_count + 1) * sizeof *uses);
    *count = 0;
    for (uint32_t i = 0; i < planned->use_count; i++) {
        const struct plan_use *use = &planned->uses[i];
        if (use->direct)
            uses[(*count)++] = (struct view_use){use->relation_id, use->ordinal_end};
    }
    return uses;
}

static status_t make_view(struct sql_session *session, const struct view *replaced)
{
    const struct ast_create_view *create = session->statement->as.create_view;
    struct planned planned;
    const char **columns = NULL;
    status_t status = plan_query(session, create->select, &planned);
    if (!status)
        status = name_columns(session, planned.root, create->columns, create->column_count,
                              "CREATE VIEW", &columns);
    if (!status)
        status = check_recursion(session, &planned, replaced);
    if (!status && replaced)
        status = check_types(session, planned.root, replaced);
    if (status)
        return status;
    struct view_definition definition = {
        .name = create->view.text,
        .position = create->view.position,
        .sql = arena_strndup(&session->run_arena, (const char *)create->sql.data, create->sql.size),
        .columns = columns,
        .column_count = planned.root->column_count,
    };
    definition.uses = direct_uses(session, &planned, &definition.use_count);
    status =
        catalog_create_view(session->txn, session->catalog, &definition, replaced, &session->error);
    return status ? status : sql__reload_catalog(session);
}

status_t sql__create_view(struct sql_session *session)
{
    const struct ast_create_view *create = session->statement->as.create_view;
    const char *name = create->view.text;
    const struct view *view = catalog_view(session->catalog, name);
    snprintf(session->tag, sizeof session->tag, "CREATE VIEW");
    if (create->if_not_exists && (view || catalog_table(session->catalog, name)))
        return OK;
    if (create->or_replace && catalog_table(session->catalog, name))
        return error_sql(&session->error, "42809", create->view.position, "\"%s\" is not a view",
                         name);
    return make_view(session, create->or_replace ? view : NULL);
}

/* ---- CREATE TABLE ... AS --------------------------------------------------------------------- */

static status_t make_table(struct sql_session *session, const struct planned *planned,
                           const char *const *names)
{
    const struct plan *plan = planned->root;
    const struct ast_create_table *create = session->statement->as.create_table;
    struct table_definition definition = {
        .name = create->table.text,
        .position = create->table.position,
        .columns = arena_zalloc(&session->run_arena,
                                (plan->column_count + 1) * sizeof *definition.columns),
        .column_count = plan->column_count,
        .row_id = !sql__settings_require_primary_key(session->settings),
    };
    for (uint32_t i = 0; i < plan->column_count; i++)
        definition.columns[i] = (struct column_definition){
            .name = names[i],
            .position = create->table.position,
            .type = {.kind = plan->types[i], .length_max = planned->declared[i]},
        };
    status_t status =
        catalog_create_table(session->txn, session->catalog, &definition, &session->error);
    /* A key cannot be named here. */
    if (status && strcmp(session->error.sqlstate, "42P16") == 0)
        error_hint(&session->error, "SET require_primary_key = off gives such tables a hidden row "
                                    "id; or CREATE TABLE with a key, and INSERT ... SELECT.");
    return status ? status : sql__reload_catalog(session);
}

/* INSERT INTO the new table the query's rows. */
static status_t fill_table(struct sql_session *session)
{
    const struct ast_create_table *create = session->statement->as.create_table;
    struct ast_insert insert = {.table = create->table, .source = create->source};
    const struct ast_statement statement = {.kind = AST_INSERT, .as.insert = &insert};
    struct planned planned;
    status_t status = plan(session, &statement, false, &planned);
    if (status)
        return status;
    struct exec_context context;
    struct exec *exec;
    struct batch *batch;
    sql__statement_context(session, &context);
    if ((status = exec_open(&planned, &context, &exec, &session->error)))
        return status;
    do {
        status = exec_next(exec, &batch, &session->error);
    } while (!status && batch);
    session->rows = exec_rows_affected(exec);
    exec_close(exec);
    return status;
}

status_t sql__create_table_as(struct sql_session *session)
{
    const struct ast_create_table *create = session->statement->as.create_table;
    struct planned planned;
    const char **names = NULL;
    snprintf(session->tag, sizeof session->tag, "CREATE TABLE AS");
    if (create->if_not_exists && catalog_table(session->catalog, create->table.text))
        return OK;
    if (session->statement->parameter_count > 0)
        return error_sql(&session->error, "0A000", create->table.position,
                         "CREATE TABLE AS cannot have parameters");
    status_t status = plan_query(session, create->source, &planned);
    if (!status)
        status = name_columns(session, planned.root, create->names, create->name_count,
                              "CREATE TABLE AS", &names);
    if (!status)
        status = make_table(session, &planned, names);
    if (!status && !create->no_data)
        status = fill_table(session);
    if (!status && !create->no_data)
        snprintf(session->tag, sizeof session->tag, "SELECT %llu",
                 (unsigned long long)session->rows);
    return status;
}
