/* Random versions, views and overlays against a dull list of all that was ever written, of which a
 * collector takes away what no view at the watermark or above can see. */
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
#include "mvcc/mvcc.h"

enum {
    KEYS = 24,
    KEY_SIZE = 3,
    WRITES_MAX = 4000,
    OWN_MAX = 16,
    SEEDS = 12,
    ROUNDS = 1500,
    SYSTEM_KEYS = 3
};

struct written {
    uint32_t key;
    uint64_t version;
    uint32_t value; /* 0: a tombstone */
};

struct world {
    struct env_sim *machine;
    struct kv *kv;
    struct prng prng;
    struct written writes[WRITES_MAX];
    uint32_t count;
    uint64_t version;
    uint32_t values;
    struct mvcc_collector *collector;
    uint64_t watermark;
    bool walking;   /* the collector hears of nothing: garbage is found by walking */
    bool few;       /* most writes go to three keys */
    bool replacing; /* some writes go in place of what was there */
};

static struct error error;

static void assert_ok_at(status_t status, int line)
{
    if (status != OK)
        fail_msg("line %d: %s: %s", line, status_name(status), error.message);
}

#define assert_ok(call) assert_ok_at(call, __LINE__)

static struct slice key_of(uint32_t key, uint8_t bytes[KEY_SIZE])
{
    /* Some begin with the smallest byte allowed, some with the largest there is. */
    bytes[0] = key < 4 ? MVCC_KEY_FIRST_MIN : key < 20 ? 'k' : 0xff;
    bytes[1] = key < 20 ? 0 : 0xff;
    bytes[2] = (uint8_t)(key * 10);
    return slice_make(bytes, KEY_SIZE);
}

static uint32_t key_any(struct world *world)
{
    if (world->few && prng_chance(&world->prng, 4, 5))
        return 7 + (uint32_t)prng_below(&world->prng, 3);
    return (uint32_t)prng_below(&world->prng, KEYS);
}

static void value_make(uint32_t value, struct buffer *out)
{
    buffer_reset(out);
    buffer_printf(out, "value %u", value);
    /* Now and then one of several pages. */
    while (value % 31 == 0 && out->size < 9000)
        buffer_append_byte(out, (uint8_t)value);
}

static void write_any(struct world *world)
{
    if (world->count == WRITES_MAX)
        return;
    uint8_t bytes[KEY_SIZE];
    world->version += prng_below(&world->prng, 3) == 0;
    struct written write = {.key = key_any(world), .version = world->version};
    for (uint32_t i = 0; i < world->count; i++)
        if (world->writes[i].key == write.key && world->writes[i].version == write.version)
            return;
    if (!prng_chance(&world->prng, 1, 4))
        write.value = ++world->values;
    struct buffer value = {0};
    value_make(write.value, &value);
    struct slice given = buffer_slice(&value);
    bool garbage;
    assert_ok(mvcc_write(world->kv, key_of(write.key, bytes), write.version,
                         write.value ? &given : NULL, &garbage, &error));
    buffer_free(&value);
    assert_true(garbage || write.value);
    if (garbage && !world->walking)
        mvcc_collector_note(world->collector, key_of(write.key, bytes), write.version);
    world->writes[world->count++] = write;
}

/* Many writes at a version of their own, in place of what was there. */
static void replace_some(struct world *world)
{
    struct mvcc_replace replace;
    bool taken[KEYS] = {false};
    uint32_t wanted = 1 + (uint32_t)prng_below(&world->prng, KEYS);
    bool sorted = prng_chance(&world->prng, 3, 4);
    struct buffer value = {0};
    world->version++;
    mvcc_replace_begin(&replace, world->kv, world->version, wanted,
                       world->walking ? NULL : world->collector);
    for (uint32_t i = 0; i < wanted && world->count < WRITES_MAX; i++) {
        uint8_t bytes[KEY_SIZE];
        struct written write = {.key = sorted ? i : key_any(world), .version = world->version};
        if (taken[write.key] || prng_chance(&world->prng, 1, 4))
            continue;
        taken[write.key] = true;
        if (!prng_chance(&world->prng, 1, 3))
            write.value = ++world->values;
        value_make(write.value, &value);
        struct slice given = buffer_slice(&value);
        assert_ok(mvcc_replace_add(&replace, key_of(write.key, bytes), write.value ? &given : NULL,
                                   &error));
        world->writes[world->count++] = write;
    }
    assert_ok(mvcc_replace_end(&replace, &error));
    mvcc_replace_free(&replace);
    buffer_free(&value);
    world->watermark = world->version++;
}

