/* What a sort of all rows (sort.c) and one of the first of them (top_n.c) share: collecting rows
 * with their keys, putting them in order, putting them aside, giving them out. */
#ifndef SQL_EXEC_SORT_INT_H
#define SQL_EXEC_SORT_INT_H

#include "sql/exec/spill_int.h"

/* A row's first key: most comparisons do not look any further. */
struct sort_entry {
    uint64_t first;     /* equal ones of text need a second look */
    uint32_t null_rank; /* 0: NULLs first, 1: a value, 2: NULLs last */
};

struct sort {
    struct operator op;
    const struct sort_key *keys;
    uint32_t key_count;
    uint32_t *key_columns; /* of `rows` */
    struct eval **extra_keys;
    uint32_t extra_count;
    enum sql_type *types;
    bool *stable;
    struct collection rows; /* input columns, then keys that are not one of them */
    struct arena scratch;
    uint32_t *order; /* rows, when they are sorted */
    uint32_t order_count;
    size_t charged; /* for it */
    bool ready;
    uint64_t wanted; /* of the order's first rows, with those that are skipped */
    uint64_t skip;
    uint32_t at;                   /* of the order, to be given out next */
    const struct vector **columns; /* those of `rows`, of the batch being collected */
    struct batch *out;
    struct sort_spill *spill; /* or NULL: all is in memory */
    uint64_t merged;          /* rows it has given */
    struct arena texts;       /* of `out`, when its rows come from a file */
};

/* Of a zeroed sort whose operator exists; opens the input. */
status_t exec__sort_init(struct sort *sort, struct error *error);
void exec__sort_close(struct operator* op);
/* Fills sort->columns for a batch of the input. */
status_t exec__sort_columns(struct sort *sort, const struct batch *batch, struct error *error);
/* Puts what is collected aside when it is too much to be held. */
status_t exec__sort_make_room(struct sort *sort, struct error *error);
/* Sorts what is collected: `order` becomes that of all rows. */
status_t exec__sort_rows(struct sort *sort, struct error *error);
/* `count` rows (up to BATCH_ROWS_MAX) from place `first` of the order on into an empty batch. */
void exec__sort_output(struct sort *sort, uint32_t first, uint32_t count, uint32_t column_count,
                       struct batch *out);
/* No more rows come. */
status_t exec__sort_finish(struct sort *sort, struct error *error);
/* Behind that: the next rows, NULL at the end. */
status_t exec__sort_give(struct sort *sort, struct batch **out, struct error *error);

/* Of a row. */
struct sort_entry exec__sort_entry(const struct sort_key *key, const struct vector *vector,
                                   uint32_t row);
static inline int exec__sort_entry_order(const struct sort_entry *a, const struct sort_entry *b)
{
    if (a->null_rank != b->null_rank)
        return a->null_rank < b->null_rank ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

/* ---- rows as numbers (sort_pack.c) -------------------------------------------------------------
 */

/* Bytes that exec__sort_order needs to sort so many rows. */
size_t exec__sort_order_size(uint32_t count);
/* Puts the numbers of all rows of a collection, `count` of them, in order by the keys that are in
 * `key_columns`; equal ones by their numbers. Chunks may have fewer rows than they hold. The first
 * `count` uint32_t of `memory` become the order. ERR_CANCELED. */
status_t exec__sort_order(const struct collection *rows, const struct sort_key *keys,
                          const uint32_t *key_columns, uint32_t key_count, void *memory,
                          uint32_t count, struct error *error);
/* Numbers that are ordered as the values are; of a text its first eight bytes. */
uint64_t exec__sort_double(double value);
uint64_t exec__sort_text(struct slice text);

#endif
