/* How many calls a core makes through two connections back to back. Not a test: run by hand. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "echo_service.h"
#include "pipe.h"

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void ignore_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)call, (void)message;
    if (status != GRPC_OK)
        abort();
}

static uint64_t bytes_seen;
static uint64_t messages_seen;
static void count_message(struct grpc_call *call, struct slice message)
{
    (void)call;
    bytes_seen += message.size;
    messages_seen++;
}

static const struct grpc_handlers handlers = {.on_message = count_message,
                                              .on_close = ignore_close};

static void bench_unary(struct grpc_pipe *pipe, int at_once)
{
    static const uint8_t body[100];
    int total = 200000;
    double from = seconds();
    for (int i = 0; i < total; i += at_once) {
        for (int j = 0; j < at_once; j++) {
            struct grpc_call *call =
                grpc_call_start(pipe->client, "/Test/Unary", &handlers, NULL, NULL);
            grpc_call_send(call, slice_make(body, sizeof body));
            grpc_call_half_close(call);
        }
        grpc_pipe_run(pipe);
    }
    printf("unary, %d at once: %.0f calls/s\n", at_once, total / (seconds() - from));
}

static void bench_stream(struct grpc_pipe *pipe, int at_once)
{
    static const uint8_t body[100];
    int total = 1000000;
    struct grpc_call *call = grpc_call_start(pipe->client, "/Test/Bidi", &handlers, NULL, NULL);
    messages_seen = 0;
    double from = seconds();
    for (int i = 0; i < total; i += at_once) {
        for (int j = 0; j < at_once; j++)
            grpc_call_send(call, slice_make(body, sizeof body));
        grpc_pipe_run(pipe);
    }
    if (messages_seen != (uint64_t)total)
        abort();
    printf("bidi, %d at once: %.0f round trips/s\n", at_once, total / (seconds() - from));
    grpc_call_half_close(call);
    grpc_pipe_run(pipe);
}

static void bench_rows(struct grpc_pipe *pipe)
{
    bytes_seen = 0;
    double from = seconds();
    struct grpc_call *call = grpc_call_start(pipe->client, "/Test/Count", &handlers, NULL, NULL);
    grpc_call_send(call, slice_from_string("10000000"));
    grpc_call_half_close(call);
    grpc_pipe_run(pipe);
    printf("server stream: %.0f messages/s, %.0f MB/s\n", 1e7 / (seconds() - from),
           (double)bytes_seen / 1e6 / (seconds() - from));
}

int main(void)
{
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct grpc_pipe pipe;
    grpc_pipe_init(&pipe, service.server, NULL, 1, 0);
    bench_unary(&pipe, 1);
    bench_unary(&pipe, 100);
    bench_stream(&pipe, 1);
    bench_stream(&pipe, 100);
    bench_rows(&pipe);
    grpc_pipe_free(&pipe);
    echo_service_free(&service);
    return 0;
}
