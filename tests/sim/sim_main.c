/* The simulator's program: seeds in, verdicts out. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "sim.h"

enum { JOBS_MAX = 64, OUTPUT_BUFFER = 1 << 16 };

struct arguments {
    const char *program;
    struct sim_options options;
    uint64_t seed, seeds, minutes, jobs;
    bool twice, hash, stop;
};

static void usage(void)
{
    fputs("usage: sim [--seed N] [--seeds N] [--minutes M] [--jobs N] [--nodes N] [--trace]\n"
          "           [--twice] [--hash] [--stop]\n"
          "  --seed N     the first seed (1)\n"
          "  --seeds N    how many, one after another (1)\n"
          "  --minutes M  as many as there is time for, instead\n"
          "  --jobs N     processes that share the seeds (--minutes: one a processor; else 1)\n"
          "  --nodes N    in each cluster, 1 to 9; without it the seed decides\n"
          "  --trace      print all that happens\n"
          "  --twice      run each seed twice and compare\n"
          "  --hash       print for each seed a hash of all that happened\n"
          "  --stop       stop at the first failure\n",
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

static struct arguments arguments_read(int argc, char **argv)
{
    struct arguments a = {.program = argv[0], .seed = 1, .seeds = 1};
    uint64_t nodes = 0;
    const struct {
        const char *name;
        uint64_t *number;
        bool *flag;
    } known[] = {
        {"--seed", &a.seed, NULL},   {"--seeds", &a.seeds, NULL},
        {"--jobs", &a.jobs, NULL},   {"--minutes", &a.minutes, NULL},
        {"--nodes", &nodes, NULL},   {"--trace", NULL, &a.options.trace},
        {"--twice", NULL, &a.twice}, {"--hash", NULL, &a.hash},
        {"--stop", NULL, &a.stop},
    };
    const size_t count = sizeof known / sizeof known[0];
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < count && strcmp(argv[i], known[k].name) != 0)
            k++;
        if (k == count)
            usage();
        if (known[k].flag)
            *known[k].flag = true;
        else
            *known[k].number = number_after(argc, argv, &i);
    }
    if (nodes > CLUSTER_NODES_MAX || a.jobs > JOBS_MAX)
        usage();
    a.options.nodes = (uint32_t)nodes;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!a.jobs)
        a.jobs = !a.minutes || cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (uint64_t)cores;
    return a;
}

/* Of one process, in memory that the parent sees. */
struct job {
    uint64_t next; /* seed to run, counted from the first */
    bool running;
    struct sim_totals totals;
};

static bool is_over(const struct arguments *a, const struct job *job, time_t start)
{
    if (a->stop && job->totals.failures)
        return true;
    return a->minutes ? time(NULL) - start >= (time_t)a->minutes * 60 : job->next >= a->seeds;
}

static void seeds_run(const struct arguments *a, struct job *job, time_t start)
{
    struct sim_options options = a->options;
    while (!is_over(a, job, start)) {
        options.seed = a->seed + job->next;
        job->next += a->jobs;
        job->running = true;
        uint64_t hash = sim_run(&options, a->program, &job->totals);
        if (a->hash)
            printf("seed %" PRIu64 " hash %016" PRIx64 "\n", options.seed, hash);
        if (a->twice && sim_run(&options, a->program, &job->totals) != hash) {
            printf("seed %" PRIu64 " does not repeat\n", options.seed);
            job->totals.failures++;
        }
        job->running = false;
        fflush(stdout);
    }
}

/* A failed assertion of the code under test ends its process, which is a find as any other. */
static void on_death(int signal_number)
{
    sim_report_death();
    fflush(stdout);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void deaths_catch(void)
{
    static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        signal(deadly[i], on_death);
}

static pid_t job_start(const struct arguments *a, struct job *job, time_t start)
{
    fflush(stdout);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child != 0)
        return child;
    deaths_catch();
    seeds_run(a, job, start);
    _exit(0);
}

/* Processes that die are started again behind the seed they died of. */
static struct sim_totals jobs_run(const struct arguments *a, time_t start)
{
    struct sim_totals sum = {0};
    pid_t children[JOBS_MAX] = {0};
    struct job *jobs = mmap(NULL, sizeof *jobs * a->jobs, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(jobs != MAP_FAILED);
    for (uint64_t i = 0; i < a->jobs; i++) {
        jobs[i].next = i;
        children[i] = job_start(a, &jobs[i], start);
    }
    for (uint64_t i = 0; i < a->jobs; i++) {
        int ended;
        while (waitpid(children[i], &ended, 0) == children[i] &&
               !(WIFEXITED(ended) && WEXITSTATUS(ended) == 0)) {
            jobs[i].totals.seeds += jobs[i].running;
            jobs[i].totals.failures++;
            jobs[i].running = false;
            children[i] = job_start(a, &jobs[i], start);
        }
        sim_totals_add(&sum, &jobs[i].totals);
    }
    return sum;
}

int main(int argc, char **argv)
{
    static char buffer[OUTPUT_BUFFER]; /* reports of several processes come out whole */
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    struct arguments a = arguments_read(argc, argv);
    log_configure(LOG_OFF, NULL, NULL);
    time_t start = time(NULL);
    struct job alone = {0};
    if (a.options.trace) { /* with nothing between it and a debugger */
        a.jobs = 1;
        seeds_run(&a, &alone, start);
    }
    struct sim_totals totals = a.options.trace ? alone.totals : jobs_run(&a, start);
    sim_totals_print(&totals);
    return totals.failures ? 1 : 0;
}
