/* The store as a whole: opening, closing, publishing, failing, figures.
 *
 * One file, mapped whole for reading and written with ordinary writes. Pages 0 and 1 are the meta
 * pages; all others are free or belong to a run, or to the manifest, which names the runs.
 *
 *   put, delete     lsm_write.c       a version into the newest memtable, and a piece of merging
 *   memtable        lsm_memtable.c    a skip list of versions, read beside the writer
 *   publish         here              shows the sequence number to new snapshots
 *   states, views   lsm_state.c       memtables and runs that a snapshot sees; when they can go
 *   blocks          lsm_block.c       entries on the disk
 *   building, runs  lsm_build.c, lsm_run.c    sorted runs of blocks with an index and a filter
 *   merging         lsm_merge.c       sources in, runs out, a piece at a time
 *   compaction      lsm_compact.c     what is merged when, and who pays
 *   cursors         lsm_source.c, lsm_cursor.c    all sources as one sequence
 *   checkpoints     lsm_checkpoint.c  the memtable becomes a run, the manifest names it
 *   bulk load       lsm_load.c        sorted input becomes runs of the deepest level at once
 *   space           lsm_space.c       extents of pages
 *   scrubbing, proof  lsm_scrub.c, lsm_check.c
 *
 * The life of a change: in the memtable, seen by the writer; published, seen by new snapshots;
 * written to a run of level 0 by the next checkpoint (or earlier, when the memtable has become
 * large: such runs become durable with the next checkpoint too); merged from level to level, where
 * a newer version of the key makes it vanish. There is no log: what no checkpoint has named is gone
 * after a crash, and its pages are free. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

/* ---- failing -------------------------------------------------------------------------------- */

status_t lsm__fail(struct lsm *lsm, status_t status, const char *text)
{
    ASSERT(status != OK);
    if (!atomic_exchange(&lsm->failing, true)) {
        (void)snprintf(lsm->failed_text, sizeof lsm->failed_text, "%s", text);
        log_error("lsm", "\"%s\" takes no more changes: %s", lsm->path, lsm->failed_text);
        atomic_store_explicit(&lsm->failed, (uint32_t)status, memory_order_release);
    }
    return status;
}

status_t lsm__writable(struct lsm *lsm, struct error *error)
{
    status_t failed = (status_t)atomic_load_explicit(&lsm->failed, memory_order_acquire);
    if (__builtin_expect(failed != OK, 0))
        return error_set(error, failed, "\"%s\" has failed before: %s", lsm->path,
                         lsm->failed_text);
    if (__builtin_expect(lsm->options.read_only, 0))
        return error_set(error, ERR_INVALID, "\"%s\" is open for reading only", lsm->path);
    return OK;
}

status_t lsm__corrupt(const struct lsm *lsm, const uint8_t *at, const char *what,
                      struct error *error)
{
    uint64_t offset = (uint64_t)(at - lsm->base);
    return error_set(error, ERR_CORRUPT, "page %llu of \"%s\" is damaged: block at %llu: %s",
                     (unsigned long long)(offset / lsm->page_size), lsm->path,
                     (unsigned long long)offset, what);
}

/* ---- opening -------------------------------------------------------------------------------- */

static status_t open_file(struct lsm *lsm, struct error *error)
{
    uint32_t flags = lsm->options.read_only ? ENV_OPEN_READ_ONLY : 0;
    status_t status = env_file_open(lsm->env, lsm->path, flags, &lsm->file, error);
    if (status == ERR_NOT_FOUND && !lsm->options.read_only) {
        status = lsm__meta_create(lsm->env, lsm->path, lsm->options.page_size,
                                  lsm->options.growth_bytes, error);
        if (status != OK)
            return status;
        status = env_file_open(lsm->env, lsm->path, 0, &lsm->file, error);
    }
    return status == OK ? env_file_lock(lsm->file, error) : status;
}

static status_t map_file(struct lsm *lsm, uint64_t *file_size, struct error *error)
{
    status_t status = env_file_size(lsm->file, file_size, error);
    if (status != OK)
        return status;
    if (*file_size / LSM_PAGE_SIZE_MIN > UINT32_MAX / 2)
        return error_set(error, ERR_TOO_LONG, "\"%s\" is too large for a store", lsm->path);
    if (*file_size > lsm->options.map_size_max)
        lsm->options.map_size_max = *file_size;
    status = env_map_create(lsm->file, lsm->options.map_size_max, false, &lsm->map, error);
    if (status == OK)
        lsm->base = env_map_base(lsm->map);
    return status;
}

