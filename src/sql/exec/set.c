/* INTERSECT and EXCEPT: the right input is collected into a table of its different rows, each with
 * how often it came; then each left row is looked up.
 *
 *     INTERSECT       comes out when the right side has it, and then no more
 *     INTERSECT ALL   comes out as often as the right side has it
 *     EXCEPT          comes out when it has not been seen on either side
 *     EXCEPT ALL      the first comings are taken off by those of the right side
 *
 * Rows of the left side that the right one has not are put into the table too: it is what EXCEPT
 * has seen. */
#include "base/mem.h"
#include "sql/exec/exec_int.h"

struct set {
    struct operator op;
    bool built;
    struct key_table rows;
    uint32_t right_count; /* numbers below it are rows of the right side */
    uint32_t *counts;     /* of those: how often they came and were not yet used up */
    uint32_t count_capacity;
    size_t charged;
    const struct vector **columns;
    uint32_t *numbers;
    bool *is_new;
    uint32_t *selection;
    struct batch out;
};

static status_t put(struct set *set, const struct batch *in, struct error *error)
{
    for (uint32_t c = 0; c < in->column_count; c++)
        set->columns[c] = &in->columns[c];
    return exec__key_table_put(&set->rows, set->columns, in->selection, in->selected, set->numbers,
                               set->is_new, error);
}

static status_t count_rows(struct set *set, const struct batch *in, struct error *error)
{
    uint32_t need = set->rows.keys.row_count;
    set->counts = vec_grow(set->counts, &set->count_capacity, need, sizeof *set->counts);
    size_t size = set->count_capacity * sizeof *set->counts;
    status_t status = exec__memory_charge(set->op.exec, size - set->charged, error);
    set->charged = size;
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < in->selected; i++) {
        if (set->is_new[i])
            set->counts[set->numbers[i]] = 0;
        set->counts[set->numbers[i]]++;
    }
    return OK;
}

static status_t build(struct set *set, struct error *error)
{
    set->built = true;
    for (;;) {
        struct batch *in;
        status_t status = exec__operator_next(set->op.right, &in, error);
        if (status != OK || !in) {
            set->right_count = set->rows.keys.row_count;
            return status;
        }
        status = put(set, in, error);
        if (status == OK)
            status = count_rows(set, in, error);
        if (status != OK)
            return status;
    }
}

/* Does a left row come out? */
static bool comes_out(struct set *set, uint32_t number, bool is_new)
{
    bool all = set->op.plan->as.set.all;
    bool in_right = number < set->right_count;
    bool left_over = in_right && set->counts[number] > 0;
    if (set->op.plan->kind == PLAN_INTERSECT) {
        if (left_over)
            set->counts[number] = all ? set->counts[number] - 1 : 0;
        return left_over;
    }
    ASSERT(set->op.plan->kind == PLAN_EXCEPT);
    if (!all)
        return is_new;
    if (left_over)
        set->counts[number]--;
    return !left_over;
}

static status_t set_next(struct operator* op, struct batch **out, struct error *error)
{
    struct set *set = (struct set *)op;
    status_t status = set->built ? OK : build(set, error);
    while (status == OK) {
        struct batch *in;
        status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        if ((status = put(set, in, error)) != OK)
            return status;
        set->out = *in;
        set->out.selection = set->selection;
        set->out.selected = 0;
        for (uint32_t i = 0; i < in->selected; i++) {
            if (comes_out(set, set->numbers[i], set->is_new[i]))
                set->selection[set->out.selected++] = batch_row(in, i);
        }
        if (set->out.selected > 0) {
            *out = &set->out;
            return OK;
        }
    }
    return status;
}

static void set_close(struct operator* op)
{
    struct set *set = (struct set *)op;
    exec__key_table_free(&set->rows);
    mem_free(set->counts);
    exec__memory_release(op->exec, set->charged);
    set->counts = NULL;
    set->charged = 0;
}

static const struct operator_ops set_ops = {set_next, set_close};

status_t exec__set_open(struct exec *exec, const struct plan *plan, struct operator** out,
                        struct error *error)
{
    struct set *set = exec__operator_create(exec, plan, &set_ops, sizeof *set);
    *out = &set->op;
    ASSERT(plan->left->column_count == plan->right->column_count);
    exec__key_table_init(&set->rows, exec, plan->types, NULL, plan->column_count);
    set->columns = arena_alloc(exec->arena, (plan->column_count + 1) * sizeof *set->columns);
    set->numbers = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    set->is_new = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(bool));
    set->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof(uint32_t));
    status_t status = exec__operator_open(exec, plan->left, &set->op.left, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->right, &set->op.right, error);
    return status;
}
