#include "bin/complete_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/shell_int.h"
#include "bin/split_int.h"

/* ---- names and matches ------------------------------------------------------------------------
 */

void bin__names_add(struct bin__names *names, enum bin__name_kind kind, const char *text,
                    const char *of)
{
    names->items = vec_grow(names->items, &names->capacity, names->count + 1, sizeof *names->items);
    names->items[names->count++] =
        (struct bin__name){.kind = kind,
                           .text = arena_strndup(&names->arena, text, strlen(text)),
                           .of = arena_strndup(&names->arena, of, strlen(of))};
}

void bin__names_free(struct bin__names *names)
{
    arena_free(&names->arena);
    mem_free(names->items);
    *names = (struct bin__names){0};
}

void bin__matches_free(struct bin__matches *matches)
{
    arena_free(&matches->arena);
    mem_free(matches->items);
    *matches = (struct bin__matches){0};
}

/* Words of the grammar are written as the person has begun: in small letters or in capitals. */
static void match_word(struct bin__matches *out, struct slice typed, const char *word, size_t size)
{
    bool small = typed.size > 0 && islower(typed.data[typed.size - 1]);
    if (size < typed.size || strncasecmp(word, (const char *)typed.data, typed.size) != 0)
        return;
    char *copy = arena_strndup(&out->arena, word, size);
    for (char *c = copy; small && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    out->items = vec_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    out->items[out->count++] = copy;
}

static void match_name(struct bin__matches *out, struct slice typed, const char *name)
{
    if (strncasecmp(name, (const char *)typed.data, typed.size) != 0)
        return;
    out->items = vec_grow(out->items, &out->capacity, out->count + 1, sizeof *out->items);
    out->items[out->count++] = arena_strndup(&out->arena, name, strlen(name));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void matches_finish(struct bin__matches *out)
{
    uint32_t kept = 0;
    if (out->count)
        qsort(out->items, out->count, sizeof *out->items, by_text);
    for (uint32_t i = 0; i < out->count; i++)
        if (kept == 0 || strcmp(out->items[i], out->items[kept - 1]) != 0)
            out->items[kept++] = out->items[i];
    out->count = kept;
}

size_t bin__matches_common(const struct bin__matches *matches)
{
    ASSERT(matches->count > 0);
    const char *first = matches->items[0];
    size_t common = strlen(first);
    for (uint32_t i = 1; i < matches->count; i++) {
        size_t same = 0;
        while (same < common && tolower((unsigned char)first[same]) ==
                                    tolower((unsigned char)matches->items[i][same]))
            same++;
        common = same;
    }
    return common;
}

/* ---- the text before the cursor ---------------------------------------------------------------
 */

enum { WORDS_MAX = 256 };

struct before {
    struct slice typed;            /* the word begun, behind its last point */
    struct slice owner;            /* before that point; empty: there is none */
    struct slice words[WORDS_MAX]; /* before it, outside of strings and comments; the last ones */
    uint32_t count;
};

static bool is_word_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c == '$' || c == '"' || c >= 0x80;
}

static struct slice word_before(struct slice text)
{
    size_t from = text.size;
    while (from > 0 && is_word_byte(text.data[from - 1]))
        from--;
    return slice_make(text.data + from, text.size - from);
}

static bool word_in(struct slice word, const char *const *words)
{
    for (; *words; words++)
        if (bin__word_is(word, *words))
            return true;
    return false;
}

static void words_read(struct bin__split *split, const uint8_t *end, struct before *out)
{
    struct slice word;
    while (bin__split_word(split, &word) && word.data < end) {
        if (bin__word_is(word, ";")) {
            out->count = 0;
            continue;
        }
        if (out->count == WORDS_MAX) {
            memmove(out->words, out->words + 1, (WORDS_MAX - 1) * sizeof *out->words);
            out->count--;
        }
        out->words[out->count++] = word;
    }
}

static struct slice last_word(const struct before *before)
{
    return before->count ? before->words[before->count - 1] : slice_make(NULL, 0);
}

/* ---- words of the grammar ---------------------------------------------------------------------
 */

/* Beginnings of statements that are described with others, and types. */
static const char *const beginnings[] = {"WITH", "VALUES", "START TRANSACTION",
                                         "END",  "ABORT",  "RESET"};
static const char *const types[] = {
    "BOOLEAN",  "SMALLINT",  "INTEGER",     "BIGINT",   "REAL",  "DOUBLE PRECISION",
    "NUMERIC",  "TEXT",      "VARCHAR",     "CHAR",     "BYTEA", "DATE",
    "TIME",     "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL", "UUID",  "SERIAL",
    "BIGSERIAL"};

/* The words so far as the beginning of `command`; what is left of that, or NULL. */
static const char *rest_of(const char *command, const struct before *before)
{
    for (uint32_t i = 0; i < before->count; i++) {
        struct slice word = before->words[i];
        if (strncasecmp(command, (const char *)word.data, word.size) != 0 ||
            command[word.size] != ' ')
            return NULL;
        command += word.size + 1;
    }
    return command;
}

/* Does the statement so far begin a command of several words? Then its next one. */
static bool complete_beginning(const struct before *before, struct bin__matches *out)
{
    const char *command, *syntax;
    for (size_t i = 0; (command = bin__help_topic(i, &syntax)) != NULL; i++) {
        const char *rest = rest_of(command, before);
        if (rest)
            match_word(out, before->typed, rest, strcspn(rest, " "));
    }
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings && before->count == 0; i++)
        match_word(out, before->typed, beginnings[i], strlen(beginnings[i]));
    return out->count > 0;
}

