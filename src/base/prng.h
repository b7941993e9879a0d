/* A small deterministic random generator (xoshiro256**, Blackman and Vigna 2018, public domain
 * algorithm). For tests, jitter and the simulator; never for secrets. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_seed(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* Uniform in [low, high], both included. */
uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high);
/* True `numerator` times in `denominator`. */
bool prng_chance(struct prng *prng, uint64_t numerator, uint64_t denominator);

#endif
