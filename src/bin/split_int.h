/* Cuts SQL text into statements at their semicolons, without understanding them: it knows only
 * what can hide a semicolon (strings, quoted names, dollar quotes, comments). A backslash outside
 * of these begins a command of the shell, which ends with its line. Text comes in lines, so that a
 * shell can prompt in between and a script of any size is never held whole. */
#ifndef BIN_SPLIT_INT_H
#define BIN_SPLIT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* What the text read so far ends in. */
enum bin__split_state {
    BIN__SPLIT_TEXT,
    BIN__SPLIT_LINE_COMMENT,
    BIN__SPLIT_BLOCK_COMMENT,
    BIN__SPLIT_STRING,
    BIN__SPLIT_ESCAPE_STRING, /* E'...', where a backslash hides a quote */
    BIN__SPLIT_NAME,
    BIN__SPLIT_DOLLAR,
};

enum { BIN__SPLIT_TAG_MAX = 64 };

struct bin__split {
    struct buffer text; /* fed and not taken yet */
    size_t at;          /* scanned up to here */
    uint32_t line;      /* of `at`, from 1 */
    bool begun;         /* a statement has begun: */
    size_t start;       /* its first byte */
    uint32_t start_line;
    enum bin__split_state state;
    uint32_t depth; /* of block comments, which nest */
    char tag[BIN__SPLIT_TAG_MAX];
    size_t tag_size;       /* of the dollar quote, with both dollars */
    bool escape_continues; /* an E'' string ended; one on the next line goes on in the same way */
    struct buffer command; /* the last one met, with a NUL behind it */
};

struct bin__statement {
    const char *text; /* without its semicolon; valid until the next call on the splitter */
    size_t size;
    uint32_t line; /* of its first byte, from 1 */
    /* A command of the shell, from behind its backslash to the end of its line; NULL: none. With a
     * statement it is what ended that, and says how to run it; alone, text is NULL. */
    const char *command;
};

void bin__split_init(struct bin__split *split);
void bin__split_free(struct bin__split *split);
/* Drops what is there and begins anew at line 1. */
void bin__split_reset(struct bin__split *split);
/* Drops the statement that is open, if one is; what stands behind it stays. */
void bin__split_drop(struct bin__split *split);
/* Adds text, which must end where a line ends or the input does. ERR_TOO_LONG: a statement is
 * longer than any that could be sent. */
status_t bin__split_feed(struct bin__split *split, struct slice text);
/* The next whole statement, or command; false when there is none. Empty statements are left out.
 * \g and its like end a statement, other commands leave it open. */
bool bin__split_next(struct bin__split *split, struct bin__statement *out);
/* At the end of the input, after bin__split_next: the statement that has no semicolon. */
bool bin__split_rest(struct bin__split *split, struct bin__statement *out);
/* In place of the two before it: the next word, or other character, outside of quotes and comments;
 * false at the end. Valid as the text is. */
bool bin__split_word(struct bin__split *split, struct slice *out);
/* Is it that word of SQL, in letters of either case? */
bool bin__word_is(struct slice word, const char *text);
/* What is open of a statement. */
struct slice bin__split_open(const struct bin__split *split);
/* Nothing is open: no statement has begun and no comment is. A line may be a command of the shell.
 */
bool bin__split_idle(const struct bin__split *split);

#endif
