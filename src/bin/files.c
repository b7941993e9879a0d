/* What the commands share that look at the files of a node. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/mem.h"
#include "bin/bin_int.h"

char *bin__path(const char *dir, const char *name)
{
    ASSERT(dir && name);
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    (void)snprintf(path, size, "%s/%s", dir, name);
    return path;
}

int bin__files_failed(const char *command, const char *dir, const struct error *error)
{
    ASSERT(error->status != OK);
    bin__error_print(command, error);
    if (error->status == ERR_LOCKED)
        fprintf(stderr, "A node runs on \"%s\": stop it, or look at a copy.\n", dir);
    return error->status == ERR_CORRUPT ? BIN__EXIT_FAILED : BIN__EXIT_UNREACHABLE;
}
