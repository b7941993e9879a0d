/* Lateral join: the right side is opened anew for each left row, in an arena that is emptied for
 * the next one, with the row's values in the statement's cells. */
#include "sql/exec/exec_int.h"

struct lateral_join {
    struct operator op;
    struct exec exec; /* runs the right side */
    struct arena arena;
    struct operator* right; /* of this left row; NULL: not open */
    struct eval **values;
    const struct vector **vectors; /* their results for the left batch */
    struct eval *condition;        /* or NULL */
    struct arena scratch;
    struct arena condition_scratch;
    struct batch *left;
    uint32_t left_at;
    bool matched; /* the left row has come out */
    uint32_t *rows;
    uint32_t *selection;
    struct batch *out;
};

static void right_close(struct lateral_join *join)
{
    exec__operators_close(&join->exec);
    arena_reset(&join->arena);
    join->right = NULL;
}

static status_t left_take(struct lateral_join *join, struct error *error)
{
    status_t status = exec__operator_next(join->op.left, &join->left, error);
    join->left_at = 0;
    if (status != OK || !join->left)
        return status;
    arena_reset(&join->scratch);
    for (uint32_t i = 0; i < join->op.plan->as.lateral.cell_count && status == OK; i++)
        status = exec__eval_column(join->values[i], join->left, &join->vectors[i], error);
    return status;
}

static status_t right_open(struct lateral_join *join, struct error *error)
{
    const struct plan *plan = join->op.plan;
    uint32_t row = batch_row(join->left, join->left_at);
    struct value *cells = join->exec.top->cells;
    for (uint32_t i = 0; i < plan->as.lateral.cell_count; i++)
        cells[plan->as.lateral.cells[i]] = vector_get(join->vectors[i], row);
    join->matched = false;
    return exec__operator_open(&join->exec, plan->right, &join->right, error);
}

/* The left row beside the rows of a right batch; NULL: beside none. */
static void pair(struct lateral_join *join, const struct batch *right)
{
    const struct plan *plan = join->op.plan;
    uint32_t left_columns = plan->left->column_count;
    uint32_t count = right ? right->selected : 1;
    exec__batch_prepare(join->op.exec, &join->out, plan->types, plan->column_count, count);
    for (uint32_t i = 0; i < count; i++)
        join->rows[i] = batch_row(join->left, join->left_at);
    for (uint32_t c = 0; c < left_columns; c++)
        exec__vector_gather(&join->out->columns[c], 0, &join->left->columns[c], join->rows, count);
    for (uint32_t c = left_columns; c < plan->column_count; c++) {
        struct vector *vector = &join->out->columns[c];
        if (right)
            exec__vector_gather(vector, 0, &right->columns[c - left_columns], right->selection,
                                count);
        else
            vector_set_null(vector, 0);
    }
    join->out->row_count = join->out->selected = count;
}

/* One batch of the right side; *out of what comes out of it. */
static status_t right_take(struct lateral_join *join, struct batch **out, struct error *error)
{
    struct batch *right;
    status_t status = exec__operator_next(join->right, &right, error);
    if (status != OK)
        return status;
    if (!right) {
        right_close(join);
        if (join->op.plan->as.lateral.kind == JOIN_LEFT && !join->matched) {
            pair(join, NULL);
            *out = join->out;
        }
        join->left_at++;
        return OK;
    }
    pair(join, right);
    if (join->condition) {
        uint32_t selected;
        arena_reset(&join->condition_scratch);
        status = exec__eval_filter(join->condition, join->out, join->selection, &selected, error);
        join->out->selection = join->selection;
        join->out->selected = selected;
    }
    if (status == OK && join->out->selected > 0) {
        join->matched = true;
        *out = join->out;
    }
    return status;
}

static status_t lateral_join_next(struct operator* op, struct batch **out, struct error *error)
{
    struct lateral_join *join = (struct lateral_join *)op;
    for (;;) {
        status_t status;
        if (join->right)
            status = right_take(join, out, error);
        else if (join->left && join->left_at < join->left->selected)
            status = right_open(join, error);
        else if ((status = left_take(join, error)) == OK && !join->left)
            return OK;
        if (status != OK || *out)
            return status;
    }
}

static void lateral_join_close(struct operator* op)
{
    struct lateral_join *join = (struct lateral_join *)op;
    right_close(join);
    arena_free(&join->arena);
    arena_free(&join->scratch);
    arena_free(&join->condition_scratch);
}

static const struct operator_ops lateral_join_ops = {lateral_join_next, lateral_join_close};

status_t exec__lateral_join_open(struct exec *exec, const struct plan *plan, struct operator** out,
                                 struct error *error)
{
    struct lateral_join *join = exec__operator_create(exec, plan, &lateral_join_ops, sizeof *join);
    uint32_t cells = plan->as.lateral.cell_count;
    *out = &join->op;
    exec__init_inner(&join->exec, exec->top, &join->arena);
    join->vectors = arena_alloc(exec->arena, (cells + 1) * sizeof *join->vectors);
    join->rows = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    join->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    status_t status = exec__eval_compile_all(exec, plan->as.lateral.values, cells, &join->scratch,
                                             &join->values, error);
    if (status == OK && plan->as.lateral.condition)
        status = exec__eval_compile(exec, plan->as.lateral.condition, &join->condition_scratch,
                                    &join->condition, error);
    return status == OK ? exec__operator_open(exec, plan->left, &join->op.left, error) : status;
}
