/* The log: what goes in comes out, now and after reopening. */
#include "test_wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_a_new_log(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    for (int round = 0; round < 2; round++) {
        struct wal *wal = open_ok(sim);
        assert_int_equal(wal_first_index(wal), 1);
        assert_int_equal(wal_last_index(wal), 0);
        assert_int_equal(wal_durable_index(wal), 0);
        uint64_t term = 9;
        assert_int_equal(wal_term(wal, 0, &term), OK);
        assert_int_equal(term, 0);
        assert_int_equal(wal_term(wal, 1, &term), ERR_NOT_FOUND);
        assert_int_equal(wal_hard_state(wal).term, 0);
        assert_int_equal(wal_flush(wal, NULL), OK);
        wal_close(wal);
    }
    wal_close(NULL);
    env_sim_destroy(sim);
}

static void test_entries_and_hard_state_come_back(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 10, 1, 0);
    append(wal, 11, 30, 2, 100);
    struct raft_hard_state hard_state = {.term = 2, .vote = 3, .commit = 20};
    assert_int_equal(wal_stage(wal, &hard_state, NULL, 0), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    append(wal, 31, 31, 2, 10000); /* larger than a file */
    append(wal, 32, 60, 5, 33);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(wal_first_index(wal), 1);
        assert_int_equal(wal_last_index(wal), 60);
        assert_int_equal(wal_durable_index(wal), 60);
        expect(wal, 1, 10, 1, 0);
        expect(wal, 11, 30, 2, 100);
        expect(wal, 31, 31, 2, 10000);
        expect(wal, 32, 60, 5, 33);
        assert_int_equal(wal_hard_state(wal).term, 2);
        assert_int_equal(wal_hard_state(wal).vote, 3);
        assert_int_equal(wal_hard_state(wal).commit, 20);
        wal_close(wal);
        if (round == 1)
            env_sim_crash(sim);
        wal = open_ok(sim);
    }
    assert_true(file_count(sim) >= 3);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_a_conflict_drops_the_suffix(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 100, 1, 50); /* several files */
    append(wal, 20, 22, 2, 60);
    append(wal, 23, 23, 3, 60);
    append(wal, 23, 24, 4, 70);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(wal_last_index(wal), 24);
        expect(wal, 1, 19, 1, 50);
        expect(wal, 20, 22, 2, 60);
        expect(wal, 23, 24, 4, 70);
        uint64_t term;
        assert_int_equal(wal_term(wal, 25, &term), ERR_NOT_FOUND);
        wal_close(wal);
        wal = open_ok(sim);
    }
    append(wal, 1, 2, 6, 5);
    assert_int_equal(wal_last_index(wal), 2);
    wal_close(wal);
    wal = open_ok(sim);
    expect(wal, 1, 2, 6, 5);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_durable_index_while_a_batch_is_out(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 5, 1, 8);
    stage(wal, 6, 10, 1, 8);
    assert_int_equal(wal_last_index(wal), 10);
    assert_int_equal(wal_durable_index(wal), 5);
    struct wal_batch *batch = wal_take(wal);
    assert_non_null(batch);
    stage(wal, 8, 9, 2, 8); /* replaces entries that are being written */
    assert_int_equal(wal_write(batch, NULL), OK);
    wal_finish(wal, batch, OK);
    assert_int_equal(wal_durable_index(wal), 7);
    assert_int_equal(wal_last_index(wal), 9);
    stage(wal, 3, 3, 3, 8); /* and durable ones */
    assert_int_equal(wal_durable_index(wal), 2);
    expect(wal, 1, 2, 1, 8);
    assert_int_equal(wal_flush(wal, NULL), OK);
    assert_int_equal(wal_durable_index(wal), 3);
    assert_null(wal_take(wal));
    expect(wal, 3, 3, 3, 8);
    wal_close(wal);
    /* What was staged only is not there the next time. */
    wal = open_ok(sim);
    stage(wal, 4, 4, 3, 8);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 3);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_one_sync_for_all_that_is_staged(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    uint64_t before = env_sim_calls(sim, ENV_SIM_SYNC);
    for (uint64_t i = 1; i <= 10; i++)
        stage(wal, i, i, 1, 20);
    assert_int_equal(wal_flush(wal, NULL), OK);
    assert_int_equal(env_sim_calls(sim, ENV_SIM_SYNC), before + 1);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_read_stops_at_its_limit(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 50, 1, 100);
    struct arena arena;
    arena_init(&arena);
    struct raft_entry *entries;
    uint32_t count;
    assert_int_equal(wal_read(wal, 1, 51, 350, &arena, &entries, &count, NULL), OK);
    assert_int_equal(count, 3);
    assert_int_equal(wal_read(wal, 1, 51, 0, &arena, &entries, &count, NULL), OK);
    assert_int_equal(count, 1);
    assert_int_equal(wal_read(wal, 49, 51, 1000, &arena, &entries, &count, NULL), OK);
    assert_int_equal(count, 2);
    arena_free(&arena);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_storage_for_raft(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 9, 4, 10);
    assert_int_equal(wal_compact(wal, 3), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    struct raft_storage storage = wal_storage(wal);
    assert_int_equal(storage.first_index(storage.context), 4);
    assert_int_equal(storage.last_index(storage.context), 9);
    uint64_t term = 0;
    assert_int_equal(storage.term(storage.context, 3, &term), OK);
    assert_int_equal(term, 4);
    assert_int_equal(storage.term(storage.context, 2, &term), ERR_NOT_FOUND);
    struct arena arena;
    arena_init(&arena);
    struct raft_entry *entries;
    uint32_t count;
    assert_int_equal(storage.entries(storage.context, 3, 5, 100, &arena, &entries, &count),
                     ERR_NOT_FOUND);
    assert_int_equal(storage.entries(storage.context, 4, 10, 100, &arena, &entries, &count), OK);
    assert_int_equal(count, 6);
    assert_int_equal(entries[5].index, 9);
    arena_free(&arena);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_compaction_removes_files(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 200, 1, 100);
    int before = file_count(sim);
    assert_true(before > 5);
    assert_int_equal(wal_compact(wal, 150), OK);
    assert_int_equal(file_count(sim), before); /* not before that is durable */
    assert_int_equal(wal_flush(wal, NULL), OK);
    int after = file_count(sim);
    assert_true(after < before / 2);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(wal_first_index(wal), 151);
        assert_int_equal(wal_last_index(wal), 200);
        uint64_t term = 0;
        assert_int_equal(wal_term(wal, 150, &term), OK);
        assert_int_equal(term, 1);
        assert_int_equal(wal_term(wal, 149, &term), ERR_NOT_FOUND);
        expect(wal, 151, 200, 1, 100);
        wal_close(wal);
        wal = open_ok(sim);
    }
    /* All of it: the next entry still follows on the last. */
    assert_int_equal(wal_compact(wal, 200), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    assert_int_equal(file_count(sim), 1);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_first_index(wal), 201);
    assert_int_equal(wal_last_index(wal), 200);
    append(wal, 201, 203, 2, 10);
    assert_int_equal(wal_compact(wal, 200), OK); /* nothing to do */
    wal_close(wal);
    wal = open_ok(sim);
    expect(wal, 201, 203, 2, 10);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_reset_begins_elsewhere(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 100, 1, 100);
    assert_int_equal(wal_reset(wal, 1000, 7), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    assert_int_equal(file_count(sim), 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(wal_first_index(wal), 1001);
        assert_int_equal(wal_last_index(wal), 1000);
        uint64_t term = 0;
        assert_int_equal(wal_term(wal, 1000, &term), OK);
        assert_int_equal(term, 7);
        wal_close(wal);
        wal = open_ok(sim);
    }
    append(wal, 1001, 1100, 8, 90);
    wal_close(wal);
    wal = open_ok(sim);
    expect(wal, 1001, 1100, 8, 90);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_a_log_of_somebody_else_is_refused(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    wal_close(open_ok(sim));
    struct wal_config other = test_config;
    other.node_id = 4;
    struct wal *wal = NULL;
    struct error error = {0};
    assert_int_equal(wal_open(env_sim_env(sim), &other, &wal, &error), ERR_INVALID);
    assert_non_null(strstr(error.message, "belongs to node 3"));
    other = test_config;
    other.cluster_id++;
    assert_int_equal(wal_open(env_sim_env(sim), &other, &wal, &error), ERR_INVALID);
    wal = open_ok(sim);
    open_fails(sim, ERR_LOCKED, "in use");
    wal_close(wal);
    env_sim_destroy(sim);
}

/* Nothing changes when the disk is full, and the same batch goes through once it is not. */
static void test_full_disk(void **state)
{
    (void)state;
    for (uint64_t space = 0; space < 12000; space += 500) {
        struct env_sim *sim = env_sim_create(space);
        struct wal *wal = open_ok(sim);
        append(wal, 1, 3, 1, 100);
        env_sim_set_capacity(sim, env_sim_disk_used(sim) + space);
        stage(wal, 4, 103, 1, 100);
        struct wal_batch *batch = wal_take(wal);
        struct error error = {0};
        assert_int_equal(wal_write(batch, &error), ERR_DISK_FULL);
        assert_int_equal(wal_write(batch, &error), ERR_DISK_FULL);
        if (space % 1000 == 0) { /* the owner gives up */
            wal_finish(wal, batch, ERR_DISK_FULL);
            assert_int_equal(wal_flush(wal, NULL), ERR_DISK_FULL);
            assert_int_equal(wal_stage(wal, NULL, NULL, 0), ERR_DISK_FULL);
            wal_close(wal);
            env_sim_set_capacity(sim, 0);
            wal = open_ok(sim);
            uint64_t last = wal_last_index(wal);
            assert_true(last >= 3 && last < 103);
            expect(wal, 1, last, 1, 100);
            append(wal, last + 1, 103, 1, 100);
        } else {
            env_sim_set_capacity(sim, 0);
            assert_int_equal(wal_write(batch, &error), OK);
            wal_finish(wal, batch, OK);
        }
        wal_close(wal);
        env_sim_crash(sim);
        wal = open_ok(sim);
        assert_int_equal(wal_last_index(wal), 103);
        expect(wal, 1, 103, 1, 100);
        wal_close(wal);
        env_sim_destroy(sim);
    }
}

static void test_a_failed_sync_is_final(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    append(wal, 1, 3, 1, 100);
    stage(wal, 4, 4, 1, 100);
    env_sim_fail_after(sim, ENV_SIM_SYNC, 0);
    struct error error = {0};
    assert_int_equal(wal_flush(wal, &error), ERR_IO);
    assert_int_equal(wal_durable_index(wal), 3);
    assert_int_equal(wal_flush(wal, &error), ERR_IO);
    assert_int_equal(wal_stage(wal, NULL, NULL, 0), ERR_IO);
    struct arena arena;
    arena_init(&arena);
    struct raft_entry *entries;
    uint32_t count;
    assert_int_equal(wal_read(wal, 1, 2, 1, &arena, &entries, &count, &error), ERR_IO);
    arena_free(&arena);
    wal_close(wal);
    env_sim_destroy(sim);
}

/* On the real machine, with a thread that writes while the owner reads. */
struct log_thread {
    struct env_mutex *mutex;
    struct env_cond *cond;
    struct wal_batch *batch;
    bool done, stop;
    status_t status;
};

static void log_thread_run(void *argument)
{
    struct log_thread *log = argument;
    env_mutex_lock(log->mutex);
    while (!log->stop) {
        if (log->batch == NULL || log->done) {
            env_cond_wait(log->cond, log->mutex);
            continue;
        }
        env_mutex_unlock(log->mutex);
        status_t status = wal_write(log->batch, NULL);
        env_mutex_lock(log->mutex);
        log->status = status;
        log->done = true;
        env_cond_broadcast(log->cond);
    }
    env_mutex_unlock(log->mutex);
}

static void remove_in(void *context, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)context, name);
    assert_int_equal(env_file_remove(env_real(), path, NULL), OK);
}

