/* One scan by several threads.
 *
 * The range of a scan is divided at keys of the tree into parts. The statement's own thread and
 * helpers from the crew take one part after another, each with operators of its own for what is
 * above the scan: filters, projections, and hash joins, whose tables are built before and shared.
 * What they make of a part is kept by its number, so that the results can be put together in the
 * order of the keys, whoever made them: an answer does not depend on how many threads there were.
 *
 *     Aggregate           leader   --- part 0 --- part 3 ---------- part 5 -->
 *       Hash Join         helper    --- part 1 ------ part 4 -- part 6 ------>
 *         Filter          helper     --- part 2 --------------->
 *           Scan
 *
 * Nor does an error: after one, parts behind it are not begun any more, those before it are brought
 * to their end, and the error of the first part that has one is the statement's, as if it had been
 * read alone. Helpers that found nothing to do were not needed; the leader waits for no thread that
 * has not begun.
 *
 * A helper runs a `struct exec` of its own, its own top, with arena, memory count and operators.
 * What it shares with the leader is only read: plan, parameters, cells, the transaction's snapshot
 * and writes, tables of hash joins. What was read is noted by the leader, for the whole range. */
#include "base/mem.h"
#include "sql/exec/parallel_int.h"

/* ---- what can be done so ------------------------------------------------------------------------
 */

bool exec__parallel_expr(const struct expr *expr)
{
    if (!expr)
        return true;
    if (expr->is_volatile || expr->kind == EXPR_SUBQUERY)
        return false;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (!exec__parallel_expr(expr->arguments[i]))
            return false;
    }
    return true;
}

static bool all_parallel(struct expr *const *exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!exec__parallel_expr(exprs[i]))
            return false;
    }
    return true;
}

static bool plan_is_parallel(const struct plan *plan)
{
    switch (plan->kind) {
    case PLAN_SCAN:
        return plan->as.scan.range_count <= 1 && !plan->as.scan.reverse &&
               (plan->as.scan.index->id == 0 || plan->as.scan.index_only);
    case PLAN_FILTER:
        return exec__parallel_expr(plan->as.filter.predicate) && plan_is_parallel(plan->left);
    case PLAN_KEY_FILTER:
        return plan_is_parallel(plan->left);
    case PLAN_PROJECT:
        return all_parallel(plan->as.project.exprs, plan->column_count) &&
               plan_is_parallel(plan->left);
    case PLAN_HASH_JOIN:
        return plan->as.join.kind != JOIN_FULL && plan->as.join.kind != JOIN_RIGHT &&
               all_parallel(plan->as.join.left_keys, plan->as.join.key_count) &&
               all_parallel(plan->as.join.right_keys, plan->as.join.key_count) &&
               exec__parallel_expr(plan->as.join.condition) && plan_is_parallel(plan->left);
    default:
        return false;
    }
}

const struct plan *exec__parallel_scan(const struct plan *plan)
{
    if (!plan_is_parallel(plan))
        return NULL;
    while (plan->kind != PLAN_SCAN)
        plan = plan->left;
    return plan;
}

static struct operator* scan_of(struct operator* op)
{
    while (op->plan->kind != PLAN_SCAN)
        op = op->left;
    return op;
}

/* How many threads may work for a statement. */
static uint32_t threads_of(const struct exec *exec)
{
    uint32_t threads = env_crew_threads(exec->context.crew) + 1;
    uint32_t max = exec->context.threads_max;
    return max != 0 && max < threads ? max : threads;
}

static status_t parts_make(struct parallel *parallel, uint32_t wanted, struct error *error)
{
    struct exec *exec = parallel->leader.exec;
    struct bounds range = parallel->range;
    struct buffer key = {0};
    status_t status = OK;
    struct slice low = range.low;
    parallel->parts = arena_alloc(exec->arena, ((size_t)wanted + 1) * sizeof *parallel->parts);
    for (uint32_t i = 1; i < wanted && status == OK; i++) {
        buffer_reset(&key);
        status = store_share_key(exec->context.txn, range.low, range.high, (double)i / wanted, &key,
                                 error);
        if (status != OK || key.size == 0 || slice_compare(buffer_slice(&key), low) <= 0)
            continue;
        struct slice high = arena_copy(exec->arena, buffer_slice(&key));
        parallel->parts[parallel->part_count++] = (struct bounds){.low = low, .high = high};
        low = high;
    }
    parallel->parts[parallel->part_count++] = (struct bounds){.low = low, .high = range.high};
    buffer_free(&key);
    return status;
}

