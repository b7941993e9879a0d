/* The lexer's quoted forms: "names", 'strings', E'strings with escapes', $tag$strings$tag$. */
#include <string.h>

#include "base/check.h"
#include "base/utf8.h"
#include "parse_int.h"

static uint8_t byte_at(const struct parse *parse, size_t offset)
{
    return offset < parse->text.size ? parse->text.data[offset] : 0;
}

void parse__lex_quoted_name(struct parse *parse, struct token *token)
{
    char name[PARSE_IDENTIFIER_MAX + 1];
    size_t size = 0;
    size_t at = token->start + 1;
    for (;; at++) {
        if (at == parse->text.size) {
            parse__lex_error(parse, token, at, "42601", "unterminated quoted identifier");
            return;
        }
        uint8_t c = byte_at(parse, at);
        if (c == '"' && byte_at(parse, ++at) != '"')
            break;
        if (size < PARSE_IDENTIFIER_MAX)
            name[size] = (char)c;
        size++;
    }
    token->kind = TOKEN_QUOTED;
    token->end = at;
    if (size == 0)
        parse__lex_error(parse, token, at, "42601", "zero-length delimited identifier");
    else if (size > PARSE_IDENTIFIER_MAX)
        parse__lex_error(parse, token, at, "42622", "identifier is too long");
    else
        token->name = arena_strndup(parse->arena, name, size);
}

/* The value of up to `max` digits of `base` at *at, which is moved behind them. Their number is
 * added to *count. */
