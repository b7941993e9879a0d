/* Scans: entries of one index, whole or by key ranges, become columns. Only the columns asked for
 * are decoded. Through a secondary index each entry leads to its row by a get, unless the index has
 * all that is wanted.
 *
 * A range that is one whole unique key is a get. The first batch is small (the number of keys, or
 * EXEC_BATCH_FIRST), later ones are whole. */
#include "base/map.h"
#include "sql/exec/exec_int.h"

enum { KEY_PREFIX_SIZE = 7 };

/* ---- reading one entry --------------------------------------------------------------------------
 */

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
    exec__row_shape(table, plan->as.scan.columns, count, exec->arena, &reader->shape,
                    &reader->order);
    /* Zeroed: the first read finds them not set, whatever the arena held before. */
    reader->targets = arena_zalloc(exec->arena, count * sizeof *reader->targets);
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

static void targets_set(struct row_reader *reader, struct vector *columns)
{
    if (reader->targets[0] == &columns[reader->order[0]])
        return;
    for (uint32_t i = 0; i < reader->plan->column_count; i++)
        reader->targets[i] = &columns[reader->order[i]];
}

static status_t row_corrupt(const struct row_reader *reader, struct error *error)
{
    return error_set(error, ERR_CORRUPT, "a row of table \"%s\" is corrupt",
                     reader->plan->as.scan.table->name);
}

status_t exec__row_reader_read(struct row_reader *reader, const struct store_entry *entry,
                               struct vector *columns, uint32_t at, struct error *error)
{
    const struct plan *plan = reader->plan;
    if (plan->as.scan.index_only)
        return read_index_only(reader, entry, columns, at, error);
    struct slice row = entry->value;
    if (plan->as.scan.index->id != 0) {
        buffer_reset(&reader->row_key);
        status_t status = index_entry_row_key(plan->as.scan.table, plan->as.scan.index, entry->key,
                                              entry->value, &reader->row_key, error);
        bool found = false;
        if (status == OK)
            status = store_get(reader->exec->context.txn, buffer_slice(&reader->row_key), &found,
                               &row, error);
        if (status != OK)
            return status;
        if (!found)
            return corrupt(reader, error);
    }
    if (plan->column_count == 0)
        return OK;
    targets_set(reader, columns);
    if (row_decode(row, &reader->shape, reader->targets, at) != OK)
        return row_corrupt(reader, error);
    return OK;
}

