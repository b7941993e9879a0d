/* CREATE: the tree's wishes in the catalog's words. After each change the session's
 * picture of the schema is read anew from its own transaction. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

status_t sql__table_find(const struct catalog *catalog, const struct ast_name *name,
                         const struct table **table, struct error *error)
{
    *table = catalog_table(catalog, name->text);
    if (*table)
        return OK;
    if (catalog_view(catalog, name->text))
        return error_sql(error, "42809", name->position, "\"%s\" is not a table", name->text);
    error_sql(error, "42P01", name->position, "relation \"%s\" does not exist", name->text);
    const char *nearest = catalog_nearest_table(catalog, name->text);
    if (nearest)
        error_hint(error, "Perhaps you meant the table \"%s\".", nearest);
    return ERR_SQL;
}

status_t sql__reload_catalog(struct sql_session *session)
{
    struct catalog *catalog;
    status_t status = catalog_load(session->txn, &catalog, &session->error);
    if (status)
        return status;
    catalog_release(session->catalog);
    session->catalog = catalog;
    session->catalog_own = true;
    session->changed_schema = true;
    return OK;
}

/* ---- CREATE TABLE ---------------------------------------------------------------------------- */

status_t sql__too_many_columns(struct sql_session *session, uint32_t position)
{
    return error_sql(&session->error, "54011", position,
                     "cannot use more than %d columns in an index or key", CATALOG_KEY_COLUMNS_MAX);
}

status_t sql__convert_key(struct sql_session *session, const struct ast_key *key,
                          struct key_definition *out)
{
    uint32_t count = key->column_count + key->included_count;
    if (count > CATALOG_KEY_COLUMNS_MAX)
        return sql__too_many_columns(session, key->position);
    *out = (struct key_definition){.name = key->constraint.text,
                                   .position = key->position,
                                   .column_count = count,
                                   .included_count = key->included_count,
                                   .constraint = true};
    for (uint32_t i = 0; i < key->column_count; i++)
        out->columns[i] = key->columns[i].text;
    for (uint32_t i = 0; i < key->included_count; i++)
        out->columns[key->column_count + i] = key->included[i].text;
    return OK;
}

status_t sql__convert_foreign_key(struct sql_session *session, const struct ast_foreign_key *key,
                                  struct foreign_key_definition *out)
{
    static const enum foreign_key_action actions[] = {
        [AST_KEY_NO_ACTION] = FK_NO_ACTION,     [AST_KEY_RESTRICT] = FK_RESTRICT,
        [AST_KEY_CASCADE] = FK_CASCADE,         [AST_KEY_SET_NULL] = FK_SET_NULL,
        [AST_KEY_SET_DEFAULT] = FK_SET_DEFAULT,
    };
    if (key->column_count > CATALOG_KEY_COLUMNS_MAX)
        return sql__too_many_columns(session, key->position);
    ASSERT(!key->parent_columns || key->parent_column_count == key->column_count);
    *out = (struct foreign_key_definition){
        .name = key->constraint.text,
        .position = key->position,
        .parent_table = key->parent.text,
        .column_count = key->column_count,
        .parent_column_count = key->parent_column_count,
        .on_delete = actions[key->on_delete],
        .on_update = actions[key->on_update],
    };
    for (uint32_t i = 0; i < key->column_count; i++)
        out->columns[i] = key->columns[i].text;
    for (uint32_t i = 0; i < key->parent_column_count; i++)
        out->parent_columns[i] = key->parent_columns[i].text;
    return OK;
}

status_t sql__convert_column(struct sql_session *session,
                             const struct ast_column_definition *column,
                             struct column_definition *out)
{
    *out = (struct column_definition){
        .name = column->name.text,
        .position = column->name.position,
        .type = plan_column_type(column->type, sql__settings_sqlite(session->settings)),
        .not_null = column->not_null,
        .identity = column->identity == AST_IDENTITY_ALWAYS       ? IDENTITY_ALWAYS
                    : column->identity == AST_IDENTITY_BY_DEFAULT ? IDENTITY_BY_DEFAULT
                                                                  : IDENTITY_NONE,
    };
    if (column->sequence)
        return sql__convert_sequence(session, column->sequence, &out->sequence);
    return column->default_sql ? sql__default_text(session, column->default_sql, &out->default_sql)
                               : OK;
}

/* A DEFAULT must be an expression of the column's type that knows nothing of the row. */
static status_t convert_column(struct sql_session *session,
                               const struct ast_column_definition *column,
                               struct column_definition *out)
{
    struct expr *unused;
    status_t status = sql__convert_column(session, column, out);
    if (!status && column->default_value)
        status = plan_default_expression(column->default_value, column->name.text, column->type,
                                         &session->run_arena, &unused, &session->error);
    return status;
}

