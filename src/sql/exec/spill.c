/* Rows put aside in a file, and read back in the order they were written.
 *
 * A spill file belongs to one operator, lies in the context's spill directory and is removed when
 * it is closed; what a crash leaves behind is removed when the engine is given the directory again.
 * It is a sequence of rows, each a size (4 bytes, little-endian) and a row as row_encode makes it
 * with the columns' places for ordinals. Several runs may be read from it at the same time. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sql/exec/exec_int.h"

enum { WRITE_SIZE = 1 << 16, READ_SIZE = 1 << 14, ROW_HEAD = 4 };

struct spill {
    struct exec *exec;
    struct env_file *file;
    char *path;
    uint64_t size; /* written, what is in `pending` not counted */
    struct buffer pending;
    const enum sql_type *types;
    uint32_t column_count;
    struct value *values; /* of one row */
    struct row_shape shape;
};

status_t exec__spill_create(struct exec *exec, const enum sql_type *types, uint32_t column_count,
                            struct spill **out, struct error *error)
{
    const struct exec_context *context = &exec->top->context;
    ASSERT(context->spill_directory && context->spill_next);
    struct spill *spill = mem_zalloc(1, sizeof *spill);
    size_t size = strlen(context->spill_directory) + 32;
    spill->exec = exec;
    spill->types = types;
    spill->column_count = column_count;
    spill->path = mem_alloc(size);
    (void)snprintf(spill->path, size, "%s/%" PRIu64, context->spill_directory,
                   (uint64_t)atomic_fetch_add(context->spill_next, 1));
    uint32_t *ordinals = arena_alloc(exec->arena, (column_count + 1) * sizeof *ordinals);
    struct value *missing = arena_alloc(exec->arena, (column_count + 1) * sizeof *missing);
    for (uint32_t i = 0; i < column_count; i++) {
        ordinals[i] = i;
        missing[i] = value_null(types[i]);
    }
    spill->shape = (struct row_shape){
        .ordinals = ordinals, .types = types, .missing = missing, .count = column_count};
    spill->values = arena_alloc(exec->arena, (column_count + 1) * sizeof *spill->values);
    status_t status =
        env_file_open(context->env, spill->path, ENV_OPEN_CREATE, &spill->file, error);
    *out = spill;
    return status;
}

void exec__spill_destroy(struct spill *spill)
{
    if (!spill)
        return;
    struct error ignored;
    env_file_close(spill->file);
    /* A file that stays is removed when the node starts again. */
    MAYBE(env_file_remove(spill->exec->top->context.env, spill->path, &ignored) != OK);
    buffer_free(&spill->pending);
    mem_free(spill->path);
    mem_free(spill);
}

uint32_t exec__spill_columns(const struct spill *spill)
{
    return spill->column_count;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static status_t flush(struct spill *spill, struct error *error)
{
    status_t status =
        env_file_write(spill->file, spill->size, spill->pending.data, spill->pending.size, error);
    spill->size += spill->pending.size;
    buffer_reset(&spill->pending);
    return status;
}

status_t exec__spill_put(struct spill *spill, const struct value *values, struct error *error)
{
    uint8_t head[ROW_HEAD] = {0};
    size_t start = spill->pending.size;
    buffer_append(&spill->pending, head, sizeof head);
    row_encode(&spill->pending, values, spill->column_count);
    put_u32_le(spill->pending.data + start, (uint32_t)(spill->pending.size - start - ROW_HEAD));
    return spill->pending.size >= WRITE_SIZE ? flush(spill, error) : OK;
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
    status_t status = flush(spill, error);
    *size = spill->size;
    return status;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

void exec__spill_reader_init(struct spill_reader *reader, struct spill *spill, uint64_t from,
                             uint64_t to)
{
    *reader = (struct spill_reader){.spill = spill, .next = from, .end = to};
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
    size_t want = size - left > READ_SIZE ? size - left : READ_SIZE;
    if (want > rest)
        want = (size_t)rest;
    if (left + want < size)
        return error_set(error, ERR_CORRUPT, "a file of rows put aside is damaged");
    status_t status = buffer_reserve(&reader->bytes, want);
    size_t got = 0;
    if (status == OK)
        status = env_file_read(reader->spill->file, reader->next,
                               reader->bytes.data + reader->bytes.size, want, &got, error);
    if (status != OK)
        return status;
    if (got < want)
        return error_set(error, ERR_CORRUPT, "a file of rows put aside is damaged");
    reader->bytes.size += want;
    reader->next += want;
    return OK;
}

status_t exec__spill_next(struct spill_reader *reader, bool *found, struct error *error)
{
    *found = reader->at < reader->bytes.size || reader->next < reader->end;
    if (!*found)
        return OK;
    status_t status = need(reader, ROW_HEAD, error);
    if (status != OK)
        return status;
    size_t size = get_u32_le(reader->bytes.data + reader->at);
    status = need(reader, ROW_HEAD + size, error);
    if (status != OK)
        return status;
    batch_reset(reader->row);
    struct slice row = slice_make(reader->bytes.data + reader->at + ROW_HEAD, size);
    if (reader->spill->column_count > 0 &&
        row_decode(row, &reader->spill->shape, reader->targets, 0) != OK)
        return error_set(error, ERR_CORRUPT, "a file of rows put aside is damaged");
    reader->row->row_count = reader->row->selected = 1;
    reader->at += ROW_HEAD + size;
    return OK;
}
