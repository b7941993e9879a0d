/* What is longer than the screen goes through a pager, on a terminal.
 *
 * What a statement or command prints is held back until it is longer than the screen; then the
 * pager is started and gets it as it comes, so that a result of any size is read with its first
 * rows shown at once and the rest waiting in the server. What is shorter is printed at its end. A
 * person who leaves the pager does not want the rest. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/check.h"
#include "bin/shell_int.h"

static bool is_found(const char *program)
{
    const char *at = getenv("PATH");
    char path[1024];
    while (at && *at) {
        size_t size = strcspn(at, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)size, at, program);
        if (access(path, X_OK) == 0)
            return true;
        at += size + (at[size] == ':');
    }
    return false;
}

/* NULL: none is wished, or there. */
static const char *pager_command(void)
{
    static const char *const names[] = {"TOYSQL_PAGER", "PAGER"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value)
            return *value && strcmp(value, "cat") != 0 ? value : NULL;
    }
    return is_found("less") ? "less" : is_found("more") ? "more" : NULL;
}

void bin__pager_open(struct bin__pager *pager)
{
    *pager = (struct bin__pager){.command = pager_command()};
    /* Colours as they are, long lines not folded, the screen left as it was. */
    setenv("LESS", "FRSX", 0);
}

void bin__pager_begin(struct bin__pager *pager)
{
    struct winsize size;
    if (pager->active)
        return;
    pager->left = false;
    if (!pager->command || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2)
        return;
    ASSERT(pager->held.size == 0 && !pager->process.pid);
    pager->active = true;
    pager->lines = 0;
    pager->screen_lines = size.ws_row - 1u; /* and the prompt */
}

static void start(struct bin__pager *pager)
{
    pager->sigpipe = signal(SIGPIPE, SIG_IGN); /* the person may leave it at any time */
    if (!bin__process_open(&pager->process, pager->command)) {
        pager->process.pid = 0;
        pager->active = false;
        signal(SIGPIPE, pager->sigpipe);
        bin__write_stdout(NULL, pager->held.data, pager->held.size);
    } else if (!bin__process_write(&pager->process, pager->held.data, pager->held.size)) {
        pager->left = true;
    }
    buffer_reset(&pager->held);
}

bool bin__pager_write(void *context, const void *data, size_t size)
{
    struct bin__pager *pager = context;
    if (!pager->active)
        return bin__write_stdout(NULL, data, size);
    if (pager->left)
        return true;
    if (pager->process.pid) {
        pager->left = !bin__process_write(&pager->process, data, size);
        return true;
    }
    buffer_append(&pager->held, data, size);
    for (const char *at = data, *end = at + size;
         (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        pager->lines++;
    if (pager->lines > pager->screen_lines)
        start(pager);
    return true;
}

bool bin__pager_end(struct bin__pager *pager)
{
    bool written = true;
    if (pager->process.pid) {
        int status = bin__process_close(&pager->process);
        signal(SIGPIPE, pager->sigpipe); /* which an embedded node has ignored all along */
        if (status == BIN__PROCESS_FAILED) {
            fprintf(stderr, "NOTICE:  the pager \"%s\" could not be run; PAGER names another\n",
                    pager->command);
            pager->command = NULL;
        }
    } else if (pager->active && pager->held.size) {
        written = bin__write_stdout(NULL, pager->held.data, pager->held.size);
    }
    buffer_free(&pager->held);
    pager->active = false;
    return written;
}

int bin__shell_pager(struct bin__shell *shell, const char *argument)
{
    struct bin__pager *pager = &shell->pager;
    if (*argument && strcmp(argument, "on") != 0 && strcmp(argument, "off") != 0)
        return bin__shell_complain(shell, "\\pager takes on or off");
    bool on = *argument ? strcmp(argument, "on") == 0 : pager->command == NULL;
    pager->command = on && shell->interactive ? pager_command() : NULL;
    if (shell->interactive && on && !pager->command)
        return bin__shell_complain(shell, "no pager was found; PAGER names one");
    if (shell->interactive)
        printf("Pager is %s.\n", pager->command ? pager->command : "off");
    return BIN__EXIT_OK;
}
