/* Rows shared out by the hashes of their keys: what a hash join, an aggregation, DISTINCT and set
 * operations do when their tables would hold too much (the hybrid hash of DeWitt, Katz, Olken,
 * Shapiro, Stonebraker, Wood, "Implementation techniques for main memory database systems", 1984).
 *
 * Rows with equal keys have equal hashes and so land in the same part; two inputs split alike meet
 * part by part. A part that is still too large is split again by the next bits of the hash, which
 * makes a stack: the newest split is worked off first, so no more than SPLIT_LEVELS files a side
 * are there at any time, and each is removed with its last part.
 *
 * A side is one file. Each part gathers its rows in a block; a full block is written where the file
 * ends, and the part remembers the extent. A row lies within one extent, so a reader needs to hold
 * no more than that. */
#include "sql/exec/spill_int.h"

#include <string.h>

#include "base/mem.h"

struct extent {
    uint64_t from;
    uint64_t to;
};

struct part {
    struct buffer pending;
    struct extent *extents;
    uint32_t extent_count;
    uint32_t extent_capacity;
    uint64_t rows;
};

struct split_side {
    struct exec *exec;
    struct spill *spill;
    const enum sql_type *types;
    uint32_t column_count;
    struct value *values; /* of one row */
    size_t block;
    size_t charged;
    bool ended;
    struct part parts[SPLIT_PARTS];
};

/* ---- sides ------------------------------------------------------------------------------------
 */

static status_t side_create(struct exec *exec, const enum sql_type *types, uint32_t column_count,
                            struct split_side **out, struct error *error)
{
    struct split_side *side = mem_zalloc(1, sizeof *side);
    *out = side;
    *side = (struct split_side){.exec = exec, .types = types, .column_count = column_count};
    side->values = mem_zalloc(column_count + 1, sizeof *side->values);
    side->block = exec__spill_block(exec);
    side->charged = SPLIT_PARTS * side->block;
    status_t status = exec__memory_charge(exec, side->charged, error);
    return status == OK ? exec__spill_create(exec, types, column_count, &side->spill, error)
                        : status;
}

static void pending_free(struct split_side *side)
{
    for (uint32_t p = 0; p < SPLIT_PARTS; p++)
        buffer_free(&side->parts[p].pending);
    exec__memory_release(side->exec, side->charged);
    side->charged = 0;
}

static void side_destroy(struct split_side *side)
{
    if (!side)
        return;
    pending_free(side);
    for (uint32_t p = 0; p < SPLIT_PARTS; p++)
        mem_free(side->parts[p].extents);
    exec__spill_destroy(side->spill);
    mem_free(side->values);
    mem_free(side);
}

static status_t flush(struct split_side *side, struct part *part, struct error *error)
{
    struct extent extent = {0};
    status_t status =
        exec__spill_append(side->spill, buffer_slice(&part->pending), &extent.from, error);
    extent.to = extent.from + part->pending.size;
    part->extents = vec_grow(part->extents, &part->extent_capacity, part->extent_count + 1,
                             sizeof *part->extents);
    part->extents[part->extent_count++] = extent;
    /* One row may have been far larger than a block. */
    if (part->pending.size > 2 * side->block)
        buffer_free(&part->pending);
    buffer_reset(&part->pending);
    return status;
}

/* ---- splits -----------------------------------------------------------------------------------
 */

void exec__split_push(struct split **stack)
{
    struct split *split = mem_zalloc(1, sizeof *split);
    split->above = *stack;
    split->level = *stack ? (*stack)->level + 1 : 0;
    split->part = UINT32_MAX;
    ASSERT(split->level < SPLIT_LEVELS);
    *stack = split;
}

bool exec__split_when_full(struct split **stack, const struct exec *exec, size_t memory)
{
    bool can_split = !*stack || (*stack)->level + 1 < SPLIT_LEVELS;
    bool full = can_split && memory > exec__work_memory(exec);
    if (full)
        exec__split_push(stack);
    return full;
}

/* A part that is split again is none any more. */
static void parts_count(const struct exec *exec, const struct split *split)
{
    struct operator* op = exec->top->at_work;
    if (op && !split->sides[0] && !split->sides[1])
        op->figures.parts += split->above ? SPLIT_PARTS - 1 : SPLIT_PARTS;
}

static void pop(struct split **stack)
{
    struct split *split = *stack;
    *stack = split->above;
    side_destroy(split->sides[0]);
    side_destroy(split->sides[1]);
    mem_free(split);
}

void exec__split_free(struct split **stack)
{
    while (*stack)
        pop(stack);
}

