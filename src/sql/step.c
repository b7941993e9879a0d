/* The session's steps: one function a phase, see sql_int.h for the map. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

static bool was_cancelled(struct sql_session *session)
{
    if (!atomic_load(&session->cancel))
        return false;
    error_set(&session->error, ERR_CANCELED, "%s", status_text(ERR_CANCELED));
    sql__session_fail(session);
    return true;
}

static bool end_text(struct sql_session *session, struct sql_event *event, enum sql_event_kind kind)
{
    sql__session_reset_text(session);
    sql__session_move(session, PHASE_IDLE);
    event->kind = kind;
    return true;
}

/* ---- PARSE ----------------------------------------------------------------------------------- */

/* Hands the transaction back with an event; the phase has been moved by the caller. */
static bool give_back(struct sql_session *session, struct sql_event *event,
                      enum sql_event_kind kind)
{
    ASSERT(session->txn);
    event->kind = kind;
    event->txn = session->txn;
    memcpy(event->tag, session->tag, sizeof event->tag);
    event->rows = session->rows;
    event->more = !parse_at_end(&session->parser);
    sql__session_end_transaction(session);
    return true;
}

/* In a transaction it begins none, as in PostgreSQL, but may make it a read-only one. */
static void begin_block(struct sql_session *session)
{
    bool inside = session->state != SQL_IDLE;
    ASSERT(session->state != SQL_FAILED_TRANSACTION);
    session->read_only = session->statement->as.begin->read_only || (inside && session->read_only);
    session->state = SQL_IN_TRANSACTION;
    snprintf(session->tag, sizeof session->tag, "BEGIN");
}

/* COMMIT and ROLLBACK; true when they make an event. A transaction that wrote nothing has nothing
 * to certify: all it read is of one snapshot. */
static bool end_block(struct sql_session *session, struct sql_event *event)
{
    bool commit =
        session->statement->kind == AST_COMMIT && session->state != SQL_FAILED_TRANSACTION;
    snprintf(session->tag, sizeof session->tag, "%s", commit ? "COMMIT" : "ROLLBACK");
    if (commit && session->wrote) {
        struct store_txn *txn = session->txn;
        bool made = give_back(session, event, SQL_EVENT_COMMIT);
        ASSERT(txn && event->txn == txn);
        sql__session_move(session, PHASE_COMMIT_WAIT);
        return made;
    }
    session->state = SQL_IDLE;
    bool held = session->txn != NULL;
    if (held)
        give_back(session, event, SQL_EVENT_ROLLBACK);
    sql__session_move(session, PHASE_COMPLETE);
    return held;
}

static const char *verb(const struct ast_statement *statement)
{
    static const char *const verbs[] = {
        [AST_INSERT] = "INSERT",
        [AST_UPDATE] = "UPDATE",
        [AST_DELETE] = "DELETE",
        [AST_CREATE_TABLE] = "CREATE TABLE",
        [AST_DROP_TABLE] = "DROP TABLE",
        [AST_CREATE_INDEX] = "CREATE INDEX",
        [AST_DROP_INDEX] = "DROP INDEX",
        [AST_CREATE_VIEW] = "CREATE VIEW",
        [AST_DROP_VIEW] = "DROP VIEW",
        [AST_REINDEX] = "REINDEX",
        [AST_ALTER_INDEX] = "ALTER INDEX",
        [AST_ALTER_VIEW] = "ALTER VIEW",
        [AST_ALTER_TABLE] = "ALTER TABLE",
        [AST_EXPLAIN] = "EXPLAIN ANALYZE",
        [AST_CREATE_SEQUENCE] = "CREATE SEQUENCE",
        [AST_ALTER_SEQUENCE] = "ALTER SEQUENCE",
        [AST_DROP_SEQUENCE] = "DROP SEQUENCE",
        [AST_TRUNCATE] = "TRUNCATE",
        [AST_COMMENT] = "COMMENT",
        [AST_COPY] = "COPY FROM",
    };
    ASSERT(statement->kind < sizeof verbs / sizeof *verbs && verbs[statement->kind]);
    return verbs[statement->kind];
}

