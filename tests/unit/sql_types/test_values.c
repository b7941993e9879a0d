/* Types, values, casts and printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sql/types/types.h"

static struct arena arena;

static struct value text(const char *string)
{
    return value_text(slice_from_string(string));
}

static const char *shown(const struct value *value)
{
    static struct buffer buffer;
    buffer_reset(&buffer);
    value_format(value, &buffer);
    const char *copy = arena_strndup(&arena, (const char *)buffer.data, buffer.size);
    buffer_free(&buffer);
    return copy;
}

static const char *shown_double(double real)
{
    struct value value = value_double(real);
    return shown(&value);
}

static void test_doubles_print_as_postgresql_does(void **state)
{
    (void)state;
    assert_string_equal(shown_double(0.1), "0.1");
    assert_string_equal(shown_double(3), "3");
    assert_string_equal(shown_double(-0.0), "-0");
    assert_string_equal(shown_double(1e100), "1e+100");
    assert_string_equal(shown_double(1e-7), "1e-07");
    assert_string_equal(shown_double(0.0001), "0.0001");
    assert_string_equal(shown_double(0.00001234), "1.234e-05");
    assert_string_equal(shown_double(100000000000000.0), "100000000000000");
    assert_string_equal(shown_double(1e15), "1e+15");
    assert_string_equal(shown_double(123456789012345678.0), "1.2345678901234568e+17");
    assert_string_equal(shown_double(0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(shown_double(1.0 / 3), "0.3333333333333333");
    assert_string_equal(shown_double(-12345.678), "-12345.678");
    assert_string_equal(shown_double(5e-324), "5e-324");
    assert_string_equal(shown_double(1.7976931348623157e308), "1.7976931348623157e+308");
    assert_string_equal(shown_double(0x1p-44), "5.684341886080802e-14");
    assert_string_equal(shown_double(__builtin_inf()), "Infinity");
    assert_string_equal(shown_double(-__builtin_inf()), "-Infinity");
    assert_string_equal(shown_double(__builtin_nan("")), "NaN");
}

static void test_random_doubles_read_back(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 7);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = prng_next(&prng);
        if (i % 4 == 0)
            bits &= ~(uint64_t)0 << 52; /* powers of two */
        if (i % 4 == 1)
            bits &= ((uint64_t)1 << (i % 52 + 1)) - 1; /* subnormals */
        double real;
        memcpy(&real, &bits, sizeof real);
        struct value printed = text(shown_double(real));
        struct value back;
        assert_int_equal(value_cast(&printed, SQL_DOUBLE, &arena, 0, &back, NULL), OK);
        struct value original = value_double(real);
        assert_int_equal(value_compare(&back, &original), 0);
        arena_reset(&arena);
    }
}

static void test_other_types_print(void **state)
{
    (void)state;
    struct value value = value_boolean(true);
    assert_string_equal(shown(&value), "t");
    value = value_integer(INT64_MIN);
    assert_string_equal(shown(&value), "-9223372036854775808");
    value = value_integer(0);
    assert_string_equal(shown(&value), "0");
    value = text("abc");
    assert_string_equal(shown(&value), "abc");
    value = value_null(SQL_TEXT);
    assert_string_equal(shown(&value), "");
}

/* The cast's result as text, or "SQLSTATE message". */
static const char *cast(struct value value, enum sql_type type)
{
    struct error error;
    struct value out;
    if (value_cast(&value, type, &arena, 5, &out, &error) != OK) {
        assert_int_equal(error.position, 5);
        return arena_printf(&arena, "%s %s", error.sqlstate, error.message);
    }
    assert_int_equal(out.type, type);
    return out.null ? "null" : shown(&out);
}

static void test_cast_text_to_integer(void **state)
{
    (void)state;
    assert_string_equal(cast(text(" 42\n"), SQL_INTEGER), "42");
    assert_string_equal(cast(text("+7"), SQL_INTEGER), "7");
    assert_string_equal(cast(text("-9223372036854775808"), SQL_INTEGER), "-9223372036854775808");
    assert_string_equal(cast(text("9223372036854775807"), SQL_INTEGER), "9223372036854775807");
    assert_string_equal(cast(text("9223372036854775808"), SQL_INTEGER),
                        "22003 value \"9223372036854775808\" is out of range for type integer");
    assert_string_equal(cast(text("99999999999999999999999"), SQL_INTEGER),
                        "22003 value \"99999999999999999999999\" is out of range for type integer");
    assert_string_equal(cast(text("99999999999999999999x"), SQL_INTEGER),
                        "22P02 invalid input syntax for type integer: \"99999999999999999999x\"");
    const char *bad[] = {"", " ", "-", "1.5", "1e3", "4 2", "0x1f", "abc", "--1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(
            cast(text(bad[i]), SQL_INTEGER),
            arena_printf(&arena, "22P02 invalid input syntax for type integer: \"%s\"", bad[i]));
}

