/* GROUP BY and aggregates.
 *
 * A key table numbers the groups; each aggregate has an array of states by group number and one
 * tight loop per kind and type. Without GROUP BY there is one group, there even of no rows, and the
 * loops do not look groups up.
 *
 * Sums of integers are kept in 128 bits, so only a result that does not fit is an error (22003),
 * not the order in which rows came. */
#include "base/mem.h"
#include "sql/exec/exec_int.h"

#include <math.h>
#include <string.h>

struct state {
    union {
        __int128 sum;
        double real;
        int64_t integer;
        bool boolean;
        struct {
            uint8_t *data;
            size_t size;
        } text; /* with room for `capacity` bytes */
    } as;
    uint64_t count; /* values taken in */
    size_t capacity;
};

struct accumulator {
    const struct aggregate *aggregate;
    struct eval *argument; /* NULL: count(*) */
    struct eval *filter;
    struct key_table seen; /* DISTINCT: (group, value) */
    struct state *states;  /* by group */
    uint32_t state_capacity;
    uint32_t state_count;
};

struct aggregation {
    struct operator op;
    struct accumulator *accumulators;
    uint32_t accumulator_count;
    struct eval **groups;
    uint32_t group_count; /* expressions */
    struct key_table table;
    const struct vector **group_vectors;
    uint32_t *numbers;       /* by place in the selection */
    uint32_t *group_of;      /* by row */
    struct vector group_ids; /* by row, for DISTINCT */
    uint32_t *rows;          /* what an aggregate takes in of a batch */
    bool *is_new;
    struct arena scratch;
    struct arena texts; /* of min and max */
    size_t charged;
    bool ready;
    uint32_t at;
    struct batch *out;
};

/* ---- taking values in ---------------------------------------------------------------------------
 */

/* One vector of values (NULL: count(*)), of which the `count` rows listed are taken, none NULL. */
struct intake {
    const struct vector *values;
    const uint32_t *rows;
    uint32_t count;
    const uint32_t *group_of; /* NULL: all to group 0 */
};

static struct state *state_of(struct accumulator *accumulator, const struct intake *intake,
                              uint32_t row)
{
    uint32_t group = intake->group_of ? intake->group_of[row] : 0;
    return &accumulator->states[group];
}

static void take_count(struct accumulator *accumulator, const struct intake *intake)
{
    if (!intake->group_of) {
        accumulator->states[0].count += intake->count;
        return;
    }
    for (uint32_t i = 0; i < intake->count; i++)
        accumulator->states[intake->group_of[intake->rows[i]]].count++;
}

static void take_integer_sum(struct accumulator *accumulator, const struct intake *intake)
{
    const int64_t *values = intake->values->as.integers;
    if (!intake->group_of) {
        __int128 sum = 0;
        for (uint32_t i = 0; i < intake->count; i++)
            sum += values[intake->rows[i]];
        accumulator->states[0].as.sum += sum;
        accumulator->states[0].count += intake->count;
        return;
    }
    for (uint32_t i = 0; i < intake->count; i++) {
        struct state *state = state_of(accumulator, intake, intake->rows[i]);
        state->as.sum += values[intake->rows[i]];
        state->count++;
    }
}

static status_t take_double_sum(struct accumulator *accumulator, const struct intake *intake,
                                struct error *error)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        struct state *state = state_of(accumulator, intake, intake->rows[i]);
        double value = intake->values->as.reals[intake->rows[i]];
        double sum = state->as.real + value;
        if (isinf(sum) && !isinf(value) && !isinf(state->as.real))
            return error_sql(error, "22003", 0, "value out of range: overflow");
        state->as.real = sum;
        state->count++;
    }
    return OK;
}

static bool better(bool wants_greater, int order)
{
    return wants_greater ? order > 0 : order < 0;
}

