/* The Status call. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "client/client_int.h"

/* What the public struct points to is in the arena. */
struct status_block {
    struct arena arena;
    struct toydb_status status;
};

struct status_request {
    struct status_block *block; /* filled when the answer came */
    bool malformed;
    bool closed;
    enum grpc_status status;
    char message[256];
};

static const char *text_copy(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

static const struct toydb_node *nodes_copy(struct arena *arena, const StatusResponse *response)
{
    struct toydb_node *nodes = arena_zalloc(arena, response->n_nodes * sizeof *nodes);
    for (size_t i = 0; i < response->n_nodes; i++) {
        const Node *node = response->nodes[i];
        nodes[i] = (struct toydb_node){.id = node->id,
                                       .address = text_copy(arena, node->address),
                                       .role = text_copy(arena, node->role),
                                       .voter = node->voter,
                                       .match_index = node->match_index,
                                       .last_heard_us = node->last_heard_us};
    }
    return nodes;
}

static struct status_block *block_create(const StatusResponse *response)
{
    struct status_block *block = mem_zalloc(1, sizeof *block);
    struct arena *arena = &block->arena;
    block->status = (struct toydb_status){
        .id = response->id,
        .version = text_copy(arena, response->version),
        .cluster_id = text_copy(arena, response->cluster_id),
        .time_us = response->time_us,
        .uptime_us = response->uptime_us,
        .leader = response->leader,
        .term = response->term,
        .role = text_copy(arena, response->role),
        .nodes = nodes_copy(arena, response),
        .node_count = (uint32_t)response->n_nodes,
        .commit_index = response->commit_index,
        .applied_index = response->applied_index,
        .first_log_index = response->first_log_index,
        .last_log_index = response->last_log_index,
        .last_version_us = response->last_version_us,
        .sessions = response->sessions,
    };
    if (response->storage) {
        block->status.kv_file_bytes = response->storage->kv_file_bytes;
        block->status.kv_used_bytes = response->storage->kv_used_bytes;
        block->status.log_bytes = response->storage->log_bytes;
        block->status.checkpoint_index = response->storage->checkpoint_index;
    }
    return block;
}

void toydb_status_free(struct toydb_status *status)
{
    if (!status)
        return;
    struct status_block *block =
        (struct status_block *)((char *)status - offsetof(struct status_block, status));
    arena_free(&block->arena);
    mem_free(block);
}

static void on_message(struct grpc_call *call, struct slice message)
{
    struct status_request *request = grpc_call_user(call);
    StatusResponse *response = status_response__unpack(NULL, message.size, message.data);
    if (!response || request->block) {
        request->malformed = true;
    } else {
        request->block = block_create(response);
    }
    if (response)
        status_response__free_unpacked(response, NULL);
}

static void on_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    struct status_request *request = grpc_call_user(call);
    request->closed = true;
    request->status = status;
    size_t size =
        message.size < sizeof request->message ? message.size : sizeof request->message - 1;
    if (size)
        memcpy(request->message, message.data, size);
    request->message[size] = 0;
}

static const struct grpc_handlers handlers = {.on_message = on_message, .on_close = on_close};

/* One try on the connection there is. False: it was lost on the way. */
static bool status_try(struct toydb_session *session, struct status_request *request)
{
    struct grpc_conn *conn = session->connection.conn;
    struct grpc_call *call = grpc_call_start(conn, "/ToyDB/Status", &handlers, request, NULL);
    if (!call)
        return false;
    grpc_call_send(call, (struct slice){0}); /* a StatusRequest has no fields */
    grpc_call_half_close(call);
    while (!request->closed) {
        enum client__wait wait =
            client__connection_wait(&session->connection, session->cancel_fd, UINT64_MAX);
        if (wait == CLIENT__WAIT_LOST) {
            client__connection_close(&session->connection);
        } else if (wait == CLIENT__WAIT_CANCEL) {
            grpc_call_cancel(call);
            request->closed = true;
            request->status = GRPC_CANCELLED;
        }
    }
    return request->status != GRPC_UNAVAILABLE;
}

enum toydb_result toydb_status(struct toydb_session *session, struct toydb_status **out,
                               struct toydb_error *error)
{
    ASSERT(out);
    *out = NULL;
    if (session->running)
        client__request_abandon(session);
    client__cancel_clear(session->cancel_fd);
    struct status_request request = {0};
    for (int tries = 0; tries < 2; tries++) {
        enum toydb_result result = client__session_ready(session, error);
        if (result != TOYDB_OK)
            return result;
        request = (struct status_request){0};
        if (status_try(session, &request))
            break;
    }
    if (request.block && request.status == GRPC_OK && !request.malformed) {
        *out = &request.block->status;
        return TOYDB_OK;
    }
    if (request.block)
        toydb_status_free(&request.block->status);
    if (request.status == GRPC_UNAVAILABLE || !request.closed)
        return client__error_set(error, TOYDB_LOST, "08006", "connection to the node was lost");
    if (request.status == GRPC_CANCELLED)
        return client__error_set(error, TOYDB_ERROR, "57014", "canceled by the user");
    return client__error_set(error, TOYDB_ERROR, "08P01", "status call failed: %s: %s",
                             grpc_status_name(request.status), request.message);
}
