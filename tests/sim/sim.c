/* One run: a cluster from a seed, its clients and faults, the verdict. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

enum { SECOND_US = 1000000, FAULTS_US = 12 * SECOND_US, END_US = 60 * SECOND_US };

void sim_fail(struct sim *sim, const char *format, ...)
{
    char text[SIM_PROBLEM_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (sim->problem[0]) {
        cluster_trace(sim->cluster, "and: %s", text);
        return;
    }
    cluster_note(sim->cluster, "FAILURE %s", text);
    snprintf(sim->problem, sizeof sim->problem, "%s", text);
}

static void on_down(void *context, uint32_t node)
{
    struct sim *sim = context;
    sim_clients_down(sim, node);
    sim_sql_down(sim, node);
    sim_keeper_down(sim, node);
    sim_raft_down(sim, node);
}

static void on_sent(void *context, uint32_t node, const struct replica_message *message)
{
    if (message->raft)
        sim_raft_sent(context, node, message);
}

static void on_stepped(void *context, uint32_t node)
{
    struct sim *sim = context;
    sim_check_node(sim, node);
    sim_finished_check(sim);
    sim_sql_stepped(sim, node);
    sim_rival_stepped(sim, node);
}

static void members_begin(struct sim *sim, uint32_t founders)
{
    sim->members.count = founders;
    for (uint32_t i = 0; i < sim->nodes; i++) {
        sim->spare[i] = i >= founders;
        if (i < founders)
            sim->members.items[i] = (struct raft_member){.id = i + 1, .voter = true};
    }
}

/* Each seed has its own sort of network, disk and cluster. */
static void cluster_begin(struct sim *sim, bool changes)
{
    struct prng *prng = &sim->prng;
    static const uint64_t gaps_us[] = {300000, 1000000, 3000000};
    bool bad_network = prng_chance(prng, 1, 2);
    static const uint64_t patience_us[] = {200000, 1000000, 3000000};
    sim->patience_us = patience_us[prng_below(prng, 3)];
    sim->fault_gap_us = gaps_us[prng_below(prng, 3)];
    uint32_t founders = prng_chance(prng, 1, 8) ? 1 : prng_chance(prng, 1, 4) ? 3 : 5;
    if (changes && prng_chance(prng, 1, 3))
        founders = (uint32_t)prng_between(prng, 2, 4);
    if (sim->rival.enabled) {
        founders = 4;
        sim->fault_gap_us = 5 * SECOND_US;
    }
    if (sim->options.nodes)
        founders = sim->options.nodes;
    sim->nodes = founders;
    if (changes)
        sim->nodes += (uint32_t)prng_below(prng, CLUSTER_NODES_MAX + 1 - founders);
    members_begin(sim, founders);
    bool short_log = prng_chance(prng, 1, 2); /* who is behind needs a snapshot */
    bool tiny_log = prng_chance(prng, 1, 2);
    struct cluster_config config = {
        .seed = prng_next(prng),
        .nodes = sim->nodes,
        .founders = founders,
        .hooks = {.context = sim, .down = on_down, .stepped = on_stepped, .sent = on_sent},
        .delay_us_min = 100,
        .delay_us_max = prng_chance(prng, 1, 3) ? 30000 : 1000,
        .late_permille =
            bad_network ? (uint32_t)prng_below(prng, prng_chance(prng, 1, 3) ? 400 : 60) : 0,
        .late_us = 3 * SECOND_US,
        .drop_permille = bad_network ? (uint32_t)prng_below(prng, 80) : 0,
        .duplicate_permille = bad_network ? (uint32_t)prng_below(prng, 80) : 0,
        .log_us_min = 100,
        .log_us_max = prng_chance(prng, 1, 4) ? 100000 : 3000,
        .stall_permille = prng_chance(prng, 1, 4) ? (uint32_t)prng_below(prng, 30) : 0,
        .stall_us = 440000,
        .checkpoint_us_min = 1000,
        .checkpoint_us_max = prng_chance(prng, 1, 3) ? 1000000 : 50000,
        .window_keys = prng_chance(prng, 1, 3) ? (uint32_t)prng_between(prng, 1, 40) : 0,
        .checkpoint_bytes = prng_between(prng, 2000, 200000),
        .checkpoint_us = prng_between(prng, SECOND_US / 4, short_log ? SECOND_US : 20 * SECOND_US),
        .history_us = prng_chance(prng, 1, 2) ? prng_below(prng, 10 * SECOND_US) : 0,
        .segment_size = prng_chance(prng, 1, 2) ? 64 * 1024 : 0,
        .append_bytes = prng_chance(prng, 1, 3) ? prng_between(prng, 1, 2000) : 0,
        .log_keep_bytes = short_log ? prng_between(prng, 1, tiny_log ? 500 : 20000) : 0,
        .log_keep_max_bytes = short_log ? prng_between(prng, 1, tiny_log ? 500 : 40000) : 0,
        .log_cache_bytes = short_log ? prng_between(prng, 1, tiny_log ? 500 : 40000) : 0,
        .snapshot_bytes_per_second =
            prng_chance(prng, 1, 3) ? prng_between(prng, 100000, 3000000) : 0,
        .work_us_min = 10,
        .work_us_max = prng_chance(prng, 1, 4) ? 50000 : 1000,
        .check_us = prng_chance(prng, 1, 3) ? prng_between(prng, SECOND_US, 10 * SECOND_US) : 0,
    };
    /* Nobody votes for nine ticks of 20 ms after hearing of a leader. */
    if (config.seed % 4 == 0)
        config.read_lease_us = 150000;
    /* Of four clusters one has the merge tree on all nodes, one on some; runs so short that there
     * are many. */
    uint32_t engines = (uint32_t)(config.seed / 4 % 4);
    config.lsm_nodes = engines == 0 ? UINT32_MAX : engines == 1 ? (uint32_t)(config.seed >> 32) : 0;
    config.disk_reserve_bytes = config.seed / 128 % 2 ? 30000 : 0;
    config.kv_run_bytes = 4096ull << (config.seed / 16 % 6);
    /* Little: then entries that are applied meet a full disk, too. */
    config.kv_growth_bytes = prng_chance(prng, 2, 3) ? 4096ull << prng_below(prng, 4) : 0;
    sim->cluster = cluster_create(&config);
    cluster_trace_print(sim->cluster, sim->options.trace);
}

