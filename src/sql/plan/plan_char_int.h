/* CHAR(n): texts whose blanks at the end mean nothing and are not kept, but shown. */
#ifndef SQL_PLAN_PLAN_CHAR_INT_H
#define SQL_PLAN_PLAN_CHAR_INT_H

#include "sql/plan/plan_int.h"

/* What an expression was declared as: n with TYPE_LENGTH_CHAR of a CHAR(n), otherwise 0. */
uint32_t plan__char_length(const struct expr *expr);
/* A literal that is compared with a CHAR(n) loses its blanks at the end. */
void plan__char_literals(struct planner *planner, struct expr **left, struct expr **right);
/* Of a block's outputs; NULL: none is a CHAR(n). */
uint32_t *plan__char_outputs(struct planner *planner, const struct query *query);
/* Rows whose texts are filled up to their lengths. */
struct plan *plan__char_padded(struct planner *planner, const uint32_t *lengths,
                               struct plan *below);

#endif
