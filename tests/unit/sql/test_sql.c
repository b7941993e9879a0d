/* What the golden scripts cannot show: aborts in the middle, threads, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql/parse/parse.h"
#include "sql_driver.h"

static int setup(void **state)
{
    struct sql_driver *driver = mem_zalloc(1, sizeof *driver);
    sql_driver_init(driver, env_real());
    *state = driver;
    return 0;
}

static int teardown(void **state)
{
    sql_driver_free(*state);
    mem_free(*state);
    return 0;
}

/* Runs a text on session 0; the answer is to be freed. */
static char *answer(struct sql_driver *driver, const char *text)
{
    struct buffer out = {0};
    sql_driver_run(driver, sql_driver_session(driver, 0), slice_from_string(text), NULL, 0, &out);
    buffer_append_byte(&out, '\0');
    return (char *)out.data;
}

static void expect(struct sql_driver *driver, const char *text, const char *wanted)
{
    char *got = answer(driver, text);
    assert_string_equal(got, wanted);
    mem_free(got);
}

/* The error's code, or "" */
static void expect_error(struct sql_driver *driver, struct slice text,
                         const struct value *parameters, uint32_t count, const char *sqlstate)
{
    struct sql_session *session = sql_driver_session(driver, 0);
    struct sql_event event;
    sql_submit(session, text, parameters, count);
    sql_step(session, &event);
    assert_int_equal(event.kind, SQL_EVENT_ERROR);
    assert_string_equal(event.error.sqlstate, sqlstate);
    sql_step(session, &event);
    assert_int_equal(event.kind, SQL_EVENT_DONE);
}

static void fill(struct sql_driver *driver)
{
    expect(driver, "create table t (id int primary key, v int)", "CREATE TABLE\n");
    expect(driver, "insert into t values (0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6)",
           "INSERT 0 7\n");
    expect(driver, "insert into t select a.id * 49 + b.id * 7 + c.id + 7, a.id from t a, t b, t c",
           "INSERT 0 343\n");
    expect(driver, "insert into t select a.id * 7 + b.id + 1000, 1 from t a, t b where b.id < 7",
           "INSERT 0 2450\n");
}

/* Steps to the first event of a kind, answering BEGIN. */
static void step_to(struct sql_driver *driver, struct sql_session *session,
                    enum sql_event_kind kind, struct sql_event *event)
{
    do {
        sql_step(session, event);
        assert_true(event->kind != SQL_EVENT_DONE && event->kind != SQL_EVENT_ERROR);
        if (event->kind == SQL_EVENT_BEGIN && kind != SQL_EVENT_BEGIN)
            sql_begun(session, store_memory_begin(driver->store), true, 1, OK, NULL);
    } while (event->kind != kind);
}

static void test_streams_in_batches(void **state)
{
    struct sql_driver *driver = *state;
    struct sql_event event;
    fill(driver);
    struct sql_session *session = sql_driver_session(driver, 0);
    sql_submit(session, slice_from_string("select * from t"), NULL, 0);
    step_to(driver, session, SQL_EVENT_HEADER, &event);
    assert_int_equal(event.column_count, 2);
    assert_string_equal(event.columns[1].name, "v");
    assert_int_equal(event.columns[1].type, SQL_INTEGER);
    uint64_t rows = 0;
    uint32_t batches = 0;
    for (sql_step(session, &event); event.kind == SQL_EVENT_ROWS; sql_step(session, &event)) {
        assert_true(event.batch->selected <= BATCH_ROWS_MAX);
        rows += event.batch->selected;
        batches++;
    }
    assert_int_equal(rows, 2800);
    assert_true(batches >= 3);
    assert_int_equal(event.kind, SQL_EVENT_ROLLBACK);
    store_memory_rollback(event.txn);
    sql_step(session, &event);
    assert_int_equal(event.kind, SQL_EVENT_COMPLETE);
    assert_int_equal(event.rows, 2800);
    assert_false(event.more);
}

static void test_abort_between_rows(void **state)
{
    struct sql_driver *driver = *state;
    struct sql_event event;
    fill(driver);
    struct sql_session *session = sql_driver_session(driver, 0);
    sql_submit(session, slice_from_string("select * from t a, t b; select 1"), NULL, 0);
    step_to(driver, session, SQL_EVENT_ROWS, &event);
    struct store_txn *txn = sql_session_abort(session);
    assert_non_null(txn);
    store_memory_rollback(txn);
    assert_null(sql_session_abort(session));
    sql_step(session, &event);
    assert_int_equal(event.kind, SQL_EVENT_DONE);
    expect(driver, "select count(*) from t", "count integer\n2800\nSELECT 1\n");
}

