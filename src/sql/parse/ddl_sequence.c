/* Sequences, columns that have one, and TRUNCATE. Of the words only few are keywords: the others
 * stay free for names. */
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

/* A whole number, perhaps with a sign. */
static bool parse_number(struct parse *parse, int64_t *out)
{
    bool minus = parse__accept(parse, TOKEN_MINUS);
    if (!minus)
        parse__accept(parse, TOKEN_PLUS);
    const struct token *token = &parse->token;
    static const char least[] = "9223372036854775808";
    struct slice text = slice_make(parse->text.data + token->start, token->end - token->start);
    if (minus && token->kind == TOKEN_DECIMAL && slice_equal(text, slice_from_string(least))) {
        *out = INT64_MIN;
        parse__advance(parse);
        return true;
    }
    int64_t number = token->integer;
    if (token->kind == TOKEN_DECIMAL)
        return parse__fail(parse, "22003", token->position, "value is out of range for a sequence");
    if (!parse__expect(parse, TOKEN_INTEGER))
        return false;
    *out = minus ? -number : number;
    return true;
}

static bool once(struct parse *parse, bool *flag)
{
    if (*flag)
        return parse__fail(parse, "42601", parse->token.position,
                           "conflicting or redundant options");
    *flag = true;
    parse__advance(parse);
    return true;
}

static bool parse_owner(struct parse *parse, struct ast_sequence_options *options)
{
    if (!once(parse, &options->owned) || !parse__expect_keyword(parse, KEYWORD_BY))
        return false;
    if (parse__accept_word(parse, "none"))
        return true;
    return parse__name(parse, &options->owner_table) && parse__expect(parse, TOKEN_DOT) &&
           parse__name(parse, &options->owner_column);
}

static bool parse_no(struct parse *parse, struct ast_sequence_options *options)
{
    parse__advance(parse);
    if (parse__is_word(parse, "cycle"))
        return once(parse, &options->has_cycle);
    bool high = parse__is_word(parse, "maxvalue");
    if (!high && !parse__is_word(parse, "minvalue"))
        return parse__syntax_error(parse);
    return once(parse, high ? &options->no_high : &options->no_low);
}

static bool parse_as(struct parse *parse, struct ast_sequence_options *options)
{
    struct type_spec type;
    uint32_t position;
    bool again = options->bits != 0;
    if (!once(parse, &again) || !parse__type(parse, &type, &position))
        return false;
    if (type.kind != SQL_INTEGER)
        return parse__fail(parse, "22023", position,
                           "sequence type must be smallint, integer, or bigint");
    options->bits = type.length_max ? type.length_max : 64;
    return true;
}

/* One option; *found is false when there is none. */
static bool parse_option(struct parse *parse, struct ast_sequence_options *options, bool *found)
{
    *found = true;
    if (parse__is_keyword(parse, KEYWORD_START)) {
        if (!once(parse, &options->has_start))
            return false;
        parse__accept_keyword(parse, KEYWORD_WITH);
        return parse_number(parse, &options->start);
    }
    if (parse__is_word(parse, "increment")) {
        if (!once(parse, &options->has_increment))
            return false;
        parse__accept_keyword(parse, KEYWORD_BY);
        return parse_number(parse, &options->increment);
    }
    if (parse__is_word(parse, "minvalue"))
        return once(parse, &options->has_low) && parse_number(parse, &options->low);
    if (parse__is_word(parse, "maxvalue"))
        return once(parse, &options->has_high) && parse_number(parse, &options->high);
    if (parse__is_word(parse, "cache"))
        return once(parse, &options->has_cache) && parse_number(parse, &options->cache);
    if (parse__is_word(parse, "cycle")) {
        options->cycle = true;
        return once(parse, &options->has_cycle);
    }
    if (parse__is_word(parse, "owned"))
        return parse_owner(parse, options);
    if (parse__is_word(parse, "restart")) {
        if (!once(parse, &options->restart))
            return false;
        options->restart_with = parse__accept_keyword(parse, KEYWORD_WITH) ||
                                parse__is(parse, TOKEN_INTEGER) || parse__is(parse, TOKEN_MINUS);
        return !options->restart_with || parse_number(parse, &options->restart_value);
    }
    if (parse__is_keyword(parse, KEYWORD_NO))
        return parse_no(parse, options);
    if (parse__is_keyword(parse, KEYWORD_AS))
        return parse_as(parse, options);
    *found = false;
    return !parse->failed;
}

static bool parse_options(struct parse *parse, struct ast_sequence_options *options)
{
    bool found = true;
    options->position = parse->token.position;
    while (found)
        if (!parse_option(parse, options, &found))
            return false;
    return true;
}

/* The current token is SEQUENCE. */
static struct ast_sequence *sequence_begin(struct parse *parse, bool create)
{
    struct ast_sequence *sequence = arena_zalloc(parse->arena, sizeof *sequence);
    parse__advance(parse);
    if (!parse__if_exists(parse, create, &sequence->if_exists) ||
        !parse__table_name(parse, &sequence->name))
        return NULL;
    return sequence;
}