static status_t check_statement(struct sql_session *session)
{
    const struct ast_statement *statement = session->statement;
    bool ends = statement->kind == AST_COMMIT || statement->kind == AST_ROLLBACK;
    if (session->state == SQL_FAILED_TRANSACTION && !ends)
        return error_sql(&session->error, "25P02", 0,
                         "current transaction is aborted, commands ignored until end of "
                         "transaction block");
    if (session->state == SQL_IN_TRANSACTION && statement->kind == AST_VACUUM)
        return error_sql(&session->error, "25001", statement->position,
                         "VACUUM cannot run inside a transaction block");
    if (session->state == SQL_IN_TRANSACTION && session->read_only &&
        (sql__statement_is_ddl(statement) || sql__statement_is_dml(statement)))
        return error_sql(&session->error, "25006", statement->position,
                         "cannot execute %s in a read-only transaction", verb(statement));
    if (statement->kind == AST_COPY && statement->as.copy->from && !session->parameter_count) {
        error_sql(&session->error, "08P01", statement->position,
                  "COPY FROM STDIN came without its data");
        error_hint(&session->error, "The data is the statement's one parameter; the shell takes it "
                                    "from the lines behind the statement.");
        return ERR_SQL;
    }
    if (session->execute_position)
        return OK; /* the number of its parameters has been looked at */
    if (session->parameter_count && !parse_at_end(&session->parser))
        return error_sql(&session->error, "42601", 0,
                         "parameters are allowed with a single statement only");
    if (statement->parameter_count > session->parameter_count)
        return error_sql(&session->error, "42P02", 0, "there is no parameter $%u",
                         statement->parameter_count);
    if (statement->parameter_count < session->parameter_count)
        return error_sql(&session->error, "08P01", 0,
                         "%u parameters were given, but the statement has %u",
                         session->parameter_count, statement->parameter_count);
    return OK;
}

static status_t set(struct sql_session *session)
{
    sql__kept_close(session);
    return sql__settings_set(session, session->statement->as.set);
}

/* The statement has been read; where to? True when that makes an event. */
static bool dispatch(struct sql_session *session, struct sql_event *event)
{
    status_t status = check_statement(session);
    if (!status && session->statement->kind == AST_EXECUTE) {
        status = sql__execute(session);
        if (!status)
            status = check_statement(session);
    }
    const struct ast_statement *statement = session->statement;
    if (!status && (statement->kind == AST_COMMIT || statement->kind == AST_ROLLBACK))
        return end_block(session, event);
    if (!status && sql__statement_needs_transaction(statement)) {
        sql__session_move(session, session->txn ? PHASE_PREPARE : PHASE_BEGIN);
        return false;
    }
    if (!status && statement->kind == AST_BEGIN)
        begin_block(session);
    else if (!status && statement->kind == AST_SET)
        status = set(session);
    else if (!status && statement->kind == AST_PREPARE)
        status = sql__prepare(session);
    else if (!status && statement->kind == AST_DEALLOCATE)
        status = sql__deallocate(session);
    else if (!status)
        status = sql__settings_show(session, statement->as.show);
    if (status)
        sql__session_fail(session);
    else
        sql__session_move(session, PHASE_RESULT);
    return false;
}

/* The whole text as one statement that has been parsed before? */
static bool find_cached(struct sql_session *session)
{
    struct parser *parser = &session->parser;
    if (parser->offset != 0)
        return false;
    if (!sql__kept_find(session, parser->text))
        return false;
    parser->offset = parser->text.size;
    return true;
}

static status_t parse_statement(struct sql_session *session)
{
    struct parser *parser = &session->parser;
    struct ast_statement *statement;
    bool first = parser->offset == 0;
    status_t status = parse_next(parser, &session->statement_arena, &statement, &session->error);
    session->statement = statement;
    if (!status && first && statement && sql__statement_is_cacheable(statement) &&
        parse_at_end(parser))
        sql__cache_offer(session->engine, parser->text);
    return status;
}

