/* Memberships: their bytes, what may be proposed, and where a node finds its own after a start. */
#include "support.h"

static void test_encoding(void **state)
{
    (void)state;
    struct raft_members members = members_upto(3, 2);
    members.index = 12345;
    members.items[1].context_size = RAFT_MEMBER_CONTEXT_MAX;
    memset(members.items[1].context, 'a', RAFT_MEMBER_CONTEXT_MAX);
    struct buffer bytes = {0};
    raft_members_encode(&members, &bytes);
    struct raft_members back;
    assert_int_equal(raft_members_decode(buffer_slice(&bytes), &back), OK);
    assert_memory_equal(&members, &back, sizeof back);
    /* Every shorter text is refused, and one that is longer. */
    for (size_t size = 0; size < bytes.size; size++)
        assert_int_equal(raft_members_decode(slice_make(bytes.data, size), &back), ERR_CORRUPT);
    buffer_append_byte(&bytes, 0);
    assert_int_equal(raft_members_decode(buffer_slice(&bytes), &back), ERR_CORRUPT);
    buffer_free(&bytes);
}

/* Whatever the bytes are, what comes out is valid or nothing. */
static void test_foreign_bytes(void **state)
{
    (void)state;
    struct raft_members members = members_upto(3, 0);
    struct buffer bytes = {0};
    raft_members_encode(&members, &bytes);
    struct prng prng;
    prng_seed(&prng, 1);
    uint64_t refused = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t copy[256];
        assert_true(bytes.size <= sizeof copy);
        memcpy(copy, bytes.data, bytes.size);
        for (uint64_t flips = prng_between(&prng, 1, 3); flips > 0; flips--)
            copy[prng_below(&prng, bytes.size)] = (uint8_t)prng_next(&prng);
        struct raft_members back;
        status_t status = raft_members_decode(slice_make(copy, bytes.size), &back);
        assert_true(status == ERR_CORRUPT || raft__members_valid(&back));
        refused += status != OK;
    }
    assert_in_range(refused, 1000, 19999);
    buffer_free(&bytes);
}

static status_t propose_members(struct raft *r, struct raft_members members)
{
    uint64_t index;
    return raft_propose_members(r, &members, &index);
}

static void test_what_may_be_proposed(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 5, &config);
    struct raft *r = c->nodes[0].raft;
    assert_int_equal(propose_members(c->nodes[1].raft, members_upto(5, 0)), ERR_NOT_LEADER);
    assert_int_equal(propose_members(r, members_upto(3, 0)), ERR_INVALID);
    assert_int_equal(propose_members(r, members_upto(3, 2)), ERR_INVALID);
    assert_int_equal(propose_members(r, members_upto(7, 0)), ERR_INVALID);
    assert_int_equal(propose_members(r, members_upto(0, 5)), ERR_INVALID);
    struct raft_members odd = members_upto(5, 0);
    odd.items[4].id = 6; /* one goes, one comes */
    assert_int_equal(propose_members(r, odd), ERR_INVALID);
    odd.items[4].id = 4;
    assert_int_equal(propose_members(r, odd), ERR_INVALID);
    odd = members_upto(5, 0);
    odd.items[0].context_size = RAFT_MEMBER_CONTEXT_MAX + 1;
    assert_int_equal(propose_members(r, odd), ERR_INVALID);
    /* A voter less and eleven learners more. */
    assert_int_equal(propose_members(r, members_upto(4, RAFT_MEMBERS_MAX - 4)), OK);
    assert_true(status_of(r).members_pending);
    assert_int_equal(status_of(r).peer_count, RAFT_MEMBERS_MAX - 1);
    assert_int_equal(propose_members(r, members_upto(4, 0)), ERR_BUSY);
}

