/* The store as a whole: opening, closing, publishing, failing, figures.
 *
 * One file, mapped whole: page n lies at n * page_size. Pages 0 and 1 are the meta pages
 * (kv_meta.c); all others belong to the tree (kv_page.c), hold long values (kv_overflow.c), hold
 * the free list (kv_alloc.c), or are free.
 *
 *   put             kv_tree.c        changes pages of the current epoch, copies all others
 *   delete          kv_delete.c      the same, with merging
 *   replace         kv_replace.c     many of both, leaf by leaf
 *   bulk load       kv_load.c        builds a tree from sorted input
 *   publish         here             hands the root to new snapshots, begins the next epoch
 *   snapshots       kv_snapshot.c    pin an epoch
 *   cursors, get    kv_cursor.c      read under a pin
 *   pages           kv_alloc.c       are reused when no epoch that reaches them matters any more
 *   space           kv_space.c       the file grows and gives back
 *   checkpoints     kv_checkpoint.c  make a published epoch durable
 *   scrubbing       kv_scrub.c       reads all pages again, now and then
 *   proof           kv_check.c       of all that */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/kv_int.h"

#define PAGE_SIZE_DEFAULT     4096u
#define MAP_SIZE_MAX_DEFAULT  (256ull << 30)
#define GROWTH_BYTES_DEFAULT  (1ull << 20)
#define SNAPSHOTS_MAX_DEFAULT 4096u

/* ---- failing -------------------------------------------------------------------------------- */

status_t kv__fail(struct kv *kv, status_t status, const char *text)
{
    ASSERT(status != OK);
    if (!atomic_exchange(&kv->failing, true)) {
        (void)snprintf(kv->failed_text, sizeof kv->failed_text, "%s", text);
        log_error("kv", "\"%s\" takes no more changes: %s", kv->path, kv->failed_text);
        atomic_store_explicit(&kv->failed, (uint32_t)status, memory_order_release);
    }
    return status;
}

