/* What mvcc.h promises at its edges. Stories are in tests/golden/mvcc, random tests in
 * tests/model/mvcc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kv_world.h"
#include "mvcc/mvcc_int.h"

static struct error error;

static struct slice text(const char *bytes)
{
    return slice_from_string(bytes);
}

static struct mvcc_view view_open(struct world *world, uint64_t version)
{
    struct mvcc_view view = {.version = version};
    assert_int_equal(kv_publish(world->kv, &error), OK);
    assert_int_equal(kv_snapshot_open(world->kv, &view.snapshot, &error), OK);
    return view;
}

static void test_keys_refused(void **state)
{
    struct world *world = *state;
    uint8_t key[MVCC_KEY_MAX + 1];
    memset(key, 'k', sizeof key);
    struct slice value = text("v");
    assert_int_equal(mvcc_write(world->kv, text(""), 1, &value, NULL, &error), ERR_INVALID);
    assert_int_equal(mvcc_write(world->kv, text("\x0f"), 1, &value, NULL, &error), ERR_INVALID);
    assert_int_equal(mvcc_write(world->kv, slice_make(key, sizeof key), 1, &value, NULL, &error),
                     ERR_TOO_LONG);
    assert_int_equal(mvcc_write(world->kv, slice_make(key, MVCC_KEY_MAX), 1, &value, NULL, &error),
                     OK);
    struct mvcc_overlay overlay;
    mvcc_overlay_init(&overlay, 100000);
    assert_int_equal(mvcc_overlay_write(&overlay, text("\x0f"), &value), ERR_INVALID);
    assert_int_equal(mvcc_overlay_write(&overlay, slice_make(key, sizeof key), NULL), ERR_TOO_LONG);
    mvcc_overlay_free(&overlay);
    /* Keys that cannot be stored are not there. */
    struct mvcc_view view = view_open(world, 1);
    struct slice got;
    assert_int_equal(mvcc_get(&view, slice_make(key, sizeof key), &got, NULL, &error),
                     ERR_NOT_FOUND);
    assert_int_equal(mvcc_get(&view, text(""), &got, NULL, &error), ERR_NOT_FOUND);
    assert_int_equal(mvcc_get(&view, slice_make(key, MVCC_KEY_MAX), &got, NULL, &error), OK);
    kv_snapshot_close(view.snapshot);
}

static void test_values_of_all_sizes(void **state)
{
    struct world *world = *state;
    static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 100000};
    uint8_t *bytes = mem_zalloc(100000, 1);
    memset(bytes, 'x', 100000);
    for (uint8_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint8_t key[2] = {'k', i};
        struct slice value = slice_make(bytes, sizes[i]);
        assert_int_equal(mvcc_write(world->kv, slice_make(key, 2), 7, &value, NULL, &error), OK);
    }
    struct mvcc_view view = view_open(world, 7);
    struct mvcc_scan scan;
    struct slice key, value, none = {0};
    assert_int_equal(mvcc_scan_begin(&scan, &view, none, none, false, &error), OK);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(mvcc_scan_next(&scan, &key, &value, &error), OK);
        assert_int_equal(value.size, sizes[i]);
        assert_memory_equal(value.data, bytes, sizes[i]);
    }
    assert_int_equal(mvcc_scan_next(&scan, &key, &value, &error), ERR_NOT_FOUND);
    kv_snapshot_close(view.snapshot);
    mem_free(bytes);
}

static void test_overlay_budget(void **state)
{
    (void)state;
    struct mvcc_overlay overlay;
    mvcc_overlay_init(&overlay, 10);
    struct slice five = text("12345"), old;
    assert_int_equal(mvcc_overlay_write(&overlay, text("a"), &five), OK);
    old = ordered_find(&overlay.writes, text("a"))->value;
    /* What was replaced counts, because it stays: slices of it were handed out. */
    assert_int_equal(mvcc_overlay_write(&overlay, text("a"), &five), ERR_TOO_LONG);
    struct slice three = text("123");
    assert_int_equal(mvcc_overlay_write(&overlay, text("a"), &three), OK);
    assert_memory_equal(old.data, "12345", 5);
    assert_int_equal(mvcc_overlay_write(&overlay, text("b"), NULL), ERR_TOO_LONG);
    assert_int_equal(overlay.writes.count, 1);
    mvcc_overlay_free(&overlay);
}

/* Keys of others lie below the user keys; some are too short to have a version. */
static void test_scans_leave_others_alone(void **state)
{
    struct world *world = *state;
    struct slice value = text("v");
    assert_int_equal(kv_put(world->kv,
                            text("\x02"
                                 "abc"),
                            value, &error),
                     OK);
    assert_int_equal(mvcc_write(world->kv, text("key"), 1, &value, NULL, &error), OK);
    struct mvcc_view view = view_open(world, 1);
    static const char *const lows[] = {"", "\x01", "\x02", "a"};
    for (int i = 0; i < 8; i++) {
        struct mvcc_scan scan;
        struct slice key, got;
        assert_int_equal(
            mvcc_scan_begin(&scan, &view, text(lows[i / 2]), text(""), i % 2 == 1, &error), OK);
        assert_int_equal(mvcc_scan_next(&scan, &key, &got, &error), OK);
        assert_true(slice_equal(key, text("key")));
        assert_int_equal(mvcc_scan_next(&scan, &key, &got, &error), ERR_NOT_FOUND);
    }
    kv_snapshot_close(view.snapshot);
}

