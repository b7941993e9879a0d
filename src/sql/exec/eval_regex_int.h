/* Regular expressions: what the files about them share. */
#ifndef SQL_EXEC_EVAL_REGEX_INT_H
#define SQL_EXEC_EVAL_REGEX_INT_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "sql/exec/exec_int.h"

struct regex {
    struct slice pattern;
    uint32_t options;
    pcre2_general_context *general;
    pcre2_match_context *limits;
    pcre2_code *code;
    pcre2_match_data *match;
    /* What the code was compiled of, for exec__regex_walk. */
    struct slice translated;
    uint32_t compiled_options;
    struct arena *arena; /* of all that belongs to it */
    pcre2_code *whether; /* finds out in one walk whether there is a match; or NULL */
    int *workspace;      /* of a walk; or NULL */
    bool walks;          /* a match has taken too many steps: the next ones walk at once */
};

/* What of a match is asked for. */
enum regex_wish { REGEX_WHETHER, REGEX_PLACE, REGEX_GROUPS };

/* The first match from `start` on, going over the text once for all ways at the same time: never
 * more steps than places in the text times places in the pattern, for each start of a match. 1:
 * found, its place is that of group 0 in regex->match (with REGEX_WHETHER some place of it); of
 * several matches that begin there the longest. PCRE2_ERROR_NOMATCH; any other: it cannot be found
 * out so, or not in an acceptable time. */
int exec__regex_walk(struct regex *regex, struct slice text, size_t start, enum regex_wish wish);

#endif
