/* One statement inside its transaction: schema, plan, execution. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "sql_int.h"

/* ---- what kind it is ------------------------------------------------------------------------- */

bool sql__statement_is_ddl(const struct ast_statement *statement)
{
    switch (statement->kind) {
    case AST_CREATE_TABLE:
    case AST_DROP_TABLE:
    case AST_CREATE_INDEX:
    case AST_DROP_INDEX:
    case AST_CREATE_VIEW:
    case AST_DROP_VIEW:
    case AST_REINDEX:
    case AST_ALTER_INDEX:
    case AST_ALTER_VIEW:
    case AST_ALTER_TABLE:
    case AST_CREATE_SEQUENCE:
    case AST_ALTER_SEQUENCE:
    case AST_DROP_SEQUENCE:
    case AST_TRUNCATE:
    case AST_COMMENT:
        return true;
    default:
        return false;
    }
}

bool sql__statement_is_dml(const struct ast_statement *statement)
{
    if (statement->kind == AST_EXPLAIN)
        return statement->as.explain->analyze &&
               sql__statement_is_dml(statement->as.explain->statement);
    if (statement->kind == AST_COPY)
        return statement->as.copy->from;
    return statement->kind == AST_INSERT || statement->kind == AST_UPDATE ||
           statement->kind == AST_DELETE;
}

bool sql__statement_needs_transaction(const struct ast_statement *statement)
{
    switch (statement->kind) {
    case AST_BEGIN:
    case AST_COMMIT:
    case AST_ROLLBACK:
    case AST_SET:
    case AST_PREPARE:
    case AST_DEALLOCATE:
        return false;
    case AST_SHOW:
        return statement->as.show->kind != AST_SHOW_SETTING &&
               statement->as.show->kind != AST_SHOW_ALL;
    default:
        return true;
    }
}

/* SELECT, INSERT, UPDATE, DELETE, also inside EXPLAIN; NULL for others. */
static const struct ast_statement *planned_part(const struct ast_statement *statement)
{
    if (statement->kind == AST_EXPLAIN)
        return statement->as.explain->statement;
    bool planned = statement->kind == AST_SELECT || statement->kind == AST_COPY ||
                   sql__statement_is_dml(statement);
    return planned ? statement : NULL;
}

bool sql__statement_is_cacheable(const struct ast_statement *statement)
{
    return planned_part(statement) == statement;
}

bool sql__statement_streams(const struct sql_session *session)
{
    const struct ast_statement *statement = session->statement;
    /* One that takes values of a sequence may find that too few were put aside, and is begun again
       then: so none of its rows may have gone out. */
    bool reads =
        statement->kind == AST_SELECT || (statement->kind == AST_COPY && !statement->as.copy->from);
    return reads && session->planned.nextval_count == 0;
}

enum { PLAN_USES_CHECK = 256 }; /* uses of a plan between two looks at the statistics */

/* ---- schema and plan ------------------------------------------------------------------------- */

static status_t find_catalog(struct sql_session *session)
{
    struct catalog *catalog;
    ASSERT(session->txn);
    if (session->catalog_fresh)
        return OK;
    status_t status = sql__engine_catalog(session->engine, session->txn, &catalog, &session->error);
    if (status)
        return status;
    catalog_release(session->catalog);
    session->catalog = catalog;
    session->catalog_fresh = true;
    return OK;
}

/* Parameters in the types the plan wants. What came as text may be read as anything. */
static status_t cast_parameters(struct sql_session *session)
{
    uint32_t count = session->planned.parameter_count;
    const struct value *parameters = session->parameters;
    ASSERT(count <= session->parameter_count);
    uint32_t fit = 0;
    while (fit < count && !parameters[fit].null &&
           parameters[fit].type == session->planned.parameter_types[fit])
        fit++;
    if (fit == count) {
        session->arguments = session->parameters;
        return OK;
    }
    struct value *arguments = arena_alloc(&session->run_arena, count * sizeof *arguments);
    const struct clock clock = {.now_us = (int64_t)session->transaction_us,
                                .zone_s = sql__settings_zone_s(session->settings),
                                .is_known = true};
    for (uint32_t i = 0; i < count; i++) {
        const struct value *given = &parameters[i];
        enum sql_type wanted = session->planned.parameter_types[i];
        status_t status = OK;
        if (given->null)
            arguments[i] = value_null(wanted);
        else if (given->type == wanted)
            arguments[i] = *given;
        else
            status = value_cast_at(given, wanted, &clock, &session->run_arena, 0, &arguments[i],
                                   &session->error);
        if (status)
            return status;
    }
    session->arguments = arguments;
    return OK;
}

