/* Messages that come late, twice, from elsewhere or make no sense. */
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

/* ---- messages made by hand --------------------------------------------------------------------
 */

/* To `node`, as if it came from another node of its cluster. */
static void hand_in(struct cluster *cluster, uint32_t node, uint32_t from,
                    struct replica_message message)
{
    struct replica_status status = cluster_status(cluster, node);
    message.from = from + 1;
    message.to = node + 1;
    if (from != node)
        message.uid = replica_uid(cluster_replica(cluster, from));
    memcpy(message.cluster_id, status.cluster_id, REPLICA_CLUSTER_ID_SIZE);
    replica_receive(cluster_replica(cluster, node), &message);
    cluster_wake(cluster, node);
}

/* Answers to requests of the life before must not answer those of this one. */
static void test_late_answers(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    uint32_t node = (leader + 1) % 3;
    cluster_put(cluster, node, "apple", "1");
    struct client client = client_on(cluster, node, "one");
    client_begin(&client);
    client_write(&client, "apple", "2");
    client_request(&client, "");
    client_read_start(&client, PATIENCE_US);
    client_commit_start(&client, node, PATIENCE_US);
    uint64_t commit_id = client.commit.id;
    cluster_run_us(cluster, 10);
    uint64_t read_batch = client.read.batch;
    assert_true(read_batch != 0);
    replica_read_cancel(cluster_replica(cluster, node), &client.read);
    replica_commit_abandon(cluster_replica(cluster, node), &client.commit);
    cluster_crash(cluster, node, ENV_SIM_SURVIVE_ALL);
    assert_ok(cluster_start(cluster, node, &test_error));
    cluster_run_us(cluster, 2 * SECOND_US);
    for (uint32_t other = 0; other < 3; other++)
        if (other != node)
            cluster_cut(cluster, node, other, true);
    /* The next requests get no answer; what comes is for those before. */
    struct client next = client_on(cluster, node, "two");
    assert_ok(replica_txn_begin(cluster_replica(cluster, node), &next.txn, false, &test_error));
    client_write(&next, "pear", "1");
    client_request(&next, "");
    client_commit_start(&next, node, PATIENCE_US);
    client_read_start(&next, PATIENCE_US);
    cluster_run_us(cluster, 10);
    assert_true(next.commit.id != commit_id && next.read.batch != read_batch);
    for (uint64_t i = 0; i < 20; i++) {
        hand_in(cluster, node, leader,
                (struct replica_message){.type = REPLICA_COMMIT_RESPONSE, .id = i, .version = 1});
        hand_in(cluster, node, leader,
                (struct replica_message){.type = REPLICA_READ_RESPONSE, .id = i, .index = 1});
    }
    cluster_run_us(cluster, 1000);
    assert_false(next.done);
    replica_read_cancel(cluster_replica(cluster, node), &next.read);
    replica_commit_abandon(cluster_replica(cluster, node), &next.commit);
    buffer_free(&client.commit.request);
    buffer_free(&next.commit.request);
    cluster_destroy(cluster);
}

