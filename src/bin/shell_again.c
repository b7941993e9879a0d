/* The last statement once more: \g, \gx, \watch, \p and \e.
 *
 * Behind a statement in the place of its semicolon \g, \gx and \watch say how that is run; alone on
 * a line they mean the statement that ran last. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/process_int.h"
#include "bin/shell_int.h"

void bin__shell_remember(struct bin__shell *shell, const struct bin__statement *statement)
{
    if (statement->text == (const char *)shell->last.data)
        return; /* it is being run again */
    buffer_reset(&shell->last);
    buffer_append(&shell->last, statement->text, statement->size);
    buffer_append_byte(&shell->last, '\0');
    shell->last_line = statement->line;
}

static bool recall(struct bin__shell *shell, struct bin__statement *out)
{
    *out = (struct bin__statement){.text = (const char *)shell->last.data,
                                   .size = shell->last.size ? shell->last.size - 1 : 0,
                                   .line = shell->last_line};
    return out->size > 0;
}

/* ---- \watch -----------------------------------------------------------------------------------
 */

/* Ctrl-C wakes it: poll is not begun again after a signal. */
static bool wait_ms(struct bin__shell *shell, int ms)
{
    poll(NULL, 0, ms);
    return !bin__shell_interrupted() && !shell->output.failed;
}

/* SECONDS [COUNT]; without a count until Ctrl-C or an error. */
static int watch(struct bin__shell *shell, const struct bin__statement *statement,
                 const char *argument)
{
    enum { SECONDS_MAX = 86400 };
    char *end;
    double seconds = *argument ? strtod(argument, &end) : 2;
    unsigned long count = 0;
    if (*argument && *end == ' ')
        count = strtoul(end + 1, &end, 10);
    if (*argument && (*end || !(seconds >= 0 && seconds <= SECONDS_MAX)))
        return bin__shell_complain(shell, "\\watch takes seconds, and how often: \\watch 2 10");
    if (shell->interactive)
        printf("Every %g s; Ctrl-C ends it.\n", seconds);
    int code = BIN__EXIT_OK;
    for (unsigned long i = 1; code == BIN__EXIT_OK; i++) {
        code = bin__shell_statement(shell, statement);
        if (i == count || (code == BIN__EXIT_OK && !wait_ms(shell, (int)(seconds * 1000))))
            break;
    }
    return code;
}

/* ---- \g, \gx ----------------------------------------------------------------------------------
 */

int bin__shell_go(struct bin__shell *shell, const struct bin__statement *given, const char *command,
                  const char *argument)
{
    struct bin__statement statement;
    if (given)
        statement = *given;
    else if (!recall(shell, &statement))
        return bin__shell_complain(shell, "there is no statement yet");
    if (strcmp(command, "watch") == 0)
        return watch(shell, &statement, argument);
    if (*argument)
        return bin__shell_complain(shell, "\\%s takes nothing behind it", command);
    enum bin__expanded expanded = shell->output.expanded;
    if (strcmp(command, "gx") == 0)
        shell->output.expanded = BIN__EXPANDED_ON;
    int code = bin__shell_statement(shell, &statement);
    shell->output.expanded = expanded;
    return code;
}

/* What \p and \e are about: the statement begun, or else the last. */
static struct slice at_hand(struct bin__shell *shell)
{
    struct bin__statement last;
    struct slice open = shell->split ? bin__split_open(shell->split) : slice_make(NULL, 0);
    while (open.size && (open.data[open.size - 1] == ' ' || open.data[open.size - 1] == '\n'))
        open.size--;
    if (open.size == 0 && recall(shell, &last))
        return slice_make(last.text, last.size);
    return open;
}

int bin__shell_print(struct bin__shell *shell, const char *argument)
{
    struct slice text = at_hand(shell);
    if (*argument)
        return bin__shell_complain(shell, "\\p takes nothing behind it");
    buffer_append_slice(&shell->output.buffer, text);
    buffer_append_string(&shell->output.buffer, text.size ? "\n" : "There is no statement yet.\n");
    return bin__output_flush(&shell->output) ? BIN__EXIT_OK : BIN__EXIT_FAILED;
}

int bin__shell_clear(struct bin__shell *shell, const char *argument)
{
    MAYBE(*argument != '\0');
    if (shell->split)
        bin__split_drop(shell->split);
    return BIN__EXIT_OK;
}

/* ---- \e ---------------------------------------------------------------------------------------
 */

static const char *editor(void)
{
    static const char *const names[] = {"TOYSQL_EDITOR", "VISUAL", "EDITOR"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return value;
    }
    return "vi";
}

/* All of the file; false: it cannot be read. */
static bool file_text(const char *path, struct buffer *out)
{
    struct bin__lines lines;
    struct slice line = {0};
    bool read = bin__lines_from_file(&lines, path, NULL) == OK;
    buffer_reset(out);
    while (read && (read = bin__lines_next(&lines, &line, NULL) == OK) && line.size > 0)
        buffer_append_slice(out, line);
    bin__lines_close(&lines);
    return read && !out->failed;
}

/* A file of its own with the statement at hand; false: it could not be written. */
static bool draft_make(struct bin__shell *shell, char *path, size_t size)
{
    static const char name[] = "toysql.XXXXXX.sql";
    const char *dir = getenv("TMPDIR");
    struct slice text = at_hand(shell);
    if (snprintf(path, size, "%s/%s", dir && *dir ? dir : "/tmp", name) >= (int)size)
        return false;
    int fd = mkstemps(path, (int)strlen(".sql"));
    bool written = fd >= 0 && bin__write_all(fd, text.data, text.size) &&
                   (text.size ? bin__write_all(fd, ";\n", 2) : bin__write_all(fd, "\n", 1));
    if (fd >= 0)
        close(fd);
    return written;
}

static int editor_run(struct bin__shell *shell, const char *path)
{
    struct buffer command = {0};
    buffer_printf(&command, "%s '%s'", editor(), path);
    buffer_append_byte(&command, '\0');
    int status = bin__process_run((const char *)command.data);
    buffer_free(&command);
    return status == 0
               ? BIN__EXIT_OK
               : bin__shell_complain(shell,
                                     "the editor \"%s\" ended with status %d; EDITOR names another",
                                     editor(), status);
}

/* Nothing is run that has not been changed: who looks at a DELETE does not mean it again. */
int bin__shell_edit(struct bin__shell *shell, const char *argument)
{
    char draft[512] = "";
    struct buffer before = {0}, after = {0};
    if (!shell->interactive)
        return bin__shell_complain(shell, "\\e is for a terminal");
    if (strchr(argument, '\''))
        return bin__shell_complain(shell, "\\e takes no file with a quote in its name");
    if (!*argument && !draft_make(shell, draft, sizeof draft))
        return bin__shell_complain(shell, "could not write %s", draft);
    const char *path = *argument ? argument : draft;
    bool known = file_text(path, &before);
    int code = editor_run(shell, path);
    if (code == BIN__EXIT_OK && !file_text(path, &after)) {
        code = bin__shell_complain(shell, "could not read %s", path);
    } else if (code == BIN__EXIT_OK && known &&
               slice_equal(buffer_slice(&before), buffer_slice(&after))) {
        printf("Not changed, not run.\n");
    } else if (code == BIN__EXIT_OK) {
        bin__shell_clear(shell, "");
        buffer_append_byte(&after, '\0');
        code = bin__shell_text(shell, (const char *)after.data);
    }
    if (*draft)
        unlink(draft);
    buffer_free(&before);
    buffer_free(&after);
    return code;
}
