/* GROUP BY and aggregates.
 *
 * A key table numbers the groups; each aggregate has an array of states by group number. Without
 * GROUP BY there is one group, there even of no rows.
 *
 * When the groups take more memory than they may, no more are begun: rows of those there are go on
 * being taken in, the others are put aside, shared out by the hashes of their groups
 * (spill_split.c). When the groups have gone out, each part is aggregated in its turn.
 *
 * An aggregate whose result depends on the order of its rows and has an ORDER BY takes them in when
 * the group goes out: until then they are kept, see aggregate_sorted.c. */
#include "base/mem.h"
#include "sql/exec/aggregate_int.h"

#include <string.h>

enum { TEXTS_SHARE = 4 }; /* of what may be held: texts of groups that go out */

/* ---- one batch ----------------------------------------------------------------------------------
 */

/* Of which group each row is, as a column. */
static const struct vector *group_column(struct aggregation *aggregation,
                                         const struct aggregate_intake *intake)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        aggregation->group_ids.as.integers[row] = intake->group_of ? intake->group_of[row] : 0;
    }
    return &aggregation->group_ids;
}

/* Leaves of intake->rows those whose group and arguments are new. */
status_t exec__aggregation_distinct(struct aggregation *aggregation,
                                    struct accumulator *accumulator,
                                    struct aggregate_intake *intake, struct error *error)
{
    const struct vector *columns[3] = {group_column(aggregation, intake), intake->values,
                                       intake->separators};
    return exec__distinct_values_take(&accumulator->seen, columns, aggregation->rows,
                                      &intake->count, error);
}

/* ORDER BY: the rows are kept until their group goes out. */
static status_t rows_keep(struct aggregation *aggregation, struct accumulator *accumulator,
                          const struct batch *in, const struct aggregate_intake *intake,
                          struct error *error)
{
    uint32_t count = accumulator->aggregate->order_count;
    const struct vector **columns =
        arena_alloc(&aggregation->scratch, (SORTED_KEYS + count) * sizeof *columns);
    columns[SORTED_VALUE] = intake->values;
    columns[SORTED_GROUP] = group_column(aggregation, intake);
    columns[SORTED_SECOND] = intake->separators ? intake->separators : columns[SORTED_GROUP];
    for (uint32_t k = 0; k < count; k++) {
        status_t status =
            exec__eval_column(accumulator->keys[k], in, &columns[SORTED_KEYS + k], error);
        if (status != OK)
            return status;
    }
    for (uint32_t i = 0;
         aggregate_is_ordered_set(accumulator->aggregate->kind) && i < intake->count; i++)
        exec__state_of(accumulator->states, intake, intake->rows[i])->count++;
    return exec__sorted_values_put(&accumulator->sorted, columns, intake->rows, intake->count,
                                   error);
}

static status_t accumulate(struct aggregation *aggregation, struct accumulator *accumulator,
                           const struct batch *in, struct error *error)
{
    uint32_t *rows = aggregation->rows;
    struct batch taken = *in;
    if (accumulator->filter) {
        status_t status = exec__eval_filter(accumulator->filter, in, rows, &taken.selected, error);
        if (status != OK)
            return status;
        taken.selection = rows;
    }
    if (taken.selected == 0)
        return OK;
    struct aggregate_intake intake = {
        .rows = rows, .group_of = aggregation->group_count ? aggregation->group_of : NULL};
    if (accumulator->argument) {
        status_t status = exec__eval_column(accumulator->argument, &taken, &intake.values, error);
        if (status != OK)
            return status;
    }
    if (accumulator->separator) {
        status_t status =
            exec__eval_column(accumulator->separator, &taken, &intake.separators, error);
        if (status != OK)
            return status;
    }
    bool keeps_nulls = !intake.values || accumulator->aggregate->kind == AGGREGATE_FIRST;
    if (!taken.selection && !accumulator->aggregate->distinct &&
        (keeps_nulls || !intake.values->has_nulls)) {
        intake.rows = aggregation->all_rows;
        intake.count = taken.selected;
    }
    for (uint32_t i = 0; intake.rows == rows && i < taken.selected; i++) {
        uint32_t row = batch_row(&taken, i);
        rows[intake.count] = row;
        intake.count += keeps_nulls || !vector_is_null(intake.values, row);
    }
    if (accumulator->aggregate->distinct && intake.values && !accumulator->is_sorted) {
        status_t status = exec__aggregation_distinct(aggregation, accumulator, &intake, error);
        if (status != OK)
            return status;
    }
    if (accumulator->is_sorted)
        return rows_keep(aggregation, accumulator, &taken, &intake, error);
    return exec__states_take(accumulator->aggregate, accumulator->states, &intake,
                             &aggregation->texts, error);
}

