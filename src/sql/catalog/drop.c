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
        error_hint(error, "Drop the table %s first.", child->name);
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

static status_t index_needed(const struct index *index, const char *constraint, const char *table,
                             struct error *error)
{
    return error_sql(error, "2BP01", 0,
                     "cannot drop index %s because constraint %s on table %s requires it",
                     index->name, constraint, table);
}

static status_t index_free_to_drop(const struct catalog *catalog, const struct table *table,
                                   const struct index *index, struct error *error)
{
    if (index->id == 0)
        return index_needed(index, index->name, table->name, error);
    for (uint32_t i = 0; i < table->foreign_key_count; i++)
        if (table->foreign_keys[i].child_index_id == index->id)
            return index_needed(index, table->foreign_keys[i].name, table->name, error);
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *fk = table->referenced_by[i];
        const struct table *child = catalog_table_by_id(catalog, fk->child_table_id);
        ASSERT(child);
        if (fk->parent_index_id == index->id)
            return index_needed(index, fk->name, child->name, error);
    }
    return OK;
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
    status_t status = index_free_to_drop(catalog, table, index, error);
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
