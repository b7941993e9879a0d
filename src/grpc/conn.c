/* A connection, as its driver sees it. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "grpc/grpc_int.h"

struct grpc_config grpc__config_complete(const struct grpc_config *config)
{
    struct grpc_config full = config ? *config : (struct grpc_config){0};
    if (!full.message_size_max)
        full.message_size_max = (size_t)16 << 20;
    if (!full.receive_memory_max)
        full.receive_memory_max = (size_t)64 << 20;
    if (!full.calls_max)
        full.calls_max = 1024;
    if (!full.stream_window)
        full.stream_window = 256 << 10;
    if (!full.conn_window)
        full.conn_window = 4 << 20;
    if (!full.queue_low_water)
        full.queue_low_water = 64 << 10;
    if (!full.output_max)
        full.output_max = 128 << 10;
    if (!full.authority)
        full.authority = "localhost";
    ASSERT(full.stream_window <= INT32_MAX && full.conn_window <= INT32_MAX);
    return full;
}

static struct grpc_conn *conn_create(struct grpc_server *server, struct grpc_config config,
                                     uint64_t now_us)
{
    struct grpc_conn *conn = mem_zalloc(1, sizeof *conn);
    conn->server = server;
    conn->config = config;
    conn->authority = mem_strdup(config.authority);
    conn->config.authority = conn->authority;
    conn->now_us = now_us;
    conn->received_us = now_us;
    conn->deadline_next_us = UINT64_MAX;
    conn->session = grpc__session_create(conn);
    return conn;
}

struct grpc_conn *grpc_conn_create_server(struct grpc_server *server, uint64_t now_us)
{
    ASSERT(server);
    return conn_create(server, server->config, now_us);
}

struct grpc_conn *grpc_conn_create_client(const struct grpc_config *config, uint64_t now_us)
{
    return conn_create(NULL, grpc__config_complete(config), now_us);
}

/* on_close may cancel other calls, and start none: the connection is draining. */
static void calls_close_all(struct grpc_conn *conn)
{
    enum grpc_status status = conn->server ? GRPC_CANCELLED : GRPC_UNAVAILABLE;
    conn->draining = true;
    conn->cursor = conn->calls;
    while (conn->cursor) {
        struct grpc_call *call = conn->cursor;
        conn->cursor = call->next;
        call->stream_gone = true;
        if (call->open)
            grpc__call_close(call, status, slice_from_string("connection lost"));
        else
            grpc__call_release(call);
    }
    ASSERT(conn->call_count == 0 && !conn->calls);
}

void grpc_conn_destroy(struct grpc_conn *conn)
{
    if (!conn)
        return;
    conn->wake = NULL;
    calls_close_all(conn);
    nghttp2_session_del(conn->session);
    while (conn->spare) {
        struct grpc_call *call = conn->spare;
        conn->spare = call->next;
        grpc__call_destroy(call);
    }
    buffer_free(&conn->out);
    mem_free(conn->authority);
    mem_free(conn);
}

void grpc_conn_user_set(struct grpc_conn *conn, void *user)
{
    conn->user = user;
}

void *grpc_conn_user(const struct grpc_conn *conn)
{
    return conn->user;
}

void grpc_conn_wake_set(struct grpc_conn *conn, grpc_wake_fn *wake, void *context)
{
    conn->wake = wake;
    conn->wake_context = context;
}

