/* Operands bound around an expression: computed once a row, looked at in several places.
 *
 * The places find the operand's eval when they are compiled, and its result when they run: it holds
 * a value at each row the binding is computed for, and they are computed for some of those. */
#include "sql/exec/exec_int.h"

/* Bindings around what is being compiled, the innermost first. */
struct operand {
    const struct operand *around;
    struct eval *value;
    uint32_t index;
};

static status_t bind_run(struct eval *eval, const struct batch *in, struct error *error)
{
    status_t status = exec__eval_run(eval->arguments[0], in, error);
    return status == OK ? exec__eval_column(eval->arguments[1], in, &eval->result, error) : status;
}

status_t exec__bind_compile(struct eval *eval, struct arena *scratch, struct error *error)
{
    const struct expr *expr = eval->expr;
    struct exec *exec = eval->exec;
    struct operand operand = {.around = exec->operands, .index = expr->index};
    ASSERT(expr->kind == EXPR_BIND && expr->argument_count == 2 && expr->is_volatile);
    eval->run = bind_run;
    eval->scratch = scratch;
    eval->argument_count = 2;
    eval->arguments = arena_alloc(exec->arena, 2 * sizeof(struct eval *));
    status_t status =
        exec__eval_compile(exec, expr->arguments[0], scratch, &eval->arguments[0], error);
    if (status != OK)
        return status;
    operand.value = eval->arguments[0];
    exec->operands = &operand;
    status = exec__eval_compile(exec, expr->arguments[1], scratch, &eval->arguments[1], error);
    exec->operands = operand.around;
    return status;
}

static status_t operand_run(struct eval *eval, const struct batch *in, struct error *error)
{
    (void)in;
    (void)error;
    const struct eval *value = eval->state;
    ASSERT(value->done && !value->constant && value->result);
    eval->result = value->result;
    return OK;
}

void exec__operand_compile(struct eval *eval)
{
    const struct operand *operand = eval->exec->operands;
    while (operand && operand->index != eval->expr->index)
        operand = operand->around;
    ASSERT(operand);
    eval->run = operand_run;
    eval->state = operand->value;
}
