/* Foreign bytes as a store of the merge tree: opening, reading and checking any image gives answers
 * or errors, and an image that passes the check can be worked on.
 *
 * Input: one byte of options, then the image. Option 1: checksums are made right first, so that the
 * fuzzer gets behind them. Then the image may contradict itself in ways no disk would cause:
 * changes may fail, but only if lsm_check has found something. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "env_sim.h"
#include "lsm/lsm_int.h"

#define PATH      "/store"
#define PAGE      4096u
#define STEPS_MAX 20000
#define IMAGE_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of a block of that run at `at`; returns it when it lies within the image. */
static struct lsm__block *fix_block(uint8_t *image, size_t size, uint64_t at, uint64_t run)
{
    if (at % 8 != 0 || at > size || size - at < sizeof(struct lsm__block))
        return NULL;
    struct lsm__block *block = (struct lsm__block *)(void *)(image + at);
    if (block->size < sizeof *block || block->size > size - at)
        return NULL;
    block->crc = lsm__block_crc(block, run);
    return block;
}

static void fix_run(uint8_t *image, size_t size, struct lsm__record *record)
{
    uint64_t at = (uint64_t)record->page * PAGE;
    if (at >= size || record->index_at > size || record->filter_at > size)
        return;
    struct lsm__block *index = fix_block(image, size, at + record->index_at, record->number);
    if (index != NULL && lsm__block_flaw(index, index->size) == NULL)
        for (uint32_t i = 0; i < index->count; i++) {
            struct slice value = lsm__block_value(index, i);
            if (value.size == 12 && get_u64_le(value.data) < size)
                (void)fix_block(image, size, at + get_u64_le(value.data), record->number);
        }
    uint64_t filter = (uint64_t)record->filter_lines * LSM_FILTER_LINE;
    if (at + record->filter_at + filter <= size)
        record->filter_crc = crc32c(0, image + at + record->filter_at, (size_t)filter);
}

static void fix_checkpoint(uint8_t *image, size_t size, uint64_t place)
{
    struct lsm__meta meta;
    memcpy(&meta, image + place, sizeof meta);
    uint64_t at = (uint64_t)meta.manifest_page * PAGE, rest = meta.manifest_size;
    if (meta.manifest_page != 0 && at < size && rest <= size - at) {
        for (uint64_t next = at; rest >= sizeof(struct lsm__record);) {
            struct lsm__record record;
            memcpy(&record, image + next, sizeof record);
            fix_run(image, size, &record);
            memcpy(image + next, &record, sizeof record);
            uint64_t taken = sizeof record + record.first_size + record.last_size;
            next += taken;
            rest = taken <= rest ? rest - taken : 0;
        }
        meta.manifest_crc = crc32c(0, image + at, meta.manifest_size);
    }
    if (meta.app_meta_size <= LSM_APP_META_SIZE_MAX)
        lsm__meta_seal(&meta);
    memcpy(image + place, &meta, sizeof meta);
}

static void read_all(struct lsm *lsm)
{
    struct lsm_cursor cursor;
    struct slice value;
    struct error error;
    uint8_t room[LSM_KEY_SIZE_MAX];
    volatile uint8_t sink = 0;
    int steps = 0;
    lsm_cursor_init_latest(&cursor, lsm);
    status_t status = lsm_cursor_first(&cursor, &error);
    while (status == OK && cursor.valid && steps++ < STEPS_MAX) {
        struct slice key = lsm_cursor_key(&cursor, room);
        value = lsm_cursor_value(&cursor);
        for (size_t i = 0; i < value.size; i += 512)
            sink = value.data[i];
        (void)lsm_get_latest(lsm, key, &value, &error);
        status = lsm_cursor_next(&cursor, &error);
    }
    status = lsm_cursor_last(&cursor, &error);
    while (status == OK && cursor.valid && steps++ < 2 * STEPS_MAX)
        status = lsm_cursor_prev(&cursor, &error);
    for (uint32_t i = 0; i < 64; i++) {
        uint8_t key[8] = {(uint8_t)(i * 4), (uint8_t)(i * 37), 'k'};
        (void)lsm_get_latest(lsm, slice_make(key, 1 + i % 8), &value, &error);
        (void)lsm_cursor_seek(&cursor, slice_make(key, 1 + i % 8), &error);
        (void)lsm_cursor_seek_reverse(&cursor, slice_make(key, 1 + i % 8), &error);
    }
    MAYBE(sink);
}

