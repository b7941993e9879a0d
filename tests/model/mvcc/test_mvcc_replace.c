/* Commits in place of what was there, in a tree of many leaves, against a list of what each key has
 * now. Full disks stop commits at any change, power cuts take away what no checkpoint has; then the
 * commits are made again, as the log would have them made. Snapshots taken meanwhile see what was
 * published then, whatever is done behind them.
 *
 * TOYDB_MODEL_OPS sets the number of commits of a run, TOYDB_SEED the seed. */
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
#include "mvcc/mvcc.h"

enum {
    KEYS = 2500,
    SNAPSHOTS = 4,
    WRITES_MAX = 900,
    SMALL_WRITES = 12,
    SMALL_VALUE = 100,
    LOG_MAX = 64, /* commits since the last checkpoint */
    SYSTEM_KEYS = 2
};

/* One write of a commit: of which key, and what number its value is made from; 0: a tombstone. */
struct write {
    uint32_t key;
    uint32_t value;
};

struct commit {
    struct write *writes; /* mem_free */
    uint32_t count;
    uint64_t version;
    bool beside; /* put beside what was there, as a node does that keeps history */
};

struct view {
    struct kv_snapshot *snapshot;
    uint64_t version;
    uint32_t *model;
};

struct world {
    struct env_sim *machine;
    struct kv *kv;
    struct prng prng;
    uint32_t page_size;
    struct slice keys[KEYS];
    uint32_t *latest;  /* what was committed: value numbers */
    uint32_t *durable; /* in the last checkpoint */
    uint64_t version, durable_version;
    struct commit log[LOG_MAX]; /* since that */
    uint32_t logged;
    struct view views[SNAPSHOTS];
    struct mvcc_collector *collector;
    uint32_t values;
    uint64_t beside; /* chances in eight of a commit beside what was there */
    uint32_t commits, blocked, small;
    uint8_t *bytes;
};

static struct error error;

static void assert_ok_at(const struct world *world, status_t status, int line)
{
    if (status != OK)
        fail_msg("line %d, commit %u: %s: %s", line, world->commits, status_name(status),
                 error.message);
}

#define assert_ok(call) assert_ok_at(world, call, __LINE__)

/* ---- keys and values --------------------------------------------------------------------------
 */

static int compare_keys(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* Few tables; in each all keys are of one size, so that none is a prefix of another. Numbers in a
 * row, numbers far apart, and keys so long that three fill a page. */
static void keys_make(struct world *world)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t table = i % 5;
        size_t size = table == 4 ? 900 : 2 + table * 9;
        uint8_t *bytes = mem_zalloc(1, size + 4);
        uint32_t number = table % 2 == 0 ? i : i * 2654435761u;
        memset(bytes, 'x', size);
        bytes[0] = (uint8_t)(MVCC_KEY_FIRST_MIN + table * 50);
        bytes[1] = table == 3 ? (uint8_t)(number >> 24) : 0xff;
        put_u32_be(bytes + size, number);
        world->keys[i] = slice_make(bytes, size + 4);
    }
    qsort(world->keys, KEYS, sizeof *world->keys, compare_keys);
}

/* Of one size, of few sizes, or of any, up to some pages. */
static struct slice value_of(struct world *world, uint32_t value)
{
    struct prng prng;
    prng_seed(&prng, value);
    uint64_t kind = prng_below(&prng, 100), size = 40;
    if (kind >= 50)
        size = prng_below(&prng, SMALL_VALUE);
    if (kind >= 85)
        size = prng_below(&prng, 1200);
    if (kind >= 98)
        size = prng_below(&prng, 9000);
    memset(world->bytes, (int)(value * 31), size);
    if (size >= 4)
        put_u32_be(world->bytes, value);
    return slice_make(world->bytes, size);
}

static bool value_is_small(struct world *world, uint32_t value)
{
    return value_of(world, value).size < SMALL_VALUE;
}

/* ---- what is there ---------------------------------------------------------------------------
 */

static void view_get_check(struct world *world, struct view *view, uint32_t key)
{
    struct mvcc_view at;
    struct slice value;
    assert_ok(mvcc_view_open(&at, view->snapshot, view->version, NULL, &error));
    status_t status = mvcc_get(&at, world->keys[key], &value, NULL, &error);
    assert_int_equal(status, view->model[key] ? OK : ERR_NOT_FOUND);
    if (status == OK)
        assert_true(slice_equal(value, value_of(world, view->model[key])));
}

