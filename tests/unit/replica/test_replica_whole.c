/* Commits large and small on a disk that is full again and again, on a node that keeps no history:
 * whatever is half applied meanwhile, who looks sees each commit whole or not at all, before and
 * after the node was killed in that state.
 *
 * A commit is of one group. It gives all of its keys one stamp, or takes out all but the first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/prng.h"
#include "replica_client.h"

enum { BETWEEN = 3, BETWEEN_SIZE = 1000 };
enum { GROUPS = 6, CLIENTS = 5, ROUNDS = 60, VALUE_MAX = 1000, SEEDS = 3 };

struct world {
    struct cluster *cluster;
    struct prng prng;
    struct client clients[CLIENTS];
    bool busy[CLIENTS];
    struct txn holder; /* keeps pages from being used again */
    bool holding;
    uint32_t stamps;
    uint32_t blocked, crashes;
    char value[VALUE_MAX + 1];
};

/* Even groups are large, odd ones so small that they go with others in one burst. */
static uint32_t group_keys(uint32_t group)
{
    return group % 2 == 0 ? 200 : 6;
}

static const char *group_key(uint32_t group, uint32_t i, char key[32])
{
    (void)snprintf(key, 32, "g%u-%05u*", group, i);
    return key;
}

/* Every fourth has long values: they must not be written while the log has no room. */
static const char *stamp_value(struct world *world, uint32_t group, uint32_t stamp)
{
    uint32_t size = stamp * 37 % (group % 2 == 0 && stamp % 4 == 0 ? VALUE_MAX : 40);
    memset(world->value, 'x', sizeof world->value);
    int head = snprintf(world->value, sizeof world->value, "%08u", stamp);
    world->value[head] = 'x';
    world->value[size > 8 ? size : 9] = 0;
    return world->value;
}

/* Between the keys of large groups lies so much else that each of them has a leaf of its own. */
static void between_fill(struct world *world)
{
    struct client client = client_on(world->cluster, 0, "filler");
    char *value = mem_zalloc(BETWEEN_SIZE + 1, 1), key[32];
    memset(value, 'b', BETWEEN_SIZE);
    for (uint32_t group = 0; group < GROUPS; group += 2) {
        for (uint32_t i = 0; i < BETWEEN * group_keys(group); i++) {
            if (i % 50 == 0)
                client_begin(&client);
            (void)snprintf(key, sizeof key, "g%u-%05u+%u", group, i / BETWEEN, i % BETWEEN);
            client_write(&client, key, value);
            if (i % 50 == 49)
                assert_int_equal(client_commit(&client, ""), OK);
        }
    }
    buffer_free(&client.commit.request);
    mem_free(value);
}

static bool txn_open(struct world *world, struct txn *txn)
{
    return replica_txn_begin(cluster_replica(world->cluster, 0), txn, false, &test_error) == OK;
}

static void commit_start(struct world *world, uint32_t i, bool full)
{
    struct client *client = &world->clients[i];
    uint32_t group = (uint32_t)prng_below(&world->prng, GROUPS), stamp = ++world->stamps;
    char key[32];
    if (full && prng_chance(&world->prng, 1, 2))
        group -= group % 2; /* needs most pages */
    if (full && stamp % 4 == 0)
        stamp = ++world->stamps;
    if (!txn_open(world, &client->txn))
        return;
    for (uint32_t k = 0; k < group_keys(group); k++)
        client_write(client, group_key(group, k, key),
                     stamp % 2 && k > 0 ? NULL : stamp_value(world, group, stamp));
    client_request(client, "");
    client_commit_start(client, 0, PATIENCE_US);
    world->busy[i] = true;
}

static void group_check(struct world *world, struct txn *txn, uint32_t group)
{
    char key[32];
    struct slice value;
    uint32_t stamp = 0;
    for (uint32_t k = 0; k < group_keys(group); k++) {
        status_t status = txn_get(txn, text(group_key(group, k, key)), &value, &test_error);
        assert_true(status == OK || status == ERR_NOT_FOUND);
        if (k == 0 && status == OK)
            stamp = (uint32_t)strtoul((const char *)value.data, NULL, 10);
        bool there = stamp > 0 && (k == 0 || stamp % 2 == 0);
        assert_int_equal(status, there ? OK : ERR_NOT_FOUND);
        if (there)
            assert_true(slice_equal(value, text(stamp_value(world, group, stamp))));
    }
}

