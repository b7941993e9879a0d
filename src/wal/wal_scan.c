/* Walking one file, and judging its end.
 *
 * Records are written in batches, and a batch is written only when the one before it is durable.
 * So a crash can damage the last batch only: any of its sectors may be there or not, in any order.
 * The walk stops at the first place x that holds no valid record with the right link. What lies
 * behind may be anything: zeros, or records of an earlier use of the file, which are not valid in
 * this one. Then:
 *
 *   CORRUPT  some valid record lies behind x whose batch begins behind x. It was written after the
 *            bytes at x were durable, and they are not there now: the disk lost or changed them.
 *   TORN     there are valid records behind x, but none like that. They are remains of the batch
 *            that began at x or before and was not finished, and so never reported durable. They
 *            do not count: those before them are missing.
 *   CLEAN    there is none.
 *
 * What the rule cannot see: damage within the very last batch looks like a torn write. Raft finds
 * it when the hard state's commit, or the state machine, is ahead of what is left. */
#include "base/check.h"
#include "wal/wal_int.h"

void wal__scan_init(struct wal__scan *scan, struct slice bytes,
                    const struct wal__file_header *header)
{
    *scan = (struct wal__scan){.bytes = bytes,
                               .place = {.cluster_id = header->cluster_id,
                                         .node_id = header->node_id,
                                         .sequence = header->sequence,
                                         .offset = WAL__FILE_HEADER_SIZE,
                                         .salt = header->salt,
                                         .version = header->version},
                               .link = header->crc};
}

/* The record at `offset`. */
static bool decode_at(const struct wal__scan *scan, uint64_t offset, struct wal__record *out)
{
    if (offset >= scan->bytes.size)
        return false;
    struct wal__place place = scan->place;
    place.offset = offset;
    return wal__record_decode(
        slice_make(scan->bytes.data + offset, scan->bytes.size - (size_t)offset), &place, out);
}

bool wal__scan_next(struct wal__scan *scan, struct wal__record *out)
{
    ASSERT(scan->place.offset % 8 == 0);
    if (!decode_at(scan, scan->place.offset, out))
        return false;
    if (scan->place.version != 1 && out->link != scan->link)
        return false;
    scan->link = out->crc;
    scan->place.offset += wal__record_size(out->payload.size);
    ASSERT(scan->place.offset <= scan->bytes.size);
    return true;
}

enum wal__scan_end wal__scan_end(const struct wal__scan *scan)
{
    uint64_t end = scan->place.offset;
    ASSERT(end % 8 == 0 && end > 0);
    bool torn = false;
    struct wal__record record;
    for (uint64_t at = end; at < scan->bytes.size; at += 8) {
        if (!decode_at(scan, at, &record))
            continue;
        if (record.batch > end)
            return WAL__END_CORRUPT;
        torn = true;
    }
    return torn ? WAL__END_TORN : WAL__END_CLEAN;
}
