/* Bulk load: sorted input becomes runs of the deepest level, each written once.
 *
 * Nothing points to them before the end, when a state that has nothing else takes the place of the
 * one there was: the store was empty, so what is left of that, tombstones, need not be kept.
 * Giving up means giving back the pages. */
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define LOAD_RUNS 4u /* a run of a load is so many times as long as others */

struct lsm_load {
    struct lsm *lsm;
    uint64_t entries;
    struct lsm__runs *runs;
    struct lsm__builder *builder;
    struct lsm__extent extent; /* the builder's */
};

status_t lsm_load_begin(struct lsm *lsm, struct lsm_load **out, struct error *error)
{
    ASSERT(lsm->loading == NULL);
    status_t status = lsm__writable(lsm, error);
    if (status == OK && lsm->entries != 0)
        return error_set(error, ERR_INVALID, "\"%s\" is not empty", lsm->path);
    if (status == OK)
        status = lsm_publish(lsm, error);
    if (status != OK)
        return status;
    struct lsm_load *load = mem_zalloc(1, sizeof *load);
    load->lsm = lsm;
    load->runs = lsm__runs_create();
    lsm->loading = load;
    *out = load;
    return OK;
}

/* The open run is full, or the last. */
static status_t finish_run(struct lsm_load *load, struct error *error)
{
    struct lsm__run *run;
    status_t status = lsm__builder_finish(load->builder, &run, error);
    if (status != OK)
        return status;
    lsm__builder_destroy(load->builder);
    load->builder = NULL;
    lsm__space_trim(load->lsm, &load->extent, run->record.pages);
    load->extent = (struct lsm__extent){0};
    lsm__runs_append(load->runs, LSM_BOTTOM, run);
    run->references--;
    return OK;
}

static status_t begin_run(struct lsm_load *load, struct slice key, struct slice value,
                          struct error *error)
{
    struct lsm *lsm = load->lsm;
    uint64_t bytes = LOAD_RUNS * lsm->options.run_bytes;
    uint64_t least = lsm__builder_least(lsm, key.size, value.size);
    status_t status = lsm__space_get(lsm, bytes > least ? bytes : least, &load->extent, error);
    if (status == ERR_DISK_FULL && bytes > least)
        status = lsm__space_get(lsm, least, &load->extent, error);
    if (status == OK)
        load->builder = lsm__builder_create(lsm, load->extent, lsm->next_run++, LSM_BOTTOM);
    return status;
}

/* The greatest key so far; empty: none. */
static struct slice last_key(const struct lsm_load *load)
{
    uint32_t count = load->runs->count[LSM_BOTTOM];
    if (load->builder != NULL && lsm__builder_last_key(load->builder).size > 0)
        return lsm__builder_last_key(load->builder);
    return count > 0 ? load->runs->level[LSM_BOTTOM][count - 1]->last : slice_make(NULL, 0);
}

status_t lsm_load_put(struct lsm_load *load, struct slice key, struct slice value,
                      struct error *error)
{
    status_t status = lsm__writable(load->lsm, error);
    if (status != OK)
        return status;
    ASSERT(key.size > 0 && key.size <= LSM_KEY_SIZE_MAX && value.size <= LSM_VALUE_SIZE_MAX);
    if (load->entries > 0 && slice_compare(key, last_key(load)) <= 0)
        return error_set(error, ERR_INVALID, "keys of a bulk load must ascend");
    if (load->builder != NULL && lsm__builder_last_key(load->builder).size > 0 &&
        !lsm__builder_fits(load->builder, key.size, value.size))
        status = finish_run(load, error);
    if (status == OK && load->builder == NULL)
        status = begin_run(load, key, value, error);
    if (status == OK)
        status = lsm__builder_add(load->builder, key, value, false, error);
    load->entries += status == OK;
    return status;
}

static void destroy(struct lsm_load *load)
{
    struct lsm *lsm = load->lsm;
    lsm__builder_destroy(load->builder);
    lsm__space_free(lsm, load->extent);
    lsm__runs_release(lsm, load->runs);
    ASSERT(lsm->loading == load);
    lsm->loading = NULL;
    mem_free(load);
}

/* In place of all there is: the runs of the load, and an empty memtable. */
static void take_over(struct lsm_load *load)
{
    struct lsm *lsm = load->lsm;
    struct lsm__memtable *memtable = lsm__memtable_create();
    ASSERT(lsm->fresh_count == 0 && lsm->entries == 0);
    lsm__merges_abort(lsm);
    lsm__space_free(lsm, lsm->reserve);
    lsm->reserve = (struct lsm__extent){0};
    lsm->entries = lsm->published_entries = load->entries;
    load->runs->references++;
    lsm__state_install(lsm, &memtable, 1, load->runs);
    memtable->references--;
}

status_t lsm_load_end(struct lsm_load *load, struct error *error)
{
    status_t status = lsm__writable(load->lsm, error);
    if (status == OK && load->builder != NULL)
        status = finish_run(load, error);
    if (status == OK && load->entries > 0)
        take_over(load);
    destroy(load);
    return status;
}

void lsm_load_abort(struct lsm_load *load)
{
    if (load != NULL)
        destroy(load);
}

struct lsm__runs *lsm__load_runs(const struct lsm_load *load, struct lsm__extent *extent)
{
    *extent = load->extent;
    return load->runs;
}
