/* The grammar of dates and times: literals with their type before them, EXTRACT, AT TIME ZONE,
 * OVERLAPS, and CURRENT_TIMESTAMP and its like. */
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static struct ast_expr *text_literal(struct parse *parse, struct slice text, uint32_t position)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_LITERAL, position);
    expr->as.literal = value_text(text);
    return expr;
}

static struct ast_expr *cast_of(struct parse *parse, struct ast_expr *operand,
                                struct type_spec type, uint32_t position)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_CAST, position);
    expr->as.cast.operand = operand;
    expr->as.cast.type = type;
    expr->as.cast.type_position = position;
    return parse__expr_finish(parse, expr, operand->height);
}

static struct ast_expr *call_of(struct parse *parse, const char *name, uint32_t position,
                                const struct expr_list *arguments)
{
    struct ast_expr *expr = parse__expr_new(parse, AST_CALL, position);
    expr->as.call.name = name;
    expr->as.call.arguments = arguments->items;
    expr->as.call.count = arguments->count;
    return parse__expr_finish(parse, expr, arguments->highest);
}

/* ---- literals -------------------------------------------------------------------------------- */

static bool is_field(const struct parse *parse, enum datetime_unit *unit)
{
    static const struct {
        const char *name;
        enum datetime_unit unit;
    } fields[] = {{"year", UNIT_YEAR}, {"month", UNIT_MONTH},   {"day", UNIT_DAY},
                  {"hour", UNIT_HOUR}, {"minute", UNIT_MINUTE}, {"second", UNIT_SECOND}};
    if (parse->token.kind != TOKEN_WORD)
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (strcmp(parse->token.name, fields[i].name) == 0) {
            *unit = fields[i].unit;
            return true;
        }
    }
    return false;
}

/* INTERVAL '1-2' YEAR TO MONTH: the fields say what a bare number counts, and where to cut. Becomes
 * the literal that says the same without them. */
static bool interval_fields(struct parse *parse, struct slice *text, uint32_t position,
                            struct type_spec *type)
{
    enum datetime_unit first;
    enum datetime_unit last;
    if (!is_field(parse, &first))
        return true;
    parse__advance(parse);
    last = first;
    if (parse__accept_keyword(parse, KEYWORD_TO)) {
        if (!is_field(parse, &last) || last >= first)
            return parse__syntax_error(parse);
        parse__advance(parse);
    }
    if (last == UNIT_SECOND && parse__accept(parse, TOKEN_LEFT_PAREN)) {
        int64_t digits = parse->token.integer;
        if (!parse__expect(parse, TOKEN_INTEGER) || !parse__expect(parse, TOKEN_RIGHT_PAREN))
            return false;
        if (digits > 6)
            return parse__fail(parse, "22023", position,
                               "interval(%lld) precision must be between 0 and 6",
                               (long long)digits);
        type->length_max = (uint32_t)digits + 1;
    }
    bool is_clock = memchr(text->data, ':', text->size) != NULL;
    struct interval interval;
    struct error error;
    enum datetime_unit unit = last;
    if (is_clock && last == UNIT_SECOND && first == UNIT_MINUTE)
        unit = UNIT_MINUTE; /* 12:30 are minutes and seconds, */
    else if (is_clock && last == UNIT_MINUTE)
        unit = UNIT_HOUR; /* and otherwise hours and minutes */
    if (interval_parse(*text, unit, &interval, &error))
        return parse__fail(parse, error.sqlstate, position, "%s", error.message);
    char shown[DATETIME_TEXT_MAX];
    size_t size = interval_format(interval_cut(interval, last), shown);
    *text = arena_copy(parse->arena, slice_make(shown, size));
    return true;
}

/* TIMESTAMP (3) '...', NUMERIC (5, 2) '...'; the current token is the type's name. */
static bool length_and_text_follow(const struct parse *parse)
{
    static const char *const types[] = {"timestamp", "timestamptz", "time",
                                        "interval",  "varchar",     "char",
                                        "character", "numeric",     "decimal"};
    bool known = false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        known |= strcmp(parse->token.name, types[i]) == 0;
    if (!known)
        return false;
    struct parse ahead = *parse;
    parse__advance(&ahead);
    do {
        parse__advance(&ahead);
        if (ahead.failed || !parse__is(&ahead, TOKEN_INTEGER))
            return false;
        parse__advance(&ahead);
    } while (!ahead.failed && parse__is(&ahead, TOKEN_COMMA));
    if (ahead.failed || !parse__accept(&ahead, TOKEN_RIGHT_PAREN))
        return false;
    return parse__is(&ahead, TOKEN_STRING) || parse__is_keyword(&ahead, KEYWORD_WITH);
}

bool parse__typed_literal_starts(struct parse *parse)
{
    const struct token *token = &parse->token;
    const struct token *next = parse__peek(parse);
    bool is_type = parse__token_is_name(token) || parse__token_is_function(token);
    if (token->kind != TOKEN_WORD || !is_type)
        return false;
    if (next->kind == TOKEN_STRING)
        return true;
    if (next->kind == TOKEN_LEFT_PAREN)
        return length_and_text_follow(parse);
    bool may_have_zone = strcmp(token->name, "timestamp") == 0 || strcmp(token->name, "time") == 0;
    return may_have_zone && next->kind == TOKEN_WORD &&
           (strcmp(next->name, "with") == 0 || strcmp(next->name, "without") == 0);
}

