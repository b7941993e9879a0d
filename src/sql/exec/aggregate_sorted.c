/* ORDER BY within an aggregate, or WITHIN GROUP: its rows are sorted by their groups, then by its
 * keys, and taken in when their group goes out, so that no more than the texts of a batch of groups
 * are there at a time.
 *
 * Rows are collected and put in order (sort_pack.c); when they are too many those there are become
 * a sorted run in a file, and the runs are merged at the end (sort_spill.c). With DISTINCT the keys
 * are the arguments: equal ones come one after the other, and the first of them counts. */
#include "sql/exec/aggregate_int.h"

#include "base/mem.h"
#include "sql/exec/sort_int.h"

enum { SHARE = 2 }; /* of what the operator may hold */

void exec__sorted_values_init(struct sorted_values *sorted, struct exec *exec,
                              const struct aggregate *aggregate)
{
    bool by_value = aggregate_is_ordered_set(aggregate->kind); /* WITHIN GROUP */
    uint32_t count = aggregate->order_count;
    ASSERT(by_value ? count == 0 : count > 0 && aggregate->separator);
    *sorted = (struct sorted_values){.exec = exec,
                                     .aggregate = aggregate,
                                     .key_count = (by_value ? 1 : count) + 1,
                                     .pace = {.exec = exec}};
    enum sql_type *types = arena_alloc(exec->arena, (SORTED_KEYS + count) * sizeof *types);
    sorted->keys = arena_zalloc(exec->arena, sorted->key_count * sizeof *sorted->keys);
    sorted->key_columns = arena_alloc(exec->arena, sorted->key_count * sizeof *sorted->key_columns);
    types[SORTED_VALUE] = aggregate->argument->type;
    types[SORTED_SECOND] = aggregate->separator ? aggregate->separator->type : SQL_INTEGER;
    types[SORTED_GROUP] = SQL_INTEGER;
    sorted->key_columns[0] = SORTED_GROUP;
    if (by_value) {
        sorted->keys[1].descending = aggregate->descending;
        sorted->key_columns[1] = SORTED_VALUE;
    }
    for (uint32_t k = 0; k < count; k++) {
        types[SORTED_KEYS + k] = aggregate->orders[k].expr->type;
        sorted->keys[k + 1] = aggregate->orders[k];
        sorted->key_columns[k + 1] = SORTED_KEYS + k;
    }
    sorted->types = types;
    exec__collection_init(&sorted->rows, exec, types, NULL, SORTED_KEYS + count);
}

static void order_free(struct sorted_values *sorted)
{
    exec__memory_release(sorted->exec, sorted->order_size);
    mem_free(sorted->order);
    sorted->order = NULL;
    sorted->order_size = 0;
    sorted->at = 0;
}

void exec__sorted_values_free(struct sorted_values *sorted)
{
    if (!sorted->exec)
        return; /* never begun */
    order_free(sorted);
    exec__collection_free(&sorted->rows);
    exec__sort_spill_destroy(sorted->spill);
    arena_free(&sorted->last_text);
    sorted->spill = NULL;
    sorted->row = NULL;
}

size_t exec__sorted_values_memory(const struct sorted_values *sorted)
{
    return sorted->rows.charged;
}

/* What is collected, in order. */
static status_t order_make(struct sorted_values *sorted, struct error *error)
{
    size_t size = exec__sort_order_size(sorted->rows.row_count);
    ASSERT(!sorted->order);
    status_t status = exec__memory_charge(sorted->exec, size, error);
    sorted->order_size = size;
    sorted->order = mem_alloc(size);
    if (status == OK)
        status = exec__sort_order(&sorted->rows, sorted->keys, sorted->key_columns,
                                  sorted->key_count, sorted->order, sorted->rows.row_count, error);
    return status;
}

static status_t rows_put_aside(struct sorted_values *sorted, struct error *error)
{
    status_t status = order_make(sorted, error);
    if (status == OK && !sorted->spill)
        status = exec__sort_spill_create(sorted->exec, sorted->keys, sorted->key_columns,
                                         sorted->key_count, sorted->types,
                                         sorted->rows.column_count, &sorted->spill, error);
    if (status == OK)
        status = exec__sort_spill_run(sorted->spill, &sorted->rows, sorted->order,
                                      sorted->rows.row_count, error);
    order_free(sorted);
    exec__collection_free(&sorted->rows);
    return status;
}

