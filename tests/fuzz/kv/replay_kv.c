/* Runs the fuzz target without a fuzzing engine: over the files named, or else over a store made
 * here and mutated by lot, with a mind for where the fields are. TOYDB_FUZZ_RUNS and TOYDB_SEED set
 * how often and which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../replay.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/prng.h"
#include "env_sim.h"
#include "fuzz_kv.h"
#include "kv/kv_int.h"

#define PATH "/store"

/* A store with all kinds of pages, its image behind one byte of options. */
static uint8_t *make_image(size_t *size)
{
    struct env_sim *sim = env_sim_create(1);
    struct env *env = env_sim_env(sim);
    struct kv_options options = {.growth_bytes = 64 << 10, .map_size_max = 1 << 20};
    struct kv *kv;
    struct env_file *file;
    static const uint8_t value[9000] = {3};
    uint64_t file_size;
    size_t got;
    status_t status = kv_open(env, PATH, &options, &kv, NULL);
    for (uint32_t i = 0; i < 120 && status == OK; i++) {
        uint8_t key[100] = {0};
        put_u32_be(key, i * 2654435761u);
        size_t bytes = i == 7 ? sizeof value : i % 40 == 0 ? 600 : 30;
        status = kv_put(kv, slice_make(key, i % 10 == 0 ? 100 : 6), slice_make(value, bytes), NULL);
        if (status == OK && i == 60)
            status = kv_publish(kv, NULL);
        if (status == OK && i == 60)
            status = kv_checkpoint(kv, slice_make("one", 3), NULL);
    }
    ASSERT(status == OK);
    status = kv_publish(kv, NULL);
    ASSERT(status == OK);
    status = kv_checkpoint(kv, slice_make("two", 3), NULL);
    ASSERT(status == OK);
    kv_close(kv);
    status = env_file_open(env, PATH, 0, &file, NULL);
    ASSERT(status == OK);
    status = env_file_size(file, &file_size, NULL);
    ASSERT(status == OK);
    uint8_t *image = mem_alloc(file_size + 1);
    status = env_file_read(file, 0, image + 1, file_size, &got, NULL);
    ASSERT(status == OK && got == file_size);
    env_file_close(file);
    env_sim_destroy(sim);
    *size = file_size + 1;
    return image;
}

/* Changes a few places, mostly where fields are: headers, slots, the starts of cells. */
static void mutate(struct prng *prng, uint8_t *input, size_t size)
{
    static const uint32_t odd[] = {0,      1,      2,      3,          0xFF,
                                   0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, UINT32_MAX};
    uint64_t changes = prng_between(prng, 1, 4), pages = (size - 1) / 4096;
    for (uint64_t i = 0; i < changes; i++) {
        uint64_t kind = prng_below(prng, 10), page = prng_below(prng, pages), at;
        at = kind < 4   ? prng_below(prng, 32)
             : kind < 7 ? 32 + prng_below(prng, 200)
                        : prng_below(prng, 4096 - 4);
        uint8_t *place = input + 1 + page * 4096 + at;
        switch (prng_below(prng, 5)) {
        case 0:
            *place ^= (uint8_t)(1u << prng_below(prng, 8));
            break;
        case 1:
            *place = (uint8_t)prng_next(prng);
            break;
        case 2:
            put_u16_le(place, (uint16_t)odd[prng_below(prng, 10)]);
            break;
        case 3: /* likely a page number or a count */
            put_u32_le(place, (uint32_t)prng_below(prng, pages + 2));
            break;
        default: /* a page at the place of another */
            memcpy(input + 1 + page * 4096, input + 1 + prng_below(prng, pages) * 4096, 4096);
        }
    }
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !fuzz_corpus_wanted(argc, argv))
        return fuzz_replay_files(argc, argv);
    size_t size;
    struct prng prng;
    uint8_t *image = make_image(&size), *input = mem_alloc(size);
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    for (uint8_t i = 0; corpus && i < 4; i++) { /* of all options */
        image[0] = i;
        (void)fuzz_corpus_write(corpus, i, slice_make(image, size));
    }
    uint64_t runs = corpus ? 0 : number_from("TOYDB_FUZZ_RUNS", 3000);
    prng_seed(&prng, number_from("TOYDB_SEED", 1));
    for (uint64_t i = 0; i < runs; i++) {
        memcpy(input, image, size);
        input[0] = (uint8_t)i;
        if (i > 1)
            mutate(&prng, input, size);
        (void)LLVMFuzzerTestOneInput(input, i % 50 == 49 ? prng_below(&prng, size) : size);
    }
    mem_free(image);
    mem_free(input);
    return 0;
}
