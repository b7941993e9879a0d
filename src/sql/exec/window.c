/* Window functions over rows that come sorted by their partitions, then their keys.
 *
 * Whole partitions are collected until there is a batch of rows, then every function is computed
 * for all of them, a partition at a time, and the rows go out as they lie in the collection with
 * the results beside them.
 */
#include "base/mem.h"
#include "sql/exec/exec_int.h"

/* Computes all partitions that are collected. */
static status_t rows_run(struct window *window, struct error *error)
{
    const struct plan *plan = window->op.plan;
    uint32_t chunks = window->rows.chunk_count;
    const enum sql_type *types = plan->types + window->input_columns;
    status_t status = exec__window_offsets(window, error);
    arena_reset(&window->results_arena);
    window->results = arena_alloc(&window->results_arena, chunks * sizeof(struct batch *));
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t rows = window->rows.chunks[i]->row_count;
        window->results[i] =
            batch_create(&window->results_arena, types, window->function_count, rows);
    }
    for (uint32_t p = 0; p < window->start_count && status == OK; p++) {
        bool last = p + 1 == window->start_count;
        status =
            exec__window_partition(window, window->starts[p],
                                   last ? window->rows.row_count : window->starts[p + 1], error);
    }
    window->chunk = window->chunk_row = 0;
    return status == OK ? exec__window_charge(window, error) : status;
}

/* ---- collecting ---------------------------------------------------------------------------------
 */

static status_t batch_take(struct window *window, struct error *error)
{
    status_t status = exec__operator_next(window->op.left, &window->in, error);
    window->in_at = 0;
    if (status != OK || !window->in) {
        window->input_done = status == OK;
        return status;
    }
    arena_reset(&window->scratch);
    for (uint32_t c = 0; c < window->input_columns; c++)
        window->columns[c] = &window->in->columns[c];
    for (uint32_t i = 0; i < window->extra_count && status == OK; i++)
        status = exec__eval_column(window->extra[i], window->in,
                                   &window->columns[window->input_columns + i], error);
    return status;
}

/* Is a row of the input batch of another partition than the one before it, which is the last one
 * collected (WINDOW_NOTHING), or another row of the batch? */
static bool begins_partition(const struct window *window, uint32_t before, uint32_t row)
{
    for (uint32_t i = 0; i < window->partition_count; i++) {
        uint32_t column = window->partition_first + i;
        const struct vector *vector = window->columns[column];
        const struct vector *other = vector;
        uint32_t other_row = before;
        if (before == WINDOW_NOTHING) {
            uint32_t last = window->rows.row_count - 1;
            other = exec__collection_vector(&window->rows, column, last);
            other_row = last % BATCH_ROWS_MAX;
        }
        if (!exec__entries_equal(other, other_row, vector, row))
            return true;
    }
    return false;
}

/* Takes rows of the input batch; *full: enough partitions are whole. */
static status_t rows_take(struct window *window, bool *full, struct error *error)
{
    uint32_t count = 0;
    uint32_t before = WINDOW_NOTHING;
    while (window->in_at < window->in->selected && !*full) {
        uint32_t row = batch_row(window->in, window->in_at);
        bool none = window->rows.row_count + count == 0;
        if (none || begins_partition(window, before, row)) {
            *full = window->rows.row_count + count >= BATCH_ROWS_MAX;
            if (*full)
                break;
            window->starts = vec_grow(window->starts, &window->start_capacity,
                                      window->start_count + 1, sizeof *window->starts);
            window->starts[window->start_count++] = window->rows.row_count + count;
        }
        window->taken[count++] = row;
        before = row;
        window->in_at++;
    }
    return exec__collection_append(&window->rows, window->columns, window->taken, count, error);
}

