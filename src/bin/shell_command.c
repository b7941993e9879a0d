/* Backslash commands. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/shell_int.h"

/* `argument` is never NULL; empty when there is none. */
typedef int command_fn(struct bin__shell *shell, const char *argument);

static int command_help(struct bin__shell *shell, const char *argument)
{
    MAYBE(*argument != '\0');
    bin__pager_begin(&shell->pager);
    bin__shell_help(shell);
    return bin__pager_end(&shell->pager) ? BIN__EXIT_OK : BIN__EXIT_FAILED;
}

static int command_status(struct bin__shell *shell, const char *argument)
{
    MAYBE(*argument != '\0');
    return bin__shell_status(shell);
}

static int command_timing(struct bin__shell *shell, const char *argument)
{
    if (*argument && strcmp(argument, "on") != 0 && strcmp(argument, "off") != 0)
        return bin__shell_complain(shell, "\\timing takes on or off");
    shell->timing = *argument ? strcmp(argument, "on") == 0 : !shell->timing;
    if (shell->interactive)
        printf("Timing is %s.\n", shell->timing ? "on" : "off");
    return BIN__EXIT_OK;
}

static int command_expanded(struct bin__shell *shell, const char *argument)
{
    static const char *const names[] = {"off", "on", "auto"};
    enum bin__expanded *expanded = &shell->output.expanded;
    int found = *argument ? -1 : *expanded == BIN__EXPANDED_ON ? 0 : 1;
    for (int i = 0; i < 3; i++)
        if (strcmp(argument, names[i]) == 0)
            found = i;
    if (found < 0)
        return bin__shell_complain(shell, "\\x takes on, off or auto");
    *expanded = (enum bin__expanded)found;
    if (shell->interactive)
        printf("Expanded display is %s.\n", names[found]);
    return BIN__EXIT_OK;
}

static int command_format(struct bin__shell *shell, const char *argument)
{
    int format = bin__format_parse(argument);
    if (*argument && format < 0)
        return bin__shell_complain(shell, "\\format takes table, csv, tsv, json or line");
    if (*argument)
        shell->output.format = (enum bin__format)format;
    if (shell->interactive)
        printf("Output format is %s.\n", bin__format_name(shell->output.format));
    return BIN__EXIT_OK;
}

static int command_include(struct bin__shell *shell, const char *argument)
{
    if (!*argument)
        return bin__shell_complain(shell, "\\i takes the name of a file");
    return bin__shell_file(shell, argument);
}

static int command_connect(struct bin__shell *shell, const char *argument)
{
    if (!*argument)
        return bin__shell_complain(shell, "\\c takes one or more addresses: host:port,...");
    int code = bin__shell_reconnect(shell, argument);
    if (code == BIN__EXIT_OK && shell->interactive)
        printf("Connected to %s.\n", shell->peer);
    return code;
}

static int command_conninfo(struct bin__shell *shell, const char *argument)
{
    MAYBE(*argument != '\0');
    buffer_printf(&shell->output.buffer,
                  shell->embedded ? "The database is open in this process.\n"
                                  : "Connected to %s. \\status tells of the cluster.\n",
                  shell->peer);
    return bin__output_flush(&shell->output) ? BIN__EXIT_OK : BIN__EXIT_FAILED;
}

static int command_echo(struct bin__shell *shell, const char *argument)
{
    buffer_printf(&shell->output.buffer, "%s\n", argument);
    return bin__output_flush(&shell->output) ? BIN__EXIT_OK : BIN__EXIT_FAILED;
}

static int command_go(struct bin__shell *shell, const char *argument)
{
    return bin__shell_go(shell, NULL, "g", argument);
}

static int command_go_expanded(struct bin__shell *shell, const char *argument)
{
    return bin__shell_go(shell, NULL, "gx", argument);
}

static int command_watch(struct bin__shell *shell, const char *argument)
{
    return bin__shell_go(shell, NULL, "watch", argument);
}

static int command_quit(struct bin__shell *shell, const char *argument)
{
    MAYBE(*argument != '\0');
    shell->quit = true;
    return BIN__EXIT_OK;
}

static const struct {
    const char *name;
    command_fn *run;
} commands[] = {
    {"?", command_help},
    {"h", bin__shell_help_sql},
    {"help", bin__shell_help_sql},
    {"status", command_status},
    {"conninfo", command_conninfo},
    {"c", command_connect},
    {"connect", command_connect},
    {"x", command_expanded},
    {"format", command_format},
    {"timing", command_timing},
    {"pager", bin__shell_pager},
    {"i", command_include},
    {"include", command_include},
    {"g", command_go},
    {"gx", command_go_expanded},
    {"watch", command_watch},
    {"p", bin__shell_print},
    {"print", bin__shell_print},
    {"r", bin__shell_clear},
    {"reset", bin__shell_clear},
    {"e", bin__shell_edit},
    {"edit", bin__shell_edit},
    {"copy", bin__shell_copy},
    {"echo", command_echo},
    {"q", command_quit},
    {"quit", command_quit},
};

const char *const *bin__command_names(void)
{
    enum { COMMANDS = sizeof commands / sizeof *commands, LISTS_MAX = 32 };
    static const char *names[COMMANDS + LISTS_MAX + 1];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    for (size_t i = 0; i < LISTS_MAX; i++)
        names[COMMANDS + i] = bin__list_name(i);
    ASSERT(!bin__list_name(LISTS_MAX));
    return names;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* Cuts "name argument ;" in place; a semicolon behind a command is a habit, not a part of it. */
static const char *argument_cut(char *text)
{
    size_t end = strlen(text);
    while (end && strchr(" \t\r\n;", text[end - 1]))
        end--;
    text[end] = '\0';
    size_t size = strcspn(text, " \t\r\n");
    char *argument = (char *)(uintptr_t)skip_blanks(text + size);
    text[size] = '\0';
    return argument;
}

int bin__shell_command(struct bin__shell *shell, const char *command)
{
    char *text = mem_strdup(skip_blanks(command));
    const char *argument = argument_cut(text);
    int code = -1;
    for (size_t i = 0; i < sizeof commands / sizeof *commands && code < 0; i++)
        if (strcmp(text, commands[i].name) == 0)
            code = commands[i].run(shell, argument);
    if (code < 0) {
        bin__pager_begin(&shell->pager);
        code = bin__shell_list(shell, text, argument);
        if (!bin__pager_end(&shell->pager))
            code = BIN__EXIT_FAILED;
    }
    if (code < 0)
        code = bin__shell_complain(shell, "unknown command \\%s, try \\? for help", text);
    mem_free(text);
    return code;
}

int bin__shell_do(struct bin__shell *shell, const struct bin__statement *statement)
{
    if (!statement->command)
        return bin__shell_statement(shell, statement);
    if (!statement->text)
        return bin__shell_command(shell, statement->command);
    char *text = mem_strdup(statement->command);
    const char *argument = argument_cut(text);
    int code = bin__shell_go(shell, statement, text, argument);
    mem_free(text);
    return code;
}
