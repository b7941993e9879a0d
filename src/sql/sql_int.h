/* Inside sql: the session's state and the functions of its files.
 *
 * PHASES of a session. Each has a function in step.c that either makes an event or moves on.
 *
 *     IDLE      no text, or it has ended
 *     PARSE     the next statement of the text is to be read
 *     BEGIN     a transaction is to be asked for
 *     BEGIN_WAIT    ... and has been: sql_begun answers
 *     PREPARE   it has its transaction; schema and plan are to be found
 *     CHORE_BEGIN   a transaction of its own is to do something for the statement first: take
 *               values of sequences, when the statement's waits in `held`; or a piece of a job,
 *               when that has been given back, and is begun again when the job is done
 *     CHORE_BEGIN_WAIT, CHORE_RUN, CHORE_COMMIT_WAIT    as for the statement itself; then PREPARE
 *     CHORE_EXECUTE     before CHORE_RUN: it is not short
 *     RUN       planned; the work is to be done
 *     ROWS      rows of the executor are being given out
 *     CLOSE     the work is done; its transaction is to be ended, when it is the statement's own
 *     COMMIT_WAIT   a commit has been asked for: sql_committed answers
 *     RESULT    rows made here (SHOW, EXPLAIN) are to be announced
 *     RESULT_ROWS   ... and given out
 *     COMPLETE  all is done but saying so
 *     FAIL      something went wrong; what was begun is to be undone
 *     ERROR     undone; to be told */
#ifndef SQL_SQL_INT_H
#define SQL_SQL_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "sql/catalog/catalog.h"
#include "sql/exec/exec.h"
#include "sql/parse/parse.h"
#include "sql/plan/plan.h"
#include "sql/sql.h"

/* ---- engine ---------------------------------------------------------------------------------- */

/* Values of a sequence that were taken and not yet given: `left` of them from `next`. */
struct sequence_range {
    uint32_t id;
    uint32_t epoch;
    int64_t next;
    int64_t increment;
    uint64_t left;
};

struct sequence_block {
    struct sequence_range range;
    uint64_t size; /* of the block taken last, 0: none */
    uint64_t taken_us;
};

struct sequence_last {
    uint32_t id;
    int64_t value;
};

/* A session's part of sequence.c. */
struct sequence_hold {
    struct sequence_range *ranges;
    uint32_t range_count;
    uint32_t range_capacity;
    struct sequence_last *lasts; /* for currval */
    uint32_t last_count;
    uint32_t last_capacity;
    bool has_last;
    uint32_t last_id; /* for lastval */
    /* Of the running statement. */
    struct sequence_range *wants; /* left: how many its chore is to take at least */
    struct sequence_range *taken; /* for each of them */
    uint32_t want_count;
    uint32_t want_capacity;
    uint32_t too_few; /* how often too few were put aside */
    uint64_t used;    /* values given to it since it was begun */
    bool ended;       /* a sequence has come to its end: no further chore */
    bool set;         /* it called setval */
    bool again;       /* it failed for want of values, and is to be begun again */
    /* A statement that had written found none left. Whoever begins it again, the session or, with
       its transaction, the client, finds so many put aside; until something is committed. */
    uint64_t least;
    uint32_t least_id;
    struct exec_sequences functions;
};

struct sql_engine {
    struct env *env;
    struct env_mutex *mutex; /* guards what follows */
    struct catalog *catalog; /* the newest picture of committed schema, or NULL */
    struct plan_cache *cache;
    struct sequence_block *blocks;
    uint32_t block_count;
    uint32_t block_capacity;
    sql_internal_fn *internal; /* or NULL */
    void *internal_context;
    struct map statistics;     /* by table id: struct statistics */
    uint64_t statistics_epoch; /* goes up when some of them change */
    char *spill_directory;     /* or NULL */
    _Atomic uint64_t spill_next;
    struct env_crew *crew; /* or NULL */
};

/* The picture of the committed schema as `txn` sees it, from the cache or loaded into it; the
 * caller holds a reference. Not for a transaction that has changed the schema itself. */
status_t sql__engine_catalog(struct sql_engine *engine, struct store_txn *txn,
                             struct catalog **catalog, struct error *error);

/* Drops the cached picture, which is loaded again when it is asked for. */
void sql__engine_forget(struct sql_engine *engine);

/* ---- plan cache (plan_cache.c) --------------------------------------------------------------- */

