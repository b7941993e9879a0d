/* The bytes of the log.
 *
 * A log is a directory of files wal-<sequence, 16 hex digits>.log, numbered without a gap from the
 * oldest still needed to the newest, which is the one written to. Beside them lie files that will
 * become the next ones, spare-<number, 16 hex digits>.log, whose contents mean nothing
 * (wal_spare.c). Integers are little-endian.
 *
 * A file:
 *
 *     offset  size
 *          0     8  "toyDBwal"
 *          8     4  version of the format, 2
 *         12     4  CRC32C of bytes 0 to 11 and 16 to 127
 *         16     8  sequence, the same as in the name
 *         24     8  cluster id
 *         32     8  node id
 *         40     8  first index \
 *         48     8  term of the entry before it     the log as it was when this file
 *         56     8  last index + 1                  was begun: what recovery needs of
 *         64     8  term of the last entry          the files before, once they are gone,
 *         72    24  hard state: term, vote, commit  and the proof that none is missing
 *         96     8  where the records of the file before end; 0: there was none
 *        104     4  link: first 4 bytes of that file's last record (of its header the CRC, when it
 *                   has no record)
 *        108     4  zeros
 *        112     8  salt, drawn at random
 *        120     8  zeros
 *        128        records, one behind the other, each at a multiple of 8
 *           ...     anything: zeros, or what the file held in an earlier use
 *
 * A record:
 *
 *          0     4  CRC32C of (cluster id, node id, sequence, own offset in the file, salt: 5 x 8
 *                   bytes) and then bytes 4 to 39
 *          4     4  CRC32C of the payload and its padding
 *          8     4  size of the payload
 *         12     4  batch: offset in this file at which this record's batch begins; everything
 *                   before that was durable when this record was written
 *         16     1  type
 *         17     1  of an entry: its raft type
 *         18     2  zeros
 *         20     4  link: first 4 bytes of the record before; of the first one the header's CRC
 *         24     8  index  (HARD_STATE: term)
 *         32     8  term   (HARD_STATE: vote)
 *         40        payload, padded with zeros to a multiple of 8
 *
 *     1 ENTRY       the entry `index`; it replaces that entry and all behind it
 *                   payload: the entry's data
 *     2 HARD_STATE  payload: commit, 8 bytes
 *     3 COMPACT     entries before `index` are gone; `term` is that of the one before. No payload
 *     4 RESET       all entries are gone; the next is `index`; `term` as above. No payload
 *
 * That the CRC covers where the record is, in which file and in which use of it, means: bytes that
 * look like a record but were not written there by this log do not pass for one, be they part of a
 * value in somebody's row, an earlier use of the file or of the block, or a write that went to the
 * wrong place. The link does the same for what lies in the same use of the file: a record counts
 * only behind the one it was written behind, so what is left of an unfinished batch never follows
 * on records written over its beginning. Through the file headers the links go on from file to
 * file: the log is one chain. That the header has a CRC of its own means that a search for records
 * costs 80 bytes at each place and not what a damaged size says.
 *
 * Version 1 had neither salt nor links: zeros in their places (bytes 96 to 127 of the file header,
 * 20 to 23 of a record), the CRC of a record began with 4 x 8 bytes, and behind the records there
 * were zeros. Its files are read, and never written to: the log goes on in a new one. */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "wal/wal_int.h"

_Static_assert(WAL__FILE_HEADER_SIZE % 8 == 0 && WAL__RECORD_HEADER_SIZE % 8 == 0,
               "records start at multiples of 8");

static const uint8_t magic[8] = {'t', 'o', 'y', 'D', 'B', 'w', 'a', 'l'};

/* ---- names ---------------------------------------------------------------------------------- */

void wal__file_name(char out[WAL__NAME_SIZE], uint64_t sequence)
{
    int size = snprintf(out, WAL__NAME_SIZE, "wal-%016llx.log", (unsigned long long)sequence);
    ASSERT(size > 0 && size < WAL__NAME_SIZE);
}

/* <prefix><16 hex digits>.log */
static bool numbered_name_parse(const char *name, const char *prefix, uint64_t *number)
{
    size_t before = strlen(prefix);
    if (strlen(name) != before + 20 || memcmp(name, prefix, before) != 0 ||
        memcmp(name + before + 16, ".log", 4) != 0)
        return false;
    uint64_t value = 0;
    for (size_t i = before; i < before + 16; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, name[i]);
        if (digit == NULL)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *number = value;
    return true;
}

