/* Blocks: some entries of a run, in the order of their keys; the unit of checksums.
 *
 *   offset size
 *        0    4  crc     CRC-32C of the run's number (8 bytes, little-endian) and all that follows
 *        4    4  size    of the block
 *        8    4  count   of entries, not 0
 *       12    2  prefix  bytes that all keys begin with, stored once
 *       14    2  flags
 *       16   12  a slot for each entry: head (the first four bytes of the key behind the prefix, as
 *                a number), offset of the entry, size of the key behind the prefix, tombstone
 *             .  the prefix
 *             .  the entries: the rest of the key, then the value, up to the next entry
 *
 * Keys are cut at what the whole block has in common, not each at what it shares with the one
 * before it: so an entry can be found by halving, and a cursor needs no memory of its own to put
 * keys together as it goes. Two keys in one table of a database share most of their beginning, so
 * little is lost.
 *
 * The run's number is in the checksum because a checkpoint that is not the newest may be all that
 * is left when a meta page was damaged, and its runs may have been written over: by runs of other
 * numbers, even if all else about them is the same. So that is met as damage.
 *
 * The index of a run is a block too: its keys are the last ones of the run's blocks (shortened
 * where that keeps the order), its values are 8 bytes offset and 4 bytes size. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

static uint32_t head_of(struct slice suffix)
{
    uint8_t bytes[4] = {0};
    if (suffix.size > 0)
        memcpy(bytes, suffix.data, suffix.size < 4 ? suffix.size : 4);
    return get_u32_be(bytes);
}

int lsm__key_compare(struct lsm__key a, struct lsm__key b)
{
    size_t shared = a.prefix.size < b.prefix.size ? a.prefix.size : b.prefix.size;
    int order = shared > 0 ? memcmp(a.prefix.data, b.prefix.data, shared) : 0;
    if (order != 0)
        return order;
    struct slice left = slice_make(a.prefix.data + shared, a.prefix.size - shared);
    struct slice right = slice_make(b.prefix.data + shared, b.prefix.size - shared);
    /* One of the two is used up: the other's rest stands against the beginning of a suffix. */
    if (right.size > 0)
        return -lsm__key_compare(b, a);
    if (left.size == 0)
        return slice_compare(a.suffix, b.suffix);
    struct slice begin = b.suffix;
    if (begin.size > left.size)
        begin.size = left.size;
    order = memcmp(left.data, begin.data, begin.size);
    if (order != 0 || begin.size < left.size)
        return order != 0 ? order : 1;
    return slice_compare(a.suffix,
                         slice_make(b.suffix.data + left.size, b.suffix.size - left.size));
}