/* What is left of the memory, in equal parts. False: too little, and what fits one thread must not
 * fail for being shared out. */
static bool memory_share(struct parallel *parallel)
{
    const struct exec *top = parallel->leader.exec->top;
    size_t left = top->memory_budget > top->memory_used ? top->memory_budget - top->memory_used : 0;
    parallel->share = left / parallel->threads;
    return parallel->share >= THREAD_MEMORY_MIN;
}

status_t exec__parallel_begin(struct operator* op, struct parallel **out, struct error *error)
{
    struct exec *exec = op->exec;
    uint32_t rows = exec->context.parallel_rows ? exec->context.parallel_rows : EXEC_PARALLEL_ROWS;
    *out = NULL;
    if (threads_of(exec) < 2 || exec->leader || !store_has_parts(exec->context.txn) ||
        !plan_is_parallel(op->plan->left))
        return OK;
    struct bounds range;
    bool found;
    double entries = 0;
    status_t status = exec__scan_range(scan_of(op->left), &range, &found, error);
    if (status == OK && found)
        status = store_estimate(exec->context.txn, range.low, range.high, &entries, error);
    if (status != OK || entries < rows)
        return status;
    struct parallel *parallel = mem_zalloc(1, sizeof *parallel);
    *out = parallel;
    parallel->range = range;
    parallel->rows = entries;
    parallel->threads = threads_of(exec);
    parallel->leader =
        (struct worker){.parallel = parallel, .exec = exec, .op = op, .scan = scan_of(op->left)};
    double wanted = entries * 4 / rows;
    status = parts_make(parallel,
                        wanted > PARALLEL_PARTS_MAX ? PARALLEL_PARTS_MAX : (uint32_t)wanted, error);
    bool whole = parallel->part_count > 1;
    for (struct operator* below = op->left; status == OK && whole && below->plan->kind != PLAN_SCAN;
         below = below->left) {
        if (below->plan->kind == PLAN_HASH_JOIN)
            status = exec__hash_join_build(below, &whole, error);
    }
    if (status == OK && whole && memory_share(parallel))
        return OK;
    exec__parallel_destroy(parallel);
    *out = NULL;
    return status;
}

uint32_t exec__parallel_parts(const struct parallel *parallel)
{
    return parallel->part_count;
}

double exec__parallel_rows(const struct parallel *parallel)
{
    return parallel->rows;
}

size_t exec__parallel_share(const struct parallel *parallel)
{
    size_t work = exec__work_memory(parallel->leader.exec) / parallel->threads;
    return work < parallel->share / 2 ? work : parallel->share / 2;
}

/* ---- the work -----------------------------------------------------------------------------------
 */

void exec__parallel_take_part(struct worker *worker, uint32_t part)
{
    ASSERT(part < worker->parallel->part_count);
    exec__scan_set_part(worker->scan, &worker->parallel->parts[part]);
    for (struct operator* op = worker->op->left; op != worker->scan; op = op->left) {
        if (op->plan->kind == PLAN_HASH_JOIN)
            exec__hash_join_go_on(op);
    }
    worker->parts++;
}

static void work(void *argument)
{
    struct worker *worker = argument;
    struct parallel *parallel = worker->parallel;
    while (!atomic_load(&parallel->stop)) {
        uint32_t part = atomic_fetch_add(&parallel->part_next, 1);
        if (part >= parallel->part_count)
            return;
        exec__parallel_take_part(worker, part);
        worker->status = parallel->ops->take(worker->op, parallel->results, part, &worker->error);
        if (worker->status != OK) {
            worker->failed_part = part;
            atomic_store(&parallel->stop, true);
            return;
        }
    }
}

/* An exec that reads what the leader reads, and opens what it has open. */
static status_t helper_open(struct parallel *parallel, struct helper *helper, struct error *error)
{
    struct exec *leader = parallel->leader.exec;
    struct exec_context context = leader->context;
    arena_init(&helper->arena);
    context.arena = &helper->arena;
    context.memory_budget = parallel->share;
    context.spill_directory = NULL;
    exec__init(&helper->exec, &context);
    helper->exec.leader = leader;
    helper->exec.cells = leader->top->cells;
    helper->exec.put_aside = leader->top->put_aside;
    helper->worker = (struct worker){.parallel = parallel, .exec = &helper->exec};
    status_t status =
        parallel->ops->open(&helper->exec, parallel->leader.op->plan, &helper->worker.op, error);
    if (status != OK)
        return status;
    helper->worker.scan = scan_of(helper->worker.op->left);
    helper->task = (struct env_crew_task){.run = work, .argument = &helper->worker};
    return OK;
}

