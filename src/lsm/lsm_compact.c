/* Compaction: which runs are merged, when, and who pays for it.
 *
 * Level 0 has what the memtables became, runs that overlap. Levels 1 to 6 are one sorted sequence
 * of runs each. Sizes are planned from the deepest level with data up: level 6 takes what there is,
 * the level above it may have a tenth of that, and so on; the first level that would be smaller
 * than BASE_RUNS runs is not used, and level 0 is merged into the one below it. So of a small store
 * all is in level 6, and of a large one nine tenths, whatever its size: what space is lost to keys
 * that are stored twice stays about a tenth.
 *
 *   level 0 has become large   all its runs that nothing else is merging, from the oldest on, with
 *                              all they overlap in the base level
 *                              (or has many tombstones: a quarter of the entries below)
 *   a level is too large       one run of it, each time the next one by key, with all it overlaps
 *                              in the level below
 *
 * There is no thread for it. The writer does a piece of the merge that is due for each piece of
 * what it writes, so that a put is held up for as long as STEP_BYTES take to merge and no longer;
 * and lsm_compact, called while there is nothing else to do, does one too. */
#include "base/log.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define BASE_RUNS      4u         /* the least level has that many runs */
#define DEBT_BYTES     (4u << 10) /* written between two pieces of merging */
#define STEP_FACTOR    8u         /* bytes merged for each byte written */
#define LEVEL0_LATE    8u         /* from that many runs on, twice as much */
#define HOLLOW         4u         /* one tombstone for so many entries below */
#define MEMTABLE_RUNS  2u         /* a memtable is spilled when it has that many runs' bytes */
#define MEMTABLE_LEAST (256u << 10)

static uint64_t base_bytes(const struct lsm *lsm)
{
    return BASE_RUNS * lsm->options.run_bytes;
}

/* The level that level 0 is merged into; and what the levels from there on may have. */
static uint32_t plan(const struct lsm *lsm, uint64_t most[LSM_LEVELS])
{
    const struct lsm__runs *runs = lsm->state->runs;
    uint64_t bytes = lsm__runs_bytes(lsm, runs, LSM_BOTTOM);
    uint32_t base = LSM_BOTTOM;
    most[LSM_BOTTOM] = UINT64_MAX;
    for (uint32_t level = LSM_BOTTOM; level-- > 0;) {
        bytes /= LSM_LEVEL_FACTOR;
        most[level] = bytes > base_bytes(lsm) ? bytes : base_bytes(lsm);
        if (level > 0 && (bytes >= base_bytes(lsm) || runs->count[level] > 0))
            base = level;
    }
    return base;
}

/* Adds the runs of a level that overlap [first, last]. */
static void add_overlapping(struct lsm__merge *merge, uint32_t level, struct slice first,
                            struct slice last)
{
    const struct lsm__runs *runs = merge->base;
    for (uint32_t i = 0; i < runs->count[level]; i++)
        if (lsm__run_overlaps(runs->level[level][i], first, last))
            lsm__merge_add(merge, runs->level[level][i]);
}

/* No run behind `level` can have a key of the inputs. */
static bool nothing_below(const struct lsm__merge *merge, uint32_t level)
{
    for (uint32_t i = 0; i < merge->input_count; i++)
        for (uint32_t below = level + 1; below < LSM_LEVELS; below++)
            for (uint32_t j = 0; j < merge->base->count[below]; j++)
                if (lsm__run_overlaps(merge->base->level[below][j], merge->inputs[i]->first,
                                      merge->inputs[i]->last))
                    return false;
    return true;
}

/* Has a level so many tombstones that merging it down makes the levels below much smaller? */
static bool is_hollow(const struct lsm *lsm, uint32_t level)
{
    const struct lsm__runs *runs = lsm->state->runs;
    uint64_t tombstones = 0, below = 0;
    for (uint32_t i = 0; i < runs->count[level]; i++)
        tombstones += runs->level[level][i]->record.tombstones;
    for (uint32_t deeper = level + 1; deeper < LSM_LEVELS; deeper++)
        for (uint32_t i = 0; i < runs->count[deeper]; i++)
            below += runs->level[deeper][i]->record.entries;
    return tombstones > below / HOLLOW;
}

