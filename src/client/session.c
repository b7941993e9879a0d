/* Requests of a session: their life and their cancellation. What becomes of them when the
 * connection is lost is in loss.c.
 *
 * Messages are pulled: when one arrives the call is paused, its events are handed out one by one,
 * and only then is the call resumed for the next. So the memory held is one message, and a reader
 * that stops reading stops the server, through HTTP/2's flow control. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "client/client_int.h"

enum { RETRY_US = 50000 };

/* ---- the stream ----------------------------------------------------------------------------- */

static void on_message(struct grpc_call *call, struct slice bytes)
{
    struct toydb_session *session = grpc_call_user(call);
    ASSERT(session->call == call && !session->message);
    if (!session->running || session->completed)
        return; /* the request is over: its cancel crossed its end */
    arena_reset(&session->message_arena);
    ProtobufCAllocator allocator = client__arena_allocator(&session->message_arena);
    SessionResponse *message = session_response__unpack(&allocator, bytes.size, bytes.data);
    if (message && message->sequence != session->sequence)
        return;
    session->message = message;
    session->message_malformed = !message || !message->response;
    session->next_row = 0;
    grpc_call_pause(call);
}

static void on_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    struct toydb_session *session = grpc_call_user(call);
    ASSERT(session->call == call);
    session->call = NULL;
    session->call_status = status;
    snprintf(session->call_message, sizeof session->call_message, "%.*s",
             message.size > 500 ? 500 : (int)message.size, (const char *)message.data);
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_close = on_close};

/* Begins the Session stream on a fresh connection, which is closed when it cannot. */
static enum toydb_result stream_begin(struct toydb_session *session, const char *name,
                                      struct toydb_error *error)
{
    ASSERT(!session->call);
    session->call =
        grpc_call_start(session->connection.conn, "/ToyDB/Session", &handlers, session, NULL);
    if (session->call)
        return TOYDB_OK;
    client__connection_close(&session->connection);
    return client__error_set(error, TOYDB_UNREACHABLE, "08001",
                             "could not connect to %s: node is shutting down", name);
}

/* Every address once, beginning with the current one. */
static enum toydb_result connect_round(struct toydb_session *session, struct toydb_error *error)
{
    for (uint32_t i = 0; i < session->address_count; i++) {
        const struct client__address *address = &session->addresses[session->address_current];
        status_t status =
            client__connection_open(&session->connection, address, &session->options, error);
        if (status == OK && stream_begin(session, address->text, error) == TOYDB_OK)
            return TOYDB_OK;
        session->address_current = (session->address_current + 1) % session->address_count;
    }
    return TOYDB_UNREACHABLE;
}

enum toydb_result client__session_reconnect(struct toydb_session *session,
                                            struct toydb_error *error)
{
    ASSERT(!session->call);
    client__connection_close(&session->connection);
    if (session->address_count == 0)
        return client__error_set(error, TOYDB_UNREACHABLE, "08001",
                                 "connection to the node was lost and cannot be had again");
    uint64_t until_us = client__now_us() + (uint64_t)session->options.failover_timeout_ms * 1000;
    session->address_current = (session->address_current + 1) % session->address_count;
    for (;;) {
        if (connect_round(session, error) == TOYDB_OK)
            return TOYDB_OK;
        if (client__now_us() >= until_us)
            return TOYDB_UNREACHABLE;
        if (!client__pause(session->cancel_fd, RETRY_US)) {
            client__cancel_clear(session->cancel_fd);
            return client__error_set(error, TOYDB_UNREACHABLE, "57014",
                                     "canceled by the user while looking for a node");
        }
    }
}

enum toydb_result client__session_ready(struct toydb_session *session, struct toydb_error *error)
{
    if (session->call && client__connection_poll(&session->connection) == CLIENT__WAIT_LOST)
        client__connection_close(&session->connection);
    bool idle = session->transaction == TOYDB_TRANSACTION_IDLE;
    if (session->call && !(idle && grpc_conn_draining(session->connection.conn)))
        return TOYDB_OK;
    session->transaction = TOYDB_TRANSACTION_IDLE;
    if (!idle)
        return client__transaction_lost(session, error);
    client__connection_close(&session->connection);
    return client__session_reconnect(session, error);
}

