/* ReadIndex, thesis 6.4: a read that is linearizable without an entry in the log.
 *
 *   1. the leader must have committed an entry of its term, else it may not know the newest commit;
 *   2. it notes its commit index (`index`);
 *   3. it "needs to make sure that it has not been superseded by a newer leader": a round of
 *      heartbeats, numbered `sequence`, answered by a quorum, begun after the request came;
 *   4. the reader waits until the state machine has applied `index` (not our business).
 *
 * With a lease (off by default) step 3 is the memory of a round that was answered lately.
 *
 * All requests between two bundles ride on one round; a lost heartbeat is made good by the next
 * one, which carries the newest round's number, and answers to it confirm every round before. */
#include "raft/raft_int.h"

#include <string.h>

#include "base/mem.h"

static void read_answer(struct raft *r, uint64_t context, uint64_t index, status_t status)
{
    ASSERT(status == OK || index == 0);
    r->answers =
        vec_grow(r->answers, &r->answers_capacity, r->answers_count + 1, sizeof *r->answers);
    r->answers[r->answers_count++] =
        (struct raft_read_state){.context = context, .index = index, .status = status};
}

static bool read_leader_ready(const struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    return r->log.committed >= r->noop_index;
}

/* Thesis 6.4.1, "Using clocks to reduce messaging for read-only queries": whoever answered a round
 * sent at time t votes for nobody else until an election timeout after t, for it heard of us then
 * (raft__in_lease). So while a majority is bound in that way nobody else leads. Not when we
 * ourselves ordered a campaign in this term, which may still be on its way (raft_transfer.c). */
static bool read_lease_holds(const struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    if (r->config.lease_us == 0 || r->transfer_ordered)
        return false;
    uint32_t bound = r->voter;
    for (uint32_t i = 0; i < r->peer_count; i++) {
        const struct raft_progress *p = &r->peers[i];
        ASSERT(p->lease_start_us <= r->now_us);
        bound +=
            p->voter && p->lease_start_us > 0 && r->now_us - p->lease_start_us < r->config.lease_us;
    }
    return bound >= r->quorum;
}

status_t raft__read_request(struct raft *r, uint64_t context)
{
    if (r->role != RAFT_LEADER)
        return ERR_NOT_LEADER;
    if (read_leader_ready(r) && read_lease_holds(r)) {
        read_answer(r, context, r->log.committed, OK);
        return OK;
    }
    if (r->reads_count >= r->config.max_pending_reads)
        return ERR_BUSY;
    r->reads = vec_grow(r->reads, &r->reads_capacity, r->reads_count + 1, sizeof *r->reads);
    struct raft_read *read = &r->reads[r->reads_count++];
    *read = (struct raft_read){.context = context};
    if (read_leader_ready(r)) {
        read->index = r->log.committed;
        read->sequence = r->read_sequence + 1;
        r->read_round_needed = true;
    }
    return OK;
}

void raft__read_unblock(struct raft *r)
{
    ASSERT(read_leader_ready(r));
    /* Before the first commit of the term all wait, after it none does. */
    for (uint32_t i = 0; i < r->reads_count && r->reads[i].sequence == 0; i++) {
        r->reads[i].index = r->log.committed;
        r->reads[i].sequence = r->read_sequence + 1;
        r->read_round_needed = true;
    }
}

void raft__read_start_round(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    ASSERT(r->read_round_needed);
    r->read_round_needed = false;
    r->read_sequence++;
    raft__heartbeat_broadcast(r);
    raft__read_confirm(r); /* alone in the cluster one is a quorum */
}

void raft__read_confirm(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    uint32_t done = 0;
    while (done < r->reads_count) {
        const struct raft_read *read = &r->reads[done];
        if (read->sequence == 0 || read->sequence > r->read_sequence)
            break;
        uint32_t acks = r->voter;
        for (uint32_t i = 0; i < r->peer_count; i++)
            acks += r->peers[i].voter && r->peers[i].read_acked >= read->sequence;
        if (acks < r->quorum)
            break;
        read_answer(r, read->context, read->index, OK);
        done++;
    }
    if (done == 0)
        return;
    r->reads_count -= done;
    memmove(r->reads, r->reads + done, r->reads_count * sizeof *r->reads);
}

void raft__read_fail_all(struct raft *r)
{
    ASSERT(r->reads_count == 0 || r->role == RAFT_LEADER);
    for (uint32_t i = 0; i < r->reads_count; i++)
        read_answer(r, r->reads[i].context, 0, ERR_NOT_LEADER);
    r->reads_count = 0;
    r->read_round_needed = false;
}