static void view_check(struct world *world, struct view *view)
{
    struct mvcc_view at;
    struct mvcc_scan scan;
    struct mvcc_count count;
    struct slice key, value;
    uint32_t there = 0;
    bool reverse = prng_chance(&world->prng, 1, 3);
    assert_ok(mvcc_view_open(&at, view->snapshot, view->version, NULL, &error));
    assert_ok(mvcc_scan_begin(&scan, &at, (struct slice){0}, (struct slice){0}, reverse, &error));
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t number = reverse ? KEYS - 1 - i : i;
        if (view->model[number] == 0)
            continue;
        there++;
        assert_ok(mvcc_scan_next(&scan, &key, &value, &error));
        assert_true(slice_equal(key, world->keys[number]));
        assert_true(slice_equal(value, value_of(world, view->model[number])));
    }
    assert_int_equal(mvcc_scan_next(&scan, &key, &value, &error), ERR_NOT_FOUND);
    assert_true(mvcc_count_begin(&count, &at, (struct slice){0}, (struct slice){0}));
    while (!count.at_end)
        assert_ok(mvcc_count_step(&count, &error));
    assert_int_equal(count.keys, there);
    for (uint32_t i = 0; i < 20; i++)
        view_get_check(world, view, (uint32_t)prng_below(&world->prng, KEYS));
}

static void view_close(struct world *world, struct view *view)
{
    if (!view->snapshot)
        return;
    view_check(world, view);
    kv_snapshot_close(view->snapshot);
    view->snapshot = NULL;
}

static void view_open(struct world *world, struct view *view)
{
    assert_ok(kv_snapshot_open(world->kv, &view->snapshot, &error));
    view->version = world->version;
    memcpy(view->model, world->latest, KEYS * sizeof *view->model);
}

static void report(void *context, const char *problem)
{
    (void)context;
    print_error("%s\n", problem);
}

/* Everything there is now; `clean`: and no version that nobody needs. */
static void state_check(struct world *world, bool clean)
{
    struct view view = {.model = mem_alloc(KEYS * sizeof(uint32_t))};
    struct problems problems = {0};
    struct mvcc_checked checked;
    struct kv_stats stats;
    view_open(world, &view);
    assert_ok(mvcc_check(view.snapshot, world->version, &problems, &checked, &error));
    assert_int_equal(problems.count, 0);
    view_close(world, &view);
    mem_free(view.model);
    assert_ok(kv_check(world->kv, report, NULL, &error));
    uint64_t there = 0;
    for (uint32_t key = 0; key < KEYS; key++)
        there += world->latest[key] != 0;
    kv_stats(world->kv, &stats);
    if (clean)
        assert_int_equal(stats.entries, there + SYSTEM_KEYS);
    else
        assert_true(stats.entries >= there);
}

/* ---- commits ----------------------------------------------------------------------------------
 */

static status_t commit_put(struct world *world, const struct commit *commit)
{
    for (uint32_t i = 0; i < commit->count; i++) {
        struct slice key = world->keys[commit->writes[i].key];
        struct slice value = value_of(world, commit->writes[i].value);
        bool garbage;
        status_t status = mvcc_write(world->kv, key, commit->version,
                                     commit->writes[i].value ? &value : NULL, &garbage, &error);
        if (status != OK)
            return status;
        if (garbage)
            mvcc_collector_note(world->collector, key, commit->version);
    }
    return OK;
}

static status_t commit_try(struct world *world, const struct commit *commit)
{
    struct mvcc_replace replace;
    if (commit->beside)
        return commit_put(world, commit);
    mvcc_replace_begin(&replace, world->kv, commit->version, commit->count, world->collector);
    status_t status = OK;
    for (uint32_t i = 0; i < commit->count && status == OK; i++) {
        struct slice value = value_of(world, commit->writes[i].value);
        status = mvcc_replace_add(&replace, world->keys[commit->writes[i].key],
                                  commit->writes[i].value ? &value : NULL, &error);
    }
    if (status == OK)
        status = mvcc_replace_end(&replace, &error);
    mvcc_replace_free(&replace);
    return status;
}