/* The plan of a cached text, made now if need be. */
static status_t find_plan(struct sql_session *session, const struct plan_options *options)
{
    struct sql_engine *engine = session->engine;
    ASSERT(!session->cached_plan);
    session->cached_plan = sql__cache_plan(engine, session->cached_text, session->catalog,
                                           options->parameter_types, options->parameter_count);
    if (session->cached_plan && session->cached_plan->uses % PLAN_USES_CHECK == 0 &&
        sql__plan_is_weighed(&session->cached_plan->planned))
        sql__statistics_refresh(session, &session->cached_plan->planned);
    status_t status = OK;
    if (!session->cached_plan)
        status = sql__cache_make_plan(engine, session->cached_text, session->catalog, options,
                                      &session->cached_plan, &session->error);
    if (!status) {
        session->planned = session->cached_plan->planned;
        sql__kept_offer(session, session->cached_plan);
    }
    return status;
}

enum sql_type sql__parameter_type(const struct sql_session *session, uint32_t i)
{
    const struct value *given = &session->parameters[i];
    if (session->execute_position && i >= session->declared_parameters)
        return SQL_UNKNOWN;
    return given->null || given->type == SQL_TEXT ? SQL_UNKNOWN : given->type;
}

void sql__statement_drop_plan(struct sql_session *session)
{
    if (session->cached_plan != session->kept.plan)
        sql__cache_release_plan(session->engine, session->cached_plan);
    session->cached_plan = NULL;
}

static status_t make_plan(struct sql_session *session, const struct ast_statement *part)
{
    uint32_t count = session->parameter_count;
    enum sql_type *types = arena_alloc(&session->run_arena, count * sizeof *types);
    for (uint32_t i = 0; i < count; i++)
        types[i] = sql__parameter_type(session, i);
    struct planning planning = {.session = session};
    struct plan_options options = {.statistics = sql__planning_table,
                                   .statistics_context = &planning,
                                   .why = session->statement->kind == AST_EXPLAIN &&
                                          session->statement->as.explain->why,
                                   .parameter_types = types,
                                   .parameter_count = count,
                                   .sqlite = sql__settings_sqlite(session->settings)};
    sql__internal_options(session, &options);
    sql__planning_begin(session, &options);
    status_t status;
    /* Plans are shared between sessions, and so made by the rules of most. */
    if (session->cached_text && !session->catalog_own && !options.sqlite)
        status = find_plan(session, &options);
    else
        status = plan_statement(part, session->catalog, &options, &session->run_arena,
                                &session->planned, &session->error);
    sql__planning_forget(&planning);
    status = sql__planning_end(session, status);
    if (status) /* made, perhaps, and given up all the same */
        sql__statement_drop_plan(session);
    return status ? status : cast_parameters(session);
}

status_t sql__statement_prepare(struct sql_session *session, bool *is_short)
{
    const struct ast_statement *statement = session->statement;
    const struct ast_statement *part = planned_part(statement);
    status_t status = find_catalog(session);
    if (status)
        return status;
    session->cached_plan = sql__kept_plan(session);
    if (session->cached_plan) {
        session->planned = session->cached_plan->planned;
        *is_short = session->planned.is_short;
        return cast_parameters(session);
    }
    /* Without a plan: SHOW, CREATE TABLE. A view's is made when it runs. Dropping and indexing
     * touch as many rows as there are. */
    *is_short = statement->kind == AST_SHOW ||
                (statement->kind == AST_CREATE_TABLE && !statement->as.create_table->source);
    if (!part) {
        session->planning = *is_short ? PLANNED_AT_HOME : PLANNED_APART;
        return OK;
    }
    status = make_plan(session, part);
    if (status)
        return status;
    bool only_explained = statement->kind == AST_EXPLAIN && !statement->as.explain->analyze;
    *is_short = session->planned.is_short || (only_explained && session->planning != PLANNED_APART);
    return OK;
}

/* ---- execution ------------------------------------------------------------------------------- */

/* Operators may hold work_mem each, and there are several. */
size_t sql__statement_memory(const struct sql_session *session)
{
    enum { OPERATORS = 4 };
    size_t wanted = OPERATORS * sql__settings_work_memory(session->settings);
    if (session->memory_budget)
        return session->memory_budget;
    return wanted < SQL_MEMORY_DEFAULT ? SQL_MEMORY_DEFAULT : wanted;
}

