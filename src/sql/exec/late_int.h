/* Inside the executor: columns read late.
 *
 * What reads the rows of a scan says which columns it needs to choose among them. The others are
 * left out of the scan's batches and are read when the choice is made, of the rows that are left.
 * Between scan and reader there may be filters, each of which needs columns of its own.
 *
 *     Top N: b      needs b to see whether a row can still be among the first, then all the rest
 *     Filter: a = 1 needs a, then b of the rows that pass
 *     Scan          reads a of all rows, and of others what it is told
 *
 * Rows of which most stay would be gone through twice for nothing: where that was so of the last
 * batches, a set of columns is read with those that are always read, until fewer rows stay again.
 */
#ifndef SQL_EXEC_LATE_INT_H
#define SQL_EXEC_LATE_INT_H

#include "sql/exec/exec_int.h"

struct late; /* columns of a scan that are read together */

/* Before the first row: of its columns `op` leaves those out of its batches that are not `early`
 * (one for each column), and the set of them is returned. NULL: none is left out. The other columns
 * of a batch may be filled by late_fill alone, and are to be before anybody looks at them. */
struct late *exec__late_leave(struct operator* op, const bool *early);
/* Reads them for `count` rows (ascending; NULL: the first) of the batch that `op` gave last. `late`
 * may be NULL: there is nothing to do. */
status_t exec__late_fill(struct late *late, const uint32_t *rows, uint32_t count,
                         struct error *error);

/* ---- operators that leave columns out ----------------------------------------------------------
 */

/* What a scan has left out. */
struct scan_late {
    struct row_reader *reader;
    struct row_part early; /* read at once: of the columns so wanted, and of sets that are whole */
    bool *columns;         /* the former */
    bool *read;            /* all that is read at once */
    struct late *sets;     /* newest first */
    struct vector *targets;
    const struct store_entry *entries;
    uint32_t batches; /* since it was last asked what is worth it */
};

/* NULL: it reads all from the index. */
struct scan_late *exec__scan_late(struct operator* scan);
struct scan_late *exec__scan_late_create(struct row_reader *reader);
/* A batch begins. */
void exec__late_begin(struct scan_late *scan);
/* It is read, its rows are in `entries`. */
void exec__late_batch(struct scan_late *scan, const struct batch *batch,
                      const struct store_entry *entries);
/* A further set. NULL when no column is in it. */
struct late *exec__late_add(struct scan_late *scan, const bool *columns);
/* Of a set, the columns that are `early` stay in it and the others become a set of their own, as
 * exec__late_leave; *late is NULL when none stays. */
struct late *exec__late_split(struct late **late, const bool *early);
struct late *exec__filter_leave(struct operator* filter, const bool *early);
struct late *exec__key_filter_leave(struct operator* filter, const bool *early);

#endif
