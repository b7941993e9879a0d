/* The life of the log's files: prepared, filled, recycled; and what a log of the first version, a
 * tool, and an owner in a hurry see of it. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "test_wal.h"
#include "wal/wal_int.h"

#define SIZE       ((size_t)100) /* of entries: 144 bytes in the file, 27 fill one */
#define ENTRY_SIZE 144
#define FULL       27

static struct wal_stats stats_of(struct wal *wal)
{
    return wal_stats(wal);
}

static void path_of(char out[64], uint64_t sequence)
{
    (void)snprintf(out, 64, DIR "/wal-%016llx.log", (unsigned long long)sequence);
}

/* Entries 1 to `last`, and those up to `drop` compacted away. */
static struct wal *with_drops(struct env_sim *sim, uint64_t last, uint64_t drop)
{
    struct wal *wal = open_ok(sim);
    append(wal, 1, last, 1, SIZE);
    assert_int_equal(wal_compact(wal, drop), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    return wal;
}

/* ---- recycling ------------------------------------------------------------------------------ */

static void test_dropped_files_are_kept_up_to_a_bound(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = with_drops(sim, FULL * 10, FULL * 9);
    struct wal_stats stats = stats_of(wal);
    assert_int_equal(stats.spares, 4);
    assert_int_equal(stats.spare_bytes, 4 * 4096);
    assert_int_equal(stats.files_recycled, 4);
    assert_int_equal(spare_count(sim), 4);
    assert_int_equal(file_count(sim), (int)stats.files);
    assert_int_equal(stats.bytes, stats.files * 4096);
    /* They are the next files, and no other is made. */
    append(wal, FULL * 10 + 1, FULL * 13, 1, SIZE);
    assert_int_equal(stats_of(wal).spares, 1);
    assert_int_equal(stats_of(wal).files_late, stats.files_late);
    wal_close(wal);
    env_sim_crash(sim);
    wal = open_ok(sim);
    expect(wal, FULL * 9 + 1, FULL * 13, 1, SIZE);
    assert_int_equal(stats_of(wal).spares, 1); /* found again */
    assert_int_equal(stats_of(wal).bytes, stats_of(wal).files * 4096);
    wal_close(wal);
    env_sim_destroy(sim);
}

/* The records of a recycled file's earlier use lie exactly where the next one would begin. */
static void test_old_records_behind_the_end_do_not_count(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < FULL; n++) {
        struct env_sim *sim = env_sim_create(n);
        struct wal *wal = with_drops(sim, FULL * 3, FULL * 2);
        uint64_t before = wal_last_index(wal);
        append(wal, before + 1, before + n, 1, SIZE); /* into one that was full of them */
        assert_int_equal(stats_of(wal).files_late, 2);
        wal_close(wal);
        for (int round = 0; round < 2; round++) {
            wal = open_ok(sim);
            assert_int_equal(wal_last_index(wal), before + n);
            expect(wal, FULL * 2 + 1, before + n, 1, SIZE);
            wal_close(wal);
            env_sim_crash(sim);
        }
        /* A hole is still told from the end. */
        struct wal__names names;
        assert_int_equal(wal__names_list(env_sim_env(sim), DIR, &names, NULL), OK);
        char path[64];
        path_of(path, names.files.items[names.files.count - 1]);
        wal__names_free(&names);
        wal = open_ok(sim);
        append(wal, before + n + 1, before + n + 1, 1, SIZE);
        uint64_t files = stats_of(wal).files;
        wal_close(wal);
        if (files == 2) {
            flip(sim, path, WAL__FILE_HEADER_SIZE + ENTRY_SIZE * (n - 1) + 50);
            open_fails(sim, ERR_CORRUPT, path);
        }
        env_sim_destroy(sim);
    }
}

/* A file is begun, and its name is lost in a power cut; the next one gets the same number, the same
 * header and the same first record, in the same spare. What the lost one held behind that does not
 * follow: it is another use of the file. */
