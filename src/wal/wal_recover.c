/* Opening: from what is on disk to the state of the log, or a reason to refuse.
 *
 * The files are read from the oldest to the newest, and each record is applied as it was staged:
 * an entry replaces that index and all behind it, the last hard state counts. In detail:
 *
 *   1. Of the files there, those count that run without a gap up to the newest. Files before a gap
 *      are remains of a removal that a crash undid in part; if one in between was lost instead,
 *      rule 4 finds out. They are removed at the end.
 *   2. A newest file without a valid header and without one valid record is one whose creation was
 *      not finished (it has a file before it, or is number 1): it is removed, durably. Any other
 *      file without a valid header is corruption.
 *   3. The end of each file is judged (wal_scan.c). A torn end is cut off, in the newest file only:
 *      a file is durable before the next one is created. The cut is made durable before anything
 *      is written there, lest old records reappear behind new ones of the same length.
 *   4. Each header repeats what the log was when its file was begun. For the oldest file that is
 *      the state to begin with; in all others it must be what the records before have led to.
 *      Entries that the log says it has and that are in none of the files are corruption.
 *   5. What was read is made durable before it counts. After the death of a program, unlike that of
 *      a machine, the newest file may hold records that were written and not synced, and its name
 *      may be as new: the system remembers them, the disk does not. Nor is a plain sync enough: see
 *      write_again.
 *
 * What cannot be seen from here is the loss of the whole newest file, or of the whole directory;
 * Raft refuses to start when the state machine is ahead of the log. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "wal/wal_int.h"

struct recovery {
    struct wal *wal;
    struct error *error;
    uint64_t *sequences; /* of all files there, ascending */
    uint32_t count, capacity;
    uint32_t start; /* the first one that counts */
    bool begun;     /* the oldest header was read */
    /* What the log says of itself. The index may lack the first of these entries while we are
     * still reading; rule 4 compares the two at the end. */
    uint64_t first_index;
    uint64_t first_term;
    uint64_t tail; /* offset at which the newest file goes on */
    uint64_t size; /* of the newest file, zeros counted */
};

