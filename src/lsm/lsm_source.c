/* Sources: a place in one sorted sequence of entries, which is a memtable, a run of level 0, or the
 * runs of a deeper level one behind the other. A source shows tombstones as it does values; merging
 * is the cursor's (lsm_cursor.c). */
#include "lsm/lsm_int.h"

static const struct lsm__node *node_of(const struct lsm_source *source)
{
    return source->at;
}

bool lsm__source_tombstone(const struct lsm_source *source)
{
    ASSERT(lsm__source_valid(source));
    if (source->memtable != NULL)
        return node_of(source)->tombstone;
    return lsm__block_slots(lsm__source_block(source))[source->index].tombstone != 0;
}

struct slice lsm__source_value(const struct lsm_source *source)
{
    ASSERT(lsm__source_valid(source));
    if (source->memtable != NULL)
        return lsm__node_value(node_of(source));
    return lsm__block_value(lsm__source_block(source), source->index);
}

/* To a block of the run the source is at. */
static status_t go_to(struct lsm *lsm, struct lsm_source *source, uint32_t number,
                      struct error *error)
{
    const struct lsm__block *block;
    source->at = NULL;
    source->block = number;
    status_t status = lsm__run_block(lsm, source->runs[source->run], number, false, &block, error);
    if (status == OK)
        source->at = block;
    return status;
}

static status_t open_run(struct lsm *lsm, struct lsm_source *source, struct error *error)
{
    return lsm__run_open(lsm, (struct lsm__run *)(uintptr_t)source->runs[source->run], false,
                         error);
}

static status_t next_block(struct lsm *lsm, struct lsm_source *source, struct error *error)
{
    status_t status = OK;
    source->at = NULL;
    uint32_t number = source->block + 1;
    if (number >= source->runs[source->run]->record.blocks) {
        if (source->run + 1 >= source->run_count)
            return OK;
        source->run++;
        number = 0;
        status = open_run(lsm, source, error);
    }
    if (status == OK)
        status = go_to(lsm, source, number, error);
    source->index = 0;
    return status;
}

static status_t prev_block(struct lsm *lsm, struct lsm_source *source, struct error *error)
{
    status_t status = OK;
    source->at = NULL;
    if (source->block == 0) {
        if (source->run == 0)
            return OK;
        source->run--;
        status = open_run(lsm, source, error);
        source->block = source->runs[source->run]->record.blocks;
    }
    if (status == OK)
        status = go_to(lsm, source, source->block - 1, error);
    if (status == OK)
        source->index = lsm__source_block(source)->count - 1;
    return status;
}

/* To the first entry >= `key` of the runs, or to their end. */
static status_t seek_runs(struct lsm *lsm, struct lsm_source *source, const struct slice *key,
                          struct error *error)
{
    bool exact;
    source->run = key != NULL ? lsm__run_search(source->runs, source->run_count, *key) : 0;
    if (source->run >= source->run_count)
        return OK;
    status_t status = open_run(lsm, source, error);
    if (status != OK)
        return status;
    const struct lsm__block *index = lsm__run_index(source->runs[source->run]);
    uint32_t number = key != NULL ? lsm__block_search(index, *key, &exact) : 0;
    source->index = 0;
    if (number >= index->count)
        return lsm__corrupt(lsm, (const uint8_t *)index, "ends too early", error);
    status = go_to(lsm, source, number, error);
    if (status != OK || key == NULL)
        return status;
    source->index = lsm__block_search(lsm__source_block(source), *key, &exact);
    if (source->index >= lsm__source_block(source)->count)
        return next_block(lsm, source, error);
    return OK;
}

status_t lsm__source_seek(struct lsm *lsm, struct lsm_source *source, const struct slice *key,
                          uint64_t sequence, struct error *error)
{
    source->at = NULL;
    if (source->memtable == NULL)
        return seek_runs(lsm, source, key, error);
    source->at = lsm__memtable_seek(source->memtable, key, sequence);
    return OK;
}

/* To the very last entry of the runs. */
static status_t last_of_runs(struct lsm *lsm, struct lsm_source *source, struct error *error)
{
    source->at = NULL;
    if (source->run_count == 0)
        return OK;
    source->run = source->run_count - 1;
    status_t status = open_run(lsm, source, error);
    source->block = source->runs[source->run]->record.blocks;
    return status == OK ? prev_block(lsm, source, error) : status;
}

status_t lsm__source_seek_reverse(struct lsm *lsm, struct lsm_source *source,
                                  const struct slice *key, uint64_t sequence, struct error *error)
{
    source->at = NULL;
    if (source->memtable != NULL) {
        source->at = lsm__memtable_seek_reverse(source->memtable, key, sequence);
        return OK;
    }
    status_t status = key != NULL ? seek_runs(lsm, source, key, error) : OK;
    if (status != OK)
        return status;
    if (!lsm__source_valid(source)) /* all are before it */
        return last_of_runs(lsm, source, error);
    if (lsm__key_compare(lsm__source_key(source), lsm__key_of(*key)) == 0)
        return OK;
    return lsm__source_prev(lsm, source, sequence, error);
}

status_t lsm__source_next(struct lsm *lsm, struct lsm_source *source, uint64_t sequence,
                          struct error *error)
{
    ASSERT(lsm__source_valid(source));
    if (source->memtable != NULL) {
        source->at = lsm__memtable_next(node_of(source), sequence);
        return OK;
    }
    if (++source->index < lsm__source_block(source)->count)
        return OK;
    return next_block(lsm, source, error);
}

status_t lsm__source_prev(struct lsm *lsm, struct lsm_source *source, uint64_t sequence,
                          struct error *error)
{
    ASSERT(lsm__source_valid(source));
    if (source->memtable != NULL) {
        source->at = lsm__memtable_prev(source->memtable, node_of(source), sequence);
        return OK;
    }
    if (source->index > 0) {
        source->index--;
        return OK;
    }
    return prev_block(lsm, source, error);
}
