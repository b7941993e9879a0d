/* The two meta pages, which say where everything else is.
 *
 *   offset size
 *        0    8  magic "toyDBkv\n"
 *        8    4  byte_order  0x01020304 as the machine that made the file stores it
 *       12    4  version     of the format, KV_FORMAT_VERSION
 *       16    4  page_size
 *       20    4  crc         CRC-32C of the structure with this field zero
 *       24    8  checkpoint  its number, from 1
 *       32    8  epoch       publish counter of the frozen state
 *       40    8  entries
 *       48    4  root        page, 0 when the tree is empty
 *       52    4  pages       in the file when it was made
 *       56    4  freelist    first page of the free list
 *       60    4  freelist_pages
 *       64    4  free_pages  listed there
 *       68    4  app_meta_size
 *       72  512  app_meta
 *
 * Checkpoint n is stored in meta page n mod 2, after all it points to was synced, so the page of
 * checkpoint n - 1 is whole whatever happens meanwhile. A new store has its first checkpoint in
 * both (0 and 1). The newest valid one wins. When the newest one is damaged later, the one before
 * it is older than what was promised durable and its pages may have been written over; pages know
 * their birth, so that is met as damage and never read as data.
 *
 * A new file is made under a temporary name and renamed when it is durable: a file under the
 * store's name without a valid meta page is damage, never an empty store. */
#include <stdio.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/kv_int.h"

#define BYTE_ORDER_MARK 0x01020304u

static const uint8_t magic[8] = {'t', 'o', 'y', 'D', 'B', 'k', 'v', '\n'};

static uint32_t meta_crc(const struct kv__meta *meta)
{
    static const uint8_t zero[4];
    const uint8_t *bytes = (const uint8_t *)meta;
    size_t before = offsetof(struct kv__meta, crc), behind = before + sizeof meta->crc;
    uint32_t crc = crc32c(0, bytes, before);
    crc = crc32c(crc, zero, sizeof zero);
    return crc32c(crc, bytes + behind, sizeof *meta - behind);
}

void kv__meta_seal(struct kv__meta *meta)
{
    ASSERT(meta->app_meta_size <= KV_APP_META_SIZE_MAX);
    memcpy(meta->magic, magic, sizeof magic);
    meta->byte_order = BYTE_ORDER_MARK;
    meta->version = KV_FORMAT_VERSION;
    meta->crc = meta_crc(meta);
}

enum meta_state { META_BAD, META_FOREIGN, META_GOOD };

/* Judges one meta page of a file of `file_size` bytes; `place` is 0 or 1. */
static enum meta_state judge(const struct kv__meta *meta, uint32_t place, uint32_t page_size,
                             uint64_t file_size)
{
    if (memcmp(meta->magic, magic, sizeof magic) != 0)
        return META_BAD;
    if (meta->byte_order != BYTE_ORDER_MARK || meta->version != KV_FORMAT_VERSION)
        return META_FOREIGN;
    if (meta->crc != meta_crc(meta))
        return META_BAD;
    bool sound = (meta->page_size & (meta->page_size - 1)) == 0 &&
                 meta->page_size >= KV_PAGE_SIZE_MIN && meta->page_size <= KV_PAGE_SIZE_MAX &&
                 (page_size == 0 || meta->page_size == page_size) &&
                 meta->checkpoint % 2 == place && meta->epoch >= 1 && meta->pages > KV_META_PAGES &&
                 meta->root < meta->pages && meta->root != 1 && meta->freelist < meta->pages &&
                 meta->freelist_pages < meta->pages && meta->free_pages < meta->pages &&
                 meta->app_meta_size <= KV_APP_META_SIZE_MAX &&
                 (uint64_t)meta->pages * meta->page_size <= file_size;
    return sound ? META_GOOD : META_BAD;
}

/* Meta page 1 lies one page in, and only a meta page knows how much that is: when page 0 cannot
 * say, all page sizes are tried. */
static enum meta_state find_second(const struct kv *kv, uint64_t file_size, uint32_t page_size,
                                   struct kv__meta *meta)
{
    for (uint32_t size = KV_PAGE_SIZE_MIN; size <= KV_PAGE_SIZE_MAX; size *= 2) {
        if ((page_size != 0 && size != page_size) || 2ull * size > file_size)
            continue;
        memcpy(meta, kv->base + size, sizeof *meta);
        enum meta_state state = judge(meta, 1, size, file_size);
        if (state != META_BAD)
            return state;
    }
    return META_BAD;
}

static status_t foreign(const struct kv *kv, const struct kv__meta *meta, struct error *error)
{
    if (meta->byte_order != BYTE_ORDER_MARK)
        return error_set(error, ERR_FORMAT, "\"%s\" was made on a machine of another byte order",
                         kv->path);
    return error_set(error, ERR_FORMAT,
                     "\"%s\" is of format version %u, this program reads version %u", kv->path,
                     meta->version, KV_FORMAT_VERSION);
}

