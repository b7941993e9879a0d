/* The tree on a machine that fails: power cuts at every moment, refused and failed calls, a full
 * disk, flipped bits.
 *
 * The workload has one state a version: which keys exist and what they hold follows from the
 * version alone, and the version is the checkpoint's app_meta. So after any failure the reopened
 * tree must be exactly the state of the version it names, which must be the last one acknowledged
 * or the one that was on its way: never older, never a mixture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "kv/kv_int.h"

#define PATH     "/data/store"
#define KEYS     400u
#define VERSIONS 6u

struct world {
    struct env_sim *sim;
    struct kv *kv;
    uint64_t acknowledged; /* version of the last checkpoint that succeeded */
    uint64_t attempted;    /* and of the last one begun */
    bool loading;          /* the first version is written by a bulk load */
    struct error error;
};

/* The engine is that of the program's argument. */
static struct kv_options options = {
    .growth_bytes = 64 << 10, .map_size_max = 64 << 20, .run_bytes = 16 << 10};

static void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.sim = env_sim_create(seed)};
    assert_int_equal(env_dir_create(env_sim_env(world->sim), "/data", NULL), OK);
}

static status_t open_kv(struct world *world)
{
    world->kv = NULL;
    return kv_open(env_sim_env(world->sim), PATH, &options, &world->kv, &world->error);
}

static void close_kv(struct world *world)
{
    kv_close(world->kv);
    world->kv = NULL;
}

/* ---- the workload --------------------------------------------------------------------------- */

/* Version in which `key` was last changed as of `version`: a third of the keys change each time. */
static uint64_t changed_in(uint32_t key, uint64_t version)
{
    while (version > 0 && (key * 7919u + version) % 3 != 0)
        version--;
    return version;
}

/* The value of `key` as of `version`, into `bytes`; false when it is absent. */
static bool value_at(uint32_t key, uint64_t version, uint8_t *bytes, struct slice *value)
{
    struct prng prng;
    uint64_t from = changed_in(key, version);
    prng_seed(&prng, from * KEYS + key);
    if (from == 0 || prng_chance(&prng, 1, 4))
        return false;
    uint64_t size = prng_chance(&prng, 1, 20) ? prng_below(&prng, 9000) : prng_below(&prng, 120);
    for (uint64_t i = 0; i < size; i += 8)
        put_u64_le(bytes + i, prng_next(&prng));
    *value = slice_make(bytes, size);
    return true;
}

static struct slice key_of(uint32_t key, uint8_t *bytes)
{
    put_u32_be(bytes, key * 2654435761u);
    return slice_make(bytes, 4);
}

/* A part of the keys, another one each version, is deleted and written again. */
static bool in_range(uint32_t key, uint64_t version)
{
    return key * 2654435761u >> 29 == version % 8;
}

static status_t delete_part(struct world *world, uint64_t version)
{
    uint8_t low[4], high[4];
    uint64_t removed;
    put_u32_be(low, (uint32_t)(version % 8) << 29);
    put_u32_be(high, (uint32_t)(version % 8 + 1) << 29);
    struct slice end = slice_make(high, version % 8 == 7 ? 0 : 4);
    return kv_delete_range(world->kv, slice_make(low, 4), end, UINT64_MAX, &removed, &world->error);
}

static int compare_keys(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a * 2654435761u, y = *(const uint32_t *)b * 2654435761u;
    return x < y ? -1 : x > y;
}

static void order_keys(uint32_t order[KEYS])
{
    for (uint32_t key = 0; key < KEYS; key++)
        order[key] = key;
    qsort(order, KEYS, sizeof *order, compare_keys);
}

/* All of a version's changes at once, where the engine can. */
static status_t replace_version(struct world *world, uint64_t version)
{
    struct arena arena = {0};
    struct kv_change changes[KEYS];
    uint32_t order[KEYS], count = 0, done;
    uint8_t *bytes = mem_alloc(9008);
    order_keys(order);
    for (uint32_t i = 0; i < KEYS; i++) {
        struct slice value = {0};
        uint32_t key = order[i];
        if (changed_in(key, version) != version)
            continue;
        bool present = value_at(key, version, bytes, &value);
        changes[count++] = (struct kv_change){.key = key_of(key, arena_alloc(&arena, 4)),
                                              .value = arena_copy(&arena, value),
                                              .shared = 4,
                                              .remove = !present};
    }
    status_t status = kv_replace(world->kv, changes, count, &done, &world->error);
    mem_free(bytes);
    arena_free(&arena);
    return status == OK ? kv_publish(world->kv, &world->error) : status;
}

