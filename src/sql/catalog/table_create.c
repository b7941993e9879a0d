/* CREATE TABLE and CREATE INDEX.
 *
 * A table is first built as the struct it will be when loaded, checked on the way; only when all of
 * it is right are its rows written. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

/* ---- columns and keys -------------------------------------------------------------------------
 */

static bool needs_row_id(const struct table_definition *definition)
{
    return definition->row_id && definition->primary_key.column_count == 0;
}

static status_t columns_build(struct table *table, const struct table_definition *definition,
                              struct arena *arena, struct error *error)
{
    bool hidden = needs_row_id(definition);
    if (definition->column_count > CATALOG_COLUMNS_MAX - (hidden ? 1 : 0))
        return error_sql(error, "54011", definition->position, "tables can have at most %d columns",
                         CATALOG_COLUMNS_MAX - (hidden ? 1 : 0));
    table->columns = arena_zalloc(arena, (definition->column_count + 1) * sizeof *table->columns);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column_definition *d = &definition->columns[i];
        ASSERT(d->type.kind != SQL_UNKNOWN);
        status_t status = catalog__name_check(d->name, d->position, error);
        if (status != OK)
            return status;
        if (table_column(table, d->name) >= 0)
            return error_sql(error, "42701", d->position, "column \"%s\" specified more than once",
                             d->name);
        table->columns[table->column_count++] = (struct column){
            .name = d->name,
            .ordinal = i,
            .type = d->type,
            .not_null = d->not_null,
            .default_sql = d->default_sql,
            .identity = d->identity,
        };
    }
    if (hidden) {
        table->columns[table->column_count] = (struct column){
            .name = "row_id",
            .ordinal = table->column_count,
            .type = {.kind = SQL_INTEGER},
            .not_null = true,
            .hidden = true,
        };
        table->column_count++;
    }
    table->ordinal_next = table->column_count;
    return OK;
}

status_t catalog__key_resolve(const struct table *table, const struct key_definition *definition,
                              const char *what, struct index *index, struct error *error)
{
    ASSERT(definition->column_count >= 1);
    if (definition->column_count > CATALOG_KEY_COLUMNS_MAX)
        return error_sql(error, "54011", definition->position,
                         "cannot use more than %d columns in an index", CATALOG_KEY_COLUMNS_MAX);
    index->column_count = definition->column_count;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const char *name = definition->columns[i];
        index->descending[i] = definition->descending[i];
        if (definition->computed[i] != SQL_UNKNOWN)
            continue; /* the caller's */
        int32_t place = table_column(table, name);
        if (place < 0) {
            error_sql(error, "42703", definition->position,
                      "column \"%s\" named in %s does not exist", name, what);
            const char *nearest = table_nearest_column(table, name);
            if (nearest)
                error_hint(error, "Perhaps you meant the column \"%s\".", nearest);
            return ERR_SQL;
        }
        for (uint32_t k = 0; k < i; k++)
            if (definition->computed[k] == SQL_UNKNOWN && index->columns[k] == (uint32_t)place)
                return error_sql(error, "42701", definition->position,
                                 "column \"%s\" appears twice in %s", name, what);
        index->columns[i] = (uint32_t)place;
    }
    return OK;
}

status_t catalog__index_add(struct table *table, struct arena *arena, struct index **out,
                            struct error *error)
{
    if (table->index_count == CATALOG_INDEXES_MAX || table->index_next == INDEX_ID_END)
        return error_sql(error, "54000", 0, "table \"%s\" has too many indexes", table->name);
    if (!table->indexes)
        table->indexes = arena_zalloc(arena, CATALOG_INDEXES_MAX * sizeof *table->indexes);
    struct index *index = &table->indexes[table->index_count++];
    ASSERT(index->column_count == 0);
    index->id = (uint16_t)table->index_next++;
    *out = index;
    return OK;
}

/* Adds a primary key or UNIQUE constraint; `label` is the end of a chosen name. */
static status_t key_build(const struct catalog *catalog, struct table *table,
                          const struct key_definition *definition, const char *what,
                          const char *label, struct arena *arena, struct error *error)
{
    struct index key = {.unique = true,
                        .constraint = true,
                        .included_count = definition->included_count,
                        .name = definition->name};
    status_t status = catalog__key_resolve(table, definition, what, &key, error);
    if (status == OK && key.name)
        status = catalog__name_check(key.name, definition->position, error);
    if (status == OK && key.name)
        status = catalog__name_free(catalog, table, key.name, definition->position, error);
    if (status != OK)
        return status;
    bool is_primary = table->index_count == 0;
    if (!key.name)
        key.name = catalog__name_choose(catalog, table, key.columns,
                                        is_primary ? 0 : key.column_count, label, arena);
    struct index *index;
    status = catalog__index_add(table, arena, &index, error);
    if (status != OK)
        return status;
    key.id = index->id;
    *index = key;
    return OK;
}

/* UNIQUE PRIMARY KEY and the like: a nameless constraint over the columns of an earlier one adds
 * nothing. */
static bool unique_is_redundant(const struct table *table, const struct key_definition *definition)
{
    for (uint32_t i = 0; i < table->index_count && !definition->name; i++) {
        const struct index *index = &table->indexes[i];
        bool same = index->column_count == definition->column_count &&
                    index->included_count == definition->included_count;
        for (uint32_t k = 0; k < index->column_count && same; k++)
            same = strcmp(table->columns[index->columns[k]].name, definition->columns[k]) == 0;
        if (same)
            return true;
    }
    return false;
}

