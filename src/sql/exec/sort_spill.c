/* A sort that does not fit into its memory: sorted runs in a file, merged at the end.
 *
 * The runs are merged by a heap of their next rows. Rows that are equal come in the order of their
 * runs, so the sort stays stable. More than FAN_IN runs are first merged, the earliest ones, into
 * longer ones, so that the memory for reading stays bounded. */
#include "base/mem.h"
#include "sql/exec/spill_int.h"

enum { FAN_IN = 32 };

struct run {
    uint64_t from;
    uint64_t to;
};

struct sort_spill {
    struct exec *exec;
    const struct sort_key *keys;
    const uint32_t *key_columns;
    uint32_t key_count;
    struct spill *spill;
    struct run *runs; /* in the order of their rows' arrival */
    uint32_t run_count;
    uint32_t run_capacity;
    uint64_t written;
    /* The merge: readers in a heap, the one with the first row on top. */
    struct spill_reader *readers;
    uint32_t *heap;
    uint32_t heap_count;
    uint32_t reader_count;
    bool advance; /* the top's row has been given out */
};

status_t exec__sort_spill_create(struct exec *exec, const struct sort_key *keys,
                                 const uint32_t *key_columns, uint32_t key_count,
                                 const enum sql_type *types, uint32_t column_count,
                                 struct sort_spill **out, struct error *error)
{
    struct sort_spill *spill = mem_zalloc(1, sizeof *spill);
    *spill = (struct sort_spill){
        .exec = exec, .keys = keys, .key_columns = key_columns, .key_count = key_count};
    *out = spill;
    return exec__spill_create(exec, types, column_count, &spill->spill, error);
}

static void merge_end(struct sort_spill *spill)
{
    for (uint32_t i = 0; i < spill->reader_count; i++)
        exec__spill_reader_free(&spill->readers[i]);
    mem_free(spill->readers);
    mem_free(spill->heap);
    spill->readers = NULL;
    spill->heap = NULL;
    spill->reader_count = spill->heap_count = 0;
    spill->advance = false;
}

void exec__sort_spill_destroy(struct sort_spill *spill)
{
    if (!spill)
        return;
    merge_end(spill);
    exec__spill_destroy(spill->spill);
    mem_free(spill->runs);
    mem_free(spill);
}

/* ---- merging ----------------------------------------------------------------------------------
 */

static bool comes_before(const struct sort_spill *spill, uint32_t a, uint32_t b)
{
    for (uint32_t k = 0; k < spill->key_count; k++) {
        uint32_t column = spill->key_columns[k];
        struct value x = vector_get(&spill->readers[a].row->columns[column], 0);
        struct value y = vector_get(&spill->readers[b].row->columns[column], 0);
        int order = exec__sort_key_order(&spill->keys[k], &x, &y);
        if (order)
            return order < 0;
    }
    return a < b;
}

static void sift_down(struct sort_spill *spill, uint32_t at)
{
    uint32_t *heap = spill->heap;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= spill->heap_count)
            return;
        if (child + 1 < spill->heap_count && comes_before(spill, heap[child + 1], heap[child]))
            child++;
        if (!comes_before(spill, heap[child], heap[at]))
            return;
        uint32_t moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

static status_t merge_begin(struct sort_spill *spill, uint32_t count, struct error *error)
{
    ASSERT(!spill->readers && count <= spill->run_count);
    spill->readers = mem_zalloc(count, sizeof *spill->readers);
    spill->heap = mem_zalloc(count, sizeof *spill->heap);
    for (uint32_t i = 0; i < count; i++) {
        bool found;
        exec__spill_reader_init(&spill->readers[i], spill->spill, spill->runs[i].from,
                                spill->runs[i].to);
        spill->reader_count++;
        status_t status = exec__spill_next(&spill->readers[i], &found, error);
        if (status != OK)
            return status;
        if (found)
            spill->heap[spill->heap_count++] = i;
    }
    for (uint32_t i = spill->heap_count; i-- > 0;)
        sift_down(spill, i);
    return OK;
}

