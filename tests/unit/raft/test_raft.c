/* One rule of the header at a time; the stories are in tests/golden/raft, random histories in
 * test_raft_random.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "raft/raft_int.h"
#include "raft_cluster.h"

static struct raft_config small_config(void)
{
    struct raft_config config;
    raft_config_default(&config);
    return config;
}

static void settle(struct cluster *c)
{
    bool again = true;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < c->count; i++) {
            node_pump(&c->nodes[i]);
            again |= node_persist(&c->nodes[i]);
        }
        if (c->network_count > 0) {
            assert_int_equal(cluster_deliver(c, 0), OK);
            again = true;
        }
    }
}

static struct raft *lead(struct cluster *c)
{
    raft_campaign(c->nodes[0].raft);
    settle(c);
    struct raft_status s;
    raft_status(c->nodes[0].raft, &s);
    assert_int_equal(s.role, RAFT_LEADER);
    return c->nodes[0].raft;
}

static void propose(struct raft *r, const char *text)
{
    uint64_t index;
    struct slice data = slice_from_string(text);
    assert_int_equal(raft_propose(r, &data, 1, &index), OK);
}

static void test_config_is_checked(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 1, &config, 1);
    struct raft_storage storage = c.nodes[0].raft->log.storage;
    struct raft_hard_state none = {0};
    struct raft *r;
    struct raft_config bad[6];
    for (size_t i = 0; i < 6; i++) {
        bad[i] = config;
        bad[i].id = 1;
        bad[i].members.count = 2;
        bad[i].members.items[0] = (struct raft_member){.id = 1, .voter = true};
        bad[i].members.items[1] = (struct raft_member){.id = 2, .voter = true};
    }
    bad[0].id = 0;
    bad[1].members.items[1].id = 1;
    bad[2].members.items[1].id = 0;
    bad[3].members.count = RAFT_MEMBERS_MAX + 1;
    bad[4].heartbeat_ticks = 10;
    bad[5].members.index = 1;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(raft_create(&bad[i], &storage, &none, &r), ERR_INVALID);
        assert_null(r);
    }
    /* The state machine or the commit index cannot be ahead of the log. */
    struct raft_config ahead = bad[0];
    ahead.id = 1;
    ahead.applied = 1;
    assert_int_equal(raft_create(&ahead, &storage, &none, &r), ERR_CORRUPT);
    ahead.applied = 0;
    assert_int_equal(
        raft_create(&ahead, &storage, &(struct raft_hard_state){.term = 1, .commit = 1}, &r),
        ERR_CORRUPT);
    cluster_free(&c);
}

/* The entries of a bundle became durable, its hard state did not. */
static void test_torn_bundle(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 3, &config, 1);
    struct node *node = &c.nodes[0];
    node_crash(node, 0, 0);
    disk_append(&node->disk, &(struct raft_entry){.index = 1, .term = 7, .type = RAFT_ENTRY_NOOP});
    node->disk.hard_state = (struct raft_hard_state){.term = 5, .vote = 2};
    node_start(node);
    struct raft_status s;
    raft_status(node->raft, &s);
    assert_int_equal(s.term, 7);
    assert_int_equal(s.vote, 0);
    node_pump(node);
    assert_true(node_persist(node));
    assert_int_equal(node->disk.hard_state.term, 7);
    cluster_free(&c);
}

static void test_proposals_share_a_bundle(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 3, &config, 1);
    struct raft *r = lead(&c);
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
    cluster_free(&c);
}

