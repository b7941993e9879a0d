/* nghttp2's callbacks, translated into events of calls. None of them may call nghttp2_session_send
 * or mem_recv; submitting is allowed, and all that call.c does. */
#include <string.h>

#include "base/check.h"
#include "grpc/grpc_int.h"

static struct grpc_call *call_of(struct grpc_conn *conn, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(conn->session, stream_id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct grpc_conn *conn = user;
    conn->headers_call = NULL;
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    if (!conn->server) {
        conn->headers_call = call_of(conn, frame->hd.stream_id);
        return 0;
    }
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0; /* a request's trailers mean nothing to gRPC */
    struct grpc_call *call = grpc__call_create(conn);
    call->stream_id = frame->hd.stream_id;
    conn->headers_call = call;
    int result = nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    ASSERT(result == 0);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)session, (void)frame, (void)flags;
    struct grpc_conn *conn = user;
    struct grpc_call *call = conn->headers_call;
    if (!call)
        return 0;
    struct slice name_slice = slice_make(name, name_size);
    struct slice value_slice = slice_make(value, value_size);
    if (conn->server)
        grpc__server_header(call, name_slice, value_slice);
    else
        grpc__client_header(call, name_slice, value_slice);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct grpc_conn *conn = user;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (conn->server && frame->headers.cat == NGHTTP2_HCAT_REQUEST && conn->headers_call)
            grpc__server_dispatch(conn->headers_call);
        conn->headers_call = NULL;
        break;
    case NGHTTP2_DATA:
        break;
    case NGHTTP2_GOAWAY:
        conn->draining = true;
        return 0;
    default:
        return 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        struct grpc_call *call = call_of(conn, frame->hd.stream_id);
        if (call)
            grpc__call_remote_end(call);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t size, void *user)
{
    (void)flags;
    struct grpc_conn *conn = user;
    struct grpc_call *call = call_of(conn, stream_id);
    if (call)
        grpc__call_receive(call, slice_make(data, size));
    else
        nghttp2_session_consume(session, stream_id, size);
    return 0;
}

/* A server that has ended its side before the client has: "the server MAY request that the client
 * abort transmission [...] by sending a RST_STREAM with an error code of NO_ERROR after sending
 * a complete response" (RFC 9113, 8.1). */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct grpc_conn *conn = user;
    if (!conn->server || frame->hd.type != NGHTTP2_HEADERS ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    if (nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) == 0)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user)
{
    (void)session;
    struct grpc_call *call = call_of(user, stream_id);
    if (call)
        grpc__call_stream_closed(call, error_code);
    return 0;
}

/* ---- output --------------------------------------------------------------------------------- */

static bool output_full(const struct grpc_conn *conn)
{
    return conn->out.size - conn->out_at >= conn->config.output_max;
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t size, int flags,
                       void *user)
{
    (void)session, (void)flags;
    struct grpc_conn *conn = user;
    if (output_full(conn))
        return NGHTTP2_ERR_WOULDBLOCK;
    status_t status = buffer_append(&conn->out, data, size);
    ASSERT(status == OK);
    return (ssize_t)size;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_header,
                        size_t size, nghttp2_data_source *source, void *user)
{
    (void)session;
    enum { FRAME_HEADER_SIZE = 9 };
    struct grpc_conn *conn = user;
    struct grpc_call *call = source->ptr;
    ASSERT(frame->data.padlen == 0);
    if (output_full(conn))
        return NGHTTP2_ERR_WOULDBLOCK;
    status_t status = buffer_reserve(&conn->out, FRAME_HEADER_SIZE + size);
    ASSERT(status == OK);
    buffer_append(&conn->out, frame_header, FRAME_HEADER_SIZE);
    buffer_append(&conn->out, call->out.data + call->out_at, size);
    grpc__call_sent(call, size);
    return 0;
}

/* ---- the session ---------------------------------------------------------------------------- */

static nghttp2_session_callbacks *callbacks_create(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    int result = nghttp2_session_callbacks_new(&callbacks);
    ASSERT(result == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    return callbacks;
}

static void settings_submit(struct grpc_conn *conn, nghttp2_session *session)
{
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, conn->config.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, GRPC__METADATA_SIZE_MAX},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, conn->config.calls_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    size_t count = conn->server ? 4 : 5;
    int result = nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, count);
    ASSERT(result == 0);
    result = nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                   (int32_t)conn->config.conn_window);
    ASSERT(result == 0);
}

/* Windows are given back by call.c. Streams that were reset in a flood are bounded by nghttp2's own
 * rate limit (CVE-2023-44487), the answers it owes (PING, SETTINGS) by max_outbound_ack. */
nghttp2_session *grpc__session_create(struct grpc_conn *conn)
{
    nghttp2_option *option = NULL;
    int result = nghttp2_option_new(&option);
    ASSERT(result == 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_session_callbacks *callbacks = callbacks_create();
    nghttp2_session *session = NULL;
    if (conn->server)
        result = nghttp2_session_server_new2(&session, callbacks, conn, option);
    else
        result = nghttp2_session_client_new2(&session, callbacks, conn, option);
    ASSERT(result == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    settings_submit(conn, session);
    return session;
}
