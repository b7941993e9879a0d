/* Messages between nodes: to each other node one connection of our own with one Exchange stream,
 * for what we send; what the other sends comes on its connection to us.
 *
 * Messages of one pump travel as one PeerMessage. It is put together piece by piece: by the rules
 * of protobuf, the encodings of two messages put one behind the other are the encoding of their
 * merge, and repeated fields merge by concatenation. */

#include "server/node_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "protobuf/raft.pb-c.h"

enum {
    RECONNECT_FIRST_US = 50000,
    RECONNECT_MAX_US = 1000000,
    /* More than this waiting for one node: it does not keep up, messages to it are dropped. */
    QUEUE_MAX = 2 * REPLICA_REQUEST_SIZE_MAX,
    /* So much makes a PeerMessage of its own: with the one large message that may be its last it
       stays within what the other side takes. */
    BATCH_MAX = 1 << 20,
    ENTRIES_MAX = 1 << 16, /* of one raft message received */
};

struct peer {
    struct node *node;
    uint64_t id;
    const char *address;
    struct conn *conn;
    struct grpc_call *call; /* NULL: not connected */
    struct buffer out;      /* messages of this pump */
    uint64_t retry_us;      /* when to connect again */
    uint64_t retry_delay_us;
    bool was_up;
    struct peer *next;
};

static struct peer *peer_find(const struct node *node, uint64_t id)
{
    struct peer *peer = node->peers;
    while (peer && peer->id != id)
        peer = peer->next;
    return peer;
}

bool peer_connected(const struct node *node, uint64_t id)
{
    struct peer *peer = peer_find(node, id);
    return peer && peer->call;
}

const char *peer_address(const struct node *node, uint64_t id)
{
    for (uint32_t i = 0; i < node->config.peer_count; i++)
        if (node->config.peers[i].id == id)
            return node->config.peers[i].address;
    return node->config.listen;
}

/* ---- sending ------------------------------------------------------------------------------------
 */

static size_t raft_pack(const struct replica_message *message, PeerMessage *whole,
                        struct buffer *out)
{
    const struct raft_message *raft = message->raft;
    RaftMessage packed = RAFT_MESSAGE__INIT;
    packed.type = raft->type;
    packed.from = raft->from;
    packed.to = raft->to;
    packed.term = raft->term;
    packed.log_index = raft->log_index;
    packed.log_term = raft->log_term;
    packed.commit = raft->commit;
    packed.reject = raft->reject;
    packed.hint_index = raft->hint_index;
    packed.hint_term = raft->hint_term;
    packed.read_sequence = raft->read_sequence;
    packed.transfer = raft->transfer;
    struct arena arena = {0};
    RaftEntry *entries = arena_alloc(&arena, raft->entry_count * sizeof *entries);
    RaftEntry **pointers = arena_alloc(&arena, raft->entry_count * sizeof *pointers);
    for (uint32_t i = 0; i < raft->entry_count; i++) {
        raft_entry__init(&entries[i]);
        entries[i].term = raft->entries[i].term;
        entries[i].type = raft->entries[i].type;
        entries[i].data.data = (uint8_t *)(uintptr_t)raft->entries[i].data.data;
        entries[i].data.len = raft->entries[i].data.size;
        pointers[i] = &entries[i];
    }
    packed.n_entries = raft->entry_count;
    packed.entries = pointers;
    RaftMessage *one = &packed;
    whole->n_raft = 1;
    whole->raft = &one;
    size_t size = peer_message__get_packed_size(whole);
    if (buffer_reserve(out, size) == OK)
        peer_message__pack(whole, out->data + out->size);
    arena_free(&arena);
    return size;
}

