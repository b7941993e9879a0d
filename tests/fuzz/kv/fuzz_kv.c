/* Foreign bytes as a store: opening, reading, printing and checking any image gives answers or
 * errors, and an image that passes the check can be worked on.
 *
 * Input: one byte of options, then the image. Option 1: checksums are made right first, so that the
 * fuzzer gets behind them. Then the image may contradict itself in ways no disk would cause;
 * changes are tried on it only if kv_check finds nothing. With checksums left alone, changes are
 * always tried. Option 2: its pages are printed. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/mem.h"
#include "env_sim.h"
#include "fuzz_kv.h"
#include "kv/kv_int.h"

#define PATH      "/store"
#define STEPS_MAX 20000
#define IMAGE_MAX (1u << 20)

static void fix_meta(uint8_t *bytes)
{
    struct kv__meta meta;
    memcpy(&meta, bytes, sizeof meta);
    if (meta.app_meta_size <= KV_APP_META_SIZE_MAX)
        kv__meta_seal(&meta);
    memcpy(bytes, &meta, sizeof meta);
}

/* As for pages of 4096 bytes. */
static void fix_checksums(uint8_t *image, size_t size)
{
    for (size_t at = 0; at + 4096 <= size; at += 4096) {
        struct kv__page page;
        memcpy(&page, image + at, sizeof page);
        uint64_t covered = 4096;
        if (page.type == KV_PAGE_OVERFLOW)
            covered = (sizeof page + (uint64_t)page.extra + 4095) / 4096 * 4096;
        if (at < 2 * 4096)
            fix_meta(image + at);
        else if (covered <= size - at)
            put_u32_le(image + at, crc32c(0, image + at + 4, covered - 4));
    }
}

static void read_value(struct kv_cursor *cursor)
{
    struct slice value;
    struct error error;
    volatile uint8_t sink = 0;
    if (kv_cursor_value(cursor, &value, &error) != OK)
        return;
    for (size_t i = 0; i < value.size; i += 512)
        sink = value.data[i];
    MAYBE(sink);
}

static void read_all(struct kv *kv)
{
    struct kv_cursor cursor;
    struct slice value;
    struct error error;
    int steps = 0;
    kv_cursor_init_latest(&cursor, kv);
    status_t status = kv_cursor_first(&cursor, &error);
    while (status == OK && kv_cursor_valid(&cursor) && steps++ < STEPS_MAX) {
        struct slice key = kv_cursor_key(&cursor);
        read_value(&cursor);
        (void)kv_get_latest(kv, key, &value, &error);
        status = kv_cursor_next(&cursor, &error);
    }
    status = kv_cursor_last(&cursor, &error);
    while (status == OK && kv_cursor_valid(&cursor) && steps++ < 2 * STEPS_MAX)
        status = kv_cursor_prev(&cursor, &error);
    for (uint32_t i = 0; i < 64; i++) {
        uint8_t key[8] = {(uint8_t)(i * 4), (uint8_t)(i * 37), 'k'};
        (void)kv_get_latest(kv, slice_make(key, i % 8), &value, &error);
        (void)kv_cursor_seek(&cursor, slice_make(key, i % 8), &error);
        (void)kv_cursor_seek_reverse(&cursor, slice_make(key, i % 8), &error);
    }
}

/* Whether a round over all pages finds them sound. */
static bool scrub_all(struct kv *kv)
{
    struct kv_scrub scrub = {0};
    struct error error;
    for (int steps = 0; scrub.rounds == 0 && steps < STEPS_MAX; steps++)
        (void)kv_scrub_step(kv, &scrub, 50, &error);
    return scrub.damaged == 0;
}

static status_t change_ranges(struct kv *kv)
{
    struct error error;
    uint64_t removed, given;
    uint8_t low[1] = {0x20}, high[1] = {0x90};
    status_t status =
        kv_delete_range(kv, slice_make(low, 1), slice_make(high, 1), 50, &removed, &error);
    if (status == OK)
        status = kv_delete_range(kv, slice_make(high, 1), slice_make(NULL, 0), UINT64_MAX, &removed,
                                 &error);
    return status == OK ? kv_compact(kv, 0, 3, &given, &error) : status;
}

/* Returns whether all went well. */
static bool change(struct kv *kv)
{
    static const uint8_t value[9000] = {1};
    struct error error;
    status_t status = change_ranges(kv);
    for (uint32_t i = 0; i < 200 && status == OK; i++) {
        uint8_t key[4];
        put_u32_be(key, i * 2654435761u);
        status = i % 3 == 2 ? kv_delete(kv, slice_make(key, 1 + i % 4), NULL, &error)
                            : kv_put(kv, slice_make(key, 1 + i % 4),
                                     slice_make(value, i % 7 == 0 ? 9000 : i), &error);
    }
    for (int i = 0; i < 1000 && status == OK; i++) { /* from the front, so that pages merge */
        struct kv_cursor cursor;
        uint8_t key[KV_KEY_SIZE_MAX];
        kv_cursor_init_latest(&cursor, kv);
        status = kv_cursor_first(&cursor, &error);
        if (status != OK || !kv_cursor_valid(&cursor))
            break;
        size_t size = kv_cursor_key(&cursor).size;
        memcpy(key, kv_cursor_key(&cursor).data, size);
        status = kv_delete(kv, slice_make(key, size), NULL, &error);
    }
    if (status == OK)
        status = kv_publish(kv, &error);
    if (status == OK)
        status = kv_checkpoint(kv, slice_make("m", 1), &error);
    return status == OK;
}

/* Each page as text, whatever it is: printing judges for itself. */
static void print_all(struct env *env, size_t size)
{
    struct buffer text = {0};
    struct error error;
    for (uint32_t page = 0; page <= size / 4096; page++) {
        bool good;
        buffer_reset(&text);
        if (kv_page_print(env, PATH, page, &good, &text, &error) == OK)
            ASSERT(text.size > 0 && !text.failed);
    }
    buffer_free(&text);
}

static void use(struct env *env, bool fixed)
{
    struct kv_options options = {.map_size_max = 16 << 20, .growth_bytes = 64 << 10};
    struct error error;
    struct kv *kv;
    struct kv_stats stats;
    if (kv_open(env, PATH, &options, &kv, &error) != OK)
        return;
    kv_stats(kv, &stats);
    read_all(kv);
    bool scrubbed = scrub_all(kv);
    bool sound = kv_check(kv, NULL, NULL, &error) == OK;
    ASSERT(!sound || scrubbed);
    if (sound || !fixed) {
        bool changed = change(kv);
        ASSERT(!sound || changed);
        ASSERT(!sound || kv_check(kv, NULL, NULL, &error) == OK);
    }
    kv_close(kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > IMAGE_MAX)
        return 0;
    log_configure(LOG_OFF, NULL, NULL);
    bool fix = (data[0] & 1) != 0;
    uint8_t *image = mem_alloc(size);
    memcpy(image, data + 1, size - 1);
    if (fix)
        fix_checksums(image, size - 1);
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
    if ((data[0] & 2) != 0)
        print_all(env, size - 1);
    use(env, fix);
    env_sim_destroy(sim);
    return 0;
}
