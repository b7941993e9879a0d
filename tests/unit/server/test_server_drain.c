/* Stopping: what runs and what is open gets its time. And asking, elsewhere, for the outcome of a
 * transaction whose session has ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

/* ---- outcomes -----------------------------------------------------------------------------------
 */

static void outcome_ask(struct harness *h, struct call *call, const char *id)
{
    call->ended = 0;
    call->errors = 0;
    call_outcome(call, call->sequence + 1, id);
    UNTIL(h, call->ended == 1);
}

static void test_outcome_committed(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    call_ok(&h, call, "BEGIN; INSERT INTO t VALUES (1, 1), (2, 2)");
    call->ended = 0;
    call_request(call, 50, "COMMIT", "the commit");
    UNTIL(&h, call->ended == 1);
    struct call *other = client_session(client_open(&h));
    for (int i = 0; i < 2; i++) {
        outcome_ask(&h, other, "the commit");
        assert_int_equal(other->errors, 0);
        assert_string_equal(other->tag, "COMMIT");
    }
    /* A text that begins with it and ends with it: committed by its last statement, or by a former.
     */
    call_ok(&h, call, "BEGIN; INSERT INTO t VALUES (3, 3)");
    call->ended = 0;
    call_request(call, 90, "INSERT INTO t VALUES (4, 4); COMMIT; SELECT 1", "more");
    UNTIL(&h, call->ended == 1);
    outcome_ask(&h, other, "more");
    assert_string_equal(other->sqlstate, "40003");
    assert_int_equal(call_integer(&h, other, "SELECT count(*) FROM t"), 4);
    harness_close(&h);
}

/* Once somebody was told that it is rolled back it must stay so, though its COMMIT comes late. */
static void test_outcome_rolled_back(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    struct call *other = client_session(client_open(&h));
    call_ok(&h, call, "BEGIN; INSERT INTO t VALUES (1, 1)");
    for (int i = 0; i < 2; i++) {
        outcome_ask(&h, other, "late");
        assert_string_equal(other->sqlstate, "40000");
    }
    call->ended = 0;
    call_request(call, 50, "COMMIT", "late");
    UNTIL(&h, call->ended == 1);
    assert_string_equal(call->tag, "ROLLBACK");
    outcome_ask(&h, other, "late");
    assert_string_equal(other->sqlstate, "40000");
    assert_int_equal(call_integer(&h, other, "SELECT count(*) FROM t"), 0);
    harness_close(&h);
}

/* The COMMIT and the question race, apart by any number of turns: both get the same answer. */
static void test_outcome_in_flight(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    struct call *other = client_session(client_open(&h));
    int64_t rows = 0;
    for (int turns = 0; turns < 6; turns++) {
        char id[32], sql[64];
        snprintf(id, sizeof id, "race %d", turns);
        snprintf(sql, sizeof sql, "BEGIN; INSERT INTO t VALUES (%d, 1)", turns);
        call_ok(&h, call, sql);
        call->ended = other->ended = other->errors = 0;
        call_request(call, call->sequence + 1, "COMMIT", id);
        harness_turns(&h, turns);
        call_outcome(other, other->sequence + 1, id);
        UNTIL(&h, call->ended == 1 && other->ended == 1);
        bool committed = other->errors == 0;
        assert_string_equal(call->tag, committed ? "COMMIT" : "ROLLBACK");
        if (!committed)
            assert_string_equal(other->sqlstate, "40000");
        rows += committed;
        assert_int_equal(call_integer(&h, other, "SELECT count(*) FROM t"), rows);
    }
    harness_close(&h);
}

static void test_outcome_refused(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    call_ok(&h, call, "BEGIN");
    outcome_ask(&h, call, "inside");
    assert_string_equal(call->sqlstate, "25001");
    call_ok(&h, call, "ROLLBACK");
    outcome_ask(&h, call, NULL);
    assert_string_equal(call->sqlstate, "22023");
    /* The client goes while it waits. */
    call_outcome(call, call->sequence + 1, "left");
    harness_turns(&h, 1);
    client_cut(&h.clients[0]);
    h.client_count--;
    UNTIL(&h, h.node->session_count == 0);
    harness_close(&h);
}

/* ---- stopping -----------------------------------------------------------------------------------
 */

/* Longer than anything is waited for: a node that stops all the same was not held up by clients. */
static const uint64_t HOUR_US = 3600 * (uint64_t)1000000;

