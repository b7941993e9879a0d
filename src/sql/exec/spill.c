/* Rows put aside in a file, and read back.
 *
 * A spill file belongs to one operator, lies in the context's spill directory and is removed when
 * it is closed; what a crash leaves behind is removed when the engine is given the directory again.
 * It is a sequence of rows, each a size (4 bytes, little-endian) and a row as row_encode makes it
 * with the columns' places for ordinals. Several parts of it may be read at the same time. */
#include "sql/exec/spill_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_MIN = 1 << 11, BLOCK_MAX = 1 << 16, BLOCKS = 32, WORK_SHARE = 4, ROW_HEAD = 4 };

struct spill {
    struct exec *exec;
    struct arena arena;
    struct env_file *file;
    char *path;
    uint64_t size; /* written, what is in `pending` not counted */
    struct buffer pending;
    size_t block;
    uint32_t column_count;
    const enum sql_type *types;
    struct value *values; /* of one row */
    struct row_shape shape;
};

/* ---- how much ---------------------------------------------------------------------------------
 */

/* Of what the statement may hold an operator takes at most a share: the others need some, too. */
size_t exec__work_memory(const struct exec *exec)
{
    const struct exec *top = exec->top;
    size_t share = top->memory_budget / WORK_SHARE;
    size_t wished = top->context.work_memory;
    if (!top->context.spill_directory)
        return SIZE_MAX;
    return wished > 0 && wished < share ? wished : share;
}