/* What others keep in the same tree, on both sides of the smallest user key. */
static void system_keys_write(struct world *world)
{
    assert_ok(kv_put(world->kv, slice_make("\x01", 1), slice_make("s", 1), &error));
    assert_ok(kv_put(world->kv, slice_make("\x02origin", 7), slice_make("s", 1), &error));
    assert_ok(kv_put(world->kv, slice_make("\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10),
                     slice_make("s", 1), &error));
}

/* ---- collection -------------------------------------------------------------------------------
 */

static void found(void *context, struct slice key)
{
    struct world *world = context;
    mvcc_collector_note(world->collector, key, 0);
}

static void walk(struct world *world)
{
    struct kv_snapshot *snapshot;
    struct buffer next = {0};
    assert_ok(kv_publish(world->kv, &error));
    assert_ok(kv_snapshot_open(world->kv, &snapshot, &error));
    do {
        assert_ok(mvcc_garbage_find(snapshot, buffer_slice(&next), world->watermark,
                                    1 + (uint32_t)prng_below(&world->prng, 9), found, world, &next,
                                    &error));
    } while (next.size > 0);
    buffer_free(&next);
    kv_snapshot_close(snapshot);
}

/* How many of the versions written must still be there. */
static uint64_t versions_needed(const struct world *world)
{
    uint64_t needed = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        const struct written *newest = NULL;
        for (uint32_t i = 0; i < world->count; i++) {
            const struct written *write = &world->writes[i];
            if (write->key != key)
                continue;
            needed += write->version > world->watermark;
            if (write->version <= world->watermark && (!newest || write->version > newest->version))
                newest = write;
        }
        needed += newest && newest->value != 0;
    }
    return needed;
}

static void collect_some(struct world *world)
{
    uint32_t removed;
    /* Nothing is written at or below it any more. */
    if (world->version > world->watermark && prng_chance(&world->prng, 1, 2))
        world->watermark += prng_below(&world->prng, world->version - world->watermark);
    uint32_t limit =
        1 + (uint32_t)prng_below(&world->prng, prng_chance(&world->prng, 1, 2) ? 3 : 90);
    assert_ok(mvcc_collect(world->collector, world->kv, world->watermark, limit, &removed, &error));
    assert_true(removed <= limit);
}

static bool has_watermark(struct world *world)
{
    static const uint8_t first = MVCC_WATERMARK_PREFIX;
    struct kv_cursor cursor;
    kv_cursor_init_latest(&cursor, world->kv);
    assert_ok(kv_cursor_seek(&cursor, slice_make(&first, 1), &error));
    return kv_cursor_valid(&cursor) && kv_cursor_key(&cursor).data[0] == first;
}

static void collect_all(struct world *world)
{
    struct kv_stats stats;
    uint32_t removed;
    if (world->walking)
        walk(world);
    else /* a key may wait behind one that has to wait longer */
        world->watermark = world->version++;
    assert_ok(
        mvcc_collect(world->collector, world->kv, world->watermark, UINT32_MAX, &removed, &error));
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries,
                     (uint64_t)SYSTEM_KEYS + has_watermark(world) + versions_needed(world));
    uint32_t waiting = mvcc_collector_waiting(world->collector);
    walk(world);
    assert_int_equal(mvcc_collector_waiting(world->collector), waiting);
    assert_int_equal(waiting, 0);
}

