/* Hashing and comparing entries of vectors, by type, without making values of them. Equal entries
 * hash alike: -0 as 0, every NaN as one. */
#include "sql/exec/exec_int.h"

#include <math.h>
#include <string.h>

static inline uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93;
    h ^= h >> 32;
    return h;
}

static uint64_t double_bits(double value)
{
    if (value == 0)
        value = 0; /* -0 */
    if (isnan(value))
        return 0x7ff8000000000000;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t entry_bits(const struct vector *vector, uint32_t row)
{
    switch (type_storage(vector->type)) {
    case SQL_BOOLEAN:
        return vector->as.booleans[row];
    case SQL_DOUBLE:
        return double_bits(vector->as.reals[row]);
    case SQL_TEXT:
        return slice_hash(vector->as.texts[row]);
    case SQL_NUMERIC:
    case SQL_INTERVAL:
    case SQL_UUID: {
        struct value value = vector_get(vector, row);
        return value_hash(&value);
    }
    default:
        return (uint64_t)vector->as.integers[row];
    }
}

static void hash_column(const struct vector *key, const uint32_t *rows, uint32_t count,
                        uint64_t *hashes)
{
    if (type_storage(key->type) == SQL_INTEGER && !key->has_nulls) {
        const int64_t *values = key->as.integers;
        for (uint32_t i = 0; i < count; i++)
            hashes[i] = mix(hashes[i] ^ (uint64_t)values[rows ? rows[i] : i]);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows ? rows[i] : i;
        uint64_t bits = vector_is_null(key, row) ? 0x9ae16a3b2f90404f : entry_bits(key, row);
        hashes[i] = mix(hashes[i] ^ bits);
    }
}

void exec__hash_rows(const struct vector *const *keys, uint32_t key_count, const uint32_t *rows,
                     uint32_t count, uint64_t *hashes)
{
    ASSERT(count <= BATCH_ROWS_MAX);
    for (uint32_t i = 0; i < count; i++)
        hashes[i] = 0x2545f4914f6cdd1d;
    for (uint32_t k = 0; k < key_count; k++) {
        hash_column(keys[k], rows, count, hashes);
        for (uint32_t i = 0; k + 1 < key_count && i < count; i++)
            hashes[i] = hashes[i] << 1 | hashes[i] >> 63; /* (a, b) is not (b, a) */
    }
}

bool exec__entries_equal(const struct vector *a, uint32_t a_row, const struct vector *b,
                         uint32_t b_row)
{
    ASSERT(type_storage(a->type) == type_storage(b->type));
    bool a_null = vector_is_null(a, a_row);
    bool b_null = vector_is_null(b, b_row);
    if (a_null || b_null)
        return a_null && b_null;
    switch (type_storage(a->type)) {
    case SQL_BOOLEAN:
        return a->as.booleans[a_row] == b->as.booleans[b_row];
    case SQL_INTEGER:
        return a->as.integers[a_row] == b->as.integers[b_row];
    case SQL_DOUBLE:
        return double_bits(a->as.reals[a_row]) == double_bits(b->as.reals[b_row]);
    case SQL_TEXT:
        return slice_equal(a->as.texts[a_row], b->as.texts[b_row]);
    case SQL_NUMERIC:
        return numeric_order(a->as.numerics[a_row], b->as.numerics[b_row]) == 0;
    case SQL_INTERVAL:
    case SQL_UUID: {
        struct value x = vector_get(a, a_row);
        struct value y = vector_get(b, b_row);
        return value_compare(&x, &y) == 0;
    }
    default:
        UNREACHABLE();
    }
}
