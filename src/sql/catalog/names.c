/* Names: which are taken, and choosing one that is not. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

static bool index_named(const struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->index_count; i++)
        if (strcmp(table->indexes[i].name, name) == 0)
            return true;
    return false;
}

static bool foreign_key_named(const struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->foreign_key_count; i++)
        if (strcmp(table->foreign_keys[i].name, name) == 0)
            return true;
    return false;
}

static bool check_named(const struct table *table, const char *name)
{
    for (uint32_t i = 0; i < table->check_count; i++)
        if (strcmp(table->checks[i].name, name) == 0)
            return true;
    return false;
}

status_t catalog__constraint_free(const struct table *table, const char *name, uint32_t position,
                                  struct error *error)
{
    ASSERT(table && name);
    if (!index_named(table, name) && !foreign_key_named(table, name) && !check_named(table, name))
        return OK;
    return error_sql(error, "42710", position,
                     "constraint \"%s\" for relation \"%s\" already exists", name, table->name);
}

/* The index of a row id keeps its name for a primary key that may come. */
bool catalog__relation_exists(const struct catalog *catalog, const struct table *table,
                              const char *name)
{
    ASSERT(catalog && name);
    if (catalog_table(catalog, name) || catalog_view(catalog, name) ||
        catalog_sequence(catalog, name))
        return true;
    for (uint32_t i = 0; i < catalog->table_count; i++)
        if (index_named(catalog->tables[i], name))
            return true;
    return table && (strcmp(table->name, name) == 0 || index_named(table, name));
}

/* PostgreSQL keeps chosen constraint names apart in the whole schema, so that they tell which
 * table is meant. */
static bool is_taken(const struct catalog *catalog, const struct table *table, const char *name)
{
    if (catalog__relation_exists(catalog, table, name) || foreign_key_named(table, name) ||
        check_named(table, name))
        return true;
    for (uint32_t i = 0; i < catalog->table_count; i++)
        if (foreign_key_named(catalog->tables[i], name) || check_named(catalog->tables[i], name))
            return true;
    return false;
}

status_t catalog__name_check(const char *name, uint32_t position, struct error *error)
{
    ASSERT(name);
    if (strlen(name) > CATALOG_NAME_MAX) {
        error_sql(error, "42622", position, "identifier \"%s\" is too long", name);
        error_hint(error, "A name has at most %d bytes.", CATALOG_NAME_MAX);
        return ERR_SQL;
    }
    if (name[0] == '\0')
        return error_sql(error, "42601", position, "zero-length delimited identifier");
    return OK;
}

status_t catalog__name_free(const struct catalog *catalog, const struct table *table,
                            const char *name, uint32_t position, struct error *error)
{
    if (!catalog__relation_exists(catalog, table, name))
        return OK;
    return error_sql(error, "42P07", position, "relation \"%s\" already exists", name);
}

/* At most `size` bytes of `text`, cut before a character. */
static size_t clip(const char *text, size_t size)
{
    size_t length = strlen(text);
    if (length <= size)
        return length;
    while (size && ((uint8_t)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* table_columns_label, of which the longer of the first two is cut until the whole fits. */
static void name_make(char out[CATALOG_NAME_MAX + 1], const char *table, const char *columns,
                      const char *label)
{
    size_t over = strlen(label) + (columns[0] ? 2 : 1);
    ASSERT(over < CATALOG_NAME_MAX);
    size_t room = CATALOG_NAME_MAX - over;
    size_t table_size = strlen(table);
    size_t columns_size = strlen(columns);
    while (table_size + columns_size > room) {
        if (table_size > columns_size)
            table_size--;
        else
            columns_size--;
    }
    int written =
        snprintf(out, CATALOG_NAME_MAX + 1, "%.*s%s%.*s_%s", (int)clip(table, table_size), table,
                 columns[0] ? "_" : "", (int)clip(columns, columns_size), columns, label);
    ASSERT(written > 0 && written <= CATALOG_NAME_MAX);
}

const char *catalog__name_choose(const struct catalog *catalog, const struct table *table,
                                 const uint32_t *columns, uint32_t column_count, const char *label,
                                 struct arena *arena)
{
    ASSERT(catalog && table && column_count <= CATALOG_KEY_COLUMNS_MAX);
    char joined[CATALOG_KEY_COLUMNS_MAX * (CATALOG_NAME_MAX + 1) + 1];
    size_t size = 0;
    joined[0] = '\0';
    for (uint32_t i = 0; i < column_count; i++) {
        const char *column = table->columns[columns[i]].name;
        if (columns[i] >= table->column_count)
            column = catalog__computed_label(column, arena);
        ASSERT(strlen(column) <= CATALOG_NAME_MAX);
        size += (size_t)snprintf(joined + size, sizeof joined - size, "%s%s", i ? "_" : "", column);
    }
    char name[CATALOG_NAME_MAX + 1];
    char numbered[24];
    name_make(name, table->name, joined, label);
    for (uint32_t n = 1; is_taken(catalog, table, name); n++) {
        snprintf(numbered, sizeof numbered, "%s%u", label, n);
        name_make(name, table->name, joined, numbered);
    }
    return arena_strndup(arena, name, strlen(name));
}
