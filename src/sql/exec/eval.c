/* Expressions over batches: compiling a tree of `struct expr` into a tree of `struct eval`, running
 * it, and what the kernels share.
 *
 * A batch may carry a selection; an expression is computed for the selected rows only, each result
 * at its row's own place, so that a column reference is free and results need no compaction.
 * Expressions that decide whether others are computed (AND, OR, CASE, COALESCE) narrow the
 * selection for those: a division by zero is an error only for rows that reach it.
 *
 * NULLs: a strict call unites the bitmaps of its arguments word by word and then computes all rows,
 * NULL or not, where computing does no harm. */
#include "sql/exec/exec_int.h"

#include <string.h>

static status_t column_run(struct eval *eval, const struct batch *in, struct error *error)
{
    (void)error;
    ASSERT(eval->expr->index < in->column_count);
    eval->result = &in->columns[eval->expr->index];
    return OK;
}

static void eval_set_constant(struct eval *eval, const struct value *value)
{
    exec__eval_prepare(eval, 1);
    vector_set(&eval->out, 0, value);
    eval->constant = true;
    eval->done = true;
    eval->result = &eval->out;
}

static status_t parameter_value(const struct exec *exec, const struct expr *expr, struct value *out,
                                struct error *error)
{
    const struct exec_context *context = &exec->context;
    if (expr->index >= context->parameter_count)
        return error_sql(error, "08P01", expr->position, "no value given for parameter $%u",
                         expr->index + 1);
    *out = context->parameters[expr->index];
    ASSERT(out->null || out->type == expr->type);
    out->type = expr->type;
    return OK;
}

static status_t compile_parameter(struct eval *eval, struct error *error)
{
    struct value value;
    status_t status = parameter_value(eval->exec, eval->expr, &value, error);
    if (status == OK)
        eval_set_constant(eval, &value);
    return status;
}

status_t exec__expr_value_any(struct exec *exec, const struct expr *expr, struct value *out,
                              struct error *error)
{
    if (expr->kind == EXPR_CONSTANT) {
        *out = expr->constant;
        return OK;
    }
    if (expr->kind == EXPR_PARAMETER)
        return parameter_value(exec, expr, out, error);
    if (expr->kind == EXPR_OUTER) {
        *out = exec->top->cells[expr->index];
        return OK;
    }
    struct eval *eval;
    status_t status = exec__eval_compile(exec, expr, exec->arena, &eval, error);
    return status == OK ? exec__eval_constant(eval, out, error) : status;
}

static eval_fn *call_kernel(const struct expr *expr)
{
    eval_fn *(*const files[])(const struct expr *) = {
        exec__compare_kernel, exec__number_kernel,  exec__bits_kernel,       exec__datetime_kernel,
        exec__bytes_kernel,   exec__numeric_kernel, exec__arithmetic_kernel, exec__text_kernel,
        exec__like_kernel,    exec__math_kernel,    exec__case_kernel,       exec__sequence_kernel,
        exec__string_kernel,  exec__real_kernel,    exec__copy_kernel,       exec__regex_kernel,
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        eval_fn *kernel = files[i](expr);
        if (kernel)
            return kernel;
    }
    return NULL;
}

static eval_fn *kernel_of(const struct expr *expr)
{
    switch (expr->kind) {
    case EXPR_COLUMN:
        return column_run;
    case EXPR_AND:
        return exec__and_run;
    case EXPR_OR:
        return exec__or_run;
    case EXPR_CALL:
        return call_kernel(expr);
    case EXPR_CASE:
        return exec__case_run;
    case EXPR_CAST:
        return exec__cast_run;
    case EXPR_IN:
        return exec__in_run;
    case EXPR_SUBQUERY:
        return exec__subquery_run;
    case EXPR_CONSTANT:
    case EXPR_PARAMETER:
    case EXPR_OUTER:
    case EXPR_BIND:
    case EXPR_OPERAND:
        break;
    }
    UNREACHABLE();
}

void exec__expr_columns(const struct expr *expr, bool *named)
{
    if (expr->kind == EXPR_COLUMN)
        named[expr->index] = true;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        exec__expr_columns(expr->arguments[i], named);
}

status_t exec__eval_compile(struct exec *exec, const struct expr *expr, struct arena *scratch,
                            struct eval **out, struct error *error)
{
    struct eval *eval = arena_zalloc(exec->arena, sizeof *eval);
    *out = eval;
    eval->expr = expr;
    eval->exec = exec;
    if (expr->kind == EXPR_CONSTANT) {
        eval_set_constant(eval, &expr->constant);
        return OK;
    }
    if (expr->kind == EXPR_PARAMETER)
        return compile_parameter(eval, error);
    if (expr->kind == EXPR_OUTER) {
        eval_set_constant(eval, &exec->top->cells[expr->index]);
        return OK;
    }
    if (expr->kind == EXPR_BIND)
        return exec__bind_compile(eval, scratch, error);
    if (expr->kind == EXPR_OPERAND) {
        exec__operand_compile(eval);
        return OK;
    }
    eval->run = kernel_of(expr);
    if (!eval->run)
        return error_sql(error, "0A000", expr->position, "function %s is not supported",
                         expr->name ? expr->name : "here");
    eval->argument_count = expr->argument_count;
    bool is_random =
        expr->kind == EXPR_CALL && (expr->call == CALL_RANDOM || expr->call == CALL_RANDOM_UUID);
    eval->constant = expr->kind != EXPR_COLUMN && !expr->is_volatile && !is_random;
    if (expr->argument_count) {
        status_t status = exec__eval_compile_all(exec, expr->arguments, expr->argument_count,
                                                 scratch, &eval->arguments, error);
        if (status != OK)
            return status;
    }
    for (uint32_t i = 0; i < eval->argument_count; i++)
        eval->constant = eval->constant && eval->arguments[i]->constant;
    /* A constant is computed once and must outlive the scratch arena's next reset. */
    eval->scratch = eval->constant ? exec->arena : scratch;
    return OK;
}

