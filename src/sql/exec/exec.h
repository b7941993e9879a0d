/* The executor: runs a plan, batch by batch.
 *
 * Pull-based: each exec_next gives one batch of up to 1024 rows as columns; an operator's state
 * survives between calls, so a SELECT of any size streams with back-pressure. Vectors are sized by
 * need: a point query allocates for one row. Text in results points into the store's snapshot or
 * the arena. Every operator that collects counts what it holds and puts rows aside in files when it
 * would hold more than work_memory; what cannot (one huge value, the change list of UPDATE) is held
 * by memory_budget: over it the statement ends with SQLSTATE 53200. The cancel flag is looked at
 * between batches and in every long loop (57014).
 */
#ifndef SQL_EXEC_EXEC_H
#define SQL_EXEC_EXEC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/prng.h"
#include "base/problem.h"
#include "base/status.h"
#include "env/env.h"
#include "sql/catalog/catalog.h"
#include "sql/plan/plan.h"
#include "sql/store/store.h"
#include "sql/types/types.h"

/* Sequences, by the name a function's argument has: of a whole session, whose latest values currval
 * and lastval tell. */
struct exec_sequences {
    status_t (*nextval)(void *context, struct slice name, int64_t *out, struct error *error);
    status_t (*currval)(void *context, struct slice name, int64_t *out, struct error *error);
    status_t (*lastval)(void *context, int64_t *out, struct error *error);
    status_t (*setval)(void *context, struct slice name, int64_t value, bool called,
                       struct error *error);
    /* The statement is about to write so many rows: is there what it calls nextval for from then
       on? If not, it is begun again (ERR_CONFLICT), which it cannot be later. */
    status_t (*reserve)(void *context, uint64_t rows, struct error *error);
    void *context;
};

/* random() of a session that has said setseed(). */
struct exec_random {
    struct prng prng;
    bool seeded;
};

enum { EXEC_PARALLEL_ROWS = 50000, EXEC_BUFFERS = 4 };

struct exec_context {
    struct exec_random *random; /* of the session, or NULL: each statement has another seed */
    const struct exec_sequences *sequences; /* or NULL: there are none */
    struct env *env;
    struct store_txn *txn;
    const struct catalog *catalog;
    const struct value *parameters; /* each of its inferred type, or NULL */
    uint32_t parameter_count;
    uint64_t transaction_us; /* wall clock at the transaction's start, for now() */
    uint64_t statement_us;   /* likewise at the statement's; 0: read when it is asked for */
    int32_t zone_s;          /* the session's time zone, seconds east of UTC */
    size_t memory_budget;    /* bytes, 0: 256 MiB */
    size_t work_memory;      /* bytes; 0, or more than it: a quarter of the budget */
    /* Where an operator that would hold more than work_memory puts rows aside; NULL: nowhere, it
       goes on and fails over the budget. spill_next numbers the files. */
    const char *spill_directory;
    _Atomic uint64_t *spill_next;
    uint32_t batch_rows;       /* 0: BATCH_ROWS_MAX */
    const atomic_bool *cancel; /* or NULL */
    struct env_crew *crew;     /* threads that help to read large tables, or NULL */
    uint32_t threads_max;      /* at work for the statement, its own among them; 0: as many as the
                                  crew allows */
    uint32_t parallel_rows;    /* a table of less is read by one thread; 0: EXEC_PARALLEL_ROWS */
    struct arena *arena;       /* lives until after exec_close */
    struct buffer *buffers;    /* EXEC_BUFFERS that are kept from statement to statement, so that
                                  short ones need not ask for memory; the caller frees them. NULL:
                                  there are none */
    bool no_late;              /* columns that a filter does not need are read before it, too */
    bool no_lengths;           /* declared lengths and ranges are not held, as in SQLite */
    bool measure;              /* count rows and time of each operator, for EXPLAIN ANALYZE */
};

