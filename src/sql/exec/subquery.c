/* Queries inside expressions, run.
 *
 * Each subquery of the statement has one `struct subquery` in the statement's exec, whoever
 * evaluates it: its operators are opened anew for each run, in an arena that is emptied for the
 * next one, and what came of the run is kept until the values in its cells change. So a subquery
 * without cells runs once, and one whose cells repeat from row to row runs once for all of them.
 *
 * What is kept depends on the kind. A scalar: the value, or the values of its row. EXISTS: whether
 * there was a row, and the run ends with the first. IN without cells: a hash table of all values,
 * which serves every operand. IN with cells: the run itself looks for the operand, and ends when it
 * is found; the operand then counts as one more cell. ANY and ALL: the least and the greatest
 * value, which decide every comparison.
 *
 * Three-valued logic: with m, M the least and greatest of the values that are not NULL
 *     x < ANY:  x < M        x <> ANY: m <> M or x <> m      true, else NULL if there is a NULL
 *     x < ALL:  not x >= m   x = ALL:  m = M and x = m       false, else NULL if there is a NULL
 * likewise for the others; without any row ANY is false and ALL is true, whatever x is; otherwise
 * a NULL x gives NULL. */
#include "sql/exec/row_store_int.h"

#include "base/mem.h"
#include "sql/exec/member_set_int.h"
#include "sql/exec/spill_int.h"

enum { MEMBERS_SHARE = 4 /* of what may be held, for the members of a set once more */ };

struct subquery {
    const struct subplan *plan;
    struct exec exec;   /* runs it; counts its memory on the statement's */
    struct arena arena; /* of one run */
    struct arena kept;  /* text of what is kept */
    bool valid;
    struct value *keys; /* the cells at the last run, then the operand where it counts */
    uint32_t key_count;
    struct value result; /* of EXISTS, of IN with cells */
    struct value *row;   /* of a scalar: its columns */
    bool has_set;
    struct row_set set;
    struct member_set *members; /* the same, when they are few numbers or texts; or NULL */
    struct arena member_arena;
    size_t member_charged;
    bool any_row;
    bool any_null;
    struct value least; /* ANY, ALL: NULL when all values are */
    struct value greatest;
};

static bool seeks_operand(const struct subplan *plan)
{
    return plan->kind == SUBPLAN_IN && plan->cell_count > 0;
}

static struct value keep_value(struct arena *arena, const struct value *value)
{
    struct value copy = *value;
    if (!copy.null && type_is_slice(copy.type))
        copy.as.text = arena_copy(arena, copy.as.text);
    return copy;
}

/* ---- what a batch adds ------------------------------------------------------------------------
 */

/* *enough: the run may end. */
static status_t take_scalar(struct subquery *subquery, const struct batch *batch,
                            struct error *error)
{
    if (subquery->any_row || batch->selected > 1)
        return error_sql(error, "21000", subquery->plan->position,
                         "more than one row returned by a subquery used as an expression");
    for (uint32_t i = 0; i < subquery->plan->plan->column_count; i++) {
        struct value value = vector_get(&batch->columns[i], batch_row(batch, 0));
        subquery->row[i] = keep_value(&subquery->kept, &value);
    }
    subquery->any_row = true;
    return OK;
}

static status_t take_set(struct subquery *subquery, const struct batch *batch, struct error *error)
{
    uint32_t rows[BATCH_ROWS_MAX];
    bool is_new[BATCH_ROWS_MAX];
    struct batch values = *batch;
    const struct vector *column = &batch->columns[0];
    values.selection = rows;
    values.selected = 0;
    for (uint32_t i = 0; i < batch->selected; i++) {
        uint32_t row = batch_row(batch, i);
        if (vector_is_null(column, row))
            subquery->any_null = true;
        else
            rows[values.selected++] = row;
    }
    subquery->any_row = true;
    return exec__row_set_put(&subquery->set, &values, is_new, error);
}

static void take_sought(struct subquery *subquery, const struct batch *batch, bool *enough)
{
    const struct value *operand = &subquery->keys[subquery->plan->cell_count];
    for (uint32_t i = 0; i < batch->selected && !*enough; i++) {
        struct value value = vector_get(&batch->columns[0], batch_row(batch, i));
        if (value.null || operand->null)
            subquery->result = value_null(SQL_BOOLEAN);
        else if (value_compare(&value, operand) == 0)
            subquery->result = value_boolean(true);
        *enough = operand->null || (!subquery->result.null && subquery->result.as.boolean);
    }
}