static void test_the_same_number_twice_is_not_the_same_file(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, FULL, 1, SIZE);
    struct wal_work *work = wal_work_take(wal);
    wal_work_run(work);
    wal_work_done(wal, work);
    stage(wal, FULL + 1, FULL + 5, 1, SIZE);
    env_sim_fail_after(sim, ENV_SIM_DIR_SYNC, 0);
    assert_int_equal(wal_flush(wal, NULL), ERR_IO);
    wal_close(wal);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    env_sim_crash(sim);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), FULL);
    assert_int_equal(stats_of(wal).spares, 1);
    append(wal, FULL + 1, FULL + 1, 1, SIZE);
    assert_int_equal(stats_of(wal).files_late, 0);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), FULL + 1);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_a_name_without_its_first_write_is_corruption(void **state)
{
    (void)state;
    /* Between taking the name and the header there is no time: what looks like that was made by
     * somebody else. */
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = with_drops(sim, FULL * 2, FULL);
    wal_close(wal);
    struct wal__names names;
    assert_int_equal(wal__names_list(env_sim_env(sim), DIR, &names, NULL), OK);
    uint64_t newest = names.files.items[names.files.count - 1];
    char *spare = wal__spare_path(DIR, names.spares.items[0]);
    char path[64];
    path_of(path, newest + 1);
    wal__names_free(&names);
    assert_int_equal(env_file_rename(env_sim_env(sim), spare, path, NULL), OK);
    open_fails(sim, ERR_CORRUPT, "the name of another");
    /* And the other way round it is a spare. */
    assert_int_equal(env_file_rename(env_sim_env(sim), path, spare, NULL), OK);
    mem_free(spare);
    wal = open_ok(sim);
    assert_int_equal(stats_of(wal).spares, 1);
    expect(wal, FULL + 1, FULL * 2, 1, SIZE);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_a_file_from_an_old_copy_is_corruption(void **state)
{
    (void)state;
    /* File 1 as it was before its last records were written. */
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, FULL - 3, 1, SIZE);
    struct slice old;
    assert_int_equal(wal__file_read(env_sim_env(sim), DIR, 1, &old, NULL), OK);
    append(wal, FULL - 2, FULL * 2, 1, SIZE);
    wal_close(wal);
    char path[64];
    path_of(path, 1);
    overwrite(sim, path, 0, old.data, old.size);
    mem_free((void *)(uintptr_t)old.data);
    open_fails(sim, ERR_CORRUPT, path);
    open_fails(sim, ERR_CORRUPT, "damaged or missing");
    env_sim_destroy(sim);
}

static void test_duplicates_do_not_count(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 5, 1, SIZE);
    append(wal, 6, 7, 1, SIZE);
    wal_close(wal);
    /* A record, again where the next one would be. */
    struct slice bytes;
    char path[64];
    path_of(path, 1);
    assert_int_equal(wal__file_read(env_sim_env(sim), DIR, 1, &bytes, NULL), OK);
    uint64_t end = WAL__FILE_HEADER_SIZE + 7 * ENTRY_SIZE;
    overwrite(sim, path, end, bytes.data + end - ENTRY_SIZE, ENTRY_SIZE);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 7);
    append(wal, 8, 8, 2, SIZE);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 8);
    expect(wal, 1, 7, 1, SIZE);
    expect(wal, 8, 8, 2, SIZE);
    wal_close(wal);
    /* The file, again as the next one. */
    char copy[64];
    path_of(copy, 2);
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(env_sim_env(sim), copy, ENV_OPEN_CREATE, &file, NULL), OK);
    env_file_close(file);
    overwrite(sim, copy, 0, bytes.data, bytes.size);
    open_fails(sim, ERR_CORRUPT, "the name of another");
    mem_free((void *)(uintptr_t)bytes.data);
    env_sim_destroy(sim);
}

/* ---- growing, preparing --------------------------------------------------------------------- */