static bool step_parse(struct sql_session *session, struct sql_event *event)
{
    if (session->parser.offset > 0) /* the first of a text finds all as the one before left it */
        sql__session_reset_statement(session);
    if (was_cancelled(session))
        return false;
    if (!find_cached(session) && parse_statement(session)) {
        sql__session_fail(session);
        return false;
    }
    if (!session->statement)
        return end_text(session, event, SQL_EVENT_DONE);
    return dispatch(session, event);
}

/* ---- BEGIN, PREPARE, RUN, ROWS --------------------------------------------------------------- */

static bool step_begin(struct sql_session *session, struct sql_event *event)
{
    const struct ast_statement *statement = session->statement;
    bool autocommit = session->state == SQL_IDLE;
    bool dml = sql__statement_is_dml(statement);
    sql__session_reset_run(session);
    if (was_cancelled(session))
        return false;
    event->kind = SQL_EVENT_BEGIN;
    event->autocommit = autocommit;
    event->read_only = autocommit
                           ? !dml && !sql__statement_is_ddl(statement) && !statement->sets_sequence
                           : session->read_only;
    event->may_be_unconfirmed = autocommit && dml && session->attempt == 0;
    event->attempt = session->attempt;
    session->asked_us = env_monotonic_us(session->engine->env);
    sql__session_move(session, PHASE_BEGIN_WAIT);
    return true;
}

static bool step_prepare(struct sql_session *session, struct sql_event *event)
{
    if (was_cancelled(session))
        return false;
    if (!session->prepared && sql__statement_prepare(session, &session->is_short)) {
        if (sql__planning_moves(session, event))
            return true;
        sql__session_fail(session);
        return false;
    }
    session->prepared = true;
    if (sql__job_wanted(session)) {
        give_back(session, event, SQL_EVENT_ROLLBACK);
        sql__session_move(session, PHASE_CHORE_BEGIN);
        return true;
    }
    if (!sql__sequences_ready(session)) {
        sql__session_move(session, PHASE_CHORE_BEGIN);
        return false;
    }
    event->kind = SQL_EVENT_EXECUTE;
    event->is_short = session->is_short;
    sql__session_move(session, PHASE_RUN);
    return true;
}

/* ---- CHORE ----------------------------------------------------------------------------------- */

static bool step_chore_begin(struct sql_session *session, struct sql_event *event)
{
    if (sql__job_heeds_cancel(session) && atomic_load(&session->cancel)) {
        error_set(&session->error, ERR_CANCELED, "%s", status_text(ERR_CANCELED));
        sql__chore_fail(session);
        return false;
    }
    event->kind = SQL_EVENT_BEGIN;
    event->chore = true;
    event->autocommit = true;
    event->attempt = session->chore_attempt;
    sql__session_move(session, PHASE_CHORE_BEGIN_WAIT);
    return true;
}

static bool step_chore_execute(struct sql_session *session, struct sql_event *event)
{
    event->kind = SQL_EVENT_EXECUTE;
    event->chore = true;
    sql__session_move(session, PHASE_CHORE_RUN);
    return true;
}

/* Its transaction goes out with the event, and the statement's takes its place. */
static bool step_chore_run(struct sql_session *session, struct sql_event *event)
{
    ASSERT(session->txn);
    status_t status = sql__chore_is_job(session) ? sql__job_run(session)
                                                 : sql__sequences_take(session, session->txn);
    event->kind = status ? SQL_EVENT_ROLLBACK : SQL_EVENT_COMMIT;
    event->chore = true;
    event->txn = session->txn;
    session->txn = session->held;
    session->held = NULL;
    if (!status)
        sql__session_move(session, PHASE_CHORE_COMMIT_WAIT);
    else if (!sql__chore_is_job(session) || !sql__chore_retry(session, status))
        sql__chore_fail(session);
    return true;
}