/* ---- the model of a view -------------------------------------------------------------------- */

struct own {
    struct written writes[OWN_MAX];
    uint32_t count;
};

/* The value number a reader at `version` sees, 0 for none. */
static uint32_t expected(const struct world *world, uint32_t written, const struct own *own,
                         uint32_t key, uint64_t version)
{
    for (uint32_t i = own->count; i-- > 0;)
        if (own->writes[i].key == key)
            return own->writes[i].value;
    uint32_t value = 0;
    uint64_t best = 0;
    for (uint32_t i = 0; i < written; i++) {
        const struct written *write = &world->writes[i];
        if (write->key == key && write->version <= version && write->version >= best) {
            best = write->version;
            value = write->value;
        }
    }
    return value;
}

static void overlay_fill(struct world *world, struct mvcc_overlay *overlay, struct own *own)
{
    uint8_t bytes[KEY_SIZE];
    struct buffer value = {0};
    own->count = (uint32_t)prng_below(&world->prng, OWN_MAX);
    if (prng_chance(&world->prng, 1, 3))
        own->count = 0;
    for (uint32_t i = 0; i < own->count; i++) {
        own->writes[i].key = key_any(world);
        own->writes[i].value = prng_chance(&world->prng, 1, 3) ? 0 : ++world->values;
        value_make(own->writes[i].value, &value);
        struct slice given = buffer_slice(&value);
        assert_ok(mvcc_overlay_write(overlay, key_of(own->writes[i].key, bytes),
                                     own->writes[i].value ? &given : NULL));
    }
    buffer_free(&value);
}

static void value_check(uint32_t number, struct slice got)
{
    struct buffer value = {0};
    value_make(number, &value);
    assert_int_equal(got.size, value.size);
    assert_memory_equal(got.data, value.data, value.size);
    buffer_free(&value);
}

/* `look`: by this scan, or NULL; `near`: likewise. */
static void get_check(struct world *world, const struct mvcc_view *view, uint32_t written,
                      const struct own *own, uint32_t key, struct mvcc_scan *look,
                      struct mvcc_near *near)
{
    uint8_t bytes[KEY_SIZE];
    uint32_t number = expected(world, written, own, key, view->version);
    struct slice value;
    bool is_own;
    status_t status = look   ? mvcc_scan_get(look, key_of(key, bytes), &value, &is_own, &error)
                      : near ? mvcc_near_get(near, key_of(key, bytes), &value, &is_own, &error)
                             : mvcc_get(view, key_of(key, bytes), &value, &is_own, &error);
    assert_int_equal(status, number ? OK : ERR_NOT_FOUND);
    if (number)
        value_check(number, value);
    bool in_overlay = false;
    for (uint32_t i = 0; i < own->count; i++)
        in_overlay = in_overlay || own->writes[i].key == key;
    assert_int_equal(is_own, in_overlay);
}

/* One by one, many at a time, or now this and now that. */
struct walk {
    uint64_t chance; /* of two that many are asked for */
    struct kv_entry entries[8];
    uint32_t count;
    uint32_t at;
    struct arena keys;
};

static struct kv_entry walk_next(struct world *world, struct walk *walk, struct mvcc_scan *scan)
{
    if (walk->at < walk->count)
        return walk->entries[walk->at++];
    if (!prng_chance(&world->prng, walk->chance, 2)) {
        struct kv_entry entry;
        assert_ok(mvcc_scan_next(scan, &entry.key, &entry.value, &error));
        return entry;
    }
    uint32_t max = (uint32_t)prng_between(&world->prng, 1, 8);
    arena_reset(&walk->keys);
    assert_ok(mvcc_scan_next_many(scan, walk->entries, max, &walk->count, &walk->keys, &error));
    assert_in_range(walk->count, 1, max);
    walk->at = 1;
    return walk->entries[0];
}