/* Everything in memory as of the durable checkpoint. */
static status_t take_meta(struct lsm *lsm, uint64_t file_size, struct error *error)
{
    struct lsm__runs *runs;
    lsm__space_init(lsm, (uint32_t)(file_size / lsm->page_size));
    lsm->entries = lsm->published_entries = lsm->durable.entries;
    lsm->next_run = lsm->durable.next_run;
    lsm->sequence = 2;
    status_t status = lsm__meta_load(lsm, &runs, error);
    if (status != OK)
        return status;
    lsm->durable_runs = runs;
    runs->references++;
    lsm->views = mem_zalloc(lsm->options.views_max, sizeof *lsm->views);
    struct lsm__memtable *memtable = lsm__memtable_create();
    lsm__state_install(lsm, &memtable, 1, runs);
    memtable->references--;
    return OK;
}

static void destroy(struct lsm *lsm)
{
    lsm__merges_abort(lsm);
    lsm__state_destroy(lsm);
    lsm__runs_release(lsm, lsm->durable_runs);
    if (lsm->map != NULL)
        env_map_destroy(lsm->map);
    env_file_close(lsm->file);
    mem_free(lsm->fresh);
    mem_free(lsm->views);
    mem_free(lsm->free_bits);
    mem_free(lsm->hole_bits);
    mem_free(lsm->path);
    mem_free(lsm);
}

status_t lsm_open(struct env *env, const char *path, const struct lsm_options *options,
                  struct lsm **out, struct error *error)
{
    uint64_t file_size;
    struct lsm *lsm = mem_zalloc(1, sizeof *lsm);
    ASSERT(options->page_size >= LSM_PAGE_SIZE_MIN && options->views_max > 0);
    ASSERT(options->run_bytes > 0 && options->growth_bytes >= 8ull * options->page_size);
    lsm->env = env;
    lsm->path = mem_strdup(path);
    lsm->options = *options;
    status_t status = open_file(lsm, error);
    if (status == OK)
        status = map_file(lsm, &file_size, error);
    if (status == OK)
        status = lsm__meta_read(lsm, file_size, error);
    if (status == OK && !options->read_only)
        status = lsm__meta_settle(lsm, error);
    if (status == OK)
        status = take_meta(lsm, file_size, error);
    if (status == OK)
        *out = lsm;
    else
        destroy(lsm);
    return status;
}

void lsm_close(struct lsm *lsm)
{
    for (uint32_t i = 0; i < atomic_load(&lsm->views_used); i++)
        ASSERT(atomic_load(&lsm->views[i].pin) == 0);
    ASSERT(lsm->running == NULL && lsm->loading == NULL);
    destroy(lsm);
}

status_t lsm_rename(struct lsm *lsm, const char *path, struct error *error)
{
    ASSERT(!lsm->options.read_only && lsm->running == NULL);
    status_t status = env_file_rename(lsm->env, lsm->path, path, error);
    if (status != OK)
        return status;
    mem_free(lsm->path);
    lsm->path = mem_strdup(path);
    return env_dir_sync_parent(lsm->env, path, error);
}

struct slice lsm_meta(const struct lsm *lsm)
{
    return slice_make(lsm->durable.app_meta, lsm->durable.app_meta_size);
}

/* ---- publishing ----------------------------------------------------------------------------- */

status_t lsm_publish(struct lsm *lsm, struct error *error)
{
    status_t status = lsm__writable(lsm, error);
    ASSERT(lsm->loading == NULL);
    if (status != OK || lsm->fresh_count == 0)
        return status;
    lsm->fresh_count = 0;
    lsm->published_entries = lsm->entries;
    lsm__state_show(lsm, lsm->sequence++);
    lsm__state_reclaim(lsm);
    lsm__spill(lsm);
    return OK;
}

/* ---- figures -------------------------------------------------------------------------------- */

void lsm_stats(const struct lsm *lsm, struct lsm_stats *stats)
{
    const struct lsm__runs *runs = lsm->state->runs;
    uint64_t used = LSM_META_PAGES + lsm->reserve.pages + lsm->durable_manifest.pages;
    uint32_t depth = 0;
    if (lsm->running != NULL)
        used += lsm->running->manifest.pages;
    for (uint32_t level = 0; level < LSM_LEVELS; level++) {
        depth += runs->count[level] > 0;
        for (uint32_t i = 0; i < runs->count[level]; i++)
            used += runs->level[level][i]->record.pages;
    }
    uint64_t taken = lsm->pages - lsm->free_count;
    ASSERT(taken >= used);
    *stats = (struct lsm_stats){
        .entries = lsm->entries,
        .checkpoint = lsm->durable.checkpoint,
        .page_size = lsm->page_size,
        .pages = lsm->pages,
        .pages_free = lsm->free_count + lsm->reserve.pages,
        .pages_hole = lsm->hole_count,
        .pages_pending = (uint32_t)(taken - used),
        .depth = depth,
        .meta_pages_bad = lsm->meta_pages_bad,
    };
}