static bool is_small(struct world *world, const struct commit *commit)
{
    bool small = commit->count <= SMALL_WRITES;
    for (uint32_t i = 0; i < commit->count; i++)
        small = small && value_is_small(world, commit->writes[i].value);
    return small;
}

/* Makes the commit, on a disk that may be full again and again. What was published stays. */
static void commit_make(struct world *world, const struct commit *commit)
{
    bool full = prng_chance(&world->prng, 1, 2), reserved = false;
    uint64_t given;
    if (full && prng_chance(&world->prng, 3, 4)) /* free pages are space of the disk, too */
        assert_ok(kv_compact(world->kv, 0, 100, &given, &error));
    if (full && is_small(world, commit) && prng_chance(&world->prng, 3, 4)) {
        assert_ok(kv_reserve_changes(world->kv, commit->count + 1, &error));
        reserved = true;
        world->small++;
    } else { /* what came before is seen while this one is stopped */
        assert_ok(kv_publish(world->kv, &error));
    }
    if (full)
        env_sim_set_capacity(world->machine,
                             env_sim_disk_used(world->machine) +
                                 (reserved ? 0 : prng_below(&world->prng, 4) << 14));
    status_t status;
    while ((status = commit_try(world, commit)) == ERR_DISK_FULL) {
        assert_false(reserved);
        world->blocked++;
        struct view *view = &world->views[prng_below(&world->prng, SNAPSHOTS)];
        if (view->snapshot)
            view_check(world, view);
        else
            view_open(world, view); /* of what came before */
        if (prng_chance(&world->prng, 1, 3))
            env_sim_set_capacity(world->machine, 0);
        else
            env_sim_set_capacity(world->machine, env_sim_disk_used(world->machine) +
                                                     (prng_below(&world->prng, 4) << 14));
    }
    assert_ok(status);
    env_sim_set_capacity(world->machine, 0);
    world->version = commit->version;
    for (uint32_t i = 0; i < commit->count; i++)
        world->latest[commit->writes[i].key] = commit->writes[i].value;
}

static void write_add(struct world *world, struct commit *commit, uint32_t key, bool remove)
{
    if (commit->count == WRITES_MAX || key >= KEYS)
        return;
    commit->writes[commit->count++] =
        (struct write){.key = key, .value = remove ? 0 : ++world->values};
}

/* A run of neighbours or of some of them, keys here and there, or all of it in no order. */
static struct commit commit_any(struct world *world)
{
    struct prng *prng = &world->prng;
    struct commit commit = {.version = world->version + 1 + prng_below(prng, 3)};
    if (prng_chance(prng, 1, 10)) /* so that versions differ in any of their bytes */
        commit.version += 1ull << prng_below(prng, 52);
    uint64_t kind = prng_below(prng, 10);
    uint32_t from = (uint32_t)prng_below(prng, KEYS);
    if (prng_chance(prng, 1, 2)) /* the long keys, a few of which fill a leaf */
        from = KEYS - KEYS / 5 + from / 5;
    uint32_t most = kind < 4 ? SMALL_WRITES : WRITES_MAX;
    uint32_t wanted = 1 + (uint32_t)prng_below(prng, most);
    uint32_t step = prng_chance(prng, 1, 2) ? 1 : 1 + (uint32_t)prng_below(prng, 30);
    bool anywhere = kind < 2; /* each in a leaf of its own, often one of few entries */
    uint64_t removed = prng_chance(prng, 1, 3) ? 100 : prng_below(prng, 90);
    commit.writes = mem_alloc(WRITES_MAX * sizeof *commit.writes);
    commit.beside = prng_chance(prng, world->beside, 8);
    if (kind == 9) { /* a range goes */
        commit.beside = false;
        removed = 100;
        step = 1;
    }
    for (uint32_t i = 0; i < wanted && from < KEYS; i++) {
        write_add(world, &commit, from, prng_chance(prng, removed, 100));
        if (anywhere)
            from = (uint32_t)prng_below(prng, KEYS);
        else
            from += step;
    }
    if (!commit.beside && prng_chance(prng, 1, 5)) { /* out of order, and some twice */
        for (uint32_t i = 0; i < commit.count && commit.count < WRITES_MAX; i += 7)
            write_add(world, &commit, commit.writes[i].key, prng_chance(prng, 1, 2));
        for (uint32_t i = commit.count; i > 1 && kind % 2; i--) {
            uint32_t other = (uint32_t)prng_below(prng, i);
            struct write write = commit.writes[other];
            commit.writes[other] = commit.writes[i - 1];
            commit.writes[i - 1] = write;
        }
    }
    return commit;
}