static void test_damage_is_an_error(void **state)
{
    struct world *world = *state;
    struct mvcc_stored_key stored;
    mvcc__stored_key(&stored, text("bad"), 1);
    assert_int_equal(kv_put(world->kv, slice_make(stored.bytes, stored.size), text("?"), &error),
                     OK);
    assert_int_equal(kv_put(world->kv, text("short"), text("?"), &error), OK);
    struct mvcc_view view = view_open(world, 1);
    struct slice value;
    assert_int_equal(mvcc_get(&view, text("bad"), &value, NULL, &error), ERR_CORRUPT);
    struct mvcc_scan scan;
    assert_int_equal(mvcc_scan_begin(&scan, &view, text("bad"), text(""), false, &error),
                     ERR_CORRUPT);
    assert_int_equal(mvcc_scan_begin(&scan, &view, text("c"), text(""), false, &error),
                     ERR_CORRUPT);
    assert_int_equal(mvcc_scan_begin(&scan, &view, text("c"), text(""), true, &error), ERR_CORRUPT);
    kv_snapshot_close(view.snapshot);
}

/* ---- collection -------------------------------------------------------------------------------
 */

/* A key written very often, between two others, is walked over in no time once it was collected. */
static void test_key_overwritten_often(void **state)
{
    enum { TIMES = 1000000 };
    struct world *world = *state;
    struct mvcc_collector *collector = mvcc_collector_create(0);
    struct slice value = text("some value of the usual size, or about"), key, got;
    assert_int_equal(mvcc_write(world->kv, text("a"), 1, &value, NULL, &error), OK);
    assert_int_equal(mvcc_write(world->kv, text("z"), 1, &value, NULL, &error), OK);
    for (uint64_t version = 1; version <= TIMES; version++) {
        /* In the end it is deleted. */
        assert_int_equal(mvcc_write(world->kv, text("hot"), version,
                                    version < TIMES ? &value : NULL, NULL, &error),
                         OK);
        mvcc_collector_note(collector, text("hot"), version);
    }
    struct mvcc_view before = view_open(world, TIMES - 1);
    assert_int_equal(mvcc_collector_waiting(collector), 1);
    uint32_t removed, total = 0, steps = 0;
    do {
        assert_int_equal(mvcc_collect(collector, world->kv, TIMES, 1000, &removed, &error), OK);
        assert_true(removed <= 1000);
        total += removed;
        steps++;
    } while (removed > 0);
    assert_int_equal(total, TIMES);
    assert_true(steps <= TIMES / 1000 + 2);
    struct kv_stats stats;
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries, 3); /* the two others and the watermark */
    assert_true(stats.depth <= 1);
    struct mvcc_view after = view_open(world, TIMES);
    struct mvcc_scan scan;
    assert_int_equal(mvcc_scan_begin(&scan, &after, text(""), text(""), false, &error), OK);
    assert_int_equal(mvcc_scan_next(&scan, &key, &got, &error), OK);
    assert_int_equal(mvcc_scan_next(&scan, &key, &got, &error), OK);
    assert_true(slice_equal(key, text("z")));
    assert_int_equal(mvcc_scan_next(&scan, &key, &got, &error), ERR_NOT_FOUND);
    /* Who read before still does. */
    assert_int_equal(mvcc_get(&before, text("hot"), &got, NULL, &error), OK);
    struct mvcc_view view;
    assert_int_equal(mvcc_view_open(&view, before.snapshot, 1, NULL, &error), OK);
    assert_int_equal(mvcc_view_open(&view, after.snapshot, TIMES - 1, NULL, &error), ERR_TOO_OLD);
    assert_int_equal(mvcc_view_open(&view, after.snapshot, TIMES, NULL, &error), OK);
    kv_snapshot_close(before.snapshot);
    kv_snapshot_close(after.snapshot);
    mvcc_collector_destroy(collector);
}

/* What does not fit into the collector's memory is told, and nothing breaks. */
static void test_notes_lost(void **state)
{
    struct world *world = *state;
    struct mvcc_collector *collector = mvcc_collector_create(2000);
    struct slice value = text("v");
    uint32_t removed;
    assert_true(mvcc_collector_lost(collector));
    assert_false(mvcc_collector_lost(collector));
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t key[5] = {'k'};
        put_u32_be(key + 1, i);
        for (uint64_t version = 1; version <= 2; version++) {
            assert_int_equal(
                mvcc_write(world->kv, slice_make(key, 5), version, &value, NULL, &error), OK);
            mvcc_collector_note(collector, slice_make(key, 5), version);
        }
    }
    uint32_t waiting = mvcc_collector_waiting(collector);
    assert_true(waiting > 2 && waiting < 50);
    assert_true(mvcc_collector_lost(collector));
    assert_int_equal(mvcc_collect(collector, world->kv, 2, 1000, &removed, &error), OK);
    assert_int_equal(removed, waiting);
    assert_int_equal(mvcc_collector_waiting(collector), 0);
    assert_false(mvcc_collector_lost(collector));
    mvcc_collector_destroy(collector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_refused, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_values_of_all_sizes, world_open, world_close),
        cmocka_unit_test(test_overlay_budget),
        cmocka_unit_test_setup_teardown(test_scans_leave_others_alone, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_damage_is_an_error, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_key_overwritten_often, world_open, world_close),
        cmocka_unit_test_setup_teardown(test_notes_lost, world_open, world_close),
    };
    return cmocka_run_group_tests_name("mvcc", tests, NULL, NULL);
}
