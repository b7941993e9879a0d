/* Operands: literals, parameters, columns, CASE, CAST, EXISTS, and the types named in casts. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static struct ast_expr *parse_literal(struct parse *parse, struct value value)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_LITERAL, parse->token.position);
    expr->as.literal = value;
    expr->overlong = parse->token.overlong;
    parse__advance(parse);
    return expr;
}

static struct ast_expr *parse_parameter(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_PARAMETER, parse->token.position);
    ASSERT(parse->token.integer >= 1);
    expr->as.parameter = (uint32_t)parse->token.integer - 1;
    parse__advance(parse);
    return expr;
}

/* a, t.a, public.t.a. */
static struct ast_expr *parse_column(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_COLUMN, parse->token.position);
    struct ast_name name = {0};
    if (!parse__name(parse, &name))
        return NULL;
    if (parse__is(parse, TOKEN_DOT) && strcmp(name.text, "public") == 0) {
        parse__advance(parse);
        if (!parse__label(parse, &name))
            return NULL;
    }
    if (parse__accept(parse, TOKEN_DOT)) {
        expr->as.column.table = name;
        if (parse__is(parse, TOKEN_STAR)) {
            parse__unsupported(parse, "a row as a value is");
            return NULL;
        }
        if (!parse__label(parse, &name))
            return NULL;
    }
    expr->as.column.name = name;
    return expr;
}

static struct ast_expr *parse_exists(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_EXISTS, parse->token.position);
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return NULL;
    if (!parse__select_starts(&parse->token) && !parse__is(parse, TOKEN_LEFT_PAREN)) {
        parse__syntax_error(parse);
        return NULL;
    }
    expr->as.select = parse__select(parse);
    if (!expr->as.select || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return parse__expr_finish(parse, expr, expr->as.select->height);
}

/* WHEN condition THEN result; returns the height of the higher one, 0 after an error. */
static uint32_t parse_when(struct parse *parse, struct ast_when *when)
{
    when->condition = parse__expr(parse);
    if (!when->condition || !parse__expect_keyword(parse, KEYWORD_THEN))
        return 0;
    when->result = parse__expr(parse);
    if (!when->result)
        return 0;
    return when->condition->height > when->result->height ? when->condition->height
                                                          : when->result->height;
}

static struct ast_expr *parse_case(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_CASE, parse->token.position);
    struct ast_when *whens = NULL;
    uint32_t capacity = 0;
    uint32_t count = 0;
    uint32_t highest = 0;
    parse__advance(parse);
    if (!parse__is_keyword(parse, KEYWORD_WHEN)) {
        expr->as.match.operand = parse__expr(parse);
        if (!expr->as.match.operand)
            return NULL;
        highest = expr->as.match.operand->height;
    }
    if (!parse__is_keyword(parse, KEYWORD_WHEN)) {
        parse__syntax_error(parse);
        return NULL;
    }
    while (parse__accept_keyword(parse, KEYWORD_WHEN)) {
        whens = arena_grow(parse->arena, whens, &capacity, count + 1, sizeof *whens);
        uint32_t height = parse_when(parse, &whens[count++]);
        if (!height)
            return NULL;
        highest = height > highest ? height : highest;
    }
    expr->as.match.whens = whens;
    expr->as.match.count = count;
    if (parse__accept_keyword(parse, KEYWORD_ELSE)) {
        expr->as.match.otherwise = parse__expr(parse);
        if (!expr->as.match.otherwise)
            return NULL;
        uint32_t height = expr->as.match.otherwise->height;
        highest = height > highest ? height : highest;
    }
    if (!parse__expect_keyword(parse, KEYWORD_END))
        return NULL;
    return parse__expr_finish(parse, expr, highest);
}

static struct ast_expr *parse_cast(struct parse *parse)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_CAST, parse->token.position);
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN))
        return NULL;
    expr->as.cast.operand = parse__expr(parse);
    if (!expr->as.cast.operand || !parse__expect_keyword(parse, KEYWORD_AS) ||
        !parse__type(parse, &expr->as.cast.type, &expr->as.cast.type_position) ||
        !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return parse__expr_finish(parse, expr, expr->as.cast.operand->height);
}

static const char no_arrays[] = "Many values are rows of a table of their own, or of VALUES.";

