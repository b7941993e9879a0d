/* Statements that take many transactions.
 *
 * An index of a big table is not built by one transaction: that one would be larger than a commit
 * may be, and would conflict with every change to the table meanwhile. Instead chores go before the
 * statement's own transaction, small ones of their own:
 *
 *     START   the index is put into the schema as one that is being built. Each transaction reads
 * the version of the schema, and its commit is refused when that has changed: so whatever commits
 * after this knows the index, and keeps its entries. FILL    the entries of some rows more, until
 * there are none. What it reads is certified: had one of these rows been changed meanwhile, the
 * commit is refused, and tried again with fewer. A unique index is asked for each key, here and by
 * who changes the table. DROP    only when that failed, or was cancelled: the index goes out of the
 * schema again.
 *
 * Then the statement's own transaction makes the index one that queries use. It alone has the
 * request's identity: a client that lost its node sends the statement again, and finds the index as
 * far as it has come. Two that build the same one: the row of its build names the owner, each FILL
 * reads and writes it, and so only one of them goes on. An index nobody has been at for long is
 * taken over by a statement that wants the same one, or dropped by VACUUM.
 *
 * VACUUM removes, piece by piece, what dropped tables and indexes have left behind. */
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

enum {
    FILL_ROWS_FIRST = 512,
    FILL_ROWS_MIN = 16,
    CONFLICTS_MAX = 3, /* of VACUUM, one behind the other */
    FILL_ROWS_MAX = 1024,
};
static const uint64_t TAKE_OVER_US = 3000000;  /* nobody has been at it for so long */
static const uint64_t ABANDONED_US = 15000000; /* likewise, for VACUUM */

/* ---- is there one? --------------------------------------------------------------------------- */

/* The one UNIQUE that is all an ALTER TABLE adds, or NULL. */
static const struct ast_key *only_unique(const struct ast_alter_table *alter)
{
    const struct ast_create_table *added = alter->actions[0].constraints;
    if (alter->action_count != 1 || alter->actions[0].kind != AST_ALTER_ADD_CONSTRAINT)
        return NULL;
    ASSERT(added);
    bool only = added->unique_count == 1 && added->primary_key.column_count == 0 &&
                added->foreign_key_count == 0 && added->check_count == 0;
    return only ? &added->uniques[0] : NULL;
}

/* The table an index is wanted for, and the index's name, if it was given; NULL: none is. */
static const struct table *index_wanted(struct sql_session *session, const char **name)
{
    const struct ast_statement *statement = session->statement;
    if (statement->kind == AST_CREATE_INDEX) {
        *name = statement->as.create_index->index.text;
        return catalog_table(session->catalog, statement->as.create_index->table.text);
    }
    const struct ast_key *key =
        statement->kind == AST_ALTER_TABLE ? only_unique(statement->as.alter_table) : NULL;
    if (!key)
        return NULL;
    *name = key->constraint.text;
    return catalog_table(session->catalog, statement->as.alter_table->table.text);
}

static bool is_big(struct sql_session *session, const struct table *table)
{
    struct buffer low = {0}, high = {0};
    struct error unused;
    double rows = 0;
    index_key_prefix(table, &table->indexes[0], &low);
    index_key_prefix(table, &table->indexes[0], &high);
    bool any_above = key_prefix_end(&high);
    ASSERT(any_above);
    status_t status =
        store_estimate(session->txn, buffer_slice(&low), buffer_slice(&high), &rows, &unused);
    buffer_free(&low);
    buffer_free(&high);
    return status == OK && rows > (double)sql__settings_online_index_rows(session->settings);
}