static struct lsm__merge *pick_level0(struct lsm *lsm, uint32_t base)
{
    const struct lsm__runs *runs = lsm->state->runs;
    uint64_t bytes = 0;
    uint32_t from = runs->count[0];
    while (from > 0 && !runs->level[0][from - 1]->busy)
        bytes += (uint64_t)runs->level[0][--from]->record.pages * lsm->page_size;
    uint32_t count = runs->count[0] - from;
    if (count == 0 || (bytes < base_bytes(lsm) && count < LEVEL0_LATE && !is_hollow(lsm, 0)))
        return NULL;
    struct lsm__merge *merge = lsm__merge_create(lsm, base);
    struct slice first = runs->level[0][from]->first, last = runs->level[0][from]->last;
    for (uint32_t i = from; i < runs->count[0]; i++) {
        struct lsm__run *run = runs->level[0][i];
        lsm__merge_add(merge, run);
        if (slice_compare(run->first, first) < 0)
            first = run->first;
        if (slice_compare(run->last, last) > 0)
            last = run->last;
    }
    add_overlapping(merge, base, first, last);
    merge->drop = nothing_below(merge, base);
    return merge;
}

/* The run of the level that the merges go on with: the first behind the last one taken. */
static struct lsm__run *next_by_key(struct lsm *lsm, uint32_t level)
{
    const struct lsm__runs *runs = lsm->state->runs;
    struct slice after = slice_make(lsm->level_cursor[level], lsm->level_cursor_size[level]);
    for (uint32_t i = 0; i < runs->count[level]; i++)
        if (slice_compare(runs->level[level][i]->first, after) > 0)
            return runs->level[level][i];
    return runs->level[level][0];
}

static struct lsm__merge *pick_level(struct lsm *lsm, uint32_t level)
{
    struct lsm__run *run = next_by_key(lsm, level);
    memcpy(lsm->level_cursor[level], run->last.data, run->last.size);
    lsm->level_cursor_size[level] = (uint32_t)run->last.size;
    struct lsm__merge *merge = lsm__merge_create(lsm, level + 1);
    lsm__merge_add(merge, run);
    add_overlapping(merge, level + 1, run->first, run->last);
    merge->drop = nothing_below(merge, level + 1);
    return merge;
}

static struct lsm__merge *pick(struct lsm *lsm)
{
    uint64_t most[LSM_LEVELS];
    uint32_t base = plan(lsm, most);
    struct lsm__merge *merge = pick_level0(lsm, base);
    for (uint32_t level = 1; level < LSM_BOTTOM && merge == NULL; level++)
        if (lsm__runs_bytes(lsm, lsm->state->runs, level) > most[level] || is_hollow(lsm, level))
            merge = pick_level(lsm, level);
    return merge;
}

/* ---- memtables ------------------------------------------------------------------------------ */

void lsm__memtable_freeze(struct lsm *lsm, struct lsm__extent reserve)
{
    struct lsm__state *state = lsm->state;
    struct lsm__memtable *memtables[LSM_MEMTABLES_MAX], *fresh = lsm__memtable_create();
    ASSERT(state->memtable_count < LSM_MEMTABLES_MAX);
    memtables[0] = fresh;
    for (uint32_t i = 0; i < state->memtable_count; i++)
        memtables[i + 1] = state->memtables[i];
    for (uint32_t i = 0; i < lsm->fresh_count; i++) {
        const struct lsm__node *node = lsm->fresh[i];
        struct slice value = lsm__node_value(node);
        const struct lsm__node *older = lsm__memtable_find_latest(fresh, lsm__node_key(node));
        ASSERT(older == NULL && node->sequence == lsm->sequence);
        lsm->fresh[i] = lsm__memtable_add(fresh, NULL, lsm__node_key(node),
                                          node->tombstone ? NULL : &value, node->sequence);
    }
    lsm->reserve = reserve;
    struct lsm__runs *runs = state->runs;
    runs->references++;
    lsm__state_install(lsm, memtables, state->memtable_count + 1, runs);
    fresh->references--; /* the state has its own now */
}

