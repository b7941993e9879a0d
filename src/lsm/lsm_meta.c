/* The two meta pages, and the manifest that they point to.
 *
 *   offset size
 *        0    8  magic "toyDBls\n"
 *        8    4  byte_order  0x01020304 as the machine that made the file stores it
 *       12    4  version     of the format, LSM_FORMAT_VERSION
 *       16    4  page_size
 *       20    4  crc         CRC-32C of the structure with this field zero
 *       24    8  checkpoint  its number, from 1
 *       32    8  entries     live keys
 *       40    8  next_run    number of the next run
 *       48    4  pages       in the file when it was made
 *       52    4  manifest_page  where it begins, 0 when there are no runs
 *       56    4  manifest_size  in bytes
 *       60    4  manifest_crc
 *       64    4  runs
 *       68    4  app_meta_size
 *       72  512  app_meta
 *
 * The manifest is a record for each run, its first and its last key behind it; runs of level 0
 * from the newest on, those of other levels by key. Free space is not stored: it is what no run,
 * nor the manifest, takes.
 *
 * Checkpoint n is stored in meta page n mod 2, after all it points to was synced, and nothing that
 * checkpoint n - 1 points to is written over before that. A new store has its first checkpoint in
 * both (0 and 1). The newest valid one wins. When the newest one is damaged later, the one before
 * it is older than what was promised durable and its runs may have been written over; blocks know
 * their run (lsm_block.c), so that is met as damage and never read as data.
 *
 * A new file is made under a temporary name and renamed when it is durable: a file under the
 * store's name without a valid meta page is damage, never an empty store. */
#include <stdio.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define BYTE_ORDER_MARK 0x01020304u

static const uint8_t magic[8] = {'t', 'o', 'y', 'D', 'B', 'l', 's', '\n'};

static uint32_t meta_crc(const struct lsm__meta *meta)
{
    struct lsm__meta copy = *meta;
    copy.crc = 0;
    return crc32c(0, &copy, sizeof copy);
}

void lsm__meta_seal(struct lsm__meta *meta)
{
    ASSERT(meta->app_meta_size <= LSM_APP_META_SIZE_MAX);
    memcpy(meta->magic, magic, sizeof magic);
    meta->byte_order = BYTE_ORDER_MARK;
    meta->version = LSM_FORMAT_VERSION;
    meta->crc = meta_crc(meta);
}

enum meta_state { META_BAD, META_FOREIGN, META_GOOD };

static bool size_is_sound(uint32_t page_size)
{
    return (page_size & (page_size - 1)) == 0 && page_size >= LSM_PAGE_SIZE_MIN &&
           page_size <= LSM_PAGE_SIZE_MAX;
}

static enum meta_state judge(const struct lsm__meta *meta, uint32_t place, uint32_t page_size,
                             uint64_t file_size)
{
    if (memcmp(meta->magic, magic, sizeof magic) != 0)
        return META_BAD;
    if (meta->byte_order != BYTE_ORDER_MARK || meta->version != LSM_FORMAT_VERSION)
        return META_FOREIGN;
    if (meta->crc != meta_crc(meta) || !size_is_sound(meta->page_size))
        return META_BAD;
    bool sound =
        (page_size == 0 || meta->page_size == page_size) && meta->checkpoint % 2 == place &&
        meta->pages > LSM_META_PAGES && meta->manifest_page != 1 &&
        meta->manifest_page < meta->pages && (meta->runs == 0) == (meta->manifest_page == 0) &&
        (uint64_t)meta->pages * meta->page_size <= file_size &&
        meta->manifest_size <= (uint64_t)(meta->pages - meta->manifest_page) * meta->page_size &&
        meta->app_meta_size <= LSM_APP_META_SIZE_MAX;
    return sound ? META_GOOD : META_BAD;
}

/* Where meta page 1 lies only a meta page knows: when page 0 cannot say, all sizes are tried. */
static enum meta_state find_second(const struct lsm *lsm, uint64_t file_size, uint32_t page_size,
                                   struct lsm__meta *meta)
{
    enum meta_state best = META_BAD;
    for (uint32_t size = LSM_PAGE_SIZE_MIN; size <= LSM_PAGE_SIZE_MAX; size *= 2) {
        if ((page_size != 0 && size != page_size) || 2ull * size > file_size)
            continue;
        memcpy(meta, lsm->base + size, sizeof *meta);
        enum meta_state state = judge(meta, 1, size, file_size);
        if (state == META_GOOD)
            return META_GOOD;
        if (state == META_FOREIGN)
            best = META_FOREIGN;
    }
    return best;
}

