/* How fast the tree is: ascending load, random gets, a full scan, random updates with a publish
 * each hundred, a checkpoint; and the same with LMDB where it is installed (BENCH_LMDB), with
 * writing to the disk left to the system on both sides, so that trees are compared and not disks.
 *
 *   bench_kv DIRECTORY [ENTRIES]        keys of 16 bytes, values of 100 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BENCH_LMDB
#include <lmdb.h>
#endif

#include "base/prng.h"
#include "env/env.h"
#include "kv/kv.h"

#define VALUE_SIZE 100
#define BATCH      100

static uint64_t started_us;

static void start(void)
{
    started_us = env_monotonic_us(env_real());
}

static void stop(const char *engine, const char *what, uint64_t count)
{
    uint64_t us = env_monotonic_us(env_real()) - started_us;
    printf("%-5s %-34s %10.0f /s   %7.1f ms\n", engine, what,
           (double)count * 1e6 / (double)(us != 0 ? us : 1), (double)us / 1e3);
}

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_kv: %s\n", what);
    exit(1);
}

static void make_key(uint8_t key[16], uint64_t number)
{
    put_u64_be(key, 0x7461626c65000001);
    put_u64_be(key + 8, number);
}

/* ---- kv ------------------------------------------------------------------------------------- */

static void kv_put_one(struct kv *kv, uint64_t number, uint8_t fill)
{
    uint8_t key[16], value[VALUE_SIZE];
    make_key(key, number);
    memset(value, fill, sizeof value);
    demand(kv_put(kv, slice_make(key, 16), slice_make(value, sizeof value), NULL) == OK, "put");
}

static void kv_reads(struct kv *kv, uint64_t entries, struct prng *prng)
{
    struct kv_snapshot *snapshot;
    struct slice value;
    uint8_t key[16];
    demand(kv_snapshot_open(kv, &snapshot, NULL) == OK, "snapshot");
    start();
    for (uint64_t i = 0; i < entries; i++) {
        make_key(key, prng_below(prng, entries));
        demand(kv_get(snapshot, slice_make(key, 16), &value, NULL) == OK, "get");
    }
    stop("kv", "random gets", entries);
    uint64_t count = 0, bytes = 0;
    struct kv_cursor cursor;
    start();
    kv_cursor_init(&cursor, snapshot);
    status_t status = kv_cursor_first(&cursor, NULL);
    for (; status == OK && kv_cursor_valid(&cursor); status = kv_cursor_next(&cursor, NULL)) {
        demand(kv_cursor_value(&cursor, &value, NULL) == OK, "value");
        bytes += kv_cursor_key(&cursor).data[15] + value.data[0];
        count++;
    }
    stop("kv", "scan", count);
    demand(count == entries && bytes > 0, "scan");
    start();
    for (uint64_t i = 0; i < entries; i++) {
        struct kv_snapshot *short_lived;
        demand(kv_snapshot_open(kv, &short_lived, NULL) == OK, "snapshot");
        kv_snapshot_close(short_lived);
    }
    stop("kv", "snapshots opened and closed", entries);
    kv_snapshot_close(snapshot);
}

/* The same entries by bulk load, to the disk. */
static void bench_load(const char *directory, uint64_t entries)
{
    char path[4096];
    uint8_t key[16], value[VALUE_SIZE];
    struct kv *kv;
    struct kv_load *load;
    struct kv_stats stats;
    (void)snprintf(path, sizeof path, "%s/bench-load.kv", directory);
    demand(kv_open(env_real(), path, NULL, &kv, NULL) == OK, "open");
    uint64_t began_us = env_monotonic_us(env_real());
    start();
    demand(kv_load_begin(kv, &load, NULL) == OK, "load");
    memset(value, 'a', sizeof value);
    for (uint64_t i = 0; i < entries; i++) {
        make_key(key, i);
        demand(kv_load_put(load, slice_make(key, 16), slice_make(value, sizeof value), NULL) == OK,
               "load");
    }
    demand(kv_load_end(load, NULL) == OK, "load");
    stop("kv", "bulk load", entries);
    demand(kv_checkpoint(kv, slice_make("m", 1), NULL) == OK, "checkpoint");
    kv_stats(kv, &stats);
    uint64_t us = env_monotonic_us(env_real()) - began_us;
    printf("      with its checkpoint %.0f MB/s\n",
           (double)(stats.pages - stats.pages_free) * stats.page_size / (double)us);
    kv_close(kv);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
}

