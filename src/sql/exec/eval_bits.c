/* Digests, checksums, and the bits and bytes of numbers and byte strings. Bytes are counted from 0,
 * bits from 0 at the lowest of each byte. */
#include "sql/exec/exec_int.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/sha2.h"

static struct slice bytes_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_text(eval->arguments[argument], row);
}

static int64_t integer_at(const struct eval *eval, uint32_t argument, uint32_t row)
{
    return exec__eval_integer(eval->arguments[argument], row);
}

/* ---- digests -----------------------------------------------------------------------------------
 */

static status_t digest(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    enum expr_call call = eval->expr->call;
    enum sha2 kind = call == CALL_SHA224   ? SHA2_224
                     : call == CALL_SHA256 ? SHA2_256
                     : call == CALL_SHA384 ? SHA2_384
                                           : SHA2_512;
    uint8_t *out = arena_alloc(eval->scratch, SHA2_SIZE_MAX);
    size_t size = sha2_digest(kind, bytes_at(eval, 0, row), out);
    eval->out.as.texts[row] = slice_make(out, size);
    return OK;
}

/* CRC-32 as in ISO 3309, zip and PNG; bit by bit, for nobody sums up much by SQL. */
static uint32_t crc32_of(struct slice bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

static status_t checksum(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice bytes = bytes_at(eval, 0, row);
    bool castagnoli = eval->expr->call == CALL_CRC32C;
    eval->out.as.integers[row] = castagnoli ? crc32c(0, bytes.data, bytes.size) : crc32_of(bytes);
    return OK;
}

/* ---- bits --------------------------------------------------------------------------------------
 */

static status_t out_of_range(const struct eval *eval, int64_t at, int64_t count,
                             struct error *error)
{
    return error_sql(error, "2202E", eval->expr->position, "index %lld out of valid range, 0..%lld",
                     (long long)at, (long long)count - 1);
}

static status_t get_bit(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice bytes = bytes_at(eval, 0, row);
    int64_t at = integer_at(eval, 1, row);
    if (at < 0 || at >= (int64_t)bytes.size * 8)
        return out_of_range(eval, at, (int64_t)bytes.size * 8, error);
    eval->out.as.integers[row] = bytes.data[at / 8] >> (at % 8) & 1;
    return OK;
}

/* set_byte(bytes, place, value), set_bit(bytes, place, 0 or 1). */
static status_t set_part(struct eval *eval, uint32_t row, struct error *error)
{
    struct slice bytes = bytes_at(eval, 0, row);
    int64_t at = integer_at(eval, 1, row);
    int64_t value = integer_at(eval, 2, row);
    bool bit = eval->expr->call == CALL_SET_BIT;
    int64_t count = (int64_t)bytes.size * (bit ? 8 : 1);
    if (at < 0 || at >= count)
        return out_of_range(eval, at, count, error);
    if (bit && value != 0 && value != 1)
        return error_sql(error, "22023", eval->expr->position, "new bit must be 0 or 1");
    uint8_t *changed = arena_alloc(eval->scratch, bytes.size);
    memcpy(changed, bytes.data, bytes.size);
    if (bit)
        changed[at / 8] =
            (uint8_t)((changed[at / 8] & ~(1U << (at % 8))) | (unsigned)value << (at % 8));
    else
        changed[at] = (uint8_t)value;
    eval->out.as.texts[row] = slice_make(changed, bytes.size);
    return OK;
}

static status_t bit_count(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    struct slice bytes = bytes_at(eval, 0, row);
    int64_t count = 0;
    for (size_t i = 0; i < bytes.size; i++)
        count += __builtin_popcount(bytes.data[i]);
    eval->out.as.integers[row] = count;
    return OK;
}

static status_t bit_length(struct eval *eval, uint32_t row, struct error *error)
{
    (void)error;
    eval->out.as.integers[row] = (int64_t)bytes_at(eval, 0, row).size * 8;
    return OK;
}

/* to_bin and to_oct: the digits of the two's complement. */
static status_t digits(struct eval *eval, uint32_t row, struct error *error)
{
    enum { DIGITS_MAX = 64 };
    (void)error;
    uint64_t number = (uint64_t)integer_at(eval, 0, row);
    uint32_t bits = eval->expr->call == CALL_TO_BIN ? 1 : 3;
    uint8_t *text = arena_alloc(eval->scratch, DIGITS_MAX);
    size_t at = DIGITS_MAX;
    do {
        text[--at] = (uint8_t)('0' + (number & ((1U << bits) - 1)));
        number >>= bits;
    } while (number > 0);
    eval->out.as.texts[row] = slice_make(text + at, DIGITS_MAX - at);
    return OK;
}

/* ---- */

static eval_row_fn *row_function(enum expr_call call)
{
    switch (call) {
    case CALL_SHA224:
    case CALL_SHA256:
    case CALL_SHA384:
    case CALL_SHA512:
        return digest;
    case CALL_CRC32:
    case CALL_CRC32C:
        return checksum;
    case CALL_GET_BIT:
        return get_bit;
    case CALL_SET_BIT:
    case CALL_SET_BYTE:
        return set_part;
    case CALL_BIT_COUNT:
        return bit_count;
    case CALL_BIT_LENGTH:
        return bit_length;
    case CALL_TO_BIN:
    case CALL_TO_OCT:
        return digits;
    default:
        return NULL;
    }
}

static status_t bits_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    return status != OK || all_null
               ? status
               : exec__eval_rows(eval, in, row_function(eval->expr->call), error);
}

eval_fn *exec__bits_kernel(const struct expr *expr)
{
    return row_function(expr->call) ? bits_run : NULL;
}
