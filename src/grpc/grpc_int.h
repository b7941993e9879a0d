/* Inside of the grpc room. Only this room includes nghttp2.
 *
 *   header.c   spellings: timeouts, messages, codes            (pure functions)
 *   call.c     a call: its queue, message boundaries, ends     (both roles)
 *   server.c   request headers to a method; responses
 *   client.c   requests; response headers to a status
 *   session.c  nghttp2's callbacks, translated into the above
 *   conn.c     what a driver calls
 *
 * A call's memory lives until two things have happened: nghttp2 has forgotten its stream
 * (`stream_gone`), because its data source points at the call, and the user has (`!open`). While
 * a callback of it runs (`busy`) it stays anyway. */
#ifndef GRPC_GRPC_INT_H
#define GRPC_GRPC_INT_H

#include <nghttp2/nghttp2.h>

#include "grpc/grpc.h"

enum {
    GRPC__PREFIX_SIZE = 5, /* before each message: compressed flag, 32-bit length */
    GRPC__STATUS_MESSAGE_MAX = 1024,
    GRPC__METADATA_COUNT_MAX = 32,   /* of the headers we keep */
    GRPC__METADATA_SIZE_MAX = 16384, /* of all headers of a request, names and values */
    GRPC__CALLS_SPARE_MAX = 64,      /* ended calls kept for reuse, a connection */
    GRPC__BUFFER_KEEP_MAX = 16384,   /* a larger buffer is not kept for reuse */
};

/* Why a request gets no method; REFUSE_NONE: it gets one. */
enum grpc__refusal {
    GRPC__REFUSE_NONE,
    GRPC__REFUSE_HTTP_METHOD,
    GRPC__REFUSE_CONTENT_TYPE,
    GRPC__REFUSE_UNKNOWN_METHOD,
    GRPC__REFUSE_TIMEOUT,
    GRPC__REFUSE_HEADERS_SIZE,
};

struct grpc__header {
    uint32_t name_at, name_size; /* in call->metadata */
    uint32_t value_at, value_size;
};

struct grpc_call {
    struct grpc_conn *conn;
    struct grpc_call *next, *previous; /* conn->calls, or conn->spare */
    struct grpc_call *writable_next;
    const struct grpc_handlers *handlers;
    const struct grpc_method *method; /* server; NULL: refused */
    void *user;
    int32_t stream_id;
    uint64_t deadline_us;

    bool open;        /* the user has a claim to on_close */
    bool stream_gone; /* nghttp2 has forgotten the stream */
    bool submitted;   /* our HEADERS are queued, and with them this call as a source of data */
    bool deferred;    /* nghttp2 waits for grpc__call_kick to ask for data again */
    bool local_end;   /* nothing will be added to `out` */
    bool remote_end;  /* the peer has ended its side */
    bool remote_end_told;
    bool paused;
    bool delivering; /* messages are being handed on, further down the stack */
    uint32_t busy;   /* callbacks of this call that are running */
    bool above_low_water;
    bool writable_due; /* in conn->writable */

    struct buffer out; /* messages with their prefixes, from out_at on */
    size_t out_at;
    struct buffer in; /* messages in part, or held by a pause, from in_at on */
    size_t in_at;
    uint32_t window_debt;      /* bytes of the stream's window not given back yet */
    uint32_t conn_window_debt; /* the same of the connection's */
    uint32_t messages_received;

    /* Server: the status to send. Client: the status received. */
    enum grpc_status status;
    bool status_known;
    struct buffer message;

    /* Headers received. */
    enum grpc__refusal refusal;
    bool content_type_seen;
    int http_status;
    size_t header_bytes;
    struct buffer metadata;
    struct grpc__header headers[GRPC__METADATA_COUNT_MAX];
    uint32_t header_count;
};

struct grpc_conn {
    struct grpc_server *server; /* NULL on a client */
    struct grpc_config config;
    char *authority;
    nghttp2_session *session;
    void *user;
    grpc_wake_fn *wake;
    void *wake_context;
    bool awake; /* wake has been called since the last grpc_conn_output, or need not be */

    uint64_t now_us;
    uint64_t received_us; /* when a byte last came */
    uint64_t ping_us;     /* when the unanswered PING was sent; 0: none */
    uint64_t deadline_next_us;
    bool draining;

