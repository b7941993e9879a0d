/* Opening, pulling and closing a tree of operators; what they share of the context. */
#include "sql/exec/exec_int.h"

#include <string.h>

typedef status_t open_fn(struct exec *, const struct plan *, struct operator**, struct error *);

static open_fn *const open_functions[] = {
    [PLAN_VALUES] = exec__values_open,
    [PLAN_SCAN] = exec__scan_open,
    [PLAN_FILTER] = exec__filter_open,
    [PLAN_KEY_FILTER] = exec__key_filter_open,
    [PLAN_PROJECT] = exec__project_open,
    [PLAN_HASH_JOIN] = exec__hash_join_open,
    [PLAN_NESTED_LOOP_JOIN] = exec__nested_loop_open,
    [PLAN_LOOKUP_JOIN] = exec__lookup_join_open,
    [PLAN_MERGE_JOIN] = exec__merge_join_open,
    [PLAN_AGGREGATE] = exec__aggregate_open,
    [PLAN_WINDOW] = exec__window_open,
    [PLAN_SORT] = exec__sort_open,
    [PLAN_TOP_N] = exec__top_n_open,
    [PLAN_LIMIT] = exec__limit_open,
    [PLAN_DISTINCT] = exec__distinct_open,
    [PLAN_APPEND] = exec__append_open,
    [PLAN_LATERAL_JOIN] = exec__lateral_join_open,
    [PLAN_SERIES] = exec__series_open,
    [PLAN_COPY] = exec__copy_open,
    [PLAN_RECURSIVE] = exec__recursive_open,
    [PLAN_WORKING] = exec__working_open,
    [PLAN_COMMON] = exec__common_open,
    [PLAN_INTERSECT] = exec__set_open,
    [PLAN_EXCEPT] = exec__set_open,
    [PLAN_INSERT] = exec__modify_open,
    [PLAN_UPDATE] = exec__modify_open,
    [PLAN_DELETE] = exec__modify_open,
};

/* ---- what operators use ------------------------------------------------------------------------
 */

void *exec__operator_create(struct exec *exec, const struct plan *plan,
                            const struct operator_ops *ops, size_t size)
{
    ASSERT(size >= sizeof(struct operator));
    struct operator* op = arena_zalloc(exec->arena, size);
    op->ops = ops;
    op->exec = exec;
    op->plan = plan;
    op->opened_before = exec->opened;
    exec->opened = op;
    return op;
}

/* What becomes of the rows of a node's inputs decides whether several threads shall read them. */
static void inputs_prepare(struct exec *exec, const struct plan *plan)
{
    switch (plan->kind) {
    case PLAN_LIMIT:
        exec->few_wanted |= plan->as.limit.limit != NULL;
        break;
    case PLAN_AGGREGATE:
        exec->few_wanted = false;
        if (!exec__aggregate_in_runs(exec, plan) &&
            exec__aggregate_is_parallel(plan)) /* it has the threads itself */
            exec->gathered = exec__parallel_scan(plan->left);
        break;
    case PLAN_TOP_N: /* drops most rows sooner than they could be handed on */
        exec->gathered = exec__parallel_scan(plan->left);
        break;
    case PLAN_SORT:
        exec->few_wanted = false;
        break;
    default:
        break;
    }
}

status_t exec__operator_open(struct exec *exec, const struct plan *plan, struct operator** out,
                             struct error *error)
{
    ASSERT((size_t)plan->kind < sizeof open_functions / sizeof *open_functions);
    if (!exec->may_gather)
        return open_functions[plan->kind](exec, plan, out, error);
    if (exec__gather_wanted(exec, plan))
        return exec__gather_open(exec, plan, out, error);
    const struct plan *gathered = exec->gathered;
    bool few_wanted = exec->few_wanted;
    inputs_prepare(exec, plan);
    status_t status = open_functions[plan->kind](exec, plan, out, error);
    exec->gathered = gathered;
    exec->few_wanted = few_wanted;
    return status;
}

status_t exec__operator_next(struct operator* op, struct batch **batch, struct error *error)
{
    struct exec *exec = op->exec;
    *batch = NULL;
    status_t status = exec__cancel_check(exec, error);
    if (status != OK)
        return status;
    if (!exec->context.measure) {
        status = op->ops->next(op, batch, error);
    } else {
        uint64_t start_us = env_monotonic_us(exec->context.env);
        struct operator* above = exec->top->at_work;
        exec->top->at_work = op;
        status = op->ops->next(op, batch, error);
        exec->top->at_work = above;
        op->figures.time_us += env_monotonic_us(exec->context.env) - start_us;
        op->figures.batches += *batch != NULL;
        op->figures.rows += *batch ? (*batch)->selected : 0;
    }
    ASSERT(status != OK || !*batch || (*batch)->selected > 0);
    return status;
}

