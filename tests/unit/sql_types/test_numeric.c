/* Numerics. The expected results of the tables are PostgreSQL's where it has as many digits as
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sql/types/types.h"

#define NINES_36 "999999999999999999999999999999999999"

static struct numeric number(const char *text)
{
    struct numeric out = {0};
    assert_int_equal(numeric_parse(slice_from_string(text), &out), OK);
    return out;
}

static const char *shown(bool done, struct numeric numeric)
{
    static char text[NUMERIC_TEXT_MAX];
    if (!done)
        return "overflow";
    size_t size = numeric_format(numeric, text);
    assert_int_equal(size, strlen(text));
    return text;
}

static void test_text(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"-0.00", "0.00"},
        {"+7", "7"},
        {".5", "0.5"},
        {"5.", "5"},
        {"007.10", "7.10"},
        {"1e3", "1000"},
        {"1.5e-3", "0.0015"},
        {"-12.5E+1", "-125"},
        {"12.50e1", "125.0"},
        {"0e99999999999", "0"},
        {NINES_36, NINES_36},
        {"-" NINES_36, "-" NINES_36},
        {"1e35", "100000000000000000000000000000000000"},
        {"0." NINES_36, "0." NINES_36},
        {"1e-36", "0.000000000000000000000000000000000001"},
        /* More digits behind the point than there is room for are rounded. */
        {"0.0000000000000000000000000000000000005", "0.000000000000000000000000000000000001"},
        {"0.0000000000000000000000000000000000004", "0.000000000000000000000000000000000000"},
        {"1e-50", "0.000000000000000000000000000000000000"},
        {"1." NINES_36, "2.00000000000000000000000000000000000"},
        {"123456789012345678901234567890.12345678", "123456789012345678901234567890.123457"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(shown(true, number(rows[i][0])), rows[i][1]);
    static const char *const malformed[] = {"",    "-",  ".",  "e5",  "1e",  "1e+", "1.2.3",
                                            "0x1", " 1", "1 ", "NaN", "inf", "--1", "1_000"};
    struct numeric out;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        assert_int_equal(numeric_parse(slice_from_string(malformed[i]), &out), ERR_SQL);
    static const char *const long_ones[] = {"1" NINES_36, "1e36", NINES_36 ".5", "1e999999999999"};
    for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
        assert_int_equal(numeric_parse(slice_from_string(long_ones[i]), &out), ERR_TOO_LONG);
}

static void test_arithmetic(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        char op;
        const char *b;
        const char *result;
    } rows[] = {
        {"1.5", '+', "2.25", "3.75"},
        {"1.50", '-', "1.5", "0.00"},
        {"-1", '+', "1", "0"},
        {NINES_36, '+', "1", "overflow"},
        {NINES_36, '+', "0.4", NINES_36},
        {NINES_36, '-', "-0.5", "overflow"},
        {"1e35", '+', "1e-36", "100000000000000000000000000000000000"},
        {"-1e30", '+', "0.0000005", "-1000000000000000000000000000000.00000"},
        {"1.10", '*', "2.5", "2.750"},
        {"-0.5", '*', "0.5", "-0.25"},
        {"1e20", '*', "1e20", "overflow"},
        {"123456789012345678.12", '*', "987654321098765432.1",
         "121932631137021794453376009654089316"},
        {"0.333333333333333333333333333333333333", '*', "0.333333333333333333333333333333333333",
         "0.111111111111111111111111111111111111"},
        {"99999999999999999999.9", '*', "9999999999999999.99",
         "999999999999999998999000000000000000"},
        {"1", '/', "3", "0.33333333333333333333"},
        {"1", '/', "3.0", "0.33333333333333333333"},
        {"2", '/', "3", "0.66666666666666666667"},
        {"-2", '/', "3", "-0.66666666666666666667"},
        {"7", '/', "2", "3.5000000000000000"},
        {"10.00", '/', "4", "2.5000000000000000"},
        {"100000", '/', "3", "33333.333333333333"},
        {"1", '/', "7000000000", "0.0000000001428571428571428571"},
        {"0", '/', "5.000", "0.00000000000000000000"},
        {"1e35", '/', "3", "33333333333333333333333333333333333"},
        {"1e35", '/', "1e-10", "overflow"},
        {"1e-30", '/', "3", "0.000000000000000000000000000000333333"},
        {"7.5", '%', "2", "1.5"},
        {"-7.5", '%', "2", "-1.5"},
        {"7.5", '%', "-2.00", "1.50"},
        {"1e35", '%', "0.0000000000000000000000000000000007",
         "0.0000000000000000000000000000000006"},
        {"0.25", '%', "1e30", "0.25"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct numeric a = number(rows[i].a);
        struct numeric b = number(rows[i].b);
        struct numeric out = {0};
        bool done = rows[i].op == '+'   ? numeric_add(a, b, &out)
                    : rows[i].op == '-' ? numeric_subtract(a, b, &out)
                    : rows[i].op == '*' ? numeric_multiply(a, b, &out)
                    : rows[i].op == '/' ? numeric_divide(a, b, &out)
                                        : numeric_modulo(a, b, &out);
        if (strcmp(shown(done, out), rows[i].result) != 0)
            print_message("# %s %c %s\n", rows[i].a, rows[i].op, rows[i].b);
        assert_string_equal(shown(done, out), rows[i].result);
    }
}

