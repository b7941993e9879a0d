/* A table's CHECKs, the predicates of its partial indexes and the expressions that indexes are
 * over, asked of one row at a time: a batch of one row, of which only the columns are filled that
 * an expression names. */
#include "sql/exec/modify_int.h"

void exec__row_batch_init(struct row_batch *row, const struct table *table, const bool *named,
                          struct arena *arena)
{
    ASSERT(table->column_count > 0);
    row->batch = arena_zalloc(arena, sizeof *row->batch);
    row->batch->columns = arena_zalloc(arena, table->column_count * sizeof(struct vector));
    row->batch->column_count = table->column_count;
    row->columns = arena_alloc(arena, table->column_count * sizeof *row->columns);
    row->column_count = 0;
    for (uint32_t c = 0; c < table->column_count; c++) {
        if (!named[c])
            continue;
        row->columns[row->column_count++] = c;
        vector_init(&row->batch->columns[c], arena, table->columns[c].type.kind, 1);
    }
}

void exec__row_batch_load(struct row_batch *row, const struct value *values)
{
    struct batch *batch = row->batch;
    batch_reset(batch);
    for (uint32_t i = 0; i < row->column_count; i++) {
        uint32_t c = row->columns[i];
        vector_set(&batch->columns[c], 0, &values[c]);
    }
    batch->row_count = batch->selected = 1;
}

static void row_make(struct row_rules *rules, struct arena *arena)
{
    const struct table *table = rules->table;
    bool *named = arena_zalloc(arena, table->column_count * sizeof *named);
    for (uint32_t i = 0; i < rules->plan->check_count; i++)
        exec__expr_columns(rules->plan->checks[i].expr, named);
    for (uint32_t i = 0; rules->plan->predicates && i < table->index_count; i++) {
        if (rules->plan->predicates[i])
            exec__expr_columns(rules->plan->predicates[i], named);
    }
    for (uint32_t i = 0; i < table->computed_count; i++)
        exec__expr_columns(rules->plan->computed[i], named);
    exec__row_batch_init(&rules->row, table, named, arena);
}

status_t exec__rules_open(struct exec *exec, const struct table *table,
                          const struct plan_rules *plan, struct row_rules **out,
                          struct error *error)
{
    ASSERT(exec && table && out);
    struct row_rules *rules = arena_zalloc(exec->arena, sizeof *rules);
    *out = rules;
    rules->table = table;
    rules->plan = plan;
    status_t status = plan ? OK : plan_rules(table, exec->arena, &rules->plan, error);
    bool any = status == OK && (rules->plan->check_count > 0 || rules->plan->predicates ||
                                table->computed_count > 0);
    if (!any)
        return status;
    row_make(rules, exec->arena);
    rules->checks = arena_alloc(exec->arena, rules->plan->check_count * sizeof(struct eval *));
    for (uint32_t i = 0; i < rules->plan->check_count && status == OK; i++)
        status = exec__eval_compile(exec, rules->plan->checks[i].expr, &rules->scratch,
                                    &rules->checks[i], error);
    if (rules->plan->predicates)
        rules->predicates = arena_zalloc(exec->arena, table->index_count * sizeof(struct eval *));
    for (uint32_t i = 0; rules->predicates && i < table->index_count && status == OK; i++) {
        if (rules->plan->predicates[i])
            status = exec__eval_compile(exec, rules->plan->predicates[i], &rules->scratch,
                                        &rules->predicates[i], error);
    }
    rules->computed = arena_alloc(exec->arena, (table->computed_count + 1) * sizeof(struct eval *));
    for (uint32_t i = 0; i < table->computed_count && status == OK; i++)
        status = exec__eval_compile(exec, rules->plan->computed[i], &rules->scratch,
                                    &rules->computed[i], error);
    return status;
}

void exec__rules_close(struct row_rules *rules)
{
    if (!rules)
        return;
    arena_free(&rules->scratch);
    arena_free(&rules->kept[0]);
    arena_free(&rules->kept[1]);
}

/* The places an expression knows are of its own text, which is not the statement's. */
static status_t run(struct eval *eval, struct batch *row, struct error *error)
{
    status_t status = exec__eval_run(eval, row, error);
    if (status != OK && error)
        error->position = 0;
    return status;
}

static void row_load(struct row_rules *rules, const struct value *row)
{
    arena_reset(&rules->scratch);
    exec__row_batch_load(&rules->row, row);
}

status_t exec__rules_check(struct row_rules *rules, const struct value *row, struct error *error)
{
    if (rules->plan->check_count == 0)
        return OK;
    ASSERT(rules->checks && row);
    row_load(rules, row);
    for (uint32_t i = 0; i < rules->plan->check_count; i++) {
        struct eval *check = rules->checks[i];
        status_t status = run(check, rules->row.batch, error);
        if (status != OK)
            return status;
        const struct value holds = vector_get(check->result, 0);
        if (holds.null || holds.as.boolean)
            continue;
        error_sql(error, "23514", 0, "new row for relation \"%s\" violates check constraint \"%s\"",
                  rules->table->name, rules->plan->checks[i].name);
        exec__error_row(rules->table, row, error);
        return ERR_SQL;
    }
    return OK;
}

static status_t predicate_ask(struct row_rules *rules, uint32_t index, const struct value *row,
                              bool *holds, struct error *error)
{
    row_load(rules, row);
    struct eval *predicate = rules->predicates[index];
    status_t status = run(predicate, rules->row.batch, error);
    if (status != OK)
        return status;
    const struct value value = vector_get(predicate->result, 0);
    *holds = !value.null && value.as.boolean;
    return OK;
}

/* What the index is over, behind the row's columns. */
static status_t row_compute(struct row_rules *rules, const struct index *index, struct value *row,
                            struct error *error)
{
    struct arena *kept = &rules->kept[rules->turn++ % 2];
    arena_reset(kept);
    row_load(rules, row);
    for (uint32_t k = 0; k < index->column_count; k++) {
        uint32_t place = index->columns[k];
        if (place < rules->table->column_count)
            continue;
        struct eval *eval = rules->computed[place - rules->table->column_count];
        status_t status = run(eval, rules->row.batch, error);
        if (status != OK)
            return status;
        row[place] = vector_get(eval->result, 0);
        if (!row[place].null && type_is_slice(row[place].type))
            row[place].as.text = arena_copy(kept, row[place].as.text);
    }
    return OK;
}

status_t exec__rules_covers(struct row_rules *rules, uint32_t index, struct value *row,
                            bool *covers, struct error *error)
{
    const struct table *table = rules->table;
    ASSERT(index < table->index_count);
    *covers = true;
    if (rules->predicates && rules->predicates[index]) {
        status_t status = predicate_ask(rules, index, row, covers, error);
        if (status != OK || !*covers)
            return status;
    }
    if (table->computed_count == 0 || index_is_plain(table, &table->indexes[index]))
        return OK;
    return row_compute(rules, &table->indexes[index], row, error);
}