static void test_proposal_limits(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    config.max_entry_bytes = 1000;
    config.max_uncommitted_bytes = 500;
    cluster_init(&c, 3, &config, 1);
    struct raft *r = lead(&c);
    uint8_t bytes[1001] = {0};
    uint64_t index;
    struct slice data = slice_make(bytes, 1001);
    assert_int_equal(raft_propose(r, &data, 1, &index), ERR_TOO_LONG);
    /* Larger than the bound, but alone. */
    data.size = 1000;
    assert_int_equal(raft_propose(r, &data, 1, &index), OK);
    data.size = 1;
    assert_int_equal(raft_propose(r, &data, 1, &index), ERR_BUSY);
    settle(&c);
    assert_int_equal(raft_propose(r, &data, 1, &index), OK);
    struct raft_status s;
    raft_status(r, &s);
    assert_int_equal(s.uncommitted_bytes, 1 + sizeof(struct raft_entry));
    assert_int_equal(s.last_index, index);
    cluster_free(&c);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    config.max_cached_bytes = 1000;
    config.max_append_bytes = 200;
    cluster_init(&c, 3, &config, 1);
    struct raft *r = lead(&c);
    /* Node 3 sleeps. */
    node_crash(&c.nodes[2], 0, 0);
    for (int i = 0; i < 500; i++) {
        propose(r, "twenty bytes of text");
        settle(&c);
    }
    struct raft_status s;
    raft_status(r, &s);
    assert_true(s.cached_bytes <= 1000);
    assert_int_equal(s.commit, 501);
    assert_int_equal(c.nodes[0].disk.reads, 0);
    /* It wakes up and gets what it missed from the leader's disk. */
    node_start(&c.nodes[2]);
    for (int i = 0; i < 3; i++) {
        raft_tick(r);
        settle(&c);
    }
    assert_true(c.nodes[0].disk.reads > 0);
    assert_int_equal(c.nodes[2].applied_count, 501);
    cluster_free(&c);
}

/* A slow disk makes large bundles, not long queues. */
static void test_bundles_are_bounded(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 1, &config, 1);
    struct raft *r = lead(&c);
    for (int i = 0; i < 200; i++) {
        propose(r, "x");
        node_pump(&c.nodes[0]);
    }
    assert_int_equal(c.nodes[0].bundle_count, RAFT_BUNDLES_MAX);
    assert_false(raft_has_ready(r));
    assert_true(node_persist(&c.nodes[0]));
    node_pump(&c.nodes[0]);
    assert_int_equal(c.nodes[0].bundles[RAFT_BUNDLES_MAX - 1].entry_count, 200 - RAFT_BUNDLES_MAX);
    settle(&c);
    assert_int_equal(c.nodes[0].applied_count, 201);
    cluster_free(&c);
}

static void test_reads_are_bounded(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    config.max_pending_reads = 2;
    cluster_init(&c, 3, &config, 1);
    struct raft *r = lead(&c);
    assert_int_equal(raft_read_index(r, 1), OK);
    assert_int_equal(raft_read_index(r, 2), OK);
    assert_int_equal(raft_read_index(r, 3), ERR_BUSY);
    settle(&c);
    assert_int_equal(raft_read_index(r, 3), OK);
    cluster_free(&c);
}

static void ack_round(struct raft *r, uint64_t round)
{
    struct raft_message m = {.type = RAFT_HEARTBEAT_RESPONSE,
                             .from = 2,
                             .to = 1,
                             .term = r->term,
                             .read_sequence = round};
    assert_int_equal(raft_step(r, &m), OK);
}

/* Thesis 6.4: the round that confirms a read begins after the read was asked for. */
static void test_read_needs_a_round_of_its_own(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 3, &config, 1);
    struct raft *r = lead(&c);
    assert_int_equal(raft_read_index(r, 10), OK);
    node_pump(&c.nodes[0]);
    assert_int_equal(raft_read_index(r, 20), OK);
    node_pump(&c.nodes[0]);
    struct raft_ready ready;
    ack_round(r, 1);
    assert_int_equal(raft_ready(r, &ready), OK);
    assert_int_equal(ready.read_count, 1);
    assert_int_equal(ready.reads[0].context, 10);
    raft_advance(r);
    ack_round(r, 2);
    assert_int_equal(raft_ready(r, &ready), OK);
    assert_int_equal(ready.read_count, 1);
    assert_int_equal(ready.reads[0].context, 20);
    raft_advance(r);
    cluster_free(&c);
}

static uint64_t compacted_first(void *context)
{
    (void)context;
    return 3;
}

static status_t compacted_term(void *context, uint64_t index, uint64_t *term)
{
    const struct disk *disk = context;
    if (index < 2)
        return ERR_NOT_FOUND;
    *term = disk->entries[index - 1].term;
    return OK;
}

static status_t compacted_entries(void *context, uint64_t low, uint64_t high, size_t max_bytes,
                                  struct arena *arena, struct raft_entry **entries, uint32_t *count)
{
    (void)context, (void)high, (void)max_bytes, (void)arena, (void)entries, (void)count;
    ASSERT(low < 3);
    return ERR_NOT_FOUND;
}

static status_t failing_entries(void *context, uint64_t low, uint64_t high, size_t max_bytes,
                                struct arena *arena, struct raft_entry **entries, uint32_t *count)
{
    (void)context, (void)low, (void)high, (void)max_bytes, (void)arena, (void)entries, (void)count;
    return ERR_IO;
}

