/* ORDER BY of all rows.
 *
 * Rows are collected, and an array of (row number, first key as a number that sorts like it) is
 * sorted: most comparisons never touch the rows. Merge sort, so equal rows keep their order and a
 * cancellation can be looked for between merges.
 *
 * Where the rows need more than a share of the statement's memory and there is a directory for it,
 * sorted runs of them are put into a file and merged at the end (sort_spill.c). */
#include "base/mem.h"
#include "sql/exec/sort_int.h"

#include <math.h>
#include <string.h>

enum { INSERTION_MAX = 12, MERGE_CANCEL_CHECK = 4096 };

/* ---- keys ---------------------------------------------------------------------------------------
 */

static uint64_t sortable_double(double value)
{
    if (isnan(value))
        return UINT64_MAX;
    if (value == 0)
        value = 0; /* -0 */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t sortable_text(struct slice text)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, text.data ? text.data : bytes, text.size < 8 ? text.size : 8);
    return get_u64_be(bytes);
}

struct sort_entry exec__sort_entry(const struct sort_key *key, const struct vector *vector,
                                   uint32_t row)
{
    struct sort_entry entry = {.null_rank = 1};
    if (vector_is_null(vector, row)) {
        entry.null_rank = key->nulls_first ? 0 : 2;
        return entry;
    }
    switch (type_storage(vector->type)) {
    case SQL_BOOLEAN:
        entry.first = vector->as.booleans[row];
        break;
    case SQL_INTEGER:
        entry.first = (uint64_t)vector->as.integers[row] ^ (uint64_t)1 << 63;
        break;
    case SQL_DOUBLE:
        entry.first = sortable_double(vector->as.reals[row]);
        break;
    case SQL_TEXT:
        entry.first = sortable_text(vector->as.texts[row]);
        break;
    case SQL_NUMERIC:
        entry.first = sortable_double(numeric_to_double(vector->as.numerics[row]));
        break;
    case SQL_UUID:
        entry.first = get_u64_be(vector->as.uuids[row].bytes);
        break;
    default:
        break; /* none that says something in 8 bytes */
    }
    if (key->descending)
        entry.first = ~entry.first;
    return entry;
}

static int key_compare(const struct sort *sort, uint32_t k, uint32_t a, uint32_t b)
{
    struct value x = exec__collection_value(&sort->rows, sort->key_columns[k], a);
    struct value y = exec__collection_value(&sort->rows, sort->key_columns[k], b);
    return exec__sort_key_order(&sort->keys[k], &x, &y);
}

static int entry_compare(const struct sort *sort, const struct sort_entry *a,
                         const struct sort_entry *b)
{
    int order = exec__sort_entry_order(a, b);
    if (order)
        return order;
    /* Numbers are told apart by `first` alone. */
    enum sql_type storage = type_storage(sort->keys[0].expr->type);
    bool told = storage == SQL_BOOLEAN || storage == SQL_INTEGER || storage == SQL_DOUBLE;
    uint32_t k = told || a->null_rank != 1 ? 1 : 0;
    for (; k < sort->key_count; k++) {
        order = key_compare(sort, k, a->row, b->row);
        if (order)
            return order;
    }
    return 0;
}

/* ---- merge sort ---------------------------------------------------------------------------------
 */

