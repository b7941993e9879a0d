/* What the files of the proof share. */
#ifndef SQL_EXEC_VERIFY_INT_H
#define SQL_EXEC_VERIFY_INT_H

#include "sql/exec/modify_int.h"

enum { VERIFY_BATCH = 256 };

struct verify {
    struct exec exec; /* never opened: what checks of rows are done with */
    struct problems *problems;
    struct exec_verified *out;
    const struct table *table; /* under proof */
    struct table_rows rows;
    uint64_t row_count; /* of the table */
    struct row_rules *rules;
    uint64_t covered[CATALOG_INDEXES_MAX]; /* rows that each of its indexes must have */
    struct buffer key, value, scratch;
};

/* "(a)=(1)" of these columns of a row, in verify->scratch: good until the next call. */
const char *verify__text(struct verify *verify, const struct index *index, const struct value *row);
/* Calls `each` with entries of [low, high), up to VERIFY_BATCH of them at a time. */
typedef status_t verify__entries_fn(struct verify *verify, void *context,
                                    const struct store_entry *entries, uint32_t count,
                                    struct error *error);
status_t verify__scan(struct verify *verify, struct slice low, struct slice high,
                      verify__entries_fn *each, void *context, struct error *error);
/* The same with all entries of an index. */
status_t verify__index_scan(struct verify *verify, const struct index *index,
                            verify__entries_fn *each, void *context, struct error *error);

/* verify_index.c: the row's entry in each secondary index; and, once all rows have had theirs, that
 * the index holds nothing else. `suspect`: some row has not. */
status_t verify__row_entries(struct verify *verify, struct value *row, bool *suspect,
                             struct error *error);
status_t verify__index(struct verify *verify, const struct index *index, bool suspect,
                       struct error *error);

#endif
