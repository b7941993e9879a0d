/* The log thread's side: bytes to files, and one sync a batch.
 *
 * Order is all that matters here:
 *   1. space, with its zeros, is taken before a record is written into it, so that a full disk is
 *      met while nothing has changed;
 *   2. a file is durable to its end before the next one is created, and the next one's header and
 *      name are durable before a record goes into it; so only the newest file can be torn, and a
 *      newest file without a header has no records;
 *   3. files are removed after the record that says they are not needed is durable. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_int.h"

static const uint8_t zeros[64 * 1024];

static status_t write_zeros(struct env_file *file, uint64_t from, uint64_t to, struct error *error)
{
    status_t status = OK;
    for (uint64_t at = from; at < to && status == OK;) {
        size_t size = to - at < sizeof zeros ? (size_t)(to - at) : sizeof zeros;
        status = env_file_write(file, at, zeros, size, error);
        at += size;
    }
    return status;
}

/* Makes the file at least `end` long, in blocks that were written. */
static status_t take_space(struct wal__writer *writer, struct env_file *file, uint64_t *allocated,
                           uint64_t end, struct error *error)
{
    if (end <= *allocated)
        return OK;
    uint64_t target = (end + writer->zero_step - 1) / writer->zero_step * writer->zero_step;
    if (target > writer->segment_size && end <= writer->segment_size)
        target = writer->segment_size;
    ASSERT(target >= end);
    status_t status = env_file_preallocate(file, *allocated, target - *allocated, error);
    if (status == OK)
        status = write_zeros(file, *allocated, target, error);
    if (status == OK)
        *allocated = target;
    return status;
}

/* What was begun and not finished goes; recovery would take it away as well. */
static status_t undo_create(struct wal__writer *writer, const char *path, struct env_file *file,
                            status_t cause)
{
    env_file_close(file);
    struct error error;
    status_t status = env_file_remove(writer->env, path, &error);
    if (status != OK)
        log_error("wal", "%s", error.message);
    return status == OK ? cause : ERR_IO;
}

status_t wal__writer_create_file(struct wal__writer *writer, uint64_t sequence, struct slice start,
                                 struct error *error)
{
    ASSERT(start.size >= WAL__FILE_HEADER_SIZE);
    ASSERT(writer->file == NULL || sequence == writer->sequence + 1);
    char *path = wal__file_path(writer->dir, sequence);
    struct env_file *file = NULL;
    uint64_t allocated = 0;
    status_t status =
        env_file_open(writer->env, path, ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &file, error);
    if (status != OK)
        goto out;
    status = take_space(writer, file, &allocated, start.size, error);
    if (status == ERR_DISK_FULL) {
        status = undo_create(writer, path, file, status);
        goto out;
    }
    if (status == OK)
        status = env_file_write(file, 0, start.data, WAL__FILE_HEADER_SIZE, error);
    if (status == OK)
        status = env_file_sync(file, error);
    if (status == OK)
        status = env_dir_sync(writer->env, writer->dir, error);
    if (status == OK && start.size > WAL__FILE_HEADER_SIZE)
        status = env_file_write(file, WAL__FILE_HEADER_SIZE, start.data + WAL__FILE_HEADER_SIZE,
                                start.size - WAL__FILE_HEADER_SIZE, error);
    if (status != OK) {
        env_file_close(file);
        /* Not the kind of full disk that may be tried again. */
        status = status == ERR_DISK_FULL ? ERR_IO : status;
        goto out;
    }
    env_file_close(writer->file);
    writer->file = file;
    writer->sequence = sequence;
    writer->allocated = allocated;
out:
    mem_free(path);
    return status;
}

/* A full disk met only now has lost bytes that the write had taken: that is not to be retried. */
static status_t sync_file(struct wal__writer *writer, struct error *error)
{
    status_t status = env_file_sync(writer->file, error);
    return status == ERR_DISK_FULL ? ERR_IO : status;
}

static status_t write_chunk(struct wal__writer *writer, const struct wal__chunk *chunk,
                            struct slice bytes, struct error *error)
{
    if (chunk->creates) {
        status_t status = sync_file(writer, error);
        if (status == OK)
            status = wal__writer_create_file(writer, chunk->sequence, bytes, error);
        return status;
    }
    ASSERT(chunk->sequence == writer->sequence);
    status_t status =
        take_space(writer, writer->file, &writer->allocated, chunk->offset + bytes.size, error);
    if (status != OK)
        return status;
    status = env_file_write(writer->file, chunk->offset, bytes.data, bytes.size, error);
    return status == ERR_DISK_FULL ? ERR_IO : status; /* its space was taken: not to be retried */
}

/* A file left behind costs space and nothing else: opening removes it. */
static void remove_files(struct wal__writer *writer, uint64_t from, uint64_t before)
{
    for (uint64_t sequence = from; sequence < before; sequence++) {
        ASSERT(sequence < writer->sequence);
        char *path = wal__file_path(writer->dir, sequence);
        struct error error;
        if (env_file_remove(writer->env, path, &error) != OK)
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
        const struct wal__chunk *chunk = &batch->chunks[batch->chunks_written];
        ASSERT(chunk->begin < chunk->end && chunk->end <= batch->bytes.size);
        status = write_chunk(
            writer, chunk, slice_make(batch->bytes.data + chunk->begin, chunk->end - chunk->begin),
            error);
        if (status == OK)
            batch->chunks_written++;
    }
    if (status == ERR_DISK_FULL)
        return status;
    if (status == OK)
        status = sync_file(writer, error);
    if (status != OK) {
        writer->failed = status;
        return status;
    }
    remove_files(writer, batch->remove_from, batch->remove_before);
    batch->remove_from = batch->remove_before;
    return OK;
}
