/* How far from the truth kv_estimate is, and whether places found by share are spread evenly; and
 * how many notes about nodes are found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "kv/kv.h"

static struct error error;

static struct slice key_of(uint8_t bytes[8], uint64_t number)
{
    put_u64_be(bytes, number);
    return slice_make(bytes, 8);
}

struct world {
    struct env_sim *sim;
    struct kv *kv;
    struct kv_snapshot *snapshot;
};

/* Keys 0 to count - 1; in order, or in one that splits pages all over. */
static void fill(struct world *world, uint32_t count, bool in_order)
{
    uint8_t bytes[8], value[60] = {0};
    world->sim = env_sim_create(3);
    assert_int_equal(env_dir_create(env_sim_env(world->sim), "/data", &error), OK);
    assert_int_equal(kv_open(env_sim_env(world->sim), "/data/s", NULL, &world->kv, &error), OK);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = in_order ? i : i * 7919 % count;
        assert_int_equal(
            kv_put(world->kv, key_of(bytes, number), slice_make(value, sizeof value), &error), OK);
    }
    assert_int_equal(kv_publish(world->kv, &error), OK);
    assert_int_equal(kv_snapshot_open(world->kv, &world->snapshot, &error), OK);
}

static void finish(struct world *world)
{
    kv_snapshot_close(world->snapshot);
    kv_close(world->kv);
    env_sim_destroy(world->sim);
}

static double estimate(struct world *world, uint64_t low, uint64_t high)
{
    uint8_t a[8], b[8];
    double entries;
    assert_int_equal(
        kv_estimate(world->snapshot, key_of(a, low), key_of(b, high), &entries, &error), OK);
    return entries;
}

static void check_ranges(bool in_order)
{
    enum { COUNT = 60000 };
    struct world world;
    struct prng prng;
    fill(&world, COUNT, in_order);
    prng_seed(&prng, 1);
    for (int i = 0; i < 300; i++) {
        uint64_t low = prng_below(&prng, COUNT), size = prng_below(&prng, COUNT - low);
        double got = estimate(&world, low, low + size);
        assert_true(got >= (double)size * 0.7 - 60);
        assert_true(got <= (double)size * 1.4 + 60);
    }
    double entries;
    assert_int_equal(
        kv_estimate(world.snapshot, slice_make(NULL, 0), slice_make(NULL, 0), &entries, &error),
        OK);
    assert_true(entries > COUNT * 0.8 && entries < COUNT * 1.25);
    assert_true(estimate(&world, 500, 500) == 0);
    assert_true(estimate(&world, 50000, 10) == 0);
    finish(&world);
}

static void test_ranges_are_estimated(void **state)
{
    (void)state;
    check_ranges(true);
    check_ranges(false);
}

/* Rows of another size on both sides say nothing of those between. */
static void test_neighbours_are_of_another_size(void **state)
{
    (void)state;
    enum { COUNT = 60000, LOW = 20000, HIGH = 40000 };
    struct world world;
    uint8_t bytes[8], value[400] = {0};
    fill(&world, 1, true);
    kv_snapshot_close(world.snapshot);
    for (uint64_t i = 0; i < COUNT; i++) {
        bool between = i >= LOW && i < HIGH;
        assert_int_equal(kv_put(world.kv, key_of(bytes, i),
                                slice_make(value, between ? 12 : sizeof value), &error),
                         OK);
    }
    assert_int_equal(kv_publish(world.kv, &error), OK);
    assert_int_equal(kv_snapshot_open(world.kv, &world.snapshot, &error), OK);
    double few = estimate(&world, LOW, HIGH), many = estimate(&world, 0, LOW);
    assert_true(few > (HIGH - LOW) * 0.85 && few < (HIGH - LOW) * 1.15);
    assert_true(many > LOW * 0.85 && many < LOW * 1.15);
    finish(&world);
}