/* What one operator has done so far. */
struct exec_figures {
    uint64_t rows;    /* given to its parent */
    uint64_t batches; /* likewise */
    uint64_t time_us; /* in it and below it */
    uint64_t memory;  /* bytes it held at most */
    uint64_t spilled; /* bytes it put aside in files */
    uint64_t parts;   /* into how many parts or runs */
    uint32_t threads; /* that did it, when more than one */
};

struct exec;

/* Builds the operators; does no work yet. The context is copied, what it points to must outlive
 * exec_close. */
status_t exec_open(const struct planned *planned, const struct exec_context *context,
                   struct exec **out, struct error *error);
/* The next batch, valid until the next call; NULL at the end. INSERT, UPDATE and DELETE do all
 * their work in the first call and give no rows. Constraint errors: 23502 not null, 23505 unique,
 * 23503 foreign key, with detail "Key (a)=(1) already exists." as PostgreSQL has it. */
status_t exec_next(struct exec *exec, struct batch **batch, struct error *error);
/* Has it begun to write? */
bool exec_has_written(const struct exec *exec);
/* Rows changed by INSERT, UPDATE, DELETE. */
uint64_t exec_rows_affected(const struct exec *exec);
/* False when not measured, or when the node has no operator of its own (the right side of a lookup
 * join). */
bool exec_figures(const struct exec *exec, const struct plan *node, struct exec_figures *out);
/* plan_explain's tree with what was measured behind each line, memory where
 * rows are held:
 *     Sort: a (rows=3 batches=1 time=0.004 ms memory=36 kB)        */
void exec_explain_analyze(struct exec *exec, struct buffer *out);
/* NULL is allowed. Closes its cursors: call before the transaction ends. */
void exec_close(struct exec *exec);

/* A write of single rows that is run often need not be opened anew each time: behind its end
 * exec_rest, then exec_renew instead of exec_open, in the same transaction or another.
 *
 * Can a plan be run so? Not where a run leaves anything behind that the next must not find. */
bool exec_is_repeatable(const struct planned *planned);
/* Once exec_next has given NULL, of a repeatable plan: it holds nothing of the transaction any
 * more. False: it holds much memory, and is better closed. */
bool exec_rest(struct exec *exec);
/* As it was opened, with what a statement's context has for itself. Of the rest nothing may have
 * changed. */
void exec_renew(struct exec *exec, struct store_txn *txn, const struct value *parameters,
                uint64_t transaction_us);

/* Fills an index that has just been added to the schema (uniqueness is checked: 23505). */
status_t exec_build_index(const struct exec_context *context, const struct table *table,
                          const struct index *index, struct error *error);
/* The same in pieces, each in a transaction of its own, of an index that is being built: up to
 * rows_max rows behind *position (a key; empty: from the first), which moves. *done: there are no
 * more, and what was read proves it. */
status_t exec_fill_index(const struct exec_context *context, const struct table *table,
                         const struct index *index, uint32_t rows_max, struct buffer *position,
                         bool *done, struct error *error);

/* Puts the rows under the primary key that `table` has by now; they are still under the row id it
 * had. Other indexes are filled anew (23505). */
status_t exec_rekey(const struct exec_context *context, const struct table *table,
                    struct error *error);
struct exec_verified {
    uint32_t tables;
    uint64_t rows;
    uint64_t entries;    /* of secondary indexes */
    uint64_t references; /* to rows of other tables */
};
/* Proves everything in the store that is SQL's, in the transaction's view: the schema loads, each
 * row is one of its table, each index holds the entries of its table's rows and nothing else, a
 * unique one no key twice, each foreign key has its parent, and no key belongs to nobody. What is
 * wrong is added to `problems`. Memory does not grow with the tables. An error: it could not be
 * read to the end; damage is a problem. The context needs env, txn and arena. */
status_t exec_verify(const struct exec_context *context, struct problems *problems,
                     struct exec_verified *out, struct error *error);

/* A value of an expression without columns. */
status_t exec_constant(const struct expr *expr, const struct exec_context *context,
                       struct value *out, struct error *error);

#endif
