/* The doors of the room: create, tick, step, propose. What happens behind them is in the file named
 * after it; here messages meet the rule about terms that comes before everything else. */
#include "raft/raft_int.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/mem.h"

void raft_config_default(struct raft_config *config)
{
    ASSERT(config != NULL);
    *config = (struct raft_config){
        .election_timeout_ticks = 10,
        .heartbeat_ticks = 1,
        .pre_vote = true,
        .check_quorum = true,
        .max_append_bytes = 256u << 10,
        .max_inflight_messages = 64,
        .max_inflight_bytes = 4u << 20,
        .max_uncommitted_bytes = 16u << 20,
        .max_entry_bytes = 16u << 20,
        .max_cached_bytes = 8u << 20,
        .max_apply_bytes = 1u << 20,
        .max_pending_reads = 65536,
    };
}

static uint32_t count_or(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static size_t bytes_or(size_t value, size_t fallback)
{
    return value != 0 ? value : fallback;
}

static void config_fill(struct raft_config *c)
{
    struct raft_config d;
    raft_config_default(&d);
    c->election_timeout_ticks = count_or(c->election_timeout_ticks, d.election_timeout_ticks);
    c->heartbeat_ticks = count_or(c->heartbeat_ticks, d.heartbeat_ticks);
    c->max_append_bytes = bytes_or(c->max_append_bytes, d.max_append_bytes);
    c->max_inflight_messages = count_or(c->max_inflight_messages, d.max_inflight_messages);
    c->max_inflight_bytes = bytes_or(c->max_inflight_bytes, d.max_inflight_bytes);
    c->max_uncommitted_bytes = bytes_or(c->max_uncommitted_bytes, d.max_uncommitted_bytes);
    c->max_entry_bytes = bytes_or(c->max_entry_bytes, d.max_entry_bytes);
    c->max_cached_bytes = bytes_or(c->max_cached_bytes, d.max_cached_bytes);
    c->max_apply_bytes = bytes_or(c->max_apply_bytes, d.max_apply_bytes);
    c->max_pending_reads = count_or(c->max_pending_reads, d.max_pending_reads);
}

status_t raft_create(const struct raft_config *config, const struct raft_storage *storage,
                     const struct raft_hard_state *hard_state, struct raft **out)
{
    ASSERT(config && storage && hard_state && out);
    *out = NULL;
    struct raft_config filled = *config;
    config_fill(&filled);
    status_t status = raft__config_validate(&filled);
    if (status != OK)
        return status;
    struct raft_log log;
    status =
        raft__log_init(&log, storage, hard_state->commit, filled.applied, filled.max_cached_bytes);
    if (status != OK)
        return status;
    if (hard_state->term > RAFT_INDEX_MAX || log.last_term > RAFT_INDEX_MAX)
        return ERR_CORRUPT;
    struct raft *r = mem_zalloc(1, sizeof *r);
    r->config = filled;
    r->id = filled.id;
    r->log = log;
    r->term = hard_state->term;
    r->vote = hard_state->vote;
    r->hard_state_persisted = *hard_state;
    r->hard_state_handed = *hard_state;
    if (r->term < log.last_term) {
        /* The entries of a bundle became durable, its hard state did not: no promise of that term
         * was made yet, so no vote in it is forgotten. */
        r->term = log.last_term;
        r->vote = 0;
    }
    status = raft__members_init(r);
    if (status != OK) {
        raft_destroy(r);
        return status;
    }
    /* Nodes started with one seed must not draw one sequence of timeouts. */
    prng_seed(&r->prng, filled.seed ^ (filled.id * UINT64_C(0x9e3779b97f4a7c15)));
    r->soft_term = r->term;
    raft__become_follower(r, r->term, 0);
    /* Before it stopped this node may have answered a leader that still counts on it. */
    r->silence = filled.lease_us > 0 ? 0 : filled.election_timeout_ticks;
    *out = r;
    return OK;
}

void raft_destroy(struct raft *r)
{
    if (r == NULL)
        return;
    raft__members_free(r);
    raft__ready_free(r);
    raft__log_free(&r->log);
    mem_free(r->reads);
    mem_free(r);
}

void raft_tick(struct raft *r)
{
    ASSERT(!r->ready_open);
    if (r->role == RAFT_LEADER)
        raft__leader_tick(r);
    else
        raft__election_tick(r);
    raft__check(r);
}

static bool from_leader(const struct raft_message *m)
{
    return m->type == RAFT_APPEND || m->type == RAFT_HEARTBEAT || m->type == RAFT_TIMEOUT_NOW;
}

/* Figure 2, all servers: "If RPC request or response contains term T > currentTerm: set currentTerm
 * = T, convert to follower". Three exceptions. True: go on with the message. */
static bool step_newer_term(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term > r->term);
    bool asks = m->type == RAFT_PREVOTE || (m->type == RAFT_VOTE && !m->transfer);
    if (asks && raft__in_lease(r)) {
        log_debug("raft",
                  "node %" PRIu64 " term %" PRIu64 ": ignores %s from %" PRIu64
                  ", follows leader %" PRIu64,
                  r->id, r->term, raft_message_type_name(m->type), m->from, r->leader);
        return false;
    }
    /* The term of a pre-vote is one nobody has entered yet. */
    if (m->type == RAFT_PREVOTE)
        return true;
    if (m->type == RAFT_PREVOTE_RESPONSE && !m->reject)
        return true;
    raft__become_follower(r, m->term, from_leader(m) ? m->from : 0);
    return true;
}

