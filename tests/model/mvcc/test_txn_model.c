/* Random transactions judged by the certifier, against a brute force over all of history. The dull
 * window is a list: noted writes in order, the oldest leave when there are too many, the newest
 * when leadership is lost. */
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
#include "txn/txn_int.h"

enum { KEYS = 40, NOTES_MAX = 20000, SEEDS = 25, ROUNDS = 2000, RANGES = 4, PENDING_MAX = 10 };

struct noted {
    uint32_t key;
    uint64_t version;
};

struct world {
    struct kv *kv;
    struct txn_certifier *certifier;
    struct prng prng;
    struct noted window[NOTES_MAX];
    uint32_t window_count, window_max;
    uint32_t run_min;                /* writes that the certifier keeps as a run */
    struct noted history[NOTES_MAX]; /* never forgets, but for lost proposals */
    uint32_t history_count;
    uint64_t low, version;
    uint64_t applied; /* versions above are proposals */
    struct {
        uint64_t version;
        struct buffer writes;
    } pending[PENDING_MAX];
    uint32_t pending_count;
    uint32_t judged[STATUS_COUNT];
};

static struct error error;

static struct slice key_of(uint32_t key, uint8_t bytes[2])
{
    bytes[0] = (uint8_t)('a' + key / 10);
    bytes[1] = (uint8_t)(key % 10); /* each ten next to each other */
    return slice_make(bytes, 2);
}

/* ---- the dull window ------------------------------------------------------------------------ */

static void model_place(struct world *world, uint32_t key, uint64_t version)
{
    if (world->window_count == world->window_max) {
        if (world->window[0].version > world->low)
            world->low = world->window[0].version;
        memmove(world->window, world->window + 1, --world->window_count * sizeof *world->window);
    }
    world->window[world->window_count++] = (struct noted){key, version};
}

static void model_note(struct world *world, uint32_t key, uint64_t version)
{
    if (version <= world->low)
        return;
    for (uint32_t i = 0; i < world->window_count; i++)
        if (world->window[i].key == key && world->window[i].version >= version)
            return;
    model_place(world, key, version);
    world->history[world->history_count++] = (struct noted){key, version};
}

/* A transaction's writes, in the order of their keys. Many of them have one place. */
static void model_note_all(struct world *world, const uint32_t keys[RANGES], uint64_t version)
{
    bool written[KEYS] = {false};
    uint32_t count = 0;
    for (int i = 0; i < RANGES; i++) {
        count += !written[keys[i]];
        written[keys[i]] = true;
    }
    bool is_run = count >= world->run_min;
    if (is_run)
        model_place(world, KEYS, version);
    for (uint32_t k = 0; k < KEYS; k++) {
        if (written[k] && is_run)
            world->history[world->history_count++] = (struct noted){k, version};
        else if (written[k])
            model_note(world, k, version);
    }
}

static void model_rewind(struct world *world, uint64_t version)
{
    while (world->window_count && world->window[world->window_count - 1].version > version)
        world->window_count--;
    while (world->history_count && world->history[world->history_count - 1].version > version)
        world->history_count--;
    if (world->low > version) { /* what pushed the oldest out is gone as well */
        world->low = version;
        world->window_count = 0;
    }
}

/* ---- one transaction ------------------------------------------------------------------------ */

struct looked {
    uint32_t low, high; /* [low, high) */
};

/* Encodes a transaction that read what it says in `looked`, and wrote some keys. */
static void request_make(struct world *world, uint64_t read_version, struct looked looked[RANGES],
                         uint32_t keys[RANGES], struct buffer *bytes, uint64_t sequence)
{
    struct kv_snapshot *snapshot;
    struct txn txn;
    uint8_t low[2], high[2];
    assert_int_equal(kv_snapshot_open(world->kv, &snapshot, &error), OK);
    txn_init(&txn, snapshot, read_version, false);
    for (int i = 0; i < RANGES; i++) {
        struct slice value;
        looked[i].low = (uint32_t)prng_below(&world->prng, KEYS);
        if (i > 0 && prng_chance(&world->prng, 1, 2)) /* going on behind the one before */
            looked[i].low = looked[i - 1].high % KEYS;
        looked[i].high = looked[i].low + 1;
        if (prng_chance(&world->prng, 1, 2)) {
            looked[i].high = looked[i].low;
        } else if (prng_chance(&world->prng, 3, 4)) {
            assert_int_equal(txn_get(&txn, key_of(looked[i].low, low), &value, &error),
                             ERR_NOT_FOUND);
        } else {
            struct txn_scan scan;
            looked[i].high = (uint32_t)prng_between(&world->prng, looked[i].low + 1, KEYS);
            struct slice end =
                looked[i].high == KEYS ? (struct slice){0} : key_of(looked[i].high, high);
            assert_int_equal(txn_scan_open(&txn, &scan, key_of(looked[i].low, low), end,
                                           prng_chance(&world->prng, 1, 2), &error),
                             OK);
            struct slice key;
            assert_int_equal(txn_scan_next(&scan, &key, &value, &error), ERR_NOT_FOUND);
            txn_scan_close(&scan);
        }
    }
    for (int i = 0; i < RANGES; i++) { /* what it wrote itself it would not have read */
        keys[i] = (uint32_t)prng_below(&world->prng, KEYS);
        struct slice written = slice_make("v", 1);
        assert_int_equal(txn_write(&txn, key_of(keys[i], low), &written), OK);
    }
    struct txn_id id = {.origin = slice_make("model", 5), .sequence = sequence};
    assert_int_equal(txn_request_encode(&txn, id, (struct slice){0}, bytes), OK);
    txn_free(&txn);
}

