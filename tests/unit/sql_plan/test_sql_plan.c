/* What golden scripts do not show: the shape of plans in memory, limits, many of everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "plan_world.h"

static int set_up(void **state)
{
    (void)state;
    struct column_definition columns[] = {
        {.name = "id", .type = {.kind = SQL_INTEGER}},
        {.name = "a", .type = {.kind = SQL_INTEGER, .length_max = 32}},
        {.name = "b", .type = {.kind = SQL_TEXT, .length_max = 10}},
        {.name = "c", .type = {.kind = SQL_DOUBLE}},
        {.name = "d", .type = {.kind = SQL_BOOLEAN}, .default_sql = "'x'"},
    };
    struct table_definition definition = {.name = "t",
                                          .columns = columns,
                                          .column_count = 5,
                                          .primary_key = {.column_count = 1, .columns = {"id"}}};
    plan_world_open(&definition);
    return 0;
}

static status_t plan(const char *sql)
{
    return plan_with(sql, NULL);
}

static void check_error(const char *sql, const char *sqlstate)
{
    assert_int_not_equal(plan(sql), OK);
    assert_string_equal(f.error.sqlstate, sqlstate);
}

/* ---- shapes ------------------------------------------------------------------------------------
 */

static void test_point_select(void **state)
{
    (void)state;
    assert_int_equal(plan("SELECT c, a FROM t WHERE id = 7"), OK);
    const struct plan *root = f.planned.root;
    assert_int_equal(root->kind, PLAN_PROJECT);
    assert_true(f.planned.returns_rows && f.planned.is_short && !f.planned.writes);
    const struct plan *scan = root->left;
    assert_int_equal(scan->kind, PLAN_SCAN);
    assert_int_equal(scan->as.scan.range_count, 1);
    assert_int_equal(scan->as.scan.ranges[0].equal_count, 1);
    assert_int_equal(scan->as.scan.ranges[0].equal[0]->constant.as.integer, 7);
    /* Only what is used is read: the key's column is not. */
    assert_int_equal(scan->column_count, 2);
    assert_int_equal(scan->as.scan.columns[0], 1);
    assert_int_equal(scan->as.scan.columns[1], 3);
    assert_int_equal(root->as.project.exprs[0]->index, 1);
    assert_int_equal(root->as.project.exprs[1]->index, 0);
    assert_string_equal(root->names[0], "c");
    assert_int_equal(root->types[0], SQL_DOUBLE);
}

static void test_update_input(void **state)
{
    (void)state;
    assert_int_equal(plan("UPDATE t SET c = a, a = 1.6 WHERE id = 7"), OK);
    const struct plan *update = f.planned.root;
    assert_int_equal(update->kind, PLAN_UPDATE);
    assert_true(f.planned.writes && !f.planned.returns_rows && f.planned.is_short);
    assert_int_equal(update->as.modify.assigned_count, 2);
    assert_int_equal(update->as.modify.assigned[0], 3);
    assert_int_equal(update->as.modify.assigned[1], 1);
    assert_int_equal(update->left->column_count, 7);
    assert_int_equal(update->left->types[5], SQL_DOUBLE);
    assert_int_equal(update->left->types[6], SQL_INTEGER);
    /* As assignment casts do: rounded. */
    assert_int_equal(update->left->as.project.exprs[6]->constant.as.integer, 2);
}

static void test_given_parameter_types(void **state)
{
    (void)state;
    const enum sql_type types[] = {SQL_DOUBLE, SQL_UNKNOWN, SQL_BOOLEAN};
    const struct plan_options options = {.parameter_types = types, .parameter_count = 3};
    assert_int_equal(plan_with("SELECT $1 + 1, $2 FROM t WHERE id = $2", &options), OK);
    assert_int_equal(f.planned.parameter_count, 3);
    assert_int_equal(f.planned.parameter_types[0], SQL_DOUBLE);
    assert_int_equal(f.planned.parameter_types[1], SQL_INTEGER);
    assert_int_equal(f.planned.parameter_types[2], SQL_BOOLEAN);
    assert_int_equal(f.planned.root->types[0], SQL_DOUBLE);
}

/* No expression of a finished plan is left without a type. */
static void check_types(const struct expr *expr)
{
    assert_int_not_equal(expr->type, SQL_UNKNOWN);
    for (uint32_t i = 0; i < expr->argument_count; i++)
        check_types(expr->arguments[i]);
}

