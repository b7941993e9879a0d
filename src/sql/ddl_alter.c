/* ALTER TABLE: one action after the other, each on the schema the one before has left. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

/* "SELECT FROM table", and the same WHERE a column IS NULL. */
static char *row_query(struct sql_session *session, const struct table *table, const char *column)
{
    struct buffer text = {0};
    buffer_append_string(&text, "SELECT FROM ");
    ast_print_name(table->name, &text);
    if (column) {
        buffer_append_string(&text, " WHERE ");
        ast_print_name(column, &text);
        buffer_append_string(&text, " IS NULL");
    }
    buffer_append_string(&text, " LIMIT 1");
    return arena_keep_text(&session->run_arena, &text);
}

/* A NOT NULL column must have no NULLs; `column` is NULL when all rows have one. */
status_t sql__check_nulls(struct sql_session *session, const struct table *table,
                          const char *column, const struct ast_name *name)
{
    bool found;
    status_t status = sql__first_row(session, row_query(session, table, column), &found, NULL, 0);
    if (!status && found)
        return error_sql(&session->error, "23502", name->position,
                         "column \"%s\" of relation \"%s\" contains null values", name->text,
                         table->name);
    return status;
}

status_t sql__column_find(struct sql_session *session, const struct table *table,
                          const struct ast_name *name, uint32_t *place)
{
    int32_t found = table_column(table, name->text);
    if (found < 0) {
        error_sql(&session->error, "42703", name->position,
                  "column \"%s\" of relation \"%s\" does not exist", name->text, table->name);
        const char *nearest = table_nearest_column(table, name->text);
        if (nearest)
            error_hint(&session->error, "Perhaps you meant the column \"%s\".", nearest);
        return ERR_SQL;
    }
    *place = (uint32_t)found;
    return OK;
}

/* ---- actions --------------------------------------------------------------------------------- */

/* The value the rows there are will have; *each: each gets one of its own. */
static status_t missing_value(struct sql_session *session,
                              const struct ast_column_definition *column, struct value *out,
                              bool *each)
{
    struct expr *expr;
    struct exec_context context;
    *out = value_null(column->type.kind);
    *each = column->sequence != NULL;
    if (!column->default_value)
        return OK;
    status_t status =
        plan_default_expression(column->default_value, column->name.text, column->type,
                                &session->run_arena, &expr, &session->error);
    *each |= !status && expr->is_volatile;
    if (status || *each)
        return status;
    sql__statement_context(session, &context);
    struct value value;
    status = exec_constant(expr, &context, &value, &session->error);
    if (status || value.null)
        return status;
    return value_assign(&value, column->type, column->name.text, &session->run_arena, out,
                        &session->error);
}

/* The rows there are get the column's DEFAULT, each its own, and it becomes NOT NULL if it is to
 * be: all of that is the statement's transaction's work. */
static status_t fill_column(struct sql_session *session, uint32_t table_id, const char *name,
                            bool not_null)
{
    const struct table *table = catalog_table_by_id(session->catalog, table_id);
    struct buffer text = {0};
    bool unused;
    ASSERT(table);
    buffer_append_string(&text, "UPDATE ");
    ast_print_name(table->name, &text);
    buffer_append_string(&text, " SET ");
    ast_print_name(name, &text);
    buffer_append_string(&text, " = DEFAULT");
    buffer_append_byte(&text, '\0');
    status_t status = sql__first_row(session, (const char *)text.data, &unused, NULL, 0);
    buffer_free(&text);
    if (status || !not_null)
        return status;
    int32_t place = table_column(table, name);
    ASSERT(place >= 0);
    status = catalog_change_column(session->txn, session->catalog, table, (uint32_t)place, true,
                                   table->columns[place].default_sql, &session->error);
    return status ? status : sql__reload_catalog(session);
}

