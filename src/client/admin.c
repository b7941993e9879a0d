/* Administration: ToyDBAdmin of protobuf/toydb.proto. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "client/client_int.h"

/* What the public structs point to is in the arena. */
struct members_block {
    struct arena arena;
    struct toydb_members members;
};

struct check_block {
    struct arena arena;
    struct toydb_check check;
};

static enum toydb_result malformed(struct toydb_error *error)
{
    return client__error_set(error, TOYDB_ERROR, "08P01", "node sent a malformed answer");
}

/* TOYDB_OK: `answer` is filled. */
static enum toydb_result admin_call(struct toydb_session *session, const char *path,
                                    const ProtobufCMessage *message, uint32_t timeout_ms,
                                    struct buffer *answer, struct toydb_error *error)
{
    struct buffer request;
    buffer_init(&request, 0);
    size_t size = protobuf_c_message_get_packed_size(message);
    status_t status = buffer_reserve(&request, size);
    ASSERT(status == OK);
    request.size = protobuf_c_message_pack(message, request.data);
    struct client__unary unary = {.path = path,
                                  .request = buffer_slice(&request),
                                  .timeout_ms = timeout_ms,
                                  .answer = answer};
    enum toydb_result result = client__unary_call(session, &unary, error);
    buffer_free(&request);
    return result;
}

/* ---- members ------------------------------------------------------------------------------- */

static struct toydb_members *members_create(const MembersResponse *response)
{
    struct members_block *block = mem_zalloc(1, sizeof *block);
    struct toydb_member *items = arena_zalloc(&block->arena, response->n_members * sizeof *items);
    for (size_t i = 0; i < response->n_members; i++) {
        const Member *from = response->members[i];
        items[i] = (struct toydb_member){
            .id = from->id,
            .uid = from->uid,
            .address = arena_strndup(&block->arena, from->address, strlen(from->address)),
            .voter = from->voter,
            .promote = from->promote};
    }
    block->members = (struct toydb_members){
        .index = response->index, .count = (uint32_t)response->n_members, .items = items};
    ASSERT(response->cluster_id.len == sizeof block->members.cluster_id);
    memcpy(block->members.cluster_id, response->cluster_id.data, response->cluster_id.len);
    return &block->members;
}

void toydb_members_free(struct toydb_members *members)
{
    if (!members)
        return;
    struct members_block *block =
        (struct members_block *)((char *)members - offsetof(struct members_block, members));
    arena_free(&block->arena);
    mem_free(block);
}

static enum toydb_result members_call(struct toydb_session *session, const char *path,
                                      const ProtobufCMessage *message, uint32_t timeout_ms,
                                      struct toydb_members **out, struct toydb_error *error)
{
    struct buffer answer;
    buffer_init(&answer, 0);
    enum toydb_result result = admin_call(session, path, message, timeout_ms, &answer, error);
    MembersResponse *response =
        result == TOYDB_OK ? members_response__unpack(NULL, answer.size, answer.data) : NULL;
    if (out)
        *out = NULL;
    if (result == TOYDB_OK && (!response || response->cluster_id.len != 16))
        result = malformed(error);
    if (result == TOYDB_OK && out)
        *out = members_create(response);
    if (response)
        members_response__free_unpacked(response, NULL);
    buffer_free(&answer);
    return result;
}

static enum toydb_result add(struct toydb_session *session, const char *path,
                             const struct toydb_member *node, uint32_t timeout_ms,
                             struct toydb_members **out, struct toydb_error *error)
{
    AddNodeRequest request = ADD_NODE_REQUEST__INIT;
    request.id = node->id;
    request.uid = node->uid;
    request.address = (char *)(uintptr_t)node->address;
    request.learner = !node->promote && !node->voter;
    return members_call(session, path, &request.base, timeout_ms, out, error);
}

enum toydb_result toydb_node_add(struct toydb_session *session, const struct toydb_member *node,
                                 uint32_t timeout_ms, struct toydb_members **out,
                                 struct toydb_error *error)
{
    return add(session, "/ToyDBAdmin/AddNode", node, timeout_ms, out, error);
}

