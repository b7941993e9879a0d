/* Recovery: what is cut, what is refused, what is said. */
#include <stdio.h>
#include <string.h>

#include "test_wal.h"
#include "wal/wal_int.h"

#define FILE_1 DIR "/wal-0000000000000001.log"
#define FILE_2 DIR "/wal-0000000000000002.log"
#define FILE_3 DIR "/wal-0000000000000003.log"

/* Entries of 100 bytes take 40 + 104 bytes in the file; the first lies behind the header. */
#define ENTRY_SIZE  144
#define ENTRY_AT(n) (WAL__FILE_HEADER_SIZE + (uint64_t)ENTRY_SIZE * ((n)-1))

/* `batches` batches of three entries each. */
static struct env_sim *with_batches(uint64_t batches)
{
    struct env_sim *sim = env_sim_create(1);
    struct wal *wal = open_ok(sim);
    for (uint64_t i = 0; i < batches; i++)
        append(wal, i * 3 + 1, i * 3 + 3, 1, 100);
    wal_close(wal);
    return sim;
}

static void expect_cut_to(struct env_sim *sim, uint64_t last)
{
    struct wal *wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), last);
    if (last > 0)
        expect(wal, 1, last, 1, 100);
    /* The log goes on where it was cut, and what was behind does not come back. */
    append(wal, last + 1, last + 1, 1, 100);
    wal_close(wal);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), last + 1);
    expect(wal, 1, last + 1, 1, 100);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_a_torn_end_is_cut(void **state)
{
    (void)state;
    /* Damage at any place in the last batch: all from there on goes, the same batch's valid records
     * behind it too. */
    for (uint64_t n = 4; n <= 6; n++) {
        for (uint64_t at = 0; at < ENTRY_SIZE; at++) {
            struct env_sim *sim = with_batches(2);
            flip(sim, FILE_1, ENTRY_AT(n) + at);
            expect_cut_to(sim, n - 1);
        }
    }
}

static void test_a_short_file_is_a_torn_end(void **state)
{
    (void)state;
    for (uint64_t size = ENTRY_AT(4); size <= ENTRY_AT(7); size++) {
        struct env_sim *sim = with_batches(2);
        struct env_file *file = NULL;
        assert_int_equal(env_file_open(env_sim_env(sim), FILE_1, 0, &file, NULL), OK);
        assert_int_equal(env_file_truncate(file, size, NULL), OK);
        env_file_close(file);
        expect_cut_to(sim, (size - WAL__FILE_HEADER_SIZE) / ENTRY_SIZE);
    }
}

static void test_damage_before_the_last_batch_is_corruption(void **state)
{
    (void)state;
    for (uint64_t at = ENTRY_AT(1); at < ENTRY_AT(4); at++) {
        struct env_sim *sim = with_batches(2);
        flip(sim, FILE_1, at);
        char where[32];
        (void)snprintf(where, sizeof where, "offset %d",
                       (int)ENTRY_AT((at - ENTRY_AT(1)) / ENTRY_SIZE + 1));
        open_fails(sim, ERR_CORRUPT, where);
        open_fails(sim, ERR_CORRUPT, FILE_1); /* refusing has changed nothing */
        env_sim_destroy(sim);
    }
}

static void test_a_hole_of_zeros_is_corruption(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(2);
    static const uint8_t zeros[3 * ENTRY_SIZE];
    overwrite(sim, FILE_1, ENTRY_AT(1), zeros, sizeof zeros);
    open_fails(sim, ERR_CORRUPT, "offset 128");
    env_sim_destroy(sim);
}

static void test_damage_in_an_older_file_is_corruption(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(20);
    assert_int_equal(file_count(sim), 3);
    uint64_t last = ENTRY_AT((4096 - WAL__FILE_HEADER_SIZE) / ENTRY_SIZE);
    flip(sim, FILE_1, last + 50); /* the last record, with nothing behind it in this file */
    open_fails(sim, ERR_CORRUPT, FILE_1);
    env_sim_destroy(sim);

    /* The last record all zeros: the file looks clean, the next one's header knows better. */
    sim = with_batches(20);
    static const uint8_t zeros[ENTRY_SIZE];
    overwrite(sim, FILE_1, last, zeros, sizeof zeros);
    open_fails(sim, ERR_CORRUPT, "durable is damaged or missing");
    open_fails(sim, ERR_CORRUPT, FILE_1);
    env_sim_destroy(sim);
}

