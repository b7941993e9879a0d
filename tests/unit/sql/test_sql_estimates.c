/* How far the planner's guesses are from the truth after ANALYZE, by the kind of distribution and
 * of condition. Each line says by which factor the guess may be off, either way; some rows are
 * always forgiven (ROWS_FORGIVEN), for a sample knows nothing of what is rare.
 *
 * The data are the same at every run, and so is the sample. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql_driver.h"

enum { ROWS_FORGIVEN = 40 };

struct world {
    struct sql_driver driver;
    struct buffer out;
};

static const char *run(struct world *world, const char *sql)
{
    buffer_reset(&world->out);
    sql_driver_run(&world->driver, sql_driver_session(&world->driver, 0), slice_from_string(sql),
                   NULL, 0, &world->out);
    buffer_append_byte(&world->out, 0);
    const char *answer = (const char *)world->out.data;
    if (strncmp(answer, "ERROR", 5) == 0)
        fail_msg("%s: %s", sql, answer);
    return answer;
}

static struct world *shared;

/* 60,000 rows; s is a number below 60,000, by lot. */
static int setup(void **state)
{
    static const char *const statements[] = {
        "create table d (id int primary key, uniform int, zipf int, clustered int, few int, "
        "nulls int, half int, bell double precision, word text, day date, price numeric(10,2), "
        "flag boolean, tags text)",
        "insert into d select i, s % 10000, floor(exp(ln(10000) * s / 60000.0))::int, i / 100, "
        "i % 7, case when s % 10 < 3 then null else s % 500 end, (s % 10000) / 2, "
        "(s % 1000 + s * 7 % 1000 + s * 13 % 1000) / 3.0, "
        "chr(97 + floor(26 * (s / 60000.0) ^ 2)::int) || 'w' || s % 3000, "
        "date '2020-01-01' + (s % 1461), (s % 100000) / 100.0, s % 100 < 3, "
        "case when s % 4 = 0 then 'red,blue' when s % 4 = 1 then 'green' else 'blue' end "
        "from (select i, (get_byte(d, 0) * 65536 + get_byte(d, 1) * 256 + get_byte(d, 2)) % 60000 "
        "as s from (select i, decode(md5(i::text), 'hex') as d from generate_series(0, 59999) as "
        "g(i)) as h) as r",
        "create table parts (id int primary key, d_id int, kind int)",
        "insert into parts select i, i * 7919 % 60000, i % 50 from generate_series(0, 19999) g(i)",
        "analyze",
    };
    if (!shared) {
        shared = mem_zalloc(1, sizeof *shared);
        sql_driver_init(&shared->driver, env_real());
        for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
            run(shared, statements[i]);
    }
    *state = shared;
    return 0;
}

static int end(void **state)
{
    (void)state;
    sql_driver_free(&shared->driver);
    buffer_free(&shared->out);
    mem_free(shared);
    return 0;
}

/* Of the plan's first line that tells rows. */
static double guessed(struct world *world, const char *query)
{
    char sql[512];
    snprintf(sql, sizeof sql, "explain select * from %s", query);
    const char *at = strstr(run(world, sql), "(~");
    if (!at)
        fail_msg("no rows are guessed: %s", query);
    return strtod(at + 2, NULL);
}

static double counted(struct world *world, const char *query)
{
    char sql[512];
    snprintf(sql, sizeof sql, "select count(*) from %s", query);
    const char *line = strchr(run(world, sql), '\n');
    assert_non_null(line);
    return strtod(line + 1, NULL);
}

struct expectation {
    const char *query;
    double factor;
};

static void check(struct world *world, const struct expectation *expectations, size_t count)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        const struct expectation *expected = &expectations[i];
        double truth = counted(world, expected->query), guess = guessed(world, expected->query);
        double high = truth > guess ? truth : guess, low = truth > guess ? guess : truth;
        double factor = (high - low <= ROWS_FORGIVEN) ? 1 : high / (low > 1 ? low : 1);
        bool fits = factor <= expected->factor;
        printf("# %s %7.0f guessed, %7.0f true: %s\n", fits ? " " : "!", guess, truth,
               expected->query);
        good &= fits;
    }
    assert_true(good);
}

#define CHECK(state, ...)                                                                          \
    do {                                                                                           \
        static const struct expectation expectations[] = {__VA_ARGS__};                            \
        check(*(state), expectations, sizeof expectations / sizeof *expectations);                 \
    } while (0)

