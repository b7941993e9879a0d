/* Whatever other nodes send, and whenever: a node may be misled, but its own state stays whole,
 * which its assertions see after each event, and it never stops. Memberships come as bytes inside
 * of entries; what decoding lets through must come out the same when it is written again. */
#include "fuzz_raft.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft_cluster.h"

struct input {
    const uint8_t *at, *end;
};

static uint64_t number(struct input *in)
{
    uint64_t byte = in->at < in->end ? *in->at++ : 0;
    return byte < 250 ? byte : UINT64_MAX >> (8 * (byte - 250)); /* now and then an absurd one */
}

static struct slice piece(struct input *in)
{
    size_t size = number(in) & 0x3f;
    if (size > (size_t)(in->end - in->at))
        size = (size_t)(in->end - in->at);
    struct slice bytes = slice_make(in->at, size);
    in->at += size;
    return bytes;
}

static void members_try(struct slice bytes)
{
    struct raft_members members, back;
    if (raft_members_decode(bytes, &members) != OK)
        return;
    struct buffer again = {0};
    raft_members_encode(&members, &again);
    ASSERT(!again.failed);
    status_t status = raft_members_decode(buffer_slice(&again), &back);
    ASSERT(status == OK && memcmp(&members, &back, sizeof back) == 0);
    buffer_free(&again);
}

static void message_try(struct input *in, struct node *node)
{
    struct raft_status s;
    raft_status(node->raft, &s);
    struct raft_entry entries[4];
    struct raft_message m = {.type = (enum raft_message_type)(number(in) % 11),
                             .from = number(in) % 6,
                             .to = 1,
                             .term = s.term + number(in) % 3,
                             .log_index = s.commit + number(in),
                             .log_term = number(in),
                             .commit = number(in),
                             .hint_index = number(in),
                             .hint_term = number(in),
                             .read_sequence = number(in),
                             .entries = entries};
    uint64_t flags = number(in);
    m.reject = flags & 1;
    m.transfer = flags & 2;
    m.term -= flags & 4 && m.term > 0;
    if (flags & 32 && m.log_index <= s.last_index) /* a place that fits, so that the log grows */
        m.log_term = node_term(node, m.log_index);
    m.entry_count = m.type == RAFT_APPEND ? (uint32_t)(flags >> 3 & 3) : 0;
    uint64_t term = m.log_term > 0 ? m.log_term : 1;
    for (uint32_t i = 0; i < m.entry_count; i++) {
        uint64_t kind = number(in);
        term += kind >> 2 & 1;
        entries[i] = (struct raft_entry){.index = m.log_index + 1 + i,
                                         .term = term,
                                         .type = (uint8_t)(kind & 3),
                                         .data = piece(in)};
        members_try(entries[i].data);
    }
    status_t status = raft_step(node->raft, &m);
    ASSERT(status == OK || status == ERR_PROTOCOL);
}

static void request_try(struct input *in, struct raft *r)
{
    uint64_t index, chosen = number(in);
    struct slice data = piece(in);
    struct raft_members members = {.count = (uint32_t)(chosen >> 3 & 7)};
    for (uint32_t i = 0; i < members.count; i++)
        members.items[i] = (struct raft_member){.id = i + 1, .voter = number(in) & 1};
    switch (chosen & 7) {
    case 0:
        MAYBE(raft_propose(r, &data, 1, &index) == OK);
        break;
    case 1:
        MAYBE(raft_propose_members(r, &members, &index) == OK);
        break;
    case 2:
        MAYBE(raft_transfer(r, number(in)) == OK);
        break;
    case 3:
        MAYBE(raft_read_index(r, 7) == OK);
        break;
    case 4:
        raft_snapshot_failed(r, number(in));
        break;
    case 5:
        MAYBE(raft_restore_check(r, number(in), number(in)) == OK);
        break;
    case 6:
        raft_time(r, number(in));
        break;
    default:
        raft_campaign(r);
    }
}

static void events(struct input *in, struct cluster *c)
{
    struct node *node = &c->nodes[0];
    while (in->at < in->end) {
        switch (number(in) & 7) {
        case 0:
            raft_tick(node->raft);
            break;
        case 1:
            request_try(in, node->raft);
            break;
        case 2:
            node_persist(node);
            break;
        case 3:
        case 4:
            node_pump(node);
            break;
        default:
            message_try(in, node);
        }
        while (c->network_count > 0)
            cluster_drop(c, c->network_count - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    log_configure(LOG_OFF, NULL, NULL);
    /* A copy of exactly the bytes, so that reading past them is seen. */
    uint8_t *copy = mem_alloc(size);
    memcpy(copy, data, size);
    struct raft_config config;
    raft_config_default(&config);
    config.election_timeout_ticks = 3;
    config.pre_vote = copy[0] & 1;
    config.check_quorum = copy[0] & 2;
    config.lease_us = copy[0] & 2 && copy[0] & 4 ? 10 : 0;
    config.max_cached_bytes = copy[0] & 8 ? 1 : 0;
    struct cluster *c = mem_zalloc(1, sizeof *c);
    cluster_init(c, 3, &config, copy[0]);
    events(&(struct input){copy + 1, copy + size}, c);
    cluster_free(c);
    mem_free(c);
    mem_free(copy);
    return 0;
}
