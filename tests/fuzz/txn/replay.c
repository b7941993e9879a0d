/* Replays the files named on the command line; without any, spoils good requests and effects. */

#include "../replay.h"
#include "base/check.h"
#include "base/prng.h"
#include "fuzz_txn.h"

enum { ROUNDS = 40000 };

static struct slice bytes_any(struct prng *prng, size_t size_min)
{
    static const uint8_t bytes[1400] = {'k', 'e', 'y', 0, 1, 0xff, 0x10, 'z', 0x90, 0xc4};
    uint64_t size_max = prng_chance(prng, 1, 20) ? sizeof bytes - 10 : 20;
    size_t from = (size_t)prng_below(prng, 9);
    return slice_make(bytes + from, size_min + (size_t)prng_below(prng, size_max));
}

static void ranges_put(struct prng *prng, struct buffer *out)
{
    struct buffer list = {0};
    uint32_t count = (uint32_t)prng_below(prng, 4);
    msgpack_put_array(&list, count * 3);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_put_bin(&list, bytes_any(prng, 0));
        msgpack_put_bin(&list, bytes_any(prng, 0));
        msgpack_put_bool(&list, prng_chance(prng, 1, 2));
    }
    msgpack_put_bin(out, buffer_slice(&list));
    buffer_free(&list);
}

static void writes_put(struct prng *prng, struct buffer *out)
{
    struct buffer list = {0};
    uint32_t count = (uint32_t)prng_below(prng, 5);
    msgpack_put_array(&list, count * 2);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_put_bin(&list, bytes_any(prng, 1));
        if (prng_chance(prng, 1, 3))
            msgpack_put_nil(&list);
        else
            msgpack_put_bin(&list, bytes_any(prng, 0));
    }
    msgpack_put_bin(out, buffer_slice(&list));
    buffer_free(&list);
}

/* Mostly good. */
static void input_make(struct prng *prng, struct buffer *input)
{
    bool effect = prng_chance(prng, 1, 8);
    buffer_reset(input);
    buffer_append_byte(input, effect);
    msgpack_put_array(input, effect ? 6 : 7);
    msgpack_put_uint(input, TXN_FORMAT);
    if (effect)
        msgpack_put_uint(input, prng_below(prng, 100));
    msgpack_put_bin(input, bytes_any(prng, 1));
    msgpack_put_uint(input, prng_next(prng) >> prng_below(prng, 64));
    if (!effect)
        msgpack_put_uint(input, prng_below(prng, 20));
    msgpack_put_bin(input, bytes_any(prng, 0));
    if (!effect)
        ranges_put(prng, input);
    writes_put(prng, input);
}

int main(int argc, char **argv)
{
    return fuzz_replay_made(argc, argv, input_make, 9, ROUNDS, 4);
}
