/* One page for a person, of a file that may be damaged anywhere: it is mapped, not opened as a
 * store, nothing is locked or changed, and each page is copied, then judged, then used. So it works
 * beside the process that has the store open; pages written since its last checkpoint then have no
 * checksum yet. */
#include <inttypes.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/problem.h"
#include "kv/kv_int.h"

static const char *kind_name(const struct kv__page *page)
{
    switch (page->type) {
    case KV_PAGE_BRANCH:
        return "branch";
    case KV_PAGE_LEAF:
        return "leaf";
    case KV_PAGE_OVERFLOW:
        return "long value";
    case KV_PAGE_FREELIST:
        return "free list";
    default:
        return "unknown";
    }
}

/* ---- who uses it ------------------------------------------------------------------------------
 */

/* The page, or run of pages, as it is now. Whole only when its layout is found good. */
static const struct kv__page *take(const struct kv *kv, uint32_t id, struct arena *arena)
{
    ASSERT(id < atomic_load(&kv->pages));
    struct kv__page *page = arena_alloc(arena, kv->page_size);
    memcpy(page, kv__page_at(kv, id), kv->page_size);
    if (page->type != KV_PAGE_OVERFLOW || kv__page_flaw(kv, id, page) != NULL)
        return page;
    uint64_t size = (uint64_t)kv__overflow_pages(kv, page->extra) * kv->page_size;
    struct kv__page *run = arena_alloc(arena, size);
    memcpy(run, page, kv->page_size);
    memcpy((uint8_t *)run + kv->page_size, (uint8_t *)kv__page_at(kv, id) + kv->page_size,
           size - kv->page_size);
    return run;
}

/* NULL: it is no page, or not a good one. */
static const struct kv__page *take_good(const struct kv *kv, uint32_t id, struct arena *arena)
{
    if (id < KV_META_PAGES || id >= atomic_load(&kv->pages))
        return NULL;
    const struct kv__page *page = take(kv, id, arena);
    bool good = kv__page_flaw(kv, id, page) == NULL && page->crc == kv__page_crc(kv, page);
    return good ? page : NULL;
}

enum use { USE_TREE, USE_FREELIST, USE_FREE, USE_NONE, USE_UNKNOWN };

/* Is it in the stored free list, or of it? The list is no longer than its meta page says. */
static enum use use_by_freelist(const struct kv *kv, uint32_t id, struct arena *arena)
{
    uint32_t at = kv->durable.freelist;
    for (uint32_t i = 0; i < kv->durable.freelist_pages; i++) {
        if (at == id)
            return USE_FREELIST;
        const struct kv__page *page = take_good(kv, at, arena);
        if (page == NULL || page->type != KV_PAGE_FREELIST)
            return USE_UNKNOWN;
        const struct kv__run *runs = (const struct kv__run *)(const void *)(page + 1);
        for (uint32_t k = 0; k < page->count; k++)
            if (id >= runs[k].page && id - runs[k].page < runs[k].count)
                return USE_FREE;
        at = page->extra;
    }
    return id >= kv->durable.pages ? USE_FREE : USE_NONE;
}

/* Whether a good node is where the tree has its keys; *parent: under which, 0 when it is the root.
 */
static enum use use_by_tree(const struct kv *kv, const struct kv__page *wanted, uint32_t *parent,
                            struct arena *arena)
{
    if (wanted->level != 0 && wanted->count < 2)
        return USE_UNKNOWN; /* it has no key to look for */
    uint8_t bytes[KV_KEY_SIZE_MAX];
    struct slice key = kv__page_key(wanted, wanted->level != 0 ? 1 : 0, bytes);
    uint32_t at = kv->durable.root, level = KV_DEPTH_MAX;
    *parent = 0;
    while (at != 0) {
        if (at == wanted->id)
            return USE_TREE;
        const struct kv__page *page = take_good(kv, at, arena);
        if (page == NULL || page->level >= level)
            return USE_UNKNOWN;
        if (page->level <= wanted->level || page->type != KV_PAGE_BRANCH)
            return USE_NONE;
        *parent = at;
        level = page->level;
        at = kv__page_child(page, kv__page_search_child(page, key));
    }
    return USE_NONE;
}

