/* Where tree and log meet: checkpoints, what the log forgets behind them, and what is found at open
 * (replica_checkpoint.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/msgpack.h"
#include "replica_client.h"

enum { SEGMENT = 16 << 10 };

static struct cluster *cluster_with_log(uint32_t nodes, uint64_t keep, uint64_t keep_max)
{
    struct cluster_config config = cluster_plain(nodes);
    config.checkpoint_us = SECOND_US / 2;
    config.segment_size = SEGMENT;
    config.log_keep_bytes = keep;
    config.log_keep_max_bytes = keep_max;
    return cluster_create(&config);
}

/* Writes `count` entries of about 1 KiB. */
static void cluster_fill(struct cluster *cluster, uint32_t node, uint32_t count)
{
    char value[1025];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "fill%u", i % 10);
        cluster_put(cluster, node, key, value);
    }
}

/* ---- what is kept ------------------------------------------------------------------------------
 */

static void log_file_count(void *context, const char *name)
{
    *(uint32_t *)context += strncmp(name, "wal-", 4) == 0;
}

static uint32_t log_files(struct cluster *cluster, uint32_t node)
{
    uint32_t count = 0;
    struct env *env = env_sim_env(cluster_machine(cluster, node));
    assert_ok(env_dir_list(env, "/node/log", log_file_count, &count, &test_error));
    return count;
}

static void test_log_is_compacted(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(1, 2 * SEGMENT, 4 * SEGMENT);
    cluster_fill(cluster, 0, 20);
    cluster_run_us(cluster, 2 * SECOND_US);
    assert_int_equal(cluster_status(cluster, 0).first_index, 1); /* within the slack */
    cluster_fill(cluster, 0, 200);
    cluster_run_us(cluster, 2 * SECOND_US);
    struct replica_status status = cluster_status(cluster, 0);
    assert_true(status.last_index - status.first_index < 2 * SEGMENT / 1024);
    assert_true(status.last_index - status.first_index > 2 * SEGMENT / 1024 - 10);
    cluster_fill(cluster, 0, 200);
    cluster_run_us(cluster, 2 * SECOND_US);
    assert_true(log_files(cluster, 0) <= 4); /* of the slack, and the newest one */
    /* What is left is enough to begin again. */
    for (int survival = ENV_SIM_SURVIVE_NOTHING; survival <= ENV_SIM_SURVIVE_ALL; survival++) {
        cluster_crash(cluster, 0, (enum env_sim_survival)survival);
        assert_ok(cluster_start(cluster, 0, &test_error));
        cluster_put(cluster, 0, "apple", "1");
        cluster_expect(cluster, 0, "apple", "1");
        assert_true(cluster_status(cluster, 0).first_index >= status.first_index);
    }
    cluster_destroy(cluster);
}

static bool all_equal(void *context)
{
    struct cluster *cluster = context;
    for (uint32_t node = 1; node < 3; node++)
        if (!cluster_replica(cluster, node) ||
            cluster_status(cluster, node).applied_index != cluster_status(cluster, 0).applied_index)
            return false;
    return true;
}

/* For a member that is down the leader keeps more log, but not all. */
static void test_log_is_kept_for_a_member(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(3, SEGMENT, 16 * SEGMENT);
    uint32_t leader = cluster_leader_wait(cluster);
    uint32_t away = (leader + 1) % 3;
    uint32_t other = (leader + 2) % 3;
    cluster_fill(cluster, leader, 10);
    cluster_run_us(cluster, SECOND_US);
    cluster_stop(cluster, away);
    uint64_t needed = cluster_status(cluster, leader).last_index + 1;
    cluster_fill(cluster, leader, 100);
    cluster_run_us(cluster, 2 * SECOND_US);
    assert_true(cluster_status(cluster, leader).first_index <= needed);
    assert_true(cluster_status(cluster, other).first_index > needed); /* not knowing */
    assert_ok(cluster_start(cluster, away, &test_error));
    assert_true(cluster_run_until(cluster, PATIENCE_US, all_equal, cluster));
    /* All have it: the slack is enough from the next checkpoint on. */
    cluster_put(cluster, leader, "apple", "1");
    cluster_run_us(cluster, 2 * SECOND_US);
    assert_true(cluster_status(cluster, leader).first_index > needed);
    /* Too much for the one that is away. */
    cluster_stop(cluster, away);
    needed = cluster_status(cluster, leader).last_index + 1;
    cluster_fill(cluster, leader, 400);
    cluster_run_us(cluster, 2 * SECOND_US);
    struct replica_status status = cluster_status(cluster, leader);
    assert_true(status.first_index > needed);
    assert_true(status.last_index - status.first_index > 12 * SEGMENT / 1024);
    assert_true(status.last_index - status.first_index < 16 * SEGMENT / 1024);
    cluster_destroy(cluster);
}

