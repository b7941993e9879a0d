/* A hash join whose right side does not fit into its memory.
 *
 * Both sides are shared out by the hashes of their keys (spill_split.c), so that a row's partners
 * are all in the part of the other side that goes with its own; then each part is joined as if it
 * were the whole, and shared out again if it does not fit either. Rows that equal nothing for a
 * NULL among their keys are put aside only where the join keeps them, anywhere.
 *
 * A part that cannot be shared out, since all its rows have one key or the hash's bits are used up,
 * is joined in blocks: as many right rows as fit, all left rows of the part, then the next right
 * rows. Which left rows have had a partner is remembered from block to block, a bit each, where
 * that matters; those without one come out with the last block.
 *
 * Where an ORDER BY relies on the order of the left rows they are numbered as they are put aside,
 * and what comes of a pass, which is in their order, is written as a sorted run; merging the runs
 * (sort_spill.c) brings all of it in order. */
#include "sql/exec/hash_join_int.h"

#include <string.h>

#include "base/mem.h"

void exec__hash_spill_open(struct hash_join *hash)
{
    const struct plan *plan = hash->op.plan;
    struct arena *arena = hash->op.exec->arena;
    uint32_t columns = plan->left->column_count;
    hash->keeps_left = hash->join.keep_left;
    hash->left_types = arena_alloc(arena, (columns + 1) * sizeof *hash->left_types);
    memcpy(hash->left_types, plan->left->types, columns * sizeof *hash->left_types);
    hash->left_types[columns] = SQL_INTEGER;
    hash->left_columns = arena_alloc(arena, (columns + 1) * sizeof *hash->left_columns);
    hash->left_columns[columns] = &hash->left_number;
}

static void found_free(struct hash_join *hash)
{
    exec__memory_release(hash->op.exec, hash->left_found_size);
    mem_free(hash->left_found);
    hash->left_found = NULL;
    hash->left_found_size = 0;
}

static void part_end(struct hash_join *hash)
{
    exec__split_reader_free(&hash->right_reader);
    exec__split_reader_free(&hash->left_reader);
    found_free(hash);
    hash->source = HASH_WHOLE;
    hash->join.keep_left = hash->keeps_left;
    hash->join.notes_left = false;
}

void exec__hash_spill_close(struct hash_join *hash)
{
    part_end(hash);
    exec__split_free(&hash->splits);
    exec__sort_spill_destroy(hash->ordered);
    hash->ordered = NULL;
    arena_free(&hash->ordered_texts);
}

/* ---- sharing out ------------------------------------------------------------------------------
 */

bool exec__hash_can_split(const struct hash_join *hash)
{
    const struct split *split = hash->splits;
    if (hash->source == HASH_WHOLE)
        return true;
    if (exec__hash_in_blocks(hash) || split->level + 1 == SPLIT_LEVELS)
        return false;
    return exec__split_rows(split, HASH_RIGHT, split->part) <
           exec__split_rows_all(split, HASH_RIGHT);
}

/* Where a row that has no partner goes: to all parts in turn. */
static uint64_t any_part(struct hash_join *hash)
{
    return ++hash->null_count * 0x9e3779b97f4a7c15;
}

/* Right rows of a batch or chunk, their columns in right_vectors. */
static status_t right_put(struct hash_join *hash, const struct batch *batch, struct error *error)
{
    const struct vector **keys = hash->left_vectors; /* no left batch is being joined */
    uint64_t hashes[BATCH_ROWS_MAX];
    status_t status = exec__cancel_check(hash->op.exec, error);
    for (uint32_t k = 0; k < hash->key_count; k++)
        keys[k] = hash->right_vectors[hash->key_columns[k]];
    exec__hash_rows(keys, hash->key_count, batch->selection, batch->selected, hashes);
    for (uint32_t i = 0; i < batch->selected && status == OK; i++) {
        uint32_t row = batch_row(batch, i);
        if (exec__hash_any_null(keys, hash->key_count, row)) {
            if (!hash->join.keep_right)
                continue;
            hashes[i] = any_part(hash);
        }
        status =
            exec__split_put(hash->op.exec, hash->splits, HASH_RIGHT, hash->rows.types,
                            hash->rows.column_count, hash->right_vectors, row, hashes[i], error);
    }
    return status;
}

