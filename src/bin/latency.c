#include "bin/latency_int.h"

#include "base/check.h"

/* Times below 64 us have a bucket each. Above, each power of two is divided in 32: a time with its
 * highest bit at e falls into (e - 5) * 32 + its upper six bits, which go on where the ones of the
 * power below ended. */
enum { SUB_BITS = 5, SUB = 1 << SUB_BITS, BITS_MAX = 41 };

static uint32_t bucket_of(uint64_t us)
{
    if (us < 2 * SUB)
        return (uint32_t)us;
    if (us >> BITS_MAX)
        us = (UINT64_C(1) << BITS_MAX) - 1; /* 25 days */
    uint32_t shift = 63U - (uint32_t)__builtin_clzll(us) - SUB_BITS;
    uint32_t bucket = shift * SUB + (uint32_t)(us >> shift);
    ASSERT(bucket < BIN__LATENCY_BUCKETS);
    return bucket;
}

static uint64_t bucket_last(uint32_t bucket)
{
    if (bucket < 2 * SUB)
        return bucket;
    uint32_t shift = bucket / SUB - 1;
    return ((uint64_t)(bucket - shift * SUB + 1) << shift) - 1;
}

void bin__latency_add(struct bin__latency *latency, uint64_t us)
{
    latency->counts[bucket_of(us)]++;
    latency->count++;
    if (us > latency->max_us)
        latency->max_us = us;
}

void bin__latency_merge(struct bin__latency *into, const struct bin__latency *from)
{
    for (uint32_t i = 0; i < BIN__LATENCY_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->count += from->count;
    if (from->max_us > into->max_us)
        into->max_us = from->max_us;
}

uint64_t bin__latency_percentile(const struct bin__latency *latency, double percent)
{
    ASSERT(percent > 0 && percent <= 100);
    uint64_t seen = 0;
    for (uint32_t i = 0; i < BIN__LATENCY_BUCKETS; i++) {
        seen += latency->counts[i];
        if (latency->counts[i] && (double)seen >= (double)latency->count * percent / 100) {
            uint64_t last = bucket_last(i);
            return last < latency->max_us ? last : latency->max_us;
        }
    }
    ASSERT(latency->count == 0);
    return 0;
}
