/* Nodes that come, go, move, hand over, or are not who they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin_client.h"
#include "base/log.h"

/* `founders` at once, up to `nodes` later; settled, with a leader and all uids on record. */
static struct cluster *cluster_growing(uint32_t founders, uint32_t nodes)
{
    struct cluster_config config = cluster_plain(nodes);
    config.founders = founders;
    struct cluster *cluster = cluster_create(&config);
    cluster_leader_wait(cluster);
    cluster_put(cluster, 0, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    return cluster;
}

static struct replica_member only_id(uint64_t id)
{
    return (struct replica_member){.id = id};
}

/* A member that is not `node`. */
static uint32_t other_than(struct cluster *cluster, uint32_t node)
{
    for (uint32_t other = 0;; other++)
        if (other != node && cluster_replica(cluster, other) &&
            !cluster_node_failed(cluster, other))
            return other;
}

static void test_uids_go_on_record(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    for (uint32_t node = 0; node < 3; node++) {
        struct replica_members members = members_of(cluster, node);
        assert_int_equal(members.count, 3);
        for (uint32_t i = 0; i < 3; i++) {
            assert_true(members.items[i].voter);
            assert_int_equal(
                members.items[i].uid,
                replica_uid(cluster_replica(cluster, (uint32_t)members.items[i].id - 1)));
        }
    }
    uint64_t index = members_of(cluster, 0).index;
    cluster_run_us(cluster, 5 * SECOND_US);
    assert_int_equal(members_of(cluster, 0).index, index);
    cluster_destroy(cluster);
}

/* It comes as a learner, gets the log, and then has a vote. */
static void test_node_joins(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 5);
    node_join(cluster, 3, 1, true);
    voter_wait(cluster, 3, 0);
    cluster_expect(cluster, 3, "apple", "1");
    cluster_put(cluster, 3, "pear", "2");
    node_join(cluster, 4, 3, true);
    voter_wait(cluster, 4, 4);
    /* Three of five are a majority: two of the first three may go. */
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    cluster_crash(cluster, leader, ENV_SIM_SURVIVE_NOTHING);
    cluster_crash(cluster, (leader + 1) % 3, ENV_SIM_SURVIVE_NOTHING);
    cluster_put(cluster, 4, "plum", "3");
    cluster_expect(cluster, 3, "plum", "3");
    /* A second start needs to be told nothing. */
    cluster_set_join(cluster, leader, &(struct replica_admin){0});
    assert_ok(cluster_start(cluster, leader, &test_error));
    cluster_set_join(cluster, 4, &(struct replica_admin){0});
    cluster_stop(cluster, 4);
    assert_ok(cluster_start(cluster, 4, &test_error));
    cluster_put(cluster, 4, "plum", "4");
    cluster_expect(cluster, leader, "plum", "4");
    cluster_destroy(cluster);
}

static void test_learner_is_promoted_on_request(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(1, 2);
    node_join(cluster, 1, 0, false);
    cluster_run_us(cluster, 5 * SECOND_US);
    cluster_expect(cluster, 1, "apple", "1");
    struct replica_members members = members_of(cluster, 0);
    assert_false(replica__member_find(&members, 2)->voter);
    assert_int_equal(admin_ask(cluster, 1, REPLICA_ADMIN_PROMOTE, only_id(3), NULL), ERR_NOT_FOUND);
    struct replica_admin answer;
    assert_ok(admin_ask(cluster, 1, REPLICA_ADMIN_PROMOTE, only_id(2), &answer));
    assert_true(replica__member_find(&answer.members, 2)->voter);
    assert_ok(admin_ask(cluster, 0, REPLICA_ADMIN_PROMOTE, only_id(2), NULL));
    cluster_destroy(cluster);
}

/* Promoted too early it would hold up the cluster: the request waits, and says for what. */
static void test_promotion_waits_for_the_log(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(1, 2);
    node_join(cluster, 1, 0, false);
    cluster_run_us(cluster, SECOND_US);
    cluster_crash(cluster, 1, ENV_SIM_SURVIVE_ALL);
    cluster_put(cluster, 0, "pear", "2");
    struct admin admin;
    admin_start(&admin, cluster, 0, REPLICA_ADMIN_PROMOTE, only_id(2), 5 * SECOND_US);
    assert_int_equal(admin_wait(&admin), ERR_TIMEOUT);
    assert_non_null(strstr(admin.request.error.message, "catching up"));
    struct replica_members members = members_of(cluster, 0);
    assert_false(replica__member_find(&members, 2)->voter);
    assert_ok(cluster_start(cluster, 1, &test_error));
    voter_wait(cluster, 1, 0);
    cluster_destroy(cluster);
}

