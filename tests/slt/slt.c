/* slt [-v N] FILE...: runs sqllogictest scripts and counts their records. `-v N`: of each script's
 * failures the first N with their SQL. Exit code 1 when a record failed, 2 when a script cannot be
 * read. */
#include <stdlib.h>
#include <string.h>

#include "env/env.h"
#include "slt.h"

static double seconds_since(struct env *env, uint64_t start_us)
{
    return (double)(env_monotonic_us(env) - start_us) / 1e6;
}

int main(int count, char **arguments)
{
    struct slt_run run = {.env = env_real(), .shown_max = 3};
    uint64_t start_us = env_monotonic_us(run.env);
    int first = 1;
    if (count > 2 && strcmp(arguments[1], "-v") == 0) {
        run.shown_max = (uint32_t)strtoul(arguments[2], NULL, 10);
        first = 3;
    }
    for (int i = first; i < count; i++) {
        struct slt_counts before = run.counts;
        uint64_t file_us = env_monotonic_us(run.env);
        if (!slt_run_file(&run, arguments[i])) {
            fprintf(stderr, "slt: cannot read %s\n", arguments[i]);
            return 2;
        }
        printf("%s: %llu passed, %llu failed, %llu skipped, %.1f s\n", arguments[i],
               (unsigned long long)(run.counts.passed - before.passed),
               (unsigned long long)(run.counts.failed - before.failed),
               (unsigned long long)(run.counts.skipped - before.skipped),
               seconds_since(run.env, file_us));
        fflush(stdout);
    }
    double elapsed = seconds_since(run.env, start_us);
    printf("slt: %llu passed, %llu failed, %llu skipped, %.0f queries/s\n",
           (unsigned long long)run.counts.passed, (unsigned long long)run.counts.failed,
           (unsigned long long)run.counts.skipped,
           (double)run.counts.queries / (elapsed > 0 ? elapsed : 1));
    arena_free(&run.arena);
    arena_free(&run.record);
    return run.counts.failed ? 1 : 0;
}
