/* The simulator's program: seeds in, verdicts out. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

enum { SECOND_US = 1000000, FAULTS_US = 12 * SECOND_US, END_US = 60 * SECOND_US };

struct totals {
    uint64_t seeds, steps, faults, failures, commits, refusals, reads, unknown;
};

void sim_fail(struct sim *sim, const char *format, ...)
{
    char text[SIM_PROBLEM_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cluster_trace(sim->cluster, "FAILURE %s", text);
    if (!sim->problem[0])
        snprintf(sim->problem, sizeof sim->problem, "%s", text);
}

static void on_down(void *context, uint32_t node)
{
    struct sim *sim = context;
    sim_clients_down(sim, node);
    sim_check_down(sim, node);
}

static void on_stepped(void *context, uint32_t node)
{
    struct sim *sim = context;
    sim_check_node(sim, node);
    sim_finished_check(sim);
}

/* Each seed has its own sort of network, disk and cluster. */
static void cluster_begin(struct sim *sim)
{
    struct prng *prng = &sim->prng;
    static const uint64_t gaps_us[] = {300000, 1000000, 3000000};
    bool bad_network = prng_chance(prng, 1, 2);
    static const uint64_t patience_us[] = {200000, 1000000, 3000000};
    sim->patience_us = patience_us[prng_below(prng, 3)];
    sim->fault_gap_us = gaps_us[prng_below(prng, 3)];
    sim->nodes = sim->options.nodes        ? sim->options.nodes
                 : prng_chance(prng, 1, 8) ? 1
                 : prng_chance(prng, 1, 4) ? 3
                                           : 5;
    struct cluster_config config = {
        .seed = prng_next(prng),
        .nodes = sim->nodes,
        .hooks = {.context = sim, .down = on_down, .stepped = on_stepped},
        .delay_us_min = 100,
        .delay_us_max = prng_chance(prng, 1, 3) ? 30000 : 1000,
        .late_permille =
            bad_network ? (uint32_t)prng_below(prng, prng_chance(prng, 1, 3) ? 400 : 60) : 0,
        .late_us = 3 * SECOND_US,
        .drop_permille = bad_network ? (uint32_t)prng_below(prng, 80) : 0,
        .duplicate_permille = bad_network ? (uint32_t)prng_below(prng, 80) : 0,
        .log_us_min = 100,
        .log_us_max = prng_chance(prng, 1, 4) ? 100000 : 3000,
        .checkpoint_us_min = 1000,
        .checkpoint_us_max = prng_chance(prng, 1, 3) ? 1000000 : 50000,
        .window_keys = prng_chance(prng, 1, 3) ? (uint32_t)prng_between(prng, 1, 40) : 0,
        .checkpoint_bytes = prng_between(prng, 2000, 200000),
        .checkpoint_us = prng_between(prng, SECOND_US / 4, 20 * SECOND_US),
        .segment_size = prng_chance(prng, 1, 2) ? 64 * 1024 : 0,
    };
    sim->cluster = cluster_create(&config);
    cluster_trace_print(sim->cluster, sim->options.trace);
}

static bool has_problem(void *context)
{
    return ((struct sim *)context)->problem[0] != '\0';
}

static bool at_rest(void *context)
{
    struct sim *sim = context;
    if (has_problem(sim))
        return true;
    if (!sim_clients_idle(sim))
        return false;
    uint64_t applied = 0;
    for (uint32_t i = 0; i < sim->nodes; i++) {
        struct replica_status status;
        replica_status(cluster_replica(sim->cluster, i), &status);
        if (status.applied_index != status.last_index ||
            (applied && applied != status.applied_index))
            return false;
        applied = status.applied_index;
    }
    return true;
}

/* Everything comes right once the faults are over. */
static void end_run(struct sim *sim)
{
    if (cluster_run_until(sim->cluster, END_US, at_rest, sim)) {
        if (!has_problem(sim))
            sim_check_end(sim);
        return;
    }
    struct buffer busy = {0};
    sim_clients_describe(sim, &busy);
    buffer_append_byte(&busy, '\0');
    sim_fail(sim, "no rest %d s after the last fault: leader %d;%s", END_US / SECOND_US,
             cluster_leader(sim->cluster) + 1, (const char *)busy.data);
    buffer_free(&busy);
}

