/* Checkpoints: making a published state durable beside the writer.
 *
 *   writer                                    any thread
 *   lsm_checkpoint_begin
 *     the memtable is frozen as of the last publish, another begun; the place where it
 *     will be written, and the one of the manifest, are there already
 *                                             lsm_checkpoint_write
 *                                               1 the memtable becomes a run of level 0
 *                                               2 the manifest of all runs; sync
 *                                               3 the meta page; sync
 *   lsm_checkpoint_end
 *     durable; the run takes the memtable's place, and what only the checkpoint before
 *     named gives its pages back
 *
 * A spill that was under way goes along and is finished first, for its memtable is older. Merges
 * of runs go on by the writer: the manifest names the runs as they were at the beginning, and those
 * keep their pages while it is durable.
 *
 * Step 3 begins only when 2 has succeeded, so a valid meta page never points to blocks that did not
 * reach the disk. After a failed sync nobody knows which did, and trying again may report success
 * for bytes that are lost (see env.h); so the store is failed for good, and the process starts
 * again from the checkpoint before and the log. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

/* Room for what is not published, in the memtable to come. */
static status_t reserve_fresh(struct lsm *lsm, struct lsm__extent *out, struct error *error)
{
    uint64_t payload = 0;
    *out = (struct lsm__extent){0};
    for (uint32_t i = 0; i < lsm->fresh_count; i++)
        payload += sizeof(struct lsm__slot) + lsm->fresh[i]->key_size + lsm->fresh[i]->value_size;
    if (payload == 0)
        return OK;
    return lsm__space_get(lsm, lsm__builder_bound(lsm, payload, lsm->fresh_count, LSM_KEY_SIZE_MAX),
                          out, error);
}

/* All that can fail, before anything has changed. */
static status_t prepare(struct lsm *lsm, struct lsm_checkpoint *checkpoint, bool changed,
                        struct error *error)
{
    struct lsm__extent fresh = {0};
    status_t status = lsm__space_get(lsm, lsm__manifest_size(lsm->state->runs, 2) + 1,
                                     &checkpoint->manifest, error);
    if (status == OK && changed)
        status = reserve_fresh(lsm, &fresh, error);
    if (status == OK && changed)
        status = lsm__flush_create(lsm, lsm->state->memtables[0], lsm->sequence - 1, lsm->reserve,
                                   lsm->spill != NULL, &checkpoint->flush, error);
    if (status != OK) {
        lsm__space_free(lsm, fresh);
        lsm__space_free(lsm, checkpoint->manifest);
        return status;
    }
    checkpoint->runs = lsm->state->runs;
    checkpoint->runs->references++;
    checkpoint->spill = lsm->spill;
    lsm->spill = NULL;
    if (changed)
        lsm__memtable_freeze(lsm, fresh);
    return OK;
}

status_t lsm_checkpoint_begin(struct lsm *lsm, struct slice app_meta, struct lsm_checkpoint **out,
                              struct error *error)
{
    status_t status = lsm__writable(lsm, error);
    if (status != OK)
        return status;
    ASSERT(lsm->running == NULL && app_meta.size <= LSM_APP_META_SIZE_MAX);
    struct lsm_checkpoint *checkpoint = mem_zalloc(1, sizeof *checkpoint);
    checkpoint->lsm = lsm;
    checkpoint->result = ERR_INVALID;
    bool changed = lsm->state->memtables[0]->nodes > lsm->fresh_count;
    status = prepare(lsm, checkpoint, changed, error);
    if (status != OK) {
        mem_free(checkpoint);
        return status;
    }
    struct lsm__meta *meta = &checkpoint->meta;
    meta->page_size = lsm->page_size;
    meta->checkpoint = lsm->durable.checkpoint + 1;
    meta->entries = lsm->published_entries;
    meta->next_run = lsm->next_run;
    meta->pages = lsm->pages;
    meta->app_meta_size = (uint32_t)app_meta.size;
    if (app_meta.size > 0)
        memcpy(meta->app_meta, app_meta.data, app_meta.size);
    lsm->running = checkpoint;
    *out = checkpoint;
    return OK;
}

static bool is_input(const struct lsm__merge *merge, const struct lsm__run *run)
{
    for (uint32_t i = 0; merge != NULL && i < merge->input_count; i++)
        if (merge->inputs[i] == run)
            return true;
    return false;
}

static void add_outputs(const struct lsm__merge *merge, struct buffer *manifest, uint32_t *count)
{
    for (uint32_t i = 0; merge != NULL && i < merge->output_count; i++, ++*count)
        lsm__manifest_add(manifest, merge->outputs[i]);
}

