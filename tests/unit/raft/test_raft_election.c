/* Configurations, campaigns, votes and stickiness. */
#include "support.h"

static void test_config_is_checked(void **state)
{
    struct raft_config config = default_config();
    struct raft_storage storage = given_nodes(state, 1, 1, &config)->nodes[0].raft->log.storage;
    struct raft_hard_state none = {0};
    struct raft *r;
    enum { BAD = 7 };
    struct raft_config bad[BAD];
    for (size_t i = 0; i < BAD; i++) {
        bad[i] = config;
        bad[i].id = 1;
        bad[i].members = members_upto(2, 0);
    }
    bad[0].id = 0;
    bad[1].members.items[1].id = 1;
    bad[2].members.items[1].id = 0;
    bad[3].members.count = RAFT_MEMBERS_MAX + 1;
    bad[4].heartbeat_ticks = 10;
    bad[5].members.index = 1; /* of an entry not applied */
    bad[6].lease_us = 1;      /* nobody keeps the promise */
    bad[6].check_quorum = false;
    for (size_t i = 0; i < BAD; i++) {
        assert_int_equal(raft_create(&bad[i], &storage, &none, &r), ERR_INVALID);
        assert_null(r);
    }
    /* The state machine or the commit index cannot be ahead of the log. */
    struct raft_config ahead = bad[0];
    ahead.id = 1;
    ahead.applied = 1;
    assert_int_equal(raft_create(&ahead, &storage, &none, &r), ERR_CORRUPT);
    ahead.applied = 0;
    struct raft_hard_state commits = {.term = 1, .commit = 1};
    assert_int_equal(raft_create(&ahead, &storage, &commits, &r), ERR_CORRUPT);
}

/* Votes nobody asked for yet do not make a leader. */
static void test_votes_wait_for_the_own(void **state)
{
    struct raft_config config = default_config();
    config.pre_vote = false;
    struct node *node = &given_nodes(state, 3, 3, &config)->nodes[0];
    raft_campaign(node->raft);
    for (uint64_t from = 2; from <= 3; from++)
        assert_int_equal(
            step_from(node->raft, from, (struct raft_message){.type = RAFT_VOTE_RESPONSE}), OK);
    assert_int_equal(status_of(node->raft).role, RAFT_CANDIDATE);
    node_pump(node);
    assert_true(node_persist(node));
    assert_int_equal(status_of(node->raft).role, RAFT_LEADER);
}

/* With four voters two refusals are enough to know that it is lost. */
static void test_lost_campaigns_end(void **state)
{
    struct raft_config config = default_config();
    struct raft *r = given_nodes(state, 4, 4, &config)->nodes[0].raft;
    raft_campaign(r);
    struct raft_message no = {.type = RAFT_PREVOTE_RESPONSE, .term = 1, .reject = true};
    r->term = 1; /* as theirs */
    assert_int_equal(step_from(r, 2, no), OK);
    assert_int_equal(step_from(r, 2, no), OK); /* a duplicate is no second refusal */
    assert_int_equal(status_of(r).role, RAFT_PRECANDIDATE);
    assert_int_equal(step_from(r, 3, no), OK);
    assert_int_equal(status_of(r).role, RAFT_FOLLOWER);
}

/* A candidate of a term that has passed is told so: it may have no other way to learn it. Two nodes
 * that go by different members, of which one needs the other's vote but not the other way round,
 * would campaign side by side for ever, the first always a term behind. */
static void test_candidates_hear_of_later_terms(void **state)
{
    struct raft_config config = default_config();
    config.pre_vote = false;
    struct cluster *c = given_nodes(state, 2, 2, &config);
    struct raft *behind = c->nodes[0].raft, *ahead = c->nodes[1].raft;
    for (int i = 0; i < 5; i++) {
        raft_campaign(ahead);
        node_pump(&c->nodes[1]);
        assert_true(node_persist(&c->nodes[1]));
        drop_all(c);
    }
    raft_campaign(behind);
    settle(c);
    assert_int_equal(status_of(behind).term, 5);
    raft_campaign(behind);
    settle(c);
    assert_int_equal(status_of(behind).role, RAFT_LEADER);
    assert_int_equal(status_of(ahead).leader, 1);
}

