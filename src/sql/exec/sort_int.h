/* What a sort of all rows (sort.c) and one of the first of them (top_n.c) share: collecting rows
 * with their keys, putting them in order, putting them aside, giving them out. */
#ifndef SQL_EXEC_SORT_INT_H
#define SQL_EXEC_SORT_INT_H

#include "sql/exec/spill_int.h"

/* A row to be sorted: most comparisons do not look any further. */
struct sort_entry {
    uint64_t first;     /* the first key; equal ones of text need a second look */
    uint32_t null_rank; /* 0: NULLs first, 1: a value, 2: NULLs last */
    uint32_t row;
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
    struct sort_entry *entries;
    struct sort_entry *room;
    uint32_t entry_count;
    size_t charged;
    bool ready;
    uint64_t wanted; /* of the order's first rows, with those that are skipped */
    uint64_t skip;
    uint32_t at;                   /* next entry to give out */
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
/* Sorts what is collected into `entries`. */
status_t exec__sort_entries(struct sort *sort, struct error *error);
/* `count` rows (up to BATCH_ROWS_MAX) from entry `first` on into an empty batch. */
void exec__sort_output(struct sort *sort, uint32_t first, uint32_t count, uint32_t column_count,
                       struct batch *out);
/* No more rows come. */
status_t exec__sort_finish(struct sort *sort, struct error *error);
/* Behind that: the next rows, NULL at the end. */
status_t exec__sort_give(struct sort *sort, struct batch **out, struct error *error);

/* By the first key of a row; its number is left out. */
struct sort_entry exec__sort_entry(const struct sort_key *key, const struct vector *vector,
                                   uint32_t row);
static inline int exec__sort_entry_order(const struct sort_entry *a, const struct sort_entry *b)
{
    if (a->null_rank != b->null_rank)
        return a->null_rank < b->null_rank ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

#endif