struct plan_cache;
struct cached_text;

/* A plan in use or waiting for its text to come again. */
struct cached_plan {
    struct arena arena;
    struct planned planned;
    struct catalog *catalog;    /* a reference */
    uint64_t statistics_epoch;  /* of the statistics it was made with */
    uint32_t uses;              /* so far */
    const enum sql_type *types; /* of the parameters, as they were given */
    uint32_t type_count;
    uint32_t references;
};

struct plan_cache *sql__cache_create(void);
void sql__cache_destroy(struct sql_engine *engine);
/* The text with its tree, or NULL. Both are good until the text is released. */
struct cached_text *sql__cache_find(struct sql_engine *engine, struct slice text,
                                    const struct ast_statement **statement);
/* The text has parsed as a single statement worth planning: keep it for its next time? */
void sql__cache_offer(struct sql_engine *engine, struct slice text);
/* NULL is allowed. */
void sql__cache_release_text(struct sql_engine *engine, struct cached_text *text);
/* Statements of the text that have ended, and how long they took. */
struct text_calls {
    uint64_t count, total_us, longest_us;
};
void sql__cache_count(struct sql_engine *engine, struct cached_text *text,
                      const struct text_calls *calls);
/* Is the text still one of the cache's? Without its mutex. */
bool sql__cache_has(const struct cached_text *text);
/* Its bytes: good as long as the text. */
struct slice sql__cache_bytes(const struct cached_text *text);
/* toydb_internal.statements: the texts kept, the last used first. */
void sql__cache_rows(struct sql_engine *engine, struct sql_rows *rows);
void sql__cache_release_plan(struct sql_engine *engine, struct cached_plan *plan);
/* The text's plan when it fits, or NULL; to be released. */
struct cached_plan *sql__cache_plan(struct sql_engine *engine, const struct cached_text *text,
                                    const struct catalog *catalog, const enum sql_type *types,
                                    uint32_t count);
/* Plans the text and keeps the plan, unless it is good for once; to be released by the caller too.
 */
status_t sql__cache_make_plan(struct sql_engine *engine, struct cached_text *text,
                              struct catalog *catalog, const struct plan_options *options,
                              struct cached_plan **out, struct error *error);

/* ---- what a session keeps of its statement before (kept.c) ------------------------------------
 */

struct kept {
    struct cached_text *text; /* a reference, or NULL */
    struct slice bytes;       /* the text's */
    const struct ast_statement *statement;
    struct cached_plan *plan; /* of `text`, a reference, or NULL */
    struct text_calls calls;  /* of `text`: not yet told to it */
    struct exec *exec;        /* of `plan`, open and at rest, or NULL */
    struct arena arena;       /* where that is */
    bool runs;                /* the executor at work is in `arena` */
    bool again;               /* `plan` has served for a statement */
};

/* Is it the text kept? */
bool sql__kept_is(const struct sql_session *session, struct slice text);
/* The text with its tree into the session's cached_text and statement, from what is kept or from
 * the cache; it is what is kept from then on. False: it is in neither. */
bool sql__kept_find(struct sql_session *session, struct slice text);
/* The statement of cached_text, if there is one, has ended. */
void sql__kept_ended(struct sql_session *session);
/* The session's text has ended: nothing points into what is kept. */
void sql__kept_text_ended(struct sql_session *session);
/* The plan kept when it is that of cached_text, for this schema and parameters of such types. */
struct cached_plan *sql__kept_plan(struct sql_session *session);
/* A plan of cached_text, which it takes over when no statistics would change it. */
void sql__kept_offer(struct sql_session *session, struct cached_plan *plan);
/* The plan's executor, begun anew or opened; it is closed by exec_close or sql__kept_rest. */
status_t sql__kept_open(struct sql_session *session);
/* The executor has ended without an error: it is put to rest for the next time, or closed. */
void sql__kept_rest(struct sql_session *session);
/* What executors are opened with has changed. */
void sql__kept_close(struct sql_session *session);
/* Drops all of it. */
void sql__kept_free(struct sql_session *session);

/* ---- statistics (statistics.c) ---------------------------------------------------------------
 */

enum { STATISTICS_ROWS_GUESSED = 1000 }; /* of a table nothing is known of */

struct statistics;

