/* The target: a node of a cluster of three, to which the bytes happen. Each event is a byte that
 * chooses it and what it needs of the bytes behind. */
#ifndef FUZZ_RAFT_H
#define FUZZ_RAFT_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
