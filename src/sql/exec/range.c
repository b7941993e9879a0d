/* Key ranges: from values to byte bounds.
 *
 * An index key is the index's prefix and then one encoded value a column; no encoded value is a
 * prefix of another. So all keys with given first columns are those that begin with those bytes:
 * from the prefix itself up to the smallest key above all that begin with it. Values begin with the
 * byte 01, NULLs with 02 (all bytes inverted in a descending column): a range with a bound leaves
 * NULLs out by that byte. */
#include "sql/exec/exec_int.h"

enum { TAG_VALUE = 0x01, TAG_NULL = 0x02 };

/* No stored key is longer than STORE_KEY_MAX. Of such keys exactly those below prefix_end(first
 * STORE_KEY_MAX bytes of a longer bound) are below the bound. */
static void bound_clamp(struct buffer *bound)
{
    if (bound->size <= STORE_KEY_MAX)
        return;
    bound->size = STORE_KEY_MAX;
    bool any_above = key_prefix_end(bound);
    ASSERT(any_above); /* all keys begin with 0x20 */
}

static void bound_above(struct buffer *bound)
{
    bool any_above = key_prefix_end(bound);
    ASSERT(any_above);
}

/* `first` and `last` are the column's bounds in the order of the keys. */
static void column_bounds(const struct key_range *range, bool descending, const struct value *lower,
                          const struct value *upper, struct buffer *low, struct buffer *high)
{
    const struct value *first = descending ? upper : lower;
    const struct value *last = descending ? lower : upper;
    bool first_inclusive = descending ? range->upper_inclusive : range->lower_inclusive;
    bool last_inclusive = descending ? range->lower_inclusive : range->upper_inclusive;
    if (first) {
        key_append_value(low, first, descending);
        if (!first_inclusive)
            bound_above(low);
    } else {
        buffer_append_byte(low, descending ? (uint8_t)~TAG_VALUE : TAG_VALUE);
    }
    if (last) {
        key_append_value(high, last, descending);
        if (last_inclusive)
            bound_above(high);
    } else {
        buffer_append_byte(high, descending ? (uint8_t)~TAG_VALUE : TAG_VALUE);
        bound_above(high);
    }
}

uint32_t exec__range_exprs(const struct key_range *range, const struct expr **exprs)
{
    uint32_t count = 0;
    ASSERT(range->equal_count <= CATALOG_KEY_COLUMNS_MAX);
    for (uint32_t i = 0; i < range->equal_count; i++)
        exprs[count++] = range->equal[i];
    if (range->lower)
        exprs[count++] = range->lower;
    if (range->upper)
        exprs[count++] = range->upper;
    return count;
}

status_t exec__range_bounds(const struct table *table, const struct index *index,
                            const struct key_range *range, const struct value *values,
                            struct buffer *low, struct buffer *high, struct bounds *bounds,
                            bool *empty, struct error *error)
{
    bool bounded = range->lower || range->upper;
    ASSERT(range->equal_count + bounded <= index_key_count(index));
    uint32_t value_count = range->equal_count + (range->lower != NULL) + (range->upper != NULL);
    *empty = false;
    *bounds = (struct bounds){0};
    for (uint32_t i = 0; i < value_count; i++)
        *empty = *empty || values[i].null;
    if (*empty)
        return OK;
    buffer_reset(low);
    buffer_reset(high);
    index_key_prefix(table, index, low);
    for (uint32_t i = 0; i < range->equal_count; i++) {
        ASSERT(values[i].type == table->columns[index->columns[i]].type.kind);
        key_append_value(low, &values[i], index->descending[i]);
    }
    if (!bounded && range->equal_count == index_key_count(index) &&
        (index->id == 0 || index->unique)) {
        *empty = low->size > STORE_KEY_MAX;
        bounds->is_point = true;
        bounds->low = buffer_slice(low);
        return low->failed ? error_set(error, ERR_TOO_LONG, "key is too long") : OK;
    }
    buffer_append_slice(high, buffer_slice(low));
    if (bounded) {
        const struct value *lower = range->lower ? &values[range->equal_count] : NULL;
        const struct value *upper = range->upper ? &values[value_count - 1] : NULL;
        column_bounds(range, index->descending[range->equal_count], lower, upper, low, high);
    } else {
        bound_above(high);
    }
    if (low->failed || high->failed)
        return error_set(error, ERR_TOO_LONG, "key is too long");
    bound_clamp(low);
    bound_clamp(high);
    bounds->low = buffer_slice(low);
    bounds->high = buffer_slice(high);
    *empty = slice_compare(bounds->low, bounds->high) >= 0;
    return OK;
}
