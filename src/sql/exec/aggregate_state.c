/* What an aggregate keeps of the values it has taken in: the states of GROUP BY's groups and of
 * window frames.
 *
 * One tight loop per kind and type; without groups the loops do not look them up. Sums of integers
 * are kept in 128 bits, so only a result that does not fit is an error (22003), not the order in
 * which rows came. Variances and the like are in aggregate_spread.c, percentiles in
 * aggregate_ordered.c. */
#include "sql/exec/exec_int.h"

#include <math.h>
#include <string.h>

/* ---- taking values in ---------------------------------------------------------------------------
 */

static void take_count(struct aggregate_state *states, const struct aggregate_intake *intake)
{
    if (!intake->group_of) {
        states[0].count += intake->count;
        return;
    }
    for (uint32_t i = 0; i < intake->count; i++)
        states[intake->group_of[intake->rows[i]]].count++;
}

static void take_integer_sum(struct aggregate_state *states, const struct aggregate_intake *intake)
{
    const int64_t *values = intake->values->as.integers;
    if (!intake->group_of) {
        __int128 sum = 0;
        for (uint32_t i = 0; i < intake->count; i++)
            sum += values[intake->rows[i]];
        states[0].as.sum += sum;
        states[0].count += intake->count;
        return;
    }
    for (uint32_t i = 0; i < intake->count; i++) {
        struct aggregate_state *state = exec__state_of(states, intake, intake->rows[i]);
        state->as.sum += values[intake->rows[i]];
        state->count++;
    }
}

/* state->as.sum / 10^state->scale + coefficient / 10^scale. */
static status_t add_decimal(struct aggregate_state *state, __int128 coefficient, uint32_t scale,
                            struct error *error)
{
    __int128 *coarse = state->scale < scale ? &state->as.sum : &coefficient;
    uint32_t by = state->scale < scale ? scale - state->scale : state->scale - scale;
    bool overflow =
        by > 0 && __builtin_mul_overflow(*coarse, (__int128)numeric_power_of_ten(by), coarse);
    overflow |= __builtin_add_overflow(state->as.sum, coefficient, &state->as.sum);
    if (state->scale < scale)
        state->scale = scale;
    return overflow ? error_sql(error, "22003", 0, "value overflows numeric format") : OK;
}

static status_t take_numeric_sum(struct aggregate_state *states,
                                 const struct aggregate_intake *intake, struct error *error)
{
    const struct numeric *values = intake->values->as.numerics;
    for (uint32_t i = 0; i < intake->count; i++) {
        struct aggregate_state *state = exec__state_of(states, intake, intake->rows[i]);
        struct numeric value = values[intake->rows[i]];
        __int128 sum;
        state->count++;
        if (numeric_scale(value) == state->scale &&
            !__builtin_add_overflow(state->as.sum, numeric_coefficient(value), &sum)) {
            state->as.sum = sum;
            continue;
        }
        status_t status =
            add_decimal(state, numeric_coefficient(value), numeric_scale(value), error);
        if (status != OK)
            return status;
    }
    return OK;
}

static status_t add_interval(struct aggregate_state *state, struct interval interval,
                             struct error *error)
{
    return interval_add(state->as.interval, interval, &state->as.interval, error);
}

static status_t take_interval_sum(struct aggregate_state *states,
                                  const struct aggregate_intake *intake, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < intake->count && status == OK; i++) {
        struct aggregate_state *state = exec__state_of(states, intake, intake->rows[i]);
        state->count++;
        status = add_interval(state, intake->values->as.intervals[intake->rows[i]], error);
    }
    return status;
}

static status_t add_double(struct aggregate_state *state, double value, struct error *error)
{
    double sum = state->as.real + value;
    if (isinf(sum) && !isinf(value) && !isinf(state->as.real))
        return error_sql(error, "22003", 0, "value out of range: overflow");
    state->as.real = sum;
    return OK;
}

