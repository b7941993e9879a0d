/* Opening, closing, and reading back. */
#include "wal/wal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_int.h"

#define SEGMENT_SIZE_DEFAULT ((uint32_t)16 << 20)
#define SEGMENT_SIZE_MIN     1024
#define ZERO_STEP_DEFAULT    ((uint32_t)1 << 20)
#define ZERO_STEP_MIN        512
#define SPARE_FILES_DEFAULT  4
/* Neighbours in a file are read in one piece up to this size. */
#define READ_SIZE_MAX ((uint64_t)1 << 20)

/* ---- opening and closing -------------------------------------------------------------------- */

static status_t lock_dir(struct wal *wal, struct error *error)
{
    status_t status = wal->read_only ? OK : env_dir_create(wal->env, wal->dir, error);
    if (status != OK)
        return status;
    size_t size = strlen(wal->dir) + sizeof "/lock";
    char *path = mem_alloc(size);
    (void)snprintf(path, size, "%s/lock", wal->dir);
    status = env_file_open(wal->env, path, wal->read_only ? ENV_OPEN_READ_ONLY : ENV_OPEN_CREATE,
                           &wal->lock, error);
    if (status == OK)
        status = env_file_lock(wal->lock, error);
    mem_free(path);
    /* A directory that was never opened as a log, or its copy: nobody has it open. */
    return status == ERR_NOT_FOUND && wal->read_only ? OK : status;
}

status_t wal_open(struct env *env, const struct wal_config *config, struct wal **out,
                  struct error *error)
{
    ASSERT(config->dir != NULL && config->dir[0] != '\0');
    ASSERT(out != NULL);
    *out = NULL;
    struct wal *wal = mem_zalloc(1, sizeof *wal);
    wal->env = env;
    wal->dir = mem_strdup(config->dir);
    wal->cluster_id = config->cluster_id;
    wal->node_id = config->node_id;
    wal->segment_size = config->segment_size != 0 ? config->segment_size : SEGMENT_SIZE_DEFAULT;
    ASSERT(wal->segment_size >= SEGMENT_SIZE_MIN && wal->segment_size <= WAL__SEGMENT_SIZE_MAX);
    wal->zero_step = config->zero_step != 0 ? config->zero_step : ZERO_STEP_DEFAULT;
    ASSERT(wal->zero_step >= ZERO_STEP_MIN && wal->zero_step <= WAL__SEGMENT_SIZE_MAX);
    wal->spares_max = config->spare_files != 0 ? config->spare_files : SPARE_FILES_DEFAULT;
    ASSERT(wal->spares_max < WAL__SPARES_MAX);
    wal->read_only = config->read_only;
    wal->writer = (struct wal__writer){.env = env, .dir = wal->dir, .zero_step = wal->zero_step};
    wal__index_init(&wal->index, 1, 0);
    status_t status = lock_dir(wal, error);
    if (status == OK)
        status = wal__recover(wal, error);
    if (status != OK) {
        wal_close(wal);
        return status;
    }
    *out = wal;
    return OK;
}

void wal_close(struct wal *wal)
{
    if (wal == NULL)
        return;
    ASSERT(wal->out == NULL && wal->work == NULL);
    wal__batch_free(wal->staging);
    wal__batch_free(wal->spare);
    wal__index_free(&wal->index);
    env_file_close(wal->read_file);
    env_file_close(wal->writer.file);
    env_file_close(wal->lock);
    mem_free(wal->files);
    mem_free(wal->dir);
    mem_free(wal);
}

/* ---- what is in it -------------------------------------------------------------------------- */

struct raft_hard_state wal_hard_state(const struct wal *wal)
{
    return wal->hard_state;
}

uint64_t wal_first_index(const struct wal *wal)
{
    return wal->index.first;
}

uint64_t wal_last_index(const struct wal *wal)
{
    return wal__index_last(&wal->index);
}

uint64_t wal_durable_index(const struct wal *wal)
{
    return wal->durable_index;
}

