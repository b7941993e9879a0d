/* Nested loop join: the right side is read once, and every left row meets every right row. For
 * conditions without an equality.
 *
 * The right rows are in a row store, met a block of it at a time. When all are in memory, or where
 * somebody relies on the order of the left rows, each of them meets all blocks before the next one
 * does. Otherwise a block meets all rows of a left batch before the next block is read (Kim, "A new
 * way to compute the product and join of relations", 1980): what was put aside is then read once a
 * left batch and not once a left row. Left rows without a partner come at the end of the batch.
 */
#include "sql/exec/row_store_int.h"
#include "sql/exec/spill_int.h"

struct nested_loop {
    struct operator op;
    struct join join;
    bool built;
    bool left_done;
    bool by_row; /* a left row meets all blocks, then the next one */
    struct row_store rows;
    struct row_cursor right;
    struct batch *left;
    uint32_t left_at;
    uint64_t block;    /* its first row */
    uint32_t right_at; /* in the block */
    bool any_unknown;  /* further right rows can matter to a left row of the batch */
    bool through;      /* the left batch has met all */
};

static status_t build(struct nested_loop *nested, struct error *error)
{
    nested->built = true;
    for (;;) {
        struct batch *batch;
        status_t status = exec__operator_next(nested->op.right, &batch, error);
        if (status == OK && batch)
            status = exec__row_store_append_batch(&nested->rows, batch, error);
        if (status != OK)
            return status;
        if (!batch)
            break;
    }
    nested->by_row = nested->op.plan->as.join.keeps_order || !exec__row_store_filed(&nested->rows);
    return exec__join_right_ready(&nested->join, nested->rows.row_count, error);
}

static status_t left_take(struct nested_loop *nested, struct error *error)
{
    status_t status = exec__operator_next(nested->op.left, &nested->left, error);
    if (status != OK || !nested->left)
        return status;
    uint64_t rows = nested->rows.row_count;
    uint64_t pairs = ((rows < BATCH_ROWS_MAX ? rows : BATCH_ROWS_MAX) + 1) * nested->left->selected;
    exec__join_left_batch(&nested->join, pairs < BATCH_ROWS_MAX ? (uint32_t)pairs : BATCH_ROWS_MAX);
    nested->left_at = 0;
    nested->block = 0;
    nested->right_at = 0;
    nested->any_unknown = nested->through = false;
    return OK;
}

/* The block that is to be met; *other: its rows are not those the pairs so far are of. */
static status_t block_seek(struct nested_loop *nested, bool *other, struct error *error)
{
    *other = nested->right.first != nested->block && nested->join.pair_count > 0;
    if (*other)
        return OK;
    status_t status = exec__row_cursor_seek(&nested->right, nested->block, error);
    ASSERT(status != OK || nested->right.first == nested->block);
    nested->join.right_base = nested->block;
    return status;
}

/* A left row meets the rest of the block; false: no room for more pairs. */
static bool block_meet(struct nested_loop *nested, uint32_t row)
{
    struct join *join = &nested->join;
    uint32_t count = (uint32_t)nested->right.count;
    if (exec__join_row_known(join, row))
        nested->right_at = count;
    else
        nested->any_unknown = true;
    for (; nested->right_at < count && !exec__join_full(join); nested->right_at++)
        exec__join_pair(join, row, nested->right_at);
    return nested->right_at == count;
}

/* Pairs until there are enough, or of a block when the next one is another. */
static status_t fill_by_row(struct nested_loop *nested, struct error *error)
{
    for (; nested->left_at < nested->left->selected; nested->left_at++) {
        uint32_t row = batch_row(nested->left, nested->left_at);
        if (exec__join_row_known(&nested->join, row))
            nested->block = nested->rows.row_count;
        while (nested->block < nested->rows.row_count) {
            bool other;
            status_t status = block_seek(nested, &other, error);
            if (status != OK || other || !block_meet(nested, row))
                return status;
            nested->block += nested->right.count;
            nested->right_at = 0;
        }
        if (!exec__join_row_end(&nested->join, row))
            return OK;
        nested->block = 0;
        nested->right_at = 0;
    }
    nested->through = true;
    return OK;
}