status_t exec__sort_spill_next(struct sort_spill *spill, struct batch **row, struct error *error)
{
    *row = NULL;
    if (spill->advance) {
        bool found;
        status_t status = exec__spill_next(&spill->readers[spill->heap[0]], &found, error);
        if (status != OK)
            return status;
        if (!found)
            spill->heap[0] = spill->heap[--spill->heap_count];
        sift_down(spill, 0);
    }
    spill->advance = spill->heap_count > 0;
    if (spill->heap_count > 0)
        *row = spill->readers[spill->heap[0]].row;
    return OK;
}

status_t exec__sort_spill_row(struct sort_spill *spill, struct batch *out, struct arena *texts,
                              bool *found, struct error *error)
{
    struct batch *row;
    status_t status = exec__sort_spill_next(spill, &row, error);
    *found = status == OK && row;
    if (!*found)
        return status;
    ASSERT(out->column_count <= row->column_count);
    for (uint32_t c = 0; c < out->column_count; c++) {
        struct value value = vector_get(&row->columns[c], 0);
        if (!value.null && type_is_slice(value.type))
            value.as.text = arena_copy(texts, value.as.text);
        vector_set(&out->columns[c], out->row_count, &value);
    }
    out->row_count++;
    return OK;
}

/* ---- runs -------------------------------------------------------------------------------------
 */

static status_t run_end(struct sort_spill *spill, uint64_t from, uint32_t replaces,
                        struct error *error)
{
    status_t status = exec__spill_end(spill->spill, &spill->written, error);
    if (status != OK)
        return status;
    struct run run = {.from = from, .to = spill->written};
    if (replaces == 0) {
        spill->runs =
            vec_grow(spill->runs, &spill->run_capacity, spill->run_count + 1, sizeof *spill->runs);
        spill->runs[spill->run_count++] = run;
        return OK;
    }
    spill->runs[0] = run;
    for (uint32_t i = replaces; i < spill->run_count; i++)
        spill->runs[i - replaces + 1] = spill->runs[i];
    spill->run_count -= replaces - 1;
    return OK;
}

/* The first FAN_IN runs become one. */
static status_t runs_merge(struct sort_spill *spill, struct error *error)
{
    uint64_t from = spill->written;
    uint32_t columns = spill->spill ? exec__spill_columns(spill->spill) : 0;
    struct value *values = mem_zalloc(columns + 1, sizeof *values);
    status_t status = merge_begin(spill, FAN_IN, error);
    for (uint64_t n = 0; status == OK; n++) {
        struct batch *row;
        if (n % BATCH_ROWS_MAX == 0)
            status = exec__cancel_check(spill->exec, error);
        if (status == OK)
            status = exec__sort_spill_next(spill, &row, error);
        if (status != OK || !row)
            break;
        for (uint32_t c = 0; c < columns; c++)
            values[c] = vector_get(&row->columns[c], 0);
        status = exec__spill_put(spill->spill, values, error);
    }
    merge_end(spill);
    mem_free(values);
    return status == OK ? run_end(spill, from, FAN_IN, error) : status;
}

status_t exec__sort_spill_put(struct sort_spill *spill, const struct value *values,
                              struct error *error)
{
    return exec__spill_put(spill->spill, values, error);
}

status_t exec__sort_spill_run_end(struct sort_spill *spill, struct error *error)
{
    struct operator* op = spill->exec->top->at_work;
    if (op)
        op->figures.parts++;
    status_t status = run_end(spill, spill->written, 0, error);
    if (status == OK && spill->run_count == 2 * FAN_IN)
        status = runs_merge(spill, error);
    return status;
}

status_t exec__sort_spill_run(struct sort_spill *spill, const struct collection *rows,
                              const uint32_t *order, uint32_t count, struct error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        status_t status = i % BATCH_ROWS_MAX == 0 ? exec__cancel_check(spill->exec, error) : OK;
        if (status == OK)
            status = exec__spill_put_row(spill->spill, rows, order[i], error);
        if (status != OK)
            return status;
    }
    return exec__sort_spill_run_end(spill, error);
}

status_t exec__sort_spill_merge(struct sort_spill *spill, struct error *error)
{
    while (spill->run_count > FAN_IN) {
        status_t status = runs_merge(spill, error);
        if (status != OK)
            return status;
    }
    return merge_begin(spill, spill->run_count, error);
}
