/* SHA-2. The two families do the same with words of 32 and of 64 bits: other rotations, 64 or 80
 * rounds, and constants that are the first bits of the same roots of primes. Both are computed here
 * in 64 bits; a word of 32 bits is masked after each sum. */
#include "base/sha2.h"

#include <string.h>

#include "base/check.h"

/* What tells the families apart: six pairs of rotations, the last of a pair's third being a shift.
 */
struct family {
    uint32_t bits;
    uint32_t rounds;
    uint8_t big_a[3], big_e[3];     /* of the working words */
    uint8_t small_0[3], small_1[3]; /* of the message schedule */
};

static const struct family families[2] = {
    {32, 64, {2, 13, 22}, {6, 11, 25}, {7, 18, 3}, {17, 19, 10}},
    {64, 80, {28, 34, 39}, {14, 18, 41}, {1, 8, 7}, {19, 61, 6}},
};

/* Cube roots of the first 80 primes, the fraction's first 64 bits; SHA-256 takes the upper half. */
static const uint64_t round_constants[80] = {
    UINT64_C(0x428a2f98d728ae22), UINT64_C(0x7137449123ef65cd), UINT64_C(0xb5c0fbcfec4d3b2f),
    UINT64_C(0xe9b5dba58189dbbc), UINT64_C(0x3956c25bf348b538), UINT64_C(0x59f111f1b605d019),
    UINT64_C(0x923f82a4af194f9b), UINT64_C(0xab1c5ed5da6d8118), UINT64_C(0xd807aa98a3030242),
    UINT64_C(0x12835b0145706fbe), UINT64_C(0x243185be4ee4b28c), UINT64_C(0x550c7dc3d5ffb4e2),
    UINT64_C(0x72be5d74f27b896f), UINT64_C(0x80deb1fe3b1696b1), UINT64_C(0x9bdc06a725c71235),
    UINT64_C(0xc19bf174cf692694), UINT64_C(0xe49b69c19ef14ad2), UINT64_C(0xefbe4786384f25e3),
    UINT64_C(0x0fc19dc68b8cd5b5), UINT64_C(0x240ca1cc77ac9c65), UINT64_C(0x2de92c6f592b0275),
    UINT64_C(0x4a7484aa6ea6e483), UINT64_C(0x5cb0a9dcbd41fbd4), UINT64_C(0x76f988da831153b5),
    UINT64_C(0x983e5152ee66dfab), UINT64_C(0xa831c66d2db43210), UINT64_C(0xb00327c898fb213f),
    UINT64_C(0xbf597fc7beef0ee4), UINT64_C(0xc6e00bf33da88fc2), UINT64_C(0xd5a79147930aa725),
    UINT64_C(0x06ca6351e003826f), UINT64_C(0x142929670a0e6e70), UINT64_C(0x27b70a8546d22ffc),
    UINT64_C(0x2e1b21385c26c926), UINT64_C(0x4d2c6dfc5ac42aed), UINT64_C(0x53380d139d95b3df),
    UINT64_C(0x650a73548baf63de), UINT64_C(0x766a0abb3c77b2a8), UINT64_C(0x81c2c92e47edaee6),
    UINT64_C(0x92722c851482353b), UINT64_C(0xa2bfe8a14cf10364), UINT64_C(0xa81a664bbc423001),
    UINT64_C(0xc24b8b70d0f89791), UINT64_C(0xc76c51a30654be30), UINT64_C(0xd192e819d6ef5218),
    UINT64_C(0xd69906245565a910), UINT64_C(0xf40e35855771202a), UINT64_C(0x106aa07032bbd1b8),
    UINT64_C(0x19a4c116b8d2d0c8), UINT64_C(0x1e376c085141ab53), UINT64_C(0x2748774cdf8eeb99),
    UINT64_C(0x34b0bcb5e19b48a8), UINT64_C(0x391c0cb3c5c95a63), UINT64_C(0x4ed8aa4ae3418acb),
    UINT64_C(0x5b9cca4f7763e373), UINT64_C(0x682e6ff3d6b2b8a3), UINT64_C(0x748f82ee5defb2fc),
    UINT64_C(0x78a5636f43172f60), UINT64_C(0x84c87814a1f0ab72), UINT64_C(0x8cc702081a6439ec),
    UINT64_C(0x90befffa23631e28), UINT64_C(0xa4506cebde82bde9), UINT64_C(0xbef9a3f7b2c67915),
    UINT64_C(0xc67178f2e372532b), UINT64_C(0xca273eceea26619c), UINT64_C(0xd186b8c721c0c207),
    UINT64_C(0xeada7dd6cde0eb1e), UINT64_C(0xf57d4f7fee6ed178), UINT64_C(0x06f067aa72176fba),
    UINT64_C(0x0a637dc5a2c898a6), UINT64_C(0x113f9804bef90dae), UINT64_C(0x1b710b35131c471b),
    UINT64_C(0x28db77f523047d84), UINT64_C(0x32caab7b40c72493), UINT64_C(0x3c9ebe0a15c9bebc),
    UINT64_C(0x431d67c49c100d4c), UINT64_C(0x4cc5d4becb3e42b6), UINT64_C(0x597f299cfc657e2a),
    UINT64_C(0x5fcb6fab3ad6faec), UINT64_C(0x6c44198c4a475817),
};

