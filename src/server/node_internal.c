/* toydb_internal.nodes, sessions and transactions: what this node knows, from local state only. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "server/session_life_int.h"

/* ---- nodes ------------------------------------------------------------------------------------
 */

static void nodes_fill(const struct node *node, struct sql_rows *rows)
{
    static const struct sql_column columns[] = {
        {"id", SQL_INTEGER},    {"address", SQL_TEXT},         {"role", SQL_TEXT},
        {"voter", SQL_BOOLEAN}, {"is_here", SQL_BOOLEAN},      {"match_index", SQL_INTEGER},
        {"term", SQL_INTEGER},  {"commit_index", SQL_INTEGER},
    };
    struct replica_status status;
    struct replica_members members;
    replica_status(node->replica, &status);
    replica_members(node->replica, &members);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sql_rows_column(rows, columns[i].name, columns[i].type);
    for (uint32_t i = 0; i < members.count; i++) {
        const struct replica_member *member = &members.items[i];
        bool here = member->id == status.id;
        uint64_t match;
        sql_rows_begin(rows);
        sql_rows_integer(rows, (int64_t)member->id);
        sql_rows_text(rows, member->address);
        sql_rows_text(rows, node_role(node, &status, member));
        sql_rows_boolean(rows, member->voter);
        sql_rows_boolean(rows, here);
        if (node_match_index(&status, member, &match))
            sql_rows_integer(rows, (int64_t)match);
        else
            sql_rows_text(rows, NULL);
        /* Of the others this node does not know. */
        if (here) {
            sql_rows_integer(rows, (int64_t)status.term);
            sql_rows_integer(rows, (int64_t)status.commit_index);
        } else {
            sql_rows_text(rows, NULL);
            sql_rows_text(rows, NULL);
        }
    }
}

/* ---- sessions and transactions ----------------------------------------------------------------
 */

static const char *state_name(const struct session *s)
{
    switch (s->state) {
    case SESSION_IDLE:
        return s->txn ? "idle in transaction" : "idle";
    case SESSION_RUNNABLE:
    case SESSION_WORKING:
        return "running";
    case SESSION_BEGIN_WAIT:
        return "waiting for a read version";
    case SESSION_COMMIT_WAIT:
    case SESSION_OUTCOME_WAIT:
        return "waiting for a commit";
    case SESSION_BLOCKED:
        return "waiting for the client";
    case SESSION_BACKOFF:
        return "waiting to try again";
    }
    UNREACHABLE();
}

static void sessions_fill(const struct node *node, struct sql_rows *rows)
{
    uint64_t now_us = env_monotonic_us(node->env);
    sql_rows_column(rows, "id", SQL_INTEGER);
    sql_rows_column(rows, "state", SQL_TEXT);
    sql_rows_column(rows, "statement", SQL_TEXT);
    sql_rows_column(rows, "statement_us", SQL_INTEGER);
    sql_rows_column(rows, "opened_us", SQL_INTEGER);
    for (const struct session *s = node->sessions; s; s = s->next) {
        if (s->closing || s == node->housekeeping)
            continue;
        bool runs = s->state != SESSION_IDLE;
        sql_rows_begin(rows);
        sql_rows_integer(rows, (int64_t)s->number);
        sql_rows_text(rows, state_name(s));
        sql_rows_text(rows, *s->text ? s->text : NULL);
        if (runs)
            sql_rows_integer(rows, (int64_t)(now_us - s->statement_us));
        else
            sql_rows_text(rows, NULL);
        sql_rows_integer(rows, (int64_t)(now_us - s->opened_us));
    }
}

/* Another thread may use the transaction of a session: only what does not change is looked at. */
static void transactions_fill(const struct node *node, struct sql_rows *rows)
{
    uint64_t now_us = env_monotonic_us(node->env);
    sql_rows_column(rows, "session", SQL_INTEGER);
    sql_rows_column(rows, "read_version", SQL_INTEGER);
    sql_rows_column(rows, "read_only", SQL_BOOLEAN);
    sql_rows_column(rows, "open_us", SQL_INTEGER);
    for (const struct session *s = node->sessions; s; s = s->next) {
        if (!s->txn || s == node->housekeeping)
            continue;
        sql_rows_begin(rows);
        sql_rows_integer(rows, (int64_t)s->number);
        sql_rows_integer(rows, (int64_t)s->txn->txn.view.version);
        sql_rows_boolean(rows, s->txn->txn.read_only);
        sql_rows_integer(rows, (int64_t)(now_us - s->txn_us));
    }
}

bool node_internal(void *context, const char *table, struct sql_rows *rows)
{
    static const struct {
        const char *name;
        void (*fill)(const struct node *node, struct sql_rows *rows);
    } all[] = {
        {"nodes", nodes_fill}, {"sessions", sessions_fill}, {"transactions", transactions_fill}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(table, all[i].name) == 0) {
            all[i].fill(context, rows);
            return true;
        }
    }
    return false;
}
