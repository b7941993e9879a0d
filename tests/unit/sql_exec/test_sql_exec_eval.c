/* Expressions: each function with NULLs and at its edges, over constants and over columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define B SQL_BOOLEAN
#define I SQL_INTEGER
#define D SQL_DOUBLE
#define T SQL_TEXT

static struct world world, *w = &world;

static int setup(void **state)
{
    (void)state;
    world_open(w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(w);
    return 0;
}

/* The value of a constant expression, or its error. */
static const char *value_of(struct expr *expr)
{
    static char text[600];
    struct plan *one = p_values(w, 0, 1, NULL);
    snprintf(text, sizeof text, "%s", world_run(w, p_project(w, one, expr, NULL)));
    char *end = strchr(text, '\n');
    if (end)
        *end = '\0';
    return text;
}

#define CHECK(expected, ...)  assert_string_equal(value_of(__VA_ARGS__), expected)
#define CALL(call, type, ...) e_call(w, call, type, __VA_ARGS__, NULL)
#define INT(v)                e_int(w, v)
#define DBL(v)                e_double(w, v)
#define TXT(v)                e_text(w, v)
#define BOOL(v)               e_bool(w, v)
#define NUL(t)                e_null(w, t)

static void test_integers(void **state)
{
    (void)state;
    CHECK("5", CALL(CALL_ADD, I, INT(2), INT(3)));
    CHECK("ERROR 22003: bigint out of range", CALL(CALL_ADD, I, INT(INT64_MAX), INT(1)));
    CHECK("ERROR 22003: bigint out of range", CALL(CALL_SUBTRACT, I, INT(INT64_MIN), INT(1)));
    CHECK("ERROR 22003: bigint out of range", CALL(CALL_MULTIPLY, I, INT(INT64_MAX), INT(2)));
    CHECK("NULL", CALL(CALL_ADD, I, INT(INT64_MAX), NUL(I)));
    CHECK("-3", CALL(CALL_DIVIDE, I, INT(-7), INT(2)));
    CHECK("-1", CALL(CALL_MODULO, I, INT(-7), INT(2)));
    CHECK("ERROR 22012: division by zero", CALL(CALL_DIVIDE, I, INT(1), INT(0)));
    CHECK("ERROR 22012: division by zero", CALL(CALL_MODULO, I, INT(1), INT(0)));
    CHECK("NULL", CALL(CALL_DIVIDE, I, NUL(I), INT(0)));
    CHECK("ERROR 22003: bigint out of range", CALL(CALL_DIVIDE, I, INT(INT64_MIN), INT(-1)));
    CHECK("0", CALL(CALL_MODULO, I, INT(INT64_MIN), INT(-1)));
    CHECK("ERROR 22003: bigint out of range", CALL(CALL_NEGATE, I, INT(INT64_MIN)));
    CHECK("7", CALL(CALL_NEGATE, I, INT(-7)));
    CHECK("7", CALL(CALL_ABS, I, INT(-7)));
    CHECK("ERROR 22003: bigint out of range", CALL(CALL_ABS, I, INT(INT64_MIN)));
    CHECK("8", CALL(CALL_BIT_AND, I, INT(12), INT(10)));
    CHECK("14", CALL(CALL_BIT_OR, I, INT(12), INT(10)));
    CHECK("6", CALL(CALL_BIT_XOR, I, INT(12), INT(10)));
    CHECK("-13", CALL(CALL_BIT_NOT, I, INT(12)));
    CHECK("48", CALL(CALL_SHIFT_LEFT, I, INT(12), INT(2)));
    CHECK("-2", CALL(CALL_SHIFT_RIGHT, I, INT(-8), INT(2)));
    CHECK("NULL", CALL(CALL_SHIFT_RIGHT, I, INT(-8), NUL(I)));
}

