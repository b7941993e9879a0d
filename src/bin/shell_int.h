/* The SQL shell.
 *
 *   shell.c           a statement's life: sent, printed, cancelled
 *   shell_error.c     how errors look
 *   shell_script.c    statements from text, files and standard input
 *   shell_copy.c      COPY: its data out of the lines behind it, its lines as they are
 *   shell_pager.c     what is longer than the screen
 *   shell_prompt.c    statements from a person: line editing, history, prompts
 *   shell_complete.c  Tab (shell_complete_int.h); complete.c: what can be meant (complete_int.h)
 *   shell_command.c   backslash commands
 *   shell_again.c     \g, \gx, \watch, \p, \e: the last statement once more
 *   shell_describe.c  \d NAME
 *   shell_list.c      \d, \dt and their like
 *   shell_help.c      \? and \h
 *
 * Results go to standard output, errors and notices to standard error. */
#ifndef BIN_SHELL_INT_H
#define BIN_SHELL_INT_H

#include "bin/bin_int.h"
#include "bin/lines_int.h"
#include "bin/output_int.h"
#include "bin/process_int.h"
#include "bin/split_int.h"

/* Where the lines behind a statement come from: its data, when it is COPY ... FROM STDIN. */
struct bin__behind {
    /* With its line break, valid until the next call; empty at the end. False: it cannot be had,
     * and has been complained of. */
    bool (*next)(void *context, struct slice *line);
    void *context;
};

/* shell_pager.c. Zero: what is written goes to standard output. */
struct bin__pager {
    const char *command; /* NULL: none */
    bool active;         /* between begin and end */
    bool left;           /* the person has left it: the rest is for nobody */
    uint32_t lines;
    uint32_t screen_lines;
    struct buffer held;
    struct bin__process process;
    void (*sigpipe)(int); /* what was done about it before the process began */
};

struct bin__shell {
    struct toydb_session *session;
    struct embedded *embedded; /* NULL: a server's node */
    char peer[300];            /* last seen, to notice a change of node */
    struct bin__output output;
    struct bin__pager pager;
    bool interactive;
    bool colour_errors;
    bool timing;
    bool quit;          /* \q was said */
    const char *source; /* file the statements come from; NULL: nothing to name */
    bool numbered;      /* errors tell the line in the script */
    uint32_t depth;     /* of \i inside \i */
    struct bin__behind behind;
    struct bin__split *split; /* of the lines being read; NULL: none are */
    struct buffer last;       /* the statement that ran last, with a NUL behind it */
    uint32_t last_line;
};

/* Connects to a node, or with `embedded_dir` opens the database there. Explains a failure on
 * standard error. Returns an enum bin__exit; after anything but OK there is nothing to close. */
int bin__shell_open(struct bin__shell *shell, const char *addresses, const char *embedded_dir,
                    enum kv_engine engine);
void bin__shell_close(struct bin__shell *shell);
/* \c: another session in place of the present one, which stays when none can be had. */
int bin__shell_reconnect(struct bin__shell *shell, const char *addresses);

/* These return an enum bin__exit, having printed everything there is to say. */
int bin__shell_statement(struct bin__shell *shell, const struct bin__statement *statement);
int bin__shell_text(struct bin__shell *shell, const char *text);
int bin__shell_file(struct bin__shell *shell, const char *path); /* "-": standard input */
int bin__shell_stream(struct bin__shell *shell, FILE *stream);
int bin__shell_interact(struct bin__shell *shell);
/* shell_copy.c */
enum bin__copy { BIN__COPY_NOT, BIN__COPY_FROM, BIN__COPY_TO };
enum bin__copy bin__copy_kind(struct slice statement);
/* \copy: COPY with a file of this machine. */
int bin__shell_copy(struct bin__shell *shell, const char *argument);
/* Appends the lines behind the statement up to "\.", or all. Returns an enum bin__exit. */
int bin__copy_data(struct bin__shell *shell, struct buffer *data);

