/* The C client against nodes that do what they are told (fake_node.h). */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client/client_int.h"
#include "fake_node.h"

static const struct toydb_options quick = {.failover_timeout_ms = 2000};

/* Of most tests: one node and a session on it. */
static struct fake_node node;
static struct toydb_session *session;

static int one_open(void **state)
{
    (void)state;
    fake_node_start(&node, 0);
    struct toydb_error error;
    session = toydb_session_open(node.address, &quick, &error);
    if (!session)
        fail_msg("%s", error.message);
    return 0;
}

static int one_close(void **state)
{
    (void)state;
    toydb_session_close(session);
    fake_node_stop(&node);
    return 0;
}

static void open_two(const struct fake_node *a, const struct fake_node *b)
{
    char addresses[128];
    struct toydb_error error;
    snprintf(addresses, sizeof addresses, "%s,%s", a->address, b->address);
    session = toydb_session_open(addresses, &quick, &error);
    assert_non_null(session);
}

/* Counts what came, and checks rows of ROWS. */
struct seen {
    unsigned headers, rows, completions;
    char tag[64];
    unsigned stop_after; /* 0: never */
};

static bool see(void *context, const struct toydb_event *event)
{
    struct seen *seen = context;
    char name[32];
    switch (event->kind) {
    case TOYDB_HEADER:
        seen->headers++;
        assert_string_equal(event->columns[0].name, "number");
        assert_int_equal(event->columns[1].type, TOYDB_TEXT);
        assert_string_equal(event->columns[1].type_name, "some type");
        break;
    case TOYDB_ROW:
        assert_int_equal(event->column_count, 2);
        assert_int_equal(event->values[0].type, TOYDB_INTEGER);
        snprintf(name, sizeof name, "row %lld", (long long)event->values[0].integer);
        assert_string_equal(event->values[1].text.data, name);
        assert_int_equal(event->values[1].text.size, strlen(name));
        seen->rows++;
        break;
    case TOYDB_COMPLETION:
        seen->completions++;
        assert_int_equal(event->elapsed_us, 123);
        snprintf(seen->tag, sizeof seen->tag, "%s", event->tag);
        break;
    case TOYDB_END:
        fail();
    }
    return !seen->stop_after || seen->rows < seen->stop_after;
}

static void assert_ok(const char *sql)
{
    struct toydb_error error;
    if (toydb_execute(session, sql, NULL, 0, NULL, NULL, &error) != TOYDB_OK)
        fail_msg("%s: %s %s", sql, error.sqlstate, error.message);
}

static void assert_fails(const char *sql, enum toydb_result result, const char *sqlstate)
{
    struct toydb_error error;
    assert_int_equal(toydb_execute(session, sql, NULL, 0, NULL, NULL, &error), result);
    assert_int_equal(error.result, result);
    assert_string_equal(error.sqlstate, sqlstate);
}

static void test_rows(void **state)
{
    (void)state;
    static const unsigned counts[] = {0, 1, 10, 11, 1000, 20000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        char sql[32];
        char tag[32];
        snprintf(sql, sizeof sql, "ROWS %u", counts[i]);
        snprintf(tag, sizeof tag, "SELECT %u", counts[i]);
        struct seen seen = {0};
        struct toydb_error error;
        assert_int_equal(toydb_execute(session, sql, NULL, 0, see, &seen, &error), TOYDB_OK);
        assert_int_equal(seen.headers, 1);
        assert_int_equal(seen.rows, counts[i]);
        assert_string_equal(seen.tag, tag);
    }
    struct seen seen = {0};
    assert_int_equal(toydb_execute(session, "ROWS 3;ROWS 0;ROWS 4", NULL, 0, see, &seen, NULL),
                     TOYDB_OK);
    assert_int_equal(seen.headers, 3);
    assert_int_equal(seen.rows, 7);
    assert_int_equal(seen.completions, 3);
    assert_int_equal(atomic_load(&node.sessions), 1);
    assert_string_equal(toydb_peer(session), node.address);
}

