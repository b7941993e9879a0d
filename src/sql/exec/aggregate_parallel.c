/* GROUP BY and aggregates by several threads.
 *
 * Each thread has groups of its own, and takes in the rows of one part of the scan after another
 * (parallel.c). For each part it is noted which of its thread's groups began there. At the end all
 * groups are put into one table, in the order of the parts: a group then gets the number that it
 * would have got from one thread, which had met it in the same part, behind the same others.
 *
 *     part      0        1        2        3
 *     thread    A        B        A        B
 *     begins    a b      b c      d        a e       merged: a b c d e
 *
 * Only aggregates that are the same however rows are divided are worked out so. Without GROUP BY
 * there is one group, and its states are put together part by part instead, so that among equal
 * values that look different (1.0 and 1.00) the first one is the least.
 *
 * Groups that take more than a thread's share of the memory, or are so many that putting them
 * together would cost what was gained, make the threads give up: what they have is lost, and one
 * thread begins anew. It puts aside what does not fit. */
#include "base/mem.h"
#include "sql/exec/aggregate_int.h"

#include <string.h>

enum {
    ROWS_TRIED = 1 << 14, /* by a thread, before it judges of its groups */
    ROWS_OF_A_GROUP = 24, /* on average, or there are too many: a group costs as much as some rows,
                             once a thread */
};

struct part_groups {
    struct aggregation *by; /* NULL: nobody, the part has no rows */
    uint32_t from;          /* its groups that began in this part */
    uint32_t to;
};

struct together {
    struct parallel *parallel;
    struct part_groups *parts;
    struct aggregate_state *states; /* without GROUP BY: by part, then aggregate */
    size_t share;                   /* bytes of groups a thread may have */
    atomic_bool given_up;
};

/* ---- what can be done so ------------------------------------------------------------------------
 */

/* Equal values of these look alike. */
static bool looks_alike(enum sql_type type)
{
    enum sql_type storage = type_storage(type);
    return storage == SQL_BOOLEAN || storage == SQL_INTEGER || storage == SQL_TEXT ||
           storage == SQL_UUID;
}

/* Sums of doubles are not: each is rounded. */
static bool is_parallel(const struct aggregate *aggregate, bool grouped)
{
    if (aggregate->order_count > 0 || !exec__parallel_expr(aggregate->argument) ||
        !exec__parallel_expr(aggregate->filter))
        return false;
    switch (aggregate->kind) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return aggregate->argument->type == SQL_INTEGER || aggregate->argument->type == SQL_NUMERIC;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return !grouped || looks_alike(aggregate->argument->type);
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
    case AGGREGATE_BIT_AND:
    case AGGREGATE_BIT_OR:
    case AGGREGATE_BIT_XOR:
        return true;
    default:
        return false;
    }
}

bool exec__aggregate_is_parallel(const struct plan *plan)
{
    uint32_t group_count = plan->as.aggregate.group_count;
    ASSERT(plan->kind == PLAN_AGGREGATE);
    for (uint32_t g = 0; g < group_count; g++) {
        if (!exec__parallel_expr(plan->as.aggregate.groups[g]))
            return false;
    }
    for (uint32_t a = 0; a < plan->as.aggregate.aggregate_count; a++) {
        const struct aggregate *aggregate = &plan->as.aggregate.aggregates[a];
        if (!is_parallel(aggregate, group_count > 0))
            return false;
        if (aggregate->distinct && aggregate->argument &&
            (group_count == 0 || !looks_alike(aggregate->argument->type)))
            return false;
    }
    return true;
}

/* ---- a part -------------------------------------------------------------------------------------
 */

/* Of n rows taken at random out of those of g groups, n * n / 2g have met one before them: so many
 * groups there would be in all. */
static bool has_too_many_groups(const struct aggregation *aggregation, double rows_all)
{
    double rows = (double)aggregation->rows_taken;
    double repeated = rows - exec__aggregation_groups(aggregation);
    return rows >= ROWS_TRIED && rows * rows / (2 * repeated + 1) > rows_all / ROWS_OF_A_GROUP;
}

static bool must_give_up(const struct aggregation *aggregation, const struct together *together)
{
    if (aggregation->group_count == 0)
        return false;
    if (has_too_many_groups(aggregation, exec__parallel_rows(together->parallel)))
        return true;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        if (aggregation->accumulators[a].seen.full)
            return true;
    }
    return exec__aggregation_memory(aggregation) > together->share;
}

