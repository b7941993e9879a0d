/* Where a statement is planned.
 *
 * Most plans are made in microseconds where the statement arrived: on the thread that serves all
 * sessions. One that takes longer than BRIEF_US there is given up and begun again on a worker,
 * where it is in nobody's way and where a cancellation finds it. The rows of toydb_internal that
 * the driver makes are to be had on the driver's thread alone: a plan that needs them is begun
 * again there, and made to its end.
 *
 *     BRIEFLY -- takes long --> APART -- needs the driver's rows --> AT_HOME
 *
 * What plans as it runs (CREATE VIEW, CREATE TABLE AS) runs on a worker, and is APART from the
 * beginning. Between two places stands an SQL_EVENT_EXECUTE: "the next step does real work". */
#include "base/check.h"
#include "sql_int.h"

enum { BRIEF_US = 5000 };
/* From the first poll on: a plan that comes from the cache need not know what time it is. */
static const uint64_t FROM_FIRST_POLL = UINT64_MAX;

static status_t planning_poll(void *context, struct error *error)
{
    struct sql_session *session = context;
    if (atomic_load(&session->cancel))
        return error_set(error, ERR_CANCELED, "%s", status_text(ERR_CANCELED));
    if (session->planning_until_us == 0)
        return OK;
    uint64_t now_us = env_monotonic_us(session->engine->env);
    if (session->planning_until_us == FROM_FIRST_POLL)
        session->planning_until_us = now_us + BRIEF_US;
    if (now_us <= session->planning_until_us)
        return OK;
    session->planning_next = PLANNED_APART;
    return error_set(error, ERR_BUSY, "planning goes on elsewhere");
}

void sql__planning_begin(struct sql_session *session, struct plan_options *options)
{
    ASSERT(session->planning <= PLANNED_AT_HOME);
    session->planning_next = session->planning;
    session->planning_until_us = 0;
    if (session->planning == PLANNED_BRIEFLY)
        session->planning_until_us = FROM_FIRST_POLL;
    sql__planning_options(session, options);
}

void sql__planning_options(struct sql_session *session, struct plan_options *options)
{
    options->poll = planning_poll;
    options->poll_context = session;
    options->memory_max = sql__statement_memory(session);
}

bool sql__planning_needs_driver(struct sql_session *session)
{
    if (session->planning != PLANNED_APART)
        return false;
    session->planning_next = PLANNED_AT_HOME;
    return true;
}

status_t sql__planning_end(struct sql_session *session, status_t status)
{
    if (status || session->planning_next == session->planning)
        return status;
    return error_set(&session->error, ERR_BUSY, "planning goes on elsewhere");
}

bool sql__planning_moves(struct sql_session *session, struct sql_event *event)
{
    if (session->planning_next == session->planning || session->error.status != ERR_BUSY)
        return false;
    ASSERT(session->planning_next > session->planning);
    session->planning = session->planning_next;
    error_clear(&session->error);
    event->kind = SQL_EVENT_EXECUTE;
    event->is_short = session->planning == PLANNED_AT_HOME;
    return true;
}
