/* DISTINCT: of each batch the rows not seen before, in the order they came; DISTINCT ON: those
 * whose keys were not.
 *
 * When the table of what has been seen takes more memory than it may, nothing more is put into it:
 * rows that are in it are dropped as before, the others are put aside, shared out by their hashes
 * (spill_split.c), and each part is worked off in its turn. Where rows with equal keys come one
 * after the other no table is needed at all. */
#include "sql/exec/spill_int.h"

#include <string.h>

struct distinct {
    struct operator op;
    struct key_table seen; /* when ordered: the last keys of the batch before */
    struct eval **keys;    /* DISTINCT ON, or NULL: all columns */
    struct arena scratch;
    const struct vector **columns; /* rows are told apart by these */
    uint32_t column_count;
    uint32_t *numbers;
    bool *is_new;
    uint32_t *selection;
    struct batch out;
    bool full; /* nothing more is put into the table */
    struct split *splits;
    bool in_part; /* rows come from a part, not from the input */
    struct split_reader reader;
    const struct vector **all; /* columns, of a row put aside */
};

/* What a batch's rows are told apart by. */
static status_t columns_find(struct distinct *distinct, const struct batch *in, struct error *error)
{
    arena_reset(&distinct->scratch);
    if (!distinct->keys) {
        for (uint32_t c = 0; c < in->column_count; c++)
            distinct->columns[c] = &in->columns[c];
        return OK;
    }
    for (uint32_t k = 0; k < distinct->op.plan->as.distinct.key_count; k++) {
        status_t status = exec__eval_column(distinct->keys[k], in, &distinct->columns[k], error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* ---- with a table -----------------------------------------------------------------------------
 */

/* Those not in the table are put aside: none is known to be new. */
static status_t rows_put_aside(struct distinct *distinct, const struct batch *in,
                               struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    const struct plan *plan = distinct->op.plan;
    exec__key_table_find(&distinct->seen, distinct->columns, in->selection, in->selected,
                         distinct->numbers);
    exec__hash_rows(distinct->columns, distinct->column_count, in->selection, in->selected, hashes);
    for (uint32_t c = 0; c < plan->column_count; c++)
        distinct->all[c] = &in->columns[c];
    for (uint32_t i = 0; i < in->selected; i++) {
        distinct->is_new[i] = false;
        if (distinct->numbers[i] != EXEC_NO_ROW)
            continue;
        status_t status =
            exec__split_put(distinct->op.exec, distinct->splits, 0, plan->types, plan->column_count,
                            distinct->all, batch_row(in, i), hashes[i], error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* is_new of each row. */
static status_t rows_look_up(struct distinct *distinct, const struct batch *in, struct error *error)
{
    if (distinct->full)
        return rows_put_aside(distinct, in, error);
    status_t status = exec__key_table_put(&distinct->seen, distinct->columns, in->selection,
                                          in->selected, distinct->numbers, distinct->is_new, error);
    distinct->full = status == OK && exec__split_when_full(&distinct->splits, distinct->op.exec,
                                                           exec__key_table_memory(&distinct->seen));
    return status;
}

/* ---- in order ---------------------------------------------------------------------------------
 */

static bool row_repeats(const struct distinct *distinct, const struct vector *const *others,
                        uint32_t other, uint32_t row)
{
    for (uint32_t c = 0; c < distinct->column_count; c++) {
        if (!exec__entries_equal(others[c], other, distinct->columns[c], row))
            return false;
    }
    return true;
}

static status_t rows_compare(struct distinct *distinct, const struct batch *in, struct error *error)
{
    struct collection *last = &distinct->seen.keys;
    const struct vector **others =
        arena_alloc(&distinct->scratch, (distinct->column_count + 1) * sizeof *others);
    for (uint32_t c = 0; c < distinct->column_count && last->row_count > 0; c++)
        others[c] = exec__collection_vector(last, c, 0);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        distinct->is_new[i] =
            i > 0 ? !row_repeats(distinct, distinct->columns, batch_row(in, i - 1), row)
                  : last->row_count == 0 || !row_repeats(distinct, others, 0, row);
    }
    uint32_t row = batch_row(in, in->selected - 1);
    exec__collection_free(last);
    return exec__collection_append(last, distinct->columns, &row, 1, error);
}

/* ---- the operator -----------------------------------------------------------------------------
 */

/* *in stays NULL at the end. */
static status_t input_next(struct distinct *distinct, struct batch **in, struct error *error)
{
    struct exec *exec = distinct->op.exec;
    for (;;) {
        status_t status = distinct->in_part ? exec__split_read(&distinct->reader, exec, in, error)
                                            : exec__operator_next(distinct->op.left, in, error);
        if (status != OK || *in)
            return status;
        if (distinct->full)
            status = exec__split_end(distinct->splits, 0, error);
        if (status != OK)
            return status;
        exec__split_reader_free(&distinct->reader);
        distinct->full = false; /* with the last part, too: who asks again finds the end again */
        if (!exec__split_next(&distinct->splits, 1))
            return OK;
        exec__key_table_free(&distinct->seen);
        distinct->in_part = true;
        exec__split_reader_init(&distinct->reader, distinct->splits, 0);
    }
}

static status_t distinct_next(struct operator* op, struct batch **out, struct error *error)
{
    struct distinct *distinct = (struct distinct *)op;
    for (;;) {
        struct batch *in;
        status_t status = input_next(distinct, &in, error);
        if (status != OK || !in)
            return status;
        if ((status = columns_find(distinct, in, error)) != OK)
            return status;
        status = op->plan->as.distinct.ordered ? rows_compare(distinct, in, error)
                                               : rows_look_up(distinct, in, error);
        if (status != OK)
            return status;
        distinct->out = *in;
        distinct->out.selection = distinct->selection;
        distinct->out.selected = 0;
        for (uint32_t i = 0; i < in->selected; i++) {
            if (distinct->is_new[i])
                distinct->selection[distinct->out.selected++] = batch_row(in, i);
        }
        if (distinct->out.selected > 0) {
            *out = &distinct->out;
            return OK;
        }
    }
}

static void distinct_close(struct operator* op)
{
    struct distinct *distinct = (struct distinct *)op;
    exec__key_table_free(&distinct->seen);
    exec__split_reader_free(&distinct->reader);
    exec__split_free(&distinct->splits);
    arena_free(&distinct->scratch);
}

static const struct operator_ops distinct_ops = {distinct_next, distinct_close};

/* ---- as groups --------------------------------------------------------------------------------
 */

static status_t grouped_next(struct operator* op, struct batch **out, struct error *error)
{
    status_t status = exec__operator_next(op->left, out, error);
    op->figures.memory = op->left->figures.memory;
    op->figures.spilled = op->left->figures.spilled;
    op->figures.parts = op->left->figures.parts;
    return status;
}

static const struct operator_ops grouped_ops = {grouped_next, NULL};

/* Of a large table, all of which will be read: groups without aggregates, which several threads can
 * make (aggregate_parallel.c). They come in the same order, but not before the last row is read. */
static status_t grouped_open(struct exec *exec, const struct plan *plan, struct operator** out,
                             struct error *error)
{
    uint32_t count = plan->column_count;
    struct expr **groups = arena_alloc(exec->arena, count * sizeof(struct expr *));
    for (uint32_t c = 0; c < count; c++) {
        groups[c] = arena_zalloc(exec->arena, sizeof **groups);
        groups[c]->kind = EXPR_COLUMN;
        groups[c]->type = plan->types[c];
        groups[c]->index = c;
    }
    struct plan *own = arena_zalloc(exec->arena, sizeof *own);
    *own = *plan;
    own->kind = PLAN_AGGREGATE;
    memset(&own->as, 0, sizeof own->as);
    own->as.aggregate.groups = groups;
    own->as.aggregate.group_count = count;
    *out = exec__operator_create(exec, plan, &grouped_ops, sizeof **out);
    return exec__operator_open(exec, own, &(*out)->left, error);
}

status_t exec__distinct_open(struct exec *exec, const struct plan *plan, struct operator** out,
                             struct error *error)
{
    if (plan->as.distinct.key_count == 0 && !plan->as.distinct.ordered && plan->column_count > 0 &&
        exec__gather_wanted(exec, plan->left))
        return grouped_open(exec, plan, out, error);
    struct distinct *distinct = exec__operator_create(exec, plan, &distinct_ops, sizeof *distinct);
    *out = &distinct->op;
    enum sql_type *types;
    bool *stable;
    uint32_t columns = plan->left->column_count;
    uint32_t keys = plan->as.distinct.key_count;
    exec__collection_shape(exec, plan->left, plan->as.distinct.keys, keys, &types, &stable);
    distinct->column_count = keys > 0 ? keys : columns;
    if (keys > 0) {
        exec__key_table_init(&distinct->seen, exec, types + columns, stable + columns, keys);
        status_t status = exec__eval_compile_all(exec, plan->as.distinct.keys, keys,
                                                 &distinct->scratch, &distinct->keys, error);
        if (status != OK)
            return status;
    } else {
        exec__key_table_init(&distinct->seen, exec, types, stable, columns);
    }
    distinct->columns = arena_alloc(exec->arena, (columns + keys + 1) * sizeof *distinct->columns);
    distinct->all = arena_alloc(exec->arena, (columns + 1) * sizeof *distinct->all);
    distinct->numbers = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    distinct->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
    distinct->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    return exec__operator_open(exec, plan->left, &distinct->op.left, error);
}
