/* Reading by several threads through the node's own store: snapshots of the tree on disk, merged
 * with what the transaction has written, while others commit. To be run under the thread sanitizer,
 * too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

enum { ROWS = 4000, ROUNDS = 40, READERS = 2, WRITERS = 2 };

/* `big` has rows (id, g, v, name) whose v sum up to 0, and every session reads it with all threads
 * there are. */
static struct call *store_open(struct harness *h)
{
    char text[200];
    struct call *call = harness_table(h);
    if (!h->node->crew) { /* a machine with one processor */
        h->node->crew = env_crew_create("helper", 1);
        sql_engine_crew_set(h->node->engine, h->node->crew);
    }
    call_ok(h, call, "CREATE TABLE big (id INTEGER PRIMARY KEY, g INTEGER, v INTEGER, name TEXT)");
    snprintf(text, sizeof text,
             "INSERT INTO big SELECT i, i %% 37, 0, 'name ' || i %% 91 FROM generate_series(1, %d) "
             "AS s(i)",
             ROWS);
    call_ok(h, call, text);
    call_ok(h, call, "INSERT INTO big VALUES (5000, 0, 0, 'name 0')");
    call_ok(h, call, "SET parallel_rows = 100");
    return call;
}

static struct call *reader_open(struct harness *h)
{
    struct call *call = client_session(client_open(h));
    call_ok(h, call, "SET parallel_rows = 100");
    return call;
}

/* Each answers an integer: that one whenever all writers are atomic. */
static const struct {
    const char *sql;
    int64_t answer;
} readings[] = {
    {"SELECT sum(v) FROM big WHERE id <= 4000", 0},
    {"SELECT count(*) FROM (SELECT g, sum(v) FROM big WHERE id <= 4000 GROUP BY g) AS s", 37},
    {"SELECT sum(x) FROM (SELECT g, sum(v) AS x FROM big GROUP BY g) AS s", 0},
    {"SELECT sum(x) FROM (SELECT name, g, sum(v) AS x, max(name) FROM big GROUP BY 1, 2) AS s", 0},
    {"SELECT max(c) FROM (SELECT g, count(DISTINCT name) AS c FROM big WHERE id <= 3367 GROUP BY g)"
     " AS s",
     91},
    {"SELECT sum(a.v) FROM big AS a JOIN big AS b ON a.id = b.id", 0},
    {"SELECT count(*) FROM (SELECT DISTINCT name, g FROM big WHERE id <= 3367) AS s", 3367},
    {"SELECT sum(x) FROM (SELECT v + row_number() OVER (ORDER BY name, id) - row_number() OVER "
     "(ORDER BY name, id) AS x FROM big) AS s",
     0},
    {"WITH x AS MATERIALIZED (SELECT id, v FROM big WHERE id > 0) SELECT (SELECT sum(v) FROM x) + "
     "sum(v) FROM x",
     0},
    {"SELECT sum(CASE WHEN name IN (SELECT name FROM big) THEN v ELSE 1 END) FROM big", 0},
    {"SELECT count(*) FROM (SELECT id, sum(v) FROM big WHERE id <= 4000 GROUP BY id) AS s", 4000},
};
enum { READINGS = sizeof readings / sizeof *readings };

static void ask(struct call *call, const char *sql)
{
    call->ended = call->errors = 0;
    call_request(call, call->sequence + 1, sql, NULL);
}

static void test_readers_beside_writers(void **state)
{
    (void)state;
    struct harness h;
    struct call *first = store_open(&h);
    struct call *readers[READERS] = {first};
    struct call *writers[WRITERS];
    for (int i = 1; i < READERS; i++)
        readers[i] = reader_open(&h);
    for (int i = 0; i < WRITERS; i++)
        writers[i] = client_session(client_open(&h));
    /* One reader has writes of its own beside what it reads: they sum up to 0, too. */
    call_ok(&h, readers[1], "BEGIN");
    call_ok(&h, readers[1], "UPDATE big SET v = v + id % 2 * 2 - 1 WHERE id <= 4000");
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WRITERS; i++) {
            char text[200];
            int from = (2 * round + i) * 40 % ROWS;
            snprintf(text, sizeof text,
                     "UPDATE big SET v = v + CASE id %% 2 WHEN 0 THEN 1 ELSE -1 END WHERE id > %d "
                     "AND id <= %d",
                     from, from + 20);
            ask(writers[i], text);
        }
        for (int i = 0; i < READERS; i++)
            ask(readers[i], readings[(round + i) % READINGS].sql);
        for (int i = 0; i < READERS; i++) {
            UNTIL(&h, readers[i]->ended == 1);
            if (readers[i]->errors > 0)
                fail_msg("%s", readers[i]->text);
            assert_int_equal(readers[i]->integer, readings[(round + i) % READINGS].answer);
        }
        for (int i = 0; i < WRITERS; i++) {
            UNTIL(&h, writers[i]->ended == 1);
            assert_int_equal(writers[i]->errors, 0);
        }
    }
    call_ok(&h, readers[1], "ROLLBACK"); /* the node's end waits for it */
    harness_close(&h);
}

/* What helpers have read counts as read: who writes it meanwhile makes the reader's commit fail. */
static void test_read_ranges_are_certified(void **state)
{
    (void)state;
    struct harness h;
    struct call *reader = store_open(&h);
    struct call *writer = client_session(client_open(&h));
    for (int i = 0; i < READINGS; i++) {
        call_ok(&h, reader, "BEGIN");
        assert_int_equal(call_integer(&h, reader, readings[i].sql), readings[i].answer);
        call_ok(&h, reader, "INSERT INTO t SELECT coalesce(max(id), 0) + 1, 0 FROM t");
        /* Somewhere in the middle, where a helper has read. */
        call_ok(&h, writer, "UPDATE big SET v = v WHERE id = 2500");
        ask(reader, "COMMIT");
        UNTIL(&h, reader->ended == 1);
        assert_int_equal(reader->errors, 1);
        assert_string_equal(reader->sqlstate, "40001");
        /* And what nobody has touched holds. */
        call_ok(&h, reader, "BEGIN");
        assert_int_equal(call_integer(&h, reader, readings[i].sql), readings[i].answer);
        call_ok(&h, reader, "INSERT INTO t SELECT coalesce(max(id), 0) + 1, 0 FROM t");
        if (strstr(readings[i].sql, "WHERE id <="))
            call_ok(&h, writer, "UPDATE big SET v = v WHERE id = 5000");
        call_ok(&h, reader, "COMMIT");
    }
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_beside_writers),
        cmocka_unit_test(test_read_ranges_are_certified),
    };
    return cmocka_run_group_tests_name("server_parallel", tests, NULL, NULL);
}
