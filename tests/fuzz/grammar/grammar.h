/* Statements out of bytes: each byte chooses among what may stand at its place, so that any bytes
 * are a statement, most of them one that can be planned, and a byte changed is a piece of the
 * statement changed. Behind the last byte all choices fall on the shortest. */
#ifndef FUZZ_GRAMMAR_H
#define FUZZ_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* What the statements are about: tables of all types with keys and indexes of all kinds, rows,
 * views. */
extern const char *const grammar_schema[];
extern const size_t grammar_schema_count;

struct grammar_traits {
    bool loose;  /* which rows it gives is its plan's affair (LIMIT, lag, ...): only how many is not
                  */
    bool writes; /* INSERT, UPDATE or DELETE */
};

/* Appends one statement, of some kilobytes at most. */
void grammar_statement(struct slice choices, struct buffer *out, struct grammar_traits *traits);
/* Appends an expression or a query without knowing what it is about. */
void grammar_fragment(struct slice choices, struct buffer *out);

#endif
