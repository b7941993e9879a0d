/* What a client may do or omit without harm to the node: read slowly or never, send without end,
 * send rubbish, stay silent. */
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "harness.h"
#include "scratch.h"

/* Bytes in use; 0 where a sanitizer has its own allocator. */
static size_t memory(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd; /* small ones, large ones */
}

static struct call *rows_open(struct harness *h, int rows)
{
    harness_open(h);
    struct call *call = client_session(client_open(h));
    call_ok(h, call, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)");
    for (int i = 0; i < rows; i += 10) {
        char sql[4096];
        size_t used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO t VALUES ");
        for (int k = 0; k < 10; k++)
            used += (size_t)snprintf(sql + used, sizeof sql - used, "%s(%d, 'a text of some size')",
                                     k ? "," : "", i + k);
        call_ok(h, call, sql);
    }
    return call;
}

/* A reader that stops in the middle of a large result costs the node a little and stops the
 * statement; when it reads again all rows come. */
static void test_slow_reader(void **state)
{
    (void)state;
    struct harness h;
    struct call *fine = rows_open(&h, 60);
    struct client *client = client_open(&h);
    struct call *slow = client_session(client);
    harness_turns(&h, 10);
    size_t before = memory();
    call_request(slow, 1, "SELECT a.id, a.v, b.v, c.v FROM t a, t b, t c", NULL);
    for (int round = 0; round < 3; round++) {
        client->deaf = true;
        for (int i = 0; i < 400; i++)
            call_ok(&h, fine, "SELECT 1"); /* others are served meanwhile */
        assert_true(memory() < before + (4u << 20));
        assert_int_equal(slow->completions, 0);
        client->deaf = false;
        uint64_t rows = slow->rows;
        UNTIL(&h, slow->rows > rows + 20000);
    }
    UNTIL(&h, slow->ended == 1);
    assert_int_equal(slow->errors, 0);
    assert_int_equal(slow->rows, 60 * 60 * 60);
    harness_close(&h);
}

/* The same with answers that are no rows. */
static void test_slow_reader_of_completions(void **state)
{
    (void)state;
    enum { STATEMENTS = 60000 };
    struct harness h;
    struct call *fine = rows_open(&h, 10);
    struct client *client = client_open(&h);
    struct call *slow = client_session(client);
    char *text = calloc(STATEMENTS, 16);
    for (size_t i = 0; i < STATEMENTS; i++)
        memcpy(text + 13 * i, "BEGIN;COMMIT;", 13);
    call_request(slow, 1, text, NULL);
    call_request(slow, 2, text, NULL);
    UNTIL(&h, slow->completions > 0);
    client->deaf = true;
    size_t before = memory();
    for (int i = 0; i < 500; i++)
        call_ok(&h, fine, "SELECT 1");
    assert_true(memory() < before + (1u << 20));
    client->deaf = false;
    UNTIL(&h, slow->ended == 2);
    assert_int_equal(slow->errors, 0);
    assert_int_equal(slow->completions, 4 * STATEMENTS);
    free(text);
    harness_close(&h);
}

/* Requests without end behind one that takes its time: their sender is held up, and all are
 * answered in order later. */
static void test_pipeline(void **state)
{
    (void)state;
    enum { REQUESTS = 5000, SIZE = 4000 };
    struct harness h;
    struct call *fine = rows_open(&h, 10);
    struct client *client = client_open(&h);
    struct call *call = client_session(client);
    char text[SIZE + 1];
    memset(text, ' ', SIZE);
    text[SIZE] = '\0';
    call_request(call, 1, "SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g", NULL);
    for (uint64_t i = 2; i <= REQUESTS; i++) {
        memcpy(text, i % 100 ? "SELECT 42" : "SELEKT 42", 9);
        call_request(call, i, text, NULL);
    }
    for (int i = 0; i < 400 && call->ended == 0; i++)
        call_ok(&h, fine, "SELECT 1");
    assert_true(call->ended > 0 || grpc_call_queued(call->call) > REQUESTS / 4 * SIZE);
    UNTIL(&h, call->ended == REQUESTS);
    assert_int_equal(call->errors, REQUESTS / 100);
    assert_int_equal(call->sequence, REQUESTS);
    /* and with the end of the stream behind them */
    for (uint64_t i = 1; i <= REQUESTS; i++)
        call_request(call, REQUESTS + i, "SELECT 42", NULL);
    grpc_call_half_close(call->call);
    UNTIL(&h, !call->call);
    assert_int_equal(call->status, GRPC_OK);
    assert_int_equal(call->ended, 2 * REQUESTS);
    harness_close(&h);
}

