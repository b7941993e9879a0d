/* How fast the two engines are, the tree and the merge tree, beside LMDB in the same run: the same
 * keys and values, both in a mapped file that the system writes when it likes (WRITEMAP and NOSYNC
 * there, no checkpoint here), so that trees are compared and not disks. Each workload goes to both
 * in turn, several times, and the best of each counts. Rates are per second of processor time, the
 * system's work for the program included, so that what else the machine does disturbs them less;
 * but where several threads run they are per second. Without LMDB (BENCH_LMDB) they are measured
 * alone.
 *
 *   bench_kv DIRECTORY [ENTRIES...]        keys of 16 bytes, values of 100; 1000000 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef BENCH_LMDB
#include <lmdb.h>
#endif

#include "base/prng.h"
#include "env/env.h"
#include "kv/kv.h"

enum { KEY_SIZE = 16, VALUE_SIZE = 100, ROUNDS = 5, READERS_MAX = 2, READ_CHUNK = 1000 };

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_kv: %s\n", what);
    exit(1);
}

static void make_key(uint8_t key[KEY_SIZE], uint64_t number)
{
    put_u64_be(key, 0x7461626c65000001);
    put_u64_be(key + 8, number);
}

/* All of them do this. Any call but get and scan is the writer's. */
struct engine {
    const char *name;
    void *(*open)(const char *directory);
    void (*close)(void *store, const char *directory);
    /* Loads 0 to entries - 1 in order: at once, or with a commit each `batch`. */
    void (*load)(void *store, uint64_t entries, uint64_t batch);
    void (*update)(void *store, uint64_t entries, uint64_t count, uint64_t batch,
                   struct prng *prng);
    void (*get)(void *store, uint64_t entries, uint64_t count, struct prng *prng);
    void (*scan)(void *store, uint64_t entries);
};

/* ---- kv ------------------------------------------------------------------------------------- */

static struct kv *kv_open_as(const char *directory, enum kv_engine engine)
{
    char path[4096];
    struct kv *kv;
    struct kv_options options = {.engine = engine};
    (void)snprintf(path, sizeof path, "%s/bench.%s", directory, kv_engine_name(engine));
    demand(kv_open(env_real(), path, &options, &kv, NULL) == OK, "open");
    return kv;
}

static void *tree_open(const char *directory)
{
    return kv_open_as(directory, KV_ENGINE_BTREE);
}

static void *merge_tree_open(const char *directory)
{
    return kv_open_as(directory, KV_ENGINE_LSM);
}

static void tree_close(void *store, const char *directory)
{
    char path[4096];
    struct kv_stats stats;
    kv_stats(store, &stats);
    (void)snprintf(path, sizeof path, "%s/bench.%s", directory, kv_engine_name(stats.engine));
    kv_close(store);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
}

static void tree_load(void *store, uint64_t entries, uint64_t batch)
{
    uint8_t key[KEY_SIZE], value[VALUE_SIZE];
    struct kv_load *load;
    struct slice k = slice_make(key, sizeof key), v = slice_make(value, sizeof value);
    memset(value, 'a', sizeof value);
    if (batch == 0)
        demand(kv_load_begin(store, &load, NULL) == OK, "load");
    for (uint64_t i = 0; i < entries; i++) {
        make_key(key, i);
        if (batch == 0) {
            demand(kv_load_put(load, k, v, NULL) == OK, "load");
            continue;
        }
        demand(kv_put(store, k, v, NULL) == OK, "put");
        if ((i + 1) % batch == 0)
            demand(kv_publish(store, NULL) == OK, "publish");
    }
    demand(batch == 0 ? kv_load_end(load, NULL) == OK : kv_publish(store, NULL) == OK, "publish");
}

static void tree_update(void *store, uint64_t entries, uint64_t count, uint64_t batch,
                        struct prng *prng)
{
    uint8_t key[KEY_SIZE], value[VALUE_SIZE];
    for (uint64_t i = 1; i <= count; i++) {
        make_key(key, prng_below(prng, entries));
        memset(value, (int)(i & 0xff), sizeof value);
        demand(kv_put(store, slice_make(key, sizeof key), slice_make(value, sizeof value), NULL) ==
                   OK,
               "put");
        if (i % batch == 0)
            demand(kv_publish(store, NULL) == OK, "publish");
    }
}

