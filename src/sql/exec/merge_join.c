/* Merge join: both sides ascend by the keys (NULLs last), so that partners are found by walking
 * along both at once.
 *
 *     left batch   | 3 4 4 7 |            the window is read on until its last key is above the
 *     window       | 3 4 4 4 5 7 9 |      left batch's last one; rows below the next left batch's
 *                    ^ behind             first key are given up
 *
 * The window holds the right rows that partners of the left batch at hand may be: a batch or two,
 * and more only where many right rows have one key. A row with a NULL among its keys equals
 * nothing. INNER, LEFT, SEMI and ANTI. */
#include "sql/exec/exec_int.h"

struct merge_join {
    struct operator op;
    struct join join;
    struct collection windows[2]; /* one at a time; the other is what it is moved to */
    uint32_t current;
    uint32_t behind; /* rows of the window below the left row at hand */
    uint32_t group;  /* next row of the window to pair with it */
    bool in_group;   /* the left row's first partner has been looked for */
    bool right_done;
    uint32_t key_count;
    bool by_number; /* the only key is a whole number */
    uint32_t *left_columns;
    uint32_t *right_columns;
    struct batch *left;
    uint32_t left_at;
};

static struct collection *window_of(struct merge_join *merge)
{
    return &merge->windows[merge->current];
}

static bool has_null(const struct merge_join *merge, uint32_t left_row)
{
    for (uint32_t k = 0; k < merge->key_count; k++) {
        if (vector_is_null(&merge->left->columns[merge->left_columns[k]], left_row))
            return true;
    }
    return false;
}

/* The order of the left row, which has no NULL, and a row of the window. */
static int compare(const struct merge_join *merge, uint32_t left_row, uint32_t right_row)
{
    const struct collection *window = &merge->windows[merge->current];
    for (uint32_t k = 0; k < merge->key_count; k++) {
        const struct vector *left = &merge->left->columns[merge->left_columns[k]];
        const struct vector *right =
            exec__collection_vector(window, merge->right_columns[k], right_row);
        uint32_t at = right_row % BATCH_ROWS_MAX;
        int order;
        if (vector_is_null(right, at))
            return -1;
        if (type_storage(left->type) == SQL_INTEGER) {
            int64_t a = left->as.integers[left_row], b = right->as.integers[at];
            order = (a > b) - (a < b);
        } else {
            struct value a = vector_get(left, left_row), b = vector_get(right, at);
            order = value_compare(&a, &b);
        }
        if (order != 0)
            return order;
    }
    return 0;
}

/* ---- the window ---------------------------------------------------------------------------------
 */

/* Gives the rows up that are behind, when they are most of it: each row is moved a few times. */
static status_t window_trim(struct merge_join *merge, struct error *error)
{
    struct collection *from = window_of(merge), *to = &merge->windows[1 - merge->current];
    if (merge->behind < BATCH_ROWS_MAX || merge->behind < from->row_count / 2)
        return OK;
    const struct vector **columns =
        arena_alloc(&to->arena, (from->column_count + 1) * sizeof *columns);
    uint32_t rows[BATCH_ROWS_MAX];
    status_t status = OK;
    for (uint32_t at = merge->behind; at < from->row_count && status == OK;) {
        const struct batch *chunk = from->chunks[at / BATCH_ROWS_MAX];
        uint32_t count = 0;
        for (uint32_t c = 0; c < from->column_count; c++)
            columns[c] = &chunk->columns[c];
        for (uint32_t row = at % BATCH_ROWS_MAX; row < chunk->row_count; row++)
            rows[count++] = row;
        status = exec__collection_append(to, columns, rows, count, error);
        at += count;
    }
    exec__collection_free(from);
    exec__collection_init(from, to->exec, to->types, to->stable, to->column_count);
    merge->current = 1 - merge->current;
    merge->behind = 0;
    return status;
}

/* Reads on until a row is above the last left one that can have partners. */
static status_t window_fill(struct merge_join *merge, struct error *error)
{
    const struct batch *left = merge->left;
    uint32_t last = left->selected;
    while (last > 0 && has_null(merge, batch_row(left, last - 1)))
        last--;
    status_t status = OK;
    while (status == OK && last > 0 && !merge->right_done) {
        struct collection *window = window_of(merge);
        struct batch *batch;
        if (window->row_count > 0 &&
            compare(merge, batch_row(left, last - 1), window->row_count - 1) < 0)
            return OK;
        status = exec__operator_next(merge->op.right, &batch, error);
        if (status == OK && batch)
            status = exec__collection_append_batch(window, batch, error);
        merge->right_done = status == OK && !batch;
    }
    return status;
}

/* ---- pairs --------------------------------------------------------------------------------------
 */

static status_t left_take(struct merge_join *merge, struct error *error)
{
    status_t status = exec__operator_next(merge->op.left, &merge->left, error);
    if (status != OK || !merge->left)
        return status;
    exec__join_left_batch(&merge->join, BATCH_ROWS_MAX);
    merge->left_at = 0;
    merge->in_group = false;
    status = window_trim(merge, error);
    return status == OK ? window_fill(merge, error) : status;
}

/* The whole number that is the key of a row of the window; false: it is NULL, as are all behind it.
 */
static inline bool window_number(const struct merge_join *merge, uint32_t row, int64_t *number)
{
    const struct collection *window = &merge->windows[merge->current];
    const struct vector *keys = exec__collection_vector(window, merge->right_columns[0], row);
    *number = keys->as.integers[row % BATCH_ROWS_MAX];
    return !vector_is_null(keys, row % BATCH_ROWS_MAX);
}

