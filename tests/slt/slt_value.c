/* Results as the scripts have them: one value a line, sorted and hashed as a record asks. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/md5.h"
#include "slt.h"

static struct slice text_of(struct arena *arena, const char *text)
{
    return arena_copy(arena, slice_from_string(text));
}

/* A number in a text counts as far as it goes, as SQLite has it. */
static double number_of(const struct value *value)
{
    switch (type_storage(value->type)) {
    case SQL_BOOLEAN:
        return value->as.boolean;
    case SQL_INTEGER:
        return (double)value->as.integer;
    case SQL_DOUBLE:
        return value->as.real;
    case SQL_NUMERIC:
        return numeric_to_double(value->as.numeric);
    default: {
        char digits[64] = {0};
        size_t size = value->as.text.size < sizeof digits ? value->as.text.size : sizeof digits - 1;
        memcpy(digits, value->as.text.data, size);
        return strtod(digits, NULL);
    }
    }
}

static struct slice printable(struct arena *arena, const struct value *value)
{
    if (value->type == SQL_BOOLEAN)
        return text_of(arena, value->as.boolean ? "1" : "0");
    if (type_storage(value->type) == SQL_DOUBLE)
        return text_of(arena, arena_printf(arena, "%.3f", value->as.real));
    struct buffer text = {0};
    value_format(value, &text);
    uint8_t *copy = arena_alloc(arena, text.size + 1);
    for (size_t i = 0; i < text.size; i++)
        copy[i] = text.data[i] < ' ' || text.data[i] > '~' ? '@' : text.data[i];
    struct slice out = slice_make(copy, text.size);
    buffer_free(&text);
    return out.size > 0 ? out : text_of(arena, "(empty)");
}

void slt_result_add(struct slt_result *result, const struct value *value, char type)
{
    struct arena *arena = result->arena;
    struct slice text;
    if (value->null)
        text = text_of(arena, "NULL");
    else if (type == 'I' && value->type == SQL_INTEGER)
        text = text_of(arena, arena_printf(arena, "%lld", (long long)value->as.integer));
    else if (type == 'I')
        text = text_of(arena, arena_printf(arena, "%lld", (long long)number_of(value)));
    else if (type == 'R')
        text = text_of(arena, arena_printf(arena, "%.3f", number_of(value)));
    else
        text = printable(arena, value);
    result->values = arena_grow(arena, result->values, &result->capacity, result->count + 1,
                                sizeof *result->values);
    result->values[result->count++] = text;
}

static int compare_values(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct slt_result *result = context;
    const struct slice *x = a;
    const struct slice *y = b;
    int order = 0;
    for (uint32_t i = 0; i < result->columns && order == 0; i++)
        order = slice_compare(x[i], y[i]);
    return order;
}

void slt_result_sort(struct slt_result *result, enum slt_sort sort)
{
    if (result->count == 0)
        return;
    ASSERT(result->columns > 0 && result->count % result->columns == 0);
    if (sort == SLT_VALUESORT)
        qsort(result->values, result->count, sizeof *result->values, compare_values);
    if (sort == SLT_ROWSORT)
        qsort_r(result->values, result->count / result->columns,
                result->columns * sizeof *result->values, compare_rows, result);
}

void slt_result_digest(const struct slt_result *result, char out[static 33])
{
    struct buffer all = {0};
    for (uint32_t i = 0; i < result->count; i++) {
        buffer_append_slice(&all, result->values[i]);
        buffer_append_byte(&all, '\n');
    }
    md5_hex(buffer_slice(&all), out);
    out[32] = 0;
    buffer_free(&all);
}

bool slt_result_matches(const struct slt_result *result, const struct slt_record *record)
{
    static const char hashed[] = " values hashing to ";
    if (record->expected_count == 1) {
        struct slice line = record->expected[0];
        const uint8_t *at = memmem(line.data, line.size, hashed, strlen(hashed));
        if (at) {
            char digest[33];
            slt_result_digest(result, digest);
            struct slice wanted = slice_make(line.data, line.size);
            char own[80];
            snprintf(own, sizeof own, "%u%s%s", result->count, hashed, digest);
            return slice_equal(wanted, slice_from_string(own));
        }
    }
    if (record->expected_count != result->count)
        return false;
    for (uint32_t i = 0; i < result->count; i++) {
        if (!slice_equal(result->values[i], record->expected[i]))
            return false;
    }
    return true;
}
