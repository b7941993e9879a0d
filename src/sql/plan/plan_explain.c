/* Plans drawn as trees. */
#include <string.h>

#include "base/mem.h"
#include "sql/plan/plan_int.h"

enum { DRAWN_RANGES = 4, DRAWN_ROWS = 3 };

static void print_list(struct expr **items, uint32_t count, struct buffer *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(out, i ? ", " : "");
        expr_print(items[i], out);
    }
}

/* ---- scans ------------------------------------------------------------------------------------
 */

/* One key column's part of a range: "id = 5". */
static void print_key(const struct plan *scan, uint32_t column, const char *op,
                      const struct expr *value, bool *first, struct buffer *out)
{
    const struct table *table = scan->as.scan.table;
    uint32_t place = scan->as.scan.index->columns[column];
    ASSERT(place < table->column_count + table->computed_count);
    buffer_printf(out, "%s%s %s ", *first ? "" : ", ", table->columns[place].name, op);
    expr_print(value, out);
    *first = false;
}

static void print_range(const struct plan *scan, const struct key_range *range, struct buffer *out)
{
    bool first = true;
    buffer_append_string(out, " (");
    for (uint32_t i = 0; i < range->equal_count; i++)
        print_key(scan, i, "=", range->equal[i], &first, out);
    if (range->lower)
        print_key(scan, range->equal_count, range->lower_inclusive ? ">=" : ">", range->lower,
                  &first, out);
    if (range->upper)
        print_key(scan, range->equal_count, range->upper_inclusive ? "<=" : "<", range->upper,
                  &first, out);
    buffer_append_byte(out, ')');
}

bool plan_is_lookup(const struct plan *scan)
{
    ASSERT(scan->kind == PLAN_SCAN);
    const struct index *index = scan->as.scan.index;
    return index->unique && scan->as.scan.range_count > 0 &&
           scan->as.scan.ranges[0].equal_count == index_key_count(index);
}

static void print_scan(const struct plan *scan, struct buffer *out)
{
    const struct table *table = scan->as.scan.table;
    bool primary = scan->as.scan.index == &table->indexes[0];
    bool whole = scan->as.scan.range_count == 0;
    const char *by = !primary ? (scan->as.scan.index_only ? "Index Only " : "Index ")
                     : whole  ? ""
                              : "Key ";
    buffer_printf(out, "%s%s: %s", by, plan_is_lookup(scan) ? "Lookup" : "Scan", table->name);
    if (scan->as.scan.alias && strcmp(scan->as.scan.alias, table->name) != 0)
        buffer_printf(out, " %s", scan->as.scan.alias);
    if (!primary)
        buffer_printf(out, " using %s", scan->as.scan.index->name);
    if (scan->as.scan.reverse)
        buffer_append_string(out, " reverse");
    for (uint32_t i = 0; i < scan->as.scan.range_count && i < DRAWN_RANGES; i++)
        print_range(scan, &scan->as.scan.ranges[i], out);
    if (scan->as.scan.range_count > DRAWN_RANGES)
        buffer_printf(out, " and %u more ranges", scan->as.scan.range_count - DRAWN_RANGES);
}

/* ---- other operators --------------------------------------------------------------------------
 */

static void print_values(const struct plan *plan, struct buffer *out)
{
    uint32_t rows = plan->as.values.row_count;
    if (rows == 0) {
        buffer_append_string(out, "Nothing");
        return;
    }
    buffer_append_string(out, "Values:");
    for (uint32_t i = 0; i < rows && i < DRAWN_ROWS; i++) {
        buffer_append_string(out, i ? ", (" : " (");
        print_list(plan->as.values.rows + (size_t)i * plan->column_count, plan->column_count, out);
        buffer_append_byte(out, ')');
    }
    if (rows > DRAWN_ROWS)
        buffer_printf(out, " and %u more rows", rows - DRAWN_ROWS);
}

