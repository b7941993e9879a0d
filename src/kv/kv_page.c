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
 *       28    2  prefix     size of what all keys of the page share (a branch's first is no key)
 *       30    2  ascending  how many of the last inserts went to the end in a row
 *       32    -  the shared bytes, zeros to a multiple of 8
 *        ...     slots      8 bytes an entry, in key order:
 *                             0  4  head      the first key bytes behind the shared ones,
 *                                             big-endian, zero-padded
 *                             4  2  offset    of the cell in the page
 *                             6  2  key_size  of what is in the cell
 *        ...     free space, then cells up to the page's end, in no order
 *
 *   branch cell:  0 4 child page,  4 - key (separator). Entry 0 has no key: it stands for minus
 *                 infinity. Keys under child i are >= separator i and < separator i + 1.
 *   leaf cell:    0 2 value size, then key, then value; or, with bit 15 set,
 *                 0 2 0x8000, 2 4 first overflow page, 6 4 value size, 10 - key.
 *
 * What the keys share is stored once, keys in cells are without it (format version 1 had them
 * whole). The heads make most steps of the binary search one integer comparison within the slots,
 * and the shared bytes lie in the cache line of the header that is read anyway.
 *
 * A key between two others shares what they share. So only an insert at either end can shorten the
 * prefix, and then the page is built anew, with all its keys grown by the difference; and when that
 * does not fit, the page as it is and the new entry alone are two pages that do. A removal leaves
 * the prefix as it is, even if what is left has more in common: splits, joins and loads count it
 * anew.
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

static uint32_t common_prefix(struct slice a, struct slice b, size_t limit)
{
    uint32_t size = 0;
    while (size < limit && size < a.size && size < b.size && a.data[size] == b.data[size])
        size++;
    return size;
}

static struct slice slice_from(struct slice bytes, size_t from)
{
    ASSERT(from <= bytes.size);
    return slice_make(bytes.data + from, bytes.size - from);
}

static const uint8_t *page_bytes(const struct kv__page *page)
{
    return (const uint8_t *)page;
}

static struct slice page_prefix(const struct kv__page *page)
{
    return slice_make(page + 1, page->prefix);
}

static uint32_t key_count(const struct kv__page *page)
{
    uint32_t first = kv__page_first_key(page);
    return page->count > first ? page->count - first : 0;
}

/* ---- entries -------------------------------------------------------------------------------- */

struct slice kv__entry_key(const struct kv__entry *entry, uint8_t *bytes)
{
    if (entry->shared.size == 0)
        return entry->rest;
    ASSERT(kv__entry_key_size(entry) <= KV_KEY_SIZE_MAX);
    memcpy(bytes, entry->shared.data, entry->shared.size);
    if (entry->rest.size != 0)
        memcpy(bytes + entry->shared.size, entry->rest.data, entry->rest.size);
    return slice_make(bytes, kv__entry_key_size(entry));
}

uint32_t kv__entry_common(const struct kv__entry *a, const struct kv__entry *b)
{
    uint8_t bytes[2][KV_KEY_SIZE_MAX];
    if (a->shared.data == b->shared.data && a->shared.size == b->shared.size)
        return (uint32_t)a->shared.size + common_prefix(a->rest, b->rest, KV_KEY_SIZE_MAX);
    return common_prefix(kv__entry_key(a, bytes[0]), kv__entry_key(b, bytes[1]), KV_KEY_SIZE_MAX);
}

struct kv__entry kv__entry_branch(uint8_t *head, struct slice key, uint32_t child)
{
    ASSERT(child >= KV_META_PAGES && key.size <= KV_KEY_SIZE_MAX);
    put_u32_le(head, child);
    return (struct kv__entry){.head = slice_make(head, 4), .rest = key};
}

struct kv__entry kv__entry_leaf(uint8_t *head, struct slice key, struct slice value,
                                uint32_t overflow)
{
    ASSERT(overflow != 0 || value.size < KV_CELL_LONG);
    if (overflow == 0) {
        put_u16_le(head, (uint16_t)value.size);
        return (struct kv__entry){.head = slice_make(head, 2), .rest = key, .value = value};
    }
    put_u16_le(head, KV_CELL_LONG);
    put_u32_le(head + 2, overflow);
    put_u32_le(head + 6, (uint32_t)value.size);
    return (struct kv__entry){.head = slice_make(head, KV_ENTRY_HEAD_MAX), .rest = key};
}

struct kv__entry kv__page_entry(const struct kv__page *page, uint32_t index)
{
    const struct kv__slot *slot = &kv__page_slots(page)[index];
    const uint8_t *cell = page_bytes(page) + slot->offset;
    uint32_t key_at = kv__cell_key_at(page->level, cell);
    ASSERT(index < page->count);
    struct kv__entry entry = {
        .head = slice_make(cell, key_at),
        .rest = slice_make(cell + key_at, slot->key_size),
        .value = slice_make(cell + key_at + slot->key_size, key_at == 2 ? get_u16_le(cell) : 0)};
    if (index >= kv__page_first_key(page))
        entry.shared = page_prefix(page);
    return entry;
}

struct slice kv__page_key(const struct kv__page *page, uint32_t index, uint8_t *bytes)
{
    struct kv__entry entry = kv__page_entry(page, index);
    return kv__entry_key(&entry, bytes);
}

struct slice kv__page_key_copy(const struct kv__page *page, uint32_t index, uint8_t *bytes)
{
    struct slice key = kv__page_key(page, index, bytes);
    if (key.data != bytes && key.size != 0)
        memcpy(bytes, key.data, key.size);
    return slice_make(bytes, key.size);
}

uint32_t kv__page_cell_size(const struct kv__page *page, uint32_t index)
{
    const struct kv__slot *slot = &kv__page_slots(page)[index];
    const uint8_t *cell = page_bytes(page) + slot->offset;
    uint32_t key_at = kv__cell_key_at(page->level, cell);
    ASSERT(index < page->count);
    return key_at + slot->key_size + (key_at == 2 ? get_u16_le(cell) : 0);
}

/* Of the entry in a page of that prefix. */
static uint32_t cell_size_with(const struct kv__entry *entry, uint32_t prefix)
{
    uint32_t key_size = kv__entry_key_size(entry);
    return (uint32_t)(entry->head.size + entry->value.size) +
           (key_size > prefix ? key_size - prefix : 0);
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

/* The first of the slots [low, high) whose head is not below `head`. Which half comes next is
 * computed, not branched to: it is as good as random. */
static uint32_t heads_below(const struct kv__slot *slots, uint32_t low, uint32_t high,
                            uint32_t head)
{
    uint32_t count = high - low;
    ASSERT(count > 0);
    while (count > 1) {
        uint32_t half = count / 2;
        low += slots[low + half - 1].head < head ? half : 0;
        count -= half;
    }
    return low + (slots[low].head < head);
}

uint32_t kv__page_search(const struct kv__page *page, uint32_t first, struct slice key, bool *exact)
{
    const struct kv__slot *slots = kv__page_slots(page);
    uint32_t low = first, high = page->count, prefix = page->prefix;
    *exact = false;
    if (low >= high)
        return low;
    if (prefix != 0) {
        size_t size = key.size < prefix ? key.size : prefix;
        int order = size == 0 ? 0 : memcmp(key.data, page + 1, size);
        if (order < 0 || (order == 0 && key.size < prefix))
            return low;
        if (order > 0)
            return high;
        key = slice_from(key, prefix);
    }
    uint32_t head = kv__rest_head(key);
    low = heads_below(slots, low, high, head);
    if (low == high || slots[low].head != head)
        return low;
    if (low + 1 < high && slots[low + 1].head != head)
        high = low + 1;  /* the only one that begins so */
    while (low < high) { /* from here on no head is below */
        uint32_t middle = (low + high) / 2;
        if (slots[middle].head > head) {
            high = middle;
        } else {
            const uint8_t *cell = page_bytes(page) + slots[middle].offset;
            struct slice rest =
                slice_make(cell + kv__cell_key_at(page->level, cell), slots[middle].key_size);
            int order = slice_compare(rest, key);
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

struct kv__page *kv__page_begin(struct kv *kv, uint32_t id, uint32_t level)
{
    struct kv__page *page = kv__page_at(kv, id);
    ASSERT(id >= KV_META_PAGES && level < KV_DEPTH_MAX);
    memset((uint8_t *)page + CRC_SIZE, 0, HEADER_SIZE - CRC_SIZE);
    page->id = id;
    page->birth = kv->epoch;
    page->type = level == 0 ? KV_PAGE_LEAF : KV_PAGE_BRANCH;
    page->level = (uint8_t)level;
    page->heap_low = (uint16_t)kv->page_size;
    return page;
}

void kv__page_clear(struct kv__page *page)
{
    uint32_t slots_end = HEADER_SIZE + kv__prefix_room(page->prefix) + page->count * SLOT_SIZE;
    ASSERT(slots_end <= page->heap_low);
    memset((uint8_t *)page + slots_end, 0, page->heap_low - slots_end);
}

struct kv__page *kv__page_init(struct kv *kv, uint32_t id, uint32_t level)
{
    struct kv__page *page = kv__page_begin(kv, id, level);
    kv__page_clear(page);
    return page;
}

uint32_t kv__page_capacity(const struct kv *kv)
{
    return kv->page_size - HEADER_SIZE;
}

uint32_t kv__page_used(const struct kv *kv, const struct kv__page *page)
{
    return kv__prefix_room(page->prefix) + page->count * SLOT_SIZE +
           (kv->page_size - page->heap_low) - page->garbage;
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

void kv__page_start(struct kv__page *page, const struct kv__entry *like, uint32_t prefix)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    ASSERT(page->count == 0 && prefix <= kv__entry_key_size(like));
    page->prefix = (uint16_t)prefix;
    if (prefix == 0)
        return;
    uint8_t *to = (uint8_t *)(page + 1);
    memcpy(to, kv__entry_key(like, bytes).data, prefix);
    memset(to + prefix, 0, kv__prefix_room(prefix) - prefix);
}

/* Writes the cell of an entry, with its key as it is behind the prefix. */
static void cell_write(uint8_t *cell, const struct kv__entry *entry, uint32_t prefix)
{
    size_t shared = entry->shared.size;
    memcpy(cell, entry->head.data, entry->head.size);
    cell += entry->head.size;
    if (prefix < shared) {
        memcpy(cell, entry->shared.data + prefix, shared - prefix);
        cell += shared - prefix;
    }
    size_t skip = prefix > shared ? prefix - shared : 0;
    if (entry->rest.size > skip) {
        memcpy(cell, entry->rest.data + skip, entry->rest.size - skip);
        cell += entry->rest.size - skip;
    }
    if (entry->value.size != 0)
        memcpy(cell, entry->value.data, entry->value.size);
}

/* Puts the cell of an entry at the low end of the heap, where there is room, and fills the slot. */
static void entry_place(struct kv__page *page, uint32_t index, const struct kv__entry *entry)
{
    uint32_t prefix = page->prefix, key_size = kv__entry_key_size(entry);
    page->heap_low = (uint16_t)(page->heap_low - cell_size_with(entry, prefix));
    uint8_t *cell = (uint8_t *)page + page->heap_low;
    cell_write(cell, entry, prefix);
    uint32_t rest = key_size > prefix ? key_size - prefix : 0;
    kv__page_slots(page)[index] =
        (struct kv__slot){.head = kv__rest_head(slice_make(cell + entry->head.size, rest)),
                          .offset = page->heap_low,
                          .key_size = (uint16_t)rest};
}

void kv__page_append(struct kv__page *page, const struct kv__entry *entry)
{
    ASSERT(HEADER_SIZE + kv__prefix_room(page->prefix) + (page->count + 1u) * SLOT_SIZE +
               cell_size_with(entry, page->prefix) <=
           page->heap_low);
    ASSERT(kv__entry_key_size(entry) >=
           (page->count < kv__page_first_key(page) ? 0 : page->prefix));
    ASSERT(page->level == 0 || page->count != 0 || kv__entry_key_size(entry) == 0);
    entry_place(page, page->count, entry);
    page->count++;
}

/* Builds the page anew with another prefix, which is that of the key of `like`. */
static void rebuild(struct kv *kv, struct kv__page *page, const struct kv__entry *like,
                    uint32_t prefix)
{
    const struct kv__page *copy = (const struct kv__page *)(const void *)kv->scratch;
    uint32_t slots_end = HEADER_SIZE + kv__prefix_room(page->prefix) + page->count * SLOT_SIZE;
    /* Not the crc: the checkpoint thread may be storing it. */
    memcpy(kv->scratch + CRC_SIZE, page_bytes(page) + CRC_SIZE, slots_end - CRC_SIZE);
    if (page->count > 0)
        memcpy(kv->scratch + page->heap_low, page_bytes(page) + page->heap_low,
               kv->page_size - page->heap_low);
    memset(page + 1, 0, slots_end - HEADER_SIZE);
    page->count = 0;
    page->garbage = 0;
    page->heap_low = (uint16_t)kv->page_size;
    kv__page_start(page, like, prefix);
    for (uint32_t i = 0; i < copy->count; i++) {
        struct kv__entry entry = kv__page_entry(copy, i);
        kv__page_append(page, &entry);
    }
}

/* The prefix the page must have when the entry comes before entry `index`. */
static uint32_t prefix_with(const struct kv__page *page, uint32_t index,
                            const struct kv__entry *entry)
{
    uint8_t bytes[KV_KEY_SIZE_MAX];
    uint32_t first = kv__page_first_key(page);
    if (index < first)
        return page->prefix;
    if (page->count <= first)
        return kv__entry_key_size(entry);
    if (index != first && index != page->count)
        return page->prefix;
    struct slice key = kv__entry_key(entry, bytes);
    if (slice_has_prefix(key, page_prefix(page)))
        return page->prefix;
    return common_prefix(page_prefix(page), key, page->prefix);
}

bool kv__page_insert(struct kv *kv, struct kv__page *page, uint32_t index,
                     const struct kv__entry *entry)
{
    ASSERT(page->birth == kv->epoch && index <= page->count);
    ASSERT(page->level == 0 || index != 0);
    uint32_t prefix = prefix_with(page, index, entry);
    uint32_t size = SLOT_SIZE + cell_size_with(entry, prefix);
    uint32_t used = kv__page_used(kv, page);
    if (prefix != page->prefix)
        used = used - kv__prefix_room(page->prefix) + kv__prefix_room(prefix) +
               (page->prefix - prefix) * key_count(page);
    if (used + size > kv__page_capacity(kv))
        return false;
    /* A page without keys may still have the prefix of those it had, perhaps of the same size. */
    if (prefix != page->prefix || key_count(page) == 0)
        rebuild(kv, page, entry, prefix);
    else if (HEADER_SIZE + kv__prefix_room(prefix) + page->count * SLOT_SIZE + size >
             page->heap_low)
        compact(kv, page);
    struct kv__slot *slots = kv__page_slots(page);
    bool at_end = index == page->count;
    if (!at_end)
        memmove(&slots[index + 1], &slots[index], (page->count - index) * sizeof *slots);
    entry_place(page, index, entry);
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
    uint32_t size = kv__page_cell_size(page, index);
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

void kv__page_renew_head(struct kv__page *page, uint32_t index)
{
    struct kv__slot *slot = &kv__page_slots(page)[index];
    const uint8_t *cell = page_bytes(page) + slot->offset;
    ASSERT(index >= kv__page_first_key(page) && index < page->count);
    slot->head =
        kv__rest_head(slice_make(cell + kv__cell_key_at(page->level, cell), slot->key_size));
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

/* One entry: its cell within the heap, its key's size, what it points to. Adds the cell's size to
 * *used. */
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
        slot->offset + kv__page_cell_size(page, index) > kv->page_size)
        return "cell out of bounds";
    bool keyless = page->level != 0 && index == 0;
    uint32_t key_size = keyless ? slot->key_size : page->prefix + slot->key_size;
    if (keyless != (key_size == 0) || key_size > KV_KEY_SIZE_MAX)
        return "key size out of bounds";
    uint32_t target = key_at == 2 ? KV_META_PAGES : get_u32_le(cell + (key_at == 4 ? 0 : 2));
    if (target < KV_META_PAGES || target >= pages)
        return "pointer out of bounds";
    if (key_at == 10 && get_u32_le(cell + 6) > KV_VALUE_SIZE_MAX)
        return "value size out of bounds";
    *used += SLOT_SIZE + kv__page_cell_size(page, index);
    return NULL;
}

static const char *node_flaw(const struct kv *kv, const struct kv__page *page)
{
    uint32_t used = kv__prefix_room(page->prefix);
    uint32_t slots_end = HEADER_SIZE + used + page->count * SLOT_SIZE;
    if (page->level >= KV_DEPTH_MAX || (page->level == 0) != (page->type == KV_PAGE_LEAF))
        return "level out of bounds";
    if (page->count == 0)
        return "node without entries";
    if (page->prefix > KV_KEY_SIZE_MAX)
        return "prefix out of bounds";
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
