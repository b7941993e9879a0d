/* Which pages may be written: allocation, giving back, reclamation, and the stored free list.
 *
 * Epochs. The writer builds epoch E = published + 1. A page is *born* in the epoch that wrote it
 * and *dropped* in the epoch that made the tree do without it; the tree of epoch e reaches it
 * exactly if birth <= e < dropped. A page born in E and dropped in E was never visible and is free
 * at once. Every other dropped page waits until no epoch in [birth, dropped) is
 *   - pinned by an open snapshot,
 *   - the durable checkpoint, or the one being written.
 * The lists it waits in:
 *
 *   now    dropped in E, so the published state still reaches it
 *   young  dropped earlier and born after the newest checkpoint froze its state: no checkpoint has
 *          it, and none ever will. Only snapshots matter.
 *   old    dropped earlier, reached by the durable checkpoint or by the running one. Free once a
 *          checkpoint of its dropping epoch or a later one is durable, and snapshots allow.
 *
 *   kv_publish:          now -> young or old, by the birth
 *   kv__alloc_reclaim:   young, old -> free
 *
 * Because an interval and not a mere minimum is looked at, a snapshot kept for hours holds only
 * what its own tree reaches; pages written and dropped since then go round without it.
 *
 * Invariant: each page of the file is a meta page, reachable from the writer's root, free, in one
 * of the three lists, or part of the free list of the durable or the running checkpoint.
 * kv_check proves it.
 *
 * The stored free list of a checkpoint holds every page that its tree does not reach, but for its
 * own: a chain of pages with runs {first page, count} behind the header, `extra` linking to the
 * next. After a crash nothing else exists, so what waits in the lists counts as free in it. */
#include "base/mem.h"
#include "kv/kv_int.h"

#define RECLAIM_MIN 256u
#define TOUCH_BYTES (256u << 10)

static uint32_t page_count(const struct kv *kv)
{
    return atomic_load_explicit(&kv->pages, memory_order_relaxed);
}

void kv__alloc_resize(struct kv *kv, uint32_t pages)
{
    uint32_t words = (pages + KV_BITS - 1) / KV_BITS;
    if (words <= kv->bit_words)
        return;
    size_t more = (size_t)(words - kv->bit_words) * sizeof(uint64_t);
    kv->free_bits = mem_realloc(kv->free_bits, (size_t)words * sizeof(uint64_t));
    kv->dirty_bits = mem_realloc(kv->dirty_bits, (size_t)words * sizeof(uint64_t));
    kv->hole_bits = mem_realloc(kv->hole_bits, (size_t)words * sizeof(uint64_t));
    memset(kv->free_bits + kv->bit_words, 0, more);
    memset(kv->hole_bits + kv->bit_words, 0, more);
    memset(kv->dirty_bits + kv->bit_words, 0, more);
    kv->bit_words = words;
}

void kv__alloc_destroy(struct kv *kv)
{
    mem_free(kv->free_bits);
    mem_free(kv->hole_bits);
    mem_free(kv->dirty_bits);
    mem_free(kv->born.items);
    mem_free(kv->now.items);
    mem_free(kv->young.items);
    mem_free(kv->old.items);
    mem_free(kv->freelist.items);
}

bool kv__alloc_is_free(const struct kv *kv, uint32_t page)
{
    return kv__bit_get(kv->free_bits, page) || kv__bit_get(kv->hole_bits, page);
}

bool kv__alloc_free(struct kv *kv, uint32_t page, uint32_t count)
{
    ASSERT(page >= KV_META_PAGES && count > 0);
    ASSERT(page < page_count(kv) && count <= page_count(kv) - page);
    for (uint32_t i = page; i < page + count; i++) {
        if (kv__alloc_is_free(kv, i))
            return false;
        kv__bit_set(kv->free_bits, i);
        kv__bit_clear(kv->dirty_bits, i);
        kv->free_count++;
    }
    if (page / KV_BITS < kv->free_hint)
        kv->free_hint = page / KV_BITS;
    return true;
}

void kv__alloc_free_or_fail(struct kv *kv, uint32_t page, uint32_t count)
{
    if (!kv__alloc_free(kv, page, count))
        (void)kv__fail(kv, ERR_CORRUPT, "a page was in use at two places");
}

/* ---- taking pages --------------------------------------------------------------------------- */

/* Pages of a file that has grown are asked for some at a time: each one met alone, at its first
 * write, takes half as long again. */
static void touch(struct kv *kv, uint32_t end)
{
    uint32_t pages = page_count(kv);
    uint32_t ahead = TOUCH_BYTES / kv->page_size;
    ASSERT(end > kv->touched && end <= pages);
    end = ahead < pages - end ? end + ahead : pages;
    env_map_touch(kv->map, (uint64_t)kv->touched * kv->page_size,
                  (uint64_t)(end - kv->touched) * kv->page_size);
    kv->touched = end;
}

