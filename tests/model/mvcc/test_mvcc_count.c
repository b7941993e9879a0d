/* Counting by notes against counting by a scan: in a tree deep enough for notes about branches,
 * while it changes, from old and from new views, over all and over ranges; and beside a writer, for
 * the thread sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "mvcc/mvcc.h"

enum { KEYS = 20000, SEEDS = 4, ROUNDS = 40, READERS = 2, VERSIONS = 60, KEY_SIZE = 5 };

static struct error error;

static void assert_ok_at(status_t status, int line)
{
    if (status != OK)
        fail_msg("line %d: %s: %s", line, status_name(status), error.message);
}

#define assert_ok(call) assert_ok_at(call, __LINE__)

static struct slice key_of(uint32_t key, uint8_t bytes[KEY_SIZE])
{
    bytes[0] = 't';
    put_u32_be(bytes + 1, key);
    return slice_make(bytes, KEY_SIZE);
}

static uint64_t count_by_notes(const struct mvcc_view *view, struct slice low, struct slice high)
{
    struct mvcc_count count;
    assert_true(mvcc_count_begin(&count, view, low, high));
    while (!count.at_end)
        assert_ok(mvcc_count_step(&count, &error));
    return count.keys;
}

static uint64_t count_by_scan(const struct mvcc_view *view, struct slice low, struct slice high)
{
    enum { SOME = 512 };
    struct kv_entry entries[SOME];
    struct arena keys = {0};
    struct mvcc_scan scan;
    uint64_t count = 0;
    uint32_t some;
    assert_ok(mvcc_scan_begin(&scan, view, low, high, false, &error));
    scan.is_keyless = (view->version & 1) != 0;
    do {
        arena_reset(&keys);
        assert_ok(mvcc_scan_next_many(&scan, entries, SOME, &some, &keys, &error));
        count += some;
    } while (some == SOME);
    arena_free(&keys);
    return count;
}

/* A version of its own: some keys anew, some gone; now and then one key many times, so that its
 * versions fill leaves. */
static void change(struct kv *kv, struct prng *prng, uint64_t *version)
{
    uint8_t bytes[KEY_SIZE];
    struct slice value = slice_from_string("a value of some bytes");
    uint32_t key = (uint32_t)prng_below(prng, KEYS);
    uint32_t changes = prng_chance(prng, 1, 4) ? 2000 : (uint32_t)prng_below(prng, 20);
    bool same = prng_chance(prng, 1, 5);
    bool spread = prng_chance(prng, 1, 3);
    ++*version;
    for (uint32_t i = 0; i < changes; i++) {
        if (spread && !same)
            key = (uint32_t)prng_below(prng, KEYS);
        *version += same;
        assert_ok(mvcc_write(kv, key_of(key, bytes), *version,
                             prng_chance(prng, 1, 3) ? NULL : &value, NULL, &error));
        key = same ? key : (key + 1) % KEYS;
    }
}

static void check(const struct mvcc_view *view, struct prng *prng)
{
    uint8_t low_bytes[KEY_SIZE], high_bytes[KEY_SIZE];
    struct slice none = {0};
    uint64_t all = count_by_scan(view, none, none);
    assert_int_equal(count_by_notes(view, none, none), all);
    assert_int_equal(count_by_notes(view, none, none), all);
    for (uint32_t i = 0; i < 4; i++) {
        struct slice low = key_of((uint32_t)prng_below(prng, KEYS), low_bytes);
        struct slice high = key_of((uint32_t)prng_below(prng, KEYS), high_bytes);
        assert_int_equal(count_by_notes(view, low, high), count_by_scan(view, low, high));
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct env_sim *machine = env_sim_create(seed);
        struct prng prng;
        struct kv *kv;
        uint64_t version = 1;
        prng_seed(&prng, seed);
        assert_ok(env_dir_create(env_sim_env(machine), "/data", &error));
        assert_ok(kv_open(env_sim_env(machine), "/data/store", NULL, &kv, &error));
        uint8_t bytes[KEY_SIZE];
        struct slice value = slice_from_string("a value of some bytes");
        for (uint32_t key = 0; key < KEYS; key++)
            assert_ok(mvcc_write(kv, key_of(key, bytes), version, &value, NULL, &error));
        for (uint32_t round = 0; round < ROUNDS; round++) {
            struct mvcc_view view = {0};
            change(kv, &prng, &version);
            assert_ok(kv_publish(kv, &error));
            assert_ok(kv_snapshot_open(kv, &view.snapshot, &error));
            view.version = prng_chance(&prng, 1, 3) ? 1 + prng_below(&prng, version) : version;
            check(&view, &prng);
            change(kv, &prng, &version);
            check(&view, &prng);
            kv_snapshot_close(view.snapshot);
        }
        kv_close(kv);
        env_sim_destroy(machine);
    }
}