static void test_abort_in_transaction(void **state)
{
    struct sql_driver *driver = *state;
    fill(driver);
    expect(driver, "begin; delete from t", "BEGIN\nDELETE 2800\n");
    struct sql_session *session = sql_driver_session(driver, 0);
    assert_int_equal(sql_session_state(session), SQL_IN_TRANSACTION);
    struct store_txn *txn = sql_session_abort(session);
    assert_non_null(txn);
    store_memory_rollback(txn);
    assert_int_equal(sql_session_state(session), SQL_IDLE);
    expect(driver, "select count(*) from t", "count integer\n2800\nSELECT 1\n");
}

/* A schema of a transaction's own must not outlive it, nor reach another session. */
static void test_abort_after_ddl(void **state)
{
    struct sql_driver *driver = *state;
    expect(driver, "begin; create table t (a int primary key); select * from t",
           "BEGIN\nCREATE TABLE\na integer\nSELECT 0\n");
    store_memory_rollback(sql_session_abort(sql_driver_session(driver, 0)));
    expect(driver, "create table t (b text primary key, c int); select * from t",
           "CREATE TABLE\nb text | c integer\nSELECT 0\n");
}

static void test_limits_of_texts(void **state)
{
    struct sql_driver *driver = *state;
    size_t size = SQL_TEXT_MAX + 1;
    char *text = mem_alloc(size);
    memset(text, ' ', size);
    expect_error(driver, slice_make(text, size), NULL, 0, "54000");
    mem_free(text);
    expect_error(driver, slice_make("select '\xff'", 10), NULL, 0, "22021");
    struct value bad = value_text(slice_make("a\xc3", 2));
    expect_error(driver, slice_from_string("select $1"), &bad, 1, "22021");
    bad = value_text(slice_make("a\0b", 3));
    expect_error(driver, slice_from_string("select $1"), &bad, 1, "22021");
    struct value *many = mem_zalloc(SQL_PARAMETERS_MAX + 1, sizeof *many);
    expect_error(driver, slice_from_string("select 1"), many, SQL_PARAMETERS_MAX + 1, "54000");
    mem_free(many);
    expect(driver, "", "");
}

/* How much a session may keep by PREPARE, in number and in size. */
static void test_prepared_are_bounded(void **state)
{
    struct sql_driver *driver = *state;
    char text[64];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "prepare p%d as select %d", i, i);
        expect(driver, text, "PREPARE\n");
    }
    expect_error(driver, slice_from_string("prepare more as select 1"), NULL, 0, "54000");
    expect(driver, "deallocate all", "DEALLOCATE ALL\n");
    struct buffer large = {0};
    buffer_append_string(&large, "prepare l1 as select '");
    for (int i = 0; i < 1000000 / 4; i++)
        buffer_append_string(&large, "text");
    buffer_append_string(&large, "'");
    buffer_append_byte(&large, '\0');
    for (; large.data[9] < '5'; large.data[9]++)
        expect(driver, (char *)large.data, "PREPARE\n");
    expect_error(driver, slice_from_string((char *)large.data), NULL, 0, "54000");
    buffer_free(&large);
}

static void test_memory_budget(void **state)
{
    struct sql_driver *driver = *state;
    fill(driver);
    sql_session_memory_set(sql_driver_session(driver, 0), 1 << 20);
    char *got = answer(driver, "select a.id, b.id from t a, t b order by a.id + b.id");
    assert_memory_equal(got, "ERROR 53200", 11);
    mem_free(got);
    expect(driver, "select count(*) from t", "count integer\n2800\nSELECT 1\n");
}

/* Rows are held where they may not go out before the end: the error says why. */
static void test_memory_budget_of_held_rows(void **state)
{
    static const struct {
        const char *sql, *said;
    } cases[] = {
        {"select nextval('s'), repeat('x', 99) from t a, t b", "a query with nextval gives more"},
        {"update t set id = id + 10000 returning repeat('x', 999)", "RETURNING gives more"},
    };
    struct sql_driver *driver = *state;
    fill(driver);
    expect(driver, "create sequence s", "CREATE SEQUENCE\n");
    sql_session_memory_set(sql_driver_session(driver, 0), 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = answer(driver, cases[i].sql);
        if (!strstr(got, "ERROR 53200") || !strstr(got, cases[i].said))
            fail_msg("%.300s", got);
        mem_free(got);
    }
}