/* Marks free pages as taken, to be written in this epoch. */
static void take(struct kv *kv, uint32_t page, uint32_t count)
{
    if (page + count > kv->touched)
        touch(kv, page + count);
    for (uint32_t i = page; i < page + count; i++) {
        ASSERT(kv__bit_get(kv->free_bits, i));
        kv__bit_clear(kv->free_bits, i);
        kv__page_set_verified(kv, i);
    }
    ASSERT(kv->free_count >= count);
    kv->free_count -= count;
}

static void note_born(struct kv *kv, uint32_t page, uint32_t count)
{
    struct kv__run_list *born = &kv->born;
    kv__bit_set(kv->dirty_bits, page);
    if (born->count > 0) { /* a load takes page after page: remembered as one run */
        struct kv__run *last = &born->items[born->count - 1];
        if (last->page + last->count == page) {
            last->count += count;
            return;
        }
    }
    born->items = vec_grow(born->items, &born->capacity, born->count + 1, sizeof *born->items);
    born->items[born->count++] = (struct kv__run){.page = page, .count = count};
}

status_t kv__alloc_reserve(struct kv *kv, uint32_t singles, uint32_t run, uint32_t *run_page,
                           struct error *error)
{
    uint32_t page = 0;
    if (kv->free_count < singles + run)
        kv__alloc_reclaim(kv);
    if (run != 0) {
        status_t status = kv__space_get_run(kv, run, &page, error);
        if (status != OK)
            return status;
        take(kv, page, run);
    }
    if (kv->free_count < singles) {
        status_t status = kv__space_get(kv, singles - kv->free_count, error);
        if (status != OK) {
            if (run != 0)
                kv__alloc_free_or_fail(kv, page, run);
            return status;
        }
    }
    if (run != 0) {
        note_born(kv, page, run);
        *run_page = page;
    }
    return OK;
}

/* The lowest free page. */
static uint32_t take_single(struct kv *kv)
{
    ASSERT(kv->free_count > 0);
    while (kv->free_bits[kv->free_hint] == 0) {
        kv->free_hint++;
        ASSERT(kv->free_hint < kv->bit_words);
    }
    uint32_t page =
        kv->free_hint * KV_BITS + (uint32_t)__builtin_ctzll(kv->free_bits[kv->free_hint]);
    take(kv, page, 1);
    return page;
}

uint32_t kv__alloc_page(struct kv *kv)
{
    uint32_t page = take_single(kv);
    note_born(kv, page, 1);
    return page;
}

/* ---- giving back ---------------------------------------------------------------------------- */

static void list_add(struct kv__dropped_list *list, struct kv__dropped item)
{
    list->items = vec_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items[list->count++] = item;
}

void kv__alloc_drop(struct kv *kv, uint32_t page, uint32_t count, uint64_t birth)
{
    ASSERT(birth <= kv->epoch);
    if (birth == kv->epoch) {
        kv__alloc_free_or_fail(kv, page, count);
        return;
    }
    list_add(&kv->now, (struct kv__dropped){
                           .page = page, .count = count, .birth = birth, .freed = kv->epoch});
    kv->pending_pages += count;
}

void kv__alloc_finish(struct kv *kv, uint32_t id)
{
    struct kv__page *page = kv__page_at(kv, id);
    ASSERT(page->id == id && page->birth == kv->epoch);
    ASSERT(kv__bit_get(kv->dirty_bits, id));
    page->crc = kv__page_crc(kv, page);
    kv__bit_clear(kv->dirty_bits, id);
}

void kv__alloc_undo(struct kv *kv)
{
    ASSERT(kv->now.count == 0);
    for (uint32_t i = 0; i < kv->born.count; i++)
        for (uint32_t page = kv->born.items[i].page;
             page < kv->born.items[i].page + kv->born.items[i].count; page++)
            if (!kv__alloc_is_free(kv, page))
                kv__alloc_free_or_fail(kv, page, 1);
    kv->born.count = 0;
}

void kv__alloc_publish(struct kv *kv, uint64_t freed)
{
    for (uint32_t i = 0; i < kv->now.count; i++) {
        struct kv__dropped item = kv->now.items[i];
        ASSERT(item.freed == freed && item.birth < freed);
        list_add(item.birth > kv->frozen_epoch ? &kv->young : &kv->old, item);
    }
    kv->now.count = 0;
    kv->born.count = 0;
    if (kv->young.count >= kv->reclaim_at)
        kv__alloc_reclaim(kv);
}