static status_t write_version(struct world *world, uint64_t version)
{
    if (version % 2 == 0 && kv_replaces(world->kv))
        return replace_version(world, version);
    uint8_t name[4], *bytes = mem_alloc(9008);
    status_t status = delete_part(world, version);
    for (uint32_t key = 0; key < KEYS && status == OK; key++) {
        struct slice value;
        if (changed_in(key, version) != version && !in_range(key, version))
            continue;
        if (value_at(key, version, bytes, &value))
            status = kv_put(world->kv, key_of(key, name), value, &world->error);
        else
            status = kv_delete(world->kv, key_of(key, name), NULL, &world->error);
    }
    mem_free(bytes);
    return status == OK ? kv_publish(world->kv, &world->error) : status;
}

/* Writes the first version into the empty store. */
static status_t load_version(struct world *world)
{
    uint8_t name[4], *bytes = mem_alloc(9008);
    uint32_t order[KEYS];
    struct kv_load *load;
    order_keys(order);
    status_t status = kv_load_begin(world->kv, &load, &world->error);
    for (uint32_t i = 0; i < KEYS && status == OK; i++) {
        struct slice value;
        if (!value_at(order[i], 1, bytes, &value))
            continue;
        status = kv_load_put(load, key_of(order[i], name), value, &world->error);
        if (status != OK)
            kv_load_abort(load);
    }
    if (status == OK)
        status = kv_load_end(load, &world->error);
    mem_free(bytes);
    return status;
}

/* A checkpoint of `version`, with the writer going on meanwhile. */
static status_t checkpoint_version(struct world *world, uint64_t version)
{
    struct kv_checkpoint *checkpoint;
    uint8_t meta[8];
    put_u64_le(meta, version);
    status_t status =
        kv_checkpoint_begin(world->kv, slice_make(meta, sizeof meta), &checkpoint, &world->error);
    if (status != OK)
        return status;
    world->attempted = version;
    status_t written = OK, more = write_version(world, version + 1);
    written = kv_checkpoint_write(checkpoint, &world->error);
    status = kv_checkpoint_end(world->kv, checkpoint, written == OK ? &world->error : NULL);
    if (written == OK)
        world->acknowledged = version;
    uint64_t given;
    if (written == OK && status == OK)
        status = kv_compact(world->kv, 16 << 10, 2, &given, &world->error);
    return written != OK ? written : status != OK ? status : more;
}

/* From the version the store is at; stops at the first error. */
static status_t work(struct world *world)
{
    uint64_t from = kv_meta(world->kv).size == 8 ? get_u64_le(kv_meta(world->kv).data) : 0;
    status_t status = OK;
    if (from == 0 && world->loading)
        status = load_version(world);
    else if (from < VERSIONS)
        status = write_version(world, from + 1);
    for (uint64_t version = from + 1; version <= VERSIONS && status == OK; version++)
        status = checkpoint_version(world, version);
    return status;
}

static void report(void *context, const char *problem)
{
    fprintf(stderr, "# %s\n", problem);
    (void)context;
}

/* The tree is exactly the state of the version it names, which is returned. */
static uint64_t expect_one_version(struct world *world)
{
    uint8_t name[4], *bytes = mem_alloc(9008);
    struct slice meta = kv_meta(world->kv), expected, got;
    uint64_t version = meta.size == 8 ? get_u64_le(meta.data) : 0, present = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        bool there = value_at(key, version, bytes, &expected);
        status_t status = kv_get_latest(world->kv, key_of(key, name), &got, &world->error);
        assert_int_equal(status, there ? OK : ERR_NOT_FOUND);
        assert_true(!there || slice_equal(got, expected));
        present += there;
    }
    struct kv_stats stats;
    kv_stats(world->kv, &stats);
    assert_int_equal(stats.entries, present);
    assert_int_equal(kv_check(world->kv, report, NULL, &world->error), OK);
    mem_free(bytes);
    return version;
}

/* After a failure: reopen, look, and carry the work through to the end. */
static void expect_recovered(struct world *world)
{
    uint64_t acknowledged = world->acknowledged, attempted = world->attempted;
    if (open_kv(world) != OK)
        fail_msg("could not be reopened: %s", world->error.message);
    uint64_t version = expect_one_version(world);
    assert_true(version >= acknowledged && version <= attempted);
    assert_int_equal(work(world), OK);
    close_kv(world);
    assert_int_equal(open_kv(world), OK);
    assert_int_equal(expect_one_version(world), VERSIONS);
    close_kv(world);
}