bool wal__file_name_parse(const char *name, uint64_t *sequence)
{
    return numbered_name_parse(name, "wal-", sequence);
}

static char *path_join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + 1 + strlen(name) + 1;
    char *path = mem_alloc(size);
    (void)snprintf(path, size, "%s/%s", dir, name);
    return path;
}

char *wal__file_path(const char *dir, uint64_t sequence)
{
    char name[WAL__NAME_SIZE];
    wal__file_name(name, sequence);
    return path_join(dir, name);
}

bool wal__spare_name_parse(const char *name, uint64_t *number)
{
    return numbered_name_parse(name, "spare-", number);
}

char *wal__spare_path(const char *dir, uint64_t number)
{
    char name[WAL__NAME_SIZE];
    int size = snprintf(name, sizeof name, "spare-%016llx.log", (unsigned long long)number);
    ASSERT(size > 0 && size < WAL__NAME_SIZE);
    return path_join(dir, name);
}

/* ---- file header ---------------------------------------------------------------------------- */

static uint32_t file_header_crc(const uint8_t *bytes)
{
    return crc32c(crc32c(0, bytes, 12), bytes + 16, WAL__FILE_HEADER_SIZE - 16);
}

uint32_t wal__file_header_encode(uint8_t out[WAL__FILE_HEADER_SIZE],
                                 const struct wal__file_header *header)
{
    ASSERT(header->first_index >= 1 && header->next_index >= header->first_index);
    ASSERT(header->version == WAL__VERSION ||
           (header->version == 1 && header->salt == 0 && header->before_end == 0));
    memset(out, 0, WAL__FILE_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    put_u32_le(out + 8, header->version);
    put_u64_le(out + 16, header->sequence);
    put_u64_le(out + 24, header->cluster_id);
    put_u64_le(out + 32, header->node_id);
    put_u64_le(out + 40, header->first_index);
    put_u64_le(out + 48, header->first_term);
    put_u64_le(out + 56, header->next_index);
    put_u64_le(out + 64, header->last_term);
    put_u64_le(out + 72, header->hard_state.term);
    put_u64_le(out + 80, header->hard_state.vote);
    put_u64_le(out + 88, header->hard_state.commit);
    put_u64_le(out + 96, header->before_end);
    put_u32_le(out + 104, header->before_link);
    put_u64_le(out + 112, header->salt);
    uint32_t crc = file_header_crc(out);
    put_u32_le(out + 12, crc);
    return crc;
}

enum wal__header_state wal__file_header_decode(struct slice bytes, struct wal__file_header *out,
                                               uint32_t *version)
{
    if (bytes.size < WAL__FILE_HEADER_SIZE || memcmp(bytes.data, magic, sizeof magic) != 0)
        return WAL__HEADER_BAD;
    /* Before the CRC: where another version keeps its own is not for us to know. Zero is no
     * version, but a header of which only the start was written. */
    *version = get_u32_le(bytes.data + 8);
    if (*version > WAL__VERSION)
        return WAL__HEADER_OTHER_VERSION;
    if (*version == 0 || get_u32_le(bytes.data + 12) != file_header_crc(bytes.data))
        return WAL__HEADER_BAD;
    *out = (struct wal__file_header){
        .version = *version,
        .crc = get_u32_le(bytes.data + 12),
        .sequence = get_u64_le(bytes.data + 16),
        .cluster_id = get_u64_le(bytes.data + 24),
        .node_id = get_u64_le(bytes.data + 32),
        .first_index = get_u64_le(bytes.data + 40),
        .first_term = get_u64_le(bytes.data + 48),
        .next_index = get_u64_le(bytes.data + 56),
        .last_term = get_u64_le(bytes.data + 64),
        .hard_state = {.term = get_u64_le(bytes.data + 72),
                       .vote = get_u64_le(bytes.data + 80),
                       .commit = get_u64_le(bytes.data + 88)},
        .before_end = get_u64_le(bytes.data + 96),
        .before_link = get_u32_le(bytes.data + 104),
        .salt = get_u64_le(bytes.data + 112),
    };
    bool sane = out->first_index >= 1 && out->next_index >= out->first_index &&
                out->next_index <= RAFT_INDEX_MAX + 1;
    return sane ? WAL__HEADER_OK : WAL__HEADER_BAD;
}

/* ---- records -------------------------------------------------------------------------------- */

static uint64_t padded(uint64_t size)
{
    return (size + 7) / 8 * 8;
}

uint64_t wal__record_size(uint64_t payload_size)
{
    return WAL__RECORD_HEADER_SIZE + padded(payload_size);
}

static uint32_t record_header_crc(const struct wal__place *place, const uint8_t *header)
{
    uint8_t where[40];
    put_u64_le(where, place->cluster_id);
    put_u64_le(where + 8, place->node_id);
    put_u64_le(where + 16, place->sequence);
    put_u64_le(where + 24, place->offset);
    put_u64_le(where + 32, place->salt);
    size_t size = place->version == 1 ? 32 : 40;
    return crc32c(crc32c(0, where, size), header + 4, WAL__RECORD_HEADER_SIZE - 4);
}

uint32_t wal__record_encode(struct buffer *out, const struct wal__place *place,
                            const struct wal__record *record)
{
    size_t size = (size_t)wal__record_size(record->payload.size);
    ASSERT(out->capacity - out->size >= size);
    ASSERT(place->offset % 8 == 0 && record->batch <= place->offset);
    ASSERT(place->version == WAL__VERSION || (place->version == 1 && record->link == 0));
    uint8_t *header = out->data + out->size;
    uint8_t *payload = header + WAL__RECORD_HEADER_SIZE;
    memset(header, 0, WAL__RECORD_HEADER_SIZE);
    memset(header + size - 8, 0, 8); /* padding; the header's end when there is no payload */
    if (record->payload.size > 0)
        memcpy(payload, record->payload.data, record->payload.size);
    put_u32_le(header + 4, crc32c(0, payload, size - WAL__RECORD_HEADER_SIZE));
    put_u32_le(header + 8, (uint32_t)record->payload.size);
    put_u32_le(header + 12, record->batch);
    header[16] = (uint8_t)record->type;
    header[17] = record->entry_type;
    put_u32_le(header + 20, record->link);
    put_u64_le(header + 24, record->index);
    put_u64_le(header + 32, record->term);
    uint32_t crc = record_header_crc(place, header);
    put_u32_le(header, crc);
    out->size += size;
    return crc;
}

bool wal__record_decode(struct slice bytes, const struct wal__place *place, struct wal__record *out)
{
    if (bytes.size < WAL__RECORD_HEADER_SIZE)
        return false;
    const uint8_t *header = bytes.data;
    if (header[16] < WAL__ENTRY || header[16] > WAL__RESET) /* zeros end here */
        return false;
    if (get_u32_le(header) != record_header_crc(place, header))
        return false;
    uint32_t size = get_u32_le(header + 8);
    uint64_t body = padded(size);
    if (body > bytes.size - WAL__RECORD_HEADER_SIZE)
        return false;
    const uint8_t *payload = header + WAL__RECORD_HEADER_SIZE;
    if (get_u32_le(header + 4) != crc32c(0, payload, (size_t)body))
        return false;
    *out = (struct wal__record){
        .type = header[16],
        .entry_type = header[17],
        .batch = get_u32_le(header + 12),
        .link = get_u32_le(header + 20),
        .crc = get_u32_le(header),
        .index = get_u64_le(header + 24),
        .term = get_u64_le(header + 32),
        .payload = slice_make(payload, size),
    };
    return out->batch <= place->offset;
}

void wal__record_set_hard_state(struct wal__record *record, const struct raft_hard_state *state,
                                uint8_t payload[8])
{
    put_u64_le(payload, state->commit);
    record->type = WAL__HARD_STATE;
    record->index = state->term;
    record->term = state->vote;
    record->payload = slice_make(payload, 8);
}

bool wal__record_hard_state(const struct wal__record *record, struct raft_hard_state *state)
{
    ASSERT(record->type == WAL__HARD_STATE);
    if (record->payload.size != 8)
        return false;
    state->term = record->index;
    state->vote = record->term;
    state->commit = get_u64_le(record->payload.data);
    return true;
}