/* `look`: by this scan, moved, which is left now and then before its end; or NULL. */
static void scan_check(struct world *world, const struct mvcc_view *view, uint32_t written,
                       const struct own *own, struct mvcc_scan *look)
{
    uint8_t low_bytes[KEY_SIZE], high_bytes[KEY_SIZE], bytes[KEY_SIZE];
    bool reverse = !look && prng_chance(&world->prng, 1, 2);
    uint64_t wanted_max =
        look && prng_chance(&world->prng, 1, 2) ? prng_below(&world->prng, 4) : KEYS;
    uint32_t low = (uint32_t)prng_below(&world->prng, KEYS);
    uint32_t high = low + (uint32_t)prng_below(&world->prng, KEYS - low);
    bool from_start = prng_chance(&world->prng, 1, 3), to_end = prng_chance(&world->prng, 1, 3);
    struct slice low_key = key_of(low, low_bytes), high_key = key_of(high, high_bytes);
    if (from_start) {
        low_key = (struct slice){0};
        low = 0;
    }
    if (to_end) {
        high_key = (struct slice){0};
        high = KEYS;
    }
    struct walk walk = {.chance = prng_below(&world->prng, 3)};
    struct mvcc_scan own_scan, *scan = look ? look : &own_scan;
    if (look)
        assert_ok(mvcc_scan_move(scan, low_key, high_key, &error));
    else
        assert_ok(mvcc_scan_begin(scan, view, low_key, high_key, reverse, &error));
    scan->is_keyless = prng_chance(&world->prng, 1, 2);
    for (uint32_t i = 0; i < high - low && wanted_max > 0; i++) {
        uint32_t key = reverse ? high - 1 - i : low + i;
        uint32_t number = expected(world, written, own, key, view->version);
        if (!number)
            continue;
        wanted_max--;
        struct kv_entry got = walk_next(world, &walk, scan);
        struct slice wanted = key_of(key, bytes);
        value_check(number, got.value);
        if (!scan->is_keyless) {
            assert_int_equal(got.key.size, wanted.size);
            assert_memory_equal(got.key.data, wanted.data, wanted.size);
        } else if (walk.at > 0 && walk.at == walk.count) {
            uint8_t next[KEY_SIZE];
            assert_true(slice_compare(got.key, wanted) >= 0);
            assert_true(reverse || key + 1 == KEYS ||
                        slice_compare(got.key, key_of(high - 1, next)) <= 0);
        }
    }
    arena_free(&walk.keys);
    if (wanted_max == 0)
        return;
    assert_int_equal(walk.at, walk.count);
    struct slice key, value;
    assert_int_equal(mvcc_scan_next(scan, &key, &value, &error), ERR_NOT_FOUND);
    assert_int_equal(mvcc_scan_next(scan, &key, &value, &error), ERR_NOT_FOUND);
}

static void look_check(struct world *world, const struct mvcc_view *view, uint32_t written,
                       const struct own *own)
{
    struct mvcc_scan look;
    mvcc_scan_init(&look, view);
    for (int i = 0; i < 8; i++) {
        if (prng_chance(&world->prng, 1, 2))
            get_check(world, view, written, own, (uint32_t)prng_below(&world->prng, KEYS), &look,
                      NULL);
        else
            scan_check(world, view, written, own, &look);
    }
}

/* To and fro, most of the time to the next key. */
static void near_check(struct world *world, const struct mvcc_view *view, uint32_t written,
                       const struct own *own)
{
    struct mvcc_near *near = mvcc_near_create(view);
    uint32_t key = 0;
    for (int i = 0; i < 12; i++) {
        key = prng_chance(&world->prng, 3, 4) ? key + 1 : (uint32_t)prng_below(&world->prng, KEYS);
        get_check(world, view, written, own, key % KEYS, NULL, near);
    }
    mvcc_near_destroy(near);
}

