/* The simulated machine: what a test may rely on when it cuts the power or orders failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "env/env.h"
#include "env_sim.h"

static struct env_file *open_file(struct env_sim *sim, const char *path, unsigned flags)
{
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(env_sim_env(sim), path, flags, &file, NULL), OK);
    return file;
}

static void expect_text(struct env_sim *sim, const char *path, const char *text)
{
    struct env_file *file = open_file(sim, path, 0);
    char data[64] = {0};
    size_t got;
    assert_int_equal(env_file_read(file, 0, data, sizeof data - 1, &got, NULL), OK);
    assert_string_equal(data, text);
    env_file_close(file);
}

static bool exists(struct env_sim *sim, const char *path)
{
    struct env_file *file = NULL;
    bool there = env_file_open(env_sim_env(sim), path, 0, &file, NULL) == OK;
    env_file_close(file);
    return there;
}

/* A file "d/a" holding "old", durable, name and all. */
static struct env_file *durable_file(struct env_sim *sim)
{
    assert_int_equal(env_dir_create(env_sim_env(sim), "d", NULL), OK);
    struct env_file *file = open_file(sim, "d/a", ENV_OPEN_CREATE);
    assert_int_equal(env_file_write(file, 0, "old", 3, NULL), OK);
    assert_int_equal(env_file_sync(file, NULL), OK);
    assert_int_equal(env_dir_sync(env_sim_env(sim), "d", NULL), OK);
    return file;
}

static void test_only_synced_bytes_survive(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    struct env_file *file = durable_file(sim);
    assert_int_equal(env_file_write(file, 0, "newer", 5, NULL), OK);
    expect_text(sim, "d/a", "newer");
    env_sim_crash(sim);
    assert_int_equal(env_file_write(file, 0, "x", 1, NULL), ERR_IO); /* dead handle */
    env_file_close(file);
    expect_text(sim, "d/a", "old");

    env_sim_set_survival(sim, ENV_SIM_SURVIVE_ALL);
    file = open_file(sim, "d/a", 0);
    assert_int_equal(env_file_write(file, 0, "newer", 5, NULL), OK);
    env_sim_crash(sim);
    env_file_close(file);
    expect_text(sim, "d/a", "newer");
    env_file_close(open_file(sim, "d/b", ENV_OPEN_CREATE));
    env_sim_crash(sim);
    assert_true(exists(sim, "d/b"));
    /* The program is back, the bytes and the name are there, and still not durable. */
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    env_sim_crash(sim);
    expect_text(sim, "d/a", "old");
    assert_false(exists(sim, "d/b"));
    env_sim_destroy(sim);
}

static void test_names_survive_dir_sync_only(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    struct env *env = env_sim_env(sim);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    env_file_close(durable_file(sim));
    struct env_file *file = open_file(sim, "d/b", ENV_OPEN_CREATE);
    assert_int_equal(env_file_write(file, 0, "b", 1, NULL), OK);
    assert_int_equal(env_file_sync(file, NULL), OK);
    env_file_close(file);
    assert_int_equal(env_file_rename(env, "d/a", "d//c", NULL), OK);
    assert_true(exists(sim, "d/c") && !exists(sim, "d/a"));
    env_sim_crash(sim);
    assert_true(exists(sim, "d/a") && !exists(sim, "d/b") && !exists(sim, "d/c"));

    /* Replacing a file through a rename: the old one or the new one, here the new one. */
    file = open_file(sim, "d/b", ENV_OPEN_CREATE);
    assert_int_equal(env_file_write(file, 0, "b", 1, NULL), OK);
    assert_int_equal(env_file_sync(file, NULL), OK);
    env_file_close(file);
    assert_int_equal(env_file_rename(env, "d/b", "d/a", NULL), OK);
    assert_int_equal(env_dir_sync(env, "d/", NULL), OK);
    env_sim_crash(sim);
    assert_false(exists(sim, "d/b"));
    expect_text(sim, "d/a", "b");
    assert_int_equal(env_file_remove(env, "d/a", NULL), OK);
    assert_false(exists(sim, "d/a"));
    env_sim_crash(sim);
    assert_true(exists(sim, "d/a"));
    struct env_file *none = NULL;
    assert_int_equal(env_file_open(env, "q/a", ENV_OPEN_CREATE, &none, NULL), ERR_NOT_FOUND);
    env_sim_destroy(sim);
}

