/* Messages: out to others or back to this node itself, and in from others, checked. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "replica/replica_int.h"

/* Requests to this node itself are handled at once; answers wait for the next pump, so that no
 * `done` is called from within a begin. */
static void loopback_push(struct replica *r, const struct replica_message *message)
{
    struct replica__loopback *item = mem_alloc(sizeof *item + message->body.size);
    item->message = *message;
    if (message->body.size)
        memcpy(item->body, message->body.data, message->body.size);
    item->message.body = slice_make(item->body, message->body.size);
    replica__ring_push(&r->loopback, &item);
}

const char *replica_message_type_name(enum replica_message_type type)
{
    static const char *const names[] = {
        [REPLICA_RAFT] = "raft",
        [REPLICA_READ_REQUEST] = "read-request",
        [REPLICA_READ_RESPONSE] = "read-response",
        [REPLICA_COMMIT_REQUEST] = "commit",
        [REPLICA_COMMIT_RESPONSE] = "commit-response",
        [REPLICA_FOREIGN] = "foreign",
        [REPLICA_ADMIN_REQUEST] = "admin",
        [REPLICA_ADMIN_RESPONSE] = "admin-response",
        [REPLICA_SNAPSHOT_OFFER] = "snapshot-offer",
        [REPLICA_SNAPSHOT_FETCH] = "snapshot-fetch",
        [REPLICA_SNAPSHOT_CHUNK] = "snapshot-chunk",
        [REPLICA_REMOVED] = "removed",
        [REPLICA_STRANGER] = "stranger",
        [REPLICA_HASH] = "hash",
        [REPLICA_VERDICT] = "verdict",
        [REPLICA_HELLO] = "hello",
    };
    size_t count = sizeof names / sizeof *names;
    return (size_t)type < count && names[type] ? names[type] : "?";
}

bool replica__send(struct replica *r, struct replica_message *message)
{
    message->from = r->config.id;
    message->uid = r->identity.uid;
    message->place = replica__place_known(r);
    if (r->identity.has_cluster_id)
        memcpy(message->cluster_id, r->identity.cluster_id, REPLICA_CLUSTER_ID_SIZE);
    if (message->to != r->config.id)
        return r->host.send(r->host.context, message);
    ASSERT(message->type != REPLICA_RAFT);
    if (message->type == REPLICA_READ_REQUEST)
        replica__read_request(r, message);
    else if (message->type == REPLICA_COMMIT_REQUEST)
        replica__commit_request(r, message);
    else if (message->type == REPLICA_ADMIN_REQUEST)
        replica__admin_request(r, message);
    else if (message->type == REPLICA_HASH)
        replica__check_hash(r, message);
    else
        loopback_push(r, message);
    return true;
}

void replica__loopback_drain(struct replica *r)
{
    while (r->loopback.count && !r->failed) {
        struct replica__loopback *item =
            *(struct replica__loopback **)replica__ring_at(&r->loopback, 0);
        replica__ring_pop(&r->loopback);
        if (item->message.type == REPLICA_READ_RESPONSE)
            replica__read_response(r, &item->message);
        else if (item->message.type == REPLICA_ADMIN_RESPONSE)
            replica__admin_response(r, &item->message);
        else if (item->message.type == REPLICA_VERDICT)
            replica__check_verdict(r, &item->message);
        else
            replica__commit_response(r, &item->message);
        mem_free(item);
    }
}

void replica_receive(struct replica *r, const struct replica_message *message)
{
    if (r->failed)
        return;
    if (message->to != r->config.id || message->from == r->config.id || message->from == 0) {
        r->messages_refused++;
        return;
    }
    if (!replica__sender_check(r, message))
        return;
    replica__heard(r, message->from);
    status_t status = OK;
    switch (message->type) {
    case REPLICA_RAFT:
        if (replica__receiver_silences(r))
            break;
        if (message->raft && message->raft->type == RAFT_TIMEOUT_NOW && replica__disk_is_low(r))
            break; /* a leader that could not lead (replica_yield.c) */
        /* Raft checks the rest: what it says of its own sender must be true. */
        status = message->raft && message->raft->from == message->from
                     ? raft_step(r->raft, message->raft)
                     : ERR_PROTOCOL;
        if (status == ERR_PROTOCOL)
            r->messages_refused++;
        else if (status != OK)
            replica__fail_status(r, status, "could not take a raft message");
        break;
    case REPLICA_READ_REQUEST:
        replica__read_request(r, message);
        break;
    case REPLICA_READ_RESPONSE:
        replica__read_response(r, message);
        break;
    case REPLICA_COMMIT_REQUEST:
        replica__commit_request(r, message);
        break;
    case REPLICA_COMMIT_RESPONSE:
        replica__commit_response(r, message);
        break;
    case REPLICA_SNAPSHOT_OFFER:
        replica__snapshot_offer(r, message);
        break;
    case REPLICA_SNAPSHOT_FETCH:
        replica__snapshot_fetch(r, message);
        break;
    case REPLICA_SNAPSHOT_CHUNK:
        replica__snapshot_chunk(r, message);
        break;
    case REPLICA_ADMIN_REQUEST:
        replica__admin_request(r, message);
        break;
    case REPLICA_ADMIN_RESPONSE:
        replica__admin_response(r, message);
        break;
    case REPLICA_HASH:
        replica__check_hash(r, message);
        break;
    case REPLICA_VERDICT:
        replica__check_verdict(r, message);
        break;
    case REPLICA_HELLO:
        break;
    case REPLICA_FOREIGN:
    case REPLICA_REMOVED:
    case REPLICA_STRANGER:
    default:
        r->messages_refused++;
    }
}