size_t exec__aggregation_memory(const struct aggregation *aggregation)
{
    size_t size = exec__key_table_memory(&aggregation->table) + aggregation->charged;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        const struct accumulator *accumulator = &aggregation->accumulators[a];
        size += exec__distinct_values_memory(&accumulator->seen);
        size += exec__sorted_values_memory(&accumulator->sorted);
    }
    return size;
}

/* Leaves of a batch, whose group columns are in group_vectors, the rows whose groups are there; the
 * others are put aside. */
static status_t groups_known(struct aggregation *aggregation, struct batch *in, struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    struct exec *exec = aggregation->op.exec;
    const struct plan *below = aggregation->op.plan->left;
    const struct vector **columns =
        arena_alloc(&aggregation->scratch, (in->column_count + 1) * sizeof *columns);
    exec__key_table_find(&aggregation->table, aggregation->group_vectors, in->selection,
                         in->selected, aggregation->numbers);
    exec__hash_rows(aggregation->group_vectors, aggregation->group_count, in->selection,
                    in->selected, hashes);
    for (uint32_t c = 0; c < in->column_count; c++)
        columns[c] = &in->columns[c];
    if (!aggregation->known)
        aggregation->known = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (aggregation->numbers[i] != EXEC_NO_ROW) {
            aggregation->group_of[row] = aggregation->numbers[i];
            aggregation->known[count++] = row;
            continue;
        }
        status_t status = exec__split_put(exec, aggregation->splits, 0, below->types,
                                          below->column_count, columns, row, hashes[i], error);
        if (status != OK)
            return status;
    }
    in->selection = aggregation->known;
    in->selected = count;
    return OK;
}

/* The groups of a batch's rows, into group_of; of the batch those rows are left that have one. */
static status_t groups_find(struct aggregation *aggregation, struct batch *in, struct error *error)
{
    for (uint32_t g = 0; g < aggregation->group_count; g++) {
        status_t status =
            exec__eval_column(aggregation->groups[g], in, &aggregation->group_vectors[g], error);
        if (status != OK)
            return status;
    }
    if (aggregation->full)
        return groups_known(aggregation, in, error);
    if (aggregation->in_runs)
        return exec__runs_find(aggregation, in, error);
    status_t status =
        exec__key_table_put(&aggregation->table, aggregation->group_vectors, in->selection,
                            in->selected, aggregation->numbers, NULL, error);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < in->selected; i++)
        aggregation->group_of[batch_row(in, i)] = aggregation->numbers[i];
    return OK;
}

/* What the states and their texts take. */
static status_t states_charge(struct aggregation *aggregation, struct error *error)
{
    size_t size = aggregation->texts.used + aggregation->sorted_texts.used;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++)
        size += aggregation->accumulators[a].state_capacity * sizeof(struct aggregate_state);
    size_t before = aggregation->charged;
    aggregation->charged = size;
    if (size >= before)
        return exec__memory_charge(aggregation->op.exec, size - before, error);
    exec__memory_release(aggregation->op.exec, before - size);
    return OK;
}

status_t exec__aggregation_reserve(struct aggregation *aggregation, struct error *error)
{
    uint32_t groups = exec__aggregation_groups(aggregation);
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        struct accumulator *accumulator = &aggregation->accumulators[a];
        accumulator->states = vec_grow(accumulator->states, &accumulator->state_capacity, groups,
                                       sizeof *accumulator->states);
        if (groups > accumulator->state_count)
            memset(accumulator->states + accumulator->state_count, 0,
                   (groups - accumulator->state_count) * sizeof *accumulator->states);
        accumulator->state_count = groups;
    }
    return states_charge(aggregation, error);
}

status_t exec__aggregation_take(struct aggregation *aggregation, const struct batch *in,
                                struct error *error)
{
    struct batch known = *in;
    arena_reset(&aggregation->scratch);
    status_t status = aggregation->group_count ? groups_find(aggregation, &known, error) : OK;
    if (status == OK)
        status = exec__aggregation_reserve(aggregation, error);
    if (known.selected == 0)
        return status;
    for (uint32_t a = 0; a < aggregation->accumulator_count && status == OK; a++)
        status = accumulate(aggregation, &aggregation->accumulators[a], &known, error);
    return status;
}

