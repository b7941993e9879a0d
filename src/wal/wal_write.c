/* The log thread's side: bytes to files, and one sync a batch.
 *
 * Order is all that matters here:
 *   1. space is taken before a record is written into it, so that a full disk is met while nothing
 *      has changed;
 *   2. a file is durable to its end before the next one gets its name, and the next one's header
 *      and first records are; so only the newest file can be torn, and none is without a header;
 *   3. files are dropped after the record that says they are not needed is durable. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_int.h"

status_t wal__zeros_write(struct env_file *file, uint64_t from, uint64_t to, struct error *error)
{
    static const uint8_t zeros[64 * 1024];
    ASSERT(file != NULL && from <= to);
    status_t status = OK;
    for (uint64_t at = from; at < to && status == OK;) {
        size_t size = to - at < sizeof zeros ? (size_t)(to - at) : sizeof zeros;
        status = env_file_write(file, at, zeros, size, error);
        at += size;
    }
    return status;
}

/* Makes the file, which is to have `size` bytes in the end, at least `end` long. What is behind
 * `end` gets zeros; what is before it gets records. */
static status_t take_space(const struct wal__writer *writer, struct env_file *file, uint64_t size,
                           uint64_t *allocated, uint64_t end, struct error *error)
{
    if (end <= *allocated)
        return OK;
    uint64_t target = (end + writer->zero_step - 1) / writer->zero_step * writer->zero_step;
    if (target > size && end <= size)
        target = size;
    ASSERT(target >= end);
    status_t status = env_file_preallocate(file, *allocated, target - *allocated, error);
    if (status == OK)
        status = wal__zeros_write(file, end, target, error);
    if (status == OK)
        *allocated = target;
    return status;
}

/* A full disk met only now has lost bytes that the write had taken: that is not to be retried. */
static status_t sync_file(struct env_file *file, struct error *error)
{
    status_t status = env_file_sync(file, error);
    return status == ERR_DISK_FULL ? ERR_IO : status;
}

/* Opens or creates the chunk's spare, with space for its first bytes. ERR_DISK_FULL: nothing has
 * changed, *file is NULL. */
static status_t spare_open(struct wal__writer *writer, const struct wal__chunk *chunk,
                           const char *path, uint64_t need, struct env_file **file,
                           uint64_t *allocated, struct error *error)
{
    *allocated = chunk->made ? chunk->file_size : 0;
    status_t status = OK;
    if (chunk->made && !chunk->settled)
        status = env_dir_sync(writer->env, writer->dir, error);
    if (status == OK)
        status = env_file_open(writer->env, path,
                               chunk->made ? 0 : ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, file, error);
    if (status != OK)
        return status == ERR_DISK_FULL && chunk->made ? ERR_IO : status;
    status = take_space(writer, *file, chunk->file_size, allocated, need, error);
    if (status != ERR_DISK_FULL)
        return status;
    env_file_close(*file);
    *file = NULL;
    struct error removal;
    if (!chunk->made && env_file_remove(writer->env, path, &removal) != OK) {
        log_error("wal", "%s", removal.message);
        return ERR_IO; /* a second attempt would find it there */
    }
    return status;
}

/* A spare with bytes in it becomes a file of the log. */
static status_t spare_name(struct wal__writer *writer, const char *path, uint64_t sequence,
                           struct error *error)
{
    char *name = wal__file_path(writer->dir, sequence);
    status_t status = env_file_rename(writer->env, path, name, error);
    if (status == OK)
        status = env_dir_sync(writer->env, writer->dir, error);
    mem_free(name);
    return status;
}

status_t wal__writer_begin_file(struct wal__writer *writer, struct wal__chunk *chunk,
                                struct slice start, struct error *error)
{
    ASSERT(chunk->creates && chunk->spare != 0 && start.size >= WAL__FILE_HEADER_SIZE);
    ASSERT(writer->file == NULL || chunk->sequence == writer->sequence + 1);
    char *path = wal__spare_path(writer->dir, chunk->spare);
    struct env_file *file = NULL;
    uint64_t allocated = 0;
    status_t status = spare_open(writer, chunk, path, start.size, &file, &allocated, error);
    if (status == ERR_DISK_FULL)
        goto out;
    if (status == OK)
        status = env_file_write(file, 0, start.data, start.size, error);
    if (status == OK)
        status = sync_file(file, error);
    if (status == OK)
        status = spare_name(writer, path, chunk->sequence, error);
    if (status != OK) {
        env_file_close(file);
        /* Not the kind of full disk that may be tried again. */
        status = status == ERR_DISK_FULL ? ERR_IO : status;
        goto out;
    }
    env_file_close(writer->file);
    writer->file = file;
    writer->sequence = chunk->sequence;
    writer->allocated = allocated;
    writer->size = chunk->file_size;
    chunk->file_size = allocated;
out:
    mem_free(path);
    return status;
}

static status_t write_chunk(struct wal__writer *writer, struct wal__chunk *chunk,
                            struct slice bytes, struct error *error)
{
    if (chunk->creates) {
        status_t status = sync_file(writer->file, error);
        if (status == OK)
            status = wal__writer_begin_file(writer, chunk, bytes, error);
        return status;
    }
    ASSERT(chunk->sequence == writer->sequence);
    status_t status = take_space(writer, writer->file, writer->size, &writer->allocated,
                                 chunk->offset + bytes.size, error);
    if (status != OK)
        return status;
    chunk->file_size = writer->allocated;
    status = env_file_write(writer->file, chunk->offset, bytes.data, bytes.size, error);
    return status == ERR_DISK_FULL ? ERR_IO : status; /* its space was taken: not to be retried */
}

/* A file left behind costs space and nothing else: opening takes care of it. */
static void drop_files(struct wal__writer *writer, struct wal_batch *batch)
{
    for (uint32_t i = 0; i < batch->drop_count; i++) {
        struct wal__drop *drop = &batch->drops[i];
        ASSERT(drop->sequence < writer->sequence);
        char *path = wal__file_path(writer->dir, drop->sequence);
        struct error error;
        status_t status;
        if (drop->spare != 0) {
            char *spare = wal__spare_path(writer->dir, drop->spare);
            status = env_file_rename(writer->env, path, spare, &error);
            mem_free(spare);
        } else {
            status = env_file_remove(writer->env, path, &error);
        }
        drop->done = status == OK;
        if (!drop->done)
            log_warn("wal", "%s", error.message);
        mem_free(path);
    }
}

status_t wal_write(struct wal_batch *batch, struct error *error)
{
    struct wal__writer *writer = batch->writer;
    ASSERT(writer->file != NULL);
    if (writer->failed != OK)
        return error_set(error, writer->failed, "an earlier write of the log has failed");
    status_t status = OK;
    while (batch->chunks_written < batch->chunk_count && status == OK) {
        struct wal__chunk *chunk = &batch->chunks[batch->chunks_written];
        ASSERT(chunk->begin < chunk->end && chunk->end <= batch->bytes.size);
        status = write_chunk(
            writer, chunk, slice_make(batch->bytes.data + chunk->begin, chunk->end - chunk->begin),
            error);
        if (status == OK)
            batch->chunks_written++;
    }
    if (status == ERR_DISK_FULL)
        return status;
    /* A file that the batch began is durable already, for as much as it began with. */
    if (status == OK && !batch->chunks[batch->chunk_count - 1].creates)
        status = sync_file(writer->file, error);
    if (status != OK) {
        writer->failed = status;
        return status;
    }
    drop_files(writer, batch);
    return OK;
}
