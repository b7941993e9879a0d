/* What kv.h promises, point by point, on a simulated machine. The random tests are in
 * tests/model/kv, damage and power cuts in tests/fault/kv. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "env_sim.h"
#include "kv/kv_int.h"

#define PATH "/data/store"

/* Of the program's argument. */
static enum kv_engine engine;

struct world {
    struct env_sim *sim;
    struct env *env;
    struct kv *kv;
};

/* Of the last call that was given it. */
static struct error error;

static void assert_ok_at(status_t status, int line)
{
    if (status != OK)
        fail_msg("line %d: %s: %s", line, status_name(status), error.message);
}

#define assert_ok(call) assert_ok_at(call, __LINE__)

static struct slice text(const char *bytes)
{
    return slice_from_string(bytes);
}

static void open_with(struct world *world, const struct kv_options *options)
{
    struct kv_options with = options != NULL ? *options : (struct kv_options){0};
    with.engine = engine;
    with.run_bytes = 64 << 10;
    assert_ok(kv_open(world->env, PATH, &with, &world->kv, &error));
}

static int set_up(void **state)
{
    struct world *world = mem_zalloc(1, sizeof *world);
    world->sim = env_sim_create(7);
    world->env = env_sim_env(world->sim);
    assert_ok(env_dir_create(world->env, "/data", &error));
    open_with(world, NULL);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    kv_close(world->kv);
    env_sim_destroy(world->sim);
    mem_free(world);
    return 0;
}

static void reopen(struct world *world, const struct kv_options *options)
{
    kv_close(world->kv);
    world->kv = NULL;
    open_with(world, options);
}

static void put(struct world *world, const char *key, const char *value)
{
    assert_ok(kv_put(world->kv, text(key), text(value), &error));
}

static void put_number(struct world *world, uint32_t number, struct slice value)
{
    uint8_t key[4];
    put_u32_be(key, number);
    assert_ok(kv_put(world->kv, slice_make(key, sizeof key), value, &error));
}

static void publish(struct world *world)
{
    assert_ok(kv_publish(world->kv, &error));
}

static void checkpoint(struct world *world, const char *meta)
{
    assert_ok(kv_checkpoint(world->kv, text(meta), &error));
}

static void check(struct world *world)
{
    assert_ok(kv_check(world->kv, NULL, NULL, &error));
}

static void expect_latest(struct world *world, const char *key, const char *value)
{
    struct slice got;
    status_t status = kv_get_latest(world->kv, text(key), &got, &error);
    if (value == NULL) {
        assert_int_equal(status, ERR_NOT_FOUND);
        return;
    }
    assert_ok(status);
    assert_true(slice_equal(got, text(value)));
}

static void expect_in(struct kv_snapshot *snapshot, const char *key, const char *value)
{
    struct slice got;
    status_t status = kv_get(snapshot, text(key), &got, &error);
    if (value == NULL) {
        assert_int_equal(status, ERR_NOT_FOUND);
        return;
    }
    assert_ok(status);
    assert_true(slice_equal(got, text(value)));
}

static struct kv_snapshot *snapshot(struct world *world)
{
    struct kv_snapshot *out;
    assert_ok(kv_snapshot_open(world->kv, &out, &error));
    return out;
}

/* ---- changes -------------------------------------------------------------------------------- */

static void put_get_delete(void **state)
{
    struct world *world = *state;
    bool found;
    expect_latest(world, "a", NULL);
    put(world, "a", "1");
    put(world, "b", "");
    put(world, "a", "2");
    put(world, "c", "longer than before");
    expect_latest(world, "a", "2");
    expect_latest(world, "b", "");
    expect_latest(world, "ab", NULL);
    assert_ok(kv_delete(world->kv, text("a"), &found, &error));
    assert_true(found);
    assert_ok(kv_delete(world->kv, text("a"), &found, &error));
    assert_false(found);
    assert_ok(kv_delete(world->kv, text("b"), NULL, &error));
    assert_ok(kv_delete(world->kv, text("c"), &found, &error));
    expect_latest(world, "a", NULL);
    assert_ok(kv_delete(world->kv, text("a"), &found, &error));
    assert_false(found);
    check(world);
}

