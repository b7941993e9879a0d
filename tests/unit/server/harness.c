#include "harness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "scratch.h"

/* ---- the node -----------------------------------------------------------------------------------
 */

static void node_open(struct harness *harness)
{
    struct error error;
    snprintf(harness->config.data_dir, sizeof harness->config.data_dir, "%s", harness->dir);
    status_t status = node_create(&harness->config, &harness->node, &error);
    if (status != OK)
        fail_msg("%s", error.message);
}

void harness_open_config(struct harness *harness, const struct server_config *config)
{
    *harness = (struct harness){.config = *config};
    scratch_make(harness->dir, sizeof harness->dir);
    log_configure(LOG_OFF, NULL, NULL);
    node_open(harness);
}

static bool serves(struct harness *harness)
{
    struct replica_status status;
    replica_status(harness->node->replica, &status);
    return status.has_cluster_id;
}

void harness_open(struct harness *harness)
{
    struct server_config config = {.id = 1, .tick_ms = 5, .election_ticks = 4};
    harness_open_config(harness, &config);
    UNTIL(harness, serves(harness));
}

static void clients_drop(struct harness *harness)
{
    for (uint32_t i = 0; i < harness->client_count; i++)
        client_cut(&harness->clients[i]);
    harness->client_count = 0;
}

static void node_shut(struct harness *harness)
{
    node_stop(harness->node);
    UNTIL(harness, harness->node->stopped);
    assert_int_equal(harness->node->session_count, 0);
    clients_drop(harness);
    node_destroy(harness->node);
}

void harness_close(struct harness *harness)
{
    node_shut(harness);
    scratch_remove(harness->dir);
}

void harness_restart(struct harness *harness)
{
    node_shut(harness);
    node_open(harness);
    UNTIL(harness, serves(harness));
}

/* ---- the clients --------------------------------------------------------------------------------
 */

static void response_note(struct call *call, const ExecuteResponse *response)
{
    switch (response->message_case) {
    case EXECUTE_RESPONSE__MESSAGE_HEADER:
        call->headers++;
        break;
    case EXECUTE_RESPONSE__MESSAGE_ROWS: {
        const Rows *rows = response->rows;
        call->rows += rows->n_rows;
        const Row *last = rows->n_rows ? rows->rows[rows->n_rows - 1] : NULL;
        if (last && last->n_values && last->values[0]->kind_case == VALUE__KIND_INTEGER)
            call->integer = last->values[0]->integer;
        break;
    }
    case EXECUTE_RESPONSE__MESSAGE_COMPLETION:
        call->completions++;
        call->ended += !response->completion->more;
        call->state = response->completion->transaction_state;
        snprintf(call->tag, sizeof call->tag, "%s", response->completion->tag);
        break;
    case EXECUTE_RESPONSE__MESSAGE_ERROR:
        call->errors++;
        call->ended++;
        call->state = response->error->transaction_state;
        snprintf(call->sqlstate, sizeof call->sqlstate, "%s", response->error->sqlstate);
        snprintf(call->text, sizeof call->text, "%s", response->error->message);
        break;
    default:
        fail_msg("a response of no kind");
    }
}

static void on_message(struct grpc_call *grpc, struct slice bytes)
{
    struct call *call = grpc_call_user(grpc);
    if (!call->streaming) {
        ExecuteResponse *response = execute_response__unpack(NULL, bytes.size, bytes.data);
        assert_non_null(response);
        response_note(call, response);
        execute_response__free_unpacked(response, NULL);
        return;
    }
    SessionResponse *response = session_response__unpack(NULL, bytes.size, bytes.data);
    assert_non_null(response);
    assert_non_null(response->response);
    assert_true(response->sequence >= call->sequence);
    call->sequence = response->sequence;
    response_note(call, response->response);
    session_response__free_unpacked(response, NULL);
}

static void on_close(struct grpc_call *grpc, enum grpc_status status, struct slice message)
{
    struct call *call = grpc_call_user(grpc);
    call->call = NULL;
    call->status = status;
    snprintf(call->message, sizeof call->message, "%.*s", (int)message.size,
             (const char *)message.data);
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_close = on_close};

struct client *client_open(struct harness *harness)
{
    struct error error;
    int pair[2];
    assert_true(harness->client_count < CLIENTS_MAX);
    struct client *client = &harness->clients[harness->client_count++];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(conn_adopt(harness->node, pair[0], &error), OK);
    *client = (struct client){.fd = pair[1], .harness = harness};
    client->conn = grpc_conn_create_client(NULL, env_monotonic_us(env_real()));
    return client;
}

void client_cut(struct client *client)
{
    if (client->fd < 0)
        return;
    grpc_conn_destroy(client->conn);
    close(client->fd);
    client->fd = -1;
}