/* Over many cuts, each sector is the old or the new one, and both, and mixtures, are seen. */
static void test_torn_writes(void **state)
{
    (void)state;
    enum { SECTORS = 16, SIZE = SECTORS * 512 };
    static uint8_t data[SIZE];
    int mixed = 0, all_old = 0, all_new = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct env_sim *sim = env_sim_create(seed);
        struct env_file *file = durable_file(sim);
        memset(data, 'o', SIZE);
        assert_int_equal(env_file_write(file, 0, data, SIZE, NULL), OK);
        assert_int_equal(env_file_sync(file, NULL), OK);
        memset(data, 'n', SIZE);
        assert_int_equal(env_file_write(file, 0, data, SIZE, NULL), OK);
        env_sim_crash(sim);
        env_file_close(file);
        file = open_file(sim, "d/a", 0);
        size_t got;
        assert_int_equal(env_file_read(file, 0, data, SIZE, &got, NULL), OK);
        assert_int_equal(got, SIZE);
        int fresh = 0;
        for (int i = 0; i < SECTORS; i++) {
            assert_true(data[i * 512] == 'n' || data[i * 512] == 'o');
            assert_memory_equal(data + i * 512, data + i * 512 + 1, 511);
            fresh += data[i * 512] == 'n';
        }
        all_old += fresh == 0;
        all_new += fresh == SECTORS;
        mixed += fresh != 0 && fresh != SECTORS;
        env_file_close(file);
        env_sim_destroy(sim);
    }
    assert_true(mixed > 30 && all_old > 5 && all_new > 5);
}

static void test_power_fails_within_a_call(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(3);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    struct env_file *file = durable_file(sim);
    env_sim_power_off_after(sim, 1);
    assert_int_equal(env_file_write(file, 0, "new", 3, NULL), OK);
    assert_int_equal(env_file_sync(file, NULL), ERR_IO);
    assert_true(env_sim_is_off(sim));
    assert_int_equal(env_file_remove(env_sim_env(sim), "d/a", NULL), ERR_IO);
    env_file_close(file);
    env_sim_power_on(sim);
    expect_text(sim, "d/a", "old");
    env_sim_destroy(sim);
}

static void test_ordered_failures(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(4);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    struct env_file *file = durable_file(sim);
    env_sim_fail_after(sim, ENV_SIM_WRITE, 1);
    assert_int_equal(env_file_write(file, 0, "1", 1, NULL), OK);
    assert_true(env_sim_fail_pending(sim, ENV_SIM_WRITE));
    assert_int_equal(env_file_write(file, 0, "2", 1, NULL), ERR_IO);
    assert_false(env_sim_fail_pending(sim, ENV_SIM_WRITE));
    assert_int_equal(env_file_write(file, 0, "3", 1, NULL), OK);

    /* After a failed sync the next one lies. */
    env_sim_fail_after(sim, ENV_SIM_SYNC, 0);
    assert_int_equal(env_file_sync(file, NULL), ERR_IO);
    assert_int_equal(env_file_sync(file, NULL), OK);
    expect_text(sim, "d/a", "3ld");
    env_sim_crash(sim);
    env_file_close(file);
    expect_text(sim, "d/a", "old");
    env_sim_destroy(sim);
}

static void test_full_disk(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(5);
    struct env_file *file = durable_file(sim);
    env_sim_set_capacity(sim, 10);
    assert_int_equal(env_file_preallocate(file, 0, 11, NULL), ERR_DISK_FULL);
    assert_int_equal(env_sim_disk_used(sim), 3);
    assert_int_equal(env_file_write(file, 8, "1234", 4, NULL), ERR_DISK_FULL);
    assert_int_equal(env_file_preallocate(file, 0, 10, NULL), OK);
    assert_int_equal(env_file_write(file, 0, "0123456789", 10, NULL), OK);
    env_sim_set_capacity(sim, 0);
    assert_int_equal(env_file_preallocate(file, 0, 11, NULL), OK);
    env_file_close(file);
    env_sim_destroy(sim);
}