/* NULL when the process has too many files open. */
static struct toydb_session *session_create(const struct toydb_options *options,
                                            struct toydb_error *error)
{
    int cancel_fd = client__cancel_create();
    if (cancel_fd < 0) {
        client__error_set(error, TOYDB_UNREACHABLE, "53000", "too many open files");
        return NULL;
    }
    struct toydb_session *session = mem_zalloc(1, sizeof *session);
    session->connection.fd = -1;
    session->cancel_fd = cancel_fd;
    if (options)
        session->options = *options;
    if (!session->options.connect_timeout_ms)
        session->options.connect_timeout_ms = 3000;
    if (!session->options.failover_timeout_ms)
        session->options.failover_timeout_ms = 15000;
    if (!session->options.keepalive_ms)
        session->options.keepalive_ms = 10000;
    env_random_bytes(env_real(), session->id, sizeof session->id);
    return session;
}

struct toydb_session *toydb_session_open(const char *addresses, const struct toydb_options *options,
                                         struct toydb_error *error)
{
    struct toydb_session *session = session_create(options, error);
    if (!session)
        return NULL;
    status_t status =
        client__addresses_parse(addresses, session->addresses, &session->address_count, error);
    if (status == OK && connect_round(session, error) == TOYDB_OK)
        return session;
    toydb_session_close(session);
    return NULL;
}

struct toydb_session *toydb_session_open_fd(int fd, const struct toydb_options *options,
                                            struct toydb_error *error)
{
    struct toydb_session *session = session_create(options, error);
    if (!session) {
        client__connection_close(&(struct client__connection){.fd = fd});
        return NULL;
    }
    struct client__address *name = &session->addresses[0];
    snprintf(name->text, sizeof name->text, "local");
    if (client__connection_adopt(&session->connection, fd, name->text, &session->options, error) ==
            OK &&
        stream_begin(session, name->text, error) == TOYDB_OK)
        return session;
    toydb_session_close(session);
    return NULL;
}

void toydb_session_close(struct toydb_session *session)
{
    if (!session)
        return;
    if (session->call) {
        grpc_call_cancel(session->call);
        session->call = NULL;
        enum client__wait wait = client__connection_poll(&session->connection);
        MAYBE(wait == CLIENT__WAIT_MOVED); /* else the loss of the connection says it */
    }
    client__connection_close(&session->connection);
    client__cancel_destroy(session->cancel_fd);
    buffer_free(&session->request);
    arena_free(&session->message_arena);
    arena_free(&session->header_arena);
    mem_free(session);
}

/* ---- beginning a request -------------------------------------------------------------------- */

/* Is `word` in `text`, as a word of its own? It errs on the side of yes: strings and comments are
 * not told apart. */
static bool text_has_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)); at += size) {
        bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool ends = !(isalnum((unsigned char)at[size]) || at[size] == '_');
        if (begins && ends)
            return true;
    }
    return false;
}

/* Might it end the open transaction and so commit something? */
static bool text_may_commit(const char *text)
{
    bool several = strchr(text, ';') != NULL;
    return text_has_word(text, "commit") || text_has_word(text, "end") ||
           (several && (text_has_word(text, "rollback") || text_has_word(text, "abort")));
}

static enum toydb_result request_encode(struct toydb_session *session, const char *sql,
                                        const struct toydb_value *parameters,
                                        size_t parameter_count, struct toydb_error *error)
{
    struct arena arena;
    arena_init(&arena);
    SessionRequest request;
    session_request__init(&request);
    ExecuteRequest execute;
    execute_request__init(&execute);
    request.sequence = session->sequence;
    request.command_case = SESSION_REQUEST__COMMAND_EXECUTE;
    request.execute = &execute;
    execute.sql = (char *)(uintptr_t)sql;

    uint8_t id[sizeof session->id + 8];
    memcpy(id, session->id, sizeof session->id);
    put_u64_be(id + sizeof session->id, session->sequence);
    execute.request_id.data = id;
    execute.request_id.len = sizeof id;

    bool valid = true;
    Value *values = arena_alloc(&arena, parameter_count * sizeof *values);
    execute.n_parameters = parameter_count;
    execute.parameters = arena_alloc(&arena, parameter_count * sizeof *execute.parameters);
    for (size_t i = 0; i < parameter_count; i++) {
        execute.parameters[i] = &values[i];
        valid = client__value_encode(&arena, &parameters[i], &values[i]) && valid;
    }
    size_t size = valid ? session_request__get_packed_size(&request) : 0;
    if (size && size <= CLIENT__SQL_MAX) {
        buffer_reset(&session->request);
        status_t status = buffer_reserve(&session->request, size);
        ASSERT(status == OK);
        session->request.size = session_request__pack(&request, session->request.data);
        ASSERT(session->request.size == size);
    }
    arena_free(&arena);
    if (!valid)
        return client__error_set(error, TOYDB_ERROR, "22021", "text parameter has a NUL character");
    if (size > CLIENT__SQL_MAX)
        return client__error_set(error, TOYDB_ERROR, "54000", "statement is too long");
    return TOYDB_OK;
}

