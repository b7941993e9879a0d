/* \? and \h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/shell_int.h"

static const char help[] =
    "Statements end with a semicolon and may span lines. Ctrl-C cancels, Ctrl-D quits.\n"
    "\n"
    "Schema\n"
    "  \\d              list tables, views and sequences\n"
    "  \\d NAME         all about a table, view, sequence or index; \\d+ also its size\n"
    "  \\dt \\dv \\di \\ds list tables (\\dt+: their sizes), views, indexes, sequences\n"
    "  \\df \\dn         list functions, schemas\n"
    "                  behind each may stand a name, with * and ? for any letters\n"
    "  \\h              list SQL commands\n"
    "  \\h COMMAND      syntax of an SQL command\n"
    "\n"
    "Cluster\n"
    "  \\status         nodes, leader, and how far each has come\n"
    "  \\c HOST:PORT    connect to another node\n"
    "\n"
    "Output\n"
    "  \\x [on|off|auto]  one column a line; auto: when rows are wider than the screen\n"
    "  \\format FORMAT    table, csv, tsv, json or line\n"
    "  \\timing [on|off]  show how long each statement took\n"
    "  \\pager [on|off]   what is longer than the screen goes through $PAGER\n"
    "\n"
    "Statements\n"
    "  \\g \\gx           run the statement before it, or the last one; \\gx: one column a line\n"
    "  \\watch [S [N]]   run it every S seconds (2), N times or until Ctrl-C\n"
    "  \\e [FILE]        write it in an editor ($EDITOR), then run it\n"
    "  \\p \\r            show, drop the statement typed so far\n"
    "  \\i FILE          run the statements in a file\n"
    "  \\copy ...        as COPY, FROM or TO a file here: \\copy t FROM 'f.csv' WITH (FORMAT csv)\n"
    "\n"
    "Other\n"
    "  \\conninfo       what the shell is connected to\n"
    "  \\echo TEXT      print a text\n"
    "  \\q              quit\n";

void bin__shell_help(struct bin__shell *shell)
{
    buffer_append_string(&shell->output.buffer, help);
    buffer_append_byte(&shell->output.buffer, '\n');
    bin__output_flush(&shell->output);
}

/* ---- \h -------------------------------------------------------------------------------------- */

/* By command. Made of the diagrams of docs/sql.md by tools/sql_syntax.py. */
static const struct topic {
    const char *command;
    const char *syntax;
} topics[] = {
#include "bin/shell_syntax.h"
};

enum { TOPICS = sizeof topics / sizeof *topics };

const char *bin__help_topic(size_t i, const char **syntax)
{
    *syntax = i < TOPICS ? topics[i].syntax : NULL;
    return i < TOPICS ? topics[i].command : NULL;
}

/* "create  index;" as "CREATE INDEX", which the names begin with. */
static void topic_normalize(const char *typed, struct buffer *out)
{
    bool blank = false;
    for (const char *c = typed; *c; c++) {
        if (*c == ' ' || *c == '\t') {
            blank = out->size > 0;
            continue;
        }
        if (blank)
            buffer_append_byte(out, ' ');
        blank = false;
        buffer_append_byte(out, (uint8_t)toupper((unsigned char)*c));
    }
}

static bool begins(const struct topic *topic, struct slice words)
{
    return strncmp(topic->command, (const char *)words.data, words.size) == 0;
}

/* Is it a word of the diagram? */
static bool mentions(const struct topic *topic, struct slice word)
{
    const char *at = topic->syntax;
    while ((at = memmem(at, strlen(at), word.data, word.size)) != NULL) {
        bool starts = at == topic->syntax || !isalpha((unsigned char)at[-1]);
        if (starts && !isalpha((unsigned char)at[word.size]))
            return true;
        at++;
    }
    return false;
}

typedef bool match_fn(const struct topic *topic, struct slice words);

/* How many there are, with their names and commas in *names. */
static uint32_t topics_find(match_fn *match, struct slice words, struct buffer *names)
{
    uint32_t count = 0;
    for (size_t i = 0; i < TOPICS; i++)
        if (match(&topics[i], words))
            buffer_printf(names, "%s%s", count++ ? ", " : "", topics[i].command);
    return count;
}

static void topics_print(struct buffer *out, match_fn *match, struct slice words)
{
    bool any = false;
    for (size_t i = 0; i < TOPICS; i++)
        if (match(&topics[i], words)) {
            buffer_printf(out, "%s%s\n", any ? "\n" : "", topics[i].syntax);
            any = true;
        }
}

/* Fewer words as long as no command begins with them: a table's name may stand behind. */
static struct slice words_shorten(struct slice words)
{
    struct buffer names = {0};
    while (words.size > 0 && topics_find(begins, words, &names) == 0) {
        while (words.size > 0 && words.data[words.size - 1] != ' ')
            words.size--;
        words.size -= words.size > 0;
    }
    buffer_free(&names);
    return words;
}

static void topics_list(struct buffer *out)
{
    enum { COLUMNS = 4, WIDTH = 20 };
    uint32_t rows = (TOPICS + COLUMNS - 1) / COLUMNS;
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t i = row; i < TOPICS; i += rows)
            buffer_printf(out, i + rows < TOPICS ? "%-*s" : "%.*s", WIDTH, topics[i].command);
        buffer_append_byte(out, '\n');
    }
    buffer_append_string(out, "\\h COMMAND shows the syntax of one.\n");
}

int bin__shell_help_sql(struct bin__shell *shell, const char *typed)
{
    struct buffer *out = &shell->output.buffer;
    struct buffer text = {0}, names = {0};
    int code = BIN__EXIT_OK;
    topic_normalize(typed, &text);
    struct slice words = buffer_slice(&text);
    struct slice known = words_shorten(words);
    if (words.size == 0) {
        topics_list(out);
    } else if (known.size > 0) {
        topics_print(out, begins, known);
    } else {
        uint32_t count = topics_find(mentions, words, &names);
        buffer_append_byte(&names, '\0');
        if (count == 1)
            topics_print(out, mentions, words);
        else if (count > 1)
            buffer_printf(out, "%.*s is a part of %s; \\h shows the syntax of each.\n",
                          (int)words.size, (const char *)words.data, (const char *)names.data);
        else
            code = bin__shell_complain(shell, "no help on \"%s\"; \\h lists what there is", typed);
    }
    buffer_free(&names);
    buffer_free(&text);
    bin__output_flush(&shell->output);
    return code;
}
