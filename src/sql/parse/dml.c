/* INSERT, UPDATE, DELETE. */
#include "base/check.h"
#include "parse_int.h"

/* Names may be qualified by nothing: "SET t.a = 1" is an error in PostgreSQL too. */
static bool parse_source(struct parse *parse, struct ast_insert *insert)
{
    if (parse__accept_keyword(parse, KEYWORD_DEFAULT))
        return parse__expect_keyword(parse, KEYWORD_VALUES);
    if (parse__is_keyword(parse, KEYWORD_VALUES)) {
        insert->source = parse__values(parse, true);
    } else if (parse__is(parse, TOKEN_LEFT_PAREN) || parse__select_starts(&parse->token)) {
        insert->source = parse__select(parse);
    } else {
        parse__syntax_error(parse);
    }
    return insert->source != NULL;
}

static bool parse_assignment(struct parse *parse, struct ast_assignment *assignment)
{
    if (parse__is(parse, TOKEN_LEFT_PAREN))
        return parse__unsupported(parse, "assignment to several columns at once is");
    if (!parse__name(parse, &assignment->column) || !parse__expect(parse, TOKEN_EQ))
        return false;
    if (parse__is_keyword(parse, KEYWORD_DEFAULT)) {
        assignment->value = parse__expr_new(parse, AST_DEFAULT, parse->token.position);
        parse__advance(parse);
        return true;
    }
    assignment->value = parse__expr(parse);
    return assignment->value != NULL;
}

/* [WHERE condition]; *where stays NULL without one. */
static bool parse_where(struct parse *parse, struct ast_expr **where)
{
    if (!parse__accept_keyword(parse, KEYWORD_WHERE))
        return !parse->failed;
    *where = parse__expr(parse);
    return *where != NULL;
}

/* SET a = 1, ..., behind the word SET. */
static bool parse_assignments(struct parse *parse, struct ast_assignment **list, uint32_t *count)
{
    uint32_t capacity = 0;
    do {
        *list = arena_grow(parse->arena, *list, &capacity, *count + 1, sizeof **list);
        if (!parse_assignment(parse, &(*list)[(*count)++]))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    return true;
}

/* CONFLICT [(a, b) | ON CONSTRAINT name] DO { NOTHING | UPDATE SET ... [WHERE ...] }. */
static bool parse_conflict(struct parse *parse, struct ast_insert *insert)
{
    insert->conflict_position = parse->token.position;
    if (!parse__expect_keyword(parse, KEYWORD_CONFLICT))
        return false;
    if (parse__is(parse, TOKEN_LEFT_PAREN)) {
        if (!parse__index_keys(parse, false, &insert->conflict_keys, &insert->conflict_key_count))
            return false;
        if (parse__is_keyword(parse, KEYWORD_WHERE))
            return parse__unsupported(parse, "a condition in ON CONFLICT is");
    } else if (parse__accept_keyword(parse, KEYWORD_ON)) {
        if (!parse__expect_keyword(parse, KEYWORD_CONSTRAINT) ||
            !parse__name(parse, &insert->conflict_constraint))
            return false;
    }
    if (!parse__expect_keyword(parse, KEYWORD_DO))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_NOTHING)) {
        insert->conflict = AST_CONFLICT_NOTHING;
        return true;
    }
    insert->conflict = AST_CONFLICT_UPDATE;
    return parse__expect_keyword(parse, KEYWORD_UPDATE) &&
           parse__expect_keyword(parse, KEYWORD_SET) &&
           parse_assignments(parse, &insert->assignments, &insert->assignment_count) &&
           parse_where(parse, &insert->conflict_where);
}

bool parse__insert(struct parse *parse, struct ast_statement *statement)
{
    struct ast_insert *insert = arena_zalloc(parse->arena, sizeof *insert);
    statement->kind = AST_INSERT;
    statement->as.insert = insert;
    /* INSERT OR REPLACE and REPLACE, as SQLite and MySQL have them. */
    bool replace = parse__is_keyword(parse, KEYWORD_REPLACE);
    parse__advance(parse);
    if (!replace && parse__accept_keyword(parse, KEYWORD_OR)) {
        if (!parse__expect_keyword(parse, KEYWORD_REPLACE))
            return false;
        replace = true;
    }
    if (replace)
        insert->conflict = AST_CONFLICT_REPLACE;
    if (!parse__expect_keyword(parse, KEYWORD_INTO) || !parse__table_name(parse, &insert->table))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_AS) && !parse__name(parse, &insert->alias))
        return false;
    if (parse__is(parse, TOKEN_LEFT_PAREN) && !parse__select_starts(parse__peek(parse)) &&
        !parse__name_list(parse, &insert->columns, &insert->column_count))
        return false;
    if (parse__accept_word(parse, "overriding")) {
        insert->overriding = AST_OVERRIDING_USER;
        if (!parse__accept_keyword(parse, KEYWORD_USER)) {
            insert->overriding = AST_OVERRIDING_SYSTEM;
            if (!parse__expect_word(parse, "system"))
                return false;
        }
        if (!parse__expect_word(parse, "value"))
            return false;
    }
    if (!parse_source(parse, insert))
        return false;
    if (!replace && parse__accept_keyword(parse, KEYWORD_ON) && !parse_conflict(parse, insert))
        return false;
    return parse__returning(parse, &insert->returning, &insert->returning_count);
}

bool parse__update(struct parse *parse, struct ast_statement *statement)
{
    struct ast_update *update = arena_zalloc(parse->arena, sizeof *update);
    statement->kind = AST_UPDATE;
    statement->as.update = update;
    parse__advance(parse);
    parse__accept_keyword(parse, KEYWORD_ONLY);
    if (!parse__table_name(parse, &update->table))
        return false;
    /* SET is a name like any other, but not for a table here. */
    if (!parse__is_keyword(parse, KEYWORD_SET) && !parse__table_alias(parse, &update->alias))
        return false;
    if (!parse__expect_keyword(parse, KEYWORD_SET))
        return false;
    if (!parse_assignments(parse, &update->assignments, &update->assignment_count))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_FROM)) {
        update->from = parse__from(parse);
        if (!update->from)
            return false;
    }
    return parse_where(parse, &update->where) &&
           parse__returning(parse, &update->returning, &update->returning_count);
}

bool parse__delete(struct parse *parse, struct ast_statement *statement)
{
    struct ast_delete *delete = arena_zalloc(parse->arena, sizeof *delete);
    statement->kind = AST_DELETE;
    statement->as.delete = delete;
    parse__advance(parse);
    if (!parse__expect_keyword(parse, KEYWORD_FROM))
        return false;
    parse__accept_keyword(parse, KEYWORD_ONLY);
    if (!parse__table_name(parse, &delete->table) || !parse__table_alias(parse, &delete->alias))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_USING)) {
        delete->from = parse__from(parse);
        if (!delete->from)
            return false;
    }
    return parse_where(parse, &delete->where) &&
           parse__returning(parse, &delete->returning, &delete->returning_count);
}