static void test_uniform(void **state)
{
    CHECK(state, {"d where uniform = 4711", 2}, {"d where uniform < 1000", 1.2},
          {"d where uniform <= 5", 2}, {"d where uniform between 2000 and 3999", 1.15},
          {"d where uniform >= 9900", 1.3}, {"d where uniform <> 7", 1.05},
          {"d where uniform in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)", 2}, {"d where uniform > 20000", 1},
          {"d where uniform > 2500 and uniform < 2600", 1.3}, {"d where clustered = 17", 1.5},
          {"d where clustered < 60", 1.2}, {"d where few = 3", 1.15},
          {"d where few in (1, 5)", 1.15}, {"d where few > 4", 1.15});
}

static void test_skewed(void **state)
{
    CHECK(state, {"d where zipf = 1", 1.2}, {"d where zipf = 2", 1.3}, {"d where zipf = 5000", 1},
          {"d where zipf <= 3", 1.2}, {"d where zipf > 100", 1.2}, {"d where zipf > 5000", 1.4},
          {"d where zipf in (1, 2, 3)", 1.2}, {"d where zipf between 10 and 99", 1.2},
          {"d where bell < 250", 1.3}, {"d where bell between 400 and 600", 1.2},
          {"d where flag", 1.3}, {"d where not flag", 1.1});
}

static void test_nulls(void **state)
{
    CHECK(state, {"d where nulls is null", 1.1}, {"d where nulls is not null", 1.1},
          {"d where nulls = 103", 1.5}, {"d where nulls < 250", 1.15},
          {"d where nulls <> 100", 1.1}, {"d where not (nulls < 250)", 1.15},
          {"d where nulls not in (3, 4)", 1.1}, {"d where nulls = 3 or nulls is null", 1.15});
}

static void test_texts(void **state)
{
    CHECK(state, {"d where word like 'a%'", 1.2}, {"d where word like 'm%'", 2},
          {"d where word like 'z%'", 1.5}, {"d where word >= 'y'", 1.3},
          {"d where word like '%w1%'", 1.3}, {"d where word not like 'a%'", 1.1},
          {"d where tags = 'blue'", 1.1}, {"d where tags like '%red%'", 1.1},
          {"d where tags like 'gr%'", 1.1}, {"d where tags ilike '%BLUE%'", 1.1},
          {"d where word = 'aw17'", 1}, {"d where starts_with(word, 'a')", 1.2},
          {"d where word ~ '^a'", 1.2});
}

static void test_dates_and_numerics(void **state)
{
    CHECK(state, {"d where day = date '2021-06-01'", 2},
          {"d where day >= date '2021-01-01' and day < date '2022-01-01'", 1.15},
          {"d where day < date '2020-03-01'", 1.3}, {"d where day > date '2030-01-01'", 1},
          {"d where day between '2022-01-01' and '2022-01-31'", 1.4}, {"d where price < 100", 1.2},
          {"d where price between 199.99 and 299.99", 1.2});
}

/* Columns are taken to be independent, but what one says of another by a comparison is known. */
static void test_together(void **state)
{
    CHECK(state, {"d where uniform < 5000 and few = 2", 1.2},
          {"d where uniform < 1000 or uniform > 9000", 1.2}, {"d where few = 1 or few = 2", 1.15},
          {"d where uniform < 1000 or few = 3", 1.2},
          {"d where (uniform < 1000 and few = 3) or zipf = 1", 1.2},
          {"d where uniform > 1000 and uniform > 3000", 1.2});
}

static void test_joins(void **state)
{
    CHECK(state, {"d, parts where d.id = parts.d_id", 1.1},
          {"d, parts where d.id = parts.d_id and kind = 7", 1.2},
          {"d, parts where d.id = parts.d_id and uniform < 1000", 1.2},
          {"d where id in (select d_id from parts where kind < 5)", 1.3},
          {"d where exists (select 1 from parts where d_id = d.id)", 1.2},
          {"d where not exists (select 1 from parts where d_id = d.id)", 1.3},
          {"parts left join d on d.id = parts.d_id", 1.1},
          {"parts a, parts b where a.kind = b.kind", 1.2});
}

static void test_groups(void **state)
{
    CHECK(state, {"(select few, count(*) from d group by few) as g", 1.1},
          {"(select uniform, count(*) from d group by uniform) as g", 1.5},
          {"(select few, flag, count(*) from d group by few, flag) as g", 1.1},
          {"(select id, count(*) from d group by id) as g", 1.1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_skewed),
        cmocka_unit_test(test_nulls),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_dates_and_numerics),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_joins),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests_name("sql_estimates", tests, setup, end);
}
