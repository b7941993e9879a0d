/* The tree against a dull sorted array.
 *
 * A fixed set of keys is sorted once; the model is an array with one number a key: 0 for absent,
 * else the seed from which the value's bytes follow. Random operations go to both; snapshots keep a
 * copy of the array; a reopening goes back to the copy taken at the last checkpoint. kv_check
 * proves the file now and then.
 *
 * TOYDB_MODEL_OPS sets the number of operations, TOYDB_SEED the seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "kv/kv.h"

#define KEYS      6000u
#define SNAPSHOTS 6u
#define VALUE_MAX 20000u

struct view {
    struct kv_snapshot *snapshot;
    uint32_t *model;
};

/* Of the program's argument; the tree's without one. */
static enum kv_engine engine;

struct world {
    struct env_sim *sim;
    struct kv *kv;
    struct prng prng;
    uint64_t ops_done;
    struct slice *keys;
    uint32_t *latest;    /* seeds, by key */
    uint32_t *published; /* what new snapshots see */
    uint32_t *durable;   /* what a crash leaves */
    uint32_t *frozen;    /* of the running checkpoint */
    struct kv_checkpoint *checkpoint;
    struct view views[SNAPSHOTS];
    struct kv_scrub scrub;
    uint8_t *value;
    uint32_t next_seed;
    uint64_t pages_cut; /* off the end of the file */
};

static void fail_at(const struct world *world, const char *what)
{
    fail_msg("operation %llu: %s", (unsigned long long)world->ops_done, what);
}

static void expect(const struct world *world, bool condition, const char *what)
{
    if (!condition)
        fail_at(world, what);
}

static void expect_ok(const struct world *world, status_t status, const struct error *error)
{
    if (status != OK)
        fail_msg("operation %llu: %s: %s", (unsigned long long)world->ops_done, status_name(status),
                 error->message);
}

static struct slice value_of(struct world *world, uint32_t key, uint32_t seed)
{
    struct prng prng;
    prng_seed(&prng, (uint64_t)seed << 32 | key);
    uint64_t kind = prng_below(&prng, 200), size = prng_below(&prng, 60);
    if (kind < 20)
        size = prng_below(&prng, 900);
    else if (kind < 24)
        size = prng_below(&prng, 5000);
    else if (kind == 24)
        size = prng_below(&prng, VALUE_MAX);
    for (uint64_t i = 0; i < size; i += 8)
        put_u64_le(world->value + i, prng_next(&prng));
    return slice_make(world->value, size);
}

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Keys of many shapes: few tables with long common prefixes, some very long, some tiny; no two
 * alike, since each carries its number. */
static void make_keys(struct world *world)
{
    world->keys = mem_zalloc(KEYS, sizeof *world->keys);
    for (uint32_t i = 0; i < KEYS; i++) {
        uint8_t *bytes = mem_alloc(KV_KEY_SIZE_MAX);
        size_t size = prng_below(&world->prng, 4);
        uint64_t kind = prng_below(&world->prng, 20);
        memset(bytes, (int)('a' + size), size * 8);
        size *= 8;
        if (kind == 0) {
            size_t more = prng_below(&world->prng, KV_KEY_SIZE_MAX - size - 4);
            memset(bytes + size, 'z', more);
            size += more;
        }
        put_u32_be(bytes + size, kind < 10 ? i : i * 2654435761u);
        world->keys[i] = slice_make(bytes, size + 4);
    }
    qsort(world->keys, KEYS, sizeof *world->keys, compare_keys);
    for (uint32_t i = 1; i < KEYS; i++)
        if (slice_equal(world->keys[i - 1], world->keys[i])) /* vanishingly rare: make it longer */
            put_u32_be((uint8_t *)(uintptr_t)world->keys[i].data + world->keys[i].size++, i);
    qsort(world->keys, KEYS, sizeof *world->keys, compare_keys);
}

static void copy_model(uint32_t *to, const uint32_t *from)
{
    memcpy(to, from, KEYS * sizeof *to);
}

