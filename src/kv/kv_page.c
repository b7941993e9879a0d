/* One page of the tree: its layout, searching it, changing it.
 *
 * Every page but the two meta pages begins with this header; integers are in the byte order of the
 * machine that made the file (the meta page carries a mark):
 *
 *   offset size
 *        0    4  crc        CRC-32C of all bytes after this field to the end of the page (of the
 *                           whole run for overflow pages); stored by the checkpoint
 *        4    4  id         the page's own number
 *        8    8  birth      epoch (publish counter) in which it was written
 *       16    1  type       1 branch, 2 leaf, 3 first page of an overflow run, 4 free list
 *       17    1  level      0 leaf, rising to the root; 255 overflow, 254 free list
 *       18    2  count      entries (free list: runs)
 *       20    2  heap_low   where the lowest cell begins
 *       22    2  garbage    bytes at or above heap_low that belong to no cell
 *       24    4  extra      overflow: value size; free list: next page or 0; else 0
 *       28    2  prefix     bytes that all keys of the page share (a branch's first is no key)
 *       30    2  ascending  how many of the last inserts went to the end in a row
 *       32    -  slots      8 bytes an entry, in key order:
 *                             0  4  head      key bytes prefix..prefix+4, big-endian, zero-padded
 *                             4  2  offset    of the cell in the page
 *                             6  2  key_size
 *        ...     free space, then cells up to the page's end, in no order
 *
 *   branch cell:  0 4 child page,  4 - key (separator). The key of entry 0 is empty: it stands for
 *                 minus infinity. Keys under child i are >= separator i and < separator i + 1.
 *   leaf cell:    0 2 value size, then key, then value; or, with bit 15 set,
 *                 0 2 0x8000, 2 4 first overflow page, 6 4 value size, 10 - key.
 *
 * The heads make most steps of the binary search one integer comparison within the slots; keys
 * are kept whole, so that they can be handed out as slices into the page.
 *
 * A page may be read by any thread once its epoch is published, so it is changed only by the writer
 * and only while its birth is the epoch being built. The one exception is the crc field, which the
 * checkpoint thread stores into frozen pages; hence nobody reads it in a page born since the store
 * was opened, and copies of pages begin behind it. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "kv/kv_int.h"

#define HEADER_SIZE ((uint32_t)sizeof(struct kv__page))
#define SLOT_SIZE   ((uint32_t)sizeof(struct kv__slot))
#define CRC_SIZE    4u

static uint32_t key_head(struct slice key, uint32_t prefix)
{
    uint32_t left = (uint32_t)key.size - prefix;
    ASSERT(key.size >= prefix);
    if (left >= 4)
        return get_u32_be(key.data + prefix);
    uint32_t head = 0;
    for (uint32_t i = 0; i < left; i++)
        head |= (uint32_t)key.data[prefix + i] << (24 - 8 * i);
    return head;
}

static uint32_t common_prefix(struct slice a, struct slice b, uint32_t limit)
{
    uint32_t size = 0;
    while (size < limit && size < a.size && size < b.size && a.data[size] == b.data[size])
        size++;
    return size;
}

/* Index of the first entry that has a key: entry 0 of a branch has none. */
static uint32_t first_key(const struct kv__page *page)
{
    return page->level != 0 ? 1 : 0;
}

static const uint8_t *page_bytes(const struct kv__page *page)
{
    return (const uint8_t *)page;
}

static uint32_t cell_size(const struct kv__page *page, uint32_t index)
{
    const struct kv__slot *slot = &kv__page_slots(page)[index];
    const uint8_t *cell = page_bytes(page) + slot->offset;
    uint32_t key_at = kv__cell_key_at(page->level, cell);
    uint32_t value_size = key_at == 2 ? get_u16_le(cell) : 0;
    return key_at + slot->key_size + value_size;
}

struct slice kv__page_cell(const struct kv__page *page, uint32_t index)
{
    ASSERT(index < page->count);
    return slice_make(page_bytes(page) + kv__page_slots(page)[index].offset,
                      cell_size(page, index));
}

uint32_t kv__page_child(const struct kv__page *page, uint32_t index)
{
    ASSERT(page->level != 0 && index < page->count);
    return get_u32_le(page_bytes(page) + kv__page_slots(page)[index].offset);
}

void kv__page_set_child(struct kv__page *page, uint32_t index, uint32_t child)
{
    ASSERT(page->level != 0 && index < page->count);
    put_u32_le((uint8_t *)page + kv__page_slots(page)[index].offset, child);
}

