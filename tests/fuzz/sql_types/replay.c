/* Replays the files named on the command line; without any, spoils good rows and keys. */

#include "../replay.h"
#include "base/check.h"
#include "base/prng.h"
#include "fuzz_sql_types.h"
#include "sql/types/types.h"

enum { ROUNDS = 200000 };

static struct value value_any(struct prng *prng, uint8_t choice)
{
    static const uint8_t text[300] = {'a', 0, 'b', 0xff, 0, 1, 'c'};
    enum sql_type type =
        (enum sql_type)(SQL_BOOLEAN + (choice & 15) % (SQL_TYPE_COUNT - SQL_BOOLEAN));
    uint64_t number = prng_next(prng) >> prng_below(prng, 64);
    if (prng_chance(prng, 1, 6))
        return value_null(type);
    switch (type) {
    case SQL_BOOLEAN:
        return value_boolean(number & 1);
    case SQL_INTEGER:
        return value_integer((int64_t)(prng_chance(prng, 1, 2) ? number : 0 - number));
    case SQL_DOUBLE:
        return value_double((double)number / 3);
    case SQL_REAL:
        return value_real((double)number / 3);
    case SQL_NUMERIC:
        /* 62 bits by 57: at most 36 digits. */
        return value_numeric(numeric_make(-(__int128)(number >> 2) * (int64_t)(number >> 7 | 1),
                                          (uint32_t)prng_below(prng, 37)));
    case SQL_INTERVAL:
        return value_interval((struct interval){
            .months = (int32_t)number, .days = (int32_t)(number >> 32), .us = (int64_t)number});
    case SQL_UUID:
        return value_uuid((struct uuid){.bytes = {(uint8_t)number, (uint8_t)(number >> 8)}});
    case SQL_TEXT:
    case SQL_BYTEA: {
        size_t size = prng_below(prng, prng_chance(prng, 1, 4) ? sizeof text : 12);
        return type == SQL_TEXT ? value_text(slice_make(text, size))
                                : value_bytea(slice_make(text, size));
    }
    default:
        return value_datetime(type, (int64_t)(prng_chance(prng, 1, 2) ? number : 0 - number));
    }
}

/* A good input: choices, then the row or key they describe. */
static void input_make(struct prng *prng, struct buffer *input)
{
    bool is_key = prng_chance(prng, 1, 2);
    uint8_t count = (uint8_t)prng_below(prng, 8);
    buffer_reset(input);
    buffer_append_byte(input, is_key);
    buffer_append_byte(input, count);
    struct value values[7 * 8];
    uint32_t value_count = 0;
    struct buffer key = {0};
    for (uint8_t i = 0; i < count; i++) {
        uint8_t choice = (uint8_t)prng_below(prng, is_key ? 32 : 128);
        buffer_append_byte(input, choice);
        for (uint32_t skip = is_key ? 0 : choice >> 4; skip; skip--)
            values[value_count++] = value_any(prng, (uint8_t)prng_next(prng));
        struct value value = values[value_count++] = value_any(prng, choice);
        if (is_key)
            key_append_value(&key, &value, choice & 16);
    }
    if (is_key)
        buffer_append_slice(input, buffer_slice(&key));
    else
        row_encode(input, values, value_count);
    buffer_free(&key);
}

int main(int argc, char **argv)
{
    return fuzz_replay_made(argc, argv, input_make, 4, ROUNDS, 4);
}
