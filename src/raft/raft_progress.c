/* What a leader knows of one follower, and how much it may send.
 *
 *                     accepted                      rejected
 *     PROBE --------------------------> REPLICATE ------------> PROBE
 *       | ^                                 |
 *       | `----- it has a state from elsewhere: raft_restore.c ---- SNAPSHOT
 *       `------- entries needed are gone ---------------------------^
 *
 * PROBE: the place where the logs meet is not known. One APPEND, then silence until its answer, or
 * until a heartbeat was answered an interval later (the APPEND or its answer is lost).
 *
 * REPLICATE (thesis 10.2.1, "pipelining"): `next` moves when an APPEND is sent, not when it is
 * answered. The window bounds what is on the way in messages and in bytes. A lost APPEND is noticed
 * by the next one, which does not fit; when nothing follows, by `stalled`: the follower answers
 * heartbeats, but `match` has not moved for an interval. Then one empty APPEND (`poke`) asks. */
#include "raft/raft_int.h"

#include "base/mem.h"

void raft__progress_init(struct raft_progress *p, uint64_t id, const struct raft_config *config)
{
    ASSERT(id != 0);
    ASSERT(config->max_inflight_messages > 0);
    *p = (struct raft_progress){
        .id = id,
        .next = 1,
        .window_messages = config->max_inflight_messages,
        .window_bytes = config->max_inflight_bytes,
    };
    p->inflight = mem_zalloc(config->max_inflight_messages, sizeof *p->inflight);
}

void raft__progress_free(struct raft_progress *p)
{
    mem_free(p->inflight);
    p->inflight = NULL;
}

static void progress_window_clear(struct raft_progress *p)
{
    p->inflight_head = 0;
    p->inflight_count = 0;
    p->inflight_bytes = 0;
}

void raft__progress_reset(struct raft_progress *p, uint64_t next)
{
    ASSERT(next > 0);
    p->match = 0;
    p->match_at_tick = 0;
    p->commit_sent = 0;
    p->read_acked = 0;
    p->round_awaited = 0;
    p->lease_start_us = 0;
    p->recent_active = false;
    raft__progress_probe(p, next);
}

void raft__progress_probe(struct raft_progress *p, uint64_t next)
{
    ASSERT(next > p->match);
    p->state = RAFT_PROGRESS_PROBE;
    p->snapshot_wanted = false;
    p->next = next;
    p->probe_sent = false;
    p->stalled = false;
    p->poke = false;
    progress_window_clear(p);
}

void raft__progress_replicate(struct raft_progress *p)
{
    ASSERT(p->state == RAFT_PROGRESS_PROBE);
    ASSERT(p->inflight_count == 0);
    p->state = RAFT_PROGRESS_REPLICATE;
    p->next = p->match + 1;
    p->probe_sent = false;
    p->stalled = false;
}

void raft__progress_snapshot(struct raft_progress *p)
{
    ASSERT(p->state != RAFT_PROGRESS_SNAPSHOT);
    p->state = RAFT_PROGRESS_SNAPSHOT;
    p->snapshot_wanted = true;
    p->probe_sent = false;
    p->stalled = false;
    p->poke = false;
    progress_window_clear(p);
    ASSERT(!raft__progress_wants(p, UINT64_MAX, UINT64_MAX));
}

bool raft__progress_window_full(const struct raft_progress *p)
{
    ASSERT(p->inflight_count <= p->window_messages);
    return p->inflight_count == p->window_messages || p->inflight_bytes >= p->window_bytes;
}

void raft__progress_sent(struct raft_progress *p, uint64_t last, uint32_t count, size_t bytes)
{
    p->poke = false;
    if (p->state == RAFT_PROGRESS_PROBE) {
        ASSERT(!p->probe_sent);
        p->probe_sent = true;
        return;
    }
    ASSERT(p->state == RAFT_PROGRESS_REPLICATE);
    if (count == 0)
        return;
    ASSERT(!raft__progress_window_full(p));
    ASSERT(last >= p->next);
    uint32_t at = (p->inflight_head + p->inflight_count) % p->window_messages;
    p->inflight[at] = (struct raft_inflight){.last = last, .bytes = bytes};
    p->inflight_count++;
    p->inflight_bytes += bytes;
    p->next = last + 1;
}

bool raft__progress_accepted(struct raft_progress *p, uint64_t match)
{
    while (p->inflight_count > 0 && p->inflight[p->inflight_head].last <= match) {
        ASSERT(p->inflight_bytes >= p->inflight[p->inflight_head].bytes);
        p->inflight_bytes -= p->inflight[p->inflight_head].bytes;
        p->inflight_head = (p->inflight_head + 1) % p->window_messages;
        p->inflight_count--;
    }
    bool news = match > p->match;
    if (news)
        p->match = match;
    if (p->next <= p->match)
        p->next = p->match + 1;
    if (p->state == RAFT_PROGRESS_PROBE && match == p->match)
        raft__progress_replicate(p);
    ASSERT(p->next > p->match);
    return news;
}

void raft__progress_tick(struct raft_progress *p, uint64_t last)
{
    ASSERT(p->match <= last);
    bool moved = p->match != p->match_at_tick;
    p->match_at_tick = p->match;
    if (p->state == RAFT_PROGRESS_PROBE)
        p->stalled = p->probe_sent;
    else
        p->stalled = !moved && p->match < last;
}

bool raft__progress_wants(const struct raft_progress *p, uint64_t last, uint64_t committed)
{
    switch (p->state) {
    case RAFT_PROGRESS_PROBE:
        return !p->probe_sent;
    case RAFT_PROGRESS_REPLICATE: {
        if (p->poke || (p->next <= last && !raft__progress_window_full(p)))
            return true;
        /* News of a commit, as far as what was sent already reaches. */
        uint64_t commit_known = committed < p->next - 1 ? committed : p->next - 1;
        return commit_known > p->commit_sent;
    }
    case RAFT_PROGRESS_SNAPSHOT:
        return false;
    }
    UNREACHABLE();
}