/* ---- searching ------------------------------------------------------------------------------ */

uint32_t kv__page_search(const struct kv__page *page, uint32_t first, struct slice key, bool *exact)
{
    const struct kv__slot *slots = kv__page_slots(page);
    uint32_t low = first, high = page->count, prefix = page->prefix;
    *exact = false;
    if (low >= high)
        return low;
    if (prefix != 0) {
        size_t size = key.size < prefix ? key.size : prefix;
        int order = size == 0 ? 0 : memcmp(key.data, kv__page_key(page, first).data, size);
        if (order < 0 || (order == 0 && key.size < prefix))
            return low;
        if (order > 0)
            return high;
    }
    uint32_t head = key_head(key, prefix);
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (slots[middle].head < head) {
            low = middle + 1;
        } else if (slots[middle].head > head) {
            high = middle;
        } else {
            int order = slice_compare(kv__page_key(page, middle), key);
            if (order == 0) {
                *exact = true;
                return middle;
            }
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
    }
    return low;
}

uint32_t kv__page_search_child(const struct kv__page *page, struct slice key)
{
    bool exact;
    uint32_t index = kv__page_search(page, 1, key, &exact);
    return exact ? index : index - 1;
}

/* ---- changing ------------------------------------------------------------------------------- */

struct kv__page *kv__page_init(struct kv *kv, uint32_t id, uint32_t level)
{
    struct kv__page *page = kv__page_at(kv, id);
    ASSERT(id >= KV_META_PAGES && level < KV_DEPTH_MAX);
    memset((uint8_t *)page + CRC_SIZE, 0, kv->page_size - CRC_SIZE);
    page->id = id;
    page->birth = kv->epoch;
    page->type = level == 0 ? KV_PAGE_LEAF : KV_PAGE_BRANCH;
    page->level = (uint8_t)level;
    page->heap_low = (uint16_t)kv->page_size;
    return page;
}

uint32_t kv__page_capacity(const struct kv *kv)
{
    return kv->page_size - HEADER_SIZE;
}

uint32_t kv__page_used(const struct kv *kv, const struct kv__page *page)
{
    return page->count * SLOT_SIZE + (kv->page_size - page->heap_low) - page->garbage;
}

/* Moves the cells to the end, so that all free bytes are in one piece. */
static void compact(struct kv *kv, struct kv__page *page)
{
    struct kv__slot *slots = kv__page_slots(page);
    uint32_t heap = kv->page_size, low = page->heap_low;
    uint8_t *copy = kv->scratch;
    memcpy(copy + low, page_bytes(page) + low, kv->page_size - low);
    for (uint32_t i = 0; i < page->count; i++) {
        const uint8_t *cell = copy + slots[i].offset;
        uint32_t key_at = kv__cell_key_at(page->level, cell);
        uint32_t size = key_at + slots[i].key_size + (key_at == 2 ? get_u16_le(cell) : 0);
        ASSERT(heap >= low + size);
        heap -= size;
        memcpy((uint8_t *)page + heap, cell, size);
        slots[i].offset = (uint16_t)heap;
    }
    ASSERT(heap == (uint32_t)page->heap_low + page->garbage);
    page->heap_low = (uint16_t)heap;
    page->garbage = 0;
}

/* Counts heads anew for the prefix the page has. */
static void refresh_heads(struct kv__page *page)
{
    struct kv__slot *slots = kv__page_slots(page);
    for (uint32_t i = first_key(page); i < page->count; i++)
        slots[i].head = key_head(kv__page_key(page, i), page->prefix);
}

/* Before `key` is added at `index`: shorten the common prefix if it does not share it. A key
 * between two others shares what they share. */
static void adapt_prefix(struct kv__page *page, uint32_t index, struct slice key)
{
    uint32_t first = first_key(page);
    if (index < first)
        return;
    if (page->count <= first) {
        page->prefix = (uint16_t)key.size;
    } else if (index == first || index == page->count) {
        uint32_t prefix = common_prefix(kv__page_key(page, first), key, page->prefix);
        if (prefix < page->prefix) {
            page->prefix = (uint16_t)prefix;
            refresh_heads(page);
        }
    }
}

