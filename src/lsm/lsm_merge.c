/* Merging: some sources in, runs of one level out.
 *
 * A merge holds its inputs and goes on a piece at a time, so that whoever drives it is never held
 * up for long: the writer, in proportion to what it writes (lsm_compact.c), or the thread of a
 * checkpoint for the run that this one adds. Until it is installed nobody sees what it builds.
 *
 * A run keeps one version of each key, the newest published when the memtable was frozen. That is
 * enough: snapshots opened before have a state of their own, with the memtable and the runs that
 * were there, and those opened later see nothing older. For the same reason a key's tombstone can
 * go when no older run can have the key, whatever snapshots are open. */
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define LEVEL0_FORCED (LSM_LEVEL0_MAX - 4u) /* that many runs, and a flush must take some in */
#define GROWTH        2u /* a flush takes a run in that is at most so many times larger */

struct lsm__merge *lsm__merge_create(struct lsm *lsm, uint32_t level)
{
    struct lsm__merge *merge = mem_zalloc(1, sizeof *merge);
    ASSERT(level < LSM_LEVELS);
    merge->lsm = lsm;
    merge->level = level;
    merge->number = lsm->next_run++;
    merge->base = lsm->state->runs;
    merge->base->references++;
    return merge;
}

void lsm__merge_add(struct lsm__merge *merge, struct lsm__run *run)
{
    ASSERT(!run->busy && !merge->started);
    run->busy = true;
    merge->inputs = vec_grow(merge->inputs, &merge->input_capacity, merge->input_count + 1,
                             sizeof *merge->inputs);
    merge->inputs[merge->input_count++] = run;
}

/* What the extent has beyond the run that was built in it. */
static void trim_extent(struct lsm__merge *merge, const struct lsm__run *run)
{
    lsm__space_trim(merge->lsm, &merge->extent, run->record.pages);
    merge->extent = (struct lsm__extent){0};
}

void lsm__merge_destroy(struct lsm__merge *merge)
{
    if (merge == NULL)
        return;
    struct lsm *lsm = merge->lsm;
    if (merge->level == 0 && merge->output_count > 0)
        trim_extent(merge, merge->outputs[0]);
    lsm__builder_destroy(merge->builder);
    lsm__space_free(lsm, merge->extent);
    for (uint32_t i = 0; i < merge->output_count; i++)
        lsm__run_release(lsm, merge->outputs[i]);
    for (uint32_t i = 0; i < merge->input_count; i++)
        merge->inputs[i]->busy = false;
    if (merge->memtable != NULL && --merge->memtable->references == 0)
        lsm__memtable_destroy(merge->memtable);
    lsm__runs_release(lsm, merge->base);
    mem_free(merge->inputs);
    mem_free(merge->outputs);
    mem_free(merge);
}

/* ---- going on ------------------------------------------------------------------------------- */

static status_t finish_output(struct lsm__merge *merge, struct error *error)
{
    struct lsm__run *run;
    status_t status = lsm__builder_finish(merge->builder, &run, error);
    if (status != OK)
        return status;
    lsm__builder_destroy(merge->builder);
    merge->builder = NULL;
    merge->outputs = vec_grow(merge->outputs, &merge->output_capacity, merge->output_count + 1,
                              sizeof *merge->outputs);
    merge->outputs[merge->output_count++] = run;
    if (merge->level > 0)
        trim_extent(merge, run);
    return OK;
}

static status_t begin_output(struct lsm__merge *merge, size_t key_size, size_t value_size,
                             struct error *error)
{
    struct lsm *lsm = merge->lsm;
    if (merge->level > 0) {
        uint64_t bytes = lsm->options.run_bytes;
        uint64_t least = lsm__builder_least(lsm, key_size, value_size);
        status_t status = lsm__space_get(lsm, bytes > least ? bytes : least, &merge->extent, error);
        if (status != OK)
            return status;
        if (merge->output_count > 0)
            merge->number = lsm->next_run++;
    }
    merge->builder = lsm__builder_create(lsm, merge->extent, merge->number, merge->level);
    return OK;
}

static status_t add(struct lsm__merge *merge, struct slice key, struct slice value, bool tombstone,
                    struct error *error)
{
    status_t status = OK;
    if (tombstone && merge->drop)
        return OK;
    if (merge->builder != NULL && !lsm__builder_fits(merge->builder, key.size, value.size)) {
        if (merge->level == 0)
            return error_set(error, ERR_INTERNAL, "a run has become larger than its bound");
        status = finish_output(merge, error);
    }
    if (status == OK && merge->builder == NULL)
        status = begin_output(merge, key.size, value.size, error);
    return status == OK ? lsm__builder_add(merge->builder, key, value, tombstone, error) : status;
}

