/* Any text run by a session over a small database: no crash, no hang, every error has its code, and
 * the session is of use afterwards. Each text is run twice, in a transaction that is rolled back
 * and (through the plan cache, at its third coming) on its own. */
#include "fuzz_sql.h"

#include <string.h>

#include "base/check.h"
#include "env_sim.h"
#include "sql_driver.h"

enum { MEMORY = 1 << 20, SOURCES_MAX = 10 };

static const char schema[] =
    "create table t (id int primary key, a int, b text, c double precision, d boolean);"
    "create table u (id int primary key, t_id int references t, s varchar(5) unique);"
    "create index t_a on t (a desc, b);"
    "insert into t values (1, 10, 'x', 1.5, true), (2, null, 'y', null, false), (3, 30, null, 0, "
    "null);"
    "insert into u values (1, 1, 'a'), (2, 1, null), (3, null, 'c');"
    "create table w (n numeric(12, 2) primary key, m numeric, r real, b bytea, u uuid, e date, o "
    "timestamp, z timestamptz, v interval);"
    "create index w_m on w (m); create index w_b on w (b desc, v);"
    "insert into w values (1.5, 1.50, 0.1, x'00ff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "
    "'2024-02-29', '2024-02-29 12:00', '2024-02-29 12:00+01', '1 day 02:00'), (-2, null, null, "
    "null, null, null, null, null, null), (3, 1e30, 3e38, '', "
    "'ffffffff-ffff-ffff-ffff-ffffffffffff', 'infinity', '-infinity', '1970-01-01', '1 mon')";

static bool is_word(const uint8_t *data, size_t size, const char *word)
{
    for (size_t i = 0; i < 4; i++)
        if (i >= size || (data[i] | 0x20) != word[i])
            return false;
    return true;
}

/* Joins of many tables are slow for a good reason. Commas count where they may be joins. */
static bool is_slow(const uint8_t *data, size_t size)
{
    uint32_t sources = 0;
    bool in_from = false;
    for (size_t i = 0; i < size; i++) {
        bool from = is_word(data + i, size - i, "from");
        in_from = from || (in_from && data[i] != ';');
        sources += from || is_word(data + i, size - i, "join") || (in_from && data[i] == ',');
    }
    return sources > SOURCES_MAX;
}

static void run(struct sql_driver *driver, const char *text)
{
    struct buffer out = {0};
    sql_driver_run(driver, sql_driver_session(driver, 0), slice_from_string(text), NULL, 0, &out);
    buffer_free(&out);
}

static void check_error(const struct error *error)
{
    ASSERT(error->status != OK && strlen(error->sqlstate) == 5 && error->message[0]);
    /* Our own mistakes, and what should have become an error of the statement's. */
    ASSERT(memcmp(error->sqlstate, "XX", 2) != 0);
}

static void run_input(struct sql_driver *driver, struct slice text)
{
    struct sql_session *session = sql_driver_session(driver, 0);
    struct sql_event event;
    sql_submit(session, text, NULL, 0);
    do {
        sql_step(session, &event);
        if (event.kind == SQL_EVENT_BEGIN)
            sql_begun(session, store_memory_begin(driver->store), true, 1, OK, NULL);
        else if (event.kind == SQL_EVENT_ROLLBACK)
            store_memory_rollback(event.txn);
        else if (event.kind == SQL_EVENT_COMMIT) {
            store_memory_commit(event.txn);
            sql_committed(session, OK, NULL);
        } else if (event.kind == SQL_EVENT_ERROR) {
            check_error(&event.error);
        }
    } while (event.kind != SQL_EVENT_ERROR && event.kind != SQL_EVENT_DONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make(data, size);
    struct sql_driver driver;
    if (is_slow(data, size))
        return 0;
    struct env_sim *sim = env_sim_create(1);
    sql_driver_init(&driver, env_sim_env(sim));
    struct sql_session *session = sql_driver_session(&driver, 0);
    sql_session_memory_set(session, MEMORY);
    run(&driver, schema);
    run(&driver, "begin");
    run_input(&driver, text);
    run(&driver, "rollback");
    for (int i = 0; i < 3; i++) {
        run_input(&driver, text);
        run(&driver, "rollback");
    }
    ASSERT(sql_session_state(session) == SQL_IDLE);
    sql_driver_free(&driver);
    env_sim_destroy(sim);
    return 0;
}
