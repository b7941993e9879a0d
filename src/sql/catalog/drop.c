/* DROP TABLE and DROP INDEX: the schema rows go, and with them the data, or what one transaction
 * can take of it: see build.c. */
#include "base/check.h"
#include "sql/catalog/catalog_int.h"

static status_t table_free_to_drop(const struct catalog *catalog, const struct table *table,
                                   struct error *error)
{
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *fk = table->referenced_by[i];
        if (fk->child_table_id == table->id)
            continue;
        const struct table *child = catalog_table_by_id(catalog, fk->child_table_id);
        ASSERT(child);
        error_sql(error, "2BP01", 0, "cannot drop table %s because other objects depend on it",
                  table->name);
        error_detail(error, "constraint %s on table %s depends on table %s", fk->name, child->name,
                     table->name);
        error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
        return ERR_SQL;
    }
    return OK;
}

status_t catalog_drop_table(struct store_txn *txn, const struct catalog *catalog,
                            const struct table *table, bool leave_views, struct error *error)
{
    ASSERT(txn && catalog && table);
    ASSERT(catalog_table_by_id(catalog, table->id) == table);
    status_t status = table_free_to_drop(catalog, table, error);
    if (status == OK)
        status = catalog__sequences_unused(catalog, table, NULL, error);
    if (status == OK && !leave_views)
        status = catalog__no_view_depends(catalog, table->id, "table", table->name, error);
    struct value id = value_integer(table->id);
    bool left;
    for (int which = SYSTEM_TABLES; which < SYSTEM_GARBAGE && status == OK; which++)
        status = catalog__rows_remove(txn, (enum system_table)which, &id, 1, error);
    if (status == OK)
        status = catalog__sequences_drop(txn, catalog, table, NULL, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_INDEX_BUILDS, &id, 1, error);
    if (status == OK)
        status = catalog__data_remove(txn, table_storage(table), GARBAGE_ALL_INDEXES, &left, error);
    if (status == OK)
        status = catalog__version_bump(txn, error);
    return status;
}

status_t catalog_truncate_table(struct store_txn *txn, const struct table *table,
                                struct error *error)
{
    ASSERT(txn && table);
    bool left = false;
    struct table after = *table;
    status_t status =
        catalog__data_remove(txn, table_storage(table), GARBAGE_ALL_INDEXES, &left, error);
    if (status != OK || !left)
        return status;
    status = catalog__table_id_next(txn, &after.storage_id, error);
    if (status == OK)
        status = catalog__table_row_write(txn, &after, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* What a constraint is called in an error: an index of its own, or the constraint's. */
static status_t index_needed(const struct table *table, const struct index *index,
                             const struct table *child, const struct foreign_key *key,
                             struct error *error)
{
    if (index->constraint)
        error_sql(error, "2BP01", 0,
                  "cannot drop constraint %s on table %s because other objects depend on it",
                  index->name, table->name);
    else
        error_sql(error, "2BP01", 0, "cannot drop index %s because other objects depend on it",
                  index->name);
    error_detail(error, "constraint %s on table %s depends on index %s", key->name, child->name,
                 index->name);
    error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
    return ERR_SQL;
}

status_t catalog__index_unreferenced(const struct catalog *catalog, const struct table *table,
                                     const struct index *index, struct error *error)
{
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *key = table->referenced_by[i];
        const struct table *child = catalog_table_by_id(catalog, key->child_table_id);
        ASSERT(child);
        if (key->parent_index_id == index->id)
            return index_needed(table, index, child, key, error);
    }
    return OK;
}

/* The table's own foreign keys that use the index take another one, if there is one. */
static status_t children_move(struct store_txn *txn, const struct table *table,
                              const struct index *index, struct error *error)
{
    struct arena arena = {0};
    struct table after = *table;
    status_t status = OK;
    after.index_count = 0;
    after.indexes = arena_alloc(&arena, table->index_count * sizeof *after.indexes);
    for (uint32_t i = 0; i < table->index_count; i++)
        if (&table->indexes[i] != index)
            after.indexes[after.index_count++] = table->indexes[i];
    for (uint32_t i = 0; i < table->foreign_key_count && status == OK; i++) {
        struct foreign_key key = table->foreign_keys[i];
        if (key.child_index_id != index->id)
            continue;
        if (catalog__child_index_find(&after, &key)) {
            status = catalog__foreign_key_write(txn, table, &key, error);
            continue;
        }
        error_sql(error, "2BP01", 0,
                  "cannot drop index %s because constraint %s on table %s requires it", index->name,
                  key.name, table->name);
        error_hint(error, "You can drop constraint %s on table %s instead.", key.name, table->name);
        status = ERR_SQL;
    }
    arena_free(&arena);
    return status;
}

status_t catalog_clear_index(struct store_txn *txn, const struct table *table,
                             const struct index *index, struct error *error)
{
    ASSERT(index->id != 0);
    struct buffer prefix = {0};
    index_key_prefix(table, index, &prefix);
    status_t status = catalog__prefix_remove(txn, buffer_slice(&prefix), error);
    buffer_free(&prefix);
    return status;
}

status_t catalog_drop_index(struct store_txn *txn, const struct catalog *catalog,
                            const struct table *table, const struct index *index,
                            struct error *error)
{
    ASSERT(txn && catalog && table && index);
    ASSERT(table_index_by_id(table, index->id) == index);
    if (index->id == 0)
        return error_sql(error, "2BP01", 0,
                         "cannot drop index %s because constraint %s on table %s requires it",
                         index->name, index->name, table->name);
    status_t status = catalog__index_unreferenced(catalog, table, index, error);
    if (status == OK)
        status = children_move(txn, table, index, error);
    struct value key[] = {value_integer(table->id), value_integer(index->id)};
    bool left;
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_INDEXES, key, 2, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_INDEX_COLUMNS, key, 2, error);
    struct value about[] = {key[0], value_integer(COMMENT_INDEX), key[1]};
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_COMMENTS, about, 3, error);
    if (status == OK)
        status = catalog__rows_remove(txn, SYSTEM_INDEX_BUILDS, key, 2, error);
    if (status == OK)
        status = catalog__data_remove(txn, table_storage(table), index->id, &left, error);
    if (status == OK)
        status = catalog__version_bump(txn, error);
    return status;
}