bool kv__page_insert(struct kv *kv, struct kv__page *page, uint32_t index, struct slice cell,
                     uint32_t key_size)
{
    struct kv__slot *slots = kv__page_slots(page);
    ASSERT(page->birth == kv->epoch && index <= page->count);
    ASSERT(page->level == 0 || index != 0);
    if (kv__page_used(kv, page) + SLOT_SIZE + cell.size > kv__page_capacity(kv))
        return false;
    if (HEADER_SIZE + (page->count + 1u) * SLOT_SIZE + cell.size > page->heap_low)
        compact(kv, page);
    struct slice key = slice_make(cell.data + kv__cell_key_at(page->level, cell.data), key_size);
    adapt_prefix(page, index, key);
    bool at_end = index == page->count;
    if (!at_end)
        memmove(&slots[index + 1], &slots[index], (page->count - index) * sizeof *slots);
    page->heap_low = (uint16_t)(page->heap_low - cell.size);
    memcpy((uint8_t *)page + page->heap_low, cell.data, cell.size);
    slots[index] = (struct kv__slot){.head = key_head(key, page->prefix),
                                     .offset = page->heap_low,
                                     .key_size = (uint16_t)key_size};
    page->count++;
    if (!at_end)
        page->ascending = 0;
    else if (page->ascending < UINT16_MAX)
        page->ascending++;
    return true;
}

void kv__page_remove(struct kv__page *page, uint32_t index)
{
    struct kv__slot *slots = kv__page_slots(page);
    ASSERT(index < page->count);
    uint32_t size = cell_size(page, index);
    page->garbage = (uint16_t)(page->garbage + size);
    memmove(&slots[index], &slots[index + 1], (page->count - index - 1u) * sizeof *slots);
    page->count--;
    page->ascending = 0;
    if (page->level != 0 && index == 0 && page->count > 0) {
        page->garbage = (uint16_t)(page->garbage + slots[0].key_size);
        slots[0].key_size = 0;
        slots[0].head = 0;
    }
}

void kv__page_append(struct kv__page *page, struct slice cell, uint32_t key_size)
{
    ASSERT(HEADER_SIZE + (page->count + 1u) * SLOT_SIZE + cell.size <= page->heap_low);
    ASSERT(page->level == 0 || page->count != 0 || key_size == 0);
    page->heap_low = (uint16_t)(page->heap_low - cell.size);
    memcpy((uint8_t *)page + page->heap_low, cell.data, cell.size);
    kv__page_slots(page)[page->count] =
        (struct kv__slot){.offset = page->heap_low, .key_size = (uint16_t)key_size};
    page->count++;
}

void kv__page_seal(struct kv__page *page)
{
    uint32_t first = first_key(page);
    page->ascending = 0;
    page->prefix = 0;
    if (page->count > first) {
        struct slice low = kv__page_key(page, first);
        page->prefix =
            (uint16_t)common_prefix(low, kv__page_key(page, page->count - 1u), (uint32_t)low.size);
    }
    refresh_heads(page);
}

/* ---- soundness ------------------------------------------------------------------------------ */

void kv__page_set_verified(struct kv *kv, uint32_t id)
{
    if (id < kv->verified_pages)
        atomic_fetch_or_explicit(&kv->verified[id / 64], 1ull << (id % 64), memory_order_relaxed);
}

status_t kv__page_corrupt(const struct kv *kv, uint32_t id, const char *what, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "page %u of \"%s\" is damaged: %s", id, kv->path, what);
}

uint32_t kv__page_crc(const struct kv *kv, const struct kv__page *page)
{
    uint64_t size = kv->page_size;
    if (page->type == KV_PAGE_OVERFLOW)
        size *= kv__overflow_pages(kv, page->extra);
    return crc32c(0, page_bytes(page) + CRC_SIZE, size - CRC_SIZE);
}

/* One entry: its cell within the heap, its key with the common prefix, what it points to. Adds the
 * cell's size to *used. */
static const char *entry_flaw(const struct kv *kv, const struct kv__page *page, uint32_t index,
                              uint32_t *used)
{
    const struct kv__slot *slot = &kv__page_slots(page)[index];
    uint32_t pages = atomic_load_explicit(&kv->pages, memory_order_relaxed);
    uint32_t fixed = page->level != 0 ? 4 : 2;
    if (slot->offset < page->heap_low || slot->offset + fixed > kv->page_size)
        return "cell out of bounds";
    const uint8_t *cell = page_bytes(page) + slot->offset;
    uint32_t key_at = kv__cell_key_at(page->level, cell);
    if (slot->offset + key_at + slot->key_size > kv->page_size ||
        slot->offset + cell_size(page, index) > kv->page_size)
        return "cell out of bounds";
    bool keyless = page->level != 0 && index == 0;
    if (keyless != (slot->key_size == 0) || slot->key_size > KV_KEY_SIZE_MAX)
        return "key size out of bounds";
    if (!keyless && common_prefix(kv__page_key(page, first_key(page)), kv__page_key(page, index),
                                  page->prefix) != page->prefix)
        return "keys do not share their prefix";
    uint32_t target = key_at == 2 ? KV_META_PAGES : get_u32_le(cell + (key_at == 4 ? 0 : 2));
    if (target < KV_META_PAGES || target >= pages)
        return "pointer out of bounds";
    if (key_at == 10 && get_u32_le(cell + 6) > KV_VALUE_SIZE_MAX)
        return "value size out of bounds";
    *used += SLOT_SIZE + cell_size(page, index);
    return NULL;
}

