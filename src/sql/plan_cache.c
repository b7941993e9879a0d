/* Texts that come again and again are parsed once, and planned once for each picture of the schema.
 *
 * Only texts of a single statement that is planned, and not long. A text is kept when it comes for
 * the second time: `seen` remembers hashes of those that came once, so that statements with their
 * values written into them do not wash the cache out. The least recently used text goes first.
 *
 * A text has at most one plan: the one for the newest use. It serves again when the schema is the
 * same picture (the same pointer: the plan holds a reference, so it cannot be another at the same
 * place) and the parameters have the same types. Trees and plans do not change once made and are
 * shared between threads; the counts of references are guarded by the engine's mutex. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql_int.h"

enum { CACHED_TEXTS_MAX = 256, CACHED_TEXT_SIZE_MAX = 2048, SEEN_COUNT = 4096 };

struct cached_text {
    struct arena arena; /* text and tree */
    struct slice text;
    struct ast_statement *statement;
    struct cached_plan *plan; /* or NULL */
    uint32_t references;
    atomic_bool is_out; /* no more in `texts`: for whoever keeps it without looking there */
    struct text_calls calls;
    struct cached_text *newer;
    struct cached_text *older;
};

struct plan_cache {
    struct map texts; /* each with one reference */
    struct cached_text *newest;
    struct cached_text *oldest;
    uint64_t seen[SEEN_COUNT];
};

struct plan_cache *sql__cache_create(void)
{
    return mem_zalloc(1, sizeof(struct plan_cache));
}

/* ---- references ------------------------------------------------------------------------------ */

/* Under the mutex. Returns what the caller has to free outside of it, or NULL. */
static struct cached_plan *plan_unref(struct cached_plan *plan)
{
    if (!plan)
        return NULL;
    ASSERT(plan->references > 0);
    return --plan->references == 0 ? plan : NULL;
}

static void plan_free(struct cached_plan *plan)
{
    if (!plan)
        return;
    ASSERT(plan->references == 0);
    catalog_release(plan->catalog);
    arena_free(&plan->arena);
    mem_free(plan);
}

static struct cached_text *text_unref(struct cached_text *text)
{
    ASSERT(text->references > 0);
    return --text->references == 0 ? text : NULL;
}

/* Nobody else has it any more, so no mutex is needed for its plan's count but that of sessions
 * still running the plan: the engine's is taken by the caller. */
static void text_free(struct sql_engine *engine, struct cached_text *text)
{
    if (!text)
        return;
    env_mutex_lock(engine->mutex);
    struct cached_plan *plan = plan_unref(text->plan);
    env_mutex_unlock(engine->mutex);
    plan_free(plan);
    arena_free(&text->arena);
    mem_free(text);
}

void sql__cache_release_text(struct sql_engine *engine, struct cached_text *text)
{
    if (!text)
        return;
    env_mutex_lock(engine->mutex);
    text = text_unref(text);
    env_mutex_unlock(engine->mutex);
    text_free(engine, text);
}

void sql__cache_release_plan(struct sql_engine *engine, struct cached_plan *plan)
{
    if (!plan)
        return;
    env_mutex_lock(engine->mutex);
    plan = plan_unref(plan);
    env_mutex_unlock(engine->mutex);
    plan_free(plan);
}

/* ---- the list by age, under the mutex -------------------------------------------------------- */

static void list_remove(struct plan_cache *cache, struct cached_text *text)
{
    if (text->newer)
        text->newer->older = text->older;
    else
        cache->newest = text->older;
    if (text->older)
        text->older->newer = text->newer;
    else
        cache->oldest = text->newer;
    text->newer = NULL;
    text->older = NULL;
}

static void list_add(struct plan_cache *cache, struct cached_text *text)
{
    ASSERT(!text->newer && !text->older);
    text->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = text;
    cache->newest = text;
    if (!cache->oldest)
        cache->oldest = text;
}

void sql__cache_count(struct sql_engine *engine, struct cached_text *text,
                      const struct text_calls *calls)
{
    struct plan_cache *cache = engine->cache;
    env_mutex_lock(engine->mutex);
    text->calls.count += calls->count;
    text->calls.total_us += calls->total_us;
    if (text->calls.longest_us < calls->longest_us)
        text->calls.longest_us = calls->longest_us;
    if (cache->newest != text && !atomic_load_explicit(&text->is_out, memory_order_relaxed)) {
        list_remove(cache, text);
        list_add(cache, text);
    }
    env_mutex_unlock(engine->mutex);
}

bool sql__cache_has(const struct cached_text *text)
{
    return !atomic_load_explicit(&text->is_out, memory_order_relaxed);
}

struct slice sql__cache_bytes(const struct cached_text *text)
{
    return text->text;
}

/* Takes the oldest text out; returns it when it is to be freed. */
static struct cached_text *evict(struct plan_cache *cache)
{
    struct cached_text *text = cache->oldest;
    ASSERT(text);
    list_remove(cache, text);
    void *removed = map_remove(&cache->texts, text->text);
    ASSERT(removed == text);
    atomic_store_explicit(&text->is_out, true, memory_order_relaxed);
    return text_unref(text);
}

void sql__cache_destroy(struct sql_engine *engine)
{
    struct plan_cache *cache = engine->cache;
    while (cache->oldest)
        text_free(engine, evict(cache));
    ASSERT(cache->texts.count == 0);
    map_free(&cache->texts);
    mem_free(cache);
}

