#include "server/session_int.h"

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
    REPLY_HEAD_SIZE = 13, /* see reply_encode */
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

_Static_assert(1 + REQUEST_ID_MAX <= TXN_ORIGIN_MAX, "a request id is an origin");

struct session {
    struct node *node;
    const struct session_sink *sink;
    void *context;
    struct sql_session *sql;
    enum session_state_kind state;
    bool closing;
    bool canceled;    /* the running text: it may say so to a slow client, too */
    bool queued;      /* in node->runnable */
    bool use_worker;  /* the running statement's steps belong on a worker */
    uint32_t batches; /* of rows, of the running statement */
    struct sql_event event;
    struct bound_txn *txn;
    struct replica_read read;
    struct replica_commit commit;
    struct origin *origin;
    uint8_t request_id[1 + REQUEST_ID_MAX]; /* 'r', then the client's bytes */
    uint32_t request_id_size;               /* 0: none */
    uint32_t request_commits;               /* transactions of this request that have committed */
    uint64_t statement_us;                  /* when the running statement began */
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

/* ---- origins ------------------------------------------------------------------------------------
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
        txn_drop(s);
    if (s->event.kind == SQL_EVENT_COMMIT)
        sql_committed(s->sql, ERR_CANCELED, &error);
}

static void text_ended(struct session *s)
{
    s->state = SESSION_IDLE;
    s->use_worker = false;
    origin_give_back(s);
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
        session_ready(s); /* released by the next round */
        return;
    }
    session_event(s);
    if (s->state == SESSION_RUNNABLE)
        session_ready(s);
}

/* Steps until it has to wait for something, or its turn is over. A client that does not read what
 * it gets holds up its own session, whatever there is to send. */
static void session_run(struct session *s)
{
    for (int i = 0; s->state == SESSION_RUNNABLE && !s->closing; i++) {
        if (i == TURN_STEPS_MAX) {
            session_ready(s);
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

/* What is kept with the outcome of a commit that has a request id:
 *
 *     0  8  rows of the statement, little-endian
 *     8  4  number of the commit in its request, from 1
 *    12  1  1: statements of the request follow the committed one
 *    13     the tag                                                             */
struct reply {
    uint64_t rows;
    uint32_t commits;
    bool more;
    char tag[sizeof((struct sql_event *)0)->tag];
};

static struct slice reply_encode(const struct sql_event *event, uint32_t commits,
                                 uint8_t out[REPLY_HEAD_SIZE + sizeof event->tag])
{
    size_t tag_size = strnlen(event->tag, sizeof event->tag - 1);
    put_u64_le(out, event->rows);
    put_u32_le(out + 8, commits);
    out[12] = event->more;
    memcpy(out + REPLY_HEAD_SIZE, event->tag, tag_size);
    return slice_make(out, REPLY_HEAD_SIZE + tag_size);
}

/* False: these bytes are no reply of a session's. */
static bool reply_decode(const uint8_t *bytes, uint32_t size, struct reply *out)
{
    if (size < REPLY_HEAD_SIZE || size - REPLY_HEAD_SIZE >= sizeof out->tag)
        return false;
    *out = (struct reply){
        .rows = get_u64_le(bytes), .commits = get_u32_le(bytes + 8), .more = bytes[12] != 0};
    memcpy(out->tag, bytes + REPLY_HEAD_SIZE, size - REPLY_HEAD_SIZE);
    return true;
}

/* When this request was sent before and that sending got further than this one, the client gets
 * what it achieved and nothing is run. True: so it was, and the text has ended. */
static bool outcome_report(struct session *s)
{
    uint8_t bytes[TXN_REPLY_MAX];
    uint32_t size = 0;
    struct reply reply;
    struct error error;
    struct slice origin = slice_make(s->request_id, s->request_id_size);
    status_t status = replica_outcome(s->node->replica, origin, bytes, &size, &error);
    if (status != OK || !reply_decode(bytes, size, &reply) || reply.commits <= s->request_commits)
        return false;
    error_set(&error, ERR_CANCELED, "request was answered already");
    sql_begun(s->sql, NULL, false, 0, ERR_CANCELED, &error);
    struct store_txn *txn = sql_session_abort(s->sql);
    ASSERT(!txn && !s->txn && !s->closing);
    if (reply.more) {
        error_set(&error, ERR_OUTCOME_UNKNOWN, "request was interrupted after \"%s\"", reply.tag);
        error_detail(&error,
                     "An earlier sending of this request has committed %u of its "
                     "transactions; whether the rest was run is not known.",
                     reply.commits);
        s->sink->error(s->context, &error);
    } else {
        s->sink->complete(s->context, reply.tag, reply.rows, false, 0);
    }
    text_ended(s);
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
    if (s->request_id_size && outcome_report(s))
        return;
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
    } else if (status == ERR_PROTOCOL && s->request_id_size) {
        error_set(error, ERR_OUTCOME_UNKNOWN, "another sending of this request got further");
        error_detail(error, "It has committed this transaction and a later one of the request.");
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
    else if (s->request_id_size)
        s->request_commits++;
    buffer_reset(&s->commit.request);
    sql_committed(s->sql, status, status == OK ? NULL : &error);
    session_ready(s);
}

/* Who commits: the client's request, or this session's origin. A request counts its commits, not
 * its attempts: so two sendings of it, wherever they run, have the same number for the same
 * transaction and only one of them commits it. An attempt that was refused will never be done, so
 * its number is free. */
static struct txn_id commit_id(struct session *s)
{
    if (s->request_id_size)
        return (struct txn_id){.origin = slice_make(s->request_id, s->request_id_size),
                               .sequence = s->request_commits + 1};
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
    struct slice kept = {0};
    if (s->request_id_size)
        kept = reply_encode(&s->event, s->request_commits + 1, reply);
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

static void statement_complete(struct session *s)
{
    uint64_t now_us = env_monotonic_us(s->node->env);
    struct reply reply;
    s->use_worker = false;
    /* An earlier sending of the request may have been the one that committed: its answer counts. */
    bool kept = reply_decode(s->commit.reply, s->commit.reply_size, &reply);
    s->commit.reply_size = 0;
    if (!s->closing)
        s->sink->complete(s->context, kept ? reply.tag : s->event.tag,
                          kept ? reply.rows : s->event.rows, s->event.more,
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
        s->batches = 0;
        return;
    case SQL_EVENT_HEADER:
        if (!s->closing)
            s->sink->header(s->context, s->event.columns, s->event.column_count);
        return;
    case SQL_EVENT_ROWS:
        if (!s->closing)
            s->sink->rows(s->context, s->event.batch);
        if (++s->batches >= LOOP_BATCHES_MAX)
            s->use_worker = true; /* not as short as was thought */
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
        if (!s->closing)
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
    s->canceled = false;
    s->commit.reply_size = 0;
    ASSERT(request_id.size <= REQUEST_ID_MAX);
    if (request_id.size) {
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
    s->canceled = true;
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
