/* ALTER COLUMN ... ADD GENERATED, SET GENERATED, RESTART, DROP IDENTITY. */
#include "base/check.h"
#include "sql_int.h"

static status_t not_identity(struct sql_session *session, const struct table *table,
                             const struct ast_name *name)
{
    return error_sql(&session->error, "55000", name->position,
                     "column \"%s\" of relation \"%s\" is not an identity column", name->text,
                     table->name);
}

static enum column_identity converted(enum ast_identity identity)
{
    ASSERT(identity != AST_IDENTITY_NONE);
    return identity == AST_IDENTITY_ALWAYS ? IDENTITY_ALWAYS : IDENTITY_BY_DEFAULT;
}

/* Can the column become one? */
static status_t check_added(struct sql_session *session, const struct table *table,
                            const struct column *column, const struct ast_name *name)
{
    struct error *error = &session->error;
    if (column->identity != IDENTITY_NONE)
        return error_sql(error, "55000", name->position,
                         "column \"%s\" of relation \"%s\" is already an identity column",
                         column->name, table->name);
    if (column->type.kind != SQL_INTEGER)
        return error_sql(error, "22023", name->position,
                         "identity column type must be smallint, integer, or bigint");
    if (column->default_sql)
        return error_sql(error, "55000", name->position,
                         "column \"%s\" of relation \"%s\" already has a default value",
                         column->name, table->name);
    if (!column->not_null)
        return error_sql(error, "55000", name->position,
                         "column \"%s\" of relation \"%s\" must be declared NOT NULL before "
                         "identity can be added",
                         column->name, table->name);
    return OK;
}

static status_t add_identity(struct sql_session *session, const struct table *table, uint32_t place,
                             const struct ast_alter_action *action)
{
    const struct column *column = &table->columns[place];
    const struct sequence *sequence;
    struct ast_sequence_options options = *action->column.sequence;
    status_t status = check_added(session, table, column, &action->name);
    options.bits = column->type.length_max ? column->type.length_max : 64;
    if (!status)
        status = sql__convert_sequence(session, &options, &sequence);
    return status ? status
                  : catalog_change_identity(session->txn, session->catalog, table, place,
                                            converted(action->column.identity), sequence,
                                            &session->error);
}

static status_t set_identity(struct sql_session *session, const struct table *table, uint32_t place,
                             const struct ast_alter_action *action)
{
    const struct column *column = &table->columns[place];
    const struct sequence *sequence = catalog_sequence_of(session->catalog, table, column);
    if (column->identity == IDENTITY_NONE || !sequence)
        return not_identity(session, table, &action->name);
    status_t status = OK;
    if (action->column.sequence)
        status = sql__change_sequence(session, sequence, action->column.sequence);
    if (status || action->column.identity == AST_IDENTITY_NONE)
        return status;
    return catalog_change_identity(session->txn, session->catalog, table, place,
                                   converted(action->column.identity), NULL, &session->error);
}

status_t sql__alter_identity(struct sql_session *session, const struct table *table,
                             const struct ast_alter_action *action)
{
    uint32_t place;
    status_t status = sql__column_find(session, table, &action->name, &place);
    if (status)
        return status;
    if (action->kind == AST_ALTER_ADD_IDENTITY)
        return add_identity(session, table, place, action);
    if (action->kind == AST_ALTER_SET_IDENTITY)
        return set_identity(session, table, place, action);
    ASSERT(action->kind == AST_ALTER_DROP_IDENTITY);
    if (table->columns[place].identity == IDENTITY_NONE)
        return action->if_exists ? OK : not_identity(session, table, &action->name);
    return catalog_change_identity(session->txn, session->catalog, table, place, IDENTITY_NONE,
                                   NULL, &session->error);
}
