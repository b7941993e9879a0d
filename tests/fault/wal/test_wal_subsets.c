/* All that a power cut can leave. One script leads the log through everything it does with files:
 * growth, preparing, compaction, recycling, reset. It is cut at every call that changes the disk,
 * and at each of these places all subsets of what was not synced survive in turn: each sector, the
 * length of each file, each name given or taken away. Whatever is left must open, and be a state
 * the log had at or after the last batch that was done; and what it then takes must stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/log.h"
#include "env_sim.h"
#include "wal_model.h"

/* Files of four sectors, the first ones of one and two. */
static const struct wal_config config = {.dir = "log",
                                         .cluster_id = 7,
                                         .node_id = 1,
                                         .segment_size = 2048,
                                         .zero_step = 512,
                                         .spare_files = 2};

/* Beyond so many things, as many subsets are drawn at random. */
enum { CHOICES_MAX = 9 };

/* ---- the script ----------------------------------------------------------------------------- */

enum op { HARD_STATE, ENTRIES, COMPACT, RESET, WORK, FLUSH };

static const struct step {
    enum op op;
    uint64_t index;
    uint32_t count, size;
} script[] = {
    {.op = HARD_STATE},
    {.op = ENTRIES, .index = 1, .count = 2, .size = 60},
    {.op = FLUSH},
    {.op = WORK}, /* prepares file 2 */
    {.op = ENTRIES, .index = 3, .count = 5, .size = 200},
    {.op = FLUSH},
    {.op = ENTRIES, .index = 8, .count = 2, .size = 350},
    {.op = HARD_STATE},
    {.op = FLUSH},
    {.op = ENTRIES, .index = 8, .count = 6, .size = 270}, /* a conflict; file 3, made late */
    {.op = FLUSH},
    {.op = COMPACT, .index = 7},
    {.op = ENTRIES, .index = 14, .count = 5, .size = 240}, /* file 4 */
    {.op = FLUSH},
    {.op = COMPACT, .index = 13}, /* recycles */
    {.op = FLUSH},
    {.op = ENTRIES, .index = 19, .count = 6, .size = 290}, /* into what was recycled just now */
    {.op = FLUSH},
    {.op = ENTRIES, .index = 25, .count = 1, .size = 20},
    {.op = FLUSH},
    {.op = RESET, .index = 100}, /* recycles all but one */
    {.op = FLUSH},
    {.op = ENTRIES, .index = 101, .count = 6, .size = 330},
    {.op = HARD_STATE},
    {.op = FLUSH},
    {.op = COMPACT, .index = 103},
    {.op = ENTRIES, .index = 107, .count = 6, .size = 290},
    {.op = FLUSH},
    {.op = RESET, .index = 50}, /* back, beside entries that are written with it */
    {.op = ENTRIES, .index = 51, .count = 2, .size = 3500}, /* longer than a file */
    {.op = FLUSH},
    {.op = COMPACT, .index = 51},
    {.op = FLUSH},
    {.op = WORK},
    {.op = ENTRIES, .index = 53, .count = 6, .size = 300},
    {.op = FLUSH},
};

static status_t run_step(const struct step *step, struct model *model, struct wal *wal)
{
    switch (step->op) {
    case HARD_STATE:
        return model_hard_state(model, wal, 2);
    case ENTRIES: {
        uint32_t sizes[MODEL_GROUP_MAX];
        for (uint32_t i = 0; i < step->count; i++)
            sizes[i] = step->size;
        return model_entries(model, wal, step->index, step->count, sizes);
    }
    case COMPACT:
        return model_compact(model, wal, step->index);
    case RESET:
        return model_reset(model, wal, step->index);
    case WORK: {
        struct wal_work *work = wal_work_take(wal);
        if (work == NULL)
            return OK;
        wal_work_run(work);
        wal_work_done(wal, work);
        return OK;
    }
    case FLUSH: {
        status_t status = wal_flush(wal, NULL);
        if (status == OK)
            model_durable(model);
        return status;
    }
    }
    return OK;
}

/* Up to where the power goes, or to the end. */
static void run_script(struct env_sim *sim, struct model *model, struct wal_stats *stats)
{
    struct wal *wal = NULL;
    status_t status = wal_open(env_sim_env(sim), &config, &wal, NULL);
    for (size_t i = 0; i < sizeof script / sizeof *script && status == OK; i++)
        status = run_step(&script[i], model, wal);
    if (status != OK && !env_sim_is_off(sim))
        fail_msg("the script failed: %s", status_name(status));
    if (stats != NULL)
        *stats = wal_stats(wal);
    wal_close(wal);
}

/* ---- after the cut -------------------------------------------------------------------------- */