/* ---- power ---------------------------------------------------------------------------------- */

/* Cuts the power in the middle of each call that changes the disk, in turn, until the work gets
 * through. */
static void power_cuts(void **state)
{
    (void)state;
    for (uint32_t survival = 0; survival < 3 * 8; survival++) {
        bool cut = true;
        for (uint64_t after = 0; cut; after++) {
            struct world world;
            world_init(&world, survival * 1000 + after);
            world.loading = survival >= 3 * 4;
            env_sim_set_survival(world.sim, (enum env_sim_survival)(survival % 3));
            env_sim_power_off_after(world.sim, after);
            if (open_kv(&world) == OK)
                (void)work(&world); /* whatever comes of it: what is on the disk counts */
            cut = env_sim_is_off(world.sim);
            if (!cut)
                env_sim_power_off(world.sim);
            close_kv(&world);
            env_sim_power_on(world.sim);
            expect_recovered(&world);
            env_sim_destroy(world.sim);
        }
    }
}

/* The program dies in the middle of each call in turn; what it left unsynced counts for the next
 * one, which works on until the power goes. */
static void deaths_before_power_cuts(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        bool died = true;
        for (uint64_t after = 0; died; after++) {
            struct world world;
            struct prng prng;
            prng_seed(&prng, seed * 1000 + after);
            world_init(&world, seed * 1000 + after);
            world.loading = seed % 2 == 0;
            env_sim_set_survival(world.sim, ENV_SIM_SURVIVE_ALL);
            env_sim_power_off_after(world.sim, after);
            if (open_kv(&world) == OK)
                (void)work(&world);
            died = env_sim_is_off(world.sim);
            if (!died)
                env_sim_power_off(world.sim);
            close_kv(&world);
            env_sim_power_on(world.sim);
            assert_int_equal(open_kv(&world), OK);
            world.acknowledged = expect_one_version(&world);
            env_sim_set_survival(world.sim, ENV_SIM_SURVIVE_RANDOM);
            env_sim_power_off_after(world.sim, prng_below(&prng, 8));
            (void)work(&world);
            if (!env_sim_is_off(world.sim))
                env_sim_power_off(world.sim);
            close_kv(&world);
            env_sim_power_on(world.sim);
            expect_recovered(&world);
            env_sim_destroy(world.sim);
        }
    }
}

/* ---- failing calls -------------------------------------------------------------------------- */

/* Lets the nth call of each kind fail, for all n. The process goes on to its next error or the end,
 * then starts again. */
static void failing_calls(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < 2 * ENV_SIM_CALL_COUNT; kind++) {
        bool failed = true;
        for (uint64_t after = 0; failed; after++) {
            struct world world;
            world_init(&world, after);
            world.loading = kind >= ENV_SIM_CALL_COUNT;
            enum env_sim_call call = (enum env_sim_call)(kind % ENV_SIM_CALL_COUNT);
            env_sim_fail_after(world.sim, call, after);
            status_t status = open_kv(&world);
            if (status == OK)
                status = work(&world);
            failed = !env_sim_fail_pending(world.sim, call);
            /* Growing less than wished for is no failure, nor a merge that is put off; anything
             * else was told. */
            bool merge =
                options.engine == KV_ENGINE_LSM && (call == ENV_SIM_WRITE || call == ENV_SIM_MAP);
            assert_true(!failed || status != OK || call == ENV_SIM_PREALLOCATE || merge);
            env_sim_fail_none(world.sim);
            close_kv(&world);
            expect_recovered(&world);
            env_sim_destroy(world.sim);
        }
    }
}

