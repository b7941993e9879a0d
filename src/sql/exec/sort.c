/* ORDER BY of all rows: they are collected, and their numbers put in order (sort_pack.c).
 *
 * Where the rows need more than a share of the statement's memory and there is a directory for it,
 * sorted runs of them are put into a file and merged at the end (sort_spill.c). */
#include "base/mem.h"
#include "sql/exec/sort_int.h"

/* ---- order --------------------------------------------------------------------------------------
 */

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
        entry.first = exec__sort_double(vector->as.reals[row]);
        break;
    case SQL_TEXT:
        entry.first = exec__sort_text(vector->as.texts[row]);
        break;
    case SQL_NUMERIC:
        entry.first = exec__sort_double(numeric_to_double(vector->as.numerics[row]));
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

status_t exec__sort_rows(struct sort *sort, struct error *error)
{
    uint32_t count = sort->rows.row_count;
    struct exec *exec = sort->op.exec;
    size_t size = exec__sort_order_size(count);
    if (size > sort->charged) {
        mem_free(sort->order);
        sort->order = NULL;
        status_t status = exec__memory_charge(exec, size - sort->charged, error);
        sort->charged = size;
        if (status != OK)
            return status;
        sort->order = mem_alloc(size);
    }
    sort->order_count = count;
    return exec__sort_order(&sort->rows, sort->keys, sort->key_columns, sort->key_count,
                            sort->order, count, error);
}

/* ---- collecting ---------------------------------------------------------------------------------
 */

void exec__sort_output(struct sort *sort, uint32_t first, uint32_t count, uint32_t column_count,
                       struct batch *out)
{
    ASSERT(count <= BATCH_ROWS_MAX && first + count <= sort->order_count);
    for (uint32_t c = 0; c < column_count; c++)
        exec__collection_gather(&sort->rows, c, sort->order + first, count, &out->columns[c], 0);
    out->row_count = out->selected = count;
}

/* ---- more than fits ----------------------------------------------------------------------------
 */

/* What is collected is sorted, written and forgotten. */
static status_t rows_put_aside(struct sort *sort, struct error *error)
{
    status_t status = exec__sort_rows(sort, error);
    if (status == OK && !sort->spill)
        status =
            exec__sort_spill_create(sort->op.exec, sort->keys, sort->key_columns, sort->key_count,
                                    sort->types, sort->rows.column_count, &sort->spill, error);
    if (status != OK)
        return status;
    status = exec__sort_spill_run(sort->spill, &sort->rows, sort->order, sort->order_count, error);
    exec__collection_free(&sort->rows);
    exec__memory_release(sort->op.exec, sort->charged);
    sort->charged = 0;
    mem_free(sort->order);
    sort->order = NULL;
    sort->order_count = 0;
    return status;
}

static bool wants_to_put_aside(const struct sort *sort)
{
    size_t order = exec__sort_order_size(sort->rows.row_count);
    return sort->rows.row_count > 0 &&
           sort->rows.charged + order > exec__work_memory(sort->op.exec);
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
    status_t status = exec__sort_rows(sort, error);
    if (sort->wanted < sort->order_count)
        sort->order_count = (uint32_t)sort->wanted;
    sort->at = sort->skip < sort->order_count ? (uint32_t)sort->skip : sort->order_count;
    return status;
}

status_t exec__sort_give(struct sort *sort, struct batch **out, struct error *error)
{
    const struct plan *plan = sort->op.plan;
    struct exec *exec = sort->op.exec;
    ASSERT(sort->ready);
    if (sort->spill)
        return merged_next(sort, out, error);
    if (sort->at == sort->order_count)
        return OK;
    uint32_t count = sort->order_count - sort->at;
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
    mem_free(sort->order);
    sort->order = NULL;
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