uint32_t lsm__block_search(const struct lsm__block *block, struct slice key, bool *exact)
{
    struct slice prefix = lsm__block_prefix(block);
    size_t shared = prefix.size < key.size ? prefix.size : key.size;
    int order = shared > 0 ? memcmp(key.data, prefix.data, shared) : 0;
    *exact = false;
    if (order != 0 || key.size < prefix.size)
        return order > 0 ? block->count : 0;
    struct slice rest = slice_make(key.data + prefix.size, key.size - prefix.size);
    const struct lsm__slot *slots = lsm__block_slots(block);
    uint32_t low = 0, high = block->count, head = head_of(rest);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slots[middle].head != head) {
            if (slots[middle].head < head)
                low = middle + 1;
            else
                high = middle;
            continue;
        }
        order = slice_compare(lsm__block_suffix(block, middle), rest);
        if (order == 0) {
            *exact = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t lsm__block_crc(const struct lsm__block *block, uint64_t run)
{
    uint8_t number[8];
    put_u64_le(number, run);
    uint32_t crc = crc32c(0, number, sizeof number);
    return crc32c(crc, (const uint8_t *)block + sizeof block->crc, block->size - sizeof block->crc);
}

const char *lsm__block_flaw(const struct lsm__block *block, uint64_t room)
{
    if (room < sizeof *block || block->size > room)
        return "larger than its room";
    uint64_t begin = sizeof *block + (uint64_t)block->count * sizeof(struct lsm__slot);
    begin += block->prefix;
    if (block->count == 0 || begin > block->size)
        return "impossible count";
    const struct lsm__slot *slots = lsm__block_slots(block);
    for (uint32_t i = 0; i < block->count; i++) {
        uint64_t end = i + 1 < block->count ? slots[i + 1].offset : block->size;
        uint64_t key_end = (uint64_t)slots[i].offset + slots[i].key_size;
        if (slots[i].offset < begin || key_end > end || end > block->size)
            return "impossible entry";
        uint32_t key_size = block->prefix + slots[i].key_size;
        if (key_size == 0 || key_size > LSM_KEY_SIZE_MAX || slots[i].tombstone > 1)
            return "impossible key";
        if (slots[i].head != head_of(lsm__block_suffix(block, i)))
            return "head of another key";
        begin = end;
    }
    return NULL;
}

/* ---- filling -------------------------------------------------------------------------------- */

void lsm__filling_init(struct lsm__filling *filling)
{
    *filling = (struct lsm__filling){0};
    buffer_init(&filling->heap, (size_t)LSM_VALUE_SIZE_MAX * 2);
}

void lsm__filling_free(struct lsm__filling *filling)
{
    mem_free(filling->slots);
    buffer_free(&filling->heap);
}

void lsm__filling_add(struct lsm__filling *filling, struct slice key, struct slice value,
                      bool tombstone)
{
    filling->slots =
        vec_grow(filling->slots, &filling->capacity, filling->count + 1, sizeof *filling->slots);
    filling->slots[filling->count++] = (struct lsm__slot){.offset = (uint32_t)filling->heap.size,
                                                          .key_size = (uint16_t)key.size,
                                                          .tombstone = tombstone};
    filling->tombstones += tombstone;
    status_t status = buffer_append_slice(&filling->heap, key);
    if (status == OK)
        status = buffer_append_slice(&filling->heap, value);
    ASSERT(status == OK); /* blocks are closed long before */
}

uint64_t lsm__filling_size(const struct lsm__filling *filling)
{
    return sizeof(struct lsm__block) + filling->count * sizeof(struct lsm__slot) +
           filling->heap.size;
}

struct slice lsm__filling_key(const struct lsm__filling *filling, uint32_t index)
{
    ASSERT(index < filling->count);
    return slice_make(filling->heap.data + filling->slots[index].offset,
                      filling->slots[index].key_size);
}

static size_t common_prefix(struct slice a, struct slice b)
{
    size_t size = 0;
    while (size < a.size && size < b.size && a.data[size] == b.data[size])
        size++;
    return size;
}

uint32_t lsm__filling_finish(struct lsm__filling *filling, uint64_t run, struct buffer *out)
{
    uint32_t count = filling->count;
    ASSERT(count > 0 && out->size % 8 == 0);
    struct slice first = lsm__filling_key(filling, 0);
    size_t prefix = common_prefix(first, lsm__filling_key(filling, count - 1));
    size_t most = lsm__filling_size(filling) + LSM_KEY_SIZE_MAX + 8;
    status_t status = buffer_reserve(out, most);
    ASSERT(status == OK);
    uint8_t *bytes = out->data + out->size;
    struct lsm__block *block = (struct lsm__block *)(void *)bytes;
    struct lsm__slot *slots = (struct lsm__slot *)(void *)(block + 1);
    uint8_t *at = (uint8_t *)(slots + count);
    if (prefix > 0)
        memcpy(at, first.data, prefix);
    at += prefix;
    for (uint32_t i = 0; i < count; i++) {
        const struct lsm__slot *from = &filling->slots[i];
        size_t end = i + 1 < count ? from[1].offset : filling->heap.size;
        const uint8_t *rest = filling->heap.data + from->offset + prefix;
        size_t size = end - from->offset - prefix, key_size = from->key_size - prefix;
        slots[i] = (struct lsm__slot){.head = head_of(slice_make(rest, key_size)),
                                      .offset = (uint32_t)(at - bytes),
                                      .key_size = (uint16_t)key_size,
                                      .tombstone = from->tombstone};
        memcpy(at, rest, size);
        at += size;
    }
    uint32_t size = (uint32_t)(at - bytes);
    ASSERT(size <= most);
    *block = (struct lsm__block){.size = size,
                                 .count = count,
                                 .prefix = (uint16_t)prefix,
                                 .flags = filling->tombstones > 0 ? LSM_BLOCK_TOMBSTONES : 0};
    block->crc = lsm__block_crc(block, run);
    while ((at - bytes) % 8 != 0)
        *at++ = 0;
    out->size += (size_t)(at - bytes);
    filling->count = 0;
    filling->tombstones = 0;
    buffer_reset(&filling->heap);
    return size;
}