static void print_use(const struct kv *kv, enum use use, uint32_t parent, struct buffer *out)
{
    uint64_t checkpoint = kv->durable.checkpoint;
    buffer_append_string(out, "used      ");
    switch (use) {
    case USE_TREE:
        if (parent == 0)
            buffer_printf(out, "as the root");
        else
            buffer_printf(out, "under page %" PRIu32, parent);
        break;
    case USE_FREELIST:
        buffer_append_string(out, "for the free list");
        break;
    case USE_FREE:
        buffer_append_string(out, "not: it is free");
        break;
    case USE_NONE:
        buffer_append_string(out, "not");
        break;
    case USE_UNKNOWN:
        buffer_append_string(out, "perhaps: it cannot be looked up, and it is not free");
        break;
    }
    buffer_printf(out, ", says checkpoint %" PRIu64 " (meta page %" PRIu64 ")\n", checkpoint,
                  checkpoint % 2);
}

/* ---- what is in it ----------------------------------------------------------------------------
 */

static void print_entries(const struct kv__page *page, struct buffer *out)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    char text[BYTES_TEXT_SIZE];
    for (uint32_t i = 0; i < page->count; i++) {
        buffer_printf(out, "%5" PRIu32 "  ", i);
        if (page->level != 0) {
            struct slice key = kv__page_key(page, i, bytes);
            buffer_printf(out, "%s -> page %" PRIu32 "\n",
                          i == 0 ? "(the rest)" : bytes_print(key, text), kv__page_child(page, i));
            continue;
        }
        struct kv__value value = kv__page_value(page, i);
        buffer_printf(out, "%s = %" PRIu32 " bytes",
                      bytes_print(kv__page_key(page, i, bytes), text), value.size);
        if (value.overflow != 0)
            buffer_printf(out, " at page %" PRIu32 "\n", value.overflow);
        else
            buffer_printf(out, " %s\n", bytes_print(value.inline_bytes, text));
    }
}

static void print_runs(const struct kv__page *page, struct buffer *out)
{
    const struct kv__run *runs = (const struct kv__run *)(const void *)(page + 1);
    for (uint32_t i = 0; i < page->count; i++)
        buffer_printf(out, "%5" PRIu32 "  pages %" PRIu32 " to %" PRIu64 "\n", i, runs[i].page,
                      (uint64_t)runs[i].page + runs[i].count - 1);
    buffer_printf(out, "next      %" PRIu32 "%s\n", page->extra, page->extra ? "" : " (the last)");
}

static void print_content(const struct kv *kv, const struct kv__page *page, struct buffer *out)
{
    switch (page->type) {
    case KV_PAGE_BRANCH:
    case KV_PAGE_LEAF:
        buffer_printf(out, "level     %u\n", page->level);
        buffer_printf(out, "entries   %u, whose keys share %u bytes\n", page->count, page->prefix);
        buffer_printf(out, "free      %" PRIu32 " of %" PRIu32 " bytes\n",
                      kv__page_capacity(kv) - kv__page_used(kv, page), kv__page_capacity(kv));
        print_entries(page, out);
        break;
    case KV_PAGE_OVERFLOW:
        buffer_printf(out, "value     %" PRIu32 " bytes, on pages %" PRIu32 " to %" PRIu32 "\n",
                      page->extra, page->id, page->id + kv__overflow_pages(kv, page->extra) - 1);
        break;
    default:
        print_runs(page, out);
        break;
    }
}

/* Returns whether it is good. */
static bool print_checksum(const struct kv *kv, const struct kv__page *page, const char *flaw,
                           struct buffer *out)
{
    /* The size of a run of pages says what the checksum covers: without a sound one it is none. */
    if (flaw != NULL && page->type == KV_PAGE_OVERFLOW) {
        buffer_append_string(out, "checksum  cannot be told: of how many pages?\n");
        return false;
    }
    uint32_t crc = kv__page_crc(kv, page);
    if (crc == page->crc)
        buffer_printf(out, "checksum  good, %08" PRIx32 "\n", crc);
    else if (page->birth > kv->durable.epoch)
        buffer_append_string(out, "checksum  none yet: written after the last checkpoint\n");
    else
        buffer_printf(out, "checksum  WRONG, %08" PRIx32 " where it should be %08" PRIx32 "\n",
                      page->crc, crc);
    return crc == page->crc;
}

static bool print_page(const struct kv *kv, uint32_t id, struct buffer *out)
{
    struct arena arena = {0};
    uint32_t parent = 0;
    const struct kv__page *page = take(kv, id, &arena);
    const char *flaw = kv__page_flaw(kv, id, page);
    enum use use = use_by_freelist(kv, id, &arena);
    bool good = true;
    buffer_printf(out, "kind      %s\n", kind_name(page));
    if (use == USE_FREE)
        buffer_append_string(out,
                             "checksum  means nothing: the page is free, what is in it is old\n");
    else
        good = print_checksum(kv, page, flaw, out) && flaw == NULL;
    buffer_printf(out, "layout    %s%s\n",
                  flaw == NULL ? "good" : "WRONG: ", flaw == NULL ? "" : flaw);
    buffer_printf(out, "written   in epoch %" PRIu64 "\n", page->birth);
    bool node = page->type == KV_PAGE_BRANCH || page->type == KV_PAGE_LEAF;
    if (use == USE_NONE)
        use = node && good ? use_by_tree(kv, page, &parent, &arena) : USE_UNKNOWN;
    print_use(kv, use, parent, out);
    if (flaw == NULL)
        print_content(kv, page, out);
    arena_free(&arena);
    return good;
}

