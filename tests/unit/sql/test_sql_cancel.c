/* However long a statement would run, and wherever it is, a cancellation ends it soon: within 100
 * ms on the machine of docs/performance.md. What is asked for here is three times that, because
 * processors differ; who does not look at the flag runs for seconds.
 *
 * Each statement here would run for long. A timer of the process's own CPU time raises the cancel
 * flag somewhere in it, and the CPU time from then until the statement has ended is what counts:
 * what else the machine does has no part in it. The longest is printed. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "env_sim.h"
#include "sql_driver.h"

#if defined(__SANITIZE_ADDRESS__)
enum { SLOWER = 40 }; /* than without: freeing most of all */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { SLOWER = 40 };
#else
enum { SLOWER = 1 };
#endif
#else
enum { SLOWER = 1 };
#endif

enum { LATENCY_MAX_US = 300000 * SLOWER };

struct world {
    struct env_sim *sim;
    struct sql_driver driver;
    struct buffer out;
};

static struct sql_session *running;
static volatile sig_atomic_t raised;
static struct timespec raised_at;

static void cancel_now(int number)
{
    (void)number;
    if (raised)
        return;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &raised_at);
    raised = 1;
    sql_cancel(running);
}

static int64_t us_since(const struct timespec *start)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (now.tv_sec - start->tv_sec) * 1000000 + (now.tv_nsec - start->tv_nsec) / 1000;
}

static const char *run(struct world *world, const char *sql)
{
    buffer_reset(&world->out);
    sql_driver_run(&world->driver, running, slice_from_string(sql), NULL, 0, &world->out);
    buffer_append_byte(&world->out, 0);
    return (const char *)world->out.data;
}

static int setup(void **state)
{
    static const char *const statements[] = {
        "set require_primary_key = off",
        "create table t (id int primary key, a int, b text)",
        "insert into t select i, i % 1000, 'text ' || i from generate_series(1, 90000) as s(i)",
        "create table same (id int primary key, k int)",
        "insert into same select i, 1 from generate_series(1, 20000) as s(i)",
        "create table parent (id int primary key)",
        "insert into parent select i from generate_series(1, 90000) as s(i)",
        "create table child (id int primary key, p int)",
        "insert into child select i, i from generate_series(1, 90000) as s(i)",
        "create table hidden (a int, b text)",
        "insert into hidden select i, 'text ' || i from generate_series(1, 90000) as s(i)",
    };
    static struct world world;
    struct error error;
    world = (struct world){.sim = env_sim_create(1)};
    sql_driver_init(&world.driver, env_sim_env(world.sim));
    assert_int_equal(sql_engine_spill_set(world.driver.engine, "/spill", &error), OK);
    running = sql_driver_session(&world.driver, 0);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        assert_null(strstr(run(&world, statements[i]), "ERROR"));
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    sql_driver_free(&world->driver);
    env_sim_destroy(world->sim);
    buffer_free(&world->out);
    return 0;
}

/* How long it ran on; -1: it ended by itself. */
static int64_t latency_us(struct world *world, const char *sql, int64_t after_us)
{
    struct itimerval timer = {
        .it_value = {.tv_sec = after_us / 1000000, .tv_usec = after_us % 1000000}};
    struct sigaction action = {.sa_handler = cancel_now, .sa_flags = SA_RESTART};
    assert_null(strstr(run(world, "begin"), "ERROR"));
    raised = 0;
    assert_int_equal(sigaction(SIGPROF, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_PROF, &timer, NULL), 0);
    const char *out = run(world, sql);
    int64_t us = raised ? us_since(&raised_at) : -1;
    timer = (struct itimerval){0};
    assert_int_equal(setitimer(ITIMER_PROF, &timer, NULL), 0);
    bool cancelled = strstr(out, "ERROR 57014") != NULL;
    if (!cancelled && strstr(out, "ERROR"))
        fail_msg("%s\n%.500s", sql, out);
    assert_null(strstr(run(world, "rollback"), "ERROR"));
    return cancelled || us > LATENCY_MAX_US ? us : -1;
}

/* Each cancelled at several points. The timer rings at a tick of the kernel at which this process
 * has the processor; a short statement on a busy machine may end between two of them, and is run
 * again until it was met. */
