/* A session's life outside its steps: made, given texts, answered, cancelled, aborted. */
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "sql_int.h"

/* Which phase may follow which. */
#define AFTER(phase) (1u << PHASE_##phase)
static const uint32_t successors[PHASE_COUNT] = {
    [PHASE_IDLE] = AFTER(PARSE) | AFTER(FAIL),
    [PHASE_PARSE] = AFTER(IDLE) | AFTER(BEGIN) | AFTER(PREPARE) | AFTER(RESULT) | AFTER(COMPLETE) |
                    AFTER(COMMIT_WAIT) | AFTER(FAIL),
    [PHASE_BEGIN] = AFTER(BEGIN_WAIT) | AFTER(FAIL),
    [PHASE_BEGIN_WAIT] = AFTER(PREPARE) | AFTER(FAIL),
    [PHASE_PREPARE] = AFTER(RUN) | AFTER(CHORE_BEGIN) | AFTER(FAIL),
    [PHASE_CHORE_BEGIN] = AFTER(CHORE_BEGIN) | AFTER(CHORE_BEGIN_WAIT) | AFTER(FAIL),
    [PHASE_CHORE_BEGIN_WAIT] =
        AFTER(CHORE_RUN) | AFTER(CHORE_EXECUTE) | AFTER(CHORE_BEGIN) | AFTER(FAIL),
    [PHASE_CHORE_EXECUTE] = AFTER(CHORE_RUN),
    [PHASE_CHORE_RUN] = AFTER(CHORE_COMMIT_WAIT) | AFTER(CHORE_BEGIN) | AFTER(BEGIN) | AFTER(FAIL),
    [PHASE_CHORE_COMMIT_WAIT] = AFTER(PREPARE) | AFTER(CHORE_BEGIN) | AFTER(BEGIN) | AFTER(FAIL),
    [PHASE_RUN] = AFTER(CHORE_BEGIN) | AFTER(ROWS) | AFTER(CLOSE) | AFTER(FAIL),
    [PHASE_ROWS] = AFTER(CLOSE) | AFTER(FAIL),
    [PHASE_CLOSE] =
        AFTER(COMMIT_WAIT) | AFTER(RESULT) | AFTER(COMPLETE) | AFTER(BEGIN) | AFTER(FAIL),
    [PHASE_COMMIT_WAIT] = AFTER(RESULT) | AFTER(BEGIN) | AFTER(FAIL),
    [PHASE_RESULT] = AFTER(RESULT_ROWS) | AFTER(COMPLETE),
    [PHASE_RESULT_ROWS] = AFTER(COMPLETE),
    [PHASE_COMPLETE] = AFTER(PARSE) | AFTER(IDLE),
    [PHASE_FAIL] = AFTER(BEGIN) | AFTER(ERROR),
    [PHASE_ERROR] = AFTER(IDLE),
};
static void check_invariants(const struct sql_session *session)
{
    static const uint32_t with_txn = AFTER(PREPARE) | AFTER(RUN) | AFTER(ROWS);
    static const uint32_t without_txn = AFTER(BEGIN) | AFTER(BEGIN_WAIT) | AFTER(COMMIT_WAIT);
    static const uint32_t may_execute = AFTER(ROWS) | AFTER(RUN) | AFTER(FAIL);
    enum phase phase = session->phase;
    uint32_t own = 1u << phase;
    if (session->txn) {
        /* Between texts a transaction is only held inside BEGIN ... COMMIT. */
        ASSERT(session->state == SQL_IN_TRANSACTION ||
               (session->state == SQL_IDLE && phase != PHASE_IDLE));
        ASSERT(!(own & without_txn));
    } else {
        ASSERT(!(own & with_txn));
    }
    ASSERT(!session->held || phase == PHASE_CHORE_RUN);
    ASSERT(phase != PHASE_CHORE_RUN || session->held || session->job.kind != JOB_NONE);
    ASSERT(!session->exec || own & may_execute);
}

