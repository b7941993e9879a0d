/* Committing, and what becomes of a request that is sent again.
 *
 * A commit has an id, under which the replicas keep its outcome: the client's request id and the
 * number of the commit in its request, or, without a request id, the session's origin and a number.
 * So a client that does not know what became of a request sends it again, to any node:
 *
 *   - it is run again, unless an outcome is found before (session__outcome_report), and whichever
 *     sending commits first is the one that counts: the other gets its answer (session__complete);
 *   - what was sent inside an open transaction cannot be run again, because that transaction has
 *     ended with its session: session_outcome asks what became of its COMMIT, and makes sure that
 *     the answer stays true. */

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/session_life_int.h"

enum {
    REPLY_HEAD_SIZE = 13, /* see reply_encode */
};

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

void session__origin_give_back(struct session *s)
{
    if (!s->origin)
        return;
    s->origin->next = s->node->origins;
    s->node->origins = s->origin;
    s->origin = NULL;
}

/* An origin with a commit whose outcome is open is never used again. */
void session__origin_retire(struct session *s)
{
    mem_free(s->origin);
    s->origin = NULL;
}

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

/* What an earlier sending of the request has achieved, as the answer to this one. */
static void reply_send(struct session *s, const struct reply *reply)
{
    if (!reply->more) {
        s->sink->complete(s->context, reply->tag, reply->rows, false, 0);
        return;
    }
    struct error error;
    error_set(&error, ERR_OUTCOME_UNKNOWN, "request was interrupted after \"%s\"", reply->tag);
    error_detail(&error,
                 "An earlier sending of this request has committed %u of its "
                 "transactions; whether the rest was run is not known.",
                 reply->commits);
    s->sink->error(s->context, &error);
}

bool session__outcome_report(struct session *s)
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
    reply_send(s, &reply);
    session__text_ended(s);
    return true;
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
        error_hint(error, "Reading goes on. Free some disk space there, or have another node lead "
                          "(toydb transfer-leader).");
    }
}

static void on_commit(struct replica_commit *commit, status_t status)
{
    struct session *s = commit->context;
    ASSERT(s->state == SESSION_COMMIT_WAIT);
    struct error error;
    if (status == ERR_OUTCOME_UNKNOWN)
        session__origin_retire(s);
    if (status != OK)
        commit_error(s, status, &error);
    else if (s->request_id_size && !s->event.chore)
        s->request_commits++;
    buffer_reset(&s->commit.request);
    sql_commit_took(s->sql, commit->certify_us, commit->replicate_us);
    sql_committed(s->sql, status, status == OK ? NULL : &error);
    session__ready(s);
}

/* Who commits: the client's request, or this session's origin. A request counts its commits, not
 * its attempts: so two sendings of it, wherever they run, have the same number for the same
 * transaction and only one of them commits it. An attempt that was refused will never be done, so
 * its number is free. A chore's commit is not the request's: another sending may need none. */
static struct txn_id commit_id(struct session *s)
{
    if (s->request_id_size && !s->event.chore)
        return (struct txn_id){.origin = slice_make(s->request_id, s->request_id_size),
                               .sequence = s->request_commits + 1};
    if (!s->origin)
        s->origin = origin_take(s->node);
    return (struct txn_id){.origin = slice_make(s->origin->bytes, sizeof s->origin->bytes),
                           .sequence = ++s->origin->sequence};
}

static void commit_send(struct session *s, replica_commit_fn *done, bool asked_before)
{
    uint64_t now_us = env_monotonic_us(s->node->env);
    s->commit.done = done;
    s->commit.context = s;
    s->commit.asked_before = asked_before;
    s->commit.deadline_us = now_us + s->node->config.commit_timeout_us;
    s->commit.quorum_deadline_us = now_us + s->node->config.quorum_timeout_us;
    replica_commit_begin(s->node->replica, &s->commit);
    node_wake(s->node);
}