static void print_join(const struct plan *plan, struct buffer *out)
{
    static const char *const names[] = {
        [PLAN_HASH_JOIN] = "Hash Join",
        [PLAN_NESTED_LOOP_JOIN] = "Nested Loop Join",
        [PLAN_LOOKUP_JOIN] = "Lookup Join",
        [PLAN_MERGE_JOIN] = "Merge Join",
    };
    static const char *const kinds[] = {
        [JOIN_INNER] = "inner", [JOIN_LEFT] = "left", [JOIN_RIGHT] = "right", [JOIN_FULL] = "full",
        [JOIN_CROSS] = "cross", [JOIN_SEMI] = "semi", [JOIN_ANTI] = "anti",
    };
    bool cross = plan->kind == PLAN_NESTED_LOOP_JOIN && plan->as.join.kind == JOIN_INNER &&
                 !plan->as.join.condition;
    buffer_printf(out, "%s (%s)", names[plan->kind], cross ? "cross" : kinds[plan->as.join.kind]);
    const char *separator = ": ";
    for (uint32_t i = 0; i < plan->as.join.key_count; i++) {
        buffer_append_string(out, separator);
        expr_print(plan->as.join.left_keys[i], out);
        buffer_append_string(out, " = ");
        expr_print(plan->as.join.right_keys[i], out);
        separator = " AND ";
    }
    if (plan->as.join.condition) {
        bool parentheses = plan->as.join.key_count > 0 && plan->as.join.condition->kind == EXPR_OR;
        buffer_append_string(out, separator);
        buffer_append_string(out, parentheses ? "(" : "");
        expr_print(plan->as.join.condition, out);
        buffer_append_string(out, parentheses ? ")" : "");
    }
}

static void print_aggregate(const struct plan *plan, struct buffer *out)
{
    buffer_append_string(out, plan->as.aggregate.grouped ? "Aggregate (in order):" : "Aggregate:");
    for (uint32_t i = 0; i < plan->as.aggregate.aggregate_count; i++) {
        buffer_append_string(out, i ? ", " : " ");
        plan__print_aggregate(&plan->as.aggregate.aggregates[i], out);
    }
    if (plan->as.aggregate.group_count == 0)
        return;
    buffer_append_string(out, " by ");
    print_list(plan->as.aggregate.groups, plan->as.aggregate.group_count, out);
}

static void print_limit(const struct expr *limit, const struct expr *offset, struct buffer *out)
{
    if (limit)
        expr_print(limit, out);
    if (offset) {
        buffer_append_string(out, limit ? " offset " : "offset ");
        expr_print(offset, out);
    }
}

static void print_sort(const struct plan *plan, struct buffer *out)
{
    buffer_append_string(out, plan->kind == PLAN_TOP_N ? "Top N: " : "Sort: ");
    plan__print_sort_keys(plan->as.sort.keys, plan->as.sort.key_count, out);
    if (plan->kind == PLAN_TOP_N) {
        buffer_append_string(out, " limit ");
        print_limit(plan->as.sort.limit, plan->as.sort.offset, out);
    }
}

static void print_modify(const struct plan *plan, struct buffer *out)
{
    const struct table *table = plan->as.modify.table;
    const char *name = plan->kind == PLAN_INSERT   ? "Insert"
                       : plan->kind == PLAN_UPDATE ? "Update"
                                                   : "Delete";
    buffer_printf(out, "%s%s: %s", name, plan->as.modify.one_row ? " (one row)" : "", table->name);
    for (uint32_t i = 0; i < plan->as.modify.assigned_count; i++)
        buffer_printf(out, "%s%s", i ? ", " : " set ",
                      table->columns[plan->as.modify.assigned[i]].name);
    static const char *const actions[] = {
        [CONFLICT_ERROR] = "",
        [CONFLICT_NOTHING] = " on conflict do nothing",
        [CONFLICT_UPDATE] = " on conflict update",
        [CONFLICT_REPLACE] = " replacing",
    };
    buffer_append_string(out, actions[plan->as.modify.conflict]);
    if (plan->as.modify.conflict_index)
        buffer_printf(out, " of %s", plan->as.modify.conflict_index->name);
}

