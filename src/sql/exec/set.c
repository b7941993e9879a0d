/* INTERSECT and EXCEPT: the right input is collected into a table of its different rows, each with
 * how often it came; then each left row is looked up.
 *
 *     INTERSECT       comes out when the right side has it, and then no more
 *     INTERSECT ALL   comes out as often as the right side has it
 *     EXCEPT          comes out when it has not been seen on either side
 *     EXCEPT ALL      the first comings are taken off by those of the right side
 *
 * Rows of the left side that the right one has not are put into the table of EXCEPT: it is what it
 * has seen.
 *
 * When the table takes more memory than it may, nothing more is put into it. The rows in it are
 * still counted and looked up, for all that equal them are; those not in it are put aside, shared
 * out by their hashes (spill_split.c), and each part of both sides is worked off in its turn. */
#include "base/mem.h"
#include "sql/exec/spill_int.h"

#include <string.h>

enum { SET_LEFT, SET_RIGHT }; /* sides of a split */

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
    bool full; /* nothing more is put into the table */
    struct split *splits;
    bool done;
    const struct split *part_of; /* which the part is of */
    bool in_part;                /* rows come from a part, not from the inputs */
    struct split_reader reader;
};

static void check_full(struct set *set)
{
    size_t held = exec__key_table_memory(&set->rows) + set->charged;
    set->full = set->full || exec__split_when_full(&set->splits, set->op.exec, held);
}

/* Of rows of one side, those in no row of the table. */
static status_t unknown_put_aside(struct set *set, const struct batch *in, uint32_t side,
                                  struct error *error)
{
    uint64_t hashes[BATCH_ROWS_MAX];
    const struct plan *plan = set->op.plan;
    exec__hash_rows(set->columns, in->column_count, in->selection, in->selected, hashes);
    status_t status = OK;
    for (uint32_t i = 0; i < in->selected && status == OK; i++) {
        if (set->numbers[i] == EXEC_NO_ROW)
            status =
                exec__split_put(set->op.exec, set->splits, side, plan->types, plan->column_count,
                                set->columns, batch_row(in, i), hashes[i], error);
    }
    return status;
}

/* The rows' numbers, EXEC_NO_ROW of those that are not in the table: they are put into it when
 * `adds`, or else put aside when it is full. */
static status_t look_up(struct set *set, const struct batch *in, uint32_t side, bool adds,
                        struct error *error)
{
    for (uint32_t c = 0; c < in->column_count; c++)
        set->columns[c] = &in->columns[c];
    if (adds && !set->full)
        return exec__key_table_put(&set->rows, set->columns, in->selection, in->selected,
                                   set->numbers, set->is_new, error);
    exec__key_table_find(&set->rows, set->columns, in->selection, in->selected, set->numbers);
    memset(set->is_new, 0, in->selected * sizeof *set->is_new);
    return set->full ? unknown_put_aside(set, in, side, error) : OK;
}

static status_t input_next(struct set *set, uint32_t side, struct batch **in, struct error *error)
{
    if (set->in_part)
        return exec__split_read(&set->reader, set->op.exec, in, error);
    return exec__operator_next(side == SET_LEFT ? set->op.left : set->op.right, in, error);
}

static void input_begin(struct set *set, uint32_t side)
{
    exec__split_reader_free(&set->reader);
    if (set->in_part)
        exec__split_reader_init(&set->reader, set->part_of, side);
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
        if (set->numbers[i] == EXEC_NO_ROW)
            continue;
        if (set->is_new[i])
            set->counts[set->numbers[i]] = 0;
        set->counts[set->numbers[i]]++;
    }
    return OK;
}

static status_t build(struct set *set, struct error *error)
{
    set->built = true;
    input_begin(set, SET_RIGHT);
    for (;;) {
        struct batch *in;
        status_t status = input_next(set, SET_RIGHT, &in, error);
        if (status != OK || !in) {
            set->right_count = set->rows.keys.row_count;
            input_begin(set, SET_LEFT);
            return status;
        }
        status = look_up(set, in, SET_RIGHT, true, error);
        if (status == OK)
            status = count_rows(set, in, error);
        if (status != OK)
            return status;
        check_full(set);
    }
}

/* Does a left row come out? */
static bool comes_out(struct set *set, uint32_t number, bool is_new)
{
    bool all = set->op.plan->as.set.all;
    bool in_right = number < set->right_count;
    bool left_over = in_right && set->counts[number] > 0;
    if (number == EXEC_NO_ROW && set->full)
        return false; /* put aside */
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

static void table_free(struct set *set)
{
    exec__key_table_free(&set->rows);
    mem_free(set->counts);
    exec__memory_release(set->op.exec, set->charged);
    set->counts = NULL;
    set->count_capacity = 0;
    set->charged = 0;
    set->built = set->full = false;
}

/* The next part of both sides; false: there is none. */
static status_t part_begin(struct set *set, bool *any, struct error *error)
{
    status_t status = OK;
    *any = false;
    if (set->full)
        status = exec__split_end(set->splits, SET_LEFT, error);
    if (status == OK && set->full)
        status = exec__split_end(set->splits, SET_RIGHT, error);
    if (status != OK)
        return status;
    exec__split_reader_free(&set->reader);
    set->in_part = *any = exec__split_next(&set->splits, 1 << SET_LEFT);
    if (*any)
        table_free(set);
    set->part_of = set->splits;
    return OK;
}

/* The next left rows, looked up. */
static status_t left_take(struct set *set, struct batch **in, struct error *error)
{
    bool adds = set->op.plan->kind == PLAN_EXCEPT && !set->op.plan->as.set.all;
    for (bool any = true; any;) {
        status_t status = set->built ? OK : build(set, error);
        if (status == OK)
            status = input_next(set, SET_LEFT, in, error);
        if (status == OK && *in)
            return look_up(set, *in, SET_LEFT, adds, error);
        if (status == OK)
            status = part_begin(set, &any, error);
        if (status != OK)
            return status;
    }
    set->done = true;
    return OK;
}

static status_t set_next(struct operator* op, struct batch **out, struct error *error)
{
    struct set *set = (struct set *)op;
    status_t status = OK;
    while (status == OK && !set->done) {
        struct batch *in = NULL;
        status = left_take(set, &in, error);
        if (status != OK || !in)
            return status;
        set->out = *in;
        set->out.selection = set->selection;
        set->out.selected = 0;
        for (uint32_t i = 0; i < in->selected; i++) {
            if (comes_out(set, set->numbers[i], set->is_new[i]))
                set->selection[set->out.selected++] = batch_row(in, i);
        }
        check_full(set);
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
    table_free(set);
    exec__split_reader_free(&set->reader);
    exec__split_free(&set->splits);
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
