/* information_schema: which tables and columns constraints and views are made of, and what the
 * standard tells of a column's type. */
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

/* ---- types ------------------------------------------------------------------------------------
 */

void sql__type_columns(struct sql_rows *rows)
{
    static const char *const numbers[] = {
        "character_maximum_length", "character_octet_length", "numeric_precision",
        "numeric_precision_radix",  "numeric_scale",          "datetime_precision"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sql_rows_column(rows, numbers[i], SQL_INTEGER);
    sql_rows_column(rows, "udt_name", SQL_TEXT);
}

static const int64_t NONE = -1;

enum { BYTES_OF_CHARACTER = 4 };

static void number_or_null(struct sql_rows *rows, int64_t number)
{
    if (number == NONE)
        sql_rows_text(rows, NULL);
    else
        sql_rows_integer(rows, number);
}

static void text_values(struct sql_rows *rows, struct type_spec type)
{
    bool limited = type.kind == SQL_TEXT && type_spec_limits(type);
    int64_t length = limited ? (int64_t)(type.length_max & ~TYPE_LENGTH_CHAR) : NONE;
    number_or_null(rows, length);
    number_or_null(rows, limited                 ? length * BYTES_OF_CHARACTER
                         : type.kind == SQL_TEXT ? INT64_C(1) << 30
                                                 : NONE);
}

static void number_values(struct sql_rows *rows, struct type_spec type)
{
    int64_t precision = NONE, radix = NONE, scale = NONE;
    switch (type.kind) {
    case SQL_INTEGER:
        precision = type.length_max ? (int64_t)type.length_max : 64;
        radix = 2;
        scale = 0;
        break;
    case SQL_REAL:
    case SQL_DOUBLE: /* bits of what stands behind the first digit, and that */
        precision = type.kind == SQL_REAL ? 24 : 53;
        radix = 2;
        break;
    case SQL_NUMERIC:
        radix = 10;
        precision = type.length_max ? (int64_t)(type.length_max >> 8) : NONE;
        scale = type.length_max ? (int64_t)(type.length_max & 0xff) : NONE;
        break;
    default:
        break;
    }
    number_or_null(rows, precision);
    number_or_null(rows, radix);
    number_or_null(rows, scale);
}

static int64_t second_digits(struct type_spec type)
{
    switch (type.kind) {
    case SQL_DATE:
        return 0;
    case SQL_TIME:
    case SQL_TIMESTAMP:
    case SQL_TIMESTAMPTZ:
    case SQL_INTERVAL:
        return type.length_max ? (int64_t)type.length_max - 1 : 6;
    default:
        return NONE;
    }
}

/* As PostgreSQL calls it. */
static const char *short_name(struct type_spec type)
{
    static const char *const names[SQL_TYPE_COUNT] = {
        [SQL_UNKNOWN] = "unknown",     [SQL_BOOLEAN] = "bool",
        [SQL_INTEGER] = "int8",        [SQL_DOUBLE] = "float8",
        [SQL_TEXT] = "text",           [SQL_REAL] = "float4",
        [SQL_NUMERIC] = "numeric",     [SQL_BYTEA] = "bytea",
        [SQL_DATE] = "date",           [SQL_TIME] = "time",
        [SQL_TIMESTAMP] = "timestamp", [SQL_TIMESTAMPTZ] = "timestamptz",
        [SQL_INTERVAL] = "interval",   [SQL_UUID] = "uuid",
    };
    if (type.kind == SQL_INTEGER && type.length_max)
        return type.length_max == 16 ? "int2" : "int4";
    if (type.kind == SQL_TEXT && type.length_max)
        return type.length_max & TYPE_LENGTH_CHAR ? "bpchar" : "varchar";
    return names[type.kind];
}

void sql__type_values(struct sql_rows *rows, struct type_spec type)
{
    ASSERT(type.kind < SQL_TYPE_COUNT);
    text_values(rows, type);
    number_values(rows, type);
    number_or_null(rows, second_digits(type));
    sql_rows_text(rows, short_name(type));
}

/* ---- what is used -----------------------------------------------------------------------------
 */

struct usage {
    struct sql_rows *rows;
    const struct table *table;
    const char *constraint;
    const char **seen; /* columns of a check that have been told */
    uint32_t seen_count;
    uint32_t seen_capacity;
    struct arena arena;
};

static void column_used(const struct usage *usage, const struct table *table, const char *column)
{
    sql_rows_begin(usage->rows);
    sql__name_values(usage->rows, table->name);
    sql_rows_text(usage->rows, column);
    sql__name_values(usage->rows, usage->constraint);
}

static void note_column(void *context, struct ast_expr *column)
{
    struct usage *usage = context;
    const char *name = column->as.column.name.text;
    int32_t place = table_column(usage->table, name);
    bool seen = place < 0;
    for (uint32_t i = 0; i < usage->seen_count; i++)
        seen |= strcmp(usage->seen[i], name) == 0;
    if (seen)
        return;
    usage->seen = arena_grow(&usage->arena, usage->seen, &usage->seen_capacity,
                             usage->seen_count + 1, sizeof *usage->seen);
    usage->seen[usage->seen_count++] = name;
    column_used(usage, usage->table, name);
}

static void check_used(struct usage *usage, const struct check *check)
{
    struct ast_expr *expr;
    struct error error;
    usage->constraint = check->name;
    usage->seen = NULL;
    usage->seen_count = usage->seen_capacity = 0;
    if (parse_expression(slice_from_string(check->sql), &usage->arena, &expr, &error) == OK)
        ast_each_column(expr, note_column, usage);
    arena_reset(&usage->arena);
}

static const struct table *parent_of(const struct catalog *catalog, const struct foreign_key *key)
{
    const struct table *parent = catalog_table_by_id(catalog, key->parent_table_id);
    ASSERT(parent);
    return parent;
}

void sql__constraint_columns(struct sql_session *session, struct sql_rows *rows)
{
    const struct catalog *catalog = session->catalog;
    struct usage usage = {.rows = rows};
    sql__name_columns(rows, "table");
    sql_rows_column(rows, "column_name", SQL_TEXT);
    sql__name_columns(rows, "constraint");
    for (uint32_t t = 0; t < catalog->table_count; t++) {
        const struct table *table = usage.table = catalog->tables[t];
        for (uint32_t i = 0; i < table->index_count; i++) {
            const struct index *index = &table->indexes[i];
            usage.constraint = index->name;
            bool counts = sql__index_is_constraint(table, index);
            for (uint32_t c = 0; counts && c < index_key_count(index); c++)
                column_used(&usage, table, table->columns[index->columns[c]].name);
        }
        for (uint32_t i = 0; i < table->foreign_key_count; i++) {
            const struct foreign_key *key = &table->foreign_keys[i];
            const struct table *parent = parent_of(catalog, key);
            usage.constraint = key->name;
            for (uint32_t c = 0; c < key->column_count; c++)
                column_used(&usage, parent, parent->columns[key->parent_columns[c]].name);
        }
        for (uint32_t i = 0; i < table->check_count; i++)
            check_used(&usage, &table->checks[i]);
    }
    arena_free(&usage.arena);
}

static void table_used(struct sql_rows *rows, const char *table, const char *constraint)
{
    sql_rows_begin(rows);
    sql__name_values(rows, table);
    sql__name_values(rows, constraint);
}

/* The standard leaves checks out. */
void sql__constraint_tables(struct sql_session *session, struct sql_rows *rows)
{
    const struct catalog *catalog = session->catalog;
    sql__name_columns(rows, "table");
    sql__name_columns(rows, "constraint");
    for (uint32_t t = 0; t < catalog->table_count; t++) {
        const struct table *table = catalog->tables[t];
        for (uint32_t i = 0; i < table->index_count; i++)
            if (sql__index_is_constraint(table, &table->indexes[i]))
                table_used(rows, table->name, table->indexes[i].name);
        for (uint32_t i = 0; i < table->foreign_key_count; i++)
            table_used(rows, parent_of(catalog, &table->foreign_keys[i])->name,
                       table->foreign_keys[i].name);
    }
}

void sql__view_tables(struct sql_session *session, struct sql_rows *rows)
{
    const struct catalog *catalog = session->catalog;
    sql__name_columns(rows, "view");
    sql__name_columns(rows, "table");
    for (uint32_t v = 0; v < catalog->view_count; v++) {
        const struct view *view = catalog->views[v];
        for (uint32_t i = 0; i < view->use_count; i++) {
            uint32_t id = view->uses[i].relation_id;
            const struct table *table = catalog_table_by_id(catalog, id);
            const struct view *other = catalog_view_by_id(catalog, id);
            if (table || other)
                table_used(rows, view->name, table ? table->name : other->name);
        }
    }
}
