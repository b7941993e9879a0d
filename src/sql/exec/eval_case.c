/* What is computed only for the rows that need it: CASE, COALESCE, NULLIF, GREATEST, LEAST; and
 * CAST. */
#include "sql/exec/exec_int.h"

#include <string.h>

#include "base/check.h"

/* Computes `branch` for the rows of `open` and puts the results at their places. */
static status_t branch_run(struct eval *eval, struct eval *branch, const struct batch *open,
                           struct error *error)
{
    if (open->selected == 0)
        return OK;
    status_t status = exec__eval_run(branch, open, error);
    if (status == OK)
        exec__vector_scatter(&eval->out, branch->result, branch->constant, open);
    return status;
}

status_t exec__case_run(struct eval *eval, const struct batch *in, struct error *error)
{
    ASSERT(eval->argument_count % 2 == 1);
    exec__eval_prepare(eval, in->row_count);
    exec__eval_selections(eval, in->row_count);
    struct batch open = *in;
    struct batch hit = *in;
    hit.selection = eval->selections[0];
    for (uint32_t i = 0; i + 1 < eval->argument_count && open.selected > 0; i += 2) {
        status_t status =
            exec__eval_filter(eval->arguments[i], &open, hit.selection, &hit.selected, error);
        if (status == OK)
            status = branch_run(eval, eval->arguments[i + 1], &hit, error);
        if (status != OK)
            return status;
        /* What is left: open without hit; both ascend. */
        uint32_t *left = eval->selections[1];
        uint32_t count = 0, taken = 0;
        for (uint32_t k = 0; k < open.selected; k++) {
            uint32_t row = batch_row(&open, k);
            if (taken < hit.selected && hit.selection[taken] == row)
                taken++;
            else
                left[count++] = row;
        }
        open.selection = left;
        open.selected = count;
    }
    return branch_run(eval, eval->arguments[eval->argument_count - 1], &open, error);
}

static status_t coalesce_run(struct eval *eval, const struct batch *in, struct error *error)
{
    exec__eval_prepare(eval, in->row_count);
    exec__eval_selections(eval, in->row_count);
    struct batch open = *in;
    struct batch hit = *in;
    hit.selection = eval->selections[0];
    for (uint32_t i = 0; i < eval->argument_count && open.selected > 0; i++) {
        struct eval *argument = eval->arguments[i];
        status_t status = exec__eval_run(argument, &open, error);
        if (status != OK)
            return status;
        uint32_t *left = eval->selections[1];
        uint32_t count = 0;
        hit.selected = 0;
        for (uint32_t k = 0; k < open.selected; k++) {
            uint32_t row = batch_row(&open, k);
            if (exec__eval_null(argument, row))
                left[count++] = row;
            else
                hit.selection[hit.selected++] = row;
        }
        exec__vector_scatter(&eval->out, argument->result, argument->constant, &hit);
        open.selection = left;
        open.selected = count;
    }
    for (uint32_t k = 0; k < open.selected; k++)
        vector_set_null(&eval->out, batch_row(&open, k));
    return OK;
}

static status_t nullif_run(struct eval *eval, const struct batch *in, struct error *error)
{
    struct eval *a = eval->arguments[0];
    struct eval *b = eval->arguments[1];
    status_t status = exec__eval_run(a, in, error);
    if (status == OK)
        status = exec__eval_run(b, in, error);
    if (status != OK)
        return status;
    exec__eval_prepare(eval, in->row_count);
    exec__vector_scatter(&eval->out, a->result, a->constant, in);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (!exec__eval_null(a, row) && !exec__eval_null(b, row) &&
            exec__entries_equal(a->result, exec__eval_row(a, row), b->result,
                                exec__eval_row(b, row)))
            vector_set_null(&eval->out, row);
    }
    return OK;
}

/* GREATEST and LEAST skip NULLs; NULL only when all are. */
static status_t extreme_run(struct eval *eval, const struct batch *in, struct error *error)
{
    for (uint32_t k = 0; k < eval->argument_count; k++) {
        status_t status = exec__eval_run(eval->arguments[k], in, error);
        if (status != OK)
            return status;
    }
    exec__eval_prepare(eval, in->row_count);
    bool greatest = eval->expr->call == CALL_GREATEST;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        struct value best = value_null(eval->out.type);
        for (uint32_t k = 0; k < eval->argument_count; k++) {
            const struct eval *argument = eval->arguments[k];
            struct value value = vector_get(argument->result, exec__eval_row(argument, row));
            if (value.null)
                continue;
            if (best.null || (value_compare(&value, &best) > 0) == greatest)
                best = value;
        }
        vector_set(&eval->out, row, &best);
    }
    return OK;
}

eval_fn *exec__case_kernel(const struct expr *expr)
{
    switch (expr->call) {
    case CALL_COALESCE:
        return coalesce_run;
    case CALL_NULLIF:
        return nullif_run;
    case CALL_GREATEST:
    case CALL_LEAST:
        return extreme_run;
    default:
        return NULL;
    }
}

/* ---- CAST --------------------------------------------------------------------------------------
 */

status_t exec__cast_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    const struct eval *argument = eval->arguments[0];
    struct vector *out = &eval->out;
    struct type_spec spec = {.kind = out->type, .length_max = eval->expr->cast_limit};
    struct clock clock = exec__clock(eval->exec);
    if (out->type == SQL_DOUBLE && argument->result->type == SQL_INTEGER) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = batch_row(in, i);
            out->as.reals[row] = (double)exec__eval_integer(argument, row);
        }
        return OK;
    }
    if (out->type == SQL_NUMERIC && argument->result->type == SQL_INTEGER && !spec.length_max) {
        for (uint32_t i = 0; i < in->selected; i++) {
            uint32_t row = batch_row(in, i);
            out->as.numerics[row] = numeric_from_integer(exec__eval_integer(argument, row));
        }
        return OK;
    }
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(out, row)) {
            vector_set_null(out, row);
            continue;
        }
        struct value from = vector_get(argument->result, exec__eval_row(argument, row));
        struct value to;
        status = value_cast_at(&from, out->type, &clock, eval->scratch, eval->expr->position, &to,
                               error);
        if (status == OK)
            status = value_fit(&to, spec, eval->expr->position, error);
        if (status != OK)
            return status;
        vector_set(out, row, &to);
    }
    return OK;
}
