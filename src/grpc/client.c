/* The client's half of a call: the request's headers, and what the answer's headers mean. */
#include <string.h>

#include "base/check.h"
#include "grpc/grpc_int.h"

static nghttp2_nv header_make(struct slice name, struct slice value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.data,
                        .namelen = name.size,
                        .value = (uint8_t *)(uintptr_t)value.data,
                        .valuelen = value.size,
                        .flags = flags};
}

static nghttp2_nv header_text(const char *name, const char *value)
{
    return header_make(slice_from_string(name), slice_from_string(value),
                       NGHTTP2_NV_FLAG_NO_COPY_NAME);
}

struct grpc_call *grpc_call_start(struct grpc_conn *conn, const char *path,
                                  const struct grpc_handlers *handlers, void *user,
                                  const struct grpc_call_options *options)
{
    ASSERT(!conn->server && handlers);
    if (grpc_conn_draining(conn))
        return NULL;
    nghttp2_nv headers[8 + GRPC__METADATA_COUNT_MAX];
    size_t count = 0;
    headers[count++] = header_text(":method", "POST");
    headers[count++] = header_text(":scheme", conn->config.tls ? "https" : "http");
    headers[count++] = header_text(":path", path);
    headers[count++] = header_text(":authority", conn->authority);
    headers[count++] = header_text("te", "trailers");
    headers[count++] = header_text("content-type", "application/grpc");
    headers[count++] = header_text("user-agent", "grpc-c-toydb/" TOYDB_VERSION);
    char timeout[16];
    if (options && options->timeout_us) {
        grpc__timeout_format(options->timeout_us, timeout);
        headers[count] = header_text("grpc-timeout", timeout);
        headers[count++].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
    }
    size_t metadata_count = options ? options->metadata_count : 0;
    ASSERT(metadata_count <= GRPC__METADATA_COUNT_MAX);
    for (size_t i = 0; i < metadata_count; i++)
        headers[count++] = header_make(options->metadata[i].name, options->metadata[i].value,
                                       NGHTTP2_NV_FLAG_NO_INDEX);

    struct grpc_call *call = grpc__call_create(conn);
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = grpc__call_read};
    int32_t stream_id =
        nghttp2_submit_request(conn->session, NULL, headers, count, &provider, call);
    if (stream_id < 0) { /* stream ids have run out: a new connection has new ones */
        ASSERT(stream_id != NGHTTP2_ERR_INVALID_ARGUMENT);
        call->open = false;
        call->stream_gone = true;
        grpc__call_release(call);
        conn->draining = true;
        return NULL;
    }
    call->stream_id = stream_id;
    call->submitted = true;
    call->handlers = handlers;
    call->user = user;
    if (options && options->timeout_us)
        grpc__call_deadline_set(call, conn->now_us + options->timeout_us);
    grpc__conn_touch(conn);
    return call;
}

/* The same for headers and trailers: an answer without messages has everything in one block. */
void grpc__client_header(struct grpc_call *call, struct slice name, struct slice value)
{
    call->header_bytes += name.size + value.size;
    if (call->header_bytes > GRPC__METADATA_SIZE_MAX)
        return; /* what counts comes first; a server that sends more has lost its status */
    if (grpc__slice_is(name, ":status")) {
        call->http_status = grpc__number_parse(value);
    } else if (grpc__slice_is(name, "content-type")) {
        call->content_type_seen = grpc__content_type_valid(value);
    } else if (grpc__slice_is(name, "grpc-status")) {
        int number = grpc__number_parse(value);
        call->status =
            number >= 0 && number <= GRPC_UNAUTHENTICATED ? (enum grpc_status)number : GRPC_UNKNOWN;
        call->status_known = true;
    } else if (grpc__slice_is(name, "grpc-message")) {
        grpc__message_decode(value, &call->message);
    }
}

enum grpc_status grpc__client_status(struct grpc_call *call)
{
    ASSERT(call->remote_end);
    if (call->status_known)
        return call->status;
    if (call->http_status != 200) {
        buffer_reset(&call->message);
        buffer_printf(&call->message, "HTTP status %d", call->http_status);
        return grpc__status_from_http(call->http_status);
    }
    buffer_reset(&call->message);
    buffer_append_string(&call->message, call->content_type_seen ? "server sent no status"
                                                                 : "server does not speak gRPC");
    return GRPC_UNKNOWN;
}
