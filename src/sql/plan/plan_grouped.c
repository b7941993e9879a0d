/* Do the rows of a plan with equal values in some columns come one after the other? An aggregation
 * of such rows needs no table of its groups: each is over when the next one begins.
 *
 * It is read off the plan. Rows come in the order of the key of the scan they begin with, which
 * filters, projections and joins (of their left rows) keep, and the columns asked for must be the
 * first of that key, in any order among themselves. A column that the range fixes to one value may
 * be among them or not. With the whole primary key come all other columns of the table: they are of
 * one row. */
#include "sql/plan/plan_int.h"

/* Columns of the rows of a plan. */
struct asked {
    uint32_t *columns;
    uint32_t count;
};

static bool through_project(const struct plan *plan, struct asked *asked)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        const struct expr *expr = plan->as.project.exprs[asked->columns[i]];
        if (expr->kind != EXPR_COLUMN)
            return false;
        asked->columns[i] = expr->index;
    }
    return true;
}

/* A column of the left side that an inner join makes equal to this one of the right; UINT32_MAX:
 * there is none. */
static uint32_t left_equal(const struct plan *join, uint32_t right)
{
    const struct plan *inner = join->right;
    if (join->as.join.kind != JOIN_INNER || !type_key_is_exact(inner->types[right]))
        return UINT32_MAX;
    for (uint32_t k = 0; k < join->as.join.key_count; k++) {
        const struct expr *own = join->as.join.left_keys[k];
        const struct expr *other = join->as.join.right_keys[k];
        if (own->kind == EXPR_COLUMN && other->kind == EXPR_COLUMN && other->index == right)
            return own->index;
    }
    if (join->kind != PLAN_LOOKUP_JOIN)
        return UINT32_MAX;
    ASSERT(inner->kind == PLAN_SCAN && inner->as.scan.range_count == 1);
    const struct key_range *range = &inner->as.scan.ranges[0];
    for (uint32_t i = 0; i < range->equal_count; i++) {
        if (range->equal[i]->kind == EXPR_COLUMN &&
            inner->as.scan.index->columns[i] == inner->as.scan.columns[right])
            return range->equal[i]->index;
    }
    return UINT32_MAX;
}

static bool through_join(const struct plan *plan, struct asked *asked)
{
    enum join_kind kind = plan->as.join.kind;
    uint32_t left = plan->left->column_count;
    bool possible = kind != JOIN_FULL && kind != JOIN_RIGHT;
    for (uint32_t i = 0; i < asked->count && possible; i++) {
        if (asked->columns[i] >= left)
            asked->columns[i] = left_equal(plan, asked->columns[i] - left);
        possible = asked->columns[i] < left;
    }
    return possible;
}

/* Is the place in the table among the columns asked for? */
static bool is_asked(const struct plan *scan, const struct asked *asked, uint32_t place)
{
    for (uint32_t i = 0; i < asked->count; i++) {
        if (scan->as.scan.columns[asked->columns[i]] == place)
            return true;
    }
    return false;
}

static bool scan_groups(const struct plan *scan, const struct asked *asked)
{
    const struct index *index = scan->as.scan.index;
    uint32_t ranges = scan->as.scan.range_count;
    uint32_t fixed = ranges == 1 ? scan->as.scan.ranges[0].equal_count : 0;
    uint32_t different = 0, met = 0;
    if (ranges > 1)
        return false;
    for (uint32_t i = 0; i < asked->count; i++) {
        bool again = false;
        for (uint32_t before = 0; before < i; before++)
            again |= asked->columns[before] == asked->columns[i];
        different += !again;
    }
    for (uint32_t i = 0; i < index->column_count && met < different; i++) {
        if (is_asked(scan, asked, index->columns[i]))
            met++;
        else if (i >= fixed)
            break;
    }
    bool one_row = index->id == 0 && index->column_count > 0;
    for (uint32_t i = 0; i < index->column_count && one_row; i++)
        one_row = i < fixed || is_asked(scan, asked, index->columns[i]);
    return met == different || one_row;
}

bool plan__comes_grouped(struct planner *planner, const struct plan *plan,
                         struct expr *const *groups, uint32_t count)
{
    struct asked asked = {.columns = arena_alloc(planner->arena, (count + 1) * sizeof(uint32_t)),
                          .count = count};
    bool possible = count > 0;
    for (uint32_t i = 0; i < count && possible; i++) {
        asked.columns[i] = groups[i]->index;
        possible = groups[i]->kind == EXPR_COLUMN;
    }
    for (; possible && plan->kind != PLAN_SCAN; plan = plan->left) {
        switch (plan->kind) {
        case PLAN_FILTER:
            break;
        case PLAN_PROJECT:
            possible = through_project(plan, &asked);
            break;
        case PLAN_HASH_JOIN:
        case PLAN_MERGE_JOIN:
        case PLAN_LOOKUP_JOIN:
        case PLAN_NESTED_LOOP_JOIN:
            possible = through_join(plan, &asked);
            break;
        default:
            return false;
        }
    }
    return possible && scan_groups(plan, &asked);
}
