#include "bin/split_int.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"

enum { STATEMENT_BYTES_MAX = 32 << 20 };

void bin__split_init(struct bin__split *split)
{
    *split = (struct bin__split){.line = 1};
    buffer_init(&split->text, STATEMENT_BYTES_MAX);
}

void bin__split_free(struct bin__split *split)
{
    buffer_free(&split->text);
    buffer_free(&split->command);
}

void bin__split_reset(struct bin__split *split)
{
    struct buffer text = split->text, command = split->command;
    buffer_reset(&text);
    *split = (struct bin__split){.line = 1, .text = text, .command = command};
}

void bin__split_drop(struct bin__split *split)
{
    split->begun = false;
    split->state = BIN__SPLIT_TEXT;
    split->escape_continues = false;
}

struct slice bin__split_open(const struct bin__split *split)
{
    return split->begun ? slice_make(split->text.data + split->start, split->at - split->start)
                        : slice_make(NULL, 0);
}

status_t bin__split_feed(struct bin__split *split, struct slice text)
{
    size_t done = split->begun ? split->start : split->at;
    if (done) {
        buffer_consume(&split->text, done);
        split->at -= done;
        split->start = 0;
    }
    status_t status = buffer_append_slice(&split->text, text);
    /* Room for the NUL behind a statement that has no semicolon. */
    return status == OK ? buffer_reserve(&split->text, 1) : status;
}

bool bin__split_idle(const struct bin__split *split)
{
    return !split->begun && split->state == BIN__SPLIT_TEXT;
}

/* ---- scanning ------------------------------------------------------------------------------- */

