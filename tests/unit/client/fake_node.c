#include "fake_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "protobuf/toydb.pb-c.h"

enum { ROWS_A_MESSAGE = 10, QUEUE_MAX = 64 << 10 };

struct fake_session {
    struct fake_node *node;
    struct grpc_call *call;
    TransactionState transaction;
    uint64_t sequence;
    uint64_t hanging;           /* sequence of a HANG, 0: none */
    uint64_t rows_at, rows_end; /* of a ROWS that is being sent */
    bool more;
};

/* ---- answers -------------------------------------------------------------------------------- */

static size_t response_send(struct fake_session *session, ExecuteResponse *response)
{
    SessionResponse message;
    session_response__init(&message);
    message.sequence = session->sequence;
    message.response = response;
    size_t size = session_response__get_packed_size(&message);
    uint8_t *bytes = mem_alloc(size);
    session_response__pack(&message, bytes);
    size_t queued = grpc_call_send(session->call, slice_make(bytes, size));
    mem_free(bytes);
    return queued;
}

static void header_send(struct fake_session *session, size_t count, const char *const *names,
                        const Type *types)
{
    Column columns[8];
    Column *pointers[8];
    ASSERT(count <= 8);
    for (size_t i = 0; i < count; i++) {
        column__init(&columns[i]);
        columns[i].name = (char *)(uintptr_t)names[i];
        columns[i].type = types[i];
        columns[i].type_name = (char *)(uintptr_t) "some type";
        pointers[i] = &columns[i];
    }
    Header header;
    header__init(&header);
    header.n_columns = count;
    header.columns = pointers;
    ExecuteResponse response;
    execute_response__init(&response);
    response.message_case = EXECUTE_RESPONSE__MESSAGE_HEADER;
    response.header = &header;
    response_send(session, &response);
}

static void row_send(struct fake_session *session, size_t count, Value **values)
{
    Row row;
    row__init(&row);
    row.n_values = count;
    row.values = values;
    Row *row_pointer = &row;
    Rows rows;
    rows__init(&rows);
    rows.n_rows = 1;
    rows.rows = &row_pointer;
    ExecuteResponse response;
    execute_response__init(&response);
    response.message_case = EXECUTE_RESPONSE__MESSAGE_ROWS;
    response.rows = &rows;
    response_send(session, &response);
}

static void completion_send(struct fake_session *session, const char *tag, uint64_t rows)
{
    Completion completion;
    completion__init(&completion);
    completion.tag = (char *)(uintptr_t)tag;
    completion.rows = rows;
    completion.transaction_state = session->transaction;
    completion.elapsed_us = 123;
    completion.more = session->more;
    ExecuteResponse response;
    execute_response__init(&response);
    response.message_case = EXECUTE_RESPONSE__MESSAGE_COMPLETION;
    response.completion = &completion;
    response_send(session, &response);
}

static void error_send(struct fake_session *session, const char *sqlstate, const char *text)
{
    if (session->transaction == TRANSACTION_STATE__TRANSACTION_STATE_OPEN)
        session->transaction = TRANSACTION_STATE__TRANSACTION_STATE_FAILED;
    Error error;
    error__init(&error);
    error.sqlstate = (char *)(uintptr_t)sqlstate;
    error.message = (char *)(uintptr_t)text;
    error.detail = (char *)(uintptr_t) "Some detail.";
    error.hint = (char *)(uintptr_t) "Some hint.";
    error.position = 7;
    error.transaction_state = session->transaction;
    ExecuteResponse response;
    execute_response__init(&response);
    response.message_case = EXECUTE_RESPONSE__MESSAGE_ERROR;
    response.error = &error;
    response_send(session, &response);
}

/* ---- statements ----------------------------------------------------------------------------- */

