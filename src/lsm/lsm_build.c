/* Building a run: entries in, in the order of their keys; blocks, index and filter out.
 *
 *   offset  what
 *        0  blocks, each at a multiple of 8
 *        .  the index, a block
 *        .  the filter, at a multiple of 64
 *
 * What else there is to know about it, its record, goes into the manifest.
 *
 * The filter is a Bloom filter (1970) of ten bits a key, in lines of 64 bytes (Putze, Sanders and
 * Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007): a key sets six bits of one
 * line, so that asking costs one line of the cache. About one key in seventy that is not there is
 * taken for one that may be.
 *
 * Blocks gather in memory and are written some at a time. A write that fails has changed nothing
 * here and is repeated by the next call, at the same place. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "lsm/lsm_int.h"

#define WRITE_BYTES   (256u << 10)
#define BITS_PER_KEY  10u
#define FILTER_PROBES 6u
#define INDEX_VALUE   12u
#define RUN_OVERHEAD  4096u

struct lsm__builder {
    struct lsm *lsm;
    struct lsm__extent extent;
    uint64_t written; /* bytes of the extent */
    struct lsm__filling data;
    struct lsm__filling index;
    struct buffer out; /* from `written` on */
    uint64_t *hashes;
    uint32_t hash_capacity;
    uint64_t closed_at; /* where the last closed block is */
    uint32_t closed_size;
    bool closed; /* it still lacks its entry in the index */
    bool complete;
    struct buffer first;
    struct buffer last;
    struct lsm__record record;
};

/* ---- filters -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ull;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93ull;
    return x ^ x >> 32;
}

uint64_t lsm__filter_hash(struct slice key)
{
    uint64_t hash = 0x9E3779B97F4A7C15ull ^ key.size;
    size_t at = 0;
    for (; at + 8 <= key.size; at += 8)
        hash = mix(hash ^ get_u64_le(key.data + at)) + at;
    uint8_t rest[8] = {0};
    if (at < key.size)
        memcpy(rest, key.data + at, key.size - at);
    return mix(hash ^ get_u64_le(rest));
}

uint32_t lsm__filter_lines(uint64_t entries)
{
    uint64_t bits = LSM_FILTER_LINE * 8;
    return (uint32_t)((entries * BITS_PER_KEY + bits - 1) / bits);
}

static uint64_t filter_line(uint32_t lines, uint64_t hash)
{
    return (hash >> 32) * lines >> 32;
}

bool lsm__filter_has(const uint8_t *filter, uint32_t lines, uint64_t hash)
{
    const uint8_t *line = filter + filter_line(lines, hash) * LSM_FILTER_LINE;
    uint64_t probe = hash * 0x9E3779B97F4A7C15ull;
    for (uint32_t i = 0; i < FILTER_PROBES; i++, probe >>= 9)
        if ((line[(probe & 511) / 8] >> (probe & 7) & 1) == 0)
            return false;
    return true;
}

static void filter_add(uint8_t *filter, uint32_t lines, uint64_t hash)
{
    uint8_t *line = filter + filter_line(lines, hash) * LSM_FILTER_LINE;
    uint64_t probe = hash * 0x9E3779B97F4A7C15ull;
    for (uint32_t i = 0; i < FILTER_PROBES; i++, probe >>= 9)
        line[(probe & 511) / 8] |= (uint8_t)(1u << (probe & 7));
}

/* ---- building ------------------------------------------------------------------------------- */

struct lsm__builder *lsm__builder_create(struct lsm *lsm, struct lsm__extent extent,
                                         uint64_t number, uint32_t level)
{
    struct lsm__builder *builder = mem_zalloc(1, sizeof *builder);
    ASSERT(extent.pages > 0 && level < LSM_LEVELS);
    builder->lsm = lsm;
    builder->extent = extent;
    builder->record.number = number;
    builder->record.level = level;
    lsm__filling_init(&builder->data);
    lsm__filling_init(&builder->index);
    buffer_init(&builder->out, (size_t)LSM_VALUE_SIZE_MAX * 4);
    return builder;
}