static status_t take_double_sum(struct aggregate_state *states,
                                const struct aggregate_intake *intake, struct error *error)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        struct aggregate_state *state = exec__state_of(states, intake, intake->rows[i]);
        status_t status = add_double(state, intake->values->as.reals[intake->rows[i]], error);
        if (status != OK)
            return status;
        state->count++;
    }
    return OK;
}

static void text_room(struct aggregate_state *state, size_t size, struct arena *texts)
{
    if (state->capacity >= size && state->as.text.data)
        return;
    uint8_t *old = state->as.text.data;
    state->capacity = size + size / 2 + 16;
    state->as.text.data = arena_alloc(texts, state->capacity);
    if (state->as.text.size > 0)
        memcpy(state->as.text.data, old, state->as.text.size);
}

static void text_append(struct aggregate_state *state, struct slice text, struct arena *texts)
{
    text_room(state, state->as.text.size + text.size, texts);
    if (text.size > 0)
        memcpy(state->as.text.data + state->as.text.size, text.data, text.size);
    state->as.text.size += text.size;
}

static void text_put(struct aggregate_state *state, struct slice text, struct arena *texts)
{
    state->as.text.size = 0;
    text_append(state, text, texts);
}

/* A value that is not NULL becomes what the state holds. */
static void keep(struct aggregate_state *state, const struct value *value, struct arena *texts)
{
    ASSERT(!value->null);
    switch (type_storage(value->type)) {
    case SQL_BOOLEAN:
        state->as.boolean = value->as.boolean;
        break;
    case SQL_INTEGER:
        state->as.integer = value->as.integer;
        break;
    case SQL_DOUBLE:
        state->as.real = value->as.real;
        break;
    case SQL_NUMERIC:
        state->as.numeric = value->as.numeric;
        break;
    case SQL_INTERVAL:
        state->as.interval = value->as.interval;
        break;
    case SQL_UUID:
        state->as.uuid = value->as.uuid;
        break;
    default:
        text_put(state, value->as.text, texts);
        break;
    }
}

static struct value kept(const struct aggregate_state *state, enum sql_type type)
{
    struct value value = {.type = type};
    switch (type_storage(type)) {
    case SQL_BOOLEAN:
        value.as.boolean = state->as.boolean;
        break;
    case SQL_INTEGER:
        value.as.integer = state->as.integer;
        break;
    case SQL_DOUBLE:
        value.as.real = state->as.real;
        break;
    case SQL_NUMERIC:
        value.as.numeric = state->as.numeric;
        break;
    case SQL_INTERVAL:
        value.as.interval = state->as.interval;
        break;
    case SQL_UUID:
        value.as.uuid = state->as.uuid;
        break;
    default:
        value.as.text = slice_make(state->as.text.data, state->as.text.size);
        break;
    }
    return value;
}

/* NaN is above all numbers. */
static bool is_above(double a, double b)
{
    return a > b || (isnan(a) && !isnan(b));
}

static void take_double_extreme(bool greater, struct aggregate_state *states,
                                const struct aggregate_intake *intake)
{
    const double *values = intake->values->as.reals;
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        double value = values[row], best = state->as.real;
        if (state->count++ == 0 || (greater ? is_above(value, best) : is_above(best, value)))
            state->as.real = value;
    }
}

static void take_extreme(bool greater, struct aggregate_state *states,
                         const struct aggregate_intake *intake, struct arena *texts)
{
    if (type_storage(intake->values->type) == SQL_DOUBLE) {
        take_double_extreme(greater, states, intake);
        return;
    }
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        bool first = state->count++ == 0;
        if (type_storage(intake->values->type) == SQL_INTEGER) {
            int64_t value = intake->values->as.integers[row];
            if (first || (greater ? value > state->as.integer : value < state->as.integer))
                state->as.integer = value;
            continue;
        }
        struct value value = vector_get(intake->values, row);
        struct value best = kept(state, value.type);
        int order = first ? 0 : value_compare(&value, &best);
        if (first || (greater ? order > 0 : order < 0))
            keep(state, &value, texts);
    }
}

