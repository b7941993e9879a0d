/* Heartbeats: a leader's sign of life, the follower's news of commits when nothing else is sent,
 * and the round that confirms reads (raft_read.c). Separate from APPEND because the answer promises
 * nothing and so never waits for a disk. */
#include "raft/raft_int.h"

#include <inttypes.h>

#include "base/log.h"

void raft__heartbeat_broadcast(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    for (uint32_t i = 0; i < r->peer_count; i++) {
        struct raft_progress *p = &r->peers[i];
        ASSERT(p->match <= raft__log_last(&r->log));
        /* Only what is known to be the same there may be called committed. */
        uint64_t commit = r->log.committed < p->match ? r->log.committed : p->match;
        if (p->round_awaited == 0) {
            p->round_awaited = r->read_sequence;
            p->round_sent_us = r->now_us;
        }
        raft__send(r, p->id,
                   (struct raft_message){.type = RAFT_HEARTBEAT,
                                         .term = r->term,
                                         .commit = commit,
                                         .read_sequence = r->read_sequence});
    }
}

/* Thesis 6.2: "a leader ... steps down if an election timeout elapses without a successful round of
 * heartbeats to a majority of its cluster". */
static void heartbeat_check_quorum(struct raft *r)
{
    uint32_t active = r->voter;
    for (uint32_t i = 0; i < r->peer_count; i++) {
        active += r->peers[i].voter && r->peers[i].recent_active;
        r->peers[i].recent_active = false;
    }
    ASSERT(active <= r->voter_count);
    if (active >= r->quorum)
        return;
    log_info("raft", "node %" PRIu64 " term %" PRIu64 ": leader lost its quorum, steps down", r->id,
             r->term);
    raft__become_follower(r, r->term, 0);
}

void raft__leader_tick(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    r->heartbeat_elapsed++;
    r->election_elapsed++;
    if (r->election_elapsed >= r->config.election_timeout_ticks) {
        r->election_elapsed = 0;
        if (r->config.check_quorum)
            heartbeat_check_quorum(r);
    }
    if (r->role != RAFT_LEADER)
        return;
    raft__transfer_tick(r);
    if (r->heartbeat_elapsed < r->config.heartbeat_ticks)
        return;
    r->heartbeat_elapsed = 0;
    raft__transfer_advance(r);
    for (uint32_t i = 0; i < r->peer_count; i++)
        raft__progress_tick(&r->peers[i], raft__log_last(&r->log));
    if (r->config.lease_us > 0)
        r->read_sequence++; /* a round of its own, to know when what is answered was sent */
    raft__heartbeat_broadcast(r);
}

/* The sender is the leader of our term and we follow it. */
status_t raft__heartbeat_request(struct raft *r, const struct raft_message *m)
{
    ASSERT(r->role == RAFT_FOLLOWER && r->leader == m->from);
    raft__send(r, m->from,
               (struct raft_message){.type = RAFT_HEARTBEAT_RESPONSE,
                                     .term = r->term,
                                     .commit = r->log.committed,
                                     .read_sequence = m->read_sequence});
    if (m->commit > raft__log_last(&r->log)) {
        /* We once promised to hold that entry. Said once a term: heartbeats are many. */
        if (r->loss_logged_term != r->term)
            log_error("raft",
                      "node %" PRIu64 " lost log entries it had acknowledged: has %" PRIu64
                      ", leader %" PRIu64 " knows of %" PRIu64,
                      r->id, raft__log_last(&r->log), m->from, m->commit);
        r->loss_logged_term = r->term;
        return ERR_PROTOCOL;
    }
    if (m->commit > r->log.committed)
        raft__commit(r, m->commit);
    return OK;
}

status_t raft__heartbeat_response(struct raft *r, const struct raft_message *m)
{
    if (r->role != RAFT_LEADER)
        return OK;
    if (m->read_sequence > r->read_sequence)
        return ERR_PROTOCOL;
    struct raft_progress *p = raft__peer(r, m->from);
    ASSERT(p != NULL);
    p->recent_active = true;
    if (p->stalled) {
        /* It lives, but an APPEND or its answer seems lost: ask again. */
        p->stalled = false;
        if (p->state == RAFT_PROGRESS_PROBE)
            p->probe_sent = false;
        else if (p->state == RAFT_PROGRESS_REPLICATE)
            p->poke = true;
    }
    raft__snapshot_ended(r, p, m->commit);
    if (p->round_awaited > 0 && m->read_sequence >= p->round_awaited) {
        p->lease_start_us = p->round_sent_us;
        p->round_awaited = 0;
    }
    if (m->read_sequence > p->read_acked) {
        p->read_acked = m->read_sequence;
        raft__read_confirm(r);
    }
    return OK;
}
