/* One text again and again: what a session keeps of the statement before must not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sql_driver.h"

enum { OFTEN = 5 };

static const char insert[] = "insert into t values ($1, $2)";

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

static void run(struct sql_driver *driver, uint32_t session, const char *text,
                const struct value *parameters, uint32_t count, const char *wanted)
{
    struct buffer out = {0};
    sql_driver_run(driver, sql_driver_session(driver, session), slice_from_string(text), parameters,
                   count, &out);
    buffer_append_byte(&out, '\0');
    assert_string_equal((char *)out.data, wanted);
    buffer_free(&out);
}

static void expect(struct sql_driver *driver, const char *text, const char *wanted)
{
    run(driver, 0, text, NULL, 0, wanted);
}

/* Rows [from, to), each by the same text. */
static void insert_rows(struct sql_driver *driver, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        struct value row[] = {value_integer(i), value_integer(i * 10)};
        run(driver, 0, insert, row, 2, "INSERT 0 1\n");
    }
}

static void test_rows_of_one_text(void **state)
{
    struct sql_driver *driver = *state;
    expect(driver, "create table t (k int primary key, v int); create index on t (v)",
           "CREATE TABLE\nCREATE INDEX\n");
    insert_rows(driver, 0, OFTEN);
    expect(driver, "begin", "BEGIN\n");
    insert_rows(driver, OFTEN, 3 * OFTEN);
    expect(driver, "commit; begin", "COMMIT\nBEGIN\n");
    insert_rows(driver, 3 * OFTEN, 4 * OFTEN);
    expect(driver, "rollback; select count(*), sum(k), sum(v) from t",
           "ROLLBACK\ncount integer | sum integer | sum integer\n15 | 105 | 1050\nSELECT 1\n");
}

static void test_errors_between(void **state)
{
    struct sql_driver *driver = *state;
    struct value row[] = {value_integer(1), value_integer(0)};
    static const char taken[] =
        "ERROR 23505: duplicate key value violates unique constraint \"t_pkey\"\n"
        "DETAIL: Key (k)=(1) already exists.\n";
    expect(driver, "create table t (k int primary key, v int not null)", "CREATE TABLE\n");
    insert_rows(driver, 0, OFTEN);
    for (int i = 0; i < OFTEN; i++) {
        run(driver, 0, insert, row, 2, taken);
        insert_rows(driver, OFTEN + 2 * i, OFTEN + 2 * i + 2);
    }
    expect(driver, "begin", "BEGIN\n");
    insert_rows(driver, 100, 103);
    run(driver, 0, insert, row, 2, taken);
    expect(driver, "rollback", "ROLLBACK\n");
    insert_rows(driver, 100, 103);
    expect(driver, "select count(*) from t", "count integer\n18\nSELECT 1\n");
}

static void test_types_between(void **state)
{
    struct sql_driver *driver = *state;
    expect(driver, "create table t (k int primary key, v text)", "CREATE TABLE\n");
    for (int64_t i = 0; i < OFTEN; i++) {
        struct value texts[] = {value_integer(2 * i), value_text(slice_from_string("x"))};
        struct value number[] = {value_text(slice_from_string("77")), value_null(SQL_TEXT)};
        struct value null[] = {value_integer(2 * i + 1), value_null(SQL_UNKNOWN)};
        run(driver, 0, insert, texts, 2, "INSERT 0 1\n");
        run(driver, 0, insert, null, 2, "INSERT 0 1\n");
        run(driver, 0, insert, number, 2,
            i == 0 ? "INSERT 0 1\n"
                   : "ERROR 23505: duplicate key value violates unique constraint \"t_pkey\"\n"
                     "DETAIL: Key (k)=(77) already exists.\n");
    }
    expect(driver, "select count(*), count(v), sum(k) from t",
           "count integer | count integer | sum integer\n11 | 5 | 122\nSELECT 1\n");
}

