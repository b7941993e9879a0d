/* Clients that speak SQL, through the server's own sessions on simulated nodes (sim_host.h).
 *
 *     IDLE --a job begins--> TEXT --answer--> next text ... --> IDLE
 *                              | node down, or 40003: the outcome of a commit is open
 *                              v
 *                            ASK: the same request again from any node, until there is an answer
 *
 * WHAT IS HELD TO BE TRUE, each by a SELECT on any node at any time, and on every node at the end:
 *
 *     accounts   the sum of all balances never changes
 *     names      no name is there twice (UNIQUE)
 *     children   each has its parent (FOREIGN KEY)
 *     tokens     found by the index that is built now and then, each as often as in the table
 *     entries    a client's entries are those it was told of, once each, at once visible
 * everywhere; not those it was refused; of those it never heard of again perhaps
 *
 * A request id makes each statement that commits safe to send again. Transactions in several texts
 * (BEGIN, ..., COMMIT) end with their session: what became of them is asked for. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sim.h"
#include "sim_host.h"

enum {
    TEXTS_MAX = 7,
    TEXT_SIZE = 220,
    ID_SIZE = 32,
    ASKS_MAX = 1000,
    NAMES = 12,
    PARENTS = 6,
    TOKENS = 6
};

enum job {
    JOB_TRANSFER,      /* in a transaction of several texts */
    JOB_TRANSFER_TEXT, /* in one text */
    JOB_ENTRY,
    JOB_NAME,
    JOB_NAME_GONE,
    JOB_PARENT,
    JOB_PARENT_GONE,
    JOB_CHILD,
    JOB_CHILD_GONE,
    JOB_TOKEN,
    JOB_TOKEN_GONE,
    JOB_TOKEN_MOVED, /* it gets another key, or only what stands with it in the index changes */
    JOB_INDEX,
    JOB_INDEX_GONE,
    JOB_VACUUM,
    JOB_RANDOM_COUNT, /* those above are begun at random, and audits */
    JOB_AUDIT_SUM = JOB_RANDOM_COUNT,
    JOB_AUDIT_NAMES,
    JOB_AUDIT_CHILDREN,
    JOB_AUDIT_ENTRIES,
    JOB_AUDIT_INDEX,
    JOB_AUDIT_TOKENS,
    JOB_AUDIT_OWN,
    JOB_COUNT,
    JOB_SCHEMA, /* once, before all others */
};

enum state { STATE_IDLE, STATE_TEXT, STATE_NEXT, STATE_ASK };

struct sql_client {
    struct sim *sim;
    uint32_t number;
    enum state state;
    enum job job;
    bool timer;
    uint32_t node;
    struct sim_session *session;
    char texts[TEXTS_MAX][TEXT_SIZE];
    uint32_t text_count, text;
    bool asks_outcome; /* the last text cannot be sent again: it is the COMMIT of a transaction */
    bool outcome;      /* what runs is the question what became of it */
    char id[ID_SIZE];  /* of the request that commits */
    uint64_t requests;
    uint32_t asks;
    bool open;    /* a sending's outcome is not known */
    bool spoiled; /* the session is in a transaction that failed */
    uint64_t entry, entry_sum, entries_told, entries_open;
    uint64_t floor_all, floor_own; /* entries known when the job began */
    uint32_t audited;              /* of the last round */
};

struct sql_node {
    struct sim *sim;
    uint32_t number;
    struct sim_host *host;
};

struct sim_sql {
    struct sql_client clients[SIM_SQL_CLIENTS_MAX];
    uint32_t count;
    bool ready; /* the schema is there */
    bool final; /* client 0 audits every node */
    uint32_t final_node;
    uint64_t entries_told;
    struct sql_node nodes[CLUSTER_NODES_MAX];
};

static void client_timer(void *context);
static void on_done(void *context, const struct sim_answer *answer);

