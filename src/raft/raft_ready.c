/* The bundle: what to send, write, apply and answer now, and the three acknowledgements that come
 * back (advance, persisted, applied).
 *
 * Bundles go to the log in order and come back in order, so "durable" is one number, the sequence.
 * Two things hang on it:
 *
 *   - hard_state_persisted, the term and vote on disk;
 *   - log.persisted, the last entry on disk. A bundle's entries may have been replaced by a new
 *     leader while they were written. Then a later bundle overwrites them, and this one no longer
 *     vouches for them, even if the very same entries come back later behind it: so its last_index
 *     is lowered at the moment of the replacement (raft__bundles_replaced), and terms need not be
 *     compared afterwards. */
#include "raft/raft_int.h"

#include <string.h>

#include "base/mem.h"

static void list_push(struct raft_message_list *list, const struct raft_message *m)
{
    list->items = vec_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items[list->count++] = *m;
}

void raft__send(struct raft *r, uint64_t to, struct raft_message m)
{
    ASSERT(to != r->id && to != 0);
    m.from = r->id;
    m.to = to;
    list_push(&r->out, &m);
}

void raft__send_after_persist(struct raft *r, uint64_t to, struct raft_message m)
{
    ASSERT(to != r->id && to != 0);
    ASSERT(m.term == r->term && m.entry_count == 0);
    m.from = r->id;
    m.to = to;
    list_push(&r->out_after, &m);
}

static struct raft_bundle *bundle_at(struct raft *r, uint32_t place)
{
    ASSERT(place < RAFT_BUNDLES_MAX);
    return &r->bundles[(r->bundle_head + place) % RAFT_BUNDLES_MAX];
}

void raft__bundles_replaced(struct raft *r, uint64_t index)
{
    ASSERT(index > r->log.committed);
    for (uint32_t i = 0; i < r->bundle_count; i++) {
        struct raft_bundle *bundle = bundle_at(r, i);
        if (bundle->last_index >= index)
            bundle->last_index = index - 1;
    }
}

static bool term_or_vote_differ(const struct raft *r, const struct raft_hard_state *from)
{
    return r->term != from->term || r->vote != from->vote;
}

static bool persist_wanted(const struct raft *r)
{
    if (r->bundle_count == RAFT_BUNDLES_MAX)
        return false;
    return r->log.handed < raft__log_last(&r->log) || r->out_after.count > 0 ||
           r->restored_sequence == UINT64_MAX || term_or_vote_differ(r, &r->hard_state_handed);
}

static bool apply_wanted(const struct raft *r)
{
    return r->batch_count < RAFT_BATCHES_MAX && r->log.applying < r->log.committed;
}

static bool soft_differs(const struct raft *r)
{
    return r->soft_role != r->role || r->soft_leader != r->leader || r->soft_term != r->term;
}

bool raft_has_ready(const struct raft *r)
{
    ASSERT(!r->ready_open);
    if (r->out.count > 0 || r->answers_count > 0 || r->read_round_needed || soft_differs(r) ||
        r->members_changed || persist_wanted(r) || apply_wanted(r))
        return true;
    for (uint32_t i = 0; r->role == RAFT_LEADER && i < r->peer_count; i++)
        if (r->peers[i].snapshot_wanted ||
            raft__progress_wants(&r->peers[i], raft__log_last(&r->log), r->log.committed))
            return true;
    return false;
}

/* Messages whose promise is durable already need not wait for the writes behind it. */
static void ready_release_durable(struct raft *r)
{
    if (term_or_vote_differ(r, &r->hard_state_persisted) || r->restored_sequence != 0)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->out_after.count; i++) {
        const struct raft_message *m = &r->out_after.items[i];
        ASSERT(m->term == r->term);
        /* log_index: what an APPEND_RESPONSE promises to hold, a VOTE claims to have; else 0. */
        if (m->log_index <= r->log.persisted)
            list_push(&r->out, m);
        else
            r->out_after.items[kept++] = *m;
    }
    r->out_after.count = kept;
}

static void ready_persist(struct raft *r, struct raft_ready *ready)
{
    if (!persist_wanted(r))
        return;
    struct raft_log *log = &r->log;
    struct raft_bundle *bundle = bundle_at(r, r->bundle_count++);
    *bundle = (struct raft_bundle){.sequence = ++r->sequence};
    uint64_t last = raft__log_last(log);
    if (log->handed < last) {
        ASSERT(log->handed + 1 >= log->offset);
        uint32_t count = (uint32_t)(last - log->handed);
        bundle->last_index = last;
        bundle->entries = mem_alloc(count * sizeof *bundle->entries);
        memcpy(bundle->entries, &log->items[log->head + (log->handed + 1 - log->offset)],
               count * sizeof *bundle->entries);
        ASSERT(bundle->entries[0].index == log->handed + 1);
        ready->entries = bundle->entries;
        ready->entry_count = count;
        log->handed = last;
    }
    /* The commit index alone is not worth a write: it is a hint, and rides along. */
    bool commit_rides = ready->entry_count > 0 && log->committed > r->hard_state_handed.commit;
    if (r->restored_sequence == UINT64_MAX) {
        r->restored_sequence = bundle->sequence;
        commit_rides = true;
    }
    if (term_or_vote_differ(r, &r->hard_state_handed) || commit_rides) {
        ready->has_hard_state = true;
        r->hard_state_handed =
            (struct raft_hard_state){.term = r->term, .vote = r->vote, .commit = log->committed};
        ready->hard_state = r->hard_state_handed;
    }
    bundle->hard_state = r->hard_state_handed;
    bundle->messages = r->out_after.items;
    ready->messages_after_persist = r->out_after.items;
    ready->messages_after_persist_count = r->out_after.count;
    r->out_after = (struct raft_message_list){0};
    ready->sequence = bundle->sequence;
    ready->must_sync = ready->has_hard_state || ready->entry_count > 0;
}