static bool print_meta(const struct kv *kv, uint32_t id, struct buffer *out)
{
    const struct kv__meta *meta = (const struct kv__meta *)(const void *)kv__page_at(kv, id);
    struct kv__meta sealed = *meta;
    char text[BYTES_TEXT_SIZE];
    bool good = meta->app_meta_size <= KV_APP_META_SIZE_MAX;
    if (good) {
        kv__meta_seal(&sealed);
        good = memcmp(&sealed, meta, sizeof sealed) == 0;
    }
    buffer_printf(out, "kind      meta\nchecksum  %s\n", good ? "good" : "WRONG");
    if (!good)
        return false;
    buffer_printf(out, "used      %s\n",
                  meta->checkpoint == kv->durable.checkpoint ? "it is the newest"
                                                             : "as the older one");
    buffer_printf(out,
                  "checkpoint %" PRIu64 " of epoch %" PRIu64 "\n"
                  "tree      root page %" PRIu32 ", %" PRIu64 " entries\n"
                  "file      %" PRIu32 " pages of %" PRIu32 " bytes, %" PRIu32 " of them free\n"
                  "free list page %" PRIu32 ", %" PRIu32 " pages\n"
                  "app       %s\n",
                  meta->checkpoint, meta->epoch, meta->root, meta->entries, meta->pages,
                  meta->page_size, meta->free_pages, meta->freelist, meta->freelist_pages,
                  bytes_print(slice_make(meta->app_meta, meta->app_meta_size), text));
    return true;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static status_t print_from(struct kv *kv, uint64_t size, uint32_t page, bool *good,
                           struct buffer *out, struct error *error)
{
    status_t status = kv__meta_read(kv, size, error);
    if (status != OK)
        return status;
    uint32_t pages = (uint32_t)(size / kv->page_size);
    atomic_store(&kv->pages, pages);
    if (page >= pages) {
        return error_set(error, ERR_NOT_FOUND, "\"%s\" has pages 0 to %" PRIu32 ", not %" PRIu32,
                         kv->path, pages - 1, page);
    }
    buffer_printf(out, "page %" PRIu32 " of \"%s\", %" PRIu32 " bytes at offset %" PRIu64 "\n",
                  page, kv->path, kv->page_size, (uint64_t)page * kv->page_size);
    *good = page < KV_META_PAGES ? print_meta(kv, page, out) : print_page(kv, page, out);
    return OK;
}

status_t kv_page_print(struct env *env, const char *path, uint32_t page, bool *good,
                       struct buffer *out, struct error *error)
{
    ASSERT(good != NULL && out != NULL);
    bool is_lsm = false;
    status_t status = lsm_recognise(env, path, &is_lsm, error);
    if (status == OK && is_lsm)
        return error_set(error, ERR_UNSUPPORTED, "\"%s\" is of the lsm engine, which has no pages",
                         path);
    if (status != OK)
        return status;
    struct kv *kv = mem_zalloc(1, sizeof *kv);
    uint64_t size = 0;
    kv->env = env;
    kv->path = mem_strdup(path);
    status = env_file_open(env, path, ENV_OPEN_READ_ONLY, &kv->file, error);
    if (status == OK)
        status = env_file_size(kv->file, &size, error);
    if (status == OK && size / KV_PAGE_SIZE_MIN > UINT32_MAX / 2)
        status = error_set(error, ERR_CORRUPT, "\"%s\" is too large for a store", path);
    if (status == OK && size < (uint64_t)KV_META_PAGES * KV_PAGE_SIZE_MIN)
        status = error_set(error, ERR_CORRUPT, "\"%s\" has no valid meta page", path);
    if (status == OK)
        status = env_map_create(kv->file, size, false, &kv->map, error);
    if (status == OK) {
        kv->base = env_map_base(kv->map);
        status = print_from(kv, size, page, good, out, error);
    }
    if (kv->map != NULL)
        env_map_destroy(kv->map);
    env_file_close(kv->file);
    mem_free(kv->path);
    mem_free(kv);
    return status;
}