/* What a subquery collects counts for the statement. */
static void test_memory_budget_in_subqueries(void **state)
{
    static const char *const texts[] = {
        "select 1 from t where 5 + random() in (select a.id * 10000 + b.id from t a, t b)",
        "select (select count(*) from (select distinct a.id, b.id from t a, t b) as d)",
        "select a.id, b.id from t a, t b union select b.id, a.id from t a, t b",
        "select a.id, b.id from t a, t b intersect select b.id, a.id from t a, t b",
        "insert into t select a.id + 10000, b.id from t a, t b on conflict do nothing returning *",
    };
    struct sql_driver *driver = *state;
    fill(driver);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sql_session_memory_set(sql_driver_session(driver, 0), 1 << 20);
        char *got = answer(driver, texts[i]);
        assert_non_null(strstr(got, "ERROR 53200")); /* rows may have gone out before */
        mem_free(got);
        expect(driver, "select count(*) from t", "count integer\n2800\nSELECT 1\n");
    }
}

/* Views of views: each is a short text, together they are deep. */
static void test_depth_of_views(void **state)
{
    struct sql_driver *driver = *state;
    char *got = NULL;
    expect(driver, "create view v0 as select 1 as x", "CREATE VIEW\n");
    uint32_t made = 0;
    for (uint32_t i = 1; i < 1000; i++) {
        char text[80];
        snprintf(text, sizeof text, "create view v%u as select x from v%u", i, i - 1);
        mem_free(got);
        got = answer(driver, text);
        if (strncmp(got, "ERROR", 5) == 0)
            break;
        made++;
    }
    assert_memory_equal(got, "ERROR 54001", 11);
    assert_true(made > 100);
    mem_free(got);
    expect(driver, "select * from v99", "x integer\n1\nSELECT 1\n");
}

/* ---- threads --------------------------------------------------------------------------------- */

static void cancel_thread(void *argument)
{
    sql_cancel(argument);
}

/* Each would run for hours. */
static void cancel_one(struct sql_driver *driver, const char *text)
{
    struct sql_event event;
    struct sql_session *session = sql_driver_session(driver, 0);
    sql_submit(session, slice_from_string(text), NULL, 0);
    step_to(driver, session, SQL_EVENT_EXECUTE, &event);
    assert_false(event.is_short);
    struct env_thread *thread = env_thread_start("cancel", cancel_thread, session);
    do {
        sql_step(session, &event);
        if (event.kind == SQL_EVENT_ROLLBACK)
            store_memory_rollback(event.txn);
    } while (event.kind != SQL_EVENT_ERROR);
    env_thread_join(thread);
    assert_string_equal(event.error.sqlstate, "57014");
    expect(driver, "select count(*) from t", "count integer\n2800\nSELECT 1\n");
}

static void test_cancel_from_a_thread(void **state)
{
    struct sql_driver *driver = *state;
    fill(driver);
    cancel_one(driver, "select count(*) from t a, t b, t c where a.v + b.v = c.v");
    cancel_one(driver, "select (select count(*) from t a, t b, t c where a.v + b.v = c.v)");
    cancel_one(driver, "select 1 from t where v > all (select a.v + b.v + c.v from t a, t b, t c)");
    cancel_one(driver,
               "select (select max(v) from t a where a.v + b.v = c.v + d.v) from t b, t c, t "
               "d where b.v >= 0");
    cancel_one(driver,
               "delete from t where not exists (select 1 from t a, t b, t c where a.v + b.v "
               "+ c.v < t.v - 100000000)");
}

enum { THREADS = 4, THREAD_ROUNDS = 200 };

struct reader {
    struct sql_driver *driver;
    struct sql_session *session;
    struct env_mutex *mutex; /* the store in memory knows no threads */
    uint32_t good;
};

static void read_thread(void *argument)
{
    struct reader *reader = argument;
    struct sql_event event;
    for (int round = 0; round < THREAD_ROUNDS; round++) {
        sql_submit(reader->session, slice_from_string("select v from t where id = 3"), NULL, 0);
        do {
            sql_step(reader->session, &event);
            env_mutex_lock(reader->mutex);
            if (event.kind == SQL_EVENT_BEGIN)
                sql_begun(reader->session, store_memory_begin(reader->driver->store), true, 1, OK,
                          NULL);
            if (event.kind == SQL_EVENT_ROLLBACK)
                store_memory_rollback(event.txn);
            env_mutex_unlock(reader->mutex);
            if (event.kind == SQL_EVENT_ROWS)
                reader->good += event.batch->columns[0].as.integers[0] == 3;
        } while (event.kind != SQL_EVENT_COMPLETE && event.kind != SQL_EVENT_ERROR);
    }
}