static uint32_t take_digits(const struct parse *parse, size_t *at, uint32_t base, int max,
                            int *count)
{
    uint32_t value = 0;
    for (*count = 0; *count < max; ++*count, ++*at) {
        uint8_t c = byte_at(parse, *at);
        uint8_t lower = c | 0x20;
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            digit = (uint32_t)(lower - 'a' + 10);
        else
            break;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    return value;
}

/* \uXXXX or \UXXXXXXXX, the current byte being the letter. A surrogate must come as a pair. */
static bool take_unicode(const struct parse *parse, size_t *at, struct buffer *out)
{
    int digits = byte_at(parse, *at) == 'u' ? 4 : 8;
    int count;
    ++*at;
    uint32_t codepoint = take_digits(parse, at, 16, digits, &count);
    if (count != digits)
        return false;
    if (codepoint >= 0xd800 && codepoint < 0xdc00 && byte_at(parse, *at) == '\\' &&
        byte_at(parse, *at + 1) == 'u') {
        *at += 2;
        uint32_t low = take_digits(parse, at, 16, 4, &count);
        if (count != 4 || low < 0xdc00 || low > 0xdfff)
            return false;
        codepoint = 0x10000 + ((codepoint - 0xd800) << 10) + (low - 0xdc00);
    }
    uint8_t bytes[4];
    size_t size = codepoint ? utf8_encode(codepoint, bytes) : 0;
    buffer_append(out, bytes, size);
    return size > 0;
}

/* One escape, the current byte being the one behind the backslash. */
static bool take_escape(const struct parse *parse, size_t *at, struct buffer *out)
{
    static const char letters[] = "bfnrt";
    static const char values[] = "\b\f\n\r\t";
    uint8_t c = byte_at(parse, *at);
    int count;
    if (c == 'u' || c == 'U')
        return take_unicode(parse, at, out);
    if (c >= '0' && c <= '7') {
        buffer_append_byte(out, (uint8_t)take_digits(parse, at, 8, 3, &count));
        return true;
    }
    if (c == 'x') {
        size_t digits = *at + 1;
        uint32_t value = take_digits(parse, &digits, 16, 2, &count);
        if (count) {
            buffer_append_byte(out, (uint8_t)value);
            *at = digits;
            return true;
        }
    }
    const char *found = c ? strchr(letters, c) : NULL;
    buffer_append_byte(out, found ? (uint8_t)values[found - letters] : c);
    ++*at;
    return true;
}

/* Two strings with a line break between them are one: the offset of the second one's quote, or 0.
 */
static size_t continuation(const struct parse *parse, size_t at)
{
    bool line_break = false;
    while (byte_at(parse, at) == ' ' ||
           (byte_at(parse, at) >= '\t' && byte_at(parse, at) <= '\r')) {
        line_break |= byte_at(parse, at) == '\n' || byte_at(parse, at) == '\r';
        at++;
    }
    return line_break && byte_at(parse, at) == '\'' ? at : 0;
}

/* Reads up to the closing quote; false when it is missing or an escape is wrong (then the token is
 * an error). *at is behind the opening quote, and then behind the closing one. */
static bool take_string(struct parse *parse, struct token *token, size_t *at, bool escapes,
                        struct buffer *out)
{
    while (*at < parse->text.size) {
        uint8_t c = byte_at(parse, *at);
        if (c == '\'') {
            size_t behind = *at + 1;
            if (byte_at(parse, behind) != '\'') {
                size_t next = continuation(parse, behind);
                *at = next ? next + 1 : behind;
                if (!next)
                    return true;
                continue;
            }
            ++*at;
        } else if (c == '\\' && escapes && *at + 1 < parse->text.size) {
            size_t from = *at;
            ++*at;
            if (!take_escape(parse, at, out)) {
                struct token escape = {.start = from, .position = token->position};
                parse__lex_error(parse, &escape, *at, "22025", "invalid Unicode escape");
                token->kind = TOKEN_ERROR;
                return false;
            }
            continue;
        }
        buffer_append_byte(out, c);
        ++*at;
    }
    parse__lex_error(parse, token, parse->text.size, "42601", "unterminated quoted string");
    return false;
}

void parse__lex_string(struct parse *parse, struct token *token, size_t prefix, bool escapes)
{
    struct buffer out = {0};
    size_t at = token->start + prefix + 1;
    ASSERT(byte_at(parse, at - 1) == '\'');
    if (take_string(parse, token, &at, escapes, &out)) {
        struct slice string = buffer_slice(&out);
        token->kind = TOKEN_STRING;
        token->end = at;
        token->string = arena_copy(parse->arena, string);
        /* Escapes can name any byte. */
        if (escapes &&
            (!utf8_valid(string) || (string.size && memchr(string.data, 0, string.size))))
            parse__lex_error(parse, token, at, "22021", "invalid UTF-8 in a string with escapes");
    }
    buffer_free(&out);
}

bool parse__lex_dollar_string(struct parse *parse, struct token *token)
{
    size_t at = token->start + 1;
    for (uint8_t c; (c = byte_at(parse, at)) != '$'; at++) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        bool digit = c >= '0' && c <= '9' && at > token->start + 1;
        if (!letter && !digit)
            return false;
    }
    size_t tag_size = at + 1 - token->start;
    const uint8_t *tag = parse->text.data + token->start;
    const uint8_t *from = tag + tag_size;
    size_t left = parse->text.size - token->start - tag_size;
    const uint8_t *close = left ? memmem(from, left, tag, tag_size) : NULL;
    if (!close) {
        parse__lex_error(parse, token, parse->text.size, "42601",
                         "unterminated dollar-quoted string");
        return true;
    }
    token->kind = TOKEN_STRING;
    token->string = arena_copy(parse->arena, slice_make(from, (size_t)(close - from)));
    token->end = (size_t)(close - parse->text.data) + tag_size;
    return true;
}

void parse__lex_bytes(struct parse *parse, struct token *token)
{
    size_t start = token->start + 2;
    const uint8_t *text = parse->text.data;
    size_t end = start;
    while (end < parse->text.size && text[end] != '\'')
        end++;
    if (end == parse->text.size) {
        parse__lex_error(parse, token, end, "42601", "unterminated hexadecimal string");
        return;
    }
    uint8_t culprit;
    token->kind = TOKEN_BYTES;
    token->end = end + 1;
    if (bytes_from_hex(slice_make(text + start, end - start), parse->arena, &token->string,
                       &culprit) != BYTES_OK)
        parse__lex_error(parse, token, end + 1, "22P02", "invalid hexadecimal string");
}