static void test_maps(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(6);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    struct env_file *file = durable_file(sim);
    struct env_map *map = NULL;
    assert_int_equal(env_map_create(file, (uint64_t)1 << 36, true, &map, NULL), OK);
    uint8_t *base = env_map_base(map);
    assert_memory_equal(base, "old", 3);
    assert_int_equal(env_map_extend(map, 1 << 20, NULL), ERR_INVALID);
    assert_int_equal(env_file_preallocate(file, 0, 1 << 20, NULL), OK);
    assert_int_equal(env_map_extend(map, 1 << 20, NULL), OK);
    assert_ptr_equal(env_map_base(map), base);
    memcpy(base, "map", 3);
    memcpy(base + 8192, "lost", 4);
    assert_int_equal(env_map_sync(map, 0, 4096, NULL), OK);
    memcpy(base, "off", 3);
    env_sim_crash(sim);
    base[1] = 'x'; /* a dead map's memory stays, and reaches no disk */
    assert_int_equal(env_map_sync(map, 0, 4096, NULL), ERR_IO);
    env_map_destroy(map);
    env_file_close(file);
    expect_text(sim, "d/a", "map");
    file = open_file(sim, "d/a", 0);
    uint64_t size;
    assert_int_equal(env_file_size(file, &size, NULL), OK);
    assert_int_equal(size, 1 << 20);
    char text[4] = "1234";
    size_t got;
    assert_int_equal(env_file_read(file, 8192, text, 4, &got, NULL), OK);
    assert_memory_equal(text, "\0\0\0\0", 4);
    env_file_close(file);
    env_sim_destroy(sim);
}

static void test_locks(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(7);
    struct env_file *first = durable_file(sim);
    struct env_file *second = open_file(sim, "d/a", 0);
    assert_int_equal(env_file_lock(first, NULL), OK);
    assert_int_equal(env_file_lock(second, NULL), ERR_LOCKED);
    env_sim_crash(sim);
    struct env_file *third = open_file(sim, "d/a", 0);
    assert_int_equal(env_file_lock(third, NULL), OK);
    env_file_close(first);
    env_file_close(second);
    env_file_close(third);
    env_sim_destroy(sim);
}

static void test_clock_and_randomness(void **state)
{
    (void)state;
    uint8_t a[16], b[16];
    struct env_sim *sim = env_sim_create(8);
    struct env *env = env_sim_env(sim);
    uint64_t start = env_monotonic_us(env);
    assert_int_equal(env_monotonic_us(env), start);
    env_sim_advance_us(sim, 5);
    assert_int_equal(env_monotonic_us(env), start + 5);
    assert_int_equal(env_wall_us(env), UINT64_C(1577836800000005));
    env_sim_set_wall_us(sim, 77);
    env_sim_advance_us(sim, 1);
    assert_int_equal(env_wall_us(env), 78);
    env_random_bytes(env, a, sizeof a);
    env_sim_destroy(sim);
    sim = env_sim_create(8);
    env_random_bytes(env_sim_env(sim), b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    env_sim_destroy(sim);
}

struct names {
    int count;
    bool a, b;
};

static void note_name(void *context, const char *name)
{
    struct names *names = context;
    names->count++;
    names->a |= strcmp(name, "a") == 0;
    names->b |= strcmp(name, "b") == 0;
}

static void test_listing(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(9);
    struct env *env = env_sim_env(sim);
    struct names names = {0};
    assert_int_equal(env_dir_list(env, "d", note_name, &names, NULL), ERR_NOT_FOUND);
    env_file_close(durable_file(sim));
    assert_int_equal(env_dir_create(env, "d/b/c", NULL), OK);
    assert_int_equal(env_dir_list(env, "d/", note_name, &names, NULL), OK);
    assert_true(names.count == 2 && names.a && names.b);
    env_sim_destroy(sim);
}

static void test_flipped_bit(void **state)
{
    (void)state;
    struct env_sim *sim = env_sim_create(1);
    env_sim_set_survival(sim, ENV_SIM_SURVIVE_NOTHING);
    env_file_close(durable_file(sim));
    env_sim_flip_bit(sim, "d/a", 0, 5);
    expect_text(sim, "d/a", "Old");
    env_sim_crash(sim); /* it is on the disk, not only in memory */
    expect_text(sim, "d/a", "Old");
    env_sim_flip_bit(sim, "d/a", 2, 0);
    expect_text(sim, "d/a", "Ole");
    env_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_synced_bytes_survive),
        cmocka_unit_test(test_names_survive_dir_sync_only),
        cmocka_unit_test(test_torn_writes),
        cmocka_unit_test(test_power_fails_within_a_call),
        cmocka_unit_test(test_ordered_failures),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_clock_and_randomness),
        cmocka_unit_test(test_listing),
        cmocka_unit_test(test_flipped_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
