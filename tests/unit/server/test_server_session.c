/* Sessions: exactly-once requests, cancels and lost clients at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"
#include "server/session_int.h"

/* ---- requests -----------------------------------------------------------------------------------
 */

static void test_execute(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h);
    struct client *client = client_open(&h);
    struct call *call =
        client_execute(client, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)", NULL);
    UNTIL(&h, !call->call);
    assert_int_equal(call->status, GRPC_OK);
    assert_string_equal(call->tag, "CREATE TABLE");
    call = client_execute(client, "INSERT INTO t VALUES (1, 10); SELECT v FROM t; SELEKT", NULL);
    UNTIL(&h, !call->call);
    assert_int_equal(call->status, GRPC_INVALID_ARGUMENT);
    assert_int_equal(call->completions, 2);
    assert_int_equal(call->integer, 10);
    assert_string_equal(call->sqlstate, "42601");
    assert_int_equal(strncmp(call->message, "42601: ", 7), 0);
    call = client_execute(client, "INSERT INTO t VALUES (1, 11)", NULL);
    UNTIL(&h, !call->call);
    assert_int_equal(call->status, GRPC_ALREADY_EXISTS);
    harness_close(&h);
}

/* A text with a NUL character does not run up to there, and the session goes on. The second one
 * waits for a request that runs. */
static void test_nul(void **state)
{
    (void)state;
    static const char deletion[] = "\x08\x63\x12\x12\x0a\x10" /* sequence 99, execute, sql */
                                   "DELETE FROM t\0 x";
    struct slice bytes = slice_make(deletion, sizeof deletion - 1);
    struct harness h;
    struct call *call = harness_table(&h);
    for (int i = 0; i < 2; i++) {
        call->ended = call->errors = 0;
        if (i == 1)
            call_request(call, 99, "INSERT INTO t VALUES (1, 1)", NULL);
        grpc_call_send(call->call, bytes);
        UNTIL(&h, call->ended == 1 + (uint32_t)i);
        assert_int_equal(call->errors, 1);
        assert_string_equal(call->sqlstate, "22021");
    }
    assert_int_equal(call_integer(&h, call, "SELECT count(*) FROM t"), 1);
    harness_close(&h);
}

/* All transactions of a text run under one request id; none is taken for another one's resend. */
static void test_request_of_many_commits(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    call->ended = 0;
    call_request(call, 10,
                 "INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (2, 2), (3, 3); "
                 "BEGIN; UPDATE t SET v = v + 1; COMMIT; SELECT count(*) FROM t",
                 "many");
    UNTIL(&h, call->ended == 1);
    assert_int_equal(call->errors, 0);
    assert_int_equal(call->integer, 3);
    assert_int_equal(call_integer(&h, call, "SELECT sum(v) FROM t"), 9);
    harness_close(&h);
}

static void test_resend_after_commit(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    call_ok(&h, call, "INSERT INTO t VALUES (1, 0), (2, 0)");
    for (int i = 0; i < 3; i++) {
        struct call *execute =
            client_execute(&h.clients[0], "UPDATE t SET v = v + 1", "an id of my own");
        UNTIL(&h, !execute->call);
        assert_int_equal(execute->status, GRPC_OK);
        assert_int_equal(execute->completions, 1);
        assert_string_equal(execute->tag, "UPDATE 2");
    }
    assert_int_equal(call_integer(&h, call, "SELECT sum(v) FROM t"), 2);
    harness_restart(&h); /* outcomes are durable */
    call = client_session(client_open(&h));
    call_request(call, 1, "UPDATE t SET v = v + 1", "an id of my own");
    UNTIL(&h, call->ended == 1);
    assert_string_equal(call->tag, "UPDATE 2");
    assert_int_equal(call_integer(&h, call, "SELECT sum(v) FROM t"), 2);
    harness_close(&h);
}

/* A block sent again leaves the session as a finished block does. */
static void test_resend_of_block(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    const char *block = "BEGIN; INSERT INTO t VALUES (1, 1); COMMIT";
    for (uint64_t i = 1; i <= 2; i++) {
        call->ended = 0;
        call_request(call, 100 + i, block, "block");
        UNTIL(&h, call->ended == 1);
        assert_int_equal(call->errors, 0);
        assert_string_equal(call->tag, "COMMIT");
        assert_int_equal(call->state, TRANSACTION_STATE__TRANSACTION_STATE_IDLE);
    }
    assert_int_equal(call_integer(&h, call, "SELECT count(*) FROM t"), 1);
    harness_close(&h);
}

