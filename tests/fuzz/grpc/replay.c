/* Replays the files named on the command line; without any, spoils recorded conversations. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/mem.h"
#include "echo_service.h"
#include "fuzz_grpc.h"
#include "pipe.h"

enum { ROUNDS = 20000 };

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "could not open %s\n", path);
        return 1;
    }
    struct buffer bytes = {0};
    uint8_t piece[4096];
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&bytes, piece, size);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes.data, bytes.size);
    buffer_free(&bytes);
    return 0;
}

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

static void spoil(struct prng *prng, struct buffer *bytes)
{
    uint64_t changes = prng_below(prng, 10);
    for (uint64_t i = 0; i < changes; i++) {
        size_t at = (size_t)prng_below(prng, bytes->size);
        if (prng_chance(prng, 1, 3))
            bytes->data[at] = (uint8_t)prng_next(prng);
        else if (prng_chance(prng, 1, 2))
            bytes->data[at] ^= (uint8_t)(1 << prng_below(prng, 8));
        else
            bytes->size = at > 1 ? at : 1;
    }
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay_file(argv[i]);
    if (argc > 1)
        return failed;

    struct buffer by_client = {0};
    struct buffer by_server = {0};
    converse(&by_client, &by_server);
    ASSERT(by_client.size > 100 && by_server.size > 100);
    struct prng prng;
    prng_seed(&prng, 2);
    struct buffer input = {0};
    for (int i = 0; i < ROUNDS; i++) {
        bool client_receives = prng_chance(&prng, 1, 2);
        buffer_reset(&input);
        buffer_append_byte(&input, (uint8_t)(client_receives | 2 * prng_below(&prng, 2)));
        buffer_append_slice(&input, buffer_slice(client_receives ? &by_server : &by_client));
        spoil(&prng, &input);
        input.data[0] &= 3;
        LLVMFuzzerTestOneInput(input.data, input.size);
    }
    buffer_free(&input);
    buffer_free(&by_client);
    buffer_free(&by_server);
    printf("%d inputs\n", ROUNDS);
    return 0;
}