/* ---- texts ----------------------------------------------------------------------------------- */

struct cached_text *sql__cache_find(struct sql_engine *engine, struct slice text,
                                    const struct ast_statement **statement)
{
    struct plan_cache *cache = engine->cache;
    if (text.size > CACHED_TEXT_SIZE_MAX)
        return NULL;
    env_mutex_lock(engine->mutex);
    struct cached_text *found = map_get(&cache->texts, text);
    if (found) {
        found->references++;
        list_remove(cache, found);
        list_add(cache, found);
        *statement = found->statement;
    }
    env_mutex_unlock(engine->mutex);
    return found;
}

/* Did the text come before? Remembers it. */
static bool seen_before(struct sql_engine *engine, struct slice text)
{
    struct plan_cache *cache = engine->cache;
    uint64_t hash = slice_hash(text);
    env_mutex_lock(engine->mutex);
    uint64_t *place = &cache->seen[hash % SEEN_COUNT];
    bool before = *place == hash;
    *place = hash;
    env_mutex_unlock(engine->mutex);
    return before;
}

/* Puts it in, unless another session was faster. */
static void text_insert(struct sql_engine *engine, struct cached_text *text)
{
    struct plan_cache *cache = engine->cache;
    struct cached_text *unused = NULL;
    env_mutex_lock(engine->mutex);
    if (map_get(&cache->texts, text->text)) {
        unused = text_unref(text);
    } else {
        if (cache->texts.count == CACHED_TEXTS_MAX)
            unused = evict(cache);
        map_put(&cache->texts, text->text, text);
        list_add(cache, text);
    }
    env_mutex_unlock(engine->mutex);
    text_free(engine, unused);
}

void sql__cache_offer(struct sql_engine *engine, struct slice text)
{
    struct parser parser;
    if (text.size > CACHED_TEXT_SIZE_MAX || !seen_before(engine, text))
        return;
    struct cached_text *made = mem_zalloc(1, sizeof *made);
    made->references = 1;
    made->text = arena_copy(&made->arena, text);
    /* It parsed a moment ago. */
    status_t status = parse_begin(&parser, made->text, 0, NULL);
    if (!status)
        status = parse_next(&parser, &made->arena, &made->statement, NULL);
    ASSERT(!status && made->statement);
    text_insert(engine, made);
}

/* ---- plans ----------------------------------------------------------------------------------- */

struct cached_plan *sql__cache_plan(struct sql_engine *engine, const struct cached_text *text,
                                    const struct catalog *catalog, const enum sql_type *types,
                                    uint32_t count)
{
    env_mutex_lock(engine->mutex);
    struct cached_plan *plan = text->plan;
    bool fits = plan && plan->catalog == catalog && plan->type_count == count &&
                plan->statistics_epoch == engine->statistics_epoch &&
                (count == 0 || memcmp(plan->types, types, count * sizeof *types) == 0);
    if (fits)
        plan->references++;
    if (fits)
        plan->uses++;
    env_mutex_unlock(engine->mutex);
    return fits ? plan : NULL;
}

status_t sql__cache_make_plan(struct sql_engine *engine, struct cached_text *text,
                              struct catalog *catalog, const struct plan_options *options,
                              struct cached_plan **out, struct error *error)
{
    struct cached_plan *made = mem_zalloc(1, sizeof *made);
    size_t types_size = options->parameter_count * sizeof *options->parameter_types;
    *out = NULL;
    status_t status =
        plan_statement(text->statement, catalog, options, &made->arena, &made->planned, error);
    made->catalog = catalog;
    catalog_retain(catalog);
    if (status) {
        plan_free(made);
        return status;
    }
    made->types = (const enum sql_type *)arena_copy(
                      &made->arena, slice_make(options->parameter_types, types_size))
                      .data;
    made->type_count = options->parameter_count;
    *out = made;
    made->references = 1; /* the caller's */
    if (made->planned.is_momentary)
        return OK;
    made->references++; /* the text's */
    env_mutex_lock(engine->mutex);
    made->statistics_epoch = engine->statistics_epoch;
    struct cached_plan *replaced = plan_unref(text->plan);
    text->plan = made;
    env_mutex_unlock(engine->mutex);
    plan_free(replaced);
    return OK;
}

/* ---- toydb_internal.statements ----------------------------------------------------------------
 */

void sql__cache_rows(struct sql_engine *engine, struct sql_rows *rows)
{
    sql_rows_column(rows, "statement", SQL_TEXT);
    sql_rows_column(rows, "calls", SQL_INTEGER);
    sql_rows_column(rows, "total_us", SQL_INTEGER);
    sql_rows_column(rows, "longest_us", SQL_INTEGER);
    sql_rows_column(rows, "planned", SQL_BOOLEAN);
    env_mutex_lock(engine->mutex);
    for (const struct cached_text *text = engine->cache->newest; text; text = text->older) {
        char shown[CACHED_TEXT_SIZE_MAX + 1];
        memcpy(shown, text->text.data, text->text.size);
        shown[text->text.size] = '\0';
        sql_rows_begin(rows);
        sql_rows_text(rows, shown);
        sql_rows_integer(rows, (int64_t)text->calls.count);
        sql_rows_integer(rows, (int64_t)text->calls.total_us);
        sql_rows_integer(rows, (int64_t)text->calls.longest_us);
        sql_rows_boolean(rows, text->plan != NULL);
    }
    env_mutex_unlock(engine->mutex);
}