static size_t replica_pack(const struct replica_message *message, PeerMessage *whole,
                           struct buffer *out)
{
    ReplicaMessage packed = REPLICA_MESSAGE__INIT;
    packed.type = message->type;
    packed.id = message->id;
    packed.index = message->index;
    packed.version = message->version;
    packed.status = message->status;
    packed.body.data = (uint8_t *)(uintptr_t)message->body.data;
    packed.body.len = message->body.size;
    ReplicaMessage *one = &packed;
    whole->n_replica = 1;
    whole->replica = &one;
    size_t size = peer_message__get_packed_size(whole);
    if (buffer_reserve(out, size) == OK)
        peer_message__pack(whole, out->data + out->size);
    return size;
}

static void peer_flush(struct peer *peer)
{
    if (peer->out.size && peer->call)
        grpc_call_send(peer->call, buffer_slice(&peer->out));
    buffer_reset(&peer->out);
}

bool peer_send(struct node *node, const struct replica_message *message)
{
    struct peer *peer = peer_find(node, message->to);
    if (!peer || !peer->call || peer->out.size + grpc_call_queued(peer->call) > QUEUE_MAX)
        return false;
    if (peer->out.size >= BATCH_MAX)
        peer_flush(peer);
    PeerMessage whole = PEER_MESSAGE__INIT;
    if (peer->out.size == 0) {
        whole.cluster_id.data = (uint8_t *)(uintptr_t)message->cluster_id;
        whole.cluster_id.len = REPLICA_CLUSTER_ID_SIZE;
        whole.from = (uint32_t)message->from;
        whole.to = (uint32_t)message->to;
    }
    size_t size = message->type == REPLICA_RAFT ? raft_pack(message, &whole, &peer->out)
                                                : replica_pack(message, &whole, &peer->out);
    bool fits = !peer->out.failed;
    if (fits)
        peer->out.size += size;
    node_wake(node);
    return fits;
}

void peers_flush(struct node *node)
{
    for (struct peer *peer = node->peers; peer; peer = peer->next)
        peer_flush(peer);
}

/* ---- connecting ---------------------------------------------------------------------------------
 */

static void peer_lost(struct peer *peer)
{
    if (peer->was_up)
        log_info("server", "lost node %" PRIu64 " at %s", peer->id, peer->address);
    peer->was_up = false;
    peer->conn = NULL;
    peer->call = NULL;
    buffer_reset(&peer->out);
    peer->retry_us = env_monotonic_us(peer->node->env) + peer->retry_delay_us;
    peer->retry_delay_us *= 2;
    if (peer->retry_delay_us > RECONNECT_MAX_US)
        peer->retry_delay_us = RECONNECT_MAX_US;
}

/* The stream ended although the connection may live: begin anew with both. */
static void on_exchange_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status;
    (void)message;
    struct peer *peer = grpc_call_user(call);
    peer->call = NULL;
}

static const struct grpc_handlers exchange_client_handlers = {.on_close = on_exchange_close};

static void on_peer_state(void *context, struct conn *conn, bool up)
{
    struct peer *peer = context;
    if (!up) {
        peer_lost(peer);
        return;
    }
    peer->was_up = true;
    peer->call = grpc_call_start(conn_grpc(conn), "/ToyDBPeer/Exchange", &exchange_client_handlers,
                                 peer, NULL);
    if (!peer->call)
        return; /* the next tick gives the connection up */
    log_info("server", "connected to node %" PRIu64 " at %s", peer->id, peer->address);
    peer->retry_delay_us = RECONNECT_FIRST_US;
}

void peers_open(struct node *node)
{
    for (uint32_t i = 0; i < node->config.peer_count; i++) {
        const struct server_peer *config = &node->config.peers[i];
        if (config->id == node->config.id)
            continue;
        struct peer *peer = mem_zalloc(1, sizeof *peer);
        peer->node = node;
        peer->id = config->id;
        peer->address = config->address;
        peer->retry_delay_us = RECONNECT_FIRST_US;
        peer->next = node->peers;
        node->peers = peer;
    }
    peers_tick(node, env_monotonic_us(node->env));
}

