/* Results and errors as a person or a program sees them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bin/output_int.h"
#include "bin/shell_int.h"
#include "bin/text_int.h"

static struct buffer written;

static bool take(void *context, const void *data, size_t size)
{
    (void)context;
    return buffer_append(&written, data, size) == OK;
}

static void assert_written(const char *expected)
{
    assert_int_equal(buffer_append_byte(&written, '\0'), OK);
    assert_string_equal((const char *)written.data, expected);
    buffer_reset(&written);
}

static struct toydb_value text(const char *text)
{
    return (struct toydb_value){.type = TOYDB_TEXT, .text = {text, strlen(text)}};
}

static struct toydb_value integer(int64_t integer)
{
    return (struct toydb_value){.type = TOYDB_INTEGER, .integer = integer};
}

static struct toydb_value real(double real)
{
    return (struct toydb_value){.type = TOYDB_DOUBLE, .real = real};
}

static const struct toydb_value null = {.type = TOYDB_NULL};

static const struct toydb_column columns[] = {{.name = "id", .type = TOYDB_INTEGER},
                                              {.name = "name", .type = TOYDB_TEXT},
                                              {.name = "ok", .type = TOYDB_BOOLEAN},
                                              {.name = "x", .type = TOYDB_DOUBLE}};

static void print_all(struct bin__output *output)
{
    struct toydb_value yes = {.type = TOYDB_BOOLEAN, .boolean = true};
    struct toydb_value rows[][4] = {
        {integer(1), text("\xc3\x85sa, \"x\""), yes, real(0.1)},
        {integer(-20), text("\xe6\x97\xa5\xe6\x9c\xac"), null, real(1e20)},
        {integer(3), text("two\nlines\t"), yes, null},
        {integer(4), text(""), null, real(NAN)},
    };
    bin__output_begin(output, columns, 4);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bin__output_row(output, rows[i]);
    bin__output_end(output, NULL);
    assert_true(bin__output_flush(output));
}

static void test_table(void **state)
{
    (void)state;
    struct bin__output output;
    bin__output_init(&output, take, NULL);
    print_all(&output);
    assert_written("  id | name      | ok   |     x\n"
                   "-----+-----------+------+-------\n"
                   "   1 | \xc3\x85sa, \"x\"  | true |   0.1\n"
                   " -20 | \xe6\x97\xa5\xe6\x9c\xac      | NULL | 1e+20\n"
                   "   3 | two      +| true |  NULL\n"
                   "     | lines     |      |\n"
                   "   4 |           | NULL |   NaN\n"
                   "(4 rows)\n\n");
    output.expanded = BIN__EXPANDED_ON;
    bin__output_begin(&output, columns, 2);
    bin__output_row(&output, (struct toydb_value[]){integer(1), text("a\nb")});
    bin__output_row(&output, (struct toydb_value[]){integer(2), null});
    bin__output_end(&output, "3 ms");
    bin__output_flush(&output);
    assert_written("-[ RECORD 1 ]\n"
                   "id   | 1\n"
                   "name | a\n"
                   "     | b\n"
                   "-[ RECORD 2 ]\n"
                   "id   | 2\n"
                   "name | NULL\n"
                   "(2 rows)  3 ms\n\n");
    static const struct toydb_column plan[] = {{.name = "QUERY PLAN", .type = TOYDB_TEXT}};
    output.expanded = BIN__EXPANDED_AUTO;
    output.screen_width = 8;
    bin__output_begin(&output, plan, 1);
    bin__output_row(&output, (struct toydb_value[]){text("Project a, b")});
    bin__output_row(&output, (struct toydb_value[]){text("  -> Scan t")});
    bin__output_end(&output, NULL);
    bin__output_begin(&output, columns + 1, 1);
    bin__output_row(&output, (struct toydb_value[]){text("Project a, b")});
    bin__output_end(&output, NULL);
    bin__output_flush(&output);
    assert_written(" QUERY PLAN\n"
                   "--------------\n"
                   " Project a, b\n"
                   "   -> Scan t\n"
                   "(2 rows)\n\n"
                   "-[ RECORD 1 ]\n"
                   "name | Project a, b\n"
                   "(1 row)\n\n");
    output.screen_width = 0;
    output.expanded = BIN__EXPANDED_OFF;
    output.pretty = true;
    bin__output_begin(&output, columns, 1);
    bin__output_row(&output, (struct toydb_value[]){integer(1)});
    bin__output_end(&output, NULL);
    bin__output_begin(&output, columns + 1, 1);
    bin__output_end(&output, NULL);
    bin__output_flush(&output);
    assert_written(" id\n────\n  1\n(1 row)\n\n name\n──────\n(0 rows)\n\n");
    bin__output_free(&output);
}

static void test_other_formats(void **state)
{
    (void)state;
    struct bin__output output;
    bin__output_init(&output, take, NULL);
    output.format = BIN__FORMAT_CSV;
    print_all(&output);
    assert_written("id,name,ok,x\n"
                   "1,\"\xc3\x85sa, \"\"x\"\"\",true,0.1\n"
                   "-20,\xe6\x97\xa5\xe6\x9c\xac,,1e+20\n"
                   "3,\"two\nlines\t\",true,\n"
                   "4,\"\",,NaN\n");
    output.format = BIN__FORMAT_TSV;
    print_all(&output);
    assert_written("id\tname\tok\tx\n"
                   "1\t\xc3\x85sa, \"x\"\ttrue\t0.1\n"
                   "-20\t\xe6\x97\xa5\xe6\x9c\xac\t\\N\t1e+20\n"
                   "3\ttwo\\nlines\\t\ttrue\t\\N\n"
                   "4\t\t\\N\tNaN\n");
    output.format = BIN__FORMAT_JSON;
    print_all(&output);
    assert_written("[{\"id\": 1, \"name\": \"\xc3\x85sa, \\\"x\\\"\", \"ok\": true, \"x\": 0.1},\n"
                   " {\"id\": -20, \"name\": \"\xe6\x97\xa5\xe6\x9c\xac\", \"ok\": null, "
                   "\"x\": 1e+20},\n"
                   " {\"id\": 3, \"name\": \"two\\nlines\\t\", \"ok\": true, \"x\": null},\n"
                   " {\"id\": 4, \"name\": \"\", \"ok\": null, \"x\": \"NaN\"}]\n");
    bin__output_begin(&output, columns, 1);
    bin__output_end(&output, NULL);
    bin__output_flush(&output);
    assert_written("[]\n");
    output.format = BIN__FORMAT_LINE;
    bin__output_begin(&output, columns, 2);
    bin__output_row(&output, (struct toydb_value[]){integer(1), text("a\nb")});
    bin__output_row(&output, (struct toydb_value[]){integer(2), null});
    bin__output_end(&output, NULL);
    bin__output_flush(&output);
    assert_written("  id = 1\nname = a\\nb\n\n  id = 2\nname = NULL\n");
    bin__output_free(&output);
}

/* Rows beyond a chunk are printed as they come, and a later one may be wider. */
static void test_chunks(void **state)
{
    (void)state;
    struct bin__output output;
    bin__output_init(&output, take, NULL);
    bin__output_begin(&output, columns, 1);
    for (int i = 0; i < 999; i++)
        bin__output_row(&output, (struct toydb_value[]){integer(1)});
    bin__output_flush(&output);
    assert_int_equal(written.size, 0);
    bin__output_row(&output, (struct toydb_value[]){integer(1)});
    bin__output_flush(&output);
    assert_int_equal(written.size, strlen(" id\n----\n") + 1000 * strlen("  1\n"));
    buffer_reset(&written);
    bin__output_row(&output, (struct toydb_value[]){integer(12345)});
    bin__output_end(&output, NULL);
    bin__output_flush(&output);
    assert_written(" 12345\n(1001 rows)\n\n");
    bin__output_free(&output);
}

