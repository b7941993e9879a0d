/* A plan that takes long is not made on the thread that serves everybody: the session says so, and
 * begins it again. Rows of toydb_internal come from the driver, and are only asked for on its own
 * thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql_driver.h"

struct world {
    struct sql_driver driver;
    struct buffer out;
    bool apart; /* the session has been told to go on elsewhere */
    uint32_t asked;
};

/* toydb_internal.nodes */
static bool fill(void *context, const char *table, struct sql_rows *rows)
{
    struct world *world = context;
    assert_false(world->apart);
    if (strcmp(table, "nodes") != 0)
        return false;
    world->asked++;
    sql_rows_column(rows, "id", SQL_INTEGER);
    sql_rows_begin(rows);
    sql_rows_integer(rows, 1);
    return true;
}

static int setup(void **state)
{
    struct world *world = mem_zalloc(1, sizeof *world);
    sql_driver_init(&world->driver, env_real());
    sql_engine_internal_set(world->driver.engine, fill, world);
    sql_driver_run(&world->driver, sql_driver_session(&world->driver, 0),
                   slice_from_string("set require_primary_key = off;"
                                     "create table t (a int primary key, b int);"
                                     "insert into t values (1, 2), (3, 4)"),
                   NULL, 0, &world->out);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    sql_driver_free(&world->driver);
    buffer_free(&world->out);
    mem_free(world);
    return 0;
}

/* Steps to the end, or to what the driver has to answer; EXECUTE is noted as l(ong) or s(hort). */
static void run(struct world *world, const char *sql, char *executes, char *end)
{
    struct sql_session *session = sql_driver_session(&world->driver, 0);
    struct sql_event event;
    uint32_t count = 0;
    world->apart = false;
    sql_submit(session, slice_from_string(sql), NULL, 0);
    do {
        sql_step(session, &event);
        if (event.kind == SQL_EVENT_BEGIN)
            sql_begun(session, store_memory_begin(world->driver.store), true, 1, OK, NULL);
        if (event.kind == SQL_EVENT_EXECUTE) {
            assert_true(count < 8);
            executes[count++] = event.is_short ? 's' : 'l';
            world->apart = !event.is_short;
        }
        if (event.kind == SQL_EVENT_ROLLBACK)
            store_memory_rollback(event.txn);
        if (event.kind == SQL_EVENT_COMMIT) {
            store_memory_commit(event.txn);
            sql_committed(session, OK, NULL);
        }
        if (event.kind == SQL_EVENT_ERROR)
            memcpy(end, event.error.sqlstate, 6);
        if (event.kind == SQL_EVENT_COMPLETE)
            memcpy(end, event.tag, 6);
        end[6] = '\0';
    } while (event.kind != SQL_EVENT_ERROR && event.kind != SQL_EVENT_COMPLETE);
    executes[count] = '\0';
}

/* Some hundred milliseconds of planning. */
static void long_text(struct buffer *sql, const char *from)
{
    buffer_printf(sql, "select count(*) from %s where t.a = 1", from);
    for (int i = 0; i < 25000; i++)
        buffer_printf(sql, " or t.a+%d between t.b and %d", i, i % 1000);
    buffer_append_byte(sql, 0);
    assert_true(sql->size < SQL_TEXT_MAX && !sql->failed);
}

static void test_brief(void **state)
{
    struct world *world = *state;
    char executes[9], end[8];
    run(world, "select * from t where a = 1", executes, end);
    assert_int_equal(executes[strlen(executes) - 1], 's'); /* the first one, if not held up */
    assert_string_equal(end, "SELECT");
}

static void test_moves(void **state)
{
    struct world *world = *state;
    char executes[9], end[8];
    struct buffer sql = {0};
    long_text(&sql, "t, t as u");
    run(world, (const char *)sql.data, executes, end);
    assert_string_equal(executes, "ll"); /* to plan, and to run */
    assert_string_equal(end, "SELECT");
    buffer_free(&sql);
}