static void open_kv(struct world *world)
{
    struct error error;
    struct kv_options options = {.engine = engine,
                                 .growth_bytes = 64 << 10,
                                 .map_size_max = 1ull << 30,
                                 .run_bytes = 32 << 10};
    expect_ok(world, kv_open(env_sim_env(world->sim), "/data/store", &options, &world->kv, &error),
              &error);
}

static void report(void *context, const char *problem)
{
    fprintf(stderr, "# %s\n", problem);
    (void)context;
}

static void check_kv(struct world *world)
{
    struct error error;
    expect_ok(world, kv_check(world->kv, report, NULL, &error), &error);
    for (uint64_t round = world->scrub.rounds; world->scrub.rounds == round;)
        expect_ok(world, kv_scrub_step(world->kv, &world->scrub, 100, &error), &error);
}

/* ---- reading -------------------------------------------------------------------------------- */

static void compare_get(struct world *world, struct view *view, uint32_t key)
{
    struct slice value;
    struct error error;
    const uint32_t *model = view != NULL ? view->model : world->latest;
    status_t status = view != NULL ? kv_get(view->snapshot, world->keys[key], &value, &error)
                                   : kv_get_latest(world->kv, world->keys[key], &value, &error);
    if (model[key] == 0) {
        expect(world, status == ERR_NOT_FOUND, "a key that is absent was found");
        return;
    }
    expect_ok(world, status, &error);
    expect(world, slice_equal(value, value_of(world, key, model[key])), "get: wrong value");
}

/* Moves `at` to the nearest present key at or beyond it; KEYS (or wrap to UINT32_MAX) at the end.
 */
static uint32_t model_seek(const uint32_t *model, uint32_t at, int step)
{
    while (at < KEYS && model[at] == 0)
        at += (uint32_t)step;
    return at;
}

/* Steps from where `status` says that the cursor was placed. */
static void compare_steps(struct world *world, struct kv_cursor *cursor, status_t status,
                          const uint32_t *model, uint32_t from, uint32_t steps, int step,
                          struct error *error)
{
    uint32_t at = model_seek(model, from, step);
    for (uint32_t i = 0; i < steps; i++) {
        struct slice value;
        expect_ok(world, status, error);
        expect(world, kv_cursor_valid(cursor) == (at < KEYS), "cursor: wrong end");
        if (at >= KEYS)
            return;
        expect(world, slice_equal(kv_cursor_key(cursor), world->keys[at]), "cursor: wrong key");
        expect_ok(world, kv_cursor_value(cursor, &value, error), error);
        expect(world, slice_equal(value, value_of(world, at, model[at])), "cursor: wrong value");
        at = model_seek(model, at + (uint32_t)step, step);
        status = step > 0 ? kv_cursor_next(cursor, error) : kv_cursor_prev(cursor, error);
    }
}

static void compare_walk(struct world *world, struct view *view, uint32_t from, uint32_t steps,
                         int step)
{
    struct kv_cursor cursor;
    struct error error;
    const uint32_t *model = view != NULL ? view->model : world->latest;
    if (view != NULL)
        kv_cursor_init(&cursor, view->snapshot);
    else
        kv_cursor_init_latest(&cursor, world->kv);
    status_t status = step > 0 ? kv_cursor_seek(&cursor, world->keys[from], &error)
                               : kv_cursor_seek_reverse(&cursor, world->keys[from], &error);
    compare_steps(world, &cursor, status, model, from, steps, step, &error);
}

/* One cursor, placed again and again: near, far, and from beyond the end. */
static void compare_near(struct world *world, struct view *view, uint32_t places)
{
    struct kv_cursor cursor;
    struct error error;
    const uint32_t *model = view != NULL ? view->model : world->latest;
    if (view != NULL)
        kv_cursor_init(&cursor, view->snapshot);
    else
        kv_cursor_init_latest(&cursor, world->kv);
    uint32_t from = (uint32_t)prng_below(&world->prng, KEYS);
    for (uint32_t i = 0; i < places; i++) {
        if (prng_chance(&world->prng, 1, 4))
            from = (uint32_t)prng_below(&world->prng, KEYS);
        else
            from = (from + (uint32_t)prng_below(&world->prng, 40)) % KEYS;
        status_t status = kv_cursor_seek_near(&cursor, world->keys[from], &error);
        int step = prng_chance(&world->prng, 3, 4) ? 1 : -1;
        /* Placed at the first behind a key that is not there. */
        uint32_t at = model_seek(model, from, 1);
        compare_steps(world, &cursor, status, model, at, (uint32_t)prng_below(&world->prng, 9) + 1,
                      step, &error);
    }
}

