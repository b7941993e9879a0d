/* Columns read late: see late_int.h. */
#include "sql/exec/late_int.h"

#include <string.h>

enum { BATCHES_TOGETHER = 8 };

struct late {
    struct late *older;
    struct scan_late *scan;
    struct row_part part;
    bool *columns;
    bool whole;      /* read with the early ones */
    uint64_t passed; /* rows, of the last batches */
    uint64_t wanted; /* of these */
};

/* ---- sets --------------------------------------------------------------------------------------
 */

static uint32_t column_count(const struct scan_late *scan)
{
    return scan->reader->plan->column_count;
}

struct scan_late *exec__scan_late_create(struct row_reader *reader)
{
    struct arena *arena = reader->exec->arena;
    struct scan_late *scan = arena_zalloc(arena, sizeof *scan);
    scan->reader = reader;
    scan->columns = arena_zalloc(arena, column_count(scan) * sizeof *scan->columns);
    scan->read = arena_zalloc(arena, column_count(scan) * sizeof *scan->read);
    exec__row_part_init(reader, &scan->early);
    return scan;
}

/* What is read at once: the early columns and those of sets that are whole. */
static void early_set(struct scan_late *scan)
{
    bool *columns = scan->read;
    uint32_t count = column_count(scan);
    memcpy(columns, scan->columns, count * sizeof *columns);
    for (const struct late *late = scan->sets; late; late = late->older) {
        for (uint32_t c = 0; late->whole && c < count; c++)
            columns[c] = columns[c] || late->columns[c];
    }
    exec__row_part_set(scan->reader, &scan->early, columns);
}

struct late *exec__late_add(struct scan_late *scan, const bool *columns)
{
    struct arena *arena = scan->reader->exec->arena;
    uint32_t count = column_count(scan);
    if (!memchr(columns, true, count))
        return NULL;
    struct late *late = arena_zalloc(arena, sizeof *late);
    late->scan = scan;
    late->columns = arena_alloc(arena, count * sizeof *late->columns);
    memcpy(late->columns, columns, count * sizeof *columns);
    exec__row_part_init(scan->reader, &late->part);
    exec__row_part_set(scan->reader, &late->part, columns);
    late->older = scan->sets;
    scan->sets = late;
    return late;
}

struct late *exec__late_split(struct late **late, const bool *early)
{
    struct late *set = *late;
    if (!set)
        return NULL;
    uint32_t count = column_count(set->scan);
    bool *others = arena_zalloc(set->scan->reader->exec->arena, count * sizeof *others);
    ASSERT(!set->whole && set->passed == 0);
    for (uint32_t c = 0; c < count; c++) {
        others[c] = set->columns[c] && !early[c];
        set->columns[c] = set->columns[c] && early[c];
    }
    struct late *rest = exec__late_add(set->scan, others);
    if (memchr(set->columns, true, count))
        exec__row_part_set(set->scan->reader, &set->part, set->columns);
    else
        *late = NULL; /* of no column, and nobody fills it */
    return rest;
}

static struct late *scan_leave(struct operator* op, const bool *early)
{
    uint32_t count = op->plan->column_count;
    if (!memchr(early, false, count))
        return NULL;
    struct scan_late *scan = exec__scan_late(op);
    if (!scan)
        return NULL;
    bool *others = arena_zalloc(op->exec->arena, count * sizeof *others);
    for (uint32_t c = 0; c < count; c++)
        others[c] = !early[c];
    memcpy(scan->columns, early, count * sizeof *early);
    early_set(scan);
    return exec__late_add(scan, others);
}

struct late *exec__late_leave(struct operator* op, const bool *early)
{
    ASSERT(op && early);
    if (op->exec->context.no_late)
        return NULL;
    switch (op->plan->kind) {
    case PLAN_SCAN:
        return scan_leave(op, early);
    case PLAN_FILTER:
        return exec__filter_leave(op, early);
    case PLAN_KEY_FILTER:
        return exec__key_filter_leave(op, early);
    default:
        return NULL;
    }
}

/* ---- batches -----------------------------------------------------------------------------------
 */

/* Now and then: is each set read the way that is worth it? */
static void sets_consider(struct scan_late *scan)
{
    bool changed = false;
    for (struct late *late = scan->sets; late; late = late->older) {
        bool whole = late->wanted * 2 > late->passed;
        changed = changed || whole != late->whole;
        late->whole = whole;
        late->wanted = late->passed = 0;
    }
    scan->batches = 1;
    if (changed)
        early_set(scan);
}

void exec__late_begin(struct scan_late *scan)
{
    if (scan->batches++ == BATCHES_TOGETHER)
        sets_consider(scan);
}

void exec__late_batch(struct scan_late *scan, const struct batch *batch,
                      const struct store_entry *entries)
{
    for (struct late *late = scan->sets; late; late = late->older)
        late->passed += batch->row_count;
    scan->targets = batch->columns;
    scan->entries = entries;
}

status_t exec__late_fill(struct late *late, const uint32_t *rows, uint32_t count,
                         struct error *error)
{
    if (!late || count == 0)
        return OK;
    struct scan_late *scan = late->scan;
    ASSERT(scan->targets && count <= BATCH_ROWS_MAX);
    late->wanted += count;
    if (late->whole)
        return OK;
    return exec__row_reader_read_some(scan->reader, &late->part, scan->entries, rows, count,
                                      scan->targets, error);
}