/* A leader whose storage begins at 3, and what its next bundle is when node 3, empty, refuses. */
static status_t bundle_after_refusal(struct cluster *c, bool compacted)
{
    struct raft_config config = small_config();
    config.max_cached_bytes = 1;
    cluster_init(c, 3, &config, 1);
    node_crash(&c->nodes[2], 0, 0);
    struct raft *r = lead(c);
    for (int i = 0; i < 5; i++) {
        propose(r, "x");
        settle(c);
    }
    if (compacted) {
        r->log.storage.first_index = compacted_first;
        r->log.storage.term = compacted_term;
        r->log.storage.entries = compacted_entries;
    } else {
        r->log.storage.entries = failing_entries;
    }
    struct raft_progress *p = raft__peer(r, 3);
    raft__progress_probe(p, 7);
    p->probe_sent = true;
    struct raft_message refusal = {.type = RAFT_APPEND_RESPONSE,
                                   .from = 3,
                                   .to = 1,
                                   .term = r->term,
                                   .log_index = 6,
                                   .reject = true};
    assert_int_equal(raft_step(r, &refusal), OK);
    struct raft_ready ready;
    status_t status = OK;
    if (raft_has_ready(r)) {
        status = raft_ready(r, &ready);
        if (status == OK)
            raft_advance(r);
    }
    return status;
}

static void test_follower_left_behind(void **state)
{
    (void)state;
    struct cluster c;
    assert_int_equal(bundle_after_refusal(&c, true), OK);
    struct raft_status s;
    raft_status(c.nodes[0].raft, &s);
    assert_int_equal(s.peers[1].state, RAFT_PROGRESS_SNAPSHOT);
    assert_false(raft_has_ready(c.nodes[0].raft));
    /* It still hears that there is a leader. */
    raft_tick(c.nodes[0].raft);
    settle(&c);
    cluster_free(&c);
}

static void test_storage_errors_come_out(void **state)
{
    (void)state;
    struct cluster c;
    assert_int_equal(bundle_after_refusal(&c, false), ERR_IO);
    cluster_free(&c);
}

/* Figure 2, AppendEntries 5: a follower's tail beyond what the message matched is not committed by
 * it. */
static void test_commit_stops_at_the_match(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 3, &config, 1);
    struct node *node = &c.nodes[0];
    node_crash(node, 0, 0);
    for (uint64_t i = 1; i <= 3; i++)
        disk_append(
            &node->disk,
            &(struct raft_entry){.index = i, .term = i == 1 ? 1 : 2, .type = RAFT_ENTRY_COMMAND});
    node->disk.hard_state.term = 2;
    node_start(node);
    struct raft_message append = {
        .type = RAFT_APPEND, .from = 2, .to = 1, .term = 3, .log_index = 1, .log_term = 1};
    append.commit = 3;
    assert_int_equal(raft_step(node->raft, &append), OK);
    struct raft_status s;
    raft_status(node->raft, &s);
    assert_int_equal(s.commit, 1);
    assert_int_equal(s.last_index, 3);
    cluster_free(&c);
}

/* Votes nobody asked for yet do not make a leader. */
static void test_votes_wait_for_the_own(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    config.pre_vote = false;
    cluster_init(&c, 3, &config, 1);
    struct raft *r = c.nodes[0].raft;
    raft_campaign(r);
    for (uint64_t from = 2; from <= 3; from++) {
        struct raft_message vote = {.type = RAFT_VOTE_RESPONSE, .from = from, .to = 1, .term = 1};
        assert_int_equal(raft_step(r, &vote), OK);
    }
    struct raft_status s;
    raft_status(r, &s);
    assert_int_equal(s.role, RAFT_CANDIDATE);
    node_pump(&c.nodes[0]);
    assert_true(node_persist(&c.nodes[0]));
    raft_status(r, &s);
    assert_int_equal(s.role, RAFT_LEADER);
    cluster_free(&c);
}

static void test_absurd_messages(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 3, &config, 1);
    struct raft *r = lead(&c);
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
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (raft_step(r, &messages[i]) != ERR_PROTOCOL)
            fail_msg("message %zu was not refused", i);
    struct raft_status s;
    raft_status(r, &s);
    assert_int_equal(s.role, RAFT_LEADER);
    cluster_free(&c);
}

