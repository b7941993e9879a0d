/* Entries on their way to followers: the window, the match, storages that fail or have forgotten.
 */
#include "support.h"

/* Figure 2, AppendEntries 5: a follower's tail beyond what the message matched is not committed by
 * it. */
static void test_commit_stops_at_the_match(void **state)
{
    struct raft_config config = default_config();
    struct node *node = &given_nodes(state, 3, 3, &config)->nodes[0];
    node_crash(node, 0, 0);
    for (uint64_t i = 1; i <= 3; i++)
        disk_append(
            &node->disk,
            &(struct raft_entry){.index = i, .term = i == 1 ? 1 : 2, .type = RAFT_ENTRY_COMMAND});
    node->disk.hard_state.term = 2;
    node_start(node);
    struct raft_message append = {
        .type = RAFT_APPEND, .term = 3, .log_index = 1, .log_term = 1, .commit = 3};
    assert_int_equal(step_from(node->raft, 2, append), OK);
    assert_int_equal(status_of(node->raft).commit, 1);
    assert_int_equal(status_of(node->raft).last_index, 3);
}

static const struct raft_peer_status *peer_of(const struct raft_status *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->peer_count; i++)
        if (s->peers[i].id == id)
            return &s->peers[i];
    fail_msg("no such follower");
    return NULL;
}

/* What one follower does not answer is bounded in messages and in bytes, and holds up no other. */
static void test_windows(void **state)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        struct raft_config config = default_config();
        config.max_append_bytes = 100;
        config.max_inflight_messages = by_bytes ? 64 : 3;
        config.max_inflight_bytes = by_bytes ? 250 : 1 << 20;
        struct cluster *c = given_leader(state, 3, &config);
        struct raft *r = c->nodes[0].raft;
        node_crash(&c->nodes[2], 0, 0); /* it never answers */
        for (int i = 0; i < 50; i++) {
            propose(r, "a command of fifty bytes, more or less, as it were");
            propose(r, "a command of fifty bytes, more or less, as it were");
            settle(c);
        }
        struct raft_status s = status_of(r);
        const struct raft_peer_status *silent = peer_of(&s, 3);
        assert_int_equal(silent->inflight_messages, 3);
        assert_in_range(silent->inflight_bytes, 250, 349);
        assert_int_equal(silent->next, 1 + 3 * 2 + 1);
        assert_int_equal(peer_of(&s, 2)->match, 101);
        assert_int_equal(peer_of(&s, 2)->inflight_bytes, 0);
        assert_int_equal(s.commit, 101);
        /* It comes back, and gets the rest through the same window. */
        node_start(&c->nodes[2]);
        for (int i = 0; i < 3; i++) {
            raft_tick(r);
            settle(c);
        }
        s = status_of(r);
        assert_int_equal(peer_of(&s, 3)->match, 101);
        cluster_teardown(state);
    }
}

static status_t failing_entries(void *context, uint64_t low, uint64_t high, size_t max_bytes,
                                struct arena *arena, struct raft_entry **entries, uint32_t *count)
{
    (void)context, (void)low, (void)high, (void)max_bytes, (void)arena, (void)entries, (void)count;
    return ERR_IO;
}

/* Node 3 is empty, and refuses what the leader of six entries probes with. */
static struct raft *given_refusal(void **state)
{
    struct raft_config config = default_config();
    config.max_cached_bytes = 1;
    struct cluster *c = given_leader(state, 3, &config);
    struct raft *r = c->nodes[0].raft;
    node_crash(&c->nodes[2], 0, 0);
    for (int i = 0; i < 5; i++) {
        propose(r, "x");
        settle(c);
    }
    struct raft_progress *p = raft__peer(r, 3);
    raft__progress_probe(p, 7);
    p->probe_sent = true;
    p->match = 0;
    return r;
}

static void test_storage_errors_come_out(void **state)
{
    struct raft *r = given_refusal(state);
    r->log.storage.entries = failing_entries;
    struct raft_message no = {.type = RAFT_APPEND_RESPONSE, .log_index = 6, .reject = true};
    assert_int_equal(step_from(r, 3, no), OK);
    struct raft_ready ready;
    assert_true(raft_has_ready(r));
    assert_int_equal(raft_ready(r, &ready), ERR_IO);
}

static void test_follower_left_behind(void **state)
{
    struct raft *r = given_refusal(state);
    struct cluster *c = *state;
    node_compact(&c->nodes[0], 3);
    struct raft_message no = {.type = RAFT_APPEND_RESPONSE, .log_index = 6, .reject = true};
    assert_int_equal(step_from(r, 3, no), OK);
    struct raft_ready ready = take(r);
    assert_int_equal(ready.snapshot_count, 1);
    assert_int_equal(ready.snapshots[0], 3);
    struct raft_status s = status_of(r);
    assert_int_equal(peer_of(&s, 3)->state, RAFT_PROGRESS_SNAPSHOT);
    assert_false(raft_has_ready(r)); /* named once */
    /* It still hears that there is a leader. */
    raft_tick(r);
    ready = take(r);
    assert_int_equal(ready.message_count, 2);
    assert_int_equal(ready.snapshot_count, 0);
    /* Late answers to what was sent before change nothing. */
    assert_int_equal(step_from(r, 3, no), OK);
    struct raft_message old = {.type = RAFT_APPEND_RESPONSE, .log_index = 1};
    assert_int_equal(step_from(r, 3, old), OK);
    s = status_of(r);
    assert_int_equal(peer_of(&s, 3)->state, RAFT_PROGRESS_SNAPSHOT);
    /* The next leader finds out by itself; this one forgets. */
    raft__become_follower(r, r->term + 1, 2);
    raft_snapshot_failed(r, 3);
    assert_int_equal(take(r).snapshot_count, 0);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        RAFT_TEST(test_commit_stops_at_the_match),
        RAFT_TEST(test_windows),
        RAFT_TEST(test_storage_errors_come_out),
        RAFT_TEST(test_follower_left_behind),
    };
    return cmocka_run_group_tests_name("raft_replication", tests, NULL, NULL);
}
