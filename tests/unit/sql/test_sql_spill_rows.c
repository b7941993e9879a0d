/* Rows that are kept as they come and do not fit: of a window's partitions, a nested loop's right
 * side, a recursion, a WITH read in several places and ORDER BY within an aggregate. The rows are
 * the same as with enough memory, nothing is left behind however it ends, and where it costs little
 * another way to ask the same question gives the same answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "spill_world.h"

/* w: 3000 rows in one partition of 2600, one of 390 and 10 of a row; keys repeat, some are NULL. */
static void open_rows(struct world *world)
{
    static const char fill[] =
        "insert into w select i, case when i > 2990 then i when i % 8 = 0 then 2 else 1 end,"
        " case when i % 13 = 0 then null else i * 7919 % 600 end,"
        " case when i % 9 = 0 then null else i * 31 % 211 - 100 end,"
        " case when i % 17 = 0 then null else 'name ' || (i * 13 % 997) end,"
        " date '2020-01-01' + i % 500 from generate_series(1, 3000) as s(i)";
    static const char *const setup[] = {
        "create table w (id int primary key, p int, k int, v int, name text, day date)",
        fill,
    };
    struct buffer out = {0};
    open_world(world);
    for (size_t i = 0; i < sizeof setup / sizeof *setup; i++)
        assert_null(strstr(run(world, ROOMY, setup[i], &out), "ERROR"));
    buffer_free(&out);
}

static void set_vector_size(struct world *world, size_t rows)
{
    struct buffer sql = {0}, out = {0};
    buffer_printf(&sql, "set vector_size = %zu", rows);
    buffer_append_byte(&sql, 0);
    assert_null(strstr(run(world, TIGHT, (const char *)sql.data, &out), "ERROR"));
    buffer_free(&sql);
    buffer_free(&out);
}

/* With vectors of many rows, and of one; with many something spills if it is to. */
static void check_all(struct world *world, const char *const *queries, size_t count, bool spills)
{
    for (size_t rows = 1024; rows > 0; rows /= 1024) {
        set_vector_size(world, rows);
        for (size_t i = 0; i < count; i++)
            check(world, queries[i], spills && rows == 1024);
    }
}

/* A statement with something put in for its %s. */
static void check_with(struct world *world, const char *format, const char *part, bool spills)
{
    struct buffer sql = {0};
    buffer_printf(&sql, format, part); // NOLINT
    buffer_append_byte(&sql, 0);
    check(world, (const char *)sql.data, spills);
    buffer_free(&sql);
}

static const char *const frames[] = {
    "",
    "rows between unbounded preceding and unbounded following",
    "rows between 3 preceding and 2 following",
    "rows between 700 preceding and 300 preceding",
    "rows between current row and 900 following",
    "rows between 200 following and unbounded following",
    "rows between 500 preceding and 500 following exclude current row",
    "rows between 5 preceding and unbounded following exclude group",
    "rows between unbounded preceding and 1 preceding exclude ties",
    "range between 50 preceding and 20 following",
    "range between 100 following and unbounded following",
    "range between unbounded preceding and 300 preceding exclude ties",
    "range between current row and 400 following exclude current row",
    "range between 10 preceding and 10 following exclude group",
    "groups between 2 preceding and 1 following",
    "groups between 100 preceding and 90 preceding",
    "groups between 40 following and 200 following",
    "groups between unbounded preceding and current row exclude ties",
    "groups between current row and unbounded following exclude group",
    "groups between 7 preceding and 7 following exclude current row",
};

static const char of_frame[] =
    "select id, sum(v) over w, avg(v) over w, count(*) over w, count(v) filter (where v > 0) over "
    "w,"
    " min(name) over w, max(name) over w, bool_or(v > 90) over w, stddev(v) over w, corr(v, id) "
    "over w,"
    " first_value(name) over w, last_value(v) over w, nth_value(name, 3) over w"
    " from w window w as (partition by p order by k %s)";

static void test_frames(void **state)
{
    (void)state;
    struct world world;
    open_rows(&world);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        check_with(&world, of_frame, frames[i], i == 0);
    set_vector_size(&world, 1);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i += 4)
        check_with(&world, of_frame, frames[i], false);
    close_world(&world);
}