static void limits(void **state)
{
    struct world *world = *state;
    struct slice got;
    uint8_t *bytes = mem_zalloc(1, KV_KEY_SIZE_MAX + 1);
    assert_int_equal(kv_put(world->kv, text(""), text("x"), &error), ERR_INVALID);
    assert_int_equal(kv_delete(world->kv, text(""), NULL, &error), ERR_INVALID);
    assert_int_equal(kv_get_latest(world->kv, text(""), &got, &error), ERR_NOT_FOUND);
    assert_int_equal(kv_put(world->kv, slice_make(bytes, KV_KEY_SIZE_MAX + 1), text("x"), &error),
                     ERR_TOO_LONG);
    assert_int_equal(
        kv_put(world->kv, text("x"), slice_make(bytes, (size_t)KV_VALUE_SIZE_MAX + 1), &error),
        ERR_TOO_LONG);
    assert_int_equal(kv_checkpoint(world->kv, slice_make(bytes, KV_APP_META_SIZE_MAX + 1), &error),
                     ERR_TOO_LONG);
    /* The longest keys, with the longest value that stays beside its key, split as they should. */
    for (uint32_t i = 0; i < 200; i++) {
        put_u32_be(bytes + KV_KEY_SIZE_MAX - 4, i * 2654435761u);
        assert_ok(
            kv_put(world->kv, slice_make(bytes, KV_KEY_SIZE_MAX), slice_make(bytes, 64), &error));
        if (i % 3 == 0)
            assert_ok(kv_put(world->kv, slice_make(bytes, KV_KEY_SIZE_MAX), slice_make(bytes, 65),
                             &error));
    }
    check(world);
    assert_int_equal(kv_get_latest(world->kv, text(""), &got, &error), ERR_NOT_FOUND);
    mem_free(bytes);
}

static void long_values(void **state)
{
    struct world *world = *state;
    const size_t size = 3u << 20;
    uint8_t *bytes = mem_alloc(size);
    struct slice got, again;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 31 >> 8);
    assert_ok(kv_put(world->kv, text("long"), slice_make(bytes, size), &error));
    put(world, "short", "s");
    publish(world);
    struct kv_snapshot *before = snapshot(world);
    assert_ok(kv_get(before, text("long"), &got, &error));
    assert_true(slice_equal(got, slice_make(bytes, size)));
    /* Copying out of a snapshot into the same store is allowed. */
    assert_ok(kv_put(world->kv, text("copy"), got, &error));
    put(world, "long", "now short");
    publish(world);
    checkpoint(world, "");
    assert_ok(kv_get(before, text("long"), &again, &error));
    assert_ptr_equal(again.data, got.data);
    assert_true(slice_equal(again, slice_make(bytes, size)));
    kv_snapshot_close(before);
    check(world);
    reopen(world, NULL);
    expect_latest(world, "long", "now short");
    assert_ok(kv_get_latest(world->kv, text("copy"), &got, &error));
    assert_true(slice_equal(got, slice_make(bytes, size)));
    check(world);
    mem_free(bytes);
}

/* ---- shape ---------------------------------------------------------------------------------- */

static void ascending_keys_fill_pages(void **state)
{
    struct world *world = *state;
    if (engine != KV_ENGINE_BTREE)
        return; /* it is about pages of the tree */
    struct kv_stats stats;
    const uint32_t count = 20000;
    uint8_t value[88] = {1};
    for (uint32_t i = 0; i < count; i++)
        put_number(world, i, slice_make(value, sizeof value));
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries, count);
    /* An entry takes its slot (8), value size (2), key and value: 102 bytes. */
    uint32_t used = stats.pages - stats.pages_free - stats.pages_pending;
    assert_true((uint64_t)used * stats.page_size * 92 / 100 < count * 102ull);
    check(world);
}

