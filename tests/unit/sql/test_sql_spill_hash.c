/* What hashes and does not fit into its memory: joins of every kind, groups, DISTINCT and set
 * operations give the same rows as with enough of it, also of one giant key, with nothing left
 * behind however they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spill_world.h"

static void test_joins(void **state)
{
    (void)state;
    static const char *const kinds[] = {"join", "left join", "right join", "full join"};
    static const char few_keys[] =
        "select a.id, b.id, b.pad from (select * from one where id < 12) as a %s one as b"
        " on a.k = b.k";
    static const char giant_key[] =
        "select a.id, b.id from one as a %s (select *, id %% 3 as r from one) as b"
        " on a.k = b.k and a.id = b.id + r";
    static const char *const queries[] = {
        "select t.id, u.id, name, label from t %s u on t.k = u.k",
        "select t.id, u.id, x, label from u %s t on t.k = u.k and t.x < u.id",
        few_keys,
        giant_key,
        "select a.id, count(b.id), max(b.pad) from t as a %s one as b on a.k = b.k group by a.id",
    };
    struct world world;
    open_world(&world);
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            struct buffer sql = {0};
            buffer_printf(&sql, queries[q], kinds[k]); // NOLINT
            buffer_append_byte(&sql, 0);
            check(&world, (const char *)sql.data, q != 2); /* there few rows may be hashed */
            buffer_free(&sql);
        }
    }
    close_world(&world);
}

static const char groups_of_join[] =
    "select t.id, max(label), sum(u.id) filter (where u.id > 5) from t left join u on t.k = u.k"
    " group by t.id";

static const char *const queries[] = {
    /* semi and anti joins, with and without a condition beside the keys */
    "select id, name from t where k in (select k from u where id > 10)",
    "select id from t where not exists (select 1 from u where u.k = t.k)",
    "select id from t where exists (select 1 from u where u.k = t.k and u.id > t.id)",
    "select id from t where not exists (select 1 from u where u.k = t.k and u.id > t.id)",
    "select id from t where exists (select 1 from one where one.k = t.k and one.id < t.id - 2990)",
    "select id from t where not exists (select 1 from one where one.k = t.k and one.id < t.id)",
    /* groups */
    "select k, count(*), sum(x), min(name), max(name) from t group by k",
    "select id, k, avg(x), bool_and(x > 3), stddev(x) from t group by id, k",
    "select name, k, count(distinct id % 5) from t group by name, k having count(*) > 0",
    "select id, string_agg(name, ',' ORDER BY name) from t group by id",
    groups_of_join,
    "select count(*), sum(c) from (select id % 8999 as i, count(*) as c from t group by 1) as s",
    "select count(distinct name || k), count(distinct id), sum(distinct id % 4321) from t",
    "select id % 3, count(distinct name || k), count(*), min(distinct x) from t group by id % 3",
    "select id % 2, length(string_agg(distinct name || id, ',')) from t group by id % 2",
    "select id % 2, length(string_agg(distinct name, k::text)) from t group by id % 2",
    "select id % 3, regr_count(distinct k, id % 700) from t group by id % 3",
    /* DISTINCT */
    "select distinct id, name from t",
    "select distinct k, name from t",
    "select count(*) from (select distinct id % 4000, name from t) as s",
    "select distinct on (id) id, name from t",
    "select distinct on (k, name) k, name, id from t order by k, name, id",
    /* set operations */
    "select k, name from t union select k, label from u",
    "select id, k from t intersect select id, k from t where id > 30",
    "select k, id % 50 from t intersect all select k, id % 50 from t where id > 30",
    "select id, k from t except select id, k from u",
    "select k, name from t except all select k, name from t where id % 3 <> 0",
    "select k, name from t except select k, name from t where id > 8800",
};

static void test_the_rest(void **state)
{
    (void)state;
    struct world world;
    open_world(&world);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        /* Rows with equal keys that come one after the other need no table, only the sort does. */
        check(&world, queries[i], true);
    }
    close_world(&world);
}

/* Groups that come one after the other are not held, however little there may be, unless a join
 * that is put aside has to bring its rows in order first. */
static void test_groups_in_order(void **state)
{
    (void)state;
    static const char *const one_table[] = {
        "select id, count(*), sum(x), max(k) from t group by id",
        "select count(*), sum(c) from (select id, count(*) as c from t group by id) as s",
        "select id, name from t where x > 100 group by name, id having count(*) = 1 and name > ''",
    };
    struct world world;
    struct buffer plan = {0};
    open_world(&world);
    for (size_t i = 0; i < sizeof one_table / sizeof *one_table; i++) {
        struct buffer sql = {0};
        check(&world, one_table[i], false);
        buffer_printf(&sql, "explain analyze %s", one_table[i]);
        buffer_append_byte(&sql, 0);
        const char *text = run(&world, TIGHT, (const char *)sql.data, &plan);
        assert_non_null(strstr(text, "Aggregate (in order)"));
        assert_null(strstr(text, " spilled="));
        buffer_free(&sql);
    }
    check(&world,
          "select t.id, count(u.id), sum(u.id) from t left join u on t.k = u.k group by t.id",
          true);
    buffer_free(&plan);
    close_world(&world);
}

