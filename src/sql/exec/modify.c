/* INSERT, UPDATE, DELETE.
 *
 * What is to be changed is collected first and changed then, so that a statement never meets its
 * own changes (an INSERT whose input does not read the table and that needs no check at the end
 * goes batch by batch).
 *
 * Uniqueness is of the state after the statement, `UPDATE t SET k = k + 1` must work:
 *   1. take away every key of a changed row that its row will not have any more;
 *   2. put the new keys, each after a get: whatever is found there now, an untouched row's key or
 *      one put a moment ago, is a violation.
 *   3. check foreign keys, with all changes in place.
 * An UPDATE that touches no column of a key has nothing to take away, and goes over the rows once.
 * RETURNING gives the rows out when all is done; a query in it sees what was there before. INSERT
 * ... ON CONFLICT goes its own way: upsert.c.
 *
 * An error leaves the changes made so far in the transaction, which the session then abandons. */
#include <string.h>

#include "sql/exec/modify_int.h"

enum { ROWS_BETWEEN_CANCEL_CHECKS = 256 };

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
    modify->row_number = number;
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
    return exec__check_row(modify->op.exec, table, modify->new_row, &modify->scratch, error);
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

bool exec__key_touched(const struct modify *modify, enum change change, const uint32_t *columns,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = columns[i];
        if (modify->column_touched[c] &&
            (change != CHANGE_UPDATE ||
             value_compare(&modify->old_row[c], &modify->new_row[c]) != 0))
            return true;
    }
    return false;
}

static status_t row_parents(struct modify *modify, enum change change, struct error *error)
{
    const struct table *table = modify->table;
    status_t status = OK;
    for (uint32_t i = 0; i < table->foreign_key_count && status == OK; i++) {
        const struct foreign_key *key = &table->foreign_keys[i];
        if (exec__key_touched(modify, change, key->child_columns, key->column_count))
            status = exec__check_parent(modify->op.exec, key, table, modify->new_row, &modify->key,
                                        error);
    }
    return status;
}

/* Step 3, for one row. */
status_t exec__row_references(struct modify *modify, enum change change, bool again,
                              struct error *error)
{
    const struct table *table = modify->table;
    bool current = true;
    status_t status = OK;
    if (change != CHANGE_DELETE && again && table->foreign_key_count > 0)
        status = exec__row_is_current(modify, &current, error);
    if (status == OK && change != CHANGE_DELETE && current)
        status = row_parents(modify, change, error);
    for (uint32_t i = 0; change != CHANGE_INSERT && i < table->referenced_by_count && status == OK;
         i++) {
        const struct foreign_key *key = table->referenced_by[i];
        enum foreign_key_action action = change == CHANGE_DELETE ? key->on_delete : key->on_update;
        if ((action == FK_NO_ACTION || action == FK_SET_DEFAULT ||
             (action == FK_RESTRICT && !exec__cascades(table))) &&
            exec__key_touched(modify, change, key->parent_columns, key->column_count))
            status = exec__check_children(modify->op.exec, key, table, modify->old_row,
                                          change == CHANGE_UPDATE, &modify->key, error);
    }
    return status;
}

uint32_t exec__own_change_count(const struct modify *modify)
{
    return modify->upsert ? exec__upsert_change_count(modify) : modify->rows.row_count;
}

status_t exec__own_change_load(struct modify *modify, uint32_t number, enum change *change,
                               struct error *error)
{
    ASSERT(number < exec__own_change_count(modify));
    if (modify->upsert) {
        exec__upsert_change_load(modify, number, change);
        return OK;
    }
    enum plan_kind kind = modify->op.plan->kind;
    *change = kind == PLAN_INSERT   ? CHANGE_INSERT
              : kind == PLAN_UPDATE ? CHANGE_UPDATE
                                    : CHANGE_DELETE;
    return row_load(modify, number, error);
}

/* Step 3. */
static status_t references(struct modify *modify, struct error *error)
{
    uint32_t count = exec__own_change_count(modify);
    status_t status = OK;
    if (exec__cascades(modify->table))
        return exec__cascade_run(modify, error);
    for (uint32_t i = 0; i < count && status == OK; i++) {
        enum change change;
        status = exec__own_change_load(modify, i, &change, error);
        if (status == OK)
            status = exec__row_references(modify, change, false, error);
    }
    return status;
}

/* ---- RETURNING ----------------------------------------------------------------------------------
 */

