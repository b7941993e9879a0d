/* System tables: their layouts, and reading and writing their rows. */
#include "base/check.h"
#include "sql/catalog/catalog_int.h"

/* Types, actions and the like are stored by number. */
_Static_assert(SQL_BOOLEAN == 1 && SQL_INTEGER == 2 && SQL_DOUBLE == 3 && SQL_TEXT == 4,
               "numbers of types are part of the stored format");
_Static_assert(FK_NO_ACTION == 0 && FK_RESTRICT == 1 && FK_CASCADE == 2 && FK_SET_NULL == 3 &&
                   FK_SET_DEFAULT == 4,
               "numbers of actions are part of the stored format");

enum { REMOVE_BATCH = 256 };

static const char meta_version[] = "schema_version";
static const char meta_table_next[] = "table_id_next";

static const struct system_layout layouts[SYSTEM_TABLE_END] = {
    [SYSTEM_META] = {2, 1, {SQL_TEXT, SQL_INTEGER}},
    [SYSTEM_TABLES] = {5, 1, {SQL_INTEGER, SQL_TEXT, SQL_INTEGER, SQL_INTEGER, SQL_INTEGER}},
    [SYSTEM_COLUMNS] = {10,
                        2,
                        {SQL_INTEGER, SQL_INTEGER, SQL_TEXT, SQL_INTEGER, SQL_INTEGER, SQL_BOOLEAN,
                         SQL_TEXT, SQL_BOOLEAN, SQL_TEXT, SQL_INTEGER}},
    [SYSTEM_INDEXES] = {8,
                        2,
                        {SQL_INTEGER, SQL_INTEGER, SQL_TEXT, SQL_BOOLEAN, SQL_INTEGER, SQL_TEXT,
                         SQL_BOOLEAN, SQL_BOOLEAN}},
    [SYSTEM_INDEX_COLUMNS] = {7,
                              3,
                              {SQL_INTEGER, SQL_INTEGER, SQL_INTEGER, SQL_INTEGER, SQL_BOOLEAN,
                               SQL_TEXT, SQL_INTEGER}},
    [SYSTEM_FOREIGN_KEYS] = {8,
                             2,
                             {SQL_INTEGER, SQL_INTEGER, SQL_TEXT, SQL_INTEGER, SQL_INTEGER,
                              SQL_INTEGER, SQL_INTEGER, SQL_INTEGER}},
    [SYSTEM_FOREIGN_KEY_COLUMNS] = {4, 3, {SQL_INTEGER, SQL_INTEGER, SQL_INTEGER, SQL_INTEGER}},
    [SYSTEM_VIEWS] = {3, 1, {SQL_INTEGER, SQL_TEXT, SQL_TEXT}},
    [SYSTEM_VIEW_COLUMNS] = {3, 2, {SQL_INTEGER, SQL_INTEGER, SQL_TEXT}},
    [SYSTEM_VIEW_USES] = {3, 2, {SQL_INTEGER, SQL_INTEGER, SQL_INTEGER}},
    [SYSTEM_CHECKS] = {4, 2, {SQL_INTEGER, SQL_INTEGER, SQL_TEXT, SQL_TEXT}},
    [SYSTEM_SEQUENCES] = {12,
                          1,
                          {SQL_INTEGER, SQL_TEXT, SQL_INTEGER, SQL_INTEGER, SQL_INTEGER,
                           SQL_INTEGER, SQL_INTEGER, SQL_BOOLEAN, SQL_INTEGER, SQL_INTEGER,
                           SQL_INTEGER, SQL_INTEGER}},
    [SYSTEM_GARBAGE] = {2, 2, {SQL_INTEGER, SQL_INTEGER}},
    [SYSTEM_COMMENTS] = {4, 3, {SQL_INTEGER, SQL_INTEGER, SQL_INTEGER, SQL_TEXT}},
    [SYSTEM_SEQUENCE_VALUES] = {3, 1, {SQL_INTEGER, SQL_INTEGER, SQL_BOOLEAN}},
    [SYSTEM_INDEX_BUILDS] = {5, 2, {SQL_INTEGER, SQL_INTEGER, SQL_INTEGER, SQL_BYTEA, SQL_INTEGER}},
};

const struct system_layout *catalog__layout(enum system_table table)
{
    ASSERT(table >= SYSTEM_META && table < SYSTEM_TABLE_END && layouts[table].column_count > 0);
    return &layouts[table];
}