static void test_a_damaged_header_is_corruption(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < WAL__FILE_HEADER_SIZE; at++) {
        bool version = at >= 8 && at < 12;
        struct env_sim *sim = with_batches(20);
        flip(sim, FILE_1, at);
        open_fails(sim, version ? ERR_FORMAT : ERR_CORRUPT, version ? "version" : FILE_1);
        flip(sim, FILE_1, at);
        flip(sim, FILE_3, at);
        open_fails(sim, version ? ERR_FORMAT : ERR_CORRUPT, version ? "version" : FILE_3);
        env_sim_destroy(sim);
    }
}

static void test_a_missing_file_is_corruption(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(20);
    assert_int_equal(env_file_remove(env_sim_env(sim), FILE_1, NULL), OK);
    open_fails(sim, ERR_CORRUPT, "lacks entries 1 to 27");
    env_sim_destroy(sim);

    sim = with_batches(20);
    assert_int_equal(env_file_remove(env_sim_env(sim), FILE_2, NULL), OK);
    open_fails(sim, ERR_CORRUPT, "lacks entries 1 to");
    assert_int_equal(file_count(sim), 2);
    env_sim_destroy(sim);

    sim = with_batches(20);
    assert_int_equal(env_file_remove(env_sim_env(sim), FILE_1, NULL), OK);
    assert_int_equal(env_file_rename(env_sim_env(sim), FILE_2, FILE_1, NULL), OK);
    assert_int_equal(env_file_rename(env_sim_env(sim), FILE_3, FILE_2, NULL), OK);
    open_fails(sim, ERR_CORRUPT, "the name of another");
    env_sim_destroy(sim);
}

static void test_an_unfinished_file_is_removed(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(1);
    make_version_1(sim);
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(env_sim_env(sim), FILE_2, ENV_OPEN_CREATE, &file, NULL), OK);
    assert_int_equal(env_file_preallocate(file, 0, 1024, NULL), OK);
    env_file_close(file);
    struct wal *wal = open_ok(sim);
    assert_int_equal(file_count(sim), 1);
    expect(wal, 1, 3, 1, 100);
    append(wal, 4, 60, 1, 100);
    wal_close(wal);
    env_sim_destroy(sim);

    /* But nowadays a file has no name before its header. */
    sim = with_batches(1);
    assert_int_equal(env_file_open(env_sim_env(sim), FILE_2, ENV_OPEN_CREATE, &file, NULL), OK);
    assert_int_equal(env_file_preallocate(file, 0, 1024, NULL), OK);
    env_file_close(file);
    open_fails(sim, ERR_CORRUPT, FILE_2);
    env_sim_destroy(sim);

    /* The same of the very first; but a later one alone is what is left of a log. */
    sim = env_sim_create(1);
    assert_int_equal(env_dir_create(env_sim_env(sim), DIR, NULL), OK);
    assert_int_equal(env_file_open(env_sim_env(sim), FILE_1, ENV_OPEN_CREATE, &file, NULL), OK);
    env_file_close(file);
    wal = open_ok(sim);
    assert_int_equal(wal_last_index(wal), 0);
    wal_close(wal);
    env_sim_destroy(sim);

    sim = env_sim_create(1);
    assert_int_equal(env_dir_create(env_sim_env(sim), DIR, NULL), OK);
    assert_int_equal(env_file_open(env_sim_env(sim), FILE_2, ENV_OPEN_CREATE, &file, NULL), OK);
    env_file_close(file);
    open_fails(sim, ERR_CORRUPT, FILE_2);
    env_sim_destroy(sim);
}

