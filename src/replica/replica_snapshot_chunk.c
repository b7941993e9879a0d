/* A chunk: a piece of a snapshot, as it travels.
 *
 *   offset size
 *        0    4  CRC-32C, little-endian, of: the snapshot's id and the number of the fetch it
 *                answers (8 bytes each, little-endian), then all bytes behind this field
 *        4    1  1: the last one of its snapshot
 *        5       pairs, in ascending order of keys: key and value as MessagePack bins
 *
 * The network has checksums of its own; this one goes from the tree of one node to that of the
 * other, so that no bit that flips in between can become a difference between replicas. */
#include "base/check.h"
#include "base/crc32c.h"
#include "base/msgpack.h"
#include "replica/replica_snapshot_int.h"

enum { HEAD_SIZE = 5, FLAG_LAST = 1 };

static uint32_t chunk_crc(struct slice chunk, struct replica__chunk_place place)
{
    uint8_t head[16];
    put_u64_le(head, place.id);
    put_u64_le(head + 8, place.number);
    return crc32c(crc32c(0, head, sizeof head), chunk.data + 4, chunk.size - 4);
}

void replica__chunk_begin(struct buffer *out)
{
    static const uint8_t head[HEAD_SIZE];
    ASSERT(out->size == 0);
    buffer_append(out, head, sizeof head);
}

void replica__chunk_put(struct buffer *out, struct slice key, struct slice value)
{
    ASSERT(key.size > 0 && key.size <= KV_KEY_SIZE_MAX);
    msgpack_put_bin(out, key);
    msgpack_put_bin(out, value);
}

status_t replica__chunk_end(struct buffer *out, struct replica__chunk_place place, bool last)
{
    if (out->failed)
        return ERR_TOO_LONG;
    ASSERT(out->size >= HEAD_SIZE);
    out->data[4] = last ? FLAG_LAST : 0;
    put_u32_le(out->data, chunk_crc(buffer_slice(out), place));
    return OK;
}

void replica__chunk_walk(struct slice chunk, struct replica__chunk_cursor *cursor)
{
    ASSERT(chunk.size >= HEAD_SIZE);
    msgpack_reader_init(&cursor->reader,
                        slice_make(chunk.data + HEAD_SIZE, chunk.size - HEAD_SIZE));
}

bool replica__chunk_next(struct replica__chunk_cursor *cursor, struct slice *key,
                         struct slice *value)
{
    if (msgpack_done(&cursor->reader))
        return false;
    *key = msgpack_get_bin(&cursor->reader);
    *value = msgpack_get_bin(&cursor->reader);
    return !cursor->reader.failed;
}

bool replica__chunk_check(struct slice chunk, struct replica__chunk_place place, struct slice after,
                          bool *last, struct slice *last_key)
{
    if (chunk.size < HEAD_SIZE || get_u32_le(chunk.data) != chunk_crc(chunk, place) ||
        chunk.data[4] > FLAG_LAST)
        return false;
    struct replica__chunk_cursor cursor;
    struct slice key, value;
    uint64_t count = 0;
    replica__chunk_walk(chunk, &cursor);
    while (replica__chunk_next(&cursor, &key, &value)) {
        if (key.size == 0 || key.size > KV_KEY_SIZE_MAX || slice_compare(key, after) <= 0)
            return false;
        after = *last_key = key;
        count++;
    }
    *last = chunk.data[4] == FLAG_LAST;
    return msgpack_done(&cursor.reader) && (count > 0 || *last);
}
