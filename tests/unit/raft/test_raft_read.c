/* Reads: rounds of heartbeats, and leases. */
#include "support.h"

static void test_reads_are_bounded(void **state)
{
    struct raft_config config = default_config();
    config.max_pending_reads = 2;
    struct cluster *c = given_leader(state, 3, &config);
    struct raft *r = c->nodes[0].raft;
    assert_int_equal(raft_read_index(r, 1), OK);
    assert_int_equal(raft_read_index(r, 2), OK);
    assert_int_equal(raft_read_index(r, 3), ERR_BUSY);
    settle(c);
    assert_int_equal(raft_read_index(r, 3), OK);
}

static void ack_round(struct raft *r, uint64_t round)
{
    struct raft_message m = {.type = RAFT_HEARTBEAT_RESPONSE, .read_sequence = round};
    assert_int_equal(step_from(r, 2, m), OK);
}

static void assert_answered(struct raft *r, uint64_t context)
{
    struct raft_ready ready;
    assert_int_equal(raft_ready(r, &ready), OK);
    assert_int_equal(ready.read_count, 1);
    assert_int_equal(ready.reads[0].context, context);
    assert_int_equal(ready.reads[0].status, OK);
    raft_advance(r);
}

/* Thesis 6.4: the round that confirms a read begins after the read was asked for. */
static void test_read_needs_a_round_of_its_own(void **state)
{
    struct raft_config config = default_config();
    struct node *node = &given_leader(state, 3, &config)->nodes[0];
    assert_int_equal(raft_read_index(node->raft, 10), OK);
    node_pump(node);
    assert_int_equal(raft_read_index(node->raft, 20), OK);
    node_pump(node);
    ack_round(node->raft, 1);
    assert_answered(node->raft, 10);
    ack_round(node->raft, 2);
    assert_answered(node->raft, 20);
}

/* Node 1 leads with a lease of 1000 us; its newest answered round was sent at `sent_us`. */
static struct raft *given_lease(void **state, uint64_t sent_us)
{
    struct raft_config config = default_config();
    config.lease_us = 1000;
    struct cluster *c = given_nodes(state, 3, 3, &config);
    for (uint32_t i = 0; i < 3; i++)
        c->nodes[i].raft->silence = 10; /* they have been up for long */
    raft_campaign(c->nodes[0].raft);
    settle(c);
    struct raft *r = c->nodes[0].raft;
    assert_int_equal(status_of(r).role, RAFT_LEADER);
    raft_time(r, sent_us);
    raft_tick(r);
    settle(c);
    return r;
}

static bool answers_at_once(struct raft *r, uint64_t now_us)
{
    raft_time(r, now_us);
    assert_int_equal(raft_read_index(r, 7), OK);
    struct raft_ready ready = take(r);
    return ready.read_count == 1;
}

static void test_lease_ends(void **state)
{
    struct raft *r = given_lease(state, 5000);
    assert_true(answers_at_once(r, 5999));
    assert_false(answers_at_once(r, 6000));
    /* A clock that goes back is not believed. */
    assert_false(answers_at_once(r, 5000));
}

/* Rounds that are not answered do not make it longer, however many are sent. */
static void test_lease_needs_answers(void **state)
{
    struct raft *r = given_lease(state, 5000);
    struct cluster *c = *state;
    for (uint64_t now_us = 5100; now_us < 6000; now_us += 100) {
        raft_time(r, now_us);
        raft_tick(r);
        node_pump(&c->nodes[0]);
    }
    assert_false(answers_at_once(r, 6000));
    /* All those answers come late: what counts is when the first of those rounds was sent. */
    settle(c);
    assert_true(answers_at_once(r, 6099));
    assert_false(answers_at_once(r, 6100));
}

/* Nobody told the time: there is no lease. */
static void test_lease_needs_a_clock(void **state)
{
    struct raft *r = given_lease(state, 0);
    assert_false(answers_at_once(r, 0));
}

/* A learner's answers bind nobody. */
static void test_lease_needs_voters(void **state)
{
    struct raft *r = given_lease(state, 5000);
    struct cluster *c = *state;
    struct raft_members members = members_upto(2, 1);
    uint64_t index;
    assert_int_equal(raft_propose_members(r, &members, &index), OK);
    settle(c);
    node_crash(&c->nodes[1], 0, 0);
    raft_time(r, 5500);
    raft_tick(r);
    settle(c);
    assert_false(answers_at_once(r, 6000));
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_reads_are_bounded),   RAFT_TEST(test_read_needs_a_round_of_its_own),
        RAFT_TEST(test_lease_ends),          RAFT_TEST(test_lease_needs_answers),
        RAFT_TEST(test_lease_needs_a_clock), RAFT_TEST(test_lease_needs_voters),
    };
    return cmocka_run_group_tests_name("raft_read", tests, NULL, NULL);
}
