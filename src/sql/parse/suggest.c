/* What a person most often meant when the grammar stops at a token: hints for syntax errors. */
#include <ctype.h>
#include <string.h>

#include "base/check.h"
#include "parse_int.h"

enum { WORD_MAX = 31 };

/* Words of other databases, and what is written here. */
static const char *foreign_word(const char *word)
{
    static const struct {
        const char *word;
        const char *hint;
    } table[] = {
        {"auto_increment", "A column that numbers its rows is SERIAL, or GENERATED ALWAYS AS "
                           "IDENTITY."},
        {"autoincrement", "A column that numbers its rows is SERIAL, or GENERATED ALWAYS AS "
                          "IDENTITY."},
        {"describe", "SHOW COLUMNS FROM table tells of a table, \\d in the shell."},
        {"desc", "SHOW COLUMNS FROM table tells of a table, \\d in the shell."},
        {"pragma", "SHOW TABLES, SHOW COLUMNS FROM table and SHOW ALL tell of tables and "
                   "settings."},
        {"use", "There is one database, and all tables are in the schema \"public\"."},
        {"ignore", "INSERT ... ON CONFLICT DO NOTHING passes over rows whose key is there."},
        {"duplicate", "INSERT ... ON CONFLICT (column) DO UPDATE SET changes the row that is "
                      "there."},
        {"engine", "Tables have no such options."},
        {"rowid", "Tables have no such options."},
        {"without", "Tables have no such options."},
        {"modify", "ALTER TABLE table ALTER COLUMN column changes a column."},
        {"change", "ALTER TABLE table RENAME COLUMN column TO name renames one."},
        {"partition", "Tables are not divided; their keys are kept in order."},
        {"inherits", "There is no inheritance; a foreign key ties tables together."},
        {"unsigned", "CHECK (column >= 0) refuses negative numbers."},
        {"xor", "Two conditions of which one is true: a <> b."},
        {"qualify", "A condition on a window function stands around a subquery."},
        {"sets",
         "There are no grouping sets: UNION ALL puts queries with other GROUP BYs together."},
        {"minus", "It is EXCEPT."},
        {"system", "There is no TABLESAMPLE: WHERE random() < 0.1 takes about a tenth."},
        {"bernoulli", "There is no TABLESAMPLE: WHERE random() < 0.1 takes about a tenth."},
        {"merge", "INSERT ... ON CONFLICT DO UPDATE puts in or changes."},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].word, word) == 0)
            return table[i].hint;
    return NULL;
}

