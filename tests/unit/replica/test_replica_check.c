/* The consistency check, on nodes whose trees were altered behind their backs; and a cluster made
 * anew from one node that was left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin_client.h"
#include "base/log.h"
#include "base/mem.h"

enum { NODES = 5 };

static struct cluster *cluster_checked(uint32_t founders, uint64_t check_us)
{
    struct cluster_config config = cluster_plain(NODES);
    config.founders = founders;
    config.check_us = check_us;
    config.history_us = 1000 * SECOND_US; /* for every other node: the rest collects at once */
    config.work_us_min = 100;
    config.work_us_max = 300;
    struct cluster *cluster = cluster_create(&config);
    cluster_leader_wait(cluster);
    for (uint32_t i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%02u", i);
        cluster_put(cluster, i % founders, key, "value");
    }
    cluster_put(cluster, 0, "key03", "newer");
    cluster_run_us(cluster, SECOND_US);
    return cluster;
}

/* The node's tree now says something else, and nobody told the log. */
static void alter(struct cluster *cluster, uint32_t node, const char *key, const char *value)
{
    struct kv *kv = replica_kv(cluster_replica(cluster, node));
    struct replica_status status = cluster_status(cluster, node);
    struct slice bytes = text(value ? value : "");
    assert_ok(mvcc_write(kv, text(key), status.version, value ? &bytes : NULL, NULL, &test_error));
    assert_ok(kv_publish(kv, &test_error));
}

static struct replica_check check(struct cluster *cluster, uint32_t node)
{
    struct replica_admin answer;
    assert_ok(admin_ask(cluster, node, REPLICA_ADMIN_CHECK, (struct replica_member){0}, &answer));
    return answer.check;
}

static void test_equal_nodes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    node_join(cluster, 3, leader, false);
    cluster_run_us(cluster, SECOND_US);
    struct replica_check first = check(cluster, (leader + 1) % 3);
    assert_true(first.majority);
    assert_int_equal(first.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(first.nodes[i].answered);
        assert_false(first.nodes[i].differs);
        assert_memory_equal(first.nodes[i].hash, first.nodes[0].hash, REPLICA_HASH_SIZE);
    }
    assert_int_equal(first.nodes[3].id, 4);
    assert_false(first.nodes[3].voter);
    struct replica_check last;
    replica_check_last(cluster_replica(cluster, leader), &last);
    assert_int_equal(last.index, first.index);
    /* The same data, the same hash; other data, another one. */
    struct replica_check second = check(cluster, leader);
    assert_true(second.index > first.index);
    assert_memory_equal(second.nodes[0].hash, first.nodes[0].hash, REPLICA_HASH_SIZE);
    cluster_put(cluster, 0, "key04", "another");
    struct replica_check third = check(cluster, leader);
    assert_memory_not_equal(third.nodes[0].hash, first.nodes[0].hash, REPLICA_HASH_SIZE);
    cluster_destroy(cluster);
}

/* Old versions and tombstones go at different times on different nodes: that is no difference. */
static void test_collected_versions_do_not_count(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster), node = (leader + 1) % 3;
    struct kv *kv = replica_kv(cluster_replica(cluster, node));
    struct slice old = text("older");
    assert_ok(mvcc_write(kv, text("key05"), 1, &old, NULL, &test_error));
    assert_ok(mvcc_write(kv, text("never"), 1, NULL, NULL, &test_error));
    assert_ok(kv_publish(kv, &test_error));
    struct replica_check result = check(cluster, leader);
    assert_true(result.majority);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(result.nodes[i].differs || !result.nodes[i].answered);
    cluster_destroy(cluster);
}

