/* Files and maps of the simulated machine. Memory comes from the operating system by mmap, so that
 * a map's base never moves and pages nobody touched cost nothing. */
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/mem.h"
#include "env_sim_int.h"

struct sim_map {
    struct env_map base;
    struct sim_file *file;
    struct sim_inode *inode;
    uint64_t size_max;
    bool writable;
};

/* ---- memory --------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static uint8_t *reserve_memory(uint64_t size)
{
    void *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(at != MAP_FAILED);
    return at;
}

static void make_accessible(struct sim_region *region, uint64_t need)
{
    uint64_t end = round_up(need, SIM_PAGE);
    ASSERT(end <= region->reserve);
    if (end <= region->accessible)
        return;
    int failed =
        mprotect(region->at + region->accessible, end - region->accessible, PROT_READ | PROT_WRITE);
    ASSERT(failed == 0);
    region->accessible = end;
}

/* A region of `reserve` bytes in place of this one, with its first `used` bytes. */
static void region_move(struct sim_region *region, uint64_t used, uint64_t reserve)
{
    ASSERT(used <= region->accessible && used <= reserve);
    struct sim_region moved = {.at = reserve_memory(reserve), .reserve = reserve};
    make_accessible(&moved, used);
    if (used > 0)
        memcpy(moved.at, region->at, used);
    sim__region_free(region);
    *region = moved;
}

void sim__region_grow(struct sim_region *region, uint64_t used, uint64_t need, bool pinned)
{
    if (need > region->reserve) {
        ASSERT(!pinned); /* a file may not grow past the map that is open on it */
        uint64_t reserve = region->reserve * 2 > need ? region->reserve * 2 : need;
        region_move(region, used, round_up(reserve, 16 * SIM_PAGE));
    }
    make_accessible(region, need);
}

void sim__region_free(struct sim_region *region)
{
    if (region->at != NULL) {
        int failed = munmap(region->at, region->reserve);
        ASSERT(failed == 0);
    }
    *region = (struct sim_region){0};
}

/* ---- inodes --------------------------------------------------------------------------------- */

struct sim_inode *sim__inode_create(void)
{
    struct sim_inode *inode = mem_zalloc(1, sizeof *inode);
    inode->references = 1;
    return inode;
}

void sim__inode_reference(struct sim_inode *inode)
{
    ASSERT(inode->references > 0);
    inode->references++;
}

void sim__inode_release(struct sim_inode *inode)
{
    ASSERT(inode->references > 0);
    if (--inode->references > 0)
        return;
    ASSERT(inode->maps == 0);
    sim__region_free(&inode->now);
    sim__region_free(&inode->durable);
    mem_free(inode->dirty);
    mem_free(inode->holes);
    mem_free(inode);
}

static void mark_dirty(struct sim_inode *inode, uint64_t offset, uint64_t size)
{
    if (size == 0)
        return;
    uint64_t last = (offset + size - 1) / SIM_PAGE;
    uint64_t words = last / 64 + 1;
    if (words > inode->dirty_words) {
        words = words > inode->dirty_words * 2 ? words : inode->dirty_words * 2;
        inode->dirty = mem_realloc(inode->dirty, words * sizeof *inode->dirty);
        memset(inode->dirty + inode->dirty_words, 0,
               (words - inode->dirty_words) * sizeof *inode->dirty);
        inode->dirty_words = words;
    }
    for (uint64_t page = offset / SIM_PAGE; page <= last; page++)
        inode->dirty[page / 64] |= UINT64_C(1) << (page % 64);
}

static void make_range_durable(struct sim_inode *inode, uint64_t start, uint64_t end)
{
    if (end > inode->size)
        end = inode->size;
    if (start < end)
        memcpy(inode->durable.at + start, inode->now.at + start, end - start);
}

static void make_size_durable(struct sim_inode *inode)
{
    if (inode->size < inode->size_durable)
        memset(inode->durable.at + inode->size, 0, inode->size_durable - inode->size);
    if (inode->size > 0)
        sim__region_grow(&inode->durable, inode->size_durable, inode->size, false);
    inode->size_durable = inode->size;
}

