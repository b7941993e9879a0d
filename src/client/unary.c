/* Calls of one message and one answer, next to the session's stream on the same connection. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "client/client_int.h"

/* A node says why something is not so in time; it gets this much longer for saying it. */
enum { ANSWER_US = 2000000 };

/* A call under way. */
struct call_state {
    struct buffer *answer;
    uint32_t answers;
    bool closed;
    enum grpc_status status;
    char message[800];
};

static void on_message(struct grpc_call *call, struct slice message)
{
    struct call_state *state = grpc_call_user(call);
    state->answers++;
    buffer_reset(state->answer);
    buffer_append(state->answer, message.data, message.size);
}

static void on_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    struct call_state *state = grpc_call_user(call);
    state->closed = true;
    state->status = status;
    snprintf(state->message, sizeof state->message, "%.*s",
             message.size > 700 ? 700 : (int)message.size, (const char *)message.data);
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_close = on_close};

/* One try on the connection there is. False: it was lost on the way. */
static bool call_try(struct toydb_session *session, const struct client__unary *unary,
                     struct call_state *state)
{
    struct grpc_conn *conn = session->connection.conn;
    uint64_t timeout_us = (uint64_t)unary->timeout_ms * 1000;
    struct grpc_call_options options = {.timeout_us = timeout_us ? timeout_us + ANSWER_US : 0};
    struct grpc_call *call = grpc_call_start(conn, unary->path, &handlers, state, &options);
    if (!call) {
        client__connection_close(&session->connection);
        return false;
    }
    grpc_call_send(call, unary->request);
    grpc_call_half_close(call);
    while (!state->closed) {
        enum client__wait wait =
            client__connection_wait(&session->connection, session->cancel_fd, UINT64_MAX);
        if (wait == CLIENT__WAIT_LOST) {
            client__connection_close(&session->connection);
            state->status = GRPC_UNAVAILABLE;
            return false;
        }
        if (wait == CLIENT__WAIT_CANCEL) {
            grpc_call_cancel(call);
            state->closed = true;
            state->status = GRPC_CANCELLED;
        }
    }
    return true;
}

/* What a refusal means; its message may have a second line, a hint. */
static enum toydb_result refused(const struct call_state *state, struct toydb_error *error)
{
    enum toydb_result result = TOYDB_ERROR;
    const char *sqlstate = "55000"; /* object not in prerequisite state */
    switch (state->status) {
    case GRPC_CANCELLED:
        return client__error_set(error, TOYDB_ERROR, "57014", "canceled by the user");
    case GRPC_UNAVAILABLE:
        result = TOYDB_UNREACHABLE;
        sqlstate = "57P03";
        break;
    case GRPC_DEADLINE_EXCEEDED:
        if (strcmp(state->message, "deadline exceeded") == 0) /* gRPC's words, not the node's */
            return client__error_set(error, TOYDB_LOST, "57014",
                                     "the node has not answered in time");
        result = TOYDB_LOST;
        sqlstate = "57014";
        break;
    case GRPC_INVALID_ARGUMENT:
        sqlstate = "22023";
        break;
    case GRPC_ALREADY_EXISTS:
        sqlstate = "42710";
        break;
    case GRPC_NOT_FOUND:
        sqlstate = "42704";
        break;
    case GRPC_UNIMPLEMENTED:
        sqlstate = "0A000";
        break;
    case GRPC_UNAUTHENTICATED:
    case GRPC_PERMISSION_DENIED:
        sqlstate = "28000";
        break;
    case GRPC_FAILED_PRECONDITION:
        break;
    default:
        return client__error_set(error, TOYDB_ERROR, "08P01", "call failed: %s: %s",
                                 grpc_status_name(state->status), state->message);
    }
    size_t size = strcspn(state->message, "\n");
    client__error_set(error, result, sqlstate, "%.*s", (int)size, state->message);
    if (error && state->message[size] == '\n')
        snprintf(error->hint, sizeof error->hint, "%s", state->message + size + 1);
    return result;
}

enum toydb_result client__unary_call(struct toydb_session *session,
                                     const struct client__unary *unary, struct toydb_error *error)
{
    ASSERT(unary->path && unary->answer);
    if (session->running)
        client__request_abandon(session);
    client__cancel_clear(session->cancel_fd);
    struct call_state state = {0};
    for (int tries = 0; tries < 2; tries++) {
        enum toydb_result result = client__session_ready(session, error);
        if (result != TOYDB_OK)
            return result;
        state = (struct call_state){.answer = unary->answer};
        if (call_try(session, unary, &state))
            break;
    }
    if (!state.closed || (state.status == GRPC_UNAVAILABLE && !session->connection.conn))
        return client__error_set(error, TOYDB_LOST, "08006", "connection to the node was lost");
    if (state.status != GRPC_OK)
        return refused(&state, error);
    if (state.answers != 1)
        return client__error_set(error, TOYDB_ERROR, "08P01", "node sent a malformed answer");
    return TOYDB_OK;
}
