/* DISTINCT: of each batch the rows not seen before, in the order they came. */
#include "sql/exec/exec_int.h"

struct distinct {
    struct operator op;
    struct key_table seen;
    const struct vector **columns;
    uint32_t *numbers;
    bool *is_new;
    uint32_t *selection;
    struct batch out;
};

static status_t distinct_next(struct operator* op, struct batch **out, struct error *error)
{
    struct distinct *distinct = (struct distinct *)op;
    for (;;) {
        struct batch *in;
        status_t status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        for (uint32_t c = 0; c < in->column_count; c++)
            distinct->columns[c] = &in->columns[c];
        status = exec__key_table_put(&distinct->seen, distinct->columns, in->selection,
                                     in->selected, distinct->numbers, distinct->is_new, error);
        if (status != OK)
            return status;
        distinct->out = *in;
        distinct->out.selection = distinct->selection;
        distinct->out.selected = 0;
        for (uint32_t i = 0; i < in->selected; i++) {
            if (distinct->is_new[i])
                distinct->selection[distinct->out.selected++] = batch_row(in, i);
        }
        if (distinct->out.selected > 0) {
            *out = &distinct->out;
            return OK;
        }
    }
}

static void distinct_close(struct operator* op)
{
    exec__key_table_free(&((struct distinct *)op)->seen);
}

static const struct operator_ops distinct_ops = {distinct_next, distinct_close};

status_t exec__distinct_open(struct exec *exec, const struct plan *plan, struct operator** out,
                             struct error *error)
{
    struct distinct *distinct = exec__operator_create(exec, plan, &distinct_ops, sizeof *distinct);
    *out = &distinct->op;
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(exec, plan->left, NULL, 0, &types, &stable);
    exec__key_table_init(&distinct->seen, exec, types, stable, plan->left->column_count);
    distinct->columns =
        arena_alloc(exec->arena, plan->left->column_count * sizeof *distinct->columns);
    distinct->numbers = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    distinct->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
    distinct->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    return exec__operator_open(exec, plan->left, &distinct->op.left, error);
}
