#include "raft_show.h"

#include <inttypes.h>

#include "base/check.h"

void show_members(struct buffer *out, const struct raft_members *members)
{
    for (uint32_t i = 0; i < members->count; i++)
        buffer_printf(out, members->items[i].voter ? "%s%" PRIu64 : "%s(%" PRIu64 ")",
                      i > 0 ? " " : "", members->items[i].id);
    if (members->count == 0)
        buffer_append_string(out, "nobody");
}

void show_entry(struct buffer *out, const struct raft_entry *e)
{
    buffer_printf(out, "%" PRIu64 "/%" PRIu64 " ", e->index, e->term);
    if (e->type == RAFT_ENTRY_NOOP) {
        buffer_append_string(out, "(noop)");
    } else if (e->type == RAFT_ENTRY_MEMBERS) {
        struct raft_members members;
        status_t status = raft_members_decode(e->data, &members);
        ASSERT(status == OK);
        buffer_append_string(out, "members ");
        show_members(out, &members);
    } else {
        buffer_append_slice(out, e->data);
    }
}

static void show_append(struct buffer *out, const struct raft_message *m)
{
    buffer_printf(out, " after=%" PRIu64 "/%" PRIu64 " commit=%" PRIu64 " [", m->log_index,
                  m->log_term, m->commit);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        show_entry(out, &m->entries[i]);
    }
    buffer_append_string(out, "]");
}

void show_message(struct buffer *out, const struct raft_message *m)
{
    buffer_printf(out, "  %" PRIu64 " -> %" PRIu64 "  %s term=%" PRIu64, m->from, m->to,
                  raft_message_type_name(m->type), m->term);
    switch (m->type) {
    case RAFT_PREVOTE:
    case RAFT_VOTE:
        buffer_printf(out, " last=%" PRIu64 "/%" PRIu64 "%s", m->log_index, m->log_term,
                      m->transfer ? " as the leader wants" : "");
        break;
    case RAFT_PREVOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
        buffer_append_string(out, m->reject ? " no" : " yes");
        break;
    case RAFT_APPEND:
        show_append(out, m);
        break;
    case RAFT_APPEND_RESPONSE:
        if (m->reject)
            buffer_printf(out, " refuses %" PRIu64 ", try %" PRIu64 "/%" PRIu64, m->log_index,
                          m->hint_index, m->hint_term);
        else
            buffer_printf(out, " holds %" PRIu64, m->log_index);
        break;
    case RAFT_HEARTBEAT:
    case RAFT_HEARTBEAT_RESPONSE:
        buffer_printf(out, " commit=%" PRIu64 " round=%" PRIu64, m->commit, m->read_sequence);
        break;
    case RAFT_TIMEOUT_NOW:
        break;
    }
    buffer_append_string(out, "\n");
}

static void show_soft(struct buffer *out, const struct node *node, const struct raft_ready *ready)
{
    if (ready->soft_changed)
        buffer_printf(out, "node %" PRIu64 ": %s in term %" PRIu64 ", leader %" PRIu64 "\n",
                      node->id, raft_role_name(ready->role), ready->term, ready->leader);
    if (ready->members_changed) {
        struct raft_members members;
        raft_members(node->raft, &members);
        buffer_printf(out, "node %" PRIu64 ": members are ", node->id);
        show_members(out, &members);
        buffer_append_string(out, "\n");
    }
    for (uint32_t i = 0; i < ready->snapshot_count; i++)
        buffer_printf(out, "node %" PRIu64 ": node %" PRIu64 " needs a snapshot\n", node->id,
                      ready->snapshots[i]);
}

void show_bundle(struct buffer *out, const struct node *node, const struct raft_ready *ready,
                 bool disk)
{
    show_soft(out, node, ready);
    if (ready->sequence != 0 && disk) {
        buffer_printf(out, "node %" PRIu64 ": bundle %" PRIu64 " to the log:", node->id,
                      ready->sequence);
        if (ready->has_hard_state)
            buffer_printf(out, " term=%" PRIu64 " vote=%" PRIu64, ready->hard_state.term,
                          ready->hard_state.vote);
        for (uint32_t i = 0; i < ready->entry_count; i++) {
            buffer_append_string(out, " ");
            show_entry(out, &ready->entries[i]);
        }
        buffer_printf(out, "; messages held back: %u\n",
                      (unsigned)ready->messages_after_persist_count);
    }
    for (uint32_t i = 0; i < ready->committed_count; i++) {
        if (i == 0)
            buffer_printf(out, "node %" PRIu64 ": applies ", node->id);
        show_entry(out, &ready->committed[i]);
        buffer_append_string(out, i + 1 < ready->committed_count ? ", " : "\n");
    }
}

static const char *state_name(enum raft_progress_state state)
{
    return state == RAFT_PROGRESS_PROBE       ? "probe"
           : state == RAFT_PROGRESS_REPLICATE ? "replicate"
                                              : "snapshot";
}

void show_status(struct buffer *out, const struct node *node)
{
    if (node->raft == NULL) {
        buffer_printf(out, "node %" PRIu64 ": down\n", node->id);
        return;
    }
    struct raft_status s;
    raft_status(node->raft, &s);
    buffer_printf(out,
                  "node %" PRIu64 ": %s term=%" PRIu64 " vote=%" PRIu64 " leader=%" PRIu64
                  " last=%" PRIu64 "/%" PRIu64 " durable=%" PRIu64 " commit=%" PRIu64
                  " applied=%" PRIu64,
                  s.id, raft_role_name(s.role), s.term, s.vote, s.leader, s.last_index, s.last_term,
                  s.persisted, s.commit, s.applied);
    if (s.transferee != 0)
        buffer_printf(out, " hands over to %" PRIu64, s.transferee);
    buffer_append_string(out, s.members_pending ? " members not committed\n" : "\n");
    for (uint32_t i = 0; i < s.peer_count; i++)
        buffer_printf(
            out, "  to %" PRIu64 "%s: %s match=%" PRIu64 " next=%" PRIu64 " on the way=%u\n",
            s.peers[i].id, s.peers[i].voter ? "" : " (learner)", state_name(s.peers[i].state),
            s.peers[i].match, s.peers[i].next, (unsigned)s.peers[i].inflight_messages);
}

void show_log(struct buffer *out, struct node *node)
{
    uint64_t base = node->disk.base;
    if (base > 0)
        buffer_printf(out, "... %" PRIu64 "/%" PRIu64 ";", base, node->disk.base_term);
    for (uint64_t i = base + 1; node_term(node, i) != 0; i++)
        buffer_printf(out, "%s%" PRIu64 "/%" PRIu64, i > 1 ? " " : "", i, node_term(node, i));
    buffer_append_string(out, "\n");
}