static void deleting_gives_pages_back(void **state)
{
    struct world *world = *state;
    if (engine != KV_ENGINE_BTREE)
        return; /* it is about pages of the tree */
    struct kv_stats stats;
    const uint32_t count = 5000;
    uint8_t value[100] = {1}, key[4];
    for (uint32_t i = 0; i < count; i++)
        put_number(world, i, slice_make(value, sizeof value));
    publish(world);
    checkpoint(world, "full");
    /* Nine of ten: what is left must be joined into few pages. */
    for (uint32_t i = 0; i < count; i++) {
        put_u32_be(key, i);
        if (i % 10 != 0)
            assert_ok(kv_delete(world->kv, slice_make(key, sizeof key), NULL, &error));
    }
    publish(world);
    checkpoint(world, "tenth");
    check(world);
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries, count / 10);
    uint32_t used = stats.pages - stats.pages_free - stats.pages_pending;
    assert_true(used < 60); /* of 500 * 114 bytes: 14 full pages, 56 at a quarter */
    for (uint32_t i = 0; i < count; i += 10) {
        put_u32_be(key, count - 10 - i);
        assert_ok(kv_delete(world->kv, slice_make(key, sizeof key), NULL, &error));
    }
    publish(world);
    checkpoint(world, "none");
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.depth, 0);
    assert_int_equal(stats.pages_pending, 0);
    /* Two meta pages and the free list's. */
    assert_true(stats.pages - stats.pages_free <= 4);
    check(world);
}

static void separators_are_short(void **state)
{
    struct world *world = *state;
    if (engine != KV_ENGINE_BTREE)
        return; /* it is about pages of the tree */
    char key[200];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof key, "%04d and a very long rest that separates nothing %0100d",
                       i * 7919 % 2000, 0);
        put(world, key, "v");
    }
    const struct kv__page *root = kv__page_at(world->kv, world->kv->root);
    uint8_t bytes[KV_KEY_SIZE_MAX];
    assert_true(root->level >= 1 && root->count > 1);
    for (uint32_t i = 0; i < root->count; i++)
        assert_true(kv__page_key(root, i, bytes).size <= 4);
    check(world);
}

static void every_page_size(void **state)
{
    struct world *world = *state;
    uint8_t *value = mem_zalloc(1, 9000);
    for (uint32_t size = 4096; size <= 32768; size *= 2) {
        struct kv_options options = {.page_size = size};
        struct kv_stats stats;
        kv_close(world->kv);
        world->kv = NULL;
        assert_ok(env_file_remove(world->env, PATH, &error));
        open_with(world, &options);
        for (uint32_t i = 0; i < 3000; i++)
            put_number(world, i * 2654435761u, slice_make(value, i * 7919u % 9000));
        publish(world);
        checkpoint(world, "");
        reopen(world, NULL); /* the file knows its page size */
        kv_stats(world->kv, &stats);
        assert_int_equal(stats.page_size, size);
        assert_int_equal(stats.entries, 3000);
        check(world);
    }
    struct kv_options odd = {.page_size = 5000};
    struct kv *none;
    assert_int_equal(kv_open(world->env, "/data/odd", &odd, &none, NULL), ERR_INVALID);
    mem_free(value);
}

/* ---- visibility ----------------------------------------------------------------------------- */