/* What is known of the tables of one statement while it is planned. */
struct planning_item {
    const struct table *table;
    struct statistics *held;
    struct table_statistics of;
};
struct planning {
    struct sql_session *session;
    struct planning_item *items;
    uint32_t count;
    uint32_t capacity;
};
/* For plan_options.statistics; the context is a struct planning. */
const struct table_statistics *sql__planning_table(void *context, const struct table *table);
void sql__planning_forget(struct planning *planning);
/* Looks after the statistics of the tables a plan reads, which may have grown since it was made. */
void sql__statistics_refresh(struct sql_session *session, const struct planned *planned);
/* ANALYZE. */
status_t sql__analyze(struct sql_session *session);
void sql__statistics_destroy(struct sql_engine *engine);

enum { SQL_MEMORY_DEFAULT = 256 << 20 }; /* of a statement, as sql_session_memory_set says */

/* ---- rows made here -------------------------------------------------------------------------- */

/* A small table: the answer to SHOW and EXPLAIN, and what RETURNING gives. Lives in the session's
 * run arena. */
struct result {
    bool present;
    struct sql_column *columns;
    uint32_t column_count;
    uint32_t column_capacity;
    struct value *values; /* row-major */
    uint32_t row_count;
    uint32_t capacity; /* in values */
    uint32_t next;     /* first row not yet given out */
};

/* ---- session --------------------------------------------------------------------------------- */

/* A statement's part of job.c: what is done for it by other transactions. */
enum job_kind { JOB_NONE, JOB_INDEX, JOB_CLEAN };
enum job_step { JOB_START, JOB_FILL, JOB_DROP };
struct job {
    enum job_kind kind;
    enum job_step step;
    bool done; /* the statement's own transaction comes now */
    uint32_t table_id;
    uint16_t index_id;
    int64_t owner;
    uint32_t rows;          /* for the next chore */
    struct buffer position; /* how far those that are committed have come */
    struct buffer next;     /* ... and the one at hand */
    bool last;              /* it is the last one */
    bool there;             /* there is such an index by now */
    bool lost;              /* the index is not ours any more */
    bool more;              /* of this garbage: */
    const struct garbage *garbage;
    struct error failure; /* to be told when the index is gone */
};

enum phase {
    PHASE_IDLE,
    PHASE_PARSE,
    PHASE_BEGIN,
    PHASE_BEGIN_WAIT,
    PHASE_PREPARE,
    PHASE_CHORE_BEGIN,
    PHASE_CHORE_BEGIN_WAIT,
    PHASE_CHORE_EXECUTE,
    PHASE_CHORE_RUN,
    PHASE_CHORE_COMMIT_WAIT,
    PHASE_RUN,
    PHASE_ROWS,
    PHASE_CLOSE,
    PHASE_COMMIT_WAIT,
    PHASE_RESULT,
    PHASE_RESULT_ROWS,
    PHASE_COMPLETE,
    PHASE_FAIL,
    PHASE_ERROR,
    PHASE_COUNT
};

struct settings;

/* Where the statement's plan is made (planning.c). */
enum planning_place { PLANNED_BRIEFLY, PLANNED_APART, PLANNED_AT_HOME };

struct sql_session {
    struct sql_engine *engine;
    atomic_bool cancel;
    size_t memory_budget;
    struct settings *settings;
    struct exec_random random;
    enum phase phase;

    /* The transaction. In state SQL_IN_TRANSACTION there may be none yet: the first statement that
       needs it asks for it, so that it reads what was committed before that. */
    enum sql_transaction_state state;
    bool read_only;
    struct store_txn *txn;  /* ours between sql_begun and COMMIT or ROLLBACK */
    struct store_txn *held; /* the statement's, while txn is a chore's */
    bool confirmed;
    bool wrote;
    uint64_t transaction_us;
    uint64_t asked_us;  /* when BEGIN or COMMIT was asked for, monotonic */
    uint64_t begin_us;  /* how long the read version took to come */
    uint64_t commit_us; /* ... and the answer to COMMIT; of that, on the leader: */
    uint64_t certify_us;
    uint64_t replicate_us;
    /* The schema as the transaction sees it; kept from one transaction to the next unless it is
       the transaction's own. catalog_fresh: it is known to be this transaction's. */
    struct catalog *catalog;
    bool catalog_fresh;
    bool catalog_own;