static void test_schema_between(void **state)
{
    struct sql_driver *driver = *state;
    struct value row[] = {value_integer(90), value_integer(0)};
    expect(driver, "create table t (k int primary key, v int)", "CREATE TABLE\n");
    insert_rows(driver, 0, OFTEN);
    expect(driver, "alter table t add check (v <> 0)",
           "ERROR 23514 at 19: check constraint \"t_v_check\" of "
           "relation \"t\" is violated by some row\n");
    expect(driver, "delete from t where v = 0; alter table t add check (v <> 0)",
           "DELETE 1\nALTER TABLE\n");
    insert_rows(driver, OFTEN, 2 * OFTEN);
    run(driver, 0, insert, row, 2,
        "ERROR 23514: new row for relation \"t\" violates check constraint \"t_v_check\"\n"
        "DETAIL: Failing row contains (90, 0).\n");
    /* A picture of the schema that only this transaction has, and then its end. */
    expect(driver,
           "begin; drop table t; create table t (k int primary key, v int, w int default 7)",
           "BEGIN\nDROP TABLE\nCREATE TABLE\n");
    insert_rows(driver, 0, OFTEN);
    expect(driver, "select sum(w) from t; rollback", "sum integer\n35\nSELECT 1\nROLLBACK\n");
    insert_rows(driver, 2 * OFTEN, 3 * OFTEN);
    expect(driver, "drop table t", "DROP TABLE\n");
    run(driver, 0, insert, row, 2, "ERROR 42P01 at 13: relation \"t\" does not exist\n");
    expect(driver, "create table t (v int, k int primary key)", "CREATE TABLE\n");
    insert_rows(driver, 0, OFTEN);
    expect(driver, "select sum(v), sum(k) from t",
           "sum integer | sum integer\n10 | 100\nSELECT 1\n");
}

/* Each statement has a time of its own, a transaction one for all. */
static void test_times(void **state)
{
    struct sql_driver *driver = *state;
    const char *text = "insert into times values ($1, statement_timestamp(), now())";
    expect(driver,
           "create table times (k int primary key, s timestamptz, t timestamptz);"
           "set timezone to 'UTC'; begin",
           "CREATE TABLE\nSET\nBEGIN\n");
    for (int64_t i = 0; i < OFTEN; i++) {
        struct value key = value_integer(i);
        run(driver, 0, text, &key, 1, "INSERT 0 1\n");
        uint64_t behind_us = env_wall_us(env_real());
        while (env_wall_us(env_real()) == behind_us)
            continue;
    }
    expect(driver, "commit; select count(distinct s), count(distinct t) from times",
           "COMMIT\ncount integer | count integer\n5 | 1\nSELECT 1\n");
}

static void test_update_and_delete(void **state)
{
    struct sql_driver *driver = *state;
    expect(driver, "create table t (k int primary key, v int)", "CREATE TABLE\n");
    insert_rows(driver, 0, 20);
    for (int64_t i = 0; i < 30; i++) {
        struct value given[] = {value_integer(i), value_integer(i + 1000)};
        run(driver, 0, "update t set v = v + $2, k = k + 100 where k = $1 and v <> 50", given, 2,
            i < 20 && i != 5 ? "UPDATE 1\n" : "UPDATE 0\n");
    }
    expect(driver, "select count(*), min(k), sum(k), sum(v) from t",
           "count integer | min integer | sum integer | sum integer\n20 | 5 | 2090 | 21085\n"
           "SELECT 1\n");
    for (int64_t i = 0; i < 30; i++) {
        struct value key = value_integer(i + 100);
        run(driver, 0, "delete from t where k = $1", &key, 1,
            i < 20 && i != 5 ? "DELETE 1\n" : "DELETE 0\n");
    }
    expect(driver, "select * from t", "k integer | v integer\n5 | 50\nSELECT 1\n");
}