void sql__session_move(struct sql_session *session, enum phase phase)
{
    ASSERT(successors[session->phase] & 1u << phase);
    session->phase = phase;
    check_invariants(session);
}
#undef AFTER

void sql__session_fail(struct sql_session *session)
{
    ASSERT(session->error.status != OK);
    if (session->execute_position) /* places in the prepared text mean nothing to the client */
        session->error.position = session->execute_position;
    sql__session_move(session, PHASE_FAIL);
}

/* A store that others see is dear, and seldom is there anything to clear. */
static void cancel_clear(struct sql_session *session)
{
    if (atomic_load_explicit(&session->cancel, memory_order_relaxed))
        atomic_store(&session->cancel, false);
}

/* An idle session keeps a block for its next statement, but not a big one. */
static void arena_renew(struct arena *arena)
{
    enum { KEEP_MAX = 64 << 10 };
    if (arena->used > KEEP_MAX)
        arena_free(arena);
    else
        arena_reset(arena);
}

void sql__session_reset_run(struct sql_session *session)
{
    exec_close(session->exec);
    session->exec = NULL;
    sql__statement_drop_plan(session);
    session->planned = (struct planned){0};
    session->arguments = NULL;
    session->result = (struct result){0};
    session->first = NULL;
    session->told = false;
    session->prepared = false;
    session->planning = session->planning_next = PLANNED_BRIEFLY;
    session->chore_attempt = 0;
    session->sequences.want_count = 0;
    session->sequences.ended = false;
    session->sequences.set = false;
    session->sequences.again = false;
    session->sequences.used = 0;
    session->told_rows = false;
    session->changed = false;
    session->changed_schema = false;
    session->rows = 0;
    session->tag[0] = '\0';
    arena_renew(&session->run_arena);
}

void sql__session_reset_statement(struct sql_session *session)
{
    sql__session_reset_run(session);
    sql__kept_ended(session);
    session->statement = NULL;
    if (session->execute_position) {
        session->execute_position = 0;
        session->parameters = NULL;
        session->parameter_count = 0;
    }
    session->attempt = 0;
    session->sequences.too_few = 0;
    sql__job_reset(session);
    arena_renew(&session->statement_arena);
}

void sql__session_reset_text(struct sql_session *session)
{
    sql__session_reset_statement(session);
    session->parser = (struct parser){.position = 1};
    session->parameters = NULL;
    session->parameter_count = 0;
    arena_renew(&session->text_arena);
    sql__kept_text_ended(session);
    cancel_clear(session);
}

void sql__session_end_transaction(struct sql_session *session)
{
    ASSERT(!session->exec);
    session->txn = NULL;
    session->wrote = false;
    session->catalog_fresh = false;
    if (session->catalog_own) {
        /* Nobody else may ever see it: its version can mean another schema by now. */
        catalog_release(session->catalog);
        session->catalog = NULL;
        session->catalog_own = false;
    }
}

struct sql_session *sql_session_create(struct sql_engine *engine)
{
    struct sql_session *session = mem_zalloc(1, sizeof *session);
    session->engine = engine;
    session->settings = sql__settings_create();
    return session;
}

void sql_session_destroy(struct sql_session *session)
{
    if (!session)
        return;
    ASSERT(!session->txn && session->phase == PHASE_IDLE && !session->exec);
    sql__kept_free(session);
    catalog_release(session->catalog);
    sql__settings_destroy(session->settings);
    sql__sequences_free(session);
    sql__prepared_free(session);
    for (uint32_t i = 0; i < EXEC_BUFFERS; i++)
        buffer_free(&session->buffers[i]);
    arena_free(&session->run_arena);
    arena_free(&session->statement_arena);
    arena_free(&session->text_arena);
    mem_free(session);
}

enum sql_transaction_state sql_session_state(const struct sql_session *session)
{
    return session->state;
}