static void test_nothing_stays_unknown(void **state)
{
    (void)state;
    assert_int_equal(plan("SELECT NULL, 'x', $1, coalesce(NULL, $2), NULL IN ('a', NULL), $3 = $4, "
                          "CASE WHEN NULL THEN NULL END, NULL IS NULL, concat($5), NOT NULL"),
                     OK);
    assert_int_equal(f.planned.root->kind, PLAN_VALUES);
    for (uint32_t i = 0; i < f.planned.root->column_count; i++) {
        check_types(f.planned.root->as.values.rows[i]);
        assert_int_equal(f.planned.root->as.values.rows[i]->type, f.planned.root->types[i]);
    }
    for (uint32_t i = 0; i < f.planned.parameter_count; i++)
        assert_int_equal(f.planned.parameter_types[i], SQL_TEXT);
}

static void test_explain_is_its_statement(void **state)
{
    (void)state;
    assert_int_equal(plan("EXPLAIN DELETE FROM t WHERE id = 1"), OK);
    assert_int_equal(f.planned.root->kind, PLAN_DELETE);
    check_error("BEGIN", "0A000");
}

static void test_bad_default(void **state)
{
    (void)state;
    check_error("INSERT INTO t (id) VALUES (1)", "22P02");
    assert_int_equal(f.error.position, 0);
    assert_int_equal(plan("INSERT INTO t (id, d) VALUES (1, true)"), OK);
}

