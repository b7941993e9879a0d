/* Hash join: the right side is collected and hashed by its keys, then each left row looks its
 * partners up.
 *
 * The table is an array of chain heads (by the hash's low bits) and one array each of hashes and
 * next rows, by row number: 16 bytes a row and no pointers. Rows are put in from last to first, so
 * a chain is in the order of the right input. A row with a NULL among its keys equals nothing and
 * is not put in. A key that is one whole number has a table of its own (hash_join_number.c).
 *
 * A right side that does not fit is joined in passes, each with a table that does: see
 * hash_join_spill.c. */
#include "base/mem.h"
#include "sql/exec/hash_join_int.h"
#include "sql/exec/late_int.h"

/* ---- build --------------------------------------------------------------------------------------
 */

static status_t table_allocate(struct hash_join *hash, struct error *error)
{
    uint32_t rows = hash->rows.row_count;
    hash->head_count = 16;
    while (hash->head_count < rows && hash->head_count < (uint32_t)1 << 31)
        hash->head_count *= 2;
    hash->charged =
        rows * (sizeof *hash->hashes + sizeof *hash->next) + hash->head_count * sizeof *hash->heads;
    status_t status = exec__memory_charge(hash->op.exec, hash->charged, error);
    if (status != OK)
        return status;
    hash->hashes = mem_alloc(rows * sizeof *hash->hashes);
    hash->next = mem_alloc(rows * sizeof *hash->next);
    hash->heads = mem_alloc(hash->head_count * sizeof *hash->heads);
    for (uint32_t i = 0; i < hash->head_count; i++)
        hash->heads[i] = EXEC_NO_ROW;
    return OK;
}

static status_t table_fill(struct hash_join *hash, struct error *error)
{
    const struct vector **keys = hash->left_vectors; /* no left batch is being joined yet */
    for (uint32_t c = hash->rows.chunk_count; c-- > 0;) {
        status_t status = exec__cancel_check(hash->op.exec, error);
        if (status != OK)
            return status;
        const struct batch *chunk = hash->rows.chunks[c];
        uint32_t first = c * BATCH_ROWS_MAX;
        for (uint32_t k = 0; k < hash->key_count; k++)
            keys[k] = &chunk->columns[hash->key_columns[k]];
        exec__hash_rows(keys, hash->key_count, NULL, chunk->row_count, hash->hashes + first);
        for (uint32_t row = chunk->row_count; row-- > 0;) {
            if (exec__hash_any_null(keys, hash->key_count, row))
                continue;
            uint32_t *head = &hash->heads[hash->hashes[first + row] & (hash->head_count - 1)];
            hash->next[first + row] = *head;
            *head = first + row;
        }
    }
    return OK;
}

static status_t table_make(struct hash_join *hash, struct error *error)
{
    if (exec__hash_by_number(hash))
        return exec__number_table_make(hash, error);
    status_t status = table_allocate(hash, error);
    return status == OK ? table_fill(hash, error) : status;
}

void exec__hash_table_free(struct hash_join *hash)
{
    exec__join_right_forget(&hash->join);
    exec__collection_free(&hash->rows);
    exec__memory_release(hash->op.exec, hash->charged);
    hash->charged = 0;
    exec__number_table_free(hash);
    mem_free(hash->hashes);
    mem_free(hash->next);
    mem_free(hash->heads);
    hash->hashes = NULL;
    hash->next = hash->heads = NULL;
    hash->state = HASH_BUILD;
}

status_t exec__hash_right_take(struct hash_join *hash, struct batch **batch, struct error *error)
{
    const struct plan *plan = hash->op.plan->right;
    struct exec *exec = hash->op.exec;
    bool whole = hash->source == HASH_WHOLE;
    status_t status = whole ? exec__operator_next(hash->op.right, batch, error)
                            : exec__split_read(&hash->right_reader, exec, batch, error);
    if (status != OK || !*batch)
        return status;
    uint32_t stored = plan->column_count + (whole ? 0 : hash->extra_count);
    for (uint32_t c = 0; c < stored; c++)
        hash->right_vectors[c] = &(*batch)->columns[c];
    if (!whole)
        return OK;
    arena_reset(&hash->scratch);
    for (uint32_t k = 0; k < hash->extra_count && status == OK; k++)
        status =
            exec__eval_column(hash->extra_keys[k], *batch, &hash->right_vectors[stored + k], error);
    return status;
}