bool exec__text_is_stable(const struct plan *plan, uint32_t column)
{
    ASSERT(column < plan->column_count);
    switch (plan->kind) {
    case PLAN_SCAN:
        return !plan->as.scan.index_only;
    case PLAN_FILTER:
    case PLAN_KEY_FILTER:
    case PLAN_LIMIT:
    case PLAN_DISTINCT:
    case PLAN_INTERSECT:
    case PLAN_EXCEPT:
        return exec__text_is_stable(plan->left, column);
    case PLAN_APPEND:
        return exec__text_is_stable(plan->left, column) &&
               exec__text_is_stable(plan->right, column);
    case PLAN_PROJECT: {
        const struct expr *expr = plan->as.project.exprs[column];
        if (expr->kind == EXPR_COLUMN)
            return exec__text_is_stable(plan->left, expr->index);
        return expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER;
    }
    case PLAN_WINDOW:
    case PLAN_LATERAL_JOIN:
        return column < plan->left->column_count && exec__text_is_stable(plan->left, column);
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP_JOIN:
    case PLAN_LOOKUP_JOIN:
    case PLAN_MERGE_JOIN:
        if (column < plan->left->column_count)
            return exec__text_is_stable(plan->left, column);
        /* The others keep their right side in a collection. */
        return (plan->kind != PLAN_LOOKUP_JOIN && plan->kind != PLAN_MERGE_JOIN) ||
               exec__text_is_stable(plan->right, column - plan->left->column_count);
    case PLAN_AGGREGATE: { /* in what it collected, kept until it is closed, but with an order */
        if (column < plan->as.aggregate.group_count)
            return !plan->as.aggregate.grouped; /* else kept until the next ones go out */
        const struct aggregate *aggregate =
            &plan->as.aggregate.aggregates[column - plan->as.aggregate.group_count];
        return aggregate->order_count == 0 && !aggregate_is_ordered_set(aggregate->kind);
    }
    /* A sort may read its rows from a file, and then keeps them for one batch. */
    default:
        return false;
    }
}

status_t exec__cancel_check(const struct exec *exec, struct error *error)
{
    const atomic_bool *cancel = exec->context.cancel;
    if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
        return error_set(error, ERR_CANCELED, "canceling statement due to user request");
    return OK;
}

status_t exec__memory_charge(struct exec *exec, size_t bytes, struct error *error)
{
    exec = exec->top;
    exec->memory_used += bytes;
    struct operator* op = exec->at_work;
    if (op) {
        op->memory += bytes;
        if (op->figures.memory < op->memory)
            op->figures.memory = op->memory;
    }
    if (exec->memory_used <= exec->memory_budget)
        return OK;
    error_set(error, ERR_NOMEM, "out of memory: statement needs more than %zu bytes",
              exec->memory_budget);
    error_hint(error, "Select less at once, or raise work_mem.");
    return ERR_NOMEM;
}

void exec__memory_release(struct exec *exec, size_t bytes)
{
    exec = exec->top;
    ASSERT(bytes <= exec->memory_used);
    exec->memory_used -= bytes;
    struct operator* op = exec->at_work;
    if (op)
        op->memory -= bytes < op->memory ? bytes : op->memory;
}

/* ---- the room's interface ----------------------------------------------------------------------
 */

void exec__init(struct exec *exec, const struct exec_context *context)
{
    ASSERT(context->arena);
    ASSERT(context->batch_rows <= BATCH_ROWS_MAX);
    exec->context = *context;
    exec->top = exec;
    exec->arena = context->arena;
    exec->batch_rows = context->batch_rows ? context->batch_rows : BATCH_ROWS_MAX;
    exec->memory_budget = context->memory_budget ? context->memory_budget : EXEC_MEMORY_DEFAULT;
    exec->one_row = (struct batch){.row_count = 1, .selected = 1};
}

void exec__init_inner(struct exec *exec, struct exec *top, struct arena *arena)
{
    struct exec_context context = top->context;
    ASSERT(top->top == top);
    context.arena = arena;
    exec__init(exec, &context);
    exec->top = top;
}

