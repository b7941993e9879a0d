/* Looking things up in a picture of the schema. */
#include "sql/catalog/catalog.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"

void catalog_retain(struct catalog *catalog)
{
    uint32_t before = catalog->references++;
    ASSERT(before > 0 && before < UINT32_MAX);
}

void catalog_release(struct catalog *catalog)
{
    if (!catalog)
        return;
    uint32_t before = catalog->references--;
    ASSERT(before > 0);
    if (before > 1)
        return;
    arena_free(&catalog->arena);
    mem_free(catalog);
}

const struct table *catalog_table(const struct catalog *catalog, const char *name)
{
    ASSERT(catalog && name);
    uint32_t low = 0;
    uint32_t high = catalog->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(catalog->tables[middle]->name, name);
        if (order == 0)
            return catalog->tables[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct table *catalog_table_by_id(const struct catalog *catalog, uint32_t id)
{
    ASSERT(catalog);
    uint32_t low = 0;
    uint32_t high = catalog->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t at = catalog->tables_by_id[middle]->id;
        if (at == id)
            return catalog->tables_by_id[middle];
        if (at < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct view *catalog_view(const struct catalog *catalog, const char *name)
{
    ASSERT(catalog && name);
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        if (strcmp(catalog->views[i]->name, name) == 0)
            return catalog->views[i];
    }
    return NULL;
}

const struct view *catalog_view_by_id(const struct catalog *catalog, uint32_t id)
{
    ASSERT(catalog);
    uint32_t low = 0;
    uint32_t high = catalog->view_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (catalog->views[middle]->id == id)
            return catalog->views[middle];
        if (catalog->views[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct view *catalog_dependent_view(const struct catalog *catalog, uint32_t relation_id)
{
    ASSERT(catalog);
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        const struct view *view = catalog->views[i];
        for (uint32_t j = 0; j < view->use_count; j++) {
            if (view->uses[j].relation_id == relation_id)
                return view;
        }
    }
    return NULL;
}

const struct index *catalog_index(const struct catalog *catalog, const char *name,
                                  const struct table **table)
{
    ASSERT(catalog && name);
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        const struct table *at = catalog->tables[i];
        for (uint32_t j = table_first_index(at); j < at->index_count; j++) {
            if (strcmp(at->indexes[j].name, name) != 0)
                continue;
            if (table)
                *table = at;
            return &at->indexes[j];
        }
    }
    return NULL;
}

uint32_t table_storage(const struct table *table)
{
    ASSERT(table);
    return table->storage_id ? table->storage_id : table->id;
}

uint32_t index_key_count(const struct index *index)
{
    ASSERT(index && index->included_count < index->column_count);
    return index->column_count - (index->unique ? index->included_count : 0);
}

bool places_have(const uint32_t *places, uint32_t count, uint32_t place)
{
    for (uint32_t i = 0; i < count; i++) {
        if (places[i] == place)
            return true;
    }
    return false;
}

bool index_has_column(const struct index *index, uint32_t place)
{
    ASSERT(index->column_count <= CATALOG_KEY_COLUMNS_MAX);
    return places_have(index->columns, index->column_count, place);
}

uint32_t table_visible_count(const struct table *table)
{
    ASSERT(table && table->column_count > 0);
    return table->column_count - (table->columns[table->column_count - 1].hidden ? 1 : 0);
}

bool table_has_row_id(const struct table *table)
{
    return table_visible_count(table) < table->column_count;
}

uint32_t table_first_index(const struct table *table)
{
    ASSERT(table->index_count > 0);
    return table_has_row_id(table) ? 1 : 0;
}

int32_t table_column(const struct table *table, const char *name)
{
    ASSERT(table && name);
    for (uint32_t i = 0; i < table->column_count && !table->columns[i].hidden; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

const struct index *table_index_by_id(const struct table *table, uint16_t id)
{
    ASSERT(table);
    for (uint32_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].id == id)
            return &table->indexes[i];
    return NULL;
}
