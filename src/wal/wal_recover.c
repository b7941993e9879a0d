/* Opening: from what is on disk to the state of the log, or a reason to refuse.
 *
 * The files are read from the oldest to the newest, and each record is applied as it was staged:
 * an entry replaces that index and all behind it, the last hard state counts. In detail:
 *
 *   1. MISSING FILES. Of the files there, those count that run without a gap up to the newest.
 * Files before a gap are remains of a drop that a crash undid in part; if one in between was lost
 *      instead, rule 4 finds out. They are removed at the end.
 *   2. HEADERS. A file gets its name when its header is durable (wal_spare.c), so one without a
 *      valid header is corruption. But version 1 made the name first: a newest file (with one
 *      before it, or number 1) that is all zeros behind a header that is not valid is one whose
 *      creation was not finished: it is removed, durably.
 *   3. ENDS. The end of each file is judged by what lies behind it (wal_scan.c): a hole, which is a
 *      damaged or missing record with later ones behind it, is corruption; a torn end, which a
 *      write that was not finished leaves, does not count and is not touched. As the log would go
 *      on over such remains, it goes on in a new file instead.
 *   4. ONE CHAIN. Each header repeats what the log was when its file was begun, and how the file
 *      before ended. For the oldest file that is the state to begin with; in all others it must be
 *      what the records before have led to, and where and with what they ended: or records that
 *      were durable are damaged or missing. Entries that the log says it has and that are in none
 *      of the files are corruption. (A header of version 1 does not know how the file before ended;
 *      there a torn end before another file is corruption.)
 *   5. DURABLE FIRST. What was read is made durable before it counts. After the death of a program,
 *      unlike that of a machine, the newest file may hold records that were written and not synced,
 *      and its name may be as new: the system remembers them, the disk does not. Nor is a plain
 *      sync enough: see write_again.
 *   6. COPIES AND REMAINS. A record counts only at its own offset in its own file, in the use of
 *      that file it was written in, behind the record it was written behind (wal_format.c). So
 *      what a recycled file held before, a copy of a record elsewhere, a file under another's name,
 *      or what is left of a torn batch behind what was written since, is nothing, or corruption.
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
    struct wal__names names;
    uint32_t start; /* the first file that counts */
    bool begun;     /* the oldest header was read */
    /* What the log says of itself. The index may lack the first of these entries while we are
     * still reading; rule 4 compares the two at the end. */
    uint64_t first_index;
    uint64_t first_term;
    /* The file read last. */
    uint64_t tail; /* offset at which its records end */
    uint64_t size; /* all of it */
    uint32_t link; /* what its records end with */
    uint32_t version;
    enum wal__scan_end end;
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

static void numbers_add(struct wal__numbers *numbers, uint64_t number)
{
    numbers->items =
        vec_grow(numbers->items, &numbers->capacity, numbers->count + 1, sizeof *numbers->items);
    numbers->items[numbers->count++] = number;
}

static void note_name(void *context, const char *name)
{
    struct wal__names *names = context;
    uint64_t number;
    if (wal__file_name_parse(name, &number))
        numbers_add(&names->files, number);
    else if (wal__spare_name_parse(name, &number))
        numbers_add(&names->spares, number);
}

static int number_order(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

status_t wal__names_list(struct env *env, const char *dir, struct wal__names *names,
                         struct error *error)
{
    *names = (struct wal__names){0};
    status_t status = env_dir_list(env, dir, note_name, names, error);
    struct wal__numbers *kinds[] = {&names->files, &names->spares};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i]->count > 0)
            qsort(kinds[i]->items, kinds[i]->count, sizeof *kinds[i]->items, number_order);
    }
    return status;
}

void wal__names_free(struct wal__names *names)
{
    mem_free(names->files.items);
    mem_free(names->spares.items);
    *names = (struct wal__names){0};
}

/* Rule 1. */
static void find_start(struct recovery *r)
{
    r->start = r->names.files.count > 0 ? r->names.files.count - 1 : 0;
    while (r->start > 0 && r->names.files.items[r->start - 1] + 1 == r->names.files.items[r->start])
        r->start--;
}