/* ---- checkpoints and power cuts -------------------------------------------------------------- */

static void log_clear(struct world *world)
{
    for (uint32_t i = 0; i < world->logged; i++)
        mem_free(world->log[i].writes);
    world->logged = 0;
}

static void checkpoint(struct world *world)
{
    assert_ok(kv_checkpoint(world->kv, slice_make("meta", 4), &error));
    memcpy(world->durable, world->latest, KEYS * sizeof *world->durable);
    world->durable_version = world->version;
    log_clear(world);
}

static void open_kv(struct world *world)
{
    struct kv_options options = {.page_size = world->page_size, .growth_bytes = 16 << 10};
    assert_ok(kv_open(env_sim_env(world->machine), "/data/store", &options, &world->kv, &error));
}

static void found(void *context, struct slice key)
{
    struct world *world = context;
    mvcc_collector_note(world->collector, key, 0);
}

/* What the collector is to know after a start. */
static void garbage_walk(struct world *world)
{
    struct kv_snapshot *snapshot;
    struct buffer next = {0};
    assert_ok(kv_snapshot_open(world->kv, &snapshot, &error));
    do {
        assert_ok(mvcc_garbage_find(snapshot, buffer_slice(&next), world->version, 300, found,
                                    world, &next, &error));
    } while (next.size > 0);
    kv_snapshot_close(snapshot);
    buffer_free(&next);
}

/* The power goes, perhaps in the middle of a commit; what no checkpoint has is made again. */
static void power_cut(struct world *world)
{
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        view_close(world, &world->views[i]);
    struct commit lost = commit_any(world);
    env_sim_set_capacity(world->machine,
                         env_sim_disk_used(world->machine) + (prng_below(&world->prng, 4) << 14));
    (void)commit_try(world, &lost);
    env_sim_set_capacity(world->machine, 0);
    mem_free(lost.writes);
    env_sim_power_off(world->machine);
    kv_close(world->kv);
    env_sim_power_on(world->machine);
    mvcc_collector_destroy(world->collector);
    world->collector = mvcc_collector_create(0);
    open_kv(world);
    memcpy(world->latest, world->durable, KEYS * sizeof *world->latest);
    world->version = world->durable_version;
    state_check(world, false);
    garbage_walk(world);
    for (uint32_t i = 0; i < world->logged; i++)
        commit_make(world, &world->log[i]);
    assert_ok(kv_publish(world->kv, &error));
    state_check(world, false);
}

static void collect(struct world *world, uint32_t limit)
{
    uint32_t removed;
    assert_ok(mvcc_collect(world->collector, world->kv, world->version, limit, &removed, &error));
}

static void step(struct world *world)
{
    struct commit commit = commit_any(world);
    if (world->logged == LOG_MAX)
        checkpoint(world);
    commit_make(world, &commit);
    world->log[world->logged++] = commit;
    if (prng_chance(&world->prng, 1, 30))
        world->beside = prng_below(&world->prng, 8);
    if (prng_chance(&world->prng, 8 - world->beside, 12))
        collect(world, 1 + (uint32_t)prng_below(&world->prng, 100));
    assert_ok(kv_publish(world->kv, &error));
    world->commits++;
    struct view *view = &world->views[prng_below(&world->prng, SNAPSHOTS)];
    if (!view->snapshot)
        view_open(world, view);
    else if (prng_chance(&world->prng, 1, 4))
        view_close(world, view);
    if (prng_chance(&world->prng, 1, 20))
        checkpoint(world);
    if (prng_chance(&world->prng, 1, 40))
        power_cut(world);
    if (prng_chance(&world->prng, 1, 30)) {
        collect(world, UINT32_MAX);
        assert_ok(kv_publish(world->kv, &error));
        state_check(world, true);
    }
}