status_t exec__row_reader_read_many(struct row_reader *reader, const struct store_entry *entries,
                                    uint32_t count, struct vector *columns, uint32_t at,
                                    struct error *error)
{
    const struct plan *plan = reader->plan;
    if (plan->as.scan.index_only || plan->as.scan.index->id != 0) {
        status_t status = OK;
        for (uint32_t i = 0; i < count && status == OK; i++)
            status = exec__row_reader_read(reader, &entries[i], columns, at + i, error);
        return status;
    }
    if (plan->column_count == 0 || count == 0)
        return OK;
    targets_set(reader, columns);
    if (row_decode_many(&entries[0].value, sizeof *entries, count, &reader->shape, reader->targets,
                        at) != OK)
        return row_corrupt(reader, error);
    return OK;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

struct scan {
    struct operator op;
    struct row_reader reader;
    struct buffer low;
    struct buffer high;
    struct bounds one;
    struct bounds *ranges;
    uint32_t range_count;
    uint32_t current; /* range being read */
    bool ready;       /* ranges are computed */
    bool is_part;     /* of a range noted as read; see parallel.c */
    struct store_cursor *cursor;
    struct store_entry *entries;
    uint32_t entry_capacity;
    uint32_t batch_rows; /* of the next batch */
    struct batch *batch;
};

static status_t range_make(struct scan *scan, const struct key_range *range, struct bounds *bounds,
                           bool *empty, struct error *error)
{
    const struct plan *plan = scan->op.plan;
    const struct expr *exprs[CATALOG_KEY_COLUMNS_MAX + 2];
    struct value values[CATALOG_KEY_COLUMNS_MAX + 2];
    uint32_t count = exec__range_exprs(range, exprs);
    for (uint32_t i = 0; i < count; i++) {
        status_t status = exec__expr_value(scan->op.exec, exprs[i], &values[i], error);
        if (status != OK)
            return status;
    }
    return exec__range_bounds(plan->as.scan.table, plan->as.scan.index, range, values, &scan->low,
                              &scan->high, bounds, empty, error);
}

/* Several ranges: those equal to an earlier one are left out. */
static status_t ranges_make(struct scan *scan, struct error *error)
{
    const struct plan *plan = scan->op.plan;
    struct exec *exec = scan->op.exec;
    struct map seen = {0};
    status_t status = OK;
    scan->ranges = arena_alloc(exec->arena, plan->as.scan.range_count * sizeof *scan->ranges);
    for (uint32_t i = 0; status == OK && i < plan->as.scan.range_count; i++) {
        struct bounds *bounds = &scan->ranges[scan->range_count];
        bool empty;
        status = range_make(scan, &plan->as.scan.ranges[i], bounds, &empty, error);
        if (status != OK || empty)
            continue;
        size_t low_size = bounds->low.size;
        buffer_append_slice(&scan->low, bounds->high);
        struct slice both = arena_copy(exec->arena, buffer_slice(&scan->low));
        bounds->low = slice_make(both.data, low_size);
        bounds->high = slice_make(both.data + low_size, both.size - low_size);
        if (!map_put(&seen, both, scan))
            scan->range_count++;
    }
    map_free(&seen);
    return status;
}

static status_t scan_prepare(struct scan *scan, struct error *error)
{
    const struct plan *plan = scan->op.plan;
    struct exec *exec = scan->op.exec;
    static const struct key_range everything = {0};
    status_t status;
    scan->ready = true;
    if (plan->as.scan.range_count > 1) {
        status = ranges_make(scan, error);
    } else {
        bool empty;
        status = range_make(scan, plan->as.scan.range_count ? plan->as.scan.ranges : &everything,
                            &scan->one, &empty, error);
        scan->ranges = &scan->one;
        scan->range_count = status == OK && !empty;
    }
    bool points = true;
    for (uint32_t i = 0; i < scan->range_count; i++)
        points = points && scan->ranges[i].is_point;
    uint32_t rows = EXEC_BATCH_FIRST;
    if (points && scan->range_count < rows)
        rows = scan->range_count;
    scan->batch_rows = rows < exec->batch_rows ? rows : exec->batch_rows;
    return status;
}

static status_t point_read(struct scan *scan, struct error *error)
{
    struct batch *batch = scan->batch;
    struct store_entry entry = {.key = scan->ranges[scan->current].low};
    bool found;
    status_t status = store_get(scan->op.exec->context.txn, entry.key, &found, &entry.value, error);
    scan->current++;
    if (status != OK || !found)
        return status;
    return exec__row_reader_read(&scan->reader, &entry, batch->columns, batch->row_count++, error);
}

static status_t cursor_open(struct scan *scan, const struct bounds *bounds, struct error *error)
{
    struct store_txn *txn = scan->op.exec->context.txn;
    const struct plan *plan = scan->op.plan;
    status_t status = scan->is_part
                          ? store_part_open(txn, bounds->low, bounds->high, &scan->cursor, error)
                          : store_scan_open(txn, bounds->low, bounds->high, plan->as.scan.reverse,
                                            &scan->cursor, error);
    if (status == OK && plan->as.scan.index->id == 0)
        store_scan_keyless(scan->cursor); /* a row has all its columns */
    return status;
}

static status_t range_read(struct scan *scan, struct error *error)
{
    struct exec *exec = scan->op.exec;
    struct batch *batch = scan->batch;
    const struct bounds *bounds = &scan->ranges[scan->current];
    status_t status = scan->cursor ? OK : cursor_open(scan, bounds, error);
    if (status != OK)
        return status;
    uint32_t want = scan->batch_rows - batch->row_count;
    uint32_t count;
    if (scan->entry_capacity < want) {
        scan->entries = arena_alloc(exec->arena, scan->batch_rows * sizeof *scan->entries);
        scan->entry_capacity = scan->batch_rows;
    }
    status = store_scan_next(scan->cursor, scan->entries, want, &count, error);
    if (status != OK)
        return status;
    ASSERT(count <= want);
    if (count == 0) {
        store_scan_close(scan->cursor);
        scan->cursor = NULL;
        scan->current++;
    }
    status = exec__row_reader_read_many(&scan->reader, scan->entries, count, batch->columns,
                                        batch->row_count, error);
    batch->row_count += count;
    return status;
}

static status_t scan_next(struct operator* op, struct batch **out, struct error *error)
{
    struct scan *scan = (struct scan *)op;
    status_t status = scan->ready ? OK : scan_prepare(scan, error);
    if (status != OK || scan->current == scan->range_count)
        return status;
    arena_reset(&scan->reader.text);
    exec__batch_prepare(op->exec, &scan->batch, op->plan->types, op->plan->column_count,
                        scan->batch_rows);
    struct batch *batch = scan->batch;
    while (status == OK && batch->row_count < scan->batch_rows &&
           scan->current < scan->range_count) {
        bool point = scan->ranges[scan->current].is_point;
        status = point ? point_read(scan, error) : range_read(scan, error);
    }
    if (status != OK)
        return status;
    scan->batch_rows = op->exec->batch_rows;
    batch->selected = batch->row_count;
    *out = batch->row_count ? batch : NULL;
    return OK;
}

status_t exec__scan_range(struct operator* op, struct bounds *range, bool *found,
                          struct error *error)
{
    struct scan *scan = (struct scan *)op;
    ASSERT(op->plan->kind == PLAN_SCAN && !scan->ready);
    status_t status = scan_prepare(scan, error);
    *found = status == OK && scan->range_count == 1 && !scan->ranges[0].is_point;
    if (*found)
        *range = scan->ranges[0];
    return status;
}

void exec__scan_set_part(struct operator* op, const struct bounds *part)
{
    struct scan *scan = (struct scan *)op;
    ASSERT(op->plan->kind == PLAN_SCAN && !op->plan->as.scan.reverse);
    store_scan_close(scan->cursor);
    scan->cursor = NULL;
    scan->ready = true;
    scan->is_part = true;
    scan->one = *part;
    scan->ranges = &scan->one;
    scan->range_count = 1;
    scan->current = 0;
    scan->batch_rows = op->exec->batch_rows;
}

static status_t range_count(struct scan *scan, uint64_t *rows, struct error *error)
{
    struct exec *exec = scan->op.exec;
    const struct bounds *bounds = &scan->ranges[scan->current];
    if (bounds->is_point) {
        struct slice value;
        bool found;
        status_t status = store_get(exec->context.txn, bounds->low, &found, &value, error);
        *rows += found;
        return status;
    }
    uint64_t some = 1;
    status_t status =
        store_scan_open(exec->context.txn, bounds->low, bounds->high, false, &scan->cursor, error);
    while (status == OK && some > 0) {
        status = exec__cancel_check(exec, error);
        if (status == OK)
            status = store_scan_count(scan->cursor, &some, error);
        *rows += some;
    }
    store_scan_close(scan->cursor);
    scan->cursor = NULL;
    return status;
}

status_t exec__scan_count(struct operator* op, uint64_t *rows, struct error *error)
{
    struct scan *scan = (struct scan *)op;
    struct exec *exec = op->exec;
    ASSERT(op->plan->kind == PLAN_SCAN && !scan->ready);
    uint64_t start_us = exec->context.measure ? env_monotonic_us(exec->context.env) : 0;
    *rows = 0;
    status_t status = scan_prepare(scan, error);
    for (; status == OK && scan->current < scan->range_count; scan->current++)
        status = range_count(scan, rows, error);
    if (exec->context.measure) {
        op->figures.time_us += env_monotonic_us(exec->context.env) - start_us;
        op->figures.rows += *rows;
        op->figures.batches++;
    }
    return status;
}

static void scan_close(struct operator* op)
{
    struct scan *scan = (struct scan *)op;
    store_scan_close(scan->cursor);
    scan->cursor = NULL;
    exec__row_reader_free(&scan->reader);
    buffer_free(&scan->low);
    buffer_free(&scan->high);
}

static const struct operator_ops scan_ops = {scan_next, scan_close};

status_t exec__scan_open(struct exec *exec, const struct plan *plan, struct operator** out,
                         struct error *error)
{
    (void)error;
    struct scan *scan = exec__operator_create(exec, plan, &scan_ops, sizeof *scan);
    exec__row_reader_init(&scan->reader, exec, plan);
    *out = &scan->op;
    return OK;
}