static void text_put(struct aggregation *aggregation, struct state *state, struct slice text)
{
    if (state->capacity < text.size || !state->as.text.data) {
        state->capacity = text.size + text.size / 2 + 16;
        state->as.text.data = arena_alloc(&aggregation->texts, state->capacity);
    }
    if (text.size)
        memcpy(state->as.text.data, text.data, text.size);
    state->as.text.size = text.size;
}

static void take_extreme(struct aggregation *aggregation, struct accumulator *accumulator,
                         const struct intake *intake)
{
    bool greater = accumulator->aggregate->kind == AGGREGATE_MAX;
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct state *state = state_of(accumulator, intake, row);
        bool first = state->count++ == 0;
        switch (intake->values->type) {
        case SQL_BOOLEAN: {
            bool value = intake->values->as.booleans[row];
            if (first || better(greater, (int)value - (int)state->as.boolean))
                state->as.boolean = value;
            break;
        }
        case SQL_INTEGER: {
            int64_t value = intake->values->as.integers[row];
            if (first || (greater ? value > state->as.integer : value < state->as.integer))
                state->as.integer = value;
            break;
        }
        case SQL_DOUBLE: {
            struct value value = value_double(intake->values->as.reals[row]);
            struct value best = value_double(state->as.real);
            if (first || better(greater, value_compare(&value, &best)))
                state->as.real = value.as.real;
            break;
        }
        default: {
            struct slice value = intake->values->as.texts[row];
            struct slice best = slice_make(state->as.text.data, state->as.text.size);
            if (first || better(greater, slice_compare(value, best)))
                text_put(aggregation, state, value);
            break;
        }
        }
    }
}

/* state->count: 1 there is a value, 2 the first row has NULL. */
static void take_first(struct aggregation *aggregation, struct accumulator *accumulator,
                       const struct intake *intake)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct state *state = state_of(accumulator, intake, row);
        if (state->count > 0)
            continue;
        struct value value = vector_get(intake->values, row);
        state->count = value.null ? 2 : 1;
        if (value.null)
            continue;
        if (value.type == SQL_BOOLEAN)
            state->as.boolean = value.as.boolean;
        else if (value.type == SQL_INTEGER)
            state->as.integer = value.as.integer;
        else if (value.type == SQL_DOUBLE)
            state->as.real = value.as.real;
        else
            text_put(aggregation, state, value.as.text);
    }
}

static status_t take(struct aggregation *aggregation, struct accumulator *accumulator,
                     const struct intake *intake, struct error *error)
{
    switch (accumulator->aggregate->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
        take_count(accumulator, intake);
        return OK;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (intake->values->type == SQL_DOUBLE)
            return take_double_sum(accumulator, intake, error);
        take_integer_sum(accumulator, intake);
        return OK;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        take_extreme(aggregation, accumulator, intake);
        return OK;
    case AGGREGATE_FIRST:
        take_first(aggregation, accumulator, intake);
        return OK;
    }
    UNREACHABLE();
}

/* ---- one batch ----------------------------------------------------------------------------------
 */

/* DISTINCT: leaves of intake->rows those whose (group, value) is new. */
static status_t rows_distinct(struct aggregation *aggregation, struct accumulator *accumulator,
                              struct intake *intake, struct error *error)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        aggregation->group_ids.as.integers[row] = intake->group_of ? intake->group_of[row] : 0;
    }
    const struct vector *keys[2] = {&aggregation->group_ids, intake->values};
    uint32_t numbers[BATCH_ROWS_MAX];
    status_t status = exec__key_table_put(&accumulator->seen, keys, intake->rows, intake->count,
                                          numbers, aggregation->is_new, error);
    if (status != OK)
        return status;
    uint32_t count = 0;
    for (uint32_t i = 0; i < intake->count; i++) {
        if (aggregation->is_new[i])
            aggregation->rows[count++] = intake->rows[i];
    }
    intake->count = count;
    return OK;
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
    struct intake intake = {.rows = rows,
                            .group_of = aggregation->group_count ? aggregation->group_of : NULL};
    if (accumulator->argument) {
        status_t status = exec__eval_column(accumulator->argument, &taken, &intake.values, error);
        if (status != OK)
            return status;
    }
    bool keeps_nulls = !intake.values || accumulator->aggregate->kind == AGGREGATE_FIRST;
    for (uint32_t i = 0; i < taken.selected; i++) {
        uint32_t row = batch_row(&taken, i);
        rows[intake.count] = row;
        intake.count += keeps_nulls || !vector_is_null(intake.values, row);
    }
    if (accumulator->aggregate->distinct && intake.values) {
        status_t status = rows_distinct(aggregation, accumulator, &intake, error);
        if (status != OK)
            return status;
    }
    return take(aggregation, accumulator, &intake, error);
}

