/* A call: the queue of what it sends, the boundaries of what it receives, and its end.
 *
 * Received bytes take the short way when they can: a message that is whole within one piece of
 * DATA is handed on from where nghttp2 has it. Otherwise the rest of the piece goes to `in` until
 * the message is complete. A paused call collects in `in` too, without giving the stream's window
 * back, which is what stops the peer. The connection's window is given back at once, so that a
 * paused call does not stop the others, up to conn_window bytes held in all. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "grpc/grpc_int.h"

/* ---- life ----------------------------------------------------------------------------------- */

/* Buffers keep their memory for the next call, unless it is much. */
static void buffer_recycle(struct buffer *buffer)
{
    if (buffer->capacity > GRPC__BUFFER_KEEP_MAX)
        buffer_free(buffer);
    buffer_reset(buffer);
}

struct grpc_call *grpc__call_create(struct grpc_conn *conn)
{
    struct grpc_call *call = conn->spare;
    if (call) {
        conn->spare = call->next;
        conn->spare_count--;
        struct grpc_call fresh = {
            .out = call->out, .in = call->in, .message = call->message, .metadata = call->metadata};
        memcpy(call, &fresh, offsetof(struct grpc_call, headers));
        call->header_count = 0;
    } else {
        call = mem_zalloc(1, sizeof *call);
    }
    call->conn = conn;
    call->stream_id = -1;
    call->deadline_us = UINT64_MAX;
    call->open = true;
    call->next = conn->calls;
    if (conn->calls)
        conn->calls->previous = call;
    conn->calls = call;
    conn->call_count++;
    return call;
}

static void call_unlink(struct grpc_call *call)
{
    struct grpc_conn *conn = call->conn;
    ASSERT(conn->call_count > 0);
    if (conn->cursor == call)
        conn->cursor = call->next;
    if (call->previous)
        call->previous->next = call->next;
    else
        conn->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    conn->call_count--;
    if (call->writable_due) {
        struct grpc_call **at = &conn->writable;
        while (*at != call)
            at = &(*at)->writable_next;
        *at = call->writable_next;
    }
    if (conn->headers_call == call)
        conn->headers_call = NULL;
}

void grpc__call_destroy(struct grpc_call *call)
{
    buffer_free(&call->out);
    buffer_free(&call->in);
    buffer_free(&call->message);
    buffer_free(&call->metadata);
    mem_free(call);
}

static void in_clear(struct grpc_call *call)
{
    ASSERT(call->conn->in_bytes >= call->in.size);
    call->conn->in_bytes -= call->in.size;
    buffer_reset(&call->in);
    call->in_at = 0;
}

void grpc__call_release(struct grpc_call *call)
{
    struct grpc_conn *conn = call->conn;
    if (call->open || !call->stream_gone || call->busy)
        return;
    call_unlink(call);
    in_clear(call);
    if (conn->spare_count >= GRPC__CALLS_SPARE_MAX) {
        grpc__call_destroy(call);
        return;
    }
    buffer_recycle(&call->out);
    buffer_recycle(&call->in);
    buffer_recycle(&call->message);
    buffer_recycle(&call->metadata);
    call->next = conn->spare;
    conn->spare = call;
    conn->spare_count++;
}

void grpc__call_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    if (!call->open)
        return;
    call->open = false;
    if (call->handlers && call->handlers->on_close) {
        call->busy++;
        call->handlers->on_close(call, status, message);
        call->busy--;
    }
    grpc__call_release(call);
}

static void stream_reset(struct grpc_call *call, uint32_t error_code)
{
    if (call->stream_gone || call->stream_id <= 0)
        return;
    int result = nghttp2_submit_rst_stream(call->conn->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                           error_code);
    ASSERT(result == 0);
    grpc__conn_touch(call->conn);
}

/* A server that can still say why does so in trailers. After part of a message only a reset is
 * left. */
void grpc__call_fail(struct grpc_call *call, enum grpc_status status, const char *message)
{
    bool can_answer = call->conn->server && !call->local_end && !call->stream_gone &&
                      call->out.size == call->out_at;
    if (can_answer)
        grpc_call_finish(call, status, message);
    else
        stream_reset(call, NGHTTP2_CANCEL);
    in_clear(call);
    /* The text may be the call's own; on_close gets a copy that nothing can move. */
    char copy[256] = "";
    memcpy(copy, message, strnlen(message, sizeof copy - 1));
    grpc__call_close(call, status, slice_from_string(copy));
}

