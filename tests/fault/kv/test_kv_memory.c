/* The nth allocation is refused, for every n until the work gets through.
 *
 * A refused allocation stops the process (base/mem.h, docs/decisions/0001): so a child does the
 * work, tells through a pipe which checkpoints have ended, and dies in the middle with the message
 * that there is no memory. What it leaves must open, be sound, and hold exactly what it held at the
 * last checkpoint told of, or at the one after it: never a mixture. malloc and its kin are taken
 * over by the linker (--wrap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/kv.h"

enum { STEPS = 4, KEYS = 150, KEY_SPACE = 400, REFUSALS_MIN = 20 };

/* ---- memory -----------------------------------------------------------------------------------
 */

static uint64_t refuse_at; /* the allocation that fails, from 1; 0: none */
static uint64_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);

static bool refused(void)
{
    return refuse_at && ++allocations == refuse_at;
}

void *__wrap_malloc(size_t size)
{
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *pointer, size_t size)
{
    return refused() ? NULL : __real_realloc(pointer, size);
}

/* ---- the work ---------------------------------------------------------------------------------
 */

static enum kv_engine engine;
static char path[64];

/* A small buffer in memory, so that the tree of merges has runs to make of it. */
static const struct kv_options *options(void)
{
    static struct kv_options made;
    made = (struct kv_options){.engine = engine, .run_bytes = 16 << 10};
    return &made;
}

static void key_of(uint32_t number, uint8_t key[4])
{
    put_u32_be(key, number);
}

/* What a key holds after step `step`; 0: nothing. Each step writes some keys and deletes others. */
static uint32_t written_by(uint32_t number, uint32_t step)
{
    uint32_t last = 0;
    for (uint32_t s = 1; s <= step; s++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            uint32_t key = (i * 7919 + s * 104729) % KEY_SPACE;
            if (key == number)
                last = i % 5 == 4 ? 0 : s;
        }
    }
    return last;
}

static status_t step_write(struct kv *kv, uint32_t step, struct error *error)
{
    uint8_t key[4], value[600] = {0};
    status_t status = OK;
    for (uint32_t i = 0; i < KEYS && status == OK; i++) {
        uint32_t number = (i * 7919 + step * 104729) % KEY_SPACE;
        key_of(number, key);
        put_u32_be(value, step);
        status = i % 5 == 4 ? kv_delete(kv, slice_make(key, sizeof key), NULL, error)
                            : kv_put(kv, slice_make(key, sizeof key),
                                     slice_make(value, 4 + number % (sizeof value - 4)), error);
    }
    return status ? status : kv_publish(kv, error);
}

/* In the child. An error is as good an answer to a refused allocation as the end of the process. */
static int work(int told)
{
    struct env *env = env_real();
    struct kv *kv;
    struct error error;
    if (kv_open(env, path, options(), &kv, &error) != OK)
        return 1;
    for (uint8_t step = 1; step <= STEPS; step++) {
        if (step_write(kv, step, &error) != OK ||
            kv_checkpoint(kv, slice_make(&step, 1), &error) != OK)
            return 1;
        if (write(told, &step, 1) != 1)
            return 2;
        if (step == STEPS / 2) { /* and what is done at an open of what is there */
            kv_close(kv);
            if (kv_open(env, path, options(), &kv, &error) != OK)
                return 1;
        }
    }
    kv_close(kv);
    return 0;
}

/* ---- what is left of it -----------------------------------------------------------------------
 */

static void check_state(uint32_t told)
{
    struct kv *kv;
    struct kv_snapshot *snapshot;
    struct error error = {0};
    uint8_t key[4];
    struct slice value;
    status_t status = kv_open(env_real(), path, options(), &kv, &error);
    if (status != OK)
        fail_msg("%s", error.message);
    struct slice meta = kv_meta(kv);
    uint32_t step = meta.size ? meta.data[0] : 0;
    assert_true(step == told || step == told + 1);
    assert_int_equal(kv_check(kv, NULL, NULL, &error), OK);
    assert_int_equal(kv_snapshot_open(kv, &snapshot, NULL), OK);
    for (uint32_t number = 0; number < KEY_SPACE; number++) {
        key_of(number, key);
        uint32_t wanted = written_by(number, step);
        status = kv_get(snapshot, slice_make(key, sizeof key), &value, NULL);
        assert_int_equal(status, wanted ? OK : ERR_NOT_FOUND);
        if (wanted)
            assert_int_equal(get_u32_be(value.data), wanted);
    }
    kv_snapshot_close(snapshot);
    kv_close(kv);
}

/* Runs the child with its `n`th allocation refused. *told: the last checkpoint it has told of;
 * *message: what it has said. Returns its status as wait gives it. */
static int run_child(uint64_t n, uint32_t *told, char *message, size_t size)
{
    int steps[2], errors[2], status;
    uint8_t step;
    assert_int_equal(pipe(steps), 0);
    assert_int_equal(pipe(errors), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGABRT, SIG_DFL);
        dup2(errors[1], STDERR_FILENO);
        refuse_at = n;
        _exit(work(steps[1]));
    }
    close(steps[1]);
    close(errors[1]);
    for (*told = 0; read(steps[0], &step, 1) == 1;)
        *told = step;
    ssize_t got = read(errors[0], message, size - 1);
    message[got > 0 ? got : 0] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    close(steps[0]);
    close(errors[0]);
    return status;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    char message[4096];
    uint32_t told = 0;
    for (uint64_t n = 1;; n++) {
        unlink(path);
        int status = run_child(n, &told, message, sizeof message);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            assert_int_equal(told, STEPS);
            assert_true(n > REFUSALS_MIN);
            print_message("%llu allocations refused\n", (unsigned long long)(n - 1));
            break;
        }
        if (WIFEXITED(status))
            assert_int_equal(WEXITSTATUS(status), 1);
        else
            assert_non_null(strstr(message, "out of memory"));
        check_state(told);
    }
    check_state(STEPS);
}

int main(int count, char **arguments)
{
    /* In memory where that is to be had: processes die here, no machines. */
    snprintf(path, sizeof path, "%s/toydb-kv-memory.XXXXXX/data",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    char *slash = strrchr(path, '/');
    engine = count > 1 ? kv_engine_from_name(arguments[1]) : KV_ENGINE_BTREE;
    *slash = '\0';
    if (!mkdtemp(path))
        return 1;
    *slash = '/';
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    *slash = '\0';
    rmdir(path);
    return failed;
}