static void print_operator(const struct plan *plan, struct buffer *out)
{
    switch (plan->kind) {
    case PLAN_VALUES:
        print_values(plan, out);
        return;
    case PLAN_SCAN:
        print_scan(plan, out);
        return;
    case PLAN_FILTER:
        buffer_append_string(out, "Filter: ");
        expr_print(plan->as.filter.predicate, out);
        return;
    case PLAN_KEY_FILTER:
        buffer_append_string(out, "Key Filter: ");
        print_list(plan->as.key_filter.keys, plan->as.key_filter.key_count, out);
        buffer_append_string(out, " among ");
        print_list(plan->as.key_filter.join->as.join.right_keys, plan->as.key_filter.key_count,
                   out);
        return;
    case PLAN_PROJECT:
        buffer_append_string(out, "Project: ");
        print_list(plan->as.project.exprs, plan->column_count, out);
        return;
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP_JOIN:
    case PLAN_LOOKUP_JOIN:
    case PLAN_MERGE_JOIN:
        print_join(plan, out);
        return;
    case PLAN_LATERAL_JOIN:
        buffer_printf(out,
                      "Lateral Join (%s): ", plan->as.lateral.kind == JOIN_LEFT ? "left" : "inner");
        print_list(plan->as.lateral.values, plan->as.lateral.cell_count, out);
        if (plan->as.lateral.condition) {
            buffer_append_string(out, " on ");
            expr_print(plan->as.lateral.condition, out);
        }
        return;
    case PLAN_SERIES:
        buffer_append_string(out, "Series: ");
        print_list((struct expr **)plan->as.series.bounds, 3, out);
        return;
    case PLAN_AGGREGATE:
        print_aggregate(plan, out);
        return;
    case PLAN_WINDOW:
        for (uint32_t i = 0; i < plan->as.window.function_count; i++) {
            buffer_append_string(out, i ? ", " : "Window: ");
            plan__print_window(plan, &plan->as.window.functions[i], out);
        }
        return;
    case PLAN_SORT:
    case PLAN_TOP_N:
        print_sort(plan, out);
        return;
    case PLAN_LIMIT:
        buffer_append_string(out, "Limit: ");
        print_limit(plan->as.limit.limit, plan->as.limit.offset, out);
        buffer_append_string(out, plan->as.limit.with_ties ? " with ties" : "");
        return;
    case PLAN_COPY:
        buffer_printf(out, "Copy: %s", plan->as.copy.table);
        return;
    case PLAN_DISTINCT:
        buffer_append_string(out, "Distinct");
        buffer_append_string(out, plan->as.distinct.key_count > 0 ? " on: " : "");
        print_list(plan->as.distinct.keys, plan->as.distinct.key_count, out);
        return;
    case PLAN_APPEND:
        buffer_append_string(out, "Append");
        return;
    case PLAN_RECURSIVE:
        buffer_append_string(out, plan->as.with.all ? "Recursive Union (all)" : "Recursive Union");
        return;
    case PLAN_WORKING:
        buffer_printf(out, "Working Table: %s", plan->as.with.name);
        return;
    case PLAN_COMMON:
        buffer_printf(out, "Common Query: %s", plan->as.with.name);
        return;
    case PLAN_INTERSECT:
    case PLAN_EXCEPT:
        buffer_append_string(out, plan->kind == PLAN_INTERSECT ? "Intersect" : "Except");
        buffer_append_string(out, plan->as.set.all ? " (all)" : "");
        return;
    case PLAN_INSERT:
    case PLAN_UPDATE:
    case PLAN_DELETE:
        print_modify(plan, out);
        return;
    case PLAN_GATHER: /* not the planner's */
        break;
    }
    UNREACHABLE();
}

