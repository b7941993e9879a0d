/* Syntax trees of expressions to typed expressions. */
#include <string.h>

#include "sql/plan/plan_aggregate_int.h"
#include "sql/plan/plan_char_int.h"

static status_t bind_list(struct scope *scope, struct ast_expr **items, uint32_t count,
                          struct expr ***out)
{
    struct expr **list = arena_alloc(scope->planner->arena, (count + 1) * sizeof *list);
    for (uint32_t i = 0; i < count; i++) {
        status_t status = plan__bind_expr(scope, items[i], &list[i]);
        if (status)
            return status;
    }
    *out = list;
    return OK;
}

static bool is_tiny(const struct ast_expr *literal)
{
    return literal->overlong && literal->as.literal.as.real == 0;
}

static status_t bind_literal(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct value value = ast->as.literal;
    if (is_tiny(ast) && !scope->planner->options->sqlite) {
        value = value_numeric(numeric_make(0, NUMERIC_SCALE_MAX));
    } else if (ast->overlong && !scope->planner->options->sqlite) {
        error_sql(scope->planner->error, "22003", ast->position, "number is out of range");
        error_hint(scope->planner->error,
                   "Exact numbers have up to %d digits; 1e40 is a double, and so is "
                   "what is cast to one.",
                   NUMERIC_DIGITS_MAX);
        return ERR_SQL;
    }
    /* SQLite has no decimals. */
    if (scope->planner->options->sqlite && value.type == SQL_NUMERIC)
        value = value_double(numeric_to_double(value.as.numeric));
    *out = plan__constant(scope->planner, value, ast->position);
    if (ast->as.literal.type == SQL_TEXT)
        (*out)->type = SQL_UNKNOWN; /* a quoted literal becomes what it meets */
    return OK;
}

static status_t bind_parameter(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    uint32_t index = ast->as.parameter;
    if (index >= planner->parameter_count)
        return error_sql(planner->error, "42P02", ast->position, "there is no parameter $%u",
                         index + 1);
    *out = plan__node(planner, EXPR_PARAMETER, planner->parameter_types[index], ast->position);
    (*out)->index = index;
    return OK;
}

/* ---- operators --------------------------------------------------------------------------------
 */

enum expr_call plan__binary_call(enum ast_operator op)
{
    static const enum expr_call calls[AST_OP_COUNT] = {
        [AST_OP_EQ] = CALL_EQ,
        [AST_OP_NE] = CALL_NE,
        [AST_OP_LT] = CALL_LT,
        [AST_OP_LE] = CALL_LE,
        [AST_OP_GT] = CALL_GT,
        [AST_OP_GE] = CALL_GE,
        [AST_OP_IS_DISTINCT] = CALL_IS_DISTINCT,
        [AST_OP_IS_NOT_DISTINCT] = CALL_IS_NOT_DISTINCT,
        [AST_OP_ADD] = CALL_ADD,
        [AST_OP_SUBTRACT] = CALL_SUBTRACT,
        [AST_OP_MULTIPLY] = CALL_MULTIPLY,
        [AST_OP_DIVIDE] = CALL_DIVIDE,
        [AST_OP_MODULO] = CALL_MODULO,
        [AST_OP_POWER] = CALL_POWER,
        [AST_OP_CONCAT] = CALL_CONCAT,
        [AST_OP_BIT_AND] = CALL_BIT_AND,
        [AST_OP_BIT_OR] = CALL_BIT_OR,
        [AST_OP_BIT_XOR] = CALL_BIT_XOR,
        [AST_OP_SHIFT_LEFT] = CALL_SHIFT_LEFT,
        [AST_OP_SHIFT_RIGHT] = CALL_SHIFT_RIGHT,
        [AST_OP_MATCH] = CALL_MATCH,
        [AST_OP_IMATCH] = CALL_IMATCH,
        [AST_OP_NOT_MATCH] = CALL_MATCH, /* and NOT around it */
        [AST_OP_NOT_IMATCH] = CALL_IMATCH,
    };
    ASSERT(op >= AST_OP_EQ && op < AST_OP_COUNT);
    return calls[op];
}

enum expr_call plan__comparison_call(enum ast_operator op)
{
    ASSERT(plan__is_comparison(plan__binary_call(op)));
    return plan__binary_call(op);
}

