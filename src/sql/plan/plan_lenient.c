/* What `sqlite_compatibility` makes of expressions, so that statements written for SQLite give what
 * they give there. The rest of it is where it applies: a sign in front of anything (plan_expr.c),
 * columns that are neither grouped nor aggregated (plan_aggregate.c), the last of several
 * assignments to a column (plan_modify.c), the first row of a scalar subquery (plan_subquery.c).
 *
 * A cast of a double to an integer cuts (plan_type.c).
 *
 * NULLs come first in an order that ascends, UNION, EXCEPT and INTERSECT bind alike, and what can
 * only be NULL is an integer, with which there is arithmetic, instead of a text.
 *
 * Division. SQLite's values have types, its expressions have none: COALESCE(a, 0.5) / 2 is a
 * division of integers in the rows where a is one. Here such an expression is a double, made of
 * implicit casts; whether it is an integer in disguise is a condition that can be read off its
 * tree:
 *     CAST(i)             it is (an implicit cast of an integer)
 *     a + b, a - b, ...   both are
 *     CASE, COALESCE      the branch that is taken is
 *     NULLIF(a, b)        a is
 *     anything else       it is not
 * NULLIF of an integer keeps its type, whatever it is compared with, so that an aggregate over it
 * is an integer as well. So a / b becomes CASE WHEN both are THEN trunc(a / b) ELSE a / b END.
 * Division by zero is NULL.
 */
#include <string.h>

#include "sql/plan/plan_int.h"

static struct expr *truth(struct planner *planner, bool value)
{
    return plan__constant(planner, value_boolean(value), 0);
}

static struct expr *both(struct planner *planner, struct expr *a, struct expr *b)
{
    if (!a || !b)
        return NULL;
    if (plan__is_true(a))
        return b;
    if (plan__is_true(b))
        return a;
    struct expr **items = arena_alloc(planner->arena, 2 * sizeof *items);
    items[0] = a;
    items[1] = b;
    return plan__and(planner, items, 2);
}

static struct expr *integer_test(struct planner *planner, struct expr *expr);

/* CASE over the conditions given, with the tests of the results; NULL when none can be true. */
static struct expr *test_branches(struct planner *planner, struct expr **conditions,
                                  struct expr **results, uint32_t count, struct expr *otherwise)
{
    struct expr **arguments = arena_alloc(planner->arena, (2 * count + 1) * sizeof(struct expr *));
    bool any = false;
    for (uint32_t i = 0; i <= count; i++) {
        struct expr *test = integer_test(planner, i < count ? results[i] : otherwise);
        any |= test != NULL;
        if (i < count)
            arguments[2 * i] = conditions[i];
        arguments[i < count ? 2 * i + 1 : 2 * i] = test ? test : truth(planner, false);
    }
    if (!any)
        return NULL;
    struct expr *out = plan__node(planner, EXPR_CASE, SQL_BOOLEAN, 0);
    out->arguments = arguments;
    out->argument_count = 2 * count + 1;
    for (uint32_t i = 0; i < out->argument_count; i++)
        out->is_volatile |= arguments[i]->is_volatile;
    return out;
}

static struct expr *test_case(struct planner *planner, const struct expr *expr)
{
    uint32_t count = expr->argument_count / 2;
    struct expr **conditions = arena_alloc(planner->arena, (count + 1) * sizeof *conditions);
    struct expr **results = arena_alloc(planner->arena, (count + 1) * sizeof *results);
    for (uint32_t i = 0; i < count; i++) {
        conditions[i] = expr->arguments[2 * i];
        results[i] = expr->arguments[2 * i + 1];
    }
    return test_branches(planner, conditions, results, count, expr->arguments[2 * count]);
}

static struct expr *test_coalesce(struct planner *planner, const struct expr *expr)
{
    uint32_t count = expr->argument_count - 1;
    struct expr **conditions = arena_alloc(planner->arena, (count + 1) * sizeof *conditions);
    for (uint32_t i = 0; i < count; i++)
        conditions[i] = plan__call1(planner, CALL_IS_NOT_NULL, SQL_BOOLEAN, 0, expr->arguments[i]);
    return test_branches(planner, conditions, expr->arguments, count, expr->arguments[count]);
}