void grpc__conn_touch(struct grpc_conn *conn)
{
    if (conn->awake || !conn->wake)
        return;
    conn->awake = true;
    conn->wake(conn, conn->wake_context);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

status_t grpc_conn_receive(struct grpc_conn *conn, struct slice bytes, uint64_t now_us)
{
    bool was_awake = conn->awake;
    conn->awake = true;
    conn->now_us = now_us;
    if (bytes.size) {
        conn->received_us = now_us;
        conn->ping_us = 0;
    }
    ssize_t taken = nghttp2_session_mem_recv(conn->session, bytes.data, bytes.size);
    conn->awake = was_awake;
    if (taken < 0) {
        conn->draining = true;
        nghttp2_session_terminate_session(conn->session, NGHTTP2_PROTOCOL_ERROR);
        return ERR_PROTOCOL;
    }
    ASSERT((size_t)taken == bytes.size); /* no callback of ours pauses */
    if (!nghttp2_session_want_read(conn->session))
        conn->draining = true;
    return OK;
}

/* What is left of the last output moves to the front, so that the buffer does not creep. */
static void output_compact(struct grpc_conn *conn)
{
    if (conn->out_at == 0)
        return;
    buffer_consume(&conn->out, conn->out_at);
    conn->out_at = 0;
}

struct slice grpc_conn_output(struct grpc_conn *conn)
{
    output_compact(conn);
    conn->awake = true;
    bool again = conn->out.size < conn->config.output_max;
    while (again) {
        size_t before = conn->out.size;
        int result = nghttp2_session_send(conn->session);
        ASSERT(result == 0);
        again = grpc__call_run_writable(conn) && conn->out.size > before &&
                conn->out.size < conn->config.output_max;
    }
    conn->awake = false;
    return buffer_slice(&conn->out);
}

void grpc_conn_output_consume(struct grpc_conn *conn, size_t count)
{
    ASSERT(count <= conn->out.size - conn->out_at);
    conn->out_at += count;
}

/* ---- time ----------------------------------------------------------------------------------- */

static void deadlines_enforce(struct grpc_conn *conn)
{
    if (conn->now_us < conn->deadline_next_us)
        return;
    /* Calls begun by callbacks lower it again by themselves. */
    conn->deadline_next_us = UINT64_MAX;
    conn->cursor = conn->calls;
    while (conn->cursor) {
        struct grpc_call *call = conn->cursor;
        conn->cursor = call->next;
        if (!call->open || call->deadline_us == UINT64_MAX)
            continue;
        if (call->deadline_us <= conn->now_us)
            grpc__call_fail(call, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
        else
            grpc__call_deadline_set(call, call->deadline_us);
    }
}

status_t grpc_conn_tick(struct grpc_conn *conn, uint64_t now_us)
{
    bool was_awake = conn->awake;
    conn->awake = true;
    conn->now_us = now_us;
    deadlines_enforce(conn);
    conn->awake = was_awake;
    uint64_t keepalive_us = conn->config.keepalive_us;
    if (!keepalive_us || now_us < conn->received_us + keepalive_us)
        return OK;
    if (conn->ping_us == 0) {
        int result = nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
        ASSERT(result == 0);
        conn->ping_us = now_us ? now_us : 1;
        return OK;
    }
    return now_us < conn->ping_us + keepalive_us ? OK : ERR_TIMEOUT;
}

uint64_t grpc_conn_tick_at(const struct grpc_conn *conn)
{
    uint64_t at = conn->deadline_next_us;
    if (conn->config.keepalive_us) {
        uint64_t from = conn->ping_us ? conn->ping_us : conn->received_us;
        if (from + conn->config.keepalive_us < at)
            at = from + conn->config.keepalive_us;
    }
    return at;
}

/* ---- end ------------------------------------------------------------------------------------ */

void grpc_conn_shutdown(struct grpc_conn *conn)
{
    conn->draining = true;
    int32_t last = nghttp2_session_get_last_proc_stream_id(conn->session);
    int result =
        nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
    MAYBE(result == 0); /* after a protocol error a GOAWAY is queued already */
    grpc__conn_touch(conn);
}

bool grpc_conn_draining(const struct grpc_conn *conn)
{
    return conn->draining;
}

bool grpc_conn_done(const struct grpc_conn *conn)
{
    return conn->out.size == conn->out_at && !nghttp2_session_want_read(conn->session) &&
           !nghttp2_session_want_write(conn->session);
}

uint32_t grpc_conn_call_count(const struct grpc_conn *conn)
{
    return conn->call_count;
}
