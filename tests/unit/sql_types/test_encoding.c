/* Keys and rows: properties over random values.
 *
 * Values are drawn from a pool of edge cases and neighbours as often as at random, because order
 * is lost at the edges first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/msgpack.h"
#include "base/prng.h"
#include "sql/types/types.h"

static struct arena arena;
static struct prng prng;

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

static int64_t random_integer(void)
{
    static const int64_t edges[] = {INT64_MIN,
                                    INT32_MIN,
                                    INT16_MIN,
                                    INT8_MIN,
                                    -33,
                                    -32,
                                    -1,
                                    0,
                                    127,
                                    128,
                                    255,
                                    256,
                                    65535,
                                    65536,
                                    UINT32_MAX,
                                    (int64_t)1 << 32,
                                    (int64_t)1 << 53,
                                    INT64_MAX};
    if (prng_chance(&prng, 1, 2))
        return edges[prng_below(&prng, sizeof edges / sizeof *edges)];
    return (int64_t)(prng_next(&prng) >> prng_below(&prng, 64));
}

/* One there is: an infinity, or within what the type reaches. */
static int64_t random_datetime(enum sql_type type)
{
    int64_t number = random_integer();
    bool infinite = number == DATETIME_INFINITY || number == DATETIME_MINUS_INFINITY;
    if (type == SQL_TIME)
        return (int64_t)((uint64_t)number % UINT64_C(86400000001));
    if (infinite)
        return number;
    return type == SQL_DATE ? number % 2440589 : number % INT64_C(210866803200000001);
}