    struct prepared_statement *prepared_list; /* of PREPARE; prepared.c */
    struct sequence_hold sequences;
    struct job job;
    struct kept kept;

    /* The text. */
    struct arena text_arena; /* text, parameters */
    struct parser parser;
    struct value *parameters;
    uint32_t parameter_count;

    /* The statement. */
    struct arena statement_arena; /* its tree */
    const struct ast_statement *statement;
    uint32_t declared_parameters; /* of that one: so many have a type of their own */
    uint32_t execute_position; /* of EXECUTE, when `statement` is what it executes; otherwise 0 */
    struct cached_text *cached_text; /* whose tree it is: the one in `kept`, or NULL */
    uint64_t cached_us;              /* monotonic: when it was found */
    uint32_t attempt;

    /* One attempt to run it. */
    struct arena run_arena;              /* plan, executor, results */
    struct buffer buffers[EXEC_BUFFERS]; /* small ones of the executor, from run to run */
    struct cached_plan *cached_plan;     /* whose plan it is, that in `kept` or its own; or NULL */
    struct planned planned;
    struct value *arguments; /* parameters as the plan wants them */
    struct exec *exec;
    struct batch *first; /* fetched before the header went out, to be given out next */
    struct result result;
    enum planning_place planning;
    enum planning_place planning_next; /* another one: it was given up for that */
    uint64_t planning_until_us;        /* 0: to its end */
    bool prepared;                     /* planned; perhaps a chore is left to do */
    bool is_short;
    uint32_t chore_attempt;
    bool told_rows; /* `first` went out */
    bool told;      /* a header went out: it cannot be run again */
    bool changed;   /* it wrote something */
    bool changed_schema;
    uint64_t rows;
    char tag[64];
    struct error error;
};

void sql__session_move(struct sql_session *session, enum phase phase);
/* Ends with `session->error`, which the caller has filled. */
void sql__session_fail(struct sql_session *session);
/* Is the chore a piece of a job, and not for sequences? */
bool sql__chore_is_job(const struct sql_session *session);
/* Ends a chore with `session->error`: the statement fails, at once or when it has been cleaned up
 * behind it. */
void sql__chore_fail(struct sql_session *session);
/* False: it is no use to try the chore again. */
bool sql__chore_retry(struct sql_session *session, status_t status);
/* Drops what an attempt has made. */
void sql__session_reset_run(struct sql_session *session);
/* Drops the statement as well. */
void sql__session_reset_statement(struct sql_session *session);
/* Drops all that belonged to the text, which has ended: an idle session holds next to nothing. */
void sql__session_reset_text(struct sql_session *session);
/* The transaction is over, whatever became of it; the caller has the store_txn by now. */
void sql__session_end_transaction(struct sql_session *session);

/* ---- planning (planning.c) ------------------------------------------------------------------- */

/* Before the statement's plan is made; and behind it: one that lacks something is none. */
void sql__planning_begin(struct sql_session *session, struct plan_options *options);
status_t sql__planning_end(struct sql_session *session, status_t status);
/* For a plan that is made meanwhile: what ends the one ends the other. */
void sql__planning_options(struct sql_session *session, struct plan_options *options);
/* Are rows that the driver makes out of reach where this plan is made? Then it is given up. */
bool sql__planning_needs_driver(struct sql_session *session);
/* The planning has failed: is it to be begun again at another place? Then that is an event. */
bool sql__planning_moves(struct sql_session *session, struct sql_event *event);

/* ---- statements ------------------------------------------------------------------------------ */

/* Bytes that the running statement may hold. */
size_t sql__statement_memory(const struct sql_session *session);

bool sql__statement_is_ddl(const struct ast_statement *statement);
/* INSERT, UPDATE, DELETE, or EXPLAIN ANALYZE of one. */
bool sql__statement_is_dml(const struct ast_statement *statement);
/* Has a plan that can serve again: SELECT, INSERT, UPDATE, DELETE. */
bool sql__statement_is_cacheable(const struct ast_statement *statement);
bool sql__statement_needs_transaction(const struct ast_statement *statement);

/* statement.c: the transaction is there. Finds the schema, plans. *is_short: see sql_event. */
status_t sql__statement_prepare(struct sql_session *session, bool *is_short);
/* Opens the executor of a statement whose rows go out as they come, and fetches the first of them:
 * most errors show before anything is said. */
