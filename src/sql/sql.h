/* SQL sessions: texts in, results out, as a state machine that never waits.
 *
 * Whoever drives a session (the server, a test) calls sql_step in a loop and does what each event
 * asks for. Beginning a transaction needs a read version and committing needs the leader: both are
 * asked for by an event and answered by a call, with any time in between.
 *
 *     sql_submit(session, text)
 *     loop: sql_step(session, &event)
 *         SQL_EVENT_BEGIN     get a transaction, then sql_begun
 *         SQL_EVENT_EXECUTE   nothing to do: the next step does real work; event.is_short tells
 *                             whether it may run on the loop thread or belongs on a worker. It may
 *                             come several times, when the statement is not short even to plan
 *         SQL_EVENT_HEADER    send the columns; rows follow (the first ones have been computed, so
 *                             that most errors show instead of a header)
 *         SQL_EVENT_ROWS      send the batch; it is good until the next step
 *         SQL_EVENT_COMMIT    commit event.txn, then sql_committed
 *         SQL_EVENT_ROLLBACK  drop event.txn, then step on
 *         SQL_EVENT_COMPLETE  send the completion of one statement; without event.more the text
 *                             has ended
 *         SQL_EVENT_ERROR     send the error: the text has ended
 *         SQL_EVENT_DONE      the text has ended (alone: it had no statement)
 *
 * Once the text has ended every further step gives SQL_EVENT_DONE, and sql_submit may be called.
 *
 * A session belongs to one thread at a time; between steps it may move to another.
 *
 * RETRY. A statement outside BEGIN is a transaction of its own. When its commit is refused with
 * ERR_CONFLICT or ERR_TOO_OLD the session runs it again from SQL_EVENT_BEGIN (event.attempt counts,
 * so that the driver can back off), up to SQL_ATTEMPTS_MAX times: nothing was sent for it yet,
 * because only statements that write can conflict, and their rows (none, or few) are held back
 * until the commit is known. Inside BEGIN ... COMMIT the conflict is the client's: 40001.
 *
 * BEGIN asks for nothing yet: the first statement behind it does, and so reads whatever was
 * committed before it. A block that wrote nothing ends with SQL_EVENT_ROLLBACK also at COMMIT. A
 * statement that fails inside BEGIN ... COMMIT gives its transaction back at once.
 *
 * CHORES. A statement may need something done first in a transaction of its own (a block of a
 * sequence's values). Then the session asks with event.chore for a second transaction while it
 * holds the statement's, commits that, and goes on: BEGIN and COMMIT of a chore come between BEGIN
 * and EXECUTE of the statement, or, when the statement has to be begun again, before its next
 * EXECUTE.
 *
 * UNCONFIRMED SNAPSHOTS. The first attempt of a statement that writes, outside BEGIN, may run on
 * the node's own newest state without asking the leader (event.may_be_unconfirmed): if it was stale
 * in what mattered, certification refuses the commit. An answer that is not certified must not rest
 * on such a snapshot: an error, or a statement that wrote nothing, is run again on a confirmed one.
 */
#ifndef SQL_SQL_H
#define SQL_SQL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "env/env.h"
#include "sql/store/store.h"
#include "sql/types/types.h"

enum {
    SQL_TEXT_MAX = 1 << 20, /* bytes of one text; more: 54000 */
    SQL_PARAMETERS_MAX = 1000,
    SQL_ATTEMPTS_MAX = 50,
};

/* What the sessions of one node share: cached schema, cached plans. Thread-safe. */
struct sql_engine;
struct sql_engine *sql_engine_create(struct env *env);
/* A directory for rows that need more memory than a statement has; made when missing, and what is
 * in it is removed. Without one such statements fail (53200). Before the first session. */
status_t sql_engine_spill_set(struct sql_engine *engine, const char *directory,
                              struct error *error);
/* Threads that help statements to read large tables; it must outlive the engine. Without it each
 * statement is done by one thread. Before the first session. */
void sql_engine_crew_set(struct sql_engine *engine, struct env_crew *crew);
/* All sessions must be gone. */
void sql_engine_destroy(struct sql_engine *engine);

/* Has the schema as last seen anything for VACUUM to remove? Thread-safe. */
bool sql_engine_has_leftovers(struct sql_engine *engine);

/* Appends what a key of the store is in the schema as last seen, for messages: `row (id)=(7) of
 * table "accounts"`, `the schema`, or the bytes in hexadecimal when it is not known. Thread-safe.
 */
void sql_engine_describe_key(struct sql_engine *engine, struct slice key, struct buffer *out);

/* Rows made up while a statement is planned: a table of the schema toydb_internal or
 * information_schema. Columns first, then for each row its values in their order. */
