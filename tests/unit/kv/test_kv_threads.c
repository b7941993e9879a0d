/* Readers beside the writer, and the checkpoint's thread beside both, on the real machine. Meant to
 * be run under the thread sanitizer too.
 *
 * The writer keeps one rule: in every published state all keys hold the same number (its version).
 * Readers open snapshots, walk them, and find the rule kept twice over, however long the walk
 * lasts, and never an older version than they saw before. A scrubber finds all pages sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/env.h"
#include "kv/kv.h"

#define READERS  3
#define KEYS     300u
#define VERSIONS 600u

/* Of the program's argument. */
static enum kv_engine engine;

struct world {
    struct kv *kv;
    _Atomic bool done;
    _Atomic uint64_t walks;
    _Atomic uint64_t versions_seen;
    _Atomic bool broken;
};

/* The thread that writes checkpoints: takes one, writes it, hands it back. */
struct writer_thread {
    struct env_mutex *mutex;
    struct env_cond *cond;
    struct kv_checkpoint *todo;
    struct kv_checkpoint *written;
    bool stop;
};

static uint64_t walk(struct world *world, struct kv_snapshot *snapshot)
{
    struct kv_cursor cursor;
    struct slice value;
    uint64_t version = 0;
    uint32_t count = 0;
    kv_cursor_init(&cursor, snapshot);
    status_t status = kv_cursor_first(&cursor, NULL);
    for (; status == OK && kv_cursor_valid(&cursor); status = kv_cursor_next(&cursor, NULL)) {
        status_t got = kv_cursor_value(&cursor, &value, NULL);
        if (got != OK || value.size < 8 || get_u32_be(kv_cursor_key(&cursor).data) != count)
            atomic_store(&world->broken, true);
        uint64_t found = got == OK ? get_u64_le(value.data) : 0;
        if ((count > 0 && found != version) ||
            (got == OK && get_u64_le(value.data + value.size - 8) != found))
            atomic_store(&world->broken, true);
        version = found;
        count++;
    }
    if (status != OK || (count != KEYS && count != 0))
        atomic_store(&world->broken, true);
    return version;
}

static void read_on(void *argument)
{
    struct world *world = argument;
    uint64_t newest = 0, seen = 0;
    while (!atomic_load(&world->done)) {
        struct kv_snapshot *snapshot;
        if (kv_snapshot_open(world->kv, &snapshot, NULL) != OK) {
            atomic_store(&world->broken, true);
            return;
        }
        uint64_t version = walk(world, snapshot);
        if (version < newest || walk(world, snapshot) != version)
            atomic_store(&world->broken, true);
        seen += version > newest;
        newest = version;
        kv_snapshot_close(snapshot);
        atomic_fetch_add(&world->walks, 1);
    }
    atomic_fetch_add(&world->versions_seen, seen);
}

static void scrub_on(void *argument)
{
    struct world *world = argument;
    struct kv_scrub scrub = {0};
    while (!atomic_load(&world->done) || scrub.rounds < 3)
        if (kv_scrub_step(world->kv, &scrub, 5, NULL) != OK)
            atomic_store(&world->broken, true);
    if (scrub.damaged > 0 || scrub.pages == 0)
        atomic_store(&world->broken, true);
}

static void write_checkpoints(void *argument)
{
    struct writer_thread *thread = argument;
    env_mutex_lock(thread->mutex);
    while (thread->todo != NULL || !thread->stop) {
        if (thread->todo == NULL) {
            env_cond_wait(thread->cond, thread->mutex);
            continue;
        }
        struct kv_checkpoint *checkpoint = thread->todo;
        thread->todo = NULL;
        env_mutex_unlock(thread->mutex);
        (void)kv_checkpoint_write(checkpoint, NULL); /* kv_checkpoint_end tells the result */
        env_mutex_lock(thread->mutex);
        thread->written = checkpoint;
    }
    env_mutex_unlock(thread->mutex);
}

enum { VALUE_MAX = 2000 };

static struct slice value_make(uint32_t key, uint64_t version, uint8_t bytes[VALUE_MAX])
{
    /* Now and then one so long that it lives in pages of its own. */
    bool all_long = version % 40 == 0;
    size_t size = all_long || (key + version) % 50 == 0 ? VALUE_MAX : 16 + (key * 7 + version) % 90;
    memset(bytes, (int)version, size);
    put_u64_le(bytes, version);
    put_u64_le(bytes + size - 8, version);
    return slice_make(bytes, size);
}

/* All at once, in place of what was there; `remove`: takes them out. */
static void replace_all(struct world *world, uint64_t version, bool remove)
{
    static uint8_t keys[KEYS][4], values[KEYS][VALUE_MAX];
    static struct kv_change changes[KEYS];
    uint32_t done;
    for (uint32_t i = 0; i < KEYS; i++) {
        put_u32_be(keys[i], i);
        changes[i] = (struct kv_change){.key = slice_make(keys[i], 4),
                                        .value = value_make(i, version, values[i]),
                                        .shared = 4,
                                        .remove = remove};
    }
    assert_int_equal(kv_replace(world->kv, changes, KEYS, &done, NULL), OK);
    assert_int_equal(done, KEYS);
}