status_t sql__statement_open(struct sql_session *session);
/* The last lines of EXPLAIN ANALYZE of what has been committed. */
void sql__explain_committed(struct sql_session *session);
bool sql__statement_streams(const struct sql_session *session);
/* The tag of a statement that counts its rows: "UPDATE 3". */
void sql__tag_counted(struct sql_session *session, const char *name, uint64_t count);
/* That of a SELECT or COPY TO of session->rows. */
void sql__tag_selected(struct sql_session *session);
/* Does all of the work of a statement whose rows (if any) are held back. */
status_t sql__statement_run(struct sql_session *session);
/* The next batch that has rows, NULL at the end. */
status_t sql__statement_next(struct sql_session *session, struct batch **batch);
void sql__statement_context(struct sql_session *session, struct exec_context *context);
/* The type of a parameter that a plan is made for: an argument of EXECUTE becomes of the type it is
 * used as, unless PREPARE has said one. */
enum sql_type sql__parameter_type(const struct sql_session *session, uint32_t i);
/* Has done with cached_plan. */
void sql__statement_drop_plan(struct sql_session *session);
/* Would other statistics make another plan? */
bool sql__plan_is_weighed(const struct planned *planned);

/* ddl.c: CREATE and DROP; set changed_schema when they changed anything. */
status_t sql__ddl_run(struct sql_session *session);

/* After a change the picture of the schema is read anew from the session's own transaction. */
status_t sql__reload_catalog(struct sql_session *session);
/* Fills an index that the session's picture has. */
status_t sql__fill_index(struct sql_session *session, uint32_t table_id, uint16_t index_id);
status_t sql__convert_key(struct sql_session *session, const struct ast_key *key,
                          struct key_definition *out);
status_t sql__convert_foreign_key(struct sql_session *session, const struct ast_foreign_key *key,
                                  struct foreign_key_definition *out);
status_t sql__too_many_columns(struct sql_session *session, uint32_t position);
/* ddl_index.c */
status_t sql__create_index(struct sql_session *session);
status_t sql__reindex(struct sql_session *session);
/* The index that CREATE INDEX or ADD CONSTRAINT UNIQUE wants, and whether one is that. */
status_t sql__index_definition(struct sql_session *session, const struct table **table,
                               struct key_definition *definition, bool *unique);
bool sql__index_is(const struct table *table, const struct index *index,
                   const struct key_definition *definition, bool unique);
/* ddl_alter.c */
status_t sql__alter_table(struct sql_session *session);
/* 42703 with the nearest name for a hint. */
status_t sql__column_find(struct sql_session *session, const struct table *table,
                          const struct ast_name *name, uint32_t *place);
/* 23502 when a column has NULLs, or with `column` NULL when there is any row; `name` is the column
 * an error tells. */
status_t sql__check_nulls(struct sql_session *session, const struct table *table,
                          const char *column, const struct ast_name *name);
/* ddl_constraint.c */
/* Runs a query made here: has it a row, and which texts, of which there are
 * `count`? */
status_t sql__first_row(struct sql_session *session, const char *sql, bool *found,
                        struct slice *texts, uint32_t count);
struct check_definition sql__convert_check(const struct ast_check *check);
/* Are the checks expressions over this table? */
status_t sql__bind_checks(struct sql_session *session, const struct table *table,
                          const struct ast_create_table *constraints);
/* Each constraint in turn, and the session's picture with it. */
status_t sql__add_constraints(struct sql_session *session, uint32_t table_id,
                              const struct ast_create_table *constraints);
status_t sql__drop_constraint(struct sql_session *session, const struct table *table,
                              const struct ast_alter_action *action);
/* The texts of checks, when a column (else the table) gets the name `to`; with `to` NULL those that
 * have the column go. */
status_t sql__checks_follow(struct sql_session *session, const struct table *table,
                            const char *column, const char *to);
/* ddl_query.c */
status_t sql__create_view(struct sql_session *session);
status_t sql__create_table_as(struct sql_session *session);

/* ddl_truncate.c */
/* PREPARE and DEALLOCATE. */
status_t sql__prepare(struct sql_session *session);
status_t sql__deallocate(struct sql_session *session);
/* EXECUTE: the prepared statement takes the place of session->statement, and the arguments that of
 * the text's parameters, until the statement is reset. */