static void test_follower_is_removed(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    uint32_t leader = (uint32_t)cluster_leader(cluster), gone = (leader + 1) % 3;
    struct replica_admin answer;
    assert_ok(admin_ask(cluster, gone, REPLICA_ADMIN_REMOVE, only_id(gone + 1), &answer));
    assert_int_equal(answer.members.count, 2);
    failure_wait(cluster, gone, "node ");
    assert_non_null(strstr(cluster_failure(cluster, gone)->message, "is not a member"));
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(gone + 1), NULL));
    cluster_crash(cluster, gone, ENV_SIM_SURVIVE_ALL);
    cluster_put(cluster, leader, "pear", "2");
    assert_int_equal(cluster_start(cluster, gone, &test_error), ERR_INVALID);
    assert_non_null(strstr(test_error.message, "was removed"));
    cluster_destroy(cluster);
}

/* It hands over first, and the cluster goes on. */
static void test_leader_is_removed(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    uint32_t leader = (uint32_t)cluster_leader(cluster), asked = other_than(cluster, leader);
    assert_ok(admin_ask(cluster, asked, REPLICA_ADMIN_REMOVE, only_id(leader + 1), NULL));
    failure_wait(cluster, leader, "node ");
    cluster_crash(cluster, leader, ENV_SIM_SURVIVE_ALL);
    cluster_put(cluster, asked, "pear", "2");
    assert_int_equal(members_of(cluster, asked).count, 2);
    cluster_destroy(cluster);
}

/* One that was down meanwhile, or only listens, is told when it comes. */
static void test_removed_while_away(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 4);
    node_join(cluster, 3, 0, false);
    cluster_run_us(cluster, SECOND_US);
    uint32_t leader = (uint32_t)cluster_leader(cluster), gone = (leader + 1) % 3;
    cluster_crash(cluster, gone, ENV_SIM_SURVIVE_ALL);
    cluster_crash(cluster, 3, ENV_SIM_SURVIVE_ALL);
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(gone + 1), NULL));
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(4), NULL));
    cluster_put(cluster, leader, "pear", "2");
    assert_ok(cluster_start(cluster, gone, &test_error));
    assert_ok(cluster_start(cluster, 3, &test_error));
    failure_wait(cluster, gone, "node ");
    failure_wait(cluster, 3, "node 4 is not a member");
    assert_int_equal(cluster_leader(cluster), leader);
    cluster_destroy(cluster);
}

/* The directory of a removed node never comes back; its id does, with another one. */
static void test_removed_id_comes_back(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 4);
    node_join(cluster, 3, 0, true);
    voter_wait(cluster, 3, 0);
    uint64_t uid = replica_uid(cluster_replica(cluster, 3));
    assert_ok(admin_ask(cluster, 0, REPLICA_ADMIN_REMOVE, only_id(4), NULL));
    failure_wait(cluster, 3, "node 4 is not a member");
    cluster_crash(cluster, 3, ENV_SIM_SURVIVE_ALL);
    struct replica_member member = {.id = 4, .uid = uid, .voter = true, .address = "there:1"};
    assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_ADD, member, NULL), ERR_INVALID);
    cluster_wipe(cluster, 3);
    node_join(cluster, 3, 0, true);
    voter_wait(cluster, 3, 0);
    assert_true(replica_uid(cluster_replica(cluster, 3)) != uid);
    cluster_put(cluster, 3, "pear", "2");
    cluster_run_us(cluster, 5 * SECOND_US);
    assert_false(cluster_node_failed(cluster, 3));
    cluster_destroy(cluster);
}

/* The id was given out again before anybody knew with which directory: the old one is not it, and
 * what that says of its log must not count for the new one's. */
