/* Vectors copied and gathered, and collections: rows kept as columns in chunks.
 *
 * All chunks but the last hold BATCH_ROWS_MAX rows, so that a row's number gives its chunk and its
 * place. The first chunk starts as small as what is put into it and grows, since most statements
 * collect few rows. */
#include "sql/exec/exec_int.h"

#include <string.h>

uint32_t exec__capacity(const struct exec *exec, uint32_t rows)
{
    (void)exec;
    ASSERT(rows <= BATCH_ROWS_MAX);
    if (rows <= 1)
        return 1;
    return rows <= EXEC_BATCH_FIRST ? EXEC_BATCH_FIRST : BATCH_ROWS_MAX;
}

void exec__vector_null_all(struct vector *vector, uint32_t rows)
{
    ASSERT(rows <= vector->capacity);
    for (uint32_t i = 0; i < rows; i++)
        vector_set_null(vector, i);
}

static void gather_values(struct vector *dst, uint32_t at, const struct vector *src,
                          const uint32_t *rows, uint32_t count)
{
    switch (type_storage(dst->type)) {
    case SQL_BOOLEAN: {
        const uint8_t *from = (const uint8_t *)src->as.booleans;
        uint8_t *to = (uint8_t *)dst->as.booleans + at;
        for (uint32_t i = 0; i < count; i++)
            to[i] = from[rows ? rows[i] : i];
        break;
    }
    case SQL_INTEGER:
    case SQL_DOUBLE: {
        const int64_t *from = src->as.integers;
        int64_t *to = dst->as.integers + at;
        if (!rows)
            memcpy(to, from, count * sizeof *to);
        else
            for (uint32_t i = 0; i < count; i++)
                to[i] = from[rows[i]];
        break;
    }
    case SQL_TEXT: {
        const struct slice *from = src->as.texts;
        struct slice *to = dst->as.texts + at;
        for (uint32_t i = 0; i < count; i++)
            to[i] = from[rows ? rows[i] : i];
        break;
    }
    case SQL_UNKNOWN:
        break; /* NULLs only */
    default:
        for (uint32_t i = 0; i < count; i++)
            exec__entry_copy(dst, at + i, src, rows ? rows[i] : i);
        break;
    }
}

void exec__vector_gather(struct vector *dst, uint32_t at, const struct vector *src,
                         const uint32_t *rows, uint32_t count)
{
    ASSERT(dst->type == src->type);
    ASSERT(at + count <= dst->capacity);
    gather_values(dst, at, src, rows, count);
    if (!src->has_nulls)
        return;
    for (uint32_t i = 0; i < count; i++) {
        if (vector_is_null(src, rows ? rows[i] : i))
            vector_set_null(dst, at + i);
    }
}

void exec__vector_scatter(struct vector *dst, const struct vector *src, bool constant,
                          const struct batch *in)
{
    ASSERT(dst->type == src->type);
    ASSERT(in->row_count <= dst->capacity);
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        uint32_t from = constant ? 0 : row;
        if (vector_is_null(src, from)) {
            vector_set_null(dst, row);
            continue;
        }
        exec__entry_copy(dst, row, src, from);
    }
}

void exec__batch_prepare(struct exec *exec, struct batch **batch, const enum sql_type *types,
                         uint32_t column_count, uint32_t rows)
{
    uint32_t have = 0;
    if (*batch)
        have = column_count ? (*batch)->columns[0].capacity : BATCH_ROWS_MAX;
    if (have >= rows)
        batch_reset(*batch);
    else
        *batch = batch_create(exec->arena, types, column_count, exec__capacity(exec, rows));
    ASSERT((*batch)->column_count == column_count);
}

/* ---- collections -------------------------------------------------------------------------------
 */

void exec__collection_init(struct collection *collection, struct exec *exec,
                           const enum sql_type *types, const bool *stable, uint32_t column_count)
{
    ASSERT(types || column_count == 0);
    *collection = (struct collection){
        .exec = exec, .types = types, .stable = stable, .column_count = column_count};
}

void exec__collection_free(struct collection *collection)
{
    if (!collection->exec)
        return; /* never begun */
    exec__memory_release(collection->exec, collection->charged);
    arena_free(&collection->arena);
    *collection = (struct collection){.exec = collection->exec,
                                      .types = collection->types,
                                      .stable = collection->stable,
                                      .column_count = collection->column_count};
}

