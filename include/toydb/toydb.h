/* The C client of toyDB: connect to a cluster, run SQL, read results row by row.
 *
 *     struct toydb_error error;
 *     struct toydb_session *session = toydb_session_open("localhost:9601,localhost:9602", NULL,
 * &error); if (!session) ... if (toydb_start(session, "SELECT id, name FROM t WHERE id > $1",
 * &parameter, 1, &error)) ... struct toydb_event event; while (!(result = toydb_next(session,
 * &event, &error)) && event.kind != TOYDB_END) if (event.kind == TOYDB_ROW) ...
 * event.values[0].integer ... toydb_session_close(session);
 *
 * A session is one connection to one node and one transaction context. It is used by one thread at
 * a time; only toydb_cancel may be called from elsewhere. A program that wants to do many things
 * at once opens many sessions.
 *
 * LOST CONNECTIONS. The session looks for another node by itself:
 *   - between statements, outside of a transaction: unnoticed;
 *   - while a statement outside of a transaction runs, and nothing of its result has been handed
 * out yet: the statement is sent again under the same request id, by which the server runs it once;
 *   - inside a transaction: error 08006, the transaction is rolled back, the session can go on;
 *   - while COMMIT runs: another node is asked what became of it, and the answer is COMMIT's, or
 * error 08006: it was rolled back;
 *   - where it cannot be known whether something was committed: error 08007.
 * A node that is stopped in good order lets statements and transactions end before it goes. */
#ifndef TOYDB_TOYDB_H
#define TOYDB_TOYDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum toydb_result {
    TOYDB_OK = 0,
    /* The statement failed; the session goes on (see toydb_transaction_state). */
    TOYDB_ERROR = 1,
    /* The connection was lost in a way that could not be hidden: SQLSTATE 08006 or 08007. The
     * session goes on: the next statement looks for a node again. */
    TOYDB_LOST = 2,
    /* No node can be reached: 08001. Nothing was sent. The next statement tries again. */
    TOYDB_UNREACHABLE = 3,
};

/* Strings are NUL-terminated, empty when there is nothing to say. */
struct toydb_error {
    enum toydb_result result;
    char sqlstate[6];
    char message[1024];
    char detail[1024];
    char hint[1024];
    uint32_t position; /* 1-based character in the SQL text; 0: none */
};

enum toydb_type {
    TOYDB_NULL = 0, /* of a value; of a column: its type is none of these, see type_name */
    TOYDB_BOOLEAN,
    TOYDB_INTEGER,
    TOYDB_DOUBLE,
    TOYDB_TEXT, /* UTF-8; also a value of a type that is none of these, as text */
    TOYDB_BYTES,
};

struct toydb_value {
    enum toydb_type type;
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct {
            const char *data; /* TOYDB_TEXT of a result: NUL behind the last byte */
            size_t size;
        } text; /* TOYDB_TEXT, TOYDB_BYTES */
    };
};

struct toydb_column {
    const char *name;
    enum toydb_type type;
    const char *type_name; /* as SQL spells it */
};

enum toydb_transaction_state {
    TOYDB_TRANSACTION_IDLE = 0,
    TOYDB_TRANSACTION_OPEN = 1,
    TOYDB_TRANSACTION_FAILED = 2, /* only ROLLBACK is accepted */
};

enum toydb_event_kind {
    TOYDB_HEADER,     /* a statement with a result set begins: columns */
    TOYDB_ROW,        /* values */
    TOYDB_COMPLETION, /* a statement is done: tag, rows, elapsed_us */
    TOYDB_END,        /* so is the request */
};

/* Pointers are valid until the next call on the session; columns until the next TOYDB_HEADER or
 * TOYDB_END. */
struct toydb_event {
    enum toydb_event_kind kind;
    uint32_t column_count; /* HEADER, ROW */
    const struct toydb_column *columns;
    const struct toydb_value *values;
    const char *tag;     /* "INSERT 0 1", "SELECT 10", ... */
    uint64_t rows;       /* returned or changed */
    uint64_t elapsed_us; /* in the server */
};

/* Zero stands for the default in brackets. */
struct toydb_options {
    uint32_t connect_timeout_ms;  /* of one attempt at one address [3000] */
    uint32_t failover_timeout_ms; /* to find another node after a loss [15000] */
    uint32_t keepalive_ms;        /* a silent connection is tried after so long, and taken for lost
                                     after twice as long [10000] */
};

struct toydb_session;

/* `addresses`: "host:port,host:port,..."; the port may be left out (9601), an IPv6 address stands
 * in brackets. They are tried in order, once each. NULL with *error filled when none answers
 * (08001) or the text is malformed (22023). `options` and `error` may be NULL here and below. */
struct toydb_session *toydb_session_open(const char *addresses, const struct toydb_options *options,
                                         struct toydb_error *error);
/* A session over a stream socket that is connected to a node already, and from now on is the
 * session's, also when this fails. It cannot be had again: once lost, every statement ends with
 * TOYDB_UNREACHABLE. toydb_peer is "local". */
struct toydb_session *toydb_session_open_fd(int fd, const struct toydb_options *options,
                                            struct toydb_error *error);
/* Rolls back an open transaction, drops what is running. NULL is allowed. */
void toydb_session_close(struct toydb_session *session);

/* Begins one or more statements, separated by semicolons. Parameters ($1 is the first) are copied,
 * as is the text. What was left of the request before is cancelled and dropped; in a transaction
 * that may fail it. */
enum toydb_result toydb_start(struct toydb_session *session, const char *sql,
                              const struct toydb_value *parameters, size_t parameter_count,
                              struct toydb_error *error);