/* Looked at before each step. */
static bool has_problem(void *context)
{
    struct sim *sim = context;
    sim_faults_tend(sim);
    return sim->problem[0] != '\0';
}

static bool at_rest(void *context)
{
    struct sim *sim = context;
    if (has_problem(sim))
        return true;
    if (!sim_clients_idle(sim) || !sim_sql_idle(sim) || !sim_keeper_idle(sim))
        return false;
    uint64_t committed = sim_raft_committed(sim);
    for (uint32_t i = 0; i < sim->nodes; i++) {
        struct replica_status status;
        if (!cluster_replica(sim->cluster, i) || !sim_is_member(sim, i))
            continue;
        replica_status(cluster_replica(sim->cluster, i), &status);
        if (status.applied_index != committed || status.last_index != committed)
            return false;
    }
    return true;
}

static bool is_audited(void *context)
{
    struct sim *sim = context;
    return has_problem(sim) || sim_sql_audited(sim);
}

/* Each node is asked by SQL. */
static void nodes_audit(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->nodes && !has_problem(sim); i++)
        if (cluster_replica(sim->cluster, i) && sim_is_member(sim, i) && sim_sql_audit(sim, i) &&
            !cluster_run_until(sim->cluster, END_US, is_audited, sim))
            sim_fail(sim, "node %u does not answer in %d s", i + 1, END_US / SECOND_US);
}

/* Who is still at work, or behind. */
static void restless(struct sim *sim, int seconds, const char *since)
{
    struct buffer busy = {0};
    sim_clients_describe(sim, &busy);
    sim_sql_describe(sim, &busy);
    sim_nodes_describe(sim, &busy);
    buffer_append_byte(&busy, '\0');
    sim_fail(sim, "no rest %d s after %s: leader %d;%s", seconds, since,
             cluster_leader(sim->cluster) + 1, (const char *)busy.data);
    buffer_free(&busy);
}

/* Everything comes right once the faults are over. */
static void end_run(struct sim *sim)
{
    if (cluster_run_until(sim->cluster, END_US, at_rest, sim)) {
        nodes_audit(sim);
        if (!has_problem(sim))
            sim_keeper_finish(sim);
        /* Checks of consistency come by themselves, too, and are entries of the log. One waits a
         * minute for a node that took over a snapshot from behind it, and the next comes then. */
        if (!cluster_run_until(sim->cluster, 3 * (uint64_t)END_US, at_rest, sim))
            restless(sim, 3 * END_US / SECOND_US, "the last check began");
        if (!has_problem(sim))
            sim_check_end(sim);
        return;
    }
    restless(sim, END_US / SECOND_US, "the last fault");
}

