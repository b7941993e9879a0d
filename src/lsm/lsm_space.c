/* Where the pages of runs come from, and where they go to.
 *
 * Every run, the manifest, and the place where the newest memtable will be written take one
 * contiguous extent each. A page is free or taken; of a free one it may be unknown whether the disk
 * has blocks for it (a hole): after an open, and after lsm_compact has given them back. An extent
 * with holes has its blocks asked for before it is handed out, so that writing to it cannot meet a
 * full disk.
 *
 *     end of file --grow--> free --get--> taken --free--> free --lsm_compact--> hole --get--> taken
 *
 * Nothing of this is stored: what the manifest does not name is free. */
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define BITS       64u
#define GROWTH_MAX (64u << 20)
#define PUNCH_MIN  8u
#define PUNCH_MAX  4096u

static bool bit_get(const uint64_t *bits, uint32_t page)
{
    return (bits[page / BITS] >> (page % BITS) & 1) != 0;
}

static void bit_set(uint64_t *bits, uint32_t page)
{
    bits[page / BITS] |= 1ull << (page % BITS);
}

static void bit_clear(uint64_t *bits, uint32_t page)
{
    bits[page / BITS] &= ~(1ull << (page % BITS));
}

static void resize(struct lsm *lsm, uint32_t pages)
{
    uint32_t words = (pages + BITS - 1) / BITS;
    if (words <= lsm->bit_words)
        return;
    uint32_t grown = lsm->bit_words + lsm->bit_words / 2;
    if (grown < words)
        grown = words;
    lsm->free_bits = mem_realloc(lsm->free_bits, grown * sizeof *lsm->free_bits);
    lsm->hole_bits = mem_realloc(lsm->hole_bits, grown * sizeof *lsm->hole_bits);
    size_t more = (grown - lsm->bit_words) * sizeof(uint64_t);
    memset(lsm->free_bits + lsm->bit_words, 0, more);
    memset(lsm->hole_bits + lsm->bit_words, 0, more);
    lsm->bit_words = grown;
}

void lsm__space_init(struct lsm *lsm, uint32_t pages)
{
    ASSERT(lsm->bit_words == 0 && pages > LSM_META_PAGES);
    resize(lsm, pages);
    lsm->pages = pages;
    for (uint32_t page = LSM_META_PAGES; page < pages; page++) {
        bit_set(lsm->free_bits, page);
        bit_set(lsm->hole_bits, page);
    }
    lsm->free_count = lsm->hole_count = pages - LSM_META_PAGES;
}

bool lsm__space_is_free(const struct lsm *lsm, uint32_t page)
{
    ASSERT(page < lsm->pages);
    return bit_get(lsm->free_bits, page);
}

static void take(struct lsm *lsm, uint32_t page, uint32_t count)
{
    for (uint32_t i = page; i < page + count; i++) {
        ASSERT(bit_get(lsm->free_bits, i));
        bit_clear(lsm->free_bits, i);
        if (bit_get(lsm->hole_bits, i)) {
            bit_clear(lsm->hole_bits, i);
            lsm->hole_count--;
        }
    }
    ASSERT(lsm->free_count >= count);
    lsm->free_count -= count;
}

bool lsm__space_take(struct lsm *lsm, struct lsm__extent extent)
{
    if (extent.page < LSM_META_PAGES || extent.page >= lsm->pages ||
        extent.pages > lsm->pages - extent.page)
        return false;
    for (uint32_t i = 0; i < extent.pages; i++)
        if (!bit_get(lsm->free_bits, extent.page + i))
            return false;
    take(lsm, extent.page, extent.pages);
    return true;
}

void lsm__space_free(struct lsm *lsm, struct lsm__extent extent)
{
    if (extent.pages == 0)
        return;
    ASSERT(extent.page >= LSM_META_PAGES && extent.page + extent.pages <= lsm->pages);
    for (uint32_t i = extent.page; i < extent.page + extent.pages; i++) {
        ASSERT(!bit_get(lsm->free_bits, i));
        bit_set(lsm->free_bits, i);
    }
    lsm->free_count += extent.pages;
    lsm->merge_blocked = false;
    if (extent.page / BITS < lsm->free_hint)
        lsm->free_hint = extent.page / BITS;
}

void lsm__space_trim(struct lsm *lsm, struct lsm__extent *extent, uint32_t pages)
{
    ASSERT(pages <= extent->pages);
    lsm__space_free(lsm, (struct lsm__extent){extent->page + pages, extent->pages - pages});
    extent->pages = pages;
}

/* The first page of `count` contiguous free ones; 0: none. *tail is how many free pages the file
 * ends with. */
static uint32_t find(struct lsm *lsm, uint32_t count, uint32_t *tail)
{
    uint32_t found = 0;
    while (lsm->free_hint < lsm->bit_words && lsm->free_bits[lsm->free_hint] == 0)
        lsm->free_hint++;
    for (uint32_t page = lsm->free_hint * BITS; page < lsm->pages;) {
        uint64_t word = lsm->free_bits[page / BITS];
        if (page % BITS == 0 && page + BITS <= lsm->pages && (word == 0 || word == UINT64_MAX)) {
            found = word == 0 ? 0 : found + BITS;
            page += BITS;
        } else {
            found = (word >> (page % BITS) & 1) != 0 ? found + 1 : 0;
            page++;
        }
        if (found >= count)
            return page - found;
    }
    *tail = found;
    return 0;
}

