/* The owner's side of putting something in: the index learns of it at once, and the records go,
 * encoded for the place they will have, to the batch that is being filled. Where a record will lie
 * is decided here, the end of a file included; the log thread only carries bytes. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "wal/wal_int.h"

#define STAGED_SIZE_MAX ((uint64_t)1 << 30)
#define SPARE_SIZE_MAX  ((size_t)16 << 20)

static struct wal__place place_of(const struct wal *wal, struct wal__position position)
{
    const struct wal__file *file = wal__file(wal, position.sequence);
    return (struct wal__place){.cluster_id = wal->cluster_id,
                               .node_id = wal->node_id,
                               .sequence = position.sequence,
                               .offset = position.offset,
                               .salt = file->salt,
                               .version = file->version};
}

static struct wal_batch *staging(struct wal *wal)
{
    if (wal->staging == NULL && wal->spare != NULL) {
        wal->staging = wal->spare;
        wal->spare = NULL;
    }
    if (wal->staging == NULL) {
        wal->staging = mem_zalloc(1, sizeof *wal->staging);
        wal->staging->writer = &wal->writer;
        /* A file header for each file on top; checked before in `reserve`. */
        buffer_init(&wal->staging->bytes, STAGED_SIZE_MAX + STAGED_SIZE_MAX / 2);
    }
    return wal->staging;
}

/* Room for records of `size` bytes all in all, wherever files end among them. */
static status_t reserve(struct wal *wal, uint64_t size, uint64_t records)
{
    ASSERT(!wal->read_only);
    if (wal->failed != OK)
        return wal->failed;
    struct wal_batch *batch = staging(wal);
    if (batch->bytes.size + size > STAGED_SIZE_MAX)
        return ERR_TOO_LONG;
    /* Between two file headers lies half of the smallest file at the least, or one record. */
    uint64_t smallest = wal->zero_step < wal->segment_size ? wal->zero_step : wal->segment_size;
    uint64_t files = size / (smallest / 2) + 3;
    if (files > records + 1)
        files = records + 1;
    return buffer_reserve(&batch->bytes, (size_t)(size + files * 2 * WAL__FILE_HEADER_SIZE));
}

static struct wal__chunk *chunk_add(struct wal *wal)
{
    struct wal_batch *batch = staging(wal);
    batch->chunks = vec_grow(batch->chunks, &batch->chunk_capacity, batch->chunk_count + 1,
                             sizeof *batch->chunks);
    struct wal__chunk *chunk = &batch->chunks[batch->chunk_count++];
    *chunk = (struct wal__chunk){.sequence = wal->tail.sequence,
                                 .offset = wal->tail.offset,
                                 .begin = batch->bytes.size,
                                 .end = batch->bytes.size,
                                 .file_size = wal->tail_size};
    return chunk;
}

/* What the log is now, and the file that comes next. */
static struct wal__file_header header_now(const struct wal *wal)
{
    uint64_t last = wal__index_last(&wal->index);
    struct wal__file_header header = {.version = WAL__VERSION,
                                      .sequence = wal->tail.sequence + 1,
                                      .cluster_id = wal->cluster_id,
                                      .node_id = wal->node_id,
                                      .first_index = wal->index.first,
                                      .first_term = wal->index.first_term,
                                      .next_index = last + 1,
                                      .last_term = wal__index_term(&wal->index, last),
                                      .hard_state = wal->hard_state,
                                      .before_end = wal->tail.offset,
                                      .before_link = wal->tail_link};
    env_random_bytes(wal->env, &header.salt, sizeof header.salt);
    return header;
}

void wal__file_begin(struct wal *wal, struct wal__chunk *chunk,
                     uint8_t bytes[WAL__FILE_HEADER_SIZE])
{
    struct wal__file_header header = header_now(wal);
    ASSERT(header.sequence <= UINT32_MAX); /* slots have 32 bits for it: 64 PiB of log */
    struct wal__spare spare = wal__spare_take(wal);
    chunk->sequence = header.sequence;
    chunk->offset = 0;
    chunk->creates = true;
    chunk->made = spare.number != 0;
    chunk->settled = spare.settled;
    chunk->spare = chunk->made ? spare.number : wal__spare_number(wal);
    chunk->file_size = chunk->made ? spare.size : wal__next_size(wal);
    wal->tail =
        (struct wal__position){.sequence = header.sequence, .offset = WAL__FILE_HEADER_SIZE};
    wal->tail_size = chunk->file_size;
    wal->tail_link = wal__file_header_encode(bytes, &header);
    wal->tail_closed = false;
    wal->files = vec_grow(wal->files, &wal->file_capacity, wal->file_count + 1, sizeof *wal->files);
    wal->files[wal->file_count++] = (struct wal__file){.size = wal->tail_size,
                                                       .on_disk = spare.size,
                                                       .salt = header.salt,
                                                       .version = header.version};
}

