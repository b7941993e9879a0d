/* Calls between a client and a server connection, over a pipe that cuts bytes anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"

enum { SEEDS = 20 };

static void setup(struct fixture *fixture, uint64_t seed)
{
    static const size_t pieces[] = {0, 1, 7, 100, 5000};
    fixture_init(fixture, NULL, NULL, seed, pieces[seed % 5]);
}

static void test_unary(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        setup(&f, seed);
        for (int i = 0; i < 5; i++) {
            struct call_log log;
            call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_from_string("hello"), NULL);
            grpc_pipe_run(&f.pipe);
            fixture_assert(&log, GRPC_OK, "");
            assert_int_equal(log.message_count, 1);
            assert_true(slice_equal(buffer_slice(&log.messages), slice_from_string("hello")));
            assert_int_equal(grpc_conn_call_count(f.pipe.client), 0);
            assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
            assert_int_equal(f.service.last_close, GRPC_OK);
            call_log_free(&log);
        }
        fixture_free(&f);
    }
}

static void test_unary_empty_message(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Unary", (struct slice){0}, NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    assert_int_equal(log.message_count, 1);
    assert_int_equal(log.messages.size, 0);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_unary_many_at_once(void **state)
{
    (void)state;
    enum { CALLS = 3000 }; /* more than the server allows at once: the rest waits its turn */
    static struct call_log logs[CALLS];
    struct fixture f;
    setup(&f, 4);
    for (int i = 0; i < CALLS; i++)
        call_log_unary(&logs[i], f.pipe.client, "/Test/Unary", slice_make(&i, sizeof i), NULL);
    grpc_pipe_run(&f.pipe);
    for (int i = 0; i < CALLS; i++) {
        fixture_assert(&logs[i], GRPC_OK, "");
        assert_true(slice_equal(buffer_slice(&logs[i].messages), slice_make(&i, sizeof i)));
        call_log_free(&logs[i]);
    }
    fixture_free(&f);
}

static void test_bidi(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        setup(&f, seed);
        struct call_log log;
        call_log_start(&log, f.pipe.client, "/Test/Bidi", NULL);
        for (unsigned i = 0; i < 10; i++) {
            grpc_call_send(log.call, slice_from_string("0123456789"));
            grpc_pipe_run(&f.pipe);
            assert_int_equal(log.message_count, i + 1);
        }
        for (unsigned i = 0; i < 10; i++)
            grpc_call_send(log.call, slice_from_string("0123456789"));
        grpc_call_half_close(log.call);
        grpc_pipe_run(&f.pipe);
        assert_int_equal(log.message_count, 20);
        assert_int_equal(log.messages.size, 200);
        fixture_assert(&log, GRPC_OK, "");
        call_log_free(&log);
        fixture_free(&f);
    }
}

static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        enum grpc_status status;
        const char *message;
        unsigned messages;
    } cases[] = {
        {"3 42601: syntax error", GRPC_INVALID_ARGUMENT, "42601: syntax error", 0},
        {"!3 after a message", GRPC_INVALID_ARGUMENT, "after a message", 1},
        {"14", GRPC_UNAVAILABLE, "", 0},
        {"2 100% \n na\xc3\xafve \x01", GRPC_UNKNOWN, "100% \n na\xc3\xafve \x01", 0},
        {"0 fine", GRPC_OK, "fine", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        setup(&f, i);
        struct call_log log;
        call_log_unary(&log, f.pipe.client, "/Test/Fail", slice_from_string(cases[i].request),
                       NULL);
        grpc_pipe_run(&f.pipe);
        fixture_assert(&log, cases[i].status, cases[i].message);
        assert_int_equal(log.message_count, cases[i].messages);
        call_log_free(&log);
        fixture_free(&f);
    }
}

static void test_unknown_method(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Nothing", slice_from_string("x"), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_UNIMPLEMENTED, "unknown method");
    assert_int_equal(f.service.started, 0);
    assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_unary_cardinality(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3);
    struct call_log log;
    call_log_start(&log, f.pipe.client, "/Test/Unary", NULL);
    grpc_call_half_close(log.call);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_INTERNAL, "no message for a unary request");
    call_log_free(&log);
    /* The answer to the first may win against the second. */
    call_log_start(&log, f.pipe.client, "/Test/Hang", NULL);
    grpc_call_cancel(log.call);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(log.closes, 0);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_server_finishes_first(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        setup(&f, seed);
        struct call_log log;
        call_log_start(&log, f.pipe.client, "/Test/Fail", NULL);
        grpc_call_send(log.call, slice_from_string("5 no such thing"));
        grpc_pipe_run(&f.pipe); /* the client never half-closes */
        fixture_assert(&log, GRPC_NOT_FOUND, "no such thing");
        assert_int_equal(grpc_conn_call_count(f.pipe.client), 0);
        assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
        call_log_free(&log);
        fixture_free(&f);
    }
}