static void write_version(struct world *world, uint64_t version)
{
    uint8_t key[4], value[VALUE_MAX];
    if (version % 3 > 0 && kv_replaces(world->kv)) {
        if (version % 2 == 0)
            replace_all(world, version, true);
        replace_all(world, version, false);
        assert_int_equal(kv_publish(world->kv, NULL), OK);
        return;
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        put_u32_be(key, i);
        assert_int_equal(kv_put(world->kv, slice_make(key, 4), value_make(i, version, value), NULL),
                         OK);
    }
    assert_int_equal(kv_publish(world->kv, NULL), OK);
}

/* Gives back what the long values of a version took: the file gets shorter beside those who read
 * it. True when it did. */
static bool compact(struct world *world)
{
    struct kv_stats before, after;
    uint64_t given;
    kv_stats(world->kv, &before);
    assert_int_equal(kv_compact(world->kv, 64 << 10, 4, &given, NULL), OK);
    assert_int_equal(kv_publish(world->kv, NULL), OK);
    kv_stats(world->kv, &after);
    return after.file_bytes < before.file_bytes;
}

/* Ends a written checkpoint, or begins one; true when one was ended. */
static bool turn_checkpoint(struct world *world, struct writer_thread *thread,
                            struct kv_checkpoint **running)
{
    bool ended = false;
    env_mutex_lock(thread->mutex);
    if (thread->written != NULL) {
        assert_ptr_equal(thread->written, *running);
        assert_int_equal(kv_checkpoint_end(world->kv, *running, NULL), OK);
        thread->written = NULL;
        *running = NULL;
        ended = true;
    }
    if (*running == NULL && !ended && !thread->stop) {
        assert_int_equal(kv_checkpoint_begin(world->kv, slice_make("m", 1), running, NULL), OK);
        thread->todo = *running;
        env_cond_signal(thread->cond);
    }
    env_mutex_unlock(thread->mutex);
    return ended;
}

static void readers_beside_the_writer(void **state)
{
    char directory[] = "/tmp/toydb_kv_XXXXXX", path[64];
    struct world world = {0};
    struct writer_thread checkpoints = {.mutex = env_mutex_create(), .cond = env_cond_create()};
    struct env_thread *readers[READERS], *writer, *scrubber;
    struct kv_checkpoint *running = NULL;
    uint32_t ended = 0, cuts = 0;
    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/store", directory);
    struct kv_options with = {.engine = engine, .run_bytes = 64 << 10, .growth_bytes = 64 << 10};
    assert_int_equal(kv_open(env_real(), path, &with, &world.kv, NULL), OK);
    for (uint32_t i = 0; i < READERS; i++)
        readers[i] = env_thread_start("reader", read_on, &world);
    scrubber = env_thread_start("scrub", scrub_on, &world);
    writer = env_thread_start("checkpoint", write_checkpoints, &checkpoints);

    uint64_t version = 0;
    while (version < VERSIONS || ended < 3 || atomic_load(&world.walks) < 10 ||
           (engine == KV_ENGINE_BTREE && cuts == 0)) {
        write_version(&world, ++version);
        if (version % 5 == 0)
            ended += turn_checkpoint(&world, &checkpoints, &running);
        cuts += compact(&world);
    }
    atomic_store(&world.done, true);
    for (uint32_t i = 0; i < READERS; i++)
        env_thread_join(readers[i]);
    env_thread_join(scrubber);
    env_mutex_lock(checkpoints.mutex);
    checkpoints.stop = true;
    env_cond_signal(checkpoints.cond);
    env_mutex_unlock(checkpoints.mutex);
    env_thread_join(writer);
    if (running != NULL)
        ended += turn_checkpoint(&world, &checkpoints, &running);
    assert_null(running);

    struct error error;
    assert_false(atomic_load(&world.broken));
    assert_true(atomic_load(&world.versions_seen) > 0);
    assert_int_equal(kv_check(world.kv, NULL, NULL, &error), OK);
    kv_close(world.kv);
    struct kv_options options = {.read_only = true};
    assert_int_equal(kv_open(env_real(), path, &options, &world.kv, &error), OK);
    assert_true(slice_equal(kv_meta(world.kv), slice_make("m", 1)));
    assert_int_equal(kv_check(world.kv, NULL, NULL, &error), OK);
    kv_close(world.kv);
    env_mutex_destroy(checkpoints.mutex);
    env_cond_destroy(checkpoints.cond);
    assert_int_equal(env_file_remove(env_real(), path, NULL), OK);
    assert_int_equal(remove(directory), 0);
}

int main(int argc, char **argv)
{
    engine = argc > 1 ? kv_engine_from_name(argv[1]) : KV_ENGINE_BTREE;
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_beside_the_writer)};
    return cmocka_run_group_tests_name("kv_threads", tests, NULL, NULL);
}
