/* FOREIGN KEY: finding what it refers to.
 *
 * The parent must have its columns as primary key or unique index, in any order; the pairs are then
 * kept in the index's order, so that a check is one lookup. The child must have an index that
 * begins with the child columns in that order, for checking deletes of parents; when it has none,
 * one is added. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

/* A foreign key while it is being resolved. */
struct resolving {
    const struct catalog *catalog;
    struct table *child; /* under construction */
    const struct table *parent;
    const struct foreign_key_definition *definition;
    struct foreign_key fk;
    struct error *error;
};

static status_t column_missing(const struct resolving *r, const struct table *table,
                               const char *name)
{
    error_sql(r->error, "42703", r->definition->position,
              "column \"%s\" referenced in foreign key constraint does not exist", name);
    const char *nearest = table_nearest_column(table, name);
    if (nearest)
        error_hint(r->error, "Perhaps you meant to reference the column \"%s.%s\".", table->name,
                   nearest);
    return ERR_SQL;
}

static status_t parent_find(struct resolving *r)
{
    const char *name = r->definition->parent_table;
    r->parent = strcmp(name, r->child->name) == 0 ? r->child : catalog_table(r->catalog, name);
    if (r->parent)
        return OK;
    error_sql(r->error, "42P01", r->definition->position, "relation \"%s\" does not exist", name);
    const char *nearest = catalog_nearest_table(r->catalog, name);
    if (nearest)
        error_hint(r->error, "Perhaps you meant the table \"%s\".", nearest);
    return ERR_SQL;
}

/* Names to places, on both sides, in the statement's order. */
static status_t columns_find(struct resolving *r)
{
    const struct foreign_key_definition *d = r->definition;
    const struct index *primary = &r->parent->indexes[0];
    uint32_t parent_count = d->parent_column_count ? d->parent_column_count : primary->column_count;
    ASSERT(d->column_count >= 1 && d->column_count <= CATALOG_KEY_COLUMNS_MAX);
    if (d->parent_column_count == 0 && r->parent->columns[primary->columns[0]].hidden)
        return error_sql(r->error, "42704", d->position,
                         "there is no primary key for referenced table \"%s\"", r->parent->name);
    if (d->column_count != parent_count)
        return error_sql(r->error, "42830", d->position,
                         "number of referencing and referenced columns for foreign key disagree");
    r->fk.column_count = d->column_count;
    for (uint32_t i = 0; i < d->column_count; i++) {
        int32_t child = table_column(r->child, d->columns[i]);
        if (child < 0)
            return column_missing(r, r->child, d->columns[i]);
        for (uint32_t k = 0; k < i; k++)
            if (r->fk.child_columns[k] == (uint32_t)child)
                return error_sql(r->error, "42701", d->position,
                                 "column \"%s\" appears twice in foreign key constraint",
                                 d->columns[i]);
        int32_t parent = d->parent_column_count ? table_column(r->parent, d->parent_columns[i])
                                                : (int32_t)primary->columns[i];
        if (parent < 0)
            return column_missing(r, r->parent, d->parent_columns[i]);
        r->fk.child_columns[i] = (uint32_t)child;
        r->fk.parent_columns[i] = (uint32_t)parent;
    }
    return OK;
}

/* When the index has exactly the parent columns, puts the pairs into its order. */
static bool index_fits(struct resolving *r, const struct index *index)
{
    uint32_t count = r->fk.column_count;
    uint32_t child[CATALOG_KEY_COLUMNS_MAX];
    if (!index->unique || index->predicate || index->building || index_key_count(index) != count)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (k < count && r->fk.parent_columns[k] != index->columns[i])
            k++;
        if (k == count)
            return false;
        child[i] = r->fk.child_columns[k];
    }
    memcpy(r->fk.child_columns, child, count * sizeof *child);
    memcpy(r->fk.parent_columns, index->columns, count * sizeof *child);
    r->fk.parent_index_id = index->id;
    return true;
}

static status_t parent_index_find(struct resolving *r)
{
    for (uint32_t i = 0; i < r->parent->index_count; i++)
        if (index_fits(r, &r->parent->indexes[i]))
            return OK;
    return error_sql(r->error, "42830", r->definition->position,
                     "there is no unique constraint matching given keys for referenced table "
                     "\"%s\"",
                     r->parent->name);
}

/* Keys are compared as encoded, so both sides must be of one type. */
static status_t types_check(const struct resolving *r)
{
    for (uint32_t i = 0; i < r->fk.column_count; i++) {
        const struct column *child = &r->child->columns[r->fk.child_columns[i]];
        const struct column *parent = &r->parent->columns[r->fk.parent_columns[i]];
        if (child->type.kind == parent->type.kind)
            continue;
        error_sql(r->error, "42804", r->definition->position,
                  "foreign key constraint \"%s\" cannot be implemented", r->fk.name);
        error_detail(
            r->error, "Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.",
            child->name, parent->name, type_name(child->type.kind), type_name(parent->type.kind));
        return ERR_SQL;
    }
    return OK;
}