static const char ranks[] =
    "select id, row_number() over w, rank() over w, dense_rank() over w, percent_rank() over w,"
    " cume_dist() over w, ntile(7) over w, lag(name) over w, lead(v, 1500, -1) over w,"
    " lag(name, -2, 'none') over w, lead(id, v) over w from w window w as (%s)";

static const char texts[] =
    "select id, string_agg(name, ',') over (partition by p order by k, id rows between %s)"
    " from w where id < 1200";

static void test_other_windows(void **state)
{
    (void)state;
    static const char *const windows[] = {
        "partition by p order by k, id",
        "partition by p order by k desc nulls last",
        "order by v nulls first",
        "partition by p",
        "",
    };
    struct world world;
    open_rows(&world);
    for (uint32_t rows = 1024; rows > 0; rows /= 1024) {
        set_vector_size(&world, rows);
        for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
            check_with(&world, ranks, windows[i], i == 0);
    }
    check_with(&world, texts, "unbounded preceding and current row", true);
    check_with(&world, texts, "4 preceding and 3 following", true);
    check_with(&world, texts, "20 preceding and current row exclude current row", true);
    check(&world,
          "select day, sum(v) over (order by day range between '1 month' preceding and"
          " '3 days' following exclude ties), max(name) over (order by day desc range"
          " between '40 days' preceding and current row) from w",
          true);
    check(&world, "select distinct p, max(name) over (partition by p), sum(id) over () from w",
          true);
    close_world(&world);
}

/* Both of these ask for the same. */
static void test_frames_by_subqueries(void **state)
{
    (void)state;
    static const char by_rows[] =
        "select count(*), count(s) from (select id, sum(v) over f as s, max(name) over f as m,"
        " variance(v) over f as e from w window f as (order by id rows between 300 preceding and"
        " 150 following)) as a where id % 40 = 7 and (s is distinct from (select sum(v) from w "
        "where"
        " w.id between a.id - 300 and a.id + 150) or m is distinct from (select max(name) from w"
        " where w.id between a.id - 300 and a.id + 150) or e is distinct from (select variance(v)"
        " from w where w.id between a.id - 300 and a.id + 150))";
    static const char by_groups[] =
        "select count(*), count(s) from (select id, p, sum(id) over f as s, min(name) over f as m"
        " from w window f as (partition by p order by id groups between current row and unbounded"
        " following exclude current row)) as a where id % 40 = 9 and (s is distinct from (select"
        " sum(id) from w where w.p = a.p and w.id > a.id) or m is distinct from (select min(name)"
        " from w where w.p = a.p and w.id > a.id))";
    static const char by_range[] =
        "select count(*), count(s) from (select id, k, sum(id) over f as s from w window f as "
        "(order"
        " by k range between 60 preceding and 20 preceding)) as a where id % 40 = 3 and k is not"
        " null and s is distinct from (select sum(id) from w where w.k between a.k - 60 and a.k - "
        "20)";
    static const char *const queries[] = {by_rows, by_groups, by_range};
    struct world world;
    struct buffer out = {0};
    open_rows(&world);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        check(&world, queries[i], true);
        if (!strstr(run(&world, TIGHT, queries[i], &out), "\n0 | 0\n"))
            fail_msg("%s\n%s", queries[i], (const char *)out.data);
    }
    buffer_free(&out);
    close_world(&world);
}

