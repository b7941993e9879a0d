/* The log on a machine that fails: every call in turn, and the power at any moment. After each
 * fault the log must open, and be in a state it had at or after the last flush that succeeded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/log.h"
#include "env_sim.h"
#include "wal_model.h"

static const struct wal_config config = {
    .dir = "log", .cluster_id = 7, .node_id = 1, .segment_size = 4096, .zero_step = 1024};

static struct wal *open_settled(struct env_sim *sim, struct model *model, uint64_t seed)
{
    struct wal *wal = NULL;
    struct error error = {0};
    if (wal_open(env_sim_env(sim), &config, &wal, &error) != OK)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error.message);
    const char *wrong = model_settle(model, wal);
    if (wrong != NULL)
        fail_msg("seed %llu: %s (first %llu last %llu)", (unsigned long long)seed, wrong,
                 (unsigned long long)wal_first_index(wal), (unsigned long long)wal_last_index(wal));
    return wal;
}

/* Stages some things and flushes them. A full disk passes, and the batch is written again. */
static status_t stage_and_flush(struct model *model, struct wal *wal, struct prng *prng)
{
    uint64_t groups = prng_between(prng, 1, 4);
    for (uint64_t i = 0; i < groups; i++) {
        status_t status = model_stage(model, wal, prng);
        if (status != OK)
            return status;
    }
    struct wal_batch *batch = wal_take(wal);
    if (batch == NULL)
        return OK;
    /* A file for later is prepared beside it, or not; it may be done before or after, and fail. */
    struct wal_work *work = prng_chance(prng, 1, 2) ? wal_work_take(wal) : NULL;
    bool before = prng_chance(prng, 1, 2);
    if (work != NULL && before)
        wal_work_run(work);
    status_t status = wal_write(batch, NULL);
    if (status == ERR_DISK_FULL)
        status = wal_write(batch, NULL);
    if (work != NULL && !before && prng_chance(prng, 3, 4))
        wal_work_run(work);
    wal_finish(wal, batch, status);
    if (work != NULL)
        wal_work_done(wal, work);
    if (status == OK)
        model_durable(model);
    return status;
}

static void power_cuts(uint64_t seed, enum env_sim_survival survival)
{
    struct env_sim *sim = env_sim_create(seed);
    struct prng prng;
    prng_seed(&prng, seed ^ 0x5eed);
    struct model model;
    model_init(&model);
    for (int cut = 0; cut < 12; cut++) {
        /* A program that died may have left what was written and not synced; once it is back that
         * counts, so the next power cut must not take it. */
        bool power = survival == ENV_SIM_SURVIVE_ALL && cut % 2 == 1;
        env_sim_set_survival(sim, power ? ENV_SIM_SURVIVE_NOTHING : survival);
        env_sim_power_off_after(sim, prng_below(&prng, 60));
        /* The cut may come while opening, and again while recovering from that. */
        struct wal *wal = NULL;
        struct error error = {0};
        status_t status = wal_open(env_sim_env(sim), &config, &wal, &error);
        if (status == OK) {
            const char *wrong = model_settle(&model, wal);
            if (wrong != NULL)
                fail_msg("seed %llu: %s", (unsigned long long)seed, wrong);
        }
        for (int i = 0; i < 40 && status == OK; i++)
            status = stage_and_flush(&model, wal, &prng);
        if (status != OK && !env_sim_is_off(sim))
            fail_msg("seed %llu: %s", (unsigned long long)seed, error.message);
        wal_close(wal);
        env_sim_crash(sim);
    }
    wal_close(open_settled(sim, &model, seed));
    model_free(&model);
    env_sim_destroy(sim);
}

/* TOYDB_TEST_SEEDS asks for a longer run than a build should wait for. */
static uint64_t seeds(uint64_t usual)
{
    const char *text = getenv("TOYDB_TEST_SEEDS");
    return text != NULL ? strtoull(text, NULL, 10) : usual;
}

static void test_power_cuts_that_tear(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(400); seed++)
        power_cuts(seed, ENV_SIM_SURVIVE_RANDOM);
}

static void test_power_cuts_that_lose_all(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(100); seed++)
        power_cuts(seed, ENV_SIM_SURVIVE_NOTHING);
}

static void test_processes_that_die_before_power_cuts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds(100); seed++)
        power_cuts(seed, ENV_SIM_SURVIVE_ALL);
}

/* After a sync that failed the records read as if they were there. Once they have counted for the
 * next program they must be on the disk. */
