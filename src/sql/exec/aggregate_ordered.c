/* percentile_cont, percentile_disc and mode: aggregates WITHIN GROUP (ORDER BY value).
 *
 * A group's values are kept as they come. A percentile needs only the value at one place of their
 * order, which is found by Hoare's selection: partition around a value picked at random, go on in
 * the part that has the place. The mode needs them sorted. */
#include "sql/exec/exec_int.h"

#include <math.h>
#include <stdlib.h>

struct aggregate_values {
    struct value *items;
    uint32_t capacity;
    struct value fraction; /* of the last row: it is the same for all of a group */
};

/* A value of its own: text is copied. */
static struct value own(struct value value, struct arena *texts)
{
    if (type_is_slice(value.type) && value.as.text.size > 0) {
        char *copy = arena_strndup(texts, (const char *)value.as.text.data, value.as.text.size);
        value.as.text = slice_make(copy, value.as.text.size);
    }
    return value;
}

void exec__ordered_take(struct aggregate_state *states, const struct aggregate_intake *intake,
                        struct arena *texts)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        uint32_t row = intake->rows[i];
        struct aggregate_state *state = exec__state_of(states, intake, row);
        if (!state->as.values)
            state->as.values = arena_zalloc(texts, sizeof *state->as.values);
        struct aggregate_values *values = state->as.values;
        values->items = arena_grow(texts, values->items, &values->capacity,
                                   (uint32_t)state->count + 1, sizeof *values->items);
        values->items[state->count++] = own(vector_get(intake->values, row), texts);
        if (intake->separators)
            values->fraction = vector_get(intake->separators, row);
    }
}

static void swap(struct value *a, struct value *b)
{
    struct value kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves the value that belongs to `place` of the order there; before it none is greater, behind it
 * none is less. */
static void select_place(struct value *items, uint64_t count, uint64_t place)
{
    uint64_t low = 0;
    uint64_t high = count;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15);
    ASSERT(place < count);
    while (high - low > 1) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        struct value pivot = items[low + random % (high - low)];
        /* Three parts: less, equal (from `less` to `at`), not yet looked at, greater (from
         * `greater` on). */
        uint64_t less = low;
        uint64_t at = low;
        uint64_t greater = high;
        while (at < greater) {
            int order = value_compare(&items[at], &pivot);
            if (order < 0)
                swap(&items[less++], &items[at++]);
            else if (order > 0)
                swap(&items[at], &items[--greater]);
            else
                at++;
        }
        if (place < less)
            high = less;
        else if (place >= greater)
            low = greater;
        else
            return;
    }
}

static status_t between(const struct value *low, const struct value *high, double part,
                        struct value *out, struct error *error)
{
    *out = *low;
    if (part == 0)
        return OK;
    if (low->type == SQL_DOUBLE) {
        *out = value_double(low->as.real + part * (high->as.real - low->as.real));
        return OK;
    }
    ASSERT(low->type == SQL_INTERVAL);
    struct interval way;
    status_t status = interval_negate(low->as.interval, &way, error);
    if (status == OK)
        status = interval_add(high->as.interval, way, &way, error);
    if (status == OK)
        status = interval_multiply(way, part, &way, error);
    if (status == OK)
        status = interval_add(low->as.interval, way, &out->as.interval, error);
    return status;
}

static status_t percentile(const struct aggregate *aggregate, struct aggregate_values *values,
                           uint64_t count, struct value *out, struct error *error)
{
    double fraction = values->fraction.as.real;
    if (values->fraction.null)
        return OK;
    if (!(fraction >= 0 && fraction <= 1))
        return error_sql(error, "22003", aggregate->separator->position,
                         "percentile value %g is not between 0 and 1", fraction);
    bool is_discrete = aggregate->kind == AGGREGATE_PERCENTILE_DISC;
    double exact =
        is_discrete ? fmax(ceil(fraction * (double)count), 1) - 1 : fraction * (double)(count - 1);
    uint64_t first = (uint64_t)floor(exact);
    uint64_t next = (uint64_t)ceil(exact);
    if (next >= count)
        next = count - 1;
    if (first > next)
        first = next;
    double part = exact - (double)first;
    uint64_t last = count - 1;
    struct value *items = values->items;
    uint64_t place = aggregate->descending ? last - first : first;
    select_place(items, count, place);
    struct value low = items[place];
    if (is_discrete || first == next) {
        *out = low;
        return OK;
    }
    uint64_t other = aggregate->descending ? last - next : next;
    select_place(items, count, other);
    return between(&low, &items[other], part, out, error);
}

static int compare(const void *a, const void *b)
{
    return value_compare(a, b);
}

/* The most frequent; of several the one that comes first in the order. */
static struct value most_frequent(const struct aggregate *aggregate, struct value *items,
                                  uint64_t count)
{
    uint64_t best = 0;
    struct value found = items[0];
    qsort(items, count, sizeof *items, compare);
    for (uint64_t i = 0; i < count;) {
        uint64_t end = i + 1;
        while (end < count && value_compare(&items[i], &items[end]) == 0)
            end++;
        if (end - i > best || (aggregate->descending && end - i == best)) {
            best = end - i;
            found = items[i];
        }
        i = end;
    }
    return found;
}

status_t exec__ordered_result(const struct aggregate *aggregate,
                              const struct aggregate_state *state, struct value *out,
                              struct error *error)
{
    ASSERT(state->count > 0 && state->as.values);
    *out = value_null(aggregate->type);
    if (aggregate->kind != AGGREGATE_MODE)
        return percentile(aggregate, state->as.values, state->count, out, error);
    *out = most_frequent(aggregate, state->as.values->items, state->count);
    return OK;
}
