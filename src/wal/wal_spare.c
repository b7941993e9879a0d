/* Files for later. To overwrite blocks that were written before leaves a sync no metadata to write,
 * which halves its time, so a file is begun in one that is whole already. There are two sources:
 *
 *   recycled  A file whose entries were dropped (wal_compact, wal_reset) is renamed to a spare.
 * What it holds stays in it: the salt in the file header, drawn anew for each use, is part of every
 * record's CRC, so nothing of an earlier use can pass for a record of a later one. prepared  While
 * there is no spare, and the newest file fills up, one is made of zeros by wal_work, beside
 * everything else and piece by piece, so that the log's own syncs never wait behind many megabytes.
 *
 * When there is no spare after all, the log thread makes one that is short and grows.
 *
 * At most wal_config.spare_files are kept. The first file of a log is one zero_step long, and each
 * is twice as long as the one before up to segment_size, so a small log stays small. Only files of
 * that full size are recycled.
 *
 * THE LIFE OF A FILE, AND CRASHES. Each step is durable before the next one:
 *
 *     spare-N.log  --1-->  with the new header and the first records  --2-->  wal-S.log  --3-->
 *     ... not needed any more (the record that says so is durable)  --4-->  spare-M.log
 *
 *   1  A crash leaves a spare whose contents mean nothing, as ever.
 *   2  The file before was made durable to its end first. A crash leaves one name or the other. So
 * a file of the log has a valid header, and records, from its first moment on. 3  See wal_scan.c
 * for what a crash leaves of records. 4  A crash leaves one name or the other: opening finds an old
 * file before the first one needed, or a spare. The directory is synced between 4 and the next 1:
 * or the old name could come back to a file that is already being made into another one. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_int.h"

uint64_t wal__next_size(const struct wal *wal)
{
    uint64_t step = wal->zero_step;
    uint64_t size = (wal->tail_size * 2 + step - 1) / step * step;
    ASSERT(step > 0);
    if (size == 0)
        size = step;
    return size < wal->segment_size ? size : wal->segment_size;
}

uint64_t wal__spare_number(struct wal *wal)
{
    return ++wal->spare_last;
}

static void spare_add(struct wal *wal, struct wal__spare spare)
{
    ASSERT(spare.number != 0 && spare.number <= wal->spare_last);
    ASSERT(wal->spare_count < WAL__SPARES_MAX);
    wal->spares[wal->spare_count++] = spare;
}

struct wal__spare wal__spare_take(struct wal *wal)
{
    if (wal->spare_count == 0)
        return (struct wal__spare){0};
    uint32_t at = 0; /* the first that needs no sync of the directory */
    while (at + 1 < wal->spare_count && !wal->spares[at].settled)
        at++;
    if (!wal->spares[at].settled)
        at = 0;
    struct wal__spare spare = wal->spares[at];
    wal->spare_count--;
    for (; at < wal->spare_count; at++)
        wal->spares[at] = wal->spares[at + 1];
    return spare;
}

void wal__spares_settle(struct wal *wal)
{
    ASSERT(wal->spare_count <= WAL__SPARES_MAX);
    for (uint32_t i = 0; i < wal->spare_count; i++)
        wal->spares[i].settled = true;
}

static bool spare_wanted(const struct wal *wal, uint64_t size)
{
    return size == wal->segment_size && wal->spare_count + wal->spares_promised < wal->spares_max;
}

struct wal__drop wal__drop_make(struct wal *wal, uint64_t sequence, uint64_t size)
{
    struct wal__drop drop = {.sequence = sequence, .size = size};
    if (spare_wanted(wal, size)) {
        drop.spare = wal__spare_number(wal);
        wal->spares_promised++;
    }
    return drop;
}

void wal__drop_done(struct wal *wal, const struct wal__drop *drop)
{
    if (drop->spare == 0)
        return;
    ASSERT(wal->spares_promised > 0);
    wal->spares_promised--;
    if (!drop->done)
        return;
    spare_add(wal, (struct wal__spare){.number = drop->spare, .size = drop->size});
    wal->stats.files_recycled++;
}

status_t wal__spare_found(struct wal *wal, uint64_t number, struct error *error)
{
    bool ours = number != 0 && number <= UINT32_MAX;
    if (ours && number > wal->spare_last)
        wal->spare_last = number;
    char *path = wal__spare_path(wal->dir, number);
    struct env_file *file = NULL;
    uint64_t size = 0;
    status_t status = env_file_open(wal->env, path, ENV_OPEN_READ_ONLY, &file, error);
    if (status == OK)
        status = env_file_size(file, &size, error);
    env_file_close(file);
    if (status == OK && ours && spare_wanted(wal, size))
        spare_add(wal, (struct wal__spare){.number = number, .size = size});
    else if (status == OK) /* not finished, or of another setting */
        status = env_file_remove(wal->env, path, error);
    mem_free(path);
    return status;
}

/* ---- preparing ------------------------------------------------------------------------------ */

struct wal_work *wal_work_take(struct wal *wal)
{
    if (wal->failed != OK || wal->work != NULL || wal->read_only)
        return NULL;
    if (wal->spare_count + wal->spares_promised > 0 || wal->spares_max == 0)
        return NULL;
    if (wal->tail.offset < wal->tail_size / 4 || wal->work_failed == wal->tail.sequence)
        return NULL;
    wal->work = mem_alloc(sizeof *wal->work);
    *wal->work = (struct wal_work){.env = wal->env,
                                   .dir = wal->dir,
                                   .number = wal__spare_number(wal),
                                   .size = wal__next_size(wal),
                                   .zero_step = wal->zero_step,
                                   .status = ERR_SHUTDOWN};
    return wal->work;
}

/* Piece by piece, each synced: a file has its full size only when all of it was written. */
static status_t prepare(const struct wal_work *work, struct env_file *file, struct error *error)
{
    status_t status = OK;
    for (uint64_t at = 0; at < work->size && status == OK;) {
        uint64_t end = work->size - at < work->zero_step ? work->size : at + work->zero_step;
        status = env_file_preallocate(file, at, end - at, error);
        if (status == OK)
            status = wal__zeros_write(file, at, end, error);
        if (status == OK)
            status = env_file_sync(file, error);
        at = end;
    }
    return status;
}

void wal_work_run(struct wal_work *work)
{
    ASSERT(work->number != 0 && work->size > 0);
    char *path = wal__spare_path(work->dir, work->number);
    struct env_file *file = NULL;
    struct error error;
    work->status =
        env_file_open(work->env, path, ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &file, &error);
    if (work->status == OK) {
        work->status = prepare(work, file, &error);
        env_file_close(file);
        if (work->status == OK)
            work->status = env_dir_sync(work->env, work->dir, &error);
        struct error ignored; /* of an attempt to give the space back */
        if (work->status != OK && env_file_remove(work->env, path, &ignored) != OK)
            log_warn("wal", "%s", ignored.message);
    }
    if (work->status != OK)
        log_warn("wal", "could not prepare a file for later: %s", error.message);
    mem_free(path);
}

void wal_work_done(struct wal *wal, struct wal_work *work)
{
    ASSERT(work != NULL && work == wal->work);
    wal->work = NULL;
    if (work->status != OK) {
        wal->work_failed = wal->tail.sequence;
    } else {
        /* Drops may have promised as many as are wanted meanwhile: this one is at hand already. */
        spare_add(wal,
                  (struct wal__spare){.number = work->number, .size = work->size, .settled = true});
        wal->stats.files_prepared++;
    }
    mem_free(work);
}