/* The fix of 2015-07-10, at the very start of a term. */
static void test_not_before_an_entry_of_the_term(void **state)
{
    struct raft_config config = default_config();
    config.pre_vote = false;
    struct cluster *c = given_nodes(state, 3, 3, &config);
    struct raft *r = c->nodes[0].raft;
    raft_campaign(r);
    node_pump(&c->nodes[0]);
    assert_true(node_persist(&c->nodes[0]));
    assert_int_equal(step_from(r, 2, (struct raft_message){.type = RAFT_VOTE_RESPONSE, .term = 1}),
                     OK);
    assert_int_equal(status_of(r).role, RAFT_LEADER);
    assert_int_equal(propose_members(r, members_upto(3, 1)), ERR_BUSY);
    drop_all(c);
    for (int i = 0; i < 3; i++) {
        raft_tick(r);
        settle(c);
    }
    assert_int_equal(propose_members(r, members_upto(3, 1)), OK);
}

/* With a voter less, what was short of a majority has one, without a message. */
static void test_smaller_majority_commits(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 4, &config);
    struct raft *r = c->nodes[0].raft;
    node_crash(&c->nodes[2], 0, 0);
    node_crash(&c->nodes[3], 0, 0);
    propose(r, "x");
    settle(c);
    assert_int_equal(status_of(r).commit, 1);
    assert_int_equal(raft_read_index(r, 7), OK);
    settle(c);
    assert_int_equal(propose_members(r, members_upto(3, 0)), OK);
    assert_int_equal(status_of(r).commit, 2);
    assert_int_equal(r->answers_count, 1);
    settle(c);
    assert_int_equal(status_of(r).commit, 3);
}

/* A change at the very bottom: the last other voter goes. */
static void test_down_to_one(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 2, &config);
    node_crash(&c->nodes[1], 0, 0);
    assert_int_equal(propose_members(c->nodes[0].raft, members_upto(1, 0)), OK);
    settle(c);
    struct raft_status s = status_of(c->nodes[0].raft);
    assert_int_equal(s.commit, 2);
    assert_int_equal(s.role, RAFT_LEADER);
    assert_int_equal(raft_transfer(c->nodes[0].raft, 0), ERR_INVALID);
}

static uint64_t members_index(const struct raft *r)
{
    struct raft_members members;
    raft_members(r, &members);
    return members.index;
}

/* After a start the newest in the log is in effect, whatever the state machine and the commit index
 * know, and it can still be taken back. */
static void test_found_in_the_log(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 3, &config);
    struct node *node = &c->nodes[0];
    propose(node->raft, "x");
    assert_int_equal(propose_members(node->raft, members_upto(3, 1)), OK); /* 3 */
    settle(c);
    assert_int_equal(propose_members(node->raft, members_upto(4, 0)), OK); /* 4 */
    node_pump(node);
    assert_true(node_persist(node));
    drop_all(c);
    for (uint32_t applied = 0; applied <= 3; applied++) {
        node_crash(node, 0, applied);
        node_start(node);
        assert_int_equal(members_index(node->raft), 4);
        assert_true(raft_has_ready(node->raft));
        assert_true(take(node->raft).members_changed);
        node_crash(node, 0, applied);
        node_start(node);
        settle(c);
    }
    struct raft_entry other = {.index = 4, .term = 2, .type = RAFT_ENTRY_NOOP};
    struct raft_message append = {.type = RAFT_APPEND,
                                  .term = 2,
                                  .log_index = 3,
                                  .log_term = 1,
                                  .entries = &other,
                                  .entry_count = 1};
    assert_int_equal(step_from(node->raft, 2, append), OK);
    assert_int_equal(members_index(node->raft), 3);
    assert_true(take(node->raft).members_changed);
}

