#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "bin/shell_int.h"

/* ---- which statement it is --------------------------------------------------------------------
 */

/* Of a text whose first word is COPY. */
static enum bin__copy copy_direction(struct bin__split *split)
{
    struct slice word;
    bool from = false, to = false;
    uint32_t depth = 0; /* of parentheses: a query may read from a table of any name */
    while (bin__split_word(split, &word)) {
        if (depth == 0 && from && bin__word_is(word, "stdin"))
            return BIN__COPY_FROM;
        if (depth == 0 && to && bin__word_is(word, "stdout"))
            return BIN__COPY_TO;
        depth += bin__word_is(word, "(");
        depth -= depth > 0 && bin__word_is(word, ")");
        from = bin__word_is(word, "from");
        to = bin__word_is(word, "to");
    }
    return BIN__COPY_NOT;
}

enum bin__copy bin__copy_kind(struct slice statement)
{
    struct bin__split split;
    struct slice word;
    enum bin__copy kind = BIN__COPY_NOT;
    if (statement.size < 4 || !bin__word_is(slice_make(statement.data, 4), "copy"))
        return BIN__COPY_NOT;
    bin__split_init(&split);
    if (bin__split_feed(&split, statement) == OK && bin__split_word(&split, &word) &&
        bin__word_is(word, "copy"))
        kind = copy_direction(&split);
    bin__split_free(&split);
    return kind;
}

/* ---- its data ---------------------------------------------------------------------------------
 */

