/* A query of WITH that several places read: run once, by whoever needs a row that has not come yet,
 * as far as it is needed. All read its rows from one collection.
 *
 * It runs within the statement's own exec, in an arena that lives as long as the statement: the
 * first place that reads it may be in a subquery that is over long before the others. */
#include "base/mem.h"
#include "sql/exec/exec_int.h"

struct common {
    struct exec exec;
    struct arena arena;
    struct arena scratch;
    struct operator* root;
    struct collection rows;
    bool running; /* it cannot read itself */
    bool done;
};

struct common_reader {
    struct operator op;
    struct common *common;
    uint32_t row; /* next to give out */
    struct batch *out;
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
    const struct plan *below = plan->as.with.plan;
    enum sql_type *types;
    bool *stable;
    exec__collection_shape(&common->exec, below, NULL, 0, &types, &stable);
    exec__collection_init(&common->rows, &common->exec, types, stable, below->column_count);
    return common;
}

void exec__commons_close(struct exec *top)
{
    for (uint32_t i = 0; i < top->common_count; i++) {
        struct common *common = top->commons[i];
        if (!common)
            continue;
        exec__operators_close(&common->exec);
        exec__collection_free(&common->rows);
        arena_free(&common->scratch);
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
        status = exec__collection_append_batch(&common->rows, batch, error);
    common->running = false;
    return status;
}

static status_t common_next(struct operator* op, struct batch **out, struct error *error)
{
    struct common_reader *reader = (struct common_reader *)op;
    struct common *common = reader->common;
    while (reader->row == common->rows.row_count) {
        status_t status = common->done ? OK : rows_add(common, op->plan, error);
        if (status != OK)
            return status;
        if (common->done && reader->row == common->rows.row_count)
            return OK;
    }
    reader->row +=
        exec__collection_batch(&common->rows, op->exec, op->plan, reader->row, &reader->out);
    *out = reader->out;
    return OK;
}

static const struct operator_ops common_ops = {common_next, NULL};

status_t exec__common_open(struct exec *exec, const struct plan *plan, struct operator** out,
                           struct error *error)
{
    (void)error;
    struct common_reader *reader = exec__operator_create(exec, plan, &common_ops, sizeof *reader);
    *out = &reader->op;
    reader->common = find_common(exec->top, plan);
    return OK;
}
