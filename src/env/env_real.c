/* The real machine: its table of functions, its clocks and randomness, and how it words errors. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"
#include "env/env_int.h"

static uint64_t clock_us(clockid_t clock)
{
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    ASSERT(failed == 0 && now.tv_sec >= 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t real_monotonic_us(void *context)
{
    ASSERT(context == NULL);
    return clock_us(CLOCK_MONOTONIC);
}

static uint64_t real_wall_us(void *context)
{
    ASSERT(context == NULL);
    return clock_us(CLOCK_REALTIME);
}

static void real_random_bytes(void *context, void *out, size_t size)
{
    ASSERT(context == NULL);
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        ASSERT(got > 0 || (got < 0 && errno == EINTR)); /* no other way to fail once booted */
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

const struct env_ops env__real_ops = {
    .file_open = env__file_open,
    .file_close = env__file_close,
    .file_size = env__file_size,
    .file_read = env__file_read,
    .file_write = env__file_write,
    .file_sync = env__file_sync,
    .file_preallocate = env__file_preallocate,
    .file_punch = env__file_punch,
    .file_truncate = env__file_truncate,
    .file_lock = env__file_lock,
    .map_create = env__map_create,
    .map_extend = env__map_extend,
    .map_touch = env__map_touch,
    .map_base = env__map_base,
    .map_sync = env__map_sync,
    .map_destroy = env__map_destroy,
    .dir_create = env__dir_create,
    .dir_list = env__dir_list,
    .dir_sync = env__dir_sync,
    .disk_free = env__disk_free,
    .file_remove = env__file_remove,
    .file_rename = env__file_rename,
    .monotonic_us = real_monotonic_us,
    .wall_us = real_wall_us,
    .random_bytes = real_random_bytes,
};

struct env *env_real(void)
{
    static struct env real = {.ops = &env__real_ops, .context = NULL};
    return &real;
}

static status_t status_of(int code)
{
    switch (code) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    default:
        return ERR_IO;
    }
}

status_t env__error_set(struct error *error, int code, const char *action, const char *path)
{
    ASSERT(code != 0);
    char reason[128];
    return error_set(error, status_of(code), "could not %s \"%s\": %s", action, path,
                     strerror_r(code, reason, sizeof reason));
}
