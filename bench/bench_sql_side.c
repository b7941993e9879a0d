/* Both databases: opened, driven, closed. */
#include "bench_sql_side.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env/env.h"
#include "replica/replica.h"
#include "server/session_int.h"
#include "sql/sql.h"

enum { TICK_US = 50000, STATEMENTS_MAX = 64 };

struct side {
    bool ours;
    char error[512];
    struct env *env;
    /* ours */
    struct replica *replica;
    struct sql_engine *engine;
    struct sql_session *session;
    struct bound_txn txn;
    uint64_t ticked_us;
    uint64_t sequence;
    struct replica_commit commit;
    bool waiting;
    status_t outcome;
    /* SQLite's */
    sqlite3 *db;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } prepared[STATEMENTS_MAX];
    uint32_t prepared_next;
};

void demand(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "bench_sql: %s\n", what);
    exit(1);
}

/* ---- ours ---------------------------------------------------------------------------------------
 */

static bool host_send(void *context, const struct replica_message *message)
{
    (void)context, (void)message;
    return false;
}

static bool host_reachable(void *context, uint64_t node)
{
    (void)context, (void)node;
    return false;
}

static void host_failed(void *context, const struct error *error)
{
    (void)context;
    demand(false, error->message);
}

/* One round of what a node's loop and its threads do. */
static void serve(struct side *side)
{
    struct replica *replica = side->replica;
    uint64_t now_us = env_monotonic_us(side->env);
    if (now_us - side->ticked_us >= TICK_US) {
        replica_tick(replica);
        side->ticked_us = now_us;
    }
    replica_pump(replica);
    struct error error;
    struct wal_batch *batch = replica_log_take(replica);
    if (batch) {
        status_t status = wal_write(batch, &error);
        replica_log_done(replica, batch, status, &error);
        replica_pump(replica);
    }
    struct kv_checkpoint *checkpoint = replica_checkpoint_take(replica);
    if (checkpoint) {
        demand(kv_checkpoint_write(checkpoint, &error) == OK, "checkpoint");
        replica_checkpoint_done(replica, checkpoint);
    }
    struct replica_work *work = replica_work_take(replica);
    if (work) {
        replica_work_run(work);
        replica_work_done(replica, work);
    }
}

static void on_read(struct replica_read *read, status_t status)
{
    struct side *side = read->context;
    side->outcome = status;
    side->waiting = false;
}

static void on_commit(struct replica_commit *commit, status_t status)
{
    struct side *side = commit->context;
    side->outcome = status;
    side->waiting = false;
}

static void wait_for(struct side *side)
{
    while (side->waiting)
        serve(side);
}

static void begin(struct side *side, const struct sql_event *event)
{
    if (!event->may_be_unconfirmed) {
        struct replica_read read = {.done = on_read,
                                    .context = side,
                                    .deadline_us = env_monotonic_us(side->env) + 10000000};
        side->waiting = true;
        replica_read_begin(side->replica, &read);
        wait_for(side);
        demand(side->outcome == OK, "no read version");
    }
    struct error error;
    bound_txn_init(&side->txn);
    status_t status = replica_txn_begin(side->replica, &side->txn.txn, event->read_only, &error);
    demand(status == OK, "no transaction");
    sql_begun(side->session, &side->txn.store, !event->may_be_unconfirmed, env_wall_us(side->env),
              OK, NULL);
}

static void commit(struct side *side)
{
    uint8_t origin[] = "bench_sql";
    if (!txn_has_writes(&side->txn.txn)) {
        txn_free(&side->txn.txn);
        sql_committed(side->session, OK, NULL);
        return;
    }
    struct txn_id id = {.origin = slice_make(origin, sizeof origin), .sequence = ++side->sequence};
    buffer_reset(&side->commit.request);
    status_t status =
        txn_request_encode(&side->txn.txn, id, slice_make(NULL, 0), &side->commit.request);
    demand(status == OK, "transaction too large");
    txn_free(&side->txn.txn);
    side->commit.done = on_commit;
    side->commit.context = side;
    side->commit.deadline_us = side->commit.quorum_deadline_us =
        env_monotonic_us(side->env) + 60000000;
    side->waiting = true;
    replica_commit_begin(side->replica, &side->commit);
    wait_for(side);
    demand(side->outcome == OK, "commit failed");
    sql_committed(side->session, OK, NULL);
}

