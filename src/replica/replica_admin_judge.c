/* Requests to change the cluster, on the leader. Each is judged by what is so now, and answered at
 * once: OK, the state wished for is there and committed; ERR_BUSY, it is on its way, ask again;
 * anything else, it will not be. Where the way is not begun yet, this begins it. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "replica/replica_int.h"

/* OK from a proposal means that the change is under way. */
static status_t under_way(status_t status, struct error *error)
{
    if (status == OK)
        return error_set(error, ERR_BUSY, "the change is being replicated");
    return status;
}

/* What is in effect is as wished: done when it is committed. */
static status_t in_effect(const struct replica *r, struct error *error)
{
    return replica__members_settled(r) ? OK : under_way(OK, error);
}

static struct replica_member *member_in(struct replica_members *members, uint64_t id)
{
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].id == id)
            return &members->items[i];
    return NULL;
}

/* A directory that was a member once and went does not come back. */
static status_t uid_check(struct replica *r, const struct replica_member *wished,
                          struct error *error)
{
    struct replica__removed removed;
    status_t status = replica__removed_load(r, &removed, error);
    if (status != OK) {
        replica__fail(r, error);
        return status;
    }
    if (wished->uid == 0 || !replica__removed_has(&removed, wished->id, wished->uid))
        return OK;
    error_set(error, ERR_INVALID, "node %" PRIu64 " was removed from this cluster", wished->id);
    error_hint(error,
               "Its data directory cannot come back: start it with an empty one and --join.");
    return ERR_INVALID;
}

static status_t new_member_check(struct replica *r, const struct replica_member *wished,
                                 struct error *error)
{
    if (wished->id == 0 || wished->address[0] == '\0')
        return error_set(error, ERR_INVALID, "a new node needs an id above 0 and an address");
    if (r->members.count == REPLICA_MEMBERS_MAX)
        return error_set(error, ERR_INVALID, "the cluster has %d nodes already, the most it can",
                         REPLICA_MEMBERS_MAX);
    return uid_check(r, wished, error);
}

/* A member's directory is the one on record. A founder is none in the first moments of a cluster;
 * its own is the one it is heard from with, never one that somebody asks for in its name. */
static status_t directory_check(const struct replica *r, const struct replica_member *member,
                                const struct replica_member *wished, struct error *error)
{
    uint64_t known = replica__uid_known(r, member);
    if (wished->uid == 0 || known == wished->uid || (known == 0 && !member->voter))
        return OK;
    status_t status = known == 0 ? ERR_BUSY : ERR_EXISTS;
    error_set(error, status,
              known == 0 ? "node %" PRIu64 " is of this cluster and was not heard from yet"
                         : "node %" PRIu64 " of this cluster has another data directory",
              member->id);
    error_hint(error, "If that is lost, remove node %" PRIu64 " from the cluster, then join again.",
               member->id);
    return status;
}

static status_t judge_add(struct replica *r, const struct replica_member *wished,
                          struct error *error)
{
    if (!replica__address_valid(wished->address))
        return error_set(error, ERR_INVALID, "address of node %" PRIu64 " is not valid",
                         wished->id);
    struct replica_members next = r->members;
    struct replica_member *member = member_in(&next, wished->id);
    bool promote = wished->voter || wished->promote;
    if (!member) {
        status_t status = new_member_check(r, wished, error);
        if (status != OK)
            return status;
        member = &next.items[next.count++];
        *member = *wished;
        member->voter = false;
        member->promote = promote;
        return under_way(replica__members_propose(r, &next, error), error);
    }
    status_t status = directory_check(r, member, wished, error);
    if (status != OK)
        return status;
    struct replica_member before = *member;
    if (wished->uid && member->uid == 0) {
        status = uid_check(r, wished, error);
        if (status != OK)
            return status;
        member->uid = wished->uid;
    }
    if (wished->address[0])
        memcpy(member->address, wished->address, sizeof member->address);
    member->promote = !member->voter && (member->promote || promote);
    bool same = member->uid == before.uid && member->promote == before.promote &&
                strcmp(member->address, before.address) == 0;
    return same ? in_effect(r, error) : under_way(replica__members_propose(r, &next, error), error);
}

/* A node that is none: it was removed, or this request has done it (*token), or it never was one
 * and its number was mistaken. */
static status_t judge_remove_absent(struct replica *r, uint64_t id, const uint64_t *token,
                                    struct error *error)
{
    struct replica__removed removed;
    status_t status = in_effect(r, error);
    if (status != OK || *token != 0)
        return status;
    status = replica__removed_load(r, &removed, error);
    if (status != OK) {
        replica__fail(r, error);
        return status;
    }
    for (uint32_t i = 0; i < removed.count; i++)
        if (removed.items[i].id == id)
            return OK;
    return error_set(error, ERR_NOT_FOUND, "the cluster has no node %" PRIu64 ", and never had",
                     id);
}

