/* UNION ALL: the rows of one input, then those of the other, as they are. */
#include "sql/exec/exec_int.h"

struct append {
    struct operator op;
    bool left_done;
};

static status_t append_next(struct operator* op, struct batch **out, struct error *error)
{
    struct append *append = (struct append *)op;
    if (!append->left_done) {
        status_t status = exec__operator_next(op->left, out, error);
        if (status != OK || *out)
            return status;
        append->left_done = true;
    }
    return exec__operator_next(op->right, out, error);
}

static const struct operator_ops append_ops = {append_next, NULL};

status_t exec__append_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    struct append *append = exec__operator_create(exec, plan, &append_ops, sizeof *append);
    *out = &append->op;
    ASSERT(plan->left->column_count == plan->right->column_count);
    status_t status = exec__operator_open(exec, plan->left, &append->op.left, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->right, &append->op.right, error);
    return status;
}
