/* SHA-2 (FIPS 180-4): SHA-224, SHA-256, SHA-384 and SHA-512. */
#ifndef BASE_SHA2_H
#define BASE_SHA2_H

#include "base/bytes.h"

enum sha2 { SHA2_224, SHA2_256, SHA2_384, SHA2_512 };

enum { SHA2_SIZE_MAX = 64 };

/* The digest of `bytes` into `out`; returns its size: 28, 32, 48 or 64 bytes. */
size_t sha2_digest(enum sha2 kind, struct slice bytes, uint8_t out[static SHA2_SIZE_MAX]);

#endif