static void test_with_a_log_thread_on_real_files(void **state)
{
    (void)state;
    char dir[256];
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/test_wal_XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(dir));
    struct wal_config config = test_config;
    config.dir = dir;
    config.segment_size = 16384;
    struct wal *wal = NULL;
    assert_int_equal(wal_open(env_real(), &config, &wal, NULL), OK);
    struct log_thread log = {.mutex = env_mutex_create(), .cond = env_cond_create()};
    struct env_thread *thread = env_thread_start("log", log_thread_run, &log);
    uint64_t next = 1;
    for (int round = 0; round < 50; round++) {
        stage(wal, next, next + 4, 1, 200);
        next += 5;
        env_mutex_lock(log.mutex);
        log.batch = wal_take(wal);
        log.done = false;
        env_cond_broadcast(log.cond);
        env_mutex_unlock(log.mutex);
        stage(wal, next, next, 1, 200);
        next++;
        if (wal_durable_index(wal) > 0)
            expect(wal, 1, wal_durable_index(wal), 1, 200);
        env_mutex_lock(log.mutex);
        while (!log.done)
            env_cond_wait(log.cond, log.mutex);
        env_mutex_unlock(log.mutex);
        assert_int_equal(log.status, OK);
        wal_finish(wal, log.batch, OK);
    }
    env_mutex_lock(log.mutex);
    log.stop = true;
    env_cond_broadcast(log.cond);
    env_mutex_unlock(log.mutex);
    env_thread_join(thread);
    env_cond_destroy(log.cond);
    env_mutex_destroy(log.mutex);
    assert_int_equal(wal_flush(wal, NULL), OK);
    wal_close(wal);
    assert_int_equal(wal_open(env_real(), &config, &wal, NULL), OK);
    expect(wal, 1, 300, 1, 200);
    wal_close(wal);
    assert_int_equal(env_dir_list(env_real(), dir, remove_in, dir, NULL), OK);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_log),
        cmocka_unit_test(test_entries_and_hard_state_come_back),
        cmocka_unit_test(test_a_conflict_drops_the_suffix),
        cmocka_unit_test(test_durable_index_while_a_batch_is_out),
        cmocka_unit_test(test_one_sync_for_all_that_is_staged),
        cmocka_unit_test(test_read_stops_at_its_limit),
        cmocka_unit_test(test_storage_for_raft),
        cmocka_unit_test(test_compaction_removes_files),
        cmocka_unit_test(test_reset_begins_elsewhere),
        cmocka_unit_test(test_a_log_of_somebody_else_is_refused),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_a_failed_sync_is_final),
        cmocka_unit_test(test_with_a_log_thread_on_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
