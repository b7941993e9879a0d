/* Snapshots between replicas: that they arrive whatever happens on the way, and that what goes on
 * meanwhile is neither lost nor wrong. */
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
#include "replica/replica_snapshot_int.h"

enum { VALUE = 60 << 10 };

/* A cluster whose logs keep next to nothing. */
static struct cluster_config small_log(uint64_t bytes_per_second)
{
    struct cluster_config config = cluster_plain(3);
    config.checkpoint_us = SECOND_US / 2;
    config.segment_size = 256 << 10;
    config.log_keep_bytes = config.log_keep_max_bytes = 1;
    config.snapshot_bytes_per_second = bytes_per_second;
    config.work_us_min = 1000;
    config.work_us_max = 5000;
    return config;
}

static void fill(struct cluster *cluster, uint32_t node, uint32_t from, uint32_t to)
{
    char *value = mem_alloc(VALUE + 1);
    memset(value, 'v', VALUE);
    value[VALUE] = '\0';
    for (uint32_t i = from; i < to; i++) {
        char key[16];
        snprintf(key, sizeof key, "key%04u", i);
        memcpy(value, key, strlen(key));
        cluster_put(cluster, node, key, value);
    }
    mem_free(value);
}

static void expect_filled(struct cluster *cluster, uint32_t node, uint32_t count)
{
    struct txn txn;
    assert_ok(replica_txn_begin(cluster_replica(cluster, node), &txn, true, &test_error));
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        struct slice value;
        snprintf(key, sizeof key, "key%04u", i);
        assert_ok(txn_get(&txn, text(key), &value, &test_error));
        assert_int_equal(value.size, VALUE);
        assert_memory_equal(value.data, key, strlen(key));
    }
    txn_free(&txn);
    assert_ok(kv_check(replica_kv(cluster_replica(cluster, node)), NULL, NULL, &test_error));
}

/* ---- a node that needs one ---------------------------------------------------------------------
 */

struct scene {
    struct cluster *cluster;
    uint32_t leader, away, other;
    uint32_t filled;
};

/* The two that are up forget what they have of the log in memory. */
static void caches_drop(struct scene *scene)
{
    uint32_t up[] = {scene->leader, scene->other};
    for (int i = 0; i < 2; i++) {
        cluster_stop(scene->cluster, up[i]);
        assert_ok(cluster_start(scene->cluster, up[i], &test_error));
    }
    scene->leader = cluster_leader_wait(scene->cluster);
    scene->other = 3 - scene->leader - scene->away;
}

/* Three nodes of which one is down, almost empty, while the others have written `count` values and
 * dropped the log of them. */
static struct scene scene_of(const struct cluster_config *config, uint32_t count)
{
    struct scene scene = {.cluster = cluster_create(config), .filled = count};
    scene.leader = cluster_leader_wait(scene.cluster);
    scene.away = (scene.leader + 1) % 3;
    scene.other = (scene.leader + 2) % 3;
    cluster_put(scene.cluster, scene.leader, "apple", "old");
    cluster_run_us(scene.cluster, SECOND_US / 4);
    cluster_stop(scene.cluster, scene.away);
    fill(scene.cluster, scene.leader, 0, count);
    cluster_put(scene.cluster, scene.leader, "apple", "new");
    cluster_run_us(scene.cluster, 2 * SECOND_US);
    caches_drop(&scene);
    return scene;
}

static void away_start(struct scene *scene)
{
    assert_ok(cluster_start(scene->cluster, scene->away, &test_error));
    assert_true(cluster_status(scene->cluster, scene->away).last_index + 1 <
                cluster_status(scene->cluster, scene->leader).first_index);
}

static struct replica__receiver *receiver(const struct scene *scene)
{
    return cluster_replica(scene->cluster, scene->away)->receiver;
}

static bool caught_up(void *context)
{
    struct scene *scene = context;
    int leader = cluster_leader(scene->cluster);
    if (leader < 0 || !cluster_replica(scene->cluster, scene->away))
        return false;
    uint64_t applied = cluster_status(scene->cluster, (uint32_t)leader).applied_index;
    return cluster_status(scene->cluster, scene->away).applied_index == applied;
}

