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
                                           .zero_step = 512};

/* The record at `from`, whatever it is, made into one whose CRCs are right. Returns its size. */
static size_t seal_record(struct buffer *out, const struct wal__place *place, struct slice from)
{
    if (from.size < WAL__RECORD_HEADER_SIZE || from.data[16] == 0)
        return 0;
    size_t room = from.size - WAL__RECORD_HEADER_SIZE;
    size_t size = get_u32_le(from.data + 8);
    struct wal__record record = {
        .type = (enum wal__record_type)((from.data[16] - 1) % 4 + 1),
        .entry_type = from.data[17],
        .batch = get_u32_le(from.data + 12) % (uint32_t)(place->offset + 1),
        .index = get_u64_le(from.data + 24),
        .term = get_u64_le(from.data + 32),
        .payload = slice_make(from.data + WAL__RECORD_HEADER_SIZE, size < room ? size : room),
    };
    size_t whole = (size_t)wal__record_size(record.payload.size);
    status_t status = buffer_reserve(out, whole);
    ASSERT(status == OK);
    wal__record_encode(out, place, &record);
    return whole < from.size ? whole : from.size;
}

/* The file with its CRCs put right up to the first place that cannot be a record. */
static void seal_file(struct buffer *out, uint64_t sequence, struct slice bytes)
{
    if (bytes.size < WAL__FILE_HEADER_SIZE) {
        buffer_append_slice(out, bytes);
        return;
    }
    uint64_t first = get_u64_le(bytes.data + 40), next = get_u64_le(bytes.data + 56);
    struct wal__file_header header = {
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
    uint8_t encoded[WAL__FILE_HEADER_SIZE];
    wal__file_header_encode(encoded, &header);
    buffer_append(out, encoded, sizeof encoded);
    struct wal__place place = {.cluster_id = FUZZ_CLUSTER_ID,
                               .node_id = FUZZ_NODE_ID,
                               .sequence = sequence,
                               .offset = WAL__FILE_HEADER_SIZE};
    size_t at = WAL__FILE_HEADER_SIZE, size;
    while ((size = seal_record(out, &place, slice_make(bytes.data + at, bytes.size - at))) > 0) {
        at += size;
        place.offset = out->size;
    }
    buffer_append(out, bytes.data + at, bytes.size - at);
}

static void put_file(struct env_sim *sim, uint64_t sequence, struct slice bytes, bool seal)
{
    struct buffer sealed = {0};
    if (seal) {
        seal_file(&sealed, sequence, bytes);
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
    arena_init(&arena, 0);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < FUZZ_HEADER_SIZE)
        return 0;
    log_configure(LOG_OFF, NULL, NULL);
    struct env_sim *sim = env_sim_create(1);
    status_t status = env_dir_create(env_sim_env(sim), fuzz_wal_config.dir, NULL);
    ASSERT(status == OK);
    bool seal = data[0] & FUZZ_SEAL;
    struct slice files = slice_make(data + FUZZ_HEADER_SIZE, size - FUZZ_HEADER_SIZE);
    size_t first = get_u16_le(data + 1);
    if (first > files.size)
        first = files.size;
    put_file(sim, 1, slice_make(files.data, first), seal);
    if (first < files.size)
        put_file(sim, 2, slice_make(files.data + first, files.size - first), seal);
    struct wal *wal = NULL;
    struct error error = {0};
    status = wal_open(env_sim_env(sim), &fuzz_wal_config, &wal, &error);
    if (status == OK)
        use_log(sim, wal);
    else
        ASSERT(error.message[0] != '\0');
    env_sim_destroy(sim);
    return 0;
}
