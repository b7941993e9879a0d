#include "bin/lines_int.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { READ_BYTES = 64 << 10 };

void bin__lines_from_text(struct bin__lines *lines, struct slice text)
{
    *lines = (struct bin__lines){.ended = true};
    status_t status = buffer_append_slice(&lines->text, text);
    ASSERT(status == OK); /* it came from the command line */
}

void bin__lines_from_stream(struct bin__lines *lines, FILE *stream)
{
    *lines = (struct bin__lines){.stream = stream};
}

status_t bin__lines_from_file(struct bin__lines *lines, const char *path, struct error *error)
{
    *lines = (struct bin__lines){0};
    /* What cannot be read at an offset, as env does, is read as a stream: <(command) of a shell. */
    FILE *stream = fopen(path, "re");
    if (stream && lseek(fileno(stream), 0, SEEK_CUR) < 0) {
        *lines = (struct bin__lines){.stream = stream, .opened = true};
        return OK;
    }
    if (stream)
        fclose(stream);
    return env_file_open(env_real(), path, ENV_OPEN_READ_ONLY, &lines->file, error);
}

/* From a stream, which may be a pipe: what is there is not held up by what is to come. */
static status_t stream_next(struct bin__lines *lines, struct slice *line, struct error *error)
{
    int c = 0;
    buffer_reset(&lines->text);
    errno = 0;
    while (c != '\n' && (c = getc(lines->stream)) != EOF)
        if (buffer_append_byte(&lines->text, (uint8_t)c) != OK)
            return error_set(error, ERR_TOO_LONG, "line is too long");
    if (ferror(lines->stream))
        return error_set(error, ERR_IO, "could not read %s: %s",
                         lines->opened ? "the file" : "standard input", strerror(errno));
    *line = buffer_slice(&lines->text);
    return OK;
}

static status_t file_more(struct bin__lines *lines, struct error *error)
{
    size_t got;
    buffer_consume(&lines->text, lines->at);
    lines->at = 0;
    if (buffer_reserve(&lines->text, READ_BYTES) != OK)
        return error_set(error, ERR_TOO_LONG, "line is too long");
    status_t status = env_file_read(lines->file, lines->offset, lines->text.data + lines->text.size,
                                    READ_BYTES, &got, error);
    if (status != OK)
        return status;
    lines->text.size += got;
    lines->offset += got;
    lines->ended = got < READ_BYTES;
    return OK;
}

status_t bin__lines_next(struct bin__lines *lines, struct slice *line, struct error *error)
{
    if (lines->stream)
        return stream_next(lines, line, error);
    for (;;) {
        ASSERT(lines->at <= lines->text.size);
        const uint8_t *from = lines->text.data + lines->at;
        size_t left = lines->text.size - lines->at;
        const uint8_t *end = left ? memchr(from, '\n', left) : NULL;
        if (end || lines->ended) {
            *line = slice_make(from, end ? (size_t)(end - from) + 1 : left);
            lines->at += line->size;
            return OK;
        }
        status_t status = file_more(lines, error);
        if (status != OK)
            return status;
    }
}

void bin__lines_close(struct bin__lines *lines)
{
    env_file_close(lines->file);
    if (lines->opened && lines->stream)
        fclose(lines->stream);
    buffer_free(&lines->text);
    *lines = (struct bin__lines){.ended = true};
}