static void stop(struct harness *h)
{
    node_stop(h->node);
    UNTIL(h, h->node->stopped);
}

/* The clients have had their time. */
static void time_pass(struct harness *h)
{
    assert_true(h->node->stopping);
    h->node->drain_end_us = env_monotonic_us(env_real());
}

static void test_stop_idle(void **state)
{
    (void)state;
    struct harness h;
    struct call *idle = harness_table(&h);
    client_session(client_open(&h));
    h.node->config.drain_us = HOUR_US;
    stop(&h);
    harness_turns(&h, 4);
    assert_null(idle->call);
    assert_int_equal(idle->status, GRPC_UNAVAILABLE);
    assert_string_equal(idle->message, "57P01: node is shutting down");
    harness_close(&h);
}

/* An open transaction goes on to its COMMIT, one that nothing comes of is ended in time. */
static void test_stop_open(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    struct call *left = client_session(client_open(&h));
    h.node->config.drain_us = HOUR_US;
    call_ok(&h, call, "BEGIN; INSERT INTO t VALUES (1, 1)");
    call_ok(&h, left, "BEGIN; INSERT INTO t VALUES (2, 2)");
    node_stop(h.node);
    harness_turns(&h, 20);
    call_ok(&h, call, "INSERT INTO t VALUES (3, 3)");
    call_ok(&h, call, "COMMIT");
    UNTIL(&h, !call->call);
    assert_int_equal(call->status, GRPC_UNAVAILABLE);
    assert_non_null(left->call);
    time_pass(&h);
    UNTIL(&h, h.node->stopped);
    harness_turns(&h, 4);
    assert_null(left->call);
    assert_int_equal(left->status, GRPC_UNAVAILABLE);
    assert_string_equal(left->message,
                        "57P01: node is shutting down, the open transaction is rolled back");
    harness_restart(&h);
    call = client_session(client_open(&h));
    assert_int_equal(call_integer(&h, call, "SELECT sum(v) FROM t"), 4);
    harness_close(&h);
}

/* Whoever asks twice is in a hurry. */
static void test_stop_twice(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    h.node->config.drain_us = HOUR_US;
    call_ok(&h, call, "BEGIN; INSERT INTO t VALUES (1, 1)");
    node_stop(h.node);
    harness_turns(&h, 10);
    assert_non_null(call->call);
    stop(&h);
    harness_close(&h);
}

/* Running statements are cut off after a while; clients that read nothing hold nobody up. */
static void test_stop_busy(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "SELECT a.id, b.id FROM t a, t b, t c ORDER BY a.v, b.v, c.v",
        "SELECT a.id FROM t a, t b, t c, t d",
    };
    struct harness h;
    struct call *call = harness_table(&h);
    h.node->config.drain_us = HOUR_US;
    call_ok(&h, call, "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)");
    call_ok(&h, call, "INSERT INTO t SELECT a.id * 10 + b.id, b.v FROM t a, t b");
    for (int i = 0; i < 4; i++) {
        struct client *client = client_open(&h);
        client->deaf = i >= 2;
        call_request(client_session(client), 1, texts[i % 2], NULL);
        call_request(client_session(client), 1, "SELECT 1", NULL);
        client_execute(client, texts[1], NULL);
        client_execute(client, "SELECT 1", NULL);
    }
    harness_turns(&h, 400);
    node_stop(h.node);
    harness_turns(&h, 40);
    assert_false(h.node->stopped);
    time_pass(&h);
    UNTIL(&h, h.node->stopped);
    harness_close(&h);
}

/* A node that cannot go on ends its sessions at once. */
static void test_stop_failed(void **state)
{
    (void)state;
    struct harness h;
    struct call *call = harness_table(&h);
    struct call *other = client_session(client_open(&h));
    call_ok(&h, other, "BEGIN; INSERT INTO t VALUES (1, 1)");
    call_request(call, 9, "SELECT 1", NULL);
    harness_turn(&h);
    h.node->config.drain_us = HOUR_US;
    h.node->failed = true;
    stop(&h);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcome_committed), cmocka_unit_test(test_outcome_rolled_back),
        cmocka_unit_test(test_outcome_in_flight), cmocka_unit_test(test_outcome_refused),
        cmocka_unit_test(test_stop_idle),         cmocka_unit_test(test_stop_open),
        cmocka_unit_test(test_stop_twice),        cmocka_unit_test(test_stop_busy),
        cmocka_unit_test(test_stop_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
