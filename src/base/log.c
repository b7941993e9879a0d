#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

static void sink_stderr(void *context, enum log_level level, const char *line)
{
    (void)context;
    (void)level;
    fprintf(stderr, "%s\n", line);
}

static enum log_level current_level = LOG_WARN;
static log_sink_fn *current_sink = sink_stderr;
static void *current_context;

void log_configure(enum log_level level, log_sink_fn *sink, void *context)
{
    current_level = level;
    current_sink = sink ? sink : sink_stderr;
    current_context = context;
}

enum log_level log_level_get(void)
{
    return current_level;
}

int log_level_parse(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error", "off"};
    for (int i = 0; i <= LOG_OFF; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

void log_write(enum log_level level, const char *room, const char *format, ...)
{
    if (level < current_level || level >= LOG_OFF)
        return;
    char line[1024];
    int prefix = snprintf(line, sizeof line, "%-5s %s: ", level_names[level], room);
    if (prefix < 0 || (size_t)prefix >= sizeof line)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line + prefix, sizeof line - (size_t)prefix, format, args);
    va_end(args);
    current_sink(current_context, level, line);
}