    struct grpc_call *calls;
    struct grpc_call *cursor; /* of a walk over `calls` during which some may vanish */
    struct grpc_call *spare;
    struct grpc_call *writable;     /* calls that are owed an on_writable */
    struct grpc_call *headers_call; /* whose header block is arriving */
    uint32_t call_count;
    uint32_t spare_count;
    size_t in_bytes; /* sum of what all `in` buffers hold */

    struct buffer out; /* for the socket, from out_at on */
    size_t out_at;
};

struct grpc_server {
    struct grpc_method *methods;
    char **paths;
    size_t count;
    struct grpc_config config;
};

/* ---- header.c ------------------------------------------------------------------------------- */

/* "100m" and the like; false when malformed. Rounds up to whole microseconds. */
bool grpc__timeout_parse(struct slice text, uint64_t *timeout_us);
/* At most 8 digits and a unit, never shorter than asked. `out` gets a NUL. */
void grpc__timeout_format(uint64_t timeout_us, char out[16]);
/* Percent-encodes into `out` (emptied first), cut to GRPC__STATUS_MESSAGE_MAX bytes of text. */
void grpc__message_encode(struct slice text, struct buffer *out);
/* The inverse; what is not a valid escape stays as it is. */
void grpc__message_decode(struct slice text, struct buffer *out);
bool grpc__content_type_valid(struct slice value);
/* Small unsigned decimal; -1 when malformed or above 999. */
int grpc__number_parse(struct slice text);
enum grpc_status grpc__status_from_http(int http_status);
enum grpc_status grpc__status_from_http2(uint32_t error_code);
bool grpc__slice_is(struct slice text, const char *literal);

/* ---- call.c --------------------------------------------------------------------------------- */

/* A call linked into the connection, open, without a stream yet. */
struct grpc_call *grpc__call_create(struct grpc_conn *conn);
/* Frees the call (or keeps it for reuse) unless something still needs it. */
void grpc__call_release(struct grpc_call *call);
/* Frees the memory for good. */
void grpc__call_destroy(struct grpc_call *call);
/* Tells the user the end, unless told or cancelled. May release the call. */
void grpc__call_close(struct grpc_call *call, enum grpc_status status, struct slice message);
/* Closes the call and resets its stream. */
void grpc__call_fail(struct grpc_call *call, enum grpc_status status, const char *message);
/* Tells nghttp2 that there is something to read from `out`. */
void grpc__call_kick(struct grpc_call *call);
/* Bytes of DATA from the peer. */
void grpc__call_receive(struct grpc_call *call, struct slice bytes);
/* The peer has sent END_STREAM. */
void grpc__call_remote_end(struct grpc_call *call);
/* nghttp2 is forgetting the stream. */
void grpc__call_stream_closed(struct grpc_call *call, uint32_t error_code);
/* `count` bytes of `out` have been copied to the connection. */
void grpc__call_sent(struct grpc_call *call, size_t count);
/* Runs the on_writable that are due; false when there was none. */
bool grpc__call_run_writable(struct grpc_conn *conn);
/* A deadline that must be noticed by grpc_conn_tick. */
void grpc__call_deadline_set(struct grpc_call *call, uint64_t deadline_us);
/* nghttp2's source of DATA: what the queue of the call has. */
ssize_t grpc__call_read(nghttp2_session *session, int32_t stream_id, uint8_t *bytes, size_t size,
                        uint32_t *data_flags, nghttp2_data_source *source, void *user);

/* ---- server.c, client.c --------------------------------------------------------------------- */

void grpc__server_header(struct grpc_call *call, struct slice name, struct slice value);
/* All request headers are there: finds the method and starts it, or refuses. */
void grpc__server_dispatch(struct grpc_call *call);
/* Queues the response headers in front of the first message. */
void grpc__server_respond(struct grpc_call *call);
/* Queues the trailers. */
void grpc__server_trailers(struct grpc_call *call);
void grpc__client_header(struct grpc_call *call, struct slice name, struct slice value);
/* The end of the stream came: what the call's status is. */
enum grpc_status grpc__client_status(struct grpc_call *call);

/* ---- session.c, conn.c ---------------------------------------------------------------------- */

nghttp2_session *grpc__session_create(struct grpc_conn *conn);
/* There may be output. */
void grpc__conn_touch(struct grpc_conn *conn);
struct grpc_config grpc__config_complete(const struct grpc_config *config);

#endif