status_t exec_open(const struct planned *planned, const struct exec_context *context,
                   struct exec **out, struct error *error)
{
    struct exec *exec = arena_zalloc(context->arena, sizeof *exec);
    *out = NULL;
    exec__init(exec, context);
    exec->takes_values = planned->nextval_count > 0;
    for (uint32_t i = 0; i < planned->nextval_count; i++)
        exec->takes_unnamed |= planned->nextvals[i].name == NULL;
    exec->plan = planned->root;
    exec->may_gather = env_crew_threads(context->crew) > 0 && context->threads_max != 1 &&
                       !planned->writes && planned->root->kind < PLAN_INSERT &&
                       planned->nextval_count == 0 && !planned->is_short;
    exec->subquery_count = planned->subplan_count;
    exec->subqueries =
        arena_zalloc(context->arena, (planned->subplan_count + 1) * sizeof(struct subquery *));
    exec->common_count = planned->common_count;
    exec->commons =
        arena_zalloc(context->arena, (planned->common_count + 1) * sizeof(struct common *));
    exec->workings =
        arena_zalloc(context->arena, (planned->working_count + 1) * sizeof(struct row_store *));
    exec->cells = arena_zalloc(context->arena, (planned->cell_count + 1) * sizeof *exec->cells);
    status_t status = exec__operator_open(exec, planned->root, &exec->root, error);
    if (status != OK) {
        exec_close(exec);
        return status;
    }
    *out = exec;
    return OK;
}

status_t exec_next(struct exec *exec, struct batch **batch, struct error *error)
{
    ASSERT(exec && exec->root);
    *batch = NULL;
    if (exec->failed != OK)
        return error_set(error, exec->failed, "statement has failed before");
    exec->failed = exec__operator_next(exec->root, batch, error);
    return exec->failed;
}

bool exec_has_written(const struct exec *exec)
{
    return exec->written;
}

uint64_t exec_rows_affected(const struct exec *exec)
{
    return exec->rows_affected;
}

bool exec_figures(const struct exec *exec, const struct plan *node, struct exec_figures *out)
{
    if (!exec->context.measure)
        return false;
    /* Operators stay listed until exec_close. */
    for (const struct operator* op = exec->opened; op; op = op->opened_before) {
        if (op->plan == node) {
            *out = op->figures;
            return true;
        }
    }
    for (uint32_t i = 0; i < exec->measured_count; i++) {
        if (exec->measured[i].plan == node) {
            *out = exec->measured[i].figures;
            return true;
        }
    }
    return false;
}

static void note_figures(struct exec *top, const struct operator* op)
{
    struct exec_measured *measured = NULL;
    for (uint32_t i = 0; i < top->measured_count && !measured; i++) {
        if (top->measured[i].plan == op->plan)
            measured = &top->measured[i];
    }
    if (!measured) {
        top->measured = arena_grow(top->arena, top->measured, &top->measured_capacity,
                                   top->measured_count + 1, sizeof *top->measured);
        measured = &top->measured[top->measured_count++];
        *measured = (struct exec_measured){.plan = op->plan};
    }
    measured->figures.rows += op->figures.rows;
    measured->figures.batches += op->figures.batches;
    measured->figures.time_us += op->figures.time_us;
    measured->figures.spilled += op->figures.spilled;
    measured->figures.parts += op->figures.parts;
    if (measured->figures.threads < op->figures.threads)
        measured->figures.threads = op->figures.threads;
    if (measured->figures.memory < op->figures.memory)
        measured->figures.memory = op->figures.memory;
}

void exec__operators_close(struct exec *exec)
{
    for (struct operator* op = exec->opened; op; op = op->opened_before) {
        if (exec->context.measure && exec != exec->top)
            note_figures(exec->top, op);
        if (op->ops->close)
            op->ops->close(op);
    }
    exec->opened = NULL;
}

void exec_close(struct exec *exec)
{
    if (!exec)
        return;
    exec__operators_close(exec);
    exec__subqueries_close(exec);
    exec__commons_close(exec);
    ASSERT(exec->memory_used == 0);
}

status_t exec_constant(const struct expr *expr, const struct exec_context *context,
                       struct value *out, struct error *error)
{
    struct exec *exec = arena_zalloc(context->arena, sizeof *exec);
    exec__init(exec, context);
    struct eval *eval;
    status_t status = exec__eval_compile(exec, expr, context->arena, &eval, error);
    return status == OK ? exec__eval_constant(eval, out, error) : status;
}