/* On to the next left row that has a partner, as its number is that of a row of the window: others
 * are of no use to inner and semi joins. NULLs are behind all numbers. */
static void left_skip(struct merge_join *merge)
{
    const struct batch *left = merge->left;
    const struct vector *keys = &left->columns[merge->left_columns[0]];
    uint32_t rows = window_of(merge)->row_count, at = merge->left_at, end = left->selected;
    ASSERT(!merge->in_group && !merge->join.row_paired && !merge->join.keep_left);
    while (end > at && vector_is_null(keys, batch_row(left, end - 1)))
        end--;
    while (at < end) {
        int64_t number = keys->as.integers[batch_row(left, at)], next = 0;
        bool any = false;
        while (merge->behind < rows && (any = window_number(merge, merge->behind, &next)) &&
               next < number)
            merge->behind++;
        if (merge->behind == rows || !any) /* all that may have partners here is in the window */
            break;
        while (at < end && keys->as.integers[batch_row(left, at)] < next)
            at++;
        if (at < end && keys->as.integers[batch_row(left, at)] == next) {
            merge->left_at = at;
            return;
        }
    }
    merge->left_at = left->selected;
}

/* Pairs until there are enough for a batch or the left batch is through. */
static void pairs_fill(struct merge_join *merge)
{
    struct join *join = &merge->join;
    const struct batch *left = merge->left;
    uint32_t rows = window_of(merge)->row_count;
    for (; merge->left_at < left->selected; merge->left_at++) {
        if (merge->by_number && !merge->in_group)
            left_skip(merge);
        if (merge->left_at == left->selected)
            break;
        uint32_t row = batch_row(left, merge->left_at);
        bool may_match = !has_null(merge, row);
        if (!merge->in_group && may_match) {
            while (merge->behind < rows && compare(merge, row, merge->behind) > 0)
                merge->behind++;
            merge->group = merge->behind;
        }
        merge->in_group = true;
        while (may_match && merge->group < rows && !exec__join_row_known(join, row) &&
               compare(merge, row, merge->group) == 0) {
            if (exec__join_full(join))
                return;
            exec__join_pair(join, row, merge->group++);
        }
        if (!exec__join_row_end(join, row))
            return;
        merge->in_group = false;
    }
}

static status_t merge_join_next(struct operator* op, struct batch **out, struct error *error)
{
    struct merge_join *merge = (struct merge_join *)op;
    for (;;) {
        if (!merge->left) {
            bool used_up = merge->right_done && merge->behind == window_of(merge)->row_count;
            if (used_up && !merge->join.keep_left)
                return OK;
            status_t status = left_take(merge, error);
            if (status != OK || !merge->left)
                return status;
        }
        status_t status = exec__cancel_check(op->exec, error);
        if (status != OK)
            return status;
        pairs_fill(merge);
        status = exec__join_emit(&merge->join, merge->left,
                                 (struct join_right){.collection = window_of(merge)}, out, error);
        if (status != OK || *out)
            return status;
        if (merge->left_at == merge->left->selected)
            merge->left = NULL;
    }
}

static void merge_join_close(struct operator* op)
{
    struct merge_join *merge = (struct merge_join *)op;
    exec__join_free(&merge->join);
    exec__collection_free(&merge->windows[0]);
    exec__collection_free(&merge->windows[1]);
}

static const struct operator_ops merge_join_ops = {merge_join_next, merge_join_close};

status_t exec__merge_join_open(struct exec *exec, const struct plan *plan, struct operator** out,
                               struct error *error)
{
    struct merge_join *merge = exec__operator_create(exec, plan, &merge_join_ops, sizeof *merge);
    uint32_t keys = plan->as.join.key_count;
    enum sql_type *types;
    bool *stable;
    *out = &merge->op;
    ASSERT(keys > 0 && plan->as.join.kind != JOIN_FULL && plan->as.join.kind != JOIN_RIGHT);
    merge->key_count = keys;
    merge->left_columns = arena_alloc(exec->arena, keys * sizeof *merge->left_columns);
    merge->right_columns = arena_alloc(exec->arena, keys * sizeof *merge->right_columns);
    for (uint32_t k = 0; k < keys; k++) {
        ASSERT(plan->as.join.left_keys[k]->kind == EXPR_COLUMN);
        ASSERT(plan->as.join.right_keys[k]->kind == EXPR_COLUMN);
        merge->left_columns[k] = plan->as.join.left_keys[k]->index;
        merge->right_columns[k] = plan->as.join.right_keys[k]->index;
    }
    const struct expr *left = plan->as.join.left_keys[0], *right = plan->as.join.right_keys[0];
    bool keeps_left = plan->as.join.kind == JOIN_LEFT || plan->as.join.kind == JOIN_ANTI;
    merge->by_number = keys == 1 && !keeps_left && type_storage(left->type) == SQL_INTEGER &&
                       type_storage(right->type) == SQL_INTEGER;
    exec__collection_shape(exec, plan->right, NULL, 0, &types, &stable);
    for (int i = 0; i < 2; i++)
        exec__collection_init(&merge->windows[i], exec, types, stable, plan->right->column_count);
    status_t status = exec__join_init(&merge->join, &merge->op, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &merge->op.left, error);
    if (status == OK)
        status = exec__operator_open(exec, plan->right, &merge->op.right, error);
    return status;
}
