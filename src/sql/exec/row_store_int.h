/* Inside the executor: any number of rows in the order they came, read by their numbers.
 *
 * The first rows stay in memory, for as long as the store does. Once they take what the store may
 * hold, all that come after go into a file, in blocks, and only where each block begins is
 * remembered. A reader is a cursor: it has the rows around its place, a chunk of memory or a block
 * of the file, so reading forward or near one place touches the file once a block. */
#ifndef SQL_EXEC_ROW_STORE_INT_H
#define SQL_EXEC_ROW_STORE_INT_H

#include "sql/exec/exec_int.h"

struct spill;

/* A block of the file. */
struct row_block {
    uint64_t first; /* row */
    uint64_t from;  /* byte */
};

struct row_store {
    struct exec *exec;
    struct collection head; /* the first rows */
    size_t memory;          /* what it may take */
    uint64_t row_count;
    struct spill *spill;           /* the others; NULL: there are none */
    struct value *values;          /* of one row */
    const struct vector **sources; /* columns of a batch that is appended */
    struct row_block *blocks;
    uint32_t block_count;
    uint32_t block_capacity;
    uint64_t file_size;
    struct buffer open; /* the last rows, not yet a block */
    uint32_t *open_at;  /* where each begins */
    uint32_t open_count;
    uint32_t block_rows;   /* at most, of a block */
    size_t block_size_max; /* 0: as operators have it */
    size_t block_size;
    size_t charged; /* beside the head */
};

/* `types` and `stable` as of a collection, whose they stay. `memory`: bytes the rows may take
 * before they go into a file, exec__work_memory at most; SIZE_MAX: as much as they need. */
void exec__row_store_init(struct row_store *store, struct exec *exec, const enum sql_type *types,
                          const bool *stable, uint32_t column_count, size_t memory);
/* No rows, and no file; ready for others. Its cursors are to be reset. */
void exec__row_store_clear(struct row_store *store);
/* Appends the `count` rows listed (NULL: the first `count`), one vector a column. */
status_t exec__row_store_append(struct row_store *store, const struct vector *const *columns,
                                const uint32_t *rows, uint32_t count, struct error *error);
status_t exec__row_store_append_batch(struct row_store *store, const struct batch *batch,
                                      struct error *error);
/* Are there rows in a file, whose text is good only as long as a cursor stays? */
static inline bool exec__row_store_filed(const struct row_store *store)
{
    return store->spill != NULL;
}

struct row_cursor {
    struct row_store *store;
    const struct batch *rows; /* around its place; NULL: nowhere yet */
    uint64_t first;           /* the number of the first of them */
    uint64_t count;
    struct batch *own;   /* rows of the file are here, */
    struct buffer bytes; /* and their text */
    struct vector **targets;
    struct arena arena;
    size_t charged;
};

void exec__row_cursor_init(struct row_cursor *cursor, struct row_store *store);
/* Nowhere: the store's rows have become others. */
void exec__row_cursor_reset(struct row_cursor *cursor);
void exec__row_cursor_free(struct row_cursor *cursor);
status_t exec__row_cursor_load(struct row_cursor *cursor, uint64_t row, struct error *error);
/* Goes to a row, which exists. What was read before, text of it too, is good as long as the cursor
 * stays with those rows, or if they are in memory. */
static inline status_t exec__row_cursor_seek(struct row_cursor *cursor, uint64_t row,
                                             struct error *error)
{
    return row - cursor->first < cursor->count ? OK : exec__row_cursor_load(cursor, row, error);
}
/* Of the row it went to: its place in the vectors. */
static inline uint32_t exec__row_cursor_place(const struct row_cursor *cursor, uint64_t row)
{
    ASSERT(row - cursor->first < cursor->count);
    return (uint32_t)(row - cursor->first);
}
static inline const struct vector *exec__row_cursor_vector(const struct row_cursor *cursor,
                                                           uint32_t column)
{
    return &cursor->rows->columns[column];
}
static inline struct value exec__row_cursor_value(const struct row_cursor *cursor, uint32_t column,
                                                  uint64_t row)
{
    return vector_get(exec__row_cursor_vector(cursor, column), exec__row_cursor_place(cursor, row));
}

/* A reader that gives batches, from the first row to the last there is so far. */
struct row_scan {
    struct row_cursor cursor;
    uint64_t row; /* next to give out */
    uint32_t batch_rows;
    struct arena *arena;
    uint32_t *selection;
    struct batch out;
};

/* For an operator of `exec`, in whose arena it lives. */
void exec__row_scan_init(struct row_scan *scan, struct exec *exec, struct row_store *store);
void exec__row_scan_free(struct row_scan *scan);
/* The next rows, good until the next call; NULL when there are no more. */
status_t exec__row_scan_next(struct row_scan *scan, struct batch **batch, struct error *error);

/* ---- distinct rows (row_set.c) ------------------------------------------------------------------
 */

/* Rows that have been seen. Their hashes and numbers stay in memory, 12 to 24 bytes a row, since
 * any of them may be asked for next; the rows themselves need not. */
struct row_set {
    struct row_store rows;
    struct row_cursor cursor;
    struct slots slots;
};

void exec__row_set_init(struct row_set *set, struct exec *exec, const enum sql_type *types,
                        uint32_t column_count, size_t memory);
void exec__row_set_free(struct row_set *set);
/* Puts the selected rows of a batch that are not there; is_new[i]: that was so of the i-th. NULLs
 * are equal. */
status_t exec__row_set_put(struct row_set *set, const struct batch *batch, bool *is_new,
                           struct error *error);
/* found[i]: is the i-th of the rows listed (NULL: of the first `count`) there? */
status_t exec__row_set_find(struct row_set *set, const struct vector *const *columns,
                            const uint32_t *rows, uint32_t count, bool *found, struct error *error);

#endif
