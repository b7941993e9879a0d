/* Expressions made simpler, meaning kept (three-valued logic included).
 *
 *   constants            1 + 2 -> 3, x AND false -> false, CASE WHEN true ...
 *   NOT                  NOT (a AND b) -> NOT a OR NOT b, NOT a < b -> a >= b
 *   sides                5 < a -> a > 5, so that what follows sees columns on the left
 *   OR of equalities     a = 1 OR a = 2 -> a IN (1, 2), which an index can serve
 *   common conditions    (a AND b) OR (a AND c) -> a AND (b OR c)
 *
 * Nodes may be shared between places of a query, so none is changed in meaning: a different
 * expression is a different node. */
#include <math.h>
#include <string.h>

#include "sql/plan/plan_int.h"

static struct expr *simplify_node(struct planner *planner, struct expr *expr);

static struct expr *junction(struct planner *planner, enum expr_kind kind, struct expr **items,
                             uint32_t count)
{
    ASSERT(kind == EXPR_AND || kind == EXPR_OR);
    struct expr *expr = plan__and(planner, items, count);
    if (count > 1)
        expr->kind = kind;
    return expr;
}

/* ---- AND, OR ----------------------------------------------------------------------------------
 */

/* Looks no further than this, so that a list of thousands costs no square; a repetition that stays
 * is harmless, as is a common condition that is not found. */
enum { REPETITION_REACH = 64 };

static bool stands_in(const struct exprs *list, const struct expr *expr)
{
    for (uint32_t i = 0; i < list->count && i < REPETITION_REACH; i++) {
        if (plan__equal(list->items[i], expr))
            return true;
    }
    return false;
}

/* Parts of parts, without those that decide nothing and without repetitions. NULL stays: NULL AND x
 * is not always NULL. Returns the part that decides everything, or NULL. */
static struct expr *gather(struct planner *planner, enum expr_kind kind, struct expr **items,
                           uint32_t count, struct exprs *out)
{
    bool is_and = kind == EXPR_AND;
    for (uint32_t i = 0; i < count; i++) {
        struct expr *item = items[i];
        if (item->kind == kind) {
            struct expr *decisive =
                gather(planner, kind, item->arguments, item->argument_count, out);
            if (decisive)
                return decisive;
            continue;
        }
        if (plan__is_constant(item) && !item->constant.null) {
            if (item->constant.as.boolean != is_and)
                return item;
            continue;
        }
        if (!stands_in(out, item))
            plan__append(planner, out, item);
    }
    return NULL;
}

/* The column that `expr` compares with constants or parameters: c = x or c IN (x, ...). */
static struct expr *equated_column(const struct expr *expr)
{
    bool is_equality = expr->kind == EXPR_CALL && expr->call == CALL_EQ;
    if ((!is_equality && expr->kind != EXPR_IN) || expr->arguments[0]->kind != EXPR_COLUMN)
        return NULL;
    for (uint32_t i = 1; i < expr->argument_count; i++) {
        if (!plan__is_fixed(expr->arguments[i]))
            return NULL;
    }
    return expr->arguments[0];
}

/* c = 1 OR c = 2 OR c IN (3, 4) -> c IN (1, 2, 3, 4), put where the first of them stood. */
static void merge_equalities(struct planner *planner, struct exprs *parts)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        struct expr *column = equated_column(parts->items[i]);
        if (!column)
            continue;
        struct exprs list = {0};
        plan__append(planner, &list, column);
        uint32_t kept = i + 1;
        for (uint32_t j = i; j < parts->count; j++) {
            struct expr *part = parts->items[j];
            struct expr *other = equated_column(part);
            if (!other || other->index != column->index) {
                if (j > i)
                    parts->items[kept++] = part;
                continue;
            }
            for (uint32_t k = 1; k < part->argument_count; k++) {
                if (!stands_in(&list, part->arguments[k]))
                    plan__append(planner, &list, part->arguments[k]);
            }
        }
        if (kept == parts->count)
            continue; /* alone */
        parts->count = kept;
        struct expr *in = plan__node(planner, EXPR_IN, SQL_BOOLEAN, parts->items[i]->position);
        in->arguments = list.items;
        in->argument_count = list.count;
        parts->items[i] = in;
    }
}

