/* What the files of aggregation share. */
#ifndef SQL_EXEC_AGGREGATE_INT_H
#define SQL_EXEC_AGGREGATE_INT_H

#include "sql/exec/spill_int.h"

/* Columns of the rows of an aggregate with ORDER BY. */
enum {
    SORTED_VALUE,
    SORTED_SECOND, /* the second argument; without one it is as the group */
    SORTED_GROUP,
    SORTED_KEYS, /* of ORDER BY; WITHIN GROUP has the value for its key */
};

struct sorted_values {
    struct exec *exec;
    const struct aggregate *aggregate;
    const enum sql_type *types;
    struct sort_key *keys; /* the group, then those of ORDER BY */
    uint32_t *key_columns;
    uint32_t key_count;
    struct collection rows;
    uint32_t *order; /* of them, at the end */
    size_t order_size;
    uint32_t at;
    struct sort_spill *spill; /* or NULL: all are in memory */
    struct batch *row;        /* the next one of the merge; NULL: none */
    struct value last[2];     /* DISTINCT: the arguments of the row before */
    struct arena last_text;
    struct pace pace; /* over all groups, which may be small */
};

void exec__sorted_values_init(struct sorted_values *sorted, struct exec *exec,
                              const struct aggregate *aggregate);
/* Ready for other groups. */
void exec__sorted_values_free(struct sorted_values *sorted);
size_t exec__sorted_values_memory(const struct sorted_values *sorted);
status_t exec__sorted_values_put(struct sorted_values *sorted, const struct vector *const *columns,
                                 const uint32_t *rows, uint32_t count, struct error *error);
/* No more come. */
status_t exec__sorted_values_end(struct sorted_values *sorted, struct error *error);
/* Then, group by group in ascending order: its next row, the place of it in the columns; NULL: it
 * has no more. */
const struct vector *exec__sorted_values_row(const struct sorted_values *sorted, uint32_t group,
                                             uint32_t *place);
/* Goes on behind that row. */
status_t exec__sorted_values_next(struct sorted_values *sorted, struct error *error);
/* Or takes all rows of a group in. */
status_t exec__sorted_values_take(struct sorted_values *sorted, uint32_t group,
                                  struct aggregate_state *state, struct arena *texts,
                                  struct error *error);

/* Percentiles and the mode, of a group of `count` rows (aggregate_ordered.c); text is in `texts`.
 * 22003 for a fraction outside of 0 to 1. */
status_t exec__ordered_result(struct sorted_values *sorted, uint32_t group, uint64_t count,
                              struct arena *texts, struct value *out, struct error *error);

struct accumulator {
    const struct aggregate *aggregate;
    struct eval *argument; /* NULL: count(*) */
    struct eval *filter;
    struct eval *separator;         /* of string_agg */
    struct distinct_values seen;    /* DISTINCT */
    struct eval **keys;             /* ORDER BY inside it */
    bool is_sorted;                 /* ORDER BY, or WITHIN GROUP */
    struct sorted_values sorted;    /* then */
    struct aggregate_state *states; /* by group */
    uint32_t state_capacity;
    uint32_t state_count;
};

struct aggregation {
    struct operator op;
    struct accumulator *accumulators;
    uint32_t accumulator_count;
    struct eval **groups;
    uint32_t group_count; /* expressions */
    struct key_table table;
    const struct vector **group_vectors;
    uint32_t *numbers;       /* by place in the selection */
    uint32_t *group_of;      /* by row */
    struct vector group_ids; /* by row, for DISTINCT */
    uint32_t *rows;          /* what an aggregate takes in of a batch */
    uint32_t *all_rows;      /* 0, 1, 2, ...: all of one */
    struct arena scratch;
    struct arena texts;        /* of min and max */
    struct arena sorted_texts; /* of aggregates with ORDER BY, of the groups that go out */
    size_t charged;
    uint64_t rows_taken; /* by one of several threads */
    bool ready;
    bool in_runs;  /* groups go out when the next ones have begun (aggregate_runs.c) */
    bool runs_end; /* no more rows come */
    bool full;     /* no more groups are begun */
    struct split *splits;
    bool in_part; /* rows come from a part, not from the input */
    struct split_reader reader;
    uint32_t *known; /* rows of the batch whose groups are there */
    uint32_t at;
    struct batch *out;
};

/* How many groups there are. */
static inline uint32_t exec__aggregation_groups(const struct aggregation *aggregation)
{
    return aggregation->group_count ? aggregation->table.keys.row_count : 1;
}

/* The groups of a batch's rows, whose columns are in group_vectors, into group_of. */
status_t exec__runs_find(struct aggregation *aggregation, const struct batch *in,
                         struct error *error);
/* Loses the groups before the last one, which becomes the first. */
status_t exec__runs_drop(struct aggregation *aggregation, struct error *error);

/* Takes in the rows of a batch; what is held may grow beyond work_memory. */
status_t exec__aggregation_take(struct aggregation *aggregation, const struct batch *in,
                                struct error *error);
/* A zeroed state for every group there is, in each accumulator. */
status_t exec__aggregation_reserve(struct aggregation *aggregation, struct error *error);
/* Of the rows an aggregate with DISTINCT takes in, leaves those whose values are new. */
status_t exec__aggregation_distinct(struct aggregation *aggregation,
                                    struct accumulator *accumulator,
                                    struct aggregate_intake *intake, struct error *error);
/* Bytes held for the groups. */
size_t exec__aggregation_memory(const struct aggregation *aggregation);
/* Loses all groups. */
void exec__aggregation_forget(struct aggregation *aggregation);

/* All of the input by several threads (aggregate_parallel.c). *done is false when that cannot be or
 * was given up: nothing has been taken in then, and the input starts from its first row. */
status_t exec__aggregation_parallel(struct aggregation *aggregation, bool *done,
                                    struct error *error);

#endif