static void test_nested_loops(void **state)
{
    (void)state;
    static const char *const kinds[] = {"join", "left join", "right join", "full join"};
    static const char *const joins[] = {
        "select a.id, b.id, b.name from (select * from w where id < 90) as a %s w as b"
        " on a.id * 33 > b.id and b.v > a.v + 150",
        "select a.id, b.id from w as a %s (select id, name, k from w where id > 2000) as b"
        " on a.name > b.name and a.k > b.k + 500",
        "select a.id, b.id, a.name from (select * from w where id %% 50 = 0) as a %s w as b"
        " on a.id <> b.id and a.v = -b.v - 100 or b.id = 5",
    };
    /* Right sides of few rows, whose pairs are more than a batch. */
    static const char *const few[] = {
        "select id from w as a where exists (select 1 from u where u.id < 9 and u.k < a.k - 20)",
        "select id from w as a where not exists (select 1 from u where u.id < 9 and u.k < a.k - "
        "20)",
        "select a.id, b.id from w as a left join (select * from u where id < 9) as b on b.k < a.k "
        "- 20",
        "select a.id, b.id from w as a full join (select * from u where id < 9) as b on b.k > a.k "
        "+ 20",
    };
    static const char *const others[] = {
        "select a.id, b.name from (select * from w where id < 20) as a cross join w as b",
        "select id from w as a where exists (select 1 from w as b where b.v > a.v and b.k < a.k - "
        "500)",
        "select id from w as a where not exists (select 1 from w as b where b.v > a.v and"
        " b.k < a.k - 100)",
        "select id from w where exists (select 1 from w as b where b.name > 'name 3')",
        "select a.id, b.id from w as a left join w as b on a.v > b.v + 195 order by a.id, b.id",
        "select a.id, b.id from w as a left join w as b on a.v > b.v + 195 order by a.id limit "
        "3000",
    };
    struct world world;
    open_rows(&world);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (size_t q = 0; q < sizeof joins / sizeof *joins; q++)
            check_with(&world, joins[q], kinds[k], false);
        set_vector_size(&world, k + 1);
        check_with(&world, joins[0], kinds[k], false);
        set_vector_size(&world, 1024);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check(&world, others[i], false);
    set_vector_size(&world, 3);
    for (size_t i = 0; i < sizeof few / sizeof *few; i++)
        check(&world, few[i], false);
    set_vector_size(&world, 1024);
    check_with(&world, "select a.id, b.id, b.name, b.day from w as a %s w as b on a.v > b.v + 196",
               "full join", true);
    close_world(&world);
}

static void test_with(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "with x as materialized (select id, name, v + 1 as v from w) select a.id, b.name from x as "
        "a join x as b"
        " on a.id = b.id + 1",
        "with x as materialized (select id, name from w order by name) select name from x union all"
        " select name from (select name from x limit 1500) as y",
        "with x as materialized (select id, name, v, day from w) select id, (select max(day) from "
        "x as y"
        " where y.id < 5 and y.v > x.v) from x where id % 50 = 0",
        "with x as materialized (select id % 1500 as i, name from w), y as (select i, name from x "
        "where i > 3)"
        " select x.i, y.name from x join y on x.i = y.i where x.i in (select i from y) and"
        " exists (select 1 from x as z where z.name > y.name)",
        "with x as materialized (select id, name from w) select a.id, b.id from x as a left join x "
        "as b on"
        " a.name > b.name and b.id < 3",
    };
    struct world world;
    open_rows(&world);
    check_all(&world, queries, sizeof queries / sizeof *queries, true);
    close_world(&world);
}

static void test_ordered_aggregates(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "select md5(string_agg(name, ',' ORDER BY name, id)) from w",
        "select p, string_agg(name, '/' ORDER BY v desc nulls last, id), count(*) from w group by "
        "p",
        "select id % 700, string_agg(name, k::text ORDER BY v, id), max(v) from w group by id % "
        "700",
        "select id, string_agg(name, ',' ORDER BY name) from w group by id",
        "select string_agg(distinct name, ',' ORDER BY name) from w",
        "select id % 2, string_agg(distinct name, (v % 3)::text ORDER BY name) from w group by id "
        "% 2",
        "select id % 3, string_agg(distinct name, ',' ORDER BY name desc), string_agg(distinct"
        " v::text, '+' ORDER BY v::text), sum(distinct v) from w group by id % 3",
        "select string_agg(name, ',' ORDER BY id) filter (where id % 4 = 0), string_agg(day::text, "
        "','"
        " ORDER BY day, id) from w",
        "select max(s), count(*) from (select string_agg(name, ',' ORDER BY id) as s from w group "
        "by"
        " id % 900) as g",
        "select p, percentile_cont(0.3) WITHIN GROUP (ORDER BY v), percentile_disc(0.9) WITHIN "
        "GROUP"
        " (ORDER BY name desc), mode() WITHIN GROUP (ORDER BY name), count(*) from w group by p",
        "select mode() WITHIN GROUP (ORDER BY k desc), percentile_cont(0.5) WITHIN GROUP (ORDER BY "
        "day"
        " - date '2020-01-01'), percentile_disc(0) WITHIN GROUP (ORDER BY name) from w",
        "select s from (select string_agg(name, ',' ORDER BY id) as s from w group by id % 90) as g"
        " order by s",
    };
    struct world world;
    open_rows(&world);
    check_all(&world, queries, sizeof queries / sizeof *queries, true);
    close_world(&world);
}

