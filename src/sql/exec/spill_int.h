/* Inside the executor: rows put aside in files, when an operator would hold more than it may.
 *
 * A sort writes runs and merges them (sort_spill.c). What hashes shares its rows out by bits of
 * their keys' hashes: equal keys meet in the same part, and a part is worked off as the whole would
 * have been, once it is its turn (spill_split.c). */
#ifndef SQL_EXEC_SPILL_INT_H
#define SQL_EXEC_SPILL_INT_H

#include "sql/exec/exec_int.h"

/* ---- how much (spill.c) ------------------------------------------------------------------------
 */

/* Bytes an operator may hold before it puts rows aside; SIZE_MAX: there is no place for them. */
size_t exec__work_memory(const struct exec *exec);
/* Bytes written or read at once: little when there is little memory. */
size_t exec__spill_block(const struct exec *exec);

/* ---- a file of rows (spill.c) ------------------------------------------------------------------
 */

struct spill;
/* Only when there is a place. *out is to be destroyed also after an error. */
status_t exec__spill_create(struct exec *exec, const enum sql_type *types, uint32_t column_count,
                            struct spill **out, struct error *error);
/* Removes the file. NULL is allowed. */
void exec__spill_destroy(struct spill *spill);
uint32_t exec__spill_columns(const struct spill *spill);
status_t exec__spill_put(struct spill *spill, const struct value *values, struct error *error);
status_t exec__spill_put_row(struct spill *spill, const struct collection *collection, uint32_t row,
                             struct error *error);
/* All that was put is in the file, whose size is then that. */
status_t exec__spill_end(struct spill *spill, uint64_t *size, struct error *error);

/* A row as files have it, into a buffer. 53200 when it is far too long. */
status_t exec__spill_encode(struct buffer *out, const struct value *values, uint32_t count,
                            struct error *error);
/* Writes rows encoded so behind all others; *from: where. Not to be mixed with exec__spill_put. */
status_t exec__spill_append(struct spill *spill, struct slice rows, uint64_t *from,
                            struct error *error);
/* Decodes the row at `at` of `bytes` into row `row` of the targets, one a column, whose text points
 * into `bytes`; *at then is behind it. */
status_t exec__spill_decode(const struct spill *spill, struct slice bytes, size_t *at,
                            struct vector **targets, uint32_t row, struct error *error);
/* The same of as many rows as there are behind `at`, up to `most` (BATCH_ROWS_MAX), into rows 0 and
 * following. */
status_t exec__spill_decode_many(const struct spill *spill, struct slice bytes, size_t *at,
                                 struct vector **targets, uint32_t most, uint32_t *count,
                                 struct error *error);
/* `bytes` becomes what is in the file from `from` to `to`. */
status_t exec__spill_read(const struct spill *spill, uint64_t from, uint64_t to,
                          struct buffer *bytes, struct error *error);

/* Reads a part of a file; several may read at the same time. */
struct spill_reader {
    struct spill *spill;
    struct arena arena;
    struct buffer bytes;
    size_t at; /* in `bytes` */
    uint64_t next;
    uint64_t end;
    size_t block;
    struct batch *row; /* one row, good until the next call; text points into `bytes` */
    struct vector **targets;
};
void exec__spill_reader_init(struct spill_reader *reader, struct spill *spill, uint64_t from,
                             uint64_t to);
void exec__spill_reader_free(struct spill_reader *reader);
status_t exec__spill_next(struct spill_reader *reader, bool *found, struct error *error);

/* ---- sorted runs (sort_spill.c) ----------------------------------------------------------------
 */

struct sort_spill;
/* The keys are in `key_columns` of the rows. *out is to be destroyed also after an error. */
status_t exec__sort_spill_create(struct exec *exec, const struct sort_key *keys,
                                 const uint32_t *key_columns, uint32_t key_count,
                                 const enum sql_type *types, uint32_t column_count,
                                 struct sort_spill **out, struct error *error);
/* NULL is allowed. */
void exec__sort_spill_destroy(struct sort_spill *spill);
/* Writes rows, whose order is sorted, as a run. */
status_t exec__sort_spill_run(struct sort_spill *spill, const struct collection *rows,
                              const uint32_t *order, uint32_t count, struct error *error);
/* The same, a row at a time. */
status_t exec__sort_spill_put(struct sort_spill *spill, const struct value *values,
                              struct error *error);