status_t exec__sorted_values_put(struct sorted_values *sorted, const struct vector *const *columns,
                                 const uint32_t *rows, uint32_t count, struct error *error)
{
    status_t status = exec__collection_append(&sorted->rows, columns, rows, count, error);
    if (status != OK)
        return status;
    size_t order = exec__sort_order_size(sorted->rows.row_count);
    bool many = sorted->rows.charged + order > exec__work_memory(sorted->exec) / SHARE;
    return many ? rows_put_aside(sorted, error) : OK;
}

status_t exec__sorted_values_end(struct sorted_values *sorted, struct error *error)
{
    if (!sorted->spill)
        return order_make(sorted, error);
    status_t status = sorted->rows.row_count > 0 ? rows_put_aside(sorted, error) : OK;
    if (status == OK)
        status = exec__sort_spill_merge(sorted->spill, error);
    return status == OK ? exec__sort_spill_next(sorted->spill, &sorted->row, error) : status;
}

/* The next row: its columns, and its place in them; NULL at the end. */
static const struct vector *row_peek(const struct sorted_values *sorted, uint32_t *place)
{
    *place = 0;
    if (sorted->spill)
        return sorted->row ? sorted->row->columns : NULL;
    if (sorted->at == sorted->rows.row_count)
        return NULL;
    uint32_t row = sorted->order[sorted->at];
    *place = row % BATCH_ROWS_MAX;
    return sorted->rows.chunks[row / BATCH_ROWS_MAX]->columns;
}

const struct vector *exec__sorted_values_row(const struct sorted_values *sorted, uint32_t group,
                                             uint32_t *place)
{
    const struct vector *columns = row_peek(sorted, place);
    bool of_group = columns && columns[SORTED_GROUP].as.integers[*place] == group;
    return of_group ? columns : NULL;
}

status_t exec__sorted_values_next(struct sorted_values *sorted, struct error *error)
{
    enum { ROW_STEPS = 64 };
    status_t status = exec__pace(&sorted->pace, ROW_STEPS, error);
    if (status == OK && sorted->spill)
        return exec__sort_spill_next(sorted->spill, &sorted->row, error);
    sorted->at++;
    return status;
}

static bool same(const struct value *a, const struct value *b)
{
    return a->null || b->null ? a->null == b->null : value_compare(a, b) == 0;
}

/* DISTINCT: are they the arguments of the row before, of the same group? If not they are noted. */
static bool is_repeated(struct sorted_values *sorted, const struct vector *columns, uint32_t place,
                        bool first)
{
    struct value *last = sorted->last;
    struct value next[2] = {vector_get(&columns[SORTED_VALUE], place),
                            vector_get(&columns[SORTED_SECOND], place)};
    if (!first && same(&next[0], &last[0]) && same(&next[1], &last[1]))
        return true;
    arena_reset(&sorted->last_text);
    for (int i = 0; i < 2; i++) {
        last[i] = next[i];
        if (!next[i].null && type_is_slice(next[i].type))
            last[i].as.text = arena_copy(&sorted->last_text, next[i].as.text);
    }
    return false;
}

status_t exec__sorted_values_take(struct sorted_values *sorted, uint32_t group,
                                  struct aggregate_state *state, struct arena *texts,
                                  struct error *error)
{
    for (bool first = true;; first = false) {
        uint32_t place;
        const struct vector *columns = exec__sorted_values_row(sorted, group, &place);
        if (!columns)
            return OK;
        struct aggregate_intake intake = {.values = &columns[SORTED_VALUE],
                                          .separators = &columns[SORTED_SECOND],
                                          .rows = &place,
                                          .count = 1};
        status_t status = OK;
        bool distinct = sorted->aggregate->distinct;
        if (!(distinct && is_repeated(sorted, columns, place, first)))
            status = exec__states_take(sorted->aggregate, state, &intake, texts, error);
        if (status == OK)
            status = exec__sorted_values_next(sorted, error);
        if (status != OK)
            return status;
    }
}
