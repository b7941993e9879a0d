/* COPY, in PostgreSQL's words: WITH (FORMAT csv, HEADER, ...) and the older WITH CSV HEADER .... */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "parse_int.h"

static bool word_is(const struct parse *parse, const char *word)
{
    return parse->token.kind == TOKEN_WORD && strcasecmp(parse->token.name, word) == 0;
}

static bool accept_word(struct parse *parse, const char *word)
{
    if (!word_is(parse, word))
        return false;
    parse__advance(parse);
    return true;
}

/* The name of an option that has a value, and the AS that may stand behind it. */
static bool accept_option(struct parse *parse, const char *word)
{
    if (!accept_word(parse, word))
        return false;
    parse__accept_keyword(parse, KEYWORD_AS);
    return true;
}

/* What has been said of the format; the rest follows from whether it is CSV. */
struct said {
    bool delimiter, quote, escape, null;
    uint32_t csv_position; /* of an option that only CSV has; 0: none */
};

static bool one_byte(struct parse *parse, const char *option, uint8_t *out)
{
    const struct token *token = &parse->token;
    if (token->kind != TOKEN_STRING)
        return parse__syntax_error(parse);
    uint8_t byte = token->string.size == 1 ? token->string.data[0] : 0;
    if (byte < ' ' && byte != '\t')
        return parse__fail(parse, "22023", token->position,
                           "COPY %s must be a single one-byte character", option);
    *out = byte;
    parse__advance(parse);
    return true;
}

static bool parse_header(struct parse *parse, struct copy_format *format)
{
    format->header = true;
    if (accept_word(parse, "false") || accept_word(parse, "off"))
        format->header = false;
    else if (!accept_word(parse, "true"))
        parse__accept_keyword(parse, KEYWORD_ON);
    return !parse->failed;
}

static bool parse_format(struct parse *parse, struct copy_format *format)
{
    format->csv = word_is(parse, "csv");
    if (!format->csv && !word_is(parse, "text"))
        return parse__fail(parse, "22023", parse->token.position, "COPY format is not known");
    parse__advance(parse);
    return true;
}

/* One option, in either writing. */
static bool parse_option(struct parse *parse, struct copy_format *format, struct said *said)
{
    uint32_t position = parse->token.position;
    if (accept_word(parse, "csv")) {
        format->csv = true;
        return true;
    }
    if (accept_word(parse, "format"))
        return parse_format(parse, format);
    if (accept_word(parse, "header"))
        return parse_header(parse, format);
    if (accept_option(parse, "delimiter")) {
        said->delimiter = true;
        return one_byte(parse, "delimiter", &format->delimiter);
    }
    if (accept_option(parse, "null")) {
        said->null = true;
        format->null = parse->token.string;
        return parse__expect(parse, TOKEN_STRING);
    }
    said->csv_position = position;
    if (accept_option(parse, "quote")) {
        said->quote = true;
        return one_byte(parse, "quote", &format->quote);
    }
    if (accept_option(parse, "escape")) {
        said->escape = true;
        return one_byte(parse, "escape", &format->escape);
    }
    if (parse->token.kind != TOKEN_WORD)
        return parse__syntax_error(parse);
    return parse__fail(parse, "42601", position, "COPY has no option \"%s\"", parse->token.name);
}

static bool parse_options(struct parse *parse, struct copy_format *format)
{
    struct said said = {0};
    bool with = parse__accept_keyword(parse, KEYWORD_WITH);
    if (parse__accept(parse, TOKEN_LEFT_PAREN)) {
        do {
            if (!parse_option(parse, format, &said))
                return false;
        } while (parse__accept(parse, TOKEN_COMMA));
        if (!parse__expect(parse, TOKEN_RIGHT_PAREN))
            return false;
    } else {
        while (with || parse->token.kind == TOKEN_WORD) {
            if (!parse_option(parse, format, &said))
                return false;
            with = false;
        }
    }
    if (said.csv_position && !format->csv)
        return parse__fail(parse, "0A000", said.csv_position,
                           "COPY quote and escape are of the CSV format only");
    if (!said.delimiter)
        format->delimiter = format->csv ? ',' : '\t';
    if (!said.quote)
        format->quote = '"';
    if (!said.escape)
        format->escape = format->quote;
    if (!said.null)
        format->null = slice_from_string(format->csv ? "" : "\\N");
    if (format->csv && format->delimiter == format->quote)
        return parse__fail(parse, "22023", parse->token.position,
                           "COPY delimiter and quote must be different");
    return true;
}

