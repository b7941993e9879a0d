/* What the files of the hash join share. */
#ifndef SQL_EXEC_HASH_JOIN_INT_H
#define SQL_EXEC_HASH_JOIN_INT_H

#include "sql/exec/spill_int.h"

enum { HASH_LEFT, HASH_RIGHT }; /* sides of a split */

/* What comes next. A pass is BUILD, PROBE, REST; after it another one begins if there are parts or
 * blocks left.
 *
 *     BUILD -- exec__hash_split --> BUILD (of the first part)
 *     BUILD -- build --> PROBE -- left rows end --> REST -- right rows end --> BUILD or DONE
 *     DONE -- exec__hash_join_go_on --> PROBE */
enum hash_state {
    HASH_BUILD, /* the right side is collected, and its table made */
    HASH_PROBE, /* left rows look their partners up */
    HASH_REST,  /* right rows without a partner come out */
    HASH_DONE,
};

/* Where the rows of this pass come from. */
enum hash_source {
    HASH_WHOLE,      /* the inputs */
    HASH_PART,       /* a part of both */
    HASH_BLOCK,      /* a part's left side, and as much of its right side as fits; there is more */
    HASH_BLOCK_LAST, /* the same, with the last of its right side */
};

/* The left row's partners have not been looked for yet. */
#define HASH_CHAIN_START (EXEC_NO_ROW - 1)

/* Right rows by the one whole number that is their key (hash_join_number.c). */
struct number_table {
    uint32_t *starts; /* of each bucket in `places`, and where the last one ends; NULL: no table */
    uint64_t buckets;
    uint32_t *places; /* right rows */
    int64_t *numbers; /* of them; NULL: a bucket is one number, counted from `least` */
    uint64_t least;
    uint32_t shift;
};

struct late;

struct hash_join {
    struct operator op;
    struct join join;
    enum hash_state state;
    enum hash_source source;
    bool begun;                          /* the right side, or the first part of it, was built */
    bool is_shared;                      /* the table is the leader's, see parallel.c */
    struct collection rows;              /* right columns, then keys that are not one of them */
    const struct vector **right_vectors; /* of a batch on its way into `rows` */
    struct eval **extra_keys;
    uint32_t extra_count;
    struct eval **left_keys;
    uint32_t key_count;
    uint32_t *key_columns; /* of `rows` */
    uint64_t *hashes;
    uint32_t *next;
    uint32_t *heads;
    uint32_t head_count;
    size_t charged;
    struct number_table by_number; /* instead of these, when there is one */
    struct arena scratch;
    struct late *late;  /* left columns but the keys, left out by the input; see late_int.h */
    struct batch *left; /* being joined, or NULL */
    uint32_t left_at;
    uint32_t left_end; /* of `hits`, or of the left batch's rows */
    uint32_t chain;
    uint32_t *hits; /* by number: left rows that may have partners, between these places */
    uint32_t *hit_from;
    uint32_t *hit_to;
    struct batch selected; /* left rows as they are, but not all */
    const struct vector **left_vectors;
    uint64_t *left_hashes; /* by place in the selection */

    /* More than fits (hash_join_spill.c). */
    struct split *splits;
    struct split_reader right_reader;
    struct split_reader left_reader;
    bool keeps_left;      /* as join.keep_left is but for the last block */
    uint64_t *left_found; /* by left row of the part: which have had a partner */
    size_t left_found_size;
    uint64_t left_place;       /* of the left batch's first row */
    enum sql_type *left_types; /* as they are put aside */
    const struct vector **left_columns;
    struct vector left_number; /* of a left batch's rows, when the order is kept */
    int64_t left_count;
    uint64_t pass;              /* counts tables built */
    uint64_t null_count;        /* rows put aside that equal nothing */
    struct sort_spill *ordered; /* what came out, to be merged by the left rows' numbers */
    struct sort_key ordered_key;
    uint32_t ordered_column;
    enum sql_type *ordered_types;
    struct arena ordered_texts;
    struct batch *ordered_out;
};

/* Is a part joined whose right rows do not fit and cannot be split further? */
static inline bool exec__hash_in_blocks(const struct hash_join *hash)
{
    return hash->source >= HASH_BLOCK;
}

/* A row with a NULL among its keys equals none. */
static inline bool exec__hash_any_null(const struct vector *const *keys, uint32_t count,
                                       uint32_t row)
{
    for (uint32_t k = 0; k < count; k++) {
        if (vector_is_null(keys[k], row))
            return true;
    }
    return false;
}

/* The next rows of the right side, from the input or the part, columns and keys in right_vectors.
 */
status_t exec__hash_right_take(struct hash_join *hash, struct batch **batch, struct error *error);
/* The next rows of the left side, with their keys in left_vectors; columns that were left out are
 * to be read. */
status_t exec__hash_left_take(struct hash_join *hash, struct batch **batch, struct error *error);
/* Then: all their columns, and hashes in left_hashes. */
status_t exec__hash_left_complete(struct hash_join *hash, const struct batch *left,
                                  struct error *error);
/* Loses what was collected of the right side, and the table. */
void exec__hash_table_free(struct hash_join *hash);
/* All that is still to come out, pass by pass. */
status_t exec__hash_passes_next(struct hash_join *hash, struct batch **out, struct error *error);

/* ---- by one whole number (hash_join_number.c) --------------------------------------------------
 */

bool exec__hash_by_number(const struct hash_join *hash);
/* Of the right rows that are collected. */
status_t exec__number_table_make(struct hash_join *hash, struct error *error);
void exec__number_table_free(struct hash_join *hash);
/* Of a batch the rows with partners by those keys, or, with `wanted` false, without; how many. */
uint32_t exec__number_rows(const struct number_table *table, const struct vector *keys,
                           const struct batch *batch, bool wanted, uint32_t *rows);
/* A left batch has been taken: finds the rows of it that are to be joined. */
status_t exec__number_left_begin(struct hash_join *hash, struct error *error);
/* Pairs until there are enough for a batch or the left batch is through. */
void exec__number_pairs_fill(struct hash_join *hash);
/* SEMI and ANTI without a condition, of all rows: the next left rows that come out, all of a batch
 * at once. */
status_t exec__number_select(struct hash_join *hash, struct batch **out, struct error *error);

/* ---- more than fits (hash_join_spill.c) -------------------------------------------------------
 */

void exec__hash_spill_open(struct hash_join *hash);
void exec__hash_spill_close(struct hash_join *hash);
/* Can what does not fit be shared out further? */
bool exec__hash_can_split(const struct hash_join *hash);
/* Shares out both sides: the right rows that were collected and all that were not yet taken. */
status_t exec__hash_split(struct hash_join *hash, struct error *error);
/* The next part is what is joined; false: there is none. */
bool exec__hash_part_next(struct hash_join *hash);
/* Before a block's table is used: the part's left rows are read from the first one again. */
status_t exec__hash_block_begin(struct hash_join *hash, struct error *error);
/* Before and after a left batch of a block: which of its rows have had a partner. */
void exec__hash_block_left_begin(struct hash_join *hash);
void exec__hash_block_left_end(struct hash_join *hash);
/* What the parts give, in the order of the left rows. */
status_t exec__hash_ordered_collect(struct hash_join *hash, struct error *error);
status_t exec__hash_ordered_next(struct hash_join *hash, struct batch **out, struct error *error);

#endif