void grpc_call_cancel(struct grpc_call *call)
{
    ASSERT(call->open);
    call->open = false;
    /* `out` stays until the stream is gone: a DATA frame of it may be on its way out. */
    if (!call->busy)
        in_clear(call);
    stream_reset(call, NGHTTP2_CANCEL);
    grpc__call_release(call);
}

void grpc__call_deadline_set(struct grpc_call *call, uint64_t deadline_us)
{
    call->deadline_us = deadline_us;
    if (deadline_us < call->conn->deadline_next_us)
        call->conn->deadline_next_us = deadline_us;
}

/* ---- sending -------------------------------------------------------------------------------- */

void grpc__call_kick(struct grpc_call *call)
{
    if (call->deferred && !call->stream_gone) {
        call->deferred = false;
        int result = nghttp2_session_resume_data(call->conn->session, call->stream_id);
        MAYBE(result == 0); /* a stream about to be reset has no data to resume */
    }
    grpc__conn_touch(call->conn);
}

size_t grpc_call_send(struct grpc_call *call, struct slice message)
{
    ASSERT(call->open && !call->local_end);
    ASSERT(message.size <= UINT32_MAX);
    if (call->stream_gone)
        return 0; /* paused after the peer's end: nobody would read it */
    if (call->out_at == call->out.size) {
        buffer_reset(&call->out);
        call->out_at = 0;
    } else if (call->out_at > GRPC__BUFFER_KEEP_MAX && call->out_at > call->out.size / 2) {
        buffer_consume(&call->out, call->out_at);
        call->out_at = 0;
    }
    call->out.size_max = SIZE_MAX / 2;
    status_t status = buffer_reserve(&call->out, GRPC__PREFIX_SIZE + message.size);
    ASSERT(status == OK);
    uint8_t *at = call->out.data + call->out.size;
    at[0] = 0;
    put_u32_be(at + 1, (uint32_t)message.size);
    if (message.size)
        memcpy(at + GRPC__PREFIX_SIZE, message.data, message.size);
    call->out.size += GRPC__PREFIX_SIZE + message.size;

    size_t queued = grpc_call_queued(call);
    if (queued > call->conn->config.queue_low_water)
        call->above_low_water = true;
    if (call->conn->server && !call->submitted)
        grpc__server_respond(call);
    grpc__call_kick(call);
    return queued;
}

size_t grpc_call_queued(const struct grpc_call *call)
{
    return call->out.size - call->out_at;
}

ssize_t grpc__call_read(nghttp2_session *session, int32_t stream_id, uint8_t *bytes, size_t size,
                        uint32_t *data_flags, nghttp2_data_source *source, void *user)
{
    (void)session, (void)bytes, (void)user;
    struct grpc_call *call = source->ptr;
    ASSERT(call->stream_id == stream_id && call->submitted);
    size_t queued = grpc_call_queued(call);
    if (queued == 0 && !call->local_end) {
        call->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t count = queued < size ? queued : size;
    if (count)
        *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY; /* the session's send_data copies it out */
    if (count == queued && call->local_end) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (call->conn->server) {
            *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            grpc__server_trailers(call);
        }
    }
    return (ssize_t)count;
}

void grpc__call_sent(struct grpc_call *call, size_t count)
{
    ASSERT(count <= grpc_call_queued(call));
    call->out_at += count;
    struct grpc_conn *conn = call->conn;
    if (!call->above_low_water || grpc_call_queued(call) > conn->config.queue_low_water)
        return;
    call->above_low_water = false;
    if (call->open && !call->local_end && !call->writable_due) {
        call->writable_due = true;
        call->writable_next = conn->writable;
        conn->writable = call;
    }
}

bool grpc__call_run_writable(struct grpc_conn *conn)
{
    bool any = false;
    /* Those that become due meanwhile wait for the next round. */
    struct grpc_call *last = NULL;
    for (struct grpc_call *call = conn->writable; call; call = call->writable_next)
        last = call;
    while (conn->writable) {
        struct grpc_call *call = conn->writable;
        bool was_last = call == last;
        conn->writable = call->writable_next;
        call->writable_due = false;
        if (call->open && !call->local_end && call->handlers->on_writable) {
            any = true;
            call->busy++;
            call->handlers->on_writable(call);
            call->busy--;
            grpc__call_release(call);
        }
        if (was_last)
            break;
    }
    return any;
}

