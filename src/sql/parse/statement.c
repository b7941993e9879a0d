/* Which statement it is, and the small ones: transactions, EXPLAIN, SET, SHOW. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

/* ---- transactions ---------------------------------------------------------------------------- */

/* SERIALIZABLE, REPEATABLE READ, READ COMMITTED, READ UNCOMMITTED: a stronger level than asked for
 * is what the standard allows. */
static bool parse_isolation(struct parse *parse)
{
    if (!parse__expect_keyword(parse, KEYWORD_LEVEL))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_SERIALIZABLE))
        return true;
    if (parse__accept_keyword(parse, KEYWORD_REPEATABLE))
        return parse__expect_keyword(parse, KEYWORD_READ);
    if (!parse__expect_keyword(parse, KEYWORD_READ))
        return false;
    return parse__accept_keyword(parse, KEYWORD_COMMITTED) ||
           parse__expect_keyword(parse, KEYWORD_UNCOMMITTED);
}

static bool parse_transaction_mode(struct parse *parse, struct ast_begin *begin)
{
    if (parse__accept_keyword(parse, KEYWORD_ISOLATION))
        return parse_isolation(parse);
    if (parse__accept_keyword(parse, KEYWORD_NOT))
        return parse__expect_keyword(parse, KEYWORD_DEFERRABLE);
    if (parse__accept_keyword(parse, KEYWORD_DEFERRABLE))
        return true;
    if (!parse__expect_keyword(parse, KEYWORD_READ))
        return false;
    begin->read_only = parse__accept_keyword(parse, KEYWORD_ONLY);
    return begin->read_only || parse__expect_keyword(parse, KEYWORD_WRITE);
}

static bool statement_ends(const struct parse *parse)
{
    return parse__is(parse, TOKEN_END) || parse__is(parse, TOKEN_SEMICOLON);
}

static void accept_work(struct parse *parse)
{
    if (!parse__accept_keyword(parse, KEYWORD_WORK))
        parse__accept_keyword(parse, KEYWORD_TRANSACTION);
}

/* BEGIN [WORK | TRANSACTION] [mode [,] ...], START TRANSACTION [mode [,] ...]. */
static bool parse_begin_statement(struct parse *parse, struct ast_statement *statement)
{
    struct ast_begin *begin = arena_zalloc(parse->arena, sizeof *begin);
    statement->kind = AST_BEGIN;
    statement->as.begin = begin;
    bool start = parse__is_keyword(parse, KEYWORD_START);
    parse__advance(parse);
    if (start && !parse__expect_keyword(parse, KEYWORD_TRANSACTION))
        return false;
    if (!start)
        accept_work(parse);
    if (parse__is_keyword(parse, KEYWORD_AS))
        return parse__unsupported(parse, "AS OF SYSTEM TIME is");
    while (!statement_ends(parse)) {
        if (!parse_transaction_mode(parse, begin))
            return false;
        if (parse__accept(parse, TOKEN_COMMA) && statement_ends(parse))
            return parse__syntax_error(parse);
    }
    return true;
}

/* COMMIT, END, ROLLBACK, ABORT [WORK | TRANSACTION]. */
static bool parse_end_statement(struct parse *parse, struct ast_statement *statement,
                                enum ast_statement_kind kind)
{
    statement->kind = kind;
    parse__advance(parse);
    accept_work(parse);
    if (parse__is_keyword(parse, KEYWORD_TO)) {
        parse__unsupported(parse, "ROLLBACK TO is");
        parse__hint(parse, "A transaction is undone as a whole: ROLLBACK, and run it again.");
        return false;
    }
    if (parse__is_keyword(parse, KEYWORD_AND))
        return parse__unsupported(parse, "AND CHAIN is");
    return !parse->failed;
}

/* ---- SET and SHOW ---------------------------------------------------------------------------- */

/* A setting's name, of one or two parts. */
static bool parse_setting(struct parse *parse, struct ast_name *name)
{
    struct ast_name second;
    if (!parse__name(parse, name))
        return false;
    if (!parse__accept(parse, TOKEN_DOT))
        return true;
    if (!parse__label(parse, &second))
        return false;
    name->text = arena_printf(parse->arena, "%s.%s", name->text, second.text);
    return true;
}