static void take_extremes(struct subquery *subquery, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->selected; i++) {
        struct value value = vector_get(&batch->columns[0], batch_row(batch, i));
        subquery->any_row = true;
        subquery->any_null |= value.null;
        if (value.null)
            continue;
        if (subquery->least.null || value_compare(&value, &subquery->least) < 0)
            subquery->least = keep_value(&subquery->kept, &value);
        if (subquery->greatest.null || value_compare(&value, &subquery->greatest) > 0)
            subquery->greatest = keep_value(&subquery->kept, &value);
    }
}

static status_t take(struct subquery *subquery, const struct batch *batch, bool *enough,
                     struct error *error)
{
    switch (subquery->plan->kind) {
    case SUBPLAN_SCALAR:
        return take_scalar(subquery, batch, error);
    case SUBPLAN_EXISTS:
        subquery->result = value_boolean(true);
        *enough = true;
        return OK;
    case SUBPLAN_IN:
        if (!seeks_operand(subquery->plan))
            return take_set(subquery, batch, error);
        take_sought(subquery, batch, enough);
        return OK;
    case SUBPLAN_ANY:
    case SUBPLAN_ALL:
        take_extremes(subquery, batch);
        return OK;
    }
    UNREACHABLE();
}

/* ---- a run ------------------------------------------------------------------------------------
 */

static void members_forget(struct subquery *subquery)
{
    exec__memory_release(subquery->exec.top, subquery->member_charged);
    subquery->member_charged = 0;
    subquery->members = NULL;
    arena_free(&subquery->member_arena);
}

/* All values are there: a few of them are put where they are found faster. */
static status_t members_make(struct subquery *subquery, struct error *error)
{
    struct row_set *set = &subquery->set;
    struct arena *arena = &subquery->member_arena;
    uint64_t count = set->rows.row_count;
    enum sql_type type = subquery->plan->plan->types[0];
    bool is_text = type_storage(type) == SQL_TEXT;
    size_t most = exec__work_memory(subquery->exec.top) / MEMBERS_SHARE;
    most = most < MEMBER_TEXTS_MAX ? most : MEMBER_TEXTS_MAX;
    if (!exec__member_type(type) || count > MEMBERS_MAX || count * MEMBER_SIZE > most)
        return OK;
    struct vector members = {.type = type};
    members.as.data = arena_alloc(arena, (count + 1) * sizeof(struct slice));
    for (uint64_t i = 0; i < count && arena->used <= most; i++) {
        status_t status = exec__row_cursor_seek(&set->cursor, i, error);
        if (status != OK)
            return status;
        struct value value = exec__row_cursor_value(&set->cursor, 0, i);
        if (is_text)
            members.as.texts[i] = arena_copy(arena, value.as.text);
        else
            members.as.integers[i] = value.as.integer;
    }
    if (arena->used <= most)
        subquery->members = exec__member_set_make(arena, &members, (uint32_t)count);
    subquery->member_charged = arena->used;
    return exec__memory_charge(subquery->exec.top, arena->used, error);
}

static void forget(struct subquery *subquery)
{
    const struct subplan *plan = subquery->plan;
    subquery->valid = false;
    subquery->any_row = subquery->any_null = false;
    enum sql_type type = plan->plan->column_count ? plan->plan->types[0] : SQL_BOOLEAN;
    subquery->least = subquery->greatest = value_null(type);
    subquery->result = value_boolean(false);
    for (uint32_t i = 0; subquery->row && i < plan->plan->column_count; i++)
        subquery->row[i] = value_null(plan->plan->types[i]);
    if (subquery->has_set)
        exec__row_set_free(&subquery->set);
    members_forget(subquery);
    subquery->has_set = plan->kind == SUBPLAN_IN && !seeks_operand(plan);
    if (subquery->has_set)
        exec__row_set_init(&subquery->set, subquery->exec.top, plan->plan->types, 1,
                           exec__work_memory(subquery->exec.top));
}

