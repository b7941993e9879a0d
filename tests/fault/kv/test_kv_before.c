/* Both engines: a publish that meets a failure, and a store whose newest meta page is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "env_sim.h"
#include "kv/kv_int.h"

#define PATH "/data/store"

struct world {
    struct env_sim *sim;
    struct kv *kv;
    struct error error;
};

/* The engine is that of the program's argument. */
static struct kv_options options = {
    .growth_bytes = 64 << 10, .map_size_max = 64 << 20, .run_bytes = 16 << 10};

static void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.sim = env_sim_create(seed)};
    assert_int_equal(env_dir_create(env_sim_env(world->sim), "/data", NULL), OK);
}

static status_t open_kv(struct world *world)
{
    world->kv = NULL;
    return kv_open(env_sim_env(world->sim), PATH, &options, &world->kv, &world->error);
}

static void close_kv(struct world *world)
{
    kv_close(world->kv);
    world->kv = NULL;
}

static struct slice key_of(uint32_t key, uint8_t *bytes)
{
    put_u32_be(bytes, key * 2654435761u);
    return slice_make(bytes, 4);
}

static void flip(struct world *world, uint64_t bit)
{
    struct env_file *file;
    uint8_t byte;
    size_t got;
    assert_int_equal(env_file_open(env_sim_env(world->sim), PATH, 0, &file, NULL), OK);
    assert_int_equal(env_file_read(file, bit / 8, &byte, 1, &got, NULL), OK);
    byte ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(env_file_write(file, bit / 8, &byte, 1, NULL), OK);
    env_file_close(file);
}

/* A publish either shows what was changed or fails and does not. */
static void failing_publish(void **state)
{
    struct world world;
    struct kv_snapshot *snapshot;
    struct slice got;
    uint8_t name[4];
    static const uint8_t value[1000] = {7};
    uint64_t run_bytes = options.run_bytes;
    (void)state;
    options.run_bytes = 128 << 10; /* so that one memtable meets the run of another */
    for (int call = 0; call < ENV_SIM_CALL_COUNT; call++) {
        world_init(&world, 1);
        assert_int_equal(open_kv(&world), OK);
        for (uint32_t i = 0; i < 2000; i++) {
            put_u32_be(name, i * 2654435761u);
            assert_int_equal(
                kv_put(world.kv, slice_make(name, 4), slice_make(value, sizeof value), NULL), OK);
            if (i % 200 != 199)
                continue;
            env_sim_fail_after(world.sim, (enum env_sim_call)call, 0);
            status_t status = kv_publish(world.kv, &world.error);
            env_sim_fail_none(world.sim);
            assert_int_equal(kv_snapshot_open(world.kv, &snapshot, NULL), OK);
            assert_int_equal(kv_get(snapshot, slice_make(name, 4), &got, NULL),
                             status == OK ? OK : ERR_NOT_FOUND);
            kv_snapshot_close(snapshot);
            if (i == 399)
                assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), OK);
        }
        close_kv(&world);
        env_sim_destroy(world.sim);
    }
    options.run_bytes = run_bytes;
}

/* All keys get new values of the same sizes, and the file what is due of that. */
static void write_same(struct world *world, uint32_t keys, uint64_t version)
{
    uint8_t name[4], bytes[8];
    uint64_t given;
    put_u64_le(bytes, version);
    for (uint32_t key = 0; key < keys; key++)
        assert_int_equal(kv_put(world->kv, key_of(key, name), slice_make(bytes, 8), NULL), OK);
    assert_int_equal(kv_publish(world->kv, &world->error), OK);
    for (int i = 0; i < 50; i++)
        assert_int_equal(kv_compact(world->kv, UINT64_MAX, 1, &given, &world->error), OK);
}

/* The newest meta page is damaged, so the one before counts, whose pages have been written over
 * meanwhile, perhaps with as many entries of the same keys and sizes: what is read is of that
 * checkpoint, or damage. Returns how many keys were damage. */
static uint32_t read_checkpoint_before(struct world *world, uint32_t keys, uint64_t version)
{
    uint32_t damaged = 0;
    uint8_t name[4];
    struct slice got;
    if (open_kv(world) != OK)
        return keys;
    for (uint32_t key = 0; key < keys; key++) {
        status_t status = kv_get_latest(world->kv, key_of(key, name), &got, NULL);
        damaged += status == ERR_CORRUPT;
        if (status == OK)
            assert_int_equal(get_u64_le(got.data), version);
        else
            assert_true(status == ERR_CORRUPT || version == 0);
    }
    close_kv(world);
    return damaged;
}

static void older_checkpoint_is_never_mixed(void **state)
{
    enum { SAME_KEYS = 3000, ROUNDS = 30, MORE = 6 };
    struct world world;
    struct kv_stats stats;
    uint64_t damaged = 0;
    (void)state;
    world_init(&world, 1);
    for (uint64_t version = 1; version <= ROUNDS; version++) {
        assert_int_equal(open_kv(&world), OK);
        write_same(&world, SAME_KEYS, version);
        assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), OK);
        for (uint64_t more = 1; more <= MORE; more++)
            write_same(&world, SAME_KEYS, version + more);
        kv_stats(world.kv, &stats);
        close_kv(&world);
        uint64_t bit = (stats.checkpoint % 2 * stats.page_size + 24) * 8;
        flip(&world, bit);
        damaged += read_checkpoint_before(&world, SAME_KEYS, version - 1);
        flip(&world, bit);
    }
    assert_true(damaged > 0);
    env_sim_destroy(world.sim);
}

int main(int argc, char **argv)
{
    options.engine = argc > 1 ? kv_engine_from_name(argv[1]) : KV_ENGINE_BTREE;
    assert_true(options.engine != KV_ENGINE_ANY);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_publish),
        cmocka_unit_test(older_checkpoint_is_never_mixed),
    };
    log_configure(LOG_OFF, NULL, NULL); /* failures on purpose */
    return cmocka_run_group_tests_name("kv_before", tests, NULL, NULL);
}
