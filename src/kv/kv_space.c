/* Where free pages come from, and where they go to: the file grows, and gives space back.
 *
 * A free page is either *free*, which means that the file has blocks for it and writing it cannot
 * meet a full disk, or a *hole*, of which nobody knows that. Pages become holes when kv_compact has
 * given their blocks back to the file system; and long runs of free ones are at open, since nothing
 * is stored about holes: they cost nothing until they are used. Before a hole is used its blocks
 * are asked for again, some pages at a time:
 *
 *     end of file --grow--> free <--fill-- hole
 *                           free --kv_compact--> hole
 *
 * kv_compact begins at the end of the file, while single pages are taken from its beginning; so
 * what is in use gathers at the beginning. */
#include "base/mem.h"
#include "kv/kv_int.h"

#define GROWTH_MAX (64u << 20)
#define FILL_PAGES 256u  /* made free at once */
#define PUNCH_MIN  8u    /* shorter runs of free pages are left alone */
#define PUNCH_MAX  4096u /* given back by one call to the file system */

static uint32_t page_count(const struct kv *kv)
{
    return atomic_load_explicit(&kv->pages, memory_order_relaxed);
}

bool kv__space_add_holes(struct kv *kv, uint32_t page, uint32_t count)
{
    ASSERT(page >= KV_META_PAGES && count > 0);
    ASSERT(page < page_count(kv) && count <= page_count(kv) - page);
    for (uint32_t i = page; i < page + count; i++) {
        if (kv__alloc_is_free(kv, i))
            return false;
        kv__bit_set(kv->hole_bits, i);
        kv->hole_count++;
    }
    if (page / KV_BITS < kv->hole_hint)
        kv->hole_hint = page / KV_BITS;
    return true;
}

/* Holes of the range become free. */
static void fill_done(struct kv *kv, uint32_t page, uint32_t count)
{
    for (uint32_t i = page; i < page + count; i++) {
        if (!kv__bit_get(kv->hole_bits, i))
            continue;
        kv__bit_clear(kv->hole_bits, i);
        kv->hole_count--;
        kv__alloc_free_or_fail(kv, i, 1);
    }
}

static status_t fill(struct kv *kv, uint32_t page, uint32_t count, struct error *error)
{
    status_t status = env_file_preallocate(kv->file, (uint64_t)page * kv->page_size,
                                           (uint64_t)count * kv->page_size, error);
    if (status == OK)
        fill_done(kv, page, count);
    return status;
}

static status_t grow(struct kv *kv, uint32_t need, struct error *error)
{
    uint32_t pages = page_count(kv);
    uint64_t bytes = (uint64_t)pages * kv->page_size;
    uint64_t least = (uint64_t)need * kv->page_size;
    uint64_t step = bytes / 8 < GROWTH_MAX ? bytes / 8 : GROWTH_MAX;
    if (step < kv->growth_bytes)
        step = kv->growth_bytes;
    step -= step % kv->page_size;
    if (step < least || bytes + step > kv->map_size_max)
        step = least;
    if (bytes + step > kv->map_size_max)
        return error_set(error, ERR_TOO_LONG, "\"%s\" cannot grow over its maximum of %llu bytes",
                         kv->path, (unsigned long long)kv->map_size_max);
    status_t status = env_file_preallocate(kv->file, bytes, step, error);
    if (status == ERR_DISK_FULL && step > least) {
        step = least;
        status = env_file_preallocate(kv->file, bytes, step, error);
    }
    if (status == OK)
        status = env_map_extend(kv->map, bytes + step, error);
    if (status != OK)
        return status;
    uint32_t more = (uint32_t)(step / kv->page_size);
    kv__alloc_resize(kv, pages + more);
    atomic_store_explicit(&kv->pages, pages + more, memory_order_release);
    kv->grown = true;
    kv__alloc_free_or_fail(kv, pages, more);
    return OK;
}

/* The first holes in a row, at most `limit`. */
static uint32_t first_holes(struct kv *kv, uint32_t limit, uint32_t *page)
{
    ASSERT(kv->hole_count > 0);
    while (kv->hole_bits[kv->hole_hint] == 0) {
        kv->hole_hint++;
        ASSERT(kv->hole_hint < kv->bit_words);
    }
    *page = kv->hole_hint * KV_BITS + (uint32_t)__builtin_ctzll(kv->hole_bits[kv->hole_hint]);
    uint32_t count = 0, pages = page_count(kv);
    while (count < limit && *page + count < pages && kv__bit_get(kv->hole_bits, *page + count))
        count++;
    return count;
}

status_t kv__space_get(struct kv *kv, uint32_t more, struct error *error)
{
    uint32_t wanted = kv->free_count + more;
    ASSERT(wanted >= more);
    while (kv->free_count < wanted && kv->hole_count > 0) {
        uint32_t page, need = wanted - kv->free_count;
        uint32_t count = first_holes(kv, need > FILL_PAGES ? need : FILL_PAGES, &page);
        status_t status = fill(kv, page, count, error);
        if (status == ERR_DISK_FULL && count > need)
            status = fill(kv, page, need, error);
        if (status != OK)
            return status;
    }
    return kv->free_count < wanted ? grow(kv, wanted - kv->free_count, error) : OK;
}

