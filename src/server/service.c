/* The API for clients: Execute and Session over server sessions. Status is in service_status.c.
 *
 * Both turn what a session reports into ExecuteResponse messages. An Execute call is a session of
 * one text and ends with a gRPC status; in a Session call requests queue up and run one after
 * another, errors are messages, and the stream's end closes the session.
 *
 * Nothing a client does or omits makes a queue grow for ever: a session stops while too much waits
 * to be read, and a call whose requests pile up is paused, which stops its sender. */

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "server/session_int.h"
#include "server/wire_int.h"

enum {
    /* Bytes waiting for a slow client before its session stops; more than gRPC's low-water mark. */
    QUEUE_HIGH_WATER = 256 << 10,
    /* Requests of a call that wait for their turn before the call is paused, and their bytes. */
    REQUESTS_WAITING_MAX = 256,
    REQUESTS_WAITING_BYTES_MAX = 8 << 20,
};

/* A request of a Session call that waits for its turn. */
struct request {
    SessionRequest *message;
    size_t size; /* packed */
    bool whole;  /* none of its strings was cut off at a NUL character */
    bool canceled;
    struct request *next;
};

struct client {
    struct node *node;
    struct grpc_call *call;
    struct session *session; /* NULL: refused, or the call is finished */
    bool streaming;          /* Session, not Execute */
    bool running;            /* a request is with the session */
    bool half_closed;        /* the client sends no more */
    bool paused;             /* requests are not taken off the stream */
    uint64_t sequence;       /* of the running request */
    struct request *first, **last;
    uint32_t waiting;
    size_t waiting_bytes;
    bool failed; /* Execute: the text ended with `error` */
    struct error error;
    struct arena arena; /* of one message */
};

static void client_advance(struct client *client);

static struct request *request_pop(struct client *client)
{
    struct request *request = client->first;
    client->first = request->next;
    if (!client->first)
        client->last = &client->first;
    ASSERT(client->waiting > 0 && client->waiting_bytes >= request->size);
    client->waiting--;
    client->waiting_bytes -= request->size;
    return request;
}

static void request_free(struct request *request)
{
    session_request__free_unpacked(request->message, NULL);
    mem_free(request);
}

static void client_clear(struct client *client)
{
    while (client->first)
        request_free(request_pop(client));
    if (client->session)
        session_close(client->session);
    client->session = NULL;
}

/* Ends the call; what still runs of it is cancelled. */
static void client_finish(struct client *client, enum grpc_status status, const char *message)
{
    ASSERT(client->session);
    client_clear(client);
    grpc_call_finish(client->call, status, message);
}

/* ---- what a session reports
 * ----------------------------------------------------------------------- */

static void client_send(struct client *client, ExecuteResponse *response)
{
    SessionResponse wrapped = SESSION_RESPONSE__INIT;
    wrapped.sequence = client->sequence;
    wrapped.response = response;
    const ProtobufCMessage *message = client->streaming ? &wrapped.base : &response->base;
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = arena_alloc(&client->arena, size);
    protobuf_c_message_pack(message, bytes);
    grpc_call_send(client->call, slice_make(bytes, size));
    arena_reset(&client->arena);
}

static void on_header(void *context, const struct sql_column *columns, uint32_t count)
{
    struct client *client = context;
    client_send(client, wire_header(&client->arena, columns, count));
}

static void on_rows(void *context, const struct batch *batch, int32_t zone_s)
{
    struct client *client = context;
    for (uint32_t from = 0; from < batch->selected;)
        client_send(client, wire_rows(&client->arena, batch, zone_s, &from));
}

