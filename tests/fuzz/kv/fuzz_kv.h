/* The entry that a fuzzing engine, or the replay program beside it, calls with one input. */
#ifndef FUZZ_KV_H
#define FUZZ_KV_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
