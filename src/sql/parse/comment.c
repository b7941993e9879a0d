/* COMMENT ON. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static const char *const kinds[] = {[AST_COMMENT_TABLE] = "table",
                                    [AST_COMMENT_VIEW] = "view",
                                    [AST_COMMENT_SEQUENCE] = "sequence",
                                    [AST_COMMENT_INDEX] = "index",
                                    [AST_COMMENT_COLUMN] = "column"};

enum { KIND_COUNT = sizeof kinds / sizeof *kinds };

/* The table of a column may be behind the schema, as any name of a table. */
static bool parse_column(struct parse *parse, struct ast_comment *comment)
{
    if (!parse__name(parse, &comment->name) || !parse__expect(parse, TOKEN_DOT) ||
        !parse__label(parse, &comment->column))
        return false;
    if (!parse__is(parse, TOKEN_DOT))
        return true;
    if (strcmp(comment->name.text, "public") != 0)
        return parse__fail(parse, "3F000", comment->name.position, "schema \"%s\" does not exist",
                           comment->name.text);
    comment->name = comment->column;
    parse__advance(parse);
    return parse__label(parse, &comment->column);
}

bool parse__comment(struct parse *parse, struct ast_statement *statement)
{
    struct ast_comment *comment = arena_zalloc(parse->arena, sizeof *comment);
    statement->kind = AST_COMMENT;
    statement->as.comment = comment;
    parse__advance(parse);
    if (!parse__expect_keyword(parse, KEYWORD_ON))
        return false;
    unsigned kind = 0;
    while (kind < KIND_COUNT &&
           !(parse__is(parse, TOKEN_WORD) && strcmp(parse->token.name, kinds[kind]) == 0))
        kind++;
    if (kind == KIND_COUNT)
        return parse__unsupported(parse,
                                  "COMMENT on anything but tables, columns, indexes, views and "
                                  "sequences is");
    parse__advance(parse);
    comment->on = kind;
    bool named = kind == AST_COMMENT_COLUMN ? parse_column(parse, comment)
                                            : parse__table_name(parse, &comment->name);
    if (!named || !parse__expect_keyword(parse, KEYWORD_IS))
        return false;
    if (parse__accept_keyword(parse, KEYWORD_NULL))
        return true;
    const struct token *token = &parse->token;
    if (token->kind != TOKEN_STRING)
        return parse__syntax_error(parse);
    if (token->string.size > 0) /* an empty one takes it away, as in PostgreSQL */
        comment->text =
            arena_strndup(parse->arena, (const char *)token->string.data, token->string.size);
    parse__advance(parse);
    return true;
}

void parse__print_comment(const struct ast_comment *comment, struct buffer *out)
{
    ASSERT((unsigned)comment->on < KIND_COUNT);
    buffer_append_string(out, "COMMENT ON ");
    for (const char *c = kinds[comment->on]; *c; c++)
        buffer_append_byte(out, (uint8_t)(*c - 'a' + 'A'));
    buffer_append_byte(out, ' ');
    ast_print_name(comment->name.text, out);
    if (comment->on == AST_COMMENT_COLUMN) {
        buffer_append_byte(out, '.');
        ast_print_name(comment->column.text, out);
    }
    buffer_append_string(out, " IS ");
    if (comment->text)
        parse__print_text(comment->text, out);
    else
        buffer_append_string(out, "NULL");
}

void ast_print_text(const char *text, struct buffer *out)
{
    parse__print_text(text, out);
}