/* The groups of a batch's rows, into group_of. */
static status_t groups_find(struct aggregation *aggregation, const struct batch *in,
                            struct error *error)
{
    for (uint32_t g = 0; g < aggregation->group_count; g++) {
        status_t status =
            exec__eval_column(aggregation->groups[g], in, &aggregation->group_vectors[g], error);
        if (status != OK)
            return status;
    }
    status_t status =
        exec__key_table_put(&aggregation->table, aggregation->group_vectors, in->selection,
                            in->selected, aggregation->numbers, NULL, error);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < in->selected; i++)
        aggregation->group_of[batch_row(in, i)] = aggregation->numbers[i];
    return OK;
}

/* A zeroed state for every group there is, in each accumulator. */
static status_t states_reserve(struct aggregation *aggregation, struct error *error)
{
    uint32_t groups = aggregation->group_count ? aggregation->table.keys.row_count : 1;
    size_t size = aggregation->texts.used;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        struct accumulator *accumulator = &aggregation->accumulators[a];
        accumulator->states = vec_grow(accumulator->states, &accumulator->state_capacity, groups,
                                       sizeof *accumulator->states);
        if (groups > accumulator->state_count)
            memset(accumulator->states + accumulator->state_count, 0,
                   (groups - accumulator->state_count) * sizeof *accumulator->states);
        accumulator->state_count = groups;
        size += accumulator->state_capacity * sizeof *accumulator->states;
    }
    size_t grown = size - aggregation->charged;
    aggregation->charged = size;
    return exec__memory_charge(aggregation->op.exec, grown, error);
}

static status_t batch_take(struct aggregation *aggregation, const struct batch *in,
                           struct error *error)
{
    arena_reset(&aggregation->scratch);
    status_t status = aggregation->group_count ? groups_find(aggregation, in, error) : OK;
    if (status == OK)
        status = states_reserve(aggregation, error);
    for (uint32_t a = 0; a < aggregation->accumulator_count && status == OK; a++)
        status = accumulate(aggregation, &aggregation->accumulators[a], in, error);
    return status;
}

static status_t all_take(struct aggregation *aggregation, struct error *error)
{
    aggregation->ready = true;
    for (;;) {
        struct batch *in;
        status_t status = exec__operator_next(aggregation->op.left, &in, error);
        if (status == OK && !in)
            return states_reserve(aggregation, error);
        if (status == OK)
            status = batch_take(aggregation, in, error);
        if (status != OK)
            return status;
    }
}

/* ---- results ------------------------------------------------------------------------------------
 */