/* The header of the plan's rows. */
static void announce_plan(struct sql_session *session, struct sql_event *event)
{
    const struct plan *root = session->planned.root;
    struct sql_column *columns =
        arena_alloc(&session->run_arena, root->column_count * sizeof *columns);
    for (uint32_t i = 0; i < root->column_count; i++)
        columns[i] = (struct sql_column){.name = root->names[i], .type = root->types[i]};
    event->kind = SQL_EVENT_HEADER;
    event->columns = columns;
    event->column_count = root->column_count;
    session->told = true;
}

/* For want of values of a sequence. */
static void begin_again(struct sql_session *session)
{
    ASSERT(!session->told && !session->changed && session->sequences.want_count > 0);
    exec_close(session->exec);
    session->exec = NULL;
    session->first = NULL;
    session->result = (struct result){0};
    session->sequences.again = false;
    session->sequences.used = 0;
    error_clear(&session->error);
    sql__session_move(session, PHASE_CHORE_BEGIN);
}

static bool step_run(struct sql_session *session, struct sql_event *event)
{
    if (was_cancelled(session))
        return false;
    bool streams = sql__statement_streams(session);
    if (streams ? sql__statement_open(session) : sql__statement_run(session)) {
        if (sql__planning_moves(session, event))
            return true;
        if (session->sequences.again)
            begin_again(session);
        else
            sql__session_fail(session);
        return false;
    }
    if (!streams) {
        sql__session_move(session, PHASE_CLOSE);
        return false;
    }
    announce_plan(session, event);
    sql__session_move(session, PHASE_ROWS);
    return true;
}

static bool step_rows(struct sql_session *session, struct sql_event *event)
{
    struct batch *batch = session->first;
    if (was_cancelled(session))
        return false;
    /* The first batch has been fetched, or there was none and the end was seen. */
    if (session->told_rows && sql__statement_next(session, &batch)) {
        sql__session_fail(session);
        return false;
    }
    session->told_rows = true;
    if (batch) {
        session->rows += batch->selected;
        event->kind = SQL_EVENT_ROWS;
        event->zone_s = sql__settings_zone_s(session->settings);
        event->batch = batch;
        return true;
    }
    exec_close(session->exec);
    session->exec = NULL;
    sql__tag_selected(session);
    sql__session_move(session, PHASE_CLOSE);
    return false;
}

/* ---- CLOSE ----------------------------------------------------------------------------------- */

static bool step_close(struct sql_session *session, struct sql_event *event)
{
    ASSERT(session->txn && !session->exec);
    if (session->sequences.set && sql__reload_catalog(session)) {
        sql__session_fail(session);
        return false;
    }
    bool wrote = session->changed || session->changed_schema;
    if (session->state == SQL_IN_TRANSACTION) {
        session->wrote |= wrote;
        sql__session_move(session, session->result.present ? PHASE_RESULT : PHASE_COMPLETE);
        return false;
    }
    if (wrote) {
        session->asked_us = env_monotonic_us(session->engine->env);
        give_back(session, event, SQL_EVENT_COMMIT);
        sql__session_move(session, PHASE_COMMIT_WAIT);
        return true;
    }
    bool again = !session->confirmed;
    give_back(session, event, SQL_EVENT_ROLLBACK);
    if (again)
        session->attempt++;
    sql__session_move(session, again ? PHASE_BEGIN : PHASE_RESULT);
    return true;
}

/* ---- RESULT, COMPLETE ------------------------------------------------------------------------ */

static bool step_result(struct sql_session *session, struct sql_event *event)
{
    struct result *result = &session->result;
    if (!result->present) {
        sql__session_move(session, PHASE_COMPLETE);
        return false;
    }
    event->kind = SQL_EVENT_HEADER;
    event->columns = result->columns;
    event->column_count = result->column_count;
    session->told = true;
    sql__session_move(session, PHASE_RESULT_ROWS);
    return true;
}