bool sql__job_wanted(struct sql_session *session)
{
    struct job *job = &session->job;
    const char *name = NULL;
    if (job->done || session->state != SQL_IDLE)
        return false;
    ASSERT(job->kind == JOB_NONE);
    if (session->statement->kind == AST_VACUUM) {
        job->kind = JOB_CLEAN;
        return true;
    }
    const struct table *table = index_wanted(session, &name);
    if (!table)
        return false;
    const struct table *owner = NULL;
    const struct index *same = name ? catalog_index(session->catalog, name, &owner) : NULL;
    /* One that is there is an error to be told, or nothing to be done. */
    if (same ? owner != table || !same->building : !is_big(session, table))
        return false;
    job->kind = JOB_INDEX;
    job->step = JOB_START;
    env_random_bytes(session->engine->env, &job->owner, sizeof job->owner);
    job->rows = FILL_ROWS_FIRST;
    return true;
}

/* ---- an index -------------------------------------------------------------------------------- */

static status_t find_catalog(struct sql_session *session)
{
    struct catalog *catalog;
    status_t status = sql__engine_catalog(session->engine, session->txn, &catalog, &session->error);
    if (status)
        return status;
    catalog_release(session->catalog);
    session->catalog = catalog;
    return OK;
}

static status_t build_put(struct sql_session *session, struct slice position)
{
    const struct job *job = &session->job;
    const struct index_build build = {
        .owner = job->owner, .position = position, .touched_us = env_wall_us(session->engine->env)};
    return catalog_build_put(session->txn, job->table_id, job->index_id, &build, &session->error);
}

/* Nobody has been at it for `long_us`? Clocks of nodes differ: that may cost time, and no more. */
static bool is_left(struct sql_session *session, const struct index_build *build, uint64_t long_us)
{
    uint64_t now_us = env_wall_us(session->engine->env);
    return now_us > build->touched_us && now_us - build->touched_us > long_us;
}

/* There is such an index, being built. */
static status_t take_over(struct sql_session *session, const struct table *table,
                          const struct index *index)
{
    struct job *job = &session->job;
    struct index_build build = {0};
    bool found;
    job->table_id = table->id;
    job->index_id = index->id;
    status_t status =
        catalog_build_get(session->txn, table->id, index->id, &found, &build, &session->error);
    bool free = !found || build.owner == job->owner || is_left(session, &build, TAKE_OVER_US);
    if (!status && !free)
        return error_set(&session->error, ERR_CONFLICT, "index \"%s\" is being built", index->name);
    if (status)
        return status;
    buffer_reset(&job->next);
    if (found)
        buffer_append_slice(&job->next, build.position);
    return build_put(session, buffer_slice(&job->next));
}

/* A statement that gives no name, sent again, finds by what it is the index it had begun. One that
 * somebody is at is somebody's: then there will be two. */
static status_t find_nameless(struct sql_session *session, const struct table *table,
                              const struct key_definition *definition, bool unique,
                              const struct index **out)
{
    status_t status = OK;
    *out = NULL;
    for (uint32_t i = 1; i < table->index_count && !status && !*out; i++) {
        const struct index *index = &table->indexes[i];
        struct index_build build = {0};
        bool found = false;
        if (!index->building || !sql__index_is(table, index, definition, unique))
            continue;
        status =
            catalog_build_get(session->txn, table->id, index->id, &found, &build, &session->error);
        if (!found || build.owner == session->job.owner || is_left(session, &build, TAKE_OVER_US))
            *out = index;
    }
    return status;
}

static status_t start(struct sql_session *session)
{
    struct job *job = &session->job;
    struct key_definition definition;
    const struct table *table;
    bool unique;
    buffer_reset(&job->next);
    status_t status = find_catalog(session);
    if (!status)
        status = sql__index_definition(session, &table, &definition, &unique);
    if (status)
        return status;
    const struct table *owner = table;
    const struct index *index = NULL;
    if (definition.name)
        index = catalog_index(session->catalog, definition.name, &owner);
    else if ((status = find_nameless(session, table, &definition, unique, &index)))
        return status;
    if (index && index->building && owner == table &&
        sql__index_is(table, index, &definition, unique))
        return take_over(session, table, index);
    job->there = index != NULL;
    if (index)
        return OK;
    definition.building = true;
    job->table_id = table->id;
    status = catalog_create_index(session->txn, session->catalog, table, &definition, unique,
                                  &job->index_id, &session->error);
    return status ? status : build_put(session, (struct slice){0});
}