void lsm__builder_destroy(struct lsm__builder *builder)
{
    if (builder == NULL)
        return;
    lsm__filling_free(&builder->data);
    lsm__filling_free(&builder->index);
    buffer_free(&builder->out);
    buffer_free(&builder->first);
    buffer_free(&builder->last);
    mem_free(builder->hashes);
    mem_free(builder);
}

/* What the run takes at most when `more` bytes of entries, `entries` of them, go into its data. */
static uint64_t size_with(const struct lsm__builder *builder, uint64_t more, uint64_t entries)
{
    uint64_t size = builder->written + builder->out.size;
    size += lsm__filling_size(&builder->data) + more + 8;
    uint64_t index_entry = sizeof(struct lsm__slot) + LSM_KEY_SIZE_MAX + INDEX_VALUE;
    size += lsm__filling_size(&builder->index) + 2 * index_entry + 8;
    size += LSM_FILTER_LINE;
    size += (uint64_t)lsm__filter_lines(builder->record.entries + entries) * LSM_FILTER_LINE;
    return size;
}

bool lsm__builder_fits(const struct lsm__builder *builder, size_t key_size, size_t value_size)
{
    uint64_t more = sizeof(struct lsm__slot) + key_size + value_size + sizeof(struct lsm__block);
    return size_with(builder, more, 1) <= (uint64_t)builder->extent.pages * builder->lsm->page_size;
}

/* A block is closed once it has page_size bytes: so there is one for each such part of the payload,
 * and for each of them an entry of the index, whose key is no longer than the longest. The overhead
 * is what lsm__builder_fits keeps free. */
uint64_t lsm__builder_bound(const struct lsm *lsm, uint64_t payload, uint64_t entries,
                            uint32_t key_size_max)
{
    uint64_t blocks = payload / lsm->page_size + 1;
    uint64_t a_block = sizeof(struct lsm__block) + 8 + sizeof(struct lsm__slot) + INDEX_VALUE;
    return payload + blocks * (a_block + key_size_max) +
           (uint64_t)lsm__filter_lines(entries + 1) * LSM_FILTER_LINE + RUN_OVERHEAD;
}

uint64_t lsm__builder_least(const struct lsm *lsm, size_t key_size, size_t value_size)
{
    return key_size + value_size + 4ull * LSM_KEY_SIZE_MAX + lsm->page_size;
}

struct slice lsm__builder_last_key(const struct lsm__builder *builder)
{
    return buffer_slice(&builder->last);
}

static status_t write_out(struct lsm__builder *builder, struct error *error)
{
    const struct lsm *lsm = builder->lsm;
    uint64_t room = (uint64_t)builder->extent.pages * lsm->page_size;
    ASSERT(builder->written + builder->out.size <= room);
    if (builder->out.size == 0)
        return OK;
    status_t status = env_file_write(
        lsm->file, (uint64_t)builder->extent.page * lsm->page_size + builder->written,
        builder->out.data, builder->out.size, error);
    if (status == OK) {
        builder->written += builder->out.size;
        buffer_reset(&builder->out);
    }
    return status;
}

static void set_key(struct buffer *to, struct slice key)
{
    buffer_reset(to);
    status_t status = buffer_append_slice(to, key);
    ASSERT(status == OK);
}

/* The closed block's entry: under its last key, cut to what still tells it from `next`. */
static void index_closed(struct lsm__builder *builder, const struct slice *next)
{
    uint8_t value[INDEX_VALUE], cut[LSM_KEY_SIZE_MAX];
    struct slice key = buffer_slice(&builder->last);
    if (!builder->closed)
        return;
    put_u64_le(value, builder->closed_at);
    put_u32_le(value + 8, builder->closed_size);
    size_t same = 0;
    while (next != NULL && same < key.size && same < next->size &&
           key.data[same] == next->data[same])
        same++;
    /* At `same` the key is less than the next one: one more there, when that is still less, cuts.
     */
    if (next != NULL && same + 1 < key.size && same < next->size &&
        key.data[same] + 1 < next->data[same]) {
        memcpy(cut, key.data, same + 1);
        cut[same]++;
        key = slice_make(cut, same + 1);
    }
    lsm__filling_add(&builder->index, key, slice_make(value, sizeof value), false);
    builder->closed = false;
}

