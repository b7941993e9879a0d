/* information_schema, as the SQL standard (ISO/IEC 9075-11) has it, with the columns that mean
 * something here. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

static const char database[] = "toydb";
static const char schema[] = "public";

void sql__name_columns(struct sql_rows *rows, const char *prefix)
{
    static const char *const parts[] = {"catalog", "schema", "name"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s_%s", prefix, parts[i]);
        sql_rows_column(rows, name, SQL_TEXT);
    }
}

void sql__name_values(struct sql_rows *rows, const char *name)
{
    sql_rows_text(rows, database);
    sql_rows_text(rows, schema);
    sql_rows_text(rows, name);
}

static const char *yes(bool yes)
{
    return yes ? "YES" : "NO";
}

/* ---- schemata, tables, views ------------------------------------------------------------------
 */

static void schemata(struct sql_session *session, struct sql_rows *rows)
{
    static const char *const schemas[] = {schema, "information_schema", "toydb_internal"};
    (void)session;
    sql_rows_column(rows, "catalog_name", SQL_TEXT);
    sql_rows_column(rows, "schema_name", SQL_TEXT);
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        sql_rows_begin(rows);
        sql_rows_text(rows, database);
        sql_rows_text(rows, schemas[i]);
    }
}

static void tables(struct sql_session *session, struct sql_rows *rows)
{
    const struct catalog *catalog = session->catalog;
    sql__name_columns(rows, "table");
    sql_rows_column(rows, "table_type", SQL_TEXT);
    sql_rows_column(rows, "is_insertable_into", SQL_TEXT);
    for (uint32_t i = 0; i < catalog->table_count + catalog->view_count; i++) {
        bool view = i >= catalog->table_count;
        sql_rows_begin(rows);
        sql__name_values(rows, view ? catalog->views[i - catalog->table_count]->name
                                    : catalog->tables[i]->name);
        sql_rows_text(rows, view ? "VIEW" : "BASE TABLE");
        sql_rows_text(rows, yes(!view));
    }
}

static void views(struct sql_session *session, struct sql_rows *rows)
{
    sql__name_columns(rows, "table");
    static const char *const marks[] = {"is_updatable", "is_insertable_into",
                                        "is_trigger_updatable", "is_trigger_deletable",
                                        "is_trigger_insertable_into"};
    sql_rows_column(rows, "view_definition", SQL_TEXT);
    sql_rows_column(rows, "check_option", SQL_TEXT);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        sql_rows_column(rows, marks[i], SQL_TEXT);
    for (uint32_t i = 0; i < session->catalog->view_count; i++) {
        sql_rows_begin(rows);
        sql__name_values(rows, session->catalog->views[i]->name);
        sql_rows_text(rows, session->catalog->views[i]->sql);
        sql_rows_text(rows, "NONE");
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++)
            sql_rows_text(rows, yes(false));
    }
}

static void sequences(struct sql_session *session, struct sql_rows *rows)
{
    static const char *const numbers[] = {
        "numeric_precision", "numeric_precision_radix", "numeric_scale", "start_value",
        "minimum_value",     "maximum_value",           "increment"};
    sql__name_columns(rows, "sequence");
    sql_rows_column(rows, "data_type", SQL_TEXT);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sql_rows_column(rows, numbers[i], SQL_INTEGER);
    sql_rows_column(rows, "cycle_option", SQL_TEXT);
    for (uint32_t i = 0; i < session->catalog->sequence_count; i++) {
        const struct sequence *sequence = session->catalog->sequences[i];
        const struct table *owner;
        if (catalog_sequence_identity(session->catalog, sequence, &owner))
            continue;
        sql_rows_begin(rows);
        sql__name_values(rows, sequence->name);
        sql_rows_text(rows, sql__sequence_type(sequence));
        const int64_t values[] = {
            sequence->bits,     2, 0, sequence->start, sequence->low, sequence->high,
            sequence->increment};
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            sql_rows_integer(rows, values[k]);
        sql_rows_text(rows, yes(sequence->cycle));
    }
}

/* ---- columns ----------------------------------------------------------------------------------
 */

