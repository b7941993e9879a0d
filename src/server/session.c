#include "server/session_int.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    REQUEST_ID_MAX = TXN_ORIGIN_MAX - 1,
    BACKOFF_FIRST_US = 500,
    BACKOFF_MAX_US = 50000,
    SESSIONS_MAX = 10000,
    REPLY_HEAD_SIZE = 8, /* rows, little-endian; then the tag */
};

/* A name under which transactions commit, used by one session at a time and then handed on, so that
 * the outcomes stored are as many as sessions at one time, not as transactions. */
struct origin {
    uint8_t bytes[17]; /* 'n', the process's random number, a serial number */
    uint64_t sequence; /* of the last commit */
    struct origin *next;
};

enum session_state_kind {
    SESSION_IDLE,
    SESSION_RUNNABLE,
    SESSION_BEGIN_WAIT,
    SESSION_WORKING,
    SESSION_COMMIT_WAIT,
    SESSION_BLOCKED,
    SESSION_BACKOFF,
};

struct session {
    struct node *node;
    const struct session_sink *sink;
    void *context;
    struct sql_session *sql;
    enum session_state_kind state;
    bool closing;
    bool queued;     /* in node->runnable */
    bool use_worker; /* the running statement's steps belong on a worker */
    bool answered;   /* the outcome of an earlier sending was reported: the rest is not */
    struct sql_event event;
    struct bound_txn *txn;
    struct replica_read read;
    struct replica_commit commit;
    struct origin *origin;
    uint8_t request_id[TXN_ORIGIN_MAX]; /* 'r', then the client's bytes */
    uint32_t request_id_size;           /* 0: none */
    uint64_t request_commits;
    uint64_t statement_us; /* when the running statement began */
    struct sleeper sleeper;
    struct job job;
    struct session *next_runnable;
    struct session *next, **link; /* node->sessions */
};

static void session_event(struct session *s);
static void session_release(struct session *s);

static void txn_drop(struct session *s)
{
    if (!s->txn)
        return;
    txn_free(&s->txn->txn);
    mem_free(s->txn);
    s->txn = NULL;
}

/* ---- scheduling ---------------------------------------------------------------------------------
 */

static void session_ready(struct session *s)
{
    s->state = SESSION_RUNNABLE;
    if (s->queued)
        return;
    s->queued = true;
    s->next_runnable = NULL;
    *s->node->runnable_last = s;
    s->node->runnable_last = &s->next_runnable;
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
        txn_drop(s);
    if (s->event.kind == SQL_EVENT_COMMIT)
        sql_committed(s->sql, ERR_CANCELED, &error);
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
        session_release(s);
        return;
    }
    session_event(s);
    if (s->state == SESSION_RUNNABLE)
        session_ready(s);
}