static bool has_conjunct(const struct expr *expr, const struct expr *wanted)
{
    if (expr->kind != EXPR_AND)
        return plan__equal(expr, wanted);
    for (uint32_t i = 0; i < expr->argument_count && i < REPETITION_REACH; i++) {
        if (plan__equal(expr->arguments[i], wanted))
            return true;
    }
    return false;
}

/* What of an AND is left without the common conditions; NULL: nothing, it is true. */
static struct expr *without(struct planner *planner, struct expr *expr, const struct exprs *common)
{
    struct exprs rest = {0};
    struct expr **items = expr->kind == EXPR_AND ? expr->arguments : &expr;
    uint32_t count = expr->kind == EXPR_AND ? expr->argument_count : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (!stands_in(common, items[i]))
            plan__append(planner, &rest, items[i]);
    }
    return rest.count ? plan__and(planner, rest.items, rest.count) : NULL;
}

/* (a AND b) OR (a AND c) -> a AND (b OR c). NULL when nothing is common to all. */
static struct expr *factor(struct planner *planner, struct exprs *parts)
{
    struct expr *first = parts->items[0];
    struct expr **candidates = first->kind == EXPR_AND ? first->arguments : &first;
    uint32_t count = first->kind == EXPR_AND ? first->argument_count : 1;
    struct exprs common = {0};
    for (uint32_t i = 0; i < count && i < REPETITION_REACH; i++) {
        bool everywhere = true;
        for (uint32_t j = 1; j < parts->count && everywhere; j++)
            everywhere = has_conjunct(parts->items[j], candidates[i]);
        if (everywhere)
            plan__append(planner, &common, candidates[i]);
    }
    if (common.count == 0)
        return NULL;
    struct exprs rests = {0};
    bool always = false;
    for (uint32_t j = 0; j < parts->count; j++) {
        struct expr *rest = without(planner, parts->items[j], &common);
        always |= !rest;
        if (rest)
            plan__append(planner, &rests, rest);
    }
    if (!always)
        plan__append(planner, &common,
                     simplify_node(planner, junction(planner, EXPR_OR, rests.items, rests.count)));
    return plan__and(planner, common.items, common.count);
}

static struct expr *simplify_junction(struct planner *planner, struct expr *expr)
{
    struct exprs parts = {0};
    struct expr *decisive =
        gather(planner, expr->kind, expr->arguments, expr->argument_count, &parts);
    if (decisive)
        return decisive;
    if (parts.count == 0)
        return plan__constant(planner, value_boolean(expr->kind == EXPR_AND), expr->position);
    if (expr->kind == EXPR_OR && parts.count > 1) {
        merge_equalities(planner, &parts);
        struct expr *factored = parts.count > 1 ? factor(planner, &parts) : NULL;
        if (factored)
            return factored;
    }
    return junction(planner, expr->kind, parts.items, parts.count);
}

/* ---- NOT --------------------------------------------------------------------------------------
 */

/* The call that is true where this one is false, and NULL where it is. */
static bool opposite(enum expr_call call, enum expr_call *out)
{
    static const enum expr_call pairs[][2] = {
        {CALL_EQ, CALL_NE},
        {CALL_LT, CALL_GE},
        {CALL_GT, CALL_LE},
        {CALL_IS_DISTINCT, CALL_IS_NOT_DISTINCT},
        {CALL_IS_NULL, CALL_IS_NOT_NULL},
        {CALL_IS_TRUE, CALL_IS_NOT_TRUE},
        {CALL_IS_FALSE, CALL_IS_NOT_FALSE},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i][0] == call || pairs[i][1] == call) {
            *out = pairs[i][0] == call ? pairs[i][1] : pairs[i][0];
            return true;
        }
    }
    return false;
}

static struct expr *simplify_not(struct planner *planner, struct expr *expr)
{
    struct expr *inner = expr->arguments[0];
    if (inner->kind == EXPR_CALL && inner->call == CALL_NOT)
        return inner->arguments[0];
    if (inner->kind == EXPR_AND || inner->kind == EXPR_OR) {
        uint32_t count = inner->argument_count;
        struct expr **items = arena_alloc(planner->arena, count * sizeof *items);
        for (uint32_t i = 0; i < count; i++)
            items[i] = simplify_node(planner, plan__call1(planner, CALL_NOT, SQL_BOOLEAN,
                                                          expr->position, inner->arguments[i]));
        enum expr_kind kind = inner->kind == EXPR_AND ? EXPR_OR : EXPR_AND;
        return simplify_node(planner, junction(planner, kind, items, count));
    }
    enum expr_call call;
    if (inner->kind == EXPR_CALL && opposite(inner->call, &call))
        return plan__call(planner, call, SQL_BOOLEAN, inner->position, inner->arguments,
                          inner->argument_count);
    return expr;
}