/* Sessions of several threads share the engine while the schema changes. */
static void test_engine_across_threads(void **state)
{
    struct sql_driver *driver = *state;
    struct reader readers[THREADS];
    struct env_thread *threads[THREADS];
    struct env_mutex *mutex = env_mutex_create();
    fill(driver);
    for (uint32_t i = 0; i < THREADS; i++) {
        readers[i] = (struct reader){
            .driver = driver, .session = sql_session_create(driver->engine), .mutex = mutex};
        threads[i] = env_thread_start("reader", read_thread, &readers[i]);
    }
    for (int round = 0; round < 20; round++) {
        env_mutex_lock(mutex);
        expect(driver, "create table u (a int primary key)", "CREATE TABLE\n");
        expect(driver, "drop table u", "DROP TABLE\n");
        env_mutex_unlock(mutex);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        env_thread_join(threads[i]);
        assert_int_equal(readers[i].good, THREAD_ROUNDS);
        sql_session_destroy(readers[i].session);
    }
    env_mutex_destroy(mutex);
}

/* ---- plan cache ------------------------------------------------------------------------------ */

/* A text is kept at its second coming, planned at its third, and served from then on. */
enum { OFTEN = 5 };

static void expect_often(struct sql_driver *driver, const char *text, const char *wanted)
{
    for (int i = 0; i < OFTEN; i++)
        expect(driver, text, wanted);
}

static void test_cache_follows_the_schema(void **state)
{
    struct sql_driver *driver = *state;
    const char *text = "select * from t where v = 1";
    expect(driver, "create table t (id int primary key, v int); insert into t values (1, 1)",
           "CREATE TABLE\nINSERT 0 1\n");
    expect_often(driver, text, "id integer | v integer\n1 | 1\nSELECT 1\n");
    expect(driver, "create index t_v on t (v)", "CREATE INDEX\n");
    expect_often(driver, text, "id integer | v integer\n1 | 1\nSELECT 1\n");
    expect(driver, "drop index t_v", "DROP INDEX\n");
    expect_often(driver, text, "id integer | v integer\n1 | 1\nSELECT 1\n");
    expect(driver, "drop table t", "DROP TABLE\n");
    char *got = answer(driver, text);
    assert_memory_equal(got, "ERROR 42P01", 11);
    mem_free(got);
    expect(driver, "create table t (v double precision primary key)", "CREATE TABLE\n");
    expect_often(driver, text, "v double precision\nSELECT 0\n");
    /* A schema of the transaction's own, of which no other may see the plan. */
    expect(driver, "begin; drop table t; create table t (k text primary key, v int)",
           "BEGIN\nDROP TABLE\nCREATE TABLE\n");
    expect_often(driver, text, "k text | v integer\nSELECT 0\n");
    expect(driver, "rollback", "ROLLBACK\n");
    expect_often(driver, text, "v double precision\nSELECT 0\n");
}

static void expect_with(struct sql_driver *driver, const char *text, struct value parameter,
                        const char *wanted)
{
    for (int i = 0; i < OFTEN; i++) {
        struct buffer out = {0};
        sql_driver_run(driver, sql_driver_session(driver, 0), slice_from_string(text), &parameter,
                       1, &out);
        assert_true(slice_equal(buffer_slice(&out), slice_from_string(wanted)));
        buffer_free(&out);
    }
}

static void test_cache_knows_parameters(void **state)
{
    struct sql_driver *driver = *state;
    const char *text = "select $1 as p";
    expect_with(driver, text, value_integer(1), "p integer\n1\nSELECT 1\n");
    expect_with(driver, text, value_integer(2), "p integer\n2\nSELECT 1\n");
    expect_with(driver, text, value_double(2), "p double precision\n2\nSELECT 1\n");
    expect_with(driver, text, value_text(slice_from_string("x")), "p text\nx\nSELECT 1\n");
    expect_with(driver, text, value_null(SQL_UNKNOWN), "p text\nNULL\nSELECT 1\n");
    expect_with(driver, text, value_boolean(true), "p boolean\nt\nSELECT 1\n");
    char *got = answer(driver, text);
    assert_string_equal(got, "ERROR 42P02: there is no parameter $1\n");
    mem_free(got);
}