status_t kv__meta_read(struct kv *kv, uint64_t file_size, struct error *error)
{
    struct kv__meta meta[2];
    enum meta_state state[2] = {META_BAD, META_BAD};
    if (file_size >= (uint64_t)KV_META_PAGES * KV_PAGE_SIZE_MIN) {
        memcpy(&meta[0], kv->base, sizeof meta[0]);
        state[0] = judge(&meta[0], 0, 0, file_size);
        state[1] =
            find_second(kv, file_size, state[0] == META_GOOD ? meta[0].page_size : 0, &meta[1]);
    }
    if (state[0] != META_GOOD && state[1] != META_GOOD) {
        if (state[0] == META_FOREIGN || state[1] == META_FOREIGN)
            return foreign(kv, &meta[state[0] == META_FOREIGN ? 0 : 1], error);
        return error_set(error, ERR_CORRUPT, "\"%s\" has no valid meta page", kv->path);
    }
    uint32_t newest = state[0] != META_GOOD ? 1 : 0;
    if (state[0] == META_GOOD && state[1] == META_GOOD)
        newest = meta[1].checkpoint > meta[0].checkpoint ? 1 : 0;
    kv->meta_pages_bad = state[1 - newest] != META_GOOD;
    if (kv->meta_pages_bad != 0)
        log_warn("kv", "meta page %u of \"%s\" is not valid, using the other", 1 - newest,
                 kv->path);
    kv->before_pages = kv->meta_pages_bad == 0 ? meta[1 - newest].pages : 0;
    kv->durable = meta[newest];
    kv->page_size = meta[newest].page_size;
    return OK;
}

status_t kv_rename(struct kv *kv, const char *path, struct error *error)
{
    if (kv__is_lsm(kv))
        return kv__lsm_rename(kv, path, error);
    ASSERT(!kv->read_only && kv->running == NULL);
    status_t status = env_file_rename(kv->env, kv->path, path, error);
    if (status != OK)
        return status;
    mem_free(kv->path);
    kv->path = mem_strdup(path);
    return env_dir_sync_parent(kv->env, path, error);
}

status_t kv__meta_settle(struct kv *kv, uint64_t file_size, struct error *error)
{
    ASSERT(kv->map != NULL && !kv->read_only);
    /* Written once more: a sync of it that failed has left it clean in memory, not on the disk. */
    kv__meta_store(kv, &kv->durable);
    status_t status = env_map_sync(kv->map, 0, file_size, error);
    if (status == OK)
        status = env_file_sync(kv->file, error);
    return status == OK ? env_dir_sync_parent(kv->env, kv->path, error) : status;
}

void kv__meta_store(struct kv *kv, const struct kv__meta *meta)
{
    ASSERT(meta->crc == meta_crc(meta));
    memcpy(kv__page_at(kv, (uint32_t)(meta->checkpoint % 2)), meta, sizeof *meta);
}

/* ---- creation ------------------------------------------------------------------------------- */

/* The first free list page of a new store: all pages behind it are free. */
static void first_freelist(uint8_t *bytes, uint32_t page_size, uint32_t pages)
{
    struct kv__page *page = (struct kv__page *)(void *)bytes;
    struct kv__run *run = (struct kv__run *)(page + 1);
    memset(bytes, 0, page_size);
    page->id = KV_META_PAGES;
    page->birth = 1;
    page->type = KV_PAGE_FREELIST;
    page->level = KV_LEVEL_FREELIST;
    page->count = 1;
    run->page = KV_META_PAGES + 1;
    run->count = pages - KV_META_PAGES - 1;
    page->crc = crc32c(0, bytes + sizeof page->crc, page_size - sizeof page->crc);
}

static status_t write_first(struct env_file *file, uint32_t page_size, uint64_t file_bytes,
                            struct error *error)
{
    uint32_t pages = (uint32_t)(file_bytes / page_size);
    ASSERT(pages > KV_META_PAGES + 1);
    uint8_t *bytes = mem_zalloc(3, page_size);
    for (uint32_t place = 0; place < 2; place++) {
        struct kv__meta meta = {.page_size = page_size,
                                .checkpoint = place,
                                .epoch = 1,
                                .pages = pages,
                                .freelist = KV_META_PAGES,
                                .freelist_pages = 1,
                                .free_pages = pages - KV_META_PAGES - 1};
        kv__meta_seal(&meta);
        memcpy(bytes + place * page_size, &meta, sizeof meta);
    }
    first_freelist(bytes + 2 * page_size, page_size, pages);
    status_t status = env_file_preallocate(file, 0, file_bytes, error);
    if (status == OK)
        status = env_file_write(file, 0, bytes, 3 * (size_t)page_size, error);
    if (status == OK)
        status = env_file_sync(file, error);
    mem_free(bytes);
    return status;
}

/* Has another process finished creating it while we waited for the temporary file's lock? */
static status_t look_for(struct env *env, const char *path, bool *exists, struct error *error)
{
    struct env_file *file;
    status_t status = env_file_open(env, path, ENV_OPEN_READ_ONLY, &file, error);
    *exists = status == OK;
    if (status == OK)
        env_file_close(file);
    return status == ERR_NOT_FOUND ? OK : status;
}

status_t kv__meta_create(struct env *env, const char *path, uint32_t page_size, uint64_t file_bytes,
                         struct error *error)
{
    struct env_file *file;
    size_t size = strlen(path) + sizeof ".new";
    char *temporary = mem_alloc(size);
    (void)snprintf(temporary, size, "%s.new", path);
    status_t status = env_file_open(env, temporary, ENV_OPEN_CREATE, &file, error);
    if (status != OK)
        goto free_name;
    bool exists = false;
    status = env_file_lock(file, error);
    if (status == OK)
        status = look_for(env, path, &exists, error);
    if (status == OK && exists)
        status = env_file_remove(env, temporary, error);
    if (status != OK || exists)
        goto close_file;
    status = env_file_truncate(file, 0, error);
    if (status == OK)
        status = write_first(file, page_size, file_bytes, error);
    if (status == OK)
        status = env_file_rename(env, temporary, path, error);
    if (status == OK)
        status = env_dir_sync_parent(env, path, error);
close_file:
    env_file_close(file);
free_name:
    mem_free(temporary);
    return status;
}