status_t lsm__meta_read(struct lsm *lsm, uint64_t file_size, struct error *error)
{
    struct lsm__meta meta[2];
    enum meta_state state[2] = {META_BAD, META_BAD};
    if (file_size >= (uint64_t)LSM_META_PAGES * LSM_PAGE_SIZE_MIN) {
        memcpy(&meta[0], lsm->base, sizeof meta[0]);
        state[0] = judge(&meta[0], 0, 0, file_size);
        state[1] =
            find_second(lsm, file_size, state[0] == META_GOOD ? meta[0].page_size : 0, &meta[1]);
    }
    if (state[0] != META_GOOD && state[1] != META_GOOD) {
        if (state[0] == META_FOREIGN || state[1] == META_FOREIGN)
            return error_set(error, ERR_FORMAT,
                             "\"%s\" was written by another format version or on a machine of "
                             "another byte order",
                             lsm->path);
        return error_set(error, ERR_CORRUPT, "\"%s\" has no valid meta page", lsm->path);
    }
    uint32_t newest = state[0] != META_GOOD ? 1 : 0;
    if (state[0] == META_GOOD && state[1] == META_GOOD)
        newest = meta[1].checkpoint > meta[0].checkpoint ? 1 : 0;
    lsm->meta_pages_bad = state[1 - newest] != META_GOOD;
    if (lsm->meta_pages_bad != 0)
        log_warn("lsm", "meta page %u of \"%s\" is not valid, using the other", 1 - newest,
                 lsm->path);
    lsm->durable = meta[newest];
    lsm->page_size = meta[newest].page_size;
    return OK;
}

status_t lsm__meta_store(struct lsm *lsm, const struct lsm__meta *meta, struct error *error)
{
    ASSERT(meta->crc == meta_crc(meta));
    status_t status =
        env_file_write(lsm->file, meta->checkpoint % 2 * lsm->page_size, meta, sizeof *meta, error);
    return status == OK ? env_file_sync(lsm->file, error) : status;
}

status_t lsm__meta_settle(struct lsm *lsm, struct error *error)
{
    ASSERT(!lsm->options.read_only);
    /* Written once more: a sync of it that failed has left it clean in memory, not on the disk. */
    status_t status = lsm__meta_store(lsm, &lsm->durable, error);
    return status == OK ? env_dir_sync_parent(lsm->env, lsm->path, error) : status;
}

/* ---- the manifest --------------------------------------------------------------------------- */

uint64_t lsm__manifest_size(const struct lsm__runs *runs, uint32_t more)
{
    uint64_t size = (uint64_t)more * (sizeof(struct lsm__record) + 2ull * LSM_KEY_SIZE_MAX);
    for (uint32_t level = 0; level < LSM_LEVELS; level++)
        for (uint32_t i = 0; i < runs->count[level]; i++) {
            const struct lsm__run *run = runs->level[level][i];
            size += sizeof run->record + run->first.size + run->last.size;
        }
    return size;
}

void lsm__manifest_add(struct buffer *out, const struct lsm__run *run)
{
    ASSERT(run->record.first_size == run->first.size && run->record.last_size == run->last.size);
    status_t status = buffer_append(out, &run->record, sizeof run->record);
    if (status == OK)
        status = buffer_append_slice(out, run->first);
    if (status == OK)
        status = buffer_append_slice(out, run->last);
    ASSERT(status == OK);
}

static bool record_is_sound(const struct lsm *lsm, const struct lsm__record *record)
{
    uint64_t bytes = (uint64_t)record->pages * lsm->page_size;
    uint64_t filter = (uint64_t)record->filter_lines * LSM_FILTER_LINE;
    return record->level < LSM_LEVELS && record->number < lsm->durable.next_run &&
           record->entries > 0 && record->tombstones <= record->entries && record->blocks > 0 &&
           record->blocks <= record->entries &&
           record->blocks <= bytes / sizeof(struct lsm__block) &&
           record->page < lsm->durable.pages &&
           record->pages <= lsm->durable.pages - record->page && record->index_at % 8 == 0 &&
           record->index_at < record->filter_at && record->filter_at % LSM_FILTER_LINE == 0 &&
           record->filter_lines > 0 && record->filter_at <= bytes &&
           filter <= bytes - record->filter_at && record->first_size > 0 &&
           record->first_size <= LSM_KEY_SIZE_MAX && record->last_size > 0 &&
           record->last_size <= LSM_KEY_SIZE_MAX && record->key_size_max <= LSM_KEY_SIZE_MAX;
}

static status_t broken(const struct lsm *lsm, const char *what, struct error *error)
{
    return lsm__corrupt(lsm, lsm->base + (uint64_t)lsm->durable.manifest_page * lsm->page_size,
                        what, error);
}

