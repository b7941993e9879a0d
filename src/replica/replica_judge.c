/* Commits, on the leader: look for an earlier outcome, certify, give a version, propose.
 *
 * A leader judges only after it has applied an entry of its own term. Everything committed by
 * leaders before it lies below that entry, so it knows every earlier outcome, and its certifier's
 * window holds every earlier write. It judges only requests addressed to its term, and refuses
 * those that may have been sent before by a log entry: why, says replica.h.
 *
 * Outcomes are removed some time after they are made (replica_apply.c). A transaction's outcome is
 * newer than its read version; so when none newer than that was ever removed, the transaction's is
 * still there, if it has one. Others are not judged at all. */

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

bool replica__may_judge(const struct replica *r)
{
    return r->role == RAFT_LEADER && r->own_term_applied == r->term && !r->failed;
}

/* Whom an answer is for, to which sending of which request, and what is known of its times. */
struct asker {
    uint64_t node, id, sending;
    uint64_t received_us;
    uint32_t certify_us, replicate_us;
};

static void answer(struct replica *r, struct asker to, status_t status, uint64_t version,
                   struct slice body)
{
    struct replica_message message = {.type = REPLICA_COMMIT_RESPONSE,
                                      .to = to.node,
                                      .id = to.id,
                                      .index = to.sending,
                                      .status = status,
                                      .version = version,
                                      .certify_us = to.certify_us,
                                      .replicate_us = to.replicate_us,
                                      .body = body};
    replica__send(r, &message);
}

/* `conflict`: why it was refused, as far as that is known here. */
static void outcome_answer(struct replica *r, struct asker to, const struct txn_outcome *outcome,
                           struct slice conflict)
{
    if (outcome->refused)
        answer(r, to, ERR_CONFLICT, 0, conflict);
    else
        answer(r, to, OK, outcome->version, outcome->reply);
}

/* An origin has one commit under way at a time: another one waits (ERR_BUSY) until that is applied,
 * so that a proposal is never overtaken by a later one of its origin. */
static bool under_way(struct replica *r, struct asker from, struct txn_id id)
{
    if (!map_get(&r->proposed, id.origin))
        return false;
    for (uint32_t i = 0; i < r->proposals.count; i++) {
        struct replica__proposal *proposal = replica__ring_at(&r->proposals, i);
        if (!slice_equal(slice_make(proposal->origin, proposal->origin_size), id.origin))
            continue;
        if (proposal->sequence != id.sequence) {
            answer(r, from, ERR_BUSY, 0, (struct slice){0});
            return true;
        }
        proposal->node = from.node; /* the answer goes to whoever asked last */
        proposal->id = from.id;
        proposal->sending = from.sending;
        return true;
    }
    UNREACHABLE();
}

/* A request that came before: under way, or with an outcome. True when it is answered or will be.
 */
static bool seen_before(struct replica *r, struct asker from, const struct txn_request *request)
{
    if (under_way(r, from, request->id))
        return true;
    struct txn_outcome outcome;
    struct error error;
    status_t status = txn_outcome_get(r->kv, request->id.origin, &outcome, &error);
    if (status == ERR_NOT_FOUND)
        return false;
    if (status != OK) {
        replica__fail(r, &error);
        return true;
    }
    if (outcome.sequence < request->id.sequence)
        return false;
    bool same = outcome.sequence == request->id.sequence;
    if (same && outcome.refused && request->read_version >= outcome.version)
        return false; /* begun after the refusal: another attempt, no copy of the one refused */
    if (same)
        outcome_answer(r, from, &outcome, (struct slice){0});
    else
        answer(r, from, ERR_PROTOCOL, 0, (struct slice){0});
    return true;
}

/* Every commit needs room in log and tree; refusing early keeps both clear of a full disk. Nothing
 * was judged: whoever asks asks again, unless the answer is ERR_DISK_FULL. */
static status_t judge_possible(struct replica *r)
{
    if (!replica__majority_reachable(r, &r->members))
        return ERR_NO_QUORUM;
    if (!replica__disk_is_low(r))
        return OK;
    return replica__gives_way(r) ? ERR_BUSY : ERR_DISK_FULL;
}

