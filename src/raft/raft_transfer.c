/* Leadership transfer, thesis 3.10:
 *
 *   1. "The prior leader stops accepting new client requests."           raft_propose: ERR_BUSY
 *   2. It "fully updates the target server's log to match its own, using the normal log replication
 *      mechanism".
 *   3. It sends TIMEOUT_NOW; the target campaigns at once. It skips the pre-vote, and its VOTEs say
 *      that the leader asked for it, so that nobody ignores them for the sake of that leader.
 *
 * The leader steps down when it hears of the new term. "If leadership transfer does not complete
 * after about an election timeout, the prior leader aborts the transfer and resumes accepting
 * client requests." The order is repeated with each heartbeat until then, for it may be lost. One
 * that arrives late, still in the same term, makes an election that nobody asked for any more: that
 * is safe, but it means that from the first order on no lease holds in this term (raft_read.c).
 *
 * The same order helps when the leader itself is removed: it names a successor instead of leaving
 * the others to find out by their timeouts. */
#include "raft/raft_int.h"

#include <inttypes.h>

#include "base/log.h"

/* The voter that will win soonest: one that was heard of lately, has the most, and is not waiting
 * for a snapshot. NULL: there is no other voter. */
static struct raft_progress *transfer_best(struct raft *r)
{
    struct raft_progress *best = NULL;
    uint64_t best_rank = 0;
    for (uint32_t i = 0; i < r->peer_count; i++) {
        struct raft_progress *p = &r->peers[i];
        if (!p->voter)
            continue;
        bool follows = p->state != RAFT_PROGRESS_SNAPSHOT;
        uint64_t rank = 1 + 2 * (uint64_t)follows * p->recent_active + follows;
        if (rank > best_rank || (rank == best_rank && p->match > best->match)) {
            best = p;
            best_rank = rank;
        }
    }
    ASSERT(best == NULL || best->id != r->id);
    return best;
}

static void transfer_order(struct raft *r, const struct raft_progress *p)
{
    ASSERT(r->role == RAFT_LEADER && p->voter);
    r->transfer_ordered = true;
    raft__send(r, p->id, (struct raft_message){.type = RAFT_TIMEOUT_NOW, .term = r->term});
}

void raft__transfer_advance(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    if (r->transferee == 0)
        return;
    struct raft_progress *p = raft__peer(r, r->transferee);
    if (p == NULL || !p->voter)
        r->transferee = 0; /* it was removed meanwhile */
    else if (p->match == raft__log_last(&r->log))
        transfer_order(r, p);
}

status_t raft_transfer(struct raft *r, uint64_t to)
{
    ASSERT(!r->ready_open);
    if (r->role != RAFT_LEADER)
        return ERR_NOT_LEADER;
    struct raft_progress *p = to == 0 ? transfer_best(r) : to == r->id ? NULL : raft__peer(r, to);
    if (to == 0 && r->transferee != 0)
        return OK;
    if (p == NULL || !p->voter)
        return ERR_INVALID;
    if (r->transferee != 0)
        return r->transferee == to ? OK : ERR_BUSY;
    r->transferee = p->id;
    r->transfer_elapsed = 0;
    log_info("raft", "node %" PRIu64 " term %" PRIu64 ": hands over to node %" PRIu64, r->id,
             r->term, p->id);
    raft__transfer_advance(r);
    raft__check(r);
    return OK;
}

void raft__transfer_tick(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    if (r->transferee == 0)
        return;
    if (++r->transfer_elapsed < r->config.election_timeout_ticks)
        return;
    log_info("raft", "node %" PRIu64 " term %" PRIu64 ": node %" PRIu64 " did not take over", r->id,
             r->term, r->transferee);
    r->transferee = 0;
}

void raft__transfer_retire(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    ASSERT(!raft__is_voter(raft__members_committed(r), r->id));
    log_info("raft", "node %" PRIu64 " term %" PRIu64 ": is no voter any more, steps down", r->id,
             r->term);
    struct raft_progress *p = transfer_best(r);
    if (p != NULL)
        transfer_order(r, p);
    raft__become_follower(r, r->term, 0);
}

/* The sender is the leader of our term and we follow it. */
void raft__transfer_request(struct raft *r)
{
    ASSERT(r->role == RAFT_FOLLOWER && r->leader != 0);
    if (!raft__may_campaign(r))
        return; /* removed or made a learner meanwhile */
    log_info("raft", "node %" PRIu64 " term %" PRIu64 ": node %" PRIu64 " hands over to this one",
             r->id, r->term, r->leader);
    raft__campaign(r, true);
}