/* Operands that begin with a keyword which cannot be a column's name. */
static struct ast_expr *parse_keyword(struct parse *parse)
{
    switch (parse->token.keyword) {
    case KEYWORD_TRUE:
    case KEYWORD_FALSE:
        return parse_literal(parse, value_boolean(parse->token.keyword == KEYWORD_TRUE));
    case KEYWORD_NULL:
        return parse_literal(parse, value_null(SQL_UNKNOWN));
    case KEYWORD_CASE:
        return parse_case(parse);
    case KEYWORD_CAST:
        return parse_cast(parse);
    case KEYWORD_EXISTS:
        return parse_exists(parse);
    case KEYWORD_ARRAY:
        parse__unsupported(parse, "arrays are");
        parse__hint(parse, no_arrays);
        return NULL;
    case KEYWORD_DEFAULT:
        parse__fail(parse, "42601", parse->token.position,
                    "DEFAULT is not allowed in this context");
        return NULL;
    default:
        return parse__call_keyword(parse);
    }
}

struct ast_expr *parse__primary(struct parse *parse)
{
    const struct token *token = &parse->token;
    switch (token->kind) {
    case TOKEN_INTEGER:
        return parse_literal(parse, value_integer(token->integer));
    case TOKEN_DECIMAL:
        return parse_literal(parse, token->number);
    case TOKEN_BYTES:
        return parse_literal(parse, value_bytea(token->string));
    case TOKEN_STRING:
        return parse_literal(parse, value_text(token->string));
    case TOKEN_PARAMETER:
        return parse_parameter(parse);
    case TOKEN_QUOTED:
    case TOKEN_WORD:
        break;
    default:
        parse__syntax_error(parse);
        return NULL;
    }
    if (parse__typed_literal_starts(parse))
        return parse__typed_literal(parse);
    const struct token *next = parse__peek(parse);
    if (next->kind == TOKEN_LEFT_PAREN && parse__token_is_function(token))
        return parse__call(parse);
    if (token->kind == TOKEN_WORD && token->keyword &&
        (next->kind == TOKEN_LEFT_PAREN || !parse__token_is_name(token)))
        return parse_keyword(parse);
    return parse_column(parse);
}

/* ---- types ----------------------------------------------------------------------------------- */

/* The words of a type name, one behind the other: "double precision", "character varying". */
static bool type_words(struct parse *parse, char *name, size_t size)
{
    bool first_is_name =
        parse__token_is_name(&parse->token) || parse__token_is_function(&parse->token);
    if (!first_is_name)
        return parse__syntax_error(parse);
    const char *second = NULL;
    enum keyword keyword = parse->token.kind == TOKEN_WORD ? parse->token.keyword : KEYWORD_NONE;
    if (keyword == KEYWORD_DOUBLE && parse__peek_keyword(parse, KEYWORD_PRECISION))
        second = "precision";
    else if ((keyword == KEYWORD_CHARACTER || keyword == KEYWORD_CHAR) &&
             parse__peek_keyword(parse, KEYWORD_VARYING))
        second = "varying";
    snprintf(name, size, "%s%s%s", parse->token.name, second ? " " : "", second ? second : "");
    parse__advance(parse);
    if (second)
        parse__advance(parse);
    return true;
}

static const char types_hint[] =
    "The types are BOOLEAN, SMALLINT, INTEGER, NUMERIC, REAL, DOUBLE PRECISION, TEXT, BYTEA, UUID, "
    "DATE, TIME, TIMESTAMP, TIMESTAMPTZ and INTERVAL.";

/* What other databases call a type that we have; NULL: none of these. */
static const char *type_meant(const char *name)
{
    static const struct {
        const char *name;
        const char *meant;
    } others[] = {
        {"datetime", "TIMESTAMP"},
        {"datetime2", "TIMESTAMP"},
        {"smalldatetime", "TIMESTAMP"},
        {"datetimeoffset", "TIMESTAMPTZ"},
        {"abstime", "TIMESTAMP"},
        {"reltime", "INTERVAL"},
        {"tinyint", "SMALLINT"},
        {"mediumint", "INTEGER"},
        {"number", "NUMERIC"},
        {"varchar2", "VARCHAR"},
        {"nvarchar", "VARCHAR"},
        {"nvarchar2", "VARCHAR"},
        {"nchar", "VARCHAR"},
        {"clob", "TEXT"},
        {"longtext", "TEXT"},
        {"mediumtext", "TEXT"},
        {"tinytext", "TEXT"},
        {"binary", "BYTEA"},
        {"varbinary", "BYTEA"},
        {"raw", "BYTEA"},
        {"longblob", "BYTEA"},
        {"uniqueidentifier", "UUID"},
        {"guid", "UUID"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].name, name) == 0)
            return others[i].meant;
    return NULL;
}