static status_t name_take(struct resolving *r, struct arena *arena)
{
    const char *name = r->definition->name;
    if (!name) {
        r->fk.name = catalog__name_choose(r->catalog, r->child, r->fk.child_columns,
                                          r->fk.column_count, "fkey", arena);
        return OK;
    }
    status_t status = catalog__name_check(name, r->definition->position, r->error);
    if (status == OK)
        status = catalog__constraint_free(r->child, name, r->definition->position, r->error);
    r->fk.name = name;
    return status;
}

/* In the keys of its entries. */
static bool index_begins_with(const struct index *index, const struct foreign_key *fk)
{
    return !index->predicate && !index->building && index_key_count(index) >= fk->column_count &&
           memcmp(index->columns, fk->child_columns,
                  fk->column_count * sizeof *fk->child_columns) == 0;
}

bool catalog__child_index_find(const struct table *table, struct foreign_key *fk)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (!index_begins_with(&table->indexes[i], fk))
            continue;
        fk->child_index_id = table->indexes[i].id;
        return true;
    }
    return false;
}

/* <constraint>_idx; cut, and numbered when it is taken. */
static const char *child_index_name(const struct resolving *r, struct arena *arena)
{
    struct table named = {.name = r->fk.name,
                          .indexes = r->child->indexes,
                          .index_count = r->child->index_count,
                          .foreign_keys = r->child->foreign_keys,
                          .foreign_key_count = r->child->foreign_key_count,
                          .checks = r->child->checks,
                          .check_count = r->child->check_count};
    return catalog__name_choose(r->catalog, &named, NULL, 0, "idx", arena);
}

static status_t child_index_take(struct resolving *r, struct arena *arena)
{
    if (catalog__child_index_find(r->child, &r->fk))
        return OK;
    const char *name = child_index_name(r, arena);
    struct index *index;
    status_t status = catalog__index_add(r->child, arena, &index, r->error);
    if (status != OK)
        return status;
    index->name = name;
    index->column_count = r->fk.column_count;
    memcpy(index->columns, r->fk.child_columns, sizeof index->columns);
    r->fk.child_index_id = index->id;
    return OK;
}

status_t catalog__child_index_take(const struct catalog *catalog, struct table *table,
                                   struct foreign_key *fk, struct arena *arena, struct error *error)
{
    struct resolving resolving = {.catalog = catalog, .child = table, .fk = *fk, .error = error};
    ASSERT(fk->child_table_id == table->id);
    status_t status = child_index_take(&resolving, arena);
    fk->child_index_id = resolving.fk.child_index_id;
    return status;
}

static status_t foreign_key_build(struct resolving *r, struct arena *arena)
{
    status_t status = parent_find(r);
    if (status == OK)
        status = columns_find(r);
    if (status == OK)
        status = name_take(r, arena);
    if (status == OK)
        status = parent_index_find(r);
    if (status == OK)
        status = types_check(r);
    if (status == OK)
        status = child_index_take(r, arena);
    if (status != OK)
        return status;
    ASSERT(r->fk.column_count > 0);
    r->fk.child_table_id = r->child->id;
    r->fk.parent_table_id = r->parent->id;
    r->fk.on_delete = r->definition->on_delete;
    r->fk.on_update = r->definition->on_update;
    uint32_t count = r->child->foreign_key_count;
    r->fk.id = count > 0 ? r->child->foreign_keys[count - 1].id + 1 : 0;
    r->child->foreign_keys[r->child->foreign_key_count++] = r->fk;
    return OK;
}

status_t catalog__foreign_key_build(const struct catalog *catalog, struct table *table,
                                    const struct foreign_key_definition *definition,
                                    struct arena *arena, struct error *error)
{
    struct resolving resolving = {
        .catalog = catalog, .child = table, .definition = definition, .error = error};
    ASSERT(table->foreign_keys && table->index_count > 0);
    return foreign_key_build(&resolving, arena);
}

status_t catalog__foreign_keys_build(const struct catalog *catalog, struct table *table,
                                     const struct table_definition *definition, struct arena *arena,
                                     struct error *error)
{
    ASSERT(catalog && table->index_count > 0 && table->foreign_key_count == 0);
    table->foreign_keys =
        arena_zalloc(arena, definition->foreign_key_count * sizeof *table->foreign_keys);
    status_t status = OK;
    for (uint32_t i = 0; i < definition->foreign_key_count && status == OK; i++)
        status =
            catalog__foreign_key_build(catalog, table, &definition->foreign_keys[i], arena, error);
    return status;
}