/* The line that ends it. */
static bool is_end(struct slice line)
{
    while (line.size > 0 && (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r'))
        line.size--;
    return line.size == 2 && memcmp(line.data, "\\.", 2) == 0;
}

int bin__copy_data(struct bin__shell *shell, struct buffer *data)
{
    struct slice line = {0};
    ASSERT(shell->behind.next);
    for (;;) {
        if (!shell->behind.next(shell->behind.context, &line))
            return BIN__EXIT_FAILED;
        if (line.size == 0 || is_end(line))
            break;
        buffer_append_slice(data, line);
    }
    return data->failed ? bin__shell_complain(shell,
                                              "there are more than %zu bytes of data; "
                                              "copy them in several parts",
                                              data->size_max)
                        : BIN__EXIT_OK;
}

/* ---- \\copy ------------------------------------------------------------------------------------
 */

/* "table (a, b) FROM 'file' WITH (...)" in its parts. */
struct copy {
    struct slice what; /* before FROM or TO */
    bool from;
    struct buffer file;  /* with a NUL */
    struct slice behind; /* the options */
};

static const char copy_usage[] = "\\copy takes what COPY does, with a file of this machine: "
                                 "\\copy table FROM 'file' WITH (FORMAT csv)";

/* A name between quotes, doubled inside, or up to a blank. */
static struct slice file_take(struct slice text, struct buffer *out)
{
    size_t at = 0;
    while (at < text.size && text.data[at] == ' ')
        at++;
    bool quoted = at < text.size && text.data[at] == '\'';
    at += quoted;
    for (; at < text.size; at++) {
        bool quote = quoted && text.data[at] == '\'';
        bool doubled = quote && at + 1 < text.size && text.data[at + 1] == '\'';
        if (doubled)
            at++;
        else if (quote || (!quoted && text.data[at] == ' '))
            break;
        buffer_append_byte(out, text.data[at]);
    }
    at += quoted && at < text.size;
    buffer_append_byte(out, '\0');
    return slice_make(text.data + at, text.size - at);
}

static bool copy_parse(struct bin__split *split, struct copy *out)
{
    struct slice word;
    uint32_t depth = 0;
    *out = (struct copy){0};
    while (bin__split_word(split, &word)) {
        if (depth == 0 && (bin__word_is(word, "from") || bin__word_is(word, "to"))) {
            out->from = bin__word_is(word, "from");
            out->what = slice_make(split->text.data, (size_t)(word.data - split->text.data));
            out->behind = file_take(
                slice_make(split->text.data + split->at, split->text.size - split->at), &out->file);
            return out->what.size > 0 && out->file.size > 1;
        }
        depth += bin__word_is(word, "(");
        depth -= depth > 0 && bin__word_is(word, ")");
    }
    return false;
}

struct copy_reader {
    struct bin__shell *shell;
    struct bin__lines lines;
};

static bool next_of_file(void *context, struct slice *line)
{
    struct copy_reader *reader = context;
    struct error error;
    if (bin__lines_next(&reader->lines, line, &error) == OK)
        return true;
    bin__shell_complain(reader->shell, "%s", error.message);
    return false;
}

static int copy_from(struct bin__shell *shell, const char *path,
                     const struct bin__statement *statement)
{
    struct error error;
    struct copy_reader reader = {.shell = shell};
    if (bin__lines_from_file(&reader.lines, path, &error) != OK)
        return bin__shell_complain(shell, "%s", error.message);
    struct bin__behind around = shell->behind;
    shell->behind = (struct bin__behind){.next = next_of_file, .context = &reader};
    int code = bin__shell_statement(shell, statement);
    shell->behind = around;
    bin__lines_close(&reader.lines);
    return code;
}

struct copy_writer {
    struct env_file *file;
    uint64_t size;
    uint64_t lines;
    struct error error;
};

static bool write_to_file(void *context, const void *data, size_t size)
{
    struct copy_writer *writer = context;
    for (const char *at = data; (at = memchr(at, '\n', size - (size_t)(at - (const char *)data)));
         at++)
        writer->lines++;
    if (env_file_write(writer->file, writer->size, data, size, &writer->error) != OK)
        return false;
    writer->size += size;
    return true;
}

static int copy_to(struct bin__shell *shell, const char *path,
                   const struct bin__statement *statement)
{
    struct copy_writer writer = {0};
    struct bin__output *output = &shell->output;
    status_t status = env_file_open(env_real(), path, ENV_OPEN_CREATE, &writer.file, &writer.error);
    if (status == OK)
        status = env_file_truncate(writer.file, 0, &writer.error);
    if (status != OK) {
        env_file_close(writer.file);
        return bin__shell_complain(shell, "%s", writer.error.message);
    }
    bin__write_fn *write = output->write;
    void *context = output->context;
    output->write = write_to_file;
    output->context = &writer;
    int code = bin__shell_statement(shell, statement);
    output->write = write;
    output->context = context;
    bool failed = output->failed; /* the file, not the terminal */
    output->failed = false;
    env_file_close(writer.file);
    if (failed)
        return bin__shell_complain(shell, "%s", writer.error.message);
    if (code == BIN__EXIT_OK) {
        buffer_printf(&output->buffer, "%llu lines written to %s\n",
                      (unsigned long long)writer.lines, path);
        bin__output_flush(output);
    }
    return code;
}

int bin__shell_copy(struct bin__shell *shell, const char *argument)
{
    struct bin__split split;
    struct copy copy = {0};
    struct buffer sql = {0};
    bin__split_init(&split);
    int code = BIN__EXIT_OK;
    if (bin__split_feed(&split, slice_from_string(argument)) != OK || !copy_parse(&split, &copy)) {
        code = bin__shell_complain(shell, "%s", copy_usage);
    } else {
        const char *path = (const char *)copy.file.data;
        buffer_append_string(&sql, "COPY ");
        buffer_append_slice(&sql, copy.what);
        buffer_append_string(&sql, copy.from ? "FROM STDIN" : "TO STDOUT");
        buffer_append_slice(&sql, copy.behind);
        size_t size = sql.size;
        buffer_append_byte(&sql, '\0');
        struct bin__statement statement = {.text = (const char *)sql.data, .size = size, .line = 1};
        if (strcasecmp(path, "stdin") == 0 || strcasecmp(path, "stdout") == 0)
            code = bin__shell_statement(shell, &statement);
        else
            code =
                copy.from ? copy_from(shell, path, &statement) : copy_to(shell, path, &statement);
    }
    buffer_free(&sql);
    buffer_free(&copy.file);
    bin__split_free(&split);
    return code;
}