static bool conflicts(const struct world *world, const struct looked looked[RANGES],
                      uint64_t read_version)
{
    for (uint32_t i = 0; i < world->history_count; i++)
        for (int r = 0; r < RANGES; r++)
            if (world->history[i].version > read_version &&
                world->history[i].key >= looked[r].low && world->history[i].key < looked[r].high)
                return true;
    return false;
}

static void judge_any(struct world *world, uint64_t round)
{
    uint64_t back = prng_below(&world->prng, prng_chance(&world->prng, 1, 5) ? 60 : 8);
    uint64_t read_version = world->applied > back ? world->applied - back : 0;
    struct looked looked[RANGES];
    uint32_t keys[RANGES];
    struct buffer bytes = {0};
    struct txn_request request;
    struct slice key;
    request_make(world, read_version, looked, keys, &bytes, round + 1);
    assert_int_equal(txn_request_decode(buffer_slice(&bytes), &request), OK);
    status_t status = txn_certify(world->certifier, &request, &key);
    status_t wanted = read_version < world->low                ? ERR_TOO_OLD
                      : conflicts(world, looked, read_version) ? ERR_CONFLICT
                                                               : OK;
    assert_int_equal(status, wanted);
    world->judged[status]++;
    if (status == OK && world->pending_count < PENDING_MAX) {
        world->version++;
        txn_certifier_note(world->certifier, request.writes, world->version);
        model_note_all(world, keys, world->version);
        world->pending[world->pending_count].version = world->version;
        buffer_append_slice(&world->pending[world->pending_count++].writes, request.writes);
    }
    buffer_free(&bytes);
}

/* Proposals are applied, which is noted once more, or lost. */
static void pending_settle(struct world *world, bool lose)
{
    uint32_t applied = (uint32_t)prng_below(&world->prng, world->pending_count + 1);
    for (uint32_t i = 0; i < applied; i++) {
        txn_certifier_note(world->certifier, buffer_slice(&world->pending[i].writes),
                           world->pending[i].version);
        world->applied = world->pending[i].version;
        buffer_free(&world->pending[i].writes);
    }
    if (lose) {
        for (uint32_t i = applied; i < world->pending_count; i++)
            buffer_free(&world->pending[i].writes);
        txn_certifier_rewind(world->certifier, world->applied);
        model_rewind(world, world->applied);
        world->version = world->applied;
        world->pending_count = applied;
    }
    world->pending_count -= applied;
    memmove(world->pending, world->pending + applied,
            world->pending_count * sizeof *world->pending);
    memset(world->pending + world->pending_count, 0,
           (PENDING_MAX - world->pending_count) * sizeof *world->pending);
}

static void test_random(void **state)
{
    (void)state;
    uint32_t judged[STATUS_COUNT] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world *world = mem_zalloc(1, sizeof *world);
        struct env_sim *machine = env_sim_create(seed);
        prng_seed(&world->prng, seed);
        struct env *env = env_sim_env(machine);
        assert_int_equal(env_dir_create(env, "/data", &error), OK);
        assert_int_equal(kv_open(env, "/data/store", NULL, &world->kv, &error), OK);
        world->window_max = (uint32_t)prng_between(&world->prng, 1, 60);
        world->low = world->version = world->applied = prng_below(&world->prng, 20);
        world->certifier = txn_certifier_create(world->window_max);
        world->run_min = 1 + (uint32_t)seed % (RANGES + 1);
        txn__certifier_set_run_min(world->certifier, world->run_min);
        txn_certifier_start(world->certifier, world->low);
        for (uint64_t round = 0; round < ROUNDS; round++) {
            if (prng_chance(&world->prng, 3, 4))
                judge_any(world, round);
            else
                pending_settle(world, prng_chance(&world->prng, 1, 4));
        }
        for (int i = 0; i < STATUS_COUNT; i++)
            judged[i] += world->judged[i];
        for (uint32_t i = 0; i < world->pending_count; i++)
            buffer_free(&world->pending[i].writes);
        txn_certifier_destroy(world->certifier);
        kv_close(world->kv);
        env_sim_destroy(machine);
        mem_free(world);
    }
    /* Each verdict was met often. */
    assert_true(judged[OK] > 1000 && judged[ERR_CONFLICT] > 1000 && judged[ERR_TOO_OLD] > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests_name("txn_model", tests, NULL, NULL);
}
