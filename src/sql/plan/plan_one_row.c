/* UPDATE and DELETE of one row: whose input is nothing but the row that one whole unique key leads
 * to, and expressions over it. The executor then needs no operators to bring the row: it reads it,
 * looks whether it is meant, works out what it becomes, and writes that.
 *
 * Left to the general way: several keys, other tables, queries inside expressions, an index that
 * has all the columns itself, and changes that other tables' foreign keys answer with more than a
 * refusal (these ask for the statement's changes again and again). */
#include "sql/plan/plan_int.h"

/* May the statement change what this key of another table, or of this one, refers to? */
static bool may_take_away(const struct plan *plan, const struct foreign_key *key)
{
    if (plan->kind == PLAN_DELETE)
        return true;
    for (uint32_t i = 0; i < key->column_count; i++) {
        if (places_have(plan->as.modify.assigned, plan->as.modify.assigned_count,
                        key->parent_columns[i]))
            return true;
    }
    return false;
}

static bool cascades(const struct plan *plan)
{
    const struct table *table = plan->as.modify.table;
    bool acts = false, takes = false;
    for (uint32_t i = 0; i < table->referenced_by_count; i++) {
        const struct foreign_key *key = table->referenced_by[i];
        acts |= key->on_delete > FK_RESTRICT || key->on_update > FK_RESTRICT;
        takes |= may_take_away(plan, key);
    }
    return acts && takes;
}

/* The whole row, by a key there is at most once. */
static bool finds_one_row(const struct plan *plan, const struct table *table)
{
    if (plan->kind != PLAN_SCAN || plan->as.scan.table != table || plan->as.scan.index_only ||
        plan->as.scan.range_count != 1 || !plan_is_lookup(plan))
        return false;
    const struct key_range *range = &plan->as.scan.ranges[0];
    return !range->lower && !range->upper && plan->column_count == table->column_count;
}

/* Do the first expressions pass on the columns as they are? */
static bool passes_row(const struct plan *project, const struct table *table)
{
    ASSERT(project->column_count >= table->column_count);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct expr *expr = project->as.project.exprs[i];
        if (expr->kind != EXPR_COLUMN || expr->index != i)
            return false;
    }
    return true;
}

void plan__one_row(struct planner *planner, struct plan *plan)
{
    ASSERT(plan->kind == PLAN_UPDATE || plan->kind == PLAN_DELETE);
    const struct table *table = plan->as.modify.table;
    const struct plan *input = plan->left;
    if (planner->options->no_one_row || plan->as.modify.may_repeat || planner->subquery_count > 0 ||
        planner->common_count > 0)
        return;
    struct expr **values = NULL;
    if (input->kind == PLAN_PROJECT) {
        if (!passes_row(input, table))
            return;
        values = input->as.project.exprs + table->column_count;
        input = input->left;
    }
    if (plan->as.modify.assigned_count > 0 && !values)
        return;
    struct expr *filter = NULL;
    if (input->kind == PLAN_FILTER) {
        filter = input->as.filter.predicate;
        input = input->left;
    }
    if (!finds_one_row(input, table) || cascades(plan))
        return;
    plan->as.modify.one_row = input;
    plan->as.modify.one_row_filter = filter;
    plan->as.modify.one_row_values = values;
}
