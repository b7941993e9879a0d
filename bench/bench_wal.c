/* How fast the log is: append and sync of one record of 4 KiB, of 16 small ones, and of 16 of
 * 4 KiB, while what is more than so many MiB old is dropped, as a checkpoint does. A thread
 * prepares files ahead, as a node's does.
 *
 *   bench_wal [DIRECTORY [MIB]]     writes so many MiB (256) for each line; DIRECTORY
 * (bench_wal.tmp) is made, and its files are removed at the end
 *
 * One line each: syncs and records a second, and the time of append and sync. "slow" counts those
 * that took over 2 ms. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/env.h"
#include "wal/wal.h"

#define KEEP_BYTES    ((uint64_t)64 << 20)
#define COMPACT_BYTES ((uint64_t)32 << 20) /* appended between two compactions */
#define SLOW_US       2000

static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "bench_wal: %s\n", what);
    exit(1);
}

/* ---- the thread that prepares files --------------------------------------------------------- */

struct helper {
    struct env_mutex *mutex;
    struct env_cond *cond;
    struct env_thread *thread;
    struct wal_work *work;
    bool out, done, stop;
};

static void helper_run(void *argument)
{
    struct helper *helper = argument;
    env_mutex_lock(helper->mutex);
    while (!helper->stop) {
        if (!helper->out || helper->done) {
            env_cond_wait(helper->cond, helper->mutex);
            continue;
        }
        env_mutex_unlock(helper->mutex);
        wal_work_run(helper->work);
        env_mutex_lock(helper->mutex);
        helper->done = true;
    }
    env_mutex_unlock(helper->mutex);
}

/* Gives it what there is to do, and takes what it has done. */
static void helper_turn(struct helper *helper, struct wal *wal)
{
    env_mutex_lock(helper->mutex);
    if (helper->done) {
        wal_work_done(wal, helper->work);
        helper->out = helper->done = false;
    }
    if (!helper->out && (helper->work = wal_work_take(wal)) != NULL) {
        helper->out = true;
        env_cond_signal(helper->cond);
    }
    env_mutex_unlock(helper->mutex);
}

static void helper_start(struct helper *helper)
{
    *helper = (struct helper){.mutex = env_mutex_create(), .cond = env_cond_create()};
    helper->thread = env_thread_start("prepare", helper_run, helper);
}

static void helper_end(struct helper *helper, struct wal *wal)
{
    env_mutex_lock(helper->mutex);
    helper->stop = true;
    env_cond_signal(helper->cond);
    env_mutex_unlock(helper->mutex);
    env_thread_join(helper->thread);
    if (helper->out)
        wal_work_done(wal, helper->work);
    env_cond_destroy(helper->cond);
    env_mutex_destroy(helper->mutex);
}

/* ---- figures -------------------------------------------------------------------------------- */

static int time_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void print_times(const char *what, uint64_t *us, uint64_t count, uint32_t records,
                        uint64_t total_us)
{
    qsort(us, count, sizeof *us, time_order);
    uint64_t slow = 0;
    while (slow < count && us[count - 1 - slow] > SLOW_US)
        slow++;
    double per_second = (double)count * 1e6 / (double)(total_us != 0 ? total_us : 1);
    printf("%-22s %7.0f syncs/s %8.0f records/s  p50 %5" PRIu64 "  p90 %5" PRIu64 "  p99 %5" PRIu64
           "  p99.9 %6" PRIu64 "  max %6" PRIu64 " us  slow %" PRIu64 " of %" PRIu64 "\n",
           what, per_second, per_second * records, us[count / 2], us[count * 9 / 10],
           us[count * 99 / 100], us[count * 999 / 1000], us[count - 1], slow, count);
}

/* ---- the log -------------------------------------------------------------------------------- */

struct bench {
    struct wal *wal;
    struct helper helper;
    uint64_t next;
    uint64_t since_compaction;
};

