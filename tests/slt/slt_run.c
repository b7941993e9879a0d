/* Records run and judged. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "slt.h"

/* Queries with one label have one result. */
struct slt_label {
    struct slice name;
    uint32_t count;
    char digest[33];
};

/* What toyDB does not have, and by its documents does not mean to have. */
static const struct {
    const char *begins;
    const char *reason;
} skipped[] = {
    {"CREATE TRIGGER", "there are no triggers"},
    {"DROP TRIGGER", "there are no triggers"},
};

static const char *skip_reason(const struct slt_record *record)
{
    for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++) {
        size_t size = strlen(skipped[i].begins);
        if (record->sql.size >= size &&
            strncasecmp((const char *)record->sql.data, skipped[i].begins, size) == 0)
            return skipped[i].reason;
    }
    return NULL;
}

/* ---- one record -------------------------------------------------------------------------------
 */

static bool label_agrees(struct slt_run *run, const struct slt_record *record,
                         const struct slt_result *result)
{
    if (record->label.size == 0)
        return true;
    char digest[33];
    slt_result_digest(result, digest);
    for (uint32_t i = 0; i < run->label_count; i++) {
        const struct slt_label *label = &run->labels[i];
        if (slice_equal(label->name, record->label))
            return label->count == result->count && strcmp(label->digest, digest) == 0;
    }
    run->labels = arena_grow(&run->arena, run->labels, &run->label_capacity, run->label_count + 1,
                             sizeof *run->labels);
    struct slt_label *label = &run->labels[run->label_count++];
    *label = (struct slt_label){.name = record->label, .count = result->count};
    memcpy(label->digest, digest, sizeof digest);
    return true;
}

/* NULL: as expected; otherwise what is wrong. */
static const char *judge(struct slt_run *run, const struct slt_record *record)
{
    struct slt_result result = {.arena = &run->record};
    struct error error = {0};
    bool ran = run->target->execute(run->target, record->sql, record->types, &result, &error);
    if (record->kind == SLT_STATEMENT && ran != record->fails)
        return NULL;
    if (!ran)
        return arena_printf(&run->record, "%s: %s", error.sqlstate, error.message);
    if (record->kind == SLT_STATEMENT)
        return "it was to fail";
    if (result.count > 0 && result.columns != record->types.size)
        return "it has another number of columns";
    slt_result_sort(&result, record->sort);
    if (!label_agrees(run, record, &result))
        return "another query with its label has another result";
    if (slt_result_matches(&result, record))
        return NULL;
    struct buffer shown = {0};
    buffer_append_string(&shown, "wrong result: expected");
    for (uint32_t i = 0; i < record->expected_count && i < 8; i++)
        buffer_printf(&shown, " %.*s", (int)record->expected[i].size,
                      (const char *)record->expected[i].data);
    buffer_printf(&shown, ", got %u values:", result.count);
    for (uint32_t i = 0; i < result.count && i < 8; i++)
        buffer_printf(&shown, " %.*s", (int)result.values[i].size,
                      (const char *)result.values[i].data);
    const char *text = arena_strndup(&run->record, (const char *)shown.data, shown.size);
    buffer_free(&shown);
    return text;
}

static void tell(struct slt_run *run, const char *path, const struct slt_record *record,
                 const char *what, const char *why)
{
    printf("%s:%u: %s: %s\n", path, record->line, what, why);
    if (run->shown++ < run->shown_max)
        printf("    %.*s\n", (int)record->sql.size, (const char *)record->sql.data);
}

static void run_record(struct slt_run *run, const char *path, const struct slt_record *record)
{
    const char *reason = skip_reason(record);
    if (reason) {
        run->counts.skipped++;
        printf("%s:%u: skipped: %s\n", path, record->line, reason);
        return;
    }
    run->counts.queries += record->kind == SLT_QUERY;
    const char *wrong = judge(run, record);
    if (!wrong) {
        run->counts.passed++;
        return;
    }
    run->counts.failed++;
    tell(run, path, record, "failed", wrong);
}

/* ---- one script -------------------------------------------------------------------------------
 */

static bool read_file(const char *path, struct buffer *text)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char bytes[65536];
    size_t size;
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
        buffer_append(text, bytes, size);
    bool good = !ferror(file);
    fclose(file);
    return good;
}

/* Without a primary key, and with SQLite's laxities: the corpus is SQLite's. */
static bool target_open(struct slt_run *run, struct error *error)
{
    static const char *const settings[] = {"SET require_primary_key = off",
                                           "SET sqlite_compatibility = on"};
    bool good = run->target->open(run->target, error);
    for (size_t i = 0; good && i < sizeof settings / sizeof *settings; i++) {
        struct slt_result ignored = {.arena = &run->record};
        good = run->target->execute(run->target, slice_from_string(settings[i]),
                                    slice_make(NULL, 0), &ignored, error);
    }
    return good;
}

bool slt_run_file(struct slt_run *run, const char *path)
{
    struct buffer text = {0};
    struct error error = {0};
    bool good = read_file(path, &text);
    if (!good)
        fprintf(stderr, "slt: cannot read %s\n", path);
    else if (!(good = target_open(run, &error)))
        fprintf(stderr, "slt: %s\n", error.message);
    struct slt_file file = {.text = buffer_slice(&text), .arena = &run->record};
    struct slt_record record;
    run->shown = 0;
    run->labels = NULL;
    run->label_count = run->label_capacity = 0;
    while (good && slt_file_next(&file, &record)) {
        run_record(run, path, &record);
        arena_reset(&run->record);
    }
    run->target->close(run->target);
    arena_reset(&run->record);
    arena_reset(&run->arena);
    buffer_free(&text);
    return good;
}