static status_t corrupt(struct recovery *r, uint64_t sequence, uint64_t offset, const char *what)
{
    char name[WAL__NAME_SIZE];
    wal__file_name(name, sequence);
    error_set(r->error, ERR_CORRUPT, "log file \"%s/%s\" is corrupt at offset %" PRIu64 ": %s",
              r->wal->dir, name, offset, what);
    error_hint(r->error, "Keep this directory for inspection and check the disk; the others go on "
                         "without this node. Do not start it with an empty directory or an old "
                         "copy: it would forget what it has promised.");
    return ERR_CORRUPT;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void note_name(void *context, const char *name)
{
    struct recovery *r = context;
    uint64_t sequence;
    if (!wal__file_name_parse(name, &sequence))
        return;
    r->sequences = vec_grow(r->sequences, &r->capacity, r->count + 1, sizeof *r->sequences);
    r->sequences[r->count++] = sequence;
}

static int sequence_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Rule 1. */
static void find_start(struct recovery *r)
{
    r->start = r->count > 0 ? r->count - 1 : 0;
    while (r->start > 0 && r->sequences[r->start - 1] + 1 == r->sequences[r->start])
        r->start--;
}

static status_t read_whole(struct recovery *r, uint64_t sequence, struct slice *out)
{
    char *path = wal__file_path(r->wal->dir, sequence);
    struct env_file *file = NULL;
    uint8_t *bytes = NULL;
    uint64_t size = 0;
    size_t got = 0;
    status_t status = env_file_open(r->wal->env, path, ENV_OPEN_READ_ONLY, &file, r->error);
    if (status == OK)
        status = env_file_size(file, &size, r->error);
    if (status == OK && size > UINT32_MAX)
        status = corrupt(r, sequence, UINT32_MAX, "the file is larger than any of ours");
    if (status == OK) {
        bytes = mem_try_alloc((size_t)size + 1);
        if (bytes == NULL)
            status = error_set(r->error, ERR_NOMEM, "out of memory reading \"%s\"", path);
    }
    if (status == OK)
        status = env_file_read(file, 0, bytes, (size_t)size, &got, r->error);
    if (status == OK)
        *out = slice_make(bytes, got);
    else
        mem_free(bytes);
    env_file_close(file);
    mem_free(path);
    return status;
}

static status_t remove_file(struct recovery *r, uint64_t sequence)
{
    char *path = wal__file_path(r->wal->dir, sequence);
    status_t status = env_file_remove(r->wal->env, path, r->error);
    if (status == OK)
        log_info("wal", "removed \"%s\", which holds nothing needed", path);
    mem_free(path);
    return status;
}

/* ---- records -------------------------------------------------------------------------------- */

static status_t apply_entry(struct recovery *r, uint64_t offset, const struct wal__record *record)
{
    struct wal__index *index = &r->wal->index;
    uint64_t sequence = r->wal->tail.sequence;
    if (record->index < r->first_index || record->index > wal__index_last(index) + 1)
        return corrupt(r, sequence, offset, "an entry does not follow on the one before");
    /* Replaces entries of files that are gone: all of them from this one on. */
    if (record->index < index->first)
        wal__index_init(index, record->index, 0);
    struct wal__slot slot = {.sequence = (uint32_t)sequence,
                             .offset = (uint32_t)offset,
                             .size = (uint32_t)record->payload.size};
    wal__index_put(index, record->index, record->term, slot);
    return OK;
}

static status_t apply_record(struct recovery *r, uint64_t offset, const struct wal__record *record)
{
    struct wal *wal = r->wal;
    if (record->type == WAL__HARD_STATE)
        return wal__record_hard_state(record, &wal->hard_state)
                   ? OK
                   : corrupt(r, wal->tail.sequence, offset, "a hard state has the wrong size");
    if (record->index < 1 || record->index > RAFT_INDEX_MAX + 1)
        return corrupt(r, wal->tail.sequence, offset, "an index is absurd");
    switch (record->type) {
    case WAL__ENTRY:
        return apply_entry(r, offset, record);
    case WAL__COMPACT:
        if (record->index < r->first_index || record->index > wal__index_last(&wal->index) + 1)
            return corrupt(r, wal->tail.sequence, offset, "entries dropped were never there");
        r->first_index = record->index;
        r->first_term = record->term;
        if (record->index > wal->index.first) {
            wal__index_drop_before(&wal->index, record->index);
            wal->index.first_term = record->term;
        }
        return OK;
    case WAL__RESET:
        r->first_index = record->index;
        r->first_term = record->term;
        wal__index_init(&wal->index, record->index, record->term);
        return OK;
    case WAL__HARD_STATE:
        break;
    }
    UNREACHABLE(); /* decoding lets no other type pass */
}

/* ---- one file ------------------------------------------------------------------------------- */

/* Rule 4: the header of a file that is not the oldest. */
static bool header_agrees(const struct recovery *r, const struct wal__file_header *header)
{
    const struct wal__index *index = &r->wal->index;
    const struct raft_hard_state *state = &r->wal->hard_state;
    uint64_t last = wal__index_last(index);
    return header->first_index == r->first_index && header->first_term == r->first_term &&
           header->next_index == last + 1 && header->last_term == wal__index_term(index, last) &&
           header->hard_state.term == state->term && header->hard_state.vote == state->vote &&
           header->hard_state.commit == state->commit;
}

static status_t apply_header(struct recovery *r, const struct wal__file_header *header)
{
    struct wal *wal = r->wal;
    if (header->cluster_id != wal->cluster_id || header->node_id != wal->node_id) {
        error_set(r->error, ERR_INVALID,
                  "log in \"%s\" belongs to node %" PRIu64 " of cluster %016" PRIx64
                  ", not to node %" PRIu64 " of cluster %016" PRIx64,
                  wal->dir, header->node_id, header->cluster_id, wal->node_id, wal->cluster_id);
        error_hint(r->error, "Start the node with its own data directory.");
        return ERR_INVALID;
    }
    if (header->sequence != wal->tail.sequence)
        return corrupt(r, wal->tail.sequence, 16, "the file has the name of another");
    if (r->begun)
        return header_agrees(r, header)
                   ? OK
                   : corrupt(r, wal->tail.sequence, 40, "records of the file before are missing");
    r->begun = true;
    r->first_index = header->first_index;
    r->first_term = header->first_term;
    wal->hard_state = header->hard_state;
    wal__index_init(&wal->index, header->next_index, header->last_term);
    return OK;
}

/* Rule 2. */
static status_t bad_header(struct recovery *r, struct wal__scan *scan, bool newest,
                           bool *unfinished)
{
    uint32_t batch;
    bool may_be_first = r->begun || scan->place.sequence == 1;
    *unfinished =
        newest && may_be_first && wal__scan_find(scan, WAL__FILE_HEADER_SIZE, &batch) == 0;
    return *unfinished ? OK : corrupt(r, scan->place.sequence, 0, "its header is damaged");
}

static status_t scan_file(struct recovery *r, struct slice bytes, bool newest, bool *unfinished)
{
    struct wal *wal = r->wal;
    uint64_t sequence = wal->tail.sequence;
    struct wal__place place = {
        .cluster_id = wal->cluster_id, .node_id = wal->node_id, .sequence = sequence};
    struct wal__scan scan;
    wal__scan_init(&scan, bytes, &place);
    struct wal__file_header header;
    uint32_t version = 0;
    switch (wal__file_header_decode(bytes, &header, &version)) {
    case WAL__HEADER_OTHER_VERSION:
        return error_set(r->error, ERR_FORMAT,
                         "log in \"%s\" has format version %u, this program reads version %d",
                         wal->dir, version, WAL__VERSION);
    case WAL__HEADER_BAD:
        return bad_header(r, &scan, newest, unfinished);
    case WAL__HEADER_OK:
        break;
    }
    status_t status = apply_header(r, &header);
    struct wal__record record;
    uint64_t offset = scan.place.offset;
    while (status == OK && wal__scan_next(&scan, &record)) {
        status = apply_record(r, offset, &record);
        offset = scan.place.offset;
    }
    if (status != OK)
        return status;
    uint64_t witness = 0;
    enum wal__scan_end end = wal__scan_end(&scan, &witness);
    if (end == WAL__END_CORRUPT || (end == WAL__END_TORN && !newest))
        return corrupt(r, sequence, offset, "a record that was durable is damaged");
    r->tail = offset;
    r->size = end == WAL__END_CLEAN ? bytes.size : offset;
    if (end == WAL__END_TORN)
        log_warn("wal",
                 "\"%s\": cut a torn write off file %" PRIu64 " at offset %" PRIu64 " of %zu",
                 wal->dir, sequence, offset, bytes.size);
    return OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static status_t scan_files(struct recovery *r)
{
    for (uint32_t i = r->start; i < r->count; i++) {
        bool newest = i + 1 == r->count, unfinished = false;
        uint64_t before = r->wal->tail.sequence;
        if (r->sequences[i] == 0 || r->sequences[i] > UINT32_MAX)
            return corrupt(r, r->sequences[i], 0, "the number in its name is absurd");
        r->wal->tail.sequence = r->sequences[i];
        struct slice bytes = {0};
        status_t status = read_whole(r, r->sequences[i], &bytes);
        if (status == OK)
            status = scan_file(r, bytes, newest, &unfinished);
        mem_free((void *)(uintptr_t)bytes.data);
        if (status == OK && unfinished) {
            status = remove_file(r, r->sequences[i]);
            /* Or it may come back, the newest still, when the file before has a torn end again. */
            if (status == OK)
                status = env_dir_sync(r->wal->env, r->wal->dir, r->error);
            r->wal->tail.sequence = before;
            r->count--;
        }
        if (status != OK)
            return status;
    }
    return OK;
}

/* Rule 4, the last sentence. */
static status_t check_complete(struct recovery *r)
{
    struct wal *wal = r->wal;
    if (r->first_index < wal->index.first) {
        error_set(r->error, ERR_CORRUPT,
                  "log in \"%s\" lacks entries %" PRIu64 " to %" PRIu64
                  ": a file before \"%s/wal-%016" PRIx64 ".log\" is missing",
                  wal->dir, r->first_index, wal->index.first - 1, wal->dir, r->sequences[r->start]);
        error_hint(r->error, "Put the file back.");
        return ERR_CORRUPT;
    }
    ASSERT(r->first_index == wal->index.first);
    wal->index.first_term = r->first_term;
    return OK;
}

/* Rule 5: writes the newest file's bytes once more. After a sync that failed the system takes them
 * for written though the disk has not got them, and a second sync would not write them. Where they
 * are on the disk, what a power cut may tear is what was there before. */
static status_t write_again(struct recovery *r, struct env_file *file)
{
    enum { PIECE = 1 << 20 };
    uint8_t *bytes = mem_alloc(PIECE);
    status_t status = OK;
    for (uint64_t at = 0; at < r->tail && status == OK; at += PIECE) {
        size_t size = r->tail - at < PIECE ? (size_t)(r->tail - at) : PIECE, got = 0;
        status = env_file_read(file, at, bytes, size, &got, r->error);
        if (status == OK && got < size)
            status = corrupt(r, r->wal->tail.sequence, at + got, "it became shorter");
        if (status == OK)
            status = env_file_write(file, at, bytes, size, r->error);
    }
    mem_free(bytes);
    return status == OK ? env_file_sync(file, r->error) : status;
}

static status_t open_newest(struct recovery *r)
{
    struct wal *wal = r->wal;
    char *path = wal__file_path(wal->dir, wal->tail.sequence);
    uint64_t size = 0;
    status_t status = env_file_open(wal->env, path, 0, &wal->writer.file, r->error);
    if (status == OK)
        status = env_file_size(wal->writer.file, &size, r->error);
    if (status == OK && r->size < size) /* rule 3 */
        status = env_file_truncate(wal->writer.file, r->size, r->error);
    if (status == OK)
        status = write_again(r, wal->writer.file);
    if (status == OK)
        status = env_dir_sync(wal->env, wal->dir, r->error);
    wal->writer.sequence = wal->tail.sequence;
    wal->writer.allocated = r->size;
    wal->tail.offset = r->tail;
    mem_free(path);
    return status;
}

/* Files that hold no entry any more, but for the newest. */
static status_t remove_old(struct recovery *r)
{
    struct wal *wal = r->wal;
    wal->oldest = wal->tail.sequence;
    if (wal__index_last(&wal->index) >= wal->index.first)
        wal->oldest = wal__index_slot(&wal->index, wal->index.first).sequence;
    status_t status = OK;
    for (uint32_t i = 0; i < r->count && r->sequences[i] < wal->oldest && status == OK; i++)
        status = remove_file(r, r->sequences[i]);
    return status;
}

static status_t begin_log(struct wal *wal, struct error *error)
{
    wal__index_init(&wal->index, 1, 0);
    wal->tail = (struct wal__position){.sequence = 1, .offset = WAL__FILE_HEADER_SIZE};
    wal->oldest = 1;
    struct wal__file_header header = wal__header_now(wal, 1);
    uint8_t bytes[WAL__FILE_HEADER_SIZE];
    wal__file_header_encode(bytes, &header);
    return wal__writer_create_file(&wal->writer, 1, slice_make(bytes, sizeof bytes), error);
}

struct wal__file_header wal__header_now(const struct wal *wal, uint64_t sequence)
{
    uint64_t last = wal__index_last(&wal->index);
    return (struct wal__file_header){.sequence = sequence,
                                     .cluster_id = wal->cluster_id,
                                     .node_id = wal->node_id,
                                     .first_index = wal->index.first,
                                     .first_term = wal->index.first_term,
                                     .next_index = last + 1,
                                     .last_term = wal__index_term(&wal->index, last),
                                     .hard_state = wal->hard_state};
}

status_t wal__recover(struct wal *wal, struct error *error)
{
    struct recovery r = {.wal = wal, .error = error};
    status_t status = env_dir_list(wal->env, wal->dir, note_name, &r, error);
    if (status == OK) {
        if (r.count > 0)
            qsort(r.sequences, r.count, sizeof *r.sequences, sequence_order);
        find_start(&r);
        status = scan_files(&r);
    }
    if (status == OK && !r.begun) {
        status = begin_log(wal, error);
    } else if (status == OK) {
        status = check_complete(&r);
        if (status == OK)
            status = open_newest(&r);
        if (status == OK)
            status = remove_old(&r);
    }
    wal->durable_index = status == OK ? wal__index_last(&wal->index) : 0;
    wal->taken_index = wal->durable_index;
    mem_free(r.sequences);
    return status;
}