/* state->count: 1 there is a value, 2 the first row has NULL. */
static void take_first(struct aggregate_state *states, const struct aggregate_intake *intake,
                       struct arena *texts)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        if (state->count > 0)
            continue;
        struct value value = vector_get(intake->values, row);
        state->count = value.null ? 2 : 1;
        if (!value.null)
            keep(state, &value, texts);
    }
}

static void take_any(struct aggregate_state *states, const struct aggregate_intake *intake,
                     struct arena *texts)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        if (state->count++ > 0)
            continue;
        struct value value = vector_get(intake->values, row);
        keep(state, &value, texts);
    }
}

static void join_booleans(bool is_and, struct aggregate_state *state, bool value)
{
    bool before = state->count > 0 ? state->as.boolean : is_and;
    state->as.boolean = is_and ? before && value : before || value;
}

static void join_bits(enum aggregate_kind kind, struct aggregate_state *state, int64_t value)
{
    if (state->count == 0)
        state->as.integer = value;
    else if (kind == AGGREGATE_BIT_AND)
        state->as.integer &= value;
    else if (kind == AGGREGATE_BIT_OR)
        state->as.integer |= value;
    else
        state->as.integer ^= value;
}

static void take_joined(enum aggregate_kind kind, struct aggregate_state *states,
                        const struct aggregate_intake *intake)
{
    bool bits = intake->values->type == SQL_INTEGER;
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        if (bits)
            join_bits(kind, state, intake->values->as.integers[row]);
        else
            join_booleans(kind == AGGREGATE_BOOL_AND, state, intake->values->as.booleans[row]);
        state->count++;
    }
}

static status_t take_text(struct aggregate_state *state, struct slice text, struct slice separator,
                          struct arena *texts, struct error *error)
{
    if (state->as.text.size + text.size + separator.size > EXEC_TEXT_SIZE_MAX)
        return error_sql(error, "54000", 0, "string_agg makes a text of more than %d bytes",
                         EXEC_TEXT_SIZE_MAX);
    if (state->count > 0)
        text_append(state, separator, texts);
    text_append(state, text, texts);
    state->count++;
    return OK;
}

static status_t take_texts(struct aggregate_state *states, const struct aggregate_intake *intake,
                           struct arena *texts, struct error *error)
{
    ASSERT(intake->separators);
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct slice separator = {0};
        if (!vector_is_null(intake->separators, row))
            separator = intake->separators->as.texts[row];
        status_t status = take_text(exec__state_of(states, intake, row),
                                    intake->values->as.texts[row], separator, texts, error);
        if (status != OK)
            return status;
    }
    return OK;
}

status_t exec__states_take(const struct aggregate *aggregate, struct aggregate_state *states,
                           const struct aggregate_intake *intake, struct arena *texts,
                           struct error *error)
{
    ASSERT(intake->count == 0 || intake->rows);
    switch (aggregate->kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
        take_count(states, intake);
        return OK;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (type_storage(intake->values->type) == SQL_DOUBLE)
            return take_double_sum(states, intake, error);
        if (intake->values->type == SQL_NUMERIC)
            return take_numeric_sum(states, intake, error);
        if (intake->values->type == SQL_INTERVAL)
            return take_interval_sum(states, intake, error);
        take_integer_sum(states, intake);
        return OK;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        take_extreme(aggregate->kind == AGGREGATE_MAX, states, intake, texts);
        return OK;
    case AGGREGATE_FIRST:
        take_first(states, intake, texts);
        return OK;
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
    case AGGREGATE_BIT_AND:
    case AGGREGATE_BIT_OR:
    case AGGREGATE_BIT_XOR:
        take_joined(aggregate->kind, states, intake);
        return OK;
    case AGGREGATE_VAR_SAMP:
    case AGGREGATE_VAR_POP:
    case AGGREGATE_STDDEV_SAMP:
    case AGGREGATE_STDDEV_POP:
        return exec__spread_take(states, intake, texts, error);
    case AGGREGATE_STRING:
        return take_texts(states, intake, texts, error);
    case AGGREGATE_ANY:
        take_any(states, intake, texts);
        return OK;
    default:
        ASSERT(aggregate_is_of_pairs(aggregate->kind));
        return exec__pairs_take(states, intake, texts, error);
    }
}