static void test_a_small_log_is_small(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal_config config = test_config;
    config.zero_step = 1024;
    config.segment_size = 8192;
    struct wal *wal = NULL;
    assert_int_equal(wal_open(env_sim_env(sim), &config, &wal, NULL), OK);
    assert_int_equal(stats_of(wal).bytes, 1024);
    static const uint64_t sizes[] = {1024, 2048, 4096, 8192, 8192};
    uint64_t next = 1;
    for (uint64_t sequence = 1; sequence <= 5; sequence++) {
        struct wal_work *work;
        while (wal->tail.sequence == sequence) {
            append(wal, next, next, 1, SIZE);
            next++;
            if ((work = wal_work_take(wal)) != NULL) {
                assert_null(wal_work_take(wal));
                wal_work_run(work);
                wal_work_done(wal, work);
            }
        }
        char path[64];
        path_of(path, sequence);
        assert_int_equal(file_size(sim, path), sizes[sequence - 1]);
    }
    struct wal_stats stats = stats_of(wal);
    assert_int_equal(stats.files_late, 0);
    assert_int_equal(stats.files_begun, 5);
    assert_true(stats.files_prepared >= 5);
    wal_close(wal);
    assert_int_equal(wal_open(env_sim_env(sim), &config, &wal, NULL), OK);
    expect(wal, 1, next - 1, 1, SIZE);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_a_batch_into_a_prepared_file_needs_few_calls(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, FULL, 1, SIZE);
    struct wal_work *work = wal_work_take(wal);
    assert_non_null(work);
    wal_work_run(work);
    wal_work_done(wal, work);
    assert_null(wal_work_take(wal));
    uint64_t syncs = env_sim_calls(sim, ENV_SIM_SYNC);
    uint64_t names = env_sim_calls(sim, ENV_SIM_DIR_SYNC);
    uint64_t writes = env_sim_calls(sim, ENV_SIM_WRITE);
    append(wal, FULL + 1, FULL + 5, 1, SIZE);
    assert_int_equal(env_sim_calls(sim, ENV_SIM_SYNC), syncs + 2); /* the old file, the new one */
    assert_int_equal(env_sim_calls(sim, ENV_SIM_DIR_SYNC), names + 1);
    assert_int_equal(env_sim_calls(sim, ENV_SIM_WRITE), writes + 1);
    append(wal, FULL + 6, FULL + 10, 1, SIZE);
    assert_int_equal(env_sim_calls(sim, ENV_SIM_SYNC), syncs + 3);
    assert_int_equal(env_sim_calls(sim, ENV_SIM_WRITE), writes + 2);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_preparing_may_fail(void **state)
{
    (void)state;
    static const enum env_sim_call calls[] = {ENV_SIM_OPEN, ENV_SIM_PREALLOCATE, ENV_SIM_WRITE,
                                              ENV_SIM_SYNC, ENV_SIM_DIR_SYNC};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct env_sim *sim = env_sim_create(1);
        struct wal *wal = open_ok(sim);
        append(wal, 1, FULL - 2, 1, SIZE);
        struct wal_work *work = wal_work_take(wal);
        env_sim_fail_after(sim, calls[i], 0);
        wal_work_run(work);
        assert_false(env_sim_fail_pending(sim, calls[i]));
        wal_work_done(wal, work);
        assert_int_equal(spare_count(sim), 0);
        assert_null(wal_work_take(wal)); /* not again for this file */
        append(wal, FULL - 1, FULL + 10, 1, SIZE);
        assert_int_equal(stats_of(wal).files_late, 1);
        work = wal_work_take(wal);
        assert_non_null(work);
        wal_work_done(wal, work); /* never run: the node is stopping */
        assert_int_equal(stats_of(wal).files_prepared, 0);
        wal_close(wal);
        wal = open_ok(sim);
        expect(wal, 1, FULL + 10, 1, SIZE);
        wal_close(wal);
        env_sim_destroy(sim);
    }
}

/* ---- beside a batch that is out ------------------------------------------------------------- */