void catalog__key_prefix(struct buffer *key, uint32_t table_id, uint32_t index_id)
{
    ASSERT(key && index_id < INDEX_ID_END);
    uint8_t prefix[7] = {KEY_SPACE_SQL};
    put_u32_be(prefix + 1, table_id);
    prefix[5] = (uint8_t)(index_id >> 8);
    prefix[6] = (uint8_t)index_id;
    buffer_append(key, prefix, sizeof prefix);
}

/* The key of a row, or with fewer values the prefix of several. */
static void key_append(struct buffer *key, enum system_table table, const struct value *values,
                       uint32_t count)
{
    const struct system_layout *layout = catalog__layout(table);
    ASSERT(count <= layout->key_count);
    catalog__key_prefix(key, (uint32_t)table, 0);
    for (uint32_t i = 0; i < count; i++) {
        ASSERT(!values[i].null && values[i].type == layout->types[i]);
        key_append_value(key, &values[i], false);
    }
}

status_t catalog__row_put(struct store_txn *txn, enum system_table table,
                          const struct value *values, struct error *error)
{
    const struct system_layout *layout = catalog__layout(table);
    struct buffer key = {0};
    struct buffer row = {0};
    key_append(&key, table, values, layout->key_count);
    row_encode(&row, values, layout->column_count);
    ASSERT(!key.failed && !row.failed);
    status_t status = store_put(txn, buffer_slice(&key), buffer_slice(&row), error);
    buffer_free(&key);
    buffer_free(&row);
    return status;
}

status_t catalog__row_get(struct store_txn *txn, enum system_table table,
                          const struct value *key_values, bool *found, struct value *out,
                          struct error *error)
{
    const struct system_layout *layout = catalog__layout(table);
    struct arena arena = {0};
    struct buffer key = {0};
    struct slice row = {0};
    key_append(&key, table, key_values, layout->key_count);
    status_t status = store_get(txn, buffer_slice(&key), found, &row, error);
    buffer_free(&key);
    if (status != OK || !*found)
        return status;
    struct batch *batch = batch_create(&arena, layout->types, layout->column_count, 1);
    struct vector *targets[SYSTEM_COLUMNS_MAX];
    struct value missing[SYSTEM_COLUMNS_MAX];
    uint32_t ordinals[SYSTEM_COLUMNS_MAX];
    for (uint32_t i = 0; i < layout->column_count; i++) {
        ordinals[i] = i;
        targets[i] = &batch->columns[i];
        missing[i] = value_null(layout->types[i]);
    }
    struct row_shape shape = {.ordinals = ordinals,
                              .types = layout->types,
                              .missing = missing,
                              .count = layout->column_count};
    if (row_decode(row, &shape, targets, 0) != OK)
        status = error_set(error, ERR_CORRUPT, "catalog has a malformed row");
    for (uint32_t i = 0; i < layout->column_count && status == OK; i++)
        out[i] = vector_get(targets[i], 0);
    arena_free(&arena);
    return status;
}

/* Reads a batch of keys from `low` on, closes the cursor, then removes them: a cursor must not be
 * open over what is being changed. The keys are kept for that in `keys`; *last is one of them. */
static status_t batch_remove(struct store_txn *txn, struct slice low, struct slice high,
                             struct arena *keys, struct slice *last, uint32_t *removed,
                             struct error *error)
{
    struct store_cursor *cursor;
    struct store_entry entries[REMOVE_BATCH];
    *removed = 0;
    status_t status = store_scan_open(txn, low, high, false, &cursor, error);
    if (status != OK)
        return status;
    status = store_scan_next(cursor, entries, REMOVE_BATCH, removed, error);
    arena_reset(keys); /* `low` was one of them, and has been used */
    for (uint32_t i = 0; i < *removed; i++)
        entries[i].key = arena_copy(keys, entries[i].key);
    store_scan_close(cursor);
    for (uint32_t i = 0; i < *removed && status == OK; i++)
        status = store_remove(txn, entries[i].key, error);
    if (*removed)
        *last = entries[*removed - 1].key;
    return status;
}

