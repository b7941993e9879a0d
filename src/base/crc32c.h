/* CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected), as in RFC 3720 appendix B.4. Uses the
 * processor's instruction where there is one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to begin) over `size` bytes. crc32c(crc32c(0, a), b) == crc32c(0, ab). */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