static status_t batch_take(struct aggregation *aggregation, const struct batch *in,
                           struct error *error)
{
    status_t status = exec__aggregation_take(aggregation, in, error);
    if (status == OK && !aggregation->full && aggregation->group_count > 0 && !aggregation->in_runs)
        aggregation->full = exec__split_when_full(&aggregation->splits, aggregation->op.exec,
                                                  exec__aggregation_memory(aggregation));
    return status;
}

/* ---- the end of the input -----------------------------------------------------------------------
 */

/* What DISTINCT has put aside. */
static status_t distinct_finish(struct aggregation *aggregation, struct accumulator *accumulator,
                                struct error *error)
{
    uint32_t groups[BATCH_ROWS_MAX];
    for (;;) {
        struct batch *batch;
        struct aggregate_intake intake = {.rows = aggregation->rows, .group_of = groups};
        status_t status = exec__distinct_values_next(&accumulator->seen, &batch, aggregation->rows,
                                                     &intake.count, error);
        if (status != OK || !batch)
            return status;
        intake.values = &batch->columns[1];
        intake.separators = accumulator->separator ? &batch->columns[2] : NULL;
        for (uint32_t i = 0; i < batch->row_count; i++)
            groups[i] = (uint32_t)batch->columns[0].as.integers[i];
        status = exec__states_take(accumulator->aggregate, accumulator->states, &intake,
                                   &aggregation->texts, error);
        if (status == OK)
            status = states_charge(aggregation, error);
        if (status != OK)
            return status;
    }
}

/* Is nothing asked for but how many rows a scan has? */
static bool only_counts(const struct aggregation *aggregation)
{
    if (aggregation->group_count > 0 || aggregation->op.left->plan->kind != PLAN_SCAN)
        return false;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        const struct aggregate *aggregate = aggregation->accumulators[a].aggregate;
        if (aggregate->kind != AGGREGATE_COUNT_ROWS || aggregate->filter)
            return false;
    }
    return true;
}

static status_t rows_count(struct aggregation *aggregation, struct error *error)
{
    uint64_t rows;
    status_t status = exec__scan_count(aggregation->op.left, &rows, error);
    if (status == OK)
        status = exec__aggregation_reserve(aggregation, error);
    for (uint32_t a = 0; a < aggregation->accumulator_count && status == OK; a++)
        aggregation->accumulators[a].states[0].count = rows;
    return status;
}

static status_t input_next(struct aggregation *aggregation, struct batch **in, struct error *error)
{
    if (aggregation->in_part)
        return exec__split_read(&aggregation->reader, aggregation->op.exec, in, error);
    return exec__operator_next(aggregation->op.left, in, error);
}

/* ---- all of the input ---------------------------------------------------------------------------
 */

static status_t input_take(struct aggregation *aggregation, struct error *error)
{
    for (;;) {
        struct batch *in;
        status_t status = input_next(aggregation, &in, error);
        if (status == OK && !in)
            return OK;
        if (status == OK)
            status = batch_take(aggregation, in, error);
        if (status != OK)
            return status;
    }
}

/* Groups that are over: behind the last one a row of the same may come. */
static uint32_t groups_over(const struct aggregation *aggregation)
{
    uint32_t groups = exec__aggregation_groups(aggregation);
    return aggregation->in_runs && !aggregation->runs_end && groups > 0 ? groups - 1 : groups;
}

/* In runs: until there are groups for a batch. */
static status_t runs_take(struct aggregation *aggregation, struct error *error)
{
    while (!aggregation->runs_end && groups_over(aggregation) < aggregation->op.exec->batch_rows) {
        struct batch *in;
        status_t status = exec__operator_next(aggregation->op.left, &in, error);
        if (status == OK && in)
            status = exec__aggregation_take(aggregation, in, error);
        if (status != OK)
            return status;
        aggregation->runs_end = !in;
    }
    return OK;
}

/* Those that are over have gone out. */
static status_t runs_next(struct aggregation *aggregation, struct error *error)
{
    status_t status = exec__runs_drop(aggregation, error);
    aggregation->at = 0;
    return status == OK ? runs_take(aggregation, error) : status;
}

static status_t all_take(struct aggregation *aggregation, struct error *error)
{
    aggregation->ready = true;
    if (only_counts(aggregation))
        return rows_count(aggregation, error);
    if (aggregation->in_runs)
        return runs_take(aggregation, error);
    bool done;
    status_t status = exec__aggregation_parallel(aggregation, &done, error);
    if (status != OK || done)
        return status;
    status = input_take(aggregation, error);
    if (status != OK)
        return status;
    status = exec__aggregation_reserve(aggregation, error);
    if (status == OK && aggregation->full)
        status = exec__split_end(aggregation->splits, 0, error);
    for (uint32_t a = 0; a < aggregation->accumulator_count && status == OK; a++) {
        struct accumulator *accumulator = &aggregation->accumulators[a];
        if (accumulator->is_sorted)
            status = exec__sorted_values_end(&accumulator->sorted, error);
        else if (accumulator->seen.full)
            status = distinct_finish(aggregation, accumulator, error);
    }
    return status;
}