/* True: bytes moved. */
static bool client_turn(struct client *client)
{
    static uint8_t bytes[65536];
    bool moved = false;
    if (client->fd < 0)
        return false;
    struct slice output = grpc_conn_output(client->conn);
    if (output.size) {
        ssize_t sent = send(client->fd, output.data, output.size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0)
            grpc_conn_output_consume(client->conn, (size_t)sent);
        moved = sent > 0;
    }
    if (client->deaf)
        return moved;
    ssize_t got = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) {
        assert_int_equal(grpc_conn_receive(client->conn, slice_make(bytes, (size_t)got),
                                           env_monotonic_us(env_real())),
                         OK);
        return true;
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        client_cut(client);
    return moved;
}

static void turn(struct harness *harness, bool may_wait)
{
    for (uint32_t i = 0; i < harness->client_count; i++)
        may_wait = !client_turn(&harness->clients[i]) && may_wait;
    if (!harness->node->stopped)
        uv_run(&harness->node->loop, may_wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void harness_turn(struct harness *harness)
{
    turn(harness, true);
}

void harness_turns(struct harness *harness, int count)
{
    for (int i = 0; i < count; i++)
        turn(harness, count % 8 == 0);
}

static struct call *call_start(struct client *client, const char *path)
{
    struct call *call = client->calls;
    while (call->call)
        call++;
    assert_true(call < client->calls + CALLS_MAX);
    *call = (struct call){.streaming = strcmp(path, "/ToyDB/Session") == 0};
    call->call = grpc_call_start(client->conn, path, &handlers, call, NULL);
    assert_non_null(call->call);
    return call;
}

struct call *client_session(struct client *client)
{
    return call_start(client, "/ToyDB/Session");
}

static void execute_fill(ExecuteRequest *request, const char *sql, const char *request_id)
{
    execute_request__init(request);
    request->sql = (char *)(uintptr_t)sql;
    if (request_id) {
        request->request_id.data = (uint8_t *)(uintptr_t)request_id;
        request->request_id.len = strlen(request_id);
    }
}

static void message_send(struct call *call, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = mem_alloc(size);
    protobuf_c_message_pack(message, bytes);
    grpc_call_send(call->call, slice_make(bytes, size));
    mem_free(bytes);
}

struct call *client_execute(struct client *client, const char *sql, const char *request_id)
{
    struct call *call = call_start(client, "/ToyDB/Execute");
    ExecuteRequest request;
    execute_fill(&request, sql, request_id);
    message_send(call, &request.base);
    grpc_call_half_close(call->call);
    return call;
}

void call_request(struct call *call, uint64_t sequence, const char *sql, const char *request_id)
{
    SessionRequest request = SESSION_REQUEST__INIT;
    ExecuteRequest execute;
    execute_fill(&execute, sql, request_id);
    request.sequence = sequence;
    request.command_case = SESSION_REQUEST__COMMAND_EXECUTE;
    request.execute = &execute;
    message_send(call, &request.base);
}

void call_outcome(struct call *call, uint64_t sequence, const char *request_id)
{
    SessionRequest request = SESSION_REQUEST__INIT;
    ExecuteRequest execute;
    execute_fill(&execute, "", request_id);
    execute.resent = true;
    execute.outcome_only = true;
    request.sequence = sequence;
    request.command_case = SESSION_REQUEST__COMMAND_EXECUTE;
    request.execute = &execute;
    message_send(call, &request.base);
}

void call_cancel_request(struct call *call, uint64_t sequence)
{
    SessionRequest request = SESSION_REQUEST__INIT;
    Cancel cancel = CANCEL__INIT;
    request.sequence = sequence;
    request.command_case = SESSION_REQUEST__COMMAND_CANCEL;
    request.cancel = &cancel;
    message_send(call, &request.base);
}

void call_run(struct harness *harness, struct call *call, const char *sql)
{
    uint64_t ended = call->ended;
    call->rows = 0;
    call_request(call, call->sequence + 1, sql, NULL);
    UNTIL(harness, call->ended > ended || !call->call);
}

void call_ok(struct harness *harness, struct call *call, const char *sql)
{
    uint32_t errors = call->errors;
    call_run(harness, call, sql);
    if (call->errors > errors || !call->call)
        fail_msg("%s: %s %s %s", sql, call->sqlstate, call->text, call->message);
}

int64_t call_integer(struct harness *harness, struct call *call, const char *sql)
{
    call_ok(harness, call, sql);
    return call->integer;
}

struct call *harness_table(struct harness *harness)
{
    harness_open(harness);
    struct call *call = client_session(client_open(harness));
    call_ok(harness, call, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)");
    return call;
}
