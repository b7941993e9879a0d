/* Statements that touch one row each: by key, prepared, each with a commit of its own or many in
 * one. */
#include <math.h>
#include <stdio.h>

#include "base/prng.h"
#include "bench_sql_side.h"
#include "env/env.h"

enum { ROUNDS = 3, SELECTS = 200000, SYNCED = 1000, GROUPED = 100000, GROUP = 1000 };

static double now_s(void)
{
    return (double)env_monotonic_us(env_real()) / 1e6;
}

/* The n-th of the statement's rows. */
typedef void statement_fn(struct side *side, uint32_t n);

static void insert_one(struct side *side, uint32_t n)
{
    struct value row[] = {value_integer(n), value_integer((int64_t)n * 7),
                          value_text(slice_from_string("some text of a row"))};
    side_run_with(side, "INSERT INTO points VALUES ($1, $2, $3)", row, 3, NULL);
}

static void insert_indexed(struct side *side, uint32_t n)
{
    struct value row[] = {value_integer(n), value_integer((int64_t)((uint64_t)n * 7919 % 1000003)),
                          value_text(slice_from_string("some text of a row"))};
    side_run_with(side, "INSERT INTO indexed VALUES ($1, $2, $3)", row, 3, NULL);
}

/* Scattered over the rows there are. */
static struct value any_key(uint32_t n)
{
    return value_integer((int64_t)((uint64_t)n * 7919 % GROUPED));
}

static void update_one(struct side *side, uint32_t n)
{
    struct value given[] = {value_integer(n), any_key(n)};
    side_run_with(side, "UPDATE points SET v = $1 WHERE k = $2", given, 2, NULL);
}

/* One row behind the other. */
static void update_next(struct side *side, uint32_t n)
{
    struct value given[] = {value_integer(n), value_integer(n % GROUPED)};
    side_run_with(side, "UPDATE points SET v = $1 WHERE k = $2", given, 2, NULL);
}

static void delete_one(struct side *side, uint32_t n)
{
    struct value key = value_integer(n);
    side_run_with(side, "DELETE FROM points WHERE k = $1", &key, 1, NULL);
}

/* Rows [from, from + count), `group` a commit; the rate. */
static double run_rows(struct side *side, statement_fn *statement, uint32_t from, uint32_t count,
                       uint32_t group)
{
    double start = now_s();
    for (uint32_t i = 0; i < count; i++) {
        if (group > 1 && i % group == 0)
            side_run(side, "BEGIN", NULL);
        statement(side, from + i);
        if (group > 1 && (i + 1) % group == 0)
            side_run(side, "COMMIT", NULL);
    }
    return count / (now_s() - start);
}

static double point_selects(struct side *side)
{
    struct prng prng;
    struct answer answer = {0};
    prng_seed(&prng, 1);
    double start = now_s();
    for (uint32_t i = 0; i < SELECTS; i++) {
        struct value key = value_integer((int64_t)prng_below(&prng, GROUPED));
        side_run_with(side, "SELECT v, name FROM middle WHERE k = $1", &key, 1, &answer);
        demand(answer.rows == 1, "a row is missing");
    }
    double seconds = now_s() - start;
    answer_free(&answer);
    return SELECTS / seconds;
}

void point_measure_selects(struct side *ours, struct side *sqlite)
{
    double best[2] = {0};
    for (uint32_t round = 0; round < ROUNDS; round++) {
        best[0] = fmax(best[0], point_selects(ours));
        best[1] = fmax(best[1], point_selects(sqlite));
    }
    line("point select, prepared", best[0], best[1], "statement");
}

/* What a row is written with in a commit of its own, and then many in one. Rows that are not
 * there before or not afterwards have a number once. */
static void measure_writes(struct side *ours, struct side *sqlite, const char *name,
                           statement_fn *statement, uint32_t from)
{
    struct side *sides[] = {ours, sqlite};
    double synced[2] = {0}, grouped[2] = {0};
    char what[64];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (int s = 0; s < 2; s++)
            synced[s] = fmax(synced[s], run_rows(sides[s], statement, from, SYNCED, 1));
        from += SYNCED;
        for (int s = 0; s < 2; s++)
            grouped[s] = fmax(grouped[s], run_rows(sides[s], statement, from, GROUPED, GROUP));
        from += GROUPED;
    }
    (void)snprintf(what, sizeof what, "%s, a synced commit each", name);
    line(what, synced[0], synced[1], "statement");
    (void)snprintf(what, sizeof what, "%s, %d a commit", name, GROUP);
    line(what, grouped[0], grouped[1], "statement");
}

/* Statements that write many rows, each in a commit of its own. */
static void measure_many(struct side *ours, struct side *sqlite)
{
    static const struct {
        const char *name;
        uint32_t rows; /* of GROUPED that there are */
        const char *sql;
    } steps[] = {
        {"INSERT ... SELECT of 100k rows", GROUPED,
         "INSERT INTO many SELECT k, v, name FROM points WHERE k < 100000"},
        {"UPDATE of 100k rows", GROUPED, "UPDATE many SET v = v + 1"},
        {"UPDATE of 10k rows by range", GROUPED / 10,
         "UPDATE many SET v = v + 1 WHERE k >= 20000 AND k < 30000"},
        {"DELETE of 50k rows by range", GROUPED / 2, "DELETE FROM many WHERE k < 50000"},
        {NULL, 0, "DELETE FROM many"},
    };
    enum { STEPS = sizeof steps / sizeof *steps };
    struct side *sides[] = {ours, sqlite};
    double best[2][STEPS] = {0};
    for (int s = 0; s < 2; s++)
        side_run(sides[s], "CREATE TABLE many (k INTEGER PRIMARY KEY, v INTEGER, name TEXT)", NULL);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < STEPS; i++) {
            for (int s = 0; s < 2; s++) {
                double start = now_s();
                side_run(sides[s], steps[i].sql, NULL);
                best[s][i] = fmax(best[s][i], steps[i].rows / (now_s() - start));
            }
        }
    }
    for (size_t i = 0; i < STEPS && steps[i].name; i++)
        line(steps[i].name, best[0][i], best[1][i], "row");
}

void point_measure_writes(struct side *ours, struct side *sqlite)
{
    static const char *const creates[] = {
        "CREATE TABLE points (k INTEGER PRIMARY KEY, v INTEGER, name TEXT)",
        "CREATE TABLE indexed (k INTEGER PRIMARY KEY, v INTEGER, name TEXT)",
        "CREATE INDEX indexed_v ON indexed (v)",
    };
    for (size_t i = 0; i < sizeof creates / sizeof *creates; i++) {
        side_run(ours, creates[i], NULL);
        side_run(sqlite, creates[i], NULL);
    }
    measure_writes(ours, sqlite, "insert, prepared", insert_one, 0);
    measure_writes(ours, sqlite, "insert with an index, prepared", insert_indexed, 0);
    measure_writes(ours, sqlite, "update by scattered key, prepared", update_one, 0);
    measure_writes(ours, sqlite, "update by next key, prepared", update_next, 0);
    measure_many(ours, sqlite);
    measure_writes(ours, sqlite, "delete by key, prepared", delete_one, 0);
}
