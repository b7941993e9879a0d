/* INSERT, UPDATE, DELETE.
 *
 * What is to be changed is collected first and changed then, so that a statement never meets its
 * own changes (an INSERT whose input reads no table and needs no check at the end goes batch by
 * batch).
 *
 * Uniqueness is of the state after the statement, `UPDATE t SET k = k + 1` must work:
 *   1. take away every key of a changed row that its row will not have any more;
 *   2. put the new keys, each after a get: whatever is found there now, an untouched row's key or
 *      one put a moment ago, is a violation.
 *   3. check foreign keys, with all changes in place.
 * An error leaves the changes made so far in the transaction, which the session then abandons. */
#include "sql/exec/exec_int.h"

enum { ROWS_BETWEEN_CANCEL_CHECKS = 256 };

struct modify {
    struct operator op;
    const struct table *table;
    bool done;
    bool primary_touched; /* UPDATE: may change the primary key */
    bool *index_touched;  /* by place in table->indexes: its entries may change */
    bool *column_touched; /* by place in table->columns */
    struct collection rows;
    struct arena scratch;
    struct buffer key;
    struct buffer old_key;
    struct buffer value;
    struct buffer old_value;
    struct value *old_row; /* UPDATE, DELETE; by place in table->columns */
    struct value *new_row; /* INSERT, UPDATE */
    struct value *stored;  /* by ordinal */
};

/* ---- single entries -----------------------------------------------------------------------------
 */

static status_t row_put(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    for (uint32_t i = 0; i < table->column_count; i++)
        modify->stored[table->columns[i].ordinal] = modify->new_row[i];
    buffer_reset(&modify->value);
    row_encode(&modify->value, modify->stored, table->ordinal_next);
    if (modify->value.failed || modify->value.size > STORE_VALUE_MAX)
        return error_set(error, ERR_TOO_LONG, "row is too long for table \"%s\"", table->name);
    return store_put(modify->op.exec->context.txn, buffer_slice(&modify->key),
                     buffer_slice(&modify->value), error);
}

static status_t key_must_be_free(struct modify *modify, const struct index *index,
                                 struct error *error)
{
    bool found;
    struct slice ignored;
    status_t status = store_get(modify->op.exec->context.txn, buffer_slice(&modify->key), &found,
                                &ignored, error);
    if (status == OK && found)
        return exec__error_duplicate(modify->table, index, modify->new_row, error);
    return status;
}

static status_t entry_make(const struct modify *modify, const struct index *index,
                           const struct value *row, struct buffer *key, struct buffer *value,
                           bool *checked, struct error *error)
{
    buffer_reset(key);
    buffer_reset(value);
    return index_entry(modify->table, index, row, key, value, checked, error);
}

static status_t entry_put(struct modify *modify, const struct index *index, struct error *error)
{
    bool checked;
    status_t status =
        entry_make(modify, index, modify->new_row, &modify->key, &modify->value, &checked, error);
    if (status == OK && checked)
        status = key_must_be_free(modify, index, error);
    if (status != OK)
        return status;
    return store_put(modify->op.exec->context.txn, buffer_slice(&modify->key),
                     buffer_slice(&modify->value), error);
}

static status_t entry_remove(struct modify *modify, const struct index *index, struct error *error)
{
    bool checked;
    status_t status = entry_make(modify, index, modify->old_row, &modify->old_key,
                                 &modify->old_value, &checked, error);
    if (status != OK)
        return status;
    return store_remove(modify->op.exec->context.txn, buffer_slice(&modify->old_key), error);
}

static status_t row_keys(struct modify *modify, bool *same, struct error *error)
{
    buffer_reset(&modify->key);
    buffer_reset(&modify->old_key);
    status_t status = index_row_key(modify->table, modify->new_row, &modify->key, error);
    if (status == OK)
        status = index_row_key(modify->table, modify->old_row, &modify->old_key, error);
    *same = status == OK && slice_equal(buffer_slice(&modify->key), buffer_slice(&modify->old_key));
    return status;
}