status_t sql__execute(struct sql_session *session);
void sql__prepared_free(struct sql_session *session);
/* COMMENT ON, and the rows of toydb_internal.comments. */
status_t sql__comment(struct sql_session *session);
void sql__comment_rows(const struct catalog *catalog, struct sql_rows *rows);
/* Statements that make the comments of a table, its columns and indexes, behind "...;". */
void sql__comments_print(const struct catalog *catalog, const struct table *table,
                         struct buffer *out);
status_t sql__truncate(struct sql_session *session);
/* ddl_sequence.c */
status_t sql__sequence_ddl(struct sql_session *session);
status_t sql__change_sequence(struct sql_session *session, const struct sequence *sequence,
                              const struct ast_sequence_options *options);
/* ddl_identity.c: an action of ALTER TABLE. */
status_t sql__alter_identity(struct sql_session *session, const struct table *table,
                             const struct ast_alter_action *action);
/* ddl_drop.c: each DROP; and what a CASCADE drops, with the session's picture brought up to it. */
status_t sql__drop_tables(struct sql_session *session);
status_t sql__drop_indexes(struct sql_session *session);
status_t sql__drop_views(struct sql_session *session);
status_t sql__drop_sequences(struct sql_session *session);
/* The views made of a table or view. */
status_t sql__drop_dependent_views(struct sql_session *session, uint32_t relation_id);
/* A view, and those made of it. */
status_t sql__drop_view(struct sql_session *session, uint32_t view_id);
status_t sql__drop_foreign_key(struct sql_session *session, const struct foreign_key *key);
/* The foreign keys that refer to a table by this index. */
status_t sql__drop_foreign_keys_to(struct sql_session *session, uint32_t table_id,
                                   uint16_t index_id);
/* The DEFAULTs of other tables that take from the sequences that go with a table; with `ordinal`
 * only with that column of it. */
status_t sql__drop_owned_defaults(struct sql_session *session, uint32_t table_id,
                                  const uint32_t *ordinal);
/* ddl_rename.c */
/* ALTER INDEX, VIEW ... RENAME. */
status_t sql__rename(struct sql_session *session);
/* The actions of ALTER TABLE. */
status_t sql__rename_table(struct sql_session *session, const struct table *table,
                           const struct ast_alter_action *action);
status_t sql__rename_column(struct sql_session *session, const struct table *table,
                            const struct ast_alter_action *action);
status_t sql__rename_constraint(struct sql_session *session, const struct table *table,
                                const struct ast_alter_action *action);
/* A view that names a column of a table or view it is made of, or NULL. */
const struct view *sql__view_of_column(struct sql_session *session, uint32_t relation_id,
                                       const char *column, bool star);
/* A column as the catalog wants it, but for what its DEFAULT has to be. */
status_t sql__convert_column(struct sql_session *session,
                             const struct ast_column_definition *column,
                             struct column_definition *out);
status_t sql__convert_sequence(struct sql_session *session,
                               const struct ast_sequence_options *options,
                               const struct sequence **out);

/* sequence.c: is there what the plan takes? If not, a chore is to be done: in a transaction of its
 * own sql__sequences_take, and once that is committed sql__sequences_taken. */
bool sql__sequences_ready(struct sql_session *session);
status_t sql__sequences_take(struct sql_session *session, struct store_txn *txn);
void sql__sequences_taken(struct sql_session *session);
const struct exec_sequences *sql__sequences_functions(struct sql_session *session);
/* A DEFAULT's text, in which each sequence that it names is named as the catalog looks for it. */
status_t sql__default_text(struct sql_session *session, const char *sql, const char **out);
void sql__sequences_free(struct sql_session *session);

/* job.c: is there something to be done by other transactions before the statement's own, which is
 * to be given back then? */
bool sql__job_wanted(struct sql_session *session);
/* A piece of it, in a chore's transaction. */
status_t sql__job_run(struct sql_session *session);
/* Its commit was done; false: the statement has failed. */
bool sql__job_committed(struct sql_session *session);
/* Its commit was refused, and is tried again. */
void sql__job_conflict(struct sql_session *session);
/* VACUUM that meets conflicts again and again: somebody else is at it, and it is done with. */
bool sql__job_gives_way(struct sql_session *session);
/* It failed; true: one chore more is to clean up. */
bool sql__job_failed(struct sql_session *session);
bool sql__job_heeds_cancel(const struct sql_session *session);
/* Is there an index to be finished by the statement's own transaction? And that. */
bool sql__job_builds(const struct sql_session *session);
status_t sql__job_finish(struct sql_session *session);
void sql__job_reset(struct sql_session *session);

