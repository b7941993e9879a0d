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
 * what is in use gathers at the beginning. When the file is much longer than what is in it, pages
 * are moved there (kv_move.c), and the end is cut off.
 *
 * A checkpoint says where its pages end, which may be before the end of the file: what lies behind
 * is free in it. */
#include "base/mem.h"
#include "kv/kv_int.h"

#define GROWTH_MAX (64u << 20)
#define FILL_PAGES 256u  /* made free at once */
#define PUNCH_MIN  8u    /* shorter runs of free pages are left alone */
#define PUNCH_MAX  4096u /* given back by one call to the file system */
#define MOVE_PAGES 64u   /* moved by one step */

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

/* Each makes a put and a removal at most, and a level more may come with the first of them. */
status_t kv_reserve_changes(struct kv *kv, uint32_t count, struct error *error)
{
    ASSERT(kv_replaces(kv) && count > 0);
    uint64_t levels = kv->root != 0 ? kv__page_at(kv, kv->root)->level + 2u : 1;
    return kv_reserve(kv, (3 * levels + 2) * count * kv->page_size, error);
}

/* How many pages before `target` are free, counted up to `count`. */
static uint32_t free_below(const struct kv *kv, uint32_t count, uint32_t target)
{
    uint32_t found = 0;
    for (uint32_t page = kv->free_hint * KV_BITS; page < target && found < count;) {
        if (page % KV_BITS == 0 && kv->free_bits[page / KV_BITS] == 0) {
            page += KV_BITS;
            continue;
        }
        found += kv__bit_get(kv->free_bits, page);
        page++;
    }
    return found;
}

status_t kv__space_get_below(struct kv *kv, uint32_t count, uint32_t target, bool *room,
                             struct error *error)
{
    ASSERT(target <= page_count(kv));
    for (;;) {
        uint32_t page;
        *room = free_below(kv, count, target) >= count;
        if (*room || kv->hole_count == 0)
            return OK;
        uint32_t holes = first_holes(kv, FILL_PAGES, &page);
        if (page >= target)
            return OK;
        status_t status = fill(kv, page, holes, error);
        if (status != OK)
            return status;
    }
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

bool kv__space_has_run_below(const struct kv *kv, uint32_t count, uint32_t target)
{
    uint32_t page = find_run(kv, count, false);
    return page != 0 && page < target && count <= target - page;
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

/* Where the last page ends that is not free. */
static uint32_t used_end(const struct kv *kv)
{
    uint32_t end = page_count(kv);
    while (end > KV_META_PAGES && kv__alloc_is_free(kv, end - 1))
        end--;
    return end;
}

/* Not worth it to cut off less. */
static uint32_t cut_min(const struct kv *kv)
{
    uint32_t growth = (uint32_t)(kv->growth_bytes / kv->page_size);
    return growth > page_count(kv) / 16 ? growth : page_count(kv) / 16;
}

/* Cuts free pages off the end of the file, but for `keep` of them. Both meta pages must be those of
 * checkpoints that end before the cut: who opens the file after a crash trusts one of them. Whether
 * the new length is durable does not matter then. *given: bytes. */
static status_t cut(struct kv *kv, uint64_t keep, uint64_t *given, struct error *error)
{
    uint32_t pages = page_count(kv), end = used_end(kv);
    uint64_t least = (uint64_t)pages - kv->free_count - kv->hole_count + keep;
    if (kv->running != NULL || least >= pages)
        return OK;
    if (end < least)
        end = (uint32_t)least;
    if (end < kv->durable.pages)
        end = kv->durable.pages;
    if (end < kv->before_pages)
        end = kv->before_pages;
    if (pages - end < cut_min(kv))
        return OK;
    for (uint32_t page = end; page < pages; page++) {
        kv->free_count -= kv__bit_get(kv->free_bits, page);
        kv->hole_count -= kv__bit_get(kv->hole_bits, page);
        kv__bit_clear(kv->free_bits, page);
        kv__bit_clear(kv->hole_bits, page);
    }
    atomic_store_explicit(&kv->pages, end, memory_order_release);
    status_t status = env_file_truncate(kv->file, (uint64_t)end * kv->page_size, error);
    if (status != OK) { /* nobody knows where it ends now: asked for again when it is needed */
        atomic_store_explicit(&kv->pages, pages, memory_order_release);
        bool added = kv__space_add_holes(kv, end, pages - end);
        ASSERT(added);
        return status;
    }
    kv->grown = true; /* the length is synced with the next checkpoint */
    if (kv->touched > end)
        kv->touched = end;
    *given += (uint64_t)(pages - end) * kv->page_size;
    return OK;
}

/* Moves pages from the end of the file to its front when that will make it much shorter. */
static status_t move(struct kv *kv, uint64_t keep, uint32_t limit, uint64_t *given,
                     struct error *error)
{
    uint32_t pages = page_count(kv), moved;
    uint64_t target = (uint64_t)pages - kv->free_count - kv->hole_count - kv->pending_pages + keep;
    if (kv->move_done || kv->root == 0 || target + pages / 4 >= used_end(kv) ||
        target + cut_min(kv) >= used_end(kv))
        return OK;
    status_t status = kv__move_step(kv, (uint32_t)target, limit, &moved, error);
    *given += (uint64_t)moved * kv->page_size;
    return status;
}

/* Gives blocks back, from the end of the file on; see kv_compact. */
static status_t punch_some(struct kv *kv, uint64_t keep, uint32_t limit, uint64_t *given,
                           struct error *error)
{
    status_t status = OK;
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

status_t kv_compact(struct kv *kv, uint64_t keep_bytes, uint32_t limit, uint64_t *given,
                    struct error *error)
{
    if (kv->lsm != NULL)
        return lsm_compact(kv->lsm, keep_bytes, limit, given, error);
    status_t status = kv__writable(kv, error);
    uint64_t keep = keep_bytes / kv->page_size;
    ASSERT(kv->loading == NULL);
    *given = 0;
    if (status != OK || limit == 0)
        return status;
    if (keep > UINT32_MAX / 2)
        keep = UINT32_MAX / 2;
    kv__alloc_reclaim(kv);
    status = cut(kv, keep, given, error);
    if (status == OK && *given == 0)
        status = move(kv, keep, limit * MOVE_PAGES, given, error);
    if (status == OK && *given == 0)
        status = punch_some(kv, keep, limit, given, error);
    return status;
}
