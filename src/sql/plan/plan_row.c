/* Row values compared: (a, b) = (c, d), (a, b) < (c, d), (a, b) IN (...), IS [NOT] NULL.
 *
 * A comparison of rows is one of their columns:
 *     (a, b) =  (c, d)    a = c AND b = d
 *     (a, b) <> (c, d)    a <> c OR b <> d
 *     (a, b) <  (c, d)    a <= c AND (a < c OR (a = c AND b < d)), where the first part says no
 *                         more than the second, but an index that begins with `a` can serve it
 * The right side may be a query of one row, (a, b) = (SELECT c, d ...), whose columns are then
 * those of one subquery; without a row they are NULL. (a, b) IN (SELECT ...) is EXISTS (SELECT FROM
 * (...) AS x (c, d) WHERE a = c AND b = d), which can become a semi join. Where it makes a
 * difference that IN is NULL rather than false, a second question asks whether there is a row of
 * which it is unknown. */
#include "sql/plan/plan_int.h"

static bool is_row(const struct ast_expr *ast)
{
    return ast->kind == AST_ROW;
}

bool plan__compares_rows(const struct ast_expr *ast)
{
    switch (ast->kind) {
    case AST_BINARY:
        return is_row(ast->as.binary.left) || is_row(ast->as.binary.right);
    case AST_IN_LIST:
    case AST_IN_SELECT:
        return is_row(ast->as.in.operand);
    case AST_IS:
        return is_row(ast->as.is.operand) && ast->as.is.test == AST_IS_NULL;
    case AST_QUANTIFIED:
        return is_row(ast->as.quantified.operand);
    default:
        return false;
    }
}

/* ---- one row against another -------------------------------------------------------------------
 */

struct rows {
    struct planner *planner;
    struct expr **left;
    struct expr **right;
    uint32_t count;
    uint32_t position;
    struct exprs *operands; /* to be bound around the comparison */
};

/* The one row of a query. */
static status_t bind_columns(struct scope *scope, const struct ast_expr *ast, uint32_t count,
                             struct expr ***out)
{
    status_t status = OK;
    ASSERT(ast->kind == AST_SCALAR && count > 0);
    *out = arena_alloc(scope->planner->arena, count * sizeof(struct expr *));
    for (uint32_t i = 0; i < count && !status; i++)
        status = plan__bind_subquery_column(scope, ast, i, count, NULL, &(*out)[i]);
    return status;
}

static status_t bind_items(struct scope *scope, const struct ast_expr *ast, uint32_t count,
                           struct expr ***out)
{
    struct planner *planner = scope->planner;
    if (ast->kind == AST_SCALAR && count > 0) /* not as the left side */
        return bind_columns(scope, ast, count, out);
    if (!is_row(ast))
        return error_sql(planner->error, "0A000", ast->position,
                         "a row can only be compared with a row of values");
    if (ast->as.list.count != count)
        return error_sql(planner->error, "42601", ast->position,
                         "unequal number of entries in row expressions");
    *out = arena_alloc(planner->arena, count * sizeof(struct expr *));
    for (uint32_t i = 0; i < count; i++) {
        status_t status = plan__bind_expr(scope, ast->as.list.items[i], &(*out)[i]);
        if (status)
            return status;
    }
    return OK;
}

static status_t compare_item(const struct rows *rows, enum expr_call call, uint32_t i,
                             struct expr **out)
{
    /* Copies: typing may put a cast in the place of either. */
    return plan__type_operator(rows->planner, call, plan__operator_text(call), rows->left[i],
                               rows->right[i], rows->position, out);
}

static struct expr *junction(struct planner *planner, enum expr_kind kind, struct expr *a,
                             struct expr *b)
{
    struct expr **items = arena_alloc(planner->arena, 2 * sizeof *items);
    items[0] = a;
    items[1] = b;
    struct expr *expr = plan__and(planner, items, 2);
    expr->kind = kind;
    return expr;
}

/* All (AND) or any (OR) of the columns' comparisons. */
static status_t compare_each(const struct rows *rows, enum expr_call call, enum expr_kind kind,
                             struct expr **out)
{
    struct exprs list = {0};
    for (uint32_t i = 0; i < rows->count; i++) {
        struct expr *item;
        status_t status = compare_item(rows, call, i, &item);
        if (status)
            return status;
        plan__append(rows->planner, &list, item);
    }
    *out = plan__and(rows->planner, list.items, list.count);
    if (list.count > 1)
        (*out)->kind = kind;
    return OK;
}