static struct wal__chunk *file_begin(struct wal *wal)
{
    struct wal__chunk *chunk = chunk_add(wal);
    uint8_t bytes[WAL__FILE_HEADER_SIZE];
    wal__file_begin(wal, chunk, bytes);
    status_t status = buffer_append(&staging(wal)->bytes, bytes, sizeof bytes);
    ASSERT(status == OK); /* reserved */
    chunk->end = staging(wal)->bytes.size;
    return chunk;
}

/* Encodes the record for the tail and moves that on; returns where it went. */
static struct wal__position put_record(struct wal *wal, struct wal__record *record)
{
    struct wal_batch *batch = staging(wal);
    uint64_t size = wal__record_size(record->payload.size);
    struct wal__chunk *chunk =
        batch->chunk_count > 0 ? &batch->chunks[batch->chunk_count - 1] : NULL;
    bool empty = wal->tail.offset == WAL__FILE_HEADER_SIZE;
    if (wal->tail_closed || (wal->tail.offset + size > wal->tail_size && !empty))
        chunk = file_begin(wal);
    else if (chunk == NULL)
        chunk = chunk_add(wal);
    /* All before this batch is durable when it is written. */
    record->batch = chunk->creates ? WAL__FILE_HEADER_SIZE : (uint32_t)chunk->offset;
    record->link = wal->tail_link;
    struct wal__position at = wal->tail;
    struct wal__place place = place_of(wal, at);
    wal->tail_link = wal__record_encode(&batch->bytes, &place, record);
    chunk->end = batch->bytes.size;
    wal->tail.offset += size;
    ASSERT(wal->tail.offset <= UINT32_MAX);
    return at;
}

static void put_entry(struct wal *wal, const struct raft_entry *entry)
{
    ASSERT(entry->index >= wal->index.first && entry->index <= wal__index_last(&wal->index) + 1);
    struct wal__record record = {.type = WAL__ENTRY,
                                 .entry_type = entry->type,
                                 .index = entry->index,
                                 .term = entry->term,
                                 .payload = entry->data};
    struct wal__position at = put_record(wal, &record);
    struct wal__slot slot = {.sequence = (uint32_t)at.sequence,
                             .offset = (uint32_t)at.offset,
                             .size = (uint32_t)entry->data.size};
    wal__index_put(&wal->index, entry->index, entry->term, slot);
    /* What it replaced is durable no more. */
    if (wal->durable_index >= entry->index)
        wal->durable_index = entry->index - 1;
    if (wal->taken_index >= entry->index)
        wal->taken_index = entry->index - 1;
}

status_t wal_stage(struct wal *wal, const struct raft_hard_state *hard_state,
                   const struct raft_entry *entries, uint32_t count)
{
    uint64_t size = wal__record_size(8);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(entries[i].index == entries[0].index + i);
        ASSERT(entries[i].index <= RAFT_INDEX_MAX);
        size += wal__record_size(entries[i].data.size);
    }
    status_t status = reserve(wal, size, (uint64_t)count + 1);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < count; i++)
        put_entry(wal, &entries[i]);
    if (hard_state != NULL) {
        struct wal__record record = {0};
        uint8_t payload[8];
        wal__record_set_hard_state(&record, hard_state, payload);
        (void)put_record(wal, &record);
        wal->hard_state = *hard_state;
    }
    return OK;
}

