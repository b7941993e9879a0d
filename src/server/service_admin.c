/* The API for changing the cluster, ToyDBAdmin of protobuf/toydb.proto: each call is one request to
 * the replica, which has it judged by the leader. */

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "protobuf/toydb.pb-c.h"
#include "server/node_int.h"
#include "server/wire_int.h"

/* For the answer to reach the client before its deadline, which says nothing of why: half of the
 * time there is, at most so much. toydb's own client gives it on top. */
enum { ANSWER_US_MAX = 2000000 };
static const uint64_t TIMEOUT_US_DEFAULT = 30 * (uint64_t)1000000;

/* A call that is with the replica. */
struct admin_call {
    struct node *node;
    struct grpc_call *call;
    bool open; /* the replica has not answered */
    struct replica_admin admin;
};

static void on_start(struct grpc_call *call)
{
    struct admin_call *admin = mem_zalloc(1, sizeof *admin);
    admin->node = grpc_call_context(call);
    admin->call = call;
    grpc_call_user_set(call, admin);
}

static void on_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status;
    (void)message;
    struct admin_call *admin = grpc_call_user(call);
    if (admin->open)
        replica_admin_cancel(admin->node->replica, &admin->admin);
    mem_free(admin);
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static enum grpc_status status_of(status_t status)
{
    switch (status) {
    case ERR_INVALID:
        return GRPC_FAILED_PRECONDITION;
    case ERR_EXISTS:
        return GRPC_ALREADY_EXISTS;
    case ERR_NOT_FOUND:
        return GRPC_NOT_FOUND;
    case ERR_TIMEOUT:
        return GRPC_DEADLINE_EXCEEDED;
    case ERR_NO_QUORUM:
    case ERR_SHUTDOWN:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_INTERNAL;
    }
}

static void call_fail(struct grpc_call *call, enum grpc_status status, const struct error *error)
{
    char message[sizeof error->message + sizeof error->hint + 2];
    snprintf(message, sizeof message, "%s%s%s", error->message, *error->hint ? "\n" : "",
             error->hint);
    grpc_call_finish(call, status, message);
}

static void answer(struct admin_call *admin, const ProtobufCMessage *message)
{
    struct buffer packed;
    buffer_init(&packed, 0);
    size_t size = protobuf_c_message_get_packed_size(message);
    if (buffer_reserve(&packed, size) == OK)
        packed.size = protobuf_c_message_pack(message, packed.data);
    grpc_call_send(admin->call, buffer_slice(&packed));
    grpc_call_finish(admin->call, GRPC_OK, NULL);
    buffer_free(&packed);
}

static void members_answer(struct admin_call *admin)
{
    const struct replica_members *members = &admin->admin.members;
    Member items[REPLICA_MEMBERS_MAX];
    Member *pointers[REPLICA_MEMBERS_MAX];
    MembersResponse out = MEMBERS_RESPONSE__INIT;
    ASSERT(members->count <= REPLICA_MEMBERS_MAX);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct replica_member *member = &members->items[i];
        member__init(&items[i]);
        items[i].id = (uint32_t)member->id;
        items[i].uid = member->uid;
        items[i].address = (char *)(uintptr_t)member->address;
        items[i].voter = member->voter;
        items[i].promote = member->promote;
        pointers[i] = &items[i];
    }
    out.cluster_id.data = admin->admin.cluster_id;
    out.cluster_id.len = sizeof admin->admin.cluster_id;
    out.index = members->index;
    out.n_members = members->count;
    out.members = pointers;
    answer(admin, &out.base);
}

static void transfer_answer(struct admin_call *admin)
{
    struct replica_status status;
    TransferLeaderResponse out = TRANSFER_LEADER_RESPONSE__INIT;
    replica_status(admin->node->replica, &status);
    out.leader = (uint32_t)status.leader;
    answer(admin, &out.base);
}

static void check_answer(struct admin_call *admin)
{
    struct replica_check *check = &admin->admin.check;
    CheckedNode items[REPLICA_MEMBERS_MAX];
    CheckedNode *pointers[REPLICA_MEMBERS_MAX];
    CheckClusterResponse out = CHECK_CLUSTER_RESPONSE__INIT;
    ASSERT(check->count <= REPLICA_MEMBERS_MAX);
    for (uint32_t i = 0; i < check->count; i++) {
        struct replica_check_node *node = &check->nodes[i];
        checked_node__init(&items[i]);
        items[i].id = (uint32_t)node->id;
        items[i].voter = node->voter;
        items[i].answered = node->answered;
        items[i].differs = node->differs;
        if (node->answered)
            items[i].hash = (ProtobufCBinaryData){.data = node->hash, .len = sizeof node->hash};
        pointers[i] = &items[i];
    }
    out.index = check->index;
    out.majority = check->majority;
    out.n_nodes = check->count;
    out.nodes = pointers;
    answer(admin, &out.base);
}

static void on_done(struct replica_admin *request, status_t status)
{
    struct admin_call *admin = request->context;
    ASSERT(admin->open);
    admin->open = false;
    if (status != OK)
        call_fail(admin->call, status_of(status), &request->error);
    else if (request->type == REPLICA_ADMIN_TRANSFER)
        transfer_answer(admin);
    else if (request->type == REPLICA_ADMIN_CHECK)
        check_answer(admin);
    else
        members_answer(admin);
}

