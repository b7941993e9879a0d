/* The wall time of sqllogictest scripts: the same records, read as the engine named "toydb", run on
 * both sides, each in an empty database, a statement as it comes. Results are not judged here
 * (./dev slt does that); what one side refuses is counted. */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "bench_sql_side.h"
#include "env/env.h"
#include "slt.h"

enum { FILES_MAX = 1000 };

/* Some of each kind of the corpus. */
static const char *const subset[] = {
    "select1.test",
    "select2.test",
    "select3.test",
    "evidence/slt_lang_update.test",
    "index/commute/10/slt_good_23.test",
    "index/in/10/slt_good_3.test",
    "index/orderby/10/slt_good_11.test",
    "index/view/10/slt_good_3.test",
    "random/aggregates/slt_good_1.test",
    "random/expr/slt_good_11.test",
    "random/groupby/slt_good_3.test",
    "random/select/slt_good_3.test",
};

struct script {
    struct buffer text;
    struct arena arena;
    const char **statements;
    uint32_t count;
};

static bool script_read(const char *path, struct script *out)
{
    FILE *file = fopen(path, "rb");
    char bytes[65536];
    size_t size;
    *out = (struct script){0};
    if (!file)
        return false;
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
        buffer_append(&out->text, bytes, size);
    bool good = !ferror(file);
    (void)fclose(file);
    struct slt_file records = {.text = buffer_slice(&out->text), .arena = &out->arena};
    struct slt_record record;
    uint32_t capacity = 0;
    while (good && slt_file_next(&records, &record)) {
        out->statements = arena_grow(&out->arena, out->statements, &capacity, out->count + 1,
                                     sizeof *out->statements);
        out->statements[out->count++] =
            arena_strndup(&out->arena, (const char *)record.sql.data, record.sql.size);
    }
    return good;
}

static void script_free(struct script *script)
{
    arena_free(&script->arena);
    buffer_free(&script->text);
}

/* Seconds of all statements; closes the side. */
static double script_run(const struct script *script, struct side *side, uint32_t *refused)
{
    struct answer answer = {0};
    uint64_t start_us = env_monotonic_us(env_real());
    for (uint32_t i = 0; i < script->count; i++)
        *refused += !side_try(side, script->statements[i], NULL, 0, &answer);
    double seconds = (double)(env_monotonic_us(env_real()) - start_us) / 1e6;
    answer_free(&answer);
    side_close(side);
    return seconds;
}

struct totals {
    double seconds[2];
    uint32_t records;
    uint32_t files;
};

static void file_measure(const char *scratch, const char *path, const char *name,
                         struct totals *totals)
{
    struct script script;
    char dir[4096];
    uint32_t refused[2] = {0};
    if (!script_read(path, &script)) {
        printf("%-44s cannot be read\n", name);
        return;
    }
    (void)snprintf(dir, sizeof dir, "%s/slt%u", scratch, totals->files++);
    demand(mkdir(dir, 0777) == 0, "no directory for a script");
    struct side *ours = side_open_ours(dir);
    side_run(ours, "SET require_primary_key = off", NULL);
    side_run(ours, "SET sqlite_compatibility = on", NULL);
    double seconds[] = {script_run(&script, ours, &refused[0]), 0};
    seconds[1] = script_run(&script, side_open_sqlite(dir), &refused[1]);
    line(name, script.count / seconds[0], script.count / seconds[1], "record");
    if (refused[0] || refused[1])
        printf("    refused: %u, %u\n", refused[0], refused[1]);
    totals->records += script.count;
    totals->seconds[0] += seconds[0];
    totals->seconds[1] += seconds[1];
    script_free(&script);
}

/* nftw has no context. */
static char *found[FILES_MAX];
static uint32_t found_count;

static int find(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
    size_t size = strlen(path);
    (void)status, (void)walk;
    if (flag == FTW_F && size > 5 && strcmp(path + size - 5, ".test") == 0 &&
        found_count < FILES_MAX)
        found[found_count++] = mem_strdup(path);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void slt_measure(const char *scratch, const char *corpus, bool all)
{
    struct totals totals = {0};
    char path[4096];
    struct stat status;
    if (!corpus || stat(corpus, &status) != 0) {
        printf("sqllogictest: no corpus in ../shared/slt, skipped\n");
        return;
    }
    for (size_t i = 0; !all && i < sizeof subset / sizeof *subset; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", corpus, subset[i]);
        file_measure(scratch, path, subset[i], &totals);
    }
    if (all) {
        (void)nftw(corpus, find, 16, FTW_PHYS);
        qsort(found, found_count, sizeof *found, by_name);
    }
    for (uint32_t i = 0; i < found_count; i++) {
        file_measure(scratch, found[i], found[i] + strlen(corpus) + 1, &totals);
        mem_free(found[i]);
    }
    if (totals.records == 0)
        return;
    line("sqllogictest, all of these", totals.records / totals.seconds[0],
         totals.records / totals.seconds[1], "record");
    printf("    %u records of %u files: %.1f s, SQLite %.1f s\n", totals.records, totals.files,
           totals.seconds[0], totals.seconds[1]);
}