/* Exactly the odd one is named, stops, and will not be started again. */
static void odd_one(uint32_t founders, bool leads, const char *value)
{
    struct cluster *cluster = cluster_checked(founders, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    uint32_t odd = leads ? leader : (leader + 1) % founders;
    alter(cluster, odd, "key07", value);
    struct replica_check result = check(cluster, (leader + 2) % founders);
    assert_true(result.majority);
    assert_int_equal(result.count, founders);
    for (uint32_t i = 0; i < founders; i++) {
        assert_true(result.nodes[i].answered);
        assert_int_equal(result.nodes[i].differs, result.nodes[i].id == odd + 1);
    }
    failure_wait(cluster, odd, "node ");
    assert_non_null(strstr(cluster_failure(cluster, odd)->message, "holds other data"));
    cluster_crash(cluster, odd, ENV_SIM_SURVIVE_NOTHING);
    cluster_put(cluster, (odd + 1) % founders, "key08", "on it goes");
    for (uint32_t node = 0; node < founders; node++)
        assert_false(cluster_node_failed(cluster, node));
    assert_int_equal(cluster_start(cluster, odd, &test_error), ERR_INVALID);
    assert_non_null(strstr(test_error.message, "in quarantine"));
    struct env *env = env_sim_env(cluster_machine(cluster, odd));
    assert_ok(env_file_remove(env, "/node/QUARANTINE", &test_error));
    assert_ok(cluster_start(cluster, odd, &test_error));
    cluster_destroy(cluster);
}

static void test_odd_follower(void **state)
{
    (void)state;
    odd_one(3, false, "odd");
    odd_one(5, false, NULL); /* a row that is gone */
}

static void test_odd_leader(void **state)
{
    (void)state;
    odd_one(3, true, "odd");
}

/* Whoever asks for a check at the odd one itself is answered before that stops. */
static void test_odd_one_is_asked(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct cluster *cluster = cluster_checked(3, UINT64_MAX);
        uint32_t odd = ((uint32_t)cluster_leader(cluster) + i) % 3;
        alter(cluster, odd, "key07", "odd");
        struct replica_check result = check(cluster, odd);
        assert_true(result.majority && result.nodes[odd].answered && result.nodes[odd].differs);
        failure_wait(cluster, odd, "node ");
        cluster_destroy(cluster);
    }
}

/* A row more, in a learner; and what the log alone decides counts, too. */
static void test_odd_learner_and_system_key(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster), odd = (leader + 1) % 3;
    node_join(cluster, 3, leader, false);
    cluster_run_us(cluster, SECOND_US);
    alter(cluster, 3, "more", "than there is");
    struct kv *kv = replica_kv(cluster_replica(cluster, odd));
    assert_ok(kv_put(kv,
                     text("\x02"
                          "origin"),
                     text("outcome"), &test_error));
    assert_ok(kv_publish(kv, &test_error));
    struct replica_check result = check(cluster, leader);
    assert_true(result.majority);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(result.nodes[i].differs,
                         result.nodes[i].id == 4 || result.nodes[i].id == odd + 1);
    failure_wait(cluster, 3, "node 4 holds other data");
    failure_wait(cluster, odd, "node ");
    cluster_destroy(cluster);
}

static void test_no_majority_names_nobody(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    alter(cluster, (leader + 1) % 3, "key07", "one");
    alter(cluster, (leader + 2) % 3, "key07", "two");
    struct replica_check result = check(cluster, leader);
    assert_false(result.majority);
    cluster_run_us(cluster, 10 * SECOND_US);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(result.nodes[i].answered);
        assert_false(result.nodes[i].differs);
        assert_false(cluster_node_failed(cluster, i));
    }
    cluster_destroy(cluster);
}

/* By itself, from time to time; a node that was away answers late and is judged all the same. */
static void test_in_the_background(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, 30 * (uint64_t)SECOND_US);
    uint32_t leader = (uint32_t)cluster_leader(cluster), odd = (leader + 1) % 3;
    alter(cluster, odd, "key07", "odd");
    struct replica_check last;
    replica_check_last(cluster_replica(cluster, leader), &last);
    assert_int_equal(last.index, 0);
    for (uint32_t node = 0; node < 3; node++)
        if (node != odd) {
            cluster_cut(cluster, node, odd, true);
            cluster_cut(cluster, odd, node, true);
        }
    cluster_run_us(cluster, 40 * (uint64_t)SECOND_US);
    leader = (uint32_t)cluster_leader(cluster);
    replica_check_last(cluster_replica(cluster, leader), &last);
    assert_true(last.index > 0 && last.majority);
    assert_false(cluster_node_failed(cluster, odd));
    cluster_heal(cluster);
    failure_wait(cluster, odd, "node ");
    replica_check_last(cluster_replica(cluster, leader), &last);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(last.nodes[i].differs, last.nodes[i].id == odd + 1);
    cluster_destroy(cluster);
}

/* It takes its time, in pieces; what is written meanwhile is not in it. */
static void test_hashing_is_slow_on_purpose(void **state)
{
    (void)state;
    struct cluster_config config = cluster_plain(3);
    config.check_us = UINT64_MAX;
    config.check_bytes_per_second = 1 << 20;
    config.work_us_min = 100;
    config.work_us_max = 300;
    struct cluster *cluster = cluster_create(&config);
    char *large = mem_zalloc(1, 300001);
    memset(large, 'x', 300000);
    for (uint32_t i = 0; i < 12; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%02u", i);
        cluster_put(cluster, 0, key, large);
    }
    mem_free(large);
    uint64_t before_us = cluster_now_us(cluster);
    struct admin admin;
    admin_start(&admin, cluster, 1, REPLICA_ADMIN_CHECK, (struct replica_member){0}, PATIENCE_US);
    for (uint32_t i = 0; i < 12; i++) {
        cluster_run_us(cluster, SECOND_US / 10);
        cluster_put(cluster, i % 3, "key05", "small");
        assert_false(admin.done);
    }
    assert_int_equal(admin_wait(&admin), OK);
    uint64_t took_us = cluster_now_us(cluster) - before_us;
    assert_true(took_us > 2 * SECOND_US && took_us < 8 * SECOND_US);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(admin.request.check.nodes[i].differs ||
                     !admin.request.check.nodes[i].answered);
    cluster_destroy(cluster);
}