static void client_rest(struct sql_client *client, enum state state)
{
    client->state = state;
    if (client->timer)
        return;
    client->timer = true;
    bool waits = state == STATE_IDLE || state == STATE_ASK;
    cluster_after(client->sim->cluster, prng_between(&client->sim->prng, 300, waits ? 40000 : 3000),
                  client_timer, client);
}

/* The text is a transaction, or ends one. */
static bool text_commits(const struct sql_client *client)
{
    return client->text + 1 == client->text_count || client->job == JOB_SCHEMA;
}

static void client_leave(struct sql_client *client)
{
    if (client->session)
        sim_session_close(client->session);
    client->session = NULL;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void node_wakes(void *context)
{
    struct sql_node *node = context;
    cluster_wake(node->sim->cluster, node->number);
}

static void node_wakes_at(void *context, uint64_t time_us)
{
    struct sql_node *node = context;
    uint64_t now_us =
        env_monotonic_us(env_sim_env(cluster_machine(node->sim->cluster, node->number)));
    cluster_after(node->sim->cluster, time_us > now_us ? time_us - now_us : 0, node_wakes, node);
}

static struct sim_host *host_on(struct sim *sim, uint32_t number)
{
    struct sql_node *node = &sim->sql->nodes[number];
    if (!node->host) {
        struct sim_host_events events = {
            .context = node, .wake = node_wakes, .wake_at = node_wakes_at};
        node->host = sim_host_create(env_sim_env(cluster_machine(sim->cluster, number)),
                                     cluster_replica(sim->cluster, number), prng_next(&sim->prng),
                                     sim->patience_us, &events);
    }
    return node->host;
}

void sim_sql_stepped(struct sim *sim, uint32_t number)
{
    struct sim_host *host = sim->sql->nodes[number].host;
    if (host && !cluster_node_failed(sim->cluster, number) && sim_host_run(host))
        cluster_wake(sim->cluster, number);
}

void sim_sql_down(struct sim *sim, uint32_t number)
{
    struct sql_node *node = &sim->sql->nodes[number];
    if (!node->host)
        return;
    for (uint32_t i = 0; i < sim->sql->count; i++) {
        struct sql_client *client = &sim->sql->clients[i];
        if (!client->session || client->node != number)
            continue;
        client_leave(client);
        bool commits = client->state == STATE_TEXT && text_commits(client);
        if (commits || client->open) {
            client->open = true;
            client_rest(client, STATE_ASK);
        } else if (client->state != STATE_IDLE && client->job != JOB_SCHEMA) {
            client_rest(client, STATE_IDLE); /* a transaction that never came to its COMMIT */
        }
    }
    sim_host_destroy(node->host);
    node->host = NULL;
}

/* A session on the node it is on, or on any that runs; false when there is none. */
static bool client_connect(struct sql_client *client)
{
    struct sim *sim = client->sim;
    if (client->session && prng_chance(&sim->prng, 15, 16))
        return true;
    client_leave(client);
    uint32_t first = (uint32_t)prng_below(&sim->prng, sim->nodes);
    for (uint32_t i = 0; i < sim->nodes; i++) {
        client->node = sim->sql->final ? sim->sql->final_node : (first + i) % sim->nodes;
        if (!cluster_replica(sim->cluster, client->node) ||
            cluster_node_failed(sim->cluster, client->node))
            continue;
        client->session = sim_session_open(host_on(sim, client->node), on_done, client);
        return true;
    }
    return false;
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static void text_add(struct sql_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void text_add(struct sql_client *client, const char *format, ...)
{
    ASSERT(client->text_count < TEXTS_MAX);
    va_list args;
    va_start(args, format);
    int size = vsnprintf(client->texts[client->text_count++], TEXT_SIZE, format, args);
    va_end(args);
    ASSERT(size > 0 && size < TEXT_SIZE);
}

static void transfer_write(struct sql_client *client, bool one_text)
{
    struct prng *prng = &client->sim->prng;
    unsigned from = (unsigned)prng_below(prng, SIM_ACCOUNTS);
    unsigned to = (from + 1 + (unsigned)prng_below(prng, SIM_ACCOUNTS - 1)) % SIM_ACCOUNTS;
    unsigned amount = (unsigned)prng_between(prng, 1, 20);
    static const char update[] = "UPDATE accounts SET balance = balance %c %u WHERE id = %u";
    char take[80], give[80];
    snprintf(take, sizeof take, update, '-', amount, from);
    snprintf(give, sizeof give, update, '+', amount, to);
    if (one_text) {
        text_add(client, "BEGIN; %s; %s; COMMIT", take, give);
        return;
    }
    client->asks_outcome = true;
    text_add(client, "BEGIN");
    text_add(client, "SELECT balance, id FROM accounts WHERE id = %u", from);
    text_add(client, "%s", take);
    text_add(client, "%s", give);
    text_add(client, "COMMIT");
}

static void schema_write(struct sql_client *client)
{
    text_add(client, "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)");
    text_add(client, "CREATE TABLE entries (client INTEGER, number INTEGER, "
                     "PRIMARY KEY (client, number))");
    text_add(client, "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)");
    text_add(client, "CREATE TABLE parents (id INTEGER PRIMARY KEY)");
    text_add(client, "CREATE TABLE children (id INTEGER PRIMARY KEY, "
                     "parent INTEGER NOT NULL REFERENCES parents (id))");
    text_add(client, "CREATE TABLE tokens (id INTEGER PRIMARY KEY, token INTEGER NOT NULL, "
                     "owner INTEGER)");
    ASSERT(SIM_ACCOUNTS == 8);
    text_add(client, "INSERT INTO accounts VALUES (0, 100), (1, 100), (2, 100), (3, 100), "
                     "(4, 100), (5, 100), (6, 100), (7, 100)");
}

/* A token may be there twice, with one id or the other, until its index is being built. */
static void token_write(struct sql_client *client)
{
    struct prng *prng = &client->sim->prng;
    unsigned id = (unsigned)prng_below(prng, 2 * TOKENS);
    unsigned token = (unsigned)prng_below(prng, TOKENS);
    if (client->job == JOB_TOKEN)
        text_add(client, "INSERT INTO tokens VALUES (%u, %u, 0)", id, id % TOKENS);
    else if (client->job == JOB_TOKEN_GONE)
        text_add(client, "DELETE FROM tokens WHERE id = %u", id);
    else if (prng_chance(prng, 1, 2))
        text_add(client, "UPDATE tokens SET token = %u WHERE id = %u", token, id);
    else
        text_add(client, "UPDATE tokens SET owner = owner + 1 WHERE id = %u", id);
}

/* By several transactions, though the tables are small. */
static void index_write(struct sql_client *client)
{
    bool tokens = prng_chance(&client->sim->prng, 2, 3);
    if (client->job == JOB_INDEX_GONE)
        text_add(client, "DROP INDEX %s", tokens ? "by_token" : "by_balance");
    else
        text_add(client, "SET online_index_rows = 0; CREATE %s",
                 tokens ? "UNIQUE INDEX by_token ON tokens (token) INCLUDE (owner)"
                        : "INDEX by_balance ON accounts (balance)");
}

static void job_write(struct sql_client *client)
{
    struct prng *prng = &client->sim->prng;
    unsigned name = (unsigned)prng_below(prng, NAMES);
    unsigned parent = (unsigned)prng_below(prng, PARENTS);
    unsigned row = (unsigned)prng_below(prng, 1000);
    switch (client->job) {
    case JOB_TRANSFER:
    case JOB_TRANSFER_TEXT:
        transfer_write(client, client->job == JOB_TRANSFER_TEXT);
        return;
    case JOB_ENTRY:
        text_add(client, "INSERT INTO entries VALUES (%u, %" PRIu64 ")", client->number,
                 ++client->entry);
        return;
    case JOB_NAME:
        text_add(client, "INSERT INTO names VALUES (%u, 'name %u')", row, name);
        return;
    case JOB_NAME_GONE:
        text_add(client, "DELETE FROM names WHERE name = 'name %u'", name);
        return;
    case JOB_PARENT:
        text_add(client, "INSERT INTO parents VALUES (%u)", parent);
        return;
    case JOB_PARENT_GONE:
        text_add(client, "DELETE FROM parents WHERE id = %u", parent);
        return;
    case JOB_CHILD:
        text_add(client, "INSERT INTO children VALUES (%u, %u)", row, parent);
        return;
    case JOB_CHILD_GONE:
        text_add(client, "DELETE FROM children WHERE parent = %u", parent);
        return;
    case JOB_TOKEN:
    case JOB_TOKEN_GONE:
    case JOB_TOKEN_MOVED:
        token_write(client);
        return;
    case JOB_INDEX:
    case JOB_INDEX_GONE:
        index_write(client);
        return;
    case JOB_VACUUM:
        text_add(client, "VACUUM");
        return;
    case JOB_AUDIT_SUM:
        text_add(client, "SELECT CAST(SUM(balance) AS INTEGER), COUNT(*) FROM accounts");
        return;
    case JOB_AUDIT_NAMES:
        text_add(client, "SELECT COUNT(*) FROM names GROUP BY name HAVING COUNT(*) > 1");
        return;
    case JOB_AUDIT_CHILDREN:
        text_add(client, "SELECT children.id FROM children LEFT JOIN parents "
                         "ON children.parent = parents.id WHERE parents.id IS NULL");
        return;
    case JOB_AUDIT_ENTRIES:
        text_add(client, "SELECT COUNT(*) FROM entries");
        return;
    case JOB_AUDIT_INDEX:
        text_add(client,
                 "SELECT CAST(SUM(1) AS INTEGER), 0 FROM accounts WHERE balance > -1000000");
        return;
    case JOB_AUDIT_TOKENS:
        text_add(client, "SELECT (SELECT CAST(COUNT(*) + SUM(owner) AS INTEGER) FROM tokens "
                         "WHERE token >= 0), (SELECT CAST(COUNT(*) + SUM(owner) AS INTEGER) "
                         "FROM tokens WHERE id >= 0)");
        return;
    case JOB_AUDIT_OWN:
        text_add(client,
                 "SELECT COUNT(*), CAST(SUM(number) AS INTEGER) FROM entries WHERE client = %u",
                 client->number);
        return;
    case JOB_SCHEMA:
        schema_write(client);
        return;
    case JOB_COUNT:
        break;
    }
    UNREACHABLE();
}

static void text_submit(struct sql_client *client)
{
    struct sim *sim = client->sim;
    const char *text = client->texts[client->text];
    bool commits = text_commits(client);
    cluster_trace(sim->cluster, "sql s%02u on %u%s%s: %s", client->number, client->node + 1,
                  commits ? " as " : "", commits ? client->id : "", text);
    client->state = STATE_TEXT;
    client->outcome = false;
    sim_session_submit(client->session, slice_from_string(text),
                       commits ? slice_from_string(client->id) : (struct slice){0}, client->open);
}

static void id_next(struct sql_client *client)
{
    snprintf(client->id, sizeof client->id, "s%02u.%" PRIu64, client->number, ++client->requests);
    client->asks = 0;
    client->open = false;
}

static void job_begin(struct sql_client *client)
{
    struct sim *sim = client->sim;
    struct sim_sql *sql = sim->sql;
    client->asks_outcome = false;
    client->text_count = client->text = 0;
    client->floor_all = sql->entries_told;
    client->floor_own = client->entries_told;
    if (sql->final)
        client->job = (enum job)(JOB_AUDIT_SUM + client->audited);
    else if (!sql->ready)
        client->job = JOB_SCHEMA;
    else
        client->job = (enum job)prng_below(&sim->prng, JOB_COUNT);
    bool index =
        client->job == JOB_INDEX || client->job == JOB_INDEX_GONE || client->job == JOB_VACUUM;
    if (index && prng_chance(&sim->prng, 3, 4))
        client->job = JOB_TRANSFER;
    if (!client_connect(client)) {
        client_rest(client, STATE_IDLE);
        return;
    }
    id_next(client);
    job_write(client);
    text_submit(client);
}

/* Again, until there is an answer. */
static void client_ask(struct sql_client *client)
{
    struct sim *sim = client->sim;
    ASSERT(client->open);
    if (client->asks >= ASKS_MAX) {
        sim->unknown++;
        if (!sim->clocks_jumped)
            sim_fail(sim, "the outcome of %s is never told", client->id);
        client->entries_open += client->job == JOB_ENTRY;
        client->open = false;
        client_rest(client, STATE_IDLE);
        return;
    }
    client_leave(client);
    if (!client_connect(client)) {
        client_rest(client, STATE_ASK);
        return;
    }
    client->asks++;
    if (!client->asks_outcome) {
        text_submit(client);
        return;
    }
    cluster_trace(sim->cluster, "sql s%02u on %u: what became of %s?", client->number,
                  client->node + 1, client->id);
    client->state = STATE_TEXT;
    client->outcome = true;
    sim_session_outcome(client->session, slice_from_string(client->id));
}

/* ---- answers -------------------------------------------------------------------------------- */

static void audit_fail(struct sql_client *client, const struct sim_answer *answer, const char *what)
{
    sim_fail(client->sim,
             "s%02u on node %u: %s: %u rows, the last (%" PRId64 ", %" PRId64 "); \"%s\"; told of "
             "%" PRIu64 " entries, %" PRIu64 " open; before it %" PRIu64 " own, %" PRIu64 " of all",
             client->number, client->node + 1, what, answer->rows, answer->values[0],
             answer->values[1], client->texts[client->text], client->entries_told,
             client->entries_open, client->floor_own, client->floor_all);
}

static void audit_check(struct sql_client *client, const struct sim_answer *answer)
{
    const int64_t *values = answer->values;
    switch (client->job) {
    case JOB_AUDIT_SUM:
        if (values[0] != SIM_ACCOUNTS * SIM_ACCOUNT_START || values[1] != SIM_ACCOUNTS)
            audit_fail(client, answer, "the sum of all accounts changed");
        return;
    case JOB_AUDIT_NAMES:
        if (answer->rows)
            audit_fail(client, answer, "a unique name is there twice");
        return;
    case JOB_AUDIT_CHILDREN:
        if (answer->rows)
            audit_fail(client, answer, "a child has no parent");
        return;
    case JOB_AUDIT_ENTRIES:
        if (values[0] < (int64_t)client->floor_all)
            audit_fail(client, answer, "entries that were known are missing");
        return;
    case JOB_AUDIT_INDEX:
        if (values[0] != SIM_ACCOUNTS)
            audit_fail(client, answer, "an index has not all accounts, or some twice");
        return;
    case JOB_AUDIT_TOKENS:
        if (values[0] != values[1])
            audit_fail(client, answer, "an index has other tokens than the table");
        return;
    case JOB_AUDIT_OWN:
        if (values[0] < (int64_t)client->floor_own ||
            values[0] > (int64_t)(client->floor_own + client->entries_open) ||
            (!client->entries_open && values[1] != (int64_t)client->entry_sum))
            audit_fail(client, answer, "entries are not those that were told of");
        return;
    default:
        return;
    }
}

static void job_done(struct sql_client *client, const struct sim_answer *answer)
{
    struct sim_sql *sql = client->sim->sql;
    client->open = false;
    if (client->job == JOB_ENTRY) {
        client->entries_told++;
        client->entry_sum += client->entry;
        sql->entries_told++;
    }
    if (client->job < JOB_RANDOM_COUNT)
        client->sim->sql_commits++;
    else
        audit_check(client, answer);
    sql->ready = sql->ready || client->job == JOB_SCHEMA;
    if (sql->final)
        client->audited++;
    client_rest(client, STATE_IDLE);
}

static bool is_state(const struct sim_answer *answer, const char *sqlstate)
{
    return strcmp(answer->sqlstate, sqlstate) == 0;
}

/* What may always happen, to anyone. */
static bool is_trouble(const struct sim_answer *answer)
{
    return is_state(answer, "57P03") || is_state(answer, "53100") || is_state(answer, "57P01");
}

static bool is_expected(const struct sql_client *client, const struct sim_answer *answer)
{
    if (is_trouble(answer) || is_state(answer, "40001"))
        return true;
    switch (client->job) {
    case JOB_NAME:
    case JOB_PARENT:
    case JOB_TOKEN:
    case JOB_TOKEN_MOVED:
        return is_state(answer, "23505");
    case JOB_CHILD:
        return is_state(answer, "23505") || is_state(answer, "23503");
    case JOB_PARENT_GONE:
        return is_state(answer, "23503");
    case JOB_INDEX:
        return is_state(answer, "42P07") || is_state(answer, "55000") || is_state(answer, "23505");
    case JOB_INDEX_GONE:
        return is_state(answer, "42704");
    default:
        return false;
    }
}

static void unexpected(struct sql_client *client, const struct sim_answer *answer)
{
    struct error error;
    error_set(&error, ERR_CORRUPT, "%s", answer->message);
    bool damage =
        is_state(answer, "XX001") && sim_disk_met_damage(client->sim, client->node, &error);
    if (!damage)
        sim_fail(client->sim, "s%02u on node %u: \"%s\": %s %s", client->number, client->node + 1,
                 client->texts[client->text], answer->sqlstate, answer->message);
}

/* The last text has failed, once or, after a sending without an answer, again. */
static void commit_failed(struct sql_client *client, const struct sim_answer *answer)
{
    bool refused = is_state(answer, "40001") || is_state(answer, "40000");
    if (is_state(answer, "40003") || (client->open && !refused)) {
        /* A sending before may still come through, whatever became of this one. */
        bool said_no = !is_state(answer, "40003") && !is_trouble(answer);
        if (said_no && (client->outcome || !is_expected(client, answer)))
            unexpected(client, answer);
        /* The statement cannot be done now: it remains to ask whether it was. */
        client->asks_outcome = client->asks_outcome || said_no;
        client->open = true;
        client_rest(client, STATE_ASK);
        return;
    }
    bool asked = client->outcome && is_state(answer, "40000");
    if (!asked && !is_expected(client, answer))
        unexpected(client, answer);
    client->open = false;
    client->sim->sql_refusals++;
    client_rest(client, STATE_IDLE);
}

static void on_done(void *context, const struct sim_answer *answer)
{
    struct sql_client *client = context;
    ASSERT(client->state == STATE_TEXT && client->session);
    bool last = client->text + 1 == client->text_count;
    client->spoiled = answer->failed;
    cluster_trace(client->sim->cluster,
                  "sql s%02u gets %s %s %" PRIu64 " %u (%" PRId64 ", %" PRId64 ")", client->number,
                  answer->failed ? answer->sqlstate : answer->tag,
                  answer->failed ? answer->message : "", answer->rows_changed, answer->rows,
                  answer->values[0], answer->values[1]);
    if (client->job == JOB_SCHEMA && answer->failed) {
        /* Each of its texts is safe to send again. */
        if (!is_trouble(answer) && !is_state(answer, "40003") && !is_state(answer, "40001"))
            unexpected(client, answer);
        client->open = true;
        client_rest(client, STATE_ASK);
    } else if (answer->failed && last) {
        commit_failed(client, answer);
    } else if (answer->failed) {
        if (!is_expected(client, answer))
            unexpected(client, answer);
        client->sim->sql_refusals++;
        client_rest(client, STATE_IDLE);
    } else if (last) {
        job_done(client, answer);
    } else {
        client->text++;
        client->open = false;
        client_rest(client, STATE_NEXT);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static bool may_begin(const struct sql_client *client)
{
    const struct sim *sim = client->sim;
    if (sim->sql->final)
        return client->number == 0 && client->audited < JOB_COUNT - JOB_AUDIT_SUM;
    return !sim->ending && (sim->sql->ready || client->number == 0);
}

static void client_timer(void *context)
{
    struct sql_client *client = context;
    client->timer = false;
    switch (client->state) {
    case STATE_IDLE:
        if (client->spoiled)
            client_leave(client);
        client->spoiled = false;
        if (may_begin(client))
            job_begin(client);
        else if (!client->sim->ending)
            client_rest(client, STATE_IDLE);
        return;
    case STATE_NEXT:
        if (!client->session && !client_connect(client)) {
            client_rest(client, STATE_NEXT);
            return;
        }
        if (client->job == JOB_SCHEMA)
            id_next(client);
        text_submit(client);
        return;
    case STATE_ASK:
        client_ask(client);
        return;
    case STATE_TEXT:
        return;
    }
}

void sim_sql_start(struct sim *sim, uint32_t count)
{
    ASSERT(count <= SIM_SQL_CLIENTS_MAX);
    sim->sql = mem_zalloc(1, sizeof *sim->sql);
    sim->sql->count = count;
    for (uint32_t i = 0; i < CLUSTER_NODES_MAX; i++)
        sim->sql->nodes[i] = (struct sql_node){.sim = sim, .number = i};
    for (uint32_t i = 0; i < count; i++) {
        sim->sql->clients[i] = (struct sql_client){.sim = sim, .number = i};
        client_rest(&sim->sql->clients[i], STATE_IDLE);
    }
}

void sim_sql_free(struct sim *sim)
{
    for (uint32_t i = 0; i < CLUSTER_NODES_MAX; i++)
        ASSERT(!sim->sql->nodes[i].host); /* down with its node */
    mem_free(sim->sql);
}

bool sim_sql_idle(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->sql->count; i++)
        if (sim->sql->clients[i].state != STATE_IDLE)
            return false;
    return true;
}

void sim_sql_describe(const struct sim *sim, struct buffer *out)
{
    static const char *const names[] = {"idle", "waits for an answer", "between texts", "asks"};
    for (uint32_t i = 0; i < sim->sql->count; i++) {
        const struct sql_client *client = &sim->sql->clients[i];
        if (client->state != STATE_IDLE)
            buffer_printf(out, " %s %s on %u;", client->id, names[client->state], client->node + 1);
    }
}

bool sim_sql_audit(struct sim *sim, uint32_t node)
{
    struct sim_sql *sql = sim->sql;
    if (sql->count == 0 || !sql->ready)
        return false;
    struct sql_client *client = &sql->clients[0];
    client_leave(client);
    sql->final = true;
    sql->final_node = node;
    client->audited = 0;
    client->open = false;
    client_rest(client, STATE_IDLE);
    return true;
}

bool sim_sql_audited(struct sim *sim)
{
    struct sql_client *client = &sim->sql->clients[0];
    if (cluster_replica(sim->cluster, sim->sql->final_node))
        return client->audited == JOB_COUNT - JOB_AUDIT_SUM && client->state == STATE_IDLE;
    /* It met damage on its disk, or has heard that it is no member any more. It is not asked again:
     * it may never come back. */
    client_leave(client);
    client->audited = JOB_COUNT - JOB_AUDIT_SUM;
    client->open = false;
    client->state = STATE_IDLE;
    return true;
}
