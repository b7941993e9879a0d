/* The real machine, in a directory of its own under TMPDIR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"

static char dir[256];

static const char *in_dir(const char *name)
{
    static char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static struct env_file *open_new(const char *name)
{
    struct env_file *file = NULL;
    assert_int_equal(env_file_open(env_real(), in_dir(name), ENV_OPEN_CREATE, &file, NULL), OK);
    assert_non_null(file);
    return file;
}

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/test_env_XXXXXX", base != NULL ? base : "/tmp");
    return mkdtemp(dir) == NULL;
}

struct names {
    char all[512];
    int count;
};

static void note_name(void *context, const char *name)
{
    struct names *names = context;
    size_t used = strlen(names->all);
    (void)snprintf(names->all + used, sizeof names->all - used, "[%s]", name);
    names->count++;
}

static void remove_name(void *context, const char *name)
{
    (void)context;
    (void)unlink(in_dir(name));
}

static int teardown(void **state)
{
    (void)state;
    (void)env_dir_list(env_real(), dir, remove_name, NULL, NULL);
    return rmdir(dir);
}

static void test_open_flags(void **state)
{
    (void)state;
    struct env_file *file = NULL;
    struct error error = {0};
    assert_int_equal(env_file_open(env_real(), in_dir("none"), 0, &file, &error), ERR_NOT_FOUND);
    assert_null(file);
    assert_non_null(strstr(error.message, "none"));
    assert_non_null(strstr(error.message, "No such file"));

    env_file_close(open_new("one"));
    unsigned exclusive = ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE;
    assert_int_equal(env_file_open(env_real(), in_dir("one"), exclusive, &file, NULL), ERR_EXISTS);
    assert_int_equal(env_file_open(env_real(), in_dir("one"), ENV_OPEN_READ_ONLY, &file, NULL), OK);
    assert_int_equal(env_file_write(file, 0, "x", 1, &error), ERR_IO);
    env_file_close(file);
    env_file_close(NULL);
}

static void test_read_write(void **state)
{
    (void)state;
    struct env_file *file = open_new("rw");
    assert_int_equal(env_file_write(file, 10, "hello", 5, NULL), OK);
    assert_int_equal(env_file_sync(file, NULL), OK);
    uint64_t size;
    assert_int_equal(env_file_size(file, &size, NULL), OK);
    assert_int_equal(size, 15);
    char text[32];
    size_t got;
    assert_int_equal(env_file_read(file, 8, text, sizeof text, &got, NULL), OK);
    assert_int_equal(got, 7);
    assert_memory_equal(text, "\0\0hello", 7);
    assert_int_equal(env_file_read(file, 100, text, sizeof text, &got, NULL), OK);
    assert_int_equal(got, 0);
    assert_int_equal(env_file_truncate(file, 12, NULL), OK);
    assert_int_equal(env_file_read(file, 10, text, 5, &got, NULL), OK);
    assert_int_equal(got, 2);
    env_file_close(file);
}

static void test_preallocate(void **state)
{
    (void)state;
    struct env_file *file = open_new("pre");
    assert_int_equal(env_file_write(file, 0, "abc", 3, NULL), OK);
    assert_int_equal(env_file_preallocate(file, 0, 10000, NULL), OK);
    uint64_t size;
    assert_int_equal(env_file_size(file, &size, NULL), OK);
    assert_int_equal(size, 10000);
    char text[5];
    size_t got;
    assert_int_equal(env_file_read(file, 0, text, 5, &got, NULL), OK);
    assert_memory_equal(text, "abc\0\0", 5);
    /* A range inside does not shrink it. */
    assert_int_equal(env_file_preallocate(file, 0, 100, NULL), OK);
    assert_int_equal(env_file_size(file, &size, NULL), OK);
    assert_int_equal(size, 10000);
    env_file_close(file);
}

