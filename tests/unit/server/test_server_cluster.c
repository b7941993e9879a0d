/* Five nodes in one process, each on its own thread, under mixed load from several clients, with
 * cancels, lost clients, and nodes that stop and come back. What was acknowledged must be there
 * once, and money must neither appear nor vanish. Run under the thread sanitizer too. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/prng.h"
#include "scratch.h"
#include "server/node_int.h"
#include "toydb/toydb.h"

enum { NODES = 5, CLIENTS = 4, ACCOUNTS = 8, MONEY = 100, IDS_MAX = 20000 };

struct member {
    struct server_config config;
    struct node *node;
    struct env_thread *thread;
    uv_async_t stop;
    atomic_bool at_once; /* as if it had failed */
};

struct cluster {
    char dir[128];
    char addresses[NODES][64];
    int ports[NODES]; /* held: also while a node is away */
    struct member members[NODES];
    atomic_bool over;
};

struct load {
    struct cluster *cluster;
    struct env_thread *thread;
    uint32_t number;
    struct prng prng;
    int64_t next_id;
    bool acknowledged[IDS_MAX];
    atomic_uint done;
    uint32_t failed;
};

/* ---- nodes --------------------------------------------------------------------------------------
 */

static void member_run(void *argument)
{
    struct member *member = argument;
    struct error error;
    status_t status = node_run(member->node, &error);
    MAYBE(status != OK);
}

static void on_stop(uv_async_t *async)
{
    struct member *member = async->data;
    if (atomic_load(&member->at_once))
        member->node->failed = true;
    uv_close((uv_handle_t *)async, NULL);
    node_stop(member->node);
}

static void member_start(struct member *member)
{
    struct error error;
    if (node_create(&member->config, &member->node, &error) != OK)
        fail_msg("%s", error.message);
    uv_async_init(&member->node->loop, &member->stop, on_stop);
    member->stop.data = member;
    member->thread = env_thread_start("node", member_run, member);
}

static void member_stop(struct member *member, bool at_once)
{
    atomic_store(&member->at_once, at_once);
    uv_async_send(&member->stop);
    env_thread_join(member->thread);
    node_destroy(member->node);
}

static void cluster_start(struct cluster *cluster)
{
    char peers[NODES * 40] = "";
    scratch_make(cluster->dir, sizeof cluster->dir);
    for (uint32_t i = 0; i < NODES; i++) {
        snprintf(cluster->addresses[i], sizeof cluster->addresses[i], "127.0.0.1:%u",
                 scratch_port(&cluster->ports[i]));
        size_t used = strlen(peers);
        snprintf(peers + used, sizeof peers - used, "%s%u=%s", i ? "," : "", i + 1,
                 cluster->addresses[i]);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        struct error error;
        struct server_config *config = &cluster->members[i].config;
        *config = (struct server_config){.id = i + 1, .tick_ms = 20, .quorum_timeout_us = 60000000};
        snprintf(config->data_dir, sizeof config->data_dir, "%s/%u", cluster->dir, i + 1);
        snprintf(config->listen, sizeof config->listen, "%s", cluster->addresses[i]);
        assert_int_equal(server_peers_parse(peers, config, &error), OK);
        member_start(&cluster->members[i]);
    }
}

/* ---- load ---------------------------------------------------------------------------------------
 */

static struct toydb_session *connect_any(struct cluster *cluster, struct prng *prng)
{
    char addresses[NODES * 64] = "";
    uint64_t first = prng_below(prng, NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        size_t used = strlen(addresses);
        snprintf(addresses + used, sizeof addresses - used, "%s%s", i ? "," : "",
                 cluster->addresses[(first + i) % NODES]);
    }
    struct toydb_options options = {.connect_timeout_ms = 1000, .failover_timeout_ms = 5000};
    return toydb_session_open(addresses, &options, NULL);
}

