/* How full the pages of the B+-tree are, and what prefixes do to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "kv/kv_int.h"

struct world {
    struct env_sim *sim;
    struct kv *kv;
    struct prng prng;
    struct error error;
};

static int set_up(void **state)
{
    static const struct kv_options options = {.engine = KV_ENGINE_BTREE, .map_size_max = 256 << 20};
    struct world *world = mem_zalloc(1, sizeof *world);
    world->sim = env_sim_create(1);
    prng_seed(&world->prng, 1);
    *state = world;
    return env_dir_create(env_sim_env(world->sim), "/data", NULL) == OK &&
                   kv_open(env_sim_env(world->sim), "/data/store", &options, &world->kv, NULL) == OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    kv_close(world->kv);
    env_sim_destroy(world->sim);
    mem_free(world);
    return 0;
}

static void check(struct world *world)
{
    assert_int_equal(kv_publish(world->kv, &world->error), OK);
    assert_int_equal(kv_check(world->kv, NULL, NULL, &world->error), OK);
}

/* ---- how full ------------------------------------------------------------------------------- */

struct fill {
    uint64_t pages, used, least; /* bytes */
};

/* Of all nodes but the root and the last of each level, which ascending keys leave as they come. */
static void measure(struct kv *kv, uint32_t id, bool last, struct fill *fill)
{
    const struct kv__page *page = kv__page_at(kv, id);
    if (!last) {
        uint32_t used = kv__page_used(kv, page);
        fill->pages++;
        fill->used += used;
        if (used < fill->least)
            fill->least = used;
    }
    for (uint32_t i = 0; page->level != 0 && i < page->count; i++)
        measure(kv, kv__page_child(page, i), last && i + 1u == page->count, fill);
}

/* At least so many hundredths on average, and in the worst page. */
static void expect_fill(struct world *world, uint64_t average, uint64_t least)
{
    struct fill fill = {.least = UINT64_MAX};
    uint64_t capacity = kv__page_capacity(world->kv);
    measure(world->kv, world->kv->root, true, &fill);
    assert_true(fill.pages > 20);
    assert_in_range(fill.used * 100 / (fill.pages * capacity), average, 100);
    assert_in_range(fill.least * 100 / capacity, least, 100);
}

static struct slice key_of(uint32_t number, uint8_t *bytes)
{
    uint32_t size = 13 + (number * 40503u >> 8) % 20;
    memset(bytes, 0x42, size);
    put_u32_be(bytes + 9, number * 2654435761u);
    return slice_make(bytes, size);
}

static void delete_share(struct world *world, uint32_t keys, uint32_t from, uint32_t to)
{
    uint8_t name[64];
    for (uint32_t i = 0; i < keys; i++) {
        uint32_t number = i * 7919u % keys;
        if (number % 100 >= from && number % 100 < to)
            assert_int_equal(kv_delete(world->kv, key_of(number, name), NULL, &world->error), OK);
    }
    check(world);
}

static void deleting_leaves_no_empty_pages(void **state)
{
    enum { KEYS = 40000 };
    struct world *world = *state;
    static uint8_t value[900];
    uint8_t name[64];
    for (uint32_t i = 0; i < KEYS; i++) {
        uint64_t size = prng_chance(&world->prng, 1, 10) ? prng_below(&world->prng, sizeof value)
                                                         : prng_below(&world->prng, 120);
        assert_int_equal(kv_put(world->kv, key_of(i, name), slice_make(value, size), &world->error),
                         OK);
    }
    check(world);
    expect_fill(world, 60, 25);
    for (uint32_t gone = 0; gone < 95; gone += 19) {
        delete_share(world, KEYS, gone, gone + 19);
        expect_fill(world, 40, 22);
    }
}

/* Pages thin out whose neighbours are full: these must give them of their entries. */
static void full_neighbours_share(void **state)
{
    enum { KEYS = 20000 };
    struct world *world = *state;
    static uint8_t value[100];
    uint8_t name[4];
    for (uint32_t i = 0; i < KEYS; i++) {
        put_u32_be(name, i);
        assert_int_equal(
            kv_put(world->kv, slice_make(name, 4), slice_make(value, sizeof value), &world->error),
            OK);
    }
    check(world);
    expect_fill(world, 95, 95);
    for (uint32_t i = 0; i < KEYS; i++) {
        put_u32_be(name, i);
        if (i / 36 % 3 == 0 && i % 9 != 0)
            assert_int_equal(kv_delete(world->kv, slice_make(name, 4), NULL, &world->error), OK);
    }
    check(world);
    expect_fill(world, 60, 22);
}

/* Numbers [from, to) without those that `skip` divides, or all for 0, in one go. */
static void replace_numbers(struct world *world, uint32_t from, uint32_t to, uint32_t skip,
                            bool remove)
{
    enum { MAX = 4000 };
    static struct kv_change changes[MAX];
    static uint8_t names[MAX][4], value[100];
    uint32_t count = 0, done;
    ASSERT(to - from <= MAX);
    for (uint32_t i = from; i < to; i++) {
        if (skip != 0 && i % skip == 0)
            continue;
        put_u32_be(names[count], i);
        changes[count] = (struct kv_change){.key = slice_make(names[count], 4),
                                            .value = slice_make(value, sizeof value),
                                            .shared = 4,
                                            .remove = remove};
        count++;
    }
    assert_int_equal(kv_replace(world->kv, changes, count, &done, &world->error), OK);
    assert_int_equal(done, count);
}