static void test_parameters(void **state)
{
    (void)state;
    struct toydb_value values[] = {
        {.type = TOYDB_NULL},
        {.type = TOYDB_BOOLEAN, .boolean = true},
        {.type = TOYDB_INTEGER, .integer = INT64_MIN},
        {.type = TOYDB_DOUBLE, .real = -0.5},
        {.type = TOYDB_TEXT, .text = {"na\xc3\xafve, cut", 6}},
        {.type = TOYDB_TEXT, .text = {NULL, 0}},
        {.type = TOYDB_BYTES, .text = {"a\0b", 3}},
    };
    struct toydb_error error;
    struct toydb_event event;
    assert_int_equal(toydb_start(session, "ECHO", values, 7, &error), TOYDB_OK);
    assert_int_equal(toydb_next(session, &event, &error), TOYDB_OK);
    assert_int_equal(event.kind, TOYDB_HEADER);
    assert_int_equal(toydb_next(session, &event, &error), TOYDB_OK);
    assert_int_equal(event.kind, TOYDB_ROW);
    assert_int_equal(event.column_count, 7);
    for (int i = 0; i < 7; i++)
        assert_int_equal(event.values[i].type, values[i].type);
    assert_true(event.values[1].boolean);
    assert_true(event.values[2].integer == INT64_MIN);
    assert_true(event.values[3].real == -0.5);
    assert_string_equal(event.values[4].text.data, "na\xc3\xafve");
    assert_int_equal(event.values[5].text.size, 0);
    assert_int_equal(event.values[6].text.size, 3);
    assert_memory_equal(event.values[6].text.data, "a\0b", 3);
    assert_int_equal(toydb_next(session, &event, &error), TOYDB_OK);
    assert_int_equal(event.kind, TOYDB_COMPLETION);
    assert_int_equal(toydb_next(session, &event, &error), TOYDB_OK);
    assert_int_equal(event.kind, TOYDB_END);

    struct toydb_value bad = {.type = TOYDB_TEXT, .text = {"a\0b", 3}};
    assert_int_equal(toydb_start(session, "ECHO", &bad, 1, &error), TOYDB_ERROR);
    assert_string_equal(error.sqlstate, "22021");
}

static void test_errors_and_transactions(void **state)
{
    (void)state;
    struct toydb_error error;
    struct seen seen = {0};
    assert_int_equal(toydb_execute(session, "ROWS 2;FAIL;ROWS 3", NULL, 0, see, &seen, &error),
                     TOYDB_ERROR);
    assert_int_equal(seen.rows, 2);
    assert_string_equal(error.sqlstate, "42601");
    assert_string_equal(error.message, "syntax error");
    assert_string_equal(error.detail, "Some detail.");
    assert_string_equal(error.hint, "Some hint.");
    assert_int_equal(error.position, 7);
    assert_int_equal(toydb_transaction_state(session), TOYDB_TRANSACTION_IDLE);
    assert_ok("BEGIN");
    assert_int_equal(toydb_transaction_state(session), TOYDB_TRANSACTION_OPEN);
    assert_fails("FAIL", TOYDB_ERROR, "42601");
    assert_int_equal(toydb_transaction_state(session), TOYDB_TRANSACTION_FAILED);
    assert_ok("ROLLBACK");
    assert_int_equal(toydb_transaction_state(session), TOYDB_TRANSACTION_IDLE);
    assert_int_equal(atomic_load(&node.sessions), 1);
}

