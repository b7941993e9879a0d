/* Bounds and hostile input: large messages, back-pressure both ways, what is not gRPC, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "fixture.h"
#include "grpc/grpc_int.h"

static uint8_t *random_bytes(size_t size, uint64_t seed)
{
    struct prng prng;
    prng_seed(&prng, seed);
    uint8_t *bytes = mem_alloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)prng_next(&prng);
    return bytes;
}

static void test_large_message(void **state)
{
    (void)state;
    enum { SIZE = 10 << 20 };
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 100000);
    uint8_t *bytes = random_bytes(SIZE, 1);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_make(bytes, SIZE), NULL);
    assert_int_equal(grpc_call_queued(log.call), SIZE + GRPC__PREFIX_SIZE);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    assert_int_equal(log.writables, 0); /* after half-close nobody wants to know */
    assert_true(slice_equal(buffer_slice(&log.messages), slice_make(bytes, SIZE)));
    assert_int_equal(f.pipe.client->in_bytes, 0);
    assert_int_equal(f.pipe.server->in_bytes, 0);
    call_log_free(&log);
    mem_free(bytes);
    fixture_free(&f);
}

static void test_message_over_limit(void **state)
{
    (void)state;
    static const uint8_t body[1001];
    struct grpc_config config = {.message_size_max = 1000};
    struct call_log log;
    struct fixture f;
    fixture_init(&f, &config, NULL, 7, 3);
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_make(body, 1000), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    call_log_free(&log);
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_make(body, 1001), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_RESOURCE_EXHAUSTED, "message is larger than the limit");
    assert_int_equal(f.service.last_close, GRPC_RESOURCE_EXHAUSTED);
    call_log_free(&log);
    call_log_unary(&log, f.pipe.client, "/Test/Small", slice_make(body, 100), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    call_log_free(&log);
    call_log_unary(&log, f.pipe.client, "/Test/Small", slice_make(body, 101), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_RESOURCE_EXHAUSTED, "message is larger than the limit");
    call_log_free(&log);
    fixture_free(&f);

    fixture_init(&f, NULL, &config, 7, 3); /* the client's own limit */
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_make(body, 1001), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_RESOURCE_EXHAUSTED, "message is larger than the limit");
    assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_receive_memory(void **state)
{
    (void)state;
    static const uint8_t body[200000];
    struct grpc_config config = {.receive_memory_max = 50000};
    struct fixture f;
    fixture_init(&f, &config, NULL, 7, 0);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_make(body, sizeof body), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_RESOURCE_EXHAUSTED, "too much unfinished input on the connection");
    assert_int_equal(f.pipe.server->in_bytes, 0);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_server_stream_back_pressure(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 50000);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Count", slice_from_string("100000"), NULL);
    grpc_call_pause(log.call);
    grpc_pipe_run(&f.pipe);
    /* The reader's window is full, the writer's queue too, and everybody waits. */
    assert_int_equal(log.message_count, 0);
    size_t window = f.pipe.client->config.stream_window;
    assert_in_range(f.pipe.client->in_bytes, window - 200, window);
    assert_in_range(f.service.queued_max, 64 << 10, (64 << 10) + 200);
    /* Another call gets through. */
    struct call_log other;
    call_log_unary(&other, f.pipe.client, "/Test/Unary", slice_from_string("x"), NULL);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&other, GRPC_OK, "");
    call_log_free(&other);

    grpc_call_resume(log.call);
    assert_in_range(log.message_count, window / 105 - 2, window / 105);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    assert_int_equal(log.message_count, 100000);
    assert_in_range(f.service.queued_max, 64 << 10, (64 << 10) + 200);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_client_stream_back_pressure(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 50000);
    struct call_log log;
    call_log_start(&log, f.pipe.client, "/Test/Pause", NULL);
    uint8_t *body = random_bytes(1000, 3);
    for (int i = 0; i < 1000; i++)
        grpc_call_send(log.call, slice_make(body, 1000));
    grpc_pipe_run(&f.pipe);
    size_t window = f.pipe.server->config.stream_window;
    assert_int_equal(f.pipe.server->in_bytes, window);
    assert_int_equal(grpc_call_queued(log.call), 1000 * 1005 - window);
    assert_int_equal(log.writables, 0);
    assert_non_null(f.service.paused);
    grpc_call_half_close(log.call);
    grpc_call_resume(f.service.paused);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    assert_int_equal(log.message_count, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_memory_equal(log.messages.data + i * 1000, body, 1000);
    mem_free(body);
    call_log_free(&log);
    fixture_free(&f);
}

