/* Scans: entries of one index, whole or by key ranges, become columns. Only the columns asked for
 * are decoded. Through a secondary index each entry leads to its row by a get, unless the index has
 * all that is wanted.
 *
 * Columns may be left out of a batch until it is known which of its rows are wanted (late_int.h).
 * The rows of the batch stay at hand for that: entry i is row i.
 *
 * A range that is one whole unique key is a get. The first batch is small (the number of keys, or
 * EXEC_BATCH_FIRST), later ones are whole. */
#include "base/map.h"
#include "sql/exec/late_int.h"

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
    struct store_entry *entries; /* of the batch */
    uint32_t entry_capacity;
    struct scan_late *late; /* or NULL: all columns are read at once */
    uint32_t batch_rows;    /* of the next batch */
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

static struct row_part *part_of(struct scan *scan)
{
    return scan->late ? &scan->late->early : &scan->reader.whole;
}

static status_t point_read(struct scan *scan, struct error *error)
{
    struct batch *batch = scan->batch;
    struct store_entry *entry = &scan->entries[batch->row_count];
    bool found;
    entry->key = scan->ranges[scan->current].low;
    status_t status =
        store_get(scan->op.exec->context.txn, entry->key, &found, &entry->value, error);
    scan->current++;
    if (status != OK || !found)
        return status;
    return exec__row_reader_read_many(&scan->reader, part_of(scan), entry, 1, batch->columns,
                                      batch->row_count++, error);
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
    struct batch *batch = scan->batch;
    const struct bounds *bounds = &scan->ranges[scan->current];
    status_t status = scan->cursor ? OK : cursor_open(scan, bounds, error);
    if (status != OK)
        return status;
    uint32_t want = scan->batch_rows - batch->row_count;
    uint32_t count;
    struct store_entry *entries = scan->entries + batch->row_count;
    status = store_scan_next(scan->cursor, entries, want, &count, error);
    if (status != OK)
        return status;
    ASSERT(count <= want);
    if (count == 0) {
        store_scan_close(scan->cursor);
        scan->cursor = NULL;
        scan->current++;
    }
    status = exec__row_reader_read_many(&scan->reader, part_of(scan), entries, count,
                                        batch->columns, batch->row_count, error);
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
    if (scan->entry_capacity < scan->batch_rows) {
        scan->entry_capacity = scan->batch_rows;
        scan->entries = arena_alloc(op->exec->arena, scan->batch_rows * sizeof *scan->entries);
    }
    struct batch *batch = scan->batch;
    if (scan->late)
        exec__late_begin(scan->late);
    while (status == OK && batch->row_count < scan->batch_rows &&
           scan->current < scan->range_count) {
        bool point = scan->ranges[scan->current].is_point;
        status = point ? point_read(scan, error) : range_read(scan, error);
    }
    if (status != OK)
        return status;
    scan->batch_rows = op->exec->batch_rows;
    batch->selected = batch->row_count;
    if (scan->late)
        exec__late_batch(scan->late, batch, scan->entries);
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

struct scan_late *exec__scan_late(struct operator* op)
{
    struct scan *scan = (struct scan *)op;
    ASSERT(op->plan->kind == PLAN_SCAN && !scan->late && scan->current == 0);
    if (op->plan->as.scan.index_only || op->plan->column_count == 0)
        return NULL;
    scan->late = exec__scan_late_create(&scan->reader);
    return scan->late;
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