/* `durable` false: the pages are forgotten, as by a sync that failed. */
static void clean_pages(struct sim_inode *inode, bool durable)
{
    for (uint64_t word = 0; word < inode->dirty_words; word++) {
        for (uint64_t bits = inode->dirty[word]; bits != 0 && durable; bits &= bits - 1) {
            uint64_t page = word * 64 + (uint64_t)__builtin_ctzll(bits);
            make_range_durable(inode, page * SIM_PAGE, (page + 1) * SIM_PAGE);
        }
        inode->dirty[word] = 0;
    }
}

/* ---- holes ----------------------------------------------------------------------------------
 *
 * Pages without blocks. Writing one through a map would meet a full disk on the real machine, so
 * here it is refused by the memory itself. */

uint64_t sim__inode_used(const struct sim_inode *inode)
{
    uint64_t holes = inode->hole_count * SIM_PAGE;
    return inode->size > holes ? inode->size - holes : 0;
}

static bool is_hole(const struct sim_inode *inode, uint64_t page)
{
    return page / 64 < inode->hole_words && (inode->holes[page / 64] >> (page % 64) & 1) != 0;
}

static uint64_t holes_in(const struct sim_inode *inode, uint64_t offset, uint64_t end)
{
    uint64_t count = 0;
    for (uint64_t page = offset / SIM_PAGE; page * SIM_PAGE < end; page++)
        count += is_hole(inode, page);
    return count;
}

static void hole_turn(struct sim_inode *inode, uint64_t page, bool hole)
{
    if (page / 64 >= inode->hole_words) {
        uint64_t words = page / 64 + 1;
        inode->holes = mem_realloc(inode->holes, words * sizeof *inode->holes);
        memset(inode->holes + inode->hole_words, 0,
               (words - inode->hole_words) * sizeof *inode->holes);
        inode->hole_words = words;
    }
    if (is_hole(inode, page) == hole)
        return;
    inode->holes[page / 64] ^= UINT64_C(1) << (page % 64);
    inode->hole_count = hole ? inode->hole_count + 1 : inode->hole_count - 1;
    int failed = mprotect(inode->now.at + page * SIM_PAGE, SIM_PAGE,
                          hole ? PROT_READ : PROT_READ | PROT_WRITE);
    ASSERT(failed == 0);
}