/* A reader that stops reading stops the node. */
static void test_back_pressure(void **state)
{
    (void)state;
    struct toydb_event event;
    struct toydb_error error;
    assert_int_equal(toydb_start(session, "ROWS 10000000", NULL, 0, &error), TOYDB_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(toydb_next(session, &event, &error), TOYDB_OK);
    /* A message of ten rows has over 100 bytes; windows and socket buffers hold a few MiB. */
    unsigned sent = atomic_load(&node.rows_sent);
    assert_in_range(sent, 1000, 2000000);
    /* The rest is not wanted. */
    struct seen seen = {0};
    assert_int_equal(toydb_execute(session, "ROWS 5", NULL, 0, see, &seen, &error), TOYDB_OK);
    assert_int_equal(seen.rows, 5);
    seen = (struct seen){.stop_after = 3};
    assert_int_equal(toydb_execute(session, "ROWS 10000000", NULL, 0, see, &seen, &error),
                     TOYDB_OK);
    assert_int_equal(seen.rows, 3);
    assert_ok("ROWS 1");
    assert_int_equal(atomic_load(&node.sessions), 1);
}

static void cancel_once_running(void *argument)
{
    (void)argument;
    while (atomic_load(&node.requests) == 0)
        client__pause(-1, 1000);
    toydb_cancel(session);
}

static void test_cancel(void **state)
{
    (void)state;
    toydb_cancel(session); /* nothing runs: no effect */
    struct env_thread *thread = env_thread_start("canceller", cancel_once_running, NULL);
    assert_fails("HANG", TOYDB_ERROR, "57014");
    env_thread_join(thread);
    assert_ok("ROWS 1");
    assert_ok("STALE"); /* the answer to a cancel that came too late */
    assert_int_equal(atomic_load(&node.sessions), 1);
}

static void cancel_twice(void *argument)
{
    cancel_once_running(argument);
    while (atomic_load(&node.cancels) == 0) /* else both would be one */
        client__pause(-1, 1000);
    toydb_cancel(session);
}

/* A node that does not listen. */
static void test_cancel_twice(void **state)
{
    (void)state;
    struct env_thread *thread = env_thread_start("canceller", cancel_twice, NULL);
    assert_fails("DEAF", TOYDB_LOST, "57014");
    env_thread_join(thread);
    assert_ok("ROWS 1");
    assert_int_equal(atomic_load(&node.sessions), 2);
}

static void test_resend(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct toydb_error error;
    assert_int_equal(toydb_execute(session, "DROP", NULL, 0, see, &seen, &error), TOYDB_OK);
    assert_int_equal(seen.rows, 1); /* the node has seen the same request id twice */
    assert_int_equal(atomic_load(&node.requests), 2);
    assert_int_equal(atomic_load(&node.resent), 1);
    assert_int_equal(atomic_load(&node.sessions), 2);
    /* Where the second node cannot know what the first one did. */
    assert_fails("DROP MINORITY", TOYDB_LOST, "08007");
    atomic_store(&node.requests, 2);
    /* Not for ever. */
    assert_fails("DROP ALWAYS", TOYDB_LOST, "08007");
    assert_int_equal(atomic_load(&node.requests), 2 + 6);
    assert_ok("ROWS 1");
}

static void test_loss_after_rows(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct toydb_error error;
    assert_int_equal(toydb_execute(session, "ROWS 1;DROP LATER", NULL, 0, see, &seen, &error),
                     TOYDB_LOST);
    assert_string_equal(error.sqlstate, "08007");
    assert_int_equal(seen.rows, 1);
    assert_int_equal(atomic_load(&node.requests), 1);
    assert_ok("DROP AFTER"); /* the result was complete: the loss shows later, unnoticed */
    assert_ok("ROWS 1");
}

static void test_loss_in_transaction(void **state)
{
    (void)state;
    assert_ok("BEGIN");
    assert_fails("DROP ALWAYS", TOYDB_LOST, "08006");
    assert_int_equal(toydb_transaction_state(session), TOYDB_TRANSACTION_IDLE);
    assert_ok("BEGIN");
    assert_int_equal(atomic_load(&node.resent), 0);
    assert_ok("DROP COMMIT"); /* another sending asks what became of it */
    assert_int_equal(atomic_load(&node.resent), 1);
    assert_int_equal(toydb_transaction_state(session), TOYDB_TRANSACTION_IDLE);
    assert_ok("BEGIN");
    assert_fails("DROP COMMIT ROLLED BACK", TOYDB_LOST, "08006");
    assert_ok("BEGIN");
    assert_fails("DROP COMMIT MINORITY", TOYDB_LOST, "08007");
    assert_ok("BEGIN");
    assert_ok("DROP AFTER");
    assert_fails("ROWS 1", TOYDB_LOST, "08006");
    assert_ok("ROWS 1");
}

/* A port that nobody else is given until *fd is closed; a node, which shares, can listen on it. */
static uint16_t port_hold(int *fd)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    int on = 1;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&where, size), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&where, &size), 0);
    assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    return ntohs(where.sin_port);
}