static status_t entry_keys(struct modify *modify, const struct index *index, bool *checked,
                           bool *same_key, bool *same_value, struct error *error)
{
    bool old_checked;
    status_t status =
        entry_make(modify, index, modify->new_row, &modify->key, &modify->value, checked, error);
    if (status == OK)
        status = entry_make(modify, index, modify->old_row, &modify->old_key, &modify->old_value,
                            &old_checked, error);
    if (status != OK)
        return status;
    *same_key = slice_equal(buffer_slice(&modify->key), buffer_slice(&modify->old_key));
    *same_value = slice_equal(buffer_slice(&modify->value), buffer_slice(&modify->old_value));
    return OK;
}

/* ---- one row ------------------------------------------------------------------------------------
 */

/* A hidden row id that is taken, which is nobody's mistake, gives way to a random one. */
static status_t row_id_settle(struct modify *modify, struct error *error)
{
    struct value *id = &modify->new_row[modify->table->column_count - 1];
    bool found = true;
    for (;;) {
        struct slice ignored;
        buffer_reset(&modify->key);
        status_t status = index_row_key(modify->table, modify->new_row, &modify->key, error);
        if (status == OK)
            status = store_get(modify->op.exec->context.txn, buffer_slice(&modify->key), &found,
                               &ignored, error);
        if (status != OK || !found)
            return status;
        *id = value_integer((int64_t)(exec__random(modify->op.exec) >> 1));
    }
}

static status_t row_insert(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    bool hidden = table_visible_count(table) < table->column_count;
    status_t status = hidden ? row_id_settle(modify, error) : OK;
    buffer_reset(&modify->key);
    if (status == OK)
        status = index_row_key(table, modify->new_row, &modify->key, error);
    if (status == OK && !hidden)
        status = key_must_be_free(modify, &table->indexes[0], error);
    if (status == OK)
        status = row_put(modify, error);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++)
        status = entry_put(modify, &table->indexes[i], error);
    return status;
}

static status_t row_delete(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    status_t status = OK;
    for (uint32_t i = 1; i < table->index_count && status == OK; i++)
        status = entry_remove(modify, &table->indexes[i], error);
    buffer_reset(&modify->old_key);
    if (status == OK)
        status = index_row_key(table, modify->old_row, &modify->old_key, error);
    if (status == OK)
        status = store_remove(modify->op.exec->context.txn, buffer_slice(&modify->old_key), error);
    return status;
}

/* Step 1: keys the row will not have any more. */
static status_t row_vacate(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    struct store_txn *txn = modify->op.exec->context.txn;
    bool same = true, same_value, checked;
    status_t status = modify->primary_touched ? row_keys(modify, &same, error) : OK;
    if (status == OK && !same)
        status = store_remove(txn, buffer_slice(&modify->old_key), error);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++) {
        if (!modify->index_touched[i])
            continue;
        status = entry_keys(modify, &table->indexes[i], &checked, &same, &same_value, error);
        if (status == OK && !same)
            status = store_remove(txn, buffer_slice(&modify->old_key), error);
    }
    return status;
}

/* Step 2: the row and the keys it has now. */
static status_t row_settle(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    struct store_txn *txn = modify->op.exec->context.txn;
    bool same;
    status_t status = row_keys(modify, &same, error);
    if (status == OK && !same)
        status = key_must_be_free(modify, &table->indexes[0], error);
    if (status == OK)
        status = row_put(modify, error);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++) {
        const struct index *index = &table->indexes[i];
        bool checked, same_value;
        if (!modify->index_touched[i])
            continue;
        status = entry_keys(modify, index, &checked, &same, &same_value, error);
        if (status != OK || (same && same_value))
            continue;
        if (!same && checked)
            status = key_must_be_free(modify, index, error);
        if (status == OK)
            status =
                store_put(txn, buffer_slice(&modify->key), buffer_slice(&modify->value), error);
    }
    return status;
}

