/* The name a misspelt one was probably meant to be, for hints.
 *
 * The measure is the number of inserted, removed, changed or swapped neighbouring bytes (the
 * restricted Damerau-Levenshtein distance). Near is at most a third of the name, and never all of
 * it. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

static uint32_t min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t edit_distance(const char *a, uint32_t a_size, const char *b, uint32_t b_size)
{
    ASSERT(a_size <= CATALOG_NAME_MAX && b_size <= CATALOG_NAME_MAX);
    /* Row i of the table says how far the first i bytes of a are from each beginning of b; the
     * last three rows are kept. */
    uint32_t rows[3][CATALOG_NAME_MAX + 1];
    uint32_t *above2 = rows[0];
    uint32_t *above = rows[1];
    uint32_t *row = rows[2];
    for (uint32_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= a_size; i++) {
        uint32_t *oldest = above2;
        above2 = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (uint32_t j = 1; j <= b_size; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = min(row[j], min(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min(row[j], above2[j - 2] + 1);
        }
    }
    return row[b_size];
}

uint32_t catalog_name_distance(const char *name, const char *candidate)
{
    ASSERT(name && candidate);
    size_t name_size = strlen(name);
    size_t candidate_size = strlen(candidate);
    if (name_size > CATALOG_NAME_MAX || candidate_size > CATALOG_NAME_MAX)
        return UINT32_MAX;
    uint32_t distance =
        edit_distance(name, (uint32_t)name_size, candidate, (uint32_t)candidate_size);
    bool near = distance < name_size && distance <= (name_size + 2) / 3;
    return near ? distance : UINT32_MAX;
}

const char *catalog_nearest_table(const struct catalog *catalog, const char *name)
{
    ASSERT(catalog && name);
    const char *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        uint32_t distance = catalog_name_distance(name, catalog->tables[i]->name);
        if (distance < best) {
            best = distance;
            nearest = catalog->tables[i]->name;
        }
    }
    return nearest;
}

const char *table_nearest_column(const struct table *table, const char *name)
{
    ASSERT(table && name);
    const char *nearest = NULL;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < table_visible_count(table); i++) {
        uint32_t distance = catalog_name_distance(name, table->columns[i].name);
        if (distance < best) {
            best = distance;
            nearest = table->columns[i].name;
        }
    }
    return nearest;
}