static void test_failover(void **state)
{
    (void)state;
    struct fake_node a;
    struct fake_node b;
    int held;
    uint16_t port = port_hold(&held);
    fake_node_start(&a, 0);
    fake_node_start(&b, port);
    open_two(&a, &b);
    assert_ok("ROWS 1");
    assert_string_equal(toydb_peer(session), a.address);
    fake_node_stop(&a);
    assert_ok("ROWS 1");
    assert_string_equal(toydb_peer(session), b.address);
    assert_ok("BEGIN");
    fake_node_stop(&b);
    assert_fails("ROWS 1", TOYDB_LOST, "08006");
    /* The node comes back at its old address. */
    fake_node_start(&b, port);
    assert_ok("ROWS 1");
    fake_node_stop(&b);
    struct toydb_error error;
    assert_int_equal(toydb_execute(session, "ROWS 1", NULL, 0, NULL, NULL, &error),
                     TOYDB_UNREACHABLE);
    assert_string_equal(error.sqlstate, "08001");
    toydb_session_close(session);
    close(held);
}

static void test_first_address_down(void **state)
{
    (void)state;
    struct fake_node a;
    struct fake_node b;
    fake_node_start(&a, 0);
    fake_node_start(&b, 0);
    fake_node_stop(&a);
    open_two(&a, &b);
    assert_string_equal(toydb_peer(session), b.address);
    toydb_session_close(session);
    fake_node_stop(&b);
    struct toydb_error error;
    assert_null(toydb_session_open(a.address, &quick, &error));
    assert_int_equal(error.result, TOYDB_UNREACHABLE);
    assert_string_equal(error.sqlstate, "08001");
    assert_non_null(strstr(error.message, a.address));
}

static void test_goaway(void **state)
{
    (void)state;
    assert_ok("GOAWAY");
    assert_ok("ROWS 1"); /* on a new connection */
    assert_int_equal(atomic_load(&node.sessions), 2);
    assert_ok("BEGIN;GOAWAY");
    assert_ok("ROWS 1"); /* the transaction keeps the old one */
    assert_int_equal(atomic_load(&node.sessions), 2);
    assert_ok("COMMIT");
    assert_ok("ROWS 1");
    assert_int_equal(atomic_load(&node.sessions), 3);
}

/* The program does something else while an answer lies in the socket, for longer than keepalive. It
 * has come in time, and the open transaction goes on. */
static void test_held_up(void **state)
{
    (void)state;
    static const struct toydb_options options = {.keepalive_ms = 1000};
    struct toydb_event event;
    fake_node_start(&node, 0);
    session = toydb_session_open(node.address, &options, NULL);
    assert_non_null(session);
    assert_ok("BEGIN");
    assert_true(client__pause(session->cancel_fd, 1100000));
    assert_int_equal(toydb_start(session, "ROWS 1", NULL, 0, NULL), TOYDB_OK); /* pings first */
    struct pollfd answer = {.fd = session->connection.fd, .events = POLLIN};
    assert_int_equal(poll(&answer, 1, -1), 1);
    assert_true(client__pause(session->cancel_fd, 1100000));
    struct toydb_error error;
    if (toydb_next(session, &event, &error) != TOYDB_OK)
        fail_msg("%s %s", error.sqlstate, error.message);
    assert_ok("COMMIT");
    assert_int_equal(atomic_load(&node.sessions), 1);
    one_close(state);
}

static void test_bad_node(void **state)
{
    (void)state;
    assert_fails("REFUSE", TOYDB_ERROR, "28000");
    assert_fails("GARBAGE", TOYDB_LOST, "08P01");
    assert_fails("RAGGED", TOYDB_LOST, "08P01");
    assert_ok("ROWS 1");
}

static void test_status(void **state)
{
    (void)state;
    struct toydb_status *status;
    struct toydb_error error;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(toydb_status(session, &status, &error), TOYDB_OK);
        assert_int_equal(status->id, 1);
        assert_string_equal(status->version, "0.1.0");
        assert_string_equal(status->cluster_id, "");
        assert_int_equal(status->term, 77);
        assert_int_equal(status->node_count, 2);
        assert_string_equal(status->nodes[1].address, "two:9602");
        assert_string_equal(status->nodes[0].role, "leader");
        assert_true(status->nodes[0].voter);
        assert_int_equal(status->kv_file_bytes, 4096);
        toydb_status_free(status);
        if (i == 0)
            assert_ok("ROWS 1");
        else
            assert_ok("DROP AFTER"); /* a status call finds its way too */
    }
}