/* Figure 2, receivers: "1. Reply false if term < currentTerm". Only where the answer is of use. */
static void step_older_term(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term < r->term);
    if (from_leader(m)) {
        /* A deposed leader, or one that works while we, cut off, ran ahead of its term without
         * pre-vote: in both cases it must learn of our term, or we never follow. Any message of
         * ours tells. */
        raft__send(r, m->from,
                   (struct raft_message){.type = RAFT_HEARTBEAT_RESPONSE,
                                         .term = r->term,
                                         .commit = r->log.committed});
    } else if (m->type == RAFT_PREVOTE || m->type == RAFT_VOTE) {
        /* It may never hear of our term otherwise: when memberships differ we need not be asking it
         * for its vote, while it needs ours, and the one that is behind would stay behind. */
        bool pre = m->type == RAFT_PREVOTE;
        raft__send(r, m->from,
                   (struct raft_message){.type = pre ? RAFT_PREVOTE_RESPONSE : RAFT_VOTE_RESPONSE,
                                         .term = r->term,
                                         .reject = true});
    }
}

/* A leader of our term spoke. Two leaders in one term cannot be (5.2, Election Safety). */
static status_t step_follow(struct raft *r, const struct raft_message *m)
{
    ASSERT(m->term == r->term);
    if (r->role == RAFT_LEADER || (r->leader != 0 && r->leader != m->from))
        return ERR_PROTOCOL;
    r->silence = 0;
    if (r->role == RAFT_FOLLOWER && r->leader == m->from) {
        r->election_elapsed = 0;
        return OK;
    }
    raft__become_follower(r, m->term, m->from);
    return OK;
}

static status_t step_current(struct raft *r, const struct raft_message *m)
{
    status_t status = OK;
    switch (m->type) {
    case RAFT_PREVOTE:
    case RAFT_VOTE:
        raft__vote_request(r, m);
        return OK;
    case RAFT_PREVOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
        raft__vote_response(r, m);
        return OK;
    case RAFT_APPEND:
        status = step_follow(r, m);
        return status == OK ? raft__append_request(r, m) : status;
    case RAFT_APPEND_RESPONSE:
        return raft__append_response(r, m);
    case RAFT_HEARTBEAT:
        status = step_follow(r, m);
        return status == OK ? raft__heartbeat_request(r, m) : status;
    case RAFT_HEARTBEAT_RESPONSE:
        return raft__heartbeat_response(r, m);
    case RAFT_TIMEOUT_NOW:
        status = step_follow(r, m);
        if (status == OK)
            raft__transfer_request(r);
        return status;
    }
    UNREACHABLE();
}

