/* What comes from outside, held against what a correct node can say. Messages are foreign bytes:
 * whatever they say must end in an error, never in an assertion. What depends on our own state is
 * checked where the message is handled. */
#include "raft/raft_int.h"

const char *raft_message_type_name(enum raft_message_type type)
{
    switch (type) {
    case RAFT_PREVOTE:
        return "PREVOTE";
    case RAFT_PREVOTE_RESPONSE:
        return "PREVOTE_RESPONSE";
    case RAFT_VOTE:
        return "VOTE";
    case RAFT_VOTE_RESPONSE:
        return "VOTE_RESPONSE";
    case RAFT_APPEND:
        return "APPEND";
    case RAFT_APPEND_RESPONSE:
        return "APPEND_RESPONSE";
    case RAFT_HEARTBEAT:
        return "HEARTBEAT";
    case RAFT_HEARTBEAT_RESPONSE:
        return "HEARTBEAT_RESPONSE";
    case RAFT_TIMEOUT_NOW:
        return "TIMEOUT_NOW";
    }
    return "?";
}

bool raft__is_response(enum raft_message_type type)
{
    return type == RAFT_PREVOTE_RESPONSE || type == RAFT_VOTE_RESPONSE ||
           type == RAFT_APPEND_RESPONSE || type == RAFT_HEARTBEAT_RESPONSE;
}

/* An entry of term t comes from a leader of term t; index 0 is the only place with term 0. */
static bool place_valid(uint64_t index, uint64_t term, uint64_t term_max)
{
    return index <= RAFT_INDEX_MAX && term <= term_max && (index == 0) == (term == 0);
}

static status_t append_validate(const struct raft_message *m)
{
    if (!place_valid(m->log_index, m->log_term, m->term))
        return ERR_PROTOCOL;
    if (m->entry_count > 0 && m->entries == NULL)
        return ERR_PROTOCOL;
    uint64_t term = m->log_term > 0 ? m->log_term : 1;
    for (uint32_t i = 0; i < m->entry_count; i++) {
        const struct raft_entry *entry = &m->entries[i];
        if (entry->index != m->log_index + 1 + i || entry->term < term || entry->term > m->term)
            return ERR_PROTOCOL;
        if (entry->type < RAFT_ENTRY_COMMAND || entry->type > RAFT_ENTRY_MEMBERS)
            return ERR_PROTOCOL;
        if (entry->data.size > 0 && entry->data.data == NULL)
            return ERR_PROTOCOL;
        if (entry->type == RAFT_ENTRY_MEMBERS && !raft__members_entry_valid(entry))
            return ERR_PROTOCOL;
        term = entry->term;
    }
    return OK;
}

static status_t append_response_validate(const struct raft_message *m)
{
    if (m->log_index > RAFT_INDEX_MAX)
        return ERR_PROTOCOL;
    if (!m->reject)
        return OK;
    /* Index 0 matches everywhere: it cannot be refused. */
    if (m->log_index == 0 || m->hint_index > m->log_index)
        return ERR_PROTOCOL;
    return place_valid(m->hint_index, m->hint_term, m->term) ? OK : ERR_PROTOCOL;
}

status_t raft__message_validate(const struct raft *r, const struct raft_message *m)
{
    ASSERT(m != NULL);
    if (m->to != r->id || m->from == r->id || m->from == 0)
        return ERR_PROTOCOL;
    if (m->term == 0 || m->term > RAFT_INDEX_MAX || m->commit > RAFT_INDEX_MAX)
        return ERR_PROTOCOL;
    if (m->type != RAFT_APPEND && m->entry_count > 0)
        return ERR_PROTOCOL;
    switch (m->type) {
    case RAFT_PREVOTE:
    case RAFT_VOTE:
        /* The candidate's last entry is of a term before the one it campaigns for. */
        return place_valid(m->log_index, m->log_term, m->term - 1) ? OK : ERR_PROTOCOL;
    case RAFT_APPEND:
        return append_validate(m);
    case RAFT_APPEND_RESPONSE:
        return append_response_validate(m);
    case RAFT_PREVOTE_RESPONSE:
    case RAFT_VOTE_RESPONSE:
    case RAFT_HEARTBEAT:
    case RAFT_HEARTBEAT_RESPONSE:
    case RAFT_TIMEOUT_NOW:
        return OK;
    }
    return ERR_PROTOCOL;
}

status_t raft__config_validate(const struct raft_config *config)
{
    ASSERT(config != NULL);
    if (config->id == 0 || !raft__members_valid(&config->members))
        return ERR_INVALID;
    if (config->members.index > config->applied)
        return ERR_INVALID;
    if (config->lease_us > 0 && !config->check_quorum)
        return ERR_INVALID; /* nobody would keep the promise */
    if (config->heartbeat_ticks >= config->election_timeout_ticks)
        return ERR_INVALID;
    if (config->election_timeout_ticks > UINT32_MAX / 4 || config->max_inflight_messages > 65536)
        return ERR_INVALID;
    return OK;
}
