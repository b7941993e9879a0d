/* Directories for tests, removed when the process ends, however its tests went; those of processes
 * that were killed are removed by the next process that makes one. */
#ifndef TESTS_UNIT_SERVER_SCRATCH_H
#define TESTS_UNIT_SERVER_SCRATCH_H

#include <stddef.h>

/* A fresh empty directory under TMPDIR or /tmp. */
void scratch_make(char *dir, size_t size);
/* Removes it now, with all that is in it. */
void scratch_remove(const char *dir);

#endif