static void test_request_size(void **state)
{
    (void)state;
    struct harness h;
    struct call *fine = rows_open(&h, 10);
    struct client *client = client_open(&h);
    size_t size = 17u << 20;
    char *text = malloc(size + 1);
    memset(text, ' ', size);
    text[size] = '\0';
    struct call *call = client_session(client);
    call_request(call, 1, text, NULL);
    UNTIL(&h, !call->call);
    assert_int_equal(call->status, GRPC_RESOURCE_EXHAUSTED);
    text[(1u << 20) + 1] = '\0';
    call = client_session(client);
    call_request(call, 1, text, NULL);
    UNTIL(&h, call->ended == 1);
    assert_string_equal(call->sqlstate, "54000");
    call_ok(&h, fine, "SELECT 1");
    free(text);
    harness_close(&h);
}

/* A long text of short statements leaves the loop time for others. */
static void test_turns(void **state)
{
    (void)state;
    struct harness h;
    struct call *fine = rows_open(&h, 10);
    struct call *busy[4];
    struct buffer text = {0};
    buffer_append_string(&text, "BEGIN;");
    while (text.size < 500000)
        buffer_append_string(&text, "SELECT v FROM t WHERE id = 1;");
    buffer_append_byte(&text, '\0');
    for (int i = 0; i < 4; i++) {
        busy[i] = client_session(client_open(&h));
        call_request(busy[i], 1, (const char *)text.data, NULL);
    }
    uint32_t answers = 0;
    while (busy[0]->ended + busy[1]->ended + busy[2]->ended + busy[3]->ended < 4) {
        uint64_t ended = fine->ended;
        call_request(fine, fine->sequence + 1, "SELECT 1", NULL);
        uint32_t turns = 0; /* of the loop: how long each takes is the machine's affair */
        for (; fine->ended == ended; turns++)
            harness_turn(&h);
        assert_true(turns < 100);
        answers++;
    }
    assert_true(answers > 3);
    buffer_free(&text);
    harness_close(&h);
}

/* ---- rubbish ------------------------------------------------------------------------------------
 */

static int tcp_connect(const struct harness *h)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *colon = strrchr(h->config.listen, ':');
    address.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void open_listening(struct harness *h)
{
    struct server_config config = {.id = 1, .tick_ms = 5, .election_ticks = 4};
    int fd;
    snprintf(config.listen, sizeof config.listen, "127.0.0.1:%u", scratch_port(&fd));
    harness_open_config(h, &config);
    close(fd);
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";

static void test_rubbish(void **state)
{
    (void)state;
    struct harness h;
    struct prng prng;
    prng_seed(&prng, 7);
    open_listening(&h);
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[2000];
        size_t size = prng_below(&prng, sizeof bytes), kept = 0;
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)prng_next(&prng);
        if (i % 3) {
            kept = prng_below(&prng, sizeof preface);
            memcpy(bytes, preface, kept);
        }
        int fd = tcp_connect(&h);
        ssize_t sent = send(fd, bytes, kept > size ? kept : size, MSG_NOSIGNAL);
        assert_true(sent >= 0);
        harness_turns(&h, 3);
        if (i % 2)
            shutdown(fd, SHUT_WR);
        harness_turns(&h, 2);
        close(fd);
    }
    UNTIL(&h, h.node->conn_count == 0);
    harness_close(&h);
}

/* Calls of no known method, requests of no kind, streams opened and left. */
static void test_strange_calls(void **state)
{
    (void)state;
    struct harness h;
    struct call *fine = rows_open(&h, 10);
    struct prng prng;
    prng_seed(&prng, 11);
    for (int i = 0; i < 200; i++) {
        struct client *client = client_open(&h);
        struct call *call = client_session(client);
        uint8_t bytes[64];
        size_t size = prng_below(&prng, sizeof bytes);
        for (size_t k = 0; k < size; k++)
            bytes[k] = (uint8_t)prng_below(&prng, i % 2 ? 32 : 256);
        grpc_call_send(call->call, slice_make(bytes, size));
        if (i % 5 == 0)
            call_request(call, 1, "SELECT 1", NULL);
        if (i % 7 == 0)
            grpc_call_half_close(call->call);
        harness_turns(&h, i % 4);
        client_cut(client);
        h.client_count--;
    }
    call_ok(&h, fine, "SELECT 1");
    UNTIL(&h, h.node->session_count == 1 && h.node->client_count == 1);
    harness_close(&h);
}