enum toydb_result toydb_node_join(struct toydb_session *session, const struct toydb_member *node,
                                  uint32_t timeout_ms, struct toydb_members **out,
                                  struct toydb_error *error)
{
    return add(session, "/ToyDBAdmin/Join", node, timeout_ms, out, error);
}

enum toydb_result toydb_node_remove(struct toydb_session *session, uint32_t id, uint32_t timeout_ms,
                                    struct toydb_members **out, struct toydb_error *error)
{
    NodeRequest request = NODE_REQUEST__INIT;
    request.id = id;
    return members_call(session, "/ToyDBAdmin/RemoveNode", &request.base, timeout_ms, out, error);
}

enum toydb_result toydb_node_promote(struct toydb_session *session, uint32_t id,
                                     uint32_t timeout_ms, struct toydb_members **out,
                                     struct toydb_error *error)
{
    NodeRequest request = NODE_REQUEST__INIT;
    request.id = id;
    return members_call(session, "/ToyDBAdmin/PromoteNode", &request.base, timeout_ms, out, error);
}

/* ---- the others ------------------------------------------------------------------------------ */

enum toydb_result toydb_leader_transfer(struct toydb_session *session, uint32_t id,
                                        uint32_t timeout_ms, uint32_t *leader,
                                        struct toydb_error *error)
{
    struct buffer answer;
    buffer_init(&answer, 0);
    NodeRequest request = NODE_REQUEST__INIT;
    request.id = id;
    enum toydb_result result = admin_call(session, "/ToyDBAdmin/TransferLeader", &request.base,
                                          timeout_ms, &answer, error);
    TransferLeaderResponse *response =
        result == TOYDB_OK ? transfer_leader_response__unpack(NULL, answer.size, answer.data)
                           : NULL;
    if (result == TOYDB_OK && !response)
        result = malformed(error);
    if (response) {
        *leader = response->leader;
        transfer_leader_response__free_unpacked(response, NULL);
    }
    buffer_free(&answer);
    return result;
}

static struct toydb_check *check_create(const CheckClusterResponse *response)
{
    struct check_block *block = mem_zalloc(1, sizeof *block);
    struct toydb_checked_node *nodes =
        arena_zalloc(&block->arena, response->n_nodes * sizeof *nodes);
    for (size_t i = 0; i < response->n_nodes; i++) {
        const CheckedNode *from = response->nodes[i];
        nodes[i] = (struct toydb_checked_node){.id = from->id,
                                               .voter = from->voter,
                                               .answered = from->answered,
                                               .differs = from->differs};
        for (size_t k = 0; k < from->hash.len && k < sizeof nodes[i].hash / 2; k++)
            snprintf(nodes[i].hash + 2 * k, 3, "%02x", from->hash.data[k]);
    }
    block->check = (struct toydb_check){.index = response->index,
                                        .majority = response->majority,
                                        .count = (uint32_t)response->n_nodes,
                                        .nodes = nodes};
    return &block->check;
}

void toydb_check_free(struct toydb_check *check)
{
    if (!check)
        return;
    struct check_block *block =
        (struct check_block *)((char *)check - offsetof(struct check_block, check));
    arena_free(&block->arena);
    mem_free(block);
}

enum toydb_result toydb_check_cluster(struct toydb_session *session, uint32_t timeout_ms,
                                      struct toydb_check **out, struct toydb_error *error)
{
    struct buffer answer;
    buffer_init(&answer, 0);
    *out = NULL;
    CheckClusterRequest request = CHECK_CLUSTER_REQUEST__INIT;
    enum toydb_result result =
        admin_call(session, "/ToyDBAdmin/CheckCluster", &request.base, timeout_ms, &answer, error);
    CheckClusterResponse *response =
        result == TOYDB_OK ? check_cluster_response__unpack(NULL, answer.size, answer.data) : NULL;
    if (result == TOYDB_OK && !response)
        result = malformed(error);
    if (response) {
        *out = check_create(response);
        check_cluster_response__free_unpacked(response, NULL);
    }
    buffer_free(&answer);
    return result;
}