/* Collects right rows until there are no more, or more than may be held. */
static status_t rows_load(struct hash_join *hash, bool *fits, struct error *error)
{
    enum { TABLE_ROW = sizeof(uint64_t) + 3 * sizeof(uint32_t) };
    size_t most = exec__work_memory(hash->op.exec);
    *fits = true;
    while (*fits) {
        struct batch *batch;
        status_t status = exec__hash_right_take(hash, &batch, error);
        if (status == OK && batch)
            status = exec__collection_append(&hash->rows, hash->right_vectors, batch->selection,
                                             batch->selected, error);
        if (status != OK || !batch)
            return status;
        *fits = hash->rows.charged + (size_t)hash->rows.row_count * TABLE_ROW <= most;
    }
    return OK;
}

/* The next pass: its table is built, or a part has become several (and nothing is built). */
static status_t build(struct hash_join *hash, struct error *error)
{
    bool fits;
    status_t status = rows_load(hash, &fits, error);
    if (status == OK && !fits && exec__hash_can_split(hash))
        return exec__hash_split(hash, error);
    if (status == OK) {
        if (!fits)
            hash->source = HASH_BLOCK;
        else if (hash->source == HASH_BLOCK)
            hash->source = HASH_BLOCK_LAST;
        hash->pass++;
        hash->state = HASH_PROBE;
        hash->left = NULL;
        status = exec__hash_block_begin(hash, error);
    }
    if (status == OK)
        status = table_make(hash, error);
    if (status == OK)
        status = exec__join_right_ready(&hash->join, hash->rows.row_count, error);
    return status;
}

/* ---- probe --------------------------------------------------------------------------------------
 */

status_t exec__hash_left_take(struct hash_join *hash, struct batch **batch, struct error *error)
{
    struct exec *exec = hash->op.exec;
    status_t status = hash->source == HASH_WHOLE
                          ? exec__operator_next(hash->op.left, batch, error)
                          : exec__split_read(&hash->left_reader, exec, batch, error);
    if (status != OK || !*batch)
        return status;
    arena_reset(&hash->scratch);
    for (uint32_t k = 0; k < hash->key_count && status == OK; k++)
        status = exec__eval_column(hash->left_keys[k], *batch, &hash->left_vectors[k], error);
    return status;
}

status_t exec__hash_left_complete(struct hash_join *hash, const struct batch *left,
                                  struct error *error)
{
    if (!hash->left_hashes)
        hash->left_hashes = arena_alloc(hash->op.exec->arena, BATCH_ROWS_MAX * sizeof(uint64_t));
    exec__hash_rows(hash->left_vectors, hash->key_count, left->selection, left->selected,
                    hash->left_hashes);
    bool whole = hash->source == HASH_WHOLE; /* parts have all columns */
    return exec__late_fill(whole ? hash->late : NULL, left->selection, left->selected, error);
}

static status_t left_begin(struct hash_join *hash, struct error *error)
{
    status_t status = exec__hash_left_take(hash, &hash->left, error);
    if (status != OK || !hash->left)
        return status;
    uint32_t rows = hash->left->selected;
    exec__join_left_batch(&hash->join, rows < EXEC_BATCH_FIRST ? EXEC_BATCH_FIRST : BATCH_ROWS_MAX);
    if (exec__hash_in_blocks(hash))
        exec__hash_block_left_begin(hash);
    hash->left_at = 0;
    hash->left_end = rows;
    hash->chain = HASH_CHAIN_START;
    return hash->by_number.starts ? exec__number_left_begin(hash, error)
                                  : exec__hash_left_complete(hash, hash->left, error);
}

static bool keys_equal(const struct hash_join *hash, uint32_t left_row, uint32_t right_row)
{
    for (uint32_t k = 0; k < hash->key_count; k++) {
        const struct vector *right =
            exec__collection_vector(&hash->rows, hash->key_columns[k], right_row);
        if (!exec__entries_equal(hash->left_vectors[k], left_row, right,
                                 right_row % BATCH_ROWS_MAX))
            return false;
    }
    return true;
}

/* Pairs until there are enough for a batch or the left batch is through. */
static void pairs_fill(struct hash_join *hash)
{
    struct join *join = &hash->join;
    const struct batch *left = hash->left;
    if (hash->by_number.starts) {
        exec__number_pairs_fill(hash);
        return;
    }
    for (; hash->left_at < hash->left_end; hash->left_at++) {
        uint32_t row = batch_row(left, hash->left_at);
        uint64_t code = hash->left_hashes[hash->left_at];
        if (hash->chain == HASH_CHAIN_START)
            hash->chain = exec__hash_any_null(hash->left_vectors, hash->key_count, row)
                              ? EXEC_NO_ROW
                              : hash->heads[code & (hash->head_count - 1)];
        for (; hash->chain != EXEC_NO_ROW && !exec__join_full(join);
             hash->chain = hash->next[hash->chain]) {
            if (hash->hashes[hash->chain] == code && keys_equal(hash, row, hash->chain))
                exec__join_pair(join, row, hash->chain);
            if (exec__join_row_known(join, row)) {
                hash->chain = EXEC_NO_ROW;
                break;
            }
        }
        if (hash->chain != EXEC_NO_ROW || !exec__join_row_end(join, row))
            return;
        hash->chain = HASH_CHAIN_START;
    }
}

