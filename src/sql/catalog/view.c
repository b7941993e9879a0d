/* CREATE VIEW and DROP VIEW. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

status_t catalog__no_view_depends(const struct catalog *catalog, uint32_t relation_id,
                                  const char *what, const char *name, struct error *error)
{
    const struct view *view = catalog_dependent_view(catalog, relation_id);
    if (!view)
        return OK;
    error_sql(error, "2BP01", 0, "cannot drop %s %s because other objects depend on it", what,
              name);
    error_detail(error, "view %s depends on %s %s", view->name, what, name);
    error_hint(error, "Use DROP ... CASCADE to drop the dependent objects too.");
    return ERR_SQL;
}

static status_t check_columns(const struct view_definition *definition, struct error *error)
{
    if (definition->column_count > CATALOG_COLUMNS_MAX)
        return error_sql(error, "54011", definition->position, "views can have at most %d columns",
                         CATALOG_COLUMNS_MAX);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        status_t status = catalog__name_check(definition->columns[i], definition->position, error);
        if (status != OK)
            return status;
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(definition->columns[i], definition->columns[j]) == 0)
                return error_sql(error, "42701", definition->position,
                                 "column \"%s\" specified more than once", definition->columns[i]);
        }
    }
    return OK;
}

static status_t check_replaced(const struct view_definition *definition, const struct view *old,
                               struct error *error)
{
    if (definition->column_count < old->column_count)
        return error_sql(error, "42P16", definition->position, "cannot drop columns from view");
    for (uint32_t i = 0; i < old->column_count; i++) {
        if (strcmp(definition->columns[i], old->columns[i]) != 0)
            return error_sql(error, "42P16", definition->position,
                             "cannot change name of view column \"%s\" to \"%s\"", old->columns[i],
                             definition->columns[i]);
    }
    return OK;
}

static status_t rows_remove(struct store_txn *txn, uint32_t id, struct error *error)
{
    struct value key = value_integer(id);
    status_t status = OK;
    for (int which = SYSTEM_VIEWS; which <= SYSTEM_VIEW_USES && status == OK; which++)
        status = catalog__rows_remove(txn, (enum system_table)which, &key, 1, error);
    return status;
}

status_t catalog__view_write(struct store_txn *txn, uint32_t id, const char *name, const char *sql,
                             struct error *error)
{
    struct value view[] = {value_integer(id), value_text(slice_from_string(name)),
                           value_text(slice_from_string(sql))};
    return catalog__row_put(txn, SYSTEM_VIEWS, view, error);
}

static status_t rows_write(struct store_txn *txn, uint32_t id,
                           const struct view_definition *definition, struct error *error)
{
    status_t status = catalog__view_write(txn, id, definition->name, definition->sql, error);
    for (uint32_t i = 0; i < definition->column_count && status == OK; i++) {
        struct value column[] = {value_integer(id), value_integer(i),
                                 value_text(slice_from_string(definition->columns[i]))};
        status = catalog__row_put(txn, SYSTEM_VIEW_COLUMNS, column, error);
    }
    for (uint32_t i = 0; i < definition->use_count && status == OK; i++) {
        const struct view_use *use = &definition->uses[i];
        struct value row[] = {value_integer(id), value_integer(use->relation_id),
                              value_integer(use->ordinal_end)};
        status = catalog__row_put(txn, SYSTEM_VIEW_USES, row, error);
    }
    return status;
}

status_t catalog_create_view(struct store_txn *txn, const struct catalog *catalog,
                             const struct view_definition *definition, const struct view *replaced,
                             struct error *error)
{
    ASSERT(txn && catalog && definition);
    ASSERT(!replaced || strcmp(replaced->name, definition->name) == 0);
    uint32_t id = replaced ? replaced->id : 0;
    status_t status = catalog__name_check(definition->name, definition->position, error);
    if (status == OK && !replaced)
        status = catalog__name_free(catalog, NULL, definition->name, definition->position, error);
    if (status == OK)
        status = check_columns(definition, error);
    if (status == OK && replaced)
        status = check_replaced(definition, replaced, error);
    if (status == OK)
        status = replaced ? rows_remove(txn, id, error) : catalog__table_id_next(txn, &id, error);
    if (status == OK)
        status = rows_write(txn, id, definition, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_drop_view(struct store_txn *txn, const struct catalog *catalog,
                           const struct view *view, bool leave_views, struct error *error)
{
    ASSERT(txn && catalog && view);
    status_t status = OK;
    if (!leave_views)
        status = catalog__no_view_depends(catalog, view->id, "view", view->name, error);
    if (status == OK)
        status = rows_remove(txn, view->id, error);
    if (status == OK)
        status = catalog__comments_remove(txn, view->id, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}