static struct wal *open_settled(struct env_sim *sim, struct model *model, const char *where)
{
    struct wal *wal = NULL;
    struct error error = {0};
    if (wal_open(env_sim_env(sim), &config, &wal, &error) != OK)
        fail_msg("%s: %s", where, error.message);
    const char *wrong = model_settle(model, wal);
    if (wrong != NULL)
        fail_msg("%s: %s (first %llu last %llu)", where, wrong,
                 (unsigned long long)wal_first_index(wal), (unsigned long long)wal_last_index(wal));
    return wal;
}

/* It goes on: over what is left of the batch that was cut, into files that were half made. */
static void go_on(struct env_sim *sim, struct model *model, const char *where)
{
    struct wal *wal = open_settled(sim, model, where);
    for (int i = 0; i < 3; i++) {
        uint32_t sizes[2] = {60, 130};
        uint64_t last = wal_last_index(wal);
        assert_int_equal(model_entries(model, wal, last + 1, 2, sizes), OK);
        assert_int_equal(wal_flush(wal, NULL), OK);
        model_durable(model);
    }
    wal_close(wal);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    env_sim_crash(sim);
    wal_close(open_settled(sim, model, where));
}

/* Cuts the script at the `cut`th change, lets the chosen things survive, and goes on. Opening is
 * cut as well at its `again`th change, when that is not 0. Returns how many things there were to
 * choose from; *reached: there was such a change. */
static uint32_t cut_at(uint64_t cut, uint64_t chosen, uint64_t again, bool *reached)
{
    char where[96];
    (void)snprintf(where, sizeof where, "cut %llu, chosen %llx, again %llu",
                   (unsigned long long)cut, (unsigned long long)chosen, (unsigned long long)again);
    struct env_sim *sim = env_sim_create(1);
    struct model model;
    model_init(&model);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_CHOSEN);
    env_sim_choose(sim, chosen);
    env_sim_power_off_after(sim, cut);
    run_script(sim, &model, NULL);
    *reached = env_sim_is_off(sim);
    env_sim_fail_none(sim);
    uint32_t choices = 0;
    if (*reached) {
        env_sim_crash(sim);
        choices = env_sim_choices(sim);
    }
    if (*reached && again != 0) {
        env_sim_power_off_after(sim, again - 1);
        struct wal *wal = NULL;
        if (wal_open(env_sim_env(sim), &config, &wal, NULL) == OK)
            assert_null(model_settle(&model, wal));
        wal_close(wal);
        *reached = env_sim_is_off(sim);
        env_sim_fail_none(sim);
        env_sim_choose(sim, chosen * 0x9e3779b97f4a7c15u);
        env_sim_crash(sim);
    }
    go_on(sim, &model, where);
    model_free(&model);
    env_sim_destroy(sim);
    return choices;
}

static void test_all_subsets_survive(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 1);
    uint64_t cut = 0, images = 0;
    bool reached = true;
    for (; reached; cut++) {
        uint32_t choices = cut_at(cut, 0, 0, &reached);
        uint64_t subsets = UINT64_C(1) << (choices < CHOICES_MAX ? choices : CHOICES_MAX);
        for (uint64_t i = 1; i < subsets && reached; i++)
            cut_at(cut, choices <= CHOICES_MAX ? i : prng_next(&prng), 0, &reached);
        images += subsets;
    }
    print_message("# %llu cuts, %llu images\n", (unsigned long long)cut,
                  (unsigned long long)images);
    assert_true(cut > 100 && images > 500); /* or the script does not do what it is for */
}

static void test_recovery_is_cut_too(void **state)
{
    (void)state;
    static const uint64_t subsets[] = {0, UINT64_MAX, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa,
                                       0x123456789abcdef};
    bool reached = true;
    for (uint64_t cut = 0; reached; cut++) {
        for (size_t i = 0; i < sizeof subsets / sizeof *subsets; i++) {
            bool again = true;
            for (uint64_t n = 1; again; n++)
                cut_at(cut, subsets[i], n, &again);
        }
        cut_at(cut, 0, 0, &reached);
    }
}

static void test_the_script_does_it_all(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct model model;
    struct wal_stats stats;
    model_init(&model);
    run_script(sim, &model, &stats);
    wal_close(open_settled(sim, &model, "whole"));
    assert_true(stats.files_begun >= 8);
    assert_true(stats.files_late >= 1);
    assert_true(stats.files_recycled >= 4);
    assert_true(stats.files_prepared >= 1);
    assert_true(env_sim_calls(sim, ENV_SIM_REMOVE) >= 1);
    model_free(&model);
    env_sim_destroy(sim);
}

int main(void)
{
    log_configure(LOG_OFF, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_script_does_it_all),
        cmocka_unit_test(test_all_subsets_survive),
        cmocka_unit_test(test_recovery_is_cut_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