static void test_rounding(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        int64_t digits;
        const char *away, *zero, *down, *up;
    } rows[] = {
        {"2.5", 0, "3", "2", "2", "3"},
        {"-2.5", 0, "-3", "-2", "-3", "-2"},
        {"2.4999", 0, "2", "2", "2", "3"},
        {"2.000", 0, "2", "2", "2", "2"},
        {"1.005", 2, "1.01", "1.00", "1.00", "1.01"},
        {"-1.005", 2, "-1.01", "-1.00", "-1.01", "-1.00"},
        {"1.5", 4, "1.5000", "1.5000", "1.5000", "1.5000"},
        {"1550", -2, "1600", "1500", "1500", "1600"},
        {"49", -2, "0", "0", "0", "100"},
        {"1550", -50, "0", "0", "0", "0"},
        {"0.5", 99, "0.500000000000000000000000000000000000",
         "0.500000000000000000000000000000000000", "0.500000000000000000000000000000000000",
         "0.500000000000000000000000000000000000"},
        {NINES_36, -1, "overflow", "999999999999999999999999999999999990",
         "999999999999999999999999999999999990", "overflow"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const expected[] = {rows[i].away, rows[i].zero, rows[i].down, rows[i].up};
        for (int mode = 0; mode < 4; mode++) {
            if (rows[i].digits == -50 && mode == NUMERIC_UP)
                continue; /* 10^50 is no numeric: whatever is told, it is not 0 */
            struct numeric out = {0};
            bool done = numeric_round(number(rows[i].number), rows[i].digits,
                                      (enum numeric_rounding)mode, &out);
            assert_string_equal(shown(done, out), expected[mode]);
        }
    }
}

static void test_roots(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0", "0.000000000000000"},
        {"1", "1.000000000000000"},
        {"2", "1.414213562373095"},
        {"16.00", "4.000000000000000"},
        {"1000000", "1000.0000000000000"},
        {"0.0001", "0.01000000000000000"},
        {NINES_36, "1000000000000000000"},
        {"2.00000000000000000000000000000000000", "1.41421356237309504880168872420969808"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct numeric out = {0};
        bool done = numeric_sqrt(number(rows[i][0]), &out);
        assert_string_equal(shown(done, out), rows[i][1]);
    }
}