static void test_broken_entries(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_leader(state, 3, &config);
    struct node *node = &c->nodes[1];
    struct raft_members nobody = members_upto(0, 2);
    struct buffer bytes = {0};
    raft_members_encode(&nobody, &bytes);
    struct slice bad[] = {slice_from_string("x"), slice_make(NULL, 0), buffer_slice(&bytes)};
    for (size_t i = 0; i < 3; i++) {
        struct raft_entry entry = {
            .index = 2, .term = 1, .type = RAFT_ENTRY_MEMBERS, .data = bad[i]};
        struct raft_message append = {.type = RAFT_APPEND,
                                      .log_index = 1,
                                      .log_term = 1,
                                      .entries = &entry,
                                      .entry_count = 1};
        assert_int_equal(step_from(node->raft, 1, append), ERR_PROTOCOL);
        assert_int_equal(status_of(node->raft).last_index, 1);
    }
    /* In the node's own log it is damage. */
    struct raft_storage storage = node->raft->log.storage;
    node_crash(node, 0, 0);
    disk_append(&node->disk, &(struct raft_entry){.index = 2,
                                                  .term = 1,
                                                  .type = RAFT_ENTRY_MEMBERS,
                                                  .data = slice_from_string("x")});
    config.id = 2;
    struct raft *r;
    assert_int_equal(raft_create(&config, &storage, &node->disk.hard_state, &r), ERR_CORRUPT);
    assert_null(r);
    buffer_free(&bytes);
}

/* An entry with node 1 as the only voter; the bytes go into `bytes`. */
static struct raft_message only_node_1(uint64_t index, struct raft_entry *entry,
                                       struct buffer *bytes)
{
    struct raft_members members = members_upto(1, 0);
    members.index = index;
    buffer_reset(bytes);
    raft_members_encode(&members, bytes);
    *entry = (struct raft_entry){
        .index = index, .term = 1, .type = RAFT_ENTRY_MEMBERS, .data = buffer_slice(bytes)};
    return (struct raft_message){.type = RAFT_APPEND,
                                 .term = 1,
                                 .log_index = index - 1,
                                 .log_term = index > 1,
                                 .entries = entry,
                                 .entry_count = 1};
}

/* A new node 1 came with the membership at 2. The one at 1 speaks of another node 1, which is gone:
 * it must not take itself for that one. */
static void test_a_name_used_before(void **state)
{
    struct raft_config config = default_config();
    struct cluster *c = given_nodes(state, 3, 2, &config);
    struct raft_storage storage = c->nodes[2].raft->log.storage;
    struct raft_hard_state none = {0};
    config.id = 1;
    config.members.count = 0;
    config.members_since = 2;
    struct raft *r;
    assert_int_equal(raft_create(&config, &storage, &none, &r), OK);
    struct raft_entry entry;
    struct buffer bytes = {0};
    assert_int_equal(step_from(r, 2, only_node_1(1, &entry, &bytes)), OK);
    for (int i = 0; i < 100; i++)
        raft_tick(r);
    assert_int_equal(status_of(r).role, RAFT_FOLLOWER);
    raft_campaign(r);
    assert_int_equal(status_of(r).role, RAFT_FOLLOWER);
    struct raft_message ask = {.type = RAFT_VOTE, .term = 2, .log_index = 9, .log_term = 1};
    assert_int_equal(step_from(r, 3, ask), OK);
    assert_int_equal(status_of(r).vote, 0);
    /* The place that is its own. */
    struct raft_message append = only_node_1(2, &entry, &bytes);
    append.term = 2;
    assert_int_equal(step_from(r, 2, append), OK);
    for (int i = 0; i < 100; i++)
        raft_tick(r);
    assert_int_not_equal(status_of(r).role, RAFT_FOLLOWER);
    raft_destroy(r);
    buffer_free(&bytes);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_encoding),
        RAFT_TEST(test_foreign_bytes),
        RAFT_TEST(test_what_may_be_proposed),
        RAFT_TEST(test_not_before_an_entry_of_the_term),
        RAFT_TEST(test_smaller_majority_commits),
        RAFT_TEST(test_down_to_one),
        RAFT_TEST(test_found_in_the_log),
        RAFT_TEST(test_broken_entries),
        RAFT_TEST(test_a_name_used_before),
    };
    return cmocka_run_group_tests_name("raft_members", tests, NULL, NULL);
}