struct ast_expr *parse__typed_literal(struct parse *parse)
{
    uint32_t position = parse->token.position;
    struct type_spec type;
    uint32_t type_position;
    if (!parse__type(parse, &type, &type_position))
        return NULL;
    struct slice text = parse->token.string;
    uint32_t text_position = parse->token.position;
    if (!parse__expect(parse, TOKEN_STRING))
        return NULL;
    if (type.kind == SQL_INTERVAL && !interval_fields(parse, &text, text_position, &type))
        return NULL;
    return cast_of(parse, text_literal(parse, text, text_position), type, position);
}

/* ---- what reads like a sentence -------------------------------------------------------------- */

/* EXTRACT(field FROM x). */
bool parse__extract(struct parse *parse, struct expr_list *list)
{
    const struct token *token = &parse->token;
    struct slice field = token->string;
    if (token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED)
        field = slice_from_string(token->name);
    else if (token->kind != TOKEN_STRING)
        return parse__syntax_error(parse);
    parse__expr_append(parse, list, text_literal(parse, field, token->position));
    parse__advance(parse);
    return parse__expect_keyword(parse, KEYWORD_FROM) &&
           parse__expr_append(parse, list, parse__expr(parse));
}

/* CURRENT_TIMESTAMP, LOCALTIME, ..., with the digits of the second or not. */
struct ast_expr *parse__current(struct parse *parse, enum sql_type type)
{
    struct expr_list none = {0};
    const char *name = parse->token.name;
    uint32_t position = parse->token.position;
    parse__advance(parse);
    struct ast_expr *call = call_of(parse, name, position, &none);
    if (!call || type == SQL_DATE || !parse__accept(parse, TOKEN_LEFT_PAREN))
        return call;
    int64_t digits = parse->token.integer;
    uint32_t digits_position = parse->token.position;
    if (!parse__expect(parse, TOKEN_INTEGER) || !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    if (digits > 6) {
        parse__fail(parse, "22023", digits_position, "%s(%lld) precision must be between 0 and 6",
                    name, (long long)digits);
        return NULL;
    }
    struct type_spec spec = {.kind = type, .length_max = (uint32_t)digits + 1};
    return cast_of(parse, call, spec, position);
}

bool parse__named_arguments_follow(struct parse *parse)
{
    const struct token *next = parse__peek(parse);
    struct slice text = slice_make(parse->text.data + next->start, next->end - next->start);
    return parse__is(parse, TOKEN_WORD) && next->kind == TOKEN_OPERATOR &&
           slice_equal(text, slice_from_string("=>"));
}

/* make_interval(days => 5, hours => 2). */
bool parse__interval_arguments(struct parse *parse, struct expr_list *list)
{
    static const char *const names[] = {"years", "months", "weeks", "days",
                                        "hours", "mins",   "secs"};
    enum { NAME_COUNT = sizeof names / sizeof *names };
    struct ast_expr *given[NAME_COUNT] = {0};
    uint32_t position = parse->token.position;
    do {
        const struct token name = parse->token;
        size_t i = 0;
        if (!parse__named_arguments_follow(parse))
            return parse__syntax_error(parse);
        while (i < NAME_COUNT && strcmp(names[i], name.name) != 0)
            i++;
        if (i == NAME_COUNT)
            return parse__fail(parse, "42883", name.position,
                               "function make_interval has no argument \"%s\"", name.name);
        if (given[i])
            return parse__fail(parse, "42601", name.position,
                               "argument name \"%s\" used more than once", name.name);
        parse__advance(parse);
        parse__advance(parse);
        given[i] = parse__expr(parse);
        if (!given[i])
            return false;
    } while (parse__accept(parse, TOKEN_COMMA));
    for (size_t i = 0; i < NAME_COUNT; i++) {
        struct ast_expr *zero = parse__expr_new(parse, AST_LITERAL, position);
        zero->as.literal = value_integer(0);
        parse__expr_append(parse, list, given[i] ? given[i] : zero);
    }
    return true;
}

bool parse__at_time_zone_follows(struct parse *parse)
{
    const struct token *next = parse__peek(parse);
    return next->kind == TOKEN_WORD && strcmp(next->name, "time") == 0;
}

/* The current token is AT. */
struct ast_expr *parse__at_time_zone(struct parse *parse, struct ast_expr *left)
{
    uint32_t position = parse->token.position;
    struct expr_list list = {0};
    parse__advance(parse);
    parse__advance(parse);
    bool is_zone = parse->token.kind == TOKEN_WORD && strcmp(parse->token.name, "zone") == 0;
    if (!is_zone) {
        parse__syntax_error(parse);
        return NULL;
    }
    parse__advance(parse);
    if (!parse__expr_append(parse, &list, parse__expr_at(parse, PRECEDENCE_AT + 1)))
        return NULL;
    parse__expr_append(parse, &list, left);
    return call_of(parse, "timezone", position, &list);
}

/* (a, b) OVERLAPS (c, d): behind the first, at the word. */
struct ast_expr *parse__overlaps(struct parse *parse, const struct ast_expr *row)
{
    struct expr_list list = {0};
    uint32_t position = parse->token.position;
    ASSERT(row->kind == AST_ROW);
    if (row->as.list.count != 2) {
        parse__fail(parse, "42601", position,
                    "wrong number of parameters on left side of OVERLAPS");
        return NULL;
    }
    parse__expr_append(parse, &list, row->as.list.items[0]);
    parse__expr_append(parse, &list, row->as.list.items[1]);
    parse__advance(parse);
    if (!parse__expect(parse, TOKEN_LEFT_PAREN) ||
        !parse__expr_append(parse, &list, parse__expr(parse)) ||
        !parse__expect(parse, TOKEN_COMMA) ||
        !parse__expr_append(parse, &list, parse__expr(parse)) ||
        !parse__expect(parse, TOKEN_RIGHT_PAREN))
        return NULL;
    return call_of(parse, "overlaps", position, &list);
}