/* Appends `records` records and syncs them; microseconds that took on the log thread. */
static uint64_t append(struct bench *bench, uint32_t records, struct slice data)
{
    struct raft_entry entries[16];
    demand(records <= 16, "too many records");
    for (uint32_t i = 0; i < records; i++)
        entries[i] = (struct raft_entry){
            .index = bench->next++, .term = 1, .type = RAFT_ENTRY_COMMAND, .data = data};
    demand(wal_stage(bench->wal, NULL, entries, records) == OK, "stage");
    bench->since_compaction += records * data.size;
    if (bench->since_compaction >= COMPACT_BYTES) {
        bench->since_compaction = 0;
        uint64_t keep = wal_index_within(bench->wal, KEEP_BYTES);
        if (keep > wal_first_index(bench->wal) && keep - 1 <= wal_durable_index(bench->wal))
            demand(wal_compact(bench->wal, keep - 1) == OK, "compact");
    }
    struct wal_batch *batch = wal_take(bench->wal);
    uint64_t start = env_monotonic_us(env_real());
    demand(wal_write(batch, NULL) == OK, "write");
    uint64_t us = env_monotonic_us(env_real()) - start;
    wal_finish(bench->wal, batch, OK);
    helper_turn(&bench->helper, bench->wal);
    return us;
}

static void run(struct bench *bench, const char *what, uint32_t records, size_t size,
                uint64_t bytes)
{
    uint8_t *data = mem_alloc(size);
    memset(data, 'x', size);
    uint64_t count = bytes / (records * size);
    demand(count > 0, "too few MiB");
    uint64_t *us = mem_zalloc(count, sizeof *us);
    uint64_t start = env_monotonic_us(env_real());
    for (uint64_t i = 0; i < count; i++)
        us[i] = append(bench, records, slice_make(data, size));
    print_times(what, us, count, records, env_monotonic_us(env_real()) - start);
    mem_free(us);
    mem_free(data);
}

static void print_files(const struct wal *wal)
{
    struct wal_stats stats = wal_stats(wal);
    printf("%" PRIu64 " files begun, %" PRIu64 " of them made too late; %" PRIu64
           " recycled, %" PRIu64 " prepared; %" PRIu64 " MiB in %u files and %" PRIu64
           " MiB in %u spares\n",
           stats.files_begun, stats.files_late, stats.files_recycled, stats.files_prepared,
           stats.bytes >> 20, stats.files, stats.spare_bytes >> 20, stats.spares);
}

static void remove_in(void *context, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)context, name);
    demand(env_file_remove(env_real(), path, NULL) == OK, "remove");
}

int main(int argc, char **argv)
{
    demand(argc <= 3, "usage: bench_wal [DIRECTORY [MIB]]");
    char *dir = argc > 1 ? argv[1] : (char *)(uintptr_t) "bench_wal.tmp";
    uint64_t bytes = (argc > 2 ? strtoull(argv[2], NULL, 10) : 256) << 20;
    struct wal_config config = {.dir = dir, .cluster_id = 1, .node_id = 1};
    struct bench bench = {.next = 1};
    struct error error = {0};
    if (wal_open(env_real(), &config, &bench.wal, &error) != OK)
        demand(false, error.message);
    demand(wal_last_index(bench.wal) == 0, "there is a log in the directory");
    helper_start(&bench.helper);
    run(&bench, "1 x 4 KiB, young log", 1, 4096, bytes);
    run(&bench, "1 x 4 KiB", 1, 4096, bytes);
    run(&bench, "16 x 200 bytes", 16, 200, bytes / 4);
    run(&bench, "16 x 4 KiB", 16, 4096, bytes * 2);
    helper_end(&bench.helper, bench.wal);
    print_files(bench.wal);
    wal_close(bench.wal);
    demand(env_dir_list(env_real(), dir, remove_in, dir, NULL) == OK, "list");
    demand(rmdir(dir) == 0, "remove the directory");
    return 0;
}
