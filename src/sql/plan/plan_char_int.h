/* CHAR(n): texts whose blanks at the end mean nothing and are not kept, but shown. */
#ifndef SQL_PLAN_PLAN_CHAR_INT_H
#define SQL_PLAN_PLAN_CHAR_INT_H

#include "sql/plan/plan_int.h"

/* What a text was declared as: n of a VARCHAR(n), TYPE_LENGTH_VARCHAR
 * of one without a length, n with TYPE_LENGTH_CHAR of a CHAR(n),
 * TYPE_LENGTH_CHAR alone of one that has come of several lengths; otherwise 0. */
uint32_t plan__text_length(const struct expr *expr);
/* `length_max` of what a column, a cast or a text was declared as, 0 of all else. */
uint32_t plan__declared_length(const struct expr *expr);
/* A text, which is no CHAR, as one that was declared a TEXT, 0, or a VARCHAR, TYPE_LENGTH_VARCHAR.
 */
struct expr *plan__text_declared(struct planner *planner, struct expr *expr, uint32_t length);
/* A CHAR of any length or of none: *expr becomes the text that it is for all but who shows it. */
void plan__char_to_text(struct planner *planner, struct expr **expr);
/* Likewise: becomes the text with its blanks. */
void plan__char_to_shown(struct planner *planner, struct expr **expr);
/* A CHAR of no length, by which rows are told apart: becomes one without blanks. */
void plan__char_to_key(struct planner *planner, struct expr **expr);
/* What is compared: where one is a CHAR, both become texts that are equal when they are. */
void plan__char_compared(struct planner *planner, struct expr **left, struct expr **right);
/* Likewise an item of a list that `operand` is looked for in; it is for the caller to make a text
 * of that one. */
void plan__char_listed(struct planner *planner, struct expr *operand, struct expr **item);
/* Likewise the column of a subquery. */
status_t plan__char_compared_column(struct planner *planner, struct expr **operand,
                                    struct expr **column);
/* What plan__text_length says of the first when it has been compared with the second. */
uint32_t plan__char_compared_length(const struct expr *left, const struct expr *right);
/* Texts that are to be of one type, at every `stride`th place; that of `first`, which may be NULL,
 * decides, or, when it has none, of the first of the others that has. What plan__text_length is to
 * say of them then. */
uint32_t plan__char_unify(struct planner *planner, struct expr **items, uint32_t count,
                          uint32_t stride, const struct expr *first);
/* By what a block groups, and what it has but once. */
void plan__char_keys(struct planner *planner, struct query *query);
/* Of two columns whose rows are put together; with `keys` rows are told apart by them. */
uint32_t plan__char_unify_two(struct planner *planner, struct expr **left, struct expr **right,
                              bool keys);
/* Of a block's outputs; NULL: none is a CHAR(n). */
uint32_t *plan__char_outputs(struct planner *planner, const struct query *query);
/* Rows whose texts are filled up to their lengths. */
struct plan *plan__char_padded(struct planner *planner, const uint32_t *lengths,
                               struct plan *below);

#endif
