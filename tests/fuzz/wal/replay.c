/* Replays the files named on the command line; without any, spoils a good log at random. */
#include <string.h>

#include "../replay.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "fuzz_wal.h"

enum { ROUNDS = 6000, INPUT_MAX = 16384 };

/* Appends the file; returns its size. */
static size_t append_file(struct env_sim *sim, uint64_t sequence, struct buffer *out)
{
    char *path = wal__file_path(fuzz_wal_config.dir, sequence);
    struct env_file *file = NULL;
    uint64_t size = 0;
    size_t got = 0;
    status_t status = env_file_open(env_sim_env(sim), path, 0, &file, NULL);
    ASSERT(status == OK);
    status = env_file_size(file, &size, NULL);
    ASSERT(status == OK);
    status = buffer_reserve(out, (size_t)size);
    ASSERT(status == OK);
    status = env_file_read(file, 0, out->data + out->size, (size_t)size, &got, NULL);
    ASSERT(status == OK && got == size);
    out->size += got;
    env_file_close(file);
    mem_free(path);
    return got;
}

static void put(struct wal *wal, uint64_t index, uint64_t term)
{
    static const uint8_t data[100] = "some data";
    struct raft_entry entry = {
        .index = index, .term = term, .type = 1, .data = slice_make(data, index * 5 % 100)};
    struct raft_hard_state hard_state = {.term = term, .vote = 1, .commit = index / 2};
    status_t status = wal_stage(wal, index % 3 == 0 ? &hard_state : NULL, &entry, 1);
    ASSERT(status == OK);
    status = wal_flush(wal, NULL);
    ASSERT(status == OK);
}

/* A log of two files with a record of every kind. */
static void good_input(struct buffer *out)
{
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = NULL;
    status_t status = wal_open(env_sim_env(sim), &fuzz_wal_config, &wal, NULL);
    ASSERT(status == OK);
    status = wal_reset(wal, 4, 2);
    ASSERT(status == OK);
    for (uint64_t i = 5; i <= 12; i++)
        put(wal, i, 2);
    status = wal_compact(wal, 6);
    ASSERT(status == OK);
    for (uint64_t i = 10; i <= 30; i++)
        put(wal, i, 3);
    wal_close(wal);
    uint8_t header[FUZZ_HEADER_SIZE] = {0};
    buffer_append(out, header, sizeof header);
    size_t first = append_file(sim, 1, out);
    put_u16_le(out->data + 1, (uint16_t)first);
    append_file(sim, 2, out);
    ASSERT(out->size <= INPUT_MAX);
    env_sim_destroy(sim);
}

static size_t spoil(uint8_t *bytes, size_t size, struct prng *prng)
{
    size_t at = (size_t)prng_below(prng, size);
    size_t length = (size_t)prng_below(prng, size - at < 64 ? size - at + 1 : 64);
    switch (prng_below(prng, 6)) {
    case 0:
        bytes[at] = (uint8_t)prng_next(prng);
        return size;
    case 1:
        bytes[at] ^= (uint8_t)(1u << prng_below(prng, 8));
        return size;
    case 2:
        memset(bytes + at, 0, length);
        return size;
    case 3:
        memmove(bytes + prng_below(prng, size - length), bytes + at, length);
        return size;
    case 4: /* a piece is missing, by steps of 8 so that what follows may still be read */
        length = length / 8 * 8;
        memmove(bytes + at, bytes + at + length, size - at - length);
        return size - length > FUZZ_HEADER_SIZE ? size - length : size;
    default:
        return prng_chance(prng, 1, 4) && at > FUZZ_HEADER_SIZE ? at : size;
    }
}

int main(int argc, char **argv)
{
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    if (argc > 1 && !corpus)
        return fuzz_replay_files(argc, argv);
    struct buffer good = {0};
    good_input(&good);
    static const uint8_t choices[] = {0, FUZZ_SEAL, FUZZ_SEAL | FUZZ_VERSION_1};
    for (uint32_t i = 0; corpus && i < sizeof choices; i++) {
        good.data[0] = choices[i];
        (void)fuzz_corpus_write(corpus, i, buffer_slice(&good));
    }
    if (corpus) {
        buffer_free(&good);
        return 0;
    }
    LLVMFuzzerTestOneInput(good.data, good.size);
    struct prng prng;
    prng_seed(&prng, 20);
    static uint8_t bytes[INPUT_MAX];
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = good.size;
        memcpy(bytes, good.data, size);
        uint64_t times = prng_between(&prng, 1, 6);
        for (uint64_t k = 0; k < times; k++)
            size = spoil(bytes, size, &prng);
        bytes[0] = (uint8_t)(i % 4 != 0 ? FUZZ_SEAL : 0);
        if (i % 8 == 1)
            bytes[0] |= FUZZ_VERSION_1;
        LLVMFuzzerTestOneInput(bytes, size);
    }
    buffer_free(&good);
    return 0;
}
