/* Who belongs to the cluster: thesis 4.1 to 4.3, one voter at a time.
 *
 * The log is the truth. r->memberships mirrors it: the newest committed membership first, then
 * those of entries that are not committed, oldest first. The last one is in effect, "a server
 * always uses the latest configuration in its log, regardless of whether the entry is committed"
 * (4.1).
 *
 *     an entry is appended       raft__members_appended      pushed, in effect
 *     entries are replaced       raft__members_truncated     popped, the one before is in effect
 * again the commit index moves     raft__commit                what is older than the newest
 * committed one is forgotten
 *
 * WHY ONE AT A TIME IS SAFE. If the voters of two memberships differ by one, a majority of the one
 * and a majority of the other share a node (4.1, Figure 4.3). So two leaders, each elected by its
 * own membership, cannot be of one term, nor can one of them miss what the other committed. That
 * holds for neighbours in the history only; therefore a change waits until the one before is
 * committed.
 *
 * THE HOLE IN THAT, and the fix (Ongaro, "bug in single-server membership changes", raft-dev,
 * 2015-07-10). A leader may append a change, be deposed before it is committed, and come back in a
 * later term with the change still in its log, while the leader in between has committed another
 * one: the two are not neighbours. "A leader may not append a new configuration until it has
 * committed an entry from its current term": that entry makes sure that every change of an earlier
 * term is either committed or can never be. tests/golden/raft/membership_bug.txt plays it. */
#include "raft/raft_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/msgpack.h"

enum { MEMBERS_FORMAT = 1 };

/* ---- the bytes ------------------------------------------------------------------------------ */

void raft_members_encode(const struct raft_members *members, struct buffer *out)
{
    ASSERT(members->count <= RAFT_MEMBERS_MAX);
    msgpack_put_array(out, 3);
    msgpack_put_uint(out, MEMBERS_FORMAT);
    msgpack_put_uint(out, members->index);
    msgpack_put_array(out, members->count);
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->items[i];
        ASSERT(member->context_size <= RAFT_MEMBER_CONTEXT_MAX);
        msgpack_put_array(out, 3);
        msgpack_put_uint(out, member->id);
        msgpack_put_uint(out, member->voter);
        msgpack_put_bin(out, slice_make(member->context, member->context_size));
    }
}

bool raft__members_valid(const struct raft_members *members)
{
    if (members->count > RAFT_MEMBERS_MAX || members->index > RAFT_INDEX_MAX)
        return false;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->items[i];
        if (member->id == 0 || member->context_size > RAFT_MEMBER_CONTEXT_MAX)
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (members->items[k].id == member->id)
                return false;
    }
    return true;
}

static bool member_decode(struct msgpack_reader *reader, struct raft_member *member)
{
    bool shape = msgpack_get_array(reader) == 3;
    member->id = msgpack_get_uint(reader);
    uint64_t voter = msgpack_get_uint(reader);
    struct slice context = msgpack_get_bin(reader);
    if (!shape || voter > 1 || context.size > RAFT_MEMBER_CONTEXT_MAX)
        return false;
    member->voter = voter == 1;
    member->context_size = (uint16_t)context.size;
    if (context.size > 0)
        memcpy(member->context, context.data, context.size);
    return true;
}

status_t raft_members_decode(struct slice bytes, struct raft_members *out)
{
    ASSERT(out != NULL);
    struct msgpack_reader reader;
    msgpack_reader_init(&reader, bytes);
    memset(out, 0, sizeof *out);
    bool shape = msgpack_get_array(&reader) == 3 && msgpack_get_uint(&reader) == MEMBERS_FORMAT;
    out->index = msgpack_get_uint(&reader);
    uint32_t count = msgpack_get_array(&reader);
    if (!shape || count > RAFT_MEMBERS_MAX)
        return ERR_CORRUPT;
    for (; out->count < count; out->count++)
        if (!member_decode(&reader, &out->items[out->count]))
            return ERR_CORRUPT;
    return msgpack_done(&reader) && raft__members_valid(out) ? OK : ERR_CORRUPT;
}

/* ---- questions ------------------------------------------------------------------------------ */

const struct raft_member *raft_members_find(const struct raft_members *members, uint64_t id)
{
    ASSERT(members->count <= RAFT_MEMBERS_MAX);
    for (uint32_t i = 0; i < members->count; i++)
        if (members->items[i].id == id)
            return &members->items[i];
    return NULL;
}

