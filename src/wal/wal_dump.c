/* Reading a log as it lies there, for people who want to see what is in it. Nothing is judged but
 * each file by itself, so that a log that cannot be opened can be looked at. */
#include "base/mem.h"
#include "wal/wal_int.h"

_Static_assert((int)WAL_RECORD_ENTRY == WAL__ENTRY &&
                   (int)WAL_RECORD_HARD_STATE == WAL__HARD_STATE &&
                   (int)WAL_RECORD_COMPACT == WAL__COMPACT && (int)WAL_RECORD_RESET == WAL__RESET,
               "the same to everybody");

struct walk {
    const struct wal_dump *dump;
    const char *dir;
    bool ended; /* a callback said so */
};

static void tell_file(struct walk *walk, uint64_t sequence, uint64_t size,
                      const struct wal__file_header *header)
{
    struct wal_dump_file file = {.sequence = sequence,
                                 .size = size,
                                 .version = header->version,
                                 .cluster_id = header->cluster_id,
                                 .node_id = header->node_id,
                                 .first_index = header->first_index,
                                 .first_term = header->first_term,
                                 .next_index = header->next_index,
                                 .last_term = header->last_term,
                                 .hard_state = header->hard_state};
    if (walk->dump->file != NULL)
        walk->ended = !walk->dump->file(walk->dump->context, &file);
}

static void tell_record(struct walk *walk, uint64_t offset, const struct wal__record *record)
{
    struct wal_dump_record told = {.offset = offset,
                                   .size = wal__record_size(record->payload.size),
                                   .batch = record->batch,
                                   .type = (enum wal_record_type)record->type};
    /* One of another size than ours is told without its commit: that is what recovery refuses. */
    if (record->type == WAL__HARD_STATE) {
        if (!wal__record_hard_state(record, &told.hard_state))
            told.hard_state = (struct raft_hard_state){.term = record->index, .vote = record->term};
    } else {
        told.index = record->index;
        told.term = record->term;
    }
    if (record->type == WAL__ENTRY) {
        told.entry_type = record->entry_type;
        told.data = record->payload;
    }
    if (walk->dump->record != NULL)
        walk->ended = !walk->dump->record(walk->dump->context, &told);
}

static void tell_end(struct walk *walk, uint64_t offset, enum wal_dump_end end)
{
    if (!walk->ended && walk->dump->end != NULL)
        walk->ended = !walk->dump->end(walk->dump->context, offset, end);
}

static status_t walk_file(struct walk *walk, uint64_t sequence, struct slice bytes,
                          struct error *error)
{
    struct wal__file_header header = {0};
    uint32_t version = 0;
    enum wal__header_state state = wal__file_header_decode(bytes, &header, &version);
    if (state == WAL__HEADER_OTHER_VERSION)
        return error_set(error, ERR_FORMAT,
                         "log in \"%s\" has format version %u, this program reads 1 to %d",
                         walk->dir, version, WAL__VERSION);
    tell_file(walk, sequence, bytes.size, &header);
    if (state != WAL__HEADER_OK) {
        tell_end(walk, 0, WAL_DUMP_BAD_HEADER);
        return OK;
    }
    struct wal__scan scan;
    wal__scan_init(&scan, bytes, &header);
    struct wal__record record;
    for (uint64_t offset = scan.place.offset; !walk->ended && wal__scan_next(&scan, &record);
         offset = scan.place.offset)
        tell_record(walk, offset, &record);
    if (walk->ended)
        return OK;
    switch (wal__scan_end(&scan)) {
    case WAL__END_CLEAN:
        tell_end(walk, scan.place.offset, WAL_DUMP_CLEAN);
        break;
    case WAL__END_TORN:
        tell_end(walk, scan.place.offset, WAL_DUMP_TORN);
        break;
    case WAL__END_CORRUPT:
        tell_end(walk, scan.place.offset, WAL_DUMP_CORRUPT);
        break;
    }
    return OK;
}

status_t wal_dump(struct env *env, const char *dir, const struct wal_dump *dump,
                  struct error *error)
{
    struct walk walk = {.dump = dump, .dir = dir};
    struct wal__names names;
    status_t status = wal__names_list(env, dir, &names, error);
    if (status == OK && names.files.count == 0)
        status = error_set(error, ERR_NOT_FOUND, "there is no log in \"%s\"", dir);
    for (uint32_t i = 0; i < names.files.count && status == OK && !walk.ended; i++) {
        struct slice bytes = {0};
        struct error gone;
        status = wal__file_read(env, dir, names.files.items[i], &bytes, &gone);
        if (status == ERR_NOT_FOUND) {
            status = OK; /* dropped meanwhile */
            continue;
        }
        if (status == OK)
            status = walk_file(&walk, names.files.items[i], bytes, error);
        else if (error != NULL)
            *error = gone;
        mem_free((void *)(uintptr_t)bytes.data);
    }
    wal__names_free(&names);
    return status;
}