static void test_old_directory_while_the_new_one_is_awaited(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(4, 4);
    cluster_run_us(cluster, SECOND_US);
    uint32_t old = (uint32_t)cluster_leader(cluster) == 3 ? 2 : 3, at = old == 3 ? 0 : 3;
    uint64_t uid = replica_uid(cluster_replica(cluster, old));
    cluster_crash(cluster, old, ENV_SIM_SURVIVE_ALL);
    /* More than one message brings it, so it answers before it comes to its own removal. */
    static char large[100000];
    memset(large, 'x', sizeof large - 1);
    for (int i = 0; i < 5; i++)
        cluster_put(cluster, at, "plum", large);
    assert_ok(admin_ask(cluster, at, REPLICA_ADMIN_REMOVE, only_id(old + 1), NULL));
    struct replica_member member = {.id = old + 1, .voter = true, .address = "there:1"};
    assert_ok(admin_ask(cluster, at, REPLICA_ADMIN_ADD, member, NULL));
    assert_ok(cluster_start(cluster, old, &test_error));
    failure_wait(cluster, old, "node ");
    assert_non_null(strstr(cluster_failure(cluster, old)->message, "is not a member"));
    cluster_crash(cluster, old, ENV_SIM_SURVIVE_ALL);
    member.uid = uid;
    assert_int_equal(admin_ask(cluster, at, REPLICA_ADMIN_ADD, member, NULL), ERR_INVALID);
    cluster_wipe(cluster, old);
    node_join(cluster, old, at, true);
    voter_wait(cluster, old, at);
    cluster_put(cluster, at, "pear", "2");
    cluster_expect(cluster, old, "pear", "2");
    cluster_destroy(cluster);
}

/* With the directory went what the node had promised: it must not vote again. */
static void test_lost_directory_is_refused(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    uint32_t leader = (uint32_t)cluster_leader(cluster), lost = (leader + 1) % 3;
    cluster_crash(cluster, lost, ENV_SIM_SURVIVE_ALL);
    cluster_wipe(cluster, lost);
    assert_ok(cluster_start(cluster, lost, &test_error));
    failure_wait(cluster, lost, "node ");
    assert_non_null(strstr(cluster_failure(cluster, lost)->message, "another data directory"));
    cluster_crash(cluster, lost, ENV_SIM_SURVIVE_ALL);
    /* Nor does joining help, as long as the id is taken. */
    struct replica_member member = {
        .id = lost + 1, .uid = node_uid(cluster, lost), .voter = true, .address = "there:1"};
    assert_int_equal(admin_ask(cluster, leader, REPLICA_ADMIN_ADD, member, NULL), ERR_EXISTS);
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(lost + 1), NULL));
    cluster_wipe(cluster, lost);
    node_join(cluster, lost, leader, true);
    voter_wait(cluster, lost, leader);
    cluster_destroy(cluster);
}

/* A founder that nobody has heard from is not whoever asks for its id first. */
static void test_founder_is_waited_for(void **state)
{
    (void)state;
    struct cluster_config config = cluster_plain(3);
    struct cluster *cluster = cluster_create(&config);
    uint64_t uid = replica_uid(cluster_replica(cluster, 2));
    cluster_crash(cluster, 2, ENV_SIM_SURVIVE_ALL);
    cluster_leader_wait(cluster);
    cluster_put(cluster, 0, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(members_of(cluster, 0).items[2].uid, 0);
    struct replica_member member = {.id = 3, .uid = uid + 1, .voter = true, .address = "there:1"};
    struct admin admin;
    admin_start(&admin, cluster, 0, REPLICA_ADMIN_ADD, member, SECOND_US);
    assert_int_not_equal(admin_wait(&admin), OK);
    assert_non_null(strstr(admin.request.error.message, "not heard from"));
    assert_ok(cluster_start(cluster, 2, &test_error));
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(members_of(cluster, 0).items[2].uid, uid);
    assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_ADD, member, NULL), ERR_EXISTS);
    cluster_destroy(cluster);
}

/* A follower that has not heard of a new node yet tells it to go; it knows better. */
static void test_lagging_follower_and_a_new_node(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 4);
    uint32_t leader = (uint32_t)cluster_leader(cluster), lags = (leader + 1) % 3;
    for (uint32_t node = 0; node < 3; node++)
        if (node != lags)
            cluster_cut(cluster, node, lags, true);
    node_join(cluster, 3, leader, true);
    voter_wait(cluster, 3, leader);
    assert_int_equal(members_of(cluster, lags).count, 3);
    for (uint32_t node = 0; node < 3; node++)
        if (node != lags) {
            cluster_cut(cluster, node, 3, true);
            cluster_cut(cluster, 3, node, true);
        }
    uint64_t refused = cluster_status(cluster, 3).messages_refused;
    cluster_run_us(cluster, 10 * SECOND_US);
    assert_true(cluster_status(cluster, 3).messages_refused > refused); /* it was told */
    assert_false(cluster_node_failed(cluster, 3));
    cluster_heal(cluster);
    cluster_put(cluster, 3, "pear", "2");
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(members_of(cluster, lags).count, 4);
    assert_false(cluster_node_failed(cluster, lags));
    cluster_destroy(cluster);
}