/* When an expression is an integer in disguise; NULL: never. */
static struct expr *integer_test(struct planner *planner, struct expr *expr)
{
    if (expr->type == SQL_INTEGER)
        return truth(planner, true);
    if (plan__is_constant(expr) && expr->constant.null)
        return truth(planner, true);
    if (expr->kind == EXPR_CAST)
        return expr->is_implicit ? integer_test(planner, expr->arguments[0]) : NULL;
    if (expr->kind == EXPR_CASE)
        return test_case(planner, expr);
    if (expr->kind != EXPR_CALL)
        return NULL;
    switch (expr->call) {
    case CALL_ADD:
    case CALL_SUBTRACT:
    case CALL_MULTIPLY:
        return both(planner, integer_test(planner, expr->arguments[0]),
                    integer_test(planner, expr->arguments[1]));
    case CALL_NEGATE:
    case CALL_ABS:
    case CALL_NULLIF:
        return integer_test(planner, expr->arguments[0]);
    case CALL_TRUNC:
        return truth(planner, true);
    case CALL_COALESCE:
        return test_coalesce(planner, expr);
    default:
        return NULL;
    }
}

status_t plan__lenient_division(struct planner *planner, struct expr **expr)
{
    struct expr *division = *expr;
    enum sql_type type = division->type;
    ASSERT(division->argument_count == 2);
    /* In the test, cut and uncut. */
    status_t status = plan__repeat(planner, division, 3, division->position);
    if (status)
        return status;
    struct expr *zero = plan__constant(
        planner, type == SQL_INTEGER ? value_integer(0) : value_double(0), division->position);
    struct expr *divisor =
        plan__call2(planner, CALL_NULLIF, type, division->position, division->arguments[1], zero);
    divisor->name = "nullif";
    struct expr *test = both(planner, integer_test(planner, division->arguments[0]),
                             integer_test(planner, division->arguments[1]));
    division = plan__call2(planner, division->call, type, division->position,
                           division->arguments[0], divisor);
    *expr = division;
    if (type == SQL_INTEGER || !test || division->call != CALL_DIVIDE)
        return OK;
    struct expr *whole = plan__call1(planner, CALL_TRUNC, SQL_DOUBLE, division->position, division);
    whole->name = "trunc";
    struct expr *choice = plan__node(planner, EXPR_CASE, SQL_DOUBLE, division->position);
    choice->arguments = arena_alloc(planner->arena, 3 * sizeof(struct expr *));
    choice->arguments[0] = test;
    choice->arguments[1] = whole;
    choice->arguments[2] = division;
    choice->argument_count = 3;
    choice->is_volatile = division->is_volatile || test->is_volatile;
    *expr = choice;
    return OK;
}

bool plan__lenient_keeps(const struct planner *planner, struct expr *const *arguments)
{
    enum sql_type other = arguments[1]->type;
    return planner->options->sqlite && arguments[0]->type == SQL_INTEGER &&
           !arguments[0]->is_volatile && other != SQL_INTEGER && other != SQL_UNKNOWN;
}

status_t plan__lenient_nullif(struct planner *planner, struct expr **arguments, uint32_t position,
                              struct expr **out)
{
    struct expr *whole = arguments[0];
    ASSERT(plan__lenient_keeps(planner, arguments));
    status_t status = plan__repeat(planner, whole, 2, position);
    struct expr *equal = NULL;
    if (!status)
        status = plan__type_operator(planner, CALL_EQ, "=", whole, arguments[1], position, &equal);
    if (status)
        return status;
    struct expr *choice = plan__node(planner, EXPR_CASE, SQL_INTEGER, position);
    choice->arguments = arena_alloc(planner->arena, 3 * sizeof(struct expr *));
    choice->arguments[0] = equal;
    choice->arguments[1] = plan__constant(planner, value_null(SQL_INTEGER), position);
    choice->arguments[2] = whole;
    choice->argument_count = 3;
    choice->is_volatile = equal->is_volatile;
    *out = choice;
    return OK;
}