/* What column_row is told of a column; default_sql, identity and comment: or NULL. */
struct column_facts {
    const char *relation;
    const char *name;
    uint32_t place;
    const char *default_sql;
    bool nullable;
    struct type_spec type;
    const char *identity;
    const struct sequence *sequence; /* of an identity column, or NULL */
    const char *comment;
    bool view;
};

static void identity_values(struct sql_rows *rows, const struct column_facts *facts)
{
    const struct sequence *sequence = facts->sequence;
    sql_rows_text(rows, yes(facts->identity != NULL));
    sql_rows_text(rows, facts->identity);
    if (!sequence) {
        for (int i = 0; i < 5; i++)
            sql_rows_text(rows, NULL);
        return;
    }
    sql_rows_integer(rows, sequence->start);
    sql_rows_integer(rows, sequence->increment);
    sql_rows_integer(rows, sequence->high);
    sql_rows_integer(rows, sequence->low);
    sql_rows_text(rows, yes(sequence->cycle));
}

static void column_row(struct sql_rows *rows, const struct column_facts *facts)
{
    char spelled[64];
    type_spec_name(facts->type, spelled, sizeof spelled);
    const char *open = strchr(spelled, '('), *close = strchr(spelled, ')');
    char plain[64];
    snprintf(plain, sizeof plain, "%.*s%s", open ? (int)(open - spelled) : (int)strlen(spelled),
             spelled, close ? close + 1 : "");
    sql_rows_begin(rows);
    sql__name_values(rows, facts->relation);
    sql_rows_text(rows, facts->name);
    sql_rows_integer(rows, facts->place + 1);
    sql_rows_text(rows, facts->default_sql);
    sql_rows_text(rows, yes(facts->nullable));
    sql_rows_text(rows, plain);
    sql__type_values(rows, facts->type);
    identity_values(rows, facts);
    sql_rows_text(rows, "NEVER");
    sql_rows_text(rows, yes(!facts->view));
    sql_rows_text(rows, spelled);
    sql_rows_text(rows, facts->comment);
}

static void table_columns(const struct catalog *catalog, const struct table *table,
                          struct sql_rows *rows)
{
    static const char *const identities[] = {
        [IDENTITY_NONE] = NULL, [IDENTITY_ALWAYS] = "ALWAYS", [IDENTITY_BY_DEFAULT] = "BY DEFAULT"};
    for (uint32_t i = 0; i < table_visible_count(table); i++) {
        const struct column *column = &table->columns[i];
        const struct column_facts facts = {
            .relation = table->name,
            .name = column->name,
            .place = i,
            .default_sql = column->identity == IDENTITY_NONE ? column->default_sql : NULL,
            .nullable = !column->not_null && !index_has_column(&table->indexes[0], i),
            .type = column->type,
            .identity = identities[column->identity],
            .sequence = column->identity == IDENTITY_NONE
                            ? NULL
                            : catalog_sequence_of(catalog, table, column),
            .comment = catalog_comment(catalog, table->id, COMMENT_COLUMN, column->ordinal)};
        column_row(rows, &facts);
    }
}

/* The types of a view's columns are known when its query is planned. One that cannot be is left
 * out, as is one that reads information_schema itself; a planning that is stopped (it takes long,
 * or too much memory, or is cancelled) tells nothing of the view and is an error. */
static status_t view_columns(struct sql_session *session, const struct view *view,
                             struct sql_rows *rows)
{
    struct plan_options options = {.sqlite = sql__settings_sqlite(session->settings)};
    struct arena arena = {0};
    struct parser parser;
    struct ast_statement *statement;
    struct planned planned;
    struct error error = {0};
    sql__planning_options(session, &options);
    status_t status = parse_begin(&parser, slice_from_string(view->sql), 0, &error);
    if (!status)
        status = parse_next(&parser, &arena, &statement, &error);
    if (!status)
        status = plan_statement(statement, session->catalog, &options, &arena, &planned, &error);
    bool whole = !status && planned.root->column_count >= view->column_count;
    for (uint32_t i = 0; whole && i < view->column_count; i++) {
        const struct column_facts facts = {
            .relation = view->name,
            .name = view->columns[i],
            .place = i,
            .nullable = true,
            .view = true,
            .type = {.kind = planned.root->types[i]},
            .comment = catalog_comment(session->catalog, view->id, COMMENT_COLUMN, i)};
        column_row(rows, &facts);
    }
    arena_free(&arena);
    /* What it was made of is gone, or has fewer columns: DROP in the dialect sqlite. */
    if (status == OK || status == ERR_SQL)
        return OK;
    session->error = error;
    return status;
}

