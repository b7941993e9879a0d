/* Cutting SQL text into statements, whatever hides a semicolon and however the text comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bin/lines_int.h"
#include "bin/shell_int.h"
#include "bin/split_int.h"

/* All statements of a text as "line:statement|line:statement|...", fed line by line. */
static void split_all(const char *text, char *out, size_t size)
{
    struct bin__split split;
    struct bin__lines lines;
    struct bin__statement statement;
    struct slice line;
    size_t used = 0;
    out[0] = '\0';
    bin__split_init(&split);
    bin__lines_from_text(&lines, slice_from_string(text));
    while (bin__lines_next(&lines, &line, NULL) == OK && line.size) {
        assert_int_equal(bin__split_feed(&split, line), OK);
        while (bin__split_next(&split, &statement)) {
            const char *shown = statement.text ? statement.text : "";
            assert_int_equal(strlen(shown), statement.size);
            used += (size_t)snprintf(out + used, size - used, "%u:%s%s%s|", statement.line, shown,
                                     statement.command ? "\\" : "",
                                     statement.command ? statement.command : "");
        }
    }
    if (bin__split_rest(&split, &statement))
        used += (size_t)snprintf(out + used, size - used, "%u:%s", statement.line, statement.text);
    assert_true(used < size);
    assert_true(bin__split_idle(&split));
    bin__lines_close(&lines);
    bin__split_free(&split);
}

static void test_statements(void **state)
{
    (void)state;
    static const struct {
        const char *text, *statements;
    } cases[] = {
        {"", ""},
        {" \n\t ", ""},
        {";;; ;", ""},
        {"SELECT 1", "1:SELECT 1"},
        {"SELECT 1;", "1:SELECT 1|"},
        {"SELECT 1;SELECT 2", "1:SELECT 1|1:SELECT 2"},
        {"\n\nSELECT 1;\n  SELECT\n2;\nx", "3:SELECT 1|4:SELECT\n2|6:x"},
        /* comments */
        {"-- a; b\nSELECT 1; -- c;\n;", "2:SELECT 1|"},
        {"SELECT 1 -- a;\n+ 2;", "1:SELECT 1 -- a;\n+ 2|"},
        {"/* a; /* b; */ c; */ SELECT 1;", "1:SELECT 1|"},
        {"/* a\nb\n*/ SELECT/*;*/1;", "3:SELECT/*;*/1|"},
        {"SELECT 1 - - 1; SELECT 4 / 2;", "1:SELECT 1 - - 1|1:SELECT 4 / 2|"},
        /* strings and names */
        {"SELECT 'a;b';", "1:SELECT 'a;b'|"},
        {"SELECT 'it''s; ';", "1:SELECT 'it''s; '|"},
        {"SELECT 'a\\'; SELECT 2;", "1:SELECT 'a\\'|1:SELECT 2|"},
        {"SELECT E'a\\'; b';", "1:SELECT E'a\\'; b'|"},
        {"SELECT e'\\\\'; SELECT 2;", "1:SELECT e'\\\\'|1:SELECT 2|"},
        {"SELECT E'a'\n'\\';'; SELECT 2;", "1:SELECT E'a'\n'\\';'|2:SELECT 2|"},
        {"SELECT name'\\'; SELECT 2;", "1:SELECT name'\\'|1:SELECT 2|"},
        {"SELECT \"a;\"\"b\";", "1:SELECT \"a;\"\"b\"|"},
        {"SELECT 'line\n;\n2'; SELECT 3;", "1:SELECT 'line\n;\n2'|3:SELECT 3|"},
        {"SELECT 'open; ", "1:SELECT 'open; "},
        /* dollar quotes */
        {"SELECT $$a;b$$;", "1:SELECT $$a;b$$|"},
        {"SELECT $t$ $$; $u$ ; $t$; x", "1:SELECT $t$ $$; $u$ ; $t$|1:x"},
        {"SELECT $1; SELECT a$b$; SELECT $2", "1:SELECT $1|1:SELECT a$b$|1:SELECT $2"},
        {"SELECT $t$\n;\n$t$; x", "1:SELECT $t$\n;\n$t$|3:x"},
        /* commands: \g and its like end a statement, others leave it open */
        {"\\d t\nSELECT 1;", "1:\\d t|2:SELECT 1|"},
        {"SELECT 1; \\d t;\n2;", "1:SELECT 1|1:\\d t;|2:2|"},
        {"SELECT 1 \\gx\n2;", "1:SELECT 1 \\gx|2:2|"},
        {"SELECT\n1\n\\watch 2 3\n4", "1:SELECT\n1\n\\watch 2 3|4:4"},
        {"SELECT\n\\d t\n1;", "2:\\d t|1:SELECT\n    \n1|"},
        {"SELECT '\\g' \\g", "1:SELECT '\\g' \\g|"},
        {"\\g\n", "1:\\g|"},
        {"SELECT 1 \\gone\n;", "1:\\gone|1:SELECT 1      \n|"},
        {"-- \\d\n/* \\d */ SELECT $$\\d$$;", "2:SELECT $$\\d$$|"},
        /* letters beyond ASCII are letters */
        {"SELECT \xc3\xa9'\\'; x", "1:SELECT \xc3\xa9'\\'|1:x"},
    };
    char out[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        split_all(cases[i].text, out, sizeof out);
        assert_string_equal(out, cases[i].statements);
    }
}

