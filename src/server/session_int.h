/* A client's session on a node: drives sql_session, asks the replica, reports to a sink.
 *
 *     IDLE --session_submit--> RUNNABLE --step--> BEGIN_WAIT   for a read version
 *                                 ^      ------> WORKING       a step on a worker thread
 *                                 |      ------> COMMIT_WAIT   for the outcome
 *                                 |      ------> BLOCKED       until the client has read more
 *                                 |      ------> BACKOFF       before a conflict's retry
 *                                 +----------------------+     each comes back when answered
 *     any, when the text has ended --> IDLE;  any, when the client is gone --> CLOSING --> freed
 *
 *     IDLE --session_outcome--> OUTCOME_WAIT --> IDLE
 */
#ifndef SERVER_SESSION_INT_H
#define SERVER_SESSION_INT_H

#include "server/node_int.h"
#include "sql/sql.h"

enum { REQUEST_ID_MAX = 64 }; /* bytes, promised in protobuf/toydb.proto */

/* What a session tells its client. Called on the loop thread. In `done` and later the next text may
 * be submitted or the session closed. */
struct session_sink {
    void (*header)(void *context, const struct sql_column *columns, uint32_t count);
    void (*rows)(void *context, const struct batch *batch, int32_t zone_s);
    void (*complete)(void *context, const char *tag, uint64_t rows, bool more, uint64_t elapsed_us);
    void (*error)(void *context, const struct error *error);
    void (*done)(void *context);
    /* True: too much waits for the client to read it, stop until session_unblock. */
    bool (*slow)(void *context);
    /* The node stops: the client should look for another one, and close. Nothing runs here, and no
     * transaction is open, or they have had their time. */
    void (*shutdown)(void *context);
};

struct session *session_open(struct node *node, const struct session_sink *sink, void *context);
/* The client is gone: ends what runs as soon as possible, rolls back. No sink call any more. */
void session_close(struct session *session);

/* All of it is copied. */
struct session_request {
    struct slice text;
    const struct value *parameters;
    uint32_t parameter_count;
    struct slice id; /* may be empty */
    bool resent;     /* the client has sent the id before and does not know what became of it */
};
/* Runs a text. */
void session_submit(struct session *session, const struct session_request *request);
/* Runs nothing: reports what became of the transaction that the request with this id was to commit,
 * having been open in a session that has ended. The client gets the completion of what committed it
 * (complete), or an error: 40000, it was rolled back and no copy of the request that is still on
 * its way will change that; 40003, not known. Outside of transactions only; the id not empty. */
void session_outcome(struct session *session, const struct session_request *request);
void session_unblock(struct session *session);
void session_cancel(struct session *session);
enum sql_transaction_state session_state(const struct session *session);
/* Gives a turn to each session that has something to do, while the pump's own turn lasts; true when
 * there was one. */
bool sessions_run(struct node *node);
/* Tells the clients of idle sessions without an open transaction that the node stops; `late`: all
 * clients. */
void sessions_shutdown(struct node *node, bool late);
/* Frees what is kept for reuse. */
void sessions_release(struct node *node);

/* store_bind.c: sql's store over a transaction of the replica's */
struct bound_txn {
    struct store_txn store;
    struct txn txn;
};
void bound_txn_init(struct bound_txn *bound);

#endif
