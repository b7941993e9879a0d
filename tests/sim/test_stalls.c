/* Log writes that now and then take 440 ms, as was measured on a disk with nothing else to do,
 * longer than the shortest election timeout here: no election follows from that alone, and commits
 * go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cluster.h"

enum { SECOND_US = 1000000, RUN_US = 30 * SECOND_US, STALL_US = 440000 };

/* Commits one value after the other on one node. */
struct writer {
    struct cluster *cluster;
    uint32_t node;
    char origin[8];
    uint64_t sequence, committed;
    struct replica_commit commit;
};

static void write_next(void *context);

static void on_commit(struct replica_commit *commit, status_t status)
{
    struct writer *writer = commit->context;
    assert_int_equal(status, OK);
    writer->committed++;
    cluster_after(writer->cluster, 10000, write_next, writer);
}

static void write_next(void *context)
{
    struct writer *writer = context;
    struct replica *replica = cluster_replica(writer->cluster, writer->node);
    struct txn txn;
    struct error error;
    assert_int_equal(replica_txn_begin(replica, &txn, false, &error), OK);
    char key[24];
    snprintf(key, sizeof key, "%s/%u", writer->origin, (unsigned)(writer->sequence % 50));
    struct slice value = slice_from_string("value");
    assert_int_equal(txn_write(&txn, slice_from_string(key), &value), OK);
    struct txn_id id = {.origin = slice_from_string(writer->origin),
                        .sequence = ++writer->sequence};
    buffer_reset(&writer->commit.request);
    assert_int_equal(txn_request_encode(&txn, id, (struct slice){0}, &writer->commit.request), OK);
    txn_free(&txn);
    uint64_t now_us = env_monotonic_us(env_sim_env(cluster_machine(writer->cluster, writer->node)));
    writer->commit.done = on_commit;
    writer->commit.context = writer;
    writer->commit.deadline_us = now_us + 60 * (uint64_t)SECOND_US;
    writer->commit.quorum_deadline_us = writer->commit.deadline_us;
    replica_commit_begin(replica, &writer->commit);
    cluster_wake(writer->cluster, writer->node);
}

static bool has_leader(void *context)
{
    return cluster_leader(context) >= 0;
}

static uint64_t term_of(struct cluster *cluster)
{
    struct replica_status status;
    replica_status(cluster_replica(cluster, (uint32_t)cluster_leader(cluster)), &status);
    return status.term;
}

/* stall_permille: of all log writes on all nodes. slow: every write of that node, -1: none. */
static void run_with(uint32_t nodes, uint32_t stall_permille, int slow, uint64_t commits_min)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct cluster_config config = {.seed = seed,
                                        .nodes = nodes,
                                        .delay_us_min = 100,
                                        .delay_us_max = 1000,
                                        .log_us_min = 100,
                                        .log_us_max = 2000,
                                        .checkpoint_us_min = 1000,
                                        .checkpoint_us_max = 50000,
                                        .stall_us = STALL_US};
        struct cluster *cluster = cluster_create(&config);
        assert_true(cluster_run_until(cluster, 10 * SECOND_US, has_leader, cluster));
        cluster_run_us(cluster, SECOND_US);
        uint64_t term = term_of(cluster);
        cluster_set_log_stalls(cluster, stall_permille);
        if (slow >= 0)
            cluster_set_log_slow_us(cluster, (uint32_t)(cluster_leader(cluster) + slow) % nodes,
                                    STALL_US);
        struct writer *writers = mem_zalloc(nodes, sizeof *writers);
        for (uint32_t i = 0; i < nodes; i++) {
            writers[i] = (struct writer){.cluster = cluster, .node = i};
            snprintf(writers[i].origin, sizeof writers[i].origin, "w%u", i);
            write_next(&writers[i]);
        }
        cluster_run_us(cluster, RUN_US);
        assert_true(cluster_leader(cluster) >= 0);
        assert_int_equal(term_of(cluster), term);
        for (uint32_t i = 0; i < nodes; i++) {
            if (writers[i].committed < commits_min)
                fail_msg("seed %u: writer %u committed only %u", (unsigned)seed, i,
                         (unsigned)writers[i].committed);
            replica_commit_abandon(cluster_replica(cluster, i), &writers[i].commit);
            buffer_free(&writers[i].commit.request);
        }
        mem_free(writers);
        cluster_destroy(cluster);
    }
}

static void test_stalls_everywhere(void **state)
{
    (void)state;
    run_with(3, 100, -1, 50);
    run_with(5, 100, -1, 50);
}

static void test_leader_always_slow(void **state)
{
    (void)state;
    run_with(5, 0, 0, 30);
}

static void test_follower_always_slow(void **state)
{
    (void)state;
    run_with(5, 0, 1, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stalls_everywhere),
        cmocka_unit_test(test_leader_always_slow),
        cmocka_unit_test(test_follower_always_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
