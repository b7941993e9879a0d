/* CREATE INDEX and REINDEX. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

/* ---- CREATE INDEX ---------------------------------------------------------------------------- */

/* The value of an expression must be the same whoever asks and whenever. */
static status_t must_last(struct sql_session *session, const struct expr *expr, const char *what,
                          uint32_t position)
{
    if (plan_is_lasting(expr))
        return OK;
    return error_sql(&session->error, "42P17", position,
                     "functions in index %s must be marked IMMUTABLE", what);
}

static status_t convert_expression(struct sql_session *session, const struct table *table,
                                   const struct ast_index_key *key, const char **text,
                                   enum sql_type *type)
{
    struct expr *expr;
    struct buffer printed = {0};
    status_t status = plan_row_expression(key->expr, table, "index expression", SQL_UNKNOWN,
                                          &session->run_arena, &expr, &session->error);
    if (!status)
        status = must_last(session, expr, "expression", key->position);
    if (status)
        return status;
    ast_print_index_key(key, &printed);
    *text = arena_keep_text(&session->run_arena, &printed);
    *type = expr->type;
    return OK;
}

static status_t convert_predicate(struct sql_session *session, const struct table *table,
                                  const struct ast_create_index *create)
{
    struct expr *expr;
    if (!create->where)
        return OK;
    status_t status = plan_row_expression(create->where, table, "index predicate", SQL_BOOLEAN,
                                          &session->run_arena, &expr, &session->error);
    return status ? status : must_last(session, expr, "predicate", create->where->position);
}

static status_t convert_index(struct sql_session *session, const struct table *table,
                              const struct ast_create_index *create, struct key_definition *out)
{
    if (create->key_count > CATALOG_KEY_COLUMNS_MAX)
        return sql__too_many_columns(session, create->table.position);
    *out = (struct key_definition){
        .name = create->index.text,
        .position = create->index.text ? create->index.position : create->keys[0].position,
        .column_count = create->key_count,
        .included_count = create->included_count,
        .predicate = create->where_sql,
    };
    status_t status = OK;
    for (uint32_t i = 0; i < create->key_count && !status; i++) {
        const struct ast_index_key *key = &create->keys[i];
        out->columns[i] = key->name.text;
        out->descending[i] = key->descending;
        if (!key->name.text)
            status = convert_expression(session, table, key, &out->columns[i], &out->computed[i]);
    }
    return status;
}

status_t sql__fill_index(struct sql_session *session, uint32_t table_id, uint16_t index_id)
{
    struct exec_context context;
    const struct table *table = catalog_table_by_id(session->catalog, table_id);
    ASSERT(table);
    const struct index *index = table_index_by_id(table, index_id);
    ASSERT(index);
    sql__statement_context(session, &context);
    return exec_build_index(&context, table, index, &session->error);
}

static status_t define_unique(struct sql_session *session, const struct table **table,
                              struct key_definition *definition)
{
    const struct ast_alter_table *alter = session->statement->as.alter_table;
    status_t status = sql__table_find(session->catalog, &alter->table, table, &session->error);
    if (!status)
        status = sql__convert_key(session, &alter->actions[0].constraints->uniques[0], definition);
    return status;
}

status_t sql__index_definition(struct sql_session *session, const struct table **table,
                               struct key_definition *definition, bool *unique)
{
    *definition = (struct key_definition){0};
    *unique = true;
    if (session->statement->kind == AST_ALTER_TABLE)
        return define_unique(session, table, definition);
    const struct ast_create_index *create = session->statement->as.create_index;
    *unique = create->unique;
    status_t status = sql__table_find(session->catalog, &create->table, table, &session->error);
    if (!status)
        status = convert_predicate(session, *table, create);
    return status ? status : convert_index(session, *table, create, definition);
}

bool sql__index_is(const struct table *table, const struct index *index,
                   const struct key_definition *definition, bool unique)
{
    const char *predicate = index->predicate ? index->predicate : "";
    bool same = index->unique == unique && index->constraint == definition->constraint &&
                index->column_count == definition->column_count &&
                index->included_count == definition->included_count &&
                strcmp(predicate, definition->predicate ? definition->predicate : "") == 0;
    for (uint32_t i = 0; i < index->column_count && same; i++)
        same = index->descending[i] == definition->descending[i] &&
               strcmp(table->columns[index->columns[i]].name, definition->columns[i]) == 0;
    return same;
}

status_t sql__create_index(struct sql_session *session)
{
    const struct ast_create_index *create = session->statement->as.create_index;
    const struct table *table;
    struct key_definition definition;
    uint16_t index_id = 0;
    bool unique;
    snprintf(session->tag, sizeof session->tag, "CREATE INDEX");
    if (sql__job_builds(session))
        return sql__job_finish(session);
    if (create->if_not_exists && create->index.text) {
        const struct table *owner;
        if (catalog_index(session->catalog, create->index.text, &owner))
            return OK;
    }
    status_t status = sql__index_definition(session, &table, &definition, &unique);
    if (status)
        return status;
    uint32_t table_id = table->id;
    status = catalog_create_index(session->txn, session->catalog, table, &definition, unique,
                                  &index_id, &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    return status ? status : sql__fill_index(session, table_id, index_id);
}

/* ---- REINDEX --------------------------------------------------------------------------------- */

static status_t rebuild(struct sql_session *session, const struct table *table,
                        const struct index *index)
{
    if (index->id == 0 || index->building)
        return OK; /* the rows themselves; somebody else's work */
    status_t status = catalog_clear_index(session->txn, table, index, &session->error);
    if (status)
        return status;
    session->changed = true;
    return sql__fill_index(session, table->id, index->id);
}

status_t sql__reindex(struct sql_session *session)
{
    const struct ast_reindex *reindex = session->statement->as.reindex;
    const char *name = reindex->name.text;
    const struct table *table = NULL;
    const struct index *index =
        reindex->is_table ? NULL : catalog_index(session->catalog, name, &table);
    snprintf(session->tag, sizeof session->tag, "REINDEX");
    if (index)
        return rebuild(session, table, index);
    table = reindex->is_index ? NULL : catalog_table(session->catalog, name);
    if (!table)
        return error_sql(&session->error, reindex->is_index ? "42704" : "42P01",
                         reindex->name.position, "%s \"%s\" does not exist",
                         reindex->is_index ? "index" : "relation", name);
    status_t status = OK;
    for (uint32_t i = 0; i < table->index_count && !status; i++)
        status = rebuild(session, table, &table->indexes[i]);
    return status;
}