/* Is an epoch in [birth, freed) pinned? `pins` is sorted. */
static bool is_pinned(const uint64_t *pins, uint32_t count, const struct kv__dropped *item)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (pins[middle] < item->birth)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && pins[low] < item->freed;
}

/* Frees what may be freed, keeps the rest in order. `durable`: only what was dropped by then. */
static void sweep(struct kv *kv, struct kv__dropped_list *list, const uint64_t *pins,
                  uint32_t pin_count, uint64_t durable)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct kv__dropped item = list->items[i];
        if (item.freed > durable || is_pinned(pins, pin_count, &item)) {
            list->items[kept++] = item;
        } else {
            ASSERT(kv->pending_pages >= item.count);
            kv->pending_pages -= item.count;
            kv__alloc_free_or_fail(kv, item.page, item.count);
        }
    }
    list->count = kept;
}

void kv__alloc_reclaim(struct kv *kv)
{
    uint64_t *pins;
    uint32_t pin_count;
    if (kv->young.count + kv->old.count == 0 || !kv__snapshot_pins(kv, &pins, &pin_count))
        return;
    sweep(kv, &kv->young, pins, pin_count, UINT64_MAX);
    /* `old` is in the order of dropping: when its first is too new for the durable checkpoint,
     * all are. */
    if (kv->old.count > 0 && kv->old.items[0].freed <= kv->durable.epoch)
        sweep(kv, &kv->old, pins, pin_count, kv->durable.epoch);
    mem_free(pins);
    /* Looking again before the list has doubled would make publishing quadratic. */
    kv->reclaim_at = kv->young.count < RECLAIM_MIN ? RECLAIM_MIN : 2 * kv->young.count;
}

/* ---- the stored free list ------------------------------------------------------------------- */

static uint32_t runs_per_page(const struct kv *kv)
{
    return (uint32_t)((kv->page_size - sizeof(struct kv__page)) / sizeof(struct kv__run));
}

static void set_runs(uint64_t *bits, uint32_t page, uint32_t count)
{
    for (uint32_t i = page; i < page + count; i++)
        kv__bit_set(bits, i);
}

/* A bitmap (mem_free) of the pages that the published tree does not reach and that belong to
 * nothing else once its checkpoint is durable. */
static uint64_t *unreached_bits(const struct kv *kv)
{
    size_t size = (size_t)kv->bit_words * sizeof(uint64_t);
    uint64_t *bits = mem_alloc(size);
    for (uint32_t i = 0; i < kv->bit_words; i++)
        bits[i] = kv->free_bits[i] | kv->hole_bits[i];
    for (uint32_t i = 0; i < kv->young.count; i++)
        set_runs(bits, kv->young.items[i].page, kv->young.items[i].count);
    for (uint32_t i = 0; i < kv->old.count; i++)
        set_runs(bits, kv->old.items[i].page, kv->old.items[i].count);
    for (uint32_t i = 0; i < kv->freelist.count; i++)
        kv__bit_set(bits, kv->freelist.items[i]);
    /* What was born since: given back meanwhile, or the unpublished epoch's. Both unreached. */
    for (uint32_t i = 0; i < kv->born.count; i++)
        set_runs(bits, kv->born.items[i].page, kv->born.items[i].count);
    return bits;
}

/* Walks the runs of set bits: from *page on, false at the end. */
static bool next_run(const uint64_t *bits, uint32_t pages, uint32_t *page, struct kv__run *run)
{
    uint32_t at = *page;
    while (at < pages && !kv__bit_get(bits, at))
        at += at % KV_BITS == 0 && bits[at / KV_BITS] == 0 ? KV_BITS : 1;
    if (at >= pages)
        return false;
    run->page = at;
    while (at < pages && kv__bit_get(bits, at))
        at += at % KV_BITS == 0 && bits[at / KV_BITS] == UINT64_MAX ? KV_BITS : 1;
    if (at > pages)
        at = pages;
    run->count = at - run->page;
    *page = at;
    return true;
}

static uint32_t count_runs(const struct kv *kv)
{
    uint64_t *bits = unreached_bits(kv);
    struct kv__run run;
    uint32_t page = 0, runs = 0;
    while (next_run(bits, page_count(kv), &page, &run))
        runs++;
    mem_free(bits);
    return runs;
}

static struct kv__page *freelist_page(struct kv *kv, uint32_t id, uint32_t next)
{
    struct kv__page *page = kv__page_at(kv, id);
    memset(&page->id, 0, kv->page_size - offsetof(struct kv__page, id));
    page->id = id;
    page->birth = atomic_load(&kv->published);
    page->type = KV_PAGE_FREELIST;
    page->level = KV_LEVEL_FREELIST;
    page->extra = next;
    return page;
}

