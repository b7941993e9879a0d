/* Runs the fuzz target without a fuzzing engine: over the files named, or else over a store made
 * here, with runs on two levels, and spoiled by lot with a mind for where the fields are. */
#include <string.h>

#include "../replay.h"
#include "base/check.h"
#include "base/mem.h"
#include "env_sim.h"
#include "lsm/lsm_int.h"

#define PATH "/store"
#define PAGE 4096u

static status_t checkpoint(struct lsm *lsm)
{
    struct lsm_checkpoint *running;
    status_t status = lsm_publish(lsm, NULL);
    if (status == OK)
        status = lsm_checkpoint_begin(lsm, slice_make("meta", 4), &running, NULL);
    if (status == OK)
        status = lsm_checkpoint_write(running, NULL);
    return status == OK ? lsm_checkpoint_end(lsm, running, NULL) : status;
}

/* Two thousand entries merged down, and some newer ones and tombstones above them. */
static status_t fill(struct lsm *lsm)
{
    static const uint8_t value[9000] = {3};
    status_t status = OK;
    for (uint32_t i = 0; i < 600 && status == OK; i++) {
        uint8_t key[100] = {0};
        uint64_t given;
        put_u32_be(key, i * 2654435761u);
        size_t bytes = i == 7 ? sizeof value : i % 40 == 0 ? 600 : 30;
        struct slice name = slice_make(key, i % 10 == 0 ? 100 : 6);
        status = lsm_put(lsm, name, slice_make(value, bytes), NULL);
        if (status == OK && i > 500 && i % 3 == 0)
            status = lsm_delete(lsm, name, NULL, NULL);
        if (status == OK && i % 100 == 99)
            status = checkpoint(lsm);
        for (int j = 0; i == 499 && j < 200 && status == OK; j++)
            status = lsm_compact(lsm, UINT64_MAX, 1, &given, NULL);
    }
    return status;
}

static uint8_t *make_image(size_t *size)
{
    struct env_sim *sim = env_sim_create(1);
    struct env *env = env_sim_env(sim);
    struct lsm_options options = {.page_size = PAGE,
                                  .map_size_max = 16 << 20,
                                  .growth_bytes = 64 << 10,
                                  .run_bytes = 8 << 10,
                                  .views_max = 4};
    struct lsm *lsm;
    struct env_file *file;
    uint64_t file_size;
    size_t got;
    status_t status = lsm_open(env, PATH, &options, &lsm, NULL);
    ASSERT(status == OK);
    status = fill(lsm);
    ASSERT(status == OK);
    lsm_close(lsm);
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

/* Where a field is likely: in a meta page, the manifest, or the beginning of a block. */
static uint64_t likely_place(struct prng *prng, const uint8_t *image, uint64_t pages)
{
    struct lsm__meta meta;
    uint64_t kind = prng_below(prng, 10), page = prng_below(prng, pages);
    memcpy(&meta, image + prng_below(prng, 2) * PAGE, sizeof meta);
    if (kind < 2)
        return prng_below(prng, 2) * PAGE + prng_below(prng, 72);
    if (kind < 6 && meta.manifest_page < pages && meta.manifest_size > 0)
        return (uint64_t)meta.manifest_page * PAGE + prng_below(prng, meta.manifest_size) % PAGE;
    return page * PAGE + prng_below(prng, kind < 8 ? 60 : PAGE - 4);
}

static void mutate(struct prng *prng, uint8_t *input, size_t size)
{
    static const uint32_t odd[] = {0,      1,      2,      3,          0xFF,
                                   0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, UINT32_MAX};
    uint64_t changes = prng_between(prng, 1, 4), pages = (size - 1) / PAGE;
    for (uint64_t i = 0; i < changes; i++) {
        uint8_t *place = input + 1 + likely_place(prng, input + 1, pages);
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
        default:
            put_u32_le(place, odd[prng_below(prng, 10)]);
        }
    }
}

int main(int argc, char **argv)
{
    size_t size;
    struct prng prng;
    uint8_t *image = make_image(&size), *input = mem_alloc(size);
    const char *corpus = fuzz_corpus_wanted(argc, argv);
    int code = 0;
    if (corpus != NULL) {
        image[0] = 0;
        code = fuzz_corpus_write(corpus, 0, slice_make(image, size));
        image[0] = 1;
        code |= fuzz_corpus_write(corpus, 1, slice_make(image, size));
    } else if (argc > 1) {
        code = fuzz_replay_files(argc, argv);
    } else {
        prng_seed(&prng, 77);
        for (uint64_t i = 0; i < 2000; i++) {
            memcpy(input, image, size);
            input[0] = (uint8_t)i;
            if (i > 1)
                mutate(&prng, input, size);
            (void)LLVMFuzzerTestOneInput(input, i % 50 == 49 ? prng_below(&prng, size) : size);
        }
    }
    mem_free(image);
    mem_free(input);
    return code;
}
