/* ORDER BY with LIMIT: the first rows of an order.
 *
 * Rows are collected as by a sort (sort.c), but the collection is cut back to the wanted ones
 * whenever it has grown well beyond them, and from then on rows that sort behind the last of these
 * by their first key are not even collected; nor are those of their columns read that are not
 * needed to tell (late_int.h). */
#include "base/mem.h"
#include "sql/exec/late_int.h"
#include "sql/exec/sort_int.h"

enum { TOP_N_SLACK = 1024 };

struct top_n {
    struct sort sort;
    struct sort_entry worst; /* with has_worst: the wanted-th so far */
    bool has_worst;
    uint32_t *selection;
    struct late *late; /* what is no key */
};

/* Sorts, and keeps the wanted rows in a fresh collection. */
static status_t rows_cut(struct top_n *top, struct error *error)
{
    struct sort *sort = &top->sort;
    status_t status = exec__sort_rows(sort, error);
    if (status != OK)
        return status;
    uint32_t wanted = (uint32_t)sort->wanted;
    ASSERT(wanted < sort->order_count);
    struct collection kept;
    uint32_t column_count = sort->rows.column_count;
    exec__collection_init(&kept, sort->op.exec, sort->types, sort->stable, column_count);
    struct arena arena = {0};
    uint32_t step = wanted < BATCH_ROWS_MAX ? wanted : BATCH_ROWS_MAX;
    struct batch *batch = batch_create(&arena, sort->types, column_count, step);
    for (uint32_t at = 0; at < wanted && status == OK; at += step) {
        uint32_t count = wanted - at < step ? wanted - at : step;
        batch_reset(batch);
        exec__sort_output(sort, at, count, column_count, batch);
        for (uint32_t c = 0; c < column_count; c++)
            sort->columns[c] = &batch->columns[c];
        status = exec__collection_append(&kept, sort->columns, NULL, count, error);
    }
    arena_free(&arena);
    uint32_t last = sort->order[wanted - 1];
    top->worst = exec__sort_entry(&sort->keys[0],
                                  exec__collection_vector(&sort->rows, sort->key_columns[0], last),
                                  last % BATCH_ROWS_MAX);
    top->has_worst = true;
    exec__collection_free(&sort->rows);
    sort->rows = kept;
    return status;
}

/* The rows that may be among the wanted, by a first key that is a whole number: each as
 * exec__sort_entry has it. */
static uint32_t integers_promising(struct top_n *top, const int64_t *numbers,
                                   const struct batch *batch)
{
    uint64_t sign = (uint64_t)1 << 63, worst = top->worst.first;
    uint64_t flip = top->sort.keys[0].descending ? ~sign : sign;
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch_row(batch, i);
        top->selection[count] = row;
        count += ((uint64_t)numbers[row] ^ flip) <= worst;
    }
    return count;
}

/* Of the batch whose columns are in sort->columns, the rows that may be among the wanted. */
static uint32_t rows_promising(struct top_n *top, const struct batch *batch)
{
    const struct sort *sort = &top->sort;
    const struct vector *first = sort->columns[sort->key_columns[0]];
    uint32_t count = 0;
    if (type_storage(first->type) == SQL_INTEGER && !first->has_nulls && top->worst.null_rank == 1)
        return integers_promising(top, first->as.integers, batch);
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch_row(batch, i);
        struct sort_entry entry = exec__sort_entry(&sort->keys[0], first, row);
        top->selection[count] = row;
        count += exec__sort_entry_order(&entry, &top->worst) <= 0;
    }
    return count;
}

static status_t batch_collect(struct top_n *top, const struct batch *batch, struct error *error)
{
    struct sort *sort = &top->sort;
    status_t status = exec__sort_columns(sort, batch, error);
    if (status != OK)
        return status;
    const uint32_t *selection = batch->selection;
    uint32_t count = batch->selected;
    if (top->has_worst) {
        if (!top->selection)
            top->selection = arena_alloc(sort->op.exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
        count = rows_promising(top, batch);
        selection = top->selection;
    }
    if (count == 0)
        return OK;
    status = exec__late_fill(top->late, selection, count, error);
    if (status == OK)
        status = exec__collection_append(&sort->rows, sort->columns, selection, count, error);
    if (status == OK && sort->wanted < UINT32_MAX / 4 &&
        sort->rows.row_count > 2 * sort->wanted + TOP_N_SLACK)
        status = rows_cut(top, error);
    return status == OK ? exec__sort_make_room(sort, error) : status;
}

static status_t top_n_prepare(struct top_n *top, struct error *error)
{
    struct sort *sort = &top->sort;
    const struct plan *plan = sort->op.plan;
    status_t status = exec__limit_values(sort->op.exec, plan->as.sort.limit, plan->as.sort.offset,
                                         &sort->wanted, &sort->skip, error);
    if (status != OK || sort->wanted == 0) {
        sort->ready = status == OK;
        return status;
    }
    if (__builtin_add_overflow(sort->wanted, sort->skip, &sort->wanted))
        sort->wanted = UINT64_MAX;
    for (;;) {
        struct batch *batch;
        status = exec__operator_next(sort->op.left, &batch, error);
        if (status == OK && !batch)
            return exec__sort_finish(sort, error);
        if (status == OK)
            status = batch_collect(top, batch, error);
        if (status != OK)
            return status;
    }
}

static status_t top_n_next(struct operator* op, struct batch **out, struct error *error)
{
    struct top_n *top = (struct top_n *)op;
    status_t status = top->sort.ready ? OK : top_n_prepare(top, error);
    return status == OK ? exec__sort_give(&top->sort, out, error) : status;
}

static const struct operator_ops top_n_ops = {top_n_next, exec__sort_close};

status_t exec__top_n_open(struct exec *exec, const struct plan *plan, struct operator** out,
                          struct error *error)
{
    ASSERT(plan->kind == PLAN_TOP_N);
    struct top_n *top = exec__operator_create(exec, plan, &top_n_ops, sizeof *top);
    *out = &top->sort.op;
    status_t status = exec__sort_init(&top->sort, error);
    if (status != OK)
        return status;
    bool *early = arena_zalloc(exec->arena, plan->column_count * sizeof *early);
    for (uint32_t k = 0; k < plan->as.sort.key_count; k++)
        exec__expr_columns(plan->as.sort.keys[k].expr, early);
    top->late = exec__late_leave(top->sort.op.left, early);
    return OK;
}