static void check(struct world *world, const char *const *statements, size_t count)
{
    static const int64_t after_us[] = {3000, 60000};
    enum { ATTEMPTS_MAX = 50 };
    int64_t longest = 0;
    const char *which = "";
    for (size_t i = 0; i < count; i++) {
        bool any = false;
        size_t points = sizeof after_us / sizeof *after_us;
        for (size_t a = 0; a < points || (!any && a < ATTEMPTS_MAX); a++) {
            int64_t us = latency_us(world, statements[i], a < points ? after_us[a] : 1000);
            any |= us >= 0;
            if (us > longest) {
                longest = us;
                which = statements[i];
            }
            if (us > LATENCY_MAX_US)
                print_error("%lld us: %s\n", (long long)us, statements[i]);
        }
        if (!any)
            fail_msg("it is too short to be cancelled: %s", statements[i]);
    }
    printf("# longest %lld us: %.100s\n", (long long)longest, which);
    assert_true(longest <= LATENCY_MAX_US);
}

#define CHECK(list) check(*state, list, sizeof(list) / sizeof *(list))

static void test_operators(void **state)
{
    static const char *const list[] = {
        "select count(*) from generate_series(1, 1000000000) as s(i)",
        "select i from generate_series(1, 1000000000) as s(i) where i < 0",
        "select i from generate_series(1, 3000000) as s(i) order by i % 1000, i desc",
        "select i from generate_series(1, 1000000000) as s(i) order by i % 1000, i limit 10",
        "select count(*) from t as a, t as b, t as c where a.a + b.a + c.a < 0",
        "select count(*) from same as a join same as b on a.k = b.k and a.id + b.id < 0",
        "select count(*) from same as a where not exists"
        " (select 1 from same as b where a.k = b.k and a.id + b.id < 0)",
        "select count(*) from t as a join t as b on a.a = b.a join t as c on b.a = c.a",
        "select count(*) from (select i % 1000003 from generate_series(1, 50000000) as s(i)"
        " group by 1) as g",
        "select count(*) from (select i % 1000 as k, count(*) from generate_series(1, 50000000) as"
        " s(i) group by 1) as g join (select a from t where id < 9 limit 7) as f on f.a = g.k",
        "select count(distinct i) from generate_series(1, 50000000) as s(i)",
        "select length(string_agg(b, ',' order by b)) from t, generate_series(1, 30) as s(i)",
        "select distinct i % 1000003 from generate_series(1, 50000000) as s(i)",
        "select i from generate_series(1, 3000000) as s(i) intersect select i"
        " from generate_series(1, 3000000) as u(i)",
        "with recursive r(i) as (select 1 union all select i + 1 from r) select count(*) from r",
        "with recursive r(i) as (select 1 union select (i * 7 + 1) % 100000007 from r)"
        " select count(*) from r",
        "select sum(a.a) from t as a where (select count(*) from t as b where b.id > a.id) < 0",
        "select count(*) from t as a, lateral (select * from t as b where b.a < a.a) as c",
        "select count(*) from generate_series(1, 1000000000) as s(i) where i in (select a from t)",
        "select count(*) from generate_series(1, 100000000) as s(i) left join t on t.a = i % 900",
        "select count(*) from (select t.id, count(*) from t, generate_series(1, 30000) as s(i)"
        " group by t.id) as g",
        "values (1) union all select i from generate_series(1, 1000000000) as s(i) where i < 0",
    };
    CHECK(list);
}

static void test_windows(void **state)
{
    static const char *const list[] = {
        "select sum(i) over (order by i rows 10 preceding) from generate_series(1, 2000000) as "
        "s(i)",
        "select rank() over (partition by i % 2 order by i) from generate_series(1, 2000000) as "
        "s(i)",
        "select count(*) from (select string_agg(b, ',') over (order by id rows 900 preceding)"
        " from t) as s",
        "select count(*) from (select min(a) over (order by id range between 20000 preceding and"
        " 20000 following) from t, generate_series(1, 5) as s(i)) as s",
    };
    CHECK(list);
}