/* After some words only one can come. */
static bool complete_follower(const struct before *before, struct bin__matches *out)
{
    static const struct {
        const char *word, *next;
    } pairs[] = {{"insert", "INTO"}, {"delete", "FROM"},       {"order", "BY"},
                 {"group", "BY"},    {"partition", "BY"},      {"primary", "KEY"},
                 {"foreign", "KEY"}, {"start", "TRANSACTION"}, {"cross", "JOIN"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (before->count && bin__word_is(before->words[before->count - 1], pairs[i].word))
            match_word(out, before->typed, pairs[i].next, strlen(pairs[i].next));
    return out->count > 0;
}

/* The words in capitals of all diagrams. */
static void complete_words(const struct before *before, struct bin__matches *out)
{
    const char *syntax;
    for (size_t i = 0; bin__help_topic(i, &syntax) != NULL; i++)
        for (const char *c = syntax; *c;) {
            size_t size = 0;
            while (isupper((unsigned char)c[size]))
                size++;
            if (size > 1 && !islower((unsigned char)c[size]))
                match_word(out, before->typed, c, size);
            while (isalnum((unsigned char)c[size]))
                size++;
            c += size ? size : 1;
        }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        match_word(out, before->typed, types[i], strlen(types[i]));
}

/* ---- names ------------------------------------------------------------------------------------
 */

static void complete_names(const struct bin__names *names, enum bin__name_kind kind,
                           struct slice typed, struct bin__matches *out)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (names->items[i].kind == kind)
            match_name(out, typed, names->items[i].text);
}

static bool is_mentioned(const struct before *before, const char *relation)
{
    for (uint32_t i = 0; i < before->count; i++)
        if (bin__word_is(before->words[i], relation))
            return true;
    return false;
}

/* Of the relation before the point, which may be an alias; or of those the statement has named, or
 * of all. */
static void complete_columns(const struct bin__names *names, const struct before *before,
                             struct bin__matches *out)
{
    bool owner_known = false, any_mentioned = false;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct bin__name *name = &names->items[i];
        if (name->kind != BIN__NAME_COLUMN)
            continue;
        owner_known |= bin__word_is(before->owner, name->of);
        any_mentioned |= is_mentioned(before, name->of);
    }
    for (uint32_t i = 0; i < names->count; i++) {
        const struct bin__name *name = &names->items[i];
        bool fits = owner_known     ? bin__word_is(before->owner, name->of)
                    : any_mentioned ? is_mentioned(before, name->of)
                                    : true;
        if (name->kind == BIN__NAME_COLUMN && fits)
            match_name(out, before->typed, name->text);
    }
}

