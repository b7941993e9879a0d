/* Golden scripts: a story a person can read and a machine can replay.
 *
 *     # a comment, kept
 *     command argument key=value
 *     optional input lines
 *     ----
 *     recorded output
 *     (until a blank line or the end of the file)
 *
 * Output that itself contains blank lines is written between two pairs of "----" lines:
 *     ----
 *     ----
 *     output
 *
 *     more
 *     ----
 *     ----
 * Run with TOYDB_GOLDEN=record in the environment, a script is rewritten with the outputs of this
 * run; read the diff before committing it. */
#ifndef SUPPORT_GOLDEN_H
#define SUPPORT_GOLDEN_H

#include "base/bytes.h"

struct golden_case {
    const char *file;
    int line;            /* of the command, 1-based */
    const char *command; /* first word of the first line */
    const char *args;    /* rest of the first line, "" when none */
    const char *input;   /* the lines up to ----, joined with \n, "" when none */
};

/* Appends the output of one case. */
typedef void golden_fn(void *context, const struct golden_case *c, struct buffer *out);

/* Runs all cases of one script. Returns the number of mismatches, each printed to stderr as
 * file:line with both texts; -1 when the file cannot be read or has no case. */
int golden_run(const char *path, golden_fn *run, void *context);

/* The value of `key=` in args as a number or text; returns the fallback when missing. */
long golden_arg_long(const struct golden_case *c, const char *key, long fallback);
bool golden_arg_text(const struct golden_case *c, const char *key, char *out, size_t size);

#endif