static void test_spilled(void **state)
{
    static const char *const list[] = {
        "select i from generate_series(1, 3000000) as s(i) order by i % 1000, i desc",
        "select count(*) from same as a join same as b on a.k = b.k and a.id + b.id < 0",
        "select count(*) from (select i, count(*) from generate_series(1, 9000000) as s(i)"
        " group by i) as g",
        "select count(*) from (select distinct i from generate_series(1, 9000000) as s(i)) as g",
        "select count(*) from generate_series(1, 900000) as s(i) full join"
        " generate_series(1, 900000) as u(j) on i = j",
        "select sum(i) over (order by i rows between 90000 preceding and 90000 following) from"
        " generate_series(1, 900000) as s(i)",
        "select rank() over (partition by i % 2 order by 1), max(i) over (order by i groups between"
        " current row and unbounded following) from generate_series(1, 900000) as s(i)",
        "select count(*) from t as a left join generate_series(1, 90000) as s(i) on a.a + i < 0",
        "with recursive r(n) as (select i from generate_series(1, 90000) as s(i) union select n + 1"
        " from r) select count(*) from r",
        "with x as materialized (select i, i + 1 as j from generate_series(1, 900000) as s(i)) "
        "select"
        " count(*) from x as a join x as b on a.i = b.j join x as c on a.i > c.j + 899000",
        "select string_agg('x' || i, ',' order by -i) from generate_series(1, 900000) as s(i)"
        " group by i % 9",
    };
    struct world *world = *state;
    assert_null(strstr(run(world, "set work_mem = '64kB'"), "ERROR"));
    CHECK(list);
    assert_null(strstr(run(world, "reset work_mem"), "ERROR"));
}

static void test_functions(void **state)
{
    static const char *const list[] = {
        "select length(repeat('ab', 8000000 + i % 2)) from generate_series(1, 1000) as s(i)",
        "select repeat('a', 16000000) like '%' || repeat('a', 30000) || 'b'",
        "select repeat('a', 100000) || i like '%a%a%a%a%a%b%c' from generate_series(1, 5000) as "
        "s(i)",
        "select repeat('a', 16000000 + i % 2) like '%' || repeat('a', 15) || 'ba%' from "
        "generate_series(1, 50) as s(i)",
        "select repeat('a', 3000) || i ~ '(a*)*b' from generate_series(1, 100000) as s(i)",
        "select length(regexp_replace(repeat('ab ', 5000000 + i), 'b', 'cc', 'g'))"
        " from generate_series(1, 50) as s(i)",
        "select regexp_count(repeat('ab ', 5000000 + i), '[a-b]') from generate_series(1, 50) as "
        "s(i)",
        "select length(upper(repeat('\xc3\xa4', 8000000 + i))) from generate_series(1, 50) as "
        "s(i)",
        "select length(replace(repeat('ab', 8000000 + i), 'b', 'c'))"
        " from generate_series(1, 50) as s(i)",
        "select length(reverse(repeat('ab', 8000000 + i))) from generate_series(1, 50) as s(i)",
        "select length(translate(repeat('ab', 8000000 + i), 'ab', 'cd'))"
        " from generate_series(1, 50) as s(i)",
        "select position(repeat('a', 20000) || 'b' in repeat('a', 16000000 + i))"
        " from generate_series(1, 50) as s(i)",
        "select length(lpad('a', 4000000 + i, 'bc')) from generate_series(1, 50) as s(i)",
        "select md5(repeat('ab', 8000000 + i)) from generate_series(1, 50) as s(i)",
        "select trim(repeat(' ', 16000000 + i % 2)) from generate_series(1, 50) as s(i)",
        "select initcap(repeat('ab ', 5000000 + i % 2)) from generate_series(1, 50) as s(i)",
        "select split_part(repeat('ab,', 5000000 + i % 2), ',', 4999999)"
        " from generate_series(1, 50) as s(i)",
        "select length(repeat('\xc3\xa4', 8000000 + i % 2)) from generate_series(1, 500) as s(i)",
        "select length(encode(repeat('ab', 8000000 + i % 2)::bytea, 'hex'))"
        " from generate_series(1, 50) as s(i)",
        "select sum(power(1.0000001, i % 1000)) from generate_series(1, 30000000) as s(i)",
        "select sum(exp((i % 20)::numeric)) from generate_series(1, 3000000) as s(i)",
    };
    struct world *world = *state;
    if (SLOWER > 1)
        return; /* a text of 16 MiB under a sanitizer says nothing of the time */
    assert_null(strstr(run(world, "set vector_size = 1"), "ERROR"));
    CHECK(list);
    assert_null(strstr(run(world, "reset vector_size"), "ERROR"));
}