/* Key order only, from end to end: fast enough to be done often. */
static void compare_all(struct world *world, struct view *view)
{
    struct kv_cursor cursor;
    struct error error;
    uint32_t at = model_seek(view->model, 0, 1);
    kv_cursor_init(&cursor, view->snapshot);
    status_t status = kv_cursor_first(&cursor, &error);
    for (; status == OK && kv_cursor_valid(&cursor); status = kv_cursor_next(&cursor, &error)) {
        expect(world, at < KEYS && slice_equal(kv_cursor_key(&cursor), world->keys[at]),
               "full walk: wrong key");
        at = model_seek(view->model, at + 1, 1);
    }
    expect_ok(world, status, &error);
    expect(world, at >= KEYS, "full walk: too short");
}

static struct view *any_view(struct world *world)
{
    struct view *view = &world->views[prng_below(&world->prng, SNAPSHOTS)];
    return view->snapshot != NULL ? view : NULL;
}

/* ---- operations ----------------------------------------------------------------------------- */

static void put(struct world *world, uint32_t key)
{
    struct error error;
    uint32_t seed = world->next_seed++;
    expect_ok(world, kv_put(world->kv, world->keys[key], value_of(world, key, seed), &error),
              &error);
    world->latest[key] = seed;
}

static void delete (struct world *world, uint32_t key)
{
    struct error error;
    bool found;
    expect_ok(world, kv_delete(world->kv, world->keys[key], &found, &error), &error);
    expect(world, found == (world->latest[key] != 0), "delete: wrong answer");
    world->latest[key] = 0;
}

/* A range between two keys, or to an end; sometimes only the lowest keys of it. */
static void delete_range(struct world *world)
{
    struct error error;
    uint64_t removed, wide = prng_chance(&world->prng, 1, 20) ? KEYS : 300;
    uint32_t low = (uint32_t)prng_below(&world->prng, KEYS), high = low;
    high += (uint32_t)prng_below(&world->prng, wide);
    bool to_end = high >= KEYS;
    if (to_end)
        high = KEYS;
    uint64_t limit = prng_chance(&world->prng, 1, 2) ? UINT64_MAX : prng_below(&world->prng, 100);
    struct slice from = world->keys[low], to = to_end ? (struct slice){0} : world->keys[high];
    expect_ok(world, kv_delete_range(world->kv, from, to, limit, &removed, &error), &error);
    uint64_t gone = 0, there = 0;
    for (uint32_t key = low; key < high; key++)
        there += world->latest[key] != 0;
    for (uint32_t key = low; key < high && gone < removed; key++) {
        gone += world->latest[key] != 0;
        world->latest[key] = 0;
    }
    expect(world, gone == removed && (removed == there || removed >= limit),
           "delete_range: wrong number");
    expect(world, limit == UINT64_MAX || removed < limit + 4096 / 8, "delete_range: far too many");
    compare_walk(world, NULL, low, 5, 1);
    world->ops_done += removed;
}

/* ---- many at once ----------------------------------------------------------------------------
 */

enum { CHANGES_MAX = 400 };

struct changes {
    struct kv_change items[CHANGES_MAX];
    uint32_t keys[CHANGES_MAX]; /* and their keys' numbers */
    uint32_t seeds[CHANGES_MAX];
    uint32_t count;
    struct arena values;
};

static bool shares(struct slice key, const struct kv_change *change)
{
    return slice_has_prefix(key, slice_make(change->key.data, change->shared));
}