/* ---- all rows -----------------------------------------------------------------------------------
 */

/* Reads row `number` of the collection into old_row and new_row, and checks the new one. */
static status_t row_load(struct modify *modify, uint32_t number, struct error *error)
{
    const struct plan *plan = modify->op.plan;
    const struct table *table = modify->table;
    if (number % ROWS_BETWEEN_CANCEL_CHECKS == 0) {
        status_t status = exec__cancel_check(modify->op.exec, error);
        if (status != OK)
            return status;
    }
    arena_reset(&modify->scratch);
    struct value *read = plan->kind == PLAN_INSERT ? modify->new_row : modify->old_row;
    for (uint32_t c = 0; c < table->column_count; c++)
        read[c] = exec__collection_value(&modify->rows, c, number);
    if (plan->kind == PLAN_DELETE)
        return OK;
    for (uint32_t c = 0; plan->kind == PLAN_UPDATE && c < table->column_count; c++)
        modify->new_row[c] = read[c];
    for (uint32_t i = 0; plan->kind == PLAN_UPDATE && i < plan->as.modify.assigned_count; i++)
        modify->new_row[plan->as.modify.assigned[i]] =
            exec__collection_value(&modify->rows, table->column_count + i, number);
    return exec__check_row(table, modify->new_row, &modify->scratch, error);
}

typedef status_t row_step_fn(struct modify *modify, struct error *error);

static status_t rows_each(struct modify *modify, row_step_fn *step, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < modify->rows.row_count && status == OK; i++) {
        status = row_load(modify, i, error);
        if (status == OK)
            status = step(modify, error);
    }
    return status;
}

static bool key_touched(const struct modify *modify, const uint32_t *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = columns[i];
        if (modify->column_touched[c] &&
            (modify->op.plan->kind != PLAN_UPDATE ||
             value_compare(&modify->old_row[c], &modify->new_row[c]) != 0))
            return true;
    }
    return false;
}

/* Step 3, for one row. */
static status_t row_references(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    struct exec *exec = modify->op.exec;
    enum plan_kind kind = modify->op.plan->kind;
    status_t status = OK;
    for (uint32_t i = 0; kind != PLAN_DELETE && i < table->foreign_key_count && status == OK; i++) {
        const struct foreign_key *key = &table->foreign_keys[i];
        if (key_touched(modify, key->child_columns, key->column_count))
            status = exec__check_parent(exec, key, table, modify->new_row, &modify->key, error);
    }
    for (uint32_t i = 0; kind != PLAN_INSERT && i < table->referenced_by_count && status == OK;
         i++) {
        const struct foreign_key *key = table->referenced_by[i];
        if (key_touched(modify, key->parent_columns, key->column_count))
            status = exec__check_children(exec, key, table, modify->old_row, kind == PLAN_UPDATE,
                                          &modify->key, error);
    }
    return status;
}

static bool plan_reads(const struct plan *plan)
{
    return plan && (plan->kind == PLAN_SCAN || plan_reads(plan->left) || plan_reads(plan->right));
}

static status_t insert_batches(struct modify *modify, struct error *error)
{
    uint32_t column_count = modify->table->column_count;
    for (;;) {
        struct batch *batch;
        status_t status = exec__operator_next(modify->op.left, &batch, error);
        if (status != OK || !batch)
            return status;
        for (uint32_t i = 0; i < batch->selected; i++) {
            uint32_t row = batch_row(batch, i);
            arena_reset(&modify->scratch);
            for (uint32_t c = 0; c < column_count; c++)
                modify->new_row[c] = vector_get(&batch->columns[c], row);
            status = exec__check_row(modify->table, modify->new_row, &modify->scratch, error);
            if (status == OK)
                status = row_insert(modify, error);
            if (status != OK)
                return status;
        }
        modify->op.exec->rows_affected += batch->selected;
    }
}

