/* States that come from elsewhere, on the side of the node that gets one. */
#include "support.h"

/* Node 1 is a follower with entries 1/1 to 5/1 on disk, of which 2 are committed and applied. */
static struct node *given_follower(void **state)
{
    struct raft_config config = default_config();
    struct node *node = &given_nodes(state, 3, 3, &config)->nodes[0];
    node_crash(node, 0, 0);
    for (uint64_t i = 1; i <= 5; i++)
        disk_append(&node->disk,
                    &(struct raft_entry){.index = i, .term = 1, .type = RAFT_ENTRY_COMMAND});
    node->disk.hard_state = (struct raft_hard_state){.term = 1, .vote = 2, .commit = 2};
    node_start(node);
    node_pump(node);
    assert_int_equal(node->applied_count, 2);
    return node;
}

static status_t restore(struct node *node, uint64_t index, uint64_t term)
{
    struct raft_members members = members_upto(3, 1);
    members.index = index > 0 ? 1 : 0;
    assert_true(raft_idle(node->raft));
    status_t check = raft_restore_check(node->raft, index, term);
    status_t status = raft_restore(node->raft, index, term, &members);
    assert_int_equal(check, status);
    return status;
}

static void test_not_needed(void **state)
{
    struct raft *r = given_follower(state)->raft;
    struct node *node = &((struct cluster *)*state)->nodes[0];
    assert_int_equal(restore(node, 1, 1), ERR_EXISTS);
    assert_int_equal(restore(node, 2, 1), ERR_EXISTS);
    assert_int_equal(status_of(r).commit, 2);
    assert_int_equal(restore(node, 4, 1), ERR_EXISTS);
    assert_int_equal(status_of(r).commit, 4); /* that much is news */
    assert_int_equal(status_of(r).last_index, 5);
}

static void test_not_a_place(void **state)
{
    struct node *node = given_follower(state);
    assert_int_equal(restore(node, 0, 1), ERR_INVALID);
    assert_int_equal(restore(node, 7, 0), ERR_INVALID);
    assert_int_equal(restore(node, UINT64_MAX, 1), ERR_INVALID);
    assert_int_equal(restore(node, 7, UINT64_MAX), ERR_INVALID);
    struct raft_members members = members_upto(3, 0);
    members.index = 8; /* of an entry behind the state */
    assert_int_equal(raft_restore(node->raft, 7, 1, &members), ERR_INVALID);
    members.index = 0;
    members.items[2].id = 1;
    assert_int_equal(raft_restore(node->raft, 7, 1, &members), ERR_INVALID);
    assert_int_equal(status_of(node->raft).last_index, 5);
}

/* Behind the end of the log, and at a place where the log says otherwise. */
static void test_log_is_dropped(void **state)
{
    for (uint64_t index = 4; index <= 9; index += 5) {
        struct raft *r = given_follower(state)->raft;
        struct node *node = &((struct cluster *)*state)->nodes[0];
        assert_int_equal(restore(node, index, 3), OK);
        struct raft_status s = status_of(r);
        assert_int_equal(s.last_index, index);
        assert_int_equal(s.last_term, 3);
        assert_int_equal(s.commit, index);
        assert_int_equal(s.applied, index);
        assert_int_equal(s.persisted, index);
        assert_int_equal(s.term, 3);
        assert_int_equal(s.cached_bytes, 0);
        struct raft_members members;
        raft_members(r, &members);
        assert_int_equal(members.count, 4);
        struct raft_ready ready = take(r);
        assert_true(ready.members_changed);
        assert_true(ready.has_hard_state && ready.must_sync);
        assert_int_equal(ready.hard_state.term, 3);
        assert_int_equal(ready.hard_state.vote, 0);
        assert_int_equal(ready.hard_state.commit, index);
        assert_int_equal(ready.committed_count, 0);
        cluster_teardown(state);
    }
}

static const struct raft_message *answer_in(const struct raft_message *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (messages[i].type == RAFT_APPEND_RESPONSE)
            return &messages[i];
    return NULL;
}

/* Node 3 has slept while node 1 went on to entry 6/1, and hears it now. */
static struct cluster *given_sleeper(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 3, &config);
    node_crash(&c->nodes[2], 0, 0);
    for (int i = 0; i < 5; i++)
        propose(c->nodes[0].raft, "x");
    settle(c);
    node_start(&c->nodes[2]);
    assert_int_equal(
        step_from(c->nodes[2].raft, 1, (struct raft_message){.type = RAFT_HEARTBEAT, .term = 1}),
        OK);
    settle(c);
    return c;
}

/* The leader may count on the state only when the log on disk begins behind it: a crash in between
 * finds the old log. Nothing else is promised in the meantime either. */
static void test_answer_waits_for_the_log(void **state)
{
    struct cluster *c = given_sleeper(state);
    struct raft *r = c->nodes[2].raft;
    assert_int_equal(node_restore(&c->nodes[2], &c->nodes[0]), OK);
    struct raft_ready first, second, third;
    assert_int_equal(raft_ready(r, &first), OK);
    assert_null(answer_in(first.messages, first.message_count));
    const struct raft_message *answer =
        answer_in(first.messages_after_persist, first.messages_after_persist_count);
    assert_non_null(answer);
    assert_int_equal(answer->to, 1);
    assert_int_equal(answer->log_index, 6);
    assert_true(first.must_sync);
    raft_advance(r);
    /* Asked once more, it waits as well: for the same write. */
    struct raft_message append = {.type = RAFT_APPEND, .log_index = 6, .log_term = 1, .commit = 6};
    assert_int_equal(step_from(r, 1, append), OK);
    assert_false(raft_idle(r));
    assert_int_equal(raft_ready(r, &second), OK);
    assert_null(answer_in(second.messages, second.message_count));
    raft_advance(r);
    raft_persisted(r, first.sequence);
    assert_int_equal(step_from(r, 1, append), OK);
    assert_int_equal(raft_ready(r, &third), OK);
    assert_non_null(answer_in(third.messages, third.message_count));
    raft_advance(r);
    raft_persisted(r, second.sequence);
}

/* A campaign counted on a log that is gone. */
static void test_campaign_ends(void **state)
{
    struct node *node = given_follower(state);
    raft_campaign(node->raft);
    assert_int_equal(status_of(node->raft).role, RAFT_PRECANDIDATE);
    assert_int_equal(restore(node, 9, 1), OK);
    assert_int_equal(status_of(node->raft).role, RAFT_FOLLOWER);
    assert_int_equal(
        step_from(node->raft, 2, (struct raft_message){.type = RAFT_PREVOTE_RESPONSE, .term = 2}),
        OK);
    assert_int_equal(status_of(node->raft).role, RAFT_FOLLOWER);
}

/* A leader that does not know yet that it is none any more. */
static void test_leader_takes_none(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 3, &config);
    assert_int_equal(restore(&c->nodes[0], 9, 2), ERR_BUSY);
    assert_int_equal(restore(&c->nodes[0], 1, 1), ERR_EXISTS);
    assert_int_equal(status_of(c->nodes[0].raft).role, RAFT_LEADER);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_not_needed),     RAFT_TEST(test_not_a_place),
        RAFT_TEST(test_log_is_dropped), RAFT_TEST(test_answer_waits_for_the_log),
        RAFT_TEST(test_campaign_ends),  RAFT_TEST(test_leader_takes_none),
    };
    return cmocka_run_group_tests_name("raft_restore", tests, NULL, NULL);
}