/* The index of the job, if it is still there and ours. */
static status_t find_index(struct sql_session *session, const struct table **table,
                           const struct index **index)
{
    struct job *job = &session->job;
    struct index_build build = {0};
    bool found = false;
    *index = NULL;
    status_t status = OK;
    *table = catalog_table_by_id(session->catalog, job->table_id);
    if (*table)
        *index = table_index_by_id(*table, job->index_id);
    if (*index && (*index)->building)
        status = catalog_build_get(session->txn, job->table_id, job->index_id, &found, &build,
                                   &session->error);
    if (status || (found && build.owner == job->owner))
        return status;
    job->lost = true;
    return error_sql(&session->error, "55000", 0, "the index was %s while it was being built",
                     *index ? "taken over by another session" : "dropped");
}

static status_t fill(struct sql_session *session)
{
    struct job *job = &session->job;
    struct arena arena = {0};
    struct exec_context context;
    const struct table *table;
    const struct index *index;
    status_t status = find_catalog(session);
    if (!status)
        status = find_index(session, &table, &index);
    if (status)
        return status;
    sql__statement_context(session, &context);
    context.arena = &arena;
    buffer_reset(&job->next);
    buffer_append_slice(&job->next, buffer_slice(&job->position));
    status =
        exec_fill_index(&context, table, index, job->rows, &job->next, &job->last, &session->error);
    arena_free(&arena);
    return status ? status : build_put(session, buffer_slice(&job->next));
}

static status_t drop(struct sql_session *session)
{
    const struct table *table;
    const struct index *index;
    status_t status = find_catalog(session);
    if (!status)
        status = find_index(session, &table, &index);
    return status
               ? status
               : catalog_drop_index(session->txn, session->catalog, table, index, &session->error);
}

status_t sql__job_finish(struct sql_session *session)
{
    const struct table *table;
    const struct index *index;
    ASSERT(session->job.kind == JOB_INDEX && session->job.done);
    status_t status = find_index(session, &table, &index);
    if (!status)
        status = catalog_finish_index(session->txn, table, index, &session->error);
    return status ? status : sql__reload_catalog(session);
}

/* ---- VACUUM ---------------------------------------------------------------------------------- */

/* The next piece of garbage behind the job's table and index. */
static const struct garbage *next_garbage(const struct sql_session *session)
{
    const struct job *job = &session->job;
    for (uint32_t i = 0; i < session->catalog->garbage_count; i++) {
        const struct garbage *garbage = &session->catalog->garbage[i];
        if (garbage->table_id > job->table_id ||
            (garbage->table_id == job->table_id && garbage->index_id > job->index_id))
            return garbage;
    }
    return NULL;
}

static status_t drop_abandoned(struct sql_session *session, bool *any)
{
    const struct catalog *catalog = session->catalog;
    status_t status = OK;
    *any = false;
    for (uint32_t t = 0; t < catalog->table_count && !status && !*any; t++) {
        const struct table *table = catalog->tables_by_id[t];
        for (uint32_t i = 0; i < table->index_count && !status && !*any; i++) {
            const struct index *index = &table->indexes[i];
            struct index_build build = {0};
            bool found = false;
            if (!index->building)
                continue;
            status = catalog_build_get(session->txn, table->id, index->id, &found, &build,
                                       &session->error);
            *any = !status && (!found || is_left(session, &build, ABANDONED_US));
            if (*any)
                status = catalog_drop_index(session->txn, catalog, table, index, &session->error);
        }
    }
    return status;
}