static struct batch *chunk_add(struct collection *collection, uint32_t rows)
{
    if (collection->chunk_count == collection->chunk_capacity)
        collection->chunks =
            arena_grow(&collection->arena, collection->chunks, &collection->chunk_capacity,
                       collection->chunk_count + 1, sizeof *collection->chunks);
    uint32_t capacity = collection->chunk_count > 0 || rows > EXEC_BATCH_FIRST ? BATCH_ROWS_MAX
                        : rows > 4                                             ? EXEC_BATCH_FIRST
                                                                               : rows;
    struct batch *chunk =
        batch_create(&collection->arena, collection->types, collection->column_count, capacity);
    collection->chunks[collection->chunk_count++] = chunk;
    return chunk;
}

/* The only, full, small chunk is moved into a larger one. */
static void chunk_widen(struct collection *collection, uint32_t rows)
{
    ASSERT(collection->chunk_count == 1);
    struct batch *old = collection->chunks[0];
    uint32_t needed = old->row_count + rows;
    uint32_t capacity = needed <= EXEC_BATCH_FIRST       ? EXEC_BATCH_FIRST
                        : needed <= 4 * EXEC_BATCH_FIRST ? 4 * EXEC_BATCH_FIRST
                                                         : BATCH_ROWS_MAX;
    struct batch *wide =
        batch_create(&collection->arena, collection->types, collection->column_count, capacity);
    for (uint32_t c = 0; c < collection->column_count; c++)
        exec__vector_gather(&wide->columns[c], 0, &old->columns[c], NULL, old->row_count);
    wide->row_count = wide->selected = old->row_count;
    collection->chunks[0] = wide;
}

/* The chunk to append to, with some room. */
static struct batch *chunk_open(struct collection *collection, uint32_t rows, uint32_t *room)
{
    uint32_t fill = collection->row_count % BATCH_ROWS_MAX;
    if (collection->row_count == 0 ||
        (fill == 0 && collection->chunk_count * BATCH_ROWS_MAX == collection->row_count))
        chunk_add(collection, rows);
    struct batch *chunk = collection->chunks[collection->chunk_count - 1];
    uint32_t capacity = collection->column_count ? chunk->columns[0].capacity : BATCH_ROWS_MAX;
    if (chunk->row_count == capacity) {
        chunk_widen(collection, rows);
        chunk = collection->chunks[0];
        capacity = chunk->columns[0].capacity;
    }
    *room = capacity - chunk->row_count;
    ASSERT(*room > 0);
    return chunk;
}

static void text_keep(struct arena *arena, struct vector *vector, uint32_t at, uint32_t count)
{
    for (uint32_t i = at; i < at + count; i++) {
        if (vector->as.texts[i].size > 0 && !vector_is_null(vector, i))
            vector->as.texts[i] = arena_copy(arena, vector->as.texts[i]);
    }
}

status_t exec__collection_append(struct collection *collection, const struct vector *const *columns,
                                 const uint32_t *rows, uint32_t count, struct error *error)
{
    uint32_t done = 0;
    bool moves = !collection->stable || collection->exec->top->put_aside;
    if (collection->row_count > EXEC_NO_ROW - 2 - count)
        return error_set(error, ERR_NOMEM, "out of memory: too many rows to hold");
    while (done < count) {
        uint32_t room;
        struct batch *chunk = chunk_open(collection, count - done, &room);
        uint32_t take = count - done < room ? count - done : room;
        uint32_t at = chunk->row_count;
        for (uint32_t c = 0; c < collection->column_count; c++) {
            struct vector *dst = &chunk->columns[c];
            if (rows)
                exec__vector_gather(dst, at, columns[c], rows + done, take);
            else if (done == 0)
                exec__vector_gather(dst, at, columns[c], NULL, take);
            else
                for (uint32_t i = 0; i < take; i++)
                    exec__vector_gather(dst, at + i, columns[c], &(uint32_t){done + i}, 1);
            if (type_is_slice(dst->type) && (moves || !collection->stable[c]))
                text_keep(&collection->arena, dst, at, take);
        }
        chunk->row_count += take;
        chunk->selected = chunk->row_count;
        collection->row_count += take;
        done += take;
    }
    size_t grown = collection->arena.used - collection->charged;
    collection->charged = collection->arena.used;
    return exec__memory_charge(collection->exec, grown, error);
}

