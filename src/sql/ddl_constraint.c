/* Constraints of a table that is there already: what the rows are asked before one is believed, and
 * what becomes of the texts of checks when a name changes. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

status_t sql__first_row(struct sql_session *session, const char *sql, bool *found,
                        struct slice *texts, uint32_t count)
{
    struct parser parser;
    struct ast_statement *statement;
    struct planned planned;
    struct exec_context context;
    struct exec *exec = NULL;
    struct batch *batch = NULL;
    struct error *error = &session->error;
    status_t status = parse_begin(&parser, slice_from_string(sql), 0, error);
    if (!status)
        status = parse_next(&parser, &session->run_arena, &statement, error);
    if (!status)
        status =
            plan_statement(statement, session->catalog, NULL, &session->run_arena, &planned, error);
    if (status)
        return status;
    sql__statement_context(session, &context);
    status = exec_open(&planned, &context, &exec, error);
    if (!status)
        status = exec_next(exec, &batch, error);
    *found = !status && batch;
    for (uint32_t i = 0; *found && i < count; i++) {
        struct value value = vector_get(&batch->columns[i], batch_row(batch, 0));
        ASSERT(value.type == SQL_TEXT && !value.null);
        texts[i] = arena_copy(&session->run_arena, value.as.text);
    }
    exec_close(exec);
    return status;
}

/* ---- CHECK ----------------------------------------------------------------------------------- */

/* The name of the only column an expression has. */
struct only {
    const char *name;
    bool several;
};

static void note_column(void *context, struct ast_expr *column)
{
    struct only *only = context;
    const char *name = column->as.column.name.text;
    only->several |= only->name && strcmp(only->name, name) != 0;
    only->name = name;
}

struct check_definition sql__convert_check(const struct ast_check *check)
{
    struct only only = {0};
    ASSERT(check->expr && check->sql);
    ast_each_column(check->expr, note_column, &only);
    return (struct check_definition){.name = check->constraint.text,
                                     .position = check->position,
                                     .sql = check->sql,
                                     .column = only.several ? NULL : only.name};
}

status_t sql__bind_checks(struct sql_session *session, const struct table *table,
                          const struct ast_create_table *constraints)
{
    status_t status = OK;
    ASSERT(table);
    for (uint32_t i = 0; i < constraints->check_count && !status; i++) {
        struct expr *unused;
        status = plan_row_expression(constraints->checks[i].expr, table, "CHECK", SQL_BOOLEAN,
                                     &session->run_arena, &unused, &session->error);
    }
    return status;
}

