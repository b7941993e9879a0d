/* What Tab makes of a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bin/complete_int.h"
#include "bin/shell_int.h"

static struct bin__names names;

static int names_make(void **state)
{
    (void)state;
    bin__names_add(&names, BIN__NAME_RELATION, "customer", "");
    bin__names_add(&names, BIN__NAME_RELATION, "orders", "");
    bin__names_add(&names, BIN__NAME_RELATION, "\"Odd one\"", "");
    bin__names_add(&names, BIN__NAME_INDEX, "orders_total", "");
    bin__names_add(&names, BIN__NAME_COLUMN, "id", "customer");
    bin__names_add(&names, BIN__NAME_COLUMN, "name", "customer");
    bin__names_add(&names, BIN__NAME_COLUMN, "id", "orders");
    bin__names_add(&names, BIN__NAME_COLUMN, "total", "orders");
    bin__names_add(&names, BIN__NAME_FUNCTION, "now", "");
    bin__names_add(&names, BIN__NAME_FUNCTION, "to_char", "");
    bin__names_add(&names, BIN__NAME_SETTING, "timezone", "");
    return 0;
}

static int names_drop(void **state)
{
    (void)state;
    bin__names_free(&names);
    return 0;
}

/* "a b c", and what would follow a single one. */
static void join(const struct bin__matches *matches, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < matches->count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", matches->items[i]);
    if (matches->count == 1)
        snprintf(out + used, size - used, "%c", matches->after);
}

static void test_statements(void **state)
{
    (void)state;
    static const struct {
        const char *text, *matches;
    } cases[] = {
        {"", ""},
        {"SEL", "SELECT "},
        {"sel", "select "},
        {"SELECT 1; sel", "select "},
        {"INSERT IN", "INTO "},
        {"create seq", "sequence "},
        {"CREATE SEQ", "SEQUENCE "},
        {"DROP ", ""},
        {"DROP T", "TABLE "},
        {"DROP TABLE o", "orders "},
        {"DROP INDEX o", "orders_total "},
        {"select * from c", "customer "},
        {"select * from customer, OR", "OR ORDER orders"},
        {"select tot", "total "},
        {"select to", "to to_char total"},
        {"select n from customer where nam", "name "},
        {"select n from customer where tota", ""},
        {"select customer.", "id name"},
        {"select customer.n", "name "},
        {"select x.n", "name "},
        {"select x.i", "id "},
        {"update o", "orders "},
        {"select now", "now("},
        {"select to_c", "to_char("},
        {"set ti", "timezone "},
        {"show ti", "timezone "},
        {"select 'fro", ""},
        {"select \"fro", ""},
        {"select $$fro", ""},
        {"-- sel", ""},
        {"/* sel", ""},
        {"/* a */ sel", "select "},
        {"select 'a' fro", "from "},
        {"select 1 + ", ""},
        {"nosuchword", ""},
    };
    char out[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bin__matches matches;
        bin__complete_statement(&names, slice_from_string(cases[i].text), &matches);
        join(&matches, out, sizeof out);
        bin__matches_free(&matches);
        if (strcmp(out, cases[i].matches) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].text, out, cases[i].matches);
    }
}

static void test_commands(void **state)
{
    (void)state;
    static const char *const commands[] = {"d", "dt", "di", "status", "timing", NULL};
    static const struct {
        const char *line, *matches;
    } cases[] = {
        {"\\", "d di dt status timing"},
        {"\\d", "d di dt"},
        {"\\st", "status "},
        {"\\d o", "orders orders_total"},
        {"\\dt cu", "customer "},
        {"\\h create ta", "create table "},
        {"\\timing o", ""},
    };
    char out[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bin__matches matches;
        bin__complete_command(&names, commands, slice_from_string(cases[i].line), &matches);
        join(&matches, out, sizeof out);
        bin__matches_free(&matches);
        if (strcmp(out, cases[i].matches) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].line, out, cases[i].matches);
    }
}

static void test_common(void **state)
{
    (void)state;
    struct bin__matches matches;
    bin__complete_command(&names, bin__command_names(), slice_from_string("\\ti"), &matches);
    assert_int_equal(matches.count, 1);
    assert_int_equal(bin__matches_common(&matches), strlen("timing"));
    bin__matches_free(&matches);
    bin__complete_statement(&names, slice_from_string("select customer."), &matches);
    assert_int_equal(bin__matches_common(&matches), 0);
    assert_int_equal(matches.typed, 0);
    bin__matches_free(&matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_common),
    };
    return cmocka_run_group_tests(tests, names_make, names_drop);
}
