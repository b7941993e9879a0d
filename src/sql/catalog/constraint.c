/* ALTER TABLE: constraints put onto a table and taken off it. Whether the rows there are fulfil one
 * is for the caller to see. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

/* ---- CHECK ------------------------------------------------------------------------------------
 */

status_t catalog__check_build(const struct catalog *catalog, struct table *table,
                              const struct check_definition *definition, struct arena *arena,
                              struct error *error)
{
    ASSERT(table->checks && definition->sql);
    struct check check = {.name = definition->name, .sql = definition->sql};
    int32_t place = definition->column ? table_column(table, definition->column) : -1;
    uint32_t column = place < 0 ? 0 : (uint32_t)place;
    status_t status = OK;
    if (!check.name)
        check.name =
            catalog__name_choose(catalog, table, &column, place < 0 ? 0 : 1, "check", arena);
    else
        status = catalog__name_check(check.name, definition->position, error);
    if (status == OK)
        status = catalog__constraint_free(table, check.name, definition->position, error);
    if (status != OK)
        return status;
    if (table->check_count > 0)
        check.id = table->checks[table->check_count - 1].id + 1;
    table->checks[table->check_count++] = check;
    return OK;
}

status_t catalog_add_check(struct store_txn *txn, const struct catalog *catalog,
                           const struct table *table, const struct check_definition *definition,
                           struct error *error)
{
    ASSERT(txn && catalog_table_by_id(catalog, table->id) == table);
    struct arena arena = {0};
    struct table after = *table;
    after.checks = arena_zalloc(&arena, (table->check_count + 1) * sizeof *after.checks);
    if (table->check_count > 0)
        memcpy(after.checks, table->checks, table->check_count * sizeof *after.checks);
    status_t status = catalog__check_build(catalog, &after, definition, &arena, error);
    if (status == OK)
        status = catalog__check_write(txn, &after, &after.checks[table->check_count], error);
    arena_free(&arena);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_change_check(struct store_txn *txn, const struct table *table,
                              const struct check *check, const char *sql, struct error *error)
{
    ASSERT(txn && sql);
    struct check after = *check;
    after.sql = sql;
    return catalog__check_write(txn, table, &after, error);
}

/* ---- FOREIGN KEY ------------------------------------------------------------------------------
 */

/* A copy of the table with room for one more foreign key and its index. */
static void table_copy(const struct table *table, struct table *after, struct arena *arena)
{
    *after = *table;
    after->indexes = arena_zalloc(arena, CATALOG_INDEXES_MAX * sizeof *after->indexes);
    memcpy(after->indexes, table->indexes, table->index_count * sizeof *after->indexes);
    after->foreign_keys =
        arena_zalloc(arena, (table->foreign_key_count + 1) * sizeof *after->foreign_keys);
    if (table->foreign_key_count > 0)
        memcpy(after->foreign_keys, table->foreign_keys,
               table->foreign_key_count * sizeof *after->foreign_keys);
}

status_t catalog_add_foreign_key(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table,
                                 const struct foreign_key_definition *definition,
                                 uint16_t *index_id, struct error *error)
{
    ASSERT(txn && catalog_table_by_id(catalog, table->id) == table);
    struct arena arena = {0};
    struct table after;
    table_copy(table, &after, &arena);
    *index_id = 0;
    status_t status = catalog__foreign_key_build(catalog, &after, definition, &arena, error);
    if (status == OK && after.index_count > table->index_count) {
        const struct index *added = &after.indexes[table->index_count];
        *index_id = added->id;
        status = catalog__table_row_write(txn, &after, error);
        if (status == OK)
            status = catalog__index_write(txn, &after, added, error);
    }
    if (status == OK)
        status = catalog__foreign_key_write(txn, &after,
                                            &after.foreign_keys[table->foreign_key_count], error);
    arena_free(&arena);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* ---- PRIMARY KEY ------------------------------------------------------------------------------
 */

/* Index 0 gets other columns, which become NOT NULL; the row id goes. */
static status_t primary_write(struct store_txn *txn, const struct table *table,
                              const struct index *key, struct error *error)
{
    struct value hidden[] = {
        value_integer(table->id),
        value_integer(table->columns[table->column_count - 1].ordinal),
    };
    struct value old[] = {value_integer(table->id), value_integer(0)};
    status_t status = catalog__rows_remove(txn, SYSTEM_COLUMNS, hidden, 2, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_INDEX_COLUMNS, old, 2, error);
    if (status == OK)
        status = catalog__index_write(txn, table, key, error);
    for (uint32_t i = 0; i < key->column_count && status == OK; i++) {
        struct column column = table->columns[key->columns[i]];
        column.not_null = true;
        status = catalog__column_write(txn, table, &column, error);
    }
    return status;
}

status_t catalog_add_primary_key(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, const struct key_definition *definition,
                                 struct error *error)
{
    ASSERT(txn && catalog_table_by_id(catalog, table->id) == table);
    if (table_visible_count(table) == table->column_count)
        return error_sql(error, "42P16", definition->position,
                         "multiple primary keys for table \"%s\" are not allowed", table->name);
    struct index key = {.id = 0, .unique = true, .name = definition->name};
    struct arena arena = {0};
    status_t status =
        catalog__key_resolve(table, definition, "primary key constraint", &key, error);
    if (status == OK && key.name)
        status = catalog__name_check(key.name, definition->position, error);
    if (status == OK && key.name && strcmp(key.name, table->indexes[0].name) != 0)
        status = catalog__name_free(catalog, table, key.name, definition->position, error);
    if (!key.name)
        key.name = table->indexes[0].name;
    if (status == OK)
        status = primary_write(txn, table, &key, error);
    arena_free(&arena);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* ---- DROP CONSTRAINT --------------------------------------------------------------------------
 */

static status_t check_remove(struct store_txn *txn, const struct table *table, uint32_t id,
                             struct error *error)
{
    struct value key[] = {value_integer(table->id), value_integer(id)};
    status_t status = catalog__rows_remove(txn, SYSTEM_CHECKS, key, 2, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* The index that was made with it stays: it is an index like another by now. */
static status_t foreign_key_remove(struct store_txn *txn, const struct table *table, uint32_t id,
                                   struct error *error)
{
    struct value key[] = {value_integer(table->id), value_integer(id)};
    status_t status = catalog__rows_remove(txn, SYSTEM_FOREIGN_KEYS, key, 2, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_FOREIGN_KEY_COLUMNS, key, 2, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_drop_constraint(struct store_txn *txn, const struct catalog *catalog,
                                 const struct table *table, const char *name, bool *found,
                                 struct error *error)
{
    ASSERT(txn && catalog && name && found);
    *found = true;
    for (uint32_t i = 0; i < table->check_count; i++)
        if (strcmp(table->checks[i].name, name) == 0)
            return check_remove(txn, table, table->checks[i].id, error);
    for (uint32_t i = 0; i < table->foreign_key_count; i++)
        if (strcmp(table->foreign_keys[i].name, name) == 0)
            return foreign_key_remove(txn, table, table->foreign_keys[i].id, error);
    bool hidden = table_visible_count(table) < table->column_count;
    for (uint32_t i = hidden ? 1 : 0; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (!index->unique || index->predicate || !index_is_plain(table, index) ||
            strcmp(index->name, name) != 0)
            continue;
        if (i == 0)
            return error_sql(error, "0A000", 0, "dropping the primary key is not supported");
        return catalog_drop_index(txn, catalog, table, index, error);
    }
    *found = false;
    return OK;
}