/* Many changes at once leave pages as full as one by one: commits of keys that ascend fill them,
 * what is thinned out is merged, and a range that goes draws nothing into its place. */
static void many_at_once(void **state)
{
    enum { KEYS = 20000, A_COMMIT = 130, A_RANGE = 2500 };
    struct world *world = *state;
    struct kv_stats stats;
    for (uint32_t i = 0; i < KEYS; i += A_COMMIT) {
        replace_numbers(world, i, i + A_COMMIT, 0, false);
        assert_int_equal(kv_publish(world->kv, &world->error), OK);
    }
    check(world);
    expect_fill(world, 95, 95);
    for (uint32_t i = 0; i < KEYS / 2; i += A_RANGE) {
        replace_numbers(world, i, i + A_RANGE, 9, true);
        check(world);
        expect_fill(world, 60, 22);
    }
    for (uint32_t i = 0; i < KEYS; i += A_RANGE) {
        replace_numbers(world, i, i + A_RANGE, 0, true);
        check(world);
    }
    kv_stats(world->kv, &stats);
    assert_in_range(stats.entries, 1, A_COMMIT);
}

/* ---- prefixes ------------------------------------------------------------------------------- */

static void shared_bytes_are_stored_once(void **state)
{
    enum { KEYS = 20000, SHARED = 400 };
    struct world *world = *state;
    struct kv_stats stats;
    uint8_t name[SHARED + 4];
    memset(name, 'x', SHARED);
    for (uint32_t i = 0; i < KEYS; i++) {
        put_u32_be(name + SHARED, i * 2654435761u);
        assert_int_equal(
            kv_put(world->kv, slice_make(name, sizeof name), slice_make("value", 5), NULL), OK);
    }
    check(world);
    kv_stats(world->kv, &stats);
    uint64_t used = stats.pages - stats.pages_free - stats.pages_pending;
    assert_true(used * stats.page_size < (uint64_t)KEYS * 50);
}

/* What comes first or last and shares nothing with a full page. */
static void strangers_at_both_ends(void **state)
{
    struct world *world = *state;
    uint8_t name[900];
    for (uint32_t size = 30; size < sizeof name; size += 97) {
        memset(name, 'm', size);
        for (uint32_t i = 0; i < 2000; i++) {
            put_u16_le(name + size - 2, (uint16_t)(i * 31));
            assert_int_equal(
                kv_put(world->kv, slice_make(name, size), slice_make(name, i % 60), &world->error),
                OK);
            if (i % 100 != 0)
                continue;
            uint8_t other[900];
            memset(other, i % 200 == 0 ? 'a' : 'z', sizeof other);
            put_u16_le(other + 1, (uint16_t)i);
            assert_int_equal(kv_put(world->kv, slice_make(other, 3 + i % 500),
                                    slice_make(other, 64), &world->error),
                             OK);
        }
        check(world);
    }
}

/* Puts, replacing and deleting among keys whose common beginnings are of all sizes, against an
 * array. */
static void random_prefixes(void **state)
{
    enum { KEYS = 1500, STEPS = 40000, KEY_MAX = 700 };
    struct world *world = *state;
    struct slice *keys = mem_zalloc(KEYS, sizeof *keys);
    uint16_t *sizes = mem_zalloc(KEYS, sizeof *sizes); /* of the value, and one; 0: absent */
    static uint8_t bytes[2000];
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t *name = mem_alloc(KEY_MAX + 4);
        uint32_t group = i % 7, shared = group * 100 + i % 3;
        memset(name, 'a' + (int)group, shared);
        for (uint32_t k = shared; k < shared + 4; k++)
            name[k] = (uint8_t)('a' + prng_below(&world->prng, 3));
        put_u16_le(name + shared + 2, (uint16_t)i);
        keys[i] = slice_make(name, shared + 4);
    }
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)prng_below(&world->prng, KEYS);
        bool deleting = prng_chance(&world->prng, step / 5000 % 2 == 0 ? 1 : 3, 4), found;
        if (deleting) {
            assert_int_equal(kv_delete(world->kv, keys[i], &found, &world->error), OK);
            assert_int_equal(found, sizes[i] != 0);
            sizes[i] = 0;
        } else {
            sizes[i] =
                (uint16_t)(1 + prng_below(&world->prng,
                                          prng_chance(&world->prng, 1, 20) ? sizeof bytes : 100));
            assert_int_equal(
                kv_put(world->kv, keys[i], slice_make(bytes, sizes[i] - 1u), &world->error), OK);
        }
        if (step % 1000 == 0)
            check(world);
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        struct slice value;
        status_t status = kv_get_latest(world->kv, keys[i], &value, &world->error);
        assert_int_equal(status, sizes[i] != 0 ? OK : ERR_NOT_FOUND);
        if (status == OK)
            assert_int_equal(value.size, sizes[i] - 1u);
        mem_free((void *)(uintptr_t)keys[i].data);
    }
    mem_free(keys);
    mem_free(sizes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deleting_leaves_no_empty_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_neighbours_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shared_bytes_are_stored_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strangers_at_both_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_prefixes, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("kv_fill", tests, NULL, NULL);
}