static void tree_get(void *store, uint64_t entries, uint64_t count, struct prng *prng)
{
    struct kv_snapshot *snapshot;
    struct slice value;
    uint8_t key[KEY_SIZE];
    demand(kv_snapshot_open(store, &snapshot, NULL) == OK, "snapshot");
    for (uint64_t i = 0; i < count; i++) {
        make_key(key, prng_below(prng, entries));
        demand(kv_get(snapshot, slice_make(key, sizeof key), &value, NULL) == OK, "get");
    }
    kv_snapshot_close(snapshot);
}

static void tree_scan(void *store, uint64_t entries)
{
    struct kv_snapshot *snapshot;
    struct kv_cursor cursor;
    uint64_t count = 0, bytes = 0;
    demand(kv_snapshot_open(store, &snapshot, NULL) == OK, "snapshot");
    kv_cursor_init(&cursor, snapshot);
    status_t status = kv_cursor_first(&cursor, NULL);
    for (; status == OK && kv_cursor_valid(&cursor); status = kv_cursor_next(&cursor, NULL)) {
        struct slice value;
        demand(kv_cursor_value(&cursor, &value, NULL) == OK, "value");
        bytes += kv_cursor_key(&cursor).data[15] + value.data[0];
        count++;
    }
    demand(count == entries && bytes > 0, "scan");
    kv_snapshot_close(snapshot);
}

static const struct engine tree = {"btree",     tree_open, tree_close, tree_load,
                                   tree_update, tree_get,  tree_scan};
static const struct engine merge_tree = {"lsm",       merge_tree_open, tree_close, tree_load,
                                         tree_update, tree_get,        tree_scan};

/* ---- LMDB ----------------------------------------------------------------------------------- */

#ifdef BENCH_LMDB
struct lmdb {
    MDB_env *env;
    MDB_dbi dbi;
};

static void *lmdb_open(const char *directory)
{
    char path[4096];
    MDB_txn *txn;
    struct lmdb *lmdb = calloc(1, sizeof *lmdb);
    demand(lmdb != NULL, "memory");
    (void)snprintf(path, sizeof path, "%s/bench.lmdb", directory);
    demand(mdb_env_create(&lmdb->env) == 0, "mdb_env_create");
    demand(mdb_env_set_mapsize(lmdb->env, 16ull << 30) == 0, "mdb_env_set_mapsize");
    demand(mdb_env_open(lmdb->env, path, MDB_NOSUBDIR | MDB_WRITEMAP | MDB_NOSYNC, 0644) == 0,
           "mdb_env_open");
    demand(mdb_txn_begin(lmdb->env, NULL, 0, &txn) == 0, "mdb_txn_begin");
    demand(mdb_dbi_open(txn, NULL, 0, &lmdb->dbi) == 0, "mdb_dbi_open");
    demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
    return lmdb;
}

static void lmdb_close(void *store, const char *directory)
{
    char path[4096];
    mdb_env_close(((struct lmdb *)store)->env);
    free(store);
    (void)snprintf(path, sizeof path, "%s/bench.lmdb", directory);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
    (void)snprintf(path, sizeof path, "%s/bench.lmdb-lock", directory);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
}

static void lmdb_put(struct lmdb *lmdb, MDB_txn *txn, uint64_t number, int fill, unsigned flags)
{
    uint8_t key[KEY_SIZE], value[VALUE_SIZE];
    make_key(key, number);
    memset(value, fill, sizeof value);
    MDB_val k = {.mv_size = sizeof key, .mv_data = key};
    MDB_val v = {.mv_size = sizeof value, .mv_data = value};
    demand(mdb_put(txn, lmdb->dbi, &k, &v, flags) == 0, "mdb_put");
}

static MDB_txn *lmdb_next(struct lmdb *lmdb, MDB_txn *txn)
{
    if (txn != NULL)
        demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
    demand(mdb_txn_begin(lmdb->env, NULL, 0, &txn) == 0, "mdb_txn_begin");
    return txn;
}

static void lmdb_load(void *store, uint64_t entries, uint64_t batch)
{
    MDB_txn *txn = lmdb_next(store, NULL);
    for (uint64_t i = 0; i < entries; i++) {
        lmdb_put(store, txn, i, 'a', MDB_APPEND);
        if (batch != 0 && (i + 1) % batch == 0)
            txn = lmdb_next(store, txn);
    }
    demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
}