static size_t rows_message_send(struct fake_session *session, uint64_t count)
{
    ASSERT(count <= ROWS_A_MESSAGE);
    Value values[ROWS_A_MESSAGE][2];
    Value *pointers[ROWS_A_MESSAGE][2];
    char texts[ROWS_A_MESSAGE][32];
    Row rows[ROWS_A_MESSAGE];
    Row *row_pointers[ROWS_A_MESSAGE];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = session->rows_at + i;
        value__init(&values[i][0]);
        values[i][0].kind_case = VALUE__KIND_INTEGER;
        values[i][0].integer = (int64_t)number;
        snprintf(texts[i], sizeof texts[i], "row %llu", (unsigned long long)number);
        value__init(&values[i][1]);
        values[i][1].kind_case = VALUE__KIND_TEXT;
        values[i][1].text = texts[i];
        pointers[i][0] = &values[i][0];
        pointers[i][1] = &values[i][1];
        row__init(&rows[i]);
        rows[i].n_values = 2;
        rows[i].values = pointers[i];
        row_pointers[i] = &rows[i];
    }
    Rows message;
    rows__init(&message);
    message.n_rows = count;
    message.rows = row_pointers;
    ExecuteResponse response;
    execute_response__init(&response);
    response.message_case = EXECUTE_RESPONSE__MESSAGE_ROWS;
    response.rows = &message;
    session->rows_at += count;
    atomic_fetch_add(&session->node->rows_sent, (unsigned)count);
    return response_send(session, &response);
}

static void rows_run(struct grpc_call *call)
{
    struct fake_session *session = grpc_call_user(call);
    if (session->rows_end == 0)
        return;
    while (session->rows_at < session->rows_end) {
        uint64_t left = session->rows_end - session->rows_at;
        if (rows_message_send(session, left < ROWS_A_MESSAGE ? left : ROWS_A_MESSAGE) > QUEUE_MAX)
            return;
    }
    char tag[32];
    snprintf(tag, sizeof tag, "SELECT %llu", (unsigned long long)session->rows_end);
    completion_send(session, tag, session->rows_end);
    session->rows_end = 0;
}

static void rows_begin(struct fake_session *session, uint64_t count)
{
    static const char *const names[] = {"number", "name"};
    static const Type types[] = {TYPE__TYPE_INTEGER, TYPE__TYPE_TEXT};
    header_send(session, 2, names, types);
    session->rows_at = 0;
    session->rows_end = count;
    if (count == 0)
        completion_send(session, "SELECT 0", 0);
    else
        rows_run(session->call);
}

static void echo(struct fake_session *session, const ExecuteRequest *request)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    Type types[8] = {0};
    header_send(session, request->n_parameters, names, types);
    row_send(session, request->n_parameters, request->parameters);
    completion_send(session, "SELECT 1", 1);
}

static bool id_was_dropped(struct fake_node *node, const ExecuteRequest *request)
{
    return node->dropped_id_size == request->request_id.len &&
           memcmp(node->dropped_id, request->request_id.data, request->request_id.len) == 0;
}

static void drop(struct fake_session *session, const char *how, const ExecuteRequest *request)
{
    struct fake_node *node = session->node;
    ASSERT(request->request_id.len > 0 && request->request_id.len <= sizeof node->dropped_id);
    if (*how == 0 && id_was_dropped(node, request)) {
        rows_begin(session, 1);
        return;
    }
    if (strcmp(how, " MINORITY") == 0 && id_was_dropped(node, request)) {
        error_send(session, "57P03", "no quorum");
        return;
    }
    memcpy(node->dropped_id, request->request_id.data, request->request_id.len);
    node->dropped_id_size = request->request_id.len;
    bool after = strcmp(how, " AFTER") == 0;
    if (after)
        rows_begin(session, 1);
    poll_server_drop(grpc_call_conn(session->call), after || strcmp(how, " LATER") == 0);
}

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static void transaction_run(struct fake_session *session, const char *text)
{
    session->transaction = begins(text, "BEGIN") ? TRANSACTION_STATE__TRANSACTION_STATE_OPEN
                                                 : TRANSACTION_STATE__TRANSACTION_STATE_IDLE;
    completion_send(session, text, 0);
}

/* Answers that no good node gives. */
static void misbehave(struct fake_session *session, const char *text)
{
    if (begins(text, "REFUSE")) {
        grpc_call_finish(session->call, GRPC_UNAUTHENTICATED, "who are you");
    } else if (begins(text, "GARBAGE")) {
        grpc_call_send(session->call, slice_from_string("\xff\xff\xff"));
    } else {
        static const char *const names[] = {"a", "b"};
        static const Type types[] = {TYPE__TYPE_INTEGER, TYPE__TYPE_TEXT};
        header_send(session, 2, names, types);
        row_send(session, 0, NULL);
    }
}