/* A parallel_ops.take. */
static status_t part_take(struct operator* op, void *results, uint32_t number, struct error *error)
{
    struct aggregation *aggregation = (struct aggregation *)op;
    struct together *together = results;
    uint32_t count = aggregation->accumulator_count;
    uint32_t from = exec__aggregation_groups(aggregation);
    status_t status = OK;
    while (!atomic_load_explicit(&together->given_up, memory_order_relaxed)) {
        struct batch *in;
        status = exec__operator_next(op->left, &in, error);
        if (status == OK && in)
            status = exec__aggregation_take(aggregation, in, error);
        if (status != OK || !in)
            break;
        aggregation->rows_taken += in->selected;
        if (must_give_up(aggregation, together)) {
            atomic_store(&together->given_up, true);
            exec__parallel_stop(together->parallel);
        }
    }
    if (status != OK)
        return status;
    together->parts[number] = (struct part_groups){
        .by = aggregation, .from = from, .to = exec__aggregation_groups(aggregation)};
    if (aggregation->group_count > 0)
        return OK;
    status = exec__aggregation_reserve(aggregation, error);
    for (uint32_t a = 0; a < count && status == OK; a++) {
        together->states[(size_t)number * count + a] = aggregation->accumulators[a].states[0];
        aggregation->accumulators[a].states[0] = (struct aggregate_state){0};
    }
    return status;
}

static const struct parallel_ops aggregate_parallel = {exec__aggregate_open, part_take};

/* ---- putting together ---------------------------------------------------------------------------
 */

static status_t states_merge(struct aggregation *aggregation, const struct together *together,
                             struct error *error)
{
    uint32_t count = aggregation->accumulator_count;
    uint32_t parts = exec__parallel_parts(together->parallel);
    status_t status = exec__aggregation_reserve(aggregation, error);
    for (uint32_t i = 0; i < parts * count && status == OK; i++) {
        struct accumulator *accumulator = &aggregation->accumulators[i % count];
        status = exec__state_merge(accumulator->aggregate, &accumulator->states[0],
                                   &together->states[i], &aggregation->texts, error);
    }
    return status;
}

/* The groups [first, first + count) of another, all of one chunk of its table; numbers[i] becomes
 * the number of the i-th. */
static status_t some_merge(struct aggregation *into, const struct aggregation *from, uint32_t first,
                           uint32_t count, uint32_t *numbers, struct error *error)
{
    uint32_t rows[BATCH_ROWS_MAX];
    const struct vector **keys = into->group_vectors;
    ASSERT(first % BATCH_ROWS_MAX + count <= BATCH_ROWS_MAX);
    for (uint32_t g = 0; g < into->group_count; g++)
        keys[g] = exec__collection_vector(&from->table.keys, g, first);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (first + i) % BATCH_ROWS_MAX;
    status_t status = exec__key_table_put(&into->table, keys, rows, count, numbers, NULL, error);
    if (status == OK)
        status = exec__aggregation_reserve(into, error);
    for (uint32_t a = 0; a < into->accumulator_count; a++) {
        struct accumulator *accumulator = &into->accumulators[a];
        if (accumulator->seen.exec)
            continue; /* its values are merged, not its states */
        for (uint32_t i = 0; i < count && status == OK; i++)
            status =
                exec__state_merge(accumulator->aggregate, &accumulator->states[numbers[i]],
                                  &from->accumulators[a].states[first + i], &into->texts, error);
    }
    return status == OK ? exec__cancel_check(into->op.exec, error) : status;
}

/* The values another has seen of its groups, whose numbers here are given. */
static status_t distinct_merge(struct aggregation *into, struct accumulator *accumulator,
                               const struct distinct_values *from, const uint32_t *numbers,
                               struct error *error)
{
    const struct collection *values = &from->seen.keys;
    uint32_t group_of[BATCH_ROWS_MAX];
    status_t status = OK;
    ASSERT(!from->full && accumulator->seen.exec && !accumulator->separator);
    for (uint32_t at = 0; at < values->row_count && status == OK; at += BATCH_ROWS_MAX) {
        uint32_t count = values->row_count - at;
        count = count < BATCH_ROWS_MAX ? count : BATCH_ROWS_MAX;
        struct aggregate_intake intake = {.values = exec__collection_vector(values, 1, at),
                                          .rows = into->rows,
                                          .count = count,
                                          .group_of = group_of};
        const struct vector *groups = exec__collection_vector(values, 0, at);
        for (uint32_t i = 0; i < count; i++) {
            into->rows[i] = i;
            group_of[i] = numbers[groups->as.integers[i]];
        }
        status = exec__aggregation_distinct(into, accumulator, &intake, error);
        if (status == OK)
            status = exec__states_take(accumulator->aggregate, accumulator->states, &intake,
                                       &into->texts, error);
        if (status == OK)
            status = exec__cancel_check(into->op.exec, error);
    }
    return status;
}

/* The numbers that the groups of each thread have got, by part. */
static status_t parts_merge(struct aggregation *into, const struct together *together,
                            uint32_t **numbers, struct error *error)
{
    uint32_t parts = exec__parallel_parts(together->parallel);
    size_t most = exec__work_memory(into->op.exec);
    for (uint32_t p = 0; p < parts; p++) {
        const struct part_groups *part = &together->parts[p];
        uint32_t to = part->by ? part->to : 0;
        for (uint32_t at = part->from; at < to;) {
            uint32_t room = BATCH_ROWS_MAX - at % BATCH_ROWS_MAX;
            uint32_t count = to - at < room ? to - at : room;
            status_t status =
                some_merge(into, part->by, at, count, &numbers[p][at - part->from], error);
            if (status == OK && exec__aggregation_memory(into) > most)
                status = error_set(error, ERR_NOMEM, "out of memory: too many groups");
            if (status != OK)
                return status;
            at += count;
        }
    }
    return OK;
}

