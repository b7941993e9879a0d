/* Assertions about our own state. They are always on: a wrong state that goes on is worse than a
 * stopped process, and a stopped process loses nothing (the log is replayed). Never assert on
 * bytes from outside: those get an error. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

_Noreturn void check_failed(const char *file, int line, const char *condition);

#define ASSERT(condition)                                                                          \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#define UNREACHABLE() check_failed(__FILE__, __LINE__, "unreachable")

/* For a condition that may go either way: says so to the reader, costs nothing. */
#define MAYBE(condition) ((void)(condition))

#endif
