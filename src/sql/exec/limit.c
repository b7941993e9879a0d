/* LIMIT and OFFSET: skips rows, passes rows, and then asks no more of its input. */
#include "sql/exec/exec_int.h"

struct limit {
    struct operator op;
    bool ready;
    uint64_t skip;
    uint64_t left;
    uint32_t *selection;
    struct batch out;
};

status_t exec__limit_values(struct exec *exec, const struct expr *limit, const struct expr *offset,
                            uint64_t *rows, uint64_t *skip, struct error *error)
{
    struct value value;
    *rows = UINT64_MAX;
    *skip = 0;
    status_t status = limit ? exec__expr_value(exec, limit, &value, error) : OK;
    if (status != OK)
        return status;
    if (limit && !value.null) {
        if (value.as.integer < 0)
            return error_sql(error, "2201W", limit->position, "LIMIT must not be negative");
        *rows = (uint64_t)value.as.integer;
    }
    status = offset ? exec__expr_value(exec, offset, &value, error) : OK;
    if (status != OK)
        return status;
    if (offset && !value.null) {
        if (value.as.integer < 0)
            return error_sql(error, "2201X", offset->position, "OFFSET must not be negative");
        *skip = (uint64_t)value.as.integer;
    }
    return OK;
}

static status_t limit_next(struct operator* op, struct batch **out, struct error *error)
{
    struct limit *limit = (struct limit *)op;
    const struct plan *plan = op->plan;
    status_t status = OK;
    if (!limit->ready)
        status = exec__limit_values(op->exec, plan->as.limit.limit, plan->as.limit.offset,
                                    &limit->left, &limit->skip, error);
    if (status != OK)
        return status;
    limit->ready = true;
    while (limit->left > 0) {
        struct batch *in;
        status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        if (limit->skip >= in->selected) {
            limit->skip -= in->selected;
            continue;
        }
        uint32_t first = (uint32_t)limit->skip;
        uint32_t take = in->selected - first;
        if (take > limit->left)
            take = (uint32_t)limit->left;
        limit->skip = 0;
        limit->left -= take;
        *out = in;
        if (take == in->selected)
            return OK;
        if (!limit->selection)
            limit->selection = arena_alloc(op->exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
        for (uint32_t i = 0; i < take; i++)
            limit->selection[i] = batch_row(in, first + i);
        limit->out = *in;
        limit->out.selection = limit->selection;
        limit->out.selected = take;
        *out = &limit->out;
        return OK;
    }
    return OK;
}

static const struct operator_ops limit_ops = {limit_next, NULL};

status_t exec__limit_open(struct exec *exec, const struct plan *plan, struct operator** out,
                          struct error *error)
{
    if (plan->as.limit.with_ties)
        return exec__limit_ties_open(exec, plan, out, error);
    struct limit *limit = exec__operator_create(exec, plan, &limit_ops, sizeof *limit);
    *out = &limit->op;
    return exec__operator_open(exec, plan->left, &limit->op.left, error);
}
