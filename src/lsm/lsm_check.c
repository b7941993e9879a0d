/* The proof of the whole file: every block of every run, the order of keys in runs and levels,
 * figures and filters, the entries that the merged view has, and the owner of every page. */
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "lsm/lsm_int.h"

#define OWNER_NONE  0u
#define OWNER_OTHER UINT64_MAX /* not a run */

struct check {
    struct lsm *lsm;
    lsm_check_fn *report;
    void *context;
    struct error *error;
    uint64_t problems;
    uint64_t *owner; /* of each page: number of its run + 1 */
};

static void problem(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void problem(struct check *check, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (check->problems++ == 0)
        (void)error_set(check->error, ERR_CORRUPT, "\"%s\": %s", check->lsm->path, text);
    if (check->report != NULL)
        check->report(check->context, text);
}

/* ---- runs ----------------------------------------------------------------------------------- */

struct run_walk {
    uint64_t entries;
    uint64_t tombstones;
    uint64_t payload;
    uint32_t key_size_max;
    struct slice last; /* in `room` */
    uint8_t room[LSM_KEY_SIZE_MAX];
};

static void check_entry(struct check *check, const struct lsm__run *run,
                        const struct lsm__block *block, uint32_t index, struct run_walk *walk)
{
    unsigned long long number = run->record.number;
    struct lsm__key key = lsm__block_key(block, index);
    if (walk->entries > 0 && lsm__key_compare(lsm__key_of(walk->last), key) >= 0)
        problem(check, "run %llu: keys out of order at entry %llu", number,
                (unsigned long long)walk->entries);
    if (walk->entries == 0 && lsm__key_compare(lsm__key_of(run->first), key) != 0)
        problem(check, "run %llu: does not begin with its first key", number);
    memcpy(walk->room, key.prefix.data, key.prefix.size);
    if (key.suffix.size > 0)
        memcpy(walk->room + key.prefix.size, key.suffix.data, key.suffix.size);
    walk->last = slice_make(walk->room, key.prefix.size + key.suffix.size);
    if (!lsm__filter_has(run->base + run->record.filter_at, run->record.filter_lines,
                         lsm__filter_hash(walk->last)))
        problem(check, "run %llu: the filter lacks a key", number);
    bool tombstone = lsm__block_slots(block)[index].tombstone != 0;
    if (tombstone && (block->flags & LSM_BLOCK_TOMBSTONES) == 0)
        problem(check, "run %llu: a block hides a tombstone", number);
    walk->entries++;
    walk->tombstones += tombstone;
    walk->payload +=
        sizeof(struct lsm__slot) + walk->last.size + lsm__block_value(block, index).size;
    if (walk->last.size > walk->key_size_max)
        walk->key_size_max = (uint32_t)walk->last.size;
}

static void check_run(struct check *check, struct lsm__run *run)
{
    struct error error;
    struct run_walk walk = {0};
    unsigned long long number = run->record.number;
    if (lsm__run_open(check->lsm, run, true, &error) != OK) {
        problem(check, "%s", error.message);
        return;
    }
    const struct lsm__block *index = lsm__run_index(run);
    for (uint32_t i = 0; i < run->record.blocks; i++) {
        const struct lsm__block *block;
        bool exact;
        if (lsm__run_block(check->lsm, run, i, true, &block, &error) != OK) {
            problem(check, "%s", error.message);
            return;
        }
        for (uint32_t j = 0; j < block->count; j++)
            check_entry(check, run, block, j, &walk);
        if (lsm__block_search(index, walk.last, &exact) != i)
            problem(check, "run %llu: the index does not lead to block %u", number, i);
    }
    if (!slice_equal(walk.last, run->last))
        problem(check, "run %llu: does not end with its last key", number);
    if (walk.payload != run->record.payload || walk.key_size_max != run->record.key_size_max)
        problem(check, "run %llu: has %llu bytes of entries, not %llu", number,
                (unsigned long long)walk.payload, (unsigned long long)run->record.payload);
    if (walk.entries != run->record.entries || walk.tombstones != run->record.tombstones)
        problem(check, "run %llu: has %llu entries, not %llu", number,
                (unsigned long long)walk.entries, (unsigned long long)run->record.entries);
}

static void check_levels(struct check *check, const struct lsm__runs *runs)
{
    for (uint32_t level = 0; level < LSM_LEVELS; level++)
        for (uint32_t i = 0; i < runs->count[level]; i++) {
            struct lsm__run *run = runs->level[level][i];
            if (run->record.level != level)
                problem(check, "run %llu: not of the level it is in",
                        (unsigned long long)run->record.number);
            if (level > 0 && i > 0 &&
                slice_compare(runs->level[level][i - 1]->last, run->first) >= 0)
                problem(check, "run %llu: overlaps the one before it",
                        (unsigned long long)run->record.number);
            check_run(check, run);
        }
}

/* The writer's view, as a reader sees it. */
static void check_view(struct check *check)
{
    struct lsm *lsm = check->lsm;
    struct lsm_cursor cursor;
    struct error error;
    uint8_t room[LSM_KEY_SIZE_MAX], last[LSM_KEY_SIZE_MAX];
    size_t last_size = 0;
    uint64_t entries = 0;
    lsm_cursor_init_latest(&cursor, lsm);
    status_t status = lsm_cursor_first(&cursor, &error);
    while (status == OK && cursor.valid) {
        struct slice key = lsm_cursor_key(&cursor, room);
        if (entries > 0 && slice_compare(slice_make(last, last_size), key) >= 0)
            problem(check, "entry %llu: keys out of order", (unsigned long long)entries);
        memcpy(last, key.data, key.size);
        last_size = key.size;
        entries++;
        status = lsm_cursor_next(&cursor, &error);
    }
    if (status != OK)
        problem(check, "%s", error.message);
    else if (entries != lsm->entries)
        problem(check, "%llu entries, not %llu", (unsigned long long)entries,
                (unsigned long long)lsm->entries);
}

/* ---- owners --------------------------------------------------------------------------------- */

static void own(struct check *check, struct lsm__extent extent, uint64_t owner)
{
    for (uint32_t page = extent.page; page < extent.page + extent.pages; page++) {
        if (check->owner[page] == owner && owner != OWNER_OTHER)
            continue; /* a run of several sets */
        if (check->owner[page] != OWNER_NONE)
            problem(check, "page %u: belongs to two", page);
        if (lsm__space_is_free(check->lsm, page))
            problem(check, "page %u: free, but in use", page);
        check->owner[page] = owner;
    }
}

static void own_runs(struct check *check, const struct lsm__runs *runs)
{
    for (uint32_t level = 0; level < LSM_LEVELS; level++)
        for (uint32_t i = 0; i < runs->count[level]; i++) {
            const struct lsm__record *record = &runs->level[level][i]->record;
            own(check, (struct lsm__extent){record->page, record->pages}, record->number + 1);
        }
}

static void own_merge(struct check *check, const struct lsm__merge *merge)
{
    if (merge == NULL)
        return;
    own_runs(check, merge->base);
    own(check, merge->extent, OWNER_OTHER);
    for (uint32_t i = 0; merge->level > 0 && i < merge->output_count; i++) {
        const struct lsm__record *record = &merge->outputs[i]->record;
        own(check, (struct lsm__extent){record->page, record->pages}, record->number + 1);
    }
}

static void check_owners(struct check *check)
{
    struct lsm *lsm = check->lsm;
    struct lsm__extent loading = {0};
    uint32_t free_pages = 0;
    own_runs(check, lsm->state->runs);
    own_runs(check, lsm->durable_runs);
    for (const struct lsm__state *state = lsm->retired; state != NULL; state = state->next)
        own_runs(check, state->runs);
    own(check, lsm->durable_manifest, OWNER_OTHER);
    own(check, lsm->reserve, OWNER_OTHER);
    own_merge(check, lsm->merge);
    own_merge(check, lsm->spill);
    if (lsm->running != NULL) {
        own_runs(check, lsm->running->runs);
        own(check, lsm->running->manifest, OWNER_OTHER);
        own_merge(check, lsm->running->flush);
        own_merge(check, lsm->running->spill);
    }
    if (lsm->loading != NULL) {
        own_runs(check, lsm__load_runs(lsm->loading, &loading));
        own(check, loading, OWNER_OTHER);
    }
    for (uint32_t page = LSM_META_PAGES; page < lsm->pages; page++) {
        bool is_free = lsm__space_is_free(lsm, page);
        free_pages += is_free;
        if (!is_free && check->owner[page] == OWNER_NONE)
            problem(check, "page %u: belongs to nobody", page);
    }
    if (free_pages != lsm->free_count)
        problem(check, "%u pages are free, not %u", free_pages, lsm->free_count);
}

status_t lsm_check(struct lsm *lsm, lsm_check_fn *report, void *context, struct error *error)
{
    struct check check = {.lsm = lsm, .report = report, .context = context, .error = error};
    check.owner = mem_zalloc(lsm->pages, sizeof *check.owner);
    check_levels(&check, lsm->state->runs);
    if (lsm->durable_runs != lsm->state->runs)
        check_levels(&check, lsm->durable_runs);
    if (check.problems == 0)
        check_view(&check);
    check_owners(&check);
    mem_free(check.owner);
    return check.problems == 0 ? OK : ERR_CORRUPT;
}
