/* What the sessions of a node share. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql_int.h"

struct sql_engine *sql_engine_create(struct env *env)
{
    struct sql_engine *engine = mem_zalloc(1, sizeof *engine);
    ASSERT(env);
    engine->env = env;
    engine->mutex = env_mutex_create();
    engine->cache = sql__cache_create();
    return engine;
}

void sql_engine_destroy(struct sql_engine *engine)
{
    if (!engine)
        return;
    sql__cache_destroy(engine);
    sql__statistics_destroy(engine);
    catalog_release(engine->catalog);
    mem_free(engine->blocks);
    env_mutex_destroy(engine->mutex);
    mem_free(engine->spill_directory);
    mem_free(engine);
}

void sql_engine_internal_set(struct sql_engine *engine, sql_internal_fn *fill, void *context)
{
    engine->internal = fill;
    engine->internal_context = context;
}

void sql_engine_crew_set(struct sql_engine *engine, struct env_crew *crew)
{
    ASSERT(!engine->crew);
    engine->crew = crew;
}

/* ---- the spill directory ----------------------------------------------------------------------
 */

struct left_over {
    struct sql_engine *engine;
    status_t status;
    struct error *error;
};

static void remove_left_over(void *context, const char *name)
{
    struct left_over *left = context;
    struct buffer path = {0};
    if (left->status != OK || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    buffer_printf(&path, "%s/%s", left->engine->spill_directory, name);
    buffer_append_byte(&path, 0);
    left->status = env_file_remove(left->engine->env, (const char *)path.data, left->error);
    buffer_free(&path);
}

status_t sql_engine_spill_set(struct sql_engine *engine, const char *directory, struct error *error)
{
    ASSERT(!engine->spill_directory);
    size_t size = strlen(directory) + 1;
    engine->spill_directory = mem_alloc(size);
    memcpy(engine->spill_directory, directory, size);
    struct left_over left = {.engine = engine, .error = error};
    status_t status = env_dir_create(engine->env, directory, error);
    if (status == OK)
        status = env_dir_list(engine->env, directory, remove_left_over, &left, error);
    return status == OK ? left.status : status;
}

/* The cached picture with a reference, when it has this version. */
static struct catalog *cached(struct sql_engine *engine, uint64_t version)
{
    struct catalog *catalog = NULL;
    env_mutex_lock(engine->mutex);
    if (engine->catalog && engine->catalog->version == version) {
        catalog = engine->catalog;
        catalog_retain(catalog);
    }
    env_mutex_unlock(engine->mutex);
    return catalog;
}

/* An older snapshot may still ask for an older schema: only a newer picture replaces the cached
 * one. */
static void offer(struct sql_engine *engine, struct catalog *catalog)
{
    struct catalog *replaced = NULL;
    env_mutex_lock(engine->mutex);
    if (!engine->catalog || engine->catalog->version < catalog->version) {
        replaced = engine->catalog;
        engine->catalog = catalog;
        catalog_retain(catalog);
    }
    env_mutex_unlock(engine->mutex);
    catalog_release(replaced);
}

/* Of an index that is being built nobody here knows whether somebody is at it. */
static bool has_leftovers(const struct catalog *catalog)
{
    bool found = catalog->garbage_count > 0;
    for (uint32_t t = 0; t < catalog->table_count && !found; t++) {
        for (uint32_t i = 0; i < catalog->tables[t]->index_count && !found; i++)
            found = catalog->tables[t]->indexes[i].building;
    }
    return found;
}

bool sql_engine_has_leftovers(struct sql_engine *engine)
{
    env_mutex_lock(engine->mutex);
    bool found = engine->catalog && has_leftovers(engine->catalog);
    env_mutex_unlock(engine->mutex);
    return found;
}

void sql__engine_forget(struct sql_engine *engine)
{
    env_mutex_lock(engine->mutex);
    struct catalog *catalog = engine->catalog;
    engine->catalog = NULL;
    env_mutex_unlock(engine->mutex);
    catalog_release(catalog);
}

status_t sql__engine_catalog(struct sql_engine *engine, struct store_txn *txn,
                             struct catalog **catalog, struct error *error)
{
    uint64_t version;
    *catalog = NULL;
    status_t status = catalog_version(txn, &version, error);
    if (status)
        return status;
    *catalog = cached(engine, version);
    if (*catalog)
        return OK;
    status = catalog_load(txn, catalog, error);
    if (status)
        return status;
    ASSERT((*catalog)->version == version);
    offer(engine, *catalog);
    return OK;
}
