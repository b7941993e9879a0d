/* Scripts read into records. */
#include <string.h>

#include "base/check.h"
#include "slt.h"

static const char ENGINE[] = "toydb";

static struct slice take_line(struct slt_file *file)
{
    const uint8_t *end = file->text.size ? memchr(file->text.data, '\n', file->text.size) : NULL;
    size_t size = end ? (size_t)(end - file->text.data) : file->text.size;
    struct slice line = slice_make(file->text.data, size);
    size += end != NULL;
    file->text = slice_make(file->text.data + size, file->text.size - size);
    file->line++;
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    return line;
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t')
            return false;
    }
    return true;
}

/* The next word of a line, empty at its end or at a comment. */
static struct slice take_word(struct slice *line)
{
    size_t start = 0;
    while (start < line->size && (line->data[start] == ' ' || line->data[start] == '\t'))
        start++;
    size_t end = start;
    while (end < line->size && line->data[end] != ' ' && line->data[end] != '\t')
        end++;
    struct slice word = slice_make(line->data + start, end - start);
    *line = slice_make(line->data + end, line->size - end);
    return word.size > 0 && word.data[0] == '#' ? slice_make(word.data, 0) : word;
}

static bool is_word(struct slice word, const char *text)
{
    return slice_equal(word, slice_from_string(text));
}

/* The lines up to "----" or a blank one as one text; *results tells which it was. */
static struct slice take_sql(struct slt_file *file, bool *results)
{
    struct slice first = file->text;
    const uint8_t *end = first.data;
    *results = false;
    while (file->text.size > 0) {
        struct slice line = take_line(file);
        if (is_blank(line))
            break;
        if (is_word(line, "----")) {
            *results = true;
            break;
        }
        end = line.data + line.size;
    }
    return slice_make(first.data, (size_t)(end - first.data));
}

static void take_expected(struct slt_file *file, struct slt_record *record)
{
    uint32_t capacity = 0;
    while (file->text.size > 0) {
        struct slice line = take_line(file);
        if (is_blank(line))
            break;
        record->expected = arena_grow(file->arena, record->expected, &capacity,
                                      record->expected_count + 1, sizeof *record->expected);
        record->expected[record->expected_count++] = line;
    }
}

static void take_record(struct slt_file *file, struct slice line, struct slt_record *record)
{
    bool results;
    *record = (struct slt_record){.line = file->line};
    struct slice kind = take_word(&line);
    if (is_word(kind, "statement")) {
        record->kind = SLT_STATEMENT;
        record->fails = is_word(take_word(&line), "error");
        record->sql = take_sql(file, &results);
        return;
    }
    ASSERT(is_word(kind, "query"));
    record->kind = SLT_QUERY;
    record->types = take_word(&line);
    struct slice sort = take_word(&line);
    record->sort = is_word(sort, "rowsort")     ? SLT_ROWSORT
                   : is_word(sort, "valuesort") ? SLT_VALUESORT
                                                : SLT_NOSORT;
    record->label = take_word(&line);
    record->sql = take_sql(file, &results);
    if (results)
        take_expected(file, record);
}

bool slt_file_next(struct slt_file *file, struct slt_record *record)
{
    bool ours = true;
    while (file->text.size > 0) {
        struct slice line = take_line(file);
        struct slice rest = line;
        struct slice word = take_word(&rest);
        if (is_word(word, "skipif")) {
            ours &= !is_word(take_word(&rest), ENGINE);
        } else if (is_word(word, "onlyif")) {
            ours &= is_word(take_word(&rest), ENGINE);
        } else if (is_word(word, "halt")) {
            if (ours)
                return false;
            ours = true;
        } else if (is_word(word, "statement") || is_word(word, "query")) {
            take_record(file, line, record);
            if (ours)
                return true;
            ours = true;
        } else if (is_word(word, "hash-threshold")) {
            ours = true; /* what was to be hashed shows in what is expected */
        }
    }
    return false;
}