static struct expr *negate_if(struct planner *planner, bool negated, struct expr *expr)
{
    if (!negated)
        return expr;
    return plan__call1(planner, CALL_NOT, SQL_BOOLEAN, expr->position, expr);
}

static status_t bind_binary(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct expr *left;
    struct expr *right;
    status_t status = plan__bind_expr(scope, ast->as.binary.left, &left);
    if (!status)
        status = plan__bind_expr(scope, ast->as.binary.right, &right);
    if (status)
        return status;
    enum ast_operator op = ast->as.binary.operator;
    enum expr_call call = plan__binary_call(op);
    bool negated = op == AST_OP_NOT_MATCH || op == AST_OP_NOT_IMATCH;
    status = plan__type_operator(scope->planner, call,
                                 negated ? ast_operator_text(op) : plan__operator_text(call), left,
                                 right, ast->position, out);
    if (!status)
        *out = negate_if(scope->planner, negated, *out);
    return status;
}

static status_t bind_unary(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct expr *operand;
    status_t status = plan__bind_expr(scope, ast->as.binary.left, &operand);
    if (status)
        return status;
    switch (ast->as.binary.operator) {
    case AST_OP_NOT:
        if ((status = plan__require(planner, &operand, SQL_BOOLEAN, "NOT")))
            return status;
        *out = plan__call1(planner, CALL_NOT, SQL_BOOLEAN, ast->position, operand);
        return OK;
    case AST_OP_BIT_NOT:
        return plan__type_operator(planner, CALL_BIT_NOT, "~", operand, NULL, ast->position, out);
    case AST_OP_NEGATE:
        return plan__type_operator(planner, CALL_NEGATE, "-", operand, NULL, ast->position, out);
    default:
        ASSERT(ast->as.binary.operator== AST_OP_PLUS);
        *out = operand;
        if (planner->options->sqlite)
            return OK;
        status = plan__type_operator(planner, CALL_NEGATE, "+", operand, NULL, ast->position, out);
        if (!status)
            *out = (*out)->arguments[0]; /* typed like a sign, and then nothing */
        return status;
    }
}

static status_t bind_junction(struct scope *scope, const struct ast_expr *ast, bool conjunct,
                              struct expr **out)
{
    bool is_and = ast->kind == AST_AND;
    uint32_t count = ast->as.list.count;
    struct expr **items = arena_alloc(scope->planner->arena, count * sizeof *items);
    ASSERT(count >= 2);
    status_t status = OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        scope->conjunct = conjunct;
        status = plan__bind_expr(scope, ast->as.list.items[i], &items[i]);
    }
    for (uint32_t i = 0; i < count && !status; i++)
        status = plan__require(scope->planner, &items[i], SQL_BOOLEAN, is_and ? "AND" : "OR");
    if (status)
        return status;
    *out = plan__and(scope->planner, items, count);
    (*out)->position = ast->position;
    if (!is_and)
        (*out)->kind = EXPR_OR;
    return OK;
}

static status_t bind_is(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    static const enum expr_call calls[][2] = {
        [AST_IS_NULL] = {CALL_IS_NULL, CALL_IS_NOT_NULL},
        [AST_IS_TRUE] = {CALL_IS_TRUE, CALL_IS_NOT_TRUE},
        [AST_IS_FALSE] = {CALL_IS_FALSE, CALL_IS_NOT_FALSE},
        [AST_IS_UNKNOWN] = {CALL_IS_NULL, CALL_IS_NOT_NULL},
    };
    static const char *const clauses[][2] = {
        [AST_IS_NULL] = {"IS NULL", "IS NOT NULL"},
        [AST_IS_TRUE] = {"IS TRUE", "IS NOT TRUE"},
        [AST_IS_FALSE] = {"IS FALSE", "IS NOT FALSE"},
        [AST_IS_UNKNOWN] = {"IS UNKNOWN", "IS NOT UNKNOWN"},
    };
    struct expr *operand;
    status_t status = plan__bind_expr(scope, ast->as.is.operand, &operand);
    if (status)
        return status;
    if (ast->as.is.test == AST_IS_NULL)
        status = plan__settle(scope->planner, &operand);
    else
        status = plan__require(scope->planner, &operand, SQL_BOOLEAN,
                               clauses[ast->as.is.test][ast->as.is.negated]);
    if (status)
        return status;
    *out = plan__call1(scope->planner, calls[ast->as.is.test][ast->as.is.negated], SQL_BOOLEAN,
                       ast->position, operand);
    return OK;
}