static void snapshots_stand_still(void **state)
{
    struct world *world = *state;
    struct kv_snapshot *empty = snapshot(world);
    put(world, "k", "1");
    struct kv_snapshot *still_empty = snapshot(world);
    publish(world);
    struct kv_snapshot *one = snapshot(world);
    put(world, "k", "2");
    put(world, "l", "2");
    publish(world);
    put(world, "k", "3");
    struct kv_snapshot *two = snapshot(world);
    for (uint32_t i = 0; i < 2000; i++)
        put_number(world, i, text("filling"));
    publish(world);
    checkpoint(world, "");
    publish(world);
    expect_in(empty, "k", NULL);
    expect_in(still_empty, "k", NULL);
    expect_in(one, "k", "1");
    expect_in(one, "l", NULL);
    expect_in(two, "k", "2");
    expect_in(two, "l", "2");
    expect_latest(world, "k", "3");
    kv_snapshot_close(empty);
    kv_snapshot_close(two);
    kv_snapshot_close(still_empty);
    kv_snapshot_close(one);
    kv_snapshot_close(NULL);
    check(world);
}

static void snapshots_run_out(void **state)
{
    struct world *world = *state;
    struct kv_options options = {.snapshots_max = 2};
    struct kv_snapshot *none;
    reopen(world, &options);
    struct kv_snapshot *first = snapshot(world), *second = snapshot(world);
    assert_int_equal(kv_snapshot_open(world->kv, &none, NULL), ERR_BUSY);
    kv_snapshot_close(first);
    first = snapshot(world);
    assert_int_equal(kv_snapshot_open(world->kv, &none, NULL), ERR_BUSY);
    kv_snapshot_close(second);
    kv_snapshot_close(first);
}

/* A snapshot kept for long holds what it reaches, and nothing that came and went since. */
static void old_snapshot_lets_pages_go_round(void **state)
{
    struct world *world = *state;
    struct kv_stats before, after;
    for (uint32_t i = 0; i < 1000; i++)
        put_number(world, i, text("some value that is neither long nor short"));
    publish(world);
    checkpoint(world, "");
    struct kv_snapshot *old = snapshot(world);
    kv_stats(world->kv, &before);
    for (uint32_t i = 0; i < 20000; i++) {
        put_number(world, i * 7919u % 1000, text("another value, also of middling size ..."));
        publish(world);
    }
    kv_stats(world->kv, &after);
    assert_int_equal(after.file_bytes, before.file_bytes);
    check(world);
    kv_snapshot_close(old);
}

static void only_checkpoints_last(void **state)
{
    struct world *world = *state;
    struct kv_checkpoint *running;
    assert_int_equal(kv_meta(world->kv).size, 0);
    put(world, "a", "1");
    publish(world);
    put(world, "unpublished", "x");
    assert_ok(kv_checkpoint_begin(world->kv, text("at 1"), &running, &error));
    put(world, "a", "2");
    publish(world);
    put(world, "b", "2");
    check(world);
    assert_ok(kv_checkpoint_write(running, &error));
    publish(world);
    check(world);
    assert_ok(kv_checkpoint_end(world->kv, running, &error));
    assert_true(slice_equal(kv_meta(world->kv), text("at 1")));
    expect_latest(world, "a", "2");
    reopen(world, NULL);
    assert_true(slice_equal(kv_meta(world->kv), text("at 1")));
    expect_latest(world, "a", "1");
    expect_latest(world, "b", NULL);
    expect_latest(world, "unpublished", NULL);
    check(world);
}

/* ---- cursors -------------------------------------------------------------------------------- */

static void expect_at(struct kv_cursor *cursor, const char *key)
{
    assert_int_equal(kv_cursor_valid(cursor), key != NULL);
    if (key != NULL)
        assert_true(slice_equal(kv_cursor_key(cursor), text(key)));
}