static status_t pull(struct subquery *subquery, struct operator* root, struct error *error)
{
    bool enough = false;
    while (!enough) {
        struct batch *batch;
        status_t status = exec__operator_next(root, &batch, error);
        if (status != OK || !batch)
            return status;
        if ((status = take(subquery, batch, &enough, error)) != OK)
            return status;
    }
    return OK;
}

/* With the cells as they are in subquery->keys. */
static status_t run(struct subquery *subquery, struct error *error)
{
    const struct subplan *plan = subquery->plan;
    struct exec *exec = &subquery->exec;
    struct operator* root;
    for (uint32_t i = 0; i < plan->cell_count; i++)
        exec->top->cells[plan->cells[i]] = subquery->keys[i];
    forget(subquery);
    ASSERT(!exec->opened);
    status_t status = exec__operator_open(exec, plan->plan, &root, error);
    if (status == OK)
        status = pull(subquery, root, error);
    exec__operators_close(exec);
    arena_reset(&subquery->arena);
    if (status == OK && subquery->has_set)
        status = members_make(subquery, error);
    subquery->valid = status == OK;
    return status;
}

/* Are the values the same as at the last run? If not they are noted. */
static bool same_keys(struct subquery *subquery, const struct value *values)
{
    bool same = subquery->valid;
    for (uint32_t i = 0; i < subquery->key_count && same; i++) {
        const struct value *key = &subquery->keys[i];
        same = key->null == values[i].null && (key->null || value_compare(key, &values[i]) == 0);
    }
    if (same)
        return true;
    arena_reset(&subquery->kept);
    for (uint32_t i = 0; i < subquery->key_count; i++)
        subquery->keys[i] = keep_value(&subquery->kept, &values[i]);
    return false;
}

static status_t ensure(struct subquery *subquery, const struct value *values, struct error *error)
{
    return same_keys(subquery, values) ? OK : run(subquery, error);
}

static struct subquery *find_subquery(struct exec *top, const struct subplan *plan)
{
    ASSERT(plan->number < top->subquery_count);
    struct subquery *subquery = top->subqueries[plan->number];
    if (subquery)
        return subquery;
    subquery = mem_zalloc(1, sizeof *subquery);
    top->subqueries[plan->number] = subquery;
    subquery->plan = plan;
    exec__init_inner(&subquery->exec, top, &subquery->arena);
    /* One that runs often is done before several threads have begun. */
    subquery->exec.may_gather = top->may_gather && plan->cell_count == 0;
    subquery->exec.few_wanted = plan->kind == SUBPLAN_EXISTS;
    subquery->key_count = plan->cell_count + (seeks_operand(plan) ? 1 : 0);
    subquery->keys = mem_zalloc(subquery->key_count + 1, sizeof *subquery->keys);
    if (plan->kind == SUBPLAN_SCALAR)
        subquery->row = mem_zalloc(plan->plan->column_count, sizeof *subquery->row);
    return subquery;
}

void exec__subqueries_close(struct exec *top)
{
    for (uint32_t i = 0; i < top->subquery_count; i++) {
        struct subquery *subquery = top->subqueries[i];
        if (!subquery)
            continue;
        if (subquery->has_set)
            exec__row_set_free(&subquery->set);
        members_forget(subquery);
        arena_free(&subquery->arena);
        arena_free(&subquery->kept);
        mem_free(subquery->keys);
        mem_free(subquery->row);
        mem_free(subquery);
        top->subqueries[i] = NULL;
    }
}

/* ---- evaluation --------------------------------------------------------------------------------
 */

/* Whether the comparison holds for one value (ANY) or fails for one (ALL): what decides. */
static bool is_decided(const struct subquery *subquery, const struct value *operand)
{
    const struct value *least = &subquery->least;
    const struct value *greatest = &subquery->greatest;
    enum expr_call comparison = subquery->plan->comparison;
    bool any = subquery->plan->kind == SUBPLAN_ANY;
    if (least->null)
        return false;
    bool at_least = expr_order_holds(comparison, value_compare(operand, least));
    bool at_greatest = expr_order_holds(comparison, value_compare(operand, greatest));
    /* Between the two extremes an ordering cannot change twice; = ANY and <> ALL are IN. */
    return any ? at_least || at_greatest : !at_least || !at_greatest;
}