static status_t state_result(const struct accumulator *accumulator, uint32_t group,
                             struct value *out, struct error *error)
{
    const struct aggregate *aggregate = accumulator->aggregate;
    const struct state *state = &accumulator->states[group];
    if (aggregate->kind == AGGREGATE_COUNT || aggregate->kind == AGGREGATE_COUNT_ROWS) {
        *out = value_integer((int64_t)state->count);
        return OK;
    }
    if (state->count == 0 || (aggregate->kind == AGGREGATE_FIRST && state->count == 2)) {
        *out = value_null(aggregate->type);
        return OK;
    }
    enum sql_type argument = aggregate->argument->type;
    if (aggregate->kind == AGGREGATE_AVG) {
        double sum = argument == SQL_DOUBLE ? state->as.real : (double)state->as.sum;
        *out = value_double(sum / (double)state->count);
        return OK;
    }
    if (aggregate->kind == AGGREGATE_SUM && argument == SQL_INTEGER) {
        if (state->as.sum > INT64_MAX || state->as.sum < INT64_MIN)
            return error_sql(error, "22003", 0, "bigint out of range");
        *out = value_integer((int64_t)state->as.sum);
        return OK;
    }
    switch (argument) {
    case SQL_BOOLEAN:
        *out = value_boolean(state->as.boolean);
        return OK;
    case SQL_INTEGER:
        *out = value_integer(state->as.integer);
        return OK;
    case SQL_DOUBLE:
        *out = value_double(state->as.real);
        return OK;
    default:
        *out = value_text(slice_make(state->as.text.data, state->as.text.size));
        return OK;
    }
}

static status_t aggregate_next(struct operator* op, struct batch **out, struct error *error)
{
    struct aggregation *aggregation = (struct aggregation *)op;
    status_t status = aggregation->ready ? OK : all_take(aggregation, error);
    if (status != OK)
        return status;
    uint32_t groups = aggregation->group_count ? aggregation->table.keys.row_count : 1;
    uint32_t count = groups - aggregation->at;
    if (count == 0)
        return OK;
    if (count > op->exec->batch_rows)
        count = op->exec->batch_rows;
    exec__batch_prepare(op->exec, &aggregation->out, op->plan->types, op->plan->column_count,
                        count);
    struct batch *batch = aggregation->out;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group = aggregation->at + i;
        for (uint32_t g = 0; g < aggregation->group_count; g++)
            exec__collection_gather(&aggregation->table.keys, g, &group, 1, &batch->columns[g], i);
        for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
            struct value value;
            status = state_result(&aggregation->accumulators[a], group, &value, error);
            if (status != OK)
                return status;
            vector_set(&batch->columns[aggregation->group_count + a], i, &value);
        }
    }
    aggregation->at += count;
    batch->row_count = batch->selected = count;
    *out = batch;
    return OK;
}

static void aggregate_close(struct operator* op)
{
    struct aggregation *aggregation = (struct aggregation *)op;
    for (uint32_t a = 0; a < aggregation->accumulator_count; a++) {
        exec__key_table_free(&aggregation->accumulators[a].seen);
        mem_free(aggregation->accumulators[a].states);
        aggregation->accumulators[a].states = NULL;
    }
    exec__key_table_free(&aggregation->table);
    arena_free(&aggregation->scratch);
    arena_free(&aggregation->texts);
    exec__memory_release(op->exec, aggregation->charged);
    aggregation->charged = 0;
}

static const struct operator_ops aggregate_ops = {aggregate_next, aggregate_close};

/* ---- opening ------------------------------------------------------------------------------------
 */

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
    if (aggregate->distinct && aggregate->argument) {
        enum sql_type *types = arena_alloc(exec->arena, 2 * sizeof *types);
        types[0] = SQL_INTEGER;
        types[1] = aggregate->argument->type;
        exec__key_table_init(&accumulator->seen, exec, types, NULL, 2);
        if (!aggregation->is_new) {
            aggregation->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
            vector_init(&aggregation->group_ids, exec->arena, SQL_INTEGER, BATCH_ROWS_MAX);
        }
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
    status_t status = groups_open(aggregation, error);
    for (uint32_t a = 0; a < count && status == OK; a++)
        status = accumulator_open(aggregation, &aggregation->accumulators[a],
                                  &plan->as.aggregate.aggregates[a], error);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &aggregation->op.left, error);
    return status;
}