/* ---- results ------------------------------------------------------------------------------------
 */

static status_t numeric_result(enum aggregate_kind kind, const struct aggregate_state *state,
                               struct value *out, struct error *error)
{
    struct numeric result;
    bool fits = numeric_fit(state->as.sum, state->scale, &result);
    if (fits && kind == AGGREGATE_AVG)
        fits = numeric_divide(result, numeric_from_integer((int64_t)state->count), &result);
    if (!fits)
        return error_sql(error, "22003", 0, "value overflows numeric format");
    *out = value_numeric(result);
    return OK;
}

/* Summed as doubles, and rounded once. */
static status_t real_result(const struct aggregate_state *state, struct value *out,
                            struct error *error)
{
    *out = value_real(state->as.real);
    if (isinf(out->as.real) && !isinf(state->as.real))
        return error_sql(error, "22003", 0, "value out of range: overflow");
    return OK;
}

status_t exec__state_result(const struct aggregate *aggregate, const struct aggregate_state *state,
                            struct value *out, struct error *error)
{
    enum aggregate_kind kind = aggregate->kind;
    *out = value_null(aggregate->type);
    if (kind == AGGREGATE_COUNT || kind == AGGREGATE_COUNT_ROWS) {
        *out = value_integer((int64_t)state->count);
        return OK;
    }
    if (aggregate_is_of_pairs(kind)) {
        exec__pairs_result(aggregate, state, out);
        return OK;
    }
    if (state->count == 0 || (kind == AGGREGATE_FIRST && state->count == 2))
        return OK;
    if (exec__is_variance(kind))
        return exec__spread_result(aggregate, state, out, error);
    enum sql_type argument = aggregate->argument->type;
    switch (kind) {
    case AGGREGATE_AVG: {
        if (aggregate->type == SQL_NUMERIC)
            return numeric_result(kind, state, out, error);
        if (argument == SQL_INTERVAL) {
            *out = value_interval(state->as.interval);
            return interval_divide(state->as.interval, (double)state->count, &out->as.interval,
                                   error);
        }
        double sum = type_storage(argument) == SQL_DOUBLE ? state->as.real : (double)state->as.sum;
        *out = value_double(sum / (double)state->count);
        return OK;
    }
    case AGGREGATE_SUM:
        if (argument == SQL_NUMERIC)
            return numeric_result(kind, state, out, error);
        if (argument == SQL_REAL)
            return real_result(state, out, error);
        if (argument != SQL_INTEGER)
            break;
        if (state->as.sum > INT64_MAX || state->as.sum < INT64_MIN)
            return error_sql(error, "22003", 0, "bigint out of range");
        *out = value_integer((int64_t)state->as.sum);
        return OK;
    default:
        break;
    }
    *out = kept(state, argument);
    return OK;
}

/* ---- merging ------------------------------------------------------------------------------------
 */

bool exec__state_can_merge(const struct aggregate *aggregate)
{
    return aggregate->kind != AGGREGATE_STRING && aggregate->kind != AGGREGATE_FIRST &&
           !aggregate_is_ordered_set(aggregate->kind);
}