static status_t add_check(struct sql_session *session, const struct table *table,
                          const struct ast_check *check)
{
    const struct check_definition definition = sql__convert_check(check);
    uint32_t id = table->id;
    bool found = false;
    status_t status =
        catalog_add_check(session->txn, session->catalog, table, &definition, &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    if (status)
        return status;
    table = catalog_table_by_id(session->catalog, id);
    struct buffer text = {0};
    buffer_append_string(&text, "SELECT FROM ");
    ast_print_name(table->name, &text);
    buffer_printf(&text, " WHERE NOT (%s) LIMIT 1", check->sql);
    status = sql__first_row(session, arena_keep_text(&session->run_arena, &text), &found, NULL, 0);
    if (!status && found)
        return error_sql(&session->error, "23514", check->position,
                         "check constraint \"%s\" of relation \"%s\" is violated by some row",
                         table->checks[table->check_count - 1].name, table->name);
    return status;
}

/* ---- UNIQUE, PRIMARY KEY --------------------------------------------------------------------- */

static status_t add_unique(struct sql_session *session, const struct table *table,
                           const struct ast_key *key)
{
    struct key_definition definition;
    uint16_t index_id = 0;
    uint32_t id = table->id;
    if (sql__job_builds(session))
        return sql__job_finish(session);
    status_t status = sql__convert_key(session, key, &definition);
    if (!status)
        status = catalog_create_index(session->txn, session->catalog, table, &definition, true,
                                      &index_id, &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    return status ? status : sql__fill_index(session, id, index_id);
}

static status_t add_primary_key(struct sql_session *session, const struct table *table,
                                const struct ast_key *key)
{
    struct key_definition definition;
    struct exec_context context;
    uint32_t id = table->id;
    status_t status = sql__convert_key(session, key, &definition);
    for (uint32_t i = 0; i < key->column_count && !status; i++) {
        if (table_column(table, key->columns[i].text) >= 0)
            status = sql__check_nulls(session, table, key->columns[i].text, &key->columns[i]);
    }
    if (!status)
        status = catalog_add_primary_key(session->txn, session->catalog, table, &definition,
                                         &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    if (status)
        return status;
    sql__statement_context(session, &context);
    return exec_rekey(&context, catalog_table_by_id(session->catalog, id), &session->error);
}

/* ---- FOREIGN KEY ----------------------------------------------------------------------------- */

static void print_column(const char *alias, const struct table *table, uint32_t place,
                         struct buffer *out)
{
    buffer_printf(out, "%s.", alias);
    ast_print_name(table->columns[place].name, out);
}

/* The key of a child whose parent is not there. */
static char *orphan_query(struct sql_session *session, const struct table *child,
                          const struct table *parent, const struct foreign_key *key)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(&text, i ? ", " : "SELECT ");
        print_column("c", child, key->child_columns[i], &text);
        buffer_append_string(&text, "::text");
    }
    buffer_append_string(&text, " FROM ");
    ast_print_name(child->name, &text);
    buffer_append_string(&text, " AS c WHERE ");
    for (uint32_t i = 0; i < key->column_count; i++) {
        print_column("c", child, key->child_columns[i], &text);
        buffer_append_string(&text, " IS NOT NULL AND ");
    }
    buffer_append_string(&text, "NOT EXISTS (SELECT FROM ");
    ast_print_name(parent->name, &text);
    buffer_append_string(&text, " AS p WHERE ");
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(&text, i ? " AND " : "");
        print_column("p", parent, key->parent_columns[i], &text);
        buffer_append_string(&text, " = ");
        print_column("c", child, key->child_columns[i], &text);
    }
    buffer_append_string(&text, ") LIMIT 1");
    return arena_keep_text(&session->run_arena, &text);
}

static status_t check_orphans(struct sql_session *session, const struct table *child,
                              const struct foreign_key *key, uint32_t position)
{
    const struct table *parent = catalog_table_by_id(session->catalog, key->parent_table_id);
    struct slice values[CATALOG_KEY_COLUMNS_MAX];
    bool found = false;
    ASSERT(parent);
    status_t status = sql__first_row(session, orphan_query(session, child, parent, key), &found,
                                     values, key->column_count);
    if (status || !found)
        return status;
    struct buffer text = {0};
    for (uint32_t i = 0; i < key->column_count; i++)
        buffer_printf(&text, "%s%s", i ? ", " : "(", child->columns[key->child_columns[i]].name);
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(&text, i ? ", " : ")=(");
        buffer_append_slice(&text, values[i]);
    }
    buffer_append_string(&text, ")");
    error_sql(&session->error, "23503", position,
              "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
              child->name, key->name);
    error_detail(&session->error, "Key %.*s is not present in table \"%s\".", (int)text.size,
                 (const char *)text.data, parent->name);
    buffer_free(&text);
    return ERR_SQL;
}

static status_t add_foreign_key(struct sql_session *session, const struct table *table,
                                const struct ast_foreign_key *key)
{
    struct foreign_key_definition definition;
    uint16_t index_id = 0;
    uint32_t id = table->id;
    status_t status = sql__convert_foreign_key(session, key, &definition);
    if (!status)
        status = catalog_add_foreign_key(session->txn, session->catalog, table, &definition,
                                         &index_id, &session->error);
    if (!status)
        status = sql__reload_catalog(session);
    if (!status && index_id)
        status = sql__fill_index(session, id, index_id);
    if (status)
        return status;
    table = catalog_table_by_id(session->catalog, id);
    ASSERT(table && table->foreign_key_count > 0);
    return check_orphans(session, table, &table->foreign_keys[table->foreign_key_count - 1],
                         key->position);
}