/* From a key on, of those some or all, each with less of its end that counts. */
static void changes_fill(struct world *world, struct changes *changes, bool deleting)
{
    uint32_t key = (uint32_t)prng_below(&world->prng, KEYS);
    uint64_t wanted =
        1 + prng_below(&world->prng, prng_chance(&world->prng, 1, 2) ? CHANGES_MAX : 4);
    uint64_t share = prng_chance(&world->prng, 1, 2) ? 100 : prng_below(&world->prng, 100);
    uint64_t away = prng_chance(&world->prng, 1, 3) ? 100 : deleting ? 80 : 30;
    uint32_t trim = prng_chance(&world->prng, 1, 2) ? 0 : 1 + (uint32_t)prng_below(&world->prng, 2);
    for (; key < KEYS && changes->count < wanted; key++) {
        struct kv_change *change = &changes->items[changes->count];
        change->key = world->keys[key];
        change->shared = (uint32_t)change->key.size - trim;
        if (changes->count > 0 &&
            (shares(change->key, change - 1) || shares(change[-1].key, change)))
            continue;
        if (!prng_chance(&world->prng, share, 100) && changes->count > 0)
            continue;
        change->remove = prng_chance(&world->prng, away, 100);
        changes->keys[changes->count] = key;
        changes->seeds[changes->count] = world->next_seed++;
        change->value =
            arena_copy(&changes->values, value_of(world, key, changes->seeds[changes->count]));
        changes->count++;
    }
}

/* What the change must have done. */
static void change_follow(struct world *world, const struct changes *changes, uint32_t i)
{
    const struct kv_change *change = &changes->items[i];
    uint32_t key = changes->keys[i], at = model_seek(world->latest, key, 1);
    bool form =
        at < KEYS && world->keys[at].size == change->key.size && shares(world->keys[at], change);
    uint32_t next = form ? model_seek(world->latest, at + 1, 1) : at;
    bool followed = next < KEYS && world->keys[next].size == change->key.size &&
                    shares(world->keys[next], change);
    expect(world, change->followed || !followed, "replace: a form behind was not seen");
    /* One on the next page stays, and counts as one behind. */
    struct slice value;
    bool stays = form && at != key && change->followed &&
                 kv_get_latest(world->kv, world->keys[at], &value, NULL) == OK;
    if (form && !stays)
        world->latest[at] = 0;
    if (!change->remove || change->followed)
        world->latest[key] = changes->seeds[i];
}

static void replace(struct world *world, bool deleting)
{
    struct error error;
    struct changes changes = {0};
    uint32_t done;
    if (!kv_replaces(world->kv))
        return;
    changes_fill(world, &changes, deleting);
    expect_ok(world, kv_replace(world->kv, changes.items, changes.count, &done, &error), &error);
    expect(world, done == changes.count, "replace: not all was done");
    for (uint32_t i = 0; i < changes.count; i++)
        change_follow(world, &changes, i);
    if (changes.count > 0)
        compare_walk(world, NULL, changes.keys[0], changes.count + 5, 1);
    world->ops_done += changes.count;
    arena_free(&changes.values);
}

static void publish(struct world *world)
{
    struct error error;
    expect_ok(world, kv_publish(world->kv, &error), &error);
    copy_model(world->published, world->latest);
}

static void close_view(struct world *world, struct view *view)
{
    if (view->snapshot == NULL)
        return;
    compare_all(world, view);
    kv_snapshot_close(view->snapshot);
    view->snapshot = NULL;
}

static void turn_view(struct world *world)
{
    struct error error;
    struct view *view = &world->views[prng_below(&world->prng, SNAPSHOTS)];
    if (view->snapshot != NULL) {
        close_view(world, view);
    } else {
        expect_ok(world, kv_snapshot_open(world->kv, &view->snapshot, &error), &error);
        copy_model(view->model, world->published);
    }
}

/* One of the three steps; write and end come after some other operations. */
static void turn_checkpoint_of(struct world *world, bool writing)
{
    struct error error;
    uint8_t meta[8];
    if (world->checkpoint == NULL) {
        put_u64_le(meta, world->ops_done);
        expect_ok(world,
                  kv_checkpoint_begin(world->kv, slice_make(meta, sizeof meta), &world->checkpoint,
                                      &error),
                  &error);
        copy_model(world->frozen, world->published);
        return;
    }
    expect_ok(world, kv_checkpoint_write(world->checkpoint, &error), &error);
    copy_model(world->durable, world->frozen);
    if (writing && prng_chance(&world->prng, 1, 2)) {
        put(world, (uint32_t)prng_below(&world->prng, KEYS));
        publish(world);
    }
    expect_ok(world, kv_checkpoint_end(world->kv, world->checkpoint, &error), &error);
    world->checkpoint = NULL;
    expect(world, kv_meta(world->kv).size == sizeof meta, "app_meta is lost");
}

