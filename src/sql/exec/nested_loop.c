/* Nested loop join: the right side is collected once, and every left row meets every right row. For
 * conditions without an equality. */
#include "sql/exec/exec_int.h"

struct nested_loop {
    struct operator op;
    struct join join;
    bool built;
    bool left_done;
    struct collection rows;
    struct arena scratch;
    struct batch *left;
    uint32_t left_at;
    uint32_t right_at;
};

static status_t build(struct nested_loop *nested, struct error *error)
{
    nested->built = true;
    status_t status =
        exec__collect(nested->op.right, NULL, 0, &nested->scratch, &nested->rows, error);
    if (status == OK)
        status = exec__join_right_ready(&nested->join, nested->rows.row_count, error);
    return status;
}

static status_t left_take(struct nested_loop *nested, struct error *error)
{
    status_t status = exec__operator_next(nested->op.left, &nested->left, error);
    if (status != OK || !nested->left)
        return status;
    uint64_t pairs = ((uint64_t)nested->rows.row_count + 1) * nested->left->selected;
    exec__join_left_batch(&nested->join, pairs < BATCH_ROWS_MAX ? (uint32_t)pairs : BATCH_ROWS_MAX);
    nested->left_at = 0;
    nested->right_at = 0;
    return OK;
}

static void pairs_fill(struct nested_loop *nested)
{
    struct join *join = &nested->join;
    const struct batch *left = nested->left;
    for (; nested->left_at < left->selected; nested->left_at++) {
        uint32_t row = batch_row(left, nested->left_at);
        if (exec__join_row_known(join, row))
            nested->right_at = nested->rows.row_count;
        for (; nested->right_at < nested->rows.row_count && !exec__join_full(join);
             nested->right_at++)
            exec__join_pair(join, row, nested->right_at);
        if (nested->right_at < nested->rows.row_count || !exec__join_row_end(join, row))
            return;
        nested->right_at = 0;
    }
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
        if (status != OK)
            break;
        pairs_fill(nested);
        status = exec__join_emit(&nested->join, nested->left,
                                 (struct join_right){.collection = &nested->rows}, out, error);
        if (status != OK || *out)
            return status;
        if (nested->left_at == nested->left->selected)
            nested->left = NULL;
    }
    if (status != OK)
        return status;
    return exec__join_right_rest(&nested->join, &nested->rows, out, error);
}

static void nested_loop_close(struct operator* op)
{
    struct nested_loop *nested = (struct nested_loop *)op;
    exec__join_free(&nested->join);
    exec__collection_free(&nested->rows);
    arena_free(&nested->scratch);
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
    exec__collection_init(&nested->rows, exec, types, stable, plan->right->column_count);
    status_t status = exec__join_init(&nested->join, &nested->op, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &nested->op.left, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->right, &nested->op.right, error);
    return status;
}