void sql__statement_context(struct sql_session *session, struct exec_context *context)
{
    ASSERT(session->txn && session->catalog);
    *context = (struct exec_context){
        .env = session->engine->env,
        .random = &session->random,
        .sequences = sql__sequences_functions(session),
        .txn = session->txn,
        .catalog = session->catalog,
        .parameters = session->arguments,
        .parameter_count = session->planned.parameter_count,
        .transaction_us = session->transaction_us,
        /* Several threads must not each find a time of their own. */
        .statement_us = session->planned.is_short || session->planned.writes
                            ? 0
                            : env_wall_us(session->engine->env),
        .zone_s = sql__settings_zone_s(session->settings),
        .memory_budget = sql__statement_memory(session),
        .work_memory = sql__settings_work_memory(session->settings),
        .batch_rows = sql__settings_vector_rows(session->settings),
        .spill_directory = session->engine->spill_directory,
        .spill_next = &session->engine->spill_next,
        .cancel = &session->cancel,
        .crew = session->engine->crew,
        .threads_max = sql__settings_threads_max(session->settings),
        .parallel_rows = sql__settings_parallel_rows(session->settings),
        .no_late = !sql__settings_late_columns(session->settings),
        .no_lengths = sql__settings_sqlite(session->settings),
        .arena = &session->run_arena,
        .buffers = session->buffers,
    };
}

static status_t open_plan(struct sql_session *session, bool measure)
{
    struct exec_context context;
    if (!measure)
        return sql__kept_open(session);
    sql__statement_context(session, &context);
    context.measure = true;
    ASSERT(!session->exec && session->planned.root);
    return exec_open(&session->planned, &context, &session->exec, &session->error);
}

status_t sql__statement_next(struct sql_session *session, struct batch **batch)
{
    status_t status;
    do {
        status = exec_next(session->exec, batch, &session->error);
    } while (!status && *batch && (*batch)->selected == 0);
    return status;
}

status_t sql__statement_open(struct sql_session *session)
{
    status_t status = open_plan(session, false);
    return status ? status : sql__statement_next(session, &session->first);
}

/* Runs the plan to its end without looking at its rows. */
static status_t drain(struct sql_session *session, uint64_t *rows)
{
    struct batch *batch;
    *rows = 0;
    do {
        status_t status = exec_next(session->exec, &batch, &session->error);
        if (status)
            return status;
        *rows += batch ? batch->selected : 0;
    } while (batch);
    return OK;
}

/* A copy of each row: the transaction's snapshot is gone when they go out. */
static status_t hold_batch(struct sql_session *session, const struct batch *batch, size_t *held)
{
    for (uint32_t i = 0; i < batch->selected; i++) {
        struct value *row = sql__result_row(session);
        *held += batch->column_count * sizeof *row;
        for (uint32_t c = 0; c < batch->column_count; c++) {
            row[c] = vector_get(&batch->columns[c], batch_row(batch, i));
            if (row[c].null || !type_is_slice(row[c].type))
                continue;
            *held += row[c].as.text.size;
            row[c].as.text = arena_copy(&session->run_arena, row[c].as.text);
        }
    }
    size_t budget = sql__statement_memory(session);
    if (*held <= budget)
        return OK;
    error_set(&session->error, ERR_NOMEM,
              "out of memory: %s gives more than %zu bytes that are held to the end",
              session->planned.writes ? "RETURNING" : "a query with nextval", budget);
    error_hint(&session->error, "Return less at once, or raise work_mem.");
    return ERR_NOMEM;
}

/* RETURNING, and a query that may be begun again. */
static status_t hold_rows(struct sql_session *session)
{
    const struct plan *root = session->planned.root;
    size_t held = 0;
    for (uint32_t i = 0; i < root->column_count; i++)
        sql__result_column(session, root->names[i], root->types[i]);
    for (;;) {
        struct batch *batch;
        status_t status = exec_next(session->exec, &batch, &session->error);
        if (!status && batch)
            status = hold_batch(session, batch, &held);
        if (status || !batch)
            return status;
    }
}

static void close_plan(struct sql_session *session)
{
    session->changed |= exec_rows_affected(session->exec) > 0;
    sql__kept_rest(session);
}

/* "INSERT 0 1", for which printf would take as long as for all else that ends a statement. */
void sql__tag_counted(struct sql_session *session, const char *name, uint64_t count)
{
    char digits[20];
    size_t first = sizeof digits, size = strlen(name);
    do
        digits[--first] = (char)('0' + count % 10);
    while (count /= 10);
    ASSERT(size + 1 + sizeof digits < sizeof session->tag);
    memcpy(session->tag, name, size);
    session->tag[size++] = ' ';
    memcpy(session->tag + size, digits + first, sizeof digits - first);
    session->tag[size + sizeof digits - first] = '\0';
}