static void cursor_at_the_ends(void **state)
{
    struct world *world = *state;
    struct kv_cursor cursor;
    struct slice value;
    kv_cursor_init_latest(&cursor, world->kv);
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_first(&cursor, &error));
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_last(&cursor, &error));
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_seek(&cursor, text("x"), &error));
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_seek_reverse(&cursor, text("x"), &error));
    expect_at(&cursor, NULL);
    put(world, "b", "1");
    put(world, "d", "2");
    assert_ok(kv_cursor_first(&cursor, &error));
    expect_at(&cursor, "b");
    assert_ok(kv_cursor_prev(&cursor, &error));
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_last(&cursor, &error));
    expect_at(&cursor, "d");
    assert_ok(kv_cursor_value(&cursor, &value, &error));
    assert_true(slice_equal(value, text("2")));
    assert_ok(kv_cursor_next(&cursor, &error));
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_seek(&cursor, text("c"), &error));
    expect_at(&cursor, "d");
    assert_ok(kv_cursor_seek(&cursor, text("e"), &error));
    expect_at(&cursor, NULL);
    assert_ok(kv_cursor_seek(&cursor, text(""), &error));
    expect_at(&cursor, "b");
    assert_ok(kv_cursor_seek_reverse(&cursor, text("c"), &error));
    expect_at(&cursor, "b");
    assert_ok(kv_cursor_seek_reverse(&cursor, text("d"), &error));
    expect_at(&cursor, "d");
    assert_ok(kv_cursor_seek_reverse(&cursor, text("a"), &error));
    expect_at(&cursor, NULL);
}

