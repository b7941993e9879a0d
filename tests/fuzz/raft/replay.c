/* Replays the files named on the command line; without any, runs events at random, and memberships
 * that were spoiled. */
#include <stdio.h>

#include "../replay.h"
#include "base/check.h"
#include "fuzz_raft.h"
#include "raft/raft.h"

enum { ROUNDS = 40000, EVENTS = 400 };

static void input_make(struct prng *prng, const struct buffer *members, struct buffer *input)
{
    buffer_reset(input);
    while (input->size < EVENTS) {
        /* Small numbers mostly: terms and indexes that nodes are at. */
        uint64_t byte = prng_chance(prng, 1, 5) ? prng_below(prng, 256) : prng_below(prng, 8);
        buffer_append_byte(input, (uint8_t)byte);
        if (!prng_chance(prng, 1, 40))
            continue;
        buffer_append_byte(input, 3); /* kind and size of an entry */
        buffer_append_byte(input, (uint8_t)members->size);
        buffer_append_slice(input, buffer_slice(members));
    }
}

int main(int argc, char **argv)
{
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    if (argc > 1 && !corpus)
        return fuzz_replay_files(argc, argv);
    struct prng prng;
    prng_seed(&prng, 11);
    struct raft_members four = {.count = 4};
    for (uint32_t i = 0; i < 4; i++)
        four.items[i] = (struct raft_member){.id = i + 1, .voter = i < 3};
    struct buffer input = {0}, members = {0};
    raft_members_encode(&four, &members);
    ASSERT(members.size < 64);
    for (uint32_t i = 0; corpus && i < 100; i++) {
        input_make(&prng, &members, &input);
        (void)fuzz_corpus_write(corpus, i, buffer_slice(&input));
    }
    for (int i = 0; !corpus && i < ROUNDS; i++) {
        input_make(&prng, &members, &input);
        if (prng_chance(&prng, 1, 2))
            fuzz_spoil(&prng, &input, 8);
        LLVMFuzzerTestOneInput(input.data, input.size);
    }
    buffer_free(&input);
    buffer_free(&members);
    printf("%d inputs\n", ROUNDS);
    return 0;
}
