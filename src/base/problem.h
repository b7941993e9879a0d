/* What a check finds wrong: one line of text each, told to whoever asked, and counted. A check goes
 * on after a problem; that it could not be done at all is its status, never a problem. */
#ifndef BASE_PROBLEM_H
#define BASE_PROBLEM_H

#include <stdint.h>

#include "base/bytes.h"

/* `problem` is valid during the call. */
typedef void problem_fn(void *context, const char *problem);

/* The caller's. report may be NULL: then they are only counted. */
struct problems {
    problem_fn *report;
    void *context;
    uint64_t count;
};

/* Lines longer than 1023 bytes are cut. */
void problem_add(struct problems *problems, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text of an error as a problem: message and, in parentheses, detail. `where` goes before. */
void problem_add_error(struct problems *problems, const char *where, const struct error *error);

/* Bytes for a person: printable ASCII as it is, but for backslashes and blanks at the ends,
 * anything else as \x and two digits; more than BYTES_PRINTED_MAX of them are cut, and their number
 * is told. */
enum { BYTES_PRINTED_MAX = 64, BYTES_TEXT_SIZE = 4 * BYTES_PRINTED_MAX + 32 };
/* NUL-terminated; returns `out`. */
const char *bytes_print(struct slice bytes, char out[BYTES_TEXT_SIZE]);

#endif