/* More texts than there is room for, and errors among them. */
static void test_cache_is_bounded(void **state)
{
    struct sql_driver *driver = *state;
    char text[64];
    char wanted[64];
    for (int round = 0; round < OFTEN; round++) {
        for (int i = 0; i < 600; i++) {
            snprintf(text, sizeof text, "select %d as n", i);
            snprintf(wanted, sizeof wanted, "n integer\n%d\nSELECT 1\n", i);
            expect(driver, text, wanted);
            expect(driver, text, wanted);
            expect(driver, text, wanted);
        }
    }
    expect_often(driver, "select nope", "ERROR 42703 at 8: column \"nope\" does not exist\n");
    expect_often(driver, "select 1 / 0", "ERROR 22012 at 10: division by zero\n");
}

/* ---- depth ----------------------------------------------------------------------------------- */

/* start, then `open` and `close` n times around the middle. */
static char *nested(const char *start, const char *open, const char *middle, const char *close,
                    int n, const char *end)
{
    struct buffer out = {0};
    buffer_append_string(&out, start);
    for (int i = 0; i < n; i++)
        buffer_append_string(&out, open);
    buffer_append_string(&out, middle);
    for (int i = 0; i < n; i++)
        buffer_append_string(&out, close);
    buffer_append_string(&out, end);
    buffer_append_byte(&out, '\0');
    return (char *)out.data;
}

/* Grouping compares each item with all before it, so that there may not be any number of them. */
static void test_groups_are_bounded(void **state)
{
    static const char *const starts[] = {"select 1 from t group by 1 + v", "select sum(v)"};
    struct sql_driver *driver = *state;
    mem_free(answer(driver, "create table t (id int primary key, v int)"));
    for (size_t i = 0; i < 2; i++) {
        for (int count = 1600; count <= 1700; count += 100) {
            struct buffer text = {0};
            buffer_append_string(&text, starts[i]);
            for (int n = 2; n <= count; n++) {
                char item[32];
                snprintf(item, sizeof item, i ? ", sum(%d + v)" : ", %d + v", n);
                buffer_append_string(&text, item);
            }
            buffer_append_string(&text, i ? " from t" : "");
            buffer_append_byte(&text, '\0');
            char *got = answer(driver, (char *)text.data);
            assert_int_equal(strstr(got, "ERROR 54011") != NULL, count == 1700);
            mem_free(got);
            buffer_free(&text);
        }
    }
}

/* Whatever the parser lets through, the passes behind it must have the stack for. */
static void test_depth_of_all_passes(void **state)
{
    static const char *const shapes[][5] = {
        {"select ", "(", "v", ") + 1", " from t where id = 1"},
        {"select ", "- (", "v", ")", " from t where id = 1"},
        {"select id from t where ", "not (", "v = 1", ")", ""},
        {"select id from t where ", "(id = 1 or (v = 1 and ", "v = 2", "))", ""},
        {"select ", "case when v = 1 then ", "1", " else 2 end", " from t"},
        {"select ", "coalesce(null, ", "v", ")", " from t"},
        {"select ", "(", "'a'", " || 'b')", ""},
        {"select * from ", "(select * from ", "t", ") x", ""},
        {"select 1 from t", "", "", " cross join (values (1)) x", ""},
        {"explain select ", "(", "v", ") + 1", " from t where id = 1"},
        {"update t set v = ", "(", "v", ") + 1", " where id = 1"},
        {"insert into t values (100000, ", "abs(", "1", ")", ")"},
    };
    struct sql_driver *driver = *state;
    mem_free(answer(driver, "create table t (id int primary key, v int)"));
    mem_free(answer(driver, "insert into t values (1, 1)"));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const char *const *s = shapes[i];
        bool passed = false;
        for (int n = PARSE_DEPTH_MAX; n > 50 && !passed; n -= 10) {
            char *text = nested(s[0], s[1], s[2], s[3], n, s[4]);
            char *got = answer(driver, text);
            passed = !strstr(got, "54001");
            mem_free(got);
            mem_free(text);
        }
        assert_true(passed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_streams_in_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_between_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_in_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_after_ddl, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_of_texts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prepared_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_budget_of_held_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_budget_in_subqueries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_of_views, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_from_a_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine_across_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_follows_the_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_knows_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cache_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth_of_all_passes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
