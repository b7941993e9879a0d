/* Statements from a person at a terminal: line editing, history and prompts, by libedit.
 *
 * Ctrl-C at the prompt is a key like others, bound to dropping the line: the terminal is told not
 * to make a signal of it while a line is edited. Otherwise it is a signal: it cancels the statement
 * that runs or is about to, and where there is none, it drops what was entered of one. */
#include <histedit.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/shell_complete_int.h"

enum { HISTORY_LINES = 1000, PROMPT_MAX = 64 };

struct prompt {
    struct bin__shell *shell;
    struct bin__split split;
    EditLine *edit;
    History *history;
    char history_path[512]; /* empty: none is kept */
    struct buffer entry;    /* lines typed since the last statement ended */
    struct buffer entered;  /* what this shell has put into the history, each with a NUL */
    struct bin__completion completion;
    char text[PROMPT_MAX];
    bool dropped; /* Ctrl-C ended the line */
    cc_t interrupt_key;
};

void bin__prompt_text(char *out, size_t size, enum toydb_transaction_state transaction, bool begun,
                      enum bin__split_state state)
{
    static const char *const marks[] = {[TOYDB_TRANSACTION_IDLE] = "",
                                        [TOYDB_TRANSACTION_OPEN] = "*",
                                        [TOYDB_TRANSACTION_FAILED] = "!"};
    const char *open = begun ? "-" : "";
    switch (state) {
    case BIN__SPLIT_TEXT:
    case BIN__SPLIT_LINE_COMMENT:
        break;
    case BIN__SPLIT_BLOCK_COMMENT:
        open = "/";
        break;
    case BIN__SPLIT_STRING:
    case BIN__SPLIT_ESCAPE_STRING:
        open = "'";
        break;
    case BIN__SPLIT_NAME:
        open = "\"";
        break;
    case BIN__SPLIT_DOLLAR:
        open = "$";
        break;
    }
    snprintf(out, size, "toydb%s%s> ", marks[transaction], open);
}

static struct prompt *prompt_of(EditLine *edit)
{
    struct prompt *prompt = NULL;
    el_get(edit, EL_CLIENTDATA, &prompt);
    ASSERT(prompt);
    return prompt;
}

static char *on_prompt(EditLine *edit)
{
    return prompt_of(edit)->text;
}

static unsigned char on_drop_line(EditLine *edit, int key)
{
    MAYBE(key == 3);
    prompt_of(edit)->dropped = true;
    return CC_NEWLINE;
}

/* Makes `key` the one that interrupts. Before a line is edited libedit takes over what it finds. */
static void interrupt_key_set(cc_t key)
{
    struct termios terminal;
    if (tcgetattr(STDIN_FILENO, &terminal) != 0)
        return; /* it has gone; reading will say so */
    terminal.c_cc[VINTR] = key;
    int result = tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal);
    MAYBE(result == 0);
}

/* Ctrl-C is a signal while the database is asked for names. */
static unsigned char on_complete(EditLine *edit, int key)
{
    struct prompt *prompt = prompt_of(edit);
    MAYBE(key == '\t');
    interrupt_key_set(prompt->interrupt_key);
    bool printed = bin__completion_run(&prompt->completion, edit);
    interrupt_key_set(_POSIX_VDISABLE);
    bin__shell_interrupted();
    return printed ? CC_REDISPLAY : CC_REFRESH;
}

/* ---- history -------------------------------------------------------------------------------- */

static void history_open(struct prompt *prompt)
{
    HistEvent event;
    const char *path = getenv("TOYSQL_HISTORY");
    const char *home = getenv("HOME");
    if (path)
        snprintf(prompt->history_path, sizeof prompt->history_path, "%s", path);
    else if (home)
        snprintf(prompt->history_path, sizeof prompt->history_path, "%s/.toysql_history", home);
    prompt->history = history_init();
    history(prompt->history, &event, H_SETSIZE, HISTORY_LINES);
    history(prompt->history, &event, H_SETUNIQUE, 1);
    if (*prompt->history_path)
        history(prompt->history, &event, H_LOAD, prompt->history_path);
}

/* libedit writes the file readable by its owner only. What other shells have put there since this
 * one began is kept. */
static void history_close(struct prompt *prompt)
{
    HistEvent event;
    const char *entry = (const char *)prompt->entered.data;
    const char *end = entry + prompt->entered.size;
    if (*prompt->history_path && entry != end) {
        history(prompt->history, &event, H_CLEAR);
        history(prompt->history, &event, H_LOAD, prompt->history_path);
        for (; entry < end; entry += strlen(entry) + 1)
            history(prompt->history, &event, H_ENTER, entry);
    }
    if (*prompt->history_path && history(prompt->history, &event, H_SAVE, prompt->history_path) < 0)
        fprintf(stderr, "toysql: could not write the history to %s\n", prompt->history_path);
    history_end(prompt->history);
}