/* The next run of the manifest, behind those that `runs` has already. */
static status_t load_run(struct lsm *lsm, struct slice *rest, struct lsm__runs *runs,
                         struct error *error)
{
    struct lsm__record record;
    if (rest->size < sizeof record)
        return broken(lsm, "the manifest ends too early", error);
    memcpy(&record, rest->data, sizeof record);
    size_t size = sizeof record + record.first_size + record.last_size;
    if (rest->size < size || !record_is_sound(lsm, &record))
        return broken(lsm, "impossible run in the manifest", error);
    struct slice first = slice_make(rest->data + sizeof record, record.first_size);
    struct slice last = slice_make(first.data + first.size, record.last_size);
    *rest = slice_make(rest->data + size, rest->size - size);
    uint32_t count = runs->count[record.level];
    if (slice_compare(first, last) > 0 ||
        (record.level > 0 && count > 0 &&
         slice_compare(runs->level[record.level][count - 1]->last, first) >= 0) ||
        (record.level == 0 && count >= LSM_LEVEL0_MAX))
        return broken(lsm, "runs out of order in the manifest", error);
    if (!lsm__space_take(lsm, (struct lsm__extent){record.page, record.pages}))
        return broken(lsm, "a page belongs to two runs", error);
    struct lsm__run *run = lsm__run_create(lsm, &record, first, last, false);
    lsm__runs_append(runs, record.level, run);
    run->references--;
    return OK;
}

status_t lsm__meta_load(struct lsm *lsm, struct lsm__runs **out, struct error *error)
{
    const struct lsm__meta *meta = &lsm->durable;
    struct lsm__runs *runs = lsm__runs_create();
    status_t status = OK;
    if (meta->manifest_page != 0) {
        lsm->durable_manifest =
            (struct lsm__extent){meta->manifest_page, lsm__pages_of(lsm, meta->manifest_size)};
        struct slice rest = slice_make(lsm->base + (uint64_t)meta->manifest_page * lsm->page_size,
                                       meta->manifest_size);
        if (!lsm__space_take(lsm, lsm->durable_manifest) ||
            crc32c(0, rest.data, rest.size) != meta->manifest_crc)
            status = broken(lsm, "wrong checksum of the manifest", error);
        for (uint32_t i = 0; i < meta->runs && status == OK; i++)
            status = load_run(lsm, &rest, runs, error);
    }
    if (status == OK)
        *out = runs;
    else
        lsm__runs_release(lsm, runs);
    return status;
}

/* ---- creation ------------------------------------------------------------------------------- */

static status_t write_first(struct env_file *file, uint32_t page_size, uint64_t file_bytes,
                            struct error *error)
{
    uint32_t pages = (uint32_t)(file_bytes / page_size);
    ASSERT(pages > LSM_META_PAGES);
    status_t status = env_file_preallocate(file, 0, file_bytes, error);
    for (uint32_t place = 0; place < 2 && status == OK; place++) {
        struct lsm__meta meta = {
            .page_size = page_size, .checkpoint = place, .next_run = 1, .pages = pages};
        lsm__meta_seal(&meta);
        status = env_file_write(file, (uint64_t)place * page_size, &meta, sizeof meta, error);
    }
    return status == OK ? env_file_sync(file, error) : status;
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

static status_t create_as(struct env *env, const char *temporary, const char *path,
                          uint32_t page_size, uint64_t file_bytes, struct error *error)
{
    struct env_file *file;
    bool exists = false;
    status_t status = env_file_open(env, temporary, ENV_OPEN_CREATE, &file, error);
    if (status != OK)
        return status;
    status = env_file_lock(file, error);
    if (status == OK)
        status = look_for(env, path, &exists, error);
    if (status == OK && exists) {
        status = env_file_remove(env, temporary, error);
    } else if (status == OK) {
        status = env_file_truncate(file, 0, error);
        if (status == OK)
            status = write_first(file, page_size, file_bytes, error);
        if (status == OK)
            status = env_file_rename(env, temporary, path, error);
        if (status == OK)
            status = env_dir_sync_parent(env, path, error);
    }
    env_file_close(file);
    return status;
}

status_t lsm__meta_create(struct env *env, const char *path, uint32_t page_size,
                          uint64_t file_bytes, struct error *error)
{
    size_t size = strlen(path) + sizeof ".new";
    char *temporary = mem_alloc(size);
    (void)snprintf(temporary, size, "%s.new", path);
    status_t status = create_as(env, temporary, path, page_size, file_bytes, error);
    mem_free(temporary);
    return status;
}

status_t lsm_recognise(struct env *env, const char *path, bool *is_lsm, struct error *error)
{
    struct env_file *file;
    uint8_t bytes[sizeof magic];
    size_t got;
    *is_lsm = false;
    status_t status = env_file_open(env, path, ENV_OPEN_READ_ONLY, &file, error);
    if (status != OK)
        return status;
    status = env_file_read(file, 0, bytes, sizeof bytes, &got, error);
    *is_lsm = status == OK && got == sizeof bytes && memcmp(bytes, magic, sizeof magic) == 0;
    /* The first meta page may be damaged. */
    for (uint32_t at = LSM_PAGE_SIZE_MIN; at <= LSM_PAGE_SIZE_MAX && status == OK && !*is_lsm;
         at *= 2) {
        status = env_file_read(file, at, bytes, sizeof bytes, &got, error);
        *is_lsm = status == OK && got == sizeof bytes && memcmp(bytes, magic, sizeof magic) == 0;
    }
    env_file_close(file);
    return status;
}