/* A connection that says nothing is closed in the end; the clock is the tick's. */
static void test_silent(void **state)
{
    (void)state;
    struct harness h;
    open_listening(&h);
    uint64_t before_us = env_monotonic_us(env_real());
    int fd = tcp_connect(&h);
    UNTIL(&h, h.node->conn_count == 1);
    conns_tick(h.node, before_us + 9900000);
    assert_int_equal(h.node->conn_count, 1);
    conns_tick(h.node, env_monotonic_us(env_real()) + 10000000);
    assert_int_equal(h.node->conn_count, 0);
    close(fd);
    harness_close(&h);
}

/* A node that stops says so and reads on: what a client sent before it read that is no reason for a
 * reset, behind which the client could not know whether anybody has seen it. */
static void test_stop_lingers(void **state)
{
    (void)state;
    struct harness h;
    for (int closes = 0; closes < 2; closes++) {
        open_listening(&h);
        int fd = tcp_connect(&h);
        assert_int_equal(send(fd, preface, sizeof preface, 0), sizeof preface);
        UNTIL(&h, h.node->conns && h.node->conn_count == 1);
        harness_turns(&h, 4);
        node_stop(h.node);
        UNTIL(&h, h.node->lingering_count == 1);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(send(fd, preface + 24, 9, MSG_NOSIGNAL), 9);
            harness_turns(&h, 1);
        }
        assert_false(h.node->stopped);
        char bytes[4096];
        ssize_t got;
        while ((got = recv(fd, bytes, sizeof bytes, 0)) > 0)
            continue;
        assert_int_equal(got, 0); /* all was read, and no reset came */
        if (closes)
            close(fd);
        UNTIL(&h, h.node->stopped); /* a client that does not go is not waited for for ever */
        assert_int_equal(h.node->conn_count, 0);
        if (!closes)
            close(fd);
        harness_close(&h);
    }
}

/* ---- peers --------------------------------------------------------------------------------------
 */

struct states {
    uint32_t up, down;
};

static void on_state(void *context, struct conn *conn, bool up)
{
    (void)conn;
    struct states *states = context;
    states->up += up;
    states->down += !up;
}

/* Outgoing connections given up at each stage: while the name is looked up, while connecting, with
 * much to write to a peer that does not read. */
static void test_outgoing(void **state)
{
    (void)state;
    struct harness h;
    struct states states = {0};
    char address[SERVER_ADDRESS_MAX];
    open_listening(&h);
    snprintf(address, sizeof address, "localhost%s", strrchr(h.config.listen, ':'));
    struct conn *conn = conn_connect(h.node, address, on_state, &states);
    conn_close(conn); /* at once */
    conn = conn_connect(h.node, address, on_state, &states);
    assert_non_null(conn);
    UNTIL(&h, states.up + states.down == 1);
    if (states.up)
        conn_close(conn);
    conn = conn_connect(h.node, h.config.listen, on_state, &states);
    conn_close(conn); /* while connecting */
    assert_null(conn_connect(h.node, "nowhere", on_state, &states));
    conn_connect(h.node, "127.0.0.1:1", on_state, &states); /* nobody listens */
    uint32_t down = states.down;
    UNTIL(&h, states.down == down + 1);
    conn_connect(h.node, "name.invalid:1", on_state, &states); /* with the node closed meanwhile */
    harness_close(&h);
}

/* A peer that takes the connection and reads nothing, then the node stops. */
static void test_deaf_peer(void **state)
{
    (void)state;
    struct harness h;
    struct error error;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct server_config config = {.id = 1, .tick_ms = 5, .quorum_timeout_us = 100000};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    char peers[100];
    snprintf(peers, sizeof peers, "1=127.0.0.1:1,2=127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(server_peers_parse(peers, &config, &error), OK);
    harness_open_config(&h, &config);
    UNTIL(&h, peer_connected(h.node, 2));
    size_t before = memory();
    size_t body_size = 8 << 20;
    struct replica_message message = {.type = REPLICA_COMMIT_REQUEST, .from = 1, .to = 2};
    message.body = slice_make(calloc(1, body_size), body_size);
    uint32_t sent = 0;
    while (sent < 100 && peer_send(h.node, &message)) {
        sent++;
        harness_turns(&h, 1);
    }
    assert_true(sent > 4 && sent < 100); /* then it is dropped */
    assert_true(memory() < before + (300u << 20));
    free((void *)(uintptr_t)message.body.data);
    harness_turns(&h, 20);
    harness_close(&h);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_reader),   cmocka_unit_test(test_slow_reader_of_completions),
        cmocka_unit_test(test_pipeline),      cmocka_unit_test(test_request_size),
        cmocka_unit_test(test_turns),         cmocka_unit_test(test_rubbish),
        cmocka_unit_test(test_strange_calls), cmocka_unit_test(test_silent),
        cmocka_unit_test(test_stop_lingers),  cmocka_unit_test(test_outgoing),
        cmocka_unit_test(test_deaf_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