static status_t bind_like(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    static const char *const texts[][2] = {
        {"~~", "!~~"}, {"~~*", "!~~*"}, {"SIMILAR TO", "NOT SIMILAR TO"}};
    static const enum expr_call calls[] = {CALL_LIKE, CALL_ILIKE, CALL_SIMILAR};
    struct planner *planner = scope->planner;
    int kind = ast->as.like.similar ? 2 : ast->as.like.ignore_case ? 1 : 0;
    struct expr *operand;
    struct expr *pattern;
    status_t status = plan__bind_expr(scope, ast->as.like.operand, &operand);
    if (!status)
        status = plan__bind_expr(scope, ast->as.like.pattern, &pattern);
    if (!status)
        status = plan__type_operator(planner, calls[kind], texts[kind][ast->as.like.negated],
                                     operand, pattern, ast->position, out);
    if (status)
        return status;
    if (ast->as.like.escape) {
        struct expr *escape;
        if ((status = plan__bind_expr(scope, ast->as.like.escape, &escape)) ||
            (status = plan__require(planner, &escape, SQL_TEXT, "ESCAPE")))
            return status;
        struct expr **arguments = arena_alloc(planner->arena, 3 * sizeof *arguments);
        memcpy(arguments, (*out)->arguments, 2 * sizeof *arguments);
        arguments[2] = escape;
        *out = plan__call(planner, (*out)->call, SQL_BOOLEAN, ast->position, arguments, 3);
    }
    *out = negate_if(planner, ast->as.like.negated, *out);
    return OK;
}

/* low <= operand AND operand <= high. */
static status_t between(struct planner *planner, const struct ast_expr *ast, struct expr *operand,
                        struct expr *low, struct expr *high, struct expr **out)
{
    struct expr **parts = arena_alloc(planner->arena, 2 * sizeof *parts);
    status_t status =
        plan__type_operator(planner, CALL_GE, ">=", operand, low, ast->position, &parts[0]);
    if (!status)
        status =
            plan__type_operator(planner, CALL_LE, "<=", operand, high, ast->position, &parts[1]);
    if (status)
        return status;
    *out = plan__and(planner, parts, 2);
    return OK;
}

static status_t bind_between(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct expr *operand;
    struct expr *low;
    struct expr *high;
    status_t status = plan__bind_expr(scope, ast->as.between.operand, &operand);
    if (!status)
        status = plan__bind_expr(scope, ast->as.between.low, &low);
    if (!status)
        status = plan__bind_expr(scope, ast->as.between.high, &high);
    struct exprs operands = {0};
    bool symmetric = ast->as.between.symmetric;
    if (!status)
        status = plan__operand(planner, &operands, &operand, symmetric ? 4 : 2, ast->position);
    if (!status && symmetric)
        status = plan__operand(planner, &operands, &low, 2, ast->position);
    if (!status && symmetric)
        status = plan__operand(planner, &operands, &high, 2, ast->position);
    if (!status)
        status = between(planner, ast, operand, low, high, out);
    if (status)
        return status;
    if (symmetric) {
        struct expr **ways = arena_alloc(planner->arena, 2 * sizeof *ways);
        ways[0] = *out;
        if ((status = between(planner, ast, operand, high, low, &ways[1])))
            return status;
        *out = plan__and(planner, ways, 2);
        (*out)->kind = EXPR_OR;
    }
    *out = plan__bind_operands(planner, &operands, *out);
    *out = negate_if(planner, ast->as.between.negated, *out);
    return OK;
}