bool raft__is_voter(const struct raft_members *members, uint64_t id)
{
    const struct raft_member *member = raft_members_find(members, id);
    return member != NULL && member->voter;
}

static uint32_t voters_of(const struct raft_members *members)
{
    uint32_t voters = 0;
    for (uint32_t i = 0; i < members->count; i++)
        voters += members->items[i].voter;
    return voters;
}

const struct raft_members *raft__members(const struct raft *r)
{
    ASSERT(r->membership_count > 0);
    return &r->memberships[r->membership_count - 1];
}

const struct raft_members *raft__members_committed(const struct raft *r)
{
    ASSERT(r->membership_count > 0);
    return &r->memberships[0];
}

/* 4.2.2: "a server that is not part of its own latest configuration should still start new
 * elections, as it might still be needed until the C_new entry is committed" (Figure 4.6). */
bool raft__may_campaign(const struct raft *r)
{
    for (uint32_t i = 0; i < r->membership_count; i++)
        if (raft__is_voter(&r->memberships[i], r->id) &&
            r->memberships[i].index >= r->config.members_since)
            return true;
    return false;
}

/* ---- what is in effect ---------------------------------------------------------------------- */

/* The peers become the others of the membership in effect; who stays keeps what is known of it. */
static void members_enact(struct raft *r)
{
    const struct raft_members *members = raft__members(r);
    struct raft_progress peers[RAFT_MEMBERS_MAX];
    uint32_t count = 0;
    ASSERT(r->role == RAFT_FOLLOWER || r->role == RAFT_LEADER); /* no votes are being counted */
    for (uint32_t i = 0; i < members->count; i++) {
        const struct raft_member *member = &members->items[i];
        if (member->id == r->id)
            continue;
        struct raft_progress *p = &peers[count++];
        struct raft_progress *known = raft__peer(r, member->id);
        if (known != NULL) {
            *p = *known;
            known->inflight = NULL;
        } else {
            raft__progress_init(p, member->id, &r->config);
            raft__progress_reset(p, raft__log_last(&r->log) + 1);
            p->recent_active = true; /* it had no time yet to be heard of */
        }
        p->voter = member->voter;
    }
    for (uint32_t i = 0; i < r->peer_count; i++)
        raft__progress_free(&r->peers[i]);
    memcpy(r->peers, peers, count * sizeof *peers);
    r->peer_count = count;
    r->voter = raft__is_voter(members, r->id);
    r->voter_count = voters_of(members);
    r->quorum = r->voter_count / 2 + 1;
    r->members_changed = true;
}

static void members_push(struct raft *r, const struct raft_members *members)
{
    ASSERT(raft__members_valid(members));
    ASSERT(r->membership_count == 0 || members->index > raft__members(r)->index);
    r->memberships = vec_grow(r->memberships, &r->membership_capacity, r->membership_count + 1,
                              sizeof *r->memberships);
    r->memberships[r->membership_count++] = *members;
}

/* Those older than the newest committed one are of no use any more. */
static void members_forget(struct raft *r)
{
    uint32_t old = 0;
    while (old + 1 < r->membership_count && r->memberships[old + 1].index <= r->log.committed)
        old++;
    if (old == 0)
        return;
    r->membership_count -= old;
    memmove(r->memberships, r->memberships + old, r->membership_count * sizeof *r->memberships);
    ASSERT(r->membership_count > 0);
}

bool raft__members_entry_valid(const struct raft_entry *entry)
{
    struct raft_members members;
    return raft_members_decode(entry->data, &members) == OK && voters_of(&members) > 0;
}

void raft__members_appended(struct raft *r, const struct raft_entry *entry)
{
    ASSERT(entry->type == RAFT_ENTRY_MEMBERS);
    struct raft_members members;
    status_t status = raft_members_decode(entry->data, &members);
    ASSERT(status == OK); /* what comes from outside was looked at before it got here */
    members.index = entry->index;
    members_push(r, &members);
    members_enact(r);
    log_info("raft",
             "node %" PRIu64 " term %" PRIu64 ": members of entry %" PRIu64 " in effect, %u voters",
             r->id, r->term, entry->index, (unsigned)r->voter_count);
}

