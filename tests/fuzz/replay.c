#include "replay.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    struct buffer bytes = {0};
    uint8_t piece[4096];
    size_t size;
    while ((size = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_append(&bytes, piece, size);
    int failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        fprintf(stderr, "%s could not be read\n", path);
    else
        LLVMFuzzerTestOneInput(bytes.data, bytes.size);
    buffer_free(&bytes);
    return failed;
}

const char *fuzz_corpus_wanted(int argc, char **argv)
{
    return argc == 3 && strcmp(argv[1], "--corpus") == 0 ? argv[2] : NULL;
}

int fuzz_corpus_write(const char *dir, uint32_t number, struct slice input)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/seed-%03u", dir, number);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t written = fwrite(input.data, 1, input.size, file);
    bool failed = fclose(file) != 0 || written != input.size;
    if (failed)
        fprintf(stderr, "%s could not be written\n", path);
    return failed;
}

int fuzz_replay_files(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= replay_file(argv[i]);
    return failed;
}

void fuzz_spoil(struct prng *prng, struct buffer *bytes, uint32_t changes_max)
{
    ASSERT(bytes->size > 0);
    uint64_t changes = prng_below(prng, changes_max);
    for (uint64_t i = 0; i < changes; i++) {
        size_t at = (size_t)prng_below(prng, bytes->size);
        if (prng_chance(prng, 1, 3))
            bytes->data[at] = (uint8_t)prng_next(prng);
        else if (prng_chance(prng, 1, 2))
            bytes->data[at] ^= (uint8_t)(1 << prng_below(prng, 8));
        else
            bytes->size = at > 1 ? at : 1;
    }
}

static int corpus_make(const char *dir, fuzz_make_fn *make, struct prng *prng)
{
    enum { SEEDS = 200 };
    struct buffer input = {0};
    int failed = 0;
    for (uint32_t i = 0; i < SEEDS; i++) {
        make(prng, &input);
        failed |= fuzz_corpus_write(dir, i, buffer_slice(&input));
    }
    buffer_free(&input);
    return failed;
}

int fuzz_replay_made(int argc, char **argv, fuzz_make_fn *make, uint64_t seed, uint32_t rounds,
                     uint32_t changes_max)
{
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    struct prng prng;
    struct buffer input = {0};
    prng_seed(&prng, seed);
    if (corpus)
        return corpus_make(corpus, make, &prng);
    if (argc > 1)
        return fuzz_replay_files(argc, argv);
    for (uint32_t i = 0; i < rounds; i++) {
        make(&prng, &input);
        ASSERT(input.size > 0 && !input.failed);
        if (prng_chance(&prng, 9, 10))
            fuzz_spoil(&prng, &input, changes_max);
        LLVMFuzzerTestOneInput(input.data, input.size);
    }
    buffer_free(&input);
    printf("%u inputs\n", rounds);
    return 0;
}

/* Changes `text` by a piece of the donor; returns its new size. */
static size_t splice(struct prng *prng, const char *donor, uint8_t *text, size_t size)
{
    size_t from = prng_below(prng, strlen(donor));
    size_t count = prng_between(prng, 1, 12);
    if (count > strlen(donor) - from)
        count = strlen(donor) - from;
    size_t at = prng_below(prng, size + 1);
    switch (prng_below(prng, 4)) {
    case 0:
        if (size)
            text[prng_below(prng, size)] = (uint8_t)prng_next(prng);
        return size;
    case 1: /* cut */
        count = count > size - at ? size - at : count;
        memmove(text + at, text + at + count, size - at - count);
        return size - count;
    case 2: /* over */
        count = count > size - at ? size - at : count;
        memcpy(text + at, donor + from, count);
        return size;
    default: /* between */
        if (size + count > FUZZ_STATEMENT_MAX)
            return size;
        memmove(text + at + count, text + at, size - at);
        memcpy(text + at, donor + from, count);
        return size + count;
    }
}

int fuzz_replay_statements(int argc, char **argv, const char *const *good, size_t count,
                           uint32_t rounds)
{
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    int failed = 0;
    for (uint32_t i = 0; corpus && i < count; i++)
        failed |= fuzz_corpus_write(corpus, i, slice_from_string(good[i]));
    if (corpus)
        return failed;
    if (argc > 1)
        return fuzz_replay_files(argc, argv);
    struct prng prng;
    prng_seed(&prng, 7);
    for (uint32_t round = 0; round < rounds; round++) {
        const char *base = good[prng_below(&prng, count)];
        size_t size = strlen(base);
        ASSERT(size <= FUZZ_STATEMENT_MAX);
        uint8_t work[FUZZ_STATEMENT_MAX];
        memcpy(work, base, size);
        for (uint64_t n = prng_below(&prng, 4); n > 0; n--)
            size = splice(&prng, good[prng_below(&prng, count)], work, size);
        /* Exactly as large as the text, so that a sanitizer sees a read behind its end. */
        uint8_t *exact = mem_alloc(size);
        memcpy(exact, work, size);
        LLVMFuzzerTestOneInput(exact, size);
        mem_free(exact);
    }
    return 0;
}