/* Joins the left rows with the table. */
static status_t probe(struct hash_join *hash, struct batch **out, struct error *error)
{
    struct exec *exec = hash->op.exec;
    status_t status = OK;
    /* Nothing on the right: only rows without a partner can come. */
    if (hash->rows.row_count == 0 && !hash->join.keep_left)
        return OK;
    bool selects = (hash->join.is_semi || hash->join.is_anti) && !hash->join.condition &&
                   hash->by_number.starts && hash->source == HASH_WHOLE;
    if (selects && hash->state == HASH_PROBE) {
        status = exec__number_select(hash, out, error);
        if (status != OK || *out)
            return status;
        hash->state = HASH_REST;
    }
    while (status == OK && hash->state == HASH_PROBE) {
        if (!hash->left) {
            status = left_begin(hash, error);
            if (status == OK && !hash->left)
                hash->state = HASH_REST;
            continue;
        }
        status = exec__cancel_check(exec, error);
        if (status != OK)
            break;
        pairs_fill(hash);
        status = exec__join_emit(&hash->join, hash->left,
                                 (struct join_right){.collection = &hash->rows}, out, error);
        if (status != OK || *out)
            return status;
        if (hash->left_at == hash->left_end) {
            if (exec__hash_in_blocks(hash))
                exec__hash_block_left_end(hash);
            hash->left = NULL;
        }
    }
    return status == OK
               ? exec__join_right_rest(&hash->join, (struct join_right){.collection = &hash->rows},
                                       hash->rows.row_count, out, error)
               : status;
}

status_t exec__hash_passes_next(struct hash_join *hash, struct batch **out, struct error *error)
{
    while (hash->state != HASH_DONE) {
        status_t status = hash->state == HASH_BUILD ? build(hash, error) : OK;
        bool built = hash->state != HASH_BUILD;
        if (status == OK && built)
            status = probe(hash, out, error);
        if (status != OK || *out)
            return status;
        if (built && !hash->splits) {
            hash->state = HASH_DONE; /* it did fit: the table stays, its text is in what came out */
            return OK;
        }
        bool next_block = built && hash->source == HASH_BLOCK;
        exec__hash_table_free(hash);
        if (!next_block && !exec__hash_part_next(hash))
            hash->state = HASH_DONE;
    }
    return OK;
}

/* Once, by whoever comes first: the first row's asker, or who shares the table with others. */
static status_t first_build(struct hash_join *hash, struct error *error)
{
    if (hash->begun)
        return OK;
    hash->begun = true;
    status_t status = build(hash, error);
    if (status != OK || !hash->splits)
        return status;
    if (!exec__hash_part_next(hash))
        hash->state = HASH_DONE;
    return hash->op.plan->as.join.keeps_order ? exec__hash_ordered_collect(hash, error) : OK;
}

static status_t hash_join_next(struct operator* op, struct batch **out, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)op;
    status_t status = first_build(hash, error);
    if (status == OK && hash->ordered)
        return exec__hash_ordered_next(hash, out, error);
    return status == OK ? exec__hash_passes_next(hash, out, error) : status;
}

status_t exec__hash_join_build(struct operator* op, bool *whole, struct error *error)
{
    struct hash_join *hash = (struct hash_join *)op;
    ASSERT(op->plan->kind == PLAN_HASH_JOIN && !hash->begun);
    struct exec *top = op->exec->top;
    struct operator* above = top->at_work;
    if (above)
        top->at_work = op; /* what it holds and writes is its own */
    status_t status = first_build(hash, error);
    top->at_work = above;
    *whole = status == OK && hash->state == HASH_PROBE && hash->source == HASH_WHOLE;
    return status;
}

void exec__hash_join_go_on(struct operator* op)
{
    struct hash_join *hash = (struct hash_join *)op;
    ASSERT(op->plan->kind == PLAN_HASH_JOIN && !hash->join.keep_right && !hash->splits);
    ASSERT(hash->state != HASH_BUILD);
    hash->state = HASH_PROBE;
    hash->left = NULL;
}