static void test_compaction_beside_a_batch_that_is_out(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, FULL * 3, 1, SIZE);
    stage(wal, FULL * 3 + 1, FULL * 4, 1, SIZE);
    struct wal_batch *batch = wal_take(wal);
    assert_int_equal(wal_compact(wal, FULL * 2), OK);
    stage(wal, FULL * 4 + 1, FULL * 4 + 3, 1, SIZE);
    assert_int_equal(wal_compact(wal, FULL * 3), OK);
    assert_int_equal(wal_first_index(wal), FULL * 3 + 1);
    assert_int_equal(wal_durable_index(wal), FULL * 3);
    assert_int_equal(file_count(sim), 3);
    assert_int_equal(wal_write(batch, NULL), OK);
    wal_finish(wal, batch, OK);
    assert_int_equal(spare_count(sim), 0); /* the batch knew nothing of it */
    expect(wal, FULL * 3 + 1, FULL * 4, 1, SIZE);
    assert_int_equal(wal_compact(wal, FULL * 4), OK); /* of what is durable only since now */
    assert_int_equal(wal_flush(wal, NULL), OK);
    assert_true(spare_count(sim) >= 3);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(wal_first_index(wal), FULL * 4 + 1);
        assert_int_equal(wal_last_index(wal), FULL * 4 + 3);
        expect(wal, FULL * 4 + 1, FULL * 4 + 3, 1, SIZE);
        wal_close(wal);
        env_sim_crash(sim);
        wal = open_ok(sim);
    }
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_reset_beside_a_batch_that_is_out(void **state)
{
    (void)state;
    for (int where = 0; where < 3; where++) { /* the snapshot is older, within, and newer */
        uint64_t index = (uint64_t[]){5, FULL * 2, 1000}[where];
        struct env_sim *sim = env_sim_create(1);
        struct wal *wal = open_ok(sim);
        append(wal, 1, FULL * 2, 1, SIZE);
        stage(wal, FULL * 2 + 1, FULL * 3, 1, SIZE);
        struct wal_batch *batch = wal_take(wal);
        stage(wal, FULL * 3 + 1, FULL * 3 + 5, 1, SIZE); /* staged ones go, too */
        assert_int_equal(wal_reset(wal, index, 9), OK);
        assert_int_equal(wal_last_index(wal), index);
        assert_int_equal(wal_durable_index(wal), index);
        stage(wal, index + 1, index + 3, 9, SIZE);
        assert_int_equal(wal_write(batch, NULL), OK);
        wal_finish(wal, batch, OK);
        assert_int_equal(wal_durable_index(wal), index);
        struct arena arena;
        struct raft_entry *entries;
        uint32_t count;
        arena_init(&arena);
        assert_int_equal(wal_read(wal, index, index + 1, 1, &arena, &entries, &count, NULL),
                         ERR_NOT_FOUND);
        arena_free(&arena);
        if (where == 2) { /* a crash before it is durable: all as it was */
            wal_close(wal);
            env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
            env_sim_crash(sim);
            wal = open_ok(sim);
            expect(wal, 1, FULL * 3, 1, SIZE);
            assert_int_equal(wal_reset(wal, index, 9), OK);
            stage(wal, index + 1, index + 3, 9, SIZE);
        }
        assert_int_equal(wal_flush(wal, NULL), OK);
        assert_int_equal(wal_durable_index(wal), index + 3);
        for (int round = 0; round < 2; round++) {
            uint64_t term = 0;
            assert_int_equal(wal_first_index(wal), index + 1);
            assert_int_equal(wal_term(wal, index, &term), OK);
            assert_int_equal(term, 9);
            expect(wal, index + 1, index + 3, 9, SIZE);
            wal_close(wal);
            env_sim_crash(sim);
            wal = open_ok(sim);
        }
        wal_close(wal);
        env_sim_destroy(sim);
    }
}

/* ---- a torn end ----------------------------------------------------------------------------- */

static void test_nothing_is_written_over_torn_records(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 3, 1, SIZE);
    append(wal, 4, 6, 1, SIZE);
    wal_close(wal);
    char path[64];
    path_of(path, 1);
    flip(sim, path, WAL__FILE_HEADER_SIZE + 3 * ENTRY_SIZE + 5);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 3);
    assert_int_equal(file_count(sim), 1); /* nothing is written without need */
    append(wal, 4, 4, 2, SIZE);
    assert_int_equal(file_count(sim), 2);
    wal_close(wal);
    /* Were the damage undone now, the chain would still leave the torn batch out. */
    flip(sim, path, WAL__FILE_HEADER_SIZE + 3 * ENTRY_SIZE + 5);
    open_fails(sim, ERR_CORRUPT, "damaged or missing");
    flip(sim, path, WAL__FILE_HEADER_SIZE + 3 * ENTRY_SIZE + 5);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 4);
    expect(wal, 1, 3, 1, SIZE);
    expect(wal, 4, 4, 2, SIZE);
    wal_close(wal);
    env_sim_destroy(sim);
}

/* Of a torn batch no record is whole, so the log goes on over it. Its second one becomes whole
 * again when a later write is torn; it was written behind another first one, and does not follow.
 */
static void test_remains_do_not_follow_another_record(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 3, 1, SIZE);
    append(wal, 4, 5, 1, SIZE);
    wal_close(wal);
    char path[64];
    path_of(path, 1);
    uint64_t fourth = WAL__FILE_HEADER_SIZE + 3 * ENTRY_SIZE;
    flip(sim, path, fourth + 60);
    flip(sim, path, fourth + ENTRY_SIZE + 60);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 3);
    append(wal, 4, 4, 2, SIZE);
    assert_int_equal(file_count(sim), 1);
    wal_close(wal);
    flip(sim, path, fourth + ENTRY_SIZE + 60);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 4);
    expect(wal, 1, 3, 1, SIZE);
    expect(wal, 4, 4, 2, SIZE);
    append(wal, 5, 5, 2, SIZE);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 5);
    expect(wal, 4, 5, 2, SIZE);
    wal_close(wal);
    env_sim_destroy(sim);
}

