/* The server's half of a call: from request headers to a method, and the answer's headers. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "grpc/grpc_int.h"

struct grpc_server *grpc_server_create(const struct grpc_method *methods, size_t count,
                                       const struct grpc_config *config)
{
    struct grpc_server *server = mem_zalloc(1, sizeof *server);
    server->methods = mem_zalloc(count, sizeof *server->methods);
    server->paths = mem_zalloc(count, sizeof *server->paths);
    server->count = count;
    server->config = grpc__config_complete(config);
    for (size_t i = 0; i < count; i++) {
        ASSERT(methods[i].path && methods[i].path[0] == '/');
        server->paths[i] = mem_strdup(methods[i].path);
        server->methods[i] = methods[i];
        server->methods[i].path = server->paths[i];
    }
    return server;
}

void grpc_server_destroy(struct grpc_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->count; i++)
        mem_free(server->paths[i]);
    mem_free(server->paths);
    mem_free(server->methods);
    mem_free(server);
}

/* ---- request headers ------------------------------------------------------------------------ */

/* Of transport and library, of no interest to a method. */
static bool header_is_dull(struct slice name)
{
    static const char *const dull[] = {"te", "user-agent", "accept-encoding",
                                       "grpc-accept-encoding", "grpc-encoding"};
    for (size_t i = 0; i < sizeof dull / sizeof dull[0]; i++) {
        if (grpc__slice_is(name, dull[i]))
            return true;
    }
    return false;
}

static void metadata_add(struct grpc_call *call, struct slice name, struct slice value)
{
    if (call->header_count == GRPC__METADATA_COUNT_MAX) {
        call->refusal = GRPC__REFUSE_HEADERS_SIZE;
        return;
    }
    struct grpc__header *header = &call->headers[call->header_count++];
    header->name_at = (uint32_t)call->metadata.size;
    header->name_size = (uint32_t)name.size;
    buffer_append_slice(&call->metadata, name);
    header->value_at = (uint32_t)call->metadata.size;
    header->value_size = (uint32_t)value.size;
    buffer_append_slice(&call->metadata, value);
    ASSERT(!call->metadata.failed);
}

static void path_set(struct grpc_call *call, struct slice path)
{
    struct grpc_server *server = call->conn->server;
    for (size_t i = 0; i < server->count; i++) {
        if (grpc__slice_is(path, server->paths[i]))
            call->method = &server->methods[i];
    }
}

void grpc__server_header(struct grpc_call *call, struct slice name, struct slice value)
{
    ASSERT(call->conn->server && !call->handlers);
    call->header_bytes += name.size + value.size;
    if (call->header_bytes > GRPC__METADATA_SIZE_MAX) {
        call->refusal = GRPC__REFUSE_HEADERS_SIZE;
        return;
    }
    if (grpc__slice_is(name, ":path")) {
        path_set(call, value);
    } else if (grpc__slice_is(name, ":method")) {
        if (!grpc__slice_is(value, "POST"))
            call->refusal = GRPC__REFUSE_HTTP_METHOD;
    } else if (grpc__slice_is(name, "content-type")) {
        call->content_type_seen = grpc__content_type_valid(value);
    } else if (grpc__slice_is(name, "grpc-timeout")) {
        uint64_t timeout_us;
        if (!grpc__timeout_parse(value, &timeout_us))
            call->refusal = GRPC__REFUSE_TIMEOUT;
        else
            call->deadline_us = call->conn->now_us + timeout_us;
    } else if (name.size > 0 && name.data[0] != ':' && !header_is_dull(name)) {
        metadata_add(call, name, value);
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

static nghttp2_nv header_make(const char *name, struct slice value, uint8_t flags)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .namelen = strlen(name),
                        .value = (uint8_t *)(uintptr_t)value.data,
                        .valuelen = value.size,
                        .flags = flags};
}

/* Names and values that live for ever need no copies. */
static const uint8_t FLAGS_STATIC = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

static nghttp2_nv header_static(const char *name, const char *value)
{
    return header_make(name, slice_from_string(value), FLAGS_STATIC);
}