void exec__collection_gather(const struct collection *collection, uint32_t column,
                             const uint32_t *rows, uint32_t count, struct vector *dst, uint32_t at)
{
    ASSERT(column < collection->column_count);
    ASSERT(at + count <= dst->capacity);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i] == EXEC_NO_ROW) {
            vector_set_null(dst, at + i);
            continue;
        }
        const struct vector *src = exec__collection_vector(collection, column, rows[i]);
        uint32_t row = rows[i] % BATCH_ROWS_MAX;
        if (vector_is_null(src, row)) {
            vector_set_null(dst, at + i);
            continue;
        }
        exec__entry_copy(dst, at + i, src, row);
    }
}

status_t exec__collection_append_batch(struct collection *collection, const struct batch *batch,
                                       struct error *error)
{
    ASSERT(batch->column_count >= collection->column_count);
    struct arena *arena = &collection->arena;
    if (!collection->sources)
        collection->sources =
            arena_alloc(arena, (collection->column_count + 1) * sizeof *collection->sources);
    for (uint32_t c = 0; c < collection->column_count; c++)
        collection->sources[c] = &batch->columns[c];
    return exec__collection_append(collection, collection->sources, batch->selection,
                                   batch->selected, error);
}

uint32_t exec__collection_batch(const struct collection *collection, struct exec *exec,
                                const struct plan *plan, uint32_t row, struct batch **batch)
{
    ASSERT(row < collection->row_count);
    uint32_t rows[BATCH_ROWS_MAX];
    uint32_t count = collection->row_count - row;
    count = count < exec->batch_rows ? count : exec->batch_rows;
    exec__batch_prepare(exec, batch, plan->types, plan->column_count, count);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = row + i;
    for (uint32_t c = 0; c < plan->column_count; c++)
        exec__collection_gather(collection, c, rows, count, &(*batch)->columns[c], 0);
    (*batch)->row_count = (*batch)->selected = count;
    return count;
}

/* ---- collecting an input -----------------------------------------------------------------------
 */

void exec__collection_shape(struct exec *exec, const struct plan *input, struct expr *const *keys,
                            uint32_t key_count, enum sql_type **types, bool **stable)
{
    uint32_t count = input->column_count + key_count;
    *types = arena_alloc(exec->arena, count * sizeof **types);
    *stable = arena_alloc(exec->arena, count * sizeof **stable);
    for (uint32_t i = 0; i < input->column_count; i++) {
        (*types)[i] = input->types[i];
        (*stable)[i] = !type_is_slice(input->types[i]) || exec__text_is_stable(input, i);
    }
    for (uint32_t i = 0; i < key_count; i++) {
        const struct expr *key = keys[i];
        (*types)[input->column_count + i] = key->type;
        (*stable)[input->column_count + i] =
            !type_is_slice(key->type) || key->kind == EXPR_CONSTANT ||
            key->kind == EXPR_PARAMETER ||
            (key->kind == EXPR_COLUMN && exec__text_is_stable(input, key->index));
    }
}

status_t exec__collect(struct operator* input, struct eval **keys, uint32_t key_count,
                       struct arena *scratch, struct collection *into, struct error *error)
{
    uint32_t column_count = input->plan->column_count;
    ASSERT(into->column_count == column_count + key_count);
    const struct vector **columns =
        arena_alloc(input->exec->arena, into->column_count * sizeof *columns);
    for (;;) {
        struct batch *batch;
        status_t status = exec__operator_next(input, &batch, error);
        if (status != OK || !batch)
            return status;
        arena_reset(scratch);
        for (uint32_t c = 0; c < column_count; c++)
            columns[c] = &batch->columns[c];
        for (uint32_t k = 0; k < key_count; k++) {
            status = exec__eval_column(keys[k], batch, &columns[column_count + k], error);
            if (status != OK)
                return status;
        }
        status = exec__collection_append(into, columns, batch->selection, batch->selected, error);
        if (status != OK)
            return status;
    }
}