status_t exec__split_put(struct exec *exec, struct split *split, uint32_t side_number,
                         const enum sql_type *types, uint32_t column_count,
                         const struct vector *const *columns, uint32_t row, uint64_t hash,
                         struct error *error)
{
    ASSERT(side_number < 2 && split->part == UINT32_MAX);
    struct split_side **side = &split->sides[side_number];
    status_t status = OK;
    if (!*side)
        parts_count(exec, split);
    if (!*side)
        status = side_create(exec, types, column_count, side, error);
    if (status != OK)
        return status;
    ASSERT(!(*side)->ended && (*side)->column_count == column_count);
    struct part *part = &(*side)->parts[hash >> (60 - 4 * split->level) & (SPLIT_PARTS - 1)];
    for (uint32_t c = 0; c < column_count; c++)
        (*side)->values[c] = vector_get(columns[c], row);
    status = exec__spill_encode(&part->pending, (*side)->values, column_count, error);
    if (status != OK)
        return status;
    part->rows++;
    return part->pending.size >= (*side)->block ? flush(*side, part, error) : OK;
}

status_t exec__split_end(struct split *split, uint32_t side_number, struct error *error)
{
    struct split_side *side = split->sides[side_number];
    status_t status = OK;
    if (!side || side->ended)
        return OK;
    side->ended = true;
    for (uint32_t p = 0; p < SPLIT_PARTS && status == OK; p++) {
        if (side->parts[p].pending.size > 0)
            status = flush(side, &side->parts[p], error);
    }
    pending_free(side);
    return status;
}

uint64_t exec__split_rows(const struct split *split, uint32_t side, uint32_t part)
{
    ASSERT(side < 2 && part < SPLIT_PARTS);
    return split->sides[side] ? split->sides[side]->parts[part].rows : 0;
}

uint64_t exec__split_rows_all(const struct split *split, uint32_t side)
{
    uint64_t rows = 0;
    for (uint32_t p = 0; p < SPLIT_PARTS; p++)
        rows += exec__split_rows(split, side, p);
    return rows;
}

bool exec__split_next(struct split **stack, uint32_t sides)
{
    ASSERT(sides >= 1 && sides <= 3);
    while (*stack) {
        struct split *split = *stack;
        ASSERT(!split->sides[0] || split->sides[0]->ended);
        ASSERT(!split->sides[1] || split->sides[1]->ended);
        for (split->part++; split->part < SPLIT_PARTS; split->part++) {
            if (((sides & 1) && exec__split_rows(split, 0, split->part) > 0) ||
                ((sides & 2) && exec__split_rows(split, 1, split->part) > 0))
                return true;
        }
        pop(stack);
    }
    return false;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

void exec__split_reader_init(struct split_reader *reader, const struct split *split, uint32_t side)
{
    ASSERT(split->part < SPLIT_PARTS);
    *reader = (struct split_reader){.side = split->sides[side], .part = split->part};
}

void exec__split_reader_free(struct split_reader *reader)
{
    buffer_free(&reader->bytes);
    arena_free(&reader->arena);
    *reader = (struct split_reader){0};
}

static void rows_create(struct split_reader *reader, const struct exec *exec)
{
    uint32_t count = reader->side->column_count;
    reader->rows = batch_create(&reader->arena, reader->side->types, count, exec->batch_rows);
    reader->targets = arena_alloc(&reader->arena, (count + 1) * sizeof(struct vector *));
    for (uint32_t c = 0; c < count; c++)
        reader->targets[c] = &reader->rows->columns[c];
}

status_t exec__split_read(struct split_reader *reader, struct exec *exec, struct batch **batch,
                          struct error *error)
{
    *batch = NULL;
    if (!reader->side)
        return OK;
    const struct part *part = &reader->side->parts[reader->part];
    status_t status = exec__cancel_check(exec, error);
    ASSERT(reader->side->ended);
    if (status == OK && reader->at == reader->bytes.size) {
        if (reader->extent == part->extent_count)
            return OK;
        const struct extent *extent = &part->extents[reader->extent++];
        buffer_reset(&reader->bytes);
        reader->at = 0;
        status =
            exec__spill_read(reader->side->spill, extent->from, extent->to, &reader->bytes, error);
    }
    if (!reader->rows)
        rows_create(reader, exec);
    struct batch *rows = reader->rows;
    batch_reset(rows);
    if (status == OK)
        status =
            exec__spill_decode_many(reader->side->spill, buffer_slice(&reader->bytes), &reader->at,
                                    reader->targets, exec->batch_rows, &rows->row_count, error);
    rows->selected = rows->row_count;
    *batch = status == OK ? rows : NULL;
    return status;
}