static bool refuse(void *context, const void *data, size_t size)
{
    (void)context;
    (void)data;
    (void)size;
    return false;
}

static void test_failed_write(void **state)
{
    (void)state;
    struct bin__output output;
    bin__output_init(&output, refuse, NULL);
    bin__output_line(&output, "a", NULL);
    assert_false(bin__output_flush(&output));
    assert_false(bin__output_flush(&output));
    bin__output_free(&output);
}

/* ---- text ----------------------------------------------------------------------------------- */

static void test_doubles(void **state)
{
    (void)state;
    static const struct {
        double real;
        const char *text;
    } cases[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {100, "100"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1.0 / 3, "0.3333333333333333"},
                 {1e14, "100000000000000"},
                 {1e15, "1e+15"},
                 {12345678901234567.0, "1.2345678901234568e+16"},
                 {0.0001, "0.0001"},
                 {0.00001, "1e-05"},
                 {5e-324, "5e-324"},
                 {1.7976931348623157e308, "1.7976931348623157e+308"},
                 {INFINITY, "Infinity"},
                 {-INFINITY, "-Infinity"},
                 {NAN, "NaN"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[BIN__DOUBLE_TEXT_MAX];
        assert_int_equal(bin__double_text(cases[i].real, out), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
    }
}

static void test_shown_text(void **state)
{
    (void)state;
    struct buffer out = {0};
    bin__text_show(&out, slice_from_string("a\033[31mb\r\n\xff\xc2\x9b\xe2\x80\xae\t"), false);
    buffer_append_byte(&out, '\0');
    assert_string_equal((char *)out.data, "a\\x1b[31mb\\r\\n\\xff\\x9b\\u202e\\t");
    buffer_reset(&out);
    bin__text_show(&out, slice_from_string("a\nb\tc"), true);
    buffer_append_byte(&out, '\0');
    assert_string_equal((char *)out.data, "a\nb    c");
    buffer_free(&out);
    assert_int_equal(bin__text_width(slice_from_string("abc")), 3);
    assert_int_equal(bin__text_width(slice_from_string("e\xcc\x81")), 1); /* e, combining acute */
    assert_int_equal(bin__text_width(slice_from_string("\xe6\x97\xa5\xf0\x9f\x98\x80")), 4);
    assert_int_equal(bin__text_fit(slice_from_string("a\xe6\x97\xa5"), 2).size, 1);
    assert_int_equal(bin__text_fit(slice_from_string("a\xe6\x97\xa5"), 3).size, 4);
}

static void test_figures(void **state)
{
    (void)state;
    struct buffer out = {0};
    static const uint64_t counts[] = {0, 999, 1000, 1234567};
    for (size_t i = 0; i < 4; i++) {
        bin__count_text(&out, counts[i]);
        buffer_append_byte(&out, ' ');
    }
    buffer_append_byte(&out, '\0');
    assert_string_equal((char *)out.data, "0 999 1,000 1,234,567 ");
    buffer_free(&out);
    char text[32];
    bin__duration_text(850, text, sizeof text);
    assert_string_equal(text, "850 us");
    bin__duration_text(3420, text, sizeof text);
    assert_string_equal(text, "3.42 ms");
    bin__duration_text(245000000, text, sizeof text);
    assert_string_equal(text, "4 min 5 s");
    bin__bytes_text(1536, text, sizeof text);
    assert_string_equal(text, "1.5 KiB");
}

/* ---- errors --------------------------------------------------------------------------------- */

static void assert_error(const struct toydb_error *error, const char *sql, const char *source,
                         uint32_t line, const char *expected)
{
    struct buffer out = {0};
    bin__error_format(&out, error, slice_from_string(sql), source, line, false);
    buffer_append_byte(&out, '\0');
    assert_string_equal((char *)out.data, expected);
    buffer_free(&out);
}

static void test_errors(void **state)
{
    (void)state;
    struct toydb_error error = {.sqlstate = "42703", .message = "column \"nme\" does not exist"};
    error.position = 8;
    assert_error(&error, "SELECT nme FROM t", NULL, 0,
                 "ERROR:  column \"nme\" does not exist (SQLSTATE 42703)\n"
                 "LINE 1: SELECT nme FROM t\n"
                 "               ^\n");
    error.position = 13; /* in characters, and shown in columns */
    assert_error(&error, "SELECT\n'\xe6\x97\xa5',\tnme\nFROM t", "a.sql", 41,
                 "a.sql:42: ERROR:  column \"nme\" does not exist (SQLSTATE 42703)\n"
                 "LINE 42: '\xe6\x97\xa5',    nme\n"
                 "                  ^\n");
    error.position = 99; /* behind the end */
    assert_error(&error, "SELECT", NULL, 0,
                 "ERROR:  column \"nme\" does not exist (SQLSTATE 42703)\n"
                 "LINE 1: SELECT\n"
                 "              ^\n");
    error.position = 0;
    snprintf(error.detail, sizeof error.detail, "d");
    snprintf(error.hint, sizeof error.hint, "h");
    assert_error(&error, "INSERT\n1", NULL, 3,
                 "ERROR:  column \"nme\" does not exist (SQLSTATE 42703)\n"
                 "LINE 3: INSERT\nDETAIL:  d\nHINT:  h\n");
    assert_error(&error, "INSERT", NULL, 0,
                 "ERROR:  column \"nme\" does not exist (SQLSTATE 42703)\nDETAIL:  d\nHINT:  h\n");
}

/* Of a long line, what is around the place; whatever the place. */
static void test_long_lines(void **state)
{
    (void)state;
    char sql[4001];
    memset(sql, 'x', sizeof sql - 1);
    sql[sizeof sql - 1] = '\0';
    for (uint32_t position = 1; position <= 4002; position++) {
        struct toydb_error error = {.sqlstate = "42601", .message = "m", .position = position};
        struct buffer out = {0};
        bin__error_format(&out, &error, slice_from_string(sql), NULL, 0, false);
        buffer_append_byte(&out, '\0');
        const char *line = strchr((char *)out.data, '\n') + 1;
        const char *caret = strchr(line, '\n') + 1;
        assert_true(caret - line < 120);
        assert_true(strchr(caret, '^') - caret <= caret - line);
        buffer_free(&out);
    }
}

static int free_written(void **state)
{
    (void)state;
    buffer_free(&written);
    return 0;
}

int main(void)
{
    bin__text_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_chunks),     cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_doubles),    cmocka_unit_test(test_shown_text),
        cmocka_unit_test(test_figures),    cmocka_unit_test(test_errors),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, free_written);
}