/* ---- requests -----------------------------------------------------------------------------------
 */

static status_t malformed(struct error *error)
{
    return error_set(error, ERR_PROTOCOL, "request cannot be decoded");
}

static status_t member_fill(const AddNodeRequest *request, struct replica_member *member,
                            struct error *error)
{
    char host[SERVER_ADDRESS_MAX];
    uint16_t port;
    if (request->id == 0)
        return error_set(error, ERR_INVALID, "node id must be a positive number");
    if (strlen(request->address) >= sizeof member->address)
        return error_set(error, ERR_INVALID, "address is too long");
    status_t status = server_address_parse(request->address, host, sizeof host, &port, error);
    if (status != OK)
        return status;
    member->id = request->id;
    member->uid = request->uid;
    member->promote = !request->learner;
    memcpy(member->address, request->address, strlen(request->address) + 1);
    return OK;
}

/* These read a request's bytes into *out, whose type is set. */
typedef status_t decode_fn(struct slice bytes, struct replica_admin *out, struct error *error);

static status_t add_decode(struct slice bytes, struct replica_admin *out, struct error *error)
{
    AddNodeRequest *request = add_node_request__unpack(NULL, bytes.size, bytes.data);
    if (!request)
        return malformed(error);
    status_t status = wire_strings_whole(request->base.descriptor, bytes)
                          ? member_fill(request, &out->member, error)
                          : error_set(error, ERR_INVALID, "address has a NUL character in it");
    add_node_request__free_unpacked(request, NULL);
    return status;
}

static status_t join_decode(struct slice bytes, struct replica_admin *out, struct error *error)
{
    status_t status = add_decode(bytes, out, error);
    if (status == OK && out->member.uid == 0)
        status = error_set(error, ERR_INVALID, "a node that joins has a uid");
    return status;
}

static status_t node_decode(struct slice bytes, struct replica_admin *out, struct error *error)
{
    NodeRequest *request = node_request__unpack(NULL, bytes.size, bytes.data);
    if (!request)
        return malformed(error);
    out->member.id = request->id;
    node_request__free_unpacked(request, NULL);
    return OK;
}

static status_t check_decode(struct slice bytes, struct replica_admin *out, struct error *error)
{
    (void)bytes; /* CheckClusterRequest has no fields */
    (void)out;
    (void)error;
    return OK;
}

static void request_begin(struct grpc_call *call, struct slice bytes, enum replica_admin_type type,
                          decode_fn *decode)
{
    struct admin_call *admin = grpc_call_user(call);
    struct node *node = admin->node;
    struct error error;
    admin->admin = (struct replica_admin){.done = on_done, .context = admin, .type = type};
    if (decode(bytes, &admin->admin, &error) != OK) {
        call_fail(call, GRPC_INVALID_ARGUMENT, &error);
        return;
    }
    uint64_t now_us = env_monotonic_us(node->env);
    uint64_t deadline_us = grpc_call_deadline_us(call);
    uint64_t left_us = deadline_us == UINT64_MAX ? TIMEOUT_US_DEFAULT
                       : deadline_us > now_us    ? deadline_us - now_us
                                                 : 0;
    uint64_t answer_us = left_us / 2 < ANSWER_US_MAX ? left_us / 2 : ANSWER_US_MAX;
    admin->admin.deadline_us = now_us + left_us - answer_us;
    admin->open = true;
    replica_admin_begin(node->replica, &admin->admin);
    node_wake(node);
}

static void on_join(struct grpc_call *call, struct slice bytes)
{
    request_begin(call, bytes, REPLICA_ADMIN_ADD, join_decode);
}

static void on_add(struct grpc_call *call, struct slice bytes)
{
    request_begin(call, bytes, REPLICA_ADMIN_ADD, add_decode);
}

static void on_remove(struct grpc_call *call, struct slice bytes)
{
    request_begin(call, bytes, REPLICA_ADMIN_REMOVE, node_decode);
}

static void on_promote(struct grpc_call *call, struct slice bytes)
{
    request_begin(call, bytes, REPLICA_ADMIN_PROMOTE, node_decode);
}

static void on_transfer(struct grpc_call *call, struct slice bytes)
{
    request_begin(call, bytes, REPLICA_ADMIN_TRANSFER, node_decode);
}

static void on_check(struct grpc_call *call, struct slice bytes)
{
    request_begin(call, bytes, REPLICA_ADMIN_CHECK, check_decode);
}

#define HANDLERS(function)                                                                         \
    {                                                                                              \
        .on_start = on_start, .on_message = (function), .on_close = on_close                       \
    }

const struct grpc_handlers service_join_handlers = HANDLERS(on_join);
const struct grpc_handlers service_add_handlers = HANDLERS(on_add);
const struct grpc_handlers service_remove_handlers = HANDLERS(on_remove);
const struct grpc_handlers service_promote_handlers = HANDLERS(on_promote);
const struct grpc_handlers service_transfer_handlers = HANDLERS(on_transfer);
const struct grpc_handlers service_check_handlers = HANDLERS(on_check);