static status_t bind_in(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    uint32_t count = ast->as.in.count + 1;
    struct expr **items = arena_alloc(planner->arena, count * sizeof *items);
    status_t status = plan__bind_expr(scope, ast->as.in.operand, &items[0]);
    struct expr *operand = items[0];
    if (!status)
        plan__char_to_text(planner, &items[0]);
    for (uint32_t i = 1; i < count && !status; i++) {
        status = plan__bind_expr(scope, ast->as.in.items[i - 1], &items[i]);
        if (!status)
            plan__char_listed(planner, operand, &items[i]);
        if (!status && !plan__can_coerce(items[i]->type, items[0]->type) &&
            !plan__can_coerce(items[0]->type, items[i]->type))
            status =
                plan__type_operator(planner, CALL_EQ, "=", items[0], items[i], ast->position, out);
    }
    enum sql_type type;
    uint32_t length;
    if (!status)
        status = plan__unify(planner, "IN", items, count, 1, NULL, &type, &length);
    if (status)
        return status;
    if (count == 1) { /* IN (): nothing is in it */
        *out = plan__constant(planner, value_boolean(ast->as.in.negated), ast->position);
        return OK;
    }
    struct expr *expr = plan__node(planner, EXPR_IN, SQL_BOOLEAN, ast->position);
    expr->arguments = items;
    expr->argument_count = count;
    for (uint32_t i = 0; i < count; i++)
        expr->is_volatile |= items[i]->is_volatile;
    *out = negate_if(planner, ast->as.in.negated, expr);
    return OK;
}

/* ---- CASE, CAST, calls ------------------------------------------------------------------------
 */

static status_t bind_when(struct scope *scope, const struct ast_expr *ast, struct expr *operand,
                          const struct ast_when *when, struct expr **pair)
{
    status_t status = plan__bind_expr(scope, when->condition, &pair[0]);
    if (status)
        return status;
    if (operand)
        status = plan__type_operator(scope->planner, CALL_EQ, "=", operand, pair[0],
                                     when->condition->position, &pair[0]);
    else
        status = plan__require(scope->planner, &pair[0], SQL_BOOLEAN, "CASE/WHEN");
    MAYBE(ast->as.match.operand != NULL);
    return status ? status : plan__bind_expr(scope, when->result, &pair[1]);
}

static status_t bind_case(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    uint32_t whens = ast->as.match.count;
    ASSERT(whens > 0);
    struct expr *operand = NULL;
    struct exprs operands = {0};
    status_t status = OK;
    if (ast->as.match.operand)
        status = plan__bind_expr(scope, ast->as.match.operand, &operand);
    if (operand && !status)
        status = plan__operand(planner, &operands, &operand, whens, ast->position);
    /* One more place, so that the results stand at every second place from 1 on. */
    struct expr **arguments = arena_alloc(planner->arena, (2 * whens + 2) * sizeof *arguments);
    for (uint32_t i = 0; i < whens && !status; i++)
        status = bind_when(scope, ast, operand, &ast->as.match.whens[i], &arguments[2 * i]);
    if (status)
        return status;
    struct expr **otherwise = &arguments[2 * whens + 1];
    if (!ast->as.match.otherwise)
        *otherwise = plan__constant(planner, value_null(SQL_UNKNOWN), ast->position);
    else if ((status = plan__bind_expr(scope, ast->as.match.otherwise, otherwise)))
        return status;
    enum sql_type type;
    uint32_t length;
    if ((status =
             plan__unify(planner, "CASE", arguments + 1, whens + 1, 2, *otherwise, &type, &length)))
        return status;
    arguments[2 * whens] = *otherwise;
    struct expr *expr = plan__node(planner, EXPR_CASE, type, ast->position);
    expr->arguments = arguments;
    expr->argument_count = 2 * whens + 1;
    expr->cast_limit = length;
    for (uint32_t i = 0; i < expr->argument_count; i++)
        expr->is_volatile |= arguments[i]->is_volatile;
    *out = plan__bind_operands(planner, &operands, expr);
    return OK;
}

static status_t bind_cast(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    const struct ast_expr *of = ast->as.cast.operand;
    enum sql_type to = ast->as.cast.type.kind;
    struct expr *operand;
    status_t status = OK;
    /* An integer of any length, when it is said that it may lose digits. */
    bool inexact = of->kind == AST_LITERAL && of->overlong && (to == SQL_DOUBLE || to == SQL_REAL);
    if (inexact && is_tiny(of) && !scope->planner->options->sqlite)
        return error_sql(scope->planner->error, "22003", of->position,
                         "number is out of range for type %s", type_name(to));
    if (inexact)
        operand = plan__constant(scope->planner, of->as.literal, of->position);
    else
        status = plan__bind_expr(scope, of, &operand);
    if (status)
        return status;
    return plan__type_cast(scope->planner, operand, ast->as.cast.type, ast->position, out);
}