struct sql_rows;
void sql_rows_column(struct sql_rows *rows, const char *name, enum sql_type type);
void sql_rows_begin(struct sql_rows *rows); /* a row */
/* NULL: the value is NULL. What is no UTF-8 in the text is replaced. */
void sql_rows_text(struct sql_rows *rows, const char *text);
void sql_rows_integer(struct sql_rows *rows, int64_t integer);
void sql_rows_boolean(struct sql_rows *rows, bool boolean);

/* What the driver knows and the engine does not: fills a table of toydb_internal; false when it has
 * none of that name. Called by sql_step before it asks for
 * SQL_EVENT_EXECUTE, on its thread. */
typedef bool sql_internal_fn(void *context, const char *table, struct sql_rows *rows);
/* Before the first session. */
void sql_engine_internal_set(struct sql_engine *engine, sql_internal_fn *fill, void *context);

struct sql_session;
struct sql_session *sql_session_create(struct sql_engine *engine);
/* Not while a transaction is with it (see sql_session_abort). */
void sql_session_destroy(struct sql_session *session);

enum sql_transaction_state { SQL_IDLE, SQL_IN_TRANSACTION, SQL_FAILED_TRANSACTION };
enum sql_transaction_state sql_session_state(const struct sql_session *session);

/* Begins a text of one or more statements. Text and parameters are copied. Parameters ($1..) are
 * allowed with a single statement. Only when the text before has ended. */
void sql_submit(struct sql_session *session, struct slice text, const struct value *parameters,
                uint32_t parameter_count);

enum sql_event_kind {
    SQL_EVENT_BEGIN,
    SQL_EVENT_EXECUTE,
    SQL_EVENT_HEADER,
    SQL_EVENT_ROWS,
    SQL_EVENT_COMMIT,
    SQL_EVENT_ROLLBACK,
    SQL_EVENT_COMPLETE,
    SQL_EVENT_ERROR,
    SQL_EVENT_DONE,
};

struct sql_column {
    const char *name;
    enum sql_type type;
};

struct sql_event {
    enum sql_event_kind kind;
    /* BEGIN */
    bool read_only;
    bool may_be_unconfirmed;
    bool autocommit;
    uint32_t attempt; /* 0 for the first */
    /* BEGIN, COMMIT, ROLLBACK: of a chore, a small transaction of its own which the statement needs
       done first. The one the session holds stays as it is. Its commit is none of the text's: it
       may or may not come when the text is run again. */
    bool chore;
    /* EXECUTE */
    bool is_short;
    /* HEADER: valid until the statement's COMPLETE or ERROR */
    const struct sql_column *columns;
    uint32_t column_count;
    /* ROWS. Timestamps with time zone are to be shown as they are that far east of UTC */
    const struct batch *batch;
    int32_t zone_s;
    /* COMMIT, ROLLBACK: back to the driver, which frees it; every slice from it is gone */
    struct store_txn *txn;
    /* COMPLETE, and with COMMIT what its COMPLETE will have (for an outcome kept for a client that
       asks again) */
    char tag[64];
    uint64_t rows;
    bool more;
    /* ERROR, undefined otherwise; its position is in the submitted text */
    struct error error;
};

void sql_step(struct sql_session *session, struct sql_event *event);

/* Answers SQL_EVENT_BEGIN. OK: the session holds `txn` until COMMIT or ROLLBACK gives it back.
 * `confirmed`: the read version came from the leader. `now_us`: wall clock, for now(). Otherwise
 * `error` becomes the statement's. */
void sql_begun(struct sql_session *session, struct store_txn *txn, bool confirmed, uint64_t now_us,
               status_t status, const struct error *error);
/* Before sql_committed, by who knows it: how long the leader took to judge the commit, and then
 * until it was replicated. EXPLAIN ANALYZE tells. */
void sql_commit_took(struct sql_session *session, uint64_t certify_us, uint64_t replicate_us);
/* Answers SQL_EVENT_COMMIT. */
void sql_committed(struct sql_session *session, status_t status, const struct error *error);

/* May be called from any thread: the text that runs ends with 57014 at its next look. No effect
 * between texts, nor once a commit has been asked for. */
void sql_cancel(struct sql_session *session);
/* Ends everything at once, e.g. when the client is gone: gives back a transaction to be dropped, or
 * NULL; when it does there may be another one, and it is to be called again. The session can only
 * be destroyed after this. Not between an event BEGIN or COMMIT and its answer: answer first. */
struct store_txn *sql_session_abort(struct sql_session *session);

/* Limits the memory of one statement (0: 256 MiB). */
void sql_session_memory_set(struct sql_session *session, size_t bytes);
/* As SET work_mem, but to anything above 0: tests want few rows to be too many. */
void sql_session_work_memory_set(struct sql_session *session, size_t bytes);

#endif
