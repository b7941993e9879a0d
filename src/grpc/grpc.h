/* gRPC over HTTP/2: methods and bytes, no meaning.
 *
 * A `grpc_conn` is one side of one connection, client or server, as a pure state machine: it owns
 * no socket, thread or clock. Whoever drives it (an event loop, a blocking client, TLS in
 * between, a test with two of them back to back)
 *
 *   - gives it the bytes that arrived              grpc_conn_receive
 *   - writes the bytes it wants written            grpc_conn_output, grpc_conn_output_consume
 *   - tells it the time                            now_us in receive and grpc_conn_tick
 *   - closes when it is done or lost               grpc_conn_done, grpc_conn_destroy
 *
 * A `grpc_call` is one call on it. Events come by the callbacks of `struct grpc_handlers`, always
 * from inside a function of this room. Inside a callback every grpc_call_ function is allowed,
 * on any call of any connection; of the connection functions only grpc_conn_shutdown and the
 * plain questions. Nothing here is thread-safe; one connection belongs to one thread. A
 * grpc_server is read-only and may be shared.
 *
 * The life of a call ends in one of two ways:
 *   - on_close is called, exactly once; the pointer is dead when it returns;
 *   - grpc_call_cancel is called; the pointer is dead at once and no callback comes any more.
 *
 * Protocol: "gRPC over HTTP2" (grpc/grpc, doc/PROTOCOL-HTTP2.md), RFC 9113, RFC 7541. Messages
 * are never compressed; a compressed one is answered UNIMPLEMENTED, as the protocol asks. */
#ifndef GRPC_GRPC_H
#define GRPC_GRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/* The codes of gRPC, with its numbers. */
enum grpc_status {
    GRPC_OK = 0,
    GRPC_CANCELLED = 1,
    GRPC_UNKNOWN = 2,
    GRPC_INVALID_ARGUMENT = 3,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_NOT_FOUND = 5,
    GRPC_ALREADY_EXISTS = 6,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_RESOURCE_EXHAUSTED = 8,
    GRPC_FAILED_PRECONDITION = 9,
    GRPC_ABORTED = 10,
    GRPC_OUT_OF_RANGE = 11,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_DATA_LOSS = 15,
    GRPC_UNAUTHENTICATED = 16,
};

/* "INVALID_ARGUMENT" and so on; "UNKNOWN" for what is not a code. */
const char *grpc_status_name(enum grpc_status status);

struct grpc_conn;
struct grpc_call;
struct grpc_server;

/* Any of them may be NULL. Slices are valid during the callback only. */
struct grpc_handlers {
    /* Server: a call has begun; its metadata and deadline are known. The place for
     * grpc_call_user_set. */
    void (*on_start)(struct grpc_call *call);
    void (*on_message)(struct grpc_call *call, struct slice message);
    /* Server: the client will send no more messages. It comes after the last on_message. */
    void (*on_half_close)(struct grpc_call *call);
    /* The queue of what was sent has fallen to queue_low_water or below after having been above. */
    void (*on_writable)(struct grpc_call *call);
    /* The end. On the client, the status the server gave or, where it gave none, the one the gRPC
     * specification derives; `message` is what came with it, decoded. On the server: GRPC_OK when
     * all of a finished call has been handed to the transport (whatever status it was finished
     * with), CANCELLED (by the client, or its connection was lost), DEADLINE_EXCEEDED, or the
     * status the room itself has answered with (a message over the limit and the like). */
    void (*on_close)(struct grpc_call *call, enum grpc_status status, struct slice message);
};

/* Zero stands for the default in brackets. */
struct grpc_config {
    size_t message_size_max;   /* of a message received [16 MiB]; more: RESOURCE_EXHAUSTED */
    size_t receive_memory_max; /* of messages received in part or held, a connection [64 MiB] */
    uint32_t calls_max;        /* open at once, a connection; the server's limit [1024] */
    uint32_t stream_window;    /* bytes in flight towards us, a call [256 KiB] */
    uint32_t conn_window;      /* the same, a connection [4 MiB] */
    size_t queue_low_water;    /* see on_writable [64 KiB] */
    size_t output_max;         /* bytes grpc_conn_output gathers [128 KiB] */
    uint64_t keepalive_us;     /* PING after so long without a byte received [0: never] */
    const char *authority;     /* client: the :authority header ["localhost"] */
    bool tls;                  /* client: the :scheme is https */
};

/* ---- server --------------------------------------------------------------------------------- */

struct grpc_method {
    const char *path; /* "/ToyDB/Status" */
    /* False: exactly one message must come; the room answers anything else itself. */
    bool client_streaming;
    struct grpc_handlers handlers;
    void *context;           /* grpc_call_context */
    size_t message_size_max; /* of a message received [that of the configuration] */
};

/* Copies the table. `config` may be NULL. */
struct grpc_server *grpc_server_create(const struct grpc_method *methods, size_t count,
                                       const struct grpc_config *config);
/* Its connections must be destroyed before. NULL is allowed. */
void grpc_server_destroy(struct grpc_server *server);

/* ---- connections ---------------------------------------------------------------------------- */

