/* The API for clients: Execute and Session over server sessions. Status is in service_status.c.
 *
 * Both turn what a session reports into ExecuteResponse messages. An Execute call is a session of
 * one text and ends with a gRPC status; in a Session call requests queue up and run one after
 * another, errors are messages, and the stream's end closes the session. */

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/session_int.h"
#include "server/wire_int.h"

enum {
    /* Bytes waiting for a slow client before its session stops. */
    QUEUE_HIGH_WATER = 1 << 20,
    REQUESTS_WAITING_MAX = 256,
};

/* A request of a Session call that waits for its turn. */
struct request {
    uint64_t sequence;
    struct request *next;
    size_t size;
    uint8_t bytes[]; /* the packed SessionRequest */
};

struct client {
    struct grpc_call *call;
    struct session *session;
    bool streaming;    /* Session, not Execute */
    bool running;      /* a request is with the session */
    bool half_closed;  /* the client sends no more */
    uint64_t sequence; /* of the running request */
    struct request *first, **last;
    uint32_t waiting;
    bool failed; /* Execute: the text ended with `error` */
    struct error error;
    struct arena arena; /* of one message */
};

static void client_next(struct client *client);

/* ---- what a session reports
 * ----------------------------------------------------------------------- */

static size_t client_send(struct client *client, ExecuteResponse *response)
{
    SessionResponse wrapped = SESSION_RESPONSE__INIT;
    wrapped.sequence = client->sequence;
    wrapped.response = response;
    const ProtobufCMessage *message = client->streaming ? &wrapped.base : &response->base;
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(&client->arena, size);
    protobuf_c_message_pack(message, bytes);
    size_t queued = grpc_call_send(client->call, slice_make(bytes, size));
    arena_reset(&client->arena);
    return queued;
}

static void on_header(void *context, const struct sql_column *columns, uint32_t count)
{
    struct client *client = context;
    client_send(client, wire_header(&client->arena, columns, count));
}

static bool on_rows(void *context, const struct batch *batch)
{
    struct client *client = context;
    return client_send(client, wire_rows(&client->arena, batch)) > QUEUE_HIGH_WATER;
}

static void on_complete(void *context, const char *tag, uint64_t rows, bool more,
                        uint64_t elapsed_us)
{
    struct client *client = context;
    client_send(client, wire_complete(&client->arena, tag, rows, more, elapsed_us,
                                      session_state(client->session)));
}

static void on_error(void *context, const struct error *error)
{
    struct client *client = context;
    client_send(client, wire_error(&client->arena, error, session_state(client->session)));
    client->failed = true;
    client->error = *error;
}

static void on_done(void *context)
{
    struct client *client = context;
    client->running = false;
    if (client->streaming) {
        client_next(client);
        return;
    }
    if (!client->failed) {
        grpc_call_finish(client->call, GRPC_OK, NULL);
        return;
    }
    char message[sizeof client->error.message + 16];
    snprintf(message, sizeof message, "%s: %s", client->error.sqlstate, client->error.message);
    grpc_call_finish(client->call, wire_status(client->error.sqlstate), message);
}

static void on_shutdown(void *context)
{
    struct client *client = context;
    grpc_call_finish(client->call, GRPC_UNAVAILABLE, "57P01: node is shutting down");
}

static const struct session_sink client_sink = {.header = on_header,
                                                .rows = on_rows,
                                                .complete = on_complete,
                                                .error = on_error,
                                                .done = on_done,
                                                .shutdown = on_shutdown};

/* ---- calls --------------------------------------------------------------------------------------
 */

static void client_start(struct grpc_call *call, bool streaming)
{
    struct node *node = grpc_call_context(call);
    struct client *client = mem_zalloc(1, sizeof *client);
    client->call = call;
    client->streaming = streaming;
    client->last = &client->first;
    client->session = session_open(node, &client_sink, client);
    grpc_call_user_set(call, client);
    if (!client->session)
        grpc_call_finish(call, GRPC_UNAVAILABLE,
                         node->stopping ? "57P01: node is shutting down"
                                        : "53300: too many sessions");
}

static void on_execute_start(struct grpc_call *call)
{
    client_start(call, false);
}

static void on_session_start(struct grpc_call *call)
{
    client_start(call, true);
}

static void on_writable(struct grpc_call *call)
{
    struct client *client = grpc_call_user(call);
    if (client->session)
        session_unblock(client->session);
}