/* Bytes of a log within a log's entry are data, wherever the torn place is. */
static void test_records_inside_an_entry_are_not_found(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(3);
    static uint8_t image[ENTRY_SIZE * 10];
    struct env_file *file = NULL;
    size_t got;
    assert_int_equal(env_file_open(env_sim_env(sim), FILE_1, 0, &file, NULL), OK);
    assert_int_equal(env_file_read(file, WAL__FILE_HEADER_SIZE, image, sizeof image, &got, NULL),
                     OK);
    env_file_close(file);
    struct wal *wal = open_ok(sim);
    struct raft_entry entry = {.index = 10,
                               .term = 1,
                               .type = RAFT_ENTRY_COMMAND,
                               .data = slice_make(image, sizeof image)};
    assert_int_equal(wal_stage(wal, NULL, &entry, 1), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    wal_close(wal);
    flip(sim, FILE_1, ENTRY_AT(10) + 2);
    expect_cut_to(sim, 9);
}

/* A torn batch is cut, a new one of the same shape is written there: the rest of the old one, which
 * lies exactly where the new one ends, must not follow on it. */
static void test_old_records_do_not_follow_new_ones(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct env_sim *sim = env_sim_create(seed);
        struct wal *wal = open_ok(sim);
        append(wal, 1, 3, 1, 100);
        wal_close(wal);
        struct wal *torn = open_ok(sim);
        append(torn, 4, 9, 1, 100);
        wal_close(torn);
        flip(sim, FILE_1, ENTRY_AT(4));
        wal = open_ok(sim);
        assert_int_equal(wal_last_index(wal), 3);
        append(wal, 4, 4, 2, 100);
        wal_close(wal);
        env_sim_crash(sim);
        wal = open_ok(sim);
        assert_int_equal(wal_last_index(wal), 4);
        expect(wal, 4, 4, 2, 100);
        wal_close(wal);
        env_sim_destroy(sim);
    }
}

static void test_damage_is_met_when_reading(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(3);
    struct wal *wal = open_ok(sim);
    flip(sim, FILE_1, ENTRY_AT(2) + 60);
    struct arena arena;
    arena_init(&arena);
    struct raft_entry *entries;
    uint32_t count;
    struct error error = {0};
    assert_int_equal(wal_read(wal, 1, 2, 1000, &arena, &entries, &count, &error), OK);
    assert_int_equal(wal_read(wal, 1, 4, 1000, &arena, &entries, &count, &error), ERR_CORRUPT);
    assert_non_null(strstr(error.message, "offset 272"));
    assert_non_null(strstr(error.hint, "empty"));
    arena_free(&arena);
    wal_close(wal);
    env_sim_destroy(sim);
}

static void test_foreign_files_are_left_alone(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(1);
    static const char *const names[] = {DIR "/README", DIR "/wal-1.log",
                                        DIR "/wal-000000000000000G.log"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct env_file *file = NULL;
        assert_int_equal(env_file_open(env_sim_env(sim), names[i], ENV_OPEN_CREATE, &file, NULL),
                         OK);
        env_file_close(file);
    }
    struct wal *wal = open_ok(sim);
    expect(wal, 1, 3, 1, 100);
    wal_close(wal);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(env_file_remove(env_sim_env(sim), names[i], NULL), OK);
    env_sim_destroy(sim);
}

/* ---- as a tool sees it ---------------------------------------------------------------------- */

struct seen {
    int files, ends[4];
    uint64_t entries, last_index, bytes;
    int hard_states, compactions, resets;
    uint64_t commit, stop_after;
};

static bool see_file(void *context, const struct wal_dump_file *file)
{
    struct seen *seen = context;
    seen->files++;
    assert_true(file->version == 0 || file->node_id == test_config.node_id);
    return true;
}

static bool see_record(void *context, const struct wal_dump_record *record)
{
    struct seen *seen = context;
    assert_true(record->offset >= WAL__FILE_HEADER_SIZE && record->batch <= record->offset);
    switch (record->type) {
    case WAL_RECORD_ENTRY:
        assert_int_equal(record->entry_type, RAFT_ENTRY_COMMAND);
        seen->entries++;
        seen->last_index = record->index;
        seen->bytes += record->data.size;
        break;
    case WAL_RECORD_HARD_STATE:
        seen->hard_states++;
        seen->commit = record->hard_state.commit;
        break;
    case WAL_RECORD_COMPACT:
        seen->compactions++;
        break;
    case WAL_RECORD_RESET:
        seen->resets++;
        break;
    }
    return seen->entries != seen->stop_after;
}