void lsm__spill(struct lsm *lsm)
{
    struct error error;
    struct lsm__memtable *memtable = lsm->state->memtables[0];
    uint64_t most = MEMTABLE_RUNS * lsm->options.run_bytes;
    if (most < MEMTABLE_LEAST)
        most = MEMTABLE_LEAST;
    if (memtable->arena.used < most || lsm->spill != NULL || lsm->running != NULL ||
        lsm->fresh_count > 0)
        return;
    status_t status = lsm__flush_create(lsm, memtable, lsm->sequence - 1, lsm->reserve, false,
                                        &lsm->spill, &error);
    if (status == OK)
        lsm__memtable_freeze(lsm, (struct lsm__extent){0});
    else if (status != ERR_DISK_FULL && status != ERR_TOO_LONG)
        log_warn("lsm", "a memtable of \"%s\" is not written out yet: %s", lsm->path,
                 error.message);
}

/* ---- paying --------------------------------------------------------------------------------- */

/* A piece of one of the two merges. It is given up on a full disk, and taken up again when space
 * was freed. */
static status_t drive(struct lsm *lsm, struct lsm__merge **merge, uint64_t bytes,
                      struct error *error)
{
    struct error local;
    struct error *reason = error != NULL ? error : &local;
    status_t status = lsm__merge_step(*merge, bytes, reason);
    if (status == ERR_CORRUPT || status == ERR_INTERNAL)
        return lsm__fail(lsm, status, reason->message);
    if (status != OK && *merge == lsm->spill)
        return OK; /* its place is reserved: the write is tried again */
    if (status != OK) {
        log_warn("lsm", "a merge of \"%s\" is put off: %s", lsm->path, reason->message);
        lsm__merge_destroy(*merge);
        *merge = NULL;
        lsm->merge_blocked = true;
        return OK;
    }
    if ((*merge)->done) {
        lsm__merge_install(*merge);
        lsm__merge_destroy(*merge);
        *merge = NULL;
    }
    return OK;
}

status_t lsm__pay(struct lsm *lsm, uint64_t bytes, struct error *error)
{
    if (lsm__writable(lsm, NULL) != OK)
        return lsm__writable(lsm, error);
    uint64_t due = DEBT_BYTES;
    if (due > lsm->options.run_bytes / 4)
        due = lsm->options.run_bytes / 4;
    lsm->debt += bytes;
    if (bytes > 0 && lsm->debt < due)
        return OK;
    if (lsm->debt < due)
        lsm->debt = due;
    uint64_t pieces = lsm->debt / due;
    lsm->debt %= due;
    /* What one large value owes is paid at once, but not without end. */
    uint64_t step = (pieces < 16 ? pieces : 16) * due * STEP_FACTOR;
    if (lsm->state->runs->count[0] >= LEVEL0_LATE)
        step *= 2;
    status_t status = lsm->spill != NULL ? drive(lsm, &lsm->spill, step, error) : OK;
    if (lsm->merge == NULL && !lsm->merge_blocked)
        lsm->merge = pick(lsm);
    if (status == OK && lsm->merge != NULL)
        status = drive(lsm, &lsm->merge, step, error);
    return status;
}

void lsm__merges_abort(struct lsm *lsm)
{
    lsm__merge_destroy(lsm->merge);
    lsm__merge_destroy(lsm->spill);
    lsm->merge = NULL;
    lsm->spill = NULL;
}