/* Waits for the next event of the request. After anything but TOYDB_OK, as after TOYDB_END, the
 * request is over. Rows not asked for wait in the server. */
enum toydb_result toydb_next(struct toydb_session *session, struct toydb_event *event,
                             struct toydb_error *error);

/* For toydb_execute; may be NULL. False: enough, cancel the rest. */
typedef bool toydb_event_fn(void *context, const struct toydb_event *event);
/* toydb_start and toydb_next to the end in one. When `each` has answered false, TOYDB_OK. */
enum toydb_result toydb_execute(struct toydb_session *session, const char *sql,
                                const struct toydb_value *parameters, size_t parameter_count,
                                toydb_event_fn *each, void *context, struct toydb_error *error);

/* Asks the node to stop what runs, which then ends with error 57014 unless it was done already;
 * without effect when nothing runs. A second one for the same request gives the connection up
 * (57014 too). From any thread and from a signal handler. */
void toydb_cancel(struct toydb_session *session);

/* After the last event or error. */
enum toydb_transaction_state toydb_transaction_state(const struct toydb_session *session);
/* "host:port" of the node last connected to. Valid until the next call on the session. */
const char *toydb_peer(const struct toydb_session *session);

/* ---- status --------------------------------------------------------------------------------- */

struct toydb_node {
    uint32_t id;
    const char *address;
    const char *role; /* "leader", "follower", "candidate", "learner", "unreachable", "unknown" */
    bool voter;
    uint64_t match_index;
    uint64_t last_heard_us;
    uint64_t uid;        /* of its data directory; 0: not known yet */
    bool promote;        /* a learner that becomes a voter when it has caught up */
    bool needs_snapshot; /* as the leader knows */
};

/* A node's view of itself and the cluster; see StatusResponse in protobuf/toydb.proto. */
struct toydb_status {
    uint32_t id;
    const char *version;
    const char *cluster_id;
    uint64_t time_us;
    uint64_t uptime_us;
    uint32_t leader;
    uint64_t term;
    const char *role;
    const struct toydb_node *nodes;
    uint32_t node_count;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t first_log_index;
    uint64_t last_log_index;
    uint64_t last_version_us;
    uint64_t kv_file_bytes;
    uint64_t kv_used_bytes;
    uint64_t log_bytes;
    uint64_t checkpoint_index;
    uint32_t sessions;
};

/* Of the node the session is connected to. *out is the caller's, given back with toydb_status_free.
 * What was left of a request is cancelled and dropped. */
enum toydb_result toydb_status(struct toydb_session *session, struct toydb_status **out,
                               struct toydb_error *error);
void toydb_status_free(struct toydb_status *status);

/* ---- administration -------------------------------------------------------------------------
 *
 * See ToyDBAdmin in protobuf/toydb.proto. Any node may be asked; the leader decides. TOYDB_ERROR:
 * refused, *error says why. TOYDB_UNREACHABLE: no leader was found, nothing was changed.
 * TOYDB_LOST: it may be under way; asking again is harmless. `timeout_ms`: how long to wait for
 * what is wished to be so. What was left of a request is cancelled and dropped. */

struct toydb_member {
    uint32_t id;
    uint64_t uid; /* of its data directory; 0: not known */
    const char *address;
    bool voter;
    bool promote; /* a learner that is to become a voter */
};

struct toydb_members {
    uint8_t cluster_id[16];
    uint64_t index; /* of the log entry that made this membership */
    uint32_t count;
    const struct toydb_member *items;
};
void toydb_members_free(struct toydb_members *members); /* NULL is allowed */

/* Makes a node a member, or changes the address of one; without `promote` it stays a learner. *out
 * (which may be NULL) is the caller's, here and below. */
enum toydb_result toydb_node_add(struct toydb_session *session, const struct toydb_member *node,
                                 uint32_t timeout_ms, struct toydb_members **out,
                                 struct toydb_error *error);
/* The same for the node that calls, whose uid is known. */
enum toydb_result toydb_node_join(struct toydb_session *session, const struct toydb_member *node,
                                  uint32_t timeout_ms, struct toydb_members **out,
                                  struct toydb_error *error);
enum toydb_result toydb_node_remove(struct toydb_session *session, uint32_t id, uint32_t timeout_ms,
                                    struct toydb_members **out, struct toydb_error *error);
enum toydb_result toydb_node_promote(struct toydb_session *session, uint32_t id,
                                     uint32_t timeout_ms, struct toydb_members **out,
                                     struct toydb_error *error);
/* id 0: any other voter. *leader: 0 when the answering node does not know it yet. */
enum toydb_result toydb_leader_transfer(struct toydb_session *session, uint32_t id,
                                        uint32_t timeout_ms, uint32_t *leader,
                                        struct toydb_error *error);

struct toydb_checked_node {
    uint32_t id;
    bool voter;
    bool answered; /* in time */
    bool differs;  /* from the majority: it is in quarantine */
    char hash[33]; /* of what it holds, in hexadecimal; empty when it has not answered */
};

struct toydb_check {
    uint64_t index; /* the state after this log entry was compared */
    bool majority;  /* more than half of the voters agree; else none is judged */
    uint32_t count;
    const struct toydb_checked_node *nodes;
};
/* Compares what the replicas hold. */
enum toydb_result toydb_check_cluster(struct toydb_session *session, uint32_t timeout_ms,
                                      struct toydb_check **out, struct toydb_error *error);
void toydb_check_free(struct toydb_check *check); /* NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
