/* Other programs, run by sh as a person has named them. */
#ifndef BIN_PROCESS_INT_H
#define BIN_PROCESS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { BIN__PROCESS_FAILED = 127 }; /* as sh says it: could not be run, or was ended by a signal */

/* Runs it on the terminal and waits; its exit code, or BIN__PROCESS_FAILED. */
int bin__process_run(const char *command);

/* All of it to a file or pipe; false: no more can be written. */
bool bin__write_all(int fd, const void *data, size_t size);

/* One that reads what is written to it. */
struct bin__process {
    pid_t pid; /* 0: none runs */
    int fd;
};
bool bin__process_open(struct bin__process *process, const char *command);
/* False: it reads no more. SIGPIPE must be ignored. */
bool bin__process_write(struct bin__process *process, const void *data, size_t size);
/* Ends its input and waits for it; its exit code, or BIN__PROCESS_FAILED. */
int bin__process_close(struct bin__process *process);

#endif