status_t kv__writable(struct kv *kv, struct error *error)
{
    status_t failed = (status_t)atomic_load_explicit(&kv->failed, memory_order_acquire);
    if (__builtin_expect(failed != OK, 0))
        return error_set(error, failed, "\"%s\" has failed before: %s", kv->path, kv->failed_text);
    if (__builtin_expect(kv->read_only, 0))
        return error_set(error, ERR_INVALID, "\"%s\" is open for reading only", kv->path);
    return OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static status_t take_options(struct kv *kv, const struct kv_options *options, struct error *error)
{
    struct kv_options given = options != NULL ? *options : (struct kv_options){0};
    kv->page_size = given.page_size != 0 ? given.page_size : PAGE_SIZE_DEFAULT;
    kv->map_size_max = given.map_size_max != 0 ? given.map_size_max : MAP_SIZE_MAX_DEFAULT;
    kv->growth_bytes = given.growth_bytes != 0 ? given.growth_bytes : GROWTH_BYTES_DEFAULT;
    kv->slots_max = given.snapshots_max != 0 ? given.snapshots_max : SNAPSHOTS_MAX_DEFAULT;
    kv->read_only = given.read_only;
    if ((kv->page_size & (kv->page_size - 1)) != 0 || kv->page_size < KV_PAGE_SIZE_MIN ||
        kv->page_size > KV_PAGE_SIZE_MAX)
        return error_set(error, ERR_INVALID, "page size must be a power of two from %u to %u",
                         KV_PAGE_SIZE_MIN, KV_PAGE_SIZE_MAX);
    uint64_t least = 8ull * kv->page_size;
    if (kv->growth_bytes < least)
        kv->growth_bytes = least;
    kv->growth_bytes -= kv->growth_bytes % kv->page_size;
    if (kv->map_size_max < kv->growth_bytes || kv->map_size_max / KV_PAGE_SIZE_MIN > UINT32_MAX / 2)
        return error_set(error, ERR_INVALID, "map size is out of range");
    return OK;
}

static status_t open_file(struct kv *kv, struct error *error)
{
    uint32_t flags = kv->read_only ? ENV_OPEN_READ_ONLY : 0;
    status_t status = env_file_open(kv->env, kv->path, flags, &kv->file, error);
    if (status == ERR_NOT_FOUND && !kv->read_only) {
        status = kv__meta_create(kv->env, kv->path, kv->page_size, kv->growth_bytes, error);
        if (status != OK)
            return status;
        status = env_file_open(kv->env, kv->path, 0, &kv->file, error);
    }
    if (status == OK)
        status = env_file_lock(kv->file, error);
    return status;
}

static status_t map_file(struct kv *kv, uint64_t *file_size, struct error *error)
{
    status_t status = env_file_size(kv->file, file_size, error);
    if (status != OK)
        return status;
    if (*file_size / KV_PAGE_SIZE_MIN > UINT32_MAX / 2)
        return error_set(error, ERR_TOO_LONG, "\"%s\" is too large for a store", kv->path);
    if (*file_size > kv->map_size_max)
        kv->map_size_max = *file_size;
    status = env_map_create(kv->file, kv->map_size_max, !kv->read_only, &kv->map, error);
    if (status == OK)
        kv->base = env_map_base(kv->map);
    return status;
}

/* Everything in memory as of the durable checkpoint. */
static void take_meta(struct kv *kv, uint64_t file_size)
{
    const struct kv__meta *meta = &kv->durable;
    uint32_t pages = (uint32_t)(file_size / kv->page_size);
    atomic_store(&kv->pages, pages);
    kv->root = meta->root;
    kv->entries = meta->entries;
    kv->published_entries = meta->entries;
    kv->epoch = meta->epoch + 1;
    kv->frozen_epoch = meta->epoch;
    kv->verified_epoch = meta->epoch;
    atomic_store(&kv->durable_epoch, meta->epoch);
    kv->verified_pages = pages;
    kv->verified = mem_zalloc((pages + 63u) / 64, sizeof *kv->verified);
    atomic_store(&kv->published_root[meta->epoch & 1], meta->root);
    atomic_store(&kv->published, meta->epoch);
    kv->scratch = mem_alloc(3ull * kv->page_size);
    kv->slots = mem_zalloc(kv->slots_max, sizeof *kv->slots);
    kv->notes = mem_zalloc(KV_NOTES, sizeof *kv->notes);
    kv->touched = pages;
    kv__alloc_resize(kv, pages);
}

static void destroy(struct kv *kv)
{
    if (kv->map != NULL)
        env_map_destroy(kv->map);
    env_file_close(kv->file);
    kv__alloc_destroy(kv);
    mem_free((void *)(uintptr_t)kv->verified);
    mem_free(kv->scratch);
    mem_free(kv->slots);
    mem_free(kv->notes);
    mem_free(kv->path);
    mem_free(kv);
}

status_t kv_open(struct env *env, const char *path, const struct kv_options *options,
                 struct kv **out, struct error *error)
{
    uint64_t file_size;
    struct kv *kv = mem_zalloc(1, sizeof *kv);
    kv->env = env;
    kv->path = mem_strdup(path);
    status_t status = take_options(kv, options, error);
    if (status == OK)
        status = kv__lsm_open(kv, options, error);
    if (status == OK && kv__is_lsm(kv)) {
        kv->slots = mem_zalloc(kv->slots_max, sizeof *kv->slots);
        *out = kv;
        return OK;
    }
    if (status == OK)
        status = open_file(kv, error);
    if (status == OK)
        status = map_file(kv, &file_size, error);
    if (status == OK)
        status = kv__meta_read(kv, file_size, error);
    if (status == OK && !kv->read_only)
        status = kv__meta_settle(kv, file_size, error);
    if (status == OK) {
        take_meta(kv, file_size);
        status = kv__alloc_load(kv, error);
    }
    if (status == OK && !kv->read_only)
        status = kv__space_open(kv, error);
    if (status == OK)
        *out = kv;
    else
        destroy(kv);
    return status;
}

void kv_close(struct kv *kv)
{
    if (kv == NULL)
        return;
    ASSERT(kv__snapshot_count(kv) == 0);
    ASSERT(kv->running == NULL && kv->loading == NULL);
    if (kv__is_lsm(kv))
        lsm_close(kv->lsm);
    destroy(kv);
}

struct slice kv_meta(const struct kv *kv)
{
    if (kv__is_lsm(kv))
        return lsm_meta(kv->lsm);
    return slice_make(kv->durable.app_meta, kv->durable.app_meta_size);
}

/* ---- publishing ----------------------------------------------------------------------------- */

status_t kv_publish(struct kv *kv, struct error *error)
{
    if (kv__is_lsm(kv))
        return lsm_publish(kv->lsm, error);
    status_t status = kv__writable(kv, error);
    if (status != OK)
        return status;
    uint64_t epoch = kv->epoch;
    ASSERT(kv->loading == NULL);
    ASSERT(atomic_load(&kv->published) + 1 == epoch);
    if (kv->now.count == 0 && kv->born.count == 0)
        return OK;
    atomic_store(&kv->published_root[epoch & 1], kv->root);
    atomic_store(&kv->published, epoch);
    kv->published_entries = kv->entries;
    kv->epoch = epoch + 1;
    kv__alloc_publish(kv, epoch);
    return OK;
}

/* ---- figures -------------------------------------------------------------------------------- */

static uint32_t tree_depth(struct kv *kv)
{
    if (kv->root == 0 || kv__page_verify(kv, kv->root, KV_LEVEL_ANY, NULL) != OK)
        return 0;
    return kv__page_at(kv, kv->root)->level + 1u;
}

void kv_stats(struct kv *kv, struct kv_stats *stats)
{
    if (kv__is_lsm(kv)) {
        kv__lsm_stats(kv, stats);
        return;
    }
    uint32_t pages = atomic_load(&kv->pages);
    *stats = (struct kv_stats){
        .engine = KV_ENGINE_BTREE,
        .entries = kv->entries,
        .file_bytes = (uint64_t)pages * kv->page_size,
        .checkpoint = kv->durable.checkpoint,
        .page_size = kv->page_size,
        .pages = pages,
        .pages_free = kv->free_count + kv->hole_count,
        .pages_hole = kv->hole_count,
        .pages_pending = kv->pending_pages,
        .snapshots_open = kv__snapshot_count(kv),
        .depth = tree_depth(kv),
        .meta_pages_bad = kv->meta_pages_bad,
    };
}
