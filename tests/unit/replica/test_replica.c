/* What replica.h promises, on a small simulated cluster without faults but those a test orders.
 * Random faults are the simulator's (tests/sim). */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "replica_client.h"

static void test_one_node(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(1);
    cluster_put(cluster, 0, "apple", "red");
    cluster_expect(cluster, 0, "apple", "red");
    cluster_expect(cluster, 0, "pear", NULL);
    cluster_stop(cluster, 0);
    assert_ok(cluster_start(cluster, 0, &test_error));
    cluster_expect(cluster, 0, "apple", "red");
    cluster_put(cluster, 0, "apple", "green");
    cluster_crash(cluster, 0, ENV_SIM_SURVIVE_NOTHING);
    assert_ok(cluster_start(cluster, 0, &test_error));
    cluster_expect(cluster, 0, "apple", "green");
    assert_ok(kv_check(replica_kv(cluster_replica(cluster, 0)), NULL, NULL, &test_error));
    cluster_destroy(cluster);
}

static void test_three_nodes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    for (uint32_t node = 0; node < 3; node++) {
        char key[8];
        snprintf(key, sizeof key, "key%u", node);
        cluster_put(cluster, node, key, "v");
        for (uint32_t other = 0; other < 3; other++)
            cluster_expect(cluster, other, key, "v");
    }
    cluster_run_us(cluster, SECOND_US);
    struct replica_status first = cluster_status(cluster, 0);
    assert_true(first.has_cluster_id);
    for (uint32_t node = 1; node < 3; node++) {
        struct replica_status other = cluster_status(cluster, node);
        assert_int_equal(other.applied_index, first.applied_index);
        assert_int_equal(other.version, first.version);
        assert_memory_equal(other.cluster_id, first.cluster_id, REPLICA_CLUSTER_ID_SIZE);
        assert_int_equal(other.messages_refused, 0);
    }
    cluster_destroy(cluster);
}

/* Versions of keys in the node's tree. */
static uint32_t versions_of(struct cluster *cluster, uint32_t node)
{
    struct kv_cursor cursor;
    uint32_t versions = 0;
    kv_cursor_init_latest(&cursor, replica_kv(cluster_replica(cluster, node)));
    status_t status = kv_cursor_first(&cursor, &test_error);
    while (status == OK && kv_cursor_valid(&cursor)) {
        versions += kv_cursor_key(&cursor).data[0] >= MVCC_KEY_FIRST_MIN;
        status = kv_cursor_next(&cursor, &test_error);
    }
    assert_ok(status);
    return versions;
}

/* What was overwritten or deleted goes: on a node that has applied all of it, on one that was away,
 * and on one that wants its history it stays. Who reads goes on reading. */
static void test_old_versions_are_collected(void **state)
{
    (void)state;
    struct cluster_config config = cluster_plain(3);
    config.history_us = 1000 * SECOND_US; /* for every other node, see cluster.c */
    struct cluster *cluster = cluster_create(&config);
    cluster_leader_wait(cluster);
    cluster_put(cluster, 1, "apple", "first");
    struct client reader = client_on(cluster, 1, "reader");
    client_begin(&reader);
    client_expect(&reader, "apple", "first");
    for (uint32_t i = 0; i < 60; i++) {
        char value[16];
        snprintf(value, sizeof value, "%u", i);
        cluster_put(cluster, i % 3, "apple", value);
        cluster_put(cluster, i % 3, "pear", i % 2 == 0 ? value : NULL);
        if (i == 30) { /* the process dies with what it knew of old versions */
            txn_free(&reader.txn);
            cluster_crash(cluster, 1, ENV_SIM_SURVIVE_RANDOM);
            assert_ok(cluster_start(cluster, 1, &test_error));
            cluster_leader_wait(cluster);
            client_begin(&reader);
            client_expect(&reader, "apple", value);
        }
    }
    client_expect(&reader, "apple", "30");
    cluster_run_us(cluster, SECOND_US);
    client_expect(&reader, "apple", "30");
    assert_int_equal(versions_of(cluster, 1), 1);
    assert_int_equal(versions_of(cluster, 0), 121);
    assert_int_equal(versions_of(cluster, 2), 121);
    for (uint32_t node = 0; node < 3; node++) {
        cluster_expect(cluster, node, "apple", "59");
        cluster_expect(cluster, node, "pear", NULL);
    }
    txn_free(&reader.txn);
    cluster_destroy(cluster);
}

static void test_conflict_names_the_key(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    cluster_put(cluster, 0, "apple", "1");
    struct client one = client_on(cluster, 0, "one");
    struct client two = client_on(cluster, 1, "two");
    client_begin(&one);
    client_begin(&two);
    client_expect(&one, "apple", "1");
    client_expect(&two, "apple", "1");
    client_write(&one, "apple", "2");
    client_write(&two, "apple", "3");
    assert_int_equal(client_commit(&one, "won"), OK);
    assert_int_equal(one.commit.reply_size, 3);
    assert_memory_equal(one.commit.reply, "won", 3);
    assert_int_equal(client_commit(&two, ""), ERR_CONFLICT);
    assert_int_equal(two.commit.conflict_key_size, 5);
    assert_memory_equal(two.commit.conflict_key, "apple", 5);
    cluster_expect(cluster, 2, "apple", "2");
    buffer_free(&one.commit.request);
    buffer_free(&two.commit.request);
    cluster_destroy(cluster);
}

