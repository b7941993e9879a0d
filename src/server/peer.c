/* Connections between nodes: to each other node one of our own with one Exchange stream, for what
 * we send; what the other sends comes on its connection to us. Which nodes those are, and where,
 * the replica says: connections come and go with the membership.
 *
 * A node that is no member (any more) is told so on its own stream: we have none to it, or the one
 * we have under its id leads to another. And a member that is not where the membership says,
 * because it has moved and could not tell yet, gets everything on its own stream. */

#include "server/peer_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    RECONNECT_FIRST_US = 50000,
    RECONNECT_MAX_US = 1000000,
    /* More than this waiting for one node: it does not keep up, messages to it are dropped. */
    QUEUE_MAX = 2 * REPLICA_REQUEST_SIZE_MAX,
    /* So much makes a PeerMessage of its own: with the one large message that may be its last it
       stays within what the other side takes. */
    BATCH_MAX = 1 << 20,
    /* A connection to a node that was removed stays: what it is owed may still be under way. */
    LEAVE_US = 10000000,
};

struct peer {
    struct node *node;
    uint64_t id;
    char address[REPLICA_ADDRESS_MAX]; /* empty: not known, it cannot be connected to */
    const char *other; /* the one in the configuration, when it differs; NULL: none */
    bool tries_other;
    struct conn *conn;
    struct grpc_call *call;     /* NULL: not connected */
    uint64_t uid;               /* of its data directory; 0: not known */
    struct grpc_call *incoming; /* its stream to us; NULL: none, or not from that directory */
    struct buffer out;          /* messages of this pump */
    uint64_t retry_us;          /* when to connect again */
    uint64_t retry_delay_us;
    bool was_up;
    uint64_t leave_us; /* no member any more: closed then; 0: a member */
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
    return peer && (peer->call || peer->incoming);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

static void peer_flush(struct peer *peer)
{
    if (peer->out.size && peer->call)
        grpc_call_send(peer->call, buffer_slice(&peer->out));
    buffer_reset(&peer->out);
}

/* Sends on a stream that came in. */
static bool notice_send(struct grpc_call *call, const struct replica_message *message)
{
    struct buffer out;
    buffer_init(&out, 0);
    peer_wire_notice(message, &out);
    bool fits = !out.failed && grpc_call_queued(call) + out.size <= QUEUE_MAX;
    if (fits)
        grpc_call_send(call, buffer_slice(&out));
    buffer_free(&out);
    return fits;
}

static bool is_notice(const struct replica_message *message)
{
    return message->type == REPLICA_FOREIGN || message->type == REPLICA_REMOVED ||
           message->type == REPLICA_STRANGER;
}

bool peer_send(struct node *node, const struct replica_message *message)
{
    struct peer *peer = peer_find(node, message->to);
    if (node->exchange && is_notice(message))
        return notice_send(node->exchange, message);
    if (peer && !peer->call && peer->incoming)
        return notice_send(peer->incoming, message);
    if (!peer || !peer->call || peer->out.size + grpc_call_queued(peer->call) > QUEUE_MAX)
        return false;
    if (peer->out.size >= BATCH_MAX)
        peer_flush(peer);
    peer_wire_append(message, &peer->out);
    node_wake(node);
    return !peer->out.failed;
}

void peers_flush(struct node *node)
{
    for (struct peer *peer = node->peers; peer; peer = peer->next)
        peer_flush(peer);
}

static const char *address_in_use(const struct peer *peer)
{
    return peer->tries_other ? peer->other : peer->address;
}

/* ---- connecting ---------------------------------------------------------------------------------
 */

static void peer_lost(struct peer *peer)
{
    if (peer->was_up)
        log_info("server", "lost node %" PRIu64 " at %s", peer->id, address_in_use(peer));
    else
        peer->tries_other = peer->other && !peer->tries_other;
    peer->was_up = false;
    peer->conn = NULL;
    peer->call = NULL;
    buffer_reset(&peer->out);
    peer->retry_us = env_monotonic_us(peer->node->env) + peer->retry_delay_us;
    peer->retry_delay_us *= 2;
    if (peer->retry_delay_us > RECONNECT_MAX_US)
        peer->retry_delay_us = RECONNECT_MAX_US;
}

static void on_exchange_ack(struct grpc_call *call, struct slice bytes)
{
    struct peer *peer = grpc_call_user(call);
    if (!peer_wire_receive_ack(peer->node, bytes))
        log_warn("server", "node %" PRIu64 " sent what cannot be decoded", peer->id);
    node_wake(peer->node);
}

/* The stream ended although the connection may live: begin anew with both. */
static void on_exchange_close(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status;
    (void)message;
    struct peer *peer = grpc_call_user(call);
    peer->call = NULL;
}

static const struct grpc_handlers exchange_client_handlers = {.on_message = on_exchange_ack,
                                                              .on_close = on_exchange_close};

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
    log_info("server", "connected to node %" PRIu64 " at %s", peer->id, address_in_use(peer));
    peer->retry_delay_us = RECONNECT_FIRST_US;
}