static void test_punch(void **state)
{
    (void)state;
    struct env_file *file = open_new("punch");
    static char bytes[12288], zeros[4096];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(env_file_write(file, 0, bytes, sizeof bytes, NULL), OK);
    struct error error;
    status_t status = env_file_punch(file, 4096, 4096, &error);
    if (status == ERR_UNSUPPORTED) {
        env_file_close(file);
        skip();
    }
    assert_int_equal(status, OK);
    uint64_t size;
    size_t got;
    assert_int_equal(env_file_size(file, &size, NULL), OK);
    assert_int_equal(size, sizeof bytes);
    char back[12288];
    assert_int_equal(env_file_read(file, 0, back, sizeof back, &got, NULL), OK);
    assert_memory_equal(back, bytes, 4096);
    assert_memory_equal(back + 4096, zeros, 4096);
    assert_memory_equal(back + 8192, bytes, 4096);
    assert_int_equal(env_file_preallocate(file, 4096, 4096, NULL), OK);
    assert_int_equal(env_file_read(file, 4096, back, 4096, &got, NULL), OK);
    assert_memory_equal(back, zeros, 4096);
    env_file_close(file);
}

static void test_lock(void **state)
{
    (void)state;
    struct env_file *first = open_new("lock");
    struct env_file *second = open_new("lock");
    struct error error;
    assert_int_equal(env_file_lock(first, NULL), OK);
    assert_int_equal(env_file_lock(first, NULL), OK);
    assert_int_equal(env_file_lock(second, &error), ERR_LOCKED);
    assert_non_null(strstr(error.message, "lock"));
    /* Closing a third open must not drop the first one's lock, as POSIX record locks would. */
    env_file_close(open_new("lock"));
    assert_int_equal(env_file_lock(second, NULL), ERR_LOCKED);
    env_file_close(first);
    assert_int_equal(env_file_lock(second, NULL), OK);
    env_file_close(second);
}

static void test_map(void **state)
{
    (void)state;
    const uint64_t reserve = (uint64_t)1 << 36;
    struct env_file *file = open_new("map");
    assert_int_equal(env_file_write(file, 0, "start", 5, NULL), OK);
    struct env_map *map = NULL;
    assert_int_equal(env_map_create(file, reserve, true, &map, NULL), OK);
    uint8_t *base = env_map_base(map);
    assert_memory_equal(base, "start", 5);

    assert_int_equal(env_map_extend(map, 10000, NULL), ERR_INVALID); /* file not that long */
    assert_int_equal(env_map_extend(map, reserve + 1, NULL), ERR_TOO_LONG);
    for (uint64_t size = 10000; size <= 2560000; size *= 4) {
        assert_int_equal(env_file_preallocate(file, 0, size, NULL), OK);
        assert_int_equal(env_map_extend(map, size, NULL), OK);
        assert_ptr_equal(env_map_base(map), base);
        base[size - 1] = (uint8_t)size;
        assert_int_equal(env_map_sync(map, size - 10, 10, NULL), OK);
    }
    base[0] = 'S';
    assert_int_equal(env_map_sync(map, 0, 0, NULL), OK);
    char text[5];
    size_t got;
    assert_int_equal(env_file_read(file, 0, text, 5, &got, NULL), OK);
    assert_memory_equal(text, "Start", 5);
    /* Writes to the file show in the map, those to the map in the file. */
    assert_int_equal(env_file_write(file, 5000, "there", 5, NULL), OK);
    assert_memory_equal(base + 5000, "there", 5);
    env_map_destroy(map);
    env_map_destroy(NULL);

    assert_int_equal(env_map_create(file, 4096, false, &map, NULL), ERR_TOO_LONG);
    assert_int_equal(env_map_create(file, 2560000, false, &map, NULL), OK);
    assert_memory_equal(env_map_base(map), "Start", 5);
    env_map_destroy(map);
    env_file_close(file);
}

