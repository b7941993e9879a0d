#ifndef TESTS_FUZZ_GRPC_FUZZ_GRPC_H
#define TESTS_FUZZ_GRPC_FUZZ_GRPC_H

#include <stddef.h>
#include <stdint.h>

/* Input: a byte of choices (bit 0: the client receives, else the server; bit 1: cut into small
 * pieces; bit 2: put the client's preface in front), then the bytes that arrive. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
