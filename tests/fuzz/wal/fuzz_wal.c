/* A log directory with two files of any bytes whatever. Opening either refuses, or gives a log that
 * reads back whole, takes another entry, and opens again with it. */
#include "fuzz_wal.h"

#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "env_sim.h"

const struct wal_config fuzz_wal_config = {.dir = "log",
                                           .cluster_id = FUZZ_CLUSTER_ID,
                                           .node_id = FUZZ_NODE_ID,
                                           .segment_size = 2048,
                                           .zero_step = 2048};

/* Where the file sealed before ends, and with what. */
struct chain {
    uint64_t end;
    uint32_t link;
};

/* The record at `from`, whatever it is, made into one whose CRCs and link are right. Returns its
 * size. */
static size_t seal_record(struct buffer *out, const struct wal__place *place, struct slice from,
                          uint32_t *link)
{
    if (from.size < WAL__RECORD_HEADER_SIZE || from.data[16] == 0)
        return 0;
    size_t room = from.size - WAL__RECORD_HEADER_SIZE;
    size_t size = get_u32_le(from.data + 8);
    struct wal__record record = {
        .type = (enum wal__record_type)((from.data[16] - 1) % 4 + 1),
        .entry_type = from.data[17],
        .batch = get_u32_le(from.data + 12) % (uint32_t)(place->offset + 1),
        .link = place->version == 1 ? 0 : *link,
        .index = get_u64_le(from.data + 24),
        .term = get_u64_le(from.data + 32),
        .payload = slice_make(from.data + WAL__RECORD_HEADER_SIZE, size < room ? size : room),
    };
    size_t whole = (size_t)wal__record_size(record.payload.size);
    status_t status = buffer_reserve(out, whole);
    ASSERT(status == OK);
    *link = wal__record_encode(out, place, &record);
    return whole < from.size ? whole : from.size;
}

/* The file with its CRCs put right up to the first place that cannot be a record. */
static void seal_file(struct buffer *out, uint32_t version, uint64_t sequence, struct slice bytes,
                      struct chain *chain)
{
    if (bytes.size < WAL__FILE_HEADER_SIZE) {
        buffer_append_slice(out, bytes);
        return;
    }
    uint64_t first = get_u64_le(bytes.data + 40), next = get_u64_le(bytes.data + 56);
    struct wal__file_header header = {
        .version = version,
        .sequence = sequence,
        .cluster_id = FUZZ_CLUSTER_ID,
        .node_id = FUZZ_NODE_ID,
        .first_index = first == 0 ? 1 : first,
        .first_term = get_u64_le(bytes.data + 48),
        .next_index = next < first || next == 0 ? (first == 0 ? 1 : first) : next,
        .last_term = get_u64_le(bytes.data + 64),
        .hard_state = {.term = get_u64_le(bytes.data + 72),
                       .vote = get_u64_le(bytes.data + 80),
                       .commit = get_u64_le(bytes.data + 88)},
    };
    if (version != 1) {
        header.salt = get_u64_le(bytes.data + 112);
        header.before_end = chain->end;
        header.before_link = chain->link;
    }
    uint8_t encoded[WAL__FILE_HEADER_SIZE];
    chain->link = wal__file_header_encode(encoded, &header);
    buffer_append(out, encoded, sizeof encoded);
    struct wal__place place = {.cluster_id = FUZZ_CLUSTER_ID,
                               .node_id = FUZZ_NODE_ID,
                               .sequence = sequence,
                               .offset = WAL__FILE_HEADER_SIZE,
                               .salt = header.salt,
                               .version = version};
    size_t at = WAL__FILE_HEADER_SIZE, size;
    while ((size = seal_record(out, &place, slice_make(bytes.data + at, bytes.size - at),
                               &chain->link)) > 0) {
        at += size;
        place.offset = out->size;
    }
    chain->end = place.offset;
    buffer_append(out, bytes.data + at, bytes.size - at);
}

