/* ALTER TABLE. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static bool parse_add(struct parse *parse, struct ast_name table, struct ast_alter_action *action)
{
    if (parse__starts_table_constraint(parse)) {
        action->kind = AST_ALTER_ADD_CONSTRAINT;
        return parse__constraint_alone(parse, table, &action->constraints);
    }
    action->kind = AST_ALTER_ADD;
    parse__accept_keyword(parse, KEYWORD_COLUMN);
    return parse__if_exists(parse, true, &action->if_exists) &&
           parse__column_alone(parse, &action->column, &action->constraints);
}

static bool parse_drop(struct parse *parse, struct ast_alter_action *action)
{
    bool constraint = parse__accept_keyword(parse, KEYWORD_CONSTRAINT);
    action->kind = constraint ? AST_ALTER_DROP_CONSTRAINT : AST_ALTER_DROP;
    if (!constraint)
        parse__accept_keyword(parse, KEYWORD_COLUMN);
    if (!parse__if_exists(parse, false, &action->if_exists) || !parse__name(parse, &action->name))
        return false;
    return parse__drop_behavior(parse, &action->cascade);
}

static bool parse_rename(struct parse *parse, struct ast_alter_action *action)
{
    action->kind = AST_ALTER_RENAME;
    if (!parse__accept_keyword(parse, KEYWORD_TO)) {
        bool constraint = parse__accept_keyword(parse, KEYWORD_CONSTRAINT);
        action->kind = constraint ? AST_ALTER_RENAME_CONSTRAINT : AST_ALTER_RENAME_COLUMN;
        if (!constraint)
            parse__accept_keyword(parse, KEYWORD_COLUMN);
        if (!parse__name(parse, &action->name) || !parse__expect_keyword(parse, KEYWORD_TO))
            return false;
    }
    return parse__name(parse, &action->to);
}

static bool parse_not_null(struct parse *parse)
{
    return parse__expect_keyword(parse, KEYWORD_NOT) && parse__expect_keyword(parse, KEYWORD_NULL);
}

/* ALTER [COLUMN] name { SET | DROP } { DEFAULT | NOT NULL }, and what is about an identity. */
static bool parse_alter_column(struct parse *parse, struct ast_alter_action *action)
{
    parse__accept_keyword(parse, KEYWORD_COLUMN);
    if (!parse__name(parse, &action->name))
        return false;
    const struct token *next = parse__peek(parse);
    bool data_type = parse__is_keyword(parse, KEYWORD_SET) && next->kind == TOKEN_WORD &&
                     strcmp(next->name, "data") == 0;
    if (!data_type && parse__starts_identity(parse))
        return parse__alter_identity(parse, action);
    bool set = !data_type && parse__accept_keyword(parse, KEYWORD_SET);
    if (data_type || (!set && !parse__is_keyword(parse, KEYWORD_DROP))) {
        parse__unsupported(parse, "this change of a column is");
        parse__hint(parse,
                    "A column gets another type as a new one: ADD COLUMN, UPDATE, DROP COLUMN, "
                    "RENAME COLUMN.");
        return false;
    }
    if (!set)
        parse__advance(parse);
    bool is_default = parse__is_keyword(parse, KEYWORD_DEFAULT);
    action->kind = is_default ? (set ? AST_ALTER_SET_DEFAULT : AST_ALTER_DROP_DEFAULT)
                              : (set ? AST_ALTER_SET_NOT_NULL : AST_ALTER_DROP_NOT_NULL);
    if (!is_default)
        return parse_not_null(parse);
    if (set)
        return parse__default(parse, &action->column);
    parse__advance(parse);
    return true;
}

static bool parse_action(struct parse *parse, struct ast_name table,
                         struct ast_alter_action *action)
{
    if (parse__accept_keyword(parse, KEYWORD_ADD))
        return parse_add(parse, table, action);
    if (parse__accept_keyword(parse, KEYWORD_DROP))
        return parse_drop(parse, action);
    if (parse__accept_keyword(parse, KEYWORD_RENAME))
        return parse_rename(parse, action);
    if (parse__accept_keyword(parse, KEYWORD_ALTER))
        return parse_alter_column(parse, action);
    return parse__syntax_error(parse);
}

/* ALTER INDEX and ALTER VIEW, which can only be renamed. */
static bool parse_alter_name(struct parse *parse, struct ast_statement *statement)
{
    struct ast_rename *rename = arena_zalloc(parse->arena, sizeof *rename);
    bool index = parse__is_keyword(parse, KEYWORD_INDEX);
    statement->kind = index ? AST_ALTER_INDEX : AST_ALTER_VIEW;
    statement->as.rename = rename;
    parse__advance(parse);
    if (!parse__if_exists(parse, false, &rename->if_exists) ||
        !parse__table_name(parse, &rename->name))
        return false;
    if (!parse__accept_keyword(parse, KEYWORD_RENAME))
        return parse__unsupported(parse, index ? "this change of an index is"
                                               : "this change of a view is");
    if (!index && !parse__is_keyword(parse, KEYWORD_TO)) {
        parse__accept_keyword(parse, KEYWORD_COLUMN);
        if (!parse__name(parse, &rename->column))
            return false;
    }
    return parse__expect_keyword(parse, KEYWORD_TO) && parse__name(parse, &rename->to);
}

bool parse__alter(struct parse *parse, struct ast_statement *statement)
{
    struct ast_alter_table *alter = arena_zalloc(parse->arena, sizeof *alter);
    uint32_t capacity = 0;
    statement->kind = AST_ALTER_TABLE;
    statement->as.alter_table = alter;
    parse__advance(parse);
    if (parse__is_word(parse, "sequence"))
        return parse__alter_sequence(parse, statement);
    if (parse__is_keyword(parse, KEYWORD_INDEX) || parse__is_keyword(parse, KEYWORD_VIEW))
        return parse_alter_name(parse, statement);
    if (parse__is_word(parse, "system")) {
        parse__unsupported(parse, "ALTER SYSTEM is");
        parse__hint(parse, "SET changes a setting of the session; a node's are in its command.");
        return false;
    }
    if (!parse__is_keyword(parse, KEYWORD_TABLE))
        return !parse__refuse_object(parse, "ALTER") && parse__syntax_error(parse);
    parse__advance(parse);
    if (!parse__if_exists(parse, false, &alter->if_exists))
        return false;
    parse__accept_keyword(parse, KEYWORD_ONLY);
    if (!parse__table_name(parse, &alter->table))
        return false;
    do {
        alter->actions = arena_grow(parse->arena, alter->actions, &capacity,
                                    alter->action_count + 1, sizeof *alter->actions);
        struct ast_alter_action *action = &alter->actions[alter->action_count++];
        *action = (struct ast_alter_action){0};
        if (!parse_action(parse, alter->table, action))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}