/* What is looked for in them is read from the file. */
static void test_sets_of_subqueries(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "select id, name not in (select name from t where id % 7 = 3), id in (select id * 2 from t)"
        " from w",
        "select id from w where id not in (select id * 3 from t where id > 4) or name in"
        " (select name || '1' from t)",
        "select id, day in (select day + id % 3 from w as v), id not in (select k from w as v) "
        "from w",
    };
    struct world world;
    open_rows(&world);
    check_all(&world, queries, sizeof queries / sizeof *queries, false);
    close_world(&world);
}

static void test_recursion(void **state)
{
    (void)state;
    /* It keeps one row at a time. */
    static const char *const count_only =
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 20000) select"
        " count(*), sum(n) from r";
    static const char *const queries[] = {
        "with recursive r(n, t) as (select id, name from w union all select n + 3000, t || '.' "
        "from r"
        " where n < 12000) select n, t from r",
        "with recursive r(n) as (select id from w where id < 4 union select (n * 7 + i) % 8009 "
        "from r,"
        " (values (1), (2), (3)) as s(i)) select count(*), sum(n) from r",
        "with recursive r(n, pad) as (select 1, 'some text for the memory' union select n % 5000 + "
        "1,"
        " pad from r) select count(*), sum(n), max(pad) from r",
        "with recursive r(n, d) as (select id, 0 from w where id < 2000 union select n / 2, d + 1"
        " from r where n > 0) select d, count(*) from r group by d",
        "with recursive r(n, t) as (select id, name from w union all select n + 3000, t from r)"
        " select n, t from r limit 15000",
    };
    struct world world;
    open_rows(&world);
    check_all(&world, queries, sizeof queries / sizeof *queries, true);
    check_all(&world, &count_only, 1, false);
    close_world(&world);
}

/* Each puts rows aside in its own way. */
static const char *const failing[] = {
    "select id, sum(v) over (partition by p order by k), max(name) over (order by id rows between"
    " current row and unbounded following) from w",
    "select a.id, b.name, b.day, b.p, b.k from w as a left join w as b on a.v > b.v + 195",
    "with x as materialized (select id, name || name as n from w) select count(*) from x as a join "
    "x as b"
    " on a.id < b.id",
    "with recursive r(n, t) as (select id, name from w union select n + 3000, t || '.' from r where"
    " n < 15000) select n, t from r",
    "select id % 50, string_agg(name, ',' order by v, id) from w group by id % 50",
};

static void test_cancelled(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_rows(&world);
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        for (uint32_t after = 1; after < 40; after += 12) {
            world.driver.cancel_after = after;
            const char *said = run(&world, TIGHT, failing[i], &out);
            if (after == 1)
                assert_non_null(strstr(said, "ERROR 57014"));
            assert_int_equal(files(&world), 0);
        }
        world.driver.cancel_after = 0;
    }
    buffer_free(&out);
    close_world(&world);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct world world;
    struct buffer out = {0};
    open_rows(&world);
    for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
        for (uint64_t room = 0; room <= 8; room += 4) {
            env_sim_set_capacity(world.sim, (room << 10) + 1);
            const char *said = run(&world, TIGHT, failing[i], &out);
            if (!strstr(said, "ERROR 53100"))
                fail_msg("%s: %.300s", failing[i], said);
            assert_int_equal(files(&world), 0);
        }
        env_sim_set_capacity(world.sim, 0);
        assert_null(strstr(run(&world, TIGHT, failing[i], &out), "ERROR"));
    }
    buffer_free(&out);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_other_windows),
        cmocka_unit_test(test_frames_by_subqueries),
        cmocka_unit_test(test_nested_loops),
        cmocka_unit_test(test_with),
        cmocka_unit_test(test_sets_of_subqueries),
        cmocka_unit_test(test_ordered_aggregates),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