status_t raft_step(struct raft *r, const struct raft_message *message)
{
    ASSERT(!r->ready_open);
    status_t status = raft__message_validate(r, message);
    if (status != OK)
        return status;
    /* Thesis 4.2.3: "servers process incoming RPC requests without consulting their current
     * configurations", for the sender may know a newer one. An answer from outside is to a question
     * of a time when the sender was inside: it counts for nothing, and its term, which a removed
     * node may have driven up alone, disturbs nobody. */
    if (raft__is_response(message->type) && raft__peer(r, message->from) == NULL)
        return OK;
    if (message->term < r->term) {
        step_older_term(r, message);
        return OK;
    }
    if (message->term > r->term && !step_newer_term(r, message))
        return OK;
    status = step_current(r, message);
    raft__check(r);
    return status;
}

status_t raft_propose(struct raft *r, const struct slice *datas, uint32_t count,
                      uint64_t *first_index)
{
    ASSERT(!r->ready_open);
    ASSERT(count > 0);
    if (r->role != RAFT_LEADER)
        return ERR_NOT_LEADER;
    if (r->transferee != 0)
        return ERR_BUSY;
    struct raft_log *log = &r->log;
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (datas[i].size > r->config.max_entry_bytes)
            return ERR_TOO_LONG;
        bytes += raft__entry_cost(&(struct raft_entry){.data = datas[i]});
    }
    /* When nothing is on its way even a large proposal may go: it will not find more room later. */
    size_t pending = log->uncommitted_bytes > log->undurable_bytes ? log->uncommitted_bytes
                                                                   : log->undurable_bytes;
    if (pending > 0 && pending + bytes > r->config.max_uncommitted_bytes)
        return ERR_BUSY;
    *first_index = raft__log_last(log) + 1;
    for (uint32_t i = 0; i < count; i++)
        raft__log_append(log, &(struct raft_entry){.index = raft__log_last(log) + 1,
                                                   .term = r->term,
                                                   .type = RAFT_ENTRY_COMMAND,
                                                   .data = datas[i]});
    raft__check(r);
    return OK;
}

status_t raft_read_index(struct raft *r, uint64_t context)
{
    ASSERT(!r->ready_open);
    return raft__read_request(r, context);
}

void raft_campaign(struct raft *r)
{
    ASSERT(!r->ready_open);
    bool relied_on = r->config.lease_us > 0 && raft__in_lease(r);
    if (r->role != RAFT_LEADER && raft__may_campaign(r) && !relied_on)
        raft__campaign(r, false);
    raft__check(r);
}

void raft_time(struct raft *r, uint64_t now_us)
{
    ASSERT(!r->ready_open);
    if (now_us > r->now_us)
        r->now_us = now_us;
}

void raft_status(const struct raft *r, struct raft_status *out)
{
    ASSERT(out != NULL);
    const struct raft_log *log = &r->log;
    *out = (struct raft_status){
        .id = r->id,
        .leader = r->leader,
        .role = r->role,
        .term = r->term,
        .vote = r->vote,
        .commit = log->committed,
        .applied = log->applied,
        .last_index = raft__log_last(log),
        .last_term = log->last_term,
        .persisted = log->persisted,
        .cached_bytes = log->cached_bytes,
        .uncommitted_bytes = log->uncommitted_bytes,
        .bundles_inflight = r->bundle_count,
        .transferee = r->transferee,
        .members_pending = r->membership_count > 1,
    };
    for (uint32_t i = 0; r->role == RAFT_LEADER && i < r->peer_count; i++) {
        const struct raft_progress *p = &r->peers[i];
        out->peers[out->peer_count++] = (struct raft_peer_status){
            .id = p->id,
            .state = p->state,
            .match = p->match,
            .next = p->next,
            .inflight_messages = p->inflight_count,
            .inflight_bytes = p->inflight_bytes,
            .recent_active = p->recent_active,
            .voter = p->voter,
        };
    }
}
