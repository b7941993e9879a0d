/* INSERT, UPDATE, DELETE. */
#include "base/check.h"
#include "parse_int.h"

static bool refuse_returning(struct parse *parse)
{
    if (parse__is_keyword(parse, KEYWORD_RETURNING))
        return parse__unsupported(parse, "RETURNING is");
    return !parse->failed;
}

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

bool parse__insert(struct parse *parse, struct ast_statement *statement)
{
    struct ast_insert *insert = arena_zalloc(parse->arena, sizeof *insert);
    statement->kind = AST_INSERT;
    statement->as.insert = insert;
    parse__advance(parse);
    if (!parse__expect_keyword(parse, KEYWORD_INTO) || !parse__table_name(parse, &insert->table))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_AS) && !parse__name(parse, &insert->alias))
        return false;
    if (parse__is(parse, TOKEN_LEFT_PAREN) && !parse__select_starts(parse__peek(parse)) &&
        !parse__name_list(parse, &insert->columns, &insert->column_count))
        return false;
    if (!parse_source(parse, insert))
        return false;
    if (parse__is_keyword(parse, KEYWORD_ON))
        return parse__unsupported(parse, "ON CONFLICT is");
    return refuse_returning(parse);
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

bool parse__update(struct parse *parse, struct ast_statement *statement)
{
    struct ast_update *update = arena_zalloc(parse->arena, sizeof *update);
    uint32_t capacity = 0;
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
    do {
        update->assignments = arena_grow(parse->arena, update->assignments, &capacity,
                                         update->assignment_count + 1, sizeof *update->assignments);
        if (!parse_assignment(parse, &update->assignments[update->assignment_count++]))
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    if (parse__is_keyword(parse, KEYWORD_FROM))
        return parse__unsupported(parse, "UPDATE ... FROM is");
    return parse_where(parse, &update->where) && refuse_returning(parse);
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
    if (parse__is_keyword(parse, KEYWORD_USING))
        return parse__unsupported(parse, "DELETE ... USING is");
    return parse_where(parse, &delete->where) && refuse_returning(parse);
}
