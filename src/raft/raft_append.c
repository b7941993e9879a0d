/* Log replication: paper 5.3, Figure 2 AppendEntries; pipelining and batching, thesis 10.2.
 *
 * The leader builds APPENDs only when a bundle is made, so that all proposals since the last bundle
 * go out together. Each carries the index and term of the entry before its own; a follower that has
 * no such entry refuses.
 *
 * FINDING WHERE TWO LOGS MEET. Paper 5.3 ends with: "the protocol can be optimized to reduce the
 * number of rejected AppendEntries RPCs ... the follower can include the term of the conflicting
 * entry and the first index it stores for that term". We skip whole terms on both sides. Terms
 * never fall along a log, so if the entry (index i, term t) of the leader is refused:
 *
 *   - the follower looks, from min(i, its last) down, for its first entry with term <= t. Entries
 *     above it have terms > t: they cannot equal the leader's entries there, which have terms <= t.
 *     It answers with that index h and its term u;
 *   - the leader looks, from h down, for its first entry with term <= u, for the same reason, and
 *     probes there.
 *
 *     leader    1 1 1 4 4 5 5 6 6 6        probes at 10 (term 6)
 *     follower  1 1 1 4 4 4 4              (Figure 7 b, a bit longer) answers 7 (term 4)
 *                                          leader: last index <= 7 with term <= 4 is 5. It matches.
 *
 * Each refusal lowers the term at which the search stands on one side or the other; in all of
 * Figure 7 one refusal is enough. The search never goes below what is known to match: the leader's
 * `match`, the follower's `committed`. */
#include "raft/raft_int.h"

#include <inttypes.h>

#include "base/log.h"

static void append_fell_behind(struct raft *r, struct raft_progress *p)
{
    log_warn("raft",
             "node %" PRIu64 " term %" PRIu64 ": node %" PRIu64 " needs entries from %" PRIu64
             ", which are no longer stored here",
             r->id, r->term, p->id, p->next);
    raft__progress_snapshot(p);
}

static status_t append_build_one(struct raft *r, struct raft_progress *p)
{
    ASSERT(r->role == RAFT_LEADER && r->ready_open);
    const struct raft_log *log = &r->log;
    uint64_t previous = p->next - 1;
    struct raft_message m = {
        .type = RAFT_APPEND, .term = r->term, .log_index = previous, .commit = log->committed};
    status_t status = raft__log_term(log, previous, &m.log_term);
    bool room = p->state == RAFT_PROGRESS_PROBE || !raft__progress_window_full(p);
    if (status == OK && room && p->next <= raft__log_last(log))
        status = raft__log_slice(log, p->next, raft__log_last(log) + 1, r->config.max_append_bytes,
                                 &r->ready_arena, &m.entries, &m.entry_count);
    if (status == ERR_NOT_FOUND) {
        append_fell_behind(r, p);
        return OK;
    }
    if (status != OK)
        return status;
    size_t bytes = 0;
    for (uint32_t i = 0; i < m.entry_count; i++)
        bytes += m.entries[i].data.size;
    uint64_t last = previous + m.entry_count;
    raft__progress_sent(p, last, m.entry_count, bytes);
    uint64_t commit_known = log->committed < last ? log->committed : last;
    if (commit_known > p->commit_sent)
        p->commit_sent = commit_known;
    raft__send(r, p->id, m);
    return OK;
}

status_t raft__append_build(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    for (uint32_t i = 0; i < r->peer_count; i++) {
        struct raft_progress *p = &r->peers[i];
        while (raft__progress_wants(p, raft__log_last(&r->log), r->log.committed)) {
            status_t status = append_build_one(r, p);
            if (status != OK)
                return status;
        }
    }
    return OK;
}