static void failed_sync_is_final(void **state)
{
    struct world world;
    struct kv_snapshot *snapshot, *later;
    struct slice got;
    uint8_t name[4], bytes[9008];
    (void)state;
    world_init(&world, 1);
    assert_int_equal(open_kv(&world), OK);
    assert_int_equal(work(&world), OK);
    assert_int_equal(kv_snapshot_open(world.kv, &snapshot, NULL), OK);
    env_sim_fail_after(world.sim, ENV_SIM_SYNC, 0);
    assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), ERR_IO);
    assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), ERR_IO);
    assert_int_equal(kv_put(world.kv, slice_make("k", 1), slice_make("v", 1), NULL), ERR_IO);
    assert_int_equal(kv_delete(world.kv, slice_make("k", 1), NULL, NULL), ERR_IO);
    assert_int_equal(kv_publish(world.kv, &world.error), ERR_IO);
    assert_non_null(strstr(world.error.message, "has failed before"));
    /* What was published can still be read. */
    assert_int_equal(kv_snapshot_open(world.kv, &later, NULL), OK);
    for (uint32_t key = 0; key < KEYS; key++) {
        struct slice expected;
        bool there = value_at(key, VERSIONS + 1, bytes, &expected);
        assert_int_equal(kv_get(snapshot, key_of(key, name), &got, NULL),
                         there ? OK : ERR_NOT_FOUND);
        assert_true(!there || slice_equal(got, expected));
    }
    kv_snapshot_close(later);
    kv_snapshot_close(snapshot);
    close_kv(&world);
    world.attempted = VERSIONS;
    expect_recovered(&world);
    env_sim_destroy(world.sim);
}

/* ---- a full disk ---------------------------------------------------------------------------- */

/* Puts until the disk says no; the bytes that went in. */
static size_t put_until_full(struct world *world)
{
    uint8_t name[4];
    static uint8_t value[1000] = {7};
    for (uint32_t i = 0;; i++) {
        put_u32_be(name, KEYS + i);
        status_t status =
            kv_put(world->kv, slice_make(name, 4), slice_make(value, sizeof value), &world->error);
        if (status != OK) {
            assert_int_equal(status, ERR_DISK_FULL);
            return i * sizeof value;
        }
    }
}

static void reserved_pages_outlive_a_full_disk(void **state)
{
    enum { RESERVED = 4 << 20 };
    (void)state;
    for (int reserve = 0; reserve < 2; reserve++) {
        struct world world;
        world_init(&world, 1);
        assert_int_equal(open_kv(&world), OK);
        if (reserve)
            assert_int_equal(kv_reserve(world.kv, RESERVED, &world.error), OK);
        env_sim_set_capacity(world.sim, env_sim_disk_used(world.sim));
        size_t went_in = put_until_full(&world);
        assert_int_equal(went_in >= RESERVED / 4 * 3, reserve);
        assert_int_equal(kv_reserve(world.kv, RESERVED, &world.error), ERR_DISK_FULL);
        assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
        close_kv(&world);
        env_sim_destroy(world.sim);
    }
}

/* As many changes as were reserved for go in, each of another leaf or splitting one. */
static void reserved_changes_outlive_a_full_disk(void **state)
{
    enum { CHANGES = 60 };
    struct kv_change changes[CHANGES];
    uint8_t names[CHANGES][4];
    static uint8_t value[900] = {7};
    struct slice whole = slice_make(value, sizeof value);
    struct world world;
    uint32_t done = 0;
    (void)state;
    world_init(&world, 1);
    assert_int_equal(open_kv(&world), OK);
    for (uint32_t i = 0; kv_replaces(world.kv) && i < CHANGES * 8; i++) {
        put_u32_be(names[0], i * 2);
        assert_int_equal(kv_put(world.kv, slice_make(names[0], 4), whole, &world.error), OK);
    }
    for (uint32_t i = 0; i < CHANGES; i++) {
        put_u32_be(names[i], i * 16 + i % 2);
        changes[i] = (struct kv_change){.key = slice_make(names[i], 4),
                                        .value = slice_make(value, sizeof value - i % 3),
                                        .shared = 4,
                                        .remove = i % 8 == 0};
    }
    if (kv_replaces(world.kv)) {
        assert_int_equal(kv_publish(world.kv, &world.error), OK);
        assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), OK);
        assert_int_equal(kv_reserve_changes(world.kv, CHANGES, &world.error), OK);
        env_sim_set_capacity(world.sim, env_sim_disk_used(world.sim));
        assert_int_equal(kv_replace(world.kv, changes, CHANGES, &done, &world.error), OK);
        assert_int_equal(done, CHANGES);
        assert_int_equal(kv_reserve(world.kv, 16 << 20, &world.error), ERR_DISK_FULL);
        assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
    }
    close_kv(&world);
    env_sim_destroy(world.sim);
}

