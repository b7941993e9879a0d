#include "base/prng.h"

#include "base/check.h"

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

void prng_seed(struct prng *prng, uint64_t seed)
{
    /* splitmix64 spreads a small seed over the whole state. */
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        prng->s[i] = z ^ z >> 31;
    }
}

uint64_t prng_next(struct prng *prng)
{
    uint64_t *s = prng->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    ASSERT(bound > 0);
    /* Reject the uneven rest of the range so that every value is equally likely. */
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value;
    do {
        value = prng_next(prng);
    } while (value >= limit);
    return value % bound;
}

uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high)
{
    ASSERT(low <= high);
    if (low == 0 && high == UINT64_MAX)
        return prng_next(prng);
    return low + prng_below(prng, high - low + 1);
}

bool prng_chance(struct prng *prng, uint64_t numerator, uint64_t denominator)
{
    ASSERT(numerator <= denominator);
    return prng_below(prng, denominator) < numerator;
}