/* ---- all kinds ------------------------------------------------------------------------------- */

status_t sql__add_constraints(struct sql_session *session, uint32_t table_id,
                              const struct ast_create_table *constraints)
{
    const struct table *table = catalog_table_by_id(session->catalog, table_id);
    status_t status = OK;
    ASSERT(table && constraints);
    if (constraints->primary_key.column_count)
        status = add_primary_key(session, table, &constraints->primary_key);
    for (uint32_t i = 0; i < constraints->unique_count && !status; i++) {
        table = catalog_table_by_id(session->catalog, table_id);
        status = add_unique(session, table, &constraints->uniques[i]);
    }
    for (uint32_t i = 0; i < constraints->foreign_key_count && !status; i++) {
        table = catalog_table_by_id(session->catalog, table_id);
        status = add_foreign_key(session, table, &constraints->foreign_keys[i]);
    }
    if (!status)
        status =
            sql__bind_checks(session, catalog_table_by_id(session->catalog, table_id), constraints);
    for (uint32_t i = 0; i < constraints->check_count && !status; i++) {
        table = catalog_table_by_id(session->catalog, table_id);
        status = add_check(session, table, &constraints->checks[i]);
    }
    return status;
}

/* With CASCADE the foreign keys that refer to a UNIQUE go first. */
static status_t cascade_constraint(struct sql_session *session, const struct table *table,
                                   const char *name)
{
    for (uint32_t i = 1; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (index->constraint && strcmp(index->name, name) == 0)
            return sql__drop_foreign_keys_to(session, table->id, index->id);
    }
    return OK;
}

status_t sql__drop_constraint(struct sql_session *session, const struct table *table,
                              const struct ast_alter_action *action)
{
    bool found = false;
    uint32_t id = table->id;
    status_t status = action->cascade ? cascade_constraint(session, table, action->name.text) : OK;
    table = catalog_table_by_id(session->catalog, id);
    ASSERT(table);
    if (!status)
        status = catalog_drop_constraint(session->txn, session->catalog, table, action->name.text,
                                         &found, &session->error);
    if (!status && !found && !action->if_exists)
        return error_sql(&session->error, "42704", action->name.position,
                         "constraint \"%s\" of relation \"%s\" does not exist", action->name.text,
                         table->name);
    if (status && session->error.position == 0)
        session->error.position = action->name.position;
    return status;
}

/* ---- names ----------------------------------------------------------------------------------- */

struct renaming {
    const struct table *table;
    const char *column; /* NULL: the table */
    const char *to;
    bool met;
};

static void rename_one(void *context, struct ast_expr *expr)
{
    struct renaming *renaming = context;
    const char **table = &expr->as.column.table.text;
    const char **name = &expr->as.column.name.text;
    bool met = renaming->column ? strcmp(*name, renaming->column) == 0 : *table != NULL;
    renaming->met |= met;
    if (met && renaming->column && renaming->to)
        *name = renaming->to;
    else if (met && renaming->to)
        *table = NULL;
}

/* An expression with the names changed; NULL when it has none of them. */
static status_t expr_follow(struct sql_session *session, struct renaming *renaming, const char *sql,
                            struct ast_expr **expr)
{
    status_t status =
        parse_expression(slice_from_string(sql), &session->run_arena, expr, &session->error);
    if (status)
        return status;
    renaming->met = false;
    ast_each_column(*expr, rename_one, renaming);
    if (!renaming->met)
        *expr = NULL;
    return OK;
}