static void put_file(struct env_sim *sim, uint64_t sequence, struct slice bytes, unsigned choices,
                     struct chain *chain)
{
    struct buffer sealed = {0};
    if (choices & FUZZ_SEAL) {
        seal_file(&sealed, choices & FUZZ_VERSION_1 ? 1 : WAL__VERSION, sequence, bytes, chain);
        bytes = buffer_slice(&sealed);
    }
    char *path = wal__file_path(fuzz_wal_config.dir, sequence);
    struct env_file *file = NULL;
    status_t status = env_file_open(env_sim_env(sim), path, ENV_OPEN_CREATE, &file, NULL);
    ASSERT(status == OK);
    status = env_file_write(file, 0, bytes.data, bytes.size, NULL);
    ASSERT(status == OK);
    env_file_close(file);
    mem_free(path);
    buffer_free(&sealed);
}

static void read_all(struct wal *wal)
{
    struct arena arena;
    arena_init(&arena);
    uint64_t last = wal_last_index(wal);
    for (uint64_t at = wal_first_index(wal); at <= last;) {
        struct raft_entry *entries = NULL;
        uint32_t count = 0;
        status_t status = wal_read(wal, at, last + 1, 1000, &arena, &entries, &count, NULL);
        ASSERT(status == OK && count > 0 && entries[0].index == at);
        at += count;
    }
    arena_free(&arena);
}

static void use_log(struct env_sim *sim, struct wal *wal)
{
    read_all(wal);
    uint64_t last = wal_last_index(wal);
    uint64_t first = wal_first_index(wal);
    if (last >= RAFT_INDEX_MAX) {
        wal_close(wal);
        return;
    }
    struct raft_entry entry = {.index = last + 1, .term = 77, .type = 1, .data = {0}};
    status_t status = wal_stage(wal, NULL, &entry, 1);
    ASSERT(status == OK);
    status = wal_flush(wal, NULL);
    ASSERT(status == OK);
    wal_close(wal);
    struct wal *again = NULL;
    status = wal_open(env_sim_env(sim), &fuzz_wal_config, &again, NULL);
    ASSERT(status == OK);
    ASSERT(wal_last_index(again) == last + 1 && wal_first_index(again) == first);
    read_all(again);
    wal_close(again);
}

static bool dump_record(void *context, const struct wal_dump_record *record)
{
    uint64_t *sum = context;
    for (size_t i = 0; i < record->data.size; i++)
        *sum += record->data.data[i];
    return *sum != UINT64_MAX;
}

/* A tool reads it, whatever it is. */
static void look_at(struct env_sim *sim)
{
    uint64_t sum = 0;
    struct wal_dump dump = {.context = &sum, .record = dump_record};
    status_t status = wal_dump(env_sim_env(sim), fuzz_wal_config.dir, &dump, NULL);
    ASSERT(status == OK || status == ERR_FORMAT);
}

/* For looking only: it says the same, and leaves all as it was for the opening after it. */
static bool read_only_opens(struct env_sim *sim)
{
    struct wal_config config = fuzz_wal_config;
    struct wal *wal = NULL;
    config.read_only = true;
    if (wal_open(env_sim_env(sim), &config, &wal, NULL) != OK)
        return false;
    read_all(wal);
    wal_close(wal);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < FUZZ_HEADER_SIZE)
        return 0;
    log_configure(LOG_OFF, NULL, NULL);
    struct env_sim *sim = env_sim_create(1);
    status_t status = env_dir_create(env_sim_env(sim), fuzz_wal_config.dir, NULL);
    ASSERT(status == OK);
    struct chain chain = {0};
    struct slice files = slice_make(data + FUZZ_HEADER_SIZE, size - FUZZ_HEADER_SIZE);
    size_t first = get_u16_le(data + 1);
    if (first > files.size)
        first = files.size;
    put_file(sim, 1, slice_make(files.data, first), data[0], &chain);
    if (first < files.size)
        put_file(sim, 2, slice_make(files.data + first, files.size - first), data[0], &chain);
    look_at(sim);
    bool readable = read_only_opens(sim);
    struct wal *wal = NULL;
    struct error error = {0};
    status = wal_open(env_sim_env(sim), &fuzz_wal_config, &wal, &error);
    /* Only a log that is none yet is begun by one and missed by the other. */
    ASSERT(!readable || status == OK);
    if (status == OK)
        use_log(sim, wal);
    else
        ASSERT(error.message[0] != '\0');
    env_sim_destroy(sim);
    return 0;
}