void raft__members_truncated(struct raft *r, uint64_t index)
{
    ASSERT(index > r->log.committed);
    uint32_t before = r->membership_count;
    while (r->membership_count > 1 && raft__members(r)->index >= index)
        r->membership_count--;
    if (r->membership_count == before)
        return;
    ASSERT(raft__members(r)->index < index);
    log_info("raft",
             "node %" PRIu64 " term %" PRIu64 ": members of entry %" PRIu64 " in effect again",
             r->id, r->term, raft__members(r)->index);
    members_enact(r);
}

void raft__members_restored(struct raft *r, const struct raft_members *members)
{
    ASSERT(members->index <= r->log.committed);
    r->membership_count = 0;
    members_push(r, members);
    members_enact(r);
}

/* What the log holds behind the state machine: (applied, last]. */
static status_t members_scan(struct raft *r, struct arena *arena)
{
    struct raft_log *log = &r->log;
    uint64_t index = log->applied + 1;
    while (index <= raft__log_last(log)) {
        const struct raft_entry *entries;
        uint32_t count;
        arena_reset(arena);
        status_t status = raft__log_slice(log, index, raft__log_last(log) + 1,
                                          r->config.max_apply_bytes, arena, &entries, &count);
        if (status != OK)
            return status == ERR_NOT_FOUND ? ERR_CORRUPT : status;
        for (uint32_t i = 0; i < count; i++) {
            if (entries[i].type != RAFT_ENTRY_MEMBERS)
                continue;
            if (!raft__members_entry_valid(&entries[i]))
                return ERR_CORRUPT;
            raft__members_appended(r, &entries[i]);
        }
        index += count;
    }
    return OK;
}

status_t raft__members_init(struct raft *r)
{
    ASSERT(r->membership_count == 0);
    members_push(r, &r->config.members);
    members_enact(r);
    r->members_changed = false;
    struct arena arena = {0};
    status_t status = members_scan(r, &arena);
    arena_free(&arena);
    if (status == OK)
        members_forget(r);
    return status;
}

void raft__members_free(struct raft *r)
{
    for (uint32_t i = 0; i < r->peer_count; i++)
        raft__progress_free(&r->peers[i]);
    mem_free(r->memberships);
}

void raft__commit(struct raft *r, uint64_t index)
{
    raft__log_commit(&r->log, index);
    members_forget(r);
}

/* ---- changes -------------------------------------------------------------------------------- */

/* How many nodes vote in only one of the two. */
static uint32_t voters_differ(const struct raft_members *a, const struct raft_members *b)
{
    uint32_t differ = 0;
    for (uint32_t i = 0; i < a->count; i++)
        differ += a->items[i].voter && !raft__is_voter(b, a->items[i].id);
    for (uint32_t i = 0; i < b->count; i++)
        differ += b->items[i].voter && !raft__is_voter(a, b->items[i].id);
    return differ;
}

status_t raft_propose_members(struct raft *r, const struct raft_members *members, uint64_t *index)
{
    ASSERT(!r->ready_open);
    if (r->role != RAFT_LEADER)
        return ERR_NOT_LEADER;
    struct raft_members next = *members;
    next.index = raft__log_last(&r->log) + 1;
    if (!raft__members_valid(&next) || voters_of(&next) == 0)
        return ERR_INVALID;
    /* Neighbours in the history only, and the published fix: see the top. */
    if (r->membership_count > 1 || r->log.committed < r->noop_index || r->transferee != 0)
        return ERR_BUSY;
    if (voters_differ(raft__members(r), &next) > 1)
        return ERR_INVALID;
    struct buffer bytes;
    buffer_init(&bytes, 0);
    raft_members_encode(&next, &bytes);
    ASSERT(!bytes.failed);
    raft__append_entry(r, &(struct raft_entry){.index = next.index,
                                               .term = r->term,
                                               .type = RAFT_ENTRY_MEMBERS,
                                               .data = buffer_slice(&bytes)});
    buffer_free(&bytes);
    *index = next.index;
    /* With a voter less, what was short of a majority may have one now. */
    raft__leader_commit(r);
    if (r->role == RAFT_LEADER)
        raft__read_confirm(r);
    raft__check(r);
    return OK;
}

void raft_members(const struct raft *r, struct raft_members *out)
{
    ASSERT(out != NULL);
    *out = *raft__members(r);
}