/* From column i on: `strict` is LT or GT, `last` what the last column is compared by. */
static status_t compare_order(const struct rows *rows, enum expr_call strict, enum expr_call last,
                              uint32_t i, struct expr **out)
{
    struct planner *planner = rows->planner;
    enum expr_call loose = strict == CALL_LT ? CALL_LE : CALL_GE;
    if (i + 1 == rows->count)
        return compare_item(rows, last, i, out);
    struct expr *bound;
    struct expr *differs;
    struct expr *equal;
    struct expr *rest;
    status_t status = plan__operand(planner, rows->operands, &rows->left[i], 3, rows->position);
    if (!status)
        status = plan__operand(planner, rows->operands, &rows->right[i], 3, rows->position);
    if (!status)
        status = compare_item(rows, loose, i, &bound);
    if (!status)
        status = compare_item(rows, strict, i, &differs);
    if (!status)
        status = compare_item(rows, CALL_EQ, i, &equal);
    if (!status)
        status = compare_order(rows, strict, last, i + 1, &rest);
    if (status)
        return status;
    rest = junction(planner, EXPR_OR, differs, junction(planner, EXPR_AND, equal, rest));
    *out = junction(planner, EXPR_AND, bound, rest);
    return OK;
}

static status_t compare_rows(const struct rows *rows, enum expr_call call, struct expr **out)
{
    switch (call) {
    case CALL_EQ:
    case CALL_IS_NOT_DISTINCT:
        return compare_each(rows, call, EXPR_AND, out);
    case CALL_NE:
    case CALL_IS_DISTINCT:
        return compare_each(rows, call, EXPR_OR, out);
    case CALL_LT:
    case CALL_LE:
        return compare_order(rows, CALL_LT, call, 0, out);
    case CALL_GT:
    case CALL_GE:
        return compare_order(rows, CALL_GT, call, 0, out);
    default:
        return error_sql(rows->planner->error, "0A000", rows->position,
                         "operator %s is not supported for row values", plan__operator_text(call));
    }
}

static status_t bind_binary(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    const struct ast_expr *left = ast->as.binary.left;
    struct exprs operands = {0};
    struct rows rows = {.planner = scope->planner,
                        .count = is_row(left) ? left->as.list.count : 0,
                        .position = ast->position,
                        .operands = &operands};
    status_t status = bind_items(scope, left, rows.count, &rows.left);
    if (!status)
        status = bind_items(scope, ast->as.binary.right, rows.count, &rows.right);
    if (!status)
        status = compare_rows(&rows, plan__binary_call(ast->as.binary.operator), out);
    if (!status)
        *out = plan__bind_operands(scope->planner, &operands, *out);
    return status;
}

static struct expr *negate_if(struct planner *planner, bool negated, struct expr *expr)
{
    return negated ? plan__call1(planner, CALL_NOT, SQL_BOOLEAN, expr->position, expr) : expr;
}

static status_t bind_in_list(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct exprs operands = {0};
    struct rows rows = {.planner = planner,
                        .count = ast->as.in.operand->as.list.count,
                        .position = ast->position,
                        .operands = &operands};
    struct exprs any = {0};
    status_t status = bind_items(scope, ast->as.in.operand, rows.count, &rows.left);
    for (uint32_t i = 0; i < rows.count && !status; i++)
        status = plan__operand(planner, &operands, &rows.left[i], ast->as.in.count, ast->position);
    for (uint32_t i = 0; i < ast->as.in.count && !status; i++) {
        struct expr *equal;
        status = bind_items(scope, ast->as.in.items[i], rows.count, &rows.right);
        if (!status)
            status = compare_rows(&rows, CALL_EQ, &equal);
        if (!status)
            plan__append(planner, &any, equal);
    }
    if (status)
        return status;
    if (any.count == 0) {
        *out = plan__constant(planner, value_boolean(ast->as.in.negated), ast->position);
        return OK;
    }
    *out = plan__and(planner, any.items, any.count);
    if (any.count > 1)
        (*out)->kind = EXPR_OR;
    *out = plan__bind_operands(planner, &operands, *out);
    *out = negate_if(planner, ast->as.in.negated, *out);
    return OK;
}

/* (a, b) IS NULL: all are; IS NOT NULL: none is. */
static status_t bind_is_null(struct scope *scope, const struct ast_expr *ast, struct expr **out)
{
    struct planner *planner = scope->planner;
    const struct ast_expr *row = ast->as.is.operand;
    struct expr **items;
    status_t status = bind_items(scope, row, row->as.list.count, &items);
    for (uint32_t i = 0; i < row->as.list.count && !status; i++) {
        status = plan__settle(planner, &items[i]);
        if (!status)
            items[i] = plan__call1(planner, ast->as.is.negated ? CALL_IS_NOT_NULL : CALL_IS_NULL,
                                   SQL_BOOLEAN, ast->position, items[i]);
    }
    if (!status)
        *out = plan__and(planner, items, row->as.list.count);
    return status;
}