static void test_writable(void **state)
{
    (void)state;
    static const uint8_t body[1000];
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 0);
    struct call_log log;
    call_log_start(&log, f.pipe.client, "/Test/Sum", NULL);
    size_t queued = 0;
    while (queued <= 64 << 10)
        queued = grpc_call_send(log.call, slice_make(body, sizeof body));
    grpc_pipe_run(&f.pipe);
    assert_int_equal(log.writables, 1);
    grpc_call_send(log.call, slice_make(body, sizeof body));
    grpc_pipe_run(&f.pipe);
    assert_int_equal(log.writables, 1); /* it never rose above the mark */
    grpc_call_half_close(log.call);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_OK, "");
    assert_true(slice_equal(buffer_slice(&log.messages), slice_from_string("67000")));
    call_log_free(&log);
    fixture_free(&f);
}

/* Messages and end have come in full; a paused reader gets them when it wants. */
static void test_paused_past_the_end(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 0);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Fail", slice_from_string("!3 bad"), NULL);
    grpc_call_pause(log.call);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(grpc_conn_call_count(f.pipe.server), 0);
    assert_int_equal(log.message_count, 0);
    assert_int_equal(log.closes, 0);
    grpc_call_resume(log.call);
    assert_int_equal(log.message_count, 1);
    fixture_assert(&log, GRPC_INVALID_ARGUMENT, "bad");
    assert_int_equal(grpc_conn_call_count(f.pipe.client), 0);
    call_log_free(&log);

    /* Or gives up. */
    call_log_unary(&log, f.pipe.client, "/Test/Fail", slice_from_string("!3 bad"), NULL);
    grpc_call_pause(log.call);
    grpc_pipe_run(&f.pipe);
    grpc_call_cancel(log.call);
    assert_int_equal(grpc_conn_call_count(f.pipe.client), 0);
    call_log_free(&log);
    fixture_free(&f);
}

static void pausing_message(struct grpc_call *call, struct slice message)
{
    call_log_handlers.on_message(call, message);
    grpc_call_pause(call);
}

static void test_pause_after_each_message(void **state)
{
    (void)state;
    struct grpc_handlers handlers = call_log_handlers;
    handlers.on_message = pausing_message;
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 5000);
    struct call_log log = {0};
    log.call = grpc_call_start(f.pipe.client, "/Test/Count", &handlers, &log, NULL);
    grpc_call_send(log.call, slice_from_string("5000"));
    grpc_call_half_close(log.call);
    unsigned rounds = 0;
    for (; log.call; rounds++) {
        assert_true(rounds <= 5000);
        grpc_pipe_run(&f.pipe);
        assert_int_equal(log.message_count, rounds < 5000 ? rounds + 1 : 5000);
        if (log.call)
            grpc_call_resume(log.call);
    }
    assert_int_equal(log.message_count, 5000);
    fixture_assert(&log, GRPC_OK, "");
    call_log_free(&log);
    fixture_free(&f);
}

static void blinking_message(struct grpc_call *call, struct slice message)
{
    call_log_handlers.on_message(call, message);
    grpc_call_pause(call);
    grpc_call_resume(call);
}

/* A resume from inside on_message leaves the delivery to the loop it interrupts. */
static void test_resume_inside(void **state)
{
    (void)state;
    struct grpc_handlers handlers = call_log_handlers;
    handlers.on_message = blinking_message;
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 0);
    struct call_log log = {0};
    log.call = grpc_call_start(f.pipe.client, "/Test/Count", &handlers, &log, NULL);
    grpc_call_send(log.call, slice_from_string("1000"));
    grpc_call_half_close(log.call);
    grpc_call_pause(log.call);
    grpc_pipe_run(&f.pipe);
    assert_int_equal(log.message_count, 0);
    grpc_call_resume(log.call);
    assert_int_equal(log.message_count, 1000);
    fixture_assert(&log, GRPC_OK, "");
    call_log_free(&log);
    fixture_free(&f);
}

