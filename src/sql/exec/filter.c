/* Filter and project. Both pass columns on without copying: a filter adds a selection, a projection
 * puts its results' vectors side by side. */
#include "sql/exec/late_int.h"

struct filter {
    struct operator op;
    struct eval *predicate;
    struct late *late; /* what is read of the rows that pass */
    struct arena scratch;
    uint32_t *selection;
    uint32_t selection_capacity;
    struct batch out;
};

static status_t filter_next(struct operator* op, struct batch **out, struct error *error)
{
    struct filter *filter = (struct filter *)op;
    for (;;) {
        struct batch *in;
        status_t status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        arena_reset(&filter->scratch);
        if (filter->selection_capacity < in->row_count) {
            filter->selection_capacity = exec__capacity(op->exec, in->row_count);
            filter->selection =
                arena_alloc(op->exec->arena, filter->selection_capacity * sizeof(uint32_t));
        }
        filter->out = *in;
        status = exec__eval_filter(filter->predicate, in, filter->selection, &filter->out.selected,
                                   error);
        if (status != OK)
            return status;
        if (filter->out.selected == 0)
            continue;
        if (filter->out.selected < in->row_count)
            filter->out.selection = filter->selection;
        *out = &filter->out;
        return exec__late_fill(filter->late, filter->out.selection, filter->out.selected, error);
    }
}

static void filter_close(struct operator* op)
{
    arena_free(&((struct filter *)op)->scratch);
}

/* ---- the order of conditions -------------------------------------------------------------------
 *
 * AND asks its conditions in turn, each of the rows that are left. Those that stand beside each
 * other and cannot fail may change places, and then the cheap ones are asked first. */

static bool is_known(const struct expr *expr)
{
    return expr->kind == EXPR_CONSTANT && !expr->constant.null;
}

/* Calls with constants that do not make them fail, and what they take beside their first argument;
 * 0: another call. */
static uint32_t harmless_cost(const struct expr *expr)
{
    enum { LIKE_COST = 16, PART_COST = 8 };
    struct expr *const *arguments = expr->arguments;
    for (uint32_t i = 1; i < expr->argument_count; i++) {
        if (!is_known(arguments[i]))
            return 0;
    }
    if (expr->call == CALL_LIKE && expr->argument_count == 2) {
        struct slice pattern = arguments[1]->constant.as.text;
        bool ends = pattern.size > 0 && pattern.data[pattern.size - 1] == '\\';
        return ends ? 0 : LIKE_COST;
    }
    if (expr->call != CALL_SUBSTRING || arguments[0]->type != SQL_TEXT ||
        arguments[1]->type != SQL_INTEGER)
        return 0;
    return expr->argument_count == 2 || arguments[2]->constant.as.integer >= 0 ? PART_COST : 0;
}

/* Of a list of constants that becomes a set; 0: another list. */
static uint32_t set_cost(const struct expr *in)
{
    bool is_text = type_storage(in->arguments[0]->type) == SQL_TEXT;
    for (uint32_t i = 1; i < in->argument_count; i++) {
        if (in->arguments[i]->kind != EXPR_CONSTANT)
            return 0;
    }
    return is_text ? 4 : type_storage(in->arguments[0]->type) == SQL_INTEGER;
}

/* How long it takes to ask, about; 0: it might fail, or must not be moved. */
static uint32_t safe_cost(const struct expr *expr)
{
    uint32_t cost = 0;
    bool is_text = false;
    if (expr->is_volatile)
        return 0;
    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_CONSTANT:
    case EXPR_PARAMETER:
    case EXPR_OUTER:
        return 1;
    case EXPR_AND:
    case EXPR_OR:
        break;
    case EXPR_IN:
        if (set_cost(expr) > 0) {
            uint32_t operand = safe_cost(expr->arguments[0]);
            return operand > 0 ? operand + set_cost(expr) : 0;
        }
        break;
    case EXPR_CALL:
        if (expr->call == CALL_NOT || exec__compare_kernel(expr))
            break;
        if (harmless_cost(expr) > 0) {
            uint32_t operand = safe_cost(expr->arguments[0]);
            return operand > 0 ? operand + harmless_cost(expr) : 0;
        }
        return 0;
    default:
        return 0;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        uint32_t argument = safe_cost(expr->arguments[i]);
        if (argument == 0)
            return 0;
        cost += argument;
        is_text |= type_storage(expr->arguments[i]->type) != SQL_INTEGER &&
                   expr->arguments[i]->type != SQL_BOOLEAN;
    }
    return is_text ? 4 * cost : cost + 1;
}

static void conditions_order(struct eval *predicate)
{
    if (predicate->expr->kind != EXPR_AND || predicate->constant)
        return;
    struct eval **conditions = predicate->arguments;
    for (uint32_t i = 1; i < predicate->argument_count; i++) {
        struct eval *condition = conditions[i];
        uint32_t cost = safe_cost(condition->expr);
        uint32_t at = i;
        for (; cost > 0 && at > 0 && safe_cost(conditions[at - 1]->expr) > cost; at--)
            conditions[at] = conditions[at - 1];
        conditions[at] = condition;
    }
}

struct late *exec__filter_leave(struct operator* op, const bool *early)
{
    struct filter *filter = (struct filter *)op;
    ASSERT(op->plan->kind == PLAN_FILTER);
    return exec__late_split(&filter->late, early);
}

static const struct operator_ops filter_ops = {filter_next, filter_close};

status_t exec__filter_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    struct filter *filter = exec__operator_create(exec, plan, &filter_ops, sizeof *filter);
    *out = &filter->op;
    status_t status = exec__operator_open(exec, plan->left, &filter->op.left, error);
    if (status != OK)
        return status;
    bool *early = arena_zalloc(exec->arena, plan->column_count * sizeof *early);
    exec__expr_columns(plan->as.filter.predicate, early);
    filter->late = exec__late_leave(filter->op.left, early);
    status = exec__eval_compile(exec, plan->as.filter.predicate, &filter->scratch,
                                &filter->predicate, error);
    if (status == OK)
        conditions_order(filter->predicate);
    return status;
}

struct project {
    struct operator op;
    struct eval **exprs;
    struct arena scratch;
    struct batch out;
};

static status_t project_next(struct operator* op, struct batch **out, struct error *error)
{
    struct project *project = (struct project *)op;
    struct batch *in;
    status_t status = exec__operator_next(op->left, &in, error);
    if (status != OK || !in)
        return status;
    arena_reset(&project->scratch);
    for (uint32_t i = 0; i < project->out.column_count; i++) {
        const struct vector *result;
        status = exec__eval_column(project->exprs[i], in, &result, error);
        if (status != OK)
            return status;
        project->out.columns[i] = *result;
    }
    project->out.row_count = in->row_count;
    project->out.selection = in->selection;
    project->out.selected = in->selected;
    *out = &project->out;
    return OK;
}

static void project_close(struct operator* op)
{
    arena_free(&((struct project *)op)->scratch);
}

static const struct operator_ops project_ops = {project_next, project_close};

status_t exec__project_open(struct exec *exec, const struct plan *plan, struct operator** out,
                            struct error *error)
{
    struct project *project = exec__operator_create(exec, plan, &project_ops, sizeof *project);
    *out = &project->op;
    project->out.column_count = plan->column_count;
    project->out.columns = arena_alloc(exec->arena, plan->column_count * sizeof(struct vector));
    status_t status = exec__operator_open(exec, plan->left, &project->op.left, error);
    if (status != OK)
        return status;
    return exec__eval_compile_all(exec, plan->as.project.exprs, plan->column_count,
                                  &project->scratch, &project->exprs, error);
}
