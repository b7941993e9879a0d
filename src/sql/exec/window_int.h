/* What the files of window functions share.
 *
 * The window operator goes through a partition row by row, all functions together, each with its
 * own place: where its frame is, and cursors for the rows it looks at. Nothing is kept by row but
 * the rows themselves, which are in a row store. */
#ifndef SQL_EXEC_WINDOW_INT_H
#define SQL_EXEC_WINDOW_INT_H

#include "sql/exec/row_store_int.h"

#define WINDOW_NOTHING UINT32_MAX

enum {
    WINDOW_ROW_STEPS = 64,
};

/* An aggregate over rows of which the first leave and others come behind the last. */
struct sliding {
    struct aggregate_state tail; /* of the rows from `middle` on */
    uint64_t start;              /* rows that are in */
    uint64_t middle;
    uint64_t end;
    struct aggregate_state *fronts; /* [i]: of rows front_first + i to middle */
    uint32_t front_rows;            /* so many are made at once, see window_aggregate.c */
    uint32_t front_capacity;
    uint64_t front_first;
    uint64_t front_end;
    struct row_store marks; /* of rows middle - (i + 1) * front_rows to middle */
    struct row_cursor mark;
    struct row_cursor in;     /* rows that come */
    struct row_cursor turned; /* rows that are turned over */
    struct arena tail_texts;
    struct arena front_texts;
};

/* Where groups of peers begin: the group of that number, forward only. */
struct window_edge {
    uint64_t group;
    uint64_t row; /* its first; the partition's end: there is no such group */
    struct row_cursor peer;
    struct row_cursor ahead;
};

/* One function, and where its frame is. */
struct window_call {
    const struct window_function *plan;
    uint32_t argument_first; /* its arguments' columns of the store */
    uint32_t separator;      /* columns, of an aggregate; WINDOW_NOTHING: it has none */
    uint32_t filter;
    struct value offsets[2]; /* of the frame's start and end */
    uint64_t frame_start;
    uint64_t frame_end;
    /* What EXCLUDE takes out of the frame, both within it, but for the row itself with has_row. */
    uint64_t gap_start;
    uint64_t gap_end;
    bool has_row;
    struct window_edge edges[2]; /* GROUPS: of the frame's start and end; RANGE: their cursors */
    struct row_cursor other;     /* rows whose values are asked for */
    struct sliding slidings[2];  /* before and behind what EXCLUDE takes out */
    struct arena texts;          /* of their sum */
    struct value value;          /* of the frame value_start to value_end, with has_value */
    uint64_t value_start;
    uint64_t value_end;
    bool has_value;
};

struct window {
    struct operator op;
    struct row_store rows; /* input columns, partitions, keys, then arguments of all functions */
    uint32_t input_columns;
    uint32_t partition_first;
    uint32_t partition_count;
    uint32_t key_first;
    uint32_t key_count;
    struct eval **extra;
    uint32_t extra_count;
    const struct vector **columns;
    struct arena scratch;
    struct window_call *functions;
    uint32_t function_count;
    bool offsets_known;
    bool input_done;
    struct batch *in; /* what is left of the input batch, from in_at on */
    uint32_t in_at;
    uint32_t *taken;
    struct row_cursor last; /* the last row that was taken */
    uint64_t *starts;       /* of the partitions in the store */
    uint32_t start_count;
    uint32_t start_capacity;
    size_t charged;
    struct pace pace;

    /* The partition and the row, of all functions. */
    uint32_t partition; /* the next one's number */
    uint64_t first;
    uint64_t end;
    uint64_t row;
    uint64_t group; /* of the row's peers: its number, */
    uint64_t group_start;
    uint64_t group_end;
    uint64_t valued_first; /* rows before it have no key, for RANGE with an offset */
    struct row_cursor here;
    struct window_edge peers; /* the group behind the row's */

    struct batch *results; /* of the rows of a batch, by their places in it */
    struct arena results_texts;
    uint32_t *selection;
    struct batch out;
};

/* ---- window_frame.c ---------------------------------------------------------------------------
 */

/* To the first group, and to a later one. */
void exec__window_edge_begin(struct window *window, struct window_edge *edge);
status_t exec__window_edge_move(struct window *window, struct window_edge *edge, uint64_t group,
                                struct error *error);
/* The frames' offsets, once. 22004, 22013. */
status_t exec__window_offsets(struct window *window, struct error *error);
/* At the partition's first row; then, at each row in turn, the function's frame. */
void exec__window_frame_begin(struct window *window, struct window_call *call);
status_t exec__window_frame_move(struct window *window, struct window_call *call,
                                 struct error *error);

/* ---- window_aggregate.c -----------------------------------------------------------------------
 */

void exec__window_aggregate_open(struct window *window, struct window_call *call);
void exec__window_aggregate_close(struct window_call *call);
void exec__window_aggregate_begin(struct window *window, struct window_call *call);
/* Of the frame; text is in results_texts. Without has_value it is made anew. */
status_t exec__window_aggregate_value(struct window *window, struct window_call *call,
                                      struct value *out, struct error *error);
/* Bytes it holds, beside what its store and cursors count. */
size_t exec__window_aggregate_memory(const struct window_call *call);

/* ---- window_function.c ------------------------------------------------------------------------
 */

/* Cursors and what an aggregate needs; the function's columns are known. */
void exec__window_call_open(struct window *window, struct window_call *call);
void exec__window_call_close(struct window_call *call);
/* The rows have become others. */
void exec__window_call_reset(struct window_call *call);
/* At the first row of a partition; then the value at each row in turn. */
void exec__window_call_begin(struct window *window, struct window_call *call);
status_t exec__window_call_value(struct window *window, struct window_call *call, struct value *out,
                                 struct error *error);

#endif