/* An ORDER BY that an index satisfies below the join. */
static void test_order_of_the_left_rows(void **state)
{
    (void)state;
    static const char left_join[] =
        "select t.id, name, u.label from t left join u on t.k = u.k and u.id > 5 order by t.id"
        " limit 5000";
    static const char anti_join[] =
        "select a.id from t as a where not exists (select 1 from one where one.k = a.k and"
        " one.id > a.id) order by a.id limit 8000";
    static const char *const ordered[] = {
        "select t.id, u.id, label from t join u on t.k = u.k order by t.id limit 2000",
        left_join,
        "select t.id, name from t where k in (select k from u) order by t.id limit 2000",
        anti_join,
    };
    struct world world;
    struct buffer plan = {0};
    open_world(&world);
    bool unsorted = false;
    for (size_t i = 0; i < sizeof ordered / sizeof *ordered; i++) {
        struct buffer explain = {0};
        check(&world, ordered[i], true);
        buffer_printf(&explain, "explain %s", ordered[i]);
        buffer_append_byte(&explain, 0);
        run(&world, TIGHT, (const char *)explain.data, &plan);
        unsorted |=
            !strstr((const char *)plan.data, "Sort") && !strstr((const char *)plan.data, "Top");
        buffer_free(&explain);
    }
    assert_true(unsorted);
    buffer_free(&plan);
    close_world(&world);
}

static const char join_of_all[] =
    "select t.id, u.id, name, label from t full join u on t.k = u.k and t.id > u.id";

/* Every so many events, at whatever the join is then. */
static void test_cancelled(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_world(&world);
    world.driver.cancel_after = 5;
    assert_non_null(strstr(run(&world, TIGHT, join_of_all, &out), "ERROR 57014"));
    assert_int_equal(files(&world), 0);
    buffer_free(&out);
    close_world(&world);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_world(&world);
    for (uint64_t room = 0; room <= 60; room += 20) {
        env_sim_set_capacity(world.sim, (room << 10) + 1);
        assert_non_null(strstr(run(&world, TIGHT, join_of_all, &out), "ERROR 53100"));
        assert_int_equal(files(&world), 0);
        assert_non_null(strstr(run(&world, TIGHT, queries[7], &out), "ERROR 53100"));
        assert_int_equal(files(&world), 0);
    }
    env_sim_set_capacity(world.sim, 0);
    assert_null(strstr(run(&world, TIGHT, join_of_all, &out), "ERROR"));
    buffer_free(&out);
    close_world(&world);
}

static void test_settings(void **state)
{
    (void)state;
    static const char *const given[][2] = {
        {"set work_mem = 64", "64kB"},         {"set work_mem = '65536B'", "64kB"},
        {"set work_mem to '1 gb'", "1GB"},     {"set work_mem = '1500kB'", "1500kB"},
        {"set work_mem = 2048", "2MB"},        {"reset work_mem", "64MB"},
        {"set work_mem = '65537B'", "65537B"},
    };
    static const char *const refused[] = {
        "set work_mem = 63",      "set work_mem = '63kB'",
        "set work_mem = '2TB'",   "set work_mem = '1 parsec'",
        "set work_mem = ''",      "set work_mem = '99999999999999999999'",
        "set vector_size = 0",    "set vector_size = 1025",
        "set vector_size = '1x'", "set vector_size = 'all'",
    };
    struct world world;
    struct buffer out = {0};
    open_world(&world);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        assert_null(strstr(run(&world, ROOMY, given[i][0], &out), "ERROR"));
        assert_non_null(strstr(run(&world, ROOMY, "show work_mem", &out), given[i][1]));
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_non_null(strstr(run(&world, ROOMY, refused[i], &out), "ERROR 22023"));
    buffer_free(&out);
    close_world(&world);
}

static void test_rows_a_batch(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_world(&world);
    const char *sql = "explain analyze select * from u";
    assert_non_null(strstr(run(&world, ROOMY, sql, &out), "rows=3000 batches="));
    assert_null(strstr((const char *)out.data, "batches=3000"));
    run(&world, ROOMY, "set vector_size = 1", &out);
    assert_non_null(strstr(run(&world, ROOMY, sql, &out), "rows=3000 batches=3000"));
    run(&world, TIGHT, "set vector_size = 3", &out);
    check(&world, "select k, count(*), max(name) from t group by k", true);
    check(&world, "select t.id, u.id, label from t right join u on t.k = u.k", true);
    buffer_free(&out);
    close_world(&world);
}

/* A join that is to be shared by threads takes its right side in, finds that it has to be split,
 * and when no left row can have a partner takes it in once more: a DISTINCT there, which became
 * full with the last row that was new, is asked again after its end. */
static void test_asked_again_after_the_end(void **state)
{
    (void)state;
    static const char join[] =
        "select count(*), max(d.k) from t join (select distinct s.i % 1000 as k, repeat('x', 200)"
        " as pad from generate_series(1, 3000) as s(i)) as d on d.k = nullif(t.id, t.id)";
    struct world world;
    struct buffer out = {0};
    struct env_crew *crew = env_crew_create("spill", 2);
    open_world(&world);
    sql_engine_crew_set(world.driver.engine, crew);
    assert_non_null(strstr(run(&world, TIGHT, "set parallel_rows = 100", &out), "SET"));
    check(&world, join, true);
    /* Parts that become full themselves. */
    check(&world,
          "select count(*), max(d.k) from t join (select distinct s.i % 4000 as k, repeat('x', 200)"
          " as pad from generate_series(1, 9000) as s(i)) as d on d.k = nullif(t.id, t.id)",
          true);
    buffer_free(&out);
    close_world(&world);
    env_crew_destroy(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins),
        cmocka_unit_test(test_the_rest),
        cmocka_unit_test(test_groups_in_order),
        cmocka_unit_test(test_order_of_the_left_rows),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_rows_a_batch),
        cmocka_unit_test(test_asked_again_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
