/* Sorts that do not fit into their memory: the same rows in the same order as with enough of it,
 * nothing left behind, and a clean error where there is no directory for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spill_world.h"

enum { TIGHT_BYTES = 400 << 10 };

static struct error error;

static void open_sorts(struct world *world, bool spills)
{
    static const char fill[] =
        "insert into t select i, i * 7919 % 1000, i * 31 % 4001 / 7.0,"
        " case when i % 11 = 0 then null else 'name ' || (i * 13 % 500) end, i % 3 = 0 from"
        " (select a.d * 1000 + b.d * 100 + c.d * 10 + e.d as i from d a, d b, d c, d e) as n";
    static const char *const setup[] = {
        "create table d (d int primary key)",
        "insert into d values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
        "create table t (id int primary key, a int, x double precision, name text, b boolean)",
        fill,
    };
    struct buffer out = {0};
    open_engine(world, spills);
    sql_session_memory_set(sql_driver_session(&world->driver, TIGHT), TIGHT_BYTES);
    for (size_t i = 0; i < sizeof setup / sizeof *setup; i++)
        assert_null(strstr(run(world, ROOMY, setup[i], &out), "ERROR"));
    buffer_free(&out);
}

static const char *const queries[] = {
    "select * from t order by a, id",
    "select id, name from t order by name desc nulls last, x",
    "select name, a from t order by name nulls first, b desc, a desc, id",
    "select id from t order by x * -1 + a, id desc",
    "select b from t order by b",
    "select id, a from t order by a, id limit 20 offset 9000",
    "select id, a from t order by a desc limit 6000",
    "select count(*), sum(id) from (select id from t order by x, id limit 5000) as s",
    "select s.name from (select name, id from t order by x limit 7000) as s order by s.id limit 9",
};

static void test_the_same_rows_with_little_memory(void **state)
{
    (void)state;
    struct world world;
    open_sorts(&world, true);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        check(&world, queries[i], true);
    close_world(&world);
}

static void test_many_runs_are_merged_in_several_steps(void **state)
{
    (void)state;
    struct world world;
    const char *sql = "select t.a, t.name, d.d from t, d order by t.name, t.a desc, d.d, t.id";
    open_sorts(&world, true);
    sql_session_memory_set(sql_driver_session(&world.driver, TIGHT), 2 * TIGHT_BYTES);
    check(&world, sql, true);
    close_world(&world);
}

static void test_without_a_directory_it_is_an_error(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_sorts(&world, false);
    assert_non_null(strstr(run(&world, TIGHT, queries[0], &out), "ERROR 53200"));
    buffer_free(&out);
    close_world(&world);
}

static void test_a_cancelled_sort_leaves_no_file(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_sorts(&world, true);
    /* Its first rows are out, so the merge is under way. */
    world.driver.cancel_after = 5;
    assert_non_null(strstr(run(&world, TIGHT, queries[0], &out), "ERROR 57014"));
    buffer_free(&out);
    close_world(&world);
}

static void test_what_a_crash_left_is_removed(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(5);
    struct world world = {.sim = sim, .env = env_sim_env(sim)};
    struct env_file *file;
    assert_int_equal(env_dir_create(world.env, DIRECTORY, &error), OK);
    assert_int_equal(env_file_open(world.env, DIRECTORY "/17", ENV_OPEN_CREATE, &file, &error), OK);
    env_file_close(file);
    assert_int_equal(files(&world), 1);
    sql_driver_init(&world.driver, world.env);
    assert_int_equal(sql_engine_spill_set(world.driver.engine, DIRECTORY, &error), OK);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_rows_with_little_memory),
        cmocka_unit_test(test_many_runs_are_merged_in_several_steps),
        cmocka_unit_test(test_without_a_directory_it_is_an_error),
        cmocka_unit_test(test_a_cancelled_sort_leaves_no_file),
        cmocka_unit_test(test_what_a_crash_left_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
