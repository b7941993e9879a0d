/* Rows and keys of foreign bytes: an error or values, all of them inside the input; and a key that
 * was understood is written again as it was, where writing is unique. */
#include "fuzz_sql_types.h"

#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql/types/types.h"

enum { COLUMNS_MAX = 7 };

static enum sql_type type_of(uint8_t choice)
{
    return (enum sql_type)(SQL_BOOLEAN + (choice & 15) % (SQL_TYPE_COUNT - SQL_BOOLEAN));
}

/* Reads each byte, so that a sanitizer sees a slice that reaches too far. */
static uint32_t sum(struct slice text)
{
    uint32_t total = 0;
    for (size_t i = 0; i < text.size; i++)
        total += text.data[i];
    return total;
}

static void text_check(const struct value *value, struct slice input)
{
    if (value->null || !type_is_slice(value->type))
        return;
    ASSERT(value->as.text.data >= input.data);
    ASSERT(value->as.text.data + value->as.text.size <= input.data + input.size);
    MAYBE(sum(value->as.text) == 0);
}

int fuzz_row(const uint8_t *data, size_t size)
{
    uint32_t count = size ? data[0] & 7 : 0;
    if (size < 1 + count)
        return 0;
    /* A copy of exactly that size, so that reading one byte too far is seen. */
    size_t row_size = size - 1 - count;
    uint8_t *copy = mem_alloc(row_size);
    if (row_size)
        memcpy(copy, data + 1 + count, row_size);
    struct slice row = slice_make(copy, row_size);
    struct arena arena = {0};
    uint32_t ordinals[COLUMNS_MAX];
    enum sql_type types[COLUMNS_MAX];
    struct value missing[COLUMNS_MAX];
    struct vector *targets[COLUMNS_MAX];
    uint32_t ordinal = 0;
    for (uint32_t i = 0; i < count; i++) {
        types[i] = type_of(data[1 + i]);
        ordinal += data[1 + i] >> 4 & 7;
        ordinals[i] = ordinal++;
        missing[i] = value_null(types[i]);
    }
    struct batch *batch = batch_create(&arena, types, count, 1);
    for (uint32_t i = 0; i < count; i++)
        targets[i] = &batch->columns[i];
    struct row_shape shape = {ordinals, types, missing, count};
    status_t status = row_decode(row, &shape, targets, 0);
    ASSERT(status == OK || status == ERR_CORRUPT);
    for (uint32_t i = 0; i < count && status == OK; i++) {
        struct value value = vector_get(targets[i], 0);
        text_check(&value, row);
    }
    arena_free(&arena);
    mem_free(copy);
    return 0;
}

int fuzz_key(const uint8_t *data, size_t size)
{
    uint32_t count = size ? data[0] & 7 : 0;
    if (size < 1 + count)
        return 0;
    size_t key_size = size - 1 - count;
    uint8_t *copy = mem_alloc(key_size);
    if (key_size)
        memcpy(copy, data + 1 + count, key_size);
    struct slice rest = slice_make(copy, key_size);
    struct arena arena = {0};
    struct buffer again = {0};
    status_t status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        enum sql_type type = type_of(data[1 + i]);
        bool descending = data[1 + i] & 16;
        struct slice before = rest;
        struct slice skipped = rest;
        struct value value;
        status = key_take_value(&rest, type, descending, &arena, &value);
        ASSERT(status == OK || status == ERR_CORRUPT);
        status_t skip = key_skip_value(&skipped, type, descending);
        /* What these are made of is not looked at when they are only skipped. */
        bool unseen = type == SQL_BOOLEAN || type == SQL_NUMERIC || type == SQL_INTERVAL ||
                      type == SQL_DATE || type == SQL_TIME || type == SQL_TIMESTAMP ||
                      type == SQL_TIMESTAMPTZ;
        ASSERT(skip == status || (skip == OK && unseen));
        if (status != OK)
            break;
        ASSERT(rest.data == skipped.data && rest.size == skipped.size);
        buffer_reset(&again);
        key_append_value(&again, &value, descending);
        size_t taken = before.size - rest.size;
        /* Of the doubles -0 and NaN have several forms, of which one is written. */
        ASSERT(again.size == taken);
        ASSERT(type_storage(type) == SQL_DOUBLE || memcmp(again.data, before.data, taken) == 0);
        MAYBE(type_is_slice(type) && !value.null && sum(value.as.text) == 0);
    }
    buffer_free(&again);
    arena_free(&arena);
    mem_free(copy);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    return data[0] & 1 ? fuzz_key(data + 1, size - 1) : fuzz_row(data + 1, size - 1);
}
