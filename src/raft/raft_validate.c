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
    }
    return "?";
}

static bool is_voter(const struct raft_config *config, uint64_t id)
{
    for (uint32_t i = 0; i < config->voter_count; i++)
        if (config->voters[i] == id)
            return true;
    return false;
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
        if (entry->type != RAFT_ENTRY_COMMAND && entry->type != RAFT_ENTRY_NOOP)
            return ERR_PROTOCOL;
        if (entry->data.size > 0 && entry->data.data == NULL)
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
    if (m->to != r->id || m->from == r->id || !is_voter(&r->config, m->from))
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
        return OK;
    }
    return ERR_PROTOCOL;
}

status_t raft__config_validate(const struct raft_config *config)
{
    ASSERT(config != NULL);
    if (config->id == 0 || config->voter_count == 0 || config->voter_count > RAFT_VOTERS_MAX)
        return ERR_INVALID;
    if (!is_voter(config, config->id))
        return ERR_INVALID;
    for (uint32_t i = 0; i < config->voter_count; i++) {
        if (config->voters[i] == 0)
            return ERR_INVALID;
        for (uint32_t k = 0; k < i; k++)
            if (config->voters[k] == config->voters[i])
                return ERR_INVALID;
    }
    if (config->heartbeat_ticks >= config->election_timeout_ticks)
        return ERR_INVALID;
    if (config->election_timeout_ticks > UINT32_MAX / 4 || config->max_inflight_messages > 65536)
        return ERR_INVALID;
    return OK;
}