static void full_disk(void **state)
{
    struct world world;
    uint8_t name[4];
    static uint8_t value[3000] = {7};
    (void)state;
    world_init(&world, 1);
    assert_int_equal(open_kv(&world), OK);
    assert_int_equal(work(&world), OK);
    env_sim_set_capacity(world.sim, env_sim_disk_used(world.sim) + (200 << 10));
    uint32_t added = 0, refused = 0;
    struct kv_stats before, after;
    for (uint32_t i = 0; refused < 20; i++) {
        kv_stats(world.kv, &before);
        put_u32_be(name, KEYS + i);
        /* Long and short ones, so that both the run and the single pages run out. */
        status_t status = kv_put(world.kv, slice_make(name, 4),
                                 slice_make(value, i % 2 == 0 ? sizeof value : 700), &world.error);
        kv_stats(world.kv, &after);
        if (status == OK) {
            added++;
            continue;
        }
        struct slice got;
        assert_int_equal(status, ERR_DISK_FULL);
        assert_int_equal(kv_get_latest(world.kv, slice_make(name, 4), &got, NULL), ERR_NOT_FOUND);
        assert_int_equal(after.entries, before.entries);
        assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
        refused++;
    }
    assert_true(added > 10);
    /* With room again it goes on where it stood. */
    env_sim_set_capacity(world.sim, 0);
    put_u32_be(name, UINT32_MAX);
    assert_int_equal(kv_put(world.kv, slice_make(name, 4), slice_make(value, sizeof value), NULL),
                     OK);
    assert_int_equal(kv_publish(world.kv, NULL), OK);
    assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), OK);
    assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
    kv_stats(world.kv, &before);
    close_kv(&world);
    assert_int_equal(open_kv(&world), OK);
    kv_stats(world.kv, &after);
    assert_int_equal(after.entries, before.entries);
    close_kv(&world);
    env_sim_destroy(world.sim);
}

/* A load that meets a full disk goes on when there is room, or leaves an empty store. */
static void full_disk_in_a_load(void **state)
{
    (void)state;
    for (int give_up = 0; give_up < 2; give_up++) {
        struct world world;
        struct kv_load *load;
        struct kv_stats stats;
        uint8_t name[4];
        static uint8_t value[3000] = {7};
        uint32_t refused = 0, i;
        world_init(&world, 1);
        assert_int_equal(open_kv(&world), OK);
        env_sim_set_capacity(world.sim, env_sim_disk_used(world.sim) + (200 << 10));
        assert_int_equal(kv_load_begin(world.kv, &load, &world.error), OK);
        for (i = 0; i < 1000; i++) {
            struct slice bytes = slice_make(value, i % 3 == 0 ? sizeof value : 300);
            put_u32_be(name, i);
            status_t status = kv_load_put(load, slice_make(name, 4), bytes, &world.error);
            if (status == OK)
                continue;
            assert_int_equal(status, ERR_DISK_FULL);
            assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
            refused++;
            if (give_up)
                break;
            env_sim_set_capacity(world.sim, env_sim_disk_used(world.sim) + (200 << 10));
            i--;
        }
        assert_true(give_up ? refused == 1 : refused > 1);
        if (give_up)
            kv_load_abort(load);
        else
            assert_int_equal(kv_load_end(load, &world.error), OK);
        kv_stats(world.kv, &stats);
        assert_int_equal(stats.entries, give_up ? 0 : 1000);
        assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
        assert_true(!give_up || stats.pages_free >= stats.pages - 3);
        close_kv(&world);
        env_sim_destroy(world.sim);
    }
}

/* What was deleted gives its space back when it was merged away, and no checkpoint names it. */
static void merge_all(struct world *world)
{
    uint64_t given;
    for (int i = 0; i < 300; i++)
        assert_int_equal(kv_compact(world->kv, UINT64_MAX, 1, &given, &world->error), OK);
    assert_int_equal(kv_checkpoint(world->kv, slice_make("", 0), &world->error), OK);
}

/* Space that is free is given back, and asked for again when it is needed; a write never meets a
 * page without blocks (the machine refuses that). */