status_t exec__eval_compile_all(struct exec *exec, struct expr *const *exprs, uint32_t count,
                                struct arena *scratch, struct eval ***out, struct error *error)
{
    struct eval **evals = arena_alloc(exec->arena, count * sizeof(struct eval *));
    *out = evals;
    for (uint32_t i = 0; i < count; i++) {
        status_t status = exec__eval_compile(exec, exprs[i], scratch, &evals[i], error);
        if (status != OK)
            return status;
    }
    return OK;
}

status_t exec__eval_run(struct eval *eval, const struct batch *in, struct error *error)
{
    ASSERT(in->selected > 0 && in->selected <= in->row_count);
    if (eval->constant) {
        if (eval->done)
            return OK;
        in = &eval->exec->one_row;
    }
    eval->result = &eval->out;
    status_t status = eval->run(eval, in, error);
    eval->done = status == OK;
    return status;
}

/* data[i] = data[0]. */
static void spread(struct vector *vector, uint32_t rows)
{
    switch (type_storage(vector->type)) {
    case SQL_BOOLEAN:
        memset(vector->as.booleans, vector->as.booleans[0], rows);
        break;
    case SQL_INTEGER:
    case SQL_DOUBLE:
        for (uint32_t i = 1; i < rows; i++)
            vector->as.integers[i] = vector->as.integers[0];
        break;
    case SQL_TEXT:
        for (uint32_t i = 1; i < rows; i++)
            vector->as.texts[i] = vector->as.texts[0];
        break;
    default:
        for (uint32_t i = 1; i < rows; i++)
            exec__entry_copy(vector, i, vector, 0);
        break;
    }
}

status_t exec__eval_column(struct eval *eval, const struct batch *in, const struct vector **result,
                           struct error *error)
{
    status_t status = exec__eval_run(eval, in, error);
    if (status != OK)
        return status;
    *result = eval->result;
    if (!eval->constant || in->row_count == 1)
        return OK;
    /* The constant's own vector grows into a full one; its value stays at row 0. */
    struct value value = vector_get(eval->result, 0);
    exec__eval_prepare(eval, in->row_count);
    eval->result = &eval->out;
    if (value.null) {
        exec__vector_null_all(&eval->out, in->row_count);
    } else {
        vector_set(&eval->out, 0, &value);
        spread(&eval->out, in->row_count);
    }
    *result = eval->result;
    return OK;
}

status_t exec__eval_constant(struct eval *eval, struct value *out, struct error *error)
{
    status_t status = exec__eval_run(eval, &eval->exec->one_row, error);
    if (status != OK)
        return status;
    *out = vector_get(eval->result, 0);
    return OK;
}

void exec__eval_prepare(struct eval *eval, uint32_t rows)
{
    ASSERT(rows > 0 && rows <= BATCH_ROWS_MAX);
    if (eval->out.capacity < rows)
        vector_init(&eval->out, eval->exec->arena, eval->expr->type,
                    exec__capacity(eval->exec, rows));
    ASSERT(eval->out.capacity >= rows);
    if (eval->out.has_nulls)
        memset(eval->out.nulls, 0, (eval->out.capacity + 63) / 64 * sizeof(uint64_t));
    eval->out.has_nulls = false;
}

void exec__eval_selections(struct eval *eval, uint32_t rows)
{
    if (eval->selection_capacity >= rows)
        return;
    uint32_t capacity = exec__capacity(eval->exec, rows);
    ASSERT(capacity >= rows);
    for (int i = 0; i < 2; i++)
        eval->selections[i] = arena_alloc(eval->exec->arena, capacity * sizeof(uint32_t));
    eval->selection_capacity = capacity;
}

status_t exec__eval_strict(struct eval *eval, const struct batch *in, bool *all_null,
                           struct error *error)
{
    struct vector *out = &eval->out;
    *all_null = false;
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        status_t status = exec__eval_run(eval->arguments[i], in, error);
        if (status != OK)
            return status;
    }
    exec__eval_prepare(eval, in->row_count);
    uint32_t words = (in->row_count + 63) / 64;
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        const struct eval *argument = eval->arguments[i];
        if (!argument->result->has_nulls)
            continue;
        if (argument->constant) {
            if (!vector_is_null(argument->result, 0))
                continue;
            exec__vector_null_all(out, in->row_count);
            *all_null = true;
            return OK;
        }
        for (uint32_t w = 0; w < words; w++)
            out->nulls[w] |= argument->result->nulls[w];
        out->has_nulls = true;
    }
    return OK;
}

status_t exec__eval_rows(struct eval *eval, const struct batch *in, eval_row_fn *function,
                         struct error *error)
{
    /* A helper's own share is what it may collect: a batch must not fail for who works it off. */
    const struct exec *statement = eval->exec->leader ? eval->exec->leader : eval->exec;
    size_t before = eval->scratch->used;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        if (vector_is_null(&eval->out, row)) {
            vector_set_null(&eval->out, row); /* a harmless value under it */
            continue;
        }
        status_t status = exec__cancel_check(eval->exec, error);
        if (status == OK)
            status = function(eval, row, error);
        if (status != OK)
            return status;
        if (eval->scratch->used - before > statement->memory_budget)
            return error_set(error, ERR_NOMEM, "out of memory: text of one batch is too large");
    }
    return OK;
}