static void test_leader_dies_during_a_check(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(5, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster), odd = (leader + 1) % 5;
    alter(cluster, odd, "key07", "odd");
    struct admin admin;
    admin_start(&admin, cluster, (leader + 2) % 5, REPLICA_ADMIN_CHECK, (struct replica_member){0},
                PATIENCE_US);
    cluster_run_us(cluster, 1500);
    cluster_crash(cluster, leader, ENV_SIM_SURVIVE_NOTHING);
    assert_int_equal(admin_wait(&admin), OK);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(admin.request.check.nodes[i].differs,
                         admin.request.check.nodes[i].id == odd + 1);
    failure_wait(cluster, odd, "node ");
    cluster_destroy(cluster);
}

/* The leader has judged, and leads no more before it has told: the odd one is found again. */
static void test_leader_goes_before_the_verdict(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster), odd = (leader + 1) % 3;
    alter(cluster, odd, "key07", "odd");
    struct admin admin;
    admin_start(&admin, cluster, leader, REPLICA_ADMIN_CHECK, (struct replica_member){0},
                PATIENCE_US);
    const struct replica_check *now = &cluster_replica(cluster, leader)->checks.now;
    while (now->index == 0 || cluster_status(cluster, odd).applied_index < now->index)
        cluster_step(cluster);
    cluster_cut(cluster, leader, odd, true); /* it is heard, and hears nothing */
    assert_int_equal(admin_wait(&admin), OK);
    assert_true(admin.request.check.nodes[odd].differs);
    struct replica_admin answer;
    assert_ok(admin_ask(cluster, leader, REPLICA_ADMIN_TRANSFER,
                        (struct replica_member){.id = (leader + 2) % 3 + 1}, &answer));
    assert_false(cluster_node_failed(cluster, odd));
    cluster_heal(cluster);
    failure_wait(cluster, odd, "node ");
    assert_non_null(strstr(cluster_failure(cluster, odd)->message, "holds other data"));
    cluster_destroy(cluster);
}

/* ---- recovery ---------------------------------------------------------------------------------
 */

static status_t recover(struct cluster *cluster, uint32_t node, uint64_t id)
{
    return replica_recover(env_sim_env(cluster_machine(cluster, node)), cluster_node_dir, id,
                           "survivor:1", &test_error);
}

/* Two of three are lost. The third goes on alone, with all it has; others join it; the old ones,
 * should they come back, are of another cluster. */
static void test_recovery(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t survivor = 1;
    uint8_t cluster_id[REPLICA_CLUSTER_ID_SIZE];
    memcpy(cluster_id, cluster_status(cluster, survivor).cluster_id, sizeof cluster_id);
    cluster_crash(cluster, 0, ENV_SIM_SURVIVE_ALL);
    cluster_crash(cluster, 2, ENV_SIM_SURVIVE_ALL);
    cluster_run_us(cluster, SECOND_US);
    cluster_crash(cluster, survivor, ENV_SIM_SURVIVE_NOTHING);
    assert_int_equal(recover(cluster, survivor, 3), ERR_INVALID);
    assert_int_equal(recover(cluster, 4, 5), ERR_INVALID);
    assert_ok(recover(cluster, survivor, survivor + 1));
    assert_ok(recover(cluster, survivor, survivor + 1)); /* again: nothing breaks */
    assert_ok(cluster_start(cluster, survivor, &test_error));
    cluster_put(cluster, survivor, "key99", "alone");
    cluster_expect(cluster, survivor, "key03", "newer");
    struct replica_members members = members_of(cluster, survivor);
    assert_int_equal(members.count, 1);
    assert_string_equal(members.items[0].address, "survivor:1");
    assert_memory_not_equal(cluster_status(cluster, survivor).cluster_id, cluster_id,
                            sizeof cluster_id);
    /* The two others have a majority of the old cluster, and go on with it; but apart. */
    assert_ok(cluster_start(cluster, 0, &test_error));
    assert_ok(cluster_start(cluster, 2, &test_error));
    cluster_run_us(cluster, 10 * SECOND_US);
    assert_false(cluster_node_failed(cluster, survivor));
    cluster_expect(cluster, survivor, "key99", "alone");
    cluster_crash(cluster, 0, ENV_SIM_SURVIVE_ALL);
    cluster_crash(cluster, 2, ENV_SIM_SURVIVE_ALL);
    for (uint32_t node = 3; node < 5; node++) {
        node_join(cluster, node, survivor, true);
        voter_wait(cluster, node, survivor);
    }
    cluster_put(cluster, 4, "key98", "three");
    cluster_expect(cluster, 3, "key99", "alone");
    cluster_expect(cluster, 3, "key03", "newer");
    struct replica_check result = check(cluster, 3);
    assert_true(result.majority);
    for (uint32_t i = 0; i < 3; i++)
        assert_false(result.nodes[i].differs || !result.nodes[i].answered);
    cluster_destroy(cluster);
}