status_t catalog__keys_remove(struct store_txn *txn, struct slice prefix, struct slice from,
                              uint64_t max, struct buffer *last, bool *more, struct error *error)
{
    ASSERT(txn && prefix.size > 0 && last && more);
    struct buffer high = {0};
    buffer_append_slice(&high, prefix);
    bool bounded = key_prefix_end(&high);
    ASSERT(bounded); /* no key of SQL begins with ff */
    /* The next batch begins at the last key removed, so that what is gone is not walked again. */
    struct slice low = from;
    struct arena keys = {0};
    uint64_t all = 0;
    uint32_t removed;
    status_t status;
    do {
        status = batch_remove(txn, low, buffer_slice(&high), &keys, &low, &removed, error);
        all += removed;
    } while (status == OK && removed > 0 && all < max);
    *more = status == OK && removed > 0;
    buffer_reset(last);
    if (*more)
        buffer_append_slice(last, low);
    arena_free(&keys);
    buffer_free(&high);
    return status;
}

status_t catalog__prefix_remove(struct store_txn *txn, struct slice prefix, struct error *error)
{
    struct buffer last = {0};
    bool more;
    status_t status = catalog__keys_remove(txn, prefix, prefix, UINT64_MAX, &last, &more, error);
    ASSERT(status != OK || !more);
    buffer_free(&last);
    return status;
}

status_t catalog__rows_remove(struct store_txn *txn, enum system_table table,
                              const struct value *key_values, uint32_t count, struct error *error)
{
    struct buffer prefix = {0};
    key_append(&prefix, table, key_values, count);
    status_t status = catalog__prefix_remove(txn, buffer_slice(&prefix), error);
    buffer_free(&prefix);
    return status;
}

/* ---- numbers in the meta table ----------------------------------------------------------------
 */

static status_t meta_get(struct store_txn *txn, const char *name, int64_t fallback, int64_t *number,
                         struct error *error)
{
    struct buffer key = {0};
    struct value name_value = value_text(slice_from_string(name));
    key_append(&key, SYSTEM_META, &name_value, 1);
    bool found;
    struct slice row = {0};
    status_t status = store_get(txn, buffer_slice(&key), &found, &row, error);
    buffer_free(&key);
    *number = fallback;
    if (status != OK || !found)
        return status;
    uint64_t nulls = 0;
    struct vector vector = {
        .type = SQL_INTEGER, .capacity = 1, .nulls = &nulls, .as.integers = number};
    struct vector *target = &vector;
    struct value missing = value_null(SQL_INTEGER);
    struct row_shape shape = {.ordinals = (const uint32_t[]){1},
                              .types = (const enum sql_type[]){SQL_INTEGER},
                              .missing = &missing,
                              .count = 1};
    if (row_decode(row, &shape, &target, 0) != OK || vector.has_nulls || *number < 0)
        return error_set(error, ERR_CORRUPT, "catalog number \"%s\" is malformed", name);
    return OK;
}

static status_t meta_put(struct store_txn *txn, const char *name, int64_t number,
                         struct error *error)
{
    struct value values[] = {value_text(slice_from_string(name)), value_integer(number)};
    return catalog__row_put(txn, SYSTEM_META, values, error);
}

status_t catalog_version(struct store_txn *txn, uint64_t *version, struct error *error)
{
    ASSERT(txn && version);
    int64_t number;
    status_t status = meta_get(txn, meta_version, 0, &number, error);
    if (status == OK)
        *version = (uint64_t)number;
    return status;
}

status_t catalog__version_bump(struct store_txn *txn, struct error *error)
{
    int64_t number;
    status_t status = meta_get(txn, meta_version, 0, &number, error);
    return status == OK ? meta_put(txn, meta_version, number + 1, error) : status;
}

status_t catalog__table_id_next(struct store_txn *txn, uint32_t *id, struct error *error)
{
    int64_t number;
    status_t status = meta_get(txn, meta_table_next, TABLE_ID_USER_MIN, &number, error);
    if (status != OK)
        return status;
    if (number < TABLE_ID_USER_MIN || number >= UINT32_MAX)
        return error_set(error, ERR_CORRUPT, "catalog number \"%s\" is malformed", meta_table_next);
    *id = (uint32_t)number;
    return meta_put(txn, meta_table_next, number + 1, error);
}

/* ---- writing tables ---------------------------------------------------------------------------
 */

static struct value string(const char *text)
{
    return text ? value_text(slice_from_string(text)) : value_null(SQL_TEXT);
}