static status_t convert_table(struct sql_session *session, const struct ast_create_table *create,
                              struct table_definition *out)
{
    struct arena *arena = &session->run_arena;
    status_t status = OK;
    *out = (struct table_definition){
        .name = create->table.text,
        .position = create->table.position,
        .columns = arena_zalloc(arena, create->column_count * sizeof *out->columns),
        .column_count = create->column_count,
        .uniques = arena_zalloc(arena, create->unique_count * sizeof *out->uniques),
        .unique_count = create->unique_count,
        .foreign_keys = arena_zalloc(arena, create->foreign_key_count * sizeof *out->foreign_keys),
        .foreign_key_count = create->foreign_key_count,
        .checks = arena_zalloc(arena, create->check_count * sizeof *out->checks),
        .check_count = create->check_count,
        .row_id = !sql__settings_require_primary_key(session->settings),
    };
    for (uint32_t i = 0; i < create->column_count && !status; i++)
        status = convert_column(session, &create->columns[i], &out->columns[i]);
    if (!status && create->primary_key.column_count)
        status = sql__convert_key(session, &create->primary_key, &out->primary_key);
    for (uint32_t i = 0; i < create->unique_count && !status; i++)
        status = sql__convert_key(session, &create->uniques[i], &out->uniques[i]);
    for (uint32_t i = 0; i < create->foreign_key_count && !status; i++)
        status = sql__convert_foreign_key(session, &create->foreign_keys[i], &out->foreign_keys[i]);
    for (uint32_t i = 0; i < create->check_count; i++)
        out->checks[i] = sql__convert_check(&create->checks[i]);
    return status;
}

static status_t create_table(struct sql_session *session)
{
    const struct ast_create_table *create = session->statement->as.create_table;
    struct table_definition definition;
    snprintf(session->tag, sizeof session->tag, "CREATE TABLE");
    if (create->if_not_exists && catalog_table(session->catalog, create->table.text))
        return OK;
    status_t status = convert_table(session, create, &definition);
    if (!status)
        status = catalog_create_table(session->txn, session->catalog, &definition, &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    return status ? status
                  : sql__bind_checks(session, catalog_table(session->catalog, create->table.text),
                                     create);
}

static status_t run(struct sql_session *session)
{
    switch (session->statement->kind) {
    case AST_CREATE_TABLE:
        return session->statement->as.create_table->source ? sql__create_table_as(session)
                                                           : create_table(session);
    case AST_CREATE_VIEW:
        return sql__create_view(session);
    case AST_DROP_VIEW:
        return sql__drop_views(session);
    case AST_ALTER_TABLE:
        return sql__alter_table(session);
    case AST_REINDEX:
        return sql__reindex(session);
    case AST_CREATE_INDEX:
        return sql__create_index(session);
    case AST_ALTER_INDEX:
    case AST_ALTER_VIEW:
        return sql__rename(session);
    case AST_DROP_TABLE:
        return sql__drop_tables(session);
    case AST_CREATE_SEQUENCE:
    case AST_ALTER_SEQUENCE:
    case AST_DROP_SEQUENCE:
        return sql__sequence_ddl(session);
    case AST_TRUNCATE:
        return sql__truncate(session);
    case AST_COMMENT:
        return sql__comment(session);
    default:
        ASSERT(session->statement->kind == AST_DROP_INDEX);
        return sql__drop_indexes(session);
    }
}

/* What to do instead, when it is too much for one transaction. */
static const char *way_round(const struct ast_statement *statement)
{
    if (statement->kind == AST_CREATE_INDEX)
        return "Outside of a transaction block an index is built by many transactions.";
    if (statement->kind == AST_REINDEX)
        return "Drop the index and create it again: that is done by many transactions.";
    if (statement->kind != AST_ALTER_TABLE)
        return NULL;
    const struct ast_alter_action *action = &statement->as.alter_table->actions[0];
    const struct ast_create_table *added = action->constraints;
    if (action->kind == AST_ALTER_ADD && (action->column.default_value || action->column.sequence))
        return "Add the column without a DEFAULT, give the rows their values by several UPDATEs, "
               "and "
               "set the DEFAULT then.";
    if (added && added->unique_count > 0)
        return "Alone in its statement, and outside of a transaction block, a UNIQUE is added by "
               "many "
               "transactions.";
    if (added && added->foreign_key_count > 0)
        return "Create an index that begins with the foreign key's columns first.";
    return "Create another table, and copy the rows by several INSERTs.";
}

status_t sql__ddl_run(struct sql_session *session)
{
    ASSERT(session->txn && session->catalog_fresh);
    status_t status = run(session);
    if (status == ERR_SQL && strcmp(session->error.sqlstate, "53200") == 0) {
        const char *instead = way_round(session->statement);
        if (instead)
            error_hint(&session->error, "%s", instead);
    }
    return status;
}