static status_t merge_values(const struct aggregate *aggregate, struct aggregate_state *into,
                             const struct aggregate_state *from, struct arena *texts,
                             struct error *error)
{
    enum aggregate_kind kind = aggregate->kind;
    enum sql_type type = aggregate->argument->type;
    switch (kind) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        if (type_storage(type) == SQL_DOUBLE)
            return add_double(into, from->as.real, error);
        if (type == SQL_NUMERIC)
            return add_decimal(into, from->as.sum, from->scale, error);
        if (type == SQL_INTERVAL)
            return add_interval(into, from->as.interval, error);
        into->as.sum += from->as.sum;
        return OK;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX: {
        struct value mine = kept(into, type);
        struct value theirs = kept(from, type);
        int order = value_compare(&theirs, &mine);
        if (kind == AGGREGATE_MAX ? order > 0 : order < 0)
            keep(into, &theirs, texts);
        return OK;
    }
    case AGGREGATE_BOOL_AND:
    case AGGREGATE_BOOL_OR:
        join_booleans(kind == AGGREGATE_BOOL_AND, into, from->as.boolean);
        return OK;
    case AGGREGATE_BIT_AND:
    case AGGREGATE_BIT_OR:
    case AGGREGATE_BIT_XOR:
        join_bits(kind, into, from->as.integer);
        return OK;
    case AGGREGATE_VAR_SAMP:
    case AGGREGATE_VAR_POP:
    case AGGREGATE_STDDEV_SAMP:
    case AGGREGATE_STDDEV_POP:
        return exec__spread_merge(type, into, from, error);
    case AGGREGATE_ANY:
        return OK;
    default:
        ASSERT(aggregate_is_of_pairs(kind));
        return exec__pairs_merge(into, from, error);
    }
}

/* Is what a state holds a text? */
static bool keeps_text(const struct aggregate *aggregate)
{
    enum aggregate_kind kind = aggregate->kind;
    bool keeps = kind == AGGREGATE_MIN || kind == AGGREGATE_MAX || kind == AGGREGATE_ANY;
    return keeps && type_is_slice(aggregate->argument->type);
}

/* *into, which has taken in nothing, may own a text of its own. */
static void state_copy(const struct aggregate *aggregate, struct aggregate_state *into,
                       const struct aggregate_state *from, struct arena *texts)
{
    enum aggregate_kind kind = aggregate->kind;
    struct aggregate_state before = *into;
    *into = *from;
    if (keeps_text(aggregate)) {
        into->as.text = before.as.text;
        into->capacity = before.capacity;
        text_put(into, slice_make(from->as.text.data, from->as.text.size), texts);
    } else if (exec__is_variance(kind) || aggregate_is_of_pairs(kind)) {
        exec__spread_copy(aggregate, into, from, texts);
    }
}

status_t exec__state_merge(const struct aggregate *aggregate, struct aggregate_state *into,
                           const struct aggregate_state *from, struct arena *texts,
                           struct error *error)
{
    ASSERT(exec__state_can_merge(aggregate));
    status_t status = OK;
    bool counts = aggregate->kind == AGGREGATE_COUNT || aggregate->kind == AGGREGATE_COUNT_ROWS;
    if (from->count == 0)
        return OK;
    if (into->count == 0) {
        state_copy(aggregate, into, from, texts);
        return OK;
    }
    if (!counts)
        status = merge_values(aggregate, into, from, texts, error);
    into->count += from->count;
    return status;
}

/* ---- as bytes -----------------------------------------------------------------------------------
 */

struct slice exec__state_beside(const struct aggregate *aggregate,
                                const struct aggregate_state *state)
{
    ASSERT(exec__state_can_merge(aggregate));
    if (state->count == 0)
        return (struct slice){0};
    if (keeps_text(aggregate))
        return slice_make(state->as.text.data, state->as.text.size);
    if (exec__is_variance(aggregate->kind) || aggregate_is_of_pairs(aggregate->kind))
        return exec__spread_beside(aggregate, state);
    return (struct slice){0};
}

void exec__state_restore(const struct aggregate *aggregate, struct aggregate_state *state,
                         struct slice beside, struct arena *texts)
{
    if (state->count == 0 || (beside.size == 0 && !keeps_text(aggregate)))
        return;
    void *own = arena_alloc(texts, beside.size);
    memcpy(own, beside.data, beside.size);
    state->capacity = 0;
    if (keeps_text(aggregate))
        state->as.text.data = own;
    else if (aggregate_is_of_pairs(aggregate->kind))
        state->as.pairs = own;
    else
        state->as.exact = own;
}
