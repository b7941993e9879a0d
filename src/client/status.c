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
                                       .last_heard_us = node->last_heard_us,
                                       .uid = node->uid,
                                       .promote = node->promote,
                                       .needs_snapshot = node->needs_snapshot};
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

enum toydb_result toydb_status(struct toydb_session *session, struct toydb_status **out,
                               struct toydb_error *error)
{
    ASSERT(out);
    *out = NULL;
    struct buffer answer;
    buffer_init(&answer, 0);
    struct client__unary unary = {.path = "/ToyDB/Status", .answer = &answer};
    enum toydb_result result = client__unary_call(session, &unary, error);
    StatusResponse *response = NULL;
    if (result == TOYDB_OK) {
        response = status_response__unpack(NULL, answer.size, answer.data);
        if (!response)
            result = client__error_set(error, TOYDB_ERROR, "08P01", "node sent a malformed answer");
    }
    if (response) {
        *out = &block_create(response)->status;
        status_response__free_unpacked(response, NULL);
    }
    buffer_free(&answer);
    return result;
}
