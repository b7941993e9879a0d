/* What a bundle holds, what waits for the disk, and what is bounded. */
#include "support.h"

static void test_proposals_share_a_bundle(void **state)
{
    struct raft_config config = default_config();
    struct raft *r = given_leader(state, 3, &config)->nodes[0].raft;
    for (int i = 0; i < 100; i++)
        propose(r, "command");
    struct raft_ready ready;
    assert_int_equal(raft_ready(r, &ready), OK);
    assert_int_equal(ready.entry_count, 100);
    assert_int_equal(ready.message_count, 2);
    assert_int_equal(ready.messages[0].entry_count, 100);
    assert_int_equal(ready.messages[1].entry_count, 100);
    assert_true(ready.must_sync);
    raft_advance(r);
    assert_false(raft_has_ready(r));
    raft_persisted(r, ready.sequence);
}

/* The entries of a bundle became durable, its hard state did not. */
static void test_torn_bundle(void **state)
{
    struct raft_config config = default_config();
    struct node *node = &given_nodes(state, 3, 3, &config)->nodes[0];
    node_crash(node, 0, 0);
    disk_append(&node->disk, &(struct raft_entry){.index = 1, .term = 7, .type = RAFT_ENTRY_NOOP});
    node->disk.hard_state = (struct raft_hard_state){.term = 5, .vote = 2};
    node_start(node);
    struct raft_status s = status_of(node->raft);
    assert_int_equal(s.term, 7);
    assert_int_equal(s.vote, 0);
    node_pump(node);
    assert_true(node_persist(node));
    assert_int_equal(node->disk.hard_state.term, 7);
}

static void test_proposal_limits(void **state)
{
    struct raft_config config = default_config();
    config.max_entry_bytes = 1000;
    config.max_uncommitted_bytes = 500;
    struct cluster *c = given_leader(state, 3, &config);
    struct raft *r = c->nodes[0].raft;
    uint8_t bytes[1001] = {0};
    uint64_t index;
    struct slice data = slice_make(bytes, 1001);
    assert_int_equal(raft_propose(r, &data, 1, &index), ERR_TOO_LONG);
    /* Larger than the bound, but alone. */
    data.size = 1000;
    assert_int_equal(raft_propose(r, &data, 1, &index), OK);
    data.size = 1;
    assert_int_equal(raft_propose(r, &data, 1, &index), ERR_BUSY);
    settle(c);
    assert_int_equal(raft_propose(r, &data, 1, &index), OK);
    struct raft_status s = status_of(r);
    assert_int_equal(s.uncommitted_bytes, 1 + sizeof(struct raft_entry));
    assert_int_equal(s.last_index, index);
}

/* Everything but node 1's disk works: entries are committed, applied, answered; but memory holds
 * them until that disk has them, and is bounded. */
static void test_own_disk_stands_still(void **state)
{
    struct raft_config config = default_config();
    config.max_uncommitted_bytes = 20 * (sizeof(struct raft_entry) + 1);
    struct cluster *c = given_leader(state, 3, &config);
    struct raft *r = c->nodes[0].raft;
    uint64_t index, accepted = 0;
    struct slice data = slice_from_string("x");
    for (int i = 0; i < 100; i++) {
        accepted += raft_propose(r, &data, 1, &index) == OK;
        for (int k = 0; k < 4; k++) {
            for (uint32_t n = 0; n < 3; n++)
                node_pump(&c->nodes[n]);
            node_persist(&c->nodes[1]);
            node_persist(&c->nodes[2]);
            while (c->network_count > 0)
                assert_int_equal(cluster_deliver(c, 0), OK);
        }
    }
    struct raft_status s = status_of(r);
    assert_int_equal(accepted, 20);
    assert_int_equal(s.persisted, 1);
    assert_int_equal(s.commit, 21);
    assert_int_equal(s.applied, 21);
    assert_int_equal(s.uncommitted_bytes, 0);
    /* The power goes: what was not durable comes back from the others. */
    node_crash(&c->nodes[0], 0, 21);
    assert_int_equal(c->nodes[0].applied_count, 1);
    node_start(&c->nodes[0]);
    raft_campaign(c->nodes[1].raft);
    for (int i = 0; i < 40; i++) {
        for (uint32_t n = 0; n < 3; n++)
            raft_tick(c->nodes[n].raft);
        settle(c);
    }
    assert_true(c->nodes[0].applied_count >= 21);
}

static void test_memory_is_bounded(void **state)
{
    struct raft_config config = default_config();
    config.max_cached_bytes = 1000;
    config.max_append_bytes = 200;
    struct cluster *c = given_leader(state, 3, &config);
    struct raft *r = c->nodes[0].raft;
    /* Node 3 sleeps. */
    node_crash(&c->nodes[2], 0, 0);
    for (int i = 0; i < 500; i++) {
        propose(r, "twenty bytes of text");
        settle(c);
    }
    struct raft_status s = status_of(r);
    assert_true(s.cached_bytes <= 1000);
    assert_int_equal(s.commit, 501);
    assert_int_equal(c->nodes[0].disk.reads, 0);
    /* It wakes up and gets what it missed from the leader's disk. */
    node_start(&c->nodes[2]);
    for (int i = 0; i < 3; i++) {
        raft_tick(r);
        settle(c);
    }
    assert_true(c->nodes[0].disk.reads > 0);
    assert_int_equal(c->nodes[2].applied_count, 501);
}

/* A slow disk makes large bundles, not long queues. */
static void test_bundles_are_bounded(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 1, &config);
    struct node *node = &c->nodes[0];
    for (int i = 0; i < 200; i++) {
        propose(node->raft, "x");
        node_pump(node);
    }
    assert_int_equal(node->bundle_count, RAFT_BUNDLES_MAX);
    assert_false(raft_has_ready(node->raft));
    assert_true(node_persist(node));
    node_pump(node);
    assert_int_equal(node->bundles[RAFT_BUNDLES_MAX - 1].entry_count, 200 - RAFT_BUNDLES_MAX);
    settle(c);
    assert_int_equal(node->applied_count, 201);
}

/* Figure 2, AppendEntries: a leader that asks a follower with a slow disk again and again fills
 * neither its bundles nor its memory. */
static void test_slow_follower_asked_often(void **state)
{
    struct raft_config config = default_config();
    struct raft *r = given_nodes(state, 3, 3, &config)->nodes[0].raft;
    struct raft_entry entry = {.index = 1, .term = 1, .type = RAFT_ENTRY_NOOP};
    struct raft_message append = {
        .type = RAFT_APPEND, .term = 1, .entries = &entry, .entry_count = 1};
    uint64_t answers = 0, sequence = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(step_from(r, 2, append), OK);
        assert_int_equal(step_from(r, 2, (struct raft_message){.type = RAFT_HEARTBEAT, .term = 1}),
                         OK);
        while (raft_has_ready(r)) {
            struct raft_ready ready = take(r);
            sequence = ready.sequence ? ready.sequence : sequence;
            answers += ready.message_count;
        }
    }
    assert_int_equal(answers, 1000); /* of heartbeats */
    assert_int_equal(sequence, RAFT_BUNDLES_MAX);
    assert_int_equal(r->out_after.count, 1);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_proposals_share_a_bundle),  RAFT_TEST(test_torn_bundle),
        RAFT_TEST(test_proposal_limits),           RAFT_TEST(test_own_disk_stands_still),
        RAFT_TEST(test_memory_is_bounded),         RAFT_TEST(test_bundles_are_bounded),
        RAFT_TEST(test_slow_follower_asked_often),
    };
    return cmocka_run_group_tests_name("raft_bundle", tests, NULL, NULL);
}