/* There, and back again for the driver's rows. */
static void test_needs_the_driver(void **state)
{
    struct world *world = *state;
    char executes[9], end[8];
    struct buffer sql = {0};
    long_text(&sql, "t, (select a + 1 from t) as u, (select * from toydb_internal.nodes) as n");
    run(world, (const char *)sql.data, executes, end);
    assert_memory_equal(executes, "ls", 2);
    assert_string_equal(end, "SELECT");
    assert_true(world->asked >= 1);
    buffer_free(&sql);
}

/* What is planned as it runs. */
static void test_view(void **state)
{
    struct world *world = *state;
    char executes[9], end[8];
    run(world, "create view v as select a from t", executes, end);
    assert_string_equal(executes, "l");
    run(world, "create table n as select * from toydb_internal.nodes", executes, end);
    assert_string_equal(executes, "ls");
    assert_string_equal(end, "SELECT");
    run(world, "select * from n", executes, end);
    assert_string_equal(end, "SELECT");
}

/* information_schema plans views for their columns: that takes long, and the query itself does not.
 * A text that comes again and again has its plan from the cache. */
static void test_plans_within_a_plan(void **state)
{
    struct world *world = *state;
    char executes[9], end[8];
    struct buffer sql = {0};
    run(world, "drop table t", executes, end);
    buffer_append_string(&sql, "create view v as ");
    long_text(&sql, "(values (1, 2)) as t (a, b)");
    run(world, (const char *)sql.data, executes, end);
    assert_string_equal(end, "CREATE");
    for (int i = 0; i < 4; i++) {
        run(world, "select count(*) from information_schema.columns", executes, end);
        assert_int_equal(executes[0], 'l');
        assert_string_equal(end, "SELECT");
    }
    buffer_free(&sql);
}

/* No view is left out because there is not the memory to plan it: that is an error, as for a query
 * of the view. */
static void test_too_large_within_a_plan(void **state)
{
    struct world *world = *state;
    char executes[9], end[8];
    struct buffer sql = {0};
    buffer_append_string(&sql, "create view v as ");
    long_text(&sql, "t");
    run(world, (const char *)sql.data, executes, end);
    assert_string_equal(end, "CREATE");
    sql_session_memory_set(sql_driver_session(&world->driver, 0), 1 << 20);
    run(world, "select count(*) from v", executes, end);
    assert_string_equal(end, "53200");
    run(world, "select count(*) from information_schema.columns", executes, end);
    assert_string_equal(end, "53200");
    run(world, "select count(*) from information_schema.tables", executes, end);
    assert_string_equal(end, "SELECT");
    buffer_free(&sql);
}

static void test_cancelled_while_planning(void **state)
{
    struct world *world = *state;
    struct sql_session *session = sql_driver_session(&world->driver, 0);
    struct sql_event event = {0};
    struct buffer sql = {0};
    long_text(&sql, "t, t as u");
    sql_submit(session, slice_from_string((const char *)sql.data), NULL, 0);
    while (event.kind != SQL_EVENT_EXECUTE) {
        sql_step(session, &event);
        assert_int_not_equal(event.kind, SQL_EVENT_ERROR);
        if (event.kind == SQL_EVENT_BEGIN)
            sql_begun(session, store_memory_begin(world->driver.store), true, 1, OK, NULL);
    }
    sql_cancel(session);
    sql_step(session, &event);
    assert_int_equal(event.kind, SQL_EVENT_ROLLBACK);
    store_memory_rollback(event.txn);
    sql_step(session, &event);
    assert_int_equal(event.kind, SQL_EVENT_ERROR);
    assert_string_equal(event.error.sqlstate, "57014");
    buffer_free(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_brief, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_needs_the_driver, setup, teardown),
        cmocka_unit_test_setup_teardown(test_view, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plans_within_a_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large_within_a_plan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled_while_planning, setup, teardown),
    };
    return cmocka_run_group_tests_name("sql_planning", tests, NULL, NULL);
}