/* A value too large to keep buffers of, and a memory limit set between. */
static void test_large_values(void **state)
{
    struct sql_driver *driver = *state;
    char text[5000];
    expect(driver, "create table t (k int primary key, v text)", "CREATE TABLE\n");
    for (int64_t i = 0; i < 4 * OFTEN; i++) {
        size_t size = i % 2 ? sizeof text : 3;
        memset(text, 'x', size);
        struct value row[] = {value_integer(i), value_text(slice_make(text, size))};
        run(driver, 0, insert, row, 2, "INSERT 0 1\n");
        if (i % 7 == 0)
            sql_session_memory_set(sql_driver_session(driver, 0), (size_t)(i + 1) << 20);
        if (i % 5 == 0)
            sql_session_work_memory_set(sql_driver_session(driver, 0), (size_t)(i + 1) << 20);
    }
    expect(driver, "select sum(length(v)) from t", "sum integer\n50030\nSELECT 1\n");
}

/* Statements are counted when the next text comes or the transaction ends, and none is lost. */
static void test_calls_are_counted(void **state)
{
    struct sql_driver *driver = *state;
    static const char calls[] = "select calls, planned, total_us >= longest_us as ok from "
                                "toydb_internal.statements where statement like 'insert%'";
    expect(driver, "create table t (k int primary key, v int)", "CREATE TABLE\n");
    insert_rows(driver, 0, 2); /* not kept yet */
    insert_rows(driver, 2, 12);
    run(driver, 1, calls, NULL, 0,
        "calls integer | planned boolean | ok boolean\n10 | t | t\nSELECT 1\n");
    expect(driver, "begin", "BEGIN\n");
    insert_rows(driver, 12, 17);
    expect(driver, "commit", "COMMIT\n");
    run(driver, 1, calls, NULL, 0,
        "calls integer | planned boolean | ok boolean\n15 | t | t\nSELECT 1\n");
    expect(driver, "begin", "BEGIN\n");
    insert_rows(driver, 17, 18);
    store_memory_rollback(sql_session_abort(sql_driver_session(driver, 0)));
    run(driver, 1, calls, NULL, 0,
        "calls integer | planned boolean | ok boolean\n16 | t | t\nSELECT 1\n");
}

/* The cache drops a text that a session keeps: it goes on, and lets it go. */
static void test_text_that_was_dropped(void **state)
{
    struct sql_driver *driver = *state;
    struct buffer text = {0};
    expect(driver, "create table t (k int primary key, v int)", "CREATE TABLE\n");
    insert_rows(driver, 0, OFTEN);
    for (uint32_t i = 0; i < 300; i++) {
        buffer_reset(&text);
        buffer_printf(&text, "select %u as n", i);
        buffer_append_byte(&text, '\0');
        for (int again = 0; again < 3; again++) {
            struct buffer out = {0};
            sql_driver_run(driver, sql_driver_session(driver, 1),
                           slice_from_string((char *)text.data), NULL, 0, &out);
            buffer_free(&out);
        }
    }
    buffer_free(&text);
    insert_rows(driver, OFTEN, 3 * OFTEN);
    expect(driver, "select count(*) from t", "count integer\n15\nSELECT 1\n");
}

static void test_prepared(void **state)
{
    struct sql_driver *driver = *state;
    expect(driver,
           "create table t (k int primary key, v int); prepare p as insert into t values ($1, $2)",
           "CREATE TABLE\nPREPARE\n");
    for (int i = 0; i < OFTEN; i++) {
        expect(driver, "begin; execute p (1, 2); execute p (2, 3); execute p (3, 4); rollback",
               "BEGIN\nINSERT 0 1\nINSERT 0 1\nINSERT 0 1\nROLLBACK\n");
        expect(driver, "begin; execute p (2, 3); execute p (2, 3)",
               "BEGIN\nINSERT 0 1\n"
               "ERROR 23505 at 26: duplicate key value violates unique constraint \"t_pkey\"\n"
               "DETAIL: Key (k)=(2) already exists.\n");
        expect(driver, "rollback", "ROLLBACK\n");
    }
    expect(driver, "execute p (1, 2)", "INSERT 0 1\n");
    expect(driver, "select * from t", "k integer | v integer\n1 | 2\nSELECT 1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_of_one_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_between, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types_between, setup, teardown),
        cmocka_unit_test_setup_teardown(test_schema_between, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_update_and_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_that_was_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prepared, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