void sim__holes_fill(struct sim_inode *inode, uint64_t offset, uint64_t end)
{
    for (uint64_t page = offset / SIM_PAGE; page * SIM_PAGE < end; page++)
        if (is_hole(inode, page))
            hole_turn(inode, page, false);
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct sim_file *sim_file(struct env_file *file)
{
    struct sim_file *sim = (struct sim_file *)file;
    ASSERT(sim->base.ops == sim->sim->env.ops);
    ASSERT(sim->inode != NULL);
    return sim;
}

static status_t file_call(struct sim_file *file, enum env_sim_call kind, bool changes,
                          struct error *error)
{
    if (file->incarnation != file->sim->incarnation)
        return error_set(error, ERR_IO, "file \"%s\" was open when the power failed", file->path);
    return sim__call(file->sim, kind, changes, file->path, error);
}

void sim__file_close(struct env_file *base)
{
    struct sim_file *file = sim_file(base);
    ASSERT(file->sim->handles > 0);
    file->sim->handles--;
    if (file->inode->locked_by == file)
        file->inode->locked_by = NULL;
    sim__inode_release(file->inode);
    mem_free(file->path);
    mem_free(file);
}

status_t sim__file_size(struct env_file *base, uint64_t *size, struct error *error)
{
    struct sim_file *file = sim_file(base);
    status_t status = file_call(file, ENV_SIM_READ, false, error);
    if (status == OK)
        *size = file->inode->size;
    return status;
}

status_t sim__file_read(struct env_file *base, uint64_t offset, void *data, size_t size,
                        size_t *got, struct error *error)
{
    struct sim_file *file = sim_file(base);
    status_t status = file_call(file, ENV_SIM_READ, false, error);
    if (status != OK)
        return status;
    uint64_t there = offset < file->inode->size ? file->inode->size - offset : 0;
    *got = size < there ? size : (size_t)there;
    if (*got > 0)
        memcpy(data, file->inode->now.at + offset, *got);
    return OK;
}

/* Moves the end, as far as the disk has space; returns the end it came to. */
static uint64_t grow(struct sim_file *file, uint64_t end)
{
    struct env_sim *sim = file->sim;
    struct sim_inode *inode = file->inode;
    if (end <= inode->size)
        return end;
    if (sim->capacity != 0) {
        uint64_t used = env_sim_disk_used(sim);
        uint64_t space = used < sim->capacity ? sim->capacity - used : 0;
        if (end - inode->size > space)
            end = inode->size + space;
    }
    if (end > 0)
        sim__region_grow(&inode->now, inode->size, end, inode->maps > 0);
    inode->size = end;
    return end;
}

static void write_bytes(struct sim_inode *inode, uint64_t offset, const void *data, uint64_t size)
{
    ASSERT(offset + size <= inode->size || size == 0);
    sim__holes_fill(inode, offset, offset + size);
    if (size > 0)
        memcpy(inode->now.at + offset, data, size);
    mark_dirty(inode, offset, size);
}

status_t sim__file_write(struct env_file *base, uint64_t offset, const void *data, size_t size,
                         struct error *error)
{
    struct sim_file *file = sim_file(base);
    if (file->read_only)
        return error_set(error, ERR_IO, "file \"%s\" is open for reading only", file->path);
    bool was_off = file->sim->off;
    status_t status = file_call(file, ENV_SIM_WRITE, true, error);
    if (status != OK && (was_off || file->incarnation != file->sim->incarnation))
        return status;
    uint64_t want = size;
    if (status != OK) /* failing now: some of it got there */
        want = prng_below(&file->sim->prng, (uint64_t)size + 1);
    if (want == 0)
        return status;
    uint64_t end = grow(file, offset + want);
    write_bytes(file->inode, offset, data, end > offset ? end - offset : 0);
    if (status == OK && end < offset + size)
        status = error_set(error, ERR_DISK_FULL, "could not write file \"%s\": disk is full",
                           file->path);
    return status;
}

status_t sim__file_sync(struct env_file *base, struct error *error)
{
    struct sim_file *file = sim_file(base);
    status_t status = file_call(file, ENV_SIM_SYNC, true, error);
    if (status == OK) {
        make_size_durable(file->inode);
        clean_pages(file->inode, true);
    } else if (!file->sim->off && file->incarnation == file->sim->incarnation) {
        clean_pages(file->inode, false);
    }
    return status;
}

status_t sim__file_preallocate(struct env_file *base, uint64_t offset, uint64_t size,
                               struct error *error)
{
    struct sim_file *file = sim_file(base);
    status_t status = file_call(file, ENV_SIM_PREALLOCATE, true, error);
    if (status != OK)
        return status;
    struct env_sim *sim = file->sim;
    struct sim_inode *inode = file->inode;
    uint64_t before = inode->size, used = env_sim_disk_used(sim);
    uint64_t holes = holes_in(inode, offset, offset + size) * SIM_PAGE;
    bool fits = sim->capacity == 0 || holes == 0 || used + holes <= sim->capacity;
    if (fits)
        sim__holes_fill(inode, offset, offset + size);
    if (!fits || grow(file, offset + size) < offset + size) {
        inode->size = before;
        return error_set(error, ERR_DISK_FULL,
                         "could not allocate space for file \"%s\": disk is full", file->path);
    }
    return OK;
}

status_t sim__file_punch(struct env_file *base, uint64_t offset, uint64_t size, struct error *error)
{
    struct sim_file *file = sim_file(base);
    struct sim_inode *inode = file->inode;
    status_t status = file_call(file, ENV_SIM_PUNCH, true, error);
    if (status != OK)
        return status;
    ASSERT(offset + size <= inode->size);
    sim__holes_fill(inode, offset, offset + size);
    memset(inode->now.at + offset, 0, size);
    mark_dirty(inode, offset, size);
    for (uint64_t page = offset / SIM_PAGE; page * SIM_PAGE < offset + size; page++)
        hole_turn(inode, page, true);
    return OK;
}

status_t sim__file_truncate(struct env_file *base, uint64_t size, struct error *error)
{
    struct sim_file *file = sim_file(base);
    status_t status = file_call(file, ENV_SIM_TRUNCATE, true, error);
    if (status != OK)
        return status;
    struct sim_inode *inode = file->inode;
    sim__holes_fill(inode, 0, inode->size);
    if (size < inode->size) {
        /* To the end of the page, too: what a map wrote behind the end is gone. */
        memset(inode->now.at + size, 0, inode->now.accessible - size);
        mark_dirty(inode, size, inode->size - size);
        inode->size = size;
    }
    if (grow(file, size) < size)
        return error_set(error, ERR_DISK_FULL, "could not truncate file \"%s\": disk is full",
                         file->path);
    return OK;
}

status_t sim__file_lock(struct env_file *base, struct error *error)
{
    struct sim_file *file = sim_file(base);
    status_t status = file_call(file, ENV_SIM_READ, false, error);
    if (status != OK)
        return status;
    if (file->inode->locked_by != NULL && file->inode->locked_by != file)
        return error_set(error, ERR_LOCKED, "file \"%s\" is in use by another process", file->path);
    file->inode->locked_by = file;
    return OK;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static struct sim_map *sim_map(struct env_map *map)
{
    struct sim_map *sim = (struct sim_map *)map;
    ASSERT(sim->base.ops == sim->file->sim->env.ops);
    ASSERT(sim->inode->maps > 0);
    return sim;
}

status_t sim__map_create(struct env_file *base, uint64_t size_max, bool writable,
                         struct env_map **out, struct error *error)
{
    struct sim_file *file = sim_file(base);
    struct sim_inode *inode = file->inode;
    status_t status = file_call(file, ENV_SIM_MAP, false, error);
    if (status != OK)
        return status;
    if (inode->size > size_max)
        return error_set(error, ERR_TOO_LONG, "file \"%s\" is larger than its map", file->path);
    uint64_t reserve = round_up(size_max, SIM_PAGE);
    if (reserve > inode->now.reserve) {
        ASSERT(inode->maps == 0); /* a second map must not need more than the first */
        region_move(&inode->now, inode->size, reserve);
    }
    struct sim_map *map = mem_zalloc(1, sizeof *map);
    *map = (struct sim_map){.base.ops = base->ops,
                            .file = file,
                            .inode = inode,
                            .size_max = size_max,
                            .writable = writable};
    inode->maps++;
    sim__inode_reference(inode);
    *out = &map->base;
    return OK;
}

status_t sim__map_extend(struct env_map *base, uint64_t size, struct error *error)
{
    struct sim_map *map = sim_map(base);
    status_t status = file_call(map->file, ENV_SIM_MAP, false, error);
    if (status != OK)
        return status;
    if (size > map->size_max)
        return error_set(error, ERR_TOO_LONG, "file \"%s\" is larger than its map",
                         map->file->path);
    if (size > map->inode->size)
        return error_set(error, ERR_INVALID, "file \"%s\" is shorter than the part to be mapped",
                         map->file->path);
    return OK;
}

uint8_t *sim__map_base(struct env_map *base)
{
    return sim_map(base)->inode->now.at;
}

status_t sim__map_sync(struct env_map *base, uint64_t offset, uint64_t size, struct error *error)
{
    struct sim_map *map = sim_map(base);
    ASSERT(map->writable);
    ASSERT(offset + size <= round_up(map->inode->size, SIM_PAGE));
    status_t status = file_call(map->file, ENV_SIM_SYNC, true, error);
    if (status != OK)
        return status;
    make_size_durable(map->inode);
    make_range_durable(map->inode, offset / SIM_PAGE * SIM_PAGE, round_up(offset + size, SIM_PAGE));
    clean_pages(map->inode, true);
    return OK;
}

void sim__map_destroy(struct env_map *base)
{
    struct sim_map *map = sim_map(base);
    map->inode->maps--;
    sim__inode_release(map->inode);
    mem_free(map);
}