/* A command without its backslash. */
int bin__shell_command(struct bin__shell *shell, const char *command);
/* Their names, the last NULL. */
const char *const *bin__command_names(void);
/* A statement, a command, or a statement with the command that says how to run it. */
int bin__shell_do(struct bin__shell *shell, const struct bin__statement *statement);
/* shell_again.c. "g", "gx" or "watch" of a statement; NULL: of the last. */
int bin__shell_go(struct bin__shell *shell, const struct bin__statement *given, const char *command,
                  const char *argument);
void bin__shell_remember(struct bin__shell *shell, const struct bin__statement *statement);
int bin__shell_print(struct bin__shell *shell, const char *argument); /* \p */
int bin__shell_clear(struct bin__shell *shell, const char *argument); /* \r */
int bin__shell_edit(struct bin__shell *shell, const char *argument);  /* \e */
/* Runs a statement of the shell's own, with $1 unless that is NULL, and complains when it fails. */
int bin__shell_query(struct bin__shell *shell, const char *sql, const char *parameter,
                     toydb_event_fn *each, void *context);
/* The same for what nobody has asked for: nothing is said of a failure, which is false. */
bool bin__shell_ask(struct bin__shell *shell, const char *sql, toydb_event_fn *each, void *context);
/* Of "d", "dt", "di+" and so on; -1: it is none of them. */
int bin__shell_list(struct bin__shell *shell, const char *command, const char *argument);
/* All there is to know of what is named so. */
int bin__shell_describe(struct bin__shell *shell, const char *typed, bool full);
/* A line that begins with a point and a letter: what the shell of SQLite takes. */
int bin__shell_foreign(struct bin__shell *shell, struct slice line);
int bin__shell_status(struct bin__shell *shell);
const char *bin__list_name(size_t i); /* the i-th; NULL behind the last */
void bin__shell_help(struct bin__shell *shell);
/* Of one SQL command, or the list of them with "". */
int bin__shell_help_sql(struct bin__shell *shell, const char *topic);

/* Finds what pages, as the environment says. */
void bin__pager_open(struct bin__pager *pager);
/* Around what one statement or command prints by bin__pager_write, a bin__write_fn. End waits until
 * the person has read it; false: standard output is gone. Both may be called for nothing. */
void bin__pager_begin(struct bin__pager *pager);
bool bin__pager_write(void *context, const void *data, size_t size);
bool bin__pager_end(struct bin__pager *pager);
int bin__shell_pager(struct bin__shell *shell, const char *argument); /* \pager */

/* Names as a person gives them: "Quoted" as it is, others without regard to case, * and ? stand for
 * any letters and one, schema.name; the schema public is left out. */
struct bin__pattern {
    char *schema; /* or NULL */
    char *name;   /* without what is wild */
    char *like;   /* for LIKE */
    bool wild;
};
void bin__pattern_parse(const char *typed, struct bin__pattern *out);
void bin__pattern_free(struct bin__pattern *pattern);

/* The i-th SQL command by name, and its diagram; NULL behind the last. */
const char *bin__help_topic(size_t i, const char **syntax);

/* How wide it is now, into the output. */
void bin__screen_measure(struct bin__shell *shell);
/* Catches Ctrl-C from now on: it cancels the statement that runs. */
void bin__shell_catch_interrupts(void);
/* Was one caught since this was last asked? */
bool bin__shell_interrupted(void);

/* How an error of a statement looks, for standard error. `line`: the statement's first line is this
 * one of `source` (NULL: none to name); 0: lines are counted from the statement's own first. */
void bin__error_format(struct buffer *out, const struct toydb_error *error, struct slice sql,
                       const char *source, uint32_t line, bool colour);
/* Prints "ERROR:  ..." of the shell itself; returns BIN__EXIT_FAILED. */
int bin__shell_complain(struct bin__shell *shell, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What stands behind a prompt's "toydb": the transaction's mark, and what is open. */
void bin__prompt_text(char *out, size_t size, enum toydb_transaction_state transaction, bool begun,
                      enum bin__split_state state);

#endif