static bool is_number(enum sql_type type)
{
    return type == SQL_INTEGER || type == SQL_DOUBLE;
}

/* A quoted literal that cannot be read as the type. */
static bool is_unreadable(struct planner *planner, const struct expr *expr, enum sql_type type)
{
    struct value ignored;
    return plan__is_constant(expr) && expr->type == SQL_UNKNOWN && !expr->constant.null &&
           value_cast(&expr->constant, type, planner->arena, 0, &ignored, NULL) != OK;
}

status_t plan__lenient_comparison(struct planner *planner, enum expr_call call, struct expr **left,
                                  struct expr **right)
{
    if (call != CALL_EQ && call != CALL_NE)
        return OK;
    static const struct type_spec text = {.kind = SQL_TEXT};
    bool bytes = (*left)->type == SQL_BYTEA || (*right)->type == SQL_BYTEA;
    if (bytes && (*left)->type != (*right)->type) {
        /* Never equal; nor is \x3031 to anything else as a text. */
        status_t status = plan__type_cast(planner, *left, text, (*left)->position, left);
        return status ? status : plan__type_cast(planner, *right, text, (*right)->position, right);
    }
    if (is_number((*right)->type) && is_unreadable(planner, *left, (*right)->type))
        return plan__type_cast(planner, *right, text, (*right)->position, right);
    if (is_number((*left)->type) && is_unreadable(planner, *right, (*left)->type))
        return plan__type_cast(planner, *left, text, (*left)->position, left);
    return OK;
}

/* ---- NULLs ------------------------------------------------------------------------------------
 */

bool plan__lenient_nulls(const struct planner *planner, struct expr *const *items, uint32_t count,
                         uint32_t stride)
{
    ASSERT(stride > 0);
    if (!planner->options->sqlite)
        return false;
    for (uint32_t i = 0; i < count * stride; i += stride)
        if (items[i]->type != SQL_UNKNOWN || !plan__is_constant(items[i]) ||
            !items[i]->constant.null)
            return false;
    return count > 0;
}

bool plan__nulls_first(const struct planner *planner, const struct ast_order *order)
{
    return planner->options->sqlite && !order->nulls_named ? !order->descending
                                                           : order->nulls_first;
}

/* ---- set operations ---------------------------------------------------------------------------
 */

/* Puts the operands of `ast` on *left one after the other: `last` is the operation that stands
 * before its first one, NULL before the first of all. */
static void lean_left(struct planner *planner, const struct ast_select *ast, bool outermost,
                      const struct ast_select *last, struct ast_select **left)
{
    if (ast->set && (outermost || !ast->in_parentheses)) {
        lean_left(planner, ast->left, false, last, left);
        lean_left(planner, ast->right, false, ast, left);
        return;
    }
    struct ast_select *operand = arena_alloc(planner->arena, sizeof *operand);
    *operand = *ast;
    if (!last) {
        *left = operand;
        return;
    }
    struct ast_select *node = arena_zalloc(planner->arena, sizeof *node);
    node->position = last->position;
    node->set_position = last->set_position;
    node->height = last->height;
    node->set = last->set;
    node->set_all = last->set_all;
    node->in_parentheses = true;
    node->left = *left;
    node->right = operand;
    *left = node;
}

const struct ast_select *plan__lenient_set(struct planner *planner, const struct ast_select *ast)
{
    ASSERT(ast->set != AST_SET_NONE);
    if (ast->right->in_parentheses || !ast->right->set)
        return ast; /* as are the operations to its left, which come here by themselves */
    struct ast_select *leaning = NULL;
    lean_left(planner, ast, true, NULL, &leaning);
    ASSERT(leaning && leaning->set);
    return leaning;
}