status_t exec__parallel_open(struct parallel *parallel, struct error *error)
{
    struct exec *exec = parallel->leader.exec;
    store_note_range(exec->context.txn, parallel->range.low, parallel->range.high);
    uint32_t count = parallel->threads - 1;
    if (count >= parallel->part_count)
        count = parallel->part_count - 1;
    parallel->reserved = count * parallel->share;
    exec->top->memory_used += parallel->reserved;
    parallel->helpers = mem_zalloc(count, sizeof *parallel->helpers);
    for (uint32_t i = 0; i < count; i++) {
        parallel->helper_count++;
        status_t status = helper_open(parallel, &parallel->helpers[i], error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* What a helper's operators have done counts as done by the leader's. */
static void figures_add(struct parallel *parallel, const struct helper *helper)
{
    struct operator* into = parallel->leader.op->left;
    for (const struct operator* op = helper->worker.op->left; op; op = op->left) {
        into->figures.rows += op->figures.rows;
        into->figures.batches += op->figures.batches;
        into->figures.threads += into->figures.threads == 0 ? 2 : 1;
        into = into->left;
    }
}

void exec__parallel_ended(struct parallel *parallel)
{
    struct exec *top = parallel->leader.exec->top;
    size_t used = 0;
    for (uint32_t i = 0; i < parallel->helper_count; i++) {
        const struct helper *helper = &parallel->helpers[i];
        used += helper->exec.memory_used;
        if (top->context.measure && helper->worker.parts > 0)
            figures_add(parallel, helper);
    }
    if (used >= parallel->reserved)
        return; /* one was stopped for it */
    top->memory_used -= parallel->reserved - used;
    parallel->reserved = used;
}

/* Of the first part that has one. */
static status_t error_take(const struct parallel *parallel, struct error *error)
{
    const struct worker *first = &parallel->leader;
    for (uint32_t i = 0; i < parallel->helper_count; i++) {
        const struct worker *worker = &parallel->helpers[i].worker;
        if (worker->status != OK &&
            (first->status == OK || worker->failed_part < first->failed_part))
            first = worker;
    }
    if (first->status != OK && error)
        *error = first->error;
    return first->status;
}

status_t exec__parallel_run(struct parallel *parallel, const struct parallel_ops *ops,
                            void *results, struct error *error)
{
    struct exec *exec = parallel->leader.exec;
    ASSERT(!parallel->ops && parallel->part_count > 1);
    parallel->ops = ops;
    parallel->results = results;
    status_t status = exec__parallel_open(parallel, error);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < parallel->helper_count; i++)
        env_crew_submit(exec->context.crew, &parallel->helpers[i].task);
    work(&parallel->leader);
    for (uint32_t i = 0; i < parallel->helper_count; i++) {
        struct helper *helper = &parallel->helpers[i];
        bool ran = env_crew_finish(exec->context.crew, &helper->task);
        ASSERT(ran || helper->worker.parts == 0);
    }
    exec__parallel_ended(parallel);
    return error_take(parallel, error);
}

void exec__parallel_stop(struct parallel *parallel)
{
    atomic_store(&parallel->stop, true);
}

void exec__parallel_again(struct parallel *parallel)
{
    struct worker *leader = &parallel->leader;
    ASSERT(parallel->ops);
    for (struct operator* op = leader->op->left; op; op = op->left) {
        if (op->plan->kind == PLAN_HASH_JOIN)
            exec__hash_join_go_on(op);
        op->figures.rows = op->figures.batches = 0;
        op->figures.threads = 0;
    }
    exec__scan_set_part(leader->scan, &parallel->range);
}

void exec__parallel_destroy(struct parallel *parallel)
{
    if (!parallel)
        return;
    for (uint32_t i = 0; i < parallel->helper_count; i++) {
        struct helper *helper = &parallel->helpers[i];
        exec__operators_close(&helper->exec);
        ASSERT(helper->exec.memory_used == 0);
        arena_free(&helper->arena);
    }
    ASSERT(parallel->leader.exec->top->memory_used >= parallel->reserved);
    parallel->leader.exec->top->memory_used -= parallel->reserved;
    mem_free(parallel->helpers);
    mem_free(parallel);
}
