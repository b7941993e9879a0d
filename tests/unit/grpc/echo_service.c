#include "echo_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { COUNT_MESSAGE_SIZE = 100, COUNT_QUEUE_MAX = 64 << 10 };

static void start(struct grpc_call *call)
{
    struct echo_service *service = grpc_call_context(call);
    service->started++;
    service->last_deadline_us = grpc_call_deadline_us(call);
    uint64_t *counter = mem_zalloc(1, sizeof *counter);
    grpc_call_user_set(call, counter);
}

static void close_call(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)message;
    struct echo_service *service = grpc_call_context(call);
    service->closed++;
    service->last_close = status;
    if (service->paused == call)
        service->paused = NULL;
    mem_free(grpc_call_user(call));
}

static void unary_message(struct grpc_call *call, struct slice message)
{
    grpc_call_send(call, message);
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void bidi_message(struct grpc_call *call, struct slice message)
{
    grpc_call_send(call, message);
}

static void bidi_half_close(struct grpc_call *call)
{
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void count_run(struct grpc_call *call)
{
    struct echo_service *service = grpc_call_context(call);
    uint64_t *left = grpc_call_user(call);
    uint8_t bytes[COUNT_MESSAGE_SIZE];
    while (*left) {
        memset(bytes, (int)(*left & 255), sizeof bytes);
        --*left;
        size_t queued = grpc_call_send(call, slice_make(bytes, sizeof bytes));
        if (queued > service->queued_max)
            service->queued_max = queued;
        if (queued > COUNT_QUEUE_MAX)
            return;
    }
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void count_message(struct grpc_call *call, struct slice message)
{
    char text[32] = "";
    memcpy(text, message.data, message.size < sizeof text ? message.size : sizeof text - 1);
    *(uint64_t *)grpc_call_user(call) = strtoull(text, NULL, 10);
    count_run(call);
}

static void sum_message(struct grpc_call *call, struct slice message)
{
    *(uint64_t *)grpc_call_user(call) += message.size;
}

static void sum_half_close(struct grpc_call *call)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRIu64, *(uint64_t *)grpc_call_user(call));
    grpc_call_send(call, slice_make(text, (size_t)size));
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void fail_message(struct grpc_call *call, struct slice message)
{
    char text[2048] = "";
    memcpy(text, message.data, message.size < sizeof text ? message.size : sizeof text - 1);
    const char *at = text;
    if (*at == '!') {
        at++;
        grpc_call_send(call, slice_from_string("partial"));
    }
    char *end;
    unsigned long code = strtoul(at, &end, 10);
    ASSERT(code <= GRPC_UNAUTHENTICATED);
    grpc_call_finish(call, (enum grpc_status)code, *end == ' ' ? end + 1 : end);
}

static void metadata_message(struct grpc_call *call, struct slice message)
{
    (void)message;
    struct slice value = slice_from_string("(none)");
    grpc_call_metadata(call, "x-test", &value);
    grpc_call_send(call, value);
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void pause_start(struct grpc_call *call)
{
    struct echo_service *service = grpc_call_context(call);
    start(call);
    service->paused = call;
    grpc_call_pause(call);
}

void echo_service_init(struct echo_service *service, const struct grpc_config *config)
{
    *service = (struct echo_service){0};
    const struct grpc_method methods[] = {
        {"/Test/Unary", false, {start, unary_message, NULL, NULL, close_call}, service, 0},
        {"/Test/Bidi", true, {start, bidi_message, bidi_half_close, NULL, close_call}, service, 0},
        {"/Test/Count", false, {start, count_message, NULL, count_run, close_call}, service, 0},
        {"/Test/Sum", true, {start, sum_message, sum_half_close, NULL, close_call}, service, 0},
        {"/Test/Fail", false, {start, fail_message, NULL, NULL, close_call}, service, 0},
        {"/Test/Hang", true, {start, NULL, NULL, NULL, close_call}, service, 0},
        {"/Test/Metadata", false, {start, metadata_message, NULL, NULL, close_call}, service, 0},
        {"/Test/Pause",
         true,
         {pause_start, bidi_message, bidi_half_close, NULL, close_call},
         service,
         0},
        {"/Test/Small", false, {start, unary_message, NULL, NULL, close_call}, service, 100},
    };
    service->server = grpc_server_create(methods, sizeof methods / sizeof methods[0], config);
}

void echo_service_free(struct echo_service *service)
{
    grpc_server_destroy(service->server);
}