status_t exec__row_collect(struct modify *modify, struct collection *into,
                           const struct value *const *rows, uint32_t row_count, struct error *error)
{
    struct exec *exec = modify->op.exec;
    uint32_t columns = modify->table->column_count;
    const struct vector **vectors =
        arena_alloc(&modify->scratch, (size_t)row_count * columns * sizeof(struct vector *));
    struct vector *values =
        arena_alloc(&modify->scratch, (size_t)row_count * columns * sizeof(struct vector));
    for (uint32_t i = 0; i < row_count * columns; i++) {
        vector_init(&values[i], &modify->scratch, into->types[i], 1);
        vector_set(&values[i], 0, &rows[i / columns][i % columns]);
        vectors[i] = &values[i];
    }
    ASSERT(into->exec == exec && into->column_count >= row_count * columns);
    return exec__collection_append(into, vectors, NULL, 1, error);
}

/* The row, and what was joined with it: the last columns of the input. */
static status_t joined_return(struct modify *modify, const struct value *row, struct error *error)
{
    uint32_t own = modify->table->column_count;
    uint32_t all = modify->returned.column_count;
    uint32_t input = modify->rows.column_count;
    const struct vector **vectors = arena_alloc(&modify->scratch, all * sizeof(struct vector *));
    struct vector *values = arena_alloc(&modify->scratch, all * sizeof(struct vector));
    ASSERT(all > own && input >= all && modify->row_number < modify->rows.row_count);
    for (uint32_t i = 0; i < all; i++) {
        struct value value =
            i < own ? row[i]
                    : exec__collection_value(&modify->rows, input - all + i, modify->row_number);
        vector_init(&values[i], &modify->scratch, modify->returned.types[i], 1);
        vector_set(&values[i], 0, &value);
        vectors[i] = &values[i];
    }
    return exec__collection_append(&modify->returned, vectors, NULL, 1, error);
}

status_t exec__row_return(struct modify *modify, const struct value *row, struct error *error)
{
    if (!modify->op.plan->as.modify.returning)
        return OK;
    if (modify->returned.column_count > modify->table->column_count)
        return joined_return(modify, row, error);
    return exec__row_collect(modify, &modify->returned, &row, 1, error);
}

/* The next of the rows kept. */
static void returned_next(struct modify *modify, struct batch **out)
{
    struct exec *exec = modify->op.exec;
    const struct plan *plan = modify->op.plan;
    uint32_t count = modify->returned.row_count - modify->returned_at;
    if (count == 0)
        return;
    count = count < exec->batch_rows ? count : exec->batch_rows;
    uint32_t rows[BATCH_ROWS_MAX];
    for (uint32_t i = 0; i < count; i++)
        rows[i] = modify->returned_at + i;
    exec__batch_prepare(exec, &modify->out, plan->types, plan->column_count, count);
    for (uint32_t c = 0; c < plan->column_count; c++)
        exec__collection_gather(&modify->returned, c, rows, count, &modify->out->columns[c], 0);
    modify->out->row_count = modify->out->selected = count;
    modify->returned_at += count;
    *out = modify->out;
}

/* ---- the ways -----------------------------------------------------------------------------------
 */

static status_t row_insert(struct modify *modify, struct error *error)
{
    status_t status = exec__rules_check(modify->rules, modify->new_row, error);
    if (status == OK)
        status = exec__row_insert(modify, error);
    return status == OK ? exec__row_return(modify, modify->new_row, error) : status;
}

static status_t row_delete(struct modify *modify, struct error *error)
{
    status_t status = exec__row_delete(modify, error);
    return status == OK ? exec__row_return(modify, modify->old_row, error) : status;
}

static status_t row_vacate(struct modify *modify, struct error *error)
{
    status_t status = exec__rules_check(modify->rules, modify->new_row, error);
    return status == OK ? exec__row_vacate(modify, error) : status;
}

static status_t row_settle(struct modify *modify, struct error *error)
{
    status_t status = exec__row_settle(modify, error);
    return status == OK ? exec__row_return(modify, modify->new_row, error) : status;
}

/* Both steps at once, where no row gets another key. */
static status_t row_change(struct modify *modify, struct error *error)
{
    status_t status = exec__rules_check(modify->rules, modify->new_row, error);
    return status == OK ? row_settle(modify, error) : status;
}

status_t exec__row_update(struct modify *modify, struct error *error)
{
    status_t status =
        exec__check_row(modify->op.exec, modify->table, modify->new_row, &modify->scratch, error);
    if (status == OK)
        status = row_vacate(modify, error);
    return status == OK ? row_settle(modify, error) : status;
}

