/* Random programs on one connection: calls are begun, fed, paused on both sides, half-closed,
 * cancelled and run out of time while bytes move in pieces. Whatever happened, every echo is a
 * prefix of what was sent, the whole of it when the call ended well, and nothing is left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "echo_service.h"
#include "grpc/grpc_int.h"
#include "pipe.h"

enum { SEEDS = 300, STEPS = 300, CALLS = 12, MESSAGE_MAX = 30000 };

struct slot {
    struct call_log log;
    struct buffer sent;
    unsigned sent_count;
    bool used, half_closed, cancelled, echoes;
};

struct world {
    struct echo_service service;
    struct grpc_pipe pipe;
    struct prng prng;
    struct slot slots[CALLS];
    uint8_t bytes[MESSAGE_MAX];
    unsigned completed;
};

static void slot_check(struct world *world, struct slot *slot)
{
    struct slice echo = buffer_slice(&slot->log.messages);
    assert_true(slice_has_prefix(buffer_slice(&slot->sent), echo));
    assert_true(slot->log.closes <= 1);
    if (slot->log.closes == 1 && slot->log.status == GRPC_OK && slot->echoes) {
        assert_true(slot->half_closed);
        assert_int_equal(echo.size, slot->sent.size);
        assert_int_equal(slot->log.message_count, slot->sent_count);
        world->completed++;
    }
    if (slot->cancelled)
        assert_int_equal(slot->log.closes, 0);
}

static void slot_free(struct slot *slot)
{
    call_log_free(&slot->log);
    buffer_free(&slot->sent);
    *slot = (struct slot){0};
}

static void slot_begin(struct world *world, struct slot *slot)
{
    static const char *const paths[] = {"/Test/Bidi", "/Test/Pause", "/Test/Hang", "/Test/No"};
    uint64_t path = prng_below(&world->prng, 10);
    path = path < 6 ? 0 : path < 8 ? 1 : path - 6;
    struct grpc_call_options options = {
        .timeout_us = prng_chance(&world->prng, 1, 3) ? prng_between(&world->prng, 1, 5000) : 0};
    *slot = (struct slot){.used = true, .echoes = path < 2};
    call_log_start(&slot->log, world->pipe.client, paths[path], &options);
    assert_non_null(slot->log.call);
}

static void slot_step(struct world *world, struct slot *slot)
{
    struct grpc_call *call = slot->log.call;
    struct prng *prng = &world->prng;
    uint64_t what = prng_below(prng, 12);
    if (what < 6 && !slot->half_closed) {
        size_t size =
            prng_chance(prng, 1, 4) ? prng_below(prng, MESSAGE_MAX) : prng_below(prng, 50);
        grpc_call_send(call, slice_make(world->bytes, size));
        buffer_append(&slot->sent, world->bytes, size);
        slot->sent_count++;
    } else if (what == 6 && !slot->half_closed) {
        grpc_call_half_close(call);
        slot->half_closed = true;
    } else if (what == 7) {
        grpc_call_pause(call);
    } else if (what < 10) {
        grpc_call_resume(call);
    } else if (what == 10 && prng_chance(prng, 1, 5)) {
        slot->log.call = NULL;
        slot->cancelled = true;
        grpc_call_cancel(call);
    }
}

static void server_step(struct world *world)
{
    if (!world->service.paused)
        return;
    if (prng_chance(&world->prng, 1, 4))
        grpc_call_pause(world->service.paused);
    else
        grpc_call_resume(world->service.paused);
}

static void world_step(struct world *world)
{
    struct slot *slot = &world->slots[prng_below(&world->prng, CALLS)];
    if (!slot->used)
        slot_begin(world, slot);
    else if (slot->log.call)
        slot_step(world, slot);
    slot_check(world, slot);
    if (slot->used && !slot->log.call && prng_chance(&world->prng, 1, 2))
        slot_free(slot);
    if (prng_chance(&world->prng, 1, 5))
        server_step(world);
    for (uint64_t i = prng_below(&world->prng, 6); i > 0; i--)
        grpc_pipe_step(&world->pipe);
    if (prng_chance(&world->prng, 1, 10)) {
        world->pipe.now_us += prng_below(&world->prng, 1000);
        struct grpc_conn *either =
            prng_chance(&world->prng, 1, 2) ? world->pipe.client : world->pipe.server;
        assert_int_equal(grpc_conn_tick(either, world->pipe.now_us), OK);
    }
}

/* What still runs is let go in good order or given up. */
static void world_settle(struct world *world)
{
    for (int i = 0; i < CALLS; i++) {
        struct slot *slot = &world->slots[i];
        if (slot->log.call)
            grpc_call_resume(slot->log.call);
        if (slot->log.call && !slot->half_closed) {
            grpc_call_half_close(slot->log.call);
            slot->half_closed = true;
        }
    }
    for (int i = 0; i < CALLS; i++) {
        grpc_pipe_run(&world->pipe);
        server_step(world);
    }
    for (int i = 0; i < CALLS; i++) {
        struct slot *slot = &world->slots[i];
        if (slot->log.call) {
            slot->cancelled = true;
            grpc_call_cancel(slot->log.call);
        }
    }
    grpc_pipe_run(&world->pipe);
}

static unsigned run(uint64_t seed)
{
    static const size_t pieces[] = {0, 9, 1000, 20000};
    static struct world world;
    world = (struct world){0};
    prng_seed(&world.prng, seed);
    for (size_t i = 0; i < sizeof world.bytes; i++)
        world.bytes[i] = (uint8_t)(i % 253);
    struct grpc_config small = {.stream_window = 65535, .conn_window = 100000, .output_max = 5000};
    echo_service_init(&world.service, seed % 2 ? &small : NULL);
    grpc_pipe_init(&world.pipe, world.service.server, seed % 3 ? &small : NULL, seed,
                   pieces[seed % 4]);
    for (int i = 0; i < STEPS; i++)
        world_step(&world);
    world_settle(&world);
    for (int i = 0; i < CALLS; i++) {
        if (world.slots[i].used)
            slot_check(&world, &world.slots[i]);
        slot_free(&world.slots[i]);
    }
    assert_int_equal(grpc_conn_call_count(world.pipe.client), 0);
    assert_int_equal(grpc_conn_call_count(world.pipe.server), 0);
    assert_int_equal(world.pipe.client->in_bytes, 0);
    assert_int_equal(world.pipe.server->in_bytes, 0);
    /* No part of the connection's window is lost. */
    struct grpc_conn *conns[] = {world.pipe.client, world.pipe.server};
    for (int i = 0; i < 2; i++) {
        int32_t whole = nghttp2_session_get_effective_local_window_size(conns[i]->session);
        int32_t left = nghttp2_session_get_local_window_size(conns[i]->session);
        assert_in_range(left, whole / 2, whole);
    }
    grpc_pipe_free(&world.pipe);
    assert_int_equal(world.pipe.client_status, OK);
    assert_int_equal(world.pipe.server_status, OK);
    assert_int_equal(world.service.started, world.service.closed);
    echo_service_free(&world.service);
    return world.completed;
}

static void test_random(void **state)
{
    (void)state;
    unsigned completed = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        completed += run(seed);
    assert_true(completed > SEEDS); /* else the programs are not what they should be */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
