/* Runs scripts in the form of sqllogictest: records of statements and queries, each with what is
 * expected, read as the engine named "toydb".
 *
 * slt_file.c reads a script into records, slt_value.c prints values as the form asks for, slt_run.c
 * runs a record and judges it, slt_memory.c and slt_client.c are what it can run on, slt.c is the
 * program. */
#ifndef SLT_SLT_H
#define SLT_SLT_H

#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "sql/sql.h"
#include "sql/store/store.h"

/* ---- records (slt_file.c) ---------------------------------------------------------------------
 */

enum slt_kind { SLT_STATEMENT, SLT_QUERY };
enum slt_sort { SLT_NOSORT, SLT_ROWSORT, SLT_VALUESORT };

struct slt_record {
    enum slt_kind kind;
    uint32_t line; /* of the script, from 1 */
    struct slice sql;
    bool fails;         /* SLT_STATEMENT: an error is expected */
    struct slice types; /* SLT_QUERY: one of I, R, T a column */
    enum slt_sort sort;
    struct slice label;     /* empty: none. Queries with the same one have the same result */
    struct slice *expected; /* lines behind "----" */
    uint32_t expected_count;
};

/* A script being read. */
struct slt_file {
    struct slice text; /* not yet read */
    uint32_t line;
    struct arena *arena;
};

/* The next record that is for us; false at the end of the script (or at its "halt"). */
bool slt_file_next(struct slt_file *file, struct slt_record *record);

/* ---- results (slt_value.c) ---------------------------------------------------------------------
 */

/* Values as text, row after row. */
struct slt_result {
    struct slice *values;
    uint32_t count;
    uint32_t capacity;
    uint32_t columns;
    struct arena *arena;
};

void slt_result_add(struct slt_result *result, const struct value *value, char type);
void slt_result_sort(struct slt_result *result, enum slt_sort sort);
/* 32 hexadecimal digits over all values. */
void slt_result_digest(const struct slt_result *result, char out[static 33]);
bool slt_result_matches(const struct slt_result *result, const struct slt_record *record);

/* ---- what runs the statements ------------------------------------------------------------------
 */

/* Opened empty before each script, and closed (also when opening failed) after it. */
struct slt_target {
    bool (*open)(struct slt_target *target, struct error *error);
    void (*close)(struct slt_target *target);
    /* Runs a text; rows go into the result. False: it failed. */
    bool (*execute)(struct slt_target *target, struct slice sql, struct slice types,
                    struct slt_result *result, struct error *error);
};

/* slt_memory.c: the engine alone, over a sorted array in memory. */
struct slt_target *slt_target_memory(struct env *env);
/* slt_client.c: a node in this process, with its data on disk below `dir`, which exists. */
struct slt_target *slt_target_embedded(const char *dir);
/* The nodes at these addresses; a script's tables and views are dropped behind it. */
struct slt_target *slt_target_cluster(const char *addresses);

/* ---- running (slt_run.c) -----------------------------------------------------------------------
 */

struct slt_counts {
    uint64_t passed;
    uint64_t failed;
    uint64_t skipped;
    uint64_t queries;
};

struct slt_run {
    struct slt_target *target;
    struct arena arena;  /* of one script: its labels */
    struct arena record; /* of one record */
    struct slt_label *labels;
    uint32_t label_count;
    uint32_t label_capacity;
    struct slt_counts counts;
    uint32_t shown_max; /* failures told in full, a script */
    uint32_t shown;
};

/* Runs one script. False, and a line on standard error, when it cannot be read or begun. */
bool slt_run_file(struct slt_run *run, const char *path);

#endif