static void run(uint64_t seed, uint32_t commits)
{
    static const uint32_t page_sizes[] = {4096, 4096, 8192, 32768};
    struct world *world = mem_zalloc(1, sizeof *world);
    world->machine = env_sim_create(seed);
    world->page_size = page_sizes[seed % 4];
    world->bytes = mem_alloc(16384);
    world->latest = mem_zalloc(KEYS, sizeof *world->latest);
    world->durable = mem_zalloc(KEYS, sizeof *world->durable);
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        world->views[i].model = mem_zalloc(KEYS, sizeof(uint32_t));
    world->collector = mvcc_collector_create(0);
    world->version = 1;
    prng_seed(&world->prng, seed);
    keys_make(world);
    assert_ok(env_dir_create(env_sim_env(world->machine), "/data", &error));
    open_kv(world);
    assert_ok(kv_put(world->kv, slice_make("\x01", 1), slice_make("s", 1), &error));
    struct commit first = {.version = 2, .writes = mem_zalloc(1, sizeof(struct write)), .count = 1};
    commit_make(world, &first); /* so that there is a watermark */
    mem_free(first.writes);
    assert_ok(kv_publish(world->kv, &error));
    checkpoint(world);
    while (world->commits < commits)
        step(world);
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        view_close(world, &world->views[i]);
        mem_free(world->views[i].model);
    }
    assert_true(commits < 300 || (world->blocked > 10 && world->small > 10));
    log_clear(world);
    mvcc_collector_destroy(world->collector);
    kv_close(world->kv);
    env_sim_destroy(world->machine);
    for (uint32_t i = 0; i < KEYS; i++)
        mem_free((void *)(uintptr_t)world->keys[i].data);
    mem_free(world->latest);
    mem_free(world->durable);
    mem_free(world->bytes);
    mem_free(world);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void random_commits(void **state)
{
    (void)state;
    uint64_t seed = number_from("TOYDB_SEED", 1);
    for (uint64_t i = 0; i < 4; i++)
        run(seed + i, (uint32_t)number_from("TOYDB_MODEL_OPS", 800));
}

/* ---- versions on both sides of a leaf's border ------------------------------------------------
 */

enum { RANGE_KEYS = 60 };

static struct slice range_key(uint32_t i, uint8_t bytes[5])
{
    bytes[0] = 'k';
    put_u32_be(bytes + 1, i);
    return slice_make(bytes, 5);
}

/* Of some keys that lie `step` apart two versions, then all keys go at once. */
static void range_try(uint32_t size, uint32_t first, uint32_t step)
{
    struct env_sim *machine = env_sim_create(1);
    struct kv *kv;
    struct mvcc_replace replace;
    struct kv_snapshot *snapshot;
    struct slice value = slice_make(mem_zalloc(1, size), size), got;
    uint8_t key[5];
    assert_int_equal(env_dir_create(env_sim_env(machine), "/data", &error), OK);
    assert_int_equal(kv_open(env_sim_env(machine), "/data/store", NULL, &kv, &error), OK);
    for (uint64_t version = 1; version <= 2; version++)
        for (uint32_t i = version == 1 ? 0 : first; i < RANGE_KEYS; i += version == 1 ? 1 : step)
            assert_int_equal(mvcc_write(kv, range_key(i, key), version, &value, NULL, &error), OK);
    mvcc_replace_begin(&replace, kv, 3, RANGE_KEYS, NULL);
    for (uint32_t i = 0; i < RANGE_KEYS; i++)
        assert_int_equal(mvcc_replace_add(&replace, range_key(i, key), NULL, &error), OK);
    assert_int_equal(mvcc_replace_end(&replace, &error), OK);
    mvcc_replace_free(&replace);
    assert_int_equal(kv_publish(kv, &error), OK);
    assert_int_equal(kv_snapshot_open(kv, &snapshot, &error), OK);
    struct mvcc_view view = {.snapshot = snapshot, .version = 3};
    for (uint32_t i = 0; i < RANGE_KEYS; i++)
        assert_int_equal(mvcc_get(&view, range_key(i, key), &got, NULL, &error), ERR_NOT_FOUND);
    kv_snapshot_close(snapshot);
    kv_close(kv);
    env_sim_destroy(machine);
    mem_free((void *)(uintptr_t)value.data);
}

static void ranges_go(void **state)
{
    (void)state;
    for (uint32_t size = 300; size < 1300; size += 130)
        for (uint32_t step = 2; step < 14; step += 3)
            for (uint32_t first = 0; first < 4; first++)
                range_try(size, first, step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_commits),
                                       cmocka_unit_test(ranges_go)};
    return cmocka_run_group_tests_name("mvcc_replace", tests, NULL, NULL);
}
