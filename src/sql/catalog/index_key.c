/* Keys of rows and index entries.
 *
 *   row                       prefix of index 0, primary key columns        -> the row
 *   entry, unique, no NULL    prefix of the index, its columns              -> included columns,
 *                                                                              primary key columns
 *   entry, any other          prefix of the index, its columns,
 *                             included columns, primary key columns         -> nothing
 *
 * So key and value together always hold the same columns in the same order. In a unique index both
 * kinds live side by side: a NULL in the columns makes the keys differ there already. The value is
 * empty exactly when the primary key is in the key, because a primary key has a column and a column
 * takes a byte. */
#include "base/check.h"
#include "sql/catalog/catalog_int.h"

enum { INDEX_PREFIX_SIZE = 7 };

void index_key_prefix(const struct table *table, const struct index *index, struct buffer *key)
{
    ASSERT(table && index);
    catalog__key_prefix(key, table_storage(table), index->id);
}

/* Appends the index's columns [from, to) of a row; says whether one of them is NULL. */
static bool columns_append(const struct table *table, const struct index *index, uint32_t from,
                           uint32_t to, const struct value *row, struct buffer *key)
{
    bool has_null = false;
    for (uint32_t i = from; i < to; i++) {
        uint32_t place = index->columns[i];
        ASSERT(place < table->column_count + table->computed_count);
        ASSERT(row[place].null || row[place].type == table->columns[place].type.kind);
        has_null |= row[place].null;
        key_append_value(key, &row[place], index->descending[i]);
    }
    return has_null;
}

static status_t size_check(const struct index *index, const struct buffer *key, size_t start,
                           struct error *error)
{
    if (!key->failed && key->size - start <= STORE_KEY_MAX)
        return OK;
    return error_set(error, ERR_TOO_LONG, "index row size %zu exceeds maximum %d for index \"%s\"",
                     key->size - start, STORE_KEY_MAX, index->name);
}

status_t index_row_key(const struct table *table, const struct value *row, struct buffer *key,
                       struct error *error)
{
    ASSERT(table && row && table->index_count > 0);
    const struct index *primary = &table->indexes[0];
    size_t start = key->size;
    index_key_prefix(table, primary, key);
    bool has_null = columns_append(table, primary, 0, primary->column_count, row, key);
    ASSERT(!has_null);
    return size_check(primary, key, start, error);
}

status_t index_entry(const struct table *table, const struct index *index, const struct value *row,
                     struct buffer *key, struct buffer *value, bool *checked, struct error *error)
{
    ASSERT(table && index && index->id != 0);
    ASSERT(row && key && value && checked);
    size_t start = key->size;
    index_key_prefix(table, index, key);
    uint32_t keys = index_key_count(index);
    bool has_null = columns_append(table, index, 0, keys, row, key);
    *checked = index->unique && !has_null;
    struct buffer *rest = *checked ? value : key;
    columns_append(table, index, keys, index->column_count, row, rest);
    const struct index *primary = &table->indexes[0];
    bool primary_null = columns_append(table, primary, 0, primary->column_count, row, rest);
    ASSERT(!primary_null);
    return size_check(index, key, start, error);
}

static status_t entry_corrupt(const struct index *index, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "entry of index \"%s\" is malformed", index->name);
}

status_t index_entry_row_key(const struct table *table, const struct index *index, struct slice key,
                             struct slice value, struct buffer *row_key, struct error *error)
{
    ASSERT(table && index && index->id != 0);
    struct slice primary = value;
    bool in_key = value.size == 0;
    if (in_key && key.size < INDEX_PREFIX_SIZE)
        return entry_corrupt(index, error);
    if (in_key)
        primary = slice_make(key.data + INDEX_PREFIX_SIZE, key.size - INDEX_PREFIX_SIZE);
    for (uint32_t i = in_key ? 0 : index_key_count(index); i < index->column_count; i++) {
        enum sql_type type = table->columns[index->columns[i]].type.kind;
        if (key_skip_value(&primary, type, index->descending[i]) != OK)
            return entry_corrupt(index, error);
    }
    if (primary.size == 0)
        return entry_corrupt(index, error);
    index_key_prefix(table, &table->indexes[0], row_key);
    buffer_append_slice(row_key, primary);
    return OK;
}