static void test_output_bound(void **state)
{
    (void)state;
    enum { OUTPUT_MAX = 10000, FRAME_MAX = 9 + 16384 };
    static const uint8_t body[1000000];
    struct grpc_config config = {.output_max = OUTPUT_MAX};
    struct fixture f;
    fixture_init(&f, NULL, &config, 7, 0);
    grpc_pipe_run(&f.pipe);
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Unary", slice_make(body, sizeof body), NULL);
    size_t largest = 0;
    bool moved = true;
    while (moved) {
        struct slice out = grpc_conn_output(f.pipe.client);
        largest = out.size > largest ? out.size : largest;
        moved = grpc_pipe_step(&f.pipe);
    }
    assert_in_range(largest, OUTPUT_MAX, OUTPUT_MAX + FRAME_MAX);
    fixture_assert(&log, GRPC_OK, "");
    call_log_free(&log);
    fixture_free(&f);
}

/* Sends a message whose prefix is then changed on its way. */
static void run_with_prefix(struct fixture *f, struct call_log *log, const uint8_t prefix[5])
{
    grpc_pipe_run(&f->pipe);
    call_log_unary(log, f->pipe.client, "/Test/Unary", slice_from_string("MARK"), NULL);
    struct slice out = grpc_conn_output(f->pipe.client);
    uint8_t *bytes = mem_alloc(out.size);
    memcpy(bytes, out.data, out.size);
    uint8_t *mark = memmem(bytes, out.size, "MARK", 4);
    assert_non_null(mark);
    memcpy(mark - 5, prefix, 5);
    assert_int_equal(grpc_conn_receive(f->pipe.server, slice_make(bytes, out.size), 0), OK);
    grpc_conn_output_consume(f->pipe.client, out.size);
    mem_free(bytes);
    grpc_pipe_run(&f->pipe);
}

static void test_bad_prefix(void **state)
{
    (void)state;
    static const struct {
        uint8_t prefix[5];
        enum grpc_status status;
        const char *message;
    } cases[] = {
        {{1, 0, 0, 0, 4}, GRPC_UNIMPLEMENTED, "compressed messages are not supported"},
        {{9, 0, 0, 0, 4}, GRPC_INTERNAL, "malformed message prefix"},
        {{0, 255, 255, 255, 255}, GRPC_RESOURCE_EXHAUSTED, "message is larger than the limit"},
        {{0, 0, 0, 0, 5}, GRPC_INTERNAL, "message is cut short"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f, NULL, NULL, 7, 0);
        struct call_log log;
        run_with_prefix(&f, &log, cases[i].prefix);
        fixture_assert(&log, cases[i].status, cases[i].message);
        call_log_free(&log);
        fixture_free(&f);
    }
}

static void test_metadata_over_limit(void **state)
{
    (void)state;
    static char large[20000];
    memset(large, 'x', sizeof large);
    struct fixture f;
    fixture_init(&f, NULL, NULL, 7, 0);
    struct grpc_metadata metadata = {slice_from_string("x-test"), slice_make(large, sizeof large)};
    struct grpc_call_options options = {.metadata = &metadata, .metadata_count = 1};
    struct call_log log;
    call_log_unary(&log, f.pipe.client, "/Test/Metadata", slice_from_string(""), &options);
    grpc_pipe_run(&f.pipe);
    fixture_assert(&log, GRPC_RESOURCE_EXHAUSTED, "too much metadata");
    call_log_free(&log);
    fixture_free(&f);
}

/* ---- a peer that is not ours ---------------------------------------------------------------- */

struct raw_peer {
    nghttp2_session *session;
    struct grpc_conn *conn; /* ours */
    char http_status[8];
    char grpc_status[8];
    bool goaway;
};

static int raw_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                      size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                      void *user)
{
    (void)session, (void)frame, (void)flags;
    struct raw_peer *raw = user;
    struct slice text = slice_make(name, name_size);
    if (grpc__slice_is(text, ":status") && value_size < sizeof raw->http_status)
        memcpy(raw->http_status, value, value_size);
    if (grpc__slice_is(text, "grpc-status") && value_size < sizeof raw->grpc_status)
        memcpy(raw->grpc_status, value, value_size);
    return 0;
}

static int raw_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct raw_peer *raw = user;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        raw->goaway = true;
    return 0;
}