void sql_session_memory_set(struct sql_session *session, size_t bytes)
{
    session->memory_budget = bytes;
    sql__kept_close(session);
}

void sql_session_work_memory_set(struct sql_session *session, size_t bytes)
{
    sql__settings_work_memory_set(session->settings, bytes);
    sql__kept_close(session);
}

void sql_cancel(struct sql_session *session)
{
    atomic_store(&session->cancel, true);
}

static void copy_parameters(struct sql_session *session, const struct value *parameters,
                            uint32_t count)
{
    session->parameters = arena_alloc(&session->text_arena, count * sizeof *parameters);
    session->parameter_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct value value = parameters[i];
        if (type_is_slice(value.type) && !value.null)
            value.as.text = arena_copy(&session->text_arena, value.as.text);
        session->parameters[i] = value;
    }
}

static status_t check_parameters(const struct value *parameters, uint32_t count,
                                 struct error *error)
{
    if (count > SQL_PARAMETERS_MAX)
        return error_sql(error, "54000", 0, "too many parameters: %u, the limit is %d", count,
                         SQL_PARAMETERS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct value *value = &parameters[i];
        if (value->type != SQL_TEXT || value->null)
            continue;
        if (!utf8_valid_text(value->as.text))
            return error_sql(error, "22021", 0, "parameter $%u is not valid UTF-8 text", i + 1);
    }
    return OK;
}

void sql_submit(struct sql_session *session, struct slice text, const struct value *parameters,
                uint32_t parameter_count)
{
    ASSERT(session->phase == PHASE_IDLE);
    ASSERT(parameters || parameter_count == 0);
    cancel_clear(session);
    ASSERT(!session->statement && session->text_arena.used == 0);
    error_clear(&session->error);
    bool kept = sql__kept_is(session, text);
    status_t status = OK;
    if (kept) /* it has been looked at */
        session->parser = (struct parser){.text = session->kept.bytes, .position = 1};
    else
        status = parse_begin(&session->parser, text, SQL_TEXT_MAX, &session->error);
    if (!status)
        status = check_parameters(parameters, parameter_count, &session->error);
    if (status) {
        sql__session_fail(session);
        return;
    }
    if (!kept)
        session->parser.text = arena_copy(&session->text_arena, text);
    copy_parameters(session, parameters, parameter_count);
    sql__session_move(session, PHASE_PARSE);
}

void sql_begun(struct sql_session *session, struct store_txn *txn, bool confirmed, uint64_t now_us,
               status_t status, const struct error *error)
{
    ASSERT((status == OK) == (txn != NULL));
    if (session->phase == PHASE_CHORE_BEGIN_WAIT) {
        ASSERT(!session->held);
        if (status) {
            error_set(&session->error, status, "%s", status_text(status));
            if (error)
                session->error = *error;
            sql__chore_fail(session);
            return;
        }
        session->held = session->txn;
        session->txn = txn;
        sql__session_move(session,
                          sql__chore_is_job(session) ? PHASE_CHORE_EXECUTE : PHASE_CHORE_RUN);
        return;
    }
    ASSERT(session->phase == PHASE_BEGIN_WAIT && !session->txn);
    if (status) {
        error_set(&session->error, status, "%s", status_text(status));
        if (error)
            session->error = *error;
        sql__session_fail(session);
        return;
    }
    ASSERT(confirmed || (session->state == SQL_IDLE && session->attempt == 0 &&
                         sql__statement_is_dml(session->statement)));
    session->txn = txn;
    session->begin_us = env_monotonic_us(session->engine->env) - session->asked_us;
    session->confirmed = confirmed;
    session->transaction_us = now_us;
    session->wrote = false;
    session->catalog_fresh = false;
    sql__session_move(session, PHASE_PREPARE);
}