status_t lsm__merge_step(struct lsm__merge *merge, uint64_t bytes, struct error *error)
{
    uint8_t room[LSM_KEY_SIZE_MAX];
    struct lsm_cursor *cursor = &merge->cursor;
    status_t status = OK;
    ASSERT(!merge->done);
    if (!merge->started) {
        lsm__cursor_init_merge(cursor, merge);
        status = lsm_cursor_first(cursor, error);
        merge->started = status == OK;
    }
    for (uint64_t read = 0; status == OK && cursor->valid && read < bytes;) {
        struct slice key = lsm_cursor_key(cursor, room), value = lsm_cursor_value(cursor);
        read += key.size + value.size + sizeof(struct lsm__slot);
        status =
            add(merge, key, value, lsm__source_tombstone(&cursor->sources[cursor->current]), error);
        if (status == OK)
            status = lsm_cursor_next(cursor, error);
    }
    if (status != OK || cursor->valid)
        return status;
    if (merge->builder != NULL)
        status = finish_output(merge, error);
    merge->done = status == OK;
    return status;
}

void lsm__merge_install(struct lsm__merge *merge)
{
    struct lsm *lsm = merge->lsm;
    const struct lsm__state *state = lsm->state;
    struct lsm__memtable *memtables[LSM_MEMTABLES_MAX];
    uint32_t count = 0;
    ASSERT(merge->done);
    for (uint32_t i = 0; i < state->memtable_count; i++)
        if (state->memtables[i] != merge->memtable)
            memtables[count++] = state->memtables[i];
    if (merge->memtable != NULL && count == state->memtable_count)
        return; /* a load has taken the place of all that */
    struct lsm__runs *runs = lsm__runs_change(state->runs, merge->inputs, merge->input_count,
                                              merge->outputs, merge->output_count);
    lsm__state_install(lsm, memtables, count, runs);
}

/* ---- flushing ------------------------------------------------------------------------------- */

/* How many of the newest runs of level 0 a flush of so much payload takes in: as long as they are
 * not much larger than all before them, so that level 0 has a number of runs that grows with the
 * logarithm of its size, and each entry is written again only so often. */
static uint32_t runs_to_take(const struct lsm *lsm, uint64_t payload, bool *forced)
{
    const struct lsm__runs *runs = lsm->state->runs;
    uint32_t taken = 0;
    *forced = runs->count[0] >= LEVEL0_FORCED;
    for (; taken < runs->count[0]; taken++) {
        const struct lsm__run *run = runs->level[0][taken];
        if (run->busy || (!*forced && run->record.payload > GROWTH * payload))
            break;
        payload += run->record.payload;
    }
    return taken;
}

/* Room for the memtable and the runs together. */
static status_t get_room(struct lsm *lsm, const struct lsm__memtable *memtable, uint32_t taken,
                         struct lsm__extent *extent, struct error *error)
{
    uint64_t payload = memtable->payload, entries = memtable->nodes;
    uint32_t key_size_max = memtable->key_size_max;
    for (uint32_t i = 0; i < taken; i++) {
        const struct lsm__record *record = &lsm->state->runs->level[0][i]->record;
        payload += record->payload;
        entries += record->entries;
        if (record->key_size_max > key_size_max)
            key_size_max = record->key_size_max;
    }
    return lsm__space_get(lsm, lsm__builder_bound(lsm, payload, entries, key_size_max), extent,
                          error);
}

static bool all_taken(const struct lsm__runs *runs, uint32_t taken)
{
    for (uint32_t level = 1; level < LSM_LEVELS; level++)
        if (runs->count[level] > 0)
            return false;
    return taken == runs->count[0];
}

status_t lsm__flush_create(struct lsm *lsm, struct lsm__memtable *memtable, uint64_t sequence,
                           struct lsm__extent extent, bool alone, struct lsm__merge **out,
                           struct error *error)
{
    bool forced = false;
    struct lsm__extent larger = {0};
    struct lsm__runs *runs = lsm->state->runs;
    uint32_t taken = alone ? 0 : runs_to_take(lsm, memtable->payload, &forced);
    if (taken > 0) {
        status_t status = get_room(lsm, memtable, taken, &larger, error);
        bool full = status == ERR_DISK_FULL || status == ERR_TOO_LONG;
        if (status != OK && (!full || forced))
            return status;
        taken = status == OK ? taken : 0;
    }
    struct lsm__merge *merge = lsm__merge_create(lsm, 0);
    for (uint32_t i = 0; i < taken; i++)
        lsm__merge_add(merge, runs->level[0][i]);
    if (larger.pages > 0)
        lsm__space_free(lsm, extent);
    merge->extent = larger.pages > 0 ? larger : extent;
    merge->memtable = memtable;
    memtable->references++;
    merge->sequence = sequence;
    merge->drop = !alone && all_taken(runs, taken);
    *out = merge;
    return OK;
}
