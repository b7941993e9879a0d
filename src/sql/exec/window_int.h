/* What the files of window functions share. */
#ifndef SQL_EXEC_WINDOW_INT_H
#define SQL_EXEC_WINDOW_INT_H

#include "sql/exec/exec_int.h"

/* A partition being worked on, and where the function's frame is. */
struct partition {
    struct window *window;
    const struct window_call *function;
    uint32_t index; /* of the function */
    uint32_t first;
    uint32_t end;
    uint32_t row;
    uint32_t group; /* of the row */
    uint32_t frame_start;
    uint32_t frame_end;
    /* What EXCLUDE takes out of the frame, both within it, but for the row itself with has_row. */
    uint32_t gap_start;
    uint32_t gap_end;
    bool has_row;
    uint32_t valued_first; /* rows whose key is not NULL, for RANGE with an offset */
    uint32_t valued_end;
};

static inline struct value exec__window_cell(const struct window *window, uint32_t column,
                                             uint32_t row)
{
    return exec__collection_value(&window->rows, column, row);
}

/* window_frame.c: before the first row; then, at each row in turn, its frame. */
void exec__window_frame_begin(struct partition *at);
void exec__window_frame_move(struct partition *at);

#endif
