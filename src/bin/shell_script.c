/* Statements from text, files and standard input: up to the first that fails. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "bin/shell_int.h"

enum { INCLUDE_DEPTH_MAX = 16 };

/* Some editors begin a file of UTF-8 with U+FEFF. */
static struct slice skip_byte_order_mark(struct slice line)
{
    static const char mark[] = {'\xef', '\xbb', '\xbf'};
    bool marked = slice_has_prefix(line, slice_make(mark, sizeof mark));
    return marked ? slice_make(line.data + sizeof mark, line.size - sizeof mark) : line;
}

static int run_statements(struct bin__shell *shell, struct bin__split *split)
{
    struct bin__statement statement;
    int code = BIN__EXIT_OK;
    while (code == BIN__EXIT_OK && !shell->quit && bin__split_next(split, &statement))
        code = bin__shell_do(shell, &statement);
    return code;
}

static int run_line(struct bin__shell *shell, struct bin__split *split, struct slice line)
{
    if (bin__split_idle(split) && line.size > 0 && line.data[0] == '.')
        return bin__shell_foreign(shell, line); /* no statement begins so */
    if (bin__split_feed(split, line) != OK)
        return bin__shell_complain(shell, "statement at line %u is too long", split->start_line);
    return run_statements(shell, split);
}

/* The data of a COPY stands between the statements; its lines count as the others do. */
struct behind {
    struct bin__shell *shell;
    struct bin__lines *lines;
    uint32_t taken;
};

static bool next_behind(void *context, struct slice *line)
{
    struct behind *behind = context;
    struct error error;
    if (bin__lines_next(behind->lines, line, &error) != OK) {
        bin__shell_complain(behind->shell, "%s", error.message);
        return false;
    }
    behind->taken += line->size > 0;
    return true;
}

static int run_lines(struct bin__shell *shell, struct bin__lines *lines)
{
    struct behind behind = {.shell = shell, .lines = lines};
    struct bin__behind around = shell->behind;
    shell->behind = (struct bin__behind){.next = next_behind, .context = &behind};
    struct bin__split split;
    struct bin__split *split_around = shell->split;
    struct bin__statement statement;
    struct slice line;
    struct error error;
    int code = BIN__EXIT_OK;
    bool first = true;
    bin__split_init(&split);
    shell->split = &split;
    while (code == BIN__EXIT_OK && !shell->quit) {
        if (bin__lines_next(lines, &line, &error) != OK)
            code = bin__shell_complain(shell, "%s", error.message);
        else if (line.size == 0)
            break;
        else
            code = run_line(shell, &split, first ? skip_byte_order_mark(line) : line);
        first = false;
        split.line += behind.taken; /* all before it is scanned */
        behind.taken = 0;
    }
    if (code == BIN__EXIT_OK && !shell->quit && bin__split_rest(&split, &statement))
        code = bin__shell_statement(shell, &statement);
    bin__split_free(&split);
    shell->split = split_around;
    shell->behind = around;
    return code;
}

int bin__shell_text(struct bin__shell *shell, const char *text)
{
    struct bin__lines lines;
    bin__lines_from_text(&lines, slice_from_string(text));
    int code = run_lines(shell, &lines);
    bin__lines_close(&lines);
    return code;
}

int bin__shell_stream(struct bin__shell *shell, FILE *stream)
{
    struct bin__lines lines;
    bin__lines_from_stream(&lines, stream);
    shell->numbered = true;
    int code = run_lines(shell, &lines);
    shell->numbered = false;
    bin__lines_close(&lines);
    return code;
}

int bin__shell_file(struct bin__shell *shell, const char *path)
{
    struct bin__lines lines;
    struct error error;
    if (strcmp(path, "-") == 0)
        return bin__shell_stream(shell, stdin);
    if (shell->depth == INCLUDE_DEPTH_MAX)
        return bin__shell_complain(shell, "%s: files are included too deeply", path);
    if (bin__lines_from_file(&lines, path, &error) != OK)
        return bin__shell_complain(shell, "%s", error.message);
    const char *source = shell->source;
    bool numbered = shell->numbered;
    shell->source = path;
    shell->numbered = true;
    shell->depth++;
    int code = run_lines(shell, &lines);
    ASSERT(shell->depth > 0);
    shell->depth--;
    shell->source = source;
    shell->numbered = numbered;
    bin__lines_close(&lines);
    return code;
}