/* The first sending ended in the middle: the rest is neither run again nor said to be done. */
static void test_resend_of_interrupted(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    const char *text = "INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (1, 2)";
    call->ended = 0;
    call_request(call, 10, text, "half");
    UNTIL(&h, call->ended == 1);
    assert_string_equal(call->sqlstate, "23505");
    call_ok(&h, call, "DELETE FROM t");
    call->ended = 0;
    call_request(call, 20, text, "half");
    UNTIL(&h, call->ended == 1);
    assert_string_equal(call->sqlstate, "40003");
    assert_int_equal(call_integer(&h, call, "SELECT count(*) FROM t"), 0);
    harness_close(&h);
}

/* Two sendings of one request under way at once, apart by any number of turns. */
static void test_resend_in_flight(void **state)
{
    (void)state;
    struct harness h;
    struct call *a = harness_table(&h);
    struct call *b = client_session(client_open(&h));
    call_ok(&h, a, "INSERT INTO t VALUES (1, 0)");
    int done = 0; /* one of the two may be told only when it asks again, after a second */
    for (int turns = 0; turns < 8; turns += 1 + turns) {
        char id[32];
        snprintf(id, sizeof id, "request %d", turns);
        a->ended = b->ended = 0;
        const char *text = "UPDATE t SET v = v + 1; UPDATE t SET v = v + 100";
        call_request(a, a->sequence + 1, text, id);
        harness_turns(&h, turns);
        call_request(b, b->sequence + 1, text, id);
        UNTIL(&h, a->ended == 1 && b->ended == 1);
        assert_int_equal(call_integer(&h, a, "SELECT v FROM t"), 101 * ++done);
    }
    harness_close(&h);
}

static void test_request_id_size(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    char id[66];
    memset(id, 'x', sizeof id);
    id[64] = '\0';
    call->ended = 0;
    call_request(call, 10, "INSERT INTO t VALUES (1, 1)", id);
    UNTIL(&h, call->ended == 1);
    assert_int_equal(call->errors, 0);
    id[64] = 'x';
    id[65] = '\0';
    call_request(call, 11, "INSERT INTO t VALUES (2, 1)", id);
    UNTIL(&h, call->ended == 2);
    assert_string_equal(call->sqlstate, "22023");
    struct call *execute = client_execute(&h.clients[0], "SELECT 1", id);
    UNTIL(&h, !execute->call);
    assert_int_equal(execute->status, GRPC_INVALID_ARGUMENT);
    harness_close(&h);
}

/* ---- at any moment ------------------------------------------------------------------------------
 */