static void lmdb_update(void *store, uint64_t entries, uint64_t count, uint64_t batch,
                        struct prng *prng)
{
    MDB_txn *txn = lmdb_next(store, NULL);
    for (uint64_t i = 1; i <= count; i++) {
        lmdb_put(store, txn, prng_below(prng, entries), (int)(i & 0xff), 0);
        if (i % batch == 0)
            txn = lmdb_next(store, txn);
    }
    demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
}

static void lmdb_get(void *store, uint64_t entries, uint64_t count, struct prng *prng)
{
    struct lmdb *lmdb = store;
    MDB_txn *txn;
    uint8_t key[KEY_SIZE];
    demand(mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn) == 0, "mdb_txn_begin");
    for (uint64_t i = 0; i < count; i++) {
        MDB_val k = {.mv_size = sizeof key, .mv_data = key}, v;
        make_key(key, prng_below(prng, entries));
        demand(mdb_get(txn, lmdb->dbi, &k, &v) == 0, "mdb_get");
    }
    mdb_txn_abort(txn);
}

static void lmdb_scan(void *store, uint64_t entries)
{
    struct lmdb *lmdb = store;
    MDB_txn *txn;
    MDB_val k, v;
    MDB_cursor *cursor;
    uint64_t count = 0, bytes = 0;
    demand(mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn) == 0, "mdb_txn_begin");
    demand(mdb_cursor_open(txn, lmdb->dbi, &cursor) == 0, "mdb_cursor_open");
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
        bytes += ((uint8_t *)k.mv_data)[15] + ((uint8_t *)v.mv_data)[0];
        count++;
    }
    demand(count == entries && bytes > 0, "scan");
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static const struct engine lmdb_engine = {"lmdb",      lmdb_open, lmdb_close, lmdb_load,
                                          lmdb_update, lmdb_get,  lmdb_scan};
static const struct engine *const engines[] = {&tree, &merge_tree, &lmdb_engine};
#else
static const struct engine *const engines[] = {&tree, &merge_tree};
#endif

enum { ENGINES = sizeof engines / sizeof *engines, OURS = 2 };

/* ---- workloads ------------------------------------------------------------------------------ */

struct bench {
    const char *directory;
    uint64_t entries;
    void *stores[ENGINES];
    struct prng prng;
};

static uint64_t now_us(void)
{
    return env_monotonic_us(env_real());
}

static void report(const struct bench *bench, const char *what, const double *rates)
{
    for (int e = 0; e < OURS; e++) {
        printf("%9" PRIu64 " entries  %-42s %-5s %11.0f/s", bench->entries, what, engines[e]->name,
               rates[e]);
        if (ENGINES > OURS)
            printf("   lmdb %11.0f/s   ratio %.2f", rates[ENGINES - 1],
                   rates[e] / rates[ENGINES - 1]);
        printf("\n");
    }
    (void)fflush(stdout);
}

/* Processor time of this program. */
static uint64_t cpu_us(void)
{
    return (uint64_t)((double)clock() * 1e6 / CLOCKS_PER_SEC);
}

static void keep_best(double *rate, uint64_t count, uint64_t us)
{
    double now = (double)count * 1e6 / (double)(us != 0 ? us : 1);
    if (now > *rate)
        *rate = now;
}

/* Leaves the last round's stores open. */
static void bench_load(struct bench *bench, const char *what, uint64_t batch)
{
    double rates[ENGINES] = {0};
    for (int round = 0; round < 3; round++) {
        for (int e = 0; e < ENGINES; e++) {
            if (bench->stores[e] != NULL)
                engines[e]->close(bench->stores[e], bench->directory);
            bench->stores[e] = engines[e]->open(bench->directory);
            uint64_t began_us = cpu_us();
            engines[e]->load(bench->stores[e], bench->entries, batch);
            keep_best(&rates[e], bench->entries, cpu_us() - began_us);
        }
    }
    report(bench, what, rates);
}