static status_t clean(struct sql_session *session)
{
    struct job *job = &session->job;
    bool any = false;
    job->last = false;
    status_t status = find_catalog(session);
    if (status)
        return status;
    buffer_reset(&job->next);
    job->garbage = next_garbage(session);
    if (!job->garbage) {
        status = drop_abandoned(session, &any);
        job->last = !any;
        return status;
    }
    buffer_append_slice(&job->next, buffer_slice(&job->position));
    return catalog_garbage_remove(session->txn, job->garbage, &job->next, &job->more,
                                  &session->error);
}

static void cleaned(struct job *job)
{
    buffer_reset(&job->position);
    if (job->garbage && job->more) {
        buffer_append_slice(&job->position, buffer_slice(&job->next));
    } else if (job->garbage) {
        job->table_id = job->garbage->table_id;
        job->index_id = (uint16_t)job->garbage->index_id;
    } else { /* what an index that was dropped has left may be before all that was looked at */
        job->table_id = 0;
        job->index_id = 0;
    }
    job->garbage = NULL;
    job->done = job->last;
}

bool sql__job_builds(const struct sql_session *session)
{
    return session->job.kind == JOB_INDEX && session->job.done;
}

/* ---- a chore of it --------------------------------------------------------------------------- */

status_t sql__job_run(struct sql_session *session)
{
    ASSERT(session->txn && !session->job.done);
    if (session->job.kind == JOB_CLEAN)
        return clean(session);
    switch (session->job.step) {
    case JOB_START:
        return start(session);
    case JOB_FILL:
        return fill(session);
    case JOB_DROP:
        return drop(session);
    }
    UNREACHABLE();
}

bool sql__job_committed(struct sql_session *session)
{
    struct job *job = &session->job;
    ASSERT(job->kind != JOB_NONE && !job->done);
    if (job->kind == JOB_CLEAN) {
        cleaned(job);
        /* The picture others have tells of what is no more. */
        if (job->done && session->catalog->garbage_count > 0)
            sql__engine_forget(session->engine);
        return true;
    }
    if (job->step == JOB_DROP) {
        session->error = job->failure;
        return false;
    }
    if (job->there) { /* the statement's own transaction says so, or is content with it */
        job->kind = JOB_NONE;
        job->done = true;
        return true;
    }
    buffer_reset(&job->position);
    buffer_append_slice(&job->position, buffer_slice(&job->next));
    if (job->step == JOB_FILL) {
        job->done = job->last;
        job->rows = job->rows >= FILL_ROWS_MAX / 2 ? FILL_ROWS_MAX : job->rows * 2;
    }
    job->step = JOB_FILL;
    return true;
}

void sql__job_conflict(struct sql_session *session)
{
    struct job *job = &session->job;
    job->rows = job->rows > 4 * FILL_ROWS_MIN ? job->rows / 4 : FILL_ROWS_MIN;
}

bool sql__job_gives_way(struct sql_session *session)
{
    if (session->job.kind != JOB_CLEAN || session->chore_attempt < CONFLICTS_MAX)
        return false;
    session->job.done = true;
    return true;
}

bool sql__job_failed(struct sql_session *session)
{
    struct job *job = &session->job;
    ASSERT(session->error.status != OK);
    if (job->kind == JOB_INDEX && job->step == JOB_DROP) { /* it is left to VACUUM */
        session->error = job->failure;
        return false;
    }
    if (job->kind != JOB_INDEX || job->step == JOB_START || job->lost)
        return false;
    job->failure = session->error;
    job->step = JOB_DROP;
    error_clear(&session->error);
    return true;
}

bool sql__job_heeds_cancel(const struct sql_session *session)
{
    return session->job.kind != JOB_INDEX || session->job.step != JOB_DROP;
}

void sql__job_reset(struct sql_session *session)
{
    if (session->job.kind == JOB_NONE && !session->job.done)
        return; /* as most statements leave it: untouched */
    buffer_free(&session->job.position);
    buffer_free(&session->job.next);
    session->job = (struct job){0};
}
