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

/* An expression, or DEFAULT. */
static bool parse_assigned(struct parse *parse, struct ast_expr **value)
{
    if (parse__is_keyword(parse, KEYWORD_DEFAULT)) {
        *value = parse__expr_new(parse, AST_DEFAULT, parse->token.position);
        parse__advance(parse);
        return true;
    }
    *value = parse__expr(parse);
    return *value != NULL;
}

/* [ROW] (value, ...) for the columns of a list, or a query for all of them. */
static bool parse_row_assigned(struct parse *parse, struct ast_assignment *group, uint32_t count)
{
    uint32_t position = parse->token.position;
    bool is_row = parse__accept_keyword(parse, KEYWORD_ROW);
    bool is_query =
        !is_row && parse__is(parse, TOKEN_LEFT_PAREN) && parse__select_starts(parse__peek(parse));
    uint32_t given = 0;
    struct ast_expr *value = NULL;
    if (!is_query) {
        if (!parse__expect(parse, TOKEN_LEFT_PAREN))
            return false;
        do {
            if (!parse_assigned(parse, &value))
                return false;
            if (given < count)
                group[given].value = value;
            given++;
        } while (parse__accept(parse, TOKEN_COMMA));
        if (!parse__expect(parse, TOKEN_RIGHT_PAREN))
            return false;
        /* The query may be in parentheses of its own. */
        is_query = !is_row && given == 1 && value->kind == AST_SCALAR;
    } else if (!(value = parse__expr_at(parse, PRECEDENCE_UNARY))) {
        return false;
    }
    if ((is_query && value->kind != AST_SCALAR) || (!is_query && !is_row && given == 1))
        return parse__fail(parse, "0A000", position,
                           "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() "
                           "expression");
    if (!is_query && given != count)
        return parse__fail(parse, "42601", position,
                           "number of columns does not match number of values");
    for (uint32_t i = 0; is_query && i < count; i++) {
        group[i].value = value;
        group[i].group_place = i;
        group[i].group_count = count;
    }
    return true;
}

/* [WHERE condition]; *where stays NULL without one. */
static bool parse_where(struct parse *parse, struct ast_expr **where)
{
    if (!parse__accept_keyword(parse, KEYWORD_WHERE))
        return !parse->failed;
    *where = parse__expr(parse);
    return *where != NULL;
}

/* SET a = 1, (b, c) = (2, 3), ..., behind the word SET. */
static bool parse_assignments(struct parse *parse, struct ast_assignment **list, uint32_t *count)
{
    uint32_t capacity = 0;
    do {
        uint32_t first = *count;
        bool several = parse__accept(parse, TOKEN_LEFT_PAREN);
        do {
            *list = arena_grow(parse->arena, *list, &capacity, *count + 1, sizeof **list);
            struct ast_assignment *assignment = &(*list)[(*count)++];
            *assignment = (struct ast_assignment){0};
            if (!parse__name(parse, &assignment->column))
                return false;
        } while (several && parse__accept(parse, TOKEN_COMMA));
        if ((several && !parse__expect(parse, TOKEN_RIGHT_PAREN)) ||
            !parse__expect(parse, TOKEN_EQ))
            return false;
        struct ast_assignment *group = &(*list)[first];
        if (!(several ? parse_row_assigned(parse, group, *count - first)
                      : parse_assigned(parse, &group->value)))
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
        if (!parse_where(parse, &insert->conflict_predicate))
            return false;
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
