#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql/parse/parse_int.h"

struct fixture {
    struct arena arena;
    struct parser parser;
    struct ast_statement *statement;
    struct error error;
};

static status_t parse_text(struct fixture *f, const char *text)
{
    status_t status = parse_begin(&f->parser, slice_from_string(text), 0, &f->error);
    return status ? status : parse_next(&f->parser, &f->arena, &f->statement, &f->error);
}

static void fixture_free(struct fixture *f)
{
    arena_free(&f->arena);
}

static void test_keywords_sorted(void **state)
{
    (void)state;
    for (int k = KEYWORD_NONE + 1; k < KEYWORD_COUNT; k++) {
        const char *text = parse__keyword_text((enum keyword)k);
        assert_int_equal(parse__keyword_find(text), k);
        if (k > 1)
            assert_true(strcmp(parse__keyword_text((enum keyword)(k - 1)), text) < 0);
    }
    assert_int_equal(parse__keyword_find("nonsense"), KEYWORD_NONE);
    assert_int_equal(parse__keyword_find(""), KEYWORD_NONE);
}

static void test_positions(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_int_equal(parse_text(&f, "select 'é', t.a + 1 from t"), OK);
    const struct ast_select *select = f.statement->as.select;
    assert_int_equal(select->position, 1);
    assert_int_equal(select->targets[0].expr->position, 8);
    const struct ast_expr *sum = select->targets[1].expr;
    assert_int_equal(sum->kind, AST_BINARY);
    assert_int_equal(sum->position, 17);
    assert_int_equal(sum->as.binary.left->position, 13);
    assert_int_equal(sum->as.binary.left->as.column.table.position, 13);
    assert_int_equal(sum->as.binary.left->as.column.name.position, 15);
    assert_int_equal(sum->as.binary.right->position, 19);
    assert_int_equal(select->from->position, 26);
    assert_string_equal(select->from->name.text, "t");
    fixture_free(&f);
}

static void test_statement_text_and_parameters(void **state)
{
    (void)state;
    struct fixture f = {0};
    const char *text = " /* a */ select $1, $3 -- b\n ; select 2";
    assert_int_equal(parse_text(&f, text), OK);
    assert_true(slice_equal(f.statement->text, slice_from_string("select $1, $3")));
    assert_int_equal(f.statement->parameter_count, 3);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), OK);
    assert_true(slice_equal(f.statement->text, slice_from_string("select 2")));
    assert_int_equal(f.statement->parameter_count, 0);
    assert_int_equal(f.statement->position, 32);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), OK);
    assert_null(f.statement);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), OK);
    assert_null(f.statement);
    fixture_free(&f);
}

/* An error, of the lexer too, shows only when its statement's turn comes. */
static void test_later_error_waits(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_int_equal(parse_text(&f, "select 1;select 'open"), OK);
    assert_non_null(f.statement);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), ERR_SQL);
    assert_null(f.statement);
    assert_string_equal(f.error.sqlstate, "42601");
    assert_int_equal(f.error.position, 17);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), OK);
    assert_null(f.statement);
    fixture_free(&f);
}

static void test_default_sql(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_int_equal(parse_text(&f, "create table t (a int default  1 + /*x*/ 2  not null)"), OK);
    const struct ast_column_definition *column = &f.statement->as.create_table->columns[0];
    assert_string_equal(column->default_sql, "1 + /*x*/ 2");
    assert_true(column->not_null);
    assert_int_equal(column->default_value->kind, AST_BINARY);
    fixture_free(&f);
}

/* The same text `count` times, between a start and an end. */
static char *repeat(const char *start, const char *text, size_t count, const char *end)
{
    struct buffer out = {0};
    buffer_append_string(&out, start);
    for (size_t i = 0; i < count; i++)
        buffer_append_string(&out, text);
    buffer_append_string(&out, end);
    buffer_append_byte(&out, '\0');
    return (char *)out.data;
}

static void expect_too_deep(const char *start, const char *text, size_t count, const char *end)
{
    struct fixture f = {0};
    char *sql = repeat(start, text, count, end);
    assert_int_equal(parse_text(&f, sql), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "54001");
    assert_string_equal(f.error.message, "statement is too complex");
    mem_free(sql);
    fixture_free(&f);
}

static void test_depth(void **state)
{
    (void)state;
    expect_too_deep("select ", "(", 10000, "");
    expect_too_deep("select ", "(select ", 10000, "");
    expect_too_deep("select ", "- ", 10000, "1");
    expect_too_deep("select ", "not ", 10000, "a");
    expect_too_deep("select 1", " + 1", 10000, "");
    expect_too_deep("select a", "::int", 10000, "");
    expect_too_deep("select a", " is null", 10000, "");
    expect_too_deep("select ", "f(", 10000, "");
    expect_too_deep("select ", "case when ", 10000, "");
    expect_too_deep("select ", "a in (", 10000, "");
    expect_too_deep("select 1 from ", "(", 10000, "");
    expect_too_deep("select 1 from ", "(select 1 from ", 10000, "");
    expect_too_deep("select 1 from a", " join b", 10000, "");
    expect_too_deep("select 1 from a", " cross join b", 10000, "");
    expect_too_deep("select 1 from a", ", b", 10000, "");
    expect_too_deep("", "(", 10000, "");
    expect_too_deep("values (", "(", 10000, "");
}