static status_t right_split(struct hash_join *hash, struct error *error)
{
    status_t status = OK;
    for (uint32_t i = 0; i < hash->rows.chunk_count && status == OK; i++) {
        const struct batch *chunk = hash->rows.chunks[i];
        for (uint32_t c = 0; c < hash->rows.column_count; c++)
            hash->right_vectors[c] = &chunk->columns[c];
        status = right_put(hash, chunk, error);
    }
    exec__hash_table_free(hash);
    while (status == OK) {
        struct batch *batch;
        status = exec__hash_right_take(hash, &batch, error);
        if (status == OK && !batch)
            break;
        if (status == OK)
            status = right_put(hash, batch, error);
    }
    return status == OK ? exec__split_end(hash->splits, HASH_RIGHT, error) : status;
}

/* Numbers the rows of a left batch, when they have no numbers yet. */
static void left_number(struct hash_join *hash, const struct batch *batch)
{
    struct vector *number = &hash->left_number;
    uint32_t columns = hash->op.plan->left->column_count;
    if (hash->source != HASH_WHOLE) {
        hash->left_columns[columns] = &batch->columns[columns];
        return;
    }
    if (number->capacity == 0)
        vector_init(number, hash->op.exec->arena, SQL_INTEGER, BATCH_ROWS_MAX);
    for (uint32_t i = 0; i < batch->selected; i++)
        number->as.integers[batch_row(batch, i)] = hash->left_count++;
    hash->left_columns[columns] = number;
}

static status_t left_put(struct hash_join *hash, const struct batch *batch, struct error *error)
{
    uint32_t columns = hash->op.plan->left->column_count;
    bool numbered = hash->op.plan->as.join.keeps_order;
    status_t status = OK;
    for (uint32_t c = 0; c < columns; c++)
        hash->left_columns[c] = &batch->columns[c];
    if (numbered)
        left_number(hash, batch);
    for (uint32_t i = 0; i < batch->selected && status == OK; i++) {
        uint32_t row = batch_row(batch, i);
        uint64_t code = hash->left_hashes[i];
        if (exec__hash_any_null(hash->left_vectors, hash->key_count, row)) {
            if (!hash->keeps_left)
                continue;
            code = any_part(hash);
        }
        status = exec__split_put(hash->op.exec, hash->splits, HASH_LEFT, hash->left_types,
                                 columns + numbered, hash->left_columns, row, code, error);
    }
    return status;
}

status_t exec__hash_split(struct hash_join *hash, struct error *error)
{
    exec__split_push(&hash->splits);
    status_t status = right_split(hash, error);
    while (status == OK) {
        struct batch *batch;
        status = exec__hash_left_take(hash, &batch, error);
        if (status == OK && !batch)
            break;
        if (status == OK)
            status = exec__hash_left_complete(hash, batch, error);
        if (status == OK)
            status = left_put(hash, batch, error);
    }
    return status == OK ? exec__split_end(hash->splits, HASH_LEFT, error) : status;
}