static void close_block(struct lsm__builder *builder)
{
    ASSERT(!builder->closed);
    builder->closed_at = builder->written + builder->out.size;
    builder->closed_size =
        lsm__filling_finish(&builder->data, builder->record.number, &builder->out);
    builder->closed = true;
    builder->record.blocks++;
}

status_t lsm__builder_add(struct lsm__builder *builder, struct slice key, struct slice value,
                          bool tombstone, struct error *error)
{
    ASSERT(key.size > 0 && key.size <= LSM_KEY_SIZE_MAX && !builder->complete);
    if (builder->out.size >= WRITE_BYTES) {
        status_t status = write_out(builder, error);
        if (status != OK)
            return status;
    }
    if (builder->last.size > 0 && slice_compare(buffer_slice(&builder->last), key) >= 0)
        return error_set(error, ERR_CORRUPT, "\"%s\" is damaged: keys of a run are out of order",
                         builder->lsm->path);
    index_closed(builder, &key);
    uint32_t count = (uint32_t)builder->record.entries;
    builder->hashes =
        vec_grow(builder->hashes, &builder->hash_capacity, count + 1, sizeof *builder->hashes);
    builder->hashes[count] = lsm__filter_hash(key);
    if (builder->record.entries == 0)
        set_key(&builder->first, key);
    set_key(&builder->last, key);
    builder->record.entries++;
    builder->record.tombstones += tombstone;
    builder->record.payload += sizeof(struct lsm__slot) + key.size + value.size;
    if (key.size > builder->record.key_size_max)
        builder->record.key_size_max = (uint32_t)key.size;
    lsm__filling_add(&builder->data, key, value, tombstone);
    if (lsm__filling_size(&builder->data) >= builder->lsm->page_size)
        close_block(builder);
    return OK;
}

/* Index and filter, behind the blocks. */
static void complete(struct lsm__builder *builder)
{
    struct lsm__record *record = &builder->record;
    if (builder->data.count > 0)
        close_block(builder);
    index_closed(builder, NULL);
    ASSERT(builder->index.count == record->blocks && record->blocks > 0);
    record->index_at = builder->written + builder->out.size;
    (void)lsm__filling_finish(&builder->index, record->number, &builder->out);
    while ((builder->written + builder->out.size) % LSM_FILTER_LINE != 0) {
        status_t status = buffer_append_byte(&builder->out, 0);
        ASSERT(status == OK);
    }
    record->filter_at = builder->written + builder->out.size;
    record->filter_lines = lsm__filter_lines(record->entries);
    size_t size = (size_t)record->filter_lines * LSM_FILTER_LINE;
    status_t status = buffer_reserve(&builder->out, size);
    ASSERT(status == OK);
    uint8_t *filter = builder->out.data + builder->out.size;
    memset(filter, 0, size);
    for (uint64_t i = 0; i < record->entries; i++)
        filter_add(filter, record->filter_lines, builder->hashes[i]);
    record->filter_crc = crc32c(0, filter, size);
    builder->out.size += size;
    record->page = builder->extent.page;
    record->pages = lsm__pages_of(builder->lsm, builder->written + builder->out.size);
    ASSERT(record->pages <= builder->extent.pages);
    builder->complete = true;
}

status_t lsm__builder_finish(struct lsm__builder *builder, struct lsm__run **out,
                             struct error *error)
{
    ASSERT(builder->record.entries > 0);
    if (!builder->complete)
        complete(builder);
    status_t status = write_out(builder, error);
    if (status == OK)
        *out = lsm__run_create(builder->lsm, &builder->record, buffer_slice(&builder->first),
                               buffer_slice(&builder->last), true);
    return status;
}