static void test_doubles(void **state)
{
    (void)state;
    CHECK("2.5", CALL(CALL_DIVIDE, D, DBL(5), DBL(2)));
    CHECK("ERROR 22012: division by zero", CALL(CALL_DIVIDE, D, DBL(5), DBL(0)));
    CHECK("ERROR 22003: value out of range: overflow",
          CALL(CALL_MULTIPLY, D, DBL(1e300), DBL(1e300)));
    CHECK("ERROR 22003: value out of range: underflow",
          CALL(CALL_MULTIPLY, D, DBL(1e-300), DBL(1e-300)));
    CHECK("Infinity", CALL(CALL_ADD, D, DBL(1.0 / 0.0), DBL(1)));
    CHECK("8", CALL(CALL_POWER, D, DBL(2), DBL(3)));
    CHECK("ERROR 2201F: zero raised to a negative power is undefined",
          CALL(CALL_POWER, D, DBL(0), DBL(-1)));
    CHECK("ERROR 2201F: a negative number raised to a non-integer power yields a complex result",
          CALL(CALL_POWER, D, DBL(-8), DBL(0.5)));
    CHECK("2", CALL(CALL_ROUND, D, DBL(2.5)));
    CHECK("2.35", CALL(CALL_ROUND, D, DBL(2.3456), INT(2)));
    CHECK("200", CALL(CALL_ROUND, D, DBL(234.56), INT(-2)));
    CHECK("2.34", CALL(CALL_TRUNC, D, DBL(2.3456), INT(2)));
    CHECK("-2", CALL(CALL_TRUNC, D, DBL(-2.9)));
    CHECK("3", CALL(CALL_CEIL, D, DBL(2.1)));
    CHECK("-3", CALL(CALL_FLOOR, D, DBL(-2.1)));
    CHECK("-1", CALL(CALL_SIGN, D, DBL(-2.1)));
    CHECK("3", CALL(CALL_SQRT, D, DBL(9)));
    CHECK("ERROR 2201F: cannot take square root of a negative number", CALL(CALL_SQRT, D, DBL(-9)));
    CHECK("1", CALL(CALL_EXP, D, DBL(0)));
    CHECK("ERROR 22003: value out of range: overflow", CALL(CALL_EXP, D, DBL(1000)));
    CHECK("0", CALL(CALL_LN, D, DBL(1)));
    CHECK("ERROR 2201E: cannot take logarithm of zero", CALL(CALL_LN, D, DBL(0)));
    CHECK("ERROR 2201E: cannot take logarithm of a negative number", CALL(CALL_LOG10, D, DBL(-1)));
    CHECK("3", CALL(CALL_LOG10, D, DBL(1000)));
    CHECK("0", CALL(CALL_SIN, D, DBL(0)));
    CHECK("1", CALL(CALL_COS, D, DBL(0)));
    CHECK("0", CALL(CALL_TAN, D, DBL(0)));
    CHECK("0", CALL(CALL_ATAN, D, DBL(0)));
    CHECK("ERROR 22003: input is out of range", CALL(CALL_SIN, D, DBL(1.0 / 0.0)));
    CHECK("3.141592653589793", e_call(w, CALL_PI, D, NULL));
    CHECK("NULL", CALL(CALL_SQRT, D, NUL(D)));
    CHECK("t", CALL(CALL_LT, B, e_call(w, CALL_RANDOM, D, NULL), DBL(1)));
}

static void test_comparisons(void **state)
{
    (void)state;
    double nan = 0.0 / 0.0;
    CHECK("t", CALL(CALL_EQ, B, INT(1), INT(1)));
    CHECK("f", CALL(CALL_NE, B, INT(1), INT(1)));
    CHECK("NULL", CALL(CALL_EQ, B, INT(1), NUL(I)));
    CHECK("t", CALL(CALL_EQ, B, DBL(nan), DBL(nan)));
    CHECK("t", CALL(CALL_GT, B, DBL(nan), DBL(1.0 / 0.0)));
    CHECK("f", CALL(CALL_LT, B, DBL(nan), DBL(1)));
    CHECK("t", CALL(CALL_LE, B, DBL(1), DBL(nan)));
    CHECK("t", CALL(CALL_EQ, B, DBL(0.0), DBL(-0.0)));
    CHECK("t", CALL(CALL_LT, B, TXT("a"), TXT("ab")));
    CHECK("t", CALL(CALL_GE, B, TXT("b"), TXT("ab")));
    CHECK("f", CALL(CALL_EQ, B, TXT(""), TXT("ab")));
    CHECK("t", CALL(CALL_LT, B, BOOL(false), BOOL(true)));
    CHECK("t", CALL(CALL_IS_DISTINCT, B, INT(1), NUL(I)));
    CHECK("f", CALL(CALL_IS_DISTINCT, B, NUL(I), NUL(I)));
    CHECK("t", CALL(CALL_IS_NOT_DISTINCT, B, TXT("x"), TXT("x")));
    CHECK("t", CALL(CALL_IS_NULL, B, NUL(T)));
    CHECK("t", CALL(CALL_IS_NOT_NULL, B, INT(0)));
    CHECK("f", CALL(CALL_IS_TRUE, B, NUL(B)));
    CHECK("t", CALL(CALL_IS_NOT_TRUE, B, NUL(B)));
    CHECK("f", CALL(CALL_IS_FALSE, B, NUL(B)));
    CHECK("t", CALL(CALL_IS_FALSE, B, BOOL(false)));
    CHECK("t", CALL(CALL_IS_NOT_FALSE, B, NUL(B)));
    CHECK("NULL", CALL(CALL_NOT, B, NUL(B)));
    CHECK("f", CALL(CALL_NOT, B, BOOL(true)));
}

