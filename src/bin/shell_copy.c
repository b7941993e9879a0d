#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "bin/shell_int.h"

/* ---- which statement it is --------------------------------------------------------------------
 */

static bool word_is(struct slice word, const char *text)
{
    return word.size == strlen(text) && strncasecmp((const char *)word.data, text, word.size) == 0;
}

/* Of a text whose first word is COPY. */
static enum bin__copy copy_direction(struct bin__split *split)
{
    struct slice word;
    bool from = false, to = false;
    uint32_t depth = 0; /* of parentheses: a query may read from a table of any name */
    while (bin__split_word(split, &word)) {
        if (depth == 0 && from && word_is(word, "stdin"))
            return BIN__COPY_FROM;
        if (depth == 0 && to && word_is(word, "stdout"))
            return BIN__COPY_TO;
        depth += word_is(word, "(");
        depth -= depth > 0 && word_is(word, ")");
        from = word_is(word, "from");
        to = word_is(word, "to");
    }
    return BIN__COPY_NOT;
}

enum bin__copy bin__copy_kind(struct slice statement)
{
    struct bin__split split;
    struct slice word;
    enum bin__copy kind = BIN__COPY_NOT;
    if (statement.size < 4 || !word_is(slice_make(statement.data, 4), "copy"))
        return BIN__COPY_NOT;
    bin__split_init(&split);
    if (bin__split_feed(&split, statement) == OK && bin__split_word(&split, &word) &&
        word_is(word, "copy"))
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