void session__commit_begin(struct session *s)
{
    ASSERT(s->txn && s->event.txn == &s->txn->store);
    if (!txn_has_writes(&s->txn->txn)) {
        session__txn_drop(s);
        sql_committed(s->sql, OK, NULL);
        return;
    }
    uint8_t reply[REPLY_HEAD_SIZE + sizeof s->event.tag];
    struct slice kept = {0};
    if (s->request_id_size && !s->event.chore)
        kept = reply_encode(&s->event, s->request_commits + 1, reply);
    buffer_reset(&s->commit.request);
    s->commit.request.size_max = REPLICA_REQUEST_SIZE_MAX;
    status_t status = txn_request_encode(&s->txn->txn, commit_id(s), kept, &s->commit.request);
    session__txn_drop(s);
    if (status != OK) {
        struct error error;
        error_set(&error, status, "transaction is too large to commit");
        sql_committed(s->sql, status, &error);
        return;
    }
    s->state = SESSION_COMMIT_WAIT;
    commit_send(s, on_commit, s->resent && !s->event.chore);
}

void session__complete(struct session *s, uint64_t elapsed_us)
{
    struct reply reply;
    bool kept = reply_decode(s->commit.reply, s->commit.reply_size, &reply);
    s->commit.reply_size = 0;
    if (s->closing)
        return;
    s->sink->complete(s->context, kept ? reply.tag : s->event.tag,
                      kept ? reply.rows : s->event.rows, s->event.more, elapsed_us);
}

/* ---- asking for an outcome ----------------------------------------------------------------------
 */

/* The tag kept for a transaction that was asked for and found not committed; no commit's own. */
static const char tag_rolled_back[] = "ROLLBACK";

static void on_outcome(struct replica_commit *commit, status_t status)
{
    struct session *s = commit->context;
    ASSERT(s->state == SESSION_OUTCOME_WAIT && !s->closing);
    struct error error;
    struct reply reply;
    bool kept = reply_decode(s->commit.reply, s->commit.reply_size, &reply);
    buffer_reset(&s->commit.request);
    s->commit.reply_size = 0;
    bool rolled_back = status == ERR_CONFLICT || status == ERR_TOO_OLD ||
                       (status == OK && kept && strcmp(reply.tag, tag_rolled_back) == 0);
    if (rolled_back) {
        error_sql(&error, "40000", 0,
                  "transaction was rolled back: its session ended before it "
                  "was committed");
        s->sink->error(s->context, &error);
    } else if (status == OK && kept) {
        reply_send(s, &reply);
    } else {
        commit_error(s, status == OK ? ERR_OUTCOME_UNKNOWN : status, &error);
        s->sink->error(s->context, &error);
    }
    session__text_ended(s);
}

/* A transaction that writes nothing is committed under the id of the one asked for. Either there is
 * an outcome of that one, and this is a resend of it that gets its answer; or this one is the first
 * to commit under the id, and whatever of the other is still on its way is answered with it: the
 * answer "rolled back" is given once and for all. */
void session__outcome_ask(struct session *s)
{
    uint8_t bytes[REPLY_HEAD_SIZE + sizeof s->event.tag];
    struct sql_event event = {.kind = SQL_EVENT_COMMIT};
    struct bound_txn none;
    struct error error;
    memcpy(event.tag, tag_rolled_back, sizeof tag_rolled_back);
    s->state = SESSION_OUTCOME_WAIT;
    buffer_reset(&s->commit.request);
    s->commit.request.size_max = REPLICA_REQUEST_SIZE_MAX;
    bound_txn_init(&none);
    status_t status = replica_txn_begin(s->node->replica, &none.txn, false, &error);
    if (status == OK) {
        status = txn_request_encode(&none.txn, commit_id(s), reply_encode(&event, 1, bytes),
                                    &s->commit.request);
        txn_free(&none.txn);
    }
    if (status == OK) {
        commit_send(s, on_outcome, true);
        return;
    }
    commit_error(s, ERR_OUTCOME_UNKNOWN, &error);
    s->sink->error(s->context, &error);
    session__text_ended(s);
}
