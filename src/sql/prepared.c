/* PREPARE, EXECUTE and DEALLOCATE: statements that a session keeps by name.
 *
 * A prepared statement is a text with its tree. EXECUTE puts the tree and the arguments in the
 * place of its own, and everything else goes on as if the text had come with these parameters; so
 * plans come from the plan cache, and are made anew when the schema has changed. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "sql_int.h"

/* What a session may keep: the trees are some ten times as large as their texts. */
enum { STATEMENTS_MAX = 1000, TEXTS_MAX = 4 << 20 };

struct prepared_statement {
    struct arena arena;
    const char *name;
    struct slice text;
    struct ast_statement *statement;
    struct type_spec *types; /* as declared; the others are what they are used as */
    uint32_t type_count;
    struct prepared_statement *next;
};

static bool has_room(const struct sql_session *session, size_t more)
{
    uint32_t count = 0;
    for (const struct prepared_statement *at = session->prepared_list; at; at = at->next) {
        count++;
        more += at->text.size;
    }
    return count < STATEMENTS_MAX && more <= TEXTS_MAX;
}

/* Where the pointer to it is; to NULL when there is none. */
static struct prepared_statement **find(struct sql_session *session, const char *name)
{
    struct prepared_statement **at = &session->prepared_list;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void drop(struct prepared_statement **at)
{
    struct prepared_statement *prepared = *at;
    *at = prepared->next;
    arena_free(&prepared->arena);
    mem_free(prepared);
}

void sql__prepared_free(struct sql_session *session)
{
    while (session->prepared_list)
        drop(&session->prepared_list);
}

static status_t missing(struct sql_session *session, const struct ast_name *name)
{
    return error_sql(&session->error, "26000", name->position,
                     "prepared statement \"%s\" does not exist", name->text);
}

status_t sql__prepare(struct sql_session *session)
{
    const struct ast_prepared *ast = session->statement->as.prepared;
    struct parser parser;
    snprintf(session->tag, sizeof session->tag, "PREPARE");
    if (*find(session, ast->name.text))
        return error_sql(&session->error, "42P05", ast->name.position,
                         "prepared statement \"%s\" already exists", ast->name.text);
    if (ast->statement->parameter_count > SQL_PARAMETERS_MAX)
        return error_sql(&session->error, "54000", ast->name.position,
                         "too many parameters: %u, the limit is %d",
                         ast->statement->parameter_count, SQL_PARAMETERS_MAX);
    if (!has_room(session, ast->statement->text.size)) {
        error_sql(&session->error, "54000", ast->name.position, "too many prepared statements");
        error_detail(&session->error,
                     "A session keeps %d of them, with texts of %d bytes at the most.",
                     STATEMENTS_MAX, TEXTS_MAX);
        error_hint(&session->error, "DEALLOCATE those that are not used any more.");
        return ERR_SQL;
    }
    struct prepared_statement *made = mem_zalloc(1, sizeof *made);
    made->name = arena_strndup(&made->arena, ast->name.text, strlen(ast->name.text));
    made->text = arena_copy(&made->arena, ast->statement->text);
    made->type_count = ast->count;
    made->types = arena_alloc(&made->arena, ast->count * sizeof *made->types);
    if (ast->count)
        memcpy(made->types, ast->types, ast->count * sizeof *made->types);
    /* It parsed a moment ago, as a part of the text. */
    status_t status = parse_begin(&parser, made->text, 0, NULL);
    if (!status)
        status = parse_next(&parser, &made->arena, &made->statement, NULL);
    ASSERT(!status && made->statement);
    made->next = session->prepared_list;
    session->prepared_list = made;
    return OK;
}

status_t sql__deallocate(struct sql_session *session)
{
    const struct ast_name *name = &session->statement->as.prepared->name;
    snprintf(session->tag, sizeof session->tag, "DEALLOCATE%s", name->text ? "" : " ALL");
    if (!name->text) {
        sql__prepared_free(session);
        return OK;
    }
    struct prepared_statement **at = find(session, name->text);
    if (!*at)
        return missing(session, name);
    drop(at);
    return OK;
}

/* ---- EXECUTE -----------------------------------------------------------------------------------
 */

static status_t convert(struct sql_session *session, struct type_spec type, uint32_t position,
                        struct value *value)
{
    const struct clock clock = {.now_us = (int64_t)env_wall_us(session->engine->env),
                                .zone_s = sql__settings_zone_s(session->settings),
                                .is_known = true};
    struct value given = *value;
    if (given.null) {
        *value = value_null(type.kind);
        return OK;
    }
    if (!type_can_cast(given.type, type.kind))
        return error_sql(&session->error, "42804", position,
                         "parameter of type %s cannot be coerced to the expected type %s",
                         type_name(given.type), type_name(type.kind));
    status_t status = value_cast_at(&given, type.kind, &clock, &session->statement_arena, position,
                                    value, &session->error);
    return status ? status : value_fit(value, type, position, &session->error);
}

/* Of any other expression; there is no transaction yet, and so no sequences. */
static status_t expression_value(struct sql_session *session, const struct ast_expr *ast,
                                 struct value *out)
{
    uint64_t now_us = env_wall_us(session->engine->env);
    struct expr *expr;
    const struct exec_context context = {
        .env = session->engine->env,
        .transaction_us = session->txn ? session->transaction_us : now_us,
        .statement_us = now_us,
        .zone_s = sql__settings_zone_s(session->settings),
        .memory_budget = sql__statement_memory(session),
        .cancel = &session->cancel,
        .arena = &session->statement_arena,
    };
    status_t status = plan_argument(ast, &session->statement_arena, &expr, &session->error);
    return status ? status : exec_constant(expr, &context, out, &session->error);
}

/* A literal or a parameter of the text, with casts around it or not, or an expression. */
static status_t argument_value(struct sql_session *session, const struct ast_expr *expr,
                               struct value *out)
{
    if (expr->kind == AST_LITERAL) {
        *out = expr->as.literal;
        return OK;
    }
    if (expr->kind == AST_PARAMETER) {
        ASSERT(expr->as.parameter < session->parameter_count);
        *out = session->parameters[expr->as.parameter];
        return OK;
    }
    if (expr->kind != AST_CAST)
        return expression_value(session, expr, out);
    status_t status = argument_value(session, expr->as.cast.operand, out);
    return status ? status : convert(session, expr->as.cast.type, expr->position, out);
}

static status_t read_arguments(struct sql_session *session,
                               const struct prepared_statement *prepared,
                               const struct ast_prepared *ast)
{
    uint32_t wanted = prepared->statement->parameter_count;
    status_t status = OK;
    if (wanted < prepared->type_count)
        wanted = prepared->type_count;
    if (ast->count != wanted) {
        error_sql(&session->error, "42601", ast->name.position,
                  "wrong number of parameters for prepared statement \"%s\"", prepared->name);
        error_detail(&session->error, "Expected %u parameters but got %u.", wanted, ast->count);
        return ERR_SQL;
    }
    struct value *values = arena_alloc(&session->statement_arena, wanted * sizeof *values);
    for (uint32_t i = 0; i < wanted && !status; i++) {
        status = argument_value(session, ast->arguments[i], &values[i]);
        if (!status && i < prepared->type_count)
            status = convert(session, prepared->types[i], ast->arguments[i]->position, &values[i]);
    }
    if (status)
        return status;
    session->parameters = values;
    /* Those that are declared but not used are not the statement's. */
    session->parameter_count = prepared->statement->parameter_count;
    return OK;
}

status_t sql__execute(struct sql_session *session)
{
    const struct ast_prepared *ast = session->statement->as.prepared;
    const struct prepared_statement *prepared = *find(session, ast->name.text);
    ASSERT(session->execute_position == 0);
    if (!prepared)
        return missing(session, &ast->name);
    uint32_t position = session->statement->position;
    status_t status = read_arguments(session, prepared, ast);
    if (status)
        return status;
    session->execute_position = position;
    session->declared_parameters = prepared->type_count;
    session->statement = prepared->statement;
    if (!sql__kept_find(session, prepared->text))
        sql__cache_offer(session->engine, prepared->text);
    return OK;
}
