/* What the leader does unasked: VACUUM, when the schema as its engine last saw it has something
 * left to be removed, and now and then in case another node knows more. It is a session like a
 * client's, open only while it runs. */
#include "base/check.h"
#include "server/node_int.h"
#include "server/session_int.h"

static const uint64_t LOOK_US = 2000000;      /* between two looks, and two runs */
static const uint64_t UNASKED_US = 120000000; /* without anything known to be left */

static void on_header(void *context, const struct sql_column *columns, uint32_t count)
{
    MAYBE(context && columns && count);
}

static void on_rows(void *context, const struct batch *batch, int32_t zone_s)
{
    MAYBE(context && batch && zone_s);
}

static void on_complete(void *context, const char *tag, uint64_t rows, bool more,
                        uint64_t elapsed_us)
{
    MAYBE(context && tag && rows && more && elapsed_us);
}

/* It is tried again at its time. */
static void on_error(void *context, const struct error *error)
{
    MAYBE(context);
    log_info("server", "VACUUM failed: %s", error->message);
}

static void on_done(void *context)
{
    node_housekeeping_stop(context);
}

static bool on_slow(void *context)
{
    MAYBE(context);
    return false;
}

static const struct session_sink sink = {.header = on_header,
                                         .rows = on_rows,
                                         .complete = on_complete,
                                         .error = on_error,
                                         .done = on_done,
                                         .slow = on_slow,
                                         .shutdown = on_done};

void node_housekeeping_stop(struct node *node)
{
    struct session *session = node->housekeeping;
    if (!session)
        return;
    node->housekeeping = NULL;
    session_close(session);
}

void node_housekeeping_tick(struct node *node, uint64_t now_us)
{
    if (node->stopping || node->failed || node->housekeeping || now_us < node->look_us)
        return;
    node->look_us = now_us + LOOK_US;
    struct replica_status status;
    replica_status(node->replica, &status);
    if (status.role != RAFT_LEADER)
        return;
    if (!sql_engine_has_leftovers(node->engine) && now_us < node->unasked_us)
        return;
    node->unasked_us = now_us + UNASKED_US;
    node->housekeeping = session_open(node, &sink, node);
    if (!node->housekeeping)
        return;
    const struct session_request request = {.text = slice_from_string("VACUUM")};
    session_submit(node->housekeeping, &request);
}