/* grpc-status, and grpc-message when there is one; returns how many. A message is hardly ever
 * repeated, so it stays out of the compression table. */
static size_t status_headers(const struct grpc_call *call, nghttp2_nv out[2])
{
    static const char *const numbers[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                          "9", "10", "11", "12", "13", "14", "15", "16"};
    ASSERT((size_t)call->status < sizeof numbers / sizeof numbers[0]);
    out[0] = header_static("grpc-status", numbers[call->status]);
    if (call->message.size == 0)
        return 1;
    out[1] = header_make("grpc-message", buffer_slice(&call->message),
                         NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_INDEX);
    return 2;
}

void grpc__server_respond(struct grpc_call *call)
{
    ASSERT(!call->submitted && !call->stream_gone);
    nghttp2_nv headers[] = {header_static(":status", "200"),
                            header_static("content-type", "application/grpc")};
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = grpc__call_read};
    call->submitted = true;
    int result = nghttp2_submit_response(call->conn->session, call->stream_id, headers,
                                         sizeof headers / sizeof headers[0], &provider);
    ASSERT(result == 0);
}

/* Before any message the whole answer is one block ("Trailers-Only"). */
void grpc__server_trailers(struct grpc_call *call)
{
    ASSERT(call->local_end && !call->stream_gone);
    nghttp2_nv headers[4];
    int result;
    if (call->submitted) {
        size_t count = status_headers(call, headers);
        result = nghttp2_submit_trailer(call->conn->session, call->stream_id, headers, count);
    } else {
        headers[0] = header_static(":status", "200");
        headers[1] = header_static("content-type", "application/grpc");
        size_t count = 2 + status_headers(call, headers + 2);
        call->submitted = true;
        result =
            nghttp2_submit_response(call->conn->session, call->stream_id, headers, count, NULL);
        grpc__conn_touch(call->conn);
    }
    ASSERT(result == 0);
}

/* Not gRPC at all: plain HTTP says so. */
static void refuse_http(struct grpc_call *call, const char *http_status)
{
    nghttp2_nv headers[] = {header_static(":status", http_status)};
    call->local_end = call->submitted = true;
    int result = nghttp2_submit_response(call->conn->session, call->stream_id, headers, 1, NULL);
    ASSERT(result == 0);
    grpc__conn_touch(call->conn);
}

static void refuse(struct grpc_call *call)
{
    ASSERT(!call->handlers && !call->submitted);
    switch (call->refusal) {
    case GRPC__REFUSE_HTTP_METHOD:
        refuse_http(call, "405");
        break;
    case GRPC__REFUSE_CONTENT_TYPE:
        refuse_http(call, "415");
        break;
    case GRPC__REFUSE_UNKNOWN_METHOD:
        grpc_call_finish(call, GRPC_UNIMPLEMENTED, "unknown method");
        break;
    case GRPC__REFUSE_TIMEOUT:
        grpc_call_finish(call, GRPC_INTERNAL, "malformed grpc-timeout");
        break;
    case GRPC__REFUSE_HEADERS_SIZE:
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "too much metadata");
        break;
    case GRPC__REFUSE_NONE:
        UNREACHABLE();
    }
    call->open = false;
}

void grpc__server_dispatch(struct grpc_call *call)
{
    ASSERT(call->open && !call->handlers);
    if (call->refusal == GRPC__REFUSE_NONE && !call->content_type_seen)
        call->refusal = GRPC__REFUSE_CONTENT_TYPE;
    if (call->refusal == GRPC__REFUSE_NONE && !call->method)
        call->refusal = GRPC__REFUSE_UNKNOWN_METHOD;
    if (call->refusal != GRPC__REFUSE_NONE) {
        refuse(call);
        return;
    }
    call->handlers = &call->method->handlers;
    if (call->deadline_us != UINT64_MAX)
        grpc__call_deadline_set(call, call->deadline_us);
    if (call->handlers->on_start) {
        call->busy++;
        call->handlers->on_start(call);
        call->busy--;
    }
    grpc__call_release(call);
}
