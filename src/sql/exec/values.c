/* VALUES: rows of expressions without columns. */
#include "sql/exec/exec_int.h"

struct values {
    struct operator op;
    uint32_t next;
    struct batch *batch;
};

static status_t values_next(struct operator* op, struct batch **out, struct error *error)
{
    struct values *values = (struct values *)op;
    const struct plan *plan = op->plan;
    uint32_t left = plan->as.values.row_count - values->next;
    if (left == 0)
        return OK;
    uint32_t rows = left < op->exec->batch_rows ? left : op->exec->batch_rows;
    exec__batch_prepare(op->exec, &values->batch, plan->types, plan->column_count, rows);
    struct batch *batch = values->batch;
    for (uint32_t row = 0; row < rows; row++) {
        size_t first = (size_t)(values->next + row) * plan->column_count;
        for (uint32_t c = 0; c < plan->column_count; c++) {
            struct value value;
            status_t status =
                exec__expr_value(op->exec, plan->as.values.rows[first + c], &value, error);
            if (status != OK)
                return status;
            vector_set(&batch->columns[c], row, &value);
        }
    }
    values->next += rows;
    batch->row_count = batch->selected = rows;
    *out = batch;
    return OK;
}

static const struct operator_ops values_ops = {values_next, NULL};

status_t exec__values_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    (void)error;
    struct values *values = exec__operator_create(exec, plan, &values_ops, sizeof *values);
    *out = &values->op;
    return OK;
}
