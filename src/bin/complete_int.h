/* What Tab can make of the word before the cursor. Knows SQL as far as the diagrams of \h do, and
 * the names it has been told. */
#ifndef BIN_COMPLETE_INT_H
#define BIN_COMPLETE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

enum bin__name_kind {
    BIN__NAME_RELATION, /* tables, views, sequences */
    BIN__NAME_INDEX,
    BIN__NAME_COLUMN,
    BIN__NAME_FUNCTION,
    BIN__NAME_SETTING,
};

/* As they are written in a statement. */
struct bin__names {
    struct arena arena;
    struct bin__name {
        enum bin__name_kind kind;
        const char *text;
        const char *of; /* of a column its relation; else "" */
    } * items;
    uint32_t count;
    uint32_t capacity;
};

void bin__names_add(struct bin__names *names, enum bin__name_kind kind, const char *text,
                    const char *of);
/* Forgets them all. */
void bin__names_free(struct bin__names *names);

struct bin__matches {
    struct arena arena;
    size_t typed; /* bytes before the cursor that each of them begins with, but for the case */
    const char **items; /* sorted, without doubles */
    uint32_t count;
    uint32_t capacity;
    char after; /* what follows when there is only one */
};

/* `text`: of the statement up to the cursor. No matches in a string or comment, and for no word. */
void bin__complete_statement(const struct bin__names *names, struct slice text,
                             struct bin__matches *out);
/* `line`: a command with its backslash, up to the cursor. `commands`: the names there are, the last
 * NULL. */
void bin__complete_command(const struct bin__names *names, const char *const *commands,
                           struct slice line, struct bin__matches *out);
/* Bytes that all of them begin with, as the first has them. */
size_t bin__matches_common(const struct bin__matches *matches);
void bin__matches_free(struct bin__matches *matches);

#endif