status_t kv_reserve(struct kv *kv, uint64_t bytes, struct error *error)
{
    if (kv__is_lsm(kv))
        return lsm_reserve(kv->lsm, bytes, error);
    ASSERT(bytes / kv->page_size < UINT32_MAX);
    status_t status = kv__writable(kv, error);
    uint32_t wanted = (uint32_t)(bytes / kv->page_size);
    if (status != OK || kv->free_count >= wanted)
        return status;
    return kv__space_get(kv, wanted - kv->free_count, error);
}

/* A copied file may have holes where pages in use are all zeros. Those, and short runs of free
 * pages between them, get their blocks at once; on a full disk they are left for later. */
status_t kv__space_open(struct kv *kv, struct error *error)
{
    uint32_t pages = page_count(kv), from = 0, holes = 0;
    for (uint32_t page = 0; page <= pages; page++) {
        if (page < pages && kv__bit_get(kv->hole_bits, page)) {
            holes++;
            continue;
        }
        if (holes >= FILL_PAGES || page == pages) {
            uint32_t end = page - holes;
            status_t status = from < end ? fill(kv, from, end - from, error) : OK;
            if (status != OK && status != ERR_DISK_FULL)
                return status;
            from = page;
        }
        holes = 0;
    }
    return OK;
}

/* The first page of `count` contiguous free ones, with holes among them or not; 0: none. */
static uint32_t find_run(const struct kv *kv, uint32_t count, bool holes)
{
    uint32_t pages = page_count(kv), found = 0;
    uint32_t from = holes && kv->hole_hint < kv->free_hint ? kv->hole_hint : kv->free_hint;
    uint32_t page = from * KV_BITS;
    while (page < pages) {
        uint64_t word = kv->free_bits[page / KV_BITS];
        if (holes)
            word |= kv->hole_bits[page / KV_BITS];
        if (page % KV_BITS == 0 && (word == 0 || word == UINT64_MAX)) {
            found = word == 0 ? 0 : found + KV_BITS;
            page += KV_BITS;
        } else {
            found = (word >> (page % KV_BITS) & 1) != 0 ? found + 1 : 0;
            page++;
        }
        if (found >= count)
            return page - found;
    }
    return 0;
}

status_t kv__space_get_run(struct kv *kv, uint32_t count, uint32_t *page, struct error *error)
{
    status_t status = OK;
    ASSERT(count > 0);
    *page = find_run(kv, count, false);
    if (*page != 0)
        return OK;
    *page = kv->hole_count > 0 ? find_run(kv, count, true) : 0;
    if (*page != 0)
        return fill(kv, *page, count, error);
    status = grow(kv, count, error);
    if (status != OK)
        return status;
    *page = find_run(kv, count, false);
    ASSERT(*page != 0);
    return OK;
}

/* ---- giving space back ----------------------------------------------------------------------- */

/* The last run of free pages that ends below `end`; 0 when there is none. */
static uint32_t run_below(const struct kv *kv, uint32_t end, uint32_t *page)
{
    uint32_t at = end;
    while (at > 0 && !kv__bit_get(kv->free_bits, at - 1))
        at -= at % KV_BITS == 0 && kv->free_bits[at / KV_BITS - 1] == 0 ? KV_BITS : 1;
    uint32_t last = at;
    while (at > 0 && last - at < PUNCH_MAX && kv__bit_get(kv->free_bits, at - 1))
        at--;
    *page = at;
    return last - at;
}

/* They are holes even when it fails: nobody knows how much was given back then. */
static status_t punch(struct kv *kv, uint32_t page, uint32_t count, struct error *error)
{
    ASSERT(kv->free_count >= count);
    for (uint32_t i = page; i < page + count; i++) {
        ASSERT(kv__bit_get(kv->free_bits, i));
        kv__bit_clear(kv->free_bits, i);
    }
    kv->free_count -= count;
    bool added = kv__space_add_holes(kv, page, count);
    ASSERT(added);
    return env_file_punch(kv->file, (uint64_t)page * kv->page_size, (uint64_t)count * kv->page_size,
                          error);
}

status_t kv_compact(struct kv *kv, uint64_t keep_bytes, uint32_t limit, uint64_t *given,
                    struct error *error)
{
    if (kv__is_lsm(kv))
        return lsm_compact(kv->lsm, keep_bytes, limit, given, error);
    status_t status = kv__writable(kv, error);
    uint64_t keep = keep_bytes / kv->page_size;
    ASSERT(kv->loading == NULL);
    *given = 0;
    if (kv->compact_at == 0 || kv->compact_at > page_count(kv))
        kv->compact_at = page_count(kv);
    while (status == OK && limit > 0 && kv->compact_at > 0 && kv->free_count > keep) {
        uint32_t page, count = run_below(kv, kv->compact_at, &page);
        if (kv->free_count - count < keep && count > 0) {
            uint32_t less = (uint32_t)(kv->free_count - keep);
            page += count - less;
            count = less;
        }
        kv->compact_at = page;
        if (count < PUNCH_MIN)
            continue;
        status = punch(kv, page, count, error);
        if (status == OK)
            *given += (uint64_t)count * kv->page_size;
        limit--;
    }
    return status;
}
