/* What the unit tests of wal share. */
#include "test_wal.h"

#include <string.h>

#include "base/mem.h"
#include "wal/wal_int.h"

const struct wal_config test_config = {
    .dir = DIR, .cluster_id = 0xc0ffee, .node_id = 3, .segment_size = 4096, .zero_step = 4096};

struct wal *open_ok(struct env_sim *sim)
{
    struct wal *wal = NULL;
    struct error error = {0};
    status_t status = wal_open(env_sim_env(sim), &test_config, &wal, &error);
    if (status != OK)
        print_error("%s\n", error.message);
    assert_int_equal(status, OK);
    return wal;
}

void open_fails(struct env_sim *sim, status_t status, const char *text)
{
    struct wal *wal = NULL;
    struct error error = {0};
    assert_int_equal(wal_open(env_sim_env(sim), &test_config, &wal, &error), status);
    assert_null(wal);
    if (strstr(error.message, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, error.message);
}

static void fill(uint8_t *data, size_t size, uint64_t index, uint64_t term)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(index * 7 + term * 31 + i);
}

void stage(struct wal *wal, uint64_t first, uint64_t last, uint64_t term, size_t size)
{
    uint32_t count = (uint32_t)(last - first + 1);
    struct raft_entry *entries = mem_zalloc(count, sizeof *entries);
    uint8_t *data = mem_alloc(size * count);
    for (uint32_t i = 0; i < count; i++) {
        fill(data + i * size, size, first + i, term);
        entries[i] = (struct raft_entry){.index = first + i,
                                         .term = term,
                                         .type = RAFT_ENTRY_COMMAND,
                                         .data = slice_make(data + i * size, size)};
    }
    assert_int_equal(wal_stage(wal, NULL, entries, count), OK);
    mem_free(data);
    mem_free(entries);
}

void append(struct wal *wal, uint64_t first, uint64_t last, uint64_t term, size_t size)
{
    stage(wal, first, last, term, size);
    struct error error = {0};
    assert_int_equal(wal_flush(wal, &error), OK);
}

void expect(struct wal *wal, uint64_t first, uint64_t last, uint64_t term, size_t size)
{
    struct arena arena;
    arena_init(&arena);
    uint8_t *data = mem_alloc(size);
    for (uint64_t at = first; at <= last;) {
        struct raft_entry *entries;
        uint32_t count;
        assert_int_equal(wal_read(wal, at, last + 1, 1 << 20, &arena, &entries, &count, NULL), OK);
        assert_true(count > 0);
        for (uint32_t i = 0; i < count; i++, at++) {
            fill(data, size, at, term);
            assert_int_equal(entries[i].index, at);
            assert_int_equal(entries[i].term, term);
            assert_int_equal(entries[i].type, RAFT_ENTRY_COMMAND);
            assert_int_equal(entries[i].data.size, size);
            assert_memory_equal(entries[i].data.data, data, size);
            uint64_t stored;
            assert_int_equal(wal_term(wal, at, &stored), OK);
            assert_int_equal(stored, term);
        }
    }
    mem_free(data);
    arena_free(&arena);
}

static struct env_file *open_file(struct env_sim *sim, const char *path)
{
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(env_sim_env(sim), path, 0, &file, NULL), OK);
    return file;
}

void overwrite(struct env_sim *sim, const char *path, uint64_t offset, const void *data,
               size_t size)
{
    struct env_file *file = open_file(sim, path);
    assert_int_equal(env_file_write(file, offset, data, size, NULL), OK);
    assert_int_equal(env_file_sync(file, NULL), OK);
    env_file_close(file);
}

void flip(struct env_sim *sim, const char *path, uint64_t offset)
{
    struct env_file *file = open_file(sim, path);
    uint8_t byte;
    size_t got;
    assert_int_equal(env_file_read(file, offset, &byte, 1, &got, NULL), OK);
    assert_int_equal(got, 1);
    env_file_close(file);
    byte ^= 0xff;
    overwrite(sim, path, offset, &byte, 1);
}

uint64_t file_size(struct env_sim *sim, const char *path)
{
    struct env_file *file = open_file(sim, path);
    uint64_t size;
    assert_int_equal(env_file_size(file, &size, NULL), OK);
    env_file_close(file);
    return size;
}

struct counts {
    int files, spares;
};

static void count_name(void *context, const char *name)
{
    struct counts *counts = context;
    uint64_t number;
    counts->files += wal__file_name_parse(name, &number);
    counts->spares += wal__spare_name_parse(name, &number);
}

static struct counts count_names(struct env_sim *sim)
{
    struct counts counts = {0};
    assert_int_equal(env_dir_list(env_sim_env(sim), DIR, count_name, &counts, NULL), OK);
    return counts;
}

int file_count(struct env_sim *sim)
{
    return count_names(sim).files;
}

int spare_count(struct env_sim *sim)
{
    return count_names(sim).spares;
}

/* ---- the first version of the format -------------------------------------------------------- */

static void file_to_version_1(struct buffer *out, struct slice bytes)
{
    struct wal__file_header header;
    uint32_t version;
    assert_int_equal(wal__file_header_decode(bytes, &header, &version), WAL__HEADER_OK);
    struct wal__scan scan;
    wal__scan_init(&scan, bytes, &header);
    header.version = 1;
    header.salt = 0;
    header.before_end = 0;
    header.before_link = 0;
    assert_int_equal(buffer_reserve(out, bytes.size), OK);
    wal__file_header_encode(out->data, &header);
    out->size = WAL__FILE_HEADER_SIZE;
    struct wal__place place = scan.place;
    place.version = 1;
    place.salt = 0;
    struct wal__record record;
    while (wal__scan_next(&scan, &record)) {
        place.offset = out->size;
        record.link = 0;
        wal__record_encode(out, &place, &record);
    }
    while (out->size < bytes.size)
        assert_int_equal(buffer_append_byte(out, 0), OK);
}

void make_version_1(struct env_sim *sim)
{
    struct wal__names names;
    assert_int_equal(wal__names_list(env_sim_env(sim), DIR, &names, NULL), OK);
    for (uint32_t i = 0; i < names.files.count; i++) {
        struct slice bytes;
        uint64_t sequence = names.files.items[i];
        assert_int_equal(wal__file_read(env_sim_env(sim), DIR, sequence, &bytes, NULL), OK);
        struct buffer old = {0};
        file_to_version_1(&old, bytes);
        char *path = wal__file_path(DIR, sequence);
        overwrite(sim, path, 0, old.data, old.size);
        mem_free(path);
        buffer_free(&old);
        mem_free((void *)(uintptr_t)bytes.data);
    }
    wal__names_free(&names);
}