/* The same with texts. */
static status_t text_follow(struct sql_session *session, struct renaming *renaming, const char *sql,
                            const char **out)
{
    struct ast_expr *expr;
    struct buffer text = {0};
    *out = NULL;
    status_t status = expr_follow(session, renaming, sql, &expr);
    if (status || !expr)
        return status;
    ast_print_expr(expr, &text);
    *out = arena_keep_text(&session->run_arena, &text);
    return OK;
}

/* The same with what an index is over, whose text is as CREATE INDEX has it. */
static status_t key_follow(struct sql_session *session, struct renaming *renaming, const char *sql,
                           const char **out)
{
    struct ast_index_key key = {0};
    struct buffer text = {0};
    *out = NULL;
    status_t status = expr_follow(session, renaming, sql, &key.expr);
    if (status || !key.expr)
        return status;
    ast_print_index_key(&key, &text);
    *out = arena_keep_text(&session->run_arena, &text);
    return OK;
}

static status_t check_follows(struct sql_session *session, struct renaming *renaming,
                              const struct check *check)
{
    const char *text;
    bool found;
    status_t status = text_follow(session, renaming, check->sql, &text);
    if (status || !text)
        return status;
    if (!renaming->to)
        return catalog_drop_constraint(session->txn, session->catalog, renaming->table, check->name,
                                       &found, &session->error);
    return catalog_change_check(session->txn, renaming->table, check, text, &session->error);
}

/* The texts of an index: what it is over, and of which rows. *goes: the column takes it along. */
static status_t index_follows(struct sql_session *session, struct renaming *renaming,
                              const struct index *index, bool *goes)
{
    const char *predicate = NULL;
    const struct table *table = renaming->table;
    const char **computed =
        arena_zalloc(&session->run_arena, (table->computed_count + 1) * sizeof *computed);
    status_t status = OK;
    bool met = false;
    if (index->predicate)
        status = text_follow(session, renaming, index->predicate, &predicate);
    met = predicate != NULL;
    for (uint32_t i = 0; i < index->column_count && !status; i++) {
        uint32_t place = index->columns[i];
        if (place < table->column_count)
            continue;
        const char **text = &computed[place - table->column_count];
        status = key_follow(session, renaming, table->columns[place].name, text);
        met |= *text != NULL;
    }
    int32_t place = renaming->column ? table_column(table, renaming->column) : -1;
    *goes = !renaming->to && (met || (place >= 0 && index_has_column(index, (uint32_t)place)));
    if (status || !met || !renaming->to)
        return status;
    return catalog_change_index(session->txn, table, index, predicate, computed, &session->error);
}

/* One after the other: a foreign key that used the one may use the next, until that goes, too. */
static status_t drop_indexes(struct sql_session *session, uint32_t table_id, const uint16_t *ids,
                             uint32_t count)
{
    status_t status = OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        const struct table *table = catalog_table_by_id(session->catalog, table_id);
        const struct index *index = table_index_by_id(table, ids[i]);
        ASSERT(index);
        status = catalog_drop_index(session->txn, session->catalog, table, index, &session->error);
        if (!status)
            status = sql__reload_catalog(session);
    }
    return status;
}

status_t sql__checks_follow(struct sql_session *session, const struct table *table,
                            const char *column, const char *to)
{
    struct renaming renaming = {.table = table, .column = column, .to = to};
    uint16_t *going = arena_alloc(&session->run_arena, table->index_count * sizeof *going);
    uint32_t count = 0;
    status_t status = OK;
    ASSERT(column || to);
    for (uint32_t i = 0; i < table->check_count && !status; i++)
        status = check_follows(session, &renaming, &table->checks[i]);
    for (uint32_t i = 0; i < table->index_count && !status; i++) {
        bool goes = false;
        status = index_follows(session, &renaming, &table->indexes[i], &goes);
        if (goes)
            going[count++] = table->indexes[i].id;
    }
    return status ? status : drop_indexes(session, table->id, going, count);
}