status_t exec__sort_spill_run_end(struct sort_spill *spill, struct error *error);
/* No more runs: from now on exec__sort_spill_next gives the rows in order, NULL at the end. */
status_t exec__sort_spill_merge(struct sort_spill *spill, struct error *error);
status_t exec__sort_spill_next(struct sort_spill *spill, struct batch **row, struct error *error);
/* Appends the next row to `out`, with text copied to `texts`; *found is false at the end. */
status_t exec__sort_spill_row(struct sort_spill *spill, struct batch *out, struct arena *texts,
                              bool *found, struct error *error);

/* ---- rows shared out by their hashes (spill_split.c) -------------------------------------------
 */

enum {
    SPLIT_PARTS = 16, /* 4 bits of the hash */
    SPLIT_LEVELS = 8, /* a part can be split that often; tables use the hash's lower half */
};

struct split_side;

/* One or two inputs shared out into SPLIT_PARTS parts. */
struct split {
    struct split *above;         /* one of whose parts this one is made of */
    struct split_side *sides[2]; /* NULL: nothing was put there */
    uint32_t level;
    uint32_t part; /* being worked off */
};

/* A new split over *stack, of the current part of the one that was there. */
void exec__split_push(struct split **stack);
/* The same, when an operator that holds so many bytes of the rows it tells apart holds too much,
 * and they can be shared out once more; whether it is so. */
bool exec__split_when_full(struct split **stack, const struct exec *exec, size_t memory);
/* Removes all. */
void exec__split_free(struct split **stack);
/* Puts a row, one vector a column, of those types (which stay) on a side, where its hash says. */
status_t exec__split_put(struct exec *exec, struct split *split, uint32_t side,
                         const enum sql_type *types, uint32_t column_count,
                         const struct vector *const *columns, uint32_t row, uint64_t hash,
                         struct error *error);
/* No more rows on this side. */
status_t exec__split_end(struct split *split, uint32_t side, struct error *error);
/* The next part: of the newest split, the first one that has rows on a side of `sides` (bits). What
 * is worked off is removed. False: there is none. The new part is (*stack)->part. */
bool exec__split_next(struct split **stack, uint32_t sides);
/* Rows that are on a side of a part, and of all parts. */
uint64_t exec__split_rows(const struct split *split, uint32_t side, uint32_t part);
uint64_t exec__split_rows_all(const struct split *split, uint32_t side);

/* Reads the current part's rows of one side, in the order they were put. */
struct split_reader {
    const struct split_side *side;
    uint32_t part;
    uint32_t extent;
    struct arena arena;
    struct buffer bytes;
    size_t at; /* in `bytes` */
    struct batch *rows;
    struct vector **targets;
};

void exec__split_reader_init(struct split_reader *reader, const struct split *split, uint32_t side);
void exec__split_reader_free(struct split_reader *reader);
/* Some rows more, good until the next call; NULL at the end. */
status_t exec__split_read(struct split_reader *reader, struct exec *exec, struct batch **batch,
                          struct error *error);

/* ---- DISTINCT within an aggregate (aggregate_distinct.c) ---------------------------------------
 */

/* Of the rows of an aggregate with DISTINCT: the group and its one or two arguments. */
struct distinct_values {
    struct exec *exec;
    struct key_table seen;
    enum sql_type *types;
    uint32_t column_count;
    bool *is_new;
    uint32_t *numbers;
    bool full; /* nothing more is put into the table */
    bool in_part;
    struct split *splits;
    struct split_reader reader;
};

void exec__distinct_values_init(struct distinct_values *distinct, struct exec *exec,
                                const struct aggregate *aggregate);
/* Ready for other groups. */
void exec__distinct_values_free(struct distinct_values *distinct);
size_t exec__distinct_values_memory(const struct distinct_values *distinct);
/* Leaves of the `count` rows listed those that are new in their groups, whose arguments have not
 * come together before; of some others it is not known yet. */
status_t exec__distinct_values_take(struct distinct_values *distinct,
                                    const struct vector *const *columns, uint32_t *rows,
                                    uint32_t *count, struct error *error);
/* After the input's end: some rows that were put aside, and which of them are new; NULL when there
 * are no more. */
status_t exec__distinct_values_next(struct distinct_values *distinct, struct batch **batch,
                                    uint32_t *rows, uint32_t *count, struct error *error);

#endif
