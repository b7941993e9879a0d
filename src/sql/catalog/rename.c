/* Other names for indexes, constraints, views and sequences. What refers to one of them does so by
 * its id, but for the DEFAULTs that take from a sequence, which are texts. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

static status_t new_name(const struct catalog *catalog, const char *name, uint32_t position,
                         struct error *error)
{
    status_t status = catalog__name_check(name, position, error);
    return status == OK ? catalog__name_free(catalog, NULL, name, position, error) : status;
}

status_t catalog_rename_index(struct store_txn *txn, const struct catalog *catalog,
                              const struct table *table, const struct index *index,
                              const char *name, uint32_t position, struct error *error)
{
    ASSERT(txn && catalog && table_index_by_id(table, index->id) == index);
    struct index after = *index;
    after.name = name;
    status_t status = new_name(catalog, name, position, error);
    if (status == OK && index->constraint)
        status = catalog__constraint_free(table, name, position, error);
    if (status == OK)
        status = catalog__index_write(txn, table, &after, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* A check or a foreign key; *found is false when it is neither. */
static status_t rename_other(struct store_txn *txn, const struct table *table, const char *old,
                             const char *name, bool *found, struct error *error)
{
    *found = true;
    for (uint32_t i = 0; i < table->check_count; i++) {
        struct check after = table->checks[i];
        if (strcmp(after.name, old) != 0)
            continue;
        after.name = name;
        return catalog__check_write(txn, table, &after, error);
    }
    for (uint32_t i = 0; i < table->foreign_key_count; i++) {
        struct foreign_key after = table->foreign_keys[i];
        if (strcmp(after.name, old) != 0)
            continue;
        after.name = name;
        return catalog__foreign_key_write(txn, table, &after, error);
    }
    *found = false;
    return OK;
}

status_t catalog_rename_constraint(struct store_txn *txn, const struct catalog *catalog,
                                   const struct table *table, const char *old, const char *name,
                                   uint32_t position, bool *found, struct error *error)
{
    ASSERT(txn && catalog_table_by_id(catalog, table->id) == table && found);
    *found = true;
    for (uint32_t i = table_first_index(table); i < table->index_count; i++) {
        const struct index *index = &table->indexes[i];
        if (index->constraint && strcmp(index->name, old) == 0)
            return catalog_rename_index(txn, catalog, table, index, name, position, error);
    }
    status_t status = catalog__name_check(name, position, error);
    if (status == OK)
        status = catalog__constraint_free(table, name, position, error);
    if (status == OK)
        status = rename_other(txn, table, old, name, found, error);
    return status == OK && *found ? catalog__version_bump(txn, error) : status;
}

status_t catalog_rename_view(struct store_txn *txn, const struct catalog *catalog,
                             const struct view *view, const char *name, uint32_t position,
                             struct error *error)
{
    ASSERT(txn && catalog && view);
    status_t status = new_name(catalog, name, position, error);
    if (status == OK)
        status = catalog__view_write(txn, view->id, name, view->sql, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

status_t catalog_rename_view_column(struct store_txn *txn, const struct view *view, uint32_t place,
                                    const char *name, uint32_t position, struct error *error)
{
    ASSERT(txn && view && place < view->column_count);
    status_t status = catalog__name_check(name, position, error);
    for (uint32_t i = 0; i < view->column_count && status == OK; i++)
        if (strcmp(view->columns[i], name) == 0)
            status = error_sql(error, "42701", position,
                               "column \"%s\" of relation \"%s\" already exists", name, view->name);
    struct value row[] = {value_integer(view->id), value_integer(place),
                          value_text(slice_from_string(name))};
    if (status == OK)
        status = catalog__row_put(txn, SYSTEM_VIEW_COLUMNS, row, error);
    return status == OK ? catalog__version_bump(txn, error) : status;
}

/* `text` with each `old` in it replaced. */
static const char *replaced(const char *text, const char *old, const char *by, struct arena *arena)
{
    struct buffer out = {0};
    for (const char *at; (at = strstr(text, old)); text = at + strlen(old)) {
        buffer_append(&out, text, (size_t)(at - text));
        buffer_append_string(&out, by);
    }
    buffer_append_string(&out, text);
    return arena_keep_text(arena, &out);
}

/* The DEFAULTs that take from it. */
static status_t defaults_follow(struct store_txn *txn, const struct catalog *catalog,
                                const struct sequence *sequence, const char *name,
                                struct arena *arena, struct error *error)
{
    const char *old = catalog__nextval_text(sequence->name, arena);
    const char *by = catalog__nextval_text(name, arena);
    status_t status = OK;
    for (uint32_t t = 0; t < catalog->table_count; t++) {
        const struct table *table = catalog->tables[t];
        for (uint32_t i = 0; i < table->column_count && status == OK; i++) {
            struct column column = table->columns[i];
            if (!column.default_sql || !strstr(column.default_sql, old))
                continue;
            column.default_sql = replaced(column.default_sql, old, by, arena);
            status = catalog__column_write(txn, table, &column, error);
        }
    }
    return status;
}

status_t catalog_rename_sequence(struct store_txn *txn, const struct catalog *catalog,
                                 const struct sequence *sequence, const char *name,
                                 uint32_t position, struct error *error)
{
    ASSERT(txn && catalog_sequence_by_id(catalog, sequence->id) == sequence);
    struct sequence after = *sequence;
    struct arena arena = {0};
    after.name = name;
    status_t status = new_name(catalog, name, position, error);
    if (status == OK)
        status = defaults_follow(txn, catalog, sequence, name, &arena, error);
    if (status == OK)
        status = catalog__sequence_write(txn, &after, error);
    arena_free(&arena);
    return status == OK ? catalog__version_bump(txn, error) : status;
}