static void hash_join_close(struct operator* op)
{
    struct hash_join *hash = (struct hash_join *)op;
    if (hash->is_shared) {
        hash->rows.exec = NULL;
        hash->by_number = (struct number_table){0};
        hash->hashes = NULL;
        hash->next = hash->heads = NULL;
    }
    exec__hash_spill_close(hash);
    exec__hash_table_free(hash);
    exec__join_free(&hash->join);
    arena_free(&hash->scratch);
}

static const struct operator_ops hash_join_ops = {hash_join_next, hash_join_close};

/* A key that is a column of the right side is not stored twice. */
static status_t keys_open(struct hash_join *hash, struct error *error)
{
    const struct plan *plan = hash->op.plan;
    struct exec *exec = hash->op.exec;
    uint32_t count = plan->as.join.key_count;
    hash->key_count = count;
    hash->key_columns = arena_alloc(exec->arena, count * sizeof *hash->key_columns);
    hash->left_vectors = arena_alloc(exec->arena, count * sizeof *hash->left_vectors);
    struct expr **extra = arena_alloc(exec->arena, count * sizeof(struct expr *));
    for (uint32_t k = 0; k < count; k++) {
        struct expr *key = plan->as.join.right_keys[k];
        ASSERT(key->type == plan->as.join.left_keys[k]->type);
        if (key->kind == EXPR_COLUMN) {
            hash->key_columns[k] = key->index;
        } else {
            hash->key_columns[k] = plan->right->column_count + hash->extra_count;
            extra[hash->extra_count++] = key;
        }
    }
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(exec, plan->right, extra, hash->extra_count, &types, &stable);
    uint32_t columns = plan->right->column_count + hash->extra_count;
    exec__collection_init(&hash->rows, exec, types, stable, columns);
    hash->right_vectors = arena_alloc(exec->arena, (columns + 1) * sizeof *hash->right_vectors);
    status_t status = exec__eval_compile_all(exec, extra, hash->extra_count, &hash->scratch,
                                             &hash->extra_keys, error);
    if (status != OK)
        return status;
    return exec__eval_compile_all(exec, plan->as.join.left_keys, count, &hash->scratch,
                                  &hash->left_keys, error);
}

/* A helper looks its rows up in the table of the operator it helps, which stays as it is. */
static void table_share(struct hash_join *hash)
{
    const struct operator* op = hash->op.exec->leader->opened;
    while (op->plan != hash->op.plan)
        op = op->opened_before;
    const struct hash_join *other = (const struct hash_join *)op;
    ASSERT(other->state != HASH_BUILD && other->op.ops == &hash_join_ops);
    hash->rows = other->rows;
    hash->by_number = other->by_number;
    hash->hashes = other->hashes;
    hash->next = other->next;
    hash->heads = other->heads;
    hash->head_count = other->head_count;
    hash->begun = true;
    hash->state = HASH_PROBE;
    hash->is_shared = true;
}

/* Until it is known which left rows have partners, no more is read of them than their keys. */
static void left_open(struct hash_join *hash)
{
    const struct plan *plan = hash->op.plan;
    struct arena *arena = hash->op.exec->arena;
    if (!exec__hash_by_number(hash))
        return;
    bool *early = arena_zalloc(arena, (plan->left->column_count + 1) * sizeof *early);
    exec__expr_columns(plan->as.join.left_keys[0], early);
    hash->late = exec__late_leave(hash->op.left, early);
    hash->hits = arena_alloc(arena, 3 * BATCH_ROWS_MAX * sizeof *hash->hits);
    hash->hit_from = hash->hits + BATCH_ROWS_MAX;
    hash->hit_to = hash->hit_from + BATCH_ROWS_MAX;
}

status_t exec__hash_join_open(struct exec *exec, const struct plan *plan, struct operator** out,
                              struct error *error)
{
    struct hash_join *hash = exec__operator_create(exec, plan, &hash_join_ops, sizeof *hash);
    *out = &hash->op;
    status_t status = exec__join_init(&hash->join, &hash->op, error);
    if (status == OK)
        status = keys_open(hash, error);
    if (status == OK)
        exec__hash_spill_open(hash);
    if (status == OK)
        status = exec__operator_open(exec, plan->left, &hash->op.left, error);
    if (status == OK)
        left_open(hash);
    if (status == OK && exec->leader)
        table_share(hash);
    else if (status == OK)
        status = exec__operator_open(exec, plan->right, &hash->op.right, error);
    return status;
}
