/* Inside the executor: INSERT, UPDATE and DELETE, and what they have to hold. */
#ifndef SQL_EXEC_MODIFY_INT_H
#define SQL_EXEC_MODIFY_INT_H

#include "sql/exec/exec_int.h"

/* ---- changes (modify.c, modify_row.c, upsert.c) -------------------------------------------------
 */

/* What became of a row: for the foreign keys. */
enum change { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE };

struct modify {
    struct operator op;
    const struct table *table;
    bool done;
    bool primary_touched; /* UPDATE: may change the primary key */
    bool *index_touched;  /* by place in table->indexes: its entries may change */
    bool *column_touched; /* by place in table->columns */
    struct collection rows;
    uint32_t row_number; /* of the row in old_row and new_row */
    struct arena scratch;
    struct buffer key;
    struct buffer old_key;
    struct buffer value;
    struct buffer old_value;
    struct value *old_row; /* UPDATE, DELETE; by place in table->columns, computed ones too */
    struct value *new_row; /* INSERT, UPDATE */
    struct value *stored;  /* by ordinal */
    bool in_order;         /* which is by place as well, so that new_row is what is stored */
    /* RETURNING: the rows that changed. */
    struct collection returned;
    struct batch *one; /* a row on its way into a collection */
    uint32_t returned_at;
    struct batch *out;
    struct upsert *upsert; /* INSERT with a conflict action, or NULL */
    struct row_rules *rules;
    struct row_shape *shape; /* of stored rows, once one was read alone */
    uint32_t *shape_order;
};

/* new_row into the store. 23505 when one of its keys is taken. */
status_t exec__row_insert(struct modify *modify, struct error *error);
/* old_row out of it. */
status_t exec__row_delete(struct modify *modify, struct error *error);
/* old_row becomes new_row, in two steps: see modify.c. */
status_t exec__row_vacate(struct modify *modify, struct error *error);
status_t exec__row_settle(struct modify *modify, struct error *error);
/* Both steps, of a row by itself that is checked first and kept for RETURNING. */
status_t exec__row_update(struct modify *modify, struct error *error);
/* The foreign keys of one change, when all changes are in place: that its parents are there, and
 * that no child is left without one. With `again` the row may have been changed after that: then
 * its later change is asked, not this one; and RESTRICT has been asked before. */
status_t exec__row_references(struct modify *modify, enum change change, bool again,
                              struct error *error);
/* UPDATE, DELETE of one row that a key leads to (modify_one.c). */
status_t exec__modify_one(struct modify *modify, struct error *error);
/* Has the change touched one of these columns? */
bool exec__key_touched(const struct modify *modify, enum change change, const uint32_t *columns,
                       uint32_t count);
/* What the statement itself has changed, one row after the other, into old_row and new_row. */
uint32_t exec__own_change_count(const struct modify *modify);
status_t exec__own_change_load(struct modify *modify, uint32_t number, enum change *change,
                               struct error *error);
/* Room for rows, and the table's rules; all columns count as touched. */
status_t exec__modify_rows_init(struct modify *modify, const struct plan_rules *rules,
                                struct error *error);
void exec__modify_rows_free(struct modify *modify);
/* Does the row as it is stored equal new_row? */
status_t exec__row_is_current(struct modify *modify, bool *current, struct error *error);
/* Keeps a row for RETURNING when there is one. */
status_t exec__row_return(struct modify *modify, const struct value *row, struct error *error);
/* Appends a row of the table's columns to a collection of them. */
status_t exec__row_collect(struct modify *modify, struct collection *into,
                           const struct value *const *rows, uint32_t row_count,
                           struct error *error);

/* INSERT ... ON CONFLICT: opened when the plan asks for it. */
status_t exec__upsert_open(struct modify *modify, struct error *error);
void exec__upsert_close(struct modify *modify);
/* new_row, or what is done instead. */
status_t exec__upsert_row(struct modify *modify, struct error *error);
/* All that was done, as exec__own_change_count and exec__own_change_load. */
uint32_t exec__upsert_change_count(const struct modify *modify);
void exec__upsert_change_load(struct modify *modify, uint32_t number, enum change *change);

/* ---- actions of foreign keys (cascade.c) --------------------------------------------------------
 */

/* Does a foreign key do more than refuse when this table's rows change? */
bool exec__cascades(const struct table *table);
/* Does it, and checks all foreign keys afterwards. */
status_t exec__cascade_run(struct modify *modify, struct error *error);

/* ---- rules (rules.c) ----------------------------------------------------------------------------
 */

/* One row as a batch, in which only the columns are filled that expressions name. */
struct row_batch {
    struct batch *batch;
    uint32_t *columns; /* places */
    uint32_t column_count;
};

void exec__row_batch_init(struct row_batch *row, const struct table *table, const bool *named,
                          struct arena *arena);
void exec__row_batch_load(struct row_batch *row, const struct value *values);

/* A table's rules, ready to be asked of one row after the other. */
struct row_rules {
    const struct plan_rules *plan;
    const struct table *table;
    struct eval **checks;
    struct eval **predicates; /* by place in table->indexes, NULL where there is none; or NULL */
    struct eval **computed;   /* what indexes are over, by place behind the columns */
    struct row_batch row;
    struct arena scratch;
    struct arena kept[2]; /* texts computed, in turn */
    uint32_t turn;
};

/* `plan` NULL: planned now. */
status_t exec__rules_open(struct exec *exec, const struct table *table,
                          const struct plan_rules *plan, struct row_rules **out,
                          struct error *error);
/* NULL is allowed. */
void exec__rules_close(struct row_rules *rules);
/* Has an index, by its place, an entry for the row? Then what it is over is put behind the row's
 * columns, where there is room for it, and is good until the call after the next. */
status_t exec__rules_covers(struct row_rules *rules, uint32_t index, struct value *row,
                            bool *covers, struct error *error);
/* 23514 when a CHECK is false. */
status_t exec__rules_check(struct row_rules *rules, const struct value *row, struct error *error);

/* ---- constraints (constraint.c) -----------------------------------------------------------------
 */

status_t exec__check_row(const struct exec *exec, const struct table *table, struct value *row,
                         struct arena *arena, struct error *error);
/* "Failing row contains (1, x)." */
void exec__error_row(const struct table *table, const struct value *row, struct error *error);
status_t exec__error_duplicate(const struct table *table, const struct index *index,
                               const struct value *row, struct error *error);
/* "(a, b)=(1, x)" of some columns of a row. */
void exec__format_key(const struct table *table, const uint32_t *columns, uint32_t count,
                      const struct value *row, struct buffer *out);
/* Is the parent of this row there? */
status_t exec__check_parent(struct exec *exec, const struct foreign_key *key,
                            const struct table *child, const struct value *row,
                            struct buffer *scratch, struct error *error);
/* The keys in the child's index of those that refer to this row; none when a column is NULL. */
status_t exec__children_range(const struct foreign_key *key, const struct table *child,
                              const struct value *row, struct buffer *low, struct buffer *high,
                              bool *any, struct error *error);
/* Is no child left that refers to this row, which is gone or has another key now? */
status_t exec__check_children(struct exec *exec, const struct foreign_key *key,
                              const struct table *parent, const struct value *row, bool is_update,
                              struct buffer *scratch, struct error *error);

#endif