static void groups_check(struct world *world)
{
    struct txn txn;
    if (!txn_open(world, &txn))
        return;
    for (uint32_t group = 0; group < GROUPS; group++)
        group_check(world, &txn, group);
    txn_free(&txn);
}

static void holder_turn(struct world *world)
{
    if (world->holding)
        txn_free(&world->holder);
    world->holding = prng_chance(&world->prng, 3, 4) && txn_open(world, &world->holder);
}

static void crash(struct world *world)
{
    if (world->holding)
        txn_free(&world->holder);
    world->holding = false;
    cluster_crash(world->cluster, 0, ENV_SIM_SURVIVE_NOTHING);
    for (uint32_t i = 0; i < CLIENTS; i++)
        world->busy[i] = false;
    assert_ok(cluster_start(world->cluster, 0, &test_error));
    groups_check(world);
    world->crashes++;
}

/* No room on the disk, nor in free pages of the tree's file. */
static void disk_fill(struct world *world)
{
    struct env_sim *machine = cluster_machine(world->cluster, 0);
    struct replica *replica = cluster_replica(world->cluster, 0);
    uint64_t given = replica->apply_blocked ? 0 : 1;
    for (int i = 0; i < 20 && given > 0; i++)
        assert_ok(kv_compact(replica_kv(replica), 0, 1000, &given, &test_error));
    env_sim_set_capacity(machine,
                         env_sim_disk_used(machine) +
                             prng_below(&world->prng, 2) * prng_below(&world->prng, 200000));
}

static void round_run(struct world *world)
{
    holder_turn(world);
    bool full = prng_chance(&world->prng, 2, 3);
    if (full)
        disk_fill(world);
    for (uint32_t i = 0; i < CLIENTS; i++)
        if (!world->busy[i])
            commit_start(world, i, full);
    for (int i = 0; i < 4; i++) {
        cluster_run_us(world->cluster, prng_below(&world->prng, 30000));
        groups_check(world);
    }
    world->blocked += cluster_replica(world->cluster, 0)->apply_blocked;
    if (prng_chance(&world->prng, 1, 6))
        crash(world);
    groups_check(world);
    env_sim_set_capacity(cluster_machine(world->cluster, 0), 0);
    assert_false(cluster_node_failed(world->cluster, 0));
    if (prng_chance(&world->prng, 1, 2))
        cluster_run_us(world->cluster, SECOND_US);
    groups_check(world);
    for (uint32_t i = 0; i < CLIENTS; i++)
        world->busy[i] = world->busy[i] && !world->clients[i].done;
}

static uint32_t run(uint64_t seed)
{
    struct world *world = mem_zalloc(1, sizeof *world);
    struct cluster_config config = cluster_plain(1);
    static const char *const origins[CLIENTS] = {"c0", "c1", "c2", "c3", "c4"};
    prng_seed(&world->prng, seed);
    config.seed = seed;
    config.kv_growth_bytes = 16 << 10;
    config.checkpoint_bytes = 100000;
    world->cluster = cluster_create(&config);
    cluster_put(world->cluster, 0, "apple", "1");
    between_fill(world);
    for (uint32_t i = 0; i < CLIENTS; i++)
        world->clients[i] = client_on(world->cluster, 0, origins[i]);
    for (uint32_t i = 0; i < ROUNDS; i++)
        round_run(world);
    if (world->holding)
        txn_free(&world->holder);
    cluster_run_us(world->cluster, SECOND_US);
    uint32_t blocked = world->blocked;
    assert_true(world->crashes > 0);
    cluster_destroy(world->cluster);
    for (uint32_t i = 0; i < CLIENTS; i++)
        buffer_free(&world->clients[i].commit.request);
    mem_free(world);
    return blocked;
}

static void test_commits_stay_whole(void **state)
{
    (void)state;
    const char *seed = getenv("TOYDB_SEED");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    uint32_t blocked = 0;
    for (uint64_t i = 0; i < SEEDS; i++)
        blocked += run(first + i);
    assert_true(blocked > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commits_stay_whole)};
    log_configure(LOG_OFF, NULL, NULL);
    return cmocka_run_group_tests_name("replica_whole", tests, NULL, NULL);
}