static void test_plan_expression(void **state)
{
    (void)state;
    struct ast_expr *ast;
    struct expr *expr;
    assert_int_equal(parse_expression(slice_from_string("1 + 2"), &f.arena, &ast, &f.error), OK);
    assert_int_equal(plan_default_expression(ast, "d", (struct type_spec){.kind = SQL_DOUBLE},
                                             &f.arena, &expr, &f.error),
                     OK);
    assert_int_equal(expr->kind, EXPR_CONSTANT);
    assert_true(expr->constant.as.real == 3);
    const char *const refused[][2] = {
        {"a", "0A000"}, {"count(*)", "42803"}, {"$1", "42P02"}, {"true", "42804"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(
            parse_expression(slice_from_string(refused[i][0]), &f.arena, &ast, &f.error), OK);
        assert_int_not_equal(plan_default_expression(ast, "d",
                                                     (struct type_spec){.kind = SQL_INTEGER},
                                                     &f.arena, &expr, &f.error),
                             OK);
        assert_string_equal(f.error.sqlstate, refused[i][1]);
    }
}

/* ---- many --------------------------------------------------------------------------------------
 */

static void test_many(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        const char *item;
        const char *separator;
        uint32_t count;
        const char *tail;
        const char *sqlstate; /* NULL: plans */
    } cases[] = {
        {"SELECT * FROM t WHERE id IN (", "#", ",", 4000, ")", NULL},
        {"SELECT * FROM t WHERE id IN (", "#", ",", 50000, ")", NULL},
        {"SELECT * FROM t WHERE ", "id = #", " OR ", 50000, "", NULL},
        {"SELECT * FROM t WHERE ", "a <> #", " AND ", 20000, "", NULL},
        {"SELECT * FROM t WHERE ", "(a = 1 AND c = #)", " OR ", 10000, "", NULL},
        {"INSERT INTO t VALUES ", "(#, 1, 'x', 2.5, true)", ",", 20000, "", NULL},
        {"SELECT 1 FROM ", "t AS t#", ",", 64, "", NULL},
        {"SELECT 1 FROM ", "t AS t#", ",", 65, "", "54001"},
        {"SELECT 1 FROM t AS x JOIN ", "t AS t#", " ON true JOIN ", 63, " ON true", NULL},
        {"SELECT ", "sum(a + #)", ",", 1000, " FROM t", NULL},
        {"SELECT count(*) FROM t GROUP BY ", "a + #", ",", 500, "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer sql = {0};
        repeat(&sql, cases[i].head, cases[i].item, cases[i].separator, cases[i].count,
               cases[i].tail);
        if (cases[i].sqlstate)
            check_error((char *)sql.data, cases[i].sqlstate);
        else
            assert_int_equal(plan((char *)sql.data), OK);
        buffer_free(&sql);
        arena_reset(&f.arena);
    }
}

static void check_list(uint32_t items, enum plan_kind kind, uint32_t ranges)
{
    struct buffer sql = {0};
    repeat(&sql, "SELECT * FROM t WHERE id IN (", "#", ",", items, ")");
    assert_int_equal(plan((char *)sql.data), OK);
    buffer_free(&sql);
    const struct plan *root = f.planned.root;
    assert_int_equal(root->kind, kind);
    const struct plan *scan = kind == PLAN_FILTER ? root->left : root;
    assert_int_equal(scan->as.scan.range_count, ranges);
    assert_int_equal(f.planned.is_short, items <= 100);
}

/* A list is so many look-ups until the whole table (of 1000 rows) is cheaper. */
static void test_list_becomes_ranges(void **state)
{
    (void)state;
    check_list(2, PLAN_SCAN, 2);
    check_list(100, PLAN_SCAN, 100);
    check_list(4096, PLAN_FILTER, 0);
    check_list(5000, PLAN_FILTER, 0);
}

/* Each level of derived tables is laid out once, though its order is wished for at each. */
static void test_deep(void **state)
{
    (void)state;
    struct buffer sql = {0};
    for (int i = 0; i < 60; i++)
        buffer_append_string(&sql, "SELECT s.id FROM (");
    buffer_append_string(&sql, "SELECT id FROM t");
    for (int i = 0; i < 60; i++)
        buffer_append_string(&sql, ") AS s LEFT JOIN t ON t.id = s.id JOIN t AS z ON z.id = s.id "
                                   "ORDER BY s.id, z.id LIMIT 5");
    buffer_append_byte(&sql, 0);
    assert_int_equal(plan((char *)sql.data), OK);
    buffer_free(&sql);
}

/* `levels` times one in the other: head, what is inside, tail. */
static char *nest(struct buffer *sql, const char *head, const char *inside, const char *tail,
                  uint32_t levels)
{
    buffer_append_string(sql, "SELECT * FROM t WHERE ");
    for (uint32_t i = 0; i < levels; i++)
        buffer_append_string(sql, head);
    buffer_append_string(sql, inside);
    for (uint32_t i = 0; i < levels; i++)
        buffer_append_string(sql, tail);
    buffer_append_byte(sql, 0);
    assert_false(sql->failed);
    return (char *)sql->data;
}

/* What stands in two places doubles at every level. */
static void test_repeated(void **state)
{
    (void)state;
    static const struct {
        const char *head, *inside, *tail;
    } cases[] = {
        {"(", "id > 1", ") BETWEEN false AND true"},
        {"(", "id > 1", ") NOT BETWEEN SYMMETRIC false AND true"},
        {"CASE (", "id > 1", ") WHEN true THEN false WHEN false THEN true END"},
        {"((", "id > 1", "), true) < (true, false)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer sql = {0};
        assert_int_equal(plan(nest(&sql, cases[i].head, cases[i].inside, cases[i].tail, 4)), OK);
        buffer_reset(&sql);
        arena_reset(&f.arena);
        check_error(nest(&sql, cases[i].head, cases[i].inside, cases[i].tail, 60), "54001");
        buffer_free(&sql);
        arena_reset(&f.arena);
    }
}

/* Each EXISTS stands in the one before it; their rows are estimated once. */
static void test_many_exists(void **state)
{
    (void)state;
    struct buffer sql = {0};
    char *text = repeat(&sql, "SELECT * FROM t WHERE ",
                        "EXISTS (SELECT 1 FROM t AS x# WHERE x#.id = t.id + #)", " AND ", 60, "");
    assert_int_equal(plan(text), OK);
    buffer_free(&sql);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct buffer sql = {0};
    struct ast_statement *statement =
        parse(repeat(&sql, "SELECT ", "a + #", ",", 20000, " FROM t"));
    const struct plan_options options = {.memory_max = 64 << 10};
    assert_int_equal(plan_statement(statement, f.catalog, &options, &f.arena, &f.planned, &f.error),
                     ERR_NOMEM);
    assert_string_equal(f.error.sqlstate, "53200");
    assert_true(f.arena.used < 64 << 20);
    buffer_free(&sql);
}

/* ---- speed: said, not judged; machines differ ---------------------------------------------------
 */

static void test_speed(void **state)
{
    (void)state;
    static const char join[] = "SELECT x.a, count(*) FROM t x JOIN t y ON x.id = y.a "
                               "WHERE x.id = 5 GROUP BY x.a ORDER BY 2 LIMIT 3";
    static const char *const statements[] = {"SELECT * FROM t WHERE id = $1",
                                             "INSERT INTO t VALUES ($1, 1, 'x', 2.5, true)",
                                             "UPDATE t SET a = a + 1 WHERE id = $1", join};
    enum { ROUNDS = 20000 };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        struct ast_statement *statement = parse(statements[i]);
        struct arena arena = {0};
        struct timespec begin;
        struct timespec end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (int n = 0; n < ROUNDS; n++) {
            assert_int_equal(
                plan_statement(statement, f.catalog, NULL, &arena, &f.planned, &f.error), OK);
            arena_reset(&arena);
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        double us =
            ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
            1e3 / ROUNDS;
        printf("# %.2f us: %s\n", us, statements[i]);
        arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_point_select, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_update_input, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_given_parameter_types, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_nothing_stays_unknown, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_explain_is_its_statement, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_bad_default, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_plan_expression, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_many, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_list_becomes_ranges, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_repeated, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_many_exists, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_deep, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_memory_is_bounded, set_up, plan_world_close),
        cmocka_unit_test_setup_teardown(test_speed, set_up, plan_world_close),
    };
    return cmocka_run_group_tests_name("sql_plan", tests, NULL, NULL);
}
