/* A query of WITH that several places read: run once, by whoever needs a row that has not come yet,
 * as far as it is needed. All read its rows from one store.
 *
 * It runs within the statement's own exec, in an arena that lives as long as the statement: the
 * first place that reads it may be in a subquery that is over long before the others. */
#include "base/mem.h"
#include "sql/exec/row_store_int.h"
#include "sql/exec/spill_int.h"

struct common {
    struct exec exec;
    struct arena arena;
    struct operator* root;
    struct row_store rows;
    bool running; /* it cannot read itself */
    bool done;
};

struct common_reader {
    struct operator op;
    struct common *common;
    struct row_scan scan;
};

static struct common *find_common(struct exec *top, const struct plan *plan)
{
    uint32_t number = plan->as.with.number;
    ASSERT(number < top->common_count);
    if (top->commons[number])
        return top->commons[number];
    struct common *common = mem_zalloc(1, sizeof *common);
    top->commons[number] = common;
    exec__init_inner(&common->exec, top, &common->arena);
    common->exec.may_gather = top->may_gather;
    const struct plan *below = plan->as.with.plan;
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(&common->exec, below, NULL, 0, &types, &stable);
    exec__row_store_init(&common->rows, &common->exec, types, stable, below->column_count,
                         exec__work_memory(top));
    return common;
}

/* They may read each other: all stop reading before the first goes. */
void exec__commons_close(struct exec *top)
{
    for (uint32_t i = 0; i < top->common_count; i++) {
        if (top->commons[i])
            exec__operators_close(&top->commons[i]->exec);
    }
    for (uint32_t i = 0; i < top->common_count; i++) {
        struct common *common = top->commons[i];
        if (!common)
            continue;
        exec__row_store_clear(&common->rows);
        arena_free(&common->arena);
        mem_free(common);
        top->commons[i] = NULL;
    }
}

/* One batch more, if there is one. */
static status_t rows_add(struct common *common, const struct plan *plan, struct error *error)
{
    const struct plan *below = plan->as.with.plan;
    struct batch *batch;
    status_t status = OK;
    ASSERT(!common->running && !common->done);
    common->running = true;
    if (!common->root)
        status = exec__operator_open(&common->exec, below, &common->root, error);
    if (status == OK)
        status = exec__operator_next(common->root, &batch, error);
    if (status == OK && !batch)
        common->done = true;
    if (status == OK && batch)
        status = exec__row_store_append_batch(&common->rows, batch, error);
    common->running = false;
    return status;
}

static status_t common_next(struct operator* op, struct batch **out, struct error *error)
{
    struct common_reader *reader = (struct common_reader *)op;
    struct common *common = reader->common;
    status_t status = OK;
    while (reader->scan.row == common->rows.row_count && !common->done && status == OK)
        status = rows_add(common, op->plan, error);
    return status == OK ? exec__row_scan_next(&reader->scan, out, error) : status;
}

static void common_close(struct operator* op)
{
    exec__row_scan_free(&((struct common_reader *)op)->scan);
}

static const struct operator_ops common_ops = {common_next, common_close};

status_t exec__common_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    (void)error;
    struct common_reader *reader = exec__operator_create(exec, plan, &common_ops, sizeof *reader);
    *out = &reader->op;
    reader->common = find_common(exec->top, plan);
    exec__row_scan_init(&reader->scan, exec, &reader->common->rows);
    return OK;
}
