/* Key filter: lets those rows pass whose keys a hash join above has among its right rows. The join
 * has built its table before the first row is asked for, and the rows' hashes are looked up in it
 * as they are: a row that passes for another's hash finds no partner later.
 *
 * Most rows do not pass. They are told by a map of bits, one of the sixteen for each key set, which
 * fits into the nearest cache (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors",
 * 1970, with one bit a key: the table is asked of the rest). A table by one whole number
 * (hash_join_number.c) is asked by itself, and tells for certain.
 *
 * Where the join's table does not hold all of its right side (it has gone to disk in parts), and
 * where most rows turn out to pass, all of them do. */
#include "sql/exec/hash_join_int.h"
#include "sql/exec/late_int.h"

enum {
    ROWS_ON_TRIAL = 4096, /* after which it is asked whether it is worth it */
    BITS_A_KEY = 16,
    BITS_MIN = 64,
    KEYS_WITH_BITS_MAX = 1 << 16, /* more: the table alone */
};

struct key_filter {
    struct operator op;
    const struct hash_join *join; /* NULL: there is none in this run */
    uint32_t *columns;            /* the keys, of the input */
    uint32_t key_count;
    const struct vector **keys;
    uint64_t *hashes;
    uint64_t *bits; /* NULL: not made, or too many keys */
    uint64_t bit_mask;
    uint32_t *selection;
    struct late *late; /* what is read of the rows that pass */
    uint64_t seen;
    uint64_t passed;
    bool is_idle;
    struct batch out;
};

static bool has_hash(const struct hash_join *join, uint64_t code)
{
    uint32_t row = join->heads[code & (join->head_count - 1)];
    while (row != EXEC_NO_ROW && join->hashes[row] != code)
        row = join->next[row];
    return row != EXEC_NO_ROW;
}

static uint64_t bit_of(const struct key_filter *filter, uint64_t code)
{
    return code >> 32 & filter->bit_mask; /* the table goes by the lower half */
}

static void bits_make(struct key_filter *filter)
{
    const struct hash_join *join = filter->join;
    uint32_t rows = join->rows.row_count;
    uint64_t count = BITS_MIN;
    if (filter->bits || rows > KEYS_WITH_BITS_MAX)
        return;
    while (count < (uint64_t)rows * BITS_A_KEY)
        count *= 2;
    filter->bits = arena_zalloc(filter->op.exec->arena, count / 8);
    filter->bit_mask = count - 1;
    for (uint32_t row = 0; row < rows; row++) {
        uint64_t bit = bit_of(filter, join->hashes[row]);
        filter->bits[bit / 64] |= (uint64_t)1 << bit % 64;
    }
}

/* Of the rows hashed those that the map does not tell to be in vain, by their places. */
static uint32_t places_choose(struct key_filter *filter, uint32_t count)
{
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bit = bit_of(filter, filter->hashes[i]);
        filter->selection[chosen] = i;
        chosen += !filter->bits || (filter->bits[bit / 64] >> bit % 64 & 1);
    }
    return chosen;
}

/* By the map of bits, then by the table of hashes: how many pass. */
static uint32_t rows_by_hashes(struct key_filter *filter, const struct batch *in)
{
    exec__hash_rows(filter->keys, filter->key_count, in->selection, in->selected, filter->hashes);
    bits_make(filter);
    uint32_t chosen = places_choose(filter, in->selected), count = 0;
    for (uint32_t i = 0; i < chosen; i++) {
        uint32_t place = filter->selection[i];
        filter->selection[count] = batch_row(in, place);
        count += has_hash(filter->join, filter->hashes[place]);
    }
    return count;
}

/* The rows of `in` that pass, into `out`. */
static void rows_choose(struct key_filter *filter, const struct batch *in, struct batch *out)
{
    const struct number_table *numbers = &filter->join->by_number;
    for (uint32_t k = 0; k < filter->key_count; k++)
        filter->keys[k] = &in->columns[filter->columns[k]];
    uint32_t count = numbers->starts
                         ? exec__number_rows(numbers, filter->keys[0], in, true, filter->selection)
                         : rows_by_hashes(filter, in);
    out->selection = filter->selection;
    out->selected = count;
    filter->seen += in->selected;
    filter->passed += count;
    filter->is_idle = filter->seen >= ROWS_ON_TRIAL && filter->passed > filter->seen / 4 * 3;
}

static bool is_ready(const struct hash_join *join)
{
    return join && join->state == HASH_PROBE && join->source == HASH_WHOLE;
}

static status_t key_filter_next(struct operator* op, struct batch **out, struct error *error)
{
    struct key_filter *filter = (struct key_filter *)op;
    do {
        struct batch *in;
        status_t status = exec__operator_next(op->left, &in, error);
        if (status != OK || !in)
            return status;
        ASSERT(in->row_count <= BATCH_ROWS_MAX);
        filter->out = *in;
        if (!filter->is_idle && is_ready(filter->join))
            rows_choose(filter, in, &filter->out);
    } while (filter->out.selected == 0);
    *out = &filter->out;
    return exec__late_fill(filter->late, filter->out.selection, filter->out.selected, error);
}

struct late *exec__key_filter_leave(struct operator* op, const bool *early)
{
    struct key_filter *filter = (struct key_filter *)op;
    ASSERT(op->plan->kind == PLAN_KEY_FILTER);
    return exec__late_split(&filter->late, early);
}

/* Of a helper's filter it is the leader's, which is above what is shared out. */
static const struct hash_join *join_find(const struct exec *exec, const struct plan *plan)
{
    const struct operator* op = exec->leader ? exec->leader->opened : exec->opened;
    while (op && op->plan != plan)
        op = op->opened_before;
    return (const struct hash_join *)op;
}

static void key_filter_close(struct operator* op)
{
    (void)op;
}

static const struct operator_ops key_filter_ops = {key_filter_next, key_filter_close};

status_t exec__key_filter_open(struct exec *exec, const struct plan *plan, struct operator** out,
                               struct error *error)
{
    struct key_filter *filter = exec__operator_create(exec, plan, &key_filter_ops, sizeof *filter);
    uint32_t count = plan->as.key_filter.key_count;
    *out = &filter->op;
    filter->join = join_find(exec, plan->as.key_filter.join);
    ASSERT(filter->join && plan->as.key_filter.join->as.join.key_count == count);
    filter->key_count = count;
    filter->columns = arena_alloc(exec->arena, count * sizeof *filter->columns);
    filter->keys = arena_alloc(exec->arena, count * sizeof *filter->keys);
    filter->hashes = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof *filter->hashes);
    filter->selection = arena_alloc(exec->arena, BATCH_ROWS_MAX * sizeof *filter->selection);
    status_t status = exec__operator_open(exec, plan->left, &filter->op.left, error);
    if (status != OK)
        return status;
    bool *early = arena_zalloc(exec->arena, plan->column_count * sizeof *early);
    for (uint32_t k = 0; k < count; k++) {
        const struct expr *key = plan->as.key_filter.keys[k];
        ASSERT(key->kind == EXPR_COLUMN &&
               key->type == plan->as.key_filter.join->as.join.left_keys[k]->type);
        filter->columns[k] = key->index;
        early[key->index] = true;
    }
    filter->late = exec__late_leave(filter->op.left, early);
    return status;
}