/* Writes the runs of `bits`, as far as `end`, into the checkpoint's free list pages; returns the
 * pages in them. */
static uint32_t write_runs(struct kv *kv, const uint64_t *bits, uint32_t end,
                           const struct kv__page_list *list)
{
    uint32_t at = 0, free_pages = 0;
    struct kv__run run;
    bool more = next_run(bits, end, &at, &run);
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t next = i + 1 < list->count ? list->items[i + 1] : 0;
        struct kv__page *page = freelist_page(kv, list->items[i], next);
        struct kv__run *runs = (struct kv__run *)(page + 1);
        while (more && page->count < runs_per_page(kv)) {
            runs[page->count++] = run;
            free_pages += run.count;
            more = next_run(bits, end, &at, &run);
        }
    }
    ASSERT(!more);
    return free_pages;
}

static void page_list_add(struct kv__page_list *list, uint32_t page)
{
    list->items = vec_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    list->items[list->count++] = page;
}

status_t kv__alloc_freeze(struct kv *kv, struct kv_checkpoint *checkpoint, struct error *error)
{
    /* Growing adds a run, and each page taken for the list may cut one in two: n pages must hold
     * count + 1 + n runs. */
    uint32_t per_page = runs_per_page(kv);
    uint32_t need = (count_runs(kv) + 1 + per_page - 2) / (per_page - 1);
    status_t status = kv__alloc_reserve(kv, need, 0, NULL, error);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < need; i++)
        page_list_add(&checkpoint->freelist, take_single(kv));
    uint64_t *unreached = unreached_bits(kv);
    /* One of them may have been born and given back in this epoch, and so be among those. */
    for (uint32_t i = 0; i < need; i++)
        kv__bit_clear(unreached, checkpoint->freelist.items[i]);
    checkpoint->meta.freelist = checkpoint->freelist.items[0];
    checkpoint->meta.freelist_pages = need;
    uint32_t end = page_count(kv);
    while (kv__bit_get(unreached, end - 1)) /* the meta pages are not among them */
        end--;
    checkpoint->meta.pages = end;
    checkpoint->meta.free_pages = write_runs(kv, unreached, end, &checkpoint->freelist);
    for (uint32_t i = 0; i < need; i++)
        page_list_add(&checkpoint->write, checkpoint->freelist.items[i]);
    for (uint32_t word = 0; word < kv->bit_words; word++) {
        uint64_t frozen = kv->dirty_bits[word] & ~unreached[word];
        kv->dirty_bits[word] &= unreached[word];
        for (; frozen != 0; frozen &= frozen - 1)
            page_list_add(&checkpoint->write, word * KV_BITS + (uint32_t)__builtin_ctzll(frozen));
    }
    mem_free(unreached);
    return OK;
}

static status_t load_runs(struct kv *kv, const struct kv__page *page, struct error *error)
{
    const struct kv__run *runs = (const struct kv__run *)(page + 1);
    for (uint32_t i = 0; i < page->count; i++) {
        if (runs[i].page < KV_META_PAGES || runs[i].page >= kv->durable.pages ||
            runs[i].count == 0 || runs[i].count > kv->durable.pages - runs[i].page ||
            !kv__space_add_holes(kv, runs[i].page, runs[i].count))
            return kv__page_corrupt(kv, page->id, "free run out of bounds", error);
    }
    return OK;
}

status_t kv__alloc_load(struct kv *kv, struct error *error)
{
    uint32_t id = kv->durable.freelist;
    for (uint32_t i = 0; i < kv->durable.freelist_pages; i++) {
        const struct kv__page *page;
        status_t status = kv__page_get(kv, id, KV_LEVEL_FREELIST, &page, error);
        if (status == OK)
            status = load_runs(kv, page, error);
        if (status != OK)
            return status;
        page_list_add(&kv->freelist, id);
        id = page->extra;
    }
    for (uint32_t i = 0; i < kv->freelist.count; i++)
        if (kv__alloc_is_free(kv, kv->freelist.items[i]))
            return kv__page_corrupt(kv, kv->freelist.items[i], "free list lists itself", error);
    if (id != 0 || kv->hole_count != kv->durable.free_pages)
        return error_set(error, ERR_CORRUPT, "free list of \"%s\" does not add up", kv->path);
    if (kv->durable.root != 0 && kv__alloc_is_free(kv, kv->durable.root))
        return kv__page_corrupt(kv, kv->durable.root, "root is in the free list", error);
    uint32_t pages = page_count(kv);
    if (pages > kv->durable.pages &&
        !kv__space_add_holes(kv, kv->durable.pages, pages - kv->durable.pages))
        return kv__page_corrupt(kv, kv->durable.pages, "free before it was there", error);
    return OK;
}
