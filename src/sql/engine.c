/* What the sessions of a node share. */
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
    mem_free(engine);
}

void sql_engine_internal_set(struct sql_engine *engine, sql_internal_fn *fill, void *context)
{
    engine->internal = fill;
    engine->internal_context = context;
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