/* ---- beside a writer ----------------------------------------------------------------------------
 *
 * Each published state has one key more than the one before. */

struct beside {
    struct kv *kv;
    _Atomic bool done;
    _Atomic bool broken;
    _Atomic uint64_t counts;
};

static void count_on(void *argument)
{
    struct beside *beside = argument;
    uint64_t before = 0;
    while (!atomic_load(&beside->done)) {
        struct mvcc_view view = {.version = UINT64_MAX - 1};
        struct mvcc_count count;
        struct slice none = {0};
        bool good = kv_snapshot_open(beside->kv, &view.snapshot, NULL) == OK;
        uint64_t keys[2] = {0};
        for (int i = 0; i < 2 && good; i++) {
            good = mvcc_count_begin(&count, &view, none, none);
            while (good && !count.at_end)
                good = mvcc_count_step(&count, NULL) == OK;
            keys[i] = count.keys;
        }
        if (!good || keys[0] < before || keys[0] != keys[1])
            atomic_store(&beside->broken, true);
        before = keys[0];
        if (view.snapshot)
            kv_snapshot_close(view.snapshot);
        atomic_fetch_add(&beside->counts, 1);
    }
}

static void test_beside_a_writer(void **state)
{
    (void)state;
    char dir[] = "/tmp/toydb-test-mvcc-count-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/store", dir);
    struct beside beside = {0};
    struct slice value = slice_from_string("a value of some bytes");
    uint8_t bytes[KEY_SIZE];
    assert_ok(kv_open(env_real(), path, NULL, &beside.kv, &error));
    for (uint32_t key = 0; key < KEYS; key++)
        assert_ok(mvcc_write(beside.kv, key_of(2 * key, bytes), 1, &value, NULL, &error));
    assert_ok(kv_publish(beside.kv, &error));
    struct env_thread *readers[READERS];
    for (int i = 0; i < READERS; i++)
        readers[i] = env_thread_start("counts", count_on, &beside);
    for (uint64_t version = 2; version < VERSIONS || atomic_load(&beside.counts) < VERSIONS;
         version++) {
        uint32_t key = (uint32_t)(version * 7919 % KEYS) * 2;
        assert_ok(mvcc_write(beside.kv, key_of(key, bytes), version, &value, NULL, &error));
        assert_ok(mvcc_write(beside.kv, key_of((uint32_t)version * 2 + 1, bytes), version, &value,
                             NULL, &error));
        assert_ok(kv_publish(beside.kv, &error));
        if (version % 64 == 0)
            assert_ok(kv_checkpoint(beside.kv, (struct slice){0}, &error));
    }
    atomic_store(&beside.done, true);
    for (int i = 0; i < READERS; i++)
        env_thread_join(readers[i]);
    assert_false(atomic_load(&beside.broken));
    kv_close(beside.kv);
    assert_ok(env_file_remove(env_real(), path, &error));
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
                                       cmocka_unit_test(test_beside_a_writer)};
    return cmocka_run_group_tests_name("mvcc_count", tests, NULL, NULL);
}