status_t wal_term(const struct wal *wal, uint64_t index, uint64_t *term)
{
    if (index + 1 < wal->index.first || index > wal__index_last(&wal->index))
        return ERR_NOT_FOUND;
    *term = wal__index_term(&wal->index, index);
    return OK;
}

struct wal__file *wal__file(const struct wal *wal, uint64_t sequence)
{
    ASSERT(sequence >= wal->oldest && sequence - wal->oldest < wal->file_count);
    return &wal->files[sequence - wal->oldest];
}

struct wal_stats wal_stats(const struct wal *wal)
{
    struct wal_stats stats = wal->stats;
    stats.files = wal->file_count;
    for (uint32_t i = 0; i < wal->file_count; i++)
        stats.bytes += wal->files[i].on_disk;
    stats.spares = wal->spare_count;
    for (uint32_t i = 0; i < wal->spare_count; i++)
        stats.spare_bytes += wal->spares[i].size;
    return stats;
}

/* Bytes from the entry's record to the end of the log, files taken as full. */
static uint64_t bytes_from(const struct wal *wal, uint64_t index)
{
    struct wal__slot slot = wal__index_slot(&wal->index, index);
    ASSERT(slot.sequence <= wal->tail.sequence);
    uint64_t bytes = 0;
    for (uint64_t sequence = slot.sequence; sequence < wal->tail.sequence; sequence++)
        bytes += wal__file(wal, sequence)->size;
    bytes += wal->tail.offset;
    ASSERT(bytes > slot.offset);
    return bytes - slot.offset;
}