/* The word that ends before `end`, folded; false: there is none, or it is long. */
static bool word_before(const struct parse *parse, size_t end, char out[WORD_MAX + 1])
{
    const uint8_t *text = parse->text.data;
    while (end > 0 && isspace(text[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && (isalnum(text[start - 1]) || text[start - 1] == '_'))
        start--;
    size_t size = end - start;
    if (size == 0 || size > WORD_MAX || isdigit(text[start]))
        return false;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)tolower(text[start + i]);
    out[size] = '\0';
    return true;
}

/* "SELECT * FORM t" stops at FORM or, where that can be a name, at the word behind it. */
static bool suggest_keyword(struct parse *parse, const char *word, bool is_before)
{
    const char *meant =
        parse__keyword_find(word) == KEYWORD_NONE ? parse__keyword_nearest(word) : NULL;
    /* A word that was read as a name may well be one: only when letters are in another order. */
    if (!meant || (is_before && strlen(meant) != strlen(word)))
        return false;
    char shown[WORD_MAX + 1];
    size_t size = strlen(meant);
    ASSERT(size <= WORD_MAX);
    for (size_t i = 0; i <= size; i++)
        shown[i] = (char)toupper((unsigned char)meant[i]);
    if (is_before)
        error_hint(parse->error, "Did you mean %s in the place of \"%s\"?", shown, word);
    else
        error_hint(parse->error, "Did you mean %s?", shown);
    return true;
}

static bool is(const struct token *token, enum keyword keyword)
{
    return token->kind == TOKEN_WORD && token->keyword == keyword;
}

/* "title[1]": a bracket right behind a name. */
static bool is_subscript(const struct parse *parse, const struct token *token)
{
    const uint8_t *text = parse->text.data;
    uint8_t before = token->start > 0 ? text[token->start - 1] : ' ';
    return text[token->start] == '[' && (isalnum(before) || strchr("_\")]'", before));
}

/* Of the words before it and of the token itself. */
static void suggest_words(struct parse *parse, const struct token *token)
{
    char before[WORD_MAX + 1] = "";
    bool has_before = word_before(parse, token->start, before);
    bool word = token->kind == TOKEN_WORD && strlen(token->name) <= WORD_MAX;
    const char *foreign = word ? foreign_word(token->name) : NULL;
    if (foreign)
        error_hint(parse->error, "%s", foreign);
    else if (has_before && strcmp(before, "insert") == 0)
        error_hint(parse->error, "It is INSERT INTO table.");
    else if (has_before && strcmp(before, "delete") == 0)
        error_hint(parse->error, "It is DELETE FROM table.");
    else if (has_before && strcmp(before, "top") == 0 && token->kind == TOKEN_INTEGER)
        error_hint(parse->error, "LIMIT at the end of the query takes the first rows.");
    else if (has_before && strcmp(before, "interval") == 0 && token->kind == TOKEN_INTEGER)
        error_hint(parse->error, "What it counts stands in quotes: INTERVAL '1 day'.");
    else if (has_before && strcmp(before, "minus") == 0 && is(token, KEYWORD_SELECT))
        error_hint(parse->error, "It is EXCEPT.");
    else if (has_before && strcmp(before, "qualify") == 0)
        error_hint(parse->error, "A condition on a window function stands around a subquery.");
    else if (has_before && strcmp(before, "show") == 0)
        error_hint(parse->error, "SHOW TABLES, SHOW COLUMNS FROM table and SHOW CREATE TABLE table "
                                 "tell of tables.");
    else if (!(word && suggest_keyword(parse, token->name, false)) && has_before)
        suggest_keyword(parse, before, true);
}

static bool is_behind_minus(const struct parse *parse, const struct token *token)
{
    char before[WORD_MAX + 1];
    return word_before(parse, token->start, before) && strcmp(before, "minus") == 0;
}

void parse__suggest(struct parse *parse, const struct token *token, enum token_kind previous)
{
    struct slice text = slice_make(parse->text.data + token->start, token->end - token->start);
    bool list_ends = token->kind == TOKEN_RIGHT_PAREN || token->kind == TOKEN_END ||
                     is(token, KEYWORD_FROM) || is(token, KEYWORD_WHERE);
    ASSERT(parse->failed);
    if (previous == TOKEN_COMMA && list_ends)
        error_hint(parse->error, "Remove the comma before it.");
    else if (slice_equal(text, slice_from_string("==")))
        error_hint(parse->error, "Equality is written with a single \"=\".");
    else if (slice_equal(text, slice_from_string("&&")))
        error_hint(parse->error, "Conditions are joined by AND.");
    else if (text.size && is_subscript(parse, token))
        error_hint(parse->error, "There are no arrays: substr(text, n, 1) is a character, and many "
                                 "values are rows of a table of their own.");
    else if (text.size && (text.data[0] == '`' || text.data[0] == '['))
        error_hint(parse->error, "Identifiers are quoted with double quotes.");
    else if (text.size && text.data[0] == '\\')
        error_hint(parse->error, "Commands with a backslash are the shell's, on a line of their "
                                 "own.");
    else if (is(token, KEYWORD_SELECT) && previous != TOKEN_SEMICOLON &&
             !is_behind_minus(parse, token))
        error_hint(parse->error, "A subquery is written in parentheses.");
    else
        suggest_words(parse, token);
}
