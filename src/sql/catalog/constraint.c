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
    if (!table_has_row_id(table))
        return error_sql(error, "42P16", definition->position,
                         "multiple primary keys for table \"%s\" are not allowed", table->name);
    struct index key = {.id = 0, .unique = true, .constraint = true, .name = definition->name};
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

/* Index 0 is then over a row id. It keeps a name that was chosen for it, and gets such a one. */
static const char *row_id_name(const struct catalog *catalog, const struct table *table,
                               struct arena *arena)
{
    const char *old = table->indexes[0].name;
    size_t size = strlen(table->name);
    bool chosen = strncmp(old, table->name, size) == 0 && strcmp(old + size, "_pkey") == 0;
    return chosen ? old : catalog__name_choose(catalog, table, NULL, 0, "pkey", arena);
}

/* Foreign keys that found the primary key to begin with their columns need another index. */
static status_t children_move(struct store_txn *txn, const struct catalog *catalog,
                              struct table *after, struct arena *arena, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < after->foreign_key_count && status == OK; i++) {
        struct foreign_key *key = &after->foreign_keys[i];
        if (key->child_index_id != 0)
            continue;
        status = catalog__child_index_take(catalog, after, key, arena, error);
        if (status == OK)
            status = catalog__foreign_key_write(txn, after, key, error);
    }
    return status;
}

static status_t row_id_write(struct store_txn *txn, const struct catalog *catalog,
                             const struct table *table, struct arena *arena, struct error *error)
{
    struct table after;
    table_copy(table, &after, arena);
    after.columns = arena_alloc(arena, (table->column_count + 1) * sizeof *after.columns);
    memcpy(after.columns, table->columns, table->column_count * sizeof *after.columns);
    after.computed_count = 0;
    struct column *column = &after.columns[after.column_count++];
    *column = (struct column){.name = "row_id",
                              .ordinal = after.ordinal_next++,
                              .type = {.kind = SQL_INTEGER},
                              .not_null = true,
                              .hidden = true};
    after.indexes[0] = (struct index){.unique = true,
                                      .constraint = true,
                                      .column_count = 1,
                                      .columns = {after.column_count - 1},
                                      .name = row_id_name(catalog, table, arena)};
    struct value key[] = {value_integer(table->id), value_integer(0)};
    struct value about[] = {key[0], value_integer(COMMENT_INDEX), key[1]};
    status_t status = catalog__rows_remove(txn, SYSTEM_INDEX_COLUMNS, key, 2, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_COMMENTS, about, 3, error);
    if (status == OK)
        status = catalog__column_write(txn, &after, column, error);
    if (status == OK)
        status = catalog__index_write(txn, &after, &after.indexes[0], error);
    if (status == OK)
        status = children_move(txn, catalog, &after, arena, error);
    for (uint32_t i = table->index_count; i < after.index_count && status == OK; i++)
        status = catalog__index_write(txn, &after, &after.indexes[i], error);
    return status == OK ? catalog__table_row_write(txn, &after, error) : status;
}

status_t catalog_drop_primary_key(struct store_txn *txn, const struct catalog *catalog,
                                  const struct table *table, struct error *error)
{
    ASSERT(txn && catalog_table_by_id(catalog, table->id) == table);
    ASSERT(!table_has_row_id(table));
    struct arena arena = {0};
    status_t status = catalog__index_unreferenced(catalog, table, &table->indexes[0], error);
    if (status == OK && table->ordinal_next >= CATALOG_COLUMNS_MAX)
        status = error_sql(error, "54011", 0,
                           "tables can have at most %d columns, dropped ones included",
                           CATALOG_COLUMNS_MAX);
    if (status == OK)
        status = row_id_write(txn, catalog, table, &arena, error);
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
    for (uint32_t i = 1; i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (index->constraint && strcmp(index->name, name) == 0)
            return catalog_drop_index(txn, catalog, table, index, error);
    }
    *found = false;
    return OK;
}
