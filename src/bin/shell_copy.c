#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "bin/shell_int.h"

/* ---- which statement it is --------------------------------------------------------------------
 */

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The next word of letters outside of quotes, off the front of *text; empty at the end. */
static struct slice next_word(struct slice *text)
{
    size_t at = 0;
    while (at < text->size && !is_letter(text->data[at])) {
        uint8_t quote = text->data[at++];
        while ((quote == '\'' || quote == '"') && at < text->size && text->data[at++] != quote)
            continue;
    }
    size_t end = at;
    while (end < text->size && is_letter(text->data[end]))
        end++;
    struct slice word = slice_make(text->data + at, end - at);
    *text = slice_make(text->data + end, text->size - end);
    return word;
}

static bool word_is(struct slice word, const char *text)
{
    return word.size == strlen(text) && strncasecmp((const char *)word.data, text, word.size) == 0;
}

enum bin__copy bin__copy_kind(struct slice statement)
{
    if (!word_is(next_word(&statement), "copy"))
        return BIN__COPY_NOT;
    struct slice before = {0}, word;
    while ((word = next_word(&statement)).size > 0) {
        if (word_is(before, "from") && word_is(word, "stdin"))
            return BIN__COPY_FROM;
        if (word_is(before, "to") && word_is(word, "stdout"))
            return BIN__COPY_TO;
        before = word;
    }
    return BIN__COPY_NOT;
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