struct grpc_conn *grpc_conn_create_server(struct grpc_server *server, uint64_t now_us);
struct grpc_conn *grpc_conn_create_client(const struct grpc_config *config, uint64_t now_us);
/* Ends every open call by on_close (client: UNAVAILABLE, server: CANCELLED). NULL is allowed. */
void grpc_conn_destroy(struct grpc_conn *conn);

/* Whatever the driver wants to remember, e.g. its socket. */
void grpc_conn_user_set(struct grpc_conn *conn, void *user);
void *grpc_conn_user(const struct grpc_conn *conn);

/* `wake` is called when there may be output because a function was called from outside
 * grpc_conn_receive, _tick and _output, after which a driver asks anyway; at most once between two
 * calls of grpc_conn_output. So a loop can keep a list of connections to flush. */
typedef void grpc_wake_fn(struct grpc_conn *conn, void *context);
void grpc_conn_wake_set(struct grpc_conn *conn, grpc_wake_fn *wake, void *context);

/* Takes bytes from the peer. ERR_PROTOCOL: this is not HTTP/2; write what grpc_conn_output still
 * has, then destroy. Bytes that break HTTP/2's rules are OK here: the output then has a GOAWAY that
 * says why, and once it is consumed grpc_conn_done is true. */
status_t grpc_conn_receive(struct grpc_conn *conn, struct slice bytes, uint64_t now_us);

/* The bytes to write now, at most about output_max of them; empty when there is nothing, or flow
 * control holds everything. They stay where they are until the next call of grpc_conn_output or
 * grpc_conn_destroy, so a write in flight may point at them. */
struct slice grpc_conn_output(struct grpc_conn *conn);
/* `count` of them have been written. */
void grpc_conn_output_consume(struct grpc_conn *conn, size_t count);

/* Enforces deadlines and keepalive. ERR_TIMEOUT: the peer has not answered a PING for keepalive_us;
 * destroy the connection. */
status_t grpc_conn_tick(struct grpc_conn *conn, uint64_t now_us);
/* When grpc_conn_tick is next needed; UINT64_MAX: not before something else happens. */
uint64_t grpc_conn_tick_at(const struct grpc_conn *conn);

/* Sends GOAWAY: open calls go on, new ones are refused (the client sees UNAVAILABLE). Once the last
 * has ended grpc_conn_done is true. */
void grpc_conn_shutdown(struct grpc_conn *conn);
/* Client: no new calls can be started, because the peer is shutting down or has failed. */
bool grpc_conn_draining(const struct grpc_conn *conn);
/* Nothing more to read or write: close the socket and destroy. */
bool grpc_conn_done(const struct grpc_conn *conn);
uint32_t grpc_conn_call_count(const struct grpc_conn *conn);

/* ---- calls ---------------------------------------------------------------------------------- */

struct grpc_metadata {
    struct slice name; /* lower case */
    struct slice value;
};

struct grpc_call_options {
    uint64_t timeout_us; /* 0: none */
    const struct grpc_metadata *metadata;
    size_t metadata_count;
};

/* Client: begins a call; its deadline counts from the time last told to the connection. `handlers`
 * must outlive the call; `path` and `options` (may be NULL) need not. NULL when the connection
 * takes no new calls. */
struct grpc_call *grpc_call_start(struct grpc_conn *conn, const char *path,
                                  const struct grpc_handlers *handlers, void *user,
                                  const struct grpc_call_options *options);

/* Queues a copy of a message (less than 4 GiB) and returns the bytes now queued on this call: a
 * producer stops when they exceed queue_low_water and goes on at on_writable. Not after
 * grpc_call_finish or grpc_call_half_close. */
size_t grpc_call_send(struct grpc_call *call, struct slice message);
size_t grpc_call_queued(const struct grpc_call *call);

/* Server: ends the call after what was sent, once. on_close follows, no other callback. `message`
 * (may be NULL) is UTF-8; it is cut after 1 KiB. */
void grpc_call_finish(struct grpc_call *call, enum grpc_status status, const char *message);
/* Client: no more messages will be sent. Once. */
void grpc_call_half_close(struct grpc_call *call);
/* Gives the call up; drops what is queued and tells the peer. The pointer is dead. */
void grpc_call_cancel(struct grpc_call *call);

/* Between pause and resume no on_message and no on_half_close comes; at most stream_window bytes
 * are held, then the peer has to wait. Resume delivers what was held before it returns, unless
 * called from inside on_message. */
void grpc_call_pause(struct grpc_call *call);
void grpc_call_resume(struct grpc_call *call);

void grpc_call_user_set(struct grpc_call *call, void *user);
void *grpc_call_user(const struct grpc_call *call);
struct grpc_conn *grpc_call_conn(const struct grpc_call *call);
/* Server: the context of its method. */
void *grpc_call_context(const struct grpc_call *call);
/* On the clock of now_us; UINT64_MAX: none. */
uint64_t grpc_call_deadline_us(const struct grpc_call *call);
/* Server: the value of a request header, e.g. "authorization"; false when it was not sent. Valid as
 * long as the call. */
bool grpc_call_metadata(const struct grpc_call *call, const char *name, struct slice *value);

#endif