/* Worth another try, with nobody the wiser? */
static bool may_retry(const struct sql_session *session, status_t status)
{
    return session->state == SQL_IDLE && !session->told &&
           (status == ERR_CONFLICT || status == ERR_TOO_OLD) &&
           session->attempt + 1 < SQL_ATTEMPTS_MAX;
}

bool sql__chore_is_job(const struct sql_session *session)
{
    return session->job.kind != JOB_NONE && !session->job.done;
}

void sql__chore_fail(struct sql_session *session)
{
    ASSERT(session->error.status != OK);
    if (sql__chore_is_job(session) && sql__job_failed(session)) {
        session->chore_attempt = 0;
        sql__session_move(session, PHASE_CHORE_BEGIN);
    } else {
        sql__session_fail(session);
    }
}

bool sql__chore_retry(struct sql_session *session, status_t status)
{
    bool again = (status == ERR_CONFLICT || status == ERR_TOO_OLD) &&
                 session->chore_attempt + 1 < SQL_ATTEMPTS_MAX;
    if (!again)
        return false;
    session->chore_attempt++;
    if (sql__chore_is_job(session) && sql__job_gives_way(session)) {
        error_clear(&session->error);
        sql__session_move(session, PHASE_BEGIN);
        return true;
    }
    if (sql__chore_is_job(session))
        sql__job_conflict(session);
    error_clear(&session->error);
    sql__session_move(session, PHASE_CHORE_BEGIN);
    return true;
}

static void job_committed(struct sql_session *session)
{
    session->chore_attempt = 0;
    if (!sql__job_committed(session))
        sql__session_fail(session);
    else
        sql__session_move(session, session->job.done ? PHASE_BEGIN : PHASE_CHORE_BEGIN);
}

static void chore_committed(struct sql_session *session, status_t status, const struct error *error)
{
    if (status == OK && sql__chore_is_job(session)) {
        job_committed(session);
    } else if (status == OK) {
        sql__sequences_taken(session);
        sql__session_move(session, PHASE_PREPARE);
    } else if (!sql__chore_retry(session, status)) {
        error_set(&session->error, status, "%s", status_text(status));
        if (error)
            session->error = *error;
        sql__chore_fail(session);
    }
}

void sql_commit_took(struct sql_session *session, uint64_t certify_us, uint64_t replicate_us)
{
    session->certify_us = certify_us;
    session->replicate_us = replicate_us;
}

void sql_committed(struct sql_session *session, status_t status, const struct error *error)
{
    if (session->phase == PHASE_CHORE_COMMIT_WAIT) {
        chore_committed(session, status, error);
        return;
    }
    ASSERT(session->phase == PHASE_COMMIT_WAIT && !session->txn);
    if (status == OK) {
        session->state = SQL_IDLE;
        session->sequences.least = 0;
        session->commit_us = env_monotonic_us(session->engine->env) - session->asked_us;
        if (session->result.present && session->statement->kind == AST_EXPLAIN)
            sql__explain_committed(session);
        sql__session_move(session, PHASE_RESULT);
    } else if (may_retry(session, status)) {
        session->attempt++;
        sql__session_move(session, PHASE_BEGIN);
    } else {
        error_set(&session->error, status, "%s", status_text(status));
        if (error)
            session->error = *error;
        session->state = SQL_IDLE;
        sql__session_fail(session);
    }
}

struct store_txn *sql_session_abort(struct sql_session *session)
{
    struct store_txn *txn = session->txn;
    ASSERT(session->phase != PHASE_BEGIN_WAIT && session->phase != PHASE_COMMIT_WAIT);
    if (session->held) { /* a chore's, then the statement's */
        session->txn = session->held;
        session->held = NULL;
        session->phase = PHASE_FAIL;
        return txn;
    }
    session->state = SQL_IDLE;
    sql__session_reset_text(session);
    sql__session_end_transaction(session);
    session->phase = PHASE_IDLE;
    check_invariants(session);
    return txn;
}