static void message_drop(struct toydb_session *session)
{
    session->message = NULL;
    session->message_malformed = false;
}

void client__request_over(struct toydb_session *session)
{
    session->running = false;
    session->completed = false;
    session->columns = NULL;
    session->column_count = 0;
    message_drop(session);
    if (session->call)
        grpc_call_resume(session->call);
}

static void request_cancel(struct toydb_session *session)
{
    if (!session->call || session->completed)
        return;
    if (session->cancel_sent) {
        client__connection_close(&session->connection);
        return;
    }
    session->cancel_sent = true;
    SessionRequest request;
    session_request__init(&request);
    Cancel cancel;
    cancel__init(&cancel);
    request.sequence = session->sequence;
    request.command_case = SESSION_REQUEST__COMMAND_CANCEL;
    request.cancel = &cancel;
    uint8_t bytes[64];
    ASSERT(session_request__get_packed_size(&request) <= sizeof bytes);
    grpc_call_send(session->call, slice_make(bytes, session_request__pack(&request, bytes)));
}

void client__request_abandon(struct toydb_session *session)
{
    struct toydb_event event;
    if (!session->completed)
        request_cancel(session);
    while (session->running) {
        enum toydb_result result = toydb_next(session, &event, NULL);
        MAYBE(result == TOYDB_OK); /* anything else ends it too */
    }
}

enum toydb_result toydb_start(struct toydb_session *session, const char *sql,
                              const struct toydb_value *parameters, size_t parameter_count,
                              struct toydb_error *error)
{
    if (session->running)
        client__request_abandon(session);
    client__cancel_clear(session->cancel_fd);
    session->sequence = ++session->requests;
    enum toydb_result result = request_encode(session, sql, parameters, parameter_count, error);
    if (result == TOYDB_OK)
        result = client__session_ready(session, error);
    if (result != TOYDB_OK)
        return result;
    session->running = true;
    session->delivered = false;
    session->completed = false;
    session->cancel_sent = false;
    session->resends = 0;
    session->outcome_only = false;
    session->may_commit = text_may_commit(sql);
    grpc_call_send(session->call, buffer_slice(&session->request));
    return TOYDB_OK;
}

/* ---- events --------------------------------------------------------------------------------- */

static void transaction_set(struct toydb_session *session, TransactionState state)
{
    switch (state) {
    case TRANSACTION_STATE__TRANSACTION_STATE_OPEN:
        session->transaction = TOYDB_TRANSACTION_OPEN;
        break;
    case TRANSACTION_STATE__TRANSACTION_STATE_FAILED:
        session->transaction = TOYDB_TRANSACTION_FAILED;
        break;
    default:
        session->transaction = TOYDB_TRANSACTION_IDLE;
        break;
    }
}

static enum toydb_result message_reject(struct toydb_session *session, struct toydb_error *error)
{
    client__request_over(session);
    client__connection_close(&session->connection);
    session->transaction = TOYDB_TRANSACTION_IDLE;
    return client__error_set(error, TOYDB_LOST, "08P01", "node sent a malformed answer");
}

static void header_take(struct toydb_session *session, const Header *header,
                        struct toydb_event *event)
{
    arena_reset(&session->header_arena);
    session->column_count = (uint32_t)header->n_columns;
    session->columns = client__columns_decode(&session->header_arena, header);
    session->values =
        arena_zalloc(&session->header_arena, header->n_columns * sizeof *session->values);
    event->kind = TOYDB_HEADER;
}

/* False: the row has not as many values as there are columns. */
static bool row_take(struct toydb_session *session, const Row *row, struct toydb_event *event)
{
    if (row->n_values != session->column_count || !session->columns)
        return false;
    for (uint32_t i = 0; i < session->column_count; i++)
        client__value_decode(row->values[i], &session->values[i]);
    event->kind = TOYDB_ROW;
    event->values = session->values;
    return true;
}