/* Texts that pass through all states: read versions, workers, commits, retries, many rows. */
static const char *const texts[] = {
    "INSERT INTO t VALUES (7, 7); DELETE FROM t WHERE id = 7",
    "BEGIN; UPDATE t SET v = v + 1; SELECT * FROM t; COMMIT",
    "SELECT a.id, b.id FROM t a, t b, t c ORDER BY a.v, b.v, c.v",
    "SELECT a.id FROM t a, t b, t c, t d",
    "CREATE INDEX i ON t (v); DROP INDEX i",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static void rows_insert(struct harness *h, struct call *call)
{
    for (int i = 0; i < 4; i++) {
        char sql[4096];
        size_t used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO t VALUES ");
        for (int k = 0; k < 10; k++)
            used += (size_t)snprintf(sql + used, sizeof sql - used, "%s(%d, %d)", k ? "," : "",
                                     100 + 10 * i + k, k);
        call_ok(h, call, sql);
    }
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    rows_insert(&h, call);
    for (int text = 0; text < TEXTS; text++) {
        for (int turns = 0; turns < 30; turns++) {
            struct client *client = client_open(&h);
            struct call *victim = client_session(client);
            call_request(victim, 1, texts[text], turns % 2 ? "cut" : NULL);
            call_request(victim, 2, texts[text], NULL);
            harness_turns(&h, turns);
            client_cut(client);
            h.client_count--;
        }
        UNTIL(&h, h.node->session_count == 1);
        call_ok(&h, call, "SELECT count(*) FROM t");
    }
    assert_int_equal(h.node->client_count, 1);
    harness_close(&h);
}

static void test_cancel_anywhere(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    uint32_t canceled = 0;
    rows_insert(&h, call);
    for (int text = 0; text < TEXTS; text++) {
        for (int turns = 0; turns < 30; turns++) {
            call->ended = call->errors = 0;
            uint64_t sequence = call->sequence + 1;
            call_request(call, sequence, texts[text], NULL);
            harness_turns(&h, turns);
            call_cancel_request(call, sequence);
            UNTIL(&h, call->ended == 1);
            if (call->errors)
                assert_string_equal(call->sqlstate, "57014");
            canceled += call->errors;
            call_ok(&h, call, "ROLLBACK");
            call_ok(&h, call, "DROP INDEX IF EXISTS i; DELETE FROM t WHERE id = 7");
        }
    }
    assert_true(canceled > 20);
    harness_close(&h);
}

/* A client that goes while a worker has its statement and it stands in line for the loop, too. */
static void nothing(void *context)
{
    (void)context;
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static void test_close_while_working(void **state)
{
    (void)state;
    static const struct session_sink sink = {.slow = never, .done = nothing, .shutdown = nothing};
    struct harness h;
    struct call *call = harness_table(&h);
    rows_insert(&h, call);
    h.node->turn_end_us = UINT64_MAX;
    struct session_request update = {.text = slice_from_string("UPDATE t SET v = v + 1")};
    struct session *session = session_open(h.node, &sink, NULL);
    session_submit(session, &update);
    sessions_run(h.node);
    assert_int_equal(h.node->mailbox.out, 1);
    assert_int_equal(h.node->runnable_count, 1);
    session_close(session);
    sessions_run(h.node);
    assert_int_equal(h.node->session_count, 2);
    session = session_open(h.node, &sink, NULL);
    session_submit(session, &update);
    sessions_run(h.node);
    session_close(session);
    assert_int_equal(h.node->runnable_count, 1);
    while (h.node->mailbox.out)
        mailbox_drain(&h.node->mailbox);
    UNTIL(&h, h.node->session_count == 1);
    assert_int_equal(call_integer(&h, call, "SELECT max(v) FROM t"), 9);
    harness_close(&h);
}

/* One that waits is cancelled, too, and the others are not. */
static void test_cancel_waiting(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    rows_insert(&h, call);
    call->ended = 0;
    call_request(call, 10, texts[3], NULL);
    call_request(call, 11, "INSERT INTO t VALUES (1, 1)", NULL);
    call_request(call, 12, "SELECT 12", NULL);
    call_cancel_request(call, 11);
    call_cancel_request(call, 10);
    UNTIL(&h, call->ended == 3);
    assert_int_equal(call->errors, 2);
    assert_int_equal(call->integer, 12);
    assert_int_equal(call_integer(&h, call, "SELECT count(*) FROM t"), 40);
    harness_close(&h);
}

/* A call that breaks the rules while its statement runs ends alone. */
static void test_malformed_while_running(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    rows_insert(&h, call);
    for (int turns = 0; turns < 30; turns++) {
        struct call *victim = client_session(&h.clients[0]);
        call_request(victim, 1, texts[turns % TEXTS], NULL);
        harness_turns(&h, turns);
        grpc_call_send(victim->call, slice_from_string("\xff\xff not protobuf"));
        UNTIL(&h, !victim->call);
        assert_int_equal(victim->status, GRPC_INVALID_ARGUMENT);
    }
    call_ok(&h, call, "SELECT 1");
    UNTIL(&h, h.node->session_count == 1);
    harness_close(&h);
}

/* Many at once without a majority: each waits, none for ever, all can be called off. */
static void test_no_quorum(void **state)
{
    (void)state;
    struct harness h;
    struct error error;
    struct server_config config = {.id = 1, .tick_ms = 5, .quorum_timeout_us = 300000};
    assert_int_equal(
        server_peers_parse("1=127.0.0.1:1,2=127.0.0.1:2,3=127.0.0.1:3", &config, &error), OK);
    harness_open_config(&h, &config);
    struct call *calls[40];
    for (int i = 0; i < 40; i++) {
        calls[i] = client_session(client_open(&h));
        call_request(calls[i], 1, "SHOW TABLES", NULL);
    }
    harness_turns(&h, 10);
    for (int i = 0; i < 10; i++)
        client_cut(&h.clients[i]);
    for (int i = 10; i < 20; i++)
        call_cancel_request(calls[i], 1);
    for (int i = 10; i < 40; i++)
        UNTIL(&h, calls[i]->ended == 1);
    for (int i = 10; i < 40; i++)
        assert_string_equal(calls[i]->sqlstate, i < 20 ? "57014" : "57P03");
    call_request(calls[20], 2, "SHOW TABLES", NULL);
    harness_turns(&h, 5);
    harness_close(&h); /* with a request that waits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_execute),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_request_of_many_commits),
        cmocka_unit_test(test_resend_after_commit),
        cmocka_unit_test(test_resend_of_block),
        cmocka_unit_test(test_resend_of_interrupted),
        cmocka_unit_test(test_resend_in_flight),
        cmocka_unit_test(test_request_id_size),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_cancel_anywhere),
        cmocka_unit_test(test_close_while_working),
        cmocka_unit_test(test_cancel_waiting),
        cmocka_unit_test(test_malformed_while_running),
        cmocka_unit_test(test_no_quorum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
