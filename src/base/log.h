/* Log lines for the operator: one line an event, to one sink. The level and the sink are set once
 * at start, before other threads exist; writing a line is thread-safe as far as the sink is. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

/* `line` is complete but for time and newline, e.g. "INFO raft: became leader term=4". */
typedef void log_sink_fn(void *context, enum log_level level, const char *line);

/* Default: LOG_WARN and above, to standard error. */
void log_configure(enum log_level level, log_sink_fn *sink, void *context);
enum log_level log_level_get(void);
/* Parses "debug", "info", "warn", "error", "off"; returns -1 for anything else. */
int log_level_parse(const char *name);

void log_write(enum log_level level, const char *room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(room, ...)                                                                       \
    (log_level_get() <= LOG_DEBUG ? log_write(LOG_DEBUG, room, __VA_ARGS__) : (void)0)
#define log_info(room, ...)  log_write(LOG_INFO, room, __VA_ARGS__)
#define log_warn(room, ...)  log_write(LOG_WARN, room, __VA_ARGS__)
#define log_error(room, ...) log_write(LOG_ERROR, room, __VA_ARGS__)

#endif