size_t exec__spill_block(const struct exec *exec)
{
    size_t block = exec__work_memory(exec) / BLOCKS;
    ASSERT(exec->top->context.spill_directory);
    return block < BLOCK_MIN ? BLOCK_MIN : block > BLOCK_MAX ? BLOCK_MAX : block;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static void shape_init(struct spill *spill, const enum sql_type *types, uint32_t column_count)
{
    uint32_t *ordinals = arena_alloc(&spill->arena, (column_count + 1) * sizeof *ordinals);
    struct value *missing = arena_alloc(&spill->arena, (column_count + 1) * sizeof *missing);
    for (uint32_t i = 0; i < column_count; i++) {
        ordinals[i] = i;
        missing[i] = value_null(types[i]);
    }
    spill->types = types;
    spill->column_count = column_count;
    spill->shape = (struct row_shape){
        .ordinals = ordinals, .types = types, .missing = missing, .count = column_count};
    spill->values = arena_alloc(&spill->arena, (column_count + 1) * sizeof *spill->values);
}

status_t exec__spill_create(struct exec *exec, const enum sql_type *types, uint32_t column_count,
                            struct spill **out, struct error *error)
{
    const struct exec_context *context = &exec->top->context;
    ASSERT(context->spill_directory && context->spill_next);
    struct spill *spill = mem_zalloc(1, sizeof *spill);
    size_t size = strlen(context->spill_directory) + 32;
    *out = spill;
    spill->exec = exec;
    spill->block = exec__spill_block(exec);
    spill->path = arena_alloc(&spill->arena, size);
    (void)snprintf(spill->path, size, "%s/%" PRIu64, context->spill_directory,
                   (uint64_t)atomic_fetch_add(context->spill_next, 1));
    shape_init(spill, types, column_count);
    /* From now on texts of rows move when their operator goes on to other ones. */
    exec->top->put_aside = true;
    status_t status = exec__memory_charge(exec, spill->block, error);
    if (status != OK)
        return status;
    return env_file_open(context->env, spill->path, ENV_OPEN_CREATE, &spill->file, error);
}

void exec__spill_destroy(struct spill *spill)
{
    if (!spill)
        return;
    struct error ignored;
    if (spill->file) {
        env_file_close(spill->file);
        /* A file that stays is removed when the node starts again. */
        MAYBE(env_file_remove(spill->exec->top->context.env, spill->path, &ignored) != OK);
    }
    exec__memory_release(spill->exec, spill->block);
    buffer_free(&spill->pending);
    arena_free(&spill->arena);
    mem_free(spill);
}

uint32_t exec__spill_columns(const struct spill *spill)
{
    return spill->column_count;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

status_t exec__spill_append(struct spill *spill, struct slice rows, uint64_t *from,
                            struct error *error)
{
    ASSERT(spill->pending.size == 0);
    *from = spill->size;
    status_t status = exec__cancel_check(spill->exec, error);
    if (status == OK)
        status = env_file_write(spill->file, spill->size, rows.data, rows.size, error);
    spill->size += rows.size;
    struct operator* op = spill->exec->top->at_work;
    if (op)
        op->figures.spilled += rows.size;
    return status;
}

static status_t flush(struct spill *spill, struct error *error)
{
    struct buffer pending = spill->pending;
    uint64_t from;
    spill->pending = (struct buffer){0};
    status_t status = exec__spill_append(spill, buffer_slice(&pending), &from, error);
    buffer_reset(&pending);
    spill->pending = pending;
    return status;
}

status_t exec__spill_encode(struct buffer *out, const struct value *values, uint32_t count,
                            struct error *error)
{
    uint8_t head[ROW_HEAD] = {0};
    size_t start = out->size;
    buffer_append(out, head, sizeof head);
    row_encode(out, values, count);
    if (out->failed)
        return error_set(error, ERR_NOMEM, "out of memory: a row is too long to be put aside");
    put_u32_le(out->data + start, (uint32_t)(out->size - start - ROW_HEAD));
    return OK;
}

status_t exec__spill_put(struct spill *spill, const struct value *values, struct error *error)
{
    status_t status = exec__spill_encode(&spill->pending, values, spill->column_count, error);
    if (status != OK)
        return status;
    return spill->pending.size >= spill->block ? flush(spill, error) : OK;
}

status_t exec__spill_put_row(struct spill *spill, const struct collection *collection, uint32_t row,
                             struct error *error)
{
    ASSERT(collection->column_count == spill->column_count);
    for (uint32_t c = 0; c < spill->column_count; c++)
        spill->values[c] = exec__collection_value(collection, c, row);
    return exec__spill_put(spill, spill->values, error);
}

status_t exec__spill_end(struct spill *spill, uint64_t *size, struct error *error)
{
    status_t status = spill->pending.size > 0 ? flush(spill, error) : OK;
    *size = spill->size;
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static status_t damaged(struct error *error)
{
    return error_set(error, ERR_CORRUPT, "a file of rows put aside is damaged");
}

status_t exec__spill_read(const struct spill *spill, uint64_t from, uint64_t to,
                          struct buffer *bytes, struct error *error)
{
    ASSERT(from <= to);
    size_t size = (size_t)(to - from);
    size_t got = 0;
    status_t status = buffer_reserve(bytes, size);
    if (status == OK)
        status = env_file_read(spill->file, from, bytes->data + bytes->size, size, &got, error);
    if (status != OK)
        return status;
    bytes->size += got;
    return got < size ? damaged(error) : OK;
}

/* The row at `at` as it was encoded; *at then is behind it. */
static status_t row_take(struct slice bytes, size_t *at, struct slice *row, struct error *error)
{
    if (bytes.size - *at < ROW_HEAD)
        return damaged(error);
    size_t size = get_u32_le(bytes.data + *at);
    if (bytes.size - *at - ROW_HEAD < size)
        return damaged(error);
    *row = slice_make(bytes.data + *at + ROW_HEAD, size);
    *at += ROW_HEAD + size;
    return OK;
}

status_t exec__spill_decode(const struct spill *spill, struct slice bytes, size_t *at,
                            struct vector **targets, uint32_t row, struct error *error)
{
    struct slice encoded;
    status_t status = row_take(bytes, at, &encoded, error);
    if (status != OK || spill->column_count == 0)
        return status;
    return row_decode(encoded, &spill->shape, targets, row) == OK ? OK : damaged(error);
}

status_t exec__spill_decode_many(const struct spill *spill, struct slice bytes, size_t *at,
                                 struct vector **targets, uint32_t most, uint32_t *count,
                                 struct error *error)
{
    struct slice rows[BATCH_ROWS_MAX];
    ASSERT(most <= BATCH_ROWS_MAX && *at <= bytes.size);
    for (*count = 0; *count < most && *at < bytes.size; (*count)++) {
        status_t status = row_take(bytes, at, &rows[*count], error);
        if (status != OK)
            return status;
    }
    if (*count == 0 || spill->column_count == 0)
        return OK;
    status_t status = row_decode_many(rows, sizeof *rows, *count, &spill->shape, targets, 0);
    return status == OK ? OK : damaged(error);
}

void exec__spill_reader_init(struct spill_reader *reader, struct spill *spill, uint64_t from,
                             uint64_t to)
{
    *reader = (struct spill_reader){
        .spill = spill, .next = from, .end = to, .block = exec__spill_block(spill->exec)};
    reader->row = batch_create(&reader->arena, spill->types, spill->column_count, 1);
    reader->targets =
        arena_alloc(&reader->arena, (spill->column_count + 1) * sizeof(struct vector *));
    for (uint32_t c = 0; c < spill->column_count; c++)
        reader->targets[c] = &reader->row->columns[c];
}

void exec__spill_reader_free(struct spill_reader *reader)
{
    buffer_free(&reader->bytes);
    arena_free(&reader->arena);
}

/* At least `size` unread bytes in the buffer. */
static status_t need(struct spill_reader *reader, size_t size, struct error *error)
{
    size_t left = reader->bytes.size - reader->at;
    if (left >= size)
        return OK;
    buffer_consume(&reader->bytes, reader->at);
    reader->at = 0;
    uint64_t rest = reader->end - reader->next;
    size_t want = size - left > reader->block ? size - left : reader->block;
    if (want > rest)
        want = (size_t)rest;
    if (left + want < size)
        return damaged(error);
    status_t status =
        exec__spill_read(reader->spill, reader->next, reader->next + want, &reader->bytes, error);
    reader->next += want;
    return status;
}

status_t exec__spill_next(struct spill_reader *reader, bool *found, struct error *error)
{
    *found = reader->at < reader->bytes.size || reader->next < reader->end;
    if (!*found)
        return OK;
    status_t status = need(reader, ROW_HEAD, error);
    if (status != OK)
        return status;
    status = need(reader, ROW_HEAD + get_u32_le(reader->bytes.data + reader->at), error);
    if (status != OK)
        return status;
    batch_reset(reader->row);
    status = exec__spill_decode(reader->spill, buffer_slice(&reader->bytes), &reader->at,
                                reader->targets, 0, error);
    reader->row->row_count = reader->row->selected = 1;
    return status;
}