static void test_logic_is_lazy(void **state)
{
    (void)state;
    struct expr *fails = CALL(CALL_EQ, B, CALL(CALL_DIVIDE, I, INT(1), INT(0)), INT(1));
    struct expr *no = BOOL(false), *yes = BOOL(true), *null = NUL(B);
    CHECK("f", e_make(w, EXPR_AND, B, no, fails, NULL));
    CHECK("t", e_make(w, EXPR_OR, B, yes, fails, NULL));
    CHECK("ERROR 22012: division by zero", e_make(w, EXPR_AND, B, null, fails, NULL));
    CHECK("f", e_make(w, EXPR_AND, B, null, no, NULL));
    CHECK("NULL", e_make(w, EXPR_AND, B, null, yes, NULL));
    CHECK("t", e_make(w, EXPR_OR, B, null, yes, NULL));
    CHECK("NULL", e_make(w, EXPR_OR, B, null, no, NULL));
    CHECK("7", e_make(w, EXPR_CASE, I, no, CALL(CALL_DIVIDE, I, INT(1), INT(0)), INT(7), NULL));
    CHECK("1",
          e_call(w, CALL_COALESCE, I, NUL(I), INT(1), CALL(CALL_DIVIDE, I, INT(1), INT(0)), NULL));
    CHECK("NULL", e_call(w, CALL_COALESCE, I, NUL(I), NUL(I), NULL));
    CHECK("NULL", CALL(CALL_NULLIF, I, INT(3), INT(3)));
    CHECK("3", CALL(CALL_NULLIF, I, INT(3), NUL(I)));
    CHECK("9", CALL(CALL_GREATEST, I, INT(3), NUL(I), INT(9), INT(4)));
    CHECK("a", CALL(CALL_LEAST, T, TXT("b"), TXT("a"), NUL(T)));
    CHECK("NULL", CALL(CALL_LEAST, I, NUL(I), NUL(I)));
}

static void test_in(void **state)
{
    (void)state;
    CHECK("t", e_make(w, EXPR_IN, B, INT(2), INT(1), INT(2), NULL));
    CHECK("f", e_make(w, EXPR_IN, B, INT(5), INT(1), INT(2), NULL));
    CHECK("NULL", e_make(w, EXPR_IN, B, INT(5), INT(1), NUL(I), NULL));
    CHECK("t", e_make(w, EXPR_IN, B, INT(5), NUL(I), INT(5), NULL));
    CHECK("NULL", e_make(w, EXPR_IN, B, NUL(I), INT(5), NULL));
    /* Long lists are sorted. */
    CHECK("t", e_make(w, EXPR_IN, B, TXT("d"), TXT("z"), TXT("y"), TXT("x"), TXT("w"), TXT("v"),
                      TXT("d"), TXT("b"), TXT("a"), TXT("c"), NULL));
    CHECK("f", e_make(w, EXPR_IN, B, INT(0), INT(9), INT(8), INT(7), INT(6), INT(5), INT(4), INT(3),
                      INT(2), INT(1), NULL));
    CHECK("NULL", e_make(w, EXPR_IN, B, INT(0), INT(9), INT(8), INT(7), NUL(I), INT(5), INT(4),
                         INT(3), INT(2), INT(1), NULL));
}

/* Of a text with characters of one and of two bytes, wherever the latter stand: the parts are what
 * counting one character after the other gives. */