/* Cut off anywhere, it can be done again; and the node never runs as a part of the old cluster
 * with a log that is not the old cluster's. */
static void test_recovery_is_interrupted(void **state)
{
    (void)state;
    bool ended = false;
    for (uint64_t writes = 0; !ended; writes++) {
        struct cluster *cluster = cluster_checked(3, UINT64_MAX);
        uint8_t old_id[REPLICA_CLUSTER_ID_SIZE];
        memcpy(old_id, cluster_status(cluster, 1).cluster_id, sizeof old_id);
        for (uint32_t node = 0; node < 3; node++)
            cluster_crash(cluster, node, ENV_SIM_SURVIVE_ALL);
        struct env_sim *machine = cluster_machine(cluster, 1);
        env_sim_set_survival(machine, writes % 2 ? ENV_SIM_SURVIVE_NOTHING : ENV_SIM_SURVIVE_ALL);
        env_sim_power_off_after(machine, writes);
        ended = recover(cluster, 1, 2) == OK;
        env_sim_power_off(machine);
        env_sim_power_on(machine);
        assert_ok(cluster_start(cluster, 1, &test_error));
        struct replica_members members = members_of(cluster, 1);
        bool same = memcmp(cluster_status(cluster, 1).cluster_id, old_id, sizeof old_id) == 0;
        assert_true(members.count == 3 || (members.count == 1 && !same));
        cluster_crash(cluster, 1, ENV_SIM_SURVIVE_ALL);
        assert_ok(recover(cluster, 1, 2));
        assert_ok(cluster_start(cluster, 1, &test_error));
        cluster_put(cluster, 1, "key99", "alone");
        cluster_expect(cluster, 1, "key03", "newer");
        cluster_destroy(cluster);
        assert_true(writes < 100);
    }
}

/* What the survivor had not heard to be committed is committed by the recovery. */
static void test_recovery_keeps_the_end_of_the_log(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_checked(3, UINT64_MAX);
    uint32_t leader = (uint32_t)cluster_leader(cluster);
    struct client client = client_on(cluster, leader, "late");
    assert_ok(replica_txn_begin(cluster_replica(cluster, leader), &client.txn, false, &test_error));
    client_write(&client, "key99", "unacknowledged");
    client_request(&client, "");
    client_commit_start(&client, leader, PATIENCE_US);
    for (uint32_t node = 0; node < 3; node++)
        if (node != leader)
            cluster_cut(cluster, leader, node, true);
    cluster_run_us(cluster, 20000);
    assert_false(client.done);
    replica_commit_abandon(cluster_replica(cluster, leader), &client.commit);
    cluster_crash(cluster, leader, ENV_SIM_SURVIVE_ALL);
    assert_ok(recover(cluster, leader, leader + 1));
    assert_ok(cluster_start(cluster, leader, &test_error));
    cluster_expect(cluster, leader, "key99", "unacknowledged");
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_nodes),
        cmocka_unit_test(test_collected_versions_do_not_count),
        cmocka_unit_test(test_odd_follower),
        cmocka_unit_test(test_odd_leader),
        cmocka_unit_test(test_odd_one_is_asked),
        cmocka_unit_test(test_odd_learner_and_system_key),
        cmocka_unit_test(test_no_majority_names_nobody),
        cmocka_unit_test(test_in_the_background),
        cmocka_unit_test(test_hashing_is_slow_on_purpose),
        cmocka_unit_test(test_leader_dies_during_a_check),
        cmocka_unit_test(test_leader_goes_before_the_verdict),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_recovery_is_interrupted),
        cmocka_unit_test(test_recovery_keeps_the_end_of_the_log),
    };
    return cmocka_run_group_tests_name("replica_check", tests, NULL, NULL);
}
