/* Walking one file, and judging its end.
 *
 * Records are written in batches, and a batch is written only when the one before it is durable.
 * So a crash can damage the last batch only: any of its sectors may be there or not, in any order.
 * The walk stops at the first place x that holds no valid record. Then:
 *
 *   CLEAN    there is nothing but zeros from x to the end of the file.
 *   CORRUPT  some valid record lies behind x whose batch begins behind x. It was written after the
 *            bytes at x were durable, and they are not there now: the disk lost or changed them.
 *   TORN     neither. What is behind x is remains of the batch x belongs to, which was not finished
 *            and so never reported durable. Valid records among it must go too: those before them
 *            are missing.
 *
 * What the rule cannot see: damage within the very last batch looks like a torn write. Raft finds
 * it when the hard state's commit, or the state machine, is ahead of what is left. */
#include "base/check.h"
#include "wal/wal_int.h"

void wal__scan_init(struct wal__scan *scan, struct slice bytes, const struct wal__place *place)
{
    scan->bytes = bytes;
    scan->place = *place;
    scan->place.offset = WAL__FILE_HEADER_SIZE;
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
    scan->place.offset += wal__record_size(out->payload.size);
    ASSERT(scan->place.offset <= scan->bytes.size);
    return true;
}

uint64_t wal__scan_find(const struct wal__scan *scan, uint64_t offset, uint32_t *batch)
{
    ASSERT(offset % 8 == 0 && offset > 0);
    struct wal__record record;
    for (; offset < scan->bytes.size; offset += 8) {
        if (decode_at(scan, offset, &record)) {
            *batch = record.batch;
            return offset;
        }
    }
    return 0;
}

static bool all_zeros(struct slice bytes, uint64_t from)
{
    for (uint64_t i = from; i < bytes.size; i++) {
        if (bytes.data[i] != 0)
            return false;
    }
    return true;
}

enum wal__scan_end wal__scan_end(const struct wal__scan *scan, uint64_t *witness)
{
    uint64_t end = scan->place.offset;
    if (all_zeros(scan->bytes, end))
        return WAL__END_CLEAN;
    uint32_t batch = 0;
    for (uint64_t at = end + 8; (at = wal__scan_find(scan, at, &batch)) != 0; at += 8) {
        if (batch > end) {
            *witness = at;
            return WAL__END_CORRUPT;
        }
    }
    return WAL__END_TORN;
}