static void test_failed_syncs_before_power_cuts(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 60; n++) {
        struct env_sim *sim = env_sim_create(n);
        struct prng prng;
        prng_seed(&prng, n);
        struct model model;
        model_init(&model);
        struct wal *wal = open_settled(sim, &model, n);
        env_sim_fail_after(sim, ENV_SIM_SYNC, n);
        status_t status = OK;
        /* It may be the work's, which then came to nothing. */
        while (status == OK && env_sim_fail_pending(sim, ENV_SIM_SYNC))
            status = stage_and_flush(&model, wal, &prng);
        wal_close(wal);
        env_sim_set_survival(sim, ENV_SIM_SURVIVE_ALL);
        env_sim_crash(sim);
        wal_close(open_settled(sim, &model, n));
        env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
        env_sim_crash(sim);
        wal_close(open_settled(sim, &model, n));
        model_free(&model);
        env_sim_destroy(sim);
    }
}

/* Runs one fixed workload with the nth call of a kind failing. False: it was never reached. */
static bool run_with_failure(enum env_sim_call kind, uint64_t n, uint64_t seed)
{
    struct env_sim *sim = env_sim_create(n);
    struct prng prng;
    prng_seed(&prng, seed);
    struct model model;
    model_init(&model);
    env_sim_fail_after(sim, kind, n);
    struct wal *wal = NULL;
    status_t status = wal_open(env_sim_env(sim), &config, &wal, NULL);
    for (int i = 0; i < 60 && status == OK; i++)
        status = stage_and_flush(&model, wal, &prng);
    bool reached = !env_sim_fail_pending(sim, kind);
    env_sim_fail_none(sim);
    if (wal != NULL && status != OK) {
        /* It has failed for good, though the machine is well again. */
        struct raft_hard_state hard_state = {.term = 1000};
        assert_int_equal(wal_stage(wal, &hard_state, NULL, 0), status);
        assert_int_equal(wal_flush(wal, NULL), status);
    }
    wal_close(wal);
    env_sim_crash(sim);
    wal_close(open_settled(sim, &model, n));
    model_free(&model);
    env_sim_destroy(sim);
    return reached;
}

static void test_every_call_fails_in_turn(void **state)
{
    (void)state;
    /* Fewer calls than this, and the workload does not do what it is for. */
    static const struct {
        enum env_sim_call kind;
        uint64_t at_least;
    } kinds[] = {{ENV_SIM_OPEN, 5},        {ENV_SIM_WRITE, 50},   {ENV_SIM_SYNC, 50},
                 {ENV_SIM_PREALLOCATE, 8}, {ENV_SIM_DIR_SYNC, 5}, {ENV_SIM_RENAME, 8}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        uint64_t n = 0;
        while (run_with_failure(kinds[i].kind, n, 11))
            n++;
        if (n < kinds[i].at_least)
            fail_msg("only %llu calls of kind %d", (unsigned long long)n, (int)kinds[i].kind);
    }
}

/* The same while opening a log that has a torn end to cut and old files to remove. */
static void test_recovery_fails_in_turn(void **state)
{
    (void)state;
    for (int kind = 0; kind < ENV_SIM_CALL_COUNT; kind++) {
        bool reached = true;
        for (uint64_t n = 0; reached; n++) {
            struct env_sim *sim = env_sim_create(77);
            struct prng prng;
            prng_seed(&prng, 5);
            struct model model;
            model_init(&model);
            struct wal *wal = open_settled(sim, &model, n);
            env_sim_power_off_after(sim, 150);
            status_t status = OK;
            while (status == OK)
                status = stage_and_flush(&model, wal, &prng);
            wal_close(wal);
            env_sim_crash(sim);
            env_sim_fail_after(sim, (enum env_sim_call)kind, n);
            wal = NULL;
            status = wal_open(env_sim_env(sim), &config, &wal, NULL);
            reached = !env_sim_fail_pending(sim, (enum env_sim_call)kind);
            assert_true(status == OK || reached);
            wal_close(wal);
            env_sim_fail_none(sim);
            env_sim_crash(sim);
            wal_close(open_settled(sim, &model, n));
            model_free(&model);
            env_sim_destroy(sim);
        }
    }
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts_that_tear),
        cmocka_unit_test(test_power_cuts_that_lose_all),
        cmocka_unit_test(test_processes_that_die_before_power_cuts),
        cmocka_unit_test(test_failed_syncs_before_power_cuts),
        cmocka_unit_test(test_every_call_fails_in_turn),
        cmocka_unit_test(test_recovery_fails_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