/* Shown where it was guessed: not where it follows from the line itself. */
static bool shows_estimate(const struct plan *plan)
{
    switch (plan->kind) {
    case PLAN_SCAN:
        return !plan_is_lookup(plan);
    case PLAN_FILTER:
    case PLAN_KEY_FILTER:
    case PLAN_HASH_JOIN:
    case PLAN_NESTED_LOOP_JOIN:
    case PLAN_LOOKUP_JOIN:
    case PLAN_MERGE_JOIN:
    case PLAN_LATERAL_JOIN:
        return true;
    case PLAN_AGGREGATE:
        return plan->as.aggregate.group_count > 0;
    default:
        return false;
    }
}

struct drawing {
    uint64_t commons;     /* common queries that have been drawn: the first 64 are told apart */
    struct buffer indent; /* stands in front of a child's lines */
    plan_note_fn *note;   /* or NULL */
    void *context;
    struct buffer *out;
};

static void draw(struct drawing *drawing, const struct plan *plan, const char *lead);

static void indent_children(struct buffer *indent, const char *lead)
{
    if (lead[0])
        buffer_append_string(indent, strcmp(lead, "└─ ") == 0 ? "   " : "│  ");
}

static void draw_subplan(struct drawing *drawing, const struct subplan *subplan, const char *lead)
{
    struct buffer *indent = &drawing->indent;
    buffer_append_slice(drawing->out, buffer_slice(indent));
    buffer_printf(drawing->out, "%sSubquery %u\n", lead, subplan->number + 1);
    size_t before = indent->size;
    indent_children(indent, lead);
    draw(drawing, subplan->plan, "└─ ");
    indent->size = before;
}

/* What hangs below the first place that reads a common query. */
static const struct plan *common_below(struct drawing *drawing, const struct plan *plan)
{
    if (plan->kind != PLAN_COMMON)
        return NULL;
    uint64_t bit = UINT64_C(1) << plan->as.with.number % 64;
    bool drawn = drawing->commons & bit;
    drawing->commons |= bit;
    return drawn ? NULL : plan->as.with.plan;
}

/* `lead` stands in front of the node's own line. */
static void draw(struct drawing *drawing, const struct plan *plan, const char *lead)
{
    struct buffer *indent = &drawing->indent;
    struct buffer *out = drawing->out;
    buffer_append_slice(out, buffer_slice(indent));
    buffer_append_string(out, lead);
    print_operator(plan, out);
    if (shows_estimate(plan))
        buffer_printf(out, " (~%.0f row%s)", plan->rows_estimate,
                      plan->rows_estimate < 1.5 ? "" : "s");
    if (drawing->note)
        drawing->note(drawing->context, plan, out);
    buffer_append_byte(out, '\n');
    size_t before = indent->size;
    indent_children(indent, lead);
    struct subplans found = {0};
    plan__find_subplans(plan, &found);
    const struct plan *common = common_below(drawing, plan);
    if (common)
        draw(drawing, common, found.count > 0 ? "├─ " : "└─ ");
    if (plan->left)
        draw(drawing, plan->left, plan->right || found.count > 0 ? "├─ " : "└─ ");
    if (plan->right)
        draw(drawing, plan->right, found.count > 0 ? "├─ " : "└─ ");
    for (uint32_t i = 0; i < found.count; i++)
        draw_subplan(drawing, found.items[i], i + 1 < found.count ? "├─ " : "└─ ");
    mem_free(found.items);
    indent->size = before;
}

void plan_explain_noted(const struct plan *plan, plan_note_fn *note, void *context,
                        struct buffer *out)
{
    ASSERT(plan && out);
    struct drawing drawing = {.note = note, .context = context, .out = out};
    draw(&drawing, plan, "");
    buffer_free(&drawing.indent);
}

void plan_explain(const struct plan *plan, struct buffer *out)
{
    plan_explain_noted(plan, NULL, NULL, out);
}
