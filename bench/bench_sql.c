/* SQL beside SQLite, in one process and one run: the same statements on the same rows go to both in
 * turn, and the best time of each counts. The last word of a line is ours over SQLite's rate, so
 * higher is better. Answers are compared where they are small enough to be kept.
 *
 *   bench_sql DIRECTORY [PART...]
 *
 * Parts: point, write, scan, join, plan, tpch, slt; all of these without one. And slt-all, every
 * script of the corpus, whose place the variable SLT_CORPUS of the environment tells. What is said
 * of both sides' durability: bench_sql_side.h. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_sql_side.h"
#include "env/env.h"
#include "sql/sql_int.h"

enum { BIG_ROWS = 1000000, MIDDLE_ROWS = 100000, SMALL_ROWS = 1000, ROUNDS = 3, ROUNDS_SHORT = 20 };

static double now_s(void)
{
    return (double)env_monotonic_us(env_real()) / 1e6;
}

void line(const char *what, double ours, double sqlite, const char *unit)
{
    printf("%-44s %11.4g %11.4g %s/s  ratio %.2f\n", what, ours, sqlite, unit, ours / sqlite);
    (void)fflush(stdout);
}

void measure(struct side *ours, struct side *sqlite, const char *what, double work,
             const char *unit, const char *sql, int rounds, int ordered)
{
    struct side *sides[] = {ours, sqlite};
    struct answer answers[2] = {0};
    double best[2] = {INFINITY, INFINITY};
    double begin = now_s();
    /* Of what is over soon more rounds are needed for one that nothing came between. */
    for (int round = 0; round < rounds || (round < ROUNDS_SHORT && now_s() - begin < 0.5);
         round++) {
        for (int s = 0; s < 2; s++) {
            double start = now_s();
            if (!side_try(sides[s], sql, NULL, 0, &answers[s])) {
                printf("%-44s %s: %s\n", what, side_name(sides[s]), side_error(sides[s]));
                answer_free(&answers[0]);
                answer_free(&answers[1]);
                return;
            }
            best[s] = fmin(best[s], now_s() - start);
        }
    }
    line(what, work / best[0], work / best[1], unit);
    const char *difference =
        ordered < 0 ? NULL : answer_difference(&answers[0], &answers[1], ordered > 0);
    if (difference)
        printf("    DIFFERENT: %s\n", difference);
    answer_free(&answers[0]);
    answer_free(&answers[1]);
}

/* ---- tables -------------------------------------------------------------------------------------
 */

static double run_timed(struct side *side, const char *sql)
{
    double start = now_s();
    side_run(side, sql, NULL);
    return now_s() - start;
}

/* k, a permutation of 0..rows-1, one of ten, one of some thousands, a fraction, a text.
 * The seconds it took, without putting the statements together. */
static double fill(struct side *side, const char *table, uint32_t rows)
{
    struct buffer sql = {0};
    double seconds = 0;
    enum { STATEMENT = 500, TRANSACTION = 20000 };
    buffer_printf(&sql,
                  "CREATE TABLE %s (k INTEGER PRIMARY KEY, v INTEGER NOT NULL, few INTEGER, "
                  "many INTEGER, part DOUBLE PRECISION, name TEXT)",
                  table);
    buffer_append_byte(&sql, 0);
    side_run(side, (const char *)sql.data, NULL);
    for (uint32_t at = 0; at < rows; at += STATEMENT) {
        if (at % TRANSACTION == 0)
            seconds += run_timed(side, "BEGIN");
        buffer_reset(&sql);
        buffer_printf(&sql, "INSERT INTO %s VALUES ", table);
        for (uint32_t k = at; k < at + STATEMENT; k++) {
            uint32_t v = (uint32_t)((uint64_t)k * 7919 % rows);
            buffer_printf(&sql, "%s(%u,%u,%u,%u,%u.25,'name of %u')", k > at ? "," : "", k, v,
                          v % 10, (uint32_t)((uint64_t)v * 31 % 100000), v % 1000, v % 5000);
        }
        buffer_append_byte(&sql, 0);
        seconds += run_timed(side, (const char *)sql.data);
        if ((at + STATEMENT) % TRANSACTION == 0 || at + STATEMENT >= rows)
            seconds += run_timed(side, "COMMIT");
    }
    buffer_free(&sql);
    return seconds;
}