void raft__append_accept(struct raft *r, uint64_t to, uint64_t index)
{
    ASSERT(index <= raft__log_last(&r->log));
    /* While the disk is slow the leader asks again and again: one answer is enough, and it may as
     * well speak of the newest entry, for both wait for the same write. */
    if (r->out_after.count > 0) {
        struct raft_message *last = &r->out_after.items[r->out_after.count - 1];
        if (last->type == RAFT_APPEND_RESPONSE && last->to == to && last->log_index <= index &&
            last->log_index > r->log.persisted) {
            last->log_index = index;
            return;
        }
    }
    raft__send_after_persist(
        r, to,
        (struct raft_message){.type = RAFT_APPEND_RESPONSE, .term = r->term, .log_index = index});
}

static status_t append_refuse(struct raft *r, const struct raft_message *m)
{
    uint64_t from = raft__log_last(&r->log);
    if (from > m->log_index)
        from = m->log_index;
    ASSERT(from >= r->log.committed);
    struct raft_message answer = {
        .type = RAFT_APPEND_RESPONSE, .term = r->term, .log_index = m->log_index, .reject = true};
    status_t status = raft__log_find_term(&r->log, from, r->log.committed, m->log_term,
                                          &answer.hint_index, &answer.hint_term);
    if (status != OK)
        return status;
    raft__send(r, m->from, answer);
    return OK;
}

void raft__append_entry(struct raft *r, const struct raft_entry *entry)
{
    raft__log_append(&r->log, entry);
    if (entry->type == RAFT_ENTRY_MEMBERS)
        raft__members_appended(r, entry);
}

/* The first of the entries that is not in our log: *at gets its place in m->entries, entry_count
 * when all are there. */
static status_t append_find_new(const struct raft *r, const struct raft_message *m, uint32_t *at)
{
    for (*at = 0; *at < m->entry_count; ++*at) {
        const struct raft_entry *entry = &m->entries[*at];
        uint64_t term;
        if (entry->index > raft__log_last(&r->log))
            return OK;
        status_t status = raft__log_term(&r->log, entry->index, &term);
        if (status != OK)
            return status;
        if (term != entry->term)
            return OK;
    }
    return OK;
}

/* Figure 2, AppendEntries 3 and 4, for the entries from place `at` on, none of which is in our log.
 */
static status_t append_take(struct raft *r, const struct raft_message *m, uint32_t at)
{
    struct raft_log *log = &r->log;
    ASSERT(at <= m->entry_count);
    /* "3. If an existing entry conflicts with a new one (same index but different terms), delete
     * the existing entry and all that follow it" */
    if (at < m->entry_count && m->entries[at].index <= raft__log_last(log)) {
        uint64_t index = m->entries[at].index;
        if (index <= log->committed)
            return ERR_PROTOCOL;
        raft__log_truncate(log, index, at > 0 ? m->entries[at - 1].term : m->log_term, r->sequence);
        raft__bundles_replaced(r, index);
        raft__members_truncated(r, index);
    }
    /* "4. Append any new entries not already in the log" */
    for (; at < m->entry_count; at++)
        raft__append_entry(r, &m->entries[at]);
    return OK;
}

/* Figure 2, AppendEntries 2 to 5. The sender is the leader of our term and we follow it. */
status_t raft__append_request(struct raft *r, const struct raft_message *m)
{
    ASSERT(r->role == RAFT_FOLLOWER && r->leader == m->from);
    struct raft_log *log = &r->log;
    if (m->log_index < log->committed) {
        /* Late or repeated; what is committed is equal everywhere. */
        raft__append_accept(r, m->from, log->committed);
        return OK;
    }
    /* "2. Reply false if log doesn't contain an entry at prevLogIndex whose term matches
     * prevLogTerm" */
    if (m->log_index > raft__log_last(log))
        return append_refuse(r, m);
    uint64_t previous_term;
    status_t status = raft__log_term(log, m->log_index, &previous_term);
    if (status != OK)
        return status;
    if (previous_term != m->log_term) {
        if (m->log_index == log->committed)
            return ERR_PROTOCOL;
        return append_refuse(r, m);
    }
    uint32_t at;
    status = append_find_new(r, m, &at);
    if (status != OK)
        return status;
    status = append_take(r, m, at);
    if (status != OK)
        return status;
    /* "5. If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new
     * entry)" */
    uint64_t matches = m->log_index + m->entry_count;
    uint64_t commit = m->commit < matches ? m->commit : matches;
    if (commit > log->committed)
        raft__commit(r, commit);
    raft__append_accept(r, m->from, matches);
    return OK;
}