void sql__tag_selected(struct sql_session *session)
{
    const struct ast_statement *statement = session->statement;
    bool copy = statement->kind == AST_COPY;
    uint64_t names = copy && statement->as.copy->format.header; /* a row that is none */
    ASSERT(session->rows >= names);
    sql__tag_counted(session, copy ? "COPY" : "SELECT", session->rows - names);
}

static status_t run_dml(struct sql_session *session)
{
    static const char *const tags[] = {[AST_INSERT] = "INSERT 0",
                                       [AST_UPDATE] = "UPDATE",
                                       [AST_DELETE] = "DELETE",
                                       [AST_COPY] = "COPY"};
    uint64_t rows;
    status_t status = open_plan(session, false);
    if (!status)
        status = session->planned.returns_rows ? hold_rows(session) : drain(session, &rows);
    if (status)
        return status;
    session->rows = exec_rows_affected(session->exec);
    close_plan(session);
    sql__tag_counted(session, tags[session->statement->kind], session->rows);
    return OK;
}

static status_t run_held_select(struct sql_session *session)
{
    status_t status = open_plan(session, false);
    if (!status)
        status = hold_rows(session);
    if (status)
        return status;
    session->rows = session->result.row_count;
    close_plan(session);
    sql__tag_selected(session);
    return OK;
}

/* ---- EXPLAIN --------------------------------------------------------------------------------- */

/* Each line of the text is a row. */
static void add_lines(struct sql_session *session, const struct buffer *text)
{
    struct slice left = buffer_slice(text);
    while (left.size) {
        const uint8_t *newline = memchr(left.data, '\n', left.size);
        size_t size = newline ? (size_t)(newline - left.data) : left.size;
        struct value *row = sql__result_row(session);
        row[0] = value_text(arena_copy(&session->run_arena, slice_make(left.data, size)));
        size += newline != NULL;
        left = slice_make(left.data + size, left.size - size);
    }
}

static status_t run_analyze(struct sql_session *session, struct buffer *text)
{
    uint64_t rows;
    struct env *env = session->engine->env;
    uint64_t start_us = env_monotonic_us(env);
    status_t status = open_plan(session, true);
    if (!status)
        status = drain(session, &rows);
    if (status)
        return status;
    uint64_t elapsed_us = env_monotonic_us(env) - start_us;
    exec_explain_analyze(session->exec, text);
    close_plan(session);
    if (session->state == SQL_IDLE)
        buffer_printf(text, "Read version: %.3f ms%s\n", (double)session->begin_us / 1000,
                      session->confirmed ? "" : ", not asked for: the commit proves it");
    buffer_printf(text, "Execution time: %.3f ms\n", (double)elapsed_us / 1000);
    return OK;
}

void sql__explain_committed(struct sql_session *session)
{
    char line[160];
    ASSERT(session->statement->kind == AST_EXPLAIN);
    /* Two clocks may have been read: the parts are not always less than the whole. */
    uint64_t known_us = session->certify_us + session->replicate_us;
    uint64_t rest_us = session->commit_us > known_us ? session->commit_us - known_us : 0;
    snprintf(line, sizeof line,
             "Commit: %.3f ms (certify %.3f ms, replicate %.3f ms, apply and answer %.3f ms)",
             (double)session->commit_us / 1000, (double)session->certify_us / 1000,
             (double)session->replicate_us / 1000, (double)rest_us / 1000);
    struct value *row = sql__result_row(session);
    row[0] = sql__result_text(session, line);
}

static status_t run_explain(struct sql_session *session)
{
    struct buffer text = {0};
    status_t status = OK;
    sql__result_column(session, "QUERY PLAN", SQL_TEXT);
    if (session->statement->as.explain->analyze)
        status = run_analyze(session, &text);
    else
        plan_explain(session->planned.root, &text);
    if (!status && session->statement->as.explain->why)
        plan_explain_why(session->planned.root, &text);
    if (!status)
        add_lines(session, &text);
    buffer_free(&text);
    snprintf(session->tag, sizeof session->tag, "EXPLAIN");
    return status;
}

status_t sql__statement_run(struct sql_session *session)
{
    const struct ast_statement *statement = session->statement;
    if (sql__statement_is_ddl(statement))
        return sql__ddl_run(session);
    if (statement->kind == AST_EXPLAIN)
        return run_explain(session);
    if (statement->kind == AST_ANALYZE)
        return sql__analyze(session);
    if (statement->kind == AST_SHOW)
        return sql__show_schema(session);
    if (statement->kind == AST_VACUUM) { /* the job has done it */
        snprintf(session->tag, sizeof session->tag, "VACUUM");
        return OK;
    }
    if (!sql__statement_is_dml(statement))
        return run_held_select(session);
    return run_dml(session);
}
