/* The state machine of Figure 4 of the paper, with the pre-vote of thesis 9.6 before the election:
 *
 *               timeout                quorum would vote          quorum votes
 *     FOLLOWER --------> PRECANDIDATE -------------------> CANDIDATE --------> LEADER
 *        ^  \________________|______________________________^  |  \_timeout_____/ |
 *        |     (pre_vote off)|      PRECANDIDATE <-------------'                  |
 *        |___________________|____a higher term, a leader of this term, ___________|
 *                                 a lost vote, a lost quorum
 *
 * All moves go through role_move, which holds them against a table, runs the invariants and leaves
 * a trace line. */
#include "raft/raft_int.h"

#include <inttypes.h>

#include "base/log.h"

#define BIT(role) (1u << (role))

/* roles_next[from]: where to go from there. */
static const unsigned roles_next[] = {
    [RAFT_FOLLOWER] = BIT(RAFT_FOLLOWER) | BIT(RAFT_PRECANDIDATE) | BIT(RAFT_CANDIDATE),
    [RAFT_PRECANDIDATE] = BIT(RAFT_FOLLOWER) | BIT(RAFT_PRECANDIDATE) | BIT(RAFT_CANDIDATE),
    [RAFT_CANDIDATE] =
        BIT(RAFT_FOLLOWER) | BIT(RAFT_PRECANDIDATE) | BIT(RAFT_CANDIDATE) | BIT(RAFT_LEADER),
    [RAFT_LEADER] = BIT(RAFT_FOLLOWER),
};

const char *raft_role_name(enum raft_role role)
{
    static const char *const names[] = {
        [RAFT_FOLLOWER] = "follower",
        [RAFT_PRECANDIDATE] = "precandidate",
        [RAFT_CANDIDATE] = "candidate",
        [RAFT_LEADER] = "leader",
    };
    ASSERT(role <= RAFT_LEADER);
    return names[role];
}

/* Everything that must hold between two events. */
void raft__check(const struct raft *r)
{
    const struct raft_log *log = &r->log;
    ASSERT(log->applied <= log->applying);
    ASSERT(log->applying <= log->committed);
    ASSERT(log->committed <= raft__log_last(log));
    ASSERT(log->persisted <= log->handed);
    ASSERT(log->handed <= raft__log_last(log));
    ASSERT(log->offset <= log->persisted + 1);
    ASSERT(r->term >= log->last_term);
    ASSERT(r->hard_state_persisted.term <= r->hard_state_handed.term);
    ASSERT(r->hard_state_handed.term <= r->term);
    ASSERT(r->membership_count > 0 && raft__members_committed(r)->index <= log->committed);
    ASSERT(raft__members(r)->index <= raft__log_last(log));
    ASSERT(r->quorum == r->voter_count / 2 + 1);
    switch (r->role) {
    case RAFT_FOLLOWER:
        ASSERT(r->leader != r->id);
        break;
    case RAFT_PRECANDIDATE:
        ASSERT(r->leader == 0);
        break;
    case RAFT_CANDIDATE:
        ASSERT(r->leader == 0 && r->vote == r->id && r->term > 0);
        break;
    case RAFT_LEADER:
        ASSERT(r->leader == r->id && r->vote == r->id);
        ASSERT(r->noop_index > 0 && r->noop_index <= raft__log_last(log));
        ASSERT(log->last_term == r->term);
        break;
    }
    ASSERT(r->role == RAFT_LEADER || (r->reads_count == 0 && r->transferee == 0));
}

struct raft_progress *raft__peer(struct raft *r, uint64_t id)
{
    ASSERT(id != r->id);
    for (uint32_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].id == id)
            return &r->peers[i];
    return NULL;
}

static void role_move(struct raft *r, enum raft_role to)
{
    ASSERT(roles_next[r->role] & BIT(to));
    if (r->role != to)
        log_debug("raft", "node %" PRIu64 " term %" PRIu64 ": %s -> %s (leader %" PRIu64 ")", r->id,
                  r->term, raft_role_name(r->role), raft_role_name(to), r->leader);
    r->role = to;
    raft__check(r);
}

/* Figure 2, "currentTerm: ... increases monotonically", "votedFor: candidateId that received vote
 * in current term (or null if none)". */
static void role_enter_term(struct raft *r, uint64_t term)
{
    ASSERT(term >= r->term);
    ASSERT(term <= RAFT_INDEX_MAX);
    if (term == r->term)
        return;
    r->term = term;
    r->vote = 0;
    /* Promises not yet made are not owed to an older term. */
    r->out_after.count = 0;
}

/* A fresh start of the clocks. Paper 5.2: "election timeouts are chosen randomly from a fixed
 * interval
 * ... each candidate restarts its randomized election timeout at the start of an election". */
static void role_reset(struct raft *r)
{
    uint32_t t = r->config.election_timeout_ticks;
    r->election_elapsed = 0;
    r->heartbeat_elapsed = 0;
    r->election_timeout = t + (uint32_t)prng_below(&r->prng, t);
    r->own_vote = RAFT_VOTE_NONE;
    for (uint32_t i = 0; i < r->peer_count; i++)
        r->votes[i] = RAFT_VOTE_NONE;
    ASSERT(r->election_timeout >= t && r->election_timeout < 2 * t);
}

void raft__become_follower(struct raft *r, uint64_t term, uint64_t leader)
{
    ASSERT(leader != r->id);
    role_enter_term(r, term);
    role_reset(r);
    raft__read_fail_all(r);
    if (r->role == RAFT_LEADER)
        r->silence = r->config.election_timeout_ticks; /* the one it heard was itself */
    r->leader = leader;
    r->noop_index = 0;
    r->transferee = 0;
    role_move(r, RAFT_FOLLOWER);
}

void raft__become_precandidate(struct raft *r)
{
    ASSERT(r->role != RAFT_LEADER);
    role_reset(r);
    r->own_vote = RAFT_VOTE_YES; /* changes no state: nothing to make durable */
    r->leader = 0;
    role_move(r, RAFT_PRECANDIDATE);
}

void raft__become_candidate(struct raft *r)
{
    ASSERT(r->role != RAFT_LEADER);
    role_enter_term(r, r->term + 1);
    role_reset(r);
    r->vote = r->id; /* counted in raft__vote_own, when it is durable */
    r->leader = 0;
    role_move(r, RAFT_CANDIDATE);
}

void raft__become_leader(struct raft *r)
{
    ASSERT(r->role == RAFT_CANDIDATE);
    ASSERT(r->hard_state_persisted.term == r->term && r->hard_state_persisted.vote == r->id);
    role_reset(r);
    r->leader = r->id;
    r->read_sequence = 0;
    r->read_round_needed = false;
    r->transfer_ordered = false;
    for (uint32_t i = 0; i < r->peer_count; i++)
        raft__progress_reset(&r->peers[i], raft__log_last(&r->log) + 1);
    /* Thesis 6.4 step 1: "each leader ... commits a blank no-op entry into the log at the start of
     * its term"; by 5.4.2 it is also what commits the entries of earlier terms. */
    struct raft_entry noop = {
        .index = raft__log_last(&r->log) + 1, .term = r->term, .type = RAFT_ENTRY_NOOP};
    raft__log_append(&r->log, &noop);
    r->noop_index = noop.index;
    role_move(r, RAFT_LEADER);
}
