/* What a transaction has read is noted: all of it, and where ranges were not merged nothing else.
 *
 * Random reads of a store of some thousand keys, by gets, scans, look-ups and counts, some to their
 * end and some not, beside writes of the transaction's own. The model marks each key of the
 * universe, stored or not, whose writing by another would change what was read. Of these none may
 * be missing in the ranges that the certifier gets: a conflict would be lost. */
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
#include "txn/txn_int.h"

enum { KEYS = 3000, READS_MAX = 60, MERGING_READS = 6000, ROUNDS = 250, ENTRIES = 40 };

struct world {
    struct env_sim *machine;
    struct kv *kv;
    struct prng prng;
    struct slice keys[KEYS]; /* the universe, sorted */
    bool stored[KEYS];
    bool read[KEYS]; /* by the transaction */
    bool own[KEYS];  /* it wrote them */
    bool deleted[KEYS];
    struct txn txn;
    struct txn_scan look;
    struct arena look_keys;
    bool looking;
};

/* Of the program's argument; the tree's without one. */
static enum kv_engine engine;

static struct error error;

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Tables of keys of one size each: next to each other over the ends of bytes, with gaps of one, and
 * anywhere. */
static void keys_make(struct world *world)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t table = i % 6, size = 2 + table % 3 * 4;
        uint32_t number = table < 3 ? i + 65000 : table == 3 ? i * 2 : i * 2654435761u;
        uint8_t *bytes = mem_zalloc(1, size + 4);
        memset(bytes, table % 2 ? 0xff : 0, size);
        bytes[0] = (uint8_t)(MVCC_KEY_FIRST_MIN + table);
        put_u32_be(bytes + size, table < 3 ? number / 3 : number);
        world->keys[i] = slice_make(bytes, size + 4);
    }
    qsort(world->keys, KEYS, sizeof *world->keys, compare_keys);
}

static void store_fill(struct world *world)
{
    uint64_t share = prng_below(&world->prng, 101);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct slice value = slice_make("value", 5);
        bool gone = prng_chance(&world->prng, 1, 10);
        world->stored[i] = prng_chance(&world->prng, share, 100);
        if (world->stored[i] || gone)
            assert_int_equal(mvcc_write(world->kv, world->keys[i], 1 + prng_below(&world->prng, 5),
                                        world->stored[i] ? &value : NULL, NULL, &error),
                             OK);
        if (prng_chance(&world->prng, 1, 10)) /* of a commit that is not seen yet */
            assert_int_equal(mvcc_write(world->kv, world->keys[i], 8, &value, NULL, &error), OK);
    }
    assert_int_equal(kv_publish(world->kv, &error), OK);
}

/* ---- the model ------------------------------------------------------------------------------- */

static bool is_there(const struct world *world, uint32_t key)
{
    return world->own[key] ? !world->deleted[key] : world->stored[key];
}

static void mark(struct world *world, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        world->read[i] = true;
}

/* How far a walk of that many entries gets: behind the last one, or to the end. */
static uint32_t walk_end(const struct world *world, uint32_t low, uint32_t high, uint32_t wanted)
{
    for (uint32_t i = low; i < high; i++)
        if (is_there(world, i) && --wanted == 0)
            return i + 1;
    return high;
}