/* A word, number or string as text; DEFAULT as NULL. */
static bool parse_setting_value(struct parse *parse, struct ast_set *set)
{
    set->value_position = parse->token.position;
    if (parse__accept_keyword(parse, KEYWORD_DEFAULT))
        return true;
    bool minus = parse__accept(parse, TOKEN_MINUS);
    const struct token *token = &parse->token;
    if (token->kind == TOKEN_STRING && !minus)
        set->value =
            arena_strndup(parse->arena, (const char *)token->string.data, token->string.size);
    else if (token->kind == TOKEN_INTEGER || token->kind == TOKEN_DECIMAL)
        set->value =
            arena_printf(parse->arena, "%s%.*s", minus ? "-" : "", (int)(token->end - token->start),
                         (const char *)parse->text.data + token->start);
    else if ((token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED) && !minus)
        set->value = token->name;
    else
        return parse__syntax_error(parse);
    parse__advance(parse);
    return true;
}

/* SET TIME ZONE, SHOW TIME ZONE: the setting timezone. */
static bool parse_time_zone(struct parse *parse, struct ast_name *name)
{
    const struct token *token = &parse->token;
    const struct token *next = parse__peek(parse);
    if (token->kind != TOKEN_WORD || strcmp(token->name, "time") != 0 || next->kind != TOKEN_WORD ||
        strcmp(next->name, "zone") != 0)
        return false;
    *name = (struct ast_name){.text = "timezone", .position = token->position};
    parse__advance(parse);
    parse__advance(parse);
    return true;
}

static bool parse_set(struct parse *parse, struct ast_statement *statement)
{
    struct ast_set *set = arena_zalloc(parse->arena, sizeof *set);
    statement->kind = AST_SET;
    statement->as.set = set;
    bool reset = parse__is_keyword(parse, KEYWORD_RESET);
    parse__advance(parse);
    set->all = reset && parse__accept_keyword(parse, KEYWORD_ALL);
    if (reset)
        return set->all || parse_setting(parse, &set->name);
    if (parse__is_keyword(parse, KEYWORD_SESSION) || parse__is_keyword(parse, KEYWORD_LOCAL)) {
        const struct token *next = parse__peek(parse);
        if (next->kind != TOKEN_EQ && !parse__peek_keyword(parse, KEYWORD_TO))
            parse__advance(parse);
    }
    if (parse__is_keyword(parse, KEYWORD_TRANSACTION))
        return parse__unsupported(parse, "SET TRANSACTION is");
    if (parse_time_zone(parse, &set->name))
        return parse_setting_value(parse, set);
    if (!parse_setting(parse, &set->name))
        return false;
    if (!parse__accept(parse, TOKEN_EQ) && !parse__expect_keyword(parse, KEYWORD_TO))
        return false;
    return parse_setting_value(parse, set);
}

static bool parse_show(struct parse *parse, struct ast_statement *statement)
{
    struct ast_show *show = arena_zalloc(parse->arena, sizeof *show);
    statement->kind = AST_SHOW;
    statement->as.show = show;
    parse__advance(parse);
    if (parse__accept_keyword(parse, KEYWORD_ALL)) {
        show->kind = AST_SHOW_ALL;
        return true;
    }
    if (parse__accept_keyword(parse, KEYWORD_TABLES)) {
        show->kind = AST_SHOW_TABLES;
        return true;
    }
    if (parse__accept_keyword(parse, KEYWORD_CREATE)) {
        show->kind = AST_SHOW_CREATE_TABLE;
        return parse__expect_keyword(parse, KEYWORD_TABLE) && parse__table_name(parse, &show->name);
    }
    bool columns = parse__is_keyword(parse, KEYWORD_COLUMNS);
    if (columns || parse__is_keyword(parse, KEYWORD_INDEXES)) {
        show->kind = columns ? AST_SHOW_COLUMNS : AST_SHOW_INDEXES;
        parse__advance(parse);
        return parse__expect_keyword(parse, KEYWORD_FROM) && parse__table_name(parse, &show->name);
    }
    show->kind = AST_SHOW_SETTING;
    if (parse__is_keyword(parse, KEYWORD_TRANSACTION) &&
        parse__peek_keyword(parse, KEYWORD_ISOLATION)) {
        /* SHOW TRANSACTION ISOLATION LEVEL. */
        show->name =
            (struct ast_name){.text = "transaction_isolation", .position = parse->token.position};
        parse__advance(parse);
        parse__advance(parse);
        return parse__expect_keyword(parse, KEYWORD_LEVEL);
    }
    return parse_time_zone(parse, &show->name) || parse_setting(parse, &show->name);
}