static void test_parts_of_text(void **state)
{
    (void)state;
    enum { CHARACTERS = 20 };
    for (uint32_t wide = 0; wide < CHARACTERS; wide++) {
        char text[CHARACTERS * 2 + 1];
        uint32_t begin[CHARACTERS + 1], size = 0;
        for (uint32_t i = 0; i < CHARACTERS; i++) {
            begin[i] = size;
            if (i == wide || i == 2 * wide)
                text[size++] = (char)0xc3;
            text[size] = (char)(i == wide || i == 2 * wide ? 0xa9 : 'a' + i);
            size++;
        }
        begin[CHARACTERS] = size;
        text[size] = 0;
        for (uint32_t from = 0; from < CHARACTERS; from += 3) {
            for (uint32_t to = from; to <= CHARACTERS; to++) {
                char part[sizeof text];
                uint32_t part_size = begin[to] - begin[from];
                memcpy(part, text + begin[from], part_size);
                part[part_size] = 0;
                CHECK(part, CALL(CALL_SUBSTRING, T, TXT(text), INT(from + 1), INT(to - from)));
            }
        }
    }
}

static void test_text(void **state)
{
    (void)state;
    CHECK("ab", CALL(CALL_CONCAT, T, TXT("a"), TXT("b")));
    CHECK("NULL", CALL(CALL_CONCAT, T, TXT("a"), NUL(T)));
    CHECK("ab", CALL(CALL_CONCAT_FN, T, TXT("a"), NUL(T), TXT("b")));
    CHECK("5", CALL(CALL_LENGTH, I, TXT("na\u00efve")));
    CHECK("6", CALL(CALL_OCTET_LENGTH, I, TXT("na\u00efve")));
    CHECK("NA\u00cfVE", CALL(CALL_UPPER, T, TXT("na\u00efve")));
    CHECK("\u0436\u03c9a", CALL(CALL_LOWER, T, TXT("\u0416\u03a9A")));
    CHECK("x y", CALL(CALL_TRIM, T, TXT("  x y  ")));
    CHECK("x  ", CALL(CALL_LTRIM, T, TXT("  x  ")));
    CHECK("  x", CALL(CALL_RTRIM, T, TXT("  x  ")));
    CHECK("m", CALL(CALL_TRIM, T, TXT("xyxmyy"), TXT("xy")));
    CHECK("", CALL(CALL_TRIM, T, TXT("xx"), TXT("x")));
    CHECK("xx", CALL(CALL_TRIM, T, TXT("xx"), TXT("")));
    CHECK("bcd", CALL(CALL_SUBSTRING, T, TXT("abcd"), INT(2)));
    CHECK("bc", CALL(CALL_SUBSTRING, T, TXT("abcd"), INT(2), INT(2)));
    CHECK("a", CALL(CALL_SUBSTRING, T, TXT("abcd"), INT(-1), INT(3)));
    CHECK("", CALL(CALL_SUBSTRING, T, TXT("abcd"), INT(9), INT(3)));
    CHECK("cd", CALL(CALL_SUBSTRING, T, TXT("abcd"), INT(3), INT(INT64_MAX)));
    CHECK("ERROR 22011: negative substring length not allowed",
          CALL(CALL_SUBSTRING, T, TXT("abcd"), INT(1), INT(-1)));
    CHECK("\u00e9t", CALL(CALL_SUBSTRING, T, TXT("\u00e9t\u00e9"), INT(1), INT(2)));
    CHECK("xxbxx", CALL(CALL_REPLACE, T, TXT("aba"), TXT("a"), TXT("xx")));
    CHECK("b", CALL(CALL_REPLACE, T, TXT("aba"), TXT("a"), TXT("")));
    CHECK("aba", CALL(CALL_REPLACE, T, TXT("aba"), TXT(""), TXT("x")));
    CHECK("2", CALL(CALL_POSITION, I, TXT("b"), TXT("\u00e9b")));
    CHECK("0", CALL(CALL_POSITION, I, TXT("z"), TXT("ab")));
    CHECK("1", CALL(CALL_POSITION, I, TXT(""), TXT("ab")));
    CHECK("ab", CALL(CALL_LEFT, T, TXT("abcd"), INT(2)));
    CHECK("abc", CALL(CALL_LEFT, T, TXT("abcd"), INT(-1)));
    CHECK("", CALL(CALL_LEFT, T, TXT("abcd"), INT(INT64_MIN)));
    CHECK("cd", CALL(CALL_RIGHT, T, TXT("abcd"), INT(2)));
    CHECK("bcd", CALL(CALL_RIGHT, T, TXT("abcd"), INT(-1)));
    CHECK("abcd", CALL(CALL_RIGHT, T, TXT("abcd"), INT(9)));
    CHECK("\u00e9ba", CALL(CALL_REVERSE, T, TXT("ab\u00e9")));
    CHECK("ababab", CALL(CALL_REPEAT, T, TXT("ab"), INT(3)));
    CHECK("", CALL(CALL_REPEAT, T, TXT("ab"), INT(-3)));
    CHECK("ERROR 54000: requested length too large",
          CALL(CALL_REPEAT, T, TXT("ab"), INT(INT64_MAX)));
    CHECK("  x", CALL(CALL_LPAD, T, TXT("x"), INT(3)));
    CHECK("abax", CALL(CALL_LPAD, T, TXT("x"), INT(4), TXT("ab")));
    CHECK("xaba", CALL(CALL_RPAD, T, TXT("x"), INT(4), TXT("ab")));
    CHECK("ab", CALL(CALL_RPAD, T, TXT("abc"), INT(2)));
    CHECK("abc", CALL(CALL_RPAD, T, TXT("abc"), INT(9), TXT("")));
    CHECK("", CALL(CALL_LPAD, T, TXT("abc"), INT(-1)));
    CHECK("t", CALL(CALL_STARTS_WITH, B, TXT("abc"), TXT("ab")));
    CHECK("f", CALL(CALL_STARTS_WITH, B, TXT("a"), TXT("ab")));
    CHECK("233", CALL(CALL_ASCII, I, TXT("\u00e9")));
    CHECK("0", CALL(CALL_ASCII, I, TXT("")));
    CHECK("\u00e9", CALL(CALL_CHR, T, INT(233)));
    CHECK("ERROR 54000: null character not permitted", CALL(CALL_CHR, T, INT(0)));
    CHECK("ERROR 54000: requested character too large for encoding: 1114112",
          CALL(CALL_CHR, T, INT(0x110000)));
    /* RFC 1321, A.5 */
    CHECK("d41d8cd98f00b204e9800998ecf8427e", CALL(CALL_MD5, T, TXT("")));
    CHECK("f96b697d7cb7938d525a2f31aaf161d0", CALL(CALL_MD5, T, TXT("message digest")));
    CHECK("57edf4a22be3c955ac49da2e2107b67a",
          CALL(CALL_MD5, T,
               TXT("1234567890123456789012345678901234567890"
                   "1234567890123456789012345678901234567890")));
    CHECK("toydb", e_call(w, CALL_CURRENT_USER, T, NULL));
    w->context.transaction_us = 951782400000000 + 1234567; /* 2000-02-29 */
    CHECK("2000-02-29 00:00:01.234567+00", e_call(w, CALL_NOW, SQL_TIMESTAMPTZ, NULL));
    w->context.zone_s = -3600; /* as a date that of the session's zone */
    CHECK("2000-02-28", e_call(w, CALL_NOW, SQL_DATE, NULL));
    w->context.zone_s = 0;
    w->context.transaction_us = 1798761599000000;
    CHECK("2026-12-31 23:59:59", e_call(w, CALL_NOW, SQL_TIMESTAMP, NULL));
}