/* Of each thread once: what its DISTINCT aggregates have seen. */
static status_t seen_merge(struct aggregation *into, const struct together *together,
                           uint32_t *const *numbers, struct error *error)
{
    uint32_t parts = exec__parallel_parts(together->parallel);
    status_t status = OK;
    for (uint32_t p = 0; p < parts && status == OK; p++) {
        const struct aggregation *from = together->parts[p].by;
        bool met = !from;
        for (uint32_t before = 0; before < p && !met; before++)
            met = together->parts[before].by == from;
        if (met)
            continue;
        uint32_t *all = mem_alloc(((size_t)from->table.keys.row_count + 1) * sizeof *all);
        for (uint32_t i = p; i < parts; i++) {
            const struct part_groups *part = &together->parts[i];
            if (part->by == from && part->to > part->from)
                memcpy(all + part->from, numbers[i], (part->to - part->from) * sizeof *all);
        }
        for (uint32_t a = 0; a < into->accumulator_count && status == OK; a++) {
            if (into->accumulators[a].seen.exec)
                status = distinct_merge(into, &into->accumulators[a], &from->accumulators[a].seen,
                                        all, error);
        }
        mem_free(all);
    }
    return status;
}

/* Everything held for groups goes over into `own`. */
static void groups_move(struct aggregation *aggregation, struct aggregation *own)
{
    struct exec *exec = aggregation->op.exec;
    uint32_t count = aggregation->accumulator_count;
    const struct collection *keys = &aggregation->table.keys;
    *own = *aggregation;
    own->accumulators = arena_alloc(exec->arena, (count + 1) * sizeof(struct accumulator));
    for (uint32_t a = 0; a < count; a++) {
        struct accumulator *accumulator = &aggregation->accumulators[a];
        own->accumulators[a] = *accumulator;
        accumulator->states = NULL;
        accumulator->state_count = accumulator->state_capacity = 0;
        if (accumulator->seen.exec)
            exec__distinct_values_init(&accumulator->seen, exec, accumulator->aggregate);
    }
    exec__key_table_init(&aggregation->table, exec, keys->types, keys->stable, keys->column_count);
    aggregation->texts = (struct arena){0};
    aggregation->charged = 0;
}

static status_t groups_merge(struct aggregation *aggregation, struct together *together,
                             struct error *error)
{
    struct aggregation own;
    uint32_t parts = exec__parallel_parts(together->parallel);
    bool alone = true;
    for (uint32_t p = 0; p < parts; p++)
        alone = alone && (!together->parts[p].by || together->parts[p].by == aggregation);
    if (alone)
        return exec__aggregation_reserve(aggregation, error);
    groups_move(aggregation, &own);
    uint32_t **numbers = mem_zalloc(parts, sizeof *numbers);
    for (uint32_t p = 0; p < parts; p++) {
        struct part_groups *part = &together->parts[p];
        numbers[p] = mem_alloc(((size_t)(part->to - part->from) + 1) * sizeof **numbers);
        if (part->by == aggregation)
            part->by = &own;
    }
    status_t status = parts_merge(aggregation, together, numbers, error);
    if (status == OK)
        status = seen_merge(aggregation, together, numbers, error);
    for (uint32_t p = 0; p < parts; p++)
        mem_free(numbers[p]);
    mem_free(numbers);
    exec__aggregation_forget(&own);
    arena_free(&own.texts);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------------
 */

static status_t together_take(struct aggregation *aggregation, struct together *together,
                              struct error *error)
{
    struct arena *arena = aggregation->op.exec->arena;
    uint32_t parts = exec__parallel_parts(together->parallel);
    uint32_t count = aggregation->accumulator_count;
    together->share = exec__parallel_share(together->parallel);
    together->parts = arena_zalloc(arena, parts * sizeof *together->parts);
    together->states = arena_zalloc(arena, ((size_t)parts * count + 1) * sizeof *together->states);
    status_t status = exec__parallel_run(together->parallel, &aggregate_parallel, together, error);
    if (status != OK || atomic_load(&together->given_up))
        return status;
    return aggregation->group_count > 0 ? groups_merge(aggregation, together, error)
                                        : states_merge(aggregation, together, error);
}

status_t exec__aggregation_parallel(struct aggregation *aggregation, bool *done,
                                    struct error *error)
{
    struct together together = {0};
    *done = false;
    if (aggregation->in_part || !exec__aggregate_is_parallel(aggregation->op.plan))
        return OK;
    status_t status = exec__parallel_begin(&aggregation->op, &together.parallel, error);
    if (status != OK || !together.parallel)
        return status;
    status = together_take(aggregation, &together, error);
    *done = true;
    /* What several threads could not hold may fit one, or can be put aside by it. */
    if (atomic_load(&together.given_up) || status == ERR_NOMEM) {
        *done = false;
        status = OK;
        exec__aggregation_forget(aggregation);
        exec__parallel_again(together.parallel);
    }
    exec__parallel_destroy(together.parallel);
    return status;
}
