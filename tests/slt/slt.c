/* slt [--embedded DIR | -H ADDRESSES] [-v N] FILE...: runs sqllogictest scripts and counts their
 * records: on the SQL engine alone, on a node in this process with its data below DIR, or on the
 * nodes at ADDRESSES. `-v N`: of each script's failures the first N with their SQL. Exit code 1
 * when a record failed, 2 when a script cannot be run. */
#include <stdlib.h>
#include <string.h>

#include "env/env.h"
#include "slt.h"

static double seconds_since(struct env *env, uint64_t start_us)
{
    return (double)(env_monotonic_us(env) - start_us) / 1e6;
}

static int usage(void)
{
    fputs("usage: slt [--embedded DIR | -H ADDRESSES] [-v N] FILE...\n", stderr);
    return 64;
}

static void file_told(const struct slt_run *run, const struct slt_counts *before, const char *path,
                      double seconds)
{
    printf("%s: %llu passed, %llu failed, %llu skipped, %.1f s\n", path,
           (unsigned long long)(run->counts.passed - before->passed),
           (unsigned long long)(run->counts.failed - before->failed),
           (unsigned long long)(run->counts.skipped - before->skipped), seconds);
    fflush(stdout);
}

int main(int count, char **arguments)
{
    struct env *env = env_real();
    struct slt_run run = {.target = slt_target_memory(env), .shown_max = 3};
    int first = 1;
    for (; first + 1 < count && arguments[first][0] == '-'; first += 2) {
        const char *value = arguments[first + 1];
        if (strcmp(arguments[first], "-v") == 0)
            run.shown_max = (uint32_t)strtoul(value, NULL, 10);
        else if (strcmp(arguments[first], "-H") == 0)
            run.target = slt_target_cluster(value);
        else if (strcmp(arguments[first], "--embedded") == 0)
            run.target = slt_target_embedded(value);
        else
            return usage();
    }
    if (first >= count || arguments[first][0] == '-')
        return usage();
    uint64_t start_us = env_monotonic_us(env);
    for (int i = first; i < count; i++) {
        struct slt_counts before = run.counts;
        uint64_t file_us = env_monotonic_us(env);
        if (!slt_run_file(&run, arguments[i]))
            return 2;
        file_told(&run, &before, arguments[i], seconds_since(env, file_us));
    }
    double elapsed = seconds_since(env, start_us);
    printf("slt: %llu passed, %llu failed, %llu skipped, %.0f queries/s\n",
           (unsigned long long)run.counts.passed, (unsigned long long)run.counts.failed,
           (unsigned long long)run.counts.skipped,
           (double)run.counts.queries / (elapsed > 0 ? elapsed : 1));
    arena_free(&run.arena);
    arena_free(&run.record);
    return run.counts.failed ? 1 : 0;
}