static status_t ready_apply(struct raft *r, struct raft_ready *ready)
{
    if (!apply_wanted(r))
        return OK;
    struct raft_log *log = &r->log;
    struct raft_batch *batch = &r->batches[(r->batch_head + r->batch_count) % RAFT_BATCHES_MAX];
    arena_reset(&batch->arena);
    const struct raft_entry *entries = NULL;
    uint32_t count = 0;
    status_t status = raft__log_slice(log, log->applying + 1, log->committed + 1,
                                      r->config.max_apply_bytes, &batch->arena, &entries, &count);
    if (status == ERR_NOT_FOUND)
        return ERR_CORRUPT; /* dropped before it was applied */
    if (status != OK)
        return status;
    ASSERT(entries[0].index == log->applying + 1);
    struct raft_entry *copy = arena_alloc(&batch->arena, count * sizeof *copy);
    memcpy(copy, entries, count * sizeof *copy);
    log->applying += count;
    batch->last = log->applying;
    r->batch_count++;
    ready->committed = copy;
    ready->committed_count = count;
    ASSERT(log->applying <= log->committed);
    return OK;
}

/* What a person or a router wants to know, and what changed of it since the last bundle. */
static void ready_soft(struct raft *r, struct raft_ready *ready)
{
    *ready = (struct raft_ready){.leader = r->leader,
                                 .role = r->role,
                                 .term = r->term,
                                 .soft_changed = soft_differs(r),
                                 .members_changed = r->members_changed};
    r->soft_role = r->role;
    r->soft_leader = r->leader;
    r->soft_term = r->term;
    r->members_changed = false;
}

static void ready_snapshots(struct raft *r, struct raft_ready *ready)
{
    ASSERT(ready->snapshot_count == 0);
    for (uint32_t i = 0; r->role == RAFT_LEADER && i < r->peer_count; i++) {
        struct raft_progress *p = &r->peers[i];
        ASSERT(!p->snapshot_wanted || p->state == RAFT_PROGRESS_SNAPSHOT);
        if (p->snapshot_wanted)
            ready->snapshots[ready->snapshot_count++] = p->id;
        p->snapshot_wanted = false;
    }
}

status_t raft_ready(struct raft *r, struct raft_ready *ready)
{
    ASSERT(!r->ready_open);
    ready_soft(r, ready);
    r->ready_open = true;
    status_t status = OK;
    if (r->read_round_needed)
        raft__read_start_round(r);
    if (r->role == RAFT_LEADER)
        status = raft__append_build(r);
    if (status == OK)
        status = ready_apply(r, ready);
    if (status != OK) {
        r->ready_open = false;
        return status;
    }
    ready_snapshots(r, ready);
    ready_release_durable(r);
    ready_persist(r, ready);
    ready->messages = r->out.items;
    ready->message_count = r->out.count;
    ready->reads = r->answers;
    ready->read_count = r->answers_count;
    raft__check(r);
    return OK;
}

void raft_advance(struct raft *r)
{
    ASSERT(r->ready_open);
    r->ready_open = false;
    r->out.count = 0;
    r->answers_count = 0;
    arena_reset(&r->ready_arena);
    raft__log_evict(&r->log);
    raft__check(r);
}

void raft_persisted(struct raft *r, uint64_t sequence)
{
    ASSERT(!r->ready_open);
    ASSERT(sequence <= r->sequence && sequence > r->sequence - r->bundle_count);
    while (r->bundle_count > 0 && bundle_at(r, 0)->sequence <= sequence) {
        struct raft_bundle *bundle = bundle_at(r, 0);
        if (bundle->last_index > r->log.persisted)
            raft__log_persisted(&r->log, bundle->last_index);
        r->hard_state_persisted = bundle->hard_state;
        mem_free(bundle->entries);
        mem_free(bundle->messages);
        r->bundle_head = (r->bundle_head + 1) % RAFT_BUNDLES_MAX;
        r->bundle_count--;
    }
    if (r->restored_sequence <= sequence)
        r->restored_sequence = 0;
    raft__log_bury(&r->log, sequence);
    if (r->role == RAFT_CANDIDATE && r->own_vote == RAFT_VOTE_NONE &&
        !term_or_vote_differ(r, &r->hard_state_persisted))
        raft__vote_own(r);
    if (r->role == RAFT_LEADER)
        raft__leader_commit(r);
    raft__log_evict(&r->log);
    raft__check(r);
}

void raft_applied(struct raft *r, uint64_t index)
{
    ASSERT(!r->ready_open);
    ASSERT(index >= r->log.applied && index <= r->log.applying);
    r->log.applied = index;
    while (r->batch_count > 0 && r->batches[r->batch_head].last <= index) {
        r->batch_head = (r->batch_head + 1) % RAFT_BATCHES_MAX;
        r->batch_count--;
    }
    raft__log_bury(&r->log, r->sequence - r->bundle_count);
    raft__check(r);
}

void raft__ready_free(struct raft *r)
{
    for (; r->bundle_count > 0; r->bundle_count--) {
        struct raft_bundle *bundle = bundle_at(r, r->bundle_count - 1);
        mem_free(bundle->entries);
        mem_free(bundle->messages);
    }
    for (uint32_t i = 0; i < RAFT_BATCHES_MAX; i++)
        arena_free(&r->batches[i].arena);
    arena_free(&r->ready_arena);
    mem_free(r->out.items);
    mem_free(r->out_after.items);
    mem_free(r->answers);
    ASSERT(r->bundle_count == 0);
}
