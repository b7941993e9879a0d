/* Reading what entries of an index tell of their rows: the columns in the index itself, or those of
 * the row an entry holds or leads to, all that a scan is for or a part of them. */
#include "sql/exec/late_int.h"

enum { KEY_PREFIX_SIZE = 7 };

static uint32_t index_place(const struct table *table, const struct index *index, uint32_t column)
{
    for (uint32_t k = 0; k < index->column_count; k++) {
        if (index->columns[k] == column)
            return k;
    }
    const struct index *primary = &table->indexes[0];
    for (uint32_t k = 0; k < primary->column_count; k++) {
        if (primary->columns[k] == column)
            return index->column_count + k;
    }
    UNREACHABLE(); /* the planner chose index_only for an index without the column */
}

void exec__row_shape(const struct table *table, const uint32_t *columns, uint32_t count,
                     struct arena *arena, struct row_shape *shape, uint32_t **order)
{
    uint32_t *ordinals = arena_alloc(arena, (count + 1) * sizeof *ordinals);
    enum sql_type *types = arena_alloc(arena, (count + 1) * sizeof *types);
    struct value *missing = arena_alloc(arena, (count + 1) * sizeof *missing);
    uint32_t *places = arena_alloc(arena, (count + 1) * sizeof *places);
    for (uint32_t i = 0; i < count; i++) {
        const struct column *column = &table->columns[columns ? columns[i] : i];
        /* Only a hidden column, the last, can have a lower ordinal than those before it. */
        uint32_t at = i;
        for (; at > 0 && ordinals[at - 1] > column->ordinal; at--) {
            ordinals[at] = ordinals[at - 1];
            types[at] = types[at - 1];
            missing[at] = missing[at - 1];
            places[at] = places[at - 1];
        }
        ordinals[at] = column->ordinal;
        types[at] = column->type.kind;
        missing[at] =
            column->missing.type == SQL_UNKNOWN ? value_null(column->type.kind) : column->missing;
        places[at] = i;
    }
    *shape = (struct row_shape){
        .ordinals = ordinals, .types = types, .missing = missing, .count = count};
    *order = places;
}

void exec__row_reader_init(struct row_reader *reader, struct exec *exec, const struct plan *plan)
{
    ASSERT(plan->kind == PLAN_SCAN);
    const struct table *table = plan->as.scan.table;
    uint32_t count = plan->column_count;
    *reader = (struct row_reader){.exec = exec, .plan = plan};
    if (plan->as.scan.index_only) {
        uint32_t *numbers = arena_alloc(exec->arena, count * sizeof *numbers);
        reader->places = numbers;
        for (uint32_t i = 0; i < count; i++)
            numbers[i] = index_place(table, plan->as.scan.index, plan->as.scan.columns[i]);
        return;
    }
    struct row_part *whole = &reader->whole;
    exec__row_shape(table, plan->as.scan.columns, count, exec->arena, &whole->shape, &whole->order);
    /* Zeroed: the first read finds them not set, whatever the arena held before. */
    whole->targets = arena_zalloc(exec->arena, count * sizeof *whole->targets);
}

void exec__row_reader_free(struct row_reader *reader)
{
    arena_free(&reader->text);
    buffer_free(&reader->row_key);
}

static status_t corrupt(const struct row_reader *reader, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "index \"%s\" of table \"%s\" is corrupt",
                     reader->plan->as.scan.index->name, reader->plan->as.scan.table->name);
}

/* The columns of one entry into values[0..index->column_count): those that do not stand in its key
 * begin its value. */
static status_t key_values(struct row_reader *reader, const struct index *index, struct slice key,
                           struct slice value, struct value *values, struct error *error)
{
    if (key.size < KEY_PREFIX_SIZE)
        return corrupt(reader, error);
    key = slice_make(key.data + KEY_PREFIX_SIZE, key.size - KEY_PREFIX_SIZE);
    for (uint32_t k = 0; k < index->column_count; k++) {
        if (key.size == 0)
            key = arena_copy(&reader->text, value);
        enum sql_type type = reader->plan->as.scan.table->columns[index->columns[k]].type.kind;
        if (key_take_value(&key, type, index->descending[k], &reader->text, &values[k]) != OK)
            return corrupt(reader, error);
    }
    return OK;
}

static status_t read_index_only(struct row_reader *reader, const struct store_entry *entry,
                                struct vector *columns, uint32_t at, struct error *error)
{
    const struct table *table = reader->plan->as.scan.table;
    const struct index *index = reader->plan->as.scan.index;
    struct value values[2 * CATALOG_KEY_COLUMNS_MAX];
    /* Text taken from the key must outlive it. */
    struct slice key = arena_copy(&reader->text, entry->key);
    status_t status = key_values(reader, index, key, entry->value, values, error);
    bool primary_needed = false;
    for (uint32_t i = 0; i < reader->plan->column_count; i++)
        primary_needed = primary_needed || reader->places[i] >= index->column_count;
    if (status == OK && primary_needed) {
        buffer_reset(&reader->row_key);
        status =
            index_entry_row_key(table, index, entry->key, entry->value, &reader->row_key, error);
        /* Text taken from the key must outlive the buffer. */
        if (status == OK)
            status = key_values(reader, &table->indexes[0],
                                arena_copy(&reader->text, buffer_slice(&reader->row_key)),
                                (struct slice){0}, values + index->column_count, error);
    }
    for (uint32_t i = 0; status == OK && i < reader->plan->column_count; i++)
        vector_set(&columns[i], at, &values[reader->places[i]]);
    return status;
}