/* What a prompt must know, after each of these lines. */
static void test_open(void **state)
{
    (void)state;
    static const struct {
        const char *line, *prompt;
    } lines[] = {
        {"\n", "toydb> "},         {"-- nothing\n", "toydb> "},  {"/* a\n", "toydb/> "},
        {"*/\n", "toydb> "},       {"SELECT\n", "toydb-> "},     {"'a\n", "toydb'> "},
        {"', \"b\n", "toydb\"> "}, {"\", $$c\n", "toydb$> "},    {"$$, E'd\n", "toydb'> "},
        {"'\n", "toydb-> "},       {"; SELECT 2\n", "toydb-> "}, {";\n", "toydb> "},
    };
    struct bin__split split;
    struct bin__statement statement;
    char prompt[32];
    bin__split_init(&split);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(bin__split_feed(&split, slice_from_string(lines[i].line)), OK);
        while (bin__split_next(&split, &statement)) {
        }
        bin__prompt_text(prompt, sizeof prompt, TOYDB_TRANSACTION_IDLE, split.begun, split.state);
        assert_string_equal(prompt, lines[i].prompt);
        assert_int_equal(bin__split_idle(&split), strcmp(prompt, "toydb> ") == 0);
    }
    bin__prompt_text(prompt, sizeof prompt, TOYDB_TRANSACTION_OPEN, false, BIN__SPLIT_TEXT);
    assert_string_equal(prompt, "toydb*> ");
    bin__prompt_text(prompt, sizeof prompt, TOYDB_TRANSACTION_FAILED, true, BIN__SPLIT_TEXT);
    assert_string_equal(prompt, "toydb!-> ");
    bin__split_free(&split);
}

/* A script is never held whole, and a statement that could not be sent is refused. */
static void test_memory(void **state)
{
    (void)state;
    struct bin__split split;
    struct bin__statement statement;
    bin__split_init(&split);
    for (uint32_t i = 1; i <= 100000; i++) {
        assert_int_equal(bin__split_feed(&split, slice_from_string("INSERT 1;\n")), OK);
        assert_true(bin__split_next(&split, &statement));
        assert_int_equal(statement.line, i);
        assert_false(bin__split_next(&split, &statement));
    }
    assert_true(split.text.capacity <= 4096);
    static char part[1 << 20];
    memset(part, 'x', sizeof part);
    status_t status = OK;
    for (int i = 0; i < 64 && status == OK; i++)
        status = bin__split_feed(&split, slice_make(part, sizeof part));
    assert_int_equal(status, ERR_TOO_LONG);
    bin__split_reset(&split);
    assert_int_equal(bin__split_feed(&split, slice_from_string("a;")), OK);
    assert_true(bin__split_next(&split, &statement));
    assert_string_equal(statement.text, "a");
    bin__split_free(&split);
}

/* What is a COPY whose lines are data, or are to be shown as they are. */
static void test_copies(void **state)
{
    (void)state;
    static const struct {
        const char *statement;
        enum bin__copy kind;
    } cases[] = {
        {"COPY t FROM STDIN", BIN__COPY_FROM},
        {"copy t (a, b) from/* */stdin with (format csv)", BIN__COPY_FROM},
        {"COPY \"from stdin\" TO STDOUT", BIN__COPY_TO},
        {"COPY (SELECT $$a\"b$$) TO STDOUT", BIN__COPY_TO},
        {"COPY (SELECT $x$it's$x$, 'a''b') TO STDOUT", BIN__COPY_TO},
        {"COPY (SELECT E'a\\' from stdin', 1) TO STDOUT", BIN__COPY_TO},
        {"COPY (SELECT 1 -- it's\n) TO STDOUT", BIN__COPY_TO},
        {"COPY (SELECT 1 /* \" */) TO STDOUT", BIN__COPY_TO},
        {"COPY (SELECT * FROM stdin) TO STDOUT", BIN__COPY_TO},
        {"COPY t FROM 'stdin'", BIN__COPY_NOT},
        {"COPY t FROM stdin_too", BIN__COPY_NOT},
        {"COPY t TO '/tmp/x'", BIN__COPY_NOT},
        {"COPY", BIN__COPY_NOT},
        {"COP", BIN__COPY_NOT},
        {"COPYING t FROM STDIN", BIN__COPY_NOT},
        {"SELECT 'COPY t FROM STDIN'", BIN__COPY_NOT},
        {"COPY ) t FROM STDIN", BIN__COPY_FROM},
        {"COPY (t FROM STDIN", BIN__COPY_NOT},
        {"COPY 'open FROM STDIN", BIN__COPY_NOT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (bin__copy_kind(slice_from_string(cases[i].statement)) != cases[i].kind)
            fail_msg("%s", cases[i].statement);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