status_t catalog__column_write(struct store_txn *txn, const struct table *table,
                               const struct column *column, struct error *error)
{
    struct buffer missing = {0};
    bool has_missing = column->missing.type != SQL_UNKNOWN && !column->missing.null;
    if (has_missing)
        value_format(&column->missing, &missing);
    struct value values[] = {
        value_integer(table->id),
        value_integer(column->ordinal),
        string(column->name),
        value_integer(column->type.kind),
        value_integer(column->type.length_max),
        value_boolean(column->not_null),
        string(column->default_sql),
        value_boolean(column->hidden),
        has_missing ? value_text(buffer_slice(&missing)) : value_null(SQL_TEXT),
        value_integer(column->identity),
    };
    status_t status = catalog__row_put(txn, SYSTEM_COLUMNS, values, error);
    buffer_free(&missing);
    return status;
}

static status_t columns_write(struct store_txn *txn, const struct table *table, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < table->column_count && status == OK; i++)
        status = catalog__column_write(txn, table, &table->columns[i], error);
    return status;
}

status_t catalog__index_write(struct store_txn *txn, const struct table *table,
                              const struct index *index, struct error *error)
{
    ASSERT(index->column_count > 0 && index->column_count <= CATALOG_KEY_COLUMNS_MAX);
    struct value values[] = {value_integer(table->id),
                             value_integer(index->id),
                             string(index->name),
                             value_boolean(index->unique),
                             value_integer(index->included_count),
                             string(index->predicate),
                             value_boolean(index->building),
                             value_boolean(index->constraint)};
    status_t status = catalog__row_put(txn, SYSTEM_INDEXES, values, error);
    for (uint32_t i = 0; i < index->column_count && status == OK; i++) {
        const struct column *key = &table->columns[index->columns[i]];
        bool computed = index->columns[i] >= table->column_count;
        struct value column[] = {
            value_integer(table->id),
            value_integer(index->id),
            value_integer(i),
            value_integer(key->ordinal),
            value_boolean(index->descending[i]),
            string(computed ? key->name : NULL),
            computed ? value_integer(key->type.kind) : value_null(SQL_INTEGER),
        };
        status = catalog__row_put(txn, SYSTEM_INDEX_COLUMNS, column, error);
    }
    return status;
}

/* The parent's columns are those of its index. */
status_t catalog__foreign_key_write(struct store_txn *txn, const struct table *table,
                                    const struct foreign_key *fk, struct error *error)
{
    ASSERT(fk->column_count > 0 && fk->child_table_id == table->id);
    struct value values[] = {
        value_integer(table->id),
        value_integer(fk->id),
        string(fk->name),
        value_integer(fk->parent_table_id),
        value_integer(fk->parent_index_id),
        value_integer(fk->child_index_id),
        value_integer(fk->on_delete),
        value_integer(fk->on_update),
    };
    status_t status = catalog__row_put(txn, SYSTEM_FOREIGN_KEYS, values, error);
    for (uint32_t i = 0; i < fk->column_count && status == OK; i++) {
        struct value column[] = {
            value_integer(table->id),
            value_integer(fk->id),
            value_integer(i),
            value_integer(table->columns[fk->child_columns[i]].ordinal),
        };
        status = catalog__row_put(txn, SYSTEM_FOREIGN_KEY_COLUMNS, column, error);
    }
    return status;
}

status_t catalog__check_write(struct store_txn *txn, const struct table *table,
                              const struct check *check, struct error *error)
{
    ASSERT(check->name && check->sql);
    struct value values[] = {value_integer(table->id), value_integer(check->id),
                             string(check->name), string(check->sql)};
    return catalog__row_put(txn, SYSTEM_CHECKS, values, error);
}

status_t catalog__table_row_write(struct store_txn *txn, const struct table *table,
                                  struct error *error)
{
    struct value values[] = {value_integer(table->id), string(table->name),
                             value_integer(table->ordinal_next), value_integer(table->index_next),
                             value_integer(table->storage_id)};
    return catalog__row_put(txn, SYSTEM_TABLES, values, error);
}

status_t catalog__table_write(struct store_txn *txn, const struct table *table, struct error *error)
{
    ASSERT(table->id >= TABLE_ID_USER_MIN && table->index_count > 0);
    status_t status = catalog__table_row_write(txn, table, error);
    if (status == OK)
        status = columns_write(txn, table, error);
    for (uint32_t i = 0; i < table->index_count && status == OK; i++)
        status = catalog__index_write(txn, table, &table->indexes[i], error);
    for (uint32_t i = 0; i < table->foreign_key_count && status == OK; i++)
        status = catalog__foreign_key_write(txn, table, &table->foreign_keys[i], error);
    for (uint32_t i = 0; i < table->check_count && status == OK; i++)
        status = catalog__check_write(txn, table, &table->checks[i], error);
    return status;
}
