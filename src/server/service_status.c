/* ToyDB/Status: the node's view of itself and of the cluster, from local state only. */

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "server/session_int.h"
#include "server/wire_int.h"

static const char *role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_LEADER:
        return "leader";
    case RAFT_CANDIDATE:
    case RAFT_PRECANDIDATE:
        return "candidate";
    case RAFT_FOLLOWER:
        break;
    }
    return "follower";
}

static const struct raft_peer_status *progress_of(const struct replica_status *status, uint64_t id)
{
    for (uint32_t i = 0; i < status->raft.peer_count; i++)
        if (status->raft.peers[i].id == id)
            return &status->raft.peers[i];
    return NULL;
}

/* `member`: this node; NULL: it is none, as while it joins. */
static const char *own_role(const struct replica_status *status,
                            const struct replica_member *member)
{
    bool votes = member && member->voter;
    return votes || status->role != RAFT_FOLLOWER ? role_name(status->role) : "learner";
}

const char *node_role(const struct node *node, const struct replica_status *status,
                      const struct replica_member *member)
{
    if (member->id == status->id)
        return own_role(status, member);
    if (!peer_connected(node, member->id))
        return "unreachable";
    if (member->id == status->leader)
        return "leader";
    return member->voter ? "follower" : "learner";
}

bool node_match_index(const struct replica_status *status, const struct replica_member *member,
                      uint64_t *match)
{
    const struct raft_peer_status *progress = progress_of(status, member->id);
    bool leads = member->id == status->id && status->role == RAFT_LEADER;
    *match = progress ? progress->match : leads ? status->last_index : 0;
    return progress || leads;
}

static void node_fill(const struct node *node, const struct replica_status *status,
                      const struct replica_member *member, Node *out)
{
    node__init(out);
    out->id = (uint32_t)member->id;
    out->address = (char *)(uintptr_t)member->address;
    out->uid = member->uid;
    out->voter = member->voter;
    out->promote = member->promote;
    out->role = (char *)(uintptr_t)node_role(node, status, member);
    node_match_index(status, member, &out->match_index);
    const struct raft_peer_status *progress = progress_of(status, member->id);
    out->needs_snapshot = progress && progress->state == RAFT_PROGRESS_SNAPSHOT;
}

/* The members must stay as long as `out`. */
static void nodes_fill(const struct node *node, const struct replica_status *status,
                       const struct replica_members *members, struct arena *arena,
                       StatusResponse *out)
{
    out->n_nodes = members->count;
    out->nodes = arena_alloc(arena, members->count * sizeof *out->nodes);
    for (uint32_t i = 0; i < members->count; i++) {
        out->nodes[i] = arena_alloc(arena, sizeof **out->nodes);
        node_fill(node, status, &members->items[i], out->nodes[i]);
    }
}

static void on_message(struct grpc_call *call, struct slice bytes)
{
    (void)bytes; /* StatusRequest has no fields */
    struct node *node = grpc_call_context(call);
    struct replica_status status;
    struct replica_members members;
    replica_status(node->replica, &status);
    replica_members(node->replica, &members);
    struct arena arena = {0};
    char cluster_id[2 * REPLICA_CLUSTER_ID_SIZE + 1] = "";
    for (int i = 0; status.has_cluster_id && i < REPLICA_CLUSTER_ID_SIZE; i++)
        snprintf(cluster_id + 2 * i, 3, "%02x", status.cluster_id[i]);
    StatusResponse out = STATUS_RESPONSE__INIT;
    out.id = (uint32_t)status.id;
    out.version = (char *)(uintptr_t)TOYDB_VERSION;
    out.cluster_id = cluster_id;
    out.time_us = env_wall_us(node->env);
    out.uptime_us = env_monotonic_us(node->env) - node->started_us;
    out.leader = (uint32_t)status.leader;
    out.term = status.term;
    out.role = (char *)(uintptr_t)own_role(&status, node_member(&members, status.id));
    nodes_fill(node, &status, &members, &arena, &out);
    out.commit_index = status.commit_index;
    out.applied_index = status.applied_index;
    out.first_log_index = status.first_index;
    out.last_log_index = status.last_index;
    out.last_version_us = status.version;
    Storage storage = STORAGE__INIT;
    storage.kv_file_bytes = status.kv.file_bytes;
    storage.kv_used_bytes =
        (uint64_t)(status.kv.pages - status.kv.pages_free) * status.kv.page_size;
    storage.log_bytes = status.wal.bytes + status.wal.spare_bytes;
    storage.checkpoint_index = status.checkpoint_index;
    out.storage = &storage;
    out.sessions = node->session_count - (node->housekeeping != NULL);
    size_t size = status_response__get_packed_size(&out);
    uint8_t *packed = arena_alloc(&arena, size);
    status_response__pack(&out, packed);
    grpc_call_send(call, slice_make(packed, size));
    grpc_call_finish(call, GRPC_OK, NULL);
    arena_free(&arena);
}

const struct grpc_handlers service_status_handlers = {.on_message = on_message};