static void space_given_back(void **state)
{
    struct world world;
    struct kv_stats stats;
    uint64_t given, total = 0;
    uint8_t name[4];
    static uint8_t value[3000] = {7};
    (void)state;
    world_init(&world, 1);
    assert_int_equal(open_kv(&world), OK);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 2000; i++) {
            put_u32_be(name, i);
            assert_int_equal(kv_put(world.kv, slice_make(name, 4),
                                    slice_make(value, i % 2 == 0 ? sizeof value : 700), NULL),
                             OK);
        }
        assert_int_equal(kv_publish(world.kv, NULL), OK);
        assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), OK);
        uint64_t full = env_sim_disk_used(world.sim);
        for (uint32_t i = 0; i < 1990; i++) {
            put_u32_be(name, i);
            assert_int_equal(kv_delete(world.kv, slice_make(name, 4), NULL, NULL), OK);
        }
        assert_int_equal(kv_publish(world.kv, NULL), OK);
        assert_int_equal(kv_checkpoint(world.kv, slice_make("", 0), &world.error), OK);
        if (options.engine == KV_ENGINE_LSM)
            merge_all(&world);
        do {
            assert_int_equal(kv_compact(world.kv, 100 << 10, 3, &given, &world.error), OK);
            total += given;
        } while (given > 0);
        assert_true(env_sim_disk_used(world.sim) < full / 4);
        assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
        if (round == 1) { /* what is given back may be gone to others when it is needed again */
            env_sim_set_capacity(world.sim, env_sim_disk_used(world.sim) + (50 << 10));
            assert_true(put_until_full(&world) < 400 << 10);
            assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
            close_kv(&world);
            assert_int_equal(open_kv(&world), OK);
            assert_true(put_until_full(&world) < 600 << 10);
            env_sim_set_capacity(world.sim, 0);
            assert_int_equal(kv_check(world.kv, report, NULL, &world.error), OK);
        }
    }
    kv_stats(world.kv, &stats);
    assert_true(stats.pages_hole > 0 && total > 3 * 1000 * 3000);
    close_kv(&world);
    env_sim_destroy(world.sim);
}

/* ---- flipped bits --------------------------------------------------------------------------- */

static void flip(struct world *world, uint64_t bit)
{
    struct env_file *file;
    uint8_t byte;
    size_t got;
    assert_int_equal(env_file_open(env_sim_env(world->sim), PATH, 0, &file, NULL), OK);
    assert_int_equal(env_file_read(file, bit / 8, &byte, 1, &got, NULL), OK);
    byte ^= (uint8_t)(1u << bit % 8);
    assert_int_equal(env_file_write(file, bit / 8, &byte, 1, NULL), OK);
    env_file_close(file);
}

/* Reads everything in all ways: each answer is right or an error that names a page. */
static bool reads_show_damage(struct world *world)
{
    uint8_t name[4], *bytes = mem_alloc(9008);
    bool damage = false;
    for (uint32_t key = 0; key < KEYS; key++) {
        struct slice expected, got;
        bool there = value_at(key, VERSIONS, bytes, &expected);
        status_t status = kv_get_latest(world->kv, key_of(key, name), &got, &world->error);
        if (status == ERR_CORRUPT) {
            assert_non_null(strstr(world->error.message, "page "));
            damage = true;
            continue;
        }
        assert_int_equal(status, there ? OK : ERR_NOT_FOUND);
        assert_true(!there || slice_equal(got, expected));
    }
    struct kv_cursor cursor;
    struct slice value;
    kv_cursor_init_latest(&cursor, world->kv);
    status_t status = kv_cursor_first(&cursor, NULL);
    while (status == OK && kv_cursor_valid(&cursor)) {
        status = kv_cursor_value(&cursor, &value, NULL);
        damage |= status != OK;
        status = kv_cursor_next(&cursor, NULL);
    }
    mem_free(bytes);
    return damage || status != OK;
}

/* A whole round tells the damaged page, once. */
static bool scrub_shows_damage(struct world *world, uint32_t page)
{
    struct kv_scrub scrub = {0};
    uint32_t told = 0;
    while (scrub.rounds == 0) {
        status_t status = kv_scrub_step(world->kv, &scrub, 7, &world->error);
        if (status == OK)
            continue;
        char text[32];
        (void)snprintf(text, sizeof text, "page %u ", page);
        assert_int_equal(status, ERR_CORRUPT);
        /* A run is known by its first page. */
        assert_true(strstr(world->error.message, text) != NULL ||
                    strstr(world->error.message, "wrong checksum") != NULL);
        told++;
    }
    assert_true(told <= 1 && scrub.damaged == told);
    return told != 0;
}