static void test_directories(void **state)
{
    (void)state;
    char deep[512];
    (void)snprintf(deep, sizeof deep, "%s/a//b/c/", dir);
    assert_int_equal(env_dir_create(env_real(), deep, NULL), OK);
    assert_int_equal(env_dir_create(env_real(), deep, NULL), OK);
    env_file_close(open_new("a/b/c/x"));
    assert_int_equal(env_dir_create(env_real(), in_dir("a/b/c/x"), NULL), ERR_EXISTS);
    char target[512];
    (void)snprintf(target, sizeof target, "%s/a/b/c/y", dir);
    env_file_close(open_new("a/b/c/y"));
    assert_int_equal(env_file_rename(env_real(), in_dir("a/b/c/x"), target, NULL), OK);
    assert_int_equal(env_dir_sync(env_real(), deep, NULL), OK);
    struct names names = {0};
    assert_int_equal(env_dir_list(env_real(), deep, note_name, &names, NULL), OK);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.all, "[y]");
    assert_int_equal(env_file_remove(env_real(), target, NULL), OK);
    assert_int_equal(env_file_remove(env_real(), target, NULL), ERR_NOT_FOUND);
    assert_int_equal(env_dir_list(env_real(), in_dir("q"), note_name, &names, NULL), ERR_NOT_FOUND);
    assert_int_equal(env_dir_sync(env_real(), in_dir("q"), NULL), ERR_NOT_FOUND);
    assert_int_equal(rmdir(deep), 0);
    assert_int_equal(rmdir(in_dir("a/b")), 0);
    assert_int_equal(rmdir(in_dir("a")), 0);
}

static void test_clocks_and_random(void **state)
{
    (void)state;
    uint64_t before = env_monotonic_us(env_real());
    assert_true(env_monotonic_us(env_real()) >= before);
    assert_true(env_wall_us(env_real()) > UINT64_C(1600000000000000)); /* after 2020 */
    uint8_t a[32] = {0}, b[32] = {0};
    env_random_bytes(env_real(), a, sizeof a);
    env_random_bytes(env_real(), b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

struct relay {
    struct env_mutex *mutex;
    struct env_cond *cond;
    int turn;
    int moves;
};

static void relay_run(void *argument)
{
    struct relay *relay = argument;
    env_mutex_lock(relay->mutex);
    for (int i = 0; i < 100; i++) {
        while (relay->turn != 1)
            env_cond_wait(relay->cond, relay->mutex);
        relay->turn = 0;
        relay->moves++;
        env_cond_broadcast(relay->cond);
    }
    env_mutex_unlock(relay->mutex);
}

static void test_threads(void **state)
{
    (void)state;
    struct relay relay = {.mutex = env_mutex_create(), .cond = env_cond_create()};
    struct env_thread *thread = env_thread_start("a-name-that-is-too-long", relay_run, &relay);
    env_mutex_lock(relay.mutex);
    for (int i = 0; i < 100; i++) {
        relay.turn = 1;
        env_cond_signal(relay.cond);
        while (relay.turn != 0)
            env_cond_wait(relay.cond, relay.mutex);
    }
    env_mutex_unlock(relay.mutex);
    env_thread_join(thread);
    assert_int_equal(relay.moves, 100);
    uint64_t before = env_monotonic_us(env_real());
    env_mutex_lock(relay.mutex);
    while (env_cond_wait_for(relay.cond, relay.mutex, 20000)) {
        /* woken for nothing, which happens */
    }
    env_mutex_unlock(relay.mutex);
    assert_true(env_monotonic_us(env_real()) - before >= 20000);
    env_cond_destroy(relay.cond);
    env_mutex_destroy(relay.mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_flags),  cmocka_unit_test(test_read_write),
        cmocka_unit_test(test_preallocate), cmocka_unit_test(test_punch),
        cmocka_unit_test(test_lock),        cmocka_unit_test(test_map),
        cmocka_unit_test(test_directories), cmocka_unit_test(test_clocks_and_random),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