/* ---- the first word -------------------------------------------------------------------------- */

static bool unknown_statement(struct parse *parse)
{
    const char *word = parse->token.kind == TOKEN_WORD ? parse->token.name : NULL;
    bool followed = word && parse__peek(parse)->kind != TOKEN_ERROR;
    const char *nearest = followed ? parse__keyword_suggest(word) : NULL;
    parse__syntax_error(parse);
    if (nearest) {
        char hint[64];
        snprintf(hint, sizeof hint, "Did you mean %s?", nearest);
        for (char *c = hint + strlen("Did you mean "); *c != '?'; c++)
            *c = (char)(*c - 'a' + 'A');
        parse__hint(parse, hint);
    }
    return false;
}

static bool refuse_vacuum(struct parse *parse)
{
    if (parse->token.kind != TOKEN_WORD && parse->token.kind != TOKEN_LEFT_PAREN)
        return true; /* what comes behind is found wrong there */
    parse__unsupported(parse, "VACUUM of one table, or with options, is");
    parse__hint(parse, "VACUUM removes what all dropped tables and indexes left behind; nodes do "
                       "it unasked, too.");
    return false;
}

bool parse__statement(struct parse *parse, struct ast_statement *statement)
{
    if (parse__is(parse, TOKEN_LEFT_PAREN) || parse__select_starts(&parse->token))
        return parse__select_statement(parse, statement);
    switch (parse->token.kind == TOKEN_WORD ? parse->token.keyword : KEYWORD_NONE) {
    case KEYWORD_INSERT:
    case KEYWORD_REPLACE:
        return parse__insert(parse, statement);
    case KEYWORD_UPDATE:
        return parse__update(parse, statement);
    case KEYWORD_DELETE:
        return parse__delete(parse, statement);
    case KEYWORD_CREATE:
        return parse__create(parse, statement);
    case KEYWORD_DROP:
        return parse__drop(parse, statement);
    case KEYWORD_ALTER:
        return parse__alter(parse, statement);
    case KEYWORD_REINDEX:
        return parse__reindex(parse, statement);
    case KEYWORD_BEGIN:
    case KEYWORD_START:
        return parse_begin_statement(parse, statement);
    case KEYWORD_COMMIT:
    case KEYWORD_END:
        return parse_end_statement(parse, statement, AST_COMMIT);
    case KEYWORD_ROLLBACK:
    case KEYWORD_ABORT:
        return parse_end_statement(parse, statement, AST_ROLLBACK);
    case KEYWORD_EXPLAIN:
        return parse__explain(parse, statement);
    case KEYWORD_SET:
    case KEYWORD_RESET:
        return parse_set(parse, statement);
    case KEYWORD_SHOW:
        return parse_show(parse, statement);
    case KEYWORD_TRUNCATE:
        return parse__truncate(parse, statement);
    case KEYWORD_VACUUM:
        parse__advance(parse);
        statement->kind = AST_VACUUM;
        return statement_ends(parse) || refuse_vacuum(parse);
    case KEYWORD_COPY:
        return parse__copy(parse, statement);
    case KEYWORD_ANALYZE:
    case KEYWORD_ANALYSE:
        return parse__analyze(parse, statement);
    case KEYWORD_COMMENT:
        return parse__comment(parse, statement);
    case KEYWORD_PREPARE:
    case KEYWORD_EXECUTE:
    case KEYWORD_DEALLOCATE:
        return parse__prepared(parse, statement);
    default:
        return !parse__refuse_statement(parse) && unknown_statement(parse);
    }
}