static bool on_slow(void *context)
{
    struct client *client = context;
    return grpc_call_queued(client->call) > QUEUE_HIGH_WATER;
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

/* An Execute call ends as its text did. */
static void execute_finish(struct client *client)
{
    if (!client->failed) {
        client_finish(client, GRPC_OK, NULL);
        return;
    }
    char message[sizeof client->error.message + 16];
    snprintf(message, sizeof message, "%s: %s", client->error.sqlstate, client->error.message);
    client_finish(client, wire_status(client->error.sqlstate), message);
}

static void on_done(void *context)
{
    struct client *client = context;
    client->running = false;
    if (client->streaming)
        client_advance(client);
    else
        execute_finish(client);
}

static void on_shutdown(void *context)
{
    struct client *client = context;
    bool loses = !client->running && session_state(client->session) != SQL_IDLE;
    client_finish(client, GRPC_UNAVAILABLE,
                  loses ? "57P01: node is shutting down, the open transaction is rolled back"
                        : "57P01: node is shutting down");
}

static const struct session_sink client_sink = {.header = on_header,
                                                .rows = on_rows,
                                                .slow = on_slow,
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
    client->node = node;
    client->call = call;
    client->streaming = streaming;
    client->last = &client->first;
    client->session = session_open(node, &client_sink, client);
    node->client_count++;
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
    client_clear(client);
    ASSERT(client->node->client_count > 0);
    client->node->client_count--;
    arena_free(&client->arena);
    mem_free(client);
}

static status_t request_check(const struct client *client, const ExecuteRequest *request,
                              bool whole, struct error *error)
{
    if (!whole)
        return error_sql(error, "22021", 0, "invalid byte sequence for encoding \"UTF8\": 0x00");
    if (request->request_id.len > REQUEST_ID_MAX)
        return error_sql(error, "22023", 0, "request id is longer than %d bytes", REQUEST_ID_MAX);
    if (request->outcome_only && request->request_id.len == 0)
        return error_sql(error, "22023", 0, "an outcome is asked for without a request id");
    if (request->outcome_only && session_state(client->session) != SQL_IDLE)
        return error_sql(error, "25001", 0, "an outcome cannot be asked for inside a transaction");
    return OK;
}

/* Gives a request to the session, or refuses it before the session has seen anything. */
static void client_execute(struct client *client, const ExecuteRequest *message, bool whole)
{
    ASSERT(client->session && !client->running);
    struct error error;
    struct value *parameters = NULL;
    struct arena arena = {0};
    client->failed = false;
    status_t status = request_check(client, message, whole, &error);
    if (status == OK)
        status = wire_parameters(message, &arena, &parameters, &error);
    if (status == OK) {
        struct session_request request = {
            .text = slice_from_string(message->sql),
            .parameters = parameters,
            .parameter_count = (uint32_t)message->n_parameters,
            .id = slice_make(message->request_id.data, message->request_id.len),
            .resent = message->resent};
        client->running = true;
        if (message->outcome_only)
            session_outcome(client->session, &request);
        else
            session_submit(client->session, &request);
    } else {
        on_error(client, &error);
        if (!client->streaming)
            execute_finish(client);
    }
    arena_free(&arena);
}

static void client_malformed(struct client *client)
{
    client_finish(client, GRPC_INVALID_ARGUMENT,
                  "08P01: request cannot be decoded, or its text is not valid UTF-8");
}

static void on_execute_message(struct grpc_call *call, struct slice bytes)
{
    struct client *client = grpc_call_user(call);
    if (!client->session)
        return;
    ExecuteRequest *request = execute_request__unpack(NULL, bytes.size, bytes.data);
    if (request)
        client_execute(client, request, wire_strings_whole(request->base.descriptor, bytes));
    else
        client_malformed(client);
    execute_request__free_unpacked(request, NULL);
}

/* ---- sessions -----------------------------------------------------------------------------------
 */

/* Begins the next waiting request, takes more off the stream when there is room, or ends it when
 * there will be no more. */
static void client_advance(struct client *client)
{
    while (!client->running && client->first) {
        struct request *request = request_pop(client);
        client->sequence = request->message->sequence;
        client_execute(client, request->message->execute, request->whole);
        if (request->canceled && client->running)
            session_cancel(client->session);
        request_free(request);
    }
    if (!client->running && client->half_closed) {
        client_finish(client, GRPC_OK, NULL);
    } else if (client->paused && client->waiting <= REQUESTS_WAITING_MAX / 2 &&
               client->waiting_bytes <= REQUESTS_WAITING_BYTES_MAX / 2) {
        client->paused = false;
        grpc_call_resume(client->call); /* may bring messages, and with them the client's end */
    }
}

static void request_queue(struct client *client, SessionRequest *message, struct slice bytes)
{
    struct request *request = mem_alloc(sizeof *request);
    *request = (struct request){.message = message,
                                .size = bytes.size,
                                .whole = wire_strings_whole(message->base.descriptor, bytes)};
    *client->last = request;
    client->last = &request->next;
    client->waiting++;
    client->waiting_bytes += bytes.size;
    if (client->waiting >= REQUESTS_WAITING_MAX ||
        client->waiting_bytes >= REQUESTS_WAITING_BYTES_MAX) {
        client->paused = true;
        grpc_call_pause(client->call);
    }
}

/* Stops the running request, or one that waits: that one is answered when its turn comes. */
static void request_cancel(struct client *client, uint64_t sequence)
{
    if (client->running && client->sequence == sequence)
        session_cancel(client->session);
    for (struct request *request = client->first; request; request = request->next)
        request->canceled |= request->message->sequence == sequence;
}

static void on_session_message(struct grpc_call *call, struct slice bytes)
{
    struct client *client = grpc_call_user(call);
    if (!client->session)
        return;
    SessionRequest *message = session_request__unpack(NULL, bytes.size, bytes.data);
    if (!message || message->command_case == SESSION_REQUEST__COMMAND__NOT_SET) {
        client_malformed(client);
    } else if (message->command_case == SESSION_REQUEST__COMMAND_CANCEL) {
        request_cancel(client, message->sequence);
    } else if (client->running) {
        request_queue(client, message, bytes);
        return;
    } else {
        client->sequence = message->sequence;
        client_execute(client, message->execute,
                       wire_strings_whole(message->base.descriptor, bytes));
    }
    session_request__free_unpacked(message, NULL);
}

static void on_session_half_close(struct grpc_call *call)
{
    struct client *client = grpc_call_user(call);
    client->half_closed = true;
    if (client->session && !client->running)
        client_advance(client);
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