static uint8_t byte_at(const struct bin__split *split, size_t offset)
{
    return offset < split->text.size ? split->text.data[offset] : 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word_start(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_word(uint8_t c)
{
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '$';
}

static void advance(struct bin__split *split, size_t count)
{
    ASSERT(count > 0 && count <= split->text.size - split->at);
    for (size_t i = 0; i < count; i++)
        split->line += split->text.data[split->at + i] == '\n';
    split->at += count;
}

static void enter(struct bin__split *split, enum bin__split_state state, size_t opening_size)
{
    split->state = state;
    advance(split, opening_size);
}

/* Bytes of "$tag$" or "$$" at the current place, 0 when it is none. */
static size_t dollar_tag_size(const struct bin__split *split)
{
    size_t end = split->at + 1;
    if (is_word_start(byte_at(split, end)))
        while (is_word(byte_at(split, end)) && byte_at(split, end) != '$')
            end++;
    size_t size = end + 1 - split->at;
    return byte_at(split, end) == '$' && size < BIN__SPLIT_TAG_MAX ? size : 0;
}

static void step_token(struct bin__split *split)
{
    uint8_t c = byte_at(split, split->at);
    bool escapes = split->escape_continues;
    split->escape_continues = false;
    if (c == '\'') {
        enter(split, escapes ? BIN__SPLIT_ESCAPE_STRING : BIN__SPLIT_STRING, 1);
    } else if (c == '"') {
        enter(split, BIN__SPLIT_NAME, 1);
    } else if (c == '$' && dollar_tag_size(split)) {
        split->tag_size = dollar_tag_size(split);
        memcpy(split->tag, split->text.data + split->at, split->tag_size);
        enter(split, BIN__SPLIT_DOLLAR, split->tag_size);
    } else if ((c == 'e' || c == 'E') && byte_at(split, split->at + 1) == '\'') {
        enter(split, BIN__SPLIT_ESCAPE_STRING, 2);
    } else {
        /* A word whole, so that what looks like an opening inside of it is none. */
        size_t size = 1;
        while (is_word(c) && is_word(byte_at(split, split->at + size)))
            size++;
        advance(split, size);
    }
}

static void step_text(struct bin__split *split)
{
    uint8_t c = byte_at(split, split->at);
    uint8_t next = byte_at(split, split->at + 1);
    if (is_space(c)) {
        advance(split, 1);
    } else if (c == '-' && next == '-') {
        enter(split, BIN__SPLIT_LINE_COMMENT, 2);
    } else if (c == '/' && next == '*') {
        split->depth = 1;
        enter(split, BIN__SPLIT_BLOCK_COMMENT, 2);
    } else {
        if (!split->begun) {
            split->begun = true;
            split->start = split->at;
            split->start_line = split->line;
        }
        step_token(split);
    }
}

static void step_block_comment(struct bin__split *split)
{
    uint8_t c = byte_at(split, split->at);
    uint8_t next = byte_at(split, split->at + 1);
    if (c == '/' && next == '*') {
        split->depth++;
        advance(split, 2);
    } else if (c == '*' && next == '/') {
        ASSERT(split->depth > 0);
        if (--split->depth == 0)
            split->state = BIN__SPLIT_TEXT;
        advance(split, 2);
    } else {
        advance(split, 1);
    }
}

/* Inside '...', E'...' and "...". A doubled quote leaves the state and enters it again at once. */
static void step_quoted(struct bin__split *split, uint8_t quote)
{
    uint8_t c = byte_at(split, split->at);
    bool escapes = split->state == BIN__SPLIT_ESCAPE_STRING;
    if (escapes && c == '\\' && split->at + 1 < split->text.size) {
        advance(split, 2);
    } else {
        if (c == quote) {
            split->state = BIN__SPLIT_TEXT;
            split->escape_continues = escapes;
        }
        advance(split, 1);
    }
}

static void step(struct bin__split *split)
{
    switch (split->state) {
    case BIN__SPLIT_TEXT:
        step_text(split);
        break;
    case BIN__SPLIT_LINE_COMMENT:
        if (byte_at(split, split->at) == '\n')
            split->state = BIN__SPLIT_TEXT;
        advance(split, 1);
        break;
    case BIN__SPLIT_BLOCK_COMMENT:
        step_block_comment(split);
        break;
    case BIN__SPLIT_STRING:
    case BIN__SPLIT_ESCAPE_STRING:
        step_quoted(split, '\'');
        break;
    case BIN__SPLIT_NAME:
        step_quoted(split, '"');
        break;
    case BIN__SPLIT_DOLLAR:
        if (slice_has_prefix(slice_make(split->text.data + split->at, split->text.size - split->at),
                             slice_make(split->tag, split->tag_size)))
            enter(split, BIN__SPLIT_TEXT, split->tag_size);
        else
            advance(split, 1);
        break;
    }
}

bool bin__split_word(struct bin__split *split, struct slice *out)
{
    while (split->at < split->text.size) {
        size_t from = split->at;
        bool was_text = split->state == BIN__SPLIT_TEXT && !is_space(byte_at(split, from));
        step(split);
        ASSERT(split->at > from);
        if (was_text && split->state == BIN__SPLIT_TEXT) {
            *out = slice_make(split->text.data + from, split->at - from);
            return true;
        }
    }
    return false;
}

bool bin__word_is(struct slice word, const char *text)
{
    return word.size == strlen(text) && strncasecmp((const char *)word.data, text, word.size) == 0;
}

/* ---- statements ----------------------------------------------------------------------------- */

static void statement_take(struct bin__split *split, struct bin__statement *out)
{
    ASSERT(split->begun && split->start < split->at && split->at < split->text.capacity);
    split->text.data[split->at] = '\0';
    *out = (struct bin__statement){.text = (const char *)split->text.data + split->start,
                                   .size = split->at - split->start,
                                   .line = split->start_line};
    split->begun = false;
    split->escape_continues = false;
}

/* Does the command run the statement before it? */
static bool runs_statement(const char *command)
{
    static const char *const names[] = {"g", "gx", "watch"};
    size_t size = strcspn(command, " \t;");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && memcmp(command, names[i], size) == 0)
            return true;
    return false;
}

/* The command at the backslash here, which becomes blanks: it is no part of a statement around it.
 */
static const char *command_take(struct bin__split *split)
{
    uint8_t *from = split->text.data + split->at;
    size_t left = split->text.size - split->at;
    ASSERT(left > 0 && *from == '\\');
    const uint8_t *end = memchr(from, '\n', left);
    size_t size = end ? (size_t)(end - from) : left;
    buffer_reset(&split->command);
    buffer_append(&split->command, from + 1, size - 1);
    buffer_append_byte(&split->command, '\0');
    memset(from, ' ', size);
    return (const char *)split->command.data;
}

bool bin__split_next(struct bin__split *split, struct bin__statement *out)
{
    while (split->at < split->text.size) {
        uint8_t c = split->state == BIN__SPLIT_TEXT ? byte_at(split, split->at) : 0;
        if (c == '\\') {
            const char *command = command_take(split);
            *out = (struct bin__statement){.line = split->line};
            if (split->begun && runs_statement(command)) {
                statement_take(split, out);
                split->at++; /* behind the NUL that ends it */
            }
            out->command = command;
            return true;
        }
        if (c != ';') {
            step(split);
            continue;
        }
        bool begun = split->begun;
        if (begun)
            statement_take(split, out);
        split->at++;
        if (begun)
            return true;
    }
    return false;
}

bool bin__split_rest(struct bin__split *split, struct bin__statement *out)
{
    ASSERT(split->at == split->text.size);
    bool begun = split->begun;
    if (begun)
        statement_take(split, out);
    buffer_reset(&split->text);
    split->at = 0;
    split->state = BIN__SPLIT_TEXT;
    return begun;
}