void grpc_call_finish(struct grpc_call *call, enum grpc_status status, const char *message)
{
    ASSERT(call->conn->server && call->open && !call->local_end);
    call->local_end = true;
    call->status = status;
    struct slice text = message ? slice_from_string(message) : (struct slice){0};
    grpc__message_encode(text, &call->message);
    if (call->stream_gone)
        return;
    if (call->submitted)
        grpc__call_kick(call);
    else
        grpc__server_trailers(call);
}

void grpc_call_half_close(struct grpc_call *call)
{
    ASSERT(!call->conn->server && call->open && !call->local_end);
    call->local_end = true;
    grpc__call_kick(call);
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* A server that has finished a call ignores what still comes. */
static bool call_wants_input(const struct grpc_call *call)
{
    return call->open && !(call->conn->server && call->local_end);
}

/* May on_message be called now? */
static bool call_listens(const struct grpc_call *call)
{
    return call_wants_input(call) && !call->paused;
}

static size_t message_size_max(const struct grpc_call *call)
{
    bool own = call->method && call->method->message_size_max;
    return own ? call->method->message_size_max : call->conn->config.message_size_max;
}

/* Hands the whole messages at the start of `bytes` on and returns how many bytes they had. */
static size_t deliver(struct grpc_call *call, struct slice bytes)
{
    size_t done = 0;
    while (call_listens(call) && bytes.size - done >= GRPC__PREFIX_SIZE) {
        const uint8_t *at = bytes.data + done;
        uint32_t size = get_u32_be(at + 1);
        if (at[0] != 0) {
            grpc__call_fail(call, at[0] == 1 ? GRPC_UNIMPLEMENTED : GRPC_INTERNAL,
                            at[0] == 1 ? "compressed messages are not supported"
                                       : "malformed message prefix");
            break;
        }
        if (size > message_size_max(call)) {
            grpc__call_fail(call, GRPC_RESOURCE_EXHAUSTED, "message is larger than the limit");
            break;
        }
        if (bytes.size - done - GRPC__PREFIX_SIZE < size)
            break;
        call->messages_received++;
        if (call->method && !call->method->client_streaming && call->messages_received > 1) {
            grpc__call_fail(call, GRPC_INTERNAL, "more than one message for a unary request");
            break;
        }
        done += GRPC__PREFIX_SIZE + size;
        if (call->handlers->on_message)
            call->handlers->on_message(call, slice_make(at + GRPC__PREFIX_SIZE, size));
    }
    return done;
}

static void deliver_held(struct grpc_call *call)
{
    if (call->in.size == call->in_at)
        return;
    size_t done =
        deliver(call, slice_make(call->in.data + call->in_at, call->in.size - call->in_at));
    if (!call->open) {
        in_clear(call);
        return;
    }
    call->in_at += done;
    if (call->in_at == call->in.size)
        in_clear(call);
}

static void hold(struct grpc_call *call, struct slice bytes)
{
    struct grpc_conn *conn = call->conn;
    if (bytes.size == 0 || !call->open)
        return;
    if (conn->in_bytes + bytes.size > conn->config.receive_memory_max) {
        grpc__call_fail(call, GRPC_RESOURCE_EXHAUSTED,
                        "too much unfinished input on the connection");
        return;
    }
    if (call->in_at > 0) {
        conn->in_bytes -= call->in_at;
        buffer_consume(&call->in, call->in_at);
        call->in_at = 0;
    }
    status_t status = buffer_append_slice(&call->in, bytes);
    ASSERT(status == OK);
    conn->in_bytes += bytes.size;
}

/* Gives windows back, unless the call is paused. */
static void windows_repay(struct grpc_call *call)
{
    nghttp2_session *session = call->conn->session;
    if (call->paused && call->open && !call->stream_gone)
        return;
    if (call->window_debt && !call->stream_gone)
        nghttp2_session_consume_stream(session, call->stream_id, call->window_debt);
    if (call->conn_window_debt)
        nghttp2_session_consume_connection(session, call->conn_window_debt);
    call->window_debt = 0;
    call->conn_window_debt = 0;
    grpc__conn_touch(call->conn);
}

/* After the last message, and not before, comes the end. */
static void remote_end_tell(struct grpc_call *call)
{
    if (!call->remote_end || call->remote_end_told || !call_listens(call))
        return;
    call->remote_end_told = true;
    bool whole = call->in.size == call->in_at;
    if (!call->conn->server) {
        if (!call->local_end)
            stream_reset(call, NGHTTP2_NO_ERROR); /* nobody reads what we would still send */
        enum grpc_status status = grpc__client_status(call);
        if (!whole && status == GRPC_OK)
            grpc__call_close(call, GRPC_INTERNAL, slice_from_string("message is cut short"));
        else
            grpc__call_close(call, status, buffer_slice(&call->message));
        return;
    }
    if (!whole)
        grpc__call_fail(call, GRPC_INTERNAL, "message is cut short");
    else if (!call->method->client_streaming && call->messages_received == 0)
        grpc__call_fail(call, GRPC_INTERNAL, "no message for a unary request");
    else if (call->handlers->on_half_close)
        call->handlers->on_half_close(call);
}

void grpc__call_receive(struct grpc_call *call, struct slice bytes)
{
    struct grpc_conn *conn = call->conn;
    ASSERT(!call->delivering && !call->stream_gone);
    call->window_debt += (uint32_t)bytes.size;
    if (call->paused && conn->in_bytes > conn->config.conn_window)
        call->conn_window_debt += (uint32_t)bytes.size;
    else
        nghttp2_session_consume_connection(conn->session, bytes.size);

    call->busy++;
    call->delivering = true;
    if (!call_wants_input(call)) {
        in_clear(call);
    } else if (call->in.size > 0) {
        hold(call, bytes);
        deliver_held(call);
    } else {
        size_t done = deliver(call, bytes);
        if (call_wants_input(call))
            hold(call, slice_make(bytes.data + done, bytes.size - done));
    }
    call->delivering = false;
    call->busy--;
    windows_repay(call);
    grpc__call_release(call);
}

void grpc__call_remote_end(struct grpc_call *call)
{
    ASSERT(!call->delivering && !call->remote_end);
    call->remote_end = true;
    call->busy++;
    remote_end_tell(call);
    call->busy--;
    grpc__call_release(call);
}

void grpc_call_pause(struct grpc_call *call)
{
    ASSERT(call->open);
    call->paused = true;
}

void grpc_call_resume(struct grpc_call *call)
{
    ASSERT(call->open);
    call->paused = false;
    if (call->delivering)
        return; /* the loop we are called from goes on by itself */
    call->busy++;
    call->delivering = true;
    deliver_held(call);
    call->delivering = false;
    remote_end_tell(call);
    call->busy--;
    windows_repay(call);
    grpc__call_release(call);
}

/* A client's call whose stream ended in good order while it was paused keeps what it holds until it
 * is resumed. */
void grpc__call_stream_closed(struct grpc_call *call, uint32_t error_code)
{
    ASSERT(!call->stream_gone);
    call->stream_gone = true;
    windows_repay(call);
    if (call->open && call->conn->server) {
        bool complete =
            call->local_end && error_code == NGHTTP2_NO_ERROR && grpc_call_queued(call) == 0;
        grpc__call_close(call, complete ? GRPC_OK : GRPC_CANCELLED, (struct slice){0});
    } else if (call->open && (error_code != NGHTTP2_NO_ERROR || !call->remote_end)) {
        in_clear(call);
        if (call->status_known && call->remote_end)
            grpc__call_close(call, call->status, buffer_slice(&call->message));
        else
            grpc__call_close(call, grpc__status_from_http2(error_code),
                             slice_from_string(nghttp2_http2_strerror(error_code)));
    } else {
        grpc__call_release(call);
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

void grpc_call_user_set(struct grpc_call *call, void *user)
{
    call->user = user;
}

void *grpc_call_user(const struct grpc_call *call)
{
    return call->user;
}

struct grpc_conn *grpc_call_conn(const struct grpc_call *call)
{
    return call->conn;
}

void *grpc_call_context(const struct grpc_call *call)
{
    ASSERT(call->method);
    return call->method->context;
}

uint64_t grpc_call_deadline_us(const struct grpc_call *call)
{
    return call->deadline_us;
}

bool grpc_call_metadata(const struct grpc_call *call, const char *name, struct slice *value)
{
    for (uint32_t i = 0; i < call->header_count; i++) {
        const struct grpc__header *header = &call->headers[i];
        if (grpc__slice_is(slice_make(call->metadata.data + header->name_at, header->name_size),
                           name)) {
            *value = slice_make(call->metadata.data + header->value_at, header->value_size);
            return true;
        }
    }
    return false;
}
