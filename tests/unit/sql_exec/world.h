/* A store in memory with tables, and short ways to write plans by hand. */
#ifndef TESTS_UNIT_SQL_EXEC_WORLD_H
#define TESTS_UNIT_SQL_EXEC_WORLD_H

#include <stdarg.h>

#include "sql/exec/exec.h"

struct world {
    struct arena arena;
    struct arena run_arena; /* of one run; its memory serves the next one again */
    struct store_memory *store;
    struct store_txn *txn;
    struct catalog *catalog;
    struct catalog *older[32]; /* plans refer to the picture they were made from */
    uint32_t older_count;
    struct foreign_key_definition next_key; /* of the next table */
    bool has_next_key;
    struct exec_context context;
    struct env_crew *crew;
    struct buffer text; /* the last answer */
};

void world_open(struct world *world);
void world_close(struct world *world);
/* "id integer primary, name text(3) null, p integer null"; kinds: boolean integer double text.
 * Columns marked primary form the primary key, in order; others may be marked null, unique. */
const struct table *world_table(struct world *world, const char *name, const char *columns);
/* Columns by name, comma separated; "a desc". Filled by exec_build_index. */
status_t world_index(struct world *world, const char *table, const char *columns, bool unique,
                     struct error *error);
/* A FOREIGN KEY of the next table made. */
void world_foreign_key(struct world *world, const char *columns, const char *parent,
                       const char *parent_columns);
const struct table *world_find(struct world *world, const char *name);

/* Reads the catalog again, after it was changed in other ways than these. */
void world_reload(struct world *world);

/* Runs a plan; the answer is its rows, "1|a|NULL\n", or "changed 2\n", or
 * "ERROR 22012: division by zero\nDETAIL ...\n". Plans that only read are run with batches of 1, 3
 * and 1024 rows, and by three threads, and must answer alike. Valid until the next run. */
const char *world_run(struct world *world, struct plan *plan);
/* The same of a plan with subqueries. */
const char *world_run_planned(struct world *world, const struct planned *planned);

/* ---- expressions and plans, in the world's arena ---- */
struct expr *e_int(struct world *w, int64_t v);
struct expr *e_double(struct world *w, double v);
struct expr *e_text(struct world *w, const char *v);
struct expr *e_bool(struct world *w, bool v);
struct expr *e_null(struct world *w, enum sql_type type);
struct expr *e_param(struct world *w, uint32_t index, enum sql_type type);
struct expr *e_col(struct world *w, uint32_t index, enum sql_type type);
/* Arguments end with NULL. */
struct expr *e_call(struct world *w, enum expr_call call, enum sql_type type, ...);
struct expr *e_make(struct world *w, enum expr_kind kind, enum sql_type type, ...);

struct plan *p_values(struct world *w, uint32_t columns, uint32_t rows, struct expr **exprs);
/* "a,b" of a table; index NULL: the primary key. */
struct plan *p_scan(struct world *w, const struct table *table, const struct index *index,
                    const char *columns);
struct key_range *p_ranges(struct world *w, struct plan *scan, uint32_t count);
struct plan *p_filter(struct world *w, struct plan *in, struct expr *predicate);
struct plan *p_project(struct world *w, struct plan *in, ...);
struct plan *p_join(struct world *w, enum plan_kind how, enum join_kind kind, struct plan *left,
                    struct plan *right, struct expr *left_key, struct expr *right_key,
                    struct expr *condition);
struct plan *p_sort(struct world *w, struct plan *in, struct expr *key, bool descending,
                    bool nulls_first);
struct plan *p_limit(struct world *w, struct plan *in, struct expr *limit, struct expr *offset);
struct plan *p_distinct(struct world *w, struct plan *in);
/* Aggregates are added one by one. */
struct plan *p_aggregate(struct world *w, struct plan *in, struct expr *group);
struct aggregate *p_aggregate_add(struct world *w, struct plan *plan, enum aggregate_kind kind,
                                  struct expr *argument);
struct plan *p_insert(struct world *w, const struct table *table, struct plan *in);
struct plan *p_delete(struct world *w, const struct table *table, struct plan *in);
/* One assignment: the input is a scan of all columns, `value` over them. */
struct plan *p_update(struct world *w, const struct table *table, struct plan *in,
                      const char *column, struct expr *value);

#endif