static void on_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status;
    (void)message;
    struct client *client = grpc_call_user(call);
    if (client->session)
        session_close(client->session);
    while (client->first) {
        struct request *request = client->first;
        client->first = request->next;
        mem_free(request);
    }
    arena_free(&client->arena);
    mem_free(client);
}

/* A refusal before the session has seen anything. */
static void client_refuse(struct client *client, const struct error *error)
{
    on_error(client, error);
    on_done(client);
}

static void client_execute(struct client *client, const ExecuteRequest *request)
{
    struct error error;
    struct value *parameters = NULL;
    struct arena arena = {0};
    client->running = true;
    client->failed = false;
    status_t status = wire_parameters(request, &arena, &parameters, &error);
    if (status == OK && request->request_id.len >= TXN_ORIGIN_MAX)
        status =
            error_sql(&error, "22023", 0, "request id is longer than %d bytes", TXN_ORIGIN_MAX - 1);
    if (status != OK)
        client_refuse(client, &error);
    else
        session_submit(client->session, slice_from_string(request->sql), parameters,
                       (uint32_t)request->n_parameters,
                       slice_make(request->request_id.data, request->request_id.len));
    arena_free(&arena);
}

static void on_execute_message(struct grpc_call *call, struct slice bytes)
{
    struct client *client = grpc_call_user(call);
    if (!client->session)
        return;
    ExecuteRequest *request = execute_request__unpack(NULL, bytes.size, bytes.data);
    if (!request) {
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT,
                         "08P01: request cannot be decoded, or its text is not valid UTF-8");
        return;
    }
    client_execute(client, request);
    execute_request__free_unpacked(request, NULL);
}

/* ---- sessions -----------------------------------------------------------------------------------
 */

/* Begins the next waiting request, or ends the stream when there will be none. */
static void client_next(struct client *client)
{
    while (!client->running && client->first) {
        struct request *request = client->first;
        client->first = request->next;
        if (!client->first)
            client->last = &client->first;
        client->waiting--;
        client->sequence = request->sequence;
        SessionRequest *unpacked = session_request__unpack(NULL, request->size, request->bytes);
        ASSERT(unpacked && unpacked->command_case == SESSION_REQUEST__COMMAND_EXECUTE);
        client_execute(client, unpacked->execute);
        session_request__free_unpacked(unpacked, NULL);
        mem_free(request);
        return; /* a request refused at once has called on_done, which has come here again */
    }
    if (!client->running && client->half_closed)
        grpc_call_finish(client->call, GRPC_OK, NULL);
}

static void request_queue(struct client *client, uint64_t sequence, struct slice bytes)
{
    struct request *request = mem_alloc(sizeof *request + bytes.size);
    *request = (struct request){.sequence = sequence, .size = bytes.size};
    memcpy(request->bytes, bytes.data, bytes.size);
    *client->last = request;
    client->last = &request->next;
    client->waiting++;
    client_next(client);
}

/* Stops the running request, or one that waits: that one is answered when its turn comes. */
static void request_cancel(struct client *client, uint64_t sequence)
{
    if (client->running && client->sequence == sequence)
        session_cancel(client->session);
}

static void on_session_message(struct grpc_call *call, struct slice bytes)
{
    struct client *client = grpc_call_user(call);
    if (!client->session)
        return;
    SessionRequest *request = session_request__unpack(NULL, bytes.size, bytes.data);
    if (!request || request->command_case == SESSION_REQUEST__COMMAND__NOT_SET) {
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT,
                         "08P01: request cannot be decoded, or its text is not valid UTF-8");
    } else if (request->command_case == SESSION_REQUEST__COMMAND_CANCEL) {
        request_cancel(client, request->sequence);
    } else if (client->waiting >= REQUESTS_WAITING_MAX) {
        grpc_call_finish(call, GRPC_RESOURCE_EXHAUSTED, "53000: too many requests are waiting");
    } else {
        request_queue(client, request->sequence, bytes);
    }
    if (request)
        session_request__free_unpacked(request, NULL);
}

static void on_session_half_close(struct grpc_call *call)
{
    struct client *client = grpc_call_user(call);
    client->half_closed = true;
    if (client->session && !client->running)
        client_next(client);
}

const struct grpc_handlers service_execute_handlers = {.on_start = on_execute_start,
                                                       .on_message = on_execute_message,
                                                       .on_writable = on_writable,
                                                       .on_close = on_close};

const struct grpc_handlers service_session_handlers = {.on_start = on_session_start,
                                                       .on_message = on_session_message,
                                                       .on_half_close = on_session_half_close,
                                                       .on_writable = on_writable,
                                                       .on_close = on_close};