static void expect_flip_found(struct world *world, uint32_t page, bool is_free)
{
    status_t status = open_kv(world);
    if (status != OK) { /* the free list */
        assert_int_equal(status, ERR_CORRUPT);
        assert_non_null(strstr(world->error.message, "page "));
        return;
    }
    struct kv_stats stats;
    kv_stats(world->kv, &stats);
    bool reported = kv_check(world->kv, NULL, NULL, &world->error) == ERR_CORRUPT;
    bool damage = false, scrubbed = false;
    if (stats.meta_pages_bad == 0) {
        scrubbed = scrub_shows_damage(world, page);
        damage = reads_show_damage(world);
    }
    if (page < KV_META_PAGES)
        assert_true(stats.meta_pages_bad == 1);
    else if (options.engine == KV_ENGINE_LSM) /* a page may have bytes that nothing is in */
        assert_true(reported == damage && reported == scrubbed);
    else
        assert_true(is_free ? !reported && !damage && !scrubbed : reported && damage && scrubbed);
    close_kv(world);
}

static void flipped_bits(void **state)
{
    struct world world;
    struct prng prng;
    struct kv_stats stats;
    (void)state;
    prng_seed(&prng, 5);
    world_init(&world, 1);
    assert_int_equal(open_kv(&world), OK);
    assert_int_equal(work(&world), OK);
    close_kv(&world);
    assert_int_equal(open_kv(&world), OK);
    kv_stats(world.kv, &stats);
    bool *is_free = mem_zalloc(stats.pages, sizeof *is_free);
    for (uint32_t page = 0; page < stats.pages; page++)
        is_free[page] = options.engine == KV_ENGINE_BTREE && kv__alloc_is_free(world.kv, page);
    close_kv(&world);
    for (uint32_t page = 0; page < stats.pages; page++) {
        /* Behind the structure, a meta page holds nothing. */
        uint64_t bytes = page < KV_META_PAGES ? sizeof(struct kv__meta) : stats.page_size;
        for (uint32_t i = 0; i < (is_free[page] ? 1 : 6); i++) {
            uint64_t bit = (uint64_t)page * stats.page_size * 8 + prng_below(&prng, bytes * 8);
            flip(&world, bit);
            expect_flip_found(&world, page, is_free[page]);
            flip(&world, bit);
        }
    }
    assert_int_equal(open_kv(&world), OK);
    assert_int_equal(expect_one_version(&world), VERSIONS);
    close_kv(&world);
    mem_free(is_free);
    env_sim_destroy(world.sim);
}

/* Changes that meet damage are refused before they have done anything. */
static void damage_refuses_changes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct world world;
        struct prng prng;
        struct kv_stats before, after;
        uint8_t name[4];
        prng_seed(&prng, seed);
        world_init(&world, seed);
        assert_int_equal(open_kv(&world), OK);
        assert_int_equal(work(&world), OK);
        kv_stats(world.kv, &before);
        close_kv(&world);
        flip(&world, prng_between(&prng, 3ull * 4096 * 8, before.file_bytes * 8 - 1));
        if (open_kv(&world) == OK) {
            for (uint32_t key = 0; key < KEYS; key++) {
                kv_stats(world.kv, &before);
                status_t status = kv_delete(world.kv, key_of(key, name), NULL, &world.error);
                kv_stats(world.kv, &after);
                assert_true(status == OK || status == ERR_CORRUPT);
                assert_true(status == OK || after.entries == before.entries);
            }
            /* A merge may have met it meanwhile. */
            status_t published = kv_publish(world.kv, NULL);
            assert_true(published == OK || options.engine == KV_ENGINE_LSM);
            close_kv(&world);
        }
        env_sim_destroy(world.sim);
    }
}

int main(int argc, char **argv)
{
    options.engine = argc > 1 ? kv_engine_from_name(argv[1]) : KV_ENGINE_BTREE;
    assert_true(options.engine != KV_ENGINE_ANY);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_cuts),
        cmocka_unit_test(deaths_before_power_cuts),
        cmocka_unit_test(failing_calls),
        cmocka_unit_test(failed_sync_is_final),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(reserved_pages_outlive_a_full_disk),
        cmocka_unit_test(reserved_changes_outlive_a_full_disk),
        cmocka_unit_test(full_disk_in_a_load),
        cmocka_unit_test(space_given_back),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(damage_refuses_changes),
    };
    log_configure(LOG_OFF, NULL, NULL); /* hundreds of failures on purpose */
    return cmocka_run_group_tests_name("kv_fault", tests, NULL, NULL);
}