static void add_rows(struct answer *answer, const struct batch *batch)
{
    answer->rows += batch->selected;
    for (uint32_t i = 0; i < batch->selected && answer->cell_count < ANSWER_CELLS_MAX; i++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct value value = vector_get(&batch->columns[c], batch_row(batch, i));
            answer_add(answer, &value);
        }
    }
}

static bool run_ours(struct side *side, const char *sql, const struct value *parameters,
                     uint32_t count, struct answer *answer)
{
    struct sql_event event;
    sql_submit(side->session, slice_from_string(sql), parameters, count);
    do {
        sql_step(side->session, &event);
        switch (event.kind) {
        case SQL_EVENT_BEGIN:
            begin(side, &event);
            break;
        case SQL_EVENT_COMMIT:
            commit(side);
            break;
        case SQL_EVENT_ROLLBACK:
            txn_free(&side->txn.txn);
            break;
        case SQL_EVENT_HEADER:
            if (answer)
                answer->columns = event.column_count;
            break;
        case SQL_EVENT_ROWS:
            if (answer)
                add_rows(answer, event.batch);
            break;
        case SQL_EVENT_ERROR:
            (void)snprintf(side->error, sizeof side->error, "%s: %s", event.error.sqlstate,
                           event.error.message);
            return false;
        case SQL_EVENT_COMPLETE:
            if (!event.more)
                return true;
            break;
        default:
            break;
        }
    } while (event.kind != SQL_EVENT_DONE);
    return true;
}

struct side *side_open_ours(const char *directory)
{
    struct side *side = calloc(1, sizeof *side);
    demand(side != NULL, "out of memory");
    char dir[4096];
    (void)snprintf(dir, sizeof dir, "%s/toydb", directory);
    side->ours = true;
    side->env = env_real();
    struct replica_config config = {.env = side->env,
                                    .dir = dir,
                                    .id = 1,
                                    .tick_us = TICK_US,
                                    .election_timeout_ticks = 12,
                                    .heartbeat_ticks = 2,
                                    /* no more than valgrind can give */
                                    .kv = {.map_size_max = (uint64_t)16 << 30}};
    config.members.count = 1;
    config.members.items[0] = (struct replica_member){.id = 1, .voter = true};
    struct replica_host host = {
        .context = side, .send = host_send, .reachable = host_reachable, .failed = host_failed};
    struct error error;
    if (replica_open(&config, &host, &side->replica, &error) != OK)
        demand(false, error.message);
    side->engine = sql_engine_create(side->env);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors > 1)
        sql_engine_crew_set(side->engine, env_crew_create("helper", (uint32_t)processors - 1));
    (void)snprintf(dir, sizeof dir, "%s/toydb/spill", directory);
    if (sql_engine_spill_set(side->engine, dir, &error) != OK)
        demand(false, error.message);
    side->session = sql_session_create(side->engine);
    sql_session_memory_set(side->session, (size_t)1 << 30);
    return side;
}

struct sql_engine *side_engine(struct side *side)
{
    return side->engine;
}

/* ---- SQLite -------------------------------------------------------------------------------------
 */

struct side *side_open_sqlite(const char *directory)
{
    struct side *side = calloc(1, sizeof *side);
    demand(side != NULL, "out of memory");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/sqlite.db", directory);
    side->env = env_real();
    demand(sqlite3_open(path, &side->db) == SQLITE_OK, "sqlite3_open");
    side_run(side, "PRAGMA journal_mode=WAL", NULL);
    side_run(side, "PRAGMA synchronous=FULL", NULL);
    side_run(side, "PRAGMA cache_size=-1000000", NULL);
    side_run(side, "PRAGMA mmap_size=4000000000", NULL);
    side_run(side, "PRAGMA temp_store=MEMORY", NULL);
    return side;
}

/* To SQLite "$1" is a name, numbered where it comes first: it must come in the order of numbers. */
static void check_order(sqlite3_stmt *statement)
{
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        demand(name && strtol(name + 1, NULL, 10) == i, "parameters are not in order");
    }
}