static double random_double(void)
{
    static const double edges[] = {
        0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 0x1p-1022, 0x1p-44, 0x1.fffffffffffffp1023,
        0.1, -0.1};
    switch (prng_below(&prng, 4)) {
    case 0:
        return edges[prng_below(&prng, sizeof edges / sizeof *edges)];
    case 1:
        return prng_chance(&prng, 1, 2) ? __builtin_nan("") : __builtin_inf();
    case 2:
        return prng_chance(&prng, 1, 2) ? -__builtin_nan("") : -__builtin_inf();
    default:
        break;
    }
    uint64_t bits = prng_next(&prng);
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* Short texts over few bytes, so that prefixes of each other and zeros are common. */
static struct slice random_text(void)
{
    static const uint8_t alphabet[] = {0, 0, 1, 2, 'a', 0xfe, 0xff, 0xff};
    size_t most = prng_chance(&prng, 1, 100) ? 70000 : prng_chance(&prng, 1, 9) ? 300 : 5;
    size_t size = prng_below(&prng, most);
    uint8_t *bytes = arena_alloc(&arena, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = alphabet[prng_below(&prng, sizeof alphabet)];
    return slice_make(bytes, size);
}

/* Of few digits and all, with zeros at the end, so that equal values of different scale and
 * numbers that are the beginning of others are common. */
static struct numeric random_numeric(void)
{
    __int128 limit = (__int128)numeric_power_of_ten((uint32_t)prng_below(&prng, 37));
    unsigned __int128 bits = (unsigned __int128)prng_next(&prng) << 64 | prng_next(&prng);
    __int128 coefficient = (__int128)(bits % (unsigned __int128)limit);
    if (prng_chance(&prng, 1, 3)) {
        __int128 power = (__int128)numeric_power_of_ten((uint32_t)prng_below(&prng, 37));
        coefficient = coefficient / power * power;
    }
    if (prng_chance(&prng, 1, 4))
        coefficient %= 1000;
    if (prng_chance(&prng, 1, 2))
        coefficient = -coefficient;
    return numeric_make(coefficient,
                        (uint32_t)prng_below(&prng, prng_chance(&prng, 1, 2) ? 4 : 37));
}

static struct interval random_interval(void)
{
    static const int32_t few[] = {0, 0, 1, -1, 30, -30, INT32_MAX, INT32_MIN};
    struct interval interval = {.months = few[prng_below(&prng, 8)],
                                .days = few[prng_below(&prng, 8)],
                                .us = random_integer()};
    if (prng_chance(&prng, 1, 2))
        interval.us = few[prng_below(&prng, 6)] * INT64_C(86400000000);
    return interval;
}

static struct uuid random_uuid(void)
{
    struct uuid uuid;
    for (size_t i = 0; i < sizeof uuid; i++)
        uuid.bytes[i] = (uint8_t)(prng_chance(&prng, 1, 2) ? 0 : prng_next(&prng));
    return uuid;
}

static struct value random_value(enum sql_type type)
{
    if (prng_chance(&prng, 1, 8))
        return value_null(type);
    switch (type) {
    case SQL_BOOLEAN:
        return value_boolean(prng_chance(&prng, 1, 2));
    case SQL_INTEGER:
        return value_integer(random_integer());
    case SQL_DOUBLE:
        return value_double(random_double());
    case SQL_REAL:
        return value_real(random_double());
    case SQL_TEXT:
        return value_text(random_text());
    case SQL_BYTEA:
        return value_bytea(random_text());
    case SQL_NUMERIC:
        return value_numeric(random_numeric());
    case SQL_INTERVAL:
        return value_interval(random_interval());
    case SQL_UUID:
        return value_uuid(random_uuid());
    default:
        return value_datetime(type, random_datetime(type));
    }
}

static enum sql_type random_type(void)
{
    return (enum sql_type)prng_between(&prng, SQL_BOOLEAN, SQL_TYPE_COUNT - 1);
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

enum { TUPLE = 3 };

static void tuple_encode(struct buffer *key, const struct value *values, const bool *descending)
{
    buffer_reset(key);
    for (int i = 0; i < TUPLE; i++)
        key_append_value(key, &values[i], descending[i]);
}

static int tuple_compare(const struct value *a, const struct value *b, const bool *descending)
{
    for (int i = 0; i < TUPLE; i++) {
        int order = sign(value_compare(&a[i], &b[i]));
        if (order)
            return descending[i] ? -order : order;
    }
    return 0;
}

static void test_keys_sort_as_values_and_none_is_a_prefix(void **state)
{
    (void)state;
    prng_seed(&prng, 11);
    struct buffer left = {0};
    struct buffer right = {0};
    for (int round = 0; round < 60000; round++) {
        struct value a[TUPLE];
        struct value b[TUPLE];
        bool descending[TUPLE];
        for (int i = 0; i < TUPLE; i++) {
            enum sql_type type = random_type();
            descending[i] = prng_chance(&prng, 1, 2);
            a[i] = random_value(type);
            b[i] = prng_chance(&prng, 1, 2) ? a[i] : random_value(type);
        }
        tuple_encode(&left, a, descending);
        tuple_encode(&right, b, descending);
        struct slice l = buffer_slice(&left);
        struct slice r = buffer_slice(&right);
        int order = tuple_compare(a, b, descending);
        assert_int_equal(sign(slice_compare(l, r)), order);
        assert_int_equal(slice_has_prefix(l, r), order == 0);
        assert_int_equal(slice_has_prefix(r, l), order == 0);
        arena_reset(&arena);
    }
    buffer_free(&left);
    buffer_free(&right);
}

static void test_keys_read_back(void **state)
{
    (void)state;
    prng_seed(&prng, 12);
    struct buffer key = {0};
    for (int round = 0; round < 30000; round++) {
        struct value values[TUPLE];
        bool descending[TUPLE];
        for (int i = 0; i < TUPLE; i++) {
            values[i] = random_value(random_type());
            descending[i] = prng_chance(&prng, 1, 2);
        }
        tuple_encode(&key, values, descending);
        struct slice rest = buffer_slice(&key);
        struct slice skipped = rest;
        for (int i = 0; i < TUPLE; i++) {
            struct value back;
            assert_int_equal(key_take_value(&rest, values[i].type, descending[i], &arena, &back),
                             OK);
            assert_int_equal(key_skip_value(&skipped, values[i].type, descending[i]), OK);
            assert_ptr_equal(skipped.data, rest.data);
            assert_int_equal(back.type, values[i].type);
            assert_int_equal(value_compare(&back, &values[i]), 0);
        }
        assert_int_equal(rest.size, 0);
        /* Every beginning of it ends in an error, at the value that is cut. */
        size_t cut = prng_below(&prng, key.size);
        rest = slice_make(key.data, cut);
        status_t status = OK;
        for (int i = 0; i < TUPLE && status == OK; i++) {
            struct value back;
            skipped = rest;
            status = key_take_value(&rest, values[i].type, descending[i], &arena, &back);
            assert_int_equal(key_skip_value(&skipped, values[i].type, descending[i]), status);
        }
        assert_int_equal(status, ERR_CORRUPT);
        arena_reset(&arena);
    }
    buffer_free(&key);
}

static void test_plain_text_in_a_key_is_not_copied(void **state)
{
    (void)state;
    struct buffer key = {0};
    struct value value = value_text(slice_from_string("plain"));
    key_append_value(&key, &value, false);
    struct slice rest = buffer_slice(&key);
    struct value back;
    assert_int_equal(key_take_value(&rest, SQL_TEXT, false, NULL, &back), OK);
    assert_ptr_equal(back.as.text.data, key.data + 1);
    buffer_free(&key);
}

static void test_prefix_end(void **state)
{
    (void)state;
    struct buffer key = {0};
    buffer_append(&key, "a\xff\xff", 3);
    assert_true(key_prefix_end(&key));
    assert_true(slice_equal(buffer_slice(&key), slice_from_string("b")));
    buffer_reset(&key);
    buffer_append(&key, "a\x01", 2);
    assert_true(key_prefix_end(&key));
    assert_true(slice_equal(buffer_slice(&key), slice_from_string("a\x02")));
    buffer_reset(&key);
    buffer_append(&key, "\xff\xff", 2);
    assert_false(key_prefix_end(&key));
    buffer_reset(&key);
    assert_false(key_prefix_end(&key));
    buffer_free(&key);
}

/* ---- rows -------------------------------------------------------------------------------------
 */

enum { WIDE = 40, MANY = 300 };

static bool same(const struct value *a, const struct value *b)
{
    return a->type == b->type && value_compare(a, b) == 0;
}

/* A random row, and a random choice of its columns and of some behind its end. */
static void test_rows_read_back(void **state)
{
    (void)state;
    prng_seed(&prng, 13);
    struct buffer row = {0};
    for (int round = 0; round < 20000; round++) {
        struct value values[WIDE];
        uint32_t count = (uint32_t)prng_below(&prng, WIDE + 1);
        for (uint32_t i = 0; i < count; i++)
            values[i] = random_value(random_type());
        uint32_t ordinals[WIDE + 5];
        enum sql_type types[WIDE + 5];
        struct value missing[WIDE + 5];
        uint32_t wanted = 0;
        for (uint32_t i = 0; i < count + 5; i++) {
            if (prng_chance(&prng, 1, 2))
                continue;
            ordinals[wanted] = i;
            types[wanted] = i < count ? values[i].type : random_type();
            missing[wanted] = random_value(types[wanted]);
            wanted++;
        }
        uint32_t at = (uint32_t)prng_below(&prng, 70);
        struct batch *batch = batch_create(&arena, types, wanted, 70);
        struct vector *targets[WIDE + 5];
        for (uint32_t i = 0; i < wanted; i++) {
            targets[i] = &batch->columns[i];
            if (prng_chance(&prng, 1, 4))
                vector_set_null(targets[i], at);
        }
        struct row_shape shape = {ordinals, types, missing, wanted};
        buffer_reset(&row);
        row_encode(&row, values, count);
        assert_int_equal(row_decode(buffer_slice(&row), &shape, targets, at), OK);
        for (uint32_t i = 0; i < wanted; i++) {
            struct value back = vector_get(targets[i], at);
            assert_true(same(&back, ordinals[i] < count ? &values[ordinals[i]] : &missing[i]));
        }
        /* Cut anywhere, it is an error when its last value was asked for. */
        bool to_the_end = false;
        for (uint32_t i = 0; i < wanted; i++)
            to_the_end |= ordinals[i] + 1 == count;
        status_t status =
            row_decode(slice_make(row.data, prng_below(&prng, row.size)), &shape, targets, at);
        assert_true(status == ERR_CORRUPT || (status == OK && !to_the_end));
        arena_reset(&arena);
    }
    buffer_free(&row);
}

/* Rows of one table: some written before it had all its columns. */
struct table_of_rows {
    enum sql_type types[WIDE];
    struct value missing[WIDE];
    uint32_t ordinals[WIDE];
    struct row_shape shape;
    struct slice rows[MANY];
    uint32_t count;
};

/* In memory of its own, in which a read behind its end is seen. */
static struct slice row_make(const enum sql_type *types, uint32_t columns)
{
    struct value values[WIDE];
    struct buffer row = {0};
    for (uint32_t i = 0; i < columns; i++)
        values[i] = random_value(types[i]);
    row_encode(&row, values, columns);
    uint8_t *bytes = mem_alloc(row.size);
    memcpy(bytes, row.data, row.size);
    struct slice made = slice_make(bytes, row.size);
    buffer_free(&row);
    return made;
}

static void table_make(struct table_of_rows *table)
{
    enum sql_type types[WIDE];
    uint32_t columns = 1 + (uint32_t)prng_below(&prng, WIDE);
    for (uint32_t i = 0; i < columns; i++)
        types[i] = random_type();
    table->shape = (struct row_shape){
        .ordinals = table->ordinals, .types = table->types, .missing = table->missing};
    for (uint32_t i = 0; i < columns; i++) {
        if (prng_chance(&prng, 1, 2))
            continue;
        uint32_t at = table->shape.count++;
        table->ordinals[at] = i;
        table->types[at] = types[i];
        table->missing[at] = random_value(types[i]);
    }
    bool old = prng_chance(&prng, 1, 3);
    table->count = (uint32_t)prng_below(&prng, MANY + 1);
    for (uint32_t r = 0; r < table->count; r++)
        table->rows[r] = row_make(types, old && prng_chance(&prng, 1, 9)
                                             ? (uint32_t)prng_below(&prng, columns + 1)
                                             : columns);
}

static void targets_make(const struct table_of_rows *table, struct vector **targets)
{
    struct batch *batch = batch_create(&arena, table->types, table->shape.count, MANY + 3);
    for (uint32_t i = 0; i < table->shape.count; i++) {
        targets[i] = &batch->columns[i];
        for (uint32_t row = 0; row < MANY && prng_chance(&prng, 1, 4); row++)
            vector_set_null(targets[i], row);
    }
}

/* Many rows at once are decoded as each by itself, all of them or some, and so are corrupt ones. */
static void test_many_rows_are_read_as_one_by_one(void **state)
{
    (void)state;
    prng_seed(&prng, 14);
    for (int round = 0; round < 600; round++) {
        static struct table_of_rows table;
        struct vector *many[WIDE], *single[WIDE];
        uint32_t which[MANY], some = 0, at = (uint32_t)prng_below(&prng, 3);
        memset(&table, 0, sizeof table);
        table_make(&table);
        targets_make(&table, many);
        targets_make(&table, single);
        bool damaged = table.count > 0 && prng_chance(&prng, 1, 3);
        if (damaged) {
            struct slice *row = &table.rows[prng_below(&prng, table.count)];
            if (prng_chance(&prng, 1, 2))
                row->size = prng_below(&prng, row->size + 1);
            else
                ((uint8_t *)(uintptr_t)row->data)[prng_below(&prng, row->size)] ^=
                    (uint8_t)(1 + prng_below(&prng, 255));
        }
        bool listed = prng_chance(&prng, 1, 2);
        for (uint32_t r = 0; r < table.count; r++) {
            if (!listed || prng_chance(&prng, 1, 3))
                which[some++] = r;
        }
        status_t status = OK;
        at = listed ? 0 : at;
        for (uint32_t i = 0; i < some && status == OK; i++)
            status = row_decode(table.rows[which[i]], &table.shape, single, at + which[i]);
        status_t got =
            listed
                ? row_decode_some(table.rows, sizeof *table.rows, which, some, &table.shape, many)
                : row_decode_many(table.rows, sizeof *table.rows, some, &table.shape, many, at);
        assert_int_equal(got, status);
        assert_true(damaged || status == OK);
        for (uint32_t c = 0; c < table.shape.count && status == OK; c++) {
            for (uint32_t i = 0; i < some; i++) {
                struct value a = vector_get(many[c], at + which[i]);
                struct value b = vector_get(single[c], at + which[i]);
                assert_true(same(&a, &b));
            }
        }
        for (uint32_t r = 0; r < table.count; r++)
            mem_free((void *)(uintptr_t)table.rows[r].data);
        arena_reset(&arena);
    }
}

/* Rows are MessagePack as others read it. */
static void test_a_row_is_one_msgpack_array(void **state)
{
    (void)state;
    struct value values[] = {value_integer(-7), value_text(slice_from_string("x")),
                             value_null(SQL_TEXT), value_double(0.5), value_boolean(true)};
    struct buffer row = {0};
    row_encode(&row, values, 5);
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, buffer_slice(&row));
    assert_int_equal(msgpack_get_array(&reader), 5);
    assert_int_equal(msgpack_get_int(&reader), -7);
    assert_true(slice_equal(msgpack_get_str(&reader), slice_from_string("x")));
    struct msgpack_value value;
    assert_true(msgpack_next(&reader, &value) && value.type == MSGPACK_NIL);
    assert_true(msgpack_next(&reader, &value) && value.type == MSGPACK_DOUBLE);
    assert_true(msgpack_next(&reader, &value) && value.type == MSGPACK_BOOL);
    assert_true(msgpack_done(&reader));
    buffer_free(&row);
}

/* Dates and times are written as integers. */
static bool written_alike(enum sql_type a, enum sql_type b)
{
    bool integers = type_storage(a) == SQL_INTEGER && type_storage(b) == SQL_INTEGER;
    return a == b || integers;
}

static void test_a_value_of_another_type_is_corrupt(void **state)
{
    (void)state;
    struct value values[] = {value_boolean(true),
                             value_integer(7),
                             value_double(7),
                             value_text(slice_from_string("7")),
                             value_real(7),
                             value_numeric(numeric_make(7, 0)),
                             value_bytea(slice_from_string("7")),
                             value_datetime(SQL_DATE, 7),
                             value_interval((struct interval){.days = 7}),
                             value_uuid((struct uuid){.bytes = {7}})};
    static const uint32_t ordinal;
    struct buffer row = {0};
    for (uint32_t written = 0; written < sizeof values / sizeof *values; written++) {
        for (enum sql_type read = SQL_BOOLEAN; read < SQL_TYPE_COUNT; read++) {
            buffer_reset(&row);
            row_encode(&row, &values[written], 1);
            struct vector vector;
            vector_init(&vector, &arena, read, 1);
            struct vector *target = &vector;
            struct value missing = value_null(read);
            struct row_shape shape = {&ordinal, &read, &missing, 1};
            assert_int_equal(row_decode(buffer_slice(&row), &shape, &target, 0),
                             written_alike(values[written].type, read) ? OK : ERR_CORRUPT);
        }
    }
    /* An unsigned number above the range, a map, an empty row. */
    struct slice bad[] = {slice_make("\x91\xcf\xff\0\0\0\0\0\0\0", 10), slice_make("\x91\x80", 2),
                          slice_make("\x80", 1), slice_make(NULL, 0)};
    enum sql_type integer = SQL_INTEGER;
    struct vector vector;
    vector_init(&vector, &arena, integer, 1);
    struct vector *target = &vector;
    struct value missing = value_null(integer);
    struct row_shape shape = {&ordinal, &integer, &missing, 1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(row_decode(bad[i], &shape, &target, 0), ERR_CORRUPT);
    buffer_free(&row);
}

static void test_dates_that_do_not_exist_are_corrupt(void **state)
{
    (void)state;
    static const struct {
        enum sql_type type;
        int64_t number;
    } cases[] = {{SQL_DATE, INT64_MAX - 1},
                 {SQL_DATE, -2440589},
                 {SQL_TIME, -1},
                 {SQL_TIME, INT64_C(86400000001)},
                 {SQL_TIMESTAMP, INT64_MIN + 1},
                 {SQL_TIMESTAMPTZ, INT64_MAX - 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value integer = value_integer(cases[i].number);
        struct buffer bytes = {0};
        struct value out;
        key_append_value(&bytes, &integer, false);
        struct slice key = buffer_slice(&bytes);
        assert_int_equal(key_take_value(&key, cases[i].type, false, &arena, &out), ERR_CORRUPT);
        assert_int_equal(key.size, bytes.size);
        buffer_reset(&bytes);
        row_encode(&bytes, &integer, 1);
        const uint32_t ordinal = 0;
        struct value missing = value_null(cases[i].type);
        struct row_shape shape = {&ordinal, &cases[i].type, &missing, 1};
        struct vector vector;
        struct vector *target = &vector;
        vector_init(&vector, &arena, cases[i].type, 1);
        assert_int_equal(row_decode(buffer_slice(&bytes), &shape, &target, 0), ERR_CORRUPT);
        buffer_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_sort_as_values_and_none_is_a_prefix),
        cmocka_unit_test(test_keys_read_back),
        cmocka_unit_test(test_plain_text_in_a_key_is_not_copied),
        cmocka_unit_test(test_prefix_end),
        cmocka_unit_test(test_rows_read_back),
        cmocka_unit_test(test_many_rows_are_read_as_one_by_one),
        cmocka_unit_test(test_a_row_is_one_msgpack_array),
        cmocka_unit_test(test_dates_that_do_not_exist_are_corrupt),
        cmocka_unit_test(test_a_value_of_another_type_is_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
