/* Elections: paper 5.2 and 5.4.1, pre-vote (thesis 9.6), stickiness (thesis 4.2.3).
 *
 * A node campaigns in one or two rounds. In the pre-vote it asks "would you vote for me in term +
 * 1?", which changes nothing anywhere, so that a node cut off from the others does not come back
 * with a high term and throw out a leader that works. Only a node that a quorum would vote for
 * enters the next term, votes for itself, makes that durable, and then asks for votes.
 *
 * The node's own vote counts when it is durable (raft__vote_own), as everybody else's does. */
#include "raft/raft_int.h"

static void election_decide(struct raft *r);

/* 5.4.1: "If the logs have last entries with different terms, then the log with the later term is
 * more up-to-date. If the logs end with the same term, then whichever log is longer is more
 * up-to-date." */
static bool election_up_to_date(const struct raft *r, uint64_t last_index, uint64_t last_term)
{
    if (last_term != r->log.last_term)
        return last_term > r->log.last_term;
    return last_index >= raft__log_last(&r->log);
}

static void election_ask(struct raft *r)
{
    ASSERT(r->role == RAFT_PRECANDIDATE || r->role == RAFT_CANDIDATE);
    bool pre = r->role == RAFT_PRECANDIDATE;
    ASSERT(pre || r->vote == r->id);
    for (uint32_t i = 0; i < r->peer_count; i++) {
        if (!r->peers[i].voter)
            continue;
        struct raft_message m = {
            .type = pre ? RAFT_PREVOTE : RAFT_VOTE,
            .term = pre ? r->term + 1 : r->term,
            .log_index = raft__log_last(&r->log),
            .log_term = r->log.last_term,
            .transfer = !pre && r->campaign_ordered,
        };
        if (pre)
            raft__send(r, r->peers[i].id, m);
        else
            raft__send_after_persist(r, r->peers[i].id, m);
    }
}

void raft__campaign(struct raft *r, bool ordered)
{
    ASSERT(r->role != RAFT_LEADER);
    ASSERT(raft__may_campaign(r));
    if (r->term >= RAFT_INDEX_MAX)
        return;
    r->campaign_ordered = ordered;
    if (r->config.pre_vote && !ordered)
        raft__become_precandidate(r);
    else
        raft__become_candidate(r);
    election_ask(r);
    election_decide(r);
}

void raft__election_tick(struct raft *r)
{
    ASSERT(r->role != RAFT_LEADER);
    if (r->election_elapsed < UINT32_MAX)
        r->election_elapsed++;
    if (r->silence < UINT32_MAX)
        r->silence++;
    /* Figure 2, Followers: "If election timeout elapses without receiving AppendEntries RPC from
     * current leader or granting vote to candidate: convert to candidate"; Candidates: "If election
     * timeout elapses: start new election". */
    if (r->election_elapsed >= r->election_timeout && raft__may_campaign(r))
        raft__campaign(r, false);
}

/* Thesis 4.2.3: "if a server receives a RequestVote request within the minimum election timeout of
 * hearing from a current leader, it does not update its term or grant its vote". */
bool raft__in_lease(const struct raft *r)
{
    ASSERT(r->role != RAFT_LEADER || r->leader == r->id);
    return r->config.check_quorum &&
           (r->role == RAFT_LEADER || r->silence < r->config.election_timeout_ticks);
}

/* A PREVOTE of any term above ours, or a VOTE of ours. */
void raft__vote_request(struct raft *r, const struct raft_message *m)
{
    bool pre = m->type == RAFT_PREVOTE;
    ASSERT(m->term >= r->term);
    ASSERT(pre || m->term == r->term);
    /* Our term may have moved on without a leader since we heard one. */
    bool sticky = raft__in_lease(r) && !m->transfer;
    bool free_to_vote = r->vote == m->from || (r->vote == 0 && r->leader == 0 && !sticky) ||
                        (pre && m->term > r->term);
    bool placed = raft__members(r)->index >= r->config.members_since;
    bool grant = free_to_vote && placed && election_up_to_date(r, m->log_index, m->log_term);
    struct raft_message answer = {
        .type = pre ? RAFT_PREVOTE_RESPONSE : RAFT_VOTE_RESPONSE,
        .term = grant ? m->term : r->term,
        .reject = !grant,
    };
    if (!grant || pre) {
        raft__send(r, m->from, answer);
        return;
    }
    r->vote = m->from;
    r->election_elapsed = 0;
    raft__send_after_persist(r, m->from, answer);
}

void raft__vote_response(struct raft *r, const struct raft_message *m)
{
    enum raft_role wanted = m->type == RAFT_PREVOTE_RESPONSE ? RAFT_PRECANDIDATE : RAFT_CANDIDATE;
    if (r->role != wanted)
        return; /* late: the campaign is over */
    uint64_t granted_term = wanted == RAFT_PRECANDIDATE ? r->term + 1 : r->term;
    if (!m->reject && m->term != granted_term)
        return;
    struct raft_progress *peer = raft__peer(r, m->from);
    ASSERT(peer != NULL);
    /* The first answer counts: a duplicate must not. */
    enum raft_vote *vote = &r->votes[peer - r->peers];
    if (*vote == RAFT_VOTE_NONE)
        *vote = m->reject ? RAFT_VOTE_NO : RAFT_VOTE_YES;
    election_decide(r);
}

void raft__vote_own(struct raft *r)
{
    ASSERT(r->role == RAFT_CANDIDATE);
    ASSERT(r->hard_state_persisted.term == r->term && r->hard_state_persisted.vote == r->id);
    r->own_vote = RAFT_VOTE_YES;
    election_decide(r);
}

static void election_decide(struct raft *r)
{
    ASSERT(r->role == RAFT_PRECANDIDATE || r->role == RAFT_CANDIDATE);
    /* 4.2.2: a candidate "does not count its own vote in elections unless it is part of its latest
     * configuration". */
    uint32_t yes = r->voter && r->own_vote == RAFT_VOTE_YES, no = 0;
    for (uint32_t i = 0; i < r->peer_count; i++) {
        yes += r->peers[i].voter && r->votes[i] == RAFT_VOTE_YES;
        no += r->peers[i].voter && r->votes[i] == RAFT_VOTE_NO;
    }
    ASSERT(yes + no <= r->voter_count);
    /* Figure 2, Candidates: "If votes received from majority of servers: become leader". The own
     * vote must be durable: an answer that outruns it (or was never asked for) waits for it. */
    if (yes >= r->quorum && r->own_vote == RAFT_VOTE_YES) {
        if (r->role == RAFT_CANDIDATE) {
            raft__become_leader(r);
            return;
        }
        raft__become_candidate(r);
        election_ask(r);
    } else if (r->voter_count - no < r->quorum) {
        raft__become_follower(r, r->term, 0);
    }
}
