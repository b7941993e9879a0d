/* The lexer: text to tokens, by PostgreSQL's rules.
 *
 * Words are letters, digits, _, $ and anything above ASCII; unquoted they are folded to lower case
 * (ASCII only, so that folding never depends on a locale). An operator is the longest run of
 * operator characters, which ends before a comment and may end in + or - only when it holds one of
 * ~ ! @ # % ^ & | ` ? (so that "a=-1" needs no space). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

static uint8_t byte_at(const struct parse *parse, size_t offset)
{
    return offset < parse->text.size ? parse->text.data[offset] : 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_start(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_word(uint8_t c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static bool is_operator(uint8_t c)
{
    return c && strchr("+-*/<>=~!@#%^&|`?", c) != NULL;
}

void parse__lex_move(struct parse *parse, size_t offset)
{
    ASSERT(offset >= parse->offset && offset <= parse->text.size);
    for (size_t i = parse->offset; i < offset; i++)
        parse->position += (parse->text.data[i] & 0xc0) != 0x80;
    parse->offset = offset;
}

void parse__lex_error(struct parse *parse, struct token *token, size_t end, const char *sqlstate,
                      const char *message)
{
    enum { QUOTE_MAX = 64 };
    ASSERT(token->start <= end && end <= parse->text.size);
    while (end < parse->text.size && (parse->text.data[end] & 0xc0) == 0x80)
        end++;
    size_t size = end - token->start;
    const char *more = size > QUOTE_MAX ? "..." : "";
    size = size > QUOTE_MAX ? QUOTE_MAX : size;
    /* Begin and end between characters. */
    while (size && token->start + size < end &&
           (parse->text.data[token->start + size] & 0xc0) == 0x80)
        size--;
    parse__fail(parse, sqlstate, token->position, "%s at or near \"%.*s%s\"", message, (int)size,
                (const char *)parse->text.data + token->start, more);
    token->kind = TOKEN_ERROR;
}

/* Skips a comment nested to any depth; false when it does not end. */
static bool skip_block_comment(struct parse *parse)
{
    size_t at = parse->offset + 2;
    size_t depth = 1;
    while (depth && at < parse->text.size) {
        if (byte_at(parse, at) == '*' && byte_at(parse, at + 1) == '/') {
            depth--;
            at += 2;
        } else if (byte_at(parse, at) == '/' && byte_at(parse, at + 1) == '*') {
            depth++;
            at += 2;
        } else {
            at++;
        }
    }
    if (depth) {
        parse__fail(parse, "42601", parse->position, "unterminated /* comment");
        return false;
    }
    parse__lex_move(parse, at);
    return true;
}

/* Skips white space and comments; false after an error. */
static bool skip_blank(struct parse *parse)
{
    for (;;) {
        size_t at = parse->offset;
        uint8_t c = byte_at(parse, at);
        if (is_space(c)) {
            while (is_space(byte_at(parse, at)))
                at++;
        } else if (c == '-' && byte_at(parse, at + 1) == '-') {
            while (at < parse->text.size && byte_at(parse, at) != '\n' &&
                   byte_at(parse, at) != '\r')
                at++;
        } else if (c == '/' && byte_at(parse, at + 1) == '*') {
            if (!skip_block_comment(parse))
                return false;
            continue;
        } else {
            return true;
        }
        parse__lex_move(parse, at);
    }
}

