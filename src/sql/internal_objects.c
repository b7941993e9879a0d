/* toydb_internal.indexes, constraints and sequences: what the standard's tables do not tell, for
 * shells and tools. */
#include "base/check.h"
#include "sql_int.h"

/* ---- indexes ----------------------------------------------------------------------------------
 */

/* Some of an index's columns. */
static void columns_print(const struct table *table, const struct index *index, uint32_t begin,
                          uint32_t end, struct buffer *out)
{
    buffer_reset(out);
    sql__index_columns_print(table, index, begin, end, out);
    buffer_append_byte(out, '\0');
}

static void index_row(const struct catalog *catalog, const struct table *table,
                      const struct index *index, struct sql_rows *rows)
{
    struct buffer text = {0};
    uint32_t keys = index->column_count - index->included_count;
    sql_rows_begin(rows);
    sql_rows_text(rows, table->name);
    sql_rows_text(rows, index->name);
    columns_print(table, index, 0, keys, &text);
    sql_rows_text(rows, (const char *)text.data);
    columns_print(table, index, keys, index->column_count, &text);
    sql_rows_text(rows, index->included_count ? (const char *)text.data : NULL);
    sql_rows_text(rows, index->predicate);
    sql_rows_boolean(rows, index->unique);
    sql_rows_boolean(rows, index->id == 0);
    sql_rows_boolean(rows, sql__index_is_constraint(table, index));
    sql_rows_boolean(rows, index->building);
    sql_rows_text(rows, catalog_comment(catalog, table->id, COMMENT_INDEX, index->id));
    buffer_free(&text);
}

void sql__index_rows(const struct catalog *catalog, struct sql_rows *rows)
{
    static const char *const texts[] = {"table_name", "index_name", "columns", "included",
                                        "predicate"};
    static const char *const marks[] = {"is_unique", "is_primary", "is_constraint", "is_building"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        sql_rows_column(rows, texts[i], SQL_TEXT);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        sql_rows_column(rows, marks[i], SQL_BOOLEAN);
    sql_rows_column(rows, "comment", SQL_TEXT);
    for (uint32_t t = 0; t < catalog->table_count; t++) {
        const struct table *table = catalog->tables[t];
        for (uint32_t i = table_first_index(table); i < table->index_count; i++)
            index_row(catalog, table, &table->indexes[i], rows);
    }
}

/* ---- constraints ------------------------------------------------------------------------------
 */

static void constraint_row(struct sql_rows *rows, const struct table *table, const char *name,
                           const char *kind, const char *referenced, struct buffer *definition)
{
    buffer_append_byte(definition, '\0');
    sql_rows_begin(rows);
    sql_rows_text(rows, table->name);
    sql_rows_text(rows, name);
    sql_rows_text(rows, kind);
    sql_rows_text(rows, (const char *)definition->data);
    sql_rows_text(rows, referenced);
    buffer_reset(definition);
}

static void key_rows(const struct table *table, struct sql_rows *rows)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (!sql__index_is_constraint(table, index))
            continue;
        const char *kind = index->id == 0 ? "PRIMARY KEY" : "UNIQUE";
        buffer_printf(&text, "%s ", kind);
        sql__index_keys_print(table, index, &text);
        constraint_row(rows, table, index->name, kind, NULL, &text);
    }
    buffer_free(&text);
}

void sql__constraint_rows(const struct catalog *catalog, struct sql_rows *rows)
{
    static const char *const names[] = {"table_name", "constraint_name", "constraint_type",
                                        "definition", "referenced_table"};
    struct buffer text = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sql_rows_column(rows, names[i], SQL_TEXT);
    for (uint32_t t = 0; t < catalog->table_count; t++) {
        const struct table *table = catalog->tables[t];
        key_rows(table, rows);
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            const struct foreign_key *key = &table->foreign_keys[i];
            const struct table *parent = catalog_table_by_id(catalog, key->parent_table_id);
            ASSERT(parent);
            sql__foreign_key_print(catalog, table, key, &text);
            constraint_row(rows, table, key->name, "FOREIGN KEY", parent->name, &text);
        }
        for (uint32_t i = 0; i < table->check_count; i++) {
            buffer_printf(&text, "CHECK (%s)", table->checks[i].sql);
            constraint_row(rows, table, table->checks[i].name, "CHECK", NULL, &text);
        }
    }
    buffer_free(&text);
}

/* ---- sequences --------------------------------------------------------------------------------
 */

const char *sql__sequence_type(const struct sequence *sequence)
{
    ASSERT(sequence->bits == 16 || sequence->bits == 32 || sequence->bits == 64);
    return sequence->bits == 16 ? "smallint" : sequence->bits == 32 ? "int4" : "bigint";
}

void sql__sequence_rows(const struct catalog *catalog, struct sql_rows *rows)
{
    static const char *const numbers[] = {"start_value", "minimum_value", "maximum_value",
                                          "increment", "cache_size"};
    sql_rows_column(rows, "sequence_name", SQL_TEXT);
    sql_rows_column(rows, "data_type", SQL_TEXT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sql_rows_column(rows, numbers[i], SQL_INTEGER);
    sql_rows_column(rows, "is_cycling", SQL_BOOLEAN);
    sql_rows_column(rows, "owner_table", SQL_TEXT);
    sql_rows_column(rows, "owner_column", SQL_TEXT);
    sql_rows_column(rows, "comment", SQL_TEXT);
    for (uint32_t i = 0; i < catalog->sequence_count; i++) {
        const struct sequence *sequence = catalog->sequences[i];
        const struct table *owner;
        const struct column *column = catalog_sequence_owner(catalog, sequence, &owner);
        sql_rows_begin(rows);
        sql_rows_text(rows, sequence->name);
        sql_rows_text(rows, sql__sequence_type(sequence));
        sql_rows_integer(rows, sequence->start);
        sql_rows_integer(rows, sequence->low);
        sql_rows_integer(rows, sequence->high);
        sql_rows_integer(rows, sequence->increment);
        if (sequence->cache > 0)
            sql_rows_integer(rows, sequence->cache);
        else
            sql_rows_text(rows, NULL);
        sql_rows_boolean(rows, sequence->cycle);
        sql_rows_text(rows, owner ? owner->name : NULL);
        sql_rows_text(rows, column ? column->name : NULL);
        sql_rows_text(rows, catalog_comment(catalog, sequence->id, COMMENT_RELATION, 0));
    }
}
