/* Rows by number, the first in memory, the others in a file.
 *
 * The file is a sequence of blocks, each of so many bytes or so many rows, whichever comes first:
 * so a block fits into memory whatever its rows are, but for one row that alone does not. `blocks`
 * has the first row and the first byte of each, found by bisection; 16 bytes a block are what
 * stays in memory of rows put aside. The last rows are gathered in `open`, and read from there
 * until they are a block.
 *
 * Rows that are in memory never move, nor does their text: a batch made of them is good as long as
 * the store, while others append to it. */
#include "sql/exec/row_store_int.h"

#include "base/mem.h"
#include "sql/exec/spill_int.h"

enum { BLOCK_ROWS_MIN = 16, ENTRY_SIZE = 16, ROW_SPREAD = 4 };

void exec__row_store_init(struct row_store *store, struct exec *exec, const enum sql_type *types,
                          const bool *stable, uint32_t column_count, size_t memory)
{
    *store = (struct row_store){.exec = exec, .memory = memory};
    store->sources = arena_alloc(exec->arena, (column_count + 1) * sizeof *store->sources);
    exec__collection_init(&store->head, exec, types, stable, column_count);
}

void exec__row_store_clear(struct row_store *store)
{
    if (!store->exec)
        return; /* never begun */
    exec__collection_free(&store->head);
    exec__spill_destroy(store->spill);
    exec__memory_release(store->exec, store->charged);
    buffer_free(&store->open);
    mem_free(store->values);
    mem_free(store->blocks);
    mem_free(store->open_at);
    struct row_store emptied = {.exec = store->exec,
                                .head = store->head,
                                .memory = store->memory,
                                .sources = store->sources,
                                .block_size_max = store->block_size_max};
    *store = emptied;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static status_t blocks_charge(struct row_store *store, struct error *error)
{
    size_t size = store->block_capacity * sizeof *store->blocks + store->block_size +
                  store->block_rows * sizeof *store->open_at;
    size_t grown = size - store->charged;
    store->charged = size;
    return exec__memory_charge(store->exec, grown, error);
}

/* From now on rows go into a file. */
static status_t file_begin(struct row_store *store, struct error *error)
{
    uint32_t columns = store->head.column_count;
    ASSERT(!store->spill && store->block_count == 0);
    store->block_size = exec__spill_block(store->exec);
    if (store->block_size_max > 0 && store->block_size > store->block_size_max)
        store->block_size = store->block_size_max;
    size_t rows = ROW_SPREAD * store->block_size / ((columns + 1) * ENTRY_SIZE);
    store->block_rows = rows < BLOCK_ROWS_MIN   ? BLOCK_ROWS_MIN
                        : rows > BATCH_ROWS_MAX ? BATCH_ROWS_MAX
                                                : (uint32_t)rows;
    store->values = mem_zalloc(columns + 1, sizeof *store->values);
    store->open_at = mem_zalloc(store->block_rows, sizeof *store->open_at);
    status_t status =
        exec__spill_create(store->exec, store->head.types, columns, &store->spill, error);
    return status == OK ? blocks_charge(store, error) : status;
}

static status_t block_end(struct row_store *store, struct error *error)
{
    struct row_block block = {.first = store->row_count - store->open_count};
    status_t status =
        exec__spill_append(store->spill, buffer_slice(&store->open), &block.from, error);
    if (status != OK)
        return status;
    store->blocks =
        vec_grow(store->blocks, &store->block_capacity, store->block_count + 1, sizeof block);
    store->blocks[store->block_count++] = block;
    store->file_size = block.from + store->open.size;
    store->open_count = 0;
    /* One row may have been far larger than a block. */
    if (store->open.size > 2 * store->block_size)
        buffer_free(&store->open);
    buffer_reset(&store->open);
    return blocks_charge(store, error);
}

static status_t row_put(struct row_store *store, const struct vector *const *columns, uint32_t row,
                        struct error *error)
{
    uint32_t count = store->head.column_count;
    ASSERT(store->open_count < store->block_rows);
    for (uint32_t c = 0; c < count; c++)
        store->values[c] = vector_get(columns[c], row);
    store->open_at[store->open_count] = (uint32_t)store->open.size;
    status_t status = exec__spill_encode(&store->open, store->values, count, error);
    if (status != OK)
        return status;
    store->open_count++;
    store->row_count++;
    bool ends = store->open_count == store->block_rows || store->open.size >= store->block_size;
    return ends ? block_end(store, error) : OK;
}

status_t exec__row_store_append(struct row_store *store, const struct vector *const *columns,
                                const uint32_t *rows, uint32_t count, struct error *error)
{
    status_t status = OK;
    if (!store->spill && (store->head.charged < store->memory || store->row_count == 0)) {
        status = exec__collection_append(&store->head, columns, rows, count, error);
        store->row_count = store->head.row_count;
        return status;
    }
    if (!store->spill)
        status = file_begin(store, error);
    for (uint32_t i = 0; i < count && status == OK; i++)
        status = row_put(store, columns, rows ? rows[i] : i, error);
    return status;
}

status_t exec__row_store_append_batch(struct row_store *store, const struct batch *batch,
                                      struct error *error)
{
    uint32_t count = store->head.column_count;
    ASSERT(batch->column_count >= count);
    for (uint32_t c = 0; c < count; c++)
        store->sources[c] = &batch->columns[c];
    return exec__row_store_append(store, store->sources, batch->selection, batch->selected, error);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

void exec__row_cursor_init(struct row_cursor *cursor, struct row_store *store)
{
    *cursor = (struct row_cursor){.store = store};
}

void exec__row_cursor_reset(struct row_cursor *cursor)
{
    cursor->rows = NULL;
    cursor->first = cursor->count = 0;
}

void exec__row_cursor_free(struct row_cursor *cursor)
{
    if (!cursor->store)
        return; /* never begun */
    exec__memory_release(cursor->store->exec, cursor->charged);
    buffer_free(&cursor->bytes);
    arena_free(&cursor->arena);
    *cursor = (struct row_cursor){.store = cursor->store};
}

static status_t own_charge(struct row_cursor *cursor, struct error *error)
{
    size_t size = cursor->arena.used + cursor->bytes.capacity;
    size_t before = cursor->charged;
    cursor->charged = size;
    if (size >= before)
        return exec__memory_charge(cursor->store->exec, size - before, error);
    exec__memory_release(cursor->store->exec, before - size);
    return OK;
}

static void own_prepare(struct row_cursor *cursor)
{
    const struct collection *head = &cursor->store->head;
    if (!cursor->own) {
        uint32_t rows = cursor->store->block_rows;
        cursor->own = batch_create(&cursor->arena, head->types, head->column_count, rows);
        cursor->targets =
            arena_alloc(&cursor->arena, (head->column_count + 1) * sizeof(struct vector *));
        for (uint32_t c = 0; c < head->column_count; c++)
            cursor->targets[c] = &cursor->own->columns[c];
    }
    batch_reset(cursor->own);
    /* One row may have been far larger than a block. */
    if (cursor->bytes.capacity > 4 * cursor->store->block_size)
        buffer_free(&cursor->bytes);
    buffer_reset(&cursor->bytes);
}

/* The rows whose bytes have been read. */
static status_t bytes_decode(struct row_cursor *cursor, uint64_t first, uint32_t count,
                             struct error *error)
{
    size_t at = 0;
    uint32_t found;
    ASSERT(count > 0 && count <= cursor->store->block_rows);
    status_t status = exec__spill_decode_many(cursor->store->spill, buffer_slice(&cursor->bytes),
                                              &at, cursor->targets, count, &found, error);
    if (status != OK)
        return status;
    if (found < count)
        return error_set(error, ERR_CORRUPT, "a file of rows put aside is damaged");
    cursor->own->row_count = cursor->own->selected = count;
    cursor->rows = cursor->own;
    cursor->first = first;
    cursor->count = count;
    return own_charge(cursor, error);
}

/* The block with that row; one must have it. */
static uint32_t block_find(const struct row_store *store, uint64_t row)
{
    uint32_t low = 0, high = store->block_count;
    ASSERT(store->block_count > 0 && store->blocks[0].first <= row);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (store->blocks[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static status_t block_load(struct row_cursor *cursor, uint64_t row, struct error *error)
{
    const struct row_store *store = cursor->store;
    uint32_t number = block_find(store, row);
    bool last = number + 1 == store->block_count;
    uint64_t first = store->blocks[number].first;
    uint64_t end = last ? store->row_count - store->open_count : store->blocks[number + 1].first;
    uint64_t to = last ? store->file_size : store->blocks[number + 1].from;
    ASSERT(first <= row && row < end);
    own_prepare(cursor);
    status_t status =
        exec__spill_read(store->spill, store->blocks[number].from, to, &cursor->bytes, error);
    return status == OK ? bytes_decode(cursor, first, (uint32_t)(end - first), error) : status;
}

/* Who reads on as rows come needs only what he has not read. */
static status_t open_load(struct row_cursor *cursor, uint64_t row, bool goes_on,
                          struct error *error)
{
    const struct row_store *store = cursor->store;
    uint64_t first = store->row_count - store->open_count;
    uint32_t skip = goes_on ? (uint32_t)(row - first) : 0;
    ASSERT(row >= first && skip < store->open_count);
    own_prepare(cursor);
    size_t from = store->open_at[skip];
    status_t status =
        buffer_append(&cursor->bytes, store->open.data + from, store->open.size - from);
    if (status != OK)
        return error_set(error, status, "out of memory: rows are too long to be read");
    return bytes_decode(cursor, first + skip, store->open_count - skip, error);
}

status_t exec__row_cursor_load(struct row_cursor *cursor, uint64_t row, struct error *error)
{
    const struct row_store *store = cursor->store;
    ASSERT(row < store->row_count);
    bool goes_on = cursor->rows && row == cursor->first + cursor->count;
    status_t status = exec__cancel_check(store->exec, error);
    if (status != OK)
        return status;
    if (row < store->head.row_count) {
        cursor->rows = store->head.chunks[row / BATCH_ROWS_MAX];
        cursor->first = row / BATCH_ROWS_MAX * BATCH_ROWS_MAX;
        cursor->count = cursor->rows->row_count;
        return OK;
    }
    exec__row_cursor_reset(cursor);
    if (row >= store->row_count - store->open_count)
        return open_load(cursor, row, goes_on, error);
    return block_load(cursor, row, error);
}

/* ---- reading all of it ------------------------------------------------------------------------
 */

void exec__row_scan_init(struct row_scan *scan, struct exec *exec, struct row_store *store)
{
    *scan = (struct row_scan){.batch_rows = exec->batch_rows};
    ASSERT(scan->batch_rows > 0);
    exec__row_cursor_init(&scan->cursor, store);
    scan->arena = exec->arena;
}

void exec__row_scan_free(struct row_scan *scan)
{
    exec__row_cursor_free(&scan->cursor);
}

status_t exec__row_scan_next(struct row_scan *scan, struct batch **batch, struct error *error)
{
    struct row_cursor *cursor = &scan->cursor;
    *batch = NULL;
    if (scan->row == cursor->store->row_count)
        return OK;
    status_t status = exec__row_cursor_seek(cursor, scan->row, error);
    if (status != OK)
        return status;
    uint32_t place = exec__row_cursor_place(cursor, scan->row);
    uint32_t count = (uint32_t)cursor->count - place;
    count = count < scan->batch_rows ? count : scan->batch_rows;
    scan->out = *cursor->rows;
    scan->out.row_count = place + count;
    scan->out.selection = NULL;
    if (place > 0 && !scan->selection)
        scan->selection = arena_alloc(scan->arena, BATCH_ROWS_MAX * sizeof *scan->selection);
    if (place > 0) {
        for (uint32_t i = 0; i < count; i++)
            scan->selection[i] = place + i;
        scan->out.selection = scan->selection;
    }
    scan->out.selected = count;
    scan->row += count;
    *batch = &scan->out;
    return OK;
}
