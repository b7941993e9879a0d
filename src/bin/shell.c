#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/utf8.h"
#include "bin/shell_int.h"
#include "bin/text_int.h"

/* Of one COPY ... FROM STDIN: a transaction takes no more. */
enum { COPY_BYTES_MAX = 32 << 20 };

/* ---- Ctrl-C --------------------------------------------------------------------------------- */

/* The session whose statement runs, for the signal handler; NULL: none. */
static struct toydb_session *volatile running;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    MAYBE(number == SIGINT);
    interrupted = 1;
    if (running)
        toydb_cancel(running);
}

void bin__shell_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    int result = sigaction(SIGINT, &action, NULL);
    ASSERT(result == 0);
}

bool bin__shell_interrupted(void)
{
    bool was = interrupted;
    interrupted = 0;
    return was;
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void peer_remember(struct bin__shell *shell)
{
    snprintf(shell->peer, sizeof shell->peer, "%s", toydb_peer(shell->session));
}

static int open_embedded(struct bin__shell *shell, const char *dir, enum kv_engine engine)
{
    struct error error;
    struct toydb_error session_error;
    int fd;
    if (embedded_open(dir, engine, &shell->embedded, &error) != OK) {
        fprintf(stderr, "toysql: could not open the database in %s: %s\n", dir, error.message);
        return BIN__EXIT_UNREACHABLE;
    }
    if (embedded_connect(shell->embedded, &fd, &error) == OK) {
        shell->session = toydb_session_open_fd(fd, NULL, &session_error);
        if (shell->session)
            return BIN__EXIT_OK;
        fprintf(stderr, "toysql: %s\n", session_error.message);
    } else {
        fprintf(stderr, "toysql: %s\n", error.message);
    }
    embedded_close(shell->embedded);
    shell->embedded = NULL;
    return BIN__EXIT_UNREACHABLE;
}

int bin__shell_open(struct bin__shell *shell, const char *addresses, const char *embedded_dir,
                    enum kv_engine engine)
{
    struct toydb_error error;
    int code = BIN__EXIT_OK;
    if (embedded_dir) {
        code = open_embedded(shell, embedded_dir, engine);
    } else {
        shell->session = toydb_session_open(addresses, NULL, &error);
        if (!shell->session)
            code = bin__connect_failed("toysql", addresses, &error);
    }
    if (code == BIN__EXIT_OK)
        peer_remember(shell);
    return code;
}

void bin__shell_close(struct bin__shell *shell)
{
    toydb_session_close(shell->session);
    embedded_close(shell->embedded);
    buffer_free(&shell->last);
    shell->session = NULL;
    shell->embedded = NULL;
}

int bin__shell_reconnect(struct bin__shell *shell, const char *addresses)
{
    struct toydb_error error;
    if (shell->embedded)
        return bin__shell_complain(shell, "the database is embedded, there is no other node");
    struct toydb_session *session = toydb_session_open(addresses, NULL, &error);
    if (!session)
        return bin__shell_complain(shell, "%s", error.message);
    toydb_session_close(shell->session);
    shell->session = session;
    peer_remember(shell);
    return BIN__EXIT_OK;
}

/* The client looks for another node by itself; a person should know where they are now. */
static void peer_notice(struct bin__shell *shell)
{
    const char *peer = toydb_peer(shell->session);
    if (strcmp(peer, shell->peer) == 0)
        return;
    if (shell->interactive)
        fprintf(stderr, "NOTICE:  the connection to %s was lost, now connected to %s\n",
                shell->peer, peer);
    peer_remember(shell);
}

/* ---- statements ----------------------------------------------------------------------------- */

void bin__screen_measure(struct bin__shell *shell)
{
    struct winsize size;
    bool known = shell->output.pretty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    shell->output.screen_width = known ? size.ws_col : 0;
}

/* Is there more to say than how many rows were shown? */
static bool tag_tells_more(const char *tag)
{
    static const char *const telling[] = {"INSERT", "UPDATE", "DELETE"};
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
        if (strncmp(tag, telling[i], strlen(telling[i])) == 0)
            return true;
    return false;
}

static void completion_print(struct bin__shell *shell, const struct toydb_event *event,
                             bool has_rows, uint64_t elapsed_us)
{
    struct bin__output *output = &shell->output;
    char took[32];
    bin__duration_text(elapsed_us, took, sizeof took);
    const char *note = shell->timing ? took : NULL;
    bool tag = output->format == BIN__FORMAT_TABLE && *event->tag &&
               (!has_rows || tag_tells_more(event->tag));
    if (has_rows)
        bin__output_end(output, tag ? NULL : note);
    if (tag)
        bin__output_line(output, event->tag, note);
    bin__output_flush(output);
}

static int failure_print(struct bin__shell *shell, const struct toydb_error *error,
                         const struct bin__statement *statement)
{
    struct buffer text = {0};
    if (interrupted)
        buffer_append_byte(&text, '\n'); /* behind the ^C that the terminal shows */
    bin__error_format(&text, error, slice_make(statement->text, statement->size), shell->source,
                      shell->numbered ? statement->line : 0, shell->colour_errors);
    fwrite(text.data, 1, text.size, stderr);
    buffer_free(&text);
    return error->result == TOYDB_UNREACHABLE ? BIN__EXIT_UNREACHABLE : BIN__EXIT_FAILED;
}

/* Has the person left the pager? A request that is given up fails its transaction, so inside of one
 * the rest is taken and not shown. */
static bool is_unwanted(const struct bin__shell *shell)
{
    return shell->pager.left && toydb_transaction_state(shell->session) == TOYDB_TRANSACTION_IDLE;
}

/* Prints what comes of the running request; `lines`: rows are lines of COPY. False when standard
 * output is gone: *result is OK. */
static bool events_print(struct bin__shell *shell, bool lines, uint64_t begun_us,
                         enum toydb_result *result, struct toydb_error *error)
{
    struct toydb_event event;
    bool has_rows = false;
    while (!is_unwanted(shell) &&
           (*result = toydb_next(shell->session, &event, error)) == TOYDB_OK &&
           event.kind != TOYDB_END && !shell->output.failed) {
        switch (event.kind) {
        case TOYDB_HEADER:
            if (!lines)
                bin__output_begin(&shell->output, event.columns, event.column_count);
            has_rows = !lines;
            break;
        case TOYDB_ROW:
            if (lines)
                bin__output_raw(&shell->output, &event.values[0]);
            else
                bin__output_row(&shell->output, event.values);
            break;
        case TOYDB_COMPLETION:
            if (!lines)
                completion_print(shell, &event, has_rows, env_monotonic_us(env_real()) - begun_us);
            has_rows = false;
            break;
        case TOYDB_END:
            UNREACHABLE();
        }
    }
    if (has_rows)
        bin__output_break(&shell->output);
    return bin__output_flush(&shell->output);
}

static int request_run(struct bin__shell *shell, const struct bin__statement *statement, bool lines,
                       const struct toydb_value *data)
{
    struct toydb_error error = {0};
    uint64_t begun_us = env_monotonic_us(env_real());
    running = shell->session;
    bool written = true;
    enum toydb_result result =
        toydb_start(shell->session, statement->text, data, data ? 1 : 0, &error);
    if (result == TOYDB_OK && interrupted) /* since the line was entered: nothing ran then */
        toydb_cancel(shell->session);
    bin__pager_begin(&shell->pager);
    if (result == TOYDB_OK)
        written = events_print(shell, lines, begun_us, &result, &error);
    written = bin__pager_end(&shell->pager) && written;
    running = NULL;
    int code = BIN__EXIT_OK;
    if (!written) {
        fprintf(stderr, "toysql: could not write to standard output\n");
        code = BIN__EXIT_FAILED;
    } else if (result != TOYDB_OK) {
        error.result = result;
        code = failure_print(shell, &error, statement);
    }
    return code;
}

/* A statement is sent as a C string: what stands behind a NUL would silently be no part of it. */
static bool has_nul(const struct bin__statement *statement, struct toydb_error *error)
{
    size_t size = strlen(statement->text);
    ASSERT(size <= statement->size);
    if (size == statement->size)
        return false;
    *error = (struct toydb_error){.result = TOYDB_ERROR,
                                  .sqlstate = "22021",
                                  .message = "invalid byte sequence for encoding \"UTF8\": 0x00",
                                  .position =
                                      (uint32_t)utf8_length(slice_make(statement->text, size)) + 1};
    return true;
}

int bin__shell_statement(struct bin__shell *shell, const struct bin__statement *statement)
{
    struct toydb_error error;
    if (has_nul(statement, &error))
        return failure_print(shell, &error, statement);
    enum bin__copy copy = bin__copy_kind(slice_make(statement->text, statement->size));
    int code = BIN__EXIT_OK;
    bin__shell_remember(shell, statement);
    bin__screen_measure(shell);
    if (copy == BIN__COPY_FROM) {
        struct buffer data;
        buffer_init(&data, COPY_BYTES_MAX);
        code = bin__copy_data(shell, &data);
        struct toydb_value parameter = {.type = TOYDB_TEXT,
                                        .text = {(const char *)data.data, data.size}};
        if (code == BIN__EXIT_OK)
            code = request_run(shell, statement, false, &parameter);
        buffer_free(&data);
    } else {
        code = request_run(shell, statement, copy == BIN__COPY_TO, NULL);
    }
    peer_notice(shell);
    return code;
}

bool bin__shell_ask(struct bin__shell *shell, const char *sql, toydb_event_fn *each, void *context)
{
    running = shell->session;
    enum toydb_result result = toydb_execute(shell->session, sql, NULL, 0, each, context, NULL);
    running = NULL;
    return result == TOYDB_OK;
}

int bin__shell_query(struct bin__shell *shell, const char *sql, const char *parameter,
                     toydb_event_fn *each, void *context)
{
    struct toydb_error error = {0};
    struct toydb_value value = {.type = TOYDB_TEXT};
    if (parameter) {
        value.text.data = parameter;
        value.text.size = strlen(parameter);
    }
    running = shell->session;
    enum toydb_result result =
        toydb_execute(shell->session, sql, &value, parameter ? 1 : 0, each, context, &error);
    running = NULL;
    peer_notice(shell);
    if (result == TOYDB_OK)
        return BIN__EXIT_OK;
    bin__shell_complain(shell, "%s (SQLSTATE %s)", error.message, error.sqlstate);
    if (*error.detail)
        fprintf(stderr, "DETAIL:  %s\n", error.detail);
    if (*error.hint)
        fprintf(stderr, "HINT:  %s\n", error.hint);
    return result == TOYDB_UNREACHABLE ? BIN__EXIT_UNREACHABLE : BIN__EXIT_FAILED;
}

int bin__shell_status(struct bin__shell *shell)
{
    struct toydb_status *status;
    struct toydb_error error;
    bin__screen_measure(shell);
    if (toydb_status(shell->session, &status, &error) != TOYDB_OK)
        return bin__shell_complain(shell, "%s", error.message);
    struct toydb_status *leader = shell->embedded ? NULL : bin__status_leader(status);
    bin__status_table(&shell->output, status, leader);
    toydb_status_free(leader);
    toydb_status_free(status);
    bin__output_flush(&shell->output);
    peer_notice(shell);
    return BIN__EXIT_OK;
}
