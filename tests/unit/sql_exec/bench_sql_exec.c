/* Rates of the executor over a store in memory. Not a test: run it by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "world.h"

#define B SQL_BOOLEAN
#define I SQL_INTEGER
#define T SQL_TEXT

static struct world world, *w = &world;

static void fill(const char *name, uint32_t rows)
{
    const struct table *table = world_table(w, name, "k integer primary, v integer, s text");
    enum { STEP = 10000 };
    for (uint32_t from = 0; from < rows; from += STEP) {
        struct expr **exprs = arena_alloc(&w->arena, 3 * STEP * sizeof *exprs);
        for (uint32_t i = 0; i < STEP; i++) {
            uint32_t k = from + i;
            exprs[3 * i] = e_int(w, k);
            exprs[3 * i + 1] = e_int(w, k * 2654435761u % rows);
            exprs[3 * i + 2] = e_text(w, "some text of a row");
        }
        world_run(w, p_insert(w, table, p_values(w, 3, STEP, exprs)));
    }
}

static void report(const char *what, uint64_t rows, uint64_t us)
{
    printf("%-40s %9.3f ms  %8.2f M rows/s\n", what, (double)us / 1000, (double)rows / (double)us);
}

static void measure(const char *what, uint64_t rows, struct plan *plan)
{
    w->context.batch_rows = BATCH_ROWS_MAX; /* world_run: once */
    uint64_t best = UINT64_MAX;
    const char *answer = NULL;
    for (int i = 0; i < 3; i++) {
        uint64_t start = env_monotonic_us(w->context.env);
        answer = world_run(w, plan);
        uint64_t us = env_monotonic_us(w->context.env) - start;
        best = us < best ? us : best;
    }
    report(what, rows, best);
    if (strlen(answer) < 60)
        printf("    %s", answer);
}

/* open + next + close of SELECT * FROM t WHERE k = $1, the arena reset between. */
static void measure_points(const struct table *table, uint32_t rows)
{
    enum { RUNS = 500000 };
    struct plan *scan = p_scan(w, table, NULL, "*");
    struct key_range *range = p_ranges(w, scan, 1);
    range->equal[0] = e_param(w, 0, I);
    range->equal_count = 1;
    struct plan *plan = p_project(w, scan, e_col(w, 0, I), e_col(w, 1, I), e_col(w, 2, T), NULL);
    struct planned planned = {.root = plan};
    struct arena arena = {0};
    struct exec_context context = w->context;
    struct value parameter;
    context.arena = &arena;
    context.parameters = &parameter;
    context.parameter_count = 1;
    context.batch_rows = 0;
    uint64_t start = env_monotonic_us(context.env);
    for (uint32_t i = 0; i < RUNS; i++) {
        struct error error;
        struct exec *exec;
        struct batch *batch;
        parameter = value_integer((int64_t)(i * 2654435761u % rows));
        status_t status = exec_open(&planned, &context, &exec, &error);
        ASSERT(status == OK);
        uint32_t seen = 0;
        while (exec_next(exec, &batch, &error) == OK && batch)
            seen += batch->selected;
        ASSERT(seen == 1);
        exec_close(exec);
        arena_reset(&arena);
    }
    uint64_t us = env_monotonic_us(context.env) - start;
    printf("%-40s %9.3f us each\n", "point select", (double)us / RUNS);
    struct bare {
        struct buffer key;
    } bare = {0};
    start = env_monotonic_us(context.env);
    for (uint32_t i = 0; i < RUNS; i++) {
        struct error error;
        bool found;
        struct slice value;
        struct value row[1] = {value_integer((int64_t)(i * 2654435761u % rows))};
        buffer_reset(&bare.key);
        status_t status = index_row_key(table, row, &bare.key, &error);
        if (status == OK)
            status = store_get(context.txn, buffer_slice(&bare.key), &found, &value, &error);
        ASSERT(status == OK && found);
    }
    us = env_monotonic_us(context.env) - start;
    printf("%-40s %9.3f us each\n", "    of which store_get", (double)us / RUNS);
    buffer_free(&bare.key);
    arena_free(&arena);
}

int main(void)
{
    world_open(w);
    fill("t", 1000000);
    fill("u", 100000);
    const struct table *t = world_find(w, "t"), *u = world_find(w, "u");
    struct expr *k = e_col(w, 0, I), *v = e_col(w, 1, I);
    struct plan *scan = p_scan(w, t, NULL, "k,v");
    struct plan *count = p_aggregate(w, p_scan(w, t, NULL, ""), NULL);
    p_aggregate_add(w, count, AGGREGATE_COUNT_ROWS, NULL);
    measure("count(*) of 1M rows", 1000000, count);
    struct plan *sum =
        p_aggregate(w, p_filter(w, scan, e_call(w, CALL_LT, B, v, e_int(w, 500000), NULL)), NULL);
    p_aggregate_add(w, sum, AGGREGATE_SUM, v);
    measure("scan + filter + sum of 1M rows", 1000000, sum);
    struct plan *groups = p_aggregate(w, scan, e_call(w, CALL_MODULO, I, v, e_int(w, 1000), NULL));
    p_aggregate_add(w, groups, AGGREGATE_SUM, k);
    measure("group by, 1000 groups, of 1M rows", 1000000, groups);
    struct plan *join = p_join(w, PLAN_HASH_JOIN, JOIN_INNER, p_scan(w, u, NULL, "k,v"),
                               p_scan(w, u, NULL, "k,v"), k, v, NULL);
    struct plan *joined = p_aggregate(w, join, NULL);
    p_aggregate_add(w, joined, AGGREGATE_COUNT_ROWS, NULL);
    measure("hash join of 100k with 100k", 200000, joined);
    struct plan *sort = p_sort(w, p_scan(w, u, NULL, "k,v"), v, false, false);
    sort->kind = PLAN_SORT;
    measure("sort of 100k by integer", 100000, p_limit(w, sort, e_int(w, 1), NULL));
    measure_points(t, 1000000);
    fill("small", 10000);
    measure_points(world_find(w, "small"), 10000);
    world_close(w);
    return 0;
}