/* Also when the leader is held up, so that the request is sent again and refused by a log entry. */
static void test_late_conflict_names_the_key(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++) {
        struct cluster *cluster = cluster_of(3);
        uint32_t leader = cluster_leader_wait(cluster), node = (leader + 1) % 3;
        cluster_put(cluster, node, "apple", "1");
        struct client client = client_on(cluster, node, "one");
        client_begin(&client);
        client_expect(&client, "apple", "1");
        client_write(&client, "apple", "2");
        cluster_put(cluster, leader, "apple", "3");
        client_request(&client, "");
        cluster_pause(cluster, leader, 950000 + 10000 * i);
        client_commit_start(&client, node, PATIENCE_US);
        assert_int_equal(client_wait(&client), ERR_CONFLICT);
        assert_int_equal(client.commit.conflict_key_size, 5);
        assert_memory_equal(client.commit.conflict_key, "apple", 5);
        buffer_free(&client.commit.request);
        cluster_destroy(cluster);
    }
}

/* Whoever writes on another node when the leader dies waits for the next one, and not for long. */
static void test_a_dead_leader_is_replaced(void **state)
{
    (void)state;
    enum { TIMEOUT_US = 10 * 10000 }; /* an election's, in the simulated cluster */
    uint64_t longest_us = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct cluster_config config = cluster_plain(5);
        config.seed = seed;
        config.tick_us = 10000;
        struct cluster *cluster = cluster_create(&config);
        uint32_t leader = cluster_leader_wait(cluster), node = (leader + 1) % 5;
        cluster_put(cluster, node, "apple", "1");
        struct client client = client_on(cluster, node, "one");
        client_begin(&client);
        client_write(&client, "apple", "2");
        cluster_crash(cluster, leader, ENV_SIM_SURVIVE_NOTHING);
        uint64_t from_us = cluster_now_us(cluster);
        assert_int_equal(client_commit(&client, ""), OK);
        uint64_t took_us = cluster_now_us(cluster) - from_us;
        longest_us = took_us > longest_us ? took_us : longest_us;
        buffer_free(&client.commit.request);
        cluster_destroy(cluster);
    }
    print_message("without a leader for %" PRIu64 " ms at most\n", longest_us / 1000);
    assert_true(longest_us < 4 * TIMEOUT_US); /* one of one to two, and one more if votes split */
}

/* A read on a cluster at rest is answered though nothing is applied after the leader's answer. */
static void test_read_without_writes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    cluster_leader_wait(cluster);
    cluster_run_us(cluster, SECOND_US);
    for (uint32_t node = 0; node < 3; node++) {
        struct client client = client_on(cluster, node, "reader");
        uint64_t before_us = cluster_now_us(cluster);
        assert_int_equal(client_read(&client), OK);
        assert_true(cluster_now_us(cluster) - before_us < SECOND_US / 10);
    }
    cluster_destroy(cluster);
}

