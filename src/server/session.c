#include "server/session_life_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    BACKOFF_FIRST_US = 500,
    BACKOFF_MAX_US = 50000,
    SESSIONS_MAX = 10000,
    TURN_STEPS_MAX = 32,  /* of one session, before the others have their turn */
    LOOP_BATCHES_MAX = 2, /* of rows of one statement, then it moves to a worker */
};

static void session_event(struct session *s);
static void session_release(struct session *s);

void session__txn_drop(struct session *s)
{
    if (!s->txn)
        return;
    txn_free(&s->txn->txn);
    mem_free(s->txn);
    s->txn = s->held;
    s->held = NULL;
}

/* ---- scheduling ---------------------------------------------------------------------------------
 */

void session__ready(struct session *s)
{
    s->state = SESSION_RUNNABLE;
    if (s->queued)
        return;
    s->queued = true;
    s->next_runnable = NULL;
    *s->node->runnable_last = s;
    s->node->runnable_last = &s->next_runnable;
    s->node->runnable_count++;
    node_wake(s->node);
}

/* What a worker's last step asked for will not be done: the client is gone. */
static void event_refuse(struct session *s)
{
    struct error error;
    error_set(&error, ERR_CANCELED, "client has gone");
    if (s->event.kind == SQL_EVENT_BEGIN)
        sql_begun(s->sql, NULL, false, 0, ERR_CANCELED, &error);
    if (s->event.kind == SQL_EVENT_COMMIT || s->event.kind == SQL_EVENT_ROLLBACK)
        session__txn_drop(s);
    if (s->event.kind == SQL_EVENT_COMMIT)
        sql_committed(s->sql, ERR_CANCELED, &error);
}

void session__text_ended(struct session *s)
{
    s->state = SESSION_IDLE;
    s->use_worker = false;
    session__origin_give_back(s);
    if (!s->closing)
        s->sink->done(s->context);
}

static void work_run(struct job *job)
{
    struct session *s = (struct session *)((char *)job - offsetof(struct session, job));
    sql_step(s->sql, &s->event);
}

static void work_done(struct job *job)
{
    struct session *s = (struct session *)((char *)job - offsetof(struct session, job));
    ASSERT(s->state == SESSION_WORKING);
    s->state = SESSION_RUNNABLE;
    if (s->closing) {
        event_refuse(s);
        session__ready(s); /* released by the next round */
        return;
    }
    session_event(s);
    if (s->state == SESSION_RUNNABLE)
        session__ready(s);
}

/* Steps until it has to wait for something, or its turn is over. A client that does not read what
 * it gets holds up its own session, whatever there is to send. */
static void session_run(struct session *s)
{
    for (int i = 0; s->state == SESSION_RUNNABLE && !s->closing; i++) {
        if (i == TURN_STEPS_MAX) {
            session__ready(s);
            return;
        }
        if (!s->canceled && s->sink->slow(s->context)) {
            s->state = SESSION_BLOCKED;
            return;
        }
        if (s->use_worker) {
            s->state = SESSION_WORKING;
            s->job = (struct job){.run = work_run, .done = work_done};
            job_submit(s->node->workers, &s->job);
            return;
        }
        sql_step(s->sql, &s->event);
        session_event(s);
    }
}

static struct session *runnable_pop(struct node *node)
{
    struct session *s = node->runnable;
    node->runnable = s->next_runnable;
    if (!node->runnable)
        node->runnable_last = &node->runnable;
    ASSERT(s->queued && node->runnable_count > 0);
    node->runnable_count--;
    s->queued = false;
    return s;
}