static struct value quantify(const struct subquery *subquery, const struct value *operand)
{
    bool any = subquery->plan->kind == SUBPLAN_ANY;
    if (!subquery->any_row)
        return value_boolean(!any);
    if (operand->null)
        return value_null(SQL_BOOLEAN);
    if (is_decided(subquery, operand))
        return value_boolean(any);
    return subquery->any_null ? value_null(SQL_BOOLEAN) : value_boolean(!any);
}

static void put(struct eval *eval, uint32_t row, struct value value)
{
    if (value.null)
        vector_set_null(&eval->out, row);
    else
        vector_set(&eval->out, row, &value);
}

/* Membership of all rows at once. */
static status_t run_set(struct eval *eval, struct subquery *subquery, const struct batch *in,
                        struct error *error)
{
    bool found[BATCH_ROWS_MAX];
    const struct vector *operand;
    status_t status = exec__eval_column(eval->arguments[0], in, &operand, error);
    if (status == OK && subquery->members && !operand->has_nulls) {
        exec__member_set_find(subquery->members, operand, in, eval->out.as.booleans);
        if (!subquery->any_null)
            return OK;
    }
    if (status == OK)
        status =
            exec__row_set_find(&subquery->set, &operand, in->selection, in->selected, found, error);
    if (status != OK)
        return status;
    for (uint32_t i = 0; i < in->selected; i++) {
        uint32_t row = batch_row(in, i);
        bool unknown =
            subquery->any_row && !found[i] && (subquery->any_null || vector_is_null(operand, row));
        put(eval, row, unknown ? value_null(SQL_BOOLEAN) : value_boolean(found[i]));
    }
    return OK;
}

static struct value row_value(const struct eval *argument, uint32_t row)
{
    return vector_get(argument->result, argument->constant ? 0 : row);
}

static status_t run_row(struct eval *eval, struct subquery *subquery, uint32_t row,
                        struct value *values, struct error *error)
{
    const struct subplan *plan = subquery->plan;
    for (uint32_t i = 0; i < plan->cell_count; i++)
        values[i] = row_value(eval->arguments[plan->operand_count + i], row);
    struct value operand = value_null(SQL_BOOLEAN);
    if (plan->operand_count > 0)
        operand = row_value(eval->arguments[0], row);
    if (seeks_operand(plan))
        values[plan->cell_count] = operand;
    status_t status = ensure(subquery, values, error);
    if (status != OK)
        return status;
    bool quantified = plan->kind == SUBPLAN_ANY || plan->kind == SUBPLAN_ALL;
    ASSERT(!subquery->row || eval->expr->index < plan->plan->column_count);
    struct value result = quantified      ? quantify(subquery, &operand)
                          : subquery->row ? subquery->row[eval->expr->index]
                                          : subquery->result;
    put(eval, row, keep_value(eval->scratch, &result));
    return OK;
}

status_t exec__subquery_run(struct eval *eval, const struct batch *in, struct error *error)
{
    const struct subplan *plan = eval->expr->subplan;
    struct subquery *subquery = find_subquery(eval->exec->top, plan);
    exec__eval_prepare(eval, in->row_count);
    for (uint32_t i = 0; i < eval->argument_count; i++) {
        status_t status = exec__eval_run(eval->arguments[i], in, error);
        if (status != OK)
            return status;
    }
    if (plan->kind == SUBPLAN_IN && !seeks_operand(plan)) {
        status_t status = ensure(subquery, NULL, error);
        return status != OK ? status : run_set(eval, subquery, in, error);
    }
    if (subquery->row && subquery->key_count == 0) {
        status_t status = ensure(subquery, NULL, error);
        for (uint32_t i = 0; i < in->selected && status == OK; i++)
            put(eval, batch_row(in, i), subquery->row[eval->expr->index]);
        return status;
    }
    if (!eval->state)
        eval->state =
            arena_alloc(eval->exec->arena, (subquery->key_count + 1) * sizeof(struct value));
    for (uint32_t i = 0; i < in->selected; i++) {
        status_t status = run_row(eval, subquery, batch_row(in, i), eval->state, error);
        if (status != OK)
            return status;
    }
    return OK;
}