static void raw_init(struct raw_peer *raw, struct grpc_server *server)
{
    *raw = (struct raw_peer){.conn = grpc_conn_create_server(server, 1)};
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, raw_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, raw_frame);
    assert_int_equal(nghttp2_session_client_new(&raw->session, callbacks, raw), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(raw->session, NGHTTP2_FLAG_NONE, NULL, 0);
}

static void raw_run(struct raw_peer *raw)
{
    bool moved = true;
    while (moved) {
        const uint8_t *data;
        ssize_t size = nghttp2_session_mem_send(raw->session, &data);
        assert_true(size >= 0);
        if (size > 0)
            grpc_conn_receive(raw->conn, slice_make(data, (size_t)size), 1);
        struct slice out = grpc_conn_output(raw->conn);
        nghttp2_session_mem_recv(raw->session, out.data, out.size);
        grpc_conn_output_consume(raw->conn, out.size);
        moved = size > 0 || out.size > 0;
    }
}

static void raw_free(struct raw_peer *raw)
{
    nghttp2_session_del(raw->session);
    grpc_conn_destroy(raw->conn);
}

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value)};
}

static int32_t raw_request(struct raw_peer *raw, const char *method, const char *content_type,
                           const char *timeout)
{
    nghttp2_nv headers[] = {nv(":method", method),
                            nv(":scheme", "http"),
                            nv(":path", "/Test/Hang"),
                            nv(":authority", "x"),
                            nv("content-type", content_type),
                            nv("grpc-timeout", timeout)};
    return nghttp2_submit_request(raw->session, NULL, headers, 6, NULL, NULL);
}