status_t wal__file_read(struct env *env, const char *dir, uint64_t sequence, struct slice *out,
                        struct error *error)
{
    char *path = wal__file_path(dir, sequence);
    struct env_file *file = NULL;
    uint8_t *bytes = NULL;
    uint64_t size = 0;
    size_t got = 0;
    status_t status = env_file_open(env, path, ENV_OPEN_READ_ONLY, &file, error);
    if (status == OK)
        status = env_file_size(file, &size, error);
    if (status == OK && size > UINT32_MAX)
        status = error_set(error, ERR_CORRUPT, "log file \"%s\" is larger than any of ours", path);
    if (status == OK) {
        bytes = mem_try_alloc((size_t)size + 1);
        if (bytes == NULL)
            status = error_set(error, ERR_NOMEM, "out of memory reading \"%s\"", path);
    }
    if (status == OK)
        status = env_file_read(file, 0, bytes, (size_t)size, &got, error);
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

/* Rule 4: the header of a file that is not the oldest repeats what the log was. */
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

/* Rule 4: and that the file before is whole. */
static status_t file_before_whole(struct recovery *r, const struct wal__file_header *header)
{
    bool whole = header->version == 1
                     ? r->end == WAL__END_CLEAN
                     : header->before_end == r->tail && header->before_link == r->link;
    return whole ? OK
                 : corrupt(r, header->sequence - 1, r->tail,
                           "a record that was durable is damaged or missing");
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
    if (r->begun) {
        status_t status = file_before_whole(r, header);
        if (status == OK && !header_agrees(r, header))
            status = corrupt(r, wal->tail.sequence, 40, "records of the file before are missing");
        return status;
    }
    bool empty = header->first_index == header->next_index;
    if (header->first_term > header->last_term ||
        (empty && header->first_term != header->last_term))
        return corrupt(r, wal->tail.sequence, 40, "its header contradicts itself");
    r->begun = true;
    r->first_index = header->first_index;
    r->first_term = header->first_term;
    wal->hard_state = header->hard_state;
    wal__index_init(&wal->index, header->next_index, header->last_term);
    return OK;
}

/* Rule 2. */
static status_t bad_header(struct recovery *r, struct slice bytes, bool newest, bool *unfinished)
{
    uint64_t sequence = r->wal->tail.sequence;
    bool zeros = true;
    for (uint64_t i = WAL__FILE_HEADER_SIZE; i < bytes.size && zeros; i++)
        zeros = bytes.data[i] == 0;
    /* The file before was durable to its end. */
    bool may_be = sequence == 1 || (r->begun && r->version == 1 && r->end == WAL__END_CLEAN);
    *unfinished = newest && may_be && zeros;
    return *unfinished ? OK : corrupt(r, sequence, 0, "its header is damaged");
}

static void file_note(struct recovery *r, const struct wal__file_header *header, uint64_t size)
{
    struct wal *wal = r->wal;
    wal->files = vec_grow(wal->files, &wal->file_capacity, wal->file_count + 1, sizeof *wal->files);
    wal->files[wal->file_count++] = (struct wal__file){
        .size = size, .on_disk = size, .salt = header->salt, .version = header->version};
}

static status_t scan_file(struct recovery *r, struct slice bytes, bool newest, bool *unfinished)
{
    struct wal *wal = r->wal;
    struct wal__file_header header;
    uint32_t version = 0;
    switch (wal__file_header_decode(bytes, &header, &version)) {
    case WAL__HEADER_OTHER_VERSION:
        return error_set(r->error, ERR_FORMAT,
                         "log in \"%s\" has format version %u, this program reads 1 to %d",
                         wal->dir, version, WAL__VERSION);
    case WAL__HEADER_BAD:
        return bad_header(r, bytes, newest, unfinished);
    case WAL__HEADER_OK:
        break;
    }
    status_t status = apply_header(r, &header);
    struct wal__scan scan;
    wal__scan_init(&scan, bytes, &header);
    struct wal__record record;
    uint64_t offset = scan.place.offset;
    while (status == OK && wal__scan_next(&scan, &record)) {
        status = apply_record(r, offset, &record);
        offset = scan.place.offset;
    }
    if (status != OK)
        return status;
    r->tail = offset;
    r->size = bytes.size;
    r->link = scan.link;
    r->version = header.version;
    r->end = wal__scan_end(&scan);
    if (r->end == WAL__END_CORRUPT)
        return corrupt(r, header.sequence, offset, "a record that was durable is damaged");
    if (r->end == WAL__END_TORN && newest)
        log_warn("wal",
                 "\"%s\": file %" PRIu64 " has a torn write at offset %" PRIu64
                 ", which does not count",
                 wal->dir, header.sequence, offset);
    file_note(r, &header, bytes.size);
    return OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static status_t scan_files(struct recovery *r)
{
    for (uint32_t i = r->start; i < r->names.files.count; i++) {
        bool newest = i + 1 == r->names.files.count, unfinished = false;
        uint64_t before = r->wal->tail.sequence;
        if (r->names.files.items[i] == 0 || r->names.files.items[i] > UINT32_MAX)
            return corrupt(r, r->names.files.items[i], 0, "the number in its name is absurd");
        r->wal->tail.sequence = r->names.files.items[i];
        struct slice bytes = {0};
        status_t status =
            wal__file_read(r->wal->env, r->wal->dir, r->names.files.items[i], &bytes, r->error);
        if (status == OK)
            status = scan_file(r, bytes, newest, &unfinished);
        mem_free((void *)(uintptr_t)bytes.data);
        if (status == OK && unfinished) {
            if (!r->wal->read_only)
                status = remove_file(r, r->names.files.items[i]);
            /* Or it may come back, the newest still, beside another one with its number. */
            if (status == OK && !r->wal->read_only)
                status = env_dir_sync(r->wal->env, r->wal->dir, r->error);
            r->wal->tail.sequence = before;
            r->names.files.count--;
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
                  wal->dir, r->first_index, wal->index.first - 1, wal->dir,
                  r->names.files.items[r->start]);
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
    wal->tail.offset = r->tail;
    wal->tail_size = r->size;
    wal->tail_link = r->link;
    wal->tail_closed = r->version != WAL__VERSION || r->end == WAL__END_TORN;
    if (wal->read_only)
        return OK;
    char *path = wal__file_path(wal->dir, wal->tail.sequence);
    status_t status = env_file_open(wal->env, path, 0, &wal->writer.file, r->error);
    if (status == OK)
        status = write_again(r, wal->writer.file);
    if (status == OK)
        status = env_dir_sync(wal->env, wal->dir, r->error);
    wal->writer.sequence = wal->tail.sequence;
    wal->writer.allocated = r->size;
    wal->writer.size = r->size;
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
    uint32_t needed = (uint32_t)(wal->tail.sequence - wal->oldest) + 1;
    ASSERT(needed <= wal->file_count);
    memmove(wal->files, wal->files + (wal->file_count - needed), needed * sizeof *wal->files);
    wal->file_count = needed;
    status_t status = OK;
    for (uint32_t i = 0; !wal->read_only && i < r->names.files.count &&
                         r->names.files.items[i] < wal->oldest && status == OK;
         i++)
        status = remove_file(r, r->names.files.items[i]);
    return status;
}

static status_t begin_log(struct wal *wal, struct error *error)
{
    wal__index_init(&wal->index, 1, 0);
    wal->tail = (struct wal__position){0};
    wal->tail_size = 0;
    wal->oldest = 1;
    struct wal__chunk chunk = {0};
    uint8_t bytes[WAL__FILE_HEADER_SIZE];
    wal__file_begin(wal, &chunk, bytes);
    status_t status =
        wal__writer_begin_file(&wal->writer, &chunk, slice_make(bytes, sizeof bytes), error);
    wal->files[0].on_disk = chunk.file_size;
    return status;
}

static status_t keep_spares(struct recovery *r)
{
    status_t status = OK;
    for (uint32_t i = 0; i < r->names.spares.count && status == OK; i++)
        status = wal__spare_found(r->wal, r->names.spares.items[i], r->error);
    return status;
}

status_t wal__recover(struct wal *wal, struct error *error)
{
    struct recovery r = {.wal = wal, .error = error};
    status_t status = wal__names_list(wal->env, wal->dir, &r.names, error);
    if (status == OK) {
        find_start(&r);
        status = scan_files(&r);
    }
    if (status == OK && r.begun)
        status = check_complete(&r);
    if (status == OK && !wal->read_only)
        status = keep_spares(&r);
    if (status == OK && !r.begun) {
        status = wal->read_only
                     ? error_set(error, ERR_NOT_FOUND, "there is no log in \"%s\"", wal->dir)
                     : begin_log(wal, error);
    } else if (status == OK) {
        status = open_newest(&r);
        if (status == OK)
            status = remove_old(&r);
        if (status == OK && !wal->read_only)
            wal__spares_settle(wal); /* open_newest has synced the directory */
    }
    wal->durable_index = status == OK ? wal__index_last(&wal->index) : 0;
    wal->taken_index = wal->durable_index;
    wal__names_free(&r.names);
    return status;
}