static status_t append_refused(struct raft *r, struct raft_progress *p,
                               const struct raft_message *m)
{
    ASSERT(m->log_index > 0 && m->log_index <= raft__log_last(&r->log));
    /* A refusal of something older than what we know now. */
    bool late = m->log_index <= p->match ||
                (p->state == RAFT_PROGRESS_PROBE && m->log_index != p->next - 1);
    if (p->state == RAFT_PROGRESS_SNAPSHOT || late)
        return OK;
    /* The place refused is out in any case, so each refusal brings the search forward. */
    uint64_t from = m->hint_index < m->log_index ? m->hint_index : m->log_index - 1;
    uint64_t index = p->match, term;
    if (from > p->match) {
        status_t status = raft__log_find_term(&r->log, from, p->match, m->hint_term, &index, &term);
        if (status == ERR_NOT_FOUND) {
            append_fell_behind(r, p);
            return OK;
        }
        if (status != OK)
            return status;
    }
    raft__progress_probe(p, index + 1);
    return OK;
}

status_t raft__append_response(struct raft *r, const struct raft_message *m)
{
    if (r->role != RAFT_LEADER)
        return OK;
    if (m->log_index > raft__log_last(&r->log))
        return ERR_PROTOCOL;
    struct raft_progress *p = raft__peer(r, m->from);
    ASSERT(p != NULL);
    p->recent_active = true;
    if (m->reject)
        return append_refused(r, p, m);
    bool news = raft__progress_accepted(p, m->log_index);
    raft__snapshot_ended(r, p, p->match);
    if (!news)
        return OK;
    if (p->id == r->transferee)
        raft__transfer_advance(r);
    if (p->voter)
        raft__leader_commit(r);
    return OK;
}

/* Figure 2, Leaders: "If there exists an N such that N > commitIndex, a majority of matchIndex[i]
 * >= N, and log[N].term == currentTerm: set commitIndex = N (5.3, 5.4)". The entries of our term
 * are those from noop_index on. Why older ones do not count: Figure 8. They are committed with the
 * first of ours. */
void raft__leader_commit(struct raft *r)
{
    ASSERT(r->role == RAFT_LEADER);
    uint64_t match[RAFT_MEMBERS_MAX];
    uint32_t count = 0;
    /* Thesis 10.2.1: "the leader ... counts its own match index as the last index durable on its
     * disk". 4.2.2: a leader that is removed "replicates log entries but does not count itself in
     * majorities". */
    if (r->voter)
        match[count++] = r->log.persisted;
    for (uint32_t i = 0; i < r->peer_count; i++)
        if (r->peers[i].voter)
            match[count++] = r->peers[i].match;
    ASSERT(count == r->voter_count && count >= r->quorum);
    for (uint32_t i = 1; i < count; i++)
        for (uint32_t k = i; k > 0 && match[k] > match[k - 1]; k--) {
            uint64_t smaller = match[k - 1];
            match[k - 1] = match[k];
            match[k] = smaller;
        }
    uint64_t index = match[r->quorum - 1];
    ASSERT(index <= raft__log_last(&r->log));
    if (index <= r->log.committed || index < r->noop_index)
        return;
    raft__commit(r, index);
    raft__read_unblock(r);
    /* 4.2.2: a leader that is removed "steps down ... once C_new is committed". */
    if (r->membership_count == 1 && !r->voter)
        raft__transfer_retire(r);
}