static status_t judge_remove(struct replica *r, uint64_t id, uint64_t *token, struct error *error)
{
    struct replica_members next = r->members;
    struct replica_member *member = member_in(&next, id);
    if (!member)
        return judge_remove_absent(r, id, token, error);
    uint32_t voters = 0;
    for (uint32_t i = 0; i < next.count; i++)
        voters += next.items[i].voter;
    if (member->voter && voters == 1) {
        error_set(error, ERR_INVALID, "node %" PRIu64 " is the last voter of the cluster", id);
        error_hint(error, "Promote another node first.");
        return ERR_INVALID;
    }
    uint32_t place = (uint32_t)(member - next.items);
    next.count--;
    *token = id; /* from now on it is known to have been one */
    memmove(member, member + 1, (next.count - place) * sizeof *member);
    return under_way(replica__members_propose(r, &next, error), error);
}

static status_t judge_promote(struct replica *r, uint64_t id, struct error *error)
{
    struct replica_members next = r->members;
    struct replica_member *member = member_in(&next, id);
    if (!member)
        return error_set(error, ERR_NOT_FOUND, "the cluster has no node %" PRIu64, id);
    if (member->voter)
        return in_effect(r, error);
    if (!member->promote) {
        member->promote = true;
        return under_way(replica__members_propose(r, &next, error), error);
    }
    struct raft_status raft;
    raft_status(r->raft, &raft);
    uint64_t match = 0;
    for (uint32_t i = 0; i < raft.peer_count; i++)
        if (raft.peers[i].id == id)
            match = raft.peers[i].match;
    return error_set(error, ERR_BUSY,
                     "node %" PRIu64 " is catching up: it holds the log to %" PRIu64 " of %" PRIu64,
                     id, match, raft.last_index);
}

/* `asked`: the leader that was asked first. */
static status_t judge_transfer(struct replica *r, uint64_t to, uint64_t asked, struct error *error)
{
    if (to == r->config.id || (to == 0 && asked != r->config.id))
        return OK;
    const struct replica_member *member = replica__member_find(&r->members, to);
    if (member && member->voter && !r->host.reachable(r->host.context, to))
        return error_set(error, ERR_NO_QUORUM, "node %" PRIu64 " cannot be reached", to);
    if (replica__transfer_rests(r))
        return error_set(error, ERR_BUSY, "leadership is being handed over");
    status_t status = replica__transfer(r, to);
    if (status == OK || status == ERR_BUSY)
        return error_set(error, ERR_BUSY, "leadership is being handed over");
    if (status == ERR_INVALID && to != 0)
        return error_set(error, status, "node %" PRIu64 " is not a voter of the cluster", to);
    return error_set(error, status, "%s",
                     status == ERR_INVALID ? "there is no other voter to lead"
                                           : status_text(status));
}

static status_t judge(struct replica *r, const struct replica__admin_request *request,
                      struct replica__admin_response *response)
{
    struct error *error = &response->error;
    switch (request->type) {
    case REPLICA_ADMIN_ADD:
        return judge_add(r, &request->member, error);
    case REPLICA_ADMIN_REMOVE:
        return judge_remove(r, request->member.id, &response->token, error);
    case REPLICA_ADMIN_PROMOTE:
        return judge_promote(r, request->member.id, error);
    case REPLICA_ADMIN_TRANSFER:
        return judge_transfer(r, request->member.id, request->token, error);
    case REPLICA_ADMIN_CHECK:
        return replica__check_asked(r, &response->token, &response->check, error);
    case REPLICA_ADMIN_LIST:
        return in_effect(r, error);
    }
    UNREACHABLE();
}

void replica__admin_request(struct replica *r, const struct replica_message *message)
{
    struct replica__admin_request request;
    struct replica__admin_response response = {0};
    status_t status = replica__admin_request_decode(message->body, &request);
    if (status != OK) {
        r->messages_refused++;
        return;
    }
    response.token = request.token;
    if (!replica__may_judge(r))
        status = ERR_NOT_LEADER;
    else if (!r->identity.has_cluster_id)
        status = error_set(&response.error, ERR_BUSY, "the cluster has no identity yet");
    else
        status = judge(r, &request, &response);
    response.members = r->members;
    replica__members_sort(&response.members);
    memcpy(response.cluster_id, r->identity.cluster_id, sizeof response.cluster_id);
    struct buffer body = {0};
    replica__admin_response_encode(&response, &body);
    ASSERT(!body.failed);
    struct replica_message answer = {.type = REPLICA_ADMIN_RESPONSE,
                                     .to = message->from,
                                     .id = message->id,
                                     .status = status,
                                     .body = buffer_slice(&body)};
    replica__send(r, &answer);
    buffer_free(&body);
}