/* A request is judged by the leader of the term it is addressed to, and by no other. */
static void test_other_terms_requests(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    struct client client = client_on(cluster, leader, "one");
    client_begin(&client);
    client_write(&client, "apple", "2");
    client_request(&client, "");
    uint64_t term = cluster_status(cluster, leader).term;
    for (uint64_t asked = term - 1; asked <= term + 1; asked += 2) {
        hand_in(cluster, leader, (leader + 1) % 3,
                (struct replica_message){.type = REPLICA_COMMIT_REQUEST,
                                         .id = 7,
                                         .index = asked,
                                         .version = 1,
                                         .body = buffer_slice(&client.commit.request)});
        cluster_run_us(cluster, SECOND_US / 10);
        cluster_expect(cluster, leader, "apple", "1");
    }
    hand_in(cluster, leader, (leader + 1) % 3,
            (struct replica_message){.type = REPLICA_COMMIT_REQUEST,
                                     .id = 7,
                                     .index = term,
                                     .version = 1,
                                     .body = buffer_slice(&client.commit.request)});
    cluster_run_us(cluster, SECOND_US / 10);
    cluster_expect(cluster, leader, "apple", "2");
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

/* While one commit of an origin is under way, another one waits, whichever is older. */
static void test_origin_commits_one_by_one(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    struct client first = client_on(cluster, leader, "same");
    struct client second = client_on(cluster, leader, "same");
    first.sequence = 0;
    second.sequence = 1;
    client_begin(&first);
    client_begin(&second);
    client_write(&first, "apple", "first");
    client_write(&second, "apple", "second");
    client_request(&first, "1");
    client_request(&second, "2");
    /* The newer one comes first; the older one is a straggler, and says so. */
    client_commit_start(&second, leader, PATIENCE_US);
    client_commit_start(&first, leader, PATIENCE_US);
    assert_int_equal(client_wait(&second), OK);
    assert_int_equal(client_wait(&first), ERR_PROTOCOL);
    cluster_expect(cluster, leader, "apple", "second");
    buffer_free(&first.commit.request);
    buffer_free(&second.commit.request);
    cluster_destroy(cluster);
}

/* A read whose request was lost is sent again, though others go out all the time. */
static void test_lost_read_among_others(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    uint32_t node = (leader + 1) % 3;
    cluster_put(cluster, node, "apple", "1");
    struct client lost = client_on(cluster, node, "lost");
    cluster_cut(cluster, node, leader, true);
    client_read_start(&lost, PATIENCE_US);
    cluster_run_us(cluster, 100);
    cluster_cut(cluster, node, leader, false);
    for (int i = 0; i < 40 && !lost.done; i++) {
        struct client other = client_on(cluster, node, "other");
        assert_int_equal(client_read(&other), OK);
        cluster_run_us(cluster, SECOND_US / 20);
    }
    assert_true(lost.done);
    assert_int_equal(lost.status, OK);
    cluster_destroy(cluster);
}

static void test_bad_messages(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    uint32_t node = (leader + 1) % 3;
    cluster_put(cluster, node, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    uint64_t refused = 0;
    struct raft_message other = {.type = RAFT_HEARTBEAT_RESPONSE,
                                 .from = node + 1,
                                 .to = leader + 1,
                                 .term = cluster_status(cluster, leader).term};
    struct replica_message bad[] = {{.type = REPLICA_RAFT},
                                    {.type = REPLICA_RAFT, .raft = &other},
                                    {.type = (enum replica_message_type)99}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hand_in(cluster, leader, (leader + 2) % 3, bad[i]);
        assert_int_equal(cluster_status(cluster, leader).messages_refused, ++refused);
    }
    hand_in(cluster, leader, leader, (struct replica_message){.type = REPLICA_READ_REQUEST});
    assert_int_equal(cluster_status(cluster, leader).messages_refused, ++refused);
    hand_in(cluster, leader, node,
            (struct replica_message){.type = REPLICA_COMMIT_REQUEST,
                                     .index = cluster_status(cluster, leader).term,
                                     .body = text("nonsense")});
    assert_int_equal(cluster_status(cluster, leader).messages_refused, ++refused);
    cluster_expect(cluster, node, "apple", "1");
    cluster_destroy(cluster);
}

/* Of another cluster: refused; when most others say that we are of another one, we stop. */
static void test_foreign_cluster(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    struct replica_message message = {.type = REPLICA_READ_REQUEST,
                                      .from = (leader + 1) % 3 + 1,
                                      .to = leader + 1,
                                      .cluster_id = "another cluster"};
    replica_receive(cluster_replica(cluster, leader), &message);
    assert_int_equal(cluster_status(cluster, leader).messages_refused, 1);
    message.type = REPLICA_FOREIGN;
    replica_receive(cluster_replica(cluster, leader), &message);
    assert_false(cluster_node_failed(cluster, leader));
    message.from = (leader + 2) % 3 + 1;
    replica_receive(cluster_replica(cluster, leader), &message);
    assert_true(cluster_node_failed(cluster, leader));
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_late_answers),
        cmocka_unit_test(test_other_terms_requests),
        cmocka_unit_test(test_origin_commits_one_by_one),
        cmocka_unit_test(test_lost_read_among_others),
        cmocka_unit_test(test_bad_messages),
        cmocka_unit_test(test_foreign_cluster),
    };
    return cmocka_run_group_tests_name("replica_messages", tests, NULL, NULL);
}