static uint32_t us_between(uint64_t from_us, uint64_t to_us)
{
    uint64_t us = to_us > from_us ? to_us - from_us : 0;
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* An effect, or a refusal for the sake of a key. */
static status_t propose(struct replica *r, struct asker from, const struct txn_request *request,
                        uint64_t version, bool refuse, struct slice conflict)
{
    struct buffer entry;
    buffer_init(&entry, 0);
    buffer_append_byte(&entry, refuse ? REPLICA_ENTRY_REFUSAL : REPLICA_ENTRY_EFFECT);
    if (refuse)
        txn_refusal_encode(request, version, &entry);
    else
        txn_effect_encode(request, version, &entry);
    struct slice data = buffer_slice(&entry);
    uint64_t index = 0;
    status_t status = entry.failed ? ERR_TOO_LONG : raft_propose(r->raft, &data, 1, &index);
    buffer_free(&entry);
    if (status != OK)
        return status;
    r->version_last = version;
    if (!refuse)
        txn_certifier_note(r->certifier, request->writes, version);
    uint64_t now_us = env_monotonic_us(r->env);
    struct replica__proposal proposal = {.index = index,
                                         .version = version,
                                         .node = from.node,
                                         .id = from.id,
                                         .sending = from.sending,
                                         .proposed_us = now_us,
                                         .certify_us = us_between(from.received_us, now_us),
                                         .origin_size = (uint32_t)request->id.origin.size,
                                         .sequence = request->id.sequence};
    memcpy(proposal.origin, request->id.origin.data, request->id.origin.size);
    buffer_append_slice(&proposal.conflict, conflict);
    replica__ring_push(&r->proposals, &proposal);
    map_put(&r->proposed, request->id.origin, r);
    return OK;
}

/* Judges a request that has no outcome yet, and proposes or answers. */
static void judge(struct replica *r, struct asker from, const struct txn_request *request,
                  bool sent_before)
{
    if (request->read_version < r->forgotten_version) {
        answer(r, from, sent_before ? ERR_OUTCOME_UNKNOWN : ERR_TOO_OLD, 0, (struct slice){0});
        return;
    }
    status_t status = judge_possible(r);
    if (status != OK) {
        answer(r, from, status, 0, (struct slice){0});
        return;
    }
    uint64_t now_us = env_wall_us(r->env);
    uint64_t version = now_us > r->version_last ? now_us : r->version_last + 1;
    struct slice key = {0};
    status = txn_certify(r->certifier, request, &key);
    bool refuse = status != OK && sent_before;
    if (status == OK || refuse)
        status = propose(r, from, request, version, refuse, key);
    if (status != OK)
        answer(r, from, status, 0, key);
}

void replica__commit_request(struct replica *r, const struct replica_message *message)
{
    struct asker from = {.node = message->from,
                         .id = message->id,
                         .sending = message->version,
                         .received_us = env_monotonic_us(r->env)};
    struct txn_request request;
    if (!replica__may_judge(r) || message->index != r->term) {
        answer(r, from, ERR_NOT_LEADER, 0, (struct slice){0});
    } else if (txn_request_decode(message->body, &request) != OK) {
        r->messages_refused++;
        answer(r, from, ERR_PROTOCOL, 0, (struct slice){0});
    } else if (!seen_before(r, from, &request)) {
        judge(r, from, &request, message->status != OK);
    }
}

void replica__proposal_applied(struct replica *r, uint64_t index, uint64_t version,
                               uint64_t committed_us)
{
    while (r->proposals.count) {
        struct replica__proposal proposal;
        memcpy(&proposal, replica__ring_at(&r->proposals, 0), sizeof proposal);
        if (proposal.index > index)
            return;
        /* Indexes are applied in order, so none of ours is passed over while we lead. */
        ASSERT(proposal.index == index);
        ASSERT(version == proposal.version);
        replica__ring_pop(&r->proposals);
        struct slice origin = slice_make(proposal.origin, proposal.origin_size);
        map_remove(&r->proposed, origin);
        struct txn_outcome outcome;
        struct error error;
        status_t status = txn_outcome_get(r->kv, origin, &outcome, &error);
        if (status == ERR_NOT_FOUND)
            status = error_set(&error, ERR_CORRUPT, "the outcome of log entry %llu is not there",
                               (unsigned long long)index);
        if (status != OK) {
            buffer_free(&proposal.conflict);
            replica__fail(r, &error);
            return;
        }
        ASSERT(outcome.sequence == proposal.sequence);
        struct asker to = {.node = proposal.node,
                           .id = proposal.id,
                           .sending = proposal.sending,
                           .certify_us = proposal.certify_us,
                           .replicate_us = us_between(proposal.proposed_us, committed_us)};
        outcome_answer(r, to, &outcome, buffer_slice(&proposal.conflict));
        buffer_free(&proposal.conflict);
    }
}

void replica__proposals_free(struct replica *r)
{
    map_free(&r->proposed);
    for (; r->proposals.count; replica__ring_pop(&r->proposals))
        buffer_free(&((struct replica__proposal *)replica__ring_at(&r->proposals, 0))->conflict);
}

void replica__proposals_drop(struct replica *r)
{
    replica__proposals_free(r);
    txn_certifier_rewind(r->certifier, r->applied_version);
    r->version_last = r->applied_version;
    r->cluster_proposed = false;
}
