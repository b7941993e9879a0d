/* ALTER TABLE: rows of the system tables rewritten. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

static status_t column_name_check(const struct table *table, const char *name, uint32_t position,
                                  struct error *error)
{
    status_t status = catalog__name_check(name, position, error);
    if (status == OK && table_column(table, name) >= 0)
        return error_sql(error, "42701", position,
                         "column \"%s\" of relation \"%s\" already exists", name, table->name);
    return status;
}

/* To a column that comes behind those of the table. */
static status_t sequence_give(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, struct column *column,
                              const struct sequence *sequence, struct arena *arena,
                              struct error *error)
{
    struct table after = *table;
    uint32_t place = after.column_count++;
    after.computed_count = 0;
    after.columns = arena_alloc(arena, after.column_count * sizeof *after.columns);
    memcpy(after.columns, table->columns, place * sizeof *after.columns);
    after.columns[place] = *column;
    status_t status = catalog__sequence_give(txn, catalog, &after, place, sequence, arena, error);
    column->default_sql = after.columns[place].default_sql;
    return status;
}

status_t catalog_add_column(struct store_txn *txn, const struct catalog *catalog,
                            const struct table *table, const struct column_definition *definition,
                            const struct value *missing, struct error *error)
{
    ASSERT(txn && catalog_table_by_id(catalog, table->id) == table);
    status_t status = column_name_check(table, definition->name, definition->position, error);
    if (status == OK && table->ordinal_next >= CATALOG_COLUMNS_MAX)
        status = error_sql(error, "54011", definition->position,
                           "tables can have at most %d columns, dropped ones included",
                           CATALOG_COLUMNS_MAX);
    if (status != OK)
        return status;
    struct table after = *table;
    struct column column = {
        .name = definition->name,
        .ordinal = after.ordinal_next++,
        .type = definition->type,
        .not_null = definition->not_null,
        .default_sql = definition->default_sql,
        .missing = *missing,
        .identity = definition->identity,
    };
    struct arena arena = {0};
    if (definition->sequence)
        status = sequence_give(txn, catalog, table, &column, definition->sequence, &arena, error);
    if (status == OK)
        status = catalog__column_write(txn, &after, &column, error);
    if (status == OK)
        status = catalog__table_row_write(txn, &after, error);
    arena_free(&arena);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

static status_t needed_by(const struct catalog *catalog, const struct table *table, uint32_t place,
                          const struct foreign_key *key, struct error *error)
{
    const struct table *child = catalog_table_by_id(catalog, key->child_table_id);
    ASSERT(child);
    error_sql(error, "2BP01", 0,
              "cannot drop column %s of table %s because other objects depend "
              "on it",
              table->columns[place].name, table->name);
    error_detail(error, "constraint %s on table %s depends on column %s of table %s", key->name,
                 child->name, table->columns[place].name, table->name);
    error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
    return ERR_SQL;
}

status_t catalog_column_unreferenced(const struct catalog *catalog, const struct table *table,
                                     uint32_t place, struct error *error)
{
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *key = table->referenced_by[i];
        if (places_have(key->parent_columns, key->column_count, place))
            return needed_by(catalog, table, place, key, error);
    }
    return OK;
}

status_t catalog_drop_column(struct store_txn *txn, const struct catalog *catalog,
                             const struct table *table, uint32_t place, struct error *error)
{
    ASSERT(txn && place < table_visible_count(table));
    for (uint32_t i = 0; i < table->index_count; i++)
        ASSERT(!index_has_column(&table->indexes[i], place));
    status_t status = catalog_column_unreferenced(catalog, table, place, error);
    struct value key[] = {value_integer(table->id), value_integer(table->columns[place].ordinal)};
    if (status == OK)
        status = catalog__sequences_unused(catalog, table, &table->columns[place], error);
    if (status == OK)
        status = catalog__sequences_drop(txn, catalog, table, &table->columns[place], error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_COLUMNS, key, 2, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_rename_column(struct store_txn *txn, const struct catalog *catalog,
                               const struct table *table, uint32_t place, const char *name,
                               uint32_t position, struct error *error)
{
    ASSERT(txn && catalog && place < table_visible_count(table));
    status_t status = column_name_check(table, name, position, error);
    struct column column = table->columns[place];
    column.name = name;
    if (status == OK)
        status = catalog__column_write(txn, table, &column, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_rename_table(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, const char *name, uint32_t position,
                              struct error *error)
{
    ASSERT(txn && catalog && name);
    status_t status = catalog__name_check(name, position, error);
    if (status == OK)
        status = catalog__name_free(catalog, NULL, name, position, error);
    struct table after = *table;
    after.name = name;
    if (status == OK)
        status = catalog__table_row_write(txn, &after, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_change_column(struct store_txn *txn, const struct catalog *catalog,
                               const struct table *table, uint32_t place, bool not_null,
                               const char *default_sql, struct error *error)
{
    ASSERT(txn && catalog && place < table_visible_count(table));
    struct column column = table->columns[place];
    column.not_null = not_null;
    column.default_sql = default_sql;
    status_t status = catalog__column_write(txn, table, &column, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_change_identity(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, uint32_t place,
                                 enum column_identity identity, const struct sequence *sequence,
                                 struct error *error)
{
    ASSERT(txn && catalog && place < table_visible_count(table));
    ASSERT(!sequence || identity != IDENTITY_NONE);
    struct arena arena = {0};
    struct table after = *table;
    after.columns = arena_alloc(&arena, table->column_count * sizeof *after.columns);
    memcpy(after.columns, table->columns, table->column_count * sizeof *after.columns);
    after.computed_count = 0;
    struct column *column = &after.columns[place];
    status_t status = OK;
    if (sequence)
        status = catalog__sequence_give(txn, catalog, &after, place, sequence, &arena, error);
    if (identity == IDENTITY_NONE) {
        status = catalog__sequences_unused(catalog, table, column, error);
        if (status == OK)
            status = catalog__sequences_drop(txn, catalog, table, column, error);
        column->default_sql = NULL;
    }
    column->identity = identity;
    if (status == OK)
        status = catalog__column_write(txn, table, column, error);
    arena_free(&arena);
    return status == OK ? catalog__version_bump(txn, error) : status;
}