static uint32_t walk_back(const struct world *world, uint32_t low, uint32_t high, uint32_t wanted)
{
    for (uint32_t i = high; i > low; i--)
        if (is_there(world, i - 1) && --wanted == 0)
            return i - 1;
    return low;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Where the next read is to be: often right behind the one before. */
static uint32_t place_any(struct world *world, uint32_t before)
{
    uint32_t place = before + 1 + (uint32_t)prng_below(&world->prng, 3) / 2;
    return prng_chance(&world->prng, 3, 4) && place < KEYS
               ? place
               : (uint32_t)prng_below(&world->prng, KEYS);
}

static void get(struct world *world, uint32_t key, bool looking)
{
    struct slice value;
    status_t status = looking ? txn_look_get(&world->look, world->keys[key], &value, &error)
                              : txn_get(&world->txn, world->keys[key], &value, &error);
    assert_int_equal(status, is_there(world, key) ? OK : ERR_NOT_FOUND);
    if (!world->own[key])
        mark(world, key, key + 1);
}

/* Reads on until that many are there or none is left; true: the end was met. */
static bool walk(struct world *world, struct txn_scan *scan, uint32_t wanted, struct arena *keys)
{
    struct kv_entry entries[ENTRIES];
    struct slice key, value;
    bool one_by_one = prng_chance(&world->prng, 1, 3);
    while (wanted > 0) {
        if (one_by_one) {
            if (txn_scan_next(scan, &key, &value, &error) != OK)
                return true;
            wanted--;
            continue;
        }
        uint32_t count, max = 1 + (uint32_t)prng_below(&world->prng, ENTRIES);
        if (max > wanted)
            max = wanted;
        arena_reset(keys);
        memset(entries, 0, sizeof entries);
        assert_int_equal(txn_scan_next_many(scan, entries, max, &count, keys, &error), OK);
        wanted -= count;
        if (count < max)
            return true;
    }
    return false;
}

static void range_any(struct world *world, uint32_t low, uint32_t *high, struct slice *end)
{
    uint64_t wide = prng_chance(&world->prng, 1, 8) ? KEYS : 30;
    *high = low + (uint32_t)prng_below(&world->prng, wide);
    if (*high >= KEYS)
        *high = KEYS;
    *end = *high == KEYS ? (struct slice){0} : world->keys[*high];
}

static uint32_t wanted_any(struct world *world)
{
    return prng_chance(&world->prng, 1, 3) ? KEYS + 1 : (uint32_t)prng_below(&world->prng, 6);
}

static void scan(struct world *world, uint32_t low)
{
    struct txn_scan scan;
    struct arena keys = {0};
    struct slice end;
    uint32_t high, wanted = wanted_any(world);
    bool reverse = prng_chance(&world->prng, 1, 3);
    range_any(world, low, &high, &end);
    assert_int_equal(txn_scan_open(&world->txn, &scan, world->keys[low], end, reverse, &error), OK);
    scan.scan.is_keyless = prng_chance(&world->prng, 1, 2);
    if (!reverse && prng_chance(&world->prng, 1, 6)) {
        uint64_t some;
        do
            assert_int_equal(txn_scan_count(&scan, &some, &error), OK);
        while (some > 0);
        mark(world, low, high);
    } else {
        bool ended = walk(world, &scan, wanted, &keys);
        if (reverse && wanted > 0)
            mark(world, ended ? low : walk_back(world, low, high, wanted), high);
        else if (wanted > 0)
            mark(world, low, ended ? high : walk_end(world, low, high, wanted));
    }
    txn_scan_close(&scan);
    arena_free(&keys);
}

/* The range is noted when the look goes on. */
static void look_range(struct world *world, uint32_t low)
{
    struct slice end;
    uint32_t high, wanted = wanted_any(world);
    range_any(world, low, &high, &end);
    assert_int_equal(txn_look_range(&world->look, world->keys[low], end, &error), OK);
    world->look.scan.is_keyless = prng_chance(&world->prng, 1, 2);
    bool ended = walk(world, &world->look, wanted, &world->look_keys);
    if (wanted > 0)
        mark(world, low, ended ? high : walk_end(world, low, high, wanted));
}

static void write_any(struct world *world)
{
    uint32_t key = (uint32_t)prng_below(&world->prng, KEYS);
    struct slice value = slice_make("own", 3);
    world->own[key] = true;
    world->deleted[key] = prng_chance(&world->prng, 1, 2);
    assert_int_equal(txn_write(&world->txn, world->keys[key], world->deleted[key] ? NULL : &value),
                     OK);
}

static void look_end(struct world *world)
{
    if (world->looking)
        txn_scan_close(&world->look);
    world->looking = false;
    arena_reset(&world->look_keys);
}

static uint32_t read_any(struct world *world, uint32_t before)
{
    uint32_t key = place_any(world, before);
    uint64_t kind = prng_below(&world->prng, 20);
    if (kind == 0) { /* not while a walk goes on */
        look_end(world);
        write_any(world);
    } else if (kind < 10) {
        get(world, key, false);
    } else if (kind < 12) {
        scan(world, key);
    } else {
        if (!world->looking)
            txn_look_open(&world->txn, &world->look);
        world->looking = true;
        if (kind < 16)
            get(world, key, true);
        else
            look_range(world, key);
    }
    return key;
}

/* ---- what was noted ------------------------------------------------------------------------- */

static bool covers(const struct txn_range *range, struct slice key)
{
    if (range->point)
        return slice_equal(range->low, key);
    return slice_compare(range->low, key) <= 0 &&
           (range->high.size == 0 || slice_compare(key, range->high) < 0);
}

static void ranges_check(struct world *world, bool merged)
{
    struct buffer bytes = {0};
    struct txn_request request;
    bool *noted = mem_zalloc(KEYS, sizeof *noted);
    struct txn_id id = {.origin = slice_make("model", 5), .sequence = 1};
    assert_int_equal(txn_request_encode(&world->txn, id, (struct slice){0}, &bytes), OK);
    assert_int_equal(txn_request_decode(buffer_slice(&bytes), &request), OK);
    struct txn__range_cursor cursor;
    struct txn_range range;
    txn__ranges_begin(request.ranges, &cursor);
    while (txn__ranges_next(&cursor, &range))
        for (uint32_t i = 0; i < KEYS; i++)
            noted[i] = noted[i] || covers(&range, world->keys[i]);
    for (uint32_t i = 0; i < KEYS; i++) {
        if (world->read[i] && !noted[i])
            fail_msg("key %u was read and is not noted", i);
        if (!merged && noted[i] && !world->read[i])
            fail_msg("key %u was not read and is noted", i);
    }
    mem_free(noted);
    buffer_free(&bytes);
}

static void transaction(struct world *world, uint32_t reads)
{
    struct kv_snapshot *snapshot;
    assert_int_equal(kv_snapshot_open(world->kv, &snapshot, &error), OK);
    memset(world->read, 0, sizeof world->read);
    memset(world->own, 0, sizeof world->own);
    txn_init(&world->txn, snapshot, 7, false);
    uint32_t at = 0;
    for (uint32_t i = 0; i < reads; i++)
        at = read_any(world, at);
    look_end(world);
    ranges_check(world, reads > TXN_RANGES_MAX / 2);
    txn_free(&world->txn);
}

static void random_reads(void **state)
{
    const char *text = getenv("TOYDB_SEED");
    uint64_t first = text ? strtoull(text, NULL, 10) : 1;
    (void)state;
    for (uint64_t seed = first; seed < first + 4; seed++) {
        struct world *world = mem_zalloc(1, sizeof *world);
        world->machine = env_sim_create(seed);
        prng_seed(&world->prng, seed);
        keys_make(world);
        struct env *env = env_sim_env(world->machine);
        assert_int_equal(env_dir_create(env, "/data", &error), OK);
        struct kv_options options = {.engine = engine};
        assert_int_equal(kv_open(env, "/data/store", &options, &world->kv, &error), OK);
        store_fill(world);
        for (uint32_t i = 0; i < ROUNDS; i++)
            transaction(world, 1 + (uint32_t)prng_below(&world->prng, READS_MAX));
        transaction(world, MERGING_READS);
        kv_close(world->kv);
        env_sim_destroy(world->machine);
        arena_free(&world->look_keys);
        for (uint32_t i = 0; i < KEYS; i++)
            mem_free((void *)(uintptr_t)world->keys[i].data);
        mem_free(world);
    }
}

int main(int argc, char **argv)
{
    engine = argc > 1 ? kv_engine_from_name(argv[1]) : KV_ENGINE_BTREE;
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_reads)};
    return cmocka_run_group_tests_name("txn_ranges", tests, NULL, NULL);
}