void exec__aggregation_forget(struct aggregation *aggregation)
{
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        struct accumulator *accumulator = &aggregation->accumulators[a];
        exec__distinct_values_free(&accumulator->seen);
        exec__sorted_values_free(&accumulator->sorted);
        mem_free(accumulator->states);
        accumulator->states = NULL;
        accumulator->state_count = accumulator->state_capacity = 0;
    }
    exec__key_table_free(&aggregation->table);
    arena_reset(&aggregation->texts);
    arena_reset(&aggregation->sorted_texts);
    exec__memory_release(aggregation->op.exec, aggregation->charged);
    aggregation->charged = 0;
}

/* The groups have gone out: the next part becomes groups, if there is one. */
static status_t part_take(struct aggregation *aggregation, bool *any, struct error *error)
{
    exec__split_reader_free(&aggregation->reader);
    *any = exec__split_next(&aggregation->splits, 1);
    if (!*any)
        return OK;
    exec__aggregation_forget(aggregation);
    aggregation->full = false;
    aggregation->at = 0;
    aggregation->in_part = true;
    exec__split_reader_init(&aggregation->reader, aggregation->splits, 0);
    return all_take(aggregation, error);
}

/* ---- results ------------------------------------------------------------------------------------
 */

/* The columns of `count` groups from `first` on. */
static void groups_put(struct aggregation *aggregation, uint32_t first, struct batch *batch,
                       uint32_t count)
{
    uint32_t *numbers = aggregation->rows;
    for (uint32_t i = 0; i < count; i++)
        numbers[i] = first + i;
    for (uint32_t g = 0; g < aggregation->group_count; g++)
        exec__collection_gather(&aggregation->table.keys, g, numbers, count, &batch->columns[g], 0);
}

/* A group's values, behind its columns. */
static status_t group_put(struct aggregation *aggregation, uint32_t group, struct batch *batch,
                          uint32_t row, struct error *error)
{
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        struct value value;
        struct accumulator *accumulator = &aggregation->accumulators[a];
        struct aggregate_state *state = &accumulator->states[group];
        struct arena *texts = &aggregation->sorted_texts;
        status_t status = OK;
        if (aggregate_is_ordered_set(accumulator->aggregate->kind)) {
            status = exec__ordered_result(&accumulator->sorted, group, state->count, texts, &value,
                                          error);
        } else {
            if (accumulator->is_sorted)
                status = exec__sorted_values_take(&accumulator->sorted, group, state, texts, error);
            if (status == OK)
                status = exec__state_result(accumulator->aggregate, state, &value, error);
        }
        if (status != OK)
            return status;
        vector_set(&batch->columns[aggregation->group_count + a], row, &value);
    }
    return OK;
}

static status_t aggregate_next(struct operator* op, struct batch **out, struct error *error)
{
    struct aggregation *aggregation = (struct aggregation *)op;
    status_t status = aggregation->ready ? OK : all_take(aggregation, error);
    if (status != OK)
        return status;
    if (aggregation->at == groups_over(aggregation) && aggregation->splits) {
        bool any;
        status = part_take(aggregation, &any, error);
        if (status != OK || !any)
            return status;
    }
    if (aggregation->in_runs && !aggregation->runs_end &&
        aggregation->at == groups_over(aggregation)) {
        status = runs_next(aggregation, error);
        if (status != OK)
            return status;
    }
    uint32_t count = groups_over(aggregation) - aggregation->at;
    if (count == 0)
        return OK;
    if (count > op->exec->batch_rows)
        count = op->exec->batch_rows;
    exec__batch_prepare(op->exec, &aggregation->out, op->plan->types, op->plan->column_count,
                        count);
    struct batch *batch = aggregation->out;
    size_t texts_most = exec__work_memory(op->exec) / TEXTS_SHARE;
    uint32_t done = 0;
    arena_reset(&aggregation->sorted_texts);
    while (done < count && aggregation->sorted_texts.used <= texts_most) {
        status = group_put(aggregation, aggregation->at, batch, done, error);
        if (status != OK)
            return status;
        aggregation->at++;
        done++;
    }
    groups_put(aggregation, aggregation->at - done, batch, done);
    batch->row_count = batch->selected = done;
    *out = batch;
    return states_charge(aggregation, error);
}