static status_t bind_call(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    const char *name = ast->as.call.name;
    enum aggregate_kind kind;
    enum window_kind window;
    if (ast->as.call.over)
        return plan__bind_window(scope, ast, out);
    if (plan__window_by_name(name, &window))
        return error_sql(planner->error, "42809", ast->position,
                         "window function %s requires an OVER clause", name);
    if (plan__aggregate_by_name(name, &kind))
        return plan__bind_aggregate(scope, ast, kind, out);
    if (ast->as.call.star || ast->as.call.distinct || ast->as.call.filter || ast->as.call.orders)
        return error_sql(planner->error, "42809", ast->position,
                         "%s specified, but %s is not an aggregate function",
                         ast->as.call.star       ? "(*)"
                         : ast->as.call.distinct ? "DISTINCT"
                         : ast->as.call.orders   ? "ORDER BY"
                                                 : "FILTER",
                         name);
    if (strcmp(name, "generate_series") == 0)
        return plan__bind_series_target(scope, ast, out);
    struct expr **arguments;
    const char *around = scope->choice;
    if (strcmp(name, "coalesce") == 0)
        scope->choice = "COALESCE";
    status_t status = bind_list(scope, ast->as.call.arguments, ast->as.call.count, &arguments);
    scope->choice = around;
    if (status)
        return status;
    return plan__type_function(planner, name, arguments, ast->as.call.count, ast->position, out);
}

static status_t bind_choice(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    const char *around = scope->choice;
    scope->choice = "CASE";
    status_t status = bind_case(scope, ast, out);
    scope->choice = around;
    return status;
}

status_t plan__bind_expr(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    ASSERT(scope && ast && out);
    status_t status = plan__poll(scope->planner);
    if (status)
        return status;
    bool conjunct = scope->conjunct;
    scope->conjunct = false;
    if (plan__compares_rows(ast))
        return plan__bind_rows(scope, ast, conjunct, out);
    switch (ast->kind) {
    case AST_LITERAL:
        return bind_literal(scope, ast, out);
    case AST_PARAMETER:
        return bind_parameter(scope, ast, out);
    case AST_COLUMN:
        return plan__bind_column(scope, ast, out);
    case AST_UNARY:
        return bind_unary(scope, ast, out);
    case AST_BINARY:
        return bind_binary(scope, ast, out);
    case AST_AND:
    case AST_OR:
        return bind_junction(scope, ast, conjunct && ast->kind == AST_AND, out);
    case AST_IS:
        return bind_is(scope, ast, out);
    case AST_LIKE:
        return bind_like(scope, ast, out);
    case AST_BETWEEN:
        return bind_between(scope, ast, out);
    case AST_IN_LIST:
        return bind_in(scope, ast, out);
    case AST_CASE:
        return bind_choice(scope, ast, out);
    case AST_CAST:
        return bind_cast(scope, ast, out);
    case AST_CALL:
        return bind_call(scope, ast, out);
    case AST_IN_SELECT:
    case AST_SCALAR:
    case AST_EXISTS:
    case AST_QUANTIFIED:
        return plan__bind_subquery(scope, ast, out);
    case AST_ROW:
        return error_sql(scope->planner->error, "0A000", ast->position,
                         "a row value is not supported here, it can only be compared");
    case AST_DEFAULT:
        return error_sql(scope->planner->error, "42601", ast->position,
                         "DEFAULT is not allowed in this context");
    }
    UNREACHABLE();
}

status_t plan__bind_condition(struct scope *scope, const struct ast_expr *ast, struct exprs *out)
{
    struct expr *expr;
    scope->conjunct = true;
    status_t status = plan__bind_expr(scope, ast, &expr);
    if (!status)
        status = plan__require(scope->planner, &expr, SQL_BOOLEAN, scope->clause);
    if (status)
        return status;
    if (expr->kind != EXPR_AND) {
        plan__append(scope->planner, out, expr);
        return OK;
    }
    for (uint32_t i = 0; i < expr->argument_count; i++)
        plan__append(scope->planner, out, expr->arguments[i]);
    return OK;
}