static enum toydb_result run(struct toydb_session *session, const char *format, ...)
{
    char sql[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    return toydb_execute(session, sql, NULL, 0, NULL, NULL, NULL);
}

static bool insert(struct load *load, struct toydb_session *session)
{
    if (load->next_id == IDS_MAX)
        return true;
    int64_t id = load->next_id++;
    bool done =
        run(session, "INSERT INTO log VALUES (%u, %" PRId64 ")", load->number, id) == TOYDB_OK;
    load->acknowledged[id] = done;
    return done;
}

static bool transfer(struct load *load, struct toydb_session *session)
{
    uint64_t from = prng_below(&load->prng, ACCOUNTS), to = prng_below(&load->prng, ACCOUNTS);
    if (prng_chance(&load->prng, 1, 2))
        return run(session,
                   "UPDATE account SET v = v + CASE WHEN id = %" PRIu64 " THEN -1 ELSE 1 END "
                   "WHERE id IN (%" PRIu64 ", %" PRIu64 ") AND %" PRIu64 " <> %" PRIu64,
                   from, from, to, from, to) == TOYDB_OK;
    return run(session,
               "BEGIN; UPDATE account SET v = v - 1 WHERE id = %" PRIu64
               "; UPDATE account SET v = v + 1 WHERE id = %" PRIu64 "; COMMIT",
               from, to) == TOYDB_OK ||
           (run(session, "ROLLBACK"), false);
}

static bool sum_note(void *context, const struct toydb_event *event)
{
    if (event->kind == TOYDB_ROW && event->values[0].type == TOYDB_INTEGER)
        *(int64_t *)context = event->values[0].integer;
    return true;
}

static bool sum_check(struct toydb_session *session)
{
    int64_t sum = -1;
    enum toydb_result result =
        toydb_execute(session, "SELECT sum(v) FROM account", NULL, 0, sum_note, &sum, NULL);
    ASSERT(result != TOYDB_OK || sum == ACCOUNTS * MONEY);
    return result == TOYDB_OK;
}

/* Starts what runs long and leaves it, by a cancel or without a word. */
static bool leave(struct load *load, struct toydb_session **session)
{
    struct toydb_event event;
    enum toydb_result result =
        toydb_start(*session,
                    "SELECT count(*), a.id FROM account a, account b, account c, account d, "
                    "account e, account f GROUP BY a.id",
                    NULL, 0, NULL);
    if (result == TOYDB_OK && prng_chance(&load->prng, 1, 2))
        result = toydb_next(*session, &event, NULL);
    if (prng_chance(&load->prng, 1, 2)) {
        toydb_cancel(*session);
        while (result == TOYDB_OK && toydb_next(*session, &event, NULL) == TOYDB_OK &&
               event.kind != TOYDB_END)
            continue;
        return true;
    }
    toydb_session_close(*session);
    *session = NULL;
    return true;
}

static void load_run(void *argument)
{
    struct load *load = argument;
    struct toydb_session *session = NULL;
    while (!atomic_load(&load->cluster->over)) {
        if (!session)
            session = connect_any(load->cluster, &load->prng);
        if (!session)
            continue;
        bool done;
        uint64_t dice = prng_below(&load->prng, 100);
        if (dice < 45)
            done = insert(load, session);
        else if (dice < 80)
            done = transfer(load, session);
        else if (dice < 96)
            done = sum_check(session);
        else
            done = leave(load, &session);
        load->done += done;
        load->failed += !done;
    }
    toydb_session_close(session);
}

/* ---- the end ------------------------------------------------------------------------------------
 */

struct found {
    struct load *loads;
    uint32_t rows;
    bool seen[CLIENTS][IDS_MAX];
};

static bool row_note(void *context, const struct toydb_event *event)
{
    struct found *found = context;
    if (event->kind != TOYDB_ROW)
        return true;
    int64_t client = event->values[0].integer, id = event->values[1].integer;
    assert_true(client >= 0 && client < CLIENTS && id >= 0 && id < IDS_MAX);
    assert_false(found->seen[client][id]);
    found->seen[client][id] = true;
    found->rows++;
    return true;
}

static void node_check(struct cluster *cluster, uint32_t i, struct load *loads)
{
    struct toydb_error error;
    static struct found found;
    memset(&found, 0, sizeof found);
    struct toydb_session *session;
    while (!(session = toydb_session_open(cluster->addresses[i], NULL, NULL)))
        usleep(1000);
    assert_true(sum_check(session));
    enum toydb_result result =
        toydb_execute(session, "SELECT client, id FROM log", NULL, 0, row_note, &found, &error);
    if (result != TOYDB_OK)
        fail_msg("%s", error.message);
    for (uint32_t client = 0; client < CLIENTS; client++)
        for (int64_t id = 0; id < loads[client].next_id; id++)
            if (loads[client].acknowledged[id] && !found.seen[client][id])
                fail_msg("node %u lost row (%u, %" PRId64 ")", i + 1, client, id);
    toydb_session_close(session);
}

static void setup_tables(struct cluster *cluster)
{
    struct prng prng;
    struct toydb_error error;
    prng_seed(&prng, 1);
    struct toydb_session *session;
    while (!(session = connect_any(cluster, &prng)))
        usleep(1000);
    const char *sql = "CREATE TABLE account (id INTEGER PRIMARY KEY, v INTEGER);"
                      "CREATE TABLE log (client INTEGER, id INTEGER, PRIMARY KEY (client, id))";
    if (toydb_execute(session, sql, NULL, 0, NULL, NULL, &error) != TOYDB_OK)
        fail_msg("%s", error.message);
    for (int i = 0; i < ACCOUNTS; i++)
        assert_int_equal(run(session, "INSERT INTO account VALUES (%d, %d)", i, MONEY), TOYDB_OK);
    toydb_session_close(session);
}

/* Waits until each client has done so many statements more. */
static void go_on(struct load *loads, uint32_t more)
{
    uint32_t wanted[CLIENTS];
    for (uint32_t i = 0; i < CLIENTS; i++)
        wanted[i] = atomic_load(&loads[i].done) + more;
    for (uint32_t i = 0; i < CLIENTS; i++)
        while (atomic_load(&loads[i].done) < wanted[i])
            usleep(1000);
}

static void test_mixed_load(void **state)
{
    (void)state;
    static struct cluster cluster;
    static struct load loads[CLIENTS];
    struct prng prng;
    const char *rounds = getenv("TOYDB_TEST_ROUNDS");
    int left = rounds ? (int)strtol(rounds, NULL, 10) : 3;
    prng_seed(&prng, env_wall_us(env_real()));
    log_configure(getenv("TOYDB_TEST_LOG") ? LOG_INFO : LOG_OFF, NULL, NULL);
    cluster_start(&cluster);
    setup_tables(&cluster);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        loads[i].cluster = &cluster;
        loads[i].number = i;
        prng_seed(&loads[i].prng, i + 1);
        loads[i].thread = env_thread_start("load", load_run, &loads[i]);
    }
    while (left-- > 0) {
        struct member *member = &cluster.members[prng_below(&prng, NODES)];
        go_on(loads, 100);
        member_stop(member, left % 2);
        go_on(loads, 100);
        member_start(member);
    }
    go_on(loads, 100);
    atomic_store(&cluster.over, true);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        env_thread_join(loads[i].thread);
        print_message("client %u: %u done, %u failed\n", i, atomic_load(&loads[i].done),
                      loads[i].failed);
    }
    for (uint32_t i = 0; i < NODES; i++)
        node_check(&cluster, i, loads);
    for (uint32_t i = 0; i < NODES; i++) {
        member_stop(&cluster.members[i], false);
        close(cluster.ports[i]);
    }
    scratch_remove(cluster.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mixed_load)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