/* False: the request ends here. */
static bool statement_run(struct fake_session *session, const char *text,
                          const ExecuteRequest *request)
{
    if (begins(text, "ROWS ")) {
        rows_begin(session, strtoull(text + 5, NULL, 10));
    } else if (begins(text, "ECHO")) {
        echo(session, request);
    } else if (begins(text, "BEGIN") || begins(text, "COMMIT") || begins(text, "ROLLBACK")) {
        transaction_run(session, text);
    } else if (begins(text, "FAIL")) {
        error_send(session, "42601", "syntax error");
        return false;
    } else if (begins(text, "STALE")) {
        session->sequence--;
        error_send(session, "57014", "canceling statement due to user request");
        session->sequence++;
        rows_begin(session, 1);
    } else if (begins(text, "HANG")) {
        session->hanging = session->sequence;
    } else if (begins(text, "DROP")) {
        drop(session, text + 4, request);
        return false;
    } else if (begins(text, "GOAWAY")) {
        rows_begin(session, 1);
        grpc_conn_shutdown(grpc_call_conn(session->call));
    } else if (!begins(text, "DEAF")) {
        misbehave(session, text);
        return false;
    }
    return true;
}

static void outcome(struct fake_session *session, const ExecuteRequest *request)
{
    if (!request->resent || !id_was_dropped(session->node, request))
        error_send(session, "XX000", "nobody has asked for this");
    else if (strcmp(request->sql, "DROP COMMIT") == 0)
        completion_send(session, "COMMIT", 0);
    else if (strcmp(request->sql, "DROP COMMIT MINORITY") == 0)
        error_send(session, "40003", "not known");
    else
        error_send(session, "40000", "rolled back");
}

static void execute(struct fake_session *session, const ExecuteRequest *request)
{
    atomic_fetch_add(&session->node->requests, 1);
    if (request->resent)
        atomic_fetch_add(&session->node->resent, 1);
    if (request->outcome_only) {
        outcome(session, request);
        return;
    }
    char *copy = mem_strdup(request->sql);
    char *text = copy;
    while (text) {
        char *next = strchr(text, ';');
        if (next)
            *next++ = 0;
        session->more = next != NULL;
        if (!statement_run(session, text, request))
            break;
        text = next;
    }
    mem_free(copy);
}

/* ---- the service ---------------------------------------------------------------------------- */

static void session_start(struct grpc_call *call)
{
    struct fake_session *session = mem_zalloc(1, sizeof *session);
    session->node = grpc_call_context(call);
    session->call = call;
    grpc_call_user_set(call, session);
    atomic_fetch_add(&session->node->sessions, 1);
}

static void session_message(struct grpc_call *call, struct slice bytes)
{
    struct fake_session *session = grpc_call_user(call);
    SessionRequest *request = session_request__unpack(NULL, bytes.size, bytes.data);
    ASSERT(request);
    if (request->command_case == SESSION_REQUEST__COMMAND_EXECUTE) {
        ASSERT(request->sequence > session->sequence);
        session->sequence = request->sequence;
        execute(session, request->execute);
        session_request__free_unpacked(request, NULL);
        return;
    }
    atomic_fetch_add(&session->node->cancels, 1);
    if (request->sequence == session->sequence && session->hanging) {
        session->hanging = 0;
        error_send(session, "57014", "canceling statement due to user request");
    } else if (request->sequence == session->sequence && session->rows_end) {
        session->rows_end = 0;
        error_send(session, "57014", "canceling statement due to user request");
    }
    session_request__free_unpacked(request, NULL);
}

static void session_half_close(struct grpc_call *call)
{
    grpc_call_finish(call, GRPC_OK, NULL);
}

static void session_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status, (void)message;
    mem_free(grpc_call_user(call));
}

