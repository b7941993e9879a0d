/* What a row must fulfil: NOT NULL and declared ranges of its columns, and FOREIGN KEY in both
 * directions. Uniqueness is checked where keys are written, in modify.c.
 *
 * All checks read through the transaction, so that the store notes them: the get of a parent's key
 * conflicts with a concurrent delete of that parent, the scan for children with a concurrent insert
 * of one. They run when the statement's own changes are in place, so rows may refer to each other
 * however they come. */
#include "sql/exec/modify_int.h"

void exec__error_row(const struct table *table, const struct value *row, struct error *error)
{
    struct buffer text = {0};
    for (uint32_t i = 0; i < table_visible_count(table); i++) {
        buffer_append_string(&text, i ? ", " : "");
        if (row[i].null)
            buffer_append_string(&text, "null");
        else
            value_format(&row[i], &text);
    }
    error_detail(error, "Failing row contains (%.*s).", (int)text.size, (const char *)text.data);
    buffer_free(&text);
}

static status_t not_null_error(const struct table *table, uint32_t column, const struct value *row,
                               struct error *error)
{
    error_sql(error, "23502", 0,
              "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
              table->columns[column].name, table->name);
    exec__error_row(table, row, error);
    return ERR_SQL;
}

status_t exec__check_row(const struct exec *exec, const struct table *table, struct value *row,
                         struct arena *arena, struct error *error)
{
    ASSERT(table->column_count > 0);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (row[i].null) {
            if (column->not_null)
                return not_null_error(table, i, row, error);
            continue;
        }
        ASSERT(row[i].type == column->type.kind);
        if (!type_spec_limits(column->type) || exec->context.no_lengths)
            continue;
        struct value assigned;
        status_t status =
            value_assign(&row[i], column->type, column->name, arena, &assigned, error);
        if (status != OK)
            return status;
        row[i] = assigned;
    }
    return OK;
}

void exec__format_key(const struct table *table, const uint32_t *columns, uint32_t count,
                      const struct value *row, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_printf(out, "%s%s", i ? ", " : "(", table->columns[columns[i]].name);
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? ", " : ")=(");
        if (row[columns[i]].null)
            buffer_append_string(out, "null");
        else
            value_format(&row[columns[i]], out);
    }
    buffer_append_string(out, ")");
    buffer_append_byte(out, '\0');
}

status_t exec__error_duplicate(const struct table *table, const struct index *index,
                               const struct value *row, struct error *error)
{
    struct buffer key = {0};
    exec__format_key(table, index->columns, index_key_count(index), row, &key);
    error_sql(error, "23505", 0, "duplicate key value violates unique constraint \"%s\"",
              index->name);
    error_detail(error, "Key %s already exists.", (const char *)key.data);
    buffer_free(&key);
    return ERR_SQL;
}

/* ---- FOREIGN KEY --------------------------------------------------------------------------------
 */

static uint32_t place_of(const uint32_t *columns, uint32_t count, uint32_t column)
{
    for (uint32_t i = 0; i < count; i++) {
        if (columns[i] == column)
            return i;
    }
    UNREACHABLE(); /* the catalog chose the index by these columns */
}

/* Prefix of `index` and its first column_count columns, which are those of `own_columns` in some
 * order, with the row's values at `value_columns`. *has_null: one of them is NULL, no key. */
static status_t reference_key(const struct table *table, const struct index *index,
                              uint32_t column_count, const uint32_t *own_columns,
                              const uint32_t *value_columns, const struct value *row,
                              struct buffer *key, bool *has_null, struct error *error)
{
    ASSERT(index->column_count >= column_count);
    *has_null = false;
    for (uint32_t i = 0; i < column_count; i++)
        *has_null = *has_null || row[value_columns[i]].null;
    if (*has_null)
        return OK;
    buffer_reset(key);
    index_key_prefix(table, index, key);
    for (uint32_t k = 0; k < column_count; k++) {
        uint32_t place = place_of(own_columns, column_count, index->columns[k]);
        struct value value = row[value_columns[place]];
        enum sql_type type = table->columns[index->columns[k]].type.kind;
        if (value.type != type) {
            ASSERT(!type_is_slice(type)); /* the catalog allows differing number types at most */
            status_t status = value_cast(&value, type, NULL, 0, &value, error);
            if (status != OK)
                return status;
        }
        key_append_value(key, &value, index->descending[k]);
    }
    return key->failed ? error_set(error, ERR_TOO_LONG, "key is too long") : OK;
}

