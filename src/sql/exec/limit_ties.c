/* FETCH FIRST n ROWS WITH TIES: as LIMIT, but the rows behind the last one that equal it in the
 * order belong to it. They come in that order: the keys of the last row are kept, and the first row
 * that has others ends it. */
#include "sql/exec/exec_int.h"

struct ties {
    struct operator op;
    struct eval **keys;
    const struct vector **columns; /* the keys of a batch */
    struct arena scratch;
    struct value *last; /* keys of the last row of the limit; its texts are in the exec's arena */
    bool ready;
    bool ended;
    uint64_t skip;
    uint64_t left; /* 0: only what equals `last` */
    uint32_t *selection;
    struct batch out;
};

static status_t keys_find(struct ties *ties, const struct batch *in, struct error *error)
{
    status_t status = OK;
    arena_reset(&ties->scratch);
    for (uint32_t k = 0; k < ties->op.plan->as.limit.key_count && status == OK; k++)
        status = exec__eval_column(ties->keys[k], in, &ties->columns[k], error);
    return status;
}

static void last_keep(struct ties *ties, uint32_t row)
{
    ASSERT(row < BATCH_ROWS_MAX && ties->left == 0);
    for (uint32_t k = 0; k < ties->op.plan->as.limit.key_count; k++) {
        struct value value = vector_get(ties->columns[k], row);
        if (!value.null && type_is_slice(value.type))
            value.as.text = arena_copy(ties->op.exec->arena, value.as.text);
        ties->last[k] = value;
    }
}

static bool is_tie(const struct ties *ties, uint32_t row)
{
    for (uint32_t k = 0; k < ties->op.plan->as.limit.key_count; k++) {
        struct value value = vector_get(ties->columns[k], row);
        const struct value *last = &ties->last[k];
        if (value.null != last->null || (!value.null && value_compare(&value, last) != 0))
            return false;
    }
    return true;
}

/* The rows of a batch that belong to the limit, into the selection. */
static uint32_t rows_choose(struct ties *ties, const struct batch *in)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < in->selected && !ties->ended; i++) {
        uint32_t row = batch_row(in, i);
        if (ties->skip > 0) {
            ties->skip--;
            continue;
        }
        if (ties->left > 0) {
            if (--ties->left == 0)
                last_keep(ties, row);
        } else if (!is_tie(ties, row)) {
            ties->ended = true;
            break;
        }
        ties->selection[count++] = row;
    }
    return count;
}

static status_t ties_next(struct operator* op, struct batch **out, struct error *error)
{
    struct ties *ties = (struct ties *)op;
    const struct plan *plan = op->plan;
    status_t status = OK;
    if (!ties->ready) {
        status = exec__limit_values(op->exec, plan->as.limit.limit, plan->as.limit.offset,
                                    &ties->left, &ties->skip, error);
        ties->ready = status == OK;
        ties->ended = ties->left == 0;
    }
    while (status == OK && !ties->ended) {
        struct batch *in;
        status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        status = keys_find(ties, in, error);
        uint32_t count = status == OK ? rows_choose(ties, in) : 0;
        if (count == 0)
            continue;
        ties->out = *in;
        ties->out.selection = ties->selection;
        ties->out.selected = count;
        *out = &ties->out;
        return OK;
    }
    return status;
}

static void ties_close(struct operator* op)
{
    struct ties *ties = (struct ties *)op;
    arena_free(&ties->scratch);
}

static const struct operator_ops ties_ops = {ties_next, ties_close};

status_t exec__limit_ties_open(struct exec *exec, const struct plan *plan, struct operator** out,
                               struct error *error)
{
    struct ties *ties = exec__operator_create(exec, plan, &ties_ops, sizeof *ties);
    uint32_t keys = plan->as.limit.key_count;
    ASSERT(plan->as.limit.with_ties && plan->left);
    *out = &ties->op;
    ties->columns = arena_alloc(exec->arena, (keys + 1) * sizeof *ties->columns);
    ties->last = arena_zalloc(exec->arena, (keys + 1) * sizeof *ties->last);
    ties->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    if (keys > 0) {
        struct expr **exprs = arena_alloc(exec->arena, keys * sizeof(struct expr *));
        for (uint32_t k = 0; k < keys; k++)
            exprs[k] = plan->as.limit.keys[k].expr;
        status_t status =
            exec__eval_compile_all(exec, exprs, keys, &ties->scratch, &ties->keys, error);
        if (status != OK)
            return status;
    }
    return exec__operator_open(exec, plan->left, &ties->op.left, error);
}
