/* Messages that no correct node sends: refused, or of no effect; a node never stops for them. */
#include "support.h"

static void test_absurd_messages(void **state)
{
    struct raft_config config = default_config();
    struct raft *r = given_leader(state, 3, &config)->nodes[0].raft;
    struct raft_entry entry = {.index = 2, .term = 1, .type = RAFT_ENTRY_COMMAND};
    const struct raft_message messages[] = {
        {.type = RAFT_HEARTBEAT, .from = 0, .to = 1, .term = 2},
        {.type = RAFT_HEARTBEAT, .from = 1, .to = 1, .term = 2},
        {.type = RAFT_HEARTBEAT, .from = 2, .to = 3, .term = 2},
        {.type = RAFT_HEARTBEAT, .from = 2, .to = 1, .term = 0},
        {.type = RAFT_HEARTBEAT, .from = 2, .to = 1, .term = UINT64_MAX},
        {.type = RAFT_HEARTBEAT, .from = 2, .to = 1, .term = 1, .commit = UINT64_MAX},
        {.type = RAFT_HEARTBEAT, .from = 2, .to = 1, .term = 1}, /* two leaders */
        {.type = 0, .from = 2, .to = 1, .term = 1},
        {.type = 99, .from = 2, .to = 1, .term = 1},
        {.type = RAFT_VOTE, .from = 2, .to = 1, .term = 2, .log_index = 5, .log_term = 2},
        {.type = RAFT_VOTE, .from = 2, .to = 1, .term = 2, .log_index = 0, .log_term = 1},
        {.type = RAFT_APPEND, .from = 2, .to = 1, .term = 2, .log_index = UINT64_MAX},
        {.type = RAFT_APPEND, .from = 2, .to = 1, .term = 2, .entry_count = 1},
        {.type = RAFT_APPEND, .from = 2, .to = 1, .term = 2, .entries = &entry, .entry_count = 1},
        {.type = RAFT_APPEND_RESPONSE, .from = 2, .to = 1, .term = 1, .log_index = 99},
        {.type = RAFT_APPEND_RESPONSE, .from = 2, .to = 1, .term = 1, .reject = true},
        {.type = RAFT_HEARTBEAT_RESPONSE, .from = 2, .to = 1, .term = 1, .read_sequence = 7},
        {.type = RAFT_TIMEOUT_NOW, .from = 2, .to = 1, .term = 1}, /* who orders that? */
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (raft_step(r, &messages[i]) != ERR_PROTOCOL)
            fail_msg("message %zu was not refused", i);
    assert_int_equal(status_of(r).role, RAFT_LEADER);
}

static struct raft_message random_message(struct prng *prng, struct node *node,
                                          const struct buffer *members, struct raft_entry *entries)
{
    struct raft_message m = {
        .type = (enum raft_message_type)prng_below(prng, 11),
        .from = prng_between(prng, 1, 4),
        .to = 1,
        .term = prng_below(prng, 12),
        .log_index = prng_below(prng, 10),
        .log_term = prng_below(prng, 8),
        .commit = prng_below(prng, 10),
        .reject = prng_chance(prng, 1, 3),
        .hint_index = prng_below(prng, 10),
        .hint_term = prng_below(prng, 8),
        .read_sequence = prng_below(prng, 4),
    };
    m.transfer = prng_chance(prng, 1, 2);
    if (prng_chance(prng, 1, 50))
        m.term = prng_next(prng);
    if (prng_chance(prng, 1, 50))
        m.log_index = prng_next(prng);
    if (prng_chance(prng, 1, 50))
        m.hint_index = prng_next(prng);
    struct raft_status s = status_of(node->raft);
    if (prng_chance(prng, 1, 2))
        m.term = s.term + prng_below(prng, 2);
    if (prng_chance(prng, 1, 2)) {
        /* A place that fits, so that the log grows and is replaced. */
        m.log_index = prng_between(prng, s.commit, s.last_index);
        m.log_term = node_term(node, m.log_index);
    }
    if (m.type != RAFT_APPEND)
        return m;
    m.entries = entries;
    m.entry_count = (uint32_t)prng_below(prng, 4);
    uint64_t term = m.log_term > 0 ? m.log_term : 1;
    for (uint32_t i = 0; i < m.entry_count; i++) {
        term += prng_below(prng, 2);
        entries[i] = (struct raft_entry){.index = m.log_index + 1 + i,
                                         .term = term,
                                         .type = (uint8_t)prng_between(prng, 1, 3),
                                         .data = slice_from_string("foreign bytes")};
        if (entries[i].type == RAFT_ENTRY_MEMBERS && prng_chance(prng, 9, 10))
            entries[i].data = buffer_slice(members);
    }
    return m;
}

static void random_input(struct prng *prng, struct node *node)
{
    uint64_t index;
    struct raft_members members = members_upto(2, 1);
    struct slice data = slice_from_string("own");
    switch (prng_below(prng, 8)) {
    case 0:
        raft_campaign(node->raft);
        break;
    case 1:
        MAYBE(raft_transfer(node->raft, prng_below(prng, 4)) == OK);
        break;
    case 2:
        MAYBE(raft_propose_members(node->raft, &members, &index) == OK);
        break;
    case 3:
        raft_snapshot_failed(node->raft, prng_below(prng, 4));
        break;
    case 4:
        MAYBE(raft_read_index(node->raft, 1) == OK);
        break;
    case 5:
        MAYBE(raft_propose(node->raft, &data, 1, &index) == OK);
        break;
    default:
        raft_tick(node->raft);
    }
}

struct totals {
    uint64_t refused, led, applied, members;
};

static void lie_to(struct cluster *c, struct prng *prng, const struct buffer *members,
                   struct totals *totals)
{
    struct node *node = &c->nodes[0];
    for (int step = 0; step < 150; step++) {
        struct raft_entry entries[4];
        struct raft_message m = random_message(prng, node, members, entries);
        status_t status = raft_step(node->raft, &m);
        assert_true(status == OK || status == ERR_PROTOCOL);
        totals->refused += status != OK;
        random_input(prng, node);
        totals->led += status_of(node->raft).role == RAFT_LEADER;
        if (prng_chance(prng, 3, 4))
            node_pump(node);
        if (prng_chance(prng, 1, 2))
            node_persist(node);
        drop_all(c);
    }
    totals->applied += node->applied_count;
    totals->members += raft__members(node->raft)->index > 0;
}

/* Well-formed lies of hostile nodes: they may mislead a node, but they must not stop it. */
static void test_hostile_messages(void **state)
{
    struct totals totals = {0};
    struct raft_members members = members_upto(4, 1);
    struct buffer bytes = {0};
    raft_members_encode(&members, &bytes);
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        struct raft_config config = default_config();
        config.max_cached_bytes = 1 + prng_below(&prng, 300);
        config.pre_vote = prng_chance(&prng, 1, 2);
        lie_to(given_nodes(state, 3, 3, &config), &prng, &bytes, &totals);
        cluster_teardown(state);
    }
    buffer_free(&bytes);
    assert_true(totals.refused > 1000);
    assert_true(totals.led > 1000);
    assert_true(totals.applied > 1000);
    assert_true(totals.members > 1000);
}

/* An answer from outside counts for nothing, not even its term. */
static void test_answers_of_strangers(void **state)
{
    struct raft_config config = default_config();
    struct raft *r = given_leader(state, 3, &config)->nodes[0].raft;
    propose(r, "x");
    const struct raft_message answers[] = {
        {.type = RAFT_APPEND_RESPONSE, .log_index = 2},
        {.type = RAFT_APPEND_RESPONSE, .log_index = 2, .term = 9},
        {.type = RAFT_HEARTBEAT_RESPONSE, .term = 9},
        {.type = RAFT_VOTE_RESPONSE, .term = 9},
        {.type = RAFT_PREVOTE_RESPONSE, .term = 9, .reject = true},
    };
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        assert_int_equal(step_from(r, 4, answers[i]), OK);
    assert_int_equal(status_of(r).term, 1);
    assert_int_equal(status_of(r).commit, 1);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL); /* lies are told here on purpose */
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_absurd_messages),
        RAFT_TEST(test_hostile_messages),
        RAFT_TEST(test_answers_of_strangers),
    };
    return cmocka_run_group_tests_name("raft_message", tests, NULL, NULL);
}
