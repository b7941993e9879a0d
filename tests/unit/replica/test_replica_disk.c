/* What a replica does with its disk: when that fails or is full, checkpoints, what is forgotten. */
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

/* ---- disks ------------------------------------------------------------------------------------
 */

static bool all_have_id(void *context)
{
    for (uint32_t node = 0; node < 3; node++)
        if (!cluster_status(context, node).has_cluster_id)
            return false;
    return true;
}

/* The cluster's identity is known when it is written down, not before. */
static void test_identity_on_a_full_disk(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    struct env_sim *machine = cluster_machine(cluster, 1);
    for (uint64_t after = 0; after < 400 && !cluster_status(cluster, 1).has_cluster_id; after++) {
        env_sim_set_capacity(machine, env_sim_disk_used(machine));
        cluster_run_us(cluster, 5000);
    }
    assert_false(cluster_status(cluster, 1).has_cluster_id);
    assert_false(cluster_node_failed(cluster, 1));
    env_sim_set_capacity(machine, 0);
    assert_true(cluster_run_until(cluster, PATIENCE_US, all_have_id, cluster));
    cluster_put(cluster, 1, "apple", "1");
    cluster_stop(cluster, 1);
    assert_ok(cluster_start(cluster, 1, &test_error));
    assert_true(cluster_status(cluster, 1).has_cluster_id);
    assert_memory_equal(cluster_status(cluster, 1).cluster_id,
                        cluster_status(cluster, 0).cluster_id, REPLICA_CLUSTER_ID_SIZE);
    cluster_destroy(cluster);
}

/* Flips a bit in each place of the node's tree where the text stands; the number of places. */
static uint32_t spoil(struct cluster *cluster, uint32_t node, const char *path, const char *what)
{
    struct env_sim *machine = cluster_machine(cluster, node);
    struct env_file *file;
    uint64_t size;
    size_t got, length = strlen(what);
    uint32_t places = 0;
    assert_ok(env_file_open(env_sim_env(machine), path, 0, &file, &test_error));
    assert_ok(env_file_size(file, &size, &test_error));
    char *bytes = mem_alloc(size);
    assert_ok(env_file_read(file, 0, bytes, size, &got, &test_error));
    env_file_close(file);
    for (uint64_t at = 0; at + length <= size; at++) {
        if (memcmp(bytes + at, what, length) != 0)
            continue;
        env_sim_flip_bit(machine, path, at, 3);
        places++;
    }
    mem_free(bytes);
    return places;
}

static bool damage_known(void *context)
{
    return cluster_status(context, 1).pages_damaged > 0;
}

/* Bits that nobody has asked for are missed all the same; the node goes on. */
static void test_damage_is_found_by_scrubbing(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    char key[16];
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "key%03u", i);
        cluster_put(cluster, 0, key,
                    i == 99 ? "rarely asked for" : "often asked for, and of a certain length");
    }
    cluster_run_us(cluster, SECOND_US);
    for (int round = 0; round < 2; round++) {
        cluster_stop(cluster, 1);
        if (round == 1)
            assert_true(spoil(cluster, 1, "/node/data.toydb", "rarely") > 0);
        assert_ok(cluster_start(cluster, 1, &test_error));
        assert_int_equal(cluster_run_until(cluster, 5 * SECOND_US, damage_known, cluster), round);
    }
    assert_false(cluster_node_failed(cluster, 1));
    cluster_destroy(cluster);
}

static void test_failed_sync_stops_the_node(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    env_sim_fail_after(cluster_machine(cluster, leader), ENV_SIM_SYNC, 0);
    struct client client = client_on(cluster, (leader + 1) % 3, "one");
    client_begin(&client);
    client_write(&client, "apple", "2");
    /* The others go on without it. */
    assert_int_equal(client_commit(&client, ""), OK);
    assert_true(cluster_node_failed(cluster, leader));
    cluster_crash(cluster, leader, ENV_SIM_SURVIVE_NOTHING);
    assert_ok(cluster_start(cluster, leader, &test_error));
    cluster_expect(cluster, leader, "apple", "2");
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

/* A log without room waits for it, and then goes on. */
static void test_full_disk_passes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(1);
    cluster_put(cluster, 0, "apple", "1");
    struct env_sim *machine = cluster_machine(cluster, 0);
    env_sim_set_capacity(machine, env_sim_disk_used(machine));
    struct client client = client_on(cluster, 0, "one");
    client_begin(&client);
    char *large = mem_zalloc(400001, 1);
    memset(large, 'x', 400000);
    client_write(&client, "apple", large);
    client_request(&client, "");
    client_commit_start(&client, 0, PATIENCE_US);
    cluster_run_us(cluster, SECOND_US);
    assert_false(client.done);
    assert_false(cluster_node_failed(cluster, 0));
    env_sim_set_capacity(machine, 0);
    assert_int_equal(client_wait(&client), OK);
    cluster_expect(cluster, 0, "apple", large);
    mem_free(large);
    buffer_free(&client.commit.request);
    cluster_destroy(cluster);
}