static void insertion_sort(const struct sort *sort, struct sort_entry *entries, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct sort_entry entry = entries[i];
        uint32_t at = i;
        for (; at > 0 && entry_compare(sort, &entries[at - 1], &entry) > 0; at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

static status_t merge_sort(struct sort *sort, struct sort_entry *entries, struct sort_entry *room,
                           uint32_t count, struct error *error)
{
    if (count <= INSERTION_MAX) {
        insertion_sort(sort, entries, count);
        return OK;
    }
    uint32_t half = count / 2;
    status_t status = merge_sort(sort, entries, room, half, error);
    if (status == OK)
        status = merge_sort(sort, entries + half, room, count - half, error);
    if (status == OK && count >= MERGE_CANCEL_CHECK)
        status = exec__cancel_check(sort->op.exec, error);
    if (status != OK || entry_compare(sort, &entries[half - 1], &entries[half]) <= 0)
        return status;
    /* The left half moves out; merging fills from the front and never overtakes the right half. */
    memcpy(room, entries, half * sizeof *room);
    uint32_t a = 0, b = half, at = 0;
    while (a < half && b < count)
        entries[at++] = entry_compare(sort, &room[a], &entries[b]) <= 0 ? room[a++] : entries[b++];
    memcpy(entries + at, room + a, (half - a) * sizeof *room);
    return OK;
}

status_t exec__sort_entries(struct sort *sort, struct error *error)
{
    uint32_t count = sort->rows.row_count;
    struct exec *exec = sort->op.exec;
    size_t size = (count + count / 2 + 1) * sizeof(struct sort_entry);
    if (size > sort->charged) {
        mem_free(sort->entries);
        sort->entries = NULL;
        status_t status = exec__memory_charge(exec, size - sort->charged, error);
        sort->charged = size;
        if (status != OK)
            return status;
        sort->entries = mem_alloc(size);
    }
    sort->room = sort->entries + count;
    for (uint32_t i = 0; i < count; i++) {
        const struct vector *vector = exec__collection_vector(&sort->rows, sort->key_columns[0], i);
        sort->entries[i] = exec__sort_entry(&sort->keys[0], vector, i % BATCH_ROWS_MAX);
        sort->entries[i].row = i;
    }
    sort->entry_count = count;
    return merge_sort(sort, sort->entries, sort->room, count, error);
}

/* ---- collecting ---------------------------------------------------------------------------------
 */

void exec__sort_output(struct sort *sort, uint32_t first, uint32_t count, uint32_t column_count,
                       struct batch *out)
{
    uint32_t rows[BATCH_ROWS_MAX];
    ASSERT(count <= BATCH_ROWS_MAX && first + count <= sort->entry_count);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = sort->entries[first + i].row;
    for (uint32_t c = 0; c < column_count; c++)
        exec__collection_gather(&sort->rows, c, rows, count, &out->columns[c], 0);
    out->row_count = out->selected = count;
}

/* ---- more than fits ----------------------------------------------------------------------------
 */

/* What is collected is sorted, written and forgotten. */
static status_t rows_put_aside(struct sort *sort, struct error *error)
{
    status_t status = exec__sort_entries(sort, error);
    if (status == OK && !sort->spill)
        status =
            exec__sort_spill_create(sort->op.exec, sort->keys, sort->key_columns, sort->key_count,
                                    sort->types, sort->rows.column_count, &sort->spill, error);
    if (status != OK)
        return status;
    uint32_t *order = mem_alloc((sort->entry_count + 1) * sizeof *order);
    for (uint32_t i = 0; i < sort->entry_count; i++)
        order[i] = sort->entries[i].row;
    status = exec__sort_spill_run(sort->spill, &sort->rows, order, sort->entry_count, error);
    mem_free(order);
    exec__collection_free(&sort->rows);
    exec__memory_release(sort->op.exec, sort->charged);
    sort->charged = 0;
    mem_free(sort->entries);
    sort->entries = NULL;
    sort->entry_count = 0;
    return status;
}

static bool wants_to_put_aside(const struct sort *sort)
{
    size_t entries = (size_t)sort->rows.row_count * 2 * sizeof(struct sort_entry);
    return sort->rows.row_count > 0 &&
           sort->rows.charged + entries > exec__work_memory(sort->op.exec);
}

status_t exec__sort_columns(struct sort *sort, const struct batch *batch, struct error *error)
{
    uint32_t input_columns = sort->op.plan->column_count;
    arena_reset(&sort->scratch);
    for (uint32_t c = 0; c < input_columns; c++)
        sort->columns[c] = &batch->columns[c];
    status_t status = OK;
    for (uint32_t k = 0; k < sort->extra_count && status == OK; k++)
        status =
            exec__eval_column(sort->extra_keys[k], batch, &sort->columns[input_columns + k], error);
    return status;
}

status_t exec__sort_make_room(struct sort *sort, struct error *error)
{
    return wants_to_put_aside(sort) ? rows_put_aside(sort, error) : OK;
}

/* The next rows of the merge; *out stays NULL at the end. */
static status_t merged_next(struct sort *sort, struct batch **out, struct error *error)
{
    const struct plan *plan = sort->op.plan;
    uint32_t limit = sort->op.exec->batch_rows;
    exec__batch_prepare(sort->op.exec, &sort->out, plan->types, plan->column_count, limit);
    arena_reset(&sort->texts);
    struct batch *batch = sort->out;
    while (batch->row_count < limit && sort->merged < sort->wanted) {
        bool found;
        struct batch *row;
        status_t status =
            sort->merged < sort->skip
                ? exec__sort_spill_next(sort->spill, &row, error)
                : exec__sort_spill_row(sort->spill, batch, &sort->texts, &found, error);
        if (status != OK)
            return status;
        if (sort->merged < sort->skip ? !row : !found)
            break;
        sort->merged++;
    }
    batch->selected = batch->row_count;
    *out = batch->row_count > 0 ? batch : NULL;
    return OK;
}

status_t exec__sort_finish(struct sort *sort, struct error *error)
{
    ASSERT(!sort->ready);
    sort->ready = true;
    if (sort->spill) {
        status_t status = rows_put_aside(sort, error);
        return status == OK ? exec__sort_spill_merge(sort->spill, error) : status;
    }
    status_t status = exec__sort_entries(sort, error);
    if (sort->wanted < sort->entry_count)
        sort->entry_count = (uint32_t)sort->wanted;
    sort->at = sort->skip < sort->entry_count ? (uint32_t)sort->skip : sort->entry_count;
    return status;
}

status_t exec__sort_give(struct sort *sort, struct batch **out, struct error *error)
{
    const struct plan *plan = sort->op.plan;
    struct exec *exec = sort->op.exec;
    ASSERT(sort->ready);
    if (sort->spill)
        return merged_next(sort, out, error);
    if (sort->at == sort->entry_count)
        return OK;
    uint32_t count = sort->entry_count - sort->at;
    if (count > exec->batch_rows)
        count = exec->batch_rows;
    exec__batch_prepare(exec, &sort->out, plan->types, plan->column_count, count);
    exec__sort_output(sort, sort->at, count, plan->column_count, sort->out);
    sort->at += count;
    *out = sort->out;
    return OK;
}

/* ---- the operator -------------------------------------------------------------------------------
 */

static status_t sort_prepare(struct sort *sort, struct error *error)
{
    for (;;) {
        struct batch *batch;
        status_t status = exec__operator_next(sort->op.left, &batch, error);
        if (status == OK && !batch)
            return exec__sort_finish(sort, error);
        if (status == OK)
            status = exec__sort_columns(sort, batch, error);
        if (status == OK)
            status = exec__collection_append(&sort->rows, sort->columns, batch->selection,
                                             batch->selected, error);
        if (status == OK)
            status = exec__sort_make_room(sort, error);
        if (status != OK)
            return status;
    }
}

static status_t sort_next(struct operator* op, struct batch **out, struct error *error)
{
    struct sort *sort = (struct sort *)op;
    status_t status = sort->ready ? OK : sort_prepare(sort, error);
    return status == OK ? exec__sort_give(sort, out, error) : status;
}

void exec__sort_close(struct operator* op)
{
    struct sort *sort = (struct sort *)op;
    exec__collection_free(&sort->rows);
    arena_free(&sort->scratch);
    arena_free(&sort->texts);
    exec__sort_spill_destroy(sort->spill);
    sort->spill = NULL;
    exec__memory_release(op->exec, sort->charged);
    sort->charged = 0;
    mem_free(sort->entries);
    sort->entries = NULL;
}

static const struct operator_ops sort_ops = {sort_next, exec__sort_close};

status_t exec__sort_init(struct sort *sort, struct error *error)
{
    struct exec *exec = sort->op.exec;
    const struct plan *plan = sort->op.plan;
    sort->wanted = UINT64_MAX;
    sort->keys = plan->as.sort.keys;
    sort->key_count = plan->as.sort.key_count;
    ASSERT(sort->key_count > 0);
    sort->key_columns = arena_alloc(exec->arena, sort->key_count * sizeof *sort->key_columns);
    struct expr **extra = arena_alloc(exec->arena, sort->key_count * sizeof(struct expr *));
    for (uint32_t k = 0; k < sort->key_count; k++) {
        struct expr *key = sort->keys[k].expr;
        if (key->kind == EXPR_COLUMN) {
            sort->key_columns[k] = key->index;
        } else {
            sort->key_columns[k] = plan->column_count + sort->extra_count;
            extra[sort->extra_count++] = key;
        }
    }
    exec__collection_shape(exec, plan->left, extra, sort->extra_count, &sort->types, &sort->stable);
    uint32_t column_count = plan->column_count + sort->extra_count;
    exec__collection_init(&sort->rows, exec, sort->types, sort->stable, column_count);
    sort->columns = arena_alloc(exec->arena, column_count * sizeof *sort->columns);
    status_t status = exec__eval_compile_all(exec, extra, sort->extra_count, &sort->scratch,
                                             &sort->extra_keys, error);
    if (status != OK)
        return status;
    return exec__operator_open(exec, plan->left, &sort->op.left, error);
}

status_t exec__sort_open(struct exec *exec, const struct plan *plan, struct operator** out,
                         struct error *error)
{
    struct sort *sort = exec__operator_create(exec, plan, &sort_ops, sizeof *sort);
    *out = &sort->op;
    return exec__sort_init(sort, error);
}
