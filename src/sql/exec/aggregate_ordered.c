/* percentile_cont, percentile_disc and mode: aggregates WITHIN GROUP (ORDER BY value).
 *
 * A group's rows come in the order of their values (aggregate_sorted.c), and how many they are is
 * known: a percentile is found at its place, or between two, and the mode is the value that comes
 * most often in a row. */
#include "sql/exec/aggregate_int.h"

#include <math.h>

/* A value of its own: text is copied. */
static struct value own(struct value value, struct arena *texts)
{
    if (type_is_slice(value.type))
        value.as.text = arena_copy(texts, value.as.text);
    return value;
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

/* Where a percentile lies: at a place of the order, or so far from there to the next one. */
struct location {
    uint64_t first;
    uint64_t next;
    double part;
};

static status_t locate(const struct aggregate *aggregate, double fraction, uint64_t count,
                       struct location *out, struct error *error)
{
    if (!(fraction >= 0 && fraction <= 1))
        return error_sql(error, "22003", aggregate->separator->position,
                         "percentile value %g is not between 0 and 1", fraction);
    bool is_discrete = aggregate->kind == AGGREGATE_PERCENTILE_DISC;
    double exact =
        is_discrete ? fmax(ceil(fraction * (double)count), 1) - 1 : fraction * (double)(count - 1);
    out->first = (uint64_t)floor(exact);
    out->next = (uint64_t)ceil(exact);
    if (out->next >= count)
        out->next = count - 1;
    if (out->first > out->next)
        out->first = out->next;
    out->part = exact - (double)out->first;
    return OK;
}

static status_t percentile(struct sorted_values *sorted, uint32_t group, uint64_t count,
                           struct arena *texts, struct value *out, struct error *error)
{
    struct location location = {.first = UINT64_MAX, .next = UINT64_MAX};
    struct value low = *out, high = *out;
    status_t status = OK;
    for (uint64_t i = 0; i < count && status == OK; i++) {
        uint32_t place;
        const struct vector *columns = exec__sorted_values_row(sorted, group, &place);
        ASSERT(columns);
        struct value fraction = vector_get(&columns[SORTED_SECOND], place);
        if (i == 0 && !fraction.null) /* it is the same for all of a group */
            status = locate(sorted->aggregate, fraction.as.real, count, &location, error);
        if (i == location.first)
            low = own(vector_get(&columns[SORTED_VALUE], place), texts);
        if (i == location.next)
            high = own(vector_get(&columns[SORTED_VALUE], place), texts);
        if (status == OK)
            status = exec__sorted_values_next(sorted, error);
    }
    *out = low;
    if (status != OK || location.first == location.next)
        return status;
    return between(&low, &high, location.part, out, error);
}

/* Of several that are as frequent the one that comes first. */
static status_t mode(struct sorted_values *sorted, uint32_t group, uint64_t count,
                     struct arena *texts, struct value *out, struct error *error)
{
    struct arena text = {0};
    struct value value = *out;
    uint64_t equal = 0;
    uint64_t best = 0;
    status_t status = OK;
    for (uint64_t i = 0; i < count && status == OK; i++) {
        uint32_t place;
        const struct vector *columns = exec__sorted_values_row(sorted, group, &place);
        ASSERT(columns);
        struct value next = vector_get(&columns[SORTED_VALUE], place);
        if (i == 0 || value_compare(&next, &value) != 0) {
            arena_reset(&text);
            value = own(next, &text);
            equal = 0;
        }
        if (++equal > best) {
            best = equal;
            if (equal == 1 || value_compare(&value, out) != 0)
                *out = own(value, texts);
        }
        status = exec__sorted_values_next(sorted, error);
    }
    arena_free(&text);
    return status;
}

status_t exec__ordered_result(struct sorted_values *sorted, uint32_t group, uint64_t count,
                              struct arena *texts, struct value *out, struct error *error)
{
    const struct aggregate *aggregate = sorted->aggregate;
    ASSERT(aggregate_is_ordered_set(aggregate->kind));
    *out = value_null(aggregate->type);
    if (count == 0)
        return OK;
    if (aggregate->kind == AGGREGATE_MODE)
        return mode(sorted, group, count, texts, out, error);
    return percentile(sorted, group, count, texts, out, error);
}