/* ---- a row in a query --------------------------------------------------------------------------
 */

static struct ast_expr *new_ast(struct planner *planner, enum ast_expr_kind kind, uint32_t position)
{
    struct ast_expr *ast = arena_zalloc(planner->arena, sizeof *ast);
    ast->kind = kind;
    ast->position = position;
    return ast;
}

/* Columns of the query under names that nobody writes, so that those of the row are looked for
 * further out. */
static struct ast_from *from_select(struct planner *planner, struct ast_select *select,
                                    uint32_t count)
{
    struct ast_from *from = arena_zalloc(planner->arena, sizeof *from);
    from->kind = AST_FROM_SELECT;
    from->position = select->position;
    from->select = select;
    from->columns = arena_zalloc(planner->arena, count * sizeof *from->columns);
    from->column_count = count;
    from->columns_exact = true;
    for (uint32_t i = 0; i < count; i++)
        from->columns[i] =
            (struct ast_name){.text = arena_printf(planner->arena, "subquery.%u", i + 1),
                              .position = select->position};
    return from;
}

/* EXISTS (SELECT FROM select WHERE row = its columns); `unknown`: where that is NULL. */
static struct ast_expr *exists(struct planner *planner, const struct ast_expr *row,
                               struct ast_select *select, uint32_t position, bool unknown)
{
    uint32_t count = row->as.list.count;
    struct ast_expr *result = new_ast(planner, AST_EXISTS, position);
    struct ast_select *around = arena_zalloc(planner->arena, sizeof *around);
    struct ast_expr *names = new_ast(planner, AST_ROW, position);
    struct ast_expr *equal = new_ast(planner, AST_BINARY, position);
    around->position = select->position;
    around->from = from_select(planner, select, count);
    names->as.list.count = count;
    names->as.list.items = arena_alloc(planner->arena, count * sizeof(struct ast_expr *));
    for (uint32_t i = 0; i < count; i++) {
        names->as.list.items[i] = new_ast(planner, AST_COLUMN, position);
        names->as.list.items[i]->as.column.name = around->from->columns[i];
    }
    equal->as.binary.operator= AST_OP_EQ;
    equal->as.binary.left = (struct ast_expr *)row;
    equal->as.binary.right = names;
    around->where = equal;
    if (unknown) {
        around->where = new_ast(planner, AST_IS, position);
        around->where->as.is.operand = equal;
        around->where->as.is.test = AST_IS_UNKNOWN;
    }
    result->as.select = around;
    return result;
}

static status_t bind_in_select(struct scope *scope, const struct ast_expr *row,
                               struct ast_select *select, uint32_t position, bool negated,
                               bool conjunct, struct expr **out)
{
    struct planner *planner = scope->planner;
    struct ast_expr *there = exists(planner, row, select, position, false);
    status_t status = plan__bind_expr(scope, there, out);
    if (status || (conjunct && !negated))
        return status;
    /* CASE WHEN there THEN true WHEN unknown THEN NULL ELSE false END */
    struct expr **arguments = arena_alloc(planner->arena, 5 * sizeof *arguments);
    arguments[0] = *out;
    arguments[1] = plan__constant(planner, value_boolean(true), position);
    status = plan__bind_expr(scope, exists(planner, row, select, position, true), &arguments[2]);
    if (status)
        return status;
    arguments[3] = plan__constant(planner, value_null(SQL_BOOLEAN), position);
    arguments[4] = plan__constant(planner, value_boolean(false), position);
    *out = plan__node(planner, EXPR_CASE, SQL_BOOLEAN, position);
    (*out)->arguments = arguments;
    (*out)->argument_count = 5;
    *out = negate_if(planner, negated, *out);
    return OK;
}

status_t plan__bind_rows(struct scope *scope, const struct ast_expr *ast, bool conjunct,
                         struct expr **out)
{
    ASSERT(plan__compares_rows(ast));
    switch (ast->kind) {
    case AST_BINARY:
        return bind_binary(scope, ast, out);
    case AST_IN_LIST:
        return bind_in_list(scope, ast, out);
    case AST_IN_SELECT:
        return bind_in_select(scope, ast->as.in.operand, ast->as.in.select, ast->position,
                              ast->as.in.negated, conjunct, out);
    case AST_IS:
        return bind_is_null(scope, ast, out);
    default:
        if (ast->as.quantified.operator!= AST_OP_EQ || ast->as.quantified.all)
            return error_sql(scope->planner->error, "0A000", ast->position,
                             "of ANY and ALL only = ANY is supported for row values");
        return bind_in_select(scope, ast->as.quantified.operand, ast->as.quantified.select,
                              ast->position, false, conjunct, out);
    }
}