bool parse__create_sequence(struct parse *parse, struct ast_statement *statement)
{
    statement->kind = AST_CREATE_SEQUENCE;
    statement->as.sequence = sequence_begin(parse, true);
    if (!statement->as.sequence || !parse_options(parse, &statement->as.sequence->options))
        return false;
    if (statement->as.sequence->options.restart)
        return parse__fail(parse, "42601", statement->as.sequence->options.position,
                           "a new sequence cannot be restarted");
    return true;
}

bool parse__alter_sequence(struct parse *parse, struct ast_statement *statement)
{
    statement->kind = AST_ALTER_SEQUENCE;
    statement->as.sequence = sequence_begin(parse, false);
    if (!statement->as.sequence)
        return false;
    if (parse__accept_keyword(parse, KEYWORD_RENAME))
        return parse__expect_keyword(parse, KEYWORD_TO) &&
               parse__name(parse, &statement->as.sequence->to);
    return parse_options(parse, &statement->as.sequence->options);
}

/* ---- columns --------------------------------------------------------------------------------- */

bool parse__serial(struct parse *parse, struct ast_column_definition *column, bool *found)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } types[] = {{"serial", 0},   {"bigserial", 0}, {"smallserial", 16},
                 {"serial4", 32}, {"serial8", 0},   {"serial2", 16}};
    *found = false;
    for (size_t i = 0; i < sizeof types / sizeof *types && !*found; i++) {
        if (!parse__is_word(parse, types[i].name))
            continue;
        struct ast_sequence_options *options = arena_zalloc(parse->arena, sizeof *options);
        options->position = column->type_position = parse->token.position;
        options->bits = types[i].bits ? types[i].bits : 64;
        column->sequence = options;
        column->type = (struct type_spec){.kind = SQL_INTEGER, .length_max = types[i].bits};
        *found = true;
        parse__advance(parse);
    }
    return !parse->failed;
}

/* GENERATED { ALWAYS | BY DEFAULT }; the current token is the first of them. */
static bool parse_generated(struct parse *parse, enum ast_identity *identity)
{
    parse__advance(parse);
    bool always = parse__accept_word(parse, "always");
    *identity = always ? AST_IDENTITY_ALWAYS : AST_IDENTITY_BY_DEFAULT;
    return always || (parse__expect_keyword(parse, KEYWORD_BY) &&
                      parse__expect_keyword(parse, KEYWORD_DEFAULT));
}

/* AS IDENTITY [(option ...)] behind that. */
static bool parse_as_identity(struct parse *parse, struct ast_column_definition *column)
{
    struct ast_sequence_options *options = arena_zalloc(parse->arena, sizeof *options);
    column->sequence = options;
    if (!parse__expect_keyword(parse, KEYWORD_AS))
        return false;
    if (column->identity == AST_IDENTITY_ALWAYS && parse__is(parse, TOKEN_LEFT_PAREN))
        return parse__unsupported(parse, "a generated column is");
    if (!parse__expect_word(parse, "identity"))
        return false;
    return !parse__accept(parse, TOKEN_LEFT_PAREN) ||
           (parse_options(parse, options) && parse__expect(parse, TOKEN_RIGHT_PAREN));
}

bool parse__identity(struct parse *parse, struct ast_column_definition *column)
{
    uint32_t position = parse->token.position;
    bool given = column->sequence || column->default_value;
    if (!parse_generated(parse, &column->identity) || !parse_as_identity(parse, column))
        return false;
    if (column->type.kind != SQL_INTEGER)
        return parse__fail(parse, "22023", position,
                           "identity column type must be smallint, integer, or bigint");
    if (given)
        return parse__fail(parse, "42601", position,
                           "both default and identity specified for column \"%s\"",
                           column->name.text);
    struct ast_sequence_options *options = arena_alloc(parse->arena, sizeof *options);
    *options = *column->sequence;
    options->bits = column->type.length_max ? column->type.length_max : 64;
    column->sequence = options;
    return true;
}

bool parse__starts_identity(struct parse *parse)
{
    const struct token *next = parse__peek(parse);
    if (parse__is_word(parse, "restart") || parse__is_keyword(parse, KEYWORD_ADD))
        return true;
    if (parse__is_keyword(parse, KEYWORD_DROP))
        return next->kind == TOKEN_WORD && strcmp(next->name, "identity") == 0;
    return parse__is_keyword(parse, KEYWORD_SET) && next->kind == TOKEN_WORD &&
           next->keyword != KEYWORD_DEFAULT && next->keyword != KEYWORD_NOT &&
           strcmp(next->name, "data") != 0;
}