static void aggregate_close(struct operator* op)
{
    struct aggregation *aggregation = (struct aggregation *)op;
    exec__aggregation_forget(aggregation);
    exec__split_reader_free(&aggregation->reader);
    exec__split_free(&aggregation->splits);
    arena_free(&aggregation->scratch);
    arena_free(&aggregation->texts);
    arena_free(&aggregation->sorted_texts);
}

static const struct operator_ops aggregate_ops = {aggregate_next, aggregate_close};

/* ---- opening ------------------------------------------------------------------------------------
 */

static void group_ids_open(struct aggregation *aggregation)
{
    struct exec *exec = aggregation->op.exec;
    if (aggregation->group_ids.capacity > 0)
        return;
    vector_init(&aggregation->group_ids, exec->arena, SQL_INTEGER, BATCH_ROWS_MAX);
}

static status_t keys_open(struct aggregation *aggregation, struct accumulator *accumulator,
                          struct error *error)
{
    const struct aggregate *aggregate = accumulator->aggregate;
    struct exec *exec = aggregation->op.exec;
    uint32_t count = aggregate->order_count;
    struct expr **exprs = arena_alloc(exec->arena, (count + 1) * sizeof(struct expr *));
    for (uint32_t k = 0; k < count; k++)
        exprs[k] = aggregate->orders[k].expr;
    group_ids_open(aggregation);
    exec__sorted_values_init(&accumulator->sorted, exec, aggregate);
    return exec__eval_compile_all(exec, exprs, count, &aggregation->scratch, &accumulator->keys,
                                  error);
}

static status_t accumulator_open(struct aggregation *aggregation, struct accumulator *accumulator,
                                 const struct aggregate *aggregate, struct error *error)
{
    struct exec *exec = aggregation->op.exec;
    accumulator->aggregate = aggregate;
    status_t status = OK;
    if (aggregate->argument)
        status = exec__eval_compile(exec, aggregate->argument, &aggregation->scratch,
                                    &accumulator->argument, error);
    if (status == OK && aggregate->filter)
        status = exec__eval_compile(exec, aggregate->filter, &aggregation->scratch,
                                    &accumulator->filter, error);
    if (status == OK && aggregate->separator)
        status = exec__eval_compile(exec, aggregate->separator, &aggregation->scratch,
                                    &accumulator->separator, error);
    accumulator->is_sorted =
        aggregate->order_count > 0 || aggregate_is_ordered_set(aggregate->kind);
    if (status == OK && accumulator->is_sorted)
        status = keys_open(aggregation, accumulator, error);
    if (aggregate->distinct && aggregate->argument && !accumulator->is_sorted) {
        exec__distinct_values_init(&accumulator->seen, exec, aggregate);
        group_ids_open(aggregation);
    }
    return status;
}

static status_t groups_open(struct aggregation *aggregation, struct error *error)
{
    const struct plan *plan = aggregation->op.plan;
    struct exec *exec = aggregation->op.exec;
    uint32_t count = plan->as.aggregate.group_count;
    aggregation->group_count = count;
    aggregation->rows = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    aggregation->all_rows = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++)
        aggregation->all_rows[i] = i;
    if (count == 0)
        return OK;
    aggregation->numbers = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    aggregation->group_of = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    aggregation->group_vectors = arena_alloc(exec->arena, count * sizeof(struct vector *));
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(exec, plan->left, plan->as.aggregate.groups, count, &types, &stable);
    exec__key_table_init(&aggregation->table, exec, types + plan->left->column_count,
                         stable + plan->left->column_count, count);
    return exec__eval_compile_all(exec, plan->as.aggregate.groups, count, &aggregation->scratch,
                                  &aggregation->groups, error);
}

status_t exec__aggregate_open(struct exec *exec, const struct plan *plan, struct operator** out,
                              struct error *error)
{
    struct aggregation *aggregation =
        exec__operator_create(exec, plan, &aggregate_ops, sizeof *aggregation);
    *out = &aggregation->op;
    uint32_t count = plan->as.aggregate.aggregate_count;
    aggregation->accumulators = arena_zalloc(exec->arena, count * sizeof(struct accumulator));
    aggregation->accumulator_count = count;
    aggregation->in_runs = exec__aggregate_in_runs(exec, plan);
    status_t status = groups_open(aggregation, error);
    for (uint32_t a = 0; a < count && status == OK; a++)
        status = accumulator_open(aggregation, &aggregation->accumulators[a],
                                  &plan->as.aggregate.aggregates[a], error);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &aggregation->op.left, error);
    return status;
}