static bool received_some(void *context)
{
    return receiver(context)->chunks >= 4;
}

static bool is_ready(void *context)
{
    return receiver(context)->state == REPLICA__READY;
}

static bool is_swapping(void *context)
{
    return receiver(context)->state == REPLICA__SWAPPING;
}

static void wait_until(struct scene *scene, bool (*done)(void *context))
{
    assert_true(cluster_run_until(scene->cluster, 3 * PATIENCE_US, done, scene));
}

static uint64_t bytes_received(const struct scene *scene)
{
    return cluster_status(scene->cluster, scene->away).snapshot_bytes_received;
}

static bool is_idle(void *context)
{
    return receiver(context)->state == REPLICA__IDLE;
}

static void expect_caught_up(struct scene *scene)
{
    wait_until(scene, caught_up);
    wait_until(scene, is_idle);
    expect_filled(scene->cluster, scene->away, scene->filled);
    cluster_expect(scene->cluster, scene->away, "apple", "new");
    struct replica_status here = cluster_status(scene->cluster, scene->away);
    struct replica_status there =
        cluster_status(scene->cluster, (uint32_t)cluster_leader(scene->cluster));
    assert_int_equal(here.version, there.version);
    assert_true(here.has_cluster_id);
    assert_memory_equal(here.cluster_id, there.cluster_id, REPLICA_CLUSTER_ID_SIZE);
    /* It goes on from there, also after a crash. */
    cluster_put(scene->cluster, scene->away, "pear", "1");
    cluster_crash(scene->cluster, scene->away, ENV_SIM_SURVIVE_NOTHING);
    assert_ok(cluster_start(scene->cluster, scene->away, &test_error));
    wait_until(scene, caught_up);
    cluster_expect(scene->cluster, scene->away, "pear", "1");
    expect_filled(scene->cluster, scene->away, scene->filled);
}

/* ---- when all goes well ------------------------------------------------------------------------
 */

static void test_catches_up_while_writes_go_on(void **state)
{
    (void)state;
    struct cluster_config config = small_log(16 << 20);
    struct scene scene = scene_of(&config, 80);
    away_start(&scene);
    uint32_t before = scene.filled;
    wait_until(&scene, received_some);
    while (receiver(&scene)->state != REPLICA__IDLE && scene.filled < 400) {
        fill(scene.cluster, scene.leader, scene.filled, scene.filled + 1);
        scene.filled++;
    }
    assert_true(scene.filled > before + 5);
    struct replica_status status = cluster_status(scene.cluster, scene.away);
    assert_true(status.snapshot_bytes_received > before * VALUE);
    assert_true(status.snapshot_bytes_received < (before + 20) * VALUE);
    assert_int_equal(cluster_status(scene.cluster, scene.leader).snapshot_bytes_sent,
                     status.snapshot_bytes_received);
    expect_caught_up(&scene);
    assert_int_equal(cluster_status(scene.cluster, scene.leader).kv.snapshots_open, 0);
    cluster_destroy(scene.cluster);
}