/* ---- CASE, COALESCE, comparisons ---------------------------------------------------------------
 */

/* Branches that are never taken go, and what stands behind one that always is. */
static struct expr *simplify_case(struct planner *planner, struct expr *expr)
{
    ASSERT(expr->argument_count % 2 == 1);
    struct exprs kept = {0};
    struct expr *otherwise = expr->arguments[expr->argument_count - 1];
    for (uint32_t i = 0; i + 1 < expr->argument_count; i += 2) {
        if (plan__is_false_or_null(expr->arguments[i]))
            continue;
        if (plan__is_true(expr->arguments[i])) {
            otherwise = expr->arguments[i + 1];
            break;
        }
        plan__append(planner, &kept, expr->arguments[i]);
        plan__append(planner, &kept, expr->arguments[i + 1]);
    }
    if (kept.count == 0)
        return otherwise;
    if (kept.count + 1 == expr->argument_count)
        return expr;
    plan__append(planner, &kept, otherwise);
    struct expr *copy = plan__node(planner, EXPR_CASE, expr->type, expr->position);
    copy->arguments = kept.items;
    copy->argument_count = kept.count;
    copy->is_volatile = expr->is_volatile;
    return copy;
}

/* NULLs go, and what stands behind a constant that is not NULL. */
static struct expr *simplify_coalesce(struct planner *planner, struct expr *expr)
{
    struct exprs kept = {0};
    for (uint32_t i = 0; i < expr->argument_count; i++) {
        struct expr *argument = expr->arguments[i];
        if (!plan__is_constant(argument)) {
            plan__append(planner, &kept, argument);
        } else if (!argument->constant.null) {
            plan__append(planner, &kept, argument);
            break;
        }
    }
    if (kept.count == 0)
        return plan__constant(planner, value_null(expr->type), expr->position);
    if (kept.count == 1)
        return kept.items[0];
    if (kept.count == expr->argument_count)
        return expr;
    struct expr *copy =
        plan__call(planner, CALL_COALESCE, expr->type, expr->position, kept.items, kept.count);
    copy->name = expr->name;
    return copy;
}

/* An integer column compared with a whole number that was written as a numeric or a double is
 * compared as an integer, so that an index can serve. Exact while a double has all integers. */
static struct expr *compare_as_integer(struct planner *planner, struct expr *expr)
{
    static const double exact_max = 9007199254740992; /* 2^53 */
    const struct expr *left = expr->arguments[0];
    const struct expr *right = expr->arguments[1];
    bool fits = left->kind == EXPR_CAST &&
                (left->type == SQL_DOUBLE || left->type == SQL_NUMERIC) && left->cast_limit == 0 &&
                left->arguments[0]->type == SQL_INTEGER &&
                left->arguments[0]->kind == EXPR_COLUMN && plan__is_constant(right) &&
                !right->constant.null;
    if (!fits)
        return expr;
    int64_t whole = 0;
    if (left->type == SQL_NUMERIC) {
        struct numeric number = numeric_trim(right->constant.as.numeric);
        if (numeric_scale(number) > 0 || !numeric_to_integer(number, &whole))
            return expr;
    } else {
        double number = right->constant.as.real;
        if (!(number > -exact_max && number < exact_max) || number != floor(number))
            return expr;
        whole = (int64_t)number;
    }
    struct expr *integer = plan__constant(planner, value_integer(whole), right->position);
    return plan__call2(planner, expr->call, SQL_BOOLEAN, expr->position, left->arguments[0],
                       integer);
}

static struct expr *simplify_comparison(struct planner *planner, struct expr *expr)
{
    struct expr *left = expr->arguments[0];
    struct expr *right = expr->arguments[1];
    bool turned = plan__is_fixed(left) && !plan__is_fixed(right);
    if (turned)
        expr = plan__call2(planner, expr_call_mirrored(expr->call), SQL_BOOLEAN, expr->position,
                           right, left);
    return compare_as_integer(planner, expr);
}

static struct expr *simplify_in(struct planner *planner, struct expr *expr)
{
    if (expr->argument_count != 2)
        return expr;
    return plan__call2(planner, CALL_EQ, SQL_BOOLEAN, expr->position, expr->arguments[0],
                       expr->arguments[1]);
}

