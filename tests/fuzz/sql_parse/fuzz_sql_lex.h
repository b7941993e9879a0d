#ifndef FUZZ_SQL_LEX_H
#define FUZZ_SQL_LEX_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