/* One that missed the removal of a node knows another directory under its id; that directory's
 * successor may lead, and must be able to bring it up to date. */
static void test_lagging_follower_and_a_new_directory(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 4);
    node_join(cluster, 3, 0, true);
    voter_wait(cluster, 3, 0);
    cluster_run_us(cluster, SECOND_US);
    uint32_t lags = (uint32_t)cluster_leader(cluster) == 0 ? 1 : 0;
    cluster_crash(cluster, lags, ENV_SIM_SURVIVE_ALL);
    uint32_t leader = cluster_leader_wait(cluster), asked = leader == 2 ? 1 - lags : 2;
    assert_ok(admin_ask(cluster, asked, REPLICA_ADMIN_REMOVE, only_id(4), NULL));
    failure_wait(cluster, 3, "node 4 is not a member");
    cluster_crash(cluster, 3, ENV_SIM_SURVIVE_ALL);
    cluster_wipe(cluster, 3);
    node_join(cluster, 3, asked, true);
    voter_wait(cluster, 3, asked);
    assert_ok(admin_ask(cluster, asked, REPLICA_ADMIN_TRANSFER, only_id(4), NULL));
    cluster_put(cluster, asked, "pear", "2");
    assert_ok(cluster_start(cluster, lags, &test_error));
    cluster_run_us(cluster, 5 * SECOND_US);
    assert_int_equal(cluster_leader(cluster), 3);
    assert_int_equal(members_of(cluster, lags).index, members_of(cluster, 3).index);
    cluster_expect(cluster, lags, "pear", "2");
    cluster_destroy(cluster);
}

static void test_address_changes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    struct replica_member member = {
        .id = 2, .uid = replica_uid(cluster_replica(cluster, 1)), .address = "elsewhere:9"};
    for (int i = 0; i < 2; i++) {
        struct replica_admin answer;
        assert_ok(admin_ask(cluster, 1, REPLICA_ADMIN_ADD, member, &answer));
        assert_true(replica__member_find(&answer.members, 2)->voter);
        assert_string_equal(replica__member_find(&answer.members, 2)->address, "elsewhere:9");
    }
    uint64_t index = members_of(cluster, 0).index;
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(members_of(cluster, 0).index, index); /* the second time changed nothing */
    struct replica_members members = members_of(cluster, 2);
    assert_string_equal(replica__member_find(&members, 2)->address, "elsewhere:9");
    cluster_destroy(cluster);
}

static void test_leadership_is_handed_over(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 4);
    node_join(cluster, 3, 0, false);
    cluster_run_us(cluster, SECOND_US);
    uint32_t leader = (uint32_t)cluster_leader(cluster), next = (leader + 1) % 3;
    assert_ok(admin_ask(cluster, next, REPLICA_ADMIN_TRANSFER, only_id(next + 1), NULL));
    assert_int_equal(cluster_leader(cluster), next);
    assert_ok(admin_ask(cluster, next, REPLICA_ADMIN_TRANSFER, only_id(0), NULL));
    assert_int_not_equal(cluster_leader(cluster), next);
    assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_TRANSFER, only_id(4), NULL), ERR_INVALID);
    assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_TRANSFER, only_id(9), NULL), ERR_INVALID);
    cluster_destroy(cluster);
    cluster = cluster_growing(1, 1);
    assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_TRANSFER, only_id(0), NULL), ERR_INVALID);
    cluster_destroy(cluster);
}

/* Asked again by itself, of whoever leads then. */
static void test_leader_dies_during_a_request(void **state)
{
    (void)state;
    for (uint64_t us = 100; us < 3000; us += 400) {
        struct cluster *cluster = cluster_growing(5, 6);
        uint32_t leader = (uint32_t)cluster_leader(cluster), asked = other_than(cluster, leader);
        struct replica_member member = {
            .id = 6, .uid = node_uid(cluster, 5), .voter = true, .address = "there:1"};
        struct admin admin;
        admin_start(&admin, cluster, asked, REPLICA_ADMIN_ADD, member, PATIENCE_US);
        cluster_run_us(cluster, us);
        cluster_crash(cluster, leader, ENV_SIM_SURVIVE_NOTHING);
        assert_int_equal(admin_wait(&admin), OK);
        assert_int_equal(admin.request.members.count, 6);
        cluster_set_join(cluster, 5, &admin.request);
        assert_ok(cluster_start(cluster, 5, &test_error));
        voter_wait(cluster, 5, asked);
        cluster_destroy(cluster);
    }
}

