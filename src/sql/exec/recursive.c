/* WITH RECURSIVE: the left input's rows, then the right input's, which reads the rows that came the
 * last time from the working table, until none come.
 *
 * The right side is opened anew for each time, in an arena that is emptied for the next. Rows go
 * out as they come and are kept for the next time; so a LIMIT above ends a recursion that would
 * not end by itself. Without ALL a row that has come before is dropped, whenever that was. */
#include "sql/exec/row_store_int.h"
#include "sql/exec/spill_int.h"

struct recursive {
    struct operator op;
    struct exec exec; /* runs the right side */
    struct arena arena;
    struct operator* right; /* of this time; NULL: not open */
    bool left_done;
    struct row_store last; /* the working table */
    struct row_store next; /* what came of it so far */
    struct row_set seen;   /* without ALL */
    bool *is_new;
    uint32_t *selection;
    struct batch out;
};

/* Keeps the rows of a batch, without ALL the new ones; *out of those, or NULL. */
static status_t rows_take(struct recursive *recursive, struct batch *in, struct batch **out,
                          struct error *error)
{
    status_t status = OK;
    recursive->out = *in;
    if (!recursive->op.plan->as.with.all) {
        status = exec__row_set_put(&recursive->seen, in, recursive->is_new, error);
        if (status != OK)
            return status;
        recursive->out.selection = recursive->selection;
        recursive->out.selected = 0;
        for (uint32_t i = 0; i < in->selected; i++) {
            if (recursive->is_new[i])
                recursive->selection[recursive->out.selected++] = batch_row(in, i);
        }
    }
    if (recursive->out.selected > 0)
        status = exec__row_store_append_batch(&recursive->next, &recursive->out, error);
    *out = recursive->out.selected > 0 ? &recursive->out : NULL;
    return status;
}

static void right_close(struct recursive *recursive)
{
    exec__operators_close(&recursive->exec);
    arena_reset(&recursive->arena);
    recursive->right = NULL;
}

/* What came becomes the working table. */
static status_t right_open(struct recursive *recursive, struct error *error)
{
    struct row_store emptied = recursive->last;
    exec__row_store_clear(&emptied);
    recursive->last = recursive->next;
    recursive->next = emptied;
    const struct plan *plan = recursive->op.plan;
    recursive->op.exec->top->workings[plan->as.with.number] = &recursive->last;
    return exec__operator_open(&recursive->exec, plan->right, &recursive->right, error);
}

static status_t recursive_next(struct operator* op, struct batch **out, struct error *error)
{
    struct recursive *recursive = (struct recursive *)op;
    for (;;) {
        struct batch *in = NULL;
        status_t status = OK;
        if (!recursive->left_done) {
            status = exec__operator_next(op->left, &in, error);
            recursive->left_done = status == OK && !in;
        } else if (recursive->right) {
            status = exec__operator_next(recursive->right, &in, error);
            if (status == OK && !in)
                right_close(recursive);
        } else if (recursive->next.row_count == 0) {
            return OK;
        } else {
            status = right_open(recursive, error);
        }
        if (status == OK && in)
            status = rows_take(recursive, in, out, error);
        if (status != OK || *out)
            return status;
    }
}

static void recursive_close(struct operator* op)
{
    struct recursive *recursive = (struct recursive *)op;
    right_close(recursive);
    arena_free(&recursive->arena);
    exec__row_store_clear(&recursive->last);
    exec__row_store_clear(&recursive->next);
    exec__row_set_free(&recursive->seen);
}

static const struct operator_ops recursive_ops = {recursive_next, recursive_close};

status_t exec__recursive_open(struct exec *exec, const struct plan *plan, struct operator** out,
                              struct error *error)
{
    struct recursive *recursive =
        exec__operator_create(exec, plan, &recursive_ops, sizeof *recursive);
    *out = &recursive->op;
    ASSERT(plan->left->column_count == plan->right->column_count);
    exec__init_inner(&recursive->exec, exec->top, &recursive->arena);
    /* What has been seen grows for as long as the recursion goes on. */
    size_t memory = exec__work_memory(exec);
    exec__row_store_init(&recursive->last, exec, plan->types, NULL, plan->column_count, memory / 4);
    exec__row_store_init(&recursive->next, exec, plan->types, NULL, plan->column_count, memory / 4);
    if (!plan->as.with.all)
        exec__row_set_init(&recursive->seen, exec, plan->types, plan->column_count, memory / 2);
    recursive->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
    recursive->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    return exec__operator_open(exec, plan->left, &recursive->op.left, error);
}

/* ---- the working table --------------------------------------------------------------------------
 */

struct working {
    struct operator op;
    struct row_scan scan;
};

static status_t working_next(struct operator* op, struct batch **out, struct error *error)
{
    return exec__row_scan_next(&((struct working *)op)->scan, out, error);
}

static void working_close(struct operator* op)
{
    exec__row_scan_free(&((struct working *)op)->scan);
}

static const struct operator_ops working_ops = {working_next, working_close};

status_t exec__working_open(struct exec *exec, const struct plan *plan, struct operator** out,
                            struct error *error)
{
    (void)error;
    struct working *working = exec__operator_create(exec, plan, &working_ops, sizeof *working);
    *out = &working->op;
    struct row_store *rows = exec->top->workings[plan->as.with.number];
    ASSERT(rows);
    exec__row_scan_init(&working->scan, exec, rows);
    return OK;
}
