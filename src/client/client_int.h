/* Inside of the client room. The public header is include/toydb/toydb.h.
 *
 *   address.c     "host:port,..." into a list
 *   connection.c  one TCP connection with gRPC on it, and the only place that waits
 *   decode.c      messages of protobuf/toydb.proto into the structs of the public header
 *   session.c     requests: their life and cancellation; finding a node
 *   loss.c        what becomes of a request when the connection is lost
 *   unary.c       calls of one message and one answer
 *   status.c      the Status call
 *   admin.c       changing the cluster
 *
 * Only connection.c makes socket calls (docs/decisions/0003-client-sockets.md). */
#ifndef CLIENT_CLIENT_INT_H
#define CLIENT_CLIENT_INT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"
#include "env/env.h"
#include "grpc/grpc.h"
#include "protobuf/toydb.pb-c.h"
#include "toydb/toydb.h"

enum {
    CLIENT__ADDRESSES_MAX = 32,
    CLIENT__SQL_MAX = 16 << 20,
    CLIENT__MESSAGE_MAX = 64 << 20,
};

/* ---- address.c ------------------------------------------------------------------------------ */

struct client__address {
    char host[256];
    char port[6];
    char text[264]; /* as shown to people */
};

/* ERR_INVALID with *error filled when the text is malformed or names too many. */
status_t client__addresses_parse(const char *text, struct client__address *out, uint32_t *count,
                                 struct toydb_error *error);

/* ---- connection.c --------------------------------------------------------------------------- */

struct client__connection {
    int fd; /* -1: none */
    struct grpc_conn *conn;
    bool answered; /* a byte has come from the peer */
};

enum client__wait {
    CLIENT__WAIT_MOVED,   /* something was read, written, or timed out inside gRPC */
    CLIENT__WAIT_CANCEL,  /* the cancel descriptor is readable (and was emptied) */
    CLIENT__WAIT_TIMEOUT, /* `until_us` has come */
    CLIENT__WAIT_LOST,    /* the connection is gone: call client__connection_close */
};

/* Connects, and waits for the peer to speak HTTP/2. Failing, *error says why (08001). */
status_t client__connection_open(struct client__connection *connection,
                                 const struct client__address *address,
                                 const struct toydb_options *options, struct toydb_error *error);
/* The same with a socket that is connected already, and from now on belongs to the connection, also
 * when this fails. `name`: the peer's, for messages. */
status_t client__connection_adopt(struct client__connection *connection, int fd, const char *name,
                                  const struct toydb_options *options, struct toydb_error *error);
/* Ends the calls that are open on it. */
void client__connection_close(struct client__connection *connection);
/* One round: writes what there is to write, waits for the socket, `cancel_fd` (-1: none) or the
 * time `until_us` (UINT64_MAX: none), reads. */
enum client__wait client__connection_wait(struct client__connection *connection, int cancel_fd,
                                          uint64_t until_us);
/* Does not wait: notices what has happened meanwhile, e.g. that the peer is gone. */
enum client__wait client__connection_poll(struct client__connection *connection);
/* A descriptor for cancelling, async-signal-safe to fire. */
int client__cancel_create(void);
void client__cancel_fire(int fd);
/* Forgets what was fired. */
void client__cancel_clear(int fd);
void client__cancel_destroy(int fd);
/* Waits so many microseconds, or less when cancelled: then false. */
bool client__pause(int cancel_fd, uint64_t us);
uint64_t client__now_us(void);

/* ---- decode.c ------------------------------------------------------------------------------- */

/* `error` may be NULL. Returns `result`. */
enum toydb_result client__error_set(struct toydb_error *error, enum toydb_result result,
                                    const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void client__error_decode(const Error *message, struct toydb_error *error);
struct toydb_column *client__columns_decode(struct arena *arena, const Header *header);
void client__value_decode(const Value *message, struct toydb_value *value);
/* False: a text with a NUL in it, which no text may have. */
bool client__value_encode(struct arena *arena, const struct toydb_value *value, Value *message);
/* protobuf-c's allocator on an arena; freeing does nothing. */
ProtobufCAllocator client__arena_allocator(struct arena *arena);

/* ---- session.c ------------------------------------------------------------------------------ */

/* A request is in one of these states; the session has one request at a time.
 *
 *   NONE ----start----> RUNNING ----END or an error----> NONE
 *                         |  ^
 *        loss, may resend |  | reconnected, sent again
 *                         +--+ */
struct toydb_session {
    struct toydb_options options;
    struct client__address addresses[CLIENT__ADDRESSES_MAX];
    uint32_t address_count; /* 0: on a socket that was handed in, which cannot be had again */
    uint32_t address_current;

    struct client__connection connection;
    struct grpc_call *call;       /* the Session stream; NULL: none */
    enum grpc_status call_status; /* why `call` is NULL */
    char call_message[512];

    int cancel_fd;
    uint8_t id[16];    /* random; with a number it makes request ids */
    uint64_t requests; /* counts them */

    bool running;
    uint64_t sequence; /* of the running request */
    bool delivered;    /* an event of it has been handed out */
    bool cancel_sent;
    bool may_commit;   /* its text might commit the open transaction */
    bool completed;    /* TOYDB_END is next */
    bool outcome_only; /* it was sent again to ask what became of the open transaction */
    uint32_t resends;
    struct buffer request; /* encoded, to be sent again */
    enum toydb_transaction_state transaction;

    /* The message at hand, in `message_arena`; NULL: none. While there is one the call is paused.
     */
    struct arena message_arena;
    SessionResponse *message;
    bool message_malformed;
    size_t next_row;
    struct arena header_arena; /* columns of the statement at hand */
    struct toydb_column *columns;
    uint32_t column_count;
    struct toydb_value *values; /* of the row at hand */
};

/* Makes sure of a connection with a Session stream, a new one if need be. TOYDB_LOST when a
 * transaction was open on one that is gone. */
enum toydb_result client__session_ready(struct toydb_session *session, struct toydb_error *error);
/* Rounds through the addresses until one answers, the time is over or the user has enough. */
enum toydb_result client__session_reconnect(struct toydb_session *session,
                                            struct toydb_error *error);
void client__request_over(struct toydb_session *session);
/* Cancels what runs and drops what comes of it. */
void client__request_abandon(struct toydb_session *session);

/* ---- unary.c -------------------------------------------------------------------------------- */

struct client__unary {
    const char *path;
    struct slice request; /* encoded */
    uint32_t timeout_ms;  /* 0: none */
    struct buffer *answer;
};
/* Makes the call, a second time when the connection is lost on the way: so only for what may be
 * done twice. TOYDB_OK: `answer` holds the one answer. TOYDB_LOST: it may have been carried out. */
enum toydb_result client__unary_call(struct toydb_session *session,
                                     const struct client__unary *unary, struct toydb_error *error);

/* ---- loss.c --------------------------------------------------------------------------------- */

/* The stream of the running request has ended. TOYDB_OK: the request was sent again. */
enum toydb_result client__request_lost(struct toydb_session *session, struct toydb_error *error);
/* The session's stream is gone and with it the open transaction: TOYDB_LOST. */
enum toydb_result client__transaction_lost(struct toydb_session *session,
                                           struct toydb_error *error);
/* What an error that answers the running request means when it was sent more than once; *error
 * holds it and may be filled anew. */
enum toydb_result client__resend_judge(const struct toydb_session *session, const char *sqlstate,
                                       struct toydb_error *error);

#endif