static void peer_disconnect(struct peer *peer)
{
    if (peer->conn)
        conn_close(peer->conn);
    peer->conn = NULL;
    peer->call = NULL;
    peer->was_up = false;
    buffer_reset(&peer->out);
}

static struct peer *peer_create(struct node *node, uint64_t id)
{
    struct peer *peer = mem_zalloc(1, sizeof *peer);
    peer->node = node;
    peer->id = id;
    peer->retry_delay_us = RECONNECT_FIRST_US;
    peer->next = node->peers;
    node->peers = peer;
    return peer;
}

static const char *other_address(const struct node *node, const struct replica_member *member)
{
    for (uint32_t i = 0; i < node->config.peer_count; i++)
        if (node->config.peers[i].id == member->id)
            return strcmp(node->config.peers[i].address, member->address) == 0
                       ? NULL
                       : node->config.peers[i].address;
    return NULL;
}

void peers_update(struct node *node, const struct replica_members *members)
{
    uint64_t now_us = env_monotonic_us(node->env);
    for (struct peer *peer = node->peers; peer; peer = peer->next)
        if (!peer->leave_us)
            peer->leave_us = now_us + LEAVE_US;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct replica_member *member = &members->items[i];
        if (member->id == node->config.id)
            continue;
        struct peer *peer = peer_find(node, member->id);
        if (!peer)
            peer = peer_create(node, member->id);
        peer->leave_us = 0;
        if (peer->uid != member->uid)
            peer->incoming = NULL;
        peer->uid = member->uid;
        if (strcmp(peer->address, member->address) == 0)
            continue;
        if (*peer->address)
            log_info("server", "node %" PRIu64 " is at %s now", peer->id, member->address);
        peer_disconnect(peer);
        memcpy(peer->address, member->address, sizeof peer->address);
        peer->other = other_address(node, member);
        peer->tries_other = false;
        peer->retry_us = 0;
    }
    node_wake(node);
}

static void peer_tick(struct peer *peer, uint64_t now_us)
{
    bool stale = peer->conn && peer->was_up && !peer->call;
    if (stale) {
        conn_close(peer->conn);
        peer_lost(peer);
    }
    if (!peer->conn && *address_in_use(peer) && !peer->leave_us && now_us >= peer->retry_us) {
        peer->conn = conn_connect(peer->node, address_in_use(peer), on_peer_state, peer);
        if (!peer->conn)
            peer_lost(peer);
    }
}

void peers_tick(struct node *node, uint64_t now_us)
{
    for (struct peer **link = &node->peers; *link;) {
        struct peer *peer = *link;
        if (peer->leave_us && now_us >= peer->leave_us) {
            *link = peer->next;
            peer_disconnect(peer);
            buffer_free(&peer->out);
            mem_free(peer);
            continue;
        }
        peer_tick(peer, now_us);
        link = &peer->next;
    }
}

void peers_close(struct node *node)
{
    while (node->peers) {
        struct peer *peer = node->peers;
        node->peers = peer->next;
        peer_disconnect(peer);
        buffer_free(&peer->out);
        mem_free(peer);
    }
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

static void on_exchange_message(struct grpc_call *call, struct slice bytes)
{
    struct node *node = grpc_call_context(call);
    struct peer_sender sender = {0};
    ASSERT(!node->exchange);
    node->exchange = call;
    bool decoded = peer_wire_receive(node, bytes, &sender);
    node->exchange = NULL;
    if (!decoded) {
        grpc_call_finish(call, GRPC_INVALID_ARGUMENT, "message cannot be decoded");
        return;
    }
    struct peer *peer = peer_find(node, sender.id);
    if (peer && peer->uid && peer->uid == sender.uid)
        peer->incoming = call;
    node_wake(node);
}

static void on_exchange_end(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status;
    (void)message;
    struct node *node = grpc_call_context(call);
    for (struct peer *peer = node->peers; peer; peer = peer->next)
        if (peer->incoming == call)
            peer->incoming = NULL;
}

static void on_exchange_half_close(struct grpc_call *call)
{
    grpc_call_finish(call, GRPC_OK, NULL);
}

const struct grpc_handlers peer_exchange_handlers = {
    .on_message = on_exchange_message,
    .on_half_close = on_exchange_half_close,
    .on_close = on_exchange_end,
};