/* A member that has been silent for long is not waited for. */
static void test_log_is_not_kept_for_one_long_gone(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(3, SEGMENT, 16 * SEGMENT);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_fill(cluster, leader, 5);
    cluster_run_us(cluster, SECOND_US);
    cluster_stop(cluster, (leader + 1) % 3);
    uint64_t needed = cluster_status(cluster, leader).last_index + 1;
    cluster_fill(cluster, leader, 100);
    cluster_run_us(cluster, 300 * (uint64_t)SECOND_US);
    assert_int_equal(cluster_leader(cluster), leader);
    assert_true(cluster_status(cluster, leader).first_index <= needed);
    cluster_run_us(cluster, 310 * (uint64_t)SECOND_US);
    cluster_put(cluster, leader, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(cluster_leader(cluster), leader);
    assert_true(cluster_status(cluster, leader).first_index > needed);
    cluster_destroy(cluster);
}

/* ---- tree and log at open ----------------------------------------------------------------------
 */

/* Gives the tree of a node that is down a checkpoint with this meta. */
static void meta_write(struct cluster *cluster, uint32_t node, const struct buffer *meta)
{
    struct kv *kv;
    struct env *env = env_sim_env(cluster_machine(cluster, node));
    assert_ok(kv_open(env, "/node/data.toydb", NULL, &kv, &test_error));
    assert_ok(kv_checkpoint(kv, buffer_slice(meta), &test_error));
    kv_close(kv);
}

static void test_meta_of_an_older_version(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(1, 0, 0);
    cluster_put(cluster, 0, "apple", "1");
    struct replica_status status = cluster_status(cluster, 0);
    cluster_stop(cluster, 0);
    struct buffer meta = {0};
    msgpack_put_array(&meta, 3);
    msgpack_put_uint(&meta, 1);
    msgpack_put_uint(&meta, status.applied_index);
    msgpack_put_uint(&meta, status.version);
    meta_write(cluster, 0, &meta);
    assert_ok(cluster_start(cluster, 0, &test_error));
    assert_int_equal(cluster_status(cluster, 0).applied_index, status.applied_index);
    assert_int_equal(cluster_replica(cluster, 0)->applied_term, status.term);
    cluster_expect(cluster, 0, "apple", "1");
    cluster_stop(cluster, 0);
    /* Neither an old one nor a new one. */
    buffer_reset(&meta);
    msgpack_put_array(&meta, 3);
    msgpack_put_uint(&meta, 2);
    msgpack_put_uint(&meta, status.applied_index);
    msgpack_put_uint(&meta, status.version);
    meta_write(cluster, 0, &meta);
    assert_int_equal(cluster_start(cluster, 0, &test_error), ERR_CORRUPT);
    buffer_free(&meta);
    cluster_destroy(cluster);
}

/* The power fails after a received tree took its place and before the log followed: at open the
 * tree wins. */
static void test_received_tree_wins(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(1, 0, 0);
    cluster_fill(cluster, 0, 20);
    struct replica_status status = cluster_status(cluster, 0);
    cluster_stop(cluster, 0);
    struct replica__meta tree = {.index = status.last_index + 1000,
                                 .version = status.version + 1000,
                                 .term = status.term + 7,
                                 .received = true};
    struct buffer meta = {0};
    assert_ok(replica__meta_encode(&tree, &meta));
    meta_write(cluster, 0, &meta);
    for (int times = 0; times < 2; times++) {
        assert_ok(cluster_start(cluster, 0, &test_error));
        struct replica_status now = cluster_status(cluster, 0);
        assert_true(now.first_index == tree.index + 1);
        assert_true(now.raft.term >= tree.term);
        cluster_put(cluster, 0, "apple", times ? "2" : "1");
        assert_true(cluster_status(cluster, 0).version > tree.version);
        cluster_crash(cluster, 0, ENV_SIM_SURVIVE_NOTHING);
    }
    assert_ok(cluster_start(cluster, 0, &test_error));
    cluster_expect(cluster, 0, "apple", "2");
    buffer_free(&meta);
    cluster_destroy(cluster);
}

/* The same when entries in the log were in conflict with the tree: never committed. */
static void test_received_tree_wins_a_conflict(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(3, 0, 0);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    cluster_run_us(cluster, SECOND_US);
    struct client lost[3];
    uint64_t before = cluster_status(cluster, leader).last_index;
    for (int i = 0; i < 3; i++) {
        lost[i] = client_on(cluster, leader, i == 0 ? "a" : i == 1 ? "b" : "c");
        client_begin(&lost[i]);
        client_write(&lost[i], i == 0 ? "a" : i == 1 ? "b" : "c", "1");
        client_request(&lost[i], "");
    }
    for (int i = 0; i < 3; i++)
        client_commit_start(&lost[i], leader, PATIENCE_US);
    cluster_run_us(cluster, 50);
    for (uint32_t node = 0; node < 3; node++)
        cluster_cut(cluster, leader, node, true);
    cluster_run_us(cluster, SECOND_US / 10);
    struct replica_status status = cluster_status(cluster, leader);
    assert_int_equal(status.last_index, before + 3);
    assert_int_equal(status.commit_index, before);
    for (int i = 0; i < 3; i++) {
        replica_commit_abandon(cluster_replica(cluster, leader), &lost[i].commit);
        buffer_free(&lost[i].commit.request);
    }
    cluster_stop(cluster, leader);
    struct replica__meta tree = {.index = before + 2,
                                 .version = status.version + 1000,
                                 .term = status.term + 7,
                                 .received = true};
    struct buffer meta = {0};
    assert_ok(replica__meta_encode(&tree, &meta));
    meta_write(cluster, leader, &meta);
    for (int times = 0; times < 2; times++) {
        assert_ok(cluster_start(cluster, leader, &test_error));
        status = cluster_status(cluster, leader);
        assert_int_equal(status.applied_index, tree.index);
        assert_int_equal(status.first_index, tree.index + 1);
        assert_int_equal(status.last_index, tree.index);
        cluster_crash(cluster, leader, ENV_SIM_SURVIVE_NOTHING);
    }
    buffer_free(&meta);
    cluster_destroy(cluster);
}

/* Without a received tree it is the log that was lost, and the promises in it. */
static void test_lost_log_is_refused(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(1, 0, 0);
    cluster_fill(cluster, 0, 5);
    struct replica_status status = cluster_status(cluster, 0);
    cluster_stop(cluster, 0);
    for (int conflict = 0; conflict < 2; conflict++) {
        struct replica__meta tree = {.index = conflict ? status.last_index - 3
                                                       : status.last_index + 1000,
                                     .version = status.version,
                                     .term = status.term + 7};
        struct buffer meta = {0};
        assert_ok(replica__meta_encode(&tree, &meta));
        meta_write(cluster, 0, &meta);
        assert_int_equal(cluster_start(cluster, 0, &test_error), ERR_CORRUPT);
        assert_non_null(strstr(test_error.message, "does not reach the checkpoint"));
        buffer_free(&meta);
    }
    cluster_destroy(cluster);
}

static void file_remove(void *context, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/node/log/%s", name);
    assert_ok(env_file_remove(context, path, &test_error));
}

/* A received tree may be ahead of its log, but there is a log: nobody takes a snapshot from a
 * leader whose term is not on disk. */
static void test_lost_log_of_a_received_tree(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_with_log(1, 0, 0);
    cluster_fill(cluster, 0, 5);
    struct replica_status status = cluster_status(cluster, 0);
    cluster_stop(cluster, 0);
    struct replica__meta tree = {.index = status.last_index + 1000,
                                 .version = status.version,
                                 .term = status.term,
                                 .received = true};
    struct buffer meta = {0};
    assert_ok(replica__meta_encode(&tree, &meta));
    meta_write(cluster, 0, &meta);
    buffer_free(&meta);
    struct env *env = env_sim_env(cluster_machine(cluster, 0));
    assert_ok(env_dir_list(env, "/node/log", file_remove, env, &test_error));
    for (int times = 0; times < 2; times++) {
        assert_int_equal(cluster_start(cluster, 0, &test_error), ERR_CORRUPT);
        assert_non_null(strstr(test_error.message, "does not reach the checkpoint"));
    }
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_is_compacted),
        cmocka_unit_test(test_log_is_kept_for_a_member),
        cmocka_unit_test(test_log_is_not_kept_for_one_long_gone),
        cmocka_unit_test(test_meta_of_an_older_version),
        cmocka_unit_test(test_received_tree_wins),
        cmocka_unit_test(test_received_tree_wins_a_conflict),
        cmocka_unit_test(test_lost_log_is_refused),
        cmocka_unit_test(test_lost_log_of_a_received_tree),
    };
    return cmocka_run_group_tests_name("replica_log", tests, NULL, NULL);
}