static void test_no_quorum(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    struct client client = client_on(cluster, leader, "one");
    client_begin(&client);
    client_write(&client, "apple", "2");
    client_request(&client, "");
    client_commit_start(&client, leader, 2 * SECOND_US);
    cluster_run_us(cluster, 50);
    for (uint32_t node = 0; node < 3; node++)
        if (node != leader)
            cluster_crash(cluster, node, ENV_SIM_SURVIVE_NOTHING);
    assert_int_equal(client_wait(&client), ERR_OUTCOME_UNKNOWN);
    /* A commit that no leader takes is refused. */
    struct client late = client_on(cluster, leader, "two");
    assert_ok(replica_txn_begin(cluster_replica(cluster, leader), &late.txn, false, &test_error));
    client_write(&late, "pear", "2");
    client_request(&late, "");
    client_commit_start(&late, leader, SECOND_US);
    assert_int_equal(client_wait(&late), ERR_NO_QUORUM);
    buffer_free(&late.commit.request);
    client_read_start(&client, SECOND_US);
    assert_int_equal(client_wait(&client), ERR_NO_QUORUM);
    /* Asked again once there is a quorum, the same request tells what became of it. */
    for (uint32_t node = 0; node < 3; node++)
        if (node != leader)
            assert_ok(cluster_start(cluster, node, &test_error));
    client.commit.asked_before = true;
    client_commit_start(&client, (leader + 1) % 3, PATIENCE_US / 2);
    assert_int_equal(client_wait(&client), OK);
    cluster_expect(cluster, leader, "apple", "2");
    cluster_expect(cluster, leader, "pear", NULL);
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

static void test_same_request_twice(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    struct client client = client_on(cluster, 0, "one");
    client_begin(&client);
    client_write(&client, "apple", "1");
    assert_int_equal(client_commit(&client, "first"), OK);
    uint64_t version = client.commit.version;
    cluster_put(cluster, 1, "apple", "2");
    for (uint32_t node = 0; node < 3; node++) {
        client_commit_start(&client, node, PATIENCE_US / 2);
        assert_int_equal(client_wait(&client), OK);
        assert_int_equal(client.commit.version, version);
        assert_int_equal(client.commit.reply_size, 5);
    }
    cluster_expect(cluster, 2, "apple", "2");
    uint8_t reply[TXN_REPLY_MAX];
    uint32_t reply_size = 0;
    struct replica *replica = cluster_replica(cluster, 0);
    assert_int_equal(replica_outcome(replica, text("one"), reply, &reply_size, &test_error), OK);
    assert_int_equal(reply_size, 5);
    assert_int_equal(replica_outcome(replica, text("two"), reply, &reply_size, &test_error),
                     ERR_NOT_FOUND);
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

/* A request that may have been sent before is refused for good: its other copies cannot commit. */
static void test_refusal_is_remembered(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    cluster_put(cluster, 0, "apple", "1");
    struct client client = client_on(cluster, 0, "one");
    client_begin(&client);
    client_expect(&client, "apple", "1");
    client_write(&client, "apple", "2");
    cluster_put(cluster, 1, "apple", "3");
    client.commit.asked_before = true;
    assert_int_equal(client_commit(&client, "no"), ERR_CONFLICT);
    assert_int_equal(client.commit.conflict_key_size, 5);
    struct txn_outcome outcome;
    struct kv *kv = replica_kv(cluster_replica(cluster, (uint32_t)cluster_leader(cluster)));
    assert_ok(txn_outcome_get(kv, text("one"), &outcome, &test_error));
    assert_true(outcome.refused);
    assert_int_equal(outcome.sequence, 1);
    uint8_t reply[TXN_REPLY_MAX];
    uint32_t reply_size = 0;
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(
        replica_outcome(cluster_replica(cluster, 0), text("one"), reply, &reply_size, &test_error),
        ERR_NOT_FOUND);
    /* The next of this origin is not held back by it. */
    client_begin(&client);
    client_write(&client, "apple", "4");
    assert_int_equal(client_commit(&client, "yes"), OK);
    cluster_expect(cluster, 2, "apple", "4");
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

/* A client's request is numbered by its commits, so its next attempt has the number of the one
 * refused. That commits, and no copy of the refused one does. */
static void test_refused_number_is_used_again(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    cluster_put(cluster, 0, "apple", "1");
    struct client first = client_on(cluster, 0, "one");
    client_begin(&first);
    client_expect(&first, "apple", "1");
    client_write(&first, "apple", "2");
    cluster_put(cluster, 1, "apple", "3");
    first.commit.asked_before = true;
    assert_int_equal(client_commit(&first, "first"), ERR_CONFLICT);
    struct client second = client_on(cluster, 1, "one");
    client_begin(&second);
    client_expect(&second, "apple", "3");
    client_write(&second, "apple", "4");
    /* Nobody has written what it read, but it read before the refusal. */
    struct client stale = client_on(cluster, 2, "one");
    client_begin(&stale);
    client_write(&stale, "pear", "5");
    client_request(&stale, "stale");
    first.commit.asked_before = true;
    client_commit_start(&first, 2, PATIENCE_US / 2);
    assert_int_equal(client_wait(&first), ERR_CONFLICT);
    assert_int_equal(client_commit(&second, "second"), OK);
    uint64_t version = second.commit.version;
    client_commit_start(&first, 0, PATIENCE_US / 2);
    assert_int_equal(client_wait(&first), OK);
    assert_int_equal(first.commit.version, version);
    client_commit_start(&stale, 2, PATIENCE_US / 2);
    assert_int_equal(client_wait(&stale), OK);
    assert_int_equal(stale.commit.version, version);
    assert_int_equal(stale.commit.reply_size, 6);
    cluster_expect(cluster, 2, "apple", "4");
    cluster_expect(cluster, 0, "pear", NULL);
    buffer_free(&first.commit.request);
    buffer_free(&second.commit.request);
    buffer_free(&stale.commit.request);
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_node),
        cmocka_unit_test(test_three_nodes),
        cmocka_unit_test(test_old_versions_are_collected),
        cmocka_unit_test(test_conflict_names_the_key),
        cmocka_unit_test(test_late_conflict_names_the_key),
        cmocka_unit_test(test_a_dead_leader_is_replaced),
        cmocka_unit_test(test_read_without_writes),
        cmocka_unit_test(test_no_quorum),
        cmocka_unit_test(test_same_request_twice),
        cmocka_unit_test(test_refusal_is_remembered),
        cmocka_unit_test(test_refused_number_is_used_again),
    };
    return cmocka_run_group_tests_name("replica", tests, NULL, NULL);
}
