/* Window functions over rows that come sorted by their partitions, then their keys.
 *
 * Whole partitions are taken until there is a batch of rows, into a row store, since one partition
 * may be larger than memory. Then each row goes out with the functions' values, which are made at
 * that moment: a batch is rows of the store as they lie there (a chunk of memory, or a block of the
 * file) with the results beside them. It ends early when texts of results have become many.
 */
#include "sql/exec/window_int.h"

#include "base/mem.h"
#include "sql/exec/spill_int.h"

enum { RESULTS_SHARE = 4, CHARGE_ROWS = 64 }; /* of what the operator may hold */

/* What the window itself holds, beside the store. */
static status_t memory_charge(struct window *window, struct error *error)
{
    size_t size = window->results_texts.used + window->start_capacity * sizeof *window->starts;
    for (uint32_t f = 0; f < window->function_count; f++)
        size += exec__window_aggregate_memory(&window->functions[f]);
    size_t before = window->charged;
    window->charged = size;
    if (size >= before)
        return exec__memory_charge(window->op.exec, size - before, error);
    exec__memory_release(window->op.exec, before - size);
    return OK;
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
 * taken (WINDOW_NOTHING), or another row of the batch? */
static bool begins_partition(const struct window *window, uint32_t before, uint32_t row)
{
    uint64_t last = window->rows.row_count - 1;
    for (uint32_t i = 0; i < window->partition_count; i++) {
        uint32_t column = window->partition_first + i;
        const struct vector *vector = window->columns[column];
        const struct vector *other = vector;
        uint32_t other_row = before;
        if (before == WINDOW_NOTHING) {
            other = exec__row_cursor_vector(&window->last, column);
            other_row = exec__row_cursor_place(&window->last, last);
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
    status_t status = OK;
    if (window->rows.row_count > 0)
        status = exec__row_cursor_seek(&window->last, window->rows.row_count - 1, error);
    if (status != OK)
        return status;
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
    return exec__row_store_append(&window->rows, window->columns, window->taken, count, error);
}

/* The next partitions; no rows at the end. */
static status_t partitions_take(struct window *window, struct error *error)
{
    bool full = false;
    exec__row_cursor_reset(&window->last);
    exec__row_cursor_reset(&window->here);
    exec__row_cursor_reset(&window->peers.peer);
    exec__row_cursor_reset(&window->peers.ahead);
    for (uint32_t f = 0; f < window->function_count; f++)
        exec__window_call_reset(&window->functions[f]);
    exec__row_store_clear(&window->rows);
    window->start_count = window->partition = 0;
    window->row = window->end = 0;
    while (!full && !window->input_done) {
        status_t status = OK;
        if (!window->in || window->in_at == window->in->selected)
            status = batch_take(window, error);
        else
            status = rows_take(window, &full, error);
        if (status != OK)
            return status;
    }
    return window->rows.row_count > 0 ? exec__window_offsets(window, error) : OK;
}

/* ---- going through them -------------------------------------------------------------------------
 */

/* The row's peers. */
static status_t group_begin(struct window *window, struct error *error)
{
    window->group_start = window->row;
    status_t status =
        exec__window_edge_move(window, &window->peers, window->peers.group + 1, error);
    window->group_end = window->peers.row;
    ASSERT(status != OK || window->group_end > window->row);
    return status;
}

static status_t partition_begin(struct window *window, struct error *error)
{
    uint32_t next = ++window->partition;
    ASSERT(next <= window->start_count && window->starts[next - 1] == window->row);
    window->first = window->row;
    window->end = next == window->start_count ? window->rows.row_count : window->starts[next];
    window->group = 0;
    exec__window_edge_begin(window, &window->peers);
    status_t status = group_begin(window, error);
    window->valued_first = window->first;
    if (status == OK && window->key_count > 0 &&
        exec__row_cursor_value(&window->here, window->key_first, window->row).null)
        window->valued_first = window->group_end;
    for (uint32_t f = 0; f < window->function_count; f++)
        exec__window_call_begin(window, &window->functions[f]);
    return status;
}

/* The functions' values at the row. */
static status_t row_run(struct window *window, uint32_t place, struct error *error)
{
    status_t status = exec__pace(&window->pace, WINDOW_ROW_STEPS, error);
    if (status == OK && window->row == window->end) {
        status = partition_begin(window, error);
    } else if (status == OK && window->row == window->group_end) {
        window->group++;
        status = group_begin(window, error);
    }
    for (uint32_t f = 0; f < window->function_count && status == OK; f++) {
        struct value value;
        struct vector *vector = &window->results->columns[f];
        status = exec__window_call_value(window, &window->functions[f], &value, error);
        if (status != OK)
            return status;
        if (value.null)
            vector_set_null(vector, place);
        else
            vector_set(vector, place, &value);
    }
    if (status == OK && place % CHARGE_ROWS == 0)
        status = memory_charge(window, error);
    return status;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

static status_t window_next(struct operator* op, struct batch **out, struct error *error)
{
    struct window *window = (struct window *)op;
    status_t status = OK;
    if (window->row == window->rows.row_count)
        status = partitions_take(window, error);
    if (status != OK || window->rows.row_count == 0)
        return status;
    if ((status = exec__row_cursor_seek(&window->here, window->row, error)) != OK)
        return status;
    const struct batch *rows = window->here.rows;
    uint32_t place = exec__row_cursor_place(&window->here, window->row);
    uint32_t count = 0;
    size_t texts_most = exec__work_memory(op->exec) / RESULTS_SHARE;
    arena_reset(&window->results_texts);
    exec__batch_prepare(op->exec, &window->results, op->plan->types + window->input_columns,
                        window->function_count, rows->row_count);
    for (uint32_t f = 0; f < window->function_count; f++)
        window->functions[f].has_value = false;
    while (place + count < rows->row_count && count < op->exec->batch_rows &&
           window->results_texts.used <= texts_most) {
        if ((status = row_run(window, place + count, error)) != OK)
            return status;
        window->selection[count] = place + count;
        count++;
        window->row++;
    }
    for (uint32_t c = 0; c < window->input_columns; c++)
        window->out.columns[c] = rows->columns[c];
    for (uint32_t f = 0; f < window->function_count; f++)
        window->out.columns[window->input_columns + f] = window->results->columns[f];
    window->out.row_count = rows->row_count;
    window->out.selection = window->selection;
    window->out.selected = count;
    *out = &window->out;
    return memory_charge(window, error);
}

static void window_close(struct operator* op)
{
    struct window *window = (struct window *)op;
    for (uint32_t f = 0; f < window->function_count; f++)
        exec__window_call_close(&window->functions[f]);
    exec__row_cursor_free(&window->last);
    exec__row_cursor_free(&window->here);
    exec__row_cursor_free(&window->peers.peer);
    exec__row_cursor_free(&window->peers.ahead);
    exec__row_store_clear(&window->rows);
    exec__memory_release(op->exec, window->charged);
    window->charged = 0;
    arena_free(&window->scratch);
    arena_free(&window->results_texts);
    mem_free(window->starts);
    window->starts = NULL;
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
    exec__row_store_init(&window->rows, exec, types, stable, columns, exec__work_memory(exec));
    exec__row_cursor_init(&window->last, &window->rows);
    exec__row_cursor_init(&window->here, &window->rows);
    exec__row_cursor_init(&window->peers.peer, &window->rows);
    exec__row_cursor_init(&window->peers.ahead, &window->rows);
    for (uint32_t f = 0; f < window->function_count; f++)
        exec__window_call_open(window, &window->functions[f]);
    window->pace.exec = exec;
    window->columns = arena_alloc(exec->arena, (columns + 1) * sizeof *window->columns);
    window->taken = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    window->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    window->out.column_count = plan->column_count;
    window->out.columns = arena_zalloc(exec->arena, plan->column_count * sizeof(struct vector));
    status_t status = exec__eval_compile_all(exec, exprs, window->extra_count, &window->scratch,
                                             &window->extra, error);
    return status == OK ? exec__operator_open(exec, plan->left, &window->op.left, error) : status;
}