static void bench_reads(struct bench *bench)
{
    double gets[ENGINES] = {0}, scans[ENGINES] = {0};
    uint64_t count = bench->entries < 100000 ? 100000 : bench->entries;
    uint64_t scan_times = 1 + 200000 / bench->entries;
    if (count > 1000000)
        count = 1000000;
    for (int round = 0; round < ROUNDS; round++) {
        for (int e = 0; e < ENGINES; e++) {
            uint64_t began_us = cpu_us();
            engines[e]->get(bench->stores[e], bench->entries, count, &bench->prng);
            keep_best(&gets[e], count, cpu_us() - began_us);
        }
        for (int e = 0; e < ENGINES; e++) {
            uint64_t began_us = cpu_us();
            for (uint64_t i = 0; i < scan_times; i++)
                engines[e]->scan(bench->stores[e], bench->entries);
            keep_best(&scans[e], bench->entries * scan_times, cpu_us() - began_us);
        }
    }
    report(bench, "random gets", gets);
    report(bench, "full scans", scans);
}

static void bench_updates(struct bench *bench, const char *what, uint64_t batch)
{
    double rates[ENGINES] = {0};
    uint64_t count = 300000;
    for (int round = 0; round < 3; round++) {
        for (int e = 0; e < ENGINES; e++) {
            uint64_t began_us = cpu_us();
            engines[e]->update(bench->stores[e], bench->entries, count, batch, &bench->prng);
            keep_best(&rates[e], count, cpu_us() - began_us);
        }
    }
    report(bench, what, rates);
}

struct reader {
    const struct engine *engine;
    void *store;
    uint64_t entries, seed;
    _Atomic bool *stop;
    uint64_t count;
};

static void read_on(void *argument)
{
    struct reader *reader = argument;
    struct prng prng;
    prng_seed(&prng, reader->seed);
    while (!atomic_load(reader->stop)) {
        reader->engine->get(reader->store, reader->entries, READ_CHUNK, &prng);
        reader->count += READ_CHUNK;
    }
}

/* Updates with readers beside them; both rates. */
static void bench_beside(struct bench *bench, uint32_t readers)
{
    double updates[ENGINES] = {0}, gets[ENGINES] = {0};
    char what[80];
    for (int e = 0; e < ENGINES; e++) {
        struct reader states[READERS_MAX];
        struct env_thread *threads[READERS_MAX];
        _Atomic bool stop = false;
        uint64_t began_us = now_us(), count = 200000, read = 0;
        for (uint32_t i = 0; i < readers; i++) {
            states[i] = (struct reader){.engine = engines[e],
                                        .store = bench->stores[e],
                                        .entries = bench->entries,
                                        .seed = i + 1,
                                        .stop = &stop};
            threads[i] = env_thread_start("reader", read_on, &states[i]);
        }
        engines[e]->update(bench->stores[e], bench->entries, count, 100, &bench->prng);
        keep_best(&updates[e], count, now_us() - began_us);
        atomic_store(&stop, true);
        for (uint32_t i = 0; i < readers; i++) {
            env_thread_join(threads[i]);
            read += states[i].count;
        }
        keep_best(&gets[e], read, now_us() - began_us);
    }
    (void)snprintf(what, sizeof what, "updates beside %u reader%s", readers,
                   readers == 1 ? "" : "s");
    report(bench, what, updates);
    (void)snprintf(what, sizeof what, "random gets of %u reader%s beside updates", readers,
                   readers == 1 ? "" : "s");
    report(bench, what, gets);
}

static void bench_snapshots(const struct bench *bench, int engine)
{
    double rate = 0;
    uint64_t count = 1000000, began_us = cpu_us();
    for (uint64_t i = 0; i < count; i++) {
        struct kv_snapshot *snapshot;
        demand(kv_snapshot_open(bench->stores[engine], &snapshot, NULL) == OK, "snapshot");
        kv_snapshot_close(snapshot);
    }
    keep_best(&rate, count, cpu_us() - began_us);
    printf("%9" PRIu64 " entries  %s: a snapshot opened and closed: %.0f ns\n", bench->entries,
           engines[engine]->name, 1e9 / rate);
}

/* How long a checkpoint of many changes holds the writer up: its first and its last step. */
static void bench_checkpoint(struct kv *kv, uint64_t entries, const char *name)
{
    struct kv_checkpoint *checkpoint;
    struct prng prng;
    prng_seed(&prng, 2);
    tree_update(kv, entries, 100000, 100, &prng);
    uint64_t began_us = now_us();
    demand(kv_checkpoint_begin(kv, slice_make("m", 1), &checkpoint, NULL) == OK, "checkpoint");
    uint64_t begin_us = now_us() - began_us;
    demand(kv_checkpoint_write(checkpoint, NULL) == OK, "checkpoint");
    began_us = now_us();
    demand(kv_checkpoint_end(kv, checkpoint, NULL) == OK, "checkpoint");
    printf("%9" PRIu64 " entries  %s: checkpoint of 100,000 updates: begin %.1f ms, end %.1f ms\n",
           entries, name, (double)begin_us / 1e3, (double)(now_us() - began_us) / 1e3);
}