static bool step_result_rows(struct sql_session *session, struct sql_event *event)
{
    event->batch = sql__result_next(session);
    if (event->batch) {
        event->kind = SQL_EVENT_ROWS;
        event->zone_s = sql__settings_zone_s(session->settings);
        return true;
    }
    session->rows = session->result.row_count;
    sql__session_move(session, PHASE_COMPLETE);
    return false;
}

static bool step_complete(struct sql_session *session, struct sql_event *event)
{
    event->kind = SQL_EVENT_COMPLETE;
    event->rows = session->rows;
    event->more = !parse_at_end(&session->parser);
    ASSERT(session->tag[0]);
    memcpy(event->tag, session->tag, sizeof event->tag);
    if (!event->more)
        return end_text(session, event, SQL_EVENT_COMPLETE);
    sql__session_move(session, PHASE_PARSE);
    return true;
}

/* ---- FAIL, ERROR ----------------------------------------------------------------------------- */

/* Run the statement again rather than tell? An answer must not rest on an unconfirmed snapshot, and
 * a snapshot that grew too old before anything was said is no error of the client's. */
static bool should_repeat(const struct sql_session *session)
{
    status_t status = session->error.status;
    if (session->state != SQL_IDLE || !session->txn || session->told || status == ERR_CANCELED)
        return false;
    if (!session->confirmed)
        return true;
    return (status == ERR_CONFLICT || status == ERR_TOO_OLD) &&
           session->attempt + 1 < SQL_ATTEMPTS_MAX;
}

static bool step_fail(struct sql_session *session, struct sql_event *event)
{
    bool repeat = should_repeat(session);
    exec_close(session->exec);
    session->exec = NULL;
    if (session->state == SQL_IN_TRANSACTION)
        session->state = SQL_FAILED_TRANSACTION;
    bool held = session->txn != NULL;
    if (held)
        give_back(session, event, SQL_EVENT_ROLLBACK);
    if (repeat) {
        session->attempt++;
        error_clear(&session->error);
    }
    sql__session_move(session, repeat ? PHASE_BEGIN : PHASE_ERROR);
    return held;
}

static bool step_error(struct sql_session *session, struct sql_event *event)
{
    ASSERT(session->error.status != OK && !session->txn);
    event->error = session->error;
    error_clear(&session->error);
    return end_text(session, event, SQL_EVENT_ERROR);
}

void sql_step(struct sql_session *session, struct sql_event *event)
{
    typedef bool step_fn(struct sql_session *, struct sql_event *);
    static step_fn *const steps[PHASE_COUNT] = {
        [PHASE_PARSE] = step_parse,
        [PHASE_BEGIN] = step_begin,
        [PHASE_CHORE_BEGIN] = step_chore_begin,
        [PHASE_CHORE_EXECUTE] = step_chore_execute,
        [PHASE_CHORE_RUN] = step_chore_run,
        [PHASE_PREPARE] = step_prepare,
        [PHASE_RUN] = step_run,
        [PHASE_ROWS] = step_rows,
        [PHASE_CLOSE] = step_close,
        [PHASE_RESULT] = step_result,
        [PHASE_RESULT_ROWS] = step_result_rows,
        [PHASE_COMPLETE] = step_complete,
        [PHASE_FAIL] = step_fail,
        [PHASE_ERROR] = step_error,
    };
    /* The error is large and only read with SQL_EVENT_ERROR. */
    memset(event, 0, offsetof(struct sql_event, error));
    ASSERT(session->phase != PHASE_BEGIN_WAIT && session->phase != PHASE_COMMIT_WAIT);
    ASSERT(session->phase != PHASE_CHORE_BEGIN_WAIT && session->phase != PHASE_CHORE_COMMIT_WAIT);
    if (session->phase == PHASE_IDLE) {
        event->kind = SQL_EVENT_DONE;
        return;
    }
    bool made = false;
    while (!made) {
        step_fn *step = steps[session->phase];
        ASSERT(step);
        made = step(session, event);
    }
}