static bool see_end(void *context, uint64_t offset, enum wal_dump_end end)
{
    struct seen *seen = context;
    assert_true(offset >= WAL__FILE_HEADER_SIZE || end == WAL_DUMP_BAD_HEADER);
    seen->ends[end]++;
    return true;
}

static struct seen look(struct env_sim *sim, uint64_t stop_after)
{
    struct seen seen = {.stop_after = stop_after};
    struct wal_dump dump = {
        .context = &seen, .file = see_file, .record = see_record, .end = see_end};
    assert_int_equal(wal_dump(env_sim_env(sim), DIR, &dump, NULL), OK);
    return seen;
}

static void test_a_dump_tells_what_is_there(void **state)
{
    (void)state;
    struct env_sim *sim = with_batches(20);
    struct wal *wal = open_ok(sim);
    struct raft_hard_state hard_state = {.term = 3, .vote = 1, .commit = 44};
    assert_int_equal(wal_stage(wal, &hard_state, NULL, 0), OK);
    assert_int_equal(wal_compact(wal, 1), OK);
    assert_int_equal(wal_flush(wal, NULL), OK);
    struct seen seen = look(sim, 0); /* beside the node */
    assert_int_equal(seen.files, 3);
    assert_int_equal(seen.entries, 60);
    assert_int_equal(seen.bytes, 6000);
    assert_int_equal(seen.last_index, 60);
    assert_int_equal(seen.hard_states, 1);
    assert_int_equal(seen.commit, 44);
    assert_int_equal(seen.compactions, 1);
    assert_int_equal(seen.ends[WAL_DUMP_CLEAN], 3);
    assert_int_equal(look(sim, 5).entries, 5);
    wal_close(wal);
    /* What cannot be opened can be looked at. */
    flip(sim, FILE_1, ENTRY_AT(4));
    flip(sim, FILE_2, 40);
    seen = look(sim, 0);
    assert_int_equal(seen.files, 3);
    assert_int_equal(seen.ends[WAL_DUMP_CORRUPT], 1);
    assert_int_equal(seen.ends[WAL_DUMP_BAD_HEADER], 1);
    assert_int_equal(seen.ends[WAL_DUMP_CLEAN], 1);
    open_fails(sim, ERR_CORRUPT, FILE_1);
    env_sim_destroy(sim);

    sim = with_batches(2);
    flip(sim, FILE_1, ENTRY_AT(4));
    assert_int_equal(look(sim, 0).ends[WAL_DUMP_TORN], 1);
    struct wal_dump dump = {0};
    assert_int_equal(wal_dump(env_sim_env(sim), "nowhere", &dump, NULL), ERR_NOT_FOUND);
    assert_int_equal(wal_dump(env_sim_env(sim), DIR, &dump, NULL), OK);
    env_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_torn_end_is_cut),
        cmocka_unit_test(test_a_short_file_is_a_torn_end),
        cmocka_unit_test(test_damage_before_the_last_batch_is_corruption),
        cmocka_unit_test(test_a_hole_of_zeros_is_corruption),
        cmocka_unit_test(test_damage_in_an_older_file_is_corruption),
        cmocka_unit_test(test_a_damaged_header_is_corruption),
        cmocka_unit_test(test_a_missing_file_is_corruption),
        cmocka_unit_test(test_an_unfinished_file_is_removed),
        cmocka_unit_test(test_records_inside_an_entry_are_not_found),
        cmocka_unit_test(test_old_records_do_not_follow_new_ones),
        cmocka_unit_test(test_damage_is_met_when_reading),
        cmocka_unit_test(test_foreign_files_are_left_alone),
        cmocka_unit_test(test_a_dump_tells_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