static void status_message(struct grpc_call *call, struct slice bytes)
{
    (void)bytes;
    Node nodes[2];
    Node *pointers[2] = {&nodes[0], &nodes[1]};
    for (uint32_t i = 0; i < 2; i++) {
        node__init(&nodes[i]);
        nodes[i].id = i + 1;
        nodes[i].address = (char *)(uintptr_t)(i ? "two:9602" : "one:9601");
        nodes[i].role = (char *)(uintptr_t)(i ? "follower" : "leader");
        nodes[i].voter = true;
    }
    Storage storage;
    storage__init(&storage);
    storage.kv_file_bytes = 4096;
    StatusResponse response;
    status_response__init(&response);
    response.id = 1;
    response.version = (char *)(uintptr_t) "0.1.0";
    response.term = 77;
    response.n_nodes = 2;
    response.nodes = pointers;
    response.storage = &storage;
    uint8_t packed[512];
    ASSERT(status_response__get_packed_size(&response) <= sizeof packed);
    grpc_call_send(call, slice_make(packed, status_response__pack(&response, packed)));
    grpc_call_finish(call, GRPC_OK, NULL);
}

/* What RemoveNode answers says the id. */
static void remove_message(struct grpc_call *call, struct slice bytes)
{
    static const struct {
        enum grpc_status status;
        const char *message;
    } refusals[] = {
        [1] = {GRPC_FAILED_PRECONDITION, "it is the last voter\nAdd another one before."},
        [2] = {GRPC_NOT_FOUND, "there is none"},
        [3] = {GRPC_UNAVAILABLE, "no leader"},
        [4] = {GRPC_DEADLINE_EXCEEDED, "not yet"},
        [5] = {GRPC_INTERNAL, "broken"},
    };
    struct fake_node *node = grpc_call_context(call);
    NodeRequest *request = node_request__unpack(NULL, bytes.size, bytes.data);
    ASSERT(request);
    uint32_t id = request->id;
    node_request__free_unpacked(request, NULL);
    if (id && id < sizeof refusals / sizeof *refusals) {
        grpc_call_finish(call, refusals[id].status, refusals[id].message);
    } else if (id == 6) {
        grpc_call_send(call, slice_from_string("\xff\xff\xff"));
        grpc_call_finish(call, GRPC_OK, NULL);
    } else if (id == 7 && atomic_fetch_add(&node->removals, 1) == 0) {
        poll_server_drop(grpc_call_conn(call), false);
    } else if (id == 8) {
        poll_server_drop(grpc_call_conn(call), false);
    } else {
        static uint8_t cluster_id[16] = {7};
        MembersResponse response = MEMBERS_RESPONSE__INIT;
        response.cluster_id = (ProtobufCBinaryData){.data = cluster_id, .len = sizeof cluster_id};
        response.index = 5;
        uint8_t packed[64];
        grpc_call_send(call, slice_make(packed, members_response__pack(&response, packed)));
        grpc_call_finish(call, GRPC_OK, NULL);
    }
}

static void node_run(void *argument)
{
    struct fake_node *node = argument;
    poll_server_run(&node->poll_server, node->stop_fd);
}

void fake_node_start(struct fake_node *node, uint16_t port)
{
    *node = (struct fake_node){0};
    const struct grpc_method methods[] = {
        {"/ToyDB/Session",
         true,
         {session_start, session_message, session_half_close, rows_run, session_close},
         node,
         0},
        {"/ToyDB/Status", false, {NULL, status_message, NULL, NULL, NULL}, node, 0},
        {"/ToyDBAdmin/RemoveNode", false, {NULL, remove_message, NULL, NULL, NULL}, node, 0},
    };
    node->server = grpc_server_create(methods, 3, NULL);
    node->stop_fd = eventfd(0, EFD_CLOEXEC);
    ASSERT(node->stop_fd >= 0);
    bool listening = poll_server_listen(&node->poll_server, node->server, port);
    ASSERT(listening);
    snprintf(node->address, sizeof node->address, "127.0.0.1:%u", node->poll_server.port);
    node->thread = env_thread_start("fake node", node_run, node);
}

void fake_node_stop(struct fake_node *node)
{
    uint64_t one = 1;
    ssize_t written = write(node->stop_fd, &one, sizeof one);
    ASSERT(written == sizeof one);
    env_thread_join(node->thread);
    close(node->stop_fd);
    grpc_server_destroy(node->server);
}