static bool type_unknown(struct parse *parse, const char *name, uint32_t position)
{
    static const char *const refused[] = {
        "json", "jsonb", "serial", "bit",         "bigserial",
        "xml",  "inet",  "money",  "smallserial", "timetz",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (strcmp(name, refused[i]) == 0) {
            parse__fail(parse, "0A000", position, "type %s is not supported", name);
            parse__hint(parse, types_hint);
            return false;
        }
    }
    parse__fail(parse, "42704", position, "type \"%s\" does not exist", name);
    const char *meant = type_meant(name);
    if (meant)
        error_hint(parse->error, "Did you mean %s?", meant);
    else
        parse__hint(parse, types_hint);
    return false;
}

/* (n), (n, s): -1 what is not there. */
static bool type_numbers(struct parse *parse, const char *name, int64_t *length, int64_t *scale)
{
    enum { LENGTH_MAX = 10485760 };
    if (!parse__accept(parse, TOKEN_LEFT_PAREN))
        return true;
    bool of_second = strncmp(name, "time", 4) == 0 || strcmp(name, "interval") == 0;
    *length = parse->token.integer;
    uint32_t position = parse->token.position;
    if (!parse__expect(parse, TOKEN_INTEGER))
        return false;
    if (*length < 1 && !of_second)
        return parse__fail(parse, "22023", position, "length for type %s must be at least 1", name);
    if (*length > LENGTH_MAX)
        return parse__fail(parse, "22023", position, "length for type %s cannot exceed %d", name,
                           LENGTH_MAX);
    if (parse__accept(parse, TOKEN_COMMA)) {
        *scale = parse->token.integer;
        if (!parse__expect(parse, TOKEN_INTEGER))
            return false;
    }
    return parse__expect(parse, TOKEN_RIGHT_PAREN);
}

static bool word_is(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strcmp(token->name, word) == 0;
}

/* TIMESTAMP and TIME [(p)] WITH or WITHOUT TIME ZONE: the words behind the number. */
static bool type_zone(struct parse *parse, char *name, size_t size)
{
    bool with = word_is(&parse->token, "with");
    if (!(with || word_is(&parse->token, "without")) || !word_is(parse__peek(parse), "time"))
        return true;
    parse__advance(parse);
    parse__advance(parse);
    if (!word_is(&parse->token, "zone"))
        return parse__syntax_error(parse);
    parse__advance(parse);
    size_t end = strlen(name);
    snprintf(name + end, size - end, "%s", with ? " with time zone" : " without time zone");
    return true;
}

bool parse__type(struct parse *parse, struct type_spec *type, uint32_t *position)
{
    char name[2 * PARSE_IDENTIFIER_MAX + 2];
    int64_t length = -1;
    int64_t scale = -1;
    *position = parse->token.position;
    if (!type_words(parse, name, sizeof name) || !type_numbers(parse, name, &length, &scale))
        return false;
    bool may_have_zone = strcmp(name, "timestamp") == 0 || strcmp(name, "time") == 0;
    if (may_have_zone && !type_zone(parse, name, sizeof name))
        return false;
    if (parse__is(parse, TOKEN_LEFT_BRACKET)) {
        parse__unsupported(parse, "arrays are");
        parse__hint(parse, no_arrays);
        return false;
    }
    if (type_spec_parse(name, length, scale, type))
        return true;
    if (length < 0 || !type_spec_parse(name, -1, -1, type))
        return type_unknown(parse, name, *position);
    if (type->kind == SQL_NUMERIC && scale <= length)
        return parse__fail(parse, "22023", *position,
                           "NUMERIC precision %lld must be between 1 and %d", (long long)length,
                           NUMERIC_DIGITS_MAX);
    if (type->kind == SQL_NUMERIC)
        return parse__fail(parse, "22023", *position,
                           "NUMERIC scale %lld must be between 0 and precision %lld",
                           (long long)scale, (long long)length);
    if (type->kind >= SQL_TIME && type->kind <= SQL_INTERVAL && scale < 0)
        return parse__fail(parse, "22023", *position, "%s(%lld) precision must be between 0 and 6",
                           name, (long long)length);
    return parse__fail(parse, "42601", *position, "type %s takes no %s", name,
                       scale < 0 ? "length" : "scale");
}
