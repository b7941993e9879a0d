/* A file that has become much too long is made shorter, step by step, while snapshots are read and
 * the power goes at any moment. What the last checkpoint held is there after each cut, and the
 * whole file proves sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/prng.h"
#include "env_sim.h"
#include "kv/kv.h"

#define PATH "/data/store"

enum { KEYS = 3000, KEEP_EACH = 40, KEEP_BYTES = 100 << 10 };

struct world {
    struct env_sim *sim;
    struct kv *kv;
    uint8_t value[9000];
    struct error error;
};

static void open_kv(struct world *world)
{
    static const struct kv_options options = {.growth_bytes = 64 << 10, .map_size_max = 64 << 20};
    assert_int_equal(kv_open(env_sim_env(world->sim), PATH, &options, &world->kv, &world->error),
                     OK);
}

static struct slice key_of(uint32_t key, uint8_t *bytes)
{
    memcpy(bytes, "a table: ", 9);
    put_u32_be(bytes + 9, key * 2654435761u);
    return slice_make(bytes, 13);
}

/* Each hundredth is a long one. */
static struct slice value_of(struct world *world, uint32_t key)
{
    size_t size = key % (KEEP_EACH * 2) == 0 ? 5000 + key : 200 + key % 50;
    memset(world->value, (int)(key & 0xff), size);
    return slice_make(world->value, size);
}

static void commit(struct world *world)
{
    assert_int_equal(kv_publish(world->kv, &world->error), OK);
    assert_int_equal(kv_checkpoint(world->kv, slice_make("", 0), &world->error), OK);
}

/* Many keys in, few left, spread over the whole file. */
static void fill(struct world *world)
{
    uint8_t name[13];
    for (uint32_t key = 0; key < KEYS; key++)
        assert_int_equal(kv_put(world->kv, key_of(key, name), value_of(world, key), NULL), OK);
    commit(world);
    for (uint32_t key = 0; key < KEYS; key++)
        if (key % KEEP_EACH != 0)
            assert_int_equal(kv_delete(world->kv, key_of(key, name), NULL, NULL), OK);
    commit(world);
}

static void check(struct world *world)
{
    uint8_t name[13];
    struct kv_stats stats;
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries, (KEYS + KEEP_EACH - 1) / KEEP_EACH);
    for (uint32_t key = 0; key < KEYS; key += KEEP_EACH) {
        struct slice got;
        assert_int_equal(kv_get_latest(world->kv, key_of(key, name), &got, &world->error), OK);
        assert_true(slice_equal(got, value_of(world, key)));
    }
    assert_int_equal(kv_check(world->kv, NULL, NULL, &world->error), OK);
}

static uint64_t file_bytes(struct world *world)
{
    struct kv_stats stats;
    kv_stats(world->kv, &stats);
    return stats.file_bytes;
}

/* Compacts, now and then with a publish or a checkpoint, `steps` times. */
static void compact(struct world *world, struct prng *prng, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        uint64_t given;
        assert_int_equal(kv_compact(world->kv, KEEP_BYTES, 1, &given, &world->error), OK);
        if (prng_chance(prng, 1, 2))
            assert_int_equal(kv_publish(world->kv, &world->error), OK);
        if (prng_chance(prng, 1, 4))
            commit(world);
    }
}

static void power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 25; seed++) {
        struct world world = {.sim = env_sim_create(seed)};
        struct prng prng;
        prng_seed(&prng, seed);
        assert_int_equal(env_dir_create(env_sim_env(world.sim), "/data", NULL), OK);
        open_kv(&world);
        fill(&world);
        uint64_t full = file_bytes(&world);
        for (int cuts = 0; cuts < 4; cuts++) {
            compact(&world, &prng, (uint32_t)prng_below(&prng, 12));
            env_sim_power_off(world.sim);
            kv_close(world.kv);
            env_sim_power_on(world.sim);
            open_kv(&world);
            check(&world);
        }
        compact(&world, &prng, 40);
        commit(&world);
        commit(&world);
        compact(&world, &prng, 4);
        assert_true(file_bytes(&world) < full / 2);
        check(&world);
        uint64_t size;
        struct env_file *file;
        assert_int_equal(env_file_open(env_sim_env(world.sim), PATH, 0, &file, NULL), OK);
        assert_int_equal(env_file_size(file, &size, NULL), OK);
        assert_int_equal(size, file_bytes(&world));
        env_file_close(file);
        fill(&world); /* it grows again as it must */
        check(&world);
        kv_close(world.kv);
        env_sim_destroy(world.sim);
    }
}

/* A snapshot of before keeps its pages where they are: the file is cut when it is closed. */
static void a_snapshot_holds_the_end(void **state)
{
    struct world world = {.sim = env_sim_create(1)};
    struct kv_snapshot *snapshot;
    struct prng prng;
    uint8_t name[13];
    (void)state;
    prng_seed(&prng, 1);
    assert_int_equal(env_dir_create(env_sim_env(world.sim), "/data", NULL), OK);
    open_kv(&world);
    for (uint32_t key = 0; key < KEYS; key++)
        assert_int_equal(kv_put(world.kv, key_of(key, name), value_of(&world, key), NULL), OK);
    commit(&world);
    assert_int_equal(kv_snapshot_open(world.kv, &snapshot, NULL), OK);
    uint64_t full = file_bytes(&world);
    fill(&world);
    compact(&world, &prng, 60);
    assert_true(file_bytes(&world) >= full);
    for (uint32_t key = 0; key < KEYS; key++) {
        struct slice got;
        assert_int_equal(kv_get(snapshot, key_of(key, name), &got, NULL), OK);
        assert_true(slice_equal(got, value_of(&world, key)));
    }
    kv_snapshot_close(snapshot);
    compact(&world, &prng, 60);
    commit(&world);
    commit(&world);
    compact(&world, &prng, 4);
    assert_true(file_bytes(&world) < full / 2);
    check(&world);
    kv_close(world.kv);
    env_sim_destroy(world.sim);
}

/* Truncating fails, or the machine refuses any other call: nothing is lost, and the next try may
 * do it. */
static void failing_calls(void **state)
{
    (void)state;
    uint32_t refused = 0;
    for (uint64_t nth = 0; nth < 10; nth++) {
        struct world world = {.sim = env_sim_create(nth + 1)};
        struct prng prng;
        uint64_t given;
        prng_seed(&prng, nth);
        assert_int_equal(env_dir_create(env_sim_env(world.sim), "/data", NULL), OK);
        open_kv(&world);
        fill(&world);
        uint64_t full = file_bytes(&world);
        env_sim_fail_after(world.sim, ENV_SIM_TRUNCATE, nth % 2);
        for (int i = 0; i < 80; i++) {
            refused += kv_compact(world.kv, KEEP_BYTES, 1, &given, NULL) != OK;
            commit(&world);
        }
        assert_true(file_bytes(&world) < full / 2);
        check(&world);
        kv_close(world.kv);
        env_sim_destroy(world.sim);
    }
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cuts),
        cmocka_unit_test(a_snapshot_holds_the_end),
        cmocka_unit_test(failing_calls),
    };
    log_configure(LOG_OFF, NULL, NULL);
    return cmocka_run_group_tests_name("kv_shrink", tests, NULL, NULL);
}