static void test_metadata(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2);
    struct grpc_metadata metadata[] = {
        {slice_from_string("authorization"), slice_from_string("Bearer secret")},
        {slice_from_string("x-test"), slice_from_string("some value")},
    };
    struct grpc_call_options options = {.metadata = metadata, .metadata_count = 2};
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Metadata", slice_from_string(""), &options);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    assert_true(slice_equal(buffer_slice(&log.messages), slice_from_string("some value")));
    call_log_free(&log);
    fixture_free(&f);
}

static void test_cancel(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct fixture f;
        setup(&f, seed);
        struct call_log log;
        call_log_start(&log, f.pipe.client, "/Test/Hang", NULL);
        grpc_call_send(log.call, slice_from_string("x"));
        unsigned steps = (unsigned)(seed / 5);
        for (unsigned i = 0; i < steps * 20; i++)
            grpc_pipe_step(&f.pipe);
        grpc_call_cancel(log.call);
        grpc_pipe_run(&f.pipe);
        assert_int_equal(log.closes, 0);
        assert_int_equal(grpc_conn_call_count(f.pipe.client), 0);
        assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
        if (f.service.started)
            assert_int_equal(f.service.last_close, GRPC_CANCELLED);
        call_log_free(&log);
        /* The connection still serves. */
        call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_from_string("on"), NULL);
        grpc_pipe_run(&f.pipe);
        fixture_assert(&log, GRPC_OK, "");
        call_log_free(&log);
        fixture_free(&f);
    }
}

static void test_deadline_client(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2);
    struct call_log log;
    struct grpc_call_options options = {.timeout_us = 250000};
    call_log_start(&log, f.pipe.client, "/Test/Hang", &options);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(f.service.last_deadline_us, f.pipe.now_us + 250000);
    assert_int_equal(grpc_conn_tick_at(f.pipe.client), f.pipe.now_us + 250000);
    grpc_pipe_advance(&f.pipe, 249999);
    assert_int_equal(log.closes, 0);
    grpc_pipe_advance(&f.pipe, 1);
    fixture_assert(&log, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
    assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
    assert_int_equal(grpc_conn_tick_at(f.pipe.client), UINT64_MAX);
    call_log_free(&log);
    fixture_free(&f);
}

/* A client without a clock of its own still gets the server's verdict. */
static void test_deadline_server(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 2);
    struct call_log log;
    struct grpc_call_options options = {.timeout_us = 250000};
    call_log_start(&log, f.pipe.client, "/Test/Hang", &options);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(grpc_conn_tick(f.pipe.server, f.pipe.now_us + 250000), OK);
    assert_int_equal(f.service.closed, 1);
    assert_int_equal(f.service.last_close, GRPC_DEADLINE_EXCEEDED);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
    call_log_free(&log);
    fixture_free(&f);
}

/* The next deadline is known after one has passed. */
static void test_deadlines_in_turn(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    struct call_log logs[3];
    for (unsigned i = 0; i < 3; i++) {
        struct grpc_call_options options = {.timeout_us = 1000 * (3 - i)};
        call_log_start(&logs[i], f.pipe.client, "/Test/Hang", &options);
    }
    uint64_t start_us = f.pipe.now_us;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(grpc_conn_tick_at(f.pipe.client), start_us + 1000 * (i + 1));
        grpc_pipe_advance(&f.pipe, 1000);
        fixture_assert(&logs[2 - i], GRPC_DEADLINE_EXCEEDED, "deadline exceeded");
        call_log_free(&logs[2 - i]);
    }
    fixture_free(&f);
}

struct pair {
    struct grpc_call *other;
    unsigned closes;
};

static void cancel_other(struct grpc_call *call, enum grpc_status status, struct slice message)
{
    (void)status, (void)message;
    struct pair *pair = grpc_call_user(call);
    pair->closes++;
    if (pair->other)
        grpc_call_cancel(pair->other);
    pair->other = NULL;
}

/* A call whose stream is gone (paused past its end) is freed at once when it is cancelled, here
 * from inside a walk over all calls, which was going to it next. */
static void test_cancel_in_walk(void **state)
{
    (void)state;
    static const struct grpc_handlers handlers = {.on_close = cancel_other};
    for (int by_deadline = 0; by_deadline < 2; by_deadline++) {
        struct fixture f;
        setup(&f, 0);
        struct pair pair = {0};
        struct call_log held;
        call_log_unary(&held, f.pipe.client, "/Test/Unary", slice_from_string("x"), NULL);
        grpc_call_pause(held.call);
        struct grpc_call_options options = {.timeout_us = 1000};
        grpc_call_start(f.pipe.client, "/Test/Hang", &handlers, &pair, &options);
        grpc_pipe_run(&f.pipe);
        pair.other = held.call;
        if (by_deadline) {
            grpc_pipe_advance(&f.pipe, 1000);
        } else {
            grpc_conn_destroy(f.pipe.client);
            f.pipe.client = NULL;
        }
        assert_int_equal(pair.closes, 1);
        assert_int_equal(held.closes, 0);
        call_log_free(&held);
        fixture_free(&f);
    }
}