static void bench_tree(const char *directory, uint64_t entries)
{
    char path[4096];
    struct kv *kv;
    struct kv_stats stats;
    struct prng prng;
    prng_seed(&prng, 1);
    (void)snprintf(path, sizeof path, "%s/bench.kv", directory);
    demand(kv_open(env_real(), path, NULL, &kv, NULL) == OK, "open");
    start();
    for (uint64_t i = 0; i < entries; i++) {
        kv_put_one(kv, i, 'a');
        if (i % BATCH == 0)
            demand(kv_publish(kv, NULL) == OK, "publish");
    }
    demand(kv_publish(kv, NULL) == OK, "publish");
    stop("kv", "ascending load, publish each 100", entries);
    kv_stats(kv, &stats);
    printf("      %" PRIu64 " MiB file, %u of %u pages free, depth %u\n", stats.file_bytes >> 20,
           stats.pages_free, stats.pages, stats.depth);
    start();
    demand(kv_checkpoint(kv, slice_make("m", 1), NULL) == OK, "checkpoint");
    stop("kv", "checkpoint of all pages", stats.pages - stats.pages_free);
    kv_reads(kv, entries, &prng);
    start();
    for (uint64_t i = 1; i <= entries; i++) {
        kv_put_one(kv, prng_below(&prng, entries), (uint8_t)i);
        if (i % BATCH == 0)
            demand(kv_publish(kv, NULL) == OK, "publish");
    }
    stop("kv", "random updates, publish each 100", entries);
    start();
    demand(kv_checkpoint(kv, slice_make("m", 1), NULL) == OK, "checkpoint");
    stop("kv", "checkpoint after", 1);
    kv_close(kv);
    demand(kv_open(env_real(), path, NULL, &kv, NULL) == OK, "open");
    kv_reads(kv, entries, &prng);
    start();
    demand(kv_check(kv, NULL, NULL, NULL) == OK, "check");
    stop("kv", "kv_check, entries", entries);
    kv_stats(kv, &stats);
    printf("      %" PRIu64 " MiB file, %u of %u pages free\n", stats.file_bytes >> 20,
           stats.pages_free, stats.pages);
    kv_close(kv);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
}

/* ---- LMDB ----------------------------------------------------------------------------------- */

#ifdef BENCH_LMDB
static void lmdb_put_one(MDB_txn *txn, MDB_dbi dbi, uint64_t number, uint8_t fill, unsigned flags)
{
    uint8_t key[16], value[VALUE_SIZE];
    make_key(key, number);
    memset(value, fill, sizeof value);
    MDB_val k = {.mv_size = 16, .mv_data = key};
    MDB_val v = {.mv_size = sizeof value, .mv_data = value};
    demand(mdb_put(txn, dbi, &k, &v, flags) == 0, "mdb_put");
}

static void lmdb_load(MDB_env *env, MDB_dbi dbi, uint64_t entries, struct prng *prng)
{
    MDB_txn *txn;
    demand(mdb_txn_begin(env, NULL, 0, &txn) == 0, "mdb_txn_begin");
    start();
    for (uint64_t i = 1; i <= entries; i++) {
        if (prng == NULL)
            lmdb_put_one(txn, dbi, i - 1, 'a', MDB_APPEND);
        else
            lmdb_put_one(txn, dbi, prng_below(prng, entries), (uint8_t)i, 0);
        if (i % BATCH == 0) {
            demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
            demand(mdb_txn_begin(env, NULL, 0, &txn) == 0, "mdb_txn_begin");
        }
    }
    demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
    stop("lmdb",
         prng == NULL ? "ascending load, commit each 100" : "random updates, commit each 100",
         entries);
}

static void lmdb_reads(MDB_env *env, MDB_dbi dbi, uint64_t entries, struct prng *prng)
{
    MDB_txn *txn;
    MDB_val k, v;
    uint8_t key[16];
    demand(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0, "mdb_txn_begin");
    start();
    for (uint64_t i = 0; i < entries; i++) {
        make_key(key, prng_below(prng, entries));
        k = (MDB_val){.mv_size = 16, .mv_data = key};
        demand(mdb_get(txn, dbi, &k, &v) == 0, "mdb_get");
    }
    stop("lmdb", "random gets", entries);
    MDB_cursor *cursor;
    uint64_t count = 0, bytes = 0;
    start();
    demand(mdb_cursor_open(txn, dbi, &cursor) == 0, "mdb_cursor_open");
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0) {
        bytes += ((uint8_t *)k.mv_data)[15] + ((uint8_t *)v.mv_data)[0];
        count++;
    }
    stop("lmdb", "scan", count);
    demand(count == entries && bytes > 0, "scan");
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
}

static void bench_lmdb(const char *directory, uint64_t entries)
{
    char path[4096];
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    struct prng prng;
    prng_seed(&prng, 1);
    (void)snprintf(path, sizeof path, "%s/bench.lmdb", directory);
    demand(mdb_env_create(&env) == 0, "mdb_env_create");
    demand(mdb_env_set_mapsize(env, 16ull << 30) == 0, "mdb_env_set_mapsize");
    demand(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_WRITEMAP | MDB_NOSYNC, 0644) == 0,
           "mdb_env_open");
    demand(mdb_txn_begin(env, NULL, 0, &txn) == 0, "mdb_txn_begin");
    demand(mdb_dbi_open(txn, NULL, 0, &dbi) == 0, "mdb_dbi_open");
    demand(mdb_txn_commit(txn) == 0, "mdb_txn_commit");
    lmdb_load(env, dbi, entries, NULL);
    lmdb_reads(env, dbi, entries, &prng);
    lmdb_load(env, dbi, entries, &prng);
    lmdb_reads(env, dbi, entries, &prng);
    mdb_env_close(env);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
    (void)snprintf(path, sizeof path, "%s/bench.lmdb-lock", directory);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
}
#endif

int main(int argc, char **argv)
{
    demand(argc == 2 || argc == 3, "usage: bench_kv DIRECTORY [ENTRIES]");
    uint64_t entries = argc == 3 ? strtoull(argv[2], NULL, 10) : 1000000;
    demand(entries > 0, "ENTRIES must be positive");
    bench_load(argv[1], entries);
    bench_tree(argv[1], entries);
#ifdef BENCH_LMDB
    bench_lmdb(argv[1], entries);
#endif
    return 0;
}