static void complete(const struct bin__names *names, const struct before *before,
                     struct bin__matches *out)
{
    static const char *const relation_next[] = {"from",  "join",     "into",       "update",
                                                "table", "truncate", "analyze",    "copy",
                                                "view",  "sequence", "references", NULL};
    static const char *const setting_next[] = {"set", "show", "reset", "session", "local", NULL};
    struct slice last = last_word(before);
    if (before->owner.size) {
        complete_columns(names, before, out);
    } else if (complete_beginning(before, out) || complete_follower(before, out)) {
        out->after = ' ';
    } else if (word_in(last, relation_next)) {
        complete_names(names, BIN__NAME_RELATION, before->typed, out);
    } else if (bin__word_is(last, "index")) {
        complete_names(names, BIN__NAME_INDEX, before->typed, out);
    } else if (before->count <= 2 && word_in(last, setting_next)) {
        complete_names(names, BIN__NAME_SETTING, before->typed, out);
    } else {
        complete_columns(names, before, out);
        complete_names(names, BIN__NAME_RELATION, before->typed, out);
        complete_names(names, BIN__NAME_FUNCTION, before->typed, out);
        complete_words(before, out);
    }
    if (out->count == 0 && !before->owner.size)
        complete_words(before, out);
}

/* A call's parenthesis rather than a blank. */
static char after_of(const struct bin__names *names, const char *text)
{
    char after = ' ';
    for (uint32_t i = 0; i < names->count; i++)
        if (strcasecmp(names->items[i].text, text) == 0) {
            if (names->items[i].kind != BIN__NAME_FUNCTION)
                return ' ';
            after = '(';
        }
    return after;
}

void bin__complete_statement(const struct bin__names *names, struct slice text,
                             struct bin__matches *out)
{
    struct bin__split split;
    struct before before = {.typed = word_before(text)};
    *out = (struct bin__matches){.after = ' ', .typed = before.typed.size};
    if (before.typed.size == 0 && (text.size == 0 || text.data[text.size - 1] != '.'))
        return;
    size_t size = text.size - before.typed.size;
    bin__split_init(&split);
    if (bin__split_feed(&split, slice_make(text.data, size)) == OK) {
        words_read(&split, split.text.data + size, &before);
        /* A point is a word of its own, what stands before it another. */
        if (before.count > 1 && size > 0 && text.data[size - 1] == '.') {
            before.owner = before.words[before.count - 2];
            before.count -= 2;
        }
        if (split.state == BIN__SPLIT_TEXT)
            complete(names, &before, out);
    }
    matches_finish(out);
    if (out->count == 1)
        out->after = after_of(names, out->items[0]);
    bin__split_free(&split);
}

void bin__complete_command(const struct bin__names *names, const char *const *commands,
                           struct slice line, struct bin__matches *out)
{
    ASSERT(line.size > 0 && line.data[0] == '\\');
    size_t name = 1;
    while (name < line.size && line.data[name] != ' ')
        name++;
    bool described = name > 1 && line.data[1] == 'd';
    bool help = name == 2 && line.data[1] == 'h';
    struct slice typed = word_before(line);
    if (name == line.size)
        typed = slice_make(line.data + 1, line.size - 1);
    *out = (struct bin__matches){.after = ' ', .typed = typed.size};
    if (name == line.size) {
        for (; *commands; commands++)
            if (strncmp(*commands, (const char *)typed.data, typed.size) == 0)
                match_name(out, typed, *commands);
    } else if (help) {
        struct before before = {.typed = slice_make(line.data + name + 1, line.size - name - 1)};
        const char *command, *syntax;
        out->typed = before.typed.size;
        for (size_t i = 0; (command = bin__help_topic(i, &syntax)) != NULL; i++)
            match_word(out, before.typed, command, strlen(command));
    } else if (described && typed.size) {
        complete_names(names, BIN__NAME_RELATION, typed, out);
        complete_names(names, BIN__NAME_INDEX, typed, out);
    }
    matches_finish(out);
}
