/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes of the valid character at the start of `text`, 0 when it is empty or not valid there.
 * *codepoint (may be NULL) gets the character. */
size_t utf8_decode(struct slice text, uint32_t *codepoint);
/* Offset of the first byte that is not valid UTF-8, or text.size when all of it is. */
size_t utf8_valid_until(struct slice text);
bool utf8_valid(struct slice text);
/* The same, and no NUL in it. */
bool utf8_valid_text(struct slice text);
/* Number of characters in valid text. */
size_t utf8_length(struct slice text);
/* Writes 1 to 4 bytes, returns how many; 0 for what is not a character. */
size_t utf8_encode(uint32_t codepoint, uint8_t out[4]);

#endif
