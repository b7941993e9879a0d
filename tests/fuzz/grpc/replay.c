/* Replays the files named on the command line; without any, spoils recorded conversations. */
#include <stdio.h>
#include <stdlib.h>

#include "../replay.h"
#include "base/check.h"
#include "base/mem.h"
#include "echo_service.h"
#include "fuzz_grpc.h"
#include "pipe.h"

enum { ROUNDS = 20000 };

static void record(struct grpc_conn *from, struct grpc_conn *to, struct buffer *bytes)
{
    struct slice out = grpc_conn_output(from);
    buffer_append_slice(bytes, out);
    grpc_conn_receive(to, out, 0);
    grpc_conn_output_consume(from, out.size);
}

/* What each side of a good conversation sends. */
static void converse(struct buffer *by_client, struct buffer *by_server)
{
    static const char *const paths[] = {"/Test/Unary", "/Test/Bidi", "/Test/Pause", "/Test/Fail",
                                        "/Test/Count", "/Test/Sum",  "/Test/Hang"};
    enum { PATHS = sizeof paths / sizeof paths[0] };
    struct echo_service service;
    echo_service_init(&service, NULL);
    struct grpc_conn *client = grpc_conn_create_client(NULL, 0);
    struct grpc_conn *server = grpc_conn_create_server(service.server, 0);
    struct call_log logs[PATHS];
    struct grpc_call_options options = {.timeout_us = 5000};
    for (int i = 0; i < PATHS; i++)
        call_log_unary(&logs[i], client, paths[i], slice_from_string("7 some message"), &options);
    for (int i = 0; i < 10; i++) {
        record(client, server, by_client);
        record(server, client, by_server);
    }
    grpc_conn_destroy(client);
    grpc_conn_destroy(server);
    for (int i = 0; i < PATHS; i++)
        call_log_free(&logs[i]);
    echo_service_free(&service);
}

int main(int argc, char **argv)
{
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    if (argc > 1 && !corpus)
        return fuzz_replay_files(argc, argv);

    struct buffer by_client = {0};
    struct buffer by_server = {0};
    converse(&by_client, &by_server);
    ASSERT(by_client.size > 100 && by_server.size > 100);
    struct prng prng;
    prng_seed(&prng, 2);
    struct buffer input = {0};
    int rounds = corpus ? 4 : ROUNDS;
    for (int i = 0; i < rounds; i++) {
        bool client_receives = corpus ? i % 2 == 1 : prng_chance(&prng, 1, 2);
        buffer_reset(&input);
        buffer_append_byte(&input, (uint8_t)(client_receives | 2 * prng_below(&prng, 2)));
        buffer_append_slice(&input, buffer_slice(client_receives ? &by_server : &by_client));
        if (corpus) {
            input.data[0] = (uint8_t)i;
            (void)fuzz_corpus_write(corpus, (uint32_t)i, buffer_slice(&input));
            continue;
        }
        fuzz_spoil(&prng, &input, 10);
        input.data[0] &= 3;
        LLVMFuzzerTestOneInput(input.data, input.size);
    }
    buffer_free(&input);
    buffer_free(&by_client);
    buffer_free(&by_server);
    printf("%d inputs\n", ROUNDS);
    return 0;
}