static void fill_both(struct side *ours, struct side *sqlite, const char *table, uint32_t rows)
{
    double a = fill(ours, table, rows), b = fill(sqlite, table, rows);
    char what[64];
    (void)snprintf(what, sizeof what, "load %u rows by INSERT of 500", rows);
    line(what, rows / a, rows / b, "row");
}

/* ---- scans and joins ----------------------------------------------------------------------------
 */

static void measure_scans(struct side *ours, struct side *sqlite)
{
    static const struct {
        const char *what;
        const char *sql;
        int ordered;
    } queries[] = {
        {"count(*) of 1M", "SELECT count(*) FROM big", 1},
        {"SUM of 1M", "SELECT sum(v) FROM big", 1},
        {"filter of 1M, 1 % left", "SELECT count(*), sum(v) FROM big WHERE many < 1000", 1},
        {"filter of 1M, half left, text", "SELECT count(*) FROM big WHERE name < 'name of 3'", 1},
        {"GROUP BY of 1M, 10 groups", "SELECT few, count(*), sum(v) FROM big GROUP BY few", 0},
        {"GROUP BY of 1M, 100k groups",
         "SELECT many, count(*), sum(v), max(part) FROM big GROUP BY many", -1},
        {"GROUP BY of 1M, 5k groups by text", "SELECT name, avg(part) FROM big GROUP BY name", 0},
        {"ORDER BY LIMIT 10 of 1M", "SELECT k, v FROM big ORDER BY many DESC, k LIMIT 10", 1},
        {"ORDER BY of 1M, all", "SELECT v FROM big ORDER BY many, v", -1},
        {"DISTINCT of 1M, 100k values", "SELECT count(*) FROM (SELECT DISTINCT many FROM big) AS d",
         1},
        {"expressions over 1M", "SELECT sum(v * 3 + few - k), max(part * 1.5 + few) FROM big", 1},
    };
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        measure(ours, sqlite, queries[i].what, BIG_ROWS, "row", queries[i].sql, ROUNDS,
                queries[i].ordered);
}

static void measure_joins(struct side *ours, struct side *sqlite)
{
    /* The key is looked up in SQLite, but no index is on v or many: it makes one for the join. */
    measure(ours, sqlite, "join 100k x 100k by key", 2 * MIDDLE_ROWS, "row",
            "SELECT count(*), sum(b.v) FROM middle a JOIN middle b ON a.v = b.k", ROUNDS, 1);
    measure(ours, sqlite, "join 100k x 100k without index", 2 * MIDDLE_ROWS, "row",
            "SELECT count(*), sum(b.many) FROM middle a JOIN middle b ON a.v = b.v", ROUNDS, 1);
    measure(ours, sqlite, "join 1M x 1k", BIG_ROWS + SMALL_ROWS, "row",
            "SELECT count(*), sum(s.v) FROM big b JOIN small s ON b.many = s.v", ROUNDS, 1);
    measure(ours, sqlite, "join 1M x 1k, grouped", BIG_ROWS + SMALL_ROWS, "row",
            "SELECT s.few, count(*), sum(b.part) FROM big b JOIN small s ON b.many = s.k "
            "GROUP BY s.few",
            ROUNDS, 0);
    measure(ours, sqlite, "left join 100k x 1k", MIDDLE_ROWS + SMALL_ROWS, "row",
            "SELECT count(*), count(s.v) FROM middle m LEFT JOIN small s ON m.v = s.k", ROUNDS, 1);
    measure(ours, sqlite, "IN (SELECT) of 1M in 1k", BIG_ROWS + SMALL_ROWS, "row",
            "SELECT count(*) FROM big WHERE many IN (SELECT v FROM small)", ROUNDS, 1);
}

