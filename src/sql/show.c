/* SHOW TABLES, COLUMNS, INDEXES and CREATE TABLE: the schema as rows, for shells and tools that
 * have only SQL. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

static void show_tables(struct sql_session *session)
{
    const struct catalog *catalog = session->catalog;
    sql__result_column(session, "name", SQL_TEXT);
    sql__result_column(session, "columns", SQL_INTEGER);
    sql__result_column(session, "indexes", SQL_INTEGER);
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        const struct table *table = catalog->tables[i];
        struct value *row = sql__result_row(session);
        row[0] = sql__result_text(session, table->name);
        row[1] = value_integer(table_visible_count(table));
        row[2] = value_integer(table->index_count - table_first_index(table));
    }
}

static void show_columns(struct sql_session *session, const struct table *table)
{
    char type[64];
    sql__result_column(session, "name", SQL_TEXT);
    sql__result_column(session, "type", SQL_TEXT);
    sql__result_column(session, "nullable", SQL_BOOLEAN);
    sql__result_column(session, "default", SQL_TEXT);
    sql__result_column(session, "primary_key", SQL_BOOLEAN);
    for (uint32_t i = 0; i < table_visible_count(table); i++) {
        const struct column *column = &table->columns[i];
        struct value *row = sql__result_row(session);
        type_spec_name(column->type, type, sizeof type);
        row[0] = sql__result_text(session, column->name);
        row[1] = sql__result_text(session, type);
        row[2] = value_boolean(!column->not_null && !index_has_column(&table->indexes[0], i));
        if (column->default_sql)
            row[3] = sql__result_text(session, column->default_sql);
        row[4] = value_boolean(index_has_column(&table->indexes[0], i));
    }
}

void sql__index_columns_print(const struct table *table, const struct index *index, uint32_t from,
                              uint32_t to, struct buffer *out)
{
    ASSERT(from <= to && to <= index->column_count);
    for (uint32_t i = from; i < to; i++) {
        const char *name = table->columns[index->columns[i]].name;
        buffer_append_string(out, i > from ? ", " : "");
        if (index->columns[i] < table->column_count)
            ast_print_name(name, out);
        else
            buffer_append_string(out, name);
        buffer_append_string(out, index->descending[i] ? " DESC" : "");
    }
}

void sql__index_keys_print(const struct table *table, const struct index *index, struct buffer *out)
{
    uint32_t keys = index->column_count - index->included_count;
    buffer_append_string(out, "(");
    sql__index_columns_print(table, index, 0, keys, out);
    if (index->included_count > 0) {
        buffer_append_string(out, ") INCLUDE (");
        sql__index_columns_print(table, index, keys, index->column_count, out);
    }
    buffer_append_string(out, ")");
}

static struct value columns_text(struct sql_session *session, const struct table *table,
                                 const struct index *index, uint32_t from, uint32_t to)
{
    struct buffer columns = {0};
    sql__index_columns_print(table, index, from, to, &columns);
    struct value text = value_text(arena_copy(&session->run_arena, buffer_slice(&columns)));
    buffer_free(&columns);
    return text;
}

static void show_indexes(struct sql_session *session, const struct table *table)
{
    sql__result_column(session, "name", SQL_TEXT);
    sql__result_column(session, "columns", SQL_TEXT);
    sql__result_column(session, "unique", SQL_BOOLEAN);
    sql__result_column(session, "primary_key", SQL_BOOLEAN);
    sql__result_column(session, "included", SQL_TEXT);
    sql__result_column(session, "predicate", SQL_TEXT);
    sql__result_column(session, "building", SQL_BOOLEAN);
    for (uint32_t i = table_first_index(table); i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        uint32_t keys = index->column_count - index->included_count;
        struct value *row = sql__result_row(session);
        row[0] = sql__result_text(session, index->name);
        row[1] = columns_text(session, table, index, 0, keys);
        row[2] = value_boolean(index->unique);
        row[3] = value_boolean(i == 0);
        if (index->included_count > 0)
            row[4] = columns_text(session, table, index, keys, index->column_count);
        if (index->predicate)
            row[5] = sql__result_text(session, index->predicate);
        row[6] = value_boolean(index->building);
    }
}

/* ---- SHOW CREATE TABLE ----------------------------------------------------------------------- */

static void print_constraint(const char *name, const char *kind, struct buffer *out)
{
    buffer_append_string(out, ",\n  CONSTRAINT ");
    ast_print_name(name, out);
    buffer_printf(out, " %s", kind);
}

void sql__foreign_key_print(const struct catalog *catalog, const struct table *table,
                            const struct foreign_key *key, struct buffer *out)
{
    const struct table *parent = catalog_table_by_id(catalog, key->parent_table_id);
    ASSERT(parent && key->child_table_id == table->id);
    buffer_append_string(out, "FOREIGN KEY (");
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(out, i ? ", " : "");
        ast_print_name(table->columns[key->child_columns[i]].name, out);
    }
    buffer_append_string(out, ") REFERENCES ");
    ast_print_name(parent->name, out);
    for (uint32_t i = 0; i < key->column_count; i++) {
        buffer_append_string(out, i ? ", " : " (");
        ast_print_name(parent->columns[key->parent_columns[i]].name, out);
    }
    buffer_append_string(out, ")");
    static const char *const actions[] = {
        [FK_NO_ACTION] = NULL,      [FK_RESTRICT] = "RESTRICT",       [FK_CASCADE] = "CASCADE",
        [FK_SET_NULL] = "SET NULL", [FK_SET_DEFAULT] = "SET DEFAULT",
    };
    if (actions[key->on_delete])
        buffer_printf(out, " ON DELETE %s", actions[key->on_delete]);
    if (actions[key->on_update])
        buffer_printf(out, " ON UPDATE %s", actions[key->on_update]);
}

