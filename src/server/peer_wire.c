/* Messages between nodes as bytes of protobuf/raft.proto.
 *
 * Messages of one pump travel as one PeerMessage. It is put together piece by piece: by the rules
 * of protobuf, the encodings of two messages put one behind the other are the encoding of their
 * merge, and repeated fields merge by concatenation. */

#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "protobuf/raft.pb-c.h"
#include "server/peer_int.h"

enum {
    ENTRIES_MAX = 1 << 16, /* of one raft message received */
};

static void *unpack_alloc(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void unpack_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

static void whole_pack(const PeerMessage *whole, struct buffer *out)
{
    size_t size = peer_message__get_packed_size(whole);
    if (buffer_reserve(out, size) == OK)
        out->size += peer_message__pack(whole, out->data + out->size);
}

static void raft_pack(const struct replica_message *message, PeerMessage *whole, struct buffer *out)
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
    whole_pack(whole, out);
    arena_free(&arena);
}

static void replica_pack(const struct replica_message *message, PeerMessage *whole,
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
    packed.certify_us = message->certify_us;
    packed.replicate_us = message->replicate_us;
    ReplicaMessage *one = &packed;
    whole->n_replica = 1;
    whole->replica = &one;
    whole_pack(whole, out);
}

void peer_wire_append(const struct replica_message *message, struct buffer *out)
{
    PeerMessage whole = PEER_MESSAGE__INIT;
    if (out->size == 0) {
        whole.cluster_id.data = (uint8_t *)(uintptr_t)message->cluster_id;
        whole.cluster_id.len = REPLICA_CLUSTER_ID_SIZE;
        whole.from = (uint32_t)message->from;
        whole.to = (uint32_t)message->to;
        whole.uid = message->uid;
        whole.place = message->place;
    }
    if (message->type == REPLICA_RAFT)
        raft_pack(message, &whole, out);
    else
        replica_pack(message, &whole, out);
}

void peer_wire_notice(const struct replica_message *message, struct buffer *out)
{
    struct buffer packed;
    buffer_init(&packed, 0);
    peer_wire_append(message, &packed);
    struct arena arena = {0};
    ProtobufCAllocator allocator = {
        .alloc = unpack_alloc, .free = unpack_free, .allocator_data = &arena};
    PeerAck ack = PEER_ACK__INIT;
    ack.notice = peer_message__unpack(&allocator, packed.size, packed.data);
    ASSERT(ack.notice);
    size_t size = peer_ack__get_packed_size(&ack);
    if (buffer_reserve(out, size) == OK)
        out->size += peer_ack__pack(&ack, out->data + out->size);
    arena_free(&arena);
    buffer_free(&packed);
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

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
    message->certify_us = packed->certify_us;
    message->replicate_us = packed->replicate_us;
    replica_receive(node->replica, message);
}

static void whole_receive(struct node *node, const PeerMessage *whole, struct arena *arena)
{
    for (size_t i = 0; i < whole->n_raft + whole->n_replica; i++) {
        struct replica_message message = {
            .from = whole->from, .to = whole->to, .uid = whole->uid, .place = whole->place};
        if (whole->cluster_id.len == REPLICA_CLUSTER_ID_SIZE)
            memcpy(message.cluster_id, whole->cluster_id.data, REPLICA_CLUSTER_ID_SIZE);
        if (i < whole->n_raft)
            raft_receive(node, &message, whole->raft[i], arena);
        else
            replica_message_receive(node, &message, whole->replica[i - whole->n_raft]);
    }
}

bool peer_wire_receive(struct node *node, struct slice bytes, struct peer_sender *sender)
{
    struct arena arena = {0};
    ProtobufCAllocator allocator = {
        .alloc = unpack_alloc, .free = unpack_free, .allocator_data = &arena};
    PeerMessage *whole = peer_message__unpack(&allocator, bytes.size, bytes.data);
    if (whole) {
        *sender = (struct peer_sender){.id = whole->from, .uid = whole->uid};
        whole_receive(node, whole, &arena);
    }
    arena_free(&arena);
    return whole != NULL;
}

bool peer_wire_receive_ack(struct node *node, struct slice bytes)
{
    struct arena arena = {0};
    ProtobufCAllocator allocator = {
        .alloc = unpack_alloc, .free = unpack_free, .allocator_data = &arena};
    PeerAck *ack = peer_ack__unpack(&allocator, bytes.size, bytes.data);
    if (ack && ack->notice)
        whole_receive(node, ack->notice, &arena);
    arena_free(&arena);
    return ack != NULL;
}