static status_t add_column(struct sql_session *session, const struct table *table,
                           const struct ast_alter_action *action)
{
    const struct ast_column_definition *column = &action->column;
    struct column_definition definition;
    struct value missing;
    bool each;
    if (action->if_exists && table_column(table, column->name.text) >= 0)
        return OK;
    if (action->constraints && action->constraints->primary_key.column_count > 0 &&
        !table_has_row_id(table))
        return error_sql(&session->error, "42P16", column->name.position,
                         "multiple primary keys for table \"%s\" are not allowed", table->name);
    status_t status = missing_value(session, column, &missing, &each);
    if (!status && !each && column->not_null && missing.null)
        status = sql__check_nulls(session, table, NULL, &column->name);
    if (!status)
        status = sql__convert_column(session, column, &definition);
    if (status)
        return status;
    bool not_null = definition.not_null || column->sequence;
    definition.not_null = not_null && !each;
    uint32_t table_id = table->id;
    status = catalog_add_column(session->txn, session->catalog, table, &definition, &missing,
                                &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    if (!status && each)
        status = fill_column(session, table_id, column->name.text, not_null);
    return status ? status : sql__add_constraints(session, table_id, action->constraints);
}

/* Does an action from `from` on give the table a primary key? */
static bool key_follows(const struct ast_alter_table *alter, uint32_t from)
{
    for (uint32_t i = from; i < alter->action_count; i++) {
        const struct ast_create_table *added = alter->actions[i].constraints;
        if (added && added->primary_key.column_count > 0)
            return true;
    }
    return false;
}

/* The rows get a row id for a key. */
static status_t drop_primary_key(struct sql_session *session, const struct table *table,
                                 const struct ast_alter_action *action)
{
    const struct ast_alter_table *alter = session->statement->as.alter_table;
    struct exec_context context;
    uint32_t id = table->id;
    if (sql__settings_require_primary_key(session->settings) &&
        !key_follows(alter, (uint32_t)(action - alter->actions) + 1)) {
        error_sql(&session->error, "42P16", action->name.position,
                  "table \"%s\" would have no primary key", table->name);
        error_hint(&session->error, "Add another one in the same ALTER TABLE, or turn "
                                    "require_primary_key off for a hidden row id.");
        return ERR_SQL;
    }
    status_t status = action->cascade ? sql__drop_foreign_keys_to(session, id, 0) : OK;
    if (!status)
        status =
            catalog_drop_primary_key(session->txn, session->catalog,
                                     catalog_table_by_id(session->catalog, id), &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    if (status && session->error.position == 0)
        session->error.position = action->name.position;
    if (status)
        return status;
    sql__statement_context(session, &context);
    session->changed = true;
    return exec_rekey(&context, catalog_table_by_id(session->catalog, id), &session->error);
}

/* ---- DROP COLUMN ----------------------------------------------------------------------------- */

/* Views name the column, or a star that has it. */
static status_t free_of_views(struct sql_session *session, uint32_t table_id,
                              const struct ast_alter_action *action)
{
    const struct view *view;
    status_t status = OK;
    while (!status && (view = sql__view_of_column(session, table_id, action->name.text, true))) {
        const struct table *table = catalog_table_by_id(session->catalog, table_id);
        if (!action->cascade) {
            error_sql(&session->error, "2BP01", action->name.position,
                      "cannot drop column %s of table %s because other objects depend on it",
                      action->name.text, table->name);
            error_detail(&session->error, "view %s depends on column %s of table %s", view->name,
                         action->name.text, table->name);
            error_hint(&session->error, "Use DROP ... CASCADE to drop the dependent objects too.");
            return ERR_SQL;
        }
        status = sql__drop_view(session, view->id);
    }
    return status;
}

/* The table's own foreign keys that have the column go with it; with CASCADE also those of others
 * that refer to it. */
static status_t free_of_foreign_keys(struct sql_session *session, uint32_t table_id, uint32_t place,
                                     bool cascade)
{
    const struct table *table = catalog_table_by_id(session->catalog, table_id);
    status_t status = OK;
    for (uint32_t i = 0; i < table->foreign_key_count && !status;) {
        if (!places_have(table->foreign_keys[i].child_columns, table->foreign_keys[i].column_count,
                         place)) {
            i++;
            continue;
        }
        status = sql__drop_foreign_key(session, &table->foreign_keys[i]);
        table = catalog_table_by_id(session->catalog, table_id);
    }
    for (uint32_t i = 0; cascade && i < table->index_count && !status; i++) {
        if (index_has_column(&table->indexes[i], place))
            status = sql__drop_foreign_keys_to(session, table_id, table->indexes[i].id);
        table = catalog_table_by_id(session->catalog, table_id);
    }
    return status;
}

static status_t drop_column(struct sql_session *session, const struct table *table,
                            const struct ast_alter_action *action)
{
    uint32_t place;
    uint32_t id = table->id;
    if (action->if_exists && table_column(table, action->name.text) < 0)
        return OK;
    status_t status = sql__column_find(session, table, &action->name, &place);
    if (status)
        return status;
    status = free_of_views(session, id, action);
    if (!status)
        status = free_of_foreign_keys(session, id, place, action->cascade);
    table = catalog_table_by_id(session->catalog, id);
    if (!status && action->cascade)
        status = sql__drop_owned_defaults(session, id, &table->columns[place].ordinal);
    table = catalog_table_by_id(session->catalog, id);
    if (!status)
        status = catalog_column_unreferenced(session->catalog, table, place, &session->error);
    if (!status && index_has_column(&table->indexes[0], place))
        status = drop_primary_key(session, table, action);
    table = catalog_table_by_id(session->catalog, id);
    if (!status)
        status = sql__checks_follow(session, table, action->name.text, NULL);
    table = catalog_table_by_id(session->catalog, id);
    if (!status)
        status = catalog_drop_column(session->txn, session->catalog, table, place, &session->error);
    if (status && session->error.position == 0)
        session->error.position = action->name.position;
    return status;
}

/* ---- other actions --------------------------------------------------------------------------- */

static status_t change_column(struct sql_session *session, const struct table *table,
                              const struct ast_alter_action *action)
{
    uint32_t place;
    status_t status = sql__column_find(session, table, &action->name, &place);
    if (status)
        return status;
    const struct column *column = &table->columns[place];
    if (column->identity != IDENTITY_NONE && action->kind != AST_ALTER_SET_NOT_NULL) {
        error_sql(&session->error, "42601", action->name.position,
                  "column \"%s\" of relation \"%s\" is an identity column", column->name,
                  table->name);
        if (action->kind == AST_ALTER_DROP_DEFAULT)
            error_hint(&session->error,
                       "Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead.");
        return ERR_SQL;
    }
    bool not_null = column->not_null;
    const char *default_sql = column->default_sql;
    if (action->kind == AST_ALTER_SET_NOT_NULL || action->kind == AST_ALTER_DROP_NOT_NULL) {
        not_null = action->kind == AST_ALTER_SET_NOT_NULL;
        if (not_null)
            status = sql__check_nulls(session, table, column->name, &action->name);
        else if (index_has_column(&table->indexes[0], place))
            status = error_sql(&session->error, "42P16", action->name.position,
                               "column \"%s\" is in a primary key", column->name);
    } else {
        struct expr *unused;
        default_sql = action->column.default_sql; /* NULL for DROP DEFAULT */
        if (default_sql)
            status =
                plan_default_expression(action->column.default_value, column->name, column->type,
                                        &session->run_arena, &unused, &session->error);
        if (default_sql && !status)
            status = sql__default_text(session, default_sql, &default_sql);
    }
    return status ? status
                  : catalog_change_column(session->txn, session->catalog, table, place, not_null,
                                          default_sql, &session->error);
}

static bool is_primary_key(const struct table *table, const char *constraint)
{
    return !table_has_row_id(table) && strcmp(table->indexes[0].name, constraint) == 0;
}

static status_t do_action(struct sql_session *session, const struct table *table,
                          const struct ast_alter_action *action)
{
    switch (action->kind) {
    case AST_ALTER_ADD:
        return add_column(session, table, action);
    case AST_ALTER_DROP:
        return drop_column(session, table, action);
    case AST_ALTER_RENAME:
        return sql__rename_table(session, table, action);
    case AST_ALTER_RENAME_COLUMN:
        return sql__rename_column(session, table, action);
    case AST_ALTER_SET_DEFAULT:
    case AST_ALTER_DROP_DEFAULT:
    case AST_ALTER_SET_NOT_NULL:
    case AST_ALTER_DROP_NOT_NULL:
        return change_column(session, table, action);
    case AST_ALTER_ADD_IDENTITY:
    case AST_ALTER_SET_IDENTITY:
    case AST_ALTER_DROP_IDENTITY:
        return sql__alter_identity(session, table, action);
    case AST_ALTER_ADD_CONSTRAINT:
        return sql__add_constraints(session, table->id, action->constraints);
    case AST_ALTER_DROP_CONSTRAINT:
        return is_primary_key(table, action->name.text)
                   ? drop_primary_key(session, table, action)
                   : sql__drop_constraint(session, table, action);
    case AST_ALTER_RENAME_CONSTRAINT:
        return sql__rename_constraint(session, table, action);
    }
    UNREACHABLE();
}

status_t sql__alter_table(struct sql_session *session)
{
    const struct ast_alter_table *alter = session->statement->as.alter_table;
    const struct table *table = catalog_table(session->catalog, alter->table.text);
    snprintf(session->tag, sizeof session->tag, "ALTER TABLE");
    if (!table && alter->if_exists)
        return OK;
    status_t status = sql__table_find(session->catalog, &alter->table, &table, &session->error);
    uint32_t id = status ? 0 : table->id;
    for (uint32_t i = 0; i < alter->action_count && !status; i++) {
        table = catalog_table_by_id(session->catalog, id);
        ASSERT(table);
        status = do_action(session, table, &alter->actions[i]);
        if (!status)
            status = sql__reload_catalog(session);
    }
    return status;
}