static void turn_checkpoint(struct world *world)
{
    turn_checkpoint_of(world, true);
}

/* The process dies and the machine perhaps with it. */
static void reopen(struct world *world)
{
    struct error error;
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        close_view(world, &world->views[i]);
    if (world->checkpoint != NULL) { /* closing needs it to have ended; it has reached the disk */
        expect_ok(world, kv_checkpoint_write(world->checkpoint, &error), &error);
        expect_ok(world, kv_checkpoint_end(world->kv, world->checkpoint, &error), &error);
        world->checkpoint = NULL;
        copy_model(world->durable, world->frozen);
    }
    bool power_cut = prng_chance(&world->prng, 1, 2);
    if (power_cut)
        env_sim_power_off(world->sim);
    kv_close(world->kv);
    if (power_cut)
        env_sim_power_on(world->sim);
    open_kv(world);
    copy_model(world->latest, world->durable);
    copy_model(world->published, world->durable);
    check_kv(world);
}

static void write_some(struct world *world, bool deleting)
{
    uint32_t key = (uint32_t)prng_below(&world->prng, KEYS);
    if (prng_chance(&world->prng, deleting ? 3 : 1, 1000)) {
        delete_range(world);
    } else if (prng_chance(&world->prng, 1, 60)) {
        replace(world, deleting);
    } else if (prng_chance(&world->prng, 1, 50)) { /* a run of neighbours */
        uint32_t run = (uint32_t)prng_below(&world->prng, 200);
        bool away = deleting || prng_chance(&world->prng, 1, 3);
        for (uint32_t i = key; i < key + run && i < KEYS; i++, world->ops_done++) {
            if (away)
                delete (world, i);
            else
                put(world, i);
        }
    } else if (prng_chance(&world->prng, deleting ? 70 : 30, 100)) {
        delete (world, key);
    } else {
        put(world, key);
    }
}

static uint32_t pages_in_use(const struct kv_stats *stats)
{
    return stats->pages - stats->pages_free - stats->pages_pending;
}

static void compact(struct world *world)
{
    struct error error;
    struct kv_stats before, after;
    uint64_t given;
    kv_stats(world->kv, &before);
    expect_ok(world,
              kv_compact(world->kv, prng_below(&world->prng, 1 << 20),
                         1 + (uint32_t)prng_below(&world->prng, 5), &given, &error),
              &error);
    kv_stats(world->kv, &after);
    if (engine == KV_ENGINE_LSM) { /* which merges a little on the way */
        expect(world, given % after.page_size == 0, "compact: not whole pages");
        return;
    }
    /* Pages change places, and go; those in use are as many as before. */
    expect(world,
           given % after.page_size == 0 && after.pages <= before.pages &&
               pages_in_use(&after) == pages_in_use(&before) && after.entries == before.entries,
           "compact: figures do not add up");
    world->pages_cut += before.pages - after.pages;
}

