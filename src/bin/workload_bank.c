/* Transfers between customers, in explicit transactions: from the richest account of one customer
 * to the poorest of another, both found by a join, an index and ORDER BY ... LIMIT 1. Whatever
 * happens to nodes and connections, money is neither made nor lost, and no account is overdrawn.
 * Now and then a client counts it all while the others go on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/text_int.h"
#include "bin/workload_int.h"

enum { ACCOUNTS_PER_CUSTOMER = 10, BALANCE = 1000, AUDIT_EVERY = 64 };

static const char sql_total[] = "SELECT sum(balance), count(*), min(balance) FROM accounts";
static const char sql_richest[] =
    "SELECT a.id, a.balance FROM customers c JOIN accounts a ON a.customer_id = c.id "
    "WHERE c.id = $1 ORDER BY a.balance DESC, a.id LIMIT 1";
static const char sql_poorest[] =
    "SELECT a.id, a.balance FROM customers c JOIN accounts a ON a.customer_id = c.id "
    "WHERE c.id = $1 ORDER BY a.balance, a.id LIMIT 1";
static const char sql_change[] = "UPDATE accounts SET balance = balance + $2 WHERE id = $1";

static bool create_tables(struct toydb_session *session)
{
    return bin__run(session, "DROP TABLE IF EXISTS accounts") &&
           bin__run(session, "DROP TABLE IF EXISTS customers") &&
           bin__run(session,
                    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)") &&
           bin__run(session, "CREATE TABLE accounts (id INTEGER PRIMARY KEY, "
                             "customer_id INTEGER NOT NULL REFERENCES customers (id), "
                             "balance INTEGER NOT NULL)") &&
           bin__run(session, "CREATE INDEX accounts_customer ON accounts (customer_id, balance)");
}

static bool setup(struct bin__workload *workload, struct toydb_session *session)
{
    struct buffer sql = {0};
    bool done = create_tables(session);
    for (uint64_t c = 1; c <= workload->rows && done; c++) {
        buffer_reset(&sql);
        buffer_printf(&sql,
                      "INSERT INTO customers VALUES (%" PRIu64 ", 'customer %" PRIu64 "'); "
                      "INSERT INTO accounts VALUES ",
                      c, c);
        for (uint64_t a = 0; a < ACCOUNTS_PER_CUSTOMER; a++)
            buffer_printf(&sql, "%s(%" PRIu64 ", %" PRIu64 ", %d)", a ? ", " : "",
                          (c - 1) * ACCOUNTS_PER_CUSTOMER + a + 1, c, BALANCE);
        buffer_append_byte(&sql, '\0');
        done = bin__run(session, (const char *)sql.data);
    }
    buffer_free(&sql);
    return done;
}

/* ---- counting ------------------------------------------------------------------------------- */

/* Is what was counted what there must be? */
static bool total_judge(struct bin__workload *workload, const int64_t counted[3], bool found,
                        const char *address)
{
    int64_t accounts = (int64_t)workload->rows * ACCOUNTS_PER_CUSTOMER;
    if (found && counted[0] == accounts * BALANCE && counted[1] == accounts && counted[2] >= 0)
        return true;
    atomic_fetch_add(&workload->wrong, 1);
    bin__workload_complain(workload,
                           "%s has %" PRId64 " in %" PRId64 " accounts, the least %" PRId64
                           "; there must be %" PRId64 " in %" PRId64,
                           address, counted[0], counted[1], counted[2], accounts * BALANCE,
                           accounts);
    return false;
}

static enum toydb_result audit(struct bin__client *client, struct toydb_error *error)
{
    int64_t counted[3] = {0};
    bool found;
    enum toydb_result result =
        bin__query_integers(client->session, sql_total, NULL, 0, counted, 3, &found, error);
    if (result == TOYDB_OK)
        total_judge(client->workload, counted, found, toydb_peer(client->session));
    return result;
}

/* ---- a transfer ----------------------------------------------------------------------------- */

