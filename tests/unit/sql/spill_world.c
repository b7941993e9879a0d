#include "spill_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct error error;

const char *run(struct world *world, uint32_t session, const char *sql, struct buffer *out)
{
    buffer_reset(out);
    sql_driver_run(&world->driver, sql_driver_session(&world->driver, session),
                   slice_from_string(sql), NULL, 0, out);
    buffer_append_byte(out, 0);
    return (const char *)out->data;
}

void open_engine(struct world *world, bool spills)
{
    world->sim = env_sim_create(5);
    world->env = env_sim_env(world->sim);
    assert_int_equal(env_dir_create(world->env, DIRECTORY, &error), OK);
    sql_driver_init(&world->driver, world->env);
    if (spills)
        assert_int_equal(sql_engine_spill_set(world->driver.engine, DIRECTORY, &error), OK);
}

void open_world(struct world *world)
{
    static const char fill_t[] =
        "insert into t select i, case when i % 10 = 0 then null else i * 7919 % 3000 end,"
        " 'name ' || (i * 13 % 500), i * 31 % 4001 / 7.0 from generate_series(1, 9000) as s(i)";
    static const char fill_u[] =
        "insert into u select i, case when i % 7 = 0 then null else i * 17 % 1700 * 2 end,"
        " 'label ' || (i % 400) from generate_series(1, 3000) as s(i)";
    static const char fill_one[] =
        "insert into one select i, 5, 'some text for the memory ' || i from"
        " generate_series(1, 3000) as s(i)";
    static const char *const setup[] = {
        "create table t (id int primary key, k int, name text, x double precision)",
        fill_t,
        "create table u (id int primary key, k int, label text)",
        fill_u,
        "create table one (id int primary key, k int, pad text)",
        fill_one,
    };
    struct buffer out = {0};
    open_engine(world, true);
    for (size_t i = 0; i < sizeof setup / sizeof *setup; i++)
        assert_null(strstr(run(world, ROOMY, setup[i], &out), "ERROR"));
    assert_null(strstr(run(world, TIGHT, "set work_mem = '64kB'", &out), "ERROR"));
    buffer_free(&out);
}

static void count_file(void *context, const char *name)
{
    *(uint32_t *)context += strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

uint32_t files(struct world *world)
{
    uint32_t count = 0;
    assert_int_equal(env_dir_list(world->env, DIRECTORY, count_file, &count, &error), OK);
    return count;
}

void close_world(struct world *world)
{
    assert_int_equal(files(world), 0);
    sql_driver_free(&world->driver);
    env_sim_destroy(world->sim);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in order: what has no ORDER BY may come in any. */
static void sort_lines(struct buffer *text)
{
    enum { LINES_MAX = 1 << 16 };
    char **lines = mem_zalloc(LINES_MAX, sizeof *lines);
    struct buffer sorted = {0};
    size_t count = 0;
    char *rest = (char *)text->data;
    for (char *line = strsep(&rest, "\n"); line && count < LINES_MAX; line = strsep(&rest, "\n"))
        lines[count++] = line;
    assert_true(count < LINES_MAX);
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++)
        buffer_printf(&sorted, "%s\n", lines[i]);
    mem_free(lines);
    buffer_append_byte(&sorted, 0);
    buffer_free(text);
    *text = sorted;
}

void check(struct world *world, const char *sql, bool spills)
{
    struct buffer roomy = {0}, tight = {0}, plan = {0}, explain = {0};
    run(world, ROOMY, sql, &roomy);
    run(world, TIGHT, sql, &tight);
    if (strstr((const char *)roomy.data, "ERROR"))
        fail_msg("%s\n%.300s", sql, (const char *)roomy.data);
    if (!strstr(sql, "order by")) {
        sort_lines(&roomy);
        sort_lines(&tight);
    }
    if (strcmp((const char *)tight.data, (const char *)roomy.data) != 0)
        fail_msg("%s\n%.600s\n/\n%.600s", sql, (const char *)tight.data, (const char *)roomy.data);
    buffer_printf(&explain, "explain analyze %s", sql);
    buffer_append_byte(&explain, 0);
    if (spills)
        run(world, TIGHT, (const char *)explain.data, &plan);
    if (spills && !strstr((const char *)plan.data, " spilled="))
        fail_msg("%s", (const char *)plan.data);
    assert_int_equal(files(world), 0);
    buffer_free(&roomy);
    buffer_free(&tight);
    buffer_free(&plan);
    buffer_free(&explain);
}