static void test_connection_lost(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    struct call_log logs[3];
    for (int i = 0; i < 3; i++) {
        call_log_start(&logs[i], f.pipe.client, "/Test/Hang", NULL);
        grpc_call_send(logs[i].call, slice_from_string("x"));
    }
    grpc_pipe_run(&f.pipe);
    assert_int_equal(f.service.started, 3);
    grpc_conn_destroy(f.pipe.server);
    assert_int_equal(f.service.closed, 3);
    assert_int_equal(f.service.last_close, GRPC_CANCELLED);
    f.pipe.server = NULL;
    grpc_conn_destroy(f.pipe.client);
    f.pipe.client = NULL;
    for (int i = 0; i < 3; i++) {
        fixture_assert(&logs[i], GRPC_UNAVAILABLE, "connection lost");
        call_log_free(&logs[i]);
    }
    fixture_free(&f);
}

static void test_shutdown(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 3);
    struct call_log before;
    call_log_start(&before, f.pipe.client, "/Test/Bidi", NULL);
    grpc_pipe_run(&f.pipe);
    grpc_conn_shutdown(f.pipe.server);
    struct call_log crossing; /* started before the client could know */
    call_log_unary(&crossing, f.pipe.client, "/Test/Unary", slice_from_string("x"), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&crossing, GRPC_UNAVAILABLE, (const char *)crossing.status_message.data);
    assert_true(grpc_conn_draining(f.pipe.client));
    assert_null(grpc_call_start(f.pipe.client, "/Test/Unary", &call_log_handlers, NULL, NULL));
    assert_false(grpc_conn_done(f.pipe.server));
    grpc_call_send(before.call, slice_from_string("still here"));
    grpc_call_half_close(before.call);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&before, GRPC_OK, "");
    assert_int_equal(before.message_count, 1);
    assert_true(grpc_conn_done(f.pipe.server));
    assert_true(grpc_conn_done(f.pipe.client));
    call_log_free(&before);
    call_log_free(&crossing);
    fixture_free(&f);
}

/* A request that had not left yet when the GOAWAY came. */
static void test_shutdown_before_sending(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    grpc_pipe_run(&f.pipe);
    grpc_conn_shutdown(f.pipe.server);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_from_string("x"), NULL);
    struct slice goaway = grpc_conn_output(f.pipe.server);
    assert_int_equal(grpc_conn_receive(f.pipe.client, goaway, 0), OK);
    grpc_conn_output_consume(f.pipe.server, goaway.size);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(f.service.started, 0);
    assert_int_equal(log.closes, 1);
    assert_int_equal(log.status, GRPC_UNAVAILABLE);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_keepalive(void **state)
{
    (void)state;
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct grpc_config config = {.keepalive_us = 1000};
    struct grpc_pipe pipe;
    grpc_pipe_init(&pipe, service.server, &config, 1, 0);
    grpc_pipe_run(&pipe);
    for (int i = 0; i < 10; i++) {
        assert_true(grpc_conn_tick_at(pipe.client) <= pipe.now_us + 1000);
        grpc_pipe_advance(&pipe, 1000); /* the server answers each PING */
        assert_int_equal(pipe.client_status, OK);
    }
    /* Then it does not. */
    assert_int_equal(grpc_conn_tick(pipe.client, pipe.now_us + 1000), OK);
    assert_int_equal(grpc_conn_tick(pipe.client, pipe.now_us + 1999), OK);
    assert_int_equal(grpc_conn_tick(pipe.client, pipe.now_us + 2000), ERR_TIMEOUT);
    grpc_pipe_free(&pipe);
    echo_service_free(&service);
}

static void wake_count(struct grpc_conn *conn, void *context)
{
    (void)conn;
    ++*(int *)context;
}

static void test_wake(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, 0);
    grpc_pipe_run(&f.pipe);
    int wakes = 0;
    grpc_conn_wake_set(f.pipe.client, wake_count, &wakes);
    struct call_log log;
    call_log_start(&log, f.pipe.client, "/Test/Bidi", NULL);
    grpc_call_send(log.call, slice_from_string("a"));
    assert_int_equal(wakes, 1);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(wakes, 1); /* nothing from outside */
    grpc_call_send(log.call, slice_from_string("b"));
    grpc_call_half_close(log.call);
    assert_int_equal(wakes, 2);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    call_log_free(&log);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unary),
        cmocka_unit_test(test_unary_empty_message),
        cmocka_unit_test(test_unary_many_at_once),
        cmocka_unit_test(test_bidi),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_unknown_method),
        cmocka_unit_test(test_unary_cardinality),
        cmocka_unit_test(test_server_finishes_first),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_deadline_client),
        cmocka_unit_test(test_deadline_server),
        cmocka_unit_test(test_deadlines_in_turn),
        cmocka_unit_test(test_cancel_in_walk),
        cmocka_unit_test(test_connection_lost),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_shutdown_before_sending),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
