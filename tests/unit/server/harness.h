/* A node in this process whose loop the test turns itself, and gRPC clients on socket pairs to it:
 * so a test can stop between any two turns and cut, cancel or look. */
#ifndef TESTS_UNIT_SERVER_HARNESS_H
#define TESTS_UNIT_SERVER_HARNESS_H

#include "grpc/grpc.h"
#include "protobuf/toydb.pb-c.h"
#include "server/node_int.h"

enum { CALLS_MAX = 8, CLIENTS_MAX = 64 };

/* One call, and what came of it. */
struct call {
    struct grpc_call *call; /* NULL: closed */
    enum grpc_status status;
    char message[256]; /* of the status */
    uint32_t headers;
    uint64_t rows;
    uint32_t completions; /* those that end a request, and all others */
    uint32_t errors;
    uint64_t ended; /* requests: errors and completions without `more` */
    char tag[64];   /* the last */
    char sqlstate[8];
    char text[400]; /* of the last error */
    TransactionState state;
    uint64_t sequence; /* of the last answer */
    int64_t integer;   /* the last row's first value, when it is one */
    bool streaming;
};

struct client {
    int fd; /* -1: cut */
    struct grpc_conn *conn;
    bool deaf; /* reads nothing */
    struct call calls[CALLS_MAX];
    struct harness *harness;
};

struct harness {
    char dir[128];
    struct server_config config;
    struct node *node;
    struct client clients[CLIENTS_MAX];
    uint32_t client_count;
};

/* A cluster of one, ready to serve. */
void harness_open(struct harness *harness);
/* The same with peers that do not answer, or another configuration; serves nothing. */
void harness_open_config(struct harness *harness, const struct server_config *config);
void harness_close(struct harness *harness);
/* Closes the node and opens it again on the same data. */
void harness_restart(struct harness *harness);
/* One turn of everything; waits a tick at most when there is nothing to do. */
void harness_turn(struct harness *harness);
/* As many turns, most of them without waiting. */
void harness_turns(struct harness *harness, int count);
/* Turns until the condition holds; what hangs fails. */
#define UNTIL(harness, condition)                                                                  \
    do {                                                                                           \
        uint64_t until_end_ = env_monotonic_us(env_real()) + 100000000;                            \
        while (!(condition)) {                                                                     \
            harness_turn(harness);                                                                 \
            if (env_monotonic_us(env_real()) > until_end_)                                         \
                fail_msg("waited too long for %s", #condition);                                    \
        }                                                                                          \
    } while (0)

struct client *client_open(struct harness *harness);
/* Without a word, whatever is in flight. */
void client_cut(struct client *client);
struct call *client_session(struct client *client);
struct call *client_execute(struct client *client, const char *sql, const char *request_id);
/* A request on a Session call. `request_id` may be NULL. */
void call_request(struct call *call, uint64_t sequence, const char *sql, const char *request_id);
/* Asks what became of the transaction that the request was to commit. */
void call_outcome(struct call *call, uint64_t sequence, const char *request_id);
void call_cancel_request(struct call *call, uint64_t sequence);
/* A request, turned to its end. */
void call_run(struct harness *harness, struct call *call, const char *sql);
/* Runs it and expects no error. */
void call_ok(struct harness *harness, struct call *call, const char *sql);
/* The integer a query answers. */
int64_t call_integer(struct harness *harness, struct call *call, const char *sql);
/* A cluster of one with a table t (id INTEGER PRIMARY KEY, v INTEGER), and a session on it. */
struct call *harness_table(struct harness *harness);

#endif