/* The primary key over the hidden last column. */
static status_t row_id_build(const struct catalog *catalog, struct table *table,
                             struct arena *arena, struct error *error)
{
    struct index *index;
    ASSERT(table->index_count == 0 && table->columns[table->column_count - 1].hidden);
    const char *name = catalog__name_choose(catalog, table, NULL, 0, "pkey", arena);
    status_t status = catalog__index_add(table, arena, &index, error);
    if (status != OK)
        return status;
    index->unique = true;
    index->constraint = true;
    index->column_count = 1;
    index->columns[0] = table->column_count - 1;
    index->name = name;
    return OK;
}

static status_t primary_build(const struct catalog *catalog, struct table *table,
                              const struct table_definition *definition, struct arena *arena,
                              struct error *error)
{
    if (needs_row_id(definition))
        return row_id_build(catalog, table, arena, error);
    if (definition->primary_key.column_count > 0)
        return key_build(catalog, table, &definition->primary_key, "primary key constraint", "pkey",
                         arena, error);
    error_sql(error, "42P16", definition->position, "table \"%s\" has no primary key", table->name);
    error_hint(error, "Mark a column PRIMARY KEY, or add PRIMARY KEY (column, ...).");
    return ERR_SQL;
}

static status_t keys_build(const struct catalog *catalog, struct table *table,
                           const struct table_definition *definition, struct arena *arena,
                           struct error *error)
{
    status_t status = primary_build(catalog, table, definition, arena, error);
    for (uint32_t i = 0; i < definition->unique_count && status == OK; i++)
        if (!unique_is_redundant(table, &definition->uniques[i]))
            status = key_build(catalog, table, &definition->uniques[i], "unique constraint", "key",
                               arena, error);
    if (status != OK)
        return status;
    const struct index *primary = &table->indexes[0];
    ASSERT(primary->id == 0);
    for (uint32_t i = 0; i < primary->column_count; i++)
        table->columns[primary->columns[i]].not_null = true;
    return OK;
}

/* ---- CREATE TABLE -----------------------------------------------------------------------------
 */

static status_t table_build(const struct catalog *catalog, struct table *table,
                            const struct table_definition *definition, struct arena *arena,
                            struct error *error)
{
    status_t status = catalog__name_check(table->name, definition->position, error);
    if (status == OK)
        status = catalog__name_free(catalog, NULL, table->name, definition->position, error);
    if (status == OK)
        status = columns_build(table, definition, arena, error);
    if (status == OK)
        status = keys_build(catalog, table, definition, arena, error);
    if (status == OK)
        status = catalog__foreign_keys_build(catalog, table, definition, arena, error);
    table->checks = arena_zalloc(arena, (definition->check_count + 1) * sizeof *table->checks);
    for (uint32_t i = 0; i < definition->check_count && status == OK; i++)
        status = catalog__check_build(catalog, table, &definition->checks[i], arena, error);
    return status;
}

status_t catalog_create_table(struct store_txn *txn, const struct catalog *catalog,
                              const struct table_definition *definition, struct error *error)
{
    ASSERT(txn && catalog && definition && definition->name);
    struct arena arena = {0};
    struct table table = {.name = definition->name};
    status_t status = catalog__table_id_next(txn, &table.id, error);
    if (status == OK)
        status = table_build(catalog, &table, definition, &arena, error);
    if (status == OK)
        status = catalog__sequences_build(txn, catalog, &table, definition, &arena, error);
    if (status == OK)
        status = catalog__table_write(txn, &table, error);
    if (status == OK)
        status = catalog__version_bump(txn, error);
    arena_free(&arena);
    return status;
}

/* ---- CREATE INDEX -----------------------------------------------------------------------------
 */

/* Gives the table of which it is a copy the definition's expressions. */
static void computed_resolve(struct table *table, const struct key_definition *definition,
                             struct index *index, struct arena *arena)
{
    uint32_t capacity = catalog__computed_copy(table, arena);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->computed[i] != SQL_UNKNOWN)
            index->columns[i] = catalog__computed_add(table, &capacity, definition->columns[i],
                                                      definition->computed[i], arena);
    }
}

status_t catalog_create_index(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, const struct key_definition *definition,
                              bool unique, uint16_t *index_id, struct error *error)
{
    ASSERT(txn && catalog && table && definition && index_id);
    ASSERT(catalog_table_by_id(catalog, table->id) == table);
    struct arena arena = {0};
    struct index index = {.unique = unique,
                          .name = definition->name,
                          .included_count = definition->included_count,
                          .predicate = definition->predicate,
                          .constraint = definition->constraint,
                          .building = definition->building};
    struct table after = *table;
    status_t status = catalog__key_resolve(table, definition, "index", &index, error);
    if (status == OK)
        computed_resolve(&after, definition, &index, &arena);
    if (status == OK && index.name)
        status = catalog__name_check(index.name, definition->position, error);
    if (status == OK && index.name)
        status = catalog__name_free(catalog, table, index.name, definition->position, error);
    if (status == OK && !index.name)
        index.name = catalog__name_choose(catalog, &after, index.columns, index.column_count,
                                          definition->constraint ? "key" : "idx", &arena);
    if (status == OK &&
        (table->index_count == CATALOG_INDEXES_MAX || table->index_next == INDEX_ID_END))
        status = error_sql(error, "54000", definition->position,
                           "table \"%s\" has too many indexes", table->name);
    if (status == OK) {
        index.id = (uint16_t)after.index_next++;
        status = catalog__table_row_write(txn, &after, error);
    }
    if (status == OK)
        status = catalog__index_write(txn, &after, &index, error);
    if (status == OK)
        status = catalog__version_bump(txn, error);
    *index_id = index.id;
    arena_free(&arena);
    return status;
}
