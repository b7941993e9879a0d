/* One row put, changed, taken away: itself and its entries in every index. */
#include "sql/exec/modify_int.h"

/* ---- single entries -----------------------------------------------------------------------------
 */

static void row_make(struct modify *modify)
{
    const struct table *table = modify->table;
    const struct value *row = modify->new_row;
    if (!modify->in_order) {
        for (uint32_t i = 0; i < table->column_count; i++)
            modify->stored[table->columns[i].ordinal] = modify->new_row[i];
        row = modify->stored;
    }
    buffer_reset(&modify->value);
    row_encode(&modify->value, row, table->ordinal_next);
}

status_t exec__row_is_current(struct modify *modify, bool *current, struct error *error)
{
    struct slice row;
    buffer_reset(&modify->key);
    status_t status = index_row_key(modify->table, modify->new_row, &modify->key, error);
    if (status == OK)
        status = store_get(modify->op.exec->context.txn, buffer_slice(&modify->key), current, &row,
                           error);
    if (status != OK || !*current)
        return status;
    row_make(modify);
    *current = slice_equal(row, buffer_slice(&modify->value));
    return OK;
}

static status_t row_put(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    row_make(modify);
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

/* Is what stands by old_key this row's entry? In a unique index that is being built it may be
 * another row's: that one has taken the key while this row's entry was yet to come. Then the key is
 * read, and so certified, before it is changed. */
static status_t entry_is_own(const struct modify *modify, const struct index *index, bool checked,
                             bool *own, struct error *error)
{
    bool found = false;
    struct slice there;
    *own = true;
    if (!index->building || !checked)
        return OK;
    status_t status = store_get(modify->op.exec->context.txn, buffer_slice(&modify->old_key),
                                &found, &there, error);
    *own = status == OK && (!found || slice_equal(there, buffer_slice(&modify->old_value)));
    return status;
}

/* The entry of old_row, of which old_key and old_value are made. */
static status_t old_entry_remove(struct modify *modify, const struct index *index, bool checked,
                                 struct error *error)
{
    bool own;
    status_t status = entry_is_own(modify, index, checked, &own, error);
    if (status != OK || !own)
        return status;
    return store_remove(modify->op.exec->context.txn, buffer_slice(&modify->old_key), error);
}

static status_t entry_remove(struct modify *modify, const struct index *index, struct error *error)
{
    bool checked;
    status_t status = entry_make(modify, index, modify->old_row, &modify->old_key,
                                 &modify->old_value, &checked, error);
    return status == OK ? old_entry_remove(modify, index, checked, error) : status;
}

/* What an update does to the entry of an index; nothing is the same when there is only one. */
struct entry_change {
    bool checked; /* the one after must be free */
    bool old_checked;
    bool same_key;
    bool same_value;
};

static status_t row_keys(struct modify *modify, bool *same, struct error *error)
{
    buffer_reset(&modify->key);
    buffer_reset(&modify->old_key);
    status_t status = index_row_key(modify->table, modify->new_row, &modify->key, error);
    *same = true;
    if (status != OK || !modify->primary_touched)
        return status;
    status = index_row_key(modify->table, modify->old_row, &modify->old_key, error);
    *same = status == OK && slice_equal(buffer_slice(&modify->key), buffer_slice(&modify->old_key));
    return status;
}

/* The entries of an index that covers the row before, or after, or both. A row it does not cover
 * has no entry, and what the index is over was not computed for it. */
static status_t entry_keys(struct modify *modify, const struct index *index, bool before,
                           bool after, struct entry_change *change, struct error *error)
{
    status_t status = OK;
    *change = (struct entry_change){0};
    if (after)
        status = entry_make(modify, index, modify->new_row, &modify->key, &modify->value,
                            &change->checked, error);
    if (before && status == OK)
        status = entry_make(modify, index, modify->old_row, &modify->old_key, &modify->old_value,
                            &change->old_checked, error);
    if (status != OK || !before || !after)
        return status;
    change->same_key = slice_equal(buffer_slice(&modify->key), buffer_slice(&modify->old_key));
    change->same_value =
        slice_equal(buffer_slice(&modify->value), buffer_slice(&modify->old_value));
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

status_t exec__row_insert(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    bool hidden = table_has_row_id(table);
    status_t status = hidden ? row_id_settle(modify, error) : OK;
    buffer_reset(&modify->key);
    if (status == OK)
        status = index_row_key(table, modify->new_row, &modify->key, error);
    if (status == OK && !hidden)
        status = key_must_be_free(modify, &table->indexes[0], error);
    if (status == OK)
        status = row_put(modify, error);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++) {
        bool covers;
        status = exec__rules_covers(modify->rules, i, modify->new_row, &covers, error);
        if (status == OK && covers)
            status = entry_put(modify, &table->indexes[i], error);
    }
    return status;
}

status_t exec__row_delete(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    status_t status = OK;
    for (uint32_t i = 1; i < table->index_count && status == OK; i++) {
        bool covers;
        status = exec__rules_covers(modify->rules, i, modify->old_row, &covers, error);
        if (status == OK && covers)
            status = entry_remove(modify, &table->indexes[i], error);
    }
    buffer_reset(&modify->old_key);
    if (status == OK)
        status = index_row_key(table, modify->old_row, &modify->old_key, error);
    if (status == OK)
        status = store_remove(modify->op.exec->context.txn, buffer_slice(&modify->old_key), error);
    return status;
}

/* Has a partial index an entry for the row before, and after? */
static status_t covers_both(struct modify *modify, uint32_t index, bool *before, bool *after,
                            struct error *error)
{
    status_t status = exec__rules_covers(modify->rules, index, modify->old_row, before, error);
    return status == OK ? exec__rules_covers(modify->rules, index, modify->new_row, after, error)
                        : status;
}

/* Step 1: keys the row will not have any more. */
status_t exec__row_vacate(struct modify *modify, struct error *error)
{
    const struct table *table = modify->table;
    struct store_txn *txn = modify->op.exec->context.txn;
    bool same = true;
    status_t status = modify->primary_touched ? row_keys(modify, &same, error) : OK;
    if (status == OK && !same)
        status = store_remove(txn, buffer_slice(&modify->old_key), error);
    for (uint32_t i = 1; i < table->index_count && status == OK; i++) {
        if (!modify->index_touched[i])
            continue;
        bool before, after;
        status = covers_both(modify, i, &before, &after, error);
        if (status != OK || !before)
            continue;
        struct entry_change change;
        status = entry_keys(modify, &table->indexes[i], before, after, &change, error);
        if (status == OK && !change.same_key)
            status = old_entry_remove(modify, &table->indexes[i], change.old_checked, error);
    }
    return status;
}

/* Step 2: the row and the keys it has now. */
status_t exec__row_settle(struct modify *modify, struct error *error)
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
        if (!modify->index_touched[i])
            continue;
        bool before, after;
        status = covers_both(modify, i, &before, &after, error);
        if (status != OK || !after)
            continue;
        struct entry_change change;
        status = entry_keys(modify, index, before, after, &change, error);
        if (status != OK || (change.same_key && change.same_value))
            continue;
        bool own = true;
        if (!change.same_key && change.checked)
            status = key_must_be_free(modify, index, error);
        else if (change.same_key)
            status = entry_is_own(modify, index, change.checked, &own, error);
        if (status == OK && !own)
            status = exec__error_duplicate(table, index, modify->new_row, error);
        if (status == OK)
            status =
                store_put(txn, buffer_slice(&modify->key), buffer_slice(&modify->value), error);
    }
    return status;
}
