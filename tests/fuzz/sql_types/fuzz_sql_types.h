#ifndef TESTS_FUZZ_SQL_TYPES_FUZZ_SQL_TYPES_H
#define TESTS_FUZZ_SQL_TYPES_FUZZ_SQL_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* Input of each: a byte that counts the columns (its low three bits), a byte a column (see below),
 * then the bytes of a row or a key.
 *   row column: bits 0-1 the type, bits 2-4 how many ordinals to step over
 *   key column: bits 0-1 the type, bit 2 descending */
int fuzz_row(const uint8_t *data, size_t size);
int fuzz_key(const uint8_t *data, size_t size);

/* The first byte chooses: even a row, odd a key. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
