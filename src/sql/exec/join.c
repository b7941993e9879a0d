/* What the joins share: from pairs of row numbers to output batches. */
#include "sql/exec/exec_int.h"

#include <string.h>

#include "base/mem.h"

status_t exec__join_init(struct join *join, struct operator* op, struct error *error)
{
    const struct plan *plan = op->plan;
    struct exec *exec = op->exec;
    enum join_kind kind = plan->as.join.kind;
    join->op = op;
    join->left_columns = plan->left->column_count;
    join->right_columns = plan->right->column_count;
    uint32_t count = join->left_columns + join->right_columns;
    join->is_semi = kind == JOIN_SEMI;
    join->is_anti = kind == JOIN_ANTI;
    ASSERT(plan->column_count == (join->is_semi || join->is_anti ? join->left_columns : count));
    join->keep_left = kind == JOIN_LEFT || kind == JOIN_FULL || join->is_anti;
    join->keep_right = kind == JOIN_RIGHT || kind == JOIN_FULL;
    if (!plan->as.join.condition)
        return OK;
    join->condition_columns = arena_zalloc(exec->arena, count * sizeof(bool));
    exec__expr_columns(plan->as.join.condition, join->condition_columns);
    join->condition_batch.column_count = count;
    join->condition_batch.columns = arena_zalloc(exec->arena, count * sizeof(struct vector));
    return exec__eval_compile(exec, plan->as.join.condition, &join->scratch, &join->condition,
                              error);
}

void exec__join_right_forget(struct join *join)
{
    mem_free(join->right_matched);
    join->right_matched = NULL;
    if (join->op)
        exec__memory_release(join->op->exec, join->right_matched_size);
    join->right_matched_size = 0;
    join->right_place = 0;
}

void exec__join_free(struct join *join)
{
    arena_free(&join->scratch);
    exec__join_right_forget(join);
}

static void pairs_reserve(struct join *join, uint32_t pairs)
{
    struct exec *exec = join->op->exec;
    uint32_t capacity = exec__capacity(exec, pairs < BATCH_ROWS_MAX ? pairs : BATCH_ROWS_MAX);
    ASSERT(join->pair_count == 0);
    if (join->pair_capacity < capacity) {
        join->left_rows = arena_alloc(exec->arena, capacity * sizeof(uint32_t));
        join->right_rows = arena_alloc(exec->arena, capacity * sizeof(uint32_t));
        join->survivors = arena_alloc(exec->arena, capacity * sizeof(uint32_t));
        join->pair_capacity = capacity;
    }
    join->pair_limit =
        join->pair_capacity < exec->batch_rows ? join->pair_capacity : exec->batch_rows;
}

void exec__join_left_batch(struct join *join, uint32_t pairs)
{
    pairs_reserve(join, pairs);
    memset(join->left_matched, 0, sizeof join->left_matched);
    join->row_paired = false;
}

bool exec__join_row_end(struct join *join, uint32_t left_row)
{
    if (join->keep_left && (join->condition || !join->row_paired)) {
        if (exec__join_full(join))
            return false;
        exec__join_pair(join, left_row, EXEC_NO_ROW);
    }
    join->row_paired = false;
    return true;
}

/* dst[i] = column `column` (left ones first) of pair i. */
static void pair_column(const struct join *join, const struct batch *left, struct join_right right,
                        uint32_t column, struct vector *dst)
{
    uint32_t count = join->pair_count;
    if (column < join->left_columns) {
        if (left)
            exec__vector_gather(dst, 0, &left->columns[column], join->left_rows, count);
        else
            exec__vector_null_all(dst, count);
        return;
    }
    column -= join->left_columns;
    if (right.collection) {
        exec__collection_gather(right.collection, column, join->right_rows, count, dst, 0);
        return;
    }
    for (uint32_t i = 0; i < count;) {
        uint32_t from = i;
        for (; i < count && join->right_rows[i] != EXEC_NO_ROW; i++)
            ;
        if (i > from)
            exec__vector_gather(dst, from, &right.vectors[column], join->right_rows + from,
                                i - from);
        for (; i < count && join->right_rows[i] == EXEC_NO_ROW; i++)
            vector_set_null(dst, i);
    }
}

static void condition_fill(struct join *join, const struct batch *left, struct join_right right)
{
    struct exec *exec = join->op->exec;
    struct batch *batch = &join->condition_batch;
    bool grow = join->condition_capacity < join->pair_count;
    if (grow)
        join->condition_capacity = exec__capacity(exec, join->pair_count);
    for (uint32_t c = 0; c < batch->column_count; c++) {
        const struct plan *plan = join->op->plan;
        enum sql_type type = c < join->left_columns ? plan->left->types[c]
                                                    : plan->right->types[c - join->left_columns];
        if (grow && join->condition_columns[c])
            vector_init(&batch->columns[c], exec->arena, type, join->condition_capacity);
    }
    batch_reset(batch);
    for (uint32_t c = 0; c < batch->column_count; c++) {
        if (join->condition_columns[c])
            pair_column(join, left, right, c, &batch->columns[c]);
    }
    batch->row_count = batch->selected = join->pair_count;
}

