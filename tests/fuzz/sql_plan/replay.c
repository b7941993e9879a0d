/* Replays the files named on the command line; without any, statements by lot.
 *
 *     TOYDB_SEED=n    other ones
 *     TOYDB_ROUNDS=n  that many */
#include <stdlib.h>

#include "../replay.h"

enum { ROUNDS = 4000, SIZE_MAX_OF_INPUT = 250 };

static void make(struct prng *prng, struct buffer *input)
{
    buffer_reset(input);
    uint64_t size = prng_between(prng, 1, SIZE_MAX_OF_INPUT);
    for (uint64_t i = 0; i < size; i++)
        buffer_append_byte(input, (uint8_t)prng_next(prng));
}

static uint64_t wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    return fuzz_replay_made(argc, argv, make, wanted("TOYDB_SEED", 11),
                            (uint32_t)wanted("TOYDB_ROUNDS", ROUNDS), 4);
}