static void cursor_crosses_leaves(void **state)
{
    struct world *world = *state;
    struct kv_cursor cursor;
    uint8_t key[4];
    const uint32_t count = 3000;
    for (uint32_t i = 0; i < count; i++)
        put_number(world, 2 * i,
                   text("a value long enough for the tree to have three levels ...."));
    kv_cursor_init_latest(&cursor, world->kv);
    assert_ok(kv_cursor_first(&cursor, &error));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(kv_cursor_valid(&cursor));
        assert_int_equal(get_u32_be(kv_cursor_key(&cursor).data), 2 * i);
        assert_ok(kv_cursor_next(&cursor, &error));
    }
    assert_false(kv_cursor_valid(&cursor));
    for (uint32_t i = 1; i < 2 * count - 2; i += 2) { /* between any two, there and back */
        put_u32_be(key, i);
        assert_ok(kv_cursor_seek(&cursor, slice_make(key, sizeof key), &error));
        assert_int_equal(get_u32_be(kv_cursor_key(&cursor).data), i + 1);
        assert_ok(kv_cursor_prev(&cursor, &error));
        assert_int_equal(get_u32_be(kv_cursor_key(&cursor).data), i - 1);
        assert_ok(kv_cursor_next(&cursor, &error));
        assert_int_equal(get_u32_be(kv_cursor_key(&cursor).data), i + 1);
        assert_ok(kv_cursor_seek_reverse(&cursor, slice_make(key, sizeof key), &error));
        assert_int_equal(get_u32_be(kv_cursor_key(&cursor).data), i - 1);
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

static void one_process_at_a_time(void **state)
{
    struct world *world = *state;
    struct kv *second;
    assert_int_equal(kv_open(world->env, PATH, NULL, &second, &error), ERR_LOCKED);
    assert_non_null(strstr(error.message, PATH));
}

static void reading_only(void **state)
{
    struct world *world = *state;
    struct kv_options options = {.read_only = true};
    struct kv_checkpoint *none;
    struct kv *missing;
    put(world, "a", "1");
    publish(world);
    checkpoint(world, "m");
    reopen(world, &options);
    expect_latest(world, "a", "1");
    check(world);
    assert_int_equal(kv_put(world->kv, text("a"), text("2"), NULL), ERR_INVALID);
    assert_int_equal(kv_delete(world->kv, text("a"), NULL, NULL), ERR_INVALID);
    assert_int_equal(kv_publish(world->kv, NULL), ERR_INVALID);
    assert_int_equal(kv_checkpoint_begin(world->kv, text(""), &none, NULL), ERR_INVALID);
    assert_int_equal(kv_open(world->env, "/data/missing", &options, &missing, NULL), ERR_NOT_FOUND);
}

/* What the first meta page of the closed store has there. */
static uint32_t peek_meta(struct world *world, uint32_t offset)
{
    struct env_file *file;
    uint32_t value;
    size_t got;
    assert_ok(env_file_open(world->env, PATH, ENV_OPEN_READ_ONLY, &file, &error));
    assert_ok(env_file_read(file, offset, &value, sizeof value, &got, &error));
    assert_int_equal(got, sizeof value);
    env_file_close(file);
    return value;
}

/* Writes into both meta pages of the closed store. */
static void poke_metas(struct world *world, uint32_t offset, uint32_t value)
{
    struct env_file *file;
    assert_ok(env_file_open(world->env, PATH, 0, &file, &error));
    for (uint64_t page = 0; page < 2; page++)
        assert_ok(env_file_write(file, page * 4096 + offset, &value, sizeof value, &error));
    env_file_close(file);
}

static void foreign_formats(void **state)
{
    struct world *world = *state;
    kv_close(world->kv);
    world->kv = NULL;
    uint32_t version = peek_meta(world, offsetof(struct kv__meta, version));
    assert_true(version > 0 && version < 100);
    poke_metas(world, offsetof(struct kv__meta, version), version + 1);
    assert_int_equal(kv_open(world->env, PATH, NULL, &world->kv, &error), ERR_FORMAT);
    poke_metas(world, offsetof(struct kv__meta, version), version);
    poke_metas(world, offsetof(struct kv__meta, byte_order), 0x04030201);
    assert_int_equal(kv_open(world->env, PATH, NULL, &world->kv, &error), ERR_FORMAT);
    poke_metas(world, offsetof(struct kv__meta, byte_order), 0x01020304);
    /* The number of entries; the other engine has it where this one has its epoch. */
    uint32_t entries_at = engine == KV_ENGINE_BTREE ? offsetof(struct kv__meta, entries)
                                                    : offsetof(struct kv__meta, epoch);
    poke_metas(world, entries_at, 5);
    assert_int_equal(kv_open(world->env, PATH, NULL, &world->kv, &error), ERR_CORRUPT);
    poke_metas(world, entries_at, 0);
    open_with(world, NULL);
    check(world);
}

/* A file is opened by its own engine, and by no other when that is asked for. */
static void engines_know_their_files(void **state)
{
    struct world *world = *state;
    struct kv_stats stats;
    struct kv_options other = {.engine = engine == KV_ENGINE_LSM ? KV_ENGINE_BTREE : KV_ENGINE_LSM};
    put(world, "a", "1");
    publish(world);
    checkpoint(world, "m");
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.engine, engine);
    kv_close(world->kv);
    world->kv = NULL;
    assert_int_equal(kv_open(world->env, PATH, &other, &world->kv, &error), ERR_FORMAT);
    assert_non_null(strstr(error.message, "lsm"));
    assert_non_null(strstr(error.message, "btree"));
    assert_ok(kv_open(world->env, PATH, NULL, &world->kv, &error));
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.engine, engine);
    expect_latest(world, "a", "1");
    check(world);
}

int main(int argc, char **argv)
{
    engine = argc > 1 ? kv_engine_from_name(argv[1]) : KV_ENGINE_BTREE;
    assert_true(engine != KV_ENGINE_ANY);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(put_get_delete),
        TEST(limits),
        TEST(long_values),
        TEST(ascending_keys_fill_pages),
        TEST(deleting_gives_pages_back),
        TEST(separators_are_short),
        TEST(every_page_size),
        TEST(snapshots_stand_still),
        TEST(snapshots_run_out),
        TEST(old_snapshot_lets_pages_go_round),
        TEST(only_checkpoints_last),
        TEST(cursor_at_the_ends),
        TEST(cursor_crosses_leaves),
        TEST(one_process_at_a_time),
        TEST(reading_only),
        TEST(foreign_formats),
        TEST(engines_know_their_files),
    };
    return cmocka_run_group_tests_name("kv", tests, NULL, NULL);
}
