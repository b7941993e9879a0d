/* AND, OR, and filters: three-valued logic with narrowed selections.
 *
 * AND computes each argument only for the rows where none before it was false, OR where none was
 * true; a row leaves as soon as it is decided. A filter needs less: a row leaves an AND as soon as
 * it is not true, because false and NULL drop it alike. */
#include "sql/exec/exec_int.h"

#include <string.h>

/* `decides`: the value that ends the evaluation of a row, false for AND and true for OR. */
static status_t logic_run(struct eval *eval, const struct batch *in, bool decides,
                          struct error *error)
{
    struct vector *out = &eval->out;
    exec__eval_prepare(eval, in->row_count);
    exec__eval_selections(eval, in->row_count);
    struct batch open = *in; /* rows not decided yet */
    memset(out->as.booleans, !decides, in->row_count);
    for (uint32_t i = 0; i < eval->argument_count && open.selected > 0; i++) {
        struct eval *argument = eval->arguments[i];
        status_t status = exec__eval_run(argument, &open, error);
        if (status != OK)
            return status;
        uint32_t *left = eval->selections[0];
        uint32_t left_count = 0;
        for (uint32_t k = 0; k < open.selected; k++) {
            uint32_t row = batch_row(&open, k);
            bool null = exec__eval_null(argument, row);
            if (!null && argument->result->as.booleans[exec__eval_row(argument, row)] == decides) {
                out->as.booleans[row] = decides;
                if (out->has_nulls)
                    out->nulls[row / 64] &= ~((uint64_t)1 << (row % 64));
                continue;
            }
            if (null)
                vector_set_null(out, row);
            left[left_count++] = row;
        }
        open.selection = left;
        open.selected = left_count;
    }
    return OK;
}

status_t exec__and_run(struct eval *eval, const struct batch *in, struct error *error)
{
    return logic_run(eval, in, false, error);
}

status_t exec__or_run(struct eval *eval, const struct batch *in, struct error *error)
{
    return logic_run(eval, in, true, error);
}

/* The rows of `in` at which `truth` is true; branch-free, for it is the inner loop of every scan
 * with a predicate. */
static uint32_t select_true(const struct vector *truth, const struct batch *in, uint32_t *selection)
{
    const bool *values = truth->as.booleans;
    uint32_t count = 0;
    if (truth->has_nulls) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = batch_row(in, i);
            selection[count] = row;
            count += !vector_is_null(truth, row) && values[row];
        }
    } else if (in->selection) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = in->selection[i];
            selection[count] = row;
            count += values[row];
        }
    } else {
        for (uint32_t row = 0; row < in->row_count; row++) {
            selection[count] = row;
            count += values[row];
        }
    }
    return count;
}

status_t exec__eval_filter(struct eval *eval, const struct batch *in, uint32_t *selection,
                           uint32_t *selected, struct error *error)
{
    if (eval->expr->kind == EXPR_AND && !eval->constant) {
        struct batch open = *in;
        for (uint32_t i = 0; i < eval->argument_count && open.selected > 0; i++) {
            status_t status =
                exec__eval_filter(eval->arguments[i], &open, selection, &open.selected, error);
            if (status != OK)
                return status;
            open.selection = selection;
        }
        *selected = open.selected;
        return OK;
    }
    status_t status = exec__eval_run(eval, in, error);
    if (status != OK)
        return status;
    ASSERT(eval->result->type == SQL_BOOLEAN);
    if (eval->constant) {
        bool keep = !vector_is_null(eval->result, 0) && eval->result->as.booleans[0];
        for (uint32_t i = 0; keep && i < in->selected; i++)
            selection[i] = batch_row(in, i);
        *selected = keep ? in->selected : 0;
    } else {
        *selected = select_true(eval->result, in, selection);
    }
    return OK;
}