/* The next partitions; no rows at the end. */
static status_t partitions_take(struct window *window, struct error *error)
{
    bool full = false;
    exec__collection_free(&window->rows);
    window->start_count = 0;
    while (!full && !window->input_done) {
        status_t status = OK;
        if (!window->in || window->in_at == window->in->selected)
            status = batch_take(window, error);
        else
            status = rows_take(window, &full, error);
        if (status != OK)
            return status;
    }
    return window->rows.row_count > 0 ? rows_run(window, error) : OK;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

static status_t window_next(struct operator* op, struct batch **out, struct error *error)
{
    struct window *window = (struct window *)op;
    if (window->chunk == window->rows.chunk_count) {
        status_t status = partitions_take(window, error);
        if (status != OK || window->rows.row_count == 0)
            return status;
    }
    const struct batch *rows = window->rows.chunks[window->chunk];
    const struct batch *results = window->results[window->chunk];
    for (uint32_t c = 0; c < window->input_columns; c++)
        window->out.columns[c] = rows->columns[c];
    for (uint32_t f = 0; f < window->function_count; f++)
        window->out.columns[window->input_columns + f] = results->columns[f];
    uint32_t count = rows->row_count - window->chunk_row;
    count = count < op->exec->batch_rows ? count : op->exec->batch_rows;
    for (uint32_t i = 0; i < count; i++)
        window->selection[i] = window->chunk_row + i;
    window->out.row_count = rows->row_count;
    window->out.selection = window->selection;
    window->out.selected = count;
    window->chunk_row += count;
    if (window->chunk_row == rows->row_count) {
        window->chunk++;
        window->chunk_row = 0;
    }
    *out = &window->out;
    return OK;
}

static void window_close(struct operator* op)
{
    struct window *window = (struct window *)op;
    exec__collection_free(&window->rows);
    exec__memory_release(op->exec, window->charged);
    window->charged = 0;
    arena_free(&window->scratch);
    arena_free(&window->results_arena);
    arena_free(&window->texts);
    mem_free(window->starts);
    mem_free(window->groups);
    for (int i = 0; i < 2; i++) {
        mem_free(window->slidings[i].fronts);
        arena_free(&window->slidings[i].texts);
        window->slidings[i].fronts = NULL;
    }
    window->starts = window->groups = NULL;
}

static const struct operator_ops window_ops = {window_next, window_close};

/* The expressions evaluated for each row, and where each function finds its own. */
static uint32_t extra_exprs(struct window *window, struct expr **exprs)
{
    const struct plan *plan = window->op.plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->as.window.partition_count; i++)
        exprs[count++] = plan->as.window.partitions[i];
    for (uint32_t i = 0; i < plan->as.window.key_count; i++)
        exprs[count++] = plan->as.window.keys[i].expr;
    for (uint32_t f = 0; f < window->function_count; f++) {
        struct window_call *function = &window->functions[f];
        const struct aggregate *aggregate = &function->plan->aggregate;
        function->argument_first = window->input_columns + count;
        function->separator = function->filter = WINDOW_NOTHING;
        for (uint32_t i = 0; i < function->plan->argument_count; i++)
            exprs[count++] = function->plan->arguments[i];
        if (aggregate->argument)
            exprs[count++] = aggregate->argument;
        if (aggregate->separator) {
            function->separator = window->input_columns + count;
            exprs[count++] = aggregate->separator;
        }
        if (aggregate->filter) {
            function->filter = window->input_columns + count;
            exprs[count++] = aggregate->filter;
        }
    }
    return count;
}

status_t exec__window_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    struct window *window = exec__operator_create(exec, plan, &window_ops, sizeof *window);
    *out = &window->op;
    window->function_count = plan->as.window.function_count;
    window->input_columns = plan->left->column_count;
    window->partition_count = plan->as.window.partition_count;
    window->partition_first = window->input_columns;
    window->key_first = window->partition_first + window->partition_count;
    window->key_count = plan->as.window.key_count;
    window->functions =
        arena_zalloc(exec->arena, window->function_count * sizeof *window->functions);
    for (uint32_t f = 0; f < window->function_count; f++)
        window->functions[f].plan = &plan->as.window.functions[f];
    uint32_t most = window->partition_count + window->key_count + 3 * window->function_count;
    struct expr **exprs = arena_alloc(exec->arena, (most + 1) * sizeof(struct expr *));
    window->extra_count = extra_exprs(window, exprs);
    ASSERT(window->extra_count <= most);
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(exec, plan->left, exprs, window->extra_count, &types, &stable);
    uint32_t columns = window->input_columns + window->extra_count;
    exec__collection_init(&window->rows, exec, types, stable, columns);
    window->columns = arena_alloc(exec->arena, (columns + 1) * sizeof *window->columns);
    window->taken = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    window->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    window->out.column_count = plan->column_count;
    window->out.columns = arena_zalloc(exec->arena, plan->column_count * sizeof(struct vector));
    status_t status = exec__eval_compile_all(exec, exprs, window->extra_count, &window->scratch,
                                             &window->extra, error);
    return status == OK ? exec__operator_open(exec, plan->left, &window->op.left, error) : status;
}