/* { SET GENERATED ... | SET option | RESTART [[WITH] n] } ... */
static bool parse_set_identity(struct parse *parse, struct ast_column_definition *column)
{
    struct ast_sequence_options *options = arena_zalloc(parse->arena, sizeof *options);
    options->position = parse->token.position;
    while (parse__is_word(parse, "restart") || parse__is_keyword(parse, KEYWORD_SET)) {
        bool found = true;
        bool set = parse__accept_keyword(parse, KEYWORD_SET);
        if (set && parse__is_word(parse, "generated")) {
            if (!parse_generated(parse, &column->identity))
                return false;
            continue;
        }
        if (!parse_option(parse, options, &found))
            return false;
        if (!found || options->owned || options->bits)
            return parse__syntax_error(parse);
        column->sequence = options;
    }
    return !parse->failed;
}

bool parse__alter_identity(struct parse *parse, struct ast_alter_action *action)
{
    struct ast_column_definition *column = &action->column;
    if (parse__accept_keyword(parse, KEYWORD_ADD)) {
        action->kind = AST_ALTER_ADD_IDENTITY;
        if (!parse__is_word(parse, "generated"))
            return parse__syntax_error(parse);
        return parse_generated(parse, &column->identity) && parse_as_identity(parse, column);
    }
    if (parse__accept_keyword(parse, KEYWORD_DROP)) {
        action->kind = AST_ALTER_DROP_IDENTITY;
        return parse__expect_word(parse, "identity") &&
               parse__if_exists(parse, false, &action->if_exists);
    }
    action->kind = AST_ALTER_SET_IDENTITY;
    return parse_set_identity(parse, column);
}

/* ---- TRUNCATE -------------------------------------------------------------------------------- */

bool parse__truncate(struct parse *parse, struct ast_statement *statement)
{
    struct ast_truncate *truncate = arena_zalloc(parse->arena, sizeof *truncate);
    uint32_t capacity = 0;
    statement->kind = AST_TRUNCATE;
    statement->as.truncate = truncate;
    parse__advance(parse);
    parse__accept_keyword(parse, KEYWORD_TABLE);
    do {
        parse__accept_keyword(parse, KEYWORD_ONLY);
        truncate->names = arena_grow(parse->arena, truncate->names, &capacity, truncate->count + 1,
                                     sizeof *truncate->names);
        if (!parse__table_name(parse, &truncate->names[truncate->count]))
            return false;
        truncate->count++;
    } while (parse__accept(parse, TOKEN_COMMA));
    truncate->restart = parse__accept_word(parse, "restart");
    if ((truncate->restart || parse__accept_word(parse, "continue")) &&
        !parse__expect_word(parse, "identity"))
        return false;
    truncate->cascade = parse__accept_keyword(parse, KEYWORD_CASCADE);
    if (!truncate->cascade)
        parse__accept_keyword(parse, KEYWORD_RESTRICT);
    return !parse->failed;
}

/* ---- printing -------------------------------------------------------------------------------- */

/* What stands in front of an option that is not the first. */
static const char *between(const char *lead)
{
    return strcmp(lead, " SET ") == 0 ? lead : " ";
}

static void print_number(const char *name, int64_t number, const char **lead, struct buffer *out)
{
    buffer_printf(out, "%s%s %" PRId64, *lead, name, number);
    *lead = between(*lead);
}

static void print_word(const char *word, const char **lead, struct buffer *out)
{
    buffer_printf(out, "%s%s", *lead, word);
    *lead = between(*lead);
}

static void print_owner(const struct ast_sequence_options *options, const char **lead,
                        struct buffer *out)
{
    print_word("OWNED BY ", lead, out);
    if (!options->owner_table.text) {
        buffer_append_string(out, "NONE");
        return;
    }
    ast_print_name(options->owner_table.text, out);
    buffer_append_string(out, ".");
    ast_print_name(options->owner_column.text, out);
}

void parse__print_sequence_options(const struct ast_sequence_options *options, const char *lead,
                                   struct buffer *out)
{
    bool in_parentheses = strcmp(lead, " (") == 0;
    const char *first = lead;
    if (!in_parentheses && options->bits)
        print_word(options->bits == 16   ? "AS smallint"
                   : options->bits == 32 ? "AS int4"
                                         : "AS bigint",
                   &lead, out);
    if (options->has_start)
        print_number("START", options->start, &lead, out);
    if (options->has_increment)
        print_number("INCREMENT", options->increment, &lead, out);
    if (options->has_low)
        print_number("MINVALUE", options->low, &lead, out);
    if (options->has_high)
        print_number("MAXVALUE", options->high, &lead, out);
    if (options->no_low)
        print_word("NO MINVALUE", &lead, out);
    if (options->no_high)
        print_word("NO MAXVALUE", &lead, out);
    if (options->has_cache)
        print_number("CACHE", options->cache, &lead, out);
    if (options->has_cycle)
        print_word(options->cycle ? "CYCLE" : "NO CYCLE", &lead, out);
    if (options->restart && options->restart_with)
        print_number("RESTART WITH", options->restart_value, &lead, out);
    else if (options->restart)
        print_word("RESTART", &lead, out);
    if (options->owned)
        print_owner(options, &lead, out);
    if (in_parentheses && lead != first)
        buffer_append_string(out, ")");
}