bool exec__hash_part_next(struct hash_join *hash)
{
    uint32_t left = 1u << HASH_LEFT, right = 1u << HASH_RIGHT;
    uint32_t sides = !hash->join.keep_right ? left : hash->keeps_left ? left | right : right;
    part_end(hash);
    if (!exec__split_next(&hash->splits, sides))
        return false;
    hash->source = HASH_PART;
    exec__split_reader_init(&hash->right_reader, hash->splits, HASH_RIGHT);
    exec__split_reader_init(&hash->left_reader, hash->splits, HASH_LEFT);
    return true;
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

status_t exec__hash_block_begin(struct hash_join *hash, struct error *error)
{
    if (!exec__hash_in_blocks(hash))
        return OK;
    exec__split_reader_free(&hash->left_reader);
    exec__split_reader_init(&hash->left_reader, hash->splits, HASH_LEFT);
    hash->left_place = 0;
    hash->join.keep_left = hash->keeps_left && hash->source == HASH_BLOCK_LAST;
    hash->join.notes_left = hash->keeps_left || hash->join.is_semi;
    if (!hash->join.notes_left || hash->left_found)
        return OK;
    uint64_t rows = exec__split_rows(hash->splits, HASH_LEFT, hash->splits->part);
    size_t size = (size_t)(rows / 64 + 1) * sizeof(uint64_t);
    status_t status = exec__memory_charge(hash->op.exec, size, error);
    hash->left_found_size = size;
    if (status == OK)
        hash->left_found = mem_zalloc(1, size);
    return status;
}

void exec__hash_block_left_begin(struct hash_join *hash)
{
    ASSERT(!hash->left->selection); /* as parts are read */
    for (uint32_t i = 0; hash->left_found && i < hash->left->row_count; i++) {
        uint64_t place = hash->left_place + i;
        uint64_t bit = hash->left_found[place / 64] >> (place % 64) & 1;
        hash->join.left_matched[i / 64] |= bit << (i % 64);
    }
}

void exec__hash_block_left_end(struct hash_join *hash)
{
    for (uint32_t i = 0; hash->left_found && i < hash->left->row_count; i++) {
        uint64_t place = hash->left_place + i;
        uint64_t bit = hash->join.left_matched[i / 64] >> (i % 64) & 1;
        hash->left_found[place / 64] |= bit << (place % 64);
    }
    hash->left_place += hash->left->row_count;
}

/* ---- order ------------------------------------------------------------------------------------
 */

static status_t ordered_create(struct hash_join *hash, struct error *error)
{
    const struct plan *plan = hash->op.plan;
    uint32_t columns = plan->column_count;
    hash->ordered_column = columns;
    hash->ordered_types =
        arena_alloc(hash->op.exec->arena, (columns + 1) * sizeof *hash->ordered_types);
    memcpy(hash->ordered_types, plan->types, columns * sizeof *hash->ordered_types);
    hash->ordered_types[columns] = SQL_INTEGER;
    return exec__sort_spill_create(hash->op.exec, &hash->ordered_key, &hash->ordered_column, 1,
                                   hash->ordered_types, columns + 1, &hash->ordered, error);
}

/* Writes what came out, each row with the number of its left row; the right rows without a partner
 * come after all. */
static status_t ordered_put(struct hash_join *hash, const struct batch *batch, struct value *values,
                            struct error *error)
{
    uint32_t columns = hash->op.plan->column_count;
    uint32_t left_columns = hash->op.plan->left->column_count;
    status_t status = OK;
    for (uint32_t i = 0; i < batch->selected && status == OK; i++) {
        int64_t number = INT64_MAX;
        if (hash->left)
            number = hash->left->columns[left_columns].as.integers[hash->join.left_rows[i]];
        for (uint32_t c = 0; c < columns; c++)
            values[c] = vector_get(&batch->columns[c], i);
        values[columns] = value_integer(number);
        status = exec__sort_spill_put(hash->ordered, values, error);
    }
    return status;
}

status_t exec__hash_ordered_collect(struct hash_join *hash, struct error *error)
{
    uint32_t columns = hash->op.plan->column_count;
    struct value *values = mem_zalloc(columns + 1, sizeof *values);
    status_t status = ordered_create(hash, error);
    uint64_t pass = hash->pass;
    bool any = false;
    while (status == OK) {
        struct batch *batch = NULL;
        status = exec__hash_passes_next(hash, &batch, error);
        if (status == OK && any && (!batch || hash->pass != pass)) {
            status = exec__sort_spill_run_end(hash->ordered, error);
            any = false;
        }
        if (status != OK || !batch)
            break;
        pass = hash->pass;
        any = true;
        status = ordered_put(hash, batch, values, error);
    }
    mem_free(values);
    return status == OK ? exec__sort_spill_merge(hash->ordered, error) : status;
}

status_t exec__hash_ordered_next(struct hash_join *hash, struct batch **out, struct error *error)
{
    const struct plan *plan = hash->op.plan;
    struct exec *exec = hash->op.exec;
    exec__batch_prepare(exec, &hash->ordered_out, plan->types, plan->column_count,
                        exec->batch_rows);
    arena_reset(&hash->ordered_texts);
    struct batch *batch = hash->ordered_out;
    bool found = true;
    while (found && batch->row_count < exec->batch_rows) {
        status_t status =
            exec__sort_spill_row(hash->ordered, batch, &hash->ordered_texts, &found, error);
        if (status != OK)
            return status;
    }
    batch->selected = batch->row_count;
    *out = batch->row_count > 0 ? batch : NULL;
    return OK;
}