/* ---- the first version of the format -------------------------------------------------------- */

static void test_a_log_of_version_1_goes_on(void **state)
{
    (void)state;
    for (uint64_t last = 1; last <= FULL * 2 + 2; last += 9) {
        struct env_sim *sim = env_sim_create(last);
        struct wal *wal = open_ok(sim);
        append(wal, 1, last, 1, SIZE);
        struct raft_hard_state hard_state = {.term = 1, .vote = 2, .commit = last};
        assert_int_equal(wal_stage(wal, &hard_state, NULL, 0), OK);
        assert_int_equal(wal_flush(wal, NULL), OK);
        wal_close(wal);
        make_version_1(sim);
        int files = file_count(sim);
        for (int round = 0; round < 2; round++) { /* as often as you like */
            wal = open_ok(sim);
            assert_int_equal(wal_hard_state(wal).commit, last);
            expect(wal, 1, last, 1, SIZE);
            wal_close(wal);
            assert_int_equal(file_count(sim), files);
        }
        /* What comes goes into a file of today; power cuts leave it, or not. */
        env_sim_power_off_after(sim, 6 + last % 5);
        struct raft_entry entry = {.index = last + 1, .term = 5, .type = RAFT_ENTRY_COMMAND};
        if (wal_open(env_sim_env(sim), &test_config, &wal, NULL) == OK) {
            (void)wal_stage(wal, NULL, &entry, 1);
            (void)wal_flush(wal, NULL);
        }
        wal_close(wal);
        env_sim_fail_none(sim);
        env_sim_crash(sim);
        wal = open_ok(sim);
        assert_true(wal_last_index(wal) == last || wal_last_index(wal) == last + 1);
        append(wal, last + 1, last + 2, 6, SIZE);
        assert_int_equal(file_count(sim), files + 1 + (wal->tail.sequence > (uint64_t)files + 1));
        wal_close(wal);
        wal = open_ok(sim);
        expect(wal, 1, last, 1, SIZE);
        expect(wal, last + 1, last + 2, 6, SIZE);
        wal_close(wal);
        env_sim_destroy(sim);
    }
}

static void test_damage_in_version_1_is_found(void **state)
{
    (void)state;
    char path[64];
    path_of(path, 1);
    for (uint64_t n = 1; n <= FULL; n += 5) {
        struct env_sim *sim = env_sim_create(n);
        struct wal *wal = open_ok(sim);
        append(wal, 1, FULL, 1, SIZE);
        append(wal, FULL + 1, FULL + 3, 1, SIZE);
        wal_close(wal);
        make_version_1(sim);
        flip(sim, path, WAL__FILE_HEADER_SIZE + ENTRY_SIZE * (n - 1) + 60);
        struct error error = {0};
        assert_int_equal(wal_open(env_sim_env(sim), &test_config, &wal, &error), ERR_CORRUPT);
        env_sim_destroy(sim);
    }
    /* A torn end is left out, and stays out. */
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 3, 1, SIZE);
    append(wal, 4, 6, 1, SIZE);
    wal_close(wal);
    make_version_1(sim);
    flip(sim, path, WAL__FILE_HEADER_SIZE + ENTRY_SIZE * 3 + 60);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 3);
    append(wal, 4, 4, 2, SIZE);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 4);
    expect(wal, 1, 3, 1, SIZE);
    expect(wal, 4, 4, 2, SIZE);
    wal_close(wal);
    env_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped_files_are_kept_up_to_a_bound),
        cmocka_unit_test(test_old_records_behind_the_end_do_not_count),
        cmocka_unit_test(test_the_same_number_twice_is_not_the_same_file),
        cmocka_unit_test(test_a_name_without_its_first_write_is_corruption),
        cmocka_unit_test(test_a_file_from_an_old_copy_is_corruption),
        cmocka_unit_test(test_duplicates_do_not_count),
        cmocka_unit_test(test_a_small_log_is_small),
        cmocka_unit_test(test_a_batch_into_a_prepared_file_needs_few_calls),
        cmocka_unit_test(test_preparing_may_fail),
        cmocka_unit_test(test_compaction_beside_a_batch_that_is_out),
        cmocka_unit_test(test_reset_beside_a_batch_that_is_out),
        cmocka_unit_test(test_nothing_is_written_over_torn_records),
        cmocka_unit_test(test_remains_do_not_follow_another_record),
        cmocka_unit_test(test_a_log_of_version_1_goes_on),
        cmocka_unit_test(test_damage_in_version_1_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