static status_t write_manifest(struct lsm_checkpoint *checkpoint, struct error *error)
{
    struct lsm *lsm = checkpoint->lsm;
    struct lsm__meta *meta = &checkpoint->meta;
    const struct lsm__runs *runs = checkpoint->runs;
    struct buffer manifest = {0};
    add_outputs(checkpoint->flush, &manifest, &meta->runs);
    add_outputs(checkpoint->spill, &manifest, &meta->runs);
    for (uint32_t level = 0; level < LSM_LEVELS; level++)
        for (uint32_t i = 0; i < runs->count[level]; i++) {
            const struct lsm__run *run = runs->level[level][i];
            if (is_input(checkpoint->flush, run) || is_input(checkpoint->spill, run))
                continue;
            lsm__manifest_add(&manifest, run);
            meta->runs++;
        }
    status_t status = OK;
    if (meta->runs > 0) {
        ASSERT(manifest.size <= (uint64_t)checkpoint->manifest.pages * lsm->page_size);
        meta->manifest_page = checkpoint->manifest.page;
        meta->manifest_size = (uint32_t)manifest.size;
        meta->manifest_crc = crc32c(0, manifest.data, manifest.size);
        status = env_file_write(lsm->file, (uint64_t)meta->manifest_page * lsm->page_size,
                                manifest.data, manifest.size, error);
    }
    buffer_free(&manifest);
    return status;
}

static status_t write_and_sync(struct lsm_checkpoint *checkpoint, struct error *error)
{
    struct lsm *lsm = checkpoint->lsm;
    status_t status = OK;
    if (checkpoint->spill != NULL)
        status = lsm__merge_step(checkpoint->spill, UINT64_MAX, error);
    if (status == OK && checkpoint->flush != NULL)
        status = lsm__merge_step(checkpoint->flush, UINT64_MAX, error);
    if (status == OK)
        status = write_manifest(checkpoint, error);
    if (status == OK)
        status = env_file_sync(lsm->file, error);
    if (status != OK)
        return status;
    lsm__meta_seal(&checkpoint->meta);
    return lsm__meta_store(lsm, &checkpoint->meta, error);
}

status_t lsm_checkpoint_write(struct lsm_checkpoint *checkpoint, struct error *error)
{
    struct error local;
    struct error *reason = error != NULL ? error : &local;
    ASSERT(checkpoint->lsm->running == checkpoint);
    checkpoint->result = write_and_sync(checkpoint, reason);
    if (checkpoint->result != OK)
        (void)lsm__fail(checkpoint->lsm, checkpoint->result, reason->message);
    return checkpoint->result;
}

/* The set of runs that the manifest names. */
static struct lsm__runs *named_runs(struct lsm *lsm, const struct lsm_checkpoint *checkpoint)
{
    struct lsm__runs *runs = checkpoint->runs;
    struct lsm__merge *merges[2] = {checkpoint->spill, checkpoint->flush};
    runs->references++;
    for (uint32_t i = 0; i < 2; i++) {
        if (merges[i] == NULL)
            continue;
        struct lsm__runs *before = runs;
        runs = lsm__runs_change(before, merges[i]->inputs, merges[i]->input_count,
                                merges[i]->outputs, merges[i]->output_count);
        lsm__runs_release(lsm, before);
    }
    return runs;
}

status_t lsm_checkpoint_end(struct lsm *lsm, struct lsm_checkpoint *checkpoint, struct error *error)
{
    ASSERT(lsm->running == checkpoint && checkpoint->lsm == lsm);
    status_t status = checkpoint->result;
    lsm->running = NULL;
    struct lsm__extent unused = checkpoint->manifest;
    if (status == OK) {
        struct lsm__runs *before = lsm->durable_runs;
        lsm->durable_runs = named_runs(lsm, checkpoint);
        lsm__runs_release(lsm, before);
        lsm->durable = checkpoint->meta;
        if (lsm->durable.manifest_page != 0)
            lsm__space_trim(lsm, &unused, lsm__pages_of(lsm, lsm->durable.manifest_size));
        else
            lsm__space_trim(lsm, &unused, 0);
        struct lsm__extent old = lsm->durable_manifest;
        lsm->durable_manifest = unused;
        unused = old;
        if (checkpoint->spill != NULL)
            lsm__merge_install(checkpoint->spill);
        if (checkpoint->flush != NULL)
            lsm__merge_install(checkpoint->flush);
    } else if (status == ERR_INVALID) { /* never written: nothing of it can be undone */
        (void)lsm__fail(lsm, ERR_INTERNAL, "a checkpoint was ended before it was written");
    }
    lsm__space_free(lsm, unused);
    lsm__merge_destroy(checkpoint->flush);
    lsm__merge_destroy(checkpoint->spill);
    lsm__runs_release(lsm, checkpoint->runs);
    mem_free(checkpoint);
    if (status == OK)
        return OK;
    status_t failed = lsm__writable(lsm, error);
    return failed != OK ? failed : status;
}
