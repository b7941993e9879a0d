/* Inside the executor: sets of whole numbers or texts that are made once and asked often, for IN
 * (member_set.c). */
#ifndef SQL_EXEC_MEMBER_SET_INT_H
#define SQL_EXEC_MEMBER_SET_INT_H

#include "sql/exec/exec_int.h"

enum {
    MEMBERS_MAX = 1 << 14,
    MEMBER_TEXTS_MAX = 1 << 20, /* bytes of a set's texts: beyond it is not worth it */
    MEMBER_SIZE = 160,          /* bytes of a member in a set, at most */
};

struct member_set;

/* Can values of this type be in such a set? */
bool exec__member_type(enum sql_type type);
/* Of the first `count` entries of a vector (up to MEMBERS_MAX), none of them NULL, equal ones
 * allowed. All of it is in the arena, but for the texts, which must stay. */
struct member_set *exec__member_set_make(struct arena *arena, const struct vector *members,
                                         uint32_t count);
/* found[row]: is the entry a member? For the selected rows of a batch of which `values` is a
 * column. What is under a NULL is looked for too. */
void exec__member_set_find(const struct member_set *set, const struct vector *values,
                           const struct batch *in, bool *found);

#endif
