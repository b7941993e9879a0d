/* How long many things took: counts in buckets that widen with the time, so that a figure is right
 * to 1/32 of itself whatever its size, in the space of some pages. */
#ifndef BIN_LATENCY_INT_H
#define BIN_LATENCY_INT_H

#include <stdint.h>

enum { BIN__LATENCY_BUCKETS = 1184 };

/* Zero-initialised is empty. */
struct bin__latency {
    uint64_t counts[BIN__LATENCY_BUCKETS];
    uint64_t count;
    uint64_t max_us;
};

void bin__latency_add(struct bin__latency *latency, uint64_t us);
void bin__latency_merge(struct bin__latency *into, const struct bin__latency *from);
/* The time that `percent` of them did not exceed; 0 when there are none. */
uint64_t bin__latency_percentile(const struct bin__latency *latency, double percent);

#endif