static void test_changes(void **state)
{
    static const char *const list[] = {
        "insert into t select i, 1, 'b' from generate_series(1000000, 9000000) as s(i)",
        "update t set a = a + 1, b = b || 'x'",
        "delete from t",
        "create table u as select i from generate_series(1, 9000000) as s(i)",
        "create index t_b on t (b, a)",
        "alter table hidden add primary key (a)",
        "alter table child add foreign key (p) references parent (id)",
        "alter table t add check (length(repeat(b, 200)) > 2)",
        "delete from parent",
    };
    CHECK(list);
}

/* Many small groups, each of them made of rows that were put in order: while they are given out.
 * That is an eighth of the statement, on any processor; who does not look needs all of it. */
static void test_groups_given_out(void **state)
{
    static const char sql[] = "select g, percentile_disc(0.5) within group (order by 'a text ' || "
                              "i) from (select i % 1000 as g, i "
                              "from generate_series(1, 1500000) as s(i)) as q group by g";
    struct world *world = *state;
    struct timespec begun;
    if (SLOWER > 1)
        return; /* the groups would take minutes */
    assert_null(strstr(run(world, "set work_mem = '1MB'"), "ERROR"));
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
    assert_null(strstr(run(world, sql), "ERROR"));
    int64_t whole_us = us_since(&begun);
    for (int64_t percent = 80; percent <= 95; percent += 5) {
        int64_t us = latency_us(world, sql, whole_us * percent / 100);
        printf("# %lld us at %lld %% of %lld us\n", (long long)us, (long long)percent,
               (long long)whole_us);
        assert_true(us <= whole_us / 10);
    }
    assert_null(strstr(run(world, "reset work_mem"), "ERROR"));
}

/* Long texts of statements: parsing is not cancelled, so it has to be quick; planning is, too. */
static void test_planning(void **state)
{
    enum { TABLES = 64, VALUES = 5000 };
    struct world *world = *state;
    struct buffer texts[5] = {0};
    for (int i = 0; i < TABLES; i++) {
        const char *comma = i > 0 ? ", " : "select count(*) from ";
        buffer_printf(&texts[0], "%st as a%d", comma, i);
        buffer_printf(&texts[1], "%sparent as a%d", comma, i);
        if (i == 0)
            buffer_append_string(&texts[2], "select count(*) from t as a0");
        else
            buffer_printf(&texts[2], " left join t as a%d on a%d.a = a%d.id", i, i - 1, i);
    }
    for (int i = 1; i < TABLES; i++) {
        buffer_printf(&texts[0], "%s a%d.a = a%d.id", i > 1 ? " and" : " where", i - 1, i);
        buffer_printf(&texts[1], "%s a0.id = a%d.id", i > 1 ? " and" : " where", i);
    }
    buffer_append_string(&texts[0], " and a0.id + a63.id < 0");
    buffer_append_string(&texts[1], " and a0.id + a63.id < 0");
    for (int i = 0; i < VALUES; i++) {
        buffer_printf(&texts[3], "%s (%d, 'text %d')", i > 0 ? "," : "values", i, i);
        buffer_printf(&texts[4], "%s%d", i > 0 ? ", " : "select * from t where a in (", i * 3);
    }
    buffer_append_string(&texts[4], ") and exists (select * from t as x, t as y"
                                    " where x.a + y.a = t.a - 10000)");
    int64_t longest = 0;
    for (size_t i = 0; i < 5; i++) {
        struct timespec start;
        buffer_append_byte(&texts[i], 0);
        const char *text = (const char *)texts[i].data;
        struct buffer explain = {0};
        buffer_printf(&explain, "explain %s", text);
        buffer_append_byte(&explain, 0);
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        assert_null(strstr(run(world, (const char *)explain.data), "ERROR"));
        int64_t us = us_since(&start);
        longest = us > longest ? us : longest;
        printf("# planned in %lld us: %.40s\n", (long long)us, text);
        buffer_free(&explain);
        buffer_free(&texts[i]);
    }
    assert_true(longest <= LATENCY_MAX_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_spilled),   cmocka_unit_test(test_functions),
        cmocka_unit_test(test_changes),   cmocka_unit_test(test_groups_given_out),
        cmocka_unit_test(test_planning),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
