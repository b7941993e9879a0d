/* MD5 (RFC 1321). Not for secrets. */
#ifndef BASE_MD5_H
#define BASE_MD5_H

#include "base/bytes.h"

/* 32 hexadecimal digits, without a NUL behind them. */
void md5_hex(struct slice bytes, char out[static 32]);

#endif