static const char *node_flaw(const struct kv *kv, const struct kv__page *page)
{
    uint32_t slots_end = HEADER_SIZE + page->count * SLOT_SIZE, used = 0;
    if (page->level >= KV_DEPTH_MAX || (page->level == 0) != (page->type == KV_PAGE_LEAF))
        return "level out of bounds";
    if (page->count == 0)
        return "node without entries";
    if (page->heap_low < slots_end || page->heap_low > kv->page_size)
        return "heap out of bounds";
    for (uint32_t i = 0; i < page->count; i++) {
        const char *flaw = entry_flaw(kv, page, i, &used);
        if (flaw != NULL)
            return flaw;
    }
    if (page->garbage > kv->page_size - page->heap_low || used != kv__page_used(kv, page))
        return "cell sizes do not add up";
    return NULL;
}

static const char *overflow_flaw(const struct kv *kv, uint32_t id, const struct kv__page *page)
{
    uint32_t pages = atomic_load_explicit(&kv->pages, memory_order_relaxed);
    if (page->level != KV_LEVEL_OVERFLOW)
        return "level out of bounds";
    if (page->extra > KV_VALUE_SIZE_MAX || kv__overflow_pages(kv, page->extra) > pages - id)
        return "value size out of bounds";
    return NULL;
}

static const char *freelist_flaw(const struct kv *kv, const struct kv__page *page)
{
    uint32_t pages = atomic_load_explicit(&kv->pages, memory_order_relaxed);
    if (page->level != KV_LEVEL_FREELIST)
        return "level out of bounds";
    if (page->count > (kv->page_size - HEADER_SIZE) / sizeof(struct kv__run))
        return "run count out of bounds";
    if (page->extra != 0 && (page->extra < KV_META_PAGES || page->extra >= pages))
        return "pointer out of bounds";
    return NULL;
}

const char *kv__page_flaw(const struct kv *kv, uint32_t id, const struct kv__page *page)
{
    if (page->id != id)
        return "it carries the number of another page";
    if (page->birth == 0)
        return "born in no epoch";
    switch (page->type) {
    case KV_PAGE_BRANCH:
    case KV_PAGE_LEAF:
        return node_flaw(kv, page);
    case KV_PAGE_OVERFLOW:
        return overflow_flaw(kv, id, page);
    case KV_PAGE_FREELIST:
        return freelist_flaw(kv, page);
    default:
        return "unknown type";
    }
}

status_t kv__page_verify(struct kv *kv, uint32_t id, uint32_t level, struct error *error)
{
    const struct kv__page *page = kv__page_at(kv, id);
    if (id < KV_META_PAGES || id >= atomic_load_explicit(&kv->pages, memory_order_relaxed))
        return kv__page_corrupt(kv, id, "no such page", error);
    if (!kv__page_is_verified(kv, id)) {
        /* The size of an overflow run decides what the checksum covers: bound it first. */
        if (page->type == KV_PAGE_OVERFLOW && overflow_flaw(kv, id, page) != NULL)
            return kv__page_corrupt(kv, id, overflow_flaw(kv, id, page), error);
        if (page->crc != kv__page_crc(kv, page))
            return kv__page_corrupt(kv, id, "wrong checksum", error);
        const char *flaw = kv__page_flaw(kv, id, page);
        if (flaw == NULL && page->birth > kv->verified_epoch)
            flaw = "younger than its checkpoint";
        if (flaw != NULL)
            return kv__page_corrupt(kv, id, flaw, error);
        kv__page_set_verified(kv, id);
    }
    if (level == KV_LEVEL_ANY ? page->level >= KV_DEPTH_MAX : page->level != level)
        return kv__page_corrupt(kv, id, "not of the level it is used on", error);
    return OK;
}