static status_t columns(struct sql_session *session, struct sql_rows *rows)
{
    const struct catalog *catalog = session->catalog;
    sql__name_columns(rows, "table");
    sql_rows_column(rows, "column_name", SQL_TEXT);
    sql_rows_column(rows, "ordinal_position", SQL_INTEGER);
    sql_rows_column(rows, "column_default", SQL_TEXT);
    sql_rows_column(rows, "is_nullable", SQL_TEXT);
    sql_rows_column(rows, "data_type", SQL_TEXT);
    sql__type_columns(rows);
    sql_rows_column(rows, "is_identity", SQL_TEXT);
    sql_rows_column(rows, "identity_generation", SQL_TEXT);
    sql_rows_column(rows, "identity_start", SQL_INTEGER);
    sql_rows_column(rows, "identity_increment", SQL_INTEGER);
    sql_rows_column(rows, "identity_maximum", SQL_INTEGER);
    sql_rows_column(rows, "identity_minimum", SQL_INTEGER);
    sql_rows_column(rows, "identity_cycle", SQL_TEXT);
    sql_rows_column(rows, "is_generated", SQL_TEXT);
    sql_rows_column(rows, "is_updatable", SQL_TEXT);
    /* None of the standard: the type as it is written, and what COMMENT ON has said. */
    sql_rows_column(rows, "column_type", SQL_TEXT);
    sql_rows_column(rows, "column_comment", SQL_TEXT);
    for (uint32_t t = 0; t < catalog->table_count; t++)
        table_columns(catalog, catalog->tables[t], rows);
    status_t status = OK;
    for (uint32_t v = 0; v < catalog->view_count && !status; v++)
        status = view_columns(session, catalog->views[v], rows);
    return status;
}

/* ---- constraints ------------------------------------------------------------------------------
 */

bool sql__index_is_constraint(const struct table *table, const struct index *index)
{
    uint32_t place = (uint32_t)(index - table->indexes);
    ASSERT(place < table->index_count);
    return place >= table_first_index(table) && index->constraint && !index->building;
}

static void constraint_row(struct sql_rows *rows, const struct table *table, const char *name,
                           const char *type)
{
    sql_rows_begin(rows);
    sql__name_values(rows, name);
    sql__name_values(rows, table->name);
    sql_rows_text(rows, type);
    sql_rows_text(rows, yes(false));
    sql_rows_text(rows, yes(false));
    sql_rows_text(rows, yes(true));
}

static void table_constraints(struct sql_session *session, struct sql_rows *rows)
{
    sql__name_columns(rows, "constraint");
    sql__name_columns(rows, "table");
    sql_rows_column(rows, "constraint_type", SQL_TEXT);
    sql_rows_column(rows, "is_deferrable", SQL_TEXT);
    sql_rows_column(rows, "initially_deferred", SQL_TEXT);
    sql_rows_column(rows, "enforced", SQL_TEXT);
    for (uint32_t t = 0; t < session->catalog->table_count; t++) {
        const struct table *table = session->catalog->tables[t];
        for (uint32_t i = 0; i < table->index_count; i++)
            if (sql__index_is_constraint(table, &table->indexes[i]))
                constraint_row(rows, table, table->indexes[i].name, i ? "UNIQUE" : "PRIMARY KEY");
        for (uint32_t i = 0; i < table->foreign_key_count; i++)
            constraint_row(rows, table, table->foreign_keys[i].name, "FOREIGN KEY");
        for (uint32_t i = 0; i < table->check_count; i++)
            constraint_row(rows, table, table->checks[i].name, "CHECK");
    }
}

static void key_row(struct sql_rows *rows, const struct table *table, const char *constraint,
                    uint32_t column, uint32_t place, bool foreign)
{
    sql_rows_begin(rows);
    sql__name_values(rows, constraint);
    sql__name_values(rows, table->name);
    sql_rows_text(rows, table->columns[column].name);
    sql_rows_integer(rows, place + 1);
    if (foreign) /* pairs of columns are kept in the order of the parent's key */
        sql_rows_integer(rows, place + 1);
    else
        sql_rows_text(rows, NULL);
}

