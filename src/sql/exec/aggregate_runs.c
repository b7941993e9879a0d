/* GROUP BY of rows that come group by group.
 *
 *     rows      a a a b b c c c c d ...
 *     groups    0     1   2       3        0 to 2 are over and go out; 3 becomes 0
 *
 * A row whose keys differ from those of the row before it begins a group. There is no table, a
 * group is found without hashing, and as soon as there are enough groups for a batch they go out:
 * so no more than the groups of a few batches are held, however many there are.
 *
 * Aggregates that keep more than a state of fixed size are not worked out so: when groups go out,
 * nothing but the last one's states remains. */
#include "sql/exec/aggregate_int.h"

#include <string.h>

enum { ROWS_OF_A_GROUP = 24 /* on average: several threads with a table each are faster */ };

/* Is its state all that it keeps? */
static bool is_plain(const struct aggregate *aggregate)
{
    if (aggregate->order_count > 0 || (aggregate->distinct && aggregate->argument))
        return false;
    switch (aggregate->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
    case AGGREGATE_BIT_AND:
    case AGGREGATE_BIT_OR:
    case AGGREGATE_BIT_XOR:
        return true;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return !type_is_slice(aggregate->argument->type);
    default:
        return false;
    }
}

bool exec__aggregate_in_runs(const struct exec *exec, const struct plan *plan)
{
    ASSERT(plan->kind == PLAN_AGGREGATE);
    if (!plan->as.aggregate.grouped)
        return false;
    for (uint32_t a = 0; a < plan->as.aggregate.aggregate_count; a++) {
        if (!is_plain(&plan->as.aggregate.aggregates[a]))
            return false;
    }
    bool many = plan->left->rows_estimate < ROWS_OF_A_GROUP * plan->rows_estimate;
    bool together = exec->may_gather || exec->leader;
    return many || !together || !exec__aggregate_is_parallel(plan) ||
           !exec__parallel_scan(plan->left);
}

/* Notes where a column differs from the row before, `before` being that of the first row. */
static void column_compare(const struct vector *column, const struct batch *in, uint32_t before,
                           bool *begins)
{
    if (type_storage(column->type) == SQL_INTEGER && !column->has_nulls) {
        const int64_t *values = column->as.integers;
        int64_t last = values[before];
        for (uint32_t i = 0; i < in->selected; i++) {
            int64_t value = values[batch_row(in, i)];
            begins[i] |= value != last;
            last = value;
        }
        return;
    }
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        begins[i] = begins[i] || !exec__entries_equal(column, row, column, before);
        before = row;
    }
}

/* Does the first row go on with the last group there is? */
static bool goes_on(const struct aggregation *aggregation, uint32_t row)
{
    const struct collection *keys = &aggregation->table.keys;
    if (keys->row_count == 0)
        return false;
    uint32_t last = keys->row_count - 1;
    for (uint32_t g = 0; g < aggregation->group_count; g++) {
        const struct vector *own = exec__collection_vector(keys, g, last);
        if (!exec__entries_equal(own, last % BATCH_ROWS_MAX, aggregation->group_vectors[g], row))
            return false;
    }
    return true;
}

status_t exec__runs_find(struct aggregation *aggregation, const struct batch *in,
                         struct error *error)
{
    bool begins[BATCH_ROWS_MAX];
    uint32_t first[BATCH_ROWS_MAX]; /* rows */
    uint32_t count = 0, groups = aggregation->table.keys.row_count;
    ASSERT(aggregation->in_runs && in->selected > 0 && in->selected <= BATCH_ROWS_MAX);
    memset(begins, false, in->selected * sizeof *begins);
    for (uint32_t g = 0; g < aggregation->group_count; g++)
        column_compare(aggregation->group_vectors[g], in, batch_row(in, 0), begins);
    begins[0] = !goes_on(aggregation, batch_row(in, 0));
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        first[count] = row;
        count += begins[i];
        aggregation->group_of[row] = groups + count - 1;
    }
    return exec__collection_append(&aggregation->table.keys, aggregation->group_vectors, first,
                                   count, error);
}

status_t exec__runs_drop(struct aggregation *aggregation, struct error *error)
{
    struct collection *keys = &aggregation->table.keys, old = *keys;
    if (old.row_count < 2)
        return OK;
    uint32_t last = old.row_count - 1, row = last % BATCH_ROWS_MAX;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        struct accumulator *accumulator = &aggregation->accumulators[a];
        ASSERT(accumulator->state_count == old.row_count);
        accumulator->states[0] = accumulator->states[last];
        accumulator->state_count = 1;
    }
    for (uint32_t g = 0; g < aggregation->group_count; g++)
        aggregation->group_vectors[g] = exec__collection_vector(&old, g, last);
    exec__collection_init(keys, old.exec, old.types, old.stable, old.column_count);
    status_t status = exec__collection_append(keys, aggregation->group_vectors, &row, 1, error);
    exec__collection_free(&old);
    return status;
}