static void step(struct world *world)
{
    /* Times of growing and of shrinking take turns, down to an empty tree. */
    bool deleting = world->ops_done / 15000 % 3 == 2;
    uint64_t kind = prng_below(&world->prng, 10000);
    uint32_t key = (uint32_t)prng_below(&world->prng, KEYS);
    if (kind < 6000)
        write_some(world, deleting);
    else if (kind < 8000)
        compare_get(world, any_view(world), key);
    else if (kind < 8700)
        compare_walk(world, any_view(world), key, 20, prng_chance(&world->prng, 1, 2) ? 1 : -1);
    else if (kind < 9000)
        compare_near(world, any_view(world), 20);
    else if (kind < 9890)
        publish(world);
    else if (kind < 9940)
        turn_view(world);
    else if (kind < 9970)
        turn_checkpoint(world);
    else if (kind < 9980)
        compact(world);
    else if (kind < 9995)
        check_kv(world);
    else
        reopen(world);
    world->ops_done++;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* Fills the empty store in order, with what can happen meanwhile. */
static void load(struct world *world, uint64_t share)
{
    struct error error;
    struct kv_load *load;
    uint32_t last = KEYS;
    expect_ok(world, kv_load_begin(world->kv, &load, &error), &error);
    copy_model(world->published, world->latest);
    for (uint32_t key = 0; key < KEYS; key++) {
        if (!prng_chance(&world->prng, share, 100))
            continue;
        uint32_t seed = world->next_seed++;
        expect_ok(world, kv_load_put(load, world->keys[key], value_of(world, key, seed), &error),
                  &error);
        world->latest[key] = seed;
        last = key;
        world->ops_done++;
        if (prng_chance(&world->prng, 1, 300)) {
            status_t status = kv_load_put(load, world->keys[prng_below(&world->prng, key + 1)],
                                          slice_make("", 0), &error);
            expect(world, status == ERR_INVALID, "loaded out of order");
        } else if (prng_chance(&world->prng, 1, 400)) {
            turn_checkpoint_of(world, false);
        } else if (prng_chance(&world->prng, 1, 1000)) {
            check_kv(world);
            turn_view(world);
        }
    }
    if (prng_chance(&world->prng, 1, 3)) {
        kv_load_abort(load);
        copy_model(world->latest, world->published);
    } else {
        expect_ok(world, kv_load_end(load, &error), &error);
        copy_model(world->published, world->latest);
        expect(world, last == KEYS || kv_load_begin(world->kv, &load, &error) == ERR_INVALID,
               "a load into a store that is not empty");
    }
    check_kv(world);
}

static bool is_empty(const struct world *world)
{
    return model_seek(world->latest, 0, 1) >= KEYS;
}

static void run(uint64_t seed, uint64_t ops, bool loading)
{
    struct world world = {.sim = env_sim_create(seed), .next_seed = 1};
    uint32_t **models[] = {&world.latest, &world.published, &world.durable, &world.frozen};
    prng_seed(&world.prng, seed);
    world.value = mem_alloc(VALUE_MAX + 8);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        *models[i] = mem_zalloc(KEYS, sizeof(uint32_t));
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        world.views[i].model = mem_zalloc(KEYS, sizeof(uint32_t));
    assert_int_equal(env_dir_create(env_sim_env(world.sim), "/data", NULL), OK);
    make_keys(&world);
    open_kv(&world);
    while (world.ops_done < ops) {
        if (loading && is_empty(&world))
            load(&world, 1 + prng_below(&world.prng, 100));
        step(&world);
    }
    for (uint32_t key = 0; key < KEYS; key++)
        compare_get(&world, NULL, key);
    reopen(&world);
    for (uint32_t key = 0; key < KEYS; key++)
        compare_get(&world, NULL, key);

    if (engine == KV_ENGINE_BTREE && !loading && ops >= 50000)
        expect(&world, world.pages_cut > 1000, "the file was never made shorter");
    kv_close(world.kv);
    env_sim_destroy(world.sim);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        mem_free(*models[i]);
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        mem_free(world.views[i].model);
    for (uint32_t i = 0; i < KEYS; i++)
        mem_free((void *)(uintptr_t)world.keys[i].data);
    mem_free(world.keys);
    mem_free(world.value);
}

static void random_operations(void **state)
{
    uint64_t seed = number_from("TOYDB_SEED", 1);
    (void)state;
    print_message("# seed %llu\n", (unsigned long long)seed);
    run(seed, number_from("TOYDB_MODEL_OPS", 200000), false);
}

/* Stores that begin with a bulk load, of all sizes, worked on for a while. */
static void bulk_loads(void **state)
{
    uint64_t seed = number_from("TOYDB_SEED", 1);
    (void)state;
    for (uint64_t i = 0; i < 20; i++)
        run(seed * 1000 + i, number_from("TOYDB_MODEL_OPS", 200000) / 50, true);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        engine = kv_engine_from_name(argv[1]);
    assert_true(argc == 1 || engine != KV_ENGINE_ANY);
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations),
                                       cmocka_unit_test(bulk_loads)};
    return cmocka_run_group_tests_name("kv_model", tests, NULL, NULL);
}