void peers_tick(struct node *node, uint64_t now_us)
{
    for (struct peer *peer = node->peers; peer; peer = peer->next) {
        bool stale = peer->conn && peer->was_up && !peer->call;
        if (stale) {
            conn_close(peer->conn);
            peer_lost(peer);
        }
        if (!peer->conn && now_us >= peer->retry_us) {
            peer->conn = conn_connect(node, peer->address, on_peer_state, peer);
            if (!peer->conn)
                peer_lost(peer);
        }
    }
}

void peers_close(struct node *node)
{
    while (node->peers) {
        struct peer *peer = node->peers;
        node->peers = peer->next;
        if (peer->conn)
            conn_close(peer->conn);
        buffer_free(&peer->out);
        mem_free(peer);
    }
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

static void *unpack_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void unpack_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

static void raft_receive(struct node *node, struct replica_message *message,
                         const RaftMessage *packed, struct arena *arena)
{
    if (packed->n_entries > ENTRIES_MAX || packed->type > UINT8_MAX)
        return;
    for (size_t i = 0; i < packed->n_entries; i++)
        if (packed->entries[i]->type > UINT8_MAX)
            return;
    struct raft_entry *entries = arena_alloc(arena, packed->n_entries * sizeof *entries);
    for (size_t i = 0; i < packed->n_entries; i++)
        entries[i] = (struct raft_entry){
            .index = packed->log_index + 1 + i,
            .term = packed->entries[i]->term,
            .type = (uint8_t)packed->entries[i]->type,
            .data = slice_make(packed->entries[i]->data.data, packed->entries[i]->data.len)};
    struct raft_message raft = {.type = (enum raft_message_type)packed->type,
                                .from = packed->from,
                                .to = packed->to,
                                .term = packed->term,
                                .log_index = packed->log_index,
                                .log_term = packed->log_term,
                                .commit = packed->commit,
                                .reject = packed->reject,
                                .hint_index = packed->hint_index,
                                .hint_term = packed->hint_term,
                                .read_sequence = packed->read_sequence,
                                .transfer = packed->transfer,
                                .entries = entries,
                                .entry_count = (uint32_t)packed->n_entries};
    message->type = REPLICA_RAFT;
    message->raft = &raft;
    replica_receive(node->replica, message);
    message->raft = NULL;
}

static void replica_message_receive(struct node *node, struct replica_message *message,
                                    const ReplicaMessage *packed)
{
    if (packed->type == REPLICA_RAFT || packed->status >= STATUS_COUNT)
        return;
    message->type = (enum replica_message_type)packed->type;
    message->id = packed->id;
    message->index = packed->index;
    message->version = packed->version;
    message->status = (status_t)packed->status;
    message->body = slice_make(packed->body.data, packed->body.len);
    replica_receive(node->replica, message);
}

static void on_exchange_message(struct grpc_call *call, struct slice bytes)
{
    struct node *node = grpc_call_context(call);
    struct arena arena = {0};
    ProtobufCAllocator allocator = {
        .alloc = unpack_alloc, .free = unpack_free, .allocator_data = &arena};
    PeerMessage *whole = peer_message__unpack(&allocator, bytes.size, bytes.data);
    if (!whole) {
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "message cannot be decoded");
        arena_free(&arena);
        return;
    }
    for (size_t i = 0; i < whole->n_raft + whole->n_replica; i++) {
        struct replica_message message = {.from = whole->from, .to = whole->to};
        if (whole->cluster_id.len == REPLICA_CLUSTER_ID_SIZE)
            memcpy(message.cluster_id, whole->cluster_id.data, REPLICA_CLUSTER_ID_SIZE);
        if (i < whole->n_raft)
            raft_receive(node, &message, whole->raft[i], &arena);
        else
            replica_message_receive(node, &message, whole->replica[i - whole->n_raft]);
    }
    arena_free(&arena);
    node_wake(node);
}

static void on_exchange_half_close(struct grpc_call *call)
{
    grpc_call_finish(call, GRPC_OK, NULL);
}

const struct grpc_handlers peer_exchange_handlers = {
    .on_message = on_exchange_message,
    .on_half_close = on_exchange_half_close,
};