/* Is there a row of the parent with this key? */
static status_t parent_find(struct exec *exec, const struct foreign_key *key,
                            const uint32_t *value_columns, const struct value *row,
                            struct buffer *scratch, bool *found, struct error *error)
{
    const struct table *parent = catalog_table_by_id(exec->context.catalog, key->parent_table_id);
    ASSERT(parent);
    const struct index *index = table_index_by_id(parent, key->parent_index_id);
    ASSERT(index && index->unique && index_key_count(index) == key->column_count);
    bool has_null;
    status_t status = reference_key(parent, index, key->column_count, key->parent_columns,
                                    value_columns, row, scratch, &has_null, error);
    *found = has_null;
    if (status != OK || has_null || scratch->size > STORE_KEY_MAX)
        return status;
    struct slice ignored;
    return store_get(exec->context.txn, buffer_slice(scratch), found, &ignored, error);
}

status_t exec__check_parent(struct exec *exec, const struct foreign_key *key,
                            const struct table *child, const struct value *row,
                            struct buffer *scratch, struct error *error)
{
    bool found;
    status_t status = parent_find(exec, key, key->child_columns, row, scratch, &found, error);
    if (status != OK || found)
        return status;
    const struct table *parent = catalog_table_by_id(exec->context.catalog, key->parent_table_id);
    error_sql(error, "23503", 0,
              "insert or update on table \"%s\" violates foreign key constraint \"%s\"",
              child->name, key->name);
    struct buffer text = {0};
    exec__format_key(child, key->child_columns, key->column_count, row, &text);
    error_detail(error, "Key %s is not present in table \"%s\".", (const char *)text.data,
                 parent->name);
    buffer_free(&text);
    return ERR_SQL;
}

status_t exec__children_range(const struct foreign_key *key, const struct table *child,
                              const struct value *row, struct buffer *low, struct buffer *high,
                              bool *any, struct error *error)
{
    const struct index *index = table_index_by_id(child, key->child_index_id);
    ASSERT(index);
    bool has_null;
    status_t status = reference_key(child, index, key->column_count, key->child_columns,
                                    key->parent_columns, row, low, &has_null, error);
    *any = status == OK && !has_null && low->size <= STORE_KEY_MAX;
    if (!*any)
        return status;
    buffer_reset(high);
    buffer_append_slice(high, buffer_slice(low));
    bool any_above = key_prefix_end(high);
    ASSERT(any_above);
    return OK;
}

static status_t child_find(struct exec *exec, const struct foreign_key *key,
                           const struct table *child, const struct value *row,
                           struct buffer *scratch, bool *found, struct error *error)
{
    struct buffer high = {0};
    bool any;
    *found = false;
    status_t status = exec__children_range(key, child, row, scratch, &high, &any, error);
    if (status != OK || !any) {
        buffer_free(&high);
        return status;
    }
    struct store_cursor *cursor = NULL;
    status = store_scan_open(exec->context.txn, buffer_slice(scratch), buffer_slice(&high), false,
                             &cursor, error);
    struct store_entry entry;
    uint32_t count = 0;
    if (status == OK)
        status = store_scan_next(cursor, &entry, 1, &count, error);
    store_scan_close(cursor);
    buffer_free(&high);
    *found = count > 0;
    return status;
}

status_t exec__check_children(struct exec *exec, const struct foreign_key *key,
                              const struct table *parent, const struct value *row, bool is_update,
                              struct buffer *scratch, struct error *error)
{
    const struct table *child = catalog_table_by_id(exec->context.catalog, key->child_table_id);
    ASSERT(child);
    bool found;
    status_t status;
    if ((is_update ? key->on_update : key->on_delete) != FK_RESTRICT) {
        /* Another row may have taken the key over in the same statement. */
        status = parent_find(exec, key, key->parent_columns, row, scratch, &found, error);
        if (status != OK || found)
            return status;
    }
    status = child_find(exec, key, child, row, scratch, &found, error);
    if (status != OK || !found)
        return status;
    error_sql(
        error, "23503", 0,
        "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"",
        parent->name, key->name, child->name);
    struct buffer text = {0};
    exec__format_key(parent, key->parent_columns, key->column_count, row, &text);
    error_detail(error, "Key %s is still referenced from table \"%s\".", (const char *)text.data,
                 child->name);
    buffer_free(&text);
    return ERR_SQL;
}