/* Steps until it has to wait for something. */
static void session_run(struct session *s)
{
    while (s->state == SESSION_RUNNABLE && !s->closing) {
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

bool sessions_run(struct node *node)
{
    struct session *s = node->runnable;
    node->runnable = NULL;
    node->runnable_last = &node->runnable;
    bool any = s != NULL;
    while (s) {
        struct session *next = s->next_runnable;
        s->queued = false;
        if (s->closing)
            session_release(s);
        else
            session_run(s);
        s = next;
    }
    return any;
}

/* ---- beginning ----------------------------------------------------------------------------------
 */

/* The outcome of this request's commit, when it was sent before and did commit. */
static bool outcome_report(struct session *s)
{
    uint8_t reply[TXN_REPLY_MAX + 1];
    uint32_t size = 0;
    struct error error;
    struct slice origin = slice_make(s->request_id, s->request_id_size);
    if (replica_outcome(s->node->replica, origin, reply, &size, &error) != OK ||
        size < REPLY_HEAD_SIZE)
        return false;
    reply[size] = '\0';
    if (!s->closing)
        s->sink->complete(s->context, (const char *)reply + REPLY_HEAD_SIZE, get_u64_le(reply),
                          false, 0);
    s->answered = true;
    return true;
}

static void begin_fail(struct session *s, status_t status)
{
    struct error error;
    error_set(&error, status, "%s", status_text(status));
    if (status == ERR_NO_QUORUM) {
        error_set(&error, status, "no quorum: the cluster has no leader that a majority follows");
        error_hint(&error, "Nothing was changed. More than half of the nodes must be up and reach "
                           "each other; see toydb status.");
    }
    sql_begun(s->sql, NULL, false, 0, status, &error);
    session_ready(s);
}

static void begin_finish(struct session *s, bool confirmed)
{
    ASSERT(!s->txn);
    if (s->request_id_size && outcome_report(s)) {
        begin_fail(s, ERR_CANCELED);
        return;
    }
    struct error error;
    s->txn = mem_zalloc(1, sizeof *s->txn);
    bound_txn_init(s->txn);
    status_t status = replica_txn_begin(s->node->replica, &s->txn->txn, s->event.read_only, &error);
    if (status != OK) {
        mem_free(s->txn);
        s->txn = NULL;
    }
    sql_begun(s->sql, status == OK ? &s->txn->store : NULL, confirmed, env_wall_us(s->node->env),
              status, &error);
    session_ready(s);
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

/* ---- committing ---------------------------------------------------------------------------------
 */

static struct origin *origin_take(struct node *node)
{
    struct origin *origin = node->origins;
    if (origin) {
        node->origins = origin->next;
        return origin;
    }
    origin = mem_zalloc(1, sizeof *origin);
    origin->bytes[0] = 'n';
    put_u64_le(origin->bytes + 1, node->incarnation);
    put_u64_le(origin->bytes + 9, ++node->origin_count);
    return origin;
}

static void origin_give_back(struct session *s)
{
    if (!s->origin)
        return;
    s->origin->next = s->node->origins;
    s->node->origins = s->origin;
    s->origin = NULL;
}

/* An origin with a commit whose outcome is open is never used again. */
static void origin_retire(struct session *s)
{
    mem_free(s->origin);
    s->origin = NULL;
}

static void commit_error(struct session *s, status_t status, struct error *error)
{
    error_set(error, status, "%s", status_text(status));
    if (status == ERR_CONFLICT) {
        error_set(error, status, "could not serialize access due to a concurrent transaction");
        if (s->commit.conflict_key_size) {
            struct buffer key;
            buffer_init(&key, 240);
            sql_engine_describe_key(s->node->engine,
                                    slice_make(s->commit.conflict_key, s->commit.conflict_key_size),
                                    &key);
            buffer_append_byte(&key, '\0');
            if (!key.failed)
                error_detail(error, "%s was changed after this transaction read it.",
                             (char *)key.data);
            buffer_free(&key);
        }
        error_hint(error, "The transaction was rolled back. Run it again.");
    } else if (status == ERR_TOO_OLD) {
        error_set(error, status, "could not serialize access: the transaction is too old");
        error_hint(error, "The transaction was rolled back. Run it again.");
    } else if (status == ERR_OUTCOME_UNKNOWN) {
        error_set(error, status, "no quorum: the outcome of the commit is not known yet");
        error_hint(error, "The leader was lost in the middle of the commit. Sending the statement "
                          "again with the same request id, once there is a quorum, tells the "
                          "outcome and never runs it twice.");
    } else if (status == ERR_NO_QUORUM) {
        error_set(error, status, "no quorum: the cluster has no leader that a majority follows");
        error_hint(error, "Nothing was changed.");
    } else if (status == ERR_DISK_FULL) {
        error_set(error, status, "disk of the leader is full: the transaction was rolled back");
        error_hint(error, "Reading goes on. Free some disk space.");
    }
}

static void on_commit(struct replica_commit *commit, status_t status)
{
    struct session *s = commit->context;
    ASSERT(s->state == SESSION_COMMIT_WAIT);
    struct error error;
    if (status == ERR_OUTCOME_UNKNOWN)
        origin_retire(s);
    if (status != OK)
        commit_error(s, status, &error);
    buffer_reset(&s->commit.request);
    sql_committed(s->sql, status, status == OK ? NULL : &error);
    session_ready(s);
}

/* Who commits: the client's request, or this session's origin. */
static struct txn_id commit_id(struct session *s)
{
    if (s->request_id_size)
        return (struct txn_id){.origin = slice_make(s->request_id, s->request_id_size),
                               .sequence = ++s->request_commits};
    if (!s->origin)
        s->origin = origin_take(s->node);
    return (struct txn_id){.origin = slice_make(s->origin->bytes, sizeof s->origin->bytes),
                           .sequence = ++s->origin->sequence};
}

static void commit_begin(struct session *s)
{
    ASSERT(s->txn && s->event.txn == &s->txn->store);
    if (!txn_has_writes(&s->txn->txn)) {
        txn_drop(s);
        sql_committed(s->sql, OK, NULL);
        return;
    }
    uint8_t reply[REPLY_HEAD_SIZE + sizeof s->event.tag];
    size_t tag_size = s->request_id_size ? strlen(s->event.tag) : 0;
    put_u64_le(reply, s->event.rows);
    memcpy(reply + REPLY_HEAD_SIZE, s->event.tag, tag_size);
    struct slice kept = slice_make(reply, s->request_id_size ? REPLY_HEAD_SIZE + tag_size : 0);
    buffer_reset(&s->commit.request);
    s->commit.request.size_max = REPLICA_REQUEST_SIZE_MAX;
    status_t status = txn_request_encode(&s->txn->txn, commit_id(s), kept, &s->commit.request);
    txn_drop(s);
    if (status != OK) {
        struct error error;
        error_set(&error, status, "transaction is too large to commit");
        sql_committed(s->sql, status, &error);
        return;
    }
    s->state = SESSION_COMMIT_WAIT;
    s->commit.done = on_commit;
    s->commit.context = s;
    uint64_t now_us = env_monotonic_us(s->node->env);
    s->commit.deadline_us = now_us + s->node->config.commit_timeout_us;
    s->commit.quorum_deadline_us = now_us + s->node->config.quorum_timeout_us;
    replica_commit_begin(s->node->replica, &s->commit);
    node_wake(s->node);
}

/* ---- events -------------------------------------------------------------------------------------
 */

static void text_ended(struct session *s)
{
    s->state = SESSION_IDLE;
    s->use_worker = false;
    origin_give_back(s);
    if (!s->closing)
        s->sink->done(s->context);
}

static void statement_complete(struct session *s)
{
    uint64_t now_us = env_monotonic_us(s->node->env);
    s->use_worker = false;
    if (!s->closing && !s->answered)
        s->sink->complete(s->context, s->event.tag, s->event.rows, s->event.more,
                          now_us - s->statement_us);
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
        return;
    case SQL_EVENT_HEADER:
        if (!s->closing)
            s->sink->header(s->context, s->event.columns, s->event.column_count);
        return;
    case SQL_EVENT_ROWS:
        if (!s->closing && s->sink->rows(s->context, s->event.batch))
            s->state = SESSION_BLOCKED;
        return;
    case SQL_EVENT_COMMIT:
        s->use_worker = false;
        commit_begin(s);
        return;
    case SQL_EVENT_ROLLBACK:
        s->use_worker = false;
        txn_drop(s);
        return;
    case SQL_EVENT_COMPLETE:
        statement_complete(s);
        return;
    case SQL_EVENT_ERROR:
        if (!s->closing && !s->answered)
            s->sink->error(s->context, &s->event.error);
        text_ended(s);
        return;
    case SQL_EVENT_DONE:
        text_ended(s);
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
    struct store_txn *txn = sql_session_abort(s->sql);
    MAYBE(txn != NULL);
    txn_drop(s);
    sql_session_destroy(s->sql);
    origin_give_back(s);
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
        origin_retire(s);
        sql_committed(s->sql, ERR_CANCELED, &error);
        break;
    case SESSION_IDLE:
    case SESSION_RUNNABLE:
    case SESSION_BLOCKED:
        break;
    }
    /* It may be in the middle of a step that is calling us: released by the next round. */
    session_ready(s);
}

void session_submit(struct session *s, struct slice text, const struct value *parameters,
                    uint32_t parameter_count, struct slice request_id)
{
    ASSERT(s->state == SESSION_IDLE && !s->closing);
    s->request_id_size = 0;
    s->request_commits = 0;
    s->answered = false;
    if (request_id.size && request_id.size <= REQUEST_ID_MAX) {
        s->request_id[0] = 'r';
        memcpy(s->request_id + 1, request_id.data, request_id.size);
        s->request_id_size = (uint32_t)request_id.size + 1;
    }
    s->statement_us = env_monotonic_us(s->node->env);
    sql_submit(s->sql, text, parameters, parameter_count);
    session_ready(s);
}

void session_unblock(struct session *s)
{
    if (s->state == SESSION_BLOCKED)
        session_ready(s);
}

void session_cancel(struct session *s)
{
    if (s->state == SESSION_IDLE || s->closing)
        return;
    sql_cancel(s->sql);
    if (s->state == SESSION_BEGIN_WAIT) {
        replica_read_cancel(s->node->replica, &s->read);
        begin_fail(s, ERR_CANCELED);
    } else if (s->state == SESSION_BACKOFF) {
        node_sleep_cancel(s->node, &s->sleeper);
        begin_fail(s, ERR_CANCELED);
    } else if (s->state == SESSION_BLOCKED) {
        session_ready(s);
    }
    /* In COMMIT_WAIT the outcome is being decided: the client gets that instead. */
}

enum sql_transaction_state session_state(const struct session *s)
{
    return sql_session_state(s->sql);
}

void sessions_shutdown(struct node *node)
{
    struct session *next;
    for (struct session *s = node->sessions; s; s = next) {
        next = s->next;
        if (s->state == SESSION_IDLE && !s->closing)
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