/* ---- the planner --------------------------------------------------------------------------------
 */

static const char simple_statement[] = "SELECT v, name FROM middle WHERE k = $1";

/* What a statement costs that was never seen before. */
static double plan_anew(struct side *ours, uint32_t count)
{
    static const enum sql_type types[] = {SQL_INTEGER};
    struct plan_options options = {.parameter_types = types, .parameter_count = 1};
    struct catalog *catalog = side_engine(ours)->catalog;
    struct arena arena = {0};
    double start = now_s();
    for (uint32_t i = 0; i < count; i++) {
        struct parser parser;
        struct ast_statement *statement;
        struct planned planned;
        struct error error;
        arena_reset(&arena);
        status_t status = parse_begin(&parser, slice_from_string(simple_statement), 0, &error);
        if (status == OK)
            status = parse_next(&parser, &arena, &statement, &error);
        if (status == OK)
            status = plan_statement(statement, catalog, &options, &arena, &planned, &error);
        demand(status == OK, "the statement was not planned");
    }
    double seconds = now_s() - start;
    arena_free(&arena);
    return seconds / count * 1e6;
}

/* What one costs that comes again. */
static double plan_cached(struct side *ours, uint32_t count)
{
    static const enum sql_type types[] = {SQL_INTEGER};
    struct sql_engine *engine = side_engine(ours);
    double start = now_s();
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_statement *statement;
        struct cached_text *text =
            sql__cache_find(engine, slice_from_string(simple_statement), &statement);
        demand(text != NULL, "the text is not in the cache");
        struct cached_plan *plan = sql__cache_plan(engine, text, engine->catalog, types, 1);
        demand(plan != NULL, "the plan is not in the cache");
        sql__cache_release_plan(engine, plan);
        sql__cache_release_text(engine, text);
    }
    return (now_s() - start) / count * 1e6;
}

static void measure_planner(struct side *ours)
{
    struct value key = value_integer(1);
    for (int i = 0; i < 3; i++)
        side_run_with(ours, simple_statement, &key, 1, NULL);
    printf("%-44s %11.3f us, goal 10 us\n", "parse and plan a simple statement",
           plan_anew(ours, 200000));
    printf("%-44s %11.3f us, goal 1 us\n", "the same through the plan cache",
           plan_cached(ours, 1000000));
}

static bool wanted(int count, char **arguments, const char *part)
{
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], part) == 0)
            return true;
    }
    return count <= 2;
}

int main(int count, char **arguments)
{
    demand(count > 1,
           "usage: bench_sql DIRECTORY [point|write|scan|join|plan|tpch|slt|slt-all]...");
    struct side *ours = side_open_ours(arguments[1]);
    struct side *sqlite = side_open_sqlite(arguments[1]);
    bool scan = wanted(count, arguments, "scan"), join = wanted(count, arguments, "join");
    bool point = wanted(count, arguments, "point"), plan = wanted(count, arguments, "plan");
    printf("%-44s %11s %11s\n", "", "toyDB", "SQLite");
    if (join || point || plan)
        fill_both(ours, sqlite, "middle", MIDDLE_ROWS);
    if (point)
        point_measure_selects(ours, sqlite);
    if (wanted(count, arguments, "write"))
        point_measure_writes(ours, sqlite);
    if (scan || join)
        fill_both(ours, sqlite, "big", BIG_ROWS);
    if (scan)
        measure_scans(ours, sqlite);
    if (join) {
        fill_both(ours, sqlite, "small", SMALL_ROWS);
        measure_joins(ours, sqlite);
    }
    if (plan)
        measure_planner(ours);
    if (wanted(count, arguments, "tpch"))
        tpch_measure(ours, sqlite, 0.1);
    side_close(ours);
    side_close(sqlite);
    bool all = count > 2 && wanted(count, arguments, "slt-all");
    if (all || wanted(count, arguments, "slt"))
        slt_measure(arguments[1], getenv("SLT_CORPUS"), all);
    return 0;
}