/* show.c: SHOW TABLES, COLUMNS, INDEXES, CREATE TABLE into the result. */
status_t sql__show_schema(struct sql_session *session);
/* 42P01 with the nearest name for a hint. */
status_t sql__table_find(const struct catalog *catalog, const struct ast_name *name,
                         const struct table **table, struct error *error);

/* Columns [from, to) of an index: "a, lower(b) DESC"; all of them: "(a) INCLUDE (b)". */
void sql__index_columns_print(const struct table *table, const struct index *index, uint32_t from,
                              uint32_t to, struct buffer *out);
void sql__index_keys_print(const struct table *table, const struct index *index,
                           struct buffer *out);
/* "FOREIGN KEY (...) REFERENCES ...", of the table. */
void sql__foreign_key_print(const struct catalog *catalog, const struct table *table,
                            const struct foreign_key *key, struct buffer *out);

/* settings.c */
struct settings *sql__settings_create(void);
void sql__settings_destroy(struct settings *settings);
bool sql__settings_require_primary_key(const struct settings *settings);
bool sql__settings_sqlite(const struct settings *settings);
/* A table of more rows gets its indexes by many transactions. */
uint64_t sql__settings_online_index_rows(const struct settings *settings);
/* The time zone, in seconds east of UTC. */
int32_t sql__settings_zone_s(const struct settings *settings);
size_t sql__settings_work_memory(const struct settings *settings);
void sql__settings_work_memory_set(struct settings *settings, size_t bytes);
uint32_t sql__settings_vector_rows(const struct settings *settings);
/* As exec_context has it. */
uint32_t sql__settings_threads_max(const struct settings *settings);
uint32_t sql__settings_parallel_rows(const struct settings *settings);
bool sql__settings_late_columns(const struct settings *settings);
status_t sql__settings_set(struct sql_session *session, const struct ast_set *set);
void sql__settings_rows(const struct settings *settings, struct sql_rows *rows);
status_t sql__settings_show(struct sql_session *session, const struct ast_show *show);

/* internal.c: the tables of other schemas, see plan_options. */
void sql__internal_options(struct sql_session *session, struct plan_options *options);

/* internal_sizes.c: toydb_internal.table_sizes. */
status_t sql__size_rows(struct sql_session *session, struct sql_rows *rows);

/* internal_schema.c: "prefix_catalog", "prefix_schema" and "prefix_name", and a row's of them. */
void sql__name_columns(struct sql_rows *rows, const char *prefix);
void sql__name_values(struct sql_rows *rows, const char *name);
/* internal_usage.c: what information_schema.columns tells of a type; tables of its own. */
void sql__type_columns(struct sql_rows *rows);
void sql__type_values(struct sql_rows *rows, struct type_spec type);
void sql__constraint_columns(struct sql_session *session, struct sql_rows *rows);
void sql__constraint_tables(struct sql_session *session, struct sql_rows *rows);
void sql__view_tables(struct sql_session *session, struct sql_rows *rows);

/* internal_schema.c: information_schema, from the session's picture. False: no such table. *status,
 * then in session->error: what stopped it before all rows were there. */
bool sql__information_schema(struct sql_session *session, const char *table, struct sql_rows *rows,
                             status_t *status);
/* Is it what a PRIMARY KEY or UNIQUE of the table has made? */
bool sql__index_is_constraint(const struct table *table, const struct index *index);

/* internal_objects.c: toydb_internal.indexes, constraints and sequences. */
void sql__index_rows(const struct catalog *catalog, struct sql_rows *rows);
void sql__constraint_rows(const struct catalog *catalog, struct sql_rows *rows);
const char *sql__sequence_type(const struct sequence *sequence);
void sql__sequence_rows(const struct catalog *catalog, struct sql_rows *rows);

/* result.c */
void sql__result_column(struct sql_session *session, const char *name, enum sql_type type);
/* Begins a row of NULLs; returns its values, to be filled in. */
struct value *sql__result_row(struct sql_session *session);
/* A text value; copied. */
struct value sql__result_text(struct sql_session *session, const char *text);
/* The next rows as a batch, NULL at the end. */
struct batch *sql__result_next(struct sql_session *session);

#endif