static void test_not_grpc(void **state)
{
    (void)state;
    static const struct {
        const char *method, *content_type, *timeout;
        const char *http_status, *grpc_status;
    } cases[] = {
        {"GET", "application/grpc", "1S", "405", ""},
        {"POST", "application/json", "1S", "415", ""},
        {"POST", "application/grpc-web", "1S", "415", ""},
        {"POST", "application/grpc", "soon", "200", "13"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct echo_service service;
        echo_service_init(&service, NULL);
        struct raw_peer raw;
        raw_init(&raw, service.server);
        raw_request(&raw, cases[i].method, cases[i].content_type, cases[i].timeout);
        raw_run(&raw);
        assert_string_equal(raw.http_status, cases[i].http_status);
        assert_string_equal(raw.grpc_status, cases[i].grpc_status);
        assert_int_equal(service.started, 0);
        assert_int_equal(grpc_conn_call_count(raw.conn), 0);
        raw_free(&raw);
        echo_service_free(&service);
    }
}

/* The server has finished, the client goes on: it is asked to stop, and nothing stays behind. */
static void test_finished_before_the_client(void **state)
{
    (void)state;
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct raw_peer raw;
    raw_init(&raw, service.server);
    nghttp2_nv headers[] = {nv(":method", "POST"), nv(":scheme", "http"),
                            nv(":path", "/Test/Nothing"), nv(":authority", "x"),
                            nv("content-type", "application/grpc")};
    int32_t id = nghttp2_submit_headers(raw.session, NGHTTP2_FLAG_NONE, -1, NULL, headers, 5, NULL);
    assert_true(id > 0);
    raw_run(&raw);
    assert_string_equal(raw.grpc_status, "12");
    assert_int_equal(grpc_conn_call_count(raw.conn), 0);
    raw_free(&raw);
    echo_service_free(&service);
}

static int raw_answer(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    (void)user;
    nghttp2_nv headers[] = {nv(":status", "200"), nv("content-type", "application/grpc"),
                            nv("grpc-status", "5")};
    if (frame->hd.type == NGHTTP2_HEADERS)
        nghttp2_submit_response(session, frame->hd.stream_id, headers, 3, NULL);
    return 0;
}

/* A server that answers early and does not ask us to stop: we stop by ourselves. */
static void test_answered_before_half_close(void **state)
{
    (void)state;
    struct raw_peer raw = {0};
    nghttp2_session_callbacks *callbacks;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, raw_answer);
    assert_int_equal(nghttp2_session_server_new(&raw.session, callbacks, &raw), 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(raw.session, NGHTTP2_FLAG_NONE, NULL, 0);
    raw.conn = grpc_conn_create_client(NULL, 0);
    struct call_log log;
    call_log_start(&log, raw.conn, "/Test/Bidi", NULL);
    raw_run(&raw);
    fixture_assert(&log, GRPC_NOT_FOUND, "");
    assert_int_equal(grpc_conn_call_count(raw.conn), 0);
    call_log_free(&log);
    raw_free(&raw);
}

/* CVE-2023-44487: streams opened and reset at once, for ever. */
static void test_rapid_reset(void **state)
{
    (void)state;
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct raw_peer raw;
    raw_init(&raw, service.server);
    unsigned rounds = 0;
    for (; rounds < 20000 && !raw.goaway; rounds++) {
        nghttp2_nv headers[] = {nv(":method", "POST"), nv(":scheme", "http"),
                                nv(":path", "/Test/Bidi"), nv(":authority", "x"),
                                nv("content-type", "application/grpc")};
        int32_t id =
            nghttp2_submit_headers(raw.session, NGHTTP2_FLAG_NONE, -1, NULL, headers, 5, NULL);
        assert_true(id > 0);
        raw_run(&raw);
        nghttp2_submit_rst_stream(raw.session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        raw_run(&raw);
    }
    assert_true(raw.goaway);
    assert_true(grpc_conn_done(raw.conn));
    assert_int_equal(service.started, service.closed);
    raw_free(&raw);
    echo_service_free(&service);
}

static void test_garbage(void **state)
{
    (void)state;
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct prng prng;
    prng_seed(&prng, 99);
    for (int round = 0; round < 2000; round++) {
        /* A good beginning, then some of it spoiled. */
        struct grpc_conn *client = grpc_conn_create_client(NULL, 0);
        struct call_log logs[3];
        for (int i = 0; i < 3; i++)
            call_log_unary(&logs[i], client, "/Test/Bidi", slice_from_string("some message"), NULL);
        struct slice out = grpc_conn_output(client);
        uint8_t *bytes = mem_alloc(out.size);
        memcpy(bytes, out.data, out.size);
        uint64_t changes = prng_below(&prng, 8);
        size_t from = prng_chance(&prng, 1, 4) ? 0 : 24;
        for (uint64_t i = 0; i < changes; i++)
            bytes[prng_between(&prng, from, out.size - 1)] = (uint8_t)prng_next(&prng);
        struct grpc_conn *server = grpc_conn_create_server(service.server, 0);
        grpc_conn_receive(server, slice_make(bytes, out.size), 0);
        struct slice answer = grpc_conn_output(server);
        if (answer.size && prng_chance(&prng, 1, 2)) {
            uint8_t *copy = mem_alloc(answer.size);
            memcpy(copy, answer.data, answer.size);
            copy[prng_below(&prng, answer.size)] ^= (uint8_t)(1 << prng_below(&prng, 8));
            grpc_conn_receive(client, slice_make(copy, answer.size), 0);
            mem_free(copy);
        }
        grpc_conn_output(client);
        grpc_conn_destroy(client);
        grpc_conn_destroy(server);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(logs[i].closes, 1);
            call_log_free(&logs[i]);
        }
        mem_free(bytes);
    }
    assert_int_equal(service.started, service.closed);
    echo_service_free(&service);
}

static void test_not_http2(void **state)
{
    (void)state;
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct grpc_conn *server = grpc_conn_create_server(service.server, 0);
    struct slice request = slice_from_string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(grpc_conn_receive(server, request, 0), ERR_PROTOCOL);
    struct slice out = grpc_conn_output(server);
    grpc_conn_output_consume(server, out.size);
    assert_true(grpc_conn_done(server));
    grpc_conn_destroy(server);
    echo_service_free(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_message),
        cmocka_unit_test(test_message_over_limit),
        cmocka_unit_test(test_receive_memory),
        cmocka_unit_test(test_server_stream_back_pressure),
        cmocka_unit_test(test_client_stream_back_pressure),
        cmocka_unit_test(test_writable),
        cmocka_unit_test(test_paused_past_the_end),
        cmocka_unit_test(test_pause_after_each_message),
        cmocka_unit_test(test_resume_inside),
        cmocka_unit_test(test_output_bound),
        cmocka_unit_test(test_bad_prefix),
        cmocka_unit_test(test_metadata_over_limit),
        cmocka_unit_test(test_not_grpc),
        cmocka_unit_test(test_finished_before_the_client),
        cmocka_unit_test(test_answered_before_half_close),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_not_http2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