/* Whether a node that heard a leader `ticks` ago, in term 1, votes for node 3 in term 9. */
static bool votes_after(void **state, uint32_t ticks, bool term_moved, bool transfer)
{
    struct raft_config config = default_config();
    struct raft *r = given_nodes(state, 3, 3, &config)->nodes[0].raft;
    assert_int_equal(step_from(r, 2, (struct raft_message){.type = RAFT_HEARTBEAT, .term = 1}), OK);
    for (uint32_t i = 0; i < ticks; i++)
        raft_tick(r);
    /* A late answer tells of term 9: it has no leader then, and no vote was given. */
    if (term_moved)
        assert_int_equal(step_from(r, 3,
                                   (struct raft_message){
                                       .type = RAFT_PREVOTE_RESPONSE, .term = 9, .reject = true}),
                         OK);
    struct raft_message vote = {.type = RAFT_VOTE, .term = 9, .transfer = transfer};
    assert_int_equal(step_from(r, 3, vote), OK);
    bool voted = r->vote == 3;
    cluster_teardown(state);
    return voted;
}

/* Thesis 4.2.3 says "within the minimum election timeout of hearing from a current leader", not
 * "while one is known": a change of the term in between must not open the door. */
static void test_stickiness(void **state)
{
    assert_false(votes_after(state, 9, false, false));
    assert_false(votes_after(state, 9, true, false));
    assert_true(votes_after(state, 10, false, false));
    assert_true(votes_after(state, 10, true, false));
    assert_true(votes_after(state, 0, false, true));
    assert_true(votes_after(state, 0, true, true));
}

/* A node whose vote a lease may rely on does not campaign on request, and votes for nobody right
 * after a start; the leader's own order is different. */
static void test_leases_bind_the_node_itself(void **state)
{
    struct raft_config config = default_config();
    config.lease_us = 1000;
    struct raft *r = given_nodes(state, 3, 3, &config)->nodes[0].raft;
    assert_int_equal(step_from(r, 3, (struct raft_message){.type = RAFT_VOTE, .term = 1}), OK);
    assert_int_equal(r->vote, 0);
    for (int i = 0; i < 10; i++)
        raft_tick(r);
    assert_int_equal(step_from(r, 3, (struct raft_message){.type = RAFT_VOTE, .term = 1}), OK);
    assert_int_equal(r->vote, 3);
    assert_int_equal(step_from(r, 3, (struct raft_message){.type = RAFT_HEARTBEAT}), OK);
    raft_campaign(r);
    assert_int_equal(status_of(r).role, RAFT_FOLLOWER);
    assert_int_equal(step_from(r, 3, (struct raft_message){.type = RAFT_TIMEOUT_NOW}), OK);
    assert_int_equal(status_of(r).role, RAFT_CANDIDATE);
}

/* Same inputs, same outputs. */
static void test_deterministic(void **state)
{
    uint64_t terms[2];
    for (int run = 0; run < 2; run++) {
        struct raft_config config = default_config();
        struct cluster *c = given_nodes(state, 5, 5, &config);
        for (int i = 0; i < 200; i++) {
            for (uint32_t k = 0; k < 5; k++)
                raft_tick(c->nodes[k].raft);
            if (i % 7 == 0)
                settle(c);
        }
        terms[run] = c->nodes[0].raft->term * 1000 + c->nodes[0].raft->election_timeout;
        cluster_teardown(state);
    }
    assert_int_equal(terms[0], terms[1]);
}

static void test_timeouts_are_spread(void **state)
{
    struct raft_config config = default_config();
    struct raft *r = given_nodes(state, 1, 1, &config)->nodes[0].raft;
    bool seen[20] = {false};
    for (int i = 0; i < 1000; i++) {
        raft__become_follower(r, 1, 0);
        assert_in_range(r->election_timeout, 10, 19);
        seen[r->election_timeout] = true;
    }
    for (int i = 10; i < 20; i++)
        assert_true(seen[i]);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_config_is_checked),  RAFT_TEST(test_votes_wait_for_the_own),
        RAFT_TEST(test_lost_campaigns_end), RAFT_TEST(test_candidates_hear_of_later_terms),
        RAFT_TEST(test_stickiness),         RAFT_TEST(test_leases_bind_the_node_itself),
        RAFT_TEST(test_deterministic),      RAFT_TEST(test_timeouts_are_spread),
    };
    return cmocka_run_group_tests_name("raft_election", tests, NULL, NULL);
}
