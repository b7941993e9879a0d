/* Directories for tests, removed when the process ends, however its tests went; those of processes
 * that were killed are removed by the next process that makes one. */
#ifndef TESTS_UNIT_SERVER_SCRATCH_H
#define TESTS_UNIT_SERVER_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

/* A fresh empty directory under TMPDIR or /tmp. */
void scratch_make(char *dir, size_t size);
/* A free port of 127.0.0.1. *fd keeps it so: nobody else is given it, only a node can listen on it
 * (libuv shares what was bound to be shared). To be closed once it does. */
uint16_t scratch_port(int *fd);
/* Removes it now, with all that is in it. */
void scratch_remove(const char *dir);

#endif