static void test_changes_that_are_refused(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    struct replica_member member = {.id = 7, .voter = true};
    assert_int_equal(admin_ask(cluster, 0, REPLICA_ADMIN_ADD, member, NULL), ERR_INVALID);
    /* With one of three down, the other two must stay. */
    uint32_t down = (leader + 1) % 3, stays = (leader + 2) % 3;
    cluster_crash(cluster, down, ENV_SIM_SURVIVE_ALL);
    assert_int_equal(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(stays + 1), NULL),
                     ERR_NO_QUORUM);
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(down + 1), NULL));
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(stays + 1), NULL));
    assert_int_equal(admin_ask(cluster, leader, REPLICA_ADMIN_REMOVE, only_id(leader + 1), NULL),
                     ERR_INVALID);
    cluster_put(cluster, leader, "pear", "2");
    cluster_destroy(cluster);
}

/* A change was under way when the others went: that is not why the next one fails. */
static void test_leader_is_lost_during_a_change(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 4);
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    for (uint32_t node = 0; node < 3; node++)
        if (node != leader)
            cluster_crash(cluster, node, ENV_SIM_SURVIVE_ALL);
    struct replica_member member = {
        .id = 4, .uid = node_uid(cluster, 3), .voter = false, .address = "there:1"};
    struct admin first, second;
    admin_start(&first, cluster, leader, REPLICA_ADMIN_ADD, member, SECOND_US);
    admin_start(&second, cluster, leader, REPLICA_ADMIN_PROMOTE, only_id(4), 10 * SECOND_US);
    assert_int_equal(admin_wait(&second), ERR_TIMEOUT);
    assert_string_equal(second.request.error.message, "the cluster has no leader now");
    assert_string_equal(second.request.error.detail,
                        "The last one said: another change of the membership is under way.");
    assert_int_equal(first.status, ERR_TIMEOUT);
    cluster_destroy(cluster);
}

static void test_request_without_a_leader(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_growing(3, 3);
    uint32_t leader = (uint32_t)cluster_leader(cluster), left = (leader + 1) % 3;
    for (uint32_t node = 0; node < 3; node++)
        if (node != left)
            cluster_crash(cluster, node, ENV_SIM_SURVIVE_ALL);
    cluster_run_us(cluster, 2 * SECOND_US);
    struct admin admin;
    admin_start(&admin, cluster, left, REPLICA_ADMIN_LIST, only_id(0), SECOND_US);
    assert_int_equal(admin_wait(&admin), ERR_NO_QUORUM);
    admin_start(&admin, cluster, left, REPLICA_ADMIN_LIST, only_id(0), PATIENCE_US);
    replica_admin_cancel(cluster_replica(cluster, left), &admin.request);
    admin_start(&admin, cluster, left, REPLICA_ADMIN_LIST, only_id(0), PATIENCE_US);
    cluster_stop(cluster, left);
    assert_true(admin.done);
    assert_int_equal(admin.status, ERR_SHUTDOWN);
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uids_go_on_record),
        cmocka_unit_test(test_node_joins),
        cmocka_unit_test(test_learner_is_promoted_on_request),
        cmocka_unit_test(test_promotion_waits_for_the_log),
        cmocka_unit_test(test_follower_is_removed),
        cmocka_unit_test(test_leader_is_removed),
        cmocka_unit_test(test_removed_while_away),
        cmocka_unit_test(test_removed_id_comes_back),
        cmocka_unit_test(test_old_directory_while_the_new_one_is_awaited),
        cmocka_unit_test(test_lost_directory_is_refused),
        cmocka_unit_test(test_founder_is_waited_for),
        cmocka_unit_test(test_lagging_follower_and_a_new_node),
        cmocka_unit_test(test_lagging_follower_and_a_new_directory),
        cmocka_unit_test(test_address_changes),
        cmocka_unit_test(test_leadership_is_handed_over),
        cmocka_unit_test(test_leader_dies_during_a_request),
        cmocka_unit_test(test_changes_that_are_refused),
        cmocka_unit_test(test_leader_is_lost_during_a_change),
        cmocka_unit_test(test_request_without_a_leader),
    };
    return cmocka_run_group_tests_name("replica_members", tests, NULL, NULL);
}