static void test_cast_text_to_double(void **state)
{
    (void)state;
    assert_string_equal(cast(text(" 1.5 "), SQL_DOUBLE), "1.5");
    assert_string_equal(cast(text(".5"), SQL_DOUBLE), "0.5");
    assert_string_equal(cast(text("5."), SQL_DOUBLE), "5");
    assert_string_equal(cast(text("-1E+2"), SQL_DOUBLE), "-100");
    assert_string_equal(cast(text("-inf"), SQL_DOUBLE), "-Infinity");
    assert_string_equal(cast(text("+Infinity"), SQL_DOUBLE), "Infinity");
    assert_string_equal(cast(text("nan"), SQL_DOUBLE), "NaN");
    assert_string_equal(cast(text("4e-320"), SQL_DOUBLE), "4e-320");
    assert_string_equal(cast(text("0e-999"), SQL_DOUBLE), "0");
    assert_string_equal(cast(text("1e400"), SQL_DOUBLE),
                        "22003 \"1e400\" is out of range for type double precision");
    assert_string_equal(cast(text("1e-400"), SQL_DOUBLE),
                        "22003 \"1e-400\" is out of range for type double precision");
    const char *bad[] = {"", ".", "e5", "1e", "1e+", "0x10", "1.2.3", "infinit", "1 2", "nanx"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(
            cast(text(bad[i]), SQL_DOUBLE),
            arena_printf(&arena, "22P02 invalid input syntax for type double precision: \"%s\"",
                         bad[i]));
    char zeros[300];
    memset(zeros, '0', sizeof zeros);
    memcpy(zeros + 290, "7.25", 5);
    assert_string_equal(cast(text(zeros), SQL_DOUBLE), "7.25");
}

static void test_cast_text_to_boolean(void **state)
{
    (void)state;
    const char *yes[] = {"t", "TRUE", "tru", " yes ", "y", "on", "1"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_string_equal(cast(text(yes[i]), SQL_BOOLEAN), "t");
    const char *no[] = {"f", "False", "n", "NO", "of", "off", "0"};
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_string_equal(cast(text(no[i]), SQL_BOOLEAN), "f");
    const char *bad[] = {"", "o", "truee", "2", "10", "yess", "tr ue"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(
            cast(text(bad[i]), SQL_BOOLEAN),
            arena_printf(&arena, "22P02 invalid input syntax for type boolean: \"%s\"", bad[i]));
}

static void test_cast_between_numbers(void **state)
{
    (void)state;
    assert_string_equal(cast(value_double(0.5), SQL_INTEGER), "0");
    assert_string_equal(cast(value_double(1.5), SQL_INTEGER), "2");
    assert_string_equal(cast(value_double(2.5), SQL_INTEGER), "2");
    assert_string_equal(cast(value_double(-2.5), SQL_INTEGER), "-2");
    assert_string_equal(cast(value_double(-0x1p63), SQL_INTEGER), "-9223372036854775808");
    assert_string_equal(cast(value_double(0x1p63), SQL_INTEGER), "22003 integer out of range");
    assert_string_equal(cast(value_double(__builtin_nan("")), SQL_INTEGER),
                        "22003 integer out of range");
    assert_string_equal(cast(value_integer(3), SQL_DOUBLE), "3");
    assert_string_equal(cast(value_integer(3), SQL_BOOLEAN), "t");
    assert_string_equal(cast(value_boolean(true), SQL_INTEGER), "1");
    assert_string_equal(cast(value_boolean(true), SQL_DOUBLE),
                        "42846 cannot cast type boolean to double precision");
    assert_string_equal(cast(value_boolean(false), SQL_TEXT), "false");
    assert_string_equal(cast(value_double(1e-7), SQL_TEXT), "1e-07");
    assert_string_equal(cast(value_null(SQL_UNKNOWN), SQL_TEXT), "null");
}

static const char *assign(struct value value, const char *type, int64_t length)
{
    struct type_spec spec;
    assert_true(type_spec_parse(type, length, -1, &spec));
    struct error error;
    struct value out;
    if (value_assign(&value, spec, "c", &arena, &out, &error) != OK) {
        assert_non_null(strstr(error.detail, "\"c\""));
        return arena_printf(&arena, "%s %s", error.sqlstate, error.message);
    }
    return out.null ? "null" : shown(&out);
}

static void test_assignment_checks_range_and_length(void **state)
{
    (void)state;
    assert_string_equal(assign(value_integer(32767), "smallint", -1), "32767");
    assert_string_equal(assign(value_integer(32768), "smallint", -1),
                        "22003 smallint out of range");
    assert_string_equal(assign(value_integer(-32768), "INT2", -1), "-32768");
    assert_string_equal(assign(value_integer(-2147483649), "int4", -1), "22003 int4 out of range");
    assert_string_equal(assign(value_integer(2147483648), "int", -1), "2147483648");
    assert_string_equal(assign(text("äöü"), "varchar", 3), "äöü");
    assert_string_equal(assign(text("äöü   "), "varchar", 3), "äöü");
    assert_string_equal(assign(text("äöüß"), "varchar", 3),
                        "22001 value too long for type character varying(3)");
    assert_string_equal(assign(value_null(SQL_TEXT), "varchar", 3), "null");
    assert_string_equal(assign(value_double(1.5), "integer", -1), "2");
}

static void test_type_names(void **state)
{
    (void)state;
    struct type_spec spec;
    char name[64];
    assert_true(type_spec_parse("CHARACTER VARYING", 10, -1, &spec));
    type_spec_name(spec, name, sizeof name);
    assert_string_equal(name, "character varying(10)");
    assert_true(type_spec_parse("Double Precision", -1, -1, &spec));
    assert_int_equal(spec.kind, SQL_DOUBLE);
    assert_false(type_spec_parse("integer", 4, -1, &spec));
    assert_false(type_spec_parse("varchar", 0, -1, &spec));
    assert_false(type_spec_parse("money", -1, -1, &spec));
    assert_true(type_spec_parse("numeric", 10, 2, &spec));
    type_spec_name(spec, name, sizeof name);
    assert_string_equal(name, "numeric(10,2)");
    assert_true(type_spec_parse("timestamptz", 3, -1, &spec));
    type_spec_name(spec, name, sizeof name);
    assert_string_equal(name, "timestamp(3) with time zone");
    assert_false(type_spec_parse("date", 3, -1, &spec));
    assert_false(type_spec_parse("timestamp", 7, -1, &spec));
    assert_string_equal(type_name(SQL_UNKNOWN), "unknown");
}

static int order(struct value a, struct value b)
{
    int forth = value_compare(&a, &b);
    int back = value_compare(&b, &a);
    assert_int_equal((forth > 0) - (forth < 0), (back < 0) - (back > 0));
    if (forth == 0)
        assert_int_equal(value_hash(&a), value_hash(&b));
    return (forth > 0) - (forth < 0);
}

static void test_order_of_values(void **state)
{
    (void)state;
    double nan = __builtin_nan("");
    double inf = __builtin_inf();
    assert_int_equal(order(value_integer(9007199254740993), value_double(9007199254740992.0)), 1);
    assert_int_equal(order(value_integer(9007199254740992), value_double(9007199254740992.0)), 0);
    assert_int_equal(order(value_integer(INT64_MAX), value_double(0x1p63)), -1);
    assert_int_equal(order(value_integer(INT64_MIN), value_double(-0x1p63)), 0);
    assert_int_equal(order(value_integer(INT64_MIN), value_double(-inf)), 1);
    assert_int_equal(order(value_integer(1), value_double(1.5)), -1);
    assert_int_equal(order(value_integer(-1), value_double(-1.5)), 1);
    assert_int_equal(order(value_integer(INT64_MAX), value_double(nan)), -1);
    assert_int_equal(order(value_double(nan), value_double(inf)), 1);
    assert_int_equal(order(value_double(nan), value_double(-nan)), 0);
    assert_int_equal(order(value_double(-0.0), value_double(0.0)), 0);
    assert_int_equal(order(value_double(-0.0), value_integer(0)), 0);
    assert_int_equal(order(value_null(SQL_INTEGER), value_integer(INT64_MAX)), 1);
    assert_int_equal(order(value_null(SQL_UNKNOWN), value_null(SQL_TEXT)), 0);
    assert_int_equal(order(text("a"), text("ab")), -1);
    assert_int_equal(order(text("b"), text("ab")), 1);
    assert_int_equal(order(value_boolean(false), value_boolean(true)), -1);
}

static void test_vectors_hold_values_and_nulls(void **state)
{
    (void)state;
    enum sql_type types[] = {SQL_BOOLEAN, SQL_INTEGER, SQL_DOUBLE, SQL_TEXT, SQL_UNKNOWN};
    struct value values[] = {value_boolean(true), value_integer(-5), value_double(2.5), text("x"),
                             value_null(SQL_UNKNOWN)};
    struct batch *batch = batch_create(&arena, types, 5, 70);
    for (uint32_t c = 0; c < 5; c++) {
        struct vector *vector = &batch->columns[c];
        for (uint32_t row = 0; row < 70; row++)
            vector_set_null(vector, row);
        vector_set(vector, 69, &values[c]);
        struct value back = vector_get(vector, 69);
        assert_int_equal(value_compare(&back, &values[c]), 0);
        assert_true(vector_is_null(vector, 68));
    }
    batch_reset(batch);
    assert_false(vector_is_null(&batch->columns[1], 68));
    assert_int_equal(batch->row_count, 0);
    assert_int_equal(batch_row(batch, 3), 3);
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_print_as_postgresql_does),
        cmocka_unit_test(test_random_doubles_read_back),
        cmocka_unit_test(test_other_types_print),
        cmocka_unit_test(test_cast_text_to_integer),
        cmocka_unit_test(test_cast_text_to_double),
        cmocka_unit_test(test_cast_text_to_boolean),
        cmocka_unit_test(test_cast_between_numbers),
        cmocka_unit_test(test_assignment_checks_range_and_length),
        cmocka_unit_test(test_type_names),
        cmocka_unit_test(test_order_of_values),
        cmocka_unit_test(test_vectors_hold_values_and_nulls),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