/* Numbers of the pairs that fulfil the condition, ascending. */
static status_t condition_run(struct join *join, const struct batch *left, struct join_right right,
                              uint32_t *count, struct error *error)
{
    condition_fill(join, left, right);
    arena_reset(&join->scratch);
    struct batch in = join->condition_batch;
    in.selection = join->survivors;
    in.selected = 0;
    for (uint32_t i = 0; i < join->pair_count; i++) {
        if (join->right_rows[i] != EXEC_NO_ROW)
            join->survivors[in.selected++] = i;
    }
    *count = 0;
    if (in.selected == 0)
        return OK;
    return exec__eval_filter(join->condition, &in, join->survivors, count, error);
}

static void mark_matched(struct join *join, uint32_t left_row, uint32_t right_row)
{
    join->left_matched[left_row / 64] |= (uint64_t)1 << (left_row % 64);
    if (join->right_matched) {
        uint64_t number = join->right_base + right_row;
        join->right_matched[number / 64] |= (uint64_t)1 << (number % 64);
    }
}

/* Leaves the surviving pairs, and of the pairs without a right row those whose left row has no
 * other. */
static void pairs_compact(struct join *join, uint32_t survivor_count)
{
    uint32_t kept = 0, next = 0;
    for (uint32_t i = 0; i < join->pair_count; i++) {
        uint32_t left_row = join->left_rows[i], right_row = join->right_rows[i];
        if (right_row == EXEC_NO_ROW) {
            if (join->left_matched[left_row / 64] >> (left_row % 64) & 1)
                continue;
        } else {
            if (join->condition) {
                if (next == survivor_count || join->survivors[next] != i)
                    continue;
                next++;
            }
            bool known = join->left_matched[left_row / 64] >> (left_row % 64) & 1;
            mark_matched(join, left_row, right_row);
            if (join->is_anti || (join->is_semi && known))
                continue;
        }
        join->left_rows[kept] = left_row;
        join->right_rows[kept++] = right_row;
    }
    ASSERT(!join->condition || next == survivor_count);
    join->pair_count = kept;
}

static void pairs_output(struct join *join, const struct batch *left, struct join_right right,
                         struct batch **out)
{
    const struct plan *plan = join->op->plan;
    *out = NULL;
    if (join->pair_count == 0)
        return;
    exec__batch_prepare(join->op->exec, &join->out, plan->types, plan->column_count,
                        join->pair_count);
    for (uint32_t c = 0; c < plan->column_count; c++)
        pair_column(join, left, right, c, &join->out->columns[c]);
    join->out->row_count = join->out->selected = join->pair_count;
    join->pair_count = 0;
    *out = join->out;
}

status_t exec__join_emit(struct join *join, const struct batch *left, struct join_right right,
                         struct batch **batch, struct error *error)
{
    *batch = NULL;
    if (join->pair_count == 0)
        return OK;
    uint32_t survivors = 0;
    if (join->condition) {
        status_t status = condition_run(join, left, right, &survivors, error);
        if (status != OK)
            return status;
    }
    if (join->condition || join->keep_left || join->keep_right || join->is_semi || join->notes_left)
        pairs_compact(join, survivors);
    pairs_output(join, left, right, batch);
    return OK;
}

status_t exec__join_right_ready(struct join *join, uint64_t rows, struct error *error)
{
    if (!join->keep_right)
        return OK;
    ASSERT(!join->right_matched);
    join->right_matched_size = ((size_t)(rows / 64) + 1) * sizeof(uint64_t);
    join->right_matched = mem_zalloc(1, join->right_matched_size);
    return exec__memory_charge(join->op->exec, join->right_matched_size, error);
}

status_t exec__join_right_rest(struct join *join, struct join_right right, uint32_t rows,
                               struct batch **batch, struct error *error)
{
    uint64_t end = join->right_base + rows;
    *batch = NULL;
    if (!join->keep_right)
        return OK;
    status_t status = exec__cancel_check(join->op->exec, error);
    if (status != OK)
        return status;
    ASSERT(join->right_place >= join->right_base && join->right_place <= end);
    uint64_t left = end - join->right_place;
    pairs_reserve(join, left < BATCH_ROWS_MAX ? (uint32_t)left : BATCH_ROWS_MAX);
    for (; join->right_place < end && !exec__join_full(join); join->right_place++) {
        uint64_t row = join->right_place;
        if (!(join->right_matched[row / 64] >> (row % 64) & 1))
            exec__join_pair(join, 0, (uint32_t)(row - join->right_base));
    }
    pairs_output(join, NULL, right, batch);
    return OK;
}