static void lex_word(struct parse *parse, struct token *token)
{
    size_t end = token->start;
    while (is_word(byte_at(parse, end)))
        end++;
    size_t size = end - token->start;
    token->kind = TOKEN_WORD;
    token->end = end;
    if (size > PARSE_IDENTIFIER_MAX) {
        parse__lex_error(parse, token, end, "42622", "identifier is too long");
        return;
    }
    char folded[PARSE_IDENTIFIER_MAX + 1];
    for (size_t i = 0; i < size; i++) {
        uint8_t c = parse->text.data[token->start + i];
        folded[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    folded[size] = '\0';
    token->keyword = parse__keyword_find(folded);
    token->name = token->keyword ? parse__keyword_text(token->keyword)
                                 : arena_strndup(parse->arena, folded, size);
}

static size_t skip_digits(const struct parse *parse, size_t at)
{
    while (is_digit(byte_at(parse, at)))
        at++;
    return at;
}

/* The same with single underscores between them. */
static size_t skip_grouped(const struct parse *parse, size_t at)
{
    size_t start = at;
    while (is_digit(byte_at(parse, at)) ||
           (at > start && byte_at(parse, at) == '_' && is_digit(byte_at(parse, at + 1))))
        at++;
    return at;
}

/* The text from start to end without its underscores. */
static char *copy_digits(struct parse *parse, size_t start, size_t end)
{
    char *copy = arena_strndup(parse->arena, (const char *)parse->text.data + start, end - start);
    char *write = copy;
    for (const char *read = copy; *read; read++)
        if (*read != '_')
            *write++ = *read;
    *write = '\0';
    return copy;
}

static bool fits_numeric(const char *text, double real, struct numeric *numeric)
{
    return numeric_parse(slice_from_string(text), numeric) == OK &&
           numeric_to_double(*numeric) == real;
}

/* A numeric, unless that has too few digits for it. One with more digits than a double tells apart
 * counts as what that double prints as, so that a literal printed is the literal it was. */
static void lex_decimal(struct parse *parse, struct token *token, const char *text)
{
    struct numeric numeric;
    char shortest[PARSE__DOUBLE_SIZE];
    errno = 0;
    double real = strtod(text, NULL);
    bool tiny = real == 0 && errno == ERANGE;
    if (real > 1.7976931348623157e308)
        parse__lex_error(parse, token, token->end, "22003", "number is out of range");
    bool fits = fits_numeric(text, real, &numeric);
    if (!fits && isfinite(real)) {
        parse__double_text(real, shortest);
        fits = fits_numeric(shortest, real, &numeric);
    }
    token->number = fits && !tiny ? value_numeric(numeric) : value_double(real);
    token->overlong = tiny;
}

static uint32_t digit_value(uint8_t c)
{
    uint8_t lower = c | 0x20;
    if (is_digit(c))
        return (uint32_t)(c - '0');
    return lower >= 'a' && lower <= 'f' ? (uint32_t)(lower - 'a') + 10 : UINT32_MAX;
}

/* 0x1f, 0o17, 0b101, whose base stands in the second byte: up to 63 bits. */
static bool lex_based(struct parse *parse, struct token *token)
{
    uint8_t letter = byte_at(parse, token->start + 1) | 0x20;
    uint32_t base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
    size_t at = token->start + 2;
    if (byte_at(parse, token->start) != '0' || base == 0 || digit_value(byte_at(parse, at)) >= base)
        return false;
    bool fits = true;
    uint64_t number = 0;
    for (;; at++) {
        uint8_t c = byte_at(parse, at);
        if (c == '_' && digit_value(byte_at(parse, at + 1)) < base)
            continue;
        uint32_t digit = digit_value(c);
        if (digit >= base)
            break;
        fits = fits && number <= ((uint64_t)INT64_MAX - digit) / base;
        number = number * base + digit;
    }
    token->end = at;
    token->kind = TOKEN_INTEGER;
    token->integer = (int64_t)number;
    if (is_word_start(byte_at(parse, at)) || is_digit(byte_at(parse, at)))
        parse__lex_error(parse, token, at + 1, "42601", "trailing junk after numeric literal");
    else if (!fits)
        parse__lex_error(parse, token, at, "22003", "number is out of range");
    return true;
}

/* 123, 1.5, .5, 1., 1e10, 1.5e-3, 1_000. */
static void lex_number(struct parse *parse, struct token *token)
{
    size_t at = skip_grouped(parse, token->start);
    bool whole = true;
    token->overlong = false;
    if (lex_based(parse, token))
        return;
    if (byte_at(parse, at) == '.') {
        whole = false;
        at = skip_grouped(parse, at + 1);
    }
    if (byte_at(parse, at) == 'e' || byte_at(parse, at) == 'E') {
        size_t exponent = at + 1;
        if (byte_at(parse, exponent) == '+' || byte_at(parse, exponent) == '-')
            exponent++;
        if (is_digit(byte_at(parse, exponent))) {
            whole = false;
            at = skip_grouped(parse, exponent);
        }
    }
    token->end = at;
    if (is_word_start(byte_at(parse, at))) {
        while (is_word(byte_at(parse, at)))
            at++;
        parse__lex_error(parse, token, at, "42601", "trailing junk after numeric literal");
        return;
    }
    char *copy = copy_digits(parse, token->start, at);
    errno = 0;
    token->integer = whole ? strtoll(copy, NULL, 10) : 0;
    token->kind = whole && errno == 0 ? TOKEN_INTEGER : TOKEN_DECIMAL;
    if (token->kind == TOKEN_DECIMAL)
        lex_decimal(parse, token, copy);
    token->overlong |= whole && token->kind == TOKEN_DECIMAL && token->number.type == SQL_DOUBLE;
}

static void lex_parameter(struct parse *parse, struct token *token)
{
    size_t end = skip_digits(parse, token->start + 1);
    token->kind = TOKEN_PARAMETER;
    token->end = end;
    if (is_word_start(byte_at(parse, end))) {
        parse__lex_error(parse, token, end + 1, "42601", "trailing junk after parameter");
        return;
    }
    for (size_t i = token->start + 1; i < end && token->integer <= PARSE_PARAMETER_MAX; i++)
        token->integer = token->integer * 10 + (byte_at(parse, i) - '0');
    if (token->integer < 1 || token->integer > PARSE_PARAMETER_MAX)
        parse__lex_error(parse, token, end, "42P02", "there is no parameter with this number");
}

static enum token_kind operator_kind(const char *text, size_t size)
{
    static const struct {
        const char *text;
        enum token_kind kind;
    } operators[] = {
        {"=", TOKEN_EQ},          {"<>", TOKEN_NE},          {"!=", TOKEN_NE},
        {"<", TOKEN_LT},          {"<=", TOKEN_LE},          {">", TOKEN_GT},
        {">=", TOKEN_GE},         {"+", TOKEN_PLUS},         {"-", TOKEN_MINUS},
        {"*", TOKEN_STAR},        {"/", TOKEN_SLASH},        {"%", TOKEN_PERCENT},
        {"^", TOKEN_CARET},       {"||", TOKEN_CONCAT},      {"&", TOKEN_AMPERSAND},
        {"|", TOKEN_PIPE},        {"#", TOKEN_HASH},         {"~", TOKEN_TILDE},
        {"<<", TOKEN_SHIFT_LEFT}, {">>", TOKEN_SHIFT_RIGHT}, {"~*", TOKEN_IMATCH},
        {"!~", TOKEN_NOT_MATCH},  {"!~*", TOKEN_NOT_IMATCH},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (strlen(operators[i].text) == size && memcmp(operators[i].text, text, size) == 0)
            return operators[i].kind;
    return TOKEN_OPERATOR;
}

static void lex_operator(struct parse *parse, struct token *token)
{
    size_t end = token->start;
    bool special = false;
    while (is_operator(byte_at(parse, end))) {
        uint8_t c = byte_at(parse, end);
        uint8_t next = byte_at(parse, end + 1);
        if ((c == '-' && next == '-') || (c == '/' && next == '*'))
            break;
        special |= strchr("~!@#%^&|`?", c) != NULL;
        end++;
    }
    while (!special && end - token->start > 1 &&
           (byte_at(parse, end - 1) == '+' || byte_at(parse, end - 1) == '-'))
        end--;
    ASSERT(end > token->start);
    token->end = end;
    token->kind = operator_kind((const char *)parse->text.data + token->start, end - token->start);
}

static void lex_punctuation(struct parse *parse, struct token *token)
{
    static const char characters[] = "()[],;.";
    static const enum token_kind kinds[] = {
        TOKEN_LEFT_PAREN, TOKEN_RIGHT_PAREN, TOKEN_LEFT_BRACKET, TOKEN_RIGHT_BRACKET,
        TOKEN_COMMA,      TOKEN_SEMICOLON,   TOKEN_DOT};
    uint8_t c = byte_at(parse, token->start);
    token->end = token->start + 1;
    const char *found = c ? strchr(characters, c) : NULL;
    if (found) {
        token->kind = kinds[found - characters];
    } else if (c == ':') {
        token->kind = byte_at(parse, token->end) == ':' ? TOKEN_CAST : TOKEN_COLON;
        token->end += token->kind == TOKEN_CAST;
    } else {
        parse__lex_error(parse, token, token->end, "42601", "syntax error");
    }
}

/* The form by the first bytes; token->end is set by each. */
static void lex_form(struct parse *parse, struct token *token)
{
    uint8_t c = byte_at(parse, token->start);
    uint8_t next = byte_at(parse, token->start + 1);
    uint8_t lower = c | 0x20;
    if (c == '\'')
        parse__lex_string(parse, token, 0, false);
    else if (next == '\'' && (lower == 'e' || lower == 'n'))
        parse__lex_string(parse, token, 1, lower == 'e');
    else if (next == '\'' && lower == 'x')
        parse__lex_bytes(parse, token);
    else if (next == '\'' && lower == 'b')
        parse__lex_error(parse, token, token->start + 2, "0A000", "bit strings are not supported");
    else if (is_word_start(c))
        lex_word(parse, token);
    else if (is_digit(c) || (c == '.' && is_digit(next)))
        lex_number(parse, token);
    else if (c == '"')
        parse__lex_quoted_name(parse, token);
    else if (c == '$' && is_digit(next))
        lex_parameter(parse, token);
    else if (c == '$' && parse__lex_dollar_string(parse, token))
        ASSERT(token->kind == TOKEN_STRING || token->kind == TOKEN_ERROR);
    else if (is_operator(c))
        lex_operator(parse, token);
    else
        lex_punctuation(parse, token);
}

void parse__lex(struct parse *parse, struct token *token)
{
    *token = (struct token){.kind = TOKEN_ERROR};
    if (parse->failed || !skip_blank(parse))
        return;
    token->start = parse->offset;
    token->end = parse->offset;
    token->position = parse->position;
    token->kind = TOKEN_END;
    if (parse->offset == parse->text.size)
        return;
    lex_form(parse, token);
    if (token->kind == TOKEN_ERROR)
        return;
    ASSERT(token->end > token->start);
    parse__lex_move(parse, token->end);
}
