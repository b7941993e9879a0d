/* The two databases that bench_sql measures beside each other, behind one way to run statements.
 *
 * Ours: a SQL session over a replica, the cluster of one that is toyDB embedded, driven by the
 * caller's thread: a commit is an entry of the log, written and synced, then applied.
 * SQLite: a file with journal_mode=WAL and synchronous=FULL, where a commit is as durable: a record
 * appended to a log, and one sync. */
#ifndef BENCH_SQL_SIDE_H
#define BENCH_SQL_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "sql/types/types.h"

/* What a statement gave: the number of its rows, and their cells while there are not too many. */
struct answer {
    struct arena arena;
    struct value *cells; /* row by row: integer, double, text or NULL */
    uint32_t cell_count;
    uint32_t cell_capacity;
    uint32_t columns;
    uint64_t rows;
};

enum { ANSWER_CELLS_MAX = 100000 };

void answer_reset(struct answer *answer);
void answer_free(struct answer *answer);
void answer_add(struct answer *answer, const struct value *cell);
/* NULL: the same rows, doubles to nine digits; otherwise what differs first. `ordered` false: rows
 * may come in any order. */
const char *answer_difference(struct answer *a, struct answer *b, bool ordered);

struct side;

struct side *side_open_ours(const char *directory);
struct side *side_open_sqlite(const char *directory);
void side_close(struct side *side);
const char *side_name(const struct side *side);
/* Runs one statement, prepared once for each text; false, with a message in side_error, when it
 * fails. `answer` may be NULL. */
bool side_try(struct side *side, const char *sql, const struct value *parameters, uint32_t count,
              struct answer *answer);
/* The same; a failure ends the program. */
void side_run(struct side *side, const char *sql, struct answer *answer);
void side_run_with(struct side *side, const char *sql, const struct value *parameters,
                   uint32_t count, struct answer *answer);
const char *side_error(const struct side *side);

struct catalog;
struct sql_engine;
/* Of ours: for measuring the planner by itself. */
struct sql_engine *side_engine(struct side *side);

void demand(bool condition, const char *what);

/* A line of the report: rates of ours and of SQLite's, and the ratio. */
void line(const char *what, double ours, double sqlite, const char *unit);

/* ---- rows one by one (bench_sql_point.c) -------------------------------------------------------
 */

/* From `middle`, which is filled. */
void point_measure_selects(struct side *ours, struct side *sqlite);
void point_measure_writes(struct side *ours, struct side *sqlite);

/* ---- sqllogictest (bench_sql_slt.c) ------------------------------------------------------------
 */

/* Scripts of the corpus at `corpus` (NULL, or nothing there: says so and skips them), some or all,
 * with databases of their own below `scratch`. */
void slt_measure(const char *scratch, const char *corpus, bool all);

/* ---- TPC-H (bench_sql_tpch.c) -----------------------------------------------------------------
 */

/* Fills both with the tables at a scale factor, runs the queries on both, prints a line each. */
void tpch_measure(struct side *ours, struct side *sqlite, double scale);

/* Runs a statement in turn on both, `rounds` times, and prints the line: rates of `work` things a
 * second, the best of each, and ours over SQLite's. Answers are compared unless `ordered` is
 * negative. */
void measure(struct side *ours, struct side *sqlite, const char *what, double work,
             const char *unit, const char *sql, int rounds, int ordered);

#endif
