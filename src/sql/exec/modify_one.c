/* UPDATE and DELETE of the one row that a key leads to, without operators that bring it: the row is
 * read, asked whether it is meant, and written, or taken away. What it is read by is noted by the
 * store as in any other way: the key, or the entry of the index and the row's key.
 *
 * All that a row must fulfil is asked as in modify.c, of which this is the case of a single row:
 * keys it will not have any more are taken away, new ones put, foreign keys checked then. */
#include "sql/exec/modify_int.h"

/* The row under the key given, or none. */
static status_t row_read(struct modify *modify, struct slice *row, bool *found, struct error *error)
{
    const struct plan *scan = modify->op.plan->as.modify.one_row;
    const struct key_range *range = &scan->as.scan.ranges[0];
    struct exec *exec = modify->op.exec;
    const struct expr *exprs[CATALOG_KEY_COLUMNS_MAX + 2];
    struct value values[CATALOG_KEY_COLUMNS_MAX + 2];
    struct bounds bounds;
    bool empty;
    uint32_t count = exec__range_exprs(range, exprs);
    status_t status = OK;
    *found = false;
    for (uint32_t i = 0; i < count && status == OK; i++)
        status = exec__expr_value(exec, exprs[i], &values[i], error);
    if (status == OK)
        status = exec__range_bounds(modify->table, scan->as.scan.index, range, values,
                                    &modify->old_key, &modify->key, &bounds, &empty, error);
    if (status != OK || empty)
        return status;
    ASSERT(bounds.is_point);
    status = store_get(exec->context.txn, bounds.low, found, row, error);
    if (status != OK || !*found || scan->as.scan.index->id == 0)
        return status;
    buffer_reset(&modify->key);
    status = index_entry_row_key(modify->table, scan->as.scan.index, bounds.low, *row, &modify->key,
                                 error);
    if (status == OK)
        status = store_get(exec->context.txn, buffer_slice(&modify->key), found, row, error);
    if (status == OK && !*found)
        return error_set(error, ERR_CORRUPT, "index \"%s\" of table \"%s\" is corrupt",
                         scan->as.scan.index->name, modify->table->name);
    return status;
}

static status_t old_row_decode(struct modify *modify, struct slice row, struct error *error)
{
    const struct table *table = modify->table;
    struct arena *arena = modify->op.exec->arena;
    if (!modify->shape) {
        modify->shape = arena_alloc(arena, sizeof *modify->shape);
        exec__row_shape(table, NULL, table->column_count, arena, modify->shape,
                        &modify->shape_order);
    }
    if (row_decode_values(row, modify->shape, modify->shape_order, modify->old_row) == OK)
        return OK;
    return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is corrupt", table->name);
}

/* ---- expressions over the row -------------------------------------------------------------------
 */

static bool is_at_hand(const struct expr *expr)
{
    return expr->kind == EXPR_COLUMN || expr->kind == EXPR_CONSTANT || expr->kind == EXPR_PARAMETER;
}

/* The row as a batch, with the columns that anything to be worked out names. */
static void row_spread(struct modify *modify, struct row_batch *row)
{
    const struct plan *plan = modify->op.plan;
    struct arena *arena = modify->op.exec->arena;
    bool *named = arena_zalloc(arena, modify->table->column_count * sizeof *named);
    if (plan->as.modify.one_row_filter)
        exec__expr_columns(plan->as.modify.one_row_filter, named);
    for (uint32_t i = 0; i < plan->as.modify.assigned_count; i++)
        exec__expr_columns(plan->as.modify.one_row_values[i], named);
    exec__row_batch_init(row, modify->table, named, arena);
    exec__row_batch_load(row, modify->old_row);
}

/* Does the row fulfil the rest of WHERE? */
static status_t row_is_meant(struct modify *modify, struct row_batch *row, bool *meant,
                             struct error *error)
{
    struct expr *filter = modify->op.plan->as.modify.one_row_filter;
    struct eval *eval;
    uint32_t selection[1], selected = 1;
    *meant = true;
    if (!filter)
        return OK;
    if (!row->batch)
        row_spread(modify, row);
    status_t status = exec__eval_compile(modify->op.exec, filter, &modify->scratch, &eval, error);
    if (status == OK)
        status = exec__eval_filter(eval, row->batch, selection, &selected, error);
    *meant = selected > 0;
    return status;
}

/* What an assignment gives. */
static status_t value_find(struct modify *modify, const struct expr *expr, struct row_batch *row,
                           struct value *out, struct error *error)
{
    struct eval *eval;
    if (expr->kind == EXPR_COLUMN) {
        *out = modify->old_row[expr->index];
        return OK;
    }
    if (is_at_hand(expr))
        return exec__expr_value(modify->op.exec, expr, out, error);
    if (!row->batch)
        row_spread(modify, row);
    status_t status = exec__eval_compile(modify->op.exec, expr, &modify->scratch, &eval, error);
    if (status == OK)
        status = exec__eval_run(eval, row->batch, error);
    if (status == OK)
        *out = vector_get(eval->result, 0);
    return status;
}

/* ---- the row written ----------------------------------------------------------------------------
 */

static status_t row_update(struct modify *modify, struct row_batch *row, struct error *error)
{
    const struct plan *plan = modify->op.plan;
    const struct table *table = modify->table;
    status_t status = OK;
    for (uint32_t c = 0; c < table->column_count; c++)
        modify->new_row[c] = modify->old_row[c];
    for (uint32_t i = 0; i < plan->as.modify.assigned_count && status == OK; i++) {
        uint32_t place = plan->as.modify.assigned[i];
        struct value *value = &modify->new_row[place];
        status = value_find(modify, plan->as.modify.one_row_values[i], row, value, error);
        if (status == OK && value->null)
            *value = value_null(table->columns[place].type.kind);
    }
    modify->op.exec->written = status == OK;
    if (status == OK)
        status = exec__row_update(modify, error);
    return status == OK ? exec__row_references(modify, CHANGE_UPDATE, false, error) : status;
}

static status_t row_delete(struct modify *modify, struct error *error)
{
    modify->op.exec->written = true;
    status_t status = exec__row_delete(modify, error);
    if (status == OK)
        status = exec__row_references(modify, CHANGE_DELETE, false, error);
    return status == OK ? exec__row_return(modify, modify->old_row, error) : status;
}

status_t exec__modify_one(struct modify *modify, struct error *error)
{
    struct row_batch batch = {0};
    struct slice row;
    bool found, meant = false;
    ASSERT(modify->op.plan->as.modify.one_row && !modify->op.left);
    status_t status = row_read(modify, &row, &found, error);
    if (status != OK || !found)
        return status;
    status = old_row_decode(modify, row, error);
    if (status == OK)
        status = row_is_meant(modify, &batch, &meant, error);
    if (status != OK || !meant)
        return status;
    status = modify->op.plan->kind == PLAN_UPDATE ? row_update(modify, &batch, error)
                                                  : row_delete(modify, error);
    modify->op.exec->rows_affected = 1;
    return status;
}