static void test_order_and_other_numbers(void **state)
{
    (void)state;
    assert_int_equal(numeric_compare(number("1.0"), number("1.00")), 0);
    assert_true(numeric_compare(number("-1.1"), number("-1")) < 0);
    assert_true(numeric_compare(number("1e35"), number("0." NINES_36)) > 0);
    assert_true(numeric_compare(number("-1e35"), number("-0." NINES_36)) < 0);
    assert_true(numeric_compare(number("0"), number("-0." NINES_36)) > 0);
    struct value a = value_numeric(number("1.50"));
    struct value b = value_double(1.5);
    struct value c = value_numeric(number("7.000"));
    struct value d = value_integer(7);
    assert_int_equal(value_compare(&a, &b), 0);
    assert_int_equal(value_compare(&d, &c), 0);
    assert_true(value_hash(&a) == value_hash(&b) && value_hash(&c) == value_hash(&d));
    int64_t integer;
    assert_true(numeric_to_integer(number("-9223372036854775808.4"), &integer));
    assert_true(integer == INT64_MIN);
    assert_false(numeric_to_integer(number("9223372036854775807.5"), &integer));
    struct numeric out;
    assert_true(numeric_from_double(0.1, false, &out));
    assert_string_equal(shown(true, out), "0.1");
    assert_true(numeric_from_double((double)0.1f, true, &out));
    assert_string_equal(shown(true, out), "0.1");
    assert_false(numeric_from_double(1e300, false, &out));
    assert_false(numeric_from_double((double)__builtin_nanf(""), false, &out));
    assert_true(numeric_to_double(number("0.1")) == 0.1);
    assert_true(numeric_to_double(number("123456789012345678901234567890.123456")) ==
                123456789012345678901234567890.123456);
}

static struct numeric random_number(struct prng *prng)
{
    uint32_t digits = (uint32_t)prng_between(prng, 1, 17);
    int64_t coefficient = (int64_t)(prng_next(prng) % (uint64_t)numeric_power_of_ten(digits));
    if (prng_chance(prng, 1, 2))
        coefficient = -coefficient;
    return numeric_make(coefficient, (uint32_t)prng_below(prng, 18));
}

static struct numeric size_of(struct numeric numeric)
{
    return numeric_coefficient(numeric) < 0 ? numeric_negate(numeric) : numeric;
}

/* What must hold between results that are exact, or rounded once. */
static void test_laws(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 19);
    for (int i = 0; i < 50000; i++) {
        struct numeric a = random_number(&prng);
        struct numeric b = random_number(&prng);
        struct numeric sum, back, product, quotient, rest;
        char text[NUMERIC_TEXT_MAX];
        size_t size = numeric_format(a, text);
        assert_int_equal(numeric_parse(slice_make(text, size), &back), OK);
        assert_memory_equal(&back, &a, sizeof a);
        assert_true(numeric_add(a, b, &sum) && numeric_subtract(sum, b, &back));
        assert_int_equal(numeric_compare(back, a), 0);
        assert_int_equal(numeric_compare(a, b), -numeric_compare(b, a));
        assert_int_equal(numeric_order(a, b), numeric_compare(a, b));
        struct value short_one = value_numeric(numeric_trim(a));
        for (int64_t scale = numeric_scale(a); scale <= 36; scale++) {
            assert_true(numeric_round(a, scale, NUMERIC_HALF_AWAY, &back));
            struct value long_one = value_numeric(back);
            assert_int_equal(value_compare(&short_one, &long_one), 0);
            assert_true(value_hash(&short_one) == value_hash(&long_one));
        }
        assert_true(numeric_multiply(a, b, &product));
        if (numeric_coefficient(b) == 0)
            continue;
        assert_true(numeric_modulo(a, b, &rest));
        assert_true(numeric_coefficient(rest) == 0 ||
                    (numeric_coefficient(rest) < 0) == (numeric_coefficient(a) < 0));
        assert_true(numeric_compare(size_of(rest), size_of(b)) < 0);
        assert_true(numeric_subtract(a, rest, &rest) && numeric_modulo(rest, b, &rest));
        assert_true(numeric_coefficient(rest) == 0);
        if (!numeric_divide(product, b, &quotient))
            continue;
        assert_int_equal(numeric_compare(quotient, a), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_arithmetic),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_order_and_other_numbers),
        cmocka_unit_test(test_laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
