/* Expressions that indexes are over. They stand behind the table's columns in the same array, each
 * text once whatever number of indexes has it, so that everything that follows an index's places
 * finds a name and a type there. */
#include <string.h>

#include "base/check.h"
#include "sql/catalog/catalog_int.h"

bool index_is_plain(const struct table *table, const struct index *index)
{
    ASSERT(table && index);
    for (uint32_t i = 0; i < index->column_count; i++) {
        if (index->columns[i] >= table->column_count)
            return false;
    }
    return true;
}

/* The place of a text among the computed columns, or behind them all. */
static uint32_t computed_find(const struct table *table, const char *text)
{
    uint32_t end = table->column_count + table->computed_count;
    uint32_t place = table->column_count;
    while (place < end && strcmp(table->columns[place].name, text) != 0)
        place++;
    return place;
}

uint32_t catalog__computed_add(struct table *table, uint32_t *capacity, const char *text,
                               enum sql_type type, struct arena *arena)
{
    ASSERT(table && text && type != SQL_UNKNOWN);
    uint32_t end = table->column_count + table->computed_count;
    uint32_t place = computed_find(table, text);
    if (place < end)
        return place;
    table->columns = arena_grow(arena, table->columns, capacity, end + 1, sizeof *table->columns);
    table->columns[end] = (struct column){.name = text, .type = {.kind = type}};
    table->computed_count++;
    return end;
}

uint32_t catalog__computed_copy(struct table *table, struct arena *arena)
{
    uint32_t count = table->column_count + table->computed_count;
    struct column *columns = arena_alloc(arena, count * sizeof *columns);
    ASSERT(count > 0);
    memcpy(columns, table->columns, count * sizeof *columns);
    table->columns = columns;
    return count;
}

status_t catalog_change_index(struct store_txn *txn, const struct table *table,
                              const struct index *index, const char *predicate,
                              const char *const *computed, struct error *error)
{
    ASSERT(txn && table && index && computed);
    struct arena arena = {0};
    struct table named = *table;
    struct index after = *index;
    (void)catalog__computed_copy(&named, &arena);
    for (uint32_t i = 0; i < table->computed_count; i++) {
        if (computed[i])
            named.columns[table->column_count + i].name = computed[i];
    }
    if (predicate)
        after.predicate = predicate;
    status_t status = catalog__index_write(txn, &named, &after, error);
    arena_free(&arena);
    return status;
}

const char *catalog__computed_label(const char *text, struct arena *arena)
{
    size_t size = 0;
    ASSERT(text);
    while (size < CATALOG_NAME_MAX &&
           ((text[size] >= 'a' && text[size] <= 'z') || (text[size] >= '0' && text[size] <= '9') ||
            text[size] == '_'))
        size++;
    return size > 0 && text[size] == '(' ? arena_strndup(arena, text, size) : "expr";
}