static void test_few_are_counted(void **state)
{
    (void)state;
    struct world world;
    fill(&world, 20, true);
    assert_true(estimate(&world, 3, 9) == 6);
    assert_true(estimate(&world, 0, 100) == 20);
    finish(&world);
}

static void test_shares_are_spread(void **state)
{
    (void)state;
    enum { COUNT = 60000, PLACES = 40 };
    struct world world;
    uint64_t before = 0;
    fill(&world, COUNT, false);
    for (int i = 0; i < PLACES; i++) {
        uint8_t low[8], high[8];
        struct kv_cursor cursor;
        assert_int_equal(kv_cursor_seek_share(&cursor, world.snapshot, key_of(low, 10000),
                                              key_of(high, 50000), (double)i / PLACES, &error),
                         OK);
        assert_true(kv_cursor_valid(&cursor));
        uint64_t at = get_u64_be(kv_cursor_key(&cursor).data);
        uint64_t wanted = 10000 + 40000 / PLACES * (uint64_t)i;
        assert_true(at >= 9900 && at < 50000);
        assert_true(at + 6000 > wanted && at < wanted + 6000);
        assert_true(at >= before);
        before = at;
    }
    finish(&world);
}

static uint32_t leaves_of(const struct kv_node *node, struct kv_node *leaves, uint32_t count)
{
    struct kv_node child;
    if (node->level == 0) {
        leaves[count] = *node;
        return count + 1;
    }
    for (uint32_t i = 0; i < node->count; i++) {
        assert_int_equal(kv_node_child(node, i, &child, &error), OK);
        count = leaves_of(&child, leaves, count);
    }
    return count;
}

/* Of a few nodes among many all notes are kept: a count of a big table looks at its branches only
 * if it finds them again. */
static void test_notes_are_found_again(void **state)
{
    enum { ENTRIES = 90000, VALUE_SIZE = 900, NODES = 30000, NOTED = 1000 };
    (void)state;
    struct world world;
    struct kv_node root, *leaves = mem_alloc(NODES * sizeof *leaves);
    struct kv_note note;
    struct prng prng;
    uint8_t bytes[8], value[VALUE_SIZE] = {0};
    bool found;
    fill(&world, 1, true);
    kv_snapshot_close(world.snapshot);
    for (uint64_t i = 0; i < ENTRIES; i++) {
        struct slice given = slice_make(value, sizeof value);
        assert_int_equal(kv_put(world.kv, key_of(bytes, i), given, &error), OK);
    }
    assert_int_equal(kv_publish(world.kv, &error), OK);
    assert_int_equal(kv_snapshot_open(world.kv, &world.snapshot, &error), OK);
    assert_int_equal(kv_node_root(world.snapshot, &root, &found, &error), OK);
    assert_true(found);
    uint32_t count = leaves_of(&root, leaves, 0), lost = 0;
    assert_true(count > 20000 && count <= NODES);
    prng_seed(&prng, 1);
    for (uint32_t i = 0; i < NOTED; i++) {
        uint32_t other = i + (uint32_t)prng_below(&prng, count - i);
        struct kv_node leaf = leaves[i];
        leaves[i] = leaves[other];
        leaves[other] = leaf;
        kv_node_set_note(&leaves[i], &(struct kv_note){{i, 2 * i}});
    }
    for (uint32_t i = 0; i < count; i++) {
        bool kept = kv_node_note(&leaves[i], &note);
        lost += i < NOTED && !kept;
        assert_true(i < NOTED || !kept);
        assert_true(!kept || (note.words[0] == i && note.words[1] == 2 * i));
    }
    assert_int_equal(lost, 0);
    mem_free(leaves);
    finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_are_estimated),
        cmocka_unit_test(test_neighbours_are_of_another_size),
        cmocka_unit_test(test_few_are_counted),
        cmocka_unit_test(test_shares_are_spread),
        cmocka_unit_test(test_notes_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