/* Square roots of the first primes, or of the next ones for the shorter digests. */
static const uint64_t initial[4][8] = {
    [SHA2_224] = {UINT64_C(0xc1059ed8), UINT64_C(0x367cd507), UINT64_C(0x3070dd17),
                  UINT64_C(0xf70e5939), UINT64_C(0xffc00b31), UINT64_C(0x68581511),
                  UINT64_C(0x64f98fa7), UINT64_C(0xbefa4fa4)},
    [SHA2_256] = {UINT64_C(0x6a09e667), UINT64_C(0xbb67ae85), UINT64_C(0x3c6ef372),
                  UINT64_C(0xa54ff53a), UINT64_C(0x510e527f), UINT64_C(0x9b05688c),
                  UINT64_C(0x1f83d9ab), UINT64_C(0x5be0cd19)},
    [SHA2_384] = {UINT64_C(0xcbbb9d5dc1059ed8), UINT64_C(0x629a292a367cd507),
                  UINT64_C(0x9159015a3070dd17), UINT64_C(0x152fecd8f70e5939),
                  UINT64_C(0x67332667ffc00b31), UINT64_C(0x8eb44a8768581511),
                  UINT64_C(0xdb0c2e0d64f98fa7), UINT64_C(0x47b5481dbefa4fa4)},
    [SHA2_512] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                  UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                  UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                  UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)},
};

static uint64_t mask_of(const struct family *family)
{
    return family->bits == 64 ? UINT64_MAX : UINT32_MAX;
}

static uint64_t rotate(const struct family *family, uint64_t word, uint32_t by)
{
    return (word >> by | word << (family->bits - by)) & mask_of(family);
}

static uint64_t rotations(const struct family *family, uint64_t word, const uint8_t by[3],
                          bool shifts)
{
    uint64_t last = shifts ? word >> by[2] : rotate(family, word, by[2]);
    return rotate(family, word, by[0]) ^ rotate(family, word, by[1]) ^ last;
}

static void schedule_make(const struct family *family, const uint8_t *block, uint64_t schedule[80])
{
    uint32_t word_size = family->bits / 8;
    for (uint32_t i = 0; i < 16; i++) {
        schedule[i] = 0;
        for (uint32_t b = 0; b < word_size; b++)
            schedule[i] = schedule[i] << 8 | block[i * word_size + b];
    }
    for (uint32_t i = 16; i < family->rounds; i++)
        schedule[i] = (schedule[i - 16] + schedule[i - 7] +
                       rotations(family, schedule[i - 15], family->small_0, true) +
                       rotations(family, schedule[i - 2], family->small_1, true)) &
                      mask_of(family);
}

static void block_add(const struct family *family, uint64_t state[8], const uint8_t *block)
{
    uint64_t schedule[80];
    uint64_t w[8]; /* a to h of the standard */
    uint64_t mask = mask_of(family);
    schedule_make(family, block, schedule);
    memcpy(w, state, sizeof w);
    for (uint32_t i = 0; i < family->rounds; i++) {
        uint64_t constant = round_constants[i] >> (64 - family->bits);
        uint64_t choice = (w[4] & w[5]) ^ (~w[4] & w[6]);
        uint64_t majority = (w[0] & w[1]) ^ (w[0] & w[2]) ^ (w[1] & w[2]);
        uint64_t one =
            w[7] + rotations(family, w[4], family->big_e, false) + choice + constant + schedule[i];
        uint64_t two = rotations(family, w[0], family->big_a, false) + majority;
        memmove(w + 1, w, 7 * sizeof *w);
        w[4] = (w[4] + one) & mask;
        w[0] = (one + two) & mask;
    }
    for (int i = 0; i < 8; i++)
        state[i] = (state[i] + w[i]) & mask;
}

/* What is left of the message, a bit that is set, zeros, and the length in bits at the end. */
static void last_blocks(const struct family *family, uint64_t state[8], struct slice bytes)
{
    uint8_t tail[256] = {0};
    size_t block = family->bits * 2;
    size_t left = bytes.size % block;
    size_t size = left + 1 + block / 8 <= block ? block : 2 * block;
    ASSERT(size <= sizeof tail);
    if (left > 0)
        memcpy(tail, bytes.data + bytes.size - left, left);
    tail[left] = 0x80;
    uint64_t bit_count = (uint64_t)bytes.size * 8;
    for (size_t i = 0; i < 8; i++)
        tail[size - 1 - i] = (uint8_t)(bit_count >> (8 * i));
    for (size_t at = 0; at < size; at += block)
        block_add(family, state, tail + at);
}

size_t sha2_digest(enum sha2 kind, struct slice bytes, uint8_t out[static SHA2_SIZE_MAX])
{
    static const size_t sizes[] = {
        [SHA2_224] = 28, [SHA2_256] = 32, [SHA2_384] = 48, [SHA2_512] = 64};
    ASSERT(kind <= SHA2_512);
    const struct family *family = &families[kind >= SHA2_384];
    uint64_t state[8];
    memcpy(state, initial[kind], sizeof state);
    size_t block = family->bits * 2;
    for (size_t at = 0; at + block <= bytes.size; at += block)
        block_add(family, state, bytes.data + at);
    last_blocks(family, state, bytes);
    size_t word_size = family->bits / 8;
    for (size_t i = 0; i < sizes[kind]; i++)
        out[i] = (uint8_t)(state[i / word_size] >> (8 * (word_size - 1 - i % word_size)));
    return sizes[kind];
}