static void completion_take(struct toydb_session *session, const Completion *completion,
                            struct toydb_event *event)
{
    transaction_set(session, completion->transaction_state);
    session->completed = !completion->more;
    event->kind = TOYDB_COMPLETION;
    event->tag = completion->tag;
    event->rows = completion->rows;
    event->elapsed_us = completion->elapsed_us;
}

enum take { TAKE_EVENT, TAKE_NOTHING, TAKE_ERROR, TAKE_MALFORMED };

/* The next event of the message at hand. */
static enum take message_take(struct toydb_session *session, struct toydb_event *event)
{
    if (session->message_malformed)
        return TAKE_MALFORMED;
    const ExecuteResponse *response = session->message->response;
    bool first = session->next_row == 0;
    switch (response->message_case) {
    case EXECUTE_RESPONSE__MESSAGE_HEADER:
        if (!first)
            return TAKE_NOTHING;
        header_take(session, response->header, event);
        break;
    case EXECUTE_RESPONSE__MESSAGE_ROWS:
        if (session->next_row == response->rows->n_rows)
            return TAKE_NOTHING;
        if (!row_take(session, response->rows->rows[session->next_row], event))
            return TAKE_MALFORMED;
        break;
    case EXECUTE_RESPONSE__MESSAGE_COMPLETION:
        if (!first)
            return TAKE_NOTHING;
        completion_take(session, response->completion, event);
        break;
    case EXECUTE_RESPONSE__MESSAGE_ERROR:
        return TAKE_ERROR;
    default:
        return TAKE_NOTHING; /* a kind of message newer than this client */
    }
    session->next_row++;
    event->columns = session->columns;
    event->column_count = session->column_count;
    return TAKE_EVENT;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static enum toydb_result error_take(struct toydb_session *session, struct toydb_error *error)
{
    const Error *message = session->message->response->error;
    client__error_decode(message, error);
    transaction_set(session, message->transaction_state);
    enum toydb_result result = client__resend_judge(session, message->sqlstate, error);
    client__request_over(session);
    return result;
}

enum toydb_result toydb_next(struct toydb_session *session, struct toydb_event *event,
                             struct toydb_error *error)
{
    *event = (struct toydb_event){.kind = TOYDB_END};
    for (;;) {
        if (!session->running || session->completed) {
            client__request_over(session);
            return TOYDB_OK;
        }
        if (session->message || session->message_malformed) {
            switch (message_take(session, event)) {
            case TAKE_EVENT:
                session->delivered = true;
                return TOYDB_OK;
            case TAKE_ERROR:
                return error_take(session, error);
            case TAKE_MALFORMED:
                return message_reject(session, error);
            case TAKE_NOTHING:
                message_drop(session);
                break;
            }
        }
        if (session->call)
            grpc_call_resume(session->call); /* may bring the next message at once, or the end */
        if (session->message || session->message_malformed)
            continue;
        if (!session->call) {
            enum toydb_result result = client__request_lost(session, error);
            if (result != TOYDB_OK)
                return result;
            continue;
        }
        switch (client__connection_wait(&session->connection, session->cancel_fd, UINT64_MAX)) {
        case CLIENT__WAIT_CANCEL:
            request_cancel(session);
            break;
        case CLIENT__WAIT_LOST:
            client__connection_close(&session->connection);
            break;
        case CLIENT__WAIT_MOVED:
        case CLIENT__WAIT_TIMEOUT:
            break;
        }
    }
}

enum toydb_result toydb_execute(struct toydb_session *session, const char *sql,
                                const struct toydb_value *parameters, size_t parameter_count,
                                toydb_event_fn *each, void *context, struct toydb_error *error)
{
    struct toydb_event event;
    enum toydb_result result = toydb_start(session, sql, parameters, parameter_count, error);
    while (result == TOYDB_OK) {
        result = toydb_next(session, &event, error);
        if (result != TOYDB_OK || event.kind == TOYDB_END)
            break;
        if (each && !each(context, &event)) {
            client__request_abandon(session);
            break;
        }
    }
    return result;
}

void toydb_cancel(struct toydb_session *session)
{
    client__cancel_fire(session->cancel_fd);
}

enum toydb_transaction_state toydb_transaction_state(const struct toydb_session *session)
{
    return session->transaction;
}

const char *toydb_peer(const struct toydb_session *session)
{
    return session->addresses[session->address_current].text;
}
