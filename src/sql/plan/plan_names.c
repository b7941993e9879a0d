/* Columns by their names. A few look-ups go through all columns of a relation; the more of them
 * there are, and the more columns, the sooner it is worth to have the names in order. */
#include <stdlib.h>
#include <string.h>

#include "sql/plan/plan_int.h"

enum { COLUMNS_FEW = 16, SEARCHES_FEW = 8 };

struct named_column {
    const char *name;
    uint32_t place;
};

static int compare_named(const void *a, const void *b)
{
    const struct named_column *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void sort_names(struct planner *planner, const struct query *query,
                       struct relation *relation)
{
    relation->named =
        arena_alloc(planner->arena, (relation->column_count + 1) * sizeof *relation->named);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct slot *slot = &query->slots[relation->slot_first + i];
        if (!slot->hidden)
            relation->named[relation->named_count++] = (struct named_column){slot->name, i};
    }
    qsort(relation->named, relation->named_count, sizeof *relation->named, compare_named);
}

static uint32_t find_sorted(const struct relation *relation, const char *name, uint32_t *count)
{
    uint32_t low = 0, high = relation->named_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(relation->named[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + *count < relation->named_count &&
           strcmp(relation->named[low + *count].name, name) == 0)
        ++*count;
    return *count ? relation->slot_first + relation->named[low].place : NOWHERE;
}

uint32_t plan__column_by_name(struct planner *planner, struct query *query, uint32_t at,
                              const char *name, uint32_t *count)
{
    ASSERT(at < query->relation_count && name);
    struct relation *relation = &query->relations[at];
    uint32_t found = NOWHERE;
    *count = 0;
    if (relation->column_count > COLUMNS_FEW && relation->searches++ == SEARCHES_FEW)
        sort_names(planner, query, relation);
    if (relation->named)
        return find_sorted(relation, name, count);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct slot *slot = &query->slots[relation->slot_first + i];
        if (slot->hidden || strcmp(slot->name, name) != 0)
            continue;
        if (found == NOWHERE)
            found = relation->slot_first + i;
        ++*count;
    }
    return found;
}