/* ---- rows as they are stored --------------------------------------------------------------------
 */

void exec__row_part_init(const struct row_reader *reader, struct row_part *part)
{
    struct arena *arena = reader->exec->arena;
    uint32_t count = reader->plan->column_count;
    ASSERT(!reader->places);
    part->targets = arena_zalloc(arena, count * sizeof *part->targets);
    part->order = arena_alloc(arena, count * sizeof *part->order);
    part->ordinals = arena_alloc(arena, count * sizeof *part->ordinals);
    part->types = arena_alloc(arena, count * sizeof *part->types);
    part->missing = arena_alloc(arena, count * sizeof *part->missing);
    part->shape = (struct row_shape){
        .ordinals = part->ordinals, .types = part->types, .missing = part->missing};
}

void exec__row_part_set(const struct row_reader *reader, struct row_part *part, const bool *columns)
{
    const struct row_part *whole = &reader->whole;
    ASSERT(part->ordinals);
    uint32_t count = 0;
    for (uint32_t i = 0; i < whole->shape.count; i++) {
        if (!columns[whole->order[i]])
            continue;
        part->ordinals[count] = whole->shape.ordinals[i];
        part->types[count] = whole->shape.types[i];
        part->missing[count] = whole->shape.missing[i];
        part->order[count++] = whole->order[i];
    }
    part->shape.count = count;
    part->targets[0] = NULL; /* to be set anew */
}

static void targets_set(struct row_part *part, struct vector *columns)
{
    if (part->targets[0] == &columns[part->order[0]])
        return;
    for (uint32_t i = 0; i < part->shape.count; i++)
        part->targets[i] = &columns[part->order[i]];
}

static status_t row_corrupt(const struct row_reader *reader, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is corrupt",
                     reader->plan->as.scan.table->name);
}

/* The row that an entry of a secondary index leads to. */
static status_t row_find(struct row_reader *reader, const struct store_entry *entry,
                         struct slice *row, struct error *error)
{
    const struct plan *plan = reader->plan;
    buffer_reset(&reader->row_key);
    status_t status = index_entry_row_key(plan->as.scan.table, plan->as.scan.index, entry->key,
                                          entry->value, &reader->row_key, error);
    bool found = false;
    if (status == OK)
        status = store_get(reader->exec->context.txn, buffer_slice(&reader->row_key), &found, row,
                           error);
    return status == OK && !found ? corrupt(reader, error) : status;
}

status_t exec__row_reader_read(struct row_reader *reader, const struct store_entry *entry,
                               struct vector *columns, uint32_t at, struct error *error)
{
    const struct plan *plan = reader->plan;
    if (plan->as.scan.index_only)
        return read_index_only(reader, entry, columns, at, error);
    struct slice row = entry->value;
    status_t status = plan->as.scan.index->id != 0 ? row_find(reader, entry, &row, error) : OK;
    if (status != OK || plan->column_count == 0)
        return status;
    targets_set(&reader->whole, columns);
    if (row_decode(row, &reader->whole.shape, reader->whole.targets, at) != OK)
        return row_corrupt(reader, error);
    return OK;
}

status_t exec__row_reader_read_many(struct row_reader *reader, struct row_part *part,
                                    struct store_entry *entries, uint32_t count,
                                    struct vector *columns, uint32_t at, struct error *error)
{
    const struct plan *plan = reader->plan;
    status_t status = OK;
    if (plan->as.scan.index_only) {
        for (uint32_t i = 0; i < count && status == OK; i++)
            status = read_index_only(reader, &entries[i], columns, at + i, error);
        return status;
    }
    for (uint32_t i = 0; plan->as.scan.index->id != 0 && i < count && status == OK; i++)
        status = row_find(reader, &entries[i], &entries[i].value, error);
    if (status != OK || part->shape.count == 0 || count == 0)
        return status;
    targets_set(part, columns);
    if (row_decode_many(&entries[0].value, sizeof *entries, count, &part->shape, part->targets,
                        at) != OK)
        return row_corrupt(reader, error);
    return OK;
}

status_t exec__row_reader_read_some(struct row_reader *reader, struct row_part *part,
                                    const struct store_entry *entries, const uint32_t *rows,
                                    uint32_t count, struct vector *columns, struct error *error)
{
    ASSERT(!reader->plan->as.scan.index_only && part->shape.count > 0);
    targets_set(part, columns);
    const struct slice *first = &entries[0].value;
    status_t status =
        rows ? row_decode_some(first, sizeof *entries, rows, count, &part->shape, part->targets)
             : row_decode_many(first, sizeof *entries, count, &part->shape, part->targets, 0);
    return status == OK ? OK : row_corrupt(reader, error);
}
