/* EXPLAIN (WHY): for each index of a table that is read, whether it is used, and if not, why not.
 *
 * The reasons are taken down where a path is chosen, from the same figures, and printed behind the
 * plan. Costs are in rows passed on by a scan. */
#include "sql/plan/plan_path_int.h"

#include <string.h>

#include "base/mem.h"

static bool mentions(const struct expr *expr, uint32_t slot)
{
    if (expr->kind == EXPR_COLUMN)
        return expr->index == slot;
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        if (mentions(expr->arguments[i], slot))
            return true;
    }
    return false;
}

static bool restricts(const struct access *access, uint32_t place)
{
    return plan__find_restriction(access, place, FIXED) ||
           plan__find_restriction(access, place, LISTED) ||
           plan__find_restriction(access, place, LOWER) ||
           plan__find_restriction(access, place, UPPER);
}

/* The index serves nothing: what is missing? */
static void print_missing(const struct access *access, const struct index *index,
                          struct buffer *out)
{
    uint32_t place = index->columns[0];
    const char *name = access->table->columns[place].name;
    const struct exprs *conditions = access->conditions;
    for (uint32_t i = 0; i < conditions->count && place < access->table->column_count; i++) {
        if (!mentions(conditions->items[i], access->relation->slot_first + place))
            continue;
        buffer_printf(out, "not used: %s is in ", name);
        expr_print(conditions->items[i], out);
        buffer_printf(out, ", which neither fixes nor bounds it by a value known beforehand");
        return;
    }
    for (uint32_t i = 1; i < index_key_count(index); i++) {
        if (restricts(access, index->columns[i])) {
            buffer_printf(out, "not used: %s has a condition, but %s before it has none",
                          access->table->columns[index->columns[i]].name, name);
            return;
        }
    }
    buffer_printf(out, "not used: no condition is on its first column %s", name);
    if (access->wish->key_count > 0)
        buffer_append_string(out, ", and it does not give the order asked for");
}

static void print_reason(const struct access *access, const struct path *chosen,
                         const struct index *index, struct buffer *out)
{
    struct path path;
    if (index == chosen->index) {
        buffer_printf(out, "used, for about %.0f row%s", chosen->scanned,
                      chosen->scanned < 1.5 ? "" : "s");
        return;
    }
    if (access->planner->options->no_index) {
        buffer_append_string(out, "not used: indexes are switched off");
        return;
    }
    if (index->building) {
        buffer_append_string(out, "not used: it is being built");
        return;
    }
    bool serves = access->outside != 0 ? plan__lookup_path(access, index, &path)
                                       : plan__index_path(access, index, &path);
    if (!plan__predicate_implied(access, index, NULL)) {
        buffer_append_string(out, "not used: the conditions do not say what it asks of its rows, ");
        buffer_append_string(out, index->predicate);
        return;
    }
    if (!serves) {
        print_missing(access, index, out);
        return;
    }
    buffer_printf(out,
                  "not used: it would read about %.0f entries%s at a cost of %.0f, %s costs %.0f",
                  path.scanned, path.index_only ? "" : " and fetch their rows", path.cost,
                  chosen->index->name, chosen->cost);
}

void plan__note_why(const struct access *access, const struct path *chosen, struct plan *scan)
{
    struct planner *planner = access->planner;
    const struct table *table = access->table;
    if (!planner->options->why)
        return;
    scan->as.scan.why = arena_alloc(planner->arena, table->index_count * sizeof(char *));
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct buffer text = {0};
        print_reason(access, chosen, &table->indexes[i], &text);
        scan->as.scan.why[i] = arena_keep_text(planner->arena, &text);
    }
}

static void print_scan(const struct plan *scan, struct buffer *out)
{
    const struct table *table = scan->as.scan.table;
    if (!scan->as.scan.why)
        return;
    buffer_printf(out, "Indexes of %s", table->name);
    if (scan->as.scan.alias && strcmp(scan->as.scan.alias, table->name) != 0)
        buffer_printf(out, " %s", scan->as.scan.alias);
    buffer_append_string(out, ":\n");
    for (uint32_t i = 0; i < table->index_count; i++)
        buffer_printf(out, "   %s: %s\n", table->indexes[i].name, scan->as.scan.why[i]);
}

void plan_explain_why(const struct plan *plan, struct buffer *out)
{
    ASSERT(plan && out);
    if (plan->kind == PLAN_SCAN)
        print_scan(plan, out);
    if (plan->left)
        plan_explain_why(plan->left, out);
    if (plan->right)
        plan_explain_why(plan->right, out);
    struct subplans found = {0};
    plan__find_subplans(plan, &found);
    for (uint32_t i = 0; i < found.count; i++)
        plan_explain_why(found.items[i]->plan, out);
    mem_free(found.items);
}
