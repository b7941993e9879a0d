/* Text line by line, from where a shell may get it. */
#ifndef BIN_LINES_INT_H
#define BIN_LINES_INT_H

#include <stdio.h>

#include "base/bytes.h"
#include "env/env.h"

struct bin__lines {
    FILE *stream;          /* NULL: not from a stream */
    bool opened;           /* the stream is this one's own */
    struct env_file *file; /* NULL: not from a file */
    uint64_t offset;
    bool ended;
    struct buffer text; /* read and not handed out yet */
    size_t at;
};

void bin__lines_from_text(struct bin__lines *lines, struct slice text);
void bin__lines_from_stream(struct bin__lines *lines, FILE *stream);
/* A file, a pipe by name, or a device. */
status_t bin__lines_from_file(struct bin__lines *lines, const char *path, struct error *error);
/* The next line with its line break, valid until the next call; the last may lack one. An empty
 * slice at the end. */
status_t bin__lines_next(struct bin__lines *lines, struct slice *line, struct error *error);
void bin__lines_close(struct bin__lines *lines);

#endif