static status_t grow(struct lsm *lsm, uint32_t least, struct error *error)
{
    uint64_t bytes = (uint64_t)lsm->pages * lsm->page_size;
    uint64_t need = (uint64_t)least * lsm->page_size;
    uint64_t step = bytes / 8 < GROWTH_MAX ? bytes / 8 : GROWTH_MAX;
    if (step < lsm->options.growth_bytes)
        step = lsm->options.growth_bytes;
    step -= step % lsm->page_size;
    if (step < need || bytes + step > lsm->options.map_size_max)
        step = need;
    if (bytes + step > lsm->options.map_size_max)
        return error_set(error, ERR_TOO_LONG, "\"%s\" cannot grow over its maximum of %llu bytes",
                         lsm->path, (unsigned long long)lsm->options.map_size_max);
    status_t status = env_file_preallocate(lsm->file, bytes, step, error);
    if (status == ERR_DISK_FULL && step > need) {
        step = need;
        status = env_file_preallocate(lsm->file, bytes, step, error);
    }
    if (status == OK)
        status = env_map_extend(lsm->map, bytes + step, error);
    if (status != OK)
        return status;
    uint32_t more = (uint32_t)(step / lsm->page_size), first = lsm->pages;
    resize(lsm, first + more);
    lsm->pages = first + more;
    lsm__space_free(lsm, (struct lsm__extent){first, more});
    return OK;
}

/* Asks for the blocks of the holes in a range. */
static status_t fill(struct lsm *lsm, uint32_t page, uint32_t count, struct error *error)
{
    bool any = false;
    for (uint32_t i = page; i < page + count && !any; i++)
        any = bit_get(lsm->hole_bits, i);
    if (!any)
        return OK;
    return env_file_preallocate(lsm->file, (uint64_t)page * lsm->page_size,
                                (uint64_t)count * lsm->page_size, error);
}

status_t lsm__space_get(struct lsm *lsm, uint64_t bytes, struct lsm__extent *out,
                        struct error *error)
{
    uint32_t tail = 0;
    *out = (struct lsm__extent){0};
    if (bytes > lsm->options.map_size_max)
        return error_set(error, ERR_TOO_LONG, "\"%s\" cannot grow over its maximum of %llu bytes",
                         lsm->path, (unsigned long long)lsm->options.map_size_max);
    uint32_t count = lsm__pages_of(lsm, bytes);
    ASSERT(count > 0);
    uint32_t page = find(lsm, count, &tail);
    if (page == 0) {
        status_t status = grow(lsm, count - tail, error);
        if (status != OK)
            return status;
        page = find(lsm, count, &tail);
    }
    ASSERT(page != 0);
    status_t status = fill(lsm, page, count, error);
    if (status != OK)
        return status;
    take(lsm, page, count);
    *out = (struct lsm__extent){page, count};
    return OK;
}

status_t lsm__space_extend(struct lsm *lsm, struct lsm__extent *extent, uint64_t bytes,
                           struct error *error)
{
    struct lsm__extent before = *extent, after;
    uint32_t wanted = lsm__pages_of(lsm, bytes);
    ASSERT(wanted > before.pages);
    /* What it has counts when the new place is looked for: mostly it begins where it did. */
    lsm__space_free(lsm, before);
    status_t status = lsm__space_get(lsm, bytes, &after, error);
    if (status == OK) {
        *extent = after;
        return OK;
    }
    if (before.pages > 0)
        take(lsm, before.page, before.pages);
    return status;
}

/* ---- giving space back ----------------------------------------------------------------------- */

static bool has_blocks(const struct lsm *lsm, uint32_t page)
{
    return bit_get(lsm->free_bits, page) && !bit_get(lsm->hole_bits, page);
}

/* The last run of free pages with blocks that ends below `end`; 0 when there is none. */
static uint32_t run_below(const struct lsm *lsm, uint32_t end, uint32_t *page)
{
    uint32_t at = end;
    while (at > 0 && !has_blocks(lsm, at - 1))
        at--;
    uint32_t last = at;
    while (at > 0 && last - at < PUNCH_MAX && has_blocks(lsm, at - 1))
        at--;
    *page = at;
    return last - at;
}

status_t lsm_compact(struct lsm *lsm, uint64_t keep_bytes, uint32_t limit, uint64_t *given,
                     struct error *error)
{
    *given = 0;
    status_t status = lsm__writable(lsm, error);
    uint64_t keep = keep_bytes / lsm->page_size;
    ASSERT(lsm->loading == NULL);
    if (status == OK)
        status = lsm__pay(lsm, 0, error);
    if (lsm->compact_at == 0 || lsm->compact_at > lsm->pages)
        lsm->compact_at = lsm->pages;
    while (status == OK && limit > 0 && lsm->compact_at > 0 &&
           lsm->free_count - lsm->hole_count > keep) {
        uint32_t page, count = run_below(lsm, lsm->compact_at, &page);
        uint32_t more = (uint32_t)(lsm->free_count - lsm->hole_count - keep);
        if (count > more) {
            page += count - more;
            count = more;
        }
        lsm->compact_at = page;
        if (count < PUNCH_MIN)
            continue;
        /* Holes even when it fails: nobody knows how much was given back then. */
        for (uint32_t i = page; i < page + count; i++)
            bit_set(lsm->hole_bits, i);
        lsm->hole_count += count;
        uint64_t bytes = (uint64_t)count * lsm->page_size;
        status = env_file_punch(lsm->file, (uint64_t)page * lsm->page_size, bytes, error);
        if (status == OK)
            *given += bytes;
        limit--;
    }
    return status;
}
