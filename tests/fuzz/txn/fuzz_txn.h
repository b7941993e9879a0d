/* The target: byte 0 chooses (0 a commit request, else an effect), the rest is the message. */
#ifndef FUZZ_TXN_H
#define FUZZ_TXN_H

#include "txn/txn_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