uint64_t wal_index_within(const struct wal *wal, uint64_t bytes)
{
    uint64_t low = wal->index.first, high = wal__index_last(&wal->index) + 1;
    while (low < high) { /* entries before `low` are too far, `high` and those behind are not */
        uint64_t middle = low + (high - low) / 2;
        if (bytes_from(wal, middle) <= bytes)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- reading entries ------------------------------------------------------------------------ */

/* Readers have a handle of their own: the log thread closes its one when a file is full. */
static status_t open_to_read(struct wal *wal, uint64_t sequence, struct error *error)
{
    ASSERT(sequence >= wal->oldest && sequence <= wal->tail.sequence);
    if (wal->read_file != NULL && wal->read_sequence == sequence)
        return OK;
    env_file_close(wal->read_file);
    wal->read_file = NULL;
    char *path = wal__file_path(wal->dir, sequence);
    status_t status = env_file_open(wal->env, path, ENV_OPEN_READ_ONLY, &wal->read_file, error);
    wal->read_sequence = sequence;
    mem_free(path);
    /* It was there when we opened; whoever took it away has damaged the log. */
    return status == ERR_NOT_FOUND ? ERR_CORRUPT : status;
}

/* How many entries from `low` on lie one behind the other in a file and make up a piece to read. */
static uint32_t piece_length(const struct wal *wal, uint64_t low, uint64_t high, uint64_t *bytes)
{
    struct wal__slot slot = wal__index_slot(&wal->index, low);
    uint64_t end = slot.offset + wal__record_size(slot.size);
    uint32_t count = 1;
    for (uint64_t at = low + 1; at < high; at++) {
        struct wal__slot next = wal__index_slot(&wal->index, at);
        uint64_t next_end = next.offset + wal__record_size(next.size);
        if (next.sequence != slot.sequence || next.offset != end ||
            next_end - slot.offset > READ_SIZE_MAX)
            break;
        end = next_end;
        count++;
    }
    *bytes = end - slot.offset;
    return count;
}

static status_t damaged(const struct wal *wal, struct wal__slot slot, struct error *error)
{
    error_set(error, ERR_CORRUPT,
              "log file \"%s/wal-%016" PRIx64 ".log\" is corrupt at offset %" PRIu32
              ": an entry cannot be read back",
              wal->dir, (uint64_t)slot.sequence, slot.offset);
    error_hint(error,
               "Check the disk. This node cannot go on with this directory; the others go on "
               "without it. Keep it for inspection and do not start the node with an empty "
               "one: it would forget what it has promised.");
    return ERR_CORRUPT;
}

/* Reads `count` entries that lie one behind the other in `size` bytes. */
static status_t read_piece(struct wal *wal, uint64_t low, uint32_t count, uint64_t size,
                           struct arena *arena, struct raft_entry *out, struct error *error)
{
    struct wal__slot slot = wal__index_slot(&wal->index, low);
    status_t status = open_to_read(wal, slot.sequence, error);
    if (status != OK)
        return status;
    uint8_t *bytes = arena_alloc(arena, (size_t)size);
    size_t got;
    status = env_file_read(wal->read_file, slot.offset, bytes, (size_t)size, &got, error);
    if (status != OK)
        return status;
    const struct wal__file *file = wal__file(wal, slot.sequence);
    uint64_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        slot = wal__index_slot(&wal->index, low + i);
        struct wal__place place = {.cluster_id = wal->cluster_id,
                                   .node_id = wal->node_id,
                                   .sequence = slot.sequence,
                                   .offset = slot.offset,
                                   .salt = file->salt,
                                   .version = file->version};
        struct wal__record record;
        if (at > got || !wal__record_decode(slice_make(bytes + at, got - at), &place, &record) ||
            record.type != WAL__ENTRY || record.index != low + i ||
            record.term != wal__index_term(&wal->index, low + i))
            return damaged(wal, slot, error);
        out[i] = (struct raft_entry){.index = record.index,
                                     .term = record.term,
                                     .type = record.entry_type,
                                     .data = record.payload};
        at += wal__record_size(slot.size);
    }
    return OK;
}

status_t wal_read(struct wal *wal, uint64_t low, uint64_t high, size_t max_bytes,
                  struct arena *arena, struct raft_entry **entries, uint32_t *count,
                  struct error *error)
{
    ASSERT(low < high && high <= wal->durable_index + 1);
    if (wal->failed != OK)
        return error_set(error, wal->failed, "an earlier write of the log has failed");
    if (low < wal->index.first)
        return error_set(error, ERR_NOT_FOUND, "log entry %" PRIu64 " was dropped", low);
    uint64_t data = wal__index_slot(&wal->index, low).size;
    uint64_t end = low + 1;
    while (end < high && end - low < UINT32_MAX) {
        data += wal__index_slot(&wal->index, end).size;
        if (data > max_bytes)
            break;
        end++;
    }
    uint32_t total = (uint32_t)(end - low);
    struct raft_entry *list = arena_alloc(arena, total * sizeof *list);
    for (uint32_t done = 0; done < total;) {
        uint64_t size;
        uint32_t piece = piece_length(wal, low + done, end, &size);
        status_t status = read_piece(wal, low + done, piece, size, arena, list + done, error);
        if (status != OK)
            return status;
        done += piece;
    }
    *entries = list;
    *count = total;
    return OK;
}

/* ---- as raft wants it ----------------------------------------------------------------------- */

static uint64_t storage_first_index(void *context)
{
    return wal_first_index(context);
}

static uint64_t storage_last_index(void *context)
{
    return wal_durable_index(context);
}

static status_t storage_term(void *context, uint64_t index, uint64_t *term)
{
    return wal_term(context, index, term);
}

static status_t storage_entries(void *context, uint64_t low, uint64_t high, size_t max_bytes,
                                struct arena *arena, struct raft_entry **entries, uint32_t *count)
{
    struct error error;
    status_t status = wal_read(context, low, high, max_bytes, arena, entries, count, &error);
    if (status != OK && status != ERR_NOT_FOUND)
        log_error("wal", "%s", error.message);
    return status;
}

struct raft_storage wal_storage(struct wal *wal)
{
    ASSERT(wal != NULL);
    return (struct raft_storage){.context = wal,
                                 .first_index = storage_first_index,
                                 .last_index = storage_last_index,
                                 .term = storage_term,
                                 .entries = storage_entries};
}