static enum toydb_result change(struct bin__client *client, int64_t account, int64_t amount,
                                struct toydb_error *error)
{
    const struct toydb_value values[] = {bin__integer(account), bin__integer(amount)};
    return toydb_execute(client->session, sql_change, values, 2, NULL, NULL, error);
}

static enum toydb_result find_account(struct bin__client *client, const char *sql,
                                      uint64_t customer, int64_t account[2],
                                      struct toydb_error *error)
{
    struct toydb_value key = bin__integer((int64_t)customer);
    bool found;
    enum toydb_result result =
        bin__query_integers(client->session, sql, &key, 1, account, 2, &found, error);
    if (result == TOYDB_OK && !found) {
        atomic_fetch_add(&client->workload->wrong, 1);
        bin__workload_complain(client->workload, "customer %" PRIu64 " has no account", customer);
        account[0] = account[1] = 0;
    }
    return result;
}

static enum toydb_result transfer_once(struct bin__client *client, struct toydb_error *error)
{
    uint64_t customers = client->workload->rows;
    uint64_t from = prng_between(&client->prng, 1, customers);
    uint64_t to = (from + prng_between(&client->prng, 0, customers - 2)) % customers + 1;
    int64_t source[2], target[2];
    ASSERT(from != to);
    enum toydb_result result = toydb_execute(client->session, "BEGIN", NULL, 0, NULL, NULL, error);
    if (result == TOYDB_OK)
        result = find_account(client, sql_richest, from, source, error);
    if (result == TOYDB_OK)
        result = find_account(client, sql_poorest, to, target, error);
    if (result == TOYDB_OK && source[1] > 0) {
        int64_t amount = (int64_t)prng_between(&client->prng, 1, (uint64_t)source[1]);
        result = change(client, source[0], -amount, error);
        if (result == TOYDB_OK)
            result = change(client, target[0], amount, error);
    }
    if (result == TOYDB_OK)
        result = toydb_execute(client->session, "COMMIT", NULL, 0, NULL, NULL, error);
    if (result == TOYDB_ERROR &&
        toydb_transaction_state(client->session) != TOYDB_TRANSACTION_IDLE) {
        struct toydb_error ignored; /* lost too: then it is rolled back anyway */
        enum toydb_result end =
            toydb_execute(client->session, "ROLLBACK", NULL, 0, NULL, NULL, &ignored);
        MAYBE(end == TOYDB_OK);
    }
    return result;
}

static enum toydb_result operate(struct bin__client *client, struct toydb_error *error)
{
    enum toydb_result result;
    if (prng_chance(&client->prng, 1, AUDIT_EVERY))
        return audit(client, error);
    while ((result = transfer_once(client, error)) == TOYDB_ERROR && bin__is_conflict(error))
        atomic_fetch_add(&client->workload->retries, 1);
    return result;
}

static bool check_node(struct bin__workload *workload, struct toydb_session *session,
                       const char *address)
{
    int64_t counted[3] = {0};
    bool found;
    struct toydb_error error;
    if (bin__query_integers(session, sql_total, NULL, 0, counted, 3, &found, &error) != TOYDB_OK) {
        bin__workload_complain(workload, "could not read from %s: %s", address, error.message);
        return false;
    }
    return total_judge(workload, counted, found, address);
}

static bool verify(struct bin__workload *workload)
{
    struct buffer text = {0};
    uint32_t checked;
    bool right = bin__workload_check_all(workload, check_node, &checked);
    right = right && atomic_load(&workload->wrong) == 0;
    bin__count_text(&text, workload->rows * ACCOUNTS_PER_CUSTOMER * BALANCE);
    if (right)
        printf("verified: the total is still %.*s and no account is overdrawn, read from %" PRIu32
               " node%s\n",
               (int)text.size, (const char *)text.data, checked, checked == 1 ? "" : "s");
    buffer_free(&text);
    return right;
}

const struct bin__workload_kind bin__workload_bank = {
    .name = "bank", .unit = "transfers", .setup = setup, .operate = operate, .verify = verify};