static void test_rate_is_limited(void **state)
{
    (void)state;
    struct cluster_config config = small_log(1 << 20);
    struct scene scene = scene_of(&config, 80);
    away_start(&scene);
    wait_until(&scene, received_some);
    uint64_t begin_us = cluster_now_us(scene.cluster);
    uint64_t begin = bytes_received(&scene);
    wait_until(&scene, caught_up);
    double seconds = (double)(cluster_now_us(scene.cluster) - begin_us) / SECOND_US;
    double rate = (double)(bytes_received(&scene) - begin) / seconds;
    assert_true(rate < 1.1 * (1 << 20) && rate > 0.7 * (1 << 20));
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

/* Whoever reads on the node goes on reading what was there, and who waits for something newer gets
 * it from the tree that was swapped in. */
static void test_readers_during_the_swap(void **state)
{
    (void)state;
    struct cluster_config config = small_log(0);
    struct scene scene = scene_of(&config, 40);
    away_start(&scene);
    struct txn old;
    struct replica *replica = cluster_replica(scene.cluster, scene.away);
    struct client waits = client_on(scene.cluster, scene.away, "waits");
    wait_until(&scene, received_some);
    assert_ok(replica_txn_begin(replica, &old, true, &test_error));
    client_read_start(&waits, PATIENCE_US);
    wait_until(&scene, is_swapping);
    assert_false(waits.done);
    assert_int_equal(client_wait(&waits), OK);
    assert_int_equal(receiver(&scene)->state, REPLICA__IDLE);
    assert_non_null(replica->retired);
    for (int times = 0; times < 2; times++) {
        struct slice value;
        assert_ok(txn_get(&old, text("apple"), &value, &test_error));
        assert_true(slice_equal(value, text("old")));
        assert_int_equal(txn_get(&old, text("key0001"), &value, &test_error), ERR_NOT_FOUND);
        fill(scene.cluster, scene.leader, scene.filled, scene.filled + 10);
        scene.filled += 10;
        cluster_run_us(scene.cluster, SECOND_US);
    }
    assert_ok(replica_txn_begin(replica, &waits.txn, true, &test_error));
    client_expect(&waits, "apple", "new");
    txn_free(&waits.txn);
    /* The last one to leave the old tree lets go of it. */
    assert_non_null(replica->retired);
    txn_free(&old);
    cluster_run_us(scene.cluster, SECOND_US);
    assert_null(replica->retired);
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

static bool away_leads(void *context)
{
    struct scene *scene = context;
    return cluster_leader(scene->cluster) == (int)scene->away &&
           replica__may_judge(cluster_replica(scene->cluster, scene->away));
}

/* As leader, it judges rightly: outcomes came along, and what its certifier cannot know of is too
 * old. */
static void test_judges_after_the_swap(void **state)
{
    (void)state;
    struct cluster_config config = small_log(0);
    struct cluster *cluster = cluster_create(&config);
    struct scene scene = {.cluster = cluster, .leader = cluster_leader_wait(cluster)};
    scene.away = (scene.leader + 1) % 3;
    scene.other = (scene.leader + 2) % 3;
    cluster_put(cluster, scene.leader, "apple", "old");
    cluster_run_us(cluster, SECOND_US / 4);
    cluster_stop(cluster, scene.away);
    struct client done = client_on(cluster, scene.leader, "done");
    client_begin(&done);
    client_write(&done, "done", "1");
    assert_int_equal(client_commit(&done, "reply"), OK);
    struct client old = client_on(cluster, scene.leader, "old");
    client_begin(&old);
    client_expect(&old, "apple", "old");
    client_write(&old, "plum", "1");
    client_request(&old, "");
    /* An outcome made an hour ago is forgotten. */
    struct client early = client_on(cluster, scene.leader, "early");
    client_begin(&early);
    client_write(&early, "early", "1");
    for (uint32_t node = 0; node < 3; node++)
        cluster_set_skew_us(cluster, node, (int64_t)3600 * SECOND_US);
    assert_int_equal(client_commit(&early, ""), OK);
    cluster_put(cluster, scene.leader, "apple", "new");
    fill(cluster, scene.leader, 0, 20);
    scene.filled = 20;
    for (int i = 0; i < 300; i++)
        cluster_put(cluster, scene.leader, "plum", "2");
    cluster_run_us(cluster, 2 * SECOND_US);
    caches_drop(&scene);
    away_start(&scene);
    wait_until(&scene, caught_up);
    assert_true(bytes_received(&scene) > 20 * VALUE);
    struct replica *away = cluster_replica(cluster, scene.away);
    struct replica *leader = cluster_replica(cluster, scene.leader);
    assert_int_not_equal(leader->forgotten_version, 0);
    assert_int_equal(away->forgotten_version, leader->forgotten_version);
    assert_ok(raft_transfer(leader->raft, scene.away + 1));
    cluster_wake(cluster, scene.leader);
    wait_until(&scene, away_leads);
    client_commit_start(&old, scene.away, PATIENCE_US);
    assert_int_equal(client_wait(&old), ERR_TOO_OLD);
    early.commit.asked_before = true;
    client_commit_start(&early, scene.away, PATIENCE_US);
    assert_int_equal(client_wait(&early), OK);
    cluster_put(cluster, scene.away, "apple", "new");
    buffer_free(&done.commit.request);
    buffer_free(&old.commit.request);
    buffer_free(&early.commit.request);
    expect_caught_up(&scene);
    cluster_destroy(cluster);
}

/* An empty directory that joins: all it will ever know of the cluster comes with the snapshot. */
static void test_empty_node_joins(void **state)
{
    (void)state;
    struct cluster_config config = small_log(0);
    config.nodes = 4;
    config.founders = 3;
    config.log_cache_bytes = 1;
    struct scene scene = {.cluster = cluster_create(&config), .away = 3};
    scene.leader = cluster_leader_wait(scene.cluster);
    fill(scene.cluster, scene.leader, 0, 60);
    scene.filled = 60;
    cluster_put(scene.cluster, scene.leader, "apple", "new");
    cluster_run_us(scene.cluster, 2 * SECOND_US);
    node_join(scene.cluster, scene.away, scene.leader, true);
    voter_wait(scene.cluster, scene.away, scene.leader);
    assert_true(bytes_received(&scene) > 60 * VALUE);
    cluster_run_us(scene.cluster, SECOND_US);
    struct replica_members there = members_of(scene.cluster, scene.leader);
    struct replica_members here = members_of(scene.cluster, scene.away);
    assert_int_equal(here.index, there.index);
    assert_int_equal(here.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(here.items[i].uid, there.items[i].uid);
        assert_string_equal(here.items[i].address, there.items[i].address);
    }
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

/* ---- when it does not --------------------------------------------------------------------------
 */

/* A lost connection costs a piece or two, not the whole. */
static void test_lost_connection_resumes(void **state)
{
    (void)state;
    struct cluster_config config = small_log(4 << 20);
    struct scene scene = scene_of(&config, 300);
    away_start(&scene);
    for (uint64_t chunks = 3; chunks <= 9; chunks += 3) {
        while (receiver(&scene)->chunks < chunks)
            cluster_step(scene.cluster);
        assert_int_equal(receiver(&scene)->state, REPLICA__FETCHING);
        cluster_cut(scene.cluster, scene.leader, scene.away, true);
        cluster_cut(scene.cluster, scene.away, scene.leader, true);
        cluster_run_us(scene.cluster, SECOND_US / 4);
        uint64_t bytes = bytes_received(&scene);
        cluster_run_us(scene.cluster, SECOND_US / 4);
        assert_int_equal(bytes_received(&scene), bytes);
        cluster_heal(scene.cluster);
    }
    wait_until(&scene, caught_up);
    assert_true(bytes_received(&scene) < 305 * VALUE);
    assert_true(cluster_status(scene.cluster, scene.leader).snapshot_bytes_sent <
                305 * VALUE + 4 * (REPLICA_CHUNK_BYTES + VALUE));
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

/* A network that loses, doubles and delays. */
static void test_bad_network(void **state)
{
    (void)state;
    struct cluster_config config = small_log(0);
    struct scene scene = scene_of(&config, 60);
    away_start(&scene);
    wait_until(&scene, received_some);
    for (uint32_t from = 0; from < 3; from++)
        for (int i = 0; i < 20 && receiver(&scene)->state != REPLICA__IDLE; i++) {
            cluster_cut(scene.cluster, from, scene.away, i % 2 == 0);
            cluster_run_us(scene.cluster, 30000);
        }
    cluster_heal(scene.cluster);
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

static void test_leader_dies(void **state)
{
    (void)state;
    struct cluster_config config = small_log(4 << 20);
    struct scene scene = scene_of(&config, 60);
    away_start(&scene);
    wait_until(&scene, received_some);
    assert_int_equal(receiver(&scene)->from, scene.leader + 1);
    cluster_crash(scene.cluster, scene.leader, ENV_SIM_SURVIVE_NOTHING);
    wait_until(&scene, caught_up);
    assert_int_equal(cluster_leader(scene.cluster), scene.other);
    assert_int_equal(receiver(&scene)->from, scene.other + 1);
    assert_ok(cluster_start(scene.cluster, scene.leader, &test_error));
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

/* The leader lets go of its snapshot when nobody fetches it. */
static void test_silent_receiver(void **state)
{
    (void)state;
    struct cluster_config config = small_log(4 << 20);
    struct scene scene = scene_of(&config, 60);
    away_start(&scene);
    wait_until(&scene, received_some);
    cluster_crash(scene.cluster, scene.away, ENV_SIM_SURVIVE_RANDOM);
    cluster_run_us(scene.cluster, 30 * SECOND_US);
    assert_int_equal(cluster_status(scene.cluster, scene.leader).kv.snapshots_open, 1);
    cluster_run_us(scene.cluster, 35 * SECOND_US);
    assert_int_equal(cluster_status(scene.cluster, scene.leader).kv.snapshots_open, 0);
    away_start(&scene);
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

/* Power fails after each of the calls that change the disk, from the first offer to behind the
 * swap. */
static void test_power_cuts(void **state)
{
    (void)state;
    for (int survival = ENV_SIM_SURVIVE_NOTHING; survival <= ENV_SIM_SURVIVE_ALL; survival++) {
        bool done = false;
        for (uint32_t calls = 0; !done; calls++) {
            struct cluster_config config = small_log(0);
            struct scene scene = scene_of(&config, 12);
            away_start(&scene);
            struct env_sim *machine = cluster_machine(scene.cluster, scene.away);
            env_sim_power_off_after(machine, calls);
            while (!caught_up(&scene) && !env_sim_is_off(machine))
                cluster_step(scene.cluster);
            /* The log follows, and the next checkpoint. */
            for (int i = 0; i < 100 && !env_sim_is_off(machine); i++)
                cluster_run_us(scene.cluster, SECOND_US / 100);
            done = !env_sim_is_off(machine);
            assert_true(!done || calls >= 15);
            cluster_crash(scene.cluster, scene.away, (enum env_sim_survival)survival);
            assert_ok(cluster_start(scene.cluster, scene.away, &test_error));
            wait_until(&scene, caught_up);
            expect_filled(scene.cluster, scene.away, scene.filled);
            cluster_expect(scene.cluster, scene.away, "apple", "new");
            cluster_destroy(scene.cluster);
        }
    }
}

/* A checkpoint that is durable before the log has followed the new tree still says that the tree
 * was received: without a single entry applied, for taking out old versions is a change, too. */
static void test_checkpoint_before_the_log(void **state)
{
    (void)state;
    struct cluster_config config = small_log(0);
    struct scene scene = scene_of(&config, 12);
    struct replica *leader = cluster_replica(scene.cluster, scene.leader);
    struct slice old = text("older");
    for (uint64_t version = 1; version < 100; version++)
        assert_ok(mvcc_write(leader->kv, text("apple"), version, &old, NULL, &test_error));
    assert_ok(kv_publish(leader->kv, &test_error));
    away_start(&scene);
    wait_until(&scene, is_swapping);
    cluster_set_log_slow_us(scene.cluster, scene.away, 10 * SECOND_US);
    wait_until(&scene, is_idle);
    struct replica *away = cluster_replica(scene.cluster, scene.away);
    uint64_t checkpoint = cluster_status(scene.cluster, scene.away).kv.checkpoint;
    cluster_run_us(scene.cluster, 3 * SECOND_US);
    assert_true(away->received);
    assert_true(cluster_status(scene.cluster, scene.away).kv.checkpoint > checkpoint);
    env_sim_power_off(cluster_machine(scene.cluster, scene.away)); /* no part of the log's write */
    cluster_crash(scene.cluster, scene.away, ENV_SIM_SURVIVE_NOTHING);
    cluster_set_log_slow_us(scene.cluster, scene.away, 0);
    assert_ok(cluster_start(scene.cluster, scene.away, &test_error));
    assert_false(cluster_replica(scene.cluster, scene.away)->received);
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

static bool is_waiting_for_room(void *context)
{
    struct scene *scene = context;
    return receiver(scene)->state == REPLICA__IDLE && receiver(scene)->retry_us > 0;
}

static void test_full_disk(void **state)
{
    (void)state;
    for (uint32_t room = 0; room < 3; room++) {
        struct cluster_config config = small_log(0);
        struct scene scene = scene_of(&config, 60);
        away_start(&scene);
        struct env_sim *machine = cluster_machine(scene.cluster, scene.away);
        uint64_t used = env_sim_disk_used(machine);
        env_sim_set_capacity(machine, used + room * (1 << 20));
        wait_until(&scene, is_waiting_for_room);
        assert_false(cluster_node_failed(scene.cluster, scene.away));
        assert_true(env_sim_disk_used(machine) < used + (1 << 20));
        cluster_expect(scene.cluster, scene.leader, "apple", "new");
        env_sim_set_capacity(machine, 0);
        expect_caught_up(&scene);
        cluster_destroy(scene.cluster);
    }
}

/* ---- messages that are not what they should be -------------------------------------------------
 */

static void hand_in(struct scene *scene, uint32_t from, struct replica_message message)
{
    struct replica_status status = cluster_status(scene->cluster, scene->leader);
    message.from = from + 1;
    message.to = scene->away + 1;
    message.uid = replica_uid(cluster_replica(scene->cluster, from));
    memcpy(message.cluster_id, status.cluster_id, REPLICA_CLUSTER_ID_SIZE);
    replica_receive(cluster_replica(scene->cluster, scene->away), &message);
    cluster_wake(scene->cluster, scene->away);
}

static void test_damaged_chunks(void **state)
{
    (void)state;
    struct cluster_config config = small_log(2 << 20);
    struct scene scene = scene_of(&config, 60);
    away_start(&scene);
    wait_until(&scene, received_some);
    while (!receiver(&scene)->awaits)
        cluster_step(scene.cluster);
    struct replica__receiver *at = receiver(&scene);
    struct replica__chunk_place place = {.id = at->id, .number = at->number};
    struct buffer chunk = {0};
    uint64_t refused = cluster_status(scene.cluster, scene.away).messages_refused;
    uint64_t chunks = at->chunks;
    for (int i = 0; i < 8; i++) {
        buffer_reset(&chunk);
        replica__chunk_begin(&chunk);
        replica__chunk_put(&chunk, text(i == 0 ? "a" : "zz"), text("value"));   /* 0: not behind */
        replica__chunk_put(&chunk, text(i == 1 ? "zz" : "zzz"), text("value")); /* 1: twice */
        if (i == 2)
            buffer_append_byte(&chunk, 0xc1); /* no MessagePack */
        if (i == 3)
            place.number++; /* of another fetch */
        assert_ok(replica__chunk_end(&chunk, place, true));
        place.number = at->number;
        if (i == 4)
            chunk.data[chunk.size - 1] ^= 1; /* a bit has flipped */
        struct slice body = buffer_slice(&chunk);
        if (i == 5)
            body.size--;
        else if (i == 6)
            body.size = 4;
        else if (i == 7)
            body.size = 0;
        hand_in(&scene, scene.leader,
                (struct replica_message){.type = REPLICA_SNAPSHOT_CHUNK,
                                         .id = place.id,
                                         .version = place.number,
                                         .body = body});
        assert_int_equal(cluster_status(scene.cluster, scene.away).messages_refused, ++refused);
        assert_true(at->state == REPLICA__FETCHING && at->awaits && at->chunks == chunks);
    }
    /* Whole, but not what is waited for: of another snapshot, fetch, or node. */
    buffer_reset(&chunk);
    replica__chunk_begin(&chunk);
    assert_ok(replica__chunk_end(&chunk, place, true));
    for (uint32_t i = 0; i < 3; i++)
        hand_in(&scene, i == 0 ? scene.other : scene.leader,
                (struct replica_message){.type = REPLICA_SNAPSHOT_CHUNK,
                                         .id = place.id + (i == 1),
                                         .version = place.number - (i == 2),
                                         .body = buffer_slice(&chunk)});
    assert_true(at->state == REPLICA__FETCHING && at->awaits && at->chunks == chunks);
    buffer_free(&chunk);
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

static void test_bad_offers(void **state)
{
    (void)state;
    struct cluster_config config = small_log(0);
    struct cluster *cluster = cluster_create(&config);
    struct scene scene = {.cluster = cluster, .leader = cluster_leader_wait(cluster)};
    scene.away = (scene.leader + 1) % 3;
    scene.other = (scene.leader + 2) % 3;
    cluster_put(cluster, scene.leader, "apple", "new");
    cluster_run_us(cluster, SECOND_US);
    struct buffer body = {0};
    msgpack_put_array(&body, 2);
    msgpack_put_uint(&body, cluster_status(cluster, scene.leader).term);
    msgpack_put_uint(&body, 1000);
    struct replica_message offer = {.type = REPLICA_SNAPSHOT_OFFER,
                                    .id = 77,
                                    .index = cluster_status(cluster, scene.away).applied_index,
                                    .body = buffer_slice(&body)};
    hand_in(&scene, scene.leader, offer); /* not needed */
    offer.index += 1000;
    hand_in(&scene, scene.other, offer); /* it does not lead */
    assert_int_equal(receiver(&scene)->state, REPLICA__IDLE);
    uint64_t refused = cluster_status(cluster, scene.away).messages_refused;
    struct replica_message bad = offer;
    bad.body.size--;
    hand_in(&scene, scene.leader, bad);
    bad = offer;
    bad.index = 0;
    hand_in(&scene, scene.leader, bad);
    bad.index = UINT64_MAX;
    hand_in(&scene, scene.leader, bad);
    assert_int_equal(cluster_status(cluster, scene.away).messages_refused, refused + 3);
    assert_int_equal(receiver(&scene)->state, REPLICA__IDLE);
    /* Of a snapshot that the leader does not have: it says so. */
    hand_in(&scene, scene.leader, offer);
    assert_int_equal(receiver(&scene)->state, REPLICA__FETCHING);
    cluster_run_us(cluster, SECOND_US);
    assert_int_equal(receiver(&scene)->state, REPLICA__IDLE);
    expect_caught_up(&scene);
    buffer_free(&body);
    cluster_destroy(cluster);
}

/* ---- races -------------------------------------------------------------------------------------
 */

/* A snapshot that the test itself sends, whole, as the leader's at its applied index. */
static void snapshot_hand_in(struct scene *scene)
{
    struct replica *leader = cluster_replica(scene->cluster, scene->leader);
    struct buffer body = {0};
    msgpack_put_array(&body, 2);
    msgpack_put_uint(&body, leader->applied_term);
    msgpack_put_uint(&body, 1000);
    hand_in(scene, scene->leader,
            (struct replica_message){.type = REPLICA_SNAPSHOT_OFFER,
                                     .id = 77,
                                     .index = leader->applied_index,
                                     .version = leader->applied_version,
                                     .body = buffer_slice(&body)});
    assert_int_equal(receiver(scene)->state, REPLICA__FETCHING);
    struct replica__chunk_place place = {.id = 77, .number = receiver(scene)->number};
    struct kv_snapshot *snapshot;
    struct kv_cursor cursor;
    assert_ok(kv_snapshot_open(leader->kv, &snapshot, &test_error));
    kv_cursor_init(&cursor, snapshot);
    assert_ok(kv_cursor_first(&cursor, &test_error));
    buffer_reset(&body);
    replica__chunk_begin(&body);
    while (kv_cursor_valid(&cursor)) {
        struct slice value;
        assert_ok(kv_cursor_value(&cursor, &value, &test_error));
        replica__chunk_put(&body, kv_cursor_key(&cursor), value);
        assert_ok(kv_cursor_next(&cursor, &test_error));
    }
    kv_snapshot_close(snapshot);
    assert_ok(replica__chunk_end(&body, place, true));
    hand_in(scene, scene->leader,
            (struct replica_message){.type = REPLICA_SNAPSHOT_CHUNK,
                                     .id = 77,
                                     .version = place.number,
                                     .body = buffer_slice(&body)});
    assert_false(receiver(scene)->awaits);
    buffer_free(&body);
}

/* Entries come the ordinary way while a snapshot is being received. Whichever is first, nothing
 * acknowledged is lost and nothing is applied twice. */
static void test_snapshot_races_appends(void **state)
{
    (void)state;
    /* Time that the snapshot takes to be put into its tree. */
    const uint64_t delays_us[] = {10, 300, 600, 1000, 2000, 5000, 20000, 100000, 1000000};
    uint32_t taken = 0, skipped = 0;
    for (size_t i = 0; i < sizeof delays_us / sizeof *delays_us; i++) {
        struct cluster_config config = small_log(0);
        config.log_keep_bytes = config.log_keep_max_bytes = 0;
        config.work_us_min = config.work_us_max = delays_us[i];
        struct cluster *cluster = cluster_create(&config);
        struct scene scene = {.cluster = cluster, .leader = cluster_leader_wait(cluster)};
        scene.away = (scene.leader + 1) % 3;
        scene.other = (scene.leader + 2) % 3;
        cluster_put(cluster, scene.leader, "apple", "old");
        cluster_run_us(cluster, SECOND_US / 4);
        cluster_cut(cluster, scene.leader, scene.away, true);
        fill(cluster, scene.leader, 0, 3);
        cluster_put(cluster, scene.leader, "apple", "new");
        scene.filled = 3;
        assert_int_equal(cluster_replica(cluster, scene.away)->leader, scene.leader + 1);
        snapshot_hand_in(&scene);
        uint64_t index = cluster_status(cluster, scene.leader).applied_index;
        uint64_t first = cluster_status(cluster, scene.away).first_index;
        cluster_heal(cluster);
        fill(cluster, scene.leader, 3, 6);
        scene.filled = 6;
        wait_until(&scene, caught_up);
        cluster_run_us(cluster, 2 * SECOND_US);
        uint64_t now = cluster_status(cluster, scene.away).first_index;
        assert_true(now == first || now == index + 1);
        taken += now != first;
        skipped += now == first;
        expect_caught_up(&scene);
        cluster_destroy(cluster);
    }
    assert_true(taken > 0 && skipped > 0);
}

/* Two offers of two leaders: the newer one's counts. */
static void test_second_offer_replaces_the_first(void **state)
{
    (void)state;
    struct cluster_config config = small_log(4 << 20);
    struct scene scene = scene_of(&config, 60);
    away_start(&scene);
    wait_until(&scene, received_some);
    uint64_t id = receiver(&scene)->id;
    assert_ok(raft_transfer(cluster_replica(scene.cluster, scene.leader)->raft, scene.other + 1));
    cluster_wake(scene.cluster, scene.leader);
    wait_until(&scene, caught_up);
    assert_int_equal(cluster_leader(scene.cluster), scene.other);
    assert_int_not_equal(receiver(&scene)->id, id);
    assert_int_equal(cluster_status(scene.cluster, scene.leader).kv.snapshots_open, 0);
    expect_caught_up(&scene);
    cluster_destroy(scene.cluster);
}

static void test_closing_at_each_stage(void **state)
{
    (void)state;
    bool (*const stages[])(void *) = {received_some, is_ready, is_swapping, caught_up};
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        struct cluster_config config = small_log(8 << 20);
        struct scene scene = scene_of(&config, 60);
        away_start(&scene);
        /* Ready is mostly over at once: a checkpoint that runs keeps it. */
        while (!stages[i](&scene) && !caught_up(&scene))
            cluster_step(scene.cluster);
        cluster_stop(scene.cluster, scene.away);
        assert_ok(cluster_start(scene.cluster, scene.away, &test_error));
        expect_caught_up(&scene);
        cluster_stop(scene.cluster, scene.leader);
        assert_ok(cluster_start(scene.cluster, scene.leader, &test_error));
        cluster_destroy(scene.cluster);
    }
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_catches_up_while_writes_go_on),
        cmocka_unit_test(test_rate_is_limited),
        cmocka_unit_test(test_readers_during_the_swap),
        cmocka_unit_test(test_judges_after_the_swap),
        cmocka_unit_test(test_empty_node_joins),
        cmocka_unit_test(test_lost_connection_resumes),
        cmocka_unit_test(test_bad_network),
        cmocka_unit_test(test_leader_dies),
        cmocka_unit_test(test_silent_receiver),
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_checkpoint_before_the_log),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_damaged_chunks),
        cmocka_unit_test(test_bad_offers),
        cmocka_unit_test(test_snapshot_races_appends),
        cmocka_unit_test(test_second_offer_replaces_the_first),
        cmocka_unit_test(test_closing_at_each_stage),
    };
    return cmocka_run_group_tests_name("replica_snapshot", tests, NULL, NULL);
}