static void print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
}

static void report(struct sim *sim, const char *program)
{
    if (!sim->options.trace) {
        printf("\nThe last events before the failure:\n");
        cluster_trace_kept(sim->cluster, print_line, NULL);
    }
    printf("\nseed %" PRIu64 " failed: %s\n", sim->options.seed, sim->problem);
    printf("replay: %s --seed %" PRIu64 " --trace\n", program, sim->options.seed);
}

/* Returns the hash of all that happened. */
static uint64_t run(const struct sim_options *options, const char *program, struct totals *totals)
{
    struct sim *sim = mem_zalloc(1, sizeof *sim);
    sim->options = *options;
    prng_seed(&sim->prng, options->seed);
    sim_checker_start(sim);
    cluster_begin(sim);
    sim_clients_start(sim, (uint32_t)prng_between(&sim->prng, 3, SIM_CLIENTS_MAX));
    sim_faults_start(sim);
    uint64_t length_us = prng_between(&sim->prng, FAULTS_US / 2, FAULTS_US);
    if (!cluster_run_until(sim->cluster, length_us, has_problem, sim)) {
        sim_faults_end(sim);
        end_run(sim);
    }
    if (has_problem(sim))
        report(sim, program);
    uint64_t hash = cluster_trace_hash(sim->cluster);
    totals->seeds++;
    totals->failures += has_problem(sim);
    totals->steps += cluster_steps(sim->cluster);
    totals->faults += sim->faults + cluster_dropped(sim->cluster);
    totals->commits += sim->commits;
    totals->refusals += sim->refusals;
    totals->reads += sim->reads;
    totals->unknown += sim->unknown;
    cluster_destroy(sim->cluster);
    sim_history_free(sim);
    sim_clients_free(sim);
    sim_checker_free(sim);
    mem_free(sim);
    return hash;
}

static void usage(void)
{
    fputs("usage: sim [--seed N] [--seeds N] [--minutes M] [--nodes N] [--trace] [--twice]\n"
          "  --seed N     the first seed (1)\n"
          "  --seeds N    how many, one after another (1)\n"
          "  --minutes M  as many as there is time for, instead\n"
          "  --nodes N    in each cluster, 1 to 9; without it the seed decides\n"
          "  --trace      print all that happens\n"
          "  --twice      run each seed twice and compare\n",
          stderr);
    exit(64);
}

static uint64_t number_after(int argc, char **argv, int *at)
{
    if (++*at >= argc)
        usage();
    char *end;
    uint64_t number = strtoull(argv[*at], &end, 10);
    if (*end != '\0' || end == argv[*at])
        usage();
    return number;
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, seeds = 1, minutes = 0;
    bool twice = false;
    struct sim_options options = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--minutes") == 0)
            minutes = number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--nodes") == 0)
            options.nodes = (uint32_t)number_after(argc, argv, &i);
        else if (strcmp(argv[i], "--trace") == 0)
            options.trace = true;
        else if (strcmp(argv[i], "--twice") == 0)
            twice = true;
        else
            usage();
    }
    if (options.nodes > CLUSTER_NODES_MAX)
        usage();
    log_configure(LOG_OFF, NULL, NULL);
    struct totals totals = {0};
    time_t start = time(NULL);
    for (uint64_t i = 0; minutes ? time(NULL) - start < (time_t)minutes * 60 : i < seeds; i++) {
        options.seed = seed + i;
        uint64_t hash = run(&options, argv[0], &totals);
        if (twice && run(&options, argv[0], &totals) != hash) {
            printf("seed %" PRIu64 " does not repeat\n", options.seed);
            totals.failures++;
        }
        fflush(stdout);
    }
    printf("%" PRIu64 " commits, %" PRIu64 " refused, %" PRIu64 " read only, %" PRIu64 " unknown\n",
           totals.commits, totals.refusals, totals.reads, totals.unknown);
    printf("sim: %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " faults, %" PRIu64 " failures\n",
           totals.seeds, totals.steps, totals.faults, totals.failures);
    return totals.failures ? 1 : 0;
}
