/* nextval, currval, lastval, setval: row by row, in the order of the rows. */
#include "sql/exec/exec_int.h"

static status_t call_one(const struct eval *eval, uint32_t row, int64_t *out, struct error *error)
{
    const struct exec_sequences *sequences = eval->exec->context.sequences;
    if (eval->expr->call == CALL_LASTVAL)
        return sequences->lastval(sequences->context, out, error);
    struct slice name = exec__eval_text(eval->arguments[0], row);
    if (eval->expr->call == CALL_NEXTVAL)
        return sequences->nextval(sequences->context, name, out, error);
    if (eval->expr->call == CALL_CURRVAL)
        return sequences->currval(sequences->context, name, out, error);
    ASSERT(eval->expr->call == CALL_SETVAL);
    *out = exec__eval_integer(eval->arguments[1], row);
    bool called = true;
    if (eval->argument_count == 3) {
        const struct eval *flag = eval->arguments[2];
        called = vector_get(flag->result, exec__eval_row(flag, row)).as.boolean;
    }
    return sequences->setval(sequences->context, name, *out, called, error);
}

static status_t sequence_run(struct eval *eval, const struct batch *in, struct error *error)
{
    bool all_null;
    status_t status = exec__eval_strict(eval, in, &all_null, error);
    if (status != OK || all_null)
        return status;
    if (!eval->exec->context.sequences)
        return error_sql(error, "0A000", eval->expr->position, "there are no sequences here");
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        uint32_t row = batch_row(in, i);
        if (!vector_is_null(&eval->out, row))
            status = call_one(eval, row, &eval->out.as.integers[row], error);
    }
    return status;
}

eval_fn *exec__sequence_kernel(const struct expr *expr)
{
    bool is_sequence = expr->call >= CALL_NEXTVAL && expr->call <= CALL_LASTVAL;
    return is_sequence ? sequence_run : NULL;
}