/* SELECT a, b FROM table, or SELECT *. */
static struct ast_select *select_table(struct parse *parse, const struct ast_copy *copy)
{
    struct ast_select *select = arena_zalloc(parse->arena, sizeof *select);
    uint32_t count = copy->columns ? copy->column_count : 1;
    select->position = copy->table.position;
    select->height = 2;
    select->targets = arena_zalloc(parse->arena, count * sizeof *select->targets);
    select->target_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct ast_target *target = &select->targets[i];
        target->position = copy->table.position;
        if (!copy->columns)
            continue; /* a star */
        target->position = copy->columns[i].position;
        target->expr = parse__expr_new(parse, AST_COLUMN, target->position);
        target->expr->as.column.name = copy->columns[i];
    }
    select->from = arena_zalloc(parse->arena, sizeof *select->from);
    select->from->kind = AST_FROM_TABLE;
    select->from->name = copy->table;
    select->from->position = copy->table.position;
    return select;
}

static bool parse_direction(struct parse *parse, struct ast_copy *copy)
{
    copy->from = parse__is_keyword(parse, KEYWORD_FROM);
    if (copy->from && copy->select)
        return parse__syntax_error(parse);
    if (!copy->from && !parse__is_keyword(parse, KEYWORD_TO))
        return parse__syntax_error(parse);
    parse__advance(parse);
    if (parse->token.kind == TOKEN_STRING) {
        parse__fail(parse, "0A000", parse->token.position,
                    "COPY to and from files of the server is not supported");
        parse__hint(parse, "The shell's own files: \\copy, COPY ... FROM STDIN in a script, or its "
                           "output sent to a file.");
        return false;
    }
    if (!accept_word(parse, copy->from ? "stdin" : "stdout"))
        return parse__syntax_error(parse);
    if (copy->from)
        parse->parameter_count = 1;
    else if (!copy->select)
        copy->select = select_table(parse, copy);
    return parse_options(parse, &copy->format);
}

bool parse__copy(struct parse *parse, struct ast_statement *statement)
{
    struct ast_copy *copy = arena_zalloc(parse->arena, sizeof *copy);
    statement->kind = AST_COPY;
    statement->as.copy = copy;
    ASSERT(parse__is_keyword(parse, KEYWORD_COPY));
    parse__advance(parse);
    if (parse__accept(parse, TOKEN_LEFT_PAREN)) {
        copy->select = parse__select(parse);
        if (!copy->select || !parse__expect(parse, TOKEN_RIGHT_PAREN))
            return false;
    } else {
        if (!parse__table_name(parse, &copy->table))
            return false;
        if (parse__is(parse, TOKEN_LEFT_PAREN) &&
            !parse__name_list(parse, &copy->columns, &copy->column_count))
            return false;
    }
    return parse_direction(parse, copy);
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static void print_byte(const char *option, uint8_t byte, struct buffer *out)
{
    buffer_printf(out, ", %s '%c%s'", option, byte, byte == '\'' ? "'" : "");
}

void parse__print_copy(const struct ast_copy *copy, struct buffer *out)
{
    const struct copy_format *format = &copy->format;
    buffer_append_string(out, "COPY ");
    if (copy->from) {
        ast_print_name(copy->table.text, out);
        if (copy->columns) {
            buffer_append_string(out, " ");
            parse__print_names(copy->columns, copy->column_count, out);
        }
        buffer_append_string(out, " FROM STDIN");
    } else {
        buffer_append_string(out, "(");
        parse__print_select(copy->select, out);
        buffer_append_string(out, ") TO STDOUT");
    }
    buffer_printf(out, " WITH (FORMAT %s", format->csv ? "csv" : "text");
    print_byte("DELIMITER", format->delimiter, out);
    buffer_append_string(out, ", NULL ");
    parse__print_string(format->null, out);
    if (format->csv) {
        print_byte("QUOTE", format->quote, out);
        print_byte("ESCAPE", format->escape, out);
    }
    buffer_append_string(out, format->header ? ", HEADER)" : ")");
}