static void count_check(struct world *world, const struct mvcc_view *view, uint32_t written,
                        const struct own *own)
{
    uint8_t low_bytes[KEY_SIZE], high_bytes[KEY_SIZE];
    uint32_t low = (uint32_t)prng_below(&world->prng, KEYS);
    uint32_t high = low + (uint32_t)prng_below(&world->prng, KEYS - low);
    bool to_end = prng_chance(&world->prng, 1, 3);
    struct slice low_key = key_of(low, low_bytes), high_key = key_of(high, high_bytes);
    if (to_end)
        high_key = (struct slice){0};
    struct mvcc_count count;
    if (!mvcc_count_begin(&count, view, low_key, high_key)) {
        assert_true(own->count > 0);
        return;
    }
    while (!count.at_end)
        assert_ok(mvcc_count_step(&count, &error));
    uint64_t keys = 0;
    for (uint32_t key = low; key < (to_end ? (uint32_t)KEYS : high); key++)
        keys += expected(world, written, own, key, view->version) != 0;
    assert_int_equal(count.keys, keys);
}

static void view_check(struct world *world)
{
    struct kv_snapshot *snapshot;
    struct mvcc_overlay overlay;
    struct own own = {0};
    assert_ok(kv_publish(world->kv, &error));
    assert_ok(kv_snapshot_open(world->kv, &snapshot, &error));
    uint32_t written = world->count;
    mvcc_overlay_init(&overlay, 1 << 20);
    overlay_fill(world, &overlay, &own);
    /* The snapshot does not see what is written behind it. */
    for (uint64_t more = prng_below(&world->prng, 4); more; more--)
        write_any(world);
    struct mvcc_view view;
    uint64_t watermark, version = prng_below(&world->prng, world->version + 2);
    assert_ok(mvcc_watermark(snapshot, &watermark, &error));
    assert_true(watermark <= world->watermark);
    status_t status =
        mvcc_view_open(&view, snapshot, version,
                       own.count || prng_chance(&world->prng, 1, 2) ? &overlay : NULL, &error);
    assert_int_equal(status, version < watermark ? ERR_TOO_OLD : OK);
    if (status != OK) {
        mvcc_overlay_free(&overlay);
        kv_snapshot_close(snapshot);
        return;
    }
    /* Nor what is collected behind it. */
    if (prng_chance(&world->prng, 1, 2))
        collect_some(world);
    for (int i = 0; i < 4; i++)
        get_check(world, &view, written, &own, (uint32_t)prng_below(&world->prng, KEYS), NULL,
                  NULL);
    near_check(world, &view, written, &own);
    for (int i = 0; i < 3; i++)
        scan_check(world, &view, written, &own, NULL);
    look_check(world, &view, written, &own);
    for (int i = 0; i < 3; i++)
        count_check(world, &view, written, view.overlay ? &own : &(struct own){0});
    mvcc_overlay_free(&overlay);
    kv_snapshot_close(snapshot);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *world = mem_zalloc(1, sizeof *world);
        world->machine = env_sim_create(seed);
        world->few = seed % 2;
        world->replacing = seed % 4 >= 2;
        world->walking = seed % 3 == 0;
        world->collector = mvcc_collector_create(0);
        assert_true(mvcc_collector_lost(world->collector));
        prng_seed(&world->prng, seed);
        struct env *env = env_sim_env(world->machine);
        assert_ok(env_dir_create(env, "/data", &error));
        assert_ok(kv_open(env, "/data/store", NULL, &world->kv, &error));
        system_keys_write(world);
        for (int round = 0; round < ROUNDS; round++) {
            if (prng_chance(&world->prng, 3, 4))
                write_any(world);
            else
                view_check(world);
            if (world->replacing && prng_chance(&world->prng, 1, 10))
                replace_some(world);
            if (prng_chance(&world->prng, 1, 10))
                collect_some(world);
            if (prng_chance(&world->prng, 1, 100))
                collect_all(world);
        }
        assert_false(mvcc_collector_lost(world->collector));
        mvcc_collector_destroy(world->collector);
        kv_close(world->kv);
        env_sim_destroy(world->machine);
        mem_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("mvcc_model", tests, NULL, NULL);
}
