/* Bytes from a hostile peer. Whatever they are: no crash, every call ends exactly once, and memory
 * held stays within its bound. */
#include "fuzz_grpc.h"

#include <string.h>

#include "base/check.h"
#include "echo_service.h"
#include "grpc/grpc_int.h"
#include "pipe.h"

enum { RECEIVE_CLIENT = 1, SMALL_PIECES = 2, WITH_PREFACE = 4, CALLS = 3, MEMORY_MAX = 100000 };

static void feed(struct grpc_conn *conn, struct slice bytes, bool small_pieces)
{
    uint64_t now_us = 1;
    while (bytes.size) {
        size_t piece = small_pieces && bytes.size > 5 ? 5 : bytes.size;
        if (grpc_conn_receive(conn, slice_make(bytes.data, piece), now_us) != OK)
            break;
        ASSERT(conn->in_bytes <= MEMORY_MAX);
        bytes = slice_make(bytes.data + piece, bytes.size - piece);
        struct slice out = grpc_conn_output(conn);
        grpc_conn_output_consume(conn, out.size);
        now_us += 1000;
        grpc_conn_tick(conn, now_us);
    }
    grpc_conn_output(conn);
}

static void receive_as_server(struct slice bytes, const struct grpc_config *config, uint8_t choices)
{
    struct echo_service service;
    echo_service_init(&service, config);
    struct grpc_conn *conn = grpc_conn_create_server(service.server, 0);
    if (choices & WITH_PREFACE)
        feed(conn, slice_from_string(NGHTTP2_CLIENT_MAGIC), false);
    feed(conn, bytes, choices & SMALL_PIECES);
    if (service.paused)
        grpc_call_resume(service.paused);
    grpc_conn_destroy(conn);
    ASSERT(service.started == service.closed);
    echo_service_free(&service);
}

static void receive_as_client(struct slice bytes, const struct grpc_config *config, uint8_t choices)
{
    struct grpc_conn *conn = grpc_conn_create_client(config, 0);
    struct call_log logs[CALLS];
    for (int i = 0; i < CALLS; i++)
        call_log_unary(&logs[i], conn, "/Test/Bidi", slice_from_string("x"), NULL);
    grpc_call_pause(logs[1].call);
    struct slice out = grpc_conn_output(conn);
    grpc_conn_output_consume(conn, out.size);
    feed(conn, bytes, choices & SMALL_PIECES);
    if (logs[1].call)
        grpc_call_resume(logs[1].call);
    grpc_conn_destroy(conn);
    for (int i = 0; i < CALLS; i++) {
        ASSERT(logs[i].closes == 1 && !logs[i].call);
        call_log_free(&logs[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct grpc_config config = {.message_size_max = MEMORY_MAX, .receive_memory_max = MEMORY_MAX};
    struct slice bytes = slice_make(data + 1, size - 1);
    if (data[0] & RECEIVE_CLIENT)
        receive_as_client(bytes, &config, data[0]);
    else
        receive_as_server(bytes, &config, data[0]);
    return 0;
}
