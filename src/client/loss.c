/* What becomes of a request when the connection is lost.
 *
 * It may be sent again when nothing of its result has been handed out. The server runs a
 * transaction once per request id, so it does not matter whether the first sending had arrived;
 * that it may have arrived is said with the second (`resent`).
 *
 * Inside a transaction there is nothing to resume: the transaction ended with its stream. But when
 * its COMMIT was on its way, another node is asked what became of it (`outcome_only`). */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "client/client_int.h"

enum { RESENDS_MAX = 5 };

/* Statuses by which a stream ends that has nothing to do with us: node or network. */
static bool status_is_loss(enum grpc_status status)
{
    return status == GRPC_OK || status == GRPC_CANCELLED || status == GRPC_UNAVAILABLE ||
           status == GRPC_INTERNAL;
}

static enum toydb_result session_refused(struct toydb_session *session, struct toydb_error *error)
{
    const char *sqlstate = "08P01";
    if (session->call_status == GRPC_UNAUTHENTICATED ||
        session->call_status == GRPC_PERMISSION_DENIED)
        sqlstate = "28000";
    else if (session->call_status == GRPC_UNIMPLEMENTED)
        sqlstate = "0A000";
    else if (session->call_status == GRPC_RESOURCE_EXHAUSTED)
        sqlstate = "53000";
    return client__error_set(error, TOYDB_ERROR, sqlstate, "node ended the session: %s: %s",
                             grpc_status_name(session->call_status), session->call_message);
}

/* Says in the encoded request that it is sent again. */
static void request_mark(struct toydb_session *session)
{
    struct arena arena;
    arena_init(&arena);
    ProtobufCAllocator allocator = client__arena_allocator(&arena);
    SessionRequest *request =
        session_request__unpack(&allocator, session->request.size, session->request.data);
    ASSERT(request && request->command_case == SESSION_REQUEST__COMMAND_EXECUTE);
    request->execute->resent = true;
    request->execute->outcome_only = session->outcome_only;
    buffer_reset(&session->request);
    status_t status = buffer_reserve(&session->request, session_request__get_packed_size(request));
    ASSERT(status == OK);
    session->request.size = session_request__pack(request, session->request.data);
    arena_free(&arena);
}

/* No node could be found to send it to again, as *error says; but the first one may have had it.
 * That nobody was reached is the smaller part of it. */
static enum toydb_result outcome_open(struct toydb_error *error)
{
    if (!error)
        return TOYDB_LOST;
    struct toydb_error cause = *error;
    bool canceled = strcmp(cause.sqlstate, "57014") == 0;
    client__error_set(error, TOYDB_LOST, canceled ? "57014" : "08007",
                      "connection to the node was lost, whether the statement took effect is "
                      "not known");
    snprintf(error->detail, sizeof error->detail, "%s", cause.message);
    return TOYDB_LOST;
}

static enum toydb_result request_resend(struct toydb_session *session, struct toydb_error *error)
{
    session->resends++;
    enum toydb_result result = client__session_reconnect(session, error);
    if (result == TOYDB_OK) {
        request_mark(session);
        grpc_call_send(session->call, buffer_slice(&session->request));
        return TOYDB_OK;
    }
    client__request_over(session);
    return outcome_open(error);
}

enum toydb_result client__transaction_lost(struct toydb_session *session, struct toydb_error *error)
{
    static const char stopped[] = "57P01";
    bool node_stopped = session->call_status == GRPC_UNAVAILABLE &&
                        strncmp(session->call_message, stopped, sizeof stopped - 1) == 0;
    return client__error_set(error, TOYDB_LOST, "08006", "%s, the transaction is rolled back",
                             node_stopped ? "node was stopped" : "connection to the node was lost");
}

enum toydb_result client__request_lost(struct toydb_session *session, struct toydb_error *error)
{
    ASSERT(session->running && !session->call);
    bool idle = session->transaction == TOYDB_TRANSACTION_IDLE;
    bool may_commit = session->may_commit && session->transaction == TOYDB_TRANSACTION_OPEN;
    session->transaction = TOYDB_TRANSACTION_IDLE;
    if (!status_is_loss(session->call_status)) {
        client__request_over(session);
        return session_refused(session, error);
    }
    if ((idle || may_commit) && !session->delivered && !session->cancel_sent &&
        session->resends < RESENDS_MAX) {
        session->outcome_only = session->outcome_only || may_commit;
        return request_resend(session, error);
    }
    bool canceled = session->cancel_sent;
    client__request_over(session);
    if (canceled && idle)
        return client__error_set(error, TOYDB_LOST, "57014",
                                 "canceled by the user, the connection was given up");
    if (!idle && !may_commit)
        return client__transaction_lost(session, error);
    return client__error_set(
        error, TOYDB_LOST, "08007",
        "connection to the node was lost, whether the statement took effect is "
        "not known");
}

enum toydb_result client__resend_judge(const struct toydb_session *session, const char *sqlstate,
                                       struct toydb_error *error)
{
    if (session->resends == 0)
        return TOYDB_ERROR;
    if (session->outcome_only && strcmp(sqlstate, "40000") == 0)
        return client__error_set(error, TOYDB_LOST, "08006",
                                 "connection to the node was lost, the transaction is rolled back");
    /* A node without a quorum cannot know what became of a sending before. */
    if (strcmp(sqlstate, "57P03") == 0)
        return client__error_set(error, TOYDB_LOST, "08007",
                                 "connection to the node was lost and the next has no quorum, "
                                 "whether the statement took effect is not known");
    if (session->outcome_only && strcmp(sqlstate, "40003") == 0)
        return client__error_set(error, TOYDB_LOST, "08007",
                                 "connection to the node was lost, whether the transaction is "
                                 "committed is not known");
    return TOYDB_ERROR;
}