/* Parts that are deep in turn add up. */
static void test_depth_adds_up(void **state)
{
    (void)state;
    char *deep = repeat("1", " + 1", PARSE_DEPTH_MAX / 2 + 20, "");
    char *sql = repeat("select (select ", deep, 1, ")");
    char *twice = repeat(sql, " + 1", PARSE_DEPTH_MAX / 2 + 20, "");
    struct fixture f = {0};
    assert_int_equal(parse_text(&f, sql), OK);
    assert_true(f.statement->as.select->height > PARSE_DEPTH_MAX / 2);
    assert_int_equal(parse_text(&f, twice), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "54001");
    mem_free(deep);
    mem_free(sql);
    mem_free(twice);
    fixture_free(&f);
}

/* Wide is not deep. */
static void test_wide(void **state)
{
    (void)state;
    struct fixture f = {0};
    char *sql = repeat("select a = 1", " or a = 1", 20000, "");
    assert_int_equal(parse_text(&f, sql), OK);
    assert_int_equal(f.statement->as.select->targets[0].expr->as.list.count, 20001);
    mem_free(sql);
    sql = repeat("insert into t values (1)", ", (1)", 20000, "");
    assert_int_equal(parse_text(&f, sql), OK);
    assert_int_equal(f.statement->as.insert->source->row_count, 20001);
    mem_free(sql);
    sql = repeat("select a in (1", ", 1", 20000, ")");
    assert_int_equal(parse_text(&f, sql), OK);
    mem_free(sql);
    sql = repeat("select 1", "/*", 100000, "");
    assert_int_equal(parse_text(&f, sql), ERR_SQL);
    assert_string_equal(f.error.message, "unterminated /* comment");
    mem_free(sql);
    fixture_free(&f);
}

static void test_text_limits(void **state)
{
    (void)state;
    struct fixture f = {0};
    char *sql = repeat("select '", "x", 10 << 20, "'");
    assert_int_equal(parse_text(&f, sql), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "54000");
    assert_string_equal(f.error.message, "statement is too long");
    mem_free(sql);
    struct slice odd = slice_make("select 'é\xff'", 12);
    assert_int_equal(parse_begin(&f.parser, odd, 0, &f.error), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "22021");
    assert_int_equal(f.error.position, 10);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), OK);
    assert_null(f.statement);
    odd = slice_make("select\0 1", 9);
    assert_int_equal(parse_begin(&f.parser, odd, 0, &f.error), ERR_SQL);
    assert_string_equal(f.error.sqlstate, "22021");
    assert_int_equal(f.error.position, 7);
    assert_int_equal(parse_begin(&f.parser, slice_make("select 1", 8), 7, NULL), ERR_SQL);
    assert_int_equal(parse_begin(&f.parser, slice_make(NULL, 0), 0, &f.error), OK);
    assert_int_equal(parse_next(&f.parser, &f.arena, &f.statement, &f.error), OK);
    assert_null(f.statement);
    fixture_free(&f);
}

static void test_print_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a1$", "a1$"},
        {"1a", "\"1a\""},
        {"A", "\"A\""},
        {"select", "\"select\""},
        {"name", "name"},
        {"a\"b", "\"a\"\"b\""},
        {"values", "\"values\""},
        {"tables", "tables"},
        {"", "\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        ast_print_name(cases[i][0], &out);
        if (cases[i][0][0])
            assert_true(slice_equal(buffer_slice(&out), slice_from_string(cases[i][1])));
        buffer_free(&out);
    }
}

static void assert_fixpoint(const char *text)
{
    struct buffer printed[2] = {{0}};
    struct fixture f = {0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parse_text(&f, text), OK);
        ast_print(f.statement, &printed[i]);
        text = arena_strndup(&f.arena, (const char *)printed[i].data, printed[i].size);
    }
    assert_true(slice_equal(buffer_slice(&printed[0]), buffer_slice(&printed[1])));
    buffer_free(&printed[0]);
    buffer_free(&printed[1]);
    fixture_free(&f);
}

/* What fuzzing found: printed, these were read as something else. */
static void test_print_is_a_fixpoint(void **state)
{
    (void)state;
    /* More digits than a numeric holds, fewer when printed: a double, then a numeric. */
    assert_fixpoint("select 0.000000000000000000020621900000161020000000000000000001");
    assert_fixpoint("select 123456789012345678901234567890.123456789012345678901234567890");
    /* A query that begins with another's parenthesis behind LATERAL. */
    assert_fixpoint("select 1 from t, lateral (select 1 union select 2) as q");
    assert_fixpoint("select 1 from t cross join lateral ((select 1) except (select 2)) as q (i)");
    /* Likewise behind IN and ANY. */
    assert_fixpoint("select 1 in ((select 1) intersect (select 2) union select 3)");
    assert_fixpoint("select 1 = any (select 1 union select 2), 1 < all ((select 1))");
    assert_fixpoint("select 1e300, 1e-300, 1e-5, 1e10, 0.1e1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keywords_sorted),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_statement_text_and_parameters),
        cmocka_unit_test(test_later_error_waits),
        cmocka_unit_test(test_default_sql),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_depth_adds_up),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_text_limits),
        cmocka_unit_test(test_print_name),
        cmocka_unit_test(test_print_is_a_fixpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