/* Texts are told apart by address: each call site has its own, and those made up are run once. */
static sqlite3_stmt *prepare(struct side *side, const char *sql, bool keep)
{
    sqlite3_stmt *statement = NULL;
    for (uint32_t i = 0; keep && i < STATEMENTS_MAX; i++) {
        if (side->prepared[i].sql == sql)
            return side->prepared[i].statement;
    }
    if (sqlite3_prepare_v2(side->db, sql, -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    check_order(statement);
    if (keep) {
        uint32_t at = side->prepared_next++ % STATEMENTS_MAX;
        sqlite3_finalize(side->prepared[at].statement);
        side->prepared[at].sql = sql;
        side->prepared[at].statement = statement;
    }
    return statement;
}

static void bind_all(sqlite3_stmt *statement, const struct value *parameters, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &parameters[i];
        int at = (int)i + 1;
        if (value->null)
            sqlite3_bind_null(statement, at);
        else if (value->type == SQL_INTEGER)
            sqlite3_bind_int64(statement, at, value->as.integer);
        else if (value->type == SQL_DOUBLE)
            sqlite3_bind_double(statement, at, value->as.real);
        else
            sqlite3_bind_text(statement, at, (const char *)value->as.text.data,
                              (int)value->as.text.size, SQLITE_STATIC);
    }
}

static void add_row(struct answer *answer, sqlite3_stmt *statement)
{
    answer->columns = (uint32_t)sqlite3_column_count(statement);
    answer->rows++;
    for (uint32_t c = 0; c < answer->columns && answer->cell_count < ANSWER_CELLS_MAX; c++) {
        struct value value = value_null(SQL_TEXT);
        switch (sqlite3_column_type(statement, (int)c)) {
        case SQLITE_INTEGER:
            value = value_integer(sqlite3_column_int64(statement, (int)c));
            break;
        case SQLITE_FLOAT:
            value = value_double(sqlite3_column_double(statement, (int)c));
            break;
        case SQLITE_TEXT:
            value = value_text(slice_make(sqlite3_column_text(statement, (int)c),
                                          (size_t)sqlite3_column_bytes(statement, (int)c)));
            break;
        default:
            break;
        }
        answer_add(answer, &value);
    }
}

static bool run_sqlite(struct side *side, const char *sql, const struct value *parameters,
                       uint32_t count, struct answer *answer)
{
    sqlite3_stmt *statement = prepare(side, sql, count > 0);
    int code = SQLITE_ERROR;
    if (statement) {
        bind_all(statement, parameters, count);
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            if (answer)
                add_row(answer, statement);
        }
        if (answer)
            answer->columns = (uint32_t)sqlite3_column_count(statement);
    }
    if (code != SQLITE_DONE)
        (void)snprintf(side->error, sizeof side->error, "%s", sqlite3_errmsg(side->db));
    if (count > 0)
        sqlite3_reset(statement);
    else
        sqlite3_finalize(statement);
    return code == SQLITE_DONE;
}

/* ---- both ---------------------------------------------------------------------------------------
 */

bool side_try(struct side *side, const char *sql, const struct value *parameters, uint32_t count,
              struct answer *answer)
{
    if (answer)
        answer_reset(answer);
    return side->ours ? run_ours(side, sql, parameters, count, answer)
                      : run_sqlite(side, sql, parameters, count, answer);
}

void side_run_with(struct side *side, const char *sql, const struct value *parameters,
                   uint32_t count, struct answer *answer)
{
    if (side_try(side, sql, parameters, count, answer))
        return;
    (void)fprintf(stderr, "%s: %.200s\n", side_name(side), sql);
    demand(false, side->error);
}

void side_run(struct side *side, const char *sql, struct answer *answer)
{
    side_run_with(side, sql, NULL, 0, answer);
}

const char *side_name(const struct side *side)
{
    return side->ours ? "toyDB" : "SQLite";
}

const char *side_error(const struct side *side)
{
    return side->error;
}

void side_close(struct side *side)
{
    if (side->ours) {
        struct store_txn *txn = sql_session_abort(side->session);
        demand(txn == NULL, "a transaction is open");
        sql_session_destroy(side->session);
        sql_engine_destroy(side->engine);
        replica_close(side->replica);
        buffer_free(&side->commit.request);
    } else {
        for (uint32_t i = 0; i < STATEMENTS_MAX; i++)
            sqlite3_finalize(side->prepared[i].statement);
        sqlite3_close(side->db);
    }
    free(side);
}