static void test_like(void **state)
{
    (void)state;
    static const struct {
        const char *text, *pattern, *expected;
    } cases[] = {
        {"abc", "abc", "t"},     {"abc", "a%", "t"},
        {"abc", "%c", "t"},      {"abc", "%b%", "t"},
        {"abc", "_b_", "t"},     {"abc", "_", "f"},
        {"", "", "t"},           {"", "%", "t"},
        {"", "_", "f"},          {"abc", "", "f"},
        {"aXbXc", "a%X%c", "t"}, {"\u00e9", "_", "t"},
        {"a%c", "a\\%c", "t"},   {"abc", "a\\%c", "f"},
        {"aab", "%ab", "t"},     {"aaab", "%a_b%b", "f"},
        {"abab", "%ab", "t"},    {"abc", "abc%", "t"},
        {"abc", "ABC", "f"},     {"mississippi", "%iss%ip%", "t"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(value_of(CALL(CALL_LIKE, B, TXT(cases[i].text), TXT(cases[i].pattern))),
                            cases[i].expected);
    CHECK("t", CALL(CALL_ILIKE, B, TXT("aBc"), TXT("AbC")));
    CHECK("t", CALL(CALL_LIKE, B, TXT("a%c"), TXT("a!%c"), TXT("!")));
    CHECK("t", CALL(CALL_LIKE, B, TXT("a\\c"), TXT("a\\%"), TXT("")));
    CHECK("NULL", CALL(CALL_LIKE, B, NUL(T), TXT("a")));
    CHECK("ERROR 22025: invalid escape string", CALL(CALL_LIKE, B, TXT("a"), TXT("a"), TXT("!!")));
    CHECK("ERROR 22025: LIKE pattern must not end with escape character",
          CALL(CALL_LIKE, B, TXT("a"), TXT("a\\")));
}

static void test_cast(void **state)
{
    (void)state;
    CHECK("12", e_make(w, EXPR_CAST, I, TXT(" 12 "), NULL));
    CHECK("ERROR 22P02: invalid input syntax for type integer: \"x\"",
          e_make(w, EXPR_CAST, I, TXT("x"), NULL));
    CHECK("1.5", e_make(w, EXPR_CAST, T, DBL(1.5), NULL));
    CHECK("3", e_make(w, EXPR_CAST, D, INT(3), NULL));
    CHECK("NULL", e_make(w, EXPR_CAST, D, NUL(T), NULL));
}

static void test_parameters(void **state)
{
    (void)state;
    struct value parameters[2] = {value_integer(4), value_null(SQL_UNKNOWN)};
    w->context.parameters = parameters;
    w->context.parameter_count = 2;
    CHECK("5", CALL(CALL_ADD, I, e_param(w, 0, I), INT(1)));
    CHECK("NULL", CALL(CALL_ADD, I, e_param(w, 1, I), INT(1)));
    CHECK("ERROR 08P01: no value given for parameter $3", e_param(w, 2, I));
    struct value value;
    struct error error;
    struct expr *sum = CALL(CALL_ADD, I, e_param(w, 0, I), INT(9));
    assert_int_equal(exec_constant(sum, &w->context, &value, &error), OK);
    assert_int_equal(value.as.integer, 13);
}

/* ---- over columns, with selections ---- */

/* Eight rows: i 0..7 with NULL at 3, x = i / 2.0 with NULL at 4, t = "t<i>" with NULL at 5. */
static struct plan *rows(void)
{
    struct expr *exprs[24];
    static const char *const texts[] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};
    for (int i = 0; i < 8; i++) {
        exprs[3 * i] = i == 3 ? NUL(I) : INT(i);
        exprs[3 * i + 1] = i == 4 ? NUL(D) : DBL(i / 2.0);
        exprs[3 * i + 2] = i == 5 ? NUL(T) : TXT(texts[i]);
    }
    struct plan *plan = p_values(w, 3, 8, exprs);
    return plan;
}

static const char *over_rows(struct expr *predicate, struct expr *expr)
{
    struct plan *in = predicate ? p_filter(w, rows(), predicate) : rows();
    static char text[400];
    snprintf(text, sizeof text, "%s", world_run(w, p_project(w, in, expr, NULL)));
    for (char *c = text; *c; c++)
        *c = *c == '\n' ? ' ' : *c;
    return text;
}

static void test_columns(void **state)
{
    (void)state;
    struct expr *i = e_col(w, 0, I), *x = e_col(w, 1, D), *t = e_col(w, 2, T);
    assert_string_equal(over_rows(NULL, CALL(CALL_ADD, I, i, INT(10))),
                        "10 11 12 NULL 14 15 16 17 ");
    assert_string_equal(over_rows(NULL, CALL(CALL_SUBTRACT, I, INT(10), i)),
                        "10 9 8 NULL 6 5 4 3 ");
    assert_string_equal(over_rows(NULL, CALL(CALL_LT, B, i, INT(2))), "t t f NULL f f f f ");
    assert_string_equal(over_rows(NULL, CALL(CALL_LT, B, INT(2), i)), "f f f NULL t t t t ");
    assert_string_equal(over_rows(NULL, CALL(CALL_GE, B, x, DBL(2.5))), "f f f f NULL t t t ");
    assert_string_equal(over_rows(NULL, CALL(CALL_CONCAT, T, t, TXT("!"))),
                        "t0! t1! t2! t3! t4! NULL t6! t7! ");
    assert_string_equal(over_rows(CALL(CALL_GT, B, i, INT(1)), CALL(CALL_UPPER, T, t)),
                        "T2 T4 NULL T6 T7 ");
    assert_string_equal(over_rows(CALL(CALL_IS_NULL, B, t), i), "5 ");
    assert_string_equal(over_rows(BOOL(false), i), "");
    assert_string_equal(over_rows(NUL(B), i), "");
    assert_string_equal(over_rows(BOOL(true), INT(1)), "1 1 1 1 1 1 1 1 ");
    assert_string_equal(over_rows(NULL, e_make(w, EXPR_CAST, D, i, NULL)), "0 1 2 NULL 4 5 6 7 ");
    assert_string_equal(over_rows(NULL, e_make(w, EXPR_IN, B, i, INT(1), INT(4), INT(7), NULL)),
                        "f t f NULL t f f t ");
    assert_string_equal(over_rows(NULL, e_make(w, EXPR_IN, B, i, INT(1), i, NULL)),
                        "t t t NULL t t t t ");
}

/* Patterns and flags that change from row to row: what they are compiled to goes with the batch. */
static void test_changing_patterns(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    static struct expr *exprs[2 * ROWS];
    for (int i = 0; i < ROWS; i++) {
        exprs[2 * i] = TXT(i % 3 ? "a.c" : "A.C");
        exprs[2 * i + 1] = TXT(i % 2 ? "i" : "c");
    }
    struct expr *pattern = e_col(w, 0, T), *flags = e_col(w, 1, T);
    struct expr *const calls[] = {
        CALL(CALL_REGEXP_COUNT, I, TXT("abc ABC"), pattern),
        CALL(CALL_REGEXP_COUNT, I, TXT("abc ABC"), TXT("a.c"), INT(1), flags)};
    for (int i = 0; i < 2; i++) {
        struct plan *plan = p_project(w, p_values(w, 2, ROWS, exprs), calls[i], NULL);
        w->context.batch_rows = 100;
        assert_memory_equal(world_run(w, plan), i ? "1\n2\n1\n2\n" : "1\n1\n1\n1\n", 8);
        w->context.batch_rows = 0;
        assert_true(w->run_arena.used < 200 * ROWS);
    }
}

/* A division by zero is reached only where no earlier condition decided. */
static void test_narrowing_keeps_errors_away(void **state)
{
    (void)state;
    struct expr *i = e_col(w, 0, I);
    struct expr *ratio = CALL(CALL_DIVIDE, I, INT(12), i);
    struct expr *nonzero = CALL(CALL_NE, B, i, INT(0));
    assert_string_equal(
        over_rows(e_make(w, EXPR_AND, B, nonzero, CALL(CALL_GT, B, ratio, INT(3)), NULL), i),
        "1 2 ");
    assert_string_equal(
        over_rows(NULL, e_make(w, EXPR_AND, B, nonzero, CALL(CALL_GT, B, ratio, INT(3)), NULL)),
        "f t t NULL f f f f ");
    assert_string_equal(over_rows(NULL, e_make(w, EXPR_OR, B, CALL(CALL_EQ, B, i, INT(0)),
                                               CALL(CALL_GT, B, ratio, INT(3)), NULL)),
                        "t t t NULL f f f f ");
    assert_string_equal(
        over_rows(NULL, e_make(w, EXPR_CASE, I, CALL(CALL_EQ, B, i, INT(0)), INT(-1),
                               CALL(CALL_LT, B, i, INT(3)), ratio, NUL(I), NULL)),
        "-1 12 6 NULL NULL NULL NULL NULL ");
    assert_string_equal(
        over_rows(NULL, CALL(CALL_COALESCE, I, CALL(CALL_NULLIF, I, i, INT(5)), INT(99))),
        "0 1 2 99 4 99 6 7 ");
    assert_string_equal(over_rows(NULL, ratio), "ERROR 22012: division by zero ");
    /* Overflow under a NULL or at a row not selected is none. */
    struct expr *big = CALL(CALL_MULTIPLY, I, i, INT(INT64_MAX / 4));
    assert_string_equal(over_rows(CALL(CALL_LT, B, i, INT(2)), big), "0 2305843009213693951 ");
    assert_string_equal(over_rows(NULL, big), "ERROR 22003: bigint out of range ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_integers),
        TEST(test_doubles),
        TEST(test_comparisons),
        TEST(test_logic_is_lazy),
        TEST(test_in),
        TEST(test_text),
        TEST(test_parts_of_text),
        TEST(test_like),
        TEST(test_cast),
        TEST(test_parameters),
        TEST(test_columns),
        TEST(test_changing_patterns),
        TEST(test_narrowing_keeps_errors_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
