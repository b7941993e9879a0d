/* Checkpoints: making a published state durable beside the writer.
 *
 *   writer                                    any thread
 *   kv_checkpoint_begin
 *     the published root is frozen: its pages were born before the current epoch, so the writer
 *     copies them rather than changing them, and while this checkpoint is running or durable
 *     they go to the list `old` when dropped
 *     the free list is written, the pages without a checksum are listed
 *                                             kv_checkpoint_write
 *                                               1 checksums into the listed pages
 *                                               2 sync of all pages
 *                                               3 the meta page, sync of that
 *   kv_checkpoint_end
 *     durable; what only the checkpoint before could reach is reclaimed
 *
 * Step 3 begins only when 2 has succeeded, so a valid meta page never points to pages that did not
 * reach the disk. After a failed sync nobody knows which pages did, and trying again may report
 * success for bytes that are lost (see env.h); so the store is failed for good, and the process
 * starts again from the checkpoint before and the log. */
#include "base/mem.h"
#include "kv/kv_int.h"

status_t kv_checkpoint_begin(struct kv *kv, struct slice app_meta, struct kv_checkpoint **out,
                             struct error *error)
{
    status_t status = kv__writable(kv, error);
    if (status != OK)
        return status;
    ASSERT(kv->running == NULL);
    if (app_meta.size > KV_APP_META_SIZE_MAX)
        return error_set(error, ERR_TOO_LONG,
                         "application data of a checkpoint cannot be longer "
                         "than %u bytes",
                         KV_APP_META_SIZE_MAX);
    if (kv__is_lsm(kv))
        return kv__lsm_checkpoint_begin(kv, app_meta, out, error);
    struct kv_checkpoint *checkpoint = mem_zalloc(1, sizeof *checkpoint);
    uint64_t epoch = atomic_load(&kv->published);
    checkpoint->kv = kv;
    checkpoint->result = ERR_INVALID;
    status = kv__alloc_freeze(kv, checkpoint, error);
    if (status != OK) {
        mem_free(checkpoint);
        return status;
    }
    struct kv__meta *meta = &checkpoint->meta;
    meta->page_size = kv->page_size;
    meta->checkpoint = kv->durable.checkpoint + 1;
    meta->epoch = epoch;
    meta->entries = kv->published_entries;
    meta->root = atomic_load(&kv->published_root[epoch & 1]);
    meta->app_meta_size = (uint32_t)app_meta.size;
    if (app_meta.size > 0)
        memcpy(meta->app_meta, app_meta.data, app_meta.size);
    kv__meta_seal(meta);
    checkpoint->sync_bytes = (uint64_t)meta->pages * kv->page_size;
    checkpoint->sync_file = kv->grown;
    kv->grown = false;
    kv->frozen_epoch = epoch;
    kv->running = checkpoint;
    *out = checkpoint;
    return OK;
}

static status_t write_and_sync(struct kv_checkpoint *checkpoint, struct error *error)
{
    struct kv *kv = checkpoint->kv;
    for (uint32_t i = 0; i < checkpoint->write.count; i++) {
        struct kv__page *page = kv__page_at(kv, checkpoint->write.items[i]);
        ASSERT(page->id == checkpoint->write.items[i] && page->birth <= checkpoint->meta.epoch);
        page->crc = kv__page_crc(kv, page);
    }
    status_t status = env_map_sync(kv->map, 0, checkpoint->sync_bytes, error);
    if (status == OK && checkpoint->sync_file)
        status = env_file_sync(kv->file, error);
    if (status != OK)
        return status;
    kv__meta_store(kv, &checkpoint->meta);
    uint64_t place = checkpoint->meta.checkpoint % 2;
    return env_map_sync(kv->map, place * kv->page_size, kv->page_size, error);
}

status_t kv_checkpoint_write(struct kv_checkpoint *checkpoint, struct error *error)
{
    if (kv__is_lsm(checkpoint->kv))
        return lsm_checkpoint_write(checkpoint->lsm, error);
    struct error local;
    struct error *reason = error != NULL ? error : &local;
    ASSERT(checkpoint->kv->running == checkpoint);
    checkpoint->result = write_and_sync(checkpoint, reason);
    if (checkpoint->result != OK)
        (void)kv__fail(checkpoint->kv, checkpoint->result, reason->message);
    return checkpoint->result;
}

status_t kv_checkpoint_end(struct kv *kv, struct kv_checkpoint *checkpoint, struct error *error)
{
    if (kv__is_lsm(kv))
        return kv__lsm_checkpoint_end(kv, checkpoint, error);
    ASSERT(kv->running == checkpoint && checkpoint->kv == kv);
    status_t status = checkpoint->result;
    kv->running = NULL;
    if (status == OK) {
        struct kv__page_list before = kv->freelist;
        kv->before_pages = kv->durable.pages;
        kv->durable = checkpoint->meta;
        kv->move_done = false;
        atomic_store(&kv->durable_epoch, kv->durable.epoch);
        kv->freelist = checkpoint->freelist;
        for (uint32_t i = 0; i < before.count; i++)
            if (!kv__alloc_free(kv, before.items[i], 1))
                status = kv__fail(kv, ERR_CORRUPT, "a page of the free list was free");
        mem_free(before.items);
        kv__alloc_reclaim(kv);
    } else {
        mem_free(checkpoint->freelist.items);
        if (status == ERR_INVALID) /* never written: nothing of it can be undone */
            (void)kv__fail(kv, ERR_INTERNAL, "a checkpoint was ended before it was written");
    }
    mem_free(checkpoint->write.items);
    mem_free(checkpoint);
    if (status == OK)
        return OK;
    status_t failed = kv__writable(kv, error);
    return failed != OK ? failed : status;
}

status_t kv_checkpoint(struct kv *kv, struct slice app_meta, struct error *error)
{
    struct kv_checkpoint *checkpoint;
    status_t status = kv_checkpoint_begin(kv, app_meta, &checkpoint, error);
    if (status != OK)
        return status;
    status = kv_checkpoint_write(checkpoint, error);
    status_t ended = kv_checkpoint_end(kv, checkpoint, status == OK ? error : NULL);
    return status == OK ? ended : status;
}