static void print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
}

static void report(struct sim *sim, const char *program)
{
    if (!sim->options.trace) {
        printf("\nWhat happened, without messages and requests (seconds, event):\n");
        cluster_notes_kept(sim->cluster, print_line, NULL);
        printf("\nThe last events before the failure, all of them:\n");
        cluster_trace_kept(sim->cluster, print_line, NULL);
    }
    printf("\nseed %" PRIu64 " failed: %s\n", sim->options.seed, sim->problem);
    printf("replay: %s --seed %" PRIu64, program, sim->options.seed);
    if (sim->options.nodes)
        printf(" --nodes %u", sim->options.nodes);
    printf(" --trace\n");
}

static struct sim *sim_running;
static const char *sim_program;

void sim_report_death(void)
{
    if (!sim_running)
        return;
    snprintf(sim_running->problem, sizeof sim_running->problem,
             "the program died, see standard error");
    report(sim_running, sim_program);
}

uint64_t sim_run(const struct sim_options *options, const char *program, struct sim_totals *totals)
{
    struct sim *sim = mem_zalloc(1, sizeof *sim);
    sim->options = *options;
    sim_running = sim;
    sim_program = program;
    prng_seed(&sim->prng, options->seed);
    sim_raft_start(sim);
    bool changes = prng_chance(&sim->prng, 1, 2);
    sim_rival_start(sim, changes && options->seed % 8 == 0 && options->nodes == 0);
    cluster_begin(sim, changes);
    sim_keeper_start(sim, changes);
    bool sql = prng_chance(&sim->prng, 1, 2);
    sim_clients_start(sim, (uint32_t)prng_between(&sim->prng, 3, sql ? 6 : SIM_CLIENTS_MAX));
    sim_sql_start(sim, sql ? (uint32_t)prng_between(&sim->prng, 2, SIM_SQL_CLIENTS_MAX) : 0);
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
    totals->failures += sim->problem[0] != '\0';
    totals->steps += cluster_steps(sim->cluster);
    totals->faults += sim->faults + cluster_dropped(sim->cluster);
    totals->commits += sim->commits;
    totals->refusals += sim->refusals;
    totals->reads += sim->reads;
    totals->unknown += sim->unknown;
    totals->sql_commits += sim->sql_commits;
    totals->sql_refusals += sim->sql_refusals;
    totals->changes += sim->changes;
    totals->checks += sim->checks;
    totals->snapshots += sim->snapshots;
    totals->flips += sim->flips;
    totals->flips_found += sim->flips_found;
    totals->collected += sim->collected;
    cluster_destroy(sim->cluster);
    sim_history_free(sim);
    sim_clients_free(sim);
    sim_sql_free(sim);
    sim_keeper_free(sim);
    sim_raft_free(sim);
    sim_running = NULL;
    mem_free(sim);
    return hash;
}

void sim_totals_add(struct sim_totals *sum, const struct sim_totals *more)
{
    sum->seeds += more->seeds;
    sum->steps += more->steps;
    sum->faults += more->faults;
    sum->failures += more->failures;
    sum->commits += more->commits;
    sum->refusals += more->refusals;
    sum->reads += more->reads;
    sum->unknown += more->unknown;
    sum->sql_commits += more->sql_commits;
    sum->sql_refusals += more->sql_refusals;
    sum->changes += more->changes;
    sum->checks += more->checks;
    sum->snapshots += more->snapshots;
    sum->flips += more->flips;
    sum->flips_found += more->flips_found;
    sum->collected += more->collected;
}

void sim_totals_print(const struct sim_totals *t)
{
    printf("%" PRIu64 " commits, %" PRIu64 " refused, %" PRIu64 " read only, %" PRIu64 " unknown\n",
           t->commits, t->refusals, t->reads, t->unknown);
    printf("%" PRIu64 " SQL jobs done, %" PRIu64 " refused; %" PRIu64
           " changes of members and leaders, %" PRIu64 " consistency checks, %" PRIu64
           " snapshots taken over\n",
           t->sql_commits, t->sql_refusals, t->changes, t->checks, t->snapshots);
    printf("%" PRIu64 " bits flipped, %" PRIu64 " nodes stopped for it, %" PRIu64
           " versions collected\n",
           t->flips, t->flips_found, t->collected);
    printf("sim: %" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " faults, %" PRIu64 " failures\n",
           t->seeds, t->steps, t->faults, t->failures);
}