/* Left rows have met all blocks. */
static void ends_fill(struct nested_loop *nested)
{
    for (; nested->left_at < nested->left->selected; nested->left_at++) {
        nested->join.row_paired = nested->rows.row_count > 0;
        if (!exec__join_row_end(&nested->join, batch_row(nested->left, nested->left_at)))
            return;
    }
    nested->through = true;
}

static status_t fill_by_block(struct nested_loop *nested, struct error *error)
{
    while (nested->block < nested->rows.row_count) {
        bool other;
        status_t status = block_seek(nested, &other, error);
        ASSERT(!other);
        if (status != OK)
            return status;
        for (; nested->left_at < nested->left->selected; nested->left_at++) {
            nested->join.row_paired = false;
            if (!block_meet(nested, batch_row(nested->left, nested->left_at)))
                return OK;
            nested->right_at = 0;
        }
        nested->block =
            nested->any_unknown ? nested->block + nested->right.count : nested->rows.row_count;
        nested->left_at = 0;
        nested->any_unknown = false;
        if (nested->join.pair_count > 0)
            return OK;
    }
    ends_fill(nested);
    return OK;
}

/* Right rows without a partner, a block at a time. */
static status_t rest_next(struct nested_loop *nested, struct batch **out, struct error *error)
{
    struct join *join = &nested->join;
    status_t status = OK;
    while (join->keep_right && join->right_place < nested->rows.row_count && status == OK &&
           !*out) {
        status = exec__row_cursor_seek(&nested->right, join->right_place, error);
        join->right_base = nested->right.first;
        if (status == OK)
            status = exec__join_right_rest(
                join, (struct join_right){.vectors = nested->right.rows->columns},
                (uint32_t)nested->right.count, out, error);
    }
    return status;
}

static status_t nested_loop_next(struct operator* op, struct batch **out, struct error *error)
{
    struct nested_loop *nested = (struct nested_loop *)op;
    status_t status = nested->built ? OK : build(nested, error);
    if (status == OK && nested->rows.row_count == 0 && !nested->join.keep_left)
        return OK;
    while (status == OK && !nested->left_done) {
        if (!nested->left) {
            status = left_take(nested, error);
            nested->left_done = status == OK && !nested->left;
            continue;
        }
        status = exec__cancel_check(op->exec, error);
        if (status == OK)
            status = nested->by_row ? fill_by_row(nested, error) : fill_by_block(nested, error);
        if (status != OK)
            return status;
        const struct batch *right = nested->right.rows;
        status = exec__join_emit(&nested->join, nested->left,
                                 (struct join_right){.vectors = right ? right->columns : NULL}, out,
                                 error);
        if (status != OK || *out)
            return status;
        if (nested->through)
            nested->left = NULL;
    }
    return status == OK ? rest_next(nested, out, error) : status;
}

static void nested_loop_close(struct operator* op)
{
    struct nested_loop *nested = (struct nested_loop *)op;
    exec__join_free(&nested->join);
    exec__row_cursor_free(&nested->right);
    exec__row_store_clear(&nested->rows);
}

static const struct operator_ops nested_loop_ops = {nested_loop_next, nested_loop_close};

status_t exec__nested_loop_open(struct exec *exec, const struct plan *plan, struct operator** out,
                                struct error *error)
{
    struct nested_loop *nested =
        exec__operator_create(exec, plan, &nested_loop_ops, sizeof *nested);
    *out = &nested->op;
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(exec, plan->right, NULL, 0, &types, &stable);
    exec__row_store_init(&nested->rows, exec, types, stable, plan->right->column_count,
                         exec__work_memory(exec));
    exec__row_cursor_init(&nested->right, &nested->rows);
    status_t status = exec__join_init(&nested->join, &nested->op, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &nested->op.left, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->right, &nested->op.right, error);
    return status;
}