/* ---- half an effect ---------------------------------------------------------------------------
 */

enum { SPREAD = 1600, SPREAD_A_COMMIT = 100, SPREAD_A_LEAF = 4 };

static void spread_key(uint32_t i, char key[16])
{
    (void)snprintf(key, 16, "key%05u", i);
}

static void spread_load(struct client *client, const char *value)
{
    char key[16];
    for (uint32_t i = 0; i < SPREAD; i++) {
        if (i % SPREAD_A_COMMIT == 0)
            client_begin(client);
        spread_key(i, key);
        client_write(client, key, value);
        if ((i + 1) % SPREAD_A_COMMIT == 0)
            assert_int_equal(client_commit(client, ""), OK);
    }
}

/* Something in each leaf: short values, and keys that go. */
static void spread_change(struct client *client)
{
    char key[16];
    client_begin(client);
    for (uint32_t i = 0; i < SPREAD; i += SPREAD_A_LEAF) {
        spread_key(i, key);
        client_write(client, key, i % (2 * SPREAD_A_LEAF) == 0 ? NULL : "short");
    }
    client_request(client, "");
}

static void spread_expect(struct cluster *cluster, const char *value, bool changed)
{
    struct client client = client_on(cluster, 0, "reader");
    char key[16];
    assert_ok(replica_txn_begin(cluster_replica(cluster, 0), &client.txn, true, &test_error));
    for (uint32_t i = 0; i < SPREAD; i++) {
        const char *other = i % (2 * SPREAD_A_LEAF) == 0 ? NULL : "short";
        spread_key(i, key);
        client_expect(&client, key, changed && i % SPREAD_A_LEAF == 0 ? other : value);
    }
    client_expect(&client, "pear", "1");
    txn_free(&client.txn);
}

/* The disk becomes full while an effect takes the place of what was there, right behind another:
 * that one is seen, of this one nothing before it is whole. */
static void test_half_an_effect_is_not_seen(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(1);
    struct env_sim *machine = cluster_machine(cluster, 0);
    struct client writer = client_on(cluster, 0, "one"), other = client_on(cluster, 0, "two");
    struct client holder = client_on(cluster, 0, "three");
    char *value = mem_zalloc(901, 1);
    memset(value, 'x', 900);
    spread_load(&writer, value);
    client_begin(&holder); /* keeps the pages */
    spread_change(&writer);
    client_begin(&other);
    client_write(&other, "pear", "1");
    client_request(&other, "");
    env_sim_set_capacity(machine, env_sim_disk_used(machine));
    client_commit_start(&other, 0, PATIENCE_US);
    client_commit_start(&writer, 0, PATIENCE_US);
    cluster_run_us(cluster, SECOND_US);
    assert_true(cluster_replica(cluster, 0)->apply_blocked);
    assert_true(other.done && !writer.done);
    spread_expect(cluster, value, false);
    cluster_run_us(cluster, SECOND_US);
    spread_expect(cluster, value, false);
    env_sim_set_capacity(machine, 0);
    assert_int_equal(client_wait(&writer), OK);
    spread_expect(cluster, value, true);
    txn_free(&holder.txn);
    mem_free(value);
    buffer_free(&writer.commit.request);
    buffer_free(&other.commit.request);
    cluster_destroy(cluster);
}

/* Each node has `room` bytes above what it uses, or all it wants (0). */
static void room_set(struct cluster *cluster, uint32_t node, uint64_t room)
{
    struct env_sim *machine = cluster_machine(cluster, node);
    env_sim_set_capacity(machine, room == 0 ? 0 : env_sim_disk_used(machine) + room);
}

static status_t put_try(struct cluster *cluster, uint32_t node, const char *value)
{
    struct client client = client_on(cluster, node, value);
    client_begin(&client);
    client_write(&client, "apple", value);
    status_t status = client_commit(&client, "");
    buffer_free(&client.commit.request);
    return status;
}

/* Whoever has room leads; only when nobody has, commits are refused. */
static void test_full_leader_gives_way(void **state)
{
    (void)state;
    struct cluster_config config = cluster_plain(3);
    config.disk_reserve_bytes = 1 << 20;
    struct cluster *cluster = cluster_create(&config);
    uint32_t first = cluster_leader_wait(cluster);
    for (uint32_t full = 1; full < 3; full++) {
        uint32_t leader = cluster_leader_wait(cluster);
        room_set(cluster, leader, 1 << 19);
        assert_int_equal(put_try(cluster, first, full == 1 ? "one" : "two"), OK);
        assert_int_not_equal(cluster_leader_wait(cluster), leader);
    }
    uint32_t last = cluster_leader_wait(cluster);
    room_set(cluster, last, 1 << 19);
    assert_int_equal(put_try(cluster, first, "three"), ERR_DISK_FULL);
    assert_int_equal(put_try(cluster, first, "four"), ERR_DISK_FULL);
    room_set(cluster, first, 0);
    cluster_run_us(cluster, 5 * SECOND_US); /* the leader tries again then */
    assert_int_equal(put_try(cluster, first, "five"), OK);
    cluster_expect(cluster, first, "apple", "five");
    cluster_destroy(cluster);
}

