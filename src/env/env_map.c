/* Mapped files of the real machine.
 *
 * Creation reserves the whole address range without memory behind it (PROT_NONE,
 * MAP_NORESERVE); the file's pages are then mapped over the start of the reserve as the file
 * grows, so the base never moves and pointers into the map stay good.
 *
 *   base                      accessible            size_max
 *    |  file pages, shared        |  reserve, no access  |
 *
 * `accessible` is page-rounded: a last page that reaches past the end of the file is mapped whole
 * (mmap(2): its rest reads as zeros), and is not mapped again when the file grows into it. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "env/env_int.h"

struct real_map {
    struct env_map base;
    struct env__real_file *file;
    uint8_t *at;
    uint64_t size_max;
    uint64_t page_size;
    bool writable;
    /* Bytes mapped. Moved by the thread that extends, read by those that sync. */
    _Atomic uint64_t accessible;
};

static struct real_map *real_map(struct env_map *map)
{
    ASSERT(map != NULL);
    ASSERT(map->ops == &env__real_ops);
    return (struct real_map *)map;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    ASSERT(unit > 0 && value <= UINT64_MAX - unit);
    return (value + unit - 1) / unit * unit;
}

status_t env__map_create(struct env_file *file, uint64_t size_max, bool writable,
                         struct env_map **out, struct error *error)
{
    struct env__real_file *real = env__real_file(file);
    uint64_t size;
    status_t status = env__file_size(file, &size, error);
    if (status != OK)
        return status;

    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t reserve = round_up(size_max, page_size);
    void *at = mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return env__error_set(error, errno, "reserve address space for file", real->path);

    struct real_map *map = mem_zalloc(1, sizeof *map);
    map->base.ops = &env__real_ops;
    map->file = real;
    map->at = at;
    map->size_max = reserve;
    map->page_size = page_size;
    map->writable = writable;
    status = env__map_extend(&map->base, size, error);
    if (status != OK) {
        env__map_destroy(&map->base);
        return status;
    }
    *out = &map->base;
    return OK;
}

status_t env__map_extend(struct env_map *base, uint64_t size, struct error *error)
{
    struct real_map *map = real_map(base);
    uint64_t accessible = atomic_load_explicit(&map->accessible, memory_order_relaxed);
    if (size > map->size_max)
        return error_set(error, ERR_TOO_LONG, "file \"%s\" is larger than its map of %llu bytes",
                         map->file->path, (unsigned long long)map->size_max);
    uint64_t file_size;
    status_t status = env__file_size(&map->file->base, &file_size, error);
    if (status != OK)
        return status;
    /* Touching a page wholly behind the end would be a bus error. */
    if (size > file_size)
        return error_set(error, ERR_INVALID, "file \"%s\" is shorter than the part to be mapped",
                         map->file->path);
    uint64_t end = round_up(size, map->page_size);
    if (end <= accessible)
        return OK;

    void *at = mmap(map->at + accessible, end - accessible,
                    map->writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_FIXED,
                    map->file->fd, (off_t)accessible);
    if (at == MAP_FAILED)
        return env__error_set(error, errno, "map file", map->file->path);
    ASSERT(at == map->at + accessible);
    atomic_store_explicit(&map->accessible, end, memory_order_release);
    return OK;
}

void env__map_touch(struct env_map *base, uint64_t offset, uint64_t size)
{
    struct real_map *map = real_map(base);
    uint64_t start = offset / map->page_size * map->page_size;
    ASSERT(map->writable);
    ASSERT(offset + size <= atomic_load_explicit(&map->accessible, memory_order_acquire));
#ifdef MADV_POPULATE_WRITE
    /* Linux before 5.14 refuses, and then pages come when they are touched, as they would. */
    (void)madvise(map->at + start, offset + size - start, MADV_POPULATE_WRITE);
#else
    (void)start;
#endif
}

uint8_t *env__map_base(struct env_map *map)
{
    return real_map(map)->at;
}

status_t env__map_sync(struct env_map *base, uint64_t offset, uint64_t size, struct error *error)
{
    struct real_map *map = real_map(base);
    ASSERT(map->writable);
    ASSERT(offset + size <= atomic_load_explicit(&map->accessible, memory_order_acquire));
    uint64_t start = offset / map->page_size * map->page_size;
    uint64_t end = round_up(offset + size, map->page_size);
    if (start < end && msync(map->at + start, end - start, MS_SYNC) != 0)
        return env__error_set(error, errno, "sync mapped file", map->file->path);
    /* msync answers for the pages; this one for the size and the block map that make them found. */
    return env__file_sync(&map->file->base, error);
}

void env__map_destroy(struct env_map *base)
{
    struct real_map *map = real_map(base);
    int failed = munmap(map->at, map->size_max);
    ASSERT(failed == 0);
    mem_free(map);
}