/* What only the tree has: a load made durable, the checkpoint of many changes, the proof. */
static void bench_durable(const char *directory, uint64_t entries, const struct engine *engine)
{
    struct kv *kv = engine->open(directory);
    struct kv_stats stats;
    uint64_t began_us = now_us();
    tree_load(kv, entries, 0);
    demand(kv_checkpoint(kv, slice_make("m", 1), NULL) == OK, "checkpoint");
    kv_stats(kv, &stats);
    uint64_t us = now_us() - began_us;
    printf("%9" PRIu64 " entries  %s: bulk load with its checkpoint: %.0f MB/s\n", entries,
           engine->name, (double)(stats.pages - stats.pages_free) * stats.page_size / (double)us);
    bench_checkpoint(kv, entries, engine->name);
    began_us = now_us();
    demand(kv_check(kv, NULL, NULL, NULL) == OK, "check");
    us = now_us() - began_us;
    printf("%9" PRIu64 " entries  %s: kv_check: %.1f ms\n", entries, engine->name,
           (double)us / 1e3);
    tree_close(kv, directory);
}

static int compare_us(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* How long single puts take, and the publish after each hundred of them: of processor time, for a
 * busy machine takes longer to come back to the program than any put. */
static void bench_stalls(const struct bench *bench, int engine)
{
    enum { COUNT = 500000 };
    struct kv *kv = bench->stores[engine];
    uint64_t *taken_us = calloc(COUNT, sizeof *taken_us);
    struct prng prng;
    demand(taken_us != NULL, "memory");
    prng_seed(&prng, 3);
    for (uint64_t i = 0; i < COUNT; i++) {
        uint8_t key[KEY_SIZE], value[VALUE_SIZE] = {(uint8_t)i};
        make_key(key, prng_below(&prng, bench->entries));
        uint64_t began_us = cpu_us();
        demand(kv_put(kv, slice_make(key, sizeof key), slice_make(value, sizeof value), NULL) == OK,
               "put");
        if (i % 100 == 99)
            demand(kv_publish(kv, NULL) == OK, "publish");
        taken_us[i] = cpu_us() - began_us;
    }
    qsort(taken_us, COUNT, sizeof *taken_us, compare_us);
    printf("%9" PRIu64 " entries  %s: of %d puts 99.9 %% took up to %.2f ms, 99.999 %% %.2f ms, "
           "all %.2f ms\n",
           bench->entries, engines[engine]->name, COUNT,
           (double)taken_us[COUNT - COUNT / 1000] / 1e3,
           (double)taken_us[COUNT - COUNT / 100000] / 1e3, (double)taken_us[COUNT - 1] / 1e3);
    free(taken_us);
}

static void bench_all(const char *directory, uint64_t entries)
{
    struct bench bench = {.directory = directory, .entries = entries};
    prng_seed(&bench.prng, 1);
    for (int e = 0; e < OURS; e++)
        bench_durable(directory, entries, engines[e]);
    bench_load(&bench, "bulk load", 0);
    bench_load(&bench, "ascending load in batches of 100", 100);
    bench_reads(&bench);
    bench_updates(&bench, "random updates in batches of 100", 100);
    bench_updates(&bench, "random updates in batches of 10,000", 10000);
    for (int e = 0; e < OURS; e++)
        bench_stalls(&bench, e);
    for (uint32_t readers = 1; readers <= READERS_MAX; readers++)
        bench_beside(&bench, readers);
    for (int e = 0; e < OURS; e++)
        bench_snapshots(&bench, e);
    for (int e = 0; e < ENGINES; e++)
        engines[e]->close(bench.stores[e], directory);
}

int main(int argc, char **argv)
{
    demand(argc >= 2, "usage: bench_kv DIRECTORY [ENTRIES...]");
    for (int i = 2; i < argc || i == 2; i++) {
        uint64_t entries = i < argc ? strtoull(argv[i], NULL, 10) : 1000000;
        demand(entries > 0, "ENTRIES must be positive");
        bench_all(argv[1], entries);
    }
    return 0;
}