/* A disk that hangs under the leader: the others are a majority, and nobody waits for it. */
static void test_leaders_disk_hangs(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(3);
    uint32_t leader = cluster_leader_wait(cluster);
    cluster_put(cluster, leader, "apple", "1");
    cluster_set_log_slow_us(cluster, leader, 60 * SECOND_US);
    for (uint32_t i = 0; i < 20; i++) {
        char value[8];
        snprintf(value, sizeof value, "v%u", i);
        uint64_t begin_us = cluster_now_us(cluster);
        assert_int_equal(put_try(cluster, i % 3, value), OK);
        assert_in_range(cluster_now_us(cluster) - begin_us, 0, SECOND_US / 10);
        cluster_run_us(cluster, SECOND_US);
    }
    assert_int_equal(cluster_leader_wait(cluster), leader);
    cluster_destroy(cluster);
}

static void test_checkpoints(void **state)
{
    (void)state;
    struct cluster_config config = cluster_plain(1);
    config.checkpoint_us = SECOND_US;
    struct cluster *cluster = cluster_create(&config);
    cluster_put(cluster, 0, "apple", "1");
    cluster_run_us(cluster, SECOND_US / 10); /* what a first leader has to say is in the log */
    uint64_t applied = cluster_status(cluster, 0).applied_index;
    assert_true(cluster_status(cluster, 0).checkpoint_index < applied);
    cluster_run_us(cluster, 2 * SECOND_US);
    assert_int_equal(cluster_status(cluster, 0).checkpoint_index, applied);
    uint64_t number = cluster_status(cluster, 0).kv.checkpoint;
    cluster_run_us(cluster, 5 * SECOND_US);
    assert_int_equal(cluster_status(cluster, 0).kv.checkpoint, number); /* nothing to do */
    cluster_crash(cluster, 0, ENV_SIM_SURVIVE_NOTHING);
    assert_ok(cluster_start(cluster, 0, &test_error));
    assert_int_equal(cluster_status(cluster, 0).checkpoint_index, applied);
    cluster_expect(cluster, 0, "apple", "1");
    cluster_destroy(cluster);
}

/* ---- outcomes of long ago -----------------------------------------------------------------------
 */

/* Once its outcome may be forgotten a request is not judged again: it could commit a second time.
 */
static void test_forgotten_outcomes(void **state)
{
    (void)state;
    struct cluster *cluster = cluster_of(1);
    struct client client = client_on(cluster, 0, "a");
    client_begin(&client);
    client_write(&client, "apple", "1");
    assert_int_equal(client_commit(&client, ""), OK);
    struct client idle = client_on(cluster, 0, "b");
    client_begin(&idle);
    client_write(&idle, "pear", "1");
    /* An hour without commits makes nothing too old. */
    cluster_set_skew_us(cluster, 0, (int64_t)3600 * SECOND_US);
    cluster_put(cluster, 0, "apple", "2");
    assert_int_equal(client_commit(&idle, ""), OK);
    for (int i = 0; i < 600; i++)
        cluster_put(cluster, 0, "plum", "1");
    struct txn_outcome outcome;
    assert_int_equal(
        txn_outcome_get(replica_kv(cluster_replica(cluster, 0)), text("a"), &outcome, &test_error),
        ERR_NOT_FOUND);
    for (int time = 0; time < 2; time++) {
        client.commit.asked_before = time == 1;
        client_commit_start(&client, 0, PATIENCE_US);
        assert_int_equal(client_wait(&client), time == 1 ? ERR_OUTCOME_UNKNOWN : ERR_TOO_OLD);
        cluster_expect(cluster, 0, "apple", "2");
        /* A new life remembers how much is forgotten. */
        cluster_stop(cluster, 0);
        assert_ok(cluster_start(cluster, 0, &test_error));
        cluster_leader_wait(cluster);
    }
    buffer_free(&client.commit.request);
    buffer_free(&idle.commit.request);
    cluster_destroy(cluster);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity_on_a_full_disk),
        cmocka_unit_test(test_damage_is_found_by_scrubbing),
        cmocka_unit_test(test_failed_sync_stops_the_node),
        cmocka_unit_test(test_full_disk_passes),
        cmocka_unit_test(test_half_an_effect_is_not_seen),
        cmocka_unit_test(test_full_leader_gives_way),
        cmocka_unit_test(test_leaders_disk_hangs),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_forgotten_outcomes),
    };
    return cmocka_run_group_tests_name("replica_disk", tests, NULL, NULL);
}