static bool scrub_all(struct lsm *lsm)
{
    struct lsm_scrub scrub = {0};
    struct error error;
    struct lsm_view *view = lsm_view_open(lsm, 0);
    for (int steps = 0; scrub.rounds == 0 && steps < STEPS_MAX; steps++)
        (void)lsm_scrub_step(view, &scrub, 50, &error);
    lsm_view_close(view);
    return scrub.damaged == 0;
}

/* Returns whether all went well. */
static bool change(struct lsm *lsm)
{
    static const uint8_t bytes[9000] = {1};
    struct lsm_checkpoint *checkpoint;
    struct error error;
    uint64_t removed, given;
    uint8_t low[1] = {0x20}, high[1] = {0x90};
    status_t status =
        lsm_delete_range(lsm, slice_make(low, 1), slice_make(high, 1), 50, &removed, &error);
    for (uint32_t i = 0; i < 200 && status == OK; i++) {
        uint8_t key[4];
        put_u32_be(key, i * 2654435761u);
        struct slice name = slice_make(key, 1 + i % 4);
        status = i % 3 == 2 ? lsm_delete(lsm, name, NULL, &error)
                            : lsm_put(lsm, name, slice_make(bytes, i % 7 == 0 ? 9000 : i), &error);
        if (status == OK && i % 50 == 0)
            status = lsm_publish(lsm, &error);
    }
    for (int round = 0; round < 3 && status == OK; round++) {
        status = lsm_publish(lsm, &error);
        if (status == OK)
            status = lsm_checkpoint_begin(lsm, slice_make("m", 1), &checkpoint, &error);
        if (status != OK)
            break;
        status_t written = lsm_checkpoint_write(checkpoint, &error);
        status = lsm_checkpoint_end(lsm, checkpoint, &error);
        status = written != OK ? written : status;
        for (int i = 0; i < 20 && status == OK; i++)
            status = lsm_compact(lsm, 0, 3, &given, &error);
    }
    return status == OK;
}

static void use(struct env *env)
{
    struct lsm_options options = {.page_size = PAGE,
                                  .map_size_max = 16 << 20,
                                  .growth_bytes = 64 << 10,
                                  .run_bytes = 16 << 10,
                                  .views_max = 4};
    struct error error;
    struct lsm *lsm;
    struct lsm_stats stats;
    if (lsm_open(env, PATH, &options, &lsm, &error) != OK)
        return;
    lsm_stats(lsm, &stats);
    read_all(lsm);
    bool scrubbed = scrub_all(lsm);
    bool sound = lsm_check(lsm, NULL, NULL, &error) == OK;
    ASSERT(!sound || scrubbed);
    bool changed = change(lsm);
    ASSERT(!sound || changed);
    ASSERT(!sound || lsm_check(lsm, NULL, NULL, &error) == OK);
    lsm_close(lsm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > IMAGE_MAX)
        return 0;
    log_configure(LOG_OFF, NULL, NULL);
    bool fix = (data[0] & 1) != 0;
    uint8_t *image = mem_alloc(size);
    memcpy(image, data + 1, size - 1);
    for (uint64_t place = 0; fix && place < 2 * PAGE && place + PAGE <= size - 1; place += PAGE)
        fix_checkpoint(image, size - 1, place);
    struct env_sim *sim = env_sim_create(1);
    struct env *env = env_sim_env(sim);
    struct env_file *file;
    struct error error;
    status_t status = env_file_open(env, PATH, ENV_OPEN_CREATE, &file, &error);
    ASSERT(status == OK);
    status = env_file_write(file, 0, image, size - 1, &error);
    ASSERT(status == OK);
    env_file_close(file);
    mem_free(image);
    use(env);
    env_sim_destroy(sim);
    return 0;
}