/* A statement of several lines is recalled as one line, where that does not change it. */
static void history_add(struct prompt *prompt)
{
    HistEvent event;
    struct buffer *entry = &prompt->entry;
    while (entry->size && strchr(" \t\r\n", entry->data[entry->size - 1]))
        entry->size--;
    bool keep_lines = memmem(entry->data, entry->size, "--", 2) ||
                      memchr(entry->data, '\'', entry->size) ||
                      memchr(entry->data, '$', entry->size);
    for (size_t i = 0; i < entry->size && !keep_lines; i++)
        if (entry->data[i] == '\n')
            entry->data[i] = ' ';
    if (entry->size && buffer_append_byte(entry, '\0') == OK) {
        history(prompt->history, &event, H_ENTER, (const char *)entry->data);
        buffer_append_slice(&prompt->entered, buffer_slice(entry));
    }
    buffer_reset(entry);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void run_statements(struct prompt *prompt)
{
    struct bin__statement statement;
    while (!prompt->shell->quit && bin__split_next(&prompt->split, &statement)) {
        bin__shell_do(prompt->shell, &statement);
        if (bin__shell_interrupted())
            bin__split_reset(&prompt->split); /* and not what stands behind it in the line */
    }
    if (bin__split_idle(&prompt->split))
        bin__split_reset(&prompt->split); /* lines are counted from each statement's first */
}

/* Words that people try before they find \?. */
static bool run_word(struct prompt *prompt, struct slice line)
{
    static const struct {
        const char *word, *command;
    } words[] = {{"help", "?"}, {"quit", "q"}, {"exit", "q"}};
    size_t size = line.size;
    while (size && strchr(" \t\r\n;", line.data[size - 1]))
        size--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (size == strlen(words[i].word) &&
            strncasecmp((const char *)line.data, words[i].word, size) == 0) {
            bin__shell_command(prompt->shell, words[i].command);
            return true;
        }
    return false;
}

/* A line that is a command is one in the history too, also where a statement is open. */
static void history_add_command(struct prompt *prompt, struct slice line)
{
    struct buffer entry = prompt->entry;
    prompt->entry = (struct buffer){0};
    buffer_append_slice(&prompt->entry, line);
    history_add(prompt);
    buffer_free(&prompt->entry);
    prompt->entry = entry;
}

static void run_line(struct prompt *prompt, struct slice line)
{
    bool idle = bin__split_idle(&prompt->split);
    bool command = prompt->split.state == BIN__SPLIT_TEXT && line.size && line.data[0] == '\\';
    if (command)
        history_add_command(prompt, line);
    else
        buffer_append_slice(&prompt->entry, line);
    if (idle && run_word(prompt, line)) {
        history_add(prompt);
    } else if (idle && line.size > 1 && line.data[0] == '.') {
        history_add(prompt);
        bin__shell_foreign(prompt->shell, line);
    } else if (bin__split_feed(&prompt->split, line) != OK) {
        bin__shell_complain(prompt->shell, "statement is too long");
        bin__split_reset(&prompt->split);
        buffer_reset(&prompt->entry);
    } else {
        run_statements(prompt);
        if (command)
            bin__shell_interrupted();
        if (bin__split_idle(&prompt->split))
            history_add(prompt);
    }
}

static void edit_open(struct prompt *prompt)
{
    prompt->edit = el_init("toysql", stdin, stdout, stderr);
    ASSERT(prompt->edit);
    history_open(prompt);
    el_set(prompt->edit, EL_CLIENTDATA, prompt);
    el_set(prompt->edit, EL_EDITOR, "emacs");
    el_set(prompt->edit, EL_SIGNAL, 1);
    el_set(prompt->edit, EL_PROMPT, on_prompt);
    el_set(prompt->edit, EL_HIST, history, prompt->history);
    el_set(prompt->edit, EL_ADDFN, "toysql-drop-line", "Drop the line", on_drop_line);
    el_set(prompt->edit, EL_BIND, "^C", "toysql-drop-line", NULL);
    el_set(prompt->edit, EL_ADDFN, "toysql-complete", "Complete the word", on_complete);
    el_set(prompt->edit, EL_BIND, "^I", "toysql-complete", NULL);
    el_set(prompt->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(prompt->edit, EL_BIND, "\033[3~", "ed-delete-next-char", NULL);
    el_set(prompt->edit, EL_BIND, "\033[1;5D", "ed-prev-word", NULL);
    el_set(prompt->edit, EL_BIND, "\033[1;5C", "em-next-word", NULL);
    el_source(prompt->edit, NULL);
}

static cc_t interrupt_key(void)
{
    struct termios terminal;
    return tcgetattr(STDIN_FILENO, &terminal) == 0 ? terminal.c_cc[VINTR] : _POSIX_VDISABLE;
}

static void entry_drop(struct prompt *prompt)
{
    bin__split_reset(&prompt->split);
    buffer_reset(&prompt->entry);
}

/* NULL, or a line of no bytes: the person has left. */
static const char *edit_line(struct prompt *prompt, int *size)
{
    *size = 0;
    prompt->dropped = false;
    /* libedit shows the prompt before it makes the terminal raw; a Ctrl-D pressed between the two
     * would be lost in the terminal's own line. */
    el_set(prompt->edit, EL_PREP_TERM, 1);
    const char *line = el_gets(prompt->edit, size);
    bool dropped = bin__shell_interrupted() || prompt->dropped;
    interrupt_key_set(prompt->interrupt_key);
    prompt->dropped = dropped;
    if (dropped)
        printf("^C\n");
    return line;
}

/* False: the person has left. */
static bool read_line(struct prompt *prompt)
{
    int size;
    interrupt_key_set(_POSIX_VDISABLE);
    if (bin__shell_interrupted()) {
        printf("\n"); /* behind the ^C that the terminal shows */
        entry_drop(prompt);
    }
    bin__prompt_text(prompt->text, sizeof prompt->text,
                     toydb_transaction_state(prompt->shell->session), prompt->split.begun,
                     prompt->split.state);
    bin__screen_measure(prompt->shell);
    if (bin__split_idle(&prompt->split))
        prompt->completion.fresh = false;
    const char *line = edit_line(prompt, &size);
    if (prompt->dropped) {
        entry_drop(prompt);
        return true;
    }
    if (!line || size <= 0) {
        printf("\n");
        return false;
    }
    /* A copy: running statements may edit lines again some day, and libedit has one buffer. */
    char *copy = mem_strndup(line, (size_t)size);
    run_line(prompt, slice_make(copy, (size_t)size));
    mem_free(copy);
    return true;
}

/* The lines of a COPY, up to "\." or Ctrl-D. */
static bool next_behind(void *context, struct slice *line)
{
    struct prompt *prompt = context;
    int size;
    interrupt_key_set(_POSIX_VDISABLE);
    if (bin__shell_interrupted()) {
        printf("\n");
        return false;
    }
    snprintf(prompt->text, sizeof prompt->text, ">> ");
    const char *text = edit_line(prompt, &size);
    if (prompt->dropped)
        return false;
    *line = slice_make(text, text && size > 0 ? (size_t)size : 0);
    return true;
}

static void welcome(struct bin__shell *shell)
{
    struct toydb_status *status;
    struct toydb_error error;
    if (toydb_status(shell->session, &status, &error) != TOYDB_OK) {
        printf("toysql %s, connected to %s\n", TOYDB_VERSION, shell->peer);
        fprintf(stderr, "NOTICE:  the node does not tell its status: %s\n", error.message);
        return;
    }
    if (shell->embedded)
        printf("toyDB %s, embedded\n", status->version);
    else if (status->leader)
        printf("toyDB %s, connected to node %" PRIu32 " of %" PRIu32 " at %s; leader: node %" PRIu32
               "\n",
               status->version, status->id, status->node_count, shell->peer, status->leader);
    else
        printf("toyDB %s, connected to node %" PRIu32 " of %" PRIu32
               " at %s; the cluster has no leader now\n",
               status->version, status->id, status->node_count, shell->peer);
    printf("Type \\? for help, \\q to quit.\n\n");
    toydb_status_free(status);
}

int bin__shell_interact(struct bin__shell *shell)
{
    struct prompt prompt = {
        .shell = shell, .completion = {.shell = shell}, .interrupt_key = interrupt_key()};
    welcome(shell);
    bin__shell_catch_interrupts();
    bin__split_init(&prompt.split);
    edit_open(&prompt);
    shell->behind = (struct bin__behind){.next = next_behind, .context = &prompt};
    shell->split = &prompt.split;
    while (!shell->quit && !shell->output.failed && read_line(&prompt))
        fflush(stdout);
    shell->behind = (struct bin__behind){0};
    shell->split = NULL;
    history_close(&prompt);
    el_end(prompt.edit);
    bin__completion_free(&prompt.completion);
    bin__split_free(&prompt.split);
    buffer_free(&prompt.entry);
    buffer_free(&prompt.entered);
    return shell->output.failed ? BIN__EXIT_FAILED : BIN__EXIT_OK;
}