/* Files before the one that holds the oldest entry are dropped with this batch. */
static void forget_files(struct wal *wal)
{
    uint64_t needed = wal->tail.sequence;
    if (wal__index_last(&wal->index) >= wal->index.first)
        needed = wal__index_slot(&wal->index, wal->index.first).sequence;
    ASSERT(needed >= wal->oldest && needed <= wal->tail.sequence);
    struct wal_batch *batch = staging(wal);
    for (; wal->oldest < needed; wal->oldest++) {
        batch->drops = vec_grow(batch->drops, &batch->drop_capacity, batch->drop_count + 1,
                                sizeof *batch->drops);
        uint64_t size = wal__file(wal, wal->oldest)->on_disk;
        batch->drops[batch->drop_count++] = wal__drop_make(wal, wal->oldest, size);
        wal->file_count--;
        memmove(wal->files, wal->files + 1, wal->file_count * sizeof *wal->files);
    }
    if (wal->read_file != NULL && wal->read_sequence < needed) {
        env_file_close(wal->read_file);
        wal->read_file = NULL;
    }
}

status_t wal_compact(struct wal *wal, uint64_t index)
{
    ASSERT(index + 1 >= wal->index.first && index <= wal->durable_index);
    status_t status = reserve(wal, wal__record_size(0), 1);
    if (status != OK || index + 1 == wal->index.first)
        return status;
    struct wal__record record = {
        .type = WAL__COMPACT, .index = index + 1, .term = wal__index_term(&wal->index, index)};
    /* Before the index changes: a file that begins here says what the log was until now. */
    (void)put_record(wal, &record);
    wal__index_drop_before(&wal->index, index + 1);
    forget_files(wal);
    return OK;
}

status_t wal_reset(struct wal *wal, uint64_t index, uint64_t term)
{
    ASSERT(index <= RAFT_INDEX_MAX);
    status_t status = reserve(wal, wal__record_size(0), 1);
    if (status != OK)
        return status;
    struct wal__record record = {.type = WAL__RESET, .index = index + 1, .term = term};
    (void)put_record(wal, &record);
    wal__index_init(&wal->index, index + 1, term);
    wal->durable_index = index;
    wal->taken_index = index;
    forget_files(wal);
    return OK;
}

struct wal_batch *wal_take(struct wal *wal)
{
    ASSERT(wal->out == NULL);
    if (wal->staging == NULL || wal->staging->chunk_count == 0)
        return NULL;
    wal->out = wal->staging;
    wal->staging = NULL;
    wal->taken_index = wal__index_last(&wal->index);
    return wal->out;
}

void wal__batch_free(struct wal_batch *batch)
{
    if (batch == NULL)
        return;
    buffer_free(&batch->bytes);
    mem_free(batch->chunks);
    mem_free(batch->drops);
    mem_free(batch);
}

/* The log thread is done with it: what it made of files. */
static void files_note(struct wal *wal, const struct wal_batch *batch)
{
    for (uint32_t i = 0; i < batch->chunk_count; i++) {
        const struct wal__chunk *chunk = &batch->chunks[i];
        if (chunk->sequence >= wal->oldest)
            wal__file(wal, chunk->sequence)->on_disk = chunk->file_size;
        if (!chunk->creates)
            continue;
        wal__spares_settle(wal); /* the directory was synced, before this batch's drops */
        wal->stats.files_begun++;
        wal->stats.files_late += !chunk->made;
    }
    for (uint32_t i = 0; i < batch->drop_count; i++)
        wal__drop_done(wal, &batch->drops[i]);
}

void wal_finish(struct wal *wal, struct wal_batch *batch, status_t status)
{
    ASSERT(batch != NULL && batch == wal->out);
    wal->out = NULL;
    if (status == OK) {
        ASSERT(batch->chunks_written == batch->chunk_count);
        ASSERT(wal->taken_index >= wal->durable_index);
        wal->durable_index = wal->taken_index;
        files_note(wal, batch);
    } else {
        wal->failed = status;
    }
    /* One is kept for its memory, unless a rare huge batch has made it so. */
    if (wal->spare != NULL || batch->bytes.capacity > SPARE_SIZE_MAX) {
        wal__batch_free(batch);
        return;
    }
    buffer_reset(&batch->bytes);
    batch->chunk_count = 0;
    batch->chunks_written = 0;
    batch->drop_count = 0;
    wal->spare = batch;
}

status_t wal_flush(struct wal *wal, struct error *error)
{
    if (wal->failed != OK)
        return error_set(error, wal->failed, "an earlier write of the log has failed");
    struct wal_batch *batch = wal_take(wal);
    if (batch == NULL)
        return OK;
    status_t status = wal_write(batch, error);
    wal_finish(wal, batch, status);
    return status;
}
