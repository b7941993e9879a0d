/* The leader's care for the membership, at each tick at most one change:
 *
 *   - uids it has heard of go on record;
 *   - a learner that is to be a voter becomes one when it has caught up. It has when it holds what
 *     the leader's log held at most an election timeout ago: under load one cannot come closer
 *     (the last round of thesis 4.2.1). */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

bool replica__members_settled(const struct replica *r)
{
    return r->members.index <= r->applied_index;
}

static bool voters_differ(const struct replica_members *a, const struct replica_members *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct replica_member *other = replica__member_find(b, a->items[i].id);
        if (a->items[i].voter != (other && other->voter))
            return true;
    }
    return false;
}

status_t replica__members_propose(struct replica *r, const struct replica_members *next,
                                  struct error *error)
{
    if (!replica__members_settled(r))
        return error_set(error, ERR_BUSY, "another change of the membership is under way");
    bool votes = voters_differ(next, &r->members) || voters_differ(&r->members, next);
    if (votes && !replica__majority_reachable(r, next)) {
        error_set(error, ERR_NO_QUORUM, "too few of the voters there would be can be reached");
        error_detail(error, "The change would leave the cluster without a quorum.");
        return ERR_NO_QUORUM;
    }
    struct raft_members members;
    uint64_t index;
    replica__members_to_raft(next, &members);
    status_t status = raft_propose_members(r->raft, &members, &index);
    if (status != OK)
        return error_set(error, status, "membership cannot be changed now: %s",
                         status_text(status));
    return replica__members_fetch(r, error); /* the host hears of it with the next pump */
}

void replica__uid_heard(struct replica *r, uint64_t id, uint64_t uid)
{
    const struct replica_member *member = replica__member_find(&r->members, id);
    if (uid == 0 || !member || member->uid != 0)
        return;
    r->uids_heard[member - r->members.items] = (struct replica__uid){.id = id, .uid = uid};
}

uint64_t replica__uid_known(const struct replica *r, const struct replica_member *member)
{
    if (member->uid != 0)
        return member->uid;
    if (member->id == r->config.id)
        return r->identity.uid;
    for (uint32_t i = 0; i < r->members.count; i++)
        if (r->uids_heard[i].id == member->id)
            return r->uids_heard[i].uid;
    return 0;
}

/* Puts in the uids heard of; *any tells whether there were some. */
static status_t uids_fill(struct replica *r, struct replica_members *next, bool *any,
                          struct error *error)
{
    bool missing = false;
    for (uint32_t i = 0; i < next->count; i++)
        missing = missing || replica__uid_known(r, &next->items[i]) != next->items[i].uid;
    if (!missing)
        return OK;
    struct replica__removed removed;
    status_t status = replica__removed_load(r, &removed, error);
    for (uint32_t i = 0; status == OK && i < next->count; i++) {
        struct replica_member *member = &next->items[i];
        uint64_t uid = replica__uid_known(r, member);
        if (uid == member->uid || replica__removed_has(&removed, member->id, uid))
            continue;
        member->uid = uid;
        *any = true;
    }
    return status;
}

/* Makes one learner a voter that is to be and has caught up; false: none. */
static bool learner_promote(const struct replica *r, const struct raft_status *raft,
                            struct replica_members *next)
{
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer_status *peer = &raft->peers[i];
        for (uint32_t m = 0; m < next->count; m++) {
            struct replica_member *member = &next->items[m];
            if (member->id != peer->id || member->voter || !member->promote ||
                !peer->recent_active || peer->match < r->catch_up_index)
                continue;
            member->voter = true;
            member->promote = false;
            return true;
        }
    }
    return false;
}

void replica__members_tick(struct replica *r, uint64_t now_us)
{
    if (!replica__may_judge(r))
        return;
    struct raft_status raft;
    raft_status(r->raft, &raft);
    uint64_t round_us = (uint64_t)r->config.tick_us * r->config.election_timeout_ticks;
    if (r->catch_up_term != r->term || now_us - r->catch_up_us >= round_us) {
        r->catch_up_term = r->term;
        r->catch_up_us = now_us;
        r->catch_up_index = raft.last_index;
    }
    if (!replica__members_settled(r) || raft.transferee != 0)
        return;
    struct replica_members next = r->members;
    struct error error;
    bool any = false;
    status_t status = uids_fill(r, &next, &any, &error);
    if (status == OK && (any || learner_promote(r, &raft, &next)))
        status = replica__members_propose(r, &next, &error);
    if (status == ERR_CORRUPT || status == ERR_IO)
        replica__fail(r, &error);
    else if (status != OK && status != ERR_BUSY && status != ERR_NO_QUORUM)
        log_warn("replica", "membership stays as it is: %s", error.message);
}
