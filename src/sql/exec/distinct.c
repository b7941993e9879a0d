/* DISTINCT: of each batch the rows not seen before, in the order they came; DISTINCT ON: those
 * whose keys were not. */
#include "sql/exec/exec_int.h"

struct distinct {
    struct operator op;
    struct key_table seen;
    struct eval **keys; /* DISTINCT ON, or NULL: all columns */
    struct arena scratch;
    const struct vector **columns;
    uint32_t *numbers;
    bool *is_new;
    uint32_t *selection;
    struct batch out;
};

/* What a batch's rows are told apart by. */
static status_t columns_find(struct distinct *distinct, const struct batch *in, struct error *error)
{
    if (!distinct->keys) {
        for (uint32_t c = 0; c < in->column_count; c++)
            distinct->columns[c] = &in->columns[c];
        return OK;
    }
    arena_reset(&distinct->scratch);
    for (uint32_t k = 0; k < distinct->op.plan->as.distinct.key_count; k++) {
        status_t status = exec__eval_column(distinct->keys[k], in, &distinct->columns[k], error);
        if (status != OK)
            return status;
    }
    return OK;
}

static status_t distinct_next(struct operator* op, struct batch **out, struct error *error)
{
    struct distinct *distinct = (struct distinct *)op;
    for (;;) {
        struct batch *in;
        status_t status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        if ((status = columns_find(distinct, in, error)) != OK)
            return status;
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
    struct distinct *distinct = (struct distinct *)op;
    exec__key_table_free(&distinct->seen);
    arena_free(&distinct->scratch);
}

static const struct operator_ops distinct_ops = {distinct_next, distinct_close};

status_t exec__distinct_open(struct exec *exec, const struct plan *plan, struct operator** out,
                             struct error *error)
{
    struct distinct *distinct = exec__operator_create(exec, plan, &distinct_ops, sizeof *distinct);
    *out = &distinct->op;
    enum sql_type *types;
    bool *stable;
    uint32_t columns = plan->left->column_count;
    uint32_t keys = plan->as.distinct.key_count;
    exec__collection_shape(exec, plan->left, plan->as.distinct.keys, keys, &types, &stable);
    if (keys > 0) {
        exec__key_table_init(&distinct->seen, exec, types + columns, stable + columns, keys);
        status_t status = exec__eval_compile_all(exec, plan->as.distinct.keys, keys,
                                                 &distinct->scratch, &distinct->keys, error);
        if (status != OK)
            return status;
    } else {
        exec__key_table_init(&distinct->seen, exec, types, stable, columns);
    }
    distinct->columns = arena_alloc(exec->arena, (columns + keys + 1) * sizeof *distinct->columns);
    distinct->numbers = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    distinct->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
    distinct->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    return exec__operator_open(exec, plan->left, &distinct->op.left, error);
}