/* One node whose arguments are simple already. */
static struct expr *simplify_node(struct planner *planner, struct expr *expr)
{
    if (expr->argument_count == 0 || planner->options->no_fold)
        return expr;
    if (expr->kind == EXPR_AND || expr->kind == EXPR_OR)
        return simplify_junction(planner, expr);
    if (expr->kind == EXPR_SUBQUERY)
        return expr;
    if (expr->kind == EXPR_CASE)
        return simplify_case(planner, expr);
    struct expr *folded = expr->is_volatile ? NULL : plan__fold(planner, expr);
    if (folded)
        return folded;
    if (expr->kind == EXPR_IN)
        return simplify_in(planner, expr);
    if (expr->kind != EXPR_CALL)
        return expr;
    if (expr->call == CALL_NOT)
        return simplify_not(planner, expr);
    if (expr->call == CALL_COALESCE)
        return simplify_coalesce(planner, expr);
    if (plan__is_comparison(expr->call))
        return simplify_comparison(planner, expr);
    return expr;
}

struct expr *plan__simplify(struct planner *planner, struct expr *expr)
{
    ASSERT(expr);
    if (expr->argument_count == 0)
        return expr;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        expr->arguments[i] = plan__simplify(planner, expr->arguments[i]);
    return simplify_node(planner, expr);
}

/* ---- lists and queries ------------------------------------------------------------------------
 */

void plan__simplify_conjuncts(struct planner *planner, struct exprs *list)
{
    struct exprs out = {0};
    for (uint32_t i = 0; i < list->count; i++)
        list->items[i] = plan__simplify(planner, list->items[i]);
    struct expr *decisive = gather(planner, EXPR_AND, list->items, list->count, &out);
    if (decisive) {
        out.count = 0;
        plan__append(planner, &out, decisive);
    }
    *list = out;
}

static void simplify_from(struct planner *planner, struct query *query, struct from_node *node)
{
    if (node->leaf) {
        const struct relation *relation = &query->relations[node->relation];
        if (relation->derived && !plan__is_common(relation))
            plan__rewrite_query(planner, relation->derived);
        return;
    }
    plan__simplify_conjuncts(planner, &node->on);
    for (uint32_t i = 0; i < node->input_count; i++)
        simplify_from(planner, query, node->inputs[i]);
}

static void simplify_each(struct planner *planner, struct expr **items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        items[i] = plan__simplify(planner, items[i]);
}

static void simplify_window(struct planner *planner, struct window *window)
{
    struct expr **place;
    for (uint32_t i = 0; (place = plan__window_expr(window, i)) != NULL; i++)
        *place = *place ? plan__simplify(planner, *place) : NULL;
}

void plan__rewrite_query(struct planner *planner, struct query *query)
{
    for (int i = 0; i < 2 && query->set; i++)
        plan__rewrite_query(planner, query->inputs[i]);
    plan__unnest(planner, query);
    simplify_each(planner, query->outputs.items, query->outputs.count);
    simplify_each(planner, query->groups.items, query->groups.count);
    simplify_each(planner, query->rows, query->row_count * query->outputs.count);
    for (uint32_t i = 0; i < query->order_count; i++)
        query->orders[i].expr = plan__simplify(planner, query->orders[i].expr);
    for (uint32_t a = 0; a < query->aggregate_count; a++) {
        struct expr **place;
        for (uint32_t i = 0; (place = plan__aggregate_expr(&query->aggregates[a], i)) != NULL; i++)
            *place = *place ? plan__simplify(planner, *place) : NULL;
    }
    for (uint32_t w = 0; w < query->window_count; w++)
        simplify_window(planner, &query->windows[w]);
    if (query->row_window)
        simplify_window(planner, query->row_window);
    plan__simplify_conjuncts(planner, &query->row_where);
    simplify_each(planner, query->series.items, query->series.count);
    simplify_each(planner, query->distinct_on.items, query->distinct_on.count);
    plan__simplify_conjuncts(planner, &query->where);
    plan__simplify_conjuncts(planner, &query->having);
    if (query->limit)
        query->limit = plan__simplify(planner, query->limit);
    if (query->offset)
        query->offset = plan__simplify(planner, query->offset);
    if (query->from)
        simplify_from(planner, query, query->from);
}
