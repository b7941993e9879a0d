/* What a session keeps of its statement before, for the case that the next has the same text.
 *
 * Clients that write many rows send one text again and again. Then neither the text is looked up in
 * the plan cache nor its plan, both of which take the engine's mutex, nor are operators opened and
 * closed for each row:
 *
 *     text    the last one that the cache had, with its tree; its calls are counted here and told
 *             to the cache when another text comes or the transaction has ended
 *     plan    of it, if it is one that no statistics would change. It serves as one of the cache
 *             does: for the same picture of the schema and parameters of the same types
 *     exec    of it, if it can be run again as it stands (exec_is_repeatable); from the second run
 *             on, in an arena of its own
 *
 * A statement borrows what it needs and never owns any of it. */
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

enum { ARENA_KEEP_MAX = 32 << 10 }; /* a bigger executor is closed */

/* ---- the executor ---------------------------------------------------------------------------- */

void sql__kept_close(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    if (!kept->exec)
        return;
    ASSERT(!session->exec);
    exec_close(kept->exec);
    kept->exec = NULL;
    arena_free(&kept->arena);
}

status_t sql__kept_open(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    struct exec_context context;
    ASSERT(!session->exec && session->planned.root);
    kept->runs = false;
    if (kept->exec && session->cached_plan == kept->plan) {
        exec_renew(kept->exec, session->txn, session->arguments, session->transaction_us);
        session->exec = kept->exec;
        kept->exec = NULL;
        kept->runs = true;
        return OK;
    }
    sql__statement_context(session, &context);
    bool again = kept->again && session->cached_plan == kept->plan;
    if (again && exec_is_repeatable(&session->planned)) {
        arena_reset(&kept->arena);
        context.arena = &kept->arena;
        kept->runs = true;
    }
    return exec_open(&session->planned, &context, &session->exec, &session->error);
}

void sql__kept_rest(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    ASSERT(session->exec && !(kept->runs && kept->exec));
    if (kept->runs && kept->arena.used <= ARENA_KEEP_MAX && exec_rest(session->exec))
        kept->exec = session->exec;
    else
        exec_close(session->exec);
    session->exec = NULL;
    kept->runs = false;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static void plan_drop(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    sql__kept_close(session);
    sql__cache_release_plan(session->engine, kept->plan);
    kept->plan = NULL;
    kept->again = false;
}

/* Would other statistics make another plan? Not for VALUES, nor where a unique key is given. */
static bool is_weighed(const struct plan *plan)
{
    switch (plan->kind) {
    case PLAN_VALUES:
        return false;
    case PLAN_SCAN:
        return !plan_is_lookup(plan);
    case PLAN_INSERT:
    case PLAN_UPDATE:
    case PLAN_DELETE:
    case PLAN_PROJECT:
    case PLAN_FILTER:
    case PLAN_KEY_FILTER:
        return !plan->left || is_weighed(plan->left);
    default:
        return true;
    }
}

bool sql__plan_is_weighed(const struct planned *planned)
{
    return planned->subplan_count > 0 || is_weighed(planned->root);
}

struct cached_plan *sql__kept_plan(struct sql_session *session)
{
    struct cached_plan *plan = session->kept.plan;
    if (!session->cached_text || !plan || session->catalog_own ||
        plan->catalog != session->catalog || plan->type_count != session->parameter_count ||
        sql__settings_sqlite(session->settings))
        return NULL;
    ASSERT(session->cached_text == session->kept.text);
    for (uint32_t i = 0; i < plan->type_count; i++) {
        if (plan->types[i] != sql__parameter_type(session, i))
            return NULL;
    }
    return plan;
}

void sql__kept_offer(struct sql_session *session, struct cached_plan *plan)
{
    struct kept *kept = &session->kept;
    ASSERT(session->cached_text && session->cached_text == kept->text && plan != kept->plan);
    if (plan->planned.is_momentary || sql__plan_is_weighed(&plan->planned))
        return;
    plan_drop(session);
    kept->plan = plan;
}

/* ---- the text -------------------------------------------------------------------------------- */

static void calls_tell(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    if (kept->calls.count == 0)
        return;
    ASSERT(kept->text);
    sql__cache_count(session->engine, kept->text, &kept->calls);
    kept->calls = (struct text_calls){0};
}

void sql__kept_free(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    ASSERT(!session->cached_text && !session->cached_plan);
    calls_tell(session);
    plan_drop(session);
    sql__cache_release_text(session->engine, kept->text);
    arena_free(&kept->arena);
    *kept = (struct kept){0};
}

bool sql__kept_is(const struct sql_session *session, struct slice text)
{
    const struct kept *kept = &session->kept;
    return kept->text && kept->bytes.size == text.size &&
           (kept->bytes.data == text.data || slice_equal(kept->bytes, text));
}

bool sql__kept_find(struct sql_session *session, struct slice text)
{
    struct kept *kept = &session->kept;
    ASSERT(!session->cached_text);
    if (!sql__kept_is(session, text)) {
        const struct ast_statement *statement;
        struct cached_text *found = sql__cache_find(session->engine, text, &statement);
        if (!found)
            return false;
        sql__kept_free(session);
        kept->text = found;
        kept->bytes = sql__cache_bytes(found);
        kept->statement = statement;
    }
    session->cached_text = kept->text;
    session->statement = kept->statement;
    session->cached_us = env_monotonic_us(session->engine->env);
    return true;
}

void sql__kept_ended(struct sql_session *session)
{
    struct kept *kept = &session->kept;
    if (session->cached_text) {
        uint64_t us = env_monotonic_us(session->engine->env) - session->cached_us;
        ASSERT(session->cached_text == kept->text);
        kept->calls.count++;
        kept->calls.total_us += us;
        kept->calls.longest_us = us > kept->calls.longest_us ? us : kept->calls.longest_us;
        session->cached_text = NULL;
        kept->again = kept->plan != NULL;
    }
    if (session->state == SQL_IDLE)
        calls_tell(session);
}

void sql__kept_text_ended(struct sql_session *session)
{
    ASSERT(!session->cached_text && !session->parser.text.data);
    if (session->kept.text && !sql__cache_has(session->kept.text))
        sql__kept_free(session);
}
