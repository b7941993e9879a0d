/* A state that came from elsewhere: paper section 7, without the bytes, which the owner moves.
 *
 * Leader. A follower whose next entry is no longer stored goes to SNAPSHOT and is named in
 * ready.snapshots once. It leaves that state when it is known to hold enough to go on from the log:
 *
 *     APPEND_RESPONSE           it has entries up to there, durably
 *     HEARTBEAT_RESPONSE        its commit index; good enough to probe from, should the one answer
 *                               that raft_restore gives be lost or find no leader
 *     raft_snapshot_failed      nothing is known: ask, from the end of the log. Nothing is begun
 * for a follower that does not answer, however often its owner gives up.
 *
 * Follower. Figure 13, InstallSnapshot 6: "If existing log entry has same index and term as
 * snapshot's last included entry, retain log entries following it and reply". Else "7. Discard the
 * entire log": it is a prefix of what is in the state, or contradicts it. The same when the state
 * is not newer than our commit index. This is what makes a snapshot that races the ordinary APPENDs
 * harmless: entries behind it that were acknowledged may be committed by our word. */
#include "raft/raft_int.h"

#include <inttypes.h>

#include "base/log.h"

void raft__snapshot_ended(struct raft *r, struct raft_progress *p, uint64_t holds)
{
    ASSERT(r->role == RAFT_LEADER);
    if (p->state != RAFT_PROGRESS_SNAPSHOT || holds > raft__log_last(&r->log))
        return;
    if (holds + 1 < r->log.storage.first_index(r->log.storage.context))
        return; /* news from before, or the log was cut again meanwhile */
    log_info("raft",
             "node %" PRIu64 " term %" PRIu64 ": node %" PRIu64 " goes on from entry %" PRIu64,
             r->id, r->term, p->id, holds + 1);
    raft__progress_probe(p, (holds > p->match ? holds : p->match) + 1);
}

void raft_snapshot_failed(struct raft *r, uint64_t peer)
{
    ASSERT(!r->ready_open);
    struct raft_progress *p = peer != r->id ? raft__peer(r, peer) : NULL;
    if (r->role != RAFT_LEADER || p == NULL || p->state != RAFT_PROGRESS_SNAPSHOT)
        return;
    raft__progress_probe(p, raft__log_last(&r->log) + 1);
    raft__check(r);
}

bool raft_idle(const struct raft *r)
{
    ASSERT(r->log.applied <= r->log.applying);
    return !r->ready_open && r->bundle_count == 0 && r->batch_count == 0;
}

status_t raft_restore_check(const struct raft *r, uint64_t index, uint64_t term)
{
    ASSERT(!r->ready_open);
    if (index == 0 || index > RAFT_INDEX_MAX || term == 0 || term > RAFT_INDEX_MAX)
        return ERR_INVALID;
    if (index <= r->log.committed)
        return ERR_EXISTS;
    if (r->role == RAFT_LEADER)
        return ERR_BUSY;
    if (index > raft__log_last(&r->log))
        return OK;
    uint64_t known;
    status_t status = raft__log_term(&r->log, index, &known);
    if (status != OK)
        return status;
    return known == term ? ERR_EXISTS : OK;
}

/* What the state holds beyond what we knew to be committed, our log holds too. */
static void restore_skip(struct raft *r, uint64_t index)
{
    ASSERT(index <= raft__log_last(&r->log));
    if (index > r->log.committed)
        raft__commit(r, index);
    if (r->role == RAFT_FOLLOWER && r->leader != 0)
        raft__append_accept(r, r->leader, r->log.committed);
}

status_t raft_restore(struct raft *r, uint64_t index, uint64_t term,
                      const struct raft_members *members)
{
    ASSERT(raft_idle(r));
    if (!raft__members_valid(members) || members->index > index)
        return ERR_INVALID;
    status_t status = raft_restore_check(r, index, term);
    if (status == ERR_EXISTS && r->role != RAFT_LEADER)
        restore_skip(r, index);
    if (status != OK)
        return status;
    /* A campaign, if there is one, counted on a log that is gone. */
    if (r->role != RAFT_FOLLOWER || term > r->term)
        raft__become_follower(r, term > r->term ? term : r->term, 0);
    log_info("raft",
             "node %" PRIu64 " term %" PRIu64 ": state replaced, goes on behind %" PRIu64
             "/%" PRIu64,
             r->id, r->term, index, term);
    raft__log_restore(&r->log, index, term);
    raft__members_restored(r, members);
    /* Promises not yet made are owed to nobody; the one for the state waits until the owner's log,
     * too, begins behind it: with the hard state that the next bundle is made to carry. */
    r->out_after.count = 0;
    r->restored_sequence = UINT64_MAX;
    if (r->leader != 0)
        raft__append_accept(r, r->leader, index);
    raft__check(r);
    return OK;
}