static struct raft_message random_message(struct prng *prng, struct node *node,
                                          struct raft_entry *entries)
{
    struct raft_message m = {
        .type = (enum raft_message_type)prng_below(prng, 10),
        .from = prng_between(prng, 1, 3),
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
    if (prng_chance(prng, 1, 50))
        m.term = prng_next(prng);
    if (prng_chance(prng, 1, 50))
        m.log_index = prng_next(prng);
    if (prng_chance(prng, 1, 50))
        m.hint_index = prng_next(prng);
    struct raft_status s;
    raft_status(node->raft, &s);
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
                                         .type = (uint8_t)prng_between(prng, 1, 2),
                                         .data = slice_from_string("foreign bytes")};
    }
    return m;
}

/* Well-formed lies of two hostile voters: they may mislead a node, but they must not stop it. */
static void test_hostile_messages(void **state)
{
    (void)state;
    uint64_t refused = 0, led = 0, applied = 0;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        struct cluster c;
        struct raft_config config = small_config();
        config.max_cached_bytes = 1 + prng_below(&prng, 300);
        config.pre_vote = prng_chance(&prng, 1, 2);
        cluster_init(&c, 3, &config, seed);
        struct node *node = &c.nodes[0];
        for (int step = 0; step < 150; step++) {
            struct raft_entry entries[4];
            struct raft_message m = random_message(&prng, node, entries);
            status_t status = raft_step(node->raft, &m);
            assert_true(status == OK || status == ERR_PROTOCOL);
            refused += status != OK;
            if (prng_chance(&prng, 1, 20))
                raft_campaign(node->raft);
            if (prng_chance(&prng, 1, 3))
                raft_tick(node->raft);
            uint64_t index;
            struct slice data = slice_from_string("own");
            led += raft_propose(node->raft, &data, 1, &index) == OK;
            MAYBE(raft_read_index(node->raft, 1) == OK);
            if (prng_chance(&prng, 3, 4))
                node_pump(node);
            if (prng_chance(&prng, 1, 2))
                node_persist(node);
            while (c.network_count > 0)
                cluster_drop(&c, c.network_count - 1);
        }
        applied += node->applied_count;
        cluster_free(&c);
    }
    assert_true(refused > 1000);
    assert_true(led > 1000);
    assert_true(applied > 1000);
}

/* Same inputs, same outputs. */
static void test_deterministic(void **state)
{
    (void)state;
    uint64_t terms[2];
    for (int run = 0; run < 2; run++) {
        struct cluster c;
        struct raft_config config = small_config();
        cluster_init(&c, 5, &config, 42);
        for (int i = 0; i < 200; i++) {
            for (uint32_t k = 0; k < 5; k++)
                raft_tick(c.nodes[k].raft);
            if (i % 7 == 0)
                settle(&c);
        }
        terms[run] = c.nodes[0].raft->term * 1000 + c.nodes[0].raft->election_timeout;
        cluster_free(&c);
    }
    assert_int_equal(terms[0], terms[1]);
}

static void test_timeouts_are_spread(void **state)
{
    (void)state;
    struct cluster c;
    struct raft_config config = small_config();
    cluster_init(&c, 1, &config, 1);
    bool seen[20] = {false};
    for (int i = 0; i < 1000; i++) {
        raft__become_follower(c.nodes[0].raft, 1, 0);
        assert_in_range(c.nodes[0].raft->election_timeout, 10, 19);
        seen[c.nodes[0].raft->election_timeout] = true;
    }
    for (int i = 10; i < 20; i++)
        assert_true(seen[i]);
    cluster_free(&c);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL); /* lies are told here on purpose */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_is_checked),
        cmocka_unit_test(test_torn_bundle),
        cmocka_unit_test(test_proposals_share_a_bundle),
        cmocka_unit_test(test_proposal_limits),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_bundles_are_bounded),
        cmocka_unit_test(test_reads_are_bounded),
        cmocka_unit_test(test_read_needs_a_round_of_its_own),
        cmocka_unit_test(test_follower_left_behind),
        cmocka_unit_test(test_storage_errors_come_out),
        cmocka_unit_test(test_commit_stops_at_the_match),
        cmocka_unit_test(test_votes_wait_for_the_own),
        cmocka_unit_test(test_absurd_messages),
        cmocka_unit_test(test_hostile_messages),
        cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_timeouts_are_spread),
    };
    return cmocka_run_group_tests_name("raft", tests, NULL, NULL);
}