bool sessions_run(struct node *node)
{
    bool any = node->runnable != NULL;
    /* Those that become runnable meanwhile are for the next round. */
    for (uint32_t left = node->runnable_count; left && !node_turn_over(node); left--) {
        struct session *s = runnable_pop(node);
        if (!s->closing)
            session_run(s);
        else if (s->state != SESSION_WORKING) /* else released when the worker gives it back */
            session_release(s);
    }
    return any;
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

static void begin_fail(struct session *s, status_t status)
{
    struct error error;
    error_set(&error, status, "%s", status_text(status));
    if (status == ERR_NO_QUORUM) {
        error_set(&error, status, "no quorum: the cluster has no leader that a majority follows");
        error_hint(
            &error,
            "%sMore than half of the nodes must be up and reach each other; see toydb status.",
            s->resent ? "" : "Nothing was changed. ");
    } else if (status == ERR_DISK_FULL) {
        error_set(&error, status,
                  "disk of this node is full: it cannot take in what was committed");
        error_hint(&error, "Free some disk space on node %" PRIu64 ", or ask another node.",
                   s->node->config.id);
    }
    sql_begun(s->sql, NULL, false, 0, status, &error);
    session__ready(s);
}

static void begin_finish(struct session *s, bool confirmed)
{
    ASSERT(!s->held && (!s->txn || s->event.chore));
    if (s->request_id_size && !s->event.chore && session__outcome_report(s))
        return;
    struct error error;
    s->held = s->txn;
    s->txn = mem_zalloc(1, sizeof *s->txn);
    bound_txn_init(s->txn);
    s->txn_us = env_monotonic_us(s->node->env);
    status_t status = replica_txn_begin(s->node->replica, &s->txn->txn, s->event.read_only, &error);
    if (status != OK) {
        mem_free(s->txn);
        s->txn = s->held;
        s->held = NULL;
    }
    sql_begun(s->sql, status == OK ? &s->txn->store : NULL, confirmed, env_wall_us(s->node->env),
              status, &error);
    session__ready(s);
}

static void on_read(struct replica_read *read, status_t status)
{
    struct session *s = read->context;
    ASSERT(s->state == SESSION_BEGIN_WAIT);
    if (status == OK)
        begin_finish(s, true);
    else
        begin_fail(s, status);
}

static void begin(struct session *s)
{
    if (s->event.may_be_unconfirmed) {
        begin_finish(s, false);
        return;
    }
    s->state = SESSION_BEGIN_WAIT;
    s->read = (struct replica_read){.done = on_read,
                                    .context = s,
                                    .deadline_us = env_monotonic_us(s->node->env) +
                                                   s->node->config.quorum_timeout_us};
    replica_read_begin(s->node->replica, &s->read);
    node_wake(s->node);
}

static void on_backoff_end(struct sleeper *sleeper)
{
    struct session *s = (struct session *)((char *)sleeper - offsetof(struct session, sleeper));
    ASSERT(s->state == SESSION_BACKOFF);
    begin(s);
}

/* The first retry is immediate; later ones wait longer and longer, with jitter, so that those who
 * want the same rows come one after another. */
static void begin_backed_off(struct session *s)
{
    if (s->event.attempt < 2) {
        begin(s);
        return;
    }
    uint32_t doublings = s->event.attempt - 2 < 8 ? s->event.attempt - 2 : 8;
    uint64_t longest = (uint64_t)BACKOFF_FIRST_US << doublings;
    if (longest > BACKOFF_MAX_US)
        longest = BACKOFF_MAX_US;
    s->state = SESSION_BACKOFF;
    s->sleeper.wake = on_backoff_end;
    node_sleep(s->node, &s->sleeper, prng_between(&s->node->prng, longest / 2, longest));
}

/* ---- events -------------------------------------------------------------------------------------
 */

static void statement_complete(struct session *s)
{
    uint64_t now_us = env_monotonic_us(s->node->env);
    s->use_worker = false;
    session__complete(s, now_us - s->statement_us);
    s->statement_us = now_us;
}

/* Does what the event of the last step asks for; the state tells whether to step on. */
static void session_event(struct session *s)
{
    switch (s->event.kind) {
    case SQL_EVENT_BEGIN:
        s->use_worker = false;
        begin_backed_off(s);
        return;
    case SQL_EVENT_EXECUTE:
        s->use_worker = !s->event.is_short;
        s->batches = 0;
        return;
    case SQL_EVENT_HEADER:
        if (!s->closing)
            s->sink->header(s->context, s->event.columns, s->event.column_count);
        return;
    case SQL_EVENT_ROWS:
        if (!s->closing)
            s->sink->rows(s->context, s->event.batch, s->event.zone_s);
        if (++s->batches >= LOOP_BATCHES_MAX)
            s->use_worker = true; /* not as short as was thought */
        return;
    case SQL_EVENT_COMMIT:
        s->use_worker = false;
        session__commit_begin(s);
        return;
    case SQL_EVENT_ROLLBACK:
        s->use_worker = false;
        session__txn_drop(s);
        return;
    case SQL_EVENT_COMPLETE:
        statement_complete(s);
        return;
    case SQL_EVENT_ERROR:
        if (!s->closing)
            s->sink->error(s->context, &s->event.error);
        session__text_ended(s);
        return;
    case SQL_EVENT_DONE:
        session__text_ended(s);
        return;
    }
}

/* ---- the outside --------------------------------------------------------------------------------
 */

struct session *session_open(struct node *node, const struct session_sink *sink, void *context)
{
    if (node->stopping || node->failed || node->session_count >= SESSIONS_MAX)
        return NULL;
    struct session *s = mem_zalloc(1, sizeof *s);
    s->node = node;
    s->sink = sink;
    s->context = context;
    s->sql = sql_session_create(node->engine);
    if (node->config.statement_memory)
        sql_session_memory_set(s->sql, node->config.statement_memory);
    s->number = ++node->session_number;
    s->opened_us = env_monotonic_us(node->env);
    s->next = node->sessions;
    s->link = &node->sessions;
    if (s->next)
        s->next->link = &s->next;
    node->sessions = s;
    node->session_count++;
    return s;
}

/* The last step of a session whose client is gone; nothing of it is out with anyone. */
static void session_release(struct session *s)
{
    ASSERT(s->closing && !s->queued);
    while (sql_session_abort(s->sql))
        session__txn_drop(s);
    ASSERT(!s->txn && !s->held);
    sql_session_destroy(s->sql);
    session__origin_give_back(s);
    buffer_free(&s->commit.request);
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    ASSERT(s->node->session_count > 0);
    s->node->session_count--;
    mem_free(s);
}

void session_close(struct session *s)
{
    ASSERT(!s->closing);
    s->closing = true;
    struct error error;
    error_set(&error, ERR_CANCELED, "client has gone");
    switch (s->state) {
    case SESSION_WORKING:
        sql_cancel(s->sql); /* released when the worker gives it back */
        return;
    case SESSION_BEGIN_WAIT:
        replica_read_cancel(s->node->replica, &s->read);
        sql_begun(s->sql, NULL, false, 0, ERR_CANCELED, &error);
        break;
    case SESSION_BACKOFF:
        node_sleep_cancel(s->node, &s->sleeper);
        sql_begun(s->sql, NULL, false, 0, ERR_CANCELED, &error);
        break;
    case SESSION_COMMIT_WAIT:
        /* The commit takes its course; only nobody hears of it. */
        replica_commit_abandon(s->node->replica, &s->commit);
        session__origin_retire(s);
        sql_committed(s->sql, ERR_CANCELED, &error);
        break;
    case SESSION_OUTCOME_WAIT:
        replica_commit_abandon(s->node->replica, &s->commit);
        break;
    case SESSION_IDLE:
    case SESSION_RUNNABLE:
    case SESSION_BLOCKED:
        break;
    }
    /* It may be in the middle of a step that is calling us: released by the next round. */
    session__ready(s);
}

/* What holds for a request whatever it asks for. */
static void request_begin(struct session *s, const struct session_request *request)
{
    ASSERT(s->state == SESSION_IDLE && !s->closing);
    ASSERT(request->id.size <= REQUEST_ID_MAX);
    s->request_id_size = 0;
    s->request_commits = 0;
    s->resent = request->resent;
    s->canceled = false;
    s->commit.reply_size = 0;
    if (request->id.size) {
        s->request_id[0] = 'r';
        memcpy(s->request_id + 1, request->id.data, request->id.size);
        s->request_id_size = (uint32_t)request->id.size + 1;
    }
    s->statement_us = env_monotonic_us(s->node->env);
}

void session_submit(struct session *s, const struct session_request *request)
{
    request_begin(s, request);
    size_t shown = request->text.size < sizeof s->text ? request->text.size : sizeof s->text - 1;
    memcpy(s->text, request->text.data, shown);
    s->text[shown] = '\0';
    sql_submit(s->sql, request->text, request->parameters, request->parameter_count);
    session__ready(s);
}

void session_outcome(struct session *s, const struct session_request *request)
{
    request_begin(s, request);
    ASSERT(s->request_id_size > 0 && session_state(s) == SQL_IDLE);
    session__outcome_ask(s);
}

void session_unblock(struct session *s)
{
    if (s->state == SESSION_BLOCKED)
        session__ready(s);
}

void session_cancel(struct session *s)
{
    if (s->state == SESSION_IDLE || s->closing)
        return;
    s->canceled = true;
    sql_cancel(s->sql);
    if (s->state == SESSION_BEGIN_WAIT) {
        replica_read_cancel(s->node->replica, &s->read);
        begin_fail(s, ERR_CANCELED);
    } else if (s->state == SESSION_BACKOFF) {
        node_sleep_cancel(s->node, &s->sleeper);
        begin_fail(s, ERR_CANCELED);
    } else if (s->state == SESSION_BLOCKED) {
        session__ready(s);
    }
    /* In COMMIT_WAIT the outcome is being decided: the client gets that instead. */
}

enum sql_transaction_state session_state(const struct session *s)
{
    return sql_session_state(s->sql);
}

/* Whether its client may be told to go: nothing of it would be lost. Another thread may have the
 * sql session while a text runs, but not while none does. */
static bool session_done(const struct session *s)
{
    return s->state == SESSION_IDLE && session_state(s) == SQL_IDLE;
}

void sessions_shutdown(struct node *node, bool late)
{
    struct session *next;
    for (struct session *s = node->sessions; s; s = next) {
        next = s->next;
        if (!s->closing && (late || session_done(s)))
            s->sink->shutdown(s->context);
    }
}

void sessions_release(struct node *node)
{
    while (node->origins) {
        struct origin *origin = node->origins;
        node->origins = origin->next;
        mem_free(origin);
    }
}