static bool keys_stay(const struct modify *modify)
{
    bool touched = modify->primary_touched;
    for (uint32_t i = 1; i < modify->table->index_count; i++)
        touched |= modify->index_touched[i];
    return !touched;
}

/* FROM and USING may bring a row several times: the first is kept. */
static status_t drop_repetitions(struct modify *modify, struct error *error)
{
    struct exec *exec = modify->op.exec;
    const struct index *key = &modify->table->indexes[0];
    const struct collection *rows = &modify->rows;
    enum sql_type types[CATALOG_KEY_COLUMNS_MAX];
    const struct vector *columns[CATALOG_KEY_COLUMNS_MAX];
    struct collection kept;
    struct key_table seen;
    status_t status = OK;
    for (uint32_t k = 0; k < key->column_count; k++)
        types[k] = rows->types[key->columns[k]];
    exec__collection_init(&kept, exec, rows->types, rows->stable, rows->column_count);
    exec__key_table_init(&seen, exec, types, NULL, key->column_count);
    const struct vector **all =
        arena_alloc(exec->arena, rows->column_count * sizeof(struct vector *));
    for (uint32_t c = 0; c < rows->chunk_count && status == OK; c++) {
        const struct batch *chunk = rows->chunks[c];
        uint32_t numbers[BATCH_ROWS_MAX];
        uint32_t fresh[BATCH_ROWS_MAX];
        bool is_new[BATCH_ROWS_MAX];
        uint32_t count = 0;
        for (uint32_t k = 0; k < key->column_count; k++)
            columns[k] = &chunk->columns[key->columns[k]];
        status =
            exec__key_table_put(&seen, columns, NULL, chunk->row_count, numbers, is_new, error);
        for (uint32_t i = 0; status == OK && i < chunk->row_count; i++) {
            if (is_new[i])
                fresh[count++] = i;
        }
        for (uint32_t i = 0; i < rows->column_count; i++)
            all[i] = &chunk->columns[i];
        if (status == OK && count > 0)
            status = exec__collection_append(&kept, all, fresh, count, error);
    }
    exec__key_table_free(&seen);
    exec__collection_free(&modify->rows);
    modify->rows = kept;
    return status;
}

/* Does it read the table that is written? Rows of WITH may be of any table. */
static bool plan_reads(const struct plan *plan, const struct table *table)
{
    if (!plan)
        return false;
    if (plan->kind == PLAN_SCAN && plan->as.scan.table->id == table->id)
        return true;
    return plan->kind == PLAN_COMMON || plan_reads(plan->left, table) ||
           plan_reads(plan->right, table);
}

/* Values of a sequence may run out in the middle: then the statement is begun again, and must not
 * have written. A VALUES has asked for as many as it has rows. */
static bool may_run_out(const struct operator* op)
{
    return op->exec->takes_unnamed ||
           (op->exec->takes_values && op->plan->left->kind != PLAN_VALUES);
}

/* The last thing before the first write: from here on values must not run out. */
static status_t values_reserve(struct modify *modify, uint64_t rows, struct error *error)
{
    const struct exec *exec = modify->op.exec;
    const struct exec_sequences *sequences = exec->context.sequences;
    ASSERT(!exec->written);
    if (!exec->takes_values || !sequences)
        return OK;
    return sequences->reserve(sequences->context, rows, error);
}

/* Rows of a VALUES that need not be seen together go in one by one, without an operator that puts
 * them into batches first, and so is one row changed that a key leads to. EXPLAIN ANALYZE shows the
 * operators. */
static bool is_direct(const struct exec *exec, const struct plan *plan)
{
    if (plan->kind != PLAN_INSERT)
        return plan->as.modify.one_row && !exec->context.measure;
    return plan->left->kind == PLAN_VALUES && plan->as.modify.conflict == CONFLICT_ERROR &&
           plan->as.modify.table->foreign_key_count == 0 && exec->subquery_count == 0 &&
           !exec->takes_unnamed && !exec->context.measure;
}

static status_t new_row_insert(struct modify *modify, struct error *error)
{
    status_t status =
        exec__check_row(modify->op.exec, modify->table, modify->new_row, &modify->scratch, error);
    return status == OK ? row_insert(modify, error) : status;
}