static status_t modify_collected(struct modify *modify, struct error *error)
{
    const struct plan *plan = modify->op.plan;
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(modify->op.exec, plan->left, NULL, 0, &types, &stable);
    exec__collection_init(&modify->rows, modify->op.exec, types, stable, plan->left->column_count);
    status_t status =
        exec__collect(modify->op.left, NULL, 0, &modify->scratch, &modify->rows, error);
    if (status != OK)
        return status;
    if (plan->kind == PLAN_INSERT) {
        status = rows_each(modify, row_insert, error);
    } else if (plan->kind == PLAN_DELETE) {
        status = rows_each(modify, row_delete, error);
    } else {
        status = rows_each(modify, row_vacate, error);
        if (status == OK)
            status = rows_each(modify, row_settle, error);
    }
    if (status == OK && (modify->table->foreign_key_count || modify->table->referenced_by_count))
        status = rows_each(modify, row_references, error);
    modify->op.exec->rows_affected = modify->rows.row_count;
    return status;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

static status_t modify_next(struct operator* op, struct batch **out, struct error *error)
{
    struct modify *modify = (struct modify *)op;
    *out = NULL;
    if (modify->done)
        return OK;
    modify->done = true;
    if (op->plan->kind == PLAN_INSERT && modify->table->foreign_key_count == 0 &&
        !plan_reads(op->plan->left))
        return insert_batches(modify, error);
    return modify_collected(modify, error);
}

static void modify_close(struct operator* op)
{
    struct modify *modify = (struct modify *)op;
    exec__collection_free(&modify->rows);
    arena_free(&modify->scratch);
    buffer_free(&modify->key);
    buffer_free(&modify->old_key);
    buffer_free(&modify->value);
    buffer_free(&modify->old_value);
}

static const struct operator_ops modify_ops = {modify_next, modify_close};

static bool touches_index(const struct modify *modify, const struct index *index)
{
    for (uint32_t k = 0; k < index->column_count; k++) {
        if (modify->column_touched[index->columns[k]])
            return true;
    }
    return false;
}

static void find_touched(struct modify *modify)
{
    const struct plan *plan = modify->op.plan;
    const struct table *table = modify->table;
    struct arena *arena = modify->op.exec->arena;
    modify->column_touched = arena_zalloc(arena, table->column_count * sizeof(bool));
    modify->index_touched = arena_zalloc(arena, table->index_count * sizeof(bool));
    for (uint32_t c = 0; plan->kind != PLAN_UPDATE && c < table->column_count; c++)
        modify->column_touched[c] = true;
    for (uint32_t i = 0; plan->kind == PLAN_UPDATE && i < plan->as.modify.assigned_count; i++)
        modify->column_touched[plan->as.modify.assigned[i]] = true;
    /* Entries of every index hold the primary key. */
    modify->primary_touched = touches_index(modify, &table->indexes[0]);
    for (uint32_t i = 0; i < table->index_count; i++)
        modify->index_touched[i] =
            modify->primary_touched || touches_index(modify, &table->indexes[i]);
}

status_t exec__modify_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    struct modify *modify = exec__operator_create(exec, plan, &modify_ops, sizeof *modify);
    const struct table *table = plan->as.modify.table;
    *out = &modify->op;
    modify->table = table;
    ASSERT(table->index_count >= 1);
    ASSERT(plan->left->column_count >= table->column_count);
    modify->old_row = arena_alloc(exec->arena, table->column_count * sizeof(struct value));
    modify->new_row = arena_alloc(exec->arena, table->column_count * sizeof(struct value));
    modify->stored = arena_alloc(exec->arena, table->ordinal_next * sizeof(struct value));
    for (uint32_t i = 0; i < table->ordinal_next; i++)
        modify->stored[i] = value_null(SQL_UNKNOWN); /* dropped columns stay NULL */
    find_touched(modify);
    return exec__operator_open(exec, plan->left, &modify->op.left, error);
}