static void test_administration(void **state)
{
    (void)state;
    static const struct {
        uint32_t id;
        enum toydb_result result;
        const char *sqlstate, *message, *hint;
    } cases[] = {
        {1, TOYDB_ERROR, "55000", "it is the last voter", "Add another one before."},
        {2, TOYDB_ERROR, "42704", "there is none", ""},
        {3, TOYDB_UNREACHABLE, "57P03", "no leader", ""},
        {4, TOYDB_LOST, "57014", "not yet", ""},
        {5, TOYDB_ERROR, "08P01", "call failed: INTERNAL: broken", ""},
        {6, TOYDB_ERROR, "08P01", "node sent a malformed answer", ""},
        {8, TOYDB_LOST, "08006", "connection to the node was lost", ""},
    };
    struct toydb_error error;
    struct toydb_members *members;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        members = NULL;
        assert_int_equal(toydb_node_remove(session, cases[i].id, 5000, &members, &error),
                         cases[i].result);
        assert_null(members);
        assert_string_equal(error.sqlstate, cases[i].sqlstate);
        assert_string_equal(error.message, cases[i].message);
        assert_string_equal(error.hint, cases[i].hint);
    }
    for (uint32_t id = 7; id <= 9; id += 2) { /* 7: asked again, on another connection */
        assert_int_equal(toydb_node_remove(session, id, 5000, &members, &error), TOYDB_OK);
        assert_int_equal(members->index, 5);
        assert_int_equal(members->count, 0);
        assert_int_equal(members->cluster_id[0], 7);
        toydb_members_free(members);
    }
    assert_int_equal(toydb_node_remove(session, 9, 5000, NULL, NULL), TOYDB_OK);
    assert_ok("ROWS 1");
    /* A node that does not know the call. */
    uint32_t leader;
    assert_int_equal(toydb_leader_transfer(session, 0, 5000, &leader, &error), TOYDB_ERROR);
    assert_string_equal(error.sqlstate, "0A000");
}

/* A session over a socket handed in: it works, and once lost it stays lost. */
static void test_handed_socket(void **state)
{
    (void)state;
    struct toydb_error error;
    fake_node_start(&node, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(strrchr(node.address, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    session = toydb_session_open_fd(fd, &quick, &error);
    assert_non_null(session);
    assert_ok("ROWS 1");
    assert_string_equal(toydb_peer(session), "local");
    assert_fails("DROP ALWAYS", TOYDB_LOST, "08007"); /* it had been sent */
    assert_fails("ROWS 1", TOYDB_UNREACHABLE, "08001");
    toydb_session_close(session);
    fake_node_stop(&node);
    /* A peer that is gone. */
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[0]);
    assert_null(toydb_session_open_fd(pair[1], &quick, &error));
    assert_string_equal(error.sqlstate, "08001");
}

static void test_addresses(void **state)
{
    (void)state;
    static struct client__address out[CLIENT__ADDRESSES_MAX];
    uint32_t count;
    struct toydb_error error;
    assert_int_equal(client__addresses_parse("a,b:1,[::1],[fe80::1]:65535", out, &count, &error),
                     OK);
    assert_int_equal(count, 4);
    assert_string_equal(out[0].host, "a");
    assert_string_equal(out[0].port, "9601");
    assert_string_equal(out[1].port, "1");
    assert_string_equal(out[2].host, "::1");
    assert_string_equal(out[3].host, "fe80::1");
    assert_string_equal(out[3].port, "65535");
    assert_string_equal(out[3].text, "[fe80::1]:65535");
    static const char *const bad[] = {"",     ",",      "a,",           "a:",      "a:0",
                                      ":1",   "a:x",    "a:1:2",        "a:65536", "[::1",
                                      "[]:1", "[a]b:1", "a:99999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(client__addresses_parse(bad[i], out, &count, &error), ERR_INVALID);
        assert_string_equal(error.sqlstate, "22023");
    }
    assert_null(toydb_session_open("a:b", NULL, &error));
    assert_string_equal(error.sqlstate, "22023");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_parameters, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_errors_and_transactions, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_back_pressure, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_cancel, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_cancel_twice, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_resend, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_loss_after_rows, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_loss_in_transaction, one_open, one_close),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_first_address_down),
        cmocka_unit_test_setup_teardown(test_goaway, one_open, one_close),
        cmocka_unit_test(test_held_up),
        cmocka_unit_test_setup_teardown(test_bad_node, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_status, one_open, one_close),
        cmocka_unit_test_setup_teardown(test_administration, one_open, one_close),
        cmocka_unit_test(test_handed_socket),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
