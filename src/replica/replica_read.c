/* Read versions, both sides.
 *
 * A node's reads are one list in the order asked. Those not sent yet (batch 0) go out together at
 * the next pump under the next batch number; an answer {batch, index} gives the index to all reads
 * of that batch. A read is done when the node has applied its index. Batches may be answered in any
 * order; a batch without an answer is sent again under a new number, because the leader may be
 * another one.
 *
 *     waiting (batch 0) --flush--> sent (batch n) --answer--> answered (index) --applied--> done
 *          ^                          |
 *          +--- leader changed, no answer for RESEND_US, refused                            */

#include "base/check.h"
#include "base/log.h"
#include "replica/replica_int.h"

enum { RESEND_US = 500000 };

void replica_read_begin(struct replica *r, struct replica_read *read)
{
    ASSERT(read->done);
    read->next = NULL;
    read->batch = 0;
    read->answered = false;
    *r->reads_tail = read;
    r->reads_tail = &read->next;
}

/* Takes the read at *link out of the list. */
static struct replica_read *read_unlink(struct replica *r, struct replica_read **link)
{
    struct replica_read *read = *link;
    *link = read->next;
    if (r->reads_tail == &read->next)
        r->reads_tail = link;
    read->next = NULL;
    return read;
}

void replica_read_cancel(struct replica *r, struct replica_read *read)
{
    for (struct replica_read **link = &r->reads; *link; link = &(*link)->next) {
        if (*link == read) {
            read_unlink(r, link);
            return;
        }
    }
}

void replica__reads_flush(struct replica *r)
{
    if (r->leader == 0)
        return;
    uint64_t batch = r->read_batch + 1;
    uint64_t now_us = env_monotonic_us(r->env);
    bool any = false;
    for (struct replica_read *read = r->reads; read; read = read->next) {
        if (read->batch == 0) {
            read->batch = batch;
            read->sent_us = now_us;
            any = true;
        }
    }
    if (!any)
        return;
    r->read_batch = batch;
    struct replica_message message = {.type = REPLICA_READ_REQUEST, .to = r->leader, .id = batch};
    replica__send(r, &message);
}

/* Callbacks may ask for new reads; those are appended and not answered yet. */
void replica__reads_applied(struct replica *r)
{
    struct replica_read **link = &r->reads;
    while (*link) {
        struct replica_read *read = *link;
        if (!read->answered || read->index > r->applied_index) {
            link = &read->next;
            continue;
        }
        read_unlink(r, link);
        read->done(read, OK);
        link = &r->reads; /* the callback may have changed the list anywhere */
    }
}

/* Those sent at `sent_us` or earlier and not answered go out again with the next flush. */
static void reads_resend(struct replica *r, uint64_t sent_us)
{
    for (struct replica_read *read = r->reads; read; read = read->next) {
        if (read->batch != 0 && !read->answered && read->sent_us <= sent_us)
            read->batch = 0;
    }
}

void replica__reads_leader_changed(struct replica *r)
{
    reads_resend(r, UINT64_MAX);
}

void replica__reads_tick(struct replica *r, uint64_t now_us)
{
    struct replica_read **link = &r->reads;
    while (*link) {
        struct replica_read *read = *link;
        if (read->deadline_us > now_us) {
            link = &read->next;
            continue;
        }
        /* The leader has said how far this node must get, and it cannot write that down. */
        bool full = read->answered && (r->log_full || r->apply_blocked);
        read_unlink(r, link);
        read->done(read, full ? ERR_DISK_FULL : ERR_NO_QUORUM);
        link = &r->reads;
    }
    if (now_us >= RESEND_US)
        reads_resend(r, now_us - RESEND_US);
}

void replica__reads_fail(struct replica *r, status_t status)
{
    while (r->reads) {
        struct replica_read *read = read_unlink(r, &r->reads);
        read->done(read, status);
    }
}

void replica__read_response(struct replica *r, const struct replica_message *message)
{
    for (struct replica_read *read = r->reads; read; read = read->next) {
        if (read->batch == 0 || read->answered || read->batch != message->id)
            continue;
        if (message->status == OK) {
            read->answered = true;
            read->index = message->index;
        }
        /* Refused: it keeps its batch and is sent again by time or with the next leader. */
    }
}

/* ---- the leader's side ---------------------------------------------------------------------- */

static void read_answer(struct replica *r, uint64_t node, uint64_t id, uint64_t index,
                        status_t status)
{
    struct replica_message message = {
        .type = REPLICA_READ_RESPONSE, .to = node, .id = id, .index = index, .status = status};
    replica__send(r, &message);
}

void replica__read_request(struct replica *r, const struct replica_message *message)
{
    uint64_t context = ++r->read_context;
    if (r->config.read_lease_us) /* however long this process was held up before it got here */
        raft_time(r->raft, env_monotonic_us(r->env));
    status_t status = raft_read_index(r->raft, context);
    if (status != OK) {
        read_answer(r, message->from, message->id, 0, status);
        return;
    }
    struct replica__read_asked asked = {
        .context = context, .node = message->from, .id = message->id};
    replica__ring_push(&r->reads_asked, &asked);
}

void replica__read_state(struct replica *r, const struct raft_read_state *state)
{
    /* Raft answers each exactly once, mostly in order: mark the one, drop done ones in front. */
    for (uint32_t i = 0; i < r->reads_asked.count; i++) {
        struct replica__read_asked *asked = replica__ring_at(&r->reads_asked, i);
        if (asked->context != state->context)
            continue;
        read_answer(r, asked->node, asked->id, state->index, state->status);
        asked->context = 0;
        break;
    }
    while (r->reads_asked.count) {
        struct replica__read_asked *first = replica__ring_at(&r->reads_asked, 0);
        if (first->context != 0)
            break;
        replica__ring_pop(&r->reads_asked);
    }
}