static status_t insert_values(struct modify *modify, struct error *error)
{
    struct exec *exec = modify->op.exec;
    const struct plan *values = modify->op.plan->left;
    struct expr *const *row = values->as.values.rows;
    ASSERT(!modify->op.left && values->column_count >= modify->table->column_count);
    exec->written = true;
    for (uint32_t i = 0; i < values->as.values.row_count; i++, row += values->column_count) {
        status_t status = OK;
        if (i % ROWS_BETWEEN_CANCEL_CHECKS == 0)
            status = exec__cancel_check(exec, error);
        arena_reset(&modify->scratch);
        for (uint32_t c = 0; c < modify->table->column_count && status == OK; c++) {
            struct value *value = &modify->new_row[c];
            status = exec__expr_value(exec, row[c], value, error);
            if (status == OK && value->null)
                *value = value_null(values->types[c]);
        }
        if (status == OK)
            status = new_row_insert(modify, error);
        if (status != OK)
            return status;
    }
    exec->rows_affected += values->as.values.row_count;
    return OK;
}

static status_t insert_batches(struct modify *modify, struct error *error)
{
    uint32_t column_count = modify->table->column_count;
    for (;;) {
        struct batch *batch;
        status_t status = exec__operator_next(modify->op.left, &batch, error);
        if (status != OK || !batch)
            return status;
        modify->op.exec->written = true;
        for (uint32_t i = 0; i < batch->selected; i++) {
            uint32_t row = batch_row(batch, i);
            arena_reset(&modify->scratch);
            for (uint32_t c = 0; c < column_count; c++)
                modify->new_row[c] = vector_get(&batch->columns[c], row);
            status = new_row_insert(modify, error);
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
    if (status == OK && plan->as.modify.may_repeat)
        status = drop_repetitions(modify, error);
    if (status == OK)
        status = values_reserve(modify, modify->rows.row_count, error);
    if (status != OK)
        return status;
    modify->op.exec->written = true;
    if (modify->upsert) {
        status = rows_each(modify, exec__upsert_row, error);
        return status == OK ? references(modify, error) : status;
    }
    if (plan->kind == PLAN_INSERT) {
        status = rows_each(modify, row_insert, error);
    } else if (plan->kind == PLAN_DELETE) {
        status = rows_each(modify, row_delete, error);
    } else if (keys_stay(modify)) {
        status = rows_each(modify, row_change, error);
    } else {
        status = rows_each(modify, row_vacate, error);
        if (status == OK)
            status = rows_each(modify, row_settle, error);
    }
    if (status == OK && (modify->table->foreign_key_count || modify->table->referenced_by_count))
        status = references(modify, error);
    modify->op.exec->rows_affected = modify->rows.row_count;
    return status;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

/* Queries in RETURNING do not see what the statement has changed. */
static bool shows_before(const struct exec *exec, const struct plan *plan)
{
    return plan->as.modify.returning && exec->subquery_count > 0;
}

static status_t modify_next(struct operator* op, struct batch **out, struct error *error)
{
    struct modify *modify = (struct modify *)op;
    *out = NULL;
    if (!modify->done) {
        modify->done = true;
        /* A subquery may read what is being changed. */
        bool in_batches = op->plan->kind == PLAN_INSERT && modify->table->foreign_key_count == 0 &&
                          !modify->upsert && op->exec->subquery_count == 0 &&
                          !plan_reads(op->plan->left, modify->table) && !may_run_out(op);
        bool one = !op->left && op->plan->kind != PLAN_INSERT;
        status_t status = one          ? exec__modify_one(modify, error)
                          : !op->left  ? insert_values(modify, error)
                          : in_batches ? insert_batches(modify, error)
                                       : modify_collected(modify, error);
        if (status != OK)
            return status;
        if (shows_before(op->exec, op->plan))
            store_before_look_back(op->exec->context.txn);
        if (!op->plan->as.modify.returning)
            op->figures.rows = op->exec->rows_affected; /* nothing else will count them */
    }
    if (op->plan->as.modify.returning)
        returned_next(modify, out);
    return OK;
}

static void buffers_of(struct modify *modify, struct buffer *own[EXEC_BUFFERS])
{
    own[0] = &modify->key;
    own[1] = &modify->old_key;
    own[2] = &modify->value;
    own[3] = &modify->old_value;
}

/* Those kept from the statement before. */
static void buffers_take(struct modify *modify)
{
    struct buffer *kept = modify->op.exec->context.buffers;
    struct buffer *own[EXEC_BUFFERS];
    if (!kept)
        return;
    buffers_of(modify, own);
    for (uint32_t i = 0; i < EXEC_BUFFERS; i++) {
        *own[i] = kept[i];
        kept[i] = (struct buffer){0};
        buffer_reset(own[i]);
    }
}

/* Small ones are kept for the next statement. */
static void buffers_leave(struct modify *modify)
{
    enum { KEPT_SIZE_MAX = 256 };
    struct buffer *kept = modify->op.exec->context.buffers;
    struct buffer *own[EXEC_BUFFERS];
    buffers_of(modify, own);
    for (uint32_t i = 0; i < EXEC_BUFFERS; i++) {
        if (kept && !kept[i].data && own[i]->capacity <= KEPT_SIZE_MAX)
            kept[i] = *own[i];
        else
            buffer_free(own[i]);
        *own[i] = (struct buffer){0};
    }
}

status_t exec__modify_rows_init(struct modify *modify, const struct plan_rules *rules,
                                struct error *error)
{
    const struct table *table = modify->table;
    ASSERT(table->column_count > 0 && table->index_count > 0);
    size_t places = table->column_count + table->computed_count;
    size_t values = 2 * places + table->ordinal_next;
    size_t flags = (size_t)table->column_count + table->index_count;
    struct value *room =
        arena_alloc(modify->op.exec->arena, values * sizeof *room + flags * sizeof(bool));
    modify->old_row = room;
    modify->new_row = room + places;
    modify->stored = room + 2 * places;
    modify->column_touched = (bool *)(room + values);
    modify->index_touched = modify->column_touched + table->column_count;
    memset(room, 0, values * sizeof *room);
    for (uint32_t i = 0; i < table->ordinal_next; i++)
        modify->stored[i].null = true; /* as dropped columns stay */
    modify->in_order = table->ordinal_next == table->column_count;
    for (uint32_t i = 0; i < table->column_count; i++)
        modify->in_order &= table->columns[i].ordinal == i;
    memset(modify->column_touched, true, flags * sizeof(bool));
    modify->primary_touched = true;
    buffers_take(modify);
    return exec__rules_open(modify->op.exec, table, rules, &modify->rules, error);
}

void exec__modify_rows_free(struct modify *modify)
{
    exec__rules_close(modify->rules);
    arena_free(&modify->scratch);
    buffers_leave(modify);
}

static void modify_close(struct operator* op)
{
    struct modify *modify = (struct modify *)op;
    exec__upsert_close(modify);
    exec__collection_free(&modify->rows);
    if (op->plan->as.modify.returning)
        exec__collection_free(&modify->returned);
    exec__modify_rows_free(modify);
}

static const struct operator_ops modify_ops = {modify_next, modify_close};

static bool touches_index(const struct modify *modify, const struct index *index)
{
    for (uint32_t k = 0; k < index->column_count; k++) {
        uint32_t place = index->columns[k];
        /* What an expression rests on is not asked: its entry shows whether it changed. */
        if (place >= modify->table->column_count || modify->column_touched[place])
            return true;
    }
    return false;
}

static void find_touched(struct modify *modify)
{
    const struct plan *plan = modify->op.plan;
    const struct table *table = modify->table;
    if (plan->kind != PLAN_UPDATE)
        return;
    for (uint32_t c = 0; c < table->column_count; c++)
        modify->column_touched[c] = false;
    for (uint32_t i = 0; i < plan->as.modify.assigned_count; i++)
        modify->column_touched[plan->as.modify.assigned[i]] = true;
    /* Entries of every index hold the primary key. */
    modify->primary_touched = touches_index(modify, &table->indexes[0]);
    for (uint32_t i = 0; i < table->index_count; i++)
        modify->index_touched[i] = modify->primary_touched || table->indexes[i].predicate ||
                                   touches_index(modify, &table->indexes[i]);
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
    if (shows_before(exec, plan))
        exec->context.txn = store_before_create(exec->context.txn, exec->arena);
    if (plan->as.modify.returning)
        exec__collection_init(&modify->returned, exec, plan->types, NULL, plan->column_count);
    status_t status = exec__modify_rows_init(modify, plan->as.modify.rules, error);
    if (status != OK)
        return status;
    find_touched(modify);
    if (plan->as.modify.conflict != CONFLICT_ERROR) {
        status = exec__upsert_open(modify, error);
        if (status != OK)
            return status;
    }
    if (is_direct(exec, plan))
        return OK;
    return exec__operator_open(exec, plan->left, &modify->op.left, error);
}
