/* The target, and how its input is laid out. */
#ifndef FUZZ_WAL_H
#define FUZZ_WAL_H

#include "wal/wal_int.h"

/* byte 0: choices; bytes 1 and 2, little-endian: size of the first file; then one or two files. */
enum {
    FUZZ_SEAL = 1,      /* put right what CRCs cover, so that what is behind them is reached */
    FUZZ_VERSION_1 = 2, /* sealed files are of that version */
    FUZZ_HEADER_SIZE = 3,
};

#define FUZZ_CLUSTER_ID 7
#define FUZZ_NODE_ID    1

extern const struct wal_config fuzz_wal_config;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