/* Is it as the statement that makes the foreign key makes one? The key may use another one, which
 * has more to it. */
static bool comes_with(const struct foreign_key *key, const struct index *index)
{
    bool plain = !index->unique && index->column_count == key->column_count;
    for (uint32_t i = 0; i < index->column_count; i++)
        plain = plain && !index->descending[i];
    return plain && key->child_index_id == index->id;
}

static bool comes_with_foreign_key(const struct table *table, const struct index *index)
{
    for (uint32_t i = 0; i < table->foreign_key_count; i++)
        if (comes_with(&table->foreign_keys[i], index))
            return true;
    return false;
}

/* A column with a sequence, as it was declared. */
static void print_sequence(const struct column *column, const char *type, struct buffer *out)
{
    if (column->identity == IDENTITY_NONE)
        buffer_append_string(out, column->type.length_max == 16   ? " smallserial"
                                  : column->type.length_max == 32 ? " serial4"
                                                                  : " bigserial");
    else
        buffer_printf(out, " %s GENERATED %s AS IDENTITY", type,
                      column->identity == IDENTITY_ALWAYS ? "ALWAYS" : "BY DEFAULT");
}

static void print_columns(const struct catalog *catalog, const struct table *table,
                          struct buffer *out)
{
    char type[64];
    for (uint32_t i = 0; i < table_visible_count(table); i++) {
        const struct column *column = &table->columns[i];
        type_spec_name(column->type, type, sizeof type);
        buffer_append_string(out, i ? ",\n  " : "\n  ");
        ast_print_name(column->name, out);
        if (column->default_sql && catalog_sequence_of(catalog, table, column)) {
            print_sequence(column, type, out);
            continue;
        }
        buffer_printf(out, " %s", type);
        if (column->not_null && !index_has_column(&table->indexes[0], i))
            buffer_append_string(out, " NOT NULL");
        if (column->default_sql)
            buffer_printf(out, " DEFAULT %s", column->default_sql);
    }
}

static void print_index(const struct table *table, const struct index *index, struct buffer *out)
{
    buffer_printf(out, ";\nCREATE %sINDEX ", index->unique ? "UNIQUE " : "");
    ast_print_name(index->name, out);
    buffer_append_string(out, " ON ");
    ast_print_name(table->name, out);
    buffer_append_string(out, " ");
    sql__index_keys_print(table, index, out);
    if (index->predicate)
        buffer_printf(out, " WHERE %s", index->predicate);
}

/* The statements that make the table as it is. */
static void print_create_table(const struct table *table, const struct catalog *catalog,
                               struct buffer *out)
{
    ASSERT(table->index_count > 0);
    buffer_append_string(out, "CREATE TABLE ");
    ast_print_name(table->name, out);
    buffer_append_string(out, " (");
    print_columns(catalog, table, out);
    for (uint32_t i = table_first_index(table); i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (!index->constraint || index->building)
            continue;
        print_constraint(index->name, i == 0 ? "PRIMARY KEY " : "UNIQUE ", out);
        sql__index_keys_print(table, index, out);
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        print_constraint(table->foreign_keys[i].name, "", out);
        sql__foreign_key_print(catalog, table, &table->foreign_keys[i], out);
    }
    for (uint32_t i = 0; i < table->check_count; i++) {
        print_constraint(table->checks[i].name, "CHECK (", out);
        buffer_printf(out, "%s)", table->checks[i].sql);
    }
    buffer_append_string(out, "\n)");
    for (uint32_t i = 1; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (!index->building && !index->constraint && !comes_with_foreign_key(table, index))
            print_index(table, index, out);
    }
    sql__comments_print(catalog, table, out);
    buffer_append_string(out, ";");
}

static void show_create_table(struct sql_session *session, const struct table *table)
{
    struct buffer text = {0};
    sql__result_column(session, "table", SQL_TEXT);
    sql__result_column(session, "create_table", SQL_TEXT);
    print_create_table(table, session->catalog, &text);
    struct value *row = sql__result_row(session);
    row[0] = sql__result_text(session, table->name);
    row[1] = value_text(arena_copy(&session->run_arena, buffer_slice(&text)));
    buffer_free(&text);
}

status_t sql__show_schema(struct sql_session *session)
{
    const struct ast_show *show = session->statement->as.show;
    const struct table *table = NULL;
    snprintf(session->tag, sizeof session->tag, "SHOW");
    if (show->kind == AST_SHOW_TABLES) {
        show_tables(session);
        return OK;
    }
    status_t status = sql__table_find(session->catalog, &show->name, &table, &session->error);
    if (status)
        return status;
    if (show->kind == AST_SHOW_COLUMNS)
        show_columns(session, table);
    else if (show->kind == AST_SHOW_INDEXES)
        show_indexes(session, table);
    else
        show_create_table(session, table);
    return OK;
}