static void key_column_usage(struct sql_session *session, struct sql_rows *rows)
{
    sql__name_columns(rows, "constraint");
    sql__name_columns(rows, "table");
    sql_rows_column(rows, "column_name", SQL_TEXT);
    sql_rows_column(rows, "ordinal_position", SQL_INTEGER);
    sql_rows_column(rows, "position_in_unique_constraint", SQL_INTEGER);
    for (uint32_t t = 0; t < session->catalog->table_count; t++) {
        const struct table *table = session->catalog->tables[t];
        for (uint32_t i = 0; i < table->index_count; i++) {
            const struct index *index = &table->indexes[i];
            for (uint32_t c = 0;
                 sql__index_is_constraint(table, index) && c < index_key_count(index); c++)
                key_row(rows, table, index->name, index->columns[c], c, false);
        }
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            const struct foreign_key *key = &table->foreign_keys[i];
            for (uint32_t c = 0; c < key->column_count; c++)
                key_row(rows, table, key->name, key->child_columns[c], c, true);
        }
    }
}

static const char *rule(enum foreign_key_action action)
{
    switch (action) {
    case FK_NO_ACTION:
        return "NO ACTION";
    case FK_RESTRICT:
        return "RESTRICT";
    case FK_CASCADE:
        return "CASCADE";
    case FK_SET_NULL:
        return "SET NULL";
    case FK_SET_DEFAULT:
        return "SET DEFAULT";
    }
    UNREACHABLE();
}

static void referential_constraints(struct sql_session *session, struct sql_rows *rows)
{
    sql__name_columns(rows, "constraint");
    sql__name_columns(rows, "unique_constraint");
    sql_rows_column(rows, "match_option", SQL_TEXT);
    sql_rows_column(rows, "update_rule", SQL_TEXT);
    sql_rows_column(rows, "delete_rule", SQL_TEXT);
    for (uint32_t t = 0; t < session->catalog->table_count; t++) {
        const struct table *table = session->catalog->tables[t];
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            const struct foreign_key *key = &table->foreign_keys[i];
            const struct table *parent =
                catalog_table_by_id(session->catalog, key->parent_table_id);
            ASSERT(parent);
            const struct index *index = table_index_by_id(parent, key->parent_index_id);
            sql_rows_begin(rows);
            sql__name_values(rows, key->name);
            if (index->constraint)
                sql__name_values(rows, index->name);
            for (int part = 0; part < 3 && !index->constraint; part++)
                sql_rows_text(rows, NULL);
            sql_rows_text(rows, "NONE");
            sql_rows_text(rows, rule(key->on_update));
            sql_rows_text(rows, rule(key->on_delete));
        }
    }
}

static void check_constraints(struct sql_session *session, struct sql_rows *rows)
{
    sql__name_columns(rows, "constraint");
    sql_rows_column(rows, "check_clause", SQL_TEXT);
    for (uint32_t t = 0; t < session->catalog->table_count; t++) {
        const struct table *table = session->catalog->tables[t];
        for (uint32_t i = 0; i < table->check_count; i++) {
            sql_rows_begin(rows);
            sql__name_values(rows, table->checks[i].name);
            sql_rows_text(rows, table->checks[i].sql);
        }
    }
}

/* ---- all of them ------------------------------------------------------------------------------
 */

bool sql__information_schema(struct sql_session *session, const char *table, struct sql_rows *rows,
                             status_t *status)
{
    static const struct {
        const char *name;
        void (*fill)(struct sql_session *session, struct sql_rows *rows);
    } all[] = {
        {"schemata", schemata},
        {"tables", tables},
        {"views", views},
        {"sequences", sequences},
        {"table_constraints", table_constraints},
        {"key_column_usage", key_column_usage},
        {"referential_constraints", referential_constraints},
        {"check_constraints", check_constraints},
        {"constraint_column_usage", sql__constraint_columns},
        {"constraint_table_usage", sql__constraint_tables},
        {"view_table_usage", sql__view_tables},
    };
    if (strcmp(table, "columns") == 0) {
        *status = columns(session, rows);
        return true;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(table, all[i].name) == 0) {
            all[i].fill(session, rows);
            return true;
        }
    }
    return false;
}
