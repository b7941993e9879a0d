/* The other engine behind the same interface: where a function of kv.h needs more than to be handed
 * on. Which engine a store is of is decided when its file is made, told by the file's magic, and
 * asked at the beginning of each function of kv.h by one branch that the tree's way is laid out
 * for. The slots of snapshots are shared: the tree pins an epoch with one, the other engine is
 * handed its number, so that only one of the two has to tell slots in use from closed ones. */
#include "base/mem.h"
#include "kv/kv_int.h"

#define RUN_BYTES_DEFAULT (16ull << 20)

const char *kv_engine_name(enum kv_engine engine)
{
    return engine == KV_ENGINE_LSM ? "lsm" : engine == KV_ENGINE_BTREE ? "btree" : "any";
}

enum kv_engine kv_engine_from_name(const char *name)
{
    if (strcmp(name, "lsm") == 0)
        return KV_ENGINE_LSM;
    return strcmp(name, "btree") == 0 ? KV_ENGINE_BTREE : KV_ENGINE_ANY;
}

status_t kv__lsm_open(struct kv *kv, const struct kv_options *options, struct error *error)
{
    enum kv_engine wanted = options != NULL ? options->engine : KV_ENGINE_ANY;
    uint64_t run_bytes = options != NULL ? options->run_bytes : 0;
    bool is_lsm = false;
    status_t status = lsm_recognise(kv->env, kv->path, &is_lsm, error);
    if (status == ERR_NOT_FOUND)
        is_lsm = wanted == KV_ENGINE_LSM;
    else if (status != OK)
        return status;
    else if (is_lsm ? wanted == KV_ENGINE_BTREE : wanted == KV_ENGINE_LSM)
        return error_set(error, ERR_FORMAT, "\"%s\" is of the %s engine, not of %s", kv->path,
                         is_lsm ? "lsm" : "btree", kv_engine_name(wanted));
    if (!is_lsm)
        return OK;
    struct lsm_options lsm = {.page_size = kv->page_size,
                              .map_size_max = kv->map_size_max,
                              .growth_bytes = kv->growth_bytes,
                              .run_bytes = run_bytes != 0 ? run_bytes : RUN_BYTES_DEFAULT,
                              .views_max = kv->slots_max,
                              .read_only = kv->read_only};
    return lsm_open(kv->env, kv->path, &lsm, &kv->lsm, error);
}

status_t kv__lsm_rename(struct kv *kv, const char *path, struct error *error)
{
    status_t status = lsm_rename(kv->lsm, path, error);
    mem_free(kv->path);
    kv->path = mem_strdup(path);
    return status;
}

void kv__lsm_stats(struct kv *kv, struct kv_stats *stats)
{
    struct lsm_stats lsm;
    lsm_stats(kv->lsm, &lsm);
    *stats = (struct kv_stats){.engine = KV_ENGINE_LSM,
                               .entries = lsm.entries,
                               .file_bytes = (uint64_t)lsm.pages * lsm.page_size,
                               .checkpoint = lsm.checkpoint,
                               .page_size = lsm.page_size,
                               .pages = lsm.pages,
                               .pages_free = lsm.pages_free,
                               .pages_hole = lsm.pages_hole,
                               .pages_pending = lsm.pages_pending,
                               .snapshots_open = kv__snapshot_count(kv),
                               .depth = lsm.depth,
                               .meta_pages_bad = lsm.meta_pages_bad};
}

status_t kv__lsm_put(struct kv *kv, struct slice key, struct slice value, struct error *error)
{
    status_t status = kv__tree_entry_check(kv, key, value, error);
    return status == OK ? lsm_put(kv->lsm, key, value, error) : status;
}

status_t kv__lsm_delete(struct kv *kv, struct slice key, bool *found, struct error *error)
{
    if (key.size == 0)
        return error_set(error, ERR_INVALID, "a key of \"%s\" cannot be empty", kv->path);
    return lsm_delete(kv->lsm, key, found, error);
}

status_t kv__lsm_checkpoint_begin(struct kv *kv, struct slice app_meta, struct kv_checkpoint **out,
                                  struct error *error)
{
    struct lsm_checkpoint *lsm;
    status_t status = lsm_checkpoint_begin(kv->lsm, app_meta, &lsm, error);
    if (status != OK)
        return status;
    ASSERT(kv->running == NULL);
    struct kv_checkpoint *checkpoint = mem_zalloc(1, sizeof *checkpoint);
    checkpoint->kv = kv;
    checkpoint->lsm = lsm;
    kv->running = checkpoint;
    *out = checkpoint;
    return OK;
}

status_t kv__lsm_checkpoint_end(struct kv *kv, struct kv_checkpoint *checkpoint,
                                struct error *error)
{
    ASSERT(kv->running == checkpoint && checkpoint->kv == kv);
    status_t status = lsm_checkpoint_end(kv->lsm, checkpoint->lsm, error);
    kv->running = NULL;
    mem_free(checkpoint);
    return status;
}

/* The place is kept where the tree keeps its key: number of the run, then of the block. */
status_t kv__lsm_scrub_step(struct kv *kv, struct kv_scrub *scrub, uint32_t pages,
                            struct error *error)
{
    struct kv_snapshot *snapshot;
    struct lsm_scrub place = {
        .pages = scrub->pages, .damaged = scrub->damaged, .rounds = scrub->rounds};
    status_t status = kv_snapshot_open(kv, &snapshot, error);
    if (status != OK)
        return status;
    if (scrub->key_size == 12) {
        place.run = get_u64_le(scrub->key);
        place.block = get_u32_le(scrub->key + 8);
    }
    status = lsm_scrub_step(snapshot->view, &place, pages, error);
    kv_snapshot_close(snapshot);
    scrub->pages = place.pages;
    scrub->damaged = place.damaged;
    scrub->rounds = place.rounds;
    put_u64_le(scrub->key, place.run);
    put_u32_le(scrub->key + 8, place.block);
    scrub->key_size = 12;
    return status;
}

/* ---- cursors -------------------------------------------------------------------------------- */

/* `latest` keeps the inline step of kv.h, which is the tree's, from being taken. */
void kv__lsm_cursor_init(struct kv_cursor *cursor, struct kv *kv)
{
    cursor->kv = kv;
    cursor->latest = true;
    cursor->valid = false;
    cursor->depth = 0;
    cursor->key_page = NULL;
}

status_t kv__lsm_placed(struct kv_cursor *cursor, status_t status)
{
    cursor->valid = cursor->lsm.valid;
    if (KV_CURSOR_SCRIBBLES)
        memset(cursor->key, 0xA5, sizeof cursor->key);
    return status;
}

uint32_t kv__lsm_cursor_run(const struct kv_cursor *cursor, struct kv_entry *entries, uint32_t max,
                            struct arena *keys)
{
    uint8_t room[KV_KEY_SIZE_MAX];
    uint32_t count = lsm_cursor_run(&cursor->lsm, max);
    for (uint32_t i = 0; i < count; i++) {
        entries[i].key = arena_copy(keys, lsm_cursor_key_of(&cursor->lsm, i, room));
        entries[i].value = lsm_cursor_value_of(&cursor->lsm, i);
    }
    return count;
}
