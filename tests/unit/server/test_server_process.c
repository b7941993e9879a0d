/* Whole servers: a process that ends on SIGTERM whatever its clients do, and the embedded node. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "env/env.h"
#include "scratch.h"
#include "server/server.h"
#include "toydb/toydb.h"

static char dir[128];
static char address[64];

static int setup(void **state)
{
    (void)state;
    scratch_make(dir, sizeof dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

/* Returns the process; its node serves. */
static pid_t server_start(struct toydb_session **session)
{
    int fd;
    snprintf(address, sizeof address, "127.0.0.1:%u", scratch_port(&fd));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error error;
        struct server_config config = {
            .id = 1, .log_level = LOG_OFF, .tick_ms = 10, .drain_us = 1500000};
        close(fd); /* the parent holds it */
        snprintf(config.data_dir, sizeof config.data_dir, "%s", dir);
        snprintf(config.listen, sizeof config.listen, "%s", address);
        _exit(server_run(&config, &error) == OK ? 0 : 1);
    }
    int status;
    while (waitpid(child, &status, WNOHANG) == 0) {
        *session = toydb_session_open(address, NULL, NULL);
        if (*session &&
            toydb_execute(*session, "SHOW TABLES", NULL, 0, NULL, NULL, NULL) == TOYDB_OK) {
            close(fd);
            return child;
        }
        toydb_session_close(*session);
        usleep(1000);
    }
    fail_msg("no server");
    return -1;
}

/* It ends, whatever its clients do. */
static void server_stop(pid_t child)
{
    int status;
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void rows_make(struct toydb_session *session)
{
    const char *sql = "CREATE TABLE t (id INTEGER PRIMARY KEY); "
                      "INSERT INTO t VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10); "
                      "INSERT INTO t SELECT a.id * 10 + b.id + 100 FROM t a, t b";
    assert_int_equal(toydb_execute(session, sql, NULL, 0, NULL, NULL, NULL), TOYDB_OK);
}

static void test_sigterm_idle(void **state)
{
    (void)state;
    struct toydb_session *session, *idle;
    struct toydb_error error;
    pid_t child = server_start(&session);
    rows_make(session);
    idle = toydb_session_open(address, NULL, NULL);
    assert_non_null(idle);
    assert_int_equal(toydb_execute(session, "BEGIN; DELETE FROM t", NULL, 0, NULL, NULL, NULL),
                     TOYDB_OK);
    server_stop(child);
    assert_int_equal(toydb_execute(session, "COMMIT", NULL, 0, NULL, NULL, &error), TOYDB_LOST);
    assert_string_equal(error.sqlstate, "08006");
    toydb_session_close(session);
    toydb_session_close(idle);
    child = server_start(&session); /* on the same data */
    struct toydb_event event;
    assert_int_equal(toydb_start(session, "SELECT count(*) FROM t", NULL, 0, NULL), TOYDB_OK);
    assert_int_equal(toydb_next(session, &event, NULL), TOYDB_OK);
    assert_int_equal(toydb_next(session, &event, NULL), TOYDB_OK);
    assert_int_equal(event.values[0].integer, 110);
    toydb_session_close(session);
    server_stop(child);
}

/* Long statements on workers, results nobody reads, connections that say nothing. */
static void test_sigterm_busy(void **state)
{
    (void)state;
    struct toydb_session *session, *busy[6];
    struct toydb_event event;
    pid_t child = server_start(&session);
    rows_make(session);
    for (int i = 0; i < 6; i++) {
        const char *sql = i % 2 ? "SELECT count(*) FROM t a, t b, t c, t d, t e"
                                : "SELECT * FROM t a, t b, t c, t d";
        busy[i] = toydb_session_open(address, NULL, NULL);
        assert_non_null(busy[i]);
        assert_int_equal(toydb_start(busy[i], sql, NULL, 0, NULL), TOYDB_OK);
        if (i % 2 == 0)
            assert_int_equal(toydb_next(busy[i], &event, NULL), TOYDB_OK);
    }
    server_stop(child);
    toydb_session_close(session);
    for (int i = 0; i < 6; i++)
        toydb_session_close(busy[i]);
}

/* ---- embedded -----------------------------------------------------------------------------------
 */

static uint32_t open_files(void)
{
    uint32_t count = 0;
    DIR *self = opendir("/proc/self/fd");
    assert_non_null(self);
    while (readdir(self))
        count++;
    closedir(self);
    return count;
}

static bool readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 10000) == 1;
}

static void test_embedded(void **state)
{
    (void)state;
    struct error error;
    uint32_t before = 0;
    for (int round = 0; round < 8; round++) {
        struct embedded *embedded, *second;
        assert_int_equal(embedded_open(dir, KV_ENGINE_ANY, &embedded, &error), OK);
        assert_int_equal(embedded_open(dir, KV_ENGINE_ANY, &second, &error), ERR_LOCKED);
        int fds[80], count = 0;
        while (count < 80 && embedded_connect(embedded, &fds[count], &error) == OK)
            count++;
        assert_true(count >= 64);
        if (round % 2)
            assert_true(readable(fds[0])); /* the settings of HTTP/2 */
        embedded_close(embedded);
        for (int i = 0; i < count; i++) {
            char byte[4096]; /* taken over or not, each is closed */
            while (read(fds[i], byte, sizeof byte) > 0)
                continue;
            close(fds[i]);
        }
        if (round == 0)
            before = open_files();
    }
    assert_int_equal(open_files(), before);
    embedded_close(NULL);
}

/* Several at once in one process. */
static void test_embedded_together(void **state)
{
    (void)state;
    struct embedded *nodes[3];
    struct error error;
    for (int i = 0; i < 3; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%d", dir, i);
        assert_int_equal(embedded_open(path, KV_ENGINE_ANY, &nodes[i], &error), OK);
    }
    for (int i = 0; i < 300; i++) {
        int fd;
        assert_int_equal(embedded_connect(nodes[i % 3], &fd, &error), OK);
        char bytes[] = "GET / HTTP/1.1\r\n\r\n";
        assert_true(write(fd, bytes, sizeof bytes) > 0);
        if (i % 10 == 0)
            assert_true(readable(fd));
        close(fd);
    }
    for (int i = 0; i < 3; i++)
        embedded_close(nodes[i]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sigterm_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sigterm_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_embedded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_embedded_together, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
